//! Tap and outputs of a run, as the console tells them.

use crate::summary::rfc3339;
use tapwire_console::{Output, Tap};
use tapwire_pipeline::Vitals;
use tapwire_sink::{DropReason, Outputs, Standing};
use tapwire_wire::Timestamp;

/// The tap, as it stands.
pub(super) fn tap(vitals: Vitals) -> Tap {
    let source = vitals.source;
    Tap {
        packets: vitals.packets,
        exchanges: vitals.exchanges,
        dropped: [("kernel", source.dropped_kernel), ("interface", source.dropped_interface)],
        outages: source.outages,
        outage_ms: source.outage_ms,
        shed_level: vitals.level,
    }
}

/// Every output on the network, as it stands.
pub(super) fn standing(outputs: &Outputs) -> Vec<Output> {
    outputs.standing().into_iter().map(one).collect()
}

fn one(Standing { name, report, delays }: Standing) -> Output {
    let counts = &report.counts;
    let mut events = vec![
        ("accepted", counts.accepted.events),
        ("resumed", counts.resumed.events),
        ("delivered", counts.delivered.events),
        ("waiting", counts.queued().events),
    ];
    events.extend(DropReason::ALL.map(|reason| (reason.name(), counts.dropped(reason).events)));
    let (failure, lapse) = (report.error.as_ref(), report.lapse);
    Output {
        name,
        events,
        delays: delays.cumulative().collect(),
        delay_sum: delays.sum(),
        failure: failure.map(ToString::to_string).unwrap_or_default(),
        failed: lapse.map(|lapse| rfc3339(Timestamp::from_nanos(lapse.at))).unwrap_or_default(),
        recovered: lapse.is_some_and(|lapse| lapse.is_over),
    }
}
