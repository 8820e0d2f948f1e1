//! Descriptions of protobuf messages: a `FileDescriptorSet` as `protoc --include_imports --descriptor_set_out` writes it.
//!
//! Only what names fields is read: messages with their fields, services with their methods.

use crate::payload::grpc::varint;
use std::collections::BTreeMap;

/// Messages inside one another in a description.
const MAX_DEPTH: usize = 16;

/// Names and types by method and number. Empty without a description.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Descriptors {
    /// `shop.Orders/Get` to the names of its question and answer.
    methods: BTreeMap<String, [String; 2]>,
    messages: BTreeMap<String, BTreeMap<u32, Field>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Field {
    name: String,
    kind: u64,
    message: String,
}

/// Why bytes are no description.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotDescriptors;

impl std::fmt::Display for NotDescriptors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(
            "it is no FileDescriptorSet: make one with protoc --include_imports --descriptor_set_out=FILE",
        )
    }
}

impl std::error::Error for NotDescriptors {}

/// The names of `FieldDescriptorProto.Type`, by number.
const KINDS: [&str; 19] = [
    "unknown", "double", "float", "int64", "uint64", "int32", "fixed64", "fixed32", "bool", "string",
    "group", "message", "bytes", "uint32", "enum", "sfixed32", "sfixed64", "sint32", "sint64",
];

impl Descriptors {
    /// Adds the descriptions of a set.
    ///
    /// # Errors
    /// Bytes that are none.
    pub fn add(&mut self, set: &[u8]) -> Result<(), NotDescriptors> {
        let before = self.messages.len() + self.methods.len();
        for (number, value) in fields(set)? {
            if let (1, Value::Bytes(file)) = (number, value) {
                self.file(file)?;
            }
        }
        if self.messages.len() + self.methods.len() == before { Err(NotDescriptors) } else { Ok(()) }
    }

    /// Whether nothing is described.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Methods that are described.
    pub fn methods(&self) -> usize {
        self.methods.len()
    }

    /// Name and type of the field that numbers lead to, in the question or the answer of the method at that path.
    pub(crate) fn field(&self, path: &str, answer: bool, numbers: &[u32]) -> Option<(String, &'static str)> {
        let mut message = self.methods.get(path.trim_start_matches('/'))?.get(usize::from(answer))?;
        let mut names = Vec::with_capacity(numbers.len());
        let mut kind = 0;
        for number in numbers {
            let field = self.messages.get(message)?.get(number)?;
            names.push(field.name.as_str());
            (message, kind) = (&field.message, field.kind);
        }
        Some((names.join("."), KINDS.get(usize::try_from(kind).ok()?).copied()?))
    }

    /// `FileDescriptorProto`: package 2, messages 4, services 6.
    fn file(&mut self, file: &[u8]) -> Result<(), NotDescriptors> {
        let all = fields(file)?;
        let package = text(&all, 2);
        for (number, value) in all {
            match (number, value) {
                (4, Value::Bytes(message)) => self.message(message, &package, 0)?,
                (6, Value::Bytes(service)) => self.service(service, &package)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// `DescriptorProto`: name 1, fields 2, messages within it 3.
    fn message(&mut self, message: &[u8], scope: &str, depth: usize) -> Result<(), NotDescriptors> {
        let all = fields(message)?;
        let name = join(scope, &text(&all, 1));
        let mut described = BTreeMap::new();
        for (number, value) in all {
            match (number, value) {
                (2, Value::Bytes(field)) => {
                    let (number, field) = one_field(field)?;
                    described.insert(number, field);
                }
                (3, Value::Bytes(inner)) if depth < MAX_DEPTH => self.message(inner, &name, depth + 1)?,
                _ => {}
            }
        }
        self.messages.insert(name, described);
        Ok(())
    }

    /// `ServiceDescriptorProto`: name 1, methods 2. `MethodDescriptorProto`: name 1, question 2, answer 3.
    fn service(&mut self, service: &[u8], package: &str) -> Result<(), NotDescriptors> {
        let all = fields(service)?;
        let name = join(package, &text(&all, 1));
        for (number, value) in all {
            if let (2, Value::Bytes(method)) = (number, value) {
                let method = fields(method)?;
                let of = |number| text(&method, number).trim_start_matches('.').to_owned();
                self.methods.insert(format!("{name}/{}", text(&method, 1)), [of(2), of(3)]);
            }
        }
        Ok(())
    }
}

/// `FieldDescriptorProto`: name 1, number 3, type 5, the type's name 6.
fn one_field(field: &[u8]) -> Result<(u32, Field), NotDescriptors> {
    let all = fields(field)?;
    let number = |wanted: u32| {
        all.iter().rev().find_map(|(number, value)| match value {
            Value::Number(value) if *number == wanted => Some(*value),
            _ => None,
        })
    };
    let key = number(3).and_then(|number| u32::try_from(number).ok()).ok_or(NotDescriptors)?;
    let message = text(&all, 6).trim_start_matches('.').to_owned();
    Ok((key, Field { name: text(&all, 1), kind: number(5).unwrap_or(0), message }))
}

fn join(scope: &str, name: &str) -> String {
    if scope.is_empty() { name.to_owned() } else { format!("{scope}.{name}") }
}

enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

fn text(all: &[(u32, Value<'_>)], wanted: u32) -> String {
    let found = all.iter().rev().find_map(|(number, value)| match value {
        Value::Bytes(bytes) if *number == wanted => Some(String::from_utf8_lossy(bytes).into_owned()),
        _ => None,
    });
    found.unwrap_or_default()
}

fn fields(bytes: &[u8]) -> Result<Vec<(u32, Value<'_>)>, NotDescriptors> {
    let mut found = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let (field, after) = field(rest).ok_or(NotDescriptors)?;
        found.push(field);
        rest = after;
    }
    Ok(found)
}

fn field(bytes: &[u8]) -> Option<((u32, Value<'_>), &[u8])> {
    let (tag, rest) = varint(bytes)?;
    let number = u32::try_from(tag >> 3).ok().filter(|number| *number > 0)?;
    let (value, rest) = match tag & 7 {
        0 => varint(rest).map(|(value, rest)| (Value::Number(value), rest))?,
        1 => (Value::Number(0), rest.get(8..)?),
        5 => (Value::Number(0), rest.get(4..)?),
        2 => {
            let (len, rest) = varint(rest)?;
            let (inner, rest) = rest.split_at_checked(usize::try_from(len).ok()?)?;
            (Value::Bytes(inner), rest)
        }
        _ => return None,
    };
    Some(((number, value), rest))
}

#[cfg(test)]
pub(crate) mod tests;
