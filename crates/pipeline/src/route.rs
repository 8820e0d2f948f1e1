//! The capture thread's way out: to the analyst on the same thread, or over channels to other threads.

use crate::ShedLevel;
use crate::analyst::Analyst;
use crate::flight::Flight;
use crate::work::{Seen, Work, weight};
use crossbeam_channel::{Receiver, Sender, TrySendError};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tapwire_capture::Pressure;
use tapwire_inspect::Inspector;
use tapwire_protocol::{BodyPart, Exchange, ExchangeSink, Message};

/// Items that travel together: a send costs 33 ns alone and 5 ns in such a batch.
const BATCH: usize = 32;

/// Everything on the capture thread: the reference that threads must equal.
pub(crate) struct Inline {
    pub(crate) inspector: Option<Inspector>,
    pub(crate) analyst: Analyst,
    spares: Vec<Box<Message>>,
}

impl Inline {
    pub(crate) fn new(inspector: Option<Inspector>, analyst: Analyst) -> Self {
        Self { inspector, analyst, spares: Vec::new() }
    }
}

impl ExchangeSink for Inline {
    fn exchange(&mut self, exchange: Exchange) {
        let seen = match &mut self.inspector {
            Some(inspector) => Seen::Observed(inspector.exchange(exchange)),
            None => Seen::Plain(exchange),
        };
        self.analyst.take(seen, &mut self.spares);
    }

    fn body_part(&mut self, part: BodyPart) {
        if let Some(inspector) = &mut self.inspector {
            inspector.part(&part);
        }
    }

    fn spare(&mut self) -> Option<Box<Message>> {
        self.spares.pop()
    }
}

/// Where batches go.
pub(crate) enum Lanes {
    /// One channel an inspector thread; a flow always takes the same.
    Inspectors(Vec<Sender<Vec<Work>>>),
    /// Analysis is off.
    Analyst(Sender<Vec<Seen>>),
}

/// Batches exchanges and hands them to other threads.
pub(crate) struct Router {
    lanes: Lanes,
    /// What waits to be sent, a batch a lane.
    pending: Vec<Vec<Work>>,
    flight: Flight,
    pressure: Pressure,
    level: ShedLevel,
    worst: ShedLevel,
    recycled: Receiver<Vec<Box<Message>>>,
    spares: Vec<Box<Message>>,
    stop: Arc<AtomicBool>,
}

impl Router {
    pub(crate) fn new(
        lanes: Lanes,
        flight: Flight,
        pressure: Pressure,
        recycled: Receiver<Vec<Box<Message>>>,
        stop: Arc<AtomicBool>,
    ) -> Self {
        let count = match &lanes {
            Lanes::Inspectors(lanes) => lanes.len(),
            Lanes::Analyst(_) => 1,
        };
        Self {
            lanes,
            pending: (0..count).map(|_| Vec::with_capacity(BATCH)).collect(),
            flight,
            pressure,
            level: ShedLevel::None,
            worst: ShedLevel::None,
            recycled,
            spares: Vec::new(),
            stop,
        }
    }

    pub(crate) const fn level(&self) -> ShedLevel {
        self.level
    }

    pub(crate) const fn worst(&self) -> ShedLevel {
        self.worst
    }

    /// Sends what is pending and, on a tap, looks how full the way is.
    pub(crate) fn flush(&mut self) {
        for lane in 0..self.pending.len() {
            self.send(lane);
        }
        if self.pressure == Pressure::Shed {
            self.level = self.level.at(self.flight.percent());
            self.worst = self.worst.max(self.level);
        }
    }

    /// Sends the rest, waiting for room also on a tap: the capture is over.
    pub(crate) fn finish(mut self) {
        self.pressure = Pressure::Block;
        self.flush();
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
        while self.flight.is_full() && !self.stop.load(Ordering::Relaxed) {
            match self.recycled.recv_timeout(Duration::from_millis(1)) {
                Ok(spares) => self.spares.extend(spares),
                Err(crossbeam_channel::RecvTimeoutError::Timeout) => {}
                Err(crossbeam_channel::RecvTimeoutError::Disconnected) => break,
            }
        }
    }

    fn send(&mut self, lane: usize) {
        let Some(pending) = self.pending.get_mut(lane).filter(|pending| !pending.is_empty()) else {
            return;
        };
        let batch = std::mem::replace(pending, Vec::with_capacity(BATCH));
        let unsent = match &self.lanes {
            Lanes::Inspectors(lanes) => lanes.get(lane).and_then(|lane| post(lane, batch, self.pressure)),
            Lanes::Analyst(analyst) => {
                let seen = batch.into_iter().filter_map(plain).collect();
                post(analyst, seen, self.pressure).map(|seen| seen.into_iter().map(work).collect())
            }
        };
        if let (Some(unsent), Some(pending)) = (unsent, self.pending.get_mut(lane)) {
            *pending = unsent;
        }
    }

    fn sheds(&self, exchange: &Exchange) -> bool {
        self.pressure == Pressure::Shed
            && (self.flight.is_full() || self.level == ShedLevel::Exchanges && !is_precious(exchange))
    }

    fn recycle(&mut self, exchange: Exchange) {
        self.spares.extend([exchange.request, exchange.response].into_iter().flatten());
    }
}

/// Sends a batch; gives it back when a tap finds no room. A receiver that is gone takes everything and keeps nothing: the
/// run is ending.
fn post<T>(lane: &Sender<Vec<T>>, batch: Vec<T>, pressure: Pressure) -> Option<Vec<T>> {
    match pressure {
        Pressure::Block => lane.send(batch).err().map(|_| Vec::new()),
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

/// What is never shed while there is any room: refusals, rate limits, server errors, and anything odd.
fn is_precious(exchange: &Exchange) -> bool {
    let status = exchange.response.as_ref().and_then(|response| response.head.status);
    matches!(status, Some(401 | 403 | 429 | 500..=599)) || !exchange.all_anomalies().is_empty()
}

impl ExchangeSink for Router {
    fn exchange(&mut self, exchange: Exchange) {
        if self.sheds(&exchange) {
            // All shed numbers take one lane, where consecutive ones become one run.
            if let Some(pending) = self.pending.first_mut() {
                Work::push_shed(pending, exchange.number);
            }
            self.recycle(exchange);
            return;
        }
        self.flight.took_off(weight(&exchange));
        let lane = self.lane_of(exchange.flow.id);
        self.push(lane, Work::Exchange(exchange));
    }

    fn body_part(&mut self, part: BodyPart) {
        if matches!(self.lanes, Lanes::Analyst(_)) {
            return;
        }
        self.flight.took_off(part.bytes.capacity());
        let lane = self.lane_of(part.flow);
        self.push(lane, Work::Part(part));
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
