//! Could these bytes begin a message?

use super::bytes::{is_ows, is_separator, is_token_byte, split_before};

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
    match bytes {
        // Nearly all messages begin so; each is what the long way says as well.
        [b'G', b'E', b'T', b' ', b'/', ..] | [b'P', b'O', b'S', b'T', b' ', b'/', ..] => Start::Request,
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'0'..=b'9', ..] => Start::Response,
        _ => probe_any(bytes),
    }
}

fn probe_any(bytes: &[u8]) -> Start {
    let line = split_before(behind_empty_lines(bytes), |byte| !is_ows(byte)).1;
    let Some(first) = line.first() else { return Start::Partial };
    if !is_token_byte(*first) {
        return Start::No;
    }
    status_line(line).unwrap_or_else(|| request_line(line))
}

/// `bytes` without the empty lines that a robust reader ignores (RFC 9112, 2.2).
pub(super) fn behind_empty_lines(bytes: &[u8]) -> &[u8] {
    split_before(bytes, |byte| !matches!(byte, b'\r' | b'\n')).1
}

/// What a line is that begins as a status line does; `None` when it does not. `HTTP/1.x` is proof enough, what follows
/// any other spelling must be a status code.
fn status_line(line: &[u8]) -> Option<Start> {
    let version = behind_prefix(line, b"HTTP/")?;
    if line.starts_with(b"HTTP/1.") {
        return Some(
            line.get(7).map_or(Start::Partial, |minor| when(minor.is_ascii_digit(), Start::Response)),
        );
    }
    let (number, rest) = split_before(version, |byte| !matches!(byte, b'0'..=b'9' | b'.'));
    let (space, rest) = split_before(rest, |byte| !is_separator(byte));
    Some(match (number.first(), space.first(), rest.first()) {
        _ if number.len() > 8 => Start::No,
        (None, None, None) | (Some(_), _, None) => Start::Partial,
        (Some(b'0'..=b'9'), Some(_), Some(status)) => when(status.is_ascii_digit(), Start::Response),
        _ => Start::No,
    })
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_short_way_is_the_long_way() {
        for text in ["GET /a HTTP/1.1", "POST /", "GET /", "HTTP/1.1 200 OK", "HTTP/1.0", "HTTP/1.9x"] {
            assert_eq!(probe(text.as_bytes()), probe_any(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn a_known_method_in_front_of_a_target_is_a_request_at_once() {
        for bytes in [
            "GET /",
            "POST *",
            "\r\n\r\nPUT /a",
            "OPTIONS * HTTP/1.1",
            "GET  /a",
            "GET\t/a",
            " \tGET /a",
            "GET http://a/",
            "M-SEARCH * HTTP/1.1",
            "SOURCE /music ICE/1.0",
        ] {
            assert_eq!(probe(bytes.as_bytes()), Start::Request, "{bytes:?}");
        }
    }

    #[test]
    fn other_methods_and_targets_need_their_line() {
        for line in [
            "BREW /pot HTTP/1.1",
            "get / http/1.1",
            "CONNECT a.example:443 HTTP/1.1",
            "GET a HTTP/1.0",
            "FOO * HTTP/2.0",
            "G@T / HTTP/1.1",
            "G\u{e9}T / HTTP/1.1",
            "GET  HTTP/1.1",
        ] {
            assert_eq!(probe(line.as_bytes()), Start::Partial, "{line}");
            assert_eq!(probe(format!("{line}\r\n").as_bytes()), Start::Request, "{line}");
        }
    }

    #[test]
    fn status_lines_are_responses() {
        for line in
            ["HTTP/1.1 200 OK\r\n", "HTTP/1.0 ", "\nHTTP/1.1", "http/1.1 404", "HTTP/2 200", "HTTP/1.1 abc"]
        {
            assert_eq!(probe(line.as_bytes()), Start::Response, "{line:?}");
        }
    }

    #[test]
    fn too_few_bytes_are_partial() {
        for bytes in [
            "",
            "\r\n",
            "G",
            "GET",
            "GET ",
            "GET h",
            "GET https:/",
            "H",
            "HTTP/",
            "HTTP/1.",
            "HTTP/2.0 ",
            "BREW /pot",
        ] {
            assert_eq!(probe(bytes.as_bytes()), Start::Partial, "{bytes:?}");
        }
    }

    #[test]
    fn other_protocols_and_bodies_are_no_http() {
        for bytes in [
            &b"\x16\x03\x01\x02\x00\x01"[..],
            b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            b"EHLO mail.example\r\n",
            b"USER anonymous\r\n",
            b"OPTIONS sip:a@b SIP/2.0\r\n",
            b"DESCRIBE rtsp://a/b RTSP/1.0\r\n",
            b"*3\r\n$3\r\nSET\r\n",
            b"{\"a\": 1, \"b\": [2]}",
            b"[1, 2]",
            b"    <div>",
            b"  and so on",
            b"<!DOCTYPE html>",
            b"\"text\"",
            b"the quick brown fox",
            b"and /or what not\r\n",
            b"VGhpcyBpcyBCYXNlNjQgd2l0aG91dCBhIGJyZWFr",
            b"key=value&other=value&more=of+the+same+kind",
            b"HTTP/x 200",
            b"HTTP/2.0000000",
            b"HTTP/1.x",
            b"http/1.1 is a protocol",
            b"GET\r\n",
            b"GET it now\r\n",
            b"FOO /\0 HTTP/1.1\r\n",
        ] {
            assert_eq!(probe(bytes), Start::No, "{:?}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn an_endless_line_of_an_unknown_method_is_no_http() {
        let line = format!("BREW /{}", "a".repeat(2 * MAX_UNKNOWN_LINE));
        assert_eq!(probe(&line.as_bytes()[..MAX_UNKNOWN_LINE - 1]), Start::Partial);
        assert_eq!(probe(line.as_bytes()), Start::No);
    }

    fn likely() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            Just(b"GET".to_vec()),
            Just(b"BREW".to_vec()),
            Just(b"HTTP/1.1".to_vec()),
            Just(b"http/2".to_vec()),
            Just(b"PRI * HTTP/2".to_vec()),
            Just(b" ".to_vec()),
            Just(b" /a".to_vec()),
            Just(b" http://b".to_vec()),
            Just(b"\r\n".to_vec()),
            Just(b" 200 ".to_vec()),
            proptest::collection::vec(any::<u8>(), 0..4),
        ];
        proptest::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn an_answer_stands_when_more_bytes_come(bytes in likely()) {
            let mut answer = Start::Partial;
            for end in 0..=bytes.len() {
                let now = probe(&bytes[..end]);
                prop_assert!(answer == Start::Partial || answer == now, "{answer:?}, then {now:?} at {end}");
                answer = now;
            }
        }
    }
}
