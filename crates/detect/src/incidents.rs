//! Incidents: findings of one actor, told as one story.
//!
//! Findings are linked by who is behind them: the caller's name first, whatever its addresses; else the client's address. A
//! name that comes up at an address with an open incident of nobody's joins it: who guessed a password goes on with the account.
//! What is spread over many addresses by design, such as distributed stuffing, is linked by the place it is at.

use crate::facts::{is_named, place, short};
use crate::{Config, Finding, Outcome, Severity};
use std::collections::BTreeMap;
use std::net::IpAddr;
use tapwire_inspect::Token;
use tapwire_inventory::{Call, EndpointId};
use tapwire_protocol::Uid;
use tapwire_wire::Timestamp;

/// Records for each incident that is kept: an incident takes about a KiB.
const RECORDS: usize = 10;
/// After so long without a finding an incident is closed, in nanoseconds of packet time.
const QUIET: i64 = 4 * 3_600 * 1_000_000_000;
/// Kept of each.
const MAX_ACTORS: usize = 8;
const MAX_ENDPOINTS: usize = 16;
const MAX_TIMELINE: usize = 32;

/// A step of an incident's timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// When.
    pub time: Timestamp,
    /// Which detector.
    pub detector: &'static str,
    /// What came of it.
    pub outcome: Outcome,
    /// How bad.
    pub severity: Severity,
    /// In one sentence.
    pub reason: String,
    /// The exchange that shows it.
    pub exchange: Uid,
}

/// What one actor did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incident {
    /// Its identity: that of its first finding.
    pub uid: Uid,
    /// Packet time of its first and last finding.
    pub first: Timestamp,
    /// See `first`.
    pub last: Timestamp,
    /// Findings.
    pub findings: u64,
    /// The worst of them.
    pub severity: Severity,
    /// What came of the worst.
    pub outcome: Outcome,
    /// Callers by their keyed tokens, at most 8.
    pub callers: Vec<Token>,
    /// Addresses, at most 8, and whether there were more.
    pub addresses: Vec<IpAddr>,
    /// See `addresses`.
    pub more_addresses: bool,
    /// The service of the first finding.
    pub service: Option<std::sync::Arc<str>>,
    /// Endpoints, at most 16.
    pub endpoints: Vec<EndpointId>,
    /// First findings of each kind and outcome, and the worst, in order, at most 32.
    pub timeline: Vec<Moment>,
    /// Whether it was quiet for four hours.
    pub closed: bool,
}

/// Who is behind a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Actor {
    Caller(u64),
    Address(u128),
    Place(u64),
}

/// All incidents.
#[derive(Debug)]
pub struct Incidents {
    /// Incidents that are kept; the older half makes room.
    most: usize,
    all: Vec<Incident>,
    /// The open incident of an actor.
    open: BTreeMap<Actor, usize>,
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
        Self { most, all: Vec::new(), open: BTreeMap::new(), evicted: 0 }
    }

    /// Links a finding of a call to its incident, whose identity it gets.
    pub fn link(&mut self, finding: &mut Finding, call: &Call) {
        let address = call.caller.address.map(|address| address.ip);
        let actors = actors(finding, call, address);
        let known = actors.iter().find_map(|actor| self.open_of(*actor, finding.time));
        let at = match known {
            Some(at) => at,
            None => self.begin(finding, call),
        };
        for actor in actors {
            self.open.insert(actor, at);
        }
        let Some(incident) = self.all.get_mut(at) else { return };
        finding.incident = Some(incident.uid);
        incident.add(finding, call, address);
    }

    /// Every incident, in the order they began.
    pub fn all(&self) -> &[Incident] {
        &self.all
    }

    /// Those of a severity or worse, the worst first.
    pub fn worst_first(&self) -> Vec<&Incident> {
        let mut all: Vec<&Incident> = self.all.iter().collect();
        all.sort_by_key(|incident| (std::cmp::Reverse(incident.severity), incident.first, incident.uid));
        all
    }

    fn open_of(&mut self, actor: Actor, now: Timestamp) -> Option<usize> {
        let at = *self.open.get(&actor)?;
        let incident = self.all.get_mut(at)?;
        if now.since(incident.last) > QUIET {
            incident.closed = true;
            self.open.remove(&actor);
            return None;
        }
        Some(at)
    }

    fn begin(&mut self, finding: &Finding, call: &Call) -> usize {
        if self.all.len() >= self.most {
            self.evict();
        }
        self.all.push(Incident {
            uid: finding.uid,
            first: finding.time,
            last: finding.time,
            findings: 0,
            severity: finding.severity,
            outcome: finding.outcome,
            callers: Vec::new(),
            addresses: Vec::new(),
            more_addresses: false,
            service: call.service.clone(),
            endpoints: Vec::new(),
            timeline: Vec::new(),
            closed: false,
        });
        self.all.len() - 1
    }

    /// The older half goes at once, so that finding the oldest costs little for each.
    fn evict(&mut self) {
        let half = self.all.len() / 2;
        let mut by_time: Vec<(Timestamp, usize)> =
            self.all.iter().enumerate().map(|(at, one)| (one.last, at)).collect();
        by_time.sort_unstable();
        let mut keep = vec![true; self.all.len()];
        for (_, at) in by_time.iter().take(half) {
            keep.get_mut(*at).into_iter().for_each(|keep| *keep = false);
        }
        let mut places: Vec<Option<usize>> = Vec::with_capacity(self.all.len());
        let mut next = 0;
        for keep in &keep {
            places.push(keep.then_some(next));
            next += usize::from(*keep);
        }
        let mut flags = keep.iter();
        self.all.retain(|_| flags.next().copied().unwrap_or(false));
        self.open = std::mem::take(&mut self.open)
            .into_iter()
            .filter_map(|(actor, at)| Some((actor, places.get(at).copied().flatten()?)))
            .collect();
        self.evicted += half as u64;
    }
}

impl Incident {
    fn add(&mut self, finding: &Finding, call: &Call, address: Option<IpAddr>) {
        self.findings += 1;
        self.last = self.last.max(finding.time);
        if (finding.severity, finding.outcome.rank()) > (self.severity, self.outcome.rank()) {
            (self.severity, self.outcome) = (finding.severity, finding.outcome);
        }
        if let Some(principal) = call.principal.filter(|_| is_named(call))
            && self.callers.len() < MAX_ACTORS
            && !self.callers.contains(&principal.token)
        {
            self.callers.push(principal.token);
        }
        if let Some(address) = address.filter(|address| !self.addresses.contains(address)) {
            if self.addresses.len() < MAX_ACTORS {
                self.addresses.push(address);
            } else {
                self.more_addresses = true;
            }
        }
        if let Some(endpoint) = finding.endpoint
            && self.endpoints.len() < MAX_ENDPOINTS
            && !self.endpoints.contains(&endpoint)
        {
            self.endpoints.push(endpoint);
        }
        let known = self
            .timeline
            .iter()
            .any(|moment| moment.detector == finding.detector && moment.outcome == finding.outcome);
        if !known && self.timeline.len() < MAX_TIMELINE {
            self.timeline.push(Moment {
                time: finding.time,
                detector: finding.detector,
                outcome: finding.outcome,
                severity: finding.severity,
                reason: finding.reason.clone(),
                exchange: finding.exchanges.first().copied().unwrap_or(finding.uid),
            });
        }
    }
}

/// Who is behind a finding, the surest first.
fn actors(finding: &Finding, call: &Call, address: Option<IpAddr>) -> Vec<Actor> {
    if matches!(finding.detector, "distributed-stuffing" | "credentials-in-url") {
        return vec![Actor::Place(place(call) ^ finding.detector.len() as u64)];
    }
    let caller =
        call.principal.filter(|_| is_named(call)).map(|principal| Actor::Caller(short(principal.token)));
    let address = address.map(|address| match address {
        IpAddr::V4(v4) => Actor::Address(v4.to_bits().into()),
        IpAddr::V6(v6) => Actor::Address(v6.to_bits() >> 64 << 64 | 1),
    });
    caller.into_iter().chain(address).collect()
}
