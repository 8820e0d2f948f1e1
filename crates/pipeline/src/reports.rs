//! What a run says about itself, as events of the sensor.

use crate::report::{Report, Shedding};
use crate::{ShedLevel, Tally};
use std::collections::BTreeSet;
use std::sync::Arc;
use tapwire_detect::NotJudged;
use tapwire_event::{SensorCode, SensorReport, Told};
use tapwire_inventory::Silent;
use tapwire_protocol::Anomalies;
use tapwire_protocol::tls::{Services, TlsService};
use tapwire_wire::Timestamp;

/// The level of shedding changed.
pub(crate) fn degraded(from: ShedLevel, shedding: &Shedding, time: Timestamp) -> SensorReport {
    let level = shedding.level;
    let message = match level {
        ShedLevel::None => format!("keeping up again: nothing is shed any more, after {}", from.meaning()),
        _ if level < from => format!("catching up: from here on only {} are shed", level.meaning()),
        _ => format!("falling behind: from here on {} are shed", level.meaning()),
    };
    SensorReport {
        code: SensorCode::Degraded,
        time,
        message,
        service: None,
        anomalies: Anomalies::default(),
        told: Vec::new(),
        counters: vec![
            ("level", level as u64),
            ("level_before", from as u64),
            ("level_changes", shedding.changes),
            ("in_flight_bytes_peak", shedding.peak_bytes),
        ],
    }
}

/// A service stopped, or goes on again.
pub(crate) fn service(silent: &Silent) -> SensorReport {
    let seconds = |nanos: i64| u64::try_from(nanos / 1_000_000_000).unwrap_or(0);
    let (quiet, usual) = (seconds(silent.quiet), seconds(silent.usual));
    let message = if silent.back {
        format!("goes on after {quiet} s without an exchange")
    } else {
        format!(
            "no exchange for {quiet} s while its neighbours go on; its longest pause was {usual} s before"
        )
    };
    SensorReport {
        code: SensorCode::ServiceSilent,
        time: silent.time,
        message,
        service: Some(Arc::clone(&silent.service)),
        anomalies: Anomalies::default(),
        told: Vec::new(),
        counters: vec![
            ("quiet_seconds", quiet),
            ("longest_pause_seconds", usual),
            ("back", silent.back.into()),
        ],
    }
}

/// Services behind TLS of which something was not decrypted: all that is known of them.
pub(crate) fn behind_tls(services: &Services) -> Vec<SensorReport> {
    let blind = services.by_name.iter().filter(|(_, service)| service.connections > service.decrypted);
    blind.map(|(name, service)| behind(name, service)).collect()
}

fn behind(name: &str, service: &TlsService) -> SensorReport {
    let (estimate, [client, server]) = (service.estimate, service.bytes);
    let listed = |texts: &BTreeSet<String>| texts.iter().cloned().collect::<Vec<_>>().join(", ");
    let message = format!(
        "behind {}: {} connections, {} decrypted; an estimated {} exchanges in the others, by record sizes and turns alone",
        listed(&service.versions),
        service.connections,
        service.decrypted,
        estimate.exchanges
    );
    SensorReport {
        code: SensorCode::BehindTls,
        time: service.seen.map(|(_, last)| last).unwrap_or_default(),
        message,
        service: Some(name.into()),
        anomalies: service.anomalies(),
        told: told(service),
        counters: vec![
            ("connections", service.connections),
            ("connections_decrypted", service.decrypted),
            ("connections_without_keys", service.no_keys),
            ("connections_with_wrong_keys", service.wrong_keys),
            ("exchanges_estimated", estimate.exchanges),
            ("request_bytes_estimated", estimate.request_bytes),
            ("response_bytes_estimated", estimate.response_bytes),
            ("client_bytes", client),
            ("server_bytes", server),
        ],
    }
}

/// What hellos and certificates say without keys.
fn told(service: &TlsService) -> Vec<(&'static str, Told)> {
    let own = |texts: &BTreeSet<String>| Told::Own(texts.iter().cloned().collect());
    let mut told = vec![
        ("protocols", Told::Own(service.protocols().map(str::to_owned).collect())),
        ("versions", own(&service.versions)),
        ("alpn", own(&service.alpn)),
        ("ciphers", own(&service.ciphers)),
        ("ja3", own(&service.ja3)),
        ("ja3s", own(&service.ja3s)),
        ("ja4", own(&service.ja4)),
    ];
    if let Some(certificate) = &service.certificate {
        told.push(("certificate_sha256", Told::Own(vec![certificate.sha256.clone()])));
        told.push(("certificate_names", Told::Hosts(certificate.names.clone())));
        told.extend(certificate.issuer.iter().map(|name| ("certificate_issuer", Told::Name(name.clone()))));
    }
    told
}

/// Which detectors could not judge, and why.
pub(crate) fn not_judged(report: &Report) -> Option<SensorReport> {
    let all = &report.not_judged;
    let none = all.iter().filter(|one| one.judged == 0).count() as u64;
    let lines = |of: fn(&&NotJudged) -> bool| {
        Told::Own(all.iter().filter(of).map(|one| format!("{}: {}", one.detector, one.reason)).collect())
    };
    let some = all.len() as u64 - none;
    (!all.is_empty()).then_some(SensorReport {
        code: SensorCode::NotJudged,
        time: report.wire.last?,
        message: format!("{none} detectors judged nothing, {some} not from the first call on"),
        service: None,
        anomalies: Anomalies::default(),
        told: vec![
            ("not_judged", lines(|one| one.judged == 0)),
            ("partly_judged", lines(|one| one.judged > 0)),
        ],
        counters: vec![("detectors_not_judged", none), ("detectors_partly_judged", some)],
    })
}

/// The end of the run, at the time of its last packet. A run without packets has no time to say it at.
pub(crate) fn summary(report: &Report) -> Option<SensorReport> {
    let (source, wire, flow, tally) = (&report.source, &report.wire, &report.flow, &report.tally);
    let counters = vec![
        ("packets_received", source.received),
        ("packets_filtered", source.filtered),
        ("packets_dropped_kernel", source.dropped_kernel),
        ("packets_dropped_interface", source.dropped_interface),
        ("packets_unread", source.unread),
        ("interface_outages", source.outages),
        ("interface_outage_ms", source.outage_ms),
        ("packets", wire.packets),
        ("packets_cut", wire.cut_packets),
        ("packets_skipped", wire.skipped.values().sum()),
        ("segments", wire.segments),
        ("connections", flow.flows_opened),
        ("connections_one_sided", flow.flows_one_sided),
        ("bytes_acknowledged", flow.acknowledged_bytes),
        ("bytes_missed", flow.missed_bytes),
        ("exchanges", tally.exchanges),
        ("exchanges_reported", tally.reported),
        ("exchanges_filtered", tally.filtered),
        ("exchanges_shed", tally.shed),
        ("exchanges_beyond_limit", tally.beyond_limit),
        ("exchanges_whole", tally.whole),
        ("exchanges_truncated", tally.truncated),
        ("requests_alone", tally.requests_alone),
        ("responses_alone", tally.responses_alone),
        ("children", tally.children),
        ("pairs_uncertain", tally.uncertain),
        ("tls_connections", report.tls.connections),
        ("tls_connections_decrypted", report.tls.decrypted),
        ("tls_connections_without_keys", report.tls.no_keys),
        ("tls_connections_with_wrong_keys", report.tls.wrong_keys),
        ("findings", tally.findings),
        ("level_changes", report.shedding.changes),
        ("level_worst", report.shedding.worst as u64),
    ];
    Some(SensorReport {
        code: SensorCode::Summary,
        time: wire.last?,
        message: sentence(tally),
        service: None,
        anomalies: Anomalies::default(),
        told: Vec::new(),
        counters,
    })
}

fn sentence(tally: &Tally) -> String {
    format!(
        "the run ended: {} exchanges reported, {} of them whole, {} shed; {} findings",
        tally.reported, tally.whole, tally.shed, tally.findings
    )
}
