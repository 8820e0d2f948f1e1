//! Path templates from the types of segments alone, and how their parameters are named.

use std::collections::BTreeMap;
use std::hash::Hasher;
use std::sync::Arc;
use tapwire_inspect::{Observation, SegmentKind};
use tapwire_protocol::Head;

/// Segments that an observation holds at most; a longer path ends its template in `/…`.
const MAX_SEGMENTS: usize = 32;

/// Writes what tells this path's template from others into a hash: words as they are, parameters by their type.
pub(crate) fn hash(observation: &Observation, head: &Head, hash: &mut impl Hasher) {
    for segment in &observation.segments {
        hash.write_u8(segment.kind as u8);
        if !segment.kind.is_parameter() {
            hash.write(head.slice(segment.range).bytes());
            hash.write_u8(b'/');
        }
    }
}

/// Whether the path goes on beyond the segments that are looked at.
pub(crate) fn is_long(observation: &Observation) -> bool {
    observation.segments.len() >= MAX_SEGMENTS
}

/// The template's text: `/orders/{orderId}`.
pub(crate) fn text(observation: &Observation, head: &Head) -> Arc<str> {
    if observation.segments.is_empty() {
        return rootless(observation, head).into();
    }
    let mut template = String::new();
    let mut used = BTreeMap::new();
    let mut parent = None;
    for segment in &observation.segments {
        template.push('/');
        if segment.kind.is_parameter() {
            push_parameter(&mut template, &mut used, parameter_name(segment.kind, parent.as_deref()));
        } else {
            let word = word(head.slice(segment.range).bytes());
            template.push_str(&word);
            parent = (segment.kind == SegmentKind::Word).then_some(word);
        }
    }
    if is_long(observation) {
        template.push_str("/…");
    }
    template.into()
}

/// Templates without segments: the root, and the asterisk of `OPTIONS *`.
pub(crate) fn rootless(observation: &Observation, head: &Head) -> &'static str {
    match observation.path.map(|path| head.slice(path).bytes()) {
        Some(b"*") => "*",
        _ => "/",
    }
}

/// Adds `{name}`, with a number behind a name that the template has already.
pub(crate) fn push_parameter(template: &mut String, used: &mut BTreeMap<String, u32>, name: String) {
    let count = used.entry(name.clone()).or_insert(0);
    *count += 1;
    template.push('{');
    template.push_str(&name);
    if *count > 1 {
        template.push_str(&count.to_string());
    }
    template.push('}');
}

pub(crate) fn parameter_name(kind: SegmentKind, parent: Option<&str>) -> String {
    match (kind, parent) {
        (SegmentKind::Date, _) => "date".to_owned(),
        (SegmentKind::Email, _) => "email".to_owned(),
        (_, Some(parent)) => id_of(parent),
        (_, None) => "id".to_owned(),
    }
}

/// `orders` → `orderId`, `line-items` → `lineItemId`.
fn id_of(parent: &str) -> String {
    let mut name = String::new();
    let mut upper = false;
    for letter in singular(parent).chars() {
        match letter {
            _ if !letter.is_ascii_alphanumeric() => upper = !name.is_empty(),
            _ if upper => {
                name.push(letter.to_ascii_uppercase());
                upper = false;
            }
            _ if name.is_empty() => name.push(letter.to_ascii_lowercase()),
            _ => name.push(letter),
        }
    }
    name.push_str(if name.is_empty() { "id" } else { "Id" });
    name
}

/// The singular of an English resource name, by its ending; a word that is none of these stays.
fn singular(word: &str) -> String {
    const SAME: &[&str] =
        &["status", "address", "news", "series", "analysis", "basis", "bus", "gas", "canvas", "alias"];
    let lower = word.to_ascii_lowercase();
    let cut = |ending: &str| word.get(..word.len() - ending.len()).unwrap_or(word);
    if SAME.iter().any(|same| lower.ends_with(same)) || lower.ends_with("ss") || lower.len() < 4 {
        return word.to_owned();
    }
    for ending in ["sses", "xes", "ches", "shes", "zzes", "tuses"] {
        if lower.ends_with(ending) {
            return cut("es").to_owned();
        }
    }
    match () {
        () if lower.ends_with("movies") => cut("s").to_owned(),
        () if lower.ends_with("ies") => format!("{}y", cut("ies")),
        () if lower.ends_with("people") => format!("{}person", cut("people")),
        () if lower.ends_with('s') => cut("s").to_owned(),
        () => word.to_owned(),
    }
}

/// A word of a path as a template shows it: unreserved characters decoded, all others percent-encoded, so that a template
/// is ASCII and its braces are its own.
pub(crate) fn word(segment: &[u8]) -> String {
    let mut out = String::new();
    let mut rest = segment;
    while let Some((&byte, tail)) = rest.split_first() {
        let escaped = if byte == b'%' { hex(tail) } else { None };
        rest = if escaped.is_some() { tail.get(2..).unwrap_or_default() } else { tail };
        match escaped.unwrap_or(byte) {
            plain if is_plain(plain) => out.push(plain.into()),
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}

/// What stands in a path for itself (RFC 3986, 3.3).
pub(crate) fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(&byte)
}

fn hex(digits: &[u8]) -> Option<u8> {
    let digits = std::str::from_utf8(digits.get(..2)?).ok()?;
    digits
        .bytes()
        .all(|digit| digit.is_ascii_hexdigit())
        .then(|| u8::from_str_radix(digits, 16).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transcript::exchange;
    use tapwire_inspect::{Config, Inspector, TokenKey};

    fn template(path: &str) -> String {
        let request = format!("GET {path} HTTP/1.1\r\nHost: shop\r\n\r\n");
        let mut inspector = Inspector::new(Config::new(TokenKey::new([7; 32])));
        let observation = inspector.exchange(exchange(1, request.as_bytes(), b""));
        let head = &observation.exchange.request.as_deref().expect("a request").head;
        text(&observation, head).to_string()
    }

    #[test]
    fn parameters_are_named_from_their_parent() {
        for (path, expected) in [
            ("/orders/42", "/orders/{orderId}"),
            ("/v1/line-items/42/", "/v1/line-items/{lineItemId}"),
            ("/orders/42/lines/7", "/orders/{orderId}/lines/{lineId}"),
            ("/orders/42/43", "/orders/{orderId}/{orderId2}"),
            ("/42", "/{id}"),
            ("/v2/42", "/v2/{id}"),
            ("/reports/2024-05-31/2024-06-30", "/reports/{date}/{date2}"),
            ("/users/a@b.example", "/users/{email}"),
            ("/", "/"),
            ("/a%20b", "/a%20b"),
            ("/caf%c3%a9", "/caf%C3%A9"),
        ] {
            assert_eq!(template(path), expected, "{path}");
        }
    }

    #[test]
    fn singular_of_resource_names() {
        for (plural, expected) in [
            ("orders", "order"),
            ("categories", "category"),
            ("addresses", "address"),
            ("boxes", "box"),
            ("branches", "branch"),
            ("statuses", "status"),
            ("status", "status"),
            ("cases", "case"),
            ("people", "person"),
            ("news", "news"),
            ("bus", "bus"),
            ("invoice", "invoice"),
            ("movies", "movie"),
            ("databases", "database"),
            ("houses", "house"),
        ] {
            assert_eq!(singular(plural), expected, "{plural}");
        }
    }

    #[test]
    fn long_paths_say_that_they_go_on() {
        assert!(template(&"/a".repeat(40)).ends_with("/a/…"));
        assert!(!template(&"/a".repeat(31)).contains('…'));
    }
}
