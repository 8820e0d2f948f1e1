//! What a schema says of values beyond their kinds: formats, choices, bounds, and members that are always there.
//!
//! Of alternatives, what one of them allows is allowed; where it is not certain which of them hold, nothing is asked for. So
//! a value that breaks what is found here breaks the description.

use crate::at::At;
use crate::reference::Documents;
use crate::schema::{Kinds, Rest, Schema, SchemaId, Schemas, Step};
use serde_json::Value;
use std::collections::BTreeSet;

/// Schemas that are looked at for one path.
const MAX_WALKED: usize = 256;

/// The end of a range.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bound {
    /// Where it is.
    pub at: f64,
    /// Whether that value itself is outside.
    pub excluded: bool,
}

// No number that JSON can write is NaN.
impl Eq for Bound {}

/// From where to where values go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Range {
    /// The smallest.
    pub least: Option<Bound>,
    /// The largest.
    pub most: Option<Bound>,
}

impl Range {
    /// Whether a value is below all that are allowed.
    pub fn is_above(&self, value: f64) -> bool {
        self.least.is_some_and(|bound| value < bound.at || bound.excluded && value <= bound.at)
    }

    /// Whether a value is beyond all that are allowed.
    pub fn is_below(&self, value: f64) -> bool {
        self.most.is_some_and(|bound| value > bound.at || bound.excluded && value >= bound.at)
    }

    /// What both allow.
    fn and(self, other: Self) -> Self {
        Self {
            least: either(self.least, other.least, |one, two| if inner(one, two, 1.0) { one } else { two }),
            most: either(self.most, other.most, |one, two| if inner(one, two, -1.0) { one } else { two }),
        }
    }

    /// What one of both allows.
    fn or(self, other: Self) -> Self {
        Self {
            least: both(self.least, other.least, |one, two| if inner(one, two, 1.0) { two } else { one }),
            most: both(self.most, other.most, |one, two| if inner(one, two, -1.0) { two } else { one }),
        }
    }
}

/// Whether the first of two bounds allows less, where values go `up` from it.
fn inner(one: Bound, two: Bound, up: f64) -> bool {
    let (first, second) = (one.at * up, two.at * up);
    first > second || first >= second && one.excluded
}

fn either<T>(one: Option<T>, two: Option<T>, narrower: impl FnOnce(T, T) -> T) -> Option<T> {
    match (one, two) {
        (Some(one), Some(two)) => Some(narrower(one, two)),
        (one, two) => one.or(two),
    }
}

fn both<T>(one: Option<T>, two: Option<T>, wider: impl FnOnce(T, T) -> T) -> Option<T> {
    Some(wider(one?, two?))
}

/// What is said of texts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Texts {
    /// Formats of which each has one; none where that is not said.
    pub formats: BTreeSet<Box<str>>,
    /// The only ones.
    pub values: Option<BTreeSet<Box<str>>>,
    /// Characters.
    pub lengths: Range,
}

impl Texts {
    fn and(self, other: Self) -> Self {
        let common =
            |one: BTreeSet<Box<str>>, two| one.into_iter().filter(|value| is_in(&two, value)).collect();
        Self {
            formats: if self.formats.is_empty() { other.formats } else { self.formats },
            values: either(self.values, other.values, common),
            lengths: self.lengths.and(other.lengths),
        }
    }

    fn or(self, other: Self) -> Self {
        Self {
            formats: wider(self.formats, other.formats),
            values: both(self.values, other.values, |one, two| one.into_iter().chain(two).collect()),
            lengths: self.lengths.or(other.lengths),
        }
    }
}

fn is_in(values: &BTreeSet<Box<str>>, value: &str) -> bool {
    values.contains(value)
}

/// Formats, of which none means any.
fn wider(one: BTreeSet<Box<str>>, two: BTreeSet<Box<str>>) -> BTreeSet<Box<str>> {
    if one.is_empty() || two.is_empty() { BTreeSet::new() } else { one.into_iter().chain(two).collect() }
}

/// What is said of numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Numbers {
    /// Formats of which each has one; none where that is not said.
    pub formats: BTreeSet<Box<str>>,
    /// Values; with choices, from the smallest to the largest of them.
    pub values: Range,
}

/// What a schema says of values beyond their kinds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Limits {
    /// Which kinds they may be; none where that is not said.
    pub kinds: Kinds,
    /// Of texts.
    pub texts: Texts,
    /// Of numbers.
    pub numbers: Numbers,
    /// Of arrays, how many elements.
    pub items: Range,
    /// Of objects, members that are always there.
    pub required: BTreeSet<Box<str>>,
    /// Of objects, members that are sent and never answered, whatever is required.
    pub only_written: BTreeSet<Box<str>>,
}

impl Limits {
    /// Whether values may be of one of these kinds.
    pub fn may_be(&self, kinds: Kinds) -> bool {
        self.kinds.is_empty() || !kinds.without(self.kinds).contains(kinds)
    }

    /// What a schema says by itself.
    pub(crate) fn read(at: &At<'_>, schema: &Schema, documents: &Documents<'_>) -> Self {
        let number = |key: &str| at.node.get(key).and_then(Value::as_f64);
        let range = |least: &str, most: &str| {
            let bound = |key| Some(Bound { at: number(key)?, excluded: false });
            Range { least: bound(least), most: bound(most) }
        };
        // A number in JSON Schema since draft 6, before it a word about `minimum`.
        let excluded = |bound: Option<Bound>, key: &str| {
            let strict = number(key).map(|at| Bound { at, excluded: true });
            let own = bound.map(|bound| Bound { excluded: at.is_true(key), ..bound });
            (own, strict)
        };
        let plain = range("minimum", "maximum");
        let (least, above) = excluded(plain.least, "exclusiveMinimum");
        let (most, below) = excluded(plain.most, "exclusiveMaximum");
        let values = Range { least, most }.and(Range { least: above, most: below });
        let formats: BTreeSet<Box<str>> = at.text("format").map(Into::into).into_iter().collect();
        let choices = choices(at);
        Self {
            kinds: schema.kinds,
            texts: Texts {
                formats: formats.clone(),
                values: choices.as_deref().map(texts),
                lengths: range("minLength", "maxLength"),
            },
            numbers: Numbers {
                formats,
                values: choices.as_deref().map_or(values, |all| values.and(span(all))),
            },
            items: range("minItems", "maxItems"),
            required: schema.required.clone(),
            only_written: only_written(at, documents),
        }
    }

    fn and(self, other: Self) -> Self {
        let kinds = match (self.kinds.is_empty(), other.kinds.is_empty()) {
            (true, _) => other.kinds,
            (_, true) => self.kinds,
            _ => {
                let common = self.kinds.without(self.kinds.without(other.kinds));
                if common.is_empty() { self.kinds } else { common }
            }
        };
        Self {
            kinds,
            texts: self.texts.and(other.texts),
            numbers: Numbers {
                formats: if self.numbers.formats.is_empty() {
                    other.numbers.formats
                } else {
                    self.numbers.formats
                },
                values: self.numbers.values.and(other.numbers.values),
            },
            items: self.items.and(other.items),
            required: self.required.into_iter().chain(other.required).collect(),
            only_written: self.only_written.into_iter().chain(other.only_written).collect(),
        }
    }

    /// What one of both allows: of texts only those have a say that may be texts.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        const NUMBERS: Kinds = Kinds::INTEGER.with(Kinds::NUMBER);
        let may = |kinds| (self.may_be(kinds), other.may_be(kinds));
        let [texts, numbers, arrays, objects] =
            [Kinds::STRING, NUMBERS, Kinds::ARRAY, Kinds::OBJECT].map(may);
        let any = self.kinds.is_empty() || other.kinds.is_empty();
        Self {
            kinds: if any { Kinds::NONE } else { self.kinds.with(other.kinds) },
            texts: of_those(texts, self.texts, other.texts, Texts::or),
            numbers: of_those(numbers, self.numbers, other.numbers, |one, two| Numbers {
                formats: wider(one.formats, two.formats),
                values: one.values.or(two.values),
            }),
            items: of_those(arrays, self.items, other.items, Range::or),
            required: of_those(objects, self.required, other.required, |one, two| {
                one.into_iter().filter(|name| is_in(&two, name)).collect()
            }),
            only_written: self.only_written.into_iter().chain(other.only_written).collect(),
        }
    }
}

fn of_those<T>((one_may, other_may): (bool, bool), one: T, other: T, or: impl FnOnce(T, T) -> T) -> T {
    match (one_may, other_may) {
        (true, true) | (false, false) => or(one, other),
        (true, false) => one,
        (false, true) => other,
    }
}

/// Members that are never answered: what is said beside a reference counts, too.
fn only_written(at: &At<'_>, documents: &Documents<'_>) -> BTreeSet<Box<str>> {
    let says_so = |member: &At<'_>| {
        let target = member.text("$ref").and_then(|to| documents.target(member.file, to).ok());
        member.is_true("writeOnly") || target.is_some_and(|target| target.is_true("writeOnly"))
    };
    let members = at.get("properties");
    let members = members.iter().flat_map(At::members).filter(|(_, member)| says_so(member));
    members.map(|(name, _)| name.into()).collect()
}

/// The only values, where that is said.
fn choices<'d>(at: &At<'d>) -> Option<Vec<&'d Value>> {
    let listed = at.node.get("enum").and_then(Value::as_array).map(|all| all.iter().collect());
    listed.or_else(|| at.node.get("const").map(|one| vec![one]))
}

/// Choices as texts: who writes `enum: [1, 2]` of texts has forgotten the quotes.
fn texts(choices: &[&Value]) -> BTreeSet<Box<str>> {
    let text = |value: &&Value| match value {
        Value::String(text) => Some(text.as_str().into()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string().into()),
        _ => None,
    };
    choices.iter().filter_map(text).collect()
}

/// From the smallest choice to the largest, where all are numbers.
fn span(choices: &[&Value]) -> Range {
    let numbers = choices.iter().filter(|value| !value.is_null()).map(|value| value.as_f64());
    let Some(numbers) = numbers.collect::<Option<Vec<f64>>>() else { return Range::default() };
    let bound = |at: Option<f64>| at.map(|at| Bound { at, excluded: false });
    let (mut all, mut more) = (numbers.iter().copied(), numbers.iter().copied());
    let (first, last) = (all.next(), more.next());
    Range {
        least: bound(first.map(|first| all.fold(first, f64::min))),
        most: bound(last.map(|last| more.fold(last, f64::max))),
    }
}

impl Schemas {
    /// What every value at a path has to keep to, from any of these schemas.
    pub fn limits(&self, from: &[SchemaId], path: &[Step<'_>]) -> Limits {
        let mut walk = Walk { schemas: self, left: MAX_WALKED };
        let all = from.iter().filter_map(|id| walk.at(*id, path));
        all.reduce(Limits::or).unwrap_or_default()
    }
}

struct Walk<'s> {
    schemas: &'s Schemas,
    /// Schemas that may still be looked at: circles end.
    left: usize,
}

impl Walk<'_> {
    /// What is asked for at a path from a schema; `None` where nothing can be there.
    fn at(&mut self, id: SchemaId, path: &[Step<'_>]) -> Option<Limits> {
        let Some(left) = self.left.checked_sub(1) else { return Some(Limits::default()) };
        self.left = left;
        let Some(schema) = self.schemas.get(id) else { return Some(Limits::default()) };
        let mut limits = match path.split_first() {
            None => schema.limits.clone(),
            Some((step, rest)) => self.step(schema, *step, rest)?,
        };
        for part in &schema.all {
            limits = limits.and(self.at(*part, path)?);
        }
        if schema.is_one_of_any && !schema.any.is_empty() {
            let parts = schema.any.iter().filter_map(|part| self.at(*part, path));
            limits = limits.and(parts.reduce(Limits::or)?);
        }
        Some(limits)
    }

    fn step(&mut self, schema: &Schema, step: Step<'_>, rest: &[Step<'_>]) -> Option<Limits> {
        let kind = if step == Step::Item { Kinds::ARRAY } else { Kinds::OBJECT };
        if !schema.kinds.is_empty() && !schema.kinds.contains(kind) {
            return None;
        }
        let to = match step {
            Step::Key(key) => schema.properties.get(key).copied(),
            Step::Item if schema.any.is_empty() || schema.is_one_of_any => schema.items,
            Step::Item | Step::Value => None,
        };
        match (to, schema.rest) {
            (Some(id), _) => self.at(id, rest),
            (None, Rest::Of(id))
                if matches!(step, Step::Key(_)) || step == Step::Value && schema.properties.is_empty() =>
            {
                self.at(id, rest)
            }
            (None, Rest::Denied) if matches!(step, Step::Key(_)) => None,
            _ => Some(Limits::default()),
        }
    }
}
