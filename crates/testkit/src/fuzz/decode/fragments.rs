//! A segment in IP fragments of any cut, order and number of copies: it comes out once, and as it was.

use super::{Header, packet, segment};
use crate::fuzz::input::Choices;
use crate::{PSH, Tcp};
use tapwire_wire::{Checksum, Config, Decoded, Decoder, Endpoint, LinkType, Packet, Timestamp};

/// A part of a datagram.
struct Fragment {
    bytes: Vec<u8>,
    /// Its bytes are not those of the datagram.
    lies: bool,
}

/// A datagram in parts.
struct Fragmented {
    fragments: Vec<Fragment>,
    /// It was not cut at all.
    atomic: bool,
}

/// Cuts a datagram as the next bytes say, and puts it together again.
pub(super) fn check(choices: &mut Choices<'_>) {
    let v6 = choices.flag();
    let datagram = datagram(v6, choices);
    let whole = packet(LinkType::RAW, &datagram, 0);
    let whole = segment(&whole).expect("it is a segment");
    let Fragmented { fragments, atomic } = fragments(&datagram, v6, choices);
    let honest = fragments.iter().all(|fragment| !fragment.lies);
    let limit = Config::default().fragment_memory as u64;
    let mut decoder = Decoder::new(Config::default());
    let mut found = 0;
    for (fragment, nth) in fragments.iter().zip(1..) {
        let packet = Packet { time: Timestamp::from_nanos(nth), ..packet(LinkType::RAW, &fragment.bytes, 0) };
        if let Decoded::Segment(again) = decoder.decode(&packet) {
            found += 1;
            if honest {
                assert_eq!(Header::of(&whole), Header::of(&again));
                assert_eq!(whole.payload, again.payload);
                assert_eq!(again.checksum(), Checksum::Good);
                assert!(!again.fragment_conflict);
            }
        }
        let counters = decoder.fragments();
        assert!(counters.conserved() && counters.memory <= limit, "{counters:?}");
    }
    let counters = decoder.fragments();
    // One fragment with everything is none (RFC 6946), and copies of it are packets.
    let expected = if atomic { fragments.len() } else { 1 };
    if honest {
        assert_eq!(found, expected, "a datagram comes once");
        assert_eq!((counters.held, counters.conflicts), (0, 0), "{counters:?}");
    }
}

/// An IP packet with a TCP segment.
fn datagram(v6: bool, choices: &mut Choices<'_>) -> Vec<u8> {
    let end = |last: u8, port| match v6 {
        true => Endpoint::v6([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last], port),
        false => Endpoint::v4([10, 0, 0, last], port),
    };
    let len = usize::from(choices.byte()) * 3;
    let tcp = Tcp {
        source: end(1, 40_000),
        destination: end(2, 80),
        seq: 7,
        ack: Some(9),
        flags: PSH,
        window: 512,
        ttl: 64,
        payload: (0..len).map(|at| at as u8).collect(),
    };
    tcp.ethernet().split_off(14)
}

/// The parts in the order in which they come, each at least once.
fn fragments(datagram: &[u8], v6: bool, choices: &mut Choices<'_>) -> Fragmented {
    let (header, content) = datagram.split_at(if v6 { 40 } else { 20 });
    let mut parts = Vec::new();
    let mut at = 0;
    while at < content.len() {
        let len = 8 * (1 + usize::from(choices.byte() & 0x1f));
        let end = if parts.len() < 40 { content.len().min(at + len) } else { content.len() };
        parts.push((at, end));
        at = end;
    }
    let (mut order, atomic) = (Vec::new(), parts.len() == 1);
    while let Some(last) = parts.len().checked_sub(1) {
        let how = usize::from(choices.byte());
        let (start, end) = parts[how % (last + 1)];
        // A copy leaves the part for later; one of them may lie.
        let (copy, lies) = (how >= 0xc0 && order.len() < 60, how >= 0xf8 && order.len() < 60);
        if !copy {
            parts.remove(how % (last + 1));
        }
        let more = end < content.len();
        let mut bytes = if v6 {
            ipv6(header, &content[start..end], start, more)
        } else {
            ipv4(header, &content[start..end], start, more)
        };
        bytes.last_mut().into_iter().for_each(|byte| *byte ^= u8::from(lies));
        order.push(Fragment { bytes, lies });
    }
    Fragmented { fragments: order, atomic }
}

fn ipv4(header: &[u8], content: &[u8], at: usize, more: bool) -> Vec<u8> {
    let mut bytes = [header, content].concat();
    let length = bytes.len() as u16;
    bytes[2..4].copy_from_slice(&length.to_be_bytes());
    bytes[4..6].copy_from_slice(&[1, 2]);
    // More-fragments is bit 13, the offset counts eight bytes (RFC 791, 3.1).
    let place = (at / 8) as u16 | u16::from(more) << 13;
    bytes[6..8].copy_from_slice(&place.to_be_bytes());
    bytes
}

fn ipv6(header: &[u8], content: &[u8], at: usize, more: bool) -> Vec<u8> {
    // Next header, reserved, offset above three bits of which the lowest is more-fragments, identification (RFC 8200, 4.5).
    let place = at as u16 | u16::from(more);
    let extension = [&[6, 0][..], &place.to_be_bytes(), &[0, 0, 1, 2]].concat();
    let mut bytes = [header, &extension, content].concat();
    let length = (8 + content.len()) as u16;
    bytes[4..6].copy_from_slice(&length.to_be_bytes());
    bytes[6] = 44;
    bytes
}
