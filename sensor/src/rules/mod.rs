//! Users' rules: where they are read from, and `tapwire rules`.

mod args;
#[cfg(feature = "sigma")]
mod backtest;
#[cfg(feature = "sigma")]
mod check;
#[cfg(feature = "sigma")]
mod draft;
#[cfg(feature = "sigma")]
mod files;
#[cfg(all(feature = "sigma", feature = "lake"))]
mod hunt;
#[cfg(feature = "sigma")]
mod past;
#[cfg(feature = "sigma")]
mod since;
#[cfg(feature = "sigma")]
mod trial;

pub(crate) use args::{HuntArgs, RulesAction};

use crate::failure::{Exit, Failure};
use std::path::PathBuf;
use tapwire_detect::CallRules;

/// Where rules come from.
pub(crate) struct Source {
    paths: Vec<PathBuf>,
    /// Whether some of them stand on the command line.
    #[cfg_attr(not(feature = "sigma"), expect(dead_code, reason = "without rules any of them is refused"))]
    is_named: bool,
}

impl Source {
    /// Those of the configuration, and those of the command line.
    pub(crate) fn of(configured: &[PathBuf], named: &[PathBuf]) -> Self {
        Self { paths: configured.iter().chain(named).cloned().collect(), is_named: !named.is_empty() }
    }

    /// Reads them; says what is broken and, unless `quiet`, how many apply. `None` where none are named; an error where the
    /// command line names some, and none of all applies: files without any rule are no mistake.
    #[cfg(feature = "sigma")]
    pub(crate) fn load(&self, quiet: bool) -> Result<Option<Box<dyn CallRules>>, Failure> {
        if self.paths.is_empty() {
            return Ok(None);
        }
        let loaded = files::load(&self.paths)?;
        let is_empty = loaded.faults.is_empty() && loaded.skipped.is_empty();
        if self.is_named && loaded.applied.is_empty() && !is_empty {
            return Err(check::none_applies(&self.paths, &loaded));
        }
        check::say(&loaded, quiet);
        Ok(Some(Box::new(loaded.judge)))
    }

    /// What is wrong with the first that is broken.
    #[cfg(feature = "sigma")]
    pub(crate) fn fault(&self) -> Result<Option<String>, Failure> {
        let told = |fault: &tapwire_rules::Fault| format!("{}:{}: {}", fault.file, fault.line, fault.what);
        Ok(files::load(&self.paths)?.faults.first().map(told))
    }

    #[cfg(not(feature = "sigma"))]
    pub(crate) fn fault(&self) -> Result<Option<String>, Failure> {
        Ok(None)
    }

    /// The files, to see when they change.
    #[cfg(feature = "sigma")]
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        files::named(&self.paths).unwrap_or_default()
    }

    #[cfg(not(feature = "sigma"))]
    pub(crate) fn load(&self, _quiet: bool) -> Result<Option<Box<dyn CallRules>>, Failure> {
        if self.paths.is_empty() { Ok(None) } else { Err(absent()) }
    }

    #[cfg(not(feature = "sigma"))]
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        self.paths.clone()
    }
}

/// `tapwire rules`.
#[cfg(feature = "sigma")]
pub(crate) fn carry_out(action: &RulesAction) -> Result<Exit, Failure> {
    match action {
        RulesAction::Check(args) => check::check(args),
        RulesAction::Test(args) => trial::test(args),
        RulesAction::New(args) => draft::new(args),
        RulesAction::Backtest(args) => backtest::backtest(args),
    }
}

/// `tapwire hunt`.
#[cfg(all(feature = "sigma", feature = "lake"))]
pub(crate) fn hunt(args: &HuntArgs) -> Result<Exit, Failure> {
    hunt::hunt(args)
}

#[cfg(not(all(feature = "sigma", feature = "lake")))]
pub(crate) fn hunt(_args: &HuntArgs) -> Result<Exit, Failure> {
    Err(Failure::new(
        "hunt: this build has no rules or no lake: packages have both, or build with \
         `cargo build --release --features sigma,lake`",
    ))
}

#[cfg(not(feature = "sigma"))]
pub(crate) fn carry_out(_action: &RulesAction) -> Result<Exit, Failure> {
    Err(absent())
}

#[cfg(not(feature = "sigma"))]
fn absent() -> Failure {
    Failure::new(
        "this build judges by no rules: packages do, or build with `cargo build --release --features sigma`",
    )
}
