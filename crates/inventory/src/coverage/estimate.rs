//! From what hides to the share that was seen, with its interval.

use super::cell::Cell;

/// Standard deviations on each side of an estimate. A normal distribution needs 1.96 for 95 %; counts of losses that come
/// in bursts have a longer tail, and 2.2 is what the simulations of `docs/coverage.md` ask for.
pub(super) const DEVIATIONS: f64 = 2.2;

/// How far the number of exchanges behind the edges of connections may be off, as a share.
const EDGE_ERROR: f64 = 0.5;

/// A number with its variance.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Total {
    pub(super) value: f64,
    pub(super) variance: f64,
}

impl Total {
    pub(super) fn plus(self, other: Self) -> Self {
        Self { value: self.value + other.value, variance: self.variance + other.variance }
    }
}

/// How losses run through the exchanges of connections.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Losses {
    /// Places where whole exchanges are missing.
    places: f64,
    /// Exchanges missing in them.
    missing: f64,
    /// Places where one could begin.
    chances: f64,
    /// Anything at all was lost.
    lossy: bool,
}

impl Losses {
    pub(super) fn of(cell: &Cell) -> Self {
        let hidden = cell.hidden();
        let missing = hidden.total.value;
        let places = missing.min(hidden.places);
        let lossy = cell.traces + cell.halves + hidden.places > 0.0;
        Self { places, missing, chances: cell.clean + places, lossy }
    }

    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            places: self.places + other.places,
            missing: self.missing + other.missing,
            chances: self.chances + other.chances,
            lossy: self.lossy || other.lossy,
        }
    }

    /// With one place more, of the kind that others show: a mirror drops packets, and not those of a service, so what one
    /// service has not shown yet is known from the others.
    fn informed_by(self, all: Self) -> Self {
        if !all.lossy {
            return self;
        }
        let one = 1.0 / all.places.max(1.0);
        Self {
            places: self.places + 1.0,
            missing: self.missing + (all.missing * one).max(1.0),
            chances: self.chances + all.chances * one,
            lossy: true,
        }
    }

    /// Exchanges missing behind the edges of connections: before the first packet seen, behind the last, and on
    /// connections of which no packet was seen.
    ///
    /// A loss that runs over an edge leaves no second end to measure it by, so that only those that ended in time are
    /// counted: of mean length 1/(b+h) where losses end with chance b, and connections with chance h, at each exchange.
    /// The mean length of all is 1/b.
    fn beyond_edges(self, cell: &Cell) -> Total {
        let reported = cell.reported();
        if reported <= 0.0 || self.places <= 0.0 || self.chances <= 0.0 {
            return Total::default();
        }
        let length = self.missing / self.places;
        let cut = (cell.connections / reported * length).min(0.8);
        let value = reported * self.missing / self.chances * cut / (1.0 - cut);
        let cluster = length / (1.0 - cut);
        Total { value, variance: value * (1.0 + cluster) + EDGE_ERROR * EDGE_ERROR * value * value }
    }
}

/// A number that lies, with 95 % confidence, between two others.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Interval {
    /// Its lower end.
    pub low: f64,
    /// The most likely value.
    pub likely: f64,
    /// Its upper end.
    pub high: f64,
}

/// Exchanges of which nothing was reported: those in dark places, and those behind edges. `all` says how losses run
/// through all services.
pub(super) fn unreported(cell: &Cell, all: Losses) -> Interval {
    let hidden = cell.hidden();
    let missing = hidden.exchanges();
    let beyond = Losses::of(cell).informed_by(all).beyond_edges(cell);
    let deviation = |total: Total| DEVIATIONS * total.variance.sqrt();
    // A number of exchanges is whole.
    Interval {
        low: (missing.value - deviation(missing)).max(hidden.least).floor(),
        likely: missing.value + beyond.value,
        high: ((missing.value + deviation(missing)).min(hidden.most) + beyond.value + deviation(beyond))
            .ceil(),
    }
}

/// The share of exchanges of which both heads were seen and paired. A pair that is not proven counts for a pair in the
/// upper end, and for halves of two exchanges in the lower one.
pub(super) fn share(cell: &Cell, unreported: Interval) -> Interval {
    let (certain, uncertain) = (cell.certain, cell.uncertain);
    let of = |pairs: f64, all: f64| if all > 0.0 { (pairs / all.max(pairs)).clamp(0.0, 1.0) } else { 0.0 };
    let known = cell.reported();
    let chance = DEVIATIONS * cell.chance.sqrt();
    Interval {
        low: of(certain, known + uncertain + unreported.high + chance),
        likely: of(certain + uncertain, known + unreported.likely),
        high: of(certain + uncertain, known + unreported.low - chance),
    }
}
