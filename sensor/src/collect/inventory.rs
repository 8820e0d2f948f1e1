//! `inventory` over a collector's directory, or a copy of tables in a store: the endpoints that sensors told of, each of them once.

use super::said::{Said, sensors};
use super::table::{page, table};
use crate::cli::InventoryArgs;
use crate::failure::{Exit, Failure};
use crate::paper::{Paper, print};
use crate::size::counted;
use crate::summary::milliseconds;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use tapwire_inventory::is_own_word;
use tapwire_lake::{Seen, SeenEndpoint, Wanted, seen};

/// Classes of status, in the order of their sums.
pub(super) const CLASSES: [&str; 6] = ["1xx", "2xx", "3xx", "4xx", "5xx", "not_seen"];
/// What no credential is called where callers are known by one.
const BY_NONE: &str = "network";

/// `tapwire inventory --data DIR`, where DIR is a collector's or a store's.
pub(crate) fn inventory(data: &Path, args: &InventoryArgs) -> Result<Exit, Failure> {
    if args.egress || args.mcp || args.llm {
        return Err(Failure::new(format!(
            "{}: there are sums of calls, which know nothing of --egress, --mcp and --llm: ask the sensors' own directories",
            data.display()
        )));
    }
    let learn = &args.learn;
    let keys = &learn.keys;
    let learns = [
        ("--openapi", !learn.openapi.is_empty()),
        ("--keylog", !keys.keylog.is_empty()),
        ("--rsa-key", !keys.rsa_key.is_empty()),
        ("--decrypt-host", !keys.decrypt_host.is_empty()),
        ("--token-key", learn.token_key.is_some()),
    ];
    if let Some((option, _)) = learns.into_iter().find(|(_, is_given)| *is_given) {
        return Err(Failure::new(format!(
            "{option}: {} has sums of calls, and nothing is learned there: give it with a sensor's own directory",
            data.display()
        )));
    }
    let wanted = Wanted { site: args.site.as_deref(), tenant: args.tenant.as_deref(), together: false };
    let found = crate::lake::tables(data).and_then(|place| seen(place, &wanted, is_own_word));
    let found = found.map_err(|error| Failure::new(format!("lake: {error}")))?;
    let text = match &args.endpoint {
        Some(name) => chosen(&found, name, args.json)?,
        None if args.json => lines(&found),
        None => table(&found),
    };
    print(&text, true)?;
    if args.json {
        rest(&found).iter().for_each(|line| eprintln!("tapwire: {line}"));
    }
    Ok(Exit::Done)
}

fn lines(found: &Seen) -> String {
    let merged = found.merged.iter().map(|(old, new)| json!({"id": old, "merged_into": new}));
    found.endpoints.iter().map(object).chain(merged).map(|object| format!("{object}\n")).collect()
}

/// What there is beside endpoints, a sentence each.
pub(super) fn rest(found: &Seen) -> Vec<String> {
    let told =
        |calls: u64, what: &str| (calls > 0).then(|| format!("{} {what}", counted(calls, "more call")));
    [
        told(found.placeless, "of no endpoint, such as those that were answered with 404"),
        told(found.beyond, "of endpoints that found no room"),
        (found.unnamed > 0).then(|| {
            format!(
                "{} of sensors, data classes or credentials found no room",
                counted(found.unnamed, "name")
            )
        }),
        (found.unsaid > 0)
            .then(|| format!("{} of sensors on endpoints found no room", counted(found.unsaid, "word"))),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// An endpoint as an object.
pub(crate) fn object(one: &SeenEndpoint) -> Value {
    let status = CLASSES.iter().zip(one.status).filter(|(_, calls)| *calls > 0);
    let mut status: Map<String, Value> =
        status.map(|(name, calls)| ((*name).to_owned(), calls.into())).collect();
    if one.unclassed > 0 {
        status.insert("unknown".into(), one.unclassed.into());
    }
    let mut object = json!({
        "id": one.id, "service": one.service, "method": one.method, "template": one.template,
        "calls": one.calls, "messages": one.messages, "callers": one.callers.0, "status": status, "auth": auth(one),
        "clear_text": one.clear_text, "request_bytes_sum": one.request_bytes, "response_bytes_sum": one.response_bytes,
        "data_classes": classes(one), "sensors": sensors(one), "sites": sites(one),
    });
    if one.is_seen() {
        object["first_seen"] = milliseconds(one.times.0).into();
        object["last_seen"] = milliseconds(one.times.1).into();
    }
    let texts = [("tenant", &one.tenant), ("operation", &one.operation), ("owner", &one.owner)];
    for (name, text) in texts.into_iter().filter_map(|(name, text)| Some((name, text.as_deref()?))) {
        object[name] = text.into();
    }
    if one.clear_unknown > 0 {
        let known = one.calls.saturating_sub(one.clear_unknown);
        object["clear_text_of"] = known.into();
        if known == 0 {
            object["clear_text"] = Value::Null;
        }
    }
    if one.callers.1 {
        object["callers_at_least"] = true.into();
    }
    if let Some(mean) = one.latency_sum.checked_div(one.answered) {
        object["latency_ms"] = json!({"mean": mean, "max": one.latency_max});
    }
    Said::of(one).add_to(&mut object);
    object
}

/// Kinds of credentials with the share of calls whose caller was known by them.
fn auth(one: &SeenEndpoint) -> Map<String, Value> {
    #[allow(clippy::cast_precision_loss, reason = "a share with three digits")]
    let share = |calls: u64| (calls as f64 / one.calls.max(1) as f64 * 1000.0).round() / 1000.0;
    kinds(one).map(|(name, calls)| (name.to_owned(), share(calls).into())).collect()
}

/// Kinds of credentials with their calls; `none`: callers known by none.
pub(super) fn kinds(one: &SeenEndpoint) -> impl Iterator<Item = (&str, u64)> {
    one.auth.iter().map(|(kind, calls)| (if kind == BY_NONE { "none" } else { kind.as_str() }, *calls))
}

/// Data classes with values of requests and of answers.
pub(super) fn classes(one: &SeenEndpoint) -> Vec<Value> {
    let mut all: BTreeMap<&str, [u64; 2]> = BTreeMap::new();
    for (place, values) in [&one.sent, &one.answers].into_iter().enumerate() {
        for (class, count) in values {
            if let Some(sum) = all.entry(class).or_default().get_mut(place) {
                *sum = sum.saturating_add(*count);
            }
        }
    }
    let object = |(class, [sent, answered]): (&str, [u64; 2])| json!({"class": class, "request_values": sent, "response_values": answered});
    all.into_iter().map(object).collect()
}

/// Calls by site.
fn sites(one: &SeenEndpoint) -> BTreeMap<&str, u64> {
    let mut all: BTreeMap<&str, u64> = BTreeMap::new();
    for (teller, told) in &one.sensors {
        if let Some(site) = teller.site.as_ref().filter(|_| told.calls > 0) {
            let sum = all.entry(site.as_str()).or_default();
            *sum = sum.saturating_add(told.calls);
        }
    }
    all
}

/// The endpoints of that id, or of that method and template.
fn chosen(found: &Seen, wanted: &str, as_json: bool) -> Result<String, Failure> {
    let merged = found.merged.iter().find(|(old, _)| old == wanted).map(|(_, new)| new.as_str());
    let id = merged.unwrap_or(wanted);
    let is_wanted = |one: &&SeenEndpoint| one.id == id || format!("{} {}", one.method, one.template) == id;
    let all: Vec<&SeenEndpoint> = found.endpoints.iter().filter(is_wanted).collect();
    if all.is_empty() {
        return Err(Failure::new(format!(
            "--endpoint {wanted}: there is none; tapwire inventory lists them, with --json by id"
        )));
    }
    if as_json {
        return Ok(all.into_iter().map(|one| format!("{}\n", object(one))).collect());
    }
    let mut paper = Paper::new(true);
    all.into_iter().for_each(|one| page(one, &mut paper));
    Ok(paper.into_text())
}
