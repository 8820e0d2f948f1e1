//! Protobuf's wire format without a description of it: numbers and wire types are certain, the rest is guessed.
//!
//! A field with a length may be text, bytes, another message, or numbers packed together. Text is told by being UTF-8
//! without control characters, a message by being readable to its last byte. Each guess says how sure it is.

use crate::KeySample;
use crate::fields::Equipment;
use crate::fields::{self, FieldIndex, FieldList, Fields, Kind as Is};
use crate::payload::paths::{KeyPaths, PathHash};

/// Messages inside one another that are followed.
const MAX_DEPTH: usize = 16;
/// Levels whose fields are told, and fields that are.
const TOLD_DEPTH: usize = 3;
const MAX_FIELDS: usize = 64;
/// Texts that are kept of a body, and the longest of them in bytes.
const MAX_TEXTS: usize = 16;
const MAX_TEXT: usize = 256;
/// The smallest number and the longest text that may name something.
const LEAST_ID: u64 = 100;
const MAX_ID: usize = 64;
/// The largest field number.
const MAX_NUMBER: u64 = (1 << 29) - 1;

/// What a field seems to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Varint,
    Fixed32,
    Fixed64,
    Text,
    Message,
    Packed,
    Bytes,
}

impl Kind {
    const ALL: [Self; 7] =
        [Self::Varint, Self::Fixed32, Self::Fixed64, Self::Text, Self::Message, Self::Packed, Self::Bytes];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Varint => "varint",
            Self::Fixed32 => "fixed32",
            Self::Fixed64 => "fixed64",
            Self::Text => "string",
            Self::Message => "message",
            Self::Packed => "packed",
            Self::Bytes => "bytes",
        }
    }
}

/// A field, what it seems to hold, and how sure that is in percent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Guess {
    /// The numbers that lead to it.
    pub(super) numbers: Vec<u32>,
    pub(super) kind: Kind,
    pub(super) confidence: u8,
    pub(super) count: u64,
}

impl Guess {
    /// `1.2`.
    pub(super) fn path(&self) -> String {
        self.numbers.iter().map(u32::to_string).collect::<Vec<_>>().join(".")
    }
}

/// Votes on one field: for each kind, the sum of what each value was sure of.
#[derive(Debug, Clone)]
struct Tally {
    numbers: Vec<u32>,
    votes: [u64; Kind::ALL.len()],
    count: u64,
}

/// Short texts by the numbers that lead to them: a description may say that one is a password. Its `Debug` shows none.
#[derive(Clone, PartialEq, Eq, Default)]
pub(crate) struct Texts(pub(super) Vec<(Vec<u32>, Vec<u8>)>);

impl std::fmt::Debug for Texts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Texts({})", self.0.len())
    }
}

/// Fields of all messages of a body.
#[derive(Default)]
pub(super) struct Schema {
    pub(super) texts: Texts,
    tallies: Vec<Tally>,
    /// Whether a field found no room.
    pub(super) more: bool,
    paths: KeyPaths,
    fields: Fields,
}

/// A field as it lies in a message.
struct Field<'a> {
    number: u32,
    value: Value<'a>,
}

enum Value<'a> {
    Varint(u64),
    Fixed32,
    Fixed64,
    Length(&'a [u8]),
}

impl Schema {
    /// Looks for these data classes from now on.
    pub(super) fn equip(&mut self, equipment: &Equipment) {
        self.fields.equip(equipment);
    }

    /// Adds a message; `false` when it is none.
    pub(super) fn message(&mut self, message: &[u8]) -> bool {
        let document = self.fields.document();
        self.fields.value(document, Is::Object);
        let whole = self.walk(message, PathHash::ROOT, document, &mut Vec::with_capacity(MAX_DEPTH));
        if !whole {
            self.fields.unended(document);
        }
        whole
    }

    pub(super) fn held(&self) -> usize {
        self.tallies.capacity() * (size_of::<Tally>() + 16) + self.fields.held()
    }

    /// The fields with what their values are, by number; empties the list.
    pub(super) fn take_fields(&mut self) -> Option<Box<FieldList>> {
        self.fields.take()
    }

    /// Distinct fields, the shape, a sample of the paths, and the guesses by number; empties the schema.
    pub(super) fn take(&mut self) -> (u32, u64, KeySample, Vec<Guess>) {
        let mut guesses: Vec<Guess> = self.tallies.drain(..).map(Tally::guess).collect();
        guesses.sort_unstable_by(|a, b| a.numbers.cmp(&b.numbers));
        let keys = self.paths.take_sample();
        let (fields, shape) = self.paths.take();
        (fields, shape, keys, guesses)
    }

    fn walk(&mut self, message: &[u8], path: PathHash, around: FieldIndex, numbers: &mut Vec<u32>) -> bool {
        let mut rest = message;
        while !rest.is_empty() {
            let Some((field, after)) = next(rest) else { return false };
            rest = after;
            numbers.push(field.number);
            self.field(&field, path, around, numbers);
            numbers.pop();
        }
        true
    }

    fn field(&mut self, field: &Field<'_>, path: PathHash, around: FieldIndex, numbers: &mut Vec<u32>) {
        let path = path.member(&field.number.to_le_bytes(), 4);
        let depth = u8::try_from(numbers.len()).unwrap_or(u8::MAX);
        self.paths.field(path, depth);
        let (kind, sure) = match field.value {
            Value::Varint(_) => (Kind::Varint, 100),
            Value::Fixed32 => (Kind::Fixed32, 100),
            Value::Fixed64 => (Kind::Fixed64, 100),
            Value::Length(bytes) => guess(bytes, numbers.len()),
        };
        self.vote(numbers, kind, sure);
        let (at, _) = self.fields.member(around, path, fields::digits(field.number.into(), &mut [0; 10]));
        self.tell(at, kind, &field.value);
        if let (Kind::Text, Value::Length(text)) = (kind, &field.value)
            && (1..=MAX_TEXT).contains(&text.len())
            && self.texts.0.len() < MAX_TEXTS
        {
            self.texts.0.push((numbers.clone(), text.to_vec()));
        }
        if let (Kind::Message, Value::Length(inner)) = (kind, &field.value) {
            self.walk(inner, path, at, numbers);
        }
    }

    /// Tells what a value seems to be. Of eight and of four bytes nothing says whether they are a fraction.
    fn tell(&mut self, at: FieldIndex, kind: Kind, value: &Value<'_>) {
        // Without names any short value may name something.
        match (kind, value) {
            (_, Value::Varint(number)) if *number >= LEAST_ID => {
                self.fields.identify(at, fields::digits(*number, &mut [0; 20]))
            }
            (Kind::Text, Value::Length(text)) if (4..=MAX_ID).contains(&text.len()) => {
                self.fields.identify(at, text)
            }
            _ => {}
        }
        match (kind, value) {
            #[allow(clippy::cast_precision_loss, reason = "a bound")]
            (_, Value::Varint(number)) => self.fields.amount(at, Is::Integer, Some(*number as f64)),
            (Kind::Text, Value::Length(text)) => self.fields.text(at, text, text.len()),
            (Kind::Message, _) => self.fields.value(at, Is::Object),
            (Kind::Packed, _) => self.fields.value(at, Is::Array),
            (_, Value::Length(bytes)) => self.fields.bytes(at, bytes.len() as u64),
            _ => self.fields.amount(at, Is::Number, None),
        }
    }

    fn vote(&mut self, numbers: &[u32], kind: Kind, sure: u8) {
        if numbers.len() > TOLD_DEPTH {
            return;
        }
        let at = match self.tallies.iter().position(|tally| tally.numbers == numbers) {
            Some(at) => at,
            None if self.tallies.len() < MAX_FIELDS => {
                self.tallies.push(Tally { numbers: numbers.to_vec(), votes: [0; 7], count: 0 });
                self.tallies.len() - 1
            }
            None => {
                self.more = true;
                return;
            }
        };
        let Some(tally) = self.tallies.get_mut(at) else { return };
        tally.count += 1;
        if let Some(votes) = tally.votes.get_mut(kind as usize) {
            *votes += u64::from(sure);
        }
    }
}

impl Tally {
    fn guess(self) -> Guess {
        let best = Kind::ALL
            .into_iter()
            .zip(self.votes)
            .max_by_key(|(kind, votes)| (*votes, std::cmp::Reverse(*kind)));
        let (kind, votes) = best.unwrap_or((Kind::Bytes, 0));
        let confidence = u8::try_from(votes / self.count.max(1)).unwrap_or(100);
        Guess { numbers: self.numbers, kind, confidence, count: self.count }
    }
}

/// What bytes with a length seem to be, and how sure that is.
fn guess(bytes: &[u8], depth: usize) -> (Kind, u8) {
    let message = depth < MAX_DEPTH && is_message(bytes);
    let text = is_text(bytes);
    match (text, message) {
        // Nothing tells empty text from an empty message.
        _ if bytes.is_empty() => (Kind::Text, 30),
        (true, false) if bytes.len() >= 4 => (Kind::Text, 95),
        (true, false) => (Kind::Text, 80),
        (true, true) => (Kind::Text, 60),
        (false, true) if bytes.len() >= 8 => (Kind::Message, 95),
        (false, true) => (Kind::Message, 75),
        (false, false) if is_packed(bytes) => (Kind::Packed, 50),
        (false, false) => (Kind::Bytes, 60),
    }
}

fn is_text(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes)
        .is_ok_and(|text| text.chars().all(|c| !c.is_control() || matches!(c, '\n' | '\r' | '\t')))
}

/// Whether it is fields to its last byte.
fn is_message(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while !rest.is_empty() {
        let Some((_, after)) = next(rest) else { return false };
        rest = after;
    }
    true
}

fn is_packed(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    let mut count = 0;
    while !rest.is_empty() {
        let Some((_, after)) = varint(rest) else { return false };
        (rest, count) = (after, count + 1);
    }
    count > 1
}

/// The next field (Encoding, "Message Structure"). Groups, which are no longer written, are not read.
fn next(bytes: &[u8]) -> Option<(Field<'_>, &[u8])> {
    let (tag, rest) = varint(bytes)?;
    let number = tag >> 3;
    if number == 0 || number > MAX_NUMBER {
        return None;
    }
    let (value, rest) = match tag & 7 {
        0 => varint(rest).map(|(number, rest)| (Value::Varint(number), rest))?,
        1 => (Value::Fixed64, rest.get(8..)?),
        5 => (Value::Fixed32, rest.get(4..)?),
        2 => {
            let (len, rest) = varint(rest)?;
            let (inner, rest) = rest.split_at_checked(usize::try_from(len).ok()?)?;
            (Value::Length(inner), rest)
        }
        _ => return None,
    };
    Some((Field { number: u32::try_from(number).ok()?, value }, rest))
}

/// A number in at most ten bytes.
pub(crate) fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0_u64;
    for (index, &byte) in bytes.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7f) << (7 * index).min(63);
        if byte & 0x80 == 0 {
            return Some((value, bytes.get(index + 1..)?));
        }
    }
    None
}
