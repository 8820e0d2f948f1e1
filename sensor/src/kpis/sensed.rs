//! What a run says of the sensor itself, as KPIs take it.

use crate::feedback::Feedback;
use tapwire_inventory::kpis::{Part, Sensed};
use tapwire_pipeline::Report;
use tapwire_protocol::Kind;

/// Each run counts what it did not see, and ends with it; state is what was learned of APIs.
const NOT_KEPT: &str = "it is counted of packets and not kept under --data; the summary of the run has it, and captures give it again";

/// The sensor's own blind spots, and what people said of what it told.
pub(crate) fn sensed(report: &Report, feedback: Feedback) -> Sensed {
    let (flow, tls) = (&report.flow, &report.tls);
    let unpaired = report.coverage.services().map(|service| {
        let seen = &service.seen;
        (service.service, Part::of(seen.halves + seen.uncertain, seen.halves + seen.pairs))
    });
    Sensed {
        loss: Part::of(flow.missed_bytes, flow.acknowledged_bytes),
        unparsed: unparsed(report),
        undecrypted: Part::of(tls.connections.saturating_sub(tls.decrypted), tls.connections),
        unpaired: unpaired.collect(),
        precision: feedback.precision(),
        // A report of what was learned before has no source, and none of these counters.
        not_kept: report.sources.is_empty().then_some(NOT_KEPT),
    }
}

/// Connections with data whose protocol is not read; of encrypted ones another figure tells.
fn unparsed(report: &Report) -> Part {
    let counters = &report.protocol;
    let counts = Kind::ALL.into_iter().zip(counters.flows.iter().zip(&counters.flow_bytes));
    let mut part = Part::NONE;
    for (kind, (flows, _)) in counts.filter(|(_, (_, bytes))| **bytes > 0) {
        part.denominator += flows;
        part.numerator += if kind.is_read() || kind == Kind::Tls { 0 } else { *flows };
    }
    part
}
