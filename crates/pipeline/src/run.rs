//! A run: from opened source and outputs to the report.

use crate::analyst::Analyst;
use crate::heart::{self, Heart, Totals, Vitals};
use crate::keeper::Keeper;
use crate::learned::{Learned, State};
use crate::outlet::Outlet;
use crate::recorder::Recorder;
use crate::report::{Report, Shedding, Snapshot, sorted};
use crate::route::Inline;
use crate::sense::{Sensing, Way};
use crate::threads::threaded;
use crate::{Config, LaneCounters, Notice, ShedLevel, reports};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tapwire_capture::{LinkNotice, Pressure, Source, SourceError, Status};
use tapwire_event::SensorReport;
use tapwire_inspect::Inspector;
use tapwire_inventory::Inventory;
use tapwire_keys::Feed;
use tapwire_protocol::tls::{Services, TlsCounters};
use tapwire_protocol::{ConnectionEnd, ExchangeSink, Message};
use tapwire_store::PacketRing;
use tapwire_wire::Timestamp;

/// On a tap, how often waiting events are sent on.
pub(crate) const FLUSH_EVERY: Duration = Duration::from_millis(250);

/// How long an interrupted tap goes on reading, at the least: longer than the kernel holds packets back.
const SHORTEST_REST: Duration = Duration::from_millis(60);

/// And at the most: what its ring still holds then is counted.
const LONGEST_REST: Duration = Duration::from_secs(3);

/// Troubles of a source that the report keeps: one for each of the most files there can be, and no more of a tap.
const MAX_KEPT_ERRORS: usize = 1 << 16;

/// Whether to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// Go on.
    Continue,
    /// End the run as if the source had ended: everything known is reported.
    Stop,
}

/// Watches a run from the capture thread, between batches of packets.
pub trait Watch: Send {
    /// Some packets later.
    fn tick(&mut self, snapshot: Snapshot) -> Control;

    /// Something to tell at once.
    fn notice(&mut self, notice: &Notice);

    /// A source that goes on has trouble. That of a source with an end stands in the report.
    fn trouble(&mut self, _error: &SourceError) {}

    /// An interface went away or came back.
    fn link(&mut self, _notice: &LinkNotice) {}

    /// How a tap stands.
    fn vitals(&mut self, _vitals: &Vitals) {}
}

/// Senses everything that `source` has and reports it to `outlets`. Ends with the source, when `watch` says so, after
/// `config.max_exchanges`, or when a file's output fails.
pub fn run(source: &mut dyn Source, config: &Config, outlets: Vec<Outlet>, watch: &mut dyn Watch) -> Report {
    run_with(source, config, outlets, watch, Aside::default())
}

/// What a run may have beside its source and its outputs.
#[derive(Default)]
pub struct Aside {
    /// Where packets of connections are kept.
    pub ring: Option<PacketRing>,
    /// Secrets that come while it runs, one feed for each capture thread.
    pub feeds: Vec<Feed>,
    /// Where what is learned is kept, with what was learned before.
    pub state: Option<State>,
    /// What was learned before, in the place of what is kept.
    pub learned: Option<Learned>,
    /// What an earlier pass learned of all that is run now: calls are judged by it, and it is what the run reports and keeps.
    pub known: Option<Inventory>,
}

/// Learns from everything that `source` has, on top of what is known, and tells nothing of it. The report is that of the pass.
pub fn learn(
    source: &mut dyn Source,
    config: &Config,
    mut learned: Learned,
    watch: &mut dyn Watch,
) -> (Learned, Report) {
    let config = Config { tells: false, max_exchanges: None, ..config.clone() };
    // What is told is no business of a pass that tells nothing.
    let cases = std::mem::take(&mut learned.cases);
    let groups = std::mem::take(&mut learned.groups);
    let incidents = std::mem::take(&mut learned.incidents);
    // What was found before is no business of it either.
    let lessons = learned.detectors.lessons();
    let mut detectors = std::mem::replace(&mut learned.detectors, lessons);
    let aside = Aside { learned: Some(learned), ..Aside::default() };
    let mut report = run_with(source, &config, Vec::new(), watch, aside);
    if let Some(pass) = report.detectors.take() {
        detectors.take_lessons(pass);
    }
    let inventory = report.inventory.take().unwrap_or_else(|| Learned::new(&config).inventory);
    (Learned { inventory, detectors, groups, incidents, cases }, report)
}

/// The same, with what it has beside.
pub fn run_with(
    source: &mut dyn Source,
    config: &Config,
    outlets: Vec<Outlet>,
    watch: &mut dyn Watch,
    aside: Aside,
) -> Report {
    let Aside { ring, feeds, state, learned, known } = aside;
    let mut feeds = feeds.into_iter();
    let stop = Arc::new(AtomicBool::new(false));
    let (before, keeper) = kept(state, config, source);
    let mut analyst =
        Analyst::new(config, learned.unwrap_or(before), outlets, source.names(), Arc::clone(&stop));
    analyst.keeper = keeper;
    analyst.known = known;
    let recorder = ring.map(|ring| Recorder::start(ring, source.pressure()));
    analyst.pinner = recorder.as_ref().map(Recorder::pinner);
    let heart = (source.pressure() == Pressure::Shed).then(|| Heart::new(config.heartbeat, Instant::now()));
    let mut lanes = source.take_lanes();
    let totals = Arc::new(Totals::new(1 + lanes.len()));
    let mut drive = |source, watch, lane, heart, recorder| Drive {
        source,
        watch,
        stop: Arc::clone(&stop),
        heart,
        lane,
        totals: Arc::clone(&totals),
        interrupted: false,
        interrupt: None,
        errors: Vec::new(),
        recorder,
        feed: feeds.next(),
    };
    let mut idle: Vec<Unwatched> = lanes.iter().map(|_| Unwatched).collect();
    let mut others: Vec<Drive<'_>> = lanes
        .iter_mut()
        .zip(&mut idle)
        .zip(1..)
        .map(|((source, watch), lane)| {
            drive(&mut **source as &mut dyn Source, watch as &mut dyn Watch, lane, None, None)
        })
        .collect();
    let mut first = drive(source, watch, 0, heart, recorder);
    let ended = if config.threads == 0 && others.is_empty() {
        inline(&mut first, config, analyst)
    } else {
        threaded(&mut first, &mut others, config, analyst)
    };
    for mut other in others {
        first.errors.append(&mut other.errors);
    }
    ended.report(first, config)
}

/// What was learned before, and who writes what is learned. Of a source with an end that is done at its end alone.
fn kept(state: Option<State>, config: &Config, source: &dyn Source) -> (Learned, Option<Keeper>) {
    let Some(State { checkpoints, every, learned }) = state else { return (Learned::new(config), None) };
    let every = every.filter(|_| source.is_endless());
    let key = config.inventory.token_key.clone();
    (learned, Some(Keeper::start(checkpoints, every, key)))
}

/// The loop over the source, the same for every number of threads.
pub(crate) struct Drive<'a> {
    pub(crate) source: &'a mut dyn Source,
    watch: &'a mut dyn Watch,
    pub(crate) stop: Arc<AtomicBool>,
    /// Of a tap: its first lane's.
    heart: Option<Heart>,
    lane: usize,
    totals: Arc<Totals>,
    interrupted: bool,
    /// When a tap was interrupted, and how many packets came before that.
    interrupt: Option<(Instant, u64)>,
    errors: Vec<SourceError>,
    recorder: Option<Recorder>,
    feed: Option<Feed>,
}

impl Drive<'_> {
    pub(crate) fn sense<W: Way>(&mut self, sensing: &mut Sensing<W>) {
        let (mut seen, mut last_packet) = (0, Instant::now());
        loop {
            // Secrets first: what came before these packets is theirs.
            self.feed.iter().filter(|feed| !feed.is_empty()).for_each(|feed| sensing.take_secrets(feed));
            match self.read(sensing) {
                Ok(Status::End) => break,
                Ok(Status::Idle) if self.source.pressure() == Pressure::Shed => {
                    sensing.quiet(i64::try_from(last_packet.elapsed().as_nanos()).unwrap_or(i64::MAX));
                }
                Ok(_) => {}
                Err(error) => {
                    let partial = error.is_partial();
                    self.note(error);
                    if !partial {
                        break;
                    }
                }
            }
            // A file says them before the packets that they are for.
            self.source.take_secrets().iter().for_each(|secrets| sensing.secrets(secrets));
            if let Some(recorder) = &mut self.recorder {
                recorder.tick();
                recorder.notices().for_each(|notice| self.watch.notice(&notice));
            }
            self.tell(sensing);
            // Other lanes may have handed some over where this one's own interface was quiet.
            let packets = sensing.wire().packets;
            if packets > seen {
                (seen, last_packet) = (packets, Instant::now());
            }
            sensing.sink().between_batches();
            sensing.follow();
            sensing.sink().notices().iter().for_each(|notice| self.watch.notice(notice));
            if self.is_over(sensing) && self.is_read_out() {
                break;
            }
        }
        self.source.count();
        if self.totals.lanes() > 1 {
            // Where this lane ends, for whatever reason, the others do.
            self.stop.store(true, Ordering::Relaxed);
        }
        sensing.finish();
        self.totals.end(self.lane, self.source.stats());
    }

    /// Asks the source for packets. A tap that is behind leaves them in the kernel's ring, as long as that has room.
    fn read<W: Way>(&mut self, sensing: &mut Sensing<W>) -> Result<Status, SourceError> {
        if self.source.pressure() == Pressure::Shed {
            sensing.sink().ring(self.source.backlog().percent);
            if sensing.sink().waits() {
                return Ok(Status::More);
            }
        }
        let recorder = &mut self.recorder;
        self.source.dispatch_bursts(&mut |packets| sensing.packets(packets, recorder.as_mut()))
    }

    /// Whether an interrupted tap has read what came before the interrupt, or has tried for long enough.
    fn is_read_out(&mut self) -> bool {
        if !self.interrupted || self.source.pressure() == Pressure::Block {
            return true;
        }
        let received = self.source.stats().received;
        let waiting = self.source.backlog().packets;
        let (since, until) = *self.interrupt.get_or_insert_with(|| (Instant::now(), received + waiting));
        let span = since.elapsed();
        span >= LONGEST_REST || span >= SHORTEST_REST && received >= until
    }

    /// What a tap has to say about itself.
    fn tell<W: Way>(&mut self, sensing: &mut Sensing<W>) {
        if self.source.pressure() == Pressure::Block {
            return;
        }
        sensing.exchange_with_lanes();
        let vitals = Vitals {
            source: self.source.stats(),
            packets: sensing.wire().packets,
            exchanges: sensing.protocol().exchanges,
            level: sensing.level() as u64,
        };
        let vitals = self.totals.update(self.lane, vitals);
        let notices = self.source.take_link_notices();
        let Some(heart) = &mut self.heart else { return };
        self.watch.vitals(&vitals);
        for notice in notices {
            self.watch.link(&notice);
            sensing.sink().sensor(heart::link(&notice, &vitals.source, heart::now()));
        }
        for report in heart.beat(Instant::now(), &vitals) {
            sensing.sink().sensor(report);
        }
    }

    /// Keeps trouble for the report; a source without an end tells it at once, too.
    fn note(&mut self, error: SourceError) {
        if self.source.is_endless() {
            self.watch.trouble(&error);
        }
        if self.errors.len() < MAX_KEPT_ERRORS {
            self.errors.push(error);
        }
    }

    fn is_over<W: Way>(&mut self, sensing: &Sensing<W>) -> bool {
        let snapshot = Snapshot {
            progress: self.source.progress(),
            packets: sensing.wire().packets,
            exchanges: sensing.protocol().exchanges,
            shedding: sensing.level(),
        };
        if self.watch.tick(snapshot) == Control::Stop {
            self.interrupted = true;
        }
        self.interrupted || self.stop.load(Ordering::Relaxed)
    }
}

/// Nobody watches: the run ends with its source, or with its first lane.
#[derive(Debug, Clone, Copy)]
pub struct Unwatched;

impl Watch for Unwatched {
    fn tick(&mut self, _snapshot: Snapshot) -> Control {
        Control::Continue
    }

    fn notice(&mut self, _notice: &Notice) {}
}

/// What is left when all threads are done.
pub(crate) struct Ended {
    pub(crate) analyst: Analyst,
    pub(crate) lanes: LaneCounters,
    pub(crate) lane_packets: Vec<u64>,
    pub(crate) wire: crate::WireCounters,
    pub(crate) flow: tapwire_flow::Counters,
    pub(crate) protocol: tapwire_protocol::Counters,
    pub(crate) inspect: tapwire_inspect::Counters,
    pub(crate) shedding: Shedding,
    /// Connections that ended with something missing behind the last exchange.
    pub(crate) ends: Vec<ConnectionEnd>,
    pub(crate) tls: (TlsCounters, Services),
}

impl Ended {
    fn report(self, drive: Drive<'_>, config: &Config) -> Report {
        let mut analyst = self.analyst;
        analyst.finish_coverage(&self.ends);
        analyst.take_known();
        // Before everything is judged that is few calls old: the next run knows more.
        analyst.keep_last();
        analyst.finish_learning();
        let state = analyst.finish_keeping();
        let detectors = &analyst.detectors;
        let mut report = Report {
            sources: drive.source.names().all(),
            source: drive.totals.source(),
            lanes: self.lanes,
            lane_packets: self.lane_packets,
            source_errors: drive.errors,
            wire: self.wire,
            flow: self.flow,
            protocol: self.protocol,
            tls: self.tls.0,
            behind_tls: self.tls.1,
            inspect: self.inspect,
            detect: detectors.counters(),
            rules: analyst.rules.as_ref().map(|rules| rules.counters()),
            not_judged: if config.analysis { detectors.not_judged() } else { Vec::new() },
            shedding: self.shedding,
            tally: analyst.tally,
            pace: analyst.pace,
            coverage: analyst.coverage,
            unjudged_policies: if config.analysis { analyst.policies.unjudged() } else { Vec::new() },
            policies: analyst.policies.counters(),
            postures: sorted(analyst.postures.into_values().collect()),
            inventory: config.analysis.then_some(analyst.inventory),
            findings: analyst.findings.into_sorted(),
            mutes: analyst.mutes.into_report(),
            radius: analyst.radius,
            incidents: analyst.incidents,
            detectors: Some(analyst.detectors),
            sinks: Vec::new(),
            packets: drive.recorder.map(Recorder::finish),
            state,
            reader_gone: false,
            interrupted: drive.interrupted,
        };
        let not_judged = reports::not_judged(&report);
        let summary = reports::summary(&report);
        let behind_tls = reports::behind_tls(&report.behind_tls);
        for mut outlet in analyst.outlets {
            behind_tls.iter().chain(&not_judged).chain(&summary).for_each(|report| outlet.sensor(report));
            let (sinks, gone) = outlet.finish();
            report.sinks.extend(sinks);
            report.reader_gone |= gone;
        }
        report
    }
}

pub(crate) fn inspector(config: &Config) -> Option<Inspector> {
    config.analysis.then(|| Inspector::new(config.inspect.clone()))
}

struct InlineWay {
    inline: Inline,
    endless: bool,
    stop: Arc<AtomicBool>,
    flushed: Instant,
}

impl ExchangeSink for InlineWay {
    fn exchange(&mut self, exchange: tapwire_protocol::Exchange) {
        self.inline.exchange(exchange);
    }

    fn body_part(&mut self, part: tapwire_protocol::BodyPart) {
        self.inline.body_part(part);
    }

    fn spare(&mut self) -> Option<Box<Message>> {
        self.inline.spare()
    }
}

impl Way for InlineWay {
    /// One thread cannot fall behind itself; on a tap, which had better have more, the kernel's ring fills, and its drops are
    /// counted.
    fn level(&self) -> ShedLevel {
        ShedLevel::None
    }

    fn ring(&mut self, _percent: usize) {}

    fn waits(&mut self) -> bool {
        false
    }

    fn degraded(&mut self, _from: ShedLevel, _time: Timestamp) {}

    fn sensor(&mut self, report: SensorReport) {
        self.inline.analyst.sensor(&report);
    }

    fn between_batches(&mut self) {
        if self.endless && self.flushed.elapsed() >= FLUSH_EVERY {
            self.inline.analyst.flush(true);
            self.flushed = Instant::now();
        }
        self.inline.analyst.checkpoint();
        if self.inline.analyst.is_stuck() {
            self.stop.store(true, Ordering::Relaxed);
        }
    }

    fn notices(&mut self) -> Vec<Notice> {
        self.inline.analyst.notices()
    }
}

fn inline(drive: &mut Drive<'_>, config: &Config, analyst: Analyst) -> Ended {
    let way = InlineWay {
        inline: Inline::new(inspector(config), analyst),
        endless: drive.source.is_endless(),
        stop: Arc::clone(&drive.stop),
        flushed: Instant::now(),
    };
    let mut sensing = Sensing::new(config, None, way);
    drive.sense(&mut sensing);
    let (wire, flow, protocol) = sensing.counters();
    let (ends, tls) = (sensing.take_ends(), sensing.take_tls());
    let inline = sensing.into_sink().inline;
    let inspect = inline.inspector.as_ref().map(Inspector::counters).unwrap_or_default();
    let (lanes, lane_packets) = (LaneCounters::default(), vec![wire.packets]);
    let shedding = Shedding::default();
    Ended { analyst: inline.analyst, lanes, lane_packets, wire, flow, protocol, inspect, shedding, ends, tls }
}
