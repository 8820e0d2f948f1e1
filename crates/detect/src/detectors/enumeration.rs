//! Walks through identifiers: one after the other, or very many.

use crate::detector::{Case, Detector, DetectorInfo, Nature, Needs, Scope, StateKind};
use crate::facts::{hash, is_person, method_is, place, template};
use crate::refusal::{Refusal, is_given, refusal};
use crate::tally::{Distinct, Steps, Stretch, times};
use crate::{Finding, Outcome, Severity};
use tapwire_inventory::{AgentFamily, Call, Owned};

pub(super) const INFO: DetectorInfo = DetectorInfo {
    name: "enumeration",
    title: "Identifiers are tried one after the other (enumeration)",
    summary: "A person's session, or a client without a name, asked for many different objects of one endpoint, in the order of their \
              numbers, in the path or in a variable of GraphQL: 40 in a row, each at most ten from the last, within a day; of a client without a name that says that it is a browser and takes its \
              time, 80; of one that says that it is a crawler, where most do not exist or are refused, since crawlers follow links. Programs with an API key or a certificate are \
              not judged: partners walk through lists. What is the caller's own does not count, nor do the \
              parts of one thing that are numbered from its beginning.",
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
    needs: Needs::NOTHING,
    nature: Nature { of_many_calls: true, ..Nature::USUAL },
    judges: |call| number(call).is_some(),
    concerns: |call| {
        let own =
            call.relations.object.is_some_and(|object| matches!(object.owned, Owned::Own | Owned::Usual));
        number(call).is_some() && !own && super::walks(call)
    },
    state: StateKind::of::<Enumeration>(),
};

const ENOUGH: u64 = 40;
/// Of a program that says that it is a browser, and takes its time.
const SLOWLY: u64 = 80;
const BROWSERS: &[AgentFamily] =
    &[AgentFamily::Edge, AgentFamily::Chrome, AgentFamily::Firefox, AgentFamily::Safari];
const PLACES: usize = 3;
/// Numbers that far from the last are next to it: tools ask for several at once, and some walk down.
const NEAR: u64 = 10;
/// Calls in between that belong to no walk, after which one is over.
const STRAY: u8 = 3;
const QUIET: i64 = 3_600;
const DAY: i64 = 86_400;

/// Walks of one caller.
#[derive(Default, serde::Serialize, serde::Deserialize)]
struct Enumeration {
    walks: Vec<Walk>,
}

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct Walk {
    place: u64,
    stretch: Stretch,
    now: Row,
}

/// Numbers that are next to each other.
#[derive(Default, serde::Serialize, serde::Deserialize)]
struct Row {
    last: u64,
    in_a_row: u64,
    stray: u8,
    given: u64,
    seen: Distinct,
    steps: Steps,
}

/// What a call names by a number: in its path, or in a variable of GraphQL.
fn number(call: &Call) -> Option<u64> {
    call.relations.number.or(call.relations.variable)
}

/// What a payload calls, as a number: objects of one operation are of one kind.
fn operation(call: &Call) -> u64 {
    call.observation.operation().map_or(0, |operation| hash(operation.name.as_str().bytes()))
}

/// Whether what a path names last belongs to something that it names before: a part of an upload, a page of a book. The numbers of
/// such begin anew in each.
fn is_part(call: &Call) -> bool {
    template(call).split('/').filter(|segment| segment.starts_with('{')).count() > 1
}

impl Row {
    /// Hears of a number: whether it is a new one in the row.
    fn hear(&mut self, number: u64, given: bool) {
        let near = number != self.last && number.abs_diff(self.last) <= NEAR;
        if near && self.seen.add(number) {
            self.in_a_row += 1;
            self.given += u64::from(given);
            self.stray = 0;
        } else if number != self.last && !near {
            self.stray += 1;
            if self.stray >= STRAY && self.in_a_row < ENOUGH {
                *self = Self { last: number, ..Self::default() };
                return;
            }
            // What strays does not lead the row away.
            if self.stray < STRAY && self.in_a_row >= STRAY.into() {
                return;
            }
        }
        self.last = number;
    }
}

impl Detector for Enumeration {
    fn judge(&mut self, case: &Case<'_>, out: &mut Vec<Finding>) {
        let Some(number) = number(case.call) else { return };
        let place = place(case.call) ^ operation(case.call);
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
        let Some(Walk { stretch, now: walk, .. }) = self.walks.get_mut(at) else { return };
        stretch.renew(walk, case.call.observation.exchange.started(), QUIET, DAY);
        walk.hear(number, is_given(case.call));
        let agent = case.call.caller.from.map(|from| from.agent);
        let is_slow = walk.in_a_row < 20 * (stretch.seconds() / 60).max(1) as u64;
        // A crawler that says so, or takes its time, reads what is meant to be read; people do not read in order. A crawler
        // follows links: it does not ask for rows of what is not there, or refused, whatever it says it is.
        let tolerated = match agent {
            Some(agent) if agent == AgentFamily::Bot as u8 => walk.given * 2 > walk.in_a_row,
            Some(agent) if BROWSERS.iter().any(|known| agent == *known as u8) => {
                is_slow && walk.in_a_row < SLOWLY
            }
            _ => is_slow,
        };
        // Who puts the first, the second and so on makes them.
        let makes = method_is(case.call, &[b"PUT"]);
        let parts = (is_part(case.call) || makes) && number <= walk.in_a_row + NEAR;
        if parts || !is_person(case.call) && tolerated || !walk.steps.reaches(walk.in_a_row, ENOUGH) {
            return;
        }
        let (severity, outcome, what) = match (walk.given * 2 > walk.in_a_row, is_person(case.call)) {
            (true, true) => (Severity::High, Outcome::Confirmed, "most were given out to one caller"),
            (true, false) => (
                Severity::Medium,
                Outcome::Confirmed,
                "most were given out to a client without a name (scraping)",
            ),
            (false, _) if refusal(case.call) == Some(Refusal::Denied) => {
                (Severity::Low, Outcome::Blocked, "most were refused")
            }
            (false, _) => (Severity::Low, Outcome::Attempted, "most do not exist (guessing)"),
        };
        let reason = format!(
            "{} of {} were asked for one next to the other within {}; {what}. Expected: callers that ask for their own.",
            times(walk.in_a_row, "object"),
            template(case.call),
            stretch.words(),
        );
        out.push(case.finding(&place.to_le_bytes(), severity, outcome, 80, reason));
    }
}
