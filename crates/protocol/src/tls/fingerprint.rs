//! JA3 and JA3S (MD5 of what the hellos list), and JA4 of the client.

use super::hello::{ALPN, SERVER_NAME};
use super::{ClientHello, ServerHello};
use md5::{Digest, Md5};
use sha2::Sha256;
use std::fmt::Write;

/// How a client's hello travelled, JA4's first letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Over TCP.
    Tcp,
    /// In a QUIC packet.
    Quic,
}

/// JA3: MD5 of version, suites, extensions, groups and point formats, without GREASE.
pub fn ja3(hello: &ClientHello) -> String {
    let text = ja3_text(hello);
    hex(&Md5::digest(text.as_bytes()))
}

fn ja3_text(hello: &ClientHello) -> String {
    let formats: Vec<u16> = hello.point_formats.iter().copied().map(u16::from).collect();
    [
        hello.version.to_string(),
        dashed(&hello.suites),
        dashed(&hello.extensions),
        dashed(&hello.groups),
        dashed(&formats),
    ]
    .join(",")
}

/// JA3S: MD5 of version, suite and extensions.
pub fn ja3s(hello: &ServerHello) -> String {
    let text = format!("{},{},{}", hello.legacy_version, hello.suite, dashed(&hello.extensions));
    hex(&Md5::digest(text.as_bytes()))
}

/// JA4, such as `t13d1516h2_8daaf6152771_e5627efa2ab1`.
pub fn ja4(hello: &ClientHello, transport: Transport) -> String {
    let (suites, extensions) = (without_grease(&hello.suites), without_grease(&hello.extensions));
    let letter = if transport == Transport::Quic { 'q' } else { 't' };
    let named = if hello.extensions.contains(&SERVER_NAME) { 'd' } else { 'i' };
    let (first, last) = alpn_letters(hello.alpn.first().map_or(&[], Vec::as_slice));
    format!(
        "{letter}{}{named}{:02}{:02}{first}{last}_{}_{}",
        version(hello),
        suites.len().min(99),
        extensions.len().min(99),
        suites_hash(suites),
        extensions_hash(extensions, &hello.signatures),
    )
}

fn version(hello: &ClientHello) -> &'static str {
    let listed = hello.versions.iter().copied().filter(|version| !is_grease(*version)).max();
    match listed.unwrap_or(hello.version) {
        0x0304 => "13",
        0x0303 => "12",
        0x0302 => "11",
        0x0301 => "10",
        0x0300 => "s3",
        0x0002 => "s2",
        _ => "00",
    }
}

/// First and last character of a protocol's name; of its hexadecimal form where one of them is no letter or digit.
fn alpn_letters(name: &[u8]) -> (char, char) {
    let (Some(first), Some(last)) = (name.first(), name.last()) else { return ('0', '0') };
    if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() {
        return (char::from(*first), char::from(*last));
    }
    let digit = |nibble: u8| char::from_digit(nibble.into(), 16).unwrap_or('0');
    (digit(first >> 4), digit(last & 15))
}

fn suites_hash(mut suites: Vec<u16>) -> String {
    suites.sort_unstable();
    if suites.is_empty() { "0".repeat(12) } else { short_hash(&commas(&suites)) }
}

fn extensions_hash(mut extensions: Vec<u16>, signatures: &[u16]) -> String {
    if extensions.is_empty() {
        return "0".repeat(12);
    }
    extensions.retain(|kind| !matches!(*kind, SERVER_NAME | ALPN));
    extensions.sort_unstable();
    let signatures = without_grease(signatures);
    let (extensions, signatures) = (commas(&extensions), commas(&signatures));
    if signatures.is_empty() {
        short_hash(&extensions)
    } else {
        short_hash(&format!("{extensions}_{signatures}"))
    }
}

fn short_hash(text: &str) -> String {
    let mut hash = hex(&Sha256::digest(text.as_bytes()));
    hash.truncate(12);
    hash
}

fn dashed(numbers: &[u16]) -> String {
    let texts: Vec<String> = without_grease(numbers).iter().map(u16::to_string).collect();
    texts.join("-")
}

fn commas(numbers: &[u16]) -> String {
    let texts: Vec<String> = numbers.iter().map(|number| format!("{number:04x}")).collect();
    texts.join(",")
}

fn without_grease(numbers: &[u16]) -> Vec<u16> {
    numbers.iter().copied().filter(|number| !is_grease(*number)).collect()
}

/// Values that say nothing but that unknown ones must be ignored (RFC 8701).
fn is_grease(number: u16) -> bool {
    number & 0x0f0f == 0x0a0a && number >> 8 == number & 0xff
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello(version: u16, suites: &[u16], extensions: &[u16], groups: &[u16]) -> ClientHello {
        ClientHello {
            version,
            suites: suites.to_vec(),
            extensions: extensions.to_vec(),
            groups: groups.to_vec(),
            ..ClientHello::default()
        }
    }

    #[test]
    fn ja3_gives_the_hashes_of_its_description() {
        let suites = [47, 53, 5, 10, 49161, 49162, 49171, 49172, 50, 56, 19, 4];
        let mut one = hello(769, &suites, &[0, 10, 11], &[23, 24, 25]);
        one.point_formats = vec![0];
        assert_eq!(ja3(&one), "ada70206e40642a3e4461f35503241d5");
        let two = hello(769, &[4, 5, 10, 9, 100, 98, 3, 6, 19, 18, 99], &[], &[]);
        assert_eq!(ja3_text(&two), "769,4-5-10-9-100-98-3-6-19-18-99,,,");
        assert_eq!(ja3(&two), "de350869b8c85de67a350c8d186f11e6");
    }

    /// The description's text; the hash printed there is of that text with a line end.
    #[test]
    fn ja3s_gives_the_hash_of_its_text() {
        let hello = ServerHello {
            legacy_version: 769,
            suite: 47,
            extensions: vec![65281, 0, 11, 35, 5, 16],
            ..ServerHello::default()
        };
        assert_eq!(ja3s(&hello), "836ce314215654b5b1f85f97c73e506f");
    }

    /// The worked example of JA4's technical details.
    fn browser() -> ClientHello {
        let suites = [
            0x2a2a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014,
            0x009c, 0x009d, 0x002f, 0x0035,
        ];
        let extensions = [
            0x4a4a, 0x001b, 0x0000, 0x0033, 0x0010, 0x4469, 0x0017, 0x002d, 0x000d, 0x0005, 0x0023, 0x0012,
            0x002b, 0xff01, 0x000b, 0x000a, 0x0015, 0x2a2a,
        ];
        ClientHello {
            signatures: vec![0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601],
            versions: vec![0xdada, 0x0304, 0x0303],
            alpn: vec![b"h2".to_vec(), b"http/1.1".to_vec()],
            ..hello(0x0303, &suites, &extensions, &[])
        }
    }

    #[test]
    fn ja4_gives_the_fingerprint_of_its_description() {
        assert_eq!(ja4(&browser(), Transport::Tcp), "t13d1516h2_8daaf6152771_e5627efa2ab1");
        assert!(ja4(&browser(), Transport::Quic).starts_with("q13d1516h2_"));
    }

    #[test]
    fn ja4_of_a_hello_that_says_little() {
        let bare = hello(0x0301, &[], &[], &[]);
        assert_eq!(ja4(&bare, Transport::Tcp), "t10i000000_000000000000_000000000000");
        let odd = ClientHello { alpn: vec![vec![0xab, 0x01, 0xcd]], ..bare };
        assert_eq!(&ja4(&odd, Transport::Tcp)[8..10], "ad");
    }
}
