//! What differs between receivers that speak HTTP.

use super::target::Target;
use crate::SinkError;
use crate::courier::Taken;
use crate::queue::Load;

/// How one kind of receiver wants its requests, and what its answers mean.
pub(crate) struct Dialect {
    /// Of the request body.
    pub(super) content_type: &'static str,
    /// The scheme of `Authorization` before the token; `None`: the token signs the body.
    pub(super) authorization: Option<&'static str>,
    /// Whether it takes compressed requests.
    pub(super) gzip: bool,
    /// Events of one request at most.
    pub(super) most_events: u32,
    /// Completes the address.
    pub(super) place: fn(&mut Target) -> Result<(), SinkError>,
    /// Writes a request's body.
    pub(super) encode: fn(&Load, &mut Vec<u8>),
    /// What became of the events, by status and body; `None`: nothing of the request was taken.
    pub(super) judge: fn(&Load, u16, &[u8]) -> Option<Taken>,
    /// Whether the body of a 2xx is this kind of receiver's; nothing counts as taken by another.
    pub(super) understands: fn(&[u8]) -> bool,
}

/// Lines as they are.
pub(super) const NDJSON: Dialect = Dialect {
    content_type: "application/x-ndjson",
    authorization: Some("Bearer"),
    gzip: true,
    most_events: u32::MAX,
    place: |_as_given| Ok(()),
    encode: |load, out| load.lines().for_each(|line| out.extend_from_slice(line)),
    judge: |_all, status, _said| by_status(status),
    understands: |_any| true,
};

/// Everything was taken, or nothing.
pub(super) fn by_status(status: u16) -> Option<Taken> {
    (200..300).contains(&status).then(Taken::default)
}

/// A line without its end.
pub(super) fn trimmed(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\n").unwrap_or(line)
}

/// The text behind the first `"key":"` of a line, up to the next quote.
pub(crate) fn text_behind<'l>(line: &'l [u8], key: &str) -> Option<&'l [u8]> {
    let from = find(line, key.as_bytes())? + key.len();
    let rest = line.get(from..)?;
    rest.get(..find(rest, b"\"")?)
}

/// The digits behind the first `"key":` of a line.
pub(crate) fn number_behind(line: &[u8], key: &str) -> Option<u64> {
    let from = find(line, key.as_bytes())? + key.len();
    let digits: Vec<u8> = line.get(from..)?.iter().copied().take_while(u8::is_ascii_digit).take(19).collect();
    std::str::from_utf8(&digits).ok()?.parse().ok()
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    memchr::memmem::find(text, what)
}
