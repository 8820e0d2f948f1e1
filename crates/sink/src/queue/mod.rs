//! What waits for delivery, bounded in bytes, and the ledger that goes with it.
//!
//! With a spool, batches go to the disk first and come back as there is time to send them. Without one they wait in memory.

mod load;
mod spooled;

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tapwire_store::Spool;
use tokio::sync::Notify;

pub(crate) use load::Load;
use load::Piece;

use crate::delay::{Delays, Waiting};
use crate::{Batch, Counts, DropReason, Lapse, Notice, Pressure, SinkError, SinkReport, Tally, Watched};

/// Bounds of a request and of the queue.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    pub(crate) request_bytes: usize,
    pub(crate) request_events: u32,
    /// Longest wait for a request to fill.
    pub(crate) delay: Duration,
    pub(crate) queue_bytes: usize,
    /// Cap of the spool, where there is one.
    pub(crate) spool_bytes: u64,
}

/// Between the writing thread and the delivery task.
#[derive(Debug)]
pub(crate) struct Queue {
    shown: String,
    limits: Limits,
    pressure: Pressure,
    state: Mutex<State>,
    /// Room was made, or delivery ended.
    room: Condvar,
    /// Pieces, a flush or the end wait for the task.
    work: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// With a spool: what was read of it and not sent yet.
    waiting: VecDeque<Piece>,
    spool: Option<Spool>,
    /// Of `waiting`, the spool, and the request under way.
    held: Tally,
    /// Of `waiting` and the spool only.
    ready: Tally,
    oldest: Option<Instant>,
    /// Place behind the last event that was handed in, where no spool counts them.
    place: u64,
    stamps: Waiting,
    flush: bool,
    closed: bool,
    ended: bool,
    counts: Counts,
    error: Option<SinkError>,
    lapse: Option<Lapse>,
    /// Dropped since delivery began to fail.
    failing: Option<Tally>,
    notices: VecDeque<Notice>,
    /// The spool cannot be read, which was told.
    unreadable: bool,
}

/// What the task does next.
enum Next {
    Send(Load),
    WaitFor(Option<Duration>),
    End,
}

impl Watched for Queue {
    fn report(&self) -> SinkReport {
        let state = self.lock();
        SinkReport {
            destination: self.shown.clone(),
            counts: state.counts,
            error: state.error.clone(),
            lapse: state.lapse,
            notices: Vec::new(),
        }
    }

    fn delays(&self) -> Delays {
        self.lock().stamps.delays.clone()
    }
}

impl Queue {
    pub(crate) fn new(shown: String, limits: Limits, pressure: Pressure, spool: Option<Spool>) -> Self {
        let mut state = State { spool, ..State::default() };
        state.resume();
        Self { shown, limits, pressure, state: Mutex::new(state), room: Condvar::new(), work: Notify::new() }
    }

    /// Whether what is not delivered is still there after the end.
    pub(crate) fn is_kept(&self) -> bool {
        self.lock().spool.is_some()
    }

    /// Takes a batch. Under `Block` waits for room and gives the error that ended delivery; under `Shed` drops
    /// what finds no room.
    pub(crate) fn push(&self, batch: &Batch) -> Result<(), SinkError> {
        let amount = Tally::of(batch.events(), batch.bytes().len());
        let mut state = self.lock();
        state.counts.accepted.add(amount);
        if self.pressure == Pressure::Block {
            let full = |s: &mut State| !s.ended && !self.has_room(s, amount);
            state = self.room.wait_while(state, full).unwrap_or_else(PoisonError::into_inner);
        }
        if state.ended {
            state.drop_for(DropReason::Stopped, amount, None);
            return state.stop_reason();
        }
        if !self.has_room(&state, amount) {
            let error = SinkError::TooSlow { url: self.shown.clone(), queue_bytes: self.limits.queue_bytes };
            state.drop_for(DropReason::QueueFull, amount, Some(error));
            return Ok(());
        }
        state.keep(batch, &self.shown, &self.limits);
        state.settle_spool(&self.shown, self.limits.spool_bytes);
        drop(state);
        self.work.notify_one();
        Ok(())
    }

    /// Has what waits sent without waiting for more.
    pub(crate) fn flush(&self) -> Result<(), SinkError> {
        let mut state = self.lock();
        if state.ended && self.pressure == Pressure::Block {
            return state.stop_reason();
        }
        state.flush = state.ready.events > 0;
        drop(state);
        self.work.notify_one();
        Ok(())
    }

    /// Waits until everything is delivered or dropped; after `limit` drops what is left. An answer that comes
    /// later is not counted any more.
    pub(crate) fn finish(&self, limit: Option<Duration>) {
        let mut state = self.lock();
        state.closed = true;
        self.work.notify_one();
        let running = |s: &mut State| !s.ended;
        state = match limit {
            Some(limit) => {
                let waited = self.room.wait_timeout_while(state, limit, running);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
            None => self.room.wait_while(state, running).unwrap_or_else(PoisonError::into_inner),
        };
        state.end();
    }

    /// The number of the next event, counted over every run that shares the spool.
    pub(crate) fn next_sequence(&self) -> Option<u64> {
        self.lock().spool.as_ref().map(|spool| spool.end() + 1)
    }

    pub(crate) fn poll_notice(&self) -> Option<Notice> {
        self.lock().notices.pop_front()
    }

    /// The next request; `None` when there will be none any more.
    pub(crate) async fn next_load(&self) -> Option<Load> {
        loop {
            let wait = match self.poll_load() {
                Next::Send(load) => return Some(load),
                Next::End => return None,
                Next::WaitFor(wait) => wait,
            };
            match wait {
                // Both ends of the wait lead to the same question again.
                Some(wait) => {
                    let _elapsed = tokio::time::timeout(wait, self.work.notified()).await;
                }
                None => self.work.notified().await,
            }
        }
    }

    /// What of the spool is to be written to the disk.
    pub(crate) fn unsynced(&self) -> Option<std::fs::File> {
        self.lock().unsynced()
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.lock().ended
    }

    pub(crate) fn count_retry(&self) {
        self.lock().counts.retries += 1;
    }

    /// The receiver has `amount`, and with it everything before `until`.
    pub(crate) fn delivered(&self, amount: Tally, until: u64) {
        let mut state = self.lock();
        if state.ended {
            return;
        }
        state.acknowledge(until);
        state.stamps.delivered(until);
        state.held = state.held.minus(amount);
        state.counts.delivered.add(amount);
        // A peer that is merely slow would otherwise fail and recover with every request.
        let calm = state.held.bytes <= self.limits.queue_bytes as u64 / 2;
        if let Some(dropped) = state.failing.take_if(|_| calm) {
            state.notices.push_back(Notice::Recovered { destination: self.shown.clone(), dropped });
        }
        state.lapse.iter_mut().for_each(|lapse| lapse.is_over |= calm);
        self.room.notify_all();
    }

    /// Says once that delivery does not work, while it is still tried.
    pub(crate) fn delayed(&self, error: SinkError) {
        let mut state = self.lock();
        state.fail(error.clone());
        if state.failing.is_none() && !state.ended {
            state.failing = Some(Tally::default());
            state.notices.push_back(Notice::Delayed(error));
        }
    }

    /// Behind a file delivery failed for good; what waits stays in the spool.
    pub(crate) fn stop(&self, error: SinkError) {
        let mut state = self.lock();
        state.fail(error);
        state.end();
        self.room.notify_all();
    }

    /// The receiver will never take `amount`, while it takes others: the offset moves on.
    pub(crate) fn refused(&self, amount: Tally, until: u64, error: SinkError) {
        let mut state = self.lock();
        if state.ended {
            return;
        }
        state.acknowledge(until);
        state.held = state.held.minus(amount);
        state.drop_for(DropReason::Refused, amount, Some(error));
        self.room.notify_all();
    }

    /// `amount` was given up. Behind a file this ends delivery.
    pub(crate) fn failed(&self, amount: Tally, reason: DropReason, error: SinkError) {
        let mut state = self.lock();
        if state.ended {
            return;
        }
        state.held = state.held.minus(amount);
        state.drop_for(reason, amount, Some(error));
        if self.pressure == Pressure::Block {
            state.end();
        }
        self.room.notify_all();
    }

    /// The task has ended.
    pub(crate) fn end(&self) {
        self.lock().end();
        self.room.notify_all();
    }

    fn has_room(&self, state: &State, amount: Tally) -> bool {
        let bytes = state.held.bytes + amount.bytes;
        match &state.spool {
            // What is sent is removed a segment at a time, so that an empty spool may still look full.
            Some(spool) if self.pressure == Pressure::Block => {
                state.held.bytes == 0 || spool.has_room(usize::try_from(amount.bytes).unwrap_or(usize::MAX))
            }
            // The spool makes room by dropping what matters least.
            Some(_) => true,
            // A batch larger than the queue must pass, alone.
            None => state.held.bytes == 0 || bytes <= self.limits.queue_bytes as u64,
        }
    }

    fn poll_load(&self) -> Next {
        let mut state = self.lock();
        if state.ended {
            return Next::End;
        }
        state.read_on(&self.limits);
        state.settle_spool(&self.shown, self.limits.spool_bytes);
        if state.waiting.is_empty() {
            return if state.closed { Next::End } else { Next::WaitFor(None) };
        }
        let oldest = *state.oldest.get_or_insert_with(Instant::now);
        let full = state.ready.bytes >= self.limits.request_bytes as u64
            || state.ready.events >= u64::from(self.limits.request_events);
        let wait = self.limits.delay.saturating_sub(oldest.elapsed());
        if !full && !state.flush && !state.closed && !wait.is_zero() {
            return Next::WaitFor(Some(wait));
        }
        Next::Send(state.take_load(&self.limits))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take_load(&mut self, limits: &Limits) -> Load {
        let mut load = Load::default();
        while let Some(piece) = self.waiting.pop_front() {
            let bytes = load.amount.bytes + piece.amount.bytes;
            let events = load.amount.events + piece.amount.events;
            let over = bytes > limits.request_bytes as u64 || events > u64::from(limits.request_events);
            if over && !load.pieces.is_empty() {
                self.waiting.push_front(piece);
                break;
            }
            load.add(piece);
        }
        self.ready = self.ready.minus(load.amount);
        self.flush = self.flush && self.ready.events > 0;
        self.oldest = (self.ready.events > 0).then(Instant::now);
        load
    }

    fn drop_for(&mut self, reason: DropReason, amount: Tally, error: Option<SinkError>) {
        self.counts.drop_for(reason, amount);
        let Some(error) = error else { return };
        self.fail(error.clone());
        // That delivery is delayed was said before; that events are lost is another thing.
        let begins = self.failing.is_none_or(|dropped| dropped.events == 0);
        self.failing.get_or_insert_default().add(amount);
        if begins {
            self.notices.push_back(Notice::Failing(error));
        }
    }

    fn fail(&mut self, error: SinkError) {
        self.error = Some(error);
        self.lapse = Some(Lapse::now());
    }

    /// Whatever is still held stays in the spool, or is dropped; nothing is counted after this.
    fn end(&mut self) {
        if self.ended {
            return;
        }
        let rest = std::mem::take(&mut self.held);
        match self.spool.take() {
            Some(_closed) => self.counts.kept = rest,
            None => self.counts.drop_for(DropReason::Stopped, rest),
        }
        self.waiting.clear();
        self.ready = Tally::default();
        self.ended = true;
    }

    fn stop_reason(&self) -> Result<(), SinkError> {
        self.error.clone().map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(request_bytes: usize, request_events: u32, queue_bytes: usize) -> Limits {
        Limits {
            request_bytes,
            request_events,
            delay: Duration::from_secs(3600),
            queue_bytes,
            spool_bytes: 0,
        }
    }

    fn batch(lines: u32) -> Batch {
        Batch::new(b"0123456\n".repeat(lines as usize), lines)
    }

    fn queue(limits: Limits, pressure: Pressure) -> Queue {
        Queue::new("http://peer/".into(), limits, pressure, None)
    }

    #[test]
    fn a_tap_drops_what_finds_no_room_and_says_so_once() {
        let queue = queue(limits(100, 100, 40), Pressure::Shed);
        for _ in 0..5 {
            queue.push(&batch(2)).unwrap();
        }
        let counts = queue.report().counts;
        assert_eq!(counts.accepted.events, 10);
        assert_eq!(counts.dropped(DropReason::QueueFull).events, 6);
        assert_eq!(counts.queued().events, 4);
        assert!(matches!(queue.poll_notice(), Some(Notice::Failing(SinkError::TooSlow { .. }))));
        assert_eq!(queue.poll_notice(), None);
    }

    #[test]
    fn a_failure_that_is_over_stays_known_as_one() {
        let queue = queue(limits(16, 100, 1000), Pressure::Shed);
        assert_eq!(queue.report().lapse, None);
        queue.push(&batch(4)).unwrap();
        queue.flush().unwrap();
        let Next::Send(load) = queue.poll_load() else { panic!("flushed") };
        let error = SinkError::TooSlow { url: "u".into(), queue_bytes: 1 };
        queue.delayed(error.clone());
        let failing = queue.report();
        assert!(failing.lapse.is_some_and(|lapse| !lapse.is_over && lapse.at > 0));
        queue.delivered(load.amount, 0);
        let over = queue.report();
        assert_eq!(over.error, Some(error.clone()));
        assert!(over.lapse.is_some_and(|lapse| lapse.is_over));
        queue.delayed(error);
        assert!(queue.report().lapse.is_some_and(|lapse| !lapse.is_over), "it fails again");
    }

    #[test]
    fn a_request_waits_to_fill_unless_flushed_or_closed() {
        let queue = queue(limits(32, 100, 1000), Pressure::Block);
        queue.push(&batch(3)).unwrap();
        assert!(matches!(queue.poll_load(), Next::WaitFor(Some(_))));
        queue.push(&batch(3)).unwrap();
        let Next::Send(load) = queue.poll_load() else { panic!("a full request is sent") };
        assert_eq!(load.amount.events, 3);
        assert!(matches!(queue.poll_load(), Next::WaitFor(Some(_))));
        queue.flush().unwrap();
        assert!(matches!(queue.poll_load(), Next::Send(_)));
        assert!(matches!(queue.poll_load(), Next::WaitFor(None)));
    }

    #[test]
    fn after_a_failure_behind_a_file_the_rest_is_dropped_and_the_error_stays() {
        let queue = queue(limits(16, 100, 1000), Pressure::Block);
        queue.push(&batch(6)).unwrap();
        queue.flush().unwrap();
        let Next::Send(load) = queue.poll_load() else { panic!("flushed") };
        let error = SinkError::TooSlow { url: "u".into(), queue_bytes: 1 };
        queue.failed(load.amount, DropReason::Refused, error.clone());
        assert_eq!(queue.push(&batch(1)), Err(error));
        let counts = queue.report().counts;
        assert_eq!(counts.dropped(DropReason::Refused).events, 2);
        assert_eq!(counts.dropped(DropReason::Stopped).events, 5);
        assert_eq!(counts.queued(), Tally::default());
    }
}
