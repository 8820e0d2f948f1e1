//! A command line that is not understood: one line that says what, where, and what to try.

use crate::cli::Cli;
use crate::failure::{Exit, Failure};
use crate::paper::plain;
use clap::CommandFactory;
use clap::error::ErrorKind;
use std::ffi::OsString;
use std::process::ExitCode;

/// Prints help where that was asked for, or nothing at all was; else says what is wrong.
pub(crate) fn end(error: &clap::Error, args: &[OsString]) -> ExitCode {
    let is_help = [
        ErrorKind::DisplayHelp,
        ErrorKind::DisplayVersion,
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand,
    ];
    if is_help.contains(&error.kind()) {
        error.exit();
    }
    let what = match error.kind() {
        ErrorKind::InvalidUtf8 => unreadable(args),
        _ => told(&error.render().to_string()),
    };
    eprintln!("tapwire: {}", Failure::new(format!("{what}; see `{} --help`", command(args))));
    Exit::Operator.into()
}

/// What comes before the usage, in one line: the error, the values there are, what is similar.
fn told(rendered: &str) -> String {
    let lines = rendered.lines().map(str::trim).take_while(|line| !line.starts_with("Usage:"));
    let mut what = String::new();
    for line in lines.filter(|line| !line.is_empty() && !line.starts_with("For more information")) {
        let line = line.strip_prefix("error: ").unwrap_or(line);
        let between = match line.strip_prefix("tip: ") {
            _ if what.is_empty() => "",
            Some(_) => "; ",
            None => " ",
        };
        what.push_str(between);
        what.push_str(line.strip_prefix("tip: ").unwrap_or(line));
    }
    what
}

/// The first argument that is no text, with the option before it.
fn unreadable(args: &[OsString]) -> String {
    let at = args.iter().position(|arg| arg.to_str().is_none());
    let shown = |at: usize| args.get(at).map(|arg| plain(&arg.to_string_lossy())).unwrap_or_default();
    let Some(at) = at else { return "an argument is no text in UTF-8".into() };
    let before = at.checked_sub(1).map(shown).filter(|before| before.starts_with('-'));
    let option = before.map(|before| format!("{before} ")).unwrap_or_default();
    format!("{option}{}: is no text in UTF-8; rename the file, or link to it", shown(at))
}

/// `tapwire case verify` of what was typed, as far as those are commands.
fn command(args: &[OsString]) -> String {
    let mut known = Cli::command();
    let mut names = vec!["tapwire".to_owned()];
    for arg in args.iter().skip(1) {
        let Some(below) = known.find_subcommand(arg).cloned() else { break };
        names.push(below.get_name().to_owned());
        known = below;
    }
    names.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    fn said(line: &str) -> String {
        let error = Cli::try_parse_from(line.split(' ')).unwrap_err();
        let args: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        format!("{} ({})", told(&error.render().to_string()), command(&args))
    }

    #[test]
    fn a_mistake_is_one_line() {
        for (line, words) in [
            ("tapwire replay a.pcap --evnts x", ["'--evnts'", "'--events'", "(tapwire replay)"]),
            ("tapwire replay", ["required arguments", "<PATH>", "(tapwire replay)"]),
            ("tapwire replay a.pcap --threads many", ["'many'", "--threads", "(tapwire replay)"]),
            ("tapwire list nothing", ["'nothing'", "possible values: detectors", "(tapwire list)"]),
            ("tapwire raplay a.pcap", ["'raplay'", "'replay'", "(tapwire)"]),
        ] {
            let said = said(line);
            assert!(words.iter().all(|word| said.contains(word)) && !said.contains('\n'), "{said}");
        }
    }
}
