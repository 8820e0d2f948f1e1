//! A whole HTTP/1 conversation: both directions, gaps, FINs, evidence, in chunks of any size.
//!
//! Three readings of one conversation must agree: as it came, every chunk split at other places, and without bodies. In
//! an honest conversation every message carries its number, and no pair that is called certain joins two numbers.

mod script;

use super::flow_info::flow_info;
use super::input::Choices;
use super::laws;
use crate::sense::number;
use script::{Event, Script};
use std::collections::BTreeMap;
use tapwire_flow::{Chunk, CloseReason, Gap, StreamEvent, StreamOffset, StreamSink};
use tapwire_protocol::{
    Anomaly, BodyPart, Config, Connection, Counters, Exchange, ExchangeSink, Frames, Framing, Message,
    MessageId, Pairing, Protocols, Seen,
};
use tapwire_wire::{Side, SourceId, Timestamp};

/// The first bytes choose the mode and how chunks are split, the rest are operations.
pub fn run(data: &[u8]) {
    let mut choices = Choices::new(data);
    let mode = choices.byte();
    let (honest, handshake) = (mode & 1 == 1, mode & 2 == 0);
    let split = usize::from(choices.byte()).max(1);
    let body_bytes = 1 + usize::from(choices.byte()) * 8;
    let events = Script::read(honest, &mut choices);
    let config = Config { body_bytes, ..Config::default() };
    let whole = read(&events, handshake, usize::MAX, config.clone());
    let pieces = read(&events, handshake, split, config);
    let bare = read(
        &events,
        handshake,
        usize::MAX,
        Config { body_bytes: 0, body_parts: false, ..Config::default() },
    );
    // In the middle of a connection, behind a hole and behind garbage, what a chunk begins with is what tells a message;
    // and where segments acknowledge nothing, pairs are told by the order of events alone.
    let unbroken =
        events.iter().all(|event| !matches!(event, Event::Gap { .. } | Event::Data { peer_at: None, .. }));
    let known = [&whole, &pieces].into_iter().all(Read::is_in_its_roles) && whole.is_http_throughout();
    if handshake && unbroken && known {
        check_splits(&whole, &pieces);
    }
    check_bodies(&whole, &bare);
    if honest {
        check_pairs(&whole);
        check_pairs(&pieces);
    }
}

/// What was read of a conversation.
struct Read {
    exchanges: Vec<Facts>,
    counters: Counters,
}

impl Read {
    /// Whether every byte was that of a message.
    const fn is_http_throughout(&self) -> bool {
        self.counters.lost_bytes == 0 && self.counters.opaque_bytes == 0
    }

    /// The exchanges before the first that is no proven pair. Where a half stands alone, what a chunk begins with tells
    /// where the next message begins: an answer that nobody asked for has a body or has none, and the next one shows
    /// it.
    fn proven(&self) -> usize {
        let pair =
            |facts: &&Facts| facts.halves.iter().all(Option::is_some) && facts.pairing == Pairing::Certain;
        self.exchanges.iter().take_while(pair).count()
    }

    /// Whether the one that sent the SYN is the client, as some exchange shows: its first byte alone is taken for that of a
    /// request, whatever follows.
    fn is_in_its_roles(&self) -> bool {
        !self.exchanges.is_empty() && self.exchanges.iter().all(|facts| facts.client == side(0))
    }
}

/// One half of an exchange, all that is said of it.
#[derive(Debug, PartialEq, Eq)]
struct Half {
    text: Text,
    fields: usize,
    status: Option<u16>,
    framing: Framing,
    lengths: [u64; 3],
    place: (StreamOffset, Option<StreamOffset>, Frames),
    times: (Timestamp, Timestamp),
    seen: Seen,
    anomalies: Vec<Anomaly>,
    number: Option<u64>,
}

/// Bytes, shown as text.
#[derive(PartialEq, Eq)]
struct Text(Vec<u8>);

impl std::fmt::Debug for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

/// An exchange, all that is said of it but its bodies' bytes.
#[derive(Debug, PartialEq, Eq)]
struct Facts {
    halves: [Option<Half>; 2],
    interim: [u16; 4],
    pairing: Pairing,
    anomalies: Vec<Anomaly>,
    joined_late: bool,
    proxied: bool,
    client: Side,
    /// Bytes of the two bodies that were handed on.
    bodies: [Text; 2],
}

#[derive(Default)]
struct Listener {
    exchanges: Vec<Facts>,
    parts: BTreeMap<MessageId, Vec<u8>>,
    most: usize,
}

impl ExchangeSink for Listener {
    fn exchange(&mut self, exchange: Exchange) {
        let halves = [exchange.request.as_deref(), exchange.response.as_deref()];
        assert!(halves.iter().any(Option::is_some), "an exchange of nothing");
        assert_eq!(exchange.number, self.exchanges.len() as u64 + 1, "numbers without holes");
        let facts = Facts {
            halves: halves.map(|half| half.map(Self::half)),
            interim: exchange.interim,
            pairing: exchange.pairing,
            anomalies: laws::anomalies(exchange.anomalies),
            joined_late: exchange.flow.joined_late,
            proxied: exchange.flow.proxy.is_some(),
            client: exchange.flow.client,
            bodies: halves.map(|half| Text(half.map(|half| self.body(half)).unwrap_or_default())),
        };
        self.exchanges.push(facts);
    }

    fn body_part(&mut self, part: BodyPart) {
        assert!(part.bytes.len() <= self.most, "a part larger than allowed");
        self.parts.entry(part.message).or_default().extend(part.bytes);
    }
}

impl Listener {
    fn half(message: &Message) -> Half {
        let body = &message.body;
        assert!(body.missed <= body.len, "{message:?}");
        Half {
            text: Text(message.head.text.clone()),
            fields: message.head.fields.len(),
            status: message.head.status,
            framing: body.framing,
            lengths: [body.len, body.missed, message.missed_bytes],
            place: (message.at, message.peer_at, message.frames),
            times: (message.started, message.ended),
            seen: message.seen,
            anomalies: laws::anomalies(message.anomalies),
            number: number(&message.head),
        }
    }

    fn body(&mut self, message: &Message) -> Vec<u8> {
        let mut bytes = self.parts.remove(&message.id).unwrap_or_default();
        assert_eq!(message.body.parts, !bytes.is_empty(), "parts are announced");
        bytes.extend_from_slice(&message.body.bytes);
        let captured = message.body.len - message.body.missed;
        assert!(bytes.len() as u64 <= captured, "more body than was captured");
        assert!(message.body.cut || bytes.len() as u64 == captured, "body bytes left out in silence");
        bytes
    }
}

/// Reads a conversation with every chunk in pieces of `split` bytes.
fn read(events: &[Event], handshake: bool, split: usize, config: Config) -> Read {
    let flow = flow_info(handshake);
    let listener = Listener { most: config.body_bytes, ..Listener::default() };
    let mut protocols = Protocols::new(config, listener);
    let mut state = Connection::default();
    let mut bytes_in = 0;
    for (event, number) in events.iter().zip(1..) {
        let time = flow.opened + number;
        let mut say = |event| protocols.event(&flow, &mut state, event);
        match event {
            Event::Data { side, at, peer_at, bytes } => {
                bytes_in += bytes.len() as u64;
                let mut at = *at;
                for piece in bytes.chunks(split) {
                    let (side, peer_at, frame) = (*side, *peer_at, number.cast_unsigned());
                    let source = SourceId(0);
                    say(StreamEvent::Data(Chunk { side, at, bytes: piece, peer_at, time, frame, source }));
                    at = at + piece.len() as u64;
                }
            }
            Event::Gap { side, at, len, acked_at } => {
                let (side, at, len, acked_at) = (*side, *at, *len, *acked_at);
                say(StreamEvent::Gap(Gap { side, at, len, acknowledged: len, acked_at, time }));
            }
            Event::Fin(side) => say(StreamEvent::Fin(*side)),
            Event::Evidence(side, at, evidence) => say(StreamEvent::Evidence(*side, *at, *evidence)),
        }
        protocols.patience(&state);
    }
    protocols.event(&flow, &mut state, StreamEvent::Close(CloseReason::End));
    let counters = *protocols.counters();
    laws::protocol(&counters, bytes_in);
    let Listener { exchanges, parts, .. } = protocols.into_sink();
    assert!(parts.is_empty(), "parts of a message that no exchange holds");
    assert_eq!(counters.exchanges, exchanges.len() as u64);
    // A message takes a byte at least, or stands for a hole.
    assert!(exchanges.len() as u64 <= bytes_in + events.len() as u64);
    Read { exchanges, counters }
}

/// Up to the first exchange without proof, splits change nothing but the order of what one chunk ends; where all are
/// proven, nothing else at all.
fn check_splits(whole: &Read, pieces: &Read) {
    for (one, other) in [(whole, pieces), (pieces, whole)] {
        for facts in one.exchanges.iter().take(one.proven()) {
            assert!(other.exchanges.contains(facts), "split elsewhere: {facts:?}");
        }
    }
    if [whole, pieces].into_iter().any(|read| read.proven() < read.exchanges.len()) {
        return;
    }
    // Empty lines where a tunnel begins are blank or its own, as they come.
    if whole.counters.tunnel_bytes == 0 {
        assert_eq!(whole.counters, pieces.counters, "split elsewhere");
    }
}

/// Whether bodies are kept has no say in anything else.
fn check_bodies(whole: &Read, bare: &Read) {
    assert_eq!(whole.counters, bare.counters, "without bodies");
    for (one, other) in whole.exchanges.iter().zip(&bare.exchanges) {
        assert_eq!(one.halves, other.halves, "without bodies");
        assert_eq!((one.pairing, &one.anomalies), (other.pairing, &other.anomalies), "without bodies");
        assert!(other.bodies.iter().all(|body| body.0.is_empty()), "bodies that nobody asked for");
    }
}

/// No caller gets another caller's answer.
fn check_pairs(whole: &Read) {
    for facts in whole.exchanges.iter().filter(|facts| facts.pairing == Pairing::Certain) {
        if let [Some(request), Some(response)] = &facts.halves
            && let (Some(asked), Some(answered)) = (request.number, response.number)
        {
            assert_eq!(asked, answered, "a certain pair of strangers");
        }
    }
}

/// The side of a direction.
const fn side(index: usize) -> Side {
    if index == 0 { Side::Lower } else { Side::Upper }
}
