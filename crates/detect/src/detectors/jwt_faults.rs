//! Tokens that are made to look like others: unsigned, forged, over.

use crate::detector::{Case, Detector, DetectorInfo, Scope, StateKind};
use crate::facts::{is_denied, is_ok, template};
use crate::{Finding, Outcome, Severity};
use tapwire_inventory::{Call, TokenFact};

pub(super) const INFO: DetectorInfo = DetectorInfo {
    name: "jwt-faults",
    title: "A JSON Web Token is forged or no longer valid (JWT)",
    summary: "A caller showed a JSON Web Token that says that nothing signs it (alg none); or one that no answer handed out, at a service that \
              hands out nearly all that are used and that is younger than what was seen of it; or one that had ended, by its own time or by \
              a logout, and was accepted. The first two are made by who shows them.",
    owasp: "API2:2023 Broken Authentication",
    cwe: "CWE-347",
    attack: ("T1606.001", "Forge Web Credentials: Web Cookies"),
    severity: "Critical when a forged one was accepted, Medium when refused or when an ended one was accepted",
    scope: Scope::Address,
    warm_up: "none for alg none and ended ones; for forged ones 20 tokens of the service, nine in ten of them handed out in sight",
    next_steps: &[
        "Accept only the algorithm and the keys that the service itself uses.",
        "Change the signing key: who forged one knows it.",
        "Check exp, and end tokens at logout.",
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
    told: [i64; 6],
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Unsigned,
    Forged,
    Over,
}

fn kind(call: &Call) -> Option<Kind> {
    let facts = call.caller.facts;
    let over = facts.contains(TokenFact::Accepted)
        && (facts.contains(TokenFact::Expired) || facts.contains(TokenFact::AfterLogout));
    match () {
        () if facts.contains(TokenFact::Unsigned) => Some(Kind::Unsigned),
        () if call.relations.never_issued => Some(Kind::Forged),
        () if over => Some(Kind::Over),
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
            (Kind::Over, _) => (Severity::Medium, Outcome::Confirmed),
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
            Kind::Over => {
                format!("A JSON Web Token that had ended was shown to {} and accepted.", template(case.call))
            }
        };
        out.push(case.finding(&[kind as u8, u8::from(accepted)], severity, outcome, 80, reason));
    }
}
