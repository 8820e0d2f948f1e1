//! Which words turned out to be values: who is a user below `/users` is one below `/teams/{teamId}/members`, too.

/// Words that are remembered, of all services: a newer one takes an older one's place.
const SLOTS: usize = 1 << 14;

/// A set of hashes that forgets.
#[derive(Debug, Clone, Default)]
pub(super) struct Values(Vec<u32>);

impl Values {
    pub(super) fn add(&mut self, hash: u64) {
        if self.0.is_empty() {
            self.0 = vec![0; SLOTS];
        }
        let (at, mark) = place(hash);
        if let Some(slot) = self.0.get_mut(at) {
            *slot = mark;
        }
    }

    pub(super) fn has(&self, hash: u64) -> bool {
        let (at, mark) = place(hash);
        self.0.get(at) == Some(&mark)
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
