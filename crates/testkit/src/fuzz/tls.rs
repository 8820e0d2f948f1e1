//! TLS: recorded connections with their keys, changed packet by packet; and any bytes as records.
//!
//! Whatever happens to packets, what is decrypted is what was sent: no exchange appears that the whole capture does not
//! have, and none joins strangers.

use super::flow_info::flow_info;
use super::input::Choices;
use super::laws;
use crate::{Capture, OwnedPacket, Row, sense_keyed};
use std::path::Path;
use tapwire_flow::{Chunk, CloseReason, Gap, StreamEvent, StreamOffset, StreamSink};
use tapwire_protocol::{BodyPart, Config, Connection, Exchange, ExchangeSink, Protocols};
use tapwire_wire::{SeqNumber, Side, SourceId, Timestamp};

/// Recorded connections, by their folders under `fixtures`.
const RECORDED: &[&str] =
    &["tls13", "tls12-cbc", "tls13-keyupdate", "tls-resumption", "tls10", "tls13-retry"];

/// The first byte chooses between records of any bytes and a recorded capture.
pub fn run(data: &[u8]) {
    let mut choices = Choices::new(data);
    match choices.byte() {
        odd if odd & 1 == 1 => any_records(&mut choices),
        even => recorded(RECORDED[usize::from(even >> 1) % RECORDED.len()], &mut choices),
    }
}

fn recorded(name: &str, choices: &mut Choices<'_>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures").join(name);
    let (Ok(capture), Ok(keys)) =
        (Capture::read(&folder.join("in.pcap")), std::fs::read(folder.join("keys.log")))
    else {
        return;
    };
    let whole = sense_keyed(&capture, &[(0, &keys)]);
    let mut changed = capture;
    while !choices.is_empty() {
        change(&mut changed.packets, choices);
    }
    let late = usize::from(choices.byte()) % 30;
    let sensed = sense_keyed(&changed, &[(late, &keys)]);
    assert!(sensed.wrong().is_empty(), "{name}: strangers {:?}", sensed.wrong());
    for row in sensed.certain() {
        let says = |other: &Row| {
            other.method == row.method && other.target == row.target && other.status == row.status
        };
        assert!(whole.rows.iter().any(says), "{name}: nobody said {row:?}");
    }
    let tls = sensed.tls;
    assert_eq!(tls.records, tls.opened + tls.failed + tls.blind, "{tls:?}");
}

/// Drops, repeats, moves, cuts or damages a packet. Damage is to payload: where checksums are left to the hardware, as in
/// these recordings, another acknowledgement number is another conversation.
fn change(packets: &mut Vec<OwnedPacket>, choices: &mut Choices<'_>) {
    let operation = choices.byte();
    let at = usize::from(choices.word()) % packets.len().max(1);
    if at >= packets.len() {
        return;
    }
    match operation % 5 {
        0 => drop(packets.remove(at)),
        1 => {
            let again = packets[at].clone();
            let to = (at + usize::from(choices.byte())).min(packets.len());
            packets.insert(to, again);
        }
        2 => {
            let moved = packets.remove(at);
            let to = (at + usize::from(choices.byte() % 8)).min(packets.len());
            packets.insert(to, moved);
        }
        3 => {
            let length = usize::from(choices.word()) % (packets[at].bytes.len() + 1);
            packets[at].bytes.truncate(length);
        }
        _ => {
            let place = usize::from(choices.word());
            let payload = packets[at].segment().map_or(0, |segment| segment.payload.len());
            let last = packets[at].bytes.iter_mut().rev().take(payload).nth(place % payload.max(1));
            last.into_iter().for_each(|byte| *byte ^= 1 << (operation >> 5));
        }
    }
}

#[derive(Default)]
struct Nobody;

impl ExchangeSink for Nobody {
    fn exchange(&mut self, _: Exchange) {}

    fn body_part(&mut self, _: BodyPart) {}
}

/// Records with heads that are mostly right and bodies that are anything.
fn any_records(choices: &mut Choices<'_>) {
    let flow = flow_info(choices.flag());
    let mut protocols = Protocols::new(Config::default(), Nobody);
    protocols.keys().feed(choices.take(200));
    protocols.keys().expect();
    let mut connection = Connection::default();
    let mut next = [101, 501].map(|seq| StreamOffset::first(SeqNumber(seq)));
    let mut delivered = 0;
    let mut time = 0;
    while !choices.is_empty() {
        let operation = choices.byte();
        let one = usize::from(operation & 1);
        let side = if one == 0 { Side::Lower } else { Side::Upper };
        time += i64::from(operation) * 1_000_000;
        let now = Timestamp::from_nanos(time);
        let (at, peer_at) = (next[one], Some(next[1 - one]));
        match operation >> 1 & 7 {
            0 => {
                let len = 1 + u64::from(choices.word());
                next[one] = at + len;
                let gap = Gap { side, at, len, acknowledged: 0, acked_at: peer_at, time: now };
                protocols.event(&flow, &mut connection, StreamEvent::Gap(gap));
            }
            1 => protocols.event(&flow, &mut connection, StreamEvent::Fin(side)),
            kind => {
                let length = usize::from(choices.byte());
                let body = choices.take(length);
                let announced = if kind == 2 { choices.word() } else { body.len() as u16 };
                let content = [20, 21, 22, 22, 23, 23][usize::from(kind - 2)];
                let bytes = [&[content, 3, 3][..], &announced.to_be_bytes(), body].concat();
                next[one] = at + bytes.len() as u64;
                delivered += bytes.len() as u64;
                let chunk =
                    Chunk { side, at, bytes: &bytes, peer_at, time: now, frame: 1, source: SourceId(0) };
                protocols.event(&flow, &mut connection, StreamEvent::Data(chunk));
            }
        }
    }
    protocols.event(&flow, &mut connection, StreamEvent::Close(CloseReason::End));
    protocols.finish();
    assert_eq!(protocols.held(), 0);
    laws::protocol(protocols.counters(), delivered);
}
