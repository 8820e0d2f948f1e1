//! Values against described formats, choices and bounds, and members that are always there.

use super::compare::{Comparison, Difference, DifferenceKind, FieldStep, Side, Spot};
use crate::{Node, Schema};
use tapwire_inspect::fields::{Format, Kind, Step};
use tapwire_openapi::{Bound, Kinds, Limits, Range};

/// Formats of texts that are told for every text: of others, such as `hostname`, some look like anything.
const FORMATS: [Format; 7] =
    [Format::Uuid, Format::Date, Format::DateTime, Format::Email, Format::Uri, Format::Ipv4, Format::Ipv6];
/// Lengths are known in characters up to here; beyond they are bytes.
const COUNTED: f64 = 2048.0;
/// Choices that are told of a description.
const MAX_TOLD: usize = 8;

impl Comparison<'_> {
    /// Compares what is known of a field's values. Where everything is text, one that may be a list or an object is not
    /// looked at, and an empty one is none.
    pub(super) fn values(&mut self, spot: &Spot, node: &Node, typed: bool, limits: &Limits) {
        const PARTS: Kinds = Kinds::ARRAY.with(Kinds::OBJECT);
        if !typed && limits.may_be(PARTS) {
            return;
        }
        if node.kinds.has(Kind::Text) && limits.may_be(Kinds::STRING) {
            self.format(spot, node, typed, limits);
            self.choices(spot, node, typed, limits);
            self.lengths(spot, node, typed, limits);
        }
        if !node.numbers.is_empty() {
            self.numbers(spot, node, limits);
        }
        if !node.items.is_empty() {
            let ends = [node.items.least, node.items.most].map(f64::from);
            let (described, seen) = outside(limits.items, ends, ["minItems", "maxItems"]);
            let seen = plural(&seen, "element");
            self.broken(DifferenceKind::OutOfBounds, spot, node, (described.join(" and "), seen), Vec::new());
        }
    }

    fn broken(
        &mut self,
        kind: DifferenceKind,
        spot: &Spot,
        node: &Node,
        (described, seen): (String, String),
        values: Vec<String>,
    ) {
        if !described.is_empty() {
            self.add(kind, spot.clone(), (&described, &seen), node.bodies);
            self.found
                .last_mut()
                .into_iter()
                .for_each(|last: &mut Difference| last.values.clone_from(&values));
        }
    }

    fn format(&mut self, spot: &Spot, node: &Node, typed: bool, limits: &Limits) {
        // Of texts of several formats there is none that all have.
        let described = limits.texts.formats.iter();
        let [described] = described.collect::<Vec<_>>()[..] else { return };
        let known = FORMATS.into_iter().find(|format| format.name() == &**described);
        let has_empty = node.lengths.least == 0;
        if known.is_some_and(|format| !node.formats.may_be(format)) && (typed || !has_empty) {
            let seen = node.format(typed).unwrap_or("other text").to_owned();
            self.broken(
                DifferenceKind::FormatMismatch,
                spot,
                node,
                (described.to_string(), seen),
                Vec::new(),
            );
        }
    }

    fn choices(&mut self, spot: &Spot, node: &Node, typed: bool, limits: &Limits) {
        let Some(described) = limits.texts.values.as_ref().filter(|values| !values.is_empty()) else {
            return;
        };
        let other: Vec<String> = match node.all_texts() {
            Some(texts) => {
                let other = texts.filter(|text| !described.contains(*text) && (typed || !text.is_empty()));
                other.map(str::to_owned).collect()
            }
            None => Vec::new(),
        };
        // Of texts that are not known, or whose name says that they are somebody's, the lengths say something all the same.
        let longest = described.iter().map(|value| value.chars().count()).max().unwrap_or(0);
        let all_short = described.iter().all(|value| value.len() <= 64);
        let too_long =
            all_short && f64::from(node.lengths.most) > longest as f64 && node.all_texts().is_none();
        if other.is_empty() && !too_long {
            return;
        }
        let more = if described.len() > MAX_TOLD { " | …" } else { "" };
        let told: Vec<&str> = described.iter().take(MAX_TOLD).map(|value| &**value).collect();
        let told = format!("{}{more}", told.join(" | "));
        self.broken(DifferenceKind::UndocumentedValue, spot, node, (told, "another text".into()), other);
    }

    fn lengths(&mut self, spot: &Spot, node: &Node, typed: bool, limits: &Limits) {
        if node.kinds.has(Kind::Bytes) {
            return;
        }
        let [least, most] = [node.lengths.least, node.lengths.most].map(f64::from);
        let mut range = limits.texts.lengths;
        // An empty parameter is none.
        range.least = range.least.filter(|_| typed || least > 0.0);
        // What is counted in bytes has at least a quarter as many characters (RFC 3629, 3).
        let most = if most > COUNTED { (most / 4.0).max(COUNTED / 4.0) } else { most };
        let (described, seen) = outside(range, [least, most], ["minLength", "maxLength"]);
        let at_least = if f64::from(node.lengths.most) > COUNTED { "at least " } else { "" };
        let seen = plural(&seen, "character");
        let seen = if range.is_below(most) { format!("{at_least}{seen}") } else { seen };
        self.broken(DifferenceKind::OutOfBounds, spot, node, (described.join(" and "), seen), Vec::new());
    }

    fn numbers(&mut self, spot: &Spot, node: &Node, limits: &Limits) {
        let ends = [node.numbers.least, node.numbers.most];
        // What is of a data class does not leave.
        let secret = node.classes.iter().any(|class| class.values > 0);
        let told = |seen: Vec<String>| if secret { Vec::new() } else { seen };
        let (described, seen) = outside(limits.numbers.values, ends, ["minimum", "maximum"]);
        let word = (described.join(" and "), "another number".to_owned());
        self.broken(DifferenceKind::OutOfBounds, spot, node, word, told(seen));
        let formats: Vec<&str> = limits.numbers.formats.iter().map(|format| &**format).collect();
        let (least, most) = match formats[..] {
            ["int32"] => (f64::from(i32::MIN), f64::from(i32::MAX)),
            ["int64"] | ["int32", "int64"] => (-(2_f64.powi(63)), 2_f64.powi(63)),
            _ => return,
        };
        let bound = |at| Some(Bound { at, excluded: false });
        let (described, seen) = outside(Range { least: bound(least), most: bound(most) }, ends, ["", ""]);
        let format = if described.is_empty() { String::new() } else { formats.join(" or ") };
        let word = (format, "a number beyond it".to_owned());
        self.broken(DifferenceKind::FormatMismatch, spot, node, word, told(seen));
    }

    /// Members that every answer has by the description, and some had not.
    pub(super) fn missing(
        &mut self,
        side: Side,
        schema: &Schema,
        at: usize,
        path: &[FieldStep],
        limits: &Limits,
    ) {
        let Some(node) = schema.nodes().get(at).filter(|node| node.objects > 0 && !node.is_map) else {
            return;
        };
        for name in limits.required.difference(&limits.only_written) {
            let member =
                schema.children(at).find(|(_, one)| one.step == Step::Member && one.name() == &**name);
            let came = member.map_or(0, |(_, member)| member.count.min(node.objects));
            // A member that found no room may have been there.
            if came >= node.objects || came == 0 && schema.left_out() > 0 || name.len() > 128 {
                continue;
            }
            let missing = node.objects - came;
            let spot =
                Spot::Field(side, path.iter().cloned().chain([FieldStep::Key(name.clone())]).collect());
            let seen = format!("missing in {missing} of {} objects", node.objects);
            let calls = missing.min(node.bodies);
            self.add(DifferenceKind::MissingField, spot, ("required", &seen), calls);
        }
    }
}

/// Which ends of a range are passed, by their names in JSON Schema, and what passes them.
fn outside(range: Range, [least, most]: [f64; 2], [lower, upper]: [&str; 2]) -> (Vec<String>, Vec<String>) {
    let word = |name: &str, bound: Option<Bound>| {
        let bound = bound?;
        let strict = if bound.excluded { "exclusive " } else { "" };
        Some(format!("{strict}{name} {}", bound.at))
    };
    let (below, above) = (range.is_above(least), range.is_below(most));
    let lower = word(lower, range.least.filter(|_| below));
    let upper = word(upper, range.most.filter(|_| above));
    let seen = [below.then_some(least), above.then_some(most)];
    let seen = seen.into_iter().flatten().map(|value| value.to_string()).collect();
    (lower.into_iter().chain(upper).collect(), seen)
}

/// Counts of something: `3 and 12 elements`.
fn plural(counts: &[String], what: &str) -> String {
    let one = counts.last().is_some_and(|last| last == "1");
    format!("{} {what}{}", counts.join(" and "), if one { "" } else { "s" })
}
