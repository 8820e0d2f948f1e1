//! Words that turned out to be values.
//!
//! A sensor tells `/users/alice`, `/users/bob` and `/users/carol` until it knows that these are `/users/{userId}`; from then on it
//! tells that. What it told before stays in the sums.

use super::SeenEndpoint;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{BuildHasher, RandomState};

/// As many words a sensor wants to see before it takes them for values.
const LEAST_WORDS: usize = 3;

/// Templates with more segments are compared with none.
const MOST_SEGMENTS: usize = 64;

/// Templates that differ in nothing but what one parameter is called: of more, some are compared with no word.
const MOST_ALIKE: usize = 4;

/// Whether a segment of a path is a word that the API has of its own, such as `me`, and no value.
pub type OwnWord = fn(&str) -> bool;

/// A template without one segment, whose place comes first.
type Blank = (usize, u64);

/// Puts endpoints together of which one has a parameter where the others have words: at least three, told by no sensor any more
/// after it told the one with the parameter. Gives the ids of those that went with what they became.
pub(super) fn fold(endpoints: &mut Vec<SeenEndpoint>, is_own: OwnWord) -> Vec<(String, String)> {
    let hasher = RandomState::new();
    let mut alike: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    // What nobody called says nothing of what its words are.
    for (at, one) in endpoints.iter().enumerate().filter(|(_, one)| one.is_summed) {
        let segments = one.template.split('/').count();
        if segments <= MOST_SEGMENTS {
            let key = (&one.tenant, &one.service, &one.method, &one.operation, segments);
            alike.entry(key).or_default().push(at);
        }
    }
    let mut becomes: BTreeMap<usize, usize> = BTreeMap::new();
    for mut group in alike.into_values().filter(|group| group.len() > LEAST_WORDS) {
        group.sort_by_key(|at| endpoints.get(*at).map(|one| (&one.template, &one.id)));
        fold_group(endpoints, &group, is_own, &hasher, &mut becomes);
    }
    carry_out(endpoints, &becomes)
}

/// Those of as many segments, each of which is looked at once.
fn fold_group(
    endpoints: &[SeenEndpoint],
    group: &[usize],
    is_own: OwnWord,
    hasher: &RandomState,
    becomes: &mut BTreeMap<usize, usize>,
) {
    let mut kept: HashMap<Blank, Vec<usize>> = HashMap::new();
    each(endpoints, group, hasher, |at, segment, blank| {
        if is_parameter(segment) {
            let kept = kept.entry(blank).or_default();
            if kept.len() < MOST_ALIKE {
                kept.push(at);
            }
        }
    });
    let mut words: BTreeMap<Blank, Vec<(usize, &str)>> = BTreeMap::new();
    each(endpoints, group, hasher, |at, segment, blank| {
        if kept.contains_key(&blank) && is_free(segment, is_own) {
            words.entry(blank).or_default().push((at, segment));
        }
    });
    // The places from the left, whatever the hashes are.
    for ((_, into), words) in kept_of(&kept, &words) {
        let Some(first) = endpoints.get(into).map(first_told) else { continue };
        let is_over = |at: usize| endpoints.get(at).is_some_and(|word| is_over(word, &first));
        let over: Vec<&(usize, &str)> = words.iter().filter(|(at, _)| is_over(*at)).collect();
        if over.iter().map(|(_, word)| *word).collect::<BTreeSet<_>>().len() >= LEAST_WORDS {
            over.into_iter().for_each(|(at, _)| {
                becomes.entry(*at).or_insert(into);
            });
        }
    }
}

/// Words with the templates that have a parameter there, by its place and the template.
fn kept_of<'w, 't>(
    kept: &HashMap<Blank, Vec<usize>>,
    words: &'w BTreeMap<Blank, Vec<(usize, &'t str)>>,
) -> BTreeMap<(usize, usize), &'w Vec<(usize, &'t str)>> {
    let of = |blank: &Blank| kept.get(blank).into_iter().flatten().copied();
    words.iter().flat_map(|(blank, words)| of(blank).map(move |into| ((blank.0, into), words))).collect()
}

/// Hands out each segment with the rest of its template.
fn each<'e>(
    endpoints: &'e [SeenEndpoint],
    group: &[usize],
    hasher: &RandomState,
    mut take: impl FnMut(usize, &'e str, Blank),
) {
    for at in group {
        let Some(one) = endpoints.get(*at) else { continue };
        let hash = |(place, segment): (usize, &str)| hasher.hash_one((place, segment));
        let all = one.template.split('/').enumerate().map(hash).fold(0, u64::wrapping_add);
        for (place, segment) in one.template.split('/').enumerate() {
            take(*at, segment, (place, all.wrapping_sub(hash((place, segment)))));
        }
    }
}

/// Whether a segment is a parameter, and nothing else.
fn is_parameter(segment: &str) -> bool {
    segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).is_some_and(|name| !name.contains('{'))
}

/// Whether a segment may be a value.
fn is_free(segment: &str, is_own: OwnWord) -> bool {
    !segment.is_empty() && !segment.contains('{') && !is_own(segment)
}

/// A sensor, wherever it stood.
type Name<'e> = (&'e str, Option<&'e str>);

/// When each sensor told it for the first time.
fn first_told(one: &SeenEndpoint) -> BTreeMap<Name<'_>, i64> {
    let mut first = BTreeMap::new();
    for (teller, told) in &one.sensors {
        let time = first.entry((teller.name.as_str(), teller.tenant.as_deref())).or_insert(told.times.0);
        *time = told.times.0.min(*time);
    }
    first
}

/// Whether no sensor told it after it first told the other.
fn is_over(word: &SeenEndpoint, first: &BTreeMap<Name<'_>, i64>) -> bool {
    word.sensors.iter().all(|(teller, told)| {
        first
            .get(&(teller.name.as_str(), teller.tenant.as_deref()))
            .is_some_and(|first| told.times.1 <= *first)
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_is_a_parameter_or_a_word_or_neither() {
        let is_own: OwnWord = |word| word == "me";
        assert!(is_parameter("{userId}") && is_free("ann", is_own));
        for other in ["{userId}.json", "me", ""] {
            assert!(!is_parameter(other) && !is_free(other, is_own), "{other}");
        }
    }
}
