//! An event as a page that a person reads: what it is, who asked, what was asked and answered, how well it was seen, and
//! what is wrong with it.

use crate::paper::{Paper, plain};
use crate::sheet::{Piece, Sheet};
use crate::size::{self, counted};
use crate::story;
use crate::summary::milliseconds;
use serde_json::Value;
use std::collections::BTreeMap;
use tapwire_inspect::STYLES;

/// A page for each exchange, with the findings about it; findings whose exchange is not among the events stand alone.
pub(crate) fn pages(events: &[Value]) -> String {
    let (incidents, rest): (Vec<&Value>, Vec<&Value>) = events.iter().partition(|event| is_incident(event));
    let mut paper = Paper::new(true);
    // What was told last of each is what is known of it.
    let told: BTreeMap<&str, &Value> =
        incidents.iter().filter_map(|event| Some((text(event, "/unmapped/incident")?, *event))).collect();
    let is_of = |event: &Value, uid: &str| text(event, "/unmapped/incident") == Some(uid);
    for (at, (uid, event)) in told.iter().enumerate() {
        if at > 0 {
            paper.line("");
        }
        let findings: Vec<&Value> = rest.iter().filter(|one| is_of(one, uid)).copied().collect();
        story::incident(event, &findings, &mut paper);
    }
    // The first finding of an incident has its name: it is told with it.
    let alone = rest.into_iter().filter(|event| !told.keys().any(|uid| is_of(event, uid)));
    let (findings, exchanges): (Vec<&Value>, Vec<&Value>) = alone.partition(|event| is_finding(event));
    for (at, event) in exchanges.iter().enumerate() {
        if at > 0 {
            paper.line("");
        }
        let about = findings.iter().filter(|finding| is_about(finding, event));
        exchange(event, &about.copied().collect::<Vec<_>>(), &mut paper);
    }
    let alone = findings.iter().filter(|finding| !exchanges.iter().any(|event| is_about(finding, event)));
    for (at, event) in alone.enumerate() {
        if at + exchanges.len() > 0 {
            paper.line("");
        }
        finding(event, &mut paper);
    }
    paper.into_text()
}

pub(crate) fn is_incident(event: &Value) -> bool {
    event.get("finding_info_list").is_some()
}

pub(crate) fn is_finding(event: &Value) -> bool {
    event.get("finding_info").is_some()
}

fn is_about(finding: &Value, exchange: &Value) -> bool {
    let uid = text(exchange, "/metadata/uid");
    let named = finding.pointer("/unmapped/exchanges").and_then(Value::as_array);
    uid.is_some() && named.into_iter().flatten().any(|named| named.as_str() == uid)
}

fn exchange(event: &Value, findings: &[&Value], paper: &mut Paper) {
    let title = format!("Exchange {}", text(event, "/metadata/uid").unwrap_or_default());
    paper.line(&paper.strong(&title));
    paper.hang("  ", &line(event));
    carried_by(event).iter().for_each(|carried| paper.hang("  ", carried));
    sheet(event).print(paper);
    if !findings.is_empty() {
        paper.heading("Findings");
        for event in findings {
            let what = format!("{}: {}", told(event, "/finding_info/title"), told(event, "/unmapped/reason"));
            paper.row(&told(event, "/severity"), &what);
            steps(event, paper);
        }
    }
}

/// Everything that is known of an exchange itself.
pub(crate) fn sheet(event: &Value) -> Sheet {
    let mut sheet = Sheet::default();
    passed(event, &mut sheet);
    who(event, &mut sheet);
    request(event, &mut sheet);
    response(event, &mut sheet);
    said(event, &mut sheet);
    tls(event, &mut sheet);
    seen(event, &mut sheet);
    sheet
}

fn finding(event: &Value, paper: &mut Paper) {
    let title = format!("Finding {}", text(event, "/finding_info/uid").unwrap_or_default());
    paper.line(&paper.strong(&title));
    paper.hang("  ", &format!("{}: {}", told(event, "/severity"), told(event, "/finding_info/title")));
    let mut what = Sheet::default();
    what.heading("What");
    rows(
        event,
        &mut what,
        &[
            ("reason", "/unmapped/reason"),
            ("outcome", "/unmapped/outcome"),
            ("detector", "/unmapped/detector"),
        ],
    );
    rows(
        event,
        &mut what,
        &[("OWASP", "/unmapped/owasp"), ("CWE", "/unmapped/cwe"), ("exchanges", "/unmapped/exchanges")],
    );
    what.row("time", &time(event));
    what.print(paper);
    steps(event, paper);
    if let Some(evidence) = event.pointer("/evidences/0") {
        let mut sheet = Sheet::default();
        who(evidence, &mut sheet);
        request(evidence, &mut sheet);
        response(evidence, &mut sheet);
        sheet.print(paper);
    }
}

fn steps(event: &Value, paper: &mut Paper) {
    let steps = event.pointer("/unmapped/next_steps").and_then(Value::as_array);
    let mut name = "what to do";
    for step in steps.into_iter().flatten().filter_map(Value::as_str) {
        paper.row(name, &plain(step));
        name = "";
    }
}

/// What carries a message, or the end of a stream.
pub(crate) fn carried_by(event: &Value) -> Option<String> {
    let (parent, kind) = (text(event, "/unmapped/parent")?, text(event, "/unmapped/kind")?);
    let number = number(event, "/unmapped/child").map(|number| format!(" {number}")).unwrap_or_default();
    Some(format!("{}{number} of exchange {}", plain(kind), plain(parent)))
}

/// What passed, where this is the end of a stream.
fn passed(event: &Value, sheet: &mut Sheet) {
    let totals = carried_by(event).and_then(|_| event.pointer("/unmapped/totals"));
    if let Some(totals) = totals {
        sheet.heading("All that passed");
        facts(totals, sheet);
    }
}

/// What is called, where path and method do not say it.
fn operation(event: &Value, sheet: &mut Sheet) {
    let Some(operation) = text(event, "/api/operation").or_else(|| text(event, "/unmapped/operation")) else {
        return;
    };
    let place = text(event, "/unmapped/endpoint/template").or_else(|| text(event, "/http_request/url/path"));
    let method = text(event, "/http_request/http_method").unwrap_or_default();
    if operation != method && Some(operation) != place.map(|place| format!("{method} {place}")).as_deref() {
        sheet.row("operation", &plain(operation));
    }
}

/// What the payload says, an object a style of calls.
fn said(event: &Value, sheet: &mut Sheet) {
    for style in STYLES {
        if let Some(said) = event.pointer(&format!("/unmapped/{}", style.name)) {
            sheet.heading(format!("What it says as {}", style.name));
            facts(said, sheet);
        }
    }
}

/// What a payload says, fact by fact.
fn facts(object: &Value, sheet: &mut Sheet) {
    let Value::Object(members) = object else { return };
    for (key, fact) in members {
        sheet.add(Piece::Fact(key.replace('_', " "), fact_told(fact)));
    }
}

/// A fact for people: what lies deeper is put in brackets.
fn fact_told(fact: &Value) -> String {
    match fact {
        Value::Bool(truth) => if *truth { "yes" } else { "no" }.into(),
        Value::String(text) => plain(text),
        Value::Array(items) if items.is_empty() => "none".into(),
        Value::Array(items) => {
            let one = |item: &Value| {
                if item.is_object() { format!("({})", fact_told(item)) } else { fact_told(item) }
            };
            items.iter().map(one).collect::<Vec<_>>().join(", ")
        }
        Value::Object(members) => {
            let one = |(key, fact): (&String, &Value)| match fact {
                Value::Object(_) => format!("{} ({})", key.replace('_', " "), fact_told(fact)),
                fact => format!("{} {}", key.replace('_', " "), fact_told(fact)),
            };
            members.iter().map(one).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

/// What the hellos of the connection around it say.
fn tls(event: &Value, sheet: &mut Sheet) {
    if event.pointer("/unmapped/seen/decrypted").and_then(Value::as_bool) != Some(true) {
        return;
    }
    sheet.heading("TLS");
    sheet.row("decrypted", "yes: the exchange was read out of TLS with the keys that were given");
    rows(event, sheet, &[("server name", "/unmapped/sni"), ("JA3", "/unmapped/ja3")]);
    rows(event, sheet, &[("JA3S", "/unmapped/ja3s"), ("JA4", "/unmapped/ja4")]);
}

/// The exchange in a line, as `--format line` has it.
pub(crate) fn line(event: &Value) -> String {
    let mut parts =
        vec![time(event), told(event, "/src_endpoint/ip"), told(event, "/http_request/http_method")];
    parts.push(told(event, "/api/service/name"));
    parts.push(
        text(event, "/unmapped/endpoint/template")
            .map_or_else(|| told(event, "/http_request/url/path"), plain),
    );
    parts.push(told(event, "/http_response/code"));
    parts.extend(number(event, "/http_response/latency").map(waited));
    parts.extend(failed(event).then(|| "failed".to_owned()));
    parts.extend(number(event, "/http_response/body_length").map(size::bytes));
    parts.join(" ")
}

fn who(event: &Value, sheet: &mut Sheet) {
    sheet.heading("Who");
    sheet.row("client", &endpoint(event, "/src_endpoint"));
    sheet.row("server", &endpoint(event, "/dst_endpoint"));
    let principal = (text(event, "/unmapped/principal/kind"), text(event, "/unmapped/principal/token"));
    if let (Some(kind), Some(token)) = principal {
        sheet.row("principal", &format!("{kind}, {}", plain(token)));
    }
    rows(event, sheet, &[("user agent", "/http_request/user_agent"), ("through", "/unmapped/proxy")]);
}

fn endpoint(event: &Value, path: &str) -> String {
    match (text(event, &format!("{path}/ip")), number(event, &format!("{path}/port"))) {
        (Some(ip), Some(port)) => format!("{ip} port {port}"),
        _ => "not seen".into(),
    }
}

fn request(event: &Value, sheet: &mut Sheet) {
    sheet.heading("Request");
    operation(event, sheet);
    let Some(request) = event.get("http_request") else {
        sheet.add(Piece::Said(missing(event, "request")));
        return;
    };
    let query = text(request, "/url/query_string").map(|query| format!("?{query}")).unwrap_or_default();
    let target = format!("{}{query}", text(request, "/url/path").unwrap_or_default());
    sheet.row("target", &format!("{} {}", told(request, "/http_method"), plain(&target)));
    rows(
        event,
        sheet,
        &[("host", "/http_request/url/hostname"), ("endpoint", "/unmapped/endpoint/template")],
    );
    body(request, sheet);
    headers(request, sheet);
}

/// A message goes one way: nothing is missing beside it.
fn missing(event: &Value, half: &str) -> &'static str {
    let message = event.pointer("/unmapped/parent").is_some();
    let none = message && event.pointer(&format!("/unmapped/seen/{half}")).is_none();
    if none { "none: a message goes one way" } else { "not seen" }
}

fn response(event: &Value, sheet: &mut Sheet) {
    sheet.heading("Response");
    let Some(response) = event.get("http_response") else {
        sheet.add(Piece::Said(missing(event, "response")));
        return;
    };
    let latency = number(response, "/latency").map(|millis| format!(", after {}", waited(millis)));
    sheet.row("status", &format!("{}{}", told(response, "/code"), latency.unwrap_or_default()));
    if failed(event) {
        sheet.row("outcome", "failed: the payload says so, whatever the status");
    }
    body(response, sheet);
    headers(response, sheet);
}

/// Milliseconds are whole in events.
fn waited(millis: u64) -> String {
    if millis == 0 { "less than 1 ms".into() } else { format!("{millis} ms") }
}

/// Whether the payload says that the call failed.
fn failed(event: &Value) -> bool {
    event.pointer("/unmapped/failed").and_then(Value::as_bool) == Some(true)
}

fn body(half: &Value, sheet: &mut Sheet) {
    let length = match number(half, "/body_length") {
        Some(0) => "none".into(),
        Some(length) => size::bytes(length),
        None => "not seen".into(),
    };
    sheet.row("body", &length);
}

fn headers(half: &Value, sheet: &mut Sheet) {
    let headers = half.get("http_headers").and_then(Value::as_array);
    for header in headers.into_iter().flatten() {
        let name = plain(text(header, "/name").unwrap_or_default());
        sheet.add(Piece::Header(name, told(header, "/value")));
    }
}

fn seen(event: &Value, sheet: &mut Sheet) {
    sheet.heading("How well it was seen");
    rows(event, sheet, &[("request", "/unmapped/seen/request"), ("response", "/unmapped/seen/response")]);
    rows(event, sheet, &[("pairing", "/unmapped/seen/pairing"), ("anomalies", "/unmapped/anomalies")]);
    match number(event, "/unmapped/seen/missed_bytes") {
        Some(0) | None => {}
        Some(missed) => sheet.row("missed", &counted(missed, "byte")),
    }
    if event.pointer("/unmapped/seen/joined_late").and_then(Value::as_bool) == Some(true) {
        sheet.row("connection", "was open before the capture began");
    }
    let of = |half: &str| {
        let frame = |at: usize| number(event, &format!("/unmapped/packets/{half}/{at}"));
        Some(format!("{half} {}-{}", frame(0)?, frame(1)?))
    };
    let frames: Vec<String> = ["request", "response"].into_iter().filter_map(of).collect();
    if !frames.is_empty() {
        sheet.row("packets", &format!("{} of {}", frames.join(", "), told(event, "/unmapped/source")));
    }
    rows(event, sheet, &[("flow", "/unmapped/community_id"), ("stream", "/unmapped/stream")]);
    rows(event, sheet, &[("protocols", "/unmapped/protocols")]);
}

/// A row for each value that is there.
fn rows(event: &Value, sheet: &mut Sheet, wanted: &[(&str, &str)]) {
    for (name, path) in wanted {
        if event.pointer(path).is_some_and(|value| !value.is_null()) {
            sheet.row(name, &told(event, path));
        }
    }
}

fn text<'e>(event: &'e Value, path: &str) -> Option<&'e str> {
    event.pointer(path).and_then(Value::as_str)
}

fn number(event: &Value, path: &str) -> Option<u64> {
    event.pointer(path).and_then(Value::as_u64)
}

/// A value for people.
fn told(event: &Value, path: &str) -> String {
    match event.pointer(path) {
        None | Some(Value::Null) => "not seen".into(),
        Some(Value::String(text)) => plain(text),
        Some(Value::Array(items)) => items
            .iter()
            .map(|item| item.as_str().map_or_else(|| item.to_string(), plain))
            .collect::<Vec<_>>()
            .join(", "),
        Some(other) => plain(&other.to_string()),
    }
}

fn time(event: &Value) -> String {
    event.get("time").and_then(Value::as_i64).map_or_else(|| "not seen".into(), milliseconds)
}
