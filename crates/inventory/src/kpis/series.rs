//! KPIs day by day: a point for each day on which something was called, in packet time and UTC.
//!
//! A point holds what was counted by then since the beginning, so that the figure of a time is what came between two
//! points, and points of days that were missed lose nothing. A captured clock that steps back adds to the day that is open.

use super::ground::day;
use super::table::{Parts, place};
use super::{KPIS, Kpi, Kpis, Part, Scope, Span, Unit, Value};
use crate::state::{Unfit, put_some, take_all};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use tapwire_wire::Timestamp;

/// Days that are kept.
pub const MAX_DAYS: usize = 400;
/// What a point weighs in a piece of a checkpoint, where a caller weighs 1.
const POINT: usize = 4;

/// The points of all days that are kept.
#[derive(Debug, Clone)]
pub struct Series {
    max_scopes: usize,
    /// The day that is open; `None` before the first call.
    open: Option<i64>,
    days: BTreeMap<i64, BTreeMap<Scope, Parts>>,
    /// The scopes that have points: the first that there were, the busiest first.
    scopes: BTreeSet<Scope>,
    counters: SeriesCounters,
}

/// What found no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SeriesCounters {
    /// Points of scopes beyond the limit.
    pub beyond_scopes: u64,
    /// Days forgotten after 400.
    pub forgotten_days: u64,
}

impl Series {
    /// Empty, for so many scopes.
    pub(crate) const fn new(max_scopes: usize) -> Self {
        Self {
            max_scopes,
            open: None,
            days: BTreeMap::new(),
            scopes: BTreeSet::new(),
            counters: SeriesCounters { beyond_scopes: 0, forgotten_days: 0 },
        }
    }

    /// Hears the time of a call; gives the day that it ends, where it begins another.
    pub(crate) fn hear(&mut self, time: Timestamp) -> Option<i64> {
        let today = day(time);
        match self.open {
            Some(open) if today <= open => None,
            before => {
                self.open = Some(today);
                before
            }
        }
    }

    /// The day that is open.
    pub(crate) const fn open(&self) -> Option<i64> {
        self.open
    }

    /// Keeps the point of a day; a later one of the same day takes its place.
    pub(crate) fn keep(&mut self, day: i64, kpis: &Kpis) {
        let mut sums: Vec<_> = kpis.sums().iter().collect();
        let is_service = |scope: &Scope| matches!(scope, Scope::Service(_));
        sums.sort_by_key(|(scope, sum)| (is_service(scope), Reverse(sum.calls)));
        let point = self.days.entry(day).or_default();
        for (scope, sum) in sums {
            if !self.scopes.contains(scope) {
                if self.scopes.len() >= self.max_scopes {
                    self.counters.beyond_scopes += 1;
                    continue;
                }
                self.scopes.insert(scope.clone());
            }
            point.insert(scope.clone(), sum.parts.clone());
        }
        // One more than is told: the oldest only says what was counted before the one behind it.
        while self.days.len() > MAX_DAYS + 1 {
            self.days.pop_first();
            self.counters.forgotten_days += 1;
        }
    }

    /// What found no room so far.
    pub const fn counters(&self) -> SeriesCounters {
        self.counters
    }

    /// The days with a point, by number: days since 1970-01-01, UTC.
    pub fn days(&self) -> impl DoubleEndedIterator<Item = i64> {
        self.days.keys().copied().skip(usize::from(self.is_full()))
    }

    /// Whether the oldest point only says what was counted before the one behind it.
    fn is_full(&self) -> bool {
        self.days.len() > MAX_DAYS
    }

    /// Writes points from the `at`th on, for a checkpoint; how many, `None` when they were the last.
    pub(crate) fn save(&self, at: usize, out: &mut Vec<u8>) -> Option<usize> {
        let of_day = |(day, point): (&i64, _)| {
            let day = *day;
            BTreeMap::iter(point).map(move |(scope, parts): (&Scope, &Parts)| (day, scope, parts))
        };
        put_some(self.days.iter().flat_map(of_day).skip(at), |_| POINT, out)
    }

    /// Takes points of a checkpoint; how many found no room. A KPI that they do not have yet is not judged.
    pub(crate) fn load(&mut self, entries: &[u8]) -> Result<u64, Unfit> {
        take_all(entries, |(day, scope, parts): (i64, Scope, Vec<Part>)| {
            let known = self.scopes.contains(&scope) || self.scopes.len() < self.max_scopes;
            let room = known && (self.days.contains_key(&day) || !self.is_full());
            if room {
                let kept = parts.into_iter().chain(std::iter::repeat(Part::NONE)).take(KPIS.len());
                self.scopes.insert(scope.clone());
                self.days.entry(day).or_default().insert(scope, kept.collect());
                self.open = self.open.max(Some(day));
            }
            room
        })
    }

    /// The figure of one day.
    pub fn on(&self, day: i64, kpi: &Kpi, scope: &Scope) -> Value {
        self.between(day, day, kpi, scope)
    }

    /// The figure of the days from `first` to `last`: how it was at the end of the last one that has a point, or what came
    /// to pass in all of them.
    pub fn between(&self, first: i64, last: i64, kpi: &Kpi, scope: &Scope) -> Value {
        let Some((at, point)) = self.days.range(first..=last.max(first)).next_back() else {
            return Value::NotJudged("no call was seen then");
        };
        let Some(end) = part(point, kpi, scope) else {
            return Value::NotJudged("it was not seen then, or there was no room for its days");
        };
        if kpi.span == Span::State || end.denominator == 0 {
            return kpi.value(end);
        }
        let before = self.days.range(..first).next_back();
        if before.is_none() && self.is_full() {
            return Value::NotJudged("the days before are forgotten");
        }
        let begin = before.and_then(|(_, point)| part(point, kpi, scope)).unwrap_or(Part::NONE);
        match since(end, begin, kpi.unit) {
            Some(part) if kpi.unit == Unit::PerDay => {
                let from = self.days().next().map_or(first, |oldest| oldest.max(first));
                kpi.value(Part::of(part.numerator, u64::try_from(at - from + 1).unwrap_or(1)))
            }
            Some(part) => kpi.value(part),
            None => Value::NotJudged("what belongs to it changed meanwhile"),
        }
    }
}

fn part(point: &BTreeMap<Scope, Parts>, kpi: &Kpi, scope: &Scope) -> Option<Part> {
    point.get(scope)?.get(place(kpi)?).copied()
}

/// What came between two points. What became of another sort in between, such as an endpoint that turned out to be a
/// zombie, brings what it had before along: a share is never above all.
fn since(end: Part, begin: Part, unit: Unit) -> Option<Part> {
    let denominator = end.denominator.checked_sub(begin.denominator)?;
    let numerator = end.numerator.checked_sub(begin.numerator)?;
    let numerator = if unit == Unit::Percent { numerator.min(denominator) } else { numerator };
    Some(Part { numerator, denominator })
}
