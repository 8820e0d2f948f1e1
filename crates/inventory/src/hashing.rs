//! Hashing of what an attacker chooses: keyed, and the same in every run with the same key.

use siphasher::sip::SipHasher13;
use std::hash::{BuildHasher, Hasher};

/// Builds keyed hashers for tables that are filled from traffic.
#[derive(Clone)]
pub(crate) struct Keyed([u8; 16]);

impl Keyed {
    pub(crate) const fn new(key: [u8; 16]) -> Self {
        Self(key)
    }
}

impl BuildHasher for Keyed {
    type Hasher = SipHasher13;

    fn build_hasher(&self) -> SipHasher13 {
        SipHasher13::new_with_key(&self.0)
    }
}

/// Takes keys that are keyed hashes already as they are.
#[derive(Clone, Copy, Default)]
pub(crate) struct AsIs(u64);

impl Hasher for AsIs {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |sum, byte| sum.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// [`AsIs`] for a table.
pub(crate) type BuildAsIs = std::hash::BuildHasherDefault<AsIs>;
