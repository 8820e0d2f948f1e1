//! Endpoints that answer without the credentials they otherwise get.

use crate::detector::{Case, Detector, DetectorInfo, Needs, Scope, StateKind};
use crate::facts::{calls_of_the_endpoint, is_ok, template};
use crate::tally::{Steps, Stretch, times};
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
    unjudged: "no endpoint was called",
    needs: Needs { least: 15, of: "calls of one endpoint", seen: calls_of_the_endpoint },
    judges: |call| call.endpoint.is_some(),
    concerns: is_bare,
    state: StateKind::of::<MissingAuthentication>(),
};

/// Calls with credentials that must have been seen.
const ENOUGH: u64 = 15;
const DAY: i64 = 86_400;

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct MissingAuthentication {
    bare: u64,
    steps: Steps,
    stretch: Stretch,
}

impl Detector for MissingAuthentication {
    fn judge(&mut self, case: &Case<'_>, out: &mut Vec<Finding>) {
        let Some(endpoint) = case.endpoint else { return };
        if self.stretch.begins(case.call.observation.exchange.started(), DAY, 7 * DAY) {
            (self.bare, self.steps) = (0, Steps::default());
        }
        self.bare += 1;
        let with = endpoint.calls.saturating_sub(endpoint.auth.none);
        // Those that count here are the ones that are judged: what was without before them is usual.
        let others = endpoint.auth.none.saturating_sub(self.bare);
        if with < ENOUGH || others * 10 > with || !self.steps.reaches(self.bare, 1) {
            return;
        }
        let reason = format!(
            "{} without credentials to {} {} answered; of {} others {with} had some.",
            times(self.bare, "call"),
            template(case.call),
            if self.bare == 1 { "was" } else { "were" },
            with + others,
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
