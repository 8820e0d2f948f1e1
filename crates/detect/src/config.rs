//! Limits of detection.

use tapwire_inspect::TokenKey;

/// Limits of detection.
///
/// Memory: a record costs about 100 bytes and the states of the detectors that were concerned, at most 1 KiB each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// The key of the table of records, which is filled with what traffic chooses: [`TokenKey::table_key`].
    pub table_key: [u8; 16],
    /// Scope keys with a record, all scopes together; beyond, the one that was quiet longest makes room.
    pub max_records: usize,
    /// Nanoseconds of packet time after which a quiet record is forgotten.
    pub forget_after: i64,
}

impl Config {
    /// The defaults with that key: 100,000 records, 24 hours.
    pub fn new(token_key: &TokenKey) -> Self {
        Self {
            table_key: token_key.table_key(),
            max_records: 100_000,
            forget_after: 24 * 3_600 * 1_000_000_000,
        }
    }
}
