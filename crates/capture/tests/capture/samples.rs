//! Packets and files to read.

use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use tapwire_capture::{
    ByteOrder, CaptureReader, InterfaceDescription, PcapWriter, PcapngWriter, Resolution, Source,
    SourceError, Status,
};
use tapwire_wire::{LinkType, Packet, SourceId, Timestamp};

/// What a test compares of a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) nanos: i64,
    pub(crate) link: LinkType,
    pub(crate) data: Vec<u8>,
    pub(crate) wire_len: u32,
    pub(crate) frame: u64,
    pub(crate) source: u16,
}

impl Seen {
    pub(crate) fn of(packet: &Packet<'_>) -> Self {
        Self {
            nanos: packet.time.nanos(),
            link: packet.link,
            data: packet.data.to_vec(),
            wire_len: packet.wire_len,
            frame: packet.frame,
            source: packet.source.0,
        }
    }

    pub(crate) fn packet(&self) -> Packet<'_> {
        Packet {
            time: Timestamp::from_nanos(self.nanos),
            link: self.link,
            data: &self.data,
            wire_len: self.wire_len,
            frame: self.frame,
            source: SourceId(self.source),
        }
    }
}

/// The first moment of the samples.
pub(crate) const START: i64 = 1_700_000_000_123_456_000;

/// Packets of every padding, one of them cut, one millisecond apart.
pub(crate) fn packets(count: u64) -> Vec<Seen> {
    (1..=count).map(|frame| sample(frame, START + i64::try_from(frame).unwrap() * 1_000_000)).collect()
}

/// An Ethernet frame with UDP to port `9000 + frame`.
pub(crate) fn sample(frame: u64, nanos: i64) -> Seen {
    let port = u16::try_from(9000 + frame).unwrap().to_be_bytes();
    let mut data =
        vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0, 0, 60, 0, 0, 0x40, 0, 64, 17, 0, 0];
    data.extend([10, 0, 0, 1, 10, 0, 0, 2, 0x30, 0x39, port[0], port[1], 0, 40, 0, 0]);
    data.extend((0..frame % 7).map(|i| u8::try_from(i).unwrap()));
    let len = u32::try_from(data.len()).unwrap();
    let wire_len = if frame.is_multiple_of(3) { len + 100 } else { len };
    Seen { nanos, link: LinkType::ETHERNET, data, wire_len, frame, source: 0 }
}

pub(crate) fn pcap(packets: &[Seen], order: ByteOrder, resolution: Resolution) -> Vec<u8> {
    let mut writer = PcapWriter::new(Vec::new(), order, resolution, LinkType::ETHERNET).unwrap();
    packets.iter().for_each(|seen| writer.write(&seen.packet()).unwrap());
    writer.into_inner()
}

/// The usual pcap file.
pub(crate) fn plain(packets: &[Seen]) -> Vec<u8> {
    pcap(packets, ByteOrder::Little, Resolution::Microseconds)
}

pub(crate) fn pcapng(packets: &[Seen], order: ByteOrder) -> Vec<u8> {
    let mut writer = PcapngWriter::new(Vec::new(), order).unwrap();
    let id = writer.interface(InterfaceDescription::new(LinkType::ETHERNET)).unwrap();
    packets.iter().for_each(|seen| writer.packet(id, &seen.packet()).unwrap());
    writer.into_inner()
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::stream::encode_all(bytes, 1).unwrap()
}

/// Reads bytes as a file: what came, and how it ended.
pub(crate) fn read(bytes: &[u8]) -> (Vec<Seen>, Result<(), SourceError>) {
    read_through(Box::new(std::io::Cursor::new(bytes.to_vec())))
}

pub(crate) fn read_through(stream: Box<dyn std::io::Read + Send>) -> (Vec<Seen>, Result<(), SourceError>) {
    let mut seen = Vec::new();
    let mut reader = match CaptureReader::new(Path::new("x.pcap"), stream) {
        Ok(reader) => reader,
        Err(error) => return (seen, Err(error)),
    };
    let end = reader.for_each(|packet| seen.push(Seen::of(&packet)));
    assert_eq!(reader.packets(), seen.len() as u64);
    (seen, end)
}

/// All packets of a source, and every error on the way.
pub(crate) fn drain(source: &mut dyn Source) -> (Vec<Seen>, Vec<SourceError>) {
    let (mut seen, mut errors) = (Vec::new(), Vec::new());
    loop {
        match source.dispatch(&mut |packet| seen.push(Seen::of(&packet))) {
            Ok(Status::End) => return (seen, errors),
            Ok(_) => {}
            Err(error) => errors.push(error),
        }
    }
}
