//! Could these bytes begin a message?

use super::bytes::{is_separator, is_token_byte, split_before};

/// What bytes at a message boundary could be the beginning of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// A request.
    Request,
    /// A response.
    Response,
    /// Too few bytes to say.
    Partial,
    /// No HTTP/1 message.
    No,
}

/// Longest method that is looked for; the longest registered one has 17 bytes.
const MAX_METHOD: usize = 32;

/// Longest request line of a method the sensor does not know: without its end it proves nothing.
const MAX_UNKNOWN_LINE: usize = 8 * 1024;

/// The IANA method registry's common part, and SOURCE of Icecast.
const METHODS: [&[u8]; 35] = [
    b"GET",
    b"POST",
    b"HEAD",
    b"PUT",
    b"DELETE",
    b"OPTIONS",
    b"PATCH",
    b"CONNECT",
    b"TRACE",
    b"PROPFIND",
    b"PROPPATCH",
    b"MKCOL",
    b"MKCALENDAR",
    b"MKACTIVITY",
    b"COPY",
    b"MOVE",
    b"LOCK",
    b"UNLOCK",
    b"REPORT",
    b"SEARCH",
    b"MERGE",
    b"CHECKOUT",
    b"CHECKIN",
    b"BIND",
    b"REBIND",
    b"UNBIND",
    b"ACL",
    b"LINK",
    b"UNLINK",
    b"PURGE",
    b"M-SEARCH",
    b"NOTIFY",
    b"SUBSCRIBE",
    b"UNSUBSCRIBE",
    b"SOURCE",
];

/// What these bytes begin.
///
/// A known method in front of `/`, `*` or `http` is a request at once. Any other needs its whole line, with a version
/// on it, so that text, Base64, JSON and other line protocols are not taken for requests. `Request`, `Response` and
/// `No` stay what they are when more bytes come.
pub fn probe(bytes: &[u8]) -> Start {
    let line = behind_empty_lines(bytes);
    let Some(first) = line.first() else { return Start::Partial };
    if !is_token_byte(*first) {
        return Start::No;
    }
    match status_line(line) {
        Start::No => request_line(line),
        answer => answer,
    }
}

/// `bytes` without the empty lines that a robust reader ignores (RFC 9112, 2.2).
pub(super) fn behind_empty_lines(bytes: &[u8]) -> &[u8] {
    split_before(bytes, |byte| !matches!(byte, b'\r' | b'\n')).1
}

fn status_line(line: &[u8]) -> Start {
    if line.starts_with(b"HTTP/1.") {
        return line.get(7).map_or(Start::Partial, |minor| when(minor.is_ascii_digit(), Start::Response));
    }
    let Some(version) = behind_prefix(line, b"HTTP/") else { return Start::No };
    let (number, rest) = split_before(version, |byte| !matches!(byte, b'0'..=b'9' | b'.'));
    let (space, rest) = split_before(rest, |byte| !is_separator(byte));
    match (number.first(), space.first(), rest.first()) {
        _ if number.len() > 8 => Start::No,
        (None, None, None) | (Some(_), _, None) => Start::Partial,
        (Some(b'0'..=b'9'), Some(_), Some(status)) => when(status.is_ascii_digit(), Start::Response),
        _ => Start::No,
    }
}

fn when(holds: bool, answer: Start) -> Start {
    if holds { answer } else { Start::No }
}

/// What follows `prefix`, compared without case: nothing when `line` is only the beginning of the prefix, `None` when
/// it is something else.
fn behind_prefix<'a>(line: &'a [u8], prefix: &[u8]) -> Option<&'a [u8]> {
    let (here, rest) = line.split_at_checked(prefix.len()).unwrap_or((line, &[]));
    prefix.get(..here.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(here)).then_some(rest)
}

fn request_line(line: &[u8]) -> Start {
    let (method, rest) =
        split_before(line.get(..=MAX_METHOD).unwrap_or(line), |b| is_separator(b) || b == b'\n');
    if !method.iter().copied().all(may_be_in_method) || method.len() > MAX_METHOD {
        return Start::No;
    }
    if rest.is_empty() {
        return Start::Partial;
    }
    let behind = line.get(method.len()..).unwrap_or_default();
    let target = split_before(behind, |byte| !is_separator(byte)).1;
    let known = METHODS.contains(&method);
    match target.first() {
        None => Start::Partial,
        Some(b'\n') => Start::No,
        Some(b'/' | b'*') if known => Start::Request,
        Some(_) if known => absolute(target).unwrap_or_else(|| whole_line(line)),
        Some(_) if is_plausible(target) => whole_line(line),
        Some(_) => Start::No,
    }
}

/// Bytes a malformed method may have without being text of another kind: quotes, brackets and commas are not among them.
const fn may_be_in_method(byte: u8) -> bool {
    is_token_byte(byte) || matches!(byte, b'@' | b'/' | b':' | b'\\' | b'?' | 0x80..)
}

/// Whether a target is in absolute form, as far as it is there; `None` when it is not.
fn absolute(target: &[u8]) -> Option<Start> {
    [&b"http://"[..], b"https://"].into_iter().find_map(|scheme| {
        behind_prefix(target, scheme)?;
        Some(if target.len() < scheme.len() { Start::Partial } else { Start::Request })
    })
}

/// Whether an unknown method's target looks like one: a word of prose does not.
fn is_plausible(target: &[u8]) -> bool {
    let (word, rest) = split_before(target, |byte| is_separator(byte) || byte == b'\n');
    matches!(word.first(), Some(b'/' | b'*'))
        || rest.is_empty()
        || word.iter().any(|byte| matches!(byte, b':' | b'/'))
}

fn whole_line(line: &[u8]) -> Start {
    let bounded = line.get(..MAX_UNKNOWN_LINE).unwrap_or(line);
    let end = memchr::memchr(b'\n', bounded);
    let text = bounded.get(..end.unwrap_or(bounded.len())).unwrap_or_default();
    match end {
        _ if text.iter().any(|byte| byte.is_ascii_control() && !is_separator(*byte)) => Start::No,
        None if bounded.len() < MAX_UNKNOWN_LINE => Start::Partial,
        None => Start::No,
        Some(_) => when(states_version(text), Start::Request),
    }
}

/// Whether a request line has a version on it. HTTP/2's connection preface (RFC 9113, 3.4) looks like one and is not.
fn states_version(line: &[u8]) -> bool {
    let stated = |part: &[u8]| match part {
        [space, name @ .., b'0'..=b'9'] => is_separator(*space) && name.eq_ignore_ascii_case(b"HTTP/"),
        _ => false,
    };
    line.windows(7).any(stated) && !line.starts_with(b"PRI * HTTP/2")
}
