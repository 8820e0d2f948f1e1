//! Common Event Format, version 0 (ArcSight): what syslog receivers and Sentinel take apart by themselves.
//!
//! A header of seven fields behind `CEF:0`, then `key=value`. Numbers and texts that CEF has no key for stand under `cn1`,
//! `cs1` and so on, each with its label.

use crate::coverage::seen_share;
use crate::number;
use crate::pen::Pen;
use crate::sensor::SensorReport;
use crate::view::View;
use tapwire_detect::{DETECTORS, Finding, Posture, Severity, Told};
use tapwire_inventory::HourCoverage;
use tapwire_protocol::Uid;
use tapwire_wire::Timestamp;

/// What every record is written with.
pub(crate) struct Writer<'w> {
    pub version: &'w str,
    pub sequence: u64,
    /// This sensor's name, where it has one.
    pub reporter: Option<&'w str>,
    pub pen: &'w mut Pen,
}

impl Writer<'_> {
    /// Writes an exchange, without a line end.
    pub(crate) fn exchange(self, view: &View<'_>, out: &mut Vec<u8>) {
        header(self.version, "exchange", "API call", 1, out);
        self.common(view.exchange.started(), view.exchange.uid(), out);
        call(view, self.pen, out);
    }

    /// Writes a finding with its exchange, without a line end.
    pub(crate) fn finding(self, finding: &Finding, view: &View<'_>, out: &mut Vec<u8>) {
        let info = DETECTORS.iter().find(|info| info.name == finding.detector);
        let title = info.map_or(finding.found_by(), |info| info.title);
        // A SIEM knows what was found by the event class: each rule is one.
        let id = finding.rule.as_deref().map_or(finding.detector, |rule| &rule.id);
        header(self.version, id, title, grade(finding.severity), out);
        self.common(finding.time, finding.uid, out);
        let reason = self.pen.prose(&finding.reason);
        text("msg", reason.bytes(), out);
        text("outcome", finding.outcome.name().as_bytes(), out);
        labelled("cn3", "confidence", finding.confidence.to_string().as_bytes(), out);
        if let Some(info) = info {
            text("cat", info.owasp.as_bytes(), out);
        }
        if let Some(incident) = &finding.incident {
            labelled("cs4", "incident", &hex(incident), out);
        }
        call(view, self.pen, out);
    }

    /// Writes what is told of an incident, without a line end.
    pub(crate) fn incident(self, told: &Told, out: &mut Vec<u8>) {
        let incident = &told.incident;
        let worst = &incident.worst;
        let info = DETECTORS.iter().find(|info| info.name == worst.detector);
        let title = info.map_or(worst.found_by(), |info| info.title);
        header(self.version, "incident", &format!("Incident: {title}"), grade(worst.severity), out);
        self.common(told.time, incident.uid, out);
        if let Some(address) = incident.addresses.first() {
            plain("src", out, |out| number::ip(out, *address));
        }
        if let Some(caller) = incident.callers.first() {
            text("suser", self.pen.token(caller.token).bytes(), out);
        }
        if let Some(service) = &incident.service {
            labelled("cs2", "service", self.pen.shown_service(service).as_bytes(), out);
        }
        text("msg", self.pen.prose(&incident.worst.reason).bytes(), out);
        text("act", told.change.name().as_bytes(), out);
        text("outcome", incident.worst.outcome.name().as_bytes(), out);
        text("cnt", incident.findings.to_string().as_bytes(), out);
    }

    /// Writes what a policy says of a service, without a line end.
    pub(crate) fn posture(self, posture: &Posture, out: &mut Vec<u8>) {
        header(self.version, &posture.rule.id, &posture.rule.title, grade(posture.rule.severity), out);
        self.common(posture.time, posture.uid, out);
        text("msg", self.pen.prose(&posture.reason).bytes(), out);
        text("outcome", posture.stage.name().as_bytes(), out);
        labelled("cs2", "service", self.pen.shown_service(&posture.service).as_bytes(), out);
    }

    /// Writes a report of the sensor, without a line end.
    pub(crate) fn sensor(self, report: &SensorReport, out: &mut Vec<u8>) {
        header(self.version, report.code.name(), report.code.name(), report.code.severity(), out);
        self.common(report.time, Uid([0; 16]), out);
        text("msg", report.message.as_bytes(), out);
    }

    /// Writes how well a service was seen in an hour, without a line end.
    pub(crate) fn coverage(self, hour: &HourCoverage, out: &mut Vec<u8>) {
        header(self.version, "sensor.coverage", "sensor.coverage", 1, out);
        self.common(hour.until, Uid([0; 16]), out);
        text("msg", seen_share(&hour.seen).as_bytes(), out);
        labelled("cs2", "service", self.pen.named(&hour.service).bytes(), out);
    }

    /// When, which one, and its place in the output.
    fn common(&self, time: Timestamp, uid: Uid, out: &mut Vec<u8>) {
        out.extend_from_slice(b"rt=");
        number::signed(out, time.millis());
        if uid != Uid([0; 16]) {
            text("externalId", &hex(&uid), out);
        }
        if let Some(reporter) = self.reporter {
            text("dvchost", reporter.as_bytes(), out);
        }
        labelled("cn2", "sequence", self.sequence.to_string().as_bytes(), out);
    }
}

/// Who asked whom for what, and what came of it.
fn call(view: &View<'_>, pen: &mut Pen, out: &mut Vec<u8>) {
    let (client, server) = (view.client(), view.server());
    plain("src", out, |out| number::ip(out, client.0));
    if let Some(port) = client.1 {
        plain("spt", out, |out| number::unsigned(out, port.into()));
    }
    plain("dst", out, |out| number::ip(out, server.0));
    plain("dpt", out, |out| number::unsigned(out, server.1.into()));
    if !view.is_unsaid() {
        text("app", b"HTTP", out);
    }
    if let Some(host) = pen.host(view) {
        text("dhost", host.bytes(), out);
    }
    if let Some(method) = pen.method(view) {
        text("requestMethod", method.bytes(), out);
    }
    if let Some(target) = pen.target(view) {
        text("request", target.bytes(), out);
    }
    if let Some(agent) = view.request_head().and_then(|head| pen.user_agent(head)) {
        text("requestClientApplication", agent.bytes(), out);
    }
    if let Some((_, principal)) = pen.principal(view) {
        text("suser", principal.bytes(), out);
    }
    if let Some(status) = view.status() {
        labelled("cn1", "status", status.to_string().as_bytes(), out);
    }
    if let Some(template) = pen.template(view) {
        labelled("cs1", "endpoint", template.bytes(), out);
    }
    if let Some(service) = pen.service(view) {
        labelled("cs2", "service", service.bytes(), out);
    }
    classes(view, out);
    for (key, message) in [("in", view.request()), ("out", view.response())] {
        if let Some(message) = message {
            plain(key, out, |out| number::unsigned(out, message.body.len));
        }
    }
}

/// The data classes, where there are any.
fn classes(view: &View<'_>, out: &mut Vec<u8>) {
    let names = view.class_names();
    if !names.is_empty() {
        labelled("cs3", "dataClasses", names.join(",").as_bytes(), out);
    }
}

fn header(version: &str, id: &str, name: &str, severity: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(b"CEF:0|Tapwire|Tapwire|");
    for field in [version, id, name] {
        escaped(field.as_bytes(), b'|', out);
        out.push(b'|');
    }
    number::signed(out, severity);
    out.push(b'|');
}

/// CEF's 0 to 10.
const fn grade(severity: Severity) -> i64 {
    match severity {
        Severity::Informational => 1,
        Severity::Low => 3,
        Severity::Medium => 5,
        Severity::High => 8,
        Severity::Critical => 10,
    }
}

fn plain(key: &str, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    out.push(b' ');
    out.extend_from_slice(key.as_bytes());
    out.push(b'=');
    write(out);
}

fn text(key: &str, value: &[u8], out: &mut Vec<u8>) {
    plain(key, out, |out| escaped(value, b'=', out));
}

fn labelled(key: &str, label: &str, value: &[u8], out: &mut Vec<u8>) {
    text(key, value, out);
    plain(&format!("{key}Label"), out, |out| out.extend_from_slice(label.as_bytes()));
}

/// The specification's escapes; control characters would end a line or steer a terminal and are percent-encoded, as is what
/// is no UTF-8.
fn escaped(value: &[u8], delimiter: u8, out: &mut Vec<u8>) {
    let mut place = [0; 4];
    for chunk in value.utf8_chunks() {
        for letter in chunk.valid().chars() {
            let bytes = letter.encode_utf8(&mut place).as_bytes();
            match letter {
                '\n' => out.extend_from_slice(b"\\n"),
                '\r' => out.extend_from_slice(b"\\r"),
                '\\' => out.extend_from_slice(b"\\\\"),
                // Of two bytes, too: U+0080 to U+009F.
                _ if letter.is_control() => bytes.iter().for_each(|&byte| number::percent(out, byte)),
                _ => {
                    if letter == char::from(delimiter) {
                        out.push(b'\\');
                    }
                    out.extend_from_slice(bytes);
                }
            }
        }
        chunk.invalid().iter().for_each(|&byte| number::percent(out, byte));
    }
}

fn hex(uid: &Uid) -> Vec<u8> {
    let mut digits = Vec::with_capacity(32);
    number::hex(&mut digits, &uid.0);
    digits
}
