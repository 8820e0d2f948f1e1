//! Sessions that go on after their logout.

use crate::detector::{Case, Detector, DetectorInfo, Nature, Needs, Scope, StateKind};
use crate::facts::{is_ok, path};
use crate::tally::{Distinct, Steps, Stretch, times};
use crate::{Finding, Outcome, Severity};
use tapwire_inventory::{Call, TokenFact};

pub(super) const INFO: DetectorInfo = DetectorInfo {
    name: "logged-out-token",
    title: "A session goes on after its logout (logged out token)",
    summary: "A credential was used again and again after the logout, or the revocation, that ended it, and was accepted: the service only forgets it \
              at the client, and who has a copy of it goes on. What a page still had under way when it logged out, or asked within half a minute, does not count.",
    owasp: "API2:2023 Broken Authentication",
    cwe: "CWE-613",
    attack: ("T1550.001", "Application Access Token"),
    severity: "Medium: it was accepted",
    scope: Scope::Principal,
    warm_up: "none: 5 calls to 2 paths after logouts of one caller's sessions, within a day",
    next_steps: &[
        "Make a logout end the session in the server.",
        "Ask the owner whether the calls were theirs.",
    ],
    unjudged: "no credential was used after a logout",
    needs: Needs::NOTHING,
    nature: Nature { of_the_service: true, ..Nature::USUAL },
    judges: |call| call.caller.session.is_some(),
    concerns: |call| call.caller.facts.contains(TokenFact::AfterLogout) && is_ok(call) && is_late(call),
    state: StateKind::of::<LoggedOutToken>(),
};

const ENOUGH: u64 = 5;
/// Nanoseconds after a logout within which a page that polls may not have heard of it.
const UNDER_WAY: i64 = 30_000_000_000;

/// Whether a call comes longer after the logout than a page has calls under way.
fn is_late(call: &Call) -> bool {
    call.caller.ended.is_none_or(|ended| call.observation.exchange.started().since(ended) > UNDER_WAY)
}

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct LoggedOutToken {
    paths: Distinct,
    calls: u64,
    steps: Steps,
    stretch: Stretch,
}

impl Detector for LoggedOutToken {
    fn judge(&mut self, case: &Case<'_>, out: &mut Vec<Finding>) {
        if self.stretch.begins(case.call.observation.exchange.started(), 43_200, 86_400) {
            *self = Self { stretch: self.stretch, ..Self::default() };
        }
        self.calls += 1;
        self.paths.add(path(case.call));
        if self.paths.len() < 2 || !self.steps.reaches(self.calls, ENOUGH) {
            return;
        }
        let reason = format!(
            "{} to {} with a credential that a logout had ended were accepted; none expected.",
            times(self.calls, "call"),
            self.paths.words("path"),
        );
        out.push(case.finding(b"", Severity::Medium, Outcome::Confirmed, 75, reason));
    }
}
