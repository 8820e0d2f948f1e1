//! What policies say: in the summary, as `tapwire list policies`, and one of them explained.

use crate::paper::Paper;
use crate::size::counted;
use crate::summary::rfc3339;
use serde_json::{Value, json};
use tapwire_detect::policies::{Offence, Unjudged};
use tapwire_detect::{PolicyInfo, Posture};
use tapwire_event::Redactor;
use tapwire_pipeline::Report;

/// Findings that the summary shows; the rest is counted.
const SHOWN: usize = 10;
/// Endpoints that it names of each.
const NAMED: usize = 3;

/// The section "Posture" of the summary.
pub(crate) fn page(report: &Report, redactor: &mut Redactor, paper: &mut Paper) {
    if report.inventory.is_none() {
        return;
    }
    paper.heading("Posture");
    let shown: Vec<&Posture> = report.postures.iter().collect();
    if shown.is_empty() {
        paper.line("  nothing wrong, by the policies that could be judged");
    }
    for posture in shown.iter().take(SHOWN) {
        row(posture, redactor, paper);
    }
    let more = shown.len().saturating_sub(SHOWN) as u64;
    if more > 0 {
        paper.line(&format!("  and {}", counted(more, "more finding")));
    }
    for unjudged in &report.unjudged_policies {
        paper.row("not judged", &format!("{}: {}", unjudged.policies.join(", "), unjudged.reason));
    }
}

fn row(posture: &Posture, redactor: &mut Redactor, paper: &mut Paper) {
    let rule = &posture.rule;
    let service = redactor.shown_host(&posture.service);
    let state = if posture.stage.stands() { String::new() } else { format!(", {}", posture.stage.name()) };
    let reason = redactor.shown_sentence(&posture.reason);
    paper.row(rule.severity.name(), &format!("{} ({}), {service}{state}: {reason}", rule.title, rule.id));
    let names: Vec<String> =
        posture.endpoints.iter().take(NAMED).map(|offence| name(offence, redactor)).collect();
    let more = posture.total.saturating_sub(names.len() as u64);
    if !names.is_empty() {
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        paper.row("", &format!("{}{more}", names.join(", ")));
    }
    if posture.stage.stands() && !rule.fix.is_empty() {
        paper.row("", &format!("Fix: {}", rule.fix));
    }
}

pub(crate) fn name(offence: &Offence, redactor: &mut Redactor) -> String {
    let (method, path) = (redactor.shown_method(&offence.method), redactor.shown_path(&offence.template));
    match &offence.operation {
        Some(operation) => format!("{method} {path} {}", redactor.shown_operation(operation)),
        None => format!("{method} {path}"),
    }
}

/// The findings of a summary in JSON.
pub(crate) fn json(report: &Report, redactor: &mut Redactor) -> Vec<Value> {
    report.postures.iter().map(|posture| one_json(posture, redactor)).collect()
}

fn one_json(posture: &Posture, redactor: &mut Redactor) -> Value {
    let rule = &posture.rule;
    json!({
        "uid": posture.uid.to_string(), "policy": rule.id, "title": rule.title,
        "service": redactor.shown_host(&posture.service), "severity": rule.severity.name(),
        "state": posture.stage.name(), "since": rfc3339(posture.opened), "time": rfc3339(posture.time),
        "reason": redactor.shown_sentence(&posture.reason), "endpoints": posture.total,
        "seen": posture.endpoints.iter().map(|offence| json!({
            "endpoint": format!("{:016x}", offence.id.0), "name": name(offence, redactor),
            "calls": offence.hits, "among": offence.among, "last": rfc3339(offence.last),
        })).collect::<Vec<_>>(),
        "references": rule.references, "fix": rule.fix, "test": rule.test,
        "accepted": posture.accepted.as_ref().map(|one| json!({
            "who": one.who, "why": one.why, "until": rfc3339(one.until),
        })),
    })
}

/// What could not be judged, in JSON.
pub(crate) fn unjudged_json(report: &Report) -> Vec<Value> {
    let one = |unjudged: &Unjudged| json!({"policies": unjudged.policies, "reason": unjudged.reason});
    report.unjudged_policies.iter().map(one).collect()
}

/// A policy in a list.
pub(crate) fn listed(policy: &PolicyInfo) -> String {
    let off = if policy.on { "" } else { "; off unless the configuration says enabled = true" };
    format!(
        "{} ({}; {}{off})",
        policy.title,
        policy.severity.name().to_lowercase(),
        policy.references.join(", ")
    )
}

/// A policy on a page of its own.
pub(crate) fn explain(policy: &PolicyInfo, paper: &mut Paper) {
    let title = paper.strong(policy.title);
    paper.line(&format!("{title} ({}, a policy)", policy.id));
    paper.line(&format!("  Endpoints that {}.", policy.says));
    paper.line("");
    paper.row("severity", policy.severity.name());
    paper.row("judged", if policy.on { "yes" } else { "where the configuration says enabled = true" });
    paper.row("where", policy.rule);
    paper.row("see", &policy.references.join(", "));
    paper.row("fix", policy.fix);
    paper.row("test", policy.test);
    paper.row("gone", "when 100 calls that could show it did not ([policies] verified_after)");
    paper.row("accept", "[[accept]] policy, service, who, why, until, in the configuration");
}
