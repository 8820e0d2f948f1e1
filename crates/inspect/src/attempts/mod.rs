//! Attempts: values of a request that are written to be executed by what is behind the API, and what the answer says became
//! of them.
//!
//! A cheap look at what a value is made of comes first (see `fields`), so that patterns are matched on few values. The
//! answer is searched only where a request holds an attempt.

mod condition;
mod evidence;
mod pickle;
mod prose;
mod signatures;
mod ssrf;
mod value;
mod words;

use crate::fields::{Field, FieldList, Step};
use crate::style::Said;
use crate::{Observation, Place};
use signatures::Signatures;
pub use ssrf::place_hash;

pub(crate) use evidence::{Answer, SEARCHED, text};
pub(crate) use value::is_serialised;
use value::{is_for_browsers, is_secret, normal, parts};

/// Attempts kept of one exchange.
const MAX_ATTEMPTS: usize = 8;
/// Bytes of a value that are looked at.
const MAX_VALUE: usize = 2048;

/// What is attempted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub enum AttemptKind {
    /// SQL in a value.
    Sql,
    /// Operators of a document database.
    NoSql,
    /// Commands of an operating system.
    Command,
    /// A path out of its folder.
    Path,
    /// Script for a browser.
    Script,
    /// An expression of a template engine.
    Template,
    /// An external entity of XML.
    Entity,
    /// A filter of a directory.
    Ldap,
    /// A lookup by a logging library.
    Lookup,
    /// An object that is built while it is read.
    Object,
    /// A line end that would begin another header field.
    Line,
    /// A URL of an address inside, for the server to fetch.
    Fetch,
    /// Another language's code.
    Code,
    /// Orders for a language model, in what a tool answers.
    Prompt,
}

impl AttemptKind {
    /// As findings spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sql => "SQL injection",
            Self::NoSql => "NoSQL injection",
            Self::Command => "command injection",
            Self::Path => "path traversal",
            Self::Script => "cross-site scripting",
            Self::Template => "template injection",
            Self::Entity => "XML external entity",
            Self::Ldap => "LDAP injection",
            Self::Lookup => "JNDI lookup",
            Self::Object => "unsafe deserialisation",
            Self::Line => "header injection",
            Self::Fetch => "server-side request forgery",
            Self::Code => "code injection",
            Self::Prompt => "prompt injection",
        }
    }
}

/// What an answer says of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Evidence {
    /// Nothing.
    #[default]
    None,
    /// A message of the interpreter that was attacked: it read the value as code, and failed.
    Error,
    /// The value stands in a page as it was sent.
    Reflected,
    /// The answer came as late as the value asked for.
    Delayed,
    /// The answer has what only success gives: a file of the system, the output of a command, a computed value.
    Shown,
}

/// A value that is written to be executed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// What is attempted.
    pub kind: AttemptKind,
    /// Where it stands.
    pub place: Place,
    /// The name of the parameter or field, letters, digits and `_.-[]` of it, at most 48 bytes; empty for path segments.
    pub name: Box<str>,
    /// Whether one such value is beyond doubt, wherever it stands.
    pub sure: bool,
    /// Whether it stands among sentences of somebody who may write about it.
    pub told: bool,
    /// What the answer says.
    pub evidence: Evidence,
    /// A hash of the value: retries of one are no more than one.
    pub value: u64,
    /// Whether the conditions in it hold, where they compare literals: `7=7`, `7=8`.
    pub truth: Option<bool>,
    /// Where the server is asked to fetch from, as [`place_hash`] has it.
    pub fetch: Option<u64>,
}

impl Attempt {
    /// Whether it is an attempt whatever comes of it; otherwise it may be somebody's text.
    pub const fn is_certain(&self) -> bool {
        self.sure && !self.told
    }
}

/// What was not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Unread {
    /// Values that may be attempts, beyond those that are kept, and values that go on behind what is kept of them.
    pub(crate) values: u64,
    /// Answers to attempts that go on behind what is searched of them.
    pub(crate) answers: u64,
}

/// Looks for attempts.
#[derive(Default)]
pub(crate) struct Attempts {
    /// Made when a value first needs them: most captures never do.
    signatures: Option<Signatures>,
    unread: Unread,
}

/// A suspicious value.
struct Suspect<'a> {
    place: Place,
    name: Box<str>,
    raw: &'a [u8],
}

impl Attempts {
    /// What was not looked at so far.
    pub(crate) const fn unread(&self) -> Unread {
        self.unread
    }

    /// What a request attempts, and what a tool's answer orders; `None` for nearly all. `begin` is the beginning of a
    /// request's body of which parts went ahead.
    pub(crate) fn of(
        &mut self,
        observation: &Observation,
        begin: &[u8],
        answer: &mut Answer<'_>,
    ) -> Option<Box<[Attempt]>> {
        let mut found = Vec::new();
        let lists = [&observation.request_fields, &observation.request_payload.list];
        for list in lists.into_iter().flatten() {
            if list.has_operators() {
                operators(list, &mut found);
            }
            for (field, raw) in list.odd() {
                let suspect = Suspect { place: place_of(field), name: name_of(list, field), raw };
                self.look(&suspect, answer, &mut found);
            }
            self.unread.values += u64::from(list.unread());
        }
        self.document(observation, begin, answer, &mut found);
        self.headers(observation, answer, &mut found);
        self.orders(observation, answer, &mut found);
        if found.is_empty() {
            return None;
        }
        self.unread.answers += u64::from(answer.is_longer());
        Some(found.into())
    }

    /// What stands in front of a document of XML, and is no value of it.
    fn document(
        &mut self,
        observation: &Observation,
        begin: &[u8],
        answer: &mut Answer<'_>,
        out: &mut Vec<Attempt>,
    ) {
        let Some(request) = observation.exchange.request.as_deref() else { return };
        let begin = if request.body.parts { begin } else { &request.body.bytes };
        let begin = begin.get(..MAX_VALUE).unwrap_or(begin);
        if begin.trim_ascii_start().starts_with(b"<") && memchr::memmem::find(begin, b"<!").is_some() {
            let name = Box::default();
            self.judge(&Suspect { place: Place::Body, name, raw: begin }, &normal(begin), answer, out);
        }
    }

    /// Standard header fields that programs log or parse: lookups in any of them, and more in those that are told to people.
    fn headers(&mut self, observation: &Observation, answer: &mut Answer<'_>, out: &mut Vec<Attempt>) {
        let Some(head) = observation.exchange.request_head() else { return };
        if memchr::memmem::find(&head.text, b"${").is_some() {
            for (name, value) in head.headers() {
                let told = [&b"user-agent"[..], b"referer"].iter().any(|known| name.is(known));
                if !told && memchr::memmem::find(value.bytes(), b"${").is_some() {
                    self.header(name.bytes(), value.bytes(), answer, out);
                }
            }
        }
        for name in [&b"user-agent"[..], b"referer"] {
            let Some(value) = head.header(name) else { continue };
            let raw = value.bytes();
            if memchr::memchr3(b'$', b'\'', b'<', raw).is_some() || raw.starts_with(b"() {") {
                self.header(name, raw, answer, out);
            }
        }
    }

    fn header(&mut self, name: &[u8], raw: &[u8], answer: &mut Answer<'_>, out: &mut Vec<Attempt>) {
        let plain = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'-';
        let name: String = name.iter().filter(plain).take(48).map(|byte| char::from(*byte)).collect();
        let suspect = Suspect { place: Place::Header, name: name.to_ascii_lowercase().into(), raw };
        self.look(&suspect, answer, out);
    }

    /// Orders for a model in what a tool of the Model Context Protocol answers, or says of itself.
    fn orders(&mut self, observation: &Observation, answer: &mut Answer<'_>, out: &mut Vec<Attempt>) {
        let speaks = |said: &Said| said.speaks("mcp") && observation.exchange.response.is_some();
        if !observation.said.as_deref().is_some_and(speaks) || out.len() >= MAX_ATTEMPTS {
            return;
        }
        let mut text = answer.text().to_vec();
        text.make_ascii_lowercase();
        if self.signatures.get_or_insert_with(Signatures::new).orders(&text) {
            let value = crate::payload::PathHash::ROOT.text(&text).get();
            out.push(Attempt {
                kind: AttemptKind::Prompt,
                place: Place::Body,
                name: Box::default(),
                sure: true,
                told: false,
                evidence: Evidence::None,
                value,
                truth: None,
                fetch: None,
            });
        }
    }

    fn look(&mut self, suspect: &Suspect<'_>, answer: &mut Answer<'_>, out: &mut Vec<Attempt>) {
        if is_serialised(suspect.raw) {
            add(out, answer, suspect, (AttemptKind::Object, true), suspect.raw);
            return;
        }
        let text = normal(suspect.raw);
        // Of a document or an object within a text, what is quoted can be a value of somebody's.
        let Some(parts) = parts(&text) else { return self.judge(suspect, &text, answer, out) };
        let kinds = self.signatures.get_or_insert_with(Signatures::new).kinds(&text);
        if let Some(object) = kinds.into_iter().find(|(kind, _)| *kind == AttemptKind::Object) {
            add(out, answer, suspect, object, &text);
        }
        for part in parts {
            self.judge(suspect, &part, answer, out);
            if let Some(target) = ssrf::bare(&part) {
                fetch(out, answer, suspect, &target, &part);
            }
        }
    }

    fn judge(&mut self, suspect: &Suspect<'_>, text: &[u8], answer: &mut Answer<'_>, out: &mut Vec<Attempt>) {
        for (kind, sure) in self.signatures.get_or_insert_with(Signatures::new).kinds(text) {
            add(out, answer, suspect, (kind, sure), text);
        }
        if let Some(target) = ssrf::target(text) {
            fetch(out, answer, suspect, &target, text);
        }
    }
}

fn fetch(
    out: &mut Vec<Attempt>,
    answer: &mut Answer<'_>,
    suspect: &Suspect<'_>,
    target: &ssrf::Target,
    text: &[u8],
) {
    let before = out.len();
    add(out, answer, suspect, (AttemptKind::Fetch, target.sure), text);
    for attempt in out.iter_mut().skip(before) {
        attempt.fetch = Some(target.place);
    }
}

fn add(
    out: &mut Vec<Attempt>,
    answer: &mut Answer<'_>,
    suspect: &Suspect<'_>,
    (kind, sure): (AttemptKind, bool),
    text: &[u8],
) {
    if out.len() >= MAX_ATTEMPTS || out.iter().any(|one| one.kind == kind && one.name == suspect.name) {
        return;
    }
    let truth = if kind == AttemptKind::Sql { condition::truth(text) } else { None };
    let evidence = answer.of(kind, text, suspect.raw);
    let value = crate::payload::PathHash::ROOT.text(text).get();
    // Filters of directories are written without room between them, wherever they stand.
    let among = kind == AttemptKind::Ldap || matches!(suspect.place, Place::Body | Place::Query);
    let told = among && prose::is_about(kind, text, &suspect.name);
    out.push(Attempt {
        kind,
        place: suspect.place,
        name: suspect.name.clone(),
        sure: sure && is_meant(suspect, kind, truth),
        told,
        evidence,
        value,
        truth,
        fetch: None,
    });
}

/// Whether a pattern means in this field what it means elsewhere.
fn is_meant(suspect: &Suspect<'_>, kind: AttemptKind, truth: Option<bool>) -> bool {
    match kind {
        AttemptKind::Fetch => suspect.place != Place::Header && !is_for_browsers(&suspect.name),
        // Lines are what texts consist of, where they are no part of a head.
        AttemptKind::Line => suspect.place != Place::Body,
        AttemptKind::NoSql => true,
        _ if is_secret(&suspect.name) => truth == Some(true),
        _ => true,
    }
}

/// Operators of a document database in the names of fields: `user[$ne]=x`, `{"user": {"$ne": null}}`. Where a service takes
/// filters so (`age[$gt]=18`) they are what it is for: beyond doubt are those that run code, and those instead of a credential.
fn operators(list: &FieldList, out: &mut Vec<Attempt>) {
    const CODE: &[&[u8]] = &[b"$where", b"$function", b"$accumulator", b"$expr"];
    const OPERATORS: &[&[u8]] =
        &[b"$ne", b"$gt", b"$gte", b"$lt", b"$lte", b"$nin", b"$in", b"$regex", b"$exists", b"$not"];
    let operator = |name: &[u8]| -> Option<bool> {
        let inner = memchr::memmem::find(name, b"[$").and_then(|at| name.get(at + 1..name.len() - 1));
        let name = inner.unwrap_or(name);
        (CODE.contains(&name)).then_some(true).or_else(|| OPERATORS.contains(&name).then_some(false))
    };
    let found = list.fields().iter().filter_map(|field| Some((field, operator(list.name(field))?)));
    for (field, is_code) in found.take(2) {
        let name = match field.step {
            Step::Query => name_of(list, field),
            _ => list.get(field.parent).map_or_else(Box::default, |parent| name_of(list, parent)),
        };
        let sure = is_code || is_credential(&name);
        let (place, value) = (place_of(field), field.hash);
        let (kind, evidence) = (AttemptKind::NoSql, Evidence::None);
        out.push(Attempt { kind, place, name, sure, told: false, evidence, value, truth: None, fetch: None });
    }
}

/// Whether a field tells who somebody is, or proves it.
fn is_credential(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["user", "login", "mail", "pass", "pwd", "token", "otp", "secret"].iter().any(|word| name.contains(word))
        || name == "pin"
        || name == "code"
}

const fn place_of(field: &Field) -> Place {
    match field.step {
        Step::Segment => Place::Path,
        Step::Query => Place::Query,
        Step::Header => Place::Header,
        Step::Cookie => Place::Cookie,
        Step::Document | Step::Member | Step::Element | Step::Attribute => Place::Body,
    }
}

/// A name that people can read in a reason, and nothing else.
fn name_of(list: &FieldList, field: &Field) -> Box<str> {
    if field.step == Step::Segment {
        return Box::default();
    }
    plain_name(list.name(field), 48).into()
}

/// The name of a field for people: letters, digits and `_.-[]`. A key of a map can be somebody's number or mail address: of
/// digits no more than three are shown, however they are grouped, and a name with an `@` is not.
pub fn plain_name(name: &[u8], most: usize) -> String {
    if name.contains(&b'@') {
        return "(an address)".to_owned();
    }
    let mut digits = 0;
    let plain = |byte: &&u8| byte.is_ascii_alphanumeric() || b"_.-[]".contains(byte);
    let shown = name.iter().filter(plain).take(most).map(|byte| {
        digits += u32::from(byte.is_ascii_digit());
        if digits > 3 && byte.is_ascii_digit() { '#' } else { char::from(*byte) }
    });
    shown.collect()
}

/// The words of a name, in lower case: two each of `loginName`, `login_name`.
pub fn name_words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut lower = false;
    for letter in name.chars() {
        if !letter.is_alphanumeric() || letter.is_uppercase() && lower || words.is_empty() {
            words.push(String::new());
        }
        lower = letter.is_lowercase() || letter.is_ascii_digit();
        if let Some(word) = words.last_mut().filter(|_| letter.is_alphanumeric()) {
            word.extend(letter.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests;
