//! Tokens that are made to look like others: unsigned, forged, over.

use crate::detector::{Case, Detector, DetectorInfo, Scope, StateKind};
use crate::facts::{is_denied, is_ok, template};
use crate::{Finding, Outcome, Severity};
use tapwire_inventory::{Call, TokenFact};

pub(super) const INFO: DetectorInfo = DetectorInfo {
    name: "jwt-faults",
    title: "A JSON Web Token is forged (JWT)",
    summary: "A caller showed a JSON Web Token that says that nothing signs it (alg none); or one that no answer handed out, at a service that \
              hands out nearly all that are used, younger than what was seen of it. Both are made by who shows them. Tokens that are accepted \
              after their end are a fact of the service, which policies tell.",
    owasp: "API2:2023 Broken Authentication",
    cwe: "CWE-347",
    attack: ("T1606.001", "Forge Web Credentials: Web Cookies"),
    severity: "Critical when it was accepted, Medium when refused",
    scope: Scope::Address,
    warm_up: "none for alg none; for forged ones 20 tokens of the service, nine in ten of them handed out in sight",
    next_steps: &[
        "Accept only the algorithm and the keys that the service itself uses.",
        "Change the signing key: who forged one knows it.",
    ],
    unjudged: "no JSON Web Token was seen",
    judges: |call| call.caller.facts.contains(TokenFact::Unsigned) || call.caller.session.is_some(),
    concerns: |call| kind(call).is_some(),
    state: StateKind::of::<JwtFaults>(),
};

const DAY: i64 = 86_400 * 1_000_000_000;

/// What was told of an address, by kind, and when.
#[derive(Default, serde::Serialize, serde::Deserialize)]
struct JwtFaults {
    told: [i64; 4],
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Unsigned,
    Forged,
}

fn kind(call: &Call) -> Option<Kind> {
    let facts = call.caller.facts;
    match () {
        () if facts.contains(TokenFact::Unsigned) => Some(Kind::Unsigned),
        () if call.relations.never_issued => Some(Kind::Forged),
        () => None,
    }
}

impl Detector for JwtFaults {
    fn judge(&mut self, case: &Case<'_>, out: &mut Vec<Finding>) {
        let Some(kind) = kind(case.call) else { return };
        let (accepted, time) = (is_ok(case.call), case.call.observation.exchange.started().nanos());
        let Some(told) = self.told.get_mut(kind as usize * 2 + usize::from(accepted)) else { return };
        if *told != 0 && time - *told < DAY {
            return;
        }
        *told = time;
        let (severity, outcome) = match (kind, accepted) {
            (_, true) => (Severity::Critical, Outcome::Confirmed),
            (_, false) if is_denied(case.call) => (Severity::Medium, Outcome::Blocked),
            (_, false) => (Severity::Medium, Outcome::Attempted),
        };
        let answer = if accepted { "accepted" } else { "not accepted" };
        let reason = match kind {
            Kind::Unsigned => format!(
                "A JSON Web Token that nothing signs (alg none) was shown to {} and {answer}.",
                template(case.call)
            ),
            Kind::Forged => format!(
                "A JSON Web Token that no answer handed out was shown to {} and {answer}; nine in ten and more of this service's were handed out in sight.",
                template(case.call)
            ),
        };
        out.push(case.finding(&[kind as u8, u8::from(accepted)], severity, outcome, 80, reason));
    }
}
