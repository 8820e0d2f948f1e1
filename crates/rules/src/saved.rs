//! Groups of correlations as bytes, and back: pieces of a bounded number of moments.

use crate::Judge;
use rsigma_eval::{CorrelationSnapshot, EventRefBuffer, GroupKey, WindowState};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::hash::Hasher;
use tapwire_detect::HeldGroups;
use tapwire_inspect::TokenKey;
use tapwire_inventory::state::{put, take_all};

/// Moments and values in a piece, beside one each entry.
const HEAVY: usize = 4096;

/// What is known of a group: its texts are keyed hashes, and its calls are named by their uids.
#[derive(Debug, Serialize, Deserialize)]
struct Name {
    rule: String,
    /// A correlation that reckons otherwise can do nothing with it.
    reckoning: u64,
    key: GroupTexts,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Group {
    window: Option<WindowState>,
    calls: Option<EventRefBuffer>,
    told: Option<i64>,
}

/// An entry of a checkpoint.
#[derive(Debug, Serialize, Deserialize)]
enum Entry {
    Group(Name, Group),
    /// A percentile that was told: its rule, what that reckons, its group, and when.
    Told(String, u64, String, i64),
}

/// Seconds since 1970 in which calls can have been: up to the year 9999. Others are not reckoned with.
const TIMES: std::ops::Range<i64> = 0..253_402_300_800;

/// The texts that tell a group from others of its rule.
type GroupTexts = Vec<Option<String>>;

/// Puts what is known of groups where the rest of them is.
fn each<T>(
    rules: &mut BTreeMap<String, (u64, BTreeMap<GroupTexts, Group>)>,
    of: HashMap<String, Vec<(GroupKey, T)>>,
    put: impl Fn(&mut Group, T),
) {
    for (rule, groups) in of {
        let Some((_, all)) = rules.get_mut(&rule) else { continue };
        groups.into_iter().for_each(|(key, one)| put(all.entry(key.0).or_default(), one));
    }
}

impl Group {
    /// Whether calls were when it says.
    fn is_sound(&self) -> bool {
        let fits = |at: &i64| TIMES.contains(at);
        let window = self.window.as_ref().is_none_or(|window| match window {
            WindowState::EventCount { timestamps } => timestamps.iter().all(fits),
            WindowState::ValueCount { entries } => entries.iter().all(|(at, _)| fits(at)),
            WindowState::Temporal { rule_hits } => rule_hits.values().flatten().all(fits),
            WindowState::NumericAgg { entries } => entries.iter().all(|(at, _)| fits(at)),
        });
        window && self.told.as_ref().is_none_or(fits)
    }
}

impl Entry {
    fn weight(&self) -> usize {
        match self {
            Self::Group(_, group) => 1 + group.window.as_ref().map_or(0, WindowState::entry_count),
            Self::Told(..) => 1,
        }
    }
}

impl Judge {
    /// The groups of now, cut into pieces as these are asked for.
    pub(crate) fn save(&self, key: &TokenKey) -> impl Iterator<Item = Vec<u8>> + Send + use<> {
        let mut entries = self.entries();
        let mut first = Some(HeldGroups::preface(key).to_vec());
        std::iter::from_fn(move || {
            let begun = first.is_none();
            let mut piece = first.take().unwrap_or_default();
            let mut heavy = 0;
            while heavy < HEAVY
                && let Some(entry) = entries.next()
            {
                heavy += entry.weight();
                // As JSON: the engine's structs leave out what is not there, and no other format says so.
                put(&serde_json::to_vec(&entry).unwrap_or_default(), &mut piece);
            }
            (!begun || heavy > 0).then_some(piece)
        })
    }

    /// Everything, in an order that no hash decides. Entries are built when they are asked for, so that calls wait for a copy
    /// of the groups alone.
    fn entries(&self) -> impl Iterator<Item = Entry> + Send + use<> {
        let CorrelationSnapshot { windows, last_alert, event_ref_buffers, .. } = self.engine.export_state();
        let mut rules: BTreeMap<String, (u64, BTreeMap<GroupTexts, Group>)> = BTreeMap::new();
        for rule in self.reckoning.keys() {
            rules.insert(rule.clone(), (self.reckoning_of(rule).unwrap_or(0), BTreeMap::new()));
        }
        each(&mut rules, windows, |group, window| group.window = Some(window));
        each(&mut rules, event_ref_buffers, |group, calls| group.calls = Some(calls));
        each(&mut rules, last_alert, |group, told| group.told = Some(told));
        let groups = rules.into_iter().flat_map(|(rule, (reckoning, groups))| {
            groups
                .into_iter()
                .map(move |(key, group)| Entry::Group(Name { rule: rule.clone(), reckoning, key }, group))
        });
        let told = self.percentiles.told().map(|((rule, group), at)| {
            Entry::Told(rule.clone(), self.reckoning_of(rule).unwrap_or(0), group.clone(), *at)
        });
        groups.chain(told.collect::<Vec<_>>())
    }

    /// What a correlation reckons, in short; `None` where there is none of that id.
    fn reckoning_of(&self, rule: &str) -> Option<u64> {
        let mut hash = siphasher::sip::SipHasher24::new();
        hash.write(self.reckoning.get(rule)?.as_bytes());
        Some(hash.finish())
    }

    /// Goes on with groups of correlations that are the same; others have ended with their rules.
    pub(crate) fn load(&mut self, held: &HeldGroups) {
        let mut engine = self.engine.export_state();
        for piece in held.pieces() {
            let taken = take_all(piece, |bytes: Vec<u8>| {
                let entry = serde_json::from_slice(&bytes).ok();
                entry.is_some_and(|entry| self.restore_one(entry, &mut engine))
            });
            // A piece that ends in the middle gives what stands before that.
            self.counters.groups_left_out += taken.unwrap_or(1);
        }
        self.engine.import_state(engine);
    }

    fn restore_one(&mut self, entry: Entry, engine: &mut CorrelationSnapshot) -> bool {
        match entry {
            Entry::Group(name, group)
                if self.reckoning_of(&name.rule) == Some(name.reckoning) && group.is_sound() =>
            {
                let Group { window, calls, told } = group;
                let key = GroupKey(name.key);
                if let Some(window) = window {
                    engine.windows.entry(name.rule.clone()).or_default().push((key.clone(), window));
                }
                if let Some(calls) = calls {
                    engine.event_ref_buffers.entry(name.rule.clone()).or_default().push((key.clone(), calls));
                }
                if let Some(told) = told {
                    engine.last_alert.entry(name.rule).or_default().push((key, told));
                }
                true
            }
            Entry::Told(rule, reckoning, group, at)
                if self.reckoning_of(&rule) == Some(reckoning) && TIMES.contains(&at) =>
            {
                self.percentiles.remember(rule, group, at);
                true
            }
            _ => false,
        }
    }
}
