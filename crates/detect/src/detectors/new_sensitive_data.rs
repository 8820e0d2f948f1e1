//! Sensitive data that an endpoint did not give before.

use crate::detector::{Case, Detector, DetectorInfo, Nature, Needs, Scope, StateKind};
use crate::facts::{calls_of_the_endpoint, is_ok, short, template};
use crate::tally::AtLeast;
use crate::{Finding, Outcome, Severity};
use tapwire_inspect::Mark;
use tapwire_inspect::classes::Sensitivity;
use tapwire_inventory::Call;

pub(super) const INFO: DetectorInfo = DetectorInfo {
    name: "new-sensitive-data",
    title: "An endpoint's answers have sensitive data that they did not have before (excessive data exposure)",
    summary: "Answers of an endpoint that is known for a day and for 200 calls have data of a class such as card numbers, national ids, health data or \
              passwords, which none of them had before; at least three answers, to two callers where there are so many. Nobody attacks: a \
              change gives away more than it should.",
    owasp: "API3:2023 Broken Object Property Level Authorization",
    cwe: "CWE-213",
    attack: ("T1213", "Data from Information Repositories"),
    severity: "High: it is answered to who asks as ever",
    scope: Scope::Endpoint,
    warm_up: "200 calls of the endpoint and 24 hours without that class",
    next_steps: &[
        "Leave the field out of the answer, or mask it, unless its callers need it.",
        "Look who read it meanwhile.",
    ],
    unjudged: "no endpoint was known for a day and 200 calls",
    needs: Needs { least: 200, of: "calls of one endpoint", seen: calls_of_the_endpoint },
    nature: Nature { of_the_service: true, ..Nature::USUAL },
    judges: |call| call.observation.response_payload.list.is_some(),
    concerns: |call| is_ok(call) && has_sensitive(call),
    state: StateKind::of::<NewSensitiveData>(),
};

const CALLS: u64 = 200;
const DAY: i64 = 86_400;
/// Answers that show that it is no accident.
const HITS: u32 = 3;
/// Classes that are kept of an endpoint.
const MOST: usize = 24;

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct NewSensitiveData {
    classes: Vec<Class>,
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Class {
    name: u64,
    /// Whether it came when the endpoint was well known.
    is_new: bool,
    hits: u32,
    callers: AtLeast,
}

fn has_sensitive(call: &Call) -> bool {
    let marks = call.observation.marks;
    marks.contains(Mark::AnswerSensitive)
        || marks.contains(Mark::AnswerPassword)
        || marks.contains(Mark::AnswerKey)
}

impl Detector for NewSensitiveData {
    fn lessons(self) -> Option<Self> {
        Some(Self { classes: self.classes.into_iter().filter(|class| !class.is_new).collect() })
    }

    fn judge(&mut self, case: &Case<'_>, out: &mut Vec<Finding>) {
        let Some(endpoint) = case.endpoint else { return };
        let age = case.call.observation.exchange.started().since(endpoint.first_seen) / 1_000_000_000;
        let is_known = endpoint.calls >= CALLS && age >= DAY;
        let who = case.call.principal.map_or(0, |principal| short(principal.token));
        for found in case.call.observation.data_classes().filter(|found| !found.in_request) {
            let Some(class) = found.class.builtin().filter(|class| class.sensitivity >= Sensitivity::High)
            else {
                continue;
            };
            let name = class
                .name
                .bytes()
                .fold(5, |hash: u64, byte| hash.wrapping_mul(131).wrapping_add(u64::from(byte)));
            let Some(known) = self.class(name, is_known) else { continue };
            known.hits = known.hits.saturating_add(1);
            known.callers.add(who);
            if known.is_new && known.hits == HITS {
                let reason = format!(
                    "{} answered with data of the class {} in {HITS} answers to at least {} caller(s); none of the {} calls before had it.",
                    template(case.call),
                    class.name,
                    known.callers.get(),
                    endpoint.calls.saturating_sub(u64::from(HITS)),
                );
                out.push(case.finding(class.name.as_bytes(), Severity::High, Outcome::Confirmed, 75, reason));
            }
        }
    }
}

impl NewSensitiveData {
    fn class(&mut self, name: u64, is_new: bool) -> Option<&mut Class> {
        if !self.classes.iter().any(|known| known.name == name) && self.classes.len() < MOST {
            self.classes.push(Class { name, is_new, hits: 0, callers: AtLeast::default() });
        }
        self.classes.iter_mut().find(|known| known.name == name)
    }
}
