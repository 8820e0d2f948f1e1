//! JSON (RFC 8259), also as a sequence of values (NDJSON; RFC 7464).
//!
//! A push tokenizer: the grammar is checked byte by byte, key paths are hashed as they pass, no value is kept. What is
//! inside strings is not checked for being UTF-8: clients read what servers send.

mod gather;
mod keys;
mod members;
mod numbers;
mod places;
mod rows;
mod strings;

use self::gather::Gather;
use self::members::Members;
use self::numbers::Number;
use self::places::Place;
use super::login::LoginFields;
use super::notes::Notes;
use super::paths::{KEY_BYTES, KeyPaths, PathHash};
use super::{PayloadFormat, PayloadParser, Reading};
use crate::PayloadState;
use crate::fields::Equipment;
use crate::fields::{FieldIndex, FieldList, Fields, Kind, ODD_BYTES, Step};

pub(super) const FORMAT: PayloadFormat = PayloadFormat {
    name: "json",
    summary: "JSON, a document or a sequence of them: validity, fields and shape are read, to 64 levels",
    media_types: &[
        "application/json",
        "text/json",
        "*/*+json",
        "application/x-ndjson",
        "application/jsonl",
        "application/json-seq",
    ],
    matches,
    begins: |byte| matches!(byte, b'{' | b'['),
    parser: || Box::<Json>::default(),
};

fn matches(media_type: &[u8]) -> bool {
    const NAMES: &[&[u8]] = &[
        b"application/json",
        b"text/json",
        b"application/x-ndjson",
        b"application/ndjson",
        b"application/jsonl",
        b"application/jsonlines",
        b"application/x-jsonlines",
        b"application/json-seq",
        b"application/x-json",
    ];
    // gRPC's messages may be JSON, in frames that are not.
    let of_grpc = media_type.starts_with(b"application/grpc");
    NAMES.contains(&media_type) || media_type.ends_with(b"+json") && !of_grpc
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// Containers inside one another that are followed.
const MAX_DEPTH: usize = 64;
/// Bytes kept of a key or a value.
const KEPT: usize = if KEY_BYTES > ODD_BYTES { KEY_BYTES } else { ODD_BYTES };

/// What may come next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the first document, where a byte order mark may stand (RFC 8259, 8.1): bytes of it seen.
    Start(u8),
    /// Right behind a document: two scalars must not touch.
    Ended,
    /// Between two documents.
    Between,
    /// A value.
    Value,
    /// A value or the end of the array that just began.
    FirstElement,
    /// A key or the end of the object that just began.
    FirstKey,
    /// A key.
    Key,
    /// The colon behind a key.
    Colon,
    /// A comma or the end of the container.
    Next,
    /// The inside of a string.
    Text,
    /// What follows a backslash.
    Escape,
    /// Hexadecimal digits of `\u`: those still to come.
    Unicode(u8),
    /// The inside of a number.
    Number(Number),
    /// The rest of `true`, `false` or `null`.
    Literal(&'static [u8]),
    /// The grammar was broken.
    Invalid,
    /// More containers than are followed.
    TooDeep,
    /// The first key or element of what is hashed: what follows is.
    HashedKey,
    HashedElement,
    /// Right behind what was hashed.
    HashedEnd,
}

/// An open container.
#[derive(Debug, Clone, Copy)]
struct Frame {
    /// The path of an object, or of an array's elements.
    path: PathHash,
    /// Member names on the way to it.
    names: u8,
    object: bool,
    /// Where it, or an array's elements, stand for the styles of calls.
    place: Place,
    /// The field of an object, or of an array's elements.
    field: FieldIndex,
    /// Commas.
    commas: u32,
    /// The member of an object that came last.
    last: FieldIndex,
}

impl Frame {
    /// Of no container.
    const NONE: Self = Self {
        path: PathHash::ROOT,
        names: 0,
        object: false,
        place: Place::Nowhere,
        field: FieldIndex::NOWHERE,
        commas: 0,
        last: FieldIndex::NOWHERE,
    };
}

pub(super) struct Json {
    state: State,
    frames: [Frame; MAX_DEPTH],
    depth: usize,
    /// The path of the value that is next or under way.
    path: PathHash,
    names: u8,
    documents: u64,
    /// Whether the open string is a key.
    key: bool,
    /// The beginning of the open key or value, where it came in pieces or with escapes.
    text: Vec<u8>,
    /// Decoded bytes of the open string.
    text_len: usize,
    /// The UTF-16 unit being read, and the leading surrogate before it.
    unit: u16,
    surrogate: Option<u16>,
    paths: KeyPaths,
    fields: Fields,
    members: Members,
    /// The field of the value that is next or under way.
    field: FieldIndex,
    login: LoginFields,
    place: Place,
    gather: Gather,
    /// Containers around what is hashed.
    hash_depth: usize,
}

impl Default for Json {
    fn default() -> Self {
        Self {
            state: State::Start(0),
            frames: [Frame::NONE; MAX_DEPTH],
            depth: 0,
            path: PathHash::ROOT,
            names: 0,
            documents: 0,
            key: false,
            text: Vec::new(),
            text_len: 0,
            unit: 0,
            surrogate: None,
            paths: KeyPaths::default(),
            fields: Fields::default(),
            members: Members::default(),
            field: FieldIndex::NOWHERE,
            login: LoginFields::default(),
            place: Place::Root,
            gather: Gather::default(),
            hash_depth: 0,
        }
    }
}

/// The notes on a document that is here in pieces, and of which it is known that a style is spoken.
pub(super) fn note(pieces: &[&[u8]]) -> Notes {
    let mut json = Json::default();
    json.gather.keep_all();
    pieces.iter().for_each(|piece| json.feed(piece));
    json.finish(true).notes.map(|notes| *notes).unwrap_or_default()
}

impl PayloadParser for Json {
    fn reuse(&mut self, list: Box<FieldList>) {
        self.fields.reuse(list);
    }

    fn equip(&mut self, equipment: &Equipment) {
        self.fields.equip(equipment);
    }

    fn feed(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let (before, hashes) = (rest, self.gather.hashes());
            rest = match self.state {
                State::Text => self.text(rest),
                State::Escape => self.escape(rest),
                State::Unicode(left) => self.unicode(rest, left),
                State::Number(number) => self.number(rest, number),
                State::Literal(expected) => self.literal(rest, expected),
                State::Next => self.next(rest),
                State::Invalid | State::TooDeep => return,
                State::HashedKey | State::HashedElement | State::HashedEnd => self.turn(rest),
                _ => self.structure(rest),
            };
            if hashes {
                self.gather.hash(before.get(..before.len() - rest.len()).unwrap_or_default());
            }
        }
    }

    fn finish(&mut self, whole: bool) -> Reading {
        let ended = match self.state {
            State::Between | State::Ended => self.documents > 0,
            State::Number(number) => self.depth == 0 && number.may_end(),
            _ => false,
        };
        let state = match self.state {
            State::Invalid => PayloadState::Invalid,
            State::TooDeep => PayloadState::Partial,
            _ if !whole => PayloadState::Partial,
            _ if ended => PayloadState::Read,
            _ => PayloadState::Invalid,
        };
        let keys = self.paths.take_sample();
        let (fields, shape) = self.paths.take();
        let login = self.login.take();
        if let State::Number(number) = self.state
            && ended
        {
            self.number_ended(number, &[], None);
        }
        self.close_fields();
        self.state = State::Start(0);
        self.depth = 0;
        self.documents = 0;
        self.surrogate = None;
        self.members.clear();
        let list = self.fields.take().filter(|_| state != PayloadState::Invalid);
        Reading { state, fields, shape, keys, login, notes: self.gather.take(), list, ..Reading::default() }
    }

    fn held(&self) -> usize {
        self.gather.held() + self.fields.held() + self.login.held()
    }
}

impl Json {
    /// Ends a document from outside: of one that is cut or broken nothing is kept, and the next one begins anew.
    pub(super) fn document_ended(&mut self) {
        if !matches!(self.state, State::Start(_) | State::Ended | State::Between) {
            self.gather.broke_off();
            self.login.end();
            self.close_fields();
            self.depth = 0;
            self.surrogate = None;
        }
        self.state = State::Between;
    }

    /// The objects that are open will not end: they say nothing of the members that did not come.
    fn close_fields(&mut self) {
        let open = self.frames.iter().take(self.depth).filter(|frame| frame.object);
        open.for_each(|frame| self.fields.unended(frame.field));
    }

    /// Everything outside strings, numbers and literals. Returns what it did not read.
    fn structure<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let mut rest = bytes;
        while let Some((&byte, tail)) = rest.split_first() {
            let here = rest;
            rest = tail;
            match (self.state, byte) {
                (State::Start(seen), _) if BYTE_ORDER_MARK.get(usize::from(seen)) == Some(&byte) => {
                    self.state = if seen == 2 { State::Between } else { State::Start(seen + 1) };
                }
                (State::Start(1 | 2), _) => self.state = State::Invalid,
                (State::Ended, b' ' | b'\n' | b'\r' | b'\t' | 0x1e) => self.state = State::Between,
                // A byte order mark stands at the very front or nowhere.
                (State::Start(_), b' ' | b'\n' | b'\r' | b'\t' | 0x1e) => self.state = State::Between,
                (_, b' ' | b'\n' | b'\r' | b'\t') | (State::Between, 0x1e) => {}
                (State::FirstKey | State::Key, b'"') => return self.open_key(rest),
                (State::Colon, b':') => self.state = State::Value,
                (State::Next, b',') => self.next_member(),
                (State::FirstElement | State::Next, b']') => self.close(false),
                (State::FirstKey | State::Next, b'}') => self.close(true),
                (State::Between | State::Start(0), _) | (State::Ended, b'{' | b'[') => {
                    (self.path, self.names, self.place) = (PathHash::ROOT, 0, Place::Root);
                    self.field = self.fields.document();
                    self.paths.mark(self.path.kind(if matches!(byte, b'{' | b'[') { byte } else { 0 }));
                    self.value(byte);
                }
                (State::Value | State::FirstElement, _) => self.value(byte),
                _ => self.state = State::Invalid,
            }
            if matches!(self.state, State::Number(_)) {
                // A number is read from its first byte on, so that it lies in one piece.
                return here;
            }
            if matches!(
                self.state,
                State::Text
                    | State::Literal(_)
                    | State::Invalid
                    | State::TooDeep
                    | State::HashedKey
                    | State::HashedElement
                    | State::HashedEnd
            ) {
                break;
            }
        }
        rest
    }

    /// What is hashed begins or ends here: no byte is read, so that those before and behind are told apart.
    fn turn<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        self.state = match self.state {
            State::HashedKey => State::FirstKey,
            State::HashedElement => State::FirstElement,
            _ => {
                self.gather.hash_ended();
                State::Next
            }
        };
        bytes
    }

    /// A value begins with `byte`.
    fn value(&mut self, byte: u8) {
        if self.place != Place::Nowhere {
            self.wanted_value(byte);
        }
        match byte {
            b'{' => self.open(true),
            b'[' => self.open(false),
            b'"' => {
                self.key = false;
                self.text.clear();
                self.text_len = 0;
                self.state = State::Text;
            }
            b'-' | b'0'..=b'9' => {
                self.text.clear();
                self.state = State::Number(Number::Begin);
            }
            b't' => self.literal_began(Kind::Boolean, b"rue"),
            b'f' => self.literal_began(Kind::Boolean, b"alse"),
            b'n' => self.literal_began(Kind::Null, b"ull"),
            _ => self.state = State::Invalid,
        }
    }

    fn literal_began(&mut self, kind: Kind, rest: &'static [u8]) {
        self.fields.value(self.field, kind);
        self.state = State::Literal(rest);
    }

    fn wanted_value(&mut self, byte: u8) {
        self.gather.value(self.place, byte);
        self.hash_depth = if matches!(self.place, Place::Hashed(_)) { self.depth } else { self.hash_depth };
        if self.place == Place::Root && byte == b'{' {
            self.gather.element_began();
        }
    }

    fn open(&mut self, object: bool) {
        self.login.end();
        let path = if object { self.path } else { self.path.elements() };
        let Some(frame) = self.frames.get_mut(self.depth) else {
            self.state = State::TooDeep;
            return;
        };
        let place = if object { self.place } else { self.place.element() };
        self.fields.value(self.field, if object { Kind::Object } else { Kind::Array });
        if !object {
            self.field = self.fields.step(self.field, path, Step::Element, b"");
        }
        let (names, field) = (self.names, self.field);
        *frame = Frame { path, names, object, place, field, commas: 0, last: FieldIndex::NOWHERE };
        self.depth += 1;
        self.path = path;
        self.state = match (object, matches!(self.place, Place::Hashed(_))) {
            (true, false) => State::FirstKey,
            (false, false) => State::FirstElement,
            (true, true) => State::HashedKey,
            (false, true) => State::HashedElement,
        };
        self.place = place;
    }

    fn close(&mut self, object: bool) {
        let top = self.top().unwrap_or(Frame::NONE);
        if self.depth > 0 && top.object == object {
            self.depth -= 1;
            if object && top.place == Place::Root {
                self.gather.element_ended();
            }
            if !object {
                let elements = if self.state == State::FirstElement { 0 } else { top.commas as usize + 1 };
                self.fields.items(top.field, elements);
            }
            self.value_ended();
        } else {
            self.state = State::Invalid;
        }
    }

    fn top(&self) -> Option<Frame> {
        self.frames.get(self.depth.checked_sub(1)?).copied()
    }

    fn value_ended(&mut self) {
        self.login.end();
        if self.gather.is_open() {
            self.gather.value_ended();
        }
        self.state = match self.depth {
            0 => {
                self.documents += 1;
                State::Ended
            }
            depth if self.gather.hashes() && depth == self.hash_depth => State::HashedEnd,
            _ => State::Next,
        };
    }

    fn next_member(&mut self) {
        let depth = self.depth.wrapping_sub(1);
        let Some(top) = self.frames.get_mut(depth) else { return };
        top.commas = top.commas.saturating_add(1);
        (self.path, self.names, self.place, self.field) = (top.path, top.names, top.place, top.field);
        self.state = if top.object { State::Key } else { State::Value };
    }

    fn literal<'a>(&mut self, bytes: &'a [u8], expected: &'static [u8]) -> &'a [u8] {
        let len = expected.len().min(bytes.len());
        let (found, rest) = bytes.split_at_checked(len).unwrap_or_default();
        match expected.strip_prefix(found) {
            Some([]) => self.value_ended(),
            Some(left) => self.state = State::Literal(left),
            None => self.state = State::Invalid,
        }
        rest
    }
}

#[cfg(test)]
mod tests;
