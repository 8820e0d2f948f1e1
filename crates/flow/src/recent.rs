//! The last payload segments of a direction, as evidence.
//!
//! How a host resolves overlapping segments with different bytes cannot be known from outside (PYROLYSE, 2025: 14 to 20
//! behaviours in 23 stacks), so conflicts are detected, not resolved.

use crate::hashing::Hashing;
use tapwire_wire::SeqNumber;

/// Segments remembered a direction.
const KEPT: usize = 32;

/// A copy within this time of the first, in microseconds, may come from a mirror of both directions.
const SPAN_WITHIN: u32 = 5_000;

/// A fast retransmission needs three duplicate acknowledgements (RFC 5681, 3.2), so three segments follow the first
/// copy before the second is sent. A mirror's second copy comes sooner.
const SPAN_BEFORE_NEWER: usize = 3;

/// The header fields in which a mirror's second copy equals the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) ack: Option<SeqNumber>,
    pub(crate) flags: u8,
    /// The table's time in nanoseconds.
    pub(crate) now: i64,
}

impl Stamp {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it wraps, as what is compared does"
    )]
    const fn micros(self) -> u32 {
        (self.now / 1_000) as u32
    }
}

/// 28 bytes: a busy connection keeps 64 of them.
#[derive(Debug, Clone, Copy)]
struct Entry {
    /// In two halves, so that no byte is lost to alignment.
    hash: [u32; 2],
    /// Microseconds of the table's time, wrapping.
    now: u32,
    seq: SeqNumber,
    len: u32,
    /// Zero without the ACK bit, which is among the flags.
    ack: SeqNumber,
    flags: u8,
    /// A conflict about this range was reported.
    disputed: bool,
}

/// What was found out about bytes that came before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// The first remembered range with other bytes, as distance from the first of the bytes asked about.
    pub(crate) conflict: Option<u32>,
    /// The bytes are a mirror's second copy.
    pub(crate) mirrored: bool,
    /// How many of the bytes asked about were compared, among those up to the limit given.
    pub(crate) compared: u64,
}

/// A ring of (sequence, length, hash) that grows on demand. Ranges in it never overlap: only bytes that were new when
/// they came are remembered.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    ring: Vec<Entry>,
    /// Where the oldest entry is once the ring is full.
    oldest: usize,
}

impl Recent {
    /// Remembers a range of new bytes.
    pub(crate) fn push(&mut self, seq: SeqNumber, bytes: &[u8], stamp: Stamp, hashing: &Hashing) {
        let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let (hash, now) = (hashing.payload(bytes), stamp.micros());
        let (ack, flags) = (stamp.ack.unwrap_or_default(), stamp.flags);
        let entry = Entry { hash, now, seq, len, ack, flags, disputed: false };
        if self.ring.len() == KEPT {
            if let Some(oldest) = self.ring.get_mut(self.oldest) {
                *oldest = entry;
            }
            self.oldest = (self.oldest + 1) % KEPT;
            return;
        }
        if self.ring.len() == self.ring.capacity() {
            self.ring.reserve_exact(self.ring.len().clamp(2, KEPT - self.ring.len()));
        }
        self.ring.push(entry);
    }

    /// Compares bytes that came before, as far as they cover remembered ranges whole. The first `old` of them were
    /// delivered.
    pub(crate) fn check(
        &mut self,
        seq: SeqNumber,
        bytes: &[u8],
        old: u64,
        stamp: Stamp,
        hashing: &Hashing,
    ) -> Verdict {
        let mut verdict = Verdict::default();
        let (len, oldest) = (self.ring.len(), self.oldest);
        for (at, entry) in self.ring.iter_mut().enumerate() {
            let Ok(start) = u32::try_from(entry.seq.distance(seq)) else { continue };
            let Some(again) = slice(bytes, start, entry.len) else { continue };
            let within = u64::from(start) + u64::from(entry.len) <= old;
            verdict.compared += if within { u64::from(entry.len) } else { 0 };
            if hashing.payload(again) != entry.hash {
                if !entry.disputed {
                    verdict.conflict.get_or_insert(start);
                }
                entry.disputed = true;
            } else if again.len() == bytes.len() {
                let newer = len - 1 - (at + len - oldest) % len;
                verdict.mirrored = newer < SPAN_BEFORE_NEWER && entry.mirrors(stamp);
            }
        }
        verdict
    }

    /// Reads the entry that the next push replaces.
    pub(crate) fn touch(&self) {
        std::hint::black_box(self.ring.get(self.oldest).map(|entry| entry.len));
    }

    /// Bytes on the heap.
    pub(crate) const fn footprint(&self) -> usize {
        self.ring.capacity() * size_of::<Entry>()
    }
}

impl Entry {
    fn mirrors(&self, stamp: Stamp) -> bool {
        let alike = (self.ack, self.flags) == (stamp.ack.unwrap_or_default(), stamp.flags);
        alike && stamp.micros().wrapping_sub(self.now) < SPAN_WITHIN
    }
}

fn slice(bytes: &[u8], start: u32, len: u32) -> Option<&[u8]> {
    bytes.get(start as usize..)?.get(..len as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(now: i64) -> Stamp {
        Stamp { ack: Some(SeqNumber(9)), flags: 0x18, now }
    }

    fn filled(segments: u32) -> (Recent, Hashing) {
        let (mut recent, hashing) = (Recent::default(), Hashing::new(1));
        for nth in 0..segments {
            recent.push(SeqNumber(u32::MAX - 15).add(nth * 10), &[b'a'; 10], stamp(0), &hashing);
        }
        (recent, hashing)
    }

    #[test]
    fn other_bytes_in_a_remembered_range_conflict_once() {
        let (mut recent, hashing) = filled(4);
        let mut forged = [b'a'; 25];
        forged[17] = b'b';
        let conflict = recent.check(SeqNumber(u32::MAX - 15), &forged, 25, stamp(9), &hashing).conflict;
        assert_eq!(conflict, Some(10));
        let again = recent.check(SeqNumber(u32::MAX - 15), &forged, 25, stamp(9), &hashing);
        assert_eq!(again, Verdict { compared: 20, ..Verdict::default() });
    }

    #[test]
    fn a_mirrors_copy_is_soon_and_alike_and_a_retransmission_is_not() {
        let (mut recent, hashing) = filled(40);
        let last = SeqNumber(u32::MAX - 15).add(390);
        let mut copy = |seq: SeqNumber, stamp| recent.check(seq, &[b'a'; 10], 10, stamp, &hashing).mirrored;
        assert!(copy(last, stamp(1_000)));
        assert!(!copy(last, stamp(5_000_000)));
        assert!(!copy(last, Stamp { ack: Some(SeqNumber(10)), ..stamp(0) }));
        assert!(copy(last.add(20_u32.wrapping_neg()), stamp(0)));
        assert!(!copy(last.add(30_u32.wrapping_neg()), stamp(0)));
    }

    #[test]
    fn remembers_32_and_grows_on_demand() {
        let (two, _) = filled(2);
        assert_eq!(two.ring.capacity(), 2);
        let (mut recent, hashing) = filled(40);
        assert_eq!(recent.ring.capacity(), 32);
        let conflict = |recent: &mut Recent, nth: u32| {
            recent.check(SeqNumber(u32::MAX - 15).add(nth * 10), &[b'x'; 10], 10, stamp(0), &hashing).conflict
        };
        assert_eq!(conflict(&mut recent, 7), None);
        assert_eq!(conflict(&mut recent, 8), Some(0));
        assert_eq!(conflict(&mut recent, 39), Some(0));
    }
}
