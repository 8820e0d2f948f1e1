//! Walks over the rows of a table, file by file and row group by row group.

use super::{Source, column_at};
use crate::batch::Values;
use crate::error::LakeError;
use crate::file::FileRows;
use crate::log::Part;
use crate::time;
use std::cell::{Ref, RefCell};
use std::collections::VecDeque;
use std::sync::Arc;

/// What a query wants of `day` or `time`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bound {
    pub(super) field: Field,
    pub(super) sense: Sense,
    pub(super) text: String,
}

/// What is bounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Day,
    Time,
}

/// From which side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sense {
    Equal,
    From,
    To,
}

impl Bound {
    /// Whether the file may have rows for it. Times as text sort as times do.
    fn lets(&self, part: &Part) -> bool {
        let (first, last) = match (self.field, part.times) {
            (Field::Day, _) => (part.day.clone(), part.day.clone()),
            (Field::Time, Some((first, last))) => (time::text(first), time::text(last)),
            (Field::Time, None) => return true,
        };
        match self.sense {
            Sense::Equal => first <= self.text && self.text <= last,
            Sense::From => last >= self.text,
            Sense::To => first <= self.text,
        }
    }
}

/// A place in the rows of a table.
pub(super) struct Scan {
    source: Arc<Source>,
    /// Files that are still to come, by time, each with its place among all files of the table.
    parts: VecDeque<(i64, Part)>,
    day: String,
    file: Option<FileRows>,
    /// The place of the file among all, and the rows of its row groups that are over.
    place: i64,
    before: usize,
    group: usize,
    row: usize,
    rows: usize,
    /// Columns of the row group that were asked for.
    columns: RefCell<Vec<Option<Values>>>,
}

/// A column of one row group, or nothing where the file has no such column.
pub(super) type Loaded<'a> = Ref<'a, Option<Values>>;

impl Scan {
    pub(super) fn new(source: Arc<Source>) -> Self {
        Self {
            source,
            parts: VecDeque::new(),
            day: String::new(),
            file: None,
            place: 0,
            before: 0,
            group: 0,
            row: 0,
            rows: 0,
            columns: RefCell::default(),
        }
    }

    /// Goes before the first row of files that may have what is wanted.
    pub(super) fn begin(&mut self, bounds: &[Bound]) -> Result<(), LakeError> {
        let mut parts: Vec<&Part> = self.source.snapshot.parts.values().collect();
        parts.sort_by(|a, b| (&a.day, a.times, &a.path).cmp(&(&b.day, b.times, &b.path)));
        let wanted = |(_, part): &(i64, &Part)| bounds.iter().all(|bound| bound.lets(part));
        self.parts = (0..).zip(parts).filter(wanted).map(|(place, part)| (place, part.clone())).collect();
        self.file = None;
        (self.row, self.rows) = (0, 0);
        self.settle()
    }

    /// Goes to the next row.
    pub(super) fn next(&mut self) -> Result<(), LakeError> {
        self.row += 1;
        self.settle()
    }

    pub(super) const fn is_over(&self) -> bool {
        self.row >= self.rows
    }

    pub(super) const fn row(&self) -> usize {
        self.row
    }

    /// A number of the row that no other row of the table has, whatever the bounds are: where a query has several bounds
    /// that may hold (`OR`), SQLite looks for each and tells rows apart by it.
    pub(super) fn number(&self) -> i64 {
        let within = i64::try_from(self.before + self.row).unwrap_or(i64::MAX);
        (self.place << 32) | (within & 0xffff_ffff)
    }

    pub(super) fn day(&self) -> &str {
        &self.day
    }

    /// The column of the row group that the row is in.
    pub(super) fn column(&self, at: usize) -> Result<Loaded<'_>, LakeError> {
        let is_loaded = self.columns.borrow().get(at).is_some_and(Option::is_some);
        if !is_loaded && let (Some(file), Some((name, kind))) = (&self.file, column_at(self.source.table, at))
        {
            let values = file.column(self.group, name, kind)?;
            let mut columns = self.columns.borrow_mut();
            if columns.len() <= at {
                columns.resize(at + 1, None);
            }
            if let Some(place) = columns.get_mut(at) {
                *place = values;
            }
        }
        Ok(Ref::map(self.columns.borrow(), |columns| columns.get(at).unwrap_or(&None)))
    }

    /// Where the row group is over, goes to the next one that has rows.
    fn settle(&mut self) -> Result<(), LakeError> {
        while self.row >= self.rows {
            self.columns.borrow_mut().clear();
            match &self.file {
                Some(file) if self.group + 1 < file.groups() => {
                    self.before += self.rows;
                    self.group += 1;
                }
                _ => {
                    let Some((place, part)) = self.parts.pop_front() else {
                        self.file = None;
                        return Ok(());
                    };
                    self.file = Some(self.source.place.open(self.source.table.name, &part)?);
                    self.day = part.day;
                    (self.place, self.before, self.group) = (place, 0, 0);
                }
            }
            self.row = 0;
            self.rows = self.file.as_ref().map_or(0, |file| file.rows_of(self.group));
        }
        Ok(())
    }
}
