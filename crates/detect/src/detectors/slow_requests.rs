//! Requests that take long to be sent.

use crate::detector::{Case, Detector, DetectorInfo, Nature, Needs, Scope, StateKind};
use crate::facts::{short, status, template};
use crate::tally::{Distinct, Steps, Stretch, times};
use crate::{Finding, Outcome, Severity};
use tapwire_inventory::Call;

pub(super) const INFO: DetectorInfo = DetectorInfo {
    name: "slow-requests",
    title: "Requests are sent a few bytes at a time (slow requests)",
    summary: "Eight requests and more to one method and path, each of less than 16 KiB, took longer than a second and a half to be sent, with less than a KiB a \
              second: who sends so holds connections and workers of the server for nothing. Clients send such a request in one piece, or its body \
              behind its head: one that paused three times counts, or one of eight that its client left open at the same time. One that \
              is lost on the way and sent again is alone among many, so that slow ones have to be a quarter of all there; and lines that are slow have a client \
              each, so that they have to be two a client, or to come within ten minutes.",
    owasp: "API4:2023 Unrestricted Resource Consumption",
    cwe: "CWE-400",
    attack: ("T1499.002", "Service Exhaustion Flood"),
    severity: "High when the server could not serve (5xx), Medium otherwise",
    scope: Scope::Endpoint,
    warm_up: "none: 8 slow requests without three hours of silence",
    next_steps: &[
        "Give requests a time within which they have to be sent, and a least rate.",
        "Put a server in front that takes whole requests only.",
    ],
    unjudged: "no request was seen",
    needs: Needs::NOTHING,
    nature: Nature::USUAL,
    judges: |call| call.observation.exchange.request.is_some(),
    concerns: is_slow,
    state: StateKind::of::<SlowRequests>(),
};

const ENOUGH: u64 = 8;
/// Seconds within which slow ones of many clients hold the server together.
const TOGETHER: i64 = 600;
const SLOW: i64 = 1_500_000_000;
const SMALL: u64 = 16 << 10;
/// Pauses that no client makes that is merely held up.
const PAUSES: u8 = 3;
/// Requests that were open lately and paused less.
const OPEN: usize = 32;

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct SlowRequests {
    slow: u64,
    starved: u64,
    /// Calls of the endpoint when the stretch began.
    before: u64,
    clients: Distinct,
    /// Slow ones that paused less often: their client, when they began and when they ended.
    open: Vec<(u64, i64, i64)>,
    steps: Steps,
    stretch: Stretch,
}

pub(super) fn is_slow(call: &Call) -> bool {
    let Some(request) = call.observation.exchange.request.as_deref() else { return false };
    let nanos = request.ended.since(request.started);
    let bytes = request.head.text.len() as u64 + request.body.len;
    nanos >= SLOW && bytes < SMALL && bytes * 1_000 < u64::try_from(nanos / 1_000_000).unwrap_or(0) * 1_024
}

impl SlowRequests {
    /// Whether a slow one is held open on purpose: it pauses again and again, or many of its client are open at once.
    fn is_held(&mut self, call: &Call, client: u64) -> bool {
        let Some(request) = call.observation.exchange.request.as_deref() else { return false };
        if request.pauses >= PAUSES {
            return true;
        }
        let (from, to) = (request.started.nanos(), request.ended.nanos());
        if self.open.len() >= OPEN {
            self.open.remove(0);
        }
        self.open.push((client, from, to));
        let beside =
            self.open.iter().filter(|(who, began, ended)| *who == client && *began < to && from < *ended);
        beside.count() as u64 >= ENOUGH
    }
}

impl Detector for SlowRequests {
    const VERSION: u32 = 1;

    fn judge(&mut self, case: &Case<'_>, out: &mut Vec<Finding>) {
        let calls = case.endpoint.map_or(0, |endpoint| endpoint.calls);
        if self.stretch.begins(case.call.observation.exchange.started(), 3 * 3_600, 86_400) {
            *self = Self { stretch: self.stretch, before: calls.saturating_sub(1), ..Self::default() };
        }
        let client = case.call.principal.map_or(0, |principal| short(principal.token));
        if !self.is_held(case.call, client) {
            return;
        }
        self.slow += 1;
        self.clients.add(client);
        self.starved += u64::from(matches!(status(case.call), Some(500..=599)));
        let others = calls.saturating_sub(self.before).saturating_sub(self.slow);
        // Who has a slow line sends one now and then.
        let scattered = self.slow < 2 * self.clients.len() as u64 && self.stretch.seconds() > TOGETHER;
        let refused = matches!(status(case.call), Some(408 | 500..=599));
        if (scattered || others > self.slow * 3) && !refused || !self.steps.reaches(self.slow, ENOUGH) {
            return;
        }
        let starved = self.starved * 2 >= self.slow;
        let (severity, outcome) = match status(case.call) {
            _ if starved => (Severity::High, Outcome::Confirmed),
            Some(400..=499) => (Severity::Medium, Outcome::Blocked),
            _ => (Severity::Medium, Outcome::Attempted),
        };
        let reason = format!(
            "{} to {} were sent with less than a KiB a second within {}{}.",
            times(self.slow, "small request"),
            template(case.call),
            self.stretch.words(),
            if starved { ", and the server could not serve half of them" } else { "" },
        );
        out.push(case.finding(b"", severity, outcome, 70, reason));
    }
}
