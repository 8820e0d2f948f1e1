//! An incident as a page that a person reads: who, where, what happened when, and what to do.

use crate::incidents::span;
use crate::paper::{Paper, plain};
use crate::size::{self, counted};
use crate::suggestions;
use crate::summary::milliseconds;
use serde_json::Value;
use std::collections::BTreeMap;
use tapwire_wire::Timestamp;

/// Tells an incident by the last event about it, with the findings that belong to it.
pub(crate) fn incident(event: &Value, findings: &[&Value], paper: &mut Paper) {
    let uid = text(event, "/unmapped/incident");
    paper.line(&paper.strong(&format!("Incident {uid}")));
    let severity = paper.alarm(&text(event, "/severity"));
    let worst = text(event, "/unmapped/worst/detector");
    let title = items(event, "/finding_info_list")
        .find(|info| text(info, "/uid") == text(event, "/unmapped/worst/finding"))
        .map_or(worst, |info| text(info, "/title"));
    paper.hang("  ", &format!("{severity}: {title}"));
    paper.hang("  ", &summary(event));
    who(event, paper);
    places(event, paper);
    timeline(event, findings, paper);
    paper.heading("What to do");
    for (at, step) in items(event, "/unmapped/next_steps").enumerate() {
        paper.hang(&format!("  {}. ", at + 1), &plain(step.as_str().unwrap_or_default()));
    }
    for (what, whom) in suggestions::lines(items(event, "/unmapped/suggestions")) {
        paper.hang("  could: ", &format!("{what}. {whom}"));
    }
    paper.line("");
    let short = uid.get(..12).unwrap_or(&uid);
    let with = "with --data, or the captures and options with which it was found";
    paper.line(&format!("  tapwire blast-radius {short}   whose records left, {with}"));
}

fn summary(event: &Value) -> String {
    let time = |name: &str| Timestamp::from_nanos(number(event, name).saturating_mul(1_000_000));
    let (first, last) = (time("/start_time"), time("/end_time"));
    let repeated = number(event, "/unmapped/repeated");
    let repeats = if repeated > 0 { format!(" ({repeated} only repeat others)") } else { String::new() };
    let state = match text(event, "/unmapped/change").as_str() {
        "closed" => format!("over: {}", text(event, "/unmapped/why/0")),
        _ => "open when this was told".to_owned(),
    };
    format!(
        "{}, {}{repeats}, {}, {}; {state}",
        text(event, "/unmapped/outcome"),
        counted(number(event, "/count").unsigned_abs(), "finding"),
        span(first, last),
        size::duration(last.since(first)),
    )
}

fn who(event: &Value, paper: &mut Paper) {
    paper.heading("Who");
    for caller in items(event, "/unmapped/actor/callers") {
        let mut parts = vec![format!("{} {}", text(caller, "/kind"), text(caller, "/token"))];
        if let Some(first) = caller.get("first_seen").and_then(Value::as_i64) {
            parts.push(format!("first seen {}", milliseconds(first)));
            parts.push(counted(number(caller, "/calls").unsigned_abs(), "call"));
        }
        for (name, path) in [("at", "/services"), ("from", "/networks"), ("with", "/agents")] {
            let list = listed(caller, path);
            if !list.is_empty() {
                parts.push(format!("{name} {list}"));
            }
        }
        paper.row("caller", &parts.join(", "));
    }
    let more = event.pointer("/unmapped/actor/more_addresses").and_then(Value::as_bool) == Some(true);
    let addresses = listed(event, "/unmapped/actor/addresses");
    paper.row("addresses", &format!("{addresses}{}", if more { " and more" } else { "" }));
    for (name, path) in [("JA4", "ja4"), ("zones", "zones"), ("on lists", "lists")] {
        let list = listed(event, &format!("/unmapped/actor/{path}"));
        if !list.is_empty() {
            paper.row(name, &list);
        }
    }
}

fn places(event: &Value, paper: &mut Paper) {
    let endpoints: Vec<&Value> = items(event, "/unmapped/endpoints").collect();
    if endpoints.is_empty() {
        return;
    }
    paper.heading("Where");
    for endpoint in endpoints {
        let place = format!(
            "{} {}{}",
            text(endpoint, "/method"),
            text(endpoint, "/service"),
            text(endpoint, "/template")
        );
        let classes = listed(endpoint, "/data_classes");
        let mut parts = vec![format!("reached from {} networks", text(endpoint, "/exposure"))];
        parts.push(if classes.is_empty() {
            "no sensitive data seen".into()
        } else {
            format!("carries {classes}")
        });
        for (name, path) in [("owner", "/owner"), ("zone", "/zone")] {
            if endpoint.pointer(path).is_some() {
                parts.push(format!("{name} {}", text(endpoint, path)));
            }
        }
        paper.hang("  ", &paper.strong(&place));
        paper.hang("    ", &parts.join(", "));
    }
    if event.pointer("/unmapped/more_endpoints").and_then(Value::as_bool) == Some(true) {
        paper.line("  and more");
    }
}

/// A step of the story.
struct Step {
    time: i64,
    severity: String,
    outcome: String,
    detector: String,
    reason: String,
}

impl Step {
    fn of(value: &Value, severity: &str) -> Self {
        Self {
            time: number(value, "/time"),
            severity: severity.to_owned(),
            outcome: text(value, "/outcome"),
            detector: value
                .pointer("/rule/title")
                .map_or_else(|| text(value, "/detector"), |_| text(value, "/rule/title")),
            reason: text(value, "/reason"),
        }
    }
}

/// What the incident tells, and every finding that was told, each once.
fn timeline(event: &Value, findings: &[&Value], paper: &mut Paper) {
    let mut steps: BTreeMap<(i64, String), Step> = BTreeMap::new();
    for moment in items(event, "/unmapped/timeline") {
        let step = Step::of(moment, &text(moment, "/severity"));
        steps.insert((step.time, text(moment, "/finding")), step);
    }
    for finding in findings {
        let mut step = Step::of(finding.get("unmapped").unwrap_or(&Value::Null), &text(finding, "/severity"));
        step.time = number(finding, "/time");
        steps.entry((step.time, text(finding, "/finding_info/uid"))).or_insert(step);
    }
    paper.heading("Timeline");
    let first = steps.values().next().map_or(0, |step| step.time);
    let mut day = String::new();
    for step in steps.values() {
        let told = milliseconds(step.time);
        let today = told.get(..10).unwrap_or("unknown").to_owned();
        if today != day {
            paper.line(&format!("  {}", paper.faint(&today)));
            day = today;
        }
        let clock = told.get(11..19).unwrap_or("unknown");
        let after = size::duration((step.time - first).saturating_mul(1_000_000));
        let after = if step.time == first { String::new() } else { format!("  +{after}") };
        let severity = paper.alarm(&step.severity);
        paper.line(&format!(
            "  {clock}Z  {severity}, {}  {}{after}",
            step.outcome,
            paper.strong(&step.detector)
        ));
        paper.hang("             ", &step.reason);
    }
}

fn items<'e>(event: &'e Value, path: &str) -> impl Iterator<Item = &'e Value> {
    event.pointer(path).and_then(Value::as_array).into_iter().flatten()
}

fn listed(event: &Value, path: &str) -> String {
    items(event, path).filter_map(Value::as_str).map(plain).collect::<Vec<_>>().join(", ")
}

fn text(event: &Value, path: &str) -> String {
    event.pointer(path).and_then(Value::as_str).map_or_else(|| "unknown".into(), plain)
}

fn number(event: &Value, path: &str) -> i64 {
    event.pointer(path).and_then(Value::as_i64).unwrap_or_default()
}
