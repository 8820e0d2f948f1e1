//! Answers that repeat what was asked for: `GET /users/alice` is answered with `{"login": "alice", …}`.

use crate::template;
use tapwire_inspect::fields::{FieldList, Kind};
use tapwire_inspect::{Observation, PayloadState};
use tapwire_protocol::Head;

/// Ends of the names of members that identify what an answer is about.
const IDENTIFYING: &[&str] = &[
    "id", "key", "name", "slug", "code", "login", "number", "handle", "ref", "sku", "symbol", "token", "uri",
];

/// Texts of one answer that identify something.
pub(super) struct Echo<'a>(Option<&'a FieldList>);

impl<'a> Echo<'a> {
    pub(super) fn of(observation: &'a Observation) -> Self {
        let payload = &observation.response_payload;
        let answered = matches!(crate::endpoint::status(observation), Some(200..=299));
        Self(payload.list.as_deref().filter(|_| answered && payload.state == PayloadState::Read))
    }

    /// What identifies something, as it stands in the answer.
    pub(super) fn identifiers(&self) -> impl Iterator<Item = &'a [u8]> {
        let fields = self.0.into_iter().flat_map(|list| list.fields().iter().map(move |field| (list, field)));
        fields
            .filter(|(list, field)| field.kinds.has(Kind::Text) && is_identifying(list.name(field)))
            .flat_map(|(list, field)| list.samples(field))
    }

    /// Whether a word of the path, as templates show it, is among them.
    pub(super) fn has(&self, word: &str) -> bool {
        let Some(list) = self.0 else { return false };
        let texts = list.fields().iter().filter(|field| field.kinds.has(Kind::Text));
        texts
            .filter(|field| is_identifying(list.name(field)))
            .flat_map(|field| list.samples(field))
            .any(|text| text == word.as_bytes() || template::word(text) == word)
    }
}

fn is_identifying(name: &[u8]) -> bool {
    let ends = |end: &&str| {
        let tail = name.len().checked_sub(end.len()).and_then(|at| name.get(at..));
        tail.is_some_and(|tail| tail.eq_ignore_ascii_case(end.as_bytes()))
    };
    IDENTIFYING.iter().any(ends)
}

/// The segment that a new resource has below the path that was asked to make it (`Location`, RFC 9110, 15.3.2).
pub(super) fn created(observation: &Observation, head: &Head) -> Option<Vec<u8>> {
    if crate::endpoint::status(observation) != Some(201) {
        return None;
    }
    let answer = observation.exchange.response.as_deref()?;
    let location = answer.head.header(b"location")?.bytes();
    let path = head.slice(observation.path?).bytes();
    let end = location.iter().position(|byte| b"?#".contains(byte)).unwrap_or(location.len());
    let location = location.get(..end)?.strip_suffix(b"/").unwrap_or(location.get(..end)?);
    let slash = location.iter().rposition(|byte| *byte == b'/')?;
    let (collection, identifier) = (location.get(..slash)?, location.get(slash + 1..)?);
    let below = collection.ends_with(path.strip_suffix(b"/").unwrap_or(path));
    (below && !identifier.is_empty()).then(|| identifier.to_vec())
}
