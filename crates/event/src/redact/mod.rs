//! The only way by which text of traffic leaves the process.
//!
//! What a [`Redactor`] lets through, by default:
//!
//! - Header *names*, parameter names and cookie names, unless they look like a value themselves.
//! - Header values of an allow-list (see `headers`); in those, words that could be a key or an e-mail address are
//!   replaced. `Authorization` keeps its scheme. Everything else is a token.
//! - Path segments that are words, numbers, dates or UUIDs, or that mix letters and digits in at most 15 characters. E-mail
//!   addresses, card and phone numbers, longer mixed runs, and what follows a segment like `reset-password` are replaced.
//!   A person's name that is a plain word (`/users/alice`) cannot be told from a word of the API and stays.
//! - Query values that are whole numbers, truth values, dates, UUIDs or one short word, unless the parameter's name says
//!   secret (`token`, `code`) or person (`email`, `user`). User information in URLs is dropped.
//!
//! A replaced text reads `tok:` and 16 hexadecimal digits: the first half of its keyed token, equal for equal text under
//! one key, whose id stands in each event. Bytes that are no UTF-8 are percent-encoded. Longer text than the limits below
//! is cut, and the event says so. [`Fidelity::Full`] is the documented opt-out: text leaves as it was.

mod facts;
mod headers;
mod names;
mod payload;
mod remembered;
mod shape;

use crate::number;
use crate::view::{Target, without_user};
use facts::KnownNames;
use headers::Policy;
use memchr::memchr;
use remembered::Remembered;
use tapwire_inspect::{Domain, Token, TokenKey, Tokens};
use tapwire_protocol::Untrusted;

/// Longest path, query string or header value that leaves, in bytes before redaction.
const LONGEST_TEXT: usize = 4 << 10;
/// The same with full fidelity.
const LONGEST_FULL_TEXT: usize = 64 << 10;
/// Longest method that leaves in clear; the longest registered one has 17 letters.
const LONGEST_METHOD: usize = 24;
/// Longest host name (RFC 1035) with brackets and port.
const LONGEST_HOST: usize = 263;

/// How much of traffic leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Fidelity {
    /// Redacted, without bodies.
    #[default]
    Default,
    /// Everything, with the bodies that are held: the operator's explicit choice.
    Full,
}

/// Text of traffic that may leave. Only a [`Redactor`] makes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Redacted<'a>(&'a [u8]);

impl<'a> Redacted<'a> {
    /// The bytes, not yet escaped for any format.
    pub(crate) const fn bytes(self) -> &'a [u8] {
        self.0
    }

    /// Its first `len` bytes.
    pub(crate) fn first(self, len: usize) -> Self {
        Self(self.0.get(..len).unwrap_or(self.0))
    }
}

/// Turns text of traffic into text that may leave.
#[derive(Debug)]
pub struct Redactor {
    tokens: Tokens,
    key_id: [u8; 4],
    fidelity: Fidelity,
    clear_headers: Vec<String>,
    decoded: Vec<u8>,
    names: KnownNames,
    remembered: Remembered,
    cut: bool,
}

impl Redactor {
    /// A redactor whose tokens are made with `key`.
    pub fn new(key: TokenKey, fidelity: Fidelity) -> Self {
        let key_id = key.id();
        let tokens = Tokens::new(key);
        Self {
            tokens,
            key_id,
            fidelity,
            clear_headers: Vec::new(),
            decoded: Vec::new(),
            names: KnownNames::new(),
            remembered: Remembered::new(),
            cut: false,
        }
    }

    /// Also lets the values of these headers leave as they are; names in any case.
    #[must_use]
    pub fn clear_headers(mut self, names: impl IntoIterator<Item = String>) -> Self {
        self.clear_headers.extend(names);
        self
    }

    /// How much leaves.
    pub const fn fidelity(&self) -> Fidelity {
        self.fidelity
    }

    /// Names the key of the tokens.
    pub const fn key_id(&self) -> [u8; 4] {
        self.key_id
    }

    /// Whether text was cut since this was last asked.
    pub(crate) const fn take_cut(&mut self) -> bool {
        std::mem::replace(&mut self.cut, false)
    }

    /// A path or path template for people, redacted as events are.
    pub fn shown_path(&mut self, path: &str) -> String {
        self.shown(path, Self::path)
    }

    /// A host or authority for people, redacted as events are.
    pub fn shown_host(&mut self, host: &str) -> String {
        self.shown(host, Self::host)
    }

    /// A method for people, redacted as events are.
    pub fn shown_method(&mut self, method: &str) -> String {
        self.shown(method, Self::method)
    }

    /// A sentence of the sensor that may name parts of traffic, for people, redacted as events are.
    pub fn shown_sentence(&mut self, sentence: &str) -> String {
        self.shown(sentence, Self::prose)
    }

    /// An operation for people, redacted as events are.
    pub fn shown_operation(&mut self, operation: &str) -> String {
        self.shown(operation, Self::payload_names)
    }

    fn shown(
        &mut self,
        text: &str,
        redact: for<'s> fn(&mut Self, Untrusted<'_>, &'s mut Vec<u8>) -> Redacted<'s>,
    ) -> String {
        let mut scratch = Vec::new();
        String::from_utf8_lossy(redact(self, Untrusted::new(text.as_bytes()), &mut scratch).bytes())
            .into_owned()
    }

    /// A method: letters and dashes in clear, anything else as a token.
    pub(crate) fn method<'s>(&mut self, method: Untrusted<'_>, scratch: &'s mut Vec<u8>) -> Redacted<'s> {
        let plain = |text: &[u8]| {
            text.len() <= LONGEST_METHOD
                && text.iter().all(|b| b.is_ascii_alphabetic() || matches!(b, b'-' | b'_'))
        };
        self.fill(method, scratch, |this, text, out| {
            if plain(text) { out.extend_from_slice(text) } else { this.value(text, out) }
        })
    }

    /// A host or authority, without user information.
    pub(crate) fn host<'s>(&mut self, host: Untrusted<'_>, scratch: &'s mut Vec<u8>) -> Redacted<'s> {
        self.fill(host, scratch, Self::write_host)
    }

    /// A host's name, in lower case.
    pub(crate) fn host_name<'s>(&mut self, host: Untrusted<'_>, scratch: &'s mut Vec<u8>) -> Redacted<'s> {
        self.fill(host, scratch, Self::write_host);
        scratch.make_ascii_lowercase();
        Redacted(scratch)
    }

    /// A request target in any form but CONNECT's.
    pub(crate) fn url<'s>(&mut self, url: Untrusted<'_>, scratch: &'s mut Vec<u8>) -> Redacted<'s> {
        self.fill(url, scratch, Self::write_url)
    }

    /// A sentence of the sensor that may name parts of traffic.
    pub(crate) fn prose<'s>(&mut self, sentence: Untrusted<'_>, scratch: &'s mut Vec<u8>) -> Redacted<'s> {
        self.fill(sentence, scratch, Self::write_words)
    }

    /// A path.
    pub(crate) fn path<'s>(&mut self, path: Untrusted<'_>, scratch: &'s mut Vec<u8>) -> Redacted<'s> {
        self.fill(path, scratch, Self::write_path)
    }

    /// A query string.
    pub(crate) fn query<'s>(&mut self, query: Untrusted<'_>, scratch: &'s mut Vec<u8>) -> Redacted<'s> {
        self.fill(query, scratch, Self::write_query)
    }

    /// A header's name. What is no token (RFC 9110, 5.6.2) may be a value whose colon was left out.
    pub(crate) fn header_name<'s>(&mut self, name: Untrusted<'_>, scratch: &'s mut Vec<u8>) -> Redacted<'s> {
        self.fill(name, scratch, |this, text, out| {
            if text.iter().all(|byte| byte.is_ascii_graphic()) {
                this.write_name(text, out);
            } else {
                this.value(text, out);
            }
        })
    }

    /// A header's value.
    pub(crate) fn header<'s>(
        &mut self,
        name: &[u8],
        value: Untrusted<'_>,
        scratch: &'s mut Vec<u8>,
    ) -> Redacted<'s> {
        let policy = self.names.facts(name).policy;
        self.header_by(policy, name, value, scratch)
    }

    /// The value of `User-Agent`.
    pub(crate) fn user_agent<'s>(&mut self, value: Untrusted<'_>, scratch: &'s mut Vec<u8>) -> Redacted<'s> {
        self.header_by(Policy::Text, b"user-agent", value, scratch)
    }

    /// The value of `Content-Type`.
    pub(crate) fn media_type<'s>(&mut self, value: Untrusted<'_>, scratch: &'s mut Vec<u8>) -> Redacted<'s> {
        self.header_by(Policy::MediaType, b"content-type", value, scratch)
    }

    fn header_by<'s>(
        &mut self,
        policy: Policy,
        name: &[u8],
        value: Untrusted<'_>,
        scratch: &'s mut Vec<u8>,
    ) -> Redacted<'s> {
        let listed = self.is_clear(name);
        self.fill(value, scratch, |this, text, out| {
            if listed { out.extend_from_slice(text) } else { this.write_header(policy, text, out) }
        })
    }

    fn is_clear(&self, name: &[u8]) -> bool {
        self.clear_headers.iter().any(|clear| clear.as_bytes().eq_ignore_ascii_case(name))
    }

    /// A keyed token as text.
    pub(crate) fn token<'s>(token: Token, scratch: &'s mut Vec<u8>) -> Redacted<'s> {
        scratch.clear();
        write_token(token, scratch);
        Redacted(scratch)
    }

    /// Cuts, then redacts unless everything may leave.
    fn fill<'s>(
        &mut self,
        text: Untrusted<'_>,
        scratch: &'s mut Vec<u8>,
        write: impl FnOnce(&mut Self, &[u8], &mut Vec<u8>),
    ) -> Redacted<'s> {
        scratch.clear();
        let text = self.capped(text.bytes());
        match self.fidelity {
            Fidelity::Full => scratch.extend_from_slice(text),
            Fidelity::Default => write(self, text, scratch),
        }
        Redacted(scratch)
    }

    /// Cuts what is too long, by default behind a delimiter: the beginning of a secret may look harmless.
    fn capped<'t>(&mut self, text: &'t [u8]) -> &'t [u8] {
        let cap = match self.fidelity {
            Fidelity::Full => LONGEST_FULL_TEXT,
            Fidelity::Default => LONGEST_TEXT,
        };
        let Some((kept, _)) = text.split_at_checked(cap).filter(|(_, rest)| !rest.is_empty()) else {
            return text;
        };
        self.cut = true;
        let delimiter = kept.iter().rposition(|b| matches!(b, b'/' | b'&' | b';' | b',' | b' ')).unwrap_or(0);
        match self.fidelity {
            Fidelity::Full => kept,
            Fidelity::Default => kept.get(..delimiter).unwrap_or_default(),
        }
    }

    fn write_header(&mut self, policy: Policy, text: &[u8], out: &mut Vec<u8>) {
        if let Some(redacted) = self.remembered.get(policy, text) {
            return out.extend_from_slice(redacted);
        }
        let from = out.len();
        self.write_value(policy, text, out);
        self.remembered.put(policy, text, out.get(from..).unwrap_or_default());
    }

    fn write_value(&mut self, policy: Policy, text: &[u8], out: &mut Vec<u8>) {
        match policy {
            Policy::Text => self.write_words(text, out),
            Policy::MediaType => self.write_media_type(text, out),
            Policy::Trace => self.write_trace(text, out),
            Policy::Url => self.write_url(text, out),
            Policy::Host => self.write_host(text, out),
            Policy::Credentials => self.write_credentials(text, out),
            Policy::Cookies => self.write_cookies(text, out),
            Policy::SetCookie => self.write_set_cookie(text, out),
            Policy::Token => self.value(text, out),
        }
    }

    fn value(&mut self, text: &[u8], out: &mut Vec<u8>) {
        self.replace(Domain::Value, text, out);
    }

    /// Writes the token of a text; nothing for nothing.
    fn replace(&mut self, domain: Domain, text: &[u8], out: &mut Vec<u8>) {
        if !text.is_empty() {
            write_token(self.tokens.token(domain, text), out);
        }
    }

    fn write_host(&mut self, text: &[u8], out: &mut Vec<u8>) {
        let host = without_user(text);
        // No early exit, so that the compiler makes it a vector loop.
        let plain = |all: bool, b: &u8| {
            let (letter, digit) = ((b | 0x20).wrapping_sub(b'a') < 26, b.wrapping_sub(b'0') < 11);
            let mark = (*b == b'.') | (*b == b'-') | (*b == b'_') | (*b == b'[') | (*b == b']');
            all & (letter | digit | mark)
        };
        if host.len() <= LONGEST_HOST && host.iter().fold(true, plain) {
            out.extend_from_slice(host);
        } else {
            self.value(host, out);
        }
    }

    fn write_path(&mut self, path: &[u8], out: &mut Vec<u8>) {
        let mut before: &[u8] = b"";
        for (at, segment) in path.split(|b| *b == b'/').enumerate() {
            if at > 0 {
                out.push(b'/');
            }
            self.write_segment(before, segment, out);
            before = segment;
        }
    }

    fn write_segment(&mut self, before: &[u8], segment: &[u8], out: &mut Vec<u8>) {
        // Neither holds a parameter or an escape.
        if is_word(segment) || (shape::is_short_word(segment) && !self.names.leads_to_secret(before)) {
            return out.extend_from_slice(segment);
        }
        let base = memchr(b';', segment).unwrap_or(segment.len());
        let (base, parameters) = segment.split_at_checked(base).unwrap_or((segment, b""));
        self.write_segment_base(before, base, out);
        for parameter in parameters.split(|b| *b == b';').skip(1) {
            out.push(b';');
            self.write_parameter(parameter, out);
        }
    }

    fn write_segment_base(&mut self, before: &[u8], base: &[u8], out: &mut Vec<u8>) {
        if is_word(base) {
            out.extend_from_slice(base);
        } else if self.names.leads_to_secret(before) {
            self.replace(Domain::Credential, base, out);
        } else {
            self.write_if(base, out, shape::is_open);
        }
    }

    /// Writes the text as it is when its percent-decoded form may leave, else that form's token.
    fn write_if(&mut self, text: &[u8], out: &mut Vec<u8>, may_leave: impl FnOnce(&[u8]) -> bool) {
        if memchr(b'%', text).is_none() {
            return if may_leave(text) { out.extend_from_slice(text) } else { self.value(text, out) };
        }
        let decoded = self.decode(text);
        if may_leave(&decoded) {
            out.extend_from_slice(text)
        } else {
            self.value(&decoded, out)
        }
        self.decoded = decoded;
    }

    /// Percent-decodes into the buffer kept for it, which the caller gives back.
    fn decode(&mut self, text: &[u8]) -> Vec<u8> {
        let mut decoded = std::mem::take(&mut self.decoded);
        decoded.clear();
        let mut rest = text;
        while let Some((&byte, tail)) = rest.split_first() {
            let escaped = (byte == b'%').then(|| hex_pair(tail)).flatten();
            decoded.push(escaped.unwrap_or(byte));
            rest = if escaped.is_some() { tail.get(2..).unwrap_or_default() } else { tail };
        }
        decoded
    }

    fn write_query(&mut self, query: &[u8], out: &mut Vec<u8>) {
        for (at, parameter) in query.split(|b| *b == b'&').enumerate() {
            if at > 0 {
                out.push(b'&');
            }
            self.write_parameter(parameter, out);
        }
    }

    fn write_parameter(&mut self, parameter: &[u8], out: &mut Vec<u8>) {
        let Some((name, value)) = split_at_byte(b'=', parameter) else {
            return self.write_name(parameter, out);
        };
        let domain = self.write_parameter_name(name, out);
        out.push(b'=');
        match domain {
            Some(domain) => self.replace_decoded(domain, value, out),
            None => self.write_if(value, out, shape::is_open_value),
        }
    }

    /// Writes the name and tells what the value is, when the name says so.
    fn write_parameter_name(&mut self, name: &[u8], out: &mut Vec<u8>) -> Option<Domain> {
        if memchr(b'%', name).is_none() {
            let facts = self.names.facts(name);
            if facts.open {
                out.extend_from_slice(name)
            } else {
                self.value(name, out)
            }
            return facts.domain;
        }
        self.write_name(name, out);
        let decoded = self.decode(name);
        let domain = self.names.facts(&decoded).domain;
        self.decoded = decoded;
        domain
    }

    fn replace_decoded(&mut self, domain: Domain, text: &[u8], out: &mut Vec<u8>) {
        let decoded = self.decode(text);
        self.replace(domain, &decoded, out);
        self.decoded = decoded;
    }

    /// A parameter's, cookie's or header's name.
    fn write_name(&mut self, name: &[u8], out: &mut Vec<u8>) {
        if memchr(b'%', name).is_none() && self.names.facts(name).open {
            out.extend_from_slice(name);
        } else {
            self.write_if(name, out, shape::is_open);
        }
    }

    fn write_url(&mut self, url: &[u8], out: &mut Vec<u8>) {
        let target = Target::parse(url);
        if let Some(authority) = target.authority {
            // The scheme is letters and digits, or there would be no authority.
            out.extend_from_slice(memchr(b':', url).and_then(|at| url.get(..at + 3)).unwrap_or_default());
            self.write_host(authority, out);
        }
        let bare_origin = target.authority.is_some() && url.len() == out.len() && target.query.is_none();
        if let Some(path) = target.path.filter(|_| !bare_origin) {
            self.write_path(path, out);
        }
        if let Some(query) = target.query {
            out.push(b'?');
            self.write_query(query, out);
        }
        // OAuth's implicit grant answers with its token in the fragment.
        if let Some((_, fragment)) = split_at_byte(b'#', url) {
            out.push(b'#');
            self.write_query(fragment, out);
        }
    }

    /// Words between the delimiters of header values, each replaced where it could be a key or an address, and where the
    /// word before it says that it is a secret: `token=…`.
    fn write_words(&mut self, text: &[u8], out: &mut Vec<u8>) {
        let mut is_secret = false;
        for piece in text.split_inclusive(|b| is_delimiter(*b)) {
            let (word, end) = match piece.split_last() {
                Some((last, word)) if is_delimiter(*last) => (word, Some(*last)),
                _ => (piece, None),
            };
            if is_secret && !word.is_empty() {
                self.replace(Domain::Credential, word, out);
            } else if shape::is_open(word) {
                out.extend_from_slice(word)
            } else {
                self.value(word, out)
            }
            out.extend(end);
            is_secret = end == Some(b'=') && names::is_secret(word);
        }
    }

    fn write_media_type(&mut self, text: &[u8], out: &mut Vec<u8>) {
        for (at, part) in text.split(|b| *b == b';').enumerate() {
            let part = part.trim_ascii();
            if at == 0 {
                self.write_words(part, out);
            } else if part.get(..8).is_some_and(|name| name.eq_ignore_ascii_case(b"charset=")) {
                out.extend_from_slice(b"; ");
                self.write_words(part, out);
            }
        }
    }

    fn write_trace(&mut self, text: &[u8], out: &mut Vec<u8>) {
        let plain =
            |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b':' | b'.' | b';' | b'=' | b'/');
        if text.len() <= 128 && text.iter().all(plain) {
            out.extend_from_slice(text)
        } else {
            self.value(text, out)
        }
    }

    fn write_credentials(&mut self, text: &[u8], out: &mut Vec<u8>) {
        let scheme =
            |word: &[u8]| word.len() <= 20 && word.iter().all(|b| b.is_ascii_alphabetic() || *b == b'-');
        match split_at_byte(b' ', text).filter(|(word, _)| scheme(word)) {
            Some((word, secret)) => {
                out.extend_from_slice(word);
                out.push(b' ');
                self.replace(Domain::Credential, secret.trim_ascii(), out);
            }
            None => self.replace(Domain::Credential, text, out),
        }
    }

    fn write_cookies(&mut self, text: &[u8], out: &mut Vec<u8>) {
        for (at, pair) in text.split(|b| *b == b';').enumerate() {
            if at > 0 {
                out.extend_from_slice(b"; ");
            }
            self.write_cookie(pair.trim_ascii(), out);
        }
    }

    fn write_cookie(&mut self, pair: &[u8], out: &mut Vec<u8>) {
        match split_at_byte(b'=', pair) {
            Some((name, value)) => {
                self.write_name(name, out);
                out.push(b'=');
                self.replace(Domain::Credential, value, out);
            }
            None => self.replace(Domain::Credential, pair, out),
        }
    }

    fn write_set_cookie(&mut self, text: &[u8], out: &mut Vec<u8>) {
        let (pair, attributes) = split_at_byte(b';', text).unwrap_or((text, b""));
        self.write_cookie(pair.trim_ascii(), out);
        for attribute in attributes.split(|b| *b == b';').map(<[u8]>::trim_ascii).filter(|a| !a.is_empty()) {
            out.extend_from_slice(b"; ");
            if is_cookie_attribute(attribute) {
                self.write_words(attribute, out)
            } else {
                self.value(attribute, out)
            }
        }
    }
}

/// Most segments of paths are words.
fn is_word(segment: &[u8]) -> bool {
    segment.len() <= 24 && segment.iter().all(|b| b.is_ascii_lowercase() || *b == b'-')
}

/// The attributes of RFC 6265bis.
fn is_cookie_attribute(attribute: &[u8]) -> bool {
    let name = split_at_byte(b'=', attribute).map_or(attribute, |(name, _)| name);
    let known: [&[u8]; 8] =
        [b"expires", b"max-age", b"domain", b"path", b"secure", b"httponly", b"samesite", b"partitioned"];
    known.iter().any(|known| known.eq_ignore_ascii_case(name))
}

const fn is_delimiter(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b',' | b';' | b'=' | b'(' | b')' | b'"' | b'<' | b'>' | b'\'')
}

fn split_at_byte(byte: u8, text: &[u8]) -> Option<(&[u8], &[u8])> {
    let (before, rest) = text.split_at_checked(memchr(byte, text)?)?;
    Some((before, rest.get(1..)?))
}

fn hex_pair(text: &[u8]) -> Option<u8> {
    let digits = std::str::from_utf8(text.get(..2)?)
        .ok()
        .filter(|pair| pair.bytes().all(|b| b.is_ascii_hexdigit()))?;
    u8::from_str_radix(digits, 16).ok()
}

fn write_token(token: Token, out: &mut Vec<u8>) {
    out.extend_from_slice(b"tok:");
    number::hex(out, token.0.first_chunk::<8>().map_or(&[], |half| half.as_slice()));
}
