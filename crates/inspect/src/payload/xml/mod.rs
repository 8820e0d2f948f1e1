//! XML (1.0, fifth edition) in UTF-8 or UTF-16, and the calls made in it: SOAP and XML-RPC.
//!
//! A push tokenizer: elements are matched, their paths are hashed by local names, no tree is built. References to the five
//! named characters and to numbers are read; entities are never expanded, and a document type is a fact about the bytes.

mod rpc;
mod soap;
mod tokens;
mod utf16;

pub(crate) use soap::STYLE;

use super::login::LoginFields;
use super::notes::Notes;
use super::paths::{KeyPaths, PathHash};
use super::{PayloadFormat, PayloadParser, Reading};
use crate::PayloadState;
use crate::fields::Equipment;
use crate::fields::{FieldIndex, FieldList, Fields, Kind, ODD_BYTES, Step};
use crate::style::Name;
use rpc::{Calls, Counts, Part};
use tapwire_protocol::{Anomalies, Anomaly};
use tokens::{Token, Tokenizer};
use utf16::Utf16;

pub(super) const FORMAT: PayloadFormat = PayloadFormat {
    name: "xml",
    summary: "XML: elements and attributes are read to 64 levels; no entity is expanded, a document type is an anomaly",
    media_types: &["application/xml", "text/xml", "*/*+xml"],
    matches: |media_type| {
        matches!(media_type, b"application/xml" | b"text/xml") || media_type.ends_with(b"+xml")
    },
    begins: |byte| byte == b'<',
    parser: || Box::<Xml>::default(),
};

/// The method of XML-RPC that makes several calls in one.
const SEVERAL: &str = "system.multicall";
/// Elements inside one another that are followed.
const MAX_DEPTH: usize = 64;

/// What a call in XML consists of.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct XmlCall {
    /// SOAP's version, by the namespace of its envelope.
    pub(crate) soap: Option<&'static str>,
    /// The first element in SOAP's body.
    pub(crate) body: Option<Name>,
    /// The method of XML-RPC.
    pub(crate) method: Option<Name>,
    pub(crate) fault: bool,
    pub(crate) fault_code: Option<Name>,
    /// What XML-RPC's values say.
    pub(crate) rpc: Counts,
}

/// An open element.
#[derive(Debug, Clone, Copy)]
struct Element {
    path: PathHash,
    field: FieldIndex,
    /// Whether it has elements in it, and attributes.
    elements: bool,
    attributes: bool,
    /// The name as written, for matching its end.
    name: PathHash,
    place: Place,
}

impl Element {
    const NONE: Self = Self {
        path: PathHash::ROOT,
        field: FieldIndex::NOWHERE,
        elements: false,
        attributes: false,
        name: PathHash::ROOT,
        place: Place::Nowhere,
    };
}

/// The text of the innermost element, or what came of it behind its last child: its beginning, and how long it is up to
/// the last byte that is no white space.
#[derive(Default)]
struct Content {
    begin: Vec<u8>,
    len: usize,
    trimmed: usize,
}

impl Content {
    fn clear(&mut self) {
        self.begin.clear();
        (self.len, self.trimmed) = (0, 0);
    }

    fn add(&mut self, text: &[u8]) {
        let text = if self.trimmed == 0 { text.trim_ascii_start() } else { text };
        let room = ODD_BYTES.saturating_sub(self.begin.len()).min(text.len());
        self.begin.extend_from_slice(text.get(..room).unwrap_or_default());
        let trimmed = text.trim_ascii_end().len();
        if trimmed > 0 {
            self.trimmed = self.len + trimmed;
        }
        self.len += text.len();
    }

    /// The beginning without white space around it, and the length of all.
    fn read(&self) -> (&[u8], usize) {
        (self.begin.get(..self.trimmed).unwrap_or(&self.begin), self.trimmed)
    }
}

/// Where in a call an element stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Place {
    #[default]
    Nowhere,
    Envelope,
    Body,
    Fault,
    FaultCode,
    MethodCall,
    MethodName,
    MethodResponse,
    /// Within a message of XML-RPC.
    Rpc(Part),
}

#[derive(Default)]
struct Xml {
    encoding: Utf16,
    tokens: Tokenizer,
    reader: Reader,
}

struct Reader {
    elements: [Element; MAX_DEPTH],
    depth: usize,
    roots: u32,
    too_deep: bool,
    broken: bool,
    anomalies: Anomalies,
    paths: KeyPaths,
    fields: Fields,
    content: Content,
    /// The attribute whose value comes next.
    attribute: Option<FieldIndex>,
    login: LoginFields,
    call: XmlCall,
    calls: Calls,
    /// The beginning of a text that the call is told by.
    text: Vec<u8>,
}

impl Default for Reader {
    fn default() -> Self {
        Self {
            elements: [Element::NONE; MAX_DEPTH],
            depth: 0,
            roots: 0,
            too_deep: false,
            broken: false,
            anomalies: Anomalies::default(),
            paths: KeyPaths::default(),
            fields: Fields::default(),
            content: Content::default(),
            attribute: None,
            login: LoginFields::default(),
            call: XmlCall::default(),
            calls: Calls::default(),
            text: Vec::new(),
        }
    }
}

impl PayloadParser for Xml {
    fn reuse(&mut self, list: Box<FieldList>) {
        self.reader.fields.reuse(list);
    }

    fn equip(&mut self, equipment: &Equipment) {
        self.reader.fields.equip(equipment);
    }

    fn feed(&mut self, bytes: &[u8]) {
        let Self { encoding, tokens, reader } = self;
        encoding.feed(bytes, &mut |text| tokens.feed(text, &mut |token| reader.token(token)));
    }

    fn finish(&mut self, whole: bool) -> Reading {
        let Self { encoding, tokens, reader } = self;
        encoding.finish(&mut |text| tokens.feed(text, &mut |token| reader.token(token)));
        let complete = self.tokens.finish() && self.reader.depth == 0 && self.reader.roots == 1;
        let broken = self.tokens.take_broken() || self.reader.broken;
        let state = match () {
            () if broken => PayloadState::Invalid,
            () if self.reader.too_deep || !whole => PayloadState::Partial,
            () if complete => PayloadState::Read,
            () => PayloadState::Invalid,
        };
        self.reader.take(state)
    }

    fn held(&self) -> usize {
        self.reader.fields.held() + self.reader.login.held()
    }
}

impl Reader {
    fn take(&mut self, state: PayloadState) -> Reading {
        let keys = self.paths.take_sample();
        let (fields, shape) = self.paths.take();
        let rpc = self.calls.take(&mut self.login);
        let (login, call) = (self.login.take(), XmlCall { rpc, ..std::mem::take(&mut self.call) });
        let notes = (call != XmlCall::default())
            .then(|| Box::new(Notes { xml: Some(Box::new(call)), ..Notes::default() }));
        let anomalies = std::mem::take(&mut self.anomalies);
        (self.depth, self.roots) = (0, 0);
        (self.too_deep, self.broken) = (false, false);
        self.text.clear();
        self.content.clear();
        self.attribute = None;
        let list = self.fields.take().filter(|_| state != PayloadState::Invalid);
        Reading { state, fields, shape, keys, login, notes, anomalies, list }
    }

    fn token(&mut self, token: Token<'_>) {
        if self.too_deep || self.broken {
            return;
        }
        match token {
            Token::Begin(name) => self.begin(name),
            Token::Attribute(name) => self.attribute(name),
            Token::Value(value) => {
                self.namespace(value);
                self.attribute_ended(value);
            }
            Token::Text(text) => self.text(text),
            Token::End(name) => self.end(Some(name)),
            Token::EndEmpty => self.end(None),
            Token::Doctype => self.anomalies.insert(Anomaly::XmlDoctype),
            Token::Entity => self.anomalies.insert(Anomaly::XmlEntity),
        }
    }

    fn top(&self) -> Option<&Element> {
        self.elements.get(self.depth.checked_sub(1)?)
    }

    fn top_mut(&mut self) -> Option<&mut Element> {
        self.elements.get_mut(self.depth.checked_sub(1)?)
    }

    fn begin(&mut self, name: &[u8]) {
        let parent = self.top().copied();
        let around = match parent {
            Some(parent) => parent.field,
            None => {
                self.roots += 1;
                self.broken |= self.roots > 1;
                let document = self.fields.document();
                self.fields.value(document, Kind::Object);
                document
            }
        };
        let local = local_name(name);
        let path = parent.map_or(PathHash::ROOT, |parent| parent.path).member(local, local.len());
        let place = self.place(parent.map(|parent| parent.place), local);
        let named = PathHash::ROOT.member(name, name.len());
        let Some(slot) = self.elements.get_mut(self.depth) else {
            self.too_deep = true;
            return;
        };
        let (field, is_new) = self.fields.member(around, path, local);
        *slot = Element { path, field, elements: false, attributes: false, name: named, place };
        if let Some(parent) = self.top_mut() {
            parent.elements = true;
        }
        self.depth += 1;
        if place == Place::Rpc(Part::Struct) {
            let is_several = self.call.method.as_ref().is_some_and(|method| method.as_str() == SEVERAL);
            self.calls.begin(self.depth, is_several);
        }
        self.content.clear();
        if is_new {
            self.paths.field(path, u8::try_from(self.depth).unwrap_or(u8::MAX));
        }
        self.login.begin(local);
        self.text.clear();
    }

    /// What an element is to a call, by its parent and its name.
    fn place(&mut self, parent: Option<Place>, local: &[u8]) -> Place {
        match (parent, local) {
            (None, b"Envelope") => Place::Envelope,
            (None, b"methodCall") => Place::MethodCall,
            (None, b"methodResponse") => Place::MethodResponse,
            (Some(Place::Envelope), b"Body") => {
                self.call.soap.get_or_insert("unknown");
                Place::Body
            }
            (Some(Place::Body), b"Fault") => {
                self.call.fault = true;
                Place::Fault
            }
            (Some(Place::Body), _) => {
                self.call.body.get_or_insert_with(|| Name::new(local));
                Place::Nowhere
            }
            (Some(Place::Fault), b"faultcode" | b"Code") => Place::FaultCode,
            (Some(Place::FaultCode), b"Value") => Place::FaultCode,
            (Some(Place::MethodCall), b"methodName") => Place::MethodName,
            (Some(Place::MethodResponse), b"fault") => {
                self.call.fault = true;
                Place::Rpc(Part::Other)
            }
            (Some(Place::MethodCall | Place::MethodResponse | Place::Rpc(_)), _) => {
                Place::Rpc(Part::of(local))
            }
            _ => Place::Nowhere,
        }
    }

    fn attribute(&mut self, name: &[u8]) {
        let Some(parent) = self.top_mut() else { return };
        if name != b"xmlns" && !name.starts_with(b"xmlns:") {
            parent.attributes = true;
            let (path, field) = (parent.path, parent.field);
            let local = local_name(name);
            let path = path.kind(b'@').member(local, local.len());
            let depth = u8::try_from(self.depth).unwrap_or(u8::MAX).saturating_add(1);
            self.paths.field(path, depth);
            self.attribute = Some(self.fields.step(field, path, Step::Attribute, local));
        }
    }

    fn attribute_ended(&mut self, value: &[u8]) {
        if let Some(field) = self.attribute.take() {
            self.fields.untyped(field, value, value.len());
        }
    }

    /// The value of an attribute. Those of an envelope say which SOAP it is.
    fn namespace(&mut self, value: &[u8]) {
        if self.top().is_some_and(|top| top.place == Place::Envelope) {
            match value {
                b"http://schemas.xmlsoap.org/soap/envelope/" => self.call.soap = Some("1.1"),
                b"http://www.w3.org/2003/05/soap-envelope" => self.call.soap = Some("1.2"),
                _ => {}
            }
        }
    }

    fn text(&mut self, text: &[u8]) {
        // Between elements of the outermost level nothing but white space may stand.
        self.broken |=
            self.depth == 0 && !text.iter().all(|byte| byte.is_ascii_whitespace() || *byte >= 0x80);
        self.content.add(text);
        if self.login.is_open() {
            self.login.value(text);
        }
        if matches!(self.top(), Some(Element { place: Place::FaultCode | Place::MethodName, .. })) {
            let room = 128_usize.saturating_sub(self.text.len()).min(text.len());
            self.text.extend_from_slice(text.get(..room).unwrap_or_default());
        }
    }

    fn end(&mut self, name: Option<&[u8]>) {
        let Some(top) = self.top().copied() else {
            self.broken = true;
            return;
        };
        self.broken |= name.is_some_and(|name| PathHash::ROOT.member(name, name.len()) != top.name);
        let text = self.text.trim_ascii();
        if !text.is_empty() {
            match top.place {
                Place::FaultCode => self.call.fault_code = Some(Name::new(local_name(text))),
                Place::MethodName => self.call.method = Some(Name::new(text)),
                _ => {}
            }
        }
        self.text.clear();
        self.rpc_ended(top);
        self.value_ended(top);
        self.login.end();
        self.depth -= 1;
    }

    /// What the end of an element says to a call of XML-RPC.
    fn rpc_ended(&mut self, element: Element) {
        let (text, _) = self.content.read();
        match element.place {
            Place::Rpc(Part::Name) => self.calls.name(text),
            Place::Rpc(Part::Scalar) if !element.elements => self.calls.value(text),
            Place::Rpc(Part::Struct) => self.calls.end(self.depth),
            Place::MethodCall => {
                if let Some(method) = self.call.method.as_ref().filter(|method| method.as_str() != SEVERAL) {
                    self.calls.method(method.as_str().as_bytes());
                    self.calls.called();
                }
            }
            _ => {}
        }
    }

    /// An element is an object where others lie in it, else a text; with attributes it is both.
    fn value_ended(&mut self, element: Element) {
        let (text, len) = self.content.read();
        match (element.elements, element.attributes) {
            (true, _) => self.fields.value(element.field, Kind::Object),
            (false, true) if len == 0 => self.fields.value(element.field, Kind::Object),
            (false, attributes) => {
                self.fields.untyped(element.field, text, len);
                if attributes {
                    self.fields.is_object_too(element.field);
                }
            }
        }
        self.content.clear();
    }
}

/// A name without its prefix.
fn local_name(name: &[u8]) -> &[u8] {
    memchr::memrchr(b':', name).and_then(|at| name.get(at + 1..)).unwrap_or(name)
}

#[cfg(test)]
mod tests;
