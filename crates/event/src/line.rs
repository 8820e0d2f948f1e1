//! One line for people: `12:00:01.123Z 10.0.0.7 user~3f2a GET shop /orders/{orderId} 200 1.2ms 3.1K`.

use crate::coverage::seen_share;
use crate::number;
use crate::pen::Pen;
use crate::sensor::{SensorCode, SensorReport};
use crate::time::Civil;
use crate::view::View;
use tapwire_detect::{Finding, Posture, Severity, Told};
use tapwire_expr::Value;
use tapwire_inventory::HourCoverage;
use tapwire_protocol::{Anomaly, Pairing, Seen};
use tapwire_wire::Timestamp;

const RED: &str = "\x1b[31m";
const YELLOW: &str = "\x1b[33m";
const GREEN: &str = "\x1b[32m";
const DIM: &str = "\x1b[2m";
const RESET: &str = "\x1b[0m";

/// Writes an exchange, without a line end.
pub(crate) fn exchange(view: &View<'_>, pen: &mut Pen, colour: bool, out: &mut Vec<u8>) {
    painted(out, colour, DIM, |out| clock(out, view.exchange.started()));
    column(out, 15, |out| number::ip(out, view.client().0));
    if view.call.is_some() {
        column(out, 12, |out| principal(view, pen, out));
    }
    operation(view, pen, out);
    status(view, colour, out);
    column(out, 7, |out| latency(view, out));
    column(out, 6, |out| size(view, out));
    remarks(view, colour, out);
    data_classes(view, colour, out);
    while out.last() == Some(&b' ') {
        out.pop();
    }
}

/// Writes a finding, without a line end.
pub(crate) fn finding(finding: &Finding, view: &View<'_>, pen: &mut Pen, colour: bool, out: &mut Vec<u8>) {
    let paint = if finding.severity >= Severity::High { RED } else { YELLOW };
    painted(out, colour, DIM, |out| clock(out, finding.time));
    column(out, 15, |out| number::ip(out, view.client().0));
    out.push(b' ');
    painted(out, colour, paint, |out| {
        out.extend_from_slice(b"! ");
        out.extend(finding.severity.name().bytes().map(|b| b.to_ascii_lowercase()));
        out.push(b' ');
        out.extend_from_slice(finding.found_by().as_bytes());
    });
    out.extend_from_slice(b" (");
    out.extend_from_slice(finding.outcome.name().as_bytes());
    out.extend_from_slice(b"): ");
    printable(out, pen.prose(&finding.reason).bytes());
}

/// Writes what is told of an incident, without a line end.
pub(crate) fn incident(told: &Told, pen: &mut Pen, colour: bool, out: &mut Vec<u8>) {
    let incident = &told.incident;
    let paint = if incident.worst.severity >= Severity::High { RED } else { YELLOW };
    painted(out, colour, DIM, |out| clock(out, told.time));
    out.push(b' ');
    painted(out, colour, paint, |out| {
        out.extend_from_slice(b"!! ");
        out.extend(incident.worst.severity.name().bytes().map(|b| b.to_ascii_lowercase()));
        out.extend_from_slice(b" incident ");
        number::hex(out, incident.uid.0.get(..4).unwrap_or_default());
        out.push(b' ');
        out.extend_from_slice(told.change.name().as_bytes());
    });
    out.extend_from_slice(b" (");
    out.extend_from_slice(incident.worst.outcome.name().as_bytes());
    let findings =
        format!(", {} finding{}): ", incident.findings, if incident.findings == 1 { "" } else { "s" });
    out.extend_from_slice(findings.as_bytes());
    printable(out, pen.prose(&incident.worst.reason).bytes());
}

/// Writes what a policy says of a service, without a line end.
pub(crate) fn posture(posture: &Posture, pen: &mut Pen, colour: bool, out: &mut Vec<u8>) {
    let severity = posture.rule.severity;
    let paint = if severity >= Severity::High && posture.stage.stands() { RED } else { YELLOW };
    painted(out, colour, DIM, |out| clock(out, posture.time));
    out.push(b' ');
    printable(out, pen.shown_service(&posture.service).as_bytes());
    painted(out, colour, paint, |out| {
        out.extend_from_slice(b" ! ");
        out.extend(severity.name().bytes().map(|b| b.to_ascii_lowercase()));
        out.push(b' ');
        out.extend_from_slice(posture.rule.id.as_bytes());
    });
    out.extend_from_slice(b" (");
    out.extend_from_slice(posture.stage.name().as_bytes());
    out.extend_from_slice(b"): ");
    printable(out, pen.prose(&posture.reason).bytes());
}

/// Writes a report of the sensor, without a line end.
pub(crate) fn sensor(report: &SensorReport, out: &mut Vec<u8>) {
    clock(out, report.time);
    out.push(b' ');
    out.extend_from_slice(report.code.name().as_bytes());
    out.extend_from_slice(b": ");
    printable(out, report.message.as_bytes());
}

/// Appends how well a service was seen in an hour.
pub(crate) fn coverage(hour: &HourCoverage, pen: &mut Pen, out: &mut Vec<u8>) {
    clock(out, hour.until);
    out.push(b' ');
    out.extend_from_slice(SensorCode::Coverage.name().as_bytes());
    out.extend_from_slice(b": ");
    printable(out, pen.named(&hour.service).bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(seen_share(&hour.seen).as_bytes());
}

/// Appends text that cannot steer a terminal: control, format and direction characters are percent-encoded.
pub(crate) fn printable(out: &mut Vec<u8>, bytes: &[u8]) {
    if bytes.iter().all(|b| (0x20..0x7f).contains(b)) {
        return out.extend_from_slice(bytes);
    }
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            let mut buffer = [0; 4];
            let encoded = c.encode_utf8(&mut buffer).as_bytes();
            if steers(c) {
                encoded.iter().for_each(|&b| number::percent(out, b))
            } else {
                out.extend_from_slice(encoded)
            }
        }
        chunk.invalid().iter().for_each(|&b| number::percent(out, b));
    }
}

/// Control characters, and those that reorder or hide what follows.
fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

fn clock(out: &mut Vec<u8>, time: Timestamp) {
    Civil::new(time).clock(out, 3);
    out.push(b'Z');
}

/// A column: a space, then text padded to a width.
fn column(out: &mut Vec<u8>, width: usize, write: impl FnOnce(&mut Vec<u8>)) {
    out.push(b' ');
    let from = out.len();
    write(out);
    let written = out.get(from..).map_or(0, |text| String::from_utf8_lossy(text).chars().count());
    out.extend(std::iter::repeat_n(b' ', width.saturating_sub(written)));
}

fn painted(out: &mut Vec<u8>, colour: bool, paint: &str, write: impl FnOnce(&mut Vec<u8>)) {
    if !colour {
        return write(out);
    }
    out.extend_from_slice(paint.as_bytes());
    write(out);
    out.extend_from_slice(RESET.as_bytes());
}

fn principal(view: &View<'_>, pen: &mut Pen, out: &mut Vec<u8>) {
    match pen.principal(view) {
        Some((kind, token)) => {
            out.extend_from_slice(kind.as_bytes());
            out.push(b'~');
            let digits = token.bytes().rsplit(|byte| *byte == b':').next();
            out.extend_from_slice(digits.and_then(|digits| digits.get(..4)).unwrap_or_default());
        }
        None => out.push(b'-'),
    }
}

/// Method, service and template or path, padded as one so that short ones line up.
fn operation(view: &View<'_>, pen: &mut Pen, out: &mut Vec<u8>) {
    column(out, 48, |out| {
        column_text(out, 6, pen.method(view).map_or(b"?", |method| method.bytes()));
        out.push(b' ');
        printable(out, pen.service(view).map_or(b"-", |service| service.bytes()));
        out.push(b' ');
        match pen.template(view) {
            Some(template) => printable(out, template.bytes()),
            None => path(view, pen, out),
        }
        if let Some(operation) = view.operation() {
            let from = out.len();
            out.push(b' ');
            printable(out, pen.operation(operation).bytes());
            if is_told_by_path(out, from) {
                out.truncate(from);
            }
        }
    });
}

/// Whether the operation that stands from `from` on, behind a space, is also the end of the path in front of it, as with gRPC.
fn is_told_by_path(line: &[u8], from: usize) -> bool {
    let Some((before, [_, operation @ ..])) = line.split_at_checked(from) else { return false };
    before.strip_suffix(operation).is_some_and(|path| path.ends_with(b"/"))
}

fn path(view: &View<'_>, pen: &mut Pen, out: &mut Vec<u8>) {
    printable(out, view.target().path.map_or(b"-", |path| pen.path(path).bytes()));
}

fn column_text(out: &mut Vec<u8>, width: usize, text: &[u8]) {
    let from = out.len();
    printable(out, text);
    let written = out.len() - from;
    out.extend(std::iter::repeat_n(b' ', width.saturating_sub(written)));
}

fn status(view: &View<'_>, colour: bool, out: &mut Vec<u8>) {
    let paint = match view.status() {
        Some(..400) => GREEN,
        Some(400..500) => YELLOW,
        _ => RED,
    };
    out.push(b' ');
    painted(out, colour, paint, |out| match view.status() {
        Some(status) => number::padded(out, status.into(), 3),
        None => out.extend_from_slice(b"???"),
    });
}

/// Three significant places at most: `850us`, `1.2ms`, `3.4s`.
fn latency(view: &View<'_>, out: &mut Vec<u8>) {
    match view.exchange.latency() {
        None => out.push(b'-'),
        Some(nanos @ ..1_000_000) => unit(out, nanos / 100, "us"),
        Some(nanos @ ..1_000_000_000) => unit(out, nanos / 100_000, "ms"),
        Some(nanos) => unit(out, nanos / 100_000_000, "s"),
    }
}

/// The response's body, in units of 1,024: `3.1K`.
fn size(view: &View<'_>, out: &mut Vec<u8>) {
    let told = if view.child().is_some() { view.response().or(view.request()) } else { view.response() };
    match told.map(|message| message.body.len) {
        None => out.push(b'-'),
        Some(bytes @ ..1024) => {
            number::unsigned(out, bytes);
            out.push(b'B');
        }
        Some(bytes @ ..1_048_576) => unit(out, bytes * 10 / 1024, "K"),
        Some(bytes @ ..1_073_741_824) => unit(out, bytes * 10 / 1_048_576, "M"),
        Some(bytes) => unit(out, (bytes / 1024 * 10) / 1_048_576, "G"),
    }
}

/// A number of tenths; from 100 on without the fraction.
fn unit(out: &mut Vec<u8>, tenths: u64, name: &str) {
    number::unsigned(out, tenths / 10);
    if tenths < 1000 && !tenths.is_multiple_of(10) {
        out.push(b'.');
        number::unsigned(out, tenths % 10);
    }
    out.extend_from_slice(name.as_bytes());
}

/// What sensitive data it carries: `card,email`.
fn data_classes(view: &View<'_>, colour: bool, out: &mut Vec<u8>) {
    let names =
        match crate::fields::choose("data_classes").ok().and_then(|fields| Some(fields.first()?.value(view)))
        {
            Some(Value::List(names)) if !names.is_empty() => names,
            _ => return,
        };
    out.push(b' ');
    painted(out, colour, RED, |out| {
        for (at, name) in names.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            out.extend_from_slice(name);
        }
    });
}

/// What is unusual: how it was seen, then anomalies.
fn remarks(view: &View<'_>, colour: bool, out: &mut Vec<u8>) {
    let mut words = Vec::new();
    if view.exchange.pairing == Pairing::Uncertain {
        words.push("uncertain");
    }
    if let Some(child) = view.child() {
        words.push(child.kind.name());
        words.push(if view.request().is_some() { "from-client" } else { "from-server" });
    }
    for (half, missing) in [(view.request(), "no-request"), (view.response(), "no-response")] {
        match half.map_or(Seen::Missing, |message| message.seen) {
            Seen::Complete => {}
            Seen::Missing if view.child().is_some() => {}
            Seen::Missing => words.push(missing),
            seen => words.push(seen.name()),
        }
    }
    words.extend(view.anomalies().iter().map(Anomaly::name));
    if !words.is_empty() {
        out.push(b' ');
        painted(out, colour, YELLOW, |out| out.extend_from_slice(words.join(",").as_bytes()));
    }
}
