//! Values in the form in which patterns are matched on them.

use super::MAX_VALUE;
use super::pickle::is_pickle;
use crate::percent;
use memchr::memmem::find;

/// A value in lower case, decoded where it is encoded once more, without what SQL and URLs allow between words.
pub(super) fn normal(raw: &[u8]) -> Vec<u8> {
    let mut text = raw.get(..MAX_VALUE).unwrap_or(raw).to_vec();
    for _ in 0..2 {
        let encoded = text
            .windows(3)
            .any(|three| matches!(three, [b'%', a, b] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit()));
        if !encoded {
            break;
        }
        text = percent::decode(&text, MAX_VALUE);
    }
    if find(&text, b"\\u00").is_some() || text.iter().any(|byte| matches!(byte, 0xc0 | 0xc1)) {
        text = unescaped(&text);
    }
    text.make_ascii_lowercase();
    if find(&text, b"/*").is_some() { without_comments(&text) } else { text }
}

/// Undoes `\u003c`, and UTF-8 that is longer than need be, which no writer of text makes (RFC 3629, 3).
fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, tail)) = rest.split_first() {
        let (byte, behind) = match rest {
            [b'\\', b'u' | b'U', b'0', b'0', digits @ ..] => match percent::escape(digits) {
                Some(byte) => (byte, digits.get(2..).unwrap_or_default()),
                None => (first, tail),
            },
            [lead @ (0xc0 | 0xc1), byte @ 0x80..=0xbf, behind @ ..] => {
                ((lead & 1) << 6 | byte & 0x3f, behind)
            }
            _ => (first, tail),
        };
        out.push(byte);
        rest = behind;
    }
    out
}

/// SQL takes a comment for a space, and MySQL reads what stands in `/*!50000 … */`.
fn without_comments(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(begin) = find(rest, b"/*") {
        let (before, comment) = rest.split_at_checked(begin).unwrap_or((rest, b""));
        let Some(end) = find(comment, b"*/") else { break };
        out.extend_from_slice(before);
        out.push(b' ');
        if let Some(inner) = comment.get(..end).and_then(|comment| comment.strip_prefix(b"/*!")) {
            let digits = inner.iter().take_while(|byte| byte.is_ascii_digit()).count();
            out.extend_from_slice(inner.get(digits..).unwrap_or_default());
            out.push(b' ');
        }
        rest = comment.get(end + 2..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
    out
}

/// What of a document within a text is values: what stands in its quotes, and the rest with these left out. `None` where it
/// is no document of JSON or GraphQL, but begins as one.
pub(super) fn parts(text: &[u8]) -> Option<Vec<Vec<u8>>> {
    let begins = [&b"query"[..], b"mutation", b"subscription", b"fragment"];
    let is_json = matches!(text, [b'{', second, ..] if *second != b'{') || text.starts_with(b"[");
    let named = begins.iter().any(|word| text.starts_with(word));
    if !(is_json || named)
        || !text.trim_ascii_end().ends_with(if text.starts_with(b"[") { b"]" } else { b"}" })
    {
        return None;
    }
    let (mut parts, mut rest, mut outside) = (Vec::new(), text, Vec::new());
    while let Some(open) = memchr::memchr(b'"', rest) {
        let (before, inner) = rest.split_at_checked(open)?;
        let last = before.trim_ascii_end().last();
        if !last.is_none_or(|byte| b":,[({".contains(byte)) {
            return None;
        }
        let inner = inner.get(1..)?;
        let end = closing(inner)?;
        let value = inner.get(..end)?;
        rest = inner.get(end + 1..)?;
        outside.extend_from_slice(before);
        let is_name = value.len() <= 64
            && value.iter().any(u8::is_ascii_alphabetic)
            && value
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'$' | b'_' | b'@' | b'.'));
        outside.push(b'"');
        outside.extend_from_slice(if is_name { value } else { b"" });
        outside.push(b'"');
        if !is_name {
            parts.push(value.to_vec());
        }
    }
    outside.extend_from_slice(rest);
    parts.truncate(64);
    parts.push(outside);
    Some(parts)
}

/// Where the quote ends.
fn closing(inner: &[u8]) -> Option<usize> {
    let mut escaped = false;
    inner.iter().position(|byte| {
        let closes = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        closes
    })
}

/// Whether a value is an object as programs write it: Java's stream (its magic and version), Python's pickle or .NET's (header
/// record), each in base64, or Java's in hexadecimal.
pub(crate) fn is_serialised(raw: &[u8]) -> bool {
    if raw.starts_with(b"aced0005") || raw.starts_with(b"ACED0005") {
        return true;
    }
    if !matches!(raw, [b'r', b'O', b'0', b'A', ..] | [b'g', b'A' | b'F', ..] | [b'A', b'A', b'E', b'A', ..]) {
        return false;
    }
    let Some(bytes) = percent::base64(raw.get(..MAX_VALUE).unwrap_or(raw), MAX_VALUE) else { return false };
    match bytes.as_slice() {
        [0xac, 0xed, 0, 5, ..] | [0, 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, ..] => true,
        other => is_pickle(other, raw.len() >= MAX_VALUE),
    }
}

/// Whether a field holds what nobody else may know: people make it of all sorts of marks.
pub(super) fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["pass", "pwd", "secret", "token", "viewstate", "signature"].iter().any(|word| name.contains(word))
}

/// Whether a field holds where a browser goes next, or comes from: an address of the client's own machine is usual there
/// (RFC 8252, 7.3).
pub(super) fn is_for_browsers(name: &str) -> bool {
    let name: String =
        name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    let words =
        ["redirect", "returnto", "returnurl", "origin", "referer", "referrer", "continue", "homepage"];
    words.iter().any(|word| name.contains(word)) || name == "next"
}
