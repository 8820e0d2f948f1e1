//! Forms in several parts (RFC 7578, RFC 2046 5.1): names, types and sizes of the parts, and the values of those that are
//! no files. The operations of a GraphQL upload are read as JSON.

use super::json::Json;
use super::login::LoginFields;
use super::paths::{KeyPaths, PathHash};
use super::{PayloadFormat, PayloadParser, Reading};
use crate::PayloadState;
use crate::fields::Equipment;
use crate::fields::{FieldIndex, FieldList, Fields, Kind, ODD_BYTES, Step};
use crate::style::{Fact, Facts, Name, Said, Spoken, Style};

pub(super) const FORMAT: PayloadFormat = PayloadFormat {
    name: "multipart",
    summary: "Parts of a form or of another multipart body: names, types and sizes are read",
    media_types: &["multipart/form-data", "multipart/mixed", "multipart/related"],
    matches: |media_type| media_type.starts_with(b"multipart/"),
    begins: |_| false,
    parser: || Box::<Multipart>::default(),
};

pub(crate) const STYLE: Style = Style {
    name: "multipart",
    summary: "the parts of a request with names, file names, types and sizes",
    told_by: "multipart/form-data and its relatives",
    read,
};

/// RFC 2046 allows 70.
const MAX_BOUNDARY: usize = 200;
/// Bytes of one part's head that are read, and parts that are listed.
const MAX_HEAD: usize = 2 << 10;
const MAX_PARTS: usize = 64;

/// A part as its head describes it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Part {
    pub(crate) name: Option<Name>,
    pub(crate) file_name: Option<Name>,
    pub(crate) media_type: Option<Name>,
    /// Bytes of content.
    pub(crate) bytes: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    /// Up to the first delimiter; it tells the boundary where the Content-Type did not.
    #[default]
    Preamble,
    /// Behind a delimiter, up to the line's end: whether dashes came that make it the last.
    Delimiter(u8),
    Head,
    Content,
    Epilogue,
}

#[derive(Default)]
struct Multipart {
    boundary: Vec<u8>,
    state: State,
    /// Bytes of LF, two dashes and the boundary that match so far, and whether a CR stands before them.
    matched: usize,
    cr: bool,
    /// The open line of a head, or the first line of a body whose boundary is not known.
    line: Vec<u8>,
    head: usize,
    part: Part,
    parts: Vec<Part>,
    count: u64,
    cut: bool,
    paths: KeyPaths,
    fields: Fields,
    /// The field of the open part, and the beginning of its value.
    field: Option<FieldIndex>,
    value: Vec<u8>,
    login: LoginFields,
    json: Option<Json>,
    reads_json: bool,
}

impl PayloadParser for Multipart {
    fn reuse(&mut self, list: Box<FieldList>) {
        self.fields.reuse(list);
    }

    fn equip(&mut self, equipment: &Equipment) {
        self.fields.equip(equipment);
    }

    fn begin(&mut self, content_type: &[u8]) {
        self.boundary.clear();
        self.boundary.extend(super::parameter(content_type, b"boundary").unwrap_or_default());
        self.boundary.truncate(MAX_BOUNDARY);
        self.restart();
    }

    fn feed(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some((&byte, tail)) = rest.split_first() {
            rest = match self.state {
                State::Preamble if self.boundary.is_empty() => {
                    self.first_line(byte);
                    tail
                }
                State::Preamble | State::Content => self.content(rest),
                State::Delimiter(dashes) => {
                    self.delimiter(dashes, byte);
                    tail
                }
                State::Head => {
                    self.head(byte);
                    tail
                }
                State::Epilogue => return,
            };
        }
    }

    fn finish(&mut self, whole: bool) -> Reading {
        let state = match (self.state, whole) {
            (_, false) => PayloadState::Partial,
            (State::Epilogue | State::Delimiter(2), true) => PayloadState::Read,
            _ => PayloadState::Invalid,
        };
        if self.state == State::Content {
            self.flush(false);
            self.part_ended();
        }
        if let Some(document) = self.fields.is_open() {
            self.fields.value(document, Kind::Object);
            if !whole {
                self.fields.unended(document);
            }
        }
        let list = self.fields.take().filter(|_| state != PayloadState::Invalid);
        let keys = self.paths.take_sample();
        let (fields, shape) = self.paths.take();
        let login = self.login.take();
        let parts = std::mem::take(&mut self.parts);
        let mut notes = self.json.as_mut().and_then(|json| json.finish(true).notes);
        if self.count > 0 {
            let notes = notes.get_or_insert_default();
            notes.more |= self.cut || self.count > parts.len() as u64;
            (notes.parts, notes.part_count) = (parts, self.count);
        }
        self.boundary.clear();
        self.restart();
        Reading { state, fields, shape, keys, login, notes, list, ..Reading::default() }
    }

    fn held(&self) -> usize {
        self.json.as_ref().map_or(0, |json| size_of::<Json>() + json.held())
            + self.fields.held()
            + self.login.held()
    }
}

impl Multipart {
    /// A first line counts as if an LF stood before it.
    fn restart(&mut self) {
        (self.state, self.matched, self.cr) = (State::Preamble, 1, false);
        (self.count, self.cut, self.head, self.reads_json) = (0, false, 0, false);
        self.line.clear();
        self.part = Part::default();
        self.field = None;
        self.value.clear();
    }

    /// Without a boundary in the Content-Type the first line is taken for one: some clients send such bodies.
    fn first_line(&mut self, byte: u8) {
        if byte != b'\n' {
            if self.line.len() <= MAX_BOUNDARY {
                self.line.push(byte);
            }
            return;
        }
        let line = self.line.trim_ascii_end();
        match line
            .strip_prefix(b"--")
            .filter(|boundary| !boundary.is_empty() && boundary.len() <= MAX_BOUNDARY)
        {
            Some(boundary) => {
                self.boundary = boundary.to_vec();
                self.begin_head();
            }
            None => self.state = State::Epilogue,
        }
    }

    /// Content up to what may be a delimiter: an LF, `--` and the boundary. A boundary has no LF, so a match that fails
    /// hides no other.
    fn content<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let mut rest = bytes;
        if self.matched == 0 {
            let len = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
            let (plain, tail) = rest.split_at_checked(len).unwrap_or((rest, &[]));
            self.plain(plain);
            let Some((_, tail)) = tail.split_first() else { return &[] };
            self.matched = 1;
            rest = tail;
        }
        while let Some((&byte, tail)) = rest.split_first() {
            if self.expected(self.matched) != Some(byte) {
                self.flush(true);
                return rest;
            }
            self.matched += 1;
            rest = tail;
            if self.matched == self.boundary.len() + 3 {
                (self.matched, self.cr) = (0, false);
                if self.state == State::Content {
                    self.part_ended();
                }
                self.state = State::Delimiter(0);
                return rest;
            }
        }
        rest
    }

    /// The delimiter's byte at that place.
    fn expected(&self, at: usize) -> Option<u8> {
        match at {
            0 => Some(b'\n'),
            1 | 2 => Some(b'-'),
            _ => self.boundary.get(at - 3).copied(),
        }
    }

    /// Content bytes without an LF. A CR at their end may belong to a delimiter.
    fn plain(&mut self, bytes: &[u8]) {
        let Some((&last, before)) = bytes.split_last() else { return };
        if std::mem::take(&mut self.cr) {
            self.take(b"\r");
        }
        self.cr = last == b'\r';
        self.take(if self.cr { before } else { bytes });
    }

    /// What looked like a delimiter was content.
    fn flush(&mut self, in_preamble: bool) {
        if std::mem::take(&mut self.cr) {
            self.take(b"\r");
        }
        let matched = std::mem::take(&mut self.matched);
        // The LF that a body is thought to begin with is no byte of it.
        if matched > 0 && (self.state == State::Content || !in_preamble) {
            self.take(b"\n");
            self.take(b"--".get(..(matched - 1).min(2)).unwrap_or_default());
            let boundary = std::mem::take(&mut self.boundary);
            self.take(boundary.get(..matched.saturating_sub(3)).unwrap_or_default());
            self.boundary = boundary;
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        if self.state != State::Content {
            return;
        }
        self.part.bytes += bytes.len() as u64;
        let room = ODD_BYTES.saturating_sub(self.value.len()).min(bytes.len());
        self.value.extend_from_slice(bytes.get(..room).unwrap_or_default());
        if self.login.is_open() {
            self.login.value(bytes);
        }
        if self.reads_json
            && let Some(json) = &mut self.json
        {
            json.feed(bytes);
        }
    }

    fn delimiter(&mut self, dashes: u8, byte: u8) {
        self.state = match byte {
            b'-' if dashes < 2 => State::Delimiter(dashes + 1),
            b'\n' if dashes == 2 => State::Epilogue,
            b'\n' => return self.begin_head(),
            _ => State::Delimiter(dashes),
        };
    }

    fn begin_head(&mut self) {
        (self.state, self.head) = (State::Head, 0);
        self.line.clear();
        self.part = Part::default();
    }

    fn head(&mut self, byte: u8) {
        self.head += 1;
        if byte != b'\n' {
            if self.head <= MAX_HEAD {
                self.line.push(byte);
            } else {
                self.cut = true;
            }
            return;
        }
        let mut line = std::mem::take(&mut self.line);
        if line.trim_ascii_end().is_empty() && self.head <= MAX_HEAD {
            self.head_ended();
        } else {
            self.field(line.trim_ascii_end());
        }
        line.clear();
        self.line = line;
        // A head that goes on beyond its cap is read as content: nothing tells where it ends.
        if self.state == State::Head && self.head > MAX_HEAD {
            self.head_ended();
        }
    }

    fn field(&mut self, line: &[u8]) {
        let Some(colon) = memchr::memchr(b':', line) else { return };
        let (name, value) = line.split_at_checked(colon).unwrap_or_default();
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        if name.eq_ignore_ascii_case(b"content-disposition") {
            let parameter = |name: &[u8]| super::parameter(value, name).map(|text| Name::new(&text));
            self.part.name = parameter(b"name");
            self.part.file_name = parameter(b"filename").or_else(|| parameter(b"filename*"));
        } else if name.eq_ignore_ascii_case(b"content-type") {
            let essence = value.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
            self.part.media_type = Some(Name::new(&essence.to_ascii_lowercase()));
        }
    }

    fn head_ended(&mut self) {
        (self.state, self.matched, self.cr) = (State::Content, 0, false);
        let name = self.part.name.as_ref().map(|name| name.as_str().as_bytes().to_vec());
        self.field = None;
        self.value.clear();
        // A part without a name is one of an answer that comes in parts, as GraphQL's do.
        if name.is_none() {
            let is_json =
                |kind: &Name| super::by_media_type(kind.as_str().as_bytes()).map(|format| format.name);
            self.reads_json = self.part.media_type.as_ref().and_then(is_json) == Some("json");
        }
        if let Some(name) = name {
            let path = PathHash::ROOT.member(&name, name.len());
            let document = self.fields.document();
            self.paths.field(path, 1);
            self.field = Some(self.fields.member(document, path, &name).0);
            if self.part.file_name.is_none() {
                self.login.begin(&name);
            }
            // The name that GraphQL's multipart request specification gives it.
            self.reads_json = name == b"operations";
        }
        if self.reads_json {
            self.json.get_or_insert_default();
        }
    }

    fn part_ended(&mut self) {
        self.login.end();
        if std::mem::take(&mut self.reads_json)
            && let Some(json) = &mut self.json
        {
            json.document_ended();
        }
        self.count += 1;
        let part = std::mem::take(&mut self.part);
        if let Some(field) = self.field.take() {
            self.tell(field, &part);
        }
        if self.parts.len() < MAX_PARTS {
            self.parts.push(part);
        }
    }
}

impl Multipart {
    /// Tells the value of a part; of a file, its size, its name and its type.
    fn tell(&mut self, field: FieldIndex, part: &Part) {
        let Some(file_name) = &part.file_name else {
            let len = usize::try_from(part.bytes).unwrap_or(usize::MAX);
            return self.fields.untyped(field, &self.value, len);
        };
        self.fields.bytes(field, part.bytes);
        let path = PathHash::ROOT.kind(b'@');
        let name = part.name.as_ref().map(|name| name.as_str().as_bytes()).unwrap_or_default();
        for (what, text) in [("filename", Some(file_name)), ("type", part.media_type.as_ref())] {
            let Some(text) = text.map(|text| text.as_str().as_bytes()) else { continue };
            let path = path.member(name, name.len()).member(what.as_bytes(), what.len());
            let at = self.fields.step(field, path, Step::Attribute, what.as_bytes());
            self.fields.untyped(at, text, text.len());
        }
    }
}

fn read(spoken: &mut Spoken<'_>, said: &mut Said) {
    let asked = spoken.asked;
    if asked.part_count == 0 {
        return;
    }
    let part = |part: &Part| {
        let mut facts = Facts::new();
        facts.extend(part.name.clone().map(|name| ("name", Fact::Name(name))));
        facts.extend(part.file_name.clone().map(|name| ("file_name", Fact::Content(name))));
        facts.extend(part.media_type.clone().map(|name| ("type", Fact::Name(name))));
        facts.push(("bytes", Fact::Count(part.bytes)));
        Fact::Group(facts)
    };
    let mut facts = vec![("count", Fact::Count(asked.part_count))];
    facts.push(("parts", Fact::List(asked.parts.iter().map(part).collect())));
    if asked.more {
        facts.push(("more", Fact::Truth(true)));
    }
    said.facts.push((STYLE.name, facts));
}

#[cfg(test)]
mod tests;
