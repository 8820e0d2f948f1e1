//! A capture file of any kind: read in pieces of any size, cut anywhere, written again.

use super::input::Choices;
use std::io::Read;
use std::path::Path;
use tapwire_capture::{
    ByteOrder, CaptureReader, InterfaceDescription, MAX_PACKET, PcapWriter, PcapngWriter, Resolution,
};
use tapwire_wire::{LinkType, Packet, Timestamp};

/// The bytes are those of the file.
pub fn run(data: &[u8]) {
    let whole = read(data, usize::MAX);
    let plain = !data.starts_with(&[0x1f, 0x8b]) && !data.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]);
    // How much a decompressor gives before the place of the damage depends on how much it was asked for.
    if plain || whole.trouble.is_none() {
        check_pieces(&whole, &read(data, 1 + data.len() / 7));
        check_pieces(&whole, &read(data, 3));
    }
    if plain {
        check_lengths(&whole, data.len());
        check_cuts(&whole, data);
    }
    check_written(data);
}

/// A packet in short: time, link type, lengths, and the bytes as a sum.
type Seen = (Timestamp, LinkType, usize, u32, u64);

/// What a file came to: its packets, and the trouble at its end.
#[derive(Debug, Default, PartialEq, Eq)]
struct Outcome {
    packets: Vec<Seen>,
    trouble: Option<String>,
}

/// Gives a stream in pieces of `step` bytes.
struct Trickle {
    bytes: std::io::Cursor<Vec<u8>>,
    step: usize,
}

impl Read for Trickle {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let most = self.step.min(buffer.len());
        self.bytes.read(&mut buffer[..most])
    }
}

fn open(data: &[u8], step: usize) -> Result<CaptureReader, String> {
    let stream = Trickle { bytes: std::io::Cursor::new(data.to_vec()), step };
    CaptureReader::new(Path::new("fuzz"), Box::new(stream)).map_err(|error| error.to_string())
}

fn read(data: &[u8], step: usize) -> Outcome {
    let mut reader = match open(data, step) {
        Ok(reader) => reader,
        Err(trouble) => return Outcome { trouble: Some(trouble), ..Outcome::default() },
    };
    let mut packets = Vec::new();
    let end = reader.for_each(|packet| {
        assert_eq!(packet.frame, packets.len() as u64 + 1, "frames are numbered from 1");
        assert!(packet.data.len() <= MAX_PACKET);
        packets.push(seen(&packet));
    });
    assert_eq!(reader.packets(), packets.len() as u64);
    assert!(reader.bytes_read() <= data.len() as u64);
    Outcome { packets, trouble: end.err().map(|error| error.to_string()) }
}

fn seen(packet: &Packet<'_>) -> Seen {
    // FNV-1a: enough to tell other bytes.
    let sum = packet
        .data
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |sum: u64, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3));
    (packet.time, packet.link, packet.data.len(), packet.wire_len, sum)
}

/// The same packets and an end of the same kind; whether that was a cut or damage may depend on what was at hand.
fn check_pieces(whole: &Outcome, pieces: &Outcome) {
    assert_eq!(whole.packets, pieces.packets, "read in pieces");
    assert_eq!(whole.trouble.is_some(), pieces.trouble.is_some(), "read in pieces");
}

/// No byte of the file is two packets', and a packet takes 16 bytes at least.
fn check_lengths(whole: &Outcome, len: usize) {
    let bytes: usize = whole.packets.iter().map(|packet| packet.2).sum();
    assert!(bytes + 16 * whole.packets.len() <= len, "more packets than bytes");
}

/// A file that is cut has the same packets up to there.
fn check_cuts(whole: &Outcome, data: &[u8]) {
    for part in 1..6 {
        let cut = read(&data[..data.len() * part / 6], usize::MAX);
        assert!(whole.packets.starts_with(&cut.packets), "other packets when cut");
    }
}

/// What is read can be written in the other formats, and is read from there again.
fn check_written(data: &[u8]) {
    let Ok(mut reader) = open(data, usize::MAX) else { return };
    let order = if Choices::new(data).flag() { ByteOrder::Big } else { ByteOrder::Little };
    let mut files = None;
    let mut written = Vec::new();
    // The end of the file was looked at above.
    let _ = reader.for_each(|packet| {
        let (link, pcap, pcapng) = files.get_or_insert_with(|| begin(order, packet.link));
        let fits = (0..=i64::from(u32::MAX) * 1_000_000_000).contains(&packet.time.nanos());
        // A classic file has one link type.
        if fits && written.len() < 4096 && *link == packet.link {
            pcap.write(&packet).expect("memory takes everything");
            pcapng.packet(0, &packet).expect("memory takes everything");
            written.push(seen(&packet));
        }
    });
    let Some((_, pcap, pcapng)) = files else { return };
    for file in [pcap.into_inner(), pcapng.into_inner()] {
        let again = read(&file, usize::MAX);
        assert_eq!((again.packets, again.trouble), (written.clone(), None));
    }
}

type Files = (LinkType, PcapWriter<Vec<u8>>, PcapngWriter<Vec<u8>>);

fn begin(order: ByteOrder, link: LinkType) -> Files {
    let pcap = PcapWriter::new(Vec::new(), order, Resolution::Nanoseconds, link);
    let mut pcapng = PcapngWriter::new(Vec::new(), order).expect("memory takes everything");
    pcapng.interface(InterfaceDescription::new(link)).expect("link types of files are two bytes");
    (link, pcap.expect("memory takes everything"), pcapng)
}
