//! What the commands that print what was learned have in common: they learn it from captures, or read what a run keeps.

use crate::cli::{LearnArgs, OnOff, SenseArgs};
use crate::descriptions;
use crate::failure::{Exit, Failure};
use crate::lessons::Lessons;
use crate::sense::{load_key, pipeline_config, redactor};
use crate::settings::Effective;
use crate::watch::{Terminal, catch_signals};
use std::path::{Path, PathBuf};
use tapwire_capture::{Pressure, open_files};
use tapwire_event::Redactor;
use tapwire_inspect::TokenKey;
use tapwire_pipeline::{Aside, Config, Fault, Loads, Report, Unused, run_with};
use tapwire_store::{Directories, Reader};

/// What was learned, and what it is shown through.
pub(crate) struct Learned {
    pub(crate) report: Report,
    pub(crate) redactor: Redactor,
    /// Whether the operator has to look after a part of what a run keeps.
    needs_care: bool,
}

/// Learns from the captures, or reads what was learned where there is none; says on standard error what was wrong. Progress
/// is shown unless `quiet`; `settle` may change what the command line asked for.
pub(crate) fn learn(
    args: &LearnArgs,
    quiet: bool,
    settle: impl FnOnce(&mut Config) -> Result<(), Failure>,
) -> Result<Learned, Failure> {
    learn_with(args, &Beside::default(), quiet, settle)
}

/// What some of these commands go by, beside the captures.
#[derive(Default)]
pub(crate) struct Beside<'a> {
    /// Rules that calls are judged by.
    pub(crate) rules: &'a [PathBuf],
    /// Whether captures are read twice.
    pub(crate) two_pass: bool,
    /// A part of what a run keeps, under its directory, without which there is nothing to tell.
    pub(crate) needed: Option<&'static str>,
}

/// The same, with that.
pub(crate) fn learn_with(
    args: &LearnArgs,
    beside: &Beside<'_>,
    quiet: bool,
    settle: impl FnOnce(&mut Config) -> Result<(), Failure>,
) -> Result<Learned, Failure> {
    let effective = Effective::load(&args.config)?;
    if args.paths.is_empty() {
        return from_data(args, &effective, beside.needed, settle);
    }
    let key = load_key(args.token_key.as_deref(), None)?;
    let mut source = open_files(&args.paths, args.bpf.as_deref())?;
    let mut config = config(args, &effective, key.clone(), beside.rules)?;
    let lessons = Lessons::new(&args.paths, beside.two_pass, &[])?;
    if lessons.twice {
        lessons.share(&mut config);
    }
    config.secrets = crate::keys::Keys::of_captures(&args.keys)?.secrets;
    settle(&mut config)?;
    let mut terminal = Terminal::new(catch_signals()?, quiet, Pressure::Block);
    let empty = || Ok(tapwire_pipeline::Learned::new(&config));
    let taught = lessons.learn(args.bpf.as_deref(), empty, &config, &mut terminal)?.unwrap_or_default();
    let aside = Aside { known: taught.known, ..Aside::default() };
    let report = run_with(&mut source, &config, Vec::new(), &mut terminal, aside);
    terminal.finish();
    report.source_errors.iter().for_each(|error| eprintln!("tapwire: {error}"));
    descriptions::tell_unmet(report.inventory.as_ref());
    Ok(Learned { report, redactor: redactor(&effective, key), needs_care: false })
}

/// What was learned by a run, which may still go on.
fn from_data(
    args: &LearnArgs,
    effective: &Effective,
    needed: Option<&str>,
    settle: impl FnOnce(&mut Config) -> Result<(), Failure>,
) -> Result<Learned, Failure> {
    let data = args.data.clone().or_else(|| Directories::from_env().data);
    let data = data.ok_or_else(|| Failure::new("name captures to learn from, or --data DIR of a run"))?;
    let reader = Reader::open(&data)?;
    let key = match &args.token_key {
        Some(file) => load_key(Some(file), None)?,
        None => TokenKey::new(*reader.token_key()?.bytes()),
    };
    let mut config = config(args, effective, key.clone(), &[])?;
    settle(&mut config)?;
    let (learned, loads) = tapwire_pipeline::Learned::read(&reader, &config)?;
    if let Some(lost) =
        loads.unused.iter().find(|unused| needed.is_some_and(|part| unused.path.ends_with(part)))
    {
        return Err(Failure::new(format!(
            "{}; `tapwire findings` and `tapwire sql` read the events beside it, and captures can be replayed into a new directory",
            trouble(lost)
        )));
    }
    if !loads.found {
        return Err(Failure::new(nothing_kept(&data, &loads)));
    }
    for unused in &loads.unused {
        eprintln!("tapwire: {}; what it has is missing here", trouble(unused));
    }
    let report = Report::of_learned(learned, &config);
    descriptions::tell_unmet(report.inventory.as_ref());
    // What another version wrote is replaced by the next run of this one.
    let needs_care = loads.unused.iter().any(|unused| unused.fault != Fault::OtherVersion);
    Ok(Learned { report, redactor: redactor(effective, key), needs_care })
}

fn trouble(unused: &Unused) -> String {
    let (path, why) = (unused.path.display(), &unused.why);
    match unused.fault {
        Fault::Damaged => format!("{path}: is damaged ({why})"),
        Fault::OtherVersion | Fault::OtherKey => format!("{path}: {why}"),
    }
}

/// What is wrong, in one line.
fn nothing_kept(data: &Path, loads: &Loads) -> String {
    if crate::collect::is_collectors(data) && loads.unused.is_empty() {
        return format!(
            "{}: a collector keeps events there, and learns nothing of them: tapwire inventory --data {0} has their endpoints, \
             tapwire sql --data {0} asks its tables, and the sensors' own directories have the rest",
            data.display()
        );
    }
    match loads.unused.first() {
        Some(Unused { path, why, .. }) => format!(
            "{}: {why}; name captures instead, or the token key it was written with: --token-key FILE",
            path.display()
        ),
        None => format!(
            "{}: nothing that was learned is kept there: `tapwire run` writes it every state.every seconds and when it ends; \
             or name captures",
            data.join("state/inventory").display()
        ),
    }
}

fn config(
    args: &LearnArgs,
    effective: &Effective,
    key: TokenKey,
    rules: &[PathBuf],
) -> Result<Config, Failure> {
    let (openapi, rules) = (args.openapi.clone(), rules.to_vec());
    let sense = SenseArgs { analysis: OnOff::On, openapi, rules, quiet: true, ..SenseArgs::default() };
    pipeline_config(effective, &sense, key, Pressure::Block)
}

impl Learned {
    /// How the command ends that could tell what was learned.
    pub(crate) fn exit(&self) -> Exit {
        let nothing_read = !self.report.source_errors.is_empty() && self.report.wire.packets == 0;
        if nothing_read || self.needs_care { Exit::Operator } else { Exit::Done }
    }
}
