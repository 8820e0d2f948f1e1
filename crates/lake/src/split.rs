//! Events to rows and back.
//!
//! A member that a column names goes into the column when its value is of the column's kind, else it stays in `extra`: so
//! what both hold together is always the whole event.

use crate::batch::{Rows, Values};
use crate::scan::{Members, plain_text, plain_texts};
use crate::schema::{Column, Kind, TABLES, Table};
use serde_json::{Map, Value};

/// The members that a table names, as a tree.
#[derive(Debug, Default)]
struct Node {
    column: Option<(usize, Kind)>,
    /// By name, with what tells most names apart in one step.
    inner: Vec<(u64, &'static str, Node)>,
}

/// How a name begins, and how long it is.
fn mark(name: &str) -> u64 {
    let bytes = name.as_bytes();
    let begin = match bytes.first_chunk::<8>() {
        Some(eight) => u64::from_le_bytes(*eight),
        None => bytes.iter().rev().fold(0, |begin, byte| begin << 8 | u64::from(*byte)),
    };
    begin ^ ((bytes.len() as u64) << 56)
}

impl Node {
    fn of(table: &Table) -> Self {
        let mut root = Self::default();
        let of_events = |(_, column): &(usize, &Column)| !column.path.is_empty();
        for (at, column) in table.columns.iter().enumerate().filter(of_events) {
            let mut node = &mut root;
            for name in column.path.split('.') {
                let place = node.inner.iter().position(|(_, known, _)| *known == name);
                let place = place.unwrap_or_else(|| {
                    node.inner.push((mark(name), name, Self::default()));
                    node.inner.len() - 1
                });
                let Some((_, _, next)) = node.inner.get_mut(place) else { return root };
                node = next;
            }
            node.column = Some((at, column.kind));
        }
        root
    }

    fn find(&self, name: &str) -> Option<&Self> {
        let wanted = mark(name);
        self.inner.iter().find(|(mark, known, _)| *mark == wanted && *known == name).map(|(_, _, node)| node)
    }
}

/// Takes events of one table apart.
#[derive(Debug)]
pub(crate) struct Splitter {
    root: Node,
    extra: Vec<u8>,
    /// The run that writes, where it is said, and its column.
    run: Option<(usize, String)>,
}

impl Splitter {
    pub(crate) fn of(table: &Table, run: Option<&str>) -> Self {
        let run = table.run_column().zip(run.map(str::to_owned));
        Self { root: Node::of(table), extra: Vec::new(), run }
    }

    /// Appends the event as a row.
    pub(crate) fn split(&mut self, event: &str, rows: &mut Rows) {
        self.extra.clear();
        let Self { root, extra, run } = self;
        extra.push(b'{');
        if let Some(mut members) = Members::of(event) {
            walk(&mut members, root, rows, extra);
        }
        extra.push(b'}');
        if let Some((at, run)) = run
            && let Some(Values::Texts(texts)) = rows.open_column(*at)
        {
            texts.push(Some(run.as_bytes()));
        }
        let last = rows.columns.len().saturating_sub(1);
        if let Some(Values::Texts(texts)) = rows.open_column(last) {
            texts.push((extra.len() > 2).then_some(extra.as_slice()));
        }
        rows.end_row(event.len());
    }
}

/// Takes the members of an object; what no column takes goes to `extra`. Returns whether all of them were taken. Ends where
/// the text is torn.
fn walk(members: &mut Members<'_>, node: &Node, rows: &mut Rows, extra: &mut Vec<u8>) -> bool {
    let begin = extra.len();
    while let Some(name) = members.name() {
        let known = node.find(name);
        if let Some(inner) = known.filter(|known| known.column.is_none())
            && members.enter()
        {
            let before = extra.len();
            open(name, extra);
            extra.push(b'{');
            if walk(members, inner, rows, extra) {
                extra.truncate(before);
            } else {
                extra.push(b'}');
            }
            if !members.leave() {
                break;
            }
            continue;
        }
        let Some(value) = members.value() else { break };
        // What an event says twice stays beside: a second value would be taken for the next row's.
        let is_taken = known
            .and_then(|known| known.column)
            .is_some_and(|(at, kind)| rows.open_column(at).is_some_and(|values| take(values, kind, value)));
        if !is_taken {
            keep(name, value, extra);
        }
    }
    extra.len() == begin
}

fn open(name: &str, extra: &mut Vec<u8>) {
    if extra.last() != Some(&b'{') {
        extra.push(b',');
    }
    extra.push(b'"');
    extra.extend_from_slice(name.as_bytes());
    extra.extend_from_slice(b"\":");
}

fn keep(name: &str, value: &str, extra: &mut Vec<u8>) {
    open(name, extra);
    extra.extend_from_slice(value.as_bytes());
}

/// Puts the value into the column, where it is of its kind.
fn take(values: &mut Values, kind: Kind, value: &str) -> bool {
    match (values, kind) {
        (Values::Ints(ints), _) => {
            // "-0" and "01" would come back as other texts.
            let odd =
                value.starts_with("-0") || value.starts_with('+') || value.starts_with('0') && value != "0";
            let number = value.parse::<i64>().ok().filter(|_| !odd);
            number.is_some_and(|number| {
                ints.push(Some(number));
                true
            })
        }
        (Values::Reals(reals), _) => {
            let number = value.parse::<f64>().ok().filter(|number| number.is_finite());
            reals.extend(number.map(Some));
            number.is_some()
        }
        (Values::Bools(bools), _) => match value {
            "true" | "false" => {
                bools.push(Some(value == "true"));
                true
            }
            _ => false,
        },
        (Values::Texts(texts), Kind::Json) => {
            let nested = value.starts_with(['[', '{']);
            if nested {
                texts.push(Some(value.as_bytes()));
            }
            nested
        }
        (Values::Texts(texts), _) => match (plain_text(value), value.starts_with('"')) {
            (Some(text), _) => {
                texts.push(Some(text.as_bytes()));
                true
            }
            (None, true) => serde_json::from_str::<String>(value).is_ok_and(|text| {
                texts.push(Some(text.as_bytes()));
                true
            }),
            (None, false) => false,
        },
        (Values::Lists(lists), _) => match plain_texts(value) {
            Some(list) => {
                lists.push(Some(list.iter().map(|text| text.as_bytes())));
                true
            }
            None => serde_json::from_str::<Vec<String>>(value).is_ok_and(|list| {
                lists.push(Some(list.iter().map(String::as_bytes)));
                true
            }),
        },
    }
}

/// Which table takes the event: by its class.
pub(crate) fn table_of(event: &str) -> Option<usize> {
    let class = Members::of(event)?.find(|(name, _)| *name == "class_uid")?.1.parse().ok()?;
    TABLES.iter().position(|table| table.classes.contains(&class))
}

/// The event that the row is of: its columns by [`Column::path`], put into `extra`. Absent values are null.
pub fn join(columns: &[Column], values: Vec<Value>, extra: Option<&str>) -> Value {
    let extra = extra.and_then(|text| serde_json::from_str(text).ok());
    let mut event = extra.unwrap_or_else(|| Value::Object(Map::new()));
    for (column, value) in columns.iter().zip(values) {
        if !value.is_null() && !column.path.is_empty() {
            put(&mut event, column.path, value);
        }
    }
    event
}

fn put(event: &mut Value, path: &str, value: Value) {
    let mut at = event;
    for name in path.split('.') {
        let Value::Object(members) = at else { return };
        at = members.entry(name).or_insert_with(|| Value::Object(Map::new()));
    }
    *at = value;
}
