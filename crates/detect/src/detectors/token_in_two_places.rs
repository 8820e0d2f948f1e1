//! One credential, used from two places at once.

use crate::detector::{Case, Detector, DetectorInfo, Scope, StateKind};
use crate::{Finding, Outcome, Severity};
use tapwire_inventory::From;

pub(super) const INFO: DetectorInfo = DetectorInfo {
    name: "token-in-two-places",
    title: "A token is used from two places (token theft)",
    summary: "The same credential came from two networks with two different programs, or fingerprints of TLS, within minutes. A phone that \
              changes its network keeps its program, so the address alone is never enough. Somebody else has the token.",
    owasp: "API2:2023 Broken Authentication",
    cwe: "CWE-294",
    attack: ("T1550.001", "Application Access Token"),
    severity: "High when calls from the second place were answered with 2xx",
    scope: Scope::Session,
    warm_up: "3 calls from the first place",
    next_steps: &[
        "End the session.",
        "Bind tokens to their client (DPoP, mutual TLS).",
        "Look for where the token leaked: logs, URLs, scripts.",
    ],
    unjudged: "no credential of a session was used",
    judges: |call| call.caller.session.is_some(),
    concerns: |call| call.caller.session.is_some() && call.caller.from.is_some(),
    state: StateKind::of::<TokenInTwoPlaces>(),
};

const SOON: i64 = 1_800 * 1_000_000_000;

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct TokenInTwoPlaces {
    home: Option<From>,
    calls: u32,
    last: i64,
    away: u32,
    told: bool,
}

impl Detector for TokenInTwoPlaces {
    fn judge(&mut self, case: &Case<'_>, out: &mut Vec<Finding>) {
        let (Some(from), time) = (case.call.caller.from, case.call.observation.exchange.started().nanos())
        else {
            return;
        };
        let home = *self.home.get_or_insert(from);
        if from.differences(home) < 2 {
            self.calls = self.calls.saturating_add(1);
            self.last = time;
            return;
        }
        let soon = time - self.last < SOON;
        if !crate::facts::is_ok(case.call) || !soon {
            return;
        }
        self.away += 1;
        if self.told || self.calls < 3 || self.away < 2 {
            return;
        }
        self.told = true;
        let reason = format!(
            "A token of {} calls from one place came from another network with another program, {} s after its last call from the first; 1 place expected.",
            self.calls,
            (time - self.last) / 1_000_000_000,
        );
        out.push(case.finding(b"", Severity::High, Outcome::Confirmed, 85, reason));
    }
}
