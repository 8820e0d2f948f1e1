//! One endpoint: what it is, who calls it, how well it is protected, and what its messages consist of.

use super::columns::{chips, operation, service_address};
use super::frame;
use crate::books::{Endpoint, Snapshot};
use crate::chart;
use crate::text::{count, counted, micros, minute, percent};
use maud::{Markup, html};
use serde_json::Value;

/// Fields of one body that are shown.
const FIELDS: usize = 200;

pub(crate) fn endpoint(snapshot: &Snapshot, row: &Endpoint, whole: &Value) -> Markup {
    let body = html! {
        p.crumbs { a href="/apis" { "APIs" } " / " a href=(service_address(&row.service)) { (row.service) } " / " }
        h1.name { (operation(&row.method, &row.template, &row.operation)) }
        p.lead {
            (counted(row.calls, "call")) " from " (minute(&row.first)) " to " (minute(&row.last)) " UTC "
            (chips(&row.states))
        }
        div.columns {
            section { h2 { "Exposure " (chart::score(row.exposure)) } (reasons(whole, "exposure_reasons")) }
            section { h2 { "Threat " (chart::score(row.threat)) } (reasons(whole, "threat_reasons")) }
        }
        div.columns {
            section { h2 { "Calls" } (calls(row, whole)) }
            section { h2 { "Answers" } (answers(row, whole)) }
        }
        @if whole.get("data_classes").and_then(Value::as_array).is_some_and(|all| !all.is_empty()) {
            section { h2 { "Data" } (data(whole)) }
        }
        (schema("Parameters", whole.get("parameters"), &["in", "name"]))
        @for one in whole.get("request").and_then(Value::as_array).into_iter().flatten() {
            (schema(&format!("Request {}", text(one, "media_type")), one.get("fields"), &["path"]))
        }
        @for one in whole.get("responses").and_then(Value::as_array).into_iter().flatten() {
            (schema(&format!("Answers {} {}", text(one, "status"), text(one, "media_type")), one.get("fields"), &["path"]))
        }
        section { h2 { "In a terminal" } pre { code { "tapwire inventory --endpoint " (row.id) "\ntapwire openapi " (row.service) } } }
    };
    frame(snapshot, "/apis", &format!("{} {}", row.method, row.template), &body)
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn number(value: &Value, name: &str) -> u64 {
    value.get(name).and_then(Value::as_u64).unwrap_or(0)
}

fn reasons(whole: &Value, name: &str) -> Markup {
    let reasons = whole.get(name).and_then(Value::as_array).into_iter().flatten();
    let mut reasons = reasons.peekable();
    html! {
        @if reasons.peek().is_none() { p.empty { "Nothing adds to it." } }
        dl.reasons {
            @for reason in reasons {
                div { dt { (text(reason, "reason")) span.of { (text(reason, "seen")) } } dd { "+" (number(reason, "points")) } }
            }
        }
    }
}

fn calls(row: &Endpoint, whole: &Value) -> Markup {
    let clients = whole.get("clients").and_then(Value::as_object);
    let clear = number(whole, "clear_text");
    html! {
        dl.facts {
            div { dt { "Callers" } dd { (count(row.callers)) @if row.more_callers { " at least" } } }
            div { dt { "Prove with" } dd { @for (kind, share) in &row.auth { span class=(if kind == "none" { "chip warn" } else { "chip" }) { (kind) " " (share) " %" } " " } } }
            @if let Some(clients) = clients {
                div { dt { "From" } dd { @for (side, calls) in clients { span.chip { (side) " " (count(calls.as_u64().unwrap_or(0))) } " " } } }
            }
            div { dt { "Clear text" } dd { @match clear { 0 => "none: all over TLS", _ => { (percent(clear, row.calls)) " % of calls" } } } }
            @if !row.owner.is_empty() { div { dt { "Owner" } dd { (row.owner) } } }
            div { dt { "Spoken in" } dd { (whole.get("protocols").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")) } }
        }
    }
}

fn answers(row: &Endpoint, whole: &Value) -> Markup {
    let codes = whole.get("status_codes").and_then(Value::as_object);
    let quantiles = |name: &str, unit: fn(u64) -> String| {
        let of = whole.get(name).map(|all| ["p50", "p90", "p99"].map(|at| unit(number(all, at))));
        of.map(|[half, most, all]| format!("p50 {half}, p90 {most}, p99 {all}"))
    };
    let bytes = |bytes: u64| format!("{} B", count(bytes));
    html! {
        dl.facts {
            div { dt { "Status" } dd { (chart::answers(&row.status)) " refused or failed" } }
            @if let Some(codes) = codes {
                div { dt { "Codes" } dd { @for (code, calls) in codes { span.chip { (code) " " (count(calls.as_u64().unwrap_or(0))) } " " } } }
            }
            @if let Some(told) = quantiles("latency_us", micros) { div { dt { "Latency" } dd { (told) } } }
            @if let Some(told) = quantiles("response_bytes", bytes) { div { dt { "Size" } dd { (told) } } }
        }
    }
}

fn data(whole: &Value) -> Markup {
    let classes = whole.get("data_classes").and_then(Value::as_array).into_iter().flatten();
    html! {
        div.scroll tabindex="0" role="region" aria-label="Data classes" {
            table.list {
                thead { tr { th scope="col" { "Class" } th scope="col" { "Sensitivity" } th scope="col" { "Fields sent" } th scope="col" { "Fields answered" } } }
                tbody {
                    @for one in classes {
                        tr {
                            td { span.chip { (text(one, "class")) } }
                            td { (text(one, "sensitivity")) }
                            td.number { (count(number(one, "request_fields"))) }
                            td.number { (count(number(one, "response_fields"))) }
                        }
                    }
                }
            }
        }
    }
}

/// Fields as a table: what names them, their types, and what is known of their values.
fn schema(title: &str, fields: Option<&Value>, names: &[&str]) -> Markup {
    let fields: Vec<&Value> = fields.and_then(Value::as_array).into_iter().flatten().collect();
    let more = fields.len().saturating_sub(FIELDS);
    html! {
        @if !fields.is_empty() {
            section {
                h2 { (title) }
                div.scroll tabindex="0" role="region" aria-label=(title) {
                    table.list.schema {
                        thead { tr { th scope="col" { "Field" } th scope="col" { "Type" } th scope="col" { "Values" } th scope="col" { "Data" } } }
                        tbody { @for field in fields.iter().take(FIELDS) { (line(field, names)) } }
                    }
                }
                @if more > 0 { p.of { "and " (counted(more as u64, "more field")) } }
            }
        }
    }
}

fn line(field: &Value, names: &[&str]) -> Markup {
    let name: Vec<&str> = names.iter().map(|name| text(field, name)).collect();
    let kind = match field.get("type") {
        Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" | "),
        Some(Value::String(kind)) => kind.clone(),
        _ => String::new(),
    };
    let classes = field.get("data_classes").and_then(Value::as_array).into_iter().flatten();
    let classes: Vec<String> = classes
        .filter_map(|one| one.as_str().or_else(|| one.get("class")?.as_str()))
        .map(str::to_owned)
        .collect();
    html! {
        tr {
            td { span.path { (name.join(" ")) } @if field.get("required").and_then(Value::as_bool) == Some(false) { span.of { "optional" } } }
            td { (kind) " " span.of { (text(field, "format")) } }
            td { (values(field)) }
            td { (chips(&classes)) }
        }
    }
}

fn values(field: &Value) -> String {
    if let Some(choices) = field.get("enum").and_then(Value::as_array) {
        let shown = choices.iter().map(|one| one.as_str().map_or_else(|| one.to_string(), str::to_owned));
        return shown.collect::<Vec<_>>().join(" | ");
    }
    let bound = |name: &str| field.get(name).filter(|value| value.is_number()).map(Value::to_string);
    match (bound("minimum"), bound("maximum"), bound("min_length"), bound("max_length")) {
        (Some(least), Some(most), ..) => format!("{least} to {most}"),
        (_, _, Some(least), Some(most)) if least == most => format!("{most} bytes"),
        (_, _, Some(least), Some(most)) => format!("{least} to {most} bytes"),
        _ => String::new(),
    }
}
