//! Data classes: what kind of personal, financial or secret data a value is.

use crate::Place;
use crate::fields::Kind;

/// Where a value stands.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The nearest name above it: its key, or that of the array it is an element of. At most 128 bytes; empty for a
    /// document that is a scalar, and for path segments.
    pub key: &'a [u8],
    /// The name above that one; for a path segment, the segment before it. Empty at the root.
    pub parent: &'a [u8],
    /// In which part of a message.
    pub place: Place,
    /// What [`hint`] said of this key, parent and place.
    pub hint: Hint,
}

/// What names alone say of the values below them: made once for each path of a body, kept beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Hint(pub u64);

/// A class that a value seems to be of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Hit {
    /// Its index in the registry of classes.
    pub class: u16,
    /// How sure that is, in percent.
    pub score: u8,
}

/// The classes that one value seems to be of: none for nearly all values, four at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Hits {
    hits: [Hit; 4],
    len: u8,
}

impl Hits {
    /// None.
    pub const NONE: Self = Self { hits: [Hit { class: 0, score: 0 }; 4], len: 0 };

    /// Adds one, where there is room.
    pub fn add(&mut self, hit: Hit) {
        if let Some(slot) = self.hits.get_mut(usize::from(self.len)) {
            *slot = hit;
            self.len += 1;
        }
    }

    /// All of them.
    pub fn as_slice(&self) -> &[Hit] {
        self.hits.get(..usize::from(self.len)).unwrap_or_default()
    }
}

/// What the names say. Called once for each distinct path of a body.
pub const fn hint(_key: &[u8], _parent: &[u8], _place: Place) -> Hint {
    Hint(0)
}

/// The classes of one scalar. Called for each text and number: `text` is its beginning, decoded, at most 256 bytes of
/// `len`; of a number, its digits as written.
pub const fn look(_context: &Context<'_>, _kind: Kind, _text: &[u8], _len: usize) -> Hits {
    Hits::NONE
}
