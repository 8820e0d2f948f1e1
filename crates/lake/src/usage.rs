//! Sums of exchanges by hour, endpoint and caller: what is asked years later, and small.

use crate::batch::Rows;
use crate::schema::Table;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, HashMap};

const HOUR_MS: i64 = 3_600_000;

/// What is told apart beside the hour; columns of both tables.
const KEYS: [&str; 8] =
    ["service", "endpoint", "template", "method", "principal_kind", "principal", "reporter", "tenant"];

/// Classes of sensitive data in one sum; users may have some of their own.
const MAX_CLASSES: usize = 200;

/// What a sum takes in memory, about.
pub(crate) const KEY_BYTES: usize = 400;

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
    failures: u64,
    errors: u64,
    request_bytes: i64,
    response_bytes: i64,
    answered: u64,
    latency_sum: i64,
    latency_max: Option<i64>,
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
                Some(sum) => sum.add(rows, row, &places),
                None => {
                    let mut sum = Sum::default();
                    sum.add(rows, row, &places);
                    self.sums.insert(self.key.as_slice().into(), sum);
                }
            }
        }
    }

    /// The sums as rows of the table of usage: the time of each and its text, by hour.
    pub(crate) fn into_lines(self) -> Vec<(i64, String)> {
        let mut sums: Vec<(Box<[u8]>, Sum)> = self.sums.into_iter().collect();
        sums.sort_by(|(a, _), (b, _)| a.cmp(b));
        sums.into_iter().filter_map(|(key, sum)| line(&key, sum)).collect()
    }
}

impl Sum {
    fn add(&mut self, rows: &Rows, row: usize, places: &Places) {
        if rows.text(places.child, row).is_some() {
            self.messages += 1;
        } else {
            self.calls += 1;
            match rows.int(places.status, row) {
                Some(400..=499) => self.failures += 1,
                Some(500..) => self.errors += 1,
                _ => {}
            }
            if let Some(latency) = rows.int(places.latency, row) {
                self.answered += 1;
                self.latency_sum = self.latency_sum.saturating_add(latency);
                self.latency_max = self.latency_max.max(Some(latency));
            }
        }
        let bytes = |at: usize| rows.int(at, row).unwrap_or_default();
        self.request_bytes = self.request_bytes.saturating_add(bytes(places.request));
        self.response_bytes = self.response_bytes.saturating_add(bytes(places.response));
        if let Some(text) = rows.text(places.classes, row) {
            self.classes(text);
        }
    }

    /// Counts the values of responses.
    fn classes(&mut self, text: &[u8]) {
        let found: Vec<Value> = serde_json::from_slice(text).unwrap_or_default();
        for one in &found {
            let text = |name: &str| one.get(name).and_then(Value::as_str);
            let (Some(class), Some(place)) = (text("class"), text("where")) else { continue };
            if !place.starts_with("response.") {
                continue;
            }
            let count = one.get("count").and_then(Value::as_i64).unwrap_or(1);
            if let Some(sum) = self.classes.get_mut(class) {
                *sum = sum.saturating_add(count);
            } else if self.classes.len() < MAX_CLASSES {
                self.classes.insert(class.to_owned(), count);
            }
        }
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
        ("failures", sum.failures),
        ("errors", sum.errors),
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
    if !sum.classes.is_empty() {
        row.insert("data_classes".into(), json!(sum.classes));
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
            "data_classes": {"card": 9},
        });
        assert_eq!((lines[0].0, row(0)["calls"].as_i64()), (0, Some(1)));
        let (known, anonymous) = (row(1)["principal"].is_string(), row(2)["principal"].is_string());
        assert!(known != anonymous);
        assert_eq!(row(if known { 2 } else { 1 }), expected);
        assert_eq!(row(if known { 1 } else { 2 })["errors"], 1);
    }
}
