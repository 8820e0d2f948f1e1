//! Answers that repeat what was asked for: `GET /users/alice` is answered with `{"login": "alice", …}`.

use crate::template;
use tapwire_inspect::fields::{FieldList, Kind};
use tapwire_inspect::{Observation, PayloadState};

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
