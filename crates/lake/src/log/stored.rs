//! The log of a table in a store of objects, read as that of a directory is.

use super::{Files, LOG, Numbers, Snapshot, checkpoint, snapshot_of};
use crate::error::LakeError;
use crate::place::Objects;
use bytes::Bytes;
use std::path::{Path, PathBuf};

/// The table as it is there; `None` where there is none.
pub(crate) fn stored_snapshot(store: &dyn Objects, table: &str) -> Result<Option<Snapshot>, LakeError> {
    let log = Stored { store, directory: Path::new(table).join(LOG) };
    if log.numbers()?.is_empty() { Ok(None) } else { snapshot_of(&log).map(Some) }
}

struct Stored<'a> {
    store: &'a dyn Objects,
    /// What names of its files begin with.
    directory: PathBuf,
}

impl Stored<'_> {
    fn get(&self, name: &str) -> Result<(PathBuf, Vec<u8>), LakeError> {
        let path = self.directory.join(name);
        let found = self.store.get(&path.to_string_lossy()).map_err(LakeError::Store)?;
        // The log was made shorter since its files were listed.
        let bytes = found.ok_or_else(|| LakeError::Gone { path: path.clone() })?;
        Ok((path, bytes))
    }
}

impl Files for Stored<'_> {
    fn directory(&self) -> &Path {
        &self.directory
    }

    fn numbers(&self) -> Result<Numbers, LakeError> {
        let begin = format!("{}/", self.directory.display());
        let listed = self.store.list(&begin).map_err(LakeError::Store)?;
        Ok(Numbers::of(listed.iter().filter_map(|(name, _)| name.strip_prefix(&begin))))
    }

    fn take_commit(&self, number: u64, into: &mut Snapshot) -> Result<(), LakeError> {
        let (path, bytes) = self.get(&super::commit_name(number))?;
        into.read(&String::from_utf8_lossy(&bytes), &path)
    }

    fn checkpoint(&self, number: u64) -> Result<Snapshot, LakeError> {
        let (path, bytes) = self.get(&super::checkpoint_name(number))?;
        checkpoint::read(Bytes::from(bytes), &path)
    }
}
