//! Records as Suricata's EVE log has them, so that tools built on EVE work: `http`, `alert` and `stats`.
//!
//! What EVE has no key for stands under `tapwire`, and only where it is not the usual: unclean or uncertain exchanges.

use crate::coverage::seen_share;
use crate::json;
use crate::number;
use crate::ocsf::interval;
use crate::pen::Pen;
use crate::redact::Redacted;
use crate::sensor::{SensorCode, SensorReport};
use crate::time::Civil;
use crate::view::View;
use memchr::memchr;
use tapwire_detect::{Finding, Posture, Severity, Told};
use tapwire_inventory::HourCoverage;
use tapwire_protocol::{Message, Pairing, Seen};
use tapwire_wire::Timestamp;

/// Writes an `http` record, without a line end.
pub(crate) fn exchange(view: &View<'_>, pen: &mut Pen, out: &mut Vec<u8>) {
    preamble(view, view.exchange.started(), pen, out);
    json::raw(out, r#","event_type":"http""#);
    ends(view, out);
    http(view, pen, out);
    doubts(view, pen, out);
    json::close(out);
}

/// Writes an `alert` record with its exchange, without a line end.
pub(crate) fn finding(finding: &Finding, view: &View<'_>, pen: &mut Pen, out: &mut Vec<u8>) {
    preamble(view, finding.time, pen, out);
    json::raw(out, r#","event_type":"alert""#);
    ends(view, out);
    json::object(out, "alert");
    json::own(out, "action", "allowed");
    json::integer(out, "gid", 1);
    json::count(
        out,
        "signature_id",
        signature_id(finding.rule.as_ref().map_or(finding.detector, |rule| &rule.id)).into(),
    );
    json::integer(out, "rev", 1);
    json::text(out, "signature", pen.prose(&finding.reason));
    json::own(out, "category", finding.found_by());
    json::integer(out, "severity", severity(finding.severity));
    json::close(out);
    if !view.is_unsaid() {
        http(view, pen, out);
    }
    json::object(out, "tapwire");
    json::key(out, "finding");
    hex(out, &finding.uid.0);
    json::own(out, "outcome", finding.outcome.name());
    json::count(out, "confidence", finding.confidence.into());
    json::close(out);
    json::close(out);
}

/// Writes what is told of an incident as an `alert` record without a connection, without a line end.
pub(crate) fn incident(told: &Told, pen: &mut Pen, out: &mut Vec<u8>) {
    let incident = &told.incident;
    json::raw(out, r#"{"timestamp":""#);
    Civil::new(told.time).date_time(out, 6);
    json::raw(out, r#"+0000","event_type":"alert""#);
    json::object(out, "alert");
    json::own(out, "action", "allowed");
    json::integer(out, "gid", 1);
    json::count(out, "signature_id", signature_id("incident").into());
    json::integer(out, "rev", 1);
    json::text(out, "signature", pen.prose(&incident.worst.reason));
    json::own(out, "category", "incident");
    json::integer(out, "severity", severity(incident.worst.severity));
    json::close(out);
    json::object(out, "tapwire");
    json::key(out, "incident");
    hex(out, &incident.uid.0);
    json::own(out, "change", told.change.name());
    json::own(out, "outcome", incident.worst.outcome.name());
    json::count(out, "findings", incident.findings);
    json::close(out);
    json::close(out);
}

/// Writes what a policy says of a service as an `alert` record without a connection, without a line end.
pub(crate) fn posture(posture: &Posture, pen: &mut Pen, out: &mut Vec<u8>) {
    let rule = &posture.rule;
    json::raw(out, r#"{"timestamp":""#);
    Civil::new(posture.time).date_time(out, 6);
    json::raw(out, r#"+0000","event_type":"alert""#);
    json::object(out, "alert");
    json::own(out, "action", "allowed");
    json::integer(out, "gid", 1);
    json::count(out, "signature_id", signature_id(&rule.id).into());
    json::integer(out, "rev", 1);
    json::text(out, "signature", pen.prose(&posture.reason));
    json::own(out, "category", &rule.id);
    json::integer(out, "severity", severity(rule.severity));
    json::close(out);
    json::object(out, "tapwire");
    json::key(out, "finding");
    hex(out, &posture.uid.0);
    json::own(out, "state", posture.stage.name());
    let service = pen.shown_service(&posture.service);
    json::key(out, "service");
    json::string(out, service.as_bytes());
    json::count(out, "endpoints", posture.total);
    json::close(out);
    json::close(out);
}

/// Writes a `stats` record, without a line end.
pub(crate) fn sensor(report: &SensorReport, out: &mut Vec<u8>) {
    json::raw(out, r#"{"timestamp":""#);
    Civil::new(report.time).date_time(out, 6);
    json::raw(out, r#"+0000","event_type":"stats""#);
    json::object(out, "tapwire");
    json::own(out, "event", report.code.name());
    json::own(out, "message", &report.message);
    json::close(out);
    json::object(out, "stats");
    report.counters.iter().for_each(|(name, value)| json::count(out, name, *value));
    json::close(out);
    json::close(out);
}

/// Writes how well a service was seen in an hour as a `stats` record, without a line end.
pub(crate) fn coverage(hour: &HourCoverage, pen: &mut Pen, out: &mut Vec<u8>) {
    let seen = &hour.seen;
    json::raw(out, r#"{"timestamp":""#);
    Civil::new(hour.until).date_time(out, 6);
    json::raw(out, r#"+0000","event_type":"stats""#);
    json::object(out, "tapwire");
    json::own(out, "event", SensorCode::Coverage.name());
    json::own(out, "message", &seen_share(seen));
    json::text(out, "service", pen.named(&hour.service));
    json::close(out);
    json::object(out, "stats");
    json::count(out, "pairs", seen.pairs);
    json::count(out, "halves", seen.halves);
    interval(out, "share", seen.share, 5);
    json::close(out);
    json::close(out);
}

fn preamble(view: &View<'_>, time: Timestamp, pen: &mut Pen, out: &mut Vec<u8>) {
    json::raw(out, r#"{"timestamp":""#);
    pen.calendar.micros(out, time);
    json::raw(out, r#"+0000","flow_id":"#);
    number::unsigned(out, view.exchange.flow.id);
}

/// The two ends of the connection.
fn ends(view: &View<'_>, out: &mut Vec<u8>) {
    let (client, server) = (view.client(), view.server());
    json::raw(out, r#","src_ip":""#);
    number::ip(out, client.0);
    out.push(b'"');
    // Behind proxies nobody tells it.
    if let Some(port) = client.1 {
        json::raw(out, r#","src_port":"#);
        number::unsigned(out, port.into());
    }
    json::raw(out, r#","dest_ip":""#);
    number::ip(out, server.0);
    json::raw(out, r#"","dest_port":"#);
    number::unsigned(out, server.1.into());
    json::raw(out, r#","proto":"TCP""#);
}

fn http(view: &View<'_>, pen: &mut Pen, out: &mut Vec<u8>) {
    json::raw(out, r#","http":{"#);
    let response = view.response();
    if let Some(host) = pen.host(view) {
        json::member(out, r#""hostname":"#);
        json::string(out, host.bytes());
    }
    if let Some(url) = pen.target(view) {
        json::member(out, r#""url":"#);
        json::string(out, url.bytes());
    }
    if let Some(agent) = view.request_head().and_then(|head| pen.user_agent(head)) {
        json::member(out, r#""http_user_agent":"#);
        json::string(out, agent.bytes());
    }
    if let Some(media_type) = response.and_then(|response| pen.media_type(response)) {
        json::member(out, r#""http_content_type":"#);
        json::string(out, without_parameters(media_type).bytes());
    }
    if let Some(method) = pen.method(view) {
        json::member(out, r#""http_method":"#);
        json::string(out, method.bytes());
    }
    if let Some(first) = view.first_head() {
        json::member(out, r#""protocol":"HTTP/"#);
        out.extend_from_slice(first.version.number().as_bytes());
        out.push(b'"');
    }
    if let Some(status) = view.status() {
        json::member(out, r#""status":"#);
        number::unsigned(out, status.into());
    }
    json::member(out, r#""length":"#);
    let told = if view.child().is_some() { response.or(view.request()) } else { response };
    number::unsigned(out, told.map_or(0, |message| message.body.len));
    json::close(out);
}

/// EVE names the media type alone.
fn without_parameters(media_type: Redacted<'_>) -> Redacted<'_> {
    memchr(b';', media_type.bytes()).map_or(media_type, |end| media_type.first(end))
}

/// Anomalies and how well it was seen, where that is less than completely.
fn doubts(view: &View<'_>, pen: &mut Pen, out: &mut Vec<u8>) {
    let whole = |half: Option<&Message>| half.is_some_and(|message| message.seen == Seen::Complete);
    let (exchange, anomalies) = (view.exchange, view.anomalies());
    let child = view.child();
    let both = whole(view.request()) && whole(view.response());
    let clean = both && exchange.pairing == Pairing::Certain;
    let cut = pen.redactor.take_cut();
    if clean && anomalies.is_empty() && !cut && child.is_none() {
        return;
    }
    let name = |half: Option<&Message>| half.map_or(Seen::Missing.name(), |message| message.seen.name());
    json::object(out, "tapwire");
    if let Some(child) = child {
        if let Some(parent) = &child.parent {
            json::key(out, "parent");
            hex(out, &parent.0);
        }
        json::count(out, "child", child.index);
        json::own(out, "kind", child.kind.name());
        let half = if view.request().is_some() { "request" } else { "response" };
        json::own(out, half, name(view.request().or(view.response())));
    } else if !clean {
        json::own(out, "request", name(view.request()));
        json::own(out, "response", name(view.response()));
        json::own(out, "pairing", exchange.pairing.name());
    }
    if !anomalies.is_empty() {
        json::words(out, "anomalies", anomalies.iter().map(tapwire_protocol::Anomaly::name));
    }
    if cut {
        json::truth(out, "text_cut", true);
    }
    json::close(out);
}

fn hex(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    number::hex(out, bytes);
    out.push(b'"');
}

/// A stable positive number for a detector: FNV-1a of its name, without the sign bit.
fn signature_id(detector: &str) -> u32 {
    let hash = detector
        .bytes()
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    hash & 0x7fff_ffff
}

/// Suricata's priorities: 1 is worst.
const fn severity(severity: Severity) -> i64 {
    match severity {
        Severity::Critical | Severity::High => 1,
        Severity::Medium => 2,
        Severity::Low => 3,
        Severity::Informational => 4,
    }
}
