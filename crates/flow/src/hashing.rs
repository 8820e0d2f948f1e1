//! Seeded hashes of keys and payloads.

use foldhash::fast::FixedState;
use std::hash::{BuildHasher, Hasher};
use tapwire_wire::{FlowKey, Side, SourceId};

/// Hashes under the table's seed.
#[derive(Debug, Clone)]
pub(crate) struct Hashing(FixedState);

impl Hashing {
    pub(crate) fn new(seed: u64) -> Self {
        Self(FixedState::with_seed(seed))
    }

    pub(crate) fn key(&self, key: &FlowKey) -> u32 {
        let (lower, upper) = (key.endpoint(Side::Lower), key.endpoint(Side::Upper));
        let mut hasher = self.0.build_hasher();
        hasher.write_u128(u128::from_ne_bytes(*lower.octets()));
        hasher.write_u128(u128::from_ne_bytes(*upper.octets()));
        let ports = u64::from(lower.port) << 16 | u64::from(upper.port);
        hasher.write_u64(u64::from(key.tenant) << 32 | ports);
        high(hasher.finish())
    }

    pub(crate) fn address(&self, octets: &[u8; 16], source: SourceId) -> u32 {
        let mut hasher = self.0.build_hasher();
        hasher.write_u128(u128::from_ne_bytes(*octets));
        hasher.write_u16(source.0);
        high(hasher.finish())
    }

    /// The two halves of a hash.
    pub(crate) fn payload(&self, bytes: &[u8]) -> [u32; 2] {
        let mut hasher = self.0.build_hasher();
        hasher.write(bytes);
        let hash = hasher.finish();
        [low(hash), high(hash)]
    }
}

#[allow(clippy::cast_possible_truncation, reason = "the upper half, which is the better mixed one")]
const fn high(hash: u64) -> u32 {
    (hash >> 32) as u32
}

#[allow(clippy::cast_possible_truncation, reason = "the lower half")]
const fn low(hash: u64) -> u32 {
    hash as u32
}
