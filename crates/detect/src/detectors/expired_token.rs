//! Tokens that go on after their end.

use crate::detector::{Case, Detector, DetectorInfo, Nature, Needs, Scope, StateKind};
use crate::facts::{is_ok, path, short, template};
use crate::tally::{Distinct, Steps, Stretch, Told, times};
use crate::{Finding, Outcome, Severity};
use tapwire_inventory::{Call, TokenFact};

pub(super) const INFO: DetectorInfo = DetectorInfo {
    name: "expired-token",
    title: "A token goes on after its end (expired token)",
    summary: "Tokens were used again and again ten minutes after their end (exp) and later, and accepted, where few of a service's callers do so: clients that \
              work get another one in time, so somebody goes on with an old copy, and the service does not look. Endpoints that answer without credentials do not count, nor do tokens that were over when \
              they were handed out. Where a tenth of its callers and more do, the service hands out ends that mean nothing, which is for a policy to say.",
    owasp: "API2:2023 Broken Authentication",
    cwe: "CWE-613",
    attack: ("T1550.001", "Application Access Token"),
    severity: "Medium: it was accepted",
    scope: Scope::Service,
    warm_up: "8 calls to 2 paths within six hours of silence at most, at an endpoint of 20 callers",
    next_steps: &[
        "Check the end of every token in the server.",
        "Ask the owner whether the calls were theirs.",
    ],
    unjudged: "no token was used after its end",
    needs: Needs::NOTHING,
    nature: Nature::USUAL,
    judges: |call| call.caller.session.is_some(),
    concerns: |call| {
        call.caller.facts.contains(TokenFact::Expired)
            && !call.caller.facts.contains(TokenFact::AfterLogout)
            && is_late(call)
            && !was_over(call)
            && is_ok(call)
            && call.relations.login.is_none()
    },
    state: StateKind::of::<ExpiredToken>(),
};

/// Calls and different paths from which on it is no client that was late.
const ENOUGH: u64 = 8;
const PATHS: usize = 2;
/// Callers of an endpoint that must be known, and how many of them may be late for each of these.
const CALLERS: usize = 20;
const FEW: usize = 10;
/// One call without credentials in so many, and an endpoint is open to everybody.
const OPEN: u64 = 20;
const DAY: i64 = 86_400;
/// Seconds for which servers may take a token after its end, as clocks differ: libraries allow for five minutes at most by
/// themselves, and clients wait for the first refusal.
const SKEW: i64 = 600;

/// Whether a token is over for longer than any clock is wrong.
fn is_late(call: &Call) -> bool {
    let now = call.observation.exchange.started().nanos() / 1_000_000_000;
    let mut ends = call.observation.credentials.iter().filter_map(|one| one.claims.as_deref()?.expires);
    // What has no end of its own was told one when it was handed out.
    ends.next().is_none_or(|end| end.saturating_add(SKEW) < now)
}

/// Whether a token was over already when an answer handed it out: whoever uses it got no other one, and goes on with no old copy.
/// The clock that wrote its end is wrong, and what it says is no end.
fn was_over(call: &Call) -> bool {
    let Some(issued) = call.caller.issued.map(|at| at.nanos() / 1_000_000_000) else { return false };
    let mut ends = call.observation.credentials.iter().filter_map(|one| one.claims.as_deref()?.expires);
    ends.next().is_some_and(|end| end <= issued)
}

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct ExpiredToken {
    lately: Lately,
    stretch: Stretch,
    /// Callers that were late within two weeks.
    late: Distinct,
    since: Stretch,
    told: Told,
}

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct Lately {
    paths: Distinct,
    calls: u64,
    callers: Distinct,
    steps: Steps,
}

impl Detector for ExpiredToken {
    fn judge(&mut self, case: &Case<'_>, out: &mut Vec<Finding>) {
        let time = case.call.observation.exchange.started();
        let Some(who) = case.call.principal.map(|principal| short(principal.token)) else { return };
        // What answers without credentials looks at none.
        if case.endpoint.is_none_or(|endpoint| endpoint.auth.none * OPEN > endpoint.calls) {
            return;
        }
        self.stretch.renew(&mut self.lately, time, 6 * 3_600, DAY);
        self.since.renew(&mut self.late, time, 7 * DAY, 14 * DAY);
        self.late.add(who);
        let lately = &mut self.lately;
        lately.calls += 1;
        lately.paths.add(path(case.call));
        let again = !lately.callers.add(who);
        let callers = case.endpoint.map_or((0, false), |endpoint| endpoint.callers.count());
        let is_rare = callers.1 || callers.0 >= CALLERS && self.late.len() * FEW <= callers.0;
        if lately.calls < ENOUGH || lately.paths.len() < PATHS || !is_rare {
            return;
        }
        let another = again && self.told.rises(who, 1, time);
        if !(again && lately.steps.reaches(lately.calls, ENOUGH) || another) {
            return;
        }
        let reason = format!(
            "{} to {} with tokens after their end were accepted within {}, the last to {}, of {}; others get another one in time.",
            times(lately.calls, "call"),
            lately.paths.words("path"),
            self.stretch.words(),
            template(case.call),
            lately.callers.words("caller"),
        );
        out.push(case.finding(b"", Severity::Medium, Outcome::Confirmed, 70, reason));
    }
}
