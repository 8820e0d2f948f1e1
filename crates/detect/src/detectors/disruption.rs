//! Callers after whose requests others wait, or are not served.

use crate::detector::{Case, Detector, DetectorInfo, Nature, Needs, Scope, StateKind};
use crate::facts::{status, template};
use crate::tally::{Steps, times};
use crate::{Finding, Outcome, Severity};
use tapwire_inventory::{Call, Strain};

pub(super) const INFO: DetectorInfo = DetectorInfo {
    name: "disruption",
    title: "Others wait or fail after one caller's requests (disruption)",
    summary: "Answers to others at the same service became far slower than usual there, or half of them failed with 5xx, and one caller's load came first: three requests \
              that took the server half a second and more and twenty times what its endpoint takes in the middle, or were sent a few bytes at a time, not failed themselves, and begun before the first \
              of others suffered, and five in all; or half of all calls in the minute before, 60 and more, ten times what it does as a rule. How others fare is told from twenty answers to five \
              callers within a minute, at most four of each, beside what is usual at each endpoint: by chance less than once in a million. Where a service is down for all, or a quarter of the answers of other services are slow, too, no caller's load came first. \
              Load that is spread over many callers is not told here.",
    owasp: "API4:2023 Unrestricted Resource Consumption",
    cwe: "CWE-400",
    attack: ("T1499.003", "Application Exhaustion Flood"),
    severity: "High: others suffer",
    scope: Scope::Principal,
    warm_up: "200 calm answers of the service, 10 of each endpoint, and 20 answers to five others within a minute",
    next_steps: &[
        "Limit what one caller may have under way at a time, and how long a request may take.",
        "Slow the caller down, and look which of its requests cost most: tapwire show with the finding's uid.",
    ],
    unjudged: "no answer was seen",
    needs: Needs::NOTHING,
    nature: Nature { of_many_calls: true, ..Nature::USUAL },
    judges: |call| call.principal.is_some() && call.observation.exchange.latency().is_some(),
    concerns: |call| takes_long(call) || call.relations.strain.is_some_and(|strain| is_flood(call, &strain)),
    state: StateKind::of::<Disruption>(),
};

/// Nanoseconds from which on a request may be costly, and how many times it is beyond the middle of its endpoint.
const LONG: u64 = 500_000_000;
const TIMES: u64 = 20;
/// Costly requests in all, and of these such as began before others suffered.
const COSTLY: u64 = 5;
const FIRST: usize = 3;
/// Calls in the minute before others suffered, and how many times they are beyond what the caller does as a rule.
const FLOOD: u32 = 60;
const BEYOND: i64 = 10;
/// Milliseconds without a costly request after which another stretch begins.
const QUIET: i64 = 300_000;

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct Disruption {
    /// When the first costly requests of this stretch began, in milliseconds, and the last.
    first: [i64; FIRST],
    last: i64,
    costly: u64,
    /// Costly requests of stretches before: who always does so is not what changed.
    usual: u64,
    steps: Steps,
}

/// Whether a request kept the server long: until it was answered, or while it was sent.
fn takes_long(call: &Call) -> bool {
    let exchange = &call.observation.exchange;
    exchange.latency().is_some_and(|nanos| nanos >= LONG) || super::slow_requests::is_slow(call)
}

fn is_costly(case: &Case<'_>) -> bool {
    let middle = case.endpoint.and_then(|endpoint| endpoint.usage.latency.quantiles());
    let nanos = case.call.observation.exchange.latency().filter(|nanos| *nanos >= LONG);
    super::slow_requests::is_slow(case.call)
        || nanos.zip(middle).is_some_and(|(nanos, middle)| nanos / 1_000 >= middle.p50.saturating_mul(TIMES))
}

/// Whether half of all calls before others suffered were this caller's, and it does otherwise far fewer.
fn is_flood(call: &Call, strain: &Strain) -> bool {
    let (own, all) = strain.before;
    if own < FLOOD || own * 2 < all {
        return false;
    }
    let known = call.caller.first_seen.map_or(strain.began, |first| first.nanos() / 1_000_000);
    let minutes = (strain.began - 120_000 - known) / 60_000;
    let earlier = i64::from(call.caller.calls.saturating_sub(own));
    minutes < 1 || earlier * BEYOND <= i64::from(own) * minutes
}

/// Whether others wait, or half of them are not served: a service that has trouble of its own fails now and then, for all.
fn is_felt(strain: &Strain) -> bool {
    strain.slow.is_some() || strain.failed.is_some_and(|failed| failed * 2 >= strain.answers)
}

impl Detector for Disruption {
    fn begins(call: &Call) -> bool {
        (INFO.concerns)(call)
    }

    fn judge(&mut self, case: &Case<'_>, out: &mut Vec<Finding>) {
        if is_costly(case) {
            // What fails after long suffers itself: it is not what came first.
            let failed = matches!(status(case.call), Some(500..=599));
            self.hear(case.call.observation.exchange.started().nanos() / 1_000_000, failed);
        }
        let Some(strain) = case.call.relations.strain.filter(is_felt) else { return };
        let came_first = self.first.iter().all(|at| *at > 0 && *at < strain.began);
        let by_cost = self.costly >= COSTLY && came_first && self.usual * 2 <= self.costly;
        let load = match () {
            () if by_cost => format!("{} of one caller", times(self.costly, "costly request")),
            () if is_flood(case.call, &strain) => {
                format!(
                    "{} of one caller, of {} in all,",
                    times(strain.before.0.into(), "call"),
                    strain.before.1
                )
            }
            () => return,
        };
        if !self.steps.reaches(strain.answers.into(), 1) {
            return;
        }
        let reason =
            format!("After {load} {}; the last of these was to {}.", suffering(&strain), template(case.call));
        let about = strain.began.to_le_bytes();
        out.push(case.finding(&about, Severity::High, Outcome::Confirmed, 75, reason));
    }
}

impl Disruption {
    /// Another costly request, which began at that millisecond. They come in the order in which they end.
    fn hear(&mut self, began: i64, failed: bool) {
        if began.saturating_sub(self.last) > QUIET {
            *self = Self { usual: self.usual.saturating_add(self.costly), ..Self::default() };
        }
        self.costly += 1;
        self.last = self.last.max(began);
        // The earliest of all.
        let free = |at: &i64| if *at == 0 { i64::MAX } else { *at };
        if let Some(latest) = self.first.iter_mut().max_by_key(|at| free(at))
            && !failed
            && began < free(latest)
        {
            *latest = began;
        }
    }
}

/// What others suffer, in words.
fn suffering(strain: &Strain) -> String {
    let of =
        format!("of {} to {} others within a minute", times(strain.answers.into(), "answer"), strain.callers);
    let failed = strain.failed.map(|failed| format!("{failed} {of} failed"));
    let slow = strain.slow.map(|_| {
        let (from, to) = ((strain.usual / 1_000).max(1), strain.micros / 1_000);
        format!("nine in ten {of} took up to {to} ms, where {from} ms are usual")
    });
    let all: Vec<_> = failed.into_iter().chain(slow).collect();
    all.join(", and ")
}
