//! What a segment is wrapped in, and what it would be without: for filters that look at a packet's outside only.

use tapwire_wire::{LinkType, Packet, Segment, SourceId};

/// The outside of a packet, as a filter on addresses and ports has to know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Wrapping {
    /// One VLAN tag.
    Vlan,
    /// Two VLAN tags or more.
    Vlans,
    /// Tunnels; this is the outermost.
    Tunnel(&'static str),
}

impl Wrapping {
    /// `None` for a plain segment.
    pub(crate) fn of(packet: &Packet<'_>, segment: &Segment<'_>) -> Option<Self> {
        if let Some(tunnel) = segment.overlay.tunnels.iter().next() {
            return Some(Self::Tunnel(tunnel.name()));
        }
        segment.vlan?;
        let inner = packet.data.get(16..18).filter(|_| packet.link == LinkType::ETHERNET);
        let twice = matches!(inner, Some([0x81, 0] | [0x88, 0xa8] | [0x91, 0]));
        Some(if twice { Self::Vlans } else { Self::Vlan })
    }

    /// As a sentence has it, behind "in".
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Vlan => "a VLAN tag",
            Self::Vlans => "two VLAN tags",
            Self::Tunnel(name) => name,
        }
    }
}

/// The segment's headers in a plain Ethernet frame, as a filter would see it without what it is wrapped in.
pub(crate) fn bare(segment: &Segment<'_>) -> Vec<u8> {
    let (from, to) = (segment.key.endpoint(segment.side), segment.key.endpoint(segment.side.peer()));
    let length = u16::try_from(segment.payload.len() + 20).unwrap_or(u16::MAX);
    let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
    match (from.ip(), to.ip()) {
        (std::net::IpAddr::V4(source), std::net::IpAddr::V4(destination)) => {
            frame.extend([8, 0, 0x45, 0]);
            frame.extend(length.saturating_add(20).to_be_bytes());
            frame.extend([0, 0, 0x40, 0, segment.ttl, 6, 0, 0]);
            frame.extend(source.octets());
            frame.extend(destination.octets());
        }
        _ => {
            frame.extend([0x86, 0xdd, 0x60, 0, 0, 0]);
            frame.extend(length.to_be_bytes());
            frame.extend([6, segment.ttl]);
            frame.extend(from.octets());
            frame.extend(to.octets());
        }
    }
    frame.extend(from.port.to_be_bytes());
    frame.extend(to.port.to_be_bytes());
    frame.extend(segment.seq.0.to_be_bytes());
    frame.extend(segment.ack.map_or(0, |ack| ack.0).to_be_bytes());
    frame.extend([0x50, segment.flags.0]);
    frame.extend(segment.window.to_be_bytes());
    frame.extend([0; 4]);
    frame
}

/// The frame of [`bare`] as a packet.
pub(crate) fn as_packet<'a>(frame: &'a [u8], of: &Segment<'_>) -> Packet<'a> {
    Packet {
        time: of.time,
        link: LinkType::ETHERNET,
        data: frame,
        wire_len: u32::try_from(frame.len()).unwrap_or(u32::MAX),
        frame: of.frame,
        source: SourceId(0),
    }
}

/// A UDP datagram.
pub(super) struct Udp<'p> {
    pub(super) source: u16,
    pub(super) destination: u16,
    /// As far as it was captured.
    pub(super) payload: &'p [u8],
}

/// The UDP datagram in an Ethernet frame or a raw IP packet, tagged or not, that is no later fragment.
pub(super) fn udp<'p>(packet: &Packet<'p>) -> Option<Udp<'p>> {
    let mut at = match packet.link {
        LinkType::ETHERNET => 12,
        LinkType::RAW | LinkType::IPV4 | LinkType::IPV6 => return datagram(packet.data),
        LinkType::LINUX_SLL => return datagram(packet.data.get(16..)?),
        LinkType::LINUX_SLL2 => return datagram(packet.data.get(20..)?),
        _ => return None,
    };
    while matches!(packet.data.get(at..at + 2)?, [0x81, 0] | [0x88, 0xa8] | [0x91, 0]) {
        at += 4;
    }
    datagram(packet.data.get(at + 2..)?)
}

fn datagram(ip: &[u8]) -> Option<Udp<'_>> {
    let header = match ip.first()? >> 4 {
        4 if *ip.get(9)? == 17 => usize::from(ip.first()? & 0x0f) * 4,
        6 if *ip.get(6)? == 17 => 40,
        _ => return None,
    };
    let [s0, s1, d0, d1] = *ip.get(header..)?.first_chunk::<4>()?;
    let (source, destination) = (u16::from_be_bytes([s0, s1]), u16::from_be_bytes([d0, d1]));
    Some(Udp { source, destination, payload: ip.get(header + 8..).unwrap_or_default() })
}
