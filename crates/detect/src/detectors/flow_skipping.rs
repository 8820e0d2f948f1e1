//! Steps of a flow that are left out.

use crate::Finding;
use crate::detector::{Case, Detector, DetectorInfo, Nature, Needs, Scope, StateKind};
use crate::facts::{came_to, is_named, is_ok, place, status, template};
use crate::tally::{Distinct, Steps, Stretch, times};

pub(super) const INFO: DetectorInfo = DetectorInfo {
    name: "flow-skipping",
    title: "Steps of a flow are skipped (payment, one-time password)",
    summary: "A caller made a step that changes something, where nearly everybody makes another step within the hour before: it confirms without \
              having paid, transfers without the one-time password. What comes before what is learned from all callers; three times is no \
              accident.",
    owasp: "API6:2023 Unrestricted Access to Sensitive Business Flows",
    cwe: "CWE-841",
    attack: ("T1565", "Data Manipulation"),
    severity: "High when the step was accepted, Low when refused",
    scope: Scope::Principal,
    warm_up: "30 times by callers that did not make it within the hour before that the step was made, 19 in 20 of them after the other one",
    next_steps: &[
        "Keep what was done in the server, and refuse a step that is not the next one.",
        "Look what the steps that were accepted have moved.",
    ],
    unjudged: "no named caller made a step before which nearly all make another",
    needs: Needs::NOTHING,
    nature: Nature::USUAL,
    judges: |call| is_named(call) && call.relations.usual.same_method >= 30,
    // In an outage nobody's steps before were made.
    concerns: |call| call.relations.usual.skipped.is_some() && matches!(status(call), Some(200..=499)),
    state: StateKind::of::<FlowSkipping>(),
};

const ENOUGH: u64 = 3;
const DAY: i64 = 86_400;

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct FlowSkipping {
    counted: Counted,
    stretch: Stretch,
}

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct Counted {
    places: Distinct,
    calls: u64,
    accepted: u64,
    steps: Steps,
    told: bool,
}

impl Detector for FlowSkipping {
    fn judge(&mut self, case: &Case<'_>, out: &mut Vec<Finding>) {
        let Some(made) = case.call.relations.usual.skipped else { return };
        self.stretch.renew(&mut self.counted, case.call.observation.exchange.started(), DAY, 7 * DAY);
        let counted = &mut self.counted;
        counted.calls += 1;
        counted.accepted += u64::from(is_ok(case.call));
        counted.places.add(place(case.call));
        let worked = counted.accepted >= ENOUGH;
        let first = worked && !counted.told;
        if !(counted.steps.reaches(counted.calls, ENOUGH) || first) {
            return;
        }
        counted.told |= worked;
        let (severity, outcome) = came_to(worked, counted.accepted);
        let reason = format!(
            "{}, the last to {}, {} of them accepted within {}, without the step that 19 in 20 of {made} calls there came after within an hour.",
            times(counted.calls, "call"),
            template(case.call),
            counted.accepted,
            self.stretch.words(),
        );
        out.push(case.finding(&[u8::from(worked)], severity, outcome, 80, reason));
    }
}
