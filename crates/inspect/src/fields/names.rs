//! What the names around values say to data classes, remembered by path: the same few paths come with every body.

use crate::classes::{Classes, Clues, Hits, Lead, Said, Seen, Taking};
use crate::ids;
use crate::made::Made;
use std::sync::Arc;

/// Paths remembered; a power of two.
const SLOTS: usize = 256;
/// Fields whose beginning is remembered.
const LEADS: usize = 32;
/// Different answers kept beyond one body: a sign that names are data.
const MOST: usize = 256;

/// Beside the place of an answer: values of that path name something; its name has a `$` in it.
const NAMES: u16 = 1 << 15;
const OPERATOR: u16 = 1 << 14;

/// A path with the place of what its names say.
type Known = (u64, u16);

/// What names say, for one collector of fields. It only saves time.
pub(super) struct NameClues {
    /// `None` where nobody looks for data classes.
    classes: Option<Arc<Classes>>,
    slots: Box<[Known; SLOTS]>,
    /// Different answers; the first says nothing.
    distinct: Vec<Taking>,
    /// The place of the answer for each field of the body.
    fields: Vec<u16>,
    /// What words before values say.
    said: Said,
    /// What values of fields began with, by the field's place in its body.
    leads: [Lead; LEADS],
}

impl Default for NameClues {
    fn default() -> Self {
        Self {
            classes: None,
            slots: Box::new([(0, 0); SLOTS]),
            distinct: Vec::new(),
            fields: Vec::new(),
            said: Said::default(),
            leads: [Lead::default(); LEADS],
        }
    }
}

impl NameClues {
    pub(super) fn equip(&mut self, classes: &Arc<Classes>) {
        self.classes = Some(Arc::clone(classes));
        self.distinct = vec![classes.taking(Clues::default())];
    }

    /// The next field of the body has that path and those names.
    /// Whether its values name something, and whether it is an operator.
    pub(super) fn field(&mut self, path: u64, parent: &[u8], key: &[u8]) -> (bool, bool) {
        let known = self.known(path, parent, key);
        self.fields.push(known & !(NAMES | OPERATOR));
        (known & NAMES != 0, known & OPERATOR != 0)
    }

    fn known(&mut self, path: u64, parent: &[u8], key: &[u8]) -> u16 {
        let Some(classes) = &self.classes else { return 0 };
        #[allow(clippy::cast_possible_truncation, reason = "only the low bits choose the slot")]
        let Some(slot) = self.slots.get_mut(path as usize % SLOTS) else { return 0 };
        if slot.0 == path {
            return slot.1;
        }
        let clues = classes.clues(parent, key);
        let known = self.distinct.iter().position(|other| other.clues == clues);
        let at = known.unwrap_or(self.distinct.len());
        if known.is_none() {
            self.distinct.push(classes.taking(clues));
        }
        let names = if ids::is_name(key) { NAMES } else { 0 };
        let operator = if key.contains(&b'$') { OPERATOR } else { 0 };
        *slot = (path, u16::try_from(at).unwrap_or_default() & !(NAMES | OPERATOR) | names | operator);
        slot.1
    }

    /// Whether a value of that field may be of a class.
    #[inline]
    pub(super) fn may_take(&self, field: usize, seen: &Seen<'_>) -> bool {
        let known = self.fields.get(field).and_then(|at| self.distinct.get(usize::from(*at)));
        match (&self.classes, known) {
            (Some(classes), Some(taking)) => {
                !taking.is_quiet(seen) && classes.may_take(taking, seen, self.leads.get(field % LEADS))
            }
            _ => false,
        }
    }

    /// The classes of a value of that field.
    pub(super) fn look(&mut self, field: usize, seen: &Seen<'_>) -> Hits {
        let known = self.fields.get(field).and_then(|at| self.distinct.get(usize::from(*at)));
        match (&self.classes, known) {
            (Some(classes), Some(taking)) => {
                let hits = classes.look_at(&taking.clues, seen, &mut self.said);
                if hits.list().is_empty()
                    && seen.made.has(Made::SPACE)
                    && let Some(lead) = self.leads.get_mut(field % LEADS)
                {
                    *lead = classes.lead(&mut self.said, seen.text);
                }
                hits
            }
            _ => Hits::default(),
        }
    }

    /// The classes of a segment of a path, which the one before it may name. Those of the API itself are seldom anything.
    pub(super) fn look_at_segment(&mut self, before: &[u8], seen: &Seen<'_>) -> Hits {
        match &self.classes {
            Some(classes) if seen.text.len() >= 6 && seen.made.has(Made::DIGIT | Made::AT) => {
                let clues = self.said.of(classes, before);
                classes.look_at(&clues, seen, &mut self.said)
            }
            _ => Hits::default(),
        }
    }

    /// The body ended.
    pub(super) fn end(&mut self) {
        self.fields.clear();
        if self.distinct.len() > MOST {
            self.distinct.truncate(1);
            self.slots.fill((0, 0));
        }
    }
}
