//! `state/`: bytes that pure crates give and take back.
//!
//! A file is a header of 20 bytes and the payload: `twstate1`, the payload's length (u64, little endian), its
//! CRC32C (u32, little endian). The last letter of the magic is the version of this frame; what the payload means,
//! and its own version, is the business of the crate that gave it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::StoreError;
use crate::crc32c::crc32c;
use crate::files;

pub(crate) const ROOM: &str = "state";

const MAGIC: &[u8; 8] = b"twstate1";

/// What became of a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Loaded {
    /// None was saved yet.
    Absent,
    /// The bytes as saved.
    Whole(Vec<u8>),
    /// There is one, but not as it was saved: start without it, and say so.
    Damaged {
        /// Where the file is now.
        path: PathBuf,
        /// One phrase.
        why: &'static str,
    },
}

pub(crate) fn save(directory: &Path, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
    let path = path(directory, name)?;
    let length = (bytes.len() as u64).to_le_bytes();
    files::write_durably(&path, &[MAGIC, &length, &crc32c(bytes).to_le_bytes(), bytes])
}

pub(crate) fn load(directory: &Path, name: &str) -> Result<Loaded, StoreError> {
    let path = path(directory, name)?;
    let mut file = match fs::read(&path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Loaded::Absent),
        Err(e) => return Err(StoreError::io("read", &path, &e)),
    };
    match check(&file) {
        Ok(header) => Ok(Loaded::Whole(file.split_off(header))),
        Err(why) => Ok(Loaded::Damaged { path, why }),
    }
}

/// The length of the header of a whole file.
fn check(file: &[u8]) -> Result<usize, &'static str> {
    let (magic, rest) = file.split_first_chunk::<8>().ok_or("shorter than its header")?;
    let (length, rest) = rest.split_first_chunk::<8>().ok_or("shorter than its header")?;
    let (crc, payload) = rest.split_first_chunk::<4>().ok_or("shorter than its header")?;
    if magic != MAGIC {
        return Err("no checkpoint of this version");
    }
    if u64::from_le_bytes(*length) != payload.len() as u64 {
        return Err("not as long as its header says");
    }
    if u32::from_le_bytes(*crc) != crc32c(payload) {
        return Err("its checksum does not match");
    }
    Ok(file.len() - payload.len())
}

fn path(directory: &Path, name: &str) -> Result<PathBuf, StoreError> {
    let plain = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    let named = plain && !name.is_empty();
    named.then(|| directory.join(ROOM).join(name)).ok_or_else(|| StoreError::Name(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Reader, Store};

    fn store() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        (dir, store)
    }

    #[test]
    fn what_is_saved_is_loaded() {
        let (dir, mut store) = store();
        assert_eq!(store.load("inventory").unwrap(), Loaded::Absent);
        for bytes in [b"".as_slice(), b"one", &[7; 100_000]] {
            store.save("inventory", bytes).unwrap();
            assert_eq!(store.load("inventory").unwrap(), Loaded::Whole(bytes.to_vec()));
        }
        let reader = Reader::open(dir.path()).unwrap();
        assert_eq!(reader.load("inventory").unwrap(), Loaded::Whole(vec![7; 100_000]));
    }

    #[test]
    fn every_cut_and_every_flipped_byte_is_noticed() {
        let (dir, mut store) = store();
        store.save("s", b"payload").unwrap();
        let path = dir.path().join("state/s");
        let whole = fs::read(&path).unwrap();
        for cut in 0..whole.len() {
            fs::write(&path, &whole[..cut]).unwrap();
            assert!(matches!(store.reader().load("s").unwrap(), Loaded::Damaged { .. }), "cut at {cut}");
        }
        for at in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[at] ^= 0x10;
            fs::write(&path, &flipped).unwrap();
            assert!(matches!(store.reader().load("s").unwrap(), Loaded::Damaged { .. }), "flipped at {at}");
        }
    }

    #[test]
    fn a_damaged_checkpoint_is_set_aside_and_the_next_save_starts_anew() {
        let (dir, mut store) = store();
        fs::write(dir.path().join("state/s"), b"twstate1 nonsense, too short").unwrap();
        let aside = dir.path().join("state/s.damaged");
        let why = "not as long as its header says";
        assert_eq!(store.load("s").unwrap(), Loaded::Damaged { path: aside.clone(), why });
        assert!(aside.exists());
        assert_eq!(store.load("s").unwrap(), Loaded::Absent);
        store.save("s", b"new").unwrap();
        assert_eq!(store.load("s").unwrap(), Loaded::Whole(b"new".to_vec()));
    }

    #[test]
    fn a_kill_while_saving_leaves_the_old_checkpoint() {
        let (dir, mut store) = store();
        store.save("s", b"old").unwrap();
        fs::write(dir.path().join("state/s.new"), b"twstate1 half of the n").unwrap();
        assert_eq!(store.load("s").unwrap(), Loaded::Whole(b"old".to_vec()));
        store.save("s", b"newer").unwrap();
        assert_eq!(store.load("s").unwrap(), Loaded::Whole(b"newer".to_vec()));
    }

    #[test]
    fn a_name_cannot_leave_the_directory() {
        let (_dir, mut store) = store();
        for name in ["", "../version", "a/b", "A", "a.new"] {
            assert!(matches!(store.save(name, b""), Err(StoreError::Name(_))), "{name}");
        }
    }
}
