//! `incidents` and `findings`: what is wrong, by who is behind it, or one by one.

use crate::cli::{FindingsArgs, IncidentsArgs};
use crate::failure::{Exit, Failure};
use crate::judged;
use crate::learn::{Beside, Learned, learn, learn_with};
use crate::markdown;
use crate::next;
use crate::paper::{Paper, plain, print};
use crate::size::counted;
use crate::suggestions;
use crate::summary::rfc3339;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use tapwire_detect::incidents::Affected;
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
    let beside = Beside { rules: &args.rules, two_pass: args.two_pass, needed: Some("incidents") };
    let mut learned = learn_with(&args.learn, &beside, args.json, |_| Ok(()))?;
    let Learned { report, redactor, .. } = &mut learned;
    let mut reading = Reading { redactor, inventory: report.inventory.as_ref() };
    let all = report.incidents.worst_first();
    let text = if args.json {
        all.iter().map(|incident| line(&value(incident, &mut reading))).collect()
    } else if args.markdown {
        markdown::page(&all, report, &mut reading)
    } else {
        page(&all, report, &mut reading, &next::same_again(&args.learn, &args.rules, args.two_pass))
    };
    print(&text, true)?;
    Ok(learned.exit())
}

/// `tapwire findings`.
pub(crate) fn findings(args: &FindingsArgs) -> Result<Exit, Failure> {
    if args.learn.paths.is_empty() {
        return crate::stored::findings(args);
    }
    let mut learned = learn(&args.learn, args.json, |_| Ok(()))?;
    let Learned { report, redactor, .. } = &mut learned;
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

/// `again`: what `show` is given to find them as they were found here.
fn page(all: &[&Incident], report: &Report, reading: &mut Reading<'_>, again: &str) -> String {
    let mut paper = Paper::new(true);
    paper.heading("Incidents");
    if all.is_empty() {
        paper.line("  none");
    }
    for incident in all {
        tell(incident, reading, again, &mut paper);
    }
    judged::page(&report.not_judged, &mut paper);
    paper.into_text()
}

/// One incident: who, when, what, and what to do.
fn tell(incident: &Incident, reading: &mut Reading<'_>, again: &str, paper: &mut Paper) {
    paper.row(incident.worst.severity.name(), &headline(incident, reading));
    for moment in &incident.timeline {
        let reason = reading.redactor.shown_sentence(&moment.reason);
        paper.row(
            "",
            &format!(
                "{} {}: {}, {reason}",
                clock(moment.time),
                plain(moment.found_by()),
                moment.outcome.name()
            ),
        );
    }
    for step in incident.next_steps().into_iter().take(3) {
        paper.row("", &format!("Next: {step}"));
    }
    let beside = reading.inventory.map(|inventory| incident.beside(inventory)).unwrap_or_default();
    let suggested = suggestions::values(&beside, reading);
    for (what, whom) in suggestions::lines(suggested.as_array().into_iter().flatten()) {
        paper.row("", &format!("Could: {what}. {whom}"));
    }
    // On one line, however long: it is to be pasted.
    paper.line(&format!("{:16}tapwire show {}{again}", "", incident.uid));
}

/// Who did how much, from where and when, in one line.
pub(crate) fn headline(incident: &Incident, reading: &mut Reading<'_>) -> String {
    let service =
        incident.service.as_deref().map(|service| reading.redactor.shown_host(service)).unwrap_or_default();
    let kinds: BTreeSet<&str> = incident.timeline.iter().map(Moment::found_by).collect();
    let title = plain(title_of(incident));
    let more = match kinds.len() as u64 {
        0 | 1 => String::new(),
        kinds => format!(" and {}", counted(kinds - 1, "other kind")),
    };
    format!(
        "{title}{more}: {}, {} by {} at {service}, {}{}",
        incident.worst.outcome.name(),
        counted(incident.findings, "finding"),
        who(incident),
        span(incident.first.time, incident.last),
        if incident.closed { ", over" } else { "" },
    )
}

/// From when to when, to the second; what stands there already is not said again.
pub(crate) fn span(first: Timestamp, last: Timestamp) -> String {
    let to_second = |time: Timestamp| format!("{}Z", rfc3339(time).get(..19).unwrap_or("unknown"));
    let (first, last) = (to_second(first), to_second(last));
    if first == last {
        return first;
    }
    let until = if first.get(..10) == last.get(..10) { last.get(11..).unwrap_or(&last) } else { &last };
    format!("{first} to {until}")
}

/// Callers and addresses, some of each.
pub(crate) fn who(incident: &Incident) -> String {
    let callers: Vec<String> = incident.callers.iter().take(3).map(|caller| tok(caller.token)).collect();
    let more = if incident.more_addresses { " and more" } else { "" };
    let addresses: Vec<String> = incident.addresses.iter().take(3).map(ToString::to_string).collect();
    let beyond = incident.addresses.len().saturating_sub(3);
    let beyond = if beyond > 0 { format!(" and {beyond} more") } else { more.to_owned() };
    match callers.is_empty() {
        true => format!("{}{beyond}", addresses.join(", ")),
        false => format!("{} from {}{beyond}", callers.join(", "), addresses.join(", ")),
    }
}

/// A token as events have it.
pub(crate) fn tok(token: Token) -> String {
    let digits: String = token.0.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("tok:{digits}")
}

fn clock(time: Timestamp) -> String {
    let text = rfc3339(time);
    text.get(11..19).map_or_else(|| text.clone(), |clock| format!("{clock}Z"))
}

fn info(detector: &str) -> Option<&'static DetectorInfo> {
    DETECTORS.iter().find(|info| info.name == detector)
}

/// What the worst of it is.
pub(crate) fn title_of(incident: &Incident) -> &str {
    info(incident.worst.detector).map_or(incident.worst.found_by(), |info| info.title)
}

fn moment_value(moment: &Moment, reading: &mut Reading<'_>) -> Value {
    let rule = moment.rule.as_ref().map(|rule| json!({"id": rule.id, "title": rule.title}));
    json!({
        "time": rfc3339(moment.time), "detector": moment.detector, "rule": rule, "severity": moment.severity.name(),
        "outcome": moment.outcome.name(), "reason": reading.redactor.shown_sentence(&moment.reason),
        "finding": moment.finding.to_string(), "exchange": moment.exchange.to_string(),
    })
}

/// An incident as an object.
pub(crate) fn value(incident: &Incident, reading: &mut Reading<'_>) -> Value {
    let timeline: Vec<Value> = incident.timeline.iter().map(|moment| moment_value(moment, reading)).collect();
    let beside = reading.inventory.map(|inventory| incident.beside(inventory)).unwrap_or_default();
    let endpoints: Vec<Value> = beside.endpoints.iter().map(|one| affected(one, reading.redactor)).collect();
    let callers = incident.callers.iter().map(|caller| tok(caller.token));
    json!({
        "uid": incident.uid.to_string(), "severity": incident.worst.severity.name(),
        "outcome": incident.worst.outcome.name(), "reached": incident.reached.name(),
        "first": rfc3339(incident.first.time), "last": rfc3339(incident.last), "findings": incident.findings,
        "repeated": incident.repeated, "closed": incident.closed,
        "service": incident.service.as_deref().map(|service| reading.redactor.shown_host(service)),
        "callers": callers.collect::<Vec<_>>(),
        "known_since": incident.known_since.map(rfc3339),
        "addresses": incident.addresses.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "more_addresses": incident.more_addresses,
        "ja4": incident.fingerprints, "zones": incident.zones, "lists": incident.lists,
        "endpoints": endpoints, "more_endpoints": incident.more_endpoints,
        "worst": moment_value(&incident.worst, reading), "timeline": timeline,
        "next_steps": incident.next_steps(), "suggestions": suggestions::values(&beside, reading),
    })
}

fn affected(endpoint: &Affected, redactor: &mut Redactor) -> Value {
    json!({
        "method": redactor.shown_method(&endpoint.method), "service": redactor.shown_host(&endpoint.service),
        "template": redactor.shown_path(&endpoint.template),
        "operation": endpoint.operation.as_deref().map(|one| redactor.shown_operation(one)),
        "data_classes": endpoint.data_classes, "exposure": endpoint.exposure,
        "owner": endpoint.owner, "zone": endpoint.zone,
    })
}

fn endpoint(id: EndpointId, reading: &mut Reading<'_>) -> Option<Value> {
    let endpoint = reading.inventory?.endpoint(id)?;
    Some(json!({
        "method": reading.redactor.shown_method(&endpoint.method),
        "service": reading.redactor.shown_host(&endpoint.service),
        "template": reading.redactor.shown_path(&endpoint.template),
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
    if report.tally.repeated > 0 {
        paper.line(&format!(
            "  {} only repeat these and were counted in their incidents",
            counted(report.tally.repeated, "finding")
        ));
    }
    judged::page(&report.not_judged, &mut paper);
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
