//! Elasticsearch and OpenSearch: `elastic+https://HOST:9200/INDEX`, by way of `_bulk`.

use super::dialect::{Dialect, by_status, number_behind, text_behind, trimmed};
use super::target::Target;
use crate::SinkError;
use crate::courier::Taken;
use crate::queue::Load;
use sha2::{Digest, Sha256};

/// The index or data stream unless the address names one.
const INDEX: &str = "/tapwire-events";

/// Only what is needed of the answer: it has an item for each event.
const ANSWER: &str = "filter_path=errors,items.*.status";

pub(super) const BULK: Dialect = Dialect {
    content_type: "application/x-ndjson",
    authorization: Some("ApiKey"),
    gzip: true,
    most_events: u32::MAX,
    place,
    encode,
    judge,
    understands,
};

/// What stands before the receiver may answer 200 with a page of its own.
fn understands(said: &[u8]) -> bool {
    let said: Option<serde_json::Value> = serde_json::from_slice(said).ok();
    said.is_some_and(|said| said.get("errors").is_some_and(serde_json::Value::is_boolean))
}

fn place(target: &mut Target) -> Result<(), SinkError> {
    target.default_path(INDEX)?;
    target.below("_bulk", ANSWER)
}

/// `create` with an id of the event's own: what is sent twice is stored once.
fn encode(load: &Load, out: &mut Vec<u8>) {
    for line in load.lines() {
        out.extend_from_slice(b"{\"create\":{");
        if let Some(id) = id(trimmed(line)) {
            out.extend_from_slice(format!("\"_id\":\"{id}\"").as_bytes());
        }
        out.extend_from_slice(b"}}\n");
        out.extend_from_slice(trimmed(line));
        out.push(b'\n');
    }
}

/// An exchange's uid is its id. A finding may be told again with more, so that what it says belongs to its id; its number
/// does not, which another run over the same packets gives anew.
fn id(line: &[u8]) -> Option<String> {
    let ecs = text_behind(line, "\"event\":{\"id\":\"");
    let uid = ecs.or_else(|| text_behind(line, "\"uid\":\"")).filter(|uid| uid.iter().any(|b| *b != b'0'))?;
    let uid = String::from_utf8_lossy(uid);
    let exchange = match ecs {
        Some(_) => text_behind(line, "\"dataset\":\"") == Some(b"tapwire.exchange"),
        None => matches!(number_behind(line, "\"class_uid\":"), Some(6003 | 4002)),
    };
    if exchange {
        return Some(uid.into_owned());
    }
    let said = Sha256::digest(without_sequence(line));
    let digits: String = said.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    Some(format!("{uid}-{digits}"))
}

fn without_sequence(line: &[u8]) -> Vec<u8> {
    let key = b"\"sequence\":";
    let Some(from) = memchr::memmem::find(line, key).map(|at| at + key.len()) else { return line.to_vec() };
    let (before, rest) = line.split_at(from);
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    [before, rest.get(digits..).unwrap_or_default()].concat()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_told_by_another_run_has_the_same_id_and_one_that_says_more_has_another() {
        let finding = |sequence: u32, count: u32| {
            let line = format!(
                r#"{{"class_uid":2004,"metadata":{{"uid":"0a","sequence":{sequence}}},"count":{count}}}"#
            );
            id(line.as_bytes()).unwrap()
        };
        assert_eq!(finding(1, 1), finding(70, 1));
        assert_ne!(finding(1, 1), finding(1, 2));
        assert!(finding(1, 1).starts_with("0a-"));
        let exchange = br#"{"class_uid":6003,"metadata":{"uid":"0b","sequence":9}}"#;
        assert_eq!(id(exchange).unwrap(), "0b");
        let document = br#"{"event":{"id":"0c","dataset":"tapwire.exchange"},"tapwire":{"uid":"0d"}}"#;
        assert_eq!(id(document).unwrap(), "0c");
        assert!(id(br#"{"event":{"id":"0c","dataset":"tapwire.finding"}}"#).unwrap().starts_with("0c-"));
        assert_eq!(id(br#"{"metadata":{"uid":"00"}}"#), None);
    }
}
