//! HTML form fields (`application/x-www-form-urlencoded`).

use super::graphql::{Asked, Document, Meant, Scanner};
use super::login::LoginFields;
use super::notes::Notes;
use super::paths::{KeyPaths, PathHash};
use super::{PayloadFormat, PayloadParser, Reading};
use crate::fields::Equipment;
use crate::fields::{FieldIndex, FieldList, Fields, Kind};
use crate::style::{Name, Operation, Said, Spoken, Style};
use crate::{PayloadState, percent};

pub(super) const FORMAT: PayloadFormat = PayloadFormat {
    name: "form",
    summary: "Form fields as in a query string: names, and what their values are",
    media_types: &["application/x-www-form-urlencoded"],
    matches: |media_type| media_type == b"application/x-www-form-urlencoded",
    begins: |_| false,
    parser: || Box::<Form>::default(),
};

pub(crate) const STYLE: Style = Style {
    name: "action",
    summary: "the operation",
    told_by: "a parameter `Action` in the query string or in a form, as the query protocols of clouds have it",
    read: called,
};

/// Bytes kept of a name or value, still encoded: more than three times what is looked at.
const KEPT: usize = 1024;

#[derive(Default)]
struct Form {
    /// The encoded bytes of the open name or value, and those that were left out with the escapes among them.
    text: Vec<u8>,
    more: usize,
    decoded: Vec<u8>,
    in_value: bool,
    /// Whether a byte came that no encoder writes.
    odd_byte: bool,
    paths: KeyPaths,
    fields: Fields,
    /// The field whose value is open.
    field: Option<FieldIndex>,
    login: LoginFields,
    /// Whether the open value is the action's, and the action.
    acts: bool,
    action: Option<Name>,
    /// What of a question in GraphQL the open value is, and the question.
    asks: Option<Ask>,
    scanner: Option<Box<Scanner>>,
    document: Option<Box<Document>>,
    meant: Meant,
    /// The beginning of an escape that the scanner waits for the rest of.
    escape: Vec<u8>,
}

/// A field of a GraphQL form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ask {
    Document,
    Operation,
}

impl PayloadParser for Form {
    fn reuse(&mut self, list: Box<FieldList>) {
        self.fields.reuse(list);
    }

    fn equip(&mut self, equipment: &Equipment) {
        self.fields.equip(equipment);
    }

    fn feed(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let len =
                if self.in_value { memchr::memchr(b'&', rest) } else { memchr::memchr2(b'=', b'&', rest) };
            let (piece, tail) = rest.split_at_checked(len.unwrap_or(rest.len())).unwrap_or((rest, &[]));
            self.piece(piece);
            let Some((&separator, tail)) = tail.split_first() else { return };
            if separator == b'=' {
                self.name_ended();
                self.in_value = true;
            } else {
                self.pair_ended();
            }
            rest = tail;
        }
    }

    fn finish(&mut self, whole: bool) -> Reading {
        // A name that the body's end cut in two is no name.
        if whole || self.in_value {
            self.pair_ended();
        }
        if let Some(document) = self.fields.is_open() {
            self.fields.value(document, Kind::Object);
            if !whole {
                self.fields.unended(document);
            }
        }
        let state = match (self.odd_byte, whole) {
            (true, _) => PayloadState::Invalid,
            (false, false) => PayloadState::Partial,
            (false, true) => PayloadState::Read,
        };
        let keys = self.paths.take_sample();
        let (fields, shape) = self.paths.take();
        let login = self.login.take();
        self.text.clear();
        (self.in_value, self.odd_byte, self.more) = (false, false, 0);
        let list = self.fields.take().filter(|_| state != PayloadState::Invalid);
        let action = self.action.take().filter(|_| state != PayloadState::Invalid);
        let (document, meant) = (self.document.take(), std::mem::take(&mut self.meant));
        let graphql = document.filter(|_| state != PayloadState::Invalid).map(|document| {
            let mut asked = Asked::default();
            asked.add(*document, &meant);
            Box::new(asked)
        });
        let notes = (action.is_some() || graphql.is_some())
            .then(|| Box::new(Notes { action, graphql, ..Notes::default() }));
        Reading { state, fields, shape, keys, login, notes, list, ..Reading::default() }
    }

    fn held(&self) -> usize {
        let document = self.document.as_ref().map_or(0, |document| document.held());
        let scanner = self.scanner.as_ref().map_or(0, |scanner| scanner.held());
        self.fields.held() + self.login.held() + self.text.capacity() + document + scanner
    }
}

/// Names of actions are those of functions; anything else is some other parameter's value.
fn called(spoken: &mut Spoken<'_>, said: &mut Said) {
    let in_query = || spoken.parameter(b"Action").map(|value| Name::new(&percent::decode(value, KEPT)));
    let Some(action) = spoken.asked.action.clone().or_else(in_query) else { return };
    let name = action.as_str();
    if said.operation.is_none() && !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        said.operation = Some(Operation::new(STYLE.name, name));
        said.protocols.push(STYLE.name);
    }
}

impl Form {
    fn piece(&mut self, bytes: &[u8]) {
        // Clients end forms with a line end now and then; other control bytes mean that this is no form.
        self.odd_byte |= bytes.iter().any(|byte| *byte < 0x20 && !matches!(byte, b'\r' | b'\n' | b'\t'));
        let room = self.kept().saturating_sub(self.text.len()).min(bytes.len());
        let (kept, left_out) = bytes.split_at_checked(room).unwrap_or_default();
        self.text.extend_from_slice(kept);
        self.more += left_out.len();
        if self.asks == Some(Ask::Document) {
            self.scan(bytes);
        }
    }

    /// Takes more of a GraphQL document, of which any length is read.
    fn scan(&mut self, bytes: &[u8]) {
        self.escape.extend_from_slice(bytes);
        // An escape at the end may go on in the next piece.
        let tail = self.escape.len().saturating_sub(2);
        let open = self.escape.get(tail..).and_then(|end| end.iter().position(|byte| *byte == b'%'));
        let len = open.map_or(self.escape.len(), |at| tail + at);
        self.decoded.clear();
        percent::decode_form(self.escape.get(..len).unwrap_or_default(), usize::MAX, &mut self.decoded);
        self.escape.drain(..len);
        self.scanner.get_or_insert_default().feed(&self.decoded);
    }

    /// A value of a GraphQL form ended: of several documents the last one counts.
    fn asked(&mut self, ask: Ask) {
        match ask {
            Ask::Operation => self.meant = Meant::Named(Name::new(&self.decoded)),
            Ask::Document => {
                let rest = std::mem::take(&mut self.escape);
                let Some(scanner) = &mut self.scanner else { return };
                scanner.feed(&rest);
                self.document = scanner.finish().map(Box::new).or_else(|| self.document.take());
            }
        }
    }

    /// Encoded bytes that are kept of what is open: a credential may be long, and each byte of it takes three.
    fn kept(&self) -> usize {
        let value = self.login.open().filter(|_| self.in_value).map_or(0, |wanted| 3 * wanted.kept());
        value.max(KEPT)
    }

    fn name_ended(&mut self) {
        decode(&self.text, KEPT, &mut self.decoded);
        let name = &self.decoded;
        self.field = None;
        if !name.is_empty() {
            let document = self.fields.document();
            let path = PathHash::ROOT.member(name, name.len());
            let (field, is_new) = self.fields.member(document, path, name);
            if is_new {
                self.paths.field(path, 1);
            }
            self.field = Some(field);
            self.login.begin(name);
            self.asks = match name.as_slice() {
                b"query" => Some(Ask::Document),
                b"operationName" => Some(Ask::Operation),
                _ => None,
            };
            self.acts = name == b"Action" && self.action.is_none();
        }
        self.text.clear();
        self.more = 0;
    }

    fn pair_ended(&mut self) {
        if !self.in_value {
            self.name_ended();
        }
        decode(&self.text, self.kept(), &mut self.decoded);
        let value = &self.decoded;
        if let Some(field) = self.field.take() {
            // Of a longer value, what was left out counts as it was sent.
            let prefix = value.get(..KEPT).unwrap_or(value);
            self.fields.untyped(field, prefix, value.len() + self.more);
        }
        if self.in_value && self.login.is_open() {
            self.login.value(value);
        } else if self.in_value && self.acts {
            self.action = Some(Name::new(value));
        }
        if let Some(ask) = self.asks.take().filter(|_| self.in_value) {
            self.asked(ask);
        }
        self.acts = false;
        self.login.end();
        self.text.clear();
        (self.in_value, self.more) = (false, 0);
    }
}

/// Undoes the encoding of a name or a value, without the line end that some clients send behind the last.
fn decode(text: &[u8], most: usize, decoded: &mut Vec<u8>) {
    decoded.clear();
    percent::decode_form(text.trim_ascii_end(), most, decoded);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(pieces: &[&[u8]]) -> Reading {
        let mut form = Form::default();
        pieces.iter().for_each(|piece| form.feed(piece));
        form.finish(true)
    }

    #[test]
    fn fields_are_distinct_names() {
        let reading = read(&[b"a=1&b=2&a=3&&c"]);
        assert_eq!((reading.fields, reading.state), (3, PayloadState::Read));
        assert_eq!(reading.shape, read(&[b"c=9&b=&a"]).shape);
        assert_eq!(read(&[b"a%62=1"]).shape, read(&[b"ab=2"]).shape);
    }

    #[test]
    fn login_is_found_decoded() {
        let login = read(&[b"username=al%69ce&password=a+b%26c\r\n"]).login.expect("a login");
        assert_eq!((login.user(), login.password()), (&b"alice"[..], &b"a b&c"[..]));
        assert_eq!(read(&[b"username=alice&password="]).login, None);
    }

    #[test]
    fn binary_is_no_form() {
        assert_eq!(read(&[b"a=\x00\x01"]).state, PayloadState::Invalid);
    }

    proptest! {
        #[test]
        fn any_split_reads_alike(text in "[a-c=&%2+\\r]{0,60}", cuts in prop::collection::vec(0_usize..60, 0..5)) {
            let bytes = text.as_bytes();
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let pieces: Vec<_> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
            prop_assert_eq!(read(&pieces), read(&[bytes]));
        }
    }
}
