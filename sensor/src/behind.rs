//! Services behind TLS that were not decrypted: what is known of them, as estimates.

use crate::paper::{Paper, plain};
use crate::size::counted;
use crate::summary::{milliseconds, rfc3339};
use serde_json::{Value, json};
use std::cmp::Reverse;
use std::collections::BTreeSet;
use tapwire_event::Redactor;
use tapwire_protocol::Anomaly;
use tapwire_protocol::tls::{Certificate, Services, TlsService};

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
    if blind.is_empty() && services.overflow == 0 {
        return;
    }
    paper.heading("Behind TLS, estimated");
    for (name, service) in blind.iter().take(SHOWN) {
        let name = paper.strong(&plain(&redactor.shown_host(name)));
        paper.line(&format!("  {name}  {}", said(service)));
        if let Some(certificate) = &service.certificate {
            paper.hang("      ", &certified(certificate, redactor));
        }
    }
    let more = blind.len().saturating_sub(SHOWN) as u64;
    if more > 0 {
        paper.line(&format!("  and {}", counted(more, "more service")));
    }
    if let Some(beyond) = beyond(services) {
        paper.line(&format!("  and {beyond}"));
    }
}

/// Connections that are in no row, where there are any.
pub(crate) fn beyond(services: &Services) -> Option<String> {
    let connections = counted(services.overflow, "connection");
    let told_apart = crate::size::count(services.by_name.len() as u64);
    (services.overflow > 0).then(|| {
        format!("{connections} to further services, which are only counted: {told_apart} are told apart")
    })
}

/// Who vouches for the server, and until when.
fn certified(certificate: &Certificate, redactor: &mut Redactor) -> String {
    let first = certificate.names.first().or(certificate.subject.as_ref());
    let name = first.map_or_else(|| "no name".into(), |name| redactor.shown_wildcard(name));
    let mut text = format!("certificate for {}", plain(&name));
    let more = certificate.names.len().saturating_sub(1) as u64;
    if more > 0 {
        text.push_str(&format!(" and {}", counted(more, "more name")));
    }
    if let Some(issuer) = &certificate.issuer {
        text.push_str(&format!(", by {}", plain(&redactor.shown_operation(issuer))));
    }
    if let Some(until) = certificate.not_after {
        let until = milliseconds(until.saturating_mul(1_000));
        text.push_str(&format!(", until {}", until.get(..10).unwrap_or(&until)));
    }
    text
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
    let mut object = json!({
        "service": redactor.shown_host(name), "protocols": service.protocols().collect::<Vec<_>>(),
        "connections": service.connections,
        "first_seen": service.seen.map(|(first, _)| rfc3339(first)),
        "last_seen": service.seen.map(|(_, last)| rfc3339(last)),
        "decrypted": service.decrypted, "without_keys": service.no_keys, "wrong_keys": service.wrong_keys,
        "anomalies": service.anomalies().iter().map(Anomaly::name).collect::<Vec<_>>(),
        "versions": service.versions, "alpn": service.alpn, "ciphers": service.ciphers,
        "ja3": service.ja3, "ja3s": service.ja3s, "ja4": service.ja4,
    });
    if let Some(certificate) = &service.certificate {
        object["certificate"] = vouched(certificate, redactor);
    }
    // Packets of QUIC say nothing of what is in them.
    if service.connections > service.quic {
        object["estimated"] = json!({
            "exchanges": service.estimate.exchanges, "request_bytes": service.estimate.request_bytes,
            "response_bytes": service.estimate.response_bytes,
        });
    }
    object
}

fn vouched(certificate: &Certificate, redactor: &mut Redactor) -> Value {
    let day = |seconds: Option<i64>| seconds.map(|at| milliseconds(at.saturating_mul(1_000)));
    let names: Vec<_> = certificate.names.iter().map(|name| redactor.shown_wildcard(name)).collect();
    json!({
        "names": names,
        "subject": certificate.subject.as_deref().map(|name| redactor.shown_wildcard(name)),
        "issuer": certificate.issuer.as_deref().map(|name| redactor.shown_operation(name)),
        "not_before": day(certificate.not_before), "not_after": day(certificate.not_after),
        "sha256": certificate.sha256,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_to_services_that_found_no_room_are_said_to_be_in_no_row() {
        assert_eq!(beyond(&Services::default()), None);
        let services = Services { overflow: 1_904, ..Services::default() };
        let text = beyond(&services).unwrap_or_default();
        assert!(text.starts_with("1,904 connections to further services, which are only counted"), "{text}");
    }
}
