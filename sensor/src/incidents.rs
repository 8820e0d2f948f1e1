//! `incidents` and `findings`: what is wrong, by who is behind it, or one by one.

use crate::cli::{FindingsArgs, IncidentsArgs};
use crate::failure::{Exit, Failure};
use crate::learn::{Learned, learn};
use crate::paper::{Paper, print};
use crate::size::counted;
use crate::summary::rfc3339;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use tapwire_detect::{DETECTORS, DetectorInfo, Finding, Incident, Moment};
use tapwire_event::Redactor;
use tapwire_inspect::Token;
use tapwire_inventory::{EndpointId, Inventory};
use tapwire_pipeline::Report;
use tapwire_wire::Timestamp;

/// What is read: what redacts, and what was learned.
pub(crate) struct Reading<'a> {
    pub(crate) redactor: &'a mut Redactor,
    pub(crate) inventory: Option<&'a Inventory>,
}

/// `tapwire incidents`.
pub(crate) fn incidents(args: &IncidentsArgs) -> Result<Exit, Failure> {
    let mut learned = learn(&args.learn, args.json, |_| Ok(()))?;
    let Learned { report, redactor } = &mut learned;
    let mut reading = Reading { redactor, inventory: report.inventory.as_ref() };
    let all = report.incidents.worst_first();
    let text = if args.json {
        all.iter().map(|incident| line(&value(incident, &mut reading))).collect()
    } else {
        page(&all, report, &mut reading)
    };
    print(&text, true)?;
    Ok(learned.exit())
}

/// `tapwire findings`.
pub(crate) fn findings(args: &FindingsArgs) -> Result<Exit, Failure> {
    let mut learned = learn(&args.learn, args.json, |_| Ok(()))?;
    let Learned { report, redactor } = &mut learned;
    let mut reading = Reading { redactor, inventory: report.inventory.as_ref() };
    let text = if args.json {
        report.findings.iter().map(|finding| line(&finding_value(finding, &mut reading))).collect()
    } else {
        finding_page(report, &mut reading)
    };
    print(&text, true)?;
    Ok(learned.exit())
}

fn line(value: &Value) -> String {
    format!("{value}\n")
}

fn page(all: &[&Incident], report: &Report, reading: &mut Reading<'_>) -> String {
    let mut paper = Paper::new(true);
    paper.heading("Incidents");
    if all.is_empty() {
        paper.line("  none");
    }
    for incident in all {
        tell(incident, reading, &mut paper);
    }
    unjudged(report, &mut paper);
    paper.into_text()
}

/// One incident: who, when, what, and what to do.
fn tell(incident: &Incident, reading: &mut Reading<'_>, paper: &mut Paper) {
    paper.row(incident.severity.name(), &headline(incident, reading));
    for moment in &incident.timeline {
        let reason = reading.redactor.shown_sentence(&moment.reason);
        paper.row(
            "",
            &format!("{} {}: {}, {reason}", clock(moment.time), moment.detector, moment.outcome.name()),
        );
    }
    for step in next_steps(incident).into_iter().take(3) {
        paper.row("", &format!("Next: {step}"));
    }
    paper.row("", &format!("tapwire show {}", incident.uid));
}

/// Who did how much, from where and when, in one line.
pub(crate) fn headline(incident: &Incident, reading: &mut Reading<'_>) -> String {
    let service =
        incident.service.as_deref().map(|service| reading.redactor.shown_host(service)).unwrap_or_default();
    let kinds: BTreeSet<&str> = incident.timeline.iter().map(|moment| moment.detector).collect();
    let worst =
        incident.timeline.iter().max_by_key(|moment| (moment.severity, std::cmp::Reverse(moment.time)));
    let title = worst.and_then(title).unwrap_or("a finding");
    let more = match kinds.len() as u64 {
        0 | 1 => String::new(),
        kinds => format!(" and {}", counted(kinds - 1, "other kind")),
    };
    let (first, last) = (rfc3339(incident.first), rfc3339(incident.last));
    // The day stands there once.
    let until = if first.get(..10) == last.get(..10) { clock(incident.last) } else { last };
    format!(
        "{title}{more}: {}, {} by {} at {service}, {first} to {until}",
        incident.outcome.name(),
        counted(incident.findings, "finding"),
        who(incident),
    )
}

fn who(incident: &Incident) -> String {
    let callers: Vec<String> =
        incident.callers.iter().take(3).map(|token| format!("tok:{}", digits(*token))).collect();
    let more = if incident.more_addresses { " and more" } else { "" };
    let addresses: Vec<String> = incident.addresses.iter().take(3).map(ToString::to_string).collect();
    let beyond = incident.addresses.len().saturating_sub(3);
    let beyond = if beyond > 0 { format!(" and {beyond} more") } else { more.to_owned() };
    match callers.is_empty() {
        true => format!("{}{beyond}", addresses.join(", ")),
        false => format!("{} from {}{beyond}", callers.join(", "), addresses.join(", ")),
    }
}

fn digits(token: Token) -> String {
    token.0.iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

fn clock(time: Timestamp) -> String {
    let text = rfc3339(time);
    text.get(11..19).map_or_else(|| text.clone(), |clock| format!("{clock}Z"))
}

fn info(detector: &str) -> Option<&'static DetectorInfo> {
    DETECTORS.iter().find(|info| info.name == detector)
}

fn title(moment: &Moment) -> Option<&'static str> {
    info(moment.detector).map(|info| info.title)
}

/// What to do, of the worst first, each once.
fn next_steps(incident: &Incident) -> Vec<&'static str> {
    let mut moments: Vec<&Moment> = incident.timeline.iter().collect();
    moments.sort_by_key(|moment| std::cmp::Reverse(moment.severity));
    let mut steps = Vec::new();
    for step in
        moments.into_iter().filter_map(|moment| info(moment.detector)).flat_map(|info| info.next_steps)
    {
        if !steps.contains(step) {
            steps.push(*step);
        }
    }
    steps
}

/// An incident as an object.
pub(crate) fn value(incident: &Incident, reading: &mut Reading<'_>) -> Value {
    let timeline: Vec<Value> = incident
        .timeline
        .iter()
        .map(|moment| {
            json!({
                "time": rfc3339(moment.time), "detector": moment.detector, "severity": moment.severity.name(),
                "outcome": moment.outcome.name(), "reason": reading.redactor.shown_sentence(&moment.reason),
                "exchange": moment.exchange.to_string(),
            })
        })
        .collect();
    let endpoints: Vec<Value> = incident.endpoints.iter().filter_map(|id| endpoint(*id, reading)).collect();
    json!({
        "uid": incident.uid.to_string(), "severity": incident.severity.name(), "outcome": incident.outcome.name(),
        "first": rfc3339(incident.first), "last": rfc3339(incident.last), "findings": incident.findings, "closed": incident.closed,
        "service": incident.service.as_deref().map(|service| reading.redactor.shown_host(service)),
        "callers": incident.callers.iter().map(|token| format!("tok:{}", digits(*token))).collect::<Vec<_>>(),
        "addresses": incident.addresses.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "more_addresses": incident.more_addresses,
        "endpoints": endpoints, "timeline": timeline, "next_steps": next_steps(incident),
    })
}

fn endpoint(id: EndpointId, reading: &mut Reading<'_>) -> Option<Value> {
    let endpoint = reading.inventory?.endpoint(id)?;
    let classes: Vec<&str> = endpoint
        .data_classes()
        .iter()
        .map(|carried| reading.inventory.map_or("", |inventory| inventory.class_name(carried.class)))
        .collect();
    Some(json!({
        "method": reading.redactor.shown_method(&endpoint.method),
        "service": reading.redactor.shown_host(&endpoint.service),
        "template": reading.redactor.shown_path(&endpoint.template),
        "data_classes": classes,
    }))
}

fn finding_page(report: &Report, reading: &mut Reading<'_>) -> String {
    let mut paper = Paper::new(true);
    paper.heading("Findings");
    if report.findings.is_empty() {
        paper.line("  none");
    }
    for finding in &report.findings {
        let reason = reading.redactor.shown_sentence(&finding.reason);
        let text =
            format!("{} {}: {}, {reason}", rfc3339(finding.time), finding.detector, finding.outcome.name());
        paper.row(finding.severity.name(), &text);
    }
    let more = report.tally.findings.saturating_sub(report.findings.len() as u64);
    if more > 0 {
        paper.line(&format!("  and {}: the worst are shown", counted(more, "more finding")));
    }
    unjudged(report, &mut paper);
    paper.into_text()
}

fn finding_value(finding: &Finding, reading: &mut Reading<'_>) -> Value {
    json!({
        "uid": finding.uid.to_string(), "time": rfc3339(finding.time), "detector": finding.detector,
        "severity": finding.severity.name(), "confidence": finding.confidence, "outcome": finding.outcome.name(),
        "reason": reading.redactor.shown_sentence(&finding.reason),
        "incident": finding.incident.map(|uid| uid.to_string()),
        "endpoint": finding.endpoint.and_then(|id| endpoint(id, reading)),
        "exchanges": finding.exchanges.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

fn unjudged(report: &Report, paper: &mut Paper) {
    for unjudged in &report.not_judged {
        paper.row("not judged", &format!("{}: {}", unjudged.detector, unjudged.reason));
    }
}
