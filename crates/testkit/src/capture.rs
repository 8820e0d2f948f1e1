//! A capture in memory: what mutators change and `sense` reads.

use std::io::{self, Write};
use std::path::Path;
use tapwire_capture::{ByteOrder, CaptureReader, PcapWriter, Resolution, SourceError};
use tapwire_wire::{Decoded, LinkType, Packet, Segment, SourceId, Timestamp, decode};

/// A packet that owns its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnedPacket {
    /// When it was captured.
    pub time: Timestamp,
    /// How `bytes` begins.
    pub link: LinkType,
    /// The captured bytes.
    pub bytes: Vec<u8>,
    /// Its length on the wire.
    pub wire_len: u32,
    /// Its number in the capture it was made for. Mutators keep it, so it names the packet after losses too.
    pub frame: u64,
    /// Its source.
    pub source: SourceId,
}

impl OwnedPacket {
    /// A whole Ethernet frame.
    pub fn ethernet(time: Timestamp, bytes: Vec<u8>) -> Self {
        let wire_len = bytes.len() as u32;
        Self { time, link: LinkType::ETHERNET, bytes, wire_len, frame: 0, source: SourceId(0) }
    }

    /// As the sensor sees it.
    pub fn packet(&self) -> Packet<'_> {
        Packet {
            time: self.time,
            link: self.link,
            data: &self.bytes,
            wire_len: self.wire_len,
            frame: self.frame,
            source: self.source,
        }
    }

    /// Its TCP segment, when it holds one.
    pub fn segment(&self) -> Option<Segment<'_>> {
        match decode(&self.packet()) {
            Decoded::Segment(segment) => Some(segment),
            Decoded::Skip(_) => None,
        }
    }
}

/// Packets in the order of capture.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Capture {
    /// The packets.
    pub packets: Vec<OwnedPacket>,
}

impl Capture {
    /// Reads a capture file of any kind that the product reads.
    ///
    /// # Errors
    /// Those of the product's reader.
    pub fn read(path: &Path) -> Result<Self, SourceError> {
        let mut packets = Vec::new();
        CaptureReader::open(path)?.for_each(|packet| {
            packets.push(OwnedPacket {
                time: packet.time,
                link: packet.link,
                bytes: packet.data.to_vec(),
                wire_len: packet.wire_len,
                frame: packet.frame,
                source: packet.source,
            });
        })?;
        Ok(Self { packets })
    }

    /// Numbers the packets from 1 in their present order.
    #[must_use]
    pub fn numbered(mut self) -> Self {
        for (packet, frame) in self.packets.iter_mut().zip(1..) {
            packet.frame = frame;
        }
        self
    }

    /// Appends another capture and sorts by time; packets of one time keep their order. Not renumbered.
    #[must_use]
    pub fn merged(mut self, other: Self) -> Self {
        self.packets.extend(other.packets);
        self.packets.sort_by_key(|packet| packet.time);
        self
    }

    /// Writes a pcap file with nanoseconds; the first packet's link type is that of all.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_pcap<W: Write>(&self, out: W, order: ByteOrder, resolution: Resolution) -> io::Result<W> {
        let link = self.packets.first().map_or(LinkType::ETHERNET, |packet| packet.link);
        let mut writer = PcapWriter::new(out, order, resolution, link)?;
        for packet in &self.packets {
            writer.write(&packet.packet())?;
        }
        Ok(writer.into_inner())
    }
}

impl FromIterator<OwnedPacket> for Capture {
    fn from_iter<I: IntoIterator<Item = OwnedPacket>>(packets: I) -> Self {
        Self { packets: packets.into_iter().collect() }
    }
}
