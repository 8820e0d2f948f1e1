//! A piece of a day's file that says how long it is, so that the file is walked and repaired without decompressing it.
//!
//! What is written is a zstd frame behind a skippable one (RFC 8878, section 3.1.2) that holds our mark and the length of
//! both, and one that says which [uids](crate::uids) are in it: `zstdcat` reads such a file as it is. Former versions wrote gzip members with the length in a header field of
//! our own (RFC 1952, section 2.3.1.1); they are read, and a day that began with them goes on with them.

use std::io::{self, Read, Write};

use flate2::read::GzDecoder;
use flate2::{Compression, GzBuilder};
use zstd::bulk::Compressor;
use zstd::zstd_safe::{CParameter, find_frame_compressed_size};

use crate::uids;

/// Bytes at the beginning of a member that tell its length, in either kind.
pub(crate) const HEADER: usize = 20;
/// Where the length stands: the last four bytes of the header.
const LENGTH_AT: usize = 16;
/// CRC32 and ISIZE, RFC 1952 section 2.3.1; a zstd frame is not shorter either.
const TRAILER: usize = 8;
/// Magic number of a skippable frame, its length, and our mark.
const ZSTD: [u8; LENGTH_AT] = *b"\x50\x2a\x4d\x18\x0c\0\0\0tapwire\0";
/// ID1, ID2, CM = deflate, FLG = FEXTRA.
const GZIP: [u8; 4] = [0x1f, 0x8b, 8, 4];
/// XLEN, our field's name and its length.
const FIELD: [u8; 6] = [8, 0, b'T', b'W', 4, 0];
/// No member is written that decodes to more: a longer one is damaged.
const DECODED_MAX: u64 = 256 << 20;
/// Measured on events of 2 KB: half of the time that the fastest deflate takes, and half of the bytes.
const LEVEL: i32 = 1;

/// Compresses lines into members of one kind.
pub(crate) enum Encoder {
    /// For days that began so.
    Gzip,
    /// The usual.
    Zstd(Box<Compressor<'static>>),
}

impl std::fmt::Debug for Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if matches!(self, Self::Gzip) { "Gzip" } else { "Zstd" })
    }
}

impl Encoder {
    pub(crate) fn zstd() -> io::Result<Self> {
        let mut compressor = Compressor::new(LEVEL)?;
        compressor.set_parameter(CParameter::ChecksumFlag(true))?;
        Ok(Self::Zstd(Box::new(compressor)))
    }

    /// Appends `lines`, as one member, to `out`.
    pub(crate) fn encode(&mut self, lines: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        let begin = out.len();
        match self {
            Self::Gzip => gzip(lines, out)?,
            Self::Zstd(compressor) => {
                out.extend_from_slice(&ZSTD);
                out.extend_from_slice(&[0; HEADER - LENGTH_AT]);
                uids::put(lines, out);
                out.extend_from_slice(&compressor.compress(lines)?);
            }
        }
        let length = u32::try_from(out.len() - begin).map_err(|_| io::ErrorKind::FileTooLarge)?;
        if let Some(place) = out.get_mut(begin + LENGTH_AT..begin + HEADER) {
            place.copy_from_slice(&length.to_le_bytes());
        }
        Ok(())
    }
}

fn gzip(lines: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
    let field = [b'T', b'W', 4, 0, 0, 0, 0, 0];
    let mut encoder = GzBuilder::new().extra(field).write(out, Compression::fast());
    encoder.write_all(lines)?;
    encoder.finish().map(|_| ())
}

/// The length of the member that begins with `header`, if one does.
pub(crate) fn length(header: &[u8]) -> Option<usize> {
    let gzip = header.starts_with(&GZIP) && header.get(10..LENGTH_AT) == Some(&FIELD);
    let ours = gzip || header.starts_with(&ZSTD);
    let field = header.get(LENGTH_AT..HEADER)?.first_chunk::<4>().filter(|_| ours)?;
    usize::try_from(u32::from_le_bytes(*field)).ok().filter(|l| *l >= HEADER + TRAILER)
}

/// What the member holds; `None` when its checksum or its length does not match.
pub(crate) fn decode(member: &[u8]) -> Option<Vec<u8>> {
    let mut lines = Vec::new();
    let mut decoder = bounded(member)?.ok()?;
    decoder.read_to_end(&mut lines).ok()?;
    // At the limit the checksum has not been reached.
    (lines.len() as u64 <= DECODED_MAX).then_some(lines)
}

#[expect(clippy::disallowed_methods, reason = "our own files, and capped right here")]
fn bounded(member: &[u8]) -> Option<io::Result<Box<dyn Read + '_>>> {
    if member.starts_with(&GZIP) {
        return Some(Ok(Box::new(GzDecoder::new(member).take(DECODED_MAX + 1))));
    }
    let behind = member.get(HEADER..)?;
    let keys = uids::length(behind).map_or(0, |keys| uids::HEADER + keys);
    let frame = behind.get(keys..)?;
    // A length that reaches into the next member would take that one's beginning away.
    if find_frame_compressed_size(frame) != Ok(frame.len()) {
        return None;
    }
    let decoder = zstd::stream::read::Decoder::with_buffer(frame);
    Some(decoder.map(|decoder| Box::new(decoder.take(DECODED_MAX + 1)) as Box<dyn Read>))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(mut encoder: Encoder, lines: &[u8]) -> Vec<u8> {
        let mut member = Vec::new();
        encoder.encode(lines, &mut member).unwrap();
        member
    }

    fn both(lines: &[u8]) -> [Vec<u8>; 2] {
        [encoded(Encoder::Gzip, lines), encoded(Encoder::zstd().unwrap(), lines)]
    }

    #[test]
    fn a_member_knows_its_length_and_content() {
        for lines in [b"".as_slice(), b"{}\n", &b"{\"a\":1}\n".repeat(10_000)] {
            for member in both(lines) {
                assert_eq!(length(&member), Some(member.len()));
                assert_eq!(decode(&member).as_deref(), Some(lines));
            }
        }
    }

    #[test]
    fn a_changed_member_never_gives_other_lines() {
        let lines = b"{\"some\":\"event\"}\n".as_slice();
        for member in both(lines) {
            let mut unnoticed = 0;
            let keys = member.get(HEADER..).and_then(uids::length).map_or(0, |keys| uids::HEADER + keys);
            for at in HEADER + keys..member.len() {
                let mut changed = member.clone();
                changed[at] ^= 0x80;
                let decoded = decode(&changed);
                unnoticed += usize::from(decoded.is_some());
                assert!(decoded.is_none_or(|d| d == lines), "byte {at}");
            }
            assert!(unnoticed <= 1, "only the bits that fill the last byte of the data mean nothing");
            assert_eq!(length(&member[..HEADER - 1]), None);
        }
        assert_eq!(length(b"\x1f\x8b\x08\x00 another gzip file"), None);
        assert_eq!(length(b"\x28\xb5\x2f\xfd another zstd file"), None);
    }
}
