//! To which service an exchange, or the half or the hole of one, belongs.

use super::cell::Cell;
use super::sample::Sample;
use crate::Config;
use crate::hashing::Keyed;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use tapwire_protocol::{ConnectionEnd, Exchange, Message, Pairing, Seen};
use tapwire_wire::Endpoint;

/// Whose a cell is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Owner {
    /// A service.
    Service(usize),
    /// One of a server's services: the connection has named none yet.
    Server(usize),
}

/// Connections whose service is remembered: a direct-mapped table, so that a lookup is one access.
const SLOTS: usize = 8_192;

/// Of exchanges that say nothing new, one of so many is kept to draw from.
const SAMPLED: u32 = 8;

/// Services and servers, and how they were met.
pub(super) struct Services {
    limit: usize,
    services: Vec<Service>,
    servers: Vec<Server>,
    by_name: HashMap<Arc<str>, usize, Keyed>,
    /// By the bytes of `Host`, as they are spelt.
    by_host: HashMap<Box<[u8]>, usize, Keyed>,
    by_server: HashMap<Endpoint, usize, Keyed>,
    slots: Box<[Slot]>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    flow: u64,
    service: Option<usize>,
    /// The hour of its last exchange.
    hour: Option<i64>,
}

/// Exchanges that were counted with their service.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plain {
    pub(super) owner: Owner,
    pub(super) hour: i64,
    pub(super) count: u32,
}

/// Whose something is, and when the exchange before on its connection was.
#[derive(Debug, Clone, Copy)]
pub(super) struct Met {
    pub(super) owner: Option<Owner>,
    pub(super) before: Option<i64>,
}

/// Whether an exchange was counted with its service.
#[derive(Debug, Clone, Copy)]
pub(super) enum Counted {
    /// It says something new.
    No,
    /// It was, and these that were counted before are of another hour.
    With(Option<Plain>),
}

#[derive(Debug)]
struct Service {
    name: Arc<str>,
    /// The spelling of `Host` that was met first.
    host: Box<[u8]>,
    sample: Sample,
    /// The server that spoke for it last.
    server: Option<Endpoint>,
    /// Exchanges of this hour that are not in its cell yet.
    hour: Option<i64>,
    plain: u32,
}

#[derive(Debug, Default)]
struct Server {
    name: Arc<str>,
    /// Its services, with the exchanges that were reported of each.
    services: BTreeMap<usize, f64>,
    /// An exchange, or half of one, was seen.
    speaks_http: bool,
}

impl Services {
    pub(super) fn new(config: &Config) -> Self {
        let hashing = Keyed::new(config.token_key.table_key());
        Self {
            limit: config.max_services,
            services: Vec::new(),
            servers: Vec::new(),
            by_name: HashMap::with_hasher(hashing.clone()),
            by_host: HashMap::with_hasher(hashing.clone()),
            by_server: HashMap::with_hasher(hashing),
            slots: vec![Slot::default(); SLOTS].into(),
        }
    }

    /// Counts an exchange that says nothing new: a certain pair that follows the one before on its connection, of a
    /// service that its server is known for. Nearly all are such, and this is all that they cost.
    pub(super) fn count(&mut self, exchange: &Exchange, hour: i64) -> Counted {
        self.counted(exchange, hour).map_or(Counted::No, Counted::With)
    }

    fn counted(&mut self, exchange: &Exchange, hour: i64) -> Option<Option<Plain>> {
        let (request, response) = (exchange.request.as_deref()?, exchange.response.as_deref()?);
        let slot = self.slots.get_mut(index(exchange.flow.id))?;
        let known = slot.flow == exchange.flow.id && slot.hour == Some(hour);
        let whole = request.seen != Seen::Truncated && response.seen != Seen::Truncated;
        if !known || !whole || exchange.pairing != Pairing::Certain || !exchange.unseen.is_nothing() {
            return None;
        }
        let (before, host) = (slot.service?, origin_host(request)?);
        let same = self.services.get(before).is_some_and(|service| *service.host == *host);
        let owner = if same { before } else { *self.by_host.get(host)? };
        let service = self.services.get_mut(owner)?;
        if !same && service.server.as_ref() != Some(exchange.flow.server()) {
            return None;
        }
        slot.service = Some(owner);
        let left = if service.hour == Some(hour) { None } else { service.take_plain(owner) };
        service.hour = Some(hour);
        service.plain += 1;
        if service.plain.is_multiple_of(SAMPLED) {
            service.sample.learn(exchange);
        }
        Some(left)
    }

    /// Takes what was counted with services in that hour.
    pub(super) fn take_plain(&mut self, hour: i64) -> Vec<Plain> {
        let of_hour = self.services.iter_mut().enumerate().filter(|(_, service)| service.hour == Some(hour));
        of_hour.filter_map(|(index, service)| service.take_plain(index)).collect()
    }

    /// Whose an exchange of that hour is.
    pub(super) fn meet(&mut self, exchange: &Exchange, hour: i64) -> Met {
        let slot = self.slot(exchange.flow.id);
        let named = match exchange.request.as_deref() {
            Some(request) => self.of_request(request, slot.service),
            None => None,
        };
        let service = named.or(slot.service);
        if slot.hour != Some(hour) || service != slot.service {
            self.remember(exchange, service, hour);
        }
        // A name that found no room is nobody else's.
        let crowded = exchange.request.is_some() && self.services.len() >= self.limit;
        let owner = match service {
            Some(service) => Some(Owner::Service(service)),
            None if crowded => None,
            None => self.server(exchange.flow.server(), true).map(Owner::Server),
        };
        Met { owner, before: slot.hour }
    }

    /// Whose the end of a connection is; nobody's when its server is not known to speak HTTP.
    pub(super) fn of_end(&mut self, end: &ConnectionEnd) -> Met {
        let slot = self.slot(end.flow.id);
        let server = || self.by_server.get(end.flow.server()).map(|server| Owner::Server(*server));
        Met { owner: slot.service.map(Owner::Service).or_else(server), before: slot.hour }
    }

    /// Learns how long the owner's messages are.
    pub(super) fn learn(&mut self, owner: Owner, exchange: &Exchange) {
        if let Owner::Service(service) = owner
            && let Some(service) = self.services.get_mut(service)
        {
            service.sample.learn(exchange);
        }
    }

    /// Exchanges of the owner, to draw from.
    pub(super) fn sample(&self, owner: Owner) -> Option<&Sample> {
        match owner {
            Owner::Service(service) => self.services.get(service).map(|service| &service.sample),
            Owner::Server(_) => None,
        }
    }

    /// Gives what belongs to servers to their services, by how much was reported of each in these cells, or ever. A server
    /// of which no service is known is one itself, when it speaks HTTP.
    pub(super) fn share_out(&mut self, cells: BTreeMap<Owner, Cell>) -> BTreeMap<usize, Cell> {
        let mut shared: BTreeMap<usize, Cell> = BTreeMap::new();
        let mut left = Vec::new();
        for (owner, cell) in cells {
            match owner {
                Owner::Service(service) => {
                    shared.insert(service, cell);
                }
                Owner::Server(server) => left.push((server, cell)),
            }
        }
        for (server, cell) in left {
            for (service, share) in self.shares(server, &shared) {
                shared.entry(service).or_default().take_share(&cell, share);
            }
        }
        shared
    }

    pub(super) fn name(&self, service: usize) -> Arc<str> {
        self.services.get(service).map_or_else(|| "".into(), |service| Arc::clone(&service.name))
    }

    fn shares(&mut self, server: usize, cells: &BTreeMap<usize, Cell>) -> Vec<(usize, f64)> {
        let Some(known) = self.servers.get(server) else { return Vec::new() };
        let here = |service: &usize| cells.get(service).map_or(0.0, Cell::reported);
        let now: Vec<(usize, f64)> = known.services.keys().map(|service| (*service, here(service))).collect();
        let ever = || known.services.iter().map(|(service, count)| (*service, *count)).collect();
        let parts = if now.iter().any(|(_, count)| *count > 0.0) { now } else { ever() };
        let all: f64 = parts.iter().map(|(_, count)| count).sum();
        if all > 0.0 {
            return parts.into_iter().map(|(service, count)| (service, count / all)).collect();
        }
        let (name, speaks_http) = (Arc::clone(&known.name), known.speaks_http);
        let alone = speaks_http.then(|| self.named(name, Box::default())).flatten();
        alone.map(|service| (service, 1.0)).into_iter().collect()
    }

    /// What is remembered of that connection.
    fn slot(&self, flow: u64) -> Slot {
        let slot = self.slots.get(index(flow)).copied().unwrap_or_default();
        if slot.flow == flow { slot } else { Slot { flow, ..Slot::default() } }
    }

    fn remember(&mut self, exchange: &Exchange, service: Option<usize>, hour: i64) {
        let flow = exchange.flow.id;
        if let Some(slot) = self.slots.get_mut(index(flow)) {
            *slot = Slot { flow, service, hour: Some(hour) };
        }
        let Some(service) = service else { return };
        if let Some(service) = self.services.get_mut(service) {
            service.server = Some(*exchange.flow.server());
        }
        if let Some(server) = self.server(exchange.flow.server(), true)
            && let Some(server) = self.servers.get_mut(server)
        {
            *server.services.entry(service).or_default() += 1.0;
        }
    }

    /// The service that a request names. Most name the one their connection named before.
    fn of_request(&mut self, request: &Message, before: Option<usize>) -> Option<usize> {
        let head = &request.head;
        if !is_origin_form(request) {
            // An absolute target names the authority, whatever `Host` says (RFC 9112, 3.2.2).
            return self.named(tapwire_inspect::request_authority(head)?.into(), Box::default());
        }
        let host = origin_host(request)?;
        let same = |index: &usize| self.services.get(*index).is_some_and(|service| *service.host == *host);
        if let Some(index) = before.filter(same) {
            return Some(index);
        }
        if let Some(index) = self.by_host.get(host) {
            return Some(*index);
        }
        let name = tapwire_inspect::request_authority(head)?;
        let index = self.named(name.into(), host.into())?;
        if self.by_host.len() < self.limit * 2 {
            self.by_host.insert(host.into(), index);
        }
        Some(index)
    }

    /// The service of that name.
    fn named(&mut self, name: Arc<str>, host: Box<[u8]>) -> Option<usize> {
        if let Some(index) = self.by_name.get(&name) {
            return Some(*index);
        }
        if self.services.len() >= self.limit {
            return None;
        }
        let index = self.services.len();
        self.by_name.insert(Arc::clone(&name), index);
        self.services.push(Service {
            name,
            host,
            sample: Sample::default(),
            server: None,
            hour: None,
            plain: 0,
        });
        Some(index)
    }

    fn server(&mut self, endpoint: &Endpoint, speaks_http: bool) -> Option<usize> {
        if let Some(index) = self.by_server.get(endpoint).copied() {
            if let Some(server) = self.servers.get_mut(index) {
                server.speaks_http |= speaks_http;
            }
            return Some(index);
        }
        if self.servers.len() >= self.limit {
            return None;
        }
        let name = std::net::SocketAddr::new(endpoint.ip(), endpoint.port).to_string();
        self.by_server.insert(*endpoint, self.servers.len());
        self.servers.push(Server { name: name.into(), services: BTreeMap::new(), speaks_http });
        Some(self.servers.len() - 1)
    }
}

impl Service {
    /// What was counted and is in no cell yet; `index` is its own.
    fn take_plain(&mut self, index: usize) -> Option<Plain> {
        let (hour, count) = (self.hour.take()?, std::mem::take(&mut self.plain));
        (count > 0).then_some(Plain { owner: Owner::Service(index), hour, count })
    }
}

fn is_origin_form(request: &Message) -> bool {
    request.head.target().is_some_and(|target| target.bytes().first() == Some(&b'/'))
}

/// `Host`, where the target leaves the authority to it (RFC 9112, 3.2.1).
fn origin_host(request: &Message) -> Option<&[u8]> {
    Some(request.head.header(b"host").filter(|_| is_origin_form(request))?.bytes())
}

#[allow(clippy::cast_possible_truncation, reason = "the remainder is below SLOTS")]
const fn index(flow: u64) -> usize {
    (flow % SLOTS as u64) as usize
}
