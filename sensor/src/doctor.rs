//! `doctor`: is this mirror good, and if not, why, and what to do about it.

use crate::ailments::{Ailment, diagnose};
use crate::cli::{DoctorArgs, OnOff, SenseArgs};
use crate::failure::{Exit, Failure};
use crate::paper::{Paper, print};
use crate::sense::pipeline_config;
use crate::settings::{Effective, size_of_key};
use crate::size::{self, counted};
use crate::watch::{Terminal, catch_signals};
use serde_json::json;
use tapwire_capture::{InterfaceSource, Pressure, Source, drop_privileges, open_files};
use tapwire_inspect::TokenKey;
use tapwire_pipeline::{Report, run};

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

/// What is true of a mirror without ailments.
const GOOD: &str =
    "both directions, no duplicates, no loss, whole packets, right checksums, nothing encrypted or wrapped";

fn is_good(ailments: &[Ailment]) -> bool {
    ailments.iter().all(|ailment| ailment.harmless)
}

fn as_text(report: &Report, ailments: &[Ailment]) -> String {
    let mut paper = Paper::new(true);
    let tally = &report.tally;
    paper.line(&paper.strong(&report.sources.join(", ")));
    let whole = match (tally.reported, tally.whole) {
        (0, _) => String::new(),
        (_, 0) => ", none of them whole".to_owned(),
        (_, whole) => format!(", {} of them whole", size::count(whole)),
    };
    paper.hang(
        "",
        &format!(
            "{}, {}, {}{whole}",
            counted(report.wire.packets, "packet"),
            counted(report.flow.flows_opened, "connection"),
            counted(tally.reported, "exchange"),
        ),
    );
    if is_good(ailments) {
        paper.heading("This mirror is good");
        paper.hang("  ", GOOD);
    }
    for ailment in ailments.iter().filter(|ailment| !ailment.harmless) {
        paper.heading(ailment.name);
        write(ailment, &mut paper);
    }
    for ailment in ailments.iter().filter(|ailment| ailment.harmless) {
        paper.heading(&format!("{} (harmless)", ailment.name));
        write(ailment, &mut paper);
    }
    paper.into_text()
}

fn write(ailment: &Ailment, paper: &mut Paper) {
    paper.row("what", &format!("{}.", ailment.what));
    paper.row("what to do", &format!("{}.", ailment.remedy));
}

fn as_json(report: &Report, ailments: &[Ailment]) -> String {
    let skipped: serde_json::Map<String, serde_json::Value> = report
        .wire
        .skipped
        .iter()
        .map(|((layer, reason), count)| (format!("{layer}/{reason}"), json!(count)))
        .collect();
    let listed: Vec<_> = ailments
        .iter()
        .map(|a| json!({"name": a.name, "what": a.what, "remedy": a.remedy, "harmless": a.harmless}))
        .collect();
    let flow = &report.flow;
    let value = json!({
        "sources": report.sources, "good": is_good(ailments), "ailments": listed,
        "packets": report.wire.packets, "skipped": skipped, "cut_packets": report.wire.cut_packets,
        "connections": flow.flows_opened, "segments": flow.segments, "span_duplicates": flow.span_duplicates,
        "retransmissions": flow.retransmissions, "acknowledged_bytes": flow.acknowledged_bytes,
        "missed_bytes": flow.missed_bytes, "offloaded_senders": flow.offloaded_senders,
        "exchanges": report.tally.reported, "whole": report.tally.whole,
    });
    format!("{value}\n")
}
