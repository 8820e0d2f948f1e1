//! The sensor: what it did not see, what it could not judge, and every counter.

use super::frame;
use super::overview::mark;
use crate::books::{Figure, Output, Snapshot};
use crate::chart;
use crate::text::{count, second};
use maud::{Markup, html};
use serde_json::Value;

pub(crate) fn sensor(snapshot: &Snapshot, outputs: &[Output]) -> Markup {
    let mut counters = Vec::new();
    flatten("", &snapshot.counters, &mut counters);
    let body = html! {
        h1 { "Sensor" }
        p.lead { @if snapshot.source.is_empty() { "Nothing was learned yet." } @else { "Learned from " b { (snapshot.source) } "." } }
        @if !outputs.is_empty() { section { h2 { "Outputs" } (outlets(outputs)) } }
        section {
            h2 { "Blind spots" }
            @if snapshot.blind_spots.is_empty() { (not_kept()) } @else { (table(&snapshot.blind_spots)) }
        }
        section {
            h2 { "Not judged" }
            @if snapshot.not_judged.is_empty() { p.empty { (all_judged(snapshot)) } }
            dl.spots { @for spot in &snapshot.not_judged { div { dt { (spot.what) } dd { (spot.why) } } } }
        }
        section {
            h2 { "Counters" }
            @if counters.is_empty() { p.empty { "No counter is above 0, or this was read from what a run keeps." } }
            dl.counters { @for (name, value) in &counters { div { dt { (name) } dd { (value) } } } }
        }
    };
    frame(snapshot, "/sensor", "Sensor", &body)
}

/// What it means that nothing is listed.
fn all_judged(snapshot: &Snapshot) -> &'static str {
    match (snapshot.is_collectors, snapshot.last.is_empty()) {
        (true, _) => "Sensors judge: their own consoles say what they could not.",
        (false, true) => "Nothing was judged yet.",
        (false, false) => "Everything could be judged.",
    }
}

/// Where events go on the network, and when that failed last: a failure that is over stays known, as one that is over.
fn outlets(outputs: &[Output]) -> Markup {
    let number = |one: &Output, name: &str| {
        count(one.events.iter().find(|(known, _)| *known == name).map_or(0, |(_, events)| *events))
    };
    html! {
        div.scroll tabindex="0" role="region" aria-label="Outputs" {
            table.list.rows {
                thead { tr { th scope="col" { "Output" } th.number scope="col" { "Delivered" } th.number scope="col" { "Waiting" } th scope="col" { "Last failure" } } }
                tbody {
                    @for one in outputs {
                        tr {
                            td { b { (one.name) } }
                            td.number data-title="Delivered" { (number(one, "delivered")) }
                            td.number data-title="Waiting" { (number(one, "waiting")) }
                            td data-title="Last failure" { (failure(one)) }
                        }
                    }
                }
            }
        }
    }
}

fn failure(one: &Output) -> Markup {
    html! {
        @if one.failure.is_empty() { "none" } @else {
            @if one.recovered { span.mark.met { "works again" } } @else { span.mark.overdue { "fails" } }
            " " (second(&one.failed)) " UTC" span.of { (one.failure) }
        }
    }
}

/// Where blind spots are told instead.
pub(super) fn not_kept() -> Markup {
    html! { p.empty { "Counters of stages are not part of what a run keeps: its summary and " code { "tapwire doctor" } " say what was lost." } }
}

fn table(figures: &[Figure]) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label="Figures" {
            table.list.rows {
                thead { tr { th scope="col" { "Figure" } th.number scope="col" { "Now" } th scope="col" { "Target" } th scope="col" { "Day by day" } } }
                tbody {
                    @for figure in figures {
                        tr {
                            td { b { (figure.title) } span.of { (figure.of) " · " code { (figure.name) } } }
                            td.number data-title="Now" { strong { (figure.now) } }
                            td data-title="Target" { (mark(figure.mark)) " " @if figure.target.is_empty() { "–" } @else { (figure.target) } }
                            td data-title="Day by day" { @if figure.trend.iter().flatten().count() > 1 { (chart::line(&figure.trend)) } }
                        }
                    }
                }
            }
        }
    }
}

/// Counters that are not 0, by their path.
fn flatten(path: &str, value: &Value, out: &mut Vec<(String, String)>) {
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(name, member)| flatten(&below(name), member, out))
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, item)| flatten(&below(&at.to_string()), item, out));
        }
        Value::Number(number) => match number.as_u64() {
            Some(0) => {}
            Some(number) => out.push((path.to_owned(), count(number))),
            None => out.push((path.to_owned(), number.to_string())),
        },
        Value::String(text) => out.push((path.to_owned(), text.clone())),
        Value::Bool(_) | Value::Null => {}
    }
}
