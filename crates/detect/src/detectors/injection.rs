//! Values that are written to be executed.

use crate::detector::{Case, Detector, DetectorInfo, Scope, StateKind};
use crate::facts::{is_ok, status, template};
use crate::tally::{Distinct, times};
use crate::{Finding, Outcome, Severity};
use tapwire_inspect::{Attempt, AttemptKind, Evidence, Place};

pub(super) const INFO: DetectorInfo = DetectorInfo {
    name: "injection",
    title: "Code in a value: SQL, NoSQL, command, path traversal, script, template, XXE, LDAP, JNDI, deserialisation, header injection",
    summary: "A value of a request is written to be executed by what is behind the API. A pattern alone says little: the answer says whether it \
              worked, by a message of the interpreter, by what only success gives (a file of the system, the output of a command, a computed \
              value), by a wait that was asked for, by a page that has the script in it, or by an answer of 2xx to a path that names nothing.",
    owasp: "API8:2023 Security Misconfiguration",
    cwe: "CWE-74",
    attack: ("T1190", "Exploit Public-Facing Application"),
    severity: "Critical when it worked, High when that is likely, Medium when it reached the interpreter, Low when it was tried, Informational when refused",
    scope: Scope::Address,
    warm_up: "none; a second value where the answer tells nothing",
    next_steps: &[
        "Where it worked: find the statement that is put together from the value, and bind the value instead.",
        "Look for what else came from the same address.",
    ],
    unjudged: "no request with a value was seen",
    judges: |call| {
        call.observation.request_fields.is_some() || call.observation.request_payload.list.is_some()
    },
    concerns: |call| {
        call.observation
            .attempts
            .as_deref()
            .is_some_and(|all| all.iter().any(|one| one.kind != AttemptKind::Fetch))
    },
    state: StateKind::of::<Injection>(),
};

/// What an address tried, by kind.
#[derive(Default, serde::Serialize, serde::Deserialize)]
struct Injection {
    kinds: Vec<Tried>,
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Tried {
    kind: AttemptKind,
    values: Distinct,
    told: Option<Outcome>,
}

impl Detector for Injection {
    fn judge(&mut self, case: &Case<'_>, out: &mut Vec<Finding>) {
        let attempts = case.call.observation.attempts.as_deref().unwrap_or_default();
        for attempt in attempts.iter().filter(|attempt| attempt.kind != AttemptKind::Fetch) {
            self.attempt(case, attempt, out);
        }
    }
}

impl Injection {
    fn attempt(&mut self, case: &Case<'_>, attempt: &Attempt, out: &mut Vec<Finding>) {
        let at = match self.kinds.iter().position(|tried| tried.kind == attempt.kind) {
            Some(at) => at,
            None => {
                self.kinds.push(Tried { kind: attempt.kind, values: Distinct::default(), told: None });
                self.kinds.len() - 1
            }
        };
        let Some(tried) = self.kinds.get_mut(at) else { return };
        tried.values.add(attempt.value);
        let outcome = outcome(case, attempt);
        let values = tried.values.len() as u64;
        // One odd value that was answered as anything else is may be what somebody looks for.
        let vain =
            matches!(outcome, Outcome::NoEffect | Outcome::Attempted) && attempt.evidence == Evidence::None;
        let sure =
            (attempt.sure && (!vain || values >= 2)) || values >= 3 || attempt.evidence >= Evidence::Delayed;
        if !sure || tried.told.is_some_and(|told| told.rank() >= outcome.rank()) {
            return;
        }
        tried.told = Some(outcome);
        out.push(case.finding(
            attempt.kind.name().as_bytes(),
            severity(outcome, attempt.evidence),
            outcome,
            if attempt.evidence == Evidence::None { 60 } else { 90 },
            reason(case, attempt, outcome, values),
        ));
    }
}

fn outcome(case: &Case<'_>, attempt: &Attempt) -> Outcome {
    match (attempt.evidence, status(case.call)) {
        (Evidence::Shown | Evidence::Delayed, _) => Outcome::Confirmed,
        (Evidence::Reflected, _) => Outcome::Likely,
        (_, Some(400 | 403 | 406 | 413 | 414 | 422 | 429 | 431)) => Outcome::Blocked,
        (Evidence::Error, _) => Outcome::Attempted,
        // A path with such a value names nothing: where it is answered all the same, the value was understood.
        (Evidence::None, _)
            if attempt.sure && is_ok(case.call) && attempt.place == Place::Path && answers(case) =>
        {
            Outcome::Likely
        }
        (Evidence::None, Some(200..=399 | 404)) => Outcome::NoEffect,
        (Evidence::None, _) => Outcome::Attempted,
    }
}

fn answers(case: &Case<'_>) -> bool {
    case.call.observation.exchange.response.as_ref().is_some_and(|response| response.body.len > 2)
        && matches!(case.call.observation.attempts.as_deref(), Some([one, ..]) if matches!(one.kind, AttemptKind::Sql | AttemptKind::Path | AttemptKind::NoSql))
}

const fn severity(outcome: Outcome, evidence: Evidence) -> Severity {
    match (outcome, evidence) {
        (Outcome::Confirmed, _) => Severity::Critical,
        (Outcome::Likely, _) => Severity::High,
        (_, Evidence::Error) => Severity::Medium,
        (Outcome::Blocked, _) => Severity::Informational,
        _ => Severity::Low,
    }
}

fn reason(case: &Case<'_>, attempt: &Attempt, outcome: Outcome, values: u64) -> String {
    let place = match (attempt.place, &*attempt.name) {
        (Place::Path, _) => "the path".to_owned(),
        (Place::Query, name) => format!("query parameter `{name}`"),
        (Place::Header, name) => format!("header `{name}`"),
        (Place::Cookie, name) => format!("cookie `{name}`"),
        (_, "") => "the body".to_owned(),
        (_, name) => format!("field `{name}`"),
    };
    let told = match attempt.evidence {
        Evidence::Shown => "the answer has what only success gives",
        Evidence::Delayed => "the answer came as late as the value asked",
        Evidence::Reflected => "the page has it as it was sent",
        Evidence::Error => "the answer has the interpreter's error message",
        Evidence::None if outcome == Outcome::Likely => "the path names nothing, and was answered with 2xx",
        Evidence::None if outcome == Outcome::Blocked => "it was refused",
        Evidence::None => "the answer does not tell",
    };
    format!(
        "{} in {place} of {}: {told}; {} of that kind from this address so far.",
        attempt.kind.name(),
        template(case.call),
        times(values, "different value"),
    )
}
