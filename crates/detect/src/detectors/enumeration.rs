//! Walks through identifiers: one after the other, or very many.

use crate::detector::{Case, Detector, DetectorInfo, Scope, StateKind};
use crate::facts::{is_denied, is_missing, is_ok, is_person, place, template};
use crate::tally::{Distinct, Steps, Stretch, times};
use crate::{Finding, Outcome, Severity};
use tapwire_inventory::{AgentFamily, Owned};

pub(super) const INFO: DetectorInfo = DetectorInfo {
    name: "enumeration",
    title: "Identifiers are tried one after the other (enumeration)",
    summary: "A person's session, or a client without a name, asked for many different objects of one endpoint, in the order of their \
              numbers: 40 in a row, each one to ten above the last, within an hour. Programs with an API key or a certificate are \
              not judged: partners walk through lists. What is the caller's own does not count.",
    owasp: "API1:2023 Broken Object Level Authorization",
    cwe: "CWE-340",
    attack: ("T1119", "Automated Collection"),
    severity: "High when objects were given out to a named caller, Medium to nobody known (scraping), Low when none was",
    scope: Scope::Principal,
    warm_up: "none: 40 in a row",
    next_steps: &[
        "Use identifiers that cannot be guessed, and check who may see each object.",
        "Limit how many objects one caller reads in an hour.",
    ],
    unjudged: "no call named an object by a number",
    judges: |call| call.relations.number.is_some(),
    concerns: |call| {
        let own =
            call.relations.object.is_some_and(|object| matches!(object.owned, Owned::Own | Owned::Usual));
        call.relations.number.is_some() && !own && super::walks(call)
    },
    state: StateKind::of::<Enumeration>(),
};

const ENOUGH: u64 = 40;
const PLACES: usize = 3;
const QUIET: i64 = 600;
const HOUR: i64 = 3_600;

/// Walks of one caller.
#[derive(Default, serde::Serialize, serde::Deserialize)]
struct Enumeration {
    walks: Vec<Walk>,
}

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct Walk {
    place: u64,
    last: u64,
    in_a_row: u64,
    given: u64,
    seen: Distinct,
    steps: Steps,
    stretch: Stretch,
}

impl Detector for Enumeration {
    fn judge(&mut self, case: &Case<'_>, out: &mut Vec<Finding>) {
        let Some(number) = case.call.relations.number else { return };
        let place = place(case.call);
        let at = match self.walks.iter().position(|walk| walk.place == place) {
            Some(at) => at,
            None => {
                if self.walks.len() >= PLACES {
                    self.walks.remove(0);
                }
                self.walks.push(Walk { place, ..Walk::default() });
                self.walks.len() - 1
            }
        };
        let Some(walk) = self.walks.get_mut(at) else { return };
        if walk.stretch.begins(case.call.observation.exchange.started(), QUIET, HOUR) {
            *walk = Walk { place, stretch: walk.stretch, steps: walk.steps, ..Walk::default() };
        }
        let step = number.wrapping_sub(walk.last);
        if (1..=10).contains(&step) && walk.seen.add(number) {
            walk.in_a_row += 1;
        } else if step != 0 && walk.in_a_row < ENOUGH {
            walk.in_a_row = 0;
        }
        walk.last = number;
        walk.given += u64::from(is_ok(case.call));
        // A crawler that says so, or takes its time, reads what is meant to be read.
        let is_slow = walk.in_a_row < 20 * (walk.stretch.seconds() / 60).max(1) as u64;
        let is_bot = case.call.caller.from.is_some_and(|from| from.agent == AgentFamily::Bot as u8);
        if !is_person(case.call) && (is_slow || is_bot) {
            return;
        }
        if !walk.steps.reaches(walk.in_a_row, ENOUGH) {
            return;
        }
        let (severity, outcome, what) = match (walk.given * 2 > walk.in_a_row, is_person(case.call)) {
            (true, true) => (Severity::High, Outcome::Confirmed, "most were given out to one caller"),
            (true, false) => (
                Severity::Medium,
                Outcome::Confirmed,
                "most were given out to a client without a name (scraping)",
            ),
            (false, _) if is_denied(case.call) => (Severity::Low, Outcome::Blocked, "most were refused"),
            (false, _) => (
                Severity::Low,
                if is_missing(case.call) { Outcome::Confirmed } else { Outcome::Attempted },
                "most do not exist (guessing)",
            ),
        };
        let reason = format!(
            "{} of {} were asked for in rising order within {}; {what}. Expected: callers that ask for their own.",
            times(walk.in_a_row, "object"),
            template(case.call),
            walk.stretch.words(),
        );
        out.push(case.finding(&place.to_le_bytes(), severity, outcome, 80, reason));
    }
}
