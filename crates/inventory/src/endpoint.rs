//! What is known of an endpoint and of a service.

use crate::hashing::Keyed;
use crate::inventory::caller_hash;
use crate::schemas::{Room, Schemas};
use crate::state::ClassMap;
use crate::usage::{Origin, Usage};
use crate::{Conduct, Documented, Egress, EndpointId, History, PostureTimes, Principal, Proofs};
use std::net::IpAddr;
use std::sync::Arc;
use tapwire_inspect::{CredentialKind, Observation, PayloadState};
use tapwire_wire::Timestamp;

/// Callers counted exactly; an endpoint with more says "at least".
const EXACT_CALLERS: usize = 64;
/// Response shapes kept of one endpoint.
const MAX_SHAPES: usize = 8;
/// Addresses of servers kept of one service.
const MAX_SERVERS: usize = 4;

/// How many answers were of which class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct StatusCounts {
    /// 1xx to 5xx, in order.
    pub classes: [u64; 5],
    /// Answers that were not seen, or whose status is none of these.
    pub unseen: u64,
}

impl StatusCounts {
    fn absorb(&mut self, other: &Self) {
        self.classes.iter_mut().zip(other.classes).for_each(|(mine, theirs)| *mine += theirs);
        self.unseen += other.unseen;
    }

    pub(crate) fn add(&mut self, status: Option<u16>) {
        let class = status.and_then(|status| usize::from(status / 100).checked_sub(1));
        match class.and_then(|class| self.classes.get_mut(class)) {
            Some(count) => *count += 1,
            None => self.unseen += 1,
        }
    }
}

/// How many calls proved who they are, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct AuthCounts {
    kinds: [u64; 7],
    /// Calls without credential.
    pub none: u64,
}

impl AuthCounts {
    const KINDS: [CredentialKind; 7] = [
        CredentialKind::Jwt,
        CredentialKind::Bearer,
        CredentialKind::ApiKey,
        CredentialKind::Cookie,
        CredentialKind::Basic,
        CredentialKind::Password,
        CredentialKind::Other,
    ];

    /// The kinds that came, with the calls that had one; a call with two kinds counts for both.
    pub fn iter(&self) -> impl Iterator<Item = (CredentialKind, u64)> + '_ {
        Self::KINDS.into_iter().zip(self.kinds).filter(|(_, calls)| *calls > 0)
    }

    fn absorb(&mut self, other: &Self) {
        self.kinds.iter_mut().zip(other.kinds).for_each(|(mine, theirs)| *mine += theirs);
        self.none += other.none;
    }

    pub(crate) fn add(&mut self, observation: &Observation) {
        if observation.credentials.is_empty() {
            self.none += 1;
        }
        for (kind, calls) in Self::KINDS.into_iter().zip(&mut self.kinds) {
            *calls += u64::from(observation.credentials.iter().any(|credential| credential.kind == kind));
        }
    }
}

/// Distinct callers, exact while they are few.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Callers {
    /// Sorted hashes of principals.
    seen: Vec<u64>,
    more: bool,
}

impl Callers {
    /// How many, and whether there were more than are counted.
    pub fn count(&self) -> (usize, bool) {
        (self.seen.len(), self.more)
    }

    /// Whether somebody is among those that are counted.
    pub fn has(&self, principal: &Principal) -> bool {
        self.seen.binary_search(&caller_hash(principal)).is_ok()
    }

    fn absorb(&mut self, other: &Self) {
        other.seen.iter().for_each(|caller| self.add(*caller));
        self.more |= other.more;
    }

    pub(crate) fn add(&mut self, caller: u64) {
        if let Err(at) = self.seen.binary_search(&caller) {
            if self.seen.len() < EXACT_CALLERS {
                self.seen.insert(at, caller);
            } else {
                self.more = true;
            }
        }
    }
}

/// A shape of successful answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ResponseShape {
    /// Hash of its key paths.
    pub shape: u64,
    /// Answers that had it.
    pub calls: u64,
}

/// What is known of an endpoint: a service's method on a path template, and an operation where one path has many.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct Endpoint {
    /// Its name for good.
    pub id: EndpointId,
    /// The service it belongs to.
    pub service: Arc<str>,
    /// The method as sent.
    pub method: Arc<str>,
    /// The path template.
    pub template: Arc<str>,
    /// What tells it from others on the same path, in styles of calls that have one path for all: `query Orders {orders}`.
    pub operation: Option<Arc<str>>,
    /// What its calls were spoken in, outermost first, in the order they were seen: `http/1.1`, `graphql`.
    #[serde(with = "crate::state::names::protocols")]
    pub protocols: Vec<&'static str>,
    /// Packet time of its first call.
    pub first_seen: Timestamp,
    /// Packet time of its last call.
    pub last_seen: Timestamp,
    /// When the call ended with which it was known.
    pub known: Timestamp,
    /// Calls placed here.
    pub calls: u64,
    /// Who called.
    pub callers: Callers,
    /// What was answered.
    pub status: StatusCounts,
    /// How callers proved who they are.
    pub auth: AuthCounts,
    /// Shapes of 2xx answers that were read whole, at most 8, in the order they came.
    pub shapes: Vec<ResponseShape>,
    /// What its messages consist of.
    pub(crate) schemas: Option<Box<Schemas>>,
    /// Under which names they did.
    pub proofs: Proofs,
    /// How calls came.
    pub conduct: Conduct,
    /// How it is used.
    pub usage: Usage,
    /// Where it stands in the descriptions that were given.
    pub documented: Option<Documented>,
    /// What its calls said of how its service is built and kept.
    pub history: History,
}

impl Endpoint {
    pub(crate) fn new(id: EndpointId, service: Arc<str>, method: Arc<str>, template: Arc<str>) -> Self {
        Self {
            id,
            service,
            method,
            template,
            operation: None,
            protocols: Vec::new(),
            first_seen: Timestamp::MIN,
            last_seen: Timestamp::MIN,
            known: Timestamp::MIN,
            calls: 0,
            callers: Callers::default(),
            status: StatusCounts::default(),
            auth: AuthCounts::default(),
            shapes: Vec::new(),
            schemas: None,
            proofs: Proofs::default(),
            conduct: Conduct::default(),
            usage: Usage::default(),
            documented: None,
            history: History::default(),
        }
    }

    /// Calls without TLS, as far as the sensor sees.
    pub const fn clear(&self) -> u64 {
        self.calls.saturating_sub(self.conduct.encrypted)
    }

    /// Calls that were answered with 2xx without a credential and without a client's certificate.
    pub const fn open(&self) -> u64 {
        self.proofs.open.saturating_sub(self.conduct.certified)
    }

    /// What its messages consist of; `None` where there was no room to learn it.
    pub fn schemas(&self) -> Option<&Schemas> {
        self.schemas.as_deref()
    }

    /// Fields of its schemas.
    pub(crate) fn fields(&self) -> usize {
        self.schemas.as_ref().map_or(0, |schemas| schemas.fields())
    }

    /// Puts what was read in order, within the limits. What of the schemas finds no room is left out, and learned again.
    pub(crate) fn restore(&mut self, room: &mut Room, hashing: &Keyed, classes: &ClassMap) {
        self.callers.seen.sort_unstable();
        self.callers.seen.truncate(EXACT_CALLERS);
        self.shapes.truncate(MAX_SHAPES);
        if !self.schemas.as_mut().is_some_and(|schemas| schemas.restore(room, hashing, classes)) {
            self.schemas = None;
        }
    }

    /// Gives back what its schemas hold.
    pub(crate) fn leave(self, room: &mut Room) {
        self.schemas.into_iter().for_each(|schemas| schemas.leave(room));
    }

    /// Learns what the messages of a call consist of.
    pub(crate) fn learn(&mut self, observation: &Observation, room: &mut Room, hashing: &Keyed) {
        if self.schemas.is_none() && room.take(size_of::<Schemas>()) {
            self.schemas = Some(Box::default());
        }
        let template = &self.template;
        let is_parameter = |at: usize| template_segment(template, at).is_some_and(|one| one.contains('{'));
        if let Some(schemas) = &mut self.schemas {
            schemas.learn(observation, is_parameter, room, hashing);
        }
    }

    /// Takes another template.
    pub(crate) fn retitle(&mut self, id: EndpointId, template: Arc<str>, room: &mut Room) {
        (self.id, self.template) = (id, template);
        if let Some(schemas) = &mut self.schemas {
            schemas.retitle(room);
        }
    }

    /// Counts one call. Captures may step back in time, so first and last are the extremes.
    pub(crate) fn add(&mut self, observation: &Observation, origin: &Origin) {
        let time = observation.exchange.started();
        if self.calls == 0 {
            self.known = observation.exchange.ended();
        }
        self.first_seen = if self.calls == 0 { time } else { self.first_seen.min(time) };
        self.last_seen = self.last_seen.max(time);
        self.calls += 1;
        let styles = observation.said.as_deref().map_or(&[][..], |said| &said.protocols);
        self.spoken(observation.exchange.protocols.iter().chain(styles));
        self.callers.add(origin.caller);
        self.usage.add(observation, origin);
        let status = status(observation);
        self.status.add(status);
        self.auth.add(observation);
        self.proofs.add(observation);
        self.conduct.add(observation, origin.through_gateway);
        self.history.add(observation.marks, time);
        let answer = &observation.response_payload;
        if matches!(status, Some(200..=299)) && answer.state == PayloadState::Read && answer.format.is_some()
        {
            self.add_shape(answer.shape, 1);
        }
    }

    /// Takes in what was known of an endpoint that turned out to be this one.
    pub(crate) fn absorb(&mut self, other: Self, room: &mut Room, hashing: &Keyed) {
        self.first_seen = self.first_seen.min(other.first_seen);
        self.last_seen = self.last_seen.max(other.last_seen);
        self.known = self.known.min(other.known);
        self.calls += other.calls;
        self.spoken(&other.protocols);
        self.callers.absorb(&other.callers);
        self.status.absorb(&other.status);
        self.auth.absorb(&other.auth);
        self.proofs.absorb(&other.proofs);
        self.conduct.absorb(&other.conduct);
        self.history.absorb(&other.history);
        self.usage.absorb(&other.usage);
        other.shapes.iter().for_each(|shape| self.add_shape(shape.shape, shape.calls));
        match (&mut self.schemas, other.schemas) {
            (Some(mine), Some(theirs)) => {
                room.give(size_of::<Schemas>());
                mine.absorb(*theirs, room, hashing);
            }
            (mine @ None, theirs) => *mine = theirs,
            (Some(_), None) => {}
        }
    }

    /// A message of a call that was counted.
    pub(crate) fn hear(&mut self, observation: &Observation, room: &mut Room, hashing: &Keyed) {
        self.last_seen = self.last_seen.max(observation.exchange.started());
        if let Some(schemas) = &mut self.schemas {
            schemas.hear(observation, room, hashing);
        }
    }

    fn spoken<'p>(&mut self, protocols: impl IntoIterator<Item = &'p &'static str>) {
        for protocol in protocols {
            if !self.protocols.contains(protocol) {
                self.protocols.push(protocol);
            }
        }
    }

    fn add_shape(&mut self, shape: u64, calls: u64) {
        if let Some(known) = self.shapes.iter_mut().find(|known| known.shape == shape) {
            known.calls += calls;
        } else if self.shapes.len() < MAX_SHAPES {
            self.shapes.push(ResponseShape { shape, calls });
        }
    }
}

/// A segment of a template, counted from 0.
pub(crate) fn template_segment(template: &str, at: usize) -> Option<&str> {
    let mut segments = template.as_bytes().split(|byte| *byte == b'/').filter(|segment| !segment.is_empty());
    std::str::from_utf8(segments.nth(at)?).ok()
}

/// The status code of an observation's response.
pub(crate) fn status(observation: &Observation) -> Option<u16> {
    observation.exchange.response_head().and_then(|head| head.status)
}

/// What is known of a service: where an API lives.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct Service {
    /// The authority, else the server's address and port.
    pub name: Arc<str>,
    /// Packet time of its first call.
    pub first_seen: Timestamp,
    /// Packet time of its last call.
    pub last_seen: Timestamp,
    /// Calls placed here, with those that made or met no endpoint.
    pub calls: u64,
    /// Endpoints known.
    pub endpoints: u32,
    /// Addresses that served it, in the order they came, at most four: by them files say whose it is.
    pub servers: Vec<IpAddr>,
    /// Findings made of its calls.
    pub findings: u64,
    /// How long its findings of posture took; kept with their lives.
    #[serde(skip)]
    pub posture: PostureTimes,
    /// Calls to it from one's own network, where it is a public one.
    pub egress: Option<Box<Egress>>,
}

impl Service {
    pub(crate) const fn new(name: Arc<str>, time: Timestamp) -> Self {
        Self {
            name,
            first_seen: time,
            last_seen: time,
            calls: 0,
            endpoints: 0,
            servers: Vec::new(),
            findings: 0,
            posture: PostureTimes::NONE,
            egress: None,
        }
    }

    /// Notes the address of who answers.
    pub(crate) fn served_by(&mut self, server: IpAddr) {
        if self.servers.len() < MAX_SERVERS && !self.servers.contains(&server) {
            self.servers.push(server);
        }
    }
}
