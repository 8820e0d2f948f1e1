//! What relates a call to the calls of others: whose object it touched, whose login it tried, whether its credential was
//! ever handed out.

mod ages;
mod basic;
mod everywhere;
mod fetches;
mod given;
mod habits;
mod held;
mod logins;
mod minted;
mod objects;
mod people;
mod properties;
mod saved;
mod shapes;
mod strain;

pub use ages::Forgotten;
pub use fetches::Fetched;
pub use habits::Usual;
pub use logins::{Login, Tried};
pub use minted::Minted;
pub use objects::{Basis, Object, Owned};
pub use properties::{Properties, Property};
pub use strain::Strain;

use crate::hashing::Keyed;
use crate::{Caller, Principal, PrincipalKind};
use fetches::Fetches;
use habits::{Habits, Method};
use logins::Logins;
use minted::Mints;
use objects::Objects;
use shapes::{Shape, Shapes};
use std::hash::{BuildHasher, Hasher};
use std::net::IpAddr;
use std::sync::Arc;
use tapwire_inspect::fields::Step;
use tapwire_inspect::{Fact, IdValue, Observation, Token};

/// What relates a call to others.
#[derive(Debug, Clone, Default)]
pub struct Relations {
    /// A name and a password that were tried.
    pub login: Option<Login>,
    /// The object that a named caller touched, where anything is known of whose it is.
    pub object: Option<Object>,
    /// Somebody else whom its path names, as a hash, whatever was answered.
    pub other: Option<u64>,
    /// Whether its token was handed out in an answer, where it is younger than what was seen of the service.
    pub minted: Minted,
    /// How many in a thousand of the service's tokens are handed out where nobody looks; 1,000 where nothing is known.
    pub unseen_tokens: u16,
    /// Tokens that the service was shown before: no more addresses can have been looked at for those that nobody handed out.
    pub shown_tokens: u32,
    /// What is usual where it goes.
    pub usual: Usual,
    /// Its properties beside those that its role and others have there, where its caller's role is known.
    pub properties: Option<Properties>,
    /// How others fare at the service meanwhile, where it is worse than usual.
    pub strain: Option<Strain>,
    /// Whether its server fetched, to answer it, from an address inside that it names.
    pub fetched: Fetched,
    /// Whether its token is of an issuer whose tokens other services take, where this one takes those of others.
    pub strange_issuer: bool,
    /// A hash of what the path names: its segments that are parameters, and identifiers in the query. 0: nothing.
    pub named: u64,
    /// The last of these as a number, where it is one.
    pub number: Option<u64>,
    /// The last identifier among the variables of a GraphQL document, as a number.
    pub variable: Option<u64>,
}

/// Everything that is learned for it.
pub(crate) struct Related {
    hashing: Keyed,
    shapes: Shapes,
    /// The template of what has none.
    nowhere: Arc<str>,
    /// Serves again for each call.
    asked: Vec<(u8, u64)>,
    logins: Logins,
    objects: Objects,
    habits: Habits,
    properties: properties::Learned,
    strains: strain::Strains,
    fetches: Fetches,
    minted: Mints,
    /// Callers for which there is room.
    callers: usize,
}

/// A call that is to be related.
pub(crate) struct Relating<'a> {
    pub(crate) observation: &'a Observation,
    pub(crate) service: &'a Arc<str>,
    pub(crate) template: Option<&'a Arc<str>>,
    pub(crate) principal: Option<Principal>,
    pub(crate) caller: Option<&'a Caller>,
}

/// What of a call the parts look at.
struct Seen<'a> {
    hashing: &'a Keyed,
    observation: &'a Observation,
    shape: &'a Shape,
    /// A hash of service, method and template.
    endpoint: u64,
    status: Option<u16>,
    /// Second of its beginning.
    now: i64,
    /// The caller, where it has a name of its own.
    who: Option<u64>,
    /// A hash of the address that it calls from.
    address: u64,
    /// A hash of its roles and scopes; without these, by what it is known.
    role: u64,
    /// Whether a payload says what is called.
    is_rpc: bool,
    is_post: bool,
    method: Method,
    /// Identifiers in the path, the query, and the question of a call whose payload says what it calls, each with a number of
    /// its place.
    asked: &'a [(u8, u64)],
}

/// Numbers of places that are no segments of the path.
const IN_QUERY: u8 = 200;
const IN_BODY: u8 = 201;
/// Identifiers of one request that are looked at.
const MAX_ASKED: usize = 16;

impl Related {
    pub(crate) fn new(hashing: Keyed, callers: usize) -> Self {
        Self {
            hashing,
            shapes: Shapes::default(),
            nowhere: "".into(),
            asked: Vec::new(),
            logins: Logins::new(callers),
            objects: Objects::new(callers),
            habits: Habits::new(callers),
            properties: properties::Learned::new(callers),
            strains: strain::Strains::new(callers),
            fetches: Fetches::new(callers),
            minted: Mints::new(callers / 100),
            callers,
        }
    }

    /// What was learned and is there no more, all tables together.
    pub(crate) const fn forgotten(&self) -> Forgotten {
        self.logins
            .forgotten()
            .and(self.objects.forgotten())
            .and(self.habits.forgotten())
            .and(self.properties.forgotten())
            .and(self.strains.forgotten())
            .and(self.fetches.forgotten())
            .and(self.minted.forgotten())
    }

    /// Relates a call that was learned from before, in a pass over all of them.
    pub(crate) fn recall(&mut self, relating: &Relating<'_>) -> Relations {
        self.habits.recall(self.callers);
        self.properties.recall();
        self.strains.recall();
        self.relate(relating)
    }

    /// Relates a call, and learns from it.
    pub(crate) fn relate(&mut self, relating: &Relating<'_>) -> Relations {
        let observation = relating.observation;
        if observation.exchange.child.is_some() || observation.path.is_none() {
            return Relations::default();
        }
        let template = relating.template.unwrap_or(&self.nowhere);
        let shape = self.shapes.of(&self.hashing, relating.service, template);
        let mut asked = std::mem::take(&mut self.asked);
        ask(observation, &shape, &mut asked);
        let hashing = self.hashing.clone();
        let seen = seen(&hashing, relating, &shape, &asked);
        let mut relations = self.learn(&seen, relating.caller);
        relations.strain = self.strains.hear(&seen, relating.principal);
        asked.clear();
        self.asked = asked;
        relations
    }

    fn learn(&mut self, seen: &Seen<'_>, caller: Option<&Caller>) -> Relations {
        let login = self.logins.hear(seen);
        if let Some(issuance) = seen.observation.issuance.as_deref() {
            self.objects.logged_in(seen, issuance);
        }
        let (minted, unseen_tokens, shown_tokens) =
            caller.map_or(minted::UNJUDGED, |caller| self.minted.hear(seen, caller));
        let object = self.objects.hear(seen);
        let grants = caller.and_then(|caller| caller.grants.as_ref()).map(|grants| grants.id);
        let own = object.is_some_and(|object| object.owned == Owned::Own);
        Relations {
            login,
            object,
            properties: self.properties.hear(seen, grants, own),
            strain: None,
            other: self.objects.other(seen),
            minted,
            usual: self.habits.hear(seen),
            fetched: self.fetches.hear(seen),
            unseen_tokens,
            shown_tokens,
            strange_issuer: self.minted.is_strange(seen),
            named: seen.asked.iter().fold(0, |sum, (at, hash)| mix(sum, *hash ^ u64::from(*at))),
            number: number(seen),
            variable: variable(seen.observation),
        }
    }
}

fn seen<'a>(
    hashing: &'a Keyed,
    relating: &Relating<'a>,
    shape: &'a Shape,
    asked: &'a [(u8, u64)],
) -> Seen<'a> {
    let observation = relating.observation;
    let method = observation.exchange.request_head().and_then(|head| head.method());
    let method = method.map_or(&b""[..], |method| method.bytes());
    Seen {
        hashing,
        observation,
        shape,
        endpoint: mix(shape.place, short(method)),
        status: crate::endpoint::status(observation),
        now: observation.exchange.started().nanos() / 1_000_000_000,
        who: relating
            .principal
            .filter(|who| who.kind != PrincipalKind::Network)
            .map(|who| of_token(who.token)),
        address: relating
            .caller
            .and_then(|caller| caller.address)
            .map_or(0, |address| of_address(address.ip)),
        role: relating
            .caller
            .and_then(|caller| caller.grants.as_ref())
            .map_or_else(|| relating.principal.map_or(0, |who| who.kind as u64), |grants| grants.id),
        is_rpc: is_rpc(observation),
        is_post: method == b"POST",
        method: Method::of(method),
        asked,
    }
}

/// Whether a payload says what is called, or what it is called with.
fn is_rpc(observation: &Observation) -> bool {
    let said = observation.said.as_deref();
    said.is_some_and(|said| said.operation.is_some() || said.facts("grpc").is_some())
}

/// What a query of GraphQL asks for, where that is one thing: the name of its root field.
fn root_field(observation: &Observation) -> Option<&str> {
    match observation.said.as_deref()?.fact("graphql", "root_fields")? {
        Fact::List(fields) => match fields.as_slice() {
            [Fact::Name(name)] => Some(name.as_str()),
            _ => None,
        },
        _ => None,
    }
}

/// The first bytes of a method: those that are longer are none.
fn short(method: &[u8]) -> u64 {
    method.iter().take(8).fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

/// Identifiers in the path where the template has a parameter, in the query, and in the question of an RPC.
fn ask(observation: &Observation, shape: &Shape, asked: &mut Vec<(u8, u64)>) {
    if let Some(list) = observation.request_fields.as_deref() {
        for id in list.ids().iter().take(MAX_ASKED) {
            let Some(field) = list.get(id.field) else { continue };
            match field.step {
                Step::Segment => {
                    let at =
                        std::str::from_utf8(list.name(field)).ok().and_then(|text| text.parse::<u8>().ok());
                    let is_parameter = |at: &u8| shape.parameters.iter().any(|one| one.at == *at);
                    asked.extend(at.filter(is_parameter).map(|at| (at, id.hash)));
                }
                Step::Query => asked.push((IN_QUERY, id.hash)),
                _ => {}
            }
        }
    }
    if is_rpc(observation)
        && let Some(list) = observation.request_payload.list.as_deref()
    {
        asked.extend(list.ids().iter().take(MAX_ASKED).map(|id| (IN_BODY, id.hash)));
    }
}

fn variable(observation: &Observation) -> Option<u64> {
    observation.said.as_deref()?.facts("graphql")?;
    let list = observation.request_payload.list.as_deref()?;
    let is_variable = |id: &&IdValue| {
        let mut above = objects::above(list, id.field).skip(1);
        above.any(|field| field.step == Step::Member && list.name(field) == b"variables")
    };
    list.ids().iter().filter(is_variable).filter_map(|id| id.number).next_back()
}

/// The last number in the path.
fn number(seen: &Seen<'_>) -> Option<u64> {
    let head = seen.observation.exchange.request_head()?;
    let last = seen.observation.segments.last()?;
    let text = head.slice(last.range).bytes();
    let digits = text.iter().rposition(|byte| !byte.is_ascii_digit()).map_or(0, |at| at + 1);
    std::str::from_utf8(text.get(digits..)?).ok()?.parse().ok()
}

impl Seen<'_> {
    /// The identifier at a parameter.
    fn asked_at(&self, at: u8) -> Option<u64> {
        self.asked.iter().find(|(known, _)| *known == at).map(|(_, id)| *id)
    }

    /// The last thing that the path names, or the first that a query of GraphQL does, and its kind.
    fn last_named(&self) -> Option<(u64, u64)> {
        if let Some(name) = root_field(self.observation) {
            let kind = shapes::kind(self.hashing, self.shape.service, name);
            return Some((kind, self.asked_at(IN_BODY)?));
        }
        let last = self.shape.last()?;
        Some((last.kind, self.asked_at(last.at)?))
    }
}

fn hash(hashing: &Keyed, text: &[u8]) -> u64 {
    let mut hash = hashing.build_hasher();
    hash.write(text);
    hash.finish()
}

/// Puts two hashes together; the order counts.
const fn mix(one: u64, other: u64) -> u64 {
    (one.rotate_left(25) ^ other).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// A token as a hash: it is a keyed one already.
fn of_token(token: Token) -> u64 {
    token.0.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

/// An address as a number that is mixed with hashes: a host of IPv4, what a site has of IPv6.
const fn of_address(ip: IpAddr) -> u64 {
    match ip {
        IpAddr::V4(v4) => v4.to_bits() as u64,
        IpAddr::V6(v6) => (v6.to_bits() >> 64) as u64,
    }
}
