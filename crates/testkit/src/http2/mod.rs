//! HTTP/2 conversations: the same exchanges written in many ways, each with its truth.

mod from_http1;
mod hpack;

pub use from_http1::Translation;
pub use hpack::{Encoder, Indexing};

use crate::{Random, Turn};

/// How both peers write.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    /// Strings as Huffman codes.
    pub huffman: bool,
    /// What goes into the tables.
    pub indexing: Indexing,
    /// The most bytes of padding of a frame; 0 for none.
    pub padding: usize,
    /// The most bytes of a part of a header block; 0 leaves it whole.
    pub fragment: usize,
    /// The most bytes of a DATA frame.
    pub data: usize,
    /// Priority in front of header blocks, and frames that say nothing of messages.
    pub chatter: bool,
    /// Exchanges whose frames are mixed.
    pub streams: usize,
}

impl Style {
    /// As most peers write.
    pub const fn usual() -> Self {
        Self {
            huffman: true,
            indexing: Indexing::Always,
            padding: 0,
            fragment: 0,
            data: 16_384,
            chatter: false,
            streams: 1,
        }
    }

    /// At random.
    pub fn any(random: &mut Random) -> Self {
        Self {
            huffman: random.chance(0.5),
            indexing: *random.pick(&[Indexing::Never, Indexing::Always, Indexing::Mixed]),
            padding: *random.pick(&[0, 0, 1, 40, 255]),
            fragment: *random.pick(&[0, 0, 7, 50]),
            data: *random.pick(&[16_384, 1_000, 100]),
            chatter: random.chance(0.5),
            streams: random.between(1, 5),
        }
    }
}

/// Fields of a message, pseudo-header fields first.
pub type Fields = Vec<(String, String)>;

/// One exchange as it was meant.
#[derive(Debug, Clone, Default)]
pub struct Meant {
    /// Its stream.
    pub stream: u32,
    /// The request's fields.
    pub request: Fields,
    /// The request's body.
    pub upload: Vec<u8>,
    /// The response's fields.
    pub response: Fields,
    /// The response's body.
    pub body: Vec<u8>,
    /// Fields behind the response's body.
    pub trailers: Fields,
}

/// A frame on its way, and of which exchange it is.
#[derive(Debug, Clone)]
pub struct Frame {
    /// From the client.
    pub to_server: bool,
    /// Its stream; 0 is the connection.
    pub stream: u32,
    /// Its type.
    pub kind: u8,
    /// Head and payload.
    pub bytes: Vec<u8>,
}

/// A connection as frames in the order of their sending, a list for each turn.
#[derive(Debug, Clone)]
pub struct Script {
    /// What was meant, in the order of streams.
    pub meant: Vec<Meant>,
    /// What was written. The client's frames of a turn come before the server's.
    pub turns: Vec<Vec<Frame>>,
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

impl Script {
    /// `count` exchanges, numbered from 1 in `x-exchange`; exchange n has stream 2n-1.
    pub fn new(count: u64, style: Style, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let meant: Vec<Meant> = (1..=count).map(|number| exchange(number, &mut random)).collect();
        Self::of(meant, style, seed)
    }

    /// These exchanges.
    pub fn of(meant: Vec<Meant>, style: Style, seed: u64) -> Self {
        let encoder = |seed| Encoder::new(style.huffman, style.indexing, seed);
        let random = Random::new(seed ^ 0x6832);
        let mut writer = Writer { style, client: encoder(seed), server: encoder(seed + 1), random };
        let mut turns = Vec::new();
        for exchanges in meant.chunks(style.streams.max(1)) {
            let mut frames = if turns.is_empty() { opening() } else { Vec::new() };
            frames.extend(writer.turn(exchanges));
            turns.push(frames);
        }
        Self { meant, turns }
    }

    /// As turns of a [`crate::Conversation`].
    pub fn turns(&self) -> Vec<Turn> {
        let said = |frames: &[Frame], to_server: bool| {
            let of_side = frames.iter().filter(|frame| frame.to_server == to_server);
            of_side.flat_map(|frame| frame.bytes.clone()).collect()
        };
        self.turns
            .iter()
            .map(|turn| Turn { request: said(turn, true), response: said(turn, false) })
            .collect()
    }
}

/// The preface, and the settings of both.
fn opening() -> Vec<Frame> {
    let settings = frame(4, 0, 0, &[0, 3, 0, 0, 0, 100, 0, 4, 0, 16, 0, 0]);
    let hello = Frame { bytes: [PREFACE, &settings].concat(), ..of(true, 0, 4, Vec::new()) };
    vec![
        hello,
        of(true, 0, 8, frame(8, 0, 0, &[0, 15, 0, 1])),
        of(false, 0, 4, settings),
        of(false, 0, 4, frame(4, 1, 0, &[])),
    ]
}

const fn of(to_server: bool, stream: u32, kind: u8, bytes: Vec<u8>) -> Frame {
    Frame { to_server, stream, kind, bytes }
}

/// Head and payload (RFC 9113, 4.1).
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

struct Writer {
    style: Style,
    client: Encoder,
    server: Encoder,
    random: Random,
}

impl Writer {
    /// Requests in order, then the answers; frames of one direction are mixed, header blocks stay whole.
    fn turn(&mut self, exchanges: &[Meant]) -> Vec<Frame> {
        let mut frames = Vec::new();
        for to_server in [true, false] {
            let mut queues: Vec<Vec<Vec<Frame>>> = Vec::new();
            for meant in exchanges {
                queues.push(self.message(meant, to_server));
            }
            if self.style.chatter {
                queues.push(vec![
                    vec![of(to_server, 0, 6, frame(6, 0, 0, b"pingpong"))],
                    vec![of(to_server, 0, 8, frame(8, 0, 0, &[0, 0, 1, 0]))],
                ]);
            }
            frames.extend(self.mix(queues));
        }
        frames
    }

    /// Blocks are encoded in the order of sending, so heads come first, in the order of streams; bodies are mixed.
    fn mix(&mut self, mut queues: Vec<Vec<Vec<Frame>>>) -> Vec<Frame> {
        let mut frames = Vec::new();
        for queue in &mut queues {
            frames.extend(queue.remove(0));
        }
        while queues.iter().any(|queue| !queue.is_empty()) {
            let place = self.random.below(queues.len());
            if !queues[place].is_empty() {
                frames.extend(queues[place].remove(0));
            }
        }
        frames
    }

    /// A message as pieces that nothing of the same connection comes between.
    fn message(&mut self, meant: &Meant, to_server: bool) -> Vec<Vec<Frame>> {
        let (fields, body) =
            if to_server { (&meant.request, &meant.upload) } else { (&meant.response, &meant.body) };
        let trailers: &[_] = if to_server { &[] } else { &meant.trailers };
        let ends = body.is_empty() && trailers.is_empty();
        let mut pieces = vec![self.block(meant.stream, to_server, fields, ends)];
        let count = body.len().div_ceil(self.style.data);
        for (part, nth) in body.chunks(self.style.data).zip(1..) {
            let last = nth == count && trailers.is_empty();
            pieces.push(vec![self.data(meant.stream, to_server, part, last)]);
        }
        if !trailers.is_empty() {
            // What no table takes may be encoded at any time.
            let indexing = std::mem::replace(&mut self.encoder(to_server).indexing, Indexing::Never);
            let block = self.block(meant.stream, to_server, trailers, true);
            self.encoder(to_server).indexing = indexing;
            pieces.push(block);
        }
        pieces
    }

    fn encoder(&mut self, to_server: bool) -> &mut Encoder {
        if to_server { &mut self.client } else { &mut self.server }
    }

    fn block(&mut self, stream: u32, to_server: bool, fields: &[(String, String)], ends: bool) -> Vec<Frame> {
        let block = self.encoder(to_server).block(fields);
        let size = if self.style.fragment == 0 { block.len() } else { self.style.fragment };
        let count = block.len().div_ceil(size.max(1)).max(1);
        let mut frames = Vec::new();
        for (part, nth) in block.chunks(size.max(1)).zip(1..) {
            let ends_headers = if nth == count { 4 } else { 0 };
            if nth > 1 {
                frames.push(of(to_server, stream, 9, frame(9, ends_headers, stream, part)));
                continue;
            }
            let (mut flags, mut payload) = (ends_headers | u8::from(ends), Vec::new());
            if self.style.chatter && to_server {
                flags |= 0x20;
                payload.extend([0, 0, 0, 0, 16]);
            }
            payload.extend_from_slice(part);
            frames.push(of(to_server, stream, 1, self.padded(1, flags, stream, &payload)));
        }
        frames
    }

    fn data(&mut self, stream: u32, to_server: bool, part: &[u8], last: bool) -> Frame {
        of(to_server, stream, 0, self.padded(0, u8::from(last), stream, part))
    }

    fn padded(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        if self.style.padding == 0 || self.random.chance(0.3) {
            return frame(kind, flags, stream, payload);
        }
        let padding = self.random.between(0, self.style.padding);
        frame(kind, flags | 8, stream, &[&[padding as u8], payload, &vec![0; padding]].concat())
    }
}

fn field(name: &str, value: impl Into<String>) -> (String, String) {
    (name.to_owned(), value.into())
}

/// An exchange of the shop.
fn exchange(number: u64, random: &mut Random) -> Meant {
    let posts = random.chance(0.3);
    let order = random.between(1, 5_000);
    let mut meant = Meant { stream: (2 * number - 1) as u32, ..Meant::default() };
    let method = if posts { "POST" } else { "GET" };
    meant.request = vec![
        field(":method", method),
        field(":scheme", "http"),
        field(":authority", "shop.test"),
        field(":path", format!("/orders/{order}")),
        field("user-agent", "shop/1.0"),
        field("authorization", format!("Bearer {}", "t".repeat(1 + order % 40))),
        field("cookie", format!("session={}", order % 5)),
        field("x-exchange", number.to_string()),
    ];
    if posts {
        meant.upload = vec![b'u'; random.between(1, 4_000)];
        meant.request.push(field("content-length", meant.upload.len().to_string()));
    }
    let status = *random.pick(&["200", "200", "204", "404"]);
    meant.response = vec![
        field(":status", status),
        field("server", "site"),
        field("x-exchange", number.to_string()),
        field("content-type", *random.pick(&["application/json", "application/grpc"])),
    ];
    if status != "204" {
        meant.body = vec![b'a'; random.between(1, 9_000)];
        if random.chance(0.5) {
            meant.response.push(field("content-length", meant.body.len().to_string()));
        }
        if random.chance(0.3) {
            meant.trailers = vec![field("grpc-status", "0"), field("x-sum", order.to_string())];
        }
    }
    meant
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Conversation, sense};

    #[test]
    fn every_style_says_the_same() {
        let mut random = Random::new(5);
        let facts = |style: Style| {
            let script = Script::new(60, style, 9);
            let sensed = sense(&Conversation::new(script.turns(), 9).play());
            let odd = sensed.rows.iter().find(|row| !row.anomalies.is_empty());
            assert!(odd.is_none(), "{style:?} {odd:?}");
            sensed.facts()
        };
        let usual = facts(Style::usual());
        assert_eq!(usual.len(), 60);
        for _ in 0..60 {
            let style = Style::any(&mut random);
            assert_eq!(facts(style), usual, "{style:?}");
        }
    }
}
