//! The same IP packets in tunnels and in fragments.

use super::encapsulate::{Link, ip_of};
use crate::{Capture, OwnedPacket};

/// EtherTypes.
const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
const MPLS: u16 = 0x8847;
const PPPOE: u16 = 0x8864;
const BRIDGED: u16 = 0x6558;

/// A tunnel, with what it carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of the formats")]
pub enum Wrapping {
    MplsIp,
    MplsEthernet,
    MplsControlWord,
    Pppoe,
    Gre,
    GreAllFlags,
    GreEthernet,
    GreMpls,
    Nvgre,
    Erspan1,
    Erspan2,
    Erspan3,
    Erspan3Platform,
    Vxlan,
    VxlanVlan,
    Geneve,
    GeneveIp,
    GeneveVxlan,
    IpInIp,
    GreInUdp,
}

impl Wrapping {
    /// Every kind.
    pub const ALL: [Self; 20] = [
        Self::MplsIp,
        Self::MplsEthernet,
        Self::MplsControlWord,
        Self::Pppoe,
        Self::Gre,
        Self::GreAllFlags,
        Self::GreEthernet,
        Self::GreMpls,
        Self::Nvgre,
        Self::Erspan1,
        Self::Erspan2,
        Self::Erspan3,
        Self::Erspan3Platform,
        Self::Vxlan,
        Self::VxlanVlan,
        Self::Geneve,
        Self::GeneveIp,
        Self::GeneveVxlan,
        Self::IpInIp,
        Self::GreInUdp,
    ];
}

/// How packets travel from where they were sent to the capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// Bytes of IP payload that a packet may carry before the tunnel; a multiple of eight.
    pub inner_fragments: Option<usize>,
    /// The tunnel.
    pub wrapping: Option<Wrapping>,
    /// Whether the tunnel's own IP is version 6.
    pub outer_v6: bool,
    /// Bytes of IP payload that a packet may carry behind the tunnel; a multiple of eight.
    pub outer_fragments: Option<usize>,
    /// What is captured.
    pub link: Link,
}

impl Route {
    /// Straight into that link layer.
    pub const fn plain(link: Link) -> Self {
        Self { inner_fragments: None, wrapping: None, outer_v6: false, outer_fragments: None, link }
    }
}

/// The IP packets of `capture` on that route; what is no IP stays out. `None` when the link layer cannot carry them.
pub fn carry(capture: &Capture, route: &Route) -> Option<Capture> {
    let (mut packets, mut outer_id) = (Vec::new(), 0);
    for (packet, id) in capture.packets.iter().zip(1u32..) {
        let Some(ip) = ip_of(packet) else { continue };
        for inner in fragments(ip, route.inner_fragments, id) {
            let (kind, bytes) = wrapped(&inner, route);
            // The tunnel's end numbers what it sends itself.
            outer_id += 1;
            let size = route.outer_fragments.filter(|_| matches!(kind, IPV4 | IPV6));
            let parts = if size.is_some() { fragments(&bytes, size, outer_id) } else { vec![bytes] };
            for part in parts {
                let bytes = route.link.frame(kind, &part)?;
                let wire_len = bytes.len() as u32;
                packets.push(OwnedPacket { bytes, wire_len, link: route.link.link_type(), ..packet.clone() });
            }
        }
    }
    Some(Capture { packets })
}

/// The packet in parts of at most `size` bytes of payload. Extension headers are not expected.
fn fragments(packet: &[u8], size: Option<usize>, id: u32) -> Vec<Vec<u8>> {
    let v6 = packet[0] >> 4 == 6;
    let header = if v6 { 40 } else { usize::from(packet[0] & 15) * 4 };
    let Some(size) = size.filter(|size| packet.len() > header + size) else { return vec![packet.to_vec()] };
    let pieces: Vec<&[u8]> = packet[header..].chunks(size).collect();
    let part = |(at, piece): (usize, &&[u8])| {
        let (offset, more) = ((at * size) as u16, at + 1 < pieces.len());
        let mut part = packet[..header].to_vec();
        if v6 {
            part[4..6].copy_from_slice(&((piece.len() + 8) as u16).to_be_bytes());
            let next = std::mem::replace(&mut part[6], 44);
            part.extend([next, 0]);
            part.extend((offset | u16::from(more)).to_be_bytes());
            part.extend(id.to_be_bytes());
        } else {
            part[2..4].copy_from_slice(&((header + piece.len()) as u16).to_be_bytes());
            part[4..6].copy_from_slice(&(id as u16).to_be_bytes());
            part[6..8].copy_from_slice(&(offset >> 3 | u16::from(more) << 13).to_be_bytes());
        }
        part.extend_from_slice(piece);
        part
    };
    pieces.iter().enumerate().map(part).collect()
}

/// The EtherType of what the tunnel looks like from outside, and its bytes.
fn wrapped(ip: &[u8], route: &Route) -> (u16, Vec<u8>) {
    let kind = kind_of(ip);
    let frame = ethernet(&[], kind, ip);
    let Some(wrapping) = route.wrapping else { return (kind, ip.to_vec()) };
    let over = |protocol: u8, payload: &[u8]| over_ip(protocol, payload, route.outer_v6);
    let over_gre = |flags, protocol, payload: &[u8]| over(47, &gre(flags, protocol, payload));
    let over_udp = |port, payload: &[u8]| over(17, &udp(port, payload));
    match wrapping {
        Wrapping::MplsIp => (MPLS, mpls(ip)),
        Wrapping::MplsEthernet => (MPLS, mpls(&frame)),
        Wrapping::MplsControlWord => (MPLS, mpls(&[&[0, 0, 0, 1][..], &frame].concat())),
        Wrapping::Pppoe => (PPPOE, pppoe(kind, ip)),
        Wrapping::Gre => over_gre(0, kind, ip),
        Wrapping::GreAllFlags => over_gre(0xb000, kind, ip),
        Wrapping::GreEthernet => over_gre(0, BRIDGED, &frame),
        Wrapping::GreMpls => over_gre(0, MPLS, &mpls(ip)),
        Wrapping::Nvgre => over_gre(0x2000, BRIDGED, &frame),
        Wrapping::Erspan1 => over_gre(0, 0x88be, &frame),
        Wrapping::Erspan2 => over_gre(0x1000, 0x88be, &[&[0x10, 7, 0, 1, 0, 0, 0, 1][..], &frame].concat()),
        Wrapping::Erspan3 => {
            over_gre(0x1000, 0x22eb, &[&[0x20, 7, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0][..], &frame].concat())
        }
        Wrapping::Erspan3Platform => {
            let head = [0x20, 7, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0];
            over_gre(0x1000, 0x22eb, &[&head[..], &frame].concat())
        }
        Wrapping::Vxlan => over_udp(4789, &vxlan(&frame)),
        Wrapping::VxlanVlan => over_udp(4789, &vxlan(&ethernet(&[0x88a8, 0x8100], kind, ip))),
        Wrapping::Geneve => over_udp(6081, &geneve(BRIDGED, &frame)),
        Wrapping::GeneveIp => over_udp(6081, &geneve(kind, ip)),
        Wrapping::GeneveVxlan => {
            let (kind, mirrored) = over_udp(4789, &vxlan(&frame));
            over_udp(6081, &geneve(kind, &mirrored))
        }
        Wrapping::IpInIp => over(if kind == IPV4 { 4 } else { 41 }, ip),
        Wrapping::GreInUdp => over_udp(4754, &gre(0, kind, ip)),
    }
}

const fn kind_of(ip: &[u8]) -> u16 {
    if ip[0] >> 4 == 6 { IPV6 } else { IPV4 }
}

fn ethernet(tags: &[u16], kind: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 4, 2, 0, 0, 0, 0, 3];
    for tag in tags {
        frame.extend(tag.to_be_bytes());
        frame.extend([0, 42]);
    }
    frame.extend(kind.to_be_bytes());
    frame.extend(payload);
    frame
}

/// Two labels.
fn mpls(payload: &[u8]) -> Vec<u8> {
    [&[0, 1, 0, 64, 0, 2, 1, 64][..], payload].concat()
}

fn pppoe(kind: u16, ip: &[u8]) -> Vec<u8> {
    let length = (ip.len() as u16 + 2).to_be_bytes();
    let protocol = if kind == IPV4 { [0, 0x21] } else { [0, 0x57] };
    [&[0x11, 0, 0, 9][..], &length, &protocol, ip].concat()
}

fn gre(flags: u16, protocol: u16, payload: &[u8]) -> Vec<u8> {
    let optional = [0x8000, 0x2000, 0x1000].iter().filter(|flag| flags & **flag != 0).count();
    [&flags.to_be_bytes()[..], &protocol.to_be_bytes(), &vec![0; 4 * optional], payload].concat()
}

fn udp(port: u16, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u16 + 8).to_be_bytes();
    [&[0xd0, 0][..], &port.to_be_bytes(), &length, &[0, 0], payload].concat()
}

fn vxlan(frame: &[u8]) -> Vec<u8> {
    [&[8, 0, 0, 0, 0, 0, 99, 0][..], frame].concat()
}

/// With an option of eight bytes.
fn geneve(kind: u16, payload: &[u8]) -> Vec<u8> {
    [&[2, 0][..], &kind.to_be_bytes(), &[0, 0, 0, 0, 1, 8, 3, 1, 0, 0, 0, 5], payload].concat()
}

fn over_ip(protocol: u8, payload: &[u8], v6: bool) -> (u16, Vec<u8>) {
    if v6 {
        let mut packet = vec![0x60, 0, 0, 0];
        packet.extend((payload.len() as u16).to_be_bytes());
        packet.extend([protocol, 64]);
        packet.extend([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        packet.extend([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
        packet.extend(payload);
        return (IPV6, packet);
    }
    let mut packet = vec![0x45, 0];
    packet.extend((payload.len() as u16 + 20).to_be_bytes());
    packet.extend([0, 0, 0, 0, 64, protocol, 0, 0, 172, 16, 0, 1, 172, 16, 0, 2]);
    packet.extend(payload);
    (IPV4, packet)
}
