//! The set of key paths of one body, as hashes.

use crate::KeySample;

/// Slots of the set; a power of two.
const SLOTS: usize = 1024;
/// Distinct paths kept. A body with more (a map with data for keys) is described by its first ones.
const MOST: usize = 768;
/// Slots looked at for one path, so that chosen collisions cost no more than this.
const PROBES: usize = 16;
/// Bytes of a key that count for its hash, with its length.
pub(super) const KEY_BYTES: usize = 256;

/// Above this depth, in member names, a path belongs to the shape.
pub(super) const SHAPE_DEPTH: u8 = 3;

/// Odd constants with well mixed bits, from the fraction of the golden ratio and of pi.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
const PI: u64 = 0x243f_6a88_85a3_08d3;

/// A path, hashed name by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct PathHash(u64);

impl PathHash {
    /// The document itself.
    pub(crate) const ROOT: Self = Self(PI);

    /// The member of that name; `len` is the name's whole length when `name` is only its beginning.
    pub(crate) fn member(self, name: &[u8], len: usize) -> Self {
        let name = name.get(..KEY_BYTES).unwrap_or(name);
        let (words, tail) = name.as_chunks::<8>();
        let mut last = [0; 8];
        last.iter_mut().zip(tail).for_each(|(to, from)| *to = *from);
        let seed = self.0 ^ (len as u64).wrapping_mul(GOLDEN);
        let hash =
            words.iter().chain([&last]).fold(seed, |hash, word| fold(hash ^ u64::from_le_bytes(*word)));
        Self(hash)
    }

    /// A short text, by its length and words of 8 bytes of which the last may overlap the one before it.
    pub(crate) fn text(self, text: &[u8]) -> Self {
        let seed = self.0 ^ (text.len() as u64).wrapping_mul(GOLDEN);
        let Some(last) = text.last_chunk::<8>() else {
            let word = text.iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
            return Self(fold(seed ^ word));
        };
        let (words, _) = text.as_chunks::<8>();
        Self(words.iter().chain([last]).fold(seed, |hash, word| fold(hash ^ u64::from_le_bytes(*word))))
    }

    /// The elements of an array, all under one name that no member has.
    pub(crate) fn elements(self) -> Self {
        Self(fold(self.0 ^ PI.rotate_left(17)))
    }

    /// A path by its hash.
    pub(crate) const fn again(hash: u64) -> Self {
        Self(hash)
    }

    /// The hash.
    pub(crate) const fn get(self) -> u64 {
        self.0
    }

    /// For samples.
    #[allow(clippy::cast_possible_truncation, reason = "half of a hash is a hash")]
    pub(crate) const fn short(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// A mark for what kind of thing the path holds.
    pub(crate) fn kind(self, kind: u8) -> Self {
        Self(fold(self.0 ^ PI.rotate_left(41) ^ u64::from(kind)))
    }
}

/// Multiplies to 128 bits and folds the halves together: cheap, and every input bit reaches every output bit.
#[allow(clippy::cast_possible_truncation, reason = "the two halves are what is wanted")]
const fn fold(value: u64) -> u64 {
    let wide = (value ^ GOLDEN) as u128 * (PI | 1) as u128;
    wide as u64 ^ (wide >> 64) as u64
}

/// A set of paths. Its hash does not depend on their order.
pub(super) struct KeyPaths {
    slots: Box<[u64; SLOTS]>,
    /// The slots in use, so that emptying a small set does not clear them all.
    used: Vec<u16>,
    fields: u32,
    shape: u64,
    sample: KeySample,
}

impl Default for KeyPaths {
    fn default() -> Self {
        Self {
            slots: Box::new([0; SLOTS]),
            used: Vec::new(),
            fields: 0,
            shape: 0,
            sample: KeySample::default(),
        }
    }
}

impl KeyPaths {
    /// A field at that path, `depth` member names deep.
    pub(super) fn field(&mut self, path: PathHash, depth: u8) {
        if self.insert(path.0) {
            self.fields += 1;
            if depth <= SHAPE_DEPTH {
                self.add_to_shape(path.0);
                self.sample.add(path.short());
            }
        }
    }

    /// Something about the shape that is no field.
    pub(super) fn mark(&mut self, path: PathHash) {
        if self.insert(path.0) {
            self.add_to_shape(path.0);
        }
    }

    /// The sample of the paths that belong to the shape; empties it.
    pub(super) fn take_sample(&mut self) -> KeySample {
        std::mem::take(&mut self.sample)
    }

    /// The number of fields and the shape; empties the set.
    pub(super) fn take(&mut self) -> (u32, u64) {
        for index in self.used.drain(..) {
            if let Some(slot) = self.slots.get_mut(usize::from(index)) {
                *slot = 0;
            }
        }
        (std::mem::take(&mut self.fields), std::mem::take(&mut self.shape))
    }

    fn add_to_shape(&mut self, path: u64) {
        self.shape = self.shape.wrapping_add(fold(path.rotate_left(32)));
    }

    /// Whether the path is new, and there was room for it.
    #[allow(
        clippy::cast_possible_truncation,
        reason = "only the low bits choose the slot, of which there are 1024"
    )]
    fn insert(&mut self, path: u64) -> bool {
        let path = path.max(1);
        for probe in 0..PROBES {
            let index = (path as usize).wrapping_add(probe) % SLOTS;
            let Some(slot) = self.slots.get_mut(index) else { return false };
            if *slot == path || *slot == 0 && self.used.len() == MOST {
                return false;
            }
            if *slot == 0 {
                *slot = path;
                self.used.push(index as u16);
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(names: &[&str]) -> PathHash {
        names.iter().fold(PathHash::ROOT, |path, name| path.member(name.as_bytes(), name.len()))
    }

    fn shape(paths: &[PathHash]) -> (u32, u64) {
        let mut set = KeyPaths::default();
        paths.iter().for_each(|path| set.field(*path, 1));
        set.take()
    }

    #[test]
    fn order_and_repetition_do_not_matter() {
        let (a, b) = (path(&["a"]), path(&["b", "c"]));
        assert_eq!(shape(&[a, b]), shape(&[b, a, a, b]));
        assert_ne!(shape(&[a]), shape(&[b]));
    }

    #[test]
    fn paths_are_told_apart() {
        assert_ne!(path(&["ab", "c"]), path(&["a", "bc"]));
        assert_ne!(path(&["a\0"]), path(&["a"]));
        assert_ne!(path(&["12345678"]), path(&["12345678", ""]));
        assert_ne!(path(&["[]"]), PathHash::ROOT.elements());
    }

    #[test]
    fn set_is_bounded_and_empties() {
        let mut set = KeyPaths::default();
        for n in 0..10_000_u32 {
            set.field(path(&[&n.to_string()]), 1);
        }
        assert!((700..=MOST).contains(&(set.take().0 as usize)));
        assert_eq!(set.take(), (0, 0));
    }
}
