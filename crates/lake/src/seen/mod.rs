//! Endpoints that were called, as the sums of hours tell: one inventory of all sensors that told them.
//!
//! An endpoint's id is a hash of what it is called, so that sensors give it alike; those of another tenant are others.

mod words;

use crate::batch::Rows;
use crate::error::LakeError;
use crate::file::FileRows;
use crate::log::Log;
use crate::schema::{TABLES, Table, USAGE};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::path::Path;

/// Endpoints that are told apart.
const MOST: usize = 100_000;
/// Callers of one endpoint that are counted, and of all together: 8 bytes each, and what tables of hashes leave empty.
const MOST_CALLERS: usize = 4_096;
const ALL_CALLERS: usize = 4_000_000;
/// Names that one endpoint has in a list: sensors, classes of data, kinds of credentials.
const MOST_NAMES: usize = 4_096;
const HOUR_MS: i64 = 3_600_000;

/// Whose endpoints are wanted; what is `None` is all the same.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted<'a> {
    /// Those that sensors of this site told of.
    pub site: Option<&'a str>,
    /// Those of this tenant.
    pub tenant: Option<&'a str>,
    /// One of several tenants is one.
    pub together: bool,
}

/// Endpoints, and what is none.
#[derive(Debug, Default)]
pub struct Seen {
    /// By tenant, service, template and method.
    pub endpoints: Vec<SeenEndpoint>,
    /// Ids of endpoints whose words turned out to be values of a parameter, with the id of what they became.
    pub merged: Vec<(String, String)>,
    /// Calls that no sensor took for one of an endpoint, such as those that were answered with 404.
    pub placeless: u64,
    /// Calls of endpoints that found no room.
    pub beyond: u64,
}

/// An endpoint.
#[derive(Debug, Clone, Default)]
pub struct SeenEndpoint {
    /// 16 hexadecimal digits.
    pub id: String,
    /// Whose it is, where tenants are told apart.
    pub tenant: Option<String>,
    /// Its service.
    pub service: String,
    /// Method.
    pub method: String,
    /// Path template.
    pub template: String,
    /// Operation, where that is not method and template.
    pub operation: Option<String>,
    /// Who answers for it, as the latest call says.
    pub owner: Option<String>,
    /// Calls, and messages of streams, which are none.
    pub calls: u64,
    /// See `calls`.
    pub messages: u64,
    /// Answers by class, 1xx to 5xx, then those not seen.
    pub status: [u64; 6],
    /// Calls without TLS, or of which it was not read.
    pub clear_text: u64,
    /// Bytes of bodies.
    pub request_bytes: u64,
    /// See `request_bytes`.
    pub response_bytes: u64,
    /// Calls whose latency is known, their milliseconds together, and the slowest.
    pub answered: u64,
    /// See `answered`.
    pub latency_sum: u64,
    /// See `answered`.
    pub latency_max: Option<u64>,
    /// When the first and the last began, in milliseconds since 1970.
    pub times: (i64, i64),
    /// Calls by the credential that the caller is known by; `network`: by none.
    pub auth: BTreeMap<String, u64>,
    /// Values by class of sensitive data, in requests and in responses.
    pub sent: BTreeMap<String, u64>,
    /// See `sent`.
    pub answers: BTreeMap<String, u64>,
    /// What each sensor told, by its name.
    pub sensors: BTreeMap<String, Told>,
    /// Callers, and whether there are more.
    pub callers: (u64, bool),
    /// Keyed hashes of them.
    known: HashSet<u64>,
}

/// What one sensor told of an endpoint.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// The sensor's site, as its latest call says.
    pub site: Option<String>,
    /// The same of its tenant.
    pub tenant: Option<String>,
    /// Calls.
    pub calls: u64,
    /// When the first and the last began, in milliseconds since 1970.
    pub times: (i64, i64),
}

/// The endpoints of that data directory.
///
/// # Errors
/// A log or a file cannot be read.
pub fn seen(data: &Path, wanted: &Wanted<'_>) -> Result<Seen, LakeError> {
    let Some(table) = TABLES.iter().find(|table| table.name == USAGE) else { return Ok(Seen::default()) };
    let directory = data.join(crate::ROOM).join(USAGE);
    let log = Log::of(&directory);
    let mut all = All::of(table);
    for attempt in 0.. {
        let parts = if log.exists() { log.snapshot()?.parts } else { BTreeMap::new() };
        match parts.keys().try_for_each(|path| all.add_file(&directory.join(path), table, wanted)) {
            Ok(()) => break,
            // Files were put together meanwhile, and those from before are gone.
            Err(LakeError::Gone { .. }) if attempt < 3 => all = All::of(table),
            Err(error) => return Err(error),
        }
    }
    Ok(all.into_seen())
}

/// One row.
#[derive(Clone, Copy)]
struct Row<'r> {
    rows: &'r Rows,
    places: &'r Columns,
    row: usize,
}

/// Places of columns, looked up once.
#[derive(Debug)]
struct Columns {
    texts: [usize; 10],
    counts: [usize; 12],
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
const ID: usize = 0;
const TENANT: usize = 1;
const SERVICE: usize = 2;
const METHOD: usize = 3;
const TEMPLATE: usize = 4;
const OPERATION: usize = 5;
const OWNER: usize = 6;
const REPORTER: usize = 7;
const SITE: usize = 8;
const CALLER: usize = 9;

const COUNTS: [&str; 12] = [
    "calls",
    "messages",
    "successes",
    "redirects",
    "failures",
    "errors",
    "unanswered",
    "clear_text",
    "request_bytes",
    "response_bytes",
    "answered",
    "latency_sum",
];

impl Row<'_> {
    fn text(&self, name: usize) -> Option<&str> {
        std::str::from_utf8(self.rows.text(*self.places.texts.get(name)?, self.row)?).ok()
    }

    fn counts(&self) -> [u64; COUNTS.len()] {
        let count = |at| self.rows.int(at, self.row).and_then(|count| u64::try_from(count).ok());
        self.places.counts.map(|at| count(at).unwrap_or_default())
    }

    /// Of rows from before these were kept, the hour.
    fn times(&self) -> (i64, i64) {
        let [hour, first, last] = self.places.times.map(|at| self.rows.int(at, self.row));
        let hour = hour.unwrap_or_default();
        (first.unwrap_or(hour), last.unwrap_or(hour.saturating_add(HOUR_MS - 1)))
    }
}

/// What is being put together.
struct All {
    columns: Columns,
    places: HashMap<Box<[u8]>, usize>,
    endpoints: Vec<SeenEndpoint>,
    hasher: RandomState,
    callers: usize,
    placeless: u64,
    beyond: u64,
}

impl All {
    fn of(table: &Table) -> Self {
        // What is nowhere is absent in every row.
        let at = |name| table.columns.iter().position(|column| column.name == name).unwrap_or(usize::MAX);
        let columns = Columns {
            texts: TEXTS.map(at),
            counts: COUNTS.map(at),
            times: ["time", "first_ms", "last_ms"].map(at),
            maps: ["auth", "sent_classes", "data_classes"].map(at),
            latency_max: at("latency_max"),
        };
        Self {
            columns,
            places: HashMap::new(),
            endpoints: Vec::new(),
            hasher: RandomState::new(),
            callers: 0,
            placeless: 0,
            beyond: 0,
        }
    }

    fn add_file(&mut self, path: &Path, table: &'static Table, wanted: &Wanted<'_>) -> Result<(), LakeError> {
        if !path.exists() {
            return Err(LakeError::Gone { path: path.to_owned() });
        }
        let file = FileRows::open(path)?;
        for group in 0..file.groups() {
            let columns = table.columns.iter().map(|column| file.column(group, column.name, column.kind));
            let mut rows = Rows::of(table);
            rows.append(columns.collect::<Result<Vec<_>, _>>()?, file.rows_of(group));
            (0..rows.len()).for_each(|row| self.add(&rows, row, wanted));
        }
        Ok(())
    }

    fn add(&mut self, rows: &Rows, row: usize, wanted: &Wanted<'_>) {
        let Self { columns, places, endpoints, hasher, callers, placeless, beyond } = self;
        let row = Row { rows, places: columns, row };
        let fits = |wanted: Option<&str>, is: Option<&str>| wanted.is_none() || wanted == is;
        if !fits(wanted.tenant, row.text(TENANT)) || !fits(wanted.site, row.text(SITE)) {
            return;
        }
        let [calls, ..] = row.counts();
        let Some(id) = row.text(ID).filter(|_| row.text(TEMPLATE).is_some()) else {
            *placeless += calls;
            return;
        };
        let tenant = row.text(TENANT).filter(|_| !wanted.together);
        let key = [id.as_bytes(), tenant.unwrap_or_default().as_bytes()].concat();
        let at = match places.get(key.as_slice()) {
            Some(at) => *at,
            None if endpoints.len() >= MOST => {
                *beyond += calls;
                return;
            }
            None => {
                endpoints.push(SeenEndpoint { tenant: tenant.map(str::to_owned), ..SeenEndpoint::of(&row) });
                places.insert(key.into(), endpoints.len() - 1);
                endpoints.len() - 1
            }
        };
        let Some(endpoint) = endpoints.get_mut(at) else { return };
        endpoint.add(&row);
        if let Some(caller) = row.text(CALLER) {
            let caller = hasher.hash_one(caller);
            let is_full = endpoint.known.len() >= MOST_CALLERS || *callers >= ALL_CALLERS;
            if is_full {
                endpoint.callers.1 |= !endpoint.known.contains(&caller);
            } else {
                *callers += usize::from(endpoint.known.insert(caller));
            }
        }
    }

    fn into_seen(self) -> Seen {
        let Self { mut endpoints, placeless, beyond, .. } = self;
        let merged = words::fold(&mut endpoints);
        for endpoint in &mut endpoints {
            endpoint.callers.0 = endpoint.known.len() as u64;
        }
        let order = |one: &SeenEndpoint| {
            (one.tenant.clone(), one.service.clone(), one.template.clone(), one.method.clone())
        };
        endpoints.sort_by_cached_key(|one| (order(one), one.operation.clone(), one.id.clone()));
        Seen { endpoints, merged, placeless, beyond }
    }
}

impl SeenEndpoint {
    fn of(row: &Row<'_>) -> Self {
        let owned = |text: Option<&str>| text.unwrap_or_default().to_owned();
        let (method, template) = (owned(row.text(METHOD)), owned(row.text(TEMPLATE)));
        let usual = format!("{method} {template}");
        Self {
            id: owned(row.text(ID)),
            service: owned(row.text(SERVICE)),
            operation: row.text(OPERATION).filter(|name| *name != usual).map(str::to_owned),
            method,
            template,
            times: row.times(),
            ..Self::default()
        }
    }

    fn add(&mut self, row: &Row<'_>) {
        let [calls, messages, ok, moved, refused, failed, unseen, clear, asked, answered, heard, sum] =
            row.counts();
        let (first, last) = row.times();
        if let Some(owner) = row.text(OWNER).filter(|_| self.owner.is_none() || last >= self.times.1) {
            self.owner = Some(owner.to_owned());
        }
        self.times = (self.times.0.min(first), self.times.1.max(last));
        self.calls += calls;
        self.messages += messages;
        // What is of no other class; rows from before classes were kept have those of errors only.
        let rest = calls.saturating_sub(ok + moved + refused + failed + unseen);
        let more = [rest, ok, moved, refused, failed, unseen];
        self.status.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
        self.clear_text += clear;
        self.request_bytes += asked;
        self.response_bytes += answered;
        self.answered += heard;
        self.latency_sum += sum;
        let slowest = row.rows.int(row.places.latency_max, row.row).and_then(|ms| u64::try_from(ms).ok());
        self.latency_max = self.latency_max.max(slowest);
        for (to, at) in [&mut self.auth, &mut self.sent, &mut self.answers].into_iter().zip(row.places.maps) {
            let Some(text) = row.rows.text(at, row.row) else { continue };
            let more: BTreeMap<String, u64> = serde_json::from_slice(text).unwrap_or_default();
            add_up(to, more);
        }
        let name = row.text(REPORTER).unwrap_or_default();
        if self.sensors.contains_key(name) || self.sensors.len() < MOST_NAMES {
            let (site, tenant) = (row.text(SITE).map(str::to_owned), row.text(TENANT).map(str::to_owned));
            let told = Told { site, tenant, calls, times: (first, last) };
            join(&mut self.sensors, name.to_owned(), told);
        }
    }

    /// Takes what is known of another one in.
    fn absorb(&mut self, other: Self) {
        if other.times.1 > self.times.1 || self.owner.is_none() {
            self.owner = other.owner.or(self.owner.take());
        }
        self.times = (self.times.0.min(other.times.0), self.times.1.max(other.times.1));
        self.calls += other.calls;
        self.messages += other.messages;
        self.status.iter_mut().zip(other.status).for_each(|(sum, more)| *sum += more);
        self.clear_text += other.clear_text;
        self.request_bytes += other.request_bytes;
        self.response_bytes += other.response_bytes;
        self.answered += other.answered;
        self.latency_sum += other.latency_sum;
        self.latency_max = self.latency_max.max(other.latency_max);
        add_up(&mut self.auth, other.auth);
        add_up(&mut self.sent, other.sent);
        add_up(&mut self.answers, other.answers);
        other.sensors.into_iter().for_each(|(name, told)| join(&mut self.sensors, name, told));
        self.callers.1 |= other.callers.1;
        self.known.extend(other.known);
    }
}

fn add_up(to: &mut BTreeMap<String, u64>, more: BTreeMap<String, u64>) {
    for (name, count) in more {
        if to.contains_key(&name) || to.len() < MOST_NAMES {
            let sum = to.entry(name).or_default();
            *sum = sum.saturating_add(count);
        }
    }
}

fn join(sensors: &mut BTreeMap<String, Told>, name: String, more: Told) {
    match sensors.get_mut(&name) {
        None => {
            sensors.insert(name, more);
        }
        Some(told) => {
            if more.times.1 >= told.times.1 {
                (told.site, told.tenant) = (more.site, more.tenant);
            }
            told.calls += more.calls;
            told.times = (told.times.0.min(more.times.0), told.times.1.max(more.times.1));
        }
    }
}

#[cfg(test)]
mod tests;
