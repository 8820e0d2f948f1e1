//! Which properties answers give to callers of a role, and which their requests set, beside those of other roles at the same
//! place. What a request asks for by its query is a place of its own (`?expand=`), and so is what belongs to the caller. A
//! property counts from the first time anybody has it there: before a release nobody lacked it.

use super::ages::{Ages, Forgotten};
use super::habits::Method;
use super::{Seen, hash, mix};
use tapwire_inspect::fields::{FieldList, Kind, Kinds, Step};

/// Roles of one place that are told apart; of more, that with the fewest callers makes room.
const MAX_ROLES: usize = 4;
/// Properties of a place, of one body, and of what is told of one call.
const MAX_PROPERTIES: usize = 48;
const MAX_FIELDS: usize = 64;
const MAX_FOUND: usize = 8;
/// Seconds after which what was not met is forgotten.
const SPAN: i64 = 14 * 86_400;
/// Callers of a role that have a property without its being one of the role, and how many times as many must lack it since.
const SHARERS: u32 = 2;
const TIMES: u32 = 10;
/// Other callers of a role that is one of several people.
const SEVERAL: u32 = 2;
/// Parameters of queries whose values say what is asked for, and not only their names.
const SELECTORS: &[&[u8]] = &[
    b"fields",
    b"expand",
    b"include",
    b"embed",
    b"select",
    b"view",
    b"with",
    b"projection",
    b"$select",
    b"$expand",
    b"populate",
    b"level",
    b"detail",
    b"details",
    b"format",
    b"mode",
    b"verbose",
    b"full",
    b"scope",
    b"as",
    b"type",
    b"include_docs",
];
const IN_REQUEST: u64 = 0x7072_6f70;

/// Properties of a call, beside what callers of its role and of others have there.
#[derive(Debug, Clone, Default)]
pub struct Properties {
    /// Other callers of its role there, about; 0 where no other role calls there.
    pub peers: u32,
    /// Whether nobody else of its role called there, where several of another one do: what those do says nothing of it.
    pub is_first: bool,
    /// Those that other roles have as a rule, and hardly one of its own.
    pub found: Vec<Property>,
}

/// A property of another role.
#[derive(Debug, Clone, Copy)]
pub struct Property {
    /// The field's hash.
    pub field: u64,
    /// Whether the request has it, or the answer.
    pub in_request: bool,
    /// Other callers of the role that lack it, about, and their calls without it.
    pub peers: u32,
    /// Calls of these without it.
    pub calls: u32,
    /// Other callers of the role that have it.
    pub sharers: u32,
    /// Other callers of the role that lacked it after the first of the role had it, about.
    pub since: u32,
    /// Of the other role: objects or callers with it, and all of them.
    pub others: (u32, u32),
    /// How likely all with it are the other role's, were it not for the role (Fisher's exact test).
    pub chance: f64,
}

/// One role's callers at a place, and whether they call what is their own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
struct Role {
    grants: u64,
    own: bool,
    callers: Callers,
}

/// Different callers, about, in 64 bits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
struct Callers(u64);

impl Callers {
    const fn bit(who: u64) -> u64 {
        1 << (who.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58)
    }

    const fn add(&mut self, who: u64) {
        self.0 |= Self::bit(who);
    }

    /// How many beside one (linear counting); at most 266.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most 266")]
    fn beside(self, who: u64) -> u32 {
        let free = (self.0 & !Self::bit(who)).count_zeros().max(1);
        (64.0 * (64.0 / f64::from(free)).ln()) as u32
    }
}

/// What a role has of one property, since anybody had it.
#[derive(Debug, Clone, Copy, Default, serde::Serialize, serde::Deserialize)]
struct Record {
    with: Callers,
    without: Callers,
    /// Those without it after the first with it.
    since: Callers,
    calls: u32,
    /// A sample of objects, or of callers where none is named, and how many of these had it.
    units: u64,
    given: u8,
}

impl Record {
    fn hear(&mut self, has: bool, who: u64, unit: u64) {
        if has {
            self.with.add(who);
        } else {
            self.without.add(who);
            self.calls = self.calls.saturating_add(1);
            if self.with.0 != 0 {
                self.since.add(who);
            }
        }
        let bit = Callers::bit(unit);
        if self.units & bit == 0 {
            self.units |= bit;
            self.given += u8::from(has);
        }
    }
}

#[derive(Debug, Clone, Default, serde::Serialize, serde::Deserialize)]
struct Known {
    field: u64,
    /// By the place of the role.
    roles: Vec<Record>,
}

impl Known {
    fn role(&mut self, at: usize) -> Option<&mut Record> {
        if self.roles.len() <= at {
            self.roles.resize(at.min(MAX_ROLES - 1) + 1, Record::default());
        }
        self.roles.get_mut(at)
    }
}

/// What is known of one place.
#[derive(Debug, Clone, Default, serde::Serialize, serde::Deserialize)]
pub(super) struct Place {
    roles: [Role; MAX_ROLES],
    properties: Vec<Known>,
}

/// A body before a place.
struct Body<'a> {
    grants: u64,
    own: bool,
    who: u64,
    unit: u64,
    in_request: bool,
    /// Hashes of its properties, sorted.
    fields: &'a [u64],
}

pub(super) struct Learned {
    pub(super) places: Ages<Place>,
    evicted_roles: u64,
    recalls: bool,
}

impl Learned {
    pub(super) fn new(callers: usize) -> Self {
        Self { places: Ages::new(callers / 200, SPAN), evicted_roles: 0, recalls: false }
    }

    /// The calls that this was learned of come again: nothing is learned twice.
    pub(super) const fn recall(&mut self) {
        self.recalls = true;
    }

    pub(super) const fn forgotten(&self) -> Forgotten {
        self.places.forgotten().and(Forgotten { evicted: self.evicted_roles, expired: 0 })
    }

    /// Which properties of a call are other roles'; learns from it. Only what was done says something of a role, and what a query of
    /// its own language asks for is no difference of roles. What was refused is judged all the same.
    pub(super) fn hear(&mut self, seen: &Seen<'_>, grants: Option<u64>, own: bool) -> Option<Properties> {
        let (who, grants) = (seen.who?, grants?);
        let in_request = match seen.method {
            Method::Read => false,
            Method::Post | Method::Put | Method::Patch => true,
            Method::Delete | Method::Other => return None,
        };
        let is_done = matches!(seen.status, Some(200..=299)) && !seen.observation.failed();
        let is_refused = in_request && matches!(seen.status, Some(400..=499));
        if !(is_done || is_refused) || seen.is_rpc {
            return None;
        }
        let payload =
            if in_request { &seen.observation.request_payload } else { &seen.observation.response_payload };
        let list = payload.list.as_deref()?;
        let (mut fields, mut count) = ([0; MAX_FIELDS], 0);
        for (hash, slot) in properties(list).zip(&mut fields) {
            *slot = hash;
            count += 1;
        }
        let fields = fields.get_mut(..count).filter(|fields| !fields.is_empty())?;
        fields.sort_unstable();
        let named = seen.asked.iter().fold(0, |sum, (at, hash)| mix(sum, *hash ^ u64::from(*at)));
        let unit = if own || named == 0 { who } else { named };
        // Whose it is says the answer alone: what is refused has none.
        let body = Body { grants, own: own && !in_request, who, unit, in_request, fields };
        let key =
            if in_request { mix(seen.endpoint, IN_REQUEST) } else { mix(seen.endpoint, asked_for(seen)) };
        if is_refused {
            return self.places.get(key).map(|place| place.judge(&body));
        }
        let place = self.places.met_or_new(key, seen.now);
        let found = place.judge(&body);
        if !self.recalls {
            self.evicted_roles += u64::from(place.learn(&body));
        }
        Some(found)
    }
}

/// Members of a body that have a value: what is null is hidden as well as what is left out.
fn properties(list: &FieldList) -> impl Iterator<Item = u64> {
    let valued =
        |kinds: Kinds| kinds.iter().any(|kind| !matches!(kind, Kind::Null | Kind::Object | Kind::Array));
    let fields = list.fields().iter().zip(list.indices());
    fields
        .filter(move |(field, at)| {
            matches!(field.step, Step::Member | Step::Attribute) && valued(field.kinds) && !list.is_entry(*at)
        })
        .map(|(field, _)| field.hash)
}

/// A hash of what a request asks for: the names of its query, the values of those that select, and in which form it is answered.
fn asked_for(seen: &Seen<'_>) -> u64 {
    let mut all = 0_u64;
    if let Some(head) = seen.observation.exchange.request_head() {
        for parameter in &seen.observation.parameters {
            let name = head.slice(parameter.name).bytes();
            let named = hash(seen.hashing, name);
            all = all.wrapping_add(mix(1, named));
            if SELECTORS.iter().any(|known| known.eq_ignore_ascii_case(name)) {
                all = all.wrapping_add(mix(named, hash(seen.hashing, head.slice(parameter.value).bytes())));
            }
        }
    }
    let form = seen.observation.exchange.response_head().and_then(|head| head.header(b"content-type"));
    mix(all, form.map_or(0, |form| hash(seen.hashing, form.bytes())))
}

impl Place {
    fn place_of(&self, body: &Body<'_>) -> Option<usize> {
        let is_it = |role: &Role| role.callers.0 != 0 && (role.grants, role.own) == (body.grants, body.own);
        self.roles.iter().position(is_it)
    }

    fn judge(&self, body: &Body<'_>) -> Properties {
        let mut properties = Properties { is_first: self.is_first(body), ..Properties::default() };
        let Some(at) = self.place_of(body) else { return properties };
        let is_other = |role: &Role| role.callers.0 != 0 && role.grants != body.grants;
        if !self.roles.iter().any(is_other) {
            return properties;
        }
        properties.peers = self.roles.get(at).map_or(0, |role| role.callers.beside(body.who));
        for known in &self.properties {
            if properties.found.len() < MAX_FOUND && body.fields.binary_search(&known.field).is_ok() {
                properties.found.extend(self.foreign(known, at, body));
            }
        }
        properties
    }

    fn is_first(&self, body: &Body<'_>) -> bool {
        let most = |own: bool| {
            let roles = self.roles.iter().filter(move |role| (role.grants == body.grants) == own);
            roles.map(|role| role.callers.beside(body.who)).max().unwrap_or(0)
        };
        most(true) == 0 && most(false) >= SEVERAL
    }

    /// What is to be said of a property that a caller has: where another role has it as a rule and this one does not.
    fn foreign(&self, known: &Known, at: usize, body: &Body<'_>) -> Option<Property> {
        let own = known.roles.get(at)?;
        let peers = own.without.beside(body.who);
        let (sharers, since) = (own.with.beside(body.who), own.since.beside(body.who));
        let is_release = !body.in_request && since < sharers * TIMES;
        if peers == 0 || sharers > SHARERS || is_release {
            return None;
        }
        let others = self.roles.iter().zip(&known.roles);
        let others = others.filter(|(role, _)| role.callers.0 != 0 && role.grants != body.grants);
        let counts = others.map(|(_, record)| (u32::from(record.given), record.units.count_ones()));
        let rule = counts.filter(|(with, all)| with * 2 >= *all);
        let (with, all) = rule.max_by_key(|(with, all)| (*with, u32::MAX - all))?;
        Some(Property {
            field: known.field,
            in_request: body.in_request,
            peers,
            calls: own.calls,
            sharers,
            since,
            others: (with, all),
            chance: chance(with, all, peers),
        })
    }

    /// Learns from a body; whether a role made room.
    fn learn(&mut self, body: &Body<'_>) -> bool {
        let known = self.place_of(body);
        let fewest = || self.roles.iter().enumerate().min_by_key(|(_, role)| role.callers.0.count_ones());
        let Some(at) = known.or_else(|| fewest().map(|(at, _)| at)) else { return false };
        let Some(role) = self.roles.get_mut(at) else { return false };
        let evicts = known.is_none() && role.callers.0 != 0;
        if known.is_none() {
            *role = Role { grants: body.grants, own: body.own, callers: Callers::default() };
            let records = self.properties.iter_mut().filter_map(|property| property.roles.get_mut(at));
            records.for_each(|record| *record = Record::default());
        }
        role.callers.add(body.who);
        for property in &mut self.properties {
            let has = body.fields.binary_search(&property.field).is_ok();
            property.role(at).into_iter().for_each(|record| record.hear(has, body.who, body.unit));
        }
        for field in body.fields {
            if self.properties.len() < MAX_PROPERTIES
                && !self.properties.iter().any(|known| known.field == *field)
            {
                let mut known = Known { field: *field, roles: Vec::new() };
                known.role(at).into_iter().for_each(|record| record.hear(true, body.who, body.unit));
                self.properties.push(known);
            }
        }
        evicts
    }
}

/// How likely none of `without` has what `with` of `all` others have, if nothing but chance says who has it.
fn chance(with: u32, all: u32, without: u32) -> f64 {
    (0..with.min(all))
        .fold(1.0, |chance, nth| chance * f64::from(all - nth) / f64::from(all.saturating_add(without) - nth))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_is_that_of_fishers_exact_test() {
        // Of 4 with it among 8, all four are of the first four: one of 70 ways.
        assert!((chance(4, 4, 4) - 1.0 / 70.0).abs() < 1e-12);
        assert!((chance(1, 1, 99) - 0.01).abs() < 1e-12);
        assert!((chance(0, 9, 9) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn callers_are_counted_about_and_never_the_one_that_asks() {
        let mut callers = Callers::default();
        assert_eq!(callers.beside(7), 0);
        (0..60_u64).for_each(|who| callers.add(who * 0x1234_5677));
        assert!((40..80).contains(&callers.beside(0)), "{}", callers.beside(0));
        (0..9_000_u64).for_each(|who| callers.add(who * 0x1234_5677));
        assert!((220..=266).contains(&callers.beside(0)));
    }

    #[test]
    fn a_place_keeps_so_many_properties_and_roles_and_no_more() {
        let mut place = Place::default();
        for nth in 0..1_000_u64 {
            let fields: Vec<u64> = (nth * 7..nth * 7 + 60).collect();
            let body =
                Body { grants: nth % 9, own: false, who: nth, unit: nth, in_request: false, fields: &fields };
            place.judge(&body);
            place.learn(&body);
        }
        assert_eq!(place.properties.len(), MAX_PROPERTIES);
        assert!(place.properties.iter().all(|known| known.roles.len() <= MAX_ROLES));
    }
}
