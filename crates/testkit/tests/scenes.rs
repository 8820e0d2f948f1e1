//! The scenes that detection is measured on: whole, repeatable, and labelled as they are.

use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::{read, read_to_string};
use std::path::{Path, PathBuf};
use std::process::Command;
use tapwire_protocol::Seen;
use tapwire_testkit::{Capture, Row, sense};

struct Scene {
    folder: tempfile::TempDir,
}

impl Scene {
    fn new(words: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut command = Command::new(env!("CARGO_BIN_EXE_scenes"));
        let made =
            command.args(words.split(' ')).arg(folder.path().join("out")).output().expect("scenes runs");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        Self { folder }
    }

    fn path(&self, end: &str) -> PathBuf {
        self.folder.path().join(format!("out.{end}"))
    }

    fn rows(&self) -> Vec<Row> {
        sense(&Capture::read(&self.path("pcap")).expect("a capture")).rows
    }
}

fn lines(path: &Path) -> Vec<Value> {
    let text = read_to_string(path).expect("a label file");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_one_others() {
    let files = ["pcap", "labels.jsonl", "requests.jsonl"];
    let bytes = |words| {
        let scene = Scene::new(words);
        files.map(|end| read(scene.path(end)).expect("a file"))
    };
    let words = "--seed 5 --benign 2000 --attack bola_read";
    assert!(bytes(words) == bytes(words));
    assert!(bytes(words)[0] != bytes("--seed 6 --benign 2000 --attack bola_read")[0]);
}

#[test]
fn benign_scenes_have_as_many_exchanges_as_were_asked_for_and_no_attack() {
    let scene = Scene::new("--benign 12000 --days 2");
    let requests = lines(&scene.path("requests.jsonl"));
    assert_eq!(requests.len(), 12_000);
    assert!(requests.iter().all(|request| request["label"].is_null()));
    assert!(lines(&scene.path("labels.jsonl")).is_empty());
    let seen: std::collections::BTreeSet<String> =
        requests.iter().map(|request| text(request, "what")).collect();
    for what in ["human", "staff", "partner-batch", "crawler", "typo", "stale-link", "retry", "admin"] {
        assert!(seen.contains(what), "no {what} among {seen:?}");
    }
}

/// Smuggled requests are what readers disagree on.
fn is_plain(request: &Value) -> bool {
    let label = text(request, "label");
    !label.starts_with("smuggling")
}

#[test]
fn every_exchange_is_on_the_wire_as_its_label_says() {
    let scene = Scene::new("--seed 2 --part tuning --benign 4000");
    let mut labelled: Vec<(String, String, u64)> = lines(&scene.path("requests.jsonl"))
        .iter()
        .filter(|request| is_plain(request))
        .map(|request| {
            (text(request, "method"), text(request, "path"), request["status"].as_u64().unwrap_or(0))
        })
        .collect();
    // And what they hide, which has no end.
    let smuggled = |row: &Row| {
        let target = row.target.as_deref().unwrap_or_default();
        target.starts_with("/api/v1/reviews?n=")
            || (row.request_seen == Seen::Truncated && target == "/api/v1/admin/users")
    };
    let mut sensed: Vec<(String, String, u64)> = Vec::new();
    for row in scene.rows().into_iter().filter(|row| !smuggled(row)) {
        assert!(row.request_seen == Seen::Complete, "{row:?}");
        sensed.push((
            row.method.unwrap_or_default(),
            row.target.unwrap_or_default(),
            row.status.unwrap_or(0).into(),
        ));
    }
    labelled.sort();
    sensed.sort();
    let first = labelled.iter().zip(&sensed).find(|(label, sense)| label != sense);
    assert_eq!((labelled.len(), first), (sensed.len(), None));
}

#[test]
fn labels_of_attacks_add_up_to_their_requests() {
    let scene = Scene::new("--seed 3 --part held-out --benign 3000");
    let mut made: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for request in lines(&scene.path("requests.jsonl")) {
        if request["what"] == "attack" {
            made.entry(text(&request, "label")).or_default().push(request);
        }
    }
    let labels = lines(&scene.path("labels.jsonl"));
    assert!(labels.len() > 100);
    for label in labels {
        let requests = made.remove(&text(&label, "id")).expect("requests of the attack");
        let inside = |time: f64| label["start"].as_f64() <= Some(time) && Some(time) <= label["end"].as_f64();
        assert!(requests.iter().all(|request| inside(request["time"].as_f64().unwrap_or(0.0))), "{label}");
        if label["kind"] != "port_scan" {
            assert_eq!(label["requests"], requests.len(), "{label}");
        }
        let failed = requests.iter().all(|request| request["status"].as_u64() >= Some(400));
        assert!(!(failed && label["outcome"] == "confirmed") || failed_by_nature(&label), "{label}");
        let of =
            |request: &Value| label["actor_ips"].as_array().map(|all| all.contains(&request["client_ip"]));
        let blamed = label["actor_ips"].as_array().is_some_and(|all| !all.is_empty());
        assert!(!blamed || requests.iter().all(|request| of(request) == Some(true)), "{label}");
    }
    assert!(made.is_empty(), "requests of attacks without a label: {:?}", made.keys());
}

/// A success that shows as an error.
fn failed_by_nature(label: &Value) -> bool {
    ["sqli_error", "stack_trace", "slow_requests"].contains(&label["kind"].as_str().unwrap_or_default())
}
