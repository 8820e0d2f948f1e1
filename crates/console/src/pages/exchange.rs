//! One exchange: what was asked and answered, by whom, how well it was seen, and what was found in it.

use super::columns::{
    caller_of, endpoint_address, exchange_address, incident_address, level, operation, outcome,
};
use super::frame;
use crate::books::{Exchange, Finding, Part, Snapshot, Told};
use crate::text::second;
use maud::{Markup, html};

/// Headings whose parts stand side by side.
const PAIRS: [(&str, &str); 2] = [("Request", "Response"), ("Who", "How well it was seen")];

pub(crate) fn exchange(snapshot: &Snapshot, exchange: &Exchange) -> Markup {
    let is_known = !exchange.parts.is_empty();
    let body = html! {
        p.crumbs { (crumbs(snapshot, exchange)) }
        @if is_known { (head(exchange)) } @else {
            h1 { "Finding" }
            p.lead { "The exchanges that show it:" @for uid in shown_by(exchange) { " " a href=(exchange_address(uid, &exchange.time)) { code { (short(uid)) } } } }
        }
        @if !exchange.findings.is_empty() || others(snapshot, exchange).next().is_some() {
            section { h2 { @if is_known { "Found in it" } @else { "What was found" } } (found(snapshot, exchange)) }
        }
        @for (left, right) in PAIRS {
            div.columns { (part(snapshot, exchange, left)) (part(snapshot, exchange, right)) }
        }
        @for one in exchange.parts.iter().filter(|one| !is_paired(one)) { (told(snapshot, exchange, one)) }
        section { h2 { "In a terminal" } (commands(snapshot, exchange)) }
    };
    frame(snapshot, "/incidents", &title(exchange), &body)
}

fn title(exchange: &Exchange) -> String {
    match exchange.parts.is_empty() {
        true => "Finding".to_owned(),
        false => format!("{} {}", exchange.method, exchange.place),
    }
}

fn short(uid: &str) -> &str {
    uid.get(..12).unwrap_or(uid)
}

fn is_paired(part: &Part) -> bool {
    PAIRS.iter().any(|(left, right)| part.title == *left || part.title == *right)
}

/// Exchanges that findings name, each once.
fn shown_by(exchange: &Exchange) -> Vec<&str> {
    let mut all: Vec<&str> =
        exchange.findings.iter().flat_map(|one| &one.exchanges).map(String::as_str).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// The way back: incidents that it is part of.
fn crumbs(snapshot: &Snapshot, exchange: &Exchange) -> Markup {
    let findings = exchange.findings.iter().map(|one| one.incident.as_str());
    let named = findings.chain(others(snapshot, exchange).map(|one| one.incident.as_str()));
    let mut named: Vec<&str> = named.filter(|uid| !uid.is_empty()).collect();
    named.sort_unstable();
    named.dedup();
    html! {
        a href="/incidents" { "Incidents" }
        @for incident in snapshot.incidents.iter().filter(|one| named.contains(&one.uid.as_str())) {
            " · " a href=(incident_address(&incident.uid)) { (incident.title) }
        }
    }
}

fn head(exchange: &Exchange) -> Markup {
    html! {
        h1.name { (operation(&exchange.method, &exchange.place, "")) @if !exchange.status.is_empty() { " " span class=(status_class(&exchange.status)) { (exchange.status) } } }
        p.lead { (second(&exchange.time)) " UTC · exchange " code { (exchange.uid) } }
        @if !exchange.carried.is_empty() {
            p { (exchange.carried) ": " a href=(exchange_address(&exchange.carrier, &exchange.time)) { "what carries it" } }
        }
    }
}

fn status_class(status: &str) -> &'static str {
    match status.bytes().next() {
        Some(b'4' | b'5') => "chip warn",
        _ => "chip",
    }
}

/// What incidents tell of it that is not among its findings: of another day, or only counted there.
fn others<'s>(snapshot: &'s Snapshot, exchange: &'s Exchange) -> impl Iterator<Item = &'s Finding> {
    let is_new = |one: &&Finding| !exchange.findings.iter().any(|told| told.uid == one.uid);
    snapshot
        .findings
        .iter()
        .filter(|one| !one.exchange.is_empty() && one.exchange == exchange.uid)
        .filter(is_new)
}

fn found(snapshot: &Snapshot, exchange: &Exchange) -> Markup {
    html! {
        ol.feed {
            @for one in &exchange.findings { (finding(one)) }
            @for one in others(snapshot, exchange) {
                li { (level(one.level)) div {
                    (way(&one.incident, if one.rule.is_empty() { &one.detector } else { &one.rule })) " · " (outcome(&one.outcome))
                    p { (one.reason) }
                } }
            }
        }
    }
}

fn finding(one: &Told) -> Markup {
    html! {
        li { (level(one.level)) div {
            (way(&one.incident, &one.title)) " · " (outcome(&one.outcome))
            p { (one.reason) }
            @if !one.steps.is_empty() {
                details { summary { "What to do" } ol.more { @for step in &one.steps { li { (step) } } } }
            }
        } }
    }
}

/// A finding leads to its incident.
fn way(incident: &str, title: &str) -> Markup {
    html! { @if incident.is_empty() { b { (title) } } @else { a.row href=(incident_address(incident)) { (title) } } }
}

fn part(snapshot: &Snapshot, exchange: &Exchange, title: &str) -> Markup {
    let part = exchange.parts.iter().find(|one| one.title == title);
    html! { @if let Some(part) = part { (told(snapshot, exchange, part)) } }
}

fn told(snapshot: &Snapshot, exchange: &Exchange, part: &Part) -> Markup {
    html! {
        section {
            h2 { (part.title) }
            @if !part.said.is_empty() { p.empty { (part.said) } }
            @if !part.rows.is_empty() {
                dl.facts { @for (name, text) in &part.rows { div { dt { (name) } dd { (value(snapshot, exchange, name, text)) } } } }
            }
            @if !part.headers.is_empty() {
                dl.headers { @for (name, text) in &part.headers { div { dt { (name) } dd { (text) } } } }
            }
        }
    }
}

/// What has a page of its own leads there.
fn value(snapshot: &Snapshot, exchange: &Exchange, name: &str, text: &str) -> Markup {
    let endpoint = || snapshot.endpoints.iter().find(|row| row.id == exchange.endpoint);
    html! {
        @match name {
            "endpoint" => { @match endpoint() { Some(row) => a href=(endpoint_address(&row.id)) { span.path { (text) } }, None => span.path { (text) } } }
            "principal" if !exchange.principal.is_empty() => { (text.split(',').next().unwrap_or_default()) " " (caller_of(snapshot, &exchange.principal)) }
            "target" | "host" | "flow" => { span.path { (text) } }
            _ => { (text) }
        }
    }
}

fn commands(snapshot: &Snapshot, exchange: &Exchange) -> Markup {
    let (uid, evidence) = (&exchange.uid, &snapshot.evidence);
    html! {
        pre tabindex="0" { code {
            "tapwire show " (uid) (evidence) "\n"
            "tapwire carve " (uid) (evidence) " -w exchange.pcapng"
        } }
    }
}
