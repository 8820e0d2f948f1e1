//! The field stream: what a parser tells of the values it passes, kept as one [`Field`] for each distinct path.
//!
//! A parser tells each value once, in the order of the body, with the text it has decoded: a value that came in pieces is
//! told when it is complete, so that every split of a body gives the same [`FieldList`]. A path that was met in this body
//! is found by its hash: no text is built, nothing is allocated.
//!
//! Data classes hook in here: [`Classes`] is asked for each path that was not met lately what its names say, and once for
//! each text and each number what it is. What it finds is counted in [`Field::classes`].

mod formats;
mod head;
mod list;
mod names;
mod positions;
mod prose;
mod standard;

pub use formats::{Format, Formats};
pub(crate) use head::HeadFields;
pub use list::{Bounds, ClassHits, Field, FieldIndex, FieldList, Kind, Kinds, Lengths, Step, push_step};

use crate::attempts::is_serialised;
use crate::classes::{ClassId, Classes, Seen};
use crate::ids::{IdKey, IdValue, MAX_IDS, is_entry};
use crate::made::Made;
use crate::payload::PathHash;
use list::Sample;
use names::NameClues;
use positions::Half;
use std::sync::Arc;

/// Fields kept of one body.
const MAX_FIELDS: usize = 512;
/// Bytes of names and samples kept of one body.
const MAX_TEXTS: usize = 24 << 10;
/// Slots of the table; a power of two, twice the fields.
const SLOTS: usize = 1024;
/// Slots looked at for one path, so that chosen collisions cost no more than this.
const PROBES: usize = 16;
/// Bytes kept of a name.
pub(crate) const MAX_NAME: usize = 128;
/// Bytes of a value that are looked at.
pub(crate) const VALUE_BYTES: usize = 256;
/// Texts with marks that programs read, bytes of one and of all.
const MAX_ODD: usize = 64;
pub(crate) const ODD_BYTES: usize = 2048;
const MAX_ODD_TEXTS: usize = 16 << 10;
/// Different texts kept of one field, and the longest of them.
const MAX_SAMPLES: u8 = 12;
const MAX_SAMPLE: usize = 32;

/// What everything that walks values is given beforehand.
#[derive(Debug, Clone)]
pub struct Equipment {
    /// The data classes that are looked for.
    pub(crate) classes: Arc<Classes>,
    /// What hashes identifiers.
    pub(crate) ids: IdKey,
    /// Whether texts with marks that programs read are kept, for who looks for attacks: of requests.
    pub(crate) odd: bool,
    /// Identifiers kept of one body.
    pub(crate) max_ids: usize,
}

/// Collects the fields of one body after the other; its table serves again.
pub(crate) struct Fields {
    /// Index of a field plus one; 0 is free.
    slots: Box<[u16; SLOTS]>,
    list: FieldList,
    /// A used list, whose memory the next body takes.
    spare: Option<Box<FieldList>>,
    clues: NameClues,
    ids: IdKey,
    /// Whether texts with marks that programs read are kept.
    odd: bool,
    max_ids: usize,
    /// The class of positions, and half of one that waits for the other.
    positions: Option<ClassId>,
    half: Option<Half>,
    /// Capacities that the last body needed.
    usual: (usize, usize, usize),
}

impl Default for Fields {
    fn default() -> Self {
        Self {
            slots: Box::new([0; SLOTS]),
            list: FieldList::default(),
            spare: None,
            clues: NameClues::default(),
            ids: IdKey::default(),
            odd: false,
            max_ids: MAX_IDS,
            positions: ClassId::of("geo"),
            half: None,
            usual: (0, 0, 0),
        }
    }
}

/// A field that is looked for.
#[derive(Clone, Copy)]
struct Wanted<'a> {
    parent: FieldIndex,
    hash: u64,
    step: Step,
    name: &'a [u8],
}

impl Fields {
    /// Looks for these data classes from now on, and hashes identifiers so.
    pub(crate) fn equip(&mut self, equipment: &Equipment) {
        self.clues.equip(&equipment.classes);
        (self.ids, self.max_ids) = (equipment.ids, equipment.max_ids);
        self.odd = equipment.odd;
    }

    /// Another document of the body begins.
    pub(crate) fn document(&mut self) -> FieldIndex {
        match self.list.fields.first() {
            Some(_) => FieldIndex(0),
            None => {
                let hash = PathHash::ROOT.get();
                let parent = FieldIndex(0);
                self.add(Wanted { parent, hash, step: Step::Document, name: b"" }).0
            }
        }
    }

    /// The document, where there is one.
    pub(crate) fn is_open(&self) -> Option<FieldIndex> {
        self.list.fields.first().map(|_| FieldIndex(0))
    }

    /// The member of that name, whose path has that hash; whether it is the first of them in this body.
    pub(crate) fn member(&mut self, parent: FieldIndex, path: PathHash, name: &[u8]) -> (FieldIndex, bool) {
        self.find(Wanted { parent, hash: path.get(), step: Step::Member, name })
    }

    /// The same for another step; what lies in no other has a `parent` that is nowhere.
    pub(crate) fn step(&mut self, parent: FieldIndex, path: PathHash, step: Step, name: &[u8]) -> FieldIndex {
        self.find(Wanted { parent, hash: path.get(), step, name }).0
    }

    /// The path and the name of a field of this body.
    pub(crate) fn known(&self, at: FieldIndex) -> Option<(PathHash, &[u8])> {
        let field = self.list.get(at)?;
        Some((PathHash::again(field.hash), self.list.name(field)))
    }

    /// A value that is `null`, a boolean, or the beginning of an object or an array.
    pub(crate) fn value(&mut self, at: FieldIndex, kind: Kind) {
        self.value_before(at, kind, self.list.ids.len());
    }

    /// The same, where so many identifiers stood before it and some of it was told.
    pub(crate) fn value_before(&mut self, at: FieldIndex, kind: Kind, ids: usize) {
        let Some(field) = self.field(at) else { return };
        field.kinds.add(kind);
        field.count += 1;
        field.nulls += u32::from(kind == Kind::Null);
        field.objects += u32::from(kind == Kind::Object);
        if kind == Kind::Object {
            self.begin(at, ids);
        }
    }

    /// Identifiers so far.
    pub(crate) const fn ids(&self) -> usize {
        self.list.ids.len()
    }

    /// Whether all identifiers are wanted, of every address and entry of a map too, and the object that each stands in.
    const fn is_counted(&self) -> bool {
        self.max_ids > MAX_IDS
    }

    /// Notes where among the identifiers an object stands, for who wants to know which of them belong together.
    fn begin(&mut self, at: FieldIndex, ids: usize) {
        if !self.is_counted() {
            return;
        }
        let list = &mut self.list;
        match u32::try_from(ids) {
            Ok(before) if list.begins.len() < self.max_ids => list.begins.push((at, before)),
            _ => list.ids_left_out = true,
        }
    }

    /// The member of that name was met at `at`, in an object at `around`: of a map its name may be what names somebody.
    pub(crate) fn key(&mut self, around: FieldIndex, at: FieldIndex, name: &[u8], len: usize) {
        if self.is_counted() && len == name.len() && is_entry(name) {
            self.keep_id(if at == FieldIndex::NOWHERE { around } else { at }, name, true);
        }
    }

    /// An object that is open will not come to its end.
    pub(crate) fn unended(&mut self, at: FieldIndex) {
        if let Some(field) = self.list.fields.get_mut(at.get()) {
            field.objects = field.objects.saturating_sub(1);
        }
    }

    /// An array whose elements lie at `at` ended: it had so many.
    pub(crate) fn items(&mut self, at: FieldIndex, items: usize) {
        self.array_ended(at, items);
        let array = self.list.get(at).map(|field| field.parent);
        if let Some(array) = array.and_then(|parent| self.list.fields.get_mut(parent.get())) {
            array.items.add(items);
        }
    }

    /// A number, as it is written, with its value where that is known.
    pub(crate) fn number(&mut self, at: FieldIndex, kind: Kind, digits: &[u8], value: Option<f64>) {
        let seen = Seen { text: digits, made: Made::of(digits), is_number: true, len: digits.len() as u64 };
        let Some(field) = self.scalar(at, kind) else { return };
        let (step, names) = (field.step, field.names);
        if let Some(number) = value.or_else(|| number(digits)) {
            field.numbers.add(number);
        }
        if names {
            self.identify(at, digits);
        }
        self.look(at, step, &seen);
    }

    /// A text of `len` bytes, of which `text` is the beginning: all of it, or at least 256 bytes.
    pub(crate) fn text(&mut self, at: FieldIndex, text: &[u8], len: usize) {
        let read = text;
        let text = text.get(..VALUE_BYTES).unwrap_or(text);
        let made = Made::of(text);
        let Some(field) = self.scalar(at, Kind::Text) else { return };
        field.lengths.add(characters(read, len));
        if !field.formats.is_empty() {
            field.formats = field.formats.and(Formats::of_made(text, len, made));
        }
        let (many, step, names) = (field.many, field.step, field.names);
        // Who counts persons wants every address, whatever its field is called.
        let counted = self.is_counted() && memchr::memchr(b'@', text).is_some();
        if (names || counted) && len == text.len() {
            self.identify(at, text);
        }
        if self.odd
            && (made.has(Made::ODD)
                || made.has(Made::SLASH) && made.has(Made::DOT | Made::COLON)
                || read.first() == Some(&b'/')
                || made.has(Made::OF_URI) && memchr::memchr(b'%', text).is_some()
                || len > VALUE_BYTES
                || is_serialised(read))
        {
            self.keep_odd(at, read, len);
        }
        let hit = self.look(at, step, &Seen { text, made, is_number: false, len: len as u64 });
        if !many {
            self.sample(at, text, !hit && len <= MAX_SAMPLE && !made.has(Made::NO_WORD));
        }
    }

    /// The same where everything is text: a number has bounds.
    pub(crate) fn untyped(&mut self, at: FieldIndex, text: &[u8], len: usize) {
        self.text(at, text, len);
        let Some(field) = self.list.fields.get_mut(at.get()) else { return };
        if field.formats.has(Format::Number)
            && let Some(number) = number(text)
        {
            field.numbers.add(number);
        }
    }

    /// A number that is not written in decimal.
    pub(crate) fn amount(&mut self, at: FieldIndex, kind: Kind, number: Option<f64>) {
        self.value(at, kind);
        if let (Some(number), Some(field)) = (number, self.list.fields.get_mut(at.get())) {
            field.numbers.add(number);
        }
    }

    /// The value that was told last is an object as well, such as an element of XML with attributes and text.
    pub(crate) fn is_object_too(&mut self, at: FieldIndex) {
        if let Some(field) = self.list.fields.get_mut(at.get()) {
            field.kinds.add(Kind::Object);
            field.objects += 1;
            self.begin(at, self.list.ids.len());
        }
    }

    /// Bytes that are no text, such as a file.
    pub(crate) fn bytes(&mut self, at: FieldIndex, len: u64) {
        self.value(at, Kind::Bytes);
        if let Some(field) = self.list.fields.get_mut(at.get()) {
            field.lengths.add(usize::try_from(len).unwrap_or(usize::MAX));
        }
    }

    /// Bytes that the open body has made it hold.
    pub(crate) fn held(&self) -> usize {
        self.list.bytes() - size_of::<FieldList>()
    }

    /// The list; `None` of an empty one. Ready for the next body.
    pub(crate) fn take(&mut self) -> Option<Box<FieldList>> {
        if self.list.fields.is_empty() && self.list.beyond == 0 {
            return None;
        }
        self.slots.fill(0);
        self.half = None;
        self.clues.end();
        let mut list = self.spare.take().unwrap_or_default();
        std::mem::swap(&mut self.list, &mut list);
        self.usual = (list.fields.len(), list.texts.len(), list.samples.len());
        list.order = list.fields.iter().fold(PathHash::ROOT.get(), |order, field| {
            (order ^ field.hash).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29)
        });
        Some(list)
    }

    /// Takes the memory of a list that nobody looks at any more.
    pub(crate) fn reuse(&mut self, mut list: Box<FieldList>) {
        list.clear();
        self.spare = Some(list);
    }

    /// A field to count a value in; a value whose field found no room is counted.
    fn field(&mut self, at: FieldIndex) -> Option<&mut Field> {
        if at == FieldIndex::NOWHERE {
            self.list.beyond = self.list.beyond.saturating_add(1);
        }
        self.list.fields.get_mut(at.get())
    }

    /// Counts a text or a number.
    #[inline]
    fn scalar(&mut self, at: FieldIndex, kind: Kind) -> Option<&mut Field> {
        let field = self.field(at)?;
        field.kinds.add(kind);
        field.count += 1;
        field.scalars += 1;
        Some(field)
    }

    /// Asks what a text or a number is; whether it is of a data class.
    #[inline]
    fn look(&mut self, at: FieldIndex, step: Step, seen: &Seen<'_>) -> bool {
        // A segment is named by the one before it.
        (step == Step::Segment || self.clues.may_take(at.get(), seen)) && self.take_in(at, seen)
    }

    #[inline(never)]
    fn take_in(&mut self, at: FieldIndex, seen: &Seen<'_>) -> bool {
        let Some(field) = self.list.fields.get(at.get()) else { return false };
        let mut hits = match field.step {
            Step::Segment => self.clues.look_at_segment(before(&self.list, field), seen),
            _ => self.clues.look(at.get(), seen),
        };
        if hits.list().is_empty() {
            return false;
        }
        let withheld = self.withhold(at, seen, &mut hits);
        if withheld && hits.list().is_empty() {
            return true;
        }
        if let Some(field) = self.list.fields.get_mut(at.get()) {
            field.take_in(&hits);
        }
        true
    }

    /// Keeps what a value names, as a hash.
    #[inline(never)]
    pub(crate) fn identify(&mut self, at: FieldIndex, text: &[u8]) {
        self.keep_id(at, text, false);
    }

    fn keep_id(&mut self, at: FieldIndex, text: &[u8], is_key: bool) {
        if self.list.ids.len() >= self.max_ids {
            self.list.ids_left_out = true;
        } else if let Some(hash) = self.ids.hash(text) {
            let number = if self.odd { crate::ids::number(text) } else { None };
            self.list.ids.push(IdValue { field: at, is_key, hash, number });
        }
    }

    /// Keeps a text with marks that programs read, for who looks for attacks in it.
    #[inline(never)]
    fn keep_odd(&mut self, at: FieldIndex, text: &[u8], len: usize) {
        let text = text.get(..ODD_BYTES).unwrap_or(text);
        let list = &mut self.list;
        list.odd_unread += u32::from(len > text.len());
        if list.odd.len() < MAX_ODD && list.odd_texts.len() + text.len() <= MAX_ODD_TEXTS {
            let start = u32::try_from(list.odd_texts.len()).unwrap_or(u32::MAX);
            list.odd_texts.extend_from_slice(text);
            list.odd.push((at, start, u32::try_from(text.len()).unwrap_or(0)));
        } else if len <= text.len() {
            list.odd_unread += 1;
        }
    }

    /// Keeps a short text that may be one of few. What seems to be of a data class is never `kept`.
    #[inline(never)]
    fn sample(&mut self, at: FieldIndex, text: &[u8], kept: bool) {
        let list = &mut self.list;
        let Some(field) = list.fields.get_mut(at.get()) else { return };
        if !kept {
            field.many = true;
            return;
        }
        let hash = PathHash::ROOT.text(text).short();
        let mut next = field.sample;
        while let Some(known) = next.checked_sub(1).and_then(|at| list.samples.get(usize::from(at))) {
            if known.hash == hash {
                return;
            }
            next = known.before;
        }
        if field.samples >= MAX_SAMPLES || list.texts.len() + text.len() > MAX_TEXTS {
            field.many = true;
            return;
        }
        let start = u32::try_from(list.texts.len()).unwrap_or(u32::MAX);
        list.texts.extend_from_slice(text);
        let len = u8::try_from(text.len()).unwrap_or(0);
        list.samples.push(Sample { start, hash, before: field.sample, len });
        field.sample = u16::try_from(list.samples.len()).unwrap_or(0);
        field.samples += 1;
    }

    fn find(&mut self, wanted: Wanted<'_>) -> (FieldIndex, bool) {
        for probe in 0..PROBES {
            let Some(slot) = self.slots.get(slot_of(wanted.hash, probe)) else { break };
            let Some(index) = slot.checked_sub(1) else { return self.add(wanted) };
            if self.list.fields.get(usize::from(index)).is_some_and(|field| field.hash == wanted.hash) {
                return (FieldIndex(index), false);
            }
        }
        (FieldIndex::NOWHERE, true)
    }

    /// Makes a field of a path that is not there, where there is room and its parent is known.
    fn add(&mut self, wanted: Wanted<'_>) -> (FieldIndex, bool) {
        let list = &mut self.list;
        let index = list.fields.len();
        if index == 0 {
            list.fields.reserve_exact(self.usual.0);
            list.texts.reserve_exact(self.usual.1);
            list.samples.reserve_exact(self.usual.2);
        }
        let own = wanted.name.get(..MAX_NAME).unwrap_or(wanted.name);
        let nested = matches!(wanted.step, Step::Member | Step::Element | Step::Attribute);
        let orphan = nested && wanted.parent == FieldIndex::NOWHERE;
        if index >= MAX_FIELDS || list.texts.len() + own.len() > MAX_TEXTS || orphan {
            return (FieldIndex::NOWHERE, true);
        }
        let name = match list.get(wanted.parent) {
            Some(array) if wanted.step == Step::Element => array.name,
            _ => {
                let start = u32::try_from(list.texts.len()).unwrap_or(u32::MAX);
                list.texts.extend_from_slice(own);
                (start, u16::try_from(own.len()).unwrap_or(0))
            }
        };
        let at = FieldIndex(u16::try_from(index).unwrap_or(u16::MAX));
        let parent = if wanted.parent == FieldIndex::NOWHERE || index == 0 { at } else { wanted.parent };
        let mut field = field(wanted, parent, name);
        if wanted.step != Step::Segment {
            let operator;
            (field.names, operator) = self.clues.field(wanted.hash, above(list, &field), list.name(&field));
            list.operators |= operator;
        } else {
            self.clues.field(0, b"", b"");
        }
        list.fields.push(field);
        self.remember(wanted.hash, at);
        (at, true)
    }

    fn remember(&mut self, hash: u64, at: FieldIndex) {
        for probe in 0..PROBES {
            let Some(slot) = self.slots.get_mut(slot_of(hash, probe)) else { return };
            if *slot == 0 {
                *slot = at.0 + 1;
                return;
            }
        }
    }
}

/// How long a text is: in characters where all of it is kept however it came, else in bytes.
fn characters(text: &[u8], len: usize) -> usize {
    let goes_on = |byte: &&u8| **byte & 0xc0 == 0x80;
    if len == text.len() && len <= ODD_BYTES { len - text.iter().filter(goes_on).count() } else { len }
}

fn field(wanted: Wanted<'_>, parent: FieldIndex, name: (u32, u16)) -> Field {
    Field {
        names: wanted.step == Step::Segment,
        hash: wanted.hash,
        parent,
        step: wanted.step,
        kinds: Kinds::NONE,
        count: 0,
        nulls: 0,
        objects: 0,
        scalars: 0,
        formats: Formats::ALL,
        numbers: Bounds::NONE,
        lengths: Lengths::NONE,
        items: Lengths::NONE,
        classes: [ClassHits::default(); 3],
        name,
        sample: 0,
        samples: 0,
        // What cookies hold is often a secret, and never a choice of few.
        many: wanted.step == Step::Cookie,
    }
}

/// A number in decimal, as it stands in paths and in JSON, where there is room for it.
pub(crate) fn digits<const ROOM: usize>(mut number: u64, room: &mut [u8; ROOM]) -> &[u8] {
    let mut at = room.len();
    for slot in room.iter_mut().rev() {
        *slot = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
        at -= 1;
        if number == 0 {
            break;
        }
    }
    room.get(at..).unwrap_or_default()
}

/// The name of what lies around a field. Elements bear the name of their array, so that one with another name does.
fn above<'a>(list: &'a FieldList, field: &Field) -> &'a [u8] {
    let mut above = list.get(field.parent);
    while let Some(parent) = above
        && parent.name == field.name
    {
        let next = list.get(parent.parent);
        above = next.filter(|next| !std::ptr::eq(*next, parent));
    }
    above.map(|parent| list.name(parent)).unwrap_or_default()
}

/// What a segment is, the one before it says.
fn before<'a>(list: &'a FieldList, field: &Field) -> &'a [u8] {
    let before = list.get(field.parent).filter(|before| before.hash != field.hash);
    before.and_then(|before| list.samples(before).next()).unwrap_or_default()
}

/// The low bits choose the slot.
#[allow(clippy::cast_possible_truncation, reason = "only the low bits are wanted")]
const fn slot_of(hash: u64, probe: usize) -> usize {
    (hash as usize).wrapping_add(probe) % SLOTS
}

/// A decimal number. Those of at most 15 digits, which nearly all are, need no parser.
fn number(digits: &[u8]) -> Option<f64> {
    let plain = digits.strip_prefix(b"-").unwrap_or(digits);
    let (mut whole, mut fraction, mut point) = (0_u64, 0, 0);
    for byte in plain {
        match byte {
            b'0'..=b'9' => {
                whole = whole.wrapping_mul(10).wrapping_add(u64::from(byte - b'0'));
                fraction += point;
            }
            b'.' if point == 0 => point = 1,
            _ => return parsed(digits),
        }
    }
    if plain.len() > MAX_EXACT || plain.len() == point {
        return parsed(digits);
    }
    quotient(whole, fraction, plain.len() < digits.len())
}

/// Bytes of a decimal number that may be read as a quotient.
pub(crate) const MAX_EXACT: usize = 15;

/// A number of at most 15 digits: they and the power of ten are exact, so that their quotient is the nearest there is.
pub(crate) fn quotient(whole: u64, fraction: usize, negative: bool) -> Option<f64> {
    const POWERS: [f64; 16] =
        [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];
    #[allow(clippy::cast_precision_loss, reason = "of 15 digits nothing is lost")]
    let number = whole as f64 / POWERS.get(fraction)?;
    Some(if negative { -number } else { number })
}

fn parsed(digits: &[u8]) -> Option<f64> {
    std::str::from_utf8(digits).ok()?.parse().ok().filter(|number: &f64| number.is_finite())
}

#[cfg(test)]
pub(crate) mod tests;
