//! Styles of calls: what is called, and how it went, where the path and the status do not say it.
//!
//! A style reads what the payload parsers noted of both messages, and a few header fields; it never sees a body. To add a
//! style: its file under `payload/`, and its line in [`STYLES`].

use crate::payload::{Notes, aws, form, graphql, grpc, json_rpc, llm, mcp, multipart, xml};
use crate::{Descriptors, Payload, Token, Tokens};
use tapwire_protocol::{Anomalies, Head};

/// Bytes kept of a name; a longer one is cut.
const MAX_NAME: usize = 128;
/// Bytes of an operation's key: a style and a few names.
const MAX_KEY: usize = 256;

/// A name out of a payload, at most 128 bytes of it. Its `Debug` shows a length: it leaves only through redaction.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Name(Box<str>);

impl Name {
    /// The beginning of the bytes; what is no UTF-8 is replaced.
    pub(crate) fn new(bytes: &[u8]) -> Self {
        Self::capped(bytes, MAX_NAME)
    }

    fn capped(bytes: &[u8], most: usize) -> Self {
        let text = String::from_utf8_lossy(bytes.get(..most).unwrap_or(bytes));
        // A character that the cut went through.
        let text = if bytes.len() > most { text.trim_end_matches('\u{fffd}') } else { &text };
        Self(text.into())
    }

    /// The text, for comparing, hashing and redaction; never for logs.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "<{} bytes>", self.0.len())
    }
}

/// What is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// The style's name in [`STYLES`].
    pub style: &'static str,
    /// What tells it from others on the same path: `tools/call get_weather`, at most 256 bytes.
    pub name: Name,
    /// Whether the answer says that there is no such operation: it makes no endpoint then.
    pub unknown: bool,
}

impl Operation {
    /// A longer name ends in `…` where it is cut.
    pub(crate) fn new(style: &'static str, name: &str) -> Self {
        let name = if name.len() > MAX_KEY {
            let begin = Name::capped(name.as_bytes(), MAX_KEY - '…'.len_utf8());
            Name(format!("{}…", begin.as_str()).into())
        } else {
            Name(name.into())
        };
        Self { style, name, unknown: false }
    }
}

/// The value of a fact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// A count, or a size in bytes.
    Count(u64),
    /// A number that may be negative, such as an error code.
    Number(i64),
    /// Whether something is so.
    Truth(bool),
    /// A word of the sensor's own.
    Own(&'static str),
    /// A name out of the traffic.
    Name(Name),
    /// Text out of the traffic that is content: it leaves as a token.
    Content(Name),
    /// The keyed token of a credential or identity.
    Token(Token),
    /// The beginning of the SHA-256 of something that is compared and never shown.
    Digest([u8; 8]),
    /// Several values.
    List(Vec<Fact>),
    /// Several values of one thing, by key.
    Group(Facts),
}

/// Facts by key, in a fixed order.
pub type Facts = Vec<(&'static str, Fact)>;

/// What the payloads of an exchange say in their style.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Said {
    /// Names of the styles spoken, outermost first: they follow the wire protocols.
    pub protocols: Vec<&'static str>,
    /// What is called; `None` where the path says it.
    pub operation: Option<Operation>,
    /// Whether the payload says that the call failed, whatever the status says.
    pub failed: bool,
    /// What each style says beyond that, by its key in events.
    pub facts: Vec<(&'static str, Facts)>,
}

impl Said {
    /// The facts under that key.
    pub fn facts(&self, key: &str) -> Option<&Facts> {
        self.facts.iter().find(|(known, _)| *known == key).map(|(_, facts)| facts)
    }

    /// One fact under a style's key.
    pub fn fact(&self, key: &str, name: &str) -> Option<&Fact> {
        self.facts(key)?.iter().find(|(known, _)| *known == name).map(|(_, fact)| fact)
    }

    pub(crate) fn speaks(&self, protocol: &str) -> bool {
        self.protocols.contains(&protocol)
    }
}

/// Everything that styles read.
pub(crate) struct Spoken<'a> {
    pub(crate) request: Option<&'a Head>,
    pub(crate) response: Option<&'a Head>,
    pub(crate) response_payload: &'a Payload,
    /// What the parsers noted of the request's and the response's body.
    pub(crate) asked: &'a Notes,
    pub(crate) answered: &'a Notes,
    /// The path, and query parameters with their values, still encoded.
    pub(crate) path: &'a [u8],
    pub(crate) parameters: &'a [(&'a [u8], &'a [u8])],
    /// Names for the fields of protobuf messages, where a description was given.
    pub(crate) descriptors: &'a Descriptors,
    pub(crate) tokens: &'a mut Tokens,
    /// Whether this is a message of a stream that is told in parts.
    pub(crate) is_message: bool,
    /// Whether every byte of the answer was read, its trailers too.
    pub(crate) answered_whole: bool,
    /// What styles find odd.
    pub(crate) anomalies: Anomalies,
}

impl Spoken<'_> {
    /// The first query parameter of that name.
    pub(crate) fn parameter(&self, name: &[u8]) -> Option<&[u8]> {
        self.parameters.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }

    /// A header of the request.
    pub(crate) fn request_header(&self, name: &[u8]) -> Option<&[u8]> {
        self.request?.header(name).map(|value| value.bytes()).filter(|value| !value.is_empty())
    }

    /// A header of either message.
    pub(crate) fn either_header(&self, name: &[u8]) -> Option<&[u8]> {
        self.request_header(name)
            .or_else(|| self.response?.header(name).map(|value| value.bytes()))
            .filter(|value| !value.is_empty())
    }
}

/// A style of calls, as `tapwire list payloads` prints it.
#[derive(Debug)]
pub struct Style {
    /// The name in events.
    pub name: &'static str,
    /// What is read of it, in one sentence.
    pub summary: &'static str,
    /// By what it is known, for people.
    pub told_by: &'static str,
    /// Adds what it finds; finds nothing in exchanges of other styles.
    pub(crate) read: fn(&mut Spoken<'_>, &mut Said),
}

/// Every style, in the order they are asked: an outer one before those inside it.
pub static STYLES: &[Style] = &[
    graphql::STYLE,
    json_rpc::STYLE,
    mcp::STYLE,
    llm::STYLE,
    xml::STYLE,
    grpc::STYLE,
    aws::STYLE,
    form::STYLE,
    multipart::STYLE,
];

/// Whether a head says by itself that a style is spoken: of a call without payload, or of a stream whose message this is.
pub(crate) fn speaks_by_head(request: &Head) -> bool {
    grpc::names(request) || mcp::names(request) || aws::names(request)
}

/// What all styles find; `None` for the usual exchange, whose path says everything.
pub(crate) fn read(spoken: &mut Spoken<'_>) -> Option<Box<Said>> {
    let mut said = Said::default();
    STYLES.iter().for_each(|style| (style.read)(spoken, &mut said));
    (said != Said::default()).then(|| Box::new(said))
}

#[cfg(test)]
mod tests;
