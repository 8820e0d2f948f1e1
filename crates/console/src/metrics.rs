//! `/metrics`: figures in the text format of Prometheus, version 0.0.4.

use crate::books::{Level, Output, Snapshot, Tap};
use crate::server::Shelf;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use std::fmt::Write;

/// Services with series of their own; names come from traffic, and a scraper's memory is not theirs to fill.
const SERVICES: usize = 200;

pub(crate) async fn metrics(State(books): State<Shelf>) -> Response {
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], text(&books.snapshot(), books.tap(), &books.outputs())).into_response()
}

fn text(snapshot: &Snapshot, tap: Option<Tap>, outputs: &[Output]) -> String {
    let mut out = Page::default();
    let open = |level| snapshot.open().filter(|one| one.level == level).count();
    out.family("tapwire_incidents_open", "gauge", "Incidents that go on, by level.");
    Level::ALL.iter().for_each(|level| out.line("level", level.name(), open(*level)));
    out.one("tapwire_endpoints", "gauge", "Endpoints in the inventory.", snapshot.endpoints.len());
    out.one("tapwire_callers", "gauge", "Callers that are known.", snapshot.callers.len());
    let standing = snapshot.postures.iter().filter(|posture| posture.stands).count();
    out.one("tapwire_posture_findings", "gauge", "Findings of posture that stand.", standing);
    let mut services: Vec<_> = snapshot.services.iter().collect();
    services.sort_by_key(|service| std::cmp::Reverse(service.calls));
    services.truncate(SERVICES);
    out.family("tapwire_service_calls_total", "counter", "Calls by service: the 200 with the most.");
    services.iter().for_each(|service| out.line("service", &service.name, service.calls));
    out.family(
        "tapwire_service_findings_total",
        "counter",
        "Findings by service: the 200 with the most calls.",
    );
    services.iter().for_each(|service| out.line("service", &service.name, service.findings));
    out.family("tapwire_kpi_ratio", "gauge", "KPIs and blind spots that are shares, from 0 to 1.");
    for figure in snapshot.figures.iter().chain(&snapshot.blind_spots) {
        figure.share.into_iter().for_each(|share| out.line("kpi", &figure.name, share));
    }
    out.family("tapwire_stage_counter", "gauge", "Counters of every stage, by their path.");
    counters("", &snapshot.counters, &mut out);
    tap.iter().for_each(|tap| of_tap(tap, &mut out));
    of_outputs(outputs, &mut out);
    out.text
}

fn of_tap(tap: &Tap, out: &mut Page) {
    out.one("tapwire_tap_packets_total", "counter", "Packets that were read.", tap.packets);
    out.one("tapwire_tap_exchanges_total", "counter", "Exchanges that were found.", tap.exchanges);
    out.family(
        "tapwire_tap_dropped_packets_total",
        "counter",
        "Packets that were lost before they were read, by who lost them.",
    );
    tap.dropped.iter().for_each(|(by, packets)| out.line("by", by, packets));
    out.one("tapwire_tap_outages_total", "counter", "Times that an interface was away.", tap.outages);
    let milliseconds = "Milliseconds in which an interface was away.";
    out.one("tapwire_tap_outage_milliseconds_total", "counter", milliseconds, tap.outage_ms);
    let level = "What is shed while the run falls behind, from 0, nothing.";
    out.one("tapwire_tap_shed_level", "gauge", level, tap.shed_level);
}

fn of_outputs(outputs: &[Output], out: &mut Page) {
    if outputs.is_empty() {
        return;
    }
    out.family(
        "tapwire_output_events_total",
        "counter",
        "Events of outputs on the network, by what became of them.",
    );
    for output in outputs {
        for (state, events) in &output.events {
            out.labels("", &[("output", &output.name), ("state", state)], events);
        }
    }
    out.family(
        "tapwire_output_delay_seconds",
        "histogram",
        "From the last packet of an answer until the receiver had its events.",
    );
    for output in outputs {
        let name = ("output", output.name.as_str());
        for (bound, events) in &output.delays {
            let bound = if bound.is_finite() { bound.to_string() } else { "+Inf".to_owned() };
            out.labels("_bucket", &[name, ("le", &bound)], events);
        }
        out.labels("_sum", &[name], output.delay_sum);
        out.labels("_count", &[name], output.delays.last().map_or(0, |(_, all)| *all));
    }
}

fn counters(path: &str, value: &Value, out: &mut Page) {
    match value {
        Value::Object(members) => members.iter().for_each(|(name, member)| {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            counters(&path, member, out);
        }),
        Value::Number(number) => out.line("counter", path, number),
        _ => {}
    }
}

#[derive(Default)]
struct Page {
    text: String,
    name: &'static str,
}

impl Page {
    fn family(&mut self, name: &'static str, kind: &str, help: &str) {
        self.name = name;
        // Text grows without failing.
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn line(&mut self, label: &str, value: &str, number: impl std::fmt::Display) {
        self.labels("", &[(label, value)], number);
    }

    fn labels(&mut self, suffix: &str, labels: &[(&str, &str)], number: impl std::fmt::Display) {
        let one = |(label, value): &(&str, &str)| {
            let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            format!("{label}=\"{value}\"")
        };
        let labels: Vec<String> = labels.iter().map(one).collect();
        let _ = writeln!(self.text, "{}{suffix}{{{}}} {number}", self.name, labels.join(","));
    }

    fn one(&mut self, name: &'static str, kind: &str, help: &str, number: impl std::fmt::Display) {
        self.family(name, kind, help);
        let _ = writeln!(self.text, "{name} {number}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::books::Service;

    #[test]
    fn a_name_of_traffic_stays_in_its_label() {
        let name = "a\"} 7\nb\\c".to_owned();
        let snapshot = Snapshot {
            services: vec![Service { name, calls: 3, ..Service::default() }],
            counters: serde_json::json!({"wire": {"packets": 5, "why": "text"}}),
            ..Snapshot::default()
        };
        let output = Output {
            name: "siem".into(),
            events: vec![("delivered", 7)],
            delays: vec![(0.5, 6), (f64::INFINITY, 7)],
            delay_sum: 1.5,
            ..Output::default()
        };
        let tap = Tap { packets: 9, dropped: [("kernel", 4), ("interface", 1)], ..Tap::default() };
        let text = text(&snapshot, Some(tap), &[output]);
        assert!(text.contains("\ntapwire_tap_packets_total 9\n"), "{text}");
        assert!(text.contains("\ntapwire_tap_dropped_packets_total{by=\"kernel\"} 4\n"), "{text}");
        assert!(text.contains("tapwire_service_calls_total{service=\"a\\\"} 7\\nb\\\\c\"} 3\n"), "{text}");
        assert!(text.contains("tapwire_stage_counter{counter=\"wire.packets\"} 5\n"), "{text}");
        assert!(
            text.contains("tapwire_output_events_total{output=\"siem\",state=\"delivered\"} 7\n"),
            "{text}"
        );
        assert!(
            text.contains(
                "tapwire_output_delay_seconds_bucket{output=\"siem\",le=\"0.5\"} 6\n\
                 tapwire_output_delay_seconds_bucket{output=\"siem\",le=\"+Inf\"} 7\n\
                 tapwire_output_delay_seconds_sum{output=\"siem\"} 1.5\n\
                 tapwire_output_delay_seconds_count{output=\"siem\"} 7\n"
            ),
            "{text}"
        );
        assert!(text.lines().all(|line| line.starts_with('#') || line.starts_with("tapwire_")), "{text}");
    }
}
