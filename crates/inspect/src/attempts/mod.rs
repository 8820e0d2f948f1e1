//! Attempts: values of a request that are written to be executed by what is behind the API, and what the answer says became
//! of them.
//!
//! A cheap look at what a value is made of comes first (see `fields`), so that patterns are matched on few values. The
//! answer is searched only where a request holds an attempt.

mod evidence;
mod signatures;
mod ssrf;

use crate::fields::{Field, FieldList, Step};
use crate::percent;
use crate::{Observation, Place};
use signatures::Signatures;

pub(crate) use evidence::Answer;

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
    /// Whether one such value is beyond doubt; otherwise it may be somebody's text.
    pub sure: bool,
    /// What the answer says.
    pub evidence: Evidence,
    /// A hash of the value: retries of one are no more than one.
    pub value: u64,
}

/// Looks for attempts.
#[derive(Default)]
pub(crate) struct Attempts {
    /// Made when a value first needs them: most captures never do.
    signatures: Option<Signatures>,
}

/// A suspicious value.
struct Suspect<'a> {
    place: Place,
    name: Box<str>,
    raw: &'a [u8],
}

impl Attempts {
    /// What a request attempts; `None` for nearly all.
    pub(crate) fn of(
        &mut self,
        observation: &Observation,
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
        }
        self.document(observation, answer, &mut found);
        self.header(observation, b"user-agent", answer, &mut found);
        self.header(observation, b"referer", answer, &mut found);
        (!found.is_empty()).then(|| found.into())
    }

    /// What stands in front of a document of XML, and is no value of it.
    fn document(&mut self, observation: &Observation, answer: &mut Answer<'_>, out: &mut Vec<Attempt>) {
        let Some(request) = observation.exchange.request.as_deref() else { return };
        let begin = request.body.bytes.get(..MAX_VALUE).unwrap_or(&request.body.bytes);
        if begin.trim_ascii_start().starts_with(b"<") && memchr::memmem::find(begin, b"<!").is_some() {
            let name = Box::default();
            self.judge(&Suspect { place: Place::Body, name, raw: begin }, &normal(begin), answer, out);
        }
    }

    /// Standard header fields that programs log or parse.
    fn header(
        &mut self,
        observation: &Observation,
        name: &[u8],
        answer: &mut Answer<'_>,
        out: &mut Vec<Attempt>,
    ) {
        let Some(value) = observation.exchange.request_head().and_then(|head| head.header(name)) else {
            return;
        };
        let raw = value.bytes();
        if memchr::memchr3(b'$', b'\'', b'<', raw).is_some() || raw.starts_with(b"() {") {
            let name = String::from_utf8_lossy(name).into();
            self.look(&Suspect { place: Place::Header, name, raw }, answer, out);
        }
    }

    fn look(&mut self, suspect: &Suspect<'_>, answer: &mut Answer<'_>, out: &mut Vec<Attempt>) {
        let text = normal(suspect.raw);
        let is_document = matches!(text.as_slice(), [b'{', second, ..] if *second != b'{');
        if text.starts_with(b"query") || text.starts_with(b"mutation") || is_document {
            // Of a document or an object within a text, what is quoted can be a value of somebody's.
            for part in text.split(|byte| *byte == b'"').skip(1).step_by(2).take(64) {
                self.judge(suspect, part, answer, out);
                if let Some(target) = ssrf::bare(part) {
                    add(out, answer, suspect, (AttemptKind::Fetch, target.sure), part);
                }
            }
            return;
        }
        self.judge(suspect, &text, answer, out);
    }

    fn judge(&mut self, suspect: &Suspect<'_>, text: &[u8], answer: &mut Answer<'_>, out: &mut Vec<Attempt>) {
        for (kind, sure) in self.signatures.get_or_insert_with(Signatures::new).kinds(text) {
            add(out, answer, suspect, (kind, sure), text);
        }
        if let Some(target) = ssrf::target(text) {
            add(out, answer, suspect, (AttemptKind::Fetch, target.sure), text);
        }
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
    let evidence = answer.of(kind, text, suspect.raw);
    let value = crate::payload::PathHash::ROOT.text(text).get();
    out.push(Attempt { kind, place: suspect.place, name: suspect.name.clone(), sure, evidence, value });
}

/// Operators of a document database in the names of fields: `user[$ne]=x`, `{"user": {"$ne": null}}`.
fn operators(list: &FieldList, out: &mut Vec<Attempt>) {
    const OPERATORS: &[&[u8]] =
        &[b"$ne", b"$gt", b"$gte", b"$lt", b"$lte", b"$nin", b"$regex", b"$where", b"$exists", b"$not"];
    let is_operator = |name: &[u8]| {
        OPERATORS.contains(&name)
            || memchr::memmem::find(name, b"[$")
                .and_then(|at| name.get(at + 1..name.len() - 1))
                .is_some_and(|inner| OPERATORS.contains(&inner))
    };
    for field in list.fields().iter().filter(|field| is_operator(list.name(field))).take(2) {
        let name = list.get(field.parent).map_or_else(Box::default, |parent| name_of(list, parent));
        let place = place_of(field);
        let value = field.hash;
        let sure = true;
        let kind = AttemptKind::NoSql;
        out.push(Attempt { kind, place, name, sure, evidence: Evidence::None, value });
    }
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
    let plain = |byte: &&u8| byte.is_ascii_alphanumeric() || b"_.-[]".contains(byte);
    list.name(field).iter().filter(plain).take(48).map(|byte| char::from(*byte)).collect::<String>().into()
}

/// A value in lower case, decoded where it is encoded once more, without what SQL and URLs allow between words.
fn normal(raw: &[u8]) -> Vec<u8> {
    let mut text = raw.get(..MAX_VALUE).unwrap_or(raw).to_vec();
    for _ in 0..2 {
        let encoded = text
            .windows(3)
            .any(|three| matches!(three, [b'%', a, b] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit()));
        if !encoded {
            break;
        }
        text = percent::decode(&text, MAX_VALUE);
    }
    text.make_ascii_lowercase();
    while let Some(at) = memchr::memmem::find(&text, b"/*") {
        let Some(end) = text.get(at + 2..).and_then(|rest| memchr::memmem::find(rest, b"*/")) else { break };
        text.splice(at..at + end + 4, [b' ']);
    }
    text
}

#[cfg(test)]
mod tests;
