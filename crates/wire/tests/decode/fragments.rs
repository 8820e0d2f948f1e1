//! Datagrams in parts, in every order and with every lie.

#![allow(clippy::cast_possible_truncation, reason = "lengths of test data are small by construction")]

use proptest::prelude::*;
use tapwire_wire::{
    Checksum, Config, Decoded, Decoder, FragmentFate, Layer, LinkType, Packet, PacketId, Skip, SkipReason,
    Tenant, Timestamp, Tunnel,
};

use crate::build::{CLIENT, CLIENT6, SERVER, SERVER6, ethernet, ipv4, ipv6, packet, set_checksum, tcp};
use crate::wrap::{fragments4, fragments6, frame, gre, outer4, udp, vxlan};

const RAW: LinkType = LinkType::RAW;
const SECOND: i64 = 1_000_000_000;

/// What the decoder is fed with, and what came of it.
struct Feed {
    decoder: Decoder,
    time: i64,
}

/// The payload of a segment, its checksum, its hole, and whether fragments contradicted each other.
type Found = (Vec<u8>, Checksum, u32, bool);

impl Feed {
    fn new() -> Self {
        Self::with(Config::default())
    }

    fn with(config: Config) -> Self {
        Self { decoder: Decoder::new(config), time: 0 }
    }

    fn give(&mut self, data: &[u8]) -> Result<Found, Skip> {
        self.give_cut(data, data.len())
    }

    /// Of which only the first `length` bytes were captured.
    fn give_cut(&mut self, data: &[u8], length: usize) -> Result<Found, Skip> {
        self.time += 1_000;
        let time = Timestamp::from_nanos(self.time);
        let packet = Packet { time, wire_len: data.len() as u32, ..packet(RAW, &data[..length]) };
        let found = match self.decoder.decode(&packet) {
            Decoded::Segment(segment) => {
                Ok((segment.payload.to_vec(), segment.checksum(), segment.cut, segment.fragment_conflict))
            }
            Decoded::Skip(skip) => Err(skip),
        };
        assert!(self.decoder.fragments().conserved());
        found
    }

    fn fate(&self, fate: FragmentFate) -> u64 {
        self.decoder.fragments().fate(fate)
    }

    fn held(&self) -> u64 {
        self.decoder.fragments().held
    }
}

const fn skip4(reason: SkipReason) -> Skip {
    Skip::new(Layer::Ipv4, reason)
}

fn whole4(payload: &[u8]) -> Vec<u8> {
    let mut tcp = tcp(payload);
    set_checksum(&mut tcp, &[CLIENT.octets(), SERVER.octets()].concat());
    ipv4(6, &tcp)
}

fn whole6(payload: &[u8]) -> Vec<u8> {
    let mut tcp = tcp(payload);
    set_checksum(&mut tcp, &[CLIENT6.octets(), SERVER6.octets()].concat());
    ipv6(6, &tcp)
}

fn text(length: usize) -> Vec<u8> {
    (0..length).map(|at| b'a' + (at % 26) as u8).collect()
}

#[test]
fn fragments_that_split_the_tcp_header_come_together_in_any_order() {
    // RFC 1858, 3: tiny fragments hide ports and flags from those who look at the first one only.
    for size in [8, 16, 24, 32] {
        for parts in [fragments4(&whole4(&text(40)), size, 7), fragments6(&whole6(&text(40)), size, 7)] {
            for turn in 0..parts.len() {
                let mut feed = Feed::new();
                let mut order: Vec<&Vec<u8>> = parts.iter().collect();
                order.rotate_left(turn);
                order.reverse();
                let (last, others) = order.split_last().unwrap();
                assert!(
                    others.iter().all(|part| feed.give(part).unwrap_err().reason == SkipReason::Fragment)
                );
                assert_eq!(feed.held(), others.len() as u64);
                assert_eq!(feed.give(last).unwrap(), (text(40), Checksum::Good, 0, false));
                assert_eq!((feed.held(), feed.fate(FragmentFate::Completed)), (0, parts.len() as u64));
            }
        }
    }
}

/// The frames, but the last, of every datagram that `parts`, numbered from 1, complete.
fn traced(parts: &[Vec<u8>]) -> Vec<Vec<u64>> {
    let (mut decoder, mut earlier, mut all) = (Decoder::new(Config::default()), Vec::new(), Vec::new());
    for (frame, part) in (1..).zip(parts) {
        let packet = Packet { frame, ..packet(RAW, part) };
        let is_segment = matches!(decoder.decode_traced(&packet, &mut earlier), Decoded::Segment(_));
        assert!(is_segment || earlier.is_empty());
        if is_segment {
            all.push(earlier.iter().map(|id: &PacketId| id.frame).collect());
        }
    }
    all
}

#[test]
fn a_datagram_knows_the_packets_that_it_came_in() {
    let [one, two] = [7, 8].map(|id| fragments4(&whole4(&text(100)), 40, id));
    let plain = whole4(b"alone");
    let mut other = one[1].clone();
    other[30] ^= 1;
    // A copy says nothing, a contradiction does; what stands alone came in nothing else.
    let parts = [&one[0], &two[1], &one[1], &one[1], &other, &plain, &one[2], &one[2], &two[0], &two[2]];
    assert_eq!(traced(&parts.map(Clone::clone)), [vec![], vec![1, 3, 5], vec![2, 9]]);
}

#[test]
fn a_datagram_in_fragments_of_fragments_knows_all_packets() {
    let inside = fragments4(&whole4(&text(3_000)), 1_480, 9);
    let tunnel = |part| outer4(17, &udp(4789, &vxlan(5, &ethernet(&[0x0800], part))));
    let both: Vec<Vec<u8>> =
        inside.iter().zip(20..).flat_map(|(part, id)| fragments4(&tunnel(part), 1_000, id)).collect();
    let all: Vec<u64> = (1..both.len() as u64).collect();
    assert_eq!(traced(&both), [all]);
}

#[test]
fn the_packets_of_a_datagram_that_are_known_are_bounded() {
    let parts = fragments4(&whole4(&text(60_000)), 8, 9);
    assert_eq!(traced(&parts).iter().map(Vec::len).collect::<Vec<_>>(), [2_048]);
}

#[test]
fn datagrams_of_one_pair_come_together_side_by_side() {
    let mut feed = Feed::new();
    let [one, two] = [b'1', b'2'].map(|byte| fragments4(&whole4(&[byte; 3_000]), 1_480, u16::from(byte)));
    let mut found = Vec::new();
    for (a, b) in one.iter().zip(&two) {
        found.extend(feed.give(a).ok());
        found.extend(feed.give(b).ok());
    }
    let payloads: Vec<u8> = found.iter().map(|(payload, ..)| payload[2_999]).collect();
    assert_eq!(payloads, [b'1', b'2']);
}

#[test]
fn the_largest_datagram() {
    let mut feed = Feed::new();
    let payload = text(65_535 - 40);
    let parts = fragments4(&whole4(&payload), 1_480, 9);
    let found: Vec<Found> = parts.iter().filter_map(|part| feed.give(part).ok()).collect();
    assert_eq!(found, [(payload, Checksum::Good, 0, false)]);
}

#[test]
fn a_fragment_that_says_something_else_is_evidence_and_the_first_bytes_stay() {
    for late in [false, true] {
        let mut feed = Feed::new();
        let mut parts = fragments4(&whole4(&text(100)), 40, 7);
        let mut other = parts[1].clone();
        other[30] ^= 1;
        // Behind the one it contradicts, at once or among the others.
        parts.insert(2, other);
        if late {
            parts.swap(0, 2);
            parts.swap(1, 2);
            parts.swap(0, 1);
        }
        let found: Vec<Found> = parts.iter().filter_map(|part| feed.give(part).ok()).collect();
        let kept_first = if late { Checksum::Bad } else { Checksum::Good };
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].1, found[0].3), (if late { found[0].1 } else { kept_first }, true));
        assert_eq!((feed.fate(FragmentFate::Conflicting), feed.decoder.fragments().conflicts), (1, 1));
    }
}

#[test]
fn a_fragment_that_overlaps_with_the_same_bytes_is_none() {
    let whole = whole4(&text(100));
    let (small, large) = (fragments4(&whole, 24, 7), fragments4(&whole, 48, 7));
    let mut feed = Feed::new();
    for part in &small[..3] {
        assert!(feed.give(part).is_err());
    }
    // Bytes 0 to 48: nothing new. Bytes 48 to 96: half of it.
    assert_eq!(feed.give(&large[0]).unwrap_err(), skip4(SkipReason::FragmentDropped));
    assert_eq!(feed.give(&large[1]).unwrap_err(), skip4(SkipReason::Fragment));
    assert_eq!(feed.give(&large[2]).unwrap(), (text(100), Checksum::Good, 0, false));
    assert_eq!((feed.fate(FragmentFate::Duplicate), feed.fate(FragmentFate::Completed)), (1, 5));
}

#[test]
fn what_a_mirror_sends_twice_is_known_also_behind_the_end() {
    let mut feed = Feed::new();
    let parts = fragments4(&whole4(&text(100)), 40, 7);
    let twice: Vec<&Vec<u8>> = parts.iter().flat_map(|part| [part, part]).collect();
    let found = twice.iter().filter(|part| feed.give(part).is_ok()).count();
    assert_eq!((found, feed.fate(FragmentFate::Duplicate), feed.held()), (1, 3, 0));
    // The same identification with other bytes is another datagram.
    let parts = fragments4(&whole4(&text(200)[100..]), 40, 7);
    assert_eq!(parts.iter().filter(|part| feed.give(part).is_ok()).count(), 1);
}

#[test]
fn an_end_that_moves_is_a_conflict() {
    let parts = fragments4(&whole4(&text(100)), 40, 7);
    let mut early = parts[1].clone();
    early[6] &= !0x20;
    let mut beyond = parts[2].clone();
    beyond[7] += 1;
    for (lie, place) in [(&early, 1), (&beyond, 1)] {
        let mut feed = Feed::new();
        let mut order: Vec<&Vec<u8>> = parts.iter().rev().collect();
        order.insert(place, lie);
        let found: Vec<Found> = order.iter().filter_map(|part| feed.give(part).ok()).collect();
        assert_eq!(found, [(text(100), Checksum::Good, 0, true)]);
        assert_eq!(feed.fate(FragmentFate::Conflicting), 1);
    }
}

#[test]
fn fragments_that_cannot_be_are_dropped_by_reason() {
    let mut feed = Feed::new();
    let parts = fragments4(&whole4(&text(100)), 40, 7);
    let mut odd = parts[0].clone();
    odd.truncate(20 + 37);
    odd[3] = 57;
    let mut empty = parts[0][..20].to_vec();
    empty[3] = 20;
    // RFC 791's 13 bits of offset reach beyond its 16 bits of length.
    let mut huge = parts[2].clone();
    huge[6..8].copy_from_slice(&[0x1f, 0xff]);
    for data in [odd, empty, huge] {
        assert_eq!(feed.give(&data).unwrap_err(), skip4(SkipReason::FragmentDropped));
    }
    assert_eq!((feed.fate(FragmentFate::Malformed), feed.fate(FragmentFate::Oversized)), (2, 1));
}

#[test]
fn the_rest_must_come_within_thirty_seconds_of_packet_time() {
    let parts = fragments4(&whole4(&text(60)), 40, 7);
    for (wait, expected) in [(29, true), (31, false)] {
        let mut feed = Feed::new();
        assert!(feed.give(&parts[0]).is_err());
        feed.time += wait * SECOND;
        assert_eq!(feed.give(&parts[1]).is_ok(), expected);
        assert_eq!(feed.fate(FragmentFate::Expired), u64::from(!expected));
    }
}

#[test]
fn a_clock_that_jumps_back_forgets_what_waits() {
    let mut feed = Feed::new();
    feed.time = 100_000 * SECOND;
    let parts = fragments4(&whole4(&text(60)), 40, 7);
    assert!(feed.give(&parts[0]).is_err());
    feed.time = 0;
    assert!(feed.give(&parts[1]).is_err());
    assert_eq!((feed.fate(FragmentFate::Expired), feed.held()), (1, 1));
}

#[test]
fn memory_is_bounded_and_the_oldest_makes_room() {
    let limit = 1 << 20;
    let mut feed = Feed::with(Config { fragment_memory: limit, ..Config::default() });
    let mut last = Vec::new();
    for id in 0..3_000u16 {
        last = fragments4(&whole4(&text(3_000)), 1_480, id);
        assert!(feed.give(&last[0]).is_err());
        assert!(feed.decoder.fragments().memory <= limit as u64);
    }
    assert!(feed.fate(FragmentFate::Evicted) > 2_000);
    assert!(feed.give(&last[1]).is_err());
    assert!(feed.give(&last[2]).is_ok());
    // A single byte at the far end asks for the largest buffer.
    let mut far = fragments4(&whole4(&text(60)), 40, 0).remove(1);
    for id in 0..1_000u16 {
        far[4..6].copy_from_slice(&id.to_be_bytes());
        far[6..8].copy_from_slice(&[0x1f, 0xf0]);
        assert!(feed.give(&far).is_err());
        assert!(feed.decoder.fragments().memory <= limit as u64);
    }
}

#[test]
fn a_cut_fragment_leaves_a_hole_of_the_stated_length() {
    let parts = fragments4(&whole4(&text(3_000)), 1_480, 7);
    let mut feed = Feed::new();
    assert!(feed.give(&parts[0]).is_err());
    assert!(feed.give_cut(&parts[1], 300).is_err());
    let (payload, checksum, cut, conflict) = feed.give(&parts[2]).unwrap();
    // 1,460 bytes of the first, 280 of the second.
    assert_eq!((payload, checksum), (text(3_000)[..1_740].to_vec(), Checksum::Unverifiable));
    assert_eq!((cut, conflict), (3_000 - 1_740, false));
}

#[test]
fn fragments_of_a_tunnel_and_in_a_tunnel() {
    let whole = ethernet(&[0x0800], &whole4(&text(3_000)));
    let tunnel = outer4(17, &udp(4789, &vxlan(5, &whole)));
    let outside = fragments4(&tunnel, 1_480, 7);
    let inside = fragments4(&whole4(&text(3_000)), 1_480, 9);
    let inside: Vec<Vec<u8>> =
        inside.iter().map(|part| outer4(17, &udp(4789, &vxlan(5, &ethernet(&[0x0800], part))))).collect();
    let both: Vec<Vec<u8>> =
        inside.iter().zip(20..).flat_map(|(part, id)| fragments4(part, 1_000, id)).collect();
    for parts in [outside, inside, both] {
        let mut feed = Feed::new();
        let found: Vec<Found> = parts.iter().filter_map(|part| feed.give(part).ok()).collect();
        assert_eq!(found, [(text(3_000), Checksum::Good, 0, false)]);
    }
}

#[test]
fn what_a_datagram_holds_knows_the_way_it_came() {
    let tunnel = outer4(47, &gre(0, 0x6558, &ethernet(&[0x8100, 0x0800], &outer4(4, &whole4(&text(500))))));
    let mut decoder = Decoder::new(Config { tenant: Tenant::Vlan, ..Config::default() });
    let mut parts = fragments4(&tunnel, 104, 3);
    let last = parts.pop().unwrap();
    for part in &parts {
        assert!(matches!(decoder.decode(&packet(RAW, part)), Decoded::Skip(_)));
    }
    let Decoded::Segment(segment) = decoder.decode(&packet(RAW, &last)) else { panic!() };
    assert_eq!((segment.vlan, segment.key.tenant), (Some(101), 101));
    assert_eq!(segment.overlay.tunnels.iter().collect::<Vec<_>>(), [Tunnel::Gre, Tunnel::IpInIp]);
}

#[test]
fn networks_with_the_same_addresses_keep_their_fragments_apart() {
    let [one, two] = [1u32, 2].map(|vni| {
        let parts = fragments4(&whole4(&text(100 + vni as usize)), 48, 7);
        let wrap = |part: &Vec<u8>| outer4(17, &udp(4789, &vxlan(vni, &ethernet(&[0x0800], part))));
        parts.iter().map(wrap).collect::<Vec<_>>()
    });
    let mut feed = Feed::new();
    let mixed = one.iter().zip(&two).flat_map(|(a, b)| [a, b]);
    let found: Vec<usize> =
        mixed.filter_map(|part| feed.give(part).ok()).map(|(payload, ..)| payload.len()).collect();
    assert_eq!(found, [101, 102]);
}

#[test]
fn ports_are_not_guessed_from_later_fragments() {
    let whole = outer4(17, &udp(4789, &vxlan(5, &frame(&tcp(&text(100))))));
    let parts = fragments4(&whole, 48, 7);
    assert!(parts.iter().all(|part| crate::build::skip(RAW, part) == (Layer::Ipv4, SkipReason::Fragment)));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever pieces come in whatever order: the first copy of each byte counts, and nothing is lost from the books.
    #[test]
    fn any_pieces_give_what_a_naive_model_gives(
        pieces in prop::collection::vec((0usize..20, 1usize..8, any::<bool>()), 1..40),
        lies in any::<u64>(),
    ) {
        let whole = whole4(&text(100));
        let length = whole.len() - 20;
        let mut feed = Feed::new();
        let mut model: Vec<Option<u8>> = vec![None; length];
        let (mut ended, mut found, mut differs) = (false, Vec::new(), false);
        for (at, (block, blocks, reach)) in pieces.into_iter().enumerate() {
            let start = (block * 8).min(length / 8 * 8);
            let end = if reach { length } else { (start + blocks * 8).min(length / 8 * 8) };
            // A piece that is everything is no fragment.
            if start >= end || end - start == length || !found.is_empty() {
                continue;
            }
            let mut piece = whole[20 + start..20 + end].to_vec();
            if lies >> (at % 64) & 1 == 1 && start > 0 {
                piece[0] ^= 0x80;
            }
            let place = (start / 8) as u16 | if end < length { 0x2000 } else { 0 };
            let mut part = whole[..20].to_vec();
            part[2..4].copy_from_slice(&((20 + piece.len()) as u16).to_be_bytes());
            part[6..8].copy_from_slice(&place.to_be_bytes());
            part.extend(&piece);
            for (slot, byte) in model[start..end].iter_mut().zip(&piece) {
                differs |= slot.is_some_and(|old| old != *byte);
                slot.get_or_insert(*byte);
            }
            ended |= end == length;
            found.extend(feed.give(&part).ok());
            let complete = ended && model.iter().all(Option::is_some);
            prop_assert_eq!(complete, !found.is_empty());
        }
        if let Some((payload, _, cut, conflict)) = found.pop() {
            let expected: Vec<u8> = model.iter().skip(20).map(|byte| byte.unwrap()).collect();
            prop_assert_eq!((payload, cut, conflict), (expected, 0, differs));
        }
    }
}
