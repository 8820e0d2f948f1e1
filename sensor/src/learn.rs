//! What the commands that print what was learned have in common: they learn it, from captures.

use crate::cli::{LearnArgs, OnOff, SenseArgs};
use crate::descriptions;
use crate::failure::{Exit, Failure};
use crate::sense::{load_key, pipeline_config, redactor};
use crate::settings::Effective;
use crate::watch::{Terminal, catch_signals};
use tapwire_capture::{Pressure, open_files};
use tapwire_event::Redactor;
use tapwire_pipeline::{Config, Report, run};

/// What was learned, and what it is shown through.
pub(crate) struct Learned {
    pub(crate) report: Report,
    pub(crate) redactor: Redactor,
}

/// Learns from the captures and says on standard error what was wrong with them. Progress is shown unless `quiet`; `settle`
/// may change what the command line asked for.
pub(crate) fn learn(
    args: &LearnArgs,
    quiet: bool,
    settle: impl FnOnce(&mut Config) -> Result<(), Failure>,
) -> Result<Learned, Failure> {
    let effective = Effective::load(&args.config)?;
    let key = load_key(args.token_key.as_deref(), None)?;
    let mut source = open_files(&args.paths, args.bpf.as_deref())?;
    let sense = SenseArgs { analysis: OnOff::On, openapi: args.openapi.clone(), ..SenseArgs::default() };
    let mut config = pipeline_config(&effective, &sense, key.clone(), Pressure::Block)?;
    config.secrets = crate::keys::Keys::of_captures(&args.keys)?.secrets;
    settle(&mut config)?;
    let mut terminal = Terminal::new(catch_signals()?, quiet, Pressure::Block);
    let report = run(&mut source, &config, Vec::new(), &mut terminal);
    terminal.finish();
    report.source_errors.iter().for_each(|error| eprintln!("tapwire: {error}"));
    descriptions::tell_unmet(report.inventory.as_ref());
    Ok(Learned { report, redactor: redactor(&effective, key) })
}

impl Learned {
    /// How the command ends that could tell what was learned.
    pub(crate) fn exit(&self) -> Exit {
        let nothing_read = !self.report.source_errors.is_empty() && self.report.wire.packets == 0;
        if nothing_read { Exit::Operator } else { Exit::Done }
    }
}
