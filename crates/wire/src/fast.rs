//! The short way through the headers that nearly every packet has: Ethernet, at most two VLAN tags, IPv4 without options
//! or IPv6 without extensions, TCP; captured whole.
//!
//! Anything else is `None` and takes the long way, which gives the same result for these packets as well: a test holds
//! the two together. A segment is put together in one place, because one that is handed on from layer to layer costs
//! several times the work of reading the headers; until then there are only numbers.

use crate::ethertype::{IPV4, IPV6, is_tag};
use crate::{FlowKey, Overlay, Packet, Segment, SeqNumber, Side, TcpFlags};

const TCP: u8 = 6;

/// What the IP layer leaves: the stated bytes of the segment, at least a TCP header, and whose they are.
struct Found<'a> {
    tcp: &'a [u8],
    /// Address and port of the end that sorts first.
    lower: (u128, u16),
    upper: (u128, u16),
    side: Side,
    ttl: u8,
}

/// The segment of an Ethernet frame: `packet` itself, or a frame within it.
#[inline(always)]
pub(crate) fn ethernet<'a>(packet: &Packet<'_>, frame: &'a [u8]) -> Option<Segment<'a>> {
    let (kind, vlan, ip) = untagged(frame)?;
    let Found { tcp, lower, upper, side, ttl } = match kind {
        IPV4 => ipv4(ip)?,
        IPV6 => ipv6(ip)?,
        _ => return None,
    };
    let [_, _, _, _, s0, s1, s2, s3, a0, a1, a2, a3, offset, flags, w0, w1, ..] = tcp.first_chunk::<20>()?;
    let header_len = usize::from(offset >> 4) * 4;
    if header_len < 20 {
        return None;
    }
    let payload = tcp.get(header_len..)?;
    let flags = TcpFlags(*flags);
    let ack = SeqNumber(u32::from_be_bytes([*a0, *a1, *a2, *a3]));
    Some(Segment {
        key: FlowKey::of_numbers(lower, upper),
        side,
        time: packet.time,
        frame: packet.frame,
        source: packet.source,
        seq: SeqNumber(u32::from_be_bytes([*s0, *s1, *s2, *s3])),
        ack: flags.has(TcpFlags::ACK).then_some(ack),
        flags,
        window: u16::from_be_bytes([*w0, *w1]),
        payload,
        cut: 0,
        ttl,
        vlan,
        overlay: Overlay::NONE,
        fragment_conflict: false,
        tcp,
    })
}

/// The EtherType behind at most two VLAN tags, the outer identifier, and the rest.
#[inline(always)]
fn untagged(data: &[u8]) -> Option<(u16, Option<u16>, &[u8])> {
    let kind = be16(data, 12)?;
    if !is_tag(kind) {
        return Some((kind, None, data.get(14..)?));
    }
    let vlan = Some(be16(data, 14)? & 0x0fff);
    let kind = be16(data, 16)?;
    if !is_tag(kind) {
        return Some((kind, vlan, data.get(18..)?));
    }
    Some((be16(data, 20)?, vlan, data.get(22..)?))
}

#[inline(always)]
fn be16(data: &[u8], at: usize) -> Option<u16> {
    data.get(at..)?.first_chunk().map(|pair| u16::from_be_bytes(*pair))
}

#[inline(always)]
fn ipv4(ip: &[u8]) -> Option<Found<'_>> {
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
    // An address above its port is one number, and the order needs no branch: who sends is a coin toss.
    let src = u64::from_be_bytes([0, 0, *s0, *s1, *s2, *s3, *p0, *p1]);
    let dst = u64::from_be_bytes([0, 0, *d0, *d1, *d2, *d3, *q0, *q1]);
    let side = if src <= dst { Side::Lower } else { Side::Upper };
    Some(Found { tcp, lower: mapped(src.min(dst)), upper: mapped(src.max(dst)), side, ttl: *ttl })
}

/// The IPv4-mapped address, and the port, of an IPv4 address above a port.
#[inline(always)]
#[allow(clippy::cast_possible_truncation, reason = "the port is the lowest 16 bits")]
fn mapped(number: u64) -> (u128, u16) {
    (0xffff_0000_0000 | u128::from(number >> 16), number as u16)
}

#[inline(always)]
fn ipv6(ip: &[u8]) -> Option<Found<'_>> {
    let (header, rest) = ip.split_first_chunk::<40>()?;
    let [first, _, _, _, l0, l1, TCP, ttl, ..] = header else { return None };
    let tcp = rest.get(..usize::from(u16::from_be_bytes([*l0, *l1])))?;
    if first >> 4 != 6 {
        return None;
    }
    let [p0, p1, q0, q1, ..] = tcp.first_chunk::<20>()?;
    let src = (be128(header, 8)?, u16::from_be_bytes([*p0, *p1]));
    let dst = (be128(header, 24)?, u16::from_be_bytes([*q0, *q1]));
    let side = if src <= dst { Side::Lower } else { Side::Upper };
    Some(Found { tcp, lower: src.min(dst), upper: src.max(dst), side, ttl: *ttl })
}

#[inline(always)]
fn be128(data: &[u8], at: usize) -> Option<u128> {
    data.get(at..)?.first_chunk().map(|bytes| u128::from_be_bytes(*bytes))
}
