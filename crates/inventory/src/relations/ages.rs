//! A table that forgets what was not met for long, and what was met least lately where it is full.

use crate::hashing::BuildAsIs;
use std::collections::HashMap;

/// Records by keyed hash, in two ages. What is met moves to the young one; when that has lasted for its span, or is half of
/// what there is room for, it becomes the old one, and what was in the old one is forgotten.
pub(super) struct Ages<V> {
    young: HashMap<u64, V, BuildAsIs>,
    old: HashMap<u64, V, BuildAsIs>,
    most: usize,
    /// Seconds of packet time.
    span: i64,
    /// When the young age began; `None` before the first record.
    since: Option<i64>,
    forgotten: Forgotten,
}

/// What became of records that are there no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Forgotten {
    /// They made room for others.
    pub evicted: u64,
    /// They were not met for long.
    pub expired: u64,
}

impl Forgotten {
    pub(super) const fn and(self, other: Self) -> Self {
        Self { evicted: self.evicted + other.evicted, expired: self.expired + other.expired }
    }
}

impl<V: Default> Ages<V> {
    /// Room for that many records, each kept for at least `span` seconds after it was met where there is room.
    pub(super) fn new(most: usize, span: i64) -> Self {
        Self {
            young: HashMap::default(),
            old: HashMap::default(),
            most: most.max(2),
            span,
            since: None,
            forgotten: Forgotten::default(),
        }
    }

    /// Records held.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }

    pub(super) const fn forgotten(&self) -> Forgotten {
        self.forgotten
    }

    /// A record as it is; it does not count as met.
    pub(super) fn get(&self, key: u64) -> Option<&V> {
        self.young.get(&key).or_else(|| self.old.get(&key))
    }

    /// A record that is met now.
    pub(super) fn met(&mut self, key: u64, now: i64) -> Option<&mut V> {
        if !self.young.contains_key(&key) {
            let record = self.old.remove(&key)?;
            self.turn(now);
            self.young.insert(key, record);
        }
        self.young.get_mut(&key)
    }

    /// A record that is met now, made where there is none.
    pub(super) fn met_or_new(&mut self, key: u64, now: i64) -> &mut V {
        if !self.young.contains_key(&key) {
            let record = self.old.remove(&key).unwrap_or_default();
            self.turn(now);
            self.young.insert(key, record);
        }
        self.young.entry(key).or_default()
    }

    /// The young age ends where it is time, or full.
    fn turn(&mut self, now: i64) {
        let since = *self.since.get_or_insert(now);
        let (late, full) = (now - since > self.span, self.young.len() >= self.most / 2);
        if !late && !full {
            return;
        }
        let gone = std::mem::replace(&mut self.old, std::mem::take(&mut self.young));
        let counter = if late { &mut self.forgotten.expired } else { &mut self.forgotten.evicted };
        *counter += gone.len() as u64;
        self.since = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_met_stays_and_a_flood_is_counted() {
        let mut table: Ages<u32> = Ages::new(100, 1_000);
        for key in 0..10_000 {
            table.met_or_new(key + 7, 0);
            *table.met_or_new(1, 0) += 1;
        }
        assert_eq!(table.get(1), Some(&10_000));
        assert!(table.len() <= 100, "{}", table.len());
        let Forgotten { evicted, expired } = table.forgotten();
        assert_eq!((evicted + table.len() as u64, expired), (10_001, 0));
    }

    #[test]
    fn what_is_not_met_for_two_spans_is_forgotten() {
        let mut table: Ages<u32> = Ages::new(100, 1_000);
        *table.met_or_new(1, 0) = 5;
        for now in [1_500, 3_000, 4_500] {
            table.met_or_new(2 + now as u64, now);
        }
        assert_eq!((table.get(1), table.forgotten().expired), (None, 2));
    }
}
