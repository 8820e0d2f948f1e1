//! `tapwire carve`: packets of exchanges and findings, written so that they say the same again.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use tapwire_tests::{Fixture, Ran, Tapwire, fixtures};

fn fixture(name: &str) -> Fixture {
    fixtures().into_iter().find(|fixture| fixture.name == name).expect("the fixture is in the tree")
}

fn carve(arguments: &[&str], captures: &[&Path], out: &Path) -> Ran {
    Tapwire::new(["carve"]).args(arguments).args(captures).args(["-w".as_ref(), out]).run()
}

fn exchanges(captures: &[&Path], analysis: &str) -> Vec<Value> {
    let run = Tapwire::new(["replay", "--events", "-", "--only", "exchanges", "-q", "--analysis", analysis]);
    run.args(captures).key().run().ok("replay").events()
}

fn uid(event: &Value) -> String {
    event.pointer("/metadata/uid").and_then(Value::as_str).expect("an event has a uid").to_owned()
}

/// What may differ when an exchange is seen alone: where it was seen, in which frames and how late, and its number.
fn alone(event: &Value) -> Value {
    let mut event = event.clone();
    let drop = |value: Option<&mut Value>, name: &str| {
        value.and_then(Value::as_object_mut).and_then(|object| object.remove(name))
    };
    drop(event.pointer_mut("/unmapped"), "source");
    drop(event.pointer_mut("/unmapped"), "packets");
    drop(event.pointer_mut("/unmapped"), "flow");
    drop(event.pointer_mut("/unmapped/seen"), "joined_late");
    drop(event.pointer_mut("/metadata"), "sequence");
    event
}

fn difference(expected: &Value, seen: &Value, path: &str, into: &mut Vec<String>) {
    match (expected, seen) {
        (Value::Object(left), Value::Object(right)) => {
            let names: BTreeSet<&String> = left.keys().chain(right.keys()).collect();
            for name in names {
                let of =
                    |object: &serde_json::Map<String, Value>| object.get(name).cloned().unwrap_or_default();
                difference(&of(left), &of(right), &format!("{path}/{name}"), into);
            }
        }
        _ if expected == seen => {}
        _ => into.push(format!("{path}: {expected} became {seen}")),
    }
}

/// Big fixtures are sampled; `CARVE_ALL=1` takes every exchange.
const SAMPLE: usize = 20;

fn sample(events: Vec<Value>) -> Vec<Value> {
    if std::env::var_os("CARVE_ALL").is_some() || events.len() <= SAMPLE {
        return events;
    }
    let step = events.len().div_ceil(SAMPLE);
    let odd = |event: &Value| event.pointer("/unmapped/anomalies").is_some();
    events
        .into_iter()
        .enumerate()
        .filter(|(at, event)| at % step == 0 || odd(event))
        .map(|(_, e)| e)
        .collect()
}

fn every_exchange_alone(mode: &[&str], analysis: &str) {
    let mut wrong = Vec::new();
    let mut looked_at = 0;
    for fixture in fixtures() {
        let path = fixture.path();
        for event in sample(exchanges(&[&path], analysis)) {
            looked_at += 1;
            let folder = tempfile::tempdir().expect("a temporary folder");
            let out = folder.path().join("out.pcapng");
            let uid = uid(&event);
            let _ = carve(&[mode, &[uid.as_str()]].concat(), &[&path], &out).ok(&fixture.name);
            let again = exchanges(&[&out], analysis);
            let Some(seen) = again.iter().find(|seen| self::uid(seen) == uid) else {
                wrong.push(format!("{}: {uid}: not seen again", fixture.name));
                continue;
            };
            let mut different = Vec::new();
            difference(&alone(&event), &alone(seen), "", &mut different);
            if !different.is_empty() {
                wrong.push(format!("{}: {uid}: {}", fixture.name, different.join(", ")));
            }
        }
    }
    assert!(looked_at > 100, "only {looked_at} exchanges");
    assert!(wrong.is_empty(), "{} of {looked_at}:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_exchange_of_every_fixture_says_the_same_in_its_connection_alone() {
    every_exchange_alone(&[], "off");
}

#[test]
fn every_exchange_of_every_fixture_says_the_same_in_its_own_packets() {
    every_exchange_alone(&["--exact"], "off");
}
