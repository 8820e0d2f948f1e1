//! What a certificate says, read without judging it (RFC 5280, 4.1).

use super::fingerprint::hex;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use sha2::{Digest, Sha256};

/// The leaf certificate of a server or client. Names hold printable ASCII only, so that they can be shown.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Certificate {
    /// Common name of its subject.
    pub subject: Option<String>,
    /// Its whole subject as RFC 4514 writes it, the last part first: `CN=shop,O=Example`. Other text than UTF-8, and attributes
    /// without a short name, are left out.
    pub subject_name: Option<String>,
    /// Common name of its issuer, or the organisation where it has none.
    pub issuer: Option<String>,
    /// DNS names that it is for, at most 32.
    pub names: Vec<String>,
    /// Seconds since 1970 from which it is valid.
    pub not_before: Option<i64>,
    /// Seconds since 1970 until which it is valid.
    pub not_after: Option<i64>,
    /// SHA-256 of the certificate, in hexadecimal.
    pub sha256: String,
}

const MAX_NAMES: usize = 32;
const MAX_NAME: usize = 253;

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OID: u8 = 0x06;
const BOOLEAN: u8 = 0x01;
const OCTETS: u8 = 0x04;
const UTC_TIME: u8 = 0x17;
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;
const DNS_NAME: u8 = 0x82;

/// 2.5.4.3 and 2.5.4.10.
const COMMON_NAME: &[u8] = &[0x55, 4, 3];
const ORGANISATION: &[u8] = &[0x55, 4, 10];
/// 2.5.29.17.
const ALTERNATIVE_NAMES: &[u8] = &[0x55, 29, 17];

impl Certificate {
    /// Reads as much of a certificate in DER as can be read.
    pub fn read(der: &[u8]) -> Self {
        let sha256 = hex(&Sha256::digest(der));
        let mut certificate = Self { sha256, ..Self::default() };
        // What was read before something odd stays.
        let _ = certificate.fill(der);
        certificate
    }

    fn fill(&mut self, mut der: &[u8]) -> Option<()> {
        let mut whole = value(&mut der, SEQUENCE)?;
        let mut rest = value(&mut whole, SEQUENCE)?;
        if rest.first() == Some(&VERSION) {
            tlv(&mut rest)?;
        }
        // Serial number, signature algorithm.
        tlv(&mut rest)?;
        tlv(&mut rest)?;
        let issuer = value(&mut rest, SEQUENCE)?;
        self.issuer = attribute(issuer, COMMON_NAME).or_else(|| attribute(issuer, ORGANISATION));
        let mut validity = value(&mut rest, SEQUENCE)?;
        self.not_before = tlv(&mut validity).and_then(time);
        self.not_after = tlv(&mut validity).and_then(time);
        let subject = value(&mut rest, SEQUENCE)?;
        self.subject = attribute(subject, COMMON_NAME);
        self.subject_name = distinguished_name(subject);
        // The key.
        tlv(&mut rest)?;
        while let Some((kind, mut content)) = tlv(&mut rest) {
            if kind == EXTENSIONS {
                self.extensions(value(&mut content, SEQUENCE)?);
            }
        }
        Some(())
    }

    fn extensions(&mut self, mut list: &[u8]) {
        while let Some(mut extension) = value(&mut list, SEQUENCE) {
            let kind = value(&mut extension, OID);
            if extension.first() == Some(&BOOLEAN) {
                tlv(&mut extension);
            }
            if kind == Some(ALTERNATIVE_NAMES)
                && let Some(mut names) =
                    value(&mut extension, OCTETS).and_then(|mut o| value(&mut o, SEQUENCE))
            {
                let found = std::iter::from_fn(|| tlv(&mut names));
                let dns = found.filter(|(kind, _)| *kind == DNS_NAME).filter_map(|(_, name)| text(name));
                self.names = dns.take(MAX_NAMES).collect();
            }
        }
    }
}

/// Takes a value with its tag.
fn tlv<'a>(rest: &mut &'a [u8]) -> Option<(u8, &'a [u8])> {
    let [tag, first, after @ ..] = *rest else { return None };
    let (length, after) = match *first {
        short @ 0..=0x7f => (usize::from(short), after),
        long => {
            let (bytes, after) = after.split_at_checked(usize::from(long & 0x7f))?;
            let length = bytes
                .iter()
                .try_fold(0_usize, |sum, byte| sum.checked_mul(256)?.checked_add(usize::from(*byte)));
            (length?, after)
        }
    };
    let (content, behind) = after.split_at_checked(length)?;
    *rest = behind;
    Some((*tag, content))
}

/// Takes a value that must have this tag.
fn value<'a>(rest: &mut &'a [u8], tag: u8) -> Option<&'a [u8]> {
    tlv(rest).filter(|(found, _)| *found == tag).map(|(_, content)| content)
}

/// The value of an attribute of a distinguished name.
fn attribute(mut name: &[u8], kind: &[u8]) -> Option<String> {
    while let Some(mut set) = value(&mut name, SET) {
        while let Some(mut pair) = value(&mut set, SEQUENCE) {
            if value(&mut pair, OID) == Some(kind) {
                return tlv(&mut pair).and_then(|(_, content)| text(content));
            }
        }
    }
    None
}

/// The parts of a distinguished name that have a short one (RFC 4514, 3).
fn distinguished_name(mut name: &[u8]) -> Option<String> {
    let mut parts = Vec::new();
    while let Some(mut set) = value(&mut name, SET) {
        while let Some(mut pair) = value(&mut set, SEQUENCE) {
            let kind = value(&mut pair, OID);
            let short = SHORT_NAMES.iter().find(|(oid, _)| Some(*oid) == kind);
            let content = tlv(&mut pair).and_then(|(_, content)| std::str::from_utf8(content).ok());
            if let (Some((_, short)), Some(content)) = (short, content.filter(|text| text.len() <= MAX_NAME))
            {
                parts.push(format!("{short}={}", escaped(content)));
            }
        }
    }
    parts.reverse();
    (!parts.is_empty() && parts.len() <= MAX_NAMES).then(|| parts.join(","))
}

/// RFC 4514, 2.4.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (at, character) in text.char_indices() {
        let first = at == 0 && matches!(character, ' ' | '#');
        let last = at + 1 == text.len() && character == ' ';
        if first || last || matches!(character, '"' | '+' | ',' | ';' | '<' | '>' | '\\') {
            out.push('\\');
        }
        out.push(character);
    }
    out
}

const SHORT_NAMES: &[(&[u8], &str)] = &[
    (COMMON_NAME, "CN"),
    (ORGANISATION, "O"),
    (&[0x55, 4, 11], "OU"),
    (&[0x55, 4, 6], "C"),
    (&[0x55, 4, 7], "L"),
    (&[0x55, 4, 8], "ST"),
    (&[0x55, 4, 9], "STREET"),
    (&[0x55, 4, 5], "serialNumber"),
    // 0.9.2342.19200300.100.1.25 and 1.
    (&[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 25], "DC"),
    (&[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 1], "UID"),
];

fn text(bytes: &[u8]) -> Option<String> {
    let shown = !bytes.is_empty()
        && bytes.len() <= MAX_NAME
        && bytes.iter().all(|byte| (0x20..0x7f).contains(byte) && !matches!(byte, b'"' | b'\\'));
    shown.then(|| bytes.iter().copied().map(char::from).collect())
}

/// `YYMMDDhhmmssZ` or `YYYYMMDDhhmmssZ` (RFC 5280, 4.1.2.5).
fn time((kind, content): (u8, &[u8])) -> Option<i64> {
    let digits = content.strip_suffix(b"Z")?;
    let numbers: Vec<i64> = digits
        .chunks(2)
        .map(|pair| match pair {
            [tens @ b'0'..=b'9', ones @ b'0'..=b'9'] => {
                Some(i64::from(tens - b'0') * 10 + i64::from(ones - b'0'))
            }
            _ => None,
        })
        .collect::<Option<_>>()?;
    let (year, rest) = match (kind, numbers.as_slice()) {
        (UTC_TIME, [year, rest @ ..]) => (if *year < 50 { 2_000 } else { 1_900 } + year, rest),
        (_, [century, year, rest @ ..]) => (century * 100 + year, rest),
        _ => return None,
    };
    let &[month, day, hour, minute, second] = rest else { return None };
    let year = i16::try_from(year).ok()?;
    let time =
        DateTime::new(year, small(month)?, small(day)?, small(hour)?, small(minute)?, small(second)?, 0);
    Some(TimeZone::UTC.to_timestamp(time.ok()?).ok()?.as_second())
}

fn small(number: i64) -> Option<i8> {
    i8::try_from(number).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tagged(tag: u8, content: &[u8]) -> Vec<u8> {
        let length = u16::try_from(content.len()).unwrap().to_be_bytes();
        [&[tag, 0x82][..], &length, content].concat()
    }

    fn name(kind: &[u8], text: &str) -> Vec<u8> {
        let pair = [tagged(OID, kind), tagged(0x0c, text.as_bytes())].concat();
        tagged(SEQUENCE, &tagged(SET, &tagged(SEQUENCE, &pair)))
    }

    fn certificate() -> Vec<u8> {
        let dns = [
            tagged(DNS_NAME, b"shop.example"),
            tagged(0x87, &[127, 0, 0, 1]),
            tagged(DNS_NAME, b"*.shop.example"),
        ];
        let alternative = [
            tagged(OID, ALTERNATIVE_NAMES),
            tagged(BOOLEAN, &[0xff]),
            tagged(OCTETS, &tagged(SEQUENCE, &dns.concat())),
        ];
        let parts = [
            tagged(VERSION, &[2, 1, 2]),
            tagged(2, &[7]),
            tagged(SEQUENCE, &[]),
            name(ORGANISATION, "Example CA"),
            tagged(
                SEQUENCE,
                &[tagged(UTC_TIME, b"250102030405Z"), tagged(0x18, b"20500101000000Z")].concat(),
            ),
            name(COMMON_NAME, "shop.example"),
            tagged(SEQUENCE, b"key"),
            tagged(EXTENSIONS, &tagged(SEQUENCE, &tagged(SEQUENCE, &alternative.concat()))),
        ];
        tagged(SEQUENCE, &tagged(SEQUENCE, &parts.concat()))
    }

    #[test]
    fn a_certificate_tells_whose_it_is_and_how_long() {
        let read = Certificate::read(&certificate());
        assert_eq!(read.subject.as_deref(), Some("shop.example"));
        assert_eq!(read.subject_name.as_deref(), Some("CN=shop.example"));
        assert_eq!(read.issuer.as_deref(), Some("Example CA"));
        assert_eq!(read.names, ["shop.example", "*.shop.example"]);
        assert_eq!(read.not_before, Some(1_735_787_045));
        assert_eq!(read.not_after, Some(2_524_608_000));
        assert_eq!(read.sha256.len(), 64);
    }

    #[test]
    fn distinguished_names_of_rfc_4514() {
        let name = [name(ORGANISATION, "Ex, Inc. "), name(COMMON_NAME, "#1 José")];
        let sets: Vec<u8> = name.iter().flat_map(|one| one[4..].to_vec()).collect();
        assert_eq!(distinguished_name(&sets).as_deref(), Some("CN=\\#1 José,O=Ex\\, Inc.\\ "));
        assert_eq!(distinguished_name(&[]), None);
    }

    proptest! {
        #[test]
        fn any_bytes_give_an_answer(at in 0_usize..300, byte: u8, bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..80)) {
            Certificate::read(&bytes);
            let mut changed = certificate();
            if let Some(place) = changed.get_mut(at) {
                *place = byte;
            }
            Certificate::read(&changed);
        }
    }
}
