//! One caller: how it proves who it is, what it touched, and its sessions.

use super::columns::{
    caller_address, chips, endpoint_address, exchanges, incident_address, level, operation, service_address,
};
use super::{frame, radius};
use crate::books::{Caller, Endpoint, Incident, Snapshot};
use crate::doors::Visitor;
use crate::text::{count, counted, minute, period};
use maud::{Markup, html};
use serde_json::Value;
use std::collections::BTreeSet;

/// Sessions that are shown; the rest is counted.
const SESSIONS: usize = 100;
/// Endpoints that are shown.
const ENDPOINTS: usize = 200;

pub(crate) fn caller(
    snapshot: &Snapshot,
    row: &Caller,
    whole: &Value,
    counted_radius: Option<&Value>,
    visitor: &Visitor,
) -> Markup {
    let digits = row.name.rsplit_once('~').map_or(row.name.as_str(), |(_, digits)| digits);
    let body = html! {
        p.crumbs { a href="/callers" { "Callers" } }
        h1.name { span.path { (row.name) } }
        p.lead { (counted(row.calls, "call")) " " (period(&row.first, &row.last)) " UTC. The name is a token: who it is stays in traffic." }
        p.ways { (seen(snapshot, digits)) }
        div.columns {
            section { h2 { "Who" } (facts(row)) }
            section { h2 { "What it touched" } (services(snapshot, row)) }
        }
        section { h2 { "Endpoints" } (endpoints(snapshot, whole)) }
        section { h2 { "Incidents" } (incidents(snapshot, digits)) }
        (radius::section(snapshot, &caller_address(&row.name), &row.name, counted_radius, visitor))
        section { h2 { "Sessions" } (sessions(whole)) }
        section { h2 { "In a terminal" } pre tabindex="0" { code { "tapwire replay CAPTURE --where 'principal == \"" (row.name) "\"'" } } }
    };
    frame(snapshot, "/callers", &row.name, &body)
}

fn facts(row: &Caller) -> Markup {
    html! {
        dl.facts {
            div { dt { "Named by" } dd { (row.kind) } }
            div { dt { "Proves with" } dd { @if row.credentials.is_empty() { "nothing" } (chips(&row.credentials)) } }
            @if !row.grants.is_empty() { div { dt { "May" } dd { (chips(&row.grants)) } } }
            div { dt { "From" } dd { (chips(&row.networks)) } }
            div { dt { "With" } dd { (chips(&row.agents)) } }
        }
    }
}

fn services(snapshot: &Snapshot, row: &Caller) -> Markup {
    html! {
        @if row.services.is_empty() { p.empty { "No service of it is known." } }
        ul.places {
            @for name in &row.services {
                @let known = snapshot.services.iter().find(|service| service.name == *name);
                li {
                    a.row href=(service_address(name)) { (name) }
                    @if let Some(service) = known { span.of { (counted(service.endpoints, "endpoint")) ", " (counted(service.calls, "call")) " of everybody" } }
                }
            }
        }
    }
}

/// Its exchanges; a name is a token of hexadecimal digits.
fn seen(snapshot: &Snapshot, digits: &str) -> Markup {
    let is_token = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    html! { @if is_token { (exchanges(snapshot, &format!("principal = 'tok:{digits}'"))) } }
}

/// Endpoints that count it among their callers.
fn endpoints(snapshot: &Snapshot, whole: &Value) -> Markup {
    let known = whole.get("known_endpoints").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let ids: BTreeSet<&str> = known.iter().filter_map(Value::as_str).collect();
    let rows: Vec<&Endpoint> =
        snapshot.endpoints.iter().filter(|row| ids.contains(row.id.as_str())).collect();
    let more = rows.len().saturating_sub(ENDPOINTS);
    html! {
        @if rows.is_empty() { p.empty { "No endpoint counts it among its first 64 callers." } }
        ul.places.parted {
            @for row in rows.into_iter().take(ENDPOINTS) {
                li {
                    a.row href=(endpoint_address(&row.id)) { (operation(&row.method, &row.template, &row.operation)) }
                    " " span.of.inline { (row.service) } " " (chips(&row.classes))
                }
            }
        }
        @if more > 0 { p.of { "and " (counted(more as u64, "more endpoint")) } }
    }
}

fn incidents(snapshot: &Snapshot, digits: &str) -> Markup {
    let names = |incident: &&Incident| {
        let callers = incident.whole.get("callers").and_then(Value::as_array).into_iter().flatten();
        callers
            .filter_map(Value::as_str)
            .any(|token| token.rsplit_once(':').is_some_and(|(_, own)| own == digits))
    };
    let all: Vec<&Incident> = snapshot.incidents.iter().filter(names).collect();
    html! {
        @if all.is_empty() { p.empty { "It is part of no incident." } }
        ol.feed {
            @for incident in all {
                li { (level(incident.level)) div {
                    a.row href=(incident_address(&incident.uid)) { (incident.title) }
                    span.of { (incident.outcome) @if !incident.verdict.is_empty() { " · judged " (incident.verdict) } " · " (incident.service) " · last " (minute(&incident.last)) }
                } }
            }
        }
    }
}

fn sessions(whole: &Value) -> Markup {
    let all: Vec<&Value> =
        whole.get("known_sessions").and_then(Value::as_array).into_iter().flatten().collect();
    let text = |one: &Value, name: &str| minute(one.get(name).and_then(Value::as_str).unwrap_or("–"));
    let list = |one: &Value, name: &str| {
        let all = one.get(name).and_then(Value::as_array).into_iter().flatten();
        all.filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
    };
    html! {
        @if all.is_empty() { p.empty { "No session of it is known: its credentials were not seen being issued, or made room for others." } }
        @else {
            div.scroll tabindex="0" role="region" aria-label="Sessions" {
                table.list.rows {
                    thead { tr { th scope="col" { "Credential" } th.number scope="col" { "Calls" } th scope="col" { "First" } th scope="col" { "Last" } th scope="col" { "From" } th scope="col" { "With" } th scope="col" { "Ended" } } }
                    tbody {
                        @for one in all.iter().take(SESSIONS) {
                            tr {
                                td { code { (text(one, "session")) } }
                                td.number data-title="Calls" { (count(one.get("uses").and_then(Value::as_u64).unwrap_or(0))) }
                                td data-title="First" { span.time { (text(one, "first_used")) } }
                                td data-title="Last" { span.time { (text(one, "last_used")) } }
                                td data-title="From" { (list(one, "networks")) }
                                td data-title="With" { (list(one, "agents")) }
                                td data-title="Ended" { span.time { (text(one, "ended")) } }
                            }
                        }
                    }
                }
            }
            @let more = all.len().saturating_sub(SESSIONS);
            @if more > 0 { p.of { "and " (counted(more as u64, "more session")) } }
        }
    }
}
