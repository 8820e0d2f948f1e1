//! XML as tokens, in any split: what is inside comments, instructions and document types is passed over.

/// Bytes kept of a name or an attribute's value; a longer one is cut.
const KEPT: usize = 128;
/// Bytes of a reference between `&` and `;`.
const MAX_REFERENCE: usize = 12;

pub(super) enum Token<'a> {
    /// A start tag's name.
    Begin(&'a [u8]),
    /// An attribute's name.
    Attribute(&'a [u8]),
    /// An attribute's value, references as they stand.
    Value(&'a [u8]),
    /// The next bytes of text.
    Text(&'a [u8]),
    /// An end tag.
    End(&'a [u8]),
    /// The end of an element without content.
    EndEmpty,
    /// A document type.
    Doctype,
    /// It declares an entity.
    Entity,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    Text,
    Reference,
    /// Behind `<`.
    Open,
    StartName,
    EndName,
    EndSpace,
    InTag,
    AttributeName,
    AfterName,
    BeforeValue,
    Value(u8),
    AfterValue,
    /// Behind `/` in a tag.
    Slash,
    /// Behind `<!`: what is read of it.
    Bang,
    /// Dashes of a comment's end that were read.
    Comment(u8),
    /// Brackets of a section's end that were read.
    Section(u8),
    Instruction(bool),
    /// Brackets that are open, the open quote, and how much of `<!ENTITY` was read.
    Doctype {
        inner: bool,
        quote: u8,
        entity: u8,
    },
    Broken,
}

const ENTITY: &[u8] = b"<!ENTITY";

#[derive(Default)]
pub(super) struct Tokenizer {
    state: State,
    text: Vec<u8>,
}

type Take<'t> = dyn FnMut(Token<'_>) + 't;

impl Tokenizer {
    /// Whether the document ended where one may end. Ready for the next one after [`Tokenizer::take_broken`].
    pub(super) fn finish(&mut self) -> bool {
        self.text.clear();
        self.state == State::Text
    }

    pub(super) fn take_broken(&mut self) -> bool {
        std::mem::take(&mut self.state) == State::Broken
    }

    pub(super) fn feed(&mut self, bytes: &[u8], take: &mut Take<'_>) {
        let mut rest = bytes;
        while let Some((&byte, tail)) = rest.split_first() {
            rest = match self.state {
                State::Broken => return,
                State::Text => self.run(rest, take),
                State::Section(0) => self.section(rest, take),
                _ => {
                    self.byte(byte, take);
                    tail
                }
            };
        }
    }

    /// Text up to the next tag or reference.
    fn run<'a>(&mut self, bytes: &'a [u8], take: &mut Take<'_>) -> &'a [u8] {
        let len = memchr::memchr2(b'<', b'&', bytes).unwrap_or(bytes.len());
        let (text, rest) = bytes.split_at_checked(len).unwrap_or((bytes, &[]));
        if !text.is_empty() {
            take(Token::Text(text));
        }
        let Some((&byte, rest)) = rest.split_first() else { return &[] };
        self.text.clear();
        self.state = if byte == b'<' { State::Open } else { State::Reference };
        rest
    }

    /// The inside of a CDATA section up to a bracket.
    fn section<'a>(&mut self, bytes: &'a [u8], take: &mut Take<'_>) -> &'a [u8] {
        let len = memchr::memchr(b']', bytes).unwrap_or(bytes.len());
        let (text, rest) = bytes.split_at_checked(len).unwrap_or((bytes, &[]));
        if !text.is_empty() {
            take(Token::Text(text));
        }
        let Some((_, rest)) = rest.split_first() else { return &[] };
        self.state = State::Section(1);
        rest
    }

    fn byte(&mut self, byte: u8, take: &mut Take<'_>) {
        match self.state {
            State::Reference => self.reference(byte, take),
            State::Open => self.open(byte),
            State::StartName | State::EndName | State::EndSpace => self.name(byte, take),
            State::InTag
            | State::AttributeName
            | State::AfterName
            | State::BeforeValue
            | State::AfterValue => {
                self.attribute(byte, take);
            }
            State::Value(quote) if byte == quote => {
                take(Token::Value(&self.text));
                self.state = State::AfterValue;
            }
            State::Value(_) if byte == b'<' => self.state = State::Broken,
            State::Value(_) => self.keep(byte),
            State::Slash if byte == b'>' => {
                take(Token::EndEmpty);
                self.state = State::Text;
            }
            State::Bang => self.bang(byte, take),
            State::Comment(dashes) => {
                self.state = match (dashes, byte) {
                    (2, b'>') => State::Text,
                    (2, b'-') => State::Comment(2),
                    (_, b'-') => State::Comment(dashes + 1),
                    _ => State::Comment(0),
                };
            }
            State::Section(brackets) => self.section_end(brackets, byte, take),
            State::Instruction(true) if byte == b'>' => self.state = State::Text,
            State::Instruction(_) => self.state = State::Instruction(byte == b'?'),
            State::Doctype { inner, quote, entity } => self.doctype(inner, quote, entity, byte, take),
            State::Slash | State::Text | State::Broken => self.state = State::Broken,
        }
    }

    fn keep(&mut self, byte: u8) {
        if self.text.len() < KEPT {
            self.text.push(byte);
        }
    }

    /// The five named characters and numbers become themselves; what else is referred to stays out.
    fn reference(&mut self, byte: u8, take: &mut Take<'_>) {
        if byte != b';' {
            self.text.push(byte);
            let plain =
                byte.is_ascii_alphanumeric() || byte == b'#' || byte >= 0x80 || b"_:.-".contains(&byte);
            if !plain {
                self.state = State::Broken;
            } else if self.text.len() > KEPT {
                self.text.truncate(KEPT);
            }
            return;
        }
        if let Some(character) = referred(&self.text) {
            take(Token::Text(character.encode_utf8(&mut [0; 4]).as_bytes()));
        }
        self.state = if self.text.is_empty() { State::Broken } else { State::Text };
    }

    fn open(&mut self, byte: u8) {
        self.state = match byte {
            b'/' => State::EndName,
            b'!' => State::Bang,
            b'?' => State::Instruction(false),
            _ if is_name_start(byte) => {
                self.keep(byte);
                State::StartName
            }
            _ => State::Broken,
        };
    }

    fn name(&mut self, byte: u8, take: &mut Take<'_>) {
        let start = self.state == State::StartName;
        match byte {
            _ if is_name(byte) && self.state != State::EndSpace => self.keep(byte),
            b' ' | b'\t' | b'\r' | b'\n' if start => {
                take(Token::Begin(&self.text));
                self.state = State::InTag;
            }
            b' ' | b'\t' | b'\r' | b'\n' if !self.text.is_empty() => self.state = State::EndSpace,
            b'>' if start => {
                take(Token::Begin(&self.text));
                self.state = State::Text;
            }
            b'/' if start => {
                take(Token::Begin(&self.text));
                self.state = State::Slash;
            }
            b'>' if !self.text.is_empty() => {
                take(Token::End(&self.text));
                self.state = State::Text;
            }
            _ => self.state = State::Broken,
        }
    }

    fn attribute(&mut self, byte: u8, take: &mut Take<'_>) {
        let space = byte.is_ascii_whitespace();
        self.state = match (self.state, byte) {
            (State::InTag | State::AfterValue, b'>') => State::Text,
            (State::InTag | State::AfterValue, b'/') => State::Slash,
            (State::InTag | State::AfterValue, _) if space => State::InTag,
            (State::InTag, _) if is_name_start(byte) => {
                self.text.clear();
                self.keep(byte);
                State::AttributeName
            }
            (State::AttributeName, _) if is_name(byte) => {
                self.keep(byte);
                State::AttributeName
            }
            (State::AttributeName | State::AfterName, b'=') => {
                take(Token::Attribute(&self.text));
                State::BeforeValue
            }
            (State::AttributeName | State::AfterName, _) if space => State::AfterName,
            (State::BeforeValue, b'"' | b'\'') => {
                self.text.clear();
                State::Value(byte)
            }
            (State::BeforeValue, _) if space => State::BeforeValue,
            _ => State::Broken,
        };
    }

    fn bang(&mut self, byte: u8, take: &mut Take<'_>) {
        self.text.push(byte);
        self.state = match self.text.as_slice() {
            b"--" => State::Comment(0),
            b"[CDATA[" => State::Section(0),
            b"DOCTYPE" => {
                take(Token::Doctype);
                State::Doctype { inner: false, quote: 0, entity: 0 }
            }
            text if [&b"--"[..], b"[CDATA[", b"DOCTYPE"].iter().any(|known| known.starts_with(text)) => {
                State::Bang
            }
            _ => State::Broken,
        };
    }

    fn section_end(&mut self, brackets: u8, byte: u8, take: &mut Take<'_>) {
        self.state = match (brackets, byte) {
            (2, b'>') => State::Text,
            (1, b']') => State::Section(2),
            (2, b']') => {
                take(Token::Text(b"]"));
                State::Section(2)
            }
            _ => {
                take(Token::Text(if brackets == 2 { b"]]" } else { b"]" }));
                take(Token::Text(&[byte]));
                State::Section(0)
            }
        };
    }

    /// Up to its end: `>` that stands in no quotes and in no inner part.
    fn doctype(&mut self, inner: bool, quote: u8, entity: u8, byte: u8, take: &mut Take<'_>) {
        let read = match ENTITY.get(usize::from(entity)) {
            Some(expected) if *expected == byte => entity + 1,
            _ => u8::from(byte == b'<'),
        };
        if usize::from(read) == ENTITY.len() {
            take(Token::Entity);
        }
        let (inner, quote) = match (quote, byte) {
            (0, b'>') if !inner => {
                self.state = State::Text;
                return;
            }
            (0, b'[') => (true, 0),
            (0, b']') => (false, 0),
            (0, b'"' | b'\'') => (inner, byte),
            (open, _) if open == byte => (inner, 0),
            (open, _) => (inner, open),
        };
        self.state = State::Doctype { inner, quote, entity: read };
    }
}

/// The character that a reference stands for, where that is no entity of the document's own.
fn referred(name: &[u8]) -> Option<char> {
    match name {
        b"lt" => Some('<'),
        b"gt" => Some('>'),
        b"amp" => Some('&'),
        b"quot" => Some('"'),
        b"apos" => Some('\''),
        [b'#', digits @ ..] if digits.len() <= MAX_REFERENCE => {
            let digits = std::str::from_utf8(digits).ok()?;
            let code = match digits.strip_prefix('x') {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => digits.parse(),
            };
            char::from_u32(code.ok()?)
        }
        _ => None,
    }
}

const fn is_name_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || matches!(byte, b'_' | b':') || byte >= 0x80
}

const fn is_name(byte: u8) -> bool {
    is_name_start(byte) || byte.is_ascii_digit() || matches!(byte, b'-' | b'.')
}
