//! What can be wrong with a mirror, told from the counters of a run: each with its figure and what to do.

use crate::size;
use tapwire_capture::Pressure;
use tapwire_pipeline::Report;
use tapwire_protocol::Kind;
use tapwire_wire::FragmentFate;

/// Something about a mirror that an operator should know.
pub(crate) struct Ailment {
    /// Its name in JSON.
    pub(crate) name: &'static str,
    /// A sentence with the figure.
    pub(crate) what: String,
    /// What to do about it.
    pub(crate) remedy: &'static str,
    /// Whether it costs nothing: worth knowing, and no reason to change the mirror.
    pub(crate) harmless: bool,
}

/// Only one direction is mirrored.
const ONE_SIDED: &str = "one-sided";

/// Loss and damage matter from 1 in 1,000 on.
const fn notable(part: u64, whole: u64) -> bool {
    part > 0 && part.saturating_mul(1000) >= whole
}

/// What costs time or hides a share of the traffic matters from 1 in 100 on.
const fn one_percent(part: u64, whole: u64) -> bool {
    part > 0 && part.saturating_mul(100) >= whole
}

/// What is wrong with the mirror that a report came from, in the order in which to mend it.
pub(crate) fn diagnose(report: &Report, pressure: Pressure) -> Vec<Ailment> {
    let mut found = Vec::new();
    nothing(report, &mut found);
    one_sided(report, &mut found);
    duplicates(report, &mut found);
    dropped(report, pressure, &mut found);
    if !found.iter().any(|ailment| ailment.name == ONE_SIDED) {
        // Of a direction that is not mirrored everything is missing; that is said already.
        loss(report, &mut found);
    }
    cut(report, &mut found);
    checksums(report, &mut found);
    encrypted(report, &mut found);
    undecoded(report, &mut found);
    joined_late(report, &mut found);
    found
}

fn nothing(report: &Report, found: &mut Vec<Ailment>) {
    if report.wire.packets == 0 {
        found.push(Ailment {
            harmless: false,
            name: "no-packets",
            what: "no packet was captured".into(),
            remedy: "check that the mirror session is up and points here, that the interface is up, and that the filter \
                     is not too narrow",
        });
    } else if report.wire.segments == 0 {
        found.push(Ailment {
            harmless: false,
            name: "no-tcp",
            what: format!("none of {} packets is TCP that could be decoded", size::count(report.wire.packets)),
            remedy: "mirror the ports of the API servers or their load balancer; `tapwire doctor --json` lists what the \
                     packets are",
        });
    }
}

fn one_sided(report: &Report, found: &mut Vec<Ailment>) {
    let flow = &report.flow;
    let (requests, responses) = (report.tally.requests_alone, report.tally.responses_alone);
    let halves = requests + responses;
    // Halves alone may also come of pipelining that went too far; a side that is not mirrored shows in connections.
    if size::most(halves, report.tally.reported) && size::most(flow.flows_one_sided, flow.flows_opened) {
        let which = if requests >= responses { "requests" } else { "responses" };
        found.push(Ailment {
            harmless: false,
            name: ONE_SIDED,
            what: format!(
                "{} of {} exchanges have only one half, mostly {which}; {} of {} connections carry payload in one direction",
                size::count(halves),
                size::count(report.tally.reported),
                size::count(flow.flows_one_sided),
                size::count(flow.flows_opened),
            ),
            remedy: "mirror both directions (rx and tx) of the port; with a tap, listen on both of its ports: \
                     tapwire run -i PORT1 -i PORT2",
        });
    }
}

fn duplicates(report: &Report, found: &mut Vec<Ailment>) {
    let flow = &report.flow;
    // A network that reorders looks a little like it: retransmissions that nobody needed come in at a few percent.
    if one_percent(flow.span_duplicates, 5 * flow.segments) {
        found.push(Ailment {
            harmless: false,
            name: "duplicates",
            what: format!(
                "{} of {} segments came twice ({}): the mirror copies packets more than once",
                size::count(flow.span_duplicates),
                size::count(flow.segments),
                size::share(flow.span_duplicates, flow.segments)
            ),
            remedy: "mirror each packet at one place: one VLAN or one set of ports, one direction per port. Exchanges are \
                     right all the same; the copies cost time",
        });
    }
}

fn loss(report: &Report, found: &mut Vec<Ailment>) {
    let flow = &report.flow;
    // What is wrapped and not decoded looks like loss, and may be all of it.
    let judged = !notable(wrapped(report), report.wire.packets);
    if judged && notable(flow.missed_bytes, flow.acknowledged_bytes) {
        found.push(Ailment {
            harmless: false,
            name: "capture-loss",
            what: format!(
                "{} of {} acknowledged bytes were never captured ({}): the network delivered them, the mirror did not",
                size::bytes(flow.missed_bytes),
                size::bytes(flow.acknowledged_bytes),
                size::share(flow.missed_bytes, flow.acknowledged_bytes)
            ),
            remedy: "the mirror port is over-subscribed, or the recorder was too slow: mirror fewer ports or one \
                     direction per port, use a faster mirror port, record with a larger buffer (tcpdump -B)",
        });
    }
}

fn dropped(report: &Report, pressure: Pressure, found: &mut Vec<Ailment>) {
    let dropped = report.source.dropped_kernel + report.source.dropped_interface;
    if pressure == Pressure::Shed && dropped > 0 {
        found.push(Ailment {
            harmless: false,
            name: "kernel-drops",
            what: format!("dropped on this machine before they could be read: {}", size::counted(dropped, "packet")),
            remedy: "give the ring more memory: --set capture.ring=512MiB; or filter what need not be seen with -f",
        });
    }
}

fn cut(report: &Report, found: &mut Vec<Ailment>) {
    if notable(report.wire.cut_packets, report.wire.packets) {
        found.push(Ailment {
            harmless: false,
            name: "cut-packets",
            what: format!(
                "{} of {} packets are cut short ({}), {} bytes of TCP payload are missing",
                size::count(report.wire.cut_packets),
                size::count(report.wire.packets),
                size::share(report.wire.cut_packets, report.wire.packets),
                size::count(report.flow.cut_bytes)
            ),
            remedy: "record whole packets (tcpdump -s 0), and switch off truncation on the packet broker",
        });
    }
}

fn checksums(report: &Report, found: &mut Vec<Ailment>) {
    let flow = &report.flow;
    if flow.offloaded_senders > 0 {
        found.push(Ailment {
            harmless: true,
            name: "offloaded-checksums",
            what: format!(
                "{} left TCP checksums to the network card, so they are wrong in the capture",
                size::counted(flow.offloaded_senders, "sender")
            ),
            remedy: "nothing to do: it is recognised and these packets are read. Capturing on the wire instead of on the \
                     sending machine avoids it",
        });
    }
    if notable(flow.bad_checksum, flow.segments) {
        found.push(Ailment {
            harmless: false,
            name: "bad-checksums",
            what: format!(
                "{} of {} segments have wrong checksums from senders whose checksums are otherwise right; they were not read",
                size::count(flow.bad_checksum),
                size::count(flow.segments)
            ),
            remedy: "look for a damaged cable or optic on the mirror path, or somebody who injects packets",
        });
    }
}

fn encrypted(report: &Report, found: &mut Vec<Ailment>) {
    let bytes = |kind: Kind| report.protocol.flow_bytes.get(kind as usize).copied().unwrap_or(0);
    let total: u64 = report.protocol.flow_bytes.iter().sum();
    if one_percent(bytes(Kind::Tls), total) {
        found.push(Ailment {
            harmless: false,
            name: "tls",
            what: format!(
                "{} of the payload is TLS ({} of {}), which cannot be read here",
                size::share(bytes(Kind::Tls), total),
                size::bytes(bytes(Kind::Tls)),
                size::bytes(total)
            ),
            remedy: "mirror where the traffic is in clear: behind the load balancer, between gateway and service, or from \
                     a decrypting packet broker",
        });
    }
    if one_percent(bytes(Kind::Http2), total) {
        found.push(Ailment {
            harmless: false,
            name: "http2",
            what: format!(
                "{} of the payload is HTTP/2, which this version counts and does not read",
                size::share(bytes(Kind::Http2), total)
            ),
            remedy: "mirror a place where the same calls travel as HTTP/1.1",
        });
    }
}

/// Layers that carry packets within packets; what of them cannot be unwrapped is not decoded.
const WRAPPERS: [&str; 11] =
    ["mpls", "pppoe", "gre", "vxlan", "geneve", "ip-in-ip", "ppp", "nflog", "esp", "macsec", "link"];

fn wrapped(report: &Report) -> u64 {
    report
        .wire
        .skipped
        .iter()
        .filter(|((layer, reason), _)| WRAPPERS.contains(layer) && *reason == "encapsulated")
        .map(|(_, count)| count)
        .sum()
}

fn undecoded(report: &Report, found: &mut Vec<Ailment>) {
    let tunnels = wrapped(report);
    if notable(tunnels, report.wire.packets) {
        let names: Vec<&str> = report
            .wire
            .skipped
            .keys()
            .filter(|(layer, reason)| WRAPPERS.contains(layer) && *reason == "encapsulated")
            .map(|(layer, _)| *layer)
            .collect();
        found.push(Ailment {
            harmless: false,
            name: "encapsulated",
            what: format!(
                "{} of {} packets are wrapped in {} and are not decoded",
                size::count(tunnels),
                size::count(report.wire.packets),
                names.join(", ")
            ),
            remedy: "have the packet broker or the mirror remove the encapsulation",
        });
    }
    let fates = &report.wire.fragments;
    let fragments = fates.fate(FragmentFate::Expired) + fates.fate(FragmentFate::Evicted) + fates.held;
    if notable(fragments, report.wire.packets) {
        found.push(Ailment {
            harmless: false,
            name: "fragments",
            what: format!(
                "{} of {} packets are IP fragments whose datagram did not become whole",
                size::count(fragments),
                size::count(report.wire.packets)
            ),
            remedy: "find where the other fragments are lost, and the hop whose MTU is too small: often the tunnel of the \
                     mirror itself",
        });
    }
}

fn joined_late(report: &Report, found: &mut Vec<Ailment>) {
    let flow = &report.flow;
    if size::most(flow.flows_without_syn, flow.flows_opened) {
        found.push(Ailment {
            harmless: true,
            name: "joined-late",
            what: format!(
                "{} of {} connections were already open when the capture began, or their handshake was not captured",
                size::count(flow.flows_without_syn),
                size::count(flow.flows_opened)
            ),
            remedy: "nothing to do for long-lived connections: they are read from their next exchange on. For short ones, \
                     check that the filter lets SYN packets through",
        });
    }
}
