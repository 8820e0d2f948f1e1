//! YAML 1.2 (core schema) as a tree of JSON values. Aliases are copied within a budget, so that a few lines of
//! anchors do not become gigabytes.

use crate::fault::Fault;
use saphyr_parser::{Event, Parser, ScalarStyle, Span};
use serde_json::{Map, Number, Value};
use std::collections::BTreeMap;

/// As deep as serde_json reads JSON.
const MAX_DEPTH: usize = 128;
/// Values that aliases may add to a file.
const MAX_COPIES: usize = 200_000;

/// Reads the first document of a text.
pub(crate) fn parse(name: &str, text: &str) -> Result<Value, Fault> {
    let mut builder = Builder { name, open: Vec::new(), anchors: BTreeMap::new(), copies: 0, done: None };
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| {
            let at = error.marker();
            Fault::line(name, at.line(), at.col() + 1, format!("no YAML: {}", error.info()))
        })?;
        builder.take(event, span)?;
        if let Some(value) = builder.done.take() {
            return Ok(value);
        }
    }
    Err(Fault::file(name, "empty"))
}

/// A collection whose end has not come yet.
enum Open {
    List(Vec<Value>, usize),
    /// The members, and the key whose value comes next.
    Map(Map<String, Value>, Option<String>, usize),
}

struct Builder<'a> {
    name: &'a str,
    open: Vec<Open>,
    /// Values by anchor.
    anchors: BTreeMap<usize, (Value, Size)>,
    copies: usize,
    done: Option<Value>,
}

impl Builder<'_> {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Fault> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain && tag.is_none();
                let is_key = matches!(self.open.last(), Some(Open::Map(_, None, _)));
                let value = if plain && !is_key { scalar(&text) } else { Value::String(text.into_owned()) };
                self.put(value, anchor, span)
            }
            Event::SequenceStart(anchor, _) => self.begin(Open::List(Vec::new(), anchor), span),
            Event::MappingStart(anchor, _) => self.begin(Open::Map(Map::new(), None, anchor), span),
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open::List(items, anchor)) => self.put(Value::Array(items), anchor, span),
                Some(Open::Map(members, _, anchor)) => self.put(Value::Object(members), anchor, span),
                None => Ok(()),
            },
            Event::Alias(anchor) => self.copy(anchor, span),
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => Ok(()),
        }
    }

    fn begin(&mut self, open: Open, span: Span) -> Result<(), Fault> {
        if self.open.len() >= MAX_DEPTH {
            return Err(self.fault(span, "nested deeper than 128 levels"));
        }
        self.open.push(open);
        Ok(())
    }

    fn copy(&mut self, anchor: usize, span: Span) -> Result<(), Fault> {
        let Some((value, size)) = self.anchors.get(&anchor) else {
            return Err(self.fault(span, "an alias within the value of its own anchor"));
        };
        let (value, size) = (value.clone(), *size);
        self.copies += size.values;
        if self.copies > MAX_COPIES {
            return Err(self.fault(span, "aliases repeat more than 200,000 values"));
        }
        if self.open.len() + size.depth > MAX_DEPTH {
            return Err(self.fault(span, "nested deeper than 128 levels"));
        }
        self.put(value, 0, span)
    }

    fn put(&mut self, value: Value, anchor: usize, span: Span) -> Result<(), Fault> {
        if anchor > 0 {
            let size = Size::of(&value);
            self.copies += size.values;
            if self.copies > MAX_COPIES {
                return Err(self.fault(span, "anchors hold more than 200,000 values"));
            }
            self.anchors.insert(anchor, (value.clone(), size));
        }
        match self.open.last_mut() {
            None => self.done = Some(value),
            Some(Open::List(items, _)) => items.push(value),
            Some(Open::Map(members, key, _)) => match key.take() {
                None => match value {
                    Value::String(text) => *key = Some(text),
                    _ => return Err(self.fault(span, "a key that is no text")),
                },
                Some(key) if key == "<<" => merge(members, value),
                Some(key) => drop(members.insert(key, value)),
            },
        }
        Ok(())
    }

    fn fault(&self, span: Span, what: &str) -> Fault {
        Fault::line(self.name, span.start.line(), span.start.col() + 1, what)
    }
}

/// The merge key: members that are not there yet.
fn merge(members: &mut Map<String, Value>, value: Value) {
    match value {
        Value::Object(more) => more.into_iter().for_each(|(key, value)| {
            members.entry(key).or_insert(value);
        }),
        Value::Array(several) => several.into_iter().for_each(|one| {
            if one.is_object() {
                merge(members, one);
            }
        }),
        _ => {}
    }
}

/// How many values one consists of, and how deep it is.
#[derive(Clone, Copy)]
struct Size {
    values: usize,
    depth: usize,
}

impl Size {
    fn of(value: &Value) -> Self {
        let mut stack = vec![(value, 1)];
        let mut size = Self { values: 0, depth: 0 };
        while let Some((next, depth)) = stack.pop() {
            size.values += 1;
            size.depth = size.depth.max(depth);
            match next {
                Value::Array(items) => stack.extend(items.iter().map(|item| (item, depth + 1))),
                Value::Object(members) => stack.extend(members.values().map(|member| (member, depth + 1))),
                _ => {}
            }
        }
        size
    }
}

/// A plain scalar by the core schema (YAML 1.2.2, 10.3.2).
fn scalar(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ => number(text).map_or_else(|| Value::String(text.to_owned()), Value::Number),
    }
}

fn number(text: &str) -> Option<Number> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let begins = |byte: &u8| byte.is_ascii_digit() || *byte == b'.';
    if !digits.as_bytes().first().is_some_and(begins) {
        return None;
    }
    if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse::<i64>().map(Number::from).or_else(|_| text.parse::<u64>().map(Number::from)).ok();
    }
    if let Some(hex) = text.strip_prefix("0x") {
        return u64::from_str_radix(hex, 16).ok().map(Number::from);
    }
    let is_float = |byte: u8| byte.is_ascii_digit() || b".eE+-".contains(&byte);
    let float = digits.bytes().all(is_float).then(|| text.parse::<f64>().ok()).flatten()?;
    Number::from_f64(float)
}
