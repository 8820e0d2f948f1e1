//! Limits that a server says, and what becomes of who goes on.

use crate::detector::{Case, Detector, DetectorInfo, Needs, Scope, StateKind};
use crate::facts::{is_ok, status};
use crate::tally::{Steps, Stretch, times};
use crate::{Finding, Outcome, Severity};
use tapwire_inventory::Call;

pub(super) const INFO: DetectorInfo = DetectorInfo {
    name: "limit-ignored",
    title: "A caller goes on although its limit is used up (429 ignored, rate limit not enforced)",
    summary: "A caller was told 25 times and more that nothing is left (429, or RateLimit-Remaining: 0), without half an hour of silence between, and went on: \
              a client that heeds the limit waits. Where calls are answered with 2xx although nothing is left, the limit is advertised and not \
              enforced.",
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
    judges: |call| status(call) == Some(429) || remaining(call).is_some(),
    concerns: |call| status(call) == Some(429) || remaining(call) == Some(0),
    state: StateKind::of::<LimitIgnored>(),
};

const ENOUGH: u64 = 25;

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct LimitIgnored {
    refused: u64,
    served: u64,
    steps: [Steps; 2],
    stretch: Stretch,
}

impl Detector for LimitIgnored {
    fn judge(&mut self, case: &Case<'_>, out: &mut Vec<Finding>) {
        if self.stretch.begins(case.call.observation.exchange.started(), 1_800, 86_400) {
            *self = Self { stretch: self.stretch, ..Self::default() };
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

/// What an answer says is left (draft-ietf-httpapi-ratelimit-headers, and what came before it).
fn remaining(call: &Call) -> Option<u64> {
    let list = call.observation.response_fields.as_deref()?;
    let head = call.observation.exchange.response_head()?;
    let named = list.fields().iter().any(|field| {
        let name = list.name(field);
        name.ends_with(b"remaining") && memchr::memmem::find(name, b"limit").is_some()
    });
    let names = [&b"ratelimit-remaining"[..], b"x-ratelimit-remaining", b"x-rate-limit-remaining"];
    let value = named.then(|| names.iter().find_map(|name| head.header(name)))??;
    std::str::from_utf8(value.bytes().trim_ascii()).ok()?.parse().ok()
}
