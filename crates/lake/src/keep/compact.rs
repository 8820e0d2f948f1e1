//! Small files become large ones: each five minutes of a tap are a file, and readers open every one.

use super::Round;
use crate::batch::Rows;
use crate::error::LakeError;
use crate::file::{FileRows, FileWriter};
use crate::log::{Deed, Log, Part, Snapshot, sync_directory};
use crate::schema::{EXTRA, Kind, Table};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Files are put together up to about so many bytes.
const TARGET: u64 = 128 << 20;

/// So many small files are put together, whatever their sizes: an hour of a tap.
const MANY: usize = 12;

/// Rows of about so many bytes are a row group, where there is memory for twice as much: a group is read beside it.
const GROUP_BYTES: std::ops::RangeInclusive<usize> = 2 << 20..=16 << 20;

/// Files of one day that are to become one.
pub(super) type Group<'a> = Vec<&'a Part>;

/// What is worth putting together, the oldest day first. Of the day that is being written only where an hour is there.
///
/// A file is written again only with at least as much beside it, so that each row is written a few times and no more. Files
/// that are `owed` to sums stay as they are.
pub(super) fn groups<'a>(snapshot: &'a Snapshot, today: &str, owed: &BTreeSet<String>) -> Vec<Group<'a>> {
    let mut days: BTreeMap<&str, Vec<&Part>> = BTreeMap::new();
    let is_free = |part: &&Part| part.bytes < TARGET / 2 && !owed.contains(&part.path);
    for part in snapshot.parts.values().filter(is_free) {
        days.entry(&part.day).or_default().push(part);
    }
    let mut groups = Vec::new();
    for (day, mut parts) in days {
        parts.sort_by(|a, b| (a.times, &a.path).cmp(&(b.times, &b.path)));
        let least = if day < today { 2 } else { MANY };
        let mut group: Group<'_> = Vec::new();
        for part in parts {
            if bytes(&group) + part.bytes > TARGET {
                groups.extend(Some(std::mem::take(&mut group)).filter(|group| is_worth(group, least)));
            }
            group.push(part);
        }
        groups.extend(Some(group).filter(|group| is_worth(group, least)));
    }
    groups
}

fn bytes(group: &[&Part]) -> u64 {
    group.iter().map(|part| part.bytes).sum()
}

fn is_worth(group: &[&Part], least: usize) -> bool {
    let largest = group.iter().map(|part| part.bytes).max().unwrap_or_default();
    group.len() >= least && (group.len() >= MANY || largest <= bytes(group) / 2)
}

/// Puts the files together in one commit. `false` where that cannot be: a file has columns that are not known here, or
/// another took one out meanwhile.
pub(super) fn compact(
    directory: &Path,
    table: &'static Table,
    snapshot: &Snapshot,
    group: &[&Part],
    round: &Round<'_>,
) -> Result<bool, LakeError> {
    let Some(first) = group.first() else { return Ok(false) };
    let now_ms = round.now_ms;
    let mut number = 0;
    let name = loop {
        let name = format!("day={}/{now_ms:x}-{:x}-c{number:05}.zstd.parquet", first.day, std::process::id());
        if !directory.join(&name).exists() {
            break name;
        }
        number += 1;
    };
    let path = directory.join(&name);
    let done = rewrite(directory, table, group, &path, round.memory / 2).and_then(|written| {
        let Some((rows, bytes)) = written else { return Ok(false) };
        let times = group.iter().map(|part| part.times).reduce(|a, b| {
            let (a, b) = a.zip(b)?;
            Some((a.0.min(b.0), a.1.max(b.1)))
        });
        let part = Part { path: name, day: first.day.clone(), bytes, rows, times: times.flatten() };
        Log::of(directory).replace(snapshot, Deed::Optimize, group, &[part], now_ms)
    });
    if !matches!(done, Ok(true)) {
        // It is no part of the table; what cannot be deleted is an orphan, which a vacuum finds.
        let _ = fs::remove_file(&path);
    }
    done
}

/// Writes the rows of all files into one; gives their number and the file's bytes.
fn rewrite(
    directory: &Path,
    table: &'static Table,
    group: &[&Part],
    path: &Path,
    group_bytes: usize,
) -> Result<Option<(u64, u64)>, LakeError> {
    let mut writer = FileWriter::create(path, table)?;
    let mut rows = Rows::of(table);
    let group_bytes = group_bytes.clamp(*GROUP_BYTES.start(), *GROUP_BYTES.end());
    for part in group {
        let file = FileRows::open(&directory.join(&part.path))?;
        if !file.has_only(table) {
            return Ok(None);
        }
        for at in 0..file.groups() {
            let columns = table.columns.iter().map(|column| (column.name, column.kind));
            let columns: Result<Vec<_>, _> = columns
                .chain([(EXTRA, Kind::Json)])
                .map(|(name, kind)| file.column(at, name, kind))
                .collect();
            rows.append(columns?, file.rows_of(at));
            if rows.bytes >= group_bytes {
                writer.write(std::mem::replace(&mut rows, Rows::of(table)))?;
            }
        }
    }
    if rows.len() > 0 {
        writer.write(rows)?;
    }
    let written = writer.finish()?;
    sync_directory(path.parent().unwrap_or(directory))?;
    let told: u64 = group.iter().map(|part| part.rows).sum();
    if written.rows != told {
        let why = format!(
            "{} rows were read where the log tells of {told}; the files stay as they are",
            written.rows
        );
        return Err(LakeError::Log { path: directory.to_owned(), why });
    }
    Ok(Some((written.rows, written.bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups_of(sizes: &[u64], today: bool) -> Vec<Vec<u64>> {
        let mut snapshot = Snapshot::default();
        for (number, bytes) in (0_i64..).zip(sizes) {
            let path = format!("{number:03}");
            let day = "2026-11-21".to_owned();
            let part =
                Part { path: path.clone(), day, bytes: *bytes, rows: 1, times: Some((number, number)) };
            snapshot.parts.insert(path, part);
        }
        let today = if today { "2026-11-21" } else { "2026-11-22" };
        let sizes = |group: &Group<'_>| group.iter().map(|part| part.bytes).collect();
        groups(&snapshot, today, &BTreeSet::new()).iter().map(sizes).collect()
    }

    #[test]
    fn files_are_put_together_where_each_is_worth_it() {
        let none = Vec::<Vec<u64>>::new();
        assert_eq!(groups_of(&[5], false), none);
        assert_eq!(groups_of(&[5, 5], false), [[5, 5]]);
        assert_eq!(groups_of(&[5, 1], false), none, "the large one is not written again for a small one");
        assert_eq!(groups_of(&[5, 3, 2], false), [[5, 3, 2]]);
        assert_eq!(groups_of(&[5; 11], true), none, "an hour of the day that is written is not there");
        assert_eq!(groups_of(&[5; 12], true), [[5; 12]]);
        assert_eq!(groups_of(&[TARGET, TARGET / 2], false), none, "these are large");
        let half = TARGET / 2 - 1;
        assert_eq!(groups_of(&[half, half, half, half, 4], false), [[half, half], [half, half]]);
    }
}
