//! Calibrated blindness: which share of the exchanges that passed the mirror was seen, by service and hour.
//!
//! An exchange is seen when both its heads were captured and it was reported as a pair. What was not seen leaves traces:
//! halves, and bytes that sequence and acknowledgement numbers prove were sent ([`tapwire_protocol::Unseen`]). How many
//! exchanges hide in such bytes is estimated from the sizes of the service's messages, and stated as an interval.
//! `docs/coverage.md` has the method, what else was tried, and how often the interval holds the truth.

mod cell;
mod estimate;
mod sample;
mod services;

pub use estimate::Interval;

use crate::Config;
use cell::Cell;
use estimate::{DEVIATIONS, Losses, Total, share, unreported};
use services::{Counted, Owner, Plain, Services};
use std::collections::BTreeMap;
use std::sync::Arc;
use tapwire_protocol::{ConnectionEnd, Exchange, Unseen};
use tapwire_wire::Timestamp;

/// How well one service was seen in one hour of packet time.
#[derive(Debug, Clone, PartialEq)]
pub struct HourCoverage {
    /// The service.
    pub service: Arc<str>,
    /// When the hour begins.
    pub hour: Timestamp,
    /// When it ended, or the run before it.
    pub until: Timestamp,
    /// How well it was seen.
    pub seen: SeenShare,
}

/// How well a service was seen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SeenShare {
    /// Exchanges of which both heads were seen and paired.
    pub pairs: u64,
    /// Of those, pairs that are not proven.
    pub uncertain: u64,
    /// Exchanges of which one head was seen, or both and not that they belong together.
    pub halves: u64,
    /// Exchanges of which nothing was seen.
    pub unseen: Interval,
    /// `pairs` as a share of all, from 0 to 1.
    pub share: Interval,
}

impl SeenShare {
    /// Whether nothing is known to be missing.
    pub fn is_all(&self) -> bool {
        self.share.low >= 1.0
    }

    /// Whether anything of it was seen.
    pub const fn is_any(&self) -> bool {
        self.pairs > 0 || self.halves > 0
    }
}

/// All hours of a service together.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceCoverage {
    /// The service.
    pub service: Arc<str>,
    /// How well it was seen.
    pub seen: SeenShare,
    /// The hour it was seen worst, where there are several.
    pub worst: Option<HourCoverage>,
}

/// What found no room.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CoverageCounters {
    /// Exchanges of services beyond the limit.
    pub beyond_services: u64,
    /// Ends of connections to servers of which no exchange was ever seen: they need not be HTTP.
    pub unplaced_ends: u64,
}

/// An hour of packet time, counted from 1970.
type Hour = i64;

/// Seconds of an hour.
const HOUR: i64 = 3_600;

/// An hour is over so many seconds after its end: idle connections are given up after 300 s, and what they leave
/// open belongs to it.
const GRACE: i64 = 360;

/// Learns how well services were seen. Written by one thread, in the order of the exchanges' numbers.
pub struct Coverage {
    services: Services,
    /// What is open, by hour.
    hours: BTreeMap<Hour, BTreeMap<Owner, Cell>>,
    /// Of hours that are over, by service.
    totals: BTreeMap<Arc<str>, Tally>,
    /// The largest second of packet time since the clock was set, and the time itself.
    clock: i64,
    last: Timestamp,
    /// When the next hour is over.
    due: i64,
    counters: CoverageCounters,
}

/// The hours of a service that are over.
#[derive(Debug, Clone, Default)]
struct Tally {
    cell: Cell,
    low: f64,
    unseen: Total,
    hours: u64,
    worst: Option<HourCoverage>,
}

impl Coverage {
    /// Empty.
    pub fn new(config: &Config) -> Self {
        Self {
            services: Services::new(config),
            hours: BTreeMap::new(),
            totals: BTreeMap::new(),
            clock: i64::MIN,
            last: Timestamp::MIN,
            due: i64::MAX,
            counters: CoverageCounters::default(),
        }
    }

    /// What found no room so far.
    pub const fn counters(&self) -> CoverageCounters {
        self.counters
    }

    /// Takes an exchange, and the ends of connections that travel with it.
    pub fn exchange(&mut self, exchange: &Exchange) {
        exchange.ends.iter().filter(|end| end.knock.is_none()).for_each(|end| self.end(end));
        // A message of an exchange that was counted; there is no pair to miss.
        if exchange.child.is_some() {
            return self.advance(exchange.ended());
        }
        let hour = hour_of(exchange.started());
        self.advance(exchange.ended());
        if let Counted::With(left) = self.services.count(exchange, hour) {
            left.iter().for_each(|plain| self.add_plain(plain));
            return;
        }
        let met = self.services.meet(exchange, hour);
        let Some(owner) = met.owner else {
            self.counters.beyond_services += 1;
            return;
        };
        self.services.learn(owner, exchange);
        self.cell(owner, hour).exchange(exchange, met.before.is_none());
        if !exchange.unseen.is_nothing() {
            self.unseen(owner, hour, met.before, &exchange.unseen);
        }
    }

    /// Takes the end of a connection.
    pub fn end(&mut self, end: &ConnectionEnd) {
        let met = self.services.of_end(end);
        match met.owner {
            Some(owner) => {
                let hour = met.before.unwrap_or_else(|| hour_of(end.time));
                self.unseen(owner, hour, None, &end.unseen);
            }
            None => self.counters.unplaced_ends += 1,
        }
    }

    /// What lies before an exchange of this hour; the one before it was in the hour `before`.
    fn unseen(&mut self, owner: Owner, hour: Hour, before: Option<Hour>, unseen: &Unseen) {
        if unseen.answer.is_some() {
            self.cell(owner, before.unwrap_or(hour)).answer(unseen.answer);
        }
        let elsewhere = before.filter(|before| *before != hour);
        let cell = self.hours.entry(hour).or_default().entry(owner).or_default();
        cell.dark(unseen, elsewhere.is_some(), self.services.sample(owner));
        if let Some(before) = elsewhere {
            self.cell(owner, before).chance += 0.25;
        }
    }

    /// Whether an hour is over.
    pub const fn is_due(&self) -> bool {
        self.clock >= self.due
    }

    /// The hours that are over, in order of time and name.
    pub fn take_due(&mut self) -> Vec<HourCoverage> {
        let mut done = Vec::new();
        while let Some((hour, _)) = self.hours.first_key_value()
            && (hour + 1) * HOUR + GRACE <= self.clock
        {
            self.close_first(&mut done);
        }
        self.due = due_after(self.clock);
        done
    }

    /// All hours that are left: the run is over.
    pub fn take_rest(&mut self) -> Vec<HourCoverage> {
        let mut done = Vec::new();
        while !self.hours.is_empty() {
            self.close_first(&mut done);
        }
        done
    }

    /// Every service over all hours that were taken, sorted by name.
    pub fn services(&self) -> impl Iterator<Item = ServiceCoverage> {
        self.totals.iter().map(|(name, tally)| tally.coverage(name))
    }

    fn cell(&mut self, owner: Owner, hour: Hour) -> &mut Cell {
        self.hours.entry(hour).or_default().entry(owner).or_default()
    }

    fn add_plain(&mut self, plain: &Plain) {
        self.cell(plain.owner, plain.hour).plain(plain.count);
    }

    fn advance(&mut self, time: Timestamp) {
        let is_set_back = self.last.follow(time);
        let begins = self.clock == i64::MIN;
        self.clock = self.last.millis().div_euclid(1_000);
        if begins || is_set_back {
            self.due = due_after(self.clock);
        }
    }

    /// When an hour ended, or the run in it. One before which the clock was set back lasted.
    fn end_of(&self, hour: Hour) -> Timestamp {
        let end = Timestamp::from_parts((hour + 1) * HOUR, 0);
        if self.last < Timestamp::from_parts(hour * HOUR, 0) { end } else { end.min(self.last) }
    }

    fn close_first(&mut self, done: &mut Vec<HourCoverage>) {
        let Some(hour) = self.hours.first_key_value().map(|(hour, _)| *hour) else { return };
        self.services.take_plain(hour).iter().for_each(|plain| self.add_plain(plain));
        let Some((hour, cells)) = self.hours.pop_first() else { return };
        let mut cells = self.services.share_out(cells);
        for (service, cell) in &mut cells {
            cell.settle(self.services.sample(Owner::Service(*service)));
        }
        let losses = cells.values().map(Losses::of).fold(Losses::default(), Losses::plus);
        let mut hours: Vec<HourCoverage> = Vec::with_capacity(cells.len());
        for (service, cell) in cells {
            let unseen = unreported(&cell, losses);
            let coverage = HourCoverage {
                service: self.services.name(service),
                hour: Timestamp::from_parts(hour * HOUR, 0),
                until: self.end_of(hour),
                seen: SeenShare::new(&cell, unseen),
            };
            self.totals.entry(Arc::clone(&coverage.service)).or_default().add(&cell, unseen, &coverage);
            hours.push(coverage);
        }
        hours.sort_by(|left, right| left.service.cmp(&right.service));
        done.append(&mut hours);
    }
}

/// When the hour of that second is over.
const fn due_after(second: i64) -> i64 {
    (second.div_euclid(HOUR) + 1) * HOUR + GRACE
}

fn hour_of(time: Timestamp) -> Hour {
    time.millis().div_euclid(HOUR * 1_000)
}

impl SeenShare {
    fn new(cell: &Cell, unseen: Interval) -> Self {
        Self {
            pairs: whole(cell.certain + cell.uncertain),
            uncertain: whole(cell.uncertain),
            halves: whole(cell.halves),
            unseen,
            share: share(cell, unseen),
        }
    }
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts are small and not negative"
)]
fn whole(count: f64) -> u64 {
    count.max(0.0).round() as u64
}

impl Tally {
    fn add(&mut self, cell: &Cell, unseen: Interval, coverage: &HourCoverage) {
        self.cell.merge(cell);
        self.low += unseen.low;
        let deviation = (unseen.high - unseen.likely) / DEVIATIONS;
        self.unseen = self.unseen.plus(Total { value: unseen.likely, variance: deviation * deviation });
        self.hours += 1;
        let worse = |worst: &HourCoverage| coverage.seen.share.likely < worst.seen.share.likely;
        if self.worst.as_ref().is_none_or(worse) {
            self.worst = Some(coverage.clone());
        }
    }

    fn coverage(&self, name: &Arc<str>) -> ServiceCoverage {
        let deviation = DEVIATIONS * self.unseen.variance.sqrt();
        let unseen =
            Interval { low: self.low, likely: self.unseen.value, high: self.unseen.value + deviation };
        ServiceCoverage {
            service: Arc::clone(name),
            seen: SeenShare::new(&self.cell, unseen),
            worst: self.worst.clone().filter(|_| self.hours > 1),
        }
    }
}

#[cfg(test)]
mod tests;
