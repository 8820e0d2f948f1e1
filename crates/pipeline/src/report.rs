//! What a run came to.

use crate::keeper::StateReport;
use crate::learned::Learned;
use crate::pace::Pace;
use crate::recorder::PacketCounters;
use crate::{Config, LaneCounters, ShedLevel};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;
use tapwire_capture::{Progress, SourceError, SourceStats};
use tapwire_detect::policies::{PolicyCounters, Unjudged};
use tapwire_detect::{Detectors, Finding, Incidents, NotJudged, Policies, Posture, RuleCounters, Severity};
use tapwire_inventory::{Coverage, Inventory};
use tapwire_protocol::tls::{Services, TlsCounters};
use tapwire_protocol::{Anomaly, Exchange, Pairing, Seen};
use tapwire_sink::SinkReport;
use tapwire_wire::{FragmentCounters, Packet, Skip, Timestamp};

/// Packets in = segments + Σ skipped{layer, reason}.
#[derive(Debug, Clone, Default)]
pub struct WireCounters {
    /// Packets taken.
    pub packets: u64,
    /// Captured bytes of them.
    pub bytes: u64,
    /// Packets that the capture cut.
    pub cut_packets: u64,
    /// Segments decoded.
    pub segments: u64,
    /// Packets that are no TCP segment, by layer and reason.
    pub skipped: BTreeMap<(&'static str, &'static str), u64>,
    /// What became of IP fragments.
    pub fragments: FragmentCounters,
    /// Time of the earliest packet.
    pub first: Option<Timestamp>,
    /// Time of the latest packet.
    pub last: Option<Timestamp>,
}

impl WireCounters {
    pub(crate) fn packet(&mut self, packet: &Packet<'_>) {
        self.packets += 1;
        self.bytes += packet.data.len() as u64;
        self.cut_packets += u64::from((packet.wire_len as usize) > packet.data.len());
        self.first = Some(self.first.map_or(packet.time, |first| first.min(packet.time)));
        self.last = self.last.max(Some(packet.time));
    }

    /// Adds what another lane counted.
    pub(crate) fn add(&mut self, other: &Self) {
        let Self { packets, bytes, cut_packets, segments, skipped, fragments, first, last } = other;
        self.packets += packets;
        self.bytes += bytes;
        self.cut_packets += cut_packets;
        self.segments += segments;
        for (reason, count) in skipped {
            *self.skipped.entry(*reason).or_default() += count;
        }
        self.fragments.merge(fragments);
        self.first = self.first.into_iter().chain(*first).min();
        self.last = self.last.max(*last);
    }

    pub(crate) fn skip(&mut self, skip: Skip) {
        *self.skipped.entry((skip.layer.name(), skip.reason.name())).or_default() += 1;
    }

    /// Whether nothing was lost silently.
    pub fn conserved(&self) -> bool {
        self.packets == self.segments + self.skipped.values().sum::<u64>() && self.fragments.conserved()
    }
}

/// What the analyst saw pass: the figures of the summary.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Exchanges taken from the capture thread.
    pub exchanges: u64,
    /// Of those, reported: neither shed nor behind the limit of `-c`.
    pub reported: u64,
    /// Refused by every filter of the outputs.
    pub filtered: u64,
    /// Shed under pressure.
    pub shed: u64,
    /// Behind the limit of `-c`.
    pub beyond_limit: u64,
    /// With both halves, each complete, or as far as it had come where it goes on.
    pub whole: u64,
    /// Request and response present, but one of them was not read whole.
    pub truncated: u64,
    /// Of those, with every byte captured: a limit of the sensor kept part from being read.
    pub capped: u64,
    /// Without response.
    pub requests_alone: u64,
    /// Without request.
    pub responses_alone: u64,
    /// Messages and ends of exchanges that were reported before.
    pub children: u64,
    /// Pairs that are not proven.
    pub uncertain: u64,
    /// On connections whose beginning was not captured.
    pub joined_late: u64,
    /// By first digit of the status; index 0 counts those without.
    pub status: [u64; 6],
    /// By anomaly, in the order of [`Anomaly::ALL`].
    pub anomalies: Vec<u64>,
    /// Findings told.
    pub findings: u64,
    /// Findings that only repeat one of the same incident, and were counted there.
    pub repeated: u64,
    /// Findings that a mute kept from being told.
    pub muted: u64,
}

impl Tally {
    pub(crate) fn count(&mut self, exchange: &Exchange) {
        self.reported += 1;
        match (&exchange.request, &exchange.response) {
            _ if exchange.child.is_some() => self.children += 1,
            (Some(request), Some(response))
                if [request, response]
                    .iter()
                    .all(|half| matches!(half.seen, Seen::Complete | Seen::Ongoing)) =>
            {
                self.whole += 1;
            }
            (Some(request), Some(response)) => {
                self.truncated += 1;
                let lost = [request, response].iter().any(|half| half.seen == Seen::Truncated);
                self.capped += u64::from(!lost);
            }
            (Some(_), None) => self.requests_alone += 1,
            _ => self.responses_alone += 1,
        }
        self.uncertain += u64::from(exchange.pairing == Pairing::Uncertain);
        self.joined_late += u64::from(exchange.flow.joined_late);
        if exchange.child.is_some() {
            return self.count_anomalies(exchange);
        }
        let status = exchange.response.as_ref().and_then(|response| response.head.status).unwrap_or(0);
        if let Some(count) = self.status.get_mut(usize::from(status / 100)) {
            *count += 1;
        }
        self.count_anomalies(exchange);
    }

    fn count_anomalies(&mut self, exchange: &Exchange) {
        let anomalies = exchange.all_anomalies();
        if !anomalies.is_empty() {
            self.anomalies.resize(Anomaly::ALL.len(), 0);
            for (count, anomaly) in self.anomalies.iter_mut().zip(Anomaly::ALL) {
                *count += u64::from(anomalies.contains(*anomaly));
            }
        }
    }
}

/// How a tap kept up. A file never sheds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Shedding {
    /// The level now.
    pub level: ShedLevel,
    /// The worst level.
    pub worst: ShedLevel,
    /// Times that the level changed.
    pub changes: u64,
    /// Of the exchanges shed, those that are kept while there is any room: refusals, server errors, anomalies.
    pub precious: u64,
    /// Ends of connections with something missing that found no exchange to travel with.
    pub ends: u64,
    /// The most bytes that were on their way between threads.
    pub peak_bytes: u64,
}

impl Shedding {
    /// Adds how another lane kept up.
    pub(crate) fn add(&mut self, other: &Self) {
        self.level = self.level.max(other.level);
        self.worst = self.worst.max(other.worst);
        self.changes += other.changes;
        self.precious += other.precious;
        self.ends += other.ends;
        self.peak_bytes = self.peak_bytes.max(other.peak_bytes);
    }

    pub(crate) fn enter(&mut self, level: ShedLevel) {
        self.changes += u64::from(level != self.level);
        self.worst = self.worst.max(level);
        self.level = level;
    }
}

/// How far a run has come, for progress displays.
#[derive(Debug, Clone, Copy)]
pub struct Snapshot {
    /// Bytes read of how many; `None` on interfaces.
    pub progress: Option<Progress>,
    /// Packets so far.
    pub packets: u64,
    /// Exchanges so far.
    pub exchanges: u64,
    /// What is being shed.
    pub shedding: ShedLevel,
}

/// What a run came to: every counter of every stage, and what was learned.
pub struct Report {
    /// Names of the sources, by number.
    pub sources: Vec<String>,
    /// The source's counters.
    pub source: SourceStats,
    /// What went wrong with sources; what came before was sensed.
    pub source_errors: Vec<SourceError>,
    /// What changed lanes; nothing where there is one.
    pub lanes: LaneCounters,
    /// Packets that each lane decoded, with those that were handed to it.
    pub lane_packets: Vec<u64>,
    /// Decoding.
    pub wire: WireCounters,
    /// Reassembly.
    pub flow: tapwire_flow::Counters,
    /// Parsing.
    pub protocol: tapwire_protocol::Counters,
    /// Decryption.
    pub tls: TlsCounters,
    /// Services behind TLS: what is known of those that were not decrypted.
    pub behind_tls: Services,
    /// What passed the analyst.
    pub tally: Tally,
    /// How long an exchange took in each stage.
    pub pace: Pace,
    /// What inspectors could not do, all of them together.
    pub inspect: tapwire_inspect::Counters,
    /// What became of detectors' records.
    pub detect: tapwire_detect::Counters,
    /// What was shed, and why.
    pub shedding: Shedding,
    /// How well services were seen; empty with analysis off.
    pub coverage: Coverage,
    /// What was learned; `None` with analysis off.
    pub inventory: Option<Inventory>,
    /// Findings, worst first, at most 1,000.
    pub findings: Vec<Finding>,
    /// The same by who is behind them.
    pub incidents: Incidents,
    /// Detectors with their states.
    pub detectors: Option<Detectors>,
    /// What mutes did.
    pub mutes: Vec<crate::Muting>,
    /// What those gave away whose calls were looked at.
    pub radius: Option<tapwire_detect::radius::Radius>,
    /// What policies say, as it stands at the end, worst first, at most 1,000.
    pub postures: Vec<Posture>,
    /// What the policies did.
    pub policies: PolicyCounters,
    /// Which policies could not be judged, and why.
    pub unjudged_policies: Vec<Unjudged>,
    /// What users' rules did, where there are any.
    pub rules: Option<RuleCounters>,
    /// Which detectors could not judge, and why.
    pub not_judged: Vec<NotJudged>,
    /// What became of the packets, where they are kept.
    pub packets: Option<PacketCounters>,
    /// What became of what was learned, where it is kept.
    pub state: Option<StateReport>,
    /// What became of the events.
    pub sinks: Vec<SinkReport>,
    /// Whether the program reading standard output went away.
    pub reader_gone: bool,
    /// Whether the run was stopped from outside.
    pub interrupted: bool,
}

impl Report {
    /// Of no run, but of what others learned: nothing else is known.
    pub fn of_learned(learned: Learned, config: &Config) -> Self {
        let Learned { mut inventory, detectors, incidents, cases, .. } = learned;
        inventory.settle();
        for service in cases.services() {
            inventory.set_posture(service, cases.times(service));
        }
        let mut policies = Policies::new(config.rules.clone(), config.policies);
        policies.set_cases(cases);
        let mut postures = Vec::new();
        policies.look_once(&inventory, &mut postures);
        inventory.keep_day();
        Self {
            sources: Vec::new(),
            source: SourceStats::default(),
            source_errors: Vec::new(),
            lanes: LaneCounters::default(),
            lane_packets: Vec::new(),
            wire: WireCounters::default(),
            flow: tapwire_flow::Counters::default(),
            protocol: tapwire_protocol::Counters::default(),
            tls: TlsCounters::default(),
            behind_tls: Services::default(),
            tally: Tally::default(),
            pace: Pace::default(),
            inspect: tapwire_inspect::Counters::default(),
            detect: detectors.counters(),
            shedding: Shedding::default(),
            coverage: Coverage::new(&config.inventory),
            inventory: Some(inventory),
            findings: Vec::new(),
            incidents,
            detectors: Some(detectors),
            mutes: Vec::new(),
            radius: None,
            postures: sorted(postures),
            policies: policies.counters(),
            unjudged_policies: policies.unjudged(),
            rules: None,
            not_judged: Vec::new(),
            packets: None,
            state: None,
            sinks: Vec::new(),
            reader_gone: false,
            interrupted: false,
        }
    }
}

/// What policies say, worst first; what needs nobody any more comes last.
pub(crate) fn sorted(mut all: Vec<Posture>) -> Vec<Posture> {
    all.sort_by(|one, other| {
        let text = |posture: &Posture| (posture.rule.id.clone(), Arc::clone(&posture.service));
        rank(one).cmp(&rank(other)).then_with(|| text(one).cmp(&text(other)))
    });
    all
}

/// The worst have the least.
pub(crate) fn rank(posture: &Posture) -> (Reverse<bool>, Reverse<Severity>) {
    (Reverse(posture.stage.stands()), Reverse(posture.rule.severity))
}
