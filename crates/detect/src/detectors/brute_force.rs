//! Many passwords for one name.

use crate::detector::{Case, Detector, DetectorInfo, Nature, Needs, Scope, StateKind};
use crate::facts::{network, short};
use crate::tally::{Distinct, Steps, Stretch, times};
use crate::{Finding, Outcome, Severity};
use tapwire_inventory::Tried;

pub(super) const INFO: DetectorInfo = DetectorInfo {
    name: "brute-force",
    title: "Passwords of one name are tried (brute force)",
    summary: "Many logins with one name failed, by the status, by what the body says or by the form that comes once more, with different \
              passwords; or one request tried many logins at once, as batches and aliases of GraphQL allow. Basic credentials count where \
              they change: who shows the same ones again and again has an old password. When one succeeds at last, the account is \
              taken over.",
    owasp: "API2:2023 Broken Authentication",
    cwe: "CWE-307",
    attack: ("T1110.001", "Password Guessing"),
    severity: "Medium; Critical when a login succeeded after 10 failures, from where three and more of them came",
    scope: Scope::Login,
    warm_up: "none: 10 failures without half an hour of silence; people give up after about five",
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
    clients: Clients,
    steps: Steps,
    taken: bool,
    stretch: Stretch,
}

/// Addresses that failed, each with how often; of more than fit nothing is known.
#[derive(Default, serde::Serialize, serde::Deserialize)]
struct Clients {
    failures: Vec<(u64, u64)>,
    more: bool,
}

impl Clients {
    const MOST: usize = 32;

    fn failed(&mut self, client: u64, times: u64) {
        let has_room = self.failures.len() < Self::MOST;
        match self.failures.iter_mut().find(|(known, _)| *known == client) {
            Some((_, count)) => *count += times,
            None if has_room => self.failures.push((client, times)),
            None => self.more = true,
        }
    }

    /// Whether a client guesses: the owner, who logs in meanwhile, mistypes at most.
    fn guesses(&self, client: u64) -> bool {
        let all: u64 = self.failures.iter().map(|(_, count)| count).sum();
        let has_each = self.failures.len() as u64 * MISTYPED >= all;
        let failed = self.failures.iter().find(|(known, _)| *known == client).map_or(0, |(_, count)| *count);
        self.more || has_each || failed >= MISTYPED
    }
}

/// Failures of one address that are more than somebody's who mistyped.
const MISTYPED: u64 = 3;

impl Detector for BruteForce {
    const VERSION: u32 = 1;

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
                if login.refused == 0 && !self.clients.guesses(client(case)) {
                    return;
                }
                return self.succeeded(case, varies || login.tries >= 5, out);
            }
            // A second factor that is asked for, or an answer that was not seen.
            Tried::Unknown => return,
            Tried::Failed => {}
        }
        self.failures += u64::from(login.tries);
        self.clients.failed(client(case), login.tries.into());
        self.in_one = self.in_one.max(login.tries);
        if let Some(password) = login.password {
            self.passwords.add(short(password));
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

fn client(case: &Case<'_>) -> u64 {
    case.call.caller.address.map_or(0, |address| network(address.ip))
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
