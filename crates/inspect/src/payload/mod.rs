//! Payload formats: one file each, all of them push parsers.
//!
//! A parser sees a body in pieces of any size; every split gives the same [`Reading`]. It builds no tree and holds a
//! bounded state. To add a format: its file here, and its line in [`PAYLOADS`].

pub(crate) mod aws;
mod events;
pub(crate) mod form;
pub(crate) mod graphql;
pub(crate) mod grpc;
mod json;
pub(crate) mod json_rpc;
pub(crate) mod llm;
mod login;
pub(crate) mod mcp;
pub(crate) mod multipart;
mod notes;
mod paths;
pub(crate) mod text;
pub(crate) mod xml;

pub use login::{Login, Wanted};
pub use notes::Notes;
pub(crate) use paths::PathHash;

use crate::fields::Equipment;
use crate::fields::FieldList;
use crate::{KeySample, PayloadState};
use tapwire_protocol::Anomalies;

/// A payload format, as `tapwire list payloads` and `tapwire explain` print it.
#[derive(Debug)]
pub struct PayloadFormat {
    /// The name in events.
    pub name: &'static str,
    /// What it is and what is read of it, in one sentence.
    pub summary: &'static str,
    /// The media types it is known by, for people; `matches` decides.
    pub media_types: &'static [&'static str],
    /// Whether a media type, lower-case and without parameters, names this format.
    pub matches: fn(&[u8]) -> bool,
    /// Whether a body without Content-Type that begins with this byte, white space aside, is taken for it.
    pub begins: fn(u8) -> bool,
    /// A parser for one body, ready for the next one after [`PayloadParser::finish`].
    pub parser: fn() -> Box<dyn PayloadParser>,
}

/// Every payload format.
pub static PAYLOADS: &[PayloadFormat] = &[
    json::FORMAT,
    form::FORMAT,
    xml::FORMAT,
    multipart::FORMAT,
    events::FORMAT,
    grpc::FORMAT,
    graphql::FORMAT,
    aws::FORMAT,
    text::FORMAT,
];

/// Reads bodies of one format, one after the other.
pub trait PayloadParser: Send {
    /// Begins a body of that Content-Type, for what its parameters say. Without it the body has to say everything.
    fn begin(&mut self, _content_type: &[u8]) {}

    /// Looks for these data classes in all bodies to come.
    fn equip(&mut self, _equipment: &Equipment) {}

    /// Takes the next bytes of the body.
    fn feed(&mut self, bytes: &[u8]);

    /// Ends the body and makes the parser ready for another. `whole` says that the body's last byte was fed.
    fn finish(&mut self, whole: bool) -> Reading;

    /// Takes the memory of a list of fields that nobody looks at any more.
    #[allow(clippy::boxed_local, reason = "a list that is not wanted ends here")]
    fn reuse(&mut self, _list: Box<FieldList>) {}

    /// Bytes that the open body has made it hold beyond what it always does.
    fn held(&self) -> usize {
        0
    }
}

/// What a parser read of one body.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reading {
    /// How far.
    pub state: PayloadState,
    /// Distinct fields.
    pub fields: u32,
    /// Hash of the set of key paths to depth 3.
    pub shape: u64,
    /// A sample of those key paths.
    pub keys: KeySample,
    /// What it says about a login.
    pub login: Option<Login>,
    /// What styles of calls want of it; `None` for most bodies.
    pub notes: Option<Box<Notes>>,
    /// Facts about its bytes.
    pub anomalies: Anomalies,
    /// Its fields with what their values are; `None` where the body is not what it should be.
    pub list: Option<Box<FieldList>>,
}

/// Distinct names as one: `a, b`. Of more than `most`, the first in the alphabet.
fn distinct(names: impl IntoIterator<Item = String>, most: usize) -> String {
    let mut names: Vec<String> = names.into_iter().collect();
    names.sort_unstable();
    names.dedup();
    let more = if names.len() > most { ", …" } else { "" };
    names.truncate(most);
    names.join(", ") + more
}

/// A parameter of a Content-Type or Content-Disposition (RFC 9110, 5.6.6), its quotes undone.
fn parameter(value: &[u8], name: &[u8]) -> Option<Vec<u8>> {
    let mut rest = value.get(memchr::memchr(b';', value)?..)?;
    while let Some(tail) = rest.strip_prefix(b";") {
        let tail = tail.trim_ascii_start();
        let equals = tail.iter().position(|byte| matches!(byte, b'=' | b';')).unwrap_or(tail.len());
        let (key, after) = tail.split_at_checked(equals)?;
        let Some(text) = after.strip_prefix(b"=") else {
            rest = after;
            continue;
        };
        let (found, after) = parameter_value(text.trim_ascii_start());
        if key.trim_ascii_end().eq_ignore_ascii_case(name) {
            return Some(found);
        }
        rest = after.get(memchr::memchr(b';', after)?..)?;
    }
    None
}

/// A token or a quoted string, and what stands behind it.
fn parameter_value(text: &[u8]) -> (Vec<u8>, &[u8]) {
    let Some(mut rest) = text.strip_prefix(b"\"") else {
        let len = memchr::memchr(b';', text).unwrap_or(text.len());
        let (token, rest) = text.split_at_checked(len).unwrap_or((text, &[]));
        return (token.trim_ascii_end().to_vec(), rest);
    };
    let mut found = Vec::new();
    loop {
        rest = match rest {
            [] => return (found, rest),
            [b'"', rest @ ..] => return (found, rest),
            [b'\\', byte, rest @ ..] | [byte, rest @ ..] => {
                found.push(*byte);
                rest
            }
        };
    }
}

/// The format a Content-Type value names.
pub(crate) fn by_media_type(content_type: &[u8]) -> Option<&'static PayloadFormat> {
    essence(content_type, |name| PAYLOADS.iter().find(|format| (format.matches)(name))).flatten()
}

/// The format of what may be text, and of which nothing says more.
pub(crate) fn text() -> Option<&'static PayloadFormat> {
    PAYLOADS.iter().find(|format| format.name == text::FORMAT.name)
}

/// Whether what a Content-Type value names, which is no format, may be text.
pub(crate) fn may_be_text(content_type: &[u8]) -> bool {
    essence(content_type, text::may_be).unwrap_or(false)
}

/// Looks at a media type without its parameters, in lower case.
fn essence<T>(content_type: &[u8], look: impl Fn(&[u8]) -> T) -> Option<T> {
    let essence =
        content_type.split(|byte| matches!(byte, b';' | b',')).next().unwrap_or_default().trim_ascii();
    let mut lower = [0; 128];
    let name = lower.get_mut(..essence.len())?;
    name.copy_from_slice(essence);
    name.make_ascii_lowercase();
    Some(look(name))
}

/// The format that a body without Content-Type seems to have.
pub(crate) fn by_first_byte(byte: u8) -> Option<&'static PayloadFormat> {
    PAYLOADS.iter().find(|format| (format.begins)(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_types_find_their_format() {
        let name = |text: &str| by_media_type(text.as_bytes()).map(|format| format.name);
        for json in [
            "application/json",
            "Application/JSON; charset=utf-8",
            "application/problem+json",
            "text/json",
            "application/x-ndjson",
            "application/json-seq",
            "application/vnd.api+json;version=1",
        ] {
            assert_eq!(name(json), Some("json"), "{json}");
        }
        assert_eq!(name("application/x-www-form-urlencoded"), Some("form"));
        for other in ["text/html", "", "json", "application/jsonx", &"a".repeat(500)] {
            assert_eq!(name(other), None, "{other}");
        }
    }

    #[test]
    fn every_listed_media_type_matches_its_format() {
        for format in PAYLOADS {
            for media_type in format.media_types {
                let found = by_media_type(media_type.replace('*', "x").as_bytes()).map(|found| found.name);
                assert_eq!(found, Some(format.name), "{media_type}");
            }
        }
    }
}
