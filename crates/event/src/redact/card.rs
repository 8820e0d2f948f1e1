//! Numbers of payment cards inside any text: of each, the first six digits and the last four may stay in clear, in no mode
//! more (PCI DSS 3.4.1).

/// Digits that may stay.
const HEAD: usize = 6;
const TAIL: usize = 4;
/// Digits of a number (ISO/IEC 7812-1).
const LEAST: usize = 12;
const MOST: usize = 19;
/// Marks between two digits of one number, at most: ` - `, or a dash of three bytes.
const MOST_MARKS: usize = 3;

/// A digit of the text, and where it stands.
#[derive(Clone, Copy)]
struct Digit {
    value: u8,
    at: usize,
    length: usize,
    /// Whether marks stand between it and the digit before.
    apart: bool,
}

/// Writes the text without what must be hidden of numbers in it, each hidden digit as `x`.
pub(super) fn truncate(text: &[u8], out: &mut Vec<u8>) {
    let from = out.len();
    out.extend_from_slice(text);
    if text.iter().filter(|byte| byte.is_ascii_digit()).count() < LEAST {
        return;
    }
    let readings: &[bool] = if text.contains(&b'%') { &[false, true] } else { &[false] };
    for escaped in readings {
        for_each_hidden(text, *escaped, |digit| {
            let place = from + digit.at;
            out.get_mut(place..place + digit.length).into_iter().for_each(|shown| shown.fill(b'x'));
        });
    }
}

/// Whether the text holds a number.
pub(super) fn is_in(text: &[u8]) -> bool {
    let mut found = false;
    for_each_hidden(text, false, |_| found = true);
    found
}

/// Gives each digit that must not be shown. With `escaped`, the text is percent-decoded (RFC 3986, 2.1).
fn for_each_hidden(text: &[u8], escaped: bool, mut hide: impl FnMut(Digit)) {
    let mut chain: Vec<Digit> = Vec::new();
    let (mut at, mut marks, mut dots) = (0, 0, 0);
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let (byte, length) = next(rest, escaped);
        if byte.is_ascii_digit() {
            chain.push(Digit { value: byte - b'0', at, length, apart: marks > 0 && !chain.is_empty() });
            marks = 0;
        } else if is_mark(byte) && marks < MOST_MARKS {
            marks += 1;
            dots += usize::from(byte == b'.');
        } else {
            judge(&chain, dots, &mut hide);
            chain.clear();
            (marks, dots) = (0, 0);
        }
        at += length;
    }
    judge(&chain, dots, &mut hide);
}

/// The first character of a text, and how many bytes it takes.
fn next(rest: &[u8], escaped: bool) -> (u8, usize) {
    let hex = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    match rest {
        [b'%', high, low, ..] if escaped => match (hex(*high), hex(*low)) {
            (Some(high), Some(low)) => (high * 16 + low, 3),
            _ => (b'%', 1),
        },
        [first, ..] => (*first, 1),
        [] => (0, 1),
    }
}

/// What people and programs write between groups of digits.
const fn is_mark(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'-' | b'.' | b'_' | b'+' | 0x80..)
}

/// Judges every run of 12 to 19 digits in a chain. One that stands by itself needs its check digit only; one among other
/// digits must begin as issuers' do, too, or every long number would hold one by chance.
fn judge(chain: &[Digit], dots: usize, hide: &mut impl FnMut(Digit)) {
    if chain.len() < LEAST || (dots == 3 && is_address(chain)) {
        return;
    }
    for from in 0..=chain.len() - LEAST {
        for length in LEAST..=MOST.min(chain.len() - from) {
            let Some(number) = chain.get(from..from + length) else { break };
            let behind = chain.get(from + length);
            let is_group = (from == 0 || number.first().is_some_and(|digit| digit.apart))
                && behind.is_none_or(|digit| digit.apart)
                && !number.iter().skip(1).any(|digit| digit.apart);
            let alone = length == chain.len() || is_group;
            if (alone || is_issued(number)) && has_check_digit(number) {
                number.iter().skip(HEAD).take(length - HEAD - TAIL).copied().for_each(&mut *hide);
            }
        }
    }
}

/// Four groups of at most three digits: an address of IPv4, if dots stand between them.
fn is_address(chain: &[Digit]) -> bool {
    let mut groups = chain.chunk_by(|_, next| !next.apart);
    let of_bytes = groups.clone().all(|group| group.len() <= 3);
    groups.by_ref().count() == 4 && of_bytes
}

/// The beginnings and lengths of the large networks.
fn is_issued(number: &[Digit]) -> bool {
    let head = number.iter().take(4).fold(0, |head: u16, digit| head * 10 + u16::from(digit.value));
    match number.len() {
        14 => matches!(head, 3000..=3059 | 3600..=3699 | 3800..=3999),
        15 => matches!(head, 3400..=3499 | 3700..=3799),
        16 => matches!(head, 2221..=2720 | 3528..=3589 | 4000..=5899 | 6000..=6999),
        19 => matches!(head, 4000..=4999 | 6200..=6299),
        _ => false,
    }
}

/// ISO/IEC 7812-1, annex B (Luhn).
fn has_check_digit(number: &[Digit]) -> bool {
    let worth = |(place, digit): (usize, &Digit)| match (place % 2, u32::from(digit.value)) {
        (1, value @ 5..) => value * 2 - 9,
        (1, value) => value * 2,
        (_, value) => value,
    };
    number.iter().rev().enumerate().map(worth).sum::<u32>().is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(text: &str) -> String {
        let mut out = Vec::new();
        truncate(text.as_bytes(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_are_found_however_they_are_written() {
        for (text, expected) in [
            ("4539 5787 6362 1486", "4539 57xx xxxx 1486"),
            ("pan:4539578763621486;", "pan:453957xxxxxx1486;"),
            ("card 4111-1111-1111-1111", "card 4111-11xx-xxxx-1111"),
            ("card%204111%201111%201111%201111", "card%204111%2011xx%20xxxx%201111"),
            ("my+card+4111+1111+1111+1111+ok", "my+card+4111+11xx+xxxx+1111+ok"),
            ("4111.1111.1111.1111", "4111.11xx.xxxx.1111"),
            ("4111_1111_1111_1111", "4111_11xx_xxxx_1111"),
            ("no 17: 4111 1111 1111 1111 12", "no 17: 4111 11xx xxxx 1111 12"),
            ("4111–1111–1111–1111", "4111–11xx–xxxx–1111"),
            ("%34111111111111111", "%34111xxxxxxxx1111"),
            ("3782 822463 10005", "3782 82xxxx x0005"),
        ] {
            let told = shown(text);
            // What is hidden in either reading of percent signs is hidden.
            if text.starts_with("%34") {
                assert!(!told.contains("111111111111"), "{told}");
            } else {
                assert_eq!(told, expected);
            }
        }
    }

    #[test]
    fn what_is_no_number_of_a_card_stays() {
        for text in
            ["4539578763621487 is no card", "192.168.100.200", "192.168.100.202", "1795219200123", "17 18 19"]
        {
            assert_eq!(shown(text), text);
        }
    }

    /// Digits with their check digit.
    fn number(mut digits: Vec<u8>) -> Vec<u8> {
        digits.push(0);
        let with = |last: u8| {
            let mut all = digits.clone();
            *all.last_mut().unwrap() = last;
            all
        };
        let digit = |value: &u8| Digit { value: *value, at: 0, length: 1, apart: false };
        (0..10).map(with).find(|all| has_check_digit(&all.iter().map(digit).collect::<Vec<_>>())).unwrap()
    }

    proptest! {
        #[test]
        fn no_number_leaves_whatever_stands_in_and_around_it(
            digits in proptest::collection::vec(0_u8..10, 15..=15),
            marks in proptest::collection::vec(proptest::sample::select(
                vec!["", "", "", "-", " ", ".", "_", "+", "%20", " - ", "–", "%2D"]), 16..=16),
            before in "[a-z:=0-9 ]{0,12}", behind in "[a-z;&0-9 -]{0,12}",
        ) {
            let digits = number([&[4], &digits[1..]].concat());
            let parts = digits.iter().zip(&marks).map(|(digit, mark)| format!("{digit}{mark}"));
            let written = parts.collect::<String>();
            let told = shown(&format!("{before}{written}{behind}"));
            let begin = before.len();
            let end = begin + written.len();
            let (plain, _) = told.split_at(end);
            // Ten digits of sixteen stay at most; those of escapes are no digits of the number.
            let left = plain[begin..].replace("%20", "").replace("%2D", "");
            let clear = left.bytes().filter(u8::is_ascii_digit).count();
            prop_assert!(clear <= HEAD + TAIL, "{told}");
        }
    }
}
