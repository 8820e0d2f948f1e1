//! One incident, and how findings add to it.

use super::Actor;
use super::told::Growth;
use crate::facts::actor;
use crate::{Finding, Outcome, RuleInfo, Severity};
use serde::{Deserialize, Serialize};
use siphasher::sip::SipHasher24;
use std::hash::Hasher;
use std::net::IpAddr;
use std::sync::Arc;
use tapwire_inspect::Token;
use tapwire_inventory::{Call, EndpointId, Principal, TokenFact};
use tapwire_protocol::Uid;
use tapwire_wire::{Timestamp, site};

/// Kept of each.
const MAX_ACTORS: usize = 8;
const MAX_ENDPOINTS: usize = 16;
const MAX_TIMELINE: usize = 32;
const MAX_KINDS: usize = 64;
const MAX_ZONES: usize = 4;
/// Bytes of the name of a rule, and techniques of it.
const MAX_NAME: usize = 200;
const MAX_TECHNIQUES: usize = 8;

/// A name in a registry; written as a reference, serde would have it borrowed from what is read.
type Name = &'static str;

/// A step of an incident's timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// When.
    pub time: Timestamp,
    /// Which detector.
    #[serde(with = "super::names::detector")]
    pub detector: Name,
    /// The user's rule that found it.
    pub rule: Option<NamedRule>,
    /// What came of it.
    pub outcome: Outcome,
    /// How bad.
    pub severity: Severity,
    /// In one sentence.
    pub reason: String,
    /// The finding.
    pub finding: Uid,
    /// The exchange that shows it.
    pub exchange: Uid,
}

impl Moment {
    fn of(finding: &Finding) -> Self {
        Self {
            time: finding.time,
            detector: finding.detector,
            rule: finding.rule.as_deref().map(NamedRule::of),
            outcome: finding.outcome,
            severity: finding.severity,
            reason: finding.reason.clone(),
            finding: finding.uid,
            exchange: finding.exchanges.first().copied().unwrap_or(finding.uid),
        }
    }

    /// How bad it is, and how far it came.
    const fn weight(&self) -> (Severity, u8) {
        (self.severity, self.outcome.rank())
    }

    /// Whether it tells the same as another but for figures and time.
    fn is_kind_of(&self, other: &Self) -> bool {
        self.found_alike(other) && (self.outcome, self.severity) == (other.outcome, other.severity)
    }

    /// Whether the same detector or rule found it.
    fn found_alike(&self, other: &Self) -> bool {
        self.detector == other.detector && self.rule_id() == other.rule_id()
    }

    fn rule_id(&self) -> Option<&str> {
        self.rule.as_ref().map(|rule| &*rule.id)
    }

    /// What found it: the rule's title, else the detector's name.
    pub fn found_by(&self) -> &str {
        self.rule.as_ref().map_or(self.detector, |rule| &rule.title)
    }
}

/// A user's rule, as a moment names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedRule {
    /// Its id.
    pub id: Box<str>,
    /// Its title.
    pub title: Box<str>,
    /// Techniques of MITRE ATT&CK that it names, such as `T1190.001`.
    pub techniques: Vec<Box<str>>,
}

impl NamedRule {
    /// Whoever wrote a book into a title has the beginning of it kept.
    fn of(rule: &RuleInfo) -> Self {
        let techniques = rule.techniques.iter().take(MAX_TECHNIQUES);
        Self {
            id: begin(&rule.id).into(),
            title: begin(&rule.title).into(),
            techniques: techniques.map(|one| begin(one).into()).collect(),
        }
    }
}

fn begin(text: &str) -> &str {
    text.get(..text.floor_char_boundary(MAX_NAME)).unwrap_or_default()
}

/// A credential of a session that calls with findings showed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Shown {
    pub(super) token: Token,
    /// Who showed it first.
    pub(super) owner: Option<Principal>,
    /// Calls with it before that.
    pub(super) before: u32,
}

/// What one actor did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// Its identity: that of its first finding.
    pub uid: Uid,
    /// Its first finding.
    pub first: Moment,
    /// The worst of them: by severity, then by how far it came; the first of equals.
    pub worst: Moment,
    /// Packet time of its last finding.
    pub last: Timestamp,
    /// The latest finding that told something new.
    pub latest: Moment,
    /// Findings, those included that only repeat others.
    pub findings: u64,
    /// Findings that only repeat others, and were not told by themselves.
    pub repeated: u64,
    /// The most that any finding reached.
    pub reached: Outcome,
    /// Callers with names of their own, at most 8.
    pub callers: Vec<Principal>,
    /// Whether there were more callers.
    pub more_callers: bool,
    /// Where findings came from whose caller has no name: IPv4 addresses, and the first 64 bits of IPv6 addresses, at most 8.
    pub networks: Vec<u128>,
    /// Whether there were more of them.
    pub more_networks: bool,
    /// Whether it is linked by the place it is at, and not by who is behind it.
    pub at_place: bool,
    /// When the first of them was first seen, as far as that is kept.
    pub known_since: Option<Timestamp>,
    /// Addresses, at most 8, and whether there were more.
    pub addresses: Vec<IpAddr>,
    /// See `addresses`.
    pub more_addresses: bool,
    /// Fingerprints of its TLS, by JA4, at most 8.
    pub fingerprints: Vec<Box<str>>,
    /// Zones it came from, at most 4.
    pub zones: Vec<Arc<str>>,
    /// Lists in files on which it stands.
    #[serde(with = "super::names::lists")]
    pub lists: Vec<&'static str>,
    /// The service of the first finding.
    pub service: Option<Arc<str>>,
    /// Endpoints, at most 16, and whether there were more.
    pub endpoints: Vec<EndpointId>,
    /// See `endpoints`.
    pub more_endpoints: bool,
    /// The first finding of each detector, outcome and severity, in order, at most 32.
    pub timeline: Vec<Moment>,
    /// Whether it was quiet for four hours.
    pub closed: bool,
    /// How often something was told of it.
    pub told: u32,
    /// Calls of each of `callers` before the first finding that named it.
    pub(super) before: Vec<u32>,
    /// Callers without a name of their own, at most 8.
    pub(super) unnamed: Vec<Principal>,
    /// Credentials of sessions, at most 8.
    pub(super) sessions: Vec<Shown>,
    /// By what it is found again, as long as it is open.
    pub(super) keys: Vec<Actor>,
    /// Findings that tell the same, as hashes, with how often they came.
    kinds: Vec<(u64, u32)>,
    /// Findings at which it has grown tenfold.
    next: u64,
}

impl Incident {
    /// An incident that begins with a finding, which is to be added still.
    pub(super) fn new(finding: &Finding, call: &Call) -> Self {
        let first = Moment::of(finding);
        Self {
            uid: finding.uid,
            last: finding.time,
            findings: 0,
            repeated: 0,
            reached: finding.outcome,
            callers: Vec::new(),
            more_callers: false,
            networks: Vec::new(),
            more_networks: false,
            at_place: false,
            known_since: None,
            addresses: Vec::new(),
            more_addresses: false,
            fingerprints: Vec::new(),
            zones: Vec::new(),
            lists: Vec::new(),
            service: call.service.clone(),
            endpoints: Vec::new(),
            more_endpoints: false,
            timeline: Vec::new(),
            closed: false,
            told: 0,
            before: Vec::new(),
            unnamed: Vec::new(),
            sessions: Vec::new(),
            keys: Vec::new(),
            kinds: Vec::new(),
            next: 10,
            worst: first.clone(),
            latest: first.clone(),
            first,
        }
    }

    /// The last time at which it may grow.
    pub(super) const fn quiet_at(&self) -> Timestamp {
        Timestamp::from_nanos(self.last.nanos().saturating_add(super::QUIET))
    }

    /// Puts what was read within the limits.
    pub(super) fn restore(&mut self) {
        self.callers.truncate(MAX_ACTORS);
        self.before.resize(self.callers.len(), 0);
        self.unnamed.truncate(MAX_ACTORS);
        self.sessions.truncate(MAX_ACTORS);
        self.addresses.truncate(MAX_ACTORS);
        self.networks.truncate(MAX_ACTORS);
        self.fingerprints.truncate(MAX_ACTORS);
        self.zones.truncate(MAX_ZONES);
        self.endpoints.truncate(MAX_ENDPOINTS);
        self.timeline.truncate(MAX_TIMELINE);
        self.keys.truncate(super::MAX_KEYS);
        self.kinds.truncate(MAX_KINDS);
        self.next = self.next.max(10);
    }

    /// Adds a finding. In what it grew by that, and whether the finding tells something new.
    pub(super) fn add(&mut self, finding: &Finding, call: &Call, address: Option<IpAddr>) -> (Growth, bool) {
        self.findings += 1;
        self.last = self.last.max(finding.time);
        self.meet(call, address);
        self.place(finding);
        let mut growth = self.weigh(finding);
        if self.findings >= self.next {
            self.next = self.next.saturating_mul(10);
            growth.add(Growth::COUNT);
        }
        let fresh = self.is_fresh(finding, call);
        if fresh {
            self.latest = Moment::of(finding);
        } else {
            self.repeated += 1;
        }
        (growth, fresh)
    }

    /// What the finding means for the story.
    fn weigh(&mut self, finding: &Finding) -> Growth {
        let mut growth = Growth::default();
        let (severity, rank) = self.worst.weight();
        let moment = Moment::of(finding);
        let is_known = self.timeline.iter().any(|known| known.found_alike(&moment));
        if finding.severity > severity {
            growth.add(Growth::SEVERITY);
        }
        if finding.outcome.rank() > self.reached.rank() {
            self.reached = finding.outcome;
            growth.add(Growth::OUTCOME);
        }
        if !is_known {
            growth.add(Growth::DETECTOR);
        }
        let is_worse = (finding.severity, finding.outcome.rank()) > (severity, rank);
        if is_worse {
            self.worst = moment.clone();
        }
        if !self.timeline.iter().any(|known| known.is_kind_of(&moment)) {
            // The worst is always among them: the one before the last is what is given up for it.
            if self.timeline.len() >= MAX_TIMELINE && is_worse {
                self.timeline.pop();
            }
            if self.timeline.len() < MAX_TIMELINE {
                self.timeline.push(moment);
            }
        }
        growth
    }

    /// Who called, and from where.
    fn meet(&mut self, call: &Call, address: Option<IpAddr>) {
        if let Some(principal) = actor(call) {
            self.more_callers |= !add(&mut self.callers, principal, MAX_ACTORS);
            if self.before.len() < self.callers.len() {
                self.before.push(call.caller.calls);
            }
        } else if let Some(address) = address {
            self.more_networks |= !add(&mut self.networks, site(address), MAX_ACTORS);
            call.principal.into_iter().for_each(|principal| {
                add(&mut self.unnamed, principal, MAX_ACTORS);
            });
        }
        self.show(call);
        self.known_since = self.known_since.or(call.caller.first_seen);
        if let Some(address) = address {
            self.more_addresses |= !add(&mut self.addresses, address, MAX_ACTORS);
        }
        let tls = call.observation.exchange.flow.tls.as_ref();
        if let Some(ja4) = tls.and_then(|facts| facts.ja4.as_deref())
            && !self.fingerprints.iter().any(|known| &**known == ja4)
        {
            add(&mut self.fingerprints, ja4.into(), MAX_ACTORS);
        }
        if let Some(zone) = &call.caller.client.zone {
            add(&mut self.zones, Arc::clone(zone), MAX_ZONES);
        }
        for list in call.caller.lists.iter() {
            add(&mut self.lists, list.name(), MAX_ACTORS);
        }
    }

    /// The credential of its session.
    fn show(&mut self, call: &Call) {
        // One that nothing signs was never handed out: there is nothing to revoke.
        let is_made = call.caller.facts.contains(TokenFact::Unsigned);
        let Some(token) = call.caller.session.filter(|_| !is_made) else { return };
        if self.sessions.len() < MAX_ACTORS && !self.sessions.iter().any(|shown| shown.token == token) {
            let owner = actor(call);
            self.sessions.push(Shown { token, owner, before: call.caller.session_calls });
        }
    }

    fn place(&mut self, finding: &Finding) {
        if let Some(endpoint) = finding.endpoint {
            self.more_endpoints |= !add(&mut self.endpoints, endpoint, MAX_ENDPOINTS);
        }
    }

    /// Whether nothing like it was found before, or ten times as often as when it was told last.
    fn is_fresh(&mut self, finding: &Finding, call: &Call) -> bool {
        let kind = kind(finding, call);
        let has_room = self.kinds.len() < MAX_KINDS;
        match self.kinds.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, count)) => {
                *count = count.saturating_add(1);
                is_power_of_ten(*count)
            }
            None if has_room => {
                self.kinds.push((kind, 1));
                true
            }
            // Of more than are told apart the last place counts them all.
            None => self.kinds.last_mut().is_some_and(|(_, count)| {
                *count = count.saturating_add(1);
                is_power_of_ten(*count)
            }),
        }
    }
}

/// Adds what is not there yet; whether it is there now.
fn add<T: PartialEq>(list: &mut Vec<T>, one: T, most: usize) -> bool {
    if list.contains(&one) {
        return true;
    }
    let room = list.len() < most;
    if room {
        list.push(one);
    }
    room
}

const fn is_power_of_ten(mut count: u32) -> bool {
    while count >= 10 && count.is_multiple_of(10) {
        count /= 10;
    }
    count == 1
}

/// A hash of what a finding says, of whom and where, but for figures.
fn kind(finding: &Finding, call: &Call) -> u64 {
    let mut hash = SipHasher24::new();
    hash.write(finding.detector.as_bytes());
    hash.write(finding.rule.as_ref().map_or("", |rule| &rule.id).as_bytes());
    hash.write(&[0, finding.severity as u8, finding.outcome.rank()]);
    hash.write_u64(finding.endpoint.map_or(0, |endpoint| endpoint.0));
    let login = call.relations.login.and_then(|login| login.user);
    for token in login.iter().chain(call.principal.as_ref().map(|principal| &principal.token)) {
        hash.write(&token.0);
    }
    for byte in finding.reason.bytes().filter(|byte| !byte.is_ascii_digit()) {
        hash.write_u8(byte);
    }
    hash.finish()
}
