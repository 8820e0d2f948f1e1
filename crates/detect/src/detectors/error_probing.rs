//! Errors that are provoked for what they tell.

use crate::detector::{Case, Detector, DetectorInfo, Nature, Needs, Scope, StateKind};
use crate::facts::{path, status};
use crate::tally::{AtLeast, Distinct, Steps, Stretch, times};
use crate::{Finding, Outcome, Severity};
use tapwire_inspect::Mark;
use tapwire_inventory::Call;
use tapwire_protocol::Anomaly;

pub(super) const INFO: DetectorInfo = DetectorInfo {
    name: "error-probing",
    title: "Errors with stack traces are provoked (verbose errors)",
    summary: "One address sent what no client does (escaped control characters, broken documents, code in values) and got five answers with a stack trace or a \
              database's message, for five different paths; or eight such paths were refused. It sends what programs stumble over, to read how they are \
              built. An outage that tells its traces to who asks for what they always do is none of it. That errors tell so much is for a policy to say; here somebody makes use of it.",
    owasp: "API8:2023 Security Misconfiguration",
    cwe: "CWE-209",
    attack: ("T1592", "Gather Victim Host Information"),
    severity: "Medium when traces were told, Low when all was refused",
    scope: Scope::Address,
    warm_up: "none: 5 different paths within a day, 8 where they were refused",
    next_steps: &["Answer errors with a number, and keep what they tell in the log."],
    unjudged: "no answer said that a call failed",
    needs: Needs::NOTHING,
    nature: Nature::USUAL,
    judges: |call| call.observation.marks.contains(Mark::Failed),
    concerns: is_provoked,
    state: StateKind::of::<ErrorProbing>(),
};

/// Different provoked paths with a trace, and without, that are no accident.
const TRACED: u64 = 5;
const REFUSED: u64 = 8;

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct ErrorProbing {
    traced: Distinct,
    refused: AtLeast,
    steps: Steps,
    told_refused: bool,
    stretch: Stretch,
}

impl Detector for ErrorProbing {
    fn judge(&mut self, case: &Case<'_>, out: &mut Vec<Finding>) {
        if self.stretch.begins(case.call.observation.exchange.started(), 6 * 3_600, 86_400) {
            *self = Self { stretch: self.stretch, ..Self::default() };
        }
        let refused = self.refused.add(path(case.call));
        if case.call.observation.marks.contains(Mark::VerboseError) {
            self.traced.add(path(case.call));
            let paths = self.traced.len() as u64;
            if self.steps.reaches(paths, TRACED) {
                let reason = format!(
                    "{} that no client sends from one address got errors with a stack trace or a database's message within {}.",
                    times(paths, "different path"),
                    self.stretch.words(),
                );
                out.push(case.finding(b"", Severity::Medium, Outcome::Confirmed, 70, reason));
            }
        } else if refused >= REFUSED && !std::mem::replace(&mut self.told_refused, true) {
            let reason = format!(
                "At least {} that no client sends from one address got errors within {} (verbose errors are looked for); none told how the program is built.",
                times(refused, "different path"),
                self.stretch.words(),
            );
            out.push(case.finding(b"refused", Severity::Low, Outcome::Blocked, 65, reason));
        }
    }
}

/// Whether a call failed that no client makes: an outage tells its traces to who asks for what they always do.
fn is_provoked(call: &Call) -> bool {
    let observation = &call.observation;
    observation.marks.contains(Mark::Failed)
        && (observation.attempts.is_some()
            || observation.anomalies.contains(Anomaly::InvalidPayload)
            || has_controls(call)
            || observation.marks.contains(Mark::VerboseError) && matches!(status(call), Some(400..=499)))
}

/// Whether path or query have escaped control characters, which no text has.
fn has_controls(call: &Call) -> bool {
    let Some(target) = call.observation.exchange.request_head().zip(call.observation.path) else {
        return false;
    };
    let path = target.0.slice(target.1).bytes();
    let is_control = |at: usize| matches!(path.get(at + 1..at + 3), Some([b'0' | b'1', low]) if !matches!(low, b'9' | b'a' | b'A' | b'd' | b'D') || path.get(at + 1) == Some(&b'1'));
    memchr::memchr_iter(b'%', path).any(is_control)
}
