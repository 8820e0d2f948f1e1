//! Tokens that were made for another service.

use crate::detector::{Case, Detector, DetectorInfo, Nature, Needs, Scope, StateKind};
use crate::facts::{is_denied, is_ok, template};
use crate::tally::{Steps, Stretch, times};
use crate::{Finding, Outcome, Severity};

pub(super) const INFO: DetectorInfo = DetectorInfo {
    name: "foreign-token",
    title: "A token of another service's issuer is shown (foreign token)",
    summary: "A JSON Web Token came from an issuer whose tokens other services take, to a service that takes those of others: somebody tries whether it \
              checks who made a token, and for whom.",
    owasp: "API2:2023 Broken Authentication",
    cwe: "CWE-346",
    attack: ("T1550.001", "Application Access Token"),
    severity: "High when it was accepted, Low when refused",
    scope: Scope::Principal,
    warm_up: "50 accepted tokens of the service's own issuers, and 50 of that issuer elsewhere",
    next_steps: &["Check issuer (iss) and audience (aud) of every token."],
    unjudged: "no JSON Web Token with an issuer was seen",
    needs: Needs::NOTHING,
    nature: Nature::USUAL,
    judges: |call| call.observation.credentials.iter().any(|one| one.claims.is_some()),
    concerns: |call| call.relations.strange_issuer,
    state: StateKind::of::<ForeignToken>(),
};

const ENOUGH: u64 = 3;
const DAY: i64 = 86_400;

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct ForeignToken {
    counted: Counted,
    stretch: Stretch,
}

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct Counted {
    calls: u64,
    accepted: u64,
    denied: u64,
    steps: Steps,
    told: bool,
}

impl Detector for ForeignToken {
    fn judge(&mut self, case: &Case<'_>, out: &mut Vec<Finding>) {
        self.stretch.renew(&mut self.counted, case.call.observation.exchange.started(), DAY, 7 * DAY);
        let counted = &mut self.counted;
        counted.calls += 1;
        counted.accepted += u64::from(is_ok(case.call));
        counted.denied += u64::from(is_denied(case.call));
        let first = counted.accepted >= ENOUGH && !counted.told;
        if !(counted.steps.reaches(counted.calls, ENOUGH) || first) {
            return;
        }
        counted.told |= counted.accepted > 0;
        let (severity, outcome) = match (counted.accepted, counted.denied) {
            (1.., _) => (Severity::High, Outcome::Confirmed),
            (0, 1..) => (Severity::Low, Outcome::Blocked),
            (0, 0) => (Severity::Low, Outcome::Attempted),
        };
        let reason = format!(
            "{} with a token of another service's issuer, the last to {}, {} of them accepted within {}; none expected.",
            times(counted.calls, "call"),
            template(case.call),
            counted.accepted,
            self.stretch.words(),
        );
        out.push(case.finding(&[u8::from(counted.accepted > 0)], severity, outcome, 75, reason));
    }
}
