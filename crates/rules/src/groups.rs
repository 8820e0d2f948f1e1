//! The groups that correlations keep, bounded: what is stalest makes room, in an order that no hash decides, and is counted.

use rsigma_eval::{CorrelationEngine, CorrelationSnapshot};
use std::collections::BTreeMap;

/// Groups kept, all correlations together.
const MOST_GROUPS: usize = 20_000;
/// Moments and values kept in all groups together: about 100 bytes each at the most.
const MOST_ENTRIES: usize = 400_000;
/// Entries after which it is looked how many there are.
const LOOK_AFTER: usize = 100_000;
/// Later than everything: all groups are over by then.
const NEVER: i64 = i64::MAX / 4;

/// Bounds what a correlation engine holds.
#[derive(Debug)]
pub(crate) struct Groups {
    most: usize,
    /// Entries that may have come since it was looked.
    added: usize,
    /// Groups that made room for others.
    pub(crate) evicted: u64,
}

impl Default for Groups {
    fn default() -> Self {
        Self::of(MOST_GROUPS)
    }
}

impl Groups {
    pub(crate) const fn of(most: usize) -> Self {
        Self { most, added: 0, evicted: 0 }
    }

    /// Before a call adds at most that many entries: what is over goes, and the stalest where there are too many.
    pub(crate) fn make_room(&mut self, engine: &mut CorrelationEngine, now: i64, added: usize) {
        self.added += added;
        if engine.state_count() < self.most && self.added < LOOK_AFTER {
            return;
        }
        self.added = 0;
        engine.evict_expired(now);
        let mut held = engine.export_state();
        let entries: usize = held.windows.values().flatten().map(|(_, window)| window.entry_count()).sum();
        if engine.state_count() >= self.most || entries > MOST_ENTRIES {
            self.evicted += trim(&mut held, self.most - self.most / 8, MOST_ENTRIES - MOST_ENTRIES / 8);
            engine.evict_expired(NEVER);
            engine.import_state(held);
        }
    }
}

/// Keeps the freshest groups within both bounds; gives how many went.
fn trim(held: &mut CorrelationSnapshot, groups: usize, entries: usize) -> u64 {
    let mut all: Vec<(i64, &String, &Vec<Option<String>>, usize)> = Vec::new();
    for (rule, windows) in &held.windows {
        for (key, window) in windows {
            all.push((window.latest_timestamp().unwrap_or(i64::MIN), rule, &key.0, window.entry_count()));
        }
    }
    all.sort_unstable_by(|one, other| {
        other.0.cmp(&one.0).then_with(|| (one.1, one.2).cmp(&(other.1, other.2)))
    });
    let mut kept: BTreeMap<(String, Vec<Option<String>>), ()> = BTreeMap::new();
    let (mut sum, total) = (0, all.len());
    for (_, rule, key, count) in all {
        sum += count;
        if kept.len() >= groups || sum > entries {
            break;
        }
        kept.insert((rule.clone(), key.clone()), ());
    }
    let stays = |rule: &String, key: &Vec<Option<String>>| kept.contains_key(&(rule.clone(), key.clone()));
    for (rule, windows) in &mut held.windows {
        windows.retain(|(key, _)| stays(rule, &key.0));
    }
    for (rule, calls) in &mut held.event_ref_buffers {
        calls.retain(|(key, _)| stays(rule, &key.0));
    }
    for (rule, told) in &mut held.last_alert {
        told.retain(|(key, _)| stays(rule, &key.0));
    }
    (total - kept.len()) as u64
}
