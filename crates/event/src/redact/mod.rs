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
//! - In paths, queries and names of fields nothing that is of a class of data which names somebody or opens something, such as
//!   the number of a citizen, whose digits look like any other.
//!
//! A replaced text reads `tok:` and 16 hexadecimal digits: the first half of its keyed token, equal for equal text under
//! one key, whose id stands in each event. Bytes that are no UTF-8 are percent-encoded. Longer text than the limits below
//! is cut, and the event says so. What a replaced text becomes is each output's choice, its [`Profile`]. [`Fidelity::Full`] is the documented opt-out: text leaves as it was, but for what proves
//! that a card is at hand (PCI DSS 3.3.1): verification codes, PINs and magnetic stripes leave in no form and in no mode. Where
//! one stood there is `dropped:`. Of a card's number no more than six and four digits leave in any mode (PCI DSS 3.4.1).

mod card;
mod facts;
mod generation;
mod headers;
mod names;
mod never;
mod payload;
mod profile;
mod remembered;
mod seal;
mod shape;
mod url;
mod values;

use facts::KnownNames;
pub use generation::Generation;
use generation::Keys;
use headers::Policy;
use memchr::memchr;
pub use profile::{Profile, Treatment};
use remembered::Remembered;
pub use seal::Seal;
use std::sync::Arc;
use tapwire_inspect::classes::{Classes, Sensitivity};
use tapwire_inspect::{Domain, Token, TokenKey};
use tapwire_protocol::Untrusted;

/// Longest path, query string or header value that leaves, in bytes before redaction.
const LONGEST_TEXT: usize = 4 << 10;
/// The same with full fidelity.
const LONGEST_FULL_TEXT: usize = 64 << 10;
/// Digits of the shortest number by which a state knows people (`AB123456C`).
const LEAST_DIGITS: usize = 6;
/// Longest method that leaves in clear; the longest registered one has 17 letters.
const LONGEST_METHOD: usize = 24;

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
    keys: Keys,
    profile: Profile,
    fidelity: Fidelity,
    clear_headers: Vec<String>,
    decoded: Vec<u8>,
    names: KnownNames,
    remembered: Remembered,
    seal: Option<Seal>,
    cut: bool,
}

impl Redactor {
    /// A redactor whose tokens are made with `key`.
    pub fn new(key: TokenKey, fidelity: Fidelity) -> Self {
        Self {
            keys: Keys::new(key),
            profile: Profile::default(),
            fidelity,
            clear_headers: Vec::new(),
            decoded: Vec::new(),
            names: KnownNames::new(Arc::default()),
            remembered: Remembered::new(),
            seal: None,
            cut: false,
        }
    }

    /// Also lets the values of these headers leave as they are; names in any case.
    #[must_use]
    pub fn clear_headers(mut self, names: impl IntoIterator<Item = String>) -> Self {
        self.clear_headers.extend(names);
        self
    }

    /// Looks for these classes of data instead of those of every region.
    #[must_use]
    pub fn classes(mut self, classes: Arc<Classes>) -> Self {
        self.names = KnownNames::new(classes);
        self
    }

    /// Encrypts what the profile wants encrypted.
    #[must_use]
    pub fn seal(mut self, seal: Seal) -> Self {
        self.seal = Some(seal);
        self
    }

    /// How much leaves.
    pub const fn fidelity(&self) -> Fidelity {
        self.fidelity
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

    /// A host of a certificate for people: `*.` before it stands for any name (RFC 9525, 6.3).
    pub fn shown_wildcard(&mut self, host: &str) -> String {
        match host.strip_prefix("*.") {
            Some(parent) => format!("*.{}", self.shown_host(parent)),
            None => self.shown_host(host),
        }
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

    /// The name of a field or parameter for people, redacted as the names of headers are.
    pub fn shown_name(&mut self, name: &str) -> String {
        self.shown(name, Self::header_name)
    }

    /// A value that a field of that name had, for people; `None` where a query string would not show it.
    pub fn shown_choice(&mut self, name: &str, value: &str) -> Option<String> {
        let pair = format!("{name}={}", value.replace(' ', "+"));
        (self.shown(&pair, Self::query) == pair).then(|| value.to_owned())
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
        if self.seal.is_some() {
            // What is sealed has letters of both cases.
            let lower = host.bytes().to_ascii_lowercase();
            return self.fill(Untrusted::new(&lower), scratch, Self::write_host);
        }
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
        let facts = self.names.facts(name);
        if facts.never_kept {
            return Self::dropped(scratch);
        }
        self.header_by(facts.policy, name, value, scratch)
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
            if listed { this.write_what_may_be_kept(text, out) } else { this.write_header(policy, text, out) }
        })
    }

    fn is_clear(&self, name: &[u8]) -> bool {
        self.clear_headers.iter().any(|clear| clear.as_bytes().eq_ignore_ascii_case(name))
    }

    /// A keyed token as text. One that the sensor's own key made is made anew where the profile has its own.
    pub(crate) fn token<'s>(&mut self, token: Token, scratch: &'s mut Vec<u8>) -> Redacted<'s> {
        scratch.clear();
        if self.profile.own_tokens {
            self.write_own_token(generation::shown_half(&token), scratch);
        } else {
            generation::write_token(1, token, scratch);
        }
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
            Fidelity::Full => self.write_what_may_be_kept(text, scratch),
            Fidelity::Default => {
                write(self, text, scratch);
                // Words that may leave one by one may be a number together.
                if card::is_in(text) {
                    card::truncate(&std::mem::take(scratch), scratch);
                }
            }
        }
        Redacted(scratch)
    }

    /// A body, of which full fidelity lets leave all but what no number of a card may show.
    pub(crate) fn body<'s>(&self, body: &[u8], scratch: &'s mut Vec<u8>) -> Redacted<'s> {
        scratch.clear();
        card::truncate(body, scratch);
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

    /// Whether a value that looks harmless is of a class of data that names somebody or opens something, as the name says or as
    /// its check digits do.
    fn is_of_class(&mut self, name: &[u8], value: &[u8]) -> bool {
        // What has fewer digits is no number of a person, and words were judged by their shape.
        if value.iter().filter(|byte| byte.is_ascii_digit()).take(LEAST_DIGITS).count() < LEAST_DIGITS {
            return false;
        }
        let clues = self.names.facts(name).clues;
        let hits = self.names.classes().look(&clues, false, value, value.len() as u64);
        hits.reported()
            .any(|hit| hit.class.builtin().is_none_or(|class| class.sensitivity > Sensitivity::Low))
    }

    fn value(&mut self, text: &[u8], out: &mut Vec<u8>) {
        self.replace(Domain::Value, text, out);
    }
}

fn split_at_byte(byte: u8, text: &[u8]) -> Option<(&[u8], &[u8])> {
    let (before, rest) = text.split_at_checked(memchr(byte, text)?)?;
    Some((before, rest.get(1..)?))
}
