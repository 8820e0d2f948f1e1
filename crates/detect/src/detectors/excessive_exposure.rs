//! Answers that give away secrets or everybody's data.

use crate::detector::{Case, Detector, DetectorInfo, Nature, Needs, Scope, StateKind};
use crate::facts::{Words, has_word, is_ok, template};
use crate::tally::times;
use crate::{Finding, Outcome, Severity};
use tapwire_inspect::Mark;
use tapwire_inspect::classes::ClassKind;
use tapwire_inventory::Call;

pub(super) const INFO: DetectorInfo = DetectorInfo {
    name: "excessive-exposure",
    title: "An answer gives away secrets or many persons' data (excessive data exposure)",
    summary: "An answer held passwords, keys or other secrets of several persons; or data of many persons went to a caller without a name, from an \
              endpoint that tells by its path that it is no public one. Whoever asks gets what nobody should. What a login hands out, and \
              what one caller reads of itself, is no finding.",
    owasp: "API3:2023 Broken Object Property Level Authorization",
    cwe: "CWE-213",
    attack: ("T1552", "Unsecured Credentials"),
    severity: "Critical for secrets that went to a caller without credentials, else High",
    scope: Scope::Endpoint,
    warm_up: "none: two secrets in one answer, or ten persons' data",
    next_steps: &[
        "Remove the endpoint, or the fields, from what is reachable.",
        "Change the secrets that were given out.",
    ],
    unjudged: "no answer with a body was read",
    needs: Needs::NOTHING,
    nature: Nature { of_the_service: true, ..Nature::USUAL },
    judges: |call| call.observation.response_payload.list.is_some(),
    concerns: |call| is_ok(call) && gives_away(call),
    state: StateKind::of::<ExcessiveExposure>(),
};

const DEBUG: Words = Words::of(&[
    "debug", "_debug", "actuator", "env", "heapdump", "dump", "trace", "backup", "test", "dev", "phpinfo",
    "status", "config",
]);

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct ExcessiveExposure {
    /// Told, by whether the caller showed credentials.
    told: [bool; 2],
}

fn gives_away(call: &Call) -> bool {
    let marks = call.observation.marks;
    let hands_out = call.observation.issuance.as_ref().is_some_and(|issuance| !issuance.issued.is_empty());
    let secret = marks.contains(Mark::AnswerPassword) || marks.contains(Mark::AnswerKey);
    let bare = call.observation.credentials.is_empty()
        && marks.contains(Mark::AnswerPersonal)
        && has_word(call, &DEBUG);
    !hands_out && (secret || bare)
}

impl Detector for ExcessiveExposure {
    fn judge(&mut self, case: &Case<'_>, out: &mut Vec<Finding>) {
        let bare = case.call.observation.credentials.is_empty();
        let answers = case.call.observation.data_classes().filter(|found| !found.in_request);
        let (mut secrets, mut persons) = (0_u64, 0_u64);
        for found in answers {
            let count = u64::from(found.count);
            match found.class.builtin().map(|class| class.kind) {
                Some(ClassKind::Secret) => secrets += count,
                Some(ClassKind::Personal) => persons = persons.max(count),
                _ => {}
            }
        }
        let is_debug = bare && persons >= 10;
        let Some(told) = self.told.get_mut(usize::from(bare)) else { return };
        if *told || secrets < 2 && !is_debug {
            return;
        }
        *told = true;
        let severity = if bare && secrets > 0 { Severity::Critical } else { Severity::High };
        let what = if secrets > 0 {
            times(secrets, "secret")
        } else {
            format!("data of {}", times(persons, "person"))
        };
        let reason = format!(
            "{} answered with {what} to a caller {} credentials; expected none.",
            template(case.call),
            if bare { "without" } else { "with" },
        );
        out.push(case.finding(&[u8::from(bare)], severity, Outcome::Confirmed, 80, reason));
    }
}
