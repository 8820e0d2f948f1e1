//! One credential, used from two places at once.

use crate::detector::{Case, Detector, DetectorInfo, Nature, Needs, Scope, StateKind};
use crate::facts::{is_denied, is_ok};
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
    severity: "High when calls from the second place were answered with 2xx and the first place went on; Medium when it did not; Low when refused",
    scope: Scope::Session,
    warm_up: "3 calls from the first place",
    next_steps: &[
        "End the session.",
        "Bind tokens to their client (DPoP, mutual TLS).",
        "Look for where the token leaked: logs, URLs, scripts.",
    ],
    unjudged: "no credential of a session was used",
    needs: Needs {
        least: 3,
        of: "calls with one credential",
        seen: |call, _| call.caller.session_calls.into(),
    },
    nature: Nature::USUAL,
    judges: |call| call.caller.session.is_some(),
    concerns: |call| call.caller.session.is_some() && call.caller.from.is_some(),
    state: StateKind::of::<TokenInTwoPlaces>(),
};

const SOON: i64 = 1_800 * 1_000_000_000;

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct TokenInTwoPlaces {
    /// Where it was last at home: a phone that changes its network moves it, and so does a program that is renewed.
    home: Option<From>,
    calls: u32,
    last: i64,
    /// Where else it came from, and what came of it there.
    away: Option<From>,
    accepted: u32,
    refused: u32,
    /// Whether it came from home again after that.
    back: bool,
    told: [bool; 3],
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
            self.back |= self.away.is_some() && time.saturating_sub(self.last) < SOON;
            (self.home, self.last) = (Some(from), time);
            return;
        }
        if time.saturating_sub(self.last) >= SOON {
            // A new session in all but its token: from now on this is where it is at home.
            *self = Self { home: Some(from), calls: 1, last: time, told: self.told, ..Self::default() };
            return;
        }
        if self.away.is_none_or(|away| away.differences(from) > 1) {
            (self.away, self.accepted, self.refused) = (Some(from), 0, 0);
        }
        self.accepted += u32::from(is_ok(case.call));
        self.refused += u32::from(is_denied(case.call));
        if self.calls >= 3 {
            self.tell(case, time, out);
        }
    }
}

impl TokenInTwoPlaces {
    fn tell(&mut self, case: &Case<'_>, time: i64, out: &mut Vec<Finding>) {
        let (at, severity, outcome, confidence) = match (self.accepted >= 2, self.back) {
            (true, true) => (0, Severity::High, Outcome::Confirmed, 85),
            // Nobody came back to where it was before: both may have changed at once.
            (true, false) if self.accepted >= 4 => (1, Severity::Medium, Outcome::Likely, 60),
            (false, _) if self.refused >= 2 => (2, Severity::Low, Outcome::Blocked, 70),
            _ => return,
        };
        let Some(told) = self.told.get_mut(at) else { return };
        if std::mem::replace(told, true) {
            return;
        }
        let reason = format!(
            "A token of {} calls from one place came from another network with another program, {} s after its last call from the first{}; 1 place expected.",
            self.calls,
            time.saturating_sub(self.last) / 1_000_000_000,
            if self.back { ", and from the first again in between" } else { "" },
        );
        out.push(case.finding(&[u8::try_from(at).unwrap_or(0)], severity, outcome, confidence, reason));
    }
}
