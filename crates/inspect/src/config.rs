//! Limits of inspection.

use crate::classes::Classes;
use crate::content::Caps;
use crate::{Descriptors, TokenKey};
use std::sync::Arc;

/// Limits of inspection.
///
/// Memory is bounded by `max_open_bytes` for messages still open, 1 MiB of idle parts of them that serve again, and 160 KiB of token
/// caches. The exchanges themselves are the caller's.
#[derive(Debug, Clone)]
pub struct Config {
    /// The key of all tokens.
    pub token_key: TokenKey,
    /// Bytes of one body that are decoded from its content coding; further ones are a
    /// [`ContentCodingBomb`](tapwire_protocol::Anomaly::ContentCodingBomb). Bodies without content coding have no cap: they
    /// are read in constant memory.
    pub max_decoded_bytes: u64,
    /// Decoded bytes for each coded byte, beyond the first 64 KiB; more is a bomb.
    pub max_ratio: u64,
    /// Names for the fields of gRPC's messages.
    pub descriptors: Arc<Descriptors>,
    /// The data classes that are looked for.
    pub classes: Arc<Classes>,
    /// Identifiers kept of one body, for who counts whose records are in it.
    pub max_ids: usize,
    /// Messages with body parts that may be open at once; beyond, the one that was heard of longest ago is evicted.
    pub max_open_messages: usize,
    /// Bytes that their states may take: 125 KiB with two content codings, 16 KiB for plain JSON and at most 80 KiB for its fields, 1 KiB where nothing is
    /// read.
    pub max_open_bytes: usize,
}

impl Config {
    pub(crate) const fn caps(&self) -> Caps {
        Caps { bytes: self.max_decoded_bytes, ratio: self.max_ratio }
    }

    /// The defaults with that key: 8 MiB, 100:1, 4,096 messages, 16 MiB.
    pub fn new(token_key: TokenKey) -> Self {
        Self {
            token_key,
            max_decoded_bytes: 8 << 20,
            max_ratio: 100,
            descriptors: Arc::default(),
            classes: Arc::default(),
            max_ids: crate::ids::MAX_IDS,
            max_open_messages: 4096,
            max_open_bytes: 16 << 20,
        }
    }
}
