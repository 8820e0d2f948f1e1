//! What capture times say: clocks that step back, and how traffic comes and goes.

use std::collections::BTreeMap;
use tapwire_wire::{Packet, Timestamp};

/// A step back by less is a capture of several queues, whose packets are a little out of order.
const STEP: i64 = 1_000_000_000;

const SECOND: i64 = 1_000_000_000;

/// Seconds that are told apart: a day.
pub(super) const MAX_SECONDS: usize = 86_400;

/// Steps back, and traffic by second.
#[derive(Debug, Default)]
pub(crate) struct Clocks {
    /// The latest time of each source.
    latest: Vec<Option<Timestamp>>,
    /// Times that a source's clock went back by more than a second.
    pub(crate) steps_back: u64,
    /// The largest of them, in nanoseconds.
    pub(crate) largest_step: i64,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    seconds: BTreeMap<i64, Second>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Second {
    packets: u64,
    bytes: u64,
}

/// How much comes in a second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Pace {
    /// Time from the first packet to the last, in seconds, at least one.
    pub(crate) seconds: f64,
    /// Packets in the busiest second.
    pub(crate) peak_packets: u64,
    /// Bytes on the wire in the busiest second.
    pub(crate) peak_bytes: u64,
}

/// The second in which something happened, since 1970.
pub(super) const fn second_of(time: Timestamp) -> i64 {
    time.nanos().div_euclid(SECOND)
}

impl Clocks {
    pub(crate) fn packet(&mut self, packet: &Packet<'_>) {
        self.step(packet);
        self.first = Some(self.first.map_or(packet.time, |first| first.min(packet.time)));
        self.last = self.last.max(Some(packet.time));
        let second = second_of(packet.time);
        if self.seconds.len() < MAX_SECONDS || self.seconds.contains_key(&second) {
            let second = self.seconds.entry(second).or_default();
            second.packets += 1;
            second.bytes += u64::from(packet.wire_len);
        }
    }

    fn step(&mut self, packet: &Packet<'_>) {
        let source = usize::from(packet.source.0);
        if self.latest.len() <= source {
            self.latest.resize(source + 1, None);
        }
        let Some(latest) = self.latest.get_mut(source) else { return };
        let back = latest.map_or(0, |latest| latest.since(packet.time));
        if back > STEP {
            self.steps_back += 1;
            self.largest_step = self.largest_step.max(back);
            // What follows is judged by the new clock.
            *latest = Some(packet.time);
        } else {
            *latest = (*latest).max(Some(packet.time));
        }
    }

    /// Seconds in which something came.
    pub(crate) fn busy_seconds(&self) -> u64 {
        self.seconds.len() as u64
    }

    /// How much came in a second; `None` when nothing came.
    #[allow(clippy::cast_precision_loss, reason = "a span of seconds")]
    pub(crate) fn pace(&self) -> Option<Pace> {
        let span = self.last?.since(self.first?);
        Some(Pace {
            seconds: (span as f64 / SECOND as f64).max(1.0),
            peak_packets: self.seconds.values().map(|second| second.packets).max().unwrap_or(0),
            peak_bytes: self.seconds.values().map(|second| second.bytes).max().unwrap_or(0),
        })
    }
}
