//! A packet of any link type: the short way against the long way, etherparse, and the same packet cut; and a packet in
//! fragments.

mod fragments;

use super::input::Choices;
use etherparse::{EtherType, LaxSlicedPacket, LinkExtSlice, SlicedPacket, TcpSlice, TransportSlice};
use tapwire_wire::{
    Checksum, Decoded, FlowKey, LinkType, Packet, Segment, Side, SkipReason, SourceId, Timestamp, decode,
};

const LINKS: [LinkType; 13] = [
    LinkType::ETHERNET,
    LinkType::LINUX_SLL,
    LinkType::LINUX_SLL2,
    LinkType::RAW,
    LinkType::IPV4,
    LinkType::IPV6,
    LinkType::NULL,
    LinkType::LOOP,
    LinkType::RAW_BSD,
    LinkType::RAW_OPENBSD,
    LinkType::PPP,
    LinkType::NFLOG,
    LinkType(147),
];

/// First bytes from here on choose fragments instead of a link type.
const FRAGMENTS: u8 = 0xf0;

/// The first byte chooses the link type, the second how many bytes the capture cut; the rest is the packet.
pub fn run(data: &[u8]) {
    let mut choices = Choices::new(data);
    if data.first().is_some_and(|first| *first >= FRAGMENTS) {
        return fragments::check(&mut choices);
    }
    let link = choices.pick(&LINKS);
    let cut = u32::from(choices.byte());
    let packet = packet(link, choices.all(), cut);
    check_place(&packet);
    check_cuts(&packet);
    if link == LinkType::ETHERNET {
        check_long_way(packet.data);
        check_oracle(packet.data);
    }
}

fn packet(link: LinkType, data: &[u8], cut: u32) -> Packet<'_> {
    let wire_len = data.len() as u32 + cut;
    Packet { time: Timestamp::default(), link, data, wire_len, frame: 1, source: SourceId(0) }
}

fn segment<'a>(packet: &Packet<'a>) -> Option<Segment<'a>> {
    match decode(packet) {
        Decoded::Segment(segment) => Some(segment),
        Decoded::Skip(_) => None,
    }
}

/// What stays when bytes at the end are not captured.
#[derive(Debug, PartialEq, Eq)]
struct Header {
    key: FlowKey,
    side: Side,
    numbers: (u32, Option<u32>, u8, u16),
    ttl: u8,
    vlan: Option<u16>,
    length: usize,
}

impl Header {
    fn of(segment: &Segment<'_>) -> Self {
        Self {
            key: segment.key,
            side: segment.side,
            numbers: (segment.seq.0, segment.ack.map(|ack| ack.0), segment.flags.0, segment.window),
            ttl: segment.ttl,
            vlan: segment.vlan,
            length: segment.payload.len() + segment.cut as usize,
        }
    }
}

/// The payload lies inside the packet, and nothing is invented behind it.
fn check_place(packet: &Packet<'_>) {
    let Some(segment) = segment(packet) else { return };
    let (whole, part) = (packet.data.as_ptr_range(), segment.payload.as_ptr_range());
    assert!(segment.payload.is_empty() || (whole.start <= part.start && part.end <= whole.end));
    assert_eq!(segment.cut > 0, segment.checksum() == Checksum::Unverifiable);
}

/// A packet cut at any byte gives the same segment with fewer bytes, or says that it was cut.
fn check_cuts(packet: &Packet<'_>) {
    let whole = decode(packet);
    let len = packet.data.len();
    // Every cut inside the headers, and some behind them.
    for end in (0..len.min(160)).chain((160..len).step_by(97)) {
        let shorter = decode(&Packet { data: &packet.data[..end], ..*packet });
        match (&whole, &shorter) {
            (Decoded::Segment(whole), Decoded::Segment(cut)) => {
                assert_eq!(Header::of(whole), Header::of(cut), "cut at {end}");
                assert!(whole.payload.starts_with(cut.payload), "cut at {end}");
            }
            (_, Decoded::Skip(cut)) if cut.reason == SkipReason::Truncated => {}
            // What follows an MPLS label is told by its looks, so the layer to blame may be another one.
            (Decoded::Skip(_), Decoded::Skip(_)) => {}
            (_, Decoded::Skip(_)) if may_have_label(packet.data) => {}
            _ => panic!("cut at {end}: {shorter:?} instead of {whole:?}"),
        }
    }
}

/// Whether an EtherType of MPLS (RFC 5332) stands somewhere.
fn may_have_label(data: &[u8]) -> bool {
    data.windows(2).any(|kind| matches!(kind, [0x88, 0x47 | 0x48]))
}

/// Everything a segment says, its payload by place.
fn all_of(packet: &Packet<'_>, skipped: usize) -> Option<(Header, Checksum, usize, usize)> {
    let segment = segment(packet)?;
    let start = segment.payload.as_ptr().addr() - packet.data.as_ptr().addr() - skipped;
    Some((Header::of(&segment), segment.checksum(), start, segment.payload.len()))
}

/// A cooked capture of the same packet takes the long way where Ethernet takes the short one.
fn check_long_way(data: &[u8]) {
    // Below 0x0600 there is a length, which cooked captures do not have.
    if data.len() < 14 || data[12] < 6 {
        return;
    }
    let cooked = [&[0; 14], &data[12..]].concat();
    let long = all_of(&packet(LinkType::LINUX_SLL, &cooked, 0), 16);
    assert_eq!(all_of(&packet(LinkType::ETHERNET, data, 0), 14), long);
}

/// What two decoders can be compared by.
#[derive(Debug, PartialEq, Eq)]
struct Facts<'a> {
    ports: (u16, u16),
    seq: u32,
    ack: Option<u32>,
    window: u16,
    payload: &'a [u8],
}

impl<'a> Facts<'a> {
    fn of(tcp: &TcpSlice<'a>) -> Self {
        Self {
            ports: (tcp.source_port(), tcp.destination_port()),
            seq: tcp.sequence_number(),
            ack: tcp.ack().then(|| tcp.acknowledgment_number()),
            window: tcp.window_size(),
            payload: tcp.payload(),
        }
    }

    fn ours(segment: &Segment<'a>) -> Self {
        let (from, to) = (segment.key.endpoint(segment.side), segment.key.endpoint(segment.side.peer()));
        Self {
            ports: (from.port, to.port),
            seq: segment.seq.0,
            ack: segment.ack.map(|ack| ack.0),
            window: segment.window,
            payload: segment.payload,
        }
    }
}

/// The oracle's strict reader accepts less than ours, its lax reader more.
fn check_oracle(data: &[u8]) {
    let found = segment(&packet(LinkType::ETHERNET, data, 0));
    let ours = found.as_ref().map(Facts::ours);
    let strict = strict(data);
    if strict.is_some() {
        assert_eq!(strict, ours, "strict");
    }
    match (&ours, lax(data)) {
        (Some(_), None) => assert!(is_beyond_the_oracle(data), "only ours: {ours:?}"),
        (Some(ours), Some(lax)) => assert_eq!(ours, &lax, "lax"),
        (None, _) => {}
    }
}

fn strict(data: &[u8]) -> Option<Facts<'_>> {
    let sliced = SlicedPacket::from_ethernet(data).ok()?;
    // MACsec without encryption is left to the next link layers.
    let macsec = sliced.link_exts.iter().any(|ext| matches!(ext, LinkExtSlice::Macsec(_)));
    match sliced.transport? {
        TransportSlice::Tcp(tcp) if !macsec => Some(Facts::of(&tcp)),
        _ => None,
    }
}

fn lax(data: &[u8]) -> Option<Facts<'_>> {
    match LaxSlicedPacket::from_ethernet(data).ok()?.transport? {
        TransportSlice::Tcp(tcp) => Some(Facts::of(&tcp)),
        _ => None,
    }
}

/// Layers that we follow and the oracle does not: SNAP, extension headers that repeat or change places, RFC 6275 and
/// its like, tunnels.
fn is_beyond_the_oracle(data: &[u8]) -> bool {
    const FOLLOWED: [u8; 13] = [0, 4, 17, 41, 43, 44, 47, 51, 60, 135, 137, 139, 140];
    const TUNNELS: [u16; 6] = [0x8847, 0x8848, 0x8863, 0x8864, 0x6558, 0x9100];
    let Ok(sliced) = LaxSlicedPacket::from_ethernet(data) else { return false };
    let snap = sliced.link_exts.is_empty() && data.get(12).is_some_and(|high| *high < 6);
    let behind_tags = sliced.ether_payload().is_some_and(|payload| {
        payload.ether_type < EtherType(0x600) || TUNNELS.contains(&payload.ether_type.0)
    });
    // It keeps three tags, we follow sixteen.
    let many_tags = sliced.link_exts.len() >= 3;
    let stopped_at = sliced.ip_payload().map(|payload| payload.ip_number.0);
    snap || many_tags || behind_tags || stopped_at.is_some_and(|number| FOLLOWED.contains(&number))
}
