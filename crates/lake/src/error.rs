//! What can go wrong with tables.

use crate::object::Unread;
use std::path::{Path, PathBuf};

/// Trouble with the lake. Content of events never stands in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LakeError {
    /// The system refused.
    #[error("{path}: cannot {what}: {why}", path = path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// The system's reason.
        why: String,
    },
    /// A file of a table cannot be written or read as Parquet.
    #[error("{path}: {why}", path = path.display())]
    Parquet {
        /// The file.
        path: PathBuf,
        /// The library's reason.
        why: String,
    },
    /// The log says what is not understood.
    #[error("{path}: {why}", path = path.display())]
    Log {
        /// The file of the log.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A file of the log is not there any more.
    #[error("{path}: it is gone", path = path.display())]
    Gone {
        /// The file.
        path: PathBuf,
    },
    /// Another process keeps the lake at this moment.
    #[error("{path}: another tapwire maintains these tables; try again when it is done", path = path.display())]
    Busy {
        /// The lake.
        path: PathBuf,
    },
    /// A hold cannot be made or released.
    #[error("{0}")]
    Hold(String),
    /// A store cannot be asked, or has no such tables.
    #[error("{0}")]
    Store(String),
    /// A copy cannot be made.
    #[error("{0}")]
    Copy(String),
    /// There is no lake.
    #[error("{path}: no lake is kept there: `tapwire replay PATH --data DIR` and `tapwire run` write one", path = path.display())]
    Missing {
        /// The data directory.
        path: PathBuf,
    },
    /// The query is wrong.
    #[error("{0}")]
    Query(String),
}

impl LakeError {
    pub(crate) fn io(what: &'static str, path: &Path, error: &std::io::Error) -> Self {
        Self::Io { what, path: path.to_owned(), why: error.to_string() }
    }

    pub(crate) fn parquet(path: &Path, error: &parquet::errors::ParquetError) -> Self {
        use parquet::errors::ParquetError::External;
        // Where the bytes did not come, nothing is wrong with the file.
        if let External(why) = error
            && let Some(unread) = why.downcast_ref::<Unread>()
        {
            return Self::Store(unread.to_string());
        }
        Self::Parquet { path: path.to_owned(), why: error.to_string() }
    }
}
