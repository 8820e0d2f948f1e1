//! What left: which endpoints answered somebody, with what data, about how many distinct persons.
//!
//! A person is told by what names one in a record of an answer, as a keyed hash: e-mail addresses where there are any; else
//! fields that name a person, such as `customerId` or `subject`; else the `id` nearest to the top, in records that carry
//! sensitive data. One person who is named by e-mail in one answer and only by number in another counts twice.

mod persons;
mod records;
mod target;

pub use persons::{EXACT, Persons};
pub use target::Target;

use crate::facts::is_ok;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tapwire_inspect::PayloadState;
use tapwire_inspect::classes::ClassId;
use tapwire_inspect::fields::ClassHits;
use tapwire_inventory::{Call, EndpointId, Inventory};
use tapwire_protocol::{Message, Seen, Uid};
use tapwire_wire::Timestamp;

/// Endpoints told apart.
const MAX_ENDPOINTS: usize = 256;
/// Logins that are followed.
const MAX_LOGINS: usize = 100_000;
/// Persons named in one answer that can be counted: the inspector is told to keep so many identifiers.
pub const MAX_IDS: usize = 1_000_000;

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
    /// Names of fields by which persons were told, at most 8; `keys`, `values` and `elements` of what has no name. Content: it
    /// leaves only through redaction.
    pub told_by: BTreeSet<Arc<str>>,
    /// Answers that hold more of a data class, or more fields, than the persons whom they name account for.
    pub too_few: u64,
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
    /// Logins whose tokens are followed.
    logins: BTreeSet<Uid>,
    all: BTreeMap<EndpointId, Reached>,
    /// What was answered to tokens of these logins, wherever it was.
    followed: BTreeMap<EndpointId, Reached>,
    /// Calls of endpoints beyond the limit.
    pub beyond: u64,
    /// Calls that did not succeed.
    pub refused: u64,
    /// Logins that succeeded and are not followed.
    pub unfollowed: u64,
    /// When the first call began that was heard of, whosever it was.
    pub since: Option<Timestamp>,
}

impl Radius {
    /// Of nothing yet.
    pub fn new(target: Target) -> Self {
        Self { target, ..Self::default() }
    }

    /// Whose calls are looked at.
    pub const fn target(&self) -> &Target {
        &self.target
    }

    /// Hears of a call.
    pub fn hear(&mut self, call: &Call) {
        let now = call.observation.exchange.started();
        self.since = Some(self.since.map_or(now, |since| since.min(now)));
        let is_meant = self.target.means(call);
        let follows = !is_meant && call.caller.issued_in.is_some_and(|login| self.logins.contains(&login));
        if !is_meant && !follows {
            return;
        }
        if self.target.follows(call) || follows && call.observation.issuance.is_some() {
            self.follow(call.observation.exchange.uid());
        }
        let seen = call.observation.exchange.response_head().is_some();
        if seen && !is_ok(call) {
            self.refused += u64::from(call.observation.exchange.child.is_none());
            return;
        }
        let id = call.endpoint.unwrap_or(EndpointId(0));
        let all = if follows { &mut self.followed } else { &mut self.all };
        if all.len() >= MAX_ENDPOINTS && !all.contains_key(&id) {
            self.beyond += 1;
            return;
        }
        all.entry(id).or_default().hear(call);
    }

    fn follow(&mut self, login: Uid) {
        if self.logins.len() < MAX_LOGINS || self.logins.contains(&login) {
            self.logins.insert(login);
        } else {
            self.unfollowed += 1;
        }
    }

    /// What endpoints gave away, by what they are known as by now; the most persons first.
    pub fn reached(&self, inventory: &Inventory) -> Vec<(EndpointId, Reached)> {
        let now = |id: EndpointId| inventory.endpoint(id).map_or(id, |endpoint| endpoint.id);
        let wanted: Option<Vec<EndpointId>> =
            self.target.endpoints.as_ref().map(|all| all.iter().map(|id| now(*id)).collect());
        let is_wanted = |id: EndpointId| wanted.as_ref().is_none_or(|wanted| wanted.contains(&id));
        let mut all: BTreeMap<EndpointId, Reached> = BTreeMap::new();
        let own = self.all.iter().filter(|(id, _)| is_wanted(now(**id)));
        for (id, reached) in own.chain(&self.followed) {
            all.entry(now(*id)).or_default().join(reached);
        }
        let mut all: Vec<(EndpointId, Reached)> = all.into_iter().collect();
        all.sort_by_key(|(id, reached)| (std::cmp::Reverse((reached.persons.count().0, reached.calls)), *id));
        all
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
        let named = records::named(list);
        named.persons.into_iter().for_each(|hash| self.persons.add(hash));
        self.too_few += u64::from(named.too_few);
        for name in named.told_by {
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
        self.too_few += other.too_few;
        for (class, count) in &other.classes {
            *self.classes.entry(*class).or_default() += count;
        }
        self.read_bytes += other.read_bytes;
        self.unread += other.unread;
        self.unread_bytes += other.unread_bytes;
        self.unknown_length += other.unknown_length;
    }
}

#[cfg(test)]
mod tests;
