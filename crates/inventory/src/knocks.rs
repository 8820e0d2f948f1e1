//! Connections on which nobody said a word: which closed ports a client tried, and which servers many addresses leave waiting.
//!
//! A client is an address, of IPv6 its first 64 bits. What answered a client before is no port that it tries out: whoever looks
//! after servers asks the same ones for years, and one of them is down some day.

use crate::bits::Bits;
use crate::hashing::Keyed;
use crate::principals::{AddressSource, Caller, ClientAddress};
use crate::state::{Unfit, put_some, take_all};
use crate::{Call, Inventory};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::hash::BuildHasher;
use std::net::{IpAddr, SocketAddr};
use tapwire_inspect::Observation;
use tapwire_protocol::{ConnectionEnd, KnockAnswer};
use tapwire_wire::{Endpoint, Timestamp, site};

/// Clients that are watched at once, at most; each takes about 1,300 bytes.
const MOST: usize = 4_096;
/// Servers whose waiting handshakes are counted at once.
const MOST_SERVERS: usize = 256;
/// After so many seconds without a closed port, or so many since the first, those of a client are counted anew.
const QUIET: i64 = 3_600;
const LONGEST: i64 = 86_400;
/// Closed ports or servers from which on it is told what a client does.
const WORTH_TELLING: u32 = 8;
/// Handshakes of different addresses within [`FLOOD_SECONDS`] that nobody finishes.
const FLOOD: u32 = 256;
const FLOOD_SECONDS: i64 = 60;

/// What knocking at ports has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Knocks {
    /// A client tries closed ports.
    Scan {
        /// What was closed: refused or without an answer.
        closed: Ports,
        /// What answered it, with a word or without one, also before.
        open: Ports,
        /// Seconds since the first closed one.
        seconds: i64,
    },
    /// Many addresses begin handshakes with one server and finish none.
    Flood {
        /// Handshakes within a minute.
        handshakes: u64,
        /// Addresses, at least.
        addresses: u32,
        /// Seconds since the first.
        seconds: i64,
    },
}

/// Different ports and servers: at least so many, exactly where they are few.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ports {
    /// Port numbers.
    pub ports: u32,
    /// Servers.
    pub servers: u32,
}

/// Ports and servers of one sort.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Tried {
    ports: Bits,
    servers: Bits,
}

impl Tried {
    /// Adds one; whether its port or its server is new.
    fn add(&mut self, port: u16, server: u64) -> bool {
        // Ports next to each other never fall together.
        let [port, server] = [self.ports.add(port.into()), self.servers.add(server)];
        port || server
    }

    fn count(&self) -> Ports {
        Ports { ports: self.ports.len(), servers: self.servers.len() }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Client {
    closed: Tried,
    open: Tried,
    /// Ports of servers that answered it.
    answered: Bits,
    /// Seconds: of the first closed one, of the last, and of whatever came last.
    first: i64,
    last: i64,
    seen: i64,
}

impl Client {
    fn answers(&mut self, target: Target) {
        self.open.add(target.port, target.server);
        self.answered.add(target.both);
    }

    fn refuses(&mut self, target: Target, now: i64) -> Option<Knocks> {
        if self.answered.has(target.both) {
            return None;
        }
        if now - self.last > QUIET || now - self.first > LONGEST {
            (self.closed, self.first) = (Tried::default(), now);
        }
        self.last = self.last.max(now);
        let is_new = self.closed.add(target.port, target.server);
        let closed = self.closed.count();
        let worth = closed.ports.max(closed.servers) >= WORTH_TELLING;
        let seconds = self.last - self.first;
        (is_new && worth).then(|| Knocks::Scan { closed, open: self.open.count(), seconds })
    }

    /// Whether it may be somebody who tries.
    fn is_busy(&self) -> bool {
        let (closed, open) = (self.closed.count(), self.open.count());
        [closed.ports, closed.servers, open.ports, open.servers].iter().any(|count| *count >= 3)
    }
}

/// A port of a server.
#[derive(Debug, Clone, Copy)]
struct Target {
    port: u16,
    server: u64,
    both: u64,
}

/// Handshakes with one port of a server that nobody finishes.
#[derive(Debug, Clone, Default)]
struct Waiting {
    addresses: Bits,
    handshakes: u64,
    first: i64,
}

/// Everybody who knocked lately.
pub(crate) struct Knocking {
    clients: HashMap<u128, Box<Client>, Keyed>,
    servers: HashMap<Endpoint, Box<Waiting>, Keyed>,
    hashing: Keyed,
    most: usize,
    forgotten: u64,
}

impl Knocking {
    pub(crate) fn new(hashing: Keyed, callers: usize) -> Self {
        Self {
            clients: HashMap::with_hasher(hashing.clone()),
            servers: HashMap::with_hasher(hashing.clone()),
            hashing,
            most: (callers / 200).clamp(8, MOST),
            forgotten: 0,
        }
    }

    /// Takes the end of a connection on which nobody said a word.
    pub(crate) fn hear(&mut self, end: &ConnectionEnd) -> Option<Knocks> {
        let answer = end.knock?.answer;
        let (client, server) = (site(end.flow.client().ip()), *end.flow.server());
        let now = end.time.nanos() / 1_000_000_000;
        if answer == KnockAnswer::Abandoned
            && let Some(flood) = self.wait(client, server, now)
        {
            return flood;
        }
        let target = self.target(&server);
        let client = self.client(client, now)?;
        match answer {
            KnockAnswer::Abandoned | KnockAnswer::Accepted => {
                client.answers(target);
                None
            }
            KnockAnswer::None | KnockAnswer::Refused => client.refuses(target, now),
        }
    }

    /// A server spoke with a client.
    pub(crate) fn spoke(&mut self, client: IpAddr, server: &Endpoint, time: Timestamp) {
        if self.clients.is_empty() {
            return;
        }
        let target = self.target(server);
        if let Some(client) = self.clients.get_mut(&site(client)) {
            client.answers(target);
            client.seen = client.seen.max(time.nanos() / 1_000_000_000);
        }
    }

    /// Clients that were forgotten for want of room.
    pub(crate) const fn forgotten(&self) -> u64 {
        self.forgotten
    }

    fn target(&self, server: &Endpoint) -> Target {
        let hash = self.hashing.hash_one(server.octets());
        Target { port: server.port, server: hash, both: self.hashing.hash_one((hash, server.port)) }
    }

    /// A handshake that was answered and not finished; something where a flood of them is under way, of which no address is
    /// anybody's: it says how far it has come each time that doubles.
    fn wait(&mut self, client: u128, server: Endpoint, now: i64) -> Option<Option<Knocks>> {
        let address = self.hashing.hash_one(client);
        if self.servers.len() >= MOST_SERVERS && !self.servers.contains_key(&server) {
            self.servers.retain(|_, waiting| now - waiting.first <= FLOOD_SECONDS && waiting.handshakes > 1);
            if self.servers.len() >= MOST_SERVERS {
                self.servers.clear();
            }
        }
        let waiting = self.servers.entry(server).or_default();
        if now - waiting.first > FLOOD_SECONDS {
            **waiting = Waiting { first: now, ..Waiting::default() };
        }
        waiting.handshakes += 1;
        waiting.addresses.add(address);
        let (handshakes, addresses) = (waiting.handshakes, waiting.addresses.len());
        let seconds = now - waiting.first;
        let flood = Knocks::Flood { handshakes, addresses, seconds };
        (addresses >= FLOOD).then(|| handshakes.is_power_of_two().then_some(flood))
    }

    fn client(&mut self, client: u128, now: i64) -> Option<&mut Client> {
        if self.clients.len() >= self.most && !self.clients.contains_key(&client) {
            self.make_room(now);
        }
        let known = self.clients.entry(client).or_default();
        known.seen = known.seen.max(now);
        Some(known)
    }

    /// Those go that were not heard of for a day; then those that knocked here and there; then all.
    fn make_room(&mut self, now: i64) {
        let before = self.clients.len();
        self.clients.retain(|_, client| now - client.seen <= LONGEST);
        if self.clients.len() > self.most / 2 {
            self.clients.retain(|_, client| client.is_busy());
        }
        if self.clients.len() > self.most / 2 {
            self.clients.clear();
        }
        self.forgotten += (before - self.clients.len()) as u64;
    }

    pub(crate) fn save(&self, at: usize, out: &mut Vec<u8>) -> Option<usize> {
        let mut all: Vec<_> = self.clients.iter().collect();
        all.sort_unstable_by_key(|(client, _)| **client);
        put_some(all.into_iter().skip(at), |_| 8, out)
    }

    /// Takes clients; how many found no room.
    pub(crate) fn load(&mut self, piece: &[u8]) -> Result<u64, Unfit> {
        take_all(piece, |(client, known): (u128, Box<Client>)| {
            let room = self.clients.len() < self.most;
            self.clients.extend(room.then_some((client, known)));
            room
        })
    }
}

impl Inventory {
    /// Learns of a connection on which nobody said a word. Where knocking like that has come to something, it is a call for
    /// the detectors, which belongs to no service that is known, and of which nothing else is learned.
    pub fn knocked(&mut self, end: &ConnectionEnd) -> Option<Call> {
        let knocks = self.knocking.hear(end)?;
        let observation = Observation::of_nothing(end.exchange());
        let (client, server) = (*end.flow.client(), *end.flow.server());
        let caller = Caller {
            address: Some(ClientAddress {
                ip: client.ip(),
                port: Some(client.port),
                source: AddressSource::Wire,
                claimed: None,
            }),
            client: self.context.place(client.ip(), None),
            server: self.context.place(server.ip(), None),
            lists: self.context.hits(client.ip(), None, None, &[]),
            ..Caller::default()
        };
        Some(Call {
            service: Some(SocketAddr::new(server.ip(), server.port).to_string().into()),
            caller,
            knocks: Some(knocks),
            ..Call::unplaced(observation)
        })
    }
}

#[cfg(test)]
mod tests;
