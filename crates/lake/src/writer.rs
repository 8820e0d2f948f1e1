//! Takes rendered events and puts them into their tables.

use crate::error::LakeError;
use crate::log::private_directory;
use crate::scan::Members;
use crate::schema::TABLES;
use crate::split::table_of;
use crate::table::{Cut, TableWriter};
use std::path::{Path, PathBuf};

/// The writer of a lake. One at a time: the lock of the data directory is its caller's.
pub struct Lake {
    room: PathBuf,
    now_ms: i64,
    cut: Cut,
    /// Opened with the first event of their class.
    tables: Vec<Option<TableWriter>>,
}

/// What became of events.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Taken {
    /// Of no table, or no event.
    pub refused: u64,
    /// Became part of their table.
    pub committed: u64,
}

impl Lake {
    /// The lake of that data directory. `now_ms` is the time of the wall clock, in milliseconds since 1970-01-01 UTC: tables
    /// keep when they were made.
    ///
    /// # Errors
    /// The directory cannot be made.
    pub fn open(data: &Path, now_ms: i64) -> Result<Self, LakeError> {
        let room = data.join(crate::ROOM);
        private_directory(&room)?;
        Ok(Self { room, now_ms, cut: Cut::default(), tables: TABLES.iter().map(|_| None).collect() })
    }

    /// Takes events, one a line.
    ///
    /// # Errors
    /// A file cannot be written. What is not committed by then is lost.
    pub fn write(&mut self, lines: &str) -> Result<Taken, LakeError> {
        let mut taken = Taken::default();
        for event in lines.lines() {
            match self.place(event) {
                Some((table, ms)) => {
                    taken.committed += self.table(table)?.map_or(Ok(0), |to| to.take(event, ms))?
                }
                None => taken.refused += 1,
            }
        }
        Ok(taken)
    }

    /// Makes everything that was taken part of its table; gives how many events these were.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn commit(&mut self) -> Result<u64, LakeError> {
        let mut committed = 0;
        for table in self.tables.iter_mut().flatten() {
            committed += table.commit_all()?;
        }
        Ok(committed)
    }

    fn place(&self, event: &str) -> Option<(usize, i64)> {
        // A torn event is none, whatever it still holds.
        let table = table_of(event).filter(|_| event.trim_end().ends_with('}'))?;
        let ms = Members::of(event)?.find(|(name, _)| *name == "time")?.1.parse().ok()?;
        Some((table, ms))
    }

    fn table(&mut self, at: usize) -> Result<Option<&mut TableWriter>, LakeError> {
        let (Some(place), Some(table)) = (self.tables.get_mut(at), TABLES.get(at)) else { return Ok(None) };
        if place.is_none() {
            *place = Some(TableWriter::open(&self.room, table, self.cut, self.now_ms)?);
        }
        Ok(place.as_mut())
    }
}
