//! Objects that are tried and refused.

use crate::detector::{Case, Detector, DetectorInfo, Scope, StateKind};
use crate::facts::{is_denied, is_missing, is_named, is_ok, status, template};
use crate::tally::{Distinct, Steps, Stretch, times};
use crate::{Finding, Outcome, Severity};

pub(super) const INFO: DetectorInfo = DetectorInfo {
    name: "denied-probes",
    title: "Objects are probed and refused",
    summary: "A named caller asked for many different objects of one service within an hour, and most of them were refused (401, 403, 405) or \
              do not exist (404): it tries which objects of others it can reach. People follow links that exist and are theirs.",
    owasp: "API1:2023 Broken Object Level Authorization",
    cwe: "CWE-639",
    attack: ("T1087", "Account Discovery"),
    severity: "Medium: the server refused; High when some were given out in between",
    scope: Scope::Principal,
    warm_up: "none: 15 different objects refused, and seven in ten of its calls",
    next_steps: &[
        "Look which objects were given out in between.",
        "Limit how often one caller may be refused.",
    ],
    unjudged: "no named caller asked for an object",
    judges: |call| is_named(call) && call.relations.named != 0,
    concerns: |call| {
        is_named(call)
            && call.relations.named != 0
            && (is_denied(call) || is_missing(call) || is_ok(call) || status(call) == Some(405))
    },
    state: StateKind::of::<DeniedProbes>(),
};

const ENOUGH: u64 = 15;

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct DeniedProbes {
    refused: Distinct,
    missing: u64,
    calls: u64,
    given: u64,
    steps: Steps,
    stretch: Stretch,
}

impl Detector for DeniedProbes {
    fn judge(&mut self, case: &Case<'_>, out: &mut Vec<Finding>) {
        if self.stretch.begins(case.call.observation.exchange.started(), 900, 3_600) {
            *self = Self { stretch: self.stretch, steps: self.steps, ..Self::default() };
        }
        self.calls += 1;
        self.given += u64::from(is_ok(case.call));
        if !is_denied(case.call) && !is_missing(case.call) && status(case.call) != Some(405) {
            return;
        }
        self.missing += u64::from(is_missing(case.call));
        self.refused.add(case.call.relations.named);
        let refused = self.refused.len() as u64;
        if refused * 10 < self.calls * 7 || !self.steps.reaches(refused, ENOUGH) {
            return;
        }
        let guesses = self.missing * 2 > refused;
        let severity = if self.given > 0 { Severity::High } else { Severity::Medium };
        let outcome = if guesses { Outcome::Attempted } else { Outcome::Blocked };
        let reason = format!(
            "{} of {} {} within {}, of {} to objects; {} given out. Expected: callers that ask for what exists and is theirs.",
            times(refused, "different object"),
            template(case.call),
            if guesses { "did not exist" } else { "were refused" },
            self.stretch.words(),
            times(self.calls, "call"),
            self.given,
        );
        out.push(case.finding(b"", severity, outcome, 80, reason));
    }
}
