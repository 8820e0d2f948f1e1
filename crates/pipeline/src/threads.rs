//! The run on several threads: capture, inspectors, analyst.

use crate::analyst::Analyst;
use crate::flight::Flight;
use crate::reports;
use crate::route::{LaneBatch, Lanes, Router};
use crate::run::{Drive, Ended, FLUSH_EVERY, inspector};
use crate::sense::{Sensing, Way};
use crate::work::{Landed, Seen, Spares, Work};
use crate::{Config, ShedLevel};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Scope, ScopedJoinHandle};
use std::time::Instant;
use tapwire_event::SensorReport;
use tapwire_inspect::Inspector;
use tapwire_protocol::{BodyPart, Exchange, ExchangeSink, Message};
use tapwire_sink::Notice;
use tapwire_wire::Timestamp;

/// Batches that a channel holds.
const CHANNEL: usize = 64;

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

/// Runs `drive` on this thread, inspectors and the analyst on their own.
pub(crate) fn threaded(drive: &mut Drive<'_>, config: &Config, analyst: Analyst) -> Ended {
    let pressure = drive.source.pressure();
    let stop = Arc::clone(&drive.stop);
    let flight = Flight::new(config.in_flight_bytes);
    let (recycle, recycled) = bounded(CHANNEL);
    let (notify, notices) = bounded(CHANNEL);
    let (degraded, reports) = bounded(CHANNEL);
    let (send, batches) = bounded::<LaneBatch>(CHANNEL);
    std::thread::scope(|scope| {
        let (lanes, inspectors) = lanes(scope, config, &send, &flight);
        drop(send);
        let flown = flight.clone();
        let desk = Desk {
            analyst,
            batches,
            reports,
            recycle,
            notify,
            flight: flown,
            stop: Arc::clone(&stop),
            endless: drive.source.is_endless(),
        };
        let desk = scope.spawn(move || desk.work());
        let router = Router::new(lanes, flight, pressure, recycled, stop);
        let way = RouterWay { router, notices, reports: degraded };
        let mut sensing = Sensing::new(config, way);
        drive.sense(&mut sensing);
        let (wire, flow, protocol) = sensing.counters();
        let ends = sensing.take_ends();
        let mut router = sensing.into_sink().router;
        let ends = router.take_ends(ends);
        let shedding = router.shedding();
        router.finish();
        let mut inspect = tapwire_inspect::Counters::default();
        for counters in inspectors.into_iter().map(joined) {
            inspect.evicted_messages += counters.evicted_messages;
            inspect.orphan_parts += counters.orphan_parts;
        }
        Ended { analyst: joined(desk), wire, flow, protocol, inspect, shedding, ends }
    })
}

type Inspectors<'scope> = Vec<ScopedJoinHandle<'scope, tapwire_inspect::Counters>>;

/// Starts the inspectors; with analysis off there are none, and exchanges go straight to the analyst.
fn lanes<'scope>(
    scope: &'scope Scope<'scope, '_>,
    config: &Config,
    send: &Sender<LaneBatch>,
    flight: &Flight,
) -> (Lanes, Inspectors<'scope>) {
    if !config.analysis {
        return (Lanes::Analyst(send.clone()), Vec::new());
    }
    let started = (0..config.threads).filter_map(|lane| {
        let (post, work) = bounded(CHANNEL);
        let (inspector, send, flight) = (inspector(config)?, send.clone(), flight.clone());
        Some((post, scope.spawn(move || inspect(inspector, lane, &work, &send, &flight))))
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
    lane: usize,
    work: &Receiver<Vec<Work>>,
    send: &Sender<LaneBatch>,
    flight: &Flight,
) -> tapwire_inspect::Counters {
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
        if send.send(LaneBatch { lane, seen }).is_err() {
            break;
        }
    }
    inspector.counters()
}

/// The analyst's thread.
struct Desk {
    analyst: Analyst,
    batches: Receiver<LaneBatch>,
    reports: Receiver<SensorReport>,
    recycle: Sender<Spares>,
    notify: Sender<Notice>,
    flight: Flight,
    stop: Arc<AtomicBool>,
    endless: bool,
}

impl Desk {
    fn work(mut self) -> Analyst {
        let mut flushed = Instant::now();
        loop {
            let batch = self.batches.recv_timeout(FLUSH_EVERY);
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
        let mut landed = Landed { spares: Vec::with_capacity(2 * batch.seen.len()), bytes: 0 };
        for seen in batch.seen {
            self.analyst.take(batch.lane, seen, &mut landed);
            self.flight.landed(std::mem::take(&mut landed.bytes));
        }
        // When the capture thread has spares enough, these are freed.
        let _ = self.recycle.try_send(landed.spares);
    }
}
