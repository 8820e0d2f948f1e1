//! Who asks which names have an account.

use crate::detector::{Case, Detector, DetectorInfo, Nature, Needs, Scope, StateKind};
use crate::facts::{Words, has_word, is_ok, status, template};
use crate::tally::{Distinct, Steps, Stretch, times};
use crate::{Finding, Outcome, Severity};
use tapwire_inspect::fields::Step;
use tapwire_inventory::{Call, Tried};

pub(super) const INFO: DetectorInfo = DetectorInfo {
    name: "user-enumeration",
    title: "Names are tried where passwords are reset (enumeration of users)",
    summary: "From one address, without credentials, many different names or mail addresses were asked for where a password is reset or where it is told whether \
              a name is free. Answers that differ tell which of them have an account. People ask for one, seldom for two; whoever then logs in \
              with the name from there asked for its own.",
    owasp: "API2:2023 Broken Authentication",
    cwe: "CWE-204",
    attack: ("T1087", "Account Discovery"),
    severity: "Medium when answers differ, else Low",
    scope: Scope::Address,
    warm_up: "none: 15 different names within a day; 40 where two in three are answered, but where every answer tells whether a name is there",
    next_steps: &[
        "Answer a name that exists and one that does not alike.",
        "Limit how many names one address may ask for.",
    ],
    unjudged: "no name was asked for where passwords are reset",
    needs: Needs::NOTHING,
    nature: Nature { of_many_calls: true, ..Nature::USUAL },
    judges: asks,
    concerns: |call| asks(call) || logs_in(call),
    state: StateKind::of::<UserEnumeration>(),
};

/// Words of paths where a name is asked for and nothing else is shown.
const WORDS: Words = Words::of(&[
    "reset",
    "forgot",
    "forgotten",
    "recover",
    "recovery",
    "exists",
    "available",
    "availability",
    "resend",
]);
/// Those of them whose answers tell it with 200.
const TELLING: Words = Words::of(&["exists", "available", "availability"]);
const ENOUGH: u64 = 15;
const MANY: u64 = 40;
/// Names that are remembered until somebody logs in with them.
const KEPT: usize = 64;
const DAY: i64 = 86_400;

pub(super) fn asks(call: &Call) -> bool {
    call.observation.credentials.is_empty() && has_word(call, &WORDS) && name(call).is_some()
}

/// Whether somebody logs in with a name.
fn logs_in(call: &Call) -> bool {
    call.relations.login.is_some_and(|login| login.result == Tried::Succeeded && login.tries == 1)
}

/// A hash of what it asks for, or logs in with.
pub(super) fn name(call: &Call) -> Option<u64> {
    let body = call.observation.request_payload.list.as_deref();
    let head = call.observation.request_fields.as_deref();
    let in_head = head.into_iter().flat_map(|list| list.ids().iter().map(move |id| (list, id)));
    let in_query =
        in_head.filter(|(list, id)| list.get(id.field).is_some_and(|field| field.step == Step::Query));
    let in_body = body.into_iter().flat_map(|list| list.ids().iter().map(move |id| (list, id)));
    in_body.chain(in_query).next().map(|(_, id)| id.hash)
}

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct UserEnumeration {
    counted: Counted,
    stretch: Stretch,
}

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct Counted {
    names: Distinct,
    /// Those of them that nobody logged in with from there since: the last ones, and how many came before these.
    strange: Vec<u64>,
    before: u64,
    /// How often somebody did.
    own: u64,
    calls: u64,
    given: u64,
    refused: u64,
    limited: u64,
    steps: Steps,
}

impl Counted {
    fn asks(&mut self, name: u64) {
        if self.strange.contains(&name) {
            return;
        }
        if self.strange.len() >= KEPT {
            self.strange.remove(0);
            self.before += 1;
        }
        self.strange.push(name);
    }

    fn logs_in(&mut self, name: u64) {
        let all = self.strange.len();
        self.strange.retain(|strange| *strange != name);
        self.own += (all - self.strange.len()) as u64;
    }
}

impl Detector for UserEnumeration {
    const VERSION: u32 = 1;

    fn judge(&mut self, case: &Case<'_>, out: &mut Vec<Finding>) {
        let Some(name) = name(case.call) else { return };
        if logs_in(case.call) {
            return self.counted.logs_in(name);
        }
        self.stretch.renew(&mut self.counted, case.call.observation.exchange.started(), DAY / 4, DAY);
        let counted = &mut self.counted;
        counted.calls += 1;
        counted.names.add(name);
        counted.asks(name);
        counted.given += u64::from(is_ok(case.call));
        counted.refused += u64::from(matches!(status(case.call), Some(400 | 404 | 409 | 422)));
        counted.limited += u64::from(matches!(status(case.call), Some(401 | 403 | 429)));
        // People know their own name: who is mostly answered may be an office after a mailing. Where it is asked whether a name is
        // there, any answer says so.
        let tells = has_word(case.call, &TELLING);
        let known = !tells && (counted.refused + counted.limited) * 3 < counted.calls;
        let enough = if known { MANY } else { ENOUGH };
        // Who has the link from the mail and logs in with the new password is no stranger.
        let names = counted.strange.len() as u64 + counted.before;
        if names < enough || !counted.steps.reaches(names, enough) {
            return;
        }
        let differ = counted.given > 0 && (counted.refused > 0 || tells);
        let (severity, outcome) = match () {
            () if differ => (Severity::Medium, Outcome::Confirmed),
            () if counted.limited * 2 > counted.calls => (Severity::Low, Outcome::Blocked),
            () => (Severity::Low, Outcome::Attempted),
        };
        let reason = format!(
            "{} asked for at {} by one address within {}, {} for whoever then logged in with it: {} answered, {} said not to be there, {} refused; people ask for one.",
            counted.names.words("different name"),
            template(case.call),
            self.stretch.words(),
            counted.own,
            times(counted.given, "call"),
            counted.refused,
            counted.limited,
        );
        out.push(case.finding(&[u8::from(differ)], severity, outcome, 75, reason));
    }

    fn begins(call: &Call) -> bool {
        asks(call)
    }
}
