//! The analyst: a single writer that takes observations in the order of their numbers, learns, detects and reports.

use crate::found::{Worst, keep_worst, tell_incidents};
use crate::keeper::{Keeper, StateReport, Whole};
use crate::learned::Learned;
use crate::mutes::Mutes;
use crate::outlet::Outlet;
use crate::pace::{Lap, Pace, Stage};
use crate::recorder::Pinner;
use crate::report::{Tally, rank};
use crate::reports;
use crate::telling::Teller;
use crate::work::{Landed, Seen, Shed, weight};
use crate::{Notice, PolicyFeed, RuleFeed};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tapwire_capture::SourceNames;
use tapwire_detect::policies::Change;
use tapwire_detect::radius::Radius;
use tapwire_detect::{CallRules, Detectors, Finding, HeldGroups, Incidents, Policies, Posture};
use tapwire_event::{SensorReport, View};
use tapwire_inspect::{Observation, TokenKey};
use tapwire_inventory::{Call, Coverage, HourCoverage, Inventory};
use tapwire_protocol::{ConnectionEnd, Exchange, Uid};
use tapwire_wire::SourceId;

/// Findings kept for the summary.
const MAX_KEPT_FINDINGS: usize = 1_000;

/// Everything behind the inspectors.
pub(crate) struct Analyst {
    pub(crate) inventory: Inventory,
    /// What an earlier pass learned of the same exchanges: it judges in the place of `inventory`.
    pub(crate) known: Option<Inventory>,
    pub(crate) coverage: Coverage,
    /// Analysis is on.
    learns: bool,
    /// What is wrong is told.
    tells: bool,
    pub(crate) detectors: Detectors,
    pub(crate) policies: Policies,
    /// What policies say, as it stands: the last word on each policy and service.
    pub(crate) postures: BTreeMap<Uid, Posture>,
    pub(crate) outlets: Vec<Outlet>,
    pub(crate) tally: Tally,
    pub(crate) pace: Pace,
    pub(crate) findings: Worst,
    pub(crate) incidents: Incidents,
    /// What is not told.
    pub(crate) mutes: Mutes,
    /// What somebody got.
    pub(crate) radius: Option<Radius>,
    sources: Names,
    limit: u64,
    stop: Arc<AtomicBool>,
    /// Number of the exchange whose turn it is.
    next: u64,
    /// What came before its turn, by lane. Numbers rise within a lane, so that only the first of each is looked at; what
    /// waits still counts as in flight, which bounds it.
    waiting: Vec<VecDeque<Seen>>,
    fresh: Vec<Finding>,
    /// What files say of the network, when they change.
    context: crate::ContextFeed,
    /// Which policies are judged, when that changes.
    policy_feed: PolicyFeed,
    /// Users' rules, and where they come from.
    pub(crate) rules: Option<Box<dyn CallRules>>,
    rule_feed: RuleFeed,
    /// What rules of a run before held, for the first that come.
    groups: Option<HeldGroups>,
    token_key: TokenKey,
    mute_feed: crate::MuteFeed,
    /// Where findings pin the packets of their connections.
    pub(crate) pinner: Option<Pinner>,
    /// Writes what is learned, where it is kept.
    pub(crate) keeper: Option<Keeper>,
    /// Tells what is known of endpoints, where an output wants it.
    teller: Option<Teller>,
}

impl Analyst {
    pub(crate) fn new(
        config: &crate::Config,
        learned: Learned,
        outlets: Vec<Outlet>,
        sources: SourceNames,
        stop: Arc<AtomicBool>,
    ) -> Self {
        let Learned { inventory, detectors, groups, incidents, cases } = learned;
        let mut policies = Policies::new(config.rules.clone(), config.policies);
        policies.set_cases(cases);
        let is_asked = config.analysis && config.tells && outlets.iter().any(Outlet::wants_endpoints);
        let mut analyst = Self {
            inventory,
            known: None,
            coverage: Coverage::new(&config.inventory),
            learns: config.analysis,
            tells: config.tells,
            detectors,
            policies,
            postures: BTreeMap::new(),
            outlets,
            tally: Tally::default(),
            pace: Pace::default(),
            findings: Worst::new(MAX_KEPT_FINDINGS),
            incidents,
            mutes: Mutes::new(&config.mutes),
            radius: config.radius.clone(),
            sources: Names::new(sources),
            limit: config.max_exchanges.unwrap_or(u64::MAX),
            stop,
            next: 1,
            waiting: Vec::new(),
            fresh: Vec::new(),
            context: config.context.clone(),
            policy_feed: config.policy_feed.clone(),
            rules: None,
            rule_feed: config.rule_feed.clone(),
            groups: Some(groups),
            token_key: config.inventory.token_key.clone(),
            mute_feed: config.mute_feed.clone(),
            pinner: None,
            keeper: None,
            teller: is_asked.then(Teller::default),
        };
        analyst.take_times();
        analyst
    }

    /// Services learn how long their findings of posture took in runs before.
    fn take_times(&mut self) {
        let cases = self.policies.cases();
        for service in cases.services() {
            self.inventory.set_posture(service, cases.times(service));
        }
    }

    /// Takes what a lane's inspector made of one exchange and works off all whose turn it is. What is used up goes to
    /// `landed`.
    pub(crate) fn take(&mut self, lane: usize, seen: Seen, landed: &mut Landed) {
        if seen.number() != self.next {
            self.keep(lane, seen);
            return;
        }
        self.process(seen, landed);
        while let Some(seen) = self.next_waiting() {
            self.process(seen, landed);
        }
    }

    fn keep(&mut self, lane: usize, seen: Seen) {
        if self.waiting.len() <= lane {
            self.waiting.resize_with(lane + 1, VecDeque::new);
        }
        if let Some(waiting) = self.waiting.get_mut(lane) {
            waiting.push_back(seen);
        }
    }

    fn next_waiting(&mut self) -> Option<Seen> {
        let next = self.next;
        let turn = |waiting: &&mut VecDeque<Seen>| waiting.front().is_some_and(|seen| seen.number() == next);
        self.waiting.iter_mut().find(turn)?.pop_front()
    }

    fn process(&mut self, seen: Seen, landed: &mut Landed) {
        let over = self.is_over();
        if let Seen::Observed(observation) = &seen {
            landed.bytes += observation.held();
        }
        let exchange = match seen {
            Seen::Shed(shed) => return self.pass(shed),
            Seen::Plain(exchange) if over => exchange,
            Seen::Plain(exchange) => self.report_plain(exchange),
            Seen::Observed(observation) => {
                if !over {
                    self.hear_knocks(&observation.exchange.ends);
                }
                let observation = if over { observation } else { self.judge(observation) };
                let (exchange, used) = observation.used();
                landed.used.push(used);
                exchange
            }
        };
        if !over && self.learns {
            self.cover(&exchange);
        }
        self.next += 1;
        self.tally.exchanges += 1;
        self.tally.beyond_limit += u64::from(over);
        landed.bytes += weight(&exchange);
        landed.spares.extend([exchange.request, exchange.response].into_iter().flatten());
    }

    /// Learns how well the exchange's service is seen, and reports the hours that are over.
    fn cover(&mut self, exchange: &Exchange) {
        self.coverage.exchange(exchange);
        if self.coverage.is_due() {
            let hours = self.coverage.take_due();
            self.report_hours(&hours);
        }
    }

    fn report_hours(&mut self, hours: &[HourCoverage]) {
        for outlet in &mut self.outlets {
            hours.iter().for_each(|hour| outlet.coverage(hour));
        }
    }

    /// The run is over: these connections ended behind the last exchange.
    pub(crate) fn finish_coverage(&mut self, ends: &[ConnectionEnd]) {
        if !self.is_over() && self.learns {
            self.hear_knocks(ends);
            ends.iter().filter(|end| end.knock.is_none()).for_each(|end| self.coverage.end(end));
        }
        let hours = self.coverage.take_rest();
        self.report_hours(&hours);
    }

    /// Whether the limit of `-c` is reached; what follows is only counted.
    const fn is_over(&self) -> bool {
        self.tally.reported >= self.limit
    }

    /// Shed exchanges are only numbers.
    const fn pass(&mut self, shed: Shed) {
        self.next += shed.count;
        self.tally.exchanges += shed.count;
        self.tally.shed += shed.count;
    }

    fn report_plain(&mut self, exchange: Exchange) -> Exchange {
        let view = View { exchange: &exchange, call: None, source: self.sources.of(&exchange) };
        let mut wanted = false;
        for outlet in &mut self.outlets {
            if outlet.wants(&view) {
                wanted = true;
                outlet.exchange(&view);
            }
        }
        self.count(&exchange, wanted);
        exchange
    }

    fn judge(&mut self, observation: Observation) -> Observation {
        self.renew();
        let mut lap = Lap::begin(self.next);
        let mut call = self.inventory.place(observation);
        for silent in self.inventory.take_silent() {
            self.sensor(&reports::service(&silent));
        }
        self.pace.leave(Stage::Inventory, &mut lap);
        self.incidents.heed(call.observation.exchange.started());
        let inventory = judged(&self.inventory, &self.known);
        tell_incidents(&mut self.incidents, inventory, &mut self.outlets, None);
        self.fresh.clear();
        self.known.iter_mut().for_each(|known| known.recall(&mut call));
        let inventory = judged(&self.inventory, &self.known);
        let endpoint = call.endpoint.and_then(|id| inventory.endpoint(id));
        self.detectors.judge(&call, endpoint, &mut self.fresh);
        if !self.tells {
            self.fresh.clear();
        } else if let Some(rules) = &mut self.rules {
            rules.judge(&call, &mut self.fresh);
        }
        if let Some(radius) = &mut self.radius {
            radius.hear(&call);
        }
        self.sift(&call);
        if !self.fresh.is_empty() {
            // Callers are placed by the one, and the other is what the run keeps.
            self.inventories().for_each(|inventory| inventory.found_of(&call));
        }
        self.pace.leave(Stage::Detection, &mut lap);
        let inventory = judged_mut(&mut self.inventory, &mut self.known);
        if let (Some(service), false) = (&call.service, self.fresh.is_empty()) {
            inventory.found(service, self.fresh.len() as u64);
        }
        for finding in &self.fresh {
            if let Some(endpoint) = finding.endpoint {
                inventory.found_on(endpoint, finding.severity as u8, finding.time);
            }
        }
        let exchange = &call.observation.exchange;
        if let (Some(pinner), false) = (&self.pinner, self.fresh.is_empty()) {
            pinner.pin(&exchange.flow.key, exchange.ended());
        }
        let view = View { exchange, call: Some(&call), source: self.sources.of(exchange) };
        let mut wanted = false;
        for outlet in &mut self.outlets {
            if outlet.wants(&view) {
                wanted = true;
                outlet.exchange(&view);
                for finding in &self.fresh {
                    outlet.finding(finding, &view);
                }
            }
        }
        let inventory = judged(&self.inventory, &self.known);
        tell_incidents(&mut self.incidents, inventory, &mut self.outlets, Some(&view));
        self.tally.findings += self.fresh.len() as u64;
        self.findings.extend(self.fresh.drain(..));
        let observation = call.observation;
        let exchange = &observation.exchange;
        self.count(exchange, wanted);
        let mut told = Vec::new();
        let inventory = judged(&self.inventory, &self.known);
        self.policies.heed(inventory, exchange.started(), &mut told);
        self.tell(told);
        let Self { teller, inventory, known, outlets, .. } = self;
        if let Some(teller) = teller {
            let tell = &mut |report: &SensorReport| outlets.iter_mut().for_each(|one| one.sensor(report));
            teller.heed(judged(inventory, known), exchange.started(), tell);
        }
        self.pace.leave(Stage::Reporting, &mut lap);
        observation
    }

    /// Judges connections on which nobody said a word: what is found shows them in the place of an exchange.
    fn hear_knocks(&mut self, ends: &[ConnectionEnd]) {
        for end in ends.iter().filter(|end| end.knock.is_some()) {
            let Some(call) = self.inventory.knocked(end) else { continue };
            self.fresh.clear();
            self.detectors.judge(&call, None, &mut self.fresh);
            if !self.tells {
                self.fresh.clear();
            }
            if !self.fresh.is_empty() {
                self.sift(&call);
                self.tell_of(&call);
            }
        }
    }

    /// Tells what was found in a connection on which nobody said a word.
    fn tell_of(&mut self, call: &Call) {
        let exchange = &call.observation.exchange;
        if let Some(pinner) = self.pinner.as_ref().filter(|_| !self.fresh.is_empty()) {
            pinner.pin(&exchange.flow.key, exchange.ended());
        }
        let view = View { exchange, call: Some(call), source: self.sources.of(exchange) };
        for outlet in self.outlets.iter_mut().filter(|outlet| outlet.wants(&view)) {
            self.fresh.iter().for_each(|finding| outlet.finding(finding, &view));
        }
        let inventory = judged(&self.inventory, &self.known);
        tell_incidents(&mut self.incidents, inventory, &mut self.outlets, Some(&view));
        self.tally.findings += self.fresh.len() as u64;
        self.findings.extend(self.fresh.drain(..));
    }

    /// Links findings to incidents; what is muted or only repeats others is told no more.
    fn sift(&mut self, call: &Call) {
        if !self.mutes.is_empty() && !self.fresh.is_empty() {
            let exchange = &call.observation.exchange;
            let view = View { exchange, call: Some(call), source: self.sources.of(exchange) };
            let (mutes, before) = (&mut self.mutes, self.fresh.len());
            self.fresh.retain(|finding| !mutes.take(finding, &view));
            self.tally.muted += (before - self.fresh.len()) as u64;
        }
        let (incidents, before) = (&mut self.incidents, self.fresh.len());
        self.fresh.retain_mut(|finding| incidents.link(finding, call));
        self.tally.repeated += (before - self.fresh.len()) as u64;
    }

    /// What is learned, and what an earlier pass learned.
    fn inventories(&mut self) -> impl Iterator<Item = &mut Inventory> {
        [&mut self.inventory].into_iter().chain(&mut self.known)
    }

    /// Takes what files say now, where they were read again.
    fn renew(&mut self) {
        if let Some(context) = self.context.take() {
            self.inventories().for_each(|inventory| inventory.set_context(Arc::clone(&context)));
        }
        if let Some((rules, settings)) = self.policy_feed.take() {
            self.policies.set_rules(rules, settings);
            let policies = &self.policies;
            self.postures.retain(|_, posture| policies.has(&posture.rule.id));
        }
        if self.tells
            && let Some(mutes) = self.mute_feed.take()
        {
            self.mutes.renew(&mutes);
        }
        if self.tells
            && let Some(mut rules) = self.rule_feed.take()
        {
            if let Some(rules) = &mut rules {
                rules.set_key(&self.token_key);
                self.hand_on(rules.as_mut());
            }
            self.rules = rules;
        }
    }

    /// Groups go on in rules that were read anew: those of the rules before, or of the run before.
    fn hand_on(&mut self, rules: &mut dyn CallRules) {
        if let Some(before) = &mut self.rules
            && let Some(held) = before.hand_over()
        {
            rules.take_over(held, before.counters());
        }
        if let Some(groups) = self.groups.take() {
            rules.restore(&groups);
        }
    }

    /// The run is over: what an earlier pass learned is the whole of it.
    pub(crate) fn take_known(&mut self) {
        if let Some(known) = self.known.take() {
            self.inventory = known;
        }
    }

    /// The run is over: everything learned is judged once more, by calls and by policies.
    pub(crate) fn finish_learning(&mut self) {
        if self.learns {
            self.inventory.settle();
            let mut told = Vec::new();
            self.policies.finish(&self.inventory, &mut told);
            self.tell(told);
            self.inventory.keep_day();
        }
        let Self { teller, inventory, outlets, .. } = self;
        if let Some(teller) = teller {
            teller.finish(inventory, &mut |report| outlets.iter_mut().for_each(|one| one.sensor(report)));
        }
    }

    fn tell(&mut self, postures: Vec<Posture>) {
        for posture in postures {
            let times = self.policies.cases().times(&posture.service);
            let inventory = judged_mut(&mut self.inventory, &mut self.known);
            inventory.set_posture(&posture.service, times);
            if posture.change != Change::Unchanged {
                self.outlets.iter_mut().for_each(|outlet| outlet.posture(&posture));
            }
            keep_worst(&mut self.postures, (posture.uid, posture), rank, MAX_KEPT_FINDINGS);
        }
    }

    /// Counts an exchange in the summary; one that every filter refused does not count against `-c`.
    fn count(&mut self, exchange: &Exchange, wanted: bool) {
        if wanted || self.outlets.is_empty() {
            self.tally.count(exchange);
            if self.is_over() {
                self.stop.store(true, Ordering::Relaxed);
            }
        } else {
            self.tally.filtered += 1;
        }
    }

    pub(crate) fn sensor(&mut self, report: &SensorReport) {
        self.outlets.iter_mut().for_each(|outlet| outlet.sensor(report));
    }

    pub(crate) fn flush(&mut self, push: bool) {
        self.outlets.iter_mut().for_each(|outlet| outlet.flush(push));
    }

    /// Between two batches of calls: writes on what is learned, where it is time.
    pub(crate) fn checkpoint(&mut self) {
        let Self { keeper, inventory, detectors, rules, incidents, policies, .. } = self;
        if let Some(keeper) = keeper {
            keeper.step(Whole {
                inventory,
                detectors,
                rules: rules.as_deref(),
                incidents,
                cases: policies.cases(),
            });
        }
    }

    /// Whether what is learned is being written.
    pub(crate) fn is_checkpointing(&self) -> bool {
        self.keeper.as_ref().is_some_and(Keeper::is_writing)
    }

    /// No more calls come: writes what was learned of them.
    pub(crate) fn keep_last(&mut self) {
        let Self { keeper, inventory, detectors, rules, incidents, policies, .. } = self;
        if let Some(keeper) = keeper {
            keeper.last_calls(Whole {
                inventory,
                detectors,
                rules: rules.as_deref(),
                incidents,
                cases: policies.cases(),
            });
        }
    }

    /// Policies have looked for the last time: writes what they found.
    pub(crate) fn finish_keeping(&mut self) -> Option<StateReport> {
        let keeper = self.keeper.take()?;
        let Self { inventory, detectors, rules, incidents, policies, .. } = self;
        Some(keeper.finish(Whole {
            inventory,
            detectors,
            rules: rules.as_deref(),
            incidents,
            cases: policies.cases(),
        }))
    }

    pub(crate) fn notices(&mut self) -> Vec<Notice> {
        let outputs = self.outlets.iter_mut().flat_map(Outlet::notices).map(Notice::Output);
        outputs.chain(self.keeper.iter().flat_map(Keeper::notices)).collect()
    }

    /// Whether an outlet can take no more: its sink failed for good, or nobody reads it.
    pub(crate) fn is_stuck(&self) -> bool {
        self.outlets.iter().any(|outlet| outlet.error.is_some() || outlet.reader_gone)
    }
}

/// The inventory that calls are judged by.
fn judged<'a>(own: &'a Inventory, known: &'a Option<Inventory>) -> &'a Inventory {
    known.as_ref().unwrap_or(own)
}

/// The same, to change it.
fn judged_mut<'a>(own: &'a mut Inventory, known: &'a mut Option<Inventory>) -> &'a mut Inventory {
    known.as_mut().unwrap_or(own)
}

/// Names of sources, with the one asked for last at hand: exchanges of one source follow each other.
pub(crate) struct Names {
    all: SourceNames,
    last: (SourceId, Arc<str>),
}

impl Names {
    pub(crate) fn new(all: SourceNames) -> Self {
        let first = SourceId::default();
        Self { last: (first, all.get(first)), all }
    }

    pub(crate) fn of(&mut self, exchange: &Exchange) -> &str {
        let half = exchange.request.as_ref().or(exchange.response.as_ref());
        let source = half.map_or(SourceId::default(), |message| message.source);
        if source != self.last.0 || self.last.1.is_empty() {
            self.last = (source, self.all.get(source));
        }
        &self.last.1
    }
}

#[cfg(test)]
mod tests;
