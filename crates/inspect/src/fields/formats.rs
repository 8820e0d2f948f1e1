//! What texts look like, as OpenAPI's format registry names it.

use crate::made::Made;
use std::net::{Ipv4Addr, Ipv6Addr};

/// A format of texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// RFC 9562.
    Uuid,
    /// RFC 3339, `full-date`.
    Date,
    /// RFC 3339, `date-time`: with a zone.
    DateTime,
    /// A mailbox.
    Email,
    /// With a scheme and an authority.
    Uri,
    /// Dotted decimal.
    Ipv4,
    /// RFC 4291.
    Ipv6,
    /// A host name with several labels.
    Hostname,
    /// Base64 (RFC 4648), with its padding.
    Byte,
    /// A decimal integer without leading zeros, as text.
    Integer,
    /// A decimal number, as text.
    Number,
    /// `true` or `false`, as text.
    Boolean,
}

impl Format {
    /// The most telling first.
    const ALL: [Self; 12] = [
        Self::Uuid,
        Self::Date,
        Self::DateTime,
        Self::Email,
        Self::Uri,
        Self::Ipv4,
        Self::Ipv6,
        Self::Byte,
        Self::Hostname,
        Self::Integer,
        Self::Number,
        Self::Boolean,
    ];

    /// As OpenAPI spells it; of the last three, the type.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Uuid => "uuid",
            Self::Date => "date",
            Self::DateTime => "date-time",
            Self::Email => "email",
            Self::Uri => "uri",
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
            Self::Hostname => "hostname",
            Self::Byte => "byte",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Boolean => "boolean",
        }
    }

    const fn bit(self) -> u16 {
        1 << self as u16
    }
}

/// A set of formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Formats(u16);

/// Text that may be base64, but has no padding to prove it: beside texts that have, it is.
const UNPADDED: u16 = 1 << 15;
/// A mailbox, of a domain of one label too (RFC 5321, 4.1.2).
const ANY_MAILBOX: u16 = 1 << 14;
/// A scheme and something behind it (RFC 3986, 3), such as `urn:isbn:0451450523`.
const ANY_URI: u16 = 1 << 13;

impl Formats {
    /// No format.
    pub const NONE: Self = Self(0);
    /// Every format: of a field without texts.
    pub const ALL: Self = Self(u16::MAX);

    /// Whether none is left.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether a format is among them.
    pub const fn has(self, format: Format) -> bool {
        self.0 & format.bit() != 0
    }

    /// Whether all texts may be of a format: some are too rare to be told by it, and are of it all the same.
    pub const fn may_be(self, format: Format) -> bool {
        let rare = match format {
            Format::Email => ANY_MAILBOX,
            Format::Uri => ANY_URI,
            _ => 0,
        };
        self.0 & (format.bit() | rare) != 0
    }

    /// Those that both have; [`Formats::ALL`] leaves the other as it is. Base64 with and without padding is base64.
    pub const fn and(self, other: Self) -> Self {
        if self.0 == u16::MAX {
            return other;
        }
        if other.0 == u16::MAX {
            return self;
        }
        let byte = Format::Byte.bit();
        let both_may = self.0 & (byte | UNPADDED) != 0 && other.0 & (byte | UNPADDED) != 0;
        let padded = if both_may { (self.0 | other.0) & byte } else { 0 };
        Self(self.0 & other.0 | padded)
    }

    /// The most telling one; of [`Formats::ALL`] none.
    pub fn best(self) -> Option<Format> {
        if self.0 == u16::MAX {
            return None;
        }
        Format::ALL.into_iter().find(|format| self.has(*format))
    }

    /// The formats of a text of `len` bytes, of which at least the first 256 are here.
    pub fn of(text: &[u8], len: usize) -> Self {
        Self::of_made(text, len, Made::of(text))
    }

    /// The same of a text of which is known what it is made of.
    pub(super) fn of_made(text: &[u8], len: usize, made: Made) -> Self {
        Self(formats(text, len, made))
    }
}

/// Nothing shorter than this many bytes tells more by its rest than by its beginning.
const TELLING: usize = 64;

fn formats(text: &[u8], len: usize, made: Made) -> u16 {
    let made = text.get(..TELLING).filter(|_| text.len() > TELLING).map_or(made, Made::of);
    if made.has(Made::ELSE) || text.is_empty() {
        return 0;
    }
    let only = |allowed: u32| made.only(allowed);
    const DIGIT: u32 = Made::DIGIT;
    const HEXADECIMAL: u32 = Made::DIGIT | Made::HEX;
    const LETTER: u32 = HEXADECIMAL | Made::LETTER;
    match () {
        () if only(DIGIT | Made::DASH | Made::DOT) => numeric(text, len),
        () if made.has(Made::AT) && len <= 254 && !made.has(Made::COLON | Made::SLASH) => {
            if crate::segment::email(text) {
                Format::Email.bit() | ANY_MAILBOX
            } else {
                any_mailbox(text)
            }
        }
        () if made.has(Made::COLON) => with_colon(text, len, only(HEXADECIMAL | Made::COLON | Made::DOT)),
        () if len == 36 && only(HEXADECIMAL | Made::DASH) && crate::segment::uuid(text) => Format::Uuid.bit(),
        () if matches!(text, b"true" | b"false") => Format::Boolean.bit(),
        () if made.has(Made::DOT) && only(LETTER | Made::DASH | Made::DOT) => hostname(text, len),
        () if only(LETTER | Made::SLASH | Made::PLUS | Made::EQUALS) => base64(text, len),
        () => 0,
    }
}

/// Digits with dashes or dots.
fn numeric(text: &[u8], len: usize) -> u16 {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    if digits.iter().all(u8::is_ascii_digit) {
        let plain = (1..=18).contains(&digits.len()) && (digits.first() != Some(&b'0') || digits.len() == 1);
        let unpadded = if len >= 16 && len.is_multiple_of(4) && digits.len() == len { UNPADDED } else { 0 };
        return unpadded | if plain { Format::Integer.bit() | Format::Number.bit() } else { 0 };
    }
    let dots = digits.iter().filter(|byte| **byte == b'.').count();
    match () {
        () if len == 10 && is_date(text) => Format::Date.bit(),
        () if len == 36 && crate::segment::uuid(text) => Format::Uuid.bit(),
        () if dots == 1 && is_decimal(digits) => Format::Number.bit(),
        () if dots == 3 && is::<Ipv4Addr>(text) => Format::Ipv4.bit(),
        () => 0,
    }
}

fn is_decimal(digits: &[u8]) -> bool {
    let mut parts = digits.split(|byte| *byte == b'.');
    let whole = |part: Option<&[u8]>| {
        part.is_some_and(|part| !part.is_empty() && part.iter().all(u8::is_ascii_digit))
    };
    digits.len() <= 32 && whole(parts.next()) && whole(parts.next())
}

fn is<T: std::str::FromStr>(text: &[u8]) -> bool {
    text.len() <= 64 && std::str::from_utf8(text).is_ok_and(|text| text.parse::<T>().is_ok())
}

fn with_colon(text: &[u8], len: usize, hexadecimal: bool) -> u16 {
    match () {
        () if hexadecimal && len <= 45 && is::<Ipv6Addr>(text) => Format::Ipv6.bit(),
        () if (20..=48).contains(&len) && is_date_time(text) => Format::DateTime.bit(),
        () if is_uri(text) => Format::Uri.bit() | ANY_URI,
        () => any_uri(text) | any_mailbox(text),
    }
}

fn any_mailbox(text: &[u8]) -> u16 {
    let at = text.iter().rposition(|byte| *byte == b'@').filter(|at| *at > 0);
    let domain = at.and_then(|at| text.get(at + 1..)).unwrap_or_default();
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b':' | b'[' | b']');
    if !domain.is_empty() && domain.iter().all(plain) { ANY_MAILBOX } else { 0 }
}

fn any_uri(text: &[u8]) -> u16 {
    let mut parts = text.splitn(2, |byte| *byte == b':');
    let (scheme, rest) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let of_scheme = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
    let holds = scheme.first().is_some_and(u8::is_ascii_alphabetic)
        && scheme.iter().all(of_scheme)
        && !rest.is_empty()
        && rest.iter().all(u8::is_ascii_graphic);
    if holds { ANY_URI } else { 0 }
}

/// `scheme://` and something behind it (RFC 3986, 3).
fn is_uri(text: &[u8]) -> bool {
    let scheme = text.iter().take_while(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte)).count();
    let rest = text.get(scheme..).unwrap_or_default();
    text.first().is_some_and(u8::is_ascii_alphabetic)
        && rest.starts_with(b"://")
        && rest.len() > 3
        && rest.iter().all(|byte| byte.is_ascii_graphic())
}

fn number(text: &[u8], from: usize, to: usize) -> Option<u32> {
    let digits = text.get(from..to)?;
    digits
        .iter()
        .try_fold(0_u32, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + u32::from(byte - b'0')))
}

/// `full-date`: four digits are a year, 0001 and 9999 stand for never.
fn is_date(text: &[u8]) -> bool {
    let within = |from, to, least: u32, most: u32| {
        number(text, from, to).is_some_and(|number| (least..=most).contains(&number))
    };
    text.get(4) == Some(&b'-')
        && text.get(7) == Some(&b'-')
        && within(0, 4, 1, 9999)
        && within(5, 7, 1, 12)
        && within(8, 10, 1, 31)
}

/// `full-date "T" full-time` (RFC 3339, 5.6).
fn is_date_time(text: &[u8]) -> bool {
    let within = |from, to, most: u32| number(text, from, to).is_some_and(|number| number <= most);
    let clock = is_date(text)
        && matches!(text.get(10), Some(b'T' | b't'))
        && text.get(13) == Some(&b':')
        && text.get(16) == Some(&b':')
        && within(11, 13, 23)
        && within(14, 16, 59)
        && within(17, 19, 60);
    let rest = text.get(19..).unwrap_or_default();
    let rest = match rest.strip_prefix(b".") {
        Some(tail) => {
            tail.get(tail.iter().take_while(|byte| byte.is_ascii_digit()).count()..).unwrap_or_default()
        }
        None => rest,
    };
    let zone = match rest {
        b"Z" | b"z" => true,
        [b'+' | b'-', _, _, b':', _, _] => {
            number(rest, 1, 3).is_some_and(|hours| hours < 24)
                && number(rest, 4, 6).is_some_and(|minutes| minutes < 60)
        }
        _ => false,
    };
    clock && zone
}

/// Last labels by which a name of two labels is told from a file's.
const TOP: [&[u8]; 14] = [
    b"com",
    b"org",
    b"net",
    b"edu",
    b"gov",
    b"info",
    b"biz",
    b"cloud",
    b"local",
    b"internal",
    b"example",
    b"test",
    b"invalid",
    b"dev",
];

/// Labels of letters, digits and dashes (RFC 1123, 2.1).
fn hostname(text: &[u8], len: usize) -> u16 {
    let is_label = |label: &[u8]| {
        (1..=63).contains(&label.len()) && label.first() != Some(&b'-') && label.last() != Some(&b'-')
    };
    let mut labels = 0;
    let whole = text.split(|byte| *byte == b'.').all(|label| {
        labels += 1;
        is_label(label)
    });
    let last = text.rsplit(|byte| *byte == b'.').next().unwrap_or_default();
    let named = last.len() >= 2 && last.iter().all(u8::is_ascii_lowercase);
    let told = labels > 2 || TOP.contains(&last);
    if whole && named && told && len <= 253 { Format::Hostname.bit() } else { 0 }
}

/// Base64 in whole groups of four.
fn base64(text: &[u8], len: usize) -> u16 {
    let body = text.strip_suffix(b"==").or_else(|| text.strip_suffix(b"=")).unwrap_or(text);
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    if len < 16 || !len.is_multiple_of(4) || !body.iter().all(plain) {
        return 0;
    }
    if body.len() < text.len() { Format::Byte.bit() } else { UNPADDED }
}
