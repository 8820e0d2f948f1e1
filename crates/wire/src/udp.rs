//! UDP, for the tunnels that it carries: VXLAN, GENEVE, Teredo, GRE and MPLS.

use crate::view::View;
use crate::walk::{Next, Ports, Walk};
use crate::{Layer, Skip, SkipReason, Tunnel, gre};

/// Well-known destination ports. 8472 is Linux's default for VXLAN, older than the assignment.
const VXLAN: [u16; 2] = [4789, 8472];
const VXLAN_GPE: u16 = 4790;
const GENEVE: u16 = 6081;
const TEREDO: u16 = 3544;
const GRE: u16 = 4754;
const MPLS: u16 = 6635;

const TRANSPARENT_ETHERNET: u16 = 0x6558;

/// Looks whether the datagram is a tunnel's, by its destination port: the source port is the tunnel's entropy.
pub(crate) fn datagram<'a>(view: View<'a>, walk: &mut Walk, ports: Ports<'_>) -> Result<Next<'a>, Skip> {
    let blame = |reason| Skip::new(Layer::Udp, reason);
    let [s0, s1, d0, d1, l0, l1, _, _] = *view.header::<8>().map_err(blame)?;
    let (source, port) = (u16::from_be_bytes([s0, s1]), u16::from_be_bytes([d0, d1]));
    let payload = payload(view, usize::from(u16::from_be_bytes([l0, l1])))?;
    match port {
        _ if VXLAN.contains(&port) || ports.vxlan.contains(&port) => vxlan(payload, walk),
        VXLAN_GPE => vxlan_gpe(payload, walk),
        _ if port == GENEVE || ports.geneve.contains(&port) => geneve(payload, walk),
        GRE => gre::packet(payload, walk),
        MPLS => Ok(Next::Mpls(payload)),
        _ if port == TEREDO || source == TEREDO || is_teredo(&payload) => teredo(payload, walk),
        _ => Err(blame(SkipReason::NotTcp)),
    }
}

/// What the length field speaks of. Zero, or more than there is, is a datagram captured before segmentation offload.
fn payload(view: View<'_>, length: usize) -> Result<View<'_>, Skip> {
    let blame = |reason| Skip::new(Layer::Udp, reason);
    match length {
        1..8 => Err(blame(SkipReason::BadLength)),
        8.. if length <= view.stated => view.limit(length).skip(8).map_err(blame),
        _ => view.skip(8).map_err(blame),
    }
}

/// Flags, network identifier. The I flag must be set (RFC 7348, 5); others are extensions that may be ignored.
fn vxlan<'a>(view: View<'a>, walk: &mut Walk) -> Result<Next<'a>, Skip> {
    let blame = |reason| Skip::new(Layer::Vxlan, reason);
    let [flags, _, _, _, a, b, c, _] = *view.header::<8>().map_err(blame)?;
    if flags & 0x08 == 0 {
        return Err(blame(SkipReason::BadHeader));
    }
    walk.tunnel(Tunnel::Vxlan, Layer::Vxlan)?;
    walk.overlay.vni = Some(u32::from_be_bytes([0, a, b, c]));
    Ok(Next::Ethernet(view.skip(8).map_err(blame)?))
}

/// The generic protocol extension: two bits of version, and with the P flag the next protocol in the fourth byte.
fn vxlan_gpe<'a>(view: View<'a>, walk: &mut Walk) -> Result<Next<'a>, Skip> {
    let blame = |reason| Skip::new(Layer::Vxlan, reason);
    let [flags, _, _, protocol, a, b, c, _] = *view.header::<8>().map_err(blame)?;
    if flags & 0x30 != 0 {
        return Err(blame(SkipReason::BadVersion));
    }
    walk.tunnel(Tunnel::Vxlan, Layer::Vxlan)?;
    if flags & 0x08 != 0 {
        walk.overlay.vni = Some(u32::from_be_bytes([0, a, b, c]));
    }
    let view = view.skip(8).map_err(blame)?;
    match if flags & 0x04 == 0 { 3 } else { protocol } {
        1 => Ok(Next::Ip { view, version: Some(4), layer: Layer::Vxlan }),
        2 => Ok(Next::Ip { view, version: Some(6), layer: Layer::Vxlan }),
        3 => Ok(Next::Ethernet(view)),
        5 => Ok(Next::Mpls(view)),
        _ => Err(blame(SkipReason::Encapsulated)),
    }
}

/// Version and length of the options in words, flags, protocol, network identifier, options (RFC 8926, 3.4).
fn geneve<'a>(view: View<'a>, walk: &mut Walk) -> Result<Next<'a>, Skip> {
    let blame = |reason| Skip::new(Layer::Geneve, reason);
    let [first, _, p0, p1, a, b, c, _] = *view.header::<8>().map_err(blame)?;
    if first >> 6 != 0 {
        return Err(blame(SkipReason::BadVersion));
    }
    walk.tunnel(Tunnel::Geneve, Layer::Geneve)?;
    walk.overlay.vni = Some(u32::from_be_bytes([0, a, b, c]));
    let view = view.skip(8 + usize::from(first & 0x3f) * 4).map_err(blame)?;
    match u16::from_be_bytes([p0, p1]) {
        TRANSPARENT_ETHERNET => Ok(Next::Ethernet(view)),
        kind => Ok(Next::EtherType { kind, view, layer: Layer::Geneve }),
    }
}

/// Whether it is plain IPv6 to or from a Teredo address (RFC 4380, 2.6): relays and peers use ports of their own.
fn is_teredo(view: &View<'_>) -> bool {
    let Ok([first, _, _, _, hi, lo, _, _, rest @ ..]) = view.header::<40>() else { return false };
    let (source, destination) = rest.split_at(16);
    let teredo = |address: &[u8]| address.starts_with(&[0x20, 0x01, 0, 0]);
    first >> 4 == 6
        && usize::from(u16::from_be_bytes([*hi, *lo])) + 40 == view.stated
        && (teredo(source) || teredo(destination))
}

/// IPv6 behind an optional authentication and an optional origin indication (RFC 4380, 5.1.1).
fn teredo<'a>(mut view: View<'a>, walk: &mut Walk) -> Result<Next<'a>, Skip> {
    let blame = |reason| Skip::new(Layer::Teredo, reason);
    if let [0, 1, id, authentication, ..] = *view.data {
        let length = 4 + usize::from(id) + usize::from(authentication) + 8 + 1;
        view = view.skip(length).map_err(blame)?;
    }
    if let Ok([0, 0, ..]) = view.header::<8>() {
        view = view.skip(8).map_err(blame)?;
    }
    let [first, ..] = *view.header::<8>().map_err(blame)?;
    if first >> 4 != 6 {
        // The port is nobody's alone.
        return Err(Skip::new(Layer::Udp, SkipReason::NotTcp));
    }
    walk.tunnel(Tunnel::Teredo, Layer::Teredo)?;
    Ok(Next::Ip { view, version: Some(6), layer: Layer::Teredo })
}
