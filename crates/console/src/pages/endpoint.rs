//! One endpoint: what it is, who calls it, how well it is protected, and what its messages consist of.

use super::columns::{
    caller_address, chips, exchanges, exchanges_address, level, operation, service_address,
};
use super::{example, frame};
use crate::books::{Endpoint, Incident, Snapshot};
use crate::chart::{self, Bar};
use crate::table::escaped;
use crate::text::{count, counted, micros, minute, percent, period};
use maud::{Markup, html};
use serde_json::Value;

/// Fields of one body that are shown.
const FIELDS: usize = 200;
const CODES: usize = 8;
const INCIDENTS: usize = 5;

pub(crate) fn endpoint(snapshot: &Snapshot, row: &Endpoint, whole: &Value) -> Markup {
    let is_collected = whole.get("sensors").is_some_and(Value::is_array);
    let body = html! {
        p.crumbs { a href="/apis" { "APIs" } " / " a href=(service_address(&row.service)) { (row.service) } }
        h1.name { (operation(&row.method, &row.template, &row.operation)) }
        p.lead {
            (counted(row.calls, "call")) " " (period(&row.first, &row.last)) " UTC " (chips(&row.states))
        }
        p.ways {
            (exchanges(snapshot, &is_of(row))) " "
            @if !is_collected { a href=(format!("/openapi/{}", escaped(&row.service))) download { "OpenAPI 3.1 of the service" } }
        }
        (incidents(snapshot, row))
        div.columns {
            section { h2 { "Exposure " (chart::score(row.exposure)) } (reasons(whole, "exposure_reasons")) }
            section { h2 { "Threat " (chart::score(row.threat)) } (reasons(whole, "threat_reasons")) }
        }
        div.columns {
            section { h2 { "Calls" } (calls(row, whole)) }
            section { h2 { "Answers" } (codes(snapshot, row, whole)) }
        }
        div.columns {
            section { h2 { "Latency" } (latency(whole)) }
            @if !is_collected { section { h2 { "Drift" } (drift(row, whole)) } }
        }
        section id="callers" { h2 { "Callers" } (callers(row, whole)) }
        @if whole.get("data_classes").and_then(Value::as_array).is_some_and(|all| !all.is_empty()) {
            section { h2 { "Data" } (data(whole)) }
        }
        @if whole.get("data_values").and_then(Value::as_array).is_some_and(|all| !all.is_empty()) {
            section { h2 { "Data" } (values_by_class(whole)) }
        }
        @if is_collected {
            section { h2 { "Sensors" } (sensors(whole)) }
        }
        (example(row, whole))
        (schema("Parameters", whole.get("parameters"), &["in", "name"]))
        @for one in whole.get("request").and_then(Value::as_array).into_iter().flatten() {
            (schema(&format!("Request {}", text(one, "media_type")), one.get("fields"), &["path"]))
        }
        @for one in whole.get("responses").and_then(Value::as_array).into_iter().flatten() {
            (schema(&format!("Answers {} {}", text(one, "status").replace('_', " "), text(one, "media_type")), one.get("fields"), &["path"]))
        }
        section { h2 { "In a terminal" } pre tabindex="0" { code { (in_a_terminal(row, is_collected)) } } }
    };
    frame(snapshot, "/apis", &format!("{} {}", row.method, row.template), &body)
}

fn in_a_terminal(row: &Endpoint, is_collected: bool) -> String {
    match is_collected {
        true => format!("tapwire inventory --data DIR --endpoint {}", row.id),
        false => format!("tapwire inventory --endpoint {}\ntapwire openapi {}", row.id, row.service),
    }
}

/// What holds for its exchanges, in SQL.
fn is_of(row: &Endpoint) -> String {
    format!("endpoint = '{}'", row.id.replace('\'', "''"))
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
    html! {
        dl.facts {
            div { dt { "Callers" } dd { a href="#callers" { (count(row.callers)) } @if row.more_callers { " at least" } } }
            div { dt { "Prove with" } dd { @for (kind, share) in &row.auth { span class=(if kind == "none" { "chip warn" } else { "chip" }) { (kind) " " (share) " %" } " " } } }
            @if let Some(clients) = clients {
                div { dt { "From" } dd { @for (side, calls) in clients { span.chip { (side) " " (count(calls.as_u64().unwrap_or(0))) } " " } } }
            }
            div { dt { "Clear text" } dd { (clear_text(row, whole)) } }
            @if !row.owner.is_empty() { div { dt { "Owner" } dd { (row.owner) } } }
            @if let Some(protocols) = whole.get("protocols").and_then(Value::as_array) {
                div { dt { "Spoken in" } dd { (protocols.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")) } }
            }
        }
    }
}

/// Older sums of a collector do not say it of all calls.
fn clear_text(row: &Endpoint, whole: &Value) -> String {
    let known = whole.get("clear_text_of").and_then(Value::as_u64);
    let of = if known.is_some() { "calls of which it is known" } else { "calls" };
    match (number(whole, "clear_text"), known) {
        (_, Some(0)) => "not known".into(),
        (0, None) => "none: all over TLS".into(),
        (clear, _) => format!("{} % of {of}", percent(clear, known.unwrap_or(row.calls))),
    }
}

/// Who called it, of those that are still known.
fn callers(row: &Endpoint, whole: &Value) -> Markup {
    let known = whole.get("known_callers").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let names: Vec<&str> = known.iter().filter_map(Value::as_str).collect();
    let more = row.callers.saturating_sub(names.len() as u64);
    html! {
        p {
            @for name in &names { a.chip href=(caller_address(name)) { (name) } " " }
            @if more > 0 || row.more_callers { span.of.inline { (count(more)) @if row.more_callers { " or more" } " that are no users, or are known no more" } }
        }
    }
}

/// Each status with its share of the calls.
fn codes(snapshot: &Snapshot, row: &Endpoint, whole: &Value) -> Markup {
    let codes = whole.get("status_codes").and_then(Value::as_object);
    let mut all: Vec<(&String, u64)> =
        codes.into_iter().flatten().map(|(code, calls)| (code, calls.as_u64().unwrap_or(0))).collect();
    all.sort_by_key(|(_, calls)| std::cmp::Reverse(*calls));
    let bars = all.iter().take(CODES).map(|(code, calls)| Bar {
        name: code.as_str(),
        address: Some(code)
            .filter(|code| code.bytes().all(|digit| digit.is_ascii_digit()))
            .and_then(|code| exchanges_address(snapshot, &format!("{} AND status = {code}", is_of(row)))),
        length: *calls,
        told: format!("{} · {} %", count(*calls), percent(*calls, row.calls)),
        class: match code.as_bytes().first() {
            Some(b'2') => "s1",
            Some(b'4') => "s3",
            Some(b'5') => "s4",
            _ => "s2",
        },
    });
    let bars: Vec<Bar<'_>> = bars.collect();
    html! {
        @if bars.is_empty() { p.of { (chart::answers(&row.status)) " refused or failed" } } @else { (chart::bars(&bars)) }
        @if let Some(told) = quantiles(whole, "response_bytes", |bytes| format!("{} B", count(bytes))) { p.of { "Size of answers: " (told) } }
    }
}

fn quantiles(whole: &Value, name: &str, unit: fn(u64) -> String) -> Option<String> {
    let [half, most, all] =
        whole.get(name).map(|all| ["p50", "p90", "p99"].map(|at| unit(number(all, at))))?;
    Some(format!("p50 {half}, p90 {most}, p99 {all}"))
}

/// How long answers took to begin.
fn latency(whole: &Value) -> Markup {
    if let Some(known) = whole.get("latency_ms") {
        return html! { p { (count(number(known, "mean"))) " ms in the mean, " (count(number(known, "max"))) " ms at most" } };
    }
    let Some(known) = whole.get("latency_us") else {
        return html! { p.empty { "No answer was seen together with its request." } };
    };
    let names = [("p50", "half of the answers"), ("p90", "9 of 10"), ("p99", "99 of 100")];
    let bars = names.map(|(name, what)| Bar {
        name: what,
        address: None,
        length: number(known, name),
        told: micros(number(known, name)),
        class: "fill",
    });
    html! { (chart::bars(&bars)) p.of { "Until the answer begins; each figure is exact to " (number(known, "error_percent")) " %." } }
}

/// How what is seen stands to what was described, and to the day before.
fn drift(row: &Endpoint, whole: &Value) -> Markup {
    let is = |state: &str| row.states.iter().any(|one| one == state);
    let told = if is("documented") {
        "A description has it. What traffic does otherwise:"
    } else if is("shadow") {
        "A description of the service was given, and does not have it."
    } else {
        "No description was given, so nobody can say whether it is as it should be. Compare with one:"
    };
    html! {
        p { (told) }
        pre tabindex="0" { code { "tapwire openapi " (row.service) " --diff SPEC" } }
        @if let Some(limits) = whole.get("rate_limits").and_then(Value::as_array) {
            p.of { "Answers state limits: " (limits.iter().map(|one| format!("{} {}", text(one, "header"), number(one, "quota"))).collect::<Vec<_>>().join(", ")) }
        }
    }
}

/// Incidents that this endpoint is part of.
fn incidents(snapshot: &Snapshot, row: &Endpoint) -> Markup {
    let is_here = |place: &Value| {
        text(place, "method") == row.method
            && text(place, "template") == row.template
            && text(place, "service") == row.service
    };
    let touches = |incident: &&Incident| {
        incident.whole.get("endpoints").and_then(Value::as_array).is_some_and(|all| all.iter().any(is_here))
    };
    let all: Vec<&Incident> = snapshot.incidents.iter().filter(touches).collect();
    let more = all.len().saturating_sub(INCIDENTS);
    html! {
        @if !all.is_empty() {
            section {
                h2 { "Incidents here" }
                ol.feed {
                    @for incident in all.into_iter().take(INCIDENTS) {
                        li { (level(incident.level)) div {
                            a.row href=(format!("/incidents/{}", escaped(&incident.uid))) { (incident.title) }
                            span.of { (incident.outcome) " · " (incident.who) " · last " (minute(&incident.last)) }
                        } }
                    }
                }
                @if more > 0 { p.of { "and " (counted(more as u64, "more incident")) } }
            }
        }
    }
}

/// A call as it could look: the shape is learned, the values are made up.
fn example(row: &Endpoint, whole: &Value) -> Markup {
    let of = |side: &str, wanted: fn(&Value) -> bool| -> Option<String> {
        let all = whole.get(side).and_then(Value::as_array)?;
        let fields = all.iter().find(|one| wanted(one))?.get("fields")?.as_array()?;
        let body = example::body(fields.get(..FIELDS.min(fields.len()))?)?;
        serde_json::to_string_pretty(&body).ok()
    };
    let asked = of("request", |_| true);
    let answered = of("responses", |one| text(one, "status") == "2xx");
    html! {
        @if asked.is_some() || answered.is_some() {
            section {
                h2 { "Example" }
                p.of { "The shape was learned; every value is made up or one of few that may be shown." }
                div.columns.tight {
                    pre tabindex="0" { code { (row.method) " " (row.template) "\nHost: " (row.service) @if let Some(body) = &asked { "\n\n" (body) } } }
                    @if let Some(body) = &answered { pre tabindex="0" { code { "2xx\n\n" (body) } } }
                }
            }
        }
    }
}

fn data(whole: &Value) -> Markup {
    let classes = whole.get("data_classes").and_then(Value::as_array).into_iter().flatten();
    html! {
        div.scroll tabindex="0" role="region" aria-label="Data classes" {
            table.list.rows {
                thead { tr { th scope="col" { "Class" } th scope="col" { "Sensitivity" } th.number scope="col" { "Fields sent" } th.number scope="col" { "Fields answered" } } }
                tbody {
                    @for one in classes {
                        tr {
                            td { span.chip { (text(one, "class")) } }
                            td data-title="Sensitivity" { (text(one, "sensitivity")) }
                            td.number data-title="Fields sent" { (count(number(one, "request_fields"))) }
                            td.number data-title="Fields answered" { (count(number(one, "response_fields"))) }
                        }
                    }
                }
            }
        }
    }
}

/// Values by class, which a collector has instead of fields.
fn values_by_class(whole: &Value) -> Markup {
    let classes = whole.get("data_values").and_then(Value::as_array).into_iter().flatten();
    html! {
        div.scroll tabindex="0" role="region" aria-label="Data classes" {
            table.list.rows {
                thead { tr { th scope="col" { "Class" } th.number scope="col" { "Values sent" } th.number scope="col" { "Values answered" } } }
                tbody {
                    @for one in classes {
                        tr {
                            td { span.chip { (text(one, "class")) } }
                            td.number data-title="Values sent" { (count(number(one, "request_values"))) }
                            td.number data-title="Values answered" { (count(number(one, "response_values"))) }
                        }
                    }
                }
            }
        }
    }
}

/// Who told of it, where a collector has it of several.
fn sensors(whole: &Value) -> Markup {
    let sensors = whole.get("sensors").and_then(Value::as_array).into_iter().flatten();
    html! {
        div.scroll tabindex="0" role="region" aria-label="Sensors" {
            table.list.rows {
                thead { tr { th scope="col" { "Sensor" } th scope="col" { "Site" } th scope="col" { "Tenant" } th scope="col" { "States" } th.number scope="col" { "Exposure" } th.number scope="col" { "Threat" } th.number scope="col" { "Calls" } th scope="col" { "First" } th scope="col" { "Last" } } }
                tbody {
                    @for one in sensors {
                        tr {
                            td { (text(one, "sensor")) }
                            td data-title="Site" { (text(one, "site")) }
                            td data-title="Tenant" { (text(one, "tenant")) }
                            td data-title="States" { (chips(&words(one, "states"))) }
                            td.number data-title="Exposure" { (points(one, "exposure")) }
                            td.number data-title="Threat" { (points(one, "threat")) }
                            td.number data-title="Calls" { (count(number(one, "calls"))) }
                            td data-title="First" { (minute(text(one, "first_seen"))) }
                            td data-title="Last" { (minute(text(one, "last_seen"))) }
                        }
                    }
                }
            }
        }
    }
}

fn words(value: &Value, name: &str) -> Vec<String> {
    let words = value.get(name).and_then(Value::as_array).into_iter().flatten();
    words.filter_map(|word| word.as_str().map(str::to_owned)).collect()
}

/// A score, or nothing where none was said.
fn points(value: &Value, name: &str) -> String {
    value.get(name).and_then(Value::as_u64).map(count).unwrap_or_default()
}

/// Fields as a table: what names them, their types, and what is known of their values.
fn schema(title: &str, fields: Option<&Value>, names: &[&str]) -> Markup {
    let fields: Vec<&Value> = fields.and_then(Value::as_array).into_iter().flatten().collect();
    let more = fields.len().saturating_sub(FIELDS);
    let is_tagged = fields.iter().take(FIELDS).any(|field| !classes(field).is_empty());
    html! {
        @if !fields.is_empty() {
            section {
                h2 { (title) }
                div.scroll tabindex="0" role="region" aria-label=(title) {
                    table.list.rows.schema {
                        thead { tr { th scope="col" { "Field" } th scope="col" { "Type" } th scope="col" { "Values" } @if is_tagged { th scope="col" { "Data" } } } }
                        tbody { @for field in fields.iter().take(FIELDS) { (line(field, names, is_tagged)) } }
                    }
                }
                @if more > 0 { p.of { "and " (counted(more as u64, "more field")) } }
            }
        }
    }
}

/// The data classes of a field.
fn classes(field: &Value) -> Vec<String> {
    let classes = field.get("data_classes").and_then(Value::as_array).into_iter().flatten();
    let name = |one: &Value| Some(one.as_str().or_else(|| one.get("class")?.as_str())?.to_owned());
    classes.filter_map(name).collect()
}

fn line(field: &Value, names: &[&str], is_tagged: bool) -> Markup {
    let name: Vec<&str> = names.iter().map(|name| text(field, name)).collect();
    let kind = match field.get("type") {
        Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" | "),
        Some(Value::String(kind)) => kind.clone(),
        _ => String::new(),
    };
    html! {
        tr {
            td { span.path { (name.join(" ")) } @if field.get("required").and_then(Value::as_bool) == Some(false) { span.of { "optional" } } }
            td data-title="Type" { (kind) " " span.of { (text(field, "format")) } }
            td data-title="Values" { (values(field)) }
            @if is_tagged { td data-title="Data" { (chips(&classes(field))) } }
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
        (_, _, Some(least), Some(most)) if least == most => format!("{most} characters"),
        (_, _, Some(least), Some(most)) => format!("{least} to {most} characters"),
        _ => String::new(),
    }
}
