//! Tunnels made by hand, from the figures of their RFCs.

use crate::build::{CLIENT, SERVER, ethernet, ipv4, ipv6};

/// UDP to `port`, with a length that is right.
pub(crate) fn udp(port: u16, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(8 + payload.len()).unwrap();
    [&[0xc0, 0][..], &port.to_be_bytes(), &length.to_be_bytes(), &[0, 0], payload].concat()
}

/// A label stack; the last label carries the bottom-of-stack bit (RFC 3032, 2.1).
pub(crate) fn mpls(labels: &[u32], payload: &[u8]) -> Vec<u8> {
    let stack = labels.iter().enumerate().flat_map(|(at, label)| {
        let bottom = u32::from(at + 1 == labels.len());
        (label << 12 | bottom << 8 | 64).to_be_bytes()
    });
    stack.chain(payload.iter().copied()).collect()
}

/// A PPPoE session packet (RFC 2516, 4) of session 0x1234, with PPP inside.
pub(crate) fn pppoe(ppp: &[u8]) -> Vec<u8> {
    let length = u16::try_from(ppp.len()).unwrap().to_be_bytes();
    [&[0x11, 0, 0x12, 0x34][..], &length, ppp].concat()
}

/// GRE with these flags; each optional word is there when its flag is (RFC 2890, 2).
pub(crate) fn gre(flags: u16, protocol: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = [flags.to_be_bytes(), protocol.to_be_bytes()].concat();
    for (flag, word) in
        [(0x8000, [0xab, 0xcd, 0, 0]), (0x2000, [0, 0x12, 0x34, 0x56]), (0x1000, [0, 0, 0, 9])]
    {
        if flags & flag != 0 {
            bytes.extend(word);
        }
    }
    bytes.extend(payload);
    bytes
}

/// ERSPAN type II: version 1, session 100, index 7.
pub(crate) fn erspan_2(vlan: u16, frame: &[u8]) -> Vec<u8> {
    [&(0x1000 | vlan).to_be_bytes()[..], &[0x08, 100, 0, 0, 0, 7], frame].concat()
}

/// ERSPAN type III: version 2, with or without the platform's subheader.
pub(crate) fn erspan_3(vlan: u16, kind: u8, platform: bool, payload: &[u8]) -> Vec<u8> {
    let head = [&(0x2000 | vlan).to_be_bytes()[..], &[0x08, 100, 1, 2, 3, 4, 0, 0, kind << 2]].concat();
    let tail: &[u8] = if platform { &[1, 1, 2, 3, 4, 5, 6, 7, 8] } else { &[0] };
    [&head, tail, payload].concat()
}

/// VXLAN with the I flag (RFC 7348, 5).
pub(crate) fn vxlan(vni: u32, frame: &[u8]) -> Vec<u8> {
    [&[8, 0, 0, 0][..], &(vni << 8).to_be_bytes(), frame].concat()
}

/// The generic protocol extension of VXLAN: I and P flags, and what comes next.
pub(crate) fn vxlan_gpe(next: u8, payload: &[u8]) -> Vec<u8> {
    [&[0x0c, 0, 0, next, 0, 0, 5, 0][..], payload].concat()
}

/// GENEVE (RFC 8926, 3.4) with options, whose length is in words.
pub(crate) fn geneve(protocol: u16, vni: u32, options: &[u8], payload: &[u8]) -> Vec<u8> {
    let words = u8::try_from(options.len() / 4).unwrap();
    [&[words, 0][..], &protocol.to_be_bytes(), &(vni << 8).to_be_bytes(), options, payload].concat()
}

/// An NFLOG message with a mark, a prefix and the packet, attributes in that byte order.
pub(crate) fn nflog(family: u8, big_endian: bool, packet: &[u8]) -> Vec<u8> {
    let two = |value: u16| if big_endian { value.to_be_bytes() } else { value.to_le_bytes() };
    let mut bytes = vec![family, 0, 0, 5];
    for (kind, value) in [(3u16, &[0, 0, 0, 1][..]), (10, b"in\0"), (9, packet)] {
        bytes.extend(two(u16::try_from(value.len() + 4).unwrap()));
        bytes.extend(two(kind));
        bytes.extend(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
    }
    bytes
}

/// Fragments of an IPv4 packet without options, each of `size` bytes but the last.
pub(crate) fn fragments4(packet: &[u8], size: usize, id: u16) -> Vec<Vec<u8>> {
    let pieces: Vec<&[u8]> = packet[20..].chunks(size).collect();
    let parts = pieces.iter().enumerate().map(|(at, piece)| {
        let mut part = packet[..20].to_vec();
        let more = if at + 1 < pieces.len() { 0x2000 } else { 0 };
        part[2..4].copy_from_slice(&u16::try_from(20 + piece.len()).unwrap().to_be_bytes());
        part[4..6].copy_from_slice(&id.to_be_bytes());
        part[6..8].copy_from_slice(&(more | u16::try_from(at * size / 8).unwrap()).to_be_bytes());
        part.extend(*piece);
        part
    });
    parts.collect()
}

/// The same of an IPv6 packet without extension headers.
pub(crate) fn fragments6(packet: &[u8], size: usize, id: u32) -> Vec<Vec<u8>> {
    let pieces: Vec<&[u8]> = packet[40..].chunks(size).collect();
    let parts = pieces.iter().enumerate().map(|(at, piece)| {
        let mut part = packet[..40].to_vec();
        let place = u16::try_from(at * size).unwrap() | u16::from(at + 1 < pieces.len());
        part[4..6].copy_from_slice(&u16::try_from(8 + piece.len()).unwrap().to_be_bytes());
        part[6] = 44;
        part.extend([packet[6], 0]);
        part.extend(place.to_be_bytes());
        part.extend(id.to_be_bytes());
        part.extend(*piece);
        part
    });
    parts.collect()
}

/// The innermost packet of these tests, as Ethernet.
pub(crate) fn frame(tcp: &[u8]) -> Vec<u8> {
    ethernet(&[0x0800], &ipv4(6, tcp))
}

/// IPv4 with `protocol` from server to client, so that inner and outer addresses differ.
pub(crate) fn outer4(protocol: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = ipv4(protocol, payload);
    packet[12..16].copy_from_slice(&SERVER.octets());
    packet[16..20].copy_from_slice(&CLIENT.octets());
    packet
}

/// IPv6 with `next`, the addresses turned round.
pub(crate) fn outer6(next: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = ipv6(next, payload);
    packet[8..40].rotate_left(16);
    packet
}
