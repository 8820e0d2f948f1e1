//! A whole HTTP/2 connection: both directions, whole and broken frames, holes, in chunks of any size.
//!
//! Four readings of one connection must agree or be beside each other: as it came, every chunk split at other places,
//! without bodies, and with holes. Whatever is lost, a stream's known fields are those that it has without the loss.

use super::flow_info::flow_info;
use super::input::Choices;
use super::laws;
use crate::http2::{Script, Style, frame};
use std::collections::BTreeMap;
use tapwire_flow::{Chunk, CloseReason, Gap, StreamEvent, StreamOffset, StreamSink};
use tapwire_protocol::{BodyPart, Config, Connection, Counters, Exchange, ExchangeSink, Message, Protocols};
use tapwire_wire::{SeqNumber, Side, SourceId};

/// The most frames of a connection.
const MOST_FRAMES: usize = 400;

/// The first bytes choose the mode and how chunks are split, the rest are frames.
pub fn run(data: &[u8]) {
    let mut choices = Choices::new(data);
    let mode = choices.byte();
    let (honest, handshake) = (mode & 1 == 1, mode & 2 == 0);
    let split = usize::from(choices.byte()).max(1);
    let body_bytes = 1 + usize::from(choices.byte()) * 8;
    let said = if honest { honest_frames(&mut choices) } else { any_frames(&mut choices) };
    let config = Config { body_bytes, ..Config::default() };
    let whole = read(&said, handshake, usize::MAX, config.clone());
    let bare =
        read(&said, handshake, usize::MAX, Config { body_bytes: 0, body_parts: false, ..Config::default() });
    assert_eq!(whole.counters, bare.counters, "without bodies");
    assert_eq!(whole.streams, bare.streams, "without bodies");
    let unbroken = said.iter().all(|said| !said.lost);
    let pieces = read(&said, handshake, split, config);
    if handshake && unbroken && whole.counters.lost_bytes == 0 && whole.counters.opaque_bytes == 0 {
        assert_eq!(whole.streams, pieces.streams, "split elsewhere");
    }
    if honest {
        let intact: Vec<Said> = said.iter().map(|said| Said { lost: false, ..said.clone() }).collect();
        let truth = read(&intact, true, usize::MAX, Config::default());
        check_fields(&truth, &whole);
        check_fields(&truth, &pieces);
    }
}

/// What one side says at once.
#[derive(Debug, Clone)]
struct Said {
    to_server: bool,
    bytes: Vec<u8>,
    lost: bool,
}

/// Exchanges of the shop, in some style, of which some frames are lost.
fn honest_frames(choices: &mut Choices<'_>) -> Vec<Said> {
    let (seed, count) = (u64::from(choices.word()), 1 + u64::from(choices.byte() % 12));
    let style = Style::any(&mut crate::Random::new(u64::from(choices.byte())));
    let script = Script::new(count, style, seed);
    let frames = script.turns.into_iter().flatten();
    let say = |frame: crate::http2::Frame| {
        let lost = choices.byte() & 0x1f == 1;
        Said { to_server: frame.to_server, bytes: frame.bytes, lost }
    };
    frames.map(say).collect()
}

/// Frames of any type, length and content.
fn any_frames(choices: &mut Choices<'_>) -> Vec<Said> {
    let mut said =
        vec![Said { to_server: true, bytes: b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), lost: false }];
    while !choices.is_empty() && said.len() < MOST_FRAMES {
        let how = choices.byte();
        let (to_server, lost) = (how & 1 == 0, how & 0x1e == 0x1e);
        let bytes = match how >> 5 {
            0 => {
                let len = usize::from(choices.byte());
                choices.take(len).to_vec()
            }
            1 => {
                let (kind, flags, stream) = (choices.byte(), choices.byte(), u32::from(choices.byte()));
                let len = usize::from(choices.byte());
                frame(kind, flags, stream, choices.take(len))
            }
            2 => frame(0, choices.byte() & 9, u32::from(choices.byte() & 15), b"\x02body\0\0"),
            3 => {
                frame(9, choices.byte() & 4, u32::from(choices.byte() & 15), &[0xbe, 0x40, 1, b'a', 1, b'b'])
            }
            4 => frame(3, 0, u32::from(choices.byte() & 15), &[0, 0, 0, 8]),
            5 => frame(5, 4, u32::from(choices.byte() & 15), &[0, 0, 0, choices.byte() & 15, 0x82, 0x84]),
            _ => {
                let flags = choices.byte() & 0x2d;
                let (stream, len) = (u32::from(choices.byte() & 15), usize::from(choices.byte() & 31));
                let head: &[u8] = if to_server { &[0x82, 0x84, 0x86] } else { &[0x88] };
                frame(1, flags, stream, &[head, choices.take(len)].concat())
            }
        };
        if !bytes.is_empty() {
            said.push(Said { to_server, bytes, lost });
        }
    }
    said
}

/// Known fields of one half: names with their values.
type Fields = Vec<(Option<Vec<u8>>, Option<Vec<u8>>)>;

/// What was read of a connection.
#[derive(Default)]
struct Read {
    /// By stream and how often it came: method, target, status, fields and body length of both halves.
    streams: BTreeMap<(u32, usize), [Option<Half>; 2]>,
    counters: Counters,
}

#[derive(Debug, PartialEq, Eq)]
struct Half {
    method: Option<Vec<u8>>,
    target: Option<Vec<u8>>,
    status: Option<u16>,
    fields: Fields,
    lengths: [u64; 3],
}

#[derive(Default)]
struct Listener {
    read: Read,
    parts: BTreeMap<tapwire_protocol::MessageId, u64>,
    most: usize,
}

impl ExchangeSink for Listener {
    fn exchange(&mut self, exchange: Exchange) {
        let halves = [exchange.request.as_deref(), exchange.response.as_deref()];
        assert!(halves.iter().any(Option::is_some), "an exchange of nothing");
        for message in halves.into_iter().flatten() {
            let ahead = self.parts.remove(&message.id).unwrap_or(0);
            assert_eq!(message.body.parts, ahead > 0, "parts are announced");
            let captured = message.body.len - message.body.missed;
            let here = ahead + message.body.bytes.len() as u64;
            assert!(
                here <= captured && (message.body.cut || here == captured),
                "body bytes left out in silence"
            );
        }
        let stream = exchange.stream.unwrap_or(0);
        let nth = self.read.streams.range((stream, 0)..=(stream, usize::MAX)).count();
        self.read.streams.insert((stream, nth), halves.map(|half| half.map(half_of)));
    }

    fn body_part(&mut self, part: BodyPart) {
        assert!(part.bytes.len() <= self.most && !part.bytes.is_empty());
        *self.parts.entry(part.message).or_default() += part.bytes.len() as u64;
    }
}

fn half_of(message: &Message) -> Half {
    let head = &message.head;
    let text = |range: Option<tapwire_protocol::Range>| range.map(|range| head.slice(range).bytes().to_vec());
    Half {
        method: text(head.method),
        target: text(head.target),
        status: head.status,
        fields: head.fields.iter().map(|field| (text(field.name), text(field.value))).collect(),
        lengths: [message.body.len, message.body.missed, message.missed_bytes],
    }
}

fn read(said: &[Said], handshake: bool, split: usize, config: Config) -> Read {
    let flow = flow_info(handshake);
    let listener = Listener { most: config.body_bytes, ..Listener::default() };
    let mut protocols = Protocols::new(config, listener);
    let mut state = Connection::default();
    let mut next = [101, 501].map(|seq| StreamOffset::first(SeqNumber(seq)));
    let mut bytes_in = 0;
    for (said, number) in said.iter().zip(1_i64..) {
        let (from, len, time) = (usize::from(!said.to_server), said.bytes.len() as u64, flow.opened + number);
        let side = if said.to_server { Side::Lower } else { Side::Upper };
        let mut at = next[from];
        next[from] = at + len;
        if said.lost {
            let gap = Gap { side, at, len, acknowledged: len, acked_at: None, time };
            protocols.event(&flow, &mut state, StreamEvent::Gap(gap));
            continue;
        }
        bytes_in += len;
        for bytes in said.bytes.chunks(split) {
            let (peer_at, frame, source) = (Some(next[1 - from]), number.cast_unsigned(), SourceId(0));
            let chunk = Chunk { side, at, bytes, peer_at, time, frame, source };
            protocols.event(&flow, &mut state, StreamEvent::Data(chunk));
            at = at + bytes.len() as u64;
        }
        protocols.patience(&state);
        assert!(protocols.held() < 16 << 20, "{} bytes held", protocols.held());
    }
    protocols.event(&flow, &mut state, StreamEvent::Close(CloseReason::End));
    assert_eq!(protocols.held(), 0, "what was held was counted up and down alike");
    let counters = *protocols.counters();
    laws::protocol(&counters, bytes_in);
    let Listener { mut read, parts, .. } = protocols.into_sink();
    assert!(parts.is_empty(), "parts of a message that no exchange holds");
    assert_eq!(counters.exchanges, read.streams.len() as u64);
    read.counters = counters;
    read
}

/// Whatever is known of a stream is what it was.
fn check_fields(truth: &Read, seen: &Read) {
    for ((stream, nth), halves) in &seen.streams {
        let meant = truth.streams.get(&(*stream, 0)).expect("a stream that there is");
        let before = seen.streams.get(&(*stream, 0));
        assert_eq!(*nth, 0, "stream {stream} came twice: {before:?} and {halves:?}");
        for (half, meant) in halves.iter().zip(meant) {
            let (Some(half), Some(meant)) = (half, meant) else { continue };
            assert!(half.method.is_none() || half.method == meant.method, "stream {stream}: another method");
            assert!(half.target.is_none() || half.target == meant.target, "stream {stream}: another target");
            assert!(half.status.is_none() || half.status == meant.status, "stream {stream}: another status");
            let known = half.fields.iter().filter(|field| field.0.is_some() && field.1.is_some());
            known.for_each(|field| assert!(meant.fields.contains(field), "stream {stream}: another field"));
        }
    }
}
