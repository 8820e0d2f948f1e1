//! Elasticsearch and OpenSearch: `elastic+https://HOST:9200/INDEX`, by way of `_bulk`.

use super::dialect::{Dialect, by_status, number_behind, text_behind, trimmed};
use super::target::Target;
use crate::SinkError;
use crate::courier::Taken;
use crate::queue::Load;

/// The index or data stream unless the address names one.
const INDEX: &str = "/tapwire-events";

/// Only what is needed of the answer: it has an item for each event.
const ANSWER: &str = "_bulk?filter_path=errors,items.*.status";

pub(super) const BULK: Dialect = Dialect {
    content_type: "application/x-ndjson",
    authorization: Some("ApiKey"),
    gzip: true,
    most_events: u32::MAX,
    place,
    encode,
    judge,
};

fn place(target: &mut Target) -> Result<(), SinkError> {
    target.default_path(INDEX)?;
    target.below(ANSWER)
}

/// `create` with an id of the event's own: what is sent twice is stored once. A finding may be told again with more, so
/// that its sequence belongs to its id.
fn encode(load: &Load, out: &mut Vec<u8>) {
    for line in load.lines() {
        out.extend_from_slice(b"{\"create\":{");
        if let Some(uid) = text_behind(line, "\"uid\":\"").filter(|uid| uid.iter().any(|b| *b != b'0')) {
            out.extend_from_slice(b"\"_id\":\"");
            out.extend_from_slice(uid);
            let exchange = matches!(number_behind(line, "\"class_uid\":"), Some(6003 | 4002));
            if let Some(sequence) = number_behind(line, "\"sequence\":").filter(|_| !exchange) {
                out.extend_from_slice(format!("-{sequence}").as_bytes());
            }
            out.push(b'"');
        }
        out.extend_from_slice(b"}}\n");
        out.extend_from_slice(trimmed(line));
        out.push(b'\n');
    }
}

/// Each item has a status of its own: 409 says that the event is there already, 429 and 5xx that it may pass later.
fn judge(load: &Load, status: u16, said: &[u8]) -> Option<Taken> {
    let taken = by_status(status)?;
    let said: serde_json::Value = serde_json::from_slice(said).unwrap_or_default();
    if said.get("errors").and_then(|errors| errors.as_bool()) != Some(true) {
        return Some(taken);
    }
    let items = said.get("items").and_then(|items| items.as_array()).map_or(&[][..], Vec::as_slice);
    let of = |item: &serde_json::Value| {
        let status = item.as_object()?.values().next()?.get("status")?.as_u64()?;
        u16::try_from(status).ok()
    };
    // An item without a status is sent again: it is known by its id.
    let statuses: Vec<u16> = items.iter().map(|item| of(item).unwrap_or(500)).collect();
    let at = |place: usize| statuses.get(place).copied().unwrap_or(500);
    let again = load.only(|place| matches!(at(place), 429 | 500..));
    let refused = |status: u16| (300..500).contains(&status) && !matches!(status, 409 | 429);
    let first = statuses.iter().copied().find(|status| refused(*status));
    Some(Taken {
        refused: first.map(|status| (load.only(|place| refused(at(place))), status)),
        again: Some(again),
    })
}
