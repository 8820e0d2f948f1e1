//! Services behind TLS that were not decrypted: what is known of them, as estimates.

use crate::paper::{Paper, plain};
use crate::size::counted;
use crate::summary::rfc3339;
use serde_json::{Value, json};
use std::cmp::Reverse;
use std::collections::BTreeSet;
use tapwire_event::Redactor;
use tapwire_protocol::Anomaly;
use tapwire_protocol::tls::{Services, TlsService};

/// Services that are shown; the rest is counted.
const SHOWN: usize = 10;

/// Services with connections that were not decrypted, the busiest first.
fn blind(services: &Services) -> Vec<(&String, &TlsService)> {
    let mut blind: Vec<_> =
        services.by_name.iter().filter(|(_, service)| service.connections > service.decrypted).collect();
    blind.sort_by_key(|(_, service)| Reverse(service.connections));
    blind
}

/// Writes the table, where there is anything to say.
pub(crate) fn page(services: &Services, redactor: &mut Redactor, paper: &mut Paper) {
    let blind = blind(services);
    if blind.is_empty() {
        return;
    }
    paper.heading("Behind TLS, estimated");
    for (name, service) in blind.iter().take(SHOWN) {
        let name = paper.strong(&plain(&redactor.shown_host(name)));
        paper.line(&format!("  {name}  {}", said(service)));
    }
    let more = blind.len().saturating_sub(SHOWN) as u64;
    if more > 0 {
        paper.line(&format!("  and {}", counted(more, "more service")));
    }
}

fn said(service: &TlsService) -> String {
    let mut parts = vec![counted(service.connections, "connection")];
    for (count, what) in [
        (service.decrypted, "decrypted"),
        (service.no_keys, "without keys"),
        (service.wrong_keys, "with wrong keys"),
    ] {
        if count > 0 {
            parts.push(format!("{} {what}", crate::size::count(count)));
        }
    }
    if service.estimate.exchanges > 0 {
        parts.push(format!("about {}", counted(service.estimate.exchanges, "exchange")));
    }
    parts.extend([&service.versions, &service.alpn].into_iter().filter(|list| !list.is_empty()).map(listed));
    parts.join(", ")
}

fn listed(list: &BTreeSet<String>) -> String {
    list.iter().cloned().collect::<Vec<_>>().join(" ")
}

/// The same for the JSON summary and for inventories, the busiest first.
pub(crate) fn json(services: &Services, redactor: &mut Redactor) -> Vec<Value> {
    blind(services).into_iter().map(|(name, service)| object(name, service, redactor)).collect()
}

fn object(name: &str, service: &TlsService, redactor: &mut Redactor) -> Value {
    let protocol =
        if service.versions.iter().all(|version| version.starts_with("QUIC")) { "quic" } else { "tls" };
    let mut object = json!({
        "service": redactor.shown_host(name), "protocols": [protocol], "connections": service.connections,
        "first_seen": service.seen.map(|(first, _)| rfc3339(first)),
        "last_seen": service.seen.map(|(_, last)| rfc3339(last)),
        "decrypted": service.decrypted, "without_keys": service.no_keys, "wrong_keys": service.wrong_keys,
        "anomalies": service.anomalies().iter().map(Anomaly::name).collect::<Vec<_>>(),
        "versions": service.versions, "alpn": service.alpn, "ja4": service.clients,
    });
    if protocol == "tls" {
        object["estimated"] = json!({
            "exchanges": service.estimate.exchanges, "request_bytes": service.estimate.request_bytes,
            "response_bytes": service.estimate.response_bytes,
        });
    }
    object
}
