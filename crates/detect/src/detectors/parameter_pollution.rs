//! One identifier, sent twice.

use crate::detector::{Case, Detector, DetectorInfo, Scope, StateKind};
use crate::facts::{is_ok, template};
use crate::tally::times;
use crate::{Finding, Outcome, Severity};
use tapwire_inspect::fields::Step;
use tapwire_inventory::Call;

pub(super) const INFO: DetectorInfo = DetectorInfo {
    name: "parameter-pollution",
    title: "An identifier is sent twice with different values (parameter pollution)",
    summary: "A query named one identifier twice, with different values, at an endpoint whose other callers name it once. What checks the rights may \
              read the first, and what answers the second. Endpoints that take lists are known by their callers, who send several as a rule.",
    owasp: "API1:2023 Broken Object Level Authorization",
    cwe: "CWE-235",
    attack: ("T1190", "Exploit Public-Facing Application"),
    severity: "Medium when it was answered, Low when refused",
    scope: Scope::Endpoint,
    warm_up: "5 calls that named it once",
    next_steps: &["Refuse requests that name a parameter twice, or read the same one everywhere."],
    unjudged: "no query named an identifier",
    judges: |call| names(call) > 0,
    concerns: |call| names(call) > 0,
    state: StateKind::of::<ParameterPollution>(),
};

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct ParameterPollution {
    once: u64,
    twice: u64,
    told: [bool; 2],
}

/// How many different values the identifier has that the query names most.
fn names(call: &Call) -> usize {
    let Some(list) = call.observation.request_fields.as_deref() else { return 0 };
    let of = |at| {
        let mut values: Vec<u64> = list.ids().iter().filter(|id| id.field == at).map(|id| id.hash).collect();
        values.sort_unstable();
        values.dedup();
        values.len()
    };
    let queried =
        list.ids().iter().filter(|id| list.get(id.field).is_some_and(|field| field.step == Step::Query));
    queried.map(|id| of(id.field)).max().unwrap_or(0)
}

impl Detector for ParameterPollution {
    fn judge(&mut self, case: &Case<'_>, out: &mut Vec<Finding>) {
        if names(case.call) < 2 {
            self.once += 1;
            return;
        }
        self.twice += 1;
        let ok = is_ok(case.call);
        let Some(told) = self.told.get_mut(usize::from(ok)) else { return };
        if self.once < 5 || self.twice * 4 > self.once || std::mem::replace(told, true) {
            return;
        }
        let (severity, outcome) =
            if ok { (Severity::Medium, Outcome::Likely) } else { (Severity::Low, Outcome::Blocked) };
        let reason = format!(
            "A query to {} named one identifier twice with different values; {} before named it once.",
            template(case.call),
            times(self.once, "call"),
        );
        out.push(case.finding(&[u8::from(ok)], severity, outcome, 70, reason));
    }
}
