//! What a packet was wrapped in: the names of its tunnels, and the virtual network it belongs to.

/// An encapsulation between the capture and the innermost IP packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Tunnel {
    /// MPLS labels.
    Mpls,
    /// PPP over Ethernet.
    Pppoe,
    /// Generic routing encapsulation (RFC 2784, RFC 2890), over IP or UDP.
    Gre,
    /// Network virtualization using GRE (RFC 7637).
    Nvgre,
    /// PPTP's GRE with PPP inside (RFC 2637).
    Pptp,
    /// ERSPAN without a header of its own.
    Erspan1,
    /// ERSPAN with session and VLAN.
    Erspan2,
    /// ERSPAN with time stamps.
    Erspan3,
    /// VXLAN (RFC 7348).
    Vxlan,
    /// GENEVE (RFC 8926).
    Geneve,
    /// IPv6 in UDP over IPv4 (RFC 4380).
    Teredo,
    /// IPv4 in IPv4 (RFC 2003).
    IpInIp,
    /// IPv6 in IPv4 (RFC 4213).
    SixInFour,
    /// IPv4 in IPv6 (RFC 2473).
    FourInSix,
    /// IPv6 in IPv6 (RFC 2473).
    SixInSix,
}

impl Tunnel {
    /// Every tunnel.
    pub const ALL: [Self; 15] = [
        Self::Mpls,
        Self::Pppoe,
        Self::Gre,
        Self::Nvgre,
        Self::Pptp,
        Self::Erspan1,
        Self::Erspan2,
        Self::Erspan3,
        Self::Vxlan,
        Self::Geneve,
        Self::Teredo,
        Self::IpInIp,
        Self::SixInFour,
        Self::FourInSix,
        Self::SixInSix,
    ];

    /// The kebab-case name used in events.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mpls => "mpls",
            Self::Pppoe => "pppoe",
            Self::Gre => "gre",
            Self::Nvgre => "nvgre",
            Self::Pptp => "pptp",
            Self::Erspan1 => "erspan-1",
            Self::Erspan2 => "erspan-2",
            Self::Erspan3 => "erspan-3",
            Self::Vxlan => "vxlan",
            Self::Geneve => "geneve",
            Self::Teredo => "teredo",
            Self::IpInIp => "ip-in-ip",
            Self::SixInFour => "6in4",
            Self::FourInSix => "4in6",
            Self::SixInSix => "6in6",
        }
    }
}

/// The most tunnels in each other: a mirror of a mirror of an overlay, and one to spare. More is an attack or a loop.
pub(crate) const MAX_TUNNELS: usize = 4;

/// The tunnels of a packet, outermost first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Tunnels([Option<Tunnel>; MAX_TUNNELS]);

impl Tunnels {
    /// No tunnel.
    pub const NONE: Self = Self([None; MAX_TUNNELS]);

    /// Whether there is none.
    #[inline]
    pub const fn is_empty(self) -> bool {
        matches!(self.0, [None, ..])
    }

    /// The tunnels, outermost first.
    pub fn iter(self) -> impl Iterator<Item = Tunnel> {
        self.0.into_iter().flatten()
    }

    /// Adds the next one inwards; `false` when there is no place left.
    pub(crate) fn push(&mut self, tunnel: Tunnel) -> bool {
        self.0.iter_mut().find(|place| place.is_none()).map(|place| *place = Some(tunnel)).is_some()
    }
}

impl FromIterator<Tunnel> for Tunnels {
    /// Takes the outermost four.
    fn from_iter<I: IntoIterator<Item = Tunnel>>(tunnels: I) -> Self {
        let mut all = Self::NONE;
        tunnels.into_iter().take_while(|tunnel| all.push(*tunnel)).for_each(drop);
        all
    }
}

/// The virtual network around a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Overlay {
    /// The innermost network identifier of VXLAN, NVGRE or GENEVE: outer ones belong to the mirror, this one to the
    /// traffic. 24 bits.
    pub vni: Option<u32>,
    /// The tunnels.
    pub tunnels: Tunnels,
}

impl Overlay {
    /// No virtual network.
    pub const NONE: Self = Self { vni: None, tunnels: Tunnels::NONE };
}

#[cfg(test)]
mod tests {
    use super::{MAX_TUNNELS, Tunnel, Tunnels};

    #[test]
    fn four_tunnels_have_a_place() {
        let mut tunnels = Tunnels::NONE;
        assert!(tunnels.is_empty());
        for tunnel in Tunnel::ALL.iter().take(MAX_TUNNELS) {
            assert!(tunnels.push(*tunnel));
        }
        assert!(!tunnels.push(Tunnel::Vxlan));
        assert_eq!(tunnels.iter().collect::<Vec<_>>(), Tunnel::ALL[..MAX_TUNNELS]);
        assert_eq!(Tunnel::ALL.into_iter().collect::<Tunnels>(), tunnels);
    }

    #[test]
    fn names_are_distinct() {
        let mut names: Vec<_> = Tunnel::ALL.iter().map(|tunnel| tunnel.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Tunnel::ALL.len());
        assert!(Tunnel::ALL.iter().enumerate().all(|(at, tunnel)| *tunnel as usize == at));
    }
}
