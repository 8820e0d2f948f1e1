//! Incidents, and one of them: who did what, why that is known, and what to do.

use super::columns::{
    FINDINGS, INCIDENTS, caller_of, chips, endpoint_address, exchange_address, exchanges, incident_address,
    level, operation, outcome, service_address,
};
use super::{elsewhere, evidence, frame, radius};
use crate::books::{CLOSED, DISMISSED, Incident, Level, OPEN, Snapshot, Verdict};
use crate::doors::Visitor;
use crate::table::{Ask, escaped, table};
use crate::text::{count, counted, minute, period, second};
use crate::users::Role;
use maud::{Markup, html};
use serde_json::Value;

pub(crate) fn incidents(snapshot: &Snapshot, ask: &Ask) -> Markup {
    let body = html! {
        h1 { "Incidents" }
        p.lead { "One for each actor: a caller or an address, with everything that was found of it, and whether it worked." }
        @if snapshot.is_collectors { (elsewhere::incidents()) }
        @else if snapshot.incidents.is_empty() {
            p.empty { "No incident: nobody did anything that detectors judge to be wrong. " a href="/sensor" { "What could not be judged" } "." }
        } @else {
            (views(snapshot, ask))
            (table("/incidents", snapshot.listed(), INCIDENTS, ask, "incident"))
        }
    };
    frame(snapshot, "/incidents", "Incidents", &body)
}

/// Incidents by how they stand; those that were judged to be none, or allowed, are kept and count nowhere.
fn views(snapshot: &Snapshot, ask: &Ask) -> Markup {
    let number = |state: &str| snapshot.incidents.iter().filter(|one| one.state() == state).count() as u64;
    let all = [("", "All"), (OPEN, "Open"), (CLOSED, "Over"), (DISMISSED, "Judged false or benign")];
    html! {
        nav.views aria-label="Incidents by state" {
            @for (state, name) in all {
                @let count_of = if state.is_empty() { snapshot.incidents.len() as u64 } else { number(state) };
                @let address = if state.is_empty() { "/incidents".to_owned() } else { format!("/incidents?state={state}") };
                @let is_here = ask.only("state").unwrap_or_default() == state;
                a href=(address) aria-current=[is_here.then_some("true")] { (name) " " span.of.inline { (count(count_of)) } }
            }
        }
    }
}

pub(crate) fn incident(
    snapshot: &Snapshot,
    incident: &Incident,
    visitor: &Visitor,
    counted_radius: Option<&Value>,
    mut ask: Ask,
) -> Markup {
    ask.only = vec![("incident".to_owned(), incident.uid.clone())];
    let worst = incident.whole.get("worst").unwrap_or(&Value::Null);
    let body = html! {
        p.crumbs { a href="/incidents" { "Incidents" } }
        h1 { (incident.title) }
        p.lead {
            (level(incident.level)) " " (outcome(&incident.outcome)) ": " (meaning(&incident.outcome))
            " · " (counted(incident.findings, "finding")) " " (period(&incident.first, &incident.last)) " UTC"
            @if incident.closed { " · closed" } @else { " · open" }
            @if !incident.verdict.is_empty() { " · judged " b { (incident.verdict) } @if incident.is_dismissed() { ", so it counts nowhere" } }
            @if !incident.muted.is_empty() { " · its kind is muted here until " (minute(&incident.muted)) }
        }
        @if let Some(uid) = Some(&incident.uid).filter(|uid| uid.bytes().all(|digit| digit.is_ascii_hexdigit())) {
            p.ways { (exchanges(snapshot, &format!("uid IN (SELECT value FROM findings, json_each(findings.exchanges) WHERE incident = '{uid}')"))) }
        }
        div.columns {
            section { h2 { "Why" } p.why { (text(worst, "reason")) } (who(snapshot, incident)) }
            section { h2 { "What to do" } (steps(&incident.whole)) (suggestions(&incident.whole)) }
        }
        section { h2 { "Timeline" } (timeline(&incident.whole)) }
        section { h2 { "Where" } (places(snapshot, &incident.whole)) }
        (radius::section(snapshot, &incident_address(&incident.uid), &incident.uid, counted_radius, visitor))
        @if snapshot.findings.iter().any(|finding| finding.incident == incident.uid) {
            section { h2 { "Findings" } (table(&format!("/incidents/{}", escaped(&incident.uid)), snapshot.findings.iter(), FINDINGS, &ask, "finding")) }
        }
        section { h2 { "What you know of it" } (forms(snapshot, incident, visitor)) }
        section { h2 { "Evidence in a terminal" } (evidence::commands(snapshot, incident)) }
    };
    frame(snapshot, "/incidents", &incident.title, &body)
}

/// What an analyst may do; whoever may not is told why.
fn forms(snapshot: &Snapshot, incident: &Incident, visitor: &Visitor) -> Markup {
    let to = |what: &str| format!("/incidents/{}/{what}", escaped(&incident.uid));
    if !snapshot.keeps {
        return html! { p.empty { "What you say of an incident is kept beside what a run keeps: " code { "tapwire serve --data DIR" } "." } };
    }
    if visitor.role < Role::Analyst {
        return html! { p.empty { "You may read. To say what it was, mute it or have its packets, ask for the role analyst." } };
    }
    let token = html! { input type="hidden" name="token" value=(visitor.token); };
    html! {
        div.columns {
            form.act method="post" action=(to("act")) {
                (token)
                fieldset {
                    legend { "Was it one?" }
                    @for (_, name, told) in Verdict::ALL {
                        label { input type="radio" name="verdict" value=(name) required checked[incident.verdict == name]; " " (told) }
                    }
                    label { "Why " input type="text" name="why" maxlength="1000"; }
                    button type="submit" { "Keep" }
                }
            }
            form.act method="post" action=(to("act")) { (token) (muting(incident)) }
        }
        form.act method="post" action=(to("carve")) {
            (token)
            button type="submit" { "Download the packets of its timeline (pcapng)" }
            " " span.of.inline { "as they were, unredacted; that is noted in the audit log" }
            @if evidence::lacks_keys(snapshot, incident) {
                p.of { "Its exchanges were inside TLS, and this console has no keys: started with " code { "--keylog" } ", it finds their packets." }
            }
        }
    }
}

/// Of its kind: mute it, or, where it is muted, hear of it again.
fn muting(incident: &Incident) -> Markup {
    html! {
        @if incident.muted.is_empty() {
            fieldset {
                legend { "Mute its kind at " (incident.service) }
                label { "Days " input type="number" name="days" min="1" max="90" value="7" required; }
                label { "Why " input type="text" name="why" maxlength="1000" required; }
                button type="submit" { "Mute" }
            }
        } @else {
            fieldset {
                legend { "Its kind is muted at " (incident.service) }
                input type="hidden" name="unmute" value="yes";
                label { "Why not any more " input type="text" name="why" maxlength="1000"; }
                button type="submit" { "Tell it again" }
            }
        }
    }
}

/// What an outcome says, as `tapwire explain` has it in short.
fn meaning(outcome: &str) -> &'static str {
    match outcome {
        "attempted" => "tried, and whether it worked is not known",
        "blocked" => "tried and refused",
        "no-effect" => "tried, and nothing came of it",
        "likely" => "it probably worked",
        "confirmed" => "it worked, the answers show it",
        _ => "nothing is known of how it ended",
    }
}

pub(super) fn strings<'v>(value: &'v Value, name: &str) -> Vec<&'v str> {
    value.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
}

pub(super) fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn who(snapshot: &Snapshot, incident: &Incident) -> Markup {
    let list = |name: &str| strings(&incident.whole, name).into_iter().map(str::to_owned).collect::<Vec<_>>();
    let (callers, addresses, tls, zones) = (list("callers"), list("addresses"), list("ja4"), list("zones"));
    let flag = |name: &str| incident.whole.get(name).and_then(Value::as_bool) == Some(true);
    html! {
        dl.facts {
            @if !callers.is_empty() { div { dt { "Callers" } dd { @for token in &callers { (caller_of(snapshot, token)) " " } } } }
            @if !addresses.is_empty() {
                div { dt { "Addresses" } dd { (chips(&addresses)) @if flag("more_addresses") { "and more" } } }
            }
            @if !tls.is_empty() { div { dt { "TLS client" } dd { (chips(&tls)) } } }
            @if !zones.is_empty() { div { dt { "Zones" } dd { (chips(&zones)) } } }
            @if !list("lists").is_empty() { div { dt { "On lists" } dd { (chips(&list("lists"))) } } }
            @if let Some(since) = incident.whole.get("known_since").and_then(Value::as_str) { div { dt { "Known since" } dd { (minute(since)) " UTC" } } }
            div { dt { "At" } dd { a href=(service_address(&incident.service)) { (incident.service) } } }
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

/// What could be done, and whom it would hit.
fn suggestions(whole: &Value) -> Markup {
    let all = whole.get("suggestions").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    html! {
        @if !all.is_empty() {
            h2 { "It could be stopped by" }
            ul { @for one in all {
                li {
                    b { (text(one, "action")) } " " (aim(one))
                    @if text(one, "honest_callers") == "hit" { " " b { "would hit honest callers" } }
                    p.of { (text(one, "why")) }
                }
            } }
        }
    }
}

/// At what it is aimed: a caller, a credential, addresses, or a limit for an endpoint.
fn aim(suggestion: &Value) -> Markup {
    let target = suggestion.get("target").unwrap_or(&Value::Null);
    let endpoint = target.get("endpoint").unwrap_or(&Value::Null);
    html! {
        @if let Some(token) = target.pointer("/token").or_else(|| target.pointer("/principal/token")).and_then(Value::as_str) {
            span.chip { (token) }
        }
        (chips(&strings(target, "addresses").into_iter().map(str::to_owned).collect::<Vec<_>>()))
        @if let Some(calls) = target.get("calls_an_hour").and_then(Value::as_u64) {
            "of " (counted(calls, "call")) " an hour at " (operation(text(endpoint, "method"), text(endpoint, "template"), ""))
        }
    }
}

fn timeline(whole: &Value) -> Markup {
    let moments = whole.get("timeline").and_then(Value::as_array).into_iter().flatten();
    html! {
        ol.timeline {
            @for moment in moments {
                li {
                    span.time { (second(text(moment, "time"))) }
                    div {
                        p { (level(Level::named(text(moment, "severity")))) " " b { (found_by(moment)) } " · " (outcome(text(moment, "outcome"))) }
                        p { (text(moment, "reason")) }
                        p.of { a href=(exchange_address(text(moment, "exchange"), text(moment, "time"))) { "The exchange" } " " code { (text(moment, "exchange").get(..12).unwrap_or_default()) } }
                    }
                }
            }
        }
    }
}

/// The rule's title, else the detector's name.
fn found_by(moment: &Value) -> &str {
    match moment.pointer("/rule/title").and_then(Value::as_str) {
        Some(title) => title,
        None => text(moment, "detector"),
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
                        Some(row) => { a.row href=(endpoint_address(&row.id)) { (operation(method, template, &row.operation)) } }
                        None => { (operation(method, template, "")) }
                    }
                    " " span.of { (service) } " " (chips(&classes))
                }
            }
        }
    }
}
