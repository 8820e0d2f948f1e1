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
    pub fn at(self, percent: usize) -> Self {
        const ENTRY: [usize; 5] = [0, 50, 65, 80, 92];
        let entered = |margin: usize| {
            Self::ALL
                .into_iter()
                .zip(ENTRY)
                .rev()
                .find(|(_, entry)| percent + margin >= *entry)
                .map(|(level, _)| level)
        };
        entered(0).unwrap_or_default().max(self.min(entered(15).unwrap_or_default()))
    }
}

/// Bytes between the capture thread and the analyst, counted by both.
#[derive(Debug, Clone, Default)]
pub(crate) struct Flight {
    bytes: Arc<AtomicUsize>,
    limit: usize,
}

impl Flight {
    pub(crate) fn new(limit: usize) -> Self {
        Self { bytes: Arc::default(), limit: limit.max(1) }
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
        let level = ShedLevel::None.at(66);
        assert_eq!(level, ShedLevel::MostBodies);
        assert_eq!(level.at(55), ShedLevel::MostBodies, "within the margin");
        assert_eq!(level.at(49), ShedLevel::LongBodies);
        assert_eq!(level.at(95), ShedLevel::Exchanges);
        assert_eq!(ShedLevel::Exchanges.at(0), ShedLevel::None);
    }
}
