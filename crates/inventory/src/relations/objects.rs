//! Whose objects are touched. A source of such knowledge (a field of an answer, a kind of thing in paths, lists) tells
//! owners where nearly all callers of one role met only their own there; a caller that was once given somebody else's counts
//! against it for good. Social networks, directories and catalogues, where many are given others', have no such source.

use super::ages::{Ages, Forgotten};
use super::held::Held;
use super::people::{Holder, Own, People, Whose};
use super::{Seen, mix};
use tapwire_inspect::Issuance;
use tapwire_inspect::fields::{Field, FieldIndex, FieldList, Step};

/// Roles told apart at one source; of more, that with the fewest callers makes room.
const MAX_ROLES: usize = 6;
/// Callers of a role that met only their own before what others have is foreign, and their share of all of that role.
const ENOUGH: u32 = 50;
const SHARE: (u32, u32) = (9, 10);
/// With that many that did so more than once, where hardly another met others', a field that names an owner beside the object's own identifier
/// lets it be supposed.
const FEW: u32 = 10;
/// Others whose objects one caller meets that shares with nobody.
const SEVERAL: u8 = 3;
/// Identifiers of one answer that are looked at, and elements of its lists.
const MAX_ANSWERED: usize = 16;
const MAX_ELEMENTS: usize = 64;
/// Seconds after which what was not met is forgotten: slow attacks take days.
const SPAN: i64 = 14 * 86_400;
const DAY: i64 = 86_400;

/// Whose an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owned {
    /// The caller's.
    Own,
    /// Somebody else's, where callers of this role meet only their own.
    Foreign,
    /// Somebody's whom nobody knows, and nothing that the caller was given names it, where callers of this role ask for what
    /// they were given.
    Strange,
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
    /// Whether that is another caller that is known, or the caller met its own before at this source. Otherwise it may be the
    /// caller's by a name that nobody told yet: whoever calls for the first time is known by its token alone.
    pub is_known: bool,
    /// Owners beside the caller whom this one answer names, where it is a list.
    pub owners: u32,
    /// Callers of this role that met only their own at this source, and all of them.
    pub own_callers: u32,
    /// All of them.
    pub callers: u32,
}

/// A role's callers at one source.
#[derive(Debug, Clone, Copy, Default, serde::Serialize, serde::Deserialize)]
struct Role {
    role: u64,
    /// Callers that met only their own.
    own: u32,
    /// Of these, those that did so more than once.
    again: u32,
    /// Callers that met others', too.
    foreign: u32,
    /// Callers that met others' and had never met their own, on the day that is counted.
    day: i64,
    newcomers: u32,
}

impl Role {
    const fn all(self) -> u32 {
        self.own.saturating_add(self.foreign)
    }

    /// Whether one more caller that meets what several others have, and never met its own, counts today. Where most meet only their
    /// own, accounts that do nothing else are what is to be found: many of them on one day must not make it usual. Who shares with one
    /// other, as in a household, counts as ever.
    fn takes_newcomer(&mut self, day: i64) -> bool {
        if self.day != day {
            (self.day, self.newcomers) = (day, 0);
        }
        self.newcomers = self.newcomers.saturating_add(1);
        let private = self.own >= FEW && self.foreign.saturating_mul(3) <= self.own;
        !private || self.newcomers <= (self.own / 20).max(1)
    }

    /// Whether that many in a hundred met only their own, without the one that calls now.
    const fn is_private(self, enough: u32, share: (u32, u32)) -> bool {
        self.own >= enough && self.own as u64 * share.1 as u64 >= self.all() as u64 * share.0 as u64
    }
}

#[derive(Debug, Clone, Copy, Default, serde::Serialize, serde::Deserialize)]
pub(super) struct Source {
    roles: [Role; MAX_ROLES],
}

impl Source {
    /// The role's place; whether another made room.
    fn role(&mut self, role: u64) -> Option<(&mut Role, bool)> {
        let known = self.roles.iter().position(|known| known.role == role && known.all() > 0);
        let fewest = || self.roles.iter().enumerate().min_by_key(|(_, role)| role.all()).map(|(at, _)| at);
        let at = known.or_else(fewest)?;
        let place = self.roles.get_mut(at)?;
        let evicts = known.is_none() && place.all() > 0;
        if known.is_none() {
            *place = Role { role, ..Role::default() };
        }
        Some((place, evicts))
    }
}

/// What a caller met at a source, up to a few times.
#[derive(Debug, Clone, Copy, Default, serde::Serialize, serde::Deserialize)]
pub(super) struct Met {
    own: u8,
    foreign: bool,
    /// The last other whose it met, where it met none of its own, and how many there were, up to a few.
    other: u64,
    others: u8,
}

impl Met {
    /// Hears of another's; whether that is the third, just now.
    fn meets(&mut self, other: u64) -> bool {
        if self.other == other {
            return false;
        }
        self.other = other;
        self.others = self.others.saturating_add(1).min(SEVERAL + 1);
        self.others == SEVERAL
    }
}

/// What a call says of its object so far.
#[derive(Clone, Copy)]
struct Weighed {
    key: u64,
    own: Option<Object>,
    /// Its caller's by what several share.
    ours: Option<Object>,
    foreign: Option<(Object, Role)>,
    other: Option<Object>,
}

/// Everything learned of whose is what.
pub(super) struct Objects {
    pub(super) people: People,
    pub(super) held: Held,
    pub(super) sources: Ages<Source>,
    pub(super) met: Ages<Met>,
    evicted_roles: u64,
}

impl Objects {
    /// Empty, for as many callers as are kept in all; that number shrinks with the memory.
    pub(super) fn new(callers: usize) -> Self {
        Self {
            people: People::new(callers, SPAN),
            held: Held::new(callers / 2, SPAN),
            sources: Ages::new(callers / 20, SPAN),
            met: Ages::new(callers, SPAN),
            evicted_roles: 0,
        }
    }

    pub(super) const fn forgotten(&self) -> Forgotten {
        let tables = self.people.forgotten().and(self.held.forgotten());
        let tables = tables.and(self.sources.forgotten()).and(self.met.forgotten());
        tables.and(Forgotten { evicted: self.evicted_roles, expired: 0 })
    }

    /// A login says who somebody is.
    pub(super) fn logged_in(&mut self, seen: &Seen<'_>, issuance: &Issuance) {
        self.people.logged_in(seen, issuance);
    }

    /// Somebody else whom the path names, as a hash: behind a word for people, or where callers name themselves.
    pub(super) fn other(&self, seen: &Seen<'_>) -> Option<u64> {
        let who = seen.who?;
        let parameters = seen.shape.parameters.iter();
        let named = parameters.filter(|one| one.person || self.names_callers(one.kind));
        named.filter_map(|one| seen.asked_at(one.at)).find_map(|id| self.people.other(who, id))
    }

    fn names_callers(&self, kind: u64) -> bool {
        self.sources
            .get(mix(kind, PATH))
            .is_some_and(|source| source.roles.iter().any(|role| role.own >= FEW))
    }

    /// Whose the object of a call is; learns from it. Only what was answered says something: a refused token may claim
    /// anything.
    pub(super) fn hear(&mut self, seen: &Seen<'_>) -> Option<Object> {
        let who = seen.who?;
        if !matches!(seen.status, Some(200..=299)) || seen.observation.failed() {
            return None;
        }
        self.people.claims(seen, who);
        let own = self.people.met(who, seen.now).unwrap_or_default();
        let names_nothing = seen.shape.parameters.is_empty() && seen.asked.is_empty();
        if names_nothing || seen.is_rpc {
            self.people.told(seen, who, &own);
        }
        self.held.hear(seen, who);
        let key = seen.asked.iter().fold(seen.shape.place, |sum, (at, id)| mix(sum, mix(*id, (*at).into())));
        let mut weighed = Weighed { key, own: None, ours: None, foreign: None, other: None };
        if own.has_any() {
            self.answer(seen, who, &own, &mut weighed);
            self.lists(seen, who, &own, &mut weighed);
            self.path(seen, who, &own, &mut weighed);
        }
        self.held(seen, who, &mut weighed);
        weighed.verdict()
    }

    /// What fields of the answer that stand in no list say.
    fn answer(&mut self, seen: &Seen<'_>, who: u64, own: &Own, weighed: &mut Weighed) {
        for (field, id) in answered(seen).take(MAX_ANSWERED) {
            let whose = self.people.whose(own, id);
            // What names itself is no owner: a page about somebody may be for everybody.
            let is_itself = seen.asked.iter().any(|(_, asked)| *asked == id);
            self.weigh(
                seen,
                who,
                mix(seen.endpoint, field),
                (whose, id),
                (Basis::Answer, is_itself, 1),
                weighed,
            );
        }
    }

    /// What fields of the elements of lists say: a list is its caller's where all of them are.
    fn lists(&mut self, seen: &Seen<'_>, who: u64, own: &Own, weighed: &mut Weighed) {
        let Some(list) = seen.observation.response_payload.list.as_deref() else { return };
        let mut fields: [Option<(u64, Whose, u64, u32)>; 4] = [None; 4];
        for one in list.ids().iter().filter(|one| in_array(list, one.field)).take(MAX_ELEMENTS) {
            let Some(field) = list.get(one.field).map(|field| field.hash) else { continue };
            let place = fields.iter_mut().find(|known| known.is_none_or(|known| known.0 == field));
            let (Some(place), whose) = (place, self.people.whose(own, one.hash)) else { continue };
            let (_, all, first, others) = place.get_or_insert((field, whose, one.hash, 0));
            if whose == Whose::Others && (*all != Whose::Others || *first != one.hash || *others == 0) {
                (*all, *first, *others) = (whose, one.hash, *others + 1);
            }
        }
        for (field, whose, id, others) in fields.into_iter().flatten() {
            let source = mix(seen.endpoint, field);
            self.weigh(seen, who, source, (whose, id), (Basis::Answer, false, others.max(1)), weighed);
        }
    }

    /// What the path, the query and the variables of other styles say.
    fn path(&mut self, seen: &Seen<'_>, who: u64, own: &Own, weighed: &mut Weighed) {
        for (at, id) in seen.asked.iter().copied() {
            let kind = seen.shape.parameters.iter().find(|one| one.at == at).map(|one| one.kind);
            let source = mix(kind.unwrap_or_else(|| mix(seen.endpoint, at.into())), PATH);
            let whose = self.people.whose(own, id);
            self.weigh(seen, who, source, (whose, id), (Basis::Path, true, 1), weighed);
        }
    }

    /// What an identifier says, at a source. It says something only where somebody has met its own there.
    fn weigh(
        &mut self,
        seen: &Seen<'_>,
        who: u64,
        source: u64,
        (whose, id): (Whose, u64),
        (basis, is_itself, owners): (Basis, bool, u32),
        weighed: &mut Weighed,
    ) {
        let is_own = whose != Whose::Others;
        if !is_own && self.sources.get(source).is_none() {
            return;
        }
        let role = self.meet(source, seen, who, (is_own, id));
        let met_its_own = self.met.get(mix(mix(source, seen.role), who)).is_some_and(|met| met.own > 0);
        let object = Object {
            owned: Owned::Unknown,
            basis,
            key: weighed.key,
            owner: id,
            is_known: met_its_own || self.people.other(who, id).is_some(),
            owners,
            own_callers: role.own,
            callers: role.all(),
        };
        match whose {
            Whose::Mine => weighed.own = weighed.own.or(Some(Object { owned: Owned::Own, ..object })),
            Whose::Ours => weighed.ours = weighed.ours.or(Some(Object { owned: Owned::Own, ..object })),
            Whose::Others => self.foreign(source, role, is_itself, object, weighed),
        }
    }

    fn foreign(&self, source: u64, role: Role, is_itself: bool, object: Object, weighed: &mut Weighed) {
        // Fewer callers let it be supposed, if hardly another met what is not its own.
        let supposed = !is_itself
            && role.again >= FEW
            && (role.foreign <= 1 || role.foreign.saturating_mul(10) <= role.own);
        let enough = role.is_private(ENOUGH, SHARE) && (!is_itself || role.again >= ENOUGH);
        if enough || supposed {
            let known = weighed.foreign.get_or_insert((object, role));
            if object.owners > known.0.owners {
                *known = (object, role);
            }
            return;
        }
        let others = self
            .sources
            .get(source)
            .map_or(0, |source| source.roles.iter().map(|role| role.own).max().unwrap_or(0));
        // A role none of whose callers has anything here, where those of others have: support, partners. Where nearly all met only
        // their own, and are too few to tell more, it is not told yet.
        let hardly = u64::from(role.own) * u64::from(SHARE.1) >= u64::from(role.all()) * u64::from(SHARE.0);
        let is_usual = role.all() >= FEW && !hardly || role.own == 0 && others >= FEW;
        let owned = if is_usual { Owned::Usual } else { Owned::Unknown };
        weighed.other = weighed.other.or(Some(Object { owned, ..object }));
    }

    /// Counts a caller of a role at a source: once as one that meets its own, and for good as one that does not.
    fn meet(&mut self, source: u64, seen: &Seen<'_>, who: u64, (is_own, other): (bool, u64)) -> Role {
        let met = self.met.met_or_new(mix(mix(source, seen.role), who), seen.now);
        let (before, was_foreign) = (met.own, met.foreign);
        met.own = met.own.saturating_add(u8::from(is_own)).min(3);
        met.foreign |= !is_own;
        let several = before == 0 && !is_own && met.meets(other);
        let source = self.sources.met_or_new(source, seen.now);
        let Some((role, evicts)) = source.role(seen.role) else { return Role::default() };
        self.evicted_roles += u64::from(evicts);
        match (is_own, was_foreign) {
            (true, false) => {
                role.own = role.own.saturating_add((before == 0).into());
                role.again = role.again.saturating_add((before == 1).into());
            }
            (false, false) => {
                role.own = role.own.saturating_sub(u32::from(before > 0));
                role.again = role.again.saturating_sub(u32::from(before > 1));
                role.foreign = role.foreign.saturating_add(1);
            }
            (false, true) if several && !role.takes_newcomer(seen.now / DAY) => {
                role.foreign = role.foreign.saturating_sub(1);
            }
            (_, true) => {}
        }
        *role
    }

    /// Whether others listed or made the object that the path ends with, or nobody gave it to the caller.
    fn held(&mut self, seen: &Seen<'_>, who: u64, weighed: &mut Weighed) {
        let Some((kind, id)) = seen.last_named() else { return };
        let Some(holder) = self.held.holder(kind, id, seen.now) else { return };
        let given = matches!(holder, Holder::Several) || holder == Holder::One(who);
        let owner = if let Holder::One(owner) = holder { owner } else { 0 };
        let role = self.meet(mix(kind, GIVEN), seen, who, (given, id));
        let object = Object {
            owned: Owned::Own,
            basis: Basis::Listed,
            key: mix(kind, id),
            owner,
            is_known: true,
            owners: 1,
            own_callers: role.own,
            callers: role.all(),
        };
        let is_private = role.is_private(ENOUGH, SHARE);
        match holder {
            Holder::One(_) if given => weighed.ours = weighed.ours.or(Some(object)),
            Holder::One(_) if is_private => {
                weighed.foreign = weighed.foreign.or(Some((object, role)));
            }
            Holder::Nobody if is_private && !self.held.is_shared(kind) => {
                weighed.other = Some(Object { owned: Owned::Strange, ..object });
            }
            _ => {}
        }
    }
}

/// Sources of other sorts than a field's.
const PATH: u64 = 0x9a7;
const GIVEN: u64 = 0x11d;

impl Weighed {
    /// What names the caller alone outweighs what is not its own, unless nobody else ever met that; and what is not its own
    /// outweighs what its tenant or team has.
    fn verdict(self) -> Option<Object> {
        let foreign =
            self.foreign.filter(|(_, role)| self.own.is_none() || role.is_private(ENOUGH, (98, 100)));
        let foreign = foreign.map(|(object, _)| Object { owned: Owned::Foreign, ..object });
        foreign.or(self.own).or(self.ours).or(self.other)
    }
}

/// Identifiers of an answer that stand in no array, each with a hash of its field.
pub(super) fn answered<'a>(seen: &Seen<'a>) -> impl Iterator<Item = (u64, u64)> + use<'a> {
    let list = seen.observation.response_payload.list.as_deref();
    list.into_iter().flat_map(|list| {
        let single = list.ids().iter().filter(|id| !in_array(list, id.field));
        single.filter_map(|id| Some((list.get(id.field)?.hash, id.hash)))
    })
}

pub(super) fn in_array(list: &FieldList, at: FieldIndex) -> bool {
    above(list, at).any(|field| field.step == Step::Element)
}

/// A field and those it lies in.
pub(super) fn above(list: &FieldList, at: FieldIndex) -> impl Iterator<Item = &Field> {
    let mut next = list.get(at);
    std::iter::from_fn(move || {
        let field = next?;
        let parent = list.get(field.parent);
        next = parent.filter(|parent| !std::ptr::eq(*parent, field));
        Some(field)
    })
    .take(64)
}
