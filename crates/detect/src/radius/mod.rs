//! What left: which endpoints answered somebody, with what data, about how many distinct persons.
//!
//! A person is told by what names one in an answer, as a keyed hash: e-mail addresses where there are any; else fields that name
//! a person, such as `customerId` or `subject`; else the `id` nearest to the top, in answers that carry sensitive data. One
//! person who is named by e-mail in one answer and only by number in another counts twice.

mod persons;

pub use persons::{EXACT, Persons};

use crate::facts::{is_named, is_ok};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use tapwire_inspect::classes::ClassId;
use tapwire_inspect::fields::{ClassHits, Field, FieldIndex, FieldList, Format, Kind};
use tapwire_inspect::{PayloadState, Token};
use tapwire_inventory::{Call, EndpointId, Inventory};
use tapwire_protocol::{Message, Seen};
use tapwire_wire::Timestamp;

/// Endpoints told apart.
const MAX_ENDPOINTS: usize = 256;
/// Persons named in one answer that can be counted: the inspector is told to keep so many identifiers.
pub const MAX_IDS: usize = 1_000_000;

/// Whose calls are looked at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Target {
    /// Callers by name.
    pub callers: Vec<Token>,
    /// Addresses, for calls without a name.
    pub addresses: Vec<IpAddr>,
    /// Only these endpoints, where it is about an incident.
    pub endpoints: Option<Vec<EndpointId>>,
}

/// What an endpoint gave away.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reached {
    /// Calls that were answered with success.
    pub calls: u64,
    /// When the first and the last of them began.
    pub first: Timestamp,
    /// See `first`.
    pub last: Timestamp,
    /// Whose records were in the answers.
    pub persons: Persons,
    /// Names of fields by which persons were told, at most 8.
    pub told_by: BTreeSet<Arc<str>>,
    /// Data classes of the answers, by the number of their values.
    pub classes: BTreeMap<ClassId, u64>,
    /// Bytes of answers that were read whole.
    pub read_bytes: u64,
    /// Answers that were not read whole, or not at all: what is in them is not counted, or not all of it.
    pub unread: u64,
    /// Bytes of those that are known to have passed.
    pub unread_bytes: u64,
    /// Of the unread ones, those whose length is not known either.
    pub unknown_length: u64,
}

/// Counts what left.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Radius {
    target: Target,
    all: BTreeMap<EndpointId, Reached>,
    /// Calls of endpoints beyond the limit.
    pub beyond: u64,
    /// Calls that did not succeed.
    pub refused: u64,
}

impl Radius {
    /// Of nothing yet.
    pub fn new(target: Target) -> Self {
        Self { target, ..Self::default() }
    }

    /// Hears of a call.
    pub fn hear(&mut self, call: &Call) {
        if !self.is_meant(call) {
            return;
        }
        let seen = call.observation.exchange.response_head().is_some();
        if seen && !is_ok(call) {
            self.refused += u64::from(call.observation.exchange.child.is_none());
            return;
        }
        let id = call.endpoint.unwrap_or(EndpointId(0));
        if self.all.len() >= MAX_ENDPOINTS && !self.all.contains_key(&id) {
            self.beyond += 1;
            return;
        }
        self.all.entry(id).or_default().hear(call);
    }

    /// What endpoints gave away, by what they are known as by now; the most persons first.
    pub fn reached(&self, inventory: &Inventory) -> Vec<(EndpointId, Reached)> {
        let now = |id: EndpointId| inventory.endpoint(id).map_or(id, |endpoint| endpoint.id);
        let wanted: Option<Vec<EndpointId>> =
            self.target.endpoints.as_ref().map(|all| all.iter().map(|id| now(*id)).collect());
        let mut all: BTreeMap<EndpointId, Reached> = BTreeMap::new();
        for (id, reached) in &self.all {
            let id = now(*id);
            if wanted.as_ref().is_none_or(|wanted| wanted.contains(&id)) {
                all.entry(id).or_default().join(reached);
            }
        }
        let mut all: Vec<(EndpointId, Reached)> = all.into_iter().collect();
        all.sort_by_key(|(id, reached)| (std::cmp::Reverse((reached.persons.count().0, reached.calls)), *id));
        all
    }

    fn is_meant(&self, call: &Call) -> bool {
        match call.principal.filter(|_| is_named(call)) {
            Some(principal) => self.target.callers.contains(&principal.token),
            None => {
                let known = |token: &Token| self.target.callers.contains(token);
                call.principal.is_some_and(|principal| known(&principal.token))
                    || call.caller.address.is_some_and(|address| self.target.addresses.contains(&address.ip))
            }
        }
    }
}

impl Reached {
    fn hear(&mut self, call: &Call) {
        let observation = &call.observation;
        let time = observation.exchange.started();
        self.first = if self.calls == 0 { time } else { self.first.min(time) };
        self.last = self.last.max(time);
        self.calls += 1;
        self.measure(observation.exchange.response.as_deref(), observation.response_payload.state);
        let Some(list) = observation.response_payload.list.as_deref() else { return };
        for hits in list.fields().iter().flat_map(|field| &field.classes) {
            self.carries(hits);
        }
        let (told_by, persons) = named(list);
        persons.into_iter().for_each(|hash| self.persons.add(hash));
        for name in told_by {
            if self.told_by.len() < 8 {
                self.told_by.insert(name);
            }
        }
    }

    fn carries(&mut self, hits: &ClassHits) {
        if let Some(class) = ClassId::from_number(hits.class).filter(|_| hits.reported > 0) {
            *self.classes.entry(class).or_default() += u64::from(hits.reported);
        }
    }

    fn measure(&mut self, response: Option<&Message>, state: PayloadState) {
        let Some(response) = response else {
            self.unread += 1;
            self.unknown_length += 1;
            return;
        };
        let whole = response.seen == Seen::Complete && !response.body.cut && response.body.missed == 0;
        match state {
            PayloadState::Read | PayloadState::Empty if whole => self.read_bytes += response.body.len,
            // Without a parser nothing of it was looked at.
            _ => {
                self.unread += 1;
                self.unread_bytes += response.body.len;
                self.unknown_length += u64::from(matches!(response.seen, Seen::Ongoing | Seen::Missing));
            }
        }
    }

    fn join(&mut self, other: &Self) {
        self.first = if self.calls == 0 { other.first } else { self.first.min(other.first) };
        self.last = self.last.max(other.last);
        self.calls += other.calls;
        self.persons.join(&other.persons);
        self.told_by.extend(other.told_by.iter().cloned());
        for (class, count) in &other.classes {
            *self.classes.entry(*class).or_default() += count;
        }
        self.read_bytes += other.read_bytes;
        self.unread += other.unread;
        self.unread_bytes += other.unread_bytes;
        self.unknown_length += other.unknown_length;
    }
}

/// How surely a field names a person, the surest first; `None`: it does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Email,
    Person,
    Record(usize),
}

/// Last words of names of fields that name persons.
const PERSONS: &[&str] = &[
    "user",
    "customer",
    "client",
    "patient",
    "member",
    "subject",
    "sub",
    "owner",
    "account",
    "holder",
    "person",
    "employee",
    "student",
    "guest",
    "login",
    "username",
    "subscriber",
    "passenger",
    "applicant",
    "citizen",
];

fn rank(list: &FieldList, field: &Field) -> Option<Rank> {
    let name = String::from_utf8_lossy(list.name(field)).to_ascii_lowercase();
    // Numbers alone leave every format open.
    let is_address = field.kinds.has(Kind::Text) && field.formats.has(Format::Email);
    if name.contains("email") || name.contains("e_mail") || is_address {
        return Some(Rank::Email);
    }
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    let stem = ["uuid", "guid", "uid", "id"].iter().find_map(|end| plain.strip_suffix(end)).unwrap_or(&plain);
    if PERSONS.contains(&stem) {
        return Some(Rank::Person);
    }
    stem.is_empty().then(|| Rank::Record(depth(list, field)))
}

/// How far below the top a field lies.
fn depth(list: &FieldList, field: &Field) -> usize {
    let (mut depth, mut at) = (0, field);
    while let Some(parent) = list.get(at.parent).filter(|parent| !std::ptr::eq(*parent, at)) {
        // A field's parent comes before it; what a hostile list says otherwise ends here.
        if depth > list.fields().len() {
            break;
        }
        (depth, at) = (depth + 1, parent);
    }
    depth
}

/// The persons that an answer is about, and the names of the fields that tell them.
fn named(list: &FieldList) -> (Vec<Arc<str>>, Vec<u64>) {
    let mut ranks: BTreeMap<FieldIndex, Option<Rank>> = BTreeMap::new();
    for id in list.ids() {
        ranks.entry(id.field).or_insert_with(|| list.get(id.field).and_then(|field| rank(list, field)));
    }
    let sensitive = list.fields().iter().any(|field| field.classes.iter().any(|hits| hits.reported > 0));
    let usable = |rank: &Rank| sensitive || !matches!(rank, Rank::Record(_));
    let Some(best) = ranks.values().filter_map(|rank| *rank).filter(usable).min() else {
        return (Vec::new(), Vec::new());
    };
    let is_best = |at: FieldIndex| ranks.get(&at) == Some(&Some(best));
    let name = |at: &FieldIndex| list.get(*at).map(|field| String::from_utf8_lossy(list.name(field)).into());
    let told_by = ranks.keys().copied().filter(|at| is_best(*at)).filter_map(|at| name(&at));
    // What names a person otherwise is another name space than e-mail addresses.
    let space = match best {
        Rank::Email => 0,
        Rank::Person | Rank::Record(_) => 0x9e37_79b9_7f4a_7c15,
    };
    let persons = list.ids().iter().filter(|id| is_best(id.field)).map(|id| id.hash ^ space);
    (told_by.collect(), persons.collect())
}

#[cfg(test)]
mod tests;
