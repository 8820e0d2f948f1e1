//! Gathers what styles want of JSON bodies, in bounded memory, and drops it again where no style is spoken.

use super::places::Place;
use crate::payload::graphql::{Asked, Document, Meant, Scanner};
use crate::payload::notes::{Mark, Notes, Value, Want};
use crate::style::Name;
use sha2::{Digest, Sha256};

/// Marks kept of one body: a list of 200 tools has 800.
const MAX_MARKS: usize = 1024;
/// Bytes kept of a text, and of all texts of one body.
const MAX_TEXT: usize = 128;
const MAX_TEXTS: usize = 32 << 10;
/// Elements whose end matters; further ones of a batch count as one.
const MAX_ELEMENTS: u32 = 1 << 20;

/// What the open value is read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Open {
    #[default]
    Nothing,
    Text(Want),
    Number(Want),
    Document,
    PartKind,
}

/// A mark before it is known whether it stays. Its text stands in `texts`.
#[derive(Debug, Clone, Copy)]
struct Raw {
    want: Want,
    element: u32,
    value: RawValue,
}

#[derive(Debug, Clone, Copy)]
enum RawValue {
    Text { start: usize, end: usize },
    Number { start: usize, end: usize },
    Truth(bool),
    Digest([u8; 8]),
    Null,
    Object,
    Array,
}

/// The collection. Between bodies it keeps its buffers.
#[derive(Default)]
pub(super) struct Gather {
    marks: Vec<Raw>,
    texts: Vec<u8>,
    /// The latest value of what an answer in pieces tells again and again.
    latest: Vec<(Want, Vec<u8>)>,
    /// What is asked in GraphQL; of the open element its document, and which operation of it.
    graphql: Option<Box<Asked>>,
    document: Option<Box<Document>>,
    meant: Meant,
    scanner: Option<Box<Scanner>>,
    sha: Option<Sha256>,
    hashed: Option<Want>,
    open: Open,
    /// Where in `texts` the open value began, and where its element's did.
    text_at: usize,
    element_texts: usize,
    element_marks: usize,
    element: u32,
    /// Wants met in the open element, and in the whole body.
    seen: u64,
    all: u64,
    /// Whether the part of a model's message that is open is the call of a tool.
    calls: bool,
    /// GraphQL's errors, and whether it has no data.
    errors: u32,
    no_data: bool,
    more: bool,
    keeps_all: bool,
}

/// What is told again and again: the last one counts.
const LATEST: u64 = Want::Model.bit()
    | Want::InputTokens.bit()
    | Want::OutputTokens.bit()
    | Want::TotalTokens.bit()
    | Want::StopReason.bit();
const OF_RPC: u64 = Want::JsonRpc.bit();
const OF_GRAPHQL: u64 = Want::Query.bit() | Want::PersistedHash.bit();
const OF_MODELS: u64 =
    Want::Prompt.bit() | Want::Choices.bit() | Want::InputTokens.bit() | Want::OutputTokens.bit();
/// Marks that stay in an element that shows no style of its own: what they mean is for the question, or for the rest of a
/// stream, to say.
const UNDECIDED: u64 =
    Want::ToolCall.bit() | Want::OfferedTool.bit() | Want::Stream.bit() | Want::GraphQlCode.bit();

impl Gather {
    /// Whether bytes of the open value are wanted.
    pub(super) const fn is_open(&self) -> bool {
        !matches!(self.open, Open::Nothing)
    }

    /// Whether a value is being hashed.
    pub(super) const fn hashes(&self) -> bool {
        self.hashed.is_some()
    }

    /// Keeps what every element has, for this body.
    pub(super) const fn keep_all(&mut self) {
        self.keeps_all = true;
    }

    pub(super) fn element_began(&mut self) {
        self.element = (self.element + 1).min(MAX_ELEMENTS);
        self.element_marks = self.marks.len();
        self.element_texts = self.texts.len();
        self.seen = 0;
        (self.document, self.meant) = (None, Meant::Only);
    }

    /// Keeps the marks of an element that speaks a style, and no others.
    pub(super) fn element_ended(&mut self) {
        let seen = std::mem::take(&mut self.seen);
        self.all |= seen;
        if seen & (OF_GRAPHQL | Want::BrokenQuery.bit()) != 0 {
            self.asked(seen);
        }
        if !self.keeps_all && seen & (OF_RPC | OF_GRAPHQL) == 0 {
            self.forget_element();
        }
        (self.element_marks, self.element_texts) = (self.marks.len(), self.texts.len());
    }

    fn forget_element(&mut self) {
        let (from, len) = (self.element_marks, self.marks.len());
        if from == len {
            return;
        }
        // Only the element's own marks are looked at: those before it may be many.
        let mut kept = from;
        for at in from..len {
            if self.marks.get(at).is_some_and(|mark| UNDECIDED & mark.want.bit() != 0) {
                self.marks.swap(kept, at);
                kept += 1;
            }
        }
        self.marks.truncate(kept);
        if kept == from {
            self.texts.truncate(self.element_texts);
        }
    }

    /// The open element asks for something in GraphQL.
    fn asked(&mut self, seen: u64) {
        let asked = self.graphql.get_or_insert_default();
        let meant = std::mem::take(&mut self.meant);
        let hash =
            self.marks.get(self.element_marks..).unwrap_or_default().iter().find_map(|mark| match *mark {
                Raw { want: Want::PersistedHash, value: RawValue::Text { start, end }, .. } => {
                    Some((start, end))
                }
                _ => None,
            });
        match (self.document.take(), hash) {
            (Some(document), _) => asked.add(*document, &meant),
            (None, Some((start, end))) => {
                asked.add_persisted(self.texts.get(start..end).unwrap_or_default(), &meant);
            }
            (None, None) if seen & OF_GRAPHQL != 0 => {
                (asked.batch, asked.more) = (asked.batch + 1, true);
            }
            (None, None) => asked.broken = true,
        }
    }

    /// A member of that name begins at a place that is not nowhere.
    pub(super) fn member(&mut self, place: Place, name: &[u8]) {
        if place == Place::Leaf(Want::Variable) {
            let start = self.texts.len();
            self.text_at = start;
            self.text(name);
            self.mark(Want::Variable, RawValue::Text { start, end: self.texts.len() });
        }
    }

    /// A value begins with `byte` at a place that is not nowhere.
    pub(super) fn value(&mut self, place: Place, byte: u8) {
        match place {
            Place::Leaf(Want::Variable) => self.kind(Want::VariableType, byte),
            // That it is there says everything.
            Place::Leaf(Want::JsonRpc) => self.seen |= Want::JsonRpc.bit(),
            Place::Leaf(want) => self.leaf(want, byte),
            Place::Kind(Want::Data) => self.no_data |= byte == b'n',
            Place::Kind(want) => self.seen |= want.bit(),
            Place::Hashed(want) => {
                self.hashed = Some(want);
                let sha = self.sha.get_or_insert_with(Sha256::new);
                // A number is read from its first byte on.
                if !matches!(byte, b'-' | b'0'..=b'9') {
                    sha.update([byte]);
                }
            }
            Place::Document if byte == b'"' => {
                self.scanner.get_or_insert_default().clear();
                self.open = Open::Document;
            }
            Place::PartKind if byte == b'"' => {
                self.text_at = self.texts.len();
                self.open = Open::PartKind;
            }
            Place::Result => self.kind(Want::Result, byte),
            Place::Error => self.kind(Want::Error, byte),
            Place::Definition => self.kind(Want::Definition, byte),
            Place::Choices => self.seen |= Want::Choices.bit(),
            Place::GraphQlError => self.errors = self.errors.saturating_add(1),
            Place::Part | Place::Function => self.calls = place == Place::Function,
            _ => {}
        }
    }

    fn leaf(&mut self, want: Want, byte: u8) {
        self.text_at = self.texts.len();
        match byte {
            b'"' => self.open = Open::Text(want),
            b'-' | b'0'..=b'9' => self.open = Open::Number(want),
            _ => self.kind(want, byte),
        }
    }

    fn kind(&mut self, want: Want, byte: u8) {
        let value = match byte {
            b't' => RawValue::Truth(true),
            b'f' => RawValue::Truth(false),
            b'{' => RawValue::Object,
            b'[' => RawValue::Array,
            b'"' => RawValue::Text { start: 0, end: 0 },
            b'-' | b'0'..=b'9' => RawValue::Number { start: 0, end: 0 },
            _ => RawValue::Null,
        };
        self.mark(want, value);
    }

    /// The next bytes of the open value.
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        if self.open != Open::Document {
            self.text(bytes);
        } else if let Some(scanner) = &mut self.scanner {
            scanner.feed(bytes);
        }
    }

    fn text(&mut self, bytes: &[u8]) {
        let room = MAX_TEXT.saturating_sub(self.texts.len() - self.text_at.min(self.texts.len()));
        let wanted = room.min(bytes.len());
        let room = room.min(MAX_TEXTS.saturating_sub(self.texts.len()));
        self.more |= room < wanted;
        self.texts.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
    }

    /// The open value ended.
    pub(super) fn value_ended(&mut self) {
        let (start, end) = (self.text_at, self.texts.len());
        match std::mem::take(&mut self.open) {
            Open::Nothing => {}
            Open::Text(Want::ToolCall) if !self.calls => self.texts.truncate(start),
            Open::Text(want) => self.scalar(want, RawValue::Text { start, end }),
            Open::Number(want) => self.scalar(want, RawValue::Number { start, end }),
            Open::Document => self.document_ended(),
            Open::PartKind => {
                let kind = self.texts.get(start..).unwrap_or_default();
                self.calls =
                    matches!(kind, b"tool_use" | b"function_call" | b"mcp_call" | b"server_tool_use");
                self.texts.truncate(start);
            }
        }
    }

    fn scalar(&mut self, want: Want, value: RawValue) {
        if want == Want::OperationName {
            return self.operation_named();
        }
        if LATEST & want.bit() == 0 {
            return self.mark(want, value);
        }
        self.seen |= want.bit();
        let text = self.texts.get(self.text_at..).unwrap_or_default();
        match self.latest.iter_mut().find(|(known, _)| *known == want) {
            Some((_, latest)) => {
                latest.clear();
                latest.extend_from_slice(text);
            }
            None => self.latest.push((want, text.to_vec())),
        }
        self.texts.truncate(self.text_at);
    }

    /// The name of the operation that is meant. Of two the later one counts, as it does in most readers.
    fn operation_named(&mut self) {
        let name = self.texts.get(self.text_at..).unwrap_or_default();
        // Where all texts have no more room, the name may be longer.
        self.meant =
            if self.texts.len() < MAX_TEXTS { Meant::Named(Name::new(name)) } else { Meant::Unclear };
        self.texts.truncate(self.text_at);
    }

    fn document_ended(&mut self) {
        let Some(scanner) = &mut self.scanner else { return };
        let began = scanner.began();
        match scanner.finish() {
            Some(document) => {
                self.more |= self.document.is_some();
                self.document = Some(Box::new(document));
                self.seen |= Want::Query.bit();
            }
            None if began => self.seen |= Want::BrokenQuery.bit(),
            None => {}
        }
    }

    fn mark(&mut self, want: Want, value: RawValue) {
        self.seen |= want.bit();
        if self.marks.len() < MAX_MARKS {
            self.marks.push(Raw { want, element: self.element, value });
        } else {
            self.more = true;
        }
    }

    /// Takes bytes of what is hashed. White space does not count, so that it is no change.
    pub(super) fn hash(&mut self, bytes: &[u8]) {
        if let Some(sha) = &mut self.sha {
            bytes.split(u8::is_ascii_whitespace).for_each(|piece| sha.update(piece));
        }
    }

    /// What is hashed ended.
    pub(super) fn hash_ended(&mut self) {
        let (Some(want), Some(sha)) = (self.hashed.take(), self.sha.take()) else { return };
        let digest = sha.finalize().first_chunk::<8>().copied().unwrap_or_default();
        self.mark(want, RawValue::Digest(digest));
    }

    /// A document was broken off: its open element says nothing.
    pub(super) fn broke_off(&mut self) {
        (self.sha, self.hashed, self.open) = (None, None, Open::Nothing);
        self.marks.truncate(self.element_marks);
        self.texts.truncate(self.element_texts);
        self.seen = 0;
        (self.document, self.meant) = (None, Meant::Only);
    }

    /// Bytes that are held for the open body.
    pub(super) fn held(&self) -> usize {
        let marks = self.marks.capacity() * size_of::<Raw>();
        let scanner = self.scanner.as_ref().map_or(0, |scanner| scanner.held());
        let document = self.document.as_ref().map_or(0, |document| document.held());
        let asked = self.graphql.as_ref().map_or(0, |asked| asked.held());
        marks + self.texts.capacity() + scanner + document + asked
    }

    /// The notes of a body; empties the collection.
    pub(super) fn take(&mut self) -> Option<Box<Notes>> {
        // An element that did not end is judged like one that did.
        self.element_ended();
        let spoken = self.keeps_all || self.all & (OF_RPC | OF_GRAPHQL | OF_MODELS) != 0;
        let empty = self.marks.is_empty() && self.latest.is_empty();
        let prompts = self.all & Want::Prompt.bit() != 0;
        let notes = (self.errors > 0 || self.graphql.is_some() || prompts || spoken && !empty)
            .then(|| Box::new(self.notes()));
        self.marks.clear();
        self.texts.clear();
        self.latest.clear();
        (self.document, self.meant) = (None, Meant::Only);
        (self.sha, self.hashed, self.open) = (None, None, Open::Nothing);
        (self.text_at, self.element_texts, self.element_marks, self.element) = (0, 0, 0, 0);
        (self.seen, self.all, self.errors) = (0, 0, 0);
        (self.calls, self.no_data, self.more, self.keeps_all) = (false, false, false, false);
        notes
    }

    fn notes(&mut self) -> Notes {
        let text = |start, end| self.texts.get(start..end).unwrap_or_default();
        let value = |raw: RawValue| match raw {
            RawValue::Text { start, end } => Value::Text(Name::new(text(start, end))),
            RawValue::Number { start, end } => number(text(start, end)),
            RawValue::Truth(truth) => Value::Truth(truth),
            RawValue::Digest(digest) => Value::Digest(digest),
            RawValue::Null => Value::Null,
            RawValue::Object => Value::Object,
            RawValue::Array => Value::Array,
        };
        let latest = self.latest.iter().map(|(want, text)| Mark {
            want: *want,
            element: 0,
            value: match *want {
                Want::Model | Want::StopReason => Value::Text(Name::new(text)),
                _ => number(text),
            },
        });
        let marks = self.marks.iter().map(|raw| Mark {
            want: raw.want,
            element: raw.element,
            value: value(raw.value),
        });
        Notes {
            marks: latest.chain(marks).collect(),
            graphql: self.graphql.take(),
            seen: self.all,
            errors: self.errors,
            no_data: self.no_data,
            more: self.more,
            ..Notes::default()
        }
    }
}

/// A whole number, also one that is written with an exponent or with zeros behind the point (RFC 8259, 6), as exactly as
/// most readers have it: what does not fit, or has a fraction, is no count.
fn number(text: &[u8]) -> Value {
    const EXACT: f64 = (1_u64 << 53) as f64;
    let Ok(text) = std::str::from_utf8(text) else { return Value::OtherNumber };
    if let Ok(number) = text.parse() {
        return Value::Number(number);
    }
    match text.parse::<f64>() {
        // Both checks make the conversion exact.
        #[allow(clippy::cast_possible_truncation, reason = "it has no fraction, and is as small as that")]
        Ok(number) if number.fract() == 0.0 && number.abs() <= EXACT => Value::Number(number as i64),
        _ => Value::OtherNumber,
    }
}
