//! Writes one table: rows into files by day, files into the table when they are large or old enough.

use crate::batch::Rows;
use crate::error::LakeError;
use crate::file::FileWriter;
use crate::log::{Log, Part, private_directory, sync_directory};
use crate::schema::Table;
use crate::split::Splitter;
use crate::time;
use crate::usage::{KEY_BYTES, Tally};
use crate::writer::Amount;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// When files are cut.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cut {
    /// Rows of about so many bytes become a row group.
    pub(crate) group_bytes: usize,
    /// A file of so many bytes is done.
    pub(crate) file_bytes: u64,
    /// A file that spans so much time is done, in milliseconds of events.
    pub(crate) span_ms: i64,
    /// A file with so many sums is done.
    pub(crate) sums: usize,
}

impl Default for Cut {
    fn default() -> Self {
        Self { group_bytes: 16 << 20, file_bytes: 128 << 20, span_ms: 300_000, sums: 20_000 }
    }
}

/// Days that are written at once: events come late by minutes, so that two are usual; captures may be of any.
const MAX_DAYS: usize = 16;

/// A file with so many row groups is done: what it says of each stays in memory until then, some 20 KiB.
const MOST_GROUPS: usize = 128;

/// By what the table of sums notes how far they go.
pub(crate) const SUMS: &str = "tapwire-sums";

/// Writes to one table.
pub(crate) struct TableWriter {
    table: &'static Table,
    directory: PathBuf,
    log: Log,
    cut: Cut,
    splitter: Splitter,
    days: BTreeMap<i64, Day>,
    /// Sums of what was committed: rows of another table, those of a day together.
    sums: Vec<Rows>,
    /// The commit that the last of them are of.
    summed: Option<u64>,
    /// A commit failed of which nobody knows whether it can be seen: its sums may be owed.
    pub(crate) unsure: bool,
    /// What became part of the table, and what cannot any more.
    pub(crate) committed: Amount,
    pub(crate) failed: Amount,
    /// Names of files are numbered within the run.
    files: u64,
    run: String,
}

/// The open file of a day.
struct Day {
    rows: Rows,
    file: Option<(String, FileWriter)>,
    times: Option<(i64, i64)>,
    /// Events in it.
    amount: Amount,
    /// Sums over what is in the file.
    tally: Option<Tally>,
}

impl Day {
    fn of(table: &Table) -> Self {
        Self {
            rows: Rows::of(table),
            file: None,
            times: None,
            amount: Amount::default(),
            tally: Tally::of(table),
        }
    }

    /// About as much memory as it takes.
    fn bytes(&self) -> usize {
        self.rows.bytes + self.tally.as_ref().map_or(0, Tally::bytes)
    }
}

impl TableWriter {
    /// Opens the table. Rows tell that this run counted their events where `counts` says so.
    pub(crate) fn open(
        room: &Path,
        table: &'static Table,
        cut: Cut,
        now_ms: i64,
        counts: bool,
    ) -> Result<Self, LakeError> {
        let directory = room.join(table.name);
        let log = Log::of(&directory);
        log.create(table, now_ms)?;
        let run = format!("{:x}-{:x}", now_ms, std::process::id());
        let splitter = Splitter::of(table, counts.then_some(run.as_str()));
        // Rows that are made are complete when they come, whatever hours they are of.
        let span_ms = if table.classes.is_empty() { i64::MAX } else { cut.span_ms };
        let cut = Cut { span_ms, ..cut };
        Ok(Self {
            table,
            directory,
            log,
            cut,
            splitter,
            days: BTreeMap::new(),
            sums: Vec::new(),
            summed: None,
            unsure: false,
            committed: Amount::default(),
            failed: Amount::default(),
            files: 0,
            run,
        })
    }

    /// Takes an event of that time, which counts as `amount`. Answers with the events that became part of the table.
    pub(crate) fn take(&mut self, event: &str, ms: i64, amount: Amount) -> Result<u64, LakeError> {
        let number = time::day_of(ms);
        let table = self.table;
        let day = self.days.entry(number).or_insert_with(|| Day::of(table));
        self.splitter.split(event, &mut day.rows);
        day.amount.add(amount);
        let (first, last) = day.times.map_or((ms, ms), |(first, last)| (first.min(ms), last.max(ms)));
        day.times = Some((first, last));
        let is_old = last.saturating_sub(first) >= self.cut.span_ms;
        if day.rows.bytes >= self.cut.group_bytes || is_old {
            self.write_group(number)?;
        }
        let is_large = self.days.get(&number).is_some_and(|day| {
            let is_long =
                |file: &FileWriter| file.bytes() >= self.cut.file_bytes || file.groups() >= MOST_GROUPS;
            day.file.as_ref().is_some_and(|(_, file)| is_long(file))
                || day.tally.as_ref().is_some_and(|tally| tally.bytes() >= self.cut.sums * KEY_BYTES)
        });
        if is_old || is_large {
            return self.commit(&[number]);
        }
        match self.days.first_key_value() {
            Some((oldest, _)) if self.days.len() > MAX_DAYS => {
                let oldest = *oldest;
                self.commit(&[oldest])
            }
            _ => Ok(0),
        }
    }

    /// Makes everything that was taken part of the table.
    pub(crate) fn commit_all(&mut self) -> Result<u64, LakeError> {
        let days: Vec<i64> = self.days.keys().copied().collect();
        self.commit(&days)
    }

    /// Makes rows part of the table that are sums of another one up to that commit, in one step with a mark that says so: all of
    /// them or none, so that it is known after a kill and after a failure which sums are there. What only moves the mark is of
    /// `now_ms`.
    pub(crate) fn put_sums(&mut self, sums: Vec<Rows>, of: u64, now_ms: i64) -> Result<(), LakeError> {
        let mut parts = Vec::new();
        let mut written = self.write_days(sums, &mut parts);
        if written.is_ok() {
            let last = parts.iter().filter_map(|part: &Part| part.times.map(|(_, last)| last)).max();
            // Whether a commit that failed can be seen is not known: the mark that is read later says it.
            return self.log.add(&parts, Some((SUMS, of)), last.unwrap_or(now_ms)).map(|_| ());
        }
        let open = std::mem::take(&mut self.days).into_values().filter_map(|day| day.file);
        let files = open.map(|(path, _)| path).chain(parts.into_iter().map(|part| part.path));
        for path in files {
            let gone = fs::remove_file(self.directory.join(&path));
            let gone = gone.map_err(|error| LakeError::io("delete", &self.directory.join(&path), &error));
            written = written.and(gone);
        }
        written
    }

    /// Writes rows into whole files, by day.
    fn write_days(&mut self, rows: Vec<Rows>, parts: &mut Vec<Part>) -> Result<(), LakeError> {
        rows.into_iter().try_for_each(|rows| self.put(rows))?;
        let days: Vec<i64> = self.days.keys().copied().collect();
        for number in days {
            parts.extend(self.finish(number)?.map(|(part, _)| part));
        }
        Ok(())
    }

    /// Takes rows of one day.
    fn put(&mut self, rows: Rows) -> Result<(), LakeError> {
        let times = || rows.times().iter().copied().flatten();
        let Some((first, last)) = times().min().zip(times().max()) else { return Ok(()) };
        let (number, table) = (time::day_of(first), self.table);
        // What was taken before goes first.
        self.write_group(number)?;
        let day = self.days.entry(number).or_insert_with(|| Day::of(table));
        let (known_first, known_last) = day.times.unwrap_or((first, last));
        day.times = Some((first.min(known_first), last.max(known_last)));
        day.rows = rows;
        Ok(())
    }

    /// Sums of what was committed since they were asked for, and the commit that the last are of.
    pub(crate) fn sums(&mut self) -> (Vec<Rows>, Option<u64>) {
        (std::mem::take(&mut self.sums), self.summed.take())
    }

    /// About as much memory as its rows and sums take.
    pub(crate) fn bytes(&self) -> usize {
        self.days.values().map(Day::bytes).sum()
    }

    /// The same of the day that has most rows.
    pub(crate) fn most(&self) -> usize {
        self.days.values().map(|day| day.rows.bytes).max().unwrap_or_default()
    }

    /// Makes room: the rows of the day that has most of them go to the disk. Of the table they are when the file is done.
    pub(crate) fn spill(&mut self) -> Result<(), LakeError> {
        let most = self.days.iter().max_by_key(|(_, day)| day.rows.bytes).map(|(number, _)| *number);
        most.map_or(Ok(()), |number| self.write_group(number))
    }

    /// Writes the rows of the day. Where that fails, the day with all that is in its file is lost, and counted.
    fn write_group(&mut self, number: i64) -> Result<(), LakeError> {
        let written = self.try_write_group(number);
        if written.is_err()
            && let Some(day) = self.days.remove(&number)
        {
            self.lose(day.amount, day.file.map(|(path, _)| path));
        }
        written
    }

    fn try_write_group(&mut self, number: i64) -> Result<(), LakeError> {
        let Some(day) = self.days.get_mut(&number).filter(|day| day.rows.len() > 0) else { return Ok(()) };
        let room = day.rows.with_room();
        let rows = std::mem::replace(&mut day.rows, room);
        day.tally.iter_mut().for_each(|tally| tally.add(&rows));
        if day.file.is_none() {
            let folder = format!("day={}", time::day_text(number));
            private_directory(&self.directory.join(&folder))?;
            let mut name = String::new();
            // Files that a kill left behind keep their names.
            while name.is_empty() || self.directory.join(&name).exists() {
                name = format!("{folder}/{}-{:05}.zstd.parquet", self.run, self.files);
                self.files += 1;
            }
            let writer = FileWriter::create(&self.directory.join(&name), self.table)?;
            day.file = Some((name, writer));
        }
        match &mut day.file {
            Some((_, writer)) => writer.write(rows),
            None => Ok(()),
        }
    }

    /// Counts what cannot become part of the table; its file is of no use.
    fn lose(&mut self, amount: Amount, file: Option<String>) {
        self.failed.add(amount);
        if let Some(path) = file {
            // A file that stays is no part of the table: the next vacuum finds it.
            let _ = fs::remove_file(self.directory.join(path));
        }
    }

    /// Tries all of the days; tells of the first that failed.
    fn commit(&mut self, days: &[i64]) -> Result<u64, LakeError> {
        let (mut parts, mut amount, mut sums) = (Vec::new(), Amount::default(), Vec::new());
        let mut result = Ok(());
        for number in days {
            match self.finish(*number) {
                Ok(Some((part, day))) => {
                    amount.add(day.amount);
                    sums.extend(day.tally.into_iter().flat_map(Tally::into_rows));
                    parts.push(part);
                }
                Ok(None) => {}
                Err(error) => result = result.and(Err(error)),
            }
        }
        if let Some(now) = parts.iter().filter_map(|part| part.times.map(|(_, last)| last)).max() {
            match self.log.add(&parts, None, now) {
                Ok(number) => self.summed = Some(number),
                Err(error) => {
                    // Whether the commit can be seen is not known, so its files stay.
                    self.unsure = true;
                    self.failed.add(amount);
                    return result.and(Err(error));
                }
            }
            self.committed.add(amount);
            self.sums.append(&mut sums);
        }
        result.map(|()| amount.events)
    }

    /// Ends the file of the day.
    fn finish(&mut self, number: i64) -> Result<Option<(Part, Finished)>, LakeError> {
        self.write_group(number)?;
        let Some(Day { file: Some((path, writer)), times, amount, tally, .. }) = self.days.remove(&number)
        else {
            return Ok(None);
        };
        let day = time::day_text(number);
        let synced = || sync_directory(&self.directory.join(format!("day={day}")));
        match writer.finish().and_then(|written| synced().map(|()| written)) {
            Ok(written) => {
                let part = Part { path, day, bytes: written.bytes, rows: written.rows, times };
                Ok(Some((part, Finished { amount, tally })))
            }
            Err(error) => {
                self.lose(amount, Some(path));
                Err(error)
            }
        }
    }
}

/// A day whose file is whole.
struct Finished {
    amount: Amount,
    tally: Option<Tally>,
}
