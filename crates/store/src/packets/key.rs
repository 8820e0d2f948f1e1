//! The key that wraps the keys of segments.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use ring::aead::{AES_256_GCM, LessSafeKey, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};

use crate::{StoreError, files};

/// Beside the segments, not among them: who copies the packets has not copied the key.
pub(crate) const FILE: &str = "packets.key";

pub(crate) const LENGTH: usize = 32;

/// Random bytes of the system.
pub(crate) fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map(|()| bytes).map_err(|_| io::Error::other("the system gives no random bytes"))
}

/// A key for sealing and opening.
pub(crate) fn cipher(key: &[u8; LENGTH]) -> io::Result<LessSafeKey> {
    let key = UnboundKey::new(&AES_256_GCM, key).map_err(|_| io::Error::other("a key of another length"))?;
    Ok(LessSafeKey::new(key))
}

/// The data directory's key.
pub(crate) fn read(directory: &Path) -> Result<LessSafeKey, StoreError> {
    let path = directory.join(FILE);
    let failed = |e: io::Error| StoreError::io("read the key of packets", &path, &e);
    let mut key = [0; LENGTH];
    File::open(&path).and_then(|mut file| file.read_exact(&mut key)).map_err(failed)?;
    cipher(&key).map_err(failed)
}

/// The same; made where it is missing. Only the holder of the directory's lock asks.
pub(crate) fn read_or_make(directory: &Path) -> Result<LessSafeKey, StoreError> {
    let path = directory.join(FILE);
    if !path.exists() {
        let made = random::<LENGTH>().and_then(|key| {
            let unfinished = files::beside(&path, ".new");
            let mut options = OpenOptions::new();
            let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
            file.write_all(&key)?;
            file.sync_all()?;
            std::fs::rename(&unfinished, &path)?;
            files::sync_parent(&path)
        });
        made.map_err(|e| StoreError::io("make the key of packets", &path, &e))?;
    }
    read(directory)
}
