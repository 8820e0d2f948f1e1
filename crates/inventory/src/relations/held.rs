//! Who was given what: the elements of lists, and what a call made. What several were given is shared.

use super::ages::{Ages, Forgotten};
use super::objects::{above, in_array};
use super::people::Holder;
use super::{Seen, mix};
use tapwire_inspect::IdValue;
use tapwire_inspect::fields::{FieldIndex, FieldList, Step};

/// Elements of a list that are kept as given to its caller.
const MAX_LISTED: usize = 128;
/// Objects of a kind that one caller or several were given before that says something, and the share of shared ones from
/// which on all of them are for everybody.
const ENOUGH: u32 = 50;
const SHARED: (u32, u32) = (2, 10);

/// How many objects of a kind one caller holds, and several.
#[derive(Debug, Clone, Copy, Default, serde::Serialize, serde::Deserialize)]
pub(super) struct Kind {
    single: u32,
    shared: u32,
}

pub(super) struct Held {
    pub(super) objects: Ages<Holder>,
    pub(super) kinds: Ages<Kind>,
}

impl Held {
    pub(super) fn new(most: usize, span: i64) -> Self {
        Self { objects: Ages::new(most, span), kinds: Ages::new(most / 50, span) }
    }

    pub(super) const fn forgotten(&self) -> Forgotten {
        self.objects.forgotten().and(self.kinds.forgotten())
    }

    /// Whether objects of that kind are for everybody, as far as is known.
    pub(super) fn is_shared(&self, kind: u64) -> bool {
        self.kinds.get(kind).is_none_or(|known| {
            let all = known.single.saturating_add(known.shared);
            all < ENOUGH || known.shared.saturating_mul(SHARED.1) > all.saturating_mul(SHARED.0)
        })
    }

    /// Who holds an object; `None` where nothing is known of its kind.
    pub(super) fn holder(&mut self, kind: u64, id: u64, now: i64) -> Option<Holder> {
        self.kinds.get(kind)?;
        Some(self.objects.met(mix(kind, id), now).copied().unwrap_or_default())
    }

    /// An answer gives its caller objects of the kind that its path ends with.
    pub(super) fn hear(&mut self, seen: &Seen<'_>, who: u64) {
        let Some(kind) = seen.shape.collection.filter(|_| !seen.is_rpc) else { return };
        let issues = seen.observation.issuance.is_some();
        let Some(list) = seen.observation.response_payload.list.as_deref().filter(|_| !issues) else {
            return;
        };
        let mut listed = false;
        for id in list.ids().iter().filter(|id| is_element_id(list, id.field)).take(MAX_LISTED) {
            listed = true;
            self.hold(kind, id.hash, who, seen.now);
        }
        if listed || !seen.is_post {
            return;
        }
        let own = |id: &&IdValue| !in_array(list, id.field) && is_own_id(list, id.field);
        if let Some(made) = list.ids().iter().find(own) {
            self.hold(kind, made.hash, who, seen.now);
        }
    }

    fn hold(&mut self, kind: u64, id: u64, who: u64, now: i64) {
        let holder = self.objects.met_or_new(mix(kind, id), now);
        let before = *holder;
        holder.add(who);
        if before == *holder {
            return;
        }
        let known = self.kinds.met_or_new(kind, now);
        match before {
            Holder::Nobody => known.single = known.single.saturating_add(1),
            _ => {
                known.single = known.single.saturating_sub(1);
                known.shared = known.shared.saturating_add(1);
            }
        }
    }
}

/// Whether a field is the identifier of an array's element.
fn is_element_id(list: &FieldList, at: FieldIndex) -> bool {
    let mut above = above(list, at);
    let own = above.next();
    let is_id = own.is_some_and(|field| list.name(field).len() <= 4);
    is_id && above.next().is_some_and(|parent| parent.step == Step::Element)
}

/// Whether a field is the identifier of the object that an answer is, or of the one that it wraps.
fn is_own_id(list: &FieldList, at: FieldIndex) -> bool {
    let names = above(list, at).next().is_some_and(|field| list.name(field).len() <= 4);
    names && above(list, at).count() <= 3
}
