//! What waits for delivery, bounded in bytes, and the ledger that goes with it.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::{Batch, Counts, DropReason, Notice, Pressure, SinkError, SinkReport, Tally};

/// Bounds of a request and of the queue.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    pub(crate) request_bytes: usize,
    pub(crate) request_events: u32,
    /// Longest wait for a request to fill.
    pub(crate) delay: Duration,
    pub(crate) queue_bytes: usize,
}

/// Whole lines of one batch.
#[derive(Debug)]
pub(crate) struct Piece {
    batch: Batch,
    range: Range<usize>,
    amount: Tally,
}

impl Piece {
    pub(crate) fn bytes(&self) -> &[u8] {
        self.batch.bytes().get(self.range.clone()).unwrap_or_default()
    }
}

/// The lines of one request, in order.
#[derive(Debug)]
pub(crate) struct Load {
    pub(crate) pieces: Vec<Piece>,
    pub(crate) amount: Tally,
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
    waiting: VecDeque<Piece>,
    /// Of `waiting` and of the request under way.
    held: Tally,
    /// Of `waiting` only.
    ready: Tally,
    oldest: Option<Instant>,
    flush: bool,
    closed: bool,
    ended: bool,
    counts: Counts,
    error: Option<SinkError>,
    /// Dropped since delivery began to fail.
    failing: Option<Tally>,
    notice: Option<Notice>,
}

/// What the task does next.
enum Next {
    Send(Load),
    WaitFor(Option<Duration>),
    End,
}

impl Queue {
    pub(crate) fn new(shown: String, limits: Limits, pressure: Pressure) -> Self {
        let state = Mutex::default();
        Self { shown, limits, pressure, state, room: Condvar::new(), work: Notify::new() }
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
        state.held.add(amount);
        state.ready.add(amount);
        state.oldest.get_or_insert_with(Instant::now);
        state.waiting.extend(split(batch, &self.limits));
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
        state.flush = !state.waiting.is_empty();
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

    pub(crate) fn report(&self) -> SinkReport {
        let state = self.lock();
        SinkReport { destination: self.shown.clone(), counts: state.counts, error: state.error.clone() }
    }

    pub(crate) fn poll_notice(&self) -> Option<Notice> {
        self.lock().notice.take()
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

    pub(crate) fn count_retry(&self) {
        self.lock().counts.retries += 1;
    }

    /// A 2xx answer came for `amount`.
    pub(crate) fn delivered(&self, amount: Tally) {
        let mut state = self.lock();
        if state.ended {
            return;
        }
        state.held = state.held.minus(amount);
        state.counts.delivered.add(amount);
        // A peer that is merely slow would otherwise fail and recover with every request.
        let calm = state.held.bytes <= self.limits.queue_bytes as u64 / 2;
        if let Some(dropped) = state.failing.take_if(|_| calm) {
            state.notice = Some(Notice::Recovered { destination: self.shown.clone(), dropped });
        }
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
        // A batch larger than the queue must pass, alone.
        state.held.bytes == 0 || state.held.bytes + amount.bytes <= self.limits.queue_bytes as u64
    }

    fn poll_load(&self) -> Next {
        let mut state = self.lock();
        if state.ended || (state.closed && state.waiting.is_empty()) {
            return Next::End;
        }
        let Some(oldest) = state.oldest.filter(|_| !state.waiting.is_empty()) else {
            return Next::WaitFor(None);
        };
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
        let mut load = Load { pieces: Vec::new(), amount: Tally::default() };
        while let Some(piece) = self.waiting.pop_front() {
            let bytes = load.amount.bytes + piece.amount.bytes;
            let events = load.amount.events + piece.amount.events;
            let over = bytes > limits.request_bytes as u64 || events > u64::from(limits.request_events);
            if over && !load.pieces.is_empty() {
                self.waiting.push_front(piece);
                break;
            }
            load.amount.add(piece.amount);
            load.pieces.push(piece);
        }
        self.ready = self.ready.minus(load.amount);
        self.flush = self.flush && !self.waiting.is_empty();
        self.oldest = (!self.waiting.is_empty()).then(Instant::now);
        load
    }

    fn drop_for(&mut self, reason: DropReason, amount: Tally, error: Option<SinkError>) {
        self.counts.drop_for(reason, amount);
        let Some(error) = error else { return };
        self.error = Some(error.clone());
        match &mut self.failing {
            Some(dropped) => dropped.add(amount),
            None => {
                self.failing = Some(amount);
                self.notice = Some(Notice::Failing(error));
            }
        }
    }

    /// Whatever is still held is dropped; nothing is counted after this.
    fn end(&mut self) {
        let rest = std::mem::take(&mut self.held);
        self.counts.drop_for(DropReason::Stopped, rest);
        self.waiting.clear();
        self.ready = Tally::default();
        self.ended = true;
    }

    fn stop_reason(&self) -> Result<(), SinkError> {
        self.error.clone().map_or(Ok(()), Err)
    }
}

/// Cuts a batch between lines so that each piece fits a request. A line that is longer is a piece by itself.
fn split(batch: &Batch, limits: &Limits) -> Vec<Piece> {
    let (length, events) = (batch.bytes().len(), batch.events());
    let piece = |range: Range<usize>, events: u32| {
        let amount = Tally::of(events, range.len());
        Piece { batch: batch.clone(), range, amount }
    };
    if length <= limits.request_bytes && events <= limits.request_events {
        return vec![piece(0..length, events)];
    }
    let mut pieces = Vec::new();
    let (mut start, mut end, mut lines, mut left) = (0, 0, 0u32, events);
    for line in batch.bytes().split_inclusive(|b| *b == b'\n') {
        let over = end + line.len() - start > limits.request_bytes || lines == limits.request_events;
        if over && lines > 0 {
            pieces.push(piece(start..end, lines.min(left)));
            left = left.saturating_sub(lines);
            (start, lines) = (end, 0);
        }
        end += line.len();
        lines += 1;
    }
    // What the batch claims is what is counted, whatever its lines say.
    pieces.push(piece(start..end, left));
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(request_bytes: usize, request_events: u32, queue_bytes: usize) -> Limits {
        Limits { request_bytes, request_events, delay: Duration::from_secs(3600), queue_bytes }
    }

    fn batch(lines: u32) -> Batch {
        Batch::new(b"0123456\n".repeat(lines as usize), lines)
    }

    fn queue(limits: Limits, pressure: Pressure) -> Queue {
        Queue::new("http://peer/".into(), limits, pressure)
    }

    #[test]
    fn pieces_are_whole_lines_within_the_limits_and_lose_nothing() {
        let batch = batch(10);
        for (bytes, events) in [(24, 100), (25, 100), (1000, 3), (1, 100), (1000, 1)] {
            let pieces = split(&batch, &limits(bytes, events, 1000));
            let joined: Vec<u8> = pieces.iter().flat_map(|p| p.bytes().to_vec()).collect();
            assert_eq!(joined, batch.bytes());
            assert_eq!(pieces.iter().map(|p| p.amount.events).sum::<u64>(), 10);
            assert!(pieces.iter().all(|p| p.bytes().ends_with(b"\n")));
            assert!(pieces.iter().all(|p| p.amount.events <= u64::from(events)));
            assert!(pieces.iter().all(|p| p.bytes().len() <= bytes.max(8)));
        }
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
