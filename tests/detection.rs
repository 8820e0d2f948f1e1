//! Attacks in the captures of the corpus, where they are at hand: whether a detector of the right sort names their actors in time
//! and says rightly whether they worked, and whether nobody else is accused.
//!
//! Without the corpus these tests say on standard error that they are skipped; with `TAPWIRE_CORPUS=required` they fail.

use serde_json::Value;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use tapwire_tests::{binary, workspace};

/// What is known to be missed: docs/detection-quality.md names it, too.
const MISSED: &[&str] = &["a-029"];
/// Of what is found, what is said to have come to another end than it did.
const MISJUDGED: &[&str] = &["a-009", "a-038"];

/// Detection Findings of a capture that the real binary sensed, with addresses and users in clear.
fn findings(capture: &Path, threads: &str) -> Vec<Value> {
    let ran = Command::new(binary())
        .args([
            "replay",
            "-q",
            "--only",
            "findings",
            "--set",
            "redact.fidelity=full",
            "--threads",
            threads,
            "--events",
            "-",
        ])
        .arg(capture)
        .env("HOME", std::env::temp_dir())
        .output()
        .expect("tapwire runs");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let events = String::from_utf8(ran.stdout).expect("UTF-8");
    let events = events.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    events.filter(|event| event["class_uid"] == 2004).collect()
}

/// A capture of the corpus; `None`, said aloud, where there is no corpus.
fn corpus(name: &str) -> Option<PathBuf> {
    let path = workspace().join("../shared/corpus/attack").join(format!("{name}.pcap.zst"));
    if path.is_file() {
        return Some(path);
    }
    assert!(
        std::env::var_os("TAPWIRE_CORPUS").is_none_or(|need| need != "required"),
        "no corpus: {}",
        path.display()
    );
    // Not by a macro: what those print of a test that passes is not shown.
    let _ = writeln!(std::io::stderr(), "SKIPPED, nothing was tested: there is no {}", path.display());
    None
}

fn labels() -> Vec<Value> {
    let path = workspace().join("../shared/corpus/attack/apps.labels.jsonl");
    let labels = std::fs::read_to_string(path).expect("the labels");
    labels.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn texts(value: &Value) -> impl Iterator<Item = &str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str)
}

/// Whether a finding accuses one of an attack's actors in its time.
fn is_about(finding: &Value, label: &Value) -> bool {
    let (start, end) = (label["start"].as_f64().unwrap_or(0.0), label["end"].as_f64().unwrap_or(0.0));
    let time = finding["time"].as_f64().unwrap_or(0.0) / 1_000.0;
    let address = finding["evidences"][0]["src_endpoint"]["ip"].as_str().unwrap_or_default();
    texts(&label["actor_ips"]).any(|actor| actor == address) && time >= start - 5.0 && time <= end + 600.0
}

/// Whether it comes from a detector that an analyst takes as the answer to this kind of attack.
fn is_of_kind(finding: &Value, label: &Value) -> bool {
    let table = std::fs::read_to_string(workspace().join("tests/scenes/families.json")).expect("the table");
    let table: Value = serde_json::from_str(&table).expect("JSON");
    let kind = label["kind"].as_str().unwrap_or_default();
    let detector = finding["unmapped"]["detector"].as_str().unwrap_or_default();
    texts(&table["detectors"][kind]).any(|name| name == detector)
}

/// The most that findings say of whether an attack worked.
fn is_said_to_work(named: &[&Value]) -> bool {
    named.iter().any(|finding| {
        matches!(finding["unmapped"]["outcome"].as_str().unwrap_or_default(), "likely" | "confirmed")
    })
}

#[test]
fn attacks_on_real_applications_are_named_with_their_outcome() {
    let Some(capture) = corpus("apps") else { return };
    let (labels, findings) = (labels(), findings(&capture, "1"));
    let (mut missed, mut misjudged) = (Vec::new(), Vec::new());
    for label in &labels {
        let named: Vec<&Value> = findings
            .iter()
            .filter(|finding| is_about(finding, label) && is_of_kind(finding, label))
            .collect();
        let id = label["id"].as_str().unwrap_or_default();
        match named.is_empty() {
            true => missed.push(id),
            false if is_said_to_work(&named) != (label["outcome"] == "confirmed") => misjudged.push(id),
            false => {}
        }
    }
    println!("{} of {} attacks named, missed {missed:?}", labels.len() - missed.len(), labels.len());
    assert!(missed.iter().all(|id| MISSED.contains(id)), "missed {missed:?}");
    assert!(misjudged.iter().all(|id| MISJUDGED.contains(id)), "outcome of {misjudged:?}");
    let strays: Vec<&Value> =
        findings.iter().filter(|finding| !labels.iter().any(|label| is_about(finding, label))).collect();
    assert!(strays.is_empty(), "{strays:?}");
}

#[test]
fn people_who_attack_nothing_are_left_alone() {
    let Some(capture) = corpus("benign") else { return };
    let findings = findings(&capture, "1");
    assert!(findings.is_empty(), "{findings:?}");
}

#[test]
fn findings_and_incidents_are_the_same_for_any_number_of_threads() {
    let Some(capture) = corpus("apps") else { return };
    let one = findings(&capture, "0");
    assert!(one.len() > 30 && one.iter().all(|finding| finding["unmapped"]["incident"].is_string()));
    for threads in ["1", "3"] {
        assert_eq!(findings(&capture, threads), one, "{threads}");
    }
}

/// The script that measures generated scenes decides what is found and what is false: its own tests.
#[test]
fn what_counts_as_found_and_as_false_is_held() {
    let ran = Command::new("python3").arg(workspace().join("tests/scenes/test_score.py")).output();
    let Ok(ran) = ran else {
        let _ = writeln!(std::io::stderr(), "SKIPPED, nothing was tested: there is no python3");
        return;
    };
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
}
