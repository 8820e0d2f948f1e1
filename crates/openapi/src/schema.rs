//! Schemas, without their references: each knows others by number, so that circles cost nothing.

use crate::at::At;
use crate::limits::Limits;
use crate::reference::Documents;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Schemas of one description.
const MAX_SCHEMAS: usize = 1 << 20;
/// Schemas that are looked at for one step of a path: alternatives within alternatives.
const MAX_LOOKS: usize = 256;

/// Names a schema of a description.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SchemaId(u32);

/// Kinds of JSON values, as a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Kinds(u8);

impl Kinds {
    /// No kind at all; in a schema, none is said.
    pub const NONE: Self = Self(0);
    /// `null`.
    pub const NULL: Self = Self(1);
    /// `true` and `false`.
    pub const BOOLEAN: Self = Self(2);
    /// A number without fraction.
    pub const INTEGER: Self = Self(4);
    /// A number.
    pub const NUMBER: Self = Self(8);
    /// Text.
    pub const STRING: Self = Self(16);
    /// A list.
    pub const ARRAY: Self = Self(32);
    /// An object.
    pub const OBJECT: Self = Self(64);

    const NAMES: [(Self, &'static str); 7] = [
        (Self::NULL, "null"),
        (Self::BOOLEAN, "boolean"),
        (Self::INTEGER, "integer"),
        (Self::NUMBER, "number"),
        (Self::STRING, "string"),
        (Self::ARRAY, "array"),
        (Self::OBJECT, "object"),
    ];

    /// Those of both.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those of the first that the other lacks; an integer is a number.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        let other = if other.0 & Self::NUMBER.0 != 0 { other.0 | Self::INTEGER.0 } else { other.0 };
        Self(self.0 & !other)
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether all of the other are among these.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// As JSON Schema spells them.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES.into_iter().filter(move |(kind, _)| self.contains(*kind)).map(|(_, name)| name)
    }

    /// The kind of that name; `file`, of version 2.0, is text.
    fn of(name: &str) -> Self {
        match name {
            "file" => Self::STRING,
            name => {
                Self::NAMES.iter().find(|(_, known)| *known == name).map_or(Self::NONE, |(kind, _)| *kind)
            }
        }
    }
}

/// What is said of members that are not named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Rest {
    /// Nothing.
    #[default]
    Unsaid,
    /// There may be any.
    Allowed,
    /// There are none.
    Denied,
    /// They all have this schema: a map.
    Of(SchemaId),
}

/// What a value looks like.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Schema {
    /// Which kinds it may be; none where that is not said.
    pub kinds: Kinds,
    /// Such as `date-time`.
    pub format: Option<Box<str>>,
    /// Named members.
    pub properties: BTreeMap<Box<str>, SchemaId>,
    /// Members that are always there.
    pub required: BTreeSet<Box<str>>,
    /// Other members.
    pub rest: Rest,
    /// Elements.
    pub items: Option<SchemaId>,
    /// Schemas that hold, too.
    pub all: Vec<SchemaId>,
    /// Schemas of which some hold.
    pub any: Vec<SchemaId>,
    /// Whether one of them always does: they are alternatives, and no others are known.
    pub is_one_of_any: bool,
    /// What it says beyond kinds.
    pub limits: Limits,
    /// The only values, where they are text.
    pub values: Vec<Box<str>>,
    /// Whether it should not be used any more.
    pub deprecated: bool,
}

/// One step of a path into a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step<'a> {
    /// A member.
    Key(&'a str),
    /// Any member of a map.
    Value,
    /// Any element.
    Item,
}

/// What is described at a path into a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// It is described, with these kinds (none: any), and whether as one that should not be used any more.
    Known {
        /// Which kinds it may be.
        kinds: Kinds,
        /// Whether every schema of it says so.
        deprecated: bool,
    },
    /// Anything may be there.
    Open,
    /// It is not described.
    Missing,
}

/// Every schema of a description.
#[derive(Debug, Clone, Default)]
pub struct Schemas(Vec<Schema>);

impl Schemas {
    /// One of them.
    pub fn get(&self, id: SchemaId) -> Option<&Schema> {
        self.0.get(id.0 as usize)
    }

    /// What is described at a path from one of them.
    pub fn look<'a>(&self, from: SchemaId, path: impl IntoIterator<Item = Step<'a>>) -> Look {
        let mut here = vec![from];
        for step in path {
            let mut next = Vec::new();
            for schema in self.spread(&here) {
                match self.step(schema, step) {
                    Stepped::Open => return Look::Open,
                    Stepped::To(id) => next.push(id),
                    Stepped::Nowhere => {}
                }
            }
            if next.is_empty() {
                return Look::Missing;
            }
            here = next;
        }
        let found = self.spread(&here);
        let says_nothing =
            |schema: &&Schema| schema.kinds.is_empty() && schema.all.is_empty() && schema.any.is_empty();
        let any = found.iter().any(|schema| says_nothing(schema) && schema.values.is_empty());
        let kinds = found.iter().fold(Kinds::NONE, |sum, schema| sum.with(schema.kinds));
        let deprecated = !found.is_empty() && found.iter().all(|schema| schema.deprecated);
        Look::Known { kinds: if any { Kinds::NONE } else { kinds }, deprecated }
    }

    /// Members that every value has, from one schema.
    pub fn required(&self, from: SchemaId) -> BTreeSet<&str> {
        let mut found = BTreeSet::new();
        let mut stack = vec![from];
        let mut seen = BTreeSet::new();
        while let Some(schema) = stack.pop().filter(|id| seen.len() < MAX_LOOKS && seen.insert(*id)) {
            let Some(schema) = self.get(schema) else { continue };
            found.extend(schema.required.iter().map(|name| &**name));
            stack.extend(&schema.all);
        }
        found
    }

    /// Those schemas with all that hold beside them or instead of them.
    fn spread(&self, from: &[SchemaId]) -> Vec<&Schema> {
        let mut queue: VecDeque<SchemaId> = from.iter().copied().collect();
        let (mut seen, mut found) = (BTreeSet::new(), Vec::new());
        while let Some(id) = queue.pop_front() {
            if seen.len() >= MAX_LOOKS || !seen.insert(id) {
                continue;
            }
            let Some(schema) = self.get(id) else { continue };
            queue.extend(schema.all.iter().chain(&schema.any));
            found.push(schema);
        }
        found
    }

    fn step(&self, schema: &Schema, step: Step<'_>) -> Stepped {
        let plain = schema.properties.is_empty() && schema.items.is_none();
        let composed = !schema.all.is_empty() || !schema.any.is_empty();
        let to = match step {
            Step::Key(key) => schema.properties.get(key).copied(),
            Step::Value => schema.properties.values().next().copied(),
            Step::Item => schema.items,
        };
        let fits = match step {
            Step::Item => Kinds::ARRAY,
            Step::Key(_) | Step::Value => Kinds::OBJECT,
        };
        match (to, schema.rest) {
            (Some(id), _) => Stepped::To(id),
            (None, Rest::Of(id)) if step != Step::Item => Stepped::To(id),
            (None, Rest::Allowed) if step != Step::Item => Stepped::Open,
            // An object of which nothing is said may hold anything.
            (None, Rest::Unsaid)
                if plain && !composed && (schema.kinds.is_empty() || schema.kinds.contains(fits)) =>
            {
                Stepped::Open
            }
            _ => Stepped::Nowhere,
        }
    }
}

enum Stepped {
    To(SchemaId),
    Open,
    Nowhere,
}

/// Reads schemas, each once however often it is referred to. They wait in a queue: no depth of the document is a depth of
/// the stack.
#[derive(Default)]
pub(crate) struct SchemaReader<'d> {
    done: Vec<Schema>,
    known: BTreeMap<usize, SchemaId>,
    waiting: VecDeque<(SchemaId, At<'d>)>,
}

impl<'d> SchemaReader<'d> {
    /// The number of a schema, which is read later. `None`, with a fault, where its reference leads nowhere.
    pub(crate) fn id(&mut self, at: At<'d>, documents: &mut Documents<'d>) -> Option<SchemaId> {
        let at = documents.resolve(at)?;
        if let Some(id) = self.known.get(&at.name()) {
            return Some(*id);
        }
        if !at.node.is_object() && !at.node.is_boolean() {
            documents.fault(&at, "no schema: it has to be an object");
            return None;
        }
        if self.done.len() >= MAX_SCHEMAS {
            documents.fault(&at, "more than a million schemas");
            return None;
        }
        let id = SchemaId(u32::try_from(self.done.len()).unwrap_or(u32::MAX));
        self.done.push(Schema::default());
        self.known.insert(at.name(), id);
        self.waiting.push_back((id, at));
        Some(id)
    }

    /// A schema that stands nowhere in the document.
    pub(crate) fn made(&mut self, schema: Schema) -> SchemaId {
        let id = SchemaId(u32::try_from(self.done.len()).unwrap_or(u32::MAX));
        self.done.push(schema);
        id
    }

    /// Reads all that wait, and those they lead to.
    pub(crate) fn finish(mut self, documents: &mut Documents<'d>) -> Schemas {
        while let Some((id, at)) = self.waiting.pop_front() {
            let schema = self.read(&at, documents);
            if let Some(place) = self.done.get_mut(id.0 as usize) {
                *place = schema;
            }
        }
        Schemas(self.done)
    }

    fn read(&mut self, at: &At<'d>, documents: &mut Documents<'d>) -> Schema {
        let mut schema = Schema {
            kinds: kinds(at),
            format: at.text("format").map(Into::into),
            deprecated: at.is_true("deprecated"),
            rest: self.rest(at, documents),
            ..Schema::default()
        };
        for (key, property) in at.get("properties").iter().flat_map(At::members) {
            if let Some(id) = self.id(property, documents) {
                schema.properties.insert(key.into(), id);
            }
        }
        let required = at.node.get("required").and_then(Value::as_array);
        schema.required = required.into_iter().flatten().filter_map(Value::as_str).map(Into::into).collect();
        schema.items = at
            .get("items")
            .filter(|items| !items.node.is_array())
            .and_then(|items| self.id(items, documents));
        schema.all = self.several(at, &["allOf"], documents);
        schema.any = self.several(at, &["oneOf", "anyOf", "prefixItems"], documents);
        let open = ["prefixItems", "if", "discriminator"].iter().any(|key| at.get(key).is_some());
        let listed = ["oneOf", "anyOf"].iter().filter_map(|key| at.node.get(key)?.as_array()).map(Vec::len);
        schema.is_one_of_any = !open && schema.any.len() == listed.sum::<usize>();
        for part in ["then", "else"].iter().filter_map(|key| at.get(key)) {
            schema.any.extend(self.id(part, documents));
        }
        self.subtypes(at, &mut schema, documents);
        let constant = at.node.get("const").into_iter();
        let values = at.node.get("enum").and_then(Value::as_array).into_iter().flatten().chain(constant);
        schema.values = values.filter_map(Value::as_str).map(Into::into).collect();
        if schema.kinds.is_empty() {
            schema.kinds = implied(&schema);
        }
        if !schema.kinds.is_empty() && (at.is_true("nullable") || at.is_true("x-nullable")) {
            schema.kinds = schema.kinds.with(Kinds::NULL);
        }
        schema.limits = Limits::read(at, &schema, documents);
        schema
    }

    fn rest(&mut self, at: &At<'d>, documents: &mut Documents<'d>) -> Rest {
        if at.get("patternProperties").is_some() {
            return Rest::Allowed;
        }
        let Some(rest) = at.get("additionalProperties").or_else(|| at.get("unevaluatedProperties")) else {
            return Rest::Unsaid;
        };
        match rest.node {
            Value::Bool(true) => Rest::Allowed,
            Value::Bool(false) => Rest::Denied,
            Value::Object(members) if members.is_empty() => Rest::Allowed,
            _ => self.id(rest, documents).map_or(Rest::Allowed, Rest::Of),
        }
    }

    fn several(&mut self, at: &At<'d>, keys: &[&str], documents: &mut Documents<'d>) -> Vec<SchemaId> {
        let lists = keys.iter().filter_map(|key| at.get(key));
        let parts: Vec<At<'d>> = lists.flat_map(|list| list.items().collect::<Vec<_>>()).collect();
        parts.into_iter().filter_map(|part| self.id(part, documents)).collect()
    }

    /// What a discriminator names are further shapes; where it names none, they are not known.
    fn subtypes(&mut self, at: &At<'d>, schema: &mut Schema, documents: &mut Documents<'d>) {
        let Some(discriminator) = at.get("discriminator") else { return };
        let mut found = false;
        for (_, target) in discriminator.get("mapping").iter().flat_map(At::members) {
            let Some(reference) = target.node.as_str() else { continue };
            let name = format!("#/components/schemas/{reference}");
            let target = documents.target(at.file, reference).or_else(|_| documents.target(at.file, &name));
            let id = target.ok().and_then(|target| self.id(target, documents));
            found |= id.is_some();
            schema.any.extend(id);
        }
        if !found && schema.any.is_empty() && schema.rest == Rest::Unsaid {
            schema.rest = Rest::Allowed;
        }
    }
}

/// `type`, one or a list of them.
fn kinds(at: &At<'_>) -> Kinds {
    match at.node.get("type") {
        Some(Value::String(name)) => Kinds::of(name),
        Some(Value::Array(names)) => {
            names.iter().filter_map(Value::as_str).fold(Kinds::NONE, |sum, name| sum.with(Kinds::of(name)))
        }
        _ => Kinds::NONE,
    }
}

/// The kind that follows from what else is said.
fn implied(schema: &Schema) -> Kinds {
    match () {
        () if !schema.properties.is_empty() || matches!(schema.rest, Rest::Of(_) | Rest::Denied) => {
            Kinds::OBJECT
        }
        () if schema.items.is_some() => Kinds::ARRAY,
        () if !schema.values.is_empty() => Kinds::STRING,
        () => Kinds::NONE,
    }
}
