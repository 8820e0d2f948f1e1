//! Handshakes that nobody finishes.

use crate::detector::{Case, Detector, DetectorInfo, Nature, Needs, Scope, Spread, StateKind};
use crate::tally::{Steps, Stretch, span, times};
use crate::{Finding, Outcome, Severity};
use tapwire_inventory::Knocks;

pub(super) const INFO: DetectorInfo = DetectorInfo {
    name: "syn-flood",
    title: "Connections are begun from many addresses and never finished (SYN flood)",
    summary: "Within a minute 512 and more connections to one port of a server were begun, from at least 256 addresses, answered by the server, and neither finished nor \
              reset by who began them. Programs finish what they begin: such addresses are made up, and what waits for them takes the server's room. It is told of the \
              server; no address is blamed.",
    owasp: "API4:2023 Unrestricted Resource Consumption",
    cwe: "CWE-400",
    attack: ("T1499.001", "OS Exhaustion Flood"),
    severity: "Medium",
    scope: Scope::Service,
    warm_up: "none: 512 connections of 256 addresses within a minute",
    next_steps: &[
        "Turn on SYN cookies where the server has them.",
        "Ask who brings you the traffic to filter addresses that are made up.",
    ],
    unjudged: "no request was seen",
    needs: Needs::NOTHING,
    nature: Nature { spread: Spread::Place, hears_knocks: true, ..Nature::USUAL },
    judges: |_| true,
    concerns: |call| matches!(call.knocks, Some(Knocks::Flood { .. })),
    state: StateKind::of::<SynFlood>(),
};

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct SynFlood {
    steps: Steps,
    stretch: Stretch,
}

impl Detector for SynFlood {
    fn judge(&mut self, case: &Case<'_>, out: &mut Vec<Finding>) {
        let Some(Knocks::Flood { handshakes, addresses, seconds }) = case.call.knocks else { return };
        let time = case.call.observation.exchange.started();
        self.stretch.renew(&mut self.steps, time, 3_600, 86_400);
        if self.steps.reaches(handshakes, 512) {
            let reason = format!(
                "{} with one port of a server were begun within {}, from at least {} addresses, and never finished (SYN flood).",
                times(handshakes, "connection"),
                span(seconds),
                addresses,
            );
            out.push(case.finding(b"flood", Severity::Medium, Outcome::Attempted, 80, reason));
        }
    }
}
