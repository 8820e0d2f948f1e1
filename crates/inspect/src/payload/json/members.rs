//! Keys that were met in this body, by what they came behind: in the next object of an array the same ones follow each
//! other, so that one comparison finds a member that was hashed and judged before.

use super::places::Place;
use crate::fields::FieldIndex;
use crate::payload::Wanted;

/// What is known of a member, and which key came behind it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Member {
    pub(super) place: Place,
    /// What it is for a login.
    pub(super) wanted: Option<Wanted>,
    /// Whether its name stood there whole and without escapes, so that it is told by its bytes.
    pub(super) plain: bool,
}

/// The members of the open body, by their fields.
#[derive(Default)]
pub(super) struct Members {
    known: Vec<Known>,
}

/// A key as it stands behind its first quote, with the quote and the colon behind it, where all of that is one word.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ShortKey {
    word: u64,
    /// The bytes of the word that count; 0 where the key is longer.
    mask: u64,
    len: usize,
}

impl ShortKey {
    fn new(name: &[u8]) -> Self {
        let mut word = [0; 8];
        let Some(place) = word.get_mut(..name.len() + 2) else { return Self::default() };
        place.iter_mut().zip(name.iter().chain(b"\":")).for_each(|(to, from)| *to = *from);
        let len = name.len() + 2;
        Self { word: u64::from_le_bytes(word), mask: u64::MAX >> (64 - 8 * len), len }
    }

    /// Whether it is one word.
    pub(super) const fn is_short(self) -> bool {
        self.mask != 0
    }

    /// Its length with quote and colon, where these bytes begin with it; so near to the end of a piece nobody looks.
    pub(super) fn of(self, bytes: &[u8]) -> Option<usize> {
        let word = u64::from_le_bytes(*bytes.first_chunk::<8>()?);
        (self.is_short() && word & self.mask == self.word).then_some(self.len)
    }
}

#[derive(Clone, Copy)]
struct Known {
    member: Member,
    key: ShortKey,
    /// Whether nobody but the list of fields wants its value.
    unwanted: bool,
    /// The first key of the object that stands here, and the key behind this one.
    first: FieldIndex,
    next: FieldIndex,
}

impl Known {
    const NONE: Self = Self {
        member: Member { place: Place::Nowhere, wanted: None, plain: false },
        key: ShortKey { word: 0, mask: 0, len: 0 },
        unwanted: false,
        first: FieldIndex::NOWHERE,
        next: FieldIndex::NOWHERE,
    };
}

impl Members {
    /// The member that followed `last` in an object at `object` before; with `last` nowhere, its first one.
    pub(super) fn after(&self, object: FieldIndex, last: FieldIndex) -> Option<(FieldIndex, Member)> {
        let at = match last {
            FieldIndex::NOWHERE => self.known.get(object.get())?.first,
            last => self.known.get(last.get())?.next,
        };
        let member = self.known.get(at.get())?.member;
        member.plain.then_some((at, member))
    }

    /// The same of a member that nobody but the list of fields wants, with its key.
    pub(super) fn again(&self, object: FieldIndex, last: FieldIndex) -> Option<(FieldIndex, ShortKey)> {
        let at = match last {
            FieldIndex::NOWHERE => self.known.get(object.get())?.first,
            last => self.known.get(last.get())?.next,
        };
        let known = self.known.get(at.get())?;
        known.unwanted.then_some((at, known.key))
    }

    /// The member at `at` follows `last` in an object at `object`.
    pub(super) fn met(
        &mut self,
        object: FieldIndex,
        last: FieldIndex,
        at: FieldIndex,
        member: Member,
        name: &[u8],
    ) {
        if at == FieldIndex::NOWHERE {
            return;
        }
        let most = at.get().max(if object == FieldIndex::NOWHERE { 0 } else { object.get() });
        if self.known.len() <= most {
            self.known.resize(most + 1, Known::NONE);
        }
        if let Some(known) = self.known.get_mut(at.get()) {
            known.member = member;
            known.unwanted = member.plain && member.wanted.is_none() && member.place == Place::Nowhere;
            known.key = ShortKey::new(name);
        }
        match last {
            FieldIndex::NOWHERE => {
                self.known.get_mut(object.get()).into_iter().for_each(|known| known.first = at)
            }
            last => self.known.get_mut(last.get()).into_iter().for_each(|known| known.next = at),
        }
    }

    /// The body ended.
    pub(super) fn clear(&mut self) {
        self.known.clear();
    }
}
