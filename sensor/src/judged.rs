//! Which detectors could not judge, and what they waited for.

use crate::paper::Paper;
use serde_json::{Value, json};
use tapwire_detect::NotJudged;

/// A row for each detector that judged nothing, and one for all that judged only what came later.
pub(crate) fn page(all: &[NotJudged], paper: &mut Paper) {
    for unjudged in all.iter().filter(|unjudged| unjudged.judged == 0) {
        paper.row("not judged", &format!("{}: {}", unjudged.detector, unjudged.reason));
    }
    let late: Vec<String> = all
        .iter()
        .filter(|unjudged| unjudged.judged > 0)
        .map(|late| format!("{} ({})", late.detector, late.reason))
        .collect();
    if !late.is_empty() {
        paper.row(
            "partly judged",
            &format!("{}. A replay with --two-pass judges the first calls, too", late.join("; ")),
        );
    }
}

/// The same as objects; `judged` tells how many calls were judged with all that a detector needs.
pub(crate) fn json(all: &[NotJudged]) -> Vec<Value> {
    let object = |one: &NotJudged| {
        json!({
            "detector": one.detector, "reason": one.reason, "judged_calls": one.judged, "unjudged_calls": one.early,
            "seen": one.seen, "needed": one.needed,
        })
    };
    all.iter().map(object).collect()
}
