//! Link layers: from the captured bytes to what an EtherType announces.

use crate::ethertype::{self, IPV4, IPV6, PPPOE, is_tag};
use crate::view::View;
use crate::walk::{Next, Walk};
use crate::{Layer, LinkType, Skip, SkipReason, nflog, ppp};

/// Values below are an IEEE 802.3 length, not an EtherType (IEEE 802.3, 3.2.6).
const FIRST_ETHERTYPE: u16 = 0x0600;
/// Service providers stack two tags, some switches add a third for the mirror.
const MAX_TAGS: usize = 16;

/// What the link type of a packet says.
#[inline(always)]
pub(crate) fn first<'a>(link: LinkType, view: View<'a>) -> Result<Next<'a>, Skip> {
    match link {
        LinkType::ETHERNET => Ok(Next::Ethernet(view)),
        LinkType::LINUX_SLL => sll(view),
        LinkType::LINUX_SLL2 => sll2(view),
        LinkType::NULL | LinkType::LOOP => loopback(view),
        LinkType::RAW | LinkType::RAW_BSD | LinkType::RAW_OPENBSD => Ok(raw(view, None)),
        LinkType::IPV4 => Ok(raw(view, Some(4))),
        LinkType::IPV6 => Ok(raw(view, Some(6))),
        LinkType::PPP | LinkType::PPP_HDLC => Ok(Next::Ppp(view)),
        LinkType::CISCO_HDLC => ppp::cisco(view),
        LinkType::PPP_ETHERNET => Ok(Next::EtherType { kind: PPPOE, view, layer: Layer::Link }),
        LinkType::MPLS => Ok(Next::Mpls(view)),
        LinkType::NFLOG => nflog::message(view),
        _ => Err(Skip::new(Layer::Link, SkipReason::Encapsulated)),
    }
}

/// An Ethernet header.
pub(crate) fn ethernet<'a>(view: View<'a>, walk: &mut Walk) -> Result<Next<'a>, Skip> {
    let blame = |reason| Skip::new(Layer::Ethernet, reason);
    walk.enter(Layer::Ethernet)?;
    let [_, _, _, _, _, _, _, _, _, _, _, _, hi, lo] = *view.header::<14>().map_err(blame)?;
    let rest = view.skip(14).map_err(blame)?;
    ethertype(u16::from_be_bytes([hi, lo]), rest, Layer::Ethernet, walk)
}

/// Linux cooked v1: the EtherType is the last field of 16 bytes.
fn sll(view: View<'_>) -> Result<Next<'_>, Skip> {
    let blame = |reason| Skip::new(Layer::Sll, reason);
    let [.., hi, lo] = *view.header::<16>().map_err(blame)?;
    let rest = view.skip(16).map_err(blame)?;
    Ok(Next::EtherType { kind: u16::from_be_bytes([hi, lo]), view: rest, layer: Layer::Sll })
}

/// Linux cooked v2: the EtherType is the first field of 20 bytes.
fn sll2(view: View<'_>) -> Result<Next<'_>, Skip> {
    let blame = |reason| Skip::new(Layer::Sll2, reason);
    let [hi, lo, ..] = *view.header::<20>().map_err(blame)?;
    let rest = view.skip(20).map_err(blame)?;
    Ok(Next::EtherType { kind: u16::from_be_bytes([hi, lo]), view: rest, layer: Layer::Sll2 })
}

/// NULL and LOOP: a four-byte address family, of the capturing machine in its byte order.
///
/// Families are below 256, so only one reading makes sense and the order needs no other evidence. `AF_INET` is 2
/// everywhere; `AF_INET6` is 10 on Linux, 24 on NetBSD and OpenBSD, 28 on FreeBSD, 30 on Darwin, 23 on Windows.
fn loopback(view: View<'_>) -> Result<Next<'_>, Skip> {
    let blame = |reason| Skip::new(Layer::Loopback, reason);
    let family = *view.header::<4>().map_err(blame)?;
    let rest = view.skip(4).map_err(blame)?;
    let version = match u32::from_be_bytes(family).min(u32::from_le_bytes(family)) {
        2 => 4,
        10 | 23 | 24 | 28 | 30 => 6,
        _ => return Err(blame(SkipReason::NotTcp)),
    };
    Ok(Next::Ip { view: rest, version: Some(version), layer: Layer::Loopback })
}

const fn raw(view: View<'_>, version: Option<u8>) -> Next<'_> {
    Next::Ip { view, version, layer: Layer::RawIp }
}

/// Follows an EtherType through any VLAN tags. What leads nowhere is named, so that counters tell what a mirror sends.
#[inline]
pub(crate) fn ethertype<'a>(
    kind: u16,
    view: View<'a>,
    layer: Layer,
    walk: &mut Walk,
) -> Result<Next<'a>, Skip> {
    let (layer, reason) = match kind {
        IPV4 => return Ok(Next::Ip { view, version: Some(4), layer }),
        IPV6 => return Ok(Next::Ip { view, version: Some(6), layer }),
        kind if is_tag(kind) => return tagged(view, walk),
        ethertype::MPLS | ethertype::MPLS_MULTICAST => return Ok(Next::Mpls(view)),
        PPPOE => return ppp::over_ethernet(view, walk),
        ethertype::TRANSPARENT_ETHERNET => return Ok(Next::Ethernet(view)),
        ethertype::PPPOE_DISCOVERY => (Layer::Pppoe, SkipReason::NotTcp),
        ethertype::MACSEC => (Layer::Macsec, SkipReason::Encapsulated),
        ethertype::ARP | ethertype::REVERSE_ARP => (Layer::Arp, SkipReason::NotTcp),
        ethertype::LLDP => (Layer::Lldp, SkipReason::NotTcp),
        // Cooked captures use small numbers for pseudo protocols, with no 802.2 header behind.
        _ if kind < FIRST_ETHERTYPE && matches!(layer, Layer::Ethernet | Layer::Vlan) => {
            return llc(kind, view);
        }
        _ => (Layer::EtherType, SkipReason::NotTcp),
    };
    Err(Skip::new(layer, reason))
}

/// The tags behind a first VLAN EtherType.
fn tagged<'a>(mut view: View<'a>, walk: &mut Walk) -> Result<Next<'a>, Skip> {
    let blame = |reason| Skip::new(Layer::Vlan, reason);
    for _ in 0..MAX_TAGS {
        let [tci_hi, tci_lo, hi, lo] = *view.header::<4>().map_err(blame)?;
        view = view.skip(4).map_err(blame)?;
        // The upper four bits are priority and drop eligibility (IEEE 802.1Q, 9.6).
        walk.tag(u16::from_be_bytes([tci_hi, tci_lo]) & 0x0fff);
        match u16::from_be_bytes([hi, lo]) {
            kind if is_tag(kind) => {}
            kind => return ethertype(kind, view, Layer::Vlan, walk),
        }
    }
    Err(blame(SkipReason::TooDeep))
}

/// IEEE 802.2 with SNAP: `AA AA 03`, an organisation of zero, then an EtherType (RFC 1042).
fn llc(length: u16, view: View<'_>) -> Result<Next<'_>, Skip> {
    let blame = |reason| Skip::new(Layer::Llc, reason);
    let view = view.limit(view.stated.min(usize::from(length)));
    let Ok([0xaa, 0xaa, 0x03, 0, 0, 0, hi, lo]) = view.header::<8>() else {
        return Err(blame(SkipReason::NotTcp));
    };
    let version = match u16::from_be_bytes([*hi, *lo]) {
        IPV4 => 4,
        IPV6 => 6,
        _ => return Err(blame(SkipReason::NotTcp)),
    };
    Ok(Next::Ip { view: view.skip(8).map_err(blame)?, version: Some(version), layer: Layer::Llc })
}
