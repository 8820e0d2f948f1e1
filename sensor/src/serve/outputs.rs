//! Tap and outputs of a run, as the console tells them.

use tapwire_console::{Output, Tap};
use tapwire_pipeline::Vitals;
use tapwire_sink::{DropReason, Outputs, Standing};

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
    Output { name, events, delays: delays.cumulative().collect(), delay_sum: delays.sum() }
}
