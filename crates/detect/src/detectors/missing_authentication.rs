//! Endpoints that answer without the credentials they otherwise get.

use crate::detector::{Case, Detector, DetectorInfo, Nature, Needs, Scope, StateKind};
use crate::facts::{calls_of_the_endpoint, is_ok, network, path, template};
use crate::tally::{Distinct, Steps, Stretch, Told, times};
use crate::{Finding, Outcome, Severity};
use tapwire_inspect::Mark;
use tapwire_inventory::{AgentFamily, Call};

pub(super) const INFO: DetectorInfo = DetectorInfo {
    name: "missing-authentication",
    title: "An endpoint answers without credentials (unauthenticated access)",
    summary: "An endpoint whose callers nearly always show credentials answered somebody who showed none, with a body. Where it never asked for \
              any there is no finding but a policy; here somebody found that it does not check. Answers without data about anybody count where each address took ten different objects so, and of \
              two hundred calls hardly one came without before; what crawlers of search engines are given is linked somewhere.",
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
    nature: Nature { of_the_service: true, ..Nature::USUAL },
    judges: |call| call.endpoint.is_some(),
    concerns: is_bare,
    state: StateKind::of::<MissingAuthentication>(),
};

/// Calls with credentials that must have been seen.
const ENOUGH: u64 = 15;
/// The same where answers tell of nobody, and the different objects that were given without any.
const MANY: u64 = 200;
/// By each network: where many come for a few, it is meant so.
const OBJECTS: usize = 10;
const DAY: i64 = 86_400;

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct MissingAuthentication {
    bare: u64,
    objects: Distinct,
    networks: Distinct,
    steps: Steps,
    told: Told,
    stretch: Stretch,
}

impl Detector for MissingAuthentication {
    fn judge(&mut self, case: &Case<'_>, out: &mut Vec<Finding>) {
        let Some(endpoint) = case.endpoint else { return };
        if self.stretch.begins(case.call.observation.exchange.started(), DAY, 7 * DAY) {
            *self = Self { stretch: self.stretch, told: std::mem::take(&mut self.told), ..Self::default() };
        }
        self.bare += 1;
        let with = endpoint.calls.saturating_sub(endpoint.auth.none);
        // Those that count here are the ones that are judged: what was without before them is usual.
        let others = endpoint.auth.none.saturating_sub(self.bare);
        let tells = tells(case.call);
        if is_bot(case.call) && !tells {
            return;
        }
        self.networks.add(case.call.caller.address.map_or(0, |address| network(address.ip)));
        if with < ENOUGH || others * 10 > with {
            return;
        }
        self.objects.add(path(case.call));
        // What tells of nobody may be meant for everybody: only who takes many of what nobody asks for without is told.
        if !tells
            && (with < MANY
                || others * 100 > with
                || self.objects.len() < OBJECTS * self.networks.len().max(1))
        {
            return;
        }
        let time = case.call.observation.exchange.started();
        let another =
            case.call.caller.address.is_some_and(|address| self.told.rises(network(address.ip), 1, time));
        if !(self.steps.reaches(self.bare, 1) || another) {
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
    call.observation.credentials.is_empty()
        && (tells(call) || call.relations.named != 0)
        && is_ok(call)
        && answered
        && !logs_in
}

fn is_bot(call: &Call) -> bool {
    call.caller.from.is_some_and(|from| from.agent == AgentFamily::Bot as u8)
}

/// Whether the answer tells of somebody.
fn tells(call: &Call) -> bool {
    let marks = call.observation.marks;
    [Mark::AnswerPersonal, Mark::AnswerSensitive, Mark::AnswerOwn].iter().any(|mark| marks.contains(*mark))
}
