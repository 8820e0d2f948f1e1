//! Sums of exchanges by hour, endpoint and caller: what is asked years later, and small.

use crate::batch::Rows;
use crate::error::LakeError;
use crate::file::FileRows;
use crate::log::Log;
use crate::schema::{TABLES, Table, USAGE};
use crate::table::SUMS;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

const HOUR_MS: i64 = 3_600_000;

/// What is told apart beside the hour; columns of both tables.
const KEYS: [&str; 10] = [
    "service",
    "endpoint",
    "template",
    "method",
    "operation",
    "principal_kind",
    "principal",
    "reporter",
    "tenant",
    "site",
];

/// Classes of sensitive data in one sum; users may have some of their own.
const MAX_CLASSES: usize = 200;

/// Kinds of credentials in one sum.
const MAX_KINDS: usize = 32;

/// What a sum takes in memory, about.
pub(crate) const KEY_BYTES: usize = 500;

/// Where the columns are that are summed up.
#[derive(Debug, Clone, Copy)]
struct Places {
    keys: [usize; KEYS.len()],
    status: usize,
    latency: usize,
    request: usize,
    response: usize,
    child: usize,
    classes: usize,
    by: usize,
    decrypted: usize,
    owner: usize,
}

/// Sums over the rows of one file.
#[derive(Debug)]
pub(crate) struct Tally {
    places: Places,
    sums: HashMap<Box<[u8]>, Sum>,
    key: Vec<u8>,
}

#[derive(Debug, Default)]
struct Sum {
    calls: u64,
    messages: u64,
    successes: u64,
    redirects: u64,
    failures: u64,
    errors: u64,
    unanswered: u64,
    clear_text: u64,
    request_bytes: i64,
    response_bytes: i64,
    answered: u64,
    latency_sum: i64,
    latency_max: Option<i64>,
    /// When the first and the last of them began.
    times: Option<(i64, i64)>,
    owner: Option<Box<[u8]>>,
    auth: BTreeMap<String, u64>,
    sent: BTreeMap<String, i64>,
    classes: BTreeMap<String, i64>,
}

impl Tally {
    /// Over rows of that table; `None` where it is not the one of exchanges.
    pub(crate) fn of(table: &Table) -> Option<Self> {
        let place = |name: &str| table.columns.iter().position(|column| column.name == name);
        let mut keys = [0; KEYS.len()];
        for (to, name) in keys.iter_mut().zip(KEYS) {
            *to = place(name)?;
        }
        let places = Places {
            keys,
            status: place("status")?,
            latency: place("latency")?,
            request: place("request_length")?,
            response: place("response_length")?,
            child: place("parent")?,
            classes: place("data_classes")?,
            by: place("principal_by")?,
            decrypted: place("decrypted")?,
            owner: place("owner")?,
        };
        Some(Self { places, sums: HashMap::new(), key: Vec::new() })
    }

    /// How many sums there are.
    pub(crate) fn len(&self) -> usize {
        self.sums.len()
    }

    /// About as much memory as it takes.
    pub(crate) fn bytes(&self) -> usize {
        self.sums.len() * KEY_BYTES
    }

    /// Adds rows.
    pub(crate) fn add(&mut self, rows: &Rows) {
        let places = self.places;
        for row in 0..rows.len() {
            let Some(ms) = rows.times().get(row).copied().flatten() else { continue };
            self.key.clear();
            self.key.extend_from_slice(&ms.div_euclid(HOUR_MS).to_be_bytes());
            for at in places.keys {
                // Lengths keep texts apart; what is absent is not what is empty.
                let text = rows.text(at, row);
                let length = text.map_or(u32::MAX, |text| u32::try_from(text.len()).unwrap_or(u32::MAX - 1));
                self.key.extend_from_slice(&length.to_be_bytes());
                self.key.extend_from_slice(text.unwrap_or_default());
            }
            // Most keys are there already, and are looked up once.
            match self.sums.get_mut(self.key.as_slice()) {
                Some(sum) => sum.add(rows, row, ms, &places),
                None => {
                    let mut sum = Sum::default();
                    sum.add(rows, row, ms, &places);
                    self.sums.insert(self.key.as_slice().into(), sum);
                }
            }
        }
    }

    /// Adds the rows of a file; columns that it is too old to have are absent.
    fn add_file(&mut self, path: &Path, table: &'static Table) -> Result<(), LakeError> {
        let file = FileRows::open(path)?;
        for group in 0..file.groups() {
            let columns = table.columns.iter().map(|column| file.column(group, column.name, column.kind));
            let mut rows = Rows::of(table);
            rows.append(columns.collect::<Result<Vec<_>, _>>()?, file.rows_of(group));
            self.add(&rows);
        }
        Ok(())
    }

    /// The sums as rows of the table of usage: the time of each and its text, by hour.
    pub(crate) fn into_lines(self) -> Vec<(i64, String)> {
        let mut sums: Vec<(Box<[u8]>, Sum)> = self.sums.into_iter().collect();
        sums.sort_by(|(a, _), (b, _)| a.cmp(b));
        sums.into_iter().filter_map(|(key, sum)| line(&key, sum)).collect()
    }
}

impl Sum {
    fn add(&mut self, rows: &Rows, row: usize, ms: i64, places: &Places) {
        let (first, last) = self.times.unwrap_or((ms, ms));
        if let Some(owner) = rows.text(places.owner, row).filter(|_| self.owner.is_none() || ms >= last) {
            self.owner = Some(owner.into());
        }
        self.times = Some((first.min(ms), last.max(ms)));
        if rows.text(places.child, row).is_some() {
            self.messages += 1;
        } else {
            self.call(rows, row, places);
        }
        let bytes = |at: usize| rows.int(at, row).unwrap_or_default();
        self.request_bytes = self.request_bytes.saturating_add(bytes(places.request));
        self.response_bytes = self.response_bytes.saturating_add(bytes(places.response));
        if let Some(text) = rows.text(places.classes, row) {
            self.classes(text);
        }
    }

    fn call(&mut self, rows: &Rows, row: usize, places: &Places) {
        self.calls += 1;
        match rows.int(places.status, row) {
            Some(200..=299) => self.successes += 1,
            Some(300..=399) => self.redirects += 1,
            Some(400..=499) => self.failures += 1,
            Some(500..) => self.errors += 1,
            Some(_) => {}
            None => self.unanswered += 1,
        }
        self.clear_text += u64::from(rows.truth(places.decrypted, row) != Some(true));
        if let Some(kind) = rows.text(places.by, row) {
            let kind = String::from_utf8_lossy(kind);
            if let Some(calls) = self.auth.get_mut(&*kind) {
                *calls += 1;
            } else if self.auth.len() < MAX_KINDS {
                self.auth.insert(kind.into_owned(), 1);
            }
        }
        if let Some(latency) = rows.int(places.latency, row) {
            self.answered += 1;
            self.latency_sum = self.latency_sum.saturating_add(latency);
            self.latency_max = self.latency_max.max(Some(latency));
        }
    }

    /// Counts the values of requests and of responses.
    fn classes(&mut self, text: &[u8]) {
        let found: Vec<Value> = serde_json::from_slice(text).unwrap_or_default();
        for one in &found {
            let text = |name: &str| one.get(name).and_then(Value::as_str);
            let (Some(class), Some(place)) = (text("class"), text("where")) else { continue };
            let sums = if place.starts_with("response.") { &mut self.classes } else { &mut self.sent };
            let count = one.get("count").and_then(Value::as_i64).unwrap_or(1);
            if let Some(sum) = sums.get_mut(class) {
                *sum = sum.saturating_add(count);
            } else if sums.len() < MAX_CLASSES {
                sums.insert(class.to_owned(), count);
            }
        }
    }
}

/// Sums of exchanges that are in their table, and are in none of sums.
#[derive(Debug)]
pub(crate) struct Unsummed {
    pub(crate) lines: Vec<(i64, String)>,
    /// The last commit that they are of.
    pub(crate) until: u64,
}

impl Unsummed {
    /// In the lake of that directory. A lake of a version that did not note how far its sums go has all of them.
    pub(crate) fn find(room: &Path) -> Result<Option<Self>, LakeError> {
        let Some((table, tally)) = TABLES.iter().find_map(|table| Some((table, Tally::of(table)?))) else {
            return Ok(None);
        };
        let directory = room.join(table.name);
        let (log, sums) = (Log::of(&directory), Log::of(&room.join(USAGE)));
        if !log.exists() {
            return Ok(None);
        }
        let known = match sums.exists() {
            false => Some(0),
            true => {
                let snapshot = sums.snapshot()?;
                snapshot.marks.get(SUMS).copied().or(snapshot.is_new().then_some(0))
            }
        };
        let Some(known) = known else { return Ok(None) };
        let (parts, until) = log.added_since(known)?;
        let mut tally = tally;
        for part in parts {
            let path = directory.join(&part.path);
            // What retention took out is not summed up any more.
            if path.exists() {
                tally.add_file(&path, table)?;
            }
        }
        Ok(Some(Self { lines: tally.into_lines(), until }).filter(|found| !found.lines.is_empty()))
    }
}

fn line(key: &[u8], sum: Sum) -> Option<(i64, String)> {
    let (hour, mut rest) = key.split_first_chunk::<8>()?;
    let ms = i64::from_be_bytes(*hour).saturating_mul(HOUR_MS);
    let mut row = Map::new();
    row.insert("time".into(), ms.into());
    for name in KEYS {
        let (length, behind) = rest.split_first_chunk::<4>()?;
        let length = u32::from_be_bytes(*length);
        rest = behind;
        if length == u32::MAX {
            continue;
        }
        let (text, behind) = rest.split_at_checked(length as usize)?;
        row.insert(name.into(), String::from_utf8_lossy(text).into());
        rest = behind;
    }
    let counts = [
        ("calls", sum.calls),
        ("messages", sum.messages),
        ("successes", sum.successes),
        ("redirects", sum.redirects),
        ("failures", sum.failures),
        ("errors", sum.errors),
        ("unanswered", sum.unanswered),
        ("clear_text", sum.clear_text),
        ("answered", sum.answered),
    ];
    row.extend(counts.map(|(name, count)| (name.to_owned(), count.into())));
    let sums = [
        ("request_bytes", sum.request_bytes),
        ("response_bytes", sum.response_bytes),
        ("latency_sum", sum.latency_sum),
    ];
    row.extend(sums.map(|(name, sum)| (name.to_owned(), sum.into())));
    row.extend(sum.latency_max.map(|most| ("latency_max".to_owned(), most.into())));
    if let Some((first, last)) = sum.times {
        row.insert("first_ms".into(), first.into());
        row.insert("last_ms".into(), last.into());
    }
    row.extend(sum.owner.map(|owner| ("owner".to_owned(), String::from_utf8_lossy(&owner).into())));
    if !sum.auth.is_empty() {
        row.insert("auth".into(), json!(sum.auth));
    }
    for (name, classes) in [("data_classes", sum.classes), ("sent_classes", sum.sent)] {
        if !classes.is_empty() {
            row.insert(name.into(), json!(classes));
        }
    }
    Some((ms, Value::Object(row).to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::TABLES;
    use crate::split::Splitter;

    #[test]
    fn exchanges_add_up_by_hour_endpoint_and_caller() {
        let table = TABLES.iter().find(|table| table.name == "exchanges").unwrap();
        let mut rows = Rows::of(table);
        let mut splitter = Splitter::of(table, None);
        let one = |ms: i64, status: u32, user: Option<&str>, parent: Option<&str>| {
            json!({
                "time": ms, "class_uid": 6003, "api": {"service": {"name": ""}},
                "http_response": {"code": status, "latency": status, "body_length": 10},
                "unmapped": {
                    "principal": {"token": user}, "parent": parent,
                    "data_classes": [
                        {"class": "card", "where": "response.body.$", "count": 3},
                        {"class": "card", "where": "request.body.$", "count": 5},
                    ],
                },
            })
        };
        for (ms, status, user, parent) in [
            (HOUR_MS - 1, 200, None, None),
            (HOUR_MS, 200, None, None),
            (HOUR_MS + 1, 404, None, None),
            (HOUR_MS + 2, 503, None, Some("p")),
            (HOUR_MS + 2, 503, Some("tok:1"), None),
        ] {
            splitter.split(&one(ms, status, user, parent).to_string(), &mut rows);
        }
        let mut tally = Tally::of(table).unwrap();
        tally.add(&rows);
        assert_eq!(tally.len(), 3);
        let lines = tally.into_lines();
        let row = |at: usize| serde_json::from_str::<Value>(&lines[at].1).unwrap();
        let expected = json!({
            "time": HOUR_MS, "service": "", "calls": 2, "messages": 1, "failures": 1, "errors": 0, "answered": 2,
            "latency_sum": 604, "latency_max": 404, "request_bytes": 0, "response_bytes": 30,
            "data_classes": {"card": 9}, "sent_classes": {"card": 15}, "successes": 1, "redirects": 0, "unanswered": 0,
            "clear_text": 2, "first_ms": HOUR_MS, "last_ms": HOUR_MS + 2,
        });
        assert_eq!((lines[0].0, row(0)["calls"].as_i64()), (0, Some(1)));
        let (known, anonymous) = (row(1)["principal"].is_string(), row(2)["principal"].is_string());
        assert!(known != anonymous);
        assert_eq!(row(if known { 2 } else { 1 }), expected);
        assert_eq!(row(if known { 1 } else { 2 })["errors"], 1);
    }
}
