//! What was found of the fields of one body, or of a head.

use super::Formats;
use crate::classes::{ClassId, Hit, Hits, REPORTED};
use crate::ids::{IdValue, is_entry};

/// Names a field of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FieldIndex(pub(super) u16);

impl FieldIndex {
    /// No field: there was no room.
    pub(crate) const NOWHERE: Self = Self(u16::MAX);

    /// The place in [`FieldList::fields`].
    pub const fn get(self) -> usize {
        self.0 as usize
    }
}

/// How one field lies in another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub enum Step {
    /// A document: the outermost field of a body.
    Document,
    /// The member of an object with that name, or a child element in XML.
    Member,
    /// The elements of an array, all of them.
    Element,
    /// An attribute in XML.
    Attribute,
    /// A segment of the path; its name is its number from 0.
    Segment,
    /// A parameter of the query string.
    Query,
    /// A header field, its name in lower case.
    Header,
    /// A cookie.
    Cookie,
}

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `null`.
    Null,
    /// `true` or `false`.
    Boolean,
    /// A number without fraction and exponent.
    Integer,
    /// Another number.
    Number,
    /// A text. In forms, XML, URLs and headers everything is: what it looks like tells [`Formats`].
    Text,
    /// Members.
    Object,
    /// Elements.
    Array,
    /// Bytes that are no text, such as a file.
    Bytes,
}

impl Kind {
    /// Every kind, in the order of their bits.
    pub const ALL: [Self; 8] = [
        Self::Null,
        Self::Boolean,
        Self::Integer,
        Self::Number,
        Self::Text,
        Self::Object,
        Self::Array,
        Self::Bytes,
    ];
}

/// A set of kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, serde::Serialize, serde::Deserialize)]
pub struct Kinds(u8);

impl Kinds {
    /// None.
    pub const NONE: Self = Self(0);

    /// Whether a kind is among them.
    pub const fn has(self, kind: Kind) -> bool {
        self.0 & 1 << kind as u8 != 0
    }

    /// Adds a kind.
    pub const fn add(&mut self, kind: Kind) {
        self.0 |= 1 << kind as u8;
    }

    /// Those that one of both has.
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// All of them, in the order of [`Kind::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Kind> {
        Kind::ALL.into_iter().filter(move |kind| self.has(*kind))
    }
}

/// The smallest and the largest of several numbers.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Bounds {
    /// The smallest; above the largest where there was none.
    pub least: f64,
    /// The largest.
    pub most: f64,
}

// No number that JSON can write is NaN.
impl Eq for Bounds {}

impl Bounds {
    /// Of no number.
    pub const NONE: Self = Self { least: f64::INFINITY, most: f64::NEG_INFINITY };

    /// Takes in a number.
    pub const fn add(&mut self, number: f64) {
        self.join(Self { least: number, most: number });
    }

    /// Takes in the numbers of another.
    pub const fn join(&mut self, other: Self) {
        self.least = self.least.min(other.least);
        self.most = self.most.max(other.most);
    }

    /// Whether there was none.
    pub fn is_empty(self) -> bool {
        self.least > self.most
    }
}

/// The smallest and the largest of several lengths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Lengths {
    /// The smallest; above the largest where there was none.
    pub least: u32,
    /// The largest.
    pub most: u32,
}

impl Lengths {
    /// Of nothing.
    pub const NONE: Self = Self { least: u32::MAX, most: 0 };

    /// Takes in a length.
    pub fn add(&mut self, len: usize) {
        let len = u32::try_from(len).unwrap_or(u32::MAX);
        self.join(Self { least: len, most: len });
    }

    /// Takes in the lengths of another.
    pub fn join(&mut self, other: Self) {
        self.least = self.least.min(other.least);
        self.most = self.most.max(other.most);
    }

    /// Whether there was nothing.
    pub const fn is_empty(self) -> bool {
        self.least > self.most
    }
}

/// How often values of a field seemed to be of a data class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ClassHits {
    /// The class's index in its registry.
    pub class: u16,
    /// The strongest score, in percent.
    pub score: u8,
    /// Values, candidates too; 0 where the place is free.
    pub values: u32,
    /// Of these, those that count by themselves.
    pub reported: u32,
    /// Of these, those that are published for tests.
    pub tests: u32,
}

/// A field: what all values at one path of a body, or of a head, have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// A hash of its path, the same in every body: to find it again, not to prove it.
    pub hash: u64,
    /// The field it lies in; for a path segment, the one before it. Its own index for the outermost.
    pub parent: FieldIndex,
    /// How it lies there.
    pub step: Step,
    /// What its values are.
    pub kinds: Kinds,
    /// Values.
    pub count: u32,
    /// Of these, `null`.
    pub nulls: u32,
    /// Of these, objects that were seen to their end: a member that came in fewer of them is optional.
    pub objects: u32,
    /// Of these, texts and numbers: data classes looked at so many.
    pub scalars: u32,
    /// The formats that all its texts have.
    pub formats: Formats,
    /// Of its numbers, and of texts that are numbers where everything is text.
    pub numbers: Bounds,
    /// Of its texts, in characters; of texts beyond 2,048 bytes, and of bytes, in bytes.
    pub lengths: Lengths,
    /// Of its arrays, in elements.
    pub items: Lengths,
    /// Data classes of its values.
    pub classes: [ClassHits; 3],
    /// Where its name lies, and where the sample of it that was taken last.
    pub(super) name: (u32, u16),
    pub(super) sample: u16,
    pub(super) samples: u8,
    /// Whether its name says that its values name something.
    pub names: bool,
    /// Whether it had texts of which none was kept, or more different ones than are kept.
    pub many: bool,
}

impl Field {
    /// The place of what matters least, emptied for something that matters more.
    fn less_than(&mut self, hit: &Hit) -> Option<&mut ClassHits> {
        let sensitivity = |class: u16| ClassId::from_number(class)?.builtin().map(|class| class.sensitivity);
        let matters = |reported: bool, class: u16| (reported, sensitivity(class));
        let weight = |slot: &ClassHits| matters(slot.reported > 0, slot.class);
        let least = self.classes.iter_mut().min_by_key(|slot| weight(slot))?;
        let more = matters(hit.score >= REPORTED, hit.class.get()) > weight(least);
        if more {
            *least = ClassHits::default();
        }
        more.then_some(least)
    }

    pub(super) fn take_in(&mut self, hits: &Hits) {
        for hit in hits.list() {
            let class = hit.class.get();
            let free = |slot: &ClassHits| slot.values == 0 || slot.class == class;
            let slot = match self.classes.iter().position(free) {
                Some(at) => self.classes.get_mut(at),
                None => self.less_than(hit),
            };
            if let Some(slot) = slot {
                slot.class = class;
                slot.score = slot.score.max(hit.score);
                slot.values += 1;
                slot.reported += u32::from(hit.score >= REPORTED);
                slot.tests += u32::from(hit.is_test);
            }
        }
    }
}

/// A short text that a field had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sample {
    pub(super) start: u32,
    pub(super) hash: u32,
    /// The one taken before it of the same field, plus one.
    pub(super) before: u16,
    pub(super) len: u8,
}

/// The fields of one body, or of a head, each behind the one it lies in. Its `Debug` shows how many.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct FieldList {
    pub(super) fields: Vec<Field>,
    /// Names and samples.
    pub(super) texts: Vec<u8>,
    pub(super) samples: Vec<Sample>,
    pub(super) beyond: u32,
    pub(super) order: u64,
    pub(super) ids: Vec<IdValue>,
    /// Objects, each with the number of identifiers before it; only where all are counted.
    pub(super) begins: Vec<(FieldIndex, u32)>,
    /// Whether identifiers found no room.
    pub(super) ids_left_out: bool,
    /// Field, start and length of texts with marks that programs read.
    pub(super) odd: Vec<(FieldIndex, u32, u32)>,
    pub(super) odd_texts: Vec<u8>,
    /// Such texts that found no room, or go on behind what is kept.
    pub(super) odd_unread: u32,
    /// Whether a name has a `$` in it.
    pub(super) operators: bool,
}

impl std::fmt::Debug for FieldList {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "FieldList({} fields, {} beyond)", self.fields.len(), self.beyond)
    }
}

impl FieldList {
    /// All of them: a field's parent comes before it.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// Bytes that it takes.
    pub fn bytes(&self) -> usize {
        size_of::<Self>()
            + self.fields.capacity() * size_of::<Field>()
            + self.texts.capacity()
            + self.samples.capacity() * size_of::<Sample>()
            + self.ids.capacity() * size_of::<IdValue>()
            + self.begins.capacity() * size_of::<(FieldIndex, u32)>()
            + self.odd.capacity() * size_of::<(FieldIndex, u32, u32)>()
            + self.odd_texts.capacity()
    }

    /// Empties it, and keeps its memory.
    pub(super) fn clear(&mut self) {
        let Self {
            fields, texts, samples, beyond, order, ids, odd, odd_texts, operators, odd_unread, ..
        } = self;
        (*beyond, *order, *operators, *odd_unread) = (0, 0, false, 0);
        self.ids_left_out = false;
        self.begins.clear();
        fields.clear();
        texts.clear();
        samples.clear();
        ids.clear();
        odd.clear();
        odd_texts.clear();
    }

    /// Values that name something, in the order they came, at most as many as the configuration says, usually 128.
    pub fn ids(&self) -> &[IdValue] {
        &self.ids
    }

    /// Where all identifiers are counted, the objects of the body, each with how many of [`FieldList::ids`] stand before it.
    /// Most formats tell an object where it begins, XML where it ends: of two identifiers with none of a field's objects
    /// between them, both belong to the same one.
    pub fn objects(&self) -> &[(FieldIndex, u32)] {
        &self.begins
    }

    /// Whether identifiers found no room among [`FieldList::ids`].
    pub const fn leaves_out_ids(&self) -> bool {
        self.ids_left_out
    }

    /// Texts with marks that programs read that are not among [`FieldList::odd`], or not whole.
    pub const fn unread(&self) -> u32 {
        self.odd_unread
    }

    /// Texts with marks that programs read, each with its field: at most 64, 2,048 bytes of each. Content.
    pub fn odd(&self) -> impl Iterator<Item = (&Field, &[u8])> {
        self.odd.iter().filter_map(|(at, start, len)| {
            let start = *start as usize;
            Some((self.get(*at)?, self.odd_texts.get(start..start + *len as usize)?))
        })
    }

    /// Leaves out these texts, and numbers of identifiers: of answers nobody asks for them.
    pub(crate) fn forget_odd(&mut self) {
        self.ids.iter_mut().for_each(|id| id.number = None);
        (self.odd, self.odd_texts, self.odd_unread) = (Vec::new(), Vec::new(), 0);
    }

    /// Whether a field's name has a `$` in it, as operators of databases do.
    pub const fn has_operators(&self) -> bool {
        self.operators
    }

    /// A field by its index.
    pub fn get(&self, index: FieldIndex) -> Option<&Field> {
        self.fields.get(index.get())
    }

    /// The indices of all fields, in their order.
    pub fn indices(&self) -> impl DoubleEndedIterator<Item = FieldIndex> + use<> {
        let end = u16::try_from(self.fields.len()).unwrap_or(u16::MAX);
        (0..end).map(FieldIndex)
    }

    /// Whether the name of a member is an e-mail address, a number or a UUID, as the keys of maps are.
    pub fn is_entry(&self, at: FieldIndex) -> bool {
        self.get(at).is_some_and(|field| field.step == Step::Member && is_entry(self.name(field)))
    }

    /// Values whose field found no room.
    pub const fn beyond(&self) -> u32 {
        self.beyond
    }

    /// A hash of all paths in their order: two lists that share it have the same fields in the same places.
    pub const fn order(&self) -> u64 {
        self.order
    }

    /// The field's own name, at most 128 bytes; of elements, the array's. Content: it leaves only through redaction.
    pub fn name(&self, field: &Field) -> &[u8] {
        self.slice(field.name)
    }

    pub(super) fn slice(&self, (start, len): (u32, u16)) -> &[u8] {
        let start = start as usize;
        self.texts.get(start..start + usize::from(len)).unwrap_or_default()
    }

    /// Short texts that the field had, each once, the latest first. All of them unless [`Field::many`]. Content.
    pub fn samples(&self, field: &Field) -> impl Iterator<Item = &[u8]> {
        let sample = |at: u16| self.samples.get(usize::from(at.checked_sub(1)?));
        let first = sample(field.sample);
        let all = std::iter::successors(first, move |last| sample(last.before));
        all.map(|sample| self.slice((sample.start, sample.len.into())))
    }

    /// Names members that have numbers for names, as those of protobuf, by what describes them: `name` is given the numbers
    /// that lead to one.
    pub(crate) fn name_numbers(&mut self, name: impl Fn(&[u32]) -> Option<String>) {
        let mut paths: Vec<Vec<u32>> = Vec::with_capacity(self.fields.len());
        for at in 0..self.fields.len() {
            let Some(field) = self.fields.get(at) else { return };
            let mut path = paths.get(field.parent.get()).cloned().unwrap_or_default();
            let number = std::str::from_utf8(self.name(field)).ok().and_then(|text| text.parse::<u32>().ok());
            path.extend(number.filter(|_| field.step == Step::Member));
            if field.step == Step::Member
                && let Some(name) = name(&path)
            {
                let (start, len) = (self.texts.len(), name.len().min(super::MAX_NAME));
                self.texts.extend_from_slice(name.as_bytes().get(..len).unwrap_or_default());
                if let Some(field) = self.fields.get_mut(at) {
                    field.name = (u32::try_from(start).unwrap_or(0), u16::try_from(len).unwrap_or(0));
                }
            }
            paths.push(path);
        }
    }

    /// The path as events write it: `$.card.number`, `$.items[].sku`, `query.page`. Content.
    pub fn path(&self, field: &Field) -> String {
        let mut steps = vec![field];
        // A parent comes before its children, so that this ends. Segments name themselves.
        while let Some(last) = steps.last().filter(|last| last.step != Step::Segment)
            && let Some(parent) = self.get(last.parent).filter(|parent| !std::ptr::eq(*last, *parent))
        {
            steps.push(parent);
        }
        let mut path = String::new();
        for step in steps.into_iter().rev() {
            let name = String::from_utf8_lossy(self.name(step));
            push_step(&mut path, step.step, &name);
        }
        path
    }
}

/// Adds a step to a path's text. Names that are no plain word stand in brackets and quotes, as in RFC 9535.
pub fn push_step(path: &mut String, step: Step, name: &str) {
    match step {
        Step::Document => path.push('$'),
        Step::Element => path.push_str("[]"),
        Step::Segment => path.push_str("path."),
        Step::Query => path.push_str("query."),
        Step::Header => path.push_str("header."),
        Step::Cookie => path.push_str("cookie."),
        Step::Attribute => path.push_str(".@"),
        Step::Member => {}
    }
    let plain = !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-') || byte >= 0x80);
    match step {
        Step::Document | Step::Element => {}
        Step::Member if plain => {
            path.push('.');
            path.push_str(name);
        }
        Step::Member => {
            path.push_str("['");
            path.push_str(&name.replace('\\', "\\\\").replace('\'', "\\'"));
            path.push_str("']");
        }
        _ => path.push_str(name),
    }
}
