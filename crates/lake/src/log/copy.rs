//! A copy of the tables in a store of objects, for engines elsewhere.
//!
//! The tables of a directory are what is copied, and nothing else writes there. Files go first, then each commit under its
//! number and only where there is none, so that readers see whole tables, and of two that copy to one place one is told.

use super::{Files, Log, Snapshot};
use crate::error::LakeError;
use crate::place::Objects;
use crate::schema::TABLES;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// What is written.
#[derive(Debug, Clone, Copy)]
pub enum Content<'a> {
    /// Bytes.
    Bytes(&'a [u8]),
    /// A file.
    File(&'a Path),
}

/// Objects that can be written.
pub trait Writable: Objects {
    /// Writes an object, also over one; `false` where the file that it is of is not there any more.
    ///
    /// # Errors
    /// It cannot be written.
    fn put(&self, name: &str, content: Content<'_>) -> Result<bool, String>;

    /// Writes a small object where there is none; `false` where there is one.
    ///
    /// # Errors
    /// It cannot be written.
    fn put_new(&self, name: &str, bytes: &[u8]) -> Result<bool, String>;

    /// Deletes an object.
    ///
    /// # Errors
    /// It cannot be deleted.
    fn delete(&self, name: &str) -> Result<(), String>;
}

/// What a copy did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Copied {
    /// Files that were written.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Commits that were written.
    pub commits: u64,
    /// Objects that were deleted: their files are gone here, too.
    pub deleted: u64,
}

/// Which table a folder is a copy of. Readers of Delta tables pass over names that begin so.
const MARK: &str = "_tapwire_copy_of";
const HINT: &str = "_delta_log/_last_checkpoint";

/// While a copy is made, a file may be put together with others and be deleted; then it is looked at anew.
const TRIES: u32 = 5;

/// Brings the copy of every table of that data directory up to the table as it is.
///
/// # Errors
/// A table cannot be read; the place cannot be written, or holds other tables.
pub fn copy(data: &Path, to: &dyn Writable) -> Result<Copied, LakeError> {
    let room = data.join(crate::ROOM);
    if !room.is_dir() {
        return Err(LakeError::Missing { path: data.to_owned() });
    }
    let mut copied = Copied::default();
    for table in TABLES {
        let directory = room.join(table.name);
        let log = Log::of(&directory);
        if log.exists()? {
            let mut one =
                Copy { name: table.name, directory: &directory, log: &log, to, copied: &mut copied };
            one.run()?;
        }
    }
    Ok(copied)
}

/// The copy of one table.
struct Copy<'a> {
    name: &'static str,
    directory: &'a Path,
    log: &'a Log,
    to: &'a dyn Writable,
    copied: &'a mut Copied,
}

/// What is there of the table.
struct There {
    /// Bytes by name, below the table's folder.
    objects: BTreeMap<String, u64>,
    /// The number of the last commit or checkpoint.
    last: Option<u64>,
}

impl Copy<'_> {
    fn run(&mut self) -> Result<(), LakeError> {
        let mut tries = 0;
        loop {
            match self.once() {
                Err(LakeError::Gone { .. }) if tries < TRIES => tries += 1,
                other => return other,
            }
        }
    }

    fn once(&mut self) -> Result<(), LakeError> {
        let snapshot = self.log.snapshot()?;
        let there = self.there()?;
        self.claim(&snapshot, &there)?;
        self.compare(&snapshot, &there)?;
        for part in snapshot.parts.values() {
            if there.objects.get(&part.path) != Some(&part.bytes) {
                self.file(&part.path)?;
                self.copied.files += 1;
                self.copied.bytes += part.bytes;
            }
        }
        let numbers = self.log.numbers()?;
        let checkpoint = numbers.checkpoints.iter().copied().rfind(|number| *number < snapshot.next);
        let taken_out = self.commits(&snapshot, &numbers.commits, checkpoint, &there)?;
        let base = checkpoint.map(|number| self.checkpoint(number, &there)).transpose()?.flatten();
        self.delete(&snapshot, &there, taken_out.as_ref(), base)
    }

    fn there(&self) -> Result<There, LakeError> {
        let begin = format!("{}/", self.name);
        let listed = self.to.list(&begin).map_err(LakeError::Copy)?;
        let name = |name: String| name.strip_prefix(&begin).map(str::to_owned);
        let objects: BTreeMap<String, u64> =
            listed.into_iter().filter_map(|(full, bytes)| Some((name(full)?, bytes))).collect();
        let last = objects.keys().filter_map(|name| number_of(name)).max();
        Ok(There { objects, last })
    }

    /// Makes sure that what is there is a copy of this table.
    fn claim(&self, snapshot: &Snapshot, there: &There) -> Result<(), LakeError> {
        let id = snapshot.about.as_ref().and_then(|about| about.get("id")).and_then(Value::as_str);
        let id = id.ok_or_else(|| LakeError::Log {
            path: self.directory.to_owned(),
            why: "says nothing of its table".into(),
        })?;
        let other = || {
            LakeError::Copy(format!(
                "the table {} there is no copy of this one: give each data directory a folder of its own",
                self.name
            ))
        };
        let mark = self.full(MARK);
        if there.objects.contains_key(MARK) {
            let known = self.to.get(&mark).map_err(LakeError::Copy)?;
            return if known.as_deref() == Some(id.as_bytes()) { Ok(()) } else { Err(other()) };
        }
        if there.last.is_some() {
            return Err(other());
        }
        match self.to.put_new(&mark, id.as_bytes()).map_err(LakeError::Copy)? {
            true => Ok(()),
            false if self.to.get(&mark).map_err(LakeError::Copy)?.as_deref() == Some(id.as_bytes()) => Ok(()),
            false => Err(other()),
        }
    }

    /// Makes sure that the last commit that is there is ours: what follows goes behind it.
    fn compare(&self, snapshot: &Snapshot, there: &There) -> Result<(), LakeError> {
        let Some(last) = there.last else { return Ok(()) };
        let name = log_name(last, "json");
        let is_ours = match fs::read(self.log.commit_path(last)) {
            Ok(here) if there.objects.contains_key(&name) => {
                self.to.get(&self.full(&name)).map_err(LakeError::Copy)?.is_none_or(|there| there == here)
            }
            // The log was made shorter since.
            _ => last < snapshot.next,
        };
        if is_ours { Ok(()) } else { Err(self.others(&name)) }
    }

    fn others(&self, name: &str) -> LakeError {
        LakeError::Copy(format!(
            "{} there is another's: only one lake can be copied to a place",
            self.full(name)
        ))
    }

    /// Writes the commits that are not there; gives the files that these take out, where all of them were there to be read.
    fn commits(
        &mut self,
        snapshot: &Snapshot,
        numbers: &[u64],
        checkpoint: Option<u64>,
        there: &There,
    ) -> Result<Option<BTreeSet<String>>, LakeError> {
        let first = there.last.map_or(0, |last| last + 1);
        let next = numbers.iter().find(|number| **number >= first);
        // Where the log was made shorter than what is there reaches, readers begin at a checkpoint.
        let from = match checkpoint.filter(|checkpoint| *checkpoint >= first) {
            Some(checkpoint) if next.is_none_or(|next| *next != first) => {
                self.file(&log_name(checkpoint, "checkpoint.parquet"))?;
                checkpoint + 1
            }
            _ => first,
        };
        let mut taken_out = (from == first).then(BTreeSet::new);
        for number in numbers.iter().copied().filter(|number| (from..snapshot.next).contains(number)) {
            let path = self.log.commit_path(number);
            let bytes = fs::read(&path).map_err(|error| super::gone_or(&path, &error))?;
            taken_out.iter_mut().for_each(|all| all.extend(removed(&bytes)));
            self.commit(&log_name(number, "json"), &bytes)?;
        }
        Ok(taken_out)
    }

    /// Writes the checkpoint, and that it is the last; gives its number where it was there before: who reads what it makes
    /// needless has had the time.
    fn checkpoint(&self, number: u64, there: &There) -> Result<Option<u64>, LakeError> {
        let name = log_name(number, "checkpoint.parquet");
        let was_there = there.objects.contains_key(&name);
        if !was_there {
            self.file(&name)?;
        }
        let hint = fs::read(self.directory.join(HINT)).unwrap_or_default();
        let told: Value = serde_json::from_slice(&hint).unwrap_or_default();
        if told.get("version").and_then(Value::as_u64) != Some(number) {
            // Another is being made at this moment, or was cut short: readers find this one by its name.
            return Ok(None);
        }
        let full = self.full(HINT);
        if self.to.get(&full).map_err(LakeError::Copy)?.is_none_or(|known| known != hint) {
            self.to.put(&full, Content::Bytes(&hint)).map_err(LakeError::Copy)?;
        }
        Ok(was_there.then_some(number))
    }

    /// Writes a commit. One that is there already is the same, written by a try whose answer was lost, or another's.
    fn commit(&mut self, name: &str, bytes: &[u8]) -> Result<(), LakeError> {
        let full = self.full(name);
        for _ in 0..TRIES {
            if self.to.put_new(&full, bytes).map_err(LakeError::Copy)? {
                self.copied.commits += 1;
                return Ok(());
            }
            match self.to.get(&full).map_err(LakeError::Copy)? {
                Some(there) if there == bytes => return Ok(()),
                Some(_) => break,
                // Its writer was told that it failed.
                None => {}
            }
        }
        Err(self.others(name))
    }

    fn file(&self, name: &str) -> Result<(), LakeError> {
        let path = self.directory.join(name);
        match self.to.put(&self.full(name), Content::File(&path)).map_err(LakeError::Copy)? {
            true => Ok(()),
            false => Err(LakeError::Gone { path }),
        }
    }

    /// Deletes what is gone here. What a commit of this time takes out stays for those who began to read before, until the next
    /// time; of the log goes what the checkpoint `base` has made needless.
    fn delete(
        &mut self,
        snapshot: &Snapshot,
        there: &There,
        taken_out: Option<&BTreeSet<String>>,
        base: Option<u64>,
    ) -> Result<(), LakeError> {
        let is_over = |name: &str| match (number_of(name), base) {
            (Some(number), Some(base)) => number < base || number == base && name.ends_with(".json"),
            (Some(_), None) => false,
            (None, _) => {
                let is_kept =
                    |all: &BTreeSet<String>| all.contains(name) || snapshot.parts.contains_key(name);
                name.starts_with("day=") && !taken_out.is_none_or(is_kept)
            }
        };
        for name in there.objects.keys().filter(|name| is_over(name)) {
            if !self.directory.join(name).exists() {
                self.to.delete(&self.full(name)).map_err(LakeError::Copy)?;
                self.copied.deleted += 1;
            }
        }
        Ok(())
    }

    fn full(&self, name: &str) -> String {
        format!("{}/{name}", self.name)
    }
}

fn log_name(number: u64, end: &str) -> String {
    format!("_delta_log/{number:020}.{end}")
}

/// The number of a commit or checkpoint.
fn number_of(name: &str) -> Option<u64> {
    let name = name.strip_prefix("_delta_log/")?;
    name.strip_suffix(".json").or_else(|| name.strip_suffix(".checkpoint.parquet"))?.parse().ok()
}

/// The files that a commit takes out.
fn removed(commit: &[u8]) -> impl Iterator<Item = String> {
    let lines = commit.split(|byte| *byte == b'\n');
    lines.filter_map(|line| {
        let action: Value = serde_json::from_slice(line).ok()?;
        Some(action.get("remove")?.get("path")?.as_str()?.to_owned())
    })
}
