//! The lenient parser: reads every head that a server somewhere might read, and names what is wrong with it.

use super::bytes::{is_ows, is_token, range, range_of, split_before, trim};
use super::head::{HeadOutcome, MAX_FIELDS, MAX_HEAD, check_host, check_status, check_target, unfinished};
use super::probe::{Start, behind_empty_lines, probe};
use super::{HeadScan, start_line};
use crate::{Anomalies, Anomaly, Direction, Field, Head, Range, Version};

/// Framing fields that are kept behind the first [`MAX_FIELDS`].
const MAX_LATE_FIELDS: usize = 16;

/// Parses a head that httparse refused.
pub(super) fn parse(
    bytes: &[u8],
    direction: Direction,
    head: &mut Head,
    anomalies: &mut Anomalies,
) -> HeadOutcome {
    let bounded = bytes.get(..MAX_HEAD).unwrap_or(bytes);
    match (probe(bounded), direction) {
        (Start::Request, Direction::ToServer) | (Start::Response, Direction::ToClient) => {}
        (Start::Partial, _) => return unfinished(bytes),
        _ => return HeadOutcome::NotHttp,
    }
    let Some(len) = HeadScan::new().find_end(bounded) else { return unfinished(bytes) };
    read(bounded.get(..len).unwrap_or_default(), direction, head, anomalies);
    if direction == Direction::ToServer {
        check_host(head, anomalies);
    }
    HeadOutcome::Complete { len }
}

/// Reads the complete lines of a head whose end is missing.
pub(super) fn parse_cut(
    bytes: &[u8],
    direction: Direction,
    head: &mut Head,
    anomalies: &mut Anomalies,
) -> bool {
    let start = match direction {
        Direction::ToServer => Start::Request,
        Direction::ToClient => Start::Response,
    };
    if probe(bytes) != start {
        return false;
    }
    let first_line = bytes.len() - behind_empty_lines(bytes).len();
    let whole = memchr::memrchr(b'\n', bytes).map(|last| last + 1).filter(|end| *end > first_line);
    match whole.and_then(|end| bytes.get(..end)) {
        Some(lines) => read(lines, direction, head, anomalies),
        None => {
            // What is odd about a cut start line may be the cut.
            read(bytes, direction, head, &mut Anomalies::default());
            head.version = if head.version == Version::Http09 { Version::Other } else { head.version };
        }
    }
    true
}

fn read(text: &[u8], direction: Direction, head: &mut Head, anomalies: &mut Anomalies) {
    head.text.extend_from_slice(text);
    note_bytes(text, anomalies);
    let start = behind_empty_lines(text);
    if start.len() < text.len() {
        anomalies.insert(Anomaly::LeadingEmptyLines);
    }
    let (line, fields) = next_line(start);
    match direction {
        Direction::ToServer => {
            start_line::read_request(line, text, head, anomalies);
            check_target(head, anomalies);
        }
        Direction::ToClient => {
            start_line::read_status(line, head, anomalies);
            check_status(head, anomalies);
        }
    }
    read_fields(fields, 0, text, head, anomalies);
}

/// Names bytes that no head may have, line by line where lines end oddly.
pub(super) fn note_bytes(text: &[u8], anomalies: &mut Anomalies) {
    let mut before = 0;
    for byte in text.iter().copied().chain([b' ']) {
        match (before, byte) {
            (b'\r', b'\n') => {}
            (_, b'\n') => anomalies.insert(Anomaly::BareLf),
            (b'\r', _) => anomalies.insert(Anomaly::BareCr),
            _ => {}
        }
        match byte {
            0 => anomalies.insert(Anomaly::NulInHead),
            b'\t' | b'\n' | b'\r' => {}
            1..=0x1f | 0x7f => anomalies.insert(Anomaly::InvalidByteInHead),
            _ => {}
        }
        before = byte;
    }
}

/// The first line without its line end, and the bytes behind it.
fn next_line(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = memchr::memchr(b'\n', bytes);
    let (line, rest) = bytes.split_at_checked(end.unwrap_or(bytes.len())).unwrap_or((bytes, &[]));
    (line.strip_suffix(b"\r").unwrap_or(line), rest.get(1..).unwrap_or_default())
}

/// Reads field lines up to the empty one. `bytes` is a part of `text`, which stands at `base` in the head's text.
pub(super) fn read_fields(
    mut bytes: &[u8],
    base: usize,
    text: &[u8],
    head: &mut Head,
    anomalies: &mut Anomalies,
) {
    // Whether the field line before this one was kept, once there was one.
    let mut before = None;
    while !bytes.is_empty() {
        let (line, rest) = next_line(bytes);
        if line.is_empty() {
            return;
        }
        match (line.first().is_some_and(|byte| is_ows(*byte)), before) {
            (true, Some(kept)) => {
                anomalies.insert(Anomaly::ObsFold);
                if kept {
                    fold(line, base, text, head);
                }
            }
            (indented, _) => {
                if indented {
                    anomalies.insert(Anomaly::LeadingWhitespace);
                }
                before = Some(keep(read_field(line, anomalies), base, text, head, anomalies));
            }
        }
        bytes = rest;
    }
}

/// Splits a field line (RFC 9112, 5.1) and names what is odd about it.
fn read_field<'a>(line: &'a [u8], anomalies: &mut Anomalies) -> (&'a [u8], &'a [u8]) {
    let (before, behind) = split_before(trim(line, is_ows), |byte| byte == b':');
    let name = trim(before, is_ows);
    if behind.is_empty() {
        anomalies.insert(Anomaly::MissingColon);
    } else if name.len() < before.len() {
        anomalies.insert(Anomaly::SpaceBeforeColon);
    }
    if !is_token(name) && !behind.is_empty() {
        anomalies.insert(Anomaly::InvalidFieldName);
    }
    (name, trim(behind.get(1..).unwrap_or_default(), is_ows))
}

/// Keeps a field when there is room. Behind [`MAX_FIELDS`] there is room only for what decides framing.
fn keep(
    (name, value): (&[u8], &[u8]),
    base: usize,
    text: &[u8],
    head: &mut Head,
    anomalies: &mut Anomalies,
) -> bool {
    let kept = head.fields.len();
    if kept >= MAX_FIELDS {
        anomalies.insert(Anomaly::OversizedHead);
        if kept >= MAX_FIELDS + MAX_LATE_FIELDS || !decides_framing(name) {
            return false;
        }
    }
    let name = shift(range_of(name, text), base);
    let value = if value.is_empty() {
        Range { start: name.end, end: name.end }
    } else {
        shift(range_of(value, text), base)
    };
    head.fields.push(Field { name: Some(name), value: Some(value) });
    true
}

fn decides_framing(name: &[u8]) -> bool {
    let names = [&b"content-length"[..], b"transfer-encoding", b"connection", b"upgrade"];
    names.into_iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// Makes the last field's value reach to the end of a continuation line (RFC 9112, 5.2).
fn fold(line: &[u8], base: usize, text: &[u8], head: &mut Head) {
    let more = trim(line, is_ows);
    if more.is_empty() {
        return;
    }
    let more = shift(range_of(more, text), base);
    if let Some(value) = head.fields.last_mut().and_then(|field| field.value.as_mut()) {
        let start = if value.start == value.end { more.start } else { value.start };
        *value = Range { start, end: more.end };
    }
}

fn shift(at: Range, base: usize) -> Range {
    range(at.start as usize + base, at.end as usize + base)
}

#[cfg(test)]
mod tests {
    use super::Anomaly::*;
    use super::*;
    use crate::h1::{parse_capped, parse_partial, parse_request, parse_response};

    type Fields = Vec<(String, String)>;

    fn fields(head: &Head) -> Fields {
        let text = |part: crate::Untrusted<'_>| String::from_utf8_lossy(part.bytes()).into_owned();
        head.headers().map(|(name, value)| (text(name), text(value))).collect()
    }

    fn request(lines: &str) -> (Fields, Vec<Anomaly>) {
        let raw = format!("GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\n");
        let (mut head, mut anomalies) = (Head::default(), Anomalies::default());
        let outcome = parse_request(raw.as_bytes(), &mut head, &mut anomalies);
        assert_eq!(outcome, HeadOutcome::Complete { len: raw.len() }, "{lines:?}");
        assert_eq!(head.text, raw.as_bytes());
        (fields(&head).split_off(1), anomalies.iter().collect())
    }

    fn reads(lines: &str, pairs: &[(&str, &str)], anomalies: &[Anomaly]) {
        let pairs: Fields = pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        assert_eq!(request(lines), (pairs, anomalies.to_vec()), "{lines:?}");
    }

    #[test]
    fn rfc9112_5_1_names_and_colons() {
        reads("A : b\r\n", &[("A", "b")], &[SpaceBeforeColon]);
        reads("A\t: b\r\n", &[("A", "b")], &[SpaceBeforeColon]);
        reads(": b\r\n", &[("", "b")], &[InvalidFieldName]);
        reads("A B: c\r\n", &[("A B", "c")], &[InvalidFieldName]);
        reads("A\u{e9}: c\r\n", &[("A\u{e9}", "c")], &[InvalidFieldName]);
        reads("no colon\r\n", &[("no colon", "")], &[MissingColon]);
        reads("A: b: c\r\nD:\r\n", &[("A", "b: c"), ("D", "")], &[]);
    }

    #[test]
    fn rfc9112_5_2_folded_values_reach_over_their_lines() {
        reads("A: b\r\n c\r\n\td\r\nE: f\r\n", &[("A", "b\r\n c\r\n\td"), ("E", "f")], &[ObsFold]);
        reads("A:\r\n b\r\n", &[("A", "b")], &[ObsFold]);
        reads("A: b\r\n \r\n", &[("A", "b")], &[ObsFold]);
    }

    #[test]
    fn rfc9112_2_2_white_space_before_the_first_field() {
        let raw = b"GET / HTTP/1.1\r\n Host: a\r\nB: c\r\n\r\n";
        let (mut head, mut anomalies) = (Head::default(), Anomalies::default());
        parse_request(raw, &mut head, &mut anomalies);
        assert_eq!(anomalies.iter().collect::<Vec<_>>(), [LeadingWhitespace]);
        assert_eq!(fields(&head), [("Host".into(), "a".into()), ("B".into(), "c".into())]);
    }

    #[test]
    fn rfc9112_2_2_bare_line_ends() {
        reads("A: b\nC: d\r\n", &[("A", "b"), ("C", "d")], &[BareLf]);
        reads("A: b\rC: d\r\n", &[("A", "b\rC: d")], &[BareCr]);
        reads("A: b\n", &[("A", "b")], &[BareLf]);
    }

    #[test]
    fn rfc9110_5_5_dangerous_bytes() {
        reads("A: b\0c\r\n", &[("A", "b\0c")], &[NulInHead]);
        reads("A: b\x01\x7f\r\n", &[("A", "b\x01\x7f")], &[InvalidByteInHead]);
        reads("A: \u{e9}\r\n", &[("A", "\u{e9}")], &[]);
    }

    #[test]
    fn rfc9112_3_2_host() {
        let anomalies = |raw: &str| {
            let (mut head, mut anomalies) = (Head::default(), Anomalies::default());
            parse_request(raw.as_bytes(), &mut head, &mut anomalies);
            anomalies.iter().collect::<Vec<_>>()
        };
        assert_eq!(anomalies("GET / HTTP/1.1\r\n\r\n"), [MissingHost]);
        assert_eq!(anomalies("GET / HTTP/1.0\r\n\r\n"), []);
        assert_eq!(
            anomalies("GET / HTTP/1.1\r\nHost: a\r\nhost : b\r\n\r\n"),
            [SpaceBeforeColon, DuplicateHost]
        );
    }

    #[test]
    fn framing_fields_are_kept_behind_the_cap() {
        let lines = "A: b\r\n".repeat(MAX_FIELDS);
        let (read, anomalies) = request(&format!("{lines}B: c\r\n folded\r\nContent-Length: 5\r\n"));
        assert_eq!(anomalies, [ObsFold, OversizedHead]);
        assert_eq!(read.last(), Some(&("Content-Length".to_owned(), "5".to_owned())));
        assert_eq!(
            (read.len(), read.iter().filter(|(_, value)| value.contains("folded")).count()),
            (MAX_FIELDS, 0)
        );
        let late = "Upgrade: x\r\n".repeat(MAX_FIELDS + 2 * MAX_LATE_FIELDS);
        assert_eq!(request(&late).0.len(), MAX_FIELDS + MAX_LATE_FIELDS - 1);
    }

    #[test]
    fn a_head_without_end_is_too_long_and_readable_so_far() {
        let raw = format!("GET / HTTP/1.1\r\nHost: a\r\nA: {}", "b".repeat(MAX_HEAD));
        for odd in ["", "x : \0\r\n"] {
            let raw = raw.replace("Host: a\r\n", &format!("Host: a\r\n{odd}"));
            let (mut head, mut anomalies) = (Head::default(), Anomalies::default());
            assert_eq!(parse_request(raw.as_bytes(), &mut head, &mut anomalies), HeadOutcome::TooLong);
            assert!(head.text.is_empty());
            assert!(parse_capped(raw.as_bytes(), Direction::ToServer, &mut head, &mut anomalies));
            assert!(anomalies.contains(OversizedHead));
            assert_eq!(head.header(b"host").map(|value| value.bytes()), Some(&b"a"[..]));
            assert!(head.header(b"a").is_none() && head.text.len() < 100);
        }
    }

    #[test]
    fn a_cut_head_is_read_up_to_its_last_whole_line() {
        let (mut head, mut anomalies) = (Head::default(), Anomalies::default());
        assert!(parse_partial(
            b"GET /a HTTP/1.1\r\nA: b\r\nSecret: ab",
            Direction::ToServer,
            &mut head,
            &mut anomalies
        ));
        assert_eq!(fields(&head), [("A".into(), "b".into())]);
        assert!(anomalies.is_empty());
        head.clear();
        assert!(parse_partial(b"GET /long/pa", Direction::ToServer, &mut head, &mut anomalies));
        assert_eq!(head.target().map(|target| target.bytes()), Some(&b"/long/pa"[..]));
        assert!(anomalies.is_empty() && head.version == Version::Other);
        head.clear();
        assert!(parse_partial(b"HTTP/1.1 404 Not Fo", Direction::ToClient, &mut head, &mut anomalies));
        assert_eq!((head.status, head.version), (Some(404), Version::Http11));
        assert!(!parse_partial(b"/pa HTTP/1.1\r\n", Direction::ToServer, &mut head, &mut anomalies));
    }

    #[test]
    fn what_is_no_head_of_this_kind_is_not_http() {
        let (mut head, mut anomalies) = (Head::default(), Anomalies::default());
        for bytes in [&b"HTTP/1.1 200 OK\r\n\r\n"[..], b"\x16\x03\x01", b"{\"a\": 1}"] {
            assert_eq!(parse_request(bytes, &mut head, &mut anomalies), HeadOutcome::NotHttp);
        }
        assert_eq!(
            parse_response(b"GET / HTTP/1.1\r\n\r\n", &mut head, &mut anomalies),
            HeadOutcome::NotHttp
        );
        assert!(head.text.is_empty() && anomalies.is_empty());
    }
}
