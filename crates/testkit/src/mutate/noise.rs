//! Packets that say nothing, or lie.

use super::rebuilt;
use crate::{Capture, OwnedPacket, Random, Tcp};
use tapwire_wire::{TcpFlags, Timestamp};

/// Among the packets: keep-alive probes, segments with other bytes and a bad checksum, RSTs outside the window, UDP, ARP
/// and TCP that is no HTTP. None of it may change what is reported.
pub fn noise(capture: &Capture, probability: f64, seed: u64) -> Capture {
    let mut random = Random::new(seed);
    let mut packets = Vec::new();
    for packet in &capture.packets {
        packets.push(packet.clone());
        if random.chance(probability) {
            let kind = random.below(5);
            packets.extend(noisy(packet, kind, &mut random));
        }
    }
    Capture { packets }
}

fn noisy(packet: &OwnedPacket, kind: usize, random: &mut Random) -> Option<OwnedPacket> {
    let segment = packet.segment().filter(|segment| segment.cut == 0)?;
    let flags = segment.flags;
    let quiet = !flags.has(TcpFlags::SYN) && !flags.has(TcpFlags::FIN) && !flags.has(TcpFlags::RST);
    let mut made = match kind {
        // RFC 9293, 3.8.4: a keep-alive repeats the sequence number before the next one.
        0 if quiet => rebuilt(packet, |tcp| {
            tcp.seq = tcp.seq.wrapping_add(tcp.payload.len() as u32).wrapping_sub(1);
            tcp.payload.clear();
        }),
        1 if quiet && !segment.payload.is_empty() => with_bad_checksum(packet),
        2 => rebuilt(packet, |tcp| {
            tcp.seq = tcp.seq.wrapping_add(0x4000_0000);
            tcp.flags = TcpFlags::RST;
            tcp.payload.clear();
        }),
        3 => garbage(packet.time, random),
        _ => OwnedPacket::ethernet(packet.time, arp()),
    };
    made.frame = 0;
    Some(made)
}

fn with_bad_checksum(packet: &OwnedPacket) -> OwnedPacket {
    let mut bad = rebuilt(packet, |tcp| {
        tcp.payload.iter_mut().for_each(|byte| *byte ^= 0x01);
    });
    let ip = if bad.bytes[12] == 8 { 20 } else { 40 };
    bad.bytes[14 + ip + 16] ^= 0xff;
    bad
}

/// A TCP segment of a protocol nobody reads, from addresses of its own.
fn garbage(time: Timestamp, random: &mut Random) -> OwnedPacket {
    let end = |last, port| tapwire_wire::Endpoint::v4([192, 0, 2, last], port);
    let tcp = Tcp {
        source: end(1, random.between(1_024, 65_000) as u16),
        destination: end(2, 9_999),
        seq: random.next() as u32,
        ack: Some(1),
        flags: 0,
        window: 64,
        ttl: 9,
        payload: (0..random.between(1, 200)).map(|_| 0x80 | random.below(128) as u8).collect(),
    };
    let mut packet = OwnedPacket::ethernet(time, tcp.ethernet());
    if random.chance(0.5) {
        // As UDP; the IP checksum is then wrong too, which no decoder may mind.
        packet.bytes[23] = 17;
    }
    packet
}

fn arp() -> Vec<u8> {
    let mut frame = vec![0xff; 6];
    frame.extend([2, 0, 0, 0, 0, 1, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1]);
    frame.resize(42, 0);
    frame
}

/// Each bit of each packet is turned with that probability.
pub fn flip_bits(capture: &Capture, probability: f64, seed: u64) -> Capture {
    let mut random = Random::new(seed);
    let mut flipped = capture.clone();
    for byte in flipped.packets.iter_mut().flat_map(|packet| &mut packet.bytes) {
        if random.chance(probability * 8.0) {
            *byte ^= 1 << random.below(8);
        }
    }
    flipped
}
