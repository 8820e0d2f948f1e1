//! Methods that nobody uses where others read.

use crate::Finding;
use crate::detector::{Case, Detector, DetectorInfo, Nature, Needs, Scope, StateKind};
use crate::facts::{came_to, is_named, is_ok, method_is, place, template};
use crate::tally::{Distinct, Steps, Stretch, times};
use tapwire_inventory::Call;

pub(super) const INFO: DetectorInfo = DetectorInfo {
    name: "method-swap",
    title: "Methods are swapped where others only read (BFLA by method)",
    summary: "A named caller tried to change or delete, with several methods, what everybody else only reads; or hid the method in a header \
              such as X-HTTP-Method-Override. Gateways that allow by path and method, and frameworks that route all methods to one function, \
              are got around so.",
    owasp: "API5:2023 Broken Function Level Authorization",
    cwe: "CWE-650",
    attack: ("T1190", "Exploit Public-Facing Application"),
    severity: "High when it was accepted, Low when refused",
    scope: Scope::Principal,
    warm_up: "20 reads of the path template, and nobody who was answered by that method",
    next_steps: &[
        "Allow the methods of each path by name, and refuse all others.",
        "Ignore headers that replace the method.",
    ],
    unjudged: "no named caller tried to change what is only read",
    needs: Needs::NOTHING,
    nature: Nature::USUAL,
    judges: |call| is_named(call) && call.relations.usual.reads >= READS,
    concerns: |call| is_named(call) && call.relations.usual.reads >= READS && is_swapped(call),
    state: StateKind::of::<MethodSwap>(),
};

const READS: u32 = 20;
/// Calls, and different methods and places among them.
const ENOUGH: u64 = 4;
const SEVERAL: usize = 2;
const DAY: i64 = 86_400;
const HEADERS: &[&[u8]] = &[b"x-http-method-override", b"x-http-method", b"x-method-override"];

/// Whether nobody is answered by that method there, or another is meant than the one that is sent.
fn is_swapped(call: &Call) -> bool {
    let usual = &call.relations.usual;
    usual.same_method <= 2 && method_is(call, &[b"PUT", b"PATCH", b"DELETE"])
        || usual.same_method <= 2 && method_is(call, &[b"POST"]) && overrides(call)
}

fn overrides(call: &Call) -> bool {
    let head = call.observation.exchange.request_head();
    head.is_some_and(|head| HEADERS.iter().any(|name| head.header(name).is_some()))
}

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct MethodSwap {
    counted: Counted,
    stretch: Stretch,
}

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct Counted {
    kinds: Distinct,
    calls: u64,
    accepted: u64,
    steps: Steps,
    told: bool,
}

impl Detector for MethodSwap {
    fn judge(&mut self, case: &Case<'_>, out: &mut Vec<Finding>) {
        self.stretch.renew(&mut self.counted, case.call.observation.exchange.started(), DAY, 7 * DAY);
        let counted = &mut self.counted;
        counted.calls += 1;
        counted.accepted += u64::from(is_ok(case.call));
        counted.kinds.add(place(case.call));
        let first = counted.accepted >= SEVERAL as u64 && !counted.told;
        if counted.kinds.len() < SEVERAL || counted.calls < ENOUGH {
            return;
        }
        if !(counted.steps.reaches(counted.calls, ENOUGH) || first) {
            return;
        }
        let worked = counted.accepted >= SEVERAL as u64;
        counted.told |= worked;
        let (severity, outcome) = came_to(worked, counted.accepted);
        let reason = format!(
            "{} by {}, the last to {}, {} of them accepted within {}, where others only read ({} so far).",
            times(counted.calls, "call"),
            times(counted.kinds.len() as u64, "other method"),
            template(case.call),
            counted.accepted,
            self.stretch.words(),
            times(case.call.relations.usual.reads.into(), "read"),
        );
        out.push(case.finding(&[u8::from(worked)], severity, outcome, 75, reason));
    }
}
