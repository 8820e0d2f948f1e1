//! Many names from one address: stuffing, spraying, and finding out which names exist.

use crate::detector::{Case, Detector, DetectorInfo, Needs, Scope, StateKind};
use crate::facts::{place, short};
use crate::tally::{Distinct, Steps, Stretch, times};
use crate::{Finding, Outcome, Severity};
use tapwire_inventory::{Login, Tried};

pub(super) const INFO: DetectorInfo = DetectorInfo {
    name: "credential-stuffing",
    title: "Logins with many names fail from one address (stuffing, spraying, enumeration of names)",
    summary: "From one address logins with many different names failed, and few succeeded. With a password for each name they are stolen \
              ones (stuffing); with one or a few passwords for all, common ones are tried (spraying); and where answers to names that \
              exist differ from others, it may be names that are asked for. Offices behind one address log in with success as a rule.",
    owasp: "API2:2023 Broken Authentication",
    cwe: "CWE-307",
    attack: ("T1110.004", "Credential Stuffing"),
    severity: "Medium; Critical when one of the logins succeeded",
    scope: Scope::Address,
    warm_up: "none: 10 names that did not get in afterwards, seven in ten of the logins failed",
    next_steps: &[
        "Limit logins by address and by fingerprint, and ask for a second factor.",
        "Where one succeeded: end that account's sessions and have its password changed.",
        "Answer a wrong name and a wrong password alike.",
    ],
    unjudged: "no login was seen",
    needs: Needs::NOTHING,
    judges: |call| call.relations.login.is_some(),
    concerns: |call| call.relations.login.is_some_and(|login| login.user.is_some()),
    state: StateKind::of::<CredentialStuffing>(),
};

const ENOUGH: u64 = 10;
/// Places of which it is known that logins failed there.
const PLACES: usize = 8;

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct CredentialStuffing {
    names: Distinct,
    passwords: Distinct,
    answers: Distinct,
    /// Names that failed and got in afterwards.
    known: Distinct,
    failed: u64,
    succeeded: u64,
    steps: Steps,
    taken: bool,
    /// Where logins failed, the first ones.
    places: Vec<u64>,
    stretch: Stretch,
}

impl Detector for CredentialStuffing {
    const VERSION: u32 = 1;

    fn judge(&mut self, case: &Case<'_>, out: &mut Vec<Finding>) {
        let Some(login) = case.call.relations.login else { return };
        if self.stretch.begins(case.call.observation.exchange.started(), 1_800, 7_200) {
            *self = Self { stretch: self.stretch, ..Self::default() };
        }
        let name = login.user.map_or(0, short);
        let mut stranger = false;
        match login.result {
            // Who mistyped and then got in is the same person.
            Tried::Succeeded => {
                // What is logged in to elsewhere is no part of it.
                stranger = !self.names.has(name) && self.places.contains(&place(case.call));
                self.succeeded += u64::from(stranger);
                if self.names.has(name) {
                    self.known.add(name);
                }
            }
            Tried::Failed => {
                let place = place(case.call);
                if self.places.len() < PLACES && !self.places.contains(&place) {
                    self.places.push(place);
                }
                self.failed(&login, name);
            }
            Tried::Unknown => return,
        }
        let names = self.names.len().saturating_sub(self.known.len()) as u64;
        if self.failed * 10 < (self.failed + self.succeeded) * 7 {
            return;
        }
        let taken = stranger && names >= ENOUGH && !self.taken;
        // It is told of a login that failed, or of one that was taken: others log in beside it.
        if !taken && (login.result == Tried::Succeeded || !self.steps.reaches(names, ENOUGH)) {
            return;
        }
        self.taken |= taken;
        let passwords = self.passwords.len() as u64;
        // Without passwords that can be compared nothing tells spraying from stuffing.
        let kind = match (passwords > 0, passwords * 5 <= names, self.answers.len() >= 2) {
            (true, true, true) => {
                "few passwords for many names, and different answers to a wrong login: they may tell which names exist (spraying, enumeration of names)"
            }
            (true, true, false) => "few passwords for many names (spraying)",
            (true, false, _) => "a password for each name (stuffing)",
            (false, ..) => "passwords were not seen",
        };
        // Two answers to a wrong login, one for names that exist, tell what was asked for; where each answer repeats the name there are
        // many.
        let tells = passwords > 0 && passwords * 5 <= names && self.answers.len() == 2;
        let (severity, outcome) = match (taken, tells) {
            (true, _) => (Severity::Critical, Outcome::Confirmed),
            (false, true) => (Severity::Medium, Outcome::Likely),
            (false, false) => (Severity::Medium, Outcome::Attempted),
        };
        let reason = format!(
            "{} of {} from one address within {}, {} of other names succeeded; {kind}.",
            times(self.failed, "failed login"),
            self.names.words("name"),
            self.stretch.words(),
            self.succeeded,
        );
        out.push(case.finding(&[u8::from(taken)], severity, outcome, 85, reason));
    }
}

impl CredentialStuffing {
    fn failed(&mut self, login: &Login, name: u64) {
        self.failed += 1;
        self.names.add(name);
        if let Some(password) = login.password {
            self.passwords.add(short(password));
        }
        self.answers.add(login.answer);
    }
}
