//! Fuzz bytes as the events of one conversation.

use super::side;
use crate::fuzz::input::Choices;
use tapwire_flow::{Evidence, StreamOffset};
use tapwire_wire::{SeqNumber, Side};

/// A stream event that owns its bytes.
#[derive(Debug)]
pub(super) enum Event {
    Data { side: Side, at: StreamOffset, peer_at: Option<StreamOffset>, bytes: Vec<u8> },
    Gap { side: Side, at: StreamOffset, len: u64, acked_at: Option<StreamOffset> },
    Fin(Side),
    Evidence(Side, StreamOffset, Evidence),
}

const MOST_EVENTS: usize = 400;

/// Lines and heads that lead somewhere; the fuzzer puts its own bytes between them.
const SNIPPETS: &[&str] = &[
    "GET / HTTP/1.1\r\n",
    "GET /a?n=1 HTTP/1.1\r\nHost: a\r\n\r\n",
    "POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello",
    "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
    "HEAD / HTTP/1.1\r\n\r\n",
    "PUT / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n",
    "CONNECT a:443 HTTP/1.1\r\n\r\n",
    "GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    "GET / HTTP/1.0\r\n\r\n",
    "GET /\r\n",
    "HTTP/1.1 200 OK\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    "HTTP/1.1 200 OK\r\n\r\n",
    "HTTP/1.1 204 No Content\r\n\r\n",
    "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
    "HTTP/1.1 100 Continue\r\n\r\n",
    "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n",
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n",
    "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\na",
    "HTTP/1.1 400 Bad\r\nConnection: close\r\n\r\n",
    "5\r\nhello\r\n",
    "3;a=b\r\nabc\r\n",
    "0\r\n\r\n",
    "0\r\nX-Sum: 1\r\nContent-Length: 4\r\n\r\n",
    "Content-Length: 3\r\n",
    "Content-Length: 3, 3\r\n",
    "Content-Length: +4\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Transfer-Encoding: gzip, chunked\r\n",
    "Transfer-Encoding:\x0bchunked\r\n",
    "Transfer-Encoding : chunked\r\n",
    "Connection: close\r\n",
    "X: a\r\n folded\r\n",
    "X: a\nY: b\n\n",
    "\r\n",
    "\n",
    "PROXY TCP4 192.0.2.7 192.0.2.8 1 2\r\n",
    "PROXY UNKNOWN\r\n",
    "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x01\x02\x03\x04\x05\x06\x07\x08\0\x01\0\x02",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "\x16\x03\x01\x02\0\x01\0\x01\x7c\x03\x03",
];

/// The conversation under way.
pub(super) struct Script {
    /// Where each direction stands.
    next: [StreamOffset; 2],
    events: Vec<Event>,
    number: u64,
}

impl Script {
    /// Reads operations to the end of the input. In an `honest` conversation peers speak in turn and number what they
    /// say; in the other anything is said at any time.
    pub(super) fn read(honest: bool, choices: &mut Choices<'_>) -> Vec<Event> {
        let first = |seq| StreamOffset::first(SeqNumber(seq));
        let mut script = Self { next: [first(101), first(501)], events: Vec::new(), number: 0 };
        while !choices.is_empty() && script.events.len() < MOST_EVENTS {
            if honest { script.turn(choices) } else { script.anything(choices) }
        }
        script.events
    }

    fn anything(&mut self, choices: &mut Choices<'_>) {
        let kind = choices.byte();
        let from = usize::from(kind >> 7);
        match kind & 0x7f {
            0..=63 => self.say(from, SNIPPETS[usize::from(kind & 0x7f) % SNIPPETS.len()].as_bytes(), choices),
            64..=95 => {
                let len = usize::from(choices.byte());
                let bytes = choices.take(len);
                self.say(from, bytes, choices);
            }
            96..=103 => {
                let chunk = format!("{:x}\r\n{}\r\n", kind & 0x7f, "x".repeat(usize::from(kind & 0x7f)));
                self.say(from, chunk.as_bytes(), choices);
            }
            104..=115 => {
                let acked_at = choices.flag().then_some(self.next[1 - from]);
                let len = u64::from(choices.byte()).max(1);
                self.lose(from, len, acked_at);
            }
            116..=118 => self.events.push(Event::Fin(side(from))),
            _ => {
                const EVIDENCE: [Evidence; 3] =
                    [Evidence::OverlapConflict, Evidence::ResetOutOfWindow, Evidence::BadChecksum];
                let evidence = choices.pick(&EVIDENCE);
                self.events.push(Event::Evidence(side(from), self.next[from], evidence));
            }
        }
    }

    /// One chunk; what it acknowledges is all, less, or nothing.
    fn say(&mut self, from: usize, bytes: &[u8], choices: &mut Choices<'_>) {
        let before = StreamOffset::first(self.next[1 - from].seq().add(0u32.wrapping_sub(40)));
        let peer_at = match choices.byte() {
            0xff => None,
            0xf0..0xff => Some(before),
            _ => Some(self.next[1 - from]),
        };
        self.data(from, bytes, peer_at);
    }

    fn data(&mut self, from: usize, bytes: &[u8], peer_at: Option<StreamOffset>) {
        if bytes.is_empty() {
            return;
        }
        let at = self.next[from];
        self.events.push(Event::Data { side: side(from), at, peer_at, bytes: bytes.to_vec() });
        self.next[from] = at + bytes.len() as u64;
    }

    fn lose(&mut self, from: usize, len: u64, acked_at: Option<StreamOffset>) {
        let at = self.next[from];
        // Two holes in a row are one.
        match self.events.last_mut() {
            Some(Event::Gap { side: of, len: before, acked_at: at, .. }) if *of == side(from) => {
                *before += len;
                *at = acked_at;
            }
            _ => self.events.push(Event::Gap { side: side(from), at, len, acked_at }),
        }
        self.next[from] = at + len;
    }

    /// Some requests, then their answers, in segments of which some are lost.
    fn turn(&mut self, choices: &mut Choices<'_>) {
        let shape = choices.byte();
        let batch = if shape & 0xc0 == 0xc0 { 3 } else { 1 };
        let first = self.number;
        for _ in 0..batch {
            self.number += 1;
            let request = request(self.number, choices.byte());
            self.send(0, &request, choices);
        }
        for number in first + 1..=self.number {
            let response = response(number, choices.byte());
            self.send(1, &response, choices);
        }
    }

    fn send(&mut self, from: usize, bytes: &[u8], choices: &mut Choices<'_>) {
        const SIZES: [usize; 4] = [1_460, 64, 17, 200];
        let how = choices.byte();
        let lost = if how & 4 == 0 { 0 } else { choices.byte() };
        let peer = self.next[1 - from];
        for (segment, nth) in bytes.chunks(SIZES[usize::from(how & 3)]).zip(0..) {
            if lost >> (nth % 8) & 1 == 1 {
                self.lose(from, segment.len() as u64, (how & 8 == 0).then_some(peer));
            } else {
                self.data(from, segment, Some(peer));
            }
        }
    }
}

/// A request that carries its number.
fn request(number: u64, shape: u8) -> Vec<u8> {
    let body = "b".repeat(usize::from(shape >> 3) * 5);
    let line = |method, rest: &str| {
        format!("{method} /{number} HTTP/1.1\r\nHost: a\r\nX-Exchange: {number}\r\n{rest}").into_bytes()
    };
    match shape & 7 {
        0..=3 => line("GET", "\r\n"),
        4 => line(
            "POST",
            &format!("Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}x\r\n0\r\n\r\n", body.len() + 1),
        ),
        5 => line("DELETE", "\r\n"),
        _ => line("POST", &format!("Content-Length: {}\r\n\r\n{body}", body.len())),
    }
}

/// A response that carries its number.
fn response(number: u64, shape: u8) -> Vec<u8> {
    let body = "b".repeat(usize::from(shape >> 3) * 9);
    let line = |status, rest: &str| {
        format!("HTTP/1.1 {status} S\r\nX-Exchange: {number}\r\nServer: a\r\n{rest}").into_bytes()
    };
    match shape & 7 {
        0 | 1 => line(200, &format!("Content-Length: {}\r\n\r\n{body}", body.len())),
        2 => line(204, "\r\n"),
        3 => line(304, "\r\n"),
        4 => [&b"HTTP/1.1 100 Continue\r\n\r\n"[..], &line(201, "Content-Length: 0\r\n\r\n")].concat(),
        5 => line(503, "Content-Length: 2\r\n\r\nno"),
        _ => line(
            200,
            &format!("Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}x\r\n0\r\n\r\n", body.len() + 1),
        ),
    }
}
