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
