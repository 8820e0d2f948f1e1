//! Link layers: from the captured bytes to the IP packet.

use crate::decode::Network;
use crate::view::View;
use crate::{Layer, LinkType, Skip, SkipReason};

/// EtherTypes of IPv4 and IPv6.
const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
/// Values below are an IEEE 802.3 length, not an EtherType (IEEE 802.3, 3.2.6).
const FIRST_ETHERTYPE: u16 = 0x0600;
/// Service providers stack two tags, some switches add a third for the mirror.
const MAX_TAGS: usize = 16;

/// Removes the link layer.
#[inline]
pub(crate) fn network(link: LinkType, view: View<'_>) -> Result<Network<'_>, Skip> {
    match link {
        LinkType::ETHERNET => ethernet(view),
        LinkType::LINUX_SLL => sll(view),
        LinkType::LINUX_SLL2 => sll2(view),
        LinkType::NULL | LinkType::LOOP => loopback(view),
        LinkType::RAW | LinkType::RAW_BSD | LinkType::RAW_OPENBSD => Ok(raw(view, None)),
        LinkType::IPV4 => Ok(raw(view, Some(4))),
        LinkType::IPV6 => Ok(raw(view, Some(6))),
        LinkType::PPP => Err(Skip::new(Layer::Ppp, SkipReason::Encapsulated)),
        LinkType::NFLOG => Err(Skip::new(Layer::Nflog, SkipReason::Encapsulated)),
        _ => Err(Skip::new(Layer::Link, SkipReason::Encapsulated)),
    }
}

#[inline]
fn ethernet(view: View<'_>) -> Result<Network<'_>, Skip> {
    let blame = |reason| Skip::new(Layer::Ethernet, reason);
    let [_, _, _, _, _, _, _, _, _, _, _, _, hi, lo] = *view.header::<14>().map_err(blame)?;
    let rest = view.skip(14).map_err(blame)?;
    ethertype(u16::from_be_bytes([hi, lo]), rest, Layer::Ethernet)
}

/// Linux cooked v1: the EtherType is the last field of 16 bytes.
fn sll(view: View<'_>) -> Result<Network<'_>, Skip> {
    let blame = |reason| Skip::new(Layer::Sll, reason);
    let header = view.header::<16>().map_err(blame)?;
    let [.., hi, lo] = *header;
    ethertype(u16::from_be_bytes([hi, lo]), view.skip(16).map_err(blame)?, Layer::Sll)
}

/// Linux cooked v2: the EtherType is the first field of 20 bytes.
fn sll2(view: View<'_>) -> Result<Network<'_>, Skip> {
    let blame = |reason| Skip::new(Layer::Sll2, reason);
    let header = view.header::<20>().map_err(blame)?;
    let [hi, lo, ..] = *header;
    ethertype(u16::from_be_bytes([hi, lo]), view.skip(20).map_err(blame)?, Layer::Sll2)
}

/// NULL and LOOP: a four-byte address family, of the capturing machine in its byte order.
///
/// Families are below 256, so only one reading makes sense and the order needs no other evidence. `AF_INET` is 2
/// everywhere; `AF_INET6` is 10 on Linux, 24 on NetBSD and OpenBSD, 28 on FreeBSD, 30 on Darwin, 23 on Windows.
fn loopback(view: View<'_>) -> Result<Network<'_>, Skip> {
    let blame = |reason| Skip::new(Layer::Loopback, reason);
    let family = *view.header::<4>().map_err(blame)?;
    let rest = view.skip(4).map_err(blame)?;
    let version = match u32::from_be_bytes(family).min(u32::from_le_bytes(family)) {
        2 => 4,
        10 | 23 | 24 | 28 | 30 => 6,
        _ => return Err(blame(SkipReason::NotTcp)),
    };
    Ok(Network { view: rest, version: Some(version), layer: Layer::Loopback, vlan: None })
}

fn raw(view: View<'_>, version: Option<u8>) -> Network<'_> {
    Network { view, version, layer: Layer::RawIp, vlan: None }
}

/// Follows an EtherType through any VLAN tags to IP.
#[inline]
fn ethertype(kind: u16, view: View<'_>, layer: Layer) -> Result<Network<'_>, Skip> {
    match kind {
        IPV4 => Ok(Network { view, version: Some(4), layer, vlan: None }),
        IPV6 => Ok(Network { view, version: Some(6), layer, vlan: None }),
        0x8100 | 0x88a8 | 0x9100 => tagged(view),
        _ => other(kind, view, None, layer),
    }
}

/// The tags behind a first VLAN EtherType. The outermost identifier is the one that the mirror's switch knows.
#[inline]
fn tagged(mut view: View<'_>) -> Result<Network<'_>, Skip> {
    let blame = |reason| Skip::new(Layer::Vlan, reason);
    let mut vlan = None;
    for _ in 0..MAX_TAGS {
        let [tci_hi, tci_lo, hi, lo] = *view.header::<4>().map_err(blame)?;
        view = view.skip(4).map_err(blame)?;
        // The upper four bits are priority and drop eligibility (IEEE 802.1Q, 9.6).
        vlan = vlan.or(Some(u16::from_be_bytes([tci_hi, tci_lo]) & 0x0fff));
        match u16::from_be_bytes([hi, lo]) {
            IPV4 => return Ok(Network { view, version: Some(4), layer: Layer::Vlan, vlan }),
            IPV6 => return Ok(Network { view, version: Some(6), layer: Layer::Vlan, vlan }),
            0x8100 | 0x88a8 | 0x9100 => {}
            kind => return other(kind, view, vlan, Layer::Vlan),
        }
    }
    Err(blame(SkipReason::TooDeep))
}

/// Everything that is neither IP nor a VLAN tag. Encapsulations are named so that counters tell what a mirror sends.
#[cold]
fn other(kind: u16, view: View<'_>, vlan: Option<u16>, outer: Layer) -> Result<Network<'_>, Skip> {
    let (layer, reason) = match kind {
        0x8847 | 0x8848 => (Layer::Mpls, SkipReason::Encapsulated),
        0x8863 | 0x8864 => (Layer::Pppoe, SkipReason::Encapsulated),
        0x88e5 => (Layer::Macsec, SkipReason::Encapsulated),
        0x0806 | 0x8035 => (Layer::Arp, SkipReason::NotTcp),
        0x88cc => (Layer::Lldp, SkipReason::NotTcp),
        // Cooked captures use small numbers for pseudo protocols, with no 802.2 header behind.
        _ if kind < FIRST_ETHERTYPE && matches!(outer, Layer::Ethernet | Layer::Vlan) => {
            return llc(kind, view, vlan);
        }
        _ => (Layer::EtherType, SkipReason::NotTcp),
    };
    Err(Skip::new(layer, reason))
}

/// IEEE 802.2 with SNAP: `AA AA 03`, an organisation of zero, then an EtherType (RFC 1042).
fn llc(length: u16, view: View<'_>, vlan: Option<u16>) -> Result<Network<'_>, Skip> {
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
    Ok(Network { view: view.skip(8).map_err(blame)?, version: Some(version), layer: Layer::Llc, vlan })
}
