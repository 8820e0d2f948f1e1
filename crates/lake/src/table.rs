//! Writes one table: rows into files by day, files into the table when they are large or old enough.

use crate::batch::Rows;
use crate::error::LakeError;
use crate::file::FileWriter;
use crate::log::{Log, Part, private_directory, sync_directory};
use crate::schema::Table;
use crate::split::Splitter;
use crate::time;
use std::collections::BTreeMap;
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
}

impl Default for Cut {
    fn default() -> Self {
        Self { group_bytes: 16 << 20, file_bytes: 128 << 20, span_ms: 300_000 }
    }
}

/// Days that are written at once: events come late by minutes, so that two are usual.
const MAX_DAYS: usize = 3;

/// Writes to one table.
pub(crate) struct TableWriter {
    table: &'static Table,
    directory: PathBuf,
    log: Log,
    cut: Cut,
    splitter: Splitter,
    days: BTreeMap<i64, Day>,
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
    events: u64,
}

impl TableWriter {
    pub(crate) fn open(room: &Path, table: &'static Table, cut: Cut, now_ms: i64) -> Result<Self, LakeError> {
        let directory = room.join(table.name);
        let log = Log::of(&directory);
        log.create(table, now_ms)?;
        let run = format!("{:x}-{:x}", now_ms, std::process::id());
        let splitter = Splitter::of(table);
        Ok(Self { table, directory, log, cut, splitter, days: BTreeMap::new(), files: 0, run })
    }

    /// Takes an event of that time. Answers with the events that became part of the table.
    pub(crate) fn take(&mut self, event: &str, ms: i64) -> Result<u64, LakeError> {
        let number = time::day_of(ms);
        let table = self.table;
        let day = self.days.entry(number).or_insert_with(|| Day {
            rows: Rows::of(table),
            file: None,
            times: None,
            events: 0,
        });
        self.splitter.split(event, &mut day.rows);
        day.events += 1;
        let (first, last) = day.times.map_or((ms, ms), |(first, last)| (first.min(ms), last.max(ms)));
        day.times = Some((first, last));
        let is_old = last - first >= self.cut.span_ms;
        if day.rows.bytes >= self.cut.group_bytes || is_old {
            self.write_group(number)?;
        }
        let is_large = self
            .days
            .get(&number)
            .and_then(|day| day.file.as_ref())
            .is_some_and(|(_, file)| file.bytes() >= self.cut.file_bytes);
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

    fn write_group(&mut self, number: i64) -> Result<(), LakeError> {
        let Some(day) = self.days.get_mut(&number).filter(|day| day.rows.len() > 0) else { return Ok(()) };
        let rows = std::mem::replace(&mut day.rows, Rows::of(self.table));
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

    fn commit(&mut self, days: &[i64]) -> Result<u64, LakeError> {
        let (mut parts, mut events) = (Vec::new(), 0);
        for number in days {
            self.write_group(*number)?;
            let Some(day) = self.days.remove(number) else { continue };
            let Some((path, writer)) = day.file else { continue };
            let written = writer.finish()?;
            let text = time::day_text(*number);
            sync_directory(&self.directory.join(format!("day={text}")))?;
            events += day.events;
            parts.push(Part { path, day: text, bytes: written.bytes, rows: written.rows, times: day.times });
        }
        if let Some(now) = parts.iter().filter_map(|part| part.times.map(|(_, last)| last)).max() {
            self.log.add(&parts, now)?;
        }
        Ok(events)
    }
}
