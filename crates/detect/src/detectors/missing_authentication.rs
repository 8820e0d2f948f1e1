//! Endpoints that answer without the credentials they otherwise get.

use crate::detector::{Case, Detector, DetectorInfo, Scope, StateKind};
use crate::facts::{is_ok, template};
use crate::tally::{Distinct, Steps, times};
use crate::{Finding, Outcome, Severity};
use tapwire_inspect::Mark;
use tapwire_inventory::Call;

pub(super) const INFO: DetectorInfo = DetectorInfo {
    name: "missing-authentication",
    title: "An endpoint answers without credentials (unauthenticated access)",
    summary: "An endpoint whose callers nearly always show credentials answered somebody who showed none, with a body. Where it never asked for \
              any there is no finding but a policy; here somebody found that it does not check. Answers without data about anybody do not count.",
    owasp: "API2:2023 Broken Authentication",
    cwe: "CWE-306",
    attack: ("T1190", "Exploit Public-Facing Application"),
    severity: "High: the answer was given",
    scope: Scope::Endpoint,
    warm_up: "15 calls, nine in ten of them with credentials",
    next_steps: &[
        "Refuse calls without credentials in the server, not in the gateway alone.",
        "List what was given out to whom.",
    ],
    unjudged: "no endpoint had 15 calls, nine in ten of them with credentials",
    judges: |call| call.endpoint.is_some(),
    concerns: is_bare,
    state: StateKind::of::<MissingAuthentication>(),
};

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct MissingAuthentication {
    /// Calls with credentials when the first without came, and all of them.
    with: u64,
    objects: Distinct,
    bare: u64,
    steps: Steps,
}

impl Detector for MissingAuthentication {
    fn judge(&mut self, case: &Case<'_>, out: &mut Vec<Finding>) {
        let Some(endpoint) = case.endpoint else { return };
        self.bare += 1;
        let with = endpoint.calls.saturating_sub(endpoint.auth.none);
        if self.bare == 1 {
            self.with = with;
        }
        let others = endpoint.auth.none.saturating_sub(self.bare);
        self.objects.add(case.call.relations.named);
        if self.with < 15 || others * 10 > self.with || !self.steps.reaches(self.bare, 1) {
            return;
        }
        let reason = format!(
            "{} without credentials to {} was answered; before, {} of {} had some.",
            times(self.bare, "call"),
            template(case.call),
            self.with,
            self.with + others,
        );
        out.push(case.finding(b"", Severity::High, Outcome::Confirmed, 80, reason));
    }
}

/// Whether a call without credentials was given something.
fn is_bare(call: &Call) -> bool {
    let answered = call.observation.exchange.response.as_ref().is_some_and(|response| response.body.len > 2);
    let logs_in = call.relations.login.is_some()
        || call.observation.issuance.as_ref().is_some_and(|issuance| !issuance.issued.is_empty());
    // What tells of nobody may be meant for everybody, whoever asked for it until now.
    let marks = call.observation.marks;
    let tells = [Mark::AnswerPersonal, Mark::AnswerSensitive, Mark::AnswerOwn]
        .iter()
        .any(|mark| marks.contains(*mark));
    call.observation.credentials.is_empty() && tells && is_ok(call) && answered && !logs_in
}
