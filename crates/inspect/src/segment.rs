//! What a path segment looks like, from its decoded text and its position.

use crate::SegmentKind;

/// No API names a resource in more bytes: longer segments are data (titles, tokens, encoded objects).
const LONGEST_WORD: usize = 64;

/// Types one segment. `index` counts segments from 0: versions stand in front.
pub(crate) fn classify(text: &[u8], index: usize) -> SegmentKind {
    if text.iter().all(u8::is_ascii_lowercase) && text.len() <= LONGEST_WORD {
        return if long_hex(text) { SegmentKind::Identifier } else { SegmentKind::Word };
    }
    if text.iter().all(u8::is_ascii_digit) {
        return if text.len() <= 20 { SegmentKind::Integer } else { SegmentKind::Identifier };
    }
    match () {
        () if version(text, index) => SegmentKind::Version,
        () if uuid(text) => SegmentKind::Uuid,
        () if date(text) => SegmentKind::Date,
        () if email(text) => SegmentKind::Email,
        () if text.len() > LONGEST_WORD || identifier(text) => SegmentKind::Identifier,
        () => SegmentKind::Word,
    }
}

/// `v1`, `v2.1`, `1.0` in one of the first three places; a date in the very first (AWS style, `/2015-03-31/functions`).
fn version(text: &[u8], index: usize) -> bool {
    if index == 0 && date(text) {
        return true;
    }
    let (numbers, least) = match text.split_first() {
        Some((b'v' | b'V', numbers)) => (numbers, 1),
        _ => (text, 2),
    };
    let mut parts = 0;
    let numeric = numbers.split(|byte| *byte == b'.').all(|part| {
        parts += 1;
        (1..=3).contains(&part.len()) && part.iter().all(u8::is_ascii_digit)
    });
    index < 3 && numeric && (least..=3).contains(&parts)
}

/// RFC 9562: 8-4-4-4-12 hexadecimal digits, any version.
pub(crate) fn uuid(text: &[u8]) -> bool {
    text.len() == 36
        && text.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// `2024-05-31`, with or without a time of day behind it, or a month, `2024-05`.
fn date(text: &[u8]) -> bool {
    let number = |range: std::ops::Range<usize>| {
        let digits = text.get(range)?;
        digits
            .iter()
            .try_fold(0_u32, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + u32::from(byte - b'0')))
    };
    let dash = |at: usize| text.get(at) == Some(&b'-');
    let month = number(0..4).is_some_and(|year| (1900..2200).contains(&year))
        && dash(4)
        && number(5..7).is_some_and(|month| (1..=12).contains(&month));
    let day = || dash(7) && number(8..10).is_some_and(|day| (1..=31).contains(&day));
    month && (text.len() == 7 || day() && matches!(text.get(10), None | Some(b'T' | b't' | b' ')))
}

/// One `@` with something before it and a dotted name behind it.
pub(crate) fn email(text: &[u8]) -> bool {
    let mut parts = text.split(|byte| *byte == b'@');
    let (Some(local), Some(domain), None) = (parts.next(), parts.next(), parts.next()) else { return false };
    let labels = domain.split(|byte| *byte == b'.');
    !local.is_empty()
        && domain.contains(&b'.')
        && labels.into_iter().all(|label| !label.is_empty())
        && domain.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'))
}

/// Long hexadecimal, or letters and digits mixed as no word mixes them: object ids, ULIDs, Stripe-like ids, order numbers.
fn identifier(text: &[u8]) -> bool {
    if !text.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'=' | b'~')) {
        return false;
    }
    let mix = Mix::of(text);
    long_hex(text) && mix.digits > 0
        || text.len() >= 8 && mix.hex_only && mix.digits >= 2 && mix.switches >= 2
        || text.len() >= 10 && mix.digits >= 2 && mix.letters >= 2 && mix.switches >= 3
        || text.len() >= 20 && mix.digits >= 2 && mix.upper > 0 && mix.lower > 0 && mix.separators <= 2
        || order_number(text)
        || prefixed(text)
}

/// `cus_x7k2…`, `play_dUBGnIqdqaSU7t`: a short prefix, and behind it twelve and more letters and digits with a digit before
/// a letter, or capitals behind small letters: no name is written so.
fn prefixed(text: &[u8]) -> bool {
    let Some(at) = text.iter().rposition(|byte| matches!(byte, b'_' | b'-')) else { return false };
    let tail = text.get(at + 1..).unwrap_or_default();
    let mix = Mix::of(tail);
    let digit_first =
        tail.windows(2).any(|two| matches!(two, [a, b] if a.is_ascii_digit() && b.is_ascii_alphabetic()));
    (1..=8).contains(&at) && tail.len() >= 12 && mix.separators == 0 && mix.digits > 0 && digit_first
}

/// 16 and more hexadecimal digits: no English word is that long and has only these letters.
fn long_hex(text: &[u8]) -> bool {
    text.len() >= 16 && text.iter().all(u8::is_ascii_hexdigit)
}

/// `ORD-12345`, `INV_2024_0001`, `A123456`: a few capitals and at least four digits.
fn order_number(text: &[u8]) -> bool {
    let capitals = text.iter().take_while(|byte| byte.is_ascii_uppercase()).count();
    let rest = text.get(capitals..).unwrap_or_default();
    let digits = rest.iter().filter(|byte| byte.is_ascii_digit()).count();
    (1..=5).contains(&capitals)
        && digits >= 4
        && rest.iter().all(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'_'))
}

/// How the characters of a text are mixed.
#[derive(Default)]
struct Mix {
    digits: usize,
    letters: usize,
    upper: usize,
    lower: usize,
    separators: usize,
    /// Changes between letter and digit, separators aside.
    switches: usize,
    hex_only: bool,
}

impl Mix {
    fn of(text: &[u8]) -> Self {
        let mut mix = Self { hex_only: text.iter().all(u8::is_ascii_hexdigit), ..Self::default() };
        let mut digit_before = None;
        for byte in text {
            let digit = byte.is_ascii_digit();
            mix.digits += usize::from(digit);
            mix.upper += usize::from(byte.is_ascii_uppercase());
            mix.lower += usize::from(byte.is_ascii_lowercase());
            if !byte.is_ascii_alphanumeric() {
                mix.separators += 1;
                continue;
            }
            mix.switches += usize::from(digit_before.is_some_and(|before| before != digit));
            digit_before = Some(digit);
        }
        mix.letters = mix.upper + mix.lower;
        mix
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use SegmentKind::{Date, Email, Identifier, Integer, Uuid, Version, Word};

    #[track_caller]
    fn all(kind: SegmentKind, index: usize, texts: &[&str]) {
        for text in texts {
            assert_eq!(classify(text.as_bytes(), index), kind, "{text}");
        }
    }

    #[test]
    fn words_stay_words() {
        all(
            Word,
            1,
            &["orders", "me", "oauth2", "s3", "ipv4-addresses", "step2", "web3js", "OAuth2Callback"],
        );
        all(
            Word,
            1,
            &["SHA256", "utf-8", "index.html", "app.3f2a.js", "line-items", "a", "%", "added", "facade"],
        );
        all(Word, 1, &["getUserById", "accountHolders_v2", "b2b-customers", "covid19", "wp-login.php"]);
    }

    #[test]
    fn versions_only_in_front() {
        all(Version, 0, &["v1", "V2", "v1.1", "1.0", "2.0.1", "v12", "2015-03-31"]);
        all(Version, 2, &["v1", "1.0"]);
        all(Word, 3, &["v1", "1.0"]);
        all(Word, 0, &["v", "v1beta", "version1", "1.", "v1234"]);
    }

    #[test]
    fn numbers_and_uuids() {
        all(Integer, 1, &["0", "42", "18446744073709551615", "20240531"]);
        all(Identifier, 1, &["123456789012345678901"]);
        all(Uuid, 1, &["6ba7b810-9dad-11d1-80b4-00c04fd430c8", "6BA7B810-9DAD-11D1-80B4-00C04FD430C8"]);
        all(Identifier, 1, &["6ba7b810-9dad-11d1-80b4-00c04fd430zz"]);
    }

    #[test]
    fn dates_and_mail_addresses() {
        all(Date, 1, &["2024-05-31", "2024-05", "2024-05-31T10:00:00Z", "1999-12-01"]);
        all(Word, 1, &["2024-13-01", "2024-5-1", "0024-05-31"]);
        all(Email, 1, &["a@b.example", "first.last+tag@mail.example.org"]);
        all(Word, 1, &["@b.example", "a@b", "a@@b.example", "a@b..example"]);
    }

    #[test]
    fn identifiers_of_known_systems() {
        // Object id, ULID, KSUID, payment provider's, phone provider's, short commit, nanoid, order number.
        all(
            Identifier,
            1,
            &[
                "507f1f77bcf86cd799439011",
                "01ARZ3NDEKTSV4RRFFQ69G5FAV",
                "0ujtsYcgvSTl8PAuAdqWYSMnLOv1",
                "cus_NffrFeUfNV2Hib9x",
                "AC3094732a3c49700934481addd5ce1659",
                "a1b2c3d4",
                "V1StGXR8_Z5jdHi6B-myT",
                "ORD-12345",
                "A123456",
                "deadbeefdeadbeef",
            ],
        );
        all(Identifier, 1, &["x".repeat(65).as_str()]);
    }
}
