//! Far more than peers do: slow scraping, and insiders who take data out.

use crate::detector::{Case, Detector, DetectorInfo, Nature, Needs, Scope, StateKind};
use crate::facts::{is_named, template};
use crate::tally::times;
use crate::{Finding, Outcome, Severity};
use tapwire_inventory::{ENOUGH_PEERS, Measure};

pub(super) const INFO: DetectorInfo = DetectorInfo {
    name: "unusual-usage",
    title: "A caller takes far more than its peers do (scraping, exfiltration by insiders)",
    summary: "Within one hour a caller made far more calls to an endpoint than callers of its role do there, or asked for far more different objects, \
              got far more bytes or records with sensitive data, or failed far more often: four times what 99 of 100 hours of peers have, and \
              for ten minutes or eight times as much. Where many callers change on the same day, or a quarter of those of an hour get answers \
              that hold more than before, it is drift, as by a release, and no finding. Such findings are told within a budget a day (detect.behaviour_findings_a_day).",
    owasp: "API6:2023 Unrestricted Access to Sensitive Business Flows",
    cwe: "CWE-799",
    attack: ("T1119", "Automated Collection"),
    severity: "High where records with sensitive data or different objects are far more, else Medium",
    scope: Scope::Principal,
    warm_up: "200 callers of the role at the endpoint, and 200 hours of theirs",
    next_steps: &[
        "Ask whose account it is, and what it is for: a new program of a partner looks the same.",
        "Limit what one caller may read in an hour: tapwire quotas suggests a limit.",
    ],
    unjudged: "no named caller called an endpoint",
    needs: Needs {
        least: ENOUGH_PEERS,
        of: "peers of a caller at one endpoint",
        seen: |call, _| call.standing.peers.into(),
    },
    nature: Nature { of_many_calls: true, is_behaviour: true, ..Nature::USUAL },
    judges: |call| call.endpoint.is_some() && is_named(call),
    concerns: |call| call.standing.unusual.is_some(),
    state: StateKind::of::<UnusualUsage>(),
};

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct UnusualUsage {
    /// Unusual hours that were told of the caller.
    told: u64,
}

impl Detector for UnusualUsage {
    fn judge(&mut self, case: &Case<'_>, out: &mut Vec<Finding>) {
        let Some(unusual) = case.call.standing.unusual else { return };
        self.told += 1;
        let severity = match unusual.measure {
            Measure::Sensitive | Measure::Objects => Severity::High,
            _ => Severity::Medium,
        };
        let reason = format!(
            "{} {} of one caller at {} within {} min of an hour; 99 of 100 hours of its about {} peers there had at most {} (n = {}, {} had as \
             many, p = {:.4}).",
            unusual.seen,
            unusual.measure.name(),
            template(case.call),
            unusual.minutes.max(1),
            unusual.peers,
            unusual.usual,
            times(unusual.hours.into(), "hour"),
            unusual.above,
            unusual.p(),
        );
        out.push(case.finding(&[unusual.measure as u8], severity, Outcome::Likely, 70, reason));
    }
}
