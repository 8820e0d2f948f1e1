//! Records as Suricata's EVE log has them, so that tools built on EVE work: `http`, `alert` and `stats`.
//!
//! What EVE has no key for stands under `tapwire`, and only where it is not the usual: unclean or uncertain exchanges.

use crate::json;
use crate::number;
use crate::pen::Pen;
use crate::redact::Redacted;
use crate::sensor::SensorReport;
use crate::time::Civil;
use crate::view::View;
use memchr::memchr;
use tapwire_detect::{Finding, Severity};
use tapwire_protocol::{Message, Pairing, Seen};
use tapwire_wire::Timestamp;

/// Writes an `http` record, without a line end.
pub(crate) fn exchange(view: &View<'_>, pen: &mut Pen, out: &mut Vec<u8>) {
    preamble(view, view.exchange.started(), "http", out);
    http(view, pen, out);
    doubts(view, pen, out);
    json::close(out);
}

/// Writes an `alert` record with its exchange, without a line end.
pub(crate) fn finding(finding: &Finding, view: &View<'_>, pen: &mut Pen, out: &mut Vec<u8>) {
    preamble(view, finding.time, "alert", out);
    json::object(out, "alert");
    json::own(out, "action", "allowed");
    json::integer(out, "gid", 1);
    json::count(out, "signature_id", signature_id(finding.detector).into());
    json::integer(out, "rev", 1);
    json::text(out, "signature", pen.prose(&finding.reason));
    json::own(out, "category", finding.detector);
    json::integer(out, "severity", severity(finding.severity));
    json::close(out);
    http(view, pen, out);
    json::object(out, "tapwire");
    json::key(out, "finding");
    hex(out, &finding.uid.0);
    json::own(out, "outcome", finding.outcome.name());
    json::count(out, "confidence", finding.confidence.into());
    json::close(out);
    json::close(out);
}

/// Writes a `stats` record, without a line end.
pub(crate) fn sensor(report: &SensorReport, out: &mut Vec<u8>) {
    json::open(out);
    timestamp(out, report.time);
    json::own(out, "event_type", "stats");
    json::object(out, "tapwire");
    json::own(out, "event", report.code.name());
    json::own(out, "message", &report.message);
    json::close(out);
    json::object(out, "stats");
    report.counters.iter().for_each(|(name, value)| json::count(out, name, *value));
    json::close(out);
    json::close(out);
}

fn timestamp(out: &mut Vec<u8>, time: Timestamp) {
    json::key(out, "timestamp");
    out.push(b'"');
    Civil::new(time).date_time(out, 6);
    out.extend_from_slice(b"+0000\"");
}

fn preamble(view: &View<'_>, time: Timestamp, event_type: &str, out: &mut Vec<u8>) {
    json::open(out);
    timestamp(out, time);
    json::count(out, "flow_id", view.exchange.flow.id);
    json::own(out, "event_type", event_type);
    let (client, server) = (view.client(), view.server());
    json::key(out, "src_ip");
    address(out, client.0);
    json::count(out, "src_port", client.1.into());
    json::key(out, "dest_ip");
    address(out, server.0);
    json::count(out, "dest_port", server.1.into());
    json::own(out, "proto", "TCP");
}

fn address(out: &mut Vec<u8>, ip: std::net::IpAddr) {
    out.push(b'"');
    number::ip(out, ip);
    out.push(b'"');
}

fn http(view: &View<'_>, pen: &mut Pen, out: &mut Vec<u8>) {
    json::object(out, "http");
    if let Some(host) = pen.host(view) {
        json::text(out, "hostname", host);
    }
    if let Some(url) = pen.target(view) {
        json::text(out, "url", url);
    }
    if let Some(agent) = view.request().and_then(|request| pen.header(request, b"user-agent")) {
        json::text(out, "http_user_agent", agent);
    }
    if let Some(media_type) = view.response().and_then(|response| pen.header(response, b"content-type")) {
        json::text(out, "http_content_type", without_parameters(media_type));
    }
    if let Some(method) = pen.method(view) {
        json::text(out, "http_method", method);
    }
    if let Some(first) = view.first() {
        json::key(out, "protocol");
        out.extend_from_slice(b"\"HTTP/");
        out.extend_from_slice(first.head.version.number().as_bytes());
        out.push(b'"');
    }
    if let Some(status) = view.status() {
        json::count(out, "status", status.into());
    }
    json::count(out, "length", view.response().map_or(0, |response| response.body.len));
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
    let clean = whole(view.request()) && whole(view.response()) && exchange.pairing == Pairing::Certain;
    let cut = pen.redactor.take_cut();
    if clean && anomalies.is_empty() && !cut {
        return;
    }
    let name = |half: Option<&Message>| half.map_or(Seen::Missing.name(), |message| message.seen.name());
    json::object(out, "tapwire");
    if !clean {
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
