//! Errors that are provoked for what they tell.

use crate::detector::{Case, Detector, DetectorInfo, Scope, StateKind};
use crate::facts::path;
use crate::tally::{Distinct, Steps, Stretch, times};
use crate::{Finding, Outcome, Severity};
use tapwire_inspect::Mark;

pub(super) const INFO: DetectorInfo = DetectorInfo {
    name: "error-probing",
    title: "Errors with stack traces are provoked (verbose errors)",
    summary: "One address got five answers and more with a stack trace or a database's message, for five different paths: it sends what programs stumble \
              over, to read how they are built. That errors tell so much is for a policy to say; here somebody makes use of it.",
    owasp: "API8:2023 Security Misconfiguration",
    cwe: "CWE-209",
    attack: ("T1592", "Gather Victim Host Information"),
    severity: "Medium: what was asked for was told",
    scope: Scope::Address,
    warm_up: "none: 5 different paths within a day",
    next_steps: &["Answer errors with a number, and keep what they tell in the log."],
    unjudged: "no answer said that a call failed",
    judges: |call| call.observation.marks.contains(Mark::Failed),
    concerns: |call| call.observation.marks.contains(Mark::VerboseError),
    state: StateKind::of::<ErrorProbing>(),
};

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct ErrorProbing {
    paths: Distinct,
    steps: Steps,
    stretch: Stretch,
}

impl Detector for ErrorProbing {
    fn judge(&mut self, case: &Case<'_>, out: &mut Vec<Finding>) {
        if self.stretch.begins(case.call.observation.exchange.started(), 6 * 3_600, 86_400) {
            *self = Self { stretch: self.stretch, ..Self::default() };
        }
        self.paths.add(path(case.call));
        let paths = self.paths.len() as u64;
        if self.steps.reaches(paths, 5) {
            let reason = format!(
                "{} from one address got errors with a stack trace or a database's message within {}.",
                times(paths, "different path"),
                self.stretch.words(),
            );
            out.push(case.finding(b"", Severity::Medium, Outcome::Confirmed, 70, reason));
        }
    }
}
