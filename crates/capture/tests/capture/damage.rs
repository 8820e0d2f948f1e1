//! Cut and damaged files: what is whole before the damage is delivered, and the error says where it is.

use std::io::Write;

use proptest::prelude::*;
use tapwire_capture::{ByteOrder, Resolution, SourceError};

use crate::samples::{Seen, gzip, packets, pcap, pcapng, plain, read, zstd};

/// Where each packet of a file ends.
fn ends(file: &[u8], sizes: &[usize]) -> Vec<usize> {
    let mut end = file.len() - sizes.iter().sum::<usize>();
    sizes
        .iter()
        .map(|size| {
            end += size;
            end
        })
        .collect()
}

#[test]
fn cut_at_every_byte_all_whole_packets_before_are_delivered() {
    let expected = packets(6);
    let small: Vec<usize> = expected.iter().map(|seen| 16 + seen.data.len()).collect();
    let blocks: Vec<usize> = expected.iter().map(|seen| 32 + seen.data.len().next_multiple_of(4)).collect();
    for (file, sizes, clean_from) in
        [(plain(&expected), small, 24), (pcapng(&expected, ByteOrder::Big), blocks, 28)]
    {
        let ends = ends(&file, &sizes);
        for length in 4..file.len() {
            let whole = ends.iter().filter(|end| **end <= length).count();
            let (seen, end) = read(&file[..length]);
            assert_eq!(seen, expected[..whole], "cut at {length}");
            let begin = ends[..whole].last().copied().unwrap_or(0);
            let between = length == begin || (whole == 0 && length >= clean_from && end.is_ok());
            match end {
                Ok(()) => assert!(between, "cut at {length}"),
                Err(SourceError::Truncated { frame, packets, offset, .. }) => {
                    assert_eq!((frame, packets), (whole as u64 + 1, whole as u64));
                    assert!(
                        offset <= length as u64 && (whole == 0 || offset == begin as u64),
                        "{offset} at {length}"
                    );
                }
                Err(other) => panic!("cut at {length}: {other}"),
            }
        }
    }
}

#[test]
fn gzip_cut_at_every_byte_gives_a_prefix_and_says_so() {
    let expected = packets(40);
    let file = gzip(&plain(&expected));
    let mut most = 0;
    for length in 18..file.len() {
        let (seen, end) = read(&file[..length]);
        assert_eq!(seen, expected[..seen.len()]);
        assert!(end.is_err(), "cut at {length}");
        most = most.max(seen.len());
    }
    assert_eq!(most, 40);
}

#[test]
fn zstd_cut_at_every_byte_gives_a_prefix_and_says_so() {
    let expected = packets(40);
    let file =
        [zstd(&plain(&expected[..20])), zstd(&plain(&expected)[plain(&expected[..20]).len()..])].concat();
    let mut most = 0;
    for length in 18..file.len() {
        let (seen, end) = read(&file[..length]);
        assert_eq!(seen, expected[..seen.len()]);
        let between_frames = seen.len() == 20 && end.is_ok();
        assert!(end.is_err() || between_frames, "cut at {length}");
        most = most.max(seen.len());
    }
    // The last block of a frame comes out whole or not at all.
    assert!(most >= 20, "{most}");
}

#[test]
fn damaged_zstd_is_told_as_damage() {
    let mut file = [zstd(&plain(&packets(200))), zstd(&plain(&packets(5))[24..])].concat();
    let at = file.len() - 60;
    file[at..].fill(0xff);
    let (seen, end) = read(&file);
    assert_eq!(seen.len(), 200);
    assert!(matches!(end, Err(SourceError::Corrupt { packets: 200, .. })), "{end:?}");
}

#[test]
fn damaged_gzip_is_told_as_damage() {
    let mut file = gzip(&plain(&packets(200)));
    let at = file.len() - 6;
    file[at] ^= 0xff;
    let (seen, end) = read(&file);
    assert_eq!(seen.len(), 200);
    assert!(matches!(end, Err(SourceError::Corrupt { packets: 200, .. })), "{end:?}");
}

#[test]
fn everything_before_the_damage_of_a_gzip_file_is_delivered() {
    let expected = packets(1_000);
    let whole = plain(&expected);
    let (first, rest) = whole.split_at(whole.len() / 2);
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(first).unwrap();
    // Ends a block, so that the next one begins with a whole byte.
    encoder.flush().unwrap();
    let at = encoder.get_ref().len();
    encoder.write_all(rest).unwrap();
    let mut file = encoder.finish().unwrap();
    // The block type that does not exist (RFC 1951, 3.2.3).
    file[at] = 0b111;
    let (seen, end) = read(&file);
    let before = expected.iter().scan(24, |end, seen| {
        *end += 16 + seen.data.len();
        (*end <= first.len()).then_some(())
    });
    assert_eq!(seen.len(), before.count());
    assert!(matches!(end, Err(SourceError::Corrupt { .. })), "{end:?}");
}

#[test]
fn zeros_behind_gzip_are_padding_and_anything_else_is_damage() {
    let expected = packets(20);
    let whole = plain(&expected);
    let (first, rest) = whole.split_at(300);
    for padding in [0, 1, 512, 200_000] {
        let zeros = vec![0; padding];
        for file in
            [[&gzip(&whole), &zeros[..]].concat(), [&gzip(first), &zeros[..], &gzip(rest), &zeros].concat()]
        {
            let (seen, end) = read(&file);
            assert_eq!((seen, end.is_ok()), (expected.clone(), true), "{padding} zeros");
        }
    }
    let (seen, end) = read(&[gzip(&whole), vec![0; 100], b"and then something else".to_vec()].concat());
    assert_eq!(seen, expected);
    assert!(matches!(end, Err(SourceError::Corrupt { packets: 20, .. })), "{end:?}");
}

#[test]
fn rfc1952_2_3_every_part_of_a_header_is_passed() {
    let expected = packets(10);
    let header = flate2::GzBuilder::new().extra([7; 300]).filename("day.pcap").comment("from the tap");
    let mut encoder = header.write(Vec::new(), flate2::Compression::fast());
    encoder.write_all(&plain(&expected)).unwrap();
    let file = encoder.finish().unwrap();
    let (seen, end) = read(&file);
    assert_eq!((seen, end.is_ok()), (expected, true));
    let mut reserved = file;
    reserved[3] |= 0x80;
    assert!(read(&reserved).1.is_err());
}

#[test]
fn absurd_lengths_are_damage_at_their_offset() {
    let mut file = plain(&packets(3));
    let third = file.len() - (16 + packets(3)[2].data.len());
    file[third + 8..third + 12].copy_from_slice(&u32::MAX.to_le_bytes());
    let (seen, end) = read(&file);
    assert_eq!(seen.len(), 2);
    let Err(SourceError::Corrupt { frame: 3, offset, packets: 2, .. }) = end else { panic!("{end:?}") };
    assert_eq!(offset, third as u64);
}

/// Where each packet's block of such a file begins, and where the last one ends.
fn blocks(file: &[u8], packets: &[Seen]) -> Vec<usize> {
    let sizes: Vec<usize> = packets.iter().map(|seen| 32 + seen.data.len().next_multiple_of(4)).collect();
    let begin = file.len() - sizes.iter().sum::<usize>();
    std::iter::once(begin).chain(ends(file, &sizes)).collect()
}

#[test]
fn a_block_that_lies_about_its_length_ends_the_file() {
    let (three, order) = (packets(3), ByteOrder::Little);
    let good = pcapng(&three, order);
    let blocks = blocks(&good, &three);
    let (second, third) = (blocks[1], blocks[2]);
    let longer = u32::try_from(third - second + 4).unwrap();
    for (at, value) in [(second + 4, 8), (second + 4, 33), (second + 4, longer), (second + 4, 6 << 20)] {
        let mut file = good.clone();
        file[at..at + 4].copy_from_slice(&u32::to_le_bytes(value));
        let (seen, end) = read(&file);
        assert_eq!(seen, three[..1], "{value} at {at}");
        assert!(matches!(end, Err(SourceError::Corrupt { frame: 2, .. })), "{value} at {at}: {end:?}");
    }
}

#[test]
fn a_damaged_block_is_passed_over_where_its_length_leads_to_the_next() {
    let three = packets(3);
    let good = pcapng(&three, ByteOrder::Little);
    let blocks = blocks(&good, &three);
    for damaged in 0..3 {
        let (begin, next) = (blocks[damaged], blocks[damaged + 1]);
        // Its second length, the captured length, the interface.
        for (at, value) in [(next - 4, 4), (begin + 20, 4096), (begin + 8, 1)] {
            let mut file = good.clone();
            file[at..at + 4].copy_from_slice(&u32::to_le_bytes(value));
            let (seen, end) = read(&file);
            let kept: Vec<&Vec<u8>> =
                three.iter().enumerate().filter(|(i, _)| *i != damaged).map(|(_, seen)| &seen.data).collect();
            assert_eq!(seen.iter().map(|seen| &seen.data).collect::<Vec<_>>(), kept, "{value} at {at}");
            let Err(SourceError::Damaged { offset, frame, packets: 2, blocks: 1, bytes, end: None, .. }) =
                end
            else {
                panic!("{value} at {at}: {end:?}")
            };
            let (offset, bytes) = (usize::try_from(offset).unwrap(), usize::try_from(bytes).unwrap());
            assert_eq!((offset, bytes, frame), (begin, next - begin, damaged as u64 + 1));
        }
    }
}

#[test]
fn behind_a_damaged_block_no_length_is_believed_that_no_block_has() {
    let three = packets(3);
    let good = pcapng(&three, ByteOrder::Little);
    let blocks = blocks(&good, &three);
    for length in [0u32, 1, 3, 4, 11, u32::MAX - 3] {
        let mut file = good.clone();
        file[blocks[1] - 4..blocks[1]].copy_from_slice(&[0; 4]);
        file[blocks[1] + 4..blocks[1] + 8].copy_from_slice(&length.to_le_bytes());
        let (seen, end) = read(&file);
        assert!(seen.is_empty() && end.is_err(), "{length}: {end:?}");
    }
}

#[test]
fn what_ends_a_damaged_file_is_told_with_its_damage() {
    let three = packets(3);
    let mut file = pcapng(&three, ByteOrder::Big);
    let blocks = blocks(&file, &three);
    file[blocks[1] - 1] ^= 0x40;
    file.truncate(blocks[3] - 8);
    let (seen, end) = read(&file);
    assert_eq!(seen.len(), 1);
    let said = end.unwrap_err().to_string();
    let expected = format!(
        "x.pcap: a damaged block of {} bytes was passed over, the first at byte {}, at packet 1: a block whose two \
         lengths differ; packets read: 1, and nothing from byte {} on: the file is cut there",
        blocks[1] - blocks[0],
        blocks[0],
        blocks[2],
    );
    assert_eq!(said, expected);
}

#[test]
fn an_interface_that_cannot_be_read_ends_the_file() {
    // Without it, the numbers of later interfaces would mean others.
    let mut file = pcapng(&packets(3), ByteOrder::Little);
    let section = 28;
    let length =
        usize::try_from(u32::from_le_bytes(file[section + 4..section + 8].try_into().unwrap())).unwrap();
    file[section + length - 4] ^= 4;
    let (seen, end) = read(&file);
    assert_eq!(seen.len(), 0);
    assert!(matches!(end, Err(SourceError::Corrupt { frame: 1, .. })), "{end:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_behind_any_magic_end_in_a_verdict(
        magic in prop::sample::select(vec![[0x0au8, 0x0d, 0x0d, 0x0a], [0xd4, 0xc3, 0xb2, 0xa1], [0xa1, 0xb2, 0x3c, 0x4d]]),
        rest in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let (seen, _) = read(&[&magic[..], &rest].concat());
        prop_assert!(seen.iter().map(|seen| seen.data.len()).sum::<usize>() <= rest.len());
    }

    #[test]
    fn damaged_bytes_end_in_a_verdict(
        at in any::<prop::sample::Index>(),
        value in any::<u8>(),
        format in 0..3,
    ) {
        let packets = packets(5);
        let mut file = match format {
            0 => pcap(&packets, ByteOrder::Big, Resolution::Nanoseconds),
            1 => pcapng(&packets, ByteOrder::Little),
            _ => gzip(&plain(&packets)),
        };
        let at = at.index(file.len());
        file[at] = value;
        let (seen, end) = read(&file);
        prop_assert!(seen.len() >= 5 || end.is_err() || format < 2);
    }
}
