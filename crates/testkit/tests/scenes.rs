//! The scenes that detection is measured on: whole, repeatable, and labelled as they are.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
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
    let seen: BTreeSet<String> = requests.iter().map(|request| text(request, "what")).collect();
    for what in ["human", "staff", "partner-batch", "crawler", "typo", "stale-link", "retry", "admin"] {
        assert!(seen.contains(what), "no {what} among {seen:?}");
    }
}

/// Smuggled requests are what readers disagree on, and who knocks says nothing.
fn is_plain(request: &Value) -> bool {
    let label = text(request, "label");
    !label.starts_with("smuggling") && request["knock"] != true
}

#[test]
fn every_exchange_is_on_the_wire_as_its_label_says() {
    let scene = Scene::new("--seed 2 --part tuning --benign 4000");
    let mut labelled: Vec<(String, String, u64)> = lines(&scene.path("requests.jsonl"))
        .iter()
        .filter(|request| is_plain(request))
        .map(|request| {
            // What was answered without the mirror's seeing it has no status there.
            let seen = request["answer_seen"] == true;
            let status = request["status"].as_u64().filter(|_| seen).unwrap_or(0);
            (text(request, "method"), text(request, "path"), status)
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
        assert_eq!(label["requests"], requests.len(), "{label}");
        let mut said = requests.iter().filter(|request| request["knock"] != true);
        let failed = said.all(|request| request["status"].as_u64() >= Some(400));
        assert!(!(failed && label["outcome"] == "confirmed") || failed_by_nature(&label), "{label}");
        let of =
            |request: &Value| label["actor_ips"].as_array().map(|all| all.contains(&request["client_ip"]));
        assert!(requests.iter().all(|request| of(request) == Some(true)), "{label}");
        let (users, victims) = (names(&label, "actor_users"), names(&label, "victims"));
        assert!(users.is_disjoint(&victims) && !names(&label, "places").is_empty(), "{label}");
        let guesses = ["brute_force", "credential_stuffing", "password_spraying"];
        assert!(!guesses.contains(&text(&label, "kind").as_str()) || !victims.is_empty(), "{label}");
    }
    assert!(made.is_empty(), "requests of attacks without a label: {:?}", made.keys());
}

fn names(label: &Value, key: &str) -> BTreeSet<String> {
    label[key].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

#[test]
fn parts_play_on_stages_with_names_of_their_own() {
    let mut paths = Vec::new();
    for part in ["tuning", "held-out"] {
        let scene = Scene::new(&format!("--seed 9 --part {part} --calm --days 1 --benign 30000"));
        assert!(lines(&scene.path("labels.jsonl")).is_empty());
        let requests = lines(&scene.path("requests.jsonl"));
        let of = |what: &str| requests.iter().filter(|row| row["what"] == what).cloned().collect::<Vec<_>>();
        for what in ["directory", "mfa", "searches", "webhooks", "avatars", "old-password", "native-login"] {
            assert!(!of(what).is_empty(), "{part}: {what}");
        }
        let rows = of("tickets").into_iter().chain(of("webhooks"));
        paths.push(rows.map(|row| text(&row, "path")).collect::<BTreeSet<_>>());
    }
    assert!(paths[0].is_disjoint(&paths[1]), "{paths:?}");
}

/// What is measured must not know what measures it.
#[test]
fn nothing_that_judges_has_a_part_in_it() {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src/bin/scenes")];
    let mut count = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let source = read_to_string(&path).expect("a source");
            for judge in ["tapwire_inspect", "tapwire_inventory", "tapwire_detect", "tapwire_pipeline"] {
                assert!(!source.contains(judge), "{}: {judge}", path.display());
            }
            count += 1;
        }
    }
    assert!(count > 20, "{count}");
}

/// A success that shows as an error.
fn failed_by_nature(label: &Value) -> bool {
    ["sqli_error", "stack_trace", "slow_requests"].contains(&label["kind"].as_str().unwrap_or_default())
}
