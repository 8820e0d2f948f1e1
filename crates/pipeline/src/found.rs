//! What was found, on its way out.

use crate::outlet::Outlet;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use tapwire_detect::{Finding, Incidents, Severity};
use tapwire_event::View;
use tapwire_inventory::Inventory;
use tapwire_protocol::Uid;
use tapwire_wire::Timestamp;

/// Tells what became of incidents since this was called last, because of that call or of the time.
pub(crate) fn tell_incidents(
    incidents: &mut Incidents,
    inventory: &Inventory,
    outlets: &mut [Outlet],
    call: Option<&View<'_>>,
) {
    if !incidents.is_untold() {
        return;
    }
    let mut all = Vec::new();
    incidents.drain_told(&mut all);
    for told in &all {
        let beside = told.incident.beside(inventory);
        outlets.iter_mut().for_each(|outlet| outlet.incident(told, &beside, call));
    }
}

/// The worst findings, so many of them; the earliest of equals stay.
#[derive(Debug)]
pub(crate) struct Worst {
    most: usize,
    all: BTreeMap<(Reverse<Severity>, Timestamp, Uid), Finding>,
}

impl Worst {
    pub(crate) const fn new(most: usize) -> Self {
        Self { most, all: BTreeMap::new() }
    }

    pub(crate) fn extend(&mut self, findings: impl Iterator<Item = Finding>) {
        for finding in findings {
            self.all.insert((Reverse(finding.severity), finding.time, finding.uid), finding);
            if self.all.len() > self.most {
                self.all.pop_last();
            }
        }
    }

    /// All of them, the worst first.
    pub(crate) fn into_sorted(self) -> Vec<Finding> {
        self.all.into_values().collect()
    }
}

/// Keeps the last word on something. Of more than `most` the one of the highest rank makes room for one of a lower.
pub(crate) fn keep_worst<K: Ord + Copy, V, R: Ord>(
    all: &mut BTreeMap<K, V>,
    (key, value): (K, V),
    rank: impl Fn(&V) -> R,
    most: usize,
) {
    if all.len() >= most && !all.contains_key(&key) {
        let Some((least, kept)) = all.iter().max_by_key(|(_, kept)| rank(kept)) else { return };
        if rank(&value) >= rank(kept) {
            return;
        }
        let least = *least;
        all.remove(&least);
    }
    all.insert(key, value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_last_word_that_is_worse_takes_the_place_of_the_least_severe() {
        let mut all = BTreeMap::new();
        let words = [(1, Severity::Low), (2, Severity::Medium), (3, Severity::Low), (4, Severity::High)];
        for word in words.into_iter().chain([(2, Severity::Critical), (5, Severity::Medium)]) {
            keep_worst(&mut all, word, |severity| Reverse(*severity), 2);
        }
        assert_eq!(all.into_iter().collect::<Vec<_>>(), [(2, Severity::Critical), (4, Severity::High)]);
    }
    use tapwire_detect::Outcome;

    fn finding(number: u8, severity: Severity) -> Finding {
        Finding {
            detector: "enumeration",
            uid: Uid([number; 16]),
            time: Timestamp::from_parts(number.into(), 0),
            severity,
            confidence: 90,
            outcome: Outcome::Likely,
            reason: String::new(),
            endpoint: None,
            incident: None,
            rule: None,
            exchanges: Vec::new(),
        }
    }

    #[test]
    fn a_late_one_that_is_worse_takes_the_place_of_the_least_severe() {
        let mut worst = Worst::new(3);
        let low = (0..9).map(|number| finding(number, Severity::Low));
        worst.extend(low.chain([finding(10, Severity::Critical), finding(11, Severity::Medium)]));
        let kept: Vec<u8> = worst.into_sorted().iter().map(|finding| finding.uid.0[0]).collect();
        assert_eq!(kept, [10, 11, 0]);
    }
}
