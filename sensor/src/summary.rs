//! What a run came to, for people and as JSON.

use crate::paper::Paper;
use crate::size;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tapwire_detect::{DETECTORS, Finding};
use tapwire_inventory::{Endpoint, Inventory, Service};
use tapwire_pipeline::{Report, ShedLevel};
use tapwire_protocol::{Anomaly, Kind};
use tapwire_wire::Timestamp;

/// Endpoints and findings that the summary shows; the rest is counted.
const SHOWN: usize = 10;

/// The summary of a report.
pub struct Summary<'a> {
    report: &'a Report,
    verbose: bool,
}

impl<'a> Summary<'a> {
    /// `verbose` adds every counter.
    pub const fn new(report: &'a Report, verbose: bool) -> Self {
        Self { report, verbose }
    }

    /// As text: what was seen and how well, which APIs, what was found and what could not be judged, what to do next.
    pub fn text(&self, to_stdout: bool) -> String {
        let mut paper = Paper::new(to_stdout);
        self.head(&mut paper);
        self.seen(&mut paper);
        if let Some(inventory) = &self.report.inventory {
            apis(inventory, &mut paper);
            self.found(&mut paper);
        }
        if self.verbose {
            self.counters(&mut paper);
        }
        self.next(&mut paper);
        paper.into_text()
    }

    fn head(&self, paper: &mut Paper) {
        let report = self.report;
        let sources = match report.sources.as_slice() {
            [one] => one.clone(),
            many => format!("{} sources", many.len()),
        };
        let span = match (report.wire.first, report.wire.last) {
            (Some(first), Some(last)) => {
                format!(", {} from {}", size::duration(last.since(first)), rfc3339(first))
            }
            _ => String::new(),
        };
        paper.line(&format!(
            "tapwire {}: {sources}: {} packets, {}{span}",
            env!("CARGO_PKG_VERSION"),
            size::count(report.wire.packets),
            size::bytes(report.wire.bytes)
        ));
    }

    fn seen(&self, paper: &mut Paper) {
        let tally = &self.report.tally;
        paper.heading("Seen");
        if tally.reported == 0 {
            paper.row("exchanges", "no HTTP/1 exchange seen");
        } else {
            let mut parts = vec![format!("{} whole ({})", size::count(tally.whole), size::share(tally.whole, tally.reported))];
            for (count, name) in [
                (tally.truncated, "with missing bytes"),
                (tally.requests_alone, "without answer"),
                (tally.responses_alone, "without request"),
            ] {
                if count > 0 {
                    parts.push(format!("{} {name}", size::count(count)));
                }
            }
            paper.row("exchanges", &format!("{}: {}", size::count(tally.reported), parts.join(", ")));
            paper.row("pairing", &self.pairing());
        }
        paper.row("capture loss", &self.capture_loss());
        for (kind, flows, bytes) in self.unread() {
            paper.row("not read", &format!("{kind}: {} connections, {}", size::count(flows), size::bytes(bytes)));
        }
        for (what, packets) in self.skipped() {
            paper.row("not decoded", &format!("{what}: {} packets", size::count(packets)));
        }
        if self.report.worst_shedding != ShedLevel::None {
            paper.row(
                "shed",
                &format!("up to {}; {} exchanges only counted", self.report.worst_shedding.name(), size::count(tally.shed)),
            );
        }
        if self.report.source.dropped_kernel > 0 {
            paper.row("dropped", &format!("{} packets by the kernel", size::count(self.report.source.dropped_kernel)));
        }
        if !self.anomalies().is_empty() {
            let named: Vec<String> = self.anomalies().into_iter().map(|(name, count)| format!("{name} {count}")).collect();
            paper.row("anomalies", &named.join(", "));
        }
    }

    fn pairing(&self) -> String {
        let tally = &self.report.tally;
        let pairs = tally.whole + tally.truncated;
        if pairs == 0 {
            return "no pairs seen".into();
        }
        let certain = pairs.saturating_sub(tally.uncertain);
        let proven = format!(
            "{} of {} pairs proven by sequence or acknowledgement",
            size::count(certain),
            size::count(pairs)
        );
        if tally.uncertain == 0 {
            proven
        } else {
            format!("{proven}; {} said to be uncertain", size::count(tally.uncertain))
        }
    }

    fn capture_loss(&self) -> String {
        let flow = &self.report.flow;
        if flow.acknowledged_bytes == 0 {
            return "not judged: no acknowledged bytes seen".into();
        }
        match flow.missed_bytes {
            0 => format!("none: all of {} acknowledged were captured", size::bytes(flow.acknowledged_bytes)),
            missed => format!(
                "{} of {} acknowledged were never captured ({})",
                size::bytes(missed),
                size::bytes(flow.acknowledged_bytes),
                size::share(missed, flow.acknowledged_bytes)
            ),
        }
    }

    /// Connections of protocols that are only counted.
    fn unread(&self) -> Vec<(&'static str, u64, u64)> {
        let counters = &self.report.protocol;
        let counts = counters.flows.iter().zip(&counters.flow_bytes);
        let kinds = Kind::ALL.into_iter().zip(counts).filter(|(kind, _)| *kind != Kind::Http1);
        kinds.filter(|(_, (_, bytes))| **bytes > 0).map(|(kind, (flows, bytes))| (kind.name(), *flows, *bytes)).collect()
    }

    /// Packets that carry something that could hold HTTP and is not decoded.
    fn skipped(&self) -> BTreeMap<String, u64> {
        let quiet = ["arp", "icmp", "udp", "lldp", "llc"];
        let skipped = self.report.wire.skipped.iter().filter(|((layer, _), _)| !quiet.contains(layer));
        skipped.map(|((layer, reason), count)| (format!("{layer} ({reason})"), *count)).collect()
    }

    fn anomalies(&self) -> Vec<(&'static str, u64)> {
        let counts = Anomaly::ALL.iter().zip(&self.report.tally.anomalies);
        counts.filter(|(_, count)| **count > 0).map(|(anomaly, count)| (anomaly.name(), *count)).collect()
    }

    fn found(&self, paper: &mut Paper) {
        let report = self.report;
        paper.heading("Found");
        if report.tally.findings == 0 {
            paper.line(&format!("  nothing, by {} of {} detectors", judged(report), DETECTORS.len()));
        }
        for finding in report.findings.iter().take(SHOWN) {
            paper.row(
                finding.severity.name(),
                &format!("{} ({}): {}", title(finding), finding.outcome.name(), finding.reason),
            );
        }
        let more = report.tally.findings.saturating_sub(SHOWN as u64);
        if more > 0 {
            paper.line(&format!("  and {} more", size::count(more)));
        }
        for unjudged in &report.not_judged {
            paper.row("not judged", &format!("{}: {}", unjudged.detector, unjudged.reason));
        }
    }

    fn counters(&self, paper: &mut Paper) {
        paper.heading("Counters");
        if let Value::Object(stages) = self.stages() {
            for (stage, counters) in stages {
                paper.line(&format!("  {stage}"));
                for (name, value) in counters.as_object().into_iter().flatten() {
                    if value.as_u64() != Some(0) {
                        paper.row(&format!("  {name}"), &value.to_string());
                    }
                }
            }
        }
    }

    fn next(&self, paper: &mut Paper) {
        let report = self.report;
        let source = report.sources.first().map_or("FILE", String::as_str);
        let mut steps = Vec::new();
        if report.tally.reported == 0 || report.flow.missed_bytes > 0 || !self.skipped().is_empty() {
            steps.push(("why bytes are missing, and what to do about it", format!("tapwire doctor {source}")));
        }
        if let Some(finding) = report.findings.first() {
            let uid = finding.exchanges.first().unwrap_or(&finding.uid).to_string();
            let short = uid.get(..12).unwrap_or(&uid).to_owned();
            steps.push(("the exchange behind the first finding", format!("tapwire show {short} {source}")));
        }
        if report.tally.reported > 0 {
            steps.push(("every exchange as JSON", format!("tapwire -r {source} | jq .")));
        }
        if !steps.is_empty() {
            paper.heading("Next");
            for (why, command) in steps {
                paper.line(&format!("  {command:<44} {why}"));
            }
        }
    }

    /// As one JSON object: every counter of every stage, so that conservation can be checked from outside.
    pub fn json(&self) -> String {
        let report = self.report;
        let services = report.inventory.iter().flat_map(Inventory::services).map(service_json);
        let findings = report.findings.iter().map(finding_json);
        let unjudged = report.not_judged.iter().map(|n| json!({"detector": n.detector, "reason": n.reason}));
        let value = json!({
            "sources": report.sources,
            "first": report.wire.first.map(rfc3339),
            "last": report.wire.last.map(rfc3339),
            "interrupted": report.interrupted,
            "errors": report.source_errors.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "stages": self.stages(),
            "exchanges": self.tally_json(),
            "services": services.collect::<Vec<_>>(),
            "findings": findings.collect::<Vec<_>>(),
            "not_judged": unjudged.collect::<Vec<_>>(),
        });
        format!("{value}\n")
    }

    fn tally_json(&self) -> Value {
        let tally = &self.report.tally;
        json!({
            "reported": tally.reported, "whole": tally.whole, "truncated": tally.truncated,
            "requests_alone": tally.requests_alone, "responses_alone": tally.responses_alone,
            "uncertain": tally.uncertain, "joined_late": tally.joined_late,
            "anomalies": self.anomalies().into_iter().collect::<BTreeMap<_, _>>(),
        })
    }

    /// In and out of each stage.
    fn stages(&self) -> Value {
        let report = self.report;
        let skipped: BTreeMap<String, u64> =
            report.wire.skipped.iter().map(|((layer, reason), n)| (format!("{layer}/{reason}"), *n)).collect();
        let (source, flow, protocol, tally) = (&report.source, &report.flow, &report.protocol, &report.tally);
        json!({
            "capture": {
                "received": source.received, "delivered": source.delivered, "filtered": source.filtered,
                "dropped_kernel": source.dropped_kernel, "dropped_interface": source.dropped_interface,
            },
            "wire": { "packets": report.wire.packets, "segments": report.wire.segments, "skipped": skipped },
            "flow": {
                "segments": flow.segments, "segment_fates": fates(&flow.segment_fates()),
                "payload_bytes": flow.payload_bytes, "byte_fates": fates(&flow.byte_fates()),
                "gaps": flow.gaps, "gap_bytes": flow.gap_bytes, "missed_bytes": flow.missed_bytes,
                "acknowledged_bytes": flow.acknowledged_bytes, "cut_bytes": flow.cut_bytes,
                "flows_opened": flow.flows_opened, "flows_without_syn": flow.flows_without_syn,
                "flows_one_sided": flow.flows_one_sided, "evicted": flow.evicted + flow.evicted_syn,
                "memory_peak": flow.memory_peak,
            },
            "protocol": {
                "bytes_in": protocol.bytes_in, "head_bytes": protocol.head_bytes, "body_bytes": protocol.body_bytes,
                "framing_bytes": protocol.framing_bytes, "blank_bytes": protocol.blank_bytes,
                "tunnel_bytes": protocol.tunnel_bytes, "lost_bytes": protocol.lost_bytes,
                "opaque_bytes": protocol.opaque_bytes, "exchanges": protocol.exchanges,
                "paired": protocol.paired, "requests_alone": protocol.requests_alone,
                "responses_alone": protocol.responses_alone,
            },
            "analyst": {
                "exchanges": tally.exchanges, "reported": tally.reported, "filtered": tally.filtered,
                "shed": tally.shed, "beyond_limit": tally.beyond_limit, "findings": tally.findings,
            },
            "sinks": report.sinks.iter().map(|sink| json!({
                "destination": sink.destination,
                "accepted": sink.counts.accepted.events, "delivered": sink.counts.delivered.events,
                "dropped": sink.counts.dropped_total().events, "retries": sink.counts.retries,
            })).collect::<Vec<_>>(),
        })
    }
}

fn fates(fates: &[(&'static str, u64)]) -> BTreeMap<&'static str, u64> {
    fates.iter().copied().collect()
}

fn judged(report: &Report) -> usize {
    DETECTORS.len().saturating_sub(report.not_judged.len())
}

fn title(finding: &Finding) -> &'static str {
    DETECTORS.iter().find(|known| known.name == finding.detector).map_or(finding.detector, |known| known.title)
}

/// Services, each with its busiest endpoints.
fn apis(inventory: &Inventory, paper: &mut Paper) {
    paper.heading("APIs");
    let mut services: Vec<&Service> = inventory.services().collect();
    services.sort_by_key(|service| std::cmp::Reverse(service.calls));
    if services.is_empty() {
        paper.line("  none seen");
    }
    for service in services.iter().take(SHOWN) {
        paper.line(&format!(
            "  {}  {} calls, {} endpoints",
            paper.strong(&service.name),
            size::count(service.calls),
            size::count(u64::from(service.endpoints))
        ));
        let mut endpoints: Vec<&Endpoint> =
            inventory.endpoints().filter(|endpoint| endpoint.service == service.name).collect();
        endpoints.sort_by_key(|endpoint| std::cmp::Reverse(endpoint.calls));
        for endpoint in endpoints.iter().take(if services.len() > 3 { 4 } else { SHOWN }) {
            paper.line(&endpoint_line(endpoint));
        }
    }
    let more = services.len().saturating_sub(SHOWN);
    if more > 0 {
        paper.line(&format!("  and {more} more services"));
    }
}

fn endpoint_line(endpoint: &Endpoint) -> String {
    let [_, ok, redirected, refused, failed] = endpoint.status.classes;
    let answers = [(ok, "2xx"), (redirected, "3xx"), (refused, "4xx"), (failed, "5xx"), (endpoint.status.unseen, "unseen")];
    let answers: Vec<String> =
        answers.iter().filter(|(count, _)| *count > 0).map(|(count, class)| format!("{class} {}", size::count(*count))).collect();
    let auth: Vec<&str> = endpoint.auth.iter().filter(|(_, calls)| *calls > 0).map(|(kind, _)| kind.name()).collect();
    let auth = match (auth.is_empty(), endpoint.auth.none) {
        (true, _) => "no credentials".to_owned(),
        (false, 0) => auth.join(", "),
        (false, without) => format!("{}; {} without", auth.join(", "), size::count(without)),
    };
    format!(
        "    {:<7} {:<40} {:>9} calls  {:<26} {auth}",
        endpoint.method,
        endpoint.template,
        size::count(endpoint.calls),
        answers.join(" "),
    )
}

fn service_json(service: &Service) -> Value {
    json!({"service": &*service.name, "calls": service.calls, "endpoints": service.endpoints})
}

fn finding_json(finding: &Finding) -> Value {
    json!({
        "uid": finding.uid.to_string(), "detector": finding.detector, "severity": finding.severity.name(),
        "outcome": finding.outcome.name(), "reason": finding.reason, "time": rfc3339(finding.time),
        "exchanges": finding.exchanges.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

/// RFC 3339, in UTC, to the millisecond.
pub fn rfc3339(time: Timestamp) -> String {
    match jiff::Timestamp::from_millisecond(time.millis()) {
        Ok(time) => format!("{time:.3}"),
        Err(_) => "unknown".into(),
    }
}
