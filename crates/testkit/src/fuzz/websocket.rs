//! Streams behind an HTTP/1 handshake: WebSocket frames, and server-sent events behind their 30 seconds.
//!
//! What is said of a stream must be the same however its bytes are cut, and every byte must be counted.

use super::flow_info::flow_info;
use super::input::Choices;
use super::laws;
use tapwire_flow::{Chunk, CloseReason, Gap, StreamEvent, StreamOffset, StreamSink};
use tapwire_protocol::{BodyPart, Config, Connection, Exchange, ExchangeSink, Protocols};
use tapwire_wire::{SeqNumber, Side, SourceId};

const ASK: &[u8] = b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

const ANSWERS: [&[u8]; 4] = [
    b"HTTP/1.1 101 S\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
    b"HTTP/1.1 101 S\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
    b"HTTP/1.1 101 S\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover; server_max_window_bits=8\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n",
];

/// One thing that happens behind the handshake.
enum Event<'a> {
    Bytes(Side, &'a [u8]),
    Gap(Side, u64),
}

/// The first bytes choose the stream, the split and the limits; the rest are pieces of either direction, and holes.
pub fn run(data: &[u8]) {
    let mut choices = Choices::new(data);
    let answer = choices.pick(&ANSWERS);
    let split = usize::from(choices.byte()).max(1);
    let config = Config {
        body_bytes: 1 + usize::from(choices.byte()) * 16,
        children_per_second: 1 + u32::from(choices.byte()),
        ..Config::default()
    };
    let mut events = Vec::new();
    while !choices.is_empty() {
        let operation = choices.byte();
        let side = if operation & 1 == 0 { Side::Lower } else { Side::Upper };
        let len = usize::from(choices.byte());
        events.push(if operation >= 0xf0 {
            Event::Gap(side, len as u64 + 1)
        } else {
            Event::Bytes(side, choices.take(len))
        });
    }
    let whole = read(answer, &events, usize::MAX, &config);
    let pieces = read(answer, &events, split, &config);
    // Behind a hole the place of the next frame is told by segments.
    if events.iter().all(|event| matches!(event, Event::Bytes(..))) && !whole.lost && !pieces.lost {
        assert_eq!(whole.told, pieces.told, "split elsewhere");
    }
}

/// What was said of a stream.
struct Read {
    told: Vec<String>,
    /// The place of a frame was lost.
    lost: bool,
}

fn read(answer: &[u8], events: &[Event<'_>], split: usize, config: &Config) -> Read {
    let flow = flow_info(true);
    let mut protocols = Protocols::new(config.clone(), Listener::default());
    let mut state = Connection::default();
    let mut next = [StreamOffset::first(SeqNumber(101)), StreamOffset::first(SeqNumber(501))];
    let (mut bytes_in, mut time) = (0, flow.opened);
    let mut say = |side: Side, said: Result<&[u8], u64>, split: usize, time| {
        let (at, peer_at) = (next[side as usize], Some(next[side.peer() as usize]));
        let len = match said {
            Err(len) => {
                let gap = Gap { side, at, len, acknowledged: len, acked_at: peer_at, time };
                protocols.event(&flow, &mut state, StreamEvent::Gap(gap));
                len
            }
            Ok(bytes) => {
                let mut at = at;
                for piece in bytes.chunks(split) {
                    let chunk =
                        Chunk { side, at, bytes: piece, peer_at, time, frame: 1, source: SourceId(0) };
                    protocols.event(&flow, &mut state, StreamEvent::Data(chunk));
                    at = at + piece.len() as u64;
                }
                bytes.len() as u64
            }
        };
        next[side as usize] = at + len;
        protocols.take_alarm().into_iter().for_each(|after| {
            protocols.event(&flow, &mut state, StreamEvent::Time(time + after));
        });
    };
    say(Side::Lower, Ok(ASK), usize::MAX, time);
    say(Side::Upper, Ok(answer), usize::MAX, time);
    bytes_in += (ASK.len() + answer.len()) as u64;
    time = time + 40_000_000_000;
    for event in events {
        time = time + 1_000_000;
        match event {
            Event::Bytes(side, bytes) => {
                bytes_in += bytes.len() as u64;
                say(*side, Ok(bytes), split, time);
            }
            Event::Gap(side, len) => say(*side, Err(*len), split, time),
        }
    }
    protocols.event(&flow, &mut state, StreamEvent::Close(CloseReason::End));
    let counters = *protocols.counters();
    laws::protocol(&counters, bytes_in);
    let Listener { told, ends, parts } = protocols.into_sink();
    assert!(ends <= 1, "a stream ends once");
    assert!(parts.is_empty(), "parts of a message that no exchange holds");
    assert!(counters.exchanges <= bytes_in + events.len() as u64 + 3, "a message takes a byte at least");
    Read { told, lost: counters.lost_bytes > 0 }
}

#[derive(Default)]
struct Listener {
    told: Vec<String>,
    ends: usize,
    parts: std::collections::BTreeSet<u64>,
}

impl ExchangeSink for Listener {
    fn exchange(&mut self, exchange: Exchange) {
        if let Some(child) = &exchange.child {
            assert_eq!(self.ends, 0, "nothing of a stream comes behind its end");
            assert!(!self.told.is_empty(), "the parent comes first");
            assert!(exchange.request.is_some() != exchange.response.is_some(), "a child has one half");
            self.ends += usize::from(child.kind.name() == "end");
        }
        let mut line = format!("{:?} {}", exchange.child.as_ref().map(|child| child.index), exchange.uid());
        for half in [&exchange.request, &exchange.response].into_iter().flatten() {
            self.parts.remove(&half.id.0);
            assert!(half.body.missed <= half.body.len);
            let shown = (half.body.len, half.body.cut, half.seen, half.at);
            line += &format!(" {shown:?} {:?}", laws::anomalies(half.anomalies));
        }
        self.told.push(line);
    }

    fn body_part(&mut self, part: BodyPart) {
        self.parts.insert(part.message.0);
    }
}
