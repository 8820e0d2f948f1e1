//! The log of a table, as the Delta protocol has it: reader version 1, writer version 2.
//!
//! A commit is a file of JSON lines with the next number. It is written beside, synced, and linked into place: whoever
//! finds the number taken takes the next one, and nobody ever reads half a commit. A checkpoint is the table at one commit
//! as a Parquet file, so that readers begin there.

mod action;
mod checkpoint;
mod copy;
mod stored;
#[cfg(test)]
mod tests;

pub use copy::{Content, Copied, Writable, copy};
pub(crate) use stored::stored_snapshot;

use crate::error::LakeError;
use crate::schema::Table;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

const LOG: &str = "_delta_log";

/// What names of checkpoints end in.
const CHECKPOINT: &str = ".checkpoint.parquet";

/// Tries to find a free number before something must be wrong.
const TRIES: u64 = 1_000;

/// Commits from one checkpoint of a writer to its next.
const CHECKPOINT_EVERY: u64 = 100;

/// A file of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    /// Its path below the table's directory.
    pub(crate) path: String,
    /// Its day, as its directory is named.
    pub(crate) day: String,
    pub(crate) bytes: u64,
    pub(crate) rows: u64,
    /// The first and last `time` in it, in milliseconds.
    pub(crate) times: Option<(i64, i64)>,
}

/// A file that was taken out of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tombstone {
    /// When, by the wall clock.
    pub(crate) removed_ms: i64,
    pub(crate) bytes: u64,
}

/// The log of one table.
#[derive(Debug, Clone)]
pub(crate) struct Log {
    directory: PathBuf,
}

/// The table at one commit.
#[derive(Debug, Clone, Default)]
pub(crate) struct Snapshot {
    /// The next commit's number.
    next: u64,
    /// The commit that its reading began at, by a checkpoint.
    checkpoint: Option<u64>,
    /// The files, by path.
    pub(crate) parts: BTreeMap<String, Part>,
    /// Files that are no longer part of it, and that a vacuum has not deleted yet.
    pub(crate) removed: BTreeMap<String, Tombstone>,
    /// What writers have noted of how far they are, by their names; the protocol's transaction identifiers.
    pub(crate) marks: BTreeMap<String, u64>,
    /// The table's `metaData` as its log has it.
    about: Option<Value>,
}

/// What a commit does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deed {
    /// Adds rows.
    Write,
    /// Takes rows out.
    Delete,
    /// Puts files together, and changes no row.
    Optimize,
}

impl Deed {
    const fn name(self) -> &'static str {
        match self {
            Self::Write => "WRITE",
            Self::Delete => "DELETE",
            Self::Optimize => "OPTIMIZE",
        }
    }
}

/// The numbers that a log has.
#[derive(Debug, Default)]
struct Numbers {
    commits: Vec<u64>,
    checkpoints: Vec<u64>,
}

impl Numbers {
    /// By the names of its files.
    fn of(names: impl Iterator<Item = impl AsRef<str>>) -> Self {
        let mut numbers = Self::default();
        for name in names {
            let number = |end: &str| name.as_ref().strip_suffix(end)?.parse::<u64>().ok();
            numbers.commits.extend(number(".json"));
            numbers.checkpoints.extend(number(CHECKPOINT));
        }
        numbers.commits.sort_unstable();
        numbers.checkpoints.sort_unstable();
        numbers
    }

    const fn is_empty(&self) -> bool {
        self.commits.is_empty() && self.checkpoints.is_empty()
    }
}

/// The files of a log, wherever they are.
trait Files {
    /// Where they are, for people.
    fn directory(&self) -> &Path;

    /// Which there are.
    fn numbers(&self) -> Result<Numbers, LakeError>;

    /// Takes a commit; [`LakeError::Gone`] where it is not there any more.
    fn take_commit(&self, number: u64, into: &mut Snapshot) -> Result<(), LakeError>;

    /// The table at a checkpoint; [`LakeError::Gone`] where it is not there any more.
    fn checkpoint(&self, number: u64) -> Result<Snapshot, LakeError>;
}

/// The table as its log has it.
fn snapshot_of(files: &dyn Files) -> Result<Snapshot, LakeError> {
    let mut tries = 0;
    loop {
        match try_snapshot(files) {
            // Between listing and reading, the log was made shorter: there is a later checkpoint then.
            Err(LakeError::Gone { .. }) if tries < 10 => tries += 1,
            other => return other,
        }
    }
}

fn try_snapshot(files: &dyn Files) -> Result<Snapshot, LakeError> {
    let numbers = files.numbers()?;
    let mut snapshot = Snapshot::default();
    if let Some(last) = numbers.checkpoints.last() {
        snapshot = files.checkpoint(*last)?;
        (snapshot.next, snapshot.checkpoint) = (last + 1, Some(*last));
    }
    let first = snapshot.next;
    for number in numbers.commits.into_iter().filter(|number| *number >= first) {
        if number != snapshot.next {
            let why = format!("commit {} is missing", snapshot.next);
            return Err(LakeError::Log { path: files.directory().to_owned(), why });
        }
        files.take_commit(number, &mut snapshot)?;
        snapshot.next = number + 1;
    }
    Ok(snapshot)
}

impl Files for Log {
    fn directory(&self) -> &Path {
        &self.directory
    }

    fn numbers(&self) -> Result<Numbers, LakeError> {
        let failed = |error: &std::io::Error| LakeError::io("read", &self.directory, error);
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.directory).map_err(|error| failed(&error))? {
            names.extend(entry.map_err(|error| failed(&error))?.file_name().into_string());
        }
        Ok(Numbers::of(names.iter()))
    }

    fn take_commit(&self, number: u64, into: &mut Snapshot) -> Result<(), LakeError> {
        let path = self.commit_path(number);
        let text = fs::read_to_string(&path).map_err(|error| gone_or(&path, &error))?;
        into.read(&text, &path)
    }

    fn checkpoint(&self, number: u64) -> Result<Snapshot, LakeError> {
        let path = self.checkpoint_path(number);
        let file = File::open(&path).map_err(|error| gone_or(&path, &error))?;
        checkpoint::read(file, &path)
    }
}

fn commit_name(number: u64) -> String {
    format!("{number:020}.json")
}

fn checkpoint_name(number: u64) -> String {
    format!("{number:020}{CHECKPOINT}")
}

impl Log {
    /// Of the table in that directory.
    pub(crate) fn of(directory: &Path) -> Self {
        Self { directory: directory.join(LOG) }
    }

    /// Whether there is a table. What cannot be read is not what is not there.
    pub(crate) fn exists(&self) -> Result<bool, LakeError> {
        match fs::read_dir(&self.directory) {
            // A file in its place is no log either.
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(false),
            _ => self.numbers().map(|numbers| !numbers.is_empty()),
        }
    }

    /// Makes the table where there is none; gives one of an earlier version the columns that it lacks.
    pub(crate) fn create(&self, table: &Table, now_ms: i64) -> Result<(), LakeError> {
        private_directory(&self.directory)?;
        if !self.exists()? && self.put(0, &action::creation(table, now_ms))? {
            return Ok(());
        }
        self.widen(table, now_ms)
    }

    /// Other engines see the columns that the schema names: one that only files have is none to them.
    fn widen(&self, table: &Table, now_ms: i64) -> Result<(), LakeError> {
        for _ in 0..TRIES {
            let snapshot = self.snapshot()?;
            let Some(lines) =
                snapshot.about.as_ref().and_then(|about| action::widening(about, table, now_ms))
            else {
                return Ok(());
            };
            if self.put(snapshot.next, &lines)? {
                return Ok(());
            }
        }
        Err(self.is_full())
    }

    /// Adds files to the table, and notes in the same step how far a writer is; gives the commit's number.
    pub(crate) fn add(
        &self,
        parts: &[Part],
        mark: Option<(&str, u64)>,
        now_ms: i64,
    ) -> Result<u64, LakeError> {
        let mut lines = vec![action::info(Deed::Write.name(), now_ms)];
        lines.extend(mark.map(|(who, version)| action::mark(who, version)));
        lines.extend(parts.iter().map(|part| action::addition(part, now_ms, true)));
        let next = self.last()?.map_or(0, |last| last + 1);
        for number in next..next + TRIES {
            if self.put(number, &lines)? {
                if number % CHECKPOINT_EVERY == 0 {
                    // The commit stands without it; maintenance makes one where it is missing.
                    let _ = self.snapshot().and_then(|snapshot| self.checkpoint(&snapshot));
                }
                return Ok(number);
            }
        }
        Err(self.is_full())
    }

    /// The commits after that one, in their order. What a maintenance has taken away is not known any more.
    pub(crate) fn commits_since(&self, number: u64) -> Result<Vec<u64>, LakeError> {
        Ok(self.numbers()?.commits.into_iter().filter(|commit| *commit > number).collect())
    }

    /// When that commit was written, in milliseconds since 1970-01-01.
    pub(crate) fn written_ms(&self, commit: u64) -> Option<i64> {
        written_ms(&self.commit_path(commit))
    }

    /// Files whose rows came with that commit.
    pub(crate) fn added_by(&self, commit: u64) -> Result<Vec<Part>, LakeError> {
        let path = self.commit_path(commit);
        let text = fs::read_to_string(&path).map_err(|error| gone_or(&path, &error))?;
        let actions = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        Ok(actions.filter_map(|action| action::added(&action)).collect())
    }

    /// Takes files out of the table as it was at `base` and puts others in, in one step. `false` where another has taken
    /// out one of them since: then nothing is done.
    pub(crate) fn replace(
        &self,
        base: &Snapshot,
        deed: Deed,
        remove: &[&Part],
        add: &[Part],
        now_ms: i64,
    ) -> Result<bool, LakeError> {
        // Where files are only put together, readers of changes have nothing to hear.
        let changes = deed != Deed::Optimize;
        let mut lines = vec![action::info(deed.name(), now_ms)];
        lines.extend(remove.iter().map(|part| action::removal(part, now_ms, changes)));
        lines.extend(add.iter().map(|part| action::addition(part, now_ms, changes)));
        for number in base.next..base.next + TRIES {
            if self.put(number, &lines)? {
                return Ok(true);
            }
            let mut between = Snapshot::default();
            self.take_commit(number, &mut between)?;
            if remove.iter().any(|part| between.removed.contains_key(&part.path)) {
                return Ok(false);
            }
        }
        Err(self.is_full())
    }

    /// The table as it is.
    pub(crate) fn snapshot(&self) -> Result<Snapshot, LakeError> {
        snapshot_of(self)
    }

    /// Writes the table at that commit as a checkpoint.
    pub(crate) fn checkpoint(&self, snapshot: &Snapshot) -> Result<(), LakeError> {
        let Some(version) = snapshot.next.checked_sub(1) else { return Ok(()) };
        let place = self.checkpoint_path(version);
        let (beside, file) = self.beside(&format!("{version:020}.checkpoint"))?;
        let size = checkpoint::write(&beside, file, snapshot)?;
        fs::rename(&beside, &place).map_err(|error| LakeError::io("write", &place, &error))?;
        sync_directory(&self.directory)?;
        let hint = self.directory.join("_last_checkpoint");
        let (beside, file) = self.beside("_last_checkpoint")?;
        let text = serde_json::json!({"version": version, "size": size}).to_string();
        let written = write_and_sync(file, text.as_bytes()).and_then(|()| fs::rename(&beside, &hint));
        written.map_err(|error| LakeError::io("write", &hint, &error))
    }

    /// Deletes commits that a checkpoint has made needless, and older checkpoints, where they were written before
    /// `before_ms`: who reads them has read them by then. Commits after `until` stay. Gives how many files went.
    pub(crate) fn shorten(&self, before_ms: i64, until: u64) -> Result<u64, LakeError> {
        let numbers = self.numbers()?;
        let Some(last) = numbers.checkpoints.last().copied() else { return Ok(0) };
        let commits = numbers.commits.iter().filter(|number| **number <= last.min(until));
        let checkpoints = numbers.checkpoints.iter().filter(|number| **number < last);
        // The oldest first, so that what is left has no hole.
        let files = checkpoints.map(|number| self.checkpoint_path(*number));
        let files = files.chain(commits.map(|number| self.commit_path(*number)));
        let mut gone = 0;
        for path in files.filter(|path| written_ms(path).is_some_and(|ms| ms < before_ms)) {
            fs::remove_file(&path).map_err(|error| LakeError::io("delete", &path, &error))?;
            gone += 1;
        }
        Ok(gone)
    }

    fn is_full(&self) -> LakeError {
        LakeError::Log { path: self.directory.clone(), why: "no number for a commit is free".into() }
    }

    fn last(&self) -> Result<Option<u64>, LakeError> {
        let numbers = self.numbers()?;
        Ok(numbers.commits.last().max(numbers.checkpoints.last()).copied())
    }

    fn commit_path(&self, number: u64) -> PathBuf {
        self.directory.join(commit_name(number))
    }

    fn checkpoint_path(&self, number: u64) -> PathBuf {
        self.directory.join(checkpoint_name(number))
    }

    /// A new file beside those of the log. Nobody else writes to it: several threads of a process commit to one table, and
    /// in containers several processes have one number.
    fn beside(&self, name: &str) -> Result<(PathBuf, File), LakeError> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        loop {
            let serial = NEXT.fetch_add(1, Ordering::Relaxed);
            let path = self.directory.join(format!(".{name}.{}.{serial}.new", std::process::id()));
            match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
                Ok(file) => return Ok((path, file)),
                // A killed process left it.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(LakeError::io("write", &path, &error)),
            }
        }
    }

    /// Puts a commit into place; `false` where the number is taken.
    fn put(&self, number: u64, lines: &[Value]) -> Result<bool, LakeError> {
        let place = self.commit_path(number);
        let (beside, file) = self.beside(&format!("{number:020}"))?;
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let written = write_and_sync(file, text.as_bytes());
        written.map_err(|error| LakeError::io("write", &beside, &error))?;
        let linked = fs::hard_link(&beside, &place);
        let _ = fs::remove_file(&beside);
        match linked {
            Ok(()) => {
                sync_directory(&self.directory)?;
                Ok(true)
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(LakeError::io("write", &place, &error)),
        }
    }
}

impl Snapshot {
    /// Whether it was made, and nothing was ever written to it.
    pub(crate) const fn is_new(&self) -> bool {
        self.next <= 1
    }

    /// Commits since the last checkpoint.
    pub(crate) fn since_checkpoint(&self) -> u64 {
        self.next.saturating_sub(self.checkpoint.map_or(0, |number| number + 1))
    }

    /// Takes the text of a commit, which stands at `path`.
    fn read(&mut self, text: &str, path: &Path) -> Result<(), LakeError> {
        for line in text.lines() {
            let action = serde_json::from_str(line).map_err(|_| LakeError::Log {
                path: path.to_owned(),
                why: "holds a line that is no JSON".into(),
            })?;
            self.take(&action, path)?;
        }
        Ok(())
    }

    fn take(&mut self, action: &Value, path: &Path) -> Result<(), LakeError> {
        let wrong = |why: &str| LakeError::Log { path: path.to_owned(), why: why.into() };
        let member = |name: &str| action.get(name).filter(|value| !value.is_null());
        if let Some(protocol) = member("protocol")
            && protocol.get("minReaderVersion").and_then(Value::as_u64).is_none_or(|version| version > 1)
        {
            return Err(wrong("asks for a newer reader of Delta tables than this one"));
        }
        if let Some(about) = member("metaData") {
            self.about = Some(about.clone());
        }
        if let Some(add) = member("add") {
            let part = action::part_of(add).ok_or_else(|| wrong("adds a file that it does not describe"))?;
            self.removed.remove(&part.path);
            self.parts.insert(part.path.clone(), part);
        }
        if let Some((who, version)) = member("txn").and_then(action::mark_of) {
            self.marks.insert(who, version);
        }
        if let Some((path, tombstone)) = member("remove").and_then(action::tombstone_of) {
            self.parts.remove(&path);
            self.removed.insert(path, tombstone);
        }
        Ok(())
    }
}

/// A file of the log that is not there, or what else is wrong with it.
fn gone_or(path: &Path, error: &std::io::Error) -> LakeError {
    match error.kind() {
        ErrorKind::NotFound => LakeError::Gone { path: path.to_owned() },
        _ => LakeError::io("read", path, error),
    }
}

/// When the file was last written, in milliseconds since 1970-01-01.
pub(crate) fn written_ms(path: &Path) -> Option<i64> {
    let written = fs::metadata(path).and_then(|about| about.modified()).ok()?;
    let since = written.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).ok()
}

/// Makes the directory, for its owner only.
pub(crate) fn private_directory(path: &Path) -> Result<(), LakeError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|error| LakeError::io("make", path, &error))
}

/// Has the system write the directory's entries to the disk.
pub(crate) fn sync_directory(path: &Path) -> Result<(), LakeError> {
    let synced = File::open(path).and_then(|directory| directory.sync_all());
    synced.map_err(|error| LakeError::io("write", path, &error))
}

pub(crate) fn write_durably(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    write_and_sync(file, bytes)
}

fn write_and_sync(mut file: File, bytes: &[u8]) -> std::io::Result<()> {
    file.write_all(bytes)?;
    file.sync_all()
}
