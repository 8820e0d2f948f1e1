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

#[derive(Clone, Copy)]
struct Known {
    member: Member,
    /// The first key of the object that stands here, and the key behind this one.
    first: FieldIndex,
    next: FieldIndex,
}

impl Known {
    const NONE: Self = Self {
        member: Member { place: Place::Nowhere, wanted: None, plain: false },
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

    /// The member at `at` follows `last` in an object at `object`.
    pub(super) fn met(&mut self, object: FieldIndex, last: FieldIndex, at: FieldIndex, member: Member) {
        if at == FieldIndex::NOWHERE {
            return;
        }
        let most = at.get().max(if object == FieldIndex::NOWHERE { 0 } else { object.get() });
        if self.known.len() <= most {
            self.known.resize(most + 1, Known::NONE);
        }
        if let Some(known) = self.known.get_mut(at.get()) {
            known.member = member;
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
