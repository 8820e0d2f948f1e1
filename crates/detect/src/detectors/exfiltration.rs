//! Who carries away far more than its peers.

use crate::detector::{Case, Detector, DetectorInfo, Needs, Scope, StateKind};
use crate::facts::{is_person, template};
use crate::tally::Steps;
use crate::{Finding, Outcome, Severity};
use tapwire_inventory::{AgentFamily, Call};

pub(super) const INFO: DetectorInfo = DetectorInfo {
    name: "exfiltration",
    title: "A caller is given far more records than its peers (exfiltration, insider)",
    summary: "Lists gave one person's account more records of a service within a day than four times what any other caller of its roles was given in a \
              day, and a thousand at least. It may see each of them; nobody needs all. Programs with a key or a certificate are not judged.",
    owasp: "API6:2023 Unrestricted Access to Sensitive Business Flows",
    cwe: "CWE-770",
    attack: ("T1530", "Data from Cloud Storage"),
    severity: "High: the records were given out",
    scope: Scope::Principal,
    warm_up: "3 other callers of its roles that were given lists",
    next_steps: &[
        "Ask what the records were needed for.",
        "Limit how many records an account may read in a day, and how large a page is.",
    ],
    unjudged: "no person's account was given a list whose peers were given any",
    needs: Needs {
        least: PEERS as u64,
        of: "other callers of a role that were given lists",
        seen: |call, _| call.relations.usual.peers.into(),
    },
    judges: |call| is_person(call) && call.relations.usual.records > 0,
    concerns: |call| is_person(call) && is_far_more(call),
    state: StateKind::of::<Exfiltration>(),
};

const PEERS: u32 = 3;
const RECORDS: u32 = 1_000;
const TIMES: u32 = 4;
const DAY: i64 = 86_400;

fn is_far_more(call: &Call) -> bool {
    let usual = &call.relations.usual;
    let is_bot = call.caller.from.is_some_and(|from| from.agent == AgentFamily::Bot as u8);
    usual.records >= RECORDS
        && usual.peers >= PEERS
        && usual.records > usual.peers_records.saturating_mul(TIMES)
        && !is_bot
}

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct Exfiltration {
    day: i64,
    steps: Steps,
}

impl Detector for Exfiltration {
    fn judge(&mut self, case: &Case<'_>, out: &mut Vec<Finding>) {
        let usual = case.call.relations.usual;
        let day = case.call.observation.exchange.started().nanos() / 1_000_000_000 / DAY;
        if day != self.day {
            *self = Self { day, ..Self::default() };
        }
        if !self.steps.reaches(usual.records.into(), RECORDS.into()) {
            return;
        }
        let reason = format!(
            "{} records were given to one caller by lists of a service today, the last by {}; the most that another of its roles had in a day is {} (of {} peers and more).",
            usual.records,
            template(case.call),
            usual.peers_records,
            usual.peers,
        );
        out.push(case.finding(b"", Severity::High, Outcome::Confirmed, 70, reason));
    }
}
