//! What the answers of one path had in common, and how alike two paths are by them.

use super::Answer;

/// Key paths that are counted of one path's answers: the smallest hashes, as in a sample.
const MAX_KEYS: usize = 32;
/// Answers after which the shares of their keys are known well enough.
const ENOUGH: u32 = 200;
/// Shapes that are known by their hash, so that an answer of one of them needs no look at its keys.
const MAX_SHAPES: usize = 4;

/// What was answered on one path to one method.
#[derive(Debug, Clone, Default, serde::Serialize, serde::Deserialize)]
pub(crate) struct Answers {
    /// 2xx answers with keys.
    read: u32,
    /// 2xx answers without a body.
    bare: u32,
    /// Answers in each class, 1xx to 5xx, and unseen ones: as bits.
    classes: u8,
    /// Key paths with how many of `read` had them, by rising hash.
    keys: Vec<(u32, u32)>,
    /// Whether keys beyond the last were left out.
    cut: bool,
    shapes: Vec<u64>,
}

impl Answers {
    pub(crate) fn add(&mut self, answer: &Answer<'_>) {
        self.classes |= answer.class_bit();
        if !answer.is_success() {
            return;
        }
        if answer.keys.hashes().is_empty() {
            self.bare = self.bare.saturating_add(u32::from(answer.is_bare));
            return;
        }
        if self.read >= ENOUGH {
            return;
        }
        self.read += 1;
        for hash in answer.keys.hashes() {
            self.count(*hash, 1);
        }
        self.cut |= answer.keys.is_full();
        if self.shapes.len() < MAX_SHAPES && !self.shapes.contains(&answer.shape) {
            self.shapes.push(answer.shape);
        }
    }

    fn count(&mut self, hash: u32, times: u32) {
        match self.keys.binary_search_by_key(&hash, |(known, _)| *known) {
            Ok(at) => {
                if let Some((_, count)) = self.keys.get_mut(at) {
                    *count += times;
                }
            }
            Err(at) if at < MAX_KEYS => {
                self.cut |= self.keys.len() == MAX_KEYS;
                self.keys.truncate(MAX_KEYS - 1);
                self.keys.insert(at, (hash, times));
            }
            Err(_) => self.cut = true,
        }
    }

    /// Takes in what another path had.
    pub(crate) fn absorb(&mut self, other: Self) {
        self.bare = self.bare.saturating_add(other.bare);
        self.classes |= other.classes;
        self.read += other.read;
        self.cut |= other.cut;
        for (hash, count) in other.keys {
            self.count(hash, count);
        }
        for shape in other.shapes {
            if self.shapes.len() < MAX_SHAPES && !self.shapes.contains(&shape) {
                self.shapes.push(shape);
            }
        }
    }

    /// Bytes on the heap.
    pub(crate) fn bytes(&self) -> usize {
        self.keys.capacity() * size_of::<(u32, u32)>() + self.shapes.capacity() * size_of::<u64>()
    }

    /// Classes of status that came, as bits.
    pub(crate) const fn classes(&self) -> u8 {
        self.classes
    }

    /// Whether all of its successes were without a body, and there were some.
    pub(crate) const fn is_bare(&self) -> bool {
        self.read == 0 && self.bare > 0
    }

    /// Whether keys were read.
    pub(crate) const fn is_read(&self) -> bool {
        self.read > 0
    }

    /// Whether so many answers were read, with so many keys, that others can be told from them.
    pub(crate) fn is_told(&self) -> bool {
        self.read >= 3 || self.read > 0 && self.keys.len() >= 6
    }

    /// How many keys both have, weighed by how often, and that as a share of the one with fewer.
    pub(crate) fn likeness(&self, other: &Self) -> (f32, f32) {
        let limit = self.limit().min(other.limit());
        let (mut shared, mut mine, mut theirs) = (0.0, 0.0, 0.0);
        let mut rest = other.keys.as_slice();
        for (hash, count) in self.keys.iter().take_while(|(hash, _)| *hash <= limit) {
            let share = ratio(*count, self.read);
            mine += share;
            let before = rest.partition_point(|(theirs, _)| theirs < hash);
            rest = rest.get(before..).unwrap_or_default();
            if let Some((_, count)) = rest.first().filter(|(same, _)| same == hash) {
                shared += share.min(ratio(*count, other.read));
            }
        }
        for (_, count) in other.keys.iter().take_while(|(hash, _)| *hash <= limit) {
            theirs += ratio(*count, other.read);
        }
        let fewer = f32::min(mine, theirs);
        (shared, if fewer > 0.0 { shared / fewer } else { 0.0 })
    }

    /// Whether an answer may be one of these: most of its keys are known, and most keys that all have are there.
    pub(crate) fn fits(&self, answer: &Answer<'_>) -> bool {
        if self.read < 8 || answer.keys.hashes().is_empty() || self.shapes.contains(&answer.shape) {
            return true;
        }
        let mut one = Self::default();
        one.add(answer);
        let (_, share) = self.likeness(&one);
        let limit = self.limit().min(one.limit());
        let within = one.keys.iter().filter(|(hash, _)| *hash <= limit);
        let known = |hash: u32| self.keys.binary_search_by_key(&hash, |(known, _)| *known).is_ok();
        let (all, here) =
            within.fold((0_u32, 0_u32), |(all, here), (hash, _)| (all + 1, here + u32::from(known(*hash))));
        share >= 0.3 || here * 2 > all
    }

    /// The largest hash of which is known whether it is there.
    fn limit(&self) -> u32 {
        if self.cut { self.keys.last().map_or(0, |(hash, _)| *hash) } else { u32::MAX }
    }
}

#[allow(clippy::cast_precision_loss, reason = "counts of at most a few hundred")]
fn ratio(count: u32, all: u32) -> f32 {
    count as f32 / all.max(1) as f32
}
