//! Takes rendered events and puts them into their tables.

use crate::batch::Rows;
use crate::error::LakeError;
use crate::log::private_directory;
use crate::scan::Members;
use crate::schema::{TABLES, USAGE};
use crate::split::table_of;
use crate::table::{Cut, TableWriter};
use crate::usage::{KEY_BYTES, Unsummed};
use std::path::{Path, PathBuf};

/// The writer of a lake. One at a time: the lock of the data directory is its caller's.
pub struct Lake {
    room: PathBuf,
    now_ms: i64,
    cut: Cut,
    /// Events are of one run, which numbers them.
    counts: bool,
    /// Bytes that rows may take before they go to the disk.
    memory: usize,
    /// Opened with the first event of their class.
    tables: Vec<Option<TableWriter>>,
    accepted: Amount,
    refused: Amount,
    /// Events whose table cannot be opened.
    homeless: Amount,
    /// Sums did not become part of their table.
    owes: bool,
}

/// Rows in memory, where nothing else is said: some row groups.
const MEMORY: usize = 64 << 20;

/// Smaller row groups are not worth their headers.
const LEAST_GROUP: usize = 256 << 10;

/// What became of events.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Taken {
    /// Of no table, or no event.
    pub refused: u64,
    /// Became part of their table.
    pub committed: u64,
}

/// An amount of events, and of their bytes as lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Amount {
    /// Events.
    pub events: u64,
    /// Bytes, those that end lines with them.
    pub bytes: u64,
}

impl Amount {
    /// Of one event in so many bytes.
    const fn one(bytes: usize) -> Self {
        Self { events: 1, bytes: bytes as u64 }
    }

    /// Adds to it.
    pub const fn add(&mut self, more: Self) {
        self.events += more.events;
        self.bytes += more.bytes;
    }

    /// What is left of it without those, which were in it.
    #[must_use]
    pub const fn without(self, less: Self) -> Self {
        Self { events: self.events.saturating_sub(less.events), bytes: self.bytes.saturating_sub(less.bytes) }
    }
}

/// What became of all events since the lake was opened: `accepted = refused + committed + failed + waiting`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ledger {
    /// Came in.
    pub accepted: Amount,
    /// Of no table, or no event.
    pub refused: Amount,
    /// Became part of their table.
    pub committed: Amount,
    /// Cannot become part of it: a file could not be written.
    pub failed: Amount,
}

impl Ledger {
    /// What is part of no table yet.
    pub const fn waiting(&self) -> Amount {
        self.accepted.without(self.refused).without(self.committed).without(self.failed)
    }
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
        let tables = TABLES.iter().map(|_| None).collect();
        let none = Amount::default();
        Ok(Self {
            room,
            now_ms,
            cut: Cut::default(),
            counts: false,
            memory: MEMORY,
            tables,
            accepted: none,
            refused: none,
            homeless: none,
            owes: false,
        })
    }

    /// The same with about so much memory for rows that are not on the disk yet; less makes smaller row groups.
    #[must_use]
    pub fn bounded(mut self, bytes: usize) -> Self {
        self.memory = bytes;
        self.cut.group_bytes = self.cut.group_bytes.min(bytes / 4).max(LEAST_GROUP);
        self.cut.sums = self.cut.sums.min(bytes / 16 / KEY_BYTES).max(100);
        self
    }

    /// The same for events that come as fast as they are read, of any time: files are cut by their size alone.
    #[must_use]
    pub const fn at_once(mut self) -> Self {
        self.cut.span_ms = i64::MAX;
        self
    }

    /// The same for the events of one run, which numbers them as they come: rows name the run, so that these numbers mean
    /// something in a table of many runs.
    #[must_use]
    pub const fn of_one_run(mut self) -> Self {
        self.counts = true;
        self
    }

    /// Takes events, one a line. All of them are tried, also behind one that fails.
    ///
    /// # Errors
    /// The first file that cannot be written. [`Self::ledger`] has what is lost with it, and what became of the others.
    pub fn write(&mut self, lines: &str) -> Result<Taken, LakeError> {
        let (mut taken, mut result) = (Taken::default(), Ok(()));
        for line in lines_of(lines) {
            let amount = Amount::one(line.len());
            self.accepted.add(amount);
            let event = line.trim_end_matches(['\n', '\r']);
            let Some((table, ms)) = self.place(event) else {
                taken.refused += 1;
                self.refused.add(amount);
                continue;
            };
            match self.take(table, event, ms, amount) {
                Ok(0) => {}
                Ok(committed) => {
                    taken.committed += committed;
                    result = result.and(self.sum_up());
                }
                Err(error) => result = result.and(Err(error)),
            }
        }
        while self.bytes() > self.memory {
            let most = self.tables.iter_mut().flatten().max_by_key(|table| table.most());
            // Sums stay until their file is done; how many there may be is bounded.
            let Some(table) = most.filter(|table| table.most() > 0) else { break };
            result = result.and(table.spill());
        }
        result.map(|()| taken)
    }

    fn take(&mut self, table: usize, event: &str, ms: i64, amount: Amount) -> Result<u64, LakeError> {
        match self.table(table) {
            Ok(Some(to)) => to.take(event, ms, amount),
            Ok(None) => Ok(0),
            Err(error) => {
                self.homeless.add(amount);
                Err(error)
            }
        }
    }

    /// What became of all events since this was opened, rows that were [put](Self::put) aside.
    pub fn ledger(&self) -> Ledger {
        let Self { accepted, refused, .. } = *self;
        let (mut committed, mut failed) = (Amount::default(), self.homeless);
        for table in self.tables.iter().flatten() {
            committed.add(table.committed);
            failed.add(table.failed);
        }
        Ledger { accepted, refused, committed, failed }
    }

    /// Takes rows of a table that no event goes to, one a line as JSON with its `time`, and makes them part of it; gives
    /// their number. Lines without a time are passed over.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn put(&mut self, table: &str, lines: impl Iterator<Item = String>) -> Result<u64, LakeError> {
        let place = TABLES.iter().position(|one| one.name == table && one.classes.is_empty());
        let Some(to) = place.map(|at| self.table(at)).transpose()?.flatten() else { return Ok(0) };
        let mut rows = 0;
        for line in lines {
            let Some(ms) = time_of(&line) else { continue };
            to.take(&line, ms, Amount::default())?;
            rows += 1;
        }
        to.commit_all()?;
        Ok(rows)
    }

    /// Puts the sums of what was committed into their table. Where that failed before, those that are owed come first: a mark
    /// behind them would hide them.
    fn sum_up(&mut self) -> Result<(), LakeError> {
        let (mut sums, mut of) = (Vec::new(), None);
        for table in self.tables.iter_mut().flatten() {
            self.owes |= std::mem::take(&mut table.unsure);
            let (more, number) = table.sums();
            of = if more.is_empty() { of } else { number };
            sums.extend(more);
        }
        if self.owes {
            // They are of commits behind the mark, too.
            drop(sums);
            return self.catch_up()?.into_iter().next().map_or(Ok(()), Err);
        }
        let Some(of) = of else { return Ok(()) };
        self.owes = true;
        self.put_sums(sums, of, self.now_ms)?;
        self.owes = false;
        Ok(())
    }

    fn put_sums(&mut self, sums: Vec<Rows>, of: u64, now_ms: i64) -> Result<(), LakeError> {
        let place = TABLES.iter().position(|table| table.name == USAGE);
        match place.map(|at| self.table(at)).transpose()?.flatten() {
            Some(to) => to.put_sums(sums, of, now_ms),
            None => Ok(()),
        }
    }

    /// Makes the sums that a kill or a failure kept from their table, of exchanges that are in theirs, some commits at a time.
    /// For the one that writes events, before it writes any. Gives what could not be read: that is in no sum.
    ///
    /// # Errors
    /// A log cannot be read, the sums cannot be written.
    pub fn catch_up(&mut self) -> Result<Vec<LakeError>, LakeError> {
        let mut unread = Vec::new();
        if let Some(mut unsummed) = Unsummed::find(&self.room)? {
            while let Some((sums, until)) = unsummed.next(self.cut.sums, &mut unread)? {
                // The clock of the opening is behind in a run that goes on; its last commit is from a moment ago.
                let now_ms = unsummed.written_ms(until).unwrap_or_default().max(self.now_ms);
                self.put_sums(sums, until, now_ms)?;
            }
        }
        self.owes = false;
        Ok(unread)
    }

    fn bytes(&self) -> usize {
        self.tables.iter().flatten().map(TableWriter::bytes).sum()
    }

    /// Makes everything that was taken part of its table; gives how many events these were. Every table is tried, also
    /// behind one that fails.
    ///
    /// # Errors
    /// The first file that cannot be written; see [`Self::write`].
    pub fn commit(&mut self) -> Result<u64, LakeError> {
        let (mut committed, mut result) = (0, Ok(()));
        for table in self.tables.iter_mut().flatten() {
            match table.commit_all() {
                Ok(events) => committed += events,
                Err(error) => result = result.and(Err(error)),
            }
        }
        result.and(self.sum_up()).map(|()| committed)
    }

    fn place(&self, event: &str) -> Option<(usize, i64)> {
        // A torn event is none, whatever it still holds.
        let table = table_of(event).filter(|_| event.trim_end().ends_with('}'))?;
        Some((table, time_of(event)?))
    }

    fn table(&mut self, at: usize) -> Result<Option<&mut TableWriter>, LakeError> {
        let (Some(place), Some(table)) = (self.tables.get_mut(at), TABLES.get(at)) else { return Ok(None) };
        if place.is_none() {
            *place = Some(TableWriter::open(&self.room, table, self.cut, self.now_ms, self.counts)?);
        }
        Ok(place.as_mut())
    }
}

/// Lines with what ends them.
fn lines_of(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let end = memchr::memchr(b'\n', rest.as_bytes()).map_or(rest.len(), |at| at + 1);
        let (line, behind) = rest.split_at_checked(end)?;
        rest = behind;
        (!line.is_empty()).then_some(line)
    })
}

fn time_of(line: &str) -> Option<i64> {
    Members::of(line)?.find(|(name, _)| *name == "time")?.1.parse().ok()
}
