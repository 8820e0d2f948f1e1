//! Findings, incidents and what policies say: `rule`, `threat`, `event.severity`.

use super::{Kind, Writer, hex};
use crate::json;
use crate::number;
use crate::ocsf::incident::techniques_of as techniques_of_moment;
use crate::ocsf::{info, suggestions};
use crate::view::View;
use tapwire_detect::incidents::{Beside, Incident};
use tapwire_detect::{Finding, Posture, Severity, Told};

const FINDING: Kind = Kind {
    kind: "alert",
    category: &["intrusion_detection", "api"],
    types: &["info"],
    dataset: "tapwire.finding",
};
const INCIDENT: Kind =
    Kind { kind: "alert", category: &["intrusion_detection"], types: &["info"], dataset: "tapwire.incident" };
const POSTURE: Kind =
    Kind { kind: "state", category: &["configuration"], types: &["info"], dataset: "tapwire.posture" };

/// As Elastic's detection rules grade: 21 low, 47 medium, 73 high, 99 critical.
const fn grade(severity: Severity) -> i64 {
    match severity {
        Severity::Informational => 1,
        Severity::Low => 21,
        Severity::Medium => 47,
        Severity::High => 73,
        Severity::Critical => 99,
    }
}

impl Writer<'_> {
    /// Writes a finding with its exchange, without a line end.
    pub(crate) fn finding(mut self, finding: &Finding, view: &View<'_>, out: &mut Vec<u8>) {
        self.open(finding.time, &finding.uid.0, &FINDING, out);
        json::own(out, "action", finding.detector);
        json::integer(out, "severity", grade(finding.severity));
        json::text(out, "reason", self.pen.prose(&finding.reason));
        json::close(out);
        json::text(out, "message", self.pen.prose(&finding.reason));
        self.call(view, out);
        rule(finding, out);
        threat(&techniques(finding), out);
        json::object(out, "tapwire");
        json::object(out, "finding");
        json::own(out, "severity", finding.severity.name());
        json::own(out, "outcome", finding.outcome.name());
        json::count(out, "confidence", finding.confidence.into());
        if let Some(info) = info(finding.detector) {
            json::own(out, "owasp", info.owasp);
            json::own(out, "cwe", info.cwe);
            json::words(out, "next_steps", info.next_steps.iter().copied());
        }
        if let Some(incident) = &finding.incident {
            hex("incident", &incident.0, out);
        }
        json::list(out, "exchanges");
        for exchange in &finding.exchanges {
            json::element(out);
            out.push(b'"');
            number::hex(out, &exchange.0);
            out.push(b'"');
        }
        json::close_list(out);
        json::close(out);
        self.rest(view, out);
        self.end(out);
    }

    /// Writes what is told of an incident, without a line end.
    pub(crate) fn incident(mut self, told: &Told, beside: &Beside, out: &mut Vec<u8>) {
        let incident = &told.incident;
        self.open(told.time, &incident.uid.0, &INCIDENT, out);
        out.extend_from_slice(b",\"action\":\"incident-");
        out.extend_from_slice(told.change.name().as_bytes());
        out.push(b'"');
        json::integer(out, "severity", grade(incident.worst.severity));
        json::text(out, "reason", self.pen.prose(&incident.worst.reason));
        json::close(out);
        json::text(out, "message", self.pen.prose(&incident.worst.reason));
        self.related(incident, out);
        threat(&techniques_of(incident), out);
        json::object(out, "tapwire");
        json::object(out, "incident");
        json::own(out, "severity", incident.worst.severity.name());
        json::own(out, "outcome", incident.worst.outcome.name());
        json::own(out, "reached", incident.reached.name());
        json::count(out, "revision", incident.told.into());
        json::count(out, "findings", incident.findings);
        json::words(out, "next_steps", incident.next_steps().into_iter());
        suggestions(beside, self.pen, out);
        json::close(out);
        self.end(out);
    }

    /// `related`: every address and caller of an incident.
    fn related(&mut self, incident: &Incident, out: &mut Vec<u8>) {
        json::object(out, "related");
        json::list(out, "ip");
        for address in &incident.addresses {
            json::element(out);
            out.push(b'"');
            number::ip(out, *address);
            out.push(b'"');
        }
        json::close_list(out);
        json::list(out, "user");
        for caller in &incident.callers {
            json::element(out);
            json::string(out, self.pen.token(caller.token).bytes());
        }
        json::close_list(out);
        json::close(out);
    }

    /// Writes what a policy says of a service, without a line end.
    pub(crate) fn posture(mut self, posture: &Posture, out: &mut Vec<u8>) {
        let policy = &posture.rule;
        self.open(posture.time, &posture.uid.0, &POSTURE, out);
        json::own(out, "action", posture.stage.name());
        json::integer(out, "severity", grade(policy.severity));
        json::text(out, "reason", self.pen.prose(&posture.reason));
        json::close(out);
        json::text(out, "message", self.pen.prose(&posture.reason));
        json::object(out, "rule");
        json::own(out, "id", &policy.id);
        json::close(out);
        let service = self.pen.shown_service(&posture.service);
        json::object(out, "service");
        json::own(out, "name", &service);
        json::close(out);
        json::object(out, "tapwire");
        json::count(out, "endpoints", posture.total);
        self.end(out);
    }
}

fn rule(finding: &Finding, out: &mut Vec<u8>) {
    let own = finding.rule.as_deref();
    json::object(out, "rule");
    json::own(out, "id", own.map_or(finding.detector, |rule| &rule.id));
    let title = info(finding.detector).map_or(finding.found_by(), |info| info.title);
    json::own(out, "name", title);
    if let Some(info) = info(finding.detector) {
        json::own(out, "category", info.owasp);
    }
    json::close(out);
}

/// Techniques by number and name; the name is empty where a rule gives only the number.
fn techniques(finding: &Finding) -> Vec<(&str, &str)> {
    match &finding.rule {
        Some(rule) => rule.techniques.iter().map(|number| (number.as_str(), "")).collect(),
        None => info(finding.detector).map(|info| info.attack).into_iter().collect(),
    }
}

fn techniques_of(incident: &Incident) -> Vec<(&str, &str)> {
    let mut all: Vec<_> = incident.timeline.iter().flat_map(techniques_of_moment).collect();
    all.sort_unstable();
    all.dedup();
    all
}

fn threat(techniques: &[(&str, &str)], out: &mut Vec<u8>) {
    if techniques.is_empty() {
        return;
    }
    json::object(out, "threat");
    json::own(out, "framework", "MITRE ATT&CK");
    json::object(out, "technique");
    json::words(out, "id", techniques.iter().map(|(number, _)| *number));
    let names = techniques.iter().map(|(_, name)| *name).filter(|name| !name.is_empty());
    if names.clone().next().is_some() {
        json::words(out, "name", names);
    }
    json::close(out);
    json::close(out);
}
