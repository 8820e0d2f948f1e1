//! One gzip member that says how long it is.
//!
//! RFC 1952 section 2.3.1.1 leaves room in the header for fields of one's own. Ours, `TW`, holds the member's
//! length, so that a file is walked and repaired without decompressing it, and stays plain for `zcat`.

use std::io::{self, Read, Write};

use flate2::read::GzDecoder;
use flate2::{Compression, GzBuilder};

/// Header with our field: where the length stands, and where it ends.
const LENGTH_AT: usize = 16;
pub(crate) const HEADER: usize = 20;
/// CRC32 and ISIZE, RFC 1952 section 2.3.1.
const TRAILER: usize = 8;
/// ID1, ID2, CM = deflate, FLG = FEXTRA.
const START: [u8; 4] = [0x1f, 0x8b, 8, 4];
/// XLEN, our field's name and its length.
const FIELD: [u8; 6] = [8, 0, b'T', b'W', 4, 0];
/// No member is written that decodes to more: a longer one is damaged.
const DECODED_MAX: u64 = 256 << 20;

/// Compresses `lines` into one member.
pub(crate) fn encode(lines: &[u8]) -> io::Result<Vec<u8>> {
    let field = [b'T', b'W', 4, 0, 0, 0, 0, 0];
    let mut encoder = GzBuilder::new().extra(field).write(Vec::new(), Compression::fast());
    encoder.write_all(lines)?;
    let mut member = encoder.finish()?;
    let length = u32::try_from(member.len()).map_err(|_| io::ErrorKind::FileTooLarge)?;
    if let Some(place) = member.get_mut(LENGTH_AT..HEADER) {
        place.copy_from_slice(&length.to_le_bytes());
    }
    Ok(member)
}

/// The length of the member that begins with `header`, if one does.
pub(crate) fn length(header: &[u8]) -> Option<usize> {
    let ours = header.starts_with(&START) && header.get(10..LENGTH_AT) == Some(&FIELD);
    let field = header.get(LENGTH_AT..HEADER)?.first_chunk::<4>().filter(|_| ours)?;
    usize::try_from(u32::from_le_bytes(*field)).ok().filter(|l| *l >= HEADER + TRAILER)
}

/// What the member holds; `None` when its checksum or its length does not match.
pub(crate) fn decode(member: &[u8]) -> Option<Vec<u8>> {
    let mut lines = Vec::new();
    let mut decoder = bounded(member);
    decoder.read_to_end(&mut lines).ok()?;
    // At the limit the checksum has not been reached.
    (lines.len() as u64 <= DECODED_MAX).then_some(lines)
}

#[expect(clippy::disallowed_methods, reason = "our own files, and capped right here")]
fn bounded(member: &[u8]) -> impl Read {
    GzDecoder::new(member).take(DECODED_MAX + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_knows_its_length_and_content() {
        for lines in [b"".as_slice(), b"{}\n", &b"{\"a\":1}\n".repeat(10_000)] {
            let member = encode(lines).unwrap();
            assert_eq!(length(&member), Some(member.len()));
            assert_eq!(decode(&member).as_deref(), Some(lines));
        }
    }

    #[test]
    fn a_changed_member_never_gives_other_lines() {
        let lines = b"{\"some\":\"event\"}\n".as_slice();
        let member = encode(lines).unwrap();
        let mut unnoticed = 0;
        for at in HEADER..member.len() {
            let mut changed = member.clone();
            changed[at] ^= 0x80;
            let decoded = decode(&changed);
            unnoticed += usize::from(decoded.is_some());
            assert!(decoded.is_none_or(|d| d == lines), "byte {at}");
        }
        assert!(unnoticed <= 1, "only the bits that fill the last byte of the data mean nothing");
        assert_eq!(length(&member[..HEADER - 1]), None);
        assert_eq!(length(b"\x1f\x8b\x08\x00 another gzip file"), None);
    }
}
