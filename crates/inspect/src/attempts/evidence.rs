//! What an answer says of an attempt.

use super::{AttemptKind, Evidence};
use crate::content::{Caps, Codings, Decoder};
use memchr::memmem::find;
use tapwire_protocol::{Exchange, Message};

/// Bytes of an answer that are searched.
pub(crate) const SEARCHED: usize = 64 << 10;

/// What databases write when a value broke their grammar.
const SQL_ERRORS: &[&[u8]] = &[
    b"You have an error in your SQL syntax",
    b"SQLSTATE[",
    b"sqlite3.OperationalError",
    b"OperationalError",
    b"SQLITE_ERROR",
    b"unrecognized token:",
    b"syntax error at or near",
    b"unterminated quoted string",
    b"Unclosed quotation mark",
    b"quoted string not properly terminated",
    b"ORA-0",
    b"PG::SyntaxError",
    b"psycopg2.errors",
    b"com.mysql.jdbc",
    b"System.Data.SqlClient",
    b"SQL syntax",
];
/// What other interpreters write.
const OTHER_ERRORS: &[&[u8]] = &[
    b"MongoError",
    b"MongoServerError",
    b"BadValue",
    b"CastError",
    b"sh: 1: ",
    b"bash: line",
    b": command not found",
    b"TemplateSyntaxError",
    b"jinja2.exceptions",
    b"freemarker.core",
    b"javax.naming",
    b"LDAPException",
    b"SAXParseException",
    b"XMLSyntaxError",
    b"failed to open stream",
    b"No such file or directory",
    b"pickle data was truncated",
    b"InvalidClassException",
];
/// What a file of the system or the output of a command has in it.
const OUTPUTS: &[&[u8]] = &[
    b"root:x:0:0:",
    b"root:*:0:0:",
    b"daemon:x:1:1:",
    b"uid=0(",
    b"uid=33(",
    b"uid=1000(",
    b"[boot loader]",
    b"; for 16-bit app support",
    b"Linux version ",
    b"PID TTY ",
    b"Volume Serial Number",
    b"PATH=/",
    b"127.0.0.1\tlocalhost",
];
/// What tells a machine its credentials.
const METADATA: &[&[u8]] = &[
    b"AccessKeyId",
    b"ami-id",
    b"instance-id",
    b"iam/security-credentials",
    b"computeMetadata",
    b"SecretAccessKey",
];

/// An answer as it can be searched.
pub(crate) struct Answer<'a> {
    message: Option<&'a Message>,
    caps: Caps,
    /// Its text, decoded, or the beginning of it; made when it is asked for.
    text: Option<Vec<u8>>,
    /// Nanoseconds until it came.
    latency: Option<u64>,
}

impl<'a> Answer<'a> {
    /// That of an exchange.
    pub(crate) fn new(exchange: &'a Exchange, caps: Caps) -> Self {
        Self { message: exchange.response.as_deref(), caps, text: None, latency: exchange.latency() }
    }

    fn is_page(&self) -> bool {
        let kind = self.message.and_then(|message| message.head.header(b"content-type"));
        kind.is_some_and(|kind| find(&kind.bytes().to_ascii_lowercase(), b"html").is_some())
    }
}

/// The beginning of a body, without its content coding.
fn text(message: Option<&Message>, caps: Caps) -> Vec<u8> {
    let Some(message) = message else { return Vec::new() };
    let coding = message.head.header(b"content-encoding").map(|value| value.bytes()).unwrap_or_default();
    let Codings::Known(codings) = Codings::parse(coding) else { return Vec::new() };
    let mut text = Vec::new();
    Decoder::new(codings, &mut Vec::new()).feed(&message.body.bytes, caps, &mut |content| {
        let room = SEARCHED.saturating_sub(text.len()).min(content.len());
        text.extend_from_slice(content.get(..room).unwrap_or_default());
    });
    text
}

impl Answer<'_> {
    /// What it says of a value, in its normal form and as it was sent.
    pub(super) fn of(&mut self, kind: AttemptKind, value: &[u8], raw: &[u8]) -> Evidence {
        let (is_page, latency, message, caps) = (self.is_page(), self.latency, self.message, self.caps);
        let text = self.text.get_or_insert_with(|| text(message, caps)).as_slice();
        let has = |words: &[&[u8]]| words.iter().any(|word| find(text, word).is_some());
        let shown = match kind {
            AttemptKind::Path | AttemptKind::Command | AttemptKind::Entity | AttemptKind::Code => {
                has(OUTPUTS)
            }
            AttemptKind::Fetch => has(METADATA) || has(OUTPUTS),
            AttemptKind::Template => computed(value, text),
            AttemptKind::Sql => {
                has(&[b"sqlite_master", b"information_schema", b"@@version"])
                    && find(value, b"select").is_some()
            }
            _ => false,
        };
        if shown {
            return Evidence::Shown;
        }
        if asked_delay(kind, value)
            .is_some_and(|seconds| latency.is_some_and(|nanos| nanos / 900_000_000 >= seconds))
        {
            return Evidence::Delayed;
        }
        if kind == AttemptKind::Script && is_page && raw.len() >= 8 && find(text, raw).is_some() {
            return Evidence::Reflected;
        }
        let failed = match kind {
            AttemptKind::Sql => has(SQL_ERRORS),
            AttemptKind::Script | AttemptKind::Line | AttemptKind::Fetch => false,
            _ => has(OTHER_ERRORS),
        };
        if failed { Evidence::Error } else { Evidence::None }
    }
}

/// Seconds that a value asks a server to wait.
fn asked_delay(kind: AttemptKind, value: &[u8]) -> Option<u64> {
    if !matches!(kind, AttemptKind::Sql | AttemptKind::Command | AttemptKind::Code | AttemptKind::NoSql) {
        return None;
    }
    let at = find(value, b"sleep").map(|at| at + 5).or_else(|| find(value, b"delay").map(|at| at + 5))?;
    let rest = value.get(at..at + 24.min(value.len() - at))?;
    let digits: Vec<u64> = rest
        .split(|byte| !byte.is_ascii_digit())
        .filter_map(|part| std::str::from_utf8(part).ok()?.parse().ok())
        .collect();
    // `0:0:5` is five seconds.
    digits.into_iter().find(|seconds| (2..=120).contains(seconds))
}

/// Whether the product that a template asks for stands in the answer, and not the question.
fn computed(value: &[u8], text: &[u8]) -> bool {
    let numbers: Vec<u64> = value
        .split(|byte| !byte.is_ascii_digit())
        .filter(|part| (1..=7).contains(&part.len()))
        .filter_map(|part| std::str::from_utf8(part).ok()?.parse().ok())
        .collect();
    let [one, other] = numbers.as_slice() else { return false };
    let product = one.saturating_mul(*other);
    product > 99
        && memchr::memchr(b'*', value).is_some()
        && find(text, product.to_string().as_bytes()).is_some()
}
