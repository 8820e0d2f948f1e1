//! Whose objects are touched: learned from what answers say of their owners, from who lists and makes them, and from who
//! is named in paths. A source of such knowledge (a field of an answer, a place in a path, a list) counts once nearly all callers
//! of one role meet their own there.

use super::{Seen, mix};
use crate::hashing::BuildAsIs;
use std::collections::{HashMap, HashSet};
use tapwire_inspect::fields::{Field, FieldIndex, FieldList, Step};
use tapwire_inspect::{Grant, Issuance};

/// Identifiers of one caller.
const MAX_OWN: usize = 8;
/// Roles told apart at one source.
const MAX_ROLES: usize = 8;
/// Callers of a role that must have met their own before others' objects are foreign, and their share.
const ENOUGH: u32 = 5;
const SHARE: (u32, u32) = (8, 10);
/// Elements of a list that are kept as its caller's.
const MAX_LISTED: usize = 128;

/// Whose an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owned {
    /// The caller's.
    Own,
    /// Somebody else's, where callers of this role meet their own.
    Foreign,
    /// Somebody else's, which this role usually meets: support, partners, what is shared.
    Usual,
    /// Not told yet.
    Unknown,
}

/// By what that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub enum Basis {
    /// A field of the answer names its owner.
    Answer,
    /// The path or the query names somebody.
    Path,
    /// Others list it, or made it.
    Listed,
}

impl Basis {
    /// In words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Answer => "a field of the answer names its owner",
            Self::Path => "the path names its owner",
            Self::Listed => "its owner listed or made it",
        }
    }
}

/// An object that was touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Object {
    /// Whose it is.
    pub owned: Owned,
    /// By what that is known.
    pub basis: Basis,
    /// A hash that names it.
    pub key: u64,
    /// A hash that names its owner; 0 where that is not known.
    pub owner: u64,
    /// Callers of this role that met their own at this source, and all of them.
    pub own_callers: u32,
    /// All of them.
    pub callers: u32,
}

/// A role's callers at one source.
#[derive(Clone, Copy, Default)]
struct Role {
    role: u64,
    own: u32,
    foreign: u32,
}

#[derive(Default)]
struct Source {
    roles: Vec<Role>,
}

impl Source {
    fn role(&mut self, role: u64) -> Option<&mut Role> {
        if let Some(at) = self.roles.iter().position(|known| known.role == role) {
            return self.roles.get_mut(at);
        }
        if self.roles.len() >= MAX_ROLES {
            return None;
        }
        self.roles.push(Role { role, ..Role::default() });
        self.roles.last_mut()
    }
}

/// Whether nobody, one caller or several hold something.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Holder {
    One(u64),
    Several,
}

/// Limits of the tables: what finds no room is not learned.
struct Limits {
    /// Callers whose own identifiers are kept.
    callers: usize,
    /// Objects whose holder is kept.
    objects: usize,
    /// Sources.
    sources: usize,
    /// Pairs of source and caller.
    met: usize,
}

/// Everything learned of whose is what.
pub(super) struct Objects {
    limits: Limits,
    /// Identifiers of callers.
    own: HashMap<u64, Vec<u64>, BuildAsIs>,
    /// Whose an identifier is.
    whose: HashMap<u64, Holder, BuildAsIs>,
    /// Who lists or made an object, by a hash of its collection and identifier.
    held: HashMap<u64, Holder, BuildAsIs>,
    sources: HashMap<u64, Source, BuildAsIs>,
    met: HashSet<u64, BuildAsIs>,
}

impl Objects {
    /// Empty, for as many callers as are kept in all; that number shrinks with the memory.
    pub(super) fn new(callers: usize) -> Self {
        let limits =
            Limits { callers: callers / 5, objects: callers / 2, sources: callers / 20, met: callers };
        Self {
            limits,
            own: HashMap::default(),
            whose: HashMap::default(),
            held: HashMap::default(),
            sources: HashMap::default(),
            met: HashSet::default(),
        }
    }

    /// A login says who somebody is: by its name, and by the identifiers of its answer.
    pub(super) fn logged_in(&mut self, seen: &Seen<'_>, issuance: &Issuance) {
        if !issuance.succeeded || issuance.issued.is_empty() || issuance.grant != Some(Grant::Password) {
            return;
        }
        let subject = issuance.issued.iter().find_map(|one| one.claims.as_ref()?.identity);
        let Some(token) = subject.or(issuance.user) else { return };
        let who = token.0.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        issuance.user_id.into_iter().for_each(|id| self.is_own(who, id));
        for (_, id) in answered(seen).into_iter().take(MAX_OWN) {
            self.is_own(who, id);
        }
    }

    fn is_own(&mut self, who: u64, id: u64) {
        let room = self.own.len() < self.limits.callers;
        let own = match self.own.get_mut(&who) {
            Some(own) => own,
            None if room => self.own.entry(who).or_default(),
            None => return,
        };
        if own.contains(&id) || own.len() >= MAX_OWN {
            return;
        }
        own.push(id);
        match self.whose.get_mut(&id) {
            Some(Holder::One(known)) if *known == who => {}
            Some(holder) => *holder = Holder::Several,
            None => {
                self.whose.insert(id, Holder::One(who));
            }
        }
    }

    /// Somebody else whom the path names, as a hash.
    pub(super) fn other(&self, seen: &Seen<'_>) -> Option<u64> {
        let who = seen.who?;
        let own = self.own.get(&who)?;
        let others = seen.asked.iter().filter(|(at, id)| *at < 200 && !own.contains(id));
        others.filter_map(|(_, id)| self.whose.get(id)).find_map(|holder| match holder {
            Holder::One(other) if *other != who => Some(*other),
            _ => None,
        })
    }

    /// Whose the object of a call is; learns from it.
    pub(super) fn hear(&mut self, seen: &Seen<'_>) -> Option<Object> {
        let who = seen.who?;
        self.claims(seen, who);
        if !matches!(seen.status, Some(200..=299)) {
            return None;
        }
        let has_parameter = seen.template.contains('{');
        if !has_parameter && seen.asked.is_empty() {
            self.listed(seen, who);
            self.is_self(seen, who);
            return None;
        }
        let key = seen.asked.iter().fold(seen.place, |sum, (at, id)| mix(sum, mix(*id, (*at).into())));
        let mut found = None;
        for (source, id) in answered(seen) {
            let source = mix(seen.endpoint, source);
            self.weigh(seen, who, (source, id), (Basis::Answer, key), &mut found);
        }
        for (at, id) in &seen.asked {
            let source = mix(seen.endpoint, u64::from(*at) + 1);
            self.weigh(seen, who, (source, *id), (Basis::Path, key), &mut found);
        }
        self.weigh_listed(seen, who, key, &mut found);
        found
    }

    /// What a token says of its subject.
    fn claims(&mut self, seen: &Seen<'_>, who: u64) {
        let claims = seen.observation.credentials.iter().filter_map(|one| one.claims.as_deref());
        for claims in claims.filter(|claims| claims.identity.is_some()).take(1) {
            claims.names.iter().for_each(|id| self.is_own(who, *id));
        }
    }

    /// An answer to a call without parameters, such as `/me`, has identifiers that differ from caller to caller and stay the
    /// same for each: those are the callers' own.
    fn is_self(&mut self, seen: &Seen<'_>, who: u64) {
        if self.own.get(&who).is_some_and(|own| !own.is_empty()) || seen.observation.credentials.is_empty() {
            return;
        }
        for (field, id) in answered(seen) {
            let source = mix(mix(seen.endpoint, field), 0x5e1f);
            let key = mix(source, id);
            // Whoever else has it here makes it nobody's own.
            match self.held.get(&key).copied() {
                Some(Holder::One(known)) if known == who => self.confirm_self(source, who, id),
                Some(_) => {
                    self.held.insert(key, Holder::Several);
                    self.met_at(source, 0, mix(who, id), false);
                }
                None if self.held.len() < self.limits.objects => {
                    self.held.insert(key, Holder::One(who));
                    let changed = !self.met.insert(mix(source, who));
                    self.met_at(source, 0, mix(who, id), !changed);
                }
                None => {}
            }
        }
    }

    /// The same identifier once more for the same caller: its own, where the field is like that for others, too.
    fn confirm_self(&mut self, source: u64, who: u64, id: u64) {
        let role =
            self.sources.get(&source).and_then(|source| source.roles.first()).copied().unwrap_or_default();
        if role.own >= ENOUGH && role.own * SHARE.1 >= (role.own + role.foreign) * SHARE.0 {
            self.is_own(who, id);
        }
    }

    /// Counts a caller of a role at a source, once.
    fn met_at(&mut self, source: u64, role: u64, caller: u64, own: bool) {
        let pair = mix(source, caller);
        if self.met.contains(&pair) || self.met.len() >= self.limits.met {
            return;
        }
        let room = self.sources.len() < self.limits.sources;
        let known = match self.sources.get_mut(&source) {
            Some(known) => known,
            None if room => self.sources.entry(source).or_default(),
            None => return,
        };
        self.met.insert(pair);
        if let Some(role) = known.role(role) {
            role.own += u32::from(own);
            role.foreign += u32::from(!own);
        }
    }

    /// What an identifier says, at a source.
    fn weigh(
        &mut self,
        seen: &Seen<'_>,
        who: u64,
        (source, id): (u64, u64),
        (basis, key): (Basis, u64),
        found: &mut Option<Object>,
    ) {
        let is_own = self.own.get(&who).is_some_and(|own| own.contains(&id));
        let owner = match self.whose.get(&id) {
            Some(Holder::One(owner)) => Some(*owner),
            _ => None,
        };
        // What names nobody says something only where the source is known to name people.
        let names = is_own || owner.is_some() || self.sources.contains_key(&source);
        if !names || self.own.get(&who).is_none_or(Vec::is_empty) {
            return;
        }
        self.met_at(source, seen.role, who, is_own);
        self.judge(
            seen.role,
            source,
            is_own,
            Object {
                owned: Owned::Unknown,
                basis,
                key,
                owner: owner.unwrap_or(id),
                own_callers: 0,
                callers: 0,
            },
            found,
        );
    }

    fn judge(&self, role: u64, source: u64, is_own: bool, object: Object, found: &mut Option<Object>) {
        let Some(source) = self.sources.get(&source) else { return };
        let known = source.roles.iter().find(|known| known.role == role).copied().unwrap_or_default();
        let all = known.own + known.foreign;
        let is_private = known.own >= ENOUGH && known.own * SHARE.1 >= all * SHARE.0;
        let owned = match (is_own, is_private) {
            (true, _) => Owned::Own,
            (false, true) => Owned::Foreign,
            (false, false) if all >= ENOUGH => Owned::Usual,
            // A role none of whose callers has anything here, where those of others have: support, partners.
            (false, false) if known.own == 0 && source.roles.iter().any(|other| other.own >= ENOUGH) => {
                Owned::Usual
            }
            (false, false) => Owned::Unknown,
        };
        let rank = |owned: Owned| match owned {
            Owned::Own => 0,
            Owned::Foreign => 1,
            Owned::Usual => 2,
            Owned::Unknown => 3,
        };
        if found.is_none_or(|known| rank(owned) < rank(known.owned)) {
            *found = Some(Object { owned, own_callers: known.own, callers: all, ..object });
        }
    }

    /// A list without parameters holds what is its caller's.
    fn listed(&mut self, seen: &Seen<'_>, who: u64) {
        let Some(list) = seen.observation.response_payload.list.as_deref() else { return };
        let elements = list.ids().iter().filter(|id| is_element_id(list, id.field)).take(MAX_LISTED);
        for id in elements {
            self.hold(mix(seen.place, id.hash), who);
        }
    }

    fn hold(&mut self, object: u64, who: u64) {
        let room = self.held.len() < self.limits.objects;
        match self.held.get_mut(&object) {
            Some(Holder::One(known)) if *known == who => {}
            Some(holder) => *holder = Holder::Several,
            None if room => {
                self.held.insert(object, Holder::One(who));
            }
            None => {}
        }
    }

    /// Whether others list the object that the path ends with.
    fn weigh_listed(&mut self, seen: &Seen<'_>, who: u64, key: u64, found: &mut Option<Object>) {
        let Some((collection, _)) = seen.template.rsplit_once('/') else { return };
        let Some((_, id)) = seen.asked.iter().rfind(|(at, _)| *at < 200) else { return };
        if collection.contains('{') || !seen.template.ends_with('}') {
            return;
        }
        let place = mix(seen.service, seen.hash(collection));
        let holder = self.held.get(&mix(place, *id)).copied();
        let Some(holder) = holder else { return };
        let is_own = holder == Holder::One(who);
        let source = mix(seen.endpoint, 0x11d);
        // What several list is shared: that counts against the list as a source.
        self.met_at(source, seen.role, who, is_own);
        let owner = if let Holder::One(owner) = holder { owner } else { 0 };
        if holder == Holder::Several {
            return;
        }
        self.judge(
            seen.role,
            source,
            is_own,
            Object { owned: Owned::Unknown, basis: Basis::Listed, key, owner, own_callers: 0, callers: 0 },
            found,
        );
    }
}

/// Identifiers of an answer that stand in no array, each with a hash of its field.
fn answered(seen: &Seen<'_>) -> Vec<(u64, u64)> {
    let Some(list) = seen.observation.response_payload.list.as_deref() else { return Vec::new() };
    let single = list.ids().iter().filter(|id| !in_array(list, id.field));
    single.filter_map(|id| Some((list.get(id.field)?.hash, id.hash))).take(32).collect()
}

fn in_array(list: &FieldList, at: FieldIndex) -> bool {
    above(list, at).any(|field| field.step == Step::Element)
}

/// Whether a field is the identifier of an array's element.
fn is_element_id(list: &FieldList, at: FieldIndex) -> bool {
    let mut above = above(list, at);
    let own = above.next();
    let is_id = own.is_some_and(|field| list.name(field).len() <= 4);
    is_id && above.next().is_some_and(|parent| parent.step == Step::Element)
}

/// A field and those it lies in.
fn above(list: &FieldList, at: FieldIndex) -> impl Iterator<Item = &Field> {
    let mut next = list.get(at);
    std::iter::from_fn(move || {
        let field = next?;
        let parent = list.get(field.parent);
        next = parent.filter(|parent| !std::ptr::eq(*parent, field));
        Some(field)
    })
    .take(64)
}
