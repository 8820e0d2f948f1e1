//! Words that turned out to be values.
//!
//! A sensor tells `/users/alice`, `/users/bob` and `/users/carol` until it knows that these are `/users/{userId}`; from then on it
//! tells that. What it told before stays in the sums.

use super::SeenEndpoint;
use std::collections::BTreeMap;

/// As many words a sensor wants to see before it takes them for values.
const LEAST_WORDS: usize = 3;

/// Templates of one tenant, service, method and operation that are compared: who has more has them compared no further.
const MOST_TEMPLATES: usize = 2_000;

/// Puts endpoints together of which one has a parameter where the others have words: at least three, told by no sensor any more
/// after it told the one with the parameter. Gives the ids of those that went with what they became.
pub(super) fn fold(endpoints: &mut Vec<SeenEndpoint>) -> Vec<(String, String)> {
    let mut alike: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for (at, one) in endpoints.iter().enumerate() {
        let segments = one.template.split('/').count();
        let key = (&one.tenant, &one.service, &one.method, &one.operation, segments);
        alike.entry(key).or_default().push(at);
    }
    let groups: Vec<Vec<usize>> = alike.into_values().filter(|group| group.len() > LEAST_WORDS).collect();
    let mut becomes: BTreeMap<usize, usize> = BTreeMap::new();
    for group in groups {
        let group = group.get(..MOST_TEMPLATES).unwrap_or(&group);
        for into in group.iter().copied() {
            let words = words_of(endpoints, into, group);
            if words.len() >= LEAST_WORDS {
                words.into_iter().for_each(|word| {
                    becomes.entry(word).or_insert(into);
                });
            }
        }
    }
    carry_out(endpoints, &becomes)
}

/// Those whose words are values of that one.
fn words_of(endpoints: &[SeenEndpoint], into: usize, group: &[usize]) -> Vec<usize> {
    let Some(kept) = endpoints.get(into).filter(|one| one.template.contains('{')) else { return Vec::new() };
    let is_word = |at: &usize| endpoints.get(*at).is_some_and(|word| is_of(word, kept));
    group.iter().copied().filter(is_word).collect()
}

fn is_of(word: &SeenEndpoint, kept: &SeenEndpoint) -> bool {
    let pairs = || word.template.split('/').zip(kept.template.split('/'));
    let differ = pairs().filter(|(word, kept)| word != kept);
    let fits = differ.clone().all(|(word, kept)| kept.starts_with('{') && !word.contains('{'));
    let over = word
        .sensors
        .iter()
        .all(|(name, told)| kept.sensors.get(name).is_some_and(|known| told.times.1 <= known.times.0));
    fits && over && differ.count() > 0
}

fn carry_out(endpoints: &mut Vec<SeenEndpoint>, becomes: &BTreeMap<usize, usize>) -> Vec<(String, String)> {
    let mut merged = Vec::new();
    for (word, into) in becomes {
        // What becomes another itself leads to that.
        let mut into = *into;
        while let Some(next) = becomes.get(&into) {
            into = *next;
        }
        let Some(gone) = endpoints.get_mut(*word).map(std::mem::take) else { continue };
        if let Some(kept) = endpoints.get_mut(into) {
            merged.push((gone.id.clone(), kept.id.clone()));
            kept.absorb(gone);
        }
    }
    endpoints.retain(|one| !one.id.is_empty());
    merged.sort();
    merged
}
