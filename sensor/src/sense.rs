//! `run` and `replay`: opens the source and the outputs, runs the pipeline, says what came of it.

use crate::cli::{OnOff, ReplayArgs, RunArgs, SenseArgs};
use crate::failure::{Exit, Failure};
use crate::outputs::{self, Plan};
use crate::settings::{Effective, Fidelity, size_of_key};
use crate::summary::Summary;
use crate::watch::{Terminal, catch_signals};
use std::hash::{BuildHasher, RandomState};
use std::io::Write;
use std::path::Path;
use tapwire_capture::{InterfaceSource, Pressure, Source, drop_privileges, open_files};
use tapwire_detect::Severity;
use tapwire_event::Redactor;
use tapwire_inspect::TokenKey;
use tapwire_pipeline::{Config, Report, run};
use tapwire_store::{Directories, Store, token_key};

/// `tapwire replay`.
pub fn replay(args: &ReplayArgs) -> Result<Exit, Failure> {
    let mut source = open_files(&args.paths, args.sense.bpf.as_deref())?;
    let store = args.sense.data.as_deref().map(Store::open).transpose()?;
    sense(&mut source, &args.sense, store)
}

/// `tapwire run`.
pub fn run_live(args: &RunArgs) -> Result<Exit, Failure> {
    let effective = Effective::load(&args.sense.config)?;
    let bpf = filter_of(args)?;
    let ring = size_of_key("capture.ring", &effective.settings.capture.ring)?;
    let mut source = InterfaceSource::open_many(&args.interfaces, bpf.as_deref(), ring)?;
    let directories = Directories::from_env();
    let data = args.sense.data.clone().or_else(|| directories.data.clone());
    let store = data.as_deref().map(Store::open).transpose()?;
    sense(&mut source, &args.sense, store)
}

fn filter_of(args: &RunArgs) -> Result<Option<String>, Failure> {
    match (&args.sense.bpf, args.bpf_words.is_empty()) {
        (Some(_), false) => Err(Failure::new("two capture filters: give it once, with -f or behind the options")),
        (Some(filter), true) => Ok(Some(filter.clone())),
        (None, true) => Ok(None),
        (None, false) => Ok(Some(args.bpf_words.join(" "))),
    }
}

fn sense(source: &mut dyn Source, args: &SenseArgs, store: Option<Store>) -> Result<Exit, Failure> {
    let effective = Effective::load(&args.config)?;
    let threshold = args.fail_on.as_deref().map(severity).transpose()?;
    let key = load_key(args.token_key.as_deref(), store.as_ref())?;
    let config = pipeline_config(&effective, args, key.clone(), source.pressure())?;
    let redactor = || redactor(&effective, key.clone());
    let plan = Plan::new(args, source.pressure())?;
    let stdout_carries_events = plan.stdout_carries_events();
    let outlets = outputs::open(&plan, args, &effective, &redactor, source.pressure(), store)?;
    if source.pressure() == Pressure::Shed {
        announce(&effective, args.quiet)?;
    }
    let stop = catch_signals()?;
    let mut terminal = Terminal::new(stop, args.quiet, source.pressure());
    let report = run(source, &config, outlets, &mut terminal);
    terminal.finish();
    report_errors(&report);
    if !args.quiet || args.json {
        let summary = Summary::new(&report, args.verbose);
        let text = if args.json { summary.json() } else { summary.text(!stdout_carries_events) };
        print(&text, stdout_carries_events)?;
    }
    Ok(exit(&report, source.pressure(), threshold))
}

/// Says, before the first packet, who the process is now.
fn announce(effective: &Effective, quiet: bool) -> Result<(), Failure> {
    let dropped = drop_privileges(Some(effective.settings.capture.user.as_str()))?;
    if let (Some(user), false) = (dropped.user, quiet) {
        eprintln!("tapwire: capturing; privileges dropped to user {user}");
    }
    Ok(())
}

/// The key of all tokens.
pub fn load_key(explicit: Option<&Path>, store: Option<&Store>) -> Result<TokenKey, Failure> {
    let directories = Directories::from_env();
    let key = token_key(explicit, store.map(|store| store.reader().directory()), &directories)?;
    if key.readable_by_others {
        eprintln!("tapwire: {}: others can read the token key; make it private: chmod 600", key.path.display());
    }
    Ok(TokenKey::new(*key.bytes()))
}

/// The redactor that the configuration asks for.
pub fn redactor(effective: &Effective, key: TokenKey) -> Redactor {
    let fidelity = match effective.settings.redact.fidelity {
        Fidelity::Default => tapwire_event::Fidelity::Default,
        Fidelity::Full => tapwire_event::Fidelity::Full,
    };
    Redactor::new(key, fidelity).clear_headers(effective.settings.redact.clear_headers.clone())
}

/// What the pipeline is built from; `--memory` is shared out here and nowhere else.
pub fn pipeline_config(
    effective: &Effective,
    args: &SenseArgs,
    key: TokenKey,
    pressure: Pressure,
) -> Result<Config, Failure> {
    let settings = &effective.settings;
    let memory = match &args.memory {
        Some(size) => size_of_key("--memory", size)?,
        None => effective.memory()?,
    };
    let percent = |share: usize| memory / 100 * share;
    let analysis = args.analysis == OnOff::On;
    let full = settings.redact.fidelity == Fidelity::Full;
    let mut flow = settings.flow.clone();
    flow.memory = percent(25);
    flow.out_of_order_memory = percent(10);
    flow.gap_after_ms = (pressure == Pressure::Shed).then_some(200);
    flow.hash_seed = RandomState::new().hash_one(std::process::id());
    let mut protocol = tapwire_protocol::Config::default();
    if !analysis && !full {
        protocol.body_bytes = 0;
    }
    let mut inspect = tapwire_inspect::Config::new(key.clone());
    inspect.max_decoded_bytes = size_of_key("body.max_decoded", &settings.body.max_decoded)? as u64;
    inspect.max_ratio = settings.body.max_ratio;
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let threads = args.threads.or_else(|| usize::try_from(settings.threads).ok());
    Ok(Config {
        threads: threads.unwrap_or_else(|| cores.saturating_sub(2).max(1)),
        analysis,
        max_exchanges: args.count,
        in_flight_bytes: percent(10).min(32 << 20),
        flow,
        protocol,
        inspect,
        detect: tapwire_detect::Config::default(),
        inventory: tapwire_inventory::Config::new(key),
    })
}

fn severity(name: &str) -> Result<Severity, Failure> {
    let all = [Severity::Informational, Severity::Low, Severity::Medium, Severity::High, Severity::Critical];
    all.into_iter().find(|severity| severity.name().eq_ignore_ascii_case(name)).ok_or_else(|| {
        Failure::new(format!(
            "--fail-on {name}: no such severity; there are informational, low, medium, high, critical"
        ))
    })
}

fn report_errors(report: &Report) {
    for error in &report.source_errors {
        eprintln!("tapwire: {error}");
    }
    for error in report.sinks.iter().filter_map(|sink| sink.error.as_ref()) {
        eprintln!("tapwire: {error}");
    }
}

fn print(text: &str, to_stderr: bool) -> Result<(), Failure> {
    let written = if to_stderr {
        std::io::stderr().write_all(text.as_bytes())
    } else {
        std::io::stdout().write_all(text.as_bytes())
    };
    match written {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        result => result.map_err(Failure::from),
    }
}

fn exit(report: &Report, pressure: Pressure, threshold: Option<Severity>) -> Exit {
    let nothing_read = !report.source_errors.is_empty() && report.wire.packets == 0;
    // On a tap what a collector refused is a counter; of a file it is a result that did not arrive.
    let undelivered = pressure == Pressure::Block && report.sinks.iter().any(|sink| sink.error.is_some());
    if nothing_read || undelivered {
        Exit::Operator
    } else if report.interrupted {
        Exit::Interrupted
    } else if threshold.is_some_and(|least| report.findings.iter().any(|finding| finding.severity >= least)) {
        Exit::Findings
    } else {
        Exit::Done
    }
}
