//! What a name says about itself and its value, remembered: the same few names come with every exchange.

use super::headers::{self, Policy};
use super::{names, shape};
use std::hash::BuildHasher;
use std::sync::Arc;
use tapwire_inspect::Domain;
use tapwire_inspect::classes::{Classes, Clues};

/// Slots; a power of two.
const SLOTS: usize = 4096;
/// Longest name that is remembered, in bytes.
const LONGEST: usize = 64;

/// What a name of a header or parameter says.
#[derive(Debug, Clone, Copy)]
pub(super) struct NameFacts {
    /// How a header's value leaves.
    pub(super) policy: Policy,
    /// Whether the name itself may leave.
    pub(super) open: bool,
    /// What a parameter's value is, when the name says secret or person.
    pub(super) domain: Option<Domain>,
    /// Whether its value leaves in no form.
    pub(super) never_kept: bool,
    /// Which classes of data it speaks for.
    pub(super) clues: Clues,
}

impl NameFacts {
    fn of(name: &[u8], classes: &Classes) -> Self {
        let domain = if names::is_secret(name) {
            Some(Domain::Credential)
        } else {
            names::is_identity(name).then_some(Domain::Identity)
        };
        Self {
            policy: headers::policy(name),
            open: shape::is_open(name),
            domain,
            never_kept: names::is_never_kept(name),
            clues: classes.clues(b"", name),
        }
    }
}

/// A name with what it says.
type Known = (Vec<u8>, NameFacts);

/// A direct-mapped table of names. It only saves time.
pub(super) struct KnownNames {
    slots: Box<[Option<Known>]>,
    state: foldhash::fast::FixedState,
    classes: Arc<Classes>,
}

impl KnownNames {
    pub(super) fn new(classes: Arc<Classes>) -> Self {
        Self { slots: vec![None; SLOTS].into(), state: foldhash::fast::FixedState::with_seed(2), classes }
    }

    /// The classes of data that names speak for.
    pub(super) fn classes(&self) -> &Classes {
        &self.classes
    }

    /// What the name says.
    pub(super) fn facts(&mut self, name: &[u8]) -> NameFacts {
        let [low, high, ..] = self.state.hash_one(name).to_le_bytes();
        let place = usize::from(u16::from_le_bytes([low, high])) % SLOTS;
        let Some(slot) = self.slots.get_mut(place).filter(|_| name.len() <= LONGEST) else {
            return NameFacts::of(name, &self.classes);
        };
        match slot {
            Some((known, facts)) if known == name => *facts,
            _ => slot.insert((name.to_vec(), NameFacts::of(name, &self.classes))).1,
        }
    }

    /// Whether the path segment after one of that name is a secret: `/reset-password/…`, `/invite/…`. A plural names a
    /// collection (`/tokens/17`), whose ids follow the usual rules.
    pub(super) fn leads_to_secret(&mut self, segment: &[u8]) -> bool {
        // Every secret's name has letters, and ids stand where names do; only one of great length is taken for a secret.
        (segment.len() >= 64 || segment.iter().any(u8::is_ascii_alphabetic))
            && !segment.ends_with(b"s")
            && self.facts(segment).domain == Some(Domain::Credential)
    }
}

impl std::fmt::Debug for KnownNames {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KnownNames(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plural_segments_are_collections() {
        let mut known = KnownNames::new(Arc::default());
        assert!(known.leads_to_secret(b"reset-password"));
        assert!(!known.leads_to_secret(b"tokens"));
        assert!(!known.leads_to_secret(b"orders"));
        assert!(!known.leads_to_secret(b""));
    }

    #[test]
    fn remembered_names_say_what_they_said() {
        let mut known = KnownNames::new(Arc::default());
        for _ in 0..2 {
            for n in 0..2_000 {
                assert_eq!(known.facts(format!("token{n}").as_bytes()).domain, Some(Domain::Credential));
                assert_eq!(known.facts(format!("page{n}").as_bytes()).domain, None);
            }
            assert_eq!(known.facts(b"Cookie").policy, Policy::Cookies);
            assert!(!known.facts(b"alice@example.com").open);
        }
    }
}
