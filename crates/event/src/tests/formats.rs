//! EVE, lines and columns.

use super::*;
use crate::{SensorCode, SensorReport, fields::choose};
use tapwire_protocol::{Anomaly, Pairing};

#[test]
fn eve_records_read_as_suricata_writes_them() {
    let event = json(&alone(Format::Eve, &ordinary()));
    let expected = serde_json::json!({
        "timestamp": "2026-01-01T12:00:00.000000+0000",
        "flow_id": 1,
        "event_type": "http",
        "src_ip": "10.0.0.7",
        "src_port": 40000,
        "dest_ip": "10.0.0.80",
        "dest_port": 8080,
        "proto": "TCP",
        "http": {
            "hostname": "shop.example",
            "url": event["http"]["url"],
            "http_user_agent": "curl/8.5.0",
            "http_content_type": "application/json",
            "http_method": "GET",
            "protocol": "HTTP/1.1",
            "status": 200,
            "length": 13,
        },
    });
    assert_eq!(event, expected);
    assert!(event["http"]["url"].as_str().unwrap().starts_with("/orders/17?page=2&token=tok:"));
}

#[test]
fn eve_tells_doubts_only_where_there_are_some() {
    let mut exchange = ordinary();
    exchange.pairing = Pairing::Uncertain;
    exchange.response = None;
    exchange.anomalies.insert(Anomaly::Pipelined);
    let event = json(&alone(Format::Eve, &exchange));
    let expected = serde_json::json!({
        "request": "complete", "response": "missing", "pairing": "uncertain", "anomalies": ["pipelined"],
    });
    assert_eq!(event["tapwire"], expected);
}

#[test]
fn findings_are_alerts_in_eve_and_a_line_for_people() {
    let call = call(ordinary());
    let view = View { exchange: &call.observation.exchange, call: Some(&call), source: "a.pcap" };
    let mut out = Vec::new();
    renderer(options(Format::Eve)).finding(&finding(), &view, 1, &mut out);
    let event = json(std::str::from_utf8(&out).unwrap());
    assert_eq!(event["event_type"], "alert");
    assert_eq!(event["alert"]["severity"], 1);
    assert_eq!(event["alert"]["category"], "credentials-in-url");
    out.clear();
    renderer(options(Format::Line)).finding(&finding(), &view, 1, &mut out);
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "12:00:00.000Z 10.0.0.7        ! high credentials-in-url (confirmed): GET /orders/{orderId} carries a token in the \
         query parameter 'token'.\n"
    );
}

#[test]
fn lines_are_aligned_and_name_the_template() {
    let call = call(ordinary());
    let mut exchange = call.observation.exchange.clone();
    exchange.response.as_mut().unwrap().started = exchange.started() + 1_234_567;
    exchange.response.as_mut().unwrap().body.len = 3_072;
    let view = View { exchange: &exchange, call: Some(&call), source: "eth0" };
    let line = rendered(&mut renderer(options(Format::Line)), &view);
    let words: Vec<&str> = line.split_whitespace().collect();
    assert_eq!(words[0..2], ["12:00:00.000Z", "10.0.0.7"]);
    assert!(words[2].starts_with("token~") && words[2].len() == 10, "{line}");
    assert_eq!(words[3..], ["GET", "shop", "/orders/{orderId}", "200", "1.2ms", "3K"]);
    assert!(!line.contains('\x1b'));
    let coloured = rendered(&mut renderer(Options { colour: true, ..options(Format::Line) }), &view);
    assert!(coloured.contains("\x1b[32m200\x1b[0m"));
}

#[test]
fn lines_cannot_steer_a_terminal() {
    let request = "GET /a\u{1b}]0;x\u{7}\u{202e}b HTTP/1.1\r\nHost: x\r\n\r\n";
    let line = alone(Format::Line, &exchange(1, request.as_bytes(), b"HTTP/1.1 200 OK\r\n\r\n"));
    assert!(line.contains("/a%1B]0%3Bx") || line.contains("%1B") || line.contains("tok:"), "{line}");
    assert!(!line.contains(['\u{1b}', '\u{7}', '\u{202e}']));
}

#[test]
fn columns_are_as_chosen() {
    let mut exchange = ordinary();
    exchange.flow.vlan = None;
    exchange.anomalies = [Anomaly::Pipelined, Anomaly::BareLf].into_iter().collect();
    let fields = choose("time,method,path,status,latency,vlan,anomalies").unwrap();
    let mut renderer = renderer(Options { fields, ..options(Format::Tsv) });
    let mut out = Vec::new();
    renderer.header(&mut out);
    renderer.exchange(&View { exchange: &exchange, call: None, source: "eth0" }, 1, &mut out);
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "time\tmethod\tpath\tstatus\tlatency\tvlan\tanomalies\n\
         2026-01-01T12:00:00.000000Z\tGET\t/orders/17\t200\t0.000\t\tbare-lf,pipelined\n"
    );
}

#[test]
fn reports_of_the_sensor_have_their_form_in_each_format() {
    let report = SensorReport {
        code: SensorCode::Degraded,
        time: Timestamp::from_parts(0, 0),
        message: "the ring is full".to_owned(),
        service: None,
        anomalies: tapwire_protocol::Anomalies::default(),
        told: Vec::new(),
        counters: vec![("dropped", 3)],
    };
    let of = |format| {
        let mut out = Vec::new();
        renderer(options(format)).sensor(&report, 1, &mut out);
        String::from_utf8(out).unwrap()
    };
    assert_eq!(of(Format::Line), "00:00:00.000Z sensor.degraded: the ring is full\n");
    assert_eq!(json(&of(Format::Eve))["stats"]["dropped"], 3);
    assert_eq!(of(Format::Tsv), "");
}
