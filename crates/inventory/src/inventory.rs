//! The inventory: observations in, calls out, and what was learned of services and endpoints.

use crate::endpoint::{Endpoint, Service, status};
use crate::hashing::{BuildAsIs, Keyed};
use crate::pulse::{Pulses, Silent};
use crate::{Call, Config, EndpointId, Principal, principal, template};
use siphasher::sip::SipHasher24;
use siphasher::sip128::Hasher128;
use std::collections::HashMap;
use std::hash::Hasher;
use std::sync::Arc;
use tapwire_inspect::{Observation, Tokens};
use tapwire_protocol::{Head, Message};
use tapwire_wire::Timestamp;

/// Methods longer than this are noise of a scanner or a broken client.
const MAX_METHOD: usize = 32;

/// What was learned. Written by one thread, in the order of the exchanges' numbers.
pub struct Inventory {
    config: Config,
    tokens: Tokens,
    hashing: Keyed,
    services: Vec<Service>,
    service_by_name: HashMap<Arc<str>, usize, Keyed>,
    /// In the order of discovery.
    endpoints: Vec<Endpoint>,
    /// By a keyed hash of service, method, typed path and operation: no text is built for an endpoint that is known.
    endpoint_by_path: HashMap<u128, usize, BuildAsIs>,
    endpoint_by_id: HashMap<EndpointId, usize, Keyed>,
    /// Endpoints of one path that differ by their operation.
    operations_of_path: HashMap<u128, u32, BuildAsIs>,
    methods: Vec<Arc<str>>,
    counters: Counters,
    pulses: Pulses,
    /// Services that changed and were not yet told of: at most all of them.
    silent: Vec<Silent>,
}

/// Calls that could not be placed, by reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Observations without request.
    pub without_request: u64,
    /// Calls to a service beyond the limit.
    pub beyond_services: u64,
    /// Calls that would have made an endpoint beyond a limit.
    pub beyond_endpoints: u64,
    /// Calls whose answer vouches for no endpoint (404, 405, a method that does not exist), to paths that are not known.
    pub unvouched: u64,
    /// Calls whose operation would have been one too many on its path: they are placed on the path itself.
    pub beyond_operations: u64,
}

impl Inventory {
    /// Empty.
    pub fn new(config: Config) -> Self {
        let hashing = Keyed::new(config.token_key.table_key());
        Self {
            tokens: Tokens::new(config.token_key.clone()),
            services: Vec::new(),
            service_by_name: HashMap::with_hasher(hashing.clone()),
            endpoints: Vec::new(),
            endpoint_by_path: HashMap::default(),
            endpoint_by_id: HashMap::with_hasher(hashing.clone()),
            operations_of_path: HashMap::default(),
            methods: Vec::new(),
            counters: Counters::default(),
            pulses: Pulses::new(config.silence),
            silent: Vec::new(),
            hashing,
            config,
        }
    }

    /// Calls that could not be placed so far.
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    /// Places an observation in what is learned, and learns from it.
    pub fn place(&mut self, observation: Observation) -> Call {
        let Some(request) = observation.exchange.request.as_deref() else {
            self.counters.without_request += 1;
            return Call {
                observation,
                service: None,
                endpoint: None,
                template: None,
                discovered: false,
                principal: None,
            };
        };
        let principal = principal::principal(&observation, &mut self.tokens);
        let service = self.service(&observation);
        let placed = self.endpoint_of(service, request, &observation, principal);
        let name = match service.and_then(|service| self.services.get(service)) {
            Some(service) => Arc::clone(&service.name),
            None => service_name(&observation).into(),
        };
        Call {
            service: Some(name),
            endpoint: placed.endpoint,
            template: placed.template,
            discovered: placed.discovered,
            principal,
            observation,
        }
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

    /// The endpoint of that id.
    pub fn endpoint(&self, id: EndpointId) -> Option<&Endpoint> {
        self.endpoints.get(*self.endpoint_by_id.get(&id)?)
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
        service.calls += 1;
        service.first_seen = service.first_seen.min(time);
        service.last_seen = service.last_seen.max(time);
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
            self.counters.beyond_services += 1;
            return None;
        }
        let index = self.services.len();
        self.service_by_name.insert(Arc::clone(&name), index);
        self.services.push(Service { name, first_seen: time, last_seen: time, calls: 0, endpoints: 0 });
        Some(index)
    }

    fn endpoint_of(
        &mut self,
        service: Option<usize>,
        request: &Message,
        observation: &Observation,
        principal: Option<Principal>,
    ) -> Placed {
        if observation.path.is_none() {
            return Placed::default();
        }
        let head = &request.head;
        let Some(service) = service else { return Placed::nowhere(template::text(observation, head)) };
        let operation = observation.operation().map(|operation| operation.name.as_str());
        let (mut key, path) = self.path_key(service, head, observation, operation);
        let mut known = self.endpoint_by_path.get(&key).copied();
        let mut operation = operation.map(|name| (name, path));
        if known.is_none() && operation.is_some() && !self.has_room_for_operation(path) {
            self.counters.beyond_operations += 1;
            (key, operation) = (path, None);
            known = self.endpoint_by_path.get(&key).copied();
        }
        let index = match known {
            Some(index) => index,
            None => match self.new_endpoint(service, key, head, observation, operation) {
                Ok(index) => index,
                Err(template) => return Placed::nowhere(template),
            },
        };
        let caller = principal.map_or(0, |principal| caller_hash(&principal));
        let Some(endpoint) = self.endpoints.get_mut(index) else { return Placed::default() };
        endpoint.add(observation, caller);
        Placed {
            endpoint: Some(endpoint.id),
            template: Some(Arc::clone(&endpoint.template)),
            discovered: known.is_none(),
        }
    }

    /// The key of the endpoint, and that of its path alone.
    fn path_key(
        &self,
        service: usize,
        head: &Head,
        observation: &Observation,
        operation: Option<&str>,
    ) -> (u128, u128) {
        let mut hash = self.hashing.wide();
        hash.write_usize(service);
        hash.write(head.method().map_or(&b""[..], |method| method.bytes()));
        hash.write_u8(b' ');
        template::hash(observation, head, &mut hash);
        let path = hash.finish128().as_u128();
        let Some(operation) = operation else { return (path, path) };
        hash.write_u8(0);
        hash.write(operation.as_bytes());
        (hash.finish128().as_u128(), path)
    }

    /// Who calls chooses the names of operations, so they are bounded on each path.
    fn has_room_for_operation(&self, path: u128) -> bool {
        self.operations_of_path.get(&path).is_none_or(|count| *count < self.config.max_operations_per_path)
    }

    /// Makes an endpoint, unless the answer does not vouch for one or there is no room: then the template alone.
    fn new_endpoint(
        &mut self,
        service: usize,
        key: u128,
        head: &Head,
        observation: &Observation,
        operation: Option<(&str, u128)>,
    ) -> Result<usize, Arc<str>> {
        let template = template::text(observation, head);
        let Some(method) = method(head).filter(|_| vouched(observation)) else {
            self.counters.unvouched += 1;
            return Err(template);
        };
        let Some(owner) = self.services.get_mut(service) else { return Err(template) };
        let id = endpoint_id(&owner.name, method, &template, operation.map(|(name, _)| name));
        // The same template by another spelling of its words (percent-encoding) is the same endpoint.
        if let Some(index) = self.endpoint_by_id.get(&id) {
            if self.endpoint_by_path.len() < self.config.max_endpoints * 2 {
                self.endpoint_by_path.insert(key, *index);
            }
            return Ok(*index);
        }
        if self.endpoints.len() >= self.config.max_endpoints
            || owner.endpoints >= self.config.max_endpoints_per_service
        {
            self.counters.beyond_endpoints += 1;
            return Err(template);
        }
        owner.endpoints += 1;
        if let Some((_, path)) = operation {
            *self.operations_of_path.entry(path).or_insert(0) += 1;
        }
        let name = Arc::clone(&owner.name);
        let method = self.intern(method);
        let index = self.endpoints.len();
        let operation = operation.map(|(name, _)| name.into());
        self.endpoints.push(Endpoint { operation, ..Endpoint::new(id, name, method, template) });
        self.endpoint_by_path.insert(key, index);
        self.endpoint_by_id.insert(id, index);
        Ok(index)
    }

    /// Methods are few: one text serves all endpoints.
    fn intern(&mut self, method: &str) -> Arc<str> {
        if let Some(known) = self.methods.iter().find(|known| &***known == method) {
            return Arc::clone(known);
        }
        let method: Arc<str> = method.into();
        if self.methods.len() < 64 {
            self.methods.push(Arc::clone(&method));
        }
        method
    }
}

/// Where a call belongs.
#[derive(Default)]
struct Placed {
    endpoint: Option<EndpointId>,
    template: Option<Arc<str>>,
    discovered: bool,
}

impl Placed {
    const fn nowhere(template: Arc<str>) -> Self {
        Self { endpoint: None, template: Some(template), discovered: false }
    }
}

/// The authority, else the server's address and port.
fn service_name(observation: &Observation) -> String {
    observation.authority.clone().unwrap_or_else(|| {
        let server = observation.exchange.flow.server();
        std::net::SocketAddr::new(server.ip(), server.port).to_string()
    })
}

/// Whether the answer speaks for the endpoint's existence. Where no answer was seen, a mirror may show one direction only, so the
/// request is believed.
fn vouched(observation: &Observation) -> bool {
    !matches!(status(observation), Some(404 | 405)) && observation.operation().is_none_or(|one| !one.unknown)
}

/// The method of a request, where it is one (RFC 9110, 5.6.2).
fn method(head: &Head) -> Option<&str> {
    let method = std::str::from_utf8(head.method()?.bytes()).ok()?;
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    ((1..=MAX_METHOD).contains(&method.len()) && method.bytes().all(token)).then_some(method)
}

/// The same for the same service, method, template and operation, whoever senses it.
fn endpoint_id(service: &str, method: &str, template: &str, operation: Option<&str>) -> EndpointId {
    let mut hash = SipHasher24::new();
    for text in [service, method, template].into_iter().chain(operation) {
        hash.write(text.as_bytes());
        hash.write_u8(0);
    }
    EndpointId(hash.finish())
}

/// Tokens are keyed hashes already.
fn caller_hash(principal: &Principal) -> u64 {
    principal.token.0.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

#[cfg(test)]
mod tests;
