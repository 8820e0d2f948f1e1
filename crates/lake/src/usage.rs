//! Sums of exchanges by hour, endpoint and caller: what is asked years later, and small.

use crate::batch::Rows;
use crate::counts::Counts;
use crate::error::LakeError;
use crate::file::FileRows;
use crate::log::Log;
use crate::scan::{Members, items, plain_text};
use crate::schema::{TABLES, Table, USAGE};
use crate::table::SUMS;
use crate::time;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::path::{Path, PathBuf};

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

/// What the numbers of a row take in memory, about.
const ROW_BYTES: usize = 150;

/// Classes of sensitive data in one sum; users may have some of their own.
const MAX_CLASSES: usize = 200;

/// Kinds of credentials in one sum.
const MAX_KINDS: usize = 32;

/// Bytes that are kept of the name of a class, of a credential, of an owner.
pub(crate) const MOST_TEXT: usize = 200;

/// Bytes of a key that are in what a sum takes.
const USUAL_KEY: usize = 200;

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

/// Where the columns are that sums go to.
struct Written {
    time: usize,
    keys: [usize; KEYS.len()],
    counts: [usize; Counts::NAMES.len()],
    latency_max: usize,
    times: [usize; 2],
    owner: usize,
    /// Of credentials, and of classes in responses and in requests.
    maps: [usize; 3],
}

impl Written {
    fn of(table: &Table) -> Option<Self> {
        Some(Self {
            time: place(table, "time")?,
            keys: places(table, KEYS)?,
            counts: places(table, Counts::NAMES)?,
            latency_max: place(table, "latency_max")?,
            times: places(table, ["first_ms", "last_ms"])?,
            owner: place(table, "owner")?,
            maps: places(table, ["auth", "data_classes", "sent_classes"])?,
        })
    }
}

fn place(table: &Table, name: &str) -> Option<usize> {
    table.columns.iter().position(|column| column.name == name)
}

fn places<const N: usize>(table: &Table, names: [&str; N]) -> Option<[usize; N]> {
    let mut found = [0; N];
    for (to, name) in found.iter_mut().zip(names) {
        *to = place(table, name)?;
    }
    Some(found)
}

/// Sums over the rows of one file.
#[derive(Debug)]
pub(crate) struct Tally {
    places: Places,
    sums: HashMap<Box<[u8]>, Sum>,
    key: Vec<u8>,
    /// Bytes of texts in keys and sums.
    texts: usize,
}

#[derive(Debug, Default)]
struct Sum {
    counts: Counts,
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
        let place = |name: &str| place(table, name);
        let places = Places {
            keys: places(table, KEYS)?,
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
        Some(Self { places, sums: HashMap::new(), key: Vec::new(), texts: 0 })
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.sums.len()
    }

    /// About as much memory as it takes.
    pub(crate) fn bytes(&self) -> usize {
        self.sums.len() * KEY_BYTES + self.texts
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
                Some(sum) => {
                    let (kept, freed) = sum.add(rows, row, ms, &places);
                    self.texts = (self.texts + kept).saturating_sub(freed);
                }
                None => {
                    let mut sum = Sum::default();
                    let (kept, _) = sum.add(rows, row, ms, &places);
                    self.texts += self.key.len().saturating_sub(USUAL_KEY) + kept;
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

    /// The sums as rows of the table of usage by hour, those of a day together.
    pub(crate) fn into_rows(self) -> Vec<Rows> {
        let table = TABLES.iter().find(|table| table.name == USAGE);
        let Some((table, places)) = table.and_then(|table| Some((table, Written::of(table)?))) else {
            return Vec::new();
        };
        let mut sums: Vec<(Box<[u8]>, Sum)> = self.sums.into_iter().collect();
        sums.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        let mut days: BTreeMap<i64, Rows> = BTreeMap::new();
        for (key, sum) in &sums {
            let Some((hour, key)) = key.split_first_chunk::<8>() else { continue };
            let ms = i64::from_be_bytes(*hour).saturating_mul(HOUR_MS);
            let rows = days.entry(time::day_of(ms)).or_insert_with(|| Rows::of(table));
            push(rows, &places, ms, key, sum);
        }
        days.into_values().collect()
    }
}

impl Sum {
    /// Adds a row; gives the bytes of text that it kept of it, and those that it let go of for them.
    fn add(&mut self, rows: &Rows, row: usize, ms: i64, places: &Places) -> (usize, usize) {
        let (first, last) = self.times.unwrap_or((ms, ms));
        let (mut kept, mut freed) = (0, 0);
        if let Some(owner) = rows.text(places.owner, row).filter(|_| self.owner.is_none() || ms >= last) {
            let owner = owner.get(..MOST_TEXT).unwrap_or(owner);
            if self.owner.as_deref() != Some(owner) {
                kept += owner.len();
                freed += self.owner.replace(owner.into()).map_or(0, |before| before.len());
            }
        }
        self.times = Some((first.min(ms), last.max(ms)));
        if rows.text(places.child, row).is_some() {
            self.counts.messages += 1;
        } else {
            kept += self.call(rows, row, places);
        }
        for (sum, at) in [
            (&mut self.counts.request_bytes, places.request),
            (&mut self.counts.response_bytes, places.response),
        ] {
            // What a sensor says is no number of bytes where it is less than none.
            let bytes = rows.int(at, row).and_then(|bytes| u64::try_from(bytes).ok());
            *sum = sum.saturating_add(bytes.unwrap_or_default());
        }
        kept += rows.text(places.classes, row).map_or(0, |text| self.classes(text));
        (kept, freed)
    }

    fn call(&mut self, rows: &Rows, row: usize, places: &Places) -> usize {
        let mut kept = 0;
        let counts = &mut self.counts;
        counts.calls += 1;
        match rows.int(places.status, row) {
            Some(200..=299) => counts.successes += 1,
            Some(300..=399) => counts.redirects += 1,
            Some(400..=499) => counts.failures += 1,
            Some(500..) => counts.errors += 1,
            Some(_) => {}
            None => counts.unanswered += 1,
        }
        counts.clear_text += u64::from(rows.truth(places.decrypted, row) != Some(true));
        if let Some(latency) = rows.int(places.latency, row).filter(|latency| *latency >= 0) {
            counts.answered += 1;
            counts.latency_sum = counts.latency_sum.saturating_add(latency.unsigned_abs());
            self.latency_max = self.latency_max.max(Some(latency));
        }
        if let Some(kind) = rows.text(places.by, row) {
            let kind = String::from_utf8_lossy(kind.get(..MOST_TEXT).unwrap_or(kind));
            if let Some(calls) = self.auth.get_mut(&*kind) {
                *calls += 1;
            } else if self.auth.len() < MAX_KINDS {
                kept += kind.len();
                self.auth.insert(kind.into_owned(), 1);
            }
        }
        kept
    }

    /// Counts the values of requests and of responses.
    fn classes(&mut self, text: &[u8]) -> usize {
        let mut kept = 0;
        for one in std::str::from_utf8(text).map(items).into_iter().flatten() {
            let (mut class, mut place, mut count) = (None, None, 1);
            for (name, value) in Members::of(one).into_iter().flatten() {
                match name {
                    "class" => class = text_of(value),
                    "where" => place = text_of(value),
                    "count" => count = value.parse::<i64>().unwrap_or(1).max(0),
                    _ => {}
                }
            }
            let (Some(class), Some(place)) = (class, place) else { continue };
            let sums = if place.starts_with("response.") { &mut self.classes } else { &mut self.sent };
            let class = cut(&class);
            if let Some(sum) = sums.get_mut(class) {
                *sum = sum.saturating_add(count);
            } else if sums.len() < MAX_CLASSES {
                kept += class.len();
                sums.insert(class.to_owned(), count);
            }
        }
        kept
    }
}

/// So much of a name as is kept of it.
pub(crate) fn cut(name: &str) -> &str {
    name.get(..name.floor_char_boundary(MOST_TEXT)).unwrap_or(name)
}

/// Exchanges that are in their table, and are in no sum.
#[derive(Debug)]
pub(crate) struct Unsummed {
    table: &'static Table,
    directory: PathBuf,
    log: Log,
    /// The commits that brought them.
    commits: VecDeque<u64>,
    /// The last commit, where the table of sums says of none how far it goes.
    unmarked: Option<u64>,
}

/// The commit of exchanges up to which the table of sums says that it has them; `None` where an older version wrote it.
fn summed_until(sums: &Log) -> Result<Option<u64>, LakeError> {
    if !sums.exists()? {
        return Ok(Some(0));
    }
    let snapshot = sums.snapshot()?;
    Ok(snapshot.marks.get(SUMS).copied().or(snapshot.is_new().then_some(0)))
}

/// What the table of sums does not have yet of a table: files that stay as they are, and commits that its log keeps, or the
/// sums could not be made any more.
#[derive(Debug)]
pub(crate) struct Owed {
    /// The last commit that nothing is owed of.
    pub(crate) until: u64,
    /// Files that came with later ones.
    pub(crate) files: BTreeSet<String>,
}

impl Owed {
    /// Of that table, in the lake of that directory. What becomes part of the table later is not in it, so that a snapshot is
    /// taken before.
    pub(crate) fn of(room: &Path, table: &Table) -> Result<Self, LakeError> {
        let nothing = Self { until: u64::MAX, files: BTreeSet::new() };
        if Tally::of(table).is_none() {
            return Ok(nothing);
        }
        let Some(until) = summed_until(&Log::of(&room.join(USAGE)))? else { return Ok(nothing) };
        let log = Log::of(&room.join(table.name));
        let mut owed = Self { until, files: BTreeSet::new() };
        for commit in log.commits_since(until)? {
            let brought = log.added_by(commit)?;
            owed.files.extend(brought.into_iter().map(|part| part.path));
            // What put files together brought no row.
            if owed.files.is_empty() {
                owed.until = commit;
            }
        }
        Ok(owed)
    }
}

/// Sums, and the commit up to which they are all.
type Until = (Vec<Rows>, u64);

impl Unsummed {
    /// In the lake of that directory. A lake of a version that did not note how far its sums go has all of them.
    pub(crate) fn find(room: &Path) -> Result<Option<Self>, LakeError> {
        let Some(table) = TABLES.iter().find(|table| Tally::of(table).is_some()) else { return Ok(None) };
        let directory = room.join(table.name);
        let (log, sums) = (Log::of(&directory), Log::of(&room.join(USAGE)));
        if !log.exists()? {
            return Ok(None);
        }
        let known = summed_until(&sums)?;
        let mut commits = VecDeque::from(log.commits_since(known.unwrap_or_default())?);
        let unmarked = commits.back().copied().filter(|_| known.is_none());
        if known.is_none() {
            commits.clear();
        }
        Ok(Some(Self { table, directory, log, commits, unmarked }))
    }

    /// When that commit was written, in milliseconds since 1970-01-01.
    pub(crate) fn written_ms(&self, commit: u64) -> Option<i64> {
        self.log.written_ms(commit)
    }

    /// Sums over the next commits: about so many, and all of one commit. What cannot be read is told and passed over.
    pub(crate) fn next(
        &mut self,
        most: usize,
        unread: &mut Vec<LakeError>,
    ) -> Result<Option<Until>, LakeError> {
        let Some(mut tally) = Tally::of(self.table) else { return Ok(None) };
        let mut until = self.unmarked.take();
        while tally.bytes() < most * KEY_BYTES
            && let Some(commit) = self.commits.pop_front()
        {
            until = Some(commit);
            for part in self.log.added_by(commit)? {
                let path = self.directory.join(&part.path);
                // What retention took out is not summed up any more.
                if path.try_exists().is_ok_and(|is_there| !is_there) {
                    continue;
                }
                if let Err(error) = tally.add_file(&path, self.table) {
                    unread.push(error);
                }
            }
        }
        Ok(until.map(|until| (tally.into_rows(), until)))
    }
}

fn text_of(value: &str) -> Option<Cow<'_, str>> {
    plain_text(value).map(Cow::Borrowed).or_else(|| serde_json::from_str(value).ok().map(Cow::Owned))
}

/// Puts the sum of an hour into the table of usage.
fn push(rows: &mut Rows, places: &Written, ms: i64, key: &[u8], sum: &Sum) {
    rows.put_int(places.time, ms);
    let mut rest = key;
    for at in places.keys {
        let Some((length, behind)) = rest.split_first_chunk::<4>() else { break };
        let length = u32::from_be_bytes(*length);
        rest = behind;
        if length != u32::MAX
            && let Some((text, behind)) = rest.split_at_checked(length as usize)
        {
            rows.put_text(at, text);
            rest = behind;
        }
    }
    for (at, count) in places.counts.into_iter().zip(sum.counts.values()) {
        rows.put_int(at, i64::try_from(count).unwrap_or(i64::MAX));
    }
    if let Some(most) = sum.latency_max {
        rows.put_int(places.latency_max, most);
    }
    if let (Some((first, last)), [at_first, at_last]) = (sum.times, places.times) {
        rows.put_int(at_first, first);
        rows.put_int(at_last, last);
    }
    if let Some(owner) = &sum.owner {
        rows.put_text(places.owner, owner);
    }
    let maps = [
        (!sum.auth.is_empty()).then(|| serde_json::to_string(&sum.auth)),
        (!sum.classes.is_empty()).then(|| serde_json::to_string(&sum.classes)),
        (!sum.sent.is_empty()).then(|| serde_json::to_string(&sum.sent)),
    ];
    for (at, text) in places.maps.into_iter().zip(maps) {
        if let Some(Ok(text)) = text {
            rows.put_text(at, text.as_bytes());
        }
    }
    rows.end_row(ROW_BYTES + key.len());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::split::Splitter;
    use serde_json::{Value, json};

    #[test]
    fn an_owner_takes_memory_once_however_many_exchanges_it_has() {
        let table = TABLES.iter().find(|table| table.name == "exchanges").unwrap();
        let mut splitter = Splitter::of(table, None);
        let mut tally = Tally::of(table).unwrap();
        let mut owned_by = |owner: &str| {
            let mut rows = Rows::of(table);
            let event = json!({"time": HOUR_MS, "class_uid": 6003, "unmapped": {"server": {"owner": owner}}});
            (0..100).for_each(|_| splitter.split(&event.to_string(), &mut rows));
            tally.add(&rows);
            tally.bytes()
        };
        let first = owned_by("shop");
        assert_eq!(owned_by("shop"), first);
        assert_eq!(owned_by("shop and more"), first + " and more".len());
        assert_eq!(owned_by("shop"), first);
    }

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
        let days = tally.into_rows();
        assert_eq!(days.len(), 1);
        let rows = &days[0];
        let usage = TABLES.iter().find(|table| table.name == USAGE).unwrap();
        let row = |at: usize| {
            let cells = usage.columns.iter().enumerate().filter_map(|(column, about)| {
                let int = rows.int(column, at).map(Value::from);
                let text = || rows.text(column, at).map(|text| String::from_utf8_lossy(text).into());
                Some((about.name.to_owned(), int.or_else(text)?))
            });
            Value::Object(cells.collect())
        };
        let expected = json!({
            "time": HOUR_MS, "service": "", "calls": 2, "messages": 1, "failures": 1, "errors": 0, "answered": 2,
            "latency_sum": 604, "latency_max": 404, "request_bytes": 0, "response_bytes": 30,
            "data_classes": "{\"card\":9}", "sent_classes": "{\"card\":15}", "successes": 1, "redirects": 0,
            "unanswered": 0, "clear_text": 2, "first_ms": HOUR_MS, "last_ms": HOUR_MS + 2,
        });
        assert_eq!((rows.len(), &row(0)["time"], &row(0)["calls"]), (3, &0.into(), &1.into()));
        let (known, anonymous) = (row(1)["principal"].is_string(), row(2)["principal"].is_string());
        assert!(known != anonymous);
        assert_eq!(row(if known { 2 } else { 1 }), expected);
        assert_eq!(row(if known { 1 } else { 2 })["errors"], 1);
    }

    #[test]
    fn sums_of_several_days_are_told_apart() {
        let table = TABLES.iter().find(|table| table.name == "exchanges").unwrap();
        let mut rows = Rows::of(table);
        let mut splitter = Splitter::of(table, None);
        for ms in [25 * HOUR_MS, 2 * HOUR_MS, -1] {
            splitter.split(&json!({"time": ms, "class_uid": 6003}).to_string(), &mut rows);
        }
        let mut tally = Tally::of(table).unwrap();
        tally.add(&rows);
        let times: Vec<_> = tally.into_rows().iter().map(|rows| rows.times().to_vec()).collect();
        assert_eq!(times, [[Some(-HOUR_MS)], [Some(2 * HOUR_MS)], [Some(25 * HOUR_MS)]]);
    }
}
