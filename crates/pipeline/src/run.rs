//! A run: from opened source and outputs to the report.

use crate::analyst::Analyst;
use crate::flight::Flight;
use crate::outlet::Outlet;
use crate::report::{Report, Snapshot};
use crate::route::{Inline, Lanes, Router};
use crate::sense::Sensing;
use crate::work::{Seen, Work, weight};
use crate::{Config, ShedLevel};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tapwire_capture::{Pressure, Source, SourceError, Status};
use tapwire_inspect::Inspector;
use tapwire_protocol::{ExchangeSink, Message};
use tapwire_sink::Notice;

/// Batches that a channel holds.
const CHANNEL: usize = 64;

/// On a tap, how often waiting events are sent on.
const FLUSH_EVERY: Duration = Duration::from_millis(250);

/// Whether to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// Go on.
    Continue,
    /// End the run as if the source had ended: everything known is reported.
    Stop,
}

/// Watches a run from the capture thread, between batches of packets.
pub trait Watch {
    /// Some packets later.
    fn tick(&mut self, snapshot: Snapshot) -> Control;

    /// An output began to fail, or works again.
    fn notice(&mut self, notice: &Notice);
}

/// Senses everything that `source` has and reports it to `outlets`. Ends with the source, when `watch` says so, after
/// `config.max_exchanges`, or when a file's output fails.
pub fn run(source: &mut dyn Source, config: &Config, outlets: Vec<Outlet>, watch: &mut dyn Watch) -> Report {
    let stop = Arc::new(AtomicBool::new(false));
    let names: Arc<Vec<String>> = Arc::new(source_names(source));
    let analyst = Analyst::new(config, outlets, Arc::clone(&names), Arc::clone(&stop));
    let mut drive = Drive { source, watch, stop, interrupted: false, errors: Vec::new() };
    let ended = if config.threads == 0 { inline(&mut drive, config, analyst) } else { threaded(&mut drive, config, analyst) };
    ended.report(drive, config, names)
}

fn source_names(source: &dyn Source) -> Vec<String> {
    let count = u16::try_from(source.count()).unwrap_or(u16::MAX);
    (0..count).map(|id| source.name(tapwire_wire::SourceId(id)).to_owned()).collect()
}

/// The loop over the source, the same for every number of threads.
struct Drive<'a> {
    source: &'a mut dyn Source,
    watch: &'a mut dyn Watch,
    stop: Arc<AtomicBool>,
    interrupted: bool,
    errors: Vec<SourceError>,
}

/// What a sensing loop needs of the way out behind it.
trait Way: ExchangeSink {
    fn between_batches(&mut self, quiet: bool) -> ShedLevel;
    fn notices(&mut self) -> Vec<Notice>;
}

impl Drive<'_> {
    fn sense<W: Way>(&mut self, sensing: &mut Sensing<W>, config: &Config) {
        let mut level = ShedLevel::None;
        let mut last_packet = Instant::now();
        loop {
            let before = sensing.wire().packets;
            let status = self.source.dispatch(&mut |packet| sensing.packet(packet));
            let quiet = sensing.wire().packets == before;
            match status {
                Ok(Status::End) => break,
                Ok(Status::Idle) if self.source.pressure() == Pressure::Shed => {
                    sensing.quiet(i64::try_from(last_packet.elapsed().as_nanos()).unwrap_or(i64::MAX));
                }
                Ok(_) => {}
                Err(error) => {
                    let partial = error.is_partial();
                    self.errors.push(error);
                    if !partial {
                        break;
                    }
                }
            }
            if !quiet {
                last_packet = Instant::now();
            }
            let now = sensing.sink().between_batches(quiet);
            if now != level {
                level = now;
                let (bytes, parts) = level.body_limit(config.protocol.body_bytes);
                sensing.limit_bodies(bytes, parts);
            }
            sensing.sink().notices().iter().for_each(|notice| self.watch.notice(notice));
            if self.is_over(sensing, level) {
                break;
            }
        }
        sensing.finish();
    }

    fn is_over<W: Way>(&mut self, sensing: &Sensing<W>, shedding: ShedLevel) -> bool {
        let snapshot = Snapshot {
            progress: self.source.progress(),
            packets: sensing.wire().packets,
            exchanges: sensing.protocol().exchanges,
            shedding,
        };
        if self.watch.tick(snapshot) == Control::Stop {
            self.interrupted = true;
        }
        self.interrupted || self.stop.load(Ordering::Relaxed)
    }
}

/// What is left when all threads are done.
struct Ended {
    analyst: Analyst,
    wire: crate::WireCounters,
    flow: tapwire_flow::Counters,
    protocol: tapwire_protocol::Counters,
    worst: ShedLevel,
}

impl Ended {
    fn report(self, drive: Drive<'_>, config: &Config, names: Arc<Vec<String>>) -> Report {
        let mut analyst = self.analyst;
        analyst.sort_findings();
        let mut sinks = Vec::new();
        let mut reader_gone = false;
        for outlet in analyst.outlets {
            let (reports, _, gone) = outlet.finish();
            sinks.extend(reports);
            reader_gone |= gone;
        }
        Report {
            sources: names.to_vec(),
            source: drive.source.stats(),
            source_errors: drive.errors,
            wire: self.wire,
            flow: self.flow,
            protocol: self.protocol,
            tally: analyst.tally,
            worst_shedding: self.worst,
            not_judged: if config.analysis { analyst.detectors.not_judged() } else { Vec::new() },
            inventory: config.analysis.then_some(analyst.inventory),
            findings: analyst.findings,
            sinks,
            reader_gone,
            interrupted: drive.interrupted,
        }
    }
}

fn inspector(config: &Config) -> Option<Inspector> {
    config.analysis.then(|| Inspector::new(config.inspect.clone()))
}

struct InlineWay {
    inline: Inline,
    pressure: Pressure,
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
    fn between_batches(&mut self, _quiet: bool) -> ShedLevel {
        if self.pressure == Pressure::Shed && self.flushed.elapsed() >= FLUSH_EVERY {
            self.inline.analyst.flush(true);
            self.flushed = Instant::now();
        }
        if self.inline.analyst.is_stuck() {
            self.stop.store(true, Ordering::Relaxed);
        }
        ShedLevel::None
    }

    fn notices(&mut self) -> Vec<Notice> {
        self.inline.analyst.notices()
    }
}

fn inline(drive: &mut Drive<'_>, config: &Config, analyst: Analyst) -> Ended {
    let way = InlineWay {
        inline: Inline::new(inspector(config), analyst),
        pressure: drive.source.pressure(),
        stop: Arc::clone(&drive.stop),
        flushed: Instant::now(),
    };
    let mut sensing = Sensing::new(config.flow.clone(), config.protocol.clone(), way);
    drive.sense(&mut sensing, config);
    let (wire, flow, protocol) = sensing.counters();
    Ended { analyst: sensing.into_sink().inline.analyst, wire, flow, protocol, worst: ShedLevel::None }
}

struct RouterWay {
    router: Router,
    notices: Receiver<Notice>,
}

impl ExchangeSink for RouterWay {
    fn exchange(&mut self, exchange: tapwire_protocol::Exchange) {
        self.router.exchange(exchange);
    }

    fn body_part(&mut self, part: tapwire_protocol::BodyPart) {
        self.router.body_part(part);
    }

    fn spare(&mut self) -> Option<Box<Message>> {
        self.router.spare()
    }
}

impl Way for RouterWay {
    fn between_batches(&mut self, _quiet: bool) -> ShedLevel {
        self.router.flush();
        self.router.level()
    }

    fn notices(&mut self) -> Vec<Notice> {
        self.notices.try_iter().collect()
    }
}

fn threaded(drive: &mut Drive<'_>, config: &Config, analyst: Analyst) -> Ended {
    let pressure = drive.source.pressure();
    let stop = Arc::clone(&drive.stop);
    let flight = Flight::new(config.in_flight_bytes);
    let (recycle, recycled) = bounded(CHANNEL);
    let (notify, notices) = bounded(CHANNEL);
    let (report, reports) = bounded::<Vec<Seen>>(CHANNEL);
    std::thread::scope(|scope| {
        let lanes = if config.analysis {
            let lanes = (0..config.threads).map(|_| {
                let (lane, work) = bounded(CHANNEL);
                let (inspector, report, flight) = (inspector(config), report.clone(), flight.clone());
                scope.spawn(move || inspect(inspector, &work, &report, &flight));
                lane
            });
            Lanes::Inspectors(lanes.collect())
        } else {
            Lanes::Analyst(report.clone())
        };
        drop(report);
        let desk = Desk { analyst, reports, recycle, notify, flight: flight.clone(), stop: Arc::clone(&stop), pressure };
        let desk = scope.spawn(move || desk.work());
        let router = Router::new(lanes, flight, pressure, recycled, stop);
        let mut sensing = Sensing::new(config.flow.clone(), config.protocol.clone(), RouterWay { router, notices });
        drive.sense(&mut sensing, config);
        let (wire, flow, protocol) = sensing.counters();
        let router = sensing.into_sink().router;
        let worst = router.worst();
        router.finish();
        match desk.join() {
            Ok(analyst) => Ended { analyst, wire, flow, protocol, worst },
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

fn inspect(inspector: Option<Inspector>, work: &Receiver<Vec<Work>>, report: &Sender<Vec<Seen>>, flight: &Flight) {
    let Some(mut inspector) = inspector else {
        return;
    };
    for batch in work {
        let mut seen = Vec::with_capacity(batch.len());
        for item in batch {
            match item {
                Work::Exchange(exchange) => seen.push(Seen::Observed(inspector.exchange(exchange))),
                Work::Shed(shed) => seen.push(Seen::Shed(shed)),
                Work::Part(part) => {
                    inspector.part(&part);
                    flight.landed(part.bytes.capacity());
                }
            }
        }
        if report.send(seen).is_err() {
            return;
        }
    }
}

/// The analyst's thread.
struct Desk {
    analyst: Analyst,
    reports: Receiver<Vec<Seen>>,
    recycle: Sender<Vec<Box<Message>>>,
    notify: Sender<Notice>,
    flight: Flight,
    stop: Arc<AtomicBool>,
    pressure: Pressure,
}

impl Desk {
    fn work(mut self) -> Analyst {
        let mut flushed = Instant::now();
        loop {
            match self.reports.recv_timeout(FLUSH_EVERY) {
                Ok(batch) => self.take(batch),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return self.analyst,
            }
            if self.pressure == Pressure::Shed && flushed.elapsed() >= FLUSH_EVERY {
                self.analyst.flush(true);
                flushed = Instant::now();
            }
            for notice in self.analyst.notices() {
                // A notice that finds no room repeats what is already waiting to be shown.
                let _ = self.notify.try_send(notice);
            }
            if self.analyst.is_stuck() {
                self.stop.store(true, Ordering::Relaxed);
            }
        }
    }

    fn take(&mut self, batch: Vec<Seen>) {
        let mut spares = Vec::with_capacity(2 * batch.len());
        for seen in batch {
            let weight = match &seen {
                Seen::Observed(observation) => weight(&observation.exchange),
                Seen::Plain(exchange) => weight(exchange),
                Seen::Shed(_) => 0,
            };
            self.analyst.take(seen, &mut spares);
            self.flight.landed(weight);
        }
        // When the capture thread has spares enough, these are freed.
        let _ = self.recycle.try_send(spares);
    }
}
