//! What is learned of one field of a schema.

use super::values::Values;
use crate::state::ClassMap;
use tapwire_inspect::classes::{ClassId, Column};
use tapwire_inspect::fields::{Bounds, Field, FieldList, Format, Formats, Kind, Kinds, Lengths, Step};

/// How often values of a field seemed to be of a data class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct ClassCount {
    /// The class's index in its registry.
    pub class: u16,
    /// The strongest score, in percent.
    pub score: u8,
    /// Bodies, or heads, that had such a value.
    pub bodies: u32,
    /// Values, candidates too; 0 where the place is free.
    pub values: u64,
    /// Of these, those that count by themselves.
    pub reported: u64,
}

/// Classes kept of one field: more would be a field of anything.
const MAX_CLASSES: usize = 3;

/// A field of a schema: all values at one path of all bodies. Counts are of values, unless they say otherwise.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct Node {
    /// The node it lies in; its own index for the outermost.
    pub parent: u16,
    /// How it lies there.
    pub step: Step,
    /// What its values were.
    pub kinds: Kinds,
    /// Whether its members are the entries of a map: their keys are data, and they are all one node, `{key}`.
    pub is_map: bool,
    /// Values.
    pub count: u64,
    /// Of these, `null`.
    pub nulls: u64,
    /// Of these, objects. A member with fewer values is optional.
    pub objects: u64,
    /// Of these, texts and numbers: data classes looked at so many.
    pub scalars: u64,
    /// Bodies, or heads, in which it came.
    pub bodies: u64,
    /// The formats that all its texts had.
    pub formats: Formats,
    /// Of its numbers.
    pub numbers: Bounds,
    /// Of its texts, in characters; of texts beyond 2,048 bytes, and of bytes, in bytes.
    pub lengths: Lengths,
    /// Of its arrays, in elements.
    pub items: Lengths,
    /// Data classes of its values.
    pub classes: [ClassCount; MAX_CLASSES],
    pub(super) name: Box<str>,
    pub(super) values: Values,
}

impl Node {
    pub(super) fn new(parent: u16, step: Step, name: &str) -> Self {
        Self {
            parent,
            step,
            kinds: Kinds::NONE,
            is_map: false,
            count: 0,
            nulls: 0,
            objects: 0,
            scalars: 0,
            bodies: 0,
            formats: Formats::ALL,
            numbers: Bounds::NONE,
            lengths: Lengths::NONE,
            items: Lengths::NONE,
            classes: [ClassCount::default(); MAX_CLASSES],
            name: name.into(),
            values: Values::of(step, name),
        }
    }

    /// Its name, at most 128 bytes; `{key}` for the entries of a map; empty for elements and documents. Content: it leaves
    /// only through redaction.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Bytes on the heap and its own.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + self.name.len() + self.values.bytes()
    }

    /// Takes in a field of a body; how many bytes it grew.
    pub(super) fn learn(&mut self, list: &FieldList, field: &Field) -> isize {
        self.kinds = self.kinds.or(field.kinds);
        self.count += u64::from(field.count);
        self.nulls += u64::from(field.nulls);
        self.objects += u64::from(field.objects);
        self.scalars += u64::from(field.scalars);
        self.bodies += u64::from(field.count > 0);
        self.formats = self.formats.and(field.formats);
        self.numbers.join(field.numbers);
        self.lengths.join(field.lengths);
        self.items.join(field.items);
        for hits in field.classes.iter().filter(|hits| hits.values > 0) {
            let values = hits.values.into();
            self.add_class(ClassCount {
                class: hits.class,
                score: hits.score,
                bodies: 1,
                values,
                reported: hits.reported.into(),
            });
        }
        if self.values.are_many() { 0 } else { self.values.learn(list, field) }
    }

    /// Takes in a node that turned out to be this one; how many bytes it grew.
    pub(super) fn absorb(&mut self, other: &Self) -> isize {
        self.kinds = self.kinds.or(other.kinds);
        self.is_map |= other.is_map;
        self.count += other.count;
        self.nulls += other.nulls;
        self.objects += other.objects;
        self.scalars += other.scalars;
        self.bodies += other.bodies;
        self.formats = self.formats.and(other.formats);
        self.numbers.join(other.numbers);
        self.lengths.join(other.lengths);
        self.items.join(other.items);
        other.classes.iter().filter(|count| count.values > 0).for_each(|count| self.add_class(*count));
        self.values.absorb(&other.values)
    }

    fn add_class(&mut self, count: ClassCount) {
        let place = self.classes.iter_mut().find(|known| known.values == 0 || known.class == count.class);
        if let Some(known) = place {
            known.class = count.class;
            known.score = known.score.max(count.score);
            known.bodies = known.bodies.saturating_add(count.bodies);
            known.values += count.values;
            known.reported += count.reported;
        }
    }

    /// Takes the numbers that its data classes have now; one that is none any more is forgotten.
    pub(super) fn restore(&mut self, classes: &ClassMap) {
        self.values.restore();
        for count in self.classes.iter_mut().filter(|count| count.values > 0) {
            match classes.get(count.class) {
                Some(class) => count.class = class,
                None => *count = ClassCount::default(),
            }
        }
        // A free place ends the list.
        self.classes.sort_by_key(|count| count.values == 0);
    }

    /// The data classes that it is tagged with: one that single values prove, or most values of the field together.
    pub fn data_classes(&self) -> impl Iterator<Item = ClassId> {
        let counts = self.classes.iter().filter(|count| count.values > 0);
        counts.filter_map(|count| {
            let class = ClassId::from_number(count.class)?;
            let column = Column {
                values: self.scalars,
                passed: count.values,
                reported: count.reported,
                messages: count.bodies.into(),
            };
            column.tags(class).then_some(class)
        })
    }

    /// The types of its values, as JSON Schema spells them, without `null`: see [`Node::is_nullable`]. `typed` says that the
    /// format has types: elsewhere everything is text, and what all texts look like is the type.
    pub fn types(&self, typed: bool) -> Vec<&'static str> {
        let mut types = Vec::new();
        for kind in self.kinds.iter() {
            let name = match kind {
                Kind::Null => continue,
                Kind::Boolean => "boolean",
                // An integer is a number, too.
                Kind::Integer if self.kinds.has(Kind::Number) => continue,
                Kind::Integer => "integer",
                Kind::Number => "number",
                Kind::Text if !typed => self.text_type(),
                Kind::Text | Kind::Bytes => "string",
                Kind::Object => "object",
                Kind::Array => "array",
            };
            if !types.contains(&name) {
                types.push(name);
            }
        }
        types
    }

    fn text_type(&self) -> &'static str {
        match self.formats.best() {
            Some(format @ (Format::Integer | Format::Number | Format::Boolean)) => format.name(),
            _ => "string",
        }
    }

    /// The format of its values, as OpenAPI's registry names it: of texts what they all look like, of integers how wide
    /// they are, `binary` of bytes.
    pub fn format(&self, typed: bool) -> Option<&'static str> {
        let types = self.types(typed);
        match types.as_slice() {
            ["integer"] if self.numbers.is_empty() => None,
            ["integer"] if self.numbers.least >= -2_147_483_648.0 && self.numbers.most <= 2_147_483_647.0 => {
                Some("int32")
            }
            ["integer"] => Some("int64"),
            ["number"] => Some("double"),
            ["string"] if self.kinds.has(Kind::Bytes) => Some("binary"),
            ["string"] => self
                .formats
                .best()
                .filter(|format| !matches!(format, Format::Integer | Format::Number | Format::Boolean))
                .map(Format::name),
            _ => None,
        }
    }

    /// Whether `null` came.
    pub const fn is_nullable(&self) -> bool {
        self.nulls > 0
    }

    /// Every text that came, sorted, where all are known: at most twelve, words or numbers of nobody. Content.
    pub fn all_texts(&self) -> Option<impl Iterator<Item = &str>> {
        (self.kinds.has(Kind::Text) && !self.values.are_many()).then(|| self.values.all())
    }

    /// The texts it is one of, sorted, where they are few for how many there were. Content: they leave only through
    /// redaction.
    pub fn choices(&self, typed: bool) -> Option<Vec<&str>> {
        let of_texts = self.types(typed) == ["string"] && self.format(typed).is_none();
        if of_texts { self.values.choices(self.count.saturating_sub(self.nulls)) } else { None }
    }
}
