//! The request target: authority, path, query, typed segments and parameters (RFC 9112, 3.2).

use crate::{Parameter, PathSegment, percent, segment};
use tapwire_protocol::{Head, Range};

/// Segments kept of one path.
pub(crate) const MAX_SEGMENTS: usize = 32;
/// Parameters kept of one query.
pub(crate) const MAX_PARAMETERS: usize = 64;
/// A host name has at most 253 bytes (RFC 1035, 2.3.4); a port and brackets come on top.
const MAX_AUTHORITY: usize = 262;

/// The parts of a target, as ranges into the head's text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Target {
    /// The authority of an absolute or authority-form target, without user information.
    pub(crate) authority: Option<Range>,
    /// The user information of an absolute target.
    pub(crate) user_info: Option<Range>,
    /// Whether the scheme is `https`.
    pub(crate) https: bool,
    /// The path; empty in an absolute target without one; `None` in authority form.
    pub(crate) path: Option<Range>,
    /// The query without `?`.
    pub(crate) query: Option<Range>,
}

/// Takes a request's target apart. A fragment, which no client should send, belongs to neither path nor query.
pub(crate) fn split(head: &Head) -> Option<Target> {
    let range = head.target?;
    let text = head.slice(range).bytes();
    // Extended CONNECT (RFC 8441) has a path.
    if head.method().is_some_and(|method| method.bytes() == b"CONNECT") && !text.starts_with(b"/") {
        return Some(Target { authority: Some(range), ..Target::default() });
    }
    let mut target = Target::default();
    let mut path_at = 0;
    if let Some(scheme) = scheme_len(text) {
        path_at = absolute(&mut target, text, scheme, range.start);
    }
    let rest = text.get(path_at..).unwrap_or_default();
    let rest = rest.get(..find(rest, b'#')).unwrap_or_default();
    let path_len = find(rest, b'?');
    target.path = Some(part(range.start, path_at, path_at + path_len));
    target.query =
        (path_len < rest.len()).then(|| part(range.start, path_at + path_len + 1, path_at + rest.len()));
    Some(target)
}

/// Fills in the authority of an absolute target and returns where its path begins.
fn absolute(target: &mut Target, text: &[u8], scheme: usize, base: u32) -> usize {
    let from = scheme + 3;
    let rest = text.get(from..).unwrap_or_default();
    let len = rest.iter().position(|byte| matches!(byte, b'/' | b'?' | b'#')).unwrap_or(rest.len());
    let authority = rest.get(..len).unwrap_or_default();
    let host = authority.iter().rposition(|byte| *byte == b'@').map_or(0, |at| at + 1);
    target.https = text.get(..scheme).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"https"));
    target.authority = Some(part(base, from + host, from + len));
    target.user_info = (host > 1).then(|| part(base, from, from + host - 1));
    from + len
}

/// The length of the scheme in front of `://`; an origin-form target has none, whatever stands in its query.
fn scheme_len(text: &[u8]) -> Option<usize> {
    let len = text.iter().take_while(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte)).count();
    (len > 0 && text.get(len..)?.starts_with(b"://")).then_some(len)
}

/// The authority as a service's name: lower case, without user information, the default port and the root's dot.
/// `None` for what cannot be an authority: such a name would be the sender's invention.
pub(crate) fn normalise(authority: &[u8], https: bool) -> Option<String> {
    let host = authority.iter().rposition(|byte| *byte == b'@').map_or(0, |at| at + 1);
    let text = authority.get(host..)?;
    let (host, port) = split_port(text);
    let host = host.strip_suffix(b".").unwrap_or(host);
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~:[]%".contains(byte);
    if host.is_empty() || text.len() > MAX_AUTHORITY || !host.iter().all(plain) {
        return None;
    }
    let mut name = String::from_utf8(host.to_vec()).ok()?;
    name.make_ascii_lowercase();
    let default_port: &[u8] = if https { b"443" } else { b"80" };
    if !port.is_empty() && port != default_port {
        name.push(':');
        name.push_str(std::str::from_utf8(port).ok()?);
    }
    Some(name)
}

/// An authority's host, and its port without the colon. An IPv6 address without brackets has none.
fn split_port(text: &[u8]) -> (&[u8], &[u8]) {
    let Some(at) = memchr::memrchr(b':', text) else { return (text, &[]) };
    let (host, port) = text.split_at(at);
    let port = port.get(1..).unwrap_or_default();
    let ends = !host.contains(&b':') || host.ends_with(b"]");
    if ends && port.iter().all(u8::is_ascii_digit) { (host, port) } else { (text, &[]) }
}

/// The typed segments of a path. Empty segments are left out, path parameters (`;jsessionid=`) belong to no segment. The
/// asterisk form has none: it names the server.
pub(crate) fn segments(head: &Head, path: Range) -> Vec<PathSegment> {
    let text = head.slice(path).bytes();
    if text == b"*" {
        return Vec::new();
    }
    let mut found = Vec::with_capacity(text.iter().filter(|byte| **byte == b'/').count().min(MAX_SEGMENTS));
    let mut at = 0;
    for raw in text.split(|byte| *byte == b'/') {
        let name = raw.get(..find(raw, b';')).unwrap_or(raw);
        if !name.is_empty() && found.len() < MAX_SEGMENTS {
            let kind = if name.contains(&b'%') {
                segment::classify(&percent::decode(name, 256), found.len())
            } else {
                segment::classify(name, found.len())
            };
            found.push(PathSegment { range: part(path.start, at, at + name.len()), kind });
        }
        at += raw.len() + 1;
    }
    found
}

/// The parameters of a query string, in order; empty ones are left out.
pub(crate) fn parameters(head: &Head, query: Range) -> Vec<Parameter> {
    let text = head.slice(query).bytes();
    let mut found = Vec::new();
    let mut at = 0;
    for pair in text.split(|byte| *byte == b'&') {
        if !pair.is_empty() && found.len() < MAX_PARAMETERS {
            let name = find(pair, b'=');
            let value = (name + 1).min(pair.len());
            found.push(Parameter {
                name: part(query.start, at, at + name),
                value: part(query.start, at + value, at + pair.len()),
            });
        }
        at += pair.len() + 1;
    }
    found
}

/// Where a byte stands, or the length.
fn find(text: &[u8], byte: u8) -> usize {
    memchr::memchr(byte, text).unwrap_or(text.len())
}

/// A part of a text that begins at `base` in the head. Heads are far shorter than 4 GiB; longer ones would give an
/// empty range.
fn part(base: u32, from: usize, to: usize) -> Range {
    let at = |offset: usize| u32::try_from(offset).ok().and_then(|offset| base.checked_add(offset));
    match (at(from), at(to)) {
        (Some(start), Some(end)) => Range { start, end },
        _ => Range::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SegmentKind::{self, Integer, Version, Word};
    use crate::transcript::exchange;

    fn head(method: &str, target: &str) -> Head {
        let request = format!("{method} {target} HTTP/1.1\r\n\r\n");
        exchange(1, request.as_bytes(), b"").request.expect("a request").head
    }

    fn parts(method: &str, target: &str) -> [Option<String>; 4] {
        let head = head(method, target);
        let target = split(&head).expect("a target");
        [target.authority, target.user_info, target.path, target.query]
            .map(|range| range.map(|range| String::from_utf8_lossy(head.slice(range).bytes()).into_owned()))
    }

    #[track_caller]
    fn check(method: &str, target: &str, expected: [Option<&str>; 4]) {
        assert_eq!(parts(method, target), expected.map(|text| text.map(str::to_owned)), "{method} {target}");
    }

    #[test]
    fn rfc9112_target_forms() {
        check("GET", "/where?q=now", [None, None, Some("/where"), Some("q=now")]);
        let expected = [Some("www.example.org"), None, Some("/pub/WWW/TheProject.html"), None];
        check("GET", "http://www.example.org/pub/WWW/TheProject.html", expected);
        check("CONNECT", "www.example.com:80", [Some("www.example.com:80"), None, None, None]);
        check("OPTIONS", "*", [None, None, Some("*"), None]);
        check("OPTIONS", "http://www.example.org:8001", [Some("www.example.org:8001"), None, Some(""), None]);
    }

    #[test]
    fn odd_targets_keep_their_parts() {
        check("GET", "/a?", [None, None, Some("/a"), Some("")]);
        check("GET", "/a#b?c", [None, None, Some("/a"), None]);
        check("GET", "/a?b#c", [None, None, Some("/a"), Some("b")]);
        check("GET", "/login?next=http://x@y/", [None, None, Some("/login"), Some("next=http://x@y/")]);
        check("GET", "http://u:p@h:81?x", [Some("h:81"), Some("u:p"), Some(""), Some("x")]);
    }

    #[test]
    fn authority_is_normalised_or_refused() {
        let name = |text: &str| normalise(text.as_bytes(), false);
        assert_eq!(name("Shop.Example:80").as_deref(), Some("shop.example"));
        assert_eq!(name("shop.example.:8080").as_deref(), Some("shop.example:8080"));
        assert_eq!(name("shop.example.:80").as_deref(), Some("shop.example"));
        assert_eq!(name("shop.example:").as_deref(), Some("shop.example"));
        assert_eq!(name("[::1]:80").as_deref(), Some("[::1]"));
        assert_eq!(name("fe80::80").as_deref(), Some("fe80::80"));
        assert_eq!(normalise(b"shop.example.:8443", true).as_deref(), Some("shop.example:8443"));
        assert_eq!(name("shop.example.").as_deref(), Some("shop.example"));
        assert_eq!(name("[::1]:8080").as_deref(), Some("[::1]:8080"));
        assert_eq!(normalise(b"shop:443", true).as_deref(), Some("shop"));
        assert_eq!(name("shop:443").as_deref(), Some("shop:443"));
        for bad in ["", ":80", "a b", "<script>", "a/b", "\u{fc}", &"a".repeat(300)] {
            assert_eq!(name(bad), None, "{bad}");
        }
    }

    fn kinds(path: &str) -> Vec<SegmentKind> {
        let head = head("GET", path);
        let path = split(&head).and_then(|target| target.path).expect("a path");
        segments(&head, path).iter().map(|segment| segment.kind).collect()
    }

    #[test]
    fn segments_are_typed_after_decoding() {
        assert_eq!(kinds("/v1/orders/42"), [Version, Word, Integer]);
        assert_eq!(kinds("//v1//orders/%34%32/"), [Version, Word, Integer]);
        assert_eq!(kinds("/orders/42;jsessionid=abc"), [Word, Integer]);
        assert_eq!(kinds("/"), []);
        assert_eq!(kinds("*"), []);
        assert_eq!(kinds(&"/a".repeat(100)).len(), MAX_SEGMENTS);
    }

    #[test]
    fn parameters_keep_empty_values_and_stop_at_the_cap() {
        let head = head("GET", "/a?b=1&&c&d=&=e&f=g=h");
        let query = split(&head).and_then(|target| target.query).expect("a query");
        let text = |range| String::from_utf8_lossy(head.slice(range).bytes()).into_owned();
        let found: Vec<_> =
            parameters(&head, query).iter().map(|p| format!("{}|{}", text(p.name), text(p.value))).collect();
        assert_eq!(found, ["b|1", "c|", "d|", "|e", "f|g=h"]);
        let many = format!("/a?{}", "x=1&".repeat(200));
        let head = self::head("GET", &many);
        let query = split(&head).and_then(|target| target.query).expect("a query");
        assert_eq!(parameters(&head, query).len(), MAX_PARAMETERS);
    }
}
