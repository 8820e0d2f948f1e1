//! Which uids a member of a day's file can be asked for, so that one event among millions is found without decompressing all.
//!
//! In front of the member's lines stands a skippable frame (RFC 8878, section 3.1.2) with the first digits of every text in
//! them that begins as a uid does, sorted. It is a help only: a member that has none, or a damaged one, is read.

use std::collections::BTreeSet;

use crate::Crc32c;

/// Digits of a uid that are looked up: with 500 events in a member, one of 30,000 others is read for nothing.
pub(crate) const DIGITS: usize = 6;
/// A text that begins with fewer hexadecimal digits is no uid.
const LEAST: usize = 16;
/// Bytes of [`DIGITS`] digits.
const KEY: usize = DIGITS / 2;
const MAGIC: [u8; 4] = *b"\x51\x2a\x4d\x18";
/// Magic number, length, and the checksum of what follows.
pub(crate) const HEADER: usize = 12;
/// Of the checksum, which belongs to the frame's content.
pub(crate) const CHECKSUM: usize = 4;

/// The first digits of a uid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Beginning([u8; KEY]);

impl Beginning {
    /// Of a text that begins with [`DIGITS`] digits in lower case.
    pub(crate) fn of(text: &[u8]) -> Option<Self> {
        let mut key = [0; KEY];
        for (place, pair) in key.iter_mut().zip(text.get(..DIGITS)?.chunks_exact(2)) {
            let [high, low] = pair else { return None };
            *place = digit(*high)? << 4 | digit(*low)?;
        }
        Some(Self(key))
    }
}

/// Appends the frame of `lines`.
pub(crate) fn put(lines: &[u8], out: &mut Vec<u8>) {
    let found: BTreeSet<Beginning> = memchr::memchr_iter(b'"', lines)
        .filter_map(|quote| lines.get(quote + 1..quote + 1 + LEAST))
        .filter(|text| text.iter().all(|byte| digit(*byte).is_some()))
        .filter_map(Beginning::of)
        .collect();
    let Ok(length) = u32::try_from(found.len() * KEY + CHECKSUM) else { return };
    let keys: Vec<u8> = found.iter().flat_map(|beginning| beginning.0).collect();
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&checksum(&keys).to_le_bytes());
    out.extend_from_slice(&keys);
}

/// The bytes of keys behind a header, if one is there.
pub(crate) fn length(header: &[u8]) -> Option<usize> {
    let length = header.strip_prefix(&MAGIC)?.first_chunk::<4>()?;
    usize::try_from(u32::from_le_bytes(*length)).ok()?.checked_sub(CHECKSUM)
}

/// Whether what stands behind the header can name that uid: where it is damaged, it can.
pub(crate) fn may_name(header: &[u8], keys: &[u8], beginning: Beginning) -> bool {
    let told = header.get(HEADER - CHECKSUM..HEADER).and_then(|bytes| bytes.first_chunk::<4>());
    let is_whole = told.is_some_and(|told| u32::from_le_bytes(*told) == checksum(keys));
    let (keys, rest) = keys.as_chunks::<KEY>();
    !is_whole || !rest.is_empty() || keys.binary_search(&beginning.0).is_ok()
}

fn checksum(keys: &[u8]) -> u32 {
    let mut checksum = Crc32c::NEW;
    checksum.add(keys);
    checksum.sum()
}

const fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(lines: &str) -> Vec<u8> {
        let mut frame = Vec::new();
        put(lines.as_bytes(), &mut frame);
        frame
    }

    fn asks(frame: &[u8], uid: &str) -> bool {
        let (header, keys) = frame.split_at(HEADER);
        assert_eq!(length(header), Some(keys.len()));
        may_name(header, keys, Beginning::of(uid.as_bytes()).unwrap())
    }

    #[test]
    fn uids_are_found_wherever_a_text_begins_with_one_and_nothing_else_is() {
        let frame = framed(
            "{\"uid\":\"263e08938886a2dee994536dc7078f13\",\"exchanges\":[\"00000000000000aa\",\"fffffe0000000000\"]}\n\
             {\"text\":\"a 5b36c6533b8856b4\",\"short\":\"abcdef012345678\",\"upper\":\"ABCDEF0123456789\"}\n",
        );
        assert_eq!(frame.len(), HEADER + 3 * KEY);
        for named in ["263e08", "263e08938886a2dee994536dc7078f13", "000000", "fffffe"] {
            assert!(asks(&frame, named), "{named}");
        }
        for other in ["263e09", "5b36c6", "abcdef", "ffffff"] {
            assert!(!asks(&frame, other), "{other}");
        }
        assert!(!asks(&framed("{}\n"), "263e08"));
        assert_eq!(
            (Beginning::of(b"263e0"), Beginning::of(b"263E08"), Beginning::of(b"xyzxyz")),
            (None, None, None)
        );
    }

    #[test]
    fn damaged_keys_name_everything() {
        let frame = framed(
            "{\"uid\":\"263e08938886a2dee994536dc7078f13\",\"other\":\"5b36c6533b8856b45f8db4e0ef68bdcb\"}\n",
        );
        for at in 8..frame.len() {
            let mut damaged = frame.clone();
            damaged[at] ^= 1;
            assert!(asks(&damaged, "abcdef"), "byte {at}");
        }
    }
}
