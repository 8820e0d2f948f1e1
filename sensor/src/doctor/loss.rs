//! What was there and did not get here, and where it was lost: on the mirror, in the interface, in the kernel, or in this
//! process.

use super::ailment::{Ailment, Case, Harm, Symptom, notable, percent};
use super::arrival::is_one_sided;
use super::unread::wrapped;
use crate::size::{bytes, count, counted, duration, most, share};
use tapwire_capture::Pressure;
use tapwire_pipeline::ShedLevel;

pub(super) const AILMENTS: &[Ailment] = &[
    Ailment {
        name: "kernel-drops",
        title: "The kernel drops packets because nobody takes them in time",
        harm: Harm::Loses,
        means: "the ring between kernel and program was full; exchanges in these packets are missing or cut",
        remedy: "record with a larger buffer (tcpdump -B 262144, dumpcap -B 256)",
        told: "any packet, as the kernel counts them or as the capture file states them",
        judge: kernel_drops,
    },
    Ailment {
        name: "interface-drops",
        title: "The interface drops packets",
        harm: Harm::Loses,
        means: "the network card or its driver had no room; no setting of a capture program changes that",
        remedy: "give the card longer queues (ethtool -G IFACE rx 4096) and more of them (ethtool -L), keep its interrupts \
                 on cores of their own, and see ethtool -S IFACE for what it counts",
        told: "any packet, as the interface counts them or as the capture file states them",
        judge: interface_drops,
    },
    Ailment {
        name: "capture-loss",
        title: "Bytes that receivers acknowledged never got here",
        harm: Harm::Loses,
        means: "the network delivered them and the mirror did not: exchanges in them are missing or cut, and are marked so",
        remedy: "the mirror port is over-subscribed, or the recorder was too slow: mirror fewer ports or one direction per \
                 port, use a faster mirror port, record with a larger buffer (tcpdump -B)",
        told: "1 in 1,000 acknowledged bytes",
        judge: capture_loss,
    },
    Ailment {
        name: "too-slow",
        title: "This machine is too slow for this traffic",
        harm: Harm::Loses,
        means: "work was left out, in a stated order: long bodies first, exchanges last",
        remedy: "give it more cores (--threads), less to do (--analysis off), or less traffic (-f); `tapwire doctor --size` \
                 says what this site needs",
        told: "anything was left out",
        judge: too_slow,
    },
    Ailment {
        name: "table-full",
        title: "More connections are open than memory holds",
        harm: Harm::Loses,
        means: "the connections that were silent longest were given up; what was open on them is reported as far as it is \
                known",
        remedy: "give it more: --memory 4GiB; `tapwire doctor --size` says what this site needs",
        told: "any connection that carried payload",
        judge: table_full,
    },
    Ailment {
        name: "late-packets",
        title: "Packets come too late to be put in order",
        harm: Harm::Loses,
        means: "reassembly waits 20 ms for bytes that their receiver has acknowledged already; what comes later is taken \
                for lost",
        remedy: "look for a packet broker or an aggregation on the way that holds one link back, and for a recorder that \
                 writes its queues one after the other; captures can be put in order with reordercap",
        told: "1 in 1,000 segments",
        judge: late_packets,
    },
    Ailment {
        name: "sources-apart",
        title: "The clocks of two sources are apart",
        harm: Harm::Loses,
        means: "one side of a connection seems to answer before it was asked; reassembly waits 20 ms, and what is further \
                apart is taken for lost. Latencies are wrong by the difference",
        remedy: "record both ports on one machine, or keep the clocks together (PTP, NTP); move one capture in time with \
                 editcap -t",
        told: "1 in 1,000 segments, by 5 ms or more",
        judge: sources_apart,
    },
    Ailment {
        name: "handshakes-missing",
        title: "New connections have no handshake",
        harm: Harm::Loses,
        means: "they began while the capture ran, so their first packets were lost or kept away; their first exchange may \
                be too",
        remedy: "check that the filter and the broker let SYN packets through, and that no load balancer rewrites them on a \
                 path of their own",
        told: "most of the connections that are first seen after 10 s, and 20 at least",
        judge: handshakes_missing,
    },
    Ailment {
        name: "joined-late",
        title: "Connections were open before the capture began",
        harm: Harm::Harmless,
        means: "they are read from their next exchange on",
        remedy: "nothing to do for long-lived connections. Where they are short, check that the filter lets SYN packets \
                 through",
        told: "most of the connections",
        judge: joined_late,
    },
    Ailment {
        name: "clock-steps",
        title: "The clock went back",
        harm: Harm::Costs,
        means: "durations around these steps are wrong; connections and pairs are right",
        remedy: "let the recorder's clock be slewed and not set (chrony), and name captures in their order",
        told: "any step back by more than a second",
        judge: clock_steps,
    },
];

fn kernel_drops(case: &Case<'_>) -> Option<Symptom> {
    let source = &case.report.source;
    let dropped = source.dropped_kernel;
    (dropped > 0).then(|| Symptom {
        figure: format!("{} of {} ({}) dropped", count(dropped), counted(source.received + dropped, "packet"), share(dropped, source.received + dropped)),
        remedy: (case.pressure == Pressure::Shed).then(|| {
            format!(
                "give the ring more memory than its {}: --set capture.ring={}MiB; or filter what need not be seen with -f",
                bytes(case.ring),
                (case.ring.saturating_mul(4) >> 20).max(256)
            )
        }),
    })
}

fn interface_drops(case: &Case<'_>) -> Option<Symptom> {
    let source = &case.report.source;
    let dropped = source.dropped_interface;
    (dropped > 0).then(|| {
        format!("{} beside the {} that arrived", counted(dropped, "packet"), count(source.received)).into()
    })
}

/// Bytes that were acknowledged and are missing, and all that were acknowledged. What is of a side that is not mirrored,
/// or came too late, is told as what it is.
fn missing(case: &Case<'_>) -> (u64, u64) {
    let (flow, connections) = (&case.report.flow, &case.look.connections);
    let explained = connections.silent_bytes + connections.late_bytes;
    (flow.missed_bytes.saturating_sub(explained), flow.acknowledged_bytes)
}

fn capture_loss(case: &Case<'_>) -> Option<Symptom> {
    // What is wrapped and not decoded looks like loss, and may be all of it; of a direction that is not mirrored
    // everything is missing.
    let judged = !notable(wrapped(case), case.report.wire.packets) && !is_one_sided(case);
    let (missing, acknowledged) = missing(case);
    (judged && notable(missing, acknowledged)).then(|| {
        format!(
            "{} of {} that were acknowledged are missing ({}){}",
            bytes(missing),
            bytes(acknowledged),
            share(missing, acknowledged),
            when(case)
        )
        .into()
    })
}

/// Whether it is lost all the time or in bursts; of a few seconds nobody can say.
fn when(case: &Case<'_>) -> String {
    let all = case.look.clocks.busy_seconds();
    let missing = case.look.connections.missing.values().filter(|bytes| **bytes > 0);
    let (count_of, worst) = (missing.clone().count() as u64, missing.max().copied().unwrap_or(0));
    if all < 10 || count_of == 0 {
        return String::new();
    }
    format!("; in {} of {} s, at worst {} in one", count(count_of), count(all), bytes(worst))
}

fn too_slow(case: &Case<'_>) -> Option<Symptom> {
    let (shedding, tally) = (&case.report.shedding, &case.report.tally);
    (shedding.worst > ShedLevel::None || tally.shed > 0).then(|| {
        format!(
            "at worst {} were left out; {} only counted",
            shedding.worst.meaning(),
            counted(tally.shed, "exchange")
        )
        .into()
    })
}

fn table_full(case: &Case<'_>) -> Option<Symptom> {
    let flow = &case.report.flow;
    (flow.evicted > 0).then(|| {
        format!("{} of {} given up", count(flow.evicted), counted(flow.flows_opened, "connection")).into()
    })
}

fn late_packets(case: &Case<'_>) -> Option<Symptom> {
    let connections = &case.look.connections;
    notable(connections.late, case.report.wire.segments).then(|| {
        format!(
            "{} of {} came more than 20 ms after their acknowledgement, at worst {}",
            count(connections.late),
            counted(case.report.wire.segments, "segment"),
            duration(connections.latest)
        )
        .into()
    })
}

/// Less than this is the path between two taps: nanoseconds.
const APART: i64 = 5_000_000;

fn sources_apart(case: &Case<'_>) -> Option<Symptom> {
    let connections = &case.look.connections;
    let apart = connections.most_apart >= APART && notable(connections.apart, case.report.wire.segments);
    apart.then(|| {
        format!(
            "{} came after another source had captured their acknowledgement, by up to {}",
            counted(connections.apart, "segment"),
            duration(connections.most_apart)
        )
        .into()
    })
}

fn handshakes_missing(case: &Case<'_>) -> Option<Symptom> {
    let connections = &case.look.connections;
    let missing = connections.later_without_syn;
    (missing >= 20 && percent(50, missing, connections.later)).then(|| {
        format!(
            "{} of {} that are first seen after 10 s begin without SYN",
            count(missing),
            counted(connections.later, "connection")
        )
        .into()
    })
}

fn joined_late(case: &Case<'_>) -> Option<Symptom> {
    let connections = &case.look.connections;
    let late = connections.early_without_syn + connections.later_without_syn;
    (most(late, connections.seen) && handshakes_missing(case).is_none()).then(|| {
        format!(
            "{} of {} begin without handshake, {} of them in the first 10 s",
            count(late),
            counted(connections.seen, "connection"),
            count(connections.early_without_syn)
        )
        .into()
    })
}

fn clock_steps(case: &Case<'_>) -> Option<Symptom> {
    let clocks = &case.look.clocks;
    (clocks.steps_back > 0).then(|| {
        format!("{}, the largest by {}", counted(clocks.steps_back, "step"), duration(clocks.largest_step))
            .into()
    })
}
