//! What left: which endpoints answered somebody, with what data, about how many distinct persons.
//!
//! A person is told by what names one in a record of an answer, as a keyed hash: e-mail addresses where there are any; else
//! fields that name a person, such as `customerId` or `subject`; else the `id` nearest to the top, in records that carry
//! sensitive data. A number names a person within its service and what it is a number of. One person who is named by e-mail in
//! one answer and only by number in another counts twice: where that may be, it is said.

mod persons;
mod ranks;
mod records;
mod target;

pub use persons::{EXACT, Persons};
pub use target::Target;

use crate::facts::is_ok;
use siphasher::sip::SipHasher13;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::Hasher;
use std::sync::Arc;
use tapwire_inspect::classes::{ClassId, ClassKind};
use tapwire_inspect::fields::{ClassHits, Field};
use tapwire_inspect::{PayloadState, Token};
use tapwire_inventory::{Call, EndpointId, Inventory, Tried};
use tapwire_protocol::{Message, Seen, Uid};
use tapwire_wire::Timestamp;
use target::By;

/// Endpoints told apart.
const MAX_ENDPOINTS: usize = 256;
/// Logins that are followed.
const MAX_LOGINS: usize = 100_000;
/// Persons named in one answer that can be counted: the inspector is told to keep so many identifiers.
pub const MAX_IDS: usize = 1_000_000;
/// Kinds of numbers of persons that are counted beside what tells the persons of an endpoint.
const MAX_NUMBERS: usize = 2;
/// Spaces of names that are told apart.
const MAX_SPACES: usize = 8;

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
    /// Answers in which one person may have been named several times, such as by numbers of orders.
    pub several: u64,
    /// In what persons are named: addresses, numbers of customers of a service, and so on; at most 8.
    pub spaces: BTreeSet<u64>,
    /// Numbers of persons beside what tells them, by their space.
    numbers: BTreeMap<u64, Persons>,
    /// What was asked for by name where the answer has a number of which everybody has one.
    objects: Persons,
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
    /// Logins that succeeded and are not followed for want of room.
    pub unfollowed: u64,
    /// Logins that succeeded at an incident's endpoints, from its addresses, and show nothing of the incident.
    pub apart: u64,
    /// Logins of which is only likely that they are the incident's: their tokens are followed.
    pub likely: u64,
    /// Names and programs of those who are behind the incident.
    theirs: BTreeSet<Token>,
    /// Programs behind calls that count by their address.
    programs: BTreeSet<Token>,
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
        let by = self.target.by(call);
        let follows = by.is_none() && call.caller.issued_in.is_some_and(|login| self.logins.contains(&login));
        if by.is_none() && !follows {
            return;
        }
        if !self.hears_login(call, by, follows) {
            return;
        }
        let seen = call.observation.exchange.response_head().is_some();
        if seen && !is_ok(call) {
            self.refused += u64::from(call.observation.exchange.child.is_none());
            return;
        }
        let counts_by_address = by == Some(By::Address) && self.target.is_there(call);
        if let Some(principal) = call.principal.filter(|_| counts_by_address && self.programs.len() < 2) {
            self.programs.insert(principal.token);
        }
        let id = call.endpoint.unwrap_or(EndpointId(0));
        let all = if follows { &mut self.followed } else { &mut self.all };
        if all.len() >= MAX_ENDPOINTS && !all.contains_key(&id) {
            self.beyond += 1;
            return;
        }
        all.entry(id).or_default().hear(call);
    }

    /// Hears of a login, if it is one; whether the call may be one of those that are meant. From an address that many share,
    /// a login is the incident's where its name, or its program, failed there before, or has a finding.
    fn hears_login(&mut self, call: &Call, by: Option<By>, follows: bool) -> bool {
        let uid = call.observation.exchange.uid();
        if follows && call.observation.issuance.is_some() {
            self.follow(uid);
        }
        let Some(login) = call.relations.login.filter(|_| self.target.is_there(call)) else { return true };
        let names = || login.user.into_iter().chain(call.principal.map(|principal| principal.token));
        let is_unsure = matches!(by, Some(By::Address | By::Login));
        if is_unsure
            && (self.target.shows(uid) || login.result == Tried::Failed)
            && self.theirs.len() + 2 <= MAX_LOGINS
        {
            self.theirs.extend(names());
        }
        if login.result != Tried::Succeeded || by == Some(By::Anybody) {
            return true;
        }
        if by == Some(By::Address) && !names().any(|name| self.theirs.contains(&name)) {
            self.apart += 1;
            return false;
        }
        self.likely += u64::from(is_unsure);
        self.follow(uid);
        true
    }

    /// Whether calls count by their address of which more than one program made some.
    pub fn has_several_programs(&self) -> bool {
        self.programs.len() > 1
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
        let named = records::named(list, &ranks::Space::of(call));
        named.persons.into_iter().for_each(|hash| self.persons.add(hash));
        self.too_few += u64::from(named.too_few);
        self.several += u64::from(named.several);
        self.spaces.extend(named.spaces);
        named.numbers.into_iter().for_each(|(space, hash)| self.counts(space, |numbers| numbers.add(hash)));
        if call.relations.named != 0 && list.fields().iter().any(has_national) {
            self.objects.add(spread(call.relations.named));
        }
        self.limit();
        for name in named.told_by {
            if self.told_by.len() < 8 {
                self.told_by.insert(name);
            }
        }
    }

    /// Whether more persons have numbers in these answers, or were asked for one by one, than are told: addresses that several
    /// share tell too few.
    pub fn has_more(&self) -> bool {
        let (told, _) = self.persons.count();
        self.numbers.values().chain([&self.objects]).any(|one| match one.count() {
            (more, true) => more > told,
            // Both are within 2 %.
            (more, false) => more > told + told / 20,
        })
    }

    fn counts(&mut self, space: u64, change: impl FnOnce(&mut Persons)) {
        if self.numbers.len() < MAX_NUMBERS || self.numbers.contains_key(&space) {
            change(self.numbers.entry(space).or_default());
        }
    }

    fn limit(&mut self) {
        while self.spaces.len() > MAX_SPACES {
            self.spaces.pop_last();
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
        self.several += other.several;
        self.spaces.extend(&other.spaces);
        self.limit();
        for (space, numbers) in &other.numbers {
            self.counts(*space, |own| own.join(numbers));
        }
        self.objects.join(&other.objects);
        for (class, count) in &other.classes {
            *self.classes.entry(*class).or_default() += count;
        }
        self.read_bytes += other.read_bytes;
        self.unread += other.unread;
        self.unread_bytes += other.unread_bytes;
        self.unknown_length += other.unknown_length;
    }
}

/// Whether a field has numbers of which everybody has one.
fn has_national(field: &Field) -> bool {
    field
        .classes
        .iter()
        .any(|hits| hits.reported > 0 && records::kind(hits.class) == Some(ClassKind::NationalId))
}

/// Spreads what is a sum of hashes.
fn spread(hash: u64) -> u64 {
    let mut spread = SipHasher13::new();
    spread.write_u64(hash);
    spread.finish()
}

#[cfg(test)]
mod tests;
