//! Whose checksums can be believed.
//!
//! A capture on a sending host sees checksums that the network card fills in later, so a wrong one alone proves nothing.
//! A wrong one from a sender that is otherwise right does: the receiver drops that segment, so its bytes must not be
//! delivered.

use crate::hashing::Hashing;
use crate::index::Index;
use tapwire_wire::{Checksum, Segment, SourceId};

/// Senders remembered; then the one known longest is forgotten.
const KEPT: usize = 16_384;

/// Good checksums before a wrong one of that sender counts.
const TRUST_AFTER: u16 = 8;

/// Counts are halved here, so that a sender whose network card is set up anew is learned anew.
const HALVE_AT: u16 = 1_024;

/// Of a sender whose checksums are filled in later, one segment in so many is verified, to notice a change.
const SAMPLE: u8 = 16;

/// What is known of one kind of segments of a sender.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    good: u16,
    bad: u16,
}

impl Tally {
    const fn add(&mut self, good: bool) {
        *(if good { &mut self.good } else { &mut self.bad }) += 1;
        if self.good >= HALVE_AT || self.bad >= HALVE_AT {
            self.good /= 2;
            self.bad /= 2;
        }
    }

    /// At least nine in ten are right.
    const fn is_right(self) -> bool {
        self.good >= TRUST_AFTER && self.good / 9 >= self.bad
    }

    /// At most one in ten is right.
    const fn is_offloaded(self) -> bool {
        self.bad >= TRUST_AFTER && self.bad / 9 >= self.good
    }
}

/// An address as one source sees it: the same host is seen before its network card by one and behind it by another.
#[derive(Debug)]
struct Sender {
    address: [u8; 16],
    source: SourceId,
    /// Segments with payload.
    full: Tally,
    /// Segments without. Cards that only cut large payloads fill in only the checksums of those.
    bare: Tally,
    offloaded: bool,
    /// Segments with payload to let through before the next one is verified.
    skip: u8,
}

impl Sender {
    fn is(&self, address: &[u8; 16], source: SourceId) -> bool {
        self.address == *address && self.source == source
    }

    /// Whether to believe the segment, and whether it showed that the sender's checksums are filled in later.
    fn judge(&mut self, segment: &Segment<'_>) -> (bool, bool) {
        let full = !segment.payload.is_empty();
        if full && self.offloaded && self.skip > 0 {
            self.skip -= 1;
            return (true, false);
        }
        let good = match segment.checksum() {
            Checksum::Good => true,
            Checksum::Bad => false,
            Checksum::Unverifiable => return (true, false),
        };
        let tally = if full { &mut self.full } else { &mut self.bare };
        tally.add(good);
        let right = self.full.is_right() || (!full && self.bare.is_right());
        let found = !self.offloaded && self.full.is_offloaded();
        self.offloaded = self.full.is_offloaded();
        self.skip = SAMPLE - 1;
        (good || !right, found)
    }
}

/// All senders, by address and source.
#[derive(Debug)]
pub(crate) struct Senders {
    senders: Vec<Sender>,
    index: Index,
    /// Which one is forgotten next.
    oldest: usize,
}

/// What a segment's checksum means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Judgement {
    pub(crate) believed: bool,
    /// The sender was now found to be one whose checksums are filled in later.
    pub(crate) offload_found: bool,
    /// Where the sender is, to find it faster the next time.
    pub(crate) sender: u32,
}

impl Senders {
    pub(crate) fn new() -> Self {
        Self { senders: Vec::new(), index: Index::new(), oldest: 0 }
    }

    /// Learns from a segment and judges it. `hint` is where its sender was the last time.
    pub(crate) fn judge(&mut self, segment: &Segment<'_>, hint: u32, hashing: &Hashing) -> Judgement {
        let address = segment.key.endpoint(segment.side).octets();
        let is_it =
            |at: u32| self.senders.get(at as usize).is_some_and(|one| one.is(address, segment.source));
        let at = if is_it(hint) {
            hint
        } else {
            let hash = hashing.address(address, segment.source);
            self.index.find(hash, is_it).unwrap_or_else(|| self.add(address, segment.source, hash, hashing))
        };
        let judged = self.senders.get_mut(at as usize).map(|sender| sender.judge(segment));
        let (believed, offload_found) = judged.unwrap_or((true, false));
        Judgement { believed, offload_found, sender: at }
    }

    fn add(&mut self, address: &[u8; 16], source: SourceId, hash: u32, hashing: &Hashing) -> u32 {
        let [full, bare] = [Tally::default(); 2];
        let sender = Sender { address: *address, source, full, bare, offloaded: false, skip: 0 };
        if self.senders.len() < KEPT {
            let slot = u32::try_from(self.senders.len()).unwrap_or_default();
            self.senders.push(sender);
            self.index.insert(hash, slot);
            return slot;
        }
        let slot = u32::try_from(self.oldest).unwrap_or_default();
        if let Some(place) = self.senders.get_mut(self.oldest) {
            let forgotten = std::mem::replace(place, sender);
            self.index.remove(hashing.address(&forgotten.address, forgotten.source), slot);
        }
        self.index.insert(hash, slot);
        self.oldest = (self.oldest + 1) % KEPT;
        slot
    }
}
