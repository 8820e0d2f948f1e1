//! Packets made by hand, so that every odd field can be set; and what `decode` says of them.

use std::net::{Ipv4Addr, Ipv6Addr};

use tapwire_wire::{
    Decoded, Layer, LinkType, Packet, Segment, Skip, SkipReason, SourceId, Timestamp, decode,
};

pub(crate) const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 7);
pub(crate) const SERVER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
pub(crate) const CLIENT6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 7);
pub(crate) const SERVER6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);

/// A packet of `link` that was captured whole.
pub(crate) fn packet(link: LinkType, data: &[u8]) -> Packet<'_> {
    snapped(link, data, data.len())
}

/// A packet of which only `data` was captured.
pub(crate) fn snapped(link: LinkType, data: &[u8], wire_len: usize) -> Packet<'_> {
    Packet {
        time: Timestamp::from_nanos(1),
        link,
        data,
        wire_len: u32::try_from(wire_len).unwrap(),
        frame: 7,
        source: SourceId(3),
    }
}

/// The segment in `data`, which must hold one.
pub(crate) fn segment(link: LinkType, data: &[u8]) -> Segment<'_> {
    match decode(&packet(link, data)) {
        Decoded::Segment(segment) => segment,
        Decoded::Skip(skip) => panic!("{skip:?}"),
    }
}

/// Why `data` holds no segment.
pub(crate) fn skip(link: LinkType, data: &[u8]) -> (Layer, SkipReason) {
    skip_of(&packet(link, data))
}

/// Why the packet holds no segment.
pub(crate) fn skip_of(packet: &Packet<'_>) -> (Layer, SkipReason) {
    match decode(packet) {
        Decoded::Segment(segment) => panic!("{segment:?}"),
        Decoded::Skip(Skip { layer, reason }) => (layer, reason),
    }
}

/// A TCP header with `options`, of 40001 to 80, and a payload; without checksum.
pub(crate) fn tcp_with_options(options: &[u8], payload: &[u8]) -> Vec<u8> {
    assert!(options.len().is_multiple_of(4));
    let offset = u8::try_from((20 + options.len()) / 4).unwrap() << 4;
    let mut bytes = vec![0x9c, 0x41, 0, 80, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, offset, 0x18];
    bytes.extend([0x10, 0x20, 0, 0, 0, 0]);
    bytes.extend(options);
    bytes.extend(payload);
    bytes
}

pub(crate) fn tcp(payload: &[u8]) -> Vec<u8> {
    tcp_with_options(&[], payload)
}

/// IPv4 of `protocol` from client to server.
pub(crate) fn ipv4(protocol: u8, payload: &[u8]) -> Vec<u8> {
    ipv4_with_options(protocol, &[], payload)
}

pub(crate) fn ipv4_with_options(protocol: u8, options: &[u8], payload: &[u8]) -> Vec<u8> {
    let header = 20 + options.len();
    let total = u16::try_from(header + payload.len()).unwrap().to_be_bytes();
    let mut bytes = vec![
        0x40 | u8::try_from(header / 4).unwrap(),
        0,
        total[0],
        total[1],
        0,
        1,
        0x40,
        0,
        61,
        protocol,
        0,
        0,
    ];
    bytes.extend(CLIENT.octets());
    bytes.extend(SERVER.octets());
    bytes.extend(options);
    bytes.extend(payload);
    bytes
}

/// IPv6 with `next` behind the header, from client to server.
pub(crate) fn ipv6(next: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
    let mut bytes = vec![0x60, 0, 0, 0, length[0], length[1], next, 62];
    bytes.extend(CLIENT6.octets());
    bytes.extend(SERVER6.octets());
    bytes.extend(payload);
    bytes
}

/// Ethernet with `ethertypes`: all but the last are VLAN tags, numbered from 101.
pub(crate) fn ethernet(ethertypes: &[u16], payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
    for (vlan, ethertype) in (100u16..).zip(ethertypes) {
        if vlan > 100 {
            // With a priority, which is no part of the identifier.
            bytes.extend((vlan | 0xe000).to_be_bytes());
        }
        bytes.extend(ethertype.to_be_bytes());
    }
    bytes.extend(payload);
    bytes
}

/// The usual packet: Ethernet, IPv4, TCP.
pub(crate) fn usual(payload: &[u8]) -> Vec<u8> {
    ethernet(&[0x0800], &ipv4(6, &tcp(payload)))
}

/// Sets the TCP checksum the slow way: RFC 1071, one word after the other.
pub(crate) fn set_checksum(tcp: &mut [u8], addresses: &[u8]) {
    tcp[16..18].fill(0);
    let length = u32::try_from(tcp.len()).unwrap().to_be_bytes();
    let all: Vec<u8> = addresses.iter().chain(&length).chain(&[0, 6]).chain(tcp.iter()).copied().collect();
    let mut sum = 0u32;
    for word in all.chunks(2) {
        sum += u32::from(u16::from_be_bytes([word[0], *word.get(1).unwrap_or(&0)]));
        sum = (sum & 0xffff) + (sum >> 16);
    }
    let checksum = !u16::try_from(sum).unwrap();
    tcp[16..18].copy_from_slice(&checksum.to_be_bytes());
}
