//! What people say of incidents in the console, kept under `--data`.

use crate::cli::Verdict;
use crate::failure::Failure;
use crate::feedback;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tapwire_console::Incident;
use tapwire_event::FindingFields;
use tapwire_pipeline::Mute;
use tapwire_store::AuditLog;
use tapwire_wire::Timestamp;

/// The file of mutes.
pub(super) const MUTES: &str = "mutes.jsonl";

/// Writes what was said on the incidents that it was said of.
pub(super) fn mark(data: &Path, incidents: &mut [Incident]) {
    let verdicts: BTreeMap<String, Verdict> = feedback::last_words(data);
    let mutes: Vec<Value> = lines(data);
    let now = jiff::Timestamp::now().to_string();
    for incident in incidents {
        let text = |value: &Value, name: &str| value[name].as_str().unwrap_or_default().to_owned();
        let verdict = verdicts.get(&incident.uid).map(|verdict| verdict.name());
        incident.verdict = verdict.unwrap_or_default().to_owned();
        let detector = incident.whole["worst"]["detector"].as_str().unwrap_or_default();
        let is_of = |mute: &&Value| mute["detector"] == detector && mute["service"] == *incident.service;
        let until = mutes.iter().filter(is_of).map(|mute| text(mute, "until")).max();
        incident.muted = until.filter(|until| *until > now).unwrap_or_default();
    }
}

fn lines(data: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(data.join(MUTES)).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// Mutes the kind of an incident at its service for so many days from now. A service that is shown under another name than its
/// own cannot be told from that.
pub(super) fn mute(
    data: &Path,
    incident: &Incident,
    is_redacted: bool,
    by: &str,
    days: u32,
    why: &str,
) -> Result<(), Failure> {
    if is_redacted {
        return Err(Failure::new(format!(
            "{}: this name is redacted, and a mute by it would hold for nothing; write a [[mute]] with the whole name into the configuration",
            incident.service
        )));
    }
    let detector = incident.whole["worst"]["detector"].as_str().unwrap_or_default();
    let until = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24 * i64::from(days));
    let line = json!({
        "time": jiff::Timestamp::now().to_string(), "by": by, "incident": incident.uid, "detector": detector,
        "service": incident.service, "until": until.to_string(), "why": why,
    });
    AuditLog::open(&mutes_file(data))?.append(format!("{line}\n").as_bytes())?;
    Ok(())
}

/// Where mutes of the console are kept in a data directory.
pub(crate) fn mutes_file(data: &Path) -> PathBuf {
    data.join(MUTES)
}

/// The mutes of a data directory that a run goes by; a line that nobody wrote so is passed over.
pub(crate) fn mutes(data: &Path) -> Vec<Mute> {
    lines(data).iter().filter_map(read).collect()
}

fn read(line: &Value) -> Option<Mute> {
    let quoted = |name: &str| serde_json::to_string(line[name].as_str()?).ok();
    let text = format!("detector == {} and service == {}", quoted("detector")?, quoted("service")?);
    Some(Mute {
        expr: tapwire_expr::parse(&text, &FindingFields).ok()?,
        until: Timestamp::from_nanos(tapwire_expr::time(line["until"].as_str()?)?),
        why: line["why"].as_str()?.to_owned(),
        text,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mute_is_kept_and_read_again() {
        let data = tempfile::tempdir().unwrap();
        let mut incident = Incident {
            uid: "ab".into(),
            service: "shop.example".into(),
            whole: json!({"worst": {"detector": "bola"}}),
            ..Incident::default()
        };
        assert!(mute(data.path(), &incident, true, "ana", 7, "a test").is_err());
        assert!(mutes(data.path()).is_empty(), "what would hold for nothing is not kept");
        mute(data.path(), &incident, false, "ana", 7, "a test").unwrap();
        let read = mutes(data.path());
        assert_eq!(read[0].text, "detector == \"bola\" and service == \"shop.example\"");
        assert_eq!(read[0].why, "a test");
        mark(data.path(), std::slice::from_mut(&mut incident));
        assert!(!incident.muted.is_empty());
        incident.service = "other.example".into();
        mark(data.path(), std::slice::from_mut(&mut incident));
        assert!(incident.muted.is_empty());
    }
}
