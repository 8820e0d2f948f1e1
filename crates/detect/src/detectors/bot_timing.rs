//! Calls as regular as no person makes them.

use crate::detector::{Case, Detector, DetectorInfo, Scope, StateKind};
use crate::facts::{is_ok, is_person, path};
use crate::{Finding, Outcome, Severity};

pub(super) const INFO: DetectorInfo = DetectorInfo {
    name: "bot-timing",
    title: "A person's session calls like a clock (bot timing)",
    summary: "A person's account called the same path a hundred times and more with pauses that hardly differ, none longer than ten seconds. That is \
              a program: it waits for stock, prices or appointments faster than people can. Programs with a key or a certificate are not judged.",
    owasp: "API6:2023 Unrestricted Access to Sensitive Business Flows",
    cwe: "CWE-799",
    attack: ("T1059", "Command and Scripting Interpreter"),
    severity: "Low",
    scope: Scope::Principal,
    warm_up: "100 calls of one path",
    next_steps: &[
        "Limit calls of one path by caller.",
        "Ask for a proof that a person is there where it matters.",
    ],
    unjudged: "no person's account called one path 100 times",
    judges: is_person,
    concerns: |call| is_person(call) && is_ok(call),
    state: StateKind::of::<BotTiming>(),
};

const ENOUGH: u64 = 100;

/// The pauses between calls of one path.
#[derive(Default, serde::Serialize, serde::Deserialize)]
struct BotTiming {
    path: u64,
    last: i64,
    count: u64,
    /// Mean and sum of squared differences (Welford), in seconds.
    mean: f64,
    squares: f64,
    told: bool,
}

impl Detector for BotTiming {
    fn judge(&mut self, case: &Case<'_>, out: &mut Vec<Finding>) {
        let (path, now) = (path(case.call), case.call.observation.exchange.started().nanos());
        let pause = (now - self.last) as f64 / 1e9;
        if path != self.path || !(0.0..=10.0).contains(&pause) {
            *self = Self { path, last: now, told: self.told, ..Self::default() };
            return;
        }
        self.last = now;
        self.count += 1;
        let delta = pause - self.mean;
        self.mean += delta / self.count as f64;
        self.squares += delta * (pause - self.mean);
        let deviation = (self.squares / self.count as f64).sqrt();
        if self.told || self.count < ENOUGH || deviation > self.mean * 0.2 || self.mean < 0.2 {
            return;
        }
        self.told = true;
        let reason = format!(
            "{} calls of one path with pauses of {:.1} s that differ by {:.2} s; people's differ by as much as they last.",
            self.count, self.mean, deviation,
        );
        out.push(case.finding(b"", Severity::Low, Outcome::Confirmed, 65, reason));
    }
}
