//! The record of who took what out: lines that are only ever appended.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::StoreError;

/// A log of lines, open for appending.
#[derive(Debug)]
pub struct AuditLog {
    file: File,
    path: PathBuf,
}

impl AuditLog {
    /// Opens the log at `path`; makes it, for its owner only, where there is none.
    ///
    /// # Errors
    /// The path and the system's reason.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let opened = OpenOptions::new().append(true).create(true).mode(0o600).open(path);
        let file = opened.map_err(|e| StoreError::io("open the audit log", path, &e))?;
        Ok(Self { file, path: path.to_owned() })
    }

    /// Appends a whole line in one write, so that several processes do not mix theirs, and has it written to the disk.
    ///
    /// # Errors
    /// The path and the system's reason.
    pub fn append(&mut self, line: &[u8]) -> Result<(), StoreError> {
        let written = self.file.write_all(line).and_then(|()| self.file.sync_data());
        written.map_err(|e| StoreError::io("append to the audit log", &self.path, &e))
    }
}
