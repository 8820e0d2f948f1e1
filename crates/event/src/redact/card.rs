//! Numbers of payment cards inside any text: of each, the first six digits and the last four may stay in clear, in no mode
//! more (PCI DSS 3.4.1).

use super::url::hex_pair;
use memchr::memchr2;

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
    for_each_hidden(text, |digit| {
        let place = from + digit.at;
        out.get_mut(place..place + digit.length).into_iter().for_each(|shown| shown.fill(b'x'));
    });
}

/// Whether the text holds a number.
pub(super) fn is_in(text: &[u8]) -> bool {
    let mut found = false;
    for_each_hidden(text, |_| found = true);
    found
}

/// Gives each digit that must not be shown, in the text as it is and in what it is when all its escapes are undone.
fn for_each_hidden(text: &[u8], mut hide: impl FnMut(Digit)) {
    if text.iter().filter(|byte| byte.is_ascii_digit()).count() < LEAST {
        return;
    }
    if runs_on(text) {
        in_reading((0..).zip(text).map(|(at, byte)| (*byte, at, 1)), &mut hide);
    }
    if memchr2(b'%', b'\\', text).is_some() {
        in_reading(unescaped(text).into_iter(), &mut hide);
    }
}

/// Whether so many digits follow each other, with the marks that a number may have: most texts have fewer, and are done with
/// before any list of them is made.
fn runs_on(text: &[u8]) -> bool {
    let (mut digits, mut marks) = (0, 0);
    for byte in text {
        if byte.is_ascii_digit() {
            (digits, marks) = (digits + 1, 0);
        } else if is_mark(*byte) && marks < MOST_MARKS {
            marks += 1;
        } else {
            (digits, marks) = (0, 0);
        }
        if digits >= LEAST {
            return true;
        }
    }
    false
}

/// The characters of a text, each with where it stands and how many bytes it takes there. Percent signs (RFC 3986, 2.1) and
/// `\u00` of JSON (RFC 8259, 7) are undone, and what was encoded again, again.
fn unescaped(text: &[u8]) -> Vec<(u8, usize, usize)> {
    let mut all: Vec<(u8, usize, usize)> = Vec::with_capacity(text.len());
    for (at, byte) in text.iter().enumerate() {
        all.push((*byte, at, 1));
        while let Some((byte, taken)) = last_escaped(&all) {
            let begin = all.len() - taken;
            let from = all.get(begin).map_or(at, |(_, from, _)| *from);
            all.truncate(begin);
            all.push((byte, from, at + 1 - from));
        }
    }
    all
}

/// What the escape at the end stands for, and of how many characters it is.
fn last_escaped(all: &[(u8, usize, usize)]) -> Option<(u8, usize)> {
    let (rest, [(sign, ..), (high, ..), (low, ..)]) = all.split_last_chunk::<3>()?;
    let byte = hex_pair(*high, *low)?;
    match (sign, rest) {
        (b'%', _) => Some((byte, 3)),
        (b'0', [.., (b'\\', ..), (b'u', ..), (b'0', ..)]) => Some((byte, 6)),
        _ => None,
    }
}

fn in_reading(text: impl Iterator<Item = (u8, usize, usize)>, hide: &mut impl FnMut(Digit)) {
    let mut chain: Vec<Digit> = Vec::new();
    let (mut marks, mut dots) = (0, 0);
    for (byte, at, length) in text {
        if byte.is_ascii_digit() {
            chain.push(Digit { value: byte - b'0', at, length, apart: marks > 0 && !chain.is_empty() });
            marks = 0;
        } else if is_mark(byte) && marks < MOST_MARKS {
            marks += 1;
            dots += usize::from(byte == b'.');
        } else {
            judge(&chain, dots, hide);
            chain.clear();
            (marks, dots) = (0, 0);
        }
    }
    judge(&chain, dots, hide);
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

    proptest! {
        /// The quick look never passes over what the whole look finds.
        #[test]
        fn what_holds_a_number_runs_on(text in "[0-9 .x%-]{0,60}") {
            let mut found = false;
            let reading = (0..).zip(text.as_bytes()).map(|(at, byte)| (*byte, at, 1));
            in_reading(reading, &mut |_| found = true);
            prop_assert!(!found || runs_on(text.as_bytes()));
        }
    }

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
            ("{\"card\":\"4539578763621486\"}", "{\"card\":\"453957xxxxxx1486\"}"),
            ("<c>4539578763621486</c>", "<c>453957xxxxxx1486</c>"),
            ("4539578763621486.example", "453957xxxxxx1486.example"),
            (r"45395787636214\u00386", r"453957xxxxxx14\u00386"),
            ("4539%252D5787%252D6362%252D1486", "4539%252D57xx%252Dxxxx%252D1486"),
            ("%2534%2535%2533%2539578763621486", "%2534%2535%2533%253957xxxxxx1486"),
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
                vec!["", "", "", "-", " ", ".", "_", "+", "%20", " - ", "–", "%2D", "%252D"]), 16..=16),
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
            let left = plain[begin..].replace("%20", "").replace("%2D", "").replace("%252D", "");
            let clear = left.bytes().filter(u8::is_ascii_digit).count();
            prop_assert!(clear <= HEAD + TAIL, "{told}");
        }
    }
}
