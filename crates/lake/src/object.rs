//! A file of a table as an object of a store, read a piece at a time.

use crate::place::Store;
use bytes::{Buf, Bytes};
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// What is asked for where less is wanted: what a file says of itself fits, and small files are one request.
const LEAST: u64 = 256 << 10;

/// An object. The piece that was asked for last is kept, and what lies within it is not asked for again.
#[derive(Clone)]
pub(crate) struct Remote(Arc<Inner>);

struct Inner {
    store: Store,
    name: String,
    bytes: u64,
    piece: Mutex<Piece>,
}

#[derive(Debug, Clone, Default)]
struct Piece {
    from: u64,
    bytes: Bytes,
}

impl Piece {
    /// What it has from there on, where that is at least so much.
    fn from(&self, start: u64, least: u64) -> Option<Bytes> {
        let at = usize::try_from(start.checked_sub(self.from)?).ok()?;
        let rest = self.bytes.len().checked_sub(at)?;
        (rest > 0 && rest as u64 >= least).then(|| self.bytes.slice(at..))
    }
}

/// Why a piece of an object is not there.
#[derive(Debug)]
pub(crate) struct Unread(pub(crate) String);

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unread {}

impl Remote {
    pub(crate) fn new(store: Store, name: String, bytes: u64) -> Self {
        Self(Arc::new(Inner { store, name, bytes, piece: Mutex::default() }))
    }

    /// What is from `start` on: at least `bytes` of it, in one request where they are not there yet.
    pub(crate) fn fetch(&self, start: u64, bytes: u64) -> Result<Bytes, Unread> {
        let inner = self.0.as_ref();
        let mut piece = inner.piece.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = piece.from(start, bytes) {
            return Ok(known);
        }
        // What stands at the end is asked for with what stands before it.
        let wanted = bytes.max(LEAST).min(inner.bytes);
        let from = start.min(inner.bytes - wanted);
        let asked = inner.store.part(&inner.name, from, wanted).map_err(Unread)?;
        let gone = || Unread(format!("{}: it was taken out while it was read: ask again", inner.name));
        *piece = Piece { from, bytes: asked.ok_or_else(gone)?.into() };
        piece
            .from(start, bytes)
            .ok_or_else(|| Unread(format!("{}: it is shorter than its log says", inner.name)))
    }
}

impl Length for Remote {
    fn len(&self) -> u64 {
        self.0.bytes
    }
}

impl ChunkReader for Remote {
    type T = bytes::buf::Reader<Bytes>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        self.fetch(start, 1).map(Buf::reader).map_err(|unread| ParquetError::External(Box::new(unread)))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let read =
            self.fetch(start, length as u64).map_err(|unread| ParquetError::External(Box::new(unread)))?;
        Ok(read.slice(..length))
    }
}
