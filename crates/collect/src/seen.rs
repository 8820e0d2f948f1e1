//! Which events came before: by uid, tenant, and time within five seconds.
//!
//! Each sensor has a share of the places, so that one that sends much does not make the collector forget what others sent.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::{BuildHasher, BuildHasherDefault, RandomState};
use std::sync::Arc;

/// Two events of one uid are one, where their times are not farther apart: two taps of one exchange see it at once.
const APART_MS: i64 = 5_000;

/// Makes keys, of which no sensor can guess which are alike.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hasher(Arc<RandomState>);

impl Hasher {
    pub(crate) fn key(&self, tenant: Option<&str>, uid: &str) -> u64 {
        self.0.hash_one((tenant.unwrap_or_default(), uid))
    }
}

/// Of keys, which are keyed hashes already.
#[derive(Debug, Default)]
struct AsItIs(u64);

impl std::hash::Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}

/// Where there is no room, one part in so many of it is made at once: finding who has most takes longer than the rest.
const AT_ONCE: usize = 1_024;

/// Events that came before.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    times: HashMap<u64, i64, BuildHasherDefault<AsItIs>>,
    /// What is known of each sensor, the oldest first.
    orders: BTreeMap<String, VecDeque<u64>>,
    most: usize,
}

impl Seen {
    /// Remembers about so many events.
    pub(crate) fn of(most: usize) -> Self {
        Self { most, ..Self::default() }
    }

    /// Whether it came before; it has now.
    pub(crate) fn take(&mut self, sensor: &str, key: u64, ms: i64) -> bool {
        match self.times.insert(key, ms) {
            Some(known) if known.abs_diff(ms) <= APART_MS.unsigned_abs() => {
                // The first time stays, or a chain of them could reach far.
                self.times.insert(key, known);
                true
            }
            Some(_) => false,
            None => {
                self.remember(sensor, key);
                false
            }
        }
    }

    fn remember(&mut self, sensor: &str, key: u64) {
        if !self.orders.contains_key(sensor) {
            self.orders.insert(sensor.to_owned(), VecDeque::new());
        }
        if let Some(order) = self.orders.get_mut(sensor) {
            order.push_back(key);
        }
        if self.times.len() > self.most {
            // Whoever has most gives way.
            let longest = self.orders.values_mut().max_by_key(|order| order.len());
            let Some(longest) = longest else { return };
            for key in longest.drain(..longest.len().min(1 + self.most / AT_ONCE)) {
                self.times.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_by_uid_tenant_and_time() {
        let hasher = Hasher::default();
        let key = |tenant, uid| hasher.key(tenant, uid);
        let mut seen = Seen::of(100);
        assert!(!seen.take("a", key(None, "u"), 10_000));
        assert!(seen.take("b", key(None, "u"), 15_000), "another tap, 5 s off");
        assert!(!seen.take("b", key(None, "u"), 15_001), "five seconds from the first one");
        assert!(!seen.take("b", key(Some("t"), "u"), 10_000), "another tenant");
        assert!(!seen.take("b", key(Some("t"), "v"), 10_000));
        assert_eq!(seen.times.len(), 3);
    }

    #[test]
    fn who_sends_most_is_forgotten_first() {
        let mut seen = Seen::of(100);
        assert!((0..10).all(|key| !seen.take("quiet", key, 0)));
        assert!((1_000..3_000).all(|key| !seen.take("loud", key, 0)));
        assert_eq!(seen.times.len(), 100);
        assert!((0..10).all(|key| seen.take("quiet", key, 0)));
        assert!(!seen.take("loud", 1_000, 0));
        assert!(seen.take("loud", 2_999, 0));
    }
}
