//! The record of who took what out: lines that are only ever appended.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::{StoreError, files};

/// A log of lines, open for appending.
#[derive(Debug)]
pub struct AuditLog {
    file: File,
    path: PathBuf,
    /// This made it.
    made: bool,
    /// Its last line was not written to its end.
    torn: bool,
}

impl AuditLog {
    /// Opens the log at `path`; makes it, for the owner of its directory only, where there is none.
    ///
    /// # Errors
    /// The path and the system's reason.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let mut options = OpenOptions::new();
        options.read(true).append(true).mode(0o600);
        let made = options.clone().create_new(true).open(path);
        let (opened, made) = match made {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                (options.create(true).open(path), false)
            }
            made => (made, true),
        };
        let file = opened.map_err(|e| StoreError::io("open the audit log", path, &e))?;
        if made {
            files::share_owner(&file, path).map_err(|e| StoreError::io("make the audit log", path, &e))?;
        }
        let torn = is_torn(&file).map_err(|e| StoreError::io("read the audit log", path, &e))?;
        Ok(Self { file, path: path.to_owned(), made, torn })
    }

    /// Appends a whole line in one write, so that several processes do not mix theirs, and has it written to the disk; behind
    /// a line that was torn, on a line of its own. Where that fails, a log that was made for this line is removed.
    ///
    /// # Errors
    /// The path and the system's reason.
    pub fn append(&mut self, line: &[u8]) -> Result<(), StoreError> {
        let line = if std::mem::take(&mut self.torn) { &[b"\n", line].concat() } else { line };
        let written = self.file.write_all(line).and_then(|()| self.file.sync_data());
        written.map_err(|e| {
            if std::mem::take(&mut self.made) {
                // An empty log beside nothing only raises questions; that it cannot be removed answers none.
                let _still_there = fs::remove_file(&self.path);
            }
            StoreError::io("append to the audit log", &self.path, &e)
        })?;
        self.made = false;
        Ok(())
    }
}

fn is_torn(file: &File) -> std::io::Result<bool> {
    let len = file.metadata()?.len();
    let mut last = [b'\n'];
    if len > 0 {
        file.read_exact_at(&mut last, len - 1)?;
    }
    Ok(last != [b'\n'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_not_glued_to_one_that_was_torn() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit.jsonl");
        fs::write(&path, "whole\nto").unwrap();
        let mut log = AuditLog::open(&path).unwrap();
        log.append(b"one\n").unwrap();
        log.append(b"two\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "whole\nto\none\ntwo\n");
    }

    #[test]
    fn what_root_makes_belongs_to_the_owner_of_the_directory() {
        use std::os::unix::fs::{MetadataExt, chown};
        if !nix::unistd::geteuid().is_root() {
            return eprintln!("skipped: only root makes files for others");
        }
        let dir = tempfile::tempdir().unwrap();
        chown(dir.path(), Some(65_534), Some(65_534)).unwrap();
        let (log, file) = (dir.path().join("audit.jsonl"), dir.path().join("users.json"));
        AuditLog::open(&log).unwrap().append(b"one\n").unwrap();
        crate::write_private(&file, b"{}").unwrap();
        for path in [log, file] {
            let about = fs::metadata(path).unwrap();
            assert_eq!((about.uid(), about.gid(), about.mode() & 0o777), (65_534, 65_534, 0o600));
        }
    }
}
