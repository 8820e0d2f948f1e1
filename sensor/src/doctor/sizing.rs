//! `--size`: which cores, memory and disk this site needs, from what was seen of it. The costs are measured; where and
//! how is in `docs/doctor.md`.

use super::ailment::Case;
use crate::paper::Paper;
use crate::size::{bytes, count};
use serde_json::{Value, json};
use tapwire_capture::SMALLEST_RING;
use tapwire_event::{Format, Options, Renderer};
use tapwire_pipeline::{Classes, Outlet, Report};
use tapwire_sink::{NullSink, Tally};

/// CPU seconds of a packet on the capture thread: decoding, reassembly, parsing.
const PER_PACKET: f64 = 0.45e-6;
/// CPU seconds of an exchange: pairing, and an OCSF event.
const PER_EXCHANGE: f64 = 9.5e-6;
/// CPU seconds that analysis adds for an exchange, and for a byte of payload.
const ANALYSIS_PER_EXCHANGE: f64 = 2e-6;
const ANALYSIS_PER_BYTE: f64 = 3.5e-9;

/// Memory of a connection on which nothing is open, and of a busy one.
const IDLE_CONNECTION: f64 = 480.0;
const BUSY_CONNECTION: f64 = 4_096.0;
/// How long a connection that nobody closes is kept, in seconds: the default of `flow.idle_timeout`.
const KEPT: f64 = 300.0;
/// The share of `--memory` that connections and their open messages have.
const FLOW_SHARE: f64 = 0.35;

/// The least factor from the mean to the peak. A minute does not show the busiest minute of a day.
const LEAST_FACTOR: f64 = 3.0;
/// How busy a core may be at the peak.
const BUSY: f64 = 0.6;
/// How much traffic the ring holds at the peak, in seconds, and what a packet takes there beside its bytes.
const RING_SECONDS: f64 = 0.5;
const RING_PER_PACKET: f64 = 128.0;

/// Seconds from which on a sample says something.
const ENOUGH: f64 = 55.0;
const DAY: f64 = 86_400.0;

/// What was seen, per second, and what it needs.
pub(super) struct Needs {
    seconds: f64,
    packets: f64,
    bits: f64,
    exchanges: f64,
    connections: f64,
    /// From the mean to what is sized for.
    factor: f64,
    /// From the mean to the busiest second.
    measured: f64,
    /// Cores at the mean: of all threads, and of the capture thread.
    load: f64,
    capture_load: f64,
    cores: u64,
    memory: u64,
    ring: u64,
    events_a_day: f64,
    bytes_a_day: f64,
}

/// What a site needs; `None` when too little was seen to say.
#[allow(clippy::cast_precision_loss, reason = "rates")]
pub(super) fn needs(case: &Case<'_>) -> Option<Needs> {
    let (report, look) = (case.report, case.look);
    let pace = look.clocks.pace()?;
    let rate = |amount: u64| amount as f64 / pace.seconds;
    let mean = rate(look.sizes.packets);
    let (peak, mean_bytes) = (pace.peak_packets as f64, rate(look.sizes.wire_bytes));
    let measured = (peak / mean).max(pace.peak_bytes as f64 / mean_bytes).max(1.0);
    let factor = measured.max(LEAST_FACTOR);
    let exchanges = rate(report.tally.exchanges);
    let payload = rate(report.flow.payload_bytes);
    let capture_load = mean * PER_PACKET;
    let load =
        capture_load + exchanges * (PER_EXCHANGE + ANALYSIS_PER_EXCHANGE) + payload * ANALYSIS_PER_BYTE;
    let output = written(report);
    let connections = rate(report.flow.flows_opened);
    Some(Needs {
        seconds: pace.seconds,
        packets: mean,
        bits: mean_bytes * 8.0,
        exchanges,
        connections,
        factor,
        measured,
        load,
        capture_load,
        cores: whole(load * factor / BUSY).max(1) + 1,
        memory: memory(case, connections, factor),
        ring: ring(mean * factor, mean_bytes * factor),
        events_a_day: rate(output.events) * DAY,
        bytes_a_day: rate(output.bytes) * DAY,
    })
}

/// `--memory`, in steps that double from 256 MiB.
#[allow(clippy::cast_precision_loss, reason = "a number of connections")]
fn memory(case: &Case<'_>, opened: f64, factor: f64) -> u64 {
    let flow = &case.report.flow;
    let closed = flow.closed_fin + flow.closed_reset;
    let lasting = 1.0 - closed as f64 / flow.flows_opened.max(1) as f64;
    let idle = opened * lasting * KEPT * IDLE_CONNECTION;
    let busy = case.look.connections.most as f64 * BUSY_CONNECTION;
    doubled((idle + busy) * factor / FLOW_SHARE, 256 << 20)
}

fn ring(packets: f64, bytes: f64) -> u64 {
    doubled((bytes + packets * RING_PER_PACKET) * RING_SECONDS, SMALLEST_RING as u64)
}

#[allow(clippy::cast_precision_loss, reason = "a size")]
fn doubled(least: f64, from: u64) -> u64 {
    std::iter::successors(Some(from), |size| size.checked_mul(2))
        .find(|size| *size as f64 >= least)
        .unwrap_or(u64::MAX)
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small number of cores")]
fn whole(number: f64) -> u64 {
    number.ceil().max(0.0) as u64
}

/// For people.
pub(super) fn text(needs: &Needs, paper: &mut Paper) {
    let Needs { seconds, factor, measured, .. } = needs;
    paper.heading("What this site needs");
    let short = if *seconds < ENOUGH { "; look for a minute or more before you buy" } else { "" };
    paper.row(
        "seen",
        &format!(
            "{} packets, {:.1} Mbit, {} exchanges and {} new connections a second, over {seconds:.0} s; the busiest second \
             had {measured:.1} times the mean{short}",
            figure(needs.packets),
            needs.bits / 1e6,
            figure(needs.exchanges),
            figure(needs.connections)
        ),
    );
    paper.row("sized for", &format!("{factor:.1} times the mean"));
    paper.row(
        "cores",
        &format!(
            "{}: with analysis {} of one at the mean and {} at {factor:.1} times it, {} on the capture thread; and one for \
             the kernel's side of the capture",
            needs.cores,
            part(needs.load),
            part(needs.load * factor),
            part(needs.capture_load * factor)
        ),
    );
    if needs.capture_load * factor > BUSY {
        paper.row("", "one capture thread is not enough: split the traffic between sensors by -f, or leave out what is no API");
    }
    paper.row(
        "memory",
        &format!("--memory {} and a ring of --set capture.ring={}", binary(needs.memory), binary(needs.ring)),
    );
    paper.row(
        "output",
        &format!(
            "{} events and {:.1} GB a day as OCSF, at the rate that was seen",
            count(whole(needs.events_a_day)),
            needs.bytes_a_day / 1e9
        ),
    );
}

/// Cores as a share of one.
fn part(cores: f64) -> String {
    if cores < 0.01 { "less than 1 %".to_owned() } else { format!("{:.0} %", cores * 100.0) }
}

/// `1,234` or `0.12`.
fn figure(rate: f64) -> String {
    if rate >= 10.0 { count(whole(rate.round())) } else { format!("{rate:.2}") }
}

/// A power of two as options take it.
fn binary(size: u64) -> String {
    bytes(size).replace(".0 ", "").replace(' ', "")
}

/// For programs.
pub(super) fn json(needs: &Needs) -> Value {
    json!({
        "seconds": needs.seconds, "packets_per_second": needs.packets, "bits_per_second": needs.bits,
        "exchanges_per_second": needs.exchanges, "connections_per_second": needs.connections,
        "peak_to_mean": needs.measured, "factor": needs.factor,
        "cores": needs.cores, "load_mean": needs.load, "load_peak": needs.load * needs.factor,
        "capture_load_peak": needs.capture_load * needs.factor,
        "memory_bytes": needs.memory, "ring_bytes": needs.ring,
        "events_a_day": needs.events_a_day.round(), "bytes_a_day": needs.bytes_a_day.round(),
    })
}

/// An output that writes nothing and counts every byte: events as this site gives them are what its disk has to hold.
pub(super) fn scale(redactor: tapwire_event::Redactor) -> Outlet {
    let options =
        Options { format: Format::Ocsf, version: env!("CARGO_PKG_VERSION").into(), ..Options::default() };
    let classes = Classes { endpoints: false, sensor: false, ..Classes::default() };
    Outlet::new(Renderer::new(options, redactor), classes, None, vec![Box::new(NullSink::weighing())])
}

fn written(report: &Report) -> Tally {
    report.sinks.first().map(|sink| sink.counts.delivered).unwrap_or_default()
}
