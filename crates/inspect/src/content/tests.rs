use super::*;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use flate2::{Compression, GzBuilder};
use proptest::prelude::*;
use std::io::Write;

const CAPS: Caps = Caps { bytes: 8 << 20, ratio: 100 };

fn decode(encoding: &str, pieces: &[&[u8]], caps: Caps) -> (Vec<u8>, Option<Anomaly>, bool) {
    let Codings::Known(codings) = Codings::parse(encoding.as_bytes()) else { panic!("{encoding}") };
    let mut decoder = Decoder::new(codings, &mut Vec::new());
    let mut out = Vec::new();
    pieces.iter().for_each(|piece| decoder.feed(piece, caps, &mut |bytes| out.extend_from_slice(bytes)));
    (out, decoder.failure(), decoder.ended())
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(plain).expect("memory");
    encoder.finish().expect("memory")
}

fn zlib(plain: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(plain).expect("memory");
    encoder.finish().expect("memory")
}

fn bare(plain: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(plain).expect("memory");
    encoder.finish().expect("memory")
}

#[track_caller]
fn decodes(encoding: &str, coded: &[u8], plain: &[u8]) {
    assert_eq!(decode(encoding, &[coded], CAPS), (plain.to_vec(), None, true), "{encoding}");
}

#[test]
fn each_coding_is_undone() {
    let plain = b"{\"a\":1}".repeat(50);
    decodes("", &plain, &plain);
    decodes("identity", &plain, &plain);
    decodes("gzip", &gzip(&plain), &plain);
    decodes("X-GZIP", &gzip(&plain), &plain);
    decodes("deflate", &zlib(&plain), &plain);
    decodes("deflate", &bare(&plain), &plain);
    decodes("deflate, gzip", &gzip(&zlib(&plain)), &plain);
    decodes("gzip", &gzip(b""), b"");
}

/// Coded by node's zlib: 50 times `{"a":1}`, numbers from 0 to 59 with commas, and 4 MiB of zeros.
const BROTLI: &str = "1b5d01f88dd462adb037d6223a617b2aa62f688b04464c28";
const BROTLI_NUMBERS: &str = "1ba900f88d942e67287283b1791c5246b09424c08500c946b154aed4d4d6d5171a002118c160717836415234c3e1f2f86a41946445a3d5e9dd8669d98ec7ebf3a783308a934c36e701";
const BROTLI_BOMB: &str = "9bffff3ff82700e2b14020f7fe07";

fn hex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).expect("ASCII"));
    digits.map(|pair| u8::from_str_radix(pair, 16).expect("hexadecimal")).collect()
}

fn zstd(plain: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(plain, 3).expect("memory")
}

#[test]
fn brotli_and_zstandard_are_undone() {
    let plain = b"{\"a\":1}".repeat(50);
    let numbers: String = (0..60).map(|n| format!("{n},")).collect();
    decodes("br", &hex(BROTLI), &plain);
    decodes("br", &hex(BROTLI_NUMBERS), numbers.as_bytes());
    decodes("br", &hex("3b"), b"");
    decodes("zstd", &zstd(&plain), &plain);
    decodes("zstd", &[zstd(b"one"), zstd(b"two")].concat(), b"onetwo");
    decodes("br, gzip", &gzip(&hex(BROTLI)), &plain);
    decodes("gzip, zstd", &zstd(&gzip(&plain)), &plain);
}

#[test]
fn brotli_and_zstandard_are_bounded() {
    let outcome = |encoding: &str, coded: &[u8]| decode(encoding, &[coded], CAPS).1;
    assert_eq!(outcome("br", &hex(BROTLI_BOMB)), Some(Anomaly::ContentCodingBomb));
    assert_eq!(outcome("zstd", &zstd(&vec![0; 4 << 20])), Some(Anomaly::ContentCodingBomb));
    assert_eq!(outcome("br", b"\xff\xff\xff\xff"), Some(Anomaly::InvalidContentCoding));
    assert_eq!(outcome("zstd", b"{\"a\":1}"), Some(Anomaly::InvalidContentCoding));
    // A frame that asks for a window of 1 GiB: RFC 8878, 3.1.1.1.2, exponent 20.
    assert_eq!(outcome("zstd", b"\x28\xb5\x2f\xfd\x00\xa0\x01\x00\x00"), Some(Anomaly::InvalidContentCoding));
    for (encoding, coded) in [("br", hex(BROTLI_NUMBERS)), ("zstd", zstd(b"plain text"))] {
        let (_, failure, ended) = decode(encoding, &[&coded[..coded.len() - 3]], CAPS);
        assert_eq!((failure, ended), (None, false), "{encoding}");
    }
}

#[test]
fn gzip_header_rfc1952_section_2_3() {
    let mut encoder = GzBuilder::new()
        .filename("name")
        .comment("comment")
        .extra(vec![1; 300])
        .write(Vec::new(), Compression::default());
    encoder.write_all(b"plain").expect("memory");
    decodes("gzip", &encoder.finish().expect("memory"), b"plain");
}

#[test]
fn gzip_members_follow_each_other_and_padding_is_ignored() {
    let mut two = [gzip(b"one"), gzip(b"two")].concat();
    decodes("gzip", &two, b"onetwo");
    two.extend([0; 20]);
    decodes("gzip", &two, b"onetwo");
}

#[test]
fn damage_is_named() {
    let invalid = |encoding: &str, coded: &[u8]| {
        decode(encoding, &[coded], CAPS).1 == Some(Anomaly::InvalidContentCoding)
    };
    let mut coded = gzip(&b"plain text ".repeat(20));
    let crc = coded.len() - 8;
    coded[crc] ^= 1;
    assert!(invalid("gzip", &coded), "wrong CRC");
    assert!(invalid("gzip", b"{\"a\":1}"), "not gzip at all");
    assert!(invalid("deflate", b"\x07\xff\xff\xff"), "reserved block type");
}

#[test]
fn cut_body_gives_what_came_and_has_not_ended() {
    let plain: Vec<u8> = (0..2000_u32).flat_map(|n| n.to_string().into_bytes()).collect();
    let coded = gzip(&plain);
    let (out, failure, ended) = decode("gzip", &[&coded[..coded.len() / 2]], CAPS);
    assert!(!out.is_empty() && plain.starts_with(&out));
    assert_eq!((failure, ended), (None, false));
}

#[test]
fn bombs_stop_at_the_caps() {
    let coded = gzip(&vec![0; 4 << 20]);
    let (out, failure, _) = decode("gzip", &[&coded], CAPS);
    assert_eq!(failure, Some(Anomaly::ContentCodingBomb));
    assert!(out.len() <= coded.len() * 100 + (64 << 10) + STEP, "{} bytes out of {}", out.len(), coded.len());
    let nested = gzip(&gzip(&vec![0; 4 << 20]));
    assert_eq!(decode("gzip, gzip", &[&nested], CAPS).1, Some(Anomaly::ContentCodingBomb));
    let noise: Vec<u8> = (0..100_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    let caps = Caps { bytes: 100_000, ratio: 100 };
    let (out, failure, _) = decode("gzip", &[&gzip(&noise)], caps);
    assert_eq!(failure, Some(Anomaly::ContentCodingBomb));
    assert!(out.len() <= 100_000 + STEP);
}

#[test]
fn short_regular_answers_are_no_bomb() {
    let plain = vec![b' '; 60_000];
    decodes("gzip", &gzip(&plain), &plain);
}

#[test]
fn codings_by_name() {
    assert_eq!(Codings::parse(b"compress"), Codings::Unknown);
    assert_eq!(Codings::parse(b"gzip, dcb"), Codings::Unknown);
    assert_eq!(Codings::parse(b"BR, zstd"), Codings::Known([Some(Coding::Brotli), Some(Coding::Zstandard)]));
    assert_eq!(Codings::parse(b"gzip,gzip, gzip"), Codings::TooMany);
    assert_eq!(Codings::parse(b" , identity"), Codings::Known([None, None]));
}

#[test]
fn inflater_serves_again_after_failure() {
    let mut spare = Vec::new();
    let plain = b"plain".repeat(10);
    for coded in [b"no gzip".to_vec(), gzip(&plain)] {
        let mut decoder = Decoder::new([Some(Coding::Gzip), None], &mut spare);
        let mut out = Vec::new();
        decoder.feed(&coded, CAPS, &mut |bytes| out.extend_from_slice(bytes));
        assert_eq!(decoder.failure().is_none(), out == plain);
        decoder.recycle(&mut spare, 8);
        assert_eq!(spare.len(), 1);
    }
}

proptest! {
    #[test]
    fn any_split_decodes_alike(
        plain in prop::collection::vec(prop::sample::select(b"abc{}".to_vec()), 0..5000),
        cuts in prop::collection::vec(any::<usize>(), 0..6),
        kind in 0..4,
    ) {
        let (encoding, coded) = match kind {
            0 => ("gzip", gzip(&plain)),
            1 => ("deflate", zlib(&plain)),
            2 => ("zstd", zstd(&plain)),
            _ => ("deflate", bare(&plain)),
        };
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut % (coded.len() + 1)).collect();
        cuts.extend([0, 1.min(coded.len()), coded.len()]);
        cuts.sort_unstable();
        let pieces: Vec<_> = cuts.windows(2).map(|pair| &coded[pair[0]..pair[1]]).collect();
        prop_assert_eq!(decode(encoding, &pieces, CAPS), (plain, None, true));
    }

    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..2000), flags in 0_u8..32) {
        let mut gzip = vec![0x1f, 0x8b, 8, flags];
        gzip.extend(&bytes);
        decode("gzip", &[&gzip], CAPS);
        decode("deflate, gzip", &[&gzip], CAPS);
        decode("deflate", &[&bytes], CAPS);
    }

    #[test]
    fn any_split_of_brotli_decodes_alike(cuts in prop::collection::vec(0_usize..70, 0..6)) {
        let coded = hex(BROTLI_NUMBERS);
        let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(coded.len())).collect();
        cuts.extend([0, coded.len()]);
        cuts.sort_unstable();
        let pieces: Vec<_> = cuts.windows(2).map(|pair| &coded[pair[0]..pair[1]]).collect();
        prop_assert_eq!(decode("br", &pieces, CAPS), decode("br", &[&coded], CAPS));
    }
}
