//! What happens to an endpoint, by days of packet time: today and the day before. What is over does not count for ever.

use super::Origin;
use crate::context::Side;
use crate::endpoint::status;
use tapwire_inspect::Observation;
use tapwire_wire::Timestamp;

const DAY: i64 = 86_400_000_000_000;

/// What happened to an endpoint in a stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Happened {
    /// Calls.
    pub calls: u32,
    /// Of these, refused for want of rights (401, 403).
    pub denied: u32,
    /// Of these, refused because there were too many (429).
    pub throttled: u32,
    /// Of these, failed at the server (5xx), or by what the payload says.
    pub failed: u32,
    /// Of these, on a list of the operator's.
    pub listed: u32,
    /// Of these, by callers that mostly ask for what does not exist.
    pub probed: u32,
    /// Of these, from addresses that no network of the operator's holds.
    pub unknown: u32,
    /// Findings on it.
    pub findings: u32,
    /// The worst severity of these, as OCSF numbers it; 0 without findings.
    pub worst: u8,
}

impl Happened {
    fn sum(self, other: Self) -> Self {
        let add = u32::saturating_add;
        Self {
            calls: add(self.calls, other.calls),
            denied: add(self.denied, other.denied),
            throttled: add(self.throttled, other.throttled),
            failed: add(self.failed, other.failed),
            listed: add(self.listed, other.listed),
            probed: add(self.probed, other.probed),
            unknown: add(self.unknown, other.unknown),
            findings: add(self.findings, other.findings),
            worst: self.worst.max(other.worst),
        }
    }
}

/// A day of packet time, counted from 1970 (UTC).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, serde::Serialize, serde::Deserialize,
)]
pub(crate) struct Day(i32);

impl Day {
    pub(crate) fn of(time: Timestamp) -> Self {
        Self(i32::try_from(time.nanos().div_euclid(DAY)).unwrap_or(0))
    }
}

/// The last day on which something happened, and the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub(crate) struct Recent {
    day: Day,
    last: Happened,
    before: Happened,
}

impl Recent {
    pub(crate) fn add(&mut self, observation: &Observation, origin: &Origin) {
        let status = status(observation);
        let failed = observation.failed() || matches!(status, Some(500..=599));
        let call = Happened {
            calls: 1,
            denied: matches!(status, Some(401 | 403)).into(),
            throttled: (status == Some(429)).into(),
            failed: failed.into(),
            listed: origin.is_listed.into(),
            probed: origin.is_probing.into(),
            unknown: (origin.side == Side::Unknown).into(),
            ..Happened::default()
        };
        self.happened(Day::of(observation.exchange.started()), call);
    }

    pub(crate) fn found(&mut self, severity: u8, time: Timestamp) {
        self.happened(Day::of(time), Happened { findings: 1, worst: severity, ..Happened::default() });
    }

    /// Captures may step back in time: what is older than the day before is over.
    fn happened(&mut self, day: Day, what: Happened) {
        if day > self.day {
            self.before = if day.0 == self.day.0.saturating_add(1) { self.last } else { Happened::default() };
            (self.day, self.last) = (day, Happened::default());
        }
        match self.day.0.saturating_sub(day.0) {
            0 => self.last = self.last.sum(what),
            1 => self.before = self.before.sum(what),
            _ => {}
        }
    }

    /// What happened on that day and the one before it.
    pub(crate) fn on(&self, day: Day) -> Happened {
        match day.0.saturating_sub(self.day.0) {
            ..=0 => self.last.sum(self.before),
            1 => self.last,
            _ => Happened::default(),
        }
    }

    pub(crate) fn absorb(&mut self, other: &Self) {
        self.happened(Day(other.day.0.saturating_sub(1)), other.before);
        self.happened(other.day, other.last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calls(calls: u32) -> Happened {
        Happened { calls, ..Happened::default() }
    }

    #[test]
    fn the_day_before_counts_and_what_is_older_does_not() {
        let mut recent = Recent::default();
        recent.happened(Day(10), calls(1));
        recent.happened(Day(11), calls(2));
        assert_eq!(recent.on(Day(11)).calls, 3);
        recent.happened(Day(10), calls(4));
        recent.happened(Day(9), calls(100));
        assert_eq!(recent.on(Day(11)).calls, 7);
        assert_eq!((recent.on(Day(12)).calls, recent.on(Day(13)).calls), (2, 0));
        recent.happened(Day(20), calls(8));
        assert_eq!(recent.on(Day(20)).calls, 8);
    }

    #[test]
    fn two_are_put_together_by_day() {
        let (mut old, mut new) = (Recent::default(), Recent::default());
        old.happened(Day(10), calls(1));
        new.happened(Day(10), calls(2));
        new.happened(Day(11), calls(4));
        old.absorb(&new);
        assert_eq!((old.on(Day(11)).calls, old.on(Day(12)).calls), (7, 4));
        let mut turned = new;
        turned.absorb(&Recent { day: Day(10), last: calls(1), before: calls(0) });
        assert_eq!(turned, old);
    }
}
