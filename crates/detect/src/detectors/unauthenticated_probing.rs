//! Who tries one endpoint after the other without credentials.

use crate::detector::{Case, Detector, DetectorInfo, Scope, StateKind};
use crate::facts::{is_denied, path};
use crate::tally::{Distinct, Steps, Stretch, times};
use crate::{Finding, Outcome, Severity};

pub(super) const INFO: DetectorInfo = DetectorInfo {
    name: "unauthenticated-probing",
    title: "Endpoints are probed without credentials (unauthenticated access, refused)",
    summary: "From one address several different paths were called without credentials within ten minutes, and refused with 401 or 403: somebody \
              looks for one that does not check. A client whose session ended is refused once or twice, then logs in.",
    owasp: "API2:2023 Broken Authentication",
    cwe: "CWE-306",
    attack: ("T1595", "Active Scanning"),
    severity: "Low: all were refused",
    scope: Scope::Address,
    warm_up: "none: 5 different paths and 10 calls",
    next_steps: &["Nothing at once: the server did what it should. Watch the address."],
    unjudged: "no call without credentials was seen",
    judges: |call| call.observation.credentials.is_empty(),
    concerns: |call| {
        call.observation.credentials.is_empty() && is_denied(call) && call.relations.login.is_none()
    },
    state: StateKind::of::<UnauthenticatedProbing>(),
};

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct UnauthenticatedProbing {
    paths: Distinct,
    calls: u64,
    steps: Steps,
    stretch: Stretch,
}

impl Detector for UnauthenticatedProbing {
    fn judge(&mut self, case: &Case<'_>, out: &mut Vec<Finding>) {
        if self.stretch.begins(case.call.observation.exchange.started(), 300, 600) {
            *self = Self { stretch: self.stretch, ..Self::default() };
        }
        self.calls += 1;
        self.paths.add(path(case.call));
        if self.paths.len() < 5 || !self.steps.reaches(self.calls, 10) {
            return;
        }
        let reason = format!(
            "{} without credentials to {} were refused within {}; expected one or two before a login.",
            times(self.calls, "call"),
            times(self.paths.len() as u64, "different path"),
            self.stretch.words(),
        );
        out.push(case.finding(b"", Severity::Low, Outcome::Blocked, 70, reason));
    }
}
