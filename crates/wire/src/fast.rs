//! The short way through the headers that nearly every packet has: Ethernet, at most two VLAN tags, IPv4 without options
//! or IPv6 without extensions, TCP; captured whole.
//!
//! Anything else is `None` and takes the long way, which gives the same result for these packets as well: a test holds
//! the two together. Layer by layer, values that travel through the stack in parts cost 20 times as much as the work.

use crate::{Endpoint, FlowKey, Packet, Segment, SeqNumber, Side, TcpFlags};

const TCP: u8 = 6;

/// The segment of an Ethernet frame.
#[inline(always)]
pub(crate) fn ethernet<'a>(packet: &Packet<'a>) -> Option<Segment<'a>> {
    let data = packet.data;
    let [_, _, _, _, _, _, _, _, _, _, _, _, k0, k1, ..] = data.first_chunk::<14>()?;
    match u16::from_be_bytes([*k0, *k1]) {
        0x0800 => ipv4(packet, data.get(14..)?, None),
        0x86dd => ipv6(packet, data.get(14..)?, None),
        0x8100 | 0x88a8 | 0x9100 => tagged(packet, data.get(14..)?),
        _ => None,
    }
}

#[inline]
fn tagged<'a>(packet: &Packet<'a>, rest: &'a [u8]) -> Option<Segment<'a>> {
    let [t0, t1, k0, k1] = rest.first_chunk::<4>()?;
    let vlan = Some(u16::from_be_bytes([*t0, *t1]) & 0x0fff);
    match u16::from_be_bytes([*k0, *k1]) {
        0x0800 => ipv4(packet, rest.get(4..)?, vlan),
        0x86dd => ipv6(packet, rest.get(4..)?, vlan),
        0x8100 | 0x88a8 | 0x9100 => match rest.get(6..8)? {
            [0x08, 0x00] => ipv4(packet, rest.get(8..)?, vlan),
            [0x86, 0xdd] => ipv6(packet, rest.get(8..)?, vlan),
            _ => None,
        },
        _ => None,
    }
}

#[inline(always)]
fn ipv4<'a>(packet: &Packet<'a>, ip: &'a [u8], vlan: Option<u16>) -> Option<Segment<'a>> {
    let (header, rest) = ip.split_first_chunk::<20>()?;
    let [0x45, _, l0, l1, _, _, f0, f1, ttl, TCP, _, _, s0, s1, s2, s3, d0, d1, d2, d3] = header else {
        return None;
    };
    if u16::from_be_bytes([*f0, *f1]) & 0x3fff != 0 {
        return None;
    }
    let total = usize::from(u16::from_be_bytes([*l0, *l1]));
    let tcp = rest.get(..total.checked_sub(20)?)?;
    let [p0, p1, q0, q1, ..] = tcp.first_chunk::<20>()?;
    let (key, side) = FlowKey::v4(
        (u32::from_be_bytes([*s0, *s1, *s2, *s3]), u16::from_be_bytes([*p0, *p1])),
        (u32::from_be_bytes([*d0, *d1, *d2, *d3]), u16::from_be_bytes([*q0, *q1])),
    );
    segment(packet, tcp, key, side, *ttl, vlan)
}

#[inline(always)]
fn ipv6<'a>(packet: &Packet<'a>, ip: &'a [u8], vlan: Option<u16>) -> Option<Segment<'a>> {
    let (header, rest) = ip.split_first_chunk::<40>()?;
    let [first, _, _, _, l0, l1, TCP, ttl, ..] = header else { return None };
    let tcp = rest.get(..usize::from(u16::from_be_bytes([*l0, *l1])))?;
    if first >> 4 != 6 {
        return None;
    }
    let [p0, p1, q0, q1, ..] = tcp.first_chunk::<20>()?;
    let src = Endpoint::v6(*header.get(8..24)?.first_chunk()?, u16::from_be_bytes([*p0, *p1]));
    let dst = Endpoint::v6(*header.get(24..)?.first_chunk()?, u16::from_be_bytes([*q0, *q1]));
    let (key, side) = FlowKey::new(src, dst);
    segment(packet, tcp, key, side, *ttl, vlan)
}

#[inline(always)]
fn segment<'a>(
    packet: &Packet<'a>,
    tcp: &'a [u8],
    key: FlowKey,
    side: Side,
    ttl: u8,
    vlan: Option<u16>,
) -> Option<Segment<'a>> {
    let [_, _, _, _, s0, s1, s2, s3, a0, a1, a2, a3, offset, flags, w0, w1, ..] = tcp.first_chunk::<20>()?;
    let header_len = usize::from(offset >> 4) * 4;
    if header_len < 20 {
        return None;
    }
    let flags = TcpFlags(*flags);
    let ack = SeqNumber(u32::from_be_bytes([*a0, *a1, *a2, *a3]));
    Some(Segment {
        key,
        side,
        time: packet.time,
        frame: packet.frame,
        source: packet.source,
        seq: SeqNumber(u32::from_be_bytes([*s0, *s1, *s2, *s3])),
        ack: flags.has(TcpFlags::ACK).then_some(ack),
        flags,
        window: u16::from_be_bytes([*w0, *w1]),
        payload: tcp.get(header_len..)?,
        cut: 0,
        ttl,
        vlan,
        tcp,
    })
}
