//! The `tapwire` binary: command line, configuration, assembly. Nothing else.

mod agents;
mod apis;
mod behind;
mod blast;
mod callers;
mod carve;
mod case;
mod cli;
mod collect;
mod content;
mod context;
mod coverage;
mod descriptions;
mod differences;
mod doctor;
mod egress;
mod failure;
mod feedback;
mod handover;
mod incidents;
mod inventory;
mod judged;
mod kept;
mod keys;
mod kpis;
mod lake;
mod learn;
mod ledger;
mod lessons;
mod lists;
mod markdown;
mod memory;
mod mistyped;
mod next;
mod openapi;
mod outputs;
mod page;
mod paper;
mod posture;
mod quotas;
mod report;
mod risk;
mod rules;
mod sandbox;
mod schema;
mod sense;
mod serve;
mod settings;
mod sheet;
mod show;
mod size;
mod stored;
mod story;
mod suggestions;
mod summary;
mod taken;
mod usage;
mod version;
mod watch;
mod whom;

use clap::{CommandFactory, Parser};
use cli::{Cli, Command, ConfigAction, ConfigArgs, KeysAction};
use failure::{Exit, Failure};
use settings::Effective;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let args = cli::spell_out(std::env::args_os().collect());
    let cli = match Cli::try_parse_from(&args) {
        Ok(cli) => cli,
        Err(error) => return mistyped::end(&error, &args),
    };
    match carry_out(cli.command) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            eprintln!("tapwire: {failure}");
            Exit::Operator.into()
        }
    }
}

fn carry_out(command: Command) -> Result<Exit, Failure> {
    match command {
        Command::Run(args) => sense::run_live(&args),
        Command::Replay(args) => sense::replay(&args),
        Command::Doctor(args) => doctor::doctor(&args),
        Command::Show(args) => show::show(&args),
        Command::Inventory(args) => inventory::inventory(&args),
        Command::Openapi(args) => openapi::openapi(&args),
        Command::Callers(args) => callers::callers(&args),
        Command::Incidents(args) => incidents::incidents(&args),
        Command::Findings(args) => incidents::findings(&args),
        Command::Quotas(args) => quotas::quotas(&args),
        Command::BlastRadius(args) => blast::blast_radius(&args),
        Command::Feedback(args) => feedback::feedback(&args),
        Command::Report(args) => report::report(&args),
        Command::Kpis(args) => kpis::kpis(&args),
        Command::Sql(args) => lake::sql(&args),
        Command::Lake(action) => lake::carry_out(&action),
        Command::Hunt(args) => rules::hunt(&args),
        Command::Serve(args) => serve::serve(args),
        Command::Collect(args) => collect::collect(&args),
        Command::Sensor { action } => collect::sensor(action),
        Command::Carve(args) => carve::carve(&args),
        Command::Case { action } => case::carry_out(&action),
        Command::Keys { action: KeysAction::Forward(args) } => keys::forward(&args),
        Command::Rules { action } => rules::carry_out(&action),
        Command::Content { action } => content::carry_out(&action),
        Command::Explain { name, config } => lists::explain(&name, config),
        Command::List { what, json, config } => lists::list(what, json, config),
        Command::Version { json } => version::version(json),
        Command::Config { action, config } => configuration(action, &config),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "tapwire", &mut script);
            print_generated(&script)
        }
        Command::Man { to: Some(folder) } => {
            clap_mangen::generate_to(Cli::command(), &folder)
                .map_err(|error| Failure::new(format!("man --to {}: {error}", folder.display())))?;
            Ok(Exit::Done)
        }
        Command::Man { to: None } => {
            let mut page = Vec::new();
            clap_mangen::Man::new(Cli::command()).render(&mut page)?;
            print_generated(&page)
        }
    }
}

fn print_generated(text: &[u8]) -> Result<Exit, Failure> {
    paper::print(&String::from_utf8_lossy(text), true)?;
    Ok(Exit::Done)
}

fn now() -> tapwire_wire::Timestamp {
    let nanos = jiff::Timestamp::now().as_nanosecond();
    tapwire_wire::Timestamp::from_nanos(i64::try_from(nanos).unwrap_or(i64::MAX))
}

fn configuration(action: ConfigAction, args: &ConfigArgs) -> Result<Exit, Failure> {
    let effective = Effective::load(args)?;
    effective.memory()?;
    effective.threads()?;
    effective.packet_budget()?;
    context::check(&effective)?;
    kpis::targets(&effective.settings.kpi)?;
    effective.settings.rules()?;
    quotas::declared(&effective.settings.quota)?;
    effective.settings.mutes()?;
    effective.settings.doubtful_mutes(now()).iter().for_each(|line| eprintln!("tapwire: {line}"));
    outputs::check(&effective)?;
    rules::Source::of(&effective.settings.rules, &[]).load(true)?;
    match action {
        ConfigAction::Show => paper::print(&effective.show()?, true)?,
        ConfigAction::Check => paper::print("the configuration is good\n", true)?,
    }
    Ok(Exit::Done)
}
