//! How long events took from their last packet until the receiver had them: of a tap's outputs on the network.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::SinkReport;

/// Upper bounds of the steps, in milliseconds; the last one has none.
const BOUNDS_MS: [u64; 13] = [10, 25, 50, 100, 250, 500, 1000, 2000, 5000, 10_000, 30_000, 60_000, 300_000];

/// Batches that are followed until they are delivered; more than that are told as one.
const MOST: usize = 65_536;

const NS_PER_MS: u64 = 1_000_000;

/// A histogram of delays, by events. What shares a batch has the delay of its oldest event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delays {
    steps: [u64; BOUNDS_MS.len() + 1],
    total_ms: u64,
}

impl Delays {
    /// Upper bound in seconds and the events that were not slower. The last bound is infinite.
    pub fn cumulative(&self) -> impl Iterator<Item = (f64, u64)> {
        let bounds = BOUNDS_MS.iter().map(|ms| *ms as f64 / 1000.0).chain([f64::INFINITY]);
        bounds.zip(self.steps.iter().scan(0, |sum, step| {
            *sum += step;
            Some(*sum)
        }))
    }

    /// Events that were measured.
    pub fn count(&self) -> u64 {
        self.steps.iter().sum()
    }

    /// Their delays together, in seconds.
    pub fn sum(&self) -> f64 {
        self.total_ms as f64 / 1000.0
    }

    fn add(&mut self, ms: u64, events: u64) {
        let step = BOUNDS_MS.iter().take_while(|bound| **bound < ms).count();
        if let Some(step) = self.steps.get_mut(step) {
            *step += events;
        }
        self.total_ms = self.total_ms.saturating_add(ms.saturating_mul(events));
    }
}

/// When what waits was captured.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    batches: VecDeque<Stamp>,
    pub(crate) delays: Delays,
}

#[derive(Debug)]
struct Stamp {
    /// Place behind its last event, among all of the output.
    until: u64,
    events: u64,
    /// The last packet of its oldest event, in nanoseconds since 1970.
    captured: i64,
}

impl Waiting {
    /// Events up to that place wait.
    pub(crate) fn add(&mut self, until: u64, events: u64, captured: i64) {
        if self.batches.len() >= MOST
            && let Some(last) = self.batches.back_mut()
        {
            *last = Stamp { until, events: last.events + events, captured: last.captured.min(captured) };
            return;
        }
        self.batches.push_back(Stamp { until, events, captured });
    }

    /// The receiver has everything up to that place.
    pub(crate) fn delivered(&mut self, until: u64) {
        if self.batches.front().is_none_or(|first| first.until > until) {
            return;
        }
        let now = now();
        while let Some(batch) = self.batches.pop_front_if(|batch| batch.until <= until) {
            let delay = u64::try_from(now.saturating_sub(batch.captured)).unwrap_or_default();
            self.delays.add(delay / NS_PER_MS, batch.events);
        }
    }
}

/// The time of day, in nanoseconds since 1970.
#[allow(
    clippy::disallowed_methods,
    reason = "the kernel stamps packets by this clock, and a delay is against now"
)]
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    i64::try_from(since).unwrap_or(i64::MAX)
}

/// The outputs of one run that take their time, to be looked at while it goes on. Cloning shares them.
#[derive(Clone, Debug, Default)]
pub struct Outputs(Arc<Mutex<Vec<Named>>>);

type Named = (String, Weak<dyn Watched>);

/// An output that can be looked at while its run goes on.
pub trait Watched: Send + Sync {
    /// Its counters.
    fn report(&self) -> SinkReport;

    /// How long events took; none where nobody waits for them.
    fn delays(&self) -> Delays {
        Delays::default()
    }
}

/// What an output has done so far.
#[derive(Clone, Debug)]
pub struct Standing {
    /// Its own name, or its destination.
    pub name: String,
    /// Its counters.
    pub report: SinkReport,
    /// How long events took.
    pub delays: Delays,
}

impl Outputs {
    /// Has this one looked at, as long as it is there.
    pub fn watch<W: Watched + 'static>(&self, name: String, output: &Arc<W>) {
        let output: Weak<W> = Arc::downgrade(output);
        let output: Weak<dyn Watched> = output;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((name, output));
    }

    /// Every output that still runs, in the order of the configuration.
    pub fn standing(&self) -> Vec<Standing> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let standing = |(name, output): &Named| {
            let output = output.upgrade()?;
            Some(Standing { name: name.clone(), report: output.report(), delays: output.delays() })
        };
        all.iter().filter_map(standing).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_is_in_the_step_whose_bound_it_does_not_pass() {
        let mut delays = Delays::default();
        for (ms, events) in [(0, 1), (10, 2), (11, 4), (300_000, 8), (300_001, 16)] {
            delays.add(ms, events);
        }
        let steps: Vec<(f64, u64)> = delays.cumulative().collect();
        assert_eq!(steps.first(), Some(&(0.01, 3)));
        assert_eq!(steps.get(1), Some(&(0.025, 7)));
        assert_eq!(steps.get(12), Some(&(300.0, 15)));
        assert_eq!(steps.last(), Some(&(f64::INFINITY, 31)));
        assert_eq!(delays.count(), 31);
    }

    #[test]
    fn what_was_delivered_is_counted_once_and_what_waits_is_not() {
        let mut waiting = Waiting::default();
        for place in 1..=5 {
            waiting.add(place * 10, 10, 0);
        }
        waiting.delivered(9);
        assert_eq!(waiting.delays.count(), 0);
        waiting.delivered(25);
        waiting.delivered(25);
        assert_eq!(waiting.delays.count(), 20);
        waiting.delivered(50);
        assert_eq!(waiting.delays.count(), 50);
    }

    #[test]
    fn a_receiver_that_is_away_for_long_costs_no_more_memory() {
        let mut waiting = Waiting::default();
        for place in 1..=MOST as u64 + 1000 {
            waiting.add(place, 1, i64::MAX);
        }
        assert_eq!(waiting.batches.len(), MOST);
        waiting.delivered(u64::MAX);
        assert_eq!(waiting.delays.count(), MOST as u64 + 1000);
    }
}
