//! The same IP packets behind other link layers and in other files.

use crate::{Capture, OwnedPacket};
use std::io::{self, Cursor, Read, Write};
use std::path::Path;
use tapwire_capture::{ByteOrder, CaptureReader, InterfaceDescription, PcapngWriter, Resolution};
use tapwire_wire::LinkType;

/// A link layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// Ethernet without tags.
    Ethernet,
    /// Ethernet with one 802.1Q tag.
    Vlan(u16),
    /// Ethernet with an 802.1ad tag around an 802.1Q tag.
    QinQ(u16, u16),
    /// Linux cooked capture v1.
    Sll,
    /// Linux cooked capture v2.
    Sll2,
    /// No link layer.
    Raw,
    /// BSD loopback, little-endian.
    Null,
    /// OpenBSD loopback, big-endian.
    Loop,
    /// PPP without framing.
    Ppp,
    /// PPP in HDLC framing.
    PppFramed,
    /// PPP with a compressed protocol field.
    PppCompressed,
    /// Linux netfilter log.
    Nflog,
}

impl Link {
    /// Every kind.
    pub const ALL: [Self; 12] = [
        Self::Ethernet,
        Self::Vlan(7),
        Self::QinQ(200, 100),
        Self::Sll,
        Self::Sll2,
        Self::Raw,
        Self::Null,
        Self::Loop,
        Self::Ppp,
        Self::PppFramed,
        Self::PppCompressed,
        Self::Nflog,
    ];

    pub(super) const fn link_type(self) -> LinkType {
        match self {
            Self::Ethernet | Self::Vlan(_) | Self::QinQ(..) => LinkType::ETHERNET,
            Self::Sll => LinkType::LINUX_SLL,
            Self::Sll2 => LinkType::LINUX_SLL2,
            Self::Raw => LinkType::RAW,
            Self::Null => LinkType::NULL,
            Self::Loop => LinkType::LOOP,
            Self::Ppp | Self::PppFramed | Self::PppCompressed => LinkType::PPP,
            Self::Nflog => LinkType::NFLOG,
        }
    }

    /// `payload` of that EtherType behind this link layer; `None` when it can carry IP only.
    pub(super) fn frame(self, kind: u16, payload: &[u8]) -> Option<Vec<u8>> {
        let header = self.header(kind).or_else(|| self.ip_header(kind, payload.len()))?;
        Some([&header[..], payload].concat())
    }

    /// The header of a link layer that speaks of EtherTypes.
    fn header(self, kind: u16) -> Option<Vec<u8>> {
        let mut header = match self {
            Self::Ethernet | Self::Vlan(_) | Self::QinQ(..) => vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1],
            Self::Sll => vec![0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0],
            Self::Sll2 => {
                let mut sll2 = kind.to_be_bytes().to_vec();
                sll2.extend([0, 0, 0, 0, 0, 3, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0]);
                return Some(sll2);
            }
            _ => return None,
        };
        let mut tag = |protocol: [u8; 2], vlan: u16| {
            header.extend(protocol);
            header.extend(vlan.to_be_bytes());
        };
        match self {
            Self::Vlan(vlan) => tag([0x81, 0], vlan),
            Self::QinQ(outer, inner) => {
                tag([0x88, 0xa8], outer);
                tag([0x81, 0], inner);
            }
            _ => {}
        }
        header.extend(kind.to_be_bytes());
        Some(header)
    }

    /// The header of a link layer that carries IP only.
    fn ip_header(self, kind: u16, length: usize) -> Option<Vec<u8>> {
        let v6 = match kind {
            0x0800 => false,
            0x86dd => true,
            _ => return None,
        };
        let protocol = if v6 { 0x57 } else { 0x21 };
        Some(match self {
            // AF_INET is 2 everywhere; AF_INET6 is 30 on Darwin.
            Self::Null => vec![if v6 { 30 } else { 2 }, 0, 0, 0],
            Self::Loop => vec![0, 0, 0, if v6 { 24 } else { 2 }],
            Self::Ppp => vec![0, protocol],
            Self::PppFramed => vec![0xff, 3, 0, protocol],
            Self::PppCompressed => vec![protocol],
            Self::Nflog => {
                let mut message = vec![if v6 { 10 } else { 2 }, 0, 0, 1, 8, 0, 3, 0, 0, 0, 0, 9];
                message.extend((length as u16 + 4).to_le_bytes());
                message.extend([9, 0]);
                message
            }
            _ => Vec::new(),
        })
    }
}

/// The IP packets of `capture` behind another link layer; what is no IP stays out.
pub fn encapsulate(capture: &Capture, link: Link) -> Capture {
    capture.packets.iter().filter_map(|packet| behind(packet, link)).collect()
}

fn behind(packet: &OwnedPacket, link: Link) -> Option<OwnedPacket> {
    let ip = ip_of(packet)?;
    let bytes = link.frame(if ip.first()? >> 4 == 6 { 0x86dd } else { 0x0800 }, ip)?;
    let cut = packet.wire_len - packet.bytes.len() as u32;
    let wire_len = bytes.len() as u32 + cut;
    Some(OwnedPacket { bytes, wire_len, link: link.link_type(), ..packet.clone() })
}

/// The IP packet in `packet`.
pub(super) fn ip_of(packet: &OwnedPacket) -> Option<&[u8]> {
    packet.bytes.get(ip_offset(packet)?..).filter(|ip| !ip.is_empty())
}

fn ip_offset(packet: &OwnedPacket) -> Option<usize> {
    let two = |at: usize| Some(u16::from_be_bytes([*packet.bytes.get(at)?, *packet.bytes.get(at + 1)?]));
    let (mut at, mut ethertype) = match packet.link {
        LinkType::ETHERNET => (14, two(12)?),
        LinkType::LINUX_SLL => (16, two(14)?),
        LinkType::LINUX_SLL2 => (20, two(0)?),
        LinkType::NULL | LinkType::LOOP => return Some(4),
        LinkType::RAW => return Some(0),
        _ => return None,
    };
    while matches!(ethertype, 0x8100 | 0x88a8 | 0x9100) {
        ethertype = two(at + 2)?;
        at += 4;
    }
    matches!(ethertype, 0x0800 | 0x86dd).then_some(at)
}

/// A capture file's format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Container {
    /// pcap with that byte order and resolution.
    Pcap(ByteOrder, Resolution),
    /// pcapng with one interface for each link type.
    Pcapng(ByteOrder),
}

/// Writes `capture` into a file's bytes, gzip around it when asked for, and reads it with the product's reader.
///
/// # Errors
/// Those of the writer and the reader.
pub fn through_file(capture: &Capture, container: Container, gzip: bool) -> io::Result<Capture> {
    let plain = match container {
        Container::Pcap(order, resolution) => capture.write_pcap(Vec::new(), order, resolution)?,
        Container::Pcapng(order) => pcapng(capture, order)?,
    };
    let bytes = if gzip { gzipped(&plain)? } else { plain };
    read_back(Box::new(Cursor::new(bytes)))
}

fn pcapng(capture: &Capture, order: ByteOrder) -> io::Result<Vec<u8>> {
    let mut writer = PcapngWriter::new(Vec::new(), order)?;
    let mut interfaces: Vec<(LinkType, u32)> = Vec::new();
    for packet in &capture.packets {
        let known = interfaces.iter().find(|(link, _)| *link == packet.link).map(|(_, id)| *id);
        let id = match known {
            Some(id) => id,
            None => {
                let id = writer.interface(InterfaceDescription::new(packet.link))?;
                interfaces.push((packet.link, id));
                id
            }
        };
        writer.packet(id, &packet.packet())?;
    }
    Ok(writer.into_inner())
}

fn gzipped(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(bytes)?;
    gzip.finish()
}

fn read_back(stream: Box<dyn Read + Send>) -> io::Result<Capture> {
    let mut packets = Vec::new();
    let reader = CaptureReader::new(Path::new("memory"), stream);
    reader
        .and_then(|mut reader| {
            reader.for_each(|packet| {
                packets.push(OwnedPacket {
                    time: packet.time,
                    link: packet.link,
                    bytes: packet.data.to_vec(),
                    wire_len: packet.wire_len,
                    frame: packet.frame,
                    source: packet.source,
                });
            })
        })
        .map_err(io::Error::other)?;
    Ok(Capture { packets })
}
