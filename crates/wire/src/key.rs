//! Flow keys: the canonical inner 5-tuple.

use std::net::{IpAddr, Ipv6Addr};

/// One end of a TCP connection.
///
/// IPv4 addresses are kept IPv4-mapped, so that both families compare and hash in one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    addr: [u8; 16],
    /// TCP port.
    pub port: u16,
}

impl Endpoint {
    /// From an IPv4 address in network byte order.
    #[inline]
    pub const fn v4(addr: [u8; 4], port: u16) -> Self {
        let [a, b, c, d] = addr;
        Self { addr: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d], port }
    }

    /// From an address and a port as numbers.
    #[inline(always)]
    const fn of_numbers((addr, port): (u128, u16)) -> Self {
        Self { addr: addr.to_be_bytes(), port }
    }

    /// From an IPv6 address in network byte order.
    #[inline]
    pub const fn v6(addr: [u8; 16], port: u16) -> Self {
        Self { addr, port }
    }

    /// From a standard library address.
    #[inline]
    pub const fn from_ip(ip: IpAddr, port: u16) -> Self {
        match ip {
            IpAddr::V4(v4) => Self::v4(v4.octets(), port),
            IpAddr::V6(v6) => Self::v6(v6.octets(), port),
        }
    }

    /// The address, IPv4 where it is one.
    pub fn ip(&self) -> IpAddr {
        Ipv6Addr::from(self.addr).to_canonical()
    }

    /// The address as 16 bytes, IPv4 mapped into IPv6.
    #[inline]
    pub const fn octets(&self) -> &[u8; 16] {
        &self.addr
    }
}

/// Which end of a [`FlowKey`] sent something. Which of the two is the client is for the protocol to find out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// The end that sorts first by address and port.
    Lower,
    /// The other end.
    Upper,
}

impl Side {
    /// The other side.
    #[must_use]
    #[inline]
    pub const fn peer(self) -> Self {
        match self {
            Self::Lower => Self::Upper,
            Self::Upper => Self::Lower,
        }
    }
}

/// The canonical 5-tuple of a TCP connection, the same for both directions, with an optional tenant.
///
/// VLAN, MAC, interface and TTL are never part of it: mirrors tag and rewrite one direction and not the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlowKey {
    lower: Endpoint,
    upper: Endpoint,
    /// 0 unless the operator separates tenants with overlapping addresses.
    pub tenant: u32,
}

impl FlowKey {
    /// The key of a segment from `src` to `dst`, and which side sent it.
    #[inline]
    pub fn new(src: Endpoint, dst: Endpoint) -> (Self, Side) {
        if (u128::from_be_bytes(src.addr), src.port) <= (u128::from_be_bytes(dst.addr), dst.port) {
            (Self { lower: src, upper: dst, tenant: 0 }, Side::Lower)
        } else {
            (Self { lower: dst, upper: src, tenant: 0 }, Side::Upper)
        }
    }

    /// From addresses and ports as numbers that are already in order.
    #[inline(always)]
    pub(crate) const fn of_numbers(lower: (u128, u16), upper: (u128, u16)) -> Self {
        Self { lower: Endpoint::of_numbers(lower), upper: Endpoint::of_numbers(upper), tenant: 0 }
    }

    /// The endpoint on that side.
    #[inline]
    pub const fn endpoint(&self, side: Side) -> &Endpoint {
        match side {
            Side::Lower => &self.lower,
            Side::Upper => &self.upper,
        }
    }
}
/// What one site has of addresses, as a number: an IPv4 address, or the first 64 bits of an IPv6 one, whose hosts choose
/// the rest themselves (RFC 8981).
pub const fn site(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_bits() as u128,
        IpAddr::V6(v6) => v6.to_bits() >> 64 << 64 | 1,
    }
}
