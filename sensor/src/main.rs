//! The `tapwire` binary: command line, configuration, assembly. Nothing else.

mod cli;
mod doctor;
mod failure;
mod kept;
mod lists;
mod outputs;
mod paper;
mod sense;
mod settings;
mod show;
mod size;
mod summary;
mod watch;

use clap::{CommandFactory, Parser};
use cli::{Cli, Command, ConfigAction, ConfigArgs};
use failure::{Exit, Failure};
use settings::Effective;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse_from(cli::spell_out(std::env::args_os().collect()));
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
        Command::Explain { name } => lists::explain(&name),
        Command::List { what, json } => lists::list(what, json),
        Command::Config { action, config } => configuration(action, &config),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "tapwire", &mut std::io::stdout());
            Ok(Exit::Done)
        }
        Command::Man => {
            clap_mangen::Man::new(Cli::command()).render(&mut std::io::stdout())?;
            Ok(Exit::Done)
        }
    }
}

fn configuration(action: ConfigAction, args: &ConfigArgs) -> Result<Exit, Failure> {
    let effective = Effective::load(args)?;
    effective.memory()?;
    match action {
        ConfigAction::Show => print!("{}", effective.show()?),
        ConfigAction::Check => println!("the configuration is good"),
    }
    Ok(Exit::Done)
}
