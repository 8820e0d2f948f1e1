//! What text looks like: which shapes may leave in clear and which may hide a secret or a person.

use super::card;

/// Longest run of letters and digits mixed that is taken for an identifier people chose, not for a secret.
const LONGEST_MIXED: usize = 15;
/// Changes between letters and digits in a name that people chose, `prodeastus2storage01`.
const MOST_CHANGES: usize = 4;
/// Longest such runs may be together.
const LONGEST_GROUPS: usize = 20;
/// Longest run of letters that is taken for words, `batchGetEffectiveIamPolicies`.
const LONGEST_WORDS: usize = 40;
/// Longest run of digits that is taken for a number.
const LONGEST_NUMBER: usize = 18;
/// Longest text that is judged at all; a longer one is taken for a secret.
const LONGEST: usize = 256;

/// Whether the (percent-decoded) text may leave: short words and numbers, no e-mail address, card number, phone number
/// or run that could be a key.
pub(super) fn is_open(text: &[u8]) -> bool {
    is_short_word(text) || is_open_at_length(text)
}

/// Most text is this: too short for a card number or a key, and nothing but letters and digits.
pub(super) fn is_short_word(text: &[u8]) -> bool {
    text.len() <= 12 && text.iter().all(u8::is_ascii_alphanumeric)
}

fn is_open_at_length(text: &[u8]) -> bool {
    text.len() <= LONGEST
        && !text.contains(&b'@')
        && !is_phone(text)
        && !is_card(text)
        && !card::is_in(text)
        && !is_social_security(text)
        && (is_uuid(text) || (runs(text).all(is_open_run) && !is_in_groups(text)))
}

/// Whether a label of a host may be a key: a long run that changes between letters and digits as no name does. Case tells
/// nothing, since names of hosts have none.
pub(super) fn is_key_in_host(host: &[u8]) -> bool {
    let changes = |run: &[u8]| {
        let two = run.windows(2);
        two.filter(|two| matches!(two, [a, b] if a.is_ascii_digit() != b.is_ascii_digit())).count()
    };
    long_runs(host).any(|run| changes(run) > MOST_CHANGES)
}

/// Whether a run of a host begins as the header of a JWT or a key of AWS does, which may have few digits: what follows it is no
/// name either.
pub(super) fn begins_as_key(host: &[u8]) -> bool {
    long_runs(host).any(|run| {
        let begins = |text: &[u8]| run.get(..text.len()).is_some_and(|head| head.eq_ignore_ascii_case(text));
        (begins(b"eyJ") && run.iter().any(u8::is_ascii_digit))
            || (run.len() == 20 && (begins(b"AKIA") || begins(b"ASIA")))
    })
}

/// Runs that are longer than words, and no number in hexadecimal.
fn long_runs(host: &[u8]) -> impl Iterator<Item = &[u8]> {
    runs(host).filter(|run| run.len() > LONGEST_MIXED && !run.iter().all(u8::is_ascii_hexdigit))
}

/// Runs of letters and digits. Bytes beyond ASCII count as letters: percent-decoded words of other languages.
pub(super) fn runs(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|b| !is_word_byte(*b)).filter(|run| !run.is_empty())
}

/// Whether the byte is part of a run.
pub(super) const fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80
}

/// Whether a run of letters and digits is too short or too regular to be a secret.
pub(super) fn is_open_run(run: &[u8]) -> bool {
    let digits = run.iter().filter(|b| b.is_ascii_digit()).count();
    match digits {
        0 => run.len() <= LONGEST_MIXED || (run.len() <= LONGEST_WORDS && reads_as_words(run)),
        n if n == run.len() => run.len() <= LONGEST_NUMBER,
        _ => run.len() <= LONGEST_MIXED,
    }
}

/// Whether runs that each mix letters and digits are many: licence keys come in groups, `AB12-CD34-EF56-GH78-IJ90-KL12`.
fn is_in_groups(text: &[u8]) -> bool {
    let mixed = |run: &&[u8]| run.iter().any(u8::is_ascii_digit) && !run.iter().all(u8::is_ascii_digit);
    runs(text).filter(mixed).map(<[u8]>::len).sum::<usize>() > LONGEST_GROUPS
}

/// Words begin with a capital at most every fifth letter; base64 does so every fourth.
fn reads_as_words(run: &[u8]) -> bool {
    let humps = run
        .windows(2)
        .filter(|w| matches!(w, [a, b] if a.is_ascii_lowercase() && b.is_ascii_uppercase()))
        .count();
    humps * 5 <= run.len()
}

/// Whether a query value may leave: a whole number, a truth value, a date or time, a UUID, or one short word.
pub(super) fn is_open_value(value: &[u8]) -> bool {
    let unsigned = value.strip_prefix(b"-").unwrap_or(value);
    value.is_empty()
        || (unsigned.len() <= LONGEST_NUMBER && all(unsigned, u8::is_ascii_digit) && !is_card(value))
        || (value.len() <= 24 && all(value, |b| b.is_ascii_alphabetic() || matches!(b, b'_' | b'-')))
        || is_uuid(value)
        || is_date(value)
}

fn all(text: &[u8], test: impl Fn(&u8) -> bool) -> bool {
    !text.is_empty() && text.iter().all(test)
}

/// `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx` in hexadecimal.
fn is_uuid(text: &[u8]) -> bool {
    text.len() == 36
        && text.iter().enumerate().all(|(at, b)| match at {
            8 | 13 | 18 | 23 => *b == b'-',
            _ => b.is_ascii_hexdigit(),
        })
}

/// `2026-01-01`, alone or with a time of day behind it.
fn is_date(text: &[u8]) -> bool {
    let Some((date, rest)) = text.split_at_checked(10) else { return false };
    let dashes = date
        .iter()
        .enumerate()
        .all(|(at, b)| if matches!(at, 4 | 7) { *b == b'-' } else { b.is_ascii_digit() });
    let clock = |b: &u8| b.is_ascii_digit() || matches!(b, b':' | b'.' | b'+' | b'-' | b'Z' | b'T' | b' ');
    dashes && rest.len() <= 25 && rest.iter().all(clock) && !rest.first().is_some_and(u8::is_ascii_digit)
}

/// 13 to 19 digits, perhaps in groups, that begin as cards of the large networks do and whose check digit is right.
fn is_card(text: &[u8]) -> bool {
    let grouped = all(text, |b| b.is_ascii_digit() || matches!(b, b'-' | b' ' | b'.' | b'_'));
    let digits = || text.iter().rev().filter(|b| b.is_ascii_digit()).map(|b| u32::from(b - b'0'));
    let first = text.iter().find(|b| b.is_ascii_digit());
    let luhn = |sum, (at, digit): (usize, u32)| {
        sum + match (at % 2, digit) {
            (1, 5..) => digit * 2 - 9,
            (1, _) => digit * 2,
            _ => digit,
        }
    };
    grouped
        && (13..=19).contains(&digits().count())
        && matches!(first, Some(b'2'..=b'6'))
        && digits().enumerate().fold(0, luhn) % 10 == 0
}

/// `+` and at least seven digits.
fn is_phone(text: &[u8]) -> bool {
    let Some(rest) = text.strip_prefix(b"+") else { return false };
    rest.iter().filter(|b| b.is_ascii_digit()).count() >= 7
        && all(rest, |b| b.is_ascii_digit() || b" -().".contains(b))
}

/// `ddd-dd-dddd`.
fn is_social_security(text: &[u8]) -> bool {
    text.len() == 11
        && text
            .iter()
            .enumerate()
            .all(|(at, b)| if matches!(at, 3 | 6) { *b == b'-' } else { b.is_ascii_digit() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_of_apis_are_open() {
        for text in [
            "orders",
            "17",
            "v1",
            "2026-01-31",
            "batchGetEffectiveIamPolicies",
            "how-to-write-a-very-long-article-about-taps",
            "123e4567-e89b-12d3-a456-426614174000",
            "index.html",
            "1767268800123",
            "..",
            "O'Brien",
            "straße",
            "SKU-1234-AB",
        ] {
            assert!(is_open(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn what_could_be_a_key_or_a_person_is_not() {
        for text in [
            "alice@example.com",
            "4111111111111111",
            "4111-1111-1111-1111",
            "4111-1111-1111-1111x",
            "+49 30 1234567",
            "123-45-6789",
            "eyJhbGciOiJIUzI1NiJ9",
            "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
            "AKIAIOSFODNN7EXAMPLE",
            "d41d8cd98f00b204e9800998ecf8427e",
            "qWeRtYuIoPaSdFgHjKlZxCvBnM",
            "1234567890123456789",
            "AB12-CD34-EF56-GH78-IJ90-KL12",
        ] {
            assert!(!is_open(text.as_bytes()), "{text}");
        }
        assert!(is_open(b"4111111111111112"), "one digit off is no card");
    }

    #[test]
    fn query_values_are_judged_more_strictly() {
        for value in [
            "",
            "1",
            "-42",
            "true",
            "created_at",
            "2026-01-01",
            "2026-01-01T12:00:00Z",
            "123e4567-e89b-12d3-a456-426614174000",
        ] {
            assert!(is_open_value(value.as_bytes()), "{value}");
        }
        for value in [
            "two words",
            "a1b2c3",
            "x@y.z",
            "4111111111111111",
            "1.5",
            "1234567890123456789",
            "AB12-CD34-EF56-GH78-IJ90-KL12",
            "2026-01-01secret",
        ] {
            assert!(!is_open_value(value.as_bytes()), "{value}");
        }
    }
}
