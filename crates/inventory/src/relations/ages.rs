//! A table that forgets what was not met for long, and what was met least lately where it is full.

use crate::hashing::BuildAsIs;
use crate::state::{Stretch, Unfit, put, take, take_all};
use serde::Serialize;
use serde::de::DeserializeOwned;
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

    /// Each record made anew of itself.
    pub(super) fn each(&mut self, made: impl Fn(V) -> V) {
        for record in self.young.values_mut().chain(self.old.values_mut()) {
            *record = made(std::mem::take(record));
        }
    }

    /// Records held.
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
        let (late, full) = (now.saturating_sub(since) > self.span, self.young.len() >= self.most / 2);
        if !late && !full {
            return;
        }
        let gone = std::mem::replace(&mut self.old, std::mem::take(&mut self.young));
        let counter = if late { &mut self.forgotten.expired } else { &mut self.forgotten.evicted };
        *counter += gone.len() as u64;
        self.since = Some(now);
    }
}

/// A table of any records, as a checkpoint has it.
pub(super) trait Table {
    fn is_empty(&self) -> bool;

    /// Adds the records of a stretch that begins at a place, in the order of their keys; where the next one begins.
    fn save(&self, from: usize, out: &mut Vec<u8>) -> usize;

    /// Takes records; how many found no room.
    fn load(&mut self, piece: &[u8]) -> Result<u64, Unfit>;
}

impl<V: Default + Serialize + DeserializeOwned> Table for Ages<V> {
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn save(&self, from: usize, out: &mut Vec<u8>) -> usize {
        let stretch = Stretch::new(from, self.len());
        let young = self.young.iter().map(|(key, record)| (*key, false, record));
        let old = self.old.iter().map(|(key, record)| (*key, true, record));
        let mut records: Vec<_> = young.chain(old).filter(|(key, ..)| stretch.has(*key)).collect();
        records.sort_unstable_by_key(|(key, ..)| *key);
        put(&self.since, out);
        records.iter().for_each(|record| put(record, out));
        stretch.end()
    }

    fn load(&mut self, mut piece: &[u8]) -> Result<u64, Unfit> {
        self.since = take(&mut piece)?;
        let Self { young, old, most, .. } = self;
        take_all(piece, |(key, is_old, record): (u64, bool, V)| {
            let is_known = young.contains_key(&key) || old.contains_key(&key);
            let age = if is_old { &mut *old } else { &mut *young };
            let room = !is_known && age.len() < *most / 2;
            if room {
                age.insert(key, record);
            }
            room
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::PLACES;

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

    /// The pieces of a table that is changed after each of them.
    fn pieces(table: &mut Ages<u32>, mut change: impl FnMut(&mut Ages<u32>)) -> Vec<Vec<u8>> {
        let (mut from, mut all) = (0, Vec::new());
        while from < PLACES {
            let mut piece = Vec::new();
            from = table.save(from, &mut piece);
            all.push(piece);
            change(table);
        }
        all
    }

    fn loaded(most: usize, pieces: &[Vec<u8>]) -> (Ages<u32>, u64) {
        let mut table = Ages::new(most, 1_000);
        let left_out = pieces.iter().map(|piece| table.load(piece).expect("it was written")).sum();
        (table, left_out)
    }

    #[test]
    fn ages_are_kept() {
        let mut table: Ages<u32> = Ages::new(10_000, 1_000);
        (0..2_000).for_each(|key| *table.met_or_new(spread(key), 0) = 7);
        (0..3_000).for_each(|key| *table.met_or_new(spread(key + 1_500), 1_500) += 1);
        let all = pieces(&mut table, |_| {});
        let (mut again, left_out) = loaded(10_000, &all);
        assert_eq!((again.len(), again.old.len(), left_out), (4_500, 2_000, 0));
        assert_eq!(pieces(&mut again, |_| {}), all);
        for table in [&mut table, &mut again] {
            table.met_or_new(1, 2_600);
            assert_eq!((table.get(spread(1_600)), table.get(spread(2_100))), (None, Some(&1)));
            assert_eq!(table.forgotten().expired, 2_000);
        }
    }

    #[test]
    fn what_stays_while_a_checkpoint_is_written_is_in_it() {
        let mut table: Ages<u32> = Ages::new(100_000, 1_000);
        (0..20_000).for_each(|key| *table.met_or_new(spread(key), 0) = 1);
        let mut next = 20_000;
        let all = pieces(&mut table, |table| {
            (0..700).for_each(|key| *table.met_or_new(spread(key + next), 1_500) = 2);
            for key in (0..20_000).filter(|key| key % 7 == next % 7) {
                let _met = table.met(spread(key), 1_500);
            }
            next += 700;
        });
        assert!(all.len() > 8, "{} pieces", all.len());
        let (again, left_out) = loaded(100_000, &all);
        assert_eq!(left_out, 0);
        assert!((0..20_000).all(|key| again.get(spread(key)) == Some(&1)));
    }

    #[test]
    fn a_smaller_table_takes_what_it_has_room_for() {
        let mut table: Ages<u32> = Ages::new(10_000, 1_000);
        (0..4_000).for_each(|key| *table.met_or_new(spread(key), 0) = 1);
        let (again, left_out) = loaded(1_000, &pieces(&mut table, |_| {}));
        assert_eq!((again.len(), left_out), (500, 3_500));
    }

    fn spread(key: u64) -> u64 {
        key.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}
