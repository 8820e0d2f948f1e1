//! The analyst: a single writer that takes observations in the order of their numbers, learns, detects and reports.

use crate::keeper::{Keeper, StateReport, Whole};
use crate::learned::Learned;
use crate::outlet::Outlet;
use crate::recorder::Pinner;
use crate::report::Tally;
use crate::reports;
use crate::work::{Landed, Seen, Shed, weight};
use crate::{Notice, PolicyFeed};
use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tapwire_capture::SourceNames;
use tapwire_detect::policies::Change;
use tapwire_detect::{Detectors, Finding, Incidents, Policies, Posture};
use tapwire_event::{SensorReport, View};
use tapwire_inspect::Observation;
use tapwire_inventory::{Coverage, HourCoverage, Inventory};
use tapwire_protocol::{ConnectionEnd, Exchange, Uid};
use tapwire_wire::SourceId;

/// Findings kept for the summary.
const MAX_KEPT_FINDINGS: usize = 1_000;

/// Everything behind the inspectors.
pub(crate) struct Analyst {
    pub(crate) inventory: Inventory,
    pub(crate) coverage: Coverage,
    /// Analysis is on.
    learns: bool,
    pub(crate) detectors: Detectors,
    pub(crate) policies: Policies,
    /// What policies say, as it stands: the last word on each policy and service.
    pub(crate) postures: BTreeMap<Uid, Posture>,
    pub(crate) outlets: Vec<Outlet>,
    pub(crate) tally: Tally,
    pub(crate) findings: Vec<Finding>,
    pub(crate) incidents: Incidents,
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
    /// Where findings pin the packets of their connections.
    pub(crate) pinner: Option<Pinner>,
    /// Writes what is learned, where it is kept.
    pub(crate) keeper: Option<Keeper>,
}

impl Analyst {
    pub(crate) fn new(
        config: &crate::Config,
        learned: Learned,
        outlets: Vec<Outlet>,
        sources: SourceNames,
        stop: Arc<AtomicBool>,
    ) -> Self {
        let Learned { inventory, detectors, cases } = learned;
        let mut policies = Policies::new(config.rules.clone(), config.policies);
        policies.set_cases(cases);
        let mut analyst = Self {
            inventory,
            coverage: Coverage::new(&config.inventory),
            learns: config.analysis,
            detectors,
            policies,
            postures: BTreeMap::new(),
            outlets,
            tally: Tally::default(),
            findings: Vec::new(),
            incidents: Incidents::new(config.detect),
            sources: Names::new(sources),
            limit: config.max_exchanges.unwrap_or(u64::MAX),
            stop,
            next: 1,
            waiting: Vec::new(),
            fresh: Vec::new(),
            context: config.context.clone(),
            policy_feed: config.policy_feed.clone(),
            pinner: None,
            keeper: None,
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
            Seen::Observed(observation) if over => observation.exchange,
            Seen::Plain(exchange) => self.report_plain(exchange),
            Seen::Observed(observation) => self.judge(observation),
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
            ends.iter().for_each(|end| self.coverage.end(end));
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

    fn judge(&mut self, observation: Observation) -> Exchange {
        self.renew();
        let call = self.inventory.place(observation);
        for silent in self.inventory.take_silent() {
            self.sensor(&reports::service(&silent));
        }
        self.fresh.clear();
        let endpoint = call.endpoint.and_then(|id| self.inventory.endpoint(id));
        self.detectors.judge(&call, endpoint, &mut self.fresh);
        for finding in &mut self.fresh {
            self.incidents.link(finding, &call);
        }
        if let (Some(service), false) = (&call.service, self.fresh.is_empty()) {
            self.inventory.found(service, self.fresh.len() as u64);
        }
        for finding in &self.fresh {
            if let Some(endpoint) = finding.endpoint {
                self.inventory.found_on(endpoint, finding.severity as u8, finding.time);
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
        self.tally.findings += self.fresh.len() as u64;
        let room = MAX_KEPT_FINDINGS.saturating_sub(self.findings.len());
        self.findings.extend(self.fresh.drain(..).take(room));
        let exchange = call.observation.exchange;
        self.count(&exchange, wanted);
        let mut told = Vec::new();
        self.policies.heed(&self.inventory, exchange.started(), &mut told);
        self.tell(told);
        exchange
    }

    /// Takes what files say now, where they were read again.
    fn renew(&mut self) {
        if let Some(context) = self.context.take() {
            self.inventory.set_context(context);
        }
        if let Some((rules, settings)) = self.policy_feed.take() {
            self.policies.set_rules(rules, settings);
            let policies = &self.policies;
            self.postures.retain(|_, posture| policies.has(&posture.rule.id));
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
    }

    fn tell(&mut self, postures: Vec<Posture>) {
        for posture in postures {
            let times = self.policies.cases().times(&posture.service);
            self.inventory.set_posture(&posture.service, times);
            if posture.change != Change::Unchanged {
                self.outlets.iter_mut().for_each(|outlet| outlet.posture(&posture));
            }
            if self.postures.len() < MAX_KEPT_FINDINGS || self.postures.contains_key(&posture.uid) {
                self.postures.insert(posture.uid, posture);
            }
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
        let Self { keeper, inventory, detectors, policies, .. } = self;
        if let Some(keeper) = keeper {
            keeper.step(Whole { inventory, detectors, cases: policies.cases() });
        }
    }

    /// Whether what is learned is being written.
    pub(crate) fn is_checkpointing(&self) -> bool {
        self.keeper.as_ref().is_some_and(Keeper::is_writing)
    }

    /// No more calls come: writes what was learned of them.
    pub(crate) fn keep_last(&mut self) {
        let Self { keeper, inventory, detectors, policies, .. } = self;
        if let Some(keeper) = keeper {
            keeper.last_calls(Whole { inventory, detectors, cases: policies.cases() });
        }
    }

    /// Policies have looked for the last time: writes what they found.
    pub(crate) fn finish_keeping(&mut self) -> Option<StateReport> {
        let keeper = self.keeper.take()?;
        let Self { inventory, detectors, policies, .. } = self;
        Some(keeper.finish(Whole { inventory, detectors, cases: policies.cases() }))
    }

    pub(crate) fn notices(&mut self) -> Vec<Notice> {
        let outputs = self.outlets.iter_mut().flat_map(Outlet::notices).map(Notice::Output);
        outputs.chain(self.keeper.iter().flat_map(Keeper::notices)).collect()
    }

    /// Whether an outlet can take no more: its sink failed for good, or nobody reads it.
    pub(crate) fn is_stuck(&self) -> bool {
        self.outlets.iter().any(|outlet| outlet.error.is_some() || outlet.reader_gone)
    }

    pub(crate) fn sort_findings(&mut self) {
        self.findings.sort_by_key(|finding| (Reverse(finding.severity), finding.time, finding.uid));
    }
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
mod tests {
    use super::*;
    use crate::{Classes, Config};
    use std::sync::Mutex;
    use tapwire_event::{Fidelity, Format, Options, Redactor, Renderer, choose};
    use tapwire_inspect::TokenKey;
    use tapwire_protocol::{BodyPart, ExchangeSink, Protocols};
    use tapwire_sink::{Batch, Reader, Sink, SinkError, SinkReport};
    use tapwire_testkit::{Conversation, Random, shop_turns};
    use tapwire_wire::{Decoded, decode};

    #[derive(Default)]
    struct Exchanges(Vec<Exchange>);

    impl ExchangeSink for Exchanges {
        fn exchange(&mut self, exchange: Exchange) {
            self.0.push(exchange);
        }

        fn body_part(&mut self, _part: BodyPart) {}
    }

    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Sink for Lines {
        fn write(&mut self, batch: &Batch) -> Result<Reader, SinkError> {
            self.0.lock().unwrap().extend_from_slice(batch.bytes());
            Ok(Reader::Listening)
        }

        fn report(&self) -> SinkReport {
            SinkReport { destination: "lines".into(), counts: Default::default(), error: None }
        }
    }

    /// Numbered from 1.
    fn exchanges(count: u64) -> Vec<Exchange> {
        let capture = Conversation::new(shop_turns(count, 1), 1).play();
        let mut flows = tapwire_flow::FlowTable::new(tapwire_flow::Config::default());
        let mut protocols = Protocols::new(tapwire_protocol::Config::default(), Exchanges::default());
        for packet in &capture.packets {
            if let Decoded::Segment(segment) = decode(&packet.packet()) {
                flows.handle(&segment, &mut protocols);
            }
        }
        flows.finish(&mut protocols);
        protocols.into_sink().0
    }

    fn analyst(limit: Option<u64>) -> (Analyst, Arc<Mutex<Vec<u8>>>) {
        let key = TokenKey::new([7; 32]);
        let config = Config {
            threads: 2,
            analysis: false,
            max_exchanges: limit,
            in_flight_bytes: 1 << 20,
            heartbeat: crate::Heartbeat::default(),
            wire: tapwire_wire::Config::default(),
            flow: tapwire_flow::Config::default(),
            secrets: crate::Secrets::default(),
            protocol: tapwire_protocol::Config::default(),
            inspect: tapwire_inspect::Config::new(key.clone()),
            inventory: tapwire_inventory::Config::new(key.clone()),
            context: crate::ContextFeed::default(),
            detect: tapwire_detect::Config::default(),
            rules: tapwire_detect::policies::Rules::default(),
            policies: tapwire_detect::policies::Settings::default(),
            policy_feed: PolicyFeed::default(),
        };
        let fields = choose("time").unwrap();
        let options = Options { format: Format::Tsv, fields, ..Options::default() };
        let lines = Arc::new(Mutex::new(Vec::new()));
        let renderer = Renderer::new(options, Redactor::new(key, Fidelity::Default));
        let outlet =
            Outlet::new(renderer, Classes::default(), None, vec![Box::new(Lines(Arc::clone(&lines)))]);
        (
            Analyst::new(
                &config,
                Learned::new(&config),
                vec![outlet],
                SourceNames::default(),
                Arc::default(),
            ),
            lines,
        )
    }

    /// Spreads exchanges over lanes as the router does, some of them shed, in runs, by the first lane.
    fn lanes(count: usize, shed_share: f64, random: &mut Random) -> Vec<VecDeque<Seen>> {
        let mut lanes: Vec<VecDeque<Seen>> = (0..count).map(|_| VecDeque::new()).collect();
        for exchange in exchanges(400) {
            if !random.chance(shed_share) {
                lanes[random.below(count)].push_back(Seen::Plain(exchange));
                continue;
            }
            match lanes[0].back_mut() {
                Some(Seen::Shed(run)) if run.first + run.count == exchange.number => run.count += 1,
                _ => lanes[0].push_back(Seen::Shed(Shed { first: exchange.number, count: 1 })),
            }
        }
        lanes
    }

    #[test]
    fn exchanges_are_reported_by_number_however_the_lanes_interleave() {
        for seed in 1..=30 {
            let mut random = Random::new(seed);
            let shed_share = [0.0, 0.1, 0.6][random.below(3)];
            let count = 1 + random.below(4);
            let mut lanes = lanes(count, shed_share, &mut random);
            let (mut analyst, lines) = analyst(None);
            let mut landed = Landed::default();
            while lanes.iter().any(|lane| !lane.is_empty()) {
                let lane = random.below(lanes.len());
                if let Some(seen) = lanes[lane].pop_front() {
                    analyst.take(lane, seen, &mut landed);
                }
            }
            analyst.flush(false);
            let tally = &analyst.tally;
            assert_eq!((tally.exchanges, tally.reported + tally.shed), (400, 400), "seed {seed}");
            let text = String::from_utf8(lines.lock().unwrap().clone()).unwrap();
            let times: Vec<&str> = text.lines().skip(1).collect();
            assert_eq!(times.len() as u64, tally.reported, "seed {seed}");
            assert!(times.is_sorted(), "seed {seed}: out of order");
            assert!(landed.bytes > 0 && landed.spares.len() >= times.len(), "used messages come back");
        }
    }

    #[test]
    fn behind_the_limit_exchanges_are_only_counted() {
        let (mut analyst, _) = analyst(Some(3));
        let mut landed = Landed::default();
        for exchange in exchanges(10) {
            analyst.take(0, Seen::Plain(exchange), &mut landed);
        }
        let tally = &analyst.tally;
        assert_eq!((tally.exchanges, tally.reported, tally.beyond_limit), (10, 3, 7));
        assert!(analyst.stop.load(Ordering::Relaxed));
    }

    #[test]
    fn what_a_limit_kept_from_being_read_is_told_apart_from_what_is_missing() {
        use tapwire_protocol::Seen;
        let mut tally = Tally::default();
        for (mut exchange, (asked, answered)) in exchanges(3).into_iter().zip([
            (Seen::Complete, Seen::Complete),
            (Seen::Capped, Seen::Complete),
            (Seen::Capped, Seen::Truncated),
        ]) {
            exchange.request.as_mut().unwrap().seen = asked;
            exchange.response.as_mut().unwrap().seen = answered;
            tally.count(&exchange);
        }
        assert_eq!((tally.whole, tally.truncated, tally.capped), (1, 2, 1));
    }
}
