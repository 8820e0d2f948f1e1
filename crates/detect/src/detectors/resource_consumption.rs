//! Calls that cost far more than those of others: page sizes, slow requests.

use crate::detector::{Case, Detector, DetectorInfo, Nature, Needs, Scope, StateKind};
use crate::facts::{calls_of_the_endpoint, short, status, template};
use crate::tally::{Told, times};
use crate::{Finding, Outcome, Severity};
use tapwire_inspect::fields::{Format, Step};
use tapwire_inventory::Call;

pub(super) const INFO: DetectorInfo = DetectorInfo {
    name: "resource-consumption",
    title: "Calls cost far more than others' (resource consumption: page size, latency)",
    summary: "A caller asked for pages ten times as large as anybody before, 1,000 elements and more; or it sent several requests that each took \
              the server half a second and more, and twenty times what calls to that endpoint take in the middle. Few such callers can keep a \
              service from serving others.",
    owasp: "API4:2023 Unrestricted Resource Consumption",
    cwe: "CWE-770",
    attack: ("T1499.003", "Application Exhaustion Flood"),
    severity: "Medium when the server did as it was asked, as the length of its answer says, Low otherwise",
    scope: Scope::Endpoint,
    warm_up: "page size: 10 calls that named one, or 20 calls; latency: 5 calls",
    next_steps: &[
        "Cap page sizes, whatever is asked for.",
        "Give requests a time limit; look for expressions that backtrack.",
    ],
    unjudged: "no endpoint was called",
    needs: Needs { least: 20, of: "calls of one endpoint", seen: calls_of_the_endpoint },
    nature: Nature { of_many_calls: true, ..Nature::USUAL },
    judges: |call| call.endpoint.is_some(),
    concerns: |call| {
        asked_size(call).is_some() || call.observation.exchange.latency().is_some_and(|nanos| nanos >= SLOW)
    },
    state: StateKind::of::<ResourceConsumption>(),
};

const SLOW: u64 = 400_000_000;

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct ResourceConsumption {
    /// Calls that named a page size, and the largest of them that was usual.
    sized: u64,
    largest: u64,
    told: Told,
    /// Who was slow lately, and how often.
    slow: u64,
    count: u64,
    told_slow: u64,
}

impl Detector for ResourceConsumption {
    fn lessons(self) -> Option<Self> {
        Some(Self { told: Told::default(), told_slow: 0, ..self })
    }

    fn judge(&mut self, case: &Case<'_>, out: &mut Vec<Finding>) {
        if let Some(asked) = asked_size(case.call) {
            self.size(case, asked, out);
        }
        self.latency(case, out);
    }
}

impl ResourceConsumption {
    fn size(&mut self, case: &Case<'_>, asked: u64, out: &mut Vec<Finding>) {
        let calls = case.endpoint.map_or(0, |endpoint| endpoint.calls);
        let is_large =
            asked >= 1_000 && asked >= self.largest.saturating_mul(10) && (self.sized >= 10 || calls >= 20);
        if !is_large {
            self.sized += 1;
            self.largest = self.largest.max(asked);
            return;
        }
        let given = rows(case.call);
        let (severity, outcome) = self.weigh(case, given);
        let who = case.call.principal.map_or(0, |principal| short(principal.token));
        let much = outcome.rank() * 20 + u8::try_from(asked.ilog10()).unwrap_or(0);
        if !self.told.rises(who, much, case.call.observation.exchange.started()) {
            return;
        }
        let given = given.map_or_else(String::new, |rows| format!(", and {} came", times(rows, "element")));
        let reason = format!(
            "A page of {asked} elements of {} was asked for{given}; the largest of {} before was {}.",
            template(case.call),
            times(self.sized, "call"),
            self.largest,
        );
        out.push(case.finding(b"size", severity, outcome, 75, reason));
    }

    /// What is asked for costs nothing; what is given does.
    fn weigh(&self, case: &Case<'_>, given: Option<u64>) -> (Severity, Outcome) {
        let usual = self.largest.max(50);
        match (status(case.call), given) {
            (Some(200..=299), Some(rows)) if rows >= usual.saturating_mul(2) => {
                (Severity::Medium, Outcome::Confirmed)
            }
            (Some(200..=299), Some(_)) => (Severity::Low, Outcome::NoEffect),
            (Some(400..=499), _) => (Severity::Low, Outcome::Blocked),
            _ => (Severity::Low, Outcome::Attempted),
        }
    }

    fn latency(&mut self, case: &Case<'_>, out: &mut Vec<Finding>) {
        let Some(nanos) = case.call.observation.exchange.latency() else {
            return;
        };
        let usual = case
            .endpoint
            .filter(|endpoint| endpoint.calls >= 5)
            .and_then(|endpoint| endpoint.usage.latency.quantiles());
        let Some(usual) = usual else { return };
        let failed = matches!(status(case.call), Some(500..=599));
        let slow = !failed && nanos >= SLOW && nanos / 1_000 >= usual.p50.saturating_mul(20);
        if !slow {
            return;
        }
        let who = case.call.principal.map_or(0, |principal| short(principal.token));
        self.count = if self.slow == who { self.count + 1 } else { 1 };
        self.slow = who;
        if self.count < 3 || self.told_slow == who {
            return;
        }
        self.told_slow = who;
        let reason = format!(
            "{} of one caller to {} took {} ms and more each; half of all calls there take less than {} ms.",
            times(self.count, "call"),
            template(case.call),
            SLOW / 1_000_000,
            (usual.p50 / 1_000).max(1),
        );
        out.push(case.finding(b"slow", Severity::Medium, Outcome::Confirmed, 70, reason));
    }
}

/// Elements of the longest list in the answer.
fn rows(call: &Call) -> Option<u64> {
    let list = call.observation.response_payload.list.as_deref()?;
    let arrays = list.fields().iter().filter(|field| !field.items.is_empty());
    arrays.map(|field| u64::from(field.items.most)).max()
}

/// The page size that a query names.
fn asked_size(call: &Call) -> Option<u64> {
    const NAMES: &[&[u8]] = &[
        b"limit",
        b"size",
        b"per_page",
        b"perpage",
        b"page_size",
        b"pagesize",
        b"take",
        b"top",
        b"$top",
        b"first",
        b"max_results",
        b"maxresults",
        b"rows",
    ];
    let list = call.observation.request_fields.as_deref()?;
    let sized = list.fields().iter().find(|field| {
        field.step == Step::Query
            && field.formats.has(Format::Number)
            && NAMES.iter().any(|name| name.eq_ignore_ascii_case(list.name(field)))
    })?;
    let most = sized.numbers.most;
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a float that is too large becomes the largest number"
    )]
    (most >= 1.0).then_some(most as u64)
}
