//! Header values that come again and again: their redacted form, remembered.

use super::headers::Policy;
use std::hash::{BuildHasher, Hasher};

/// Slots; a power of two. With the longest values the table holds a megabyte.
const SLOTS: usize = 512;
/// Longest value that is remembered, in bytes.
const LONGEST: usize = 1024;

/// A value and what becomes of it.
#[derive(Debug, Default)]
struct Known {
    /// The hash of the last value that asked in vain. One that asks again takes the place: most others never come again.
    asked: u64,
    policy: Option<Policy>,
    value: Vec<u8>,
    redacted: Vec<u8>,
}

/// A direct-mapped table. It only saves time: what it answers is what the rules would.
pub(super) struct Remembered {
    slots: Box<[Known]>,
    state: foldhash::fast::FixedState,
}

impl Remembered {
    pub(super) fn new() -> Self {
        Self {
            slots: (0..SLOTS).map(|_| Known::default()).collect(),
            state: foldhash::fast::FixedState::with_seed(1),
        }
    }

    /// What became of the value under that policy, when it is remembered.
    pub(super) fn get(&self, policy: Policy, value: &[u8]) -> Option<&[u8]> {
        let known = self.slots.get(place(self.hash(policy, value)?))?;
        (known.policy == Some(policy) && known.value == value).then_some(known.redacted.as_slice())
    }

    /// Remembers what became of a value that came twice, in place of another.
    pub(super) fn put(&mut self, policy: Policy, value: &[u8], redacted: &[u8]) {
        let Some(hash) = self.hash(policy, value) else { return };
        let Some(known) = self.slots.get_mut(place(hash)) else { return };
        if std::mem::replace(&mut known.asked, hash) != hash {
            return;
        }
        known.policy = Some(policy);
        known.value.clear();
        known.value.extend_from_slice(value);
        known.redacted.clear();
        known.redacted.extend_from_slice(redacted);
    }

    /// Only policies whose values repeat have one: trace identifiers and URLs do not.
    fn hash(&self, policy: Policy, value: &[u8]) -> Option<u64> {
        let repeats = !matches!(policy, Policy::Trace | Policy::Url | Policy::SetCookie);
        (repeats && value.len() <= LONGEST).then(|| {
            let mut hash = self.state.build_hasher();
            hash.write(value);
            hash.write_u8(policy as u8);
            hash.finish()
        })
    }
}

fn place(hash: u64) -> usize {
    let [low, high, ..] = hash.to_le_bytes();
    usize::from(u16::from_le_bytes([low, high])) % SLOTS
}

impl std::fmt::Debug for Remembered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Remembered(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_only_for_the_same_value_and_policy() {
        let mut remembered = Remembered::new();
        for n in 0..5_000_u32 {
            let value = n.to_string();
            remembered.put(Policy::Text, value.as_bytes(), b"first");
            remembered.put(Policy::Text, value.as_bytes(), format!("<{n}>").as_bytes());
            assert_eq!(remembered.get(Policy::Text, value.as_bytes()), Some(format!("<{n}>").as_bytes()));
            assert_eq!(remembered.get(Policy::Token, value.as_bytes()), None);
        }
        for n in 0..5_000_u32 {
            let value = n.to_string();
            let found = remembered.get(Policy::Text, value.as_bytes());
            assert!(found.is_none_or(|redacted| redacted == format!("<{n}>").as_bytes()));
        }
    }

    #[test]
    fn long_values_are_not_remembered() {
        let mut remembered = Remembered::new();
        (0..2).for_each(|_| remembered.put(Policy::Text, &[b'a'; 2_000], b"x"));
        assert_eq!(remembered.get(Policy::Text, &[b'a'; 2_000]), None);
    }
}
