//! What a server fetches for a request that it is answering: a request of its own to the place that a value named.

use super::ages::{Ages, Forgotten};
use super::{Seen, mix};
use std::hash::BuildHasher;
use tapwire_inspect::place_hash;

/// Seconds that a server's own requests are remembered: those that it answers are hardly open for longer.
const SPAN: i64 = 600;
/// The same for who had something fetched at an endpoint.
const LONG: i64 = 14 * 86_400;
/// Callers of an endpoint that are told apart.
const MAX_CALLERS: usize = 4;

/// Whether a server made a request, while it answered one, to an address inside that a value of it named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fetched {
    /// None was seen.
    #[default]
    No,
    /// It did.
    Yes {
        /// Callers for whom it did the same at this endpoint before, the caller left out; at most 4.
        others: u8,
    },
}

pub(super) struct Fetches {
    /// Addresses that answer requests.
    pub(super) servers: Ages<()>,
    /// When a server last began a request to a place, in nanoseconds.
    pub(super) asked: Ages<i64>,
    /// For whom an endpoint had something fetched.
    pub(super) callers: Ages<[u64; MAX_CALLERS]>,
}

impl Fetches {
    pub(super) fn new(callers: usize) -> Self {
        Self {
            servers: Ages::new(callers / 100, LONG),
            asked: Ages::new(callers / 100, SPAN),
            callers: Ages::new(callers / 1_000, LONG),
        }
    }

    pub(super) const fn forgotten(&self) -> Forgotten {
        self.servers.forgotten().and(self.asked.forgotten()).and(self.callers.forgotten())
    }

    /// Remembers where a server's own request went; says of any other whether it made its server do so. What a server fetched
    /// to answer is told first: it ended before the answer did.
    pub(super) fn hear(&mut self, seen: &Seen<'_>) -> Fetched {
        let flow = &seen.observation.exchange.flow;
        let (client, server) = (self.address(seen, flow.client()), self.address(seen, flow.server()));
        self.servers.met_or_new(server, seen.now);
        if self.servers.get(client).is_some() {
            self.remember(seen, client);
        }
        let attempts = seen.observation.attempts.as_deref().unwrap_or_default();
        let (began, ended) = (seen.observation.exchange.started(), seen.observation.exchange.ended());
        let within = |at: i64| (began.nanos()..=ended.nanos()).contains(&at);
        let places = attempts.iter().filter_map(|attempt| attempt.fetch);
        let is_asked = |place| self.asked.get(mix(server, place)).is_some_and(|at| within(*at));
        if places.into_iter().any(is_asked) { self.fetched(seen, client) } else { Fetched::No }
    }

    fn address(&self, seen: &Seen<'_>, endpoint: &tapwire_wire::Endpoint) -> u64 {
        seen.hashing.hash_one(endpoint.ip())
    }

    fn remember(&mut self, seen: &Seen<'_>, client: u64) {
        let exchange = &seen.observation.exchange;
        let at = exchange.started().nanos();
        let server = exchange.flow.server();
        *self
            .asked
            .met_or_new(mix(client, place_hash(&server.ip().to_string(), Some(server.port))), seen.now) = at;
        let authority = seen.observation.authority.as_deref().unwrap_or_default();
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => (host, port.parse().ok()),
            _ => (authority, None),
        };
        if !host.is_empty() {
            *self.asked.met_or_new(mix(client, place_hash(host, port)), seen.now) = at;
        }
    }

    fn fetched(&mut self, seen: &Seen<'_>, client: u64) -> Fetched {
        let who = seen.who.unwrap_or(client);
        let callers = self.callers.met_or_new(seen.endpoint, seen.now);
        let others = callers.iter().filter(|one| !matches!(**one, 0) && **one != who).count();
        if !callers.contains(&who)
            && let Some(free) = callers.iter_mut().find(|one| **one == 0)
        {
            *free = who;
        }
        Fetched::Yes { others: u8::try_from(others).unwrap_or(u8::MAX) }
    }
}
