//! Many names from one address: stuffing, spraying, and finding out which names exist.

use crate::detector::{Case, Detector, DetectorInfo, Nature, Needs, Scope, StateKind};
use crate::facts::{place, program, short};
use crate::tally::{Distinct, Steps, Stretch, times};
use crate::{Finding, Outcome, Severity};
use tapwire_inventory::{Call, Login, Tried};

pub(super) const INFO: DetectorInfo = DetectorInfo {
    name: "credential-stuffing",
    title: "Logins with many names fail from one address (stuffing, spraying, enumeration of names)",
    summary: "From one address logins with many different names failed, and few succeeded. With a password for each name they are stolen \
              ones (stuffing); with one or a few passwords for all, common ones are tried (spraying); and where answers to names that \
              exist differ from others, it may be names that are asked for. Offices behind one address log in with success as a rule.",
    owasp: "API2:2023 Broken Authentication",
    cwe: "CWE-307",
    attack: ("T1110.004", "Credential Stuffing"),
    severity: "Medium; Critical when one of the logins succeeded, as fast as others failed and by a program that made them",
    scope: Scope::Address,
    warm_up: "none: 10 names that did not get in afterwards, seven failed logins for three names that got in",
    next_steps: &[
        "Limit logins by address and by fingerprint, and ask for a second factor.",
        "Where one succeeded: end that account's sessions and have its password changed.",
        "Answer a wrong name and a wrong password alike.",
    ],
    unjudged: "no login was seen",
    needs: Needs::NOTHING,
    nature: Nature { of_many_calls: true, ..Nature::USUAL },
    judges: |call| call.relations.login.is_some(),
    concerns: |call| call.relations.login.is_some_and(|login| login.user.is_some()),
    state: StateKind::of::<CredentialStuffing>(),
};

const ENOUGH: u64 = 10;
/// Places of which it is known that logins failed there.
const PLACES: usize = 8;
/// Failures that are remembered one by one.
const LATELY: usize = 12;
/// Milliseconds within which a program tries the next password of a name, and people do not; and within which so many other names
/// fail beside it.
const NEXT: i64 = 5_000;
const MINUTE: i64 = 60_000;
const BESIDE: usize = 5;
/// Milliseconds after a failure within which a success belongs to it, or so many of the usual pauses.
const SOON: i64 = 10_000;
const PAUSES: i64 = 3;

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct CredentialStuffing {
    names: Distinct,
    passwords: Distinct,
    answers: Distinct,
    /// Names that failed and got in afterwards.
    known: Distinct,
    failed: u64,
    /// Names that got in where logins failed, whoever they are.
    got_in: Distinct,
    /// Logins that succeeded as others failed.
    succeeded: u64,
    /// By what failed.
    programs: Distinct,
    /// The last failures: names and milliseconds.
    lately: Vec<(u64, i64)>,
    /// The millisecond of the first.
    first: i64,
    steps: Steps,
    taken: bool,
    /// Where logins failed, the first ones.
    places: Vec<u64>,
    /// Logins that succeeded before enough names had failed.
    early: Vec<Early>,
    stretch: Stretch,
}

/// A login that succeeded before it could be said whose it is.
#[derive(serde::Serialize, serde::Deserialize)]
struct Early {
    place: u64,
    program: u64,
    at: i64,
    /// The failure before it, and the first behind it by the same program.
    before: Option<i64>,
    behind: Option<i64>,
}

/// Of these the last so many.
const EARLY: usize = 8;

impl Detector for CredentialStuffing {
    const VERSION: u32 = 3;

    fn judge(&mut self, case: &Case<'_>, out: &mut Vec<Finding>) {
        let Some(login) = case.call.relations.login else { return };
        if self.stretch.begins(case.call.observation.exchange.started(), 1_800, 7_200) {
            *self = Self { stretch: self.stretch, ..Self::default() };
        }
        let name = login.user.map_or(0, short);
        let mut stranger = false;
        match login.result {
            Tried::Succeeded => stranger = self.succeeded(case.call, name),
            Tried::Failed => self.failed(case.call, &login, name),
            Tried::Unknown => return,
        }
        let names = self.count();
        if self.failed * 10 < (self.failed + self.got_in.len() as u64) * 7 {
            return;
        }
        if names >= ENOUGH && login.result == Tried::Failed {
            stranger = self.took_before();
        }
        let taken = stranger && names >= ENOUGH && !self.taken;
        // It is told of a login that failed, or of one that was taken: others log in beside it.
        let is_more = login.result == Tried::Failed && self.steps.reaches(names, ENOUGH);
        if !taken && !is_more {
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
            "{} of {} from one address within {}, {} succeeded among them; {kind}.",
            times(self.failed, "failed login"),
            self.names.words_of("name", self.failed),
            self.stretch.words(),
            self.succeeded,
        );
        out.push(case.finding(&[u8::from(taken)], severity, outcome, 85, reason));
    }
}

impl CredentialStuffing {
    /// Names that failed and did not get in afterwards.
    fn count(&self) -> u64 {
        self.names.len().saturating_sub(self.known.len()) as u64
    }

    /// A login succeeded; whether by who makes the others fail.
    fn succeeded(&mut self, call: &Call, name: u64) -> bool {
        let had_failed = self.names.has(name);
        // What is logged in to elsewhere is no part of it.
        let is_here = self.places.contains(&place(call));
        if is_here {
            self.got_in.add(name);
        }
        let is_taken =
            is_here && self.follows(call) && (!had_failed || self.is_next_password(name, millis(call)));
        // Who mistyped and then got in is the same person.
        if had_failed && !is_taken {
            self.known.add(name);
        }
        if self.count() < ENOUGH {
            self.remember(call, had_failed && !is_taken);
            return false;
        }
        self.succeeded += u64::from(is_taken);
        is_taken
    }

    fn remember(&mut self, call: &Call, is_known: bool) {
        if is_known {
            return;
        }
        if self.early.len() >= EARLY {
            self.early.remove(0);
        }
        let before = self.lately.last().map(|(_, at)| *at);
        let (place, program) = (place(call), program(call));
        self.early.push(Early { place, program, at: millis(call), before, behind: None });
    }

    /// Whether logins that succeeded before belong to those that fail: between two of them at their pace, or at the very
    /// beginning of fast ones.
    fn took_before(&mut self) -> bool {
        let (limit, rotates) = (self.limit(), self.rotates());
        let taken = std::mem::take(&mut self.early).into_iter().filter(|early| {
            let follows = match early.before {
                Some(before) => early.at.saturating_sub(before) <= limit,
                None => limit == SOON,
            };
            let goes_on = early.behind.is_some_and(|behind| behind.saturating_sub(early.at) <= limit);
            let is_its_program = rotates || self.programs.has(early.program);
            follows && goes_on && is_its_program && self.places.contains(&early.place)
        });
        let taken = taken.count() as u64;
        self.succeeded += taken;
        taken > 0
    }

    fn failed(&mut self, call: &Call, login: &Login, name: u64) {
        let (place, now) = (place(call), millis(call));
        if self.places.len() < PLACES && !self.places.contains(&place) {
            self.places.push(place);
        }
        if self.failed == 0 {
            self.first = now;
        }
        let program = program(call);
        let rotates = self.names.len() >= 3 && self.rotates();
        for early in self.early.iter_mut().filter(|early| rotates || early.program == program) {
            early.behind.get_or_insert(now);
        }
        self.failed += 1;
        self.names.add(name);
        self.programs.add(program);
        if self.lately.len() >= LATELY {
            self.lately.remove(0);
        }
        self.lately.push((name, now));
        if let Some(password) = login.password {
            self.passwords.add(short(password));
        }
        self.answers.add(login.answer);
    }

    /// Whether a success comes at the pace of the failures, by a program that made some of them, or by any where each has another.
    fn follows(&self, call: &Call) -> bool {
        let last = self.lately.last().map_or(i64::MIN / 2, |(_, at)| *at);
        millis(call).saturating_sub(last) <= self.limit()
            && (self.rotates() || self.programs.has(program(call)))
    }

    /// Milliseconds from a failure within which what comes belongs to it.
    fn limit(&self) -> i64 {
        let last = self.lately.last().map_or(self.first, |(_, at)| *at);
        let pauses = i64::try_from(self.failed).unwrap_or(i64::MAX).saturating_sub(1).max(1);
        let pause = last.saturating_sub(self.first) / pauses;
        SOON.max(pause.saturating_mul(PAUSES))
    }

    /// Whether each login comes from another program, as it says.
    fn rotates(&self) -> bool {
        self.programs.len() * 2 >= self.names.len()
    }

    /// Whether a name that failed gets in sooner than a person types another password, while many others fail.
    fn is_next_password(&self, name: u64, now: i64) -> bool {
        let within = |at: i64, span: i64| (0..=span).contains(&now.saturating_sub(at));
        let at_once = self.lately.iter().any(|(known, at)| *known == name && within(*at, NEXT));
        let mut others = Distinct::default();
        let beside = self.lately.iter().filter(|(known, at)| *known != name && within(*at, MINUTE));
        for (known, _) in beside {
            others.add(*known);
        }
        at_once && others.len() >= BESIDE
    }
}

fn millis(call: &Call) -> i64 {
    call.observation.exchange.started().nanos() / 1_000_000
}
