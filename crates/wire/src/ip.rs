//! IPv4 and IPv6: from the IP header to what a TCP segment needs.
//!
//! Fragments end here as [`SkipReason::Fragment`]; reassembly and tunnels attach to [`transport`], which already knows
//! the protocol of what follows.

use crate::decode::Network;
use crate::view::View;
use crate::{Endpoint, Layer, Skip, SkipReason};

/// IP protocol numbers that lead on (IANA, protocol numbers).
const HOP_BY_HOP: u8 = 0;
const TCP: u8 = 6;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const DESTINATION: u8 = 60;
const MOBILITY: u8 = 135;
const HIP: u8 = 139;
const SHIM6: u8 = 140;

/// RFC 8200, 4.1 lists eight extension headers in the recommended order; twice as many is nobody's network.
const MAX_EXTENSIONS: usize = 16;

/// A TCP header and what follows, with the addresses around it. Ports are still 0.
pub(crate) struct Transport<'a> {
    pub(crate) view: View<'a>,
    pub(crate) src: Endpoint,
    pub(crate) dst: Endpoint,
    pub(crate) ttl: u8,
}

/// Removes the IP header and its extensions.
#[inline]
pub(crate) fn transport<'a>(network: &Network<'a>) -> Result<Transport<'a>, Skip> {
    let first = *network.view.data.first().ok_or_else(|| empty(network))?;
    match (network.version, first >> 4) {
        (None | Some(4), 4) => ipv4(network.view, first),
        (None | Some(6), 6) => ipv6(network.view),
        (Some(4), _) => Err(Skip::new(Layer::Ipv4, SkipReason::BadVersion)),
        (Some(_), _) => Err(Skip::new(Layer::Ipv6, SkipReason::BadVersion)),
        (None, _) => Err(Skip::new(network.layer, SkipReason::BadVersion)),
    }
}

#[cold]
fn empty(network: &Network<'_>) -> Skip {
    let reason = if network.view.stated == 0 { SkipReason::BadLength } else { SkipReason::Truncated };
    Skip::new(network.layer, reason)
}

#[inline]
fn ipv4(view: View<'_>, first: u8) -> Result<Transport<'_>, Skip> {
    let blame = |reason| Skip::new(Layer::Ipv4, reason);
    let header = view.header::<20>().map_err(blame)?;
    let [_, _, len_hi, len_lo, _, _, frag_hi, frag_lo, ttl, protocol, _, _, addresses @ ..] = *header;
    let [s0, s1, s2, s3, d0, d1, d2, d3] = addresses;
    let header_len = usize::from(first & 0x0f) * 4;
    let total = ipv4_total(usize::from(u16::from_be_bytes([len_hi, len_lo])), view.stated);
    if header_len < 20 || total < header_len {
        return Err(blame(SkipReason::BadLength));
    }
    // More-fragments bit or an offset (RFC 791, 3.1); don't-fragment and the reserved bit say nothing.
    if u16::from_be_bytes([frag_hi, frag_lo]) & 0x3fff != 0 {
        return Err(blame(SkipReason::Fragment));
    }
    let rest = view.limit(total).skip(header_len).map_err(blame)?;
    let transport = Transport {
        view: rest,
        src: Endpoint::v4([s0, s1, s2, s3], 0),
        dst: Endpoint::v4([d0, d1, d2, d3], 0),
        ttl,
    };
    if protocol == TCP { Ok(transport) } else { ipv4_other(protocol, transport) }
}

/// A total length of 0 is a packet captured before segmentation offload: it reaches as far as the frame does.
#[inline]
const fn ipv4_total(field: usize, on_wire: usize) -> usize {
    if field == 0 { on_wire } else { field }
}

#[cold]
fn ipv4_other(protocol: u8, transport: Transport<'_>) -> Result<Transport<'_>, Skip> {
    if protocol == AUTHENTICATION {
        extensions(protocol, transport)
    } else {
        Err(not_tcp(protocol, &transport.view))
    }
}

#[inline]
fn ipv6(view: View<'_>) -> Result<Transport<'_>, Skip> {
    let blame = |reason| Skip::new(Layer::Ipv6, reason);
    let header = view.header::<40>().map_err(blame)?;
    let [_, _, _, _, len_hi, len_lo, next, ttl, addresses @ ..] = *header;
    let rest = view.skip(40).map_err(blame)?;
    // Zero is a jumbogram (RFC 2675, 3) or a packet captured before segmentation offload.
    let length = match u16::from_be_bytes([len_hi, len_lo]) {
        0 => rest.stated,
        length => usize::from(length),
    };
    let (src, dst) = halves(&addresses);
    let transport =
        Transport { view: rest.limit(length), src: Endpoint::v6(src, 0), dst: Endpoint::v6(dst, 0), ttl };
    if next == TCP { Ok(transport) } else { extensions(next, transport) }
}

#[inline]
fn halves(addresses: &[u8; 32]) -> ([u8; 16], [u8; 16]) {
    let (mut src, mut dst) = ([0; 16], [0; 16]);
    let (first, second) = addresses.split_at(16);
    src.copy_from_slice(first);
    dst.copy_from_slice(second);
    (src, dst)
}

/// Walks extension headers (RFC 8200, 4) up to TCP.
#[cold]
fn extensions(mut next: u8, mut transport: Transport<'_>) -> Result<Transport<'_>, Skip> {
    let blame = |reason| Skip::new(Layer::Extension, reason);
    for _ in 0..MAX_EXTENSIONS {
        let view = transport.view;
        let length = match next {
            TCP => return Ok(transport),
            FRAGMENT => fragment(&view)?,
            HOP_BY_HOP | ROUTING | DESTINATION | MOBILITY | HIP | SHIM6 => 8 * (extension_len(&view)? + 1),
            // In units of four bytes, minus two (RFC 4302, 2.2).
            AUTHENTICATION => 4 * (extension_len(&view)? + 2),
            other => return Err(not_tcp(other, &view)),
        };
        if next == ROUTING {
            transport.dst = final_destination(view.limit(length).data).unwrap_or(transport.dst);
        }
        next = view.data.first().copied().ok_or_else(|| blame(SkipReason::Truncated))?;
        transport.view = view.skip(length).map_err(blame)?;
    }
    Err(blame(SkipReason::TooDeep))
}

fn extension_len(view: &View<'_>) -> Result<usize, Skip> {
    let [_, length] = *view.header::<2>().map_err(|reason| Skip::new(Layer::Extension, reason))?;
    Ok(usize::from(length))
}

/// The length of a fragment header that fragments nothing: an atomic fragment (RFC 6946).
fn fragment(view: &View<'_>) -> Result<usize, Skip> {
    let blame = |reason| Skip::new(Layer::Extension, reason);
    let [_, _, hi, lo, ..] = *view.header::<8>().map_err(blame)?;
    // 13 bits of offset, two reserved, one more-fragments.
    if u16::from_be_bytes([hi, lo]) & 0xfff9 != 0 { Err(blame(SkipReason::Fragment)) } else { Ok(8) }
}

/// Where a routed packet ends up: the address that the connection and its checksum know (RFC 8200, 8.1).
///
/// Types 0 and 2 list the last hop last (RFC 2460, 4.4; RFC 6275, 6.4), segment routing lists it first (RFC 8754, 2).
fn final_destination(header: &[u8]) -> Option<Endpoint> {
    let [_, _, kind, segments_left, _, _, _, _] = *header.first_chunk::<8>()?;
    if segments_left == 0 {
        return None;
    }
    let list = header.get(8..)?;
    match kind {
        0 | 2 => list.last_chunk::<16>(),
        4 => list.first_chunk::<16>(),
        _ => None,
    }
    .map(|addr| Endpoint::v6(*addr, 0))
}

/// Names what an IP packet carries instead of TCP.
#[cold]
fn not_tcp(protocol: u8, view: &View<'_>) -> Skip {
    match protocol {
        1 | 58 => Skip::new(Layer::Icmp, SkipReason::NotTcp),
        17 => udp(view),
        132 => Skip::new(Layer::Sctp, SkipReason::NotTcp),
        4 | 41 => Skip::new(Layer::IpInIp, SkipReason::Encapsulated),
        47 => Skip::new(Layer::Gre, SkipReason::Encapsulated),
        50 => Skip::new(Layer::Esp, SkipReason::Encapsulated),
        137 => Skip::new(Layer::Mpls, SkipReason::Encapsulated),
        _ => Skip::new(Layer::IpProtocol, SkipReason::NotTcp),
    }
}

/// UDP, told apart from the tunnels that a mirror may arrive in.
fn udp(view: &View<'_>) -> Skip {
    match view.header::<4>().map(|[_, _, hi, lo]| u16::from_be_bytes([*hi, *lo])) {
        Ok(4789) => Skip::new(Layer::Vxlan, SkipReason::Encapsulated),
        Ok(6081) => Skip::new(Layer::Geneve, SkipReason::Encapsulated),
        _ => Skip::new(Layer::Udp, SkipReason::NotTcp),
    }
}
