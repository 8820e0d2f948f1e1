//! Codes and names that are guessed until one is right.

use crate::detector::{Case, Detector, DetectorInfo, Scope, StateKind};
use crate::facts::{is_missing, is_named, is_ok, path};
use crate::tally::{Distinct, Steps, Stretch, times};
use crate::{Finding, Outcome, Severity};

pub(super) const INFO: DetectorInfo = DetectorInfo {
    name: "object-guessing",
    title: "Codes are guessed (brute force of objects such as coupons)",
    summary: "A named caller asked for one path after the other that does not exist, 25 and more within an hour and nearly nothing else: it \
              guesses codes, vouchers, file names or identifiers. When one of them is answered, the guess was right.",
    owasp: "API6:2023 Unrestricted Access to Sensitive Business Flows",
    cwe: "CWE-799",
    attack: ("T1110", "Brute Force"),
    severity: "Medium; High when a guess was right",
    scope: Scope::Principal,
    warm_up: "none: 25 different paths that do not exist, and four in five of its calls",
    next_steps: &["Limit how many wrong codes one caller may try.", "Make codes long and random."],
    unjudged: "no named caller called",
    judges: is_named,
    concerns: |call| is_named(call) && (is_missing(call) || is_ok(call)),
    state: StateKind::of::<ObjectGuessing>(),
};

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct ObjectGuessing {
    missing: Distinct,
    calls: u64,
    /// The path up to its last segment, where most misses were.
    folder: u64,
    hit: bool,
    steps: Steps,
    stretch: Stretch,
}

impl Detector for ObjectGuessing {
    fn judge(&mut self, case: &Case<'_>, out: &mut Vec<Finding>) {
        if self.stretch.begins(case.call.observation.exchange.started(), 600, 3_600) {
            *self = Self { stretch: self.stretch, steps: self.steps, ..Self::default() };
        }
        self.calls += 1;
        let folder = folder(case);
        if is_missing(case.call) {
            self.missing.add(path(case.call));
            self.folder = folder;
        }
        let missing = self.missing.len() as u64;
        let is_right = is_ok(case.call) && folder == self.folder && missing >= 25 && !self.hit;
        let most = missing * 5 >= self.calls * 4;
        if !(most && (self.steps.reaches(missing, 25) || is_right)) {
            return;
        }
        self.hit |= is_right;
        let (severity, outcome) = if is_right {
            (Severity::High, Outcome::Confirmed)
        } else {
            (Severity::Medium, Outcome::Attempted)
        };
        let reason = format!(
            "{} that {} asked for within {}, of {}{}.",
            times(missing, "different path"),
            if missing == 1 { "does not exist was" } else { "do not exist were" },
            self.stretch.words(),
            times(self.calls, "call"),
            if is_right { "; now one of the same kind was answered" } else { "" },
        );
        out.push(case.finding(&[u8::from(is_right)], severity, outcome, 75, reason));
    }
}

/// A hash of the path without its last segment.
fn folder(case: &Case<'_>) -> u64 {
    let observation = &case.call.observation;
    let Some(head) = observation.exchange.request_head() else { return 0 };
    let segments = observation.segments.split_last().map_or(&[][..], |(_, before)| before);
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for segment in segments {
        for byte in head.slice(segment.range).bytes().iter().chain(b"/") {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    hash
}
