//! The same exchanges written in another way: what a peer may change without saying anything else.

use crate::{Random, Turn};
use std::io::Write as _;

/// Changes every message of every turn that has a head and may have a body.
fn each(turns: &[Turn], mut change: impl FnMut(Message) -> Message) -> Vec<Turn> {
    let mut rewritten = |bytes: &[u8], bodiless: bool| -> Vec<u8> {
        let mut out = Vec::new();
        let mut rest = bytes;
        while let Some(message) = Message::read(&mut rest, bodiless) {
            out.extend(if message.is_plain() { change(message).bytes() } else { message.bytes() });
        }
        out
    };
    let turn = |turn: &Turn| {
        let head = turn.request.starts_with(b"HEAD ");
        Turn { request: rewritten(&turn.request, false), response: rewritten(&turn.response, head) }
    };
    turns.iter().map(turn).collect()
}

struct Message {
    line: String,
    fields: Vec<(String, String)>,
    /// Without transfer coding; `None` where none may be.
    body: Option<Vec<u8>>,
    chunked: bool,
}

impl Message {
    /// Takes the next message off `rest`. A message without length has no body, as those of the shop.
    fn read(rest: &mut &[u8], bodiless: bool) -> Option<Self> {
        let end = rest.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
        let text = String::from_utf8(rest[..end - 4].to_vec()).expect("heads of the shop are text");
        *rest = &rest[end..];
        let mut lines = text.split("\r\n");
        let line = lines.next()?.to_owned();
        let fields: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(n, v)| (n.to_owned(), v.to_owned()))
            .collect();
        let value =
            |name: &str| fields.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.clone());
        let chunked = value("transfer-encoding").is_some();
        let length = value("content-length").and_then(|length| length.parse::<usize>().ok());
        let body = match length {
            _ if bodiless => None,
            _ if chunked => Some(unchunked(rest)),
            Some(length) => {
                let (body, more) = rest.split_at(length);
                *rest = more;
                Some(body.to_vec())
            }
            None => None,
        };
        Some(Self { line, fields, body, chunked })
    }

    /// Interim answers and those that have no body stay what they are.
    fn is_plain(&self) -> bool {
        !self.line.starts_with("HTTP/1.1 1") && self.body.is_some()
    }

    fn set(&mut self, name: &str, value: Option<String>) {
        self.fields.retain(|(field, _)| !field.eq_ignore_ascii_case(name));
        self.fields.extend(value.map(|value| (name.to_owned(), value)));
    }

    fn bytes(&self) -> Vec<u8> {
        let mut out = format!("{}\r\n", self.line).into_bytes();
        for (name, value) in &self.fields {
            out.extend(format!("{name}: {value}\r\n").bytes());
        }
        out.extend(b"\r\n");
        match &self.body {
            Some(body) if self.chunked => out.extend(chunks(body, |_| body.len().max(1))),
            Some(body) => out.extend(body),
            None => {}
        }
        out
    }
}

/// Takes a chunked body without trailers off `rest`.
fn unchunked(rest: &mut &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|two| two == b"\r\n").expect("a chunk's head");
        let size =
            std::str::from_utf8(&rest[..end]).ok().and_then(|size| usize::from_str_radix(size, 16).ok());
        let size = size.expect("a chunk's size");
        body.extend(&rest[end + 2..end + 2 + size]);
        *rest = &rest[end + 4 + size..];
        if size == 0 {
            return body;
        }
    }
}

fn chunks(body: &[u8], mut size: impl FnMut(usize) -> usize) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = body;
    while !rest.is_empty() {
        let (chunk, more) = rest.split_at(size(rest.len()).clamp(1, rest.len()));
        out.extend(format!("{:x}\r\n", chunk.len()).bytes());
        out.extend(chunk);
        out.extend(b"\r\n");
        rest = more;
    }
    out.extend(b"0\r\n\r\n");
    out
}

/// Field names in upper, lower and mixed case.
pub fn header_case(turns: &[Turn], seed: u64) -> Vec<Turn> {
    let mut random = Random::new(seed);
    each(turns, |mut message| {
        for (name, _) in &mut message.fields {
            let turned = name.chars().map(|letter| {
                if random.chance(0.5) { letter.to_ascii_uppercase() } else { letter.to_ascii_lowercase() }
            });
            *name = turned.collect();
        }
        message
    })
}

/// Bodies in chunks of any size.
pub fn chunked(turns: &[Turn], largest: usize, seed: u64) -> Vec<Turn> {
    let mut random = Random::new(seed);
    each(turns, |mut message| {
        message.set("Content-Length", None);
        message.set("Transfer-Encoding", Some("chunked".into()));
        let body = message.body.take().unwrap_or_default();
        message.body = Some(chunks(&body, |_| random.between(1, largest)));
        message.chunked = false;
        message
    })
}

/// Bodies with a Content-Length.
pub fn with_length(turns: &[Turn]) -> Vec<Turn> {
    each(turns, |mut message| {
        message.set("Transfer-Encoding", None);
        message.set("Content-Length", Some(message.body.as_ref().map_or(0, Vec::len).to_string()));
        message.chunked = false;
        message
    })
}

/// Bodies in gzip.
pub fn gzipped(turns: &[Turn]) -> Vec<Turn> {
    each(turns, |mut message| {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(message.body.as_deref().unwrap_or_default()).expect("memory");
        let body = gzip.finish().expect("memory");
        message.set("Content-Encoding", Some("gzip".into()));
        message.set("Transfer-Encoding", None);
        message.set("Content-Length", Some(body.len().to_string()));
        message.body = Some(body);
        message.chunked = false;
        message
    })
}
