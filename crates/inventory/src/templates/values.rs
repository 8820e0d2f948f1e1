//! Which words turned out to be values: who is a user below `/users` is one below `/teams/{teamId}/members`, too.

use crate::state::{Unfit, put_some, take_all};

/// Words that are remembered, of all services: a newer one takes an older one's place.
const SLOTS: usize = 1 << 14;

/// A set of hashes that forgets.
#[derive(Debug, Clone, Default)]
pub(super) struct Values(Vec<u32>);

impl Values {
    pub(super) fn add(&mut self, hash: u64) {
        self.0.resize(SLOTS, 0);
        let (at, mark) = place(hash);
        if let Some(slot) = self.0.get_mut(at) {
            *slot = mark;
        }
    }

    pub(super) fn has(&self, hash: u64) -> bool {
        let (at, mark) = place(hash);
        self.0.get(at) == Some(&mark)
    }

    /// Writes slots from that place on; how many, `None` when they were the last.
    pub(super) fn save(&self, from: usize, out: &mut Vec<u8>) -> Option<usize> {
        put_some(self.0.iter().skip(from), |_| 1, out)
    }

    /// Takes the slots that come next; how many were too many.
    pub(super) fn load(&mut self, entries: &[u8]) -> Result<u64, Unfit> {
        take_all(entries, |mark: u32| {
            let room = self.0.len() < SLOTS;
            self.0.extend(room.then_some(mark));
            room
        })
    }

    pub(super) const fn bytes(&self) -> usize {
        self.0.capacity() * size_of::<u32>()
    }
}

/// Where a hash has its slot, and what stands there for it.
#[allow(clippy::cast_possible_truncation, reason = "both halves of a hash are hashes")]
const fn place(hash: u64) -> (usize, u32) {
    (hash as usize % SLOTS, (hash >> 32) as u32 | 1)
}
