//! GRE (RFC 2784 with the key and sequence number of RFC 2890) and what uses it: NVGRE, ERSPAN, PPTP.

use crate::view::View;
use crate::walk::{Next, Walk};
use crate::{Layer, Skip, SkipReason, Tunnel};

/// Flags of the first word.
const CHECKSUM: u16 = 0x8000;
const ROUTING: u16 = 0x4000;
const KEY: u16 = 0x2000;
const SEQUENCE: u16 = 0x1000;
/// In version 1 only.
const ACKNOWLEDGEMENT: u16 = 0x0080;
const VERSION: u16 = 0x0007;

/// Protocol types beside EtherTypes of what may stand anywhere.
const TRANSPARENT_ETHERNET: u16 = 0x6558;
const PPP: u16 = 0x880b;
const ERSPAN: u16 = 0x88be;
const ERSPAN_3: u16 = 0x22eb;

/// A GRE packet.
pub(crate) fn packet<'a>(view: View<'a>, walk: &mut Walk) -> Result<Next<'a>, Skip> {
    let blame = |reason| Skip::new(Layer::Gre, reason);
    let [f0, f1, p0, p1] = *view.header::<4>().map_err(blame)?;
    let (flags, protocol) = (u16::from_be_bytes([f0, f1]), u16::from_be_bytes([p0, p1]));
    match flags & VERSION {
        0 if flags & ROUTING == 0 => {}
        // Source routes of RFC 1701, which RFC 2784 took out again.
        0 => return Err(blame(SkipReason::Encapsulated)),
        1 if protocol == PPP => return pptp(view, flags, walk),
        _ => return Err(blame(SkipReason::BadVersion)),
    }
    let key_at = if flags & CHECKSUM == 0 { 4 } else { 8 };
    let length = key_at + words(flags, &[KEY, SEQUENCE]);
    let rest = view.skip(length).map_err(blame)?;
    let sequenced = flags & SEQUENCE != 0;
    match protocol {
        ERSPAN if !sequenced => mirrored(rest, Tunnel::Erspan1, walk),
        ERSPAN => erspan_2(rest, walk),
        ERSPAN_3 => erspan_3(rest, walk),
        // NVGRE is told by its flags: a key, and neither checksum nor sequence number (RFC 7637, 3.2).
        TRANSPARENT_ETHERNET if flags & (CHECKSUM | KEY | SEQUENCE) == KEY => nvgre(view, rest, walk),
        // Keep-alives of some routers have no protocol and no payload.
        0 => Err(blame(SkipReason::NotTcp)),
        _ => {
            walk.tunnel(Tunnel::Gre, Layer::Gre)?;
            Ok(Next::EtherType { kind: protocol, view: rest, layer: Layer::Gre })
        }
    }
}

/// Bytes of the optional words.
fn words(flags: u16, optional: &[u16]) -> usize {
    4 * optional.iter().filter(|flag| flags & **flag != 0).count()
}

/// The key is 24 bits of virtual subnet and 8 of flow.
fn nvgre<'a>(view: View<'a>, rest: View<'a>, walk: &mut Walk) -> Result<Next<'a>, Skip> {
    walk.tunnel(Tunnel::Nvgre, Layer::Gre)?;
    let [_, _, _, _, a, b, c, _] = *view.header::<8>().map_err(|reason| Skip::new(Layer::Gre, reason))?;
    walk.overlay.vni = Some(u32::from_be_bytes([0, a, b, c]));
    Ok(Next::Ethernet(rest))
}

/// Version 1: the key is payload length and call, then optional sequence and acknowledgement numbers (RFC 2637, 4.1).
fn pptp<'a>(view: View<'a>, flags: u16, walk: &mut Walk) -> Result<Next<'a>, Skip> {
    let blame = |reason| Skip::new(Layer::Gre, reason);
    let rest = view.skip(8 + words(flags, &[SEQUENCE, ACKNOWLEDGEMENT])).map_err(blame)?;
    // Without a sequence number it only acknowledges.
    if flags & SEQUENCE == 0 {
        return Err(blame(SkipReason::NotTcp));
    }
    walk.tunnel(Tunnel::Pptp, Layer::Gre)?;
    Ok(Next::Ppp(rest))
}

fn mirrored<'a>(frame: View<'a>, tunnel: Tunnel, walk: &mut Walk) -> Result<Next<'a>, Skip> {
    walk.tunnel(tunnel, Layer::Erspan)?;
    Ok(Next::Ethernet(frame))
}

/// Type II, 8 bytes: version, VLAN, class, encapsulation, truncated, session; index.
fn erspan_2<'a>(view: View<'a>, walk: &mut Walk) -> Result<Next<'a>, Skip> {
    let blame = |reason| Skip::new(Layer::Erspan, reason);
    let [v0, v1, ..] = *view.header::<8>().map_err(blame)?;
    original_vlan(v0, v1, 1, walk)?;
    mirrored(view.skip(8).map_err(blame)?, Tunnel::Erspan2, walk)
}

/// Type III, 12 bytes and where the last bit says so 8 more of the platform. Frames are Ethernet or IP.
fn erspan_3<'a>(view: View<'a>, walk: &mut Walk) -> Result<Next<'a>, Skip> {
    let blame = |reason| Skip::new(Layer::Erspan, reason);
    let [v0, v1, _, _, _, _, _, _, _, _, kind, last] = *view.header::<12>().map_err(blame)?;
    original_vlan(v0, v1, 2, walk)?;
    let rest = view.skip(if last & 1 == 0 { 12 } else { 20 }).map_err(blame)?;
    match kind >> 2 & 0x1f {
        0 => mirrored(rest, Tunnel::Erspan3, walk),
        2 => {
            walk.tunnel(Tunnel::Erspan3, Layer::Erspan)?;
            Ok(Next::Ip { view: rest, version: None, layer: Layer::Erspan })
        }
        _ => Err(blame(SkipReason::NotTcp)),
    }
}

/// The VLAN that the frame had before the switch took its tag off; 0 is none.
fn original_vlan(v0: u8, v1: u8, version: u8, walk: &mut Walk) -> Result<(), Skip> {
    if v0 >> 4 != version {
        return Err(Skip::new(Layer::Erspan, SkipReason::BadVersion));
    }
    let vlan = u16::from_be_bytes([v0, v1]) & 0x0fff;
    if vlan != 0 {
        walk.tag(vlan);
    }
    Ok(())
}
