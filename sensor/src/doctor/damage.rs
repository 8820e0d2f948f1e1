//! What arrives cut, damaged or in pieces.

use super::ailment::{Ailment, Case, Harm, Symptom, notable};
use crate::size::{bytes, count, counted, share};
use tapwire_wire::FragmentFate;

pub(super) const AILMENTS: &[Ailment] = &[
    Ailment {
        name: "cut-packets",
        title: "Packets are cut short",
        harm: Harm::Loses,
        means: "heads that are longer, and bodies, are missing behind the cut; pairing goes on by sequence numbers",
        remedy: "record whole packets (tcpdump -s 0), and switch off truncation on the packet broker",
        told: "1 in 1,000 packets",
        judge: cut_packets,
    },
    Ailment {
        name: "bad-checksums",
        title: "Packets are damaged",
        harm: Harm::Loses,
        means: "their senders' checksums are otherwise right, so these segments were not read: no receiver would",
        remedy: "look for a bad cable or optic on the mirror path, or for somebody who injects packets",
        told: "1 in 1,000 segments",
        judge: bad_checksums,
    },
    Ailment {
        name: "fragments",
        title: "IP fragments lack their rest",
        harm: Harm::Loses,
        means: "the segments in them are missing",
        remedy: "find where the other fragments are lost, and the hop whose MTU is too small: often the tunnel of the \
                 mirror itself. A filter on ports refuses all fragments but the first",
        told: "1 in 1,000 packets",
        judge: fragments,
    },
    Ailment {
        name: "offloaded-checksums",
        title: "Checksums are left to the network card",
        harm: Harm::Harmless,
        means: "they are wrong in the capture and right on the wire; these packets are read. Other tools ignore them until \
                they are told not to check",
        remedy: "nothing to do. Capturing on the wire instead of on the sending machine avoids it",
        told: "any sender whose checksums are all wrong",
        judge: offloaded_checksums,
    },
    Ailment {
        name: "large-packets",
        title: "Packets are larger than Ethernet allows",
        harm: Harm::Harmless,
        means: "the capturing machine joins segments before they are captured (GRO, LRO, TSO), or the network has jumbo \
                frames; both are read. A snap length below the largest cuts them, and other tools may drop them",
        remedy: "nothing to do. For packets as they are on the wire: ethtool -K IFACE gro off lro off",
        told: "1 in 1,000 segments is in a packet above 1,522 bytes",
        judge: large_packets,
    },
];

fn cut_packets(case: &Case<'_>) -> Option<Symptom> {
    let (wire, sizes) = (&case.report.wire, &case.look.sizes);
    let cut = sizes.wire_bytes.saturating_sub(sizes.captured_bytes);
    notable(wire.cut_packets, wire.packets).then(|| {
        format!(
            "{} of {} ({}) end at {} bytes or before; {} of {} bytes are missing ({})",
            count(wire.cut_packets),
            counted(wire.packets, "packet"),
            share(wire.cut_packets, wire.packets),
            count(u64::from(sizes.snap_length)),
            count(cut),
            count(sizes.wire_bytes),
            share(cut, sizes.wire_bytes)
        )
        .into()
    })
}

fn bad_checksums(case: &Case<'_>) -> Option<Symptom> {
    let flow = &case.report.flow;
    notable(flow.bad_checksum, flow.segments).then(|| {
        format!(
            "{} of {} ({}) have wrong checksums",
            count(flow.bad_checksum),
            counted(flow.segments, "segment"),
            share(flow.bad_checksum, flow.segments)
        )
        .into()
    })
}

fn fragments(case: &Case<'_>) -> Option<Symptom> {
    let (wire, fates) = (&case.report.wire, &case.report.wire.fragments);
    let done = fates.fate(FragmentFate::Completed) + fates.fate(FragmentFate::Duplicate);
    let lacking = fates.fragments.saturating_sub(done);
    notable(lacking, wire.packets).then(|| {
        format!(
            "{} of {} ({}) are fragments whose datagram did not become whole; {} did",
            count(lacking),
            counted(wire.packets, "packet"),
            share(lacking, wire.packets),
            counted(fates.datagrams, "datagram")
        )
        .into()
    })
}

fn offloaded_checksums(case: &Case<'_>) -> Option<Symptom> {
    let senders = case.report.flow.offloaded_senders;
    (senders > 0).then(|| {
        format!("{} send them so", counted(senders, "host")).replace("1 host send", "1 host sends").into()
    })
}

fn large_packets(case: &Case<'_>) -> Option<Symptom> {
    let (sizes, segments) = (&case.look.sizes, case.report.wire.segments);
    notable(sizes.large, segments).then(|| {
        format!(
            "{} of {} are in packets above 1,522 bytes, the largest of {}",
            count(sizes.large),
            counted(segments, "segment"),
            bytes(u64::from(sizes.largest))
        )
        .into()
    })
}
