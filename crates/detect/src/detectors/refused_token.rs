//! Tokens that are refused and shown again and again.

use crate::detector::{Case, Detector, DetectorInfo, Scope, StateKind};
use crate::facts::{path, status};
use crate::tally::{Distinct, Steps, Stretch, times};
use crate::{Finding, Outcome, Severity};

pub(super) const INFO: DetectorInfo = DetectorInfo {
    name: "refused-token",
    title: "A token that is refused is tried at one path after the other (expired, logged out, foreign or forged token)",
    summary: "One token was refused with 401 ten times and more, at five different paths and more, and never accepted in between: somebody tries what \
              an old, stolen or made token still opens. A client whose token ended is refused a few times and gets another one.",
    owasp: "API2:2023 Broken Authentication",
    cwe: "CWE-613",
    attack: ("T1550.001", "Application Access Token"),
    severity: "Low: all were refused",
    scope: Scope::Session,
    warm_up: "none: 10 calls at 5 different paths",
    next_steps: &["Nothing at once: the server did what it should. Watch the address."],
    unjudged: "no credential of a session was used",
    judges: |call| call.caller.session.is_some(),
    concerns: |call| call.caller.session.is_some() && matches!(status(call), Some(401)),
    state: StateKind::of::<RefusedToken>(),
};

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct RefusedToken {
    paths: Distinct,
    calls: u64,
    steps: Steps,
    stretch: Stretch,
}

impl Detector for RefusedToken {
    fn judge(&mut self, case: &Case<'_>, out: &mut Vec<Finding>) {
        // Each of them may come hours after the last.
        if self.stretch.begins(case.call.observation.exchange.started(), 6 * 3_600, 86_400) {
            *self = Self { stretch: self.stretch, ..Self::default() };
        }
        self.calls += 1;
        self.paths.add(path(case.call));
        if self.paths.len() < 5 || !self.steps.reaches(self.calls, 10) {
            return;
        }
        let reason = format!(
            "A token was refused {} at {} within {}; a client gets another one after a few.",
            times(self.calls, "time"),
            times(self.paths.len() as u64, "different path"),
            self.stretch.words(),
        );
        out.push(case.finding(b"", Severity::Low, Outcome::Blocked, 70, reason));
    }
}
