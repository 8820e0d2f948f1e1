//! Deriving an incident: `tapwire replay` in the folder of the case, as anybody can do it by hand, and what it says of it.

use super::manifest::Derivation;
use super::stage::{CONFIGURATION, EVENTS};
use crate::failure::Failure;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;
use std::process::{Command, Stdio};

/// Classes of OCSF.
const EXCHANGE: u64 = 6003;
const INCIDENT: u64 = 2005;

/// Everything that a replay says, while it is looked through.
const ALL: &str = "all.jsonl";

/// How an incident is recognised.
#[derive(Debug, Clone)]
pub(super) enum Wanted {
    /// Its uid begins so.
    Uid(String),
    /// It began with this: the moment, the detector, the exchange.
    Beginning(Box<Beginning>),
}

/// What an incident began with, whatever the key of tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Beginning {
    time: u64,
    detector: String,
    exchange: String,
}

/// An incident as its last event has it.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) uid: String,
    pub(super) beginning: Beginning,
    pub(super) event: Value,
    /// Uids of exchanges that its findings show.
    pub(super) exchanges: BTreeSet<String>,
    /// Its events, those of its findings and of their exchanges.
    pub(super) events: u64,
}

/// The command line of the replay.
pub(super) fn arguments(how: &Derivation, token_key: &Path, events: &str) -> Vec<String> {
    let mut line: Vec<String> = vec!["replay".into()];
    line.extend(how.captures.iter().cloned());
    let token_key = token_key.display().to_string();
    for (option, value) in
        [("--config", CONFIGURATION), ("--token-key", &token_key), ("--format", "ocsf"), ("--events", events)]
    {
        line.extend([option.to_owned(), value.to_owned()]);
    }
    line.push("--quiet".into());
    line.extend(how.two_pass.then(|| "--two-pass".to_owned()));
    for (option, values) in
        [("--learn-from", &how.learn_from), ("--keylog", &how.keylogs), ("--decrypt-host", &how.decrypt_host)]
    {
        line.extend(values.iter().flat_map(|value| [option.to_owned(), value.clone()]));
    }
    line
}

/// Derives the incident and writes its events beside the captures. `token_key` as seen from the case.
pub(super) fn derive(
    room: &Path,
    how: &Derivation,
    token_key: &Path,
    wanted: &Wanted,
) -> Result<Found, Failure> {
    run(room, &arguments(how, token_key, ALL))?;
    let all = room.join(ALL);
    let mut found = look_for(&all, wanted)?;
    found.events = keep(&all, &mut found, &room.join(EVENTS))?;
    std::fs::remove_file(&all)?;
    Ok(found)
}

/// Runs this program there; what it says on standard error is its failure.
pub(super) fn run(room: &Path, arguments: &[String]) -> Result<(), Failure> {
    let program = std::env::current_exe()?;
    let child = Command::new(program)
        .args(arguments)
        .current_dir(room)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .output()?;
    if child.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&child.stderr);
    let last = said.lines().last().unwrap_or("it ended early").trim_start_matches("tapwire: ").to_owned();
    Err(Failure::new(last))
}

fn lines(path: &Path) -> Result<impl Iterator<Item = Result<String, std::io::Error>>, Failure> {
    Ok(BufReader::with_capacity(1 << 20, File::open(path)?).lines())
}

/// What is about one incident or finding names it there.
fn incident_of(event: &Value) -> Option<&str> {
    event.pointer("/unmapped/incident")?.as_str()
}

fn class_of(event: &Value) -> Option<u64> {
    event.get("class_uid")?.as_u64()
}

fn read(line: &str) -> Result<Value, Failure> {
    serde_json::from_str(line).map_err(|error| Failure::new(format!("an event is no JSON: {error}")))
}

fn look_for(all: &Path, wanted: &Wanted) -> Result<Found, Failure> {
    let mut found: Option<Found> = None;
    let mut others = BTreeSet::new();
    for line in lines(all)? {
        let line = line?;
        // Most are exchanges, and need no reader.
        if !line.contains("\"class_uid\":2005") {
            continue;
        }
        let event = read(&line)?;
        let Some((uid, beginning)) = incident_of(&event).map(str::to_owned).zip(beginning(&event)) else {
            continue;
        };
        let is_it = match wanted {
            Wanted::Uid(digits) => uid.starts_with(digits.as_str()),
            Wanted::Beginning(known) => **known == beginning,
        };
        match &found {
            _ if !is_it || class_of(&event) != Some(INCIDENT) => _ = others.insert(uid),
            Some(before) if before.uid != uid => {
                return Err(Failure::new("several incidents begin so; give more digits"));
            }
            _ => found = Some(Found { uid, beginning, event, exchanges: BTreeSet::new(), events: 0 }),
        }
    }
    found.ok_or_else(|| {
        let some: Vec<&str> = others.iter().take(5).filter_map(|uid| uid.get(..12)).collect();
        let there =
            if some.is_empty() { "there is none".into() } else { format!("there are {}", some.join(", ")) };
        Failure::new(format!("no such incident in these captures, found this way; {there}"))
    })
}

fn beginning(event: &Value) -> Option<Beginning> {
    let first = event.pointer("/unmapped/first")?;
    let text = |name: &str| Some(first.get(name)?.as_str()?.to_owned());
    Some(Beginning {
        time: first.get("time")?.as_u64()?,
        detector: text("detector")?,
        exchange: text("exchange")?,
    })
}

/// Writes what is said of it, in the order of the replay.
fn keep(all: &Path, found: &mut Found, to: &Path) -> Result<u64, Failure> {
    let marked = format!("\"incident\":\"{}\"", found.uid);
    for line in lines(all)? {
        let line = line?;
        if line.contains(&marked) {
            exchanges_of(&read(&line)?, &mut found.exchanges);
        }
    }
    let mut file = BufWriter::new(super::stage::create(to)?);
    let mut kept = 0;
    for line in lines(all)? {
        let line = line?;
        if line.contains(&marked) || is_exchange_of(&line, &found.exchanges)? {
            writeln!(file, "{line}")?;
            kept += 1;
        }
    }
    file.flush()?;
    Ok(kept)
}

fn exchanges_of(event: &Value, found: &mut BTreeSet<String>) {
    let evidences = event.get("evidences").and_then(Value::as_array).into_iter().flatten();
    let shown = evidences.filter_map(|evidence| evidence.pointer("/api/request/uid"));
    let timeline = event.pointer("/unmapped/timeline").and_then(Value::as_array).into_iter().flatten();
    let told = timeline.filter_map(|moment| moment.get("exchange"));
    found.extend(shown.chain(told).filter_map(Value::as_str).map(str::to_owned));
}

fn is_exchange_of(line: &str, exchanges: &BTreeSet<String>) -> Result<bool, Failure> {
    let is_near =
        || line.contains("\"class_uid\":6003") && exchanges.iter().any(|uid| line.contains(uid.as_str()));
    if exchanges.is_empty() || !is_near() {
        return Ok(false);
    }
    let event = read(line)?;
    let uid = event.pointer("/metadata/uid").and_then(Value::as_str);
    Ok(class_of(&event) == Some(EXCHANGE) && uid.is_some_and(|uid| exchanges.contains(uid)))
}
