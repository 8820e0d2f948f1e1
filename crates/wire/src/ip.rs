//! IPv4 and IPv6: from the IP header to what its protocol number announces.

use crate::fragments::Fragment;
use crate::view::View;
use crate::walk::{Next, Walk};
use crate::{Endpoint, Layer, Skip, SkipReason};

/// IP protocol numbers of extension headers (IANA, IPv6 extension header types).
const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const DESTINATION: u8 = 60;
const MOBILITY: u8 = 135;
const HIP: u8 = 139;
const SHIM6: u8 = 140;

/// RFC 8200, 4.1 lists eight extension headers in the recommended order; twice as many is nobody's network.
const MAX_EXTENSIONS: usize = 16;

/// What an IP packet carries, with the addresses around it. Ports are still 0.
#[derive(Clone, Copy)]
pub(crate) struct Transport<'a> {
    pub(crate) view: View<'a>,
    pub(crate) src: Endpoint,
    pub(crate) dst: Endpoint,
    pub(crate) ttl: u8,
    pub(crate) version: u8,
}

/// Removes the IP header. Without a `version` the first nibble tells; `layer` is to blame for an empty packet.
#[inline(always)]
pub(crate) fn packet<'a>(
    view: View<'a>,
    version: Option<u8>,
    layer: Layer,
    walk: &mut Walk,
) -> Result<Next<'a>, Skip> {
    let first = *view.data.first().ok_or_else(|| empty(&view, layer))?;
    match (version, first >> 4) {
        (None | Some(4), 4) => ipv4(view, first, walk),
        (None | Some(6), 6) => ipv6(view, walk),
        (Some(4), _) => Err(Skip::new(Layer::Ipv4, SkipReason::BadVersion)),
        (Some(_), _) => Err(Skip::new(Layer::Ipv6, SkipReason::BadVersion)),
        (None, _) => Err(Skip::new(layer, SkipReason::BadVersion)),
    }
}

#[cold]
fn empty(view: &View<'_>, layer: Layer) -> Skip {
    let reason = if view.stated == 0 { SkipReason::BadLength } else { SkipReason::Truncated };
    Skip::new(layer, reason)
}

#[inline(always)]
fn ipv4<'a>(view: View<'a>, first: u8, walk: &mut Walk) -> Result<Next<'a>, Skip> {
    let blame = |reason| Skip::new(Layer::Ipv4, reason);
    walk.enter(Layer::Ipv4)?;
    let header = view.header::<20>().map_err(blame)?;
    let [_, _, len_hi, len_lo, id_hi, id_lo, frag_hi, frag_lo, ttl, number, _, _, addresses @ ..] = *header;
    let [s0, s1, s2, s3, d0, d1, d2, d3] = addresses;
    let header_len = usize::from(first & 0x0f) * 4;
    let total = ipv4_total(usize::from(u16::from_be_bytes([len_hi, len_lo])), view.stated);
    if header_len < 20 || total < header_len {
        return Err(blame(SkipReason::BadLength));
    }
    let rest = view.limit(total).skip(header_len).map_err(blame)?;
    let (src, dst) = (Endpoint::v4([s0, s1, s2, s3], 0), Endpoint::v4([d0, d1, d2, d3], 0));
    let transport = Transport { view: rest, src, dst, ttl, version: 4 };
    // More-fragments bit or an offset (RFC 791, 3.1); don't-fragment and the reserved bit say nothing.
    let place = u16::from_be_bytes([frag_hi, frag_lo]);
    if place & 0x3fff == 0 {
        return Ok(Next::Protocol { number, transport });
    }
    Ok(Next::Fragment(Fragment {
        number,
        more: place & 0x2000 != 0,
        offset: (place & 0x1fff) << 3,
        id: u32::from(u16::from_be_bytes([id_hi, id_lo])),
        transport,
    }))
}

/// A total length of 0 is a packet captured before segmentation offload: it reaches as far as the frame does.
#[inline]
const fn ipv4_total(field: usize, on_wire: usize) -> usize {
    if field == 0 { on_wire } else { field }
}

#[inline(always)]
fn ipv6<'a>(view: View<'a>, walk: &mut Walk) -> Result<Next<'a>, Skip> {
    let blame = |reason| Skip::new(Layer::Ipv6, reason);
    walk.enter(Layer::Ipv6)?;
    let header = view.header::<40>().map_err(blame)?;
    let [_, _, _, _, len_hi, len_lo, number, ttl, addresses @ ..] = *header;
    let rest = view.skip(40).map_err(blame)?;
    // Zero is a jumbogram (RFC 2675, 3) or a packet captured before segmentation offload.
    let length = match u16::from_be_bytes([len_hi, len_lo]) {
        0 => rest.stated,
        length => usize::from(length),
    };
    let (src, dst) = halves(&addresses);
    let (src, dst) = (Endpoint::v6(src, 0), Endpoint::v6(dst, 0));
    let transport = Transport { view: rest.limit(length), src, dst, ttl, version: 6 };
    Ok(Next::Protocol { number, transport })
}

#[inline(always)]
fn halves(addresses: &[u8; 32]) -> ([u8; 16], [u8; 16]) {
    let (mut src, mut dst) = ([0; 16], [0; 16]);
    let (first, second) = addresses.split_at(16);
    src.copy_from_slice(first);
    dst.copy_from_slice(second);
    (src, dst)
}

/// Whether the number is that of an extension header.
pub(crate) const fn is_extension(number: u8) -> bool {
    matches!(number, HOP_BY_HOP | ROUTING | FRAGMENT | AUTHENTICATION | DESTINATION | MOBILITY | HIP | SHIM6)
}

/// Walks extension headers (RFC 8200, 4) up to something else. An authentication header may follow IPv4 as well.
#[cold]
pub(crate) fn extensions<'a>(
    mut number: u8,
    mut transport: Transport<'a>,
    walk: &mut Walk,
) -> Result<Next<'a>, Skip> {
    let blame = |reason| Skip::new(Layer::Extension, reason);
    walk.enter(Layer::Extension)?;
    for _ in 0..MAX_EXTENSIONS {
        let view = transport.view;
        let length = match number {
            FRAGMENT => match fragment(&transport)? {
                Some(fragment) => return Ok(Next::Fragment(fragment)),
                None => 8,
            },
            // In units of four bytes, minus two (RFC 4302, 2.2).
            AUTHENTICATION => 4 * (extension_len(&view)? + 2),
            _ if is_extension(number) => 8 * (extension_len(&view)? + 1),
            _ => return Ok(Next::Protocol { number, transport }),
        };
        if number == ROUTING {
            transport.dst = final_destination(view.limit(length).data).unwrap_or(transport.dst);
        }
        number = view.data.first().copied().ok_or_else(|| blame(SkipReason::Truncated))?;
        transport.view = view.skip(length).map_err(blame)?;
    }
    Err(blame(SkipReason::TooDeep))
}

fn extension_len(view: &View<'_>) -> Result<usize, Skip> {
    let [_, length] = *view.header::<2>().map_err(|reason| Skip::new(Layer::Extension, reason))?;
    Ok(usize::from(length))
}

/// What a fragment header speaks of; `None` for one that fragments nothing: an atomic fragment (RFC 6946).
fn fragment<'a>(transport: &Transport<'a>) -> Result<Option<Fragment<'a>>, Skip> {
    let blame = |reason| Skip::new(Layer::Extension, reason);
    let [number, _, hi, lo, id @ ..] = *transport.view.header::<8>().map_err(blame)?;
    // 13 bits of offset, two reserved, one more-fragments.
    let place = u16::from_be_bytes([hi, lo]);
    if place & 0xfff9 == 0 {
        return Ok(None);
    }
    let transport = Transport { view: transport.view.skip(8).map_err(blame)?, ..*transport };
    let id = u32::from_be_bytes(id);
    Ok(Some(Fragment { number, more: place & 1 != 0, offset: place & 0xfff8, id, transport }))
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
