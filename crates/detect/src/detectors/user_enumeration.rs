//! Who asks which names have an account.

use crate::detector::{Case, Detector, DetectorInfo, Needs, Scope, StateKind};
use crate::facts::{has_word, is_ok, status, template};
use crate::tally::{Distinct, Steps, Stretch, times};
use crate::{Finding, Outcome, Severity};
use tapwire_inspect::fields::Step;
use tapwire_inventory::Call;

pub(super) const INFO: DetectorInfo = DetectorInfo {
    name: "user-enumeration",
    title: "Names are tried where passwords are reset (enumeration of users)",
    summary: "From one address, without credentials, many different names or mail addresses were asked for where a password is reset or where it is told whether \
              a name is free. Answers that differ tell which of them have an account. People ask for one, seldom for two.",
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
    judges: asks,
    concerns: asks,
    state: StateKind::of::<UserEnumeration>(),
};

/// Words of paths where a name is asked for and nothing else is shown.
const WORDS: &[&str] =
    &["reset", "forgot", "forgotten", "recover", "recovery", "exists", "available", "availability", "resend"];
/// Those of them whose answers tell it with 200.
const TELLING: &[&str] = &["exists", "available", "availability"];
const ENOUGH: u64 = 15;
const MANY: u64 = 40;
const DAY: i64 = 86_400;

pub(super) fn asks(call: &Call) -> bool {
    call.observation.credentials.is_empty() && has_word(call, WORDS) && name(call).is_some()
}

/// A hash of what it asks for.
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
    calls: u64,
    given: u64,
    refused: u64,
    limited: u64,
    steps: Steps,
}

impl Detector for UserEnumeration {
    fn judge(&mut self, case: &Case<'_>, out: &mut Vec<Finding>) {
        let Some(name) = name(case.call) else { return };
        self.stretch.renew(&mut self.counted, case.call.observation.exchange.started(), DAY / 4, DAY);
        let counted = &mut self.counted;
        counted.calls += 1;
        counted.names.add(name);
        counted.given += u64::from(is_ok(case.call));
        counted.refused += u64::from(matches!(status(case.call), Some(400 | 404 | 409 | 422)));
        counted.limited += u64::from(matches!(status(case.call), Some(401 | 403 | 429)));
        // People know their own name: who is mostly answered may be an office after a mailing. Where it is asked whether a name is
        // there, any answer says so.
        let tells = has_word(case.call, TELLING);
        let known = !tells && (counted.refused + counted.limited) * 3 < counted.calls;
        let enough = if known { MANY } else { ENOUGH };
        let names = counted.names.len() as u64;
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
            "{} asked for at {} by one address within {}: {} answered, {} said not to be there, {} refused; people ask for one.",
            counted.names.words("different name"),
            template(case.call),
            self.stretch.words(),
            times(counted.given, "call"),
            counted.refused,
            counted.limited,
        );
        out.push(case.finding(&[u8::from(differ)], severity, outcome, 75, reason));
    }
}
