//! Deletes files that are no part of their table, when nobody can be reading them any more.

use crate::error::LakeError;
use crate::log::{Snapshot, written_ms};
use std::fs;
use std::path::Path;

/// A file that no commit names may be one that is being written, which takes five minutes; one of a killed run is older.
const ORPHAN_MS: i64 = 3_600_000;

/// What went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Deleted {
    /// Files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Deletes what was taken out before the grace period began, and what killed runs left; forgets what is not there.
pub(super) fn vacuum(
    directory: &Path,
    snapshot: &mut Snapshot,
    grace_ms: i64,
    now_ms: i64,
    dry: bool,
) -> Result<Deleted, LakeError> {
    let mut deleted = Deleted::default();
    for folder in entries(directory)?.into_iter().filter(|name| name.starts_with("day=")) {
        for name in entries(&directory.join(&folder))? {
            let name = format!("{folder}/{name}");
            let path = directory.join(&name);
            if snapshot.parts.contains_key(&name) {
                continue;
            }
            let free_ms = match snapshot.removed.get(&name) {
                Some(tombstone) => Some(tombstone.removed_ms.saturating_add(grace_ms)),
                None => written_ms(&path).map(|ms| ms.saturating_add(grace_ms.max(ORPHAN_MS))),
            };
            if free_ms.is_none_or(|free_ms| free_ms > now_ms) {
                continue;
            }
            deleted.bytes += fs::metadata(&path).map_or(0, |about| about.len());
            deleted.files += 1;
            if !dry {
                fs::remove_file(&path).map_err(|error| LakeError::io("delete", &path, &error))?;
            }
        }
    }
    snapshot.removed.retain(|name, _| directory.join(name).exists());
    Ok(deleted)
}

/// Names in a directory that are text; ours are.
fn entries(directory: &Path) -> Result<Vec<String>, LakeError> {
    let failed = |error: std::io::Error| LakeError::io("read", directory, &error);
    let mut names = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        names.extend(entry.map_err(failed)?.file_name().into_string());
    }
    names.sort();
    Ok(names)
}
