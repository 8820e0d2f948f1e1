//! What the kept events say of wished-for uids: which exchanges a finding names, and on which connection they were, so
//! that of the packet ring only that has to be read.

use super::choose::{Answer, Wish};
use super::findings::{Meant, is_about};
use crate::failure::Failure;
use serde_json::Value;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;
use tapwire_pipeline::packet_label;
use tapwire_store::Reader;
use tapwire_wire::{Endpoint, FlowKey};

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    /// Wishes that are findings, with what they show.
    pub(crate) answers: Vec<Answer>,
    /// The connections; `None` when they are not known of every wish.
    pub(crate) labels: Option<BTreeSet<u64>>,
}

impl Kept {
    /// Looks through all events under `data`.
    pub(crate) fn look_up(data: &Path, wishes: &[Wish]) -> Result<Self, Failure> {
        let prefixes: Option<Vec<String>> = wishes.iter().map(prefix).collect();
        let Some(prefixes) = prefixes else { return Ok(Self::default()) };
        let mut found = vec![Found::default(); prefixes.len()];
        let reader = Reader::open(data)?;
        let lost = crate::stored::lines(&reader, |lines| {
            lines.split(|byte| *byte == b'\n').for_each(|line| look(line, &prefixes, &mut found));
        })?;
        lost.say();
        // Of what was tried nobody kept on which connections.
        let known = found.iter().all(|found| !found.labels.is_empty() && found.meant.tried.is_empty());
        let labels = known.then(|| found.iter().flat_map(|found| found.labels.iter().copied()).collect());
        let answers = wishes.iter().cloned().zip(found.into_iter().map(|found| found.meant));
        Ok(Self { answers: answers.filter(|(_, meant)| !meant.is_nothing()).collect(), labels })
    }
}

/// Of one wish.
#[derive(Debug, Clone, Default)]
struct Found {
    meant: Meant,
    labels: BTreeSet<u64>,
}

fn prefix(wish: &Wish) -> Option<String> {
    match wish {
        Wish::Uid(prefix) => Some(prefix.text().to_ascii_lowercase()),
        Wish::Where { .. } => None,
    }
}

fn look(line: &[u8], prefixes: &[String], found: &mut [Found]) {
    let mut event = None;
    for (prefix, found) in prefixes.iter().zip(found) {
        if memchr::memmem::find(line, prefix.as_bytes()).is_none() {
            continue;
        }
        let event = event.get_or_insert_with(|| serde_json::from_slice::<Value>(line).unwrap_or_default());
        let is = |path: &str| {
            event.pointer(path).and_then(Value::as_str).is_some_and(|own| own.starts_with(prefix.as_str()))
        };
        if is_about(event, prefix) {
            found.meant.add(event);
            let evidences = event.pointer("/evidences").and_then(Value::as_array);
            found.labels.extend(evidences.into_iter().flatten().filter_map(label));
        } else if is("/metadata/uid") {
            found.labels.extend(label(event));
        }
    }
}

/// The connection that an event, or an evidence of one, speaks of. Where a PROXY header named the client it is another
/// one, which the ring has no packets of.
fn label(event: &Value) -> Option<u64> {
    let end = |name: &str| {
        let end = event.get(name)?;
        let ip: IpAddr = end.get("ip")?.as_str()?.parse().ok()?;
        let port = u16::try_from(end.get("port")?.as_u64()?).ok()?;
        Some(Endpoint::from_ip(ip, port))
    };
    let (key, _) = FlowKey::new(end("src_endpoint")?, end("dst_endpoint")?);
    Some(packet_label(&key))
}
