//! Start lines as a lenient reader sees them (RFC 9112, 3 and 4).

use super::bytes::{is_ows, is_separator, is_token, range_of, split_before, trim};
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

/// Whether a line, with empty lines in front and its line end, is a request line without a version: HTTP/0.9, which has
/// no fields.
pub(super) fn is_http09(line: &[u8]) -> bool {
    let inner = trim(line, |byte| is_separator(byte) || byte == b'\n');
    let behind = split_before(inner, is_separator).1;
    let is_status_line = inner.get(..5).is_some_and(|name| name.eq_ignore_ascii_case(b"HTTP/"));
    !is_status_line && split_version(behind).1.is_none()
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
