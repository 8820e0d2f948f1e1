//! What came of each sensor.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Counters of a sensor.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tally {
    /// When it sent something that was taken, in milliseconds since 1970.
    pub last_ms: i64,
    /// Events that were acknowledged.
    pub events: u64,
    /// Of these, those that had come before.
    pub duplicates: u64,
    /// Batches that were refused for what was in them.
    pub refused: u64,
    /// Batches that were asked to come later.
    pub later: u64,
    /// Why the last one was refused.
    pub reason: String,
    /// When that was, in milliseconds since 1970; 0 where that was not noted.
    pub refused_ms: i64,
}

/// Counters by sensor.
#[derive(Debug, Clone, Default)]
pub struct Tallies(Arc<Mutex<BTreeMap<String, Tally>>>);

impl Tallies {
    /// Goes on counting from these.
    pub fn of(known: BTreeMap<String, Tally>) -> Self {
        Self(Arc::new(Mutex::new(known)))
    }

    fn locked(&self) -> MutexGuard<'_, BTreeMap<String, Tally>> {
        // Counters that a panic left behind are whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As they stand.
    pub fn all(&self) -> BTreeMap<String, Tally> {
        self.locked().clone()
    }

    /// Sensors are those that are enrolled: so there are no more of them here.
    pub(crate) fn count(&self, sensor: &str, change: impl FnOnce(&mut Tally)) {
        change(self.locked().entry(sensor.to_owned()).or_default());
    }
}
