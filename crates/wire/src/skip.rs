//! Why a packet is not a TCP segment: which layer stopped, and the reason.

/// The layer at which decoding stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Layer {
    /// A link type that is not known.
    Link,
    /// The Ethernet header.
    Ethernet,
    /// An IEEE 802.1Q or 802.1ad tag.
    Vlan,
    /// An IEEE 802.2 header behind a length instead of an EtherType.
    Llc,
    /// Linux cooked capture v1.
    Sll,
    /// Linux cooked capture v2.
    Sll2,
    /// The address family before packets of a BSD loopback.
    Loopback,
    /// Raw IP without a link-layer header.
    RawIp,
    /// PPP.
    Ppp,
    /// PPP over Ethernet.
    Pppoe,
    /// Linux netfilter log.
    Nflog,
    /// MPLS labels.
    Mpls,
    /// MACsec, which encrypts what it carries.
    Macsec,
    /// Address resolution.
    Arp,
    /// Link layer discovery.
    Lldp,
    /// An EtherType that is not one of the above.
    EtherType,
    /// The IPv4 header.
    Ipv4,
    /// The IPv6 header.
    Ipv6,
    /// An IPv6 extension header, or an authentication header.
    Extension,
    /// An IP packet inside an IP packet.
    IpInIp,
    /// Generic routing encapsulation, with NVGRE and PPTP.
    Gre,
    /// ERSPAN: a mirrored frame in GRE.
    Erspan,
    /// VXLAN, by its UDP port.
    Vxlan,
    /// GENEVE, by its UDP port.
    Geneve,
    /// Teredo, by its UDP port.
    Teredo,
    /// IPsec encapsulating security payload.
    Esp,
    /// UDP, with QUIC.
    Udp,
    /// ICMP for IPv4 or IPv6.
    Icmp,
    /// SCTP.
    Sctp,
    /// An IP protocol that is not one of the above.
    IpProtocol,
    /// The TCP header.
    Tcp,
}

impl Layer {
    /// Every layer.
    pub const ALL: [Self; 31] = [
        Self::Link,
        Self::Ethernet,
        Self::Vlan,
        Self::Llc,
        Self::Sll,
        Self::Sll2,
        Self::Loopback,
        Self::RawIp,
        Self::Ppp,
        Self::Pppoe,
        Self::Nflog,
        Self::Mpls,
        Self::Macsec,
        Self::Arp,
        Self::Lldp,
        Self::EtherType,
        Self::Ipv4,
        Self::Ipv6,
        Self::Extension,
        Self::IpInIp,
        Self::Gre,
        Self::Erspan,
        Self::Vxlan,
        Self::Geneve,
        Self::Teredo,
        Self::Esp,
        Self::Udp,
        Self::Icmp,
        Self::Sctp,
        Self::IpProtocol,
        Self::Tcp,
    ];

    /// A short kebab-case name for counters.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Link => "link",
            Self::Ethernet => "ethernet",
            Self::Vlan => "vlan",
            Self::Llc => "llc",
            Self::Sll => "sll",
            Self::Sll2 => "sll2",
            Self::Loopback => "loopback",
            Self::RawIp => "raw-ip",
            Self::Ppp => "ppp",
            Self::Pppoe => "pppoe",
            Self::Nflog => "nflog",
            Self::Mpls => "mpls",
            Self::Macsec => "macsec",
            Self::Arp => "arp",
            Self::Lldp => "lldp",
            Self::EtherType => "ethertype",
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
            Self::Extension => "extension",
            Self::IpInIp => "ip-in-ip",
            Self::Gre => "gre",
            Self::Erspan => "erspan",
            Self::Vxlan => "vxlan",
            Self::Geneve => "geneve",
            Self::Teredo => "teredo",
            Self::Esp => "esp",
            Self::Udp => "udp",
            Self::Icmp => "icmp",
            Self::Sctp => "sctp",
            Self::IpProtocol => "ip-protocol",
            Self::Tcp => "tcp",
        }
    }
}

/// Why decoding stopped at a [`Layer`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SkipReason {
    /// The capture ends inside the header.
    Truncated,
    /// A length field contradicts the header it stands in, or the packet around it.
    BadLength,
    /// The version field is not the one that the layer before announced.
    BadVersion,
    /// A field has a value that the layer forbids.
    BadHeader,
    /// One of several IP fragments, kept until the others come. What becomes of it then, the fragments' counters tell.
    Fragment,
    /// A fragment that was not kept; the fragments' counters tell why.
    FragmentDropped,
    /// A tunnel or encapsulation that cannot be unwrapped: it encrypts, compresses, or is not known.
    Encapsulated,
    /// Well-formed, and carries no TCP.
    NotTcp,
    /// More nested headers than any network sends: 16 layers, tags, labels or extension headers.
    TooDeep,
    /// More than four tunnels in each other.
    TooManyTunnels,
}

impl SkipReason {
    /// Every reason.
    pub const ALL: [Self; 10] = [
        Self::Truncated,
        Self::BadLength,
        Self::BadVersion,
        Self::BadHeader,
        Self::Fragment,
        Self::FragmentDropped,
        Self::Encapsulated,
        Self::NotTcp,
        Self::TooDeep,
        Self::TooManyTunnels,
    ];

    /// A short kebab-case name for counters.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Truncated => "truncated",
            Self::BadLength => "bad-length",
            Self::BadVersion => "bad-version",
            Self::BadHeader => "bad-header",
            Self::Fragment => "fragment",
            Self::FragmentDropped => "fragment-dropped",
            Self::Encapsulated => "encapsulated",
            Self::NotTcp => "not-tcp",
            Self::TooDeep => "too-deep",
            Self::TooManyTunnels => "too-many-tunnels",
        }
    }
}

/// A packet that is not a TCP segment. For every capture, packets = segments + skips of every kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Skip {
    /// Where decoding stopped.
    pub layer: Layer,
    /// Why.
    pub reason: SkipReason,
}

impl Skip {
    /// A skip at `layer` for `reason`.
    pub const fn new(layer: Layer, reason: SkipReason) -> Self {
        Self { layer, reason }
    }
}

#[cfg(test)]
mod tests {
    use super::Layer;

    #[test]
    fn names_are_distinct() {
        let mut names: Vec<_> = Layer::ALL.iter().map(|l| l.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Layer::ALL.len());
    }
}
