//! What a case says of itself: the first file in it, and the one that is signed.

use crate::failure::Failure;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The form of cases that this build writes and reads.
pub(super) const FORMAT: u32 = 1;

/// The manifest.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    /// The form of the case.
    pub(super) format: u32,
    /// The version of tapwire that wrote it.
    pub(super) tapwire: String,
    /// The incident's uid, as it comes out of the case.
    pub(super) incident: String,
    /// Its uid where it was found first: the same, unless the key of tokens has a say in it.
    pub(super) known_as: String,
    /// By whom, when and how.
    pub(super) exported: Exported,
    /// How the incident is derived.
    pub(super) derivation: Derivation,
    /// What was put in from outside.
    pub(super) inputs: Vec<Input>,
    /// Every file but this one and its signature.
    pub(super) files: BTreeMap<String, Sum>,
    /// The key that verifies the signature.
    pub(super) public_key: String,
}

/// Who wrote the case.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Exported {
    pub(super) time: String,
    pub(super) by: String,
    pub(super) user_id: u32,
    /// The command line.
    pub(super) command: Vec<String>,
}

/// What `tapwire replay` is given beside configuration and key.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Derivation {
    pub(super) captures: Vec<String>,
    pub(super) two_pass: bool,
    pub(super) learn_from: Vec<String>,
    pub(super) keylogs: Vec<String>,
    pub(super) decrypt_host: Vec<String>,
}

/// A file or folder that was put in.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {
    /// Where it stands in the case.
    pub(super) name: String,
    /// What it was called.
    pub(super) was: String,
}

/// What a file must be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sum {
    pub(super) bytes: u64,
    pub(super) sha256: String,
}

impl Sum {
    /// Of the file.
    pub(super) fn of(path: &Path) -> Result<Self, Failure> {
        let failed = |error| Failure::new(format!("{}: {error}", path.display()));
        let mut file = File::open(path).map_err(failed)?;
        let (mut hash, mut bytes, mut room) = (Sha256::new(), 0, vec![0; 1 << 16]);
        loop {
            let read = file.read(&mut room).map_err(failed)?;
            let Some(piece) = room.get(..read).filter(|piece| !piece.is_empty()) else { break };
            hash.update(piece);
            bytes += piece.len() as u64;
        }
        Ok(Self { bytes, sha256: hex(&hash.finalize()) })
    }
}

/// In hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Bytes from hexadecimal digits.
pub(crate) fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text
        .chars()
        .map(|one| one.to_digit(16).and_then(|one| u8::try_from(one).ok()))
        .collect::<Option<_>>()?;
    digits
        .len()
        .is_multiple_of(2)
        .then(|| digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_there_and_back() {
        assert_eq!(from_hex(&hex(&[0, 1, 0xab, 0xff])), Some(vec![0, 1, 0xab, 0xff]));
        for wrong in ["0", "0g", "éé"] {
            assert_eq!(from_hex(wrong), None, "{wrong}");
        }
    }
}
