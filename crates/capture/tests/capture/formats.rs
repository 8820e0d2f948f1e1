//! Every variant of the formats gives the same packets.

use std::io::{self, Read};

use tapwire_capture::{ByteOrder, InterfaceDescription, PcapngWriter, Resolution, SourceError};
use tapwire_wire::LinkType;

use crate::samples::{START, Seen, gzip, packets, pcap, pcapng, plain, read, read_through, sample, zstd};

const ORDERS: [ByteOrder; 2] = [ByteOrder::Little, ByteOrder::Big];

fn read_whole(bytes: &[u8]) -> Vec<Seen> {
    let (seen, end) = read(bytes);
    end.unwrap();
    seen
}

#[test]
fn pcap_in_both_byte_orders_and_resolutions() {
    let mut expected = packets(20);
    for order in ORDERS {
        assert_eq!(read_whole(&pcap(&expected, order, Resolution::Microseconds)), expected);
        assert_eq!(read_whole(&pcap(&expected, order, Resolution::Nanoseconds)), expected);
    }
    expected[3].nanos += 789;
    assert_eq!(read_whole(&pcap(&expected, ByteOrder::Big, Resolution::Nanoseconds)), expected);
}

/// What parallel compressors write in front: RFC 8878, 3.1.2.
#[test]
fn zstd_may_begin_with_a_frame_to_skip() {
    let expected = packets(3);
    for first in [0x50, 0x5f] {
        let mut file = vec![first, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4];
        file.extend(zstd(&plain(&expected)));
        assert_eq!(read_whole(&file), expected);
    }
}

#[test]
fn a_compressed_capture_that_is_cut_at_once_is_not_called_empty() {
    for file in [gzip(&plain(&packets(3))), zstd(&plain(&packets(3)))] {
        let (_, end) = read(&file[..6]);
        let Err(SourceError::NotACapture { looks_like, .. }) = end else { panic!("{end:?}") };
        assert!(looks_like.contains("compressed"), "{looks_like}");
    }
}

#[test]
fn the_patched_libpcap_of_old() {
    let expected = packets(3);
    let mut file = plain(&[])[4..].to_vec();
    file.splice(0..0, 0xa1b2_cd34u32.to_le_bytes());
    for seen in &expected {
        let one = plain(std::slice::from_ref(seen));
        file.extend(&one[24..40]);
        // An interface index, an EtherType, a packet type and padding.
        file.extend([2, 0, 0, 0, 8, 0, 0, 0]);
        file.extend(&one[40..]);
    }
    assert_eq!(read_whole(&file), expected);
}

#[test]
fn a_frame_check_sequence_in_the_link_type_is_no_other_link() {
    let mut file = plain(&packets(1));
    file[20..24].copy_from_slice(&0x4400_0001u32.to_le_bytes());
    assert_eq!(read_whole(&file)[0].link, LinkType::ETHERNET);
}

#[test]
fn pcapng_in_both_byte_orders() {
    let mut expected = packets(20);
    expected[7].nanos += 1;
    for order in ORDERS {
        assert_eq!(read_whole(&pcapng(&expected, order)), expected);
    }
}

#[test]
fn pcapng_with_interfaces_of_other_links_resolutions_and_offsets() {
    let mut writer = PcapngWriter::new(Vec::new(), ByteOrder::Big).unwrap();
    let mut expected = Vec::new();
    // Picoseconds since 1970 do not fit into 64 bits, so that interface has an offset.
    let resolutions = [0, 3, 6, 12, 9, 0x80, 0x80 | 10, 0x80 | 30];
    for (at, resolution) in (0u32..).zip(resolutions) {
        let link = LinkType(at);
        let offset_seconds = if at % 2 == 0 { 0 } else { 1_699_999_000 };
        let description = InterfaceDescription { link, snap_len: 65_535, resolution, offset_seconds };
        assert_eq!(writer.interface(description).unwrap(), at);
    }
    for (at, resolution) in (0u32..).zip(resolutions) {
        // Whole seconds are the same in every resolution; a nanosecond needs one that is fine enough.
        let nanos = 1_700_000_000_000_000_000 + if matches!(resolution, 9 | 12) { 123_456_789 } else { 0 };
        let seen = Seen { link: LinkType(at), ..sample(u64::from(at) + 1, nanos) };
        writer.packet(at, &seen.packet()).unwrap();
        expected.push(seen);
    }
    assert_eq!(read_whole(&writer.into_inner()), expected);
}

#[test]
fn fractions_of_seconds_by_powers_of_two() {
    let mut writer = PcapngWriter::new(Vec::new(), ByteOrder::Little).unwrap();
    let description =
        InterfaceDescription { resolution: 0x80 | 32, ..InterfaceDescription::new(LinkType::RAW) };
    writer.interface(description).unwrap();
    let expected = Seen { link: LinkType::RAW, ..sample(1, 1_700_000_000_123_456_789) };
    writer.packet(0, &expected.packet()).unwrap();
    assert_eq!(read_whole(&writer.into_inner()), [expected]);
}

#[test]
fn sections_change_byte_order_and_begin_interfaces_anew() {
    let mut writer = PcapngWriter::new(Vec::new(), ByteOrder::Little).unwrap();
    let (one, two) = (sample(1, START), Seen { link: LinkType::RAW, ..sample(2, START) });
    writer.interface(InterfaceDescription::new(LinkType::ETHERNET)).unwrap();
    writer.packet(0, &one.packet()).unwrap();
    writer.section(ByteOrder::Big).unwrap();
    writer.interface(InterfaceDescription::new(LinkType::RAW)).unwrap();
    writer.packet(0, &two.packet()).unwrap();
    assert_eq!(read_whole(&writer.into_inner()), [one.clone(), two]);
    let first = pcapng(std::slice::from_ref(&one), ByteOrder::Little);
    let stray = &first[first.len() - (32 + one.data.len().next_multiple_of(4))..];
    let empty_section = &pcapng(&[], ByteOrder::Little)[..28];
    let (seen, end) = read(&[&first, empty_section, stray].concat());
    assert_eq!(seen.len(), 1);
    assert!(matches!(end, Err(SourceError::Damaged { packets: 1, blocks: 1, .. })), "{end:?}");
}

#[test]
fn blocks_that_carry_no_packet_are_passed_over() {
    let mut writer = PcapngWriter::new(Vec::new(), ByteOrder::Little).unwrap();
    let expected = packets(2);
    writer.block(0x0000_000a, &[b"CLIENT_RANDOM secrets"]).unwrap();
    writer.interface(InterfaceDescription::new(LinkType::ETHERNET)).unwrap();
    writer.packet(0, &expected[0].packet()).unwrap();
    // Larger than any buffer, and of a type that nobody has assigned.
    writer.block(0x4000_0001, &[&vec![7; 6 << 20]]).unwrap();
    writer.packet(0, &expected[1].packet()).unwrap();
    writer.block(5, &[&[0; 12]]).unwrap();
    assert_eq!(read_whole(&writer.into_inner()), expected);
}

#[test]
fn simple_packets_are_cut_at_the_snap_length_and_take_the_last_time() {
    let mut writer = PcapngWriter::new(Vec::new(), ByteOrder::Big).unwrap();
    let expected = sample(1, START);
    let description = InterfaceDescription { snap_len: 20, ..InterfaceDescription::new(LinkType::ETHERNET) };
    writer.interface(description).unwrap();
    writer.packet(0, &expected.packet()).unwrap();
    let whole = sample(2, 0);
    let short = Seen { data: whole.data[..20].to_vec(), ..whole };
    writer.simple_packet(&short.packet()).unwrap();
    assert_eq!(read_whole(&writer.into_inner()), [expected, Seen { nanos: START, ..short }]);
}

#[test]
fn packet_blocks_of_old() {
    for order in ORDERS {
        let mut writer = PcapngWriter::new(Vec::new(), order).unwrap();
        writer.interface(InterfaceDescription::new(LinkType::ETHERNET)).unwrap();
        let expected = sample(1, START);
        // An obsolete block differs in its first field: two bytes of interface and two of drops.
        let enhanced = pcapng(std::slice::from_ref(&expected), order);
        let block = enhanced.len() - (32 + expected.data.len().next_multiple_of(4));
        writer.block(2, &[&[0, 0, 0xff, 0xff], &enhanced[block + 12..enhanced.len() - 4]]).unwrap();
        assert_eq!(read_whole(&writer.into_inner()), [expected]);
    }
}

#[test]
fn gzip_of_one_and_of_several_members() {
    let expected = packets(50);
    let file = plain(&expected);
    assert_eq!(read_whole(&gzip(&file)), expected);
    let (head, tail) = file.split_at(333);
    assert_eq!(read_whole(&[gzip(head), gzip(tail)].concat()), expected);
    assert_eq!(read_whole(&gzip(&pcapng(&expected, ByteOrder::Big))), expected);
}

#[test]
fn zstd_of_one_and_of_several_frames() {
    let expected = packets(50);
    let file = plain(&expected);
    assert_eq!(read_whole(&zstd(&file)), expected);
    let (head, tail) = file.split_at(333);
    // A skippable frame, as parallel compressors put between others.
    let skippable = [&0x184d_2a50u32.to_le_bytes()[..], &3u32.to_le_bytes(), b"any"].concat();
    assert_eq!(read_whole(&[zstd(head), skippable, zstd(tail)].concat()), expected);
    assert_eq!(read_whole(&zstd(&pcapng(&expected, ByteOrder::Big))), expected);
}

#[test]
fn a_file_without_packets_is_a_capture() {
    assert_eq!(read_whole(&plain(&[])), []);
    assert_eq!(read_whole(&pcapng(&[], ByteOrder::Big)), []);
}

/// Gives one byte at a time, and is interrupted in between.
struct Trickle(Vec<u8>, usize, bool);

impl Read for Trickle {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.2 = !self.2;
        if self.2 {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let Some(byte) = self.0.get(self.1) else { return Ok(0) };
        buffer[0] = *byte;
        self.1 += 1;
        Ok(1)
    }
}

#[test]
fn a_slow_and_interrupted_stream_is_the_same_file() {
    let expected = packets(5);
    for file in [plain(&expected), pcapng(&expected, ByteOrder::Big), gzip(&plain(&expected))] {
        let (seen, end) = read_through(Box::new(Trickle(file, 0, false)));
        end.unwrap();
        assert_eq!(seen, expected);
    }
}

#[test]
fn many_packets_cross_the_edges_of_the_buffer() {
    let expected: Vec<Seen> = (1..=300)
        .map(|frame| Seen {
            data: vec![7; 4099 * (1 + usize::try_from(frame % 5).unwrap())],
            ..sample(frame, START)
        })
        .map(|seen| Seen { wire_len: u32::try_from(seen.data.len()).unwrap(), ..seen })
        .collect();
    assert_eq!(read_whole(&plain(&expected)), expected);
    assert_eq!(read_whole(&pcapng(&expected, ByteOrder::Little)), expected);
}

#[test]
fn one_packet_larger_than_the_buffer() {
    let data = vec![9; 3 << 20];
    let expected = [Seen { wire_len: u32::try_from(data.len()).unwrap(), data, ..sample(1, START) }];
    assert_eq!(read_whole(&plain(&expected)), expected);
}
