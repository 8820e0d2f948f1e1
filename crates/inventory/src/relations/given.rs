//! How many different records lists gave a caller in a day: who is given one page again and again has no more of it.

use super::Seen;
use super::objects::above;
use tapwire_inspect::fields::{Field, FieldList, Step};

/// Elements from which on an answer is a list.
const LIST: u32 = 5;
/// Registers of the estimate: right to about an eighth.
const REGISTERS: usize = 64;
const DAY: i64 = 86_400;

/// Different hashes, about (HyperLogLog; linear counting while they are few).
#[derive(Debug, Clone, Copy, Default, serde::Serialize, serde::Deserialize)]
struct Different([[u8; REGISTERS / 2]; 2]);

impl Different {
    fn add(&mut self, hash: u64) {
        let rank = (hash >> 6 | 1 << 57).trailing_zeros() + 1;
        let place = usize::try_from(hash % REGISTERS as u64).unwrap_or(0);
        if let Some(register) = self.0.as_flattened_mut().get_mut(place) {
            *register = (*register).max(u8::try_from(rank).unwrap_or(u8::MAX));
        }
    }

    fn len(&self) -> f64 {
        const ALL: f64 = REGISTERS as f64;
        let registers = self.0.as_flattened();
        let sum: f64 = registers.iter().map(|rank| half_to(*rank)).sum();
        let (raw, free) = (0.709 * ALL * ALL / sum, registers.iter().filter(|rank| **rank == 0).count());
        if raw <= 2.5 * ALL && free > 0 { ALL * (ALL / free as f64).ln() } else { raw }
    }
}

/// 0.5 to a power of at most 255, by its bits: `exp2` takes as long for these as for any other number.
fn half_to(power: u8) -> f64 {
    f64::from_bits(1023_u64.saturating_sub(power.into()) << 52)
}

/// What lists gave a caller on one day.
#[derive(Debug, Clone, Copy, Default, serde::Serialize, serde::Deserialize)]
pub(super) struct Records {
    day: i64,
    /// Those that nothing names: each counts.
    nameless: u32,
    /// Those that have a name, how many of these names were kept, and how many of them differ.
    named: u32,
    names: u32,
    different: Different,
}

impl Records {
    /// Hears of a list; how many different records there were on its day, about.
    pub(super) fn add(&mut self, page: &Page<'_>, now: i64) -> u32 {
        let day = now / DAY;
        if self.day != day {
            *self = Self { day, ..Self::default() };
        }
        let names = page.names();
        if names.is_empty() {
            self.nameless = self.nameless.saturating_add(page.count);
        } else {
            self.named = self.named.saturating_add(page.count);
            self.names = self.names.saturating_add(u32::try_from(names.len()).unwrap_or(u32::MAX));
            names.into_iter().for_each(|name| self.different.add(name));
        }
        self.nameless.saturating_add(self.different())
    }

    /// Of long answers not every name is kept: what differs among those that are stands for the rest.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "at most a counter of 32 bits"
    )]
    fn different(&self) -> u32 {
        let rest = f64::from(self.named) / f64::from(self.names.max(1));
        ((self.different.len() * rest.max(1.0)).round() as u32).min(self.named)
    }
}

/// An answer that is a list.
pub(super) struct Page<'a> {
    list: &'a FieldList,
    elements: &'a Field,
    count: u32,
}

impl<'a> Page<'a> {
    pub(super) fn of(seen: &Seen<'a>) -> Option<Self> {
        let list = seen.observation.response_payload.list.as_deref()?;
        let elements = list.fields().iter().filter(|field| field.step == Step::Element);
        // Of lists with as many, the outer one: what it holds are parts of its records.
        let elements = elements.rev().max_by_key(|field| field.objects)?;
        Some(Self { list, elements, count: elements.objects }).filter(|page| page.count >= LIST)
    }

    /// Hashes of what names its records: the values of the field of theirs that has most different ones, unless these are few
    /// beside its records, as where a field names who all of them belong to.
    fn names(&self) -> Vec<u64> {
        let is_of_record = |field: &&Field| std::ptr::eq(*field, self.elements);
        let mut ids: Vec<(usize, u64)> = Vec::new();
        for id in self.list.ids().iter().filter(|id| !id.is_key) {
            let mut outer = above(self.list, id.field).filter(|field| field.step == Step::Element);
            if outer.next().as_ref().is_some_and(is_of_record) {
                ids.push((id.field.get(), id.hash));
            }
        }
        ids.sort_unstable();
        let all = |field: usize| ids.iter().filter(|(at, _)| *at == field).count();
        let mut different = ids.clone();
        different.dedup();
        let best = different.chunk_by(|one, other| one.0 == other.0).max_by_key(|names| names.len());
        let best = best.filter(|names| names.first().is_some_and(|(field, _)| names.len() * 2 > all(*field)));
        best.map_or_else(Vec::new, |names| names.iter().map(|(_, hash)| *hash).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Spread as keyed hashes are (splitmix64).
    fn hash(number: u64) -> u64 {
        let mixed = (number ^ number >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    #[test]
    fn powers_of_a_half_are_exact() {
        for power in 0..=255 {
            assert_eq!(half_to(power).to_bits(), (-f64::from(power)).exp2().to_bits(), "{power}");
        }
    }

    #[test]
    fn what_comes_again_is_not_counted_again() {
        for count in [1_u64, 6, 40, 150, 1_000, 20_000] {
            let mut different = Different::default();
            for _ in 0..3 {
                (1..=count).for_each(|nth| different.add(hash(nth.wrapping_mul(0x9e37_79b9_7f4a_7c15))));
            }
            let found = different.len();
            assert!((found - count as f64).abs() <= count as f64 * 0.4 + 1.0, "{count}: {found}");
        }
    }
}
