//! A sketch of many values in a few bytes: how many were about how large.
//!
//! Values fall into buckets of which eight make a doubling. Where there are more different buckets than the sketch may keep,
//! all of them are put together in pairs (uniform collapse, as UDDSketch does), so that the error stays relative and the same
//! for all. What is kept depends on the values alone and not on their order, and two sketches can be put together.

/// Powers of two that are told apart; larger values count as the largest.
const OCTAVES: u32 = 32;
/// Bits of a bucket that count; what comes above them is the bucket's number.
const COUNT_BITS: u32 = 24;
const MOST: u32 = (1 << COUNT_BITS) - 1;

/// Values by their size, in at most `BUCKETS` buckets of four bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Sketch<const BUCKETS: usize> {
    /// A bucket's number above its count, rising.
    buckets: Vec<u32>,
    /// How often buckets were put together in pairs.
    level: u8,
}

/// Where most values lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quantiles {
    /// Half of the values are at most this.
    pub p50: u64,
    /// Nine of ten.
    pub p90: u64,
    /// 99 of 100.
    pub p99: u64,
    /// By how many percent these may be wrong.
    pub error: u32,
}

impl<const BUCKETS: usize> Sketch<BUCKETS> {
    /// Adds a value.
    pub(crate) fn add(&mut self, value: u64) {
        self.put(number(value) >> self.level(), 1);
    }

    /// Adds everything that another sketch has.
    pub(crate) fn absorb(&mut self, other: &Self) {
        while self.level() < other.level() {
            self.collapse();
        }
        let mut other = other.clone();
        // What both say of one another stays only where both are halved.
        while self.fullest() + other.fullest() > MOST {
            self.halve();
            other.halve();
        }
        for bucket in &other.buckets {
            // Adding may make this one coarser.
            let (at, count) = (bucket >> COUNT_BITS, bucket & MOST);
            self.put(at >> self.level().saturating_sub(other.level()), count);
        }
    }

    /// Eight put all buckets into one, so that a checkpoint which says more says that.
    fn level(&self) -> u32 {
        u32::from(self.level.min(8))
    }

    fn fullest(&self) -> u32 {
        self.buckets.iter().map(|bucket| bucket & MOST).max().unwrap_or(0)
    }

    fn halve(&mut self) {
        for bucket in &mut self.buckets {
            *bucket = *bucket & !MOST | (*bucket & MOST).div_ceil(2);
        }
    }

    /// Whether there is no value.
    pub const fn is_empty(&self) -> bool {
        self.buckets.is_empty()
    }

    /// Where most values lie; `None` where there is none.
    pub fn quantiles(&self) -> Option<Quantiles> {
        if self.is_empty() {
            return None;
        }
        let [p50, p90, p99] = [50, 90, 99].map(|percent| self.at(percent));
        // Half of a bucket, which is an eighth of what it begins with.
        let error = (100_u32 << self.level()) / 16 + 1;
        Some(Quantiles { p50, p90, p99, error: error.min(100) })
    }

    /// The value that so many percent are at most: the middle of its bucket.
    fn at(&self, percent: u64) -> u64 {
        let all: u64 = self.buckets.iter().map(|bucket| u64::from(bucket & MOST)).sum();
        let wanted = (all * percent).div_ceil(100).max(1);
        let mut before = 0;
        for bucket in &self.buckets {
            before += u64::from(bucket & MOST);
            if before >= wanted {
                let first = (bucket >> COUNT_BITS) << self.level();
                let (least, next) = (begin(first), begin(first + (1 << self.level())));
                return least + (next - 1).saturating_sub(least) / 2;
            }
        }
        0
    }

    fn put(&mut self, at: u32, count: u32) {
        match self.buckets.binary_search_by_key(&at, |bucket| bucket >> COUNT_BITS) {
            Ok(index) => self.count(index, count),
            Err(index) if self.buckets.len() < BUCKETS => {
                self.buckets.reserve_exact(1);
                self.buckets.insert(index, at << COUNT_BITS | count.min(MOST));
            }
            Err(_) => {
                self.collapse();
                self.put(at >> 1, count);
            }
        }
    }

    /// Where a count is full all are halved: what they say of one another stays.
    fn count(&mut self, index: usize, more: u32) {
        let is_full = |bucket: &u32| (*bucket & MOST) + more > MOST;
        if self.buckets.get(index).is_some_and(is_full) {
            self.halve();
        }
        if let Some(bucket) = self.buckets.get_mut(index) {
            *bucket += more.min(MOST - (*bucket & MOST));
        }
    }

    /// Puts neighbours together.
    fn collapse(&mut self) {
        self.level = self.level.saturating_add(1);
        let old = std::mem::take(&mut self.buckets);
        self.buckets.reserve_exact(BUCKETS.min(old.len()));
        for bucket in old {
            let (at, count) = (bucket >> COUNT_BITS >> 1, bucket & MOST);
            match self.buckets.last_mut().filter(|last| **last >> COUNT_BITS == at) {
                Some(last) => *last = (*last).saturating_add(count).min(at << COUNT_BITS | MOST),
                None => self.buckets.push(at << COUNT_BITS | count),
            }
        }
    }
}

/// The finest bucket of a value: below eight each its own, then eight of each doubling.
fn number(value: u64) -> u32 {
    let value = u32::try_from(value).unwrap_or(u32::MAX);
    let octave = value.checked_ilog2().unwrap_or(0);
    if octave < 3 { value } else { (octave - 2) * 8 + (value >> (octave - 3) & 7) }
}

/// The least value of a bucket.
fn begin(bucket: u32) -> u64 {
    let (octave, eighth) = (bucket / 8, u64::from(bucket % 8));
    if octave == 0 { eighth } else { (8 + eighth) << (octave - 1).min(OCTAVES) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sketch<const BUCKETS: usize>(values: &[u64]) -> Sketch<BUCKETS> {
        let mut sketch = Sketch::default();
        values.iter().for_each(|value| sketch.add(*value));
        sketch
    }

    #[test]
    fn each_bucket_begins_where_the_one_before_ends() {
        for value in (0..100_000).chain([1 << 20, (1 << 31) - 1, u64::from(u32::MAX)]) {
            let bucket = number(value);
            assert!(begin(bucket) <= value && value < begin(bucket + 1), "{value}: {bucket}");
        }
        assert_eq!(number(u64::MAX), 239);
    }

    #[test]
    fn values_below_eight_are_exact() {
        let quantiles = sketch::<24>(&[0, 1, 1, 2, 7]).quantiles().unwrap();
        assert_eq!((quantiles.p50, quantiles.p90, quantiles.p99), (1, 7, 7));
        assert_eq!(sketch::<24>(&[]).quantiles(), None);
    }

    #[test]
    fn full_counts_are_halved_together() {
        let mut sketch = sketch::<8>(&[100, 1_000]);
        for _ in 0..40 {
            let copy = sketch.clone();
            sketch.absorb(&copy);
        }
        let quantiles = sketch.quantiles().unwrap();
        assert!(
            (95..=110).contains(&quantiles.p50) && (950..=1_100).contains(&quantiles.p99),
            "{quantiles:?}"
        );
    }

    proptest! {
        #[test]
        fn quantiles_are_as_wrong_as_they_say_and_no_more(values in prop::collection::vec(0_u64..5_000_000, 1..300)) {
            let found = sketch::<24>(&values).quantiles().unwrap();
            let mut sorted = values;
            sorted.sort_unstable();
            for (percent, found_value) in [(50, found.p50), (90, found.p90), (99, found.p99)] {
                let truth = sorted[(sorted.len() * percent).div_ceil(100) - 1];
                let off = truth.abs_diff(found_value);
                prop_assert!(off * 100 <= truth.max(1) * u64::from(found.error) + 100, "{truth} {found:?}");
            }
        }

        #[test]
        fn order_and_parts_change_nothing(values in prop::collection::vec(0_u64..u64::MAX, 0..200), cut in 0_usize..200) {
            let whole = sketch::<16>(&values);
            let mut turned = values.clone();
            turned.reverse();
            prop_assert_eq!(&whole, &sketch::<16>(&turned));
            let (left, right) = values.split_at(cut.min(values.len()));
            let mut parts = sketch::<16>(left);
            parts.absorb(&sketch::<16>(right));
            prop_assert_eq!(&whole, &parts);
            prop_assert!(whole.buckets.len() <= 16);
        }
    }
}
