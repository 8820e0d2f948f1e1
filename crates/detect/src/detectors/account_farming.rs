//! Many accounts from one place.

use crate::detector::{Case, Detector, DetectorInfo, Nature, Needs, Scope, StateKind};
use crate::facts::{is_ok, method_is, program, status, template};
use crate::tally::{Steps, Stretch, times};
use crate::{Finding, Outcome, Severity};
use tapwire_inspect::{CredentialKind, Place};
use tapwire_inventory::Call;

pub(super) const INFO: DetectorInfo = DetectorInfo {
    name: "account-farming",
    title: "Many accounts are made from one address (mass sign-up)",
    summary: "With one program at one address eight accounts and more were made within an hour, or forty with several: for spam, for vouchers, or to spread an attack over many callers. A class or an office that signs \
              up together comes with the machines of its people. Of names that are taken (409) four count as one: who hears that tries another.",
    owasp: "API6:2023 Unrestricted Access to Sensitive Business Flows",
    cwe: "CWE-799",
    attack: ("T1136", "Create Account"),
    severity: "Medium when accounts were made, Low when most were refused",
    scope: Scope::Address,
    warm_up: "none: 8 with one program within an hour, 40 with several",
    next_steps: &[
        "Limit sign-ups by address, fingerprint and pattern of mail addresses.",
        "Watch the accounts that were made.",
    ],
    unjudged: "no sign-up was seen",
    needs: Needs::NOTHING,
    nature: Nature { of_many_calls: true, ..Nature::USUAL },
    judges: signs_up,
    concerns: |call| {
        let answered = is_ok(call) || matches!(status(call), Some(403 | 409 | 429));
        answered && signs_up(call)
    },
    state: StateKind::of::<AccountFarming>(),
};

/// Last words of paths where an account is made, and those where it may be one of many things.
const SIGN_UP: &[&str] =
    &["register", "registration", "registrations", "signup", "signups", "enroll", "join"];
const PEOPLE: &[&str] = &["customers", "users", "accounts", "patients", "members", "people"];

/// Whether somebody who has no account asks for one: at a place for that, or with a password where people are kept.
fn signs_up(call: &Call) -> bool {
    let body = &call.observation.credentials;
    if !method_is(call, &[b"POST"])
        || call.relations.login.is_some()
        || body.iter().any(|one| one.place != Place::Body)
    {
        return false;
    }
    let last = template(call).trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let is = |words: &[&str]| words.iter().any(|word| word.eq_ignore_ascii_case(last));
    is(SIGN_UP) || is(PEOPLE) && body.iter().any(|one| one.kind == CredentialKind::Password)
}

/// Names that are taken, for each that a person tries in the end.
const EACH: u64 = 4;
/// Accounts that one program makes, and how many times as many a crowd of programs may: people share an address, and few a
/// machine; who changes the name of its program with each account makes many all the same.
const ENOUGH: u64 = 8;
const CROWD: u64 = 5;
/// Programs of one address that are told apart; what comes with others counts for the crowd.
const PROGRAMS: usize = 16;

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct AccountFarming {
    all: SignUps,
    programs: Vec<(u64, SignUps)>,
    steps: Steps,
    stretch: Stretch,
}

/// Sign-ups within one stretch.
#[derive(Debug, Clone, Copy, Default, serde::Serialize, serde::Deserialize)]
struct SignUps {
    tried: u64,
    made: u64,
    conflicts: u64,
}

impl SignUps {
    fn hear(&mut self, call: &Call) {
        self.tried += 1;
        self.made += u64::from(is_ok(call));
        self.conflicts += u64::from(status(call) == Some(409));
    }

    /// Who hears that a name is taken tries another one.
    const fn count(self) -> u64 {
        self.tried - self.conflicts + self.conflicts / EACH
    }
}

impl Detector for AccountFarming {
    const VERSION: u32 = 1;

    fn judge(&mut self, case: &Case<'_>, out: &mut Vec<Finding>) {
        if self.stretch.begins(case.call.observation.exchange.started(), 3_600, 3_600) {
            *self = Self { stretch: self.stretch, ..Self::default() };
        }
        let own = self.hear(case.call);
        let (counted, whose) = match own.count() >= self.all.count() / CROWD {
            true => (own, "one program at"),
            false => (self.all, "several programs at"),
        };
        if !self.steps.reaches(own.count().max(self.all.count() / CROWD), ENOUGH) {
            return;
        }
        let refused = counted.made * 2 < counted.tried;
        let (severity, outcome) =
            if refused { (Severity::Low, Outcome::Blocked) } else { (Severity::Medium, Outcome::Confirmed) };
        let reason = format!(
            "{} with {whose} one address within {}, {} of them made an account; people make one.",
            times(counted.tried, "sign-up"),
            self.stretch.words(),
            counted.made,
        );
        out.push(case.finding(&[u8::from(refused)], severity, outcome, 70, reason));
    }
}

impl AccountFarming {
    /// Hears of a sign-up; those with its program.
    fn hear(&mut self, call: &Call) -> SignUps {
        self.all.hear(call);
        let program = program(call);
        if !self.programs.iter().any(|(known, _)| *known == program) && self.programs.len() < PROGRAMS {
            self.programs.push((program, SignUps::default()));
        }
        let own = self.programs.iter_mut().find(|(known, _)| *known == program);
        own.map_or_else(SignUps::default, |(_, own)| {
            own.hear(call);
            *own
        })
    }
}
