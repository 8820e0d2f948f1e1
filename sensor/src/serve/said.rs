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
    let mutes = last_lines(data);
    let now = jiff::Timestamp::now().to_string();
    for incident in incidents {
        let verdict = verdicts.get(&incident.uid).map(|verdict| verdict.name());
        incident.verdict = verdict.unwrap_or_default().to_owned();
        let until = mutes.iter().find(|mute| is_of(mute, incident)).map(|mute| until(mute).to_owned());
        incident.muted = until.filter(|until| *until > now).unwrap_or_default();
    }
}

fn detector_of(incident: &Incident) -> &str {
    incident.whole["worst"]["detector"].as_str().unwrap_or_default()
}

fn is_of(mute: &Value, incident: &Incident) -> bool {
    mute["detector"] == detector_of(incident) && mute["service"] == *incident.service
}

fn until(mute: &Value) -> &str {
    mute["until"].as_str().unwrap_or_default()
}

/// The last word on each kind at each service, in the order in which they were said; what nobody wrote so is passed over.
fn last_lines(data: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(data.join(MUTES)).unwrap_or_default();
    let mut last: Vec<Value> = Vec::new();
    for line in text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        if read(&line).is_some() {
            last.retain(|one| one["detector"] != line["detector"] || one["service"] != line["service"]);
            last.push(line);
        }
    }
    last
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
    let until = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24 * i64::from(days));
    let line = json!({
        "time": jiff::Timestamp::now().to_string(), "by": by, "incident": incident.uid, "detector": detector_of(incident),
        "service": incident.service, "until": until.to_string(), "why": why,
    });
    append(data, &line)
}

/// Ends the mute of the kind of an incident at its service.
pub(super) fn unmute(data: &Path, incident: &Incident, by: &str, why: &str) -> Result<(), Failure> {
    let now = jiff::Timestamp::now().to_string();
    let mute = last_lines(data).into_iter().find(|mute| is_of(mute, incident) && *until(mute) > *now);
    let Some(mut line) = mute else {
        return Err(Failure::new(format!(
            "{}: its kind is not muted there in the console",
            incident.service
        )));
    };
    // Why it was muted stays, for the summary that says what the mute kept back.
    for (name, word) in
        [("time", now.as_str()), ("until", now.as_str()), ("by", by), ("incident", incident.uid.as_str())]
    {
        line[name] = word.into();
    }
    line["undone"] = why.into();
    append(data, &line)
}

fn append(data: &Path, line: &Value) -> Result<(), Failure> {
    AuditLog::open(&mutes_file(data))?.append(format!("{line}\n").as_bytes())?;
    Ok(())
}

/// Where mutes of the console are kept in a data directory.
pub(crate) fn mutes_file(data: &Path) -> PathBuf {
    data.join(MUTES)
}

/// The mutes of a data directory that a run goes by.
pub(crate) fn mutes(data: &Path) -> Vec<Mute> {
    last_lines(data).iter().filter_map(read).collect()
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

    #[test]
    fn the_last_word_on_a_kind_at_a_service_holds() {
        let data = tempfile::tempdir().unwrap();
        let incident = |service: &str| Incident {
            uid: "ab".into(),
            service: service.into(),
            whole: json!({"worst": {"detector": "bola"}}),
            ..Incident::default()
        };
        let (mut shop, bank) = (incident("shop.example"), incident("bank.example"));
        let refused = unmute(data.path(), &shop, "ana", "").unwrap_err();
        assert!(refused.to_string().contains("is not muted"), "{refused}");
        for (one, days) in [(&shop, 90), (&bank, 7), (&shop, 7)] {
            mute(data.path(), one, false, "ana", days, "a test").unwrap();
        }
        assert_eq!(mutes(data.path()).len(), 2, "one for each kind and service");
        unmute(data.path(), &shop, "bob", "over").unwrap();
        mark(data.path(), std::slice::from_mut(&mut shop));
        assert!(shop.muted.is_empty(), "until {}", shop.muted);
        assert!(unmute(data.path(), &shop, "bob", "again").is_err());
        let left = mutes(data.path());
        let now = tapwire_expr::time(&jiff::Timestamp::now().to_string()).unwrap();
        let holds = |text: &str| left.iter().any(|one| one.text.contains(text) && one.until.nanos() > now);
        assert!(holds("bank.example") && !holds("shop.example"));
        assert_eq!(left[1].why, "a test", "why it was muted stays known");
        mute(data.path(), &shop, false, "ana", 1, "once more").unwrap();
        mark(data.path(), std::slice::from_mut(&mut shop));
        assert!(!shop.muted.is_empty());
    }
}
