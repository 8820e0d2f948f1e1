//! Limits that a server says, and what becomes of who goes on.

use crate::detector::{Case, Detector, DetectorInfo, Nature, Needs, Scope, StateKind};
use crate::facts::{is_ok, status};
use crate::tally::{Steps, Stretch, times};
use crate::{Finding, Outcome, Severity};
use tapwire_inventory::{Call, Left};

pub(super) const INFO: DetectorInfo = DetectorInfo {
    name: "limit-ignored",
    title: "A caller goes on although its limit is used up (429 ignored, rate limit not enforced)",
    summary: "A caller was told that nothing is left (429, or RateLimit-Remaining: 0), and called 25 times and more before its window ended, without half an \
              hour of silence between: a client that heeds the limit waits. Where such calls are answered with 2xx, the limit is advertised and \
              not enforced. Calls that use up the limit to the last and wait are none of these.",
    owasp: "API4:2023 Unrestricted Resource Consumption",
    cwe: "CWE-799",
    attack: ("T1499.003", "Application Exhaustion Flood"),
    severity: "Medium when calls were answered all the same, Low when refused",
    scope: Scope::Principal,
    warm_up: "none: 25 calls beyond the limit",
    next_steps: &[
        "Enforce the limit where it is advertised.",
        "Tell the caller's owner, or slow it down further with each refusal.",
    ],
    unjudged: "no answer told of a limit",
    needs: Needs::NOTHING,
    nature: Nature { of_many_calls: true, ..Nature::USUAL },
    judges: |call| left(call).is_some(),
    concerns: |call| left(call).is_some(),
    state: StateKind::of::<LimitIgnored>(),
};

const ENOUGH: u64 = 25;
/// Endpoints of one caller whose limits are told apart; of more, the one whose window ends first is forgotten.
const MOST: usize = 8;
/// Seconds of silence after which calls are a stretch of their own.
const QUIET: i64 = 1_800;

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct LimitIgnored {
    /// Endpoints with nothing left.
    spent: Vec<Spent>,
    refused: u64,
    served: u64,
    steps: [Steps; 2],
    stretch: Stretch,
}

/// A limit that is used up.
#[derive(Clone, Copy, serde::Serialize, serde::Deserialize)]
struct Spent {
    place: u64,
    /// The second at which its window ends.
    until: i64,
    /// When the caller had heard of it: what it had sent before is no sign of anything.
    told: tapwire_wire::Timestamp,
}

impl Detector for LimitIgnored {
    const VERSION: u32 = 1;

    fn begins(call: &Call) -> bool {
        left(call).is_some_and(|left| left.nothing)
    }

    fn judge(&mut self, case: &Case<'_>, out: &mut Vec<Finding>) {
        if !self.goes_on(case.call) {
            return;
        }
        if self.stretch.begins(case.call.observation.exchange.started(), QUIET, 86_400) {
            *self = Self { stretch: self.stretch, spent: std::mem::take(&mut self.spent), ..Self::default() };
        }
        let served = is_ok(case.call);
        let count = if served { &mut self.served } else { &mut self.refused };
        *count += 1;
        let count = *count;
        if !self.steps.get_mut(usize::from(served)).is_some_and(|steps| steps.reaches(count, ENOUGH)) {
            return;
        }
        let (severity, outcome, told) = match served {
            true => (Severity::Medium, Outcome::Confirmed, "answered although nothing was left of its limit"),
            false => {
                (Severity::Low, Outcome::Blocked, "refused because its limit was used up, and it went on")
            }
        };
        let reason =
            format!("{} of one caller were {told}, within {}.", times(count, "call"), self.stretch.words());
        out.push(case.finding(&[u8::from(served)], severity, outcome, 75, reason));
    }
}

impl LimitIgnored {
    /// Whether an answer before had said that nothing is left, and the window had not ended. Where nobody says when it ends,
    /// it has not as long as nothing is left; a limit of one call is used up by each.
    fn goes_on(&mut self, call: &Call) -> bool {
        let Some(left) = left(call) else { return false };
        let exchange = &call.observation.exchange;
        let now = exchange.started().nanos().div_euclid(1_000_000_000);
        let place = call.endpoint.map_or(0, |endpoint| endpoint.0);
        if !left.nothing {
            self.spent.retain(|known| known.place != place);
            return false;
        }
        let until = left.until.unwrap_or(if left.limit == Some(1) { now } else { now + QUIET });
        let Some(known) = self.spent.iter_mut().find(|known| known.place == place) else {
            self.spend(Spent { place, until, told: exchange.ended() });
            return false;
        };
        let (goes_on, had_heard) = (known.until > now, exchange.started() >= known.told);
        // What the first refusal said counts: windows that slide begin anew with each call.
        if !goes_on || left.until.is_none() {
            known.until = until;
        }
        if !goes_on {
            known.told = exchange.ended();
        }
        goes_on && had_heard
    }

    fn spend(&mut self, spent: Spent) {
        if self.spent.len() >= MOST {
            let first = self.spent.iter().enumerate().min_by_key(|(_, spent)| spent.until).map(|(at, _)| at);
            first.into_iter().for_each(|at| _ = self.spent.swap_remove(at));
        }
        self.spent.push(spent);
    }
}

/// What an answer says is left.
fn left(call: &Call) -> Option<Left> {
    let head = call.observation.exchange.response_head()?;
    let limited = status(call) == Some(429)
        || call.observation.response_fields.as_deref().is_some_and(|list| {
            list.fields().iter().any(|field| memchr::memmem::find(list.name(field), b"limit").is_some())
        });
    limited.then(|| Left::said(head, call.observation.exchange.started()))?
}
