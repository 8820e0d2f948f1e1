//! Incidents, and one of them: who did what, why that is known, and what to do.

use super::columns::{FINDINGS, INCIDENTS, chips, level, operation};
use super::frame;
use crate::books::{Finding, Incident, Snapshot};
use crate::table::{Ask, escaped, table};
use crate::text::{counted, minute};
use maud::{Markup, html};
use serde_json::Value;

pub(crate) fn incidents(snapshot: &Snapshot, asked: Vec<(String, String)>) -> Markup {
    let ask = Ask::of(asked);
    let body = html! {
        h1 { "Incidents" }
        p.lead { "One for each actor: a caller or an address, with everything that was found of it, and whether it worked." }
        @if snapshot.incidents.is_empty() {
            p.empty { "Nobody did anything that detectors judge to be wrong. " a href="/sensor" { "What could not be judged" } "." }
        } @else {
            (table("/incidents", snapshot.incidents.iter(), INCIDENTS, &ask, "incident"))
        }
    };
    frame(snapshot, "/incidents", "Incidents", &body)
}

pub(crate) fn incident(snapshot: &Snapshot, incident: &Incident) -> Markup {
    let findings: Vec<&Finding> =
        snapshot.findings.iter().filter(|finding| finding.incident == incident.uid).collect();
    let body = html! {
        p.crumbs { a href="/incidents" { "Incidents" } " / " }
        h1 { (incident.title) }
        p.lead {
            (level(incident.level)) " " span class=(format!("outcome {}", incident.outcome)) { (incident.outcome) }
            " · " (counted(incident.findings, "finding")) " from " (minute(&incident.first)) " to " (minute(&incident.last)) " UTC"
            @if incident.closed { " · closed" }
        }
        div.columns {
            section { h2 { "Who" } (who(incident)) }
            section { h2 { "What to do" } (steps(&incident.whole)) }
        }
        section { h2 { "Timeline" } (timeline(&incident.whole)) }
        section { h2 { "Where" } (places(snapshot, &incident.whole)) }
        @if !findings.is_empty() {
            section { h2 { "Findings" } (table(&format!("/incidents/{}", escaped(&incident.uid)), findings.into_iter(), FINDINGS, &Ask::default(), "finding")) }
        }
        section { h2 { "In a terminal" } pre { code { "tapwire show " (incident.uid) "\ntapwire carve " (incident.uid) " -w incident.pcapng" } } }
    };
    frame(snapshot, "/incidents", &incident.title, &body)
}

fn strings<'v>(value: &'v Value, name: &str) -> Vec<&'v str> {
    value.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn who(incident: &Incident) -> Markup {
    let list = |name: &str| strings(&incident.whole, name).into_iter().map(str::to_owned).collect::<Vec<_>>();
    let (callers, addresses) = (list("callers"), list("addresses"));
    html! {
        dl.facts {
            @if !callers.is_empty() { div { dt { "Callers" } dd { (chips(&callers)) } } }
            @if !addresses.is_empty() {
                div { dt { "Addresses" } dd { (chips(&addresses)) @if incident.whole.get("more_addresses").and_then(Value::as_bool) == Some(true) { "and more" } } }
            }
            div { dt { "At" } dd { (incident.service) } }
        }
    }
}

fn steps(whole: &Value) -> Markup {
    let steps = strings(whole, "next_steps");
    html! {
        @if steps.is_empty() { p.empty { "Nothing is known to be done." } }
        ol { @for step in steps { li { (step) } } }
    }
}

fn timeline(whole: &Value) -> Markup {
    let moments = whole.get("timeline").and_then(Value::as_array).into_iter().flatten();
    html! {
        ol.timeline {
            @for moment in moments {
                li {
                    span.time { (minute(text(moment, "time"))) }
                    div {
                        b { (text(moment, "detector")) } " " span class=(format!("outcome {}", text(moment, "outcome"))) { (text(moment, "outcome")) }
                        p { (text(moment, "reason")) }
                        p.of { code { "tapwire show " (text(moment, "exchange")) } }
                    }
                }
            }
        }
    }
}

fn places(snapshot: &Snapshot, whole: &Value) -> Markup {
    let places = whole.get("endpoints").and_then(Value::as_array).into_iter().flatten();
    html! {
        ul.places {
            @for place in places {
                @let (method, template, service) = (text(place, "method"), text(place, "template"), text(place, "service"));
                @let known = snapshot.endpoints.iter().find(|row| row.method == method && row.template == template && row.service == service);
                @let classes = strings(place, "data_classes").into_iter().map(str::to_owned).collect::<Vec<_>>();
                li {
                    @match known {
                        Some(row) => { a.row href=(format!("/endpoints/{}", escaped(&row.id))) { (operation(method, template, &row.operation)) } }
                        None => { (operation(method, template, "")) }
                    }
                    " " span.of { (service) } " " (chips(&classes))
                }
            }
        }
    }
}
