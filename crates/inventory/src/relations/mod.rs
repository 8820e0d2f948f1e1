//! What relates a call to the calls of others: whose object it touched, whose login it tried, whether its credential was
//! ever handed out.

mod logins;
mod minted;
mod objects;

pub use logins::{Login, Tried};
pub use objects::{Basis, Object, Owned};

use crate::hashing::Keyed;
use crate::{Caller, Principal, PrincipalKind};
use logins::Logins;
use minted::Minted;
use objects::Objects;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use tapwire_inspect::Observation;
use tapwire_inspect::fields::Step;

/// What relates a call to others.
#[derive(Debug, Clone, Default)]
pub struct Relations {
    /// A name and a password that were tried.
    pub login: Option<Login>,
    /// The object that a named caller touched, where anything is known of whose it is.
    pub object: Option<Object>,
    /// Somebody else whom its path names, as a hash, whatever was answered.
    pub other: Option<u64>,
    /// Whether its token was never handed out in an answer, by a service whose tokens nearly all were, and is younger than
    /// what was seen of that service.
    pub never_issued: bool,
    /// A hash of what the path names: its segments that are parameters, and identifiers in the query. 0: nothing.
    pub named: u64,
    /// The last of these as a number, where it is one.
    pub number: Option<u64>,
}

/// Everything that is learned for it.
pub(crate) struct Related {
    hashing: Keyed,
    logins: Logins,
    objects: Objects,
    minted: Minted,
}

/// A call that is to be related.
pub(crate) struct Relating<'a> {
    pub(crate) observation: &'a Observation,
    pub(crate) service: &'a str,
    pub(crate) template: Option<&'a Arc<str>>,
    pub(crate) principal: Option<Principal>,
    pub(crate) caller: Option<&'a Caller>,
}

/// What of a call the parts look at.
struct Seen<'a> {
    observation: &'a Observation,
    /// A hash of service, method and template.
    endpoint: u64,
    /// A hash of service and template.
    place: u64,
    template: &'a str,
    service: u64,
    status: Option<u16>,
    /// The caller, where it has a name of its own.
    who: Option<u64>,
    /// A hash of its roles and scopes; without these, by what it is known.
    role: u64,
    hashing: &'a Keyed,
    /// Identifiers in path and query, each with a number of its place; the last of the path first.
    asked: Vec<(u8, u64)>,
}

impl Related {
    pub(crate) fn new(hashing: Keyed, callers: usize) -> Self {
        Self { hashing, logins: Logins::default(), objects: Objects::new(callers), minted: Minted::default() }
    }

    /// Relates a call, and learns from it.
    pub(crate) fn relate(&mut self, relating: &Relating<'_>) -> Relations {
        let observation = relating.observation;
        if observation.exchange.child.is_some() || observation.path.is_none() {
            return Relations::default();
        }
        let Self { hashing, logins, objects, minted } = self;
        let seen = seen(hashing, relating);
        let login = logins.hear(&seen);
        if let Some(issuance) = observation.issuance.as_deref() {
            objects.logged_in(&seen, issuance);
        }
        let object = objects.hear(&seen);
        let never_issued = relating.caller.is_some_and(|caller| minted.hear(&seen, caller));
        Relations {
            login,
            object,
            other: objects.other(&seen),
            never_issued,
            named: seen.asked.iter().fold(0, |sum, (at, hash)| mix(sum, *hash ^ u64::from(*at))),
            number: number(&seen),
        }
    }
}

fn seen<'a>(hashing: &'a Keyed, relating: &Relating<'a>) -> Seen<'a> {
    let observation = relating.observation;
    let template = relating.template.map_or("", |template| &**template);
    let method = observation.exchange.request_head().and_then(|head| head.method());
    let service = hash(hashing, relating.service.as_bytes());
    let place = mix(service, hash(hashing, template.as_bytes()));
    let endpoint = mix(place, hash(hashing, method.map_or(&b""[..], |method| method.bytes())));
    Seen {
        observation,
        endpoint,
        place,
        template,
        service,
        status: crate::endpoint::status(observation),
        who: relating.principal.filter(|who| who.kind != PrincipalKind::Network).map(|who| whole(&who)),
        role: relating
            .caller
            .and_then(|caller| caller.grants.as_ref())
            .map_or_else(|| relating.principal.map_or(0, |who| who.kind as u64), |grants| grants.id),
        asked: asked(observation, template),
        hashing,
    }
}

/// Identifiers in the path where the template has a parameter, and in the query.
fn asked(observation: &Observation, template: &str) -> Vec<(u8, u64)> {
    let mut asked = Vec::new();
    if let Some(list) = observation.request_fields.as_deref() {
        for id in list.ids() {
            let Some(field) = list.get(id.field) else { continue };
            match field.step {
                Step::Segment => {
                    let at =
                        std::str::from_utf8(list.name(field)).ok().and_then(|text| text.parse::<u8>().ok());
                    let is_parameter = |at: &u8| {
                        crate::endpoint::template_segment(template, usize::from(*at))
                            .is_some_and(|part| part.contains('{'))
                    };
                    asked.extend(at.filter(is_parameter).map(|at| (at, id.hash)));
                }
                Step::Query => asked.push((200, id.hash)),
                _ => {}
            }
        }
    }
    asked
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
    fn hash(&self, text: &str) -> u64 {
        hash(self.hashing, text.as_bytes())
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

/// A caller's token as a hash: it is a keyed one already.
fn whole(principal: &Principal) -> u64 {
    principal.token.0.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}
