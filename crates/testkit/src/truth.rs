//! What could be known of a lossy capture: straightforward offline reading of the loss-free one.
//!
//! Shares no code with `flow` and `protocol`: streams are concatenated, messages are cut by RFC 9112 framing, and each
//! head is traced back to the frames that carried it.

use crate::{Capture, OwnedPacket};
use std::collections::{BTreeMap, BTreeSet};
use tapwire_wire::{Side, TcpFlags};

/// An exchange of a loss-free capture.
#[derive(Debug, Clone)]
pub struct TrueExchange {
    /// Its number, as its request says; 0 without one.
    pub number: u64,
    /// The number its response says.
    pub response_number: u64,
    /// Frames of the request's head; the first is the request's anchor.
    pub request_head: Vec<u64>,
    /// Frames of the heads of the response, interim ones too; the first is its anchor.
    pub response_head: Vec<u64>,
    /// Whether another exchange of the connection was outstanding at the same time.
    pub pipelined: bool,
}

/// What a lossy copy of a capture still shows.
#[derive(Debug, Clone, Default)]
pub struct PossibleSet {
    /// Numbers of exchanges whose heads and anchors are all there, and that were not pipelined.
    pub plain: BTreeSet<u64>,
    /// The same for pipelined ones.
    pub pipelined: BTreeSet<u64>,
}

/// Every exchange of `base`, which must be loss-free, in the order of connections and requests.
pub fn exchanges(base: &Capture) -> Vec<TrueExchange> {
    connections(base).into_values().flat_map(|connection| connection.exchanges()).collect()
}

/// Which of `base`'s exchanges can still be told from `lossy`, whose packets keep `base`'s frame numbers.
pub fn possible(base: &[TrueExchange], lossy: &Capture) -> PossibleSet {
    let left: BTreeSet<u64> = lossy.packets.iter().map(|packet| packet.frame).collect();
    let mut set = PossibleSet::default();
    for exchange in base {
        if exchange.request_head.iter().chain(&exchange.response_head).all(|frame| left.contains(frame)) {
            let numbers = if exchange.pipelined { &mut set.pipelined } else { &mut set.plain };
            numbers.insert(exchange.number);
        }
    }
    set
}

/// A key that tells connections of one 5-tuple apart: the count of SYNs before.
type ConnectionKey = (tapwire_wire::FlowKey, u32);

fn connections(base: &Capture) -> BTreeMap<ConnectionKey, Connection> {
    let mut generation: BTreeMap<tapwire_wire::FlowKey, (u32, u32)> = BTreeMap::new();
    let mut found: BTreeMap<ConnectionKey, Connection> = BTreeMap::new();
    for (position, packet) in base.packets.iter().enumerate() {
        let Some(segment) = packet.segment() else { continue };
        let known = generation.entry(segment.key).or_insert((0, segment.seq.0));
        if segment.flags.has(TcpFlags::SYN) && segment.ack.is_none() && known.1 != segment.seq.0 {
            *known = (known.0 + 1, segment.seq.0);
        }
        found.entry((segment.key, known.0)).or_default().take(packet, position);
    }
    found
}

#[derive(Default)]
struct Connection {
    streams: [Stream; 2],
}

#[derive(Default)]
struct Stream {
    bytes: Vec<u8>,
    first_seq: Option<u32>,
    /// Bytes that arrived early, by offset.
    early: BTreeMap<usize, (Vec<u8>, u64, usize)>,
    /// End offset, frame and position in the capture of every piece of `bytes`.
    pieces: Vec<(usize, u64, usize)>,
}

impl Connection {
    fn take(&mut self, packet: &OwnedPacket, position: usize) {
        let Some(segment) = packet.segment() else { return };
        let side = usize::from(segment.side == Side::Upper);
        let syn = segment.flags.has(TcpFlags::SYN);
        let seq = segment.seq.0.wrapping_add(u32::from(syn));
        if let (Some(ack), false) = (segment.ack, segment.flags.has(TcpFlags::RST)) {
            self.streams[1 - side].first_seq.get_or_insert(ack.0);
        }
        let stream = &mut self.streams[side];
        let from = seq.wrapping_sub(*stream.first_seq.get_or_insert(seq)) as i32;
        if let (Ok(offset), false) = (usize::try_from(from), segment.payload.is_empty()) {
            stream.early.entry(offset).or_insert_with(|| (segment.payload.to_vec(), packet.frame, position));
            stream.settle();
        }
    }

    fn exchanges(&self) -> Vec<TrueExchange> {
        let is_client = |stream: &Stream| is_request(&stream.bytes[proxy_header(&stream.bytes)..]);
        let (client, server) = match &self.streams {
            [lower, upper] if is_client(lower) => (lower, upper),
            [lower, upper] if is_client(upper) => (upper, lower),
            _ => return Vec::new(),
        };
        let mut reading = Reading { client, server, asked: proxy_header(&client.bytes), answered: 0 };
        let mut spans = Vec::new();
        while let Some(span) = reading.exchange() {
            spans.push(span);
        }
        let overlap = |earlier: &Span, later: &Span| {
            client.position(later.request.0) < server.position(earlier.response.1.saturating_sub(1))
        };
        let pairs: Vec<bool> = spans.windows(2).map(|two| overlap(&two[0], &two[1])).collect();
        let joined = |index: usize| pairs.get(index).copied().unwrap_or(false);
        let exchange = |(index, span): (usize, &Span)| TrueExchange {
            number: span.numbers.0,
            response_number: span.numbers.1,
            request_head: client.frames(span.request.0, span.request.1),
            response_head: server.frames(span.response.0, span.head_end),
            pipelined: joined(index) || (index > 0 && joined(index - 1)),
        };
        spans.iter().enumerate().map(exchange).collect()
    }
}

impl Stream {
    fn settle(&mut self) {
        while let Some((&offset, _)) = self.early.range(..=self.bytes.len()).next() {
            let Some((payload, frame, position)) = self.early.remove(&offset) else { return };
            if let Some(new) = payload.get(self.bytes.len() - offset..).filter(|new| !new.is_empty()) {
                self.bytes.extend_from_slice(new);
                self.pieces.push((self.bytes.len(), frame, position));
            }
        }
    }

    fn piece(&self, offset: usize) -> usize {
        self.pieces.partition_point(|(end, _, _)| *end <= offset)
    }

    fn position(&self, offset: usize) -> usize {
        self.pieces.get(self.piece(offset)).map_or(usize::MAX, |(_, _, position)| *position)
    }

    fn frames(&self, from: usize, to: usize) -> Vec<u64> {
        let pieces = &self.pieces[self.piece(from)..];
        let first = pieces.first().into_iter();
        let rest = pieces.windows(2).filter(|two| two[0].0 < to).map(|two| &two[1]);
        first.chain(rest).map(|(_, frame, _)| *frame).collect()
    }
}

/// Offsets of an exchange: the request's head in the client's stream, the final response in the server's.
struct Span {
    request: (usize, usize),
    response: (usize, usize),
    head_end: usize,
    numbers: (u64, u64),
}

struct Reading<'a> {
    client: &'a Stream,
    server: &'a Stream,
    asked: usize,
    answered: usize,
}

impl Reading<'_> {
    /// The next exchange that is whole; `None` at the end and where the connection stops speaking HTTP.
    fn exchange(&mut self) -> Option<Span> {
        let request = head(&self.client.bytes, self.asked)?;
        let method = request.text.split(' ').next()?.to_owned();
        let answer = self.answered;
        let mut response = head(&self.server.bytes, self.answered)?;
        while (100..200).contains(&response.status()) && response.status() != 101 {
            self.answered = response.end;
            response = head(&self.server.bytes, self.answered)?;
        }
        let start = self.asked;
        let tunnel = response.status() == 101 || (method == "CONNECT" && response.status() / 100 == 2);
        let bodiless = method == "HEAD" || matches!(response.status(), 204 | 304);
        // A refused upload may stop anywhere: what follows is not a message.
        let request_end = request.body_end(&self.client.bytes, false).unwrap_or(usize::MAX);
        let response_end =
            if bodiless || tunnel { response.end } else { response.body_end(&self.server.bytes, true)? };
        self.asked = if tunnel { usize::MAX } else { request_end };
        self.answered = response_end;
        Some(Span {
            request: (start, request.end),
            response: (answer, response_end),
            head_end: response.end,
            numbers: (request.number(), response.number()),
        })
    }
}

struct Head {
    text: String,
    end: usize,
}

fn head(bytes: &[u8], at: usize) -> Option<Head> {
    let rest = bytes.get(at..)?;
    let length = rest.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    Some(Head { text: String::from_utf8_lossy(&rest[..length]).into_owned(), end: at + length })
}

impl Head {
    fn field(&self, name: &str) -> Option<&str> {
        self.text.lines().skip(1).find_map(|line| {
            let (field, value) = line.split_once(':')?;
            field.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }

    fn status(&self) -> u16 {
        self.text.split(' ').nth(1).and_then(|status| status.trim().parse().ok()).unwrap_or(0)
    }

    fn number(&self) -> u64 {
        let target = self.text.split(' ').nth(1).unwrap_or_default();
        let query = target.split_once('?').map_or("", |(_, query)| query);
        let in_query = || query.split('&').find_map(|pair| pair.strip_prefix("n="));
        self.field("X-Exchange").or_else(in_query).and_then(|number| number.parse().ok()).unwrap_or(0)
    }

    /// RFC 9112, 6.3: where the body ends; `None` when the stream stops before.
    fn body_end(&self, bytes: &[u8], until_close: bool) -> Option<usize> {
        if self
            .field("Transfer-Encoding")
            .is_some_and(|coding| coding.to_ascii_lowercase().ends_with("chunked"))
        {
            return chunks_end(bytes, self.end);
        }
        let end = match self.field("Content-Length") {
            Some(length) => self.end + length.parse::<usize>().ok()?,
            None if until_close => bytes.len(),
            None => self.end,
        };
        (end <= bytes.len()).then_some(end)
    }
}

fn chunks_end(bytes: &[u8], mut at: usize) -> Option<usize> {
    let line_end = |at: usize| Some(at + bytes.get(at..)?.windows(2).position(|two| two == b"\r\n")? + 2);
    loop {
        let next = line_end(at)?;
        let line = std::str::from_utf8(&bytes[at..next]).ok()?;
        let size = usize::from_str_radix(line.split(';').next()?.trim(), 16).ok()?;
        at = next + size;
        if size == 0 {
            break;
        }
        at += 2;
    }
    loop {
        let next = line_end(at)?;
        if next == at + 2 {
            return Some(next);
        }
        at = next;
    }
}

fn is_request(bytes: &[u8]) -> bool {
    let line = bytes.split(|byte| *byte == b'\r').next().unwrap_or_default();
    line.windows(6).any(|six| six == b" HTTP/") && !line.starts_with(b"HTTP/")
}

/// Length of a PROXY protocol header in front of the stream; 0 without one.
fn proxy_header(bytes: &[u8]) -> usize {
    if bytes.starts_with(b"PROXY ") {
        return bytes.windows(2).position(|two| two == b"\r\n").map_or(0, |at| at + 2);
    }
    match bytes {
        [b'\r', b'\n', b'\r', b'\n', 0, b'\r', b'\n', b'Q', b'U', b'I', b'T', b'\n', _, _, high, low, ..] => {
            (16 + usize::from(u16::from_be_bytes([*high, *low]))).min(bytes.len())
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Conversation, Sending, shop_turns};

    #[test]
    fn every_exchange_is_found_with_its_own_answer() {
        for sending in [Sending::AfterAnswer, Sending::Batch(3), Sending::Rolling(2)] {
            let base = Conversation { sending, ..Conversation::new(shop_turns(40, 3), 3) }.play();
            let found = exchanges(&base);
            assert!(found.iter().map(|exchange| exchange.number).eq(1..=40));
            assert!(found.iter().all(|exchange| exchange.number == exchange.response_number));
            assert_eq!(found.iter().any(|exchange| exchange.pipelined), sending != Sending::AfterAnswer);
        }
    }

    #[test]
    fn without_its_anchor_an_exchange_is_not_possible() {
        let base = Conversation::new(shop_turns(10, 4), 4).play();
        let found = exchanges(&base);
        let mut lossy = base.clone();
        let anchor = found[3].response_head[0];
        lossy.packets.retain(|packet| packet.frame != anchor);
        let left = possible(&found, &lossy);
        assert_eq!(left.plain.len(), 9);
        assert!(!left.plain.contains(&4));
    }
}
