//! One record per scope key, with the states of all detectors side by side.

use crate::detector::State;
use crate::{Config, DETECTORS};
use std::collections::BTreeMap;
use tapwire_wire::Timestamp;

/// Records looked at for expiry when a new one is made: twice as fast as they come.
const SWEEP: usize = 2;

/// Keys whose place is remembered; a power of two.
const RECENT: usize = 4096;

/// The key of a record: a 128-bit hash of scope and what it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key(pub(crate) u128);

/// The states of one scope key.
pub(crate) struct Record {
    pub(crate) key: Key,
    pub(crate) last: Timestamp,
    /// Each with its detector's index in the registry; those that no call concerned are not there.
    pub(crate) states: Vec<(u16, Box<dyn State>)>,
    /// Whether it was used since the hand passed it.
    pub(crate) used: bool,
}

impl Record {
    /// The state of the detector with that index, made when it is not there.
    pub(crate) fn state(&mut self, detector: usize) -> Option<&mut Box<dyn State>> {
        let number = u16::try_from(detector).ok()?;
        if !self.states.iter().any(|(known, _)| *known == number) {
            let new = DETECTORS.get(detector)?.state.new;
            self.states.push((number, new()));
        }
        self.states.iter_mut().find(|(known, _)| *known == number).map(|(_, state)| state)
    }
}

/// All records, bounded in number and by age, in packet time.
pub(crate) struct Records {
    config: Config,
    slots: Vec<Record>,
    /// A tree, so that chosen keys cost no more than others.
    by_key: BTreeMap<Key, usize>,
    /// Where the record of a key was found last, by the key's low bits: callers come again soon. It only saves the way
    /// through the tree.
    recent: Box<[u32; RECENT]>,
    /// Where the sweep for expired and unused records goes on.
    hand: usize,
    pub(crate) evicted: u64,
    pub(crate) expired: u64,
}

impl Records {
    pub(crate) fn new(config: Config) -> Self {
        let recent = Box::new([0; RECENT]);
        Self { config, slots: Vec::new(), by_key: BTreeMap::new(), recent, hand: 0, evicted: 0, expired: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// The records before that place, from the last to the first: one that is removed meanwhile moves only what was passed.
    pub(crate) fn before(&self, place: usize) -> impl Iterator<Item = &Record> {
        self.slots.get(..place.min(self.slots.len())).unwrap_or_default().iter().rev()
    }

    /// Takes records as they were, from the last to the first; how many were left out, for want of room or as second ones
    /// of their key.
    pub(crate) fn restore(&mut self, records: Vec<Record>) -> u64 {
        let all = records.len();
        for record in records.into_iter().rev() {
            if self.slots.len() < self.config.max_records.max(1) && !self.by_key.contains_key(&record.key) {
                self.by_key.insert(record.key, self.slots.len());
                self.slots.push(record);
            }
        }
        (all - self.slots.len()) as u64
    }

    /// Whether there is a record of a key with a state of the detector with that index.
    pub(crate) fn has(&mut self, key: Key, detector: usize) -> bool {
        let record = self.find(key).and_then(|at| self.slots.get(at));
        record.is_some_and(|record| record.states.iter().any(|(known, _)| usize::from(*known) == detector))
    }

    /// The record of a key at that time; one that was quiet for too long begins anew.
    pub(crate) fn record(&mut self, key: Key, time: Timestamp) -> Option<&mut Record> {
        let index = match self.find(key) {
            Some(index) => index,
            None => self.insert(key, time),
        };
        let forget_after = self.config.forget_after;
        let record = self.slots.get_mut(index)?;
        if time.since(record.last) > forget_after {
            record.states.clear();
            self.expired += 1;
        }
        record.last = record.last.max(time);
        record.used = true;
        Some(record)
    }

    #[allow(clippy::cast_possible_truncation, reason = "only the low bits choose the place")]
    fn find(&mut self, key: Key) -> Option<usize> {
        let recent = self.recent.get_mut(key.0 as usize % RECENT)?;
        if self.slots.get(*recent as usize).is_some_and(|record| record.key == key) {
            return Some(*recent as usize);
        }
        let index = *self.by_key.get(&key)?;
        *recent = u32::try_from(index).unwrap_or(u32::MAX);
        Some(index)
    }

    fn insert(&mut self, key: Key, time: Timestamp) -> usize {
        for _ in 0..SWEEP {
            self.sweep(time);
        }
        if self.slots.len() >= self.config.max_records.max(1) {
            self.evict();
        }
        self.by_key.insert(key, self.slots.len());
        self.slots.push(Record { key, last: time, states: Vec::new(), used: true });
        self.slots.len() - 1
    }

    /// Moves the hand by one and forgets the record there when it is too old.
    fn sweep(&mut self, time: Timestamp) {
        self.hand = if self.hand + 1 < self.slots.len() { self.hand + 1 } else { 0 };
        let old = |record: &Record| time.since(record.last) > self.config.forget_after;
        if self.slots.get(self.hand).is_some_and(old) {
            self.remove(self.hand);
            self.expired += 1;
        }
    }

    /// Second chance: the first record the hand meets that was not used since it last came by.
    fn evict(&mut self) {
        for _ in 0..=self.slots.len() {
            self.hand = if self.hand + 1 < self.slots.len() { self.hand + 1 } else { 0 };
            match self.slots.get_mut(self.hand) {
                Some(record) if record.used => record.used = false,
                _ => break,
            }
        }
        self.remove(self.hand);
        self.evicted += 1;
    }

    /// A copy of what is knowledge, in records of their own.
    pub(crate) fn lessons(&self) -> Self {
        let mut copy = Self::new(self.config);
        let of = |(at, state): &(u16, Box<dyn State>)| {
            let mut bytes = Vec::new();
            state.save(&mut bytes);
            let state = (DETECTORS.get(usize::from(*at))?.state.load)(&bytes)?;
            Some((*at, state.lessons()?))
        };
        for Record { key, last, states, used } in &self.slots {
            let states: Vec<_> = states.iter().filter_map(of).collect();
            if !states.is_empty() {
                copy.by_key.insert(*key, copy.slots.len());
                copy.slots.push(Record { key: *key, last: *last, states, used: *used });
            }
        }
        copy
    }

    /// Takes over what others learned; what is no knowledge of places stays as it is.
    pub(crate) fn take(&mut self, lessons: Self) {
        for Record { key, last, states, .. } in lessons.slots {
            let Some(own) = self.record(key, last) else { continue };
            for (at, state) in states {
                own.states.retain(|(known, _)| *known != at);
                own.states.push((at, state));
            }
        }
    }

    /// Leaves of each state what is knowledge, and of the records those that have some.
    pub(crate) fn keep_lessons(&mut self) {
        let slots = std::mem::take(&mut self.slots);
        self.by_key.clear();
        self.recent.fill(0);
        self.hand = 0;
        for mut record in slots {
            let states = std::mem::take(&mut record.states).into_iter();
            record.states = states.filter_map(|(at, state)| Some((at, state.lessons()?))).collect();
            if !record.states.is_empty() {
                self.by_key.insert(record.key, self.slots.len());
                self.slots.push(record);
            }
        }
    }

    fn remove(&mut self, index: usize) {
        if index >= self.slots.len() {
            return;
        }
        let removed = self.slots.swap_remove(index);
        self.by_key.remove(&removed.key);
        if let Some(moved) = self.slots.get(index) {
            self.by_key.insert(moved.key, index);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600 * 1_000_000_000;

    fn records(max_records: usize) -> Records {
        Records::new(Config { max_records, forget_after: HOUR, ..Config::default() })
    }

    fn touch(records: &mut Records, key: u128, hours: i64) -> usize {
        let record = records.record(Key(key), Timestamp::from_nanos(hours * HOUR)).expect("a record");
        let before = record.states.len();
        record.state(0);
        before
    }

    #[test]
    fn number_of_records_is_bounded() {
        let mut records = records(10);
        for key in 0..1000 {
            touch(&mut records, key, 0);
        }
        assert_eq!((records.len(), records.evicted), (10, 990));
        assert_eq!(records.by_key.len(), 10);
    }

    #[test]
    fn record_in_use_survives_a_flood() {
        let mut records = records(10);
        touch(&mut records, 7, 0);
        for key in 100..1000 {
            touch(&mut records, key, 0);
            assert_eq!(touch(&mut records, 7, 0), 1, "after {key}");
        }
    }

    #[test]
    fn quiet_record_begins_anew() {
        let mut records = records(10);
        assert_eq!(touch(&mut records, 7, 0), 0);
        assert_eq!(touch(&mut records, 7, 1), 1);
        assert_eq!(touch(&mut records, 7, 3), 0);
        assert_eq!(records.expired, 1);
    }

    #[test]
    fn expired_records_are_swept_as_new_ones_come() {
        let mut records = records(1000);
        for key in 0..100 {
            touch(&mut records, key, 0);
        }
        for key in 100..200 {
            touch(&mut records, key, 5);
        }
        assert_eq!((records.len(), records.expired), (100, 100));
    }

    #[test]
    fn step_back_in_time_expires_nothing() {
        let mut records = records(10);
        touch(&mut records, 7, 100);
        assert_eq!(touch(&mut records, 7, 1), 1);
        assert_eq!(records.expired, 0);
    }
}
