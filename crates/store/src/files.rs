//! Files that survive a kill and belong to their owner.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};

use crate::StoreError;

/// Behind the name of a file that is not whole yet.
pub(crate) const UNFINISHED: &str = ".new";

/// Makes a directory with mode 0700, and its parents; an existing one keeps its mode.
pub(crate) fn private_directory(path: &Path) -> Result<(), StoreError> {
    if path.is_dir() {
        return Ok(());
    }
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|e| StoreError::io("make the directory", path, &e))
}

/// Writes `parts` one after another to `path`: whole, or not at all, whenever the process or the machine stops.
pub(crate) fn write_durably(path: &Path, parts: &[&[u8]]) -> Result<(), StoreError> {
    let unfinished = beside(path, UNFINISHED);
    let written = write_and_sync(&unfinished, parts).and_then(|()| put_in_place(&unfinished, path));
    written.map_err(|e| StoreError::io("write", path, &e))
}

/// Gives a file that is whole and synced its name.
pub(crate) fn put_in_place(unfinished: &Path, path: &Path) -> io::Result<()> {
    fs::rename(unfinished, path)?;
    sync_parent(path)
}

/// An empty file for its owner only.
pub(crate) fn create_private(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    share_owner(&file, path)?;
    Ok(file)
}

/// What root makes belongs to whoever its directory belongs to: a run that gave up being root has to read it.
pub(crate) fn share_owner(file: &File, path: &Path) -> io::Result<()> {
    if !nix::unistd::geteuid().is_root() {
        return Ok(());
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let (about, own) = (fs::metadata(parent)?, file.metadata()?);
    match (about.uid(), about.gid()) == (own.uid(), own.gid()) {
        true => Ok(()),
        false => fchown(file, Some(about.uid()), Some(about.gid())),
    }
}

/// Whether a file is what a kill left of [`write_durably`].
pub(crate) fn is_unfinished(name: &str) -> bool {
    name.ends_with(UNFINISHED)
}

/// The name itself is on disk only when its directory is.
pub(crate) fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent().filter(|p| !p.as_os_str().is_empty()) {
        Some(parent) => File::open(parent)?.sync_all(),
        None => File::open(".")?.sync_all(),
    }
}

pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn write_and_sync(path: &Path, parts: &[&[u8]]) -> io::Result<()> {
    let mut file = create_private(path)?;
    parts.iter().try_for_each(|part| file.write_all(part))?;
    file.sync_all()
}
