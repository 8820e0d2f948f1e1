//! The endpoints of all services: which there are, which one a call belongs to, and which turned out to be one.

use crate::carriers::Carrier;
use crate::endpoint::{Endpoint, status};
use crate::hashing::{BuildAsIs, Keyed};
use crate::openapi::{Prior, Scope};
use crate::schemas::Room;
use crate::templates::{Answer, Change, METHODS, NodeId, Path, Templates, What};
use crate::usage::Origin;
use crate::{Config, Counters, EndpointId, template};
use echo::Echo;
use pages::{Pages, Spread};
use siphasher::sip::SipHasher24;
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use tapwire_inspect::{KeySample, Observation, PayloadState};
use tapwire_protocol::Head;

/// Methods longer than this are noise of a scanner or a broken client.
const MAX_METHOD: usize = 32;
/// Distinct methods; APIs have about ten.
pub(crate) const MAX_METHODS: usize = 64;
/// Calls that a path needs, when all of them failed, to be an endpoint.
const FAILED_CALLS: u8 = 3;
/// Paths that wait for that many.
pub(crate) const MAX_PENDING: usize = 8192;

mod described;
mod echo;
mod pages;
mod saved;

pub(crate) use saved::{Owners, Saved};

/// Every endpoint, with what finds it.
pub(crate) struct Endpoints {
    hashing: Keyed,
    prior: Prior,
    /// Endpoints of described templates, by a keyed hash of service, template and what is called.
    described: HashMap<u64, u32, BuildAsIs>,
    templates: Templates,
    /// By index; those that were merged into others leave a hole.
    all: Vec<Option<Endpoint>>,
    holes: Vec<u32>,
    by_id: HashMap<EndpointId, u32, Keyed>,
    /// What endpoints became that are no more, with the order in which that happened.
    merged: HashMap<EndpointId, EndpointId, Keyed>,
    merges: VecDeque<EndpointId>,
    /// Merges that others have not heard of.
    moved: Vec<(EndpointId, EndpointId)>,
    methods: Vec<Arc<str>>,
    /// Failed calls of paths that are not known, by a keyed hash.
    pending: HashMap<u64, u8, BuildAsIs>,
    /// What unknown paths were answered with.
    pages: Pages,
    max: usize,
    max_operations: usize,
    changes: Vec<Change>,
    /// Of all schemas.
    room: Room,
}

/// A service as its endpoints need to know it.
pub(crate) struct Owner<'a> {
    pub(crate) name: &'a Arc<str>,
    /// The root of its paths.
    pub(crate) root: NodeId,
    /// What describes it.
    pub(crate) scope: &'a Scope,
    /// How many endpoints it has.
    pub(crate) endpoints: &'a mut u32,
    /// How many it may have.
    pub(crate) max: u32,
}

/// Where a call belongs.
#[derive(Default)]
pub(crate) struct Placed {
    pub(crate) endpoint: Option<EndpointId>,
    pub(crate) template: Option<Arc<str>>,
    pub(crate) discovered: bool,
}

impl Placed {
    pub(crate) const fn nowhere(template: Arc<str>) -> Self {
        Self { endpoint: None, template: Some(template), discovered: false }
    }

    fn at(endpoint: &Endpoint, discovered: bool) -> Self {
        Self { endpoint: Some(endpoint.id), template: Some(Arc::clone(&endpoint.template)), discovered }
    }
}

/// A call with where it goes.
#[derive(Clone, Copy)]
struct Called<'a> {
    what: What,
    operation: Option<&'a str>,
    path: Path<'a>,
    observation: &'a Observation,
}

/// How far an answer speaks for the existence of what was called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Vouch {
    /// It does. Where no answer was seen a mirror may show one direction only, so the request is believed.
    Yes,
    /// A refusal or a failure: gateways refuse what does not exist, too.
    Weak,
    /// There is no such thing.
    No,
}

impl Endpoints {
    pub(crate) fn new(config: &Config, hashing: Keyed) -> Self {
        Self {
            templates: Templates::new(hashing.clone(), config.max_segments),
            all: Vec::new(),
            holes: Vec::new(),
            by_id: HashMap::with_hasher(hashing.clone()),
            merged: HashMap::with_hasher(hashing.clone()),
            merges: VecDeque::new(),
            moved: Vec::new(),
            methods: METHODS.map(Arc::from).to_vec(),
            pending: HashMap::default(),
            pages: Pages::new(hashing.clone()),
            max: config.max_endpoints,
            max_operations: config.max_operations_per_path as usize,
            changes: Vec::new(),
            room: Room::new(config.max_schema_bytes),
            prior: Prior::new(config.descriptions.clone().into()),
            described: HashMap::default(),
            hashing,
        }
    }

    /// What was described beforehand.
    pub(crate) const fn prior(&self) -> &Prior {
        &self.prior
    }

    /// The root of another service's paths.
    pub(crate) fn root(&mut self) -> NodeId {
        self.templates.root()
    }

    /// Whether there is no room for another.
    pub(crate) fn is_full(&self) -> bool {
        self.by_id.len() >= self.max
    }

    /// Every endpoint that is one, in the order of their indices.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Endpoint> {
        self.all.iter().flatten()
    }

    /// Places that endpoints have, some of them empty.
    pub(crate) const fn places(&self) -> usize {
        self.all.len()
    }

    /// The endpoint at a place.
    pub(crate) fn at(&self, place: usize) -> Option<&Endpoint> {
        self.all.get(place)?.as_ref()
    }

    /// The endpoint of that id, or what it became.
    pub(crate) fn get(&self, id: EndpointId) -> Option<&Endpoint> {
        let index = *self.by_id.get(&self.resolve(id))?;
        self.all.get(index as usize)?.as_ref()
    }

    /// The same, to be changed.
    pub(crate) fn get_mut(&mut self, id: EndpointId) -> Option<&mut Endpoint> {
        let index = *self.by_id.get(&self.resolve(id))?;
        self.all.get_mut(index as usize)?.as_mut()
    }

    /// Endpoints that became others, each with what it is now, in the order of their ids.
    pub(crate) fn merged(&self) -> Vec<(EndpointId, EndpointId)> {
        let mut all: Vec<_> = self.merged.keys().map(|id| (*id, self.resolve(*id))).collect();
        all.sort_unstable();
        all
    }

    /// Bytes of what is learned of paths.
    pub(crate) fn template_bytes(&self) -> usize {
        self.templates.bytes()
    }

    /// Bytes of all schemas, and what was left out of them for want of room.
    pub(crate) const fn schema_bytes(&self) -> (usize, u64) {
        (self.room.used(), self.room.left_out())
    }

    /// What an endpoint is by now.
    fn resolve(&self, id: EndpointId) -> EndpointId {
        let mut now = id;
        // Merges follow each other at most as often as segments become parameters.
        for _ in 0..64 {
            match self.merged.get(&now) {
                Some(next) => now = *next,
                None => break,
            }
        }
        now
    }

    /// Places a call, and learns from it.
    pub(crate) fn place(
        &mut self,
        mut owner: Owner<'_>,
        head: &Head,
        observation: &Observation,
        origin: &Origin,
        counters: &mut Counters,
    ) -> Placed {
        let path = Path { head, segments: &observation.segments };
        let answer = answer(observation);
        let may_add = matches!(vouch(observation), Vouch::Yes);
        let Some(mut what) = self.what(head, may_add) else {
            counters.unvouched += 1;
            return Placed::nowhere(template::text(observation, head));
        };
        if self.is_question(what) {
            counters.questions += 1;
            return Placed::nowhere(template::text(observation, head));
        }
        if let Some(described) = self.described_as(owner.scope, path, what) {
            let called = Called { what, operation: None, path, observation };
            return self.place_described(&mut owner, called, &described, origin, counters);
        }
        let path_alone = what;
        let mut operation = observation.operation().map(|operation| operation.name.as_str());
        what.operation = operation.map_or(0, |name| self.operation_hash(name));
        let mut known = self.templates.find(owner.root, path, what, &answer);
        if known.is_none() && operation.is_some() && !self.has_room_for_operation(owner.root, path) {
            counters.beyond_operations += 1;
            (what, operation) = (path_alone, None);
            known = self.templates.find(owner.root, path, what, &answer);
        }
        let found = match known {
            Some(found) => Ok(found),
            None => {
                let called = Called { what, operation, path, observation };
                self.discover(&mut owner, called, &answer, counters)
            }
        };
        let (node, index) = match found {
            Ok(found) => found,
            Err(template) => return Placed::nowhere(template),
        };
        let Some(endpoint) = self.all.get_mut(index as usize).and_then(Option::as_mut) else {
            return Placed::default();
        };
        endpoint.add(observation, origin);
        endpoint.learn(observation, &mut self.room, &self.hashing);
        let id = endpoint.id;
        let echo = Echo::of(observation);
        self.templates.see_values(node, path, &answer, |word| echo.has(word));
        if self.templates.learn(node, what, &answer) {
            self.templates.judge_way(node, &mut self.changes);
            self.carry_out(&mut owner, counters);
        }
        // Merging may have put another in its place.
        self.get(id).map(|endpoint| Placed::at(endpoint, known.is_none())).unwrap_or_default()
    }

    /// Finds where a message belongs that an exchange carries: to that exchange's endpoint, whatever it asks for by itself.
    /// What is no call makes no endpoint: its parent made it, or had no room.
    pub(crate) fn hear(
        &mut self,
        (root, scope): (NodeId, &Scope),
        head: &Head,
        observation: &Observation,
        carrier: Option<&Carrier>,
    ) -> Placed {
        let index = match carrier {
            Some(carrier) => carrier.endpoint.and_then(|id| self.by_id.get(&self.resolve(id)).copied()),
            None => self.heard_at(root, scope, head, observation),
        };
        let endpoint = index.and_then(|index| self.all.get_mut(index as usize)?.as_mut());
        let Some(endpoint) = endpoint else { return Placed::nowhere(template::text(observation, head)) };
        endpoint.hear(observation, &mut self.room, &self.hashing);
        Placed::at(endpoint, false)
    }

    /// The endpoint of a call that was learned from before.
    pub(crate) fn known_at(
        &mut self,
        root: NodeId,
        scope: &Scope,
        head: &Head,
        observation: &Observation,
    ) -> Option<EndpointId> {
        let index = self.heard_at(root, scope, head, observation)?;
        Some(self.all.get(index as usize)?.as_ref()?.id)
    }

    /// The endpoint of a message whose exchange is not remembered: by its path and what it says itself, else by its path.
    fn heard_at(
        &mut self,
        root: NodeId,
        scope: &Scope,
        head: &Head,
        observation: &Observation,
    ) -> Option<u32> {
        let path = Path { head, segments: &observation.segments };
        let path_alone = self.what(head, false)?;
        if let Some(described) = self.described_as(scope, path, path_alone) {
            return self.heard_described(root, &described, path_alone, observation);
        }
        let operation = observation.operation().map(|operation| operation.name.as_str());
        let what = What { operation: operation.map_or(0, |name| self.operation_hash(name)), ..path_alone };
        let answer = answer(observation);
        let found = self.templates.find(root, path, what, &answer);
        let found = found.or_else(|| self.templates.find(root, path, path_alone, &answer));
        found.map(|(_, index)| index)
    }

    /// Judges every word of a service's paths, whether it is due or not.
    pub(crate) fn settle(&mut self, mut owner: Owner<'_>, counters: &mut Counters) {
        self.templates.judge_below(owner.root, true, &mut self.changes);
        self.carry_out(&mut owner, counters);
    }

    /// Makes an endpoint, unless the answer does not vouch for one or there is no room: then the template alone.
    fn discover(
        &mut self,
        owner: &mut Owner<'_>,
        called: Called<'_>,
        answer: &Answer<'_>,
        counters: &mut Counters,
    ) -> Result<(NodeId, u32), Arc<str>> {
        let Called { what, path, observation, .. } = called;
        let nowhere = || template::text(observation, path.head);
        let vouched = match self.vouch(owner.root, called, counters) {
            Vouch::Yes => true,
            Vouch::Weak => self.failed_often(owner.name, called, counters),
            Vouch::No => false,
        };
        if !vouched {
            counters.unvouched += 1;
            return Err(nowhere());
        }
        if self.is_full() || *owner.endpoints >= owner.max {
            counters.beyond_endpoints += 1;
            return Err(nowhere());
        }
        let Some(node) = self.templates.grow(owner.root, path, what, answer) else {
            counters.beyond_segments += 1;
            return Err(nowhere());
        };
        let echo = Echo::of(observation);
        self.templates.see_echo(node, |word| echo.has(word));
        if let Some(known) = self.templates.endpoint(node, what) {
            return Ok((node, known));
        }
        let index = self.new_endpoint(owner, node, called);
        if self.templates.set_endpoint(node, what, index) { Ok((node, index)) } else { Err(nowhere()) }
    }

    /// How far an answer speaks for a path that is not known: a page that other places have as well does not.
    fn vouch(&mut self, root: NodeId, called: Called<'_>, counters: &mut Counters) -> Vouch {
        let own = vouch(called.observation);
        if own != Vouch::Yes {
            return own;
        }
        match self.pages.see(root, called, &mut counters.evicted_pages) {
            Spread::None => Vouch::Yes,
            Spread::Some => Vouch::Weak,
            Spread::Everywhere => Vouch::No,
        }
    }

    /// Who calls chooses the names of operations, so they are bounded on each path.
    fn has_room_for_operation(&self, root: NodeId, path: Path<'_>) -> bool {
        self.templates.operations(root, path) < self.max_operations
    }

    fn operation_hash(&self, name: &str) -> u64 {
        let mut hash = self.hashing.build_hasher();
        hash.write(name.as_bytes());
        // 0 means none.
        hash.finish().max(1)
    }

    /// Counts a failed call on a path that is not known; whether there were enough of them. By the service's name: its root may
    /// have been another's.
    fn failed_often(&mut self, service: &str, called: Called<'_>, counters: &mut Counters) -> bool {
        let mut hash = self.hashing.build_hasher();
        hash.write(service.as_bytes());
        hash.write_u8(0xff);
        hash.write_u16(called.what.method);
        hash.write_u64(called.what.operation);
        template::hash(called.observation, called.path.head, &mut hash);
        let key = hash.finish();
        if self.pending.len() >= MAX_PENDING && !self.pending.contains_key(&key) {
            counters.evicted_pending += self.pending.len() as u64;
            self.pending.clear();
        }
        let calls = self.pending.entry(key).or_insert(0);
        *calls += 1;
        let enough = *calls >= FAILED_CALLS;
        if enough {
            self.pending.remove(&key);
        }
        enough
    }

    fn new_endpoint(&mut self, owner: &mut Owner<'_>, node: NodeId, called: Called<'_>) -> u32 {
        let Called { path, observation, .. } = called;
        let template = match observation.segments.is_empty() {
            true => template::rootless(observation, path.head).into(),
            false => self.templates.text(node, template::is_long(observation)),
        };
        self.add_endpoint(owner, template, called)
    }

    /// Makes an endpoint, unless there is one of its name.
    fn add_endpoint(&mut self, owner: &mut Owner<'_>, template: Arc<str>, called: Called<'_>) -> u32 {
        let Called { what, operation, .. } = called;
        let method = self.methods.get(usize::from(what.method)).map_or_else(|| "".into(), Arc::clone);
        let id = endpoint_id(owner.name, &method, &template, operation);
        if let Some(known) = self.by_id.get(&id) {
            return *known;
        }
        *owner.endpoints += 1;
        // What was merged and comes again is an endpoint of its own again.
        self.merged.remove(&id);
        let operation = operation.map(Arc::from);
        let endpoint = Endpoint { operation, ..Endpoint::new(id, Arc::clone(owner.name), method, template) };
        let index = match self.holes.pop() {
            Some(index) => index,
            None => {
                self.all.push(None);
                u32::try_from(self.all.len() - 1).unwrap_or(u32::MAX)
            }
        };
        if let Some(place) = self.all.get_mut(index as usize) {
            *place = Some(endpoint);
        }
        self.by_id.insert(id, index);
        index
    }

    /// Follows what became of words: endpoints are put together and named anew.
    fn carry_out(&mut self, owner: &mut Owner<'_>, counters: &mut Counters) {
        for change in std::mem::take(&mut self.changes) {
            match change {
                Change::Folded(from, into) => self.fold(from, into, owner, counters),
                Change::Retitled(node, what, index) => {
                    if self.templates.endpoint(node, what) == Some(index) {
                        self.retitle(node, what, index, owner, counters);
                    }
                }
            }
        }
    }

    fn fold(&mut self, from: u32, into: u32, owner: &mut Owner<'_>, counters: &mut Counters) {
        if from == into {
            return;
        }
        // What is described has its template for good.
        let described = |endpoint: &Endpoint| endpoint.documented.is_some();
        if self.all.get(from as usize).and_then(Option::as_ref).is_some_and(described) {
            return;
        }
        let Some(old) = self.all.get_mut(from as usize).and_then(Option::take) else { return };
        let Some(kept) = self.all.get_mut(into as usize).and_then(Option::as_mut) else { return };
        let (old_id, kept_id) = (old.id, kept.id);
        kept.absorb(old, &mut self.room, &self.hashing);
        self.holes.push(from);
        self.by_id.remove(&old_id);
        *owner.endpoints = owner.endpoints.saturating_sub(1);
        self.record(old_id, kept_id, counters);
    }

    fn retitle(
        &mut self,
        node: NodeId,
        what: What,
        index: u32,
        owner: &mut Owner<'_>,
        counters: &mut Counters,
    ) {
        let Some(endpoint) = self.all.get_mut(index as usize).and_then(Option::as_mut) else { return };
        let template = self.templates.text(node, endpoint.template.ends_with("/…"));
        if endpoint.template == template || endpoint.documented.is_some() {
            return;
        }
        let old = endpoint.id;
        let id = endpoint_id(owner.name, &endpoint.method, &template, endpoint.operation.as_deref());
        if let Some(known) = self.by_id.get(&id).copied() {
            self.templates.set_endpoint(node, what, known);
            self.fold(index, known, owner, counters);
            return;
        }
        endpoint.retitle(id, template, &mut self.room);
        self.by_id.remove(&old);
        self.by_id.insert(id, index);
        self.merged.remove(&id);
        self.record(old, id, counters);
    }

    /// Endpoints that became others since this was asked last, in that order.
    pub(crate) fn take_moved(&mut self) -> Vec<(EndpointId, EndpointId)> {
        std::mem::take(&mut self.moved)
    }

    /// Remembers what an endpoint became.
    fn record(&mut self, old: EndpointId, new: EndpointId, counters: &mut Counters) {
        counters.merged_endpoints += 1;
        self.moved.push((old, new));
        if self.merged.insert(old, new).is_none() {
            self.merges.push_back(old);
        }
        while self.merges.len() > self.max {
            if let Some(oldest) = self.merges.pop_front() {
                counters.forgotten_merges += u64::from(self.merged.remove(&oldest).is_some());
            }
        }
    }

    /// Whether a request only asks what may be called (OPTIONS, RFC 9110, 9.3.7), as browsers do before they call.
    fn is_question(&self, what: What) -> bool {
        self.methods.get(usize::from(what.method)).is_some_and(|method| &**method == "OPTIONS")
    }

    /// What a request calls, where its method is one (RFC 9110, 5.6.2). HEAD is GET without its content (9.3.2). One that is
    /// not known is added where the answer vouches for it.
    fn what(&mut self, head: &Head, may_add: bool) -> Option<What> {
        let method = match head.method()?.bytes() {
            b"HEAD" => "GET",
            other => std::str::from_utf8(other).ok()?,
        };
        let known = self.methods.iter().position(|known| &**known == method);
        let index = match known {
            Some(index) => index,
            None if may_add && self.methods.len() < MAX_METHODS && is_token(method) => {
                self.methods.push(method.into());
                self.methods.len() - 1
            }
            None => return None,
        };
        Some(What { method: u16::try_from(index).ok()?, operation: 0 })
    }
}

fn is_token(method: &str) -> bool {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    (1..=MAX_METHOD).contains(&method.len()) && method.bytes().all(token)
}

/// What the answer says of the path.
fn answer(observation: &Observation) -> Answer<'_> {
    static NOTHING: KeySample = KeySample::EMPTY;
    let payload = &observation.response_payload;
    let whole = payload.state == PayloadState::Read;
    Answer {
        status: status(observation),
        is_bare: payload.state == PayloadState::Empty,
        keys: if whole { &payload.keys } else { &NOTHING },
        shape: if whole { payload.shape } else { 0 },
    }
}

fn vouch(observation: &Observation) -> Vouch {
    match status(observation) {
        _ if observation.operation().is_some_and(|operation| operation.unknown) => Vouch::No,
        Some(404 | 405 | 501) => Vouch::No,
        Some(400..=599) => Vouch::Weak,
        _ => Vouch::Yes,
    }
}

/// The same for the same service, method, template and operation, whoever senses it.
pub(crate) fn endpoint_id(
    service: &str,
    method: &str,
    template: &str,
    operation: Option<&str>,
) -> EndpointId {
    let mut hash = SipHasher24::new();
    for text in [service, method, template].into_iter().chain(operation) {
        hash.write(text.as_bytes());
        hash.write_u8(0);
    }
    EndpointId(hash.finish())
}

#[cfg(test)]
mod tests;
