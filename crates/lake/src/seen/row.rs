//! A row of the sums of hours, whichever version wrote it.

use crate::batch::Rows;
use crate::counts::Counts;
use crate::schema::Table;
use serde_json::{Map, Value};

const HOUR_MS: i64 = 3_600_000;

/// One row.
#[derive(Clone, Copy)]
pub(super) struct Row<'r> {
    pub(super) rows: &'r Rows,
    pub(super) places: &'r Columns,
    pub(super) row: usize,
}

/// Places of columns, looked up once.
#[derive(Debug)]
pub(super) struct Columns {
    texts: [usize; 10],
    counts: [usize; Counts::NAMES.len()],
    /// What older sums do not have.
    unanswered: usize,
    clear_text: usize,
    times: [usize; 3],
    maps: [usize; 3],
    latency_max: usize,
}

const TEXTS: [&str; 10] = [
    "endpoint",
    "tenant",
    "service",
    "method",
    "template",
    "operation",
    "owner",
    "reporter",
    "site",
    "principal",
];
/// Places in the list above.
pub(super) const ID: usize = 0;
pub(super) const TENANT: usize = 1;
pub(super) const SERVICE: usize = 2;
pub(super) const METHOD: usize = 3;
pub(super) const TEMPLATE: usize = 4;
pub(super) const OPERATION: usize = 5;
pub(super) const OWNER: usize = 6;
pub(super) const REPORTER: usize = 7;
pub(super) const SITE: usize = 8;
pub(super) const CALLER: usize = 9;

impl Columns {
    pub(super) fn of(table: &Table) -> Self {
        // What is nowhere is absent in every row.
        let at = |name| table.columns.iter().position(|column| column.name == name).unwrap_or(usize::MAX);
        Self {
            texts: TEXTS.map(at),
            counts: Counts::NAMES.map(at),
            unanswered: at("unanswered"),
            clear_text: at("clear_text"),
            times: ["time", "first_ms", "last_ms"].map(at),
            maps: ["auth", "sent_classes", "data_classes"].map(at),
            latency_max: at("latency_max"),
        }
    }
}

impl Row<'_> {
    pub(super) fn text(&self, name: usize) -> Option<&str> {
        std::str::from_utf8(self.rows.text(*self.places.texts.get(name)?, self.row)?).ok()
    }

    /// What is less than none is none.
    pub(super) fn counts(&self) -> Counts {
        let count = |at| self.rows.int(at, self.row).and_then(|count| u64::try_from(count).ok());
        Counts::of(self.places.counts.map(|at| count(at).unwrap_or_default()))
    }

    /// Whether all classes of answers were kept, not those of errors only.
    pub(super) fn has_classes(&self) -> bool {
        self.rows.int(self.places.unanswered, self.row).is_some()
    }

    /// Whether it was kept how many calls were in clear text.
    pub(super) fn has_clear_text(&self) -> bool {
        self.rows.int(self.places.clear_text, self.row).is_some()
    }

    pub(super) fn latency_max(&self) -> Option<u64> {
        self.rows.int(self.places.latency_max, self.row).and_then(|ms| u64::try_from(ms).ok())
    }

    /// Whether the operation says no more than method and template.
    pub(super) fn is_usual(&self, operation: &str) -> bool {
        let rest = operation.strip_prefix(self.text(METHOD).unwrap_or_default());
        let rest = rest.and_then(|rest| rest.strip_prefix(' '));
        rest.is_some_and(|rest| rest == self.text(TEMPLATE).unwrap_or_default())
    }

    /// Counts by name: credentials, classes in requests, classes in answers.
    pub(super) fn map(&self, which: usize) -> Vec<(String, u64)> {
        let text = self.places.maps.get(which).and_then(|at| self.rows.text(*at, self.row));
        let all: Map<String, Value> =
            text.and_then(|text| serde_json::from_slice(text).ok()).unwrap_or_default();
        all.into_iter().filter_map(|(name, count)| Some((name, count.as_u64()?))).collect()
    }

    /// Of rows from before these were kept, the hour.
    pub(super) fn times(&self) -> (i64, i64) {
        let [hour, first, last] = self.places.times.map(|at| self.rows.int(at, self.row));
        let hour = hour.unwrap_or_default();
        (first.unwrap_or(hour), last.unwrap_or(hour.saturating_add(HOUR_MS - 1)))
    }
}
