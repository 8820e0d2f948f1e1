//! Endpoints that were called, as the sums of hours tell: one inventory of all sensors that told them.
//!
//! An endpoint's id is a hash of what it is called, so that sensors give it alike; those of another tenant are others.

mod row;
mod said;
mod shares;
mod words;

use self::row::{
    CALLER, Columns, ID, METHOD, OPERATION, OWNER, REPORTER, Row, SERVICE, SITE, TEMPLATE, TENANT,
};
pub use self::said::Word;
use self::shares::Shares;
pub use self::words::OwnWord;
use crate::batch::Rows;
use crate::error::LakeError;
use crate::log::Part;
use crate::place::Place;
use crate::schema::{TABLES, Table, USAGE};
use crate::usage::cut;
use siphasher::sip::SipHasher24;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::{BuildHasher, Hasher, RandomState};

/// How much is kept, of which each sensor has a [share](Shares): endpoints, callers (8 bytes each, and what tables of hashes leave
/// empty), and bytes of texts.
#[derive(Debug, Clone, Copy)]
struct Limits {
    endpoints: usize,
    callers: usize,
    bytes: usize,
}

const LIMITS: Limits = Limits { endpoints: 200_000, callers: 4_000_000, bytes: 256 << 20 };

/// Callers of one endpoint that are counted as one sensor tells them.
const MOST_CALLERS: usize = 4_096;
/// Names that one endpoint has in a list: sensors, classes of data, kinds of credentials.
const MOST_NAMES: usize = 4_096;
/// Bytes of service, method, template and operation together.
const MOST_KEY: usize = 4_096;
/// As much as is believed of a count of one endpoint: those of all of them together have room in 64 bits.
const MOST_COUNT: u64 = 1 << 46;
/// What an endpoint and a name take beside their texts, about.
const ENDPOINT_BYTES: usize = 500;
const NAME_BYTES: usize = 100;

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
    /// Names of sensors, classes and credentials that found none: times that one was told.
    pub unnamed: u64,
    /// Words of sensors on endpoints that found none.
    pub unsaid: u64,
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
    /// Calls of whose answers older sums do not say a class.
    pub unclassed: u64,
    /// Calls without TLS, or of which it was not read.
    pub clear_text: u64,
    /// Calls of which older sums do not say that.
    pub clear_unknown: u64,
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
    /// When the first and the last began, in milliseconds since 1970; [`NEVER`] where it is only described.
    pub times: (i64, i64),
    /// Calls by the credential that the caller is known by; `network`: by none.
    pub auth: BTreeMap<String, u64>,
    /// Values by class of sensitive data, in requests and in responses.
    pub sent: BTreeMap<String, u64>,
    /// See `sent`.
    pub answers: BTreeMap<String, u64>,
    /// What each sensor told.
    pub sensors: BTreeMap<Teller, Told>,
    /// Callers, and whether there are more.
    pub callers: (u64, bool),
    /// Keyed hashes of them, by the sensor that told them.
    known: HashMap<u64, HashSet<u64>>,
    /// Whether there are calls of it, and not only words of sensors.
    is_summed: bool,
    /// Whether a sensor told the id that its texts have.
    is_own: bool,
    /// Whether it has no operation of its own, or sums from before these were kept do not say.
    is_vague: bool,
}

/// A sensor at a site, which one that moved has two of.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Teller {
    /// The sensor's name.
    pub name: String,
    /// Its tenant.
    pub tenant: Option<String>,
    /// Its site.
    pub site: Option<String>,
}

/// What one sensor told of an endpoint.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// Calls.
    pub calls: u64,
    /// When the first and the last began, in milliseconds since 1970; [`NEVER`] where it saw none.
    pub times: (i64, i64),
    /// What it said of it last.
    pub word: Option<Word>,
}

/// Times of no call.
pub const NEVER: (i64, i64) = (i64::MAX, i64::MIN);

/// The endpoints of that data directory, or of a copy of its tables in a store.
///
/// # Errors
/// There are no tables in that store; a log or a file cannot be read.
pub fn seen(place: impl Into<Place>, wanted: &Wanted<'_>, is_own: OwnWord) -> Result<Seen, LakeError> {
    seen_within(&place.into(), wanted, is_own, LIMITS)
}

fn seen_within(
    place: &Place,
    wanted: &Wanted<'_>,
    is_own: OwnWord,
    limits: Limits,
) -> Result<Seen, LakeError> {
    let Some(table) = TABLES.iter().find(|table| table.name == USAGE) else { return Ok(Seen::default()) };
    let mut all = All::of(table, limits);
    for attempt in 0.. {
        let parts = parts(place, table)?;
        let sums = parts.iter().try_for_each(|part| all.add_file(place, part, table, wanted));
        match sums.and_then(|()| all.hear(place, wanted)) {
            Ok(()) => break,
            // Files were put together meanwhile, and those from before are gone.
            Err(LakeError::Gone { .. }) if attempt < 3 => all = All::of(table, limits),
            Err(error) => return Err(error),
        }
    }
    Ok(all.into_seen(is_own))
}

/// The files of a table, by name.
fn parts(place: &Place, table: &Table) -> Result<Vec<Part>, LakeError> {
    let snapshot = place.snapshot(table)?;
    if snapshot.is_none() && matches!(place, Place::Store(_)) {
        // Where there is no table at all, it is told.
        place.snapshots()?;
    }
    Ok(snapshot.unwrap_or_default().parts.into_values().collect())
}

/// What is being put together.
struct All {
    columns: Columns,
    places: HashMap<Box<[u8]>, usize>,
    endpoints: Vec<SeenEndpoint>,
    hasher: RandomState,
    room: Room,
    placeless: u64,
    beyond: u64,
    unsaid: u64,
}

/// What there is room for.
struct Room {
    endpoints: Shares,
    callers: Shares,
    bytes: Shares,
    unnamed: u64,
}

impl All {
    fn of(table: &Table, limits: Limits) -> Self {
        let room = Room {
            endpoints: Shares::of(limits.endpoints),
            callers: Shares::of(limits.callers),
            bytes: Shares::of(limits.bytes),
            unnamed: 0,
        };
        Self {
            columns: Columns::of(table),
            places: HashMap::new(),
            endpoints: Vec::new(),
            hasher: RandomState::new(),
            room,
            placeless: 0,
            beyond: 0,
            unsaid: 0,
        }
    }

    fn add_file(
        &mut self,
        place: &Place,
        part: &Part,
        table: &'static Table,
        wanted: &Wanted<'_>,
    ) -> Result<(), LakeError> {
        let file = place.open(table.name, part)?;
        for group in 0..file.groups() {
            let columns = table.columns.iter().map(|column| file.column(group, column.name, column.kind));
            let mut rows = Rows::of(table);
            rows.append(columns.collect::<Result<Vec<_>, _>>()?, file.rows_of(group));
            (0..rows.len()).for_each(|row| self.add(&rows, row, wanted));
        }
        Ok(())
    }

    fn add(&mut self, rows: &Rows, row: usize, wanted: &Wanted<'_>) {
        let Self { columns, places, endpoints, hasher, room, placeless, beyond, .. } = self;
        let row = Row { rows, places: columns, row };
        let fits = |wanted: Option<&str>, is: Option<&str>| wanted.is_none() || wanted == is;
        if !fits(wanted.tenant, row.text(TENANT)) || !fits(wanted.site, row.text(SITE)) {
            return;
        }
        let calls = row.counts().calls;
        let Some(id) = row.text(ID).filter(|id| is_id(id) && row.text(TEMPLATE).is_some()) else {
            *placeless = placeless.saturating_add(calls);
            return;
        };
        let tenant = row.text(TENANT).filter(|_| !wanted.together);
        let who = hasher.hash_one((row.text(TENANT), row.text(REPORTER)));
        let key = key(&row, tenant, id);
        let at = match places.get(key.as_slice()) {
            Some(at) => *at,
            None if !room.takes_endpoint(who, key.len()) => {
                *beyond = beyond.saturating_add(calls);
                return;
            }
            None => {
                endpoints.push(SeenEndpoint { tenant: tenant.map(str::to_owned), ..SeenEndpoint::of(&row) });
                places.insert(key.into(), endpoints.len() - 1);
                endpoints.len() - 1
            }
        };
        let Some(endpoint) = endpoints.get_mut(at) else { return };
        endpoint.take_id(id);
        endpoint.add(&row, who, room);
        if let Some(caller) = row.text(CALLER) {
            endpoint.add_caller(who, hasher.hash_one(caller), &mut room.callers);
        }
    }

    fn into_seen(self, is_own: OwnWord) -> Seen {
        let Self { mut endpoints, placeless, beyond, unsaid, room, .. } = self;
        name_each(&mut endpoints);
        join_vague(&mut endpoints);
        let merged = words::fold(&mut endpoints, is_own);
        for endpoint in &mut endpoints {
            endpoint.callers.0 = match endpoint.known.len() {
                0 | 1 => endpoint.known.values().map(HashSet::len).sum::<usize>(),
                _ => endpoint.known.values().flatten().collect::<HashSet<_>>().len(),
            } as u64;
        }
        let order = |one: &SeenEndpoint| {
            (one.tenant.clone(), one.service.clone(), one.template.clone(), one.method.clone())
        };
        endpoints.sort_by_cached_key(|one| (order(one), one.operation.clone(), one.id.clone()));
        Seen { endpoints, merged, placeless, beyond, unnamed: room.unnamed, unsaid }
    }
}

impl Room {
    fn takes_endpoint(&mut self, who: u64, key: usize) -> bool {
        key <= MOST_KEY && self.bytes.takes(who, ENDPOINT_BYTES + 2 * key) && self.endpoints.takes(who, 1)
    }

    /// Whether one more name fits into a list that has so many.
    fn takes_name(&mut self, who: u64, has: usize, name: usize) -> bool {
        let takes = has < MOST_NAMES && self.bytes.takes(who, NAME_BYTES + name);
        self.unnamed = self.unnamed.saturating_add(u64::from(!takes));
        takes
    }
}

/// 16 hexadecimal digits, as sensors write them.
fn is_id(text: &str) -> bool {
    text.len() == 16 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// The method of the endpoint: HEAD asks for what GET would answer (RFC 9110, 9.3.2), and is its endpoint with sensors.
fn method<'a>(row: &'a Row<'_>) -> Option<&'a str> {
    row.text(METHOD).map(|method| if method == "HEAD" { "GET" } else { method })
}

/// What an endpoint is called, with lengths. What a sensor says that its id is has no part in it, but where sums are too old to
/// name operations.
fn key(row: &Row<'_>, tenant: Option<&str>, id: &str) -> Vec<u8> {
    let operation = row.text(OPERATION);
    let own = operation.filter(|name| !row.is_usual(name));
    let texts = [tenant, row.text(SERVICE), method(row), row.text(TEMPLATE), own];
    key_of(texts, Some(id).filter(|_| operation.is_none()))
}

fn key_of(texts: [Option<&str>; 5], id: Option<&str>) -> Vec<u8> {
    let mut key = Vec::new();
    for text in texts.into_iter().chain([id]) {
        key.extend_from_slice(&text.map_or(usize::MAX, str::len).to_be_bytes());
        key.extend_from_slice(text.unwrap_or_default().as_bytes());
    }
    key
}

/// Gives each its own id: the one that was told, where no other has it by what it is called.
fn name_each(endpoints: &mut [SeenEndpoint]) {
    let own = endpoints.iter().filter(|one| one.is_own).map(|one| (one.tenant.clone(), one.id.clone()));
    let mut taken: BTreeSet<_> = own.collect();
    for one in endpoints.iter_mut().filter(|one| !one.is_own && !one.is_vague) {
        if !taken.insert((one.tenant.clone(), one.id.clone())) {
            one.id = one.computed_id();
        }
    }
}

/// Sums that are too old to name operations belong to the endpoint that has all else of them.
fn join_vague(endpoints: &mut Vec<SeenEndpoint>) {
    if endpoints.iter().all(|one| !one.is_vague) {
        return;
    }
    let name = |one: &SeenEndpoint| {
        [&one.id, &one.service, &one.method, &one.template, one.tenant.as_ref().unwrap_or(&String::new())]
            .map(Clone::clone)
    };
    let (vague, mut clear): (Vec<_>, Vec<_>) =
        std::mem::take(endpoints).into_iter().partition(|one| one.is_vague);
    let places: HashMap<_, usize> = clear.iter().enumerate().map(|(at, one)| (name(one), at)).collect();
    for one in vague {
        match places.get(&name(&one)).and_then(|at| clear.get_mut(*at)) {
            Some(to) => to.absorb(one),
            None => clear.push(one),
        }
    }
    *endpoints = clear;
}

impl SeenEndpoint {
    fn of(row: &Row<'_>) -> Self {
        let owned = |text: Option<&str>| text.unwrap_or_default().to_owned();
        Self {
            service: owned(row.text(SERVICE)),
            operation: row.text(OPERATION).filter(|name| !row.is_usual(name)).map(str::to_owned),
            is_summed: true,
            is_vague: row.text(OPERATION).is_none(),
            method: owned(method(row)),
            template: owned(row.text(TEMPLATE)),
            times: row.times(),
            ..Self::default()
        }
    }

    /// Whether a call of it was seen, and not only a description.
    pub fn is_seen(&self) -> bool {
        self.times != NEVER
    }

    /// The id that sensors make of what it is called, where nothing of that was redacted.
    fn computed_id(&self) -> String {
        let mut hash = SipHasher24::new();
        let texts = [&self.service, &self.method, &self.template].into_iter().chain(&self.operation);
        for text in texts {
            hash.write(text.as_bytes());
            hash.write_u8(0);
        }
        format!("{:016x}", hash.finish())
    }

    /// Takes the id that a sensor told: the one that is made of its texts before others, of these the smallest.
    fn take_id(&mut self, id: &str) {
        if self.id == id || self.is_own {
            return;
        }
        self.is_own = id == self.computed_id();
        if self.is_own || self.id.is_empty() || id < self.id.as_str() {
            id.clone_into(&mut self.id);
        }
    }

    fn add(&mut self, row: &Row<'_>, who: u64, room: &mut Room) {
        let counts = row.counts();
        let (first, last) = row.times();
        self.is_summed = true;
        if let Some(owner) = row.text(OWNER).filter(|_| self.owner.is_none() || last >= self.times.1) {
            self.owner = Some(cut(owner).to_owned());
        }
        self.times = (self.times.0.min(first), self.times.1.max(last));
        let by_class =
            [counts.successes, counts.redirects, counts.failures, counts.errors, counts.unanswered];
        let [ok, moved, refused, failed, unseen] = by_class;
        // What is of no other class, where all of them were kept.
        let rest = counts.calls.saturating_sub(by_class.into_iter().fold(0, u64::saturating_add));
        let (other, unclassed) = if row.has_classes() { (rest, 0) } else { (0, rest) };
        self.add_counts(&Self {
            calls: counts.calls,
            messages: counts.messages,
            status: [other, ok, moved, refused, failed, unseen],
            unclassed,
            clear_text: counts.clear_text,
            clear_unknown: if row.has_clear_text() { 0 } else { counts.calls },
            request_bytes: counts.request_bytes,
            response_bytes: counts.response_bytes,
            answered: counts.answered,
            latency_sum: counts.latency_sum,
            latency_max: row.latency_max(),
            ..Self::default()
        });
        for (to, at) in [&mut self.auth, &mut self.sent, &mut self.answers].into_iter().zip(0..) {
            for (name, count) in row.map(at) {
                let name = cut(&name);
                if to.contains_key(name) || room.takes_name(who, to.len(), name.len()) {
                    add_up(to, name.to_owned(), count);
                }
            }
        }
        let owned = |at: usize| row.text(at).map(|text| cut(text).to_owned());
        let name = owned(REPORTER).unwrap_or_default();
        let teller = Teller { name, tenant: owned(TENANT), site: owned(SITE) };
        let length = teller.name.len();
        if self.sensors.contains_key(&teller) || room.takes_name(who, self.sensors.len(), length) {
            join(&mut self.sensors, teller, Told { calls: counts.calls, times: (first, last), word: None });
        }
    }

    fn add_counts(&mut self, more: &Self) {
        let sums = [
            (&mut self.calls, more.calls),
            (&mut self.messages, more.messages),
            (&mut self.unclassed, more.unclassed),
            (&mut self.clear_text, more.clear_text),
            (&mut self.clear_unknown, more.clear_unknown),
            (&mut self.request_bytes, more.request_bytes),
            (&mut self.response_bytes, more.response_bytes),
            (&mut self.answered, more.answered),
            (&mut self.latency_sum, more.latency_sum),
        ];
        let sums = sums.into_iter().chain(self.status.iter_mut().zip(more.status));
        sums.for_each(|(sum, more)| raise(sum, more));
        self.latency_max = self.latency_max.max(more.latency_max);
    }

    fn add_caller(&mut self, who: u64, caller: u64, room: &mut Shares) {
        let known = self.known.entry(who).or_default();
        if known.contains(&caller) {
            return;
        }
        if known.len() < MOST_CALLERS && room.takes(who, 1) {
            known.insert(caller);
        } else {
            self.callers.1 |= !self.known.values().any(|known| known.contains(&caller));
        }
    }

    /// Takes what is known of another one in.
    fn absorb(&mut self, other: Self) {
        self.add_counts(&other);
        self.is_summed |= other.is_summed;
        if other.times.1 > self.times.1 || self.owner.is_none() {
            self.owner = other.owner.or(self.owner.take());
        }
        self.times = (self.times.0.min(other.times.0), self.times.1.max(other.times.1));
        let lists =
            [(&mut self.auth, other.auth), (&mut self.sent, other.sent), (&mut self.answers, other.answers)];
        for (to, more) in lists {
            more.into_iter().for_each(|(name, count)| add_up(to, name, count));
        }
        other.sensors.into_iter().for_each(|(teller, told)| join(&mut self.sensors, teller, told));
        self.callers.1 |= other.callers.1;
        for (who, more) in other.known {
            self.known.entry(who).or_default().extend(more);
        }
    }
}

fn add_up(to: &mut BTreeMap<String, u64>, name: String, count: u64) {
    raise(to.entry(name).or_default(), count);
}

fn raise(sum: &mut u64, more: u64) {
    *sum = sum.saturating_add(more).min(MOST_COUNT);
}

/// What was said of another one says nothing of this.
fn join(sensors: &mut BTreeMap<Teller, Told>, teller: Teller, more: Told) {
    let told = sensors.entry(teller).or_insert_with(|| Told { times: more.times, ..Told::default() });
    raise(&mut told.calls, more.calls);
    told.times = (told.times.0.min(more.times.0), told.times.1.max(more.times.1));
}

#[cfg(test)]
mod tests;
