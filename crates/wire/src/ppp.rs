//! PPP (RFC 1661), with or without HDLC framing (RFC 1662), Cisco's HDLC, and PPP over Ethernet (RFC 2516).

use crate::view::View;
use crate::walk::{Next, Walk};
use crate::{Layer, Skip, SkipReason, Tunnel};

/// A PPP packet, with or without address and control field.
pub(crate) fn packet<'a>(view: View<'a>, walk: &mut Walk) -> Result<Next<'a>, Skip> {
    walk.enter(Layer::Ppp)?;
    match *view.data {
        [_] if view.cut() > 0 => Err(Skip::new(Layer::Ppp, SkipReason::Truncated)),
        // All stations, unnumbered information (RFC 1662, 3.1).
        [0xff, 0x03, ..] => protocol(view.skip(2).map_err(|reason| Skip::new(Layer::Ppp, reason))?),
        // Unicast or broadcast in Cisco's framing; no PPP protocol number begins like this (RFC 1661, 2).
        [0x0f | 0x8f, 0x00, ..] => cisco(view),
        _ => protocol(view),
    }
}

/// A protocol number of two bytes, or of one where the link compresses it: the last byte is odd, all others are even
/// (RFC 1661, 2 and 6.5).
fn protocol(view: View<'_>) -> Result<Next<'_>, Skip> {
    let blame = |reason| Skip::new(Layer::Ppp, reason);
    let [first] = *view.header::<1>().map_err(blame)?;
    let (number, length) = if first & 1 == 1 {
        (u16::from(first), 1)
    } else {
        (u16::from_be_bytes(*view.header::<2>().map_err(blame)?), 2)
    };
    let view = view.skip(length).map_err(blame)?;
    match number {
        0x0021 => Ok(Next::Ip { view, version: Some(4), layer: Layer::Ppp }),
        0x0057 => Ok(Next::Ip { view, version: Some(6), layer: Layer::Ppp }),
        0x0281 | 0x0283 => Ok(Next::Mpls(view)),
        // Compressed (RFC 1962) and encrypted (RFC 1968) datagrams may hold TCP.
        0x00fd | 0x0053 => Err(blame(SkipReason::Encapsulated)),
        _ => Err(blame(SkipReason::NotTcp)),
    }
}

/// Cisco HDLC: address, control, EtherType.
pub(crate) fn cisco(view: View<'_>) -> Result<Next<'_>, Skip> {
    let blame = |reason| Skip::new(Layer::Ppp, reason);
    let [_, _, hi, lo] = *view.header::<4>().map_err(blame)?;
    let view = view.skip(4).map_err(blame)?;
    Ok(Next::EtherType { kind: u16::from_be_bytes([hi, lo]), view, layer: Layer::Ppp })
}

/// A PPPoE session packet: version and type 1, code 0, session, length (RFC 2516, 4).
pub(crate) fn over_ethernet<'a>(view: View<'a>, walk: &mut Walk) -> Result<Next<'a>, Skip> {
    let blame = |reason| Skip::new(Layer::Pppoe, reason);
    let [version, code, _, _, hi, lo] = *view.header::<6>().map_err(blame)?;
    if version != 0x11 {
        return Err(blame(SkipReason::BadVersion));
    }
    if code != 0 {
        return Err(blame(SkipReason::NotTcp));
    }
    walk.tunnel(Tunnel::Pppoe, Layer::Pppoe)?;
    let view = view.skip(6).map_err(blame)?;
    let length = usize::from(u16::from_be_bytes([hi, lo]));
    if length > view.stated {
        return Err(blame(SkipReason::BadLength));
    }
    protocol(view.limit(length))
}
