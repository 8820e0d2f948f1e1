//! AWS Signature Version 4, as "Authenticating Requests: Using the Authorization Header" of Amazon's S3 reference has it.

use crate::place::Access;
use jiff::Timestamp;
use ring::{digest, hmac};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Read};

/// A request before it is signed.
pub(crate) struct Unsigned<'a> {
    pub(crate) method: &'a str,
    /// Percent-encoded, with its first slash.
    pub(crate) path: &'a str,
    /// Percent-encoded and sorted.
    pub(crate) query: &'a str,
    /// SHA-256 of the body, in hexadecimal.
    pub(crate) body: &'a str,
    /// Names in lower case, with `host`, and `x-amz-date` as `YYYYMMDDTHHMMSSZ`.
    pub(crate) headers: &'a BTreeMap<&'a str, String>,
}

/// The value of the header `authorization`.
pub(crate) fn authorization(request: &Unsigned<'_>, access: &Access) -> String {
    let date = request.headers.get("x-amz-date").map_or("", String::as_str);
    let day = date.get(..8).unwrap_or_default();
    let names = request.headers.keys().copied().collect::<Vec<_>>().join(";");
    let headers = request.headers.iter().fold(String::new(), |mut text, (name, value)| {
        // Writing to a text cannot fail.
        let _ = writeln!(text, "{name}:{}", value.trim());
        text
    });
    let Unsigned { method, path, query, body, .. } = request;
    let canonical = format!("{method}\n{path}\n{query}\n{headers}\n{names}\n{body}");
    let scope = format!("{day}/{}/s3/aws4_request", access.region);
    let text = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", sha256(canonical.as_bytes()));
    let first = mac(format!("AWS4{}", access.secret).as_bytes(), day.as_bytes());
    let key = [access.region.as_bytes(), b"s3", b"aws4_request"]
        .iter()
        .fold(first, |key, part| mac(key.as_ref(), part));
    let signature = hex(mac(key.as_ref(), text.as_bytes()).as_ref());
    format!("AWS4-HMAC-SHA256 Credential={}/{scope},SignedHeaders={names},Signature={signature}", access.key)
}

fn mac(key: &[u8], text: &[u8]) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text)
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

/// The same of what a reader gives, a piece at a time.
pub(crate) fn sha256_of(mut from: impl Read) -> io::Result<String> {
    let mut sum = digest::Context::new(&digest::SHA256);
    let mut piece = vec![0; 64 << 10];
    loop {
        match from.read(&mut piece)? {
            0 => return Ok(hex(sum.finish().as_ref())),
            read => sum.update(piece.get(..read).unwrap_or_default()),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Percent-encodes all but what RFC 3986 calls unreserved, and slashes where these part a path.
pub(crate) fn encoded(text: &str, keep_slashes: bool) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        let is_plain =
            byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || byte == b'/' && keep_slashes;
        let _ = if is_plain { write!(out, "{}", char::from(byte)) } else { write!(out, "%{byte:02X}") };
        out
    })
}

/// A time of the wall clock, in seconds since 1970, as `x-amz-date` has it.
pub(crate) fn date(seconds: u64) -> String {
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    let time = Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX);
    time.strftime("%Y%m%dT%H%M%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of the reference.
    fn access() -> Access {
        Access {
            endpoint: None,
            region: "us-east-1".into(),
            key: "AKIAIOSFODNN7EXAMPLE".into(),
            secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".into(),
            token: None,
        }
    }

    fn signature(
        method: &str,
        path: &str,
        query: &str,
        more: &[(&'static str, &str)],
        body: &[u8],
    ) -> String {
        let body = sha256(body);
        let mut headers = BTreeMap::from([
            ("host", "examplebucket.s3.amazonaws.com".to_owned()),
            ("x-amz-content-sha256", body.clone()),
            ("x-amz-date", "20130524T000000Z".to_owned()),
        ]);
        headers.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
        let request = Unsigned { method, path, query, body: &body, headers: &headers };
        authorization(&request, &access()).rsplit('=').next().unwrap().to_owned()
    }

    #[test]
    fn the_examples_of_the_reference() {
        assert_eq!(
            signature("GET", "/test.txt", "", &[("range", "bytes=0-9")], b""),
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
        );
        let put = [("date", "Fri, 24 May 2013 00:00:00 GMT"), ("x-amz-storage-class", "REDUCED_REDUNDANCY")];
        assert_eq!(
            signature("PUT", "/test%24file.text", "", &put, b"Welcome to Amazon S3."),
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"
        );
        assert_eq!(
            signature("GET", "/", "max-keys=2&prefix=J", &[], b""),
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
        );
    }

    #[test]
    fn what_is_no_plain_byte_is_encoded() {
        assert_eq!(encoded("day=2026-11-21/a_b~c.x", true), "day%3D2026-11-21/a_b~c.x");
        assert_eq!(encoded("a/b c\u{e9}", false), "a%2Fb%20c%C3%A9");
    }

    #[test]
    fn dates_of_leap_years_too() {
        assert_eq!(date(0), "19700101T000000Z");
        assert_eq!(date(951_827_696), "20000229T123456Z");
        assert_eq!(date(1_795_414_140), "20261123T060900Z");
        assert_eq!(date(4_107_542_399), "21000228T235959Z");
    }

    #[test]
    fn sums_of_pieces_are_those_of_the_whole() {
        let bytes: Vec<u8> = (0..200_000_u32).map(|at| u8::try_from(at % 251).unwrap()).collect();
        assert_eq!(sha256_of(bytes.as_slice()).unwrap(), sha256(&bytes));
    }
}
