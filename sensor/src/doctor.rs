//! `doctor`: is this mirror good, and if not, why, and what to do about it.

use crate::cli::{DoctorArgs, OnOff, SenseArgs};
use crate::failure::{Exit, Failure};
use crate::paper::{Paper, print};
use crate::sense::pipeline_config;
use crate::settings::{Effective, size_of_key};
use crate::size;
use crate::watch::{Terminal, catch_signals};
use serde_json::json;
use tapwire_capture::{InterfaceSource, Pressure, Source, drop_privileges, open_files};
use tapwire_inspect::TokenKey;
use tapwire_pipeline::{Report, run};
use tapwire_protocol::Kind;

/// Something that is wrong with a mirror.
struct Ailment {
    name: &'static str,
    /// A sentence with the figure.
    what: String,
    /// What to do about it.
    remedy: &'static str,
}

/// A share, in 1/1,000, from which something is an ailment and not noise.
const NOTABLE: u64 = 1;

/// `tapwire doctor`.
pub(crate) fn doctor(args: &DoctorArgs) -> Result<Exit, Failure> {
    let effective = Effective::load(&args.config)?;
    let stop = catch_signals()?;
    let (report, pressure) = match (args.interfaces.is_empty(), args.paths.is_empty()) {
        (true, true) => return Err(Failure::new("doctor: name a capture, or an interface with -i IFACE")),
        (false, false) => return Err(Failure::new("doctor: give either interfaces or captures, not both")),
        (true, false) => {
            let mut source = open_files(&args.paths, args.bpf.as_deref())?;
            let mut terminal = Terminal::new(stop, args.json, Pressure::Block);
            (examine(&mut source, &effective, &mut terminal)?, Pressure::Block)
        }
        (false, true) => {
            let ring = size_of_key("capture.ring", &effective.settings.capture.ring)?;
            let mut source = InterfaceSource::open_many(&args.interfaces, args.bpf.as_deref(), ring)?;
            drop_privileges(Some(effective.settings.capture.user.as_str()))?;
            eprintln!("tapwire: listening for {} s on {}", args.seconds, args.interfaces.join(", "));
            let mut terminal = Terminal::new(stop, true, Pressure::Shed).with_deadline(args.seconds);
            (examine(&mut source, &effective, &mut terminal)?, Pressure::Shed)
        }
    };
    for error in &report.source_errors {
        eprintln!("tapwire: {error}");
    }
    let ailments = diagnose(&report, pressure);
    if !report.source_errors.is_empty() && report.wire.packets == 0 {
        return Ok(Exit::Operator);
    }
    print(&if args.json { as_json(&report, &ailments) } else { as_text(&report, &ailments) }, true)?;
    Ok(Exit::Done)
}

fn examine(
    source: &mut dyn Source,
    effective: &Effective,
    terminal: &mut Terminal,
) -> Result<Report, Failure> {
    let args = SenseArgs { analysis: OnOff::Off, ..SenseArgs::default() };
    // Nothing that needs a token leaves, so no key is looked for and none is made.
    let config = pipeline_config(effective, &args, TokenKey::new([0; 32]), source.pressure())?;
    let report = run(source, &config, Vec::new(), terminal);
    terminal.finish();
    Ok(report)
}

fn notable(part: u64, whole: u64) -> bool {
    part > 0 && part.saturating_mul(1000) >= whole.saturating_mul(NOTABLE)
}

fn diagnose(report: &Report, pressure: Pressure) -> Vec<Ailment> {
    let mut found = Vec::new();
    nothing(report, &mut found);
    one_sided(report, &mut found);
    duplicates(report, &mut found);
    loss(report, pressure, &mut found);
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
            name: "no-packets",
            what: "no packet was captured".into(),
            remedy: "check that the mirror session is up and points here, that the interface is up, and that the filter \
                     is not too narrow",
        });
    } else if report.wire.segments == 0 {
        found.push(Ailment {
            name: "no-tcp",
            what: format!("none of {} packets is TCP that could be decoded", size::count(report.wire.packets)),
            remedy: "mirror the ports of the API servers or their load balancer; `tapwire doctor --json` lists what the \
                     packets are",
        });
    }
}

fn one_sided(report: &Report, found: &mut Vec<Ailment>) {
    let flow = &report.flow;
    let (alone, pairs) = (report.tally.requests_alone, report.tally.responses_alone);
    let halves = alone + pairs;
    if report.tally.reported > 0 && halves * 2 > report.tally.reported {
        let which = if alone >= pairs { "requests" } else { "responses" };
        found.push(Ailment {
            name: "one-sided",
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
    if notable(flow.span_duplicates * 10, flow.segments * 10) && flow.span_duplicates * 100 > flow.segments {
        found.push(Ailment {
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

fn loss(report: &Report, pressure: Pressure, found: &mut Vec<Ailment>) {
    let flow = &report.flow;
    if notable(flow.missed_bytes, flow.acknowledged_bytes) {
        found.push(Ailment {
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
    let dropped = report.source.dropped_kernel + report.source.dropped_interface;
    if pressure == Pressure::Shed && dropped > 0 {
        found.push(Ailment {
            name: "kernel-drops",
            what: format!("{} packets were dropped on this machine before they could be read", size::count(dropped)),
            remedy: "give the ring more memory: --set capture.ring=512MiB; or filter what need not be seen with -f",
        });
    }
}

fn cut(report: &Report, found: &mut Vec<Ailment>) {
    if notable(report.wire.cut_packets, report.wire.packets) {
        found.push(Ailment {
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
            name: "offloaded-checksums",
            what: format!(
                "{} senders leave TCP checksums to their network card, so they are wrong in the capture",
                size::count(flow.offloaded_senders)
            ),
            remedy: "nothing to do: it is recognised and these packets are read. Capturing on the wire instead of on the \
                     sending machine avoids it",
        });
    }
    if notable(flow.bad_checksum, flow.segments) {
        found.push(Ailment {
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
    if notable(bytes(Kind::Tls) * 100, total * 100) && bytes(Kind::Tls) > 0 {
        found.push(Ailment {
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
    if bytes(Kind::Http2) > 0 {
        found.push(Ailment {
            name: "http2",
            what: format!(
                "{} of the payload is HTTP/2, which this version counts and does not read",
                size::share(bytes(Kind::Http2), total)
            ),
            remedy: "mirror a place where the same calls travel as HTTP/1.1",
        });
    }
}

fn undecoded(report: &Report, found: &mut Vec<Ailment>) {
    let telling =
        ["mpls", "pppoe", "gre", "vxlan", "geneve", "ip-in-ip", "ppp", "nflog", "esp", "macsec", "link"];
    let of = |wanted: &dyn Fn(&str, &str) -> bool| -> u64 {
        report
            .wire
            .skipped
            .iter()
            .filter(|((layer, reason), _)| wanted(layer, reason))
            .map(|(_, count)| count)
            .sum()
    };
    let tunnels = of(&|layer, _| telling.contains(&layer));
    if notable(tunnels, report.wire.packets) {
        let names: Vec<&str> = report
            .wire
            .skipped
            .keys()
            .map(|(layer, _)| *layer)
            .filter(|layer| telling.contains(layer))
            .collect();
        found.push(Ailment {
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
    let fragments = of(&|_, reason| reason.contains("fragment"));
    if notable(fragments, report.wire.packets) {
        found.push(Ailment {
            name: "fragments",
            what: format!(
                "{} of {} packets are IP fragments and are not decoded",
                size::count(fragments),
                size::count(report.wire.packets)
            ),
            remedy: "find the hop whose MTU is too small; often the tunnel of the mirror itself",
        });
    }
}

fn joined_late(report: &Report, found: &mut Vec<Ailment>) {
    let flow = &report.flow;
    if flow.flows_opened > 10 && flow.flows_without_syn * 2 > flow.flows_opened {
        found.push(Ailment {
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

fn as_text(report: &Report, ailments: &[Ailment]) -> String {
    let mut paper = Paper::new(true);
    let tally = &report.tally;
    paper.line(&format!(
        "{}: {} packets, {} connections, {} exchanges, {} of them whole",
        report.sources.join(", "),
        size::count(report.wire.packets),
        size::count(report.flow.flows_opened),
        size::count(tally.reported),
        size::count(tally.whole),
    ));
    if ailments.is_empty() {
        paper.heading("This mirror is good");
        paper.line("  both directions, no duplicates, no loss, whole packets, good checksums, nothing encrypted or wrapped");
    }
    for ailment in ailments {
        paper.heading(ailment.name);
        paper.line(&format!("  {}.", ailment.what));
        paper.line(&format!("  What to do: {}.", ailment.remedy));
    }
    paper.into_text()
}

fn as_json(report: &Report, ailments: &[Ailment]) -> String {
    let skipped: serde_json::Map<String, serde_json::Value> = report
        .wire
        .skipped
        .iter()
        .map(|((layer, reason), count)| (format!("{layer}/{reason}"), json!(count)))
        .collect();
    let ailments: Vec<_> =
        ailments.iter().map(|a| json!({"name": a.name, "what": a.what, "remedy": a.remedy})).collect();
    let flow = &report.flow;
    let value = json!({
        "sources": report.sources, "good": ailments.is_empty(), "ailments": ailments,
        "packets": report.wire.packets, "skipped": skipped, "cut_packets": report.wire.cut_packets,
        "connections": flow.flows_opened, "segments": flow.segments, "span_duplicates": flow.span_duplicates,
        "retransmissions": flow.retransmissions, "acknowledged_bytes": flow.acknowledged_bytes,
        "missed_bytes": flow.missed_bytes, "offloaded_senders": flow.offloaded_senders,
        "exchanges": report.tally.reported, "whole": report.tally.whole,
    });
    format!("{value}\n")
}
