//! Keeping a lake: retention, holds, compaction, vacuum, and logs that stay short.
//!
//! The time is an argument everywhere. Nothing here stands in the way of writers or readers: a writer only adds, files that
//! are taken out stay on the disk for the grace period, and where two commits meet, the one that comes second looks again.
//! One process keeps a lake at a time, by a lock on a file.

mod compact;
mod holds;
mod info;
mod plan;
mod vacuum;

use crate::error::LakeError;
use crate::log::{Deed, Log, Part, Snapshot, private_directory};
use crate::schema::{TABLES, Table};
use crate::time;
use crate::usage::Owed;
use plan::{Kept, Plan};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

pub use holds::{Held, Hold, hold, holds, release};
pub use info::{Info, TableInfo};
pub use vacuum::Deleted;

/// A log is given a checkpoint when so many commits came after the last one.
const COMMITS: u64 = 20;

/// How long what is kept, and how much of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Days by table; a table that is not there, or has 0, is kept for good.
    pub days: BTreeMap<&'static str, u32>,
    /// Bytes of all tables; 0: no limit.
    pub bytes: u64,
    /// Milliseconds that a file stays on the disk after it was taken out, for those who read.
    pub grace_ms: i64,
}

/// One round.
#[derive(Clone, Copy)]
pub struct Round<'a> {
    /// What is kept.
    pub policy: &'a Policy,
    /// The wall clock, in milliseconds since 1970-01-01 UTC.
    pub now_ms: i64,
    /// Bytes that rows may take in memory while files are put together, about.
    pub memory: usize,
    /// Only say what would go.
    pub dry: bool,
    /// Asked between two steps: where it says so, the round ends early.
    pub stop: &'a dyn Fn() -> bool,
}

/// What retention took out of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gone {
    /// The table.
    pub table: &'static str,
    /// Its first and last day that went.
    pub days: (String, String),
    /// Files.
    pub files: u64,
    /// Rows.
    pub rows: u64,
    /// Bytes.
    pub bytes: u64,
    /// Whether for their age; else for the limit of bytes.
    pub by_age: bool,
}

/// What a round did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Maintained {
    /// What retention took out of tables.
    pub gone: Vec<Gone>,
    /// Files that stay only because they are held.
    pub held: u64,
    /// Bytes beyond the limit that nothing may go for.
    pub over: u64,
    /// Small files that became part of larger ones.
    pub compacted: u64,
    /// Those larger ones.
    pub into: u64,
    /// Files that are off the disk.
    pub deleted: Deleted,
    /// Logs that were given a checkpoint.
    pub checkpoints: u64,
    /// Files of logs that a checkpoint made needless, and that went.
    pub log_files: u64,
    /// Files that could not be put together, each in a sentence.
    pub faults: Vec<String>,
}

/// Who keeps the lake; until this is dropped nobody else does.
fn lock(data: &Path) -> Result<File, LakeError> {
    let room = data.join(crate::ROOM);
    if !room.is_dir() {
        return Err(LakeError::Missing { path: data.to_owned() });
    }
    private_directory(&room)?;
    let path = room.join(".maintenance");
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
    let file = file.map_err(|error| LakeError::io("open", &path, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(LakeError::Busy { path: room }),
        Err(TryLockError::Error(error)) => Err(LakeError::io("lock", &path, &error)),
    }
}

/// Keeps the lake of that data directory: a round of everything that is due.
///
/// # Errors
/// There is none; another process keeps it; a file cannot be read, written or deleted.
pub fn maintain(data: &Path, round: &Round<'_>) -> Result<Maintained, LakeError> {
    let _lock = lock(data)?;
    let room = data.join(crate::ROOM);
    let mut tables = Vec::new();
    for table in TABLES {
        let directory = room.join(table.name);
        if Log::of(&directory).exists()? {
            tables.push(Room { table, log: Log::of(&directory), directory, room: room.clone() });
        }
    }
    let mut done = Maintained::default();
    retain(data, &tables, round, &mut done)?;
    for table in &tables {
        if (round.stop)() {
            break;
        }
        table.compact(round, &mut done)?;
        table.clear(round, &mut done)?;
    }
    Ok(done)
}

/// Takes out of the tables what is not to be kept.
fn retain(data: &Path, tables: &[Room], round: &Round<'_>, done: &mut Maintained) -> Result<(), LakeError> {
    let snapshots: Vec<Snapshot> =
        tables.iter().map(|table| table.log.snapshot()).collect::<Result<_, _>>()?;
    let kept = tables.iter().zip(&snapshots).map(|(room, snapshot)| Kept { table: room.table, snapshot });
    let kept: Vec<Kept<'_>> = kept.collect();
    let holds = holds::grown(data, round.dry)?;
    let plan = Plan::of(&kept, &holds, round.policy, time::day_of(round.now_ms));
    (done.held, done.over) = (plan.held, plan.over);
    let parts = plan.by_days.iter().zip(&plan.by_bytes);
    for ((room, snapshot), (by_days, by_bytes)) in tables.iter().zip(&snapshots).zip(parts) {
        let all: Vec<&Part> = by_days.iter().chain(by_bytes).copied().collect();
        let is_done = all.is_empty()
            || round.dry
            || room.log.replace(snapshot, Deed::Delete, &all, &[], round.now_ms)?;
        // Where another engine took some of them out meanwhile, the next round sees what is left.
        if is_done {
            done.gone.extend(gone(room.table, by_days, true));
            done.gone.extend(gone(room.table, by_bytes, false));
        }
    }
    Ok(())
}

fn gone(table: &Table, parts: &[&Part], by_age: bool) -> Option<Gone> {
    let days = || parts.iter().map(|part| &part.day);
    Some(Gone {
        table: table.name,
        days: (days().min()?.clone(), days().max()?.clone()),
        files: parts.len() as u64,
        rows: parts.iter().map(|part| part.rows).sum(),
        bytes: parts.iter().map(|part| part.bytes).sum(),
        by_age,
    })
}

/// A table that is kept.
struct Room {
    table: &'static Table,
    directory: PathBuf,
    log: Log,
    /// Where all tables are.
    room: PathBuf,
}

impl Room {
    fn compact(&self, round: &Round<'_>, done: &mut Maintained) -> Result<(), LakeError> {
        let snapshot = self.log.snapshot()?;
        let today = time::day_text(time::day_of(round.now_ms));
        let owed = Owed::of(&self.room, self.table)?;
        for group in compact::groups(&snapshot, &today, &owed.files) {
            if (round.stop)() {
                return Ok(());
            }
            let put = if round.dry {
                Ok(true)
            } else {
                compact::compact(&self.directory, self.table, &snapshot, &group, round)
            };
            match put {
                Ok(true) => {
                    done.compacted += group.len() as u64;
                    done.into += 1;
                }
                Ok(false) => {}
                // One file that cannot be read is no reason to keep the rest as it is.
                Err(error) => done.faults.push(error.to_string()),
            }
        }
        Ok(())
    }

    /// Deletes files, and makes the log short.
    fn clear(&self, round: &Round<'_>, done: &mut Maintained) -> Result<(), LakeError> {
        let mut snapshot = self.log.snapshot()?;
        let grace_ms = round.policy.grace_ms;
        let deleted = vacuum::vacuum(&self.directory, &mut snapshot, grace_ms, round.now_ms, round.dry)?;
        done.deleted.files += deleted.files;
        done.deleted.bytes += deleted.bytes;
        if round.dry {
            return Ok(());
        }
        if snapshot.since_checkpoint() >= COMMITS {
            self.log.checkpoint(&snapshot)?;
            done.checkpoints += 1;
        }
        let owed = Owed::of(&self.room, self.table)?;
        done.log_files += self.log.shorten(round.now_ms.saturating_sub(grace_ms), owed.until)?;
        Ok(())
    }
}
