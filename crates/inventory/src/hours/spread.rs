//! How values spread, in a fixed number of bins: two to a doubling.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Bins: values from 2^32 on are put together.
const BINS: usize = 65;

/// What the values of one bin sum up to at most, so that those of all bins of many can be added.
const MOST: u64 = u64::MAX >> 24;

/// Values by their size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Spread {
    /// How many values, and their sum.
    bins: Vec<(u32, u64)>,
    pub(super) count: u32,
}

/// A bin that has values: its place, their number, their sum.
type Full = (u8, u32, u64);

impl Serialize for Spread {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let full = (0_u8..).zip(&self.bins).filter(|(_, (count, _))| *count > 0);
        full.map(|(at, (count, sum))| (at, *count, *sum)).collect::<Vec<Full>>().serialize(to)
    }
}

impl<'de> Deserialize<'de> for Spread {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let mut spread = Self::default();
        for (at, count, sum) in Vec::<Full>::deserialize(from)? {
            if let Some(bin) = spread.bins.get_mut(usize::from(at)) {
                *bin = (count, sum.min(MOST));
            }
        }
        spread.count = spread.bins.iter().fold(0, |sum: u32, (count, _)| sum.saturating_add(*count));
        Ok(spread)
    }
}

impl Default for Spread {
    fn default() -> Self {
        Self { bins: vec![(0, 0); BINS], count: 0 }
    }
}

impl Spread {
    pub(super) fn add(&mut self, value: u64) {
        if let Some((count, sum)) = self.bins.get_mut(bin(value)) {
            *count = count.saturating_add(1);
            *sum = sum.saturating_add(value);
            self.count = self.count.saturating_add(1);
        }
    }

    /// How many values are at least as large, those of the value's own bin among them: never too few.
    pub(super) fn at_least(&self, value: u64) -> u32 {
        self.bins.iter().skip(bin(value)).fold(0, |sum: u32, (count, _)| sum.saturating_add(*count))
    }

    /// A value that 99 of 100 do not exceed.
    pub(super) fn p99(&self) -> u64 {
        let mut left = self.count / 100;
        for (at, (count, _)) in self.bins.iter().enumerate().rev() {
            if *count > left {
                return begin(at + 1).saturating_sub(1);
            }
            left = left.saturating_sub(*count);
        }
        0
    }

    /// What lies above a limit that is the begin of a bin: exact.
    pub(super) fn above(&self, bin: usize) -> u64 {
        let limit = begin(bin);
        let over =
            self.bins.iter().skip(bin).map(|(count, sum)| sum.saturating_sub(limit * u64::from(*count)));
        over.fold(0, u64::saturating_add)
    }

    /// The least limit, as the begin of a bin, that at most one value of 1,000 exceeds.
    pub(super) fn limit(&self) -> Option<usize> {
        let most = self.count / 1_000;
        let mut over = 0;
        for (at, (count, _)) in self.bins.iter().enumerate().rev() {
            over = u32::saturating_add(over, *count);
            if over > most {
                return Some((at + 1).min(BINS - 1));
            }
        }
        None
    }

    pub(super) fn absorb(&mut self, other: &Self) {
        for (mine, theirs) in self.bins.iter_mut().zip(&other.bins) {
            mine.0 = mine.0.saturating_add(theirs.0);
            mine.1 = mine.1.saturating_add(theirs.1);
        }
        self.count = self.count.saturating_add(other.count);
    }

    pub(super) fn largest(&self) -> u64 {
        let last = self.bins.iter().rposition(|(count, _)| *count > 0);
        last.map_or(0, |at| begin(at + 1).saturating_sub(1))
    }
}

/// The bin of a value: 0 and 1 have their own, then two of each doubling.
fn bin(value: u64) -> usize {
    let Some(octave) = value.checked_ilog2() else { return 0 };
    if octave == 0 {
        return 1;
    }
    (octave as usize * 2 + (value >> (octave - 1) & 1) as usize).min(BINS - 1)
}

/// The least value of a bin.
pub(super) fn begin(bin: usize) -> u64 {
    match bin {
        0 | 1 => bin as u64,
        bin => (2 + (bin as u64 & 1)) << (bin / 2 - 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bin_begins_where_the_one_before_ends() {
        for value in (0..70_000).chain([1 << 30, (1 << 31) + 7]) {
            let at = bin(value);
            assert!(begin(at) <= value && value < begin(at + 1), "{value}: {at}");
        }
    }

    #[test]
    fn what_a_limit_would_have_hit_is_exact() {
        let values: Vec<u64> = (0..2_000).map(|number| number % 50).chain([900, 1_000]).collect();
        let mut spread = Spread::default();
        values.iter().for_each(|value| spread.add(*value));
        let bin = spread.limit().expect("values");
        let limit = begin(bin);
        assert_eq!(limit, 64, "two of 2,002 may exceed it");
        for bin in 2..24 {
            let over: u64 = values.iter().map(|value| value.saturating_sub(begin(bin))).sum();
            assert_eq!(spread.above(bin), over, "{}", begin(bin));
        }
        assert_eq!((spread.at_least(800), spread.at_least(2_000)), (2, 0));
        assert!((49..=63).contains(&spread.p99()));
    }
}
