//! Incidents: findings of one actor, told as one story.
//!
//! Findings are linked by who is behind them: the caller's name first, whatever its addresses; else the client's address. A
//! name that comes up at an address where nobody has a name yet joins what is open there: who guessed a password goes on with
//! the account. A second name at that address is somebody else. Who has no name and has address and program of somebody who has
//! one is taken for that one. A session's credential links what is done under several names with it, and a fingerprint of TLS that
//! nobody else has links what is done from several addresses. What is spread over many addresses by design, such as distributed stuffing, is linked by the place
//! it is at.
//!
//! Time is that of calls: an incident is closed by the first call, of anybody, four hours after its last finding.

mod affected;
mod incident;
mod names;
mod saved;
mod suggest;
mod told;

pub use affected::{Affected, Beside, Usual};
pub use incident::{Incident, Moment, NamedRule};
pub use saved::{Cursor, Loading};
pub use suggest::{Honest, Response, Suggestion};
pub use told::{Change, Growth, Told};

use crate::detectors::nature;
use crate::facts::{actor, hash, place, short};
use crate::{Config, Finding, Spread};
use siphasher::sip::SipHasher24;
use std::collections::BTreeMap;
use std::hash::Hasher;
use std::net::IpAddr;
use tapwire_inventory::Call;
use tapwire_protocol::Uid;
use tapwire_wire::{Timestamp, site};

/// Records for each incident that is kept: an incident takes up to a few KiB.
const RECORDS: usize = 10;
/// After so long without a finding an incident is closed, in nanoseconds of packet time.
pub(crate) const QUIET: i64 = 4 * 3_600 * 1_000_000_000;
/// Later than everything.
const NEVER: Timestamp = Timestamp::from_nanos(i64::MAX);
/// Addresses with a fingerprint of TLS from which on one that none of them has is somebody's own: had one in seventeen programs it,
/// fifty would be without it once in twenty times.
const ENOUGH_ADDRESSES: u32 = 50;
/// Ways to come back to an open incident.
const MAX_KEYS: usize = 16;

/// Who is behind a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub(crate) enum Actor {
    /// A caller with a name of its own.
    Caller(u64),
    /// Somebody at an address who has none.
    Address(u128),
    /// An address together with what its program looks like.
    Client(u64),
    /// Whoever it is, at that place.
    Place(u64),
    /// Who shows that credential of a session, under whatever name.
    Token(u64),
    /// Who has that fingerprint of TLS, at whatever address, as long as nobody else has it.
    Print(u64),
}

/// All incidents.
#[derive(Debug)]
pub struct Incidents {
    /// Incidents that are kept; the older half makes room.
    most: usize,
    all: Vec<Incident>,
    /// The open incident of an actor, at most 16 of each incident.
    open: BTreeMap<Actor, usize>,
    /// The latest time that was heard of since the clock was set.
    now: Timestamp,
    /// No open incident has been quiet for long enough before.
    due: Timestamp,
    /// What has changed and was not told yet.
    changed: Vec<(Uid, Growth, Timestamp)>,
    /// What was closed and was not told yet.
    closed: Vec<Told>,
    /// Incidents that made room for others.
    pub evicted: u64,
}

impl Default for Incidents {
    fn default() -> Self {
        Self::new(Config::default())
    }
}

impl Incidents {
    /// None yet, and at most one for ten records.
    pub const fn new(config: Config) -> Self {
        let most = if config.max_records < 2 * RECORDS { 2 } else { config.max_records / RECORDS };
        Self {
            most,
            all: Vec::new(),
            open: BTreeMap::new(),
            now: Timestamp::MIN,
            due: NEVER,
            changed: Vec::new(),
            closed: Vec::new(),
            evicted: 0,
        }
    }

    /// Hears what time it is, from a call: what was quiet for long enough is closed. Where the clock was set back, what is open
    /// waits until the clock has come that far again.
    pub fn heed(&mut self, now: Timestamp) {
        self.now.follow(now);
        if self.now < self.due {
            return;
        }
        let now = self.now;
        let over = |one: &Incident| !one.closed && now.since(one.last) > QUIET;
        for at in 0..self.all.len() {
            if self.all.get(at).is_some_and(over) {
                self.close(at, "quiet", None);
            }
        }
        let open = self.all.iter().filter(|one| !one.closed);
        self.due = open.map(|one| one.quiet_at()).min().unwrap_or(NEVER);
    }

    /// Links a finding of a call to its incident, whose identity it gets. Whether it says something new: the same finding
    /// again counts, and is told again each time it came ten times as often.
    pub fn link(&mut self, finding: &mut Finding, call: &Call) -> bool {
        self.heed(finding.time);
        let address = call.caller.address.map(|address| address.ip);
        let who = Who::of(finding, call, address);
        let (at, begun) = match self.known(&who) {
            Some(at) => (at, false),
            None => (self.begin(finding, call), true),
        };
        for actor in who.keys() {
            self.hold(actor, at);
        }
        let Some(incident) = self.all.get_mut(at) else { return true };
        finding.incident = Some(incident.uid);
        incident.at_place |= matches!(who, Who::AtPlace(_));
        let (mut growth, fresh) = incident.add(finding, call, address);
        if begun {
            growth = Growth::OPENED;
        }
        let (uid, quiet) = (incident.uid, incident.quiet_at());
        self.due = self.due.min(quiet);
        if !growth.is_empty() {
            self.change(uid, growth, finding.time);
        }
        fresh
    }

    /// What is to be told of incidents since this was asked for: what was closed first, then what began or grew, each once
    /// and as it is now.
    pub fn drain_told(&mut self, out: &mut Vec<Told>) {
        out.append(&mut self.closed);
        for (uid, growth, time) in std::mem::take(&mut self.changed) {
            if let Some(incident) = self.all.iter_mut().rev().find(|one| one.uid == uid) {
                incident.told += 1;
                out.push(Told::of(incident, growth, time));
            }
        }
    }

    /// Whether there is something to be told.
    pub const fn is_untold(&self) -> bool {
        !self.closed.is_empty() || !self.changed.is_empty()
    }

    /// Every incident, in the order they began.
    pub fn all(&self) -> &[Incident] {
        &self.all
    }

    /// All of them, the worst first.
    pub fn worst_first(&self) -> Vec<&Incident> {
        let mut all: Vec<&Incident> = self.all.iter().collect();
        all.sort_by_key(|incident| {
            (std::cmp::Reverse(incident.worst.severity), incident.first.time, incident.uid)
        });
        all
    }

    fn change(&mut self, uid: Uid, growth: Growth, time: Timestamp) {
        match self.changed.iter_mut().find(|(known, ..)| *known == uid) {
            Some((_, known, _)) => known.add(growth),
            None => self.changed.push((uid, growth, time)),
        }
    }

    /// The open incident of who is behind a finding.
    fn known(&self, who: &Who) -> Option<usize> {
        let open = |actor: Actor| self.open.get(&actor).copied();
        let nobodys = |at: &usize| self.all.get(*at).is_some_and(|one| one.callers.is_empty());
        match *who {
            Who::AtPlace(place) => open(Actor::Place(place)),
            Who::Named { caller, token, address, client, print } => {
                open(Actor::Caller(caller)).or_else(|| open(Actor::Token(token?))).or_else(|| {
                    let here =
                        [address.map(Actor::Address), client.map(Actor::Client), print.map(Actor::Print)];
                    here.into_iter().flatten().filter_map(open).find(nobodys)
                })
            }
            Who::Unnamed { address, client, print } => open(Actor::Address(address))
                .or_else(|| open(Actor::Client(client?)))
                .or_else(|| open(Actor::Print(print?))),
        }
    }

    /// The incident is found by that actor, unless another one is or it has enough of them.
    fn hold(&mut self, actor: Actor, at: usize) {
        let Some(incident) = self.all.get_mut(at) else { return };
        if incident.keys.len() < MAX_KEYS && !self.open.contains_key(&actor) {
            incident.keys.push(actor);
            self.open.insert(actor, at);
        }
    }

    fn begin(&mut self, finding: &Finding, call: &Call) -> usize {
        if self.all.len() >= self.most {
            self.evict();
        }
        self.all.push(Incident::new(finding, call));
        self.all.len() - 1
    }

    fn close(&mut self, at: usize, why: &'static str, time: Option<Timestamp>) {
        let Some(incident) = self.all.get_mut(at) else { return };
        incident.closed = true;
        incident.told += 1;
        for actor in std::mem::take(&mut incident.keys) {
            if self.open.get(&actor) == Some(&at) {
                self.open.remove(&actor);
            }
        }
        let time = time.unwrap_or_else(|| incident.quiet_at());
        let closed = Told::closed(incident, why, time);
        self.closed.push(closed);
    }

    /// The half that was quiet for longest goes at once, so that finding it costs little for each.
    fn evict(&mut self) {
        let half = self.all.len() / 2;
        let mut by_time: Vec<(bool, Timestamp, usize)> =
            self.all.iter().enumerate().map(|(at, one)| (!one.closed, one.last, at)).collect();
        by_time.sort_unstable();
        let mut keep = vec![true; self.all.len()];
        for (is_open, _, at) in by_time.into_iter().take(half) {
            if is_open {
                self.close(at, "no room", Some(self.now));
            }
            keep.get_mut(at).into_iter().for_each(|keep| *keep = false);
        }
        let mut flags = keep.into_iter();
        self.all.retain(|_| flags.next().unwrap_or(false));
        self.reopen();
        self.evicted += half as u64;
    }

    /// Puts the ways to open incidents in order, after their places changed.
    fn reopen(&mut self) {
        self.open.clear();
        self.due = NEVER;
        for (at, incident) in self.all.iter().enumerate().filter(|(_, one)| !one.closed) {
            self.due = self.due.min(incident.quiet_at());
            self.open.extend(incident.keys.iter().map(|actor| (*actor, at)));
        }
    }
}

/// Who is behind a finding, and by what that one is found again.
#[derive(Debug, Clone, Copy)]
enum Who {
    AtPlace(u64),
    Named { caller: u64, token: Option<u64>, address: Option<u128>, client: Option<u64>, print: Option<u64> },
    Unnamed { address: u128, client: Option<u64>, print: Option<u64> },
}

impl Who {
    fn of(finding: &Finding, call: &Call, address: Option<IpAddr>) -> Self {
        let at_place = Self::AtPlace(place(call) ^ hash(finding.detector.bytes()));
        if nature(finding.detector).spread != Spread::Caller {
            return at_place;
        }
        let network = address.map(site);
        let client = network.and_then(|network| client(call, network));
        let print = print(call);
        match (actor(call), network) {
            (Some(principal), address) => {
                let token = call.caller.session.map(short);
                Self::Named { caller: short(principal.token), token, address, client, print }
            }
            (None, Some(address)) => Self::Unnamed { address, client, print },
            (None, None) => at_place,
        }
    }

    fn keys(self) -> impl Iterator<Item = Actor> {
        let (first, client, token, print) = match self {
            Self::AtPlace(place) => (Actor::Place(place), None, None, None),
            // Under a name it is told by that: the next name with the same program is somebody else.
            Self::Named { caller, token, client, .. } => (Actor::Caller(caller), client, token, None),
            Self::Unnamed { address, client, print } => (Actor::Address(address), client, None, print),
        };
        let others = [client.map(Actor::Client), token.map(Actor::Token), print.map(Actor::Print)];
        [Some(first)].into_iter().chain(others).flatten()
    }
}

/// The fingerprint of its TLS, where nobody has it of whom nothing was found, and many others are known.
fn print(call: &Call) -> Option<u64> {
    let fellows = call.caller.fellows?;
    let ja4 = call.observation.exchange.flow.tls.as_ref()?.ja4.as_ref()?;
    let is_own = fellows.honest == 0 && fellows.of >= ENOUGH_ADDRESSES;
    is_own.then(|| {
        let mut hash = SipHasher24::new();
        hash.write(ja4.as_bytes());
        hash.finish()
    })
}

/// An address with the fingerprint of its TLS; without TLS a program looks like any other.
fn client(call: &Call, network: u128) -> Option<u64> {
    let ja4 = call.observation.exchange.flow.tls.as_ref()?.ja4.as_ref()?;
    let mut hash = SipHasher24::new();
    hash.write(&network.to_be_bytes());
    hash.write(ja4.as_bytes());
    Some(hash.finish())
}

#[cfg(test)]
mod tests;
