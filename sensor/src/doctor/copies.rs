//! What arrives more than once, or otherwise than it was sent.

use super::ailment::{Ailment, Case, Harm, Symptom, percent};
use crate::size::{count, counted, share};

pub(super) const AILMENTS: &[Ailment] = &[
    Ailment {
        name: "same-capture",
        title: "A capture was given twice",
        harm: Harm::Costs,
        means: "the same packets are in two files; each exchange is reported once all the same",
        remedy: "name each capture once; a directory is read with all captures in it",
        told: "10 % of the packets are in another file with the same time and bytes",
        judge: same_capture,
    },
    Ailment {
        name: "duplicates",
        title: "Packets come twice",
        harm: Harm::Costs,
        means: "the mirror copies them at two places, such as both directions of a port or several VLANs. Exchanges are \
                right all the same; the copies take time and fill the mirror port",
        remedy: "mirror each packet at one place: one VLAN or one set of ports, one direction per port",
        // A network that reorders looks a little like it: retransmissions that nobody needed come in at a few percent.
        told: "5 % of the segments",
        judge: duplicates,
    },
    Ailment {
        name: "asymmetric-vlan",
        title: "The two directions have different VLAN tags",
        harm: Harm::Harmless,
        means: "the mirror tags one direction and not the other, or otherwise. Connections are put together all the same; \
                Suricata and others see two halves, until vlan.use-for-tracking is off",
        remedy: "nothing to do; for other tools, let the switch keep or remove the tags of both directions alike",
        told: "10 % of the connections",
        judge: asymmetric_vlan,
    },
];

fn same_capture(case: &Case<'_>) -> Option<Symptom> {
    let (twins, all) = (case.look.twins.count, case.look.sizes.packets);
    percent(10, twins, all).then(|| {
        format!("{} of {} are in two files ({})", count(twins), counted(all, "packet"), share(twins, all))
            .into()
    })
}

fn duplicates(case: &Case<'_>) -> Option<Symptom> {
    let flow = &case.report.flow;
    (percent(5, flow.span_duplicates, flow.segments) && same_capture(case).is_none()).then(|| {
        format!(
            "{} of {} ({})",
            count(flow.span_duplicates),
            counted(flow.segments, "segment"),
            share(flow.span_duplicates, flow.segments)
        )
        .into()
    })
}

fn asymmetric_vlan(case: &Case<'_>) -> Option<Symptom> {
    let connections = &case.look.connections;
    let different = connections.tagged_one_way + connections.tagged_apart;
    percent(10, different, connections.vlans_compared).then(|| {
        format!(
            "of {}, {} are tagged in one direction only and {} with two numbers",
            counted(connections.vlans_compared, "connection"),
            count(connections.tagged_one_way),
            count(connections.tagged_apart)
        )
        .into()
    })
}
