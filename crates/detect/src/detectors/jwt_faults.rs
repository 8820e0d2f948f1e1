//! Tokens that are made to look like others: unsigned, forged, over.

use crate::detector::{Case, Detector, DetectorInfo, Needs, Scope, StateKind};
use crate::facts::{is_denied, is_ok, short, template};
use crate::tally::Distinct;
use crate::{Finding, Outcome, Severity};
use tapwire_inventory::{Call, Minted, TokenFact};

pub(super) const INFO: DetectorInfo = DetectorInfo {
    name: "jwt-faults",
    title: "A JSON Web Token is forged (JWT)",
    summary: "A caller showed a JSON Web Token that says that nothing signs it (alg none); or one that no answer handed out, at a service that \
              hands out nearly all that are used, younger than what was seen of it. Both are made by who shows them. Tokens that are accepted \
              after their end are a fact of the service, which policies tell.",
    owasp: "API2:2023 Broken Authentication",
    cwe: "CWE-347",
    attack: ("T1606.001", "Forge Web Credentials: Web Cookies"),
    severity: "Critical when one that nothing signs was accepted, High when one was that no answer handed out, Medium when refused",
    scope: Scope::Address,
    warm_up: "none for alg none; for forged ones 20 tokens of the service, nine in ten of them handed out in sight, and three \
              from one address; or one, after 200 that were all handed out in sight",
    next_steps: &[
        "Accept only the algorithm and the keys that the service itself uses.",
        "Change the signing key: who forged one knows it.",
    ],
    unjudged: "no JSON Web Token was seen",
    needs: Needs::NOTHING,
    judges: |call| call.caller.facts.contains(TokenFact::Unsigned) || call.caller.session.is_some(),
    concerns: |call| kind(call).is_some(),
    state: StateKind::of::<JwtFaults>(),
};

const DAY: i64 = 86_400 * 1_000_000_000;
/// Tokens of one address that nobody saw being handed out, from which on it is no lost answer.
const SEVERAL: usize = 3;

/// What was told of an address, by kind, and when.
#[derive(Default, serde::Serialize, serde::Deserialize)]
struct JwtFaults {
    told: [i64; 4],
    /// Tokens that nobody saw being handed out.
    unseen: Distinct,
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
        () if call.relations.minted != Minted::Unjudged => Some(Kind::Forged),
        () => None,
    }
}

impl Detector for JwtFaults {
    fn judge(&mut self, case: &Case<'_>, out: &mut Vec<Finding>) {
        let Some(kind) = kind(case.call) else { return };
        let (accepted, time) = (is_ok(case.call), case.call.observation.exchange.started().nanos());
        if kind == Kind::Forged && !self.is_enough(case.call) {
            return;
        }
        let Some(told) = self.told.get_mut(kind as usize * 2 + usize::from(accepted)) else { return };
        if *told != 0 && time - *told < DAY {
            return;
        }
        *told = time;
        let (severity, outcome) = match (kind, accepted) {
            (Kind::Unsigned, true) => (Severity::Critical, Outcome::Confirmed),
            // An answer that was lost and a login elsewhere look the same.
            (Kind::Forged, true) => (Severity::High, Outcome::Likely),
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
        let confidence = if kind == Kind::Unsigned { 85 } else { 65 };
        out.push(case.finding(&[kind as u8, u8::from(accepted)], severity, outcome, confidence, reason));
    }
}

impl JwtFaults {
    /// One token may have been handed out where nobody looked; several from one address were not.
    fn is_enough(&mut self, call: &Call) -> bool {
        self.unseen.add(call.caller.session.map_or(0, short));
        call.relations.minted == Minted::Never || self.unseen.len() >= SEVERAL
    }
}
