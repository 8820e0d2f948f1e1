//! Tokens that are refused and shown again and again.

use crate::detector::{Case, Detector, DetectorInfo, Nature, Needs, Scope, StateKind};
use crate::facts::{is_ok, path, status, writes};
use crate::tally::{Distinct, Steps, Stretch, times};
use crate::{Finding, Outcome, Severity};
use tapwire_inventory::{Call, TokenFact};

pub(super) const INFO: DetectorInfo = DetectorInfo {
    name: "refused-token",
    title: "A token that is refused is tried at one path after the other (expired, logged out, foreign or forged token)",
    summary: "One token was refused with 401 ten times and more, at five different paths and more, and never accepted in between: somebody tries what \
              an old, stolen or made token still opens. A client whose token ended is refused a few times, with all that a page asks at once, and gets another one.",
    owasp: "API2:2023 Broken Authentication",
    cwe: "CWE-613",
    attack: ("T1550.001", "Application Access Token"),
    severity: "Low: all were refused",
    scope: Scope::Session,
    warm_up: "none: 10 calls at 5 different paths, 5 at 2 of a token that is known to be over; in three bursts at least, or 30 that are read",
    next_steps: &["Nothing at once: the server did what it should. Watch the address."],
    unjudged: "no credential of a session was used",
    needs: Needs::NOTHING,
    nature: Nature::USUAL,
    judges: |call| call.caller.session.is_some(),
    concerns: |call| call.caller.session.is_some() && (is_ok(call) || matches!(status(call), Some(401))),
    state: StateKind::of::<RefusedToken>(),
};

/// Calls and paths from which on it is no client's mistake; of a token that is known to be over, fewer.
const ENOUGH: u64 = 10;
const OVER: u64 = 5;
/// A page that wakes asks for all its parts before it hears that its token is over: what is asked within so many seconds is one
/// burst, and who tries does so in several.
const BURST: i64 = 5;
const BURSTS: u64 = 3;
/// Or more paths than a page has parts: what an application sends at once when it is online again is not among them.
const PARTS: usize = 30;

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct RefusedToken {
    paths: Distinct,
    /// Those of them that were read.
    read: Distinct,
    calls: u64,
    bursts: u64,
    /// The second in which the last burst began.
    burst: i64,
    over: bool,
    steps: Steps,
    stretch: Stretch,
}

impl Detector for RefusedToken {
    const VERSION: u32 = 1;

    fn judge(&mut self, case: &Case<'_>, out: &mut Vec<Finding>) {
        // Each of them may come hours after the last; a token that is accepted in between is a good one.
        let time = case.call.observation.exchange.started();
        let renewed = self.stretch.begins(time, 6 * 3_600, 86_400);
        let accepted = status(case.call) != Some(401);
        if renewed || accepted {
            *self = Self { stretch: self.stretch, ..Self::default() };
        }
        if accepted {
            return;
        }
        let second = time.nanos() / 1_000_000_000;
        if second - self.burst > BURST {
            self.bursts += 1;
            self.burst = second;
        }
        self.calls += 1;
        self.paths.add(path(case.call));
        if !writes(case.call) {
            self.read.add(path(case.call));
        }
        let facts = case.call.caller.facts;
        self.over |= facts.contains(TokenFact::AfterLogout) || facts.contains(TokenFact::Expired);
        let (least, paths) = if self.over { (OVER, 2) } else { (ENOUGH, 5) };
        if self.paths.len() < paths
            || self.bursts < BURSTS && self.read.len() < PARTS
            || !self.steps.reaches(self.calls, least)
        {
            return;
        }
        let reason = format!(
            "A token{} was refused {} at {} within {} and not accepted in between; a client gets another one after a few.",
            if self.over { " that is over, by its end or a logout," } else { "" },
            times(self.calls, "time"),
            self.paths.words("different path"),
            self.stretch.words(),
        );
        out.push(case.finding(b"", Severity::Low, Outcome::Blocked, 70, reason));
    }

    fn begins(call: &Call) -> bool {
        status(call) == Some(401)
    }
}
