//! Cut and damaged files: what is whole before the damage is delivered, and the error says where it is.

use proptest::prelude::*;
use tapwire_capture::{ByteOrder, Resolution, SourceError};

use crate::samples::{gzip, packets, pcap, pcapng, plain, read, zstd};

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
fn absurd_lengths_are_damage_at_their_offset() {
    let mut file = plain(&packets(3));
    let third = file.len() - (16 + packets(3)[2].data.len());
    file[third + 8..third + 12].copy_from_slice(&u32::MAX.to_le_bytes());
    let (seen, end) = read(&file);
    assert_eq!(seen.len(), 2);
    let Err(SourceError::Corrupt { frame: 3, offset, packets: 2, .. }) = end else { panic!("{end:?}") };
    assert_eq!(offset, third as u64);
}

#[test]
fn a_block_that_lies_about_its_length_is_damage() {
    let good = pcapng(&packets(2), ByteOrder::Little);
    let last = good.len() - 4;
    let second = good.len() - (32 + packets(2)[1].data.len().next_multiple_of(4));
    for (at, value) in [(last, 4), (second + 4, 8), (second + 4, 33), (second + 20, 4096), (second + 8, 1)] {
        let mut file = good.clone();
        file[at..at + 4].copy_from_slice(&u32::to_le_bytes(value));
        let (seen, end) = read(&file);
        assert_eq!(seen.len(), 1, "{value} at {at}");
        assert!(matches!(end, Err(SourceError::Corrupt { frame: 2, .. })), "{value} at {at}: {end:?}");
    }
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
