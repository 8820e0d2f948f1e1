//! Small counters that detectors keep for a key.

use serde::{Deserialize, Serialize};
use tapwire_wire::Timestamp;

/// Distinct hashes: exact up to 64; of more, an estimate from the 64 smallest (K minimum values), right to about an eighth.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Distinct {
    /// Sorted; spread evenly, whatever was added.
    hashes: Vec<u64>,
    /// Whether there were more.
    more: bool,
}

impl Distinct {
    const MOST: usize = 64;

    /// Adds one; whether it is known to be new. Of more than 64, what cannot be told apart any more is not.
    pub(crate) fn add(&mut self, hash: u64) -> bool {
        let hash = spread(hash);
        let Err(at) = self.hashes.binary_search(&hash) else { return false };
        if self.hashes.len() >= Self::MOST {
            self.more = true;
            if at >= Self::MOST {
                return false;
            }
            self.hashes.pop();
        }
        self.hashes.insert(at, hash);
        true
    }

    pub(crate) fn has(&self, hash: u64) -> bool {
        self.hashes.binary_search(&spread(hash)).is_ok()
    }

    /// How many, about where there are more than 64.
    pub(crate) fn len(&self) -> usize {
        match self.hashes.last() {
            #[allow(clippy::cast_possible_truncation, reason = "an estimate, below the number of calls")]
            Some(last) if self.more => {
                ((u128::from(u64::MAX) * (Self::MOST as u128 - 1)) / u128::from((*last).max(1))) as usize
            }
            _ => self.hashes.len(),
        }
    }

    /// "3 objects", "about 230 objects".
    pub(crate) fn words(&self, what: &str) -> String {
        let about = if self.more { "about " } else { "" };
        format!("{about}{}", times(self.len() as u64, what))
    }

    /// The same, of which there can be no more than so many.
    pub(crate) fn words_of(&self, what: &str, most: u64) -> String {
        let about = if self.more { "about " } else { "" };
        format!("{about}{}", times(most.min(self.len() as u64), what))
    }
}

/// Makes of any number one that is spread over all of them, one to one (the finaliser of MurmurHash3).
const fn spread(mut hash: u64) -> u64 {
    hash = (hash ^ hash >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ hash >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ hash >> 33
}

/// Distinct hashes, counted in 64 bits: at least so many, and 64 at most.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct AtLeast(u64);

impl AtLeast {
    /// Adds one; how many there are at least.
    pub(crate) fn add(&mut self, hash: u64) -> u64 {
        self.0 |= 1 << (hash.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58);
        self.get()
    }

    pub(crate) const fn get(self) -> u64 {
        self.0.count_ones() as u64
    }
}

/// What was told of, each with how much came of it and when: it is told again where more comes of it, and after a day.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Told(Vec<(u64, u8, i64)>);

impl Told {
    const MOST: usize = 24;
    const AGAIN: i64 = 86_400;

    /// Whether `what` is told now, of which so much came. Of too many the one told longest ago is forgotten.
    pub(crate) fn rises(&mut self, what: u64, much: u8, time: Timestamp) -> bool {
        let now = time.nanos() / 1_000_000_000;
        if let Some((_, most, last)) = self.0.iter_mut().find(|(known, ..)| *known == what) {
            let rises = much > *most || now - *last > Self::AGAIN;
            if rises {
                (*most, *last) = (much, now);
            }
            return rises;
        }
        if self.0.len() >= Self::MOST {
            let oldest =
                self.0.iter().enumerate().min_by_key(|(_, (.., last))| *last).map_or(0, |(at, _)| at);
            self.0.remove(oldest);
        }
        self.0.push((what, much, now));
        true
    }
}

/// Names that were seen. As many as `WORDS` are known exactly; of more a filter (Bloom's, four bits each) takes no more room: one
/// that was not seen may be taken for one that was, seldom until the filter is crowded.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Names<const WORDS: usize> {
    /// Sorted hashes; or the filter.
    words: Vec<u64>,
    is_filter: bool,
    /// Bits that are set in the filter.
    bits: u32,
}

impl<const WORDS: usize> Names<WORDS> {
    pub(crate) fn add(&mut self, hash: u64) {
        let hash = spread(hash);
        if self.is_filter {
            return self.set(hash);
        }
        let Err(at) = self.words.binary_search(&hash) else { return };
        if self.words.len() < WORDS {
            return self.words.insert(at, hash);
        }
        self.is_filter = true;
        let exact = std::mem::replace(&mut self.words, vec![0; WORDS]);
        exact.into_iter().chain([hash]).for_each(|hash| self.set(hash));
    }

    pub(crate) fn has(&self, hash: u64) -> bool {
        let hash = spread(hash);
        if !self.is_filter {
            return self.words.binary_search(&hash).is_ok();
        }
        places(hash, WORDS).all(|(at, bit)| self.words.get(at).is_some_and(|word| word & bit != 0))
    }

    /// Whether so many were seen that what is said of one may well be wrong: a tenth of the bits is set.
    pub(crate) const fn is_crowded(&self) -> bool {
        self.is_filter && self.bits as usize * 10 > WORDS * 64
    }

    fn set(&mut self, hash: u64) {
        for (at, bit) in places(hash, WORDS) {
            let Some(word) = self.words.get_mut(at) else { continue };
            self.bits += u32::from(*word & bit == 0);
            *word |= bit;
        }
    }
}

/// Four bits of a filter of so many words, each as its word and its mask (Kirsch and Mitzenmacher: two hashes make all).
fn places(hash: u64, words: usize) -> impl Iterator<Item = (usize, u64)> {
    let (one, other) = (hash & 0xffff_ffff, hash >> 32 | 1);
    (0..4).map(move |nth| {
        let place = one.wrapping_add(other * nth) % (words as u64 * 64);
        (usize::try_from(place / 64).unwrap_or(0), 1 << (place % 64))
    })
}

/// A stretch of time in which things are counted: it begins with the first and is over when nothing came for a while, or when
/// it has become too long.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Stretch {
    first: i64,
    last: i64,
}

impl Stretch {
    /// Hears of one more; whether the stretch before is over and another one begins. Times in seconds.
    pub(crate) fn begins(&mut self, time: Timestamp, quiet: i64, longest: i64) -> bool {
        let now = time.nanos() / 1_000_000_000;
        let over = self.last == 0 || now - self.last > quiet || now - self.first > longest;
        if over {
            self.first = now;
        }
        self.last = self.last.max(now);
        over
    }

    /// Its length so far, in seconds.
    pub(crate) const fn seconds(self) -> i64 {
        self.last - self.first
    }

    /// Hears of one more; where another stretch begins, what was counted in the one before is forgotten.
    pub(crate) fn renew<T: Default>(&mut self, counted: &mut T, time: Timestamp, quiet: i64, longest: i64) {
        if self.begins(time, quiet, longest) {
            *counted = T::default();
        }
    }

    /// Its length so far, in words.
    pub(crate) fn words(self) -> String {
        span(self.last - self.first)
    }
}

/// So many seconds, in words.
pub(crate) fn span(seconds: i64) -> String {
    match seconds.max(1) {
        seconds @ ..120 => format!("{seconds} s"),
        seconds @ 120..7_200 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3_600),
    }
}

/// Rises in steps: what grows is told at the first step and then each time it is ten times as much.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Steps {
    next: u64,
}

impl Steps {
    /// Whether a count reaches the next step.
    pub(crate) fn reaches(&mut self, count: u64, first: u64) -> bool {
        let next = if self.next == 0 { first } else { self.next };
        if count < next {
            return false;
        }
        self.next = count.saturating_mul(10);
        true
    }
}

/// "1 request", "2 requests", "3 bodies", "4 guesses".
pub(crate) fn times(count: u64, what: &str) -> String {
    let (stem, end) = match what.strip_suffix('y') {
        _ if count == 1 => (what, ""),
        Some(stem) if !stem.ends_with(['a', 'e', 'o', 'u']) => (stem, "ies"),
        _ if what.ends_with(['s', 'x']) => (what, "es"),
        _ => (what, "s"),
    };
    format!("{count} {stem}{end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distinct_counts_each_once_and_is_bounded() {
        let mut distinct = Distinct::default();
        assert!(distinct.add(7) && !distinct.add(7) && distinct.has(7));
        for _ in 0..3 {
            for hash in 0..10_000 {
                distinct.add(hash);
            }
            assert!((8_000..12_500).contains(&distinct.len()), "{}", distinct.len());
            assert_eq!(distinct.hashes.len(), 64);
        }
        assert!(distinct.words("object").starts_with("about "));
    }

    #[test]
    fn names_are_exact_while_they_are_few_and_say_when_they_are_too_many() {
        let mut names = Names::<64>::default();
        (0..64).for_each(|hash| names.add(hash));
        assert!((0..64).all(|hash| names.has(hash)) && (64..100_000).all(|hash| !names.has(hash)));
        let mut names = Names::<1024>::default();
        (0..1_500).for_each(|hash| names.add(hash));
        assert!((0..1_500).all(|hash| names.has(hash)) && !names.is_crowded());
        let wrong = (10_000..110_000).filter(|hash| names.has(*hash)).count();
        assert!(wrong < 30, "{wrong} of 100,000");
        (0..3_000).for_each(|hash| names.add(hash));
        assert!(names.is_crowded());
    }

    #[test]
    fn a_stretch_ends_with_silence_or_by_its_length() {
        let at = |seconds: i64| Timestamp::from_parts(1_000 + seconds, 0);
        let mut stretch = Stretch::default();
        let begins: Vec<bool> =
            [0, 50, 100, 300, 350].into_iter().map(|time| stretch.begins(at(time), 100, 1_000)).collect();
        assert_eq!(begins, [true, false, false, true, false]);
    }

    #[test]
    fn what_is_counted_has_its_plural() {
        let words = ["request", "body", "different guess", "day"];
        assert_eq!(words.map(|what| times(1, what)), ["1 request", "1 body", "1 different guess", "1 day"]);
        assert_eq!(
            words.map(|what| times(0, what)),
            ["0 requests", "0 bodies", "0 different guesses", "0 days"]
        );
    }

    #[test]
    fn steps_grow_tenfold() {
        let mut steps = Steps::default();
        let told: Vec<u64> = (1..=1_000).filter(|count| steps.reaches(*count, 3)).collect();
        assert_eq!(told, [3, 30, 300]);
    }
}
