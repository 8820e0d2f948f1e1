//! Many passwords for one name.

use crate::detector::{Case, Detector, DetectorInfo, Nature, Needs, Scope, StateKind};
use crate::tally::{Distinct, Steps, Stretch, times};
use crate::{Finding, Outcome, Severity};
use tapwire_inventory::Tried;

pub(super) const INFO: DetectorInfo = DetectorInfo {
    name: "brute-force",
    title: "Passwords of one name are tried (brute force)",
    summary: "Many logins with one name failed, by the status or by what the body says, with different passwords; or one request tried many \
              logins at once, as batches and aliases of GraphQL allow. When one succeeds at last, the account is taken over.",
    owasp: "API2:2023 Broken Authentication",
    cwe: "CWE-307",
    attack: ("T1110.001", "Password Guessing"),
    severity: "Medium; Critical when a login succeeded after 10 failures",
    scope: Scope::Login,
    warm_up: "none: 10 failures within an hour; people give up after about five",
    next_steps: &[
        "Slow down or lock logins of one name after a few failures.",
        "Where one succeeded: end the account's sessions and have its password changed.",
    ],
    unjudged: "no login was seen",
    needs: Needs::NOTHING,
    nature: Nature { of_many_calls: true, ..Nature::USUAL },
    judges: |call| call.relations.login.is_some(),
    concerns: |call| call.relations.login.is_some(),
    state: StateKind::of::<BruteForce>(),
};

const ENOUGH: u64 = 10;

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct BruteForce {
    failures: u64,
    passwords: Distinct,
    /// Most that one request tried.
    in_one: u32,
    steps: Steps,
    taken: bool,
    stretch: Stretch,
}

impl Detector for BruteForce {
    fn judge(&mut self, case: &Case<'_>, out: &mut Vec<Finding>) {
        let Some(login) = case.call.relations.login else { return };
        if self.stretch.begins(case.call.observation.exchange.started(), 1_800, 86_400) {
            *self = Self { stretch: self.stretch, ..Self::default() };
        }
        if login.user.is_none() && login.tries < 5 {
            return;
        }
        // A program with an old password tries the same one for ever.
        let varies = self.passwords.len() >= 5 || self.in_one >= 5;
        match login.result {
            Tried::Succeeded => {
                self.failures += u64::from(login.refused);
                return self.succeeded(case, varies || login.tries >= 5, out);
            }
            // A second factor that is asked for, or an answer that was not seen.
            Tried::Unknown => return,
            Tried::Failed => {}
        }
        self.failures += u64::from(login.tries);
        self.in_one = self.in_one.max(login.tries);
        if let Some(password) = login.password {
            self.passwords.add(crate::facts::short(password));
        }
        let varies = self.passwords.len() >= 5 || login.tries >= 5;
        if !varies || !self.steps.reaches(self.failures, ENOUGH) {
            return;
        }
        let reason = format!(
            "{} of one name failed within {}{}; people give up after about five.",
            times(self.failures, "login"),
            self.stretch.words(),
            if login.tries > 1 { format!(", {} of them in one request", login.tries) } else { String::new() },
        );
        out.push(case.finding(b"", Severity::Medium, Outcome::Attempted, 85, reason));
    }
}

impl BruteForce {
    fn succeeded(&mut self, case: &Case<'_>, varies: bool, out: &mut Vec<Finding>) {
        let failed = std::mem::take(&mut self.failures);
        if failed < ENOUGH || !varies || self.taken {
            return;
        }
        self.taken = true;
        let reason = format!(
            "A login succeeded after {} of the same name {} within {}.",
            times(failed, "failure"),
            if self.passwords.len() > 0 {
                format!("with {}", self.passwords.words("different password"))
            } else {
                "in requests that tried many".to_owned()
            },
            self.stretch.words()
        );
        out.push(case.finding(b"success", Severity::Critical, Outcome::Confirmed, 90, reason));
    }
}
