//! Reads record batches, format 2 (KIP-98): what a broker says is believed no more than what strangers say.

use flate2::read::MultiGzDecoder;
use std::io::Read;
use tapwire_store::Crc32c;

const GZIP: i16 = 1;
/// Which compression: the lowest three bits.
const CODEC: i16 = 7;
/// Records for clients, which hold no events.
const CONTROL: i16 = 0x20;
/// Bytes that a batch may take, unpacked and with what its records take beside their values.
pub(super) const MOST: usize = 32 << 20;
/// What a record takes beside its value.
const RECORD: usize = 64;
/// What stands before the length of a batch, and with it.
const HEAD: usize = 12;

const LARGE: &str = "a batch of more than 32 MiB";

/// Records with their offsets.
pub(super) type Records = Vec<(i64, Vec<u8>)>;

/// The records from that offset on, and where to go on, as long as there is room for a batch; what they take goes from it. A batch
/// that the answer cuts off at its end is for the next one.
pub(super) fn records(mut bytes: &[u8], from: i64, room: &mut usize) -> Result<(Records, i64), &'static str> {
    let (mut all, mut next) = (Vec::new(), from);
    while *room >= MOST
        && let Some((first, length)) = head(bytes)
    {
        let Some((batch, rest)) = bytes.get(HEAD..).and_then(|rest| rest.split_at_checked(length)) else {
            break;
        };
        bytes = rest;
        let before = all.len();
        next = next.max(one(first, batch, from, &mut all)?);
        let taken = all.iter().skip(before).map(|(_, value): &(i64, Vec<u8>)| value.len() + RECORD);
        *room = room.saturating_sub(taken.sum());
    }
    Ok((all, next))
}

fn head(bytes: &[u8]) -> Option<(i64, usize)> {
    let (first, rest) = bytes.split_first_chunk::<8>()?;
    let length = i32::from_be_bytes(*rest.first_chunk()?);
    Some((i64::from_be_bytes(*first), usize::try_from(length).ok()?))
}

/// Takes the records of a batch; gives the offset behind its last.
fn one(first: i64, batch: &[u8], from: i64, all: &mut Records) -> Result<i64, &'static str> {
    const TORN: &str = "a torn batch";
    let mut rest = Rest(batch);
    let (_epoch, format) = (rest.number::<4>().ok_or(TORN)?, rest.number::<1>().ok_or(TORN)?);
    if format != 2 {
        return Err("records of an old format");
    }
    let told = rest.number::<4>().ok_or(TORN)?;
    let mut sum = Crc32c::NEW;
    sum.add(rest.0);
    if u64::from(sum.sum()) != told {
        return Err("a batch with a wrong sum");
    }
    let attributes = rest.short().ok_or(TORN)?;
    let last = rest.signed::<4>().ok_or(TORN)?;
    // First and last time, producer with epoch and sequence.
    rest.skip(8 + 8 + 8 + 2 + 4).ok_or(TORN)?;
    let count = rest.signed::<4>().ok_or(TORN)?;
    let next = first.checked_add(last).and_then(|last| last.checked_add(1)).ok_or(TORN)?;
    if attributes & CONTROL != 0 {
        return Ok(next);
    }
    let unpacked;
    let mut rest = match attributes & CODEC {
        0 => rest,
        GZIP => {
            unpacked = unpack(rest.0)?;
            Rest(&unpacked)
        }
        _ => return Err("a compression other than gzip"),
    };
    let mut left = MOST;
    for _ in 0..count {
        let (delta, value) = rest.record().ok_or(TORN)?;
        let offset = first.checked_add(delta).ok_or(TORN)?;
        left = left.checked_sub(value.len() + RECORD).ok_or(LARGE)?;
        if offset >= from {
            all.push((offset, value.to_vec()));
        }
    }
    Ok(next)
}

fn unpack(bytes: &[u8]) -> Result<Vec<u8>, &'static str> {
    let mut out = Vec::new();
    let read = MultiGzDecoder::new(bytes).take(MOST as u64 + 1).read_to_end(&mut out);
    match read {
        Ok(_) if out.len() > MOST => Err(LARGE),
        Ok(_) => Ok(out),
        Err(_) => Err("a torn gzip"),
    }
}

struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn skip(&mut self, count: usize) -> Option<()> {
        self.take(count).map(|_| ())
    }

    /// Of so many bytes, at most eight.
    fn number<const N: usize>(&mut self) -> Option<u64> {
        Some(self.take(N)?.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    fn short(&mut self) -> Option<i16> {
        Some(i16::from_be_bytes(*self.take(2)?.first_chunk()?))
    }

    fn signed<const N: usize>(&mut self) -> Option<i64> {
        let unused = 64_u32.checked_sub(u32::try_from(8 * N).ok()?)?;
        Some((self.number::<N>()? << unused).cast_signed() >> unused)
    }

    /// Zigzag and base 128, as protobuf has it.
    fn varint(&mut self) -> Option<i64> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = *self.take(1)?.first()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some((number >> 1).cast_signed() ^ -(number & 1).cast_signed());
            }
        }
        None
    }

    /// Bytes behind their length; -1 is none.
    fn counted(&mut self) -> Option<&'a [u8]> {
        match self.varint()? {
            -1 => Some(&[]),
            length => self.take(usize::try_from(length).ok()?),
        }
    }

    /// The offset of a record behind that of its batch, and its value.
    fn record(&mut self) -> Option<(i64, &'a [u8])> {
        let length = self.varint()?;
        let mut record = Rest(self.take(usize::try_from(length).ok()?)?);
        record.skip(1)?;
        let (_time, delta) = (record.varint()?, record.varint()?);
        let (_key, value) = (record.counted()?, record.counted()?);
        Some((delta, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::record::batch;

    /// As a broker has it: with its offset.
    fn at(offset: i64, lines: &[&[u8]], gzip: bool) -> Vec<u8> {
        let mut bytes = batch(lines, gzip);
        bytes[..8].copy_from_slice(&offset.to_be_bytes());
        bytes
    }

    #[test]
    fn what_is_written_is_read() {
        let lines: [&[u8]; 3] = [b"{\"time\":7}", b"{\"time\":8}", b"{}"];
        let bytes = [at(10, &lines, false), at(13, &lines[..1], true)].concat();
        let (all, next) = records(&bytes, 11, &mut { 2 * MOST }).unwrap();
        let expected: Vec<(i64, Vec<u8>)> =
            [(11, lines[1]), (12, lines[2]), (13, lines[0])].map(|(at, line)| (at, line.to_vec())).into();
        assert_eq!((all, next), (expected, 14));
        // A batch that is cut off is not there yet.
        for cut in 0..bytes.len() {
            let (all, next) = records(&bytes[..cut], 11, &mut { 2 * MOST }).unwrap();
            assert!(all.len() <= 2 && (next == 11 || next == 13), "{cut}");
        }
        assert_eq!(records(&[], 5, &mut { 2 * MOST }).unwrap(), (Vec::new(), 5));
        // Without room for one, none is unpacked; where it ends behind one, the next is for later.
        assert_eq!(records(&bytes, 11, &mut { MOST - 1 }).unwrap(), (Vec::new(), 11));
        let (all, next) = records(&bytes, 11, &mut { MOST }).unwrap();
        assert_eq!((all.len(), next), (2, 13));
    }

    #[test]
    fn a_bomb_is_not_unpacked() {
        let long = vec![b' '; MOST];
        assert_eq!(records(&at(0, &[&long], true), 0, &mut { MOST }), Err(LARGE));
        let many: Vec<&[u8]> = vec![b""; MOST / RECORD + 1];
        assert_eq!(records(&at(0, &many, true), 0, &mut { MOST }), Err(LARGE));
    }

    #[test]
    fn what_is_changed_on_the_way_is_not_read() {
        let bytes = at(0, &[b"{\"time\":7}"], true);
        for place in 16..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[place] ^= 1;
            assert!(records(&bytes, 0, &mut { MOST }).is_err(), "{place}");
        }
    }
}
