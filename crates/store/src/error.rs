//! What an operator can do something about.

use std::io;
use std::path::{Path, PathBuf};

/// Why the data directory or the key cannot be used.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The system refused.
    #[error("cannot {doing} {}: {cause}", path.display())]
    Io {
        /// `read`, `write`, …
        doing: &'static str,
        /// Which file.
        path: PathBuf,
        /// The system's reason.
        cause: String,
    },
    /// A second writer.
    #[error("{} is in use by another tapwire{}: stop it, or give another --data", path.display(), process(.holder))]
    InUse {
        /// The data directory.
        path: PathBuf,
        /// The other process, where known.
        holder: Option<u32>,
    },
    /// There is no data directory.
    #[error("{} does not exist: has `tapwire run` written there? --data names another directory", path.display())]
    Missing {
        /// As given.
        path: PathBuf,
    },
    /// A URL, which would become a directory of that name.
    #[error("{}: a data directory is one of this machine; `tapwire lake copy` copies its tables to a store, where `sql`, `hunt`, `inventory` and `lake info` read them", path.display())]
    Url {
        /// As given.
        path: PathBuf,
    },
    /// Not a data directory.
    #[error("{} holds other files and is no data directory: give a new or empty one with --data", path.display())]
    Foreign {
        /// As given.
        path: PathBuf,
    },
    /// Written by a newer version.
    #[error("{} was written by a newer tapwire (format {found}, this one knows {known}): update, or give another --data", path.display())]
    Newer {
        /// The data directory.
        path: PathBuf,
        /// The format found.
        found: u32,
        /// The format that is understood.
        known: u32,
    },
    /// A second writer in this process.
    #[error("{0}: is written by another output")]
    Twice(String),
    /// A checkpoint's name that could leave its directory.
    #[error("`{0}` cannot name a checkpoint: a-z, 0-9 and `-` can")]
    Name(String),
    /// The key file holds no key.
    #[error("{} holds {found} bytes and no token key: 64 hexadecimal digits or 32 raw bytes are expected", path.display())]
    KeyLength {
        /// The key file.
        path: PathBuf,
        /// Its length.
        found: u64,
    },
    /// The key file has the right length, but is not hexadecimal.
    #[error("{} holds 64 characters that are not all hexadecimal digits: no token key", path.display())]
    KeyDigits {
        /// The key file.
        path: PathBuf,
    },
    /// The user's own key cannot be read or made.
    #[error("{cause}; to keep the token key elsewhere, give --token-key FILE or --data DIR")]
    UserKey {
        /// What failed.
        cause: Box<StoreError>,
    },
    /// The data directory was written with a key from elsewhere.
    #[error("{} does not exist: give the token key of the runs that wrote there with --token-key FILE", path.display())]
    OtherKey {
        /// Where the key would be.
        path: PathBuf,
    },
    /// There is nowhere to keep a key.
    #[error("no home directory to keep the token key in: give --token-key FILE or --data DIR")]
    NoHome,
}

impl StoreError {
    pub(crate) fn io(doing: &'static str, path: &Path, error: &io::Error) -> Self {
        let cause = match error.kind() {
            io::ErrorKind::NotFound => "no such file or directory".into(),
            io::ErrorKind::PermissionDenied => "permission denied".into(),
            io::ErrorKind::StorageFull => "the disk is full".into(),
            io::ErrorKind::QuotaExceeded => "the disk quota is used up".into(),
            io::ErrorKind::ReadOnlyFilesystem => "the file system is read-only".into(),
            io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
                "a file stands in its place".into()
            }
            _ => error.to_string(),
        };
        Self::Io { doing, path: path.to_owned(), cause }
    }
}

fn process(holder: &Option<u32>) -> String {
    holder.map(|p| format!(" (process {p})")).unwrap_or_default()
}
