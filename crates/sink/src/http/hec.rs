//! Splunk's HTTP Event Collector: `hec+https://HOST:8088`.

use super::dialect::{Dialect, by_status, number_behind, trimmed};
use super::target::Target;
use crate::SinkError;
use crate::courier::Taken;
use crate::queue::Load;

/// Where events go unless the address has a path.
const PATH: &str = "/services/collector/event";

pub(super) const HEC: Dialect = Dialect {
    content_type: "application/json",
    authorization: Some("Splunk"),
    gzip: true,
    most_events: u32::MAX,
    place,
    encode,
    judge,
    understands: |_any| true,
};

fn place(target: &mut Target) -> Result<(), SinkError> {
    target.default_path(PATH)
}

/// Each event in an envelope with its own time; the envelopes follow each other without a separator.
fn encode(load: &Load, out: &mut Vec<u8>) {
    for line in load.lines().map(trimmed) {
        out.push(b'{');
        if let Some(time) = number_behind(line, "\"time\":") {
            out.extend_from_slice(format!("\"time\":{}.{:03},", time / 1000, time % 1000).as_bytes());
        }
        out.extend_from_slice(b"\"source\":\"tapwire\",\"sourcetype\":\"tapwire:ocsf\",\"event\":");
        out.extend_from_slice(line);
        out.extend_from_slice(b"}\n");
    }
}

/// A 400 with code 6 names the event that spoils the request (`invalid-event-number`, from 0): the others are sent again
/// without it. Those before it may have been indexed, and are known by their uid.
fn judge(load: &Load, status: u16, said: &[u8]) -> Option<Taken> {
    let spoils = |said: &[u8]| {
        let said: serde_json::Value = serde_json::from_slice(said).ok()?;
        let number = said.get("invalid-event-number")?.as_u64()?;
        usize::try_from(number).ok().filter(|_| said.get("code").and_then(|code| code.as_u64()) == Some(6))
    };
    match spoils(said).filter(|number| status == 400 && (*number as u64) < load.amount.events) {
        Some(number) => Some(Taken {
            refused: Some((load.only(|place| place == number), status)),
            again: Some(load.only(|place| place != number)),
        }),
        None => by_status(status),
    }
}
