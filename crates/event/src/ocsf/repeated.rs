//! Header fields that come again and again: their JSON, remembered. Most fields of most messages were there before.

use std::hash::{BuildHasher, Hasher};
use tapwire_protocol::{Field, Head, Range};

/// Slots; a power of two: the credentials of some thousand callers.
const SLOTS: usize = 8192;
/// Bytes of fields and JSON that are held together at most.
const MOST_BYTES: usize = 2 << 20;
/// Longest field that is remembered, in bytes: shorter than any text that is cut.
const LONGEST: usize = 512;

/// A field as it stands in its head: from its name to the end of its value, and where in there the two lie.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line<'a> {
    text: &'a [u8],
    name: usize,
    value: usize,
    hash: u64,
}

/// A field's line and its JSON.
#[derive(Debug, Default)]
struct Slot {
    /// The last field that asked in vain. One that asks again takes the place: most others never come again.
    asked: u64,
    text: Vec<u8>,
    name: usize,
    value: usize,
    json: Vec<u8>,
}

/// A direct-mapped table. It only saves time: what it answers is what writing the field anew would.
pub(crate) struct RepeatedFields {
    slots: Box<[Slot]>,
    /// Room of all slots' texts together.
    held: usize,
    state: foldhash::fast::FixedState,
}

impl RepeatedFields {
    pub(crate) fn new() -> Self {
        Self {
            slots: (0..SLOTS).map(|_| Slot::default()).collect(),
            held: 0,
            state: foldhash::fast::FixedState::with_seed(3),
        }
    }

    /// The line of a field, unless it is too long or its value does not stand behind its name.
    pub(super) fn line<'a>(&self, head: &'a Head, name: Range, value: Range) -> Option<Line<'a>> {
        let text = head.text.get(name.start as usize..value.end as usize)?;
        let (name, value) = (name.end.checked_sub(name.start)?, value.start.checked_sub(name.end)?);
        let mut hash = self.state.build_hasher();
        hash.write(text.get(..text.len().min(LONGEST))?);
        hash.write_u32(name);
        let line = Line { text, name: name as usize, value: value as usize, hash: hash.finish() };
        (text.len() <= LONGEST).then_some(line)
    }

    /// What the field was written as.
    pub(super) fn get(&self, line: &Line<'_>) -> Option<&[u8]> {
        let slot = self.slots.get(place(line))?;
        let same = slot.text == line.text && (slot.name, slot.value) == (line.name, line.value);
        (same && !slot.json.is_empty()).then_some(slot.json.as_slice())
    }

    /// Remembers what the field was written as, when it came twice.
    pub(super) fn put(&mut self, line: &Line<'_>, json: &[u8]) {
        let Some(slot) = self.slots.get_mut(place(line)) else { return };
        if std::mem::replace(&mut slot.asked, line.hash) != line.hash {
            return;
        }
        let (before, room) = (slot.room(), line.text.len() + json.len());
        if self.held + room.saturating_sub(before) > MOST_BYTES {
            return;
        }
        (slot.name, slot.value) = (line.name, line.value);
        slot.text.clear();
        slot.text.extend_from_slice(line.text);
        slot.json.clear();
        slot.json.extend_from_slice(json);
        self.held = self.held + slot.room() - before;
    }
}

impl Slot {
    fn room(&self) -> usize {
        self.text.capacity() + self.json.capacity()
    }
}

fn place(line: &Line<'_>) -> usize {
    let [low, high, ..] = line.hash.to_le_bytes();
    usize::from(u16::from_le_bytes([low, high])) % SLOTS
}

/// The fields in front of the trailers whose name and value are known.
pub(super) fn fields(head: &Head) -> impl Iterator<Item = (Range, Range)> {
    let end = head.trailers_from.unwrap_or(head.fields.len());
    head.fields.iter().take(end).filter_map(|Field { name, value }| Some(((*name)?, (*value)?)))
}

impl std::fmt::Debug for RepeatedFields {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RepeatedFields(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(text: &[u8]) -> Head {
        Head { text: text.to_vec(), ..Head::default() }
    }

    const NAME: Range = Range { start: 0, end: 1 };
    const VALUE: Range = Range { start: 2, end: 4 };

    #[test]
    fn a_field_is_remembered_when_it_comes_again() {
        let (mut repeated, head) = (RepeatedFields::new(), head(b"a:bc"));
        let line = repeated.line(&head, NAME, VALUE).unwrap();
        repeated.put(&line, b"first");
        assert_eq!(repeated.get(&line), None);
        repeated.put(&line, b"second");
        assert_eq!(repeated.get(&line), Some(b"second".as_slice()));
    }

    #[test]
    fn the_same_bytes_with_another_boundary_are_another_field() {
        let (mut repeated, head) = (RepeatedFields::new(), head(b"a::c"));
        let line = repeated.line(&head, NAME, VALUE).unwrap();
        (0..2).for_each(|_| repeated.put(&line, b"x"));
        let longer_name =
            repeated.line(&head, Range { end: 2, ..NAME }, Range { start: 3, ..VALUE }).unwrap();
        let later_value = repeated.line(&head, NAME, Range { start: 3, ..VALUE }).unwrap();
        assert_eq!((repeated.get(&longer_name), repeated.get(&later_value)), (None, None));
    }

    #[test]
    fn many_fields_never_answer_for_each_other() {
        let mut repeated = RepeatedFields::new();
        for text in (0..20_000_u32).map(|n| (n / 2 % 3_000).to_be_bytes()) {
            let head = head(&text);
            let line = repeated.line(&head, NAME, VALUE).unwrap();
            assert!(repeated.get(&line).is_none_or(|json| json == text));
            repeated.put(&line, &text);
        }
    }

    #[test]
    fn the_longest_fields_take_no_more_than_their_room() {
        let mut repeated = RepeatedFields::new();
        let json = vec![b'x'; 1500];
        for number in 0..20_000_u32 {
            let text = [number.to_be_bytes().as_slice(), &[b'a'; 500]].concat();
            let head = head(&text);
            let line = repeated.line(&head, NAME, Range { start: 2, end: 504 }).unwrap();
            (0..2).for_each(|_| repeated.put(&line, &json));
        }
        let held: usize = repeated.slots.iter().map(Slot::room).sum();
        assert_eq!(held, repeated.held);
        // A text's room may be twice its length.
        assert!((MOST_BYTES / 2..MOST_BYTES + 8192).contains(&held), "{held}");
    }

    #[test]
    fn long_and_strange_fields_have_no_line() {
        let (repeated, long) = (RepeatedFields::new(), head(&[b'a'; 600]));
        assert!(repeated.line(&long, NAME, Range { start: 2, end: 600 }).is_none());
        assert!(repeated.line(&long, Range { start: 5, end: 6 }, Range { start: 0, end: 2 }).is_none());
        assert!(repeated.line(&long, NAME, Range { start: 2, end: 700 }).is_none());
    }
}
