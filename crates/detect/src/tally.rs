//! Small counters that detectors keep for a key.

use serde::{Deserialize, Serialize};
use tapwire_wire::Timestamp;

/// Distinct hashes, exact up to 64; beyond, what comes again counts again.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Distinct {
    /// Sorted.
    hashes: Vec<u64>,
    beyond: u32,
}

impl Distinct {
    const MOST: usize = 64;

    /// Adds one; whether it was new.
    pub(crate) fn add(&mut self, hash: u64) -> bool {
        match self.hashes.binary_search(&hash) {
            Ok(_) => false,
            Err(at) => {
                if self.hashes.len() < Self::MOST {
                    self.hashes.insert(at, hash);
                } else {
                    self.beyond = self.beyond.saturating_add(1);
                }
                true
            }
        }
    }

    pub(crate) fn has(&self, hash: u64) -> bool {
        self.hashes.binary_search(&hash).is_ok()
    }

    pub(crate) fn len(&self) -> usize {
        self.hashes.len() + self.beyond as usize
    }
}

/// A stretch of time in which things are counted: it begins with the first and is over when nothing came for a while, or when
/// it has become too long.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Stretch {
    first: i64,
    last: i64,
}

impl Stretch {
    /// Hears of one more; whether the stretch before is over and another one begins. Times in seconds.
    pub(crate) fn begins(&mut self, time: Timestamp, quiet: i64, longest: i64) -> bool {
        let now = time.nanos() / 1_000_000_000;
        let over = self.last == 0 || now - self.last > quiet || now - self.first > longest;
        if over {
            self.first = now;
        }
        self.last = self.last.max(now);
        over
    }

    /// Its length so far, in seconds.
    pub(crate) const fn seconds(self) -> i64 {
        self.last - self.first
    }

    /// Its length so far, in words.
    pub(crate) fn words(self) -> String {
        match (self.last - self.first).max(1) {
            seconds @ ..120 => format!("{seconds} s"),
            seconds @ 120..7_200 => format!("{} min", seconds / 60),
            seconds => format!("{} h", seconds / 3_600),
        }
    }
}

/// Rises in steps: what grows is told at the first step and then each time it is ten times as much.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Steps {
    next: u64,
}

impl Steps {
    /// Whether a count reaches the next step.
    pub(crate) fn reaches(&mut self, count: u64, first: u64) -> bool {
        let next = if self.next == 0 { first } else { self.next };
        if count < next {
            return false;
        }
        self.next = count.saturating_mul(10);
        true
    }
}

/// "1 request", "2 requests".
pub(crate) fn times(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distinct_counts_each_once_and_is_bounded() {
        let mut distinct = Distinct::default();
        assert!(distinct.add(7) && !distinct.add(7) && distinct.has(7));
        for hash in 0..10_000 {
            distinct.add(hash);
        }
        assert_eq!((distinct.len(), distinct.hashes.len()), (10_000, 64));
    }

    #[test]
    fn a_stretch_ends_with_silence_or_by_its_length() {
        let at = |seconds: i64| Timestamp::from_parts(1_000 + seconds, 0);
        let mut stretch = Stretch::default();
        let begins: Vec<bool> =
            [0, 50, 100, 300, 350].into_iter().map(|time| stretch.begins(at(time), 100, 1_000)).collect();
        assert_eq!(begins, [true, false, false, true, false]);
    }

    #[test]
    fn steps_grow_tenfold() {
        let mut steps = Steps::default();
        let told: Vec<u64> = (1..=1_000).filter(|count| steps.reaches(*count, 3)).collect();
        assert_eq!(told, [3, 30, 300]);
    }
}
