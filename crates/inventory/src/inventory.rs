//! The inventory: observations in, calls out, and what was learned of services and endpoints.

use crate::agents::Agents;
use crate::carriers::{Carrier, Carriers};
use crate::context::{About, Context, Side};
use crate::egress::Egress;
use crate::endpoint::{Endpoint, Service, status};
use crate::endpoints::{Endpoints, Owner, Placed};
use crate::hashing::Keyed;
use crate::hours::Hours;
use crate::knocks::Knocking;
use crate::kpis::{Kpis, Reckoning, Sensed, Series};
use crate::openapi::Scope;
use crate::principals::{Caller, Placing, Principals};
use crate::probing::Probing;
use crate::pulse::{Pulses, Silent};
use crate::relations::{Forgotten, Related, Relating};
use crate::templates::NodeId;
use crate::usage::Origin;
use crate::{Call, Config, EndpointId, Moment, PostureTimes, Principal, Risks, network, template};
use std::collections::HashMap;
use std::sync::Arc;
use tapwire_inspect::classes::ClassId;
use tapwire_inspect::{Observation, Tokens};
use tapwire_wire::Timestamp;

/// Where no service can make room, calls to further ones between two looks for one that can.
const LOOK_EVERY: u64 = 64;
/// Endpoints whose figures are summed with one call, when a day is over.
const TURN_STEP: usize = 2_048;

/// What was learned. Written by one thread, in the order of the exchanges' numbers.
pub struct Inventory {
    pub(crate) hours: Hours,
    pub(crate) config: Config,
    tokens: Tokens,
    pub(crate) services: Vec<Service>,
    pub(crate) service_by_name: HashMap<Arc<str>, usize, Keyed>,
    /// Where the paths of each service begin.
    pub(crate) roots: Vec<NodeId>,
    /// What describes each service.
    pub(crate) scopes: Vec<Scope>,
    pub(crate) endpoints: Endpoints,
    carriers: Carriers,
    pub(crate) principals: Principals,
    pub(crate) context: Arc<Context>,
    pub(crate) probing: Probing,
    pub(crate) knocking: Knocking,
    pub(crate) agents: Agents,
    pub(crate) related: Related,
    counters: Counters,
    pulses: Pulses,
    pub(crate) series: Series,
    /// The day that is over, and its figures as far as they are summed.
    turn: Option<(i64, Reckoning)>,
    /// Services that changed and were not yet told of: at most all of them.
    silent: Vec<Silent>,
    /// Services that had no endpoint when there was no room for another, the longest unheard last.
    vacant: Vec<usize>,
}

/// Calls that could not be placed, by reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Observations without request.
    pub without_request: u64,
    /// Calls to a service beyond the limit.
    pub beyond_services: u64,
    /// Services that made room for others: none of their answers vouched for an endpoint.
    pub evicted_services: u64,
    /// Calls that would have made an endpoint beyond a limit.
    pub beyond_endpoints: u64,
    /// Calls whose answer vouches for no endpoint (404, 405, a method that is none, the first two failures of a path), to
    /// paths that are not known.
    pub unvouched: u64,
    /// Calls whose operation would have been one too many on its path: they are placed on the path itself.
    pub beyond_operations: u64,
    /// OPTIONS requests, such as browsers send before others: they ask what may be called, and call nothing.
    pub questions: u64,
    /// Calls whose path has a segment beyond a limit.
    pub beyond_segments: u64,
    /// Paths forgotten that had failed once or twice.
    pub evicted_pending: u64,
    /// Pages forgotten that several paths had, for want of room.
    pub evicted_pages: u64,
    /// Endpoints that turned out to be others.
    pub merged_endpoints: u64,
    /// Merges that are remembered no more.
    pub forgotten_merges: u64,
    /// Fields and bodies that no schema had room for.
    pub beyond_schemas: u64,
    /// Callers that asked for what does not exist, and were forgotten for want of room.
    pub forgotten_probing: u64,
    /// Clients that knocked at ports, and were forgotten for want of room.
    pub forgotten_knocking: u64,
    /// Fingerprints of TLS that were forgotten for want of room.
    pub forgotten_fingerprints: u64,
    /// What relates calls and made room, or was not met for long.
    pub forgotten_relations: Forgotten,
}

impl Inventory {
    /// Empty.
    pub fn new(config: Config) -> Self {
        let hashing = Keyed::new(config.token_key.table_key());
        Self {
            tokens: Tokens::new(config.token_key.clone()),
            services: Vec::new(),
            service_by_name: HashMap::with_hasher(hashing.clone()),
            roots: Vec::new(),
            scopes: Vec::new(),
            endpoints: Endpoints::new(&config, hashing.clone()),
            principals: Principals::new(&config, hashing.clone()),
            context: Arc::clone(&config.context),
            probing: Probing::default(),
            knocking: Knocking::new(hashing.clone(), config.max_principals),
            agents: Agents::default(),
            hours: Hours::new(hashing.clone(), config.max_hours, config.max_peer_groups, &config.quotas),
            related: Related::new(hashing.clone(), config.max_principals / 4),
            carriers: Carriers::new(hashing),
            counters: Counters::default(),
            pulses: Pulses::new(config.silence),
            series: Series::new(config.max_series_scopes),
            turn: None,
            silent: Vec::new(),
            vacant: Vec::new(),
            config,
        }
    }

    /// KPIs day by day.
    pub const fn series(&self) -> &Series {
        &self.series
    }

    /// Keeps the KPIs of the day that is open, as they are by now.
    pub fn keep_day(&mut self) {
        self.turn_on(usize::MAX);
        if let Some(day) = self.series.open() {
            self.series.keep(day, &Kpis::new(self, &Sensed::default()));
        }
    }

    /// A call came: sums on what belongs to the day that is over.
    fn turn(&mut self, time: Timestamp) {
        if let Some(day) = self.series.hear(time) {
            self.turn_on(usize::MAX);
            self.turn = Some((day, Reckoning::new(self, &Sensed::default())));
        }
        if self.turn.is_some() {
            self.turn_on(TURN_STEP);
        }
    }

    fn turn_on(&mut self, places: usize) {
        let Some((day, mut reckoning)) = self.turn.take() else { return };
        if reckoning.step(self, places) {
            self.series.keep(day, &reckoning.finish(self, &Sensed::default()));
        } else {
            self.turn = Some((day, reckoning));
        }
    }

    /// Who called.
    pub const fn principals(&self) -> &Principals {
        &self.principals
    }

    /// What files say of the network, from the next call on.
    pub fn set_context(&mut self, context: Arc<Context>) {
        self.context = context;
    }

    /// What files say of the network.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// What files say of an endpoint.
    pub fn about(&self, endpoint: &Endpoint) -> About {
        self.about_path(&endpoint.service, &endpoint.template)
    }

    /// What files say of a service as a whole.
    pub fn about_service(&self, service: &str) -> About {
        self.about_path(service, "")
    }

    /// What files say of a template on a service, whether it was seen or not.
    pub fn about_path(&self, service: &str, template: &str) -> About {
        let known = self.service_by_name.get(service).and_then(|index| self.services.get(*index));
        self.context.about(service, known.map_or(&[], |known| &known.servers), template)
    }

    /// Who answers for an endpoint, by its id.
    pub fn owner(&self, id: EndpointId) -> Option<Arc<str>> {
        self.about(self.endpoint(id)?).owner
    }

    /// The zone of an endpoint's servers, by its id.
    pub fn zone(&self, id: EndpointId) -> Option<Arc<str>> {
        self.about(self.endpoint(id)?).zone
    }

    /// The tags of an endpoint, by its id, sorted.
    pub fn tags(&self, id: EndpointId) -> Vec<Arc<str>> {
        self.endpoint(id).map(|endpoint| self.about(endpoint).tags).unwrap_or_default()
    }

    /// Servers of MCP and language models.
    pub const fn agents(&self) -> &Agents {
        &self.agents
    }

    /// Rates endpoints by what is known now.
    pub fn risks(&self) -> Risks<'_> {
        Risks::new(self)
    }

    /// The same by what was known at that moment.
    pub const fn risks_at(&self, moment: Moment) -> Risks<'_> {
        Risks::of(self, moment)
    }

    /// A detector found something on an endpoint, of that severity (OCSF's `severity_id`).
    pub fn found_on(&mut self, endpoint: EndpointId, severity: u8, time: Timestamp) {
        if let Some(endpoint) = self.endpoints.get_mut(endpoint) {
            endpoint.usage.recent.found(severity, time);
        }
    }

    /// A detector found something of who called.
    pub fn found_of(&mut self, call: &Call) {
        let tls = call.observation.exchange.flow.tls.as_ref();
        let ja4 = tls.and_then(|facts| facts.ja4.as_deref());
        if let Some((ja4, address)) = ja4.zip(call.caller.address) {
            self.principals.found(ja4, address.ip);
        }
    }

    /// The name of a data class, also of the configuration's own.
    pub fn class_name(&self, class: ClassId) -> &str {
        self.config.classes.name(class)
    }

    /// The service of an index, as callers have it.
    pub fn service_at(&self, index: usize) -> Option<&Service> {
        self.services.get(index)
    }

    /// Calls that could not be placed so far.
    pub const fn counters(&self) -> Counters {
        Counters {
            beyond_schemas: self.endpoints.schema_bytes().1,
            forgotten_probing: self.probing.forgotten(),
            forgotten_knocking: self.knocking.forgotten(),
            forgotten_fingerprints: self.principals.forgotten_prints(),
            forgotten_relations: self.related.forgotten(),
            ..self.counters
        }
    }

    /// Places an observation in what is learned, and learns from it. A message on an exchange that goes on belongs to that
    /// exchange's endpoint, operation and caller, and is no call of its own.
    pub fn place(&mut self, mut observation: Observation) -> Call {
        let carrier = self.carriers.of(&observation);
        if let Some(carrier) = &carrier {
            observation.said.get_or_insert_default().operation = Some(carrier.operation.clone());
        }
        if observation.exchange.request_head().is_none() {
            self.counters.without_request += 1;
            return Call::unplaced(observation);
        }
        self.turn(observation.exchange.started());
        let service = self.service(&observation);
        let flow = &observation.exchange.flow;
        self.knocking.spoke(flow.client().ip(), flow.server(), observation.exchange.started());
        let placing = &mut Placing {
            observation: &observation,
            context: &self.context,
            tokens: &mut self.tokens,
            service,
        };
        let (principal, caller) = self.principals.place(placing).unzip();
        let mut marks = observation.marks;
        network::mark(&mut marks, &observation, caller.as_ref(), &self.context);
        observation.marks = marks;
        let origin = self.origin(&observation, principal, caller.as_ref());
        self.count_egress(service, &observation, &origin);
        let placed = self.endpoint_of(service, &observation, &origin, carrier.as_ref());
        self.carriers.placed(&observation, placed.endpoint);
        let name = match service.and_then(|service| self.services.get(service)) {
            Some(service) => Arc::clone(&service.name),
            None => service_name(&observation).into(),
        };
        self.agents.learn(&name, &observation, origin.caller);
        let relations = self.related.relate(&Relating {
            observation: &observation,
            service: &name,
            template: placed.template.as_ref(),
            principal,
            caller: caller.as_ref(),
        });
        let mut call = Call {
            relations,
            service: Some(name),
            endpoint: placed.endpoint,
            template: placed.template,
            discovered: placed.discovered,
            principal,
            caller: caller.unwrap_or_default(),
            ..Call::unplaced(observation)
        };
        for (from, to) in self.endpoints.take_moved() {
            self.hours.moved(from, to);
        }
        call.standing = self.hours.hear(&call);
        call
    }

    /// What callers do within an hour, and quotas.
    pub fn hours(&self) -> &Hours {
        &self.hours
    }

    /// Places a call, which another inventory placed while it learned, by what is known here of all calls: its endpoint with the
    /// template, and what relates it to others. Of that call, which was learned from before, nothing is counted again.
    pub fn recall(&mut self, call: &mut Call) {
        let known =
            self.known_place(&call.observation).or(call.endpoint).and_then(|id| self.endpoints.get(id));
        if let Some(endpoint) = known {
            (call.endpoint, call.template) = (Some(endpoint.id), Some(Arc::clone(&endpoint.template)));
        }
        let Some(service) = &call.service else { return };
        call.relations = self.related.recall(&Relating {
            observation: &call.observation,
            service,
            template: call.template.as_ref(),
            principal: call.principal,
            caller: Some(&call.caller),
        });
        self.hours.freeze();
        call.standing = self.hours.hear(call);
    }

    /// The endpoint by path and answer of an exchange that no other carries.
    fn known_place(&mut self, observation: &Observation) -> Option<EndpointId> {
        let head = observation.exchange.request_head()?;
        observation.path?;
        let name = observation.authority.as_deref();
        let service = match name {
            Some(name) => *self.service_by_name.get(name)?,
            None => *self.service_by_name.get(service_name(observation).as_str())?,
        };
        let (root, scope) = (*self.roots.get(service)?, self.scopes.get(service)?);
        let is_call = observation.exchange.child.is_none();
        is_call.then(|| self.endpoints.known_at(root, scope, head, observation)).flatten()
    }

    /// Every endpoint, sorted by service, template, method and operation.
    pub fn endpoints(&self) -> impl Iterator<Item = &Endpoint> {
        let mut sorted: Vec<_> = self.endpoints.iter().collect();
        sorted.sort_by_key(|endpoint| {
            (&endpoint.service, &endpoint.template, &endpoint.method, &endpoint.operation)
        });
        sorted.into_iter()
    }

    /// Every service, sorted by name.
    pub fn services(&self) -> impl Iterator<Item = &Service> {
        let mut sorted: Vec<_> = self.services.iter().collect();
        sorted.sort_by_key(|service| &service.name);
        sorted.into_iter()
    }

    /// The service of that name.
    pub fn service_named(&self, name: &str) -> Option<&Service> {
        self.services.get(*self.service_by_name.get(name)?)
    }

    /// Counts findings that a call to a service made.
    pub fn found(&mut self, service: &str, findings: u64) {
        let service = self.service_by_name.get(service).and_then(|index| self.services.get_mut(*index));
        service.into_iter().for_each(|service| service.findings += findings);
    }

    /// Takes how long the findings of posture of a service took, in the place of what was known of it.
    pub fn set_posture(&mut self, service: &str, times: PostureTimes) {
        let service = self.service_by_name.get(service).and_then(|index| self.services.get_mut(*index));
        service.into_iter().for_each(|service| service.posture = times);
    }

    /// The endpoint of that id, or the one it was merged into.
    pub fn endpoint(&self, id: EndpointId) -> Option<&Endpoint> {
        self.endpoints.get(id)
    }

    /// Places that endpoints have, some of them empty: for going through all of them in several steps.
    pub const fn endpoint_places(&self) -> usize {
        self.endpoints.places()
    }

    /// The endpoint at a place; an endpoint keeps its place as long as it is one.
    pub fn endpoint_at(&self, place: usize) -> Option<&Endpoint> {
        self.endpoints.at(place)
    }

    /// Endpoints that turned out to be others, each with what it is now, sorted by id.
    pub fn merged(&self) -> Vec<(EndpointId, EndpointId)> {
        self.endpoints.merged()
    }

    /// Bytes held for what is learned of paths.
    pub fn template_bytes(&self) -> usize {
        self.endpoints.template_bytes()
    }

    /// Bytes held for schemas.
    pub const fn schema_bytes(&self) -> usize {
        self.endpoints.schema_bytes().0
    }

    /// Judges all paths with what is known by now, as is done now and then while calls come. Templates that are few calls
    /// old get better by it.
    pub fn settle(&mut self) {
        self.hours.settle();
        let max = self.config.max_endpoints_per_service;
        for ((service, root), scope) in self.services.iter_mut().zip(&self.roots).zip(&self.scopes) {
            let (name, endpoints) = (&service.name, &mut service.endpoints);
            let owner = Owner { name, root: *root, scope, endpoints, max };
            self.endpoints.settle(owner, &mut self.counters);
        }
    }

    /// Where a call comes from. A message on an exchange that goes on is no call of its own.
    fn origin(
        &mut self,
        observation: &Observation,
        principal: Option<Principal>,
        caller: Option<&Caller>,
    ) -> Origin {
        let hash = principal.map_or(0, |principal| caller_hash(&principal));
        let flow = &observation.exchange.flow;
        let client =
            caller.and_then(|caller| caller.address).map_or_else(|| flow.client().ip(), |from| from.ip);
        let side = self.context.side(client);
        let is_call = observation.exchange.child.is_none();
        Origin {
            caller: hash,
            side,
            is_listed: caller.is_some_and(|caller| !caller.lists.is_empty()),
            is_probing: is_call && self.probing.is_probing(hash, status(observation)),
            through_gateway: self.context.is_through_gateway(flow),
            is_egress: side == Side::Internal && self.context.side(flow.server().ip()) == Side::Public,
        }
    }

    fn count_egress(&mut self, service: Option<usize>, observation: &Observation, origin: &Origin) {
        if !origin.is_egress || observation.exchange.child.is_some() {
            return;
        }
        let Some(service) = service.and_then(|index| self.services.get_mut(index)) else { return };
        let time = observation.exchange.started();
        service.egress.get_or_insert_with(|| Box::new(Egress::new(time))).add(observation, origin);
    }

    /// The service's index; `None` beyond the limit.
    fn service(&mut self, observation: &Observation) -> Option<usize> {
        let time = observation.exchange.started();
        let known = match observation.authority.as_deref() {
            Some(name) => self.service_by_name.get(name).copied(),
            None => self.service_by_name.get(service_name(observation).as_str()).copied(),
        };
        let index = match known {
            Some(index) => index,
            None => self.new_service(service_name(observation).into(), time)?,
        };
        let service = self.services.get_mut(index)?;
        service.calls += u64::from(observation.exchange.child.is_none());
        service.first_seen = service.first_seen.min(time);
        service.last_seen = service.last_seen.max(time);
        service.served_by(observation.exchange.flow.server().ip());
        self.listen(index, time);
        Some(index)
    }

    fn listen(&mut self, service: usize, time: Timestamp) {
        for (index, quiet, usual, back) in self.pulses.beat(service, time) {
            let Some(service) = self.services.get(index) else { continue };
            self.silent.push(Silent { service: Arc::clone(&service.name), time, quiet, usual, back });
        }
    }

    /// Takes the services that fell silent, or go on again, since the last call.
    pub fn take_silent(&mut self) -> Vec<Silent> {
        std::mem::take(&mut self.silent)
    }

    fn new_service(&mut self, name: Arc<str>, time: Timestamp) -> Option<usize> {
        if self.services.len() >= self.config.max_services {
            return self.replace_service(name, time);
        }
        let index = self.services.len();
        self.service_by_name.insert(Arc::clone(&name), index);
        self.roots.push(self.endpoints.root());
        self.scopes.push(self.endpoints.prior().scope(&name));
        self.services.push(Service::new(name, time));
        Some(index)
    }

    /// Who calls chooses the names of hosts: one whose answers vouched for nothing makes room, the longest unheard first.
    fn replace_service(&mut self, name: Arc<str>, time: Timestamp) -> Option<usize> {
        let Some(index) = self.vacant() else {
            self.counters.beyond_services += 1;
            return None;
        };
        let service = self.services.get_mut(index)?;
        let gone = std::mem::replace(service, Service::new(Arc::clone(&name), time));
        self.service_by_name.remove(&gone.name);
        // Nothing grew below its root.
        if let Some(scope) = self.scopes.get_mut(index) {
            *scope = self.endpoints.prior().scope(&name);
        }
        self.pulses.forget(index);
        self.service_by_name.insert(name, index);
        self.counters.evicted_services += 1;
        Some(index)
    }

    /// A service without endpoints. All are looked through at once, and seldom where none is found.
    fn vacant(&mut self) -> Option<usize> {
        // Where no endpoint finds room, a service may be without one though its answers vouched for some.
        if self.endpoints.is_full() {
            return None;
        }
        let services = &self.services;
        let is_vacant = |index: &usize| services.get(*index).is_some_and(|service| service.endpoints == 0);
        if self.vacant.is_empty() && self.counters.beyond_services.is_multiple_of(LOOK_EVERY) {
            self.vacant = (0..services.len()).filter(is_vacant).collect();
            let last_seen = |index: &usize| services.get(*index).map(|service| service.last_seen);
            self.vacant.sort_by_key(|index| std::cmp::Reverse(last_seen(index)));
        }
        while let Some(index) = self.vacant.pop() {
            if is_vacant(&index) {
                return Some(index);
            }
        }
        None
    }

    fn endpoint_of(
        &mut self,
        service: Option<usize>,
        observation: &Observation,
        origin: &Origin,
        carrier: Option<&Carrier>,
    ) -> Placed {
        let Some(head) = observation.exchange.request_head().filter(|_| observation.path.is_some()) else {
            return Placed::default();
        };
        let owner = service.and_then(|index| {
            Some((self.services.get_mut(index)?, *self.roots.get(index)?, self.scopes.get(index)?))
        });
        let Some((service, root, scope)) = owner else {
            return Placed::nowhere(template::text(observation, head));
        };
        let max = self.config.max_endpoints_per_service;
        let owner = Owner { name: &service.name, root, scope, endpoints: &mut service.endpoints, max };
        if observation.exchange.child.is_some() {
            return self.endpoints.hear((root, scope), head, observation, carrier);
        }
        self.endpoints.place(owner, head, observation, origin, &mut self.counters)
    }
}

/// The authority, else the server's address and port.
fn service_name(observation: &Observation) -> String {
    observation.authority.clone().unwrap_or_else(|| {
        let server = observation.exchange.flow.server();
        std::net::SocketAddr::new(server.ip(), server.port).to_string()
    })
}

/// Tokens are keyed hashes already.
pub(crate) fn caller_hash(principal: &Principal) -> u64 {
    principal.token.0.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

#[cfg(test)]
mod tests;
