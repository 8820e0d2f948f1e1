//! The run on several threads: capture, inspectors, analyst.

use crate::analyst::Analyst;
use crate::flight::Flight;
use crate::lanes::{LaneCounters, Numbers, connected};
use crate::pace::{Lap, Pace, Stage};
use crate::report::{Shedding, WireCounters};
use crate::reports;
use crate::route::{LaneBatch, Lanes, Router, WorkBatch};
use crate::run::{Drive, Ended, FLUSH_EVERY, inspector};
use crate::sense::{Sensing, Way};
use crate::work::{Landed, Seen, Spares, Work};
use crate::{Config, Notice, ShedLevel};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};
use tapwire_capture::Pressure;
use tapwire_event::SensorReport;
use tapwire_inspect::{Inspector, Used};
use tapwire_protocol::tls::{Services, TlsCounters};
use tapwire_protocol::{BodyPart, ConnectionEnd, Exchange, ExchangeSink, Message};
use tapwire_wire::Timestamp;

/// Batches that a channel holds.
const CHANNEL: usize = 64;

/// The same where a file waits: what is read far ahead has left the caches when the next thread comes to it, which costs
/// a fifth of the CPU. A tap keeps what comes near by itself, and needs the room for bursts.
const CHANNEL_OF_FILE: usize = 8;

/// While what was learned is written and no calls come, how soon its next piece is given.
const KEEP_EVERY: Duration = Duration::from_millis(1);

/// The capture thread's end of the channels.
struct RouterWay {
    router: Router,
    notices: Receiver<Notice>,
    reports: Sender<SensorReport>,
}

impl ExchangeSink for RouterWay {
    fn exchange(&mut self, exchange: Exchange) {
        self.router.exchange(exchange);
    }

    fn body_part(&mut self, part: BodyPart) {
        self.router.body_part(part);
    }

    fn spare(&mut self) -> Option<Box<Message>> {
        self.router.spare()
    }
}

impl Way for RouterWay {
    fn level(&self) -> ShedLevel {
        self.router.level()
    }

    fn ring(&mut self, percent: usize) {
        self.router.ring(percent);
    }

    fn waits(&mut self) -> bool {
        self.router.waits()
    }

    fn degraded(&mut self, from: ShedLevel, time: Timestamp) {
        // Where an output stands still for so long that this is full, the counter of changes has them all.
        let _ = self.reports.try_send(reports::degraded(from, &self.router.shedding(), time));
    }

    fn sensor(&mut self, report: SensorReport) {
        // As above: heartbeats carry totals, so the next one makes up for it.
        let _ = self.reports.try_send(report);
    }

    fn between_batches(&mut self) {
        self.router.flush();
    }

    fn notices(&mut self) -> Vec<Notice> {
        self.notices.try_iter().collect()
    }
}

/// Runs the first lane on this thread, and the others, inspectors and the analyst on threads of their own.
pub(crate) fn threaded(
    first: &mut Drive<'_>,
    others: &mut [Drive<'_>],
    config: &Config,
    analyst: Analyst,
) -> Ended {
    let (stop, pressure) = (Arc::clone(&first.stop), first.source.pressure());
    let endless = first.source.is_endless();
    let flight = Flight::new(config.in_flight_bytes, 1 + others.len());
    let (recycle, recycled) = bounded(CHANNEL);
    let (notify, notices) = bounded(CHANNEL);
    let (degraded, reports) = bounded(CHANNEL);
    let depth = match pressure {
        Pressure::Block => CHANNEL_OF_FILE,
        Pressure::Shed => CHANNEL,
    };
    let (send, batches) = bounded::<LaneBatch>(depth);
    std::thread::scope(|scope| {
        let (used, reused): (Vec<_>, Vec<_>) = (0..config.threads.max(1)).map(|_| bounded(depth)).unzip();
        let (lanes, inspectors) = lanes(scope, config, (depth, reused), &send, &flight);
        drop(send);
        let desk = Desk {
            analyst,
            batches,
            reports,
            recycle,
            used,
            notify,
            flight: flight.clone(),
            stop: Arc::clone(&stop),
            endless,
        };
        let desk = scope.spawn(move || desk.work());
        let ways: Vec<RouterWay> = numbers(1 + others.len())
            .enumerate()
            .map(|(capture, numbers)| RouterWay {
                router: Router::new(
                    capture,
                    numbers,
                    lanes.clone(),
                    flight.clone(),
                    pressure,
                    recycled.clone(),
                    Arc::clone(&stop),
                ),
                notices: notices.clone(),
                reports: degraded.clone(),
            })
            .collect();
        // Threads end when the last sender is gone: only capture threads may keep one.
        drop((lanes, degraded));
        let captured = capture_all(first, others, ways, config);
        let (inspect, pace) = inspected(inspectors);
        let mut ended = captured.ended(joined(desk));
        ended.analyst.pace.add(&pace);
        ended.inspect = inspect;
        ended
    })
}

/// What all inspectors together came to.
fn inspected(inspectors: Inspectors<'_>) -> (tapwire_inspect::Counters, Pace) {
    inspectors.into_iter().map(joined).fold(Default::default(), |(mut all, mut pace), (counters, timed)| {
        all.add(counters);
        pace.add(&timed);
        (all, pace)
    })
}

/// One capture thread numbers its exchanges itself.
fn numbers(count: usize) -> impl Iterator<Item = Option<Numbers>> {
    let numbers = Numbers::of_lanes(count);
    numbers.into_iter().map(move |numbers| (count > 1).then_some(numbers))
}

/// What capture threads came to.
#[derive(Default)]
struct Captured {
    lanes: LaneCounters,
    lane_packets: Vec<u64>,
    wire: WireCounters,
    flow: tapwire_flow::Counters,
    protocol: tapwire_protocol::Counters,
    shedding: Shedding,
    ends: Vec<ConnectionEnd>,
    tls: (TlsCounters, Services),
}

impl Captured {
    fn add(&mut self, mut other: Self) {
        self.lanes.add(other.lanes);
        self.lane_packets.append(&mut other.lane_packets);
        self.wire.add(&other.wire);
        self.flow.add(&other.flow);
        self.protocol.add(&other.protocol);
        self.shedding.add(&other.shedding);
        self.ends.append(&mut other.ends);
        self.tls.0.add(&other.tls.0);
        self.tls.1.add(other.tls.1);
    }

    fn ended(self, analyst: Analyst) -> Ended {
        let Self { lanes, lane_packets, wire, flow, protocol, shedding, ends, tls } = self;
        Ended {
            analyst,
            lanes,
            lane_packets,
            wire,
            flow,
            protocol,
            shedding,
            ends,
            tls,
            inspect: tapwire_inspect::Counters::default(),
        }
    }
}

/// Runs all capture threads to their ends, the first of them on this one.
fn capture_all(
    first: &mut Drive<'_>,
    others: &mut [Drive<'_>],
    ways: Vec<RouterWay>,
    config: &Config,
) -> Captured {
    let lanes = connected(ways.len());
    let share = share_of(config, ways.len());
    let mut sensings = lanes.into_iter().zip(ways).map(|(lane, way)| Sensing::new(&share, lane, way));
    let Some(sensing) = sensings.next() else { return Captured::default() };
    std::thread::scope(|scope| {
        let others: Vec<_> = others
            .iter_mut()
            .zip(sensings)
            .map(|(drive, sensing)| scope.spawn(move || capture(drive, sensing)))
            .collect();
        let mut captured = capture(first, sensing);
        others.into_iter().map(joined).for_each(|other| captured.add(other));
        captured
    })
}

/// Each lane has its share of the memory.
fn share_of(config: &Config, lanes: usize) -> Config {
    let mut share = config.clone();
    share.flow.memory /= lanes.max(1);
    share.flow.out_of_order_memory /= lanes.max(1);
    share
}

fn capture(drive: &mut Drive<'_>, mut sensing: Sensing<RouterWay>) -> Captured {
    drive.sense(&mut sensing);
    let lanes = sensing.lane_counters();
    let (wire, flow, protocol) = sensing.counters();
    let (ends, tls) = (sensing.take_ends(), sensing.take_tls());
    let mut router = sensing.into_sink().router;
    let ends = router.take_ends(ends);
    let shedding = router.shedding();
    router.finish();
    Captured { lanes, lane_packets: vec![wire.packets], wire, flow, protocol, shedding, ends, tls }
}

type Inspectors<'scope> = Vec<ScopedJoinHandle<'scope, (tapwire_inspect::Counters, Pace)>>;

/// Starts the inspectors; with analysis off there are none, and exchanges go straight to the analyst.
fn lanes<'scope>(
    scope: &'scope Scope<'scope, '_>,
    config: &Config,
    (depth, reused): (usize, Vec<Receiver<Vec<Used>>>),
    send: &Sender<LaneBatch>,
    flight: &Flight,
) -> (Lanes, Inspectors<'scope>) {
    if !config.analysis {
        return (Lanes::Analyst(send.clone()), Vec::new());
    }
    // Several capture threads need one even where it is asked to do without.
    let count = config.threads.max(1);
    let started = reused.into_iter().enumerate().filter_map(|(lane, reused)| {
        let (post, work) = bounded(depth);
        let (inspector, send, flight) = (inspector(config)?, send.clone(), flight.clone());
        Some((post, scope.spawn(move || inspect(inspector, (lane, count), &work, &reused, &send, &flight))))
    });
    let (lanes, inspectors) = started.unzip();
    (Lanes::Inspectors(lanes), inspectors)
}

/// What a thread came to; its panic is this thread's.
fn joined<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn inspect(
    mut inspector: Inspector,
    (lane, lanes): (usize, usize),
    work: &Receiver<WorkBatch>,
    reused: &Receiver<Vec<Used>>,
    send: &Sender<LaneBatch>,
    flight: &Flight,
) -> (tapwire_inspect::Counters, Pace) {
    let mut pace = Pace::default();
    for WorkBatch { capture, work } in work {
        reused.try_iter().flatten().for_each(|used| inspector.reuse(used));
        let mut seen = Vec::with_capacity(work.len());
        for item in work {
            match item {
                Work::Exchange(exchange) => {
                    let mut lap = Lap::begin(exchange.number);
                    let observation = inspector.exchange(exchange);
                    pace.leave(Stage::Inspection, &mut lap);
                    flight.took_off(observation.held());
                    seen.push(Seen::Observed(observation));
                }
                Work::Shed(shed) => seen.push(Seen::Shed(shed)),
                Work::Part(part) => {
                    inspector.part(&part);
                    flight.landed(part.bytes.capacity());
                }
            }
        }
        // Numbers rise within what one capture thread sends to one inspector.
        let lane = capture * lanes + lane;
        if send.send(LaneBatch { lane, seen }).is_err() {
            break;
        }
    }
    (inspector.counters(), pace)
}

/// The analyst's thread.
struct Desk {
    analyst: Analyst,
    batches: Receiver<LaneBatch>,
    reports: Receiver<SensorReport>,
    recycle: Sender<Spares>,
    /// Back to each inspector: what one thread made and another frees costs both.
    used: Vec<Sender<Vec<Used>>>,
    notify: Sender<Notice>,
    flight: Flight,
    stop: Arc<AtomicBool>,
    endless: bool,
}

impl Desk {
    fn work(mut self) -> Analyst {
        let mut flushed = Instant::now();
        loop {
            let wait = if self.analyst.is_checkpointing() { KEEP_EVERY } else { FLUSH_EVERY };
            let batch = self.batches.recv_timeout(wait);
            self.reports.try_iter().for_each(|report| self.analyst.sensor(&report));
            match batch {
                Ok(batch) => self.take(batch),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return self.analyst,
            }
            if self.endless && flushed.elapsed() >= FLUSH_EVERY {
                self.analyst.flush(true);
                flushed = Instant::now();
            }
            self.analyst.checkpoint();
            for notice in self.analyst.notices() {
                // A notice that finds no room repeats what is already waiting to be shown.
                let _ = self.notify.try_send(notice);
            }
            if self.analyst.is_stuck() {
                self.stop.store(true, Ordering::Relaxed);
            }
        }
    }

    fn take(&mut self, batch: LaneBatch) {
        let count = batch.seen.len();
        let mut landed =
            Landed { spares: Vec::with_capacity(2 * count), used: Vec::with_capacity(count), bytes: 0 };
        for seen in batch.seen {
            self.analyst.take(batch.lane, seen, &mut landed);
            self.flight.landed(std::mem::take(&mut landed.bytes));
        }
        // When the capture thread has spares enough, these are freed.
        let _ = self.recycle.try_send(landed.spares);
        let inspector = batch.lane.checked_rem(self.used.len()).and_then(|lane| self.used.get(lane));
        if let Some(inspector) = inspector {
            // What finds no room is freed here.
            let _ = inspector.try_send(landed.used);
        }
    }
}
