//! Where the files of a lake are read: below a data directory, or in a store of objects.

use crate::error::LakeError;
use crate::file::FileRows;
use crate::log::{Log, Part, Snapshot, stored_snapshot};
use crate::schema::{TABLES, Table};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Objects with names such as `exchanges/_delta_log/00000000000000000000.json`. What goes wrong is told in one line.
pub trait Objects {
    /// Names that begin with a text, with their bytes.
    ///
    /// # Errors
    /// It cannot be asked.
    fn list(&self, begin: &str) -> Result<Vec<(String, u64)>, String>;

    /// The bytes of a small object; `None` where there is none.
    ///
    /// # Errors
    /// It cannot be asked.
    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, String>;

    /// So many bytes of an object, from a place on; `None` where there is no such object.
    ///
    /// # Errors
    /// It cannot be asked.
    fn part(&self, name: &str, from: u64, bytes: u64) -> Result<Option<Vec<u8>>, String>;
}

/// A store that tables are read from.
pub type Store = Arc<dyn Objects + Send + Sync>;

/// Where the tables of a lake are.
#[derive(Clone)]
pub enum Place {
    /// Below a data directory.
    Data(PathBuf),
    /// In a store, as [`crate::copy`] puts them there.
    Store(Store),
}

impl<P: AsRef<Path> + ?Sized> From<&P> for Place {
    fn from(data: &P) -> Self {
        Self::Data(data.as_ref().to_owned())
    }
}

impl Place {
    /// Every table as it is; `None` for one that is not there.
    pub(crate) fn snapshots(&self) -> Result<Vec<(&'static Table, Option<Snapshot>)>, LakeError> {
        if let Self::Data(data) = self
            && !data.join(crate::ROOM).is_dir()
        {
            return Err(LakeError::Missing { path: data.clone() });
        }
        let all = TABLES.iter().map(|table| Ok((table, self.snapshot(table)?)));
        let all = all.collect::<Result<Vec<_>, LakeError>>()?;
        if matches!(self, Self::Store(_)) && all.iter().all(|(_, snapshot)| snapshot.is_none()) {
            let why = "no tables are there: `tapwire lake copy` puts them into a store";
            return Err(LakeError::Store(why.into()));
        }
        Ok(all)
    }

    /// A table as it is; `None` where it is not there.
    pub(crate) fn snapshot(&self, table: &Table) -> Result<Option<Snapshot>, LakeError> {
        match self {
            Self::Data(data) => {
                let log = Log::of(&data.join(crate::ROOM).join(table.name));
                if log.exists()? { log.snapshot().map(Some) } else { Ok(None) }
            }
            Self::Store(store) => stored_snapshot(store.as_ref(), table.name),
        }
    }

    /// Opens a file of a table.
    pub(crate) fn open(&self, table: &str, part: &Part) -> Result<FileRows, LakeError> {
        match self {
            Self::Data(data) => {
                let path = data.join(crate::ROOM).join(table).join(&part.path);
                FileRows::open(&path).map_err(|error| match path.try_exists() {
                    Ok(false) => LakeError::Gone { path },
                    _ => error,
                })
            }
            Self::Store(store) => {
                FileRows::stored(Arc::clone(store), format!("{table}/{}", part.path), part.bytes)
            }
        }
    }
}
