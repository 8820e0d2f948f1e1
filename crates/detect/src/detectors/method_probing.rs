//! Methods that a service does not know, tried one after the other.

use crate::detector::{Case, Detector, DetectorInfo, Nature, Needs, Scope, StateKind};
use crate::facts::{place, status};
use crate::tally::{AtLeast, Steps, Stretch, times};
use crate::{Finding, Outcome, Severity};
use tapwire_protocol::Head;

pub(super) const INFO: DetectorInfo = DetectorInfo {
    name: "method-probing",
    title: "Methods are tried that are not there (method probing, reconnaissance)",
    summary: "A service refused four different methods and more with 405 or 501, at ten different pairs of method and path, within a day: somebody looks \
              for what a path does that nobody calls. From how many addresses they come does not matter. A client that is out of date calls one \
              method wrongly, and no preflight of a browser is refused so.",
    owasp: "API9:2023 Improper Inventory Management",
    cwe: "CWE-650",
    attack: ("T1595.002", "Vulnerability Scanning"),
    severity: "Low: all was refused",
    scope: Scope::Service,
    warm_up: "none: 10 pairs of method and path, of 4 methods",
    next_steps: &["Look for what else came from the same caller, and was answered."],
    unjudged: "no request was seen",
    needs: Needs::NOTHING,
    nature: Nature::USUAL,
    judges: |call| call.observation.path.is_some(),
    concerns: |call| matches!(status(call), Some(405 | 501)),
    state: StateKind::of::<MethodProbing>(),
};

const PAIRS: u64 = 10;
const METHODS: u64 = 4;

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct MethodProbing {
    pairs: AtLeast,
    methods: AtLeast,
    steps: Steps,
    stretch: Stretch,
}

impl Detector for MethodProbing {
    fn judge(&mut self, case: &Case<'_>, out: &mut Vec<Finding>) {
        if self.stretch.begins(case.call.observation.exchange.started(), 6 * 3_600, 86_400) {
            *self = Self { stretch: self.stretch, ..Self::default() };
        }
        let method = case.call.observation.exchange.request_head().and_then(Head::method);
        let hash = method.map_or(0, |method| {
            method
                .bytes()
                .iter()
                .fold(7, |hash: u64, byte| hash.wrapping_mul(131).wrapping_add(u64::from(*byte)))
        });
        let (pairs, methods) = (self.pairs.add(place(case.call)), self.methods.add(hash));
        if methods < METHODS || !self.steps.reaches(pairs, PAIRS) {
            return;
        }
        let reason = format!(
            "At least {} at {} of method and path were refused with 405 or 501 within {}; expected none.",
            times(methods, "different method"),
            times(pairs, "pair"),
            self.stretch.words(),
        );
        out.push(case.finding(b"", Severity::Low, Outcome::Blocked, 70, reason));
    }
}
