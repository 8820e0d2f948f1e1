//! What a replay learns before it judges: from other captures (`--learn-from`), and from its own in a first pass (`--two-pass`).

use crate::cli::{OnOff, ReplayArgs};
use crate::failure::Failure;
use crate::watch::Terminal;
use std::path::{Path, PathBuf};
use tapwire_capture::open_files;
use tapwire_inventory::Inventory;
use tapwire_pipeline::{Config, Learned, Report, learn};

/// From what is learned first.
#[derive(Default)]
pub(crate) struct Lessons {
    /// Other captures.
    others: Vec<PathBuf>,
    /// The replay's own.
    own: Vec<PathBuf>,
    /// Whether these are read twice.
    pub(crate) twice: bool,
}

/// What was learned of it.
#[derive(Default)]
pub(crate) struct Taught {
    /// Of other captures: the run goes on with it.
    pub(crate) learned: Option<Learned>,
    /// Of all of them: calls are judged by it.
    pub(crate) known: Option<Inventory>,
}

impl Lessons {
    /// Those that were asked for of a replay.
    pub(crate) fn of(args: &ReplayArgs) -> Result<Self, Failure> {
        let option = if args.two_pass { "--two-pass" } else { "--learn-from" };
        let lessons = Self::new(&args.paths, args.two_pass, &args.learn_from)?;
        if args.sense.analysis == OnOff::Off && (lessons.twice || !lessons.others.is_empty()) {
            return Err(Failure::new(format!(
                "{option}: nothing is learned with --analysis off; leave one of them out"
            )));
        }
        Ok(lessons)
    }

    /// Those of other captures, and of a command's own where they are read twice.
    pub(crate) fn new(own: &[PathBuf], twice: bool, others: &[PathBuf]) -> Result<Self, Failure> {
        if twice && own.iter().any(|path| is_standard_input(path)) {
            return Err(Failure::new(
                "--two-pass: standard input can be read only once; write it to a file, and give that",
            ));
        }
        if others.iter().any(|path| is_standard_input(path)) {
            return Err(Failure::new("--learn-from: give files or directories, not standard input"));
        }
        Ok(Self { others: others.to_vec(), own: own.to_vec(), twice })
    }

    /// Two inventories share the memory that is meant for one.
    pub(crate) fn share(&self, config: &mut Config) {
        config.inventory.scale((1, 2));
    }

    /// Learns, each time on top of what was known before; `None` where that was interrupted.
    pub(crate) fn learn(
        &self,
        bpf: Option<&str>,
        before: impl Fn() -> Result<Learned, Failure>,
        config: &Config,
        terminal: &mut Terminal,
    ) -> Result<Option<Taught>, Failure> {
        let mut taught = Taught::default();
        if !self.others.is_empty() {
            let Some((learned, report)) = pass(bpf, config, before()?, &self.others, terminal)? else {
                return Ok(None);
            };
            // That of the run's own captures is told when they are judged.
            report.source_errors.iter().for_each(|error| eprintln!("tapwire: {error}"));
            taught.learned = Some(learned);
        }
        if self.twice {
            let mut all = self.others.clone();
            all.extend(self.own.iter().cloned());
            let Some((learned, _)) = pass(bpf, config, before()?, &all, terminal)? else {
                return Ok(None);
            };
            taught.known = Some(learned.inventory);
        }
        Ok(Some(taught))
    }
}

fn pass(
    bpf: Option<&str>,
    config: &Config,
    learned: Learned,
    paths: &[PathBuf],
    terminal: &mut Terminal,
) -> Result<Option<(Learned, Report)>, Failure> {
    let mut source = open_files(paths, bpf)?;
    let (learned, report) = learn(&mut source, config, learned, terminal);
    Ok((!report.interrupted).then_some((learned, report)))
}

fn is_standard_input(path: &Path) -> bool {
    path.as_os_str() == "-"
}
