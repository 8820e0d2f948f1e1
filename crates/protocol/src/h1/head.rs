//! Heads: httparse first, the lenient parser where it refuses.

use super::bytes::{is_target_byte, range_of};
use super::lenient;
use crate::{Anomalies, Anomaly, Direction, Field, Head, Version};
use httparse::Status;
use std::mem::MaybeUninit;

/// Longest head that is read, in bytes.
pub const MAX_HEAD: usize = 64 * 1024;

/// Most fields that are kept. Behind them only those that decide framing are.
pub const MAX_FIELDS: usize = 256;

/// Fields that httparse is given room for; a head with more goes through the lenient parser.
const USUAL_FIELDS: usize = 128;

/// What came of parsing a head. `head` is filled only when it is `Complete`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeadOutcome {
    /// A head of `len` bytes, empty line included; the body follows.
    Complete {
        /// Its length in bytes, empty lines in front included.
        len: usize,
    },
    /// The head is not all there yet.
    Partial,
    /// No end within [`MAX_HEAD`] bytes: see [`parse_capped`].
    TooLong,
    /// No head of this kind begins here.
    NotHttp,
}

/// Parses a request head at the beginning of `bytes`. `head` must be empty.
pub fn parse_request(bytes: &[u8], head: &mut Head, anomalies: &mut Anomalies) -> HeadOutcome {
    let bounded = bytes.get(..MAX_HEAD).unwrap_or(bytes);
    let mut fields = [const { MaybeUninit::uninit() }; USUAL_FIELDS];
    let mut request = httparse::Request::new(&mut []);
    match request.parse_with_uninit_headers(bounded, &mut fields) {
        Ok(Status::Complete(len)) => {
            let text = bounded.get(..len).unwrap_or_default();
            head.method = request.method.map(|method| range_of(method.as_bytes(), text));
            head.target = request.path.map(|target| range_of(target.as_bytes(), text));
            fill(head, text, request.version, request.headers, anomalies);
            check_target(head, anomalies);
            check_host(head, anomalies);
            HeadOutcome::Complete { len }
        }
        Ok(Status::Partial) => unfinished(bytes),
        Err(_) => lenient::parse(bytes, Direction::ToServer, head, anomalies),
    }
}

/// Parses a response head at the beginning of `bytes`. `head` must be empty.
pub fn parse_response(bytes: &[u8], head: &mut Head, anomalies: &mut Anomalies) -> HeadOutcome {
    let bounded = bytes.get(..MAX_HEAD).unwrap_or(bytes);
    let mut fields = [const { MaybeUninit::uninit() }; USUAL_FIELDS];
    let config = httparse::ParserConfig::default();
    let mut response = httparse::Response::new(&mut []);
    match config.parse_response_with_uninit_headers(&mut response, bounded, &mut fields) {
        Ok(Status::Complete(len)) => {
            head.status = response.code;
            let text = bounded.get(..len).unwrap_or_default();
            fill(head, text, response.version, response.headers, anomalies);
            check_status(head, anomalies);
            HeadOutcome::Complete { len }
        }
        Ok(Status::Partial) => unfinished(bytes),
        Err(_) => lenient::parse(bytes, Direction::ToClient, head, anomalies),
    }
}

/// Reads as much of a head as is there, for one whose end was not captured. The last line is left out when it is cut,
/// unless it is the start line. `false` when not even a start line could be read. `head` must be empty.
pub fn parse_partial(bytes: &[u8], direction: Direction, head: &mut Head, anomalies: &mut Anomalies) -> bool {
    lenient::parse_cut(bytes.get(..MAX_HEAD).unwrap_or(bytes), direction, head, anomalies)
}

/// Reads the first [`MAX_HEAD`] bytes of a head that is longer.
pub fn parse_capped(bytes: &[u8], direction: Direction, head: &mut Head, anomalies: &mut Anomalies) -> bool {
    anomalies.insert(Anomaly::OversizedHead);
    parse_partial(bytes, direction, head, anomalies)
}

/// `Partial`, or `TooLong` when there are enough bytes for the longest head.
pub(super) const fn unfinished(bytes: &[u8]) -> HeadOutcome {
    if bytes.len() < MAX_HEAD { HeadOutcome::Partial } else { HeadOutcome::TooLong }
}

/// Fills what requests and responses share, and names what httparse lets pass without a word: empty lines in front
/// and lines that end in LF alone. Each field begins behind a line end, so looking there finds all of them.
fn fill(
    head: &mut Head,
    text: &[u8],
    minor: Option<u8>,
    fields: &[httparse::Header<'_>],
    anomalies: &mut Anomalies,
) {
    head.text.extend_from_slice(text);
    head.version = if minor == Some(0) { Version::Http10 } else { Version::Http11 };
    let mut bare = false;
    head.fields.extend(fields.iter().map(|field| {
        let name = range_of(field.name.as_bytes(), text);
        bare |= !follows_crlf(text, name.start as usize);
        Field { name: Some(name), value: Some(range_of(field.value, text)) }
    }));
    if bare || !follows_crlf(text, text.len()) || !follows_crlf(text, text.len().saturating_sub(2)) {
        anomalies.insert(Anomaly::BareLf);
    }
    if matches!(text.first(), Some(b'\r' | b'\n')) {
        // Empty lines may end in LF as well: rare enough to look at every line.
        anomalies.insert(Anomaly::LeadingEmptyLines);
        note_bare_lf(memchr::memchr_iter(b'\n', text), text, anomalies);
    }
}

/// Whether a CR stands two bytes before `at`: there the line before ends, in CR and LF or in LF alone.
fn follows_crlf(text: &[u8], at: usize) -> bool {
    at.checked_sub(2).and_then(|from| text.get(from)) == Some(&b'\r')
}

fn note_bare_lf(mut line_feeds: impl Iterator<Item = usize>, text: &[u8], anomalies: &mut Anomalies) {
    if line_feeds.any(|at| text.get(at.wrapping_sub(1)) != Some(&b'\r')) {
        anomalies.insert(Anomaly::BareLf);
    }
}

/// Names an odd request target; spaces in it have a name of their own.
pub(super) fn check_target(head: &Head, anomalies: &mut Anomalies) {
    let target = head.target().map_or(&b""[..], |target| target.bytes());
    if target.is_empty() || !target.iter().all(|byte| is_target_byte(*byte) || *byte == b' ') {
        anomalies.insert(Anomaly::InvalidTarget);
    }
}

/// Names a Host that is missing or not alone (RFC 9112, 3.2).
pub(super) fn check_host(head: &Head, anomalies: &mut Anomalies) {
    match head.values(b"host").count() {
        0 if head.version == Version::Http11 => anomalies.insert(Anomaly::MissingHost),
        0 | 1 => {}
        _ => anomalies.insert(Anomaly::DuplicateHost),
    }
}

/// Names an odd status code.
pub(super) fn check_status(head: &Head, anomalies: &mut Anomalies) {
    if !head.status.is_some_and(|status| (100..600).contains(&status)) {
        anomalies.insert(Anomaly::InvalidStatus);
    }
}

#[cfg(test)]
mod tests {
    use super::Anomaly::*;
    use super::*;

    fn request(raw: &[u8]) -> (HeadOutcome, Head, Vec<Anomaly>) {
        let (mut head, mut anomalies) = (Head::default(), Anomalies::default());
        let outcome = parse_request(raw, &mut head, &mut anomalies);
        (outcome, head, anomalies.iter().collect())
    }

    fn response(raw: &[u8]) -> (HeadOutcome, Head, Vec<Anomaly>) {
        let (mut head, mut anomalies) = (Head::default(), Anomalies::default());
        let outcome = parse_response(raw, &mut head, &mut anomalies);
        (outcome, head, anomalies.iter().collect())
    }

    #[test]
    fn rfc9112_2_1_a_request() {
        let raw = b"GET /hello.txt HTTP/1.1\r\nUser-Agent: curl/7.64.1\r\nHost: www.example.com\r\nAccept-Language:  en, mi \r\n\r\nbody";
        let (outcome, head, anomalies) = request(raw);
        assert_eq!(outcome, HeadOutcome::Complete { len: raw.len() - 4 });
        assert_eq!(anomalies, []);
        assert_eq!(head.text, &raw[..raw.len() - 4]);
        assert_eq!(head.method().unwrap().bytes(), b"GET");
        assert_eq!(head.target().unwrap().bytes(), b"/hello.txt");
        assert_eq!((head.version, head.status), (Version::Http11, None));
        assert_eq!(head.header(b"accept-language").unwrap().bytes(), b"en, mi");
    }

    #[test]
    fn rfc9112_2_1_a_response() {
        let (outcome, head, anomalies) = response(b"HTTP/1.0 200 OK\r\nContent-Length: 51\r\nVary:\r\n\r\n");
        assert_eq!(outcome, HeadOutcome::Complete { len: 46 });
        assert_eq!(anomalies, []);
        assert_eq!((head.status, head.version, head.method), (Some(200), Version::Http10, None));
        assert_eq!(head.header(b"vary").unwrap().bytes(), b"");
    }

    #[test]
    fn rfc9112_2_2_what_httparse_lets_pass_is_named() {
        for (raw, anomaly) in [
            ("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", LeadingEmptyLines),
            ("GET / HTTP/1.1\nHost: a\r\n\r\n", BareLf),
            ("GET / HTTP/1.1\r\nHost: a\n\r\n", BareLf),
            ("GET / HTTP/1.1\r\nHost: a\r\n\n", BareLf),
            ("GET / HTTP/1.1\r\nHost: a\nB: c\r\n\r\n", BareLf),
            ("GET /\"a\" HTTP/1.1\r\nHost: a\r\n\r\n", InvalidTarget),
            ("GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", InvalidTarget),
        ] {
            let (outcome, _, anomalies) = request(raw.as_bytes());
            assert_eq!(
                (outcome, anomalies),
                (HeadOutcome::Complete { len: raw.len() }, vec![anomaly]),
                "{raw:?}"
            );
        }
        assert_eq!(request(b"\n\r\nGET / HTTP/1.0\r\n\r\n").2, [BareLf, LeadingEmptyLines]);
        assert_eq!(response(b"HTTP/1.1 200 OK\n\r\n").2, [BareLf]);
        for code in ["000", "099", "600", "999"] {
            assert_eq!(
                response(format!("HTTP/1.1 {code} Odd\r\n\r\n").as_bytes()).2,
                [InvalidStatus],
                "{code}"
            );
        }
    }

    #[test]
    fn a_target_that_is_no_text_is_kept_as_sent() {
        let (_, head, anomalies) = request(b"GET /\xff\xfe HTTP/1.1\r\nHost: a\r\nB: \xff\r\n\r\n");
        assert_eq!(head.target().unwrap().bytes(), b"/\xff\xfe");
        assert_eq!(head.header(b"b").unwrap().bytes(), b"\xff");
        assert_eq!(anomalies, [InvalidTarget]);
    }

    #[test]
    fn http09_is_complete_with_its_line() {
        let (outcome, head, anomalies) = request(b"GET /a\r\nmore");
        assert_eq!((outcome, head.version), (HeadOutcome::Complete { len: 8 }, Version::Http09));
        assert_eq!(anomalies, [Http09]);
    }

    #[test]
    fn an_empty_target_is_invalid() {
        assert_eq!(request(b"GET  HTTP/1.1\r\nHost: a\r\n\r\n").2, [InvalidTarget]);
    }

    #[test]
    fn more_fields_than_usual_are_all_kept() {
        let raw = format!("GET / HTTP/1.1\r\n{}\r\n", "Host: a\r\n".repeat(200));
        let (outcome, head, anomalies) = request(raw.as_bytes());
        assert_eq!((outcome, head.fields.len()), (HeadOutcome::Complete { len: raw.len() }, 200));
        assert_eq!(anomalies, [DuplicateHost]);
    }

    #[test]
    fn the_longest_head_fits_and_one_byte_more_does_not() {
        let with = |len: usize| format!("GET / HTTP/1.1\r\nHost: a\r\nB: {}\r\n\r\n", "c".repeat(len - 32));
        assert_eq!(request(with(MAX_HEAD).as_bytes()).0, HeadOutcome::Complete { len: MAX_HEAD });
        assert_eq!(request(with(MAX_HEAD + 1).as_bytes()).0, HeadOutcome::TooLong);
        assert_eq!(request(&with(MAX_HEAD).as_bytes()[..MAX_HEAD - 1]).0, HeadOutcome::Partial);
    }
}
