//! Start lines as a lenient reader sees them (RFC 9112, 3 and 4).

use super::bytes::{is_ows, is_separator, is_token, range_of, split_before, trim};
use super::probe::{Start, probe};
use crate::{Anomalies, Anomaly, Head, Version};

/// Reads a request line without its line end. `line` is a part of `text`.
pub(super) fn read_request(line: &[u8], text: &[u8], head: &mut Head, anomalies: &mut Anomalies) {
    let inner = trim(line, is_separator);
    let (method, behind) = split_before(inner, is_separator);
    let (before, version) = split_version(behind);
    let target = trim(before, is_separator);
    if !is_token(method) {
        anomalies.insert(Anomaly::InvalidMethod);
    }
    if target.iter().any(|byte| is_separator(*byte)) {
        anomalies.insert(Anomaly::TargetWithSpaces);
    }
    head.method = Some(range_of(method, text));
    head.target = Some(range_of(target, text));
    head.version = version.map_or(Version::Http09, |word| read_version(word, anomalies));
    if version.is_none() {
        anomalies.insert(Anomaly::Http09);
    }
    let parts = [method.len(), target.len(), version.map_or(0, <[u8]>::len)];
    let spaces = if version.is_some() { 2 } else { 1 };
    let single = behind.first() == Some(&b' ') && (version.is_none() || before.last() == Some(&b' '));
    if !single || parts.into_iter().sum::<usize>() + spaces != line.len() {
        anomalies.insert(Anomaly::UnusualSpacing);
    }
}

/// Whether a line, with the empty lines in front of it and its line end, is a request line without a version: HTTP/0.9,
/// which has no fields.
pub(super) fn is_http09(line: &[u8]) -> bool {
    if probe(line) != Start::Request {
        return false;
    }
    let inner = trim(line, |byte| is_separator(byte) || byte == b'\n');
    let behind = split_before(inner, is_separator).1;
    split_version(behind).1.is_none()
}

/// Splits what follows a method into the target with the spaces around it, and the version. The version is what
/// follows the last space in front of `HTTP/`, so that a target with spaces in it stays whole; else a last word that
/// looks like another protocol's (`ICE/1.0`).
fn split_version(behind: &[u8]) -> (&[u8], Option<&[u8]>) {
    let named = behind
        .windows(6)
        .rposition(|part| {
            part.split_first()
                .is_some_and(|(space, name)| is_separator(*space) && name.eq_ignore_ascii_case(b"HTTP/"))
        })
        .map(|space| space + 1);
    let at = named.or_else(|| {
        let last = behind.iter().rposition(|byte| is_separator(*byte))? + 1;
        looks_like_version(behind.get(last..)?).then_some(last)
    });
    match at.and_then(|at| behind.split_at_checked(at)) {
        Some((before, version)) => (before, Some(version)),
        None => (behind, None),
    }
}

fn looks_like_version(word: &[u8]) -> bool {
    let (name, number) = split_before(word, |byte| byte == b'/');
    let plain = |byte: &u8| byte.is_ascii_digit() || *byte == b'.';
    !name.is_empty()
        && name.iter().all(u8::is_ascii_alphabetic)
        && number.len() > 1
        && number.iter().skip(1).all(plain)
}

fn read_version(word: &[u8], anomalies: &mut Anomalies) -> Version {
    match word {
        b"HTTP/1.1" => return Version::Http11,
        b"HTTP/1.0" => return Version::Http10,
        _ => anomalies.insert(Anomaly::UnknownVersion),
    }
    // The name is case-sensitive (RFC 9112, 2.3), yet what servers do with `http/1.1` is to accept it.
    match word {
        _ if word.eq_ignore_ascii_case(b"HTTP/1.1") => Version::Http11,
        _ if word.eq_ignore_ascii_case(b"HTTP/1.0") => Version::Http10,
        _ => Version::Other,
    }
}

/// Reads a status line without its line end.
pub(super) fn read_status(line: &[u8], head: &mut Head, anomalies: &mut Anomalies) {
    let (version, behind) = split_before(trim(line, is_separator), is_separator);
    let (space, rest) = split_before(behind, |byte| !is_separator(byte));
    let (digits, reason) = split_before(rest, |byte| !byte.is_ascii_digit());
    head.version = read_version(version, anomalies);
    head.status = status_code(digits);
    if digits.len() != 3 || reason.first().is_some_and(|byte| !is_separator(*byte)) {
        anomalies.insert(Anomaly::InvalidStatus);
    }
    let odd_reason = reason.first().is_some_and(|byte| *byte != b' ');
    if space != b" " || odd_reason || line.first().is_some_and(|byte| is_ows(*byte)) {
        anomalies.insert(Anomaly::UnusualSpacing);
    }
}

/// The code that up to four digits state; longer ones state none.
fn status_code(digits: &[u8]) -> Option<u16> {
    let value =
        digits.iter().fold(0_u16, |code, digit| code.wrapping_mul(10).wrapping_add(u16::from(digit - b'0')));
    (1..=4).contains(&digits.len()).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::Anomaly::*;
    use super::*;

    fn request(line: &str) -> (String, String, Version, Vec<Anomaly>) {
        let (mut head, mut anomalies) = (Head::default(), Anomalies::default());
        head.text = line.as_bytes().to_vec();
        read_request(line.as_bytes(), line.as_bytes(), &mut head, &mut anomalies);
        let text =
            |part: Option<crate::Untrusted<'_>>| String::from_utf8(part.unwrap().bytes().to_vec()).unwrap();
        (text(head.method()), text(head.target()), head.version, anomalies.iter().collect())
    }

    fn reads(line: &str, method: &str, target: &str, version: Version, anomalies: &[Anomaly]) {
        assert_eq!(request(line), (method.into(), target.into(), version, anomalies.to_vec()), "{line:?}");
    }

    #[test]
    fn rfc9112_3_request_lines() {
        reads("GET /where?q=now HTTP/1.1", "GET", "/where?q=now", Version::Http11, &[]);
        reads("OPTIONS * HTTP/1.0", "OPTIONS", "*", Version::Http10, &[]);
    }

    #[test]
    fn rfc9112_3_other_white_space_separates_too() {
        for line in [
            "GET  /a HTTP/1.1",
            "GET /a  HTTP/1.1",
            "GET\t/a\tHTTP/1.1",
            "GET /a HTTP/1.1 ",
            " GET /a HTTP/1.1",
            "GET\x0b/a\rHTTP/1.1",
        ] {
            reads(line, "GET", "/a", Version::Http11, &[UnusualSpacing]);
        }
    }

    #[test]
    fn a_target_with_spaces_ends_at_the_last_version() {
        reads("GET /a b HTTP/1.1", "GET", "/a b", Version::Http11, &[TargetWithSpaces]);
        reads("GET /a HTTP/1.1 HTTP/1.0", "GET", "/a HTTP/1.1", Version::Http10, &[TargetWithSpaces]);
        reads("GET /a b", "GET", "/a b", Version::Http09, &[TargetWithSpaces, Http09]);
    }

    #[test]
    fn rfc9112_2_3_odd_versions_are_named() {
        reads("GET / http/1.1", "GET", "/", Version::Http11, &[UnknownVersion]);
        reads("GET / Http/1.0", "GET", "/", Version::Http10, &[UnknownVersion]);
        for version in
            ["HTTP/1.2", "HTTP/2.0", "HTTP/1.10", "HTTP/01.1", "HTTP/11", "HTTP/", "HTTP/1.1x", "ICE/1.0"]
        {
            reads(&format!("GET / {version}"), "GET", "/", Version::Other, &[UnknownVersion]);
        }
    }

    #[test]
    fn rfc1945_4_1_a_simple_request_is_http09() {
        reads("GET /a", "GET", "/a", Version::Http09, &[Http09]);
        assert!(is_http09(b"\r\nGET /a\r\n") && is_http09(b"GET /a b\n"));
        for line in [
            &b"GET /a HTTP/1.1\r\n"[..],
            b"GET /a ICE/1.0\n",
            b"HTTP/1.1 200 OK\r\n",
            b"hello\n",
            b"hello world\n",
            b"\n",
        ] {
            assert!(!is_http09(line));
        }
    }

    #[test]
    fn rfc9110_9_1_a_method_is_a_token() {
        reads("G@T / HTTP/1.1", "G@T", "/", Version::Http11, &[InvalidMethod]);
    }

    fn status(line: &str) -> (Option<u16>, Version, Vec<Anomaly>) {
        let (mut head, mut anomalies) = (Head::default(), Anomalies::default());
        read_status(line.as_bytes(), &mut head, &mut anomalies);
        (head.status, head.version, anomalies.iter().collect())
    }

    #[test]
    fn rfc9112_4_status_lines() {
        for line in ["HTTP/1.1 200 OK", "HTTP/1.1 200 ", "HTTP/1.1 200", "HTTP/1.1 200 a\tb \u{e9}"] {
            assert_eq!(status(line), (Some(200), Version::Http11, vec![]), "{line}");
        }
        for line in ["HTTP/1.0  200 OK", "HTTP/1.0\t200 OK", "HTTP/1.0 200\tOK"] {
            assert_eq!(status(line), (Some(200), Version::Http10, vec![UnusualSpacing]), "{line}");
        }
        assert_eq!(status("http/1.1 404"), (Some(404), Version::Http11, vec![UnknownVersion]));
        assert_eq!(status("HTTP/2 200"), (Some(200), Version::Other, vec![UnknownVersion]));
    }

    #[test]
    fn rfc9110_15_odd_status_codes_are_named() {
        for (line, code) in [
            ("HTTP/1.1 20 OK", Some(20)),
            ("HTTP/1.1 2000", Some(2000)),
            ("HTTP/1.1 OK", None),
            ("HTTP/1.1 99999", None),
            ("HTTP/1.1", None),
        ] {
            let (read, _, anomalies) = status(line);
            assert_eq!(read, code, "{line}");
            assert!(anomalies.contains(&InvalidStatus), "{line}");
        }
        assert!(status("HTTP/1.1 200OK").2.contains(&InvalidStatus));
    }
}
