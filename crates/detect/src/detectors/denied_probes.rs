//! Objects that are tried and refused.

use crate::detector::{Case, Detector, DetectorInfo, Nature, Needs, Scope, StateKind};
use crate::facts::{is_named, status, template};
use crate::refusal::{Refusal, is_given, others_miss, refusal};
use crate::tally::{Distinct, Steps, Stretch, times};
use crate::{Finding, Outcome, Severity};
use tapwire_inventory::{Call, Owned, TokenFact};

pub(super) const INFO: DetectorInfo = DetectorInfo {
    name: "denied-probes",
    title: "Objects are probed and refused",
    summary: "A named caller asked for many different objects within an hour, or more of them within a week, and most of them were refused (401, 403, 405) or \
              do not exist (404), where others mostly ask for what there is: it tries which objects of others it can reach. People follow links that exist and are theirs. What is refused because a token is over does not count.",
    owasp: "API1:2023 Broken Object Level Authorization",
    cwe: "CWE-639",
    attack: ("T1087", "Account Discovery"),
    severity: "Medium: the server refused; High when some were given out in between",
    scope: Scope::Principal,
    warm_up: "none: 15 different objects refused within an hour or 25 within a week, and seven in ten of its calls to objects",
    next_steps: &[
        "Look which objects were given out in between.",
        "Limit how often one caller may be refused.",
    ],
    unjudged: "no named caller asked for an object",
    needs: Needs::NOTHING,
    nature: Nature { of_many_calls: true, ..Nature::USUAL },
    judges: |call| is_named(call) && call.relations.named != 0,
    concerns: |call| {
        is_named(call) && call.relations.named != 0 && (refusal(call).is_some() || is_given(call))
    },
    state: StateKind::of::<DeniedProbes>(),
};

/// Different objects refused within an hour, and within a week.
const ENOUGH: u64 = 15;
const SLOWLY: u64 = 25;
const HOUR: i64 = 3_600;
const DAY: i64 = 86_400;

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct DeniedProbes {
    lately: Probes,
    hour: Stretch,
    slowly: Probes,
    week: Stretch,
    /// Whether it was told as one that does not take its time.
    told: bool,
}

/// What was asked for in one stretch of time.
#[derive(Default, serde::Serialize, serde::Deserialize)]
struct Probes {
    refused: Distinct,
    missing: u64,
    calls: u64,
    given: u64,
    steps: Steps,
}

impl Detector for DeniedProbes {
    fn judge(&mut self, case: &Case<'_>, out: &mut Vec<Finding>) {
        let time = case.call.observation.exchange.started();
        self.hour.renew(&mut self.lately, time, 900, HOUR);
        self.week.renew(&mut self.slowly, time, DAY, 7 * DAY);
        let (lately, slowly) = (self.lately.hear(case, ENOUGH), self.slowly.hear(case, SLOWLY));
        self.told |= lately;
        if lately {
            out.push(self.lately.finding(case, b"", self.hour));
        } else if slowly && !self.told {
            out.push(self.slowly.finding(case, b"slowly", self.week));
        }
    }

    fn begins(call: &Call) -> bool {
        refusal(call).is_some()
    }
}

/// Whether a call was refused for its token, which is over.
fn is_over(call: &Call) -> bool {
    let facts = call.caller.facts;
    status(call) == Some(401)
        && (facts.contains(TokenFact::Expired) || facts.contains(TokenFact::AfterLogout))
}

impl Probes {
    /// Hears of a call; whether enough were refused.
    fn hear(&mut self, case: &Case<'_>, enough: u64) -> bool {
        let call = case.call;
        self.calls += 1;
        // What is the caller's own is given out to everybody.
        let own = call.relations.object.is_some_and(|object| object.owned == Owned::Own);
        self.given += u64::from(is_given(call) && !own);
        let Some(refusal) = refusal(call) else { return false };
        // What a token that is over is refused says nothing of the objects.
        if is_over(call) {
            return false;
        }
        // Pictures that few people have are missing for everybody.
        if refusal == Refusal::Missing && others_miss(case, self.missing) {
            return false;
        }
        self.missing += u64::from(refusal == Refusal::Missing);
        self.refused.add(call.relations.named);
        let refused = self.refused.len() as u64;
        refused * 10 >= self.calls * 7 && self.steps.reaches(refused, enough)
    }

    fn finding(&self, case: &Case<'_>, about: &[u8], stretch: Stretch) -> Finding {
        let guesses = self.missing * 2 > self.refused.len() as u64;
        let severity = if self.given > 0 { Severity::High } else { Severity::Medium };
        let outcome = if guesses { Outcome::Attempted } else { Outcome::Blocked };
        let reason = format!(
            "{}, the last on {}, {} within {}, of {} to objects; {} that are not known to be the caller's own were given out. Expected: callers that ask for what exists and is theirs.",
            self.refused.words("different object"),
            template(case.call),
            if guesses { "did not exist" } else { "were refused" },
            stretch.words(),
            times(self.calls, "call"),
            self.given,
        );
        case.finding(about, severity, outcome, 80, reason)
    }
}
