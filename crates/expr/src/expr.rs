//! An expression that has been read, and its evaluation.

use crate::literal::Literal;
use crate::pattern::Pattern;
use crate::{FieldId, Value};
use std::net::IpAddr;

/// A predicate over fields; see [`crate::parse`].
#[derive(Debug, Clone)]
pub struct Expr {
    pub(crate) root: Node,
}

#[derive(Debug, Clone)]
pub(crate) enum Node {
    /// One of them holds.
    Any(Vec<Node>),
    /// Each of them holds.
    All(Vec<Node>),
    /// It does not hold.
    Not(Box<Node>),
    /// The field is known, and neither false nor an empty list.
    Known(FieldId),
    /// The field passes a test.
    Test(FieldId, Test),
}

#[derive(Debug, Clone)]
pub(crate) enum Test {
    /// Equal to one of them, or within one of the networks.
    Among(Vec<Literal>),
    Ordered(Order, i64),
    Matches(Pattern),
    Contains(Vec<u8>),
    StartsWith(Vec<u8>),
    EndsWith(Vec<u8>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Below,
    AtMost,
    Above,
    AtLeast,
}

impl Expr {
    /// Whether the expression surely holds for these values.
    pub fn matches<'v>(&self, value: &dyn Fn(FieldId) -> Value<'v>) -> bool {
        self.root.truth(value) == Some(true)
    }

    /// The fields that it asks for, in the order they stand in it, each once.
    pub fn fields(&self) -> Vec<FieldId> {
        let mut fields = Vec::new();
        self.root.fields(&mut fields);
        fields
    }

    /// The texts that the field is held against as a whole, in the order they stand in it.
    pub fn texts_of(&self, field: FieldId) -> Vec<&str> {
        let mut texts = Vec::new();
        self.root.texts(field, &mut texts);
        texts
    }
}

impl Node {
    fn fields(&self, found: &mut Vec<FieldId>) {
        match self {
            Self::Any(nodes) | Self::All(nodes) => nodes.iter().for_each(|node| node.fields(found)),
            Self::Not(node) => node.fields(found),
            Self::Known(field) | Self::Test(field, _) if found.contains(field) => {}
            Self::Known(field) | Self::Test(field, _) => found.push(*field),
        }
    }

    fn texts<'e>(&'e self, field: FieldId, found: &mut Vec<&'e str>) {
        match self {
            Self::Any(nodes) | Self::All(nodes) => nodes.iter().for_each(|node| node.texts(field, found)),
            Self::Not(node) => node.texts(field, found),
            Self::Test(own, Test::Among(literals)) if *own == field => {
                let text = |literal: &'e Literal| match literal {
                    Literal::Text(text) => std::str::from_utf8(text).ok(),
                    _ => None,
                };
                found.extend(literals.iter().filter_map(text));
            }
            Self::Known(_) | Self::Test(..) => {}
        }
    }

    /// Kleene's three-valued logic; `None` is unknown.
    fn truth<'v>(&self, value: &dyn Fn(FieldId) -> Value<'v>) -> Option<bool> {
        match self {
            Self::Any(nodes) => decided(nodes, value, true),
            Self::All(nodes) => decided(nodes, value, false),
            Self::Not(node) => node.truth(value).map(|truth| !truth),
            Self::Known(field) => match value(*field) {
                Value::Unknown => Some(false),
                Value::Bool(truth) => Some(truth),
                Value::List(items) => Some(!items.is_empty()),
                _ => Some(true),
            },
            Self::Test(field, test) => test.truth(&value(*field)),
        }
    }
}

/// The truth of several nodes of which one that is `decisive` decides; else unknown if one is unknown.
fn decided<'v>(nodes: &[Node], value: &dyn Fn(FieldId) -> Value<'v>, decisive: bool) -> Option<bool> {
    let mut unknown = false;
    for node in nodes {
        match node.truth(value) {
            Some(truth) if truth == decisive => return Some(decisive),
            Some(_) => {}
            None => unknown = true,
        }
    }
    (!unknown).then_some(!decisive)
}

impl Test {
    fn truth(&self, value: &Value<'_>) -> Option<bool> {
        match value {
            Value::Unknown => None,
            Value::Bool(truth) => Some(self.among(|literal| *literal == Literal::Bool(*truth))),
            Value::Int(number) => Some(self.holds_for_number(*number)),
            Value::Ip(address) => Some(self.holds_for_address(*address)),
            Value::Text(text) => Some(self.holds_for_text(text)),
            Value::List(items) => Some(items.iter().any(|item| self.holds_for_text(item))),
        }
    }

    fn among(&self, is: impl Fn(&Literal) -> bool) -> bool {
        matches!(self, Self::Among(literals) if literals.iter().any(is))
    }

    fn holds_for_number(&self, number: i64) -> bool {
        match self {
            Self::Ordered(Order::Below, limit) => number < *limit,
            Self::Ordered(Order::AtMost, limit) => number <= *limit,
            Self::Ordered(Order::Above, limit) => number > *limit,
            Self::Ordered(Order::AtLeast, limit) => number >= *limit,
            _ => self.among(|literal| *literal == Literal::Number(number)),
        }
    }

    fn holds_for_address(&self, address: IpAddr) -> bool {
        self.among(|literal| matches!(literal, Literal::Network(network) if network.contains(address)))
    }

    fn holds_for_text(&self, text: &[u8]) -> bool {
        match self {
            Self::Matches(pattern) => pattern.matches(text),
            Self::Contains(part) => memchr::memmem::find(text, part).is_some(),
            Self::StartsWith(part) => text.starts_with(part),
            Self::EndsWith(part) => text.ends_with(part),
            _ => self.among(|literal| matches!(literal, Literal::Text(wanted) if wanted == text)),
        }
    }
}
