//! One identifier, sent twice.

use crate::detector::{Case, Detector, DetectorInfo, Nature, Needs, Scope, StateKind};
use crate::facts::{calls_of_the_endpoint, short, status, template};
use crate::tally::{Told, times};
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
    warm_up: "5 calls of the endpoint that did not",
    next_steps: &["Refuse requests that name a parameter twice, or read the same one everywhere."],
    unjudged: "no query named an identifier",
    needs: Needs {
        least: 5,
        of: "calls of one endpoint that names an identifier",
        seen: calls_of_the_endpoint,
    },
    nature: Nature::USUAL,
    judges: |call| call.observation.query.is_some(),
    concerns: names_twice,
    state: StateKind::of::<ParameterPollution>(),
};

/// Identifiers of a query that are compared.
const MOST: usize = 32;
/// Calls of the endpoint by which it is known what its callers send.
const KNOWN: u64 = 6;

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct ParameterPollution {
    twice: u64,
    told: Told,
}

/// Whether the query names one identifier with different values.
fn names_twice(call: &Call) -> bool {
    let Some(list) = call.observation.request_fields.as_deref() else { return false };
    let ids = list.ids().get(..MOST).unwrap_or(list.ids());
    ids.len() > 1
        && ids.iter().enumerate().any(|(at, id)| {
            let others = ids.get(at + 1..).unwrap_or_default();
            others.iter().any(|other| other.field == id.field && other.hash != id.hash)
                && list.get(id.field).is_some_and(|field| field.step == Step::Query)
        })
}

impl Detector for ParameterPollution {
    fn lessons(self) -> Option<Self> {
        Some(Self { told: Told::default(), ..self })
    }

    fn judge(&mut self, case: &Case<'_>, out: &mut Vec<Finding>) {
        self.twice += 1;
        let once = case.endpoint.map_or(0, |endpoint| endpoint.calls).saturating_sub(self.twice);
        if once < KNOWN - 1 || self.twice * 4 > once {
            return;
        }
        let (severity, outcome) = match status(case.call) {
            Some(200..=299) => (Severity::Medium, Outcome::Likely),
            Some(400..=499) => (Severity::Low, Outcome::Blocked),
            _ => (Severity::Low, Outcome::Attempted),
        };
        let who = case.call.principal.map_or(0, |principal| short(principal.token));
        if !self.told.rises(who, outcome.rank(), case.call.observation.exchange.started()) {
            return;
        }
        let reason = format!(
            "A query to {} named one identifier twice with different values; {} before did not.",
            template(case.call),
            times(once, "call"),
        );
        out.push(case.finding(&[outcome.rank()], severity, outcome, 70, reason));
    }
}
