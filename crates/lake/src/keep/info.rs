//! What a lake keeps, and how fast it grows.

use super::holds::{Hold, holds};
use crate::error::LakeError;
use crate::log::Snapshot;
use crate::place::Place;

/// The rate is that of so many days.
const RATE_MS: i64 = 7 * 86_400_000;

/// A rate of less than an hour says nothing.
const LEAST_MS: i64 = 3_600_000;

/// What a lake keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Info {
    /// Its tables, those that are there.
    pub tables: Vec<TableInfo>,
    /// Its holds.
    pub holds: Vec<Hold>,
    /// Bytes a day, as the last seven days had them, or what there is of these; `None` where less than an hour is.
    pub bytes_a_day: Option<u64>,
}

/// What a table keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableInfo {
    /// Its name.
    pub name: &'static str,
    /// Its rows.
    pub rows: u64,
    /// Its files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The oldest and the newest day.
    pub days: Option<(String, String)>,
    /// Bytes of files that were taken out, and that wait for their grace period to end.
    pub waiting_bytes: u64,
    /// Commits that a reader reads after the last checkpoint.
    pub commits: u64,
}

impl Info {
    /// Of the lake in that data directory or store, at that time. Holds are the directory's.
    ///
    /// # Errors
    /// There is none; its logs cannot be read.
    pub fn of(place: impl Into<Place>, now_ms: i64) -> Result<Self, LakeError> {
        let place = place.into();
        let (mut tables, mut recent) = (Vec::new(), Recent::default());
        for (table, snapshot) in place.snapshots()? {
            if let Some(snapshot) = snapshot {
                recent.take(&snapshot, now_ms);
                tables.push(TableInfo::of(table.name, &snapshot));
            }
        }
        let holds = if let Place::Data(data) = &place { holds(data)? } else { Vec::new() };
        Ok(Self { tables, holds, bytes_a_day: recent.bytes_a_day(now_ms) })
    }

    /// Bytes of all tables.
    pub fn bytes(&self) -> u64 {
        self.tables.iter().map(|table| table.bytes).sum()
    }

    /// Days that so many bytes last.
    pub fn days_of(&self, bytes: u64) -> Option<u64> {
        bytes.checked_div(self.bytes_a_day?)
    }
}

impl TableInfo {
    fn of(name: &'static str, snapshot: &Snapshot) -> Self {
        let parts = || snapshot.parts.values();
        let days = || parts().map(|part| &part.day);
        Self {
            name,
            rows: parts().map(|part| part.rows).sum(),
            files: snapshot.parts.len() as u64,
            bytes: parts().map(|part| part.bytes).sum(),
            days: days().min().cloned().zip(days().max().cloned()),
            waiting_bytes: snapshot.removed.values().map(|one| one.bytes).sum(),
            commits: snapshot.since_checkpoint(),
        }
    }
}

/// What the last days brought.
#[derive(Debug, Default)]
struct Recent {
    bytes: u64,
    first_ms: Option<i64>,
}

impl Recent {
    fn take(&mut self, snapshot: &Snapshot, now_ms: i64) {
        for part in snapshot.parts.values() {
            let Some((first, last)) = part.times.filter(|(first, _)| *first >= now_ms - RATE_MS) else {
                continue;
            };
            if last <= now_ms.saturating_add(LEAST_MS) {
                self.bytes += part.bytes;
                self.first_ms = Some(self.first_ms.map_or(first, |known| known.min(first)));
            }
        }
    }

    fn bytes_a_day(&self, now_ms: i64) -> Option<u64> {
        let span = u128::try_from(now_ms - self.first_ms?).ok().filter(|span| *span >= LEAST_MS as u128)?;
        u64::try_from(u128::from(self.bytes) * 86_400_000 / span).ok()
    }
}
