//! One direction of a connection whose records are decrypted.

use super::cipher::{HEAD, Opened, Opener};
use super::handshake::{Epoch, Handshake, Messages};
use super::keys::KeyStore;
use super::records::Records;
use crate::Direction;
use std::collections::VecDeque;
use tapwire_flow::StreamOffset;
use tapwire_wire::Timestamp;

/// Boundaries of records by which acknowledgements are translated.
const MAX_BOUNDS: usize = 256;

/// Sequence numbers that are tried behind a hole, and bytes that are decrypted for it.
const MAX_TRIES: u64 = 512;
const MAX_TRIED: usize = 4 << 20;

/// Records that may fail before anything was opened: a server's flight may lie in many, and the secrets of the handshake may
/// not be in the log.
const MAX_FAILED: u32 = 64;

/// Bytes whose records were lost.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lost {
    pub(super) from: StreamOffset,
    pub(super) until: StreamOffset,
    /// Of them, those that the receiver acknowledged.
    pub(super) acknowledged: u64,
    /// Where the receiver's own stream stood when it had acknowledged them.
    pub(super) acked_at: Option<StreamOffset>,
    pub(super) time: Timestamp,
    /// Records that were given up as gaps already.
    pub(super) settled: u64,
}

/// One direction.
#[derive(Debug, Default)]
pub(super) struct Lane {
    pub(super) records: Records,
    pub(super) messages: Messages,
    /// Records are protected, whatever their heads say (TLS 1.2 and older).
    pub(super) is_protected: bool,
    pub(super) epoch: Option<Epoch>,
    opener: Option<Box<Opener>>,
    /// The number of the next record.
    pub(super) sequence: u64,
    /// Whether that number, and the keys, are certain.
    is_certain: bool,
    pub(super) lost: Option<Lost>,
    /// Offset behind what was delivered, or declared missing.
    pub(super) seen: Option<StreamOffset>,
    /// Offset behind the last record that was opened, or given up.
    pub(super) done: Option<StreamOffset>,
    /// Offset of the next decrypted byte.
    pub(super) plain: Option<StreamOffset>,
    /// Where records begin, as they were captured and decrypted.
    bounds: VecDeque<(StreamOffset, StreamOffset)>,
    /// Records that could not be opened since the last one that could.
    failed: u32,
    has_opened: bool,
    /// How often keys came into use that a KeyUpdate makes, without that KeyUpdate having been read.
    pub(super) updates: u64,
}

impl Lane {
    /// Bytes on the heap.
    pub(super) fn held(&self) -> usize {
        let bounds = self.bounds.capacity() * size_of::<(StreamOffset, StreamOffset)>();
        let opener = self.opener.as_ref().map_or(0, |_| size_of::<Opener>());
        self.records.held() + self.messages.held() + bounds + opener
    }

    /// Whether anything was opened.
    pub(super) const fn has_opened(&self) -> bool {
        self.has_opened
    }

    /// Whether so much failed that the keys must be others.
    pub(super) const fn is_failing(&self) -> bool {
        self.failed > MAX_FAILED
    }

    /// Keys change: what follows is counted from 0 under new ones, which are made when they are needed.
    pub(super) fn rekey(&mut self) {
        self.opener = None;
        self.sequence = 0;
        self.is_certain = false;
    }

    /// The keys behind a KeyUpdate.
    pub(super) fn update(&mut self) {
        if let Some(next) = self.opener.as_ref().and_then(|opener| opener.updated()) {
            self.opener = Some(Box::new(next));
            self.sequence = 0;
        }
    }

    /// The next keys of TLS 1.3 begin with the next record.
    pub(super) fn enter(&mut self, epoch: Epoch) {
        self.rekey();
        self.epoch = Some(epoch);
    }

    /// Opens a record: `pristine` is its body as it was captured, `scratch` where it is decrypted.
    pub(super) fn open(
        &mut self,
        handshake: &Handshake,
        keys: &KeyStore,
        from: Direction,
        head: [u8; HEAD],
        pristine: &[u8],
        scratch: &mut Vec<u8>,
    ) -> Option<Opened> {
        let certain = self.is_certain && self.lost.is_none();
        let opened = self.try_current(head, pristine, scratch).or_else(|| {
            if certain || !self.is_worth_trying() {
                return None;
            }
            self.try_others(handshake, keys, from, head, pristine, scratch)
        });
        match opened {
            Some(_) => {
                self.sequence += 1;
                self.is_certain = true;
                self.failed = 0;
                self.has_opened = true;
            }
            None => {
                // Bytes of somebody else, or another number than was thought: the next record tells.
                self.failed = self.failed.saturating_add(1);
                self.is_certain = false;
                if let Some(opener) = self.opener.as_deref_mut() {
                    opener.pass(pristine);
                }
            }
        }
        opened
    }

    /// Where so many failed that others would hardly do better, only every so many are tried, so that what cannot be opened
    /// costs little.
    const fn is_worth_trying(&self) -> bool {
        !self.is_failing() || self.failed.is_power_of_two()
    }

    fn try_current(&mut self, head: [u8; HEAD], pristine: &[u8], scratch: &mut Vec<u8>) -> Option<Opened> {
        let opener = self.opener.as_deref_mut()?;
        fill(scratch, pristine);
        opener.open(self.sequence, head, scratch)
    }

    /// Tries the numbers of records that may have been lost, then the keys that may have come into use since.
    fn try_others(
        &mut self,
        handshake: &Handshake,
        keys: &KeyStore,
        from: Direction,
        head: [u8; HEAD],
        pristine: &[u8],
        scratch: &mut Vec<u8>,
    ) -> Option<Opened> {
        let tries = self.tries(pristine.len());
        if let Some(opener) = self.opener.as_deref_mut()
            && let Some((opened, sequence)) =
                numbers(opener, self.sequence + 1, tries, head, pristine, scratch)
        {
            self.sequence = sequence;
            return Some(opened);
        }
        for (epoch, mut opener) in self.next_keys(handshake, keys, from) {
            if let Some((opened, sequence)) = numbers(&mut opener, 0, 1 + tries, head, pristine, scratch) {
                let before = self.opener.replace(Box::new(opener));
                self.updates += u64::from(before.is_some() && self.epoch == epoch);
                self.epoch = epoch;
                self.sequence = sequence;
                return Some(opened);
            }
        }
        None
    }

    /// How many numbers are worth trying: as many as records can lie in what was lost.
    fn tries(&self, length: usize) -> u64 {
        let lost = self.lost.map_or(0, |lost| lost.until.since(lost.from));
        let smallest = (HEAD + 17) as u64;
        let affordable = (MAX_TRIED / (length + 64)) as u64;
        (lost / smallest + 2).min(MAX_TRIES).min(affordable)
    }

    fn next_keys(
        &self,
        handshake: &Handshake,
        keys: &KeyStore,
        from: Direction,
    ) -> Vec<(Option<Epoch>, Opener)> {
        if handshake.version().is_some_and(|version| version < 0x0304) {
            // One set of keys until the next ChangeCipherSpec.
            let fresh = if self.opener.is_none() { handshake.opener(from) } else { None };
            return fresh.into_iter().map(|opener| (None, opener)).collect();
        }
        let later = |epoch: &Epoch| match self.epoch {
            Some(current) if self.opener.is_some() => *epoch > current,
            Some(current) => *epoch >= current,
            None => true,
        };
        let epochs = [Epoch::Early, Epoch::Handshake, Epoch::Application].into_iter().filter(later);
        let of_epoch = |epoch| {
            let openers = handshake.openers(keys, from, epoch);
            openers.into_iter().map(move |opener| (Some(epoch), opener))
        };
        let updated = self
            .opener
            .as_ref()
            .filter(|_| !self.is_certain || self.lost.is_some())
            .and_then(|opener| opener.updated());
        epochs.flat_map(of_epoch).chain(updated.map(|opener| (self.epoch, opener))).collect()
    }

    /// More is lost, behind what is.
    pub(super) fn extend_lost(&mut self, more: Lost) {
        let Some(lost) = &mut self.lost else {
            self.lost = Some(more);
            return;
        };
        lost.until = lost.until.max(more.until);
        lost.acknowledged += more.acknowledged;
        lost.acked_at = more.acked_at.or(lost.acked_at);
        lost.time = more.time;
    }

    /// Content bytes that a body of this length has, as far as that can be told.
    pub(super) fn content_length(&self, length: usize) -> usize {
        self.opener.as_ref().map_or(0, |opener| opener.content_length(length))
    }

    /// Passes over a record whose bytes are missing; false where its number is not certain.
    pub(super) fn skip(&mut self) -> bool {
        // One hole behind another is as sure, once a record was opened under these keys.
        let certain = self.opener.is_some() && self.lost.is_none();
        if certain {
            self.sequence += 1;
            // It may have changed the keys.
            self.is_certain = false;
        }
        certain
    }

    /// A record begins here.
    pub(super) fn bound(&mut self, at: StreamOffset) {
        let Some(plain) = self.plain else { return };
        if self.bounds.back().is_some_and(|(_, last)| *last == plain) {
            // Records without content begin where the next one does.
            return;
        }
        if self.bounds.len() == MAX_BOUNDS {
            self.bounds.pop_front();
        }
        self.bounds.push_back((at, plain));
    }

    /// The offset in the decrypted stream of an offset as captured: where the record that holds it begins.
    pub(super) fn translate(&self, at: StreamOffset) -> Option<StreamOffset> {
        // What has not come yet lies at an offset that nobody knows.
        if self.seen.is_none_or(|seen| at > seen) {
            return None;
        }
        // Before the first record of this direction, its content is where it begins.
        if self.done.is_none_or(|done| at >= done) {
            return self.plain;
        }
        let place = self.bounds.partition_point(|(bound, _)| *bound <= at);
        place.checked_sub(1).and_then(|place| self.bounds.get(place)).map(|(_, plain)| *plain)
    }
}

fn fill(scratch: &mut Vec<u8>, pristine: &[u8]) {
    scratch.clear();
    scratch.extend_from_slice(pristine);
}

/// Tries so many sequence numbers.
fn numbers(
    opener: &mut Opener,
    first: u64,
    count: u64,
    head: [u8; HEAD],
    pristine: &[u8],
    scratch: &mut Vec<u8>,
) -> Option<(Opened, u64)> {
    (first..first + count).find_map(|sequence| {
        fill(scratch, pristine);
        opener.open(sequence, head, scratch).map(|opened| (opened, sequence))
    })
}
