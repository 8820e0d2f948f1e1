//! What is on its way between threads, and what to shed when that is too much.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What a tap leaves out under pressure, mildest first. A file never sheds: it waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum ShedLevel {
    /// Nothing.
    #[default]
    None,
    /// Bodies beyond 64 KiB.
    LongBodies,
    /// Bodies beyond 4 KiB.
    MostBodies,
    /// All bodies.
    Bodies,
    /// Exchanges become counters, but for refusals, server errors and anomalies.
    Exchanges,
}

impl ShedLevel {
    /// Every level, mildest first.
    pub const ALL: [Self; 5] =
        [Self::None, Self::LongBodies, Self::MostBodies, Self::Bodies, Self::Exchanges];

    /// As events and summaries spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::LongBodies => "bodies-beyond-64k",
            Self::MostBodies => "bodies-beyond-4k",
            Self::Bodies => "bodies",
            Self::Exchanges => "exchanges",
        }
    }

    /// What is shed, in words.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::None => "nothing",
            Self::LongBodies => "bodies beyond 64 KiB",
            Self::MostBodies => "bodies beyond 4 KiB",
            Self::Bodies => "all bodies",
            Self::Exchanges => "exchanges without error, refusal or anomaly",
        }
    }

    /// Bytes of a body that are copied, and whether the rest goes ahead in parts.
    pub const fn body_limit(self, usual: usize) -> (usize, bool) {
        match self {
            Self::None => (usual, true),
            Self::LongBodies => (usual, false),
            Self::MostBodies => (if usual < 4 << 10 { usual } else { 4 << 10 }, false),
            Self::Bodies | Self::Exchanges => (0, false),
        }
    }

    /// The level for a fill of so many percent; a level is left only when the fill is 15 points below its entry.
    fn at(self, percent: usize, entry: [usize; 5]) -> Self {
        let entered = |margin: usize| {
            Self::ALL
                .into_iter()
                .zip(entry)
                .rev()
                .find(|(_, entry)| percent + margin >= *entry)
                .map(|(level, _)| level)
        };
        entered(0).unwrap_or_default().max(self.min(entered(15).unwrap_or_default()))
    }
}

/// At which fill of the way between threads each level begins.
const WAY: [usize; 5] = [0, 50, 65, 80, 92];

/// The same for the kernel's ring: earlier, since what finds no room there is lost unseen.
const RING: [usize; 5] = [0, 40, 50, 60, 70];

/// The fill of the way from which on a tap leaves packets in the ring: far enough below [`WAY`]'s first level for what is
/// handed on before it can wait, and so little that it is in the caches still when the analyst comes to it.
const CROWDED: usize = 12;

/// The fill down to which it then waits, so that two threads on one core change seldom.
const ROOMY: usize = 6;

/// The level by how full the way and the ring are.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Gauge {
    way: ShedLevel,
    ring: ShedLevel,
}

impl Gauge {
    /// Takes how full the way is, in percent.
    pub(crate) fn way(&mut self, percent: usize) {
        self.way = self.way.at(percent, WAY);
    }

    /// Takes how full the ring is, in percent.
    pub(crate) fn ring(&mut self, percent: usize) {
        self.ring = self.ring.at(percent, RING);
    }

    pub(crate) fn level(self) -> ShedLevel {
        self.way.max(self.ring)
    }

    /// Whether what comes can wait in the ring.
    pub(crate) fn ring_has_room(self) -> bool {
        self.ring < ShedLevel::Exchanges
    }
}

/// Bytes between the capture threads and the analyst, counted by both, and how full the capture threads' rings are.
#[derive(Debug, Clone)]
pub(crate) struct Flight {
    bytes: Arc<AtomicUsize>,
    limit: usize,
    rings: Arc<[AtomicUsize]>,
}

impl Flight {
    /// For so many capture threads.
    pub(crate) fn new(limit: usize, captures: usize) -> Self {
        let rings = (0..captures).map(|_| AtomicUsize::new(0)).collect();
        Self { bytes: Arc::default(), limit: limit.max(1), rings }
    }

    /// Takes how full the ring of a capture thread is; gives the fill of the fullest. All of them wait or none does, or
    /// one that goes on would hand packets to one that waits.
    pub(crate) fn ring(&self, capture: usize, percent: usize) -> usize {
        self.rings.get(capture).iter().for_each(|ring| ring.store(percent, Ordering::Relaxed));
        self.rings.iter().map(|ring| ring.load(Ordering::Relaxed)).max().unwrap_or(percent)
    }

    /// Whether a tap had better leave packets in the ring, and whether it had still when it has `waited`.
    pub(crate) fn is_crowded(&self, waited: bool) -> bool {
        self.percent() >= if waited { ROOMY } else { CROWDED }
    }

    /// Counts bytes in; gives all that are on their way with them.
    pub(crate) fn took_off(&self, bytes: usize) -> usize {
        self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes
    }

    pub(crate) fn landed(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    pub(crate) fn is_full(&self) -> bool {
        self.bytes.load(Ordering::Relaxed) >= self.limit
    }

    pub(crate) fn percent(&self) -> usize {
        self.bytes.load(Ordering::Relaxed).saturating_mul(100) / self.limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_rise_at_once_and_fall_with_a_margin() {
        let level = ShedLevel::None.at(66, WAY);
        assert_eq!(level, ShedLevel::MostBodies);
        assert_eq!(level.at(55, WAY), ShedLevel::MostBodies, "within the margin");
        assert_eq!(level.at(49, WAY), ShedLevel::LongBodies);
        assert_eq!(level.at(95, WAY), ShedLevel::Exchanges);
        assert_eq!(ShedLevel::Exchanges.at(0, WAY), ShedLevel::None);
    }

    #[test]
    fn the_worse_of_way_and_ring_decides_and_a_ring_near_its_end_is_not_waited_with() {
        let mut gauge = Gauge::default();
        gauge.way(66);
        assert_eq!((gauge.level(), gauge.ring_has_room()), (ShedLevel::MostBodies, true));
        gauge.ring(100);
        assert_eq!((gauge.level(), gauge.ring_has_room()), (ShedLevel::Exchanges, false));
        gauge.ring(56);
        assert_eq!(gauge.level(), ShedLevel::Exchanges, "within the margin");
        gauge.ring(0);
        assert_eq!((gauge.level(), gauge.ring_has_room()), (ShedLevel::MostBodies, true));
    }

    #[test]
    fn a_tap_that_has_waited_waits_until_there_is_much_room() {
        let flight = Flight::new(100, 1);
        for (bytes, crowded) in [(11, [false, true]), (1, [true, true]), (0, [true, true])] {
            flight.took_off(bytes);
            assert_eq!([flight.is_crowded(false), flight.is_crowded(true)], crowded);
        }
        flight.landed(7);
        assert_eq!([flight.is_crowded(false), flight.is_crowded(true)], [false, false]);
    }

    #[test]
    fn the_fullest_ring_speaks_for_all() {
        let flight = Flight::new(100, 2);
        assert_eq!(flight.ring(0, 10), 10);
        assert_eq!(flight.ring(1, 80), 80);
        assert_eq!(flight.ring(0, 20), 80);
        assert_eq!(flight.ring(1, 0), 20);
    }
}
