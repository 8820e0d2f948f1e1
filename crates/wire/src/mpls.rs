//! MPLS label stacks (RFC 3032), with IP or an Ethernet pseudo-wire (RFC 4448) behind them.

use crate::ethertype::{ARP, IPV4, IPV6, MPLS, PPPOE, is_tag};
use crate::view::View;
use crate::walk::{Next, Walk};
use crate::{Layer, Skip, SkipReason, Tunnel};

/// Far more labels than any network stacks.
const MAX_LABELS: usize = 16;

/// Removes the labels. Nothing in them says what follows: the first nibble tells IP from a pseudo-wire (RFC 4928, 3).
pub(crate) fn labels<'a>(mut view: View<'a>, walk: &mut Walk) -> Result<Next<'a>, Skip> {
    let blame = |reason| Skip::new(Layer::Mpls, reason);
    walk.tunnel(Tunnel::Mpls, Layer::Mpls)?;
    for _ in 0..MAX_LABELS {
        let [_, _, low, _] = *view.header::<4>().map_err(blame)?;
        view = view.skip(4).map_err(blame)?;
        if low & 1 != 0 {
            return payload(view);
        }
    }
    Err(blame(SkipReason::TooDeep))
}

fn payload(view: View<'_>) -> Result<Next<'_>, Skip> {
    let blame = |reason| Skip::new(Layer::Mpls, reason);
    let [first] = *view.header::<1>().map_err(blame)?;
    let ip = |version| Ok(Next::Ip { view, version: Some(version), layer: Layer::Mpls });
    match first >> 4 {
        4 if is_ipv4(&view) => ip(4),
        6 if is_ipv6(&view) => ip(6),
        // The control word of a pseudo-wire begins with zero (RFC 4385, 3), and so do many MAC addresses.
        0 if is_ethernet(&view, 4) => Ok(Next::Ethernet(view.skip(4).map_err(blame)?)),
        _ if is_ethernet(&view, 0) => Ok(Next::Ethernet(view)),
        4 => ip(4),
        6 => ip(6),
        // A control word and an Ethernet header.
        _ if view.data.len() < 18 && view.cut() > 0 => Err(blame(SkipReason::Truncated)),
        _ => Err(blame(SkipReason::NotTcp)),
    }
}

fn is_ipv4(view: &View<'_>) -> bool {
    let Ok([first, _, hi, lo, ..]) = view.header::<20>() else { return false };
    let (header, total) = (usize::from(first & 15) * 4, usize::from(u16::from_be_bytes([*hi, *lo])));
    (20..=total).contains(&header) && fits(view, total)
}

fn is_ipv6(view: &View<'_>) -> bool {
    let Ok([_, _, _, _, hi, lo, ..]) = view.header::<40>() else { return false };
    fits(view, usize::from(u16::from_be_bytes([*hi, *lo])) + 40)
}

/// Whether the length that an IP header states agrees with the packet. A MAC address may do so by chance; then an
/// EtherType stands behind it, and the length is not exact.
fn fits(view: &View<'_>, length: usize) -> bool {
    length == view.stated || (length < view.stated && !is_ethernet(view, 0))
}

/// Whether an EtherType that leads on stands where that of an Ethernet header at `at` would be.
fn is_ethernet(view: &View<'_>, at: usize) -> bool {
    let kind =
        view.data.get(at + 12..).and_then(|rest| rest.first_chunk()).map(|pair| u16::from_be_bytes(*pair));
    kind.is_some_and(|kind| is_tag(kind) || matches!(kind, IPV4 | ARP | IPV6 | MPLS | PPPOE))
}
