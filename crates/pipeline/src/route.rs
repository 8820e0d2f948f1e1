//! The capture thread's way out: to the analyst on the same thread, or over channels to other threads.

use crate::ShedLevel;
use crate::analyst::Analyst;
use crate::flight::{Flight, Gauge};
use crate::lanes::Numbers;
use crate::pace::{Lap, Stage};
use crate::report::Shedding;
use crate::work::{Landed, Seen, Shed, Spares, Work, weight};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tapwire_capture::Pressure;
use tapwire_inspect::Inspector;
use tapwire_protocol::{BodyPart, ConnectionEnd, Exchange, ExchangeSink, Message};

/// Items that travel together: a send costs 33 ns alone and 5 ns in such a batch.
const BATCH: usize = 32;

/// How long a full way is waited for before looking again.
const MOMENT: Duration = Duration::from_millis(1);

/// How long a tap leaves packets in the ring before it looks again how full that is.
const LONGEST_WAIT: Duration = Duration::from_millis(10);

/// Ends of connections that wait for an exchange that is not shed.
const MAX_ENDS: usize = 4_096;

/// Everything on the capture thread: the reference that threads must equal.
pub(crate) struct Inline {
    pub(crate) inspector: Option<Inspector>,
    pub(crate) analyst: Analyst,
    landed: Landed,
}

impl Inline {
    pub(crate) fn new(inspector: Option<Inspector>, analyst: Analyst) -> Self {
        Self { inspector, analyst, landed: Landed::default() }
    }
}

impl ExchangeSink for Inline {
    fn exchange(&mut self, exchange: Exchange) {
        let seen = match &mut self.inspector {
            Some(inspector) => {
                let mut lap = Lap::begin(exchange.number);
                let observation = inspector.exchange(exchange);
                self.analyst.pace.leave(Stage::Inspection, &mut lap);
                Seen::Observed(observation)
            }
            None => Seen::Plain(exchange),
        };
        self.analyst.take(0, seen, &mut self.landed);
        if let Some(inspector) = &mut self.inspector {
            self.landed.used.drain(..).for_each(|used| inspector.reuse(used));
        }
    }

    fn body_part(&mut self, part: BodyPart) {
        if let Some(inspector) = &mut self.inspector {
            inspector.part(&part);
        }
    }

    fn spare(&mut self) -> Option<Box<Message>> {
        self.landed.spares.pop()
    }
}

/// Where batches go.
#[derive(Clone)]
pub(crate) enum Lanes {
    /// One channel an inspector thread; a flow always takes the same.
    Inspectors(Vec<Sender<WorkBatch>>),
    /// Analysis is off.
    Analyst(Sender<LaneBatch>),
}

/// Work for an inspector, and the capture thread that it comes from.
pub(crate) struct WorkBatch {
    pub(crate) capture: usize,
    pub(crate) work: Vec<Work>,
}

/// What came of a batch, and by which lane.
pub(crate) struct LaneBatch {
    pub(crate) lane: usize,
    pub(crate) seen: Vec<Seen>,
}

/// Batches exchanges and hands them to other threads.
pub(crate) struct Router {
    /// Which capture thread it belongs to.
    capture: usize,
    lanes: Lanes,
    /// What waits to be sent, a batch a lane.
    pending: Vec<Vec<Work>>,
    flight: Flight,
    gauge: Gauge,
    /// It has left packets in the ring since the way was crowded.
    waited: bool,
    pressure: Pressure,
    shedding: Shedding,
    /// Where several capture threads send: numbers are given to what is sent on.
    numbers: Option<Numbers>,
    /// Exchanges that were shed and have no numbers yet.
    unnumbered: u64,
    /// Ends of connections that came with exchanges that were shed.
    ends: Vec<ConnectionEnd>,
    recycled: Receiver<Spares>,
    spares: Spares,
    stop: Arc<AtomicBool>,
}

impl Router {
    pub(crate) fn new(
        capture: usize,
        numbers: Option<Numbers>,
        lanes: Lanes,
        flight: Flight,
        pressure: Pressure,
        recycled: Receiver<Spares>,
        stop: Arc<AtomicBool>,
    ) -> Self {
        let count = match &lanes {
            Lanes::Inspectors(lanes) => lanes.len(),
            Lanes::Analyst(_) => 1,
        };
        Self {
            capture,
            lanes,
            pending: (0..count).map(|_| Vec::with_capacity(BATCH)).collect(),
            flight,
            gauge: Gauge::default(),
            waited: false,
            pressure,
            shedding: Shedding::default(),
            numbers,
            unnumbered: 0,
            ends: Vec::new(),
            recycled,
            spares: Vec::new(),
            stop,
        }
    }

    pub(crate) const fn level(&self) -> ShedLevel {
        self.shedding.level
    }

    pub(crate) const fn shedding(&self) -> Shedding {
        self.shedding
    }

    /// Sends what is pending and looks how full the way is: it may have emptied while nothing came.
    pub(crate) fn flush(&mut self) {
        self.number_shed();
        for lane in 0..self.pending.len() {
            self.send(lane);
        }
        self.look();
    }

    /// On a tap, sets the level by how full the way and the ring are.
    fn look(&mut self) {
        if self.pressure == Pressure::Shed {
            self.gauge.way(self.flight.percent());
            self.shedding.enter(self.gauge.level());
        }
    }

    /// On a tap: its ring is so full, in percent.
    pub(crate) fn ring(&mut self, percent: usize) {
        self.gauge.ring(self.flight.ring(self.capture, percent));
    }

    /// On a tap: leaves packets in the ring while the way is crowded and the ring has room, for some milliseconds at most.
    /// True when the way is crowded still.
    pub(crate) fn waits(&mut self) -> bool {
        let until = Instant::now() + LONGEST_WAIT;
        while self.gauge.ring_has_room() && !self.stop.load(Ordering::Relaxed) {
            if !self.flight.is_crowded(self.waited) {
                break;
            }
            self.waited = true;
            if Instant::now() >= until {
                return true;
            }
            // The analyst may be waiting for just what is pending.
            self.flush();
            self.take_back();
        }
        self.waited = false;
        false
    }

    /// Waits for a moment, or less where used messages come back.
    fn take_back(&mut self) -> bool {
        match self.recycled.recv_timeout(MOMENT) {
            Ok(spares) => self.spares.extend(spares),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return false,
        }
        true
    }

    /// Sends the rest, waiting for room also on a tap: the capture is over.
    pub(crate) fn finish(mut self) {
        self.pressure = Pressure::Block;
        self.send(0);
        self.flush();
    }

    /// Ends that found no exchange to travel with, before those of the run's end.
    pub(crate) fn take_ends(&mut self, last: Vec<ConnectionEnd>) -> Vec<ConnectionEnd> {
        self.ends.drain(..).chain(last).collect()
    }

    fn lane_of(&self, flow: u64) -> usize {
        usize::try_from(flow % self.pending.len().max(1) as u64).unwrap_or(0)
    }

    fn push(&mut self, lane: usize, work: Work) {
        let Some(pending) = self.pending.get_mut(lane) else {
            return;
        };
        pending.push(work);
        if pending.len() >= BATCH {
            self.send(lane);
        }
        if self.flight.is_full() && self.pressure == Pressure::Block {
            self.wait_for_room();
        }
    }

    /// A file waits until the analyst has taken enough off; everything pending is sent first, since the analyst may be
    /// waiting for just that.
    fn wait_for_room(&mut self) {
        (0..self.pending.len()).for_each(|lane| self.send(lane));
        while self.flight.is_full() && !self.stop.load(Ordering::Relaxed) && self.take_back() {}
    }

    fn send(&mut self, lane: usize) {
        let Some(pending) = self.pending.get_mut(lane).filter(|pending| !pending.is_empty()) else {
            return;
        };
        let batch = std::mem::replace(pending, Vec::with_capacity(BATCH));
        let unsent = match &self.lanes {
            Lanes::Inspectors(lanes) => {
                let batch = WorkBatch { capture: self.capture, work: batch };
                let unsent = lanes.get(lane).and_then(|lane| post(lane, batch, self.pressure));
                unsent.map(|batch| batch.work)
            }
            Lanes::Analyst(analyst) => {
                let seen = batch.into_iter().filter_map(plain).collect();
                let unsent = post(analyst, LaneBatch { lane: self.capture, seen }, self.pressure);
                unsent.map(|batch| batch.seen.into_iter().map(work).collect())
            }
        };
        if let (Some(unsent), Some(pending)) = (unsent, self.pending.get_mut(lane)) {
            *pending = unsent;
        }
    }

    /// Under [`ShedLevel::Exchanges`] the rest of the way is kept for what is precious; only when that is used up too,
    /// everything is shed.
    fn sheds(&self, exchange: &Exchange) -> bool {
        let level = self.shedding.level;
        level == ShedLevel::Exchanges && (self.flight.is_full() || !is_precious(exchange))
    }

    fn shed(&mut self, mut exchange: Exchange) {
        self.ends.append(&mut exchange.ends);
        self.shedding.ends += self.ends.len().saturating_sub(MAX_ENDS) as u64;
        self.ends.truncate(MAX_ENDS);
        self.shedding.precious += u64::from(is_precious(&exchange));
        // All shed numbers take one lane, where consecutive ones become one run.
        match (&self.numbers, self.pending.first_mut()) {
            // Taken one by one, they would lie between those of other capture threads, and no two be consecutive.
            (Some(_), _) => self.unnumbered += 1,
            (None, Some(pending)) => Work::push_shed(pending, exchange.number),
            (None, None) => {}
        }
        self.recycle(exchange);
    }

    /// Numbers what was shed, as one run. Where nothing could be sent for long, that waits: what is pending must not grow.
    fn number_shed(&mut self) {
        let Some(pending) = self.pending.first_mut().filter(|pending| pending.len() < BATCH) else { return };
        if let Some(numbers) = self.numbers.as_ref().filter(|_| self.unnumbered > 0) {
            let count = std::mem::take(&mut self.unnumbered);
            pending.push(Work::Shed(Shed { first: numbers.take(count), count }));
        }
    }

    fn took_off(&mut self, bytes: usize) {
        let in_flight = self.flight.took_off(bytes);
        self.shedding.peak_bytes = self.shedding.peak_bytes.max(in_flight as u64);
    }

    fn recycle(&mut self, exchange: Exchange) {
        self.spares.extend([exchange.request, exchange.response].into_iter().flatten());
    }
}

/// Sends a batch; gives it back when a tap finds no room. Receivers stay until the senders are gone, or a panic ends the
/// run.
fn post<T>(lane: &Sender<T>, batch: T, pressure: Pressure) -> Option<T> {
    match pressure {
        Pressure::Block => {
            let _ = lane.send(batch);
            None
        }
        Pressure::Shed => match lane.try_send(batch) {
            Err(TrySendError::Full(batch)) => Some(batch),
            _ => None,
        },
    }
}

fn plain(work: Work) -> Option<Seen> {
    match work {
        Work::Exchange(exchange) => Some(Seen::Plain(exchange)),
        Work::Shed(shed) => Some(Seen::Shed(shed)),
        Work::Part(_) => None,
    }
}

fn work(seen: Seen) -> Work {
    match seen {
        Seen::Plain(exchange) => Work::Exchange(exchange),
        Seen::Observed(observation) => Work::Exchange(observation.exchange),
        Seen::Shed(shed) => Work::Shed(shed),
    }
}

/// What is never shed while there is any room: refusals, rate limits, server errors, anything odd, and what an inspector
/// already holds the body of.
fn is_precious(exchange: &Exchange) -> bool {
    let status = exchange.response.as_ref().and_then(|response| response.head.status);
    let mut halves = [&exchange.request, &exchange.response].into_iter().flatten();
    matches!(status, Some(401 | 403 | 429 | 500..=599))
        || !exchange.all_anomalies().is_empty()
        || halves.any(|half| half.body.parts)
}

impl ExchangeSink for Router {
    fn exchange(&mut self, mut exchange: Exchange) {
        self.look();
        if self.sheds(&exchange) {
            self.shed(exchange);
            return;
        }
        self.numbers.iter().for_each(|numbers| numbers.exchange(&mut exchange));
        if !self.ends.is_empty() {
            exchange.ends.append(&mut self.ends);
        }
        self.took_off(weight(&exchange));
        let lane = self.lane_of(exchange.flow.id);
        self.push(lane, Work::Exchange(exchange));
    }

    fn body_part(&mut self, mut part: BodyPart) {
        if matches!(self.lanes, Lanes::Analyst(_)) {
            return;
        }
        self.numbers.iter().for_each(|numbers| numbers.part(&mut part));
        self.took_off(part.bytes.capacity());
        let lane = self.lane_of(part.flow);
        self.push(lane, Work::Part(part));
        self.look();
    }

    fn spare(&mut self) -> Option<Box<Message>> {
        if self.spares.is_empty()
            && let Ok(spares) = self.recycled.try_recv()
        {
            self.spares = spares;
        }
        self.spares.pop()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tapwire_testkit::{Conversation, shop_turns};

    fn exchanges(count: u64) -> Vec<Exchange> {
        tapwire_testkit::exchanges(&Conversation::new(shop_turns(count, 1), 1).play())
    }

    #[test]
    fn what_several_capture_threads_shed_while_nothing_goes_on_takes_no_room() {
        let flight = Flight::new(100, 2);
        flight.took_off(100);
        let (send, batches) = crossbeam_channel::bounded(1);
        let (_recycle, recycled) = crossbeam_channel::bounded(1);
        let router = |(capture, numbers)| {
            let lanes = Lanes::Analyst(send.clone());
            let stop = Arc::default();
            Router::new(capture, Some(numbers), lanes, flight.clone(), Pressure::Shed, recycled.clone(), stop)
        };
        let mut routers: Vec<Router> = Numbers::of_lanes(2).into_iter().enumerate().map(router).collect();
        drop(send);
        for (at, exchange) in exchanges(2_000).into_iter().enumerate() {
            routers[at % 2].exchange(exchange);
            routers[at % 2].flush();
        }
        assert!(routers.iter().all(|router| router.pending[0].len() <= BATCH));
        let mut numbers: Vec<u64> = std::thread::scope(|scope| {
            routers.into_iter().for_each(|router| _ = scope.spawn(move || router.finish()));
            let seen = batches.iter().flat_map(|batch| batch.seen);
            let run =
                |seen| if let Seen::Shed(shed) = seen { shed.first..shed.first + shed.count } else { 0..0 };
            seen.flat_map(run).collect()
        });
        numbers.sort_unstable();
        assert!(numbers.into_iter().eq(1..=2_000), "each has one number");
    }
}
