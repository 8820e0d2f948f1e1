//! The server is asked to fetch from inside.

use crate::detector::{Case, Detector, DetectorInfo, Scope, StateKind};
use crate::facts::{is_ok, status, template};
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
    scope: Scope::Service,
    warm_up: "none",
    next_steps: &[
        "Allow only the hosts that are meant, after the name is resolved.",
        "Where it worked: change the credentials that the address gives out.",
    ],
    unjudged: "no request with a value was seen",
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
    /// Targets that were told of, with how bad it was.
    told: Vec<(u64, u8)>,
}

impl Detector for Ssrf {
    fn judge(&mut self, case: &Case<'_>, out: &mut Vec<Finding>) {
        let attempts = case.call.observation.attempts.as_deref().unwrap_or_default();
        let Some(attempt) = attempts.iter().find(|attempt| attempt.kind == AttemptKind::Fetch) else {
            return;
        };
        let (severity, outcome) = weigh(case, attempt);
        // A URL of an address inside may be what the endpoint is for, where it is no address of the server itself.
        if !attempt.sure && outcome != Outcome::Confirmed {
            return;
        }
        let (key, rank) = (attempt.value, severity as u8);
        match self.told.iter_mut().find(|(known, _)| *known == key) {
            Some((_, told)) if *told >= rank => return,
            Some((_, told)) => *told = rank,
            None => {
                if self.told.len() >= 32 {
                    self.told.remove(0);
                }
                self.told.push((key, rank));
            }
        }
        let told = if attempt.evidence == Evidence::Shown {
            "the answer has what only that address gives"
        } else {
            "the answer does not tell whether it did"
        };
        let reason = format!(
            "A value in a request to {} asks the server to fetch from an address inside; {told}.",
            template(case.call)
        );
        out.push(case.finding(
            &key.to_le_bytes(),
            severity,
            outcome,
            if attempt.evidence == Evidence::Shown { 95 } else { 65 },
            reason,
        ));
    }
}

fn weigh(case: &Case<'_>, attempt: &Attempt) -> (Severity, Outcome) {
    match (attempt.evidence, status(case.call)) {
        (Evidence::Shown, _) => (Severity::Critical, Outcome::Confirmed),
        (_, Some(400 | 403 | 422)) => (Severity::Low, Outcome::Blocked),
        _ if is_ok(case.call) => (Severity::Medium, Outcome::Likely),
        _ => (Severity::Low, Outcome::Attempted),
    }
}
