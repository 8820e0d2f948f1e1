//! `rules check`: which rules apply, which do not and why, and which are broken and where.

use super::args::RulesCheckArgs;
use super::files;
use crate::failure::{Exit, Failure};
use crate::paper::{Paper, plain, print};
use crate::size::counted;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::PathBuf;
use tapwire_rules::{Entry, Fault, Kind, Loaded, Skipped};

/// Broken rules that are named when a run begins; the others are counted.
const NAMED: usize = 10;

/// What a run says of its rules when it begins.
pub(super) fn say(loaded: &Loaded, quiet: bool) {
    for fault in loaded.faults.iter().take(NAMED) {
        eprintln!("tapwire: {}; it is not used", told(fault));
    }
    let more = loaded.faults.len().saturating_sub(NAMED);
    if more > 0 {
        eprintln!(
            "tapwire: {} more are broken: `tapwire rules check` names them",
            counted(more as u64, "rule")
        );
    }
    if !quiet {
        eprintln!("tapwire: rules: {}", sums(loaded));
    }
}

/// Rules of which none judges anything: the first reason why.
pub(super) fn none_applies(paths: &[PathBuf], loaded: &Loaded) -> Failure {
    let named: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    let broken = loaded.faults.first().map(told);
    let skipped =
        || loaded.skipped.first().map(|one| format!("{}:{}: {}", one.file, one.line, plain(&one.reason)));
    let why = broken.or_else(skipped).map(|why| format!(" ({why})")).unwrap_or_default();
    Failure::new(format!(
        "--rules {}: no rule of it applies{why}; `tapwire rules check` says why",
        named.join(", ")
    ))
}

fn sums(loaded: &Loaded) -> String {
    let (applied, skipped) = (loaded.applied.len(), loaded.skipped.len());
    let faults = counted(loaded.faults.len() as u64, "fault");
    format!("{applied} judged, {skipped} do not apply, {faults}")
}

/// A fault, with where it is.
fn told(fault: &Fault) -> String {
    let what = plain(&fault.what);
    if fault.line == 0 {
        format!("{}: {what}", fault.file)
    } else {
        format!("{}:{}: {what}", fault.file, fault.line)
    }
}

/// `tapwire rules check`.
pub(super) fn check(args: &RulesCheckArgs) -> Result<Exit, Failure> {
    let loaded = files::load(&args.paths)?;
    print(&if args.json { lines(&loaded) } else { page(&loaded, args.verbose) }, true)?;
    let is_good = loaded.faults.is_empty() && !loaded.applied.is_empty();
    Ok(if is_good { Exit::Done } else { Exit::Operator })
}

fn page(loaded: &Loaded, verbose: bool) -> String {
    let mut paper = Paper::new(true);
    paper.heading("Judged");
    if loaded.applied.is_empty() {
        paper.line("  none");
    }
    for entry in &loaded.applied {
        let severity = if entry.kind == Kind::Filter { "" } else { entry.severity.name() };
        let text = format!("{} {} ({}:{})", entry.kind.name(), entry.title, entry.file, entry.line);
        paper.row(severity, &text);
    }
    if !loaded.skipped.is_empty() {
        paper.heading("Not judged");
        if verbose {
            let text = |one: &Skipped| format!("{} ({}:{}): {}", one.title, one.file, one.line, one.reason);
            loaded.skipped.iter().for_each(|one| paper.row("", &text(one)));
        } else {
            by_reason(&loaded.skipped, &mut paper);
        }
    }
    if !loaded.faults.is_empty() {
        paper.heading("Broken");
        loaded.faults.iter().for_each(|fault| paper.row("", &told(fault)));
    }
    paper.line(&format!("\n{}", sums(loaded)));
    paper.into_text()
}

/// The most frequent reason first, each with a rule it holds for.
fn by_reason(skipped: &[Skipped], paper: &mut Paper) {
    let mut reasons: BTreeMap<&str, (usize, &Skipped)> = BTreeMap::new();
    for one in skipped {
        reasons.entry(&one.reason).or_insert((0, one)).0 += 1;
    }
    let mut reasons: Vec<_> = reasons.into_iter().collect();
    reasons.sort_by_key(|(reason, (count, _))| (std::cmp::Reverse(*count), *reason));
    for (reason, (count, first)) in reasons {
        let such = if count == 1 { "" } else { "such as " };
        paper.row(
            &count.to_string(),
            &format!("{reason}: {such}{} ({}:{})", first.title, first.file, first.line),
        );
    }
}

fn lines(loaded: &Loaded) -> String {
    let applied = loaded.applied.iter().map(|entry: &Entry| {
        json!({"state": "judged", "kind": entry.kind.name(), "id": entry.id, "title": entry.title,
            "severity": entry.severity.name(), "file": entry.file, "line": entry.line})
    });
    let skipped = loaded.skipped.iter().map(|one| {
        json!({"state": "not-judged", "title": one.title, "file": one.file, "line": one.line, "reason": one.reason})
    });
    let faults = loaded.faults.iter().map(|fault| {
        json!({"state": "broken", "file": fault.file, "line": fault.line, "reason": plain(&fault.what)})
    });
    applied.chain(skipped).chain(faults).map(|value| format!("{value}\n")).collect()
}
