//! Attacks in the captures of the corpus, where they are at hand: whether their actors are named in time, and nobody else.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use tapwire_tests::{binary, workspace};

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

/// A capture of the corpus; `None` where there is no corpus.
fn corpus(name: &str) -> Option<PathBuf> {
    let path = workspace().join("../shared/corpus/attack").join(format!("{name}.pcap.zst"));
    if !path.is_file() {
        println!("skipped: no corpus at ../shared/corpus");
        return None;
    }
    Some(path)
}

fn address(finding: &Value) -> &str {
    finding["evidences"][0]["src_endpoint"]["ip"].as_str().unwrap_or_default()
}

/// Whether one of an attack's actors is named by a finding in its time.
fn is_found(label: &Value, findings: &[Value]) -> bool {
    let (start, end) = (label["start"].as_f64().unwrap_or(0.0), label["end"].as_f64().unwrap_or(0.0));
    let actors: Vec<&str> =
        label["actor_ips"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    findings.iter().any(|finding| {
        let time = finding["time"].as_f64().unwrap_or(0.0) / 1_000.0;
        actors.contains(&address(finding)) && time >= start - 5.0 && time <= end + 600.0
    })
}

#[test]
fn attacks_on_real_applications_are_found() {
    let Some(capture) = corpus("apps") else { return };
    let labels = workspace().join("../shared/corpus/attack/apps.labels.jsonl");
    let labels = std::fs::read_to_string(labels).expect("the labels");
    let labels: Vec<Value> = labels.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let findings = findings(&capture, "1");
    let missed: Vec<&str> = labels
        .iter()
        .filter(|label| !is_found(label, &findings))
        .filter_map(|label| label["id"].as_str())
        .collect();
    println!("{} of {} attacks, missed {missed:?}", labels.len() - missed.len(), labels.len());
    assert!(missed.len() <= 2, "{missed:?}");
    let stray: Vec<&Value> = findings
        .iter()
        .filter(|finding| !labels.iter().any(|label| is_found(label, std::slice::from_ref(finding))))
        .collect();
    assert!(stray.len() <= 1, "{stray:?}");
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
