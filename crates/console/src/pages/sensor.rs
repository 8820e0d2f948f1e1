//! The sensor: what it did not see, what it could not judge, and every counter.

use super::frame;
use super::overview::mark;
use crate::books::{Figure, Snapshot};
use crate::chart;
use crate::text::count;
use maud::{Markup, html};
use serde_json::Value;

pub(crate) fn sensor(snapshot: &Snapshot) -> Markup {
    let mut counters = Vec::new();
    flatten("", &snapshot.counters, &mut counters);
    let body = html! {
        h1 { "Sensor" }
        p.lead { "Learned from " b { (snapshot.source) } "." }
        section {
            h2 { "Blind spots" }
            @if snapshot.blind_spots.is_empty() { (not_kept()) } @else { (table(&snapshot.blind_spots)) }
        }
        section {
            h2 { "Not judged" }
            @if snapshot.not_judged.is_empty() { p.empty { "Everything could be judged." } }
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
