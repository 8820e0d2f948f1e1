//! The same packets through etherparse: what both support must come out the same.
//!
//! Its strict reader accepts less than ours, its lax reader more; so what the strict one finds we must find, and what we
//! find the lax one must find.

use etherparse::{EtherType, LaxSlicedPacket, LinkExtSlice, SlicedPacket, TcpSlice, TransportSlice};
use proptest::prelude::*;
use tapwire_wire::{Decoded, LinkType, decode};

use crate::build::{ethernet, ipv4_with_options, ipv6, packet, tcp_with_options};
use crate::wrap::{outer4, udp, vxlan};

/// What two decoders can be compared by.
#[derive(Debug, PartialEq, Eq)]
struct Facts {
    ports: (u16, u16),
    seq: u32,
    ack: Option<u32>,
    window: u16,
    payload: Vec<u8>,
}

impl Facts {
    fn of(tcp: &TcpSlice<'_>) -> Self {
        Self {
            ports: (tcp.source_port(), tcp.destination_port()),
            seq: tcp.sequence_number(),
            ack: tcp.ack().then(|| tcp.acknowledgment_number()),
            window: tcp.window_size(),
            payload: tcp.payload().to_vec(),
        }
    }
}

fn ours(data: &[u8]) -> Option<Facts> {
    let packet = packet(LinkType::ETHERNET, data);
    let Decoded::Segment(segment) = decode(&packet) else { return None };
    Some(Facts {
        ports: (segment.key.endpoint(segment.side).port, segment.key.endpoint(segment.side.peer()).port),
        seq: segment.seq.0,
        ack: segment.ack.map(|ack| ack.0),
        window: segment.window,
        payload: segment.payload.to_vec(),
    })
}

fn strict(data: &[u8]) -> Option<Facts> {
    let sliced = SlicedPacket::from_ethernet(data).ok()?;
    // MACsec without encryption is left to the next link layers.
    let macsec = sliced.link_exts.iter().any(|ext| matches!(ext, LinkExtSlice::Macsec(_)));
    match sliced.transport? {
        TransportSlice::Tcp(tcp) if !macsec => Some(Facts::of(&tcp)),
        _ => None,
    }
}

fn lax(data: &[u8]) -> Option<Facts> {
    match LaxSlicedPacket::from_ethernet(data).ok()?.transport? {
        TransportSlice::Tcp(tcp) => Some(Facts::of(&tcp)),
        _ => None,
    }
}

/// Layers that we follow and the oracle does not: SNAP, extension headers that repeat or change places, RFC 6275 and its like.
fn beyond_the_oracle(data: &[u8]) -> bool {
    let Ok(sliced) = LaxSlicedPacket::from_ethernet(data) else { return false };
    let snap = sliced.link_exts.is_empty() && data.get(12).is_some_and(|high| *high < 6);
    let tagged_snap = sliced.ether_payload().is_some_and(|payload| payload.ether_type < EtherType(0x600));
    let stopped_at = sliced.ip_payload().map(|payload| payload.ip_number.0);
    snap || tagged_snap || matches!(stopped_at, Some(0 | 43 | 44 | 51 | 60 | 135 | 139 | 140))
}

/// Everything a segment says, as text; its payload by address, which tells more than by content.
fn all_of(link: LinkType, data: &[u8], skipped: usize) -> Option<String> {
    let packet = packet(link, data);
    let Decoded::Segment(segment) = decode(&packet) else { return None };
    let start = segment.payload.as_ptr().addr() - data.as_ptr().addr() - skipped;
    let (vlan, ttl, checksum, window) = (segment.vlan, segment.ttl, segment.checksum(), segment.window);
    Some(format!("{segment:?} {vlan:?} {ttl} {checksum:?} {window} {start}"))
}

/// A cooked capture of the same packet takes the long way where Ethernet takes the short one.
fn both_ways_agree(data: &[u8]) -> Result<(), TestCaseError> {
    if data.len() < 14 || data[12] < 6 {
        return Ok(());
    }
    let cooked = [&[0; 14], &data[12..]].concat();
    prop_assert_eq!(all_of(LinkType::ETHERNET, data, 14), all_of(LinkType::LINUX_SLL, &cooked, 16));
    Ok(())
}

/// A frame in a tunnel gives what it gives alone, also when a frame of the tunnel's own makes it take the long way.
fn tunnels_agree(data: &[u8]) -> Result<(), TestCaseError> {
    let wrapped = outer4(17, &udp(4789, &vxlan(5, data)));
    let start = wrapped.len() - data.len();
    prop_assert_eq!(all_of(LinkType::ETHERNET, data, 0), all_of(LinkType::RAW, &wrapped, start));
    Ok(())
}

fn agree(data: &[u8]) -> Result<(), TestCaseError> {
    let ours = ours(data);
    if let Some(strict) = strict(data) {
        prop_assert_eq!(Some(&strict), ours.as_ref());
    }
    match (&ours, lax(data)) {
        (Some(_), None) => prop_assert!(beyond_the_oracle(data)),
        (Some(ours), Some(lax)) => prop_assert_eq!(ours, &lax),
        (None, _) => {}
    }
    both_ways_agree(data)?;
    tunnels_agree(data)
}

/// Packets of every supported shape, well-formed.
fn shaped() -> impl Strategy<Value = Vec<u8>> {
    let extensions = prop::collection::vec(prop::sample::select(vec![60u8, 43, 44, 51]), 0..3);
    let options = |most: usize| (0..=most).prop_map(|words| vec![1u8; words * 4]);
    let payload = prop::collection::vec(any::<u8>(), 0..64);
    let tags = prop::collection::vec(prop::sample::select(vec![0x8100u16, 0x88a8, 0x9100]), 0..3);
    let padding = prop::collection::vec(any::<u8>(), 0..20);
    (any::<bool>(), tags, options(10), options(10), extensions, payload, padding).prop_map(
        |(v6, mut tags, ip_options, tcp_options, extensions, payload, padding)| {
            let tcp = tcp_with_options(&tcp_options, &payload);
            let ip =
                if v6 { with_extensions(&extensions, &tcp) } else { ipv4_with_options(6, &ip_options, &tcp) };
            tags.push(if v6 { 0x86dd } else { 0x0800 });
            ethernet(&tags, &[ip, padding].concat())
        },
    )
}

/// IPv6 with extension headers of 8 bytes, 12 for the authentication header, in front of TCP.
fn with_extensions(kinds: &[u8], tcp: &[u8]) -> Vec<u8> {
    let mut payload = Vec::new();
    for (at, kind) in kinds.iter().enumerate() {
        let next = *kinds.get(at + 1).unwrap_or(&6);
        payload.extend(match kind {
            51 => vec![next, 2, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0],
            _ => vec![next, 0, 0, 0, 0, 0, 0, 0],
        });
    }
    payload.extend(tcp);
    ipv6(*kinds.first().unwrap_or(&6), &payload)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn well_formed_packets_come_out_the_same(data in shaped()) {
        prop_assert!(ours(&data).is_some());
        agree(&data)?;
    }

    #[test]
    fn damaged_packets_come_out_the_same(
        mut data in shaped(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in any::<prop::sample::Index>(),
        is_cut in any::<bool>(),
    ) {
        for (at, value) in changes {
            let at = at.index(data.len().min(90));
            data[at] = value;
        }
        if is_cut {
            data.truncate(cut.index(data.len()));
        }
        agree(&data)?;
    }
}
