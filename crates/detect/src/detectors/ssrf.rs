//! The server is asked to fetch from inside.

use crate::detector::{Case, Detector, DetectorInfo, Nature, Needs, Scope, StateKind};
use crate::facts::{is_ok, place, status, template};
use crate::tally::{AtLeast, Told, times};
use crate::{Finding, Outcome, Severity};
use tapwire_inspect::{Attempt, AttemptKind, Evidence};
use tapwire_inventory::Fetched;

/// Answers of an endpoint before it is known what it is for.
const KNOWN: u32 = 20;
/// Callers for whom a server fetches from inside at one endpoint, from which on that is what the endpoint is for.
const MEANT: u8 = 2;

pub(super) const INFO: DetectorInfo = DetectorInfo {
    name: "ssrf",
    title: "The server is asked to fetch from an address inside (SSRF, server-side request forgery)",
    summary: "A value is a URL of the server itself, of what tells machines their credentials, or of an address inside. Where the answer has what only \
              that address gives, or the server's own request to that address was captured while it answered, it worked.",
    owasp: "API7:2023 Server Side Request Forgery",
    cwe: "CWE-918",
    attack: ("T1552.005", "Cloud Instance Metadata API"),
    severity: "Critical when it worked, High when the server fetched from an address inside that an endpoint of its kind might be given, Medium when it \
               was answered with 2xx, Low otherwise",
    scope: Scope::Address,
    warm_up: "none",
    next_steps: &[
        "Allow only the hosts that are meant, after the name is resolved.",
        "Where it worked: change the credentials that the address gives out.",
    ],
    unjudged: "no request with a value was seen",
    needs: Needs::NOTHING,
    nature: Nature::USUAL,
    judges: |call| {
        call.observation.request_fields.is_some() || call.observation.request_payload.list.is_some()
    },
    concerns: |call| {
        call.observation
            .attempts
            .as_deref()
            .is_some_and(|all| all.iter().any(|one| one.kind == AttemptKind::Fetch))
    },
    state: StateKind::of::<Ssrf>(),
};

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct Ssrf {
    targets: AtLeast,
    told: Told,
}

impl Detector for Ssrf {
    fn judge(&mut self, case: &Case<'_>, out: &mut Vec<Finding>) {
        let attempts = case.call.observation.attempts.as_deref().unwrap_or_default();
        let fetches = attempts.iter().filter(|attempt| attempt.kind == AttemptKind::Fetch);
        // A URL of an address inside may be what the endpoint is for, where it is no address of the server itself.
        let judged = fetches
            .map(|attempt| (weigh(case, attempt), attempt))
            .filter(|(weight, attempt)| attempt.is_certain() || weight.outcome == Outcome::Confirmed);
        let mut worst: Option<Weight> = None;
        for (weight, attempt) in judged {
            self.targets.add(attempt.value);
            if worst.is_none_or(|worst| weight.rank() > worst.rank()) {
                worst = Some(weight);
            }
        }
        let Some(Weight { severity, outcome, told, confidence }) = worst else { return };
        let place = place(case.call);
        if !self.told.rises(place, outcome.rank(), case.call.observation.exchange.started()) {
            return;
        }
        let reason = format!(
            "A value in a request to {} asks the server to fetch from an address inside; {told}; at least {} from this client so far.",
            template(case.call),
            times(self.targets.get(), "different target"),
        );
        out.push(case.finding(&place.to_le_bytes(), severity, outcome, confidence, reason));
    }
}

/// What an attempt comes to.
#[derive(Clone, Copy)]
struct Weight {
    severity: Severity,
    outcome: Outcome,
    told: &'static str,
    confidence: u8,
}

impl Weight {
    fn rank(self) -> (Severity, u8) {
        (self.severity, self.outcome.rank())
    }
}

fn weigh(case: &Case<'_>, attempt: &Attempt) -> Weight {
    let weight = |severity, outcome, told, confidence| Weight { severity, outcome, told, confidence };
    let unclear = "the answer does not tell whether it did";
    if attempt.evidence == Evidence::Shown {
        return weight(
            Severity::Critical,
            Outcome::Confirmed,
            "the answer has what only that address gives",
            95,
        );
    }
    if was_fetched(case, attempt) {
        let (severity, confidence) =
            if attempt.is_certain() { (Severity::Critical, 95) } else { (Severity::High, 75) };
        return weight(
            severity,
            Outcome::Confirmed,
            "the server asked that address before it answered",
            confidence,
        );
    }
    match status(case.call) {
        Some(400 | 401 | 403 | 422) => weight(Severity::Low, Outcome::Blocked, "it was refused", 65),
        _ if is_ok(case.call) => weight(Severity::Medium, Outcome::Attempted, unclear, 65),
        _ => weight(Severity::Low, Outcome::Attempted, unclear, 65),
    }
}

/// Whether the server did as it was asked, where that is not what the endpoint is for.
fn was_fetched(case: &Case<'_>, attempt: &Attempt) -> bool {
    let relations = &case.call.relations;
    let Fetched::Yes { others } = relations.fetched else { return false };
    attempt.is_certain() || (others < MEANT && relations.usual.same_method >= KNOWN)
}
