//! Every counter of every stage, so that conservation can be checked from outside.

use crate::paper::Paper;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tapwire_pipeline::{Report, Stage};

/// In and out of each stage.
pub(crate) fn stages(report: &Report) -> Value {
    json!({
        "capture": capture(report),
        "wire": wire(report),
        "flow": flow(report),
        "protocol": protocol(report),
        "tls": tls(report),
        "inspect": {
            "evicted_messages": report.inspect.evicted_messages, "orphan_parts": report.inspect.orphan_parts,
            "unread_values": report.inspect.unread_values, "unread_answers": report.inspect.unread_answers,
        },
        "inventory": inventory(report),
        "coverage": coverage(report),
        "detect": {
            "findings": report.tally.findings, "records": report.detect.records,
            "evicted_records": report.detect.evicted_records, "expired_records": report.detect.expired_records,
        },
        "rules": rules(report),
        "analyst": analyst(report),
        "packets": packets(report),
        "state": state(report),
        "sinks": sinks(report),
    })
}

/// The counters that are not 0, by stage.
pub(crate) fn page(report: &Report, paper: &mut Paper) {
    paper.heading("Counters");
    let Value::Object(stages) = stages(report) else { return };
    let mut rows = Vec::new();
    for (stage, counters) in &stages {
        flatten(stage, counters, &mut rows);
    }
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, value) in rows {
        paper.line(&format!("  {name:<width$}  {:>15}", value));
    }
    pace(report, paper);
}

/// How long an exchange takes in each stage: the figures differ from run to run, so they are no counters.
fn pace(report: &Report, paper: &mut Paper) {
    let timed = Stage::ALL.into_iter().filter_map(|stage| Some((stage.name(), report.pace.nanos(stage)?)));
    for (at, (stage, nanos)) in timed.enumerate() {
        if at == 0 {
            paper.heading("Time an exchange takes");
        }
        paper.line(&format!("  {stage:<12} {nanos:>9} ns"));
    }
}

fn flatten(path: &str, value: &Value, rows: &mut Vec<(String, String)>) {
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(name, member)| flatten(&format!("{path}.{name}"), member, rows));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, item)| flatten(&format!("{path}.{at}"), item, rows));
        }
        Value::Number(number) if number.as_u64() != Some(0) => {
            rows.push((path.to_owned(), crate::size::count(number.as_u64().unwrap_or(0))));
        }
        Value::String(text) => rows.push((path.to_owned(), text.clone())),
        _ => {}
    }
}

fn capture(report: &Report) -> Value {
    let source = &report.source;
    json!({
        "received": source.received, "delivered": source.delivered, "filtered": source.filtered,
        "bytes": source.bytes,
        "dropped_kernel": source.dropped_kernel, "dropped_interface": source.dropped_interface,
        "unread": source.unread,
        "lanes": report.lane_packets, "handed_over": report.lanes.handed_over, "lane_full": report.lanes.lane_full,
        "outages": source.outages, "outage_ms": source.outage_ms,
        "secrets_bytes": source.secrets, "secrets_bytes_dropped": source.secrets_dropped,
    })
}

fn wire(report: &Report) -> Value {
    let wire = &report.wire;
    let skipped: BTreeMap<String, u64> =
        wire.skipped.iter().map(|((layer, reason), count)| (format!("{layer}/{reason}"), *count)).collect();
    json!({
        "packets": wire.packets, "bytes": wire.bytes, "cut_packets": wire.cut_packets, "segments": wire.segments,
        "skipped": skipped, "fragments": fragments(&wire.fragments),
    })
}

fn fragments(fragments: &tapwire_wire::FragmentCounters) -> Value {
    let fates: BTreeMap<&str, u64> = fragments.fates().map(|(fate, count)| (fate.name(), count)).collect();
    json!({
        "seen": fragments.fragments, "held": fragments.held, "fates": fates,
        "datagrams": fragments.datagrams, "conflicts": fragments.conflicts,
    })
}

fn flow(report: &Report) -> Value {
    let flow = &report.flow;
    json!({
        "segments": flow.segments, "segment_fates": fates(&flow.segment_fates()),
        "payload_bytes": flow.payload_bytes, "byte_fates": fates(&flow.byte_fates()),
        "gaps": flow.gaps, "gap_bytes": flow.gap_bytes, "missed_bytes": flow.missed_bytes,
        "acknowledged_bytes": flow.acknowledged_bytes, "cut_bytes": flow.cut_bytes,
        "gaps_for_memory": flow.gaps_for_memory, "waits_given_up": flow.waits_given_up,
        "overlap_conflicts": flow.overlap_conflicts, "rst_out_of_window": flow.rst_out_of_window,
        "never_acknowledged": flow.never_acknowledged, "fins_withdrawn": flow.fins_withdrawn,
        "offloaded_senders": flow.offloaded_senders, "revived": flow.revived, "alarms_refused": flow.alarms_refused,
        "flows_opened": flow.flows_opened, "flows_without_syn": flow.flows_without_syn,
        "flows_one_sided": flow.flows_one_sided, "flow_fates": fates(&flow.flow_fates()),
        "memory_peak": flow.memory_peak,
    })
}

fn protocol(report: &Report) -> Value {
    let protocol = &report.protocol;
    json!({
        "bytes_in": protocol.bytes_in, "head_bytes": protocol.head_bytes, "body_bytes": protocol.body_bytes,
        "framing_bytes": protocol.framing_bytes, "blank_bytes": protocol.blank_bytes,
        "tunnel_bytes": protocol.tunnel_bytes, "lost_bytes": protocol.lost_bytes,
        "opaque_bytes": protocol.opaque_bytes, "exchanges": protocol.exchanges,
        "paired": protocol.paired, "uncertain": protocol.uncertain, "requests_alone": protocol.requests_alone,
        "responses_alone": protocol.responses_alone, "children": protocol.children,
        "children_left_out": protocol.children_left_out, "interim_responses": protocol.interim_responses,
        "truncated_messages": protocol.truncated_messages, "tunnels": protocol.tunnels,
        "too_many_outstanding": protocol.too_many_outstanding,
        "ends_dropped": protocol.ends_dropped, "knocks_dropped": protocol.knocks_dropped,
    })
}

fn tls(report: &Report) -> Value {
    let tls = &report.tls;
    json!({
        "connections": tls.connections, "decrypted": tls.decrypted, "no_keys": tls.no_keys,
        "wrong_keys": tls.wrong_keys, "hopeless": tls.hopeless, "not_allowed": tls.not_allowed,
        "records": tls.records, "record_fates": {
            "opened": tls.opened, "failed": tls.failed, "blind": tls.blind,
        },
        "content_bytes": tls.content_bytes, "no_room_bytes": tls.no_room, "quic_connections": report.behind_tls.quic,
        "quic_given_up": tls.quic_given_up,
        "secrets": tls.keys.secrets, "secrets_unused": tls.keys.unused, "lines_malformed": tls.keys.malformed,
        "sessions_evicted": tls.keys.evicted, "services_beyond": report.behind_tls.overflow,
    })
}

fn inventory(report: &Report) -> Value {
    let Some(inventory) = &report.inventory else { return json!({}) };
    let counters = inventory.counters();
    json!({
        "services": inventory.services().count(), "endpoints": inventory.endpoints().count(),
        "without_request": counters.without_request, "unvouched": counters.unvouched,
        "beyond_services": counters.beyond_services, "evicted_services": counters.evicted_services,
        "beyond_endpoints": counters.beyond_endpoints,
    })
}

/// Users' rules: what was judged, and what found no room.
fn rules(report: &Report) -> Value {
    let Some(rules) = &report.rules else { return json!({}) };
    json!({
        "rules": rules.rules, "judged": rules.judged, "findings": rules.findings, "groups": rules.groups,
        "evicted_groups": rules.evicted_groups, "cut_texts": rules.cut_texts,
        "groups_left_out": rules.groups_left_out,
    })
}

fn coverage(report: &Report) -> Value {
    let counters = report.coverage.counters();
    json!({
        "beyond_services": counters.beyond_services, "unplaced_ends": counters.unplaced_ends,
        "shed_ends": report.shedding.ends,
    })
}

fn analyst(report: &Report) -> Value {
    let (tally, shedding) = (&report.tally, &report.shedding);
    json!({
        "exchanges": tally.exchanges, "reported": tally.reported, "filtered": tally.filtered,
        "shed": tally.shed, "shed_precious": shedding.precious, "beyond_limit": tally.beyond_limit,
        "findings": tally.findings, "shed_level_worst": shedding.worst as u64, "shed_level_changes": shedding.changes,
        "in_flight_bytes_peak": shedding.peak_bytes,
    })
}

fn packets(report: &Report) -> Value {
    let Some(packets) = &report.packets else { return json!({}) };
    let ring = &packets.ring;
    json!({
        "offered": packets.offered, "no_connection": packets.no_connection,
        "fates": {
            "written": ring.written, "failed": ring.failed, "behind": packets.behind, "shed": packets.shed,
        },
        "written_bytes": ring.written_bytes, "segments": ring.segments, "evicted_segments": ring.evicted_segments,
        "pins": ring.pins, "refused_pins": ring.refused_pins, "pinned": ring.pinned,
        "unrescued_bytes": ring.unrescued_bytes, "evicted_pinned_segments": ring.evicted_pinned_segments,
    })
}

/// Checkpoints of what was learned, and how long calls had to wait for a piece of one.
fn state(report: &Report) -> Value {
    let Some(state) = &report.state else { return json!({}) };
    let longest = u64::try_from(state.longest.as_micros()).unwrap_or(u64::MAX);
    json!({ "written": state.written, "bytes": state.bytes, "longest_piece_us": longest })
}

fn sinks(report: &Report) -> Value {
    let sink = |sink: &tapwire_sink::SinkReport| {
        json!({
            "destination": sink.destination, "accepted": sink.counts.accepted.events,
            "delivered": sink.counts.delivered.events, "dropped": sink.counts.dropped_total().events,
            "resumed": sink.counts.resumed.events, "kept": sink.counts.kept.events,
            "retries": sink.counts.retries,
        })
    };
    report.sinks.iter().map(sink).collect()
}

fn fates(fates: &[(&'static str, u64)]) -> BTreeMap<&'static str, u64> {
    fates.iter().copied().collect()
}
