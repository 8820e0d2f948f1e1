//! What a value was found to be.

use super::ClassId;

/// Points from which on a hit is reported.
pub const REPORTED: u8 = 70;
/// Hits kept of one value.
const MOST_HITS: usize = 4;

/// A class that a value seems to be of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hit {
    /// The class.
    pub class: ClassId,
    /// Points of 100.
    pub score: u8,
    /// Whether it is a number that payment providers publish for tests.
    pub is_test: bool,
}

impl Hit {
    /// Whether it only counts where most values of its field are such: see [`Column`](super::Column).
    pub const fn is_candidate(&self) -> bool {
        self.score < REPORTED
    }
}

/// What one value is, at most four hits. All of them are reported, or all of them are candidates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hits {
    list: [Hit; MOST_HITS],
    len: u8,
}

impl Default for Hits {
    fn default() -> Self {
        Self { list: [Hit { class: ClassId(0), score: 0, is_test: false }; MOST_HITS], len: 0 }
    }
}

impl Hits {
    /// The hits.
    pub fn list(&self) -> &[Hit] {
        self.list.get(..usize::from(self.len)).unwrap_or_default()
    }

    /// Those that are reported.
    pub fn reported(&self) -> impl Iterator<Item = &Hit> {
        self.list().iter().filter(|hit| !hit.is_candidate())
    }

    /// Whether one is reported.
    pub fn any_reported(&self) -> bool {
        self.list().first().is_some_and(|hit| !hit.is_candidate())
    }

    /// One hit alone.
    pub(crate) fn one(hit: Hit) -> Self {
        let mut hits = Self::default();
        hits.push(hit);
        hits
    }

    /// The hit of that class.
    pub(crate) fn find(&self, class: ClassId) -> Option<Hit> {
        self.list().iter().find(|hit| hit.class == class).copied()
    }

    /// Takes a class out.
    pub(crate) fn remove(&mut self, class: ClassId) {
        let mut rest = Self::default();
        self.list().iter().filter(|hit| hit.class != class).for_each(|hit| rest.push(*hit));
        *self = rest;
    }

    /// Adds a class that is beyond doubt.
    pub(super) fn push_sure(&mut self, name: &str) {
        if let Some(class) = ClassId::of(name) {
            self.push(Hit { class, score: 90, is_test: false });
        }
    }

    /// Adds a hit. What is reported drives candidates out.
    pub(super) fn push(&mut self, hit: Hit) {
        if self.any_reported() && hit.is_candidate() {
            return;
        }
        if !self.any_reported() && !hit.is_candidate() {
            self.len = 0;
        }
        if let Some(slot) = self.list.get_mut(usize::from(self.len)) {
            *slot = hit;
            self.len += 1;
        }
    }
}
