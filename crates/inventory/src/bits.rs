//! Different things, counted in little room.

use serde::{Deserialize, Serialize};

/// Different things in 2,048 bits.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Bits([u64; 32]);

impl Bits {
    /// Adds one; whether it is surely new.
    pub(crate) fn add(&mut self, hash: u64) -> bool {
        let (at, bit) = place(hash);
        let Some(word) = self.0.get_mut(at) else { return false };
        let is_new = *word & bit == 0;
        *word |= bit;
        is_new
    }

    pub(crate) fn has(&self, hash: u64) -> bool {
        let (at, bit) = place(hash);
        self.0.get(at).is_some_and(|word| word & bit != 0)
    }

    /// How many there are at least: exactly where they are few.
    pub(crate) fn len(&self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }

    pub(crate) fn words(&self) -> impl Iterator<Item = &u64> {
        self.0.iter()
    }

    /// Puts a word back; whether there is such a one.
    pub(crate) fn set_word(&mut self, at: u64, value: u64) -> bool {
        let word = usize::try_from(at).ok().and_then(|at| self.0.get_mut(at));
        word.map(|word| *word = value).is_some()
    }
}

fn place(hash: u64) -> (usize, u64) {
    ((hash >> 6 & 31) as usize, 1 << (hash & 63))
}
