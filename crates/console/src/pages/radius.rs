//! Whose records somebody got: counted when somebody asks, and shown until others take its place.

use super::columns::{chips, endpoint_address};
use super::incidents::{strings, text};
use crate::books::Snapshot;
use crate::doors::Visitor;
use crate::text::{count, minute, period};
use crate::users::Role;
use maud::{Markup, html};
use serde_json::Value;

/// The section of an incident or a caller; `page` is its address, `whose` what the command is given.
pub(super) fn section(
    snapshot: &Snapshot,
    page: &str,
    whose: &str,
    counted: Option<&Value>,
    visitor: &Visitor,
) -> Markup {
    html! {
        section id="radius" {
            h2 { "Whose records left" }
            @if let Some(counted) = counted { (told(snapshot, counted)) }
            @else { p.lead { "How many distinct persons the answers name, by which endpoints, and what of that was not seen." } }
            (form(snapshot, page, whose, counted.is_some(), visitor))
        }
    }
}

fn form(snapshot: &Snapshot, page: &str, whose: &str, again: bool, visitor: &Visitor) -> Markup {
    if !snapshot.has_packets {
        return html! {
            p.empty {
                "It is counted from packets, and none are kept here (" code { "packets.budget" } "). With captures: "
                code { "tapwire blast-radius " (whose) " CAPTURE" }
            }
        };
    }
    if visitor.role < Role::Analyst {
        return html! { p.empty { "To have it counted, ask for the role analyst." } };
    }
    html! {
        form.act method="post" action=(format!("{page}/radius")) {
            input type="hidden" name="token" value=(visitor.token);
            button.plain[again] type="submit" { @if again { "Count again" } @else { "Count whose records left" } }
            " " span.of.inline { "from the packets that are there; that takes a while, and is noted in the audit log" }
        }
    }
}

fn told(snapshot: &Snapshot, radius: &Value) -> Markup {
    let endpoints = radius.get("endpoints").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    html! {
        p.why { (text(radius, "told")) }
        @if !endpoints.is_empty() {
            div.scroll tabindex="0" role="region" aria-label="What left, by endpoint" {
                table.list.rows {
                    thead { tr { th scope="col" { "Endpoint" } th.number scope="col" { "Persons" } th.number scope="col" { "Answers" } th scope="col" { "Told by" } th scope="col" { "Values" } } }
                    tbody { @for one in endpoints { (row(snapshot, one)) } }
                }
            }
        }
        h3 { "Not seen" }
        ul { @for line in strings(radius, "not_seen") { li { (line) } } }
        p.of { "Counted at " (minute(text(radius, "counted"))) " UTC" }
    }
}

fn row(snapshot: &Snapshot, one: &Value) -> Markup {
    let number = |name: &str| one.get(name).and_then(Value::as_u64).unwrap_or(0);
    let is_exact = one.get("exact").and_then(Value::as_bool) == Some(true);
    let known = snapshot.endpoints.iter().find(|row| row.id == text(one, "id"));
    let fields: Vec<String> = strings(one, "told_by").into_iter().map(str::to_owned).collect();
    let values = one.get("data_classes").and_then(Value::as_object).into_iter().flatten();
    html! {
        tr {
            td {
                @match known { Some(row) => { a.row href=(endpoint_address(&row.id)) { span.path { (text(one, "name")) } } } None => { span.path { (text(one, "name")) } } }
                span.of { (period(text(one, "first"), text(one, "last"))) " UTC" }
            }
            td.number data-title="Persons" { strong { (count(number("persons"))) } @if !is_exact { span.of { "not exact" } } }
            td.number data-title="Answers" { (count(number("answers"))) }
            td data-title="Told by" { (chips(&fields)) }
            td data-title="Values" { @for (class, values) in values { span.chip { (class) " " (count(values.as_u64().unwrap_or(0))) } " " } }
        }
    }
}
