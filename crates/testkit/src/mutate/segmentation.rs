//! The same bytes in other segments, and at other sequence numbers.

use super::rebuilt;
use crate::{Capture, OwnedPacket, PSH, Random, Tcp};
use std::collections::BTreeMap;
use tapwire_wire::{FlowKey, Segment, Side, TcpFlags};

/// Payload bytes that fit into one IPv4 packet with room for headers.
const LARGEST: usize = 65_000;

/// The same streams in segments of `smallest..=largest` bytes. Pieces keep the acknowledgement of the segment they come
/// from; neighbours are joined first, as receive offload does, when nothing of the peer but pure ACKs lies between.
pub fn resegment(capture: &Capture, smallest: usize, largest: usize, seed: u64) -> Capture {
    let mut random = Random::new(seed);
    let largest = largest.clamp(1, LARGEST);
    let mut packets = Vec::new();
    for packet in join(capture, largest).packets {
        split(&packet, smallest.clamp(1, largest), largest, &mut random, &mut packets);
    }
    Capture { packets }
}

fn plain(segment: &Segment<'_>) -> bool {
    let marks = TcpFlags::SYN | TcpFlags::FIN | TcpFlags::RST;
    segment.flags.0 & marks == 0 && segment.cut == 0 && !segment.payload.is_empty()
}

fn join(capture: &Capture, largest: usize) -> Capture {
    // Where the last joinable segment of a flow's side stands in `packets`.
    let mut open: BTreeMap<(FlowKey, bool), (usize, Tcp)> = BTreeMap::new();
    let mut packets: Vec<OwnedPacket> = Vec::new();
    for packet in &capture.packets {
        let Some(segment) = packet.segment() else {
            packets.push(packet.clone());
            continue;
        };
        let own = (segment.key, segment.side == Side::Lower);
        if !segment.payload.is_empty() || segment.flags.0 & TcpFlags::FIN != 0 {
            open.remove(&(segment.key, !own.1));
        }
        if !plain(&segment) {
            packets.push(packet.clone());
            continue;
        }
        match open.get_mut(&own) {
            Some((place, tcp)) if follows(tcp, &segment, largest) => {
                tcp.payload.extend_from_slice(segment.payload);
                packets[*place].bytes = tcp.ethernet();
                packets[*place].wire_len = packets[*place].bytes.len() as u32;
            }
            _ => {
                open.insert(own, (packets.len(), Tcp::of(&segment)));
                packets.push(rebuilt(packet, |_| ()));
            }
        }
    }
    Capture { packets }
}

fn follows(tcp: &Tcp, segment: &Segment<'_>, largest: usize) -> bool {
    tcp.seq.wrapping_add(tcp.payload.len() as u32) == segment.seq.0
        && tcp.ack == segment.ack.map(|ack| ack.0)
        && tcp.payload.len() + segment.payload.len() <= largest
}

fn split(
    packet: &OwnedPacket,
    smallest: usize,
    largest: usize,
    random: &mut Random,
    out: &mut Vec<OwnedPacket>,
) {
    let Some(segment) = packet.segment().filter(plain) else { return out.push(packet.clone()) };
    let whole = Tcp::of(&segment);
    let mut from = 0;
    while from < whole.payload.len() {
        let to = (from + random.between(smallest, largest)).min(whole.payload.len());
        let last = to == whole.payload.len();
        let piece = Tcp {
            seq: whole.seq.wrapping_add(from as u32),
            flags: if last { whole.flags } else { whole.flags & !PSH },
            payload: whole.payload[from..to].to_vec(),
            ..whole.clone()
        };
        let built = OwnedPacket::ethernet(packet.time, piece.ethernet());
        out.push(OwnedPacket { frame: packet.frame, source: packet.source, ..built });
        from = to;
    }
}

/// The sequence numbers of both sides shifted so that they pass 2^32 `offset` bytes after each side's first.
pub fn wrap_at(capture: &Capture, offset: u32) -> Capture {
    let mut firsts: BTreeMap<(FlowKey, bool), u32> = BTreeMap::new();
    let mut shifted = |segment: &Segment<'_>, tcp: &mut Tcp| {
        let lower = segment.side == Side::Lower;
        let own = *firsts.entry((segment.key, lower)).or_insert(tcp.seq);
        let peer = tcp.ack.map(|ack| *firsts.entry((segment.key, !lower)).or_insert(ack));
        tcp.seq = tcp.seq.wrapping_sub(own).wrapping_sub(offset);
        tcp.ack = tcp.ack.zip(peer).map(|(ack, first)| ack.wrapping_sub(first).wrapping_sub(offset));
    };
    let one = |packet: &OwnedPacket| match packet.segment() {
        Some(segment) => rebuilt(packet, |tcp| shifted(&segment, tcp)),
        None => packet.clone(),
    };
    capture.packets.iter().map(one).collect()
}
