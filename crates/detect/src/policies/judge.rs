//! Endpoints before all policies, and what becomes of what was found.

use super::case::{Case, Cases, Stage};
use super::posture::{Change, Posture};
use super::rules::{Rule, Rules};
use super::settings::Settings;
use super::sweep::{Eyes, Sweep, Tally};
use siphasher::sip128::{Hasher128, SipHasher24};
use std::collections::BTreeSet;
use std::hash::Hasher;
use std::sync::Arc;
use tapwire_inspect::Mark;
use tapwire_inventory::{EndpointId, Inventory};
use tapwire_protocol::Uid;
use tapwire_wire::Timestamp;

/// Endpoints that are looked at with one call.
const STEP: usize = 32;
const SECOND: i64 = 1_000_000_000;

/// All policies, and what is known of their findings.
pub struct Policies {
    rules: Rules,
    settings: Settings,
    cases: Cases,
    sweep: Option<Sweep>,
    /// Packet time from which the next look is due; `None` before the first call.
    due: Option<Timestamp>,
    now: Timestamp,
    /// Whether this is the last look.
    ended: bool,
    judged: Vec<bool>,
    counters: PolicyCounters,
}

/// Policies that could not be judged for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unjudged {
    /// Why, in words that follow "not judged: ".
    pub reason: &'static str,
    /// Which.
    pub policies: Vec<String>,
}

/// What the policies did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PolicyCounters {
    /// Looks at all endpoints.
    pub looks: u64,
    /// Events told.
    pub told: u64,
    /// Findings that are not told, each time they are met: there is no room to remember them.
    pub beyond_cases: u64,
}

impl Policies {
    /// Nothing found so far.
    pub fn new(rules: Rules, settings: Settings) -> Self {
        Self {
            rules,
            settings,
            cases: Cases::default(),
            sweep: None,
            due: None,
            now: Timestamp::MIN,
            ended: false,
            judged: Vec::new(),
            counters: PolicyCounters::default(),
        }
    }

    /// What is remembered: to be kept from one run to the next.
    pub const fn cases(&self) -> &Cases {
        &self.cases
    }

    /// Goes on from what was remembered.
    pub fn set_cases(&mut self, cases: Cases) {
        self.cases = cases;
    }

    /// Goes on with other rules, and looks at everything at once. What was found keeps its life.
    pub fn set_rules(&mut self, rules: Rules, settings: Settings) {
        (self.rules, self.settings) = (rules, settings);
        self.sweep = None;
        self.judged.clear();
        self.due = self.due.map(|_| self.now);
    }

    /// Whether a policy of that name is judged.
    pub fn has(&self, id: &str) -> bool {
        self.rules.iter().any(|rule| rule.id == id)
    }

    /// What was done so far.
    pub const fn counters(&self) -> PolicyCounters {
        self.counters
    }

    /// A call was placed at that time. Adds what a look found that this call ended.
    pub fn heed(&mut self, inventory: &Inventory, time: Timestamp, out: &mut Vec<Posture>) {
        if self.now.follow(time) {
            // By a clock that was set back, the next look would be hours away.
            self.due = self.due.map(|due| due.min(time + self.every()));
        }
        let due = *self.due.get_or_insert(time + self.every());
        if self.sweep.is_none() && self.now < due {
            return;
        }
        self.look(inventory, STEP, out);
    }

    /// The traffic ended: looks at everything once more, and adds what stands as it did, too.
    pub fn finish(&mut self, inventory: &Inventory, out: &mut Vec<Posture>) {
        if self.due.is_some() {
            self.sweep = None;
            self.ended = true;
            self.look(inventory, usize::MAX, out);
        }
    }

    /// Looks at what was learned before, of which no call comes any more: adds what stands.
    pub fn look_once(&mut self, inventory: &Inventory, out: &mut Vec<Posture>) {
        self.now = inventory.services().map(|service| service.last_seen).max().unwrap_or(self.now);
        self.due = Some(self.now);
        self.finish(inventory, out);
    }

    /// Which policies could not be judged, and why.
    pub fn unjudged(&self) -> Vec<Unjudged> {
        let mut all: Vec<Unjudged> = Vec::new();
        let missed = self.rules.rules.iter().zip(&self.judged).filter(|(_, judged)| !**judged);
        for (rule, _) in missed {
            let reason = rule.evidence.map_or("no endpoint is known", why_not);
            match all.iter_mut().find(|one| one.reason == reason) {
                Some(one) => one.policies.push(rule.id.clone()),
                None => all.push(Unjudged { reason, policies: vec![rule.id.clone()] }),
            }
        }
        all
    }

    fn every(&self) -> i64 {
        i64::from(self.settings.every.max(1)) * SECOND
    }

    fn look(&mut self, inventory: &Inventory, places: usize, out: &mut Vec<Posture>) {
        let rules = &self.rules;
        let mut sweep = self.sweep.take().unwrap_or_else(|| Sweep::new(inventory, rules));
        let eyes = Eyes {
            inventory,
            rules,
            cases: &self.cases,
            verified_after: self.settings.verified_after.max(1),
            now: self.now,
        };
        if sweep.step(&eyes, places) {
            self.counters.looks += 1;
            self.due = Some(self.now + self.every());
            self.conclude(inventory, sweep, out);
        } else {
            self.sweep = Some(sweep);
        }
    }

    /// What a look found, held against what is remembered.
    fn conclude(&mut self, inventory: &Inventory, mut sweep: Sweep, out: &mut Vec<Posture>) {
        self.judged = std::mem::take(&mut sweep.judged);
        for index in 0..self.rules.rules.len() {
            let Some(rule) = self.rules.rules.get(index).map(Arc::clone) else { continue };
            let known = self.cases.services_of(&rule.id).into_iter().map(Arc::from);
            let found = sweep.found.keys().filter(|(at, _)| *at == index);
            let services: BTreeSet<Arc<str>> =
                known.chain(found.map(|(_, service)| Arc::clone(service))).collect();
            for service in services {
                let tally = sweep.found.remove(&(index, Arc::clone(&service))).unwrap_or_default();
                out.extend(self.turn(inventory, &rule, &service, tally));
            }
        }
    }

    /// Where a finding stands now, where that is something to tell.
    fn turn(
        &mut self,
        inventory: &Inventory,
        rule: &Arc<Rule>,
        service: &Arc<str>,
        tally: Tally,
    ) -> Option<Posture> {
        let now = self.now;
        let is_known = self.cases.get(&rule.id, service).is_some();
        if !is_known && tally.standing.is_empty() && tally.excused.is_none() {
            return None;
        }
        let (verified_after, ended) = (self.settings.verified_after, self.ended);
        let Some(case) = self.cases.open(&rule.id, service, now.nanos()) else {
            self.counters.beyond_cases += 1;
            return None;
        };
        let calls = calls_of(inventory, &case.endpoints);
        if calls == 0 && tally.is_nothing() {
            // Its endpoints are not known, as where the inventory was lost: that nothing is seen of it means nothing.
            return None;
        }
        // Those of an inventory that was learned anew are fewer.
        case.calls_at = case.calls_at.min(calls);
        let next = next(case, &tally, calls, verified_after);
        let grown = tally.total >= case.total.saturating_mul(2) && tally.total > case.total;
        let unchanged = case.told > 0 && next == case.stage && !(next.stands() && grown);
        if unchanged && !(ended && next.stands()) {
            return None;
        }
        if !unchanged {
            case.enter(next, &tally, calls, now);
            self.counters.told += 1;
        }
        let uid = uid(rule, service, None);
        Some(Posture {
            uid,
            event: self::uid(rule, service, Some((case.told, now))),
            time: now,
            opened: Timestamp::from_nanos(case.opened),
            stage: next,
            change: match (case.told, next) {
                _ if unchanged => Change::Unchanged,
                (_, Stage::Verified) => Change::Closed,
                (1, _) => Change::Created,
                _ => Change::Updated,
            },
            reason: reason(rule, &tally, next, case, inventory, service),
            total: if tally.standing.is_empty() { case.total } else { tally.total },
            accepted: tally.excused.map(|excused| excused.by).filter(|_| next == Stage::Accepted),
            endpoints: tally.standing,
            rule: Arc::clone(rule),
            service: Arc::clone(service),
        })
    }
}

impl Case {
    fn enter(&mut self, stage: Stage, tally: &Tally, calls: u64, now: Timestamp) {
        if self.stage == Stage::Fixed && stage.stands() {
            self.returns = self.returns.saturating_add(1);
        }
        if stage == Stage::Fixed {
            self.calls_at = calls;
        }
        if stage.stands() {
            self.since.get_or_insert(now.nanos());
            self.waited.get_or_insert_with(|| tally.first.map_or(0, |first| millis(now.since(first))));
        }
        if let Some(since) = self.since.take_if(|_| stage == Stage::Verified) {
            self.stood = self.stood.saturating_add(millis(now.nanos().saturating_sub(since)));
            self.remedied = self.remedied.saturating_add(1);
        }
        self.was_gone |= stage == Stage::Verified;
        self.stage = stage;
        self.told = self.told.saturating_add(1);
        if !tally.standing.is_empty() {
            self.endpoints = tally.standing.iter().map(|offence| offence.id.0).collect();
            self.total = tally.total;
        } else if let Some(excused) = &tally.excused {
            // So that it is known whose calls show that it is gone.
            self.endpoints.clone_from(&excused.endpoints);
        }
    }
}

fn millis(nanos: i64) -> u64 {
    u64::try_from(nanos / 1_000_000).unwrap_or(0)
}

/// Where a finding stands after a look.
fn next(case: &Case, tally: &Tally, calls: u64, verified_after: u32) -> Stage {
    if !tally.standing.is_empty() {
        return if case.was_gone { Stage::Regressed } else { Stage::Open };
    }
    if tally.excused.is_some() {
        return Stage::Accepted;
    }
    match case.stage {
        Stage::Verified => Stage::Verified,
        Stage::Fixed => {
            let enough = calls.saturating_sub(case.calls_at) >= verified_after.into();
            if enough && tally.lingering == 0 { Stage::Verified } else { Stage::Fixed }
        }
        Stage::Open | Stage::Accepted | Stage::Regressed => Stage::Fixed,
    }
}

/// Calls of the endpoints that a finding was about.
fn calls_of(inventory: &Inventory, endpoints: &[u64]) -> u64 {
    let known: BTreeSet<EndpointId> = endpoints
        .iter()
        .filter_map(|id| inventory.endpoint(EndpointId(*id)))
        .map(|endpoint| endpoint.id)
        .collect();
    known.iter().filter_map(|id| inventory.endpoint(*id)).map(|endpoint| endpoint.calls).sum()
}

/// The identity of a finding; with a count and a time, of one of its events.
fn uid(rule: &Rule, service: &str, event: Option<(u32, Timestamp)>) -> Uid {
    let mut hash = SipHasher24::new();
    hash.write(b"posture");
    for text in [rule.id.as_str(), service] {
        hash.write_u8(0);
        hash.write(text.as_bytes());
    }
    if let Some((told, time)) = event {
        hash.write_u8(0);
        hash.write_u32(told);
        hash.write_i64(time.nanos());
    }
    Uid(hash.finish128().as_bytes())
}

fn reason(
    rule: &Rule,
    tally: &Tally,
    stage: Stage,
    case: &Case,
    inventory: &Inventory,
    service: &str,
) -> String {
    let calls = |count: u64| if count == 1 { "1 call".to_owned() } else { format!("{count} calls") };
    match stage {
        Stage::Open | Stage::Regressed => {
            let known =
                inventory.service_named(service).map_or(tally.total, |service| service.endpoints.into());
            let window = span(tally.first, tally.last);
            let seen = match rule.evidence {
                Some(_) => format!("seen in {} of {} that could show it", tally.hits, calls(tally.among)),
                None => format!("in {}", calls(tally.hits)),
            };
            let again = if stage == Stage::Regressed { ", after it was gone" } else { "" };
            let known = known.max(tally.total);
            let endpoints = if known == 1 { "endpoint" } else { "endpoints" };
            format!("{} of {known} {endpoints} {}: {seen}, within {window}{again}.", tally.total, rule.says)
        }
        Stage::Accepted => {
            let count = tally.excused.as_ref().map_or(0, |excused| excused.count);
            let endpoints = if count == 1 { "endpoint" } else { "endpoints" };
            format!("{count} {endpoints} {}; accepted.", rule.says)
        }
        Stage::Fixed => {
            "Not seen in the last calls that could show it; too few of them so far to be sure.".to_owned()
        }
        Stage::Verified => {
            let clean = calls_of(inventory, &case.endpoints).saturating_sub(case.calls_at);
            format!("Not seen in {} since it seemed fixed.", calls(clean))
        }
    }
}

/// A span in the largest unit that leaves at least two of it.
fn span(first: Option<Timestamp>, last: Option<Timestamp>) -> String {
    let nanos = first.zip(last).map_or(0, |(first, last)| last.since(first).max(0));
    match nanos / SECOND {
        0..=1 => "a second".to_owned(),
        seconds if seconds < 120 => format!("{seconds} s"),
        seconds if seconds < 7_200 => format!("{} min", seconds / 60),
        seconds if seconds < 172_800 => format!("{} h", seconds / 3_600),
        seconds => format!("{} days", seconds / 86_400),
    }
}

/// Why nothing could show a mark.
const fn why_not(mark: Mark) -> &'static str {
    match mark.among() {
        Mark::Answered => "no answer was seen",
        Mark::Succeeded => "no answer with 2xx was seen",
        Mark::Failed => "no answer with 4xx or 5xx was seen",
        Mark::Encrypted => "no call over TLS was read",
        Mark::SessionSet => "no answer set a session cookie",
        Mark::SessionSetEncrypted => "no answer over TLS that was read set a session cookie",
        Mark::Tokened => "no JSON Web Token was accepted",
        Mark::Certified => "no certificate of a server was seen",
        _ => "no call was placed",
    }
}
