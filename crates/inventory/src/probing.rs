//! Callers that ask for what does not exist, as scanners do.

use crate::hashing::BuildAsIs;
use crate::state::{Unfit, put_some, take_all};
use std::collections::HashMap;

/// Callers that are watched at once.
const MAX_WATCHED: usize = 8_192;
/// Misses that are no accident, where they are at least half of the calls.
const ENOUGH: u32 = 20;

#[derive(Debug, Clone, Copy, Default, serde::Serialize, serde::Deserialize)]
struct Watched {
    /// Calls since the first miss.
    calls: u32,
    /// Of these, answered that there is no such thing.
    misses: u32,
}

impl Watched {
    const fn is_probing(self) -> bool {
        self.misses >= ENOUGH && self.misses >= self.calls / 2
    }
}

/// Every caller that missed lately.
#[derive(Debug, Default)]
pub(crate) struct Probing {
    /// By the hash of its keyed token.
    watched: HashMap<u64, Watched, BuildAsIs>,
    forgotten: u64,
}

impl Probing {
    /// Counts a call; whether its caller mostly asks for what does not exist.
    pub(crate) fn is_probing(&mut self, caller: u64, status: Option<u16>) -> bool {
        let missed = matches!(status, Some(404 | 405 | 501));
        if missed {
            self.make_room(caller);
        } else if self.watched.is_empty() {
            return false;
        }
        let watched = match self.watched.get_mut(&caller) {
            Some(watched) => watched,
            None if missed => self.watched.entry(caller).or_default(),
            None => return false,
        };
        watched.calls = watched.calls.saturating_add(1);
        watched.misses = watched.misses.saturating_add(missed.into());
        watched.is_probing()
    }

    /// All at once: they are few.
    pub(crate) fn save(&self, out: &mut Vec<u8>) -> Option<usize> {
        let mut all: Vec<_> = self.watched.iter().collect();
        all.sort_unstable_by_key(|(caller, _)| **caller);
        put_some(all.into_iter(), |_| 0, out)
    }

    /// Takes callers; how many found no room.
    pub(crate) fn load(&mut self, piece: &[u8]) -> Result<u64, Unfit> {
        take_all(piece, |(caller, watched): (u64, Watched)| {
            let room = self.watched.len() < MAX_WATCHED;
            self.watched.extend(room.then_some((caller, watched)));
            room
        })
    }

    /// Callers that were forgotten for want of room.
    pub(crate) const fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// Where there is none, those go that do not probe, and where all do, all go.
    fn make_room(&mut self, caller: u64) {
        if self.watched.len() < MAX_WATCHED || self.watched.contains_key(&caller) {
            return;
        }
        let before = self.watched.len();
        self.watched.retain(|_, watched| watched.is_probing());
        if self.watched.len() > MAX_WATCHED / 2 {
            self.watched.clear();
        }
        self.forgotten += (before - self.watched.len()) as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_mostly_misses_probes_and_who_now_and_then_misses_does_not() {
        let mut probing = Probing::default();
        let found: Vec<bool> = (0..40).map(|_| probing.is_probing(1, Some(404))).collect();
        assert_eq!(found.iter().filter(|probes| **probes).count(), 21);
        assert!(probing.is_probing(1, Some(200)));
        for _ in 0..100 {
            assert!(!probing.is_probing(2, Some(404)));
            (0..2).for_each(|_| assert!(!probing.is_probing(2, Some(200))));
        }
        assert!(!probing.is_probing(3, None));
        assert_eq!(probing.watched.len(), 2, "who never missed is not watched");
    }

    #[test]
    fn many_callers_make_the_table_no_larger() {
        let mut probing = Probing::default();
        for caller in [7; 30].into_iter().chain(100..100_000) {
            probing.is_probing(caller, Some(404));
        }
        assert!(probing.watched.len() <= MAX_WATCHED && probing.forgotten() > 80_000);
        assert!(probing.is_probing(7, Some(200)), "who probes is kept");
    }
}
