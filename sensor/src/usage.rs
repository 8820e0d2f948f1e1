//! How an endpoint is used, as JSON and as rows for people.

use crate::paper::{Paper, plain};
use crate::size::{self, counted};
use serde_json::{Map, Value, json};
use tapwire_inventory::context::Side;
use tapwire_inventory::{Carried, Endpoint, Inventory, Quantiles, RateLimit, Usage};

/// Where clients are, in the order in which it is told.
const SIDES: [Side; 4] = [Side::Public, Side::Partner, Side::Unknown, Side::Internal];

/// Adds how an endpoint is used, and what it carries.
pub(crate) fn add_to(object: &mut Value, inventory: &Inventory, endpoint: &Endpoint) {
    let usage = &endpoint.usage;
    for (name, found) in [
        ("latency_us", usage.latency.quantiles()),
        ("request_bytes", usage.request_bytes.quantiles()),
        ("response_bytes", usage.response_bytes.quantiles()),
    ] {
        if let Some(Quantiles { p50, p90, p99, error }) = found {
            object[name] = json!({"p50": p50, "p90": p90, "p99": p99, "error_percent": error});
        }
    }
    object["clients"] =
        clients(usage).map(|(side, calls)| (side.name().to_owned(), Value::from(calls))).collect();
    object["clear_text"] = endpoint.clear().into();
    if usage.egress > 0 {
        object["egress"] = usage.egress.into();
    }
    object["content_types"] = content_types(endpoint);
    let limits: Vec<Value> = usage.limits.iter().map(limit).collect();
    if !limits.is_empty() {
        object["rate_limits"] = limits.into();
    }
    if usage.limits.retries > 0 {
        object["retry_after"] =
            json!({"answers": usage.limits.retries, "longest_seconds": usage.limits.longest_wait});
    }
    let carried: Vec<Value> = endpoint.data_classes().iter().map(|one| class(inventory, one)).collect();
    object["data_classes"] = carried.into();
}

fn clients(usage: &Usage) -> impl Iterator<Item = (Side, u64)> {
    SIDES.into_iter().map(|side| (side, usage.clients.of(side))).filter(|(_, calls)| *calls > 0)
}

fn limit(limit: &RateLimit) -> Value {
    let mut object = json!({"header": limit.field.name(), "quota": limit.quota, "answers": limit.answers});
    if let Some(window) = limit.window {
        object["window_seconds"] = window.into();
    }
    object
}

/// A data class with the fields of requests and of answers that are of it.
pub(crate) fn class(inventory: &Inventory, one: &Carried) -> Value {
    json!({
        "class": inventory.class_name(one.class), "sensitivity": one.sensitivity().name(),
        "request_fields": one.in_requests, "response_fields": one.in_answers,
    })
}

/// Media types with the bodies that had them, by direction.
fn content_types(endpoint: &Endpoint) -> Value {
    let [asked, answered] = media_types(endpoint);
    let counts = |all: Vec<(&str, u64)>| -> Map<String, Value> {
        all.into_iter().map(|(name, bodies)| (name.to_owned(), bodies.into())).collect()
    };
    json!({"requests": counts(asked), "responses": counts(answered)})
}

/// Of requests and of answers, those with the most bodies first.
fn media_types(endpoint: &Endpoint) -> [Vec<(&str, u64)>; 2] {
    let Some(schemas) = endpoint.schemas() else { return Default::default() };
    let mut both: [Vec<(&str, u64)>; 2] = Default::default();
    let asked = schemas.requests().iter().map(|body| (0, body));
    for (direction, body) in asked.chain(schemas.answers().iter().map(|answer| (1, &answer.body))) {
        if body.media_type.is_empty() {
            continue;
        }
        let all: &mut Vec<(&str, u64)> = &mut both[direction];
        match all.iter_mut().find(|(known, _)| *known == &*body.media_type) {
            Some((_, bodies)) => *bodies += body.schema.bodies(),
            None => all.push((&body.media_type, body.schema.bodies())),
        }
    }
    both.iter_mut().for_each(|all| all.sort_by_key(|(name, bodies)| (std::cmp::Reverse(*bodies), *name)));
    both
}

/// Writes how an endpoint is used.
pub(crate) fn page(inventory: &Inventory, endpoint: &Endpoint, paper: &mut Paper) {
    let usage = &endpoint.usage;
    let from: Vec<String> =
        clients(usage).map(|(side, calls)| format!("{} {}", size::count(calls), side.name())).collect();
    let clear = match endpoint.clear() {
        0 => "all over TLS".to_owned(),
        clear if clear == endpoint.calls => "all in clear text".to_owned(),
        clear => format!("{} in clear text", size::count(clear)),
    };
    paper.row("callers from", &format!("{}; {clear}", from.join(", ")));
    if usage.egress > 0 {
        paper.row("egress", &counted(usage.egress, "call"));
    }
    let micros =
        |micros: u64| size::duration(i64::try_from(micros.saturating_mul(1_000)).unwrap_or(i64::MAX));
    quantiles("latency", usage.latency.quantiles(), micros, paper);
    quantiles("requests", usage.request_bytes.quantiles(), size::bytes, paper);
    quantiles("answers", usage.response_bytes.quantiles(), size::bytes, paper);
    for (name, types) in ["sent as", "answered as"].into_iter().zip(media_types(endpoint)) {
        let types: Vec<String> = types
            .iter()
            .map(|(name, bodies)| format!("{} ({})", plain(name), size::count(*bodies)))
            .collect();
        if !types.is_empty() {
            paper.row(name, &types.join(", "));
        }
    }
    let limits = limits(usage);
    if !limits.is_empty() {
        paper.row("rate limits", &limits.join(", "));
    }
    let classes: Vec<String> = endpoint.data_classes().iter().map(|one| carried(inventory, one)).collect();
    if !classes.is_empty() {
        paper.row("carries", &classes.join(", "));
    }
}

fn quantiles(name: &str, found: Option<Quantiles>, unit: impl Fn(u64) -> String, paper: &mut Paper) {
    let Some(found) = found.filter(|found| found.p99 > 0) else { return };
    let [p50, p90, p99] = [found.p50, found.p90, found.p99].map(unit);
    paper.row(name, &format!("p50 {p50}, p90 {p90}, p99 {p99}, each ± {} %", found.error));
}

fn limits(usage: &Usage) -> Vec<String> {
    let told = usage.limits.iter().map(|limit| {
        let window = limit.window.map_or(String::new(), |seconds| format!(" in {seconds} s"));
        let answers = counted(limit.answers, "answer");
        format!("{}{window} ({}, {answers})", size::count(limit.quota), limit.field.name())
    });
    let waits = (usage.limits.retries > 0).then(|| {
        let told = size::count(usage.limits.retries);
        format!("{told} told to wait, {} s at most", usage.limits.longest_wait)
    });
    told.chain(waits).collect()
}

fn carried(inventory: &Inventory, one: &Carried) -> String {
    let place = match (one.in_requests, one.in_answers) {
        (_, 0) => "in requests",
        (0, _) => "in answers",
        _ => "both ways",
    };
    format!("{} {place} ({})", inventory.class_name(one.class), one.sensitivity().name())
}
