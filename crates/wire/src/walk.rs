//! From layer to layer inwards, to the innermost TCP header or to a fragment of what holds it.

use crate::fragments::Fragment;
use crate::ip::Transport;
use crate::view::View;
use crate::{
    Layer, Overlay, Packet, Segment, Skip, SkipReason, Tunnel, fast, gre, ip, link, mpls, ppp, tcp, udp,
};

/// Layers on the way: a link layer with its tags, a label stack, an IP header, a run of extension headers, a tunnel.
/// Four tunnels with Ethernet inside, the deepest that is followed, come to this.
const MAX_LAYERS: u8 = 16;

/// IP protocol numbers that lead on (IANA, protocol numbers).
const IP_IN_IP: u8 = 4;
const TCP: u8 = 6;
const UDP: u8 = 17;
const IPV6: u8 = 41;
const GRE: u8 = 47;
const MPLS: u8 = 137;

/// UDP ports on which tunnels are expected, beside the well-known ones.
#[derive(Clone, Copy)]
pub(crate) struct Ports<'c> {
    pub(crate) vxlan: &'c [u16],
    pub(crate) geneve: &'c [u16],
}

/// What comes next, as the layer before it announced it.
#[derive(Clone, Copy)]
pub(crate) enum Next<'a> {
    /// An Ethernet header.
    Ethernet(View<'a>),
    /// What an EtherType says; the layer is whose word that is.
    EtherType { kind: u16, view: View<'a>, layer: Layer },
    /// A PPP header.
    Ppp(View<'a>),
    /// MPLS labels.
    Mpls(View<'a>),
    /// An IP header; without a version only the first nibble tells.
    Ip { view: View<'a>, version: Option<u8>, layer: Layer },
    /// What an IP protocol number says.
    Protocol { number: u8, transport: Transport<'a> },
    /// A part of a datagram.
    Fragment(Fragment<'a>),
}

/// Where a walk ends when it does not end early.
#[derive(Clone, Copy)]
pub(crate) enum Inner<'a> {
    /// At the innermost TCP header.
    Segment(Segment<'a>),
    /// At a part of what may hold one.
    Fragment(Fragment<'a>),
}

/// What was passed so far.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Walk {
    pub(crate) vlan: Option<u16>,
    pub(crate) overlay: Overlay,
    layers: u8,
}

impl Walk {
    /// Goes on inwards from `next`.
    #[inline(always)]
    pub(crate) fn follow<'a>(
        &mut self,
        mut next: Next<'a>,
        packet: &Packet<'_>,
        ports: Ports<'_>,
    ) -> Result<Inner<'a>, Skip> {
        loop {
            next = match next {
                Next::Ethernet(view) if let Some(segment) = self.ordinary(packet, &view) => {
                    return Ok(Inner::Segment(segment));
                }
                Next::Ethernet(view) => link::ethernet(view, self)?,
                Next::EtherType { kind, view, layer } => link::ethertype(kind, view, layer, self)?,
                Next::Ppp(view) => ppp::packet(view, self)?,
                Next::Mpls(view) => mpls::labels(view, self)?,
                Next::Ip { view, version, layer } => ip::packet(view, version, layer, self)?,
                Next::Protocol { number: TCP, transport } => {
                    return tcp::segment(packet, &transport, self).map(Inner::Segment);
                }
                Next::Protocol { number, transport } => protocol(number, transport, self, ports)?,
                Next::Fragment(fragment) => return Ok(Inner::Fragment(fragment)),
            };
        }
    }

    /// The segment of a whole frame in a tunnel by the short way, where its two layers are still allowed.
    #[inline(always)]
    fn ordinary<'a>(&self, packet: &Packet<'_>, view: &View<'a>) -> Option<Segment<'a>> {
        let short = !self.overlay.tunnels.is_empty() && view.cut() == 0 && self.layers + 2 <= MAX_LAYERS;
        let segment = fast::ethernet(packet, if short { view.data } else { &[] })?;
        Some(Segment { vlan: self.vlan.or(segment.vlan), overlay: self.overlay, ..segment })
    }

    /// Enters a layer, while there are not too many.
    #[inline]
    pub(crate) fn enter(&mut self, layer: Layer) -> Result<(), Skip> {
        self.layers += 1;
        if self.layers > MAX_LAYERS { Err(Skip::new(layer, SkipReason::TooDeep)) } else { Ok(()) }
    }

    /// Enters a tunnel, while there are not too many.
    pub(crate) fn tunnel(&mut self, tunnel: Tunnel, layer: Layer) -> Result<(), Skip> {
        self.enter(layer)?;
        if self.overlay.tunnels.push(tunnel) {
            Ok(())
        } else {
            Err(Skip::new(layer, SkipReason::TooManyTunnels))
        }
    }

    /// Takes a VLAN identifier. The outermost one is kept: it is the one that the mirror's switch knows.
    pub(crate) fn tag(&mut self, vlan: u16) {
        self.vlan.get_or_insert(vlan);
    }
}

/// What an IP packet carries instead of TCP: extension headers, a tunnel, or something that is only named.
fn protocol<'a>(
    number: u8,
    transport: Transport<'a>,
    walk: &mut Walk,
    ports: Ports<'_>,
) -> Result<Next<'a>, Skip> {
    let view = transport.view;
    let (layer, reason) = match number {
        UDP => return udp::datagram(view, walk, ports),
        IP_IN_IP | IPV6 => {
            let (tunnel, version) = match (transport.version, number) {
                (4, IP_IN_IP) => (Tunnel::IpInIp, 4),
                (4, _) => (Tunnel::SixInFour, 6),
                (_, IP_IN_IP) => (Tunnel::FourInSix, 4),
                _ => (Tunnel::SixInSix, 6),
            };
            walk.tunnel(tunnel, Layer::IpInIp)?;
            return Ok(Next::Ip { view, version: Some(version), layer: Layer::IpInIp });
        }
        GRE => return gre::packet(view, walk),
        // RFC 4023, 3.1.
        MPLS => return Ok(Next::Mpls(view)),
        1 | 58 => (Layer::Icmp, SkipReason::NotTcp),
        132 => (Layer::Sctp, SkipReason::NotTcp),
        50 => (Layer::Esp, SkipReason::Encapsulated),
        _ if ip::is_extension(number) => return ip::extensions(number, transport, walk),
        _ => (Layer::IpProtocol, SkipReason::NotTcp),
    };
    Err(Skip::new(layer, reason))
}
