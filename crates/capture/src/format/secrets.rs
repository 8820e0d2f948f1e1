//! Keys that a capture carries along, so that whoever reads it can decrypt (decryption secrets blocks).

use std::fmt;

/// Bytes of secrets kept of one section: a key log of some ten thousand sessions.
const MAX_SECTION: usize = 1 << 20;
/// Bytes that wait to be taken, of all sections: a file of nothing but sections must not fill the memory.
pub(crate) const MAX_WAITING: usize = 8 << 20;
/// What a block costs beside its bytes.
const RECORD: usize = 64;

/// One block of secrets, such as a TLS key log. Its `Debug` shows no secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Secrets {
    /// What they are: `0x544c534b` is a key log in the format of NSS.
    pub kind: u32,
    /// The secrets.
    pub data: Vec<u8>,
}

impl Secrets {
    /// Memory that it takes.
    pub(crate) fn cost(&self) -> usize {
        self.data.len() + RECORD
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets").field("kind", &self.kind).field("len", &self.data.len()).finish()
    }
}

/// Secrets on their way from a file to whoever asks.
#[derive(Debug, Default)]
pub(super) struct Pending {
    waiting: Vec<Secrets>,
    /// Memory that they take.
    held: usize,
    /// Bytes kept of this section.
    section: usize,
    dropped: u64,
}

impl Pending {
    pub(super) fn begin_section(&mut self) {
        self.section = 0;
    }

    /// Keeps a block, or counts its bytes where the section had its share.
    pub(super) fn keep(&mut self, kind: u32, data: &[u8]) {
        let cost = data.len() + RECORD;
        if self.section + data.len() > MAX_SECTION || self.held + cost > MAX_WAITING {
            return self.drop(data.len());
        }
        self.section += data.len();
        self.held += cost;
        self.waiting.push(Secrets { kind, data: data.to_vec() });
    }

    pub(super) fn drop(&mut self, bytes: usize) {
        self.dropped += bytes as u64;
    }

    /// How many blocks wait to be taken.
    pub(super) const fn count(&self) -> usize {
        self.waiting.len()
    }

    /// What is kept, and how many bytes were not.
    pub(super) fn take(&mut self) -> (Vec<Secrets>, u64) {
        self.held = 0;
        (std::mem::take(&mut self.waiting), std::mem::take(&mut self.dropped))
    }
}
