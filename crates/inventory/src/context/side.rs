//! On which side of one's own network an address is.

use super::{Context, Zone};
use std::net::{IpAddr, Ipv4Addr};

/// On which side of one's own network an address is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// One's own.
    Internal,
    /// A partner's.
    Partner,
    /// Anybody's.
    Public,
    /// In none of the networks that were named, where it should be in one.
    Unknown,
}

impl Side {
    /// As lists spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Internal => "internal",
            Self::Partner => "partner",
            Self::Public => "public",
            Self::Unknown => "unknown",
        }
    }
}

impl Context {
    /// The side of an address: by `[networks]`; where that names none at all, private addresses are one's own and the others
    /// public. Where it names some, an address of the Internet outside them is public unless the public ones are named, too.
    pub fn side(&self, address: IpAddr) -> Side {
        match self.zone(address) {
            Some(Zone::Internal) => Side::Internal,
            Some(Zone::Partner) => Side::Partner,
            Some(Zone::Public) => Side::Public,
            None if self.zones.is_empty() && is_private(address) => Side::Internal,
            None if self.names_public || is_private(address) => Side::Unknown,
            None => Side::Public,
        }
    }
}

/// Whether an address belongs to no network but its own: private use (RFC 1918, RFC 4193), this host, the local link, and
/// what providers share behind their translators (RFC 6598).
fn is_private(address: IpAddr) -> bool {
    let shared = |address: Ipv4Addr| {
        address.octets().first() == Some(&100) && matches!(address.octets().get(1), Some(64..=127))
    };
    match address.to_canonical() {
        IpAddr::V4(one) => one.is_private() || one.is_loopback() || one.is_link_local() || shared(one),
        IpAddr::V6(one) => one.is_unique_local() || one.is_loopback() || one.is_unicast_link_local(),
    }
}
