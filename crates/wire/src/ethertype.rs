//! EtherTypes that lead on, or that counters have a name for (IEEE 802 numbers, as IANA lists them).

pub(crate) const IPV4: u16 = 0x0800;
pub(crate) const ARP: u16 = 0x0806;
pub(crate) const REVERSE_ARP: u16 = 0x8035;
/// Ethernet in something that speaks of EtherTypes.
pub(crate) const TRANSPARENT_ETHERNET: u16 = 0x6558;
pub(crate) const IPV6: u16 = 0x86dd;
pub(crate) const MPLS: u16 = 0x8847;
pub(crate) const MPLS_MULTICAST: u16 = 0x8848;
pub(crate) const PPPOE_DISCOVERY: u16 = 0x8863;
/// A session of PPP over Ethernet.
pub(crate) const PPPOE: u16 = 0x8864;
pub(crate) const LLDP: u16 = 0x88cc;
pub(crate) const MACSEC: u16 = 0x88e5;

/// Whether a VLAN tag follows: of customers, of service providers, and what these used before 802.1ad.
#[inline(always)]
pub(crate) const fn is_tag(kind: u16) -> bool {
    matches!(kind, 0x8100 | 0x88a8 | 0x9100)
}
