//! The server is asked to fetch from inside.

use crate::detector::{Case, Detector, DetectorInfo, Needs, Scope, StateKind};
use crate::facts::{is_ok, place, status, template};
use crate::tally::{AtLeast, Told, times};
use crate::{Finding, Outcome, Severity};
use tapwire_inspect::{Attempt, AttemptKind, Evidence};

pub(super) const INFO: DetectorInfo = DetectorInfo {
    name: "ssrf",
    title: "The server is asked to fetch from an address inside (SSRF, server-side request forgery)",
    summary: "A value is a URL of the server itself, of what tells machines their credentials, or of an address inside. Where the answer has what only \
              that address gives, it worked.",
    owasp: "API7:2023 Server Side Request Forgery",
    cwe: "CWE-918",
    attack: ("T1552.005", "Cloud Instance Metadata API"),
    severity: "Critical when it worked, Medium when it was answered with 2xx, Low otherwise",
    scope: Scope::Address,
    warm_up: "none",
    next_steps: &[
        "Allow only the hosts that are meant, after the name is resolved.",
        "Where it worked: change the credentials that the address gives out.",
    ],
    unjudged: "no request with a value was seen",
    needs: Needs::NOTHING,
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
            .filter(|((_, outcome), attempt)| attempt.is_certain() || *outcome == Outcome::Confirmed);
        let mut worst: Option<(Severity, Outcome)> = None;
        for (weight, attempt) in judged {
            self.targets.add(attempt.value);
            if worst.is_none_or(|worst| (weight.0, weight.1.rank()) > (worst.0, worst.1.rank())) {
                worst = Some(weight);
            }
        }
        let Some((severity, outcome)) = worst else { return };
        let place = place(case.call);
        if !self.told.rises(place, outcome.rank(), case.call.observation.exchange.started()) {
            return;
        }
        let told = match outcome {
            Outcome::Confirmed => "the answer has what only that address gives",
            Outcome::Blocked => "it was refused",
            _ => "the answer does not tell whether it did",
        };
        let reason = format!(
            "A value in a request to {} asks the server to fetch from an address inside; {told}; at least {} from this client so far.",
            template(case.call),
            times(self.targets.get(), "different target"),
        );
        let confidence = if outcome == Outcome::Confirmed { 95 } else { 65 };
        out.push(case.finding(&place.to_le_bytes(), severity, outcome, confidence, reason));
    }
}

fn weigh(case: &Case<'_>, attempt: &Attempt) -> (Severity, Outcome) {
    match (attempt.evidence, status(case.call)) {
        (Evidence::Shown, _) => (Severity::Critical, Outcome::Confirmed),
        (_, Some(400 | 401 | 403 | 422)) => (Severity::Low, Outcome::Blocked),
        _ if is_ok(case.call) => (Severity::Medium, Outcome::Attempted),
        _ => (Severity::Low, Outcome::Attempted),
    }
}
