//! What a run came to, for people and as JSON.

use crate::incidents::{Reading, headline};
use crate::next::{Asked, next};
use crate::paper::Paper;
use crate::size::{self, counted};
use crate::{apis, behind, coverage, judged, ledger, posture, quotas};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::BTreeMap;
use tapwire_detect::{DETECTORS, Finding};
use tapwire_event::Redactor;
use tapwire_inventory::{Inventory, Service};
use tapwire_pipeline::{Report, ShedLevel};
use tapwire_protocol::{Anomaly, Kind};
use tapwire_wire::Timestamp;

/// Findings that the summary shows; the rest is counted.
const SHOWN: usize = 10;

/// The summary of a report.
pub(crate) struct Summary<'a> {
    report: &'a Report,
    asked: &'a Asked,
    verbose: bool,
    /// What people read about traffic is redacted as events are.
    redactor: RefCell<Redactor>,
}

impl<'a> Summary<'a> {
    /// `verbose` adds every counter.
    pub(crate) const fn new(report: &'a Report, asked: &'a Asked, verbose: bool, redactor: Redactor) -> Self {
        Self { report, asked, verbose, redactor: RefCell::new(redactor) }
    }

    /// As text: what was seen and how well, which APIs, what was found and what could not be judged, what to do next.
    pub(crate) fn text(&self, to_stdout: bool) -> String {
        let mut paper = Paper::new(to_stdout);
        self.head(&mut paper);
        self.seen(&mut paper);
        if let Some(inventory) = &self.report.inventory {
            apis::page(inventory, &mut self.redactor.borrow_mut(), &mut paper);
        }
        behind::page(&self.report.behind_tls, &mut self.redactor.borrow_mut(), &mut paper);
        self.found(&mut paper);
        posture::page(self.report, &mut self.redactor.borrow_mut(), &mut paper);
        if self.verbose {
            ledger::page(self.report, &mut paper);
        }
        next(self.report, self.asked, &mut paper);
        paper.into_text()
    }

    fn head(&self, paper: &mut Paper) {
        let (report, wire) = (self.report, &self.report.wire);
        let names = if self.asked.paths.is_empty() { &report.sources } else { &self.asked.paths };
        let sources = match names.as_slice() {
            [one] => one.clone(),
            many => counted(many.len() as u64, "source"),
        };
        let span = match (wire.first, wire.last) {
            (Some(first), Some(last)) => {
                format!(", {} from {}", size::duration(last.since(first)), rfc3339(first))
            }
            _ => String::new(),
        };
        let title = paper.strong(&format!("tapwire {}", env!("CARGO_PKG_VERSION")));
        paper.line(&format!("{title}  {sources}"));
        paper.line(&format!("{}, {}{span}", counted(wire.packets, "packet"), size::bytes(wire.bytes)));
    }

    fn seen(&self, paper: &mut Paper) {
        let (report, tally) = (self.report, &self.report.tally);
        paper.heading("Seen");
        paper.row("exchanges", &self.exchanges());
        if tally.reported > 0 {
            paper.row("pairing", &self.pairing());
        }
        paper.row("capture loss", &self.capture_loss());
        coverage::rows(&report.coverage, &mut self.redactor.borrow_mut(), paper);
        self.missed(paper);
        if report.wire.cut_packets > 0 {
            let packets = counted(report.wire.packets, "packet");
            let missing = size::bytes(report.flow.cut_bytes);
            let cut = size::count(report.wire.cut_packets);
            paper.row("cut short", &format!("{cut} of {packets}; {missing} of payload are missing"));
        }
        if report.shedding.worst != ShedLevel::None {
            paper.row("shed", &self.shed());
        }
        for (kind, flows, bytes) in self.unread() {
            paper.row(
                "not read",
                &format!("{kind}: {}, {}", counted(flows, "connection"), size::bytes(bytes)),
            );
        }
        for (what, packets) in self.skipped() {
            paper.row("not decoded", &format!("{} of {what}", counted(packets, "packet")));
        }
        let anomalies: Vec<String> = self
            .anomalies()
            .into_iter()
            .map(|(name, count)| format!("{name} {}", size::count(count)))
            .collect();
        if !anomalies.is_empty() {
            paper.row("anomalies", &anomalies.join(", "));
        }
    }

    /// Packets that never came to be read.
    fn missed(&self, paper: &mut Paper) {
        let report = self.report;
        if report.source.outages > 0 {
            paper.row(
                "not watched",
                &format!(
                    "{}, while interfaces were away {}: what passed then is in no figure",
                    size::duration(
                        i64::try_from(report.source.outage_ms).unwrap_or(i64::MAX).saturating_mul(1_000_000)
                    ),
                    counted(report.source.outages, "time")
                ),
            );
        }
        if report.source.dropped_kernel > 0 {
            paper.row(
                "dropped",
                &format!(
                    "{} by the kernel, before they could be read",
                    counted(report.source.dropped_kernel, "packet")
                ),
            );
        }
        if report.source.unread > 0 {
            let packets = counted(report.source.unread, "packet");
            paper.row("unread", &format!("{packets} that waited in the ring when the run ended"));
        }
        if report.lanes.lane_full > 0 {
            let packets = counted(report.lanes.lane_full, "packet");
            paper.row("dropped", &format!("{packets} on the way to the lane that owns their connection"));
        }
    }

    fn exchanges(&self) -> String {
        let tally = &self.report.tally;
        if tally.reported == 0 {
            return match (tally.filtered, tally.shed) {
                (0, 0) => "not seen: no HTTP request or response".into(),
                (filtered, 0) => format!("none reported; {} filtered out", counted(filtered, "exchange")),
                (filtered, shed) => {
                    format!(
                        "none reported; {} filtered out, {} shed",
                        counted(filtered, "exchange"),
                        size::count(shed)
                    )
                }
            };
        }
        let mut parts = vec![match tally.whole {
            0 => "none whole".to_owned(),
            whole => {
                let calls = tally.reported.saturating_sub(tally.children);
                format!("{} whole ({})", size::count(whole), size::share(whole, calls))
            }
        }];
        let rest = [
            (tally.truncated.saturating_sub(tally.capped), "with missing bytes"),
            (tally.capped, "with more than a limit lets be read"),
            (tally.requests_alone, "without response"),
            (tally.responses_alone, "without request"),
            (tally.children, "messages and ends of WebSockets and other streams"),
        ];
        let rest = rest.into_iter().filter(|(count, _)| *count > 0);
        parts.extend(rest.map(|(count, name)| format!("{} {name}", size::count(count))));
        let filtered = match tally.filtered {
            0 => String::new(),
            count => format!("; {} filtered out", size::count(count)),
        };
        format!("{}: {}{filtered}", size::count(tally.reported), parts.join(", "))
    }

    fn pairing(&self) -> String {
        let tally = &self.report.tally;
        let pairs = tally.whole + tally.truncated;
        if pairs == 0 {
            return "not judged: no pair was seen".into();
        }
        let proof = "proven by sequence and acknowledgement numbers";
        match (pairs, tally.uncertain) {
            (1, 0) => format!("1 pair, {proof}"),
            (_, 0) => format!("{}, all {proof}", counted(pairs, "pair")),
            (_, uncertain) => format!(
                "{}, {} {proof}, {} marked uncertain",
                counted(pairs, "pair"),
                size::count(pairs.saturating_sub(uncertain)),
                size::count(uncertain)
            ),
        }
    }

    fn capture_loss(&self) -> String {
        let flow = &self.report.flow;
        let acknowledged = size::bytes(flow.acknowledged_bytes);
        match (flow.acknowledged_bytes, flow.missed_bytes) {
            (0, _) => "not judged: no acknowledged byte was seen".into(),
            (_, 0) if flow.cut_bytes > 0 => "none beyond what was cut short".into(),
            (_, 0) => format!("none: all of {acknowledged} that receivers acknowledged"),
            (whole, missed) => format!(
                "{} of {acknowledged} that receivers acknowledged are not in the capture ({})",
                size::bytes(missed),
                size::share(missed, whole)
            ),
        }
    }

    fn shed(&self) -> String {
        let (shedding, tally) = (&self.report.shedding, &self.report.tally);
        let exchanges = match tally.shed {
            0 => "no exchange was left out".to_owned(),
            count => format!("{} only counted", counted(count, "exchange")),
        };
        format!(
            "at worst {}; {exchanges}; {}",
            shedding.worst.meaning(),
            counted(shedding.changes, "change of level")
        )
        .replace("change of levels", "changes of level")
    }

    /// Connections of protocols that are only counted, the most bytes first.
    fn unread(&self) -> Vec<(&'static str, u64, u64)> {
        let counters = &self.report.protocol;
        let counts = counters.flows.iter().zip(&counters.flow_bytes);
        let kinds = Kind::ALL.into_iter().zip(counts).filter(|(kind, _)| !kind.is_read());
        let mut unread: Vec<_> = kinds
            .filter(|(_, (flows, bytes))| **flows > 0 && **bytes > 0)
            .map(|(kind, (flows, bytes))| (kind.name(), *flows - self.decrypted(kind).min(*flows), *bytes))
            .filter(|(_, flows, _)| *flows > 0)
            .collect();
        unread.sort_by_key(|(_, _, bytes)| std::cmp::Reverse(*bytes));
        unread
    }

    /// Connections that were read after all: those inside count as what they are.
    fn decrypted(&self, kind: Kind) -> u64 {
        if kind == Kind::Tls { self.report.tls.decrypted } else { 0 }
    }

    /// Packets that carry something that could hold HTTP and is not decoded, the most first.
    fn skipped(&self) -> Vec<(String, u64)> {
        let quiet = ["arp", "icmp", "udp", "lldp", "llc"];
        let skipped = self.report.wire.skipped.iter().filter(|((layer, _), _)| !quiet.contains(layer));
        let mut skipped: Vec<_> =
            skipped.map(|((layer, reason), count)| (format!("{layer} ({reason})"), *count)).collect();
        skipped.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        skipped
    }

    /// The most frequent first.
    fn anomalies(&self) -> Vec<(&'static str, u64)> {
        let counts = Anomaly::ALL.iter().zip(&self.report.tally.anomalies);
        let mut anomalies: Vec<_> = counts
            .filter(|(_, count)| **count > 0)
            .map(|(anomaly, count)| (anomaly.name(), *count))
            .collect();
        anomalies.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        anomalies
    }

    fn found(&self, paper: &mut Paper) {
        let report = self.report;
        paper.heading("Found");
        if report.inventory.is_none() {
            paper.line("  not judged: analysis is off");
            return;
        }
        let idle = report.not_judged.iter().filter(|unjudged| unjudged.judged == 0).count();
        let able = DETECTORS.len().saturating_sub(idle);
        if report.tally.findings == 0 && able > 0 {
            paper.line(&format!(
                "  nothing wrong, by {able} of {}",
                counted(DETECTORS.len() as u64, "detector")
            ));
        }
        let incidents = report.incidents.worst_first();
        let mut redactor = self.redactor.borrow_mut();
        let mut reading = Reading { redactor: &mut redactor, inventory: report.inventory.as_ref() };
        for incident in incidents.iter().take(SHOWN) {
            paper.row(incident.worst.severity.name(), &headline(incident, &mut reading));
            let reason = reading.redactor.shown_sentence(&incident.worst.reason);
            paper.row("", &reason);
        }
        let more = incidents.len().saturating_sub(SHOWN) as u64;
        if more > 0 {
            paper.line(&format!("  and {}: tapwire incidents", counted(more, "more incident")));
        }
        self.not_told(paper);
        judged::page(&report.not_judged, paper);
        quotas::drifts(report, &mut redactor, paper);
    }

    /// Findings that were not told by themselves, and what people said of others.
    fn not_told(&self, paper: &mut Paper) {
        let tally = &self.report.tally;
        if tally.repeated > 0 {
            let repeated = counted(tally.repeated, "finding");
            paper.row("repeated", &format!("{repeated} that only repeat others of their incident"));
        }
        for one in &self.report.mutes {
            let (mute, until) = (&one.mute, rfc3339(one.mute.until));
            if one.muted > 0 {
                let muted = counted(one.muted, "finding");
                paper.row("muted", &format!("{muted} where {}, until {until}: {}", mute.text, mute.why));
            }
            if one.expired > 0 {
                let again = counted(one.expired, "finding");
                paper.row("mute ended", &format!("{until}, where {}: {again} told again", mute.text));
            }
        }
        self.asked.feedback.told().iter().for_each(|told| paper.row("feedback", told));
    }

    fn service_json(&self, service: &Service) -> Value {
        json!({"service": self.redactor.borrow_mut().shown_host(&service.name), "calls": service.calls, "endpoints": service.endpoints})
    }

    fn incidents_json(&self) -> Vec<Value> {
        let mut redactor = self.redactor.borrow_mut();
        let mut reading = Reading { redactor: &mut redactor, inventory: self.report.inventory.as_ref() };
        let all = self.report.incidents.worst_first();
        all.into_iter().map(|incident| crate::incidents::value(incident, &mut reading)).collect()
    }

    fn finding_json(&self, finding: &Finding) -> Value {
        json!({
            "uid": finding.uid.to_string(), "detector": finding.detector, "severity": finding.severity.name(),
            "outcome": finding.outcome.name(), "reason": self.reason(finding), "time": rfc3339(finding.time),
            "exchanges": finding.exchanges.iter().map(ToString::to_string).collect::<Vec<_>>(),
        })
    }

    /// A finding's sentence, redacted.
    fn reason(&self, finding: &Finding) -> String {
        self.redactor.borrow_mut().shown_sentence(&finding.reason)
    }

    /// As one JSON object: every counter of every stage, so that conservation can be checked from outside.
    pub(crate) fn json(&self) -> String {
        let report = self.report;
        let services =
            report.inventory.iter().flat_map(Inventory::services).map(|service| self.service_json(service));
        let findings = report.findings.iter().map(|finding| self.finding_json(finding));
        let value = json!({
            "sources": report.sources,
            "first": report.wire.first.map(rfc3339),
            "last": report.wire.last.map(rfc3339),
            "interrupted": report.interrupted,
            "errors": report.source_errors.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "stages": ledger::stages(report),
            "exchanges": self.tally_json(),
            "coverage": coverage::json(&report.coverage, &mut self.redactor.borrow_mut()),
            "services": services.collect::<Vec<_>>(),
            "behind_tls": behind::json(&report.behind_tls, &mut self.redactor.borrow_mut()),
            "incidents": self.incidents_json(),
            "findings": findings.collect::<Vec<_>>(),
            "findings_repeated": report.tally.repeated, "findings_muted": report.tally.muted,
            "mutes": report.mutes.iter().map(|one| json!({
                "where": one.mute.text, "until": rfc3339(one.mute.until), "why": one.mute.why,
                "muted": one.muted, "told_again": one.expired,
            })).collect::<Vec<_>>(),
            "feedback": self.asked.feedback.json(),
            "posture": posture::json(report, &mut self.redactor.borrow_mut()),
            "policies_not_judged": posture::unjudged_json(report),
            "drift": quotas::drifts_json(report, &mut self.redactor.borrow_mut()),
            "behaviour_findings_over_budget": report.detect.over_budget,
            "not_judged": judged::json(&report.not_judged),
        });
        format!("{value}\n")
    }

    fn tally_json(&self) -> Value {
        let tally = &self.report.tally;
        json!({
            "reported": tally.reported, "whole": tally.whole, "truncated": tally.truncated, "capped": tally.capped,
            "requests_alone": tally.requests_alone, "responses_alone": tally.responses_alone,
            "children": tally.children,
            "uncertain": tally.uncertain, "joined_late": tally.joined_late,
            "anomalies": self.anomalies().into_iter().collect::<BTreeMap<_, _>>(),
        })
    }
}

/// RFC 3339, in UTC, to the millisecond.
pub(crate) fn rfc3339(time: Timestamp) -> String {
    milliseconds(time.millis())
}

/// The same for milliseconds since 1970, as events have them.
pub(crate) fn milliseconds(time: i64) -> String {
    match jiff::Timestamp::from_millisecond(time) {
        Ok(time) => format!("{time:.3}"),
        Err(_) => "unknown".into(),
    }
}
