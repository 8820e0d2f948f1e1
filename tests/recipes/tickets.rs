//! `ticket.py` with the templates for Jira and ServiceNow.

use crate::{attack, recipe};
use serde_json::{Value, json};
use std::process::{Command, Stdio};
use tapwire_testkit::peers::has;
use tapwire_tests::Tapwire;
use tapwire_wire::Timestamp;

/// What the real binary says of an incident that opens.
fn incident() -> Value {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let capture = folder.path().join("in.pcap");
    attack(&capture, [192, 0, 2, 66], Timestamp::from_parts(1_767_268_800, 0));
    let ran = Tapwire::new(["replay", "-q", "--only", "incidents", "--events", "-"]).args([&capture]).run();
    ran.ok("replay").events().remove(0)
}

/// The template filled in.
fn body(template: &str, event: &Value) -> Value {
    let mut command = Command::new("python3");
    command.arg(recipe("ticket.py")).arg(recipe(template)).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("python3");
    serde_json::to_writer(child.stdin.take().expect("a pipe"), event).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{template}");
    assert!(!String::from_utf8_lossy(&output.stdout).contains("${"), "{template}: all is filled in");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn jira_gets_an_issue_for_the_incident() {
    if !has("python3") {
        return;
    }
    let event = incident();
    let fields = body("jira.json", &event)["fields"].clone();
    let uid = event["unmapped"]["incident"].as_str().expect("a uid");
    assert_eq!(fields["labels"], json!(["tapwire", format!("tapwire-{uid}")]));
    let summary = fields["summary"].as_str().expect("a summary");
    assert!(summary.ends_with("at files.test (confirmed)"), "{summary}");
    let text = fields["description"].to_string();
    for part in ["192.0.2.66", "injection, ", "block-address (honest callers: none-known"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn servicenow_gets_a_record_that_later_events_find_again() {
    if !has("python3") {
        return;
    }
    let event = incident();
    let record = body("servicenow.json", &event);
    assert_eq!(record["correlation_id"], event["unmapped"]["incident"]);
    assert_eq!(
        (&record["impact"], &record["urgency"], &record["state"]),
        (&"1".into(), &"1".into(), &"1".into())
    );
    let mut closed = event.clone();
    closed["unmapped"]["change"] = "closed".into();
    assert_eq!(body("servicenow.json", &closed)["state"], "6");
}
