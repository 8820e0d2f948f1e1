//! Many accounts from one place.

use crate::detector::{Case, Detector, DetectorInfo, Needs, Scope, StateKind};
use crate::facts::{is_ok, method_is, status, template};
use crate::tally::{Steps, Stretch, times};
use crate::{Finding, Outcome, Severity};
use tapwire_inspect::{CredentialKind, Place};
use tapwire_inventory::Call;

pub(super) const INFO: DetectorInfo = DetectorInfo {
    name: "account-farming",
    title: "Many accounts are made from one address (mass sign-up)",
    summary: "From one address eight accounts and more were made within an hour: for spam, for vouchers, or to spread an attack over many callers. Of names that are taken (409) four count as one: who hears that tries another.",
    owasp: "API6:2023 Unrestricted Access to Sensitive Business Flows",
    cwe: "CWE-799",
    attack: ("T1136", "Create Account"),
    severity: "Medium when accounts were made, Low when most were refused",
    scope: Scope::Address,
    warm_up: "none: 8 within an hour",
    next_steps: &[
        "Limit sign-ups by address, fingerprint and pattern of mail addresses.",
        "Watch the accounts that were made.",
    ],
    unjudged: "no sign-up was seen",
    needs: Needs::NOTHING,
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

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct AccountFarming {
    tried: u64,
    made: u64,
    conflicts: u64,
    steps: Steps,
    stretch: Stretch,
}

impl Detector for AccountFarming {
    fn judge(&mut self, case: &Case<'_>, out: &mut Vec<Finding>) {
        if self.stretch.begins(case.call.observation.exchange.started(), 3_600, 3_600) {
            *self = Self { stretch: self.stretch, ..Self::default() };
        }
        self.tried += 1;
        self.made += u64::from(is_ok(case.call));
        self.conflicts += u64::from(status(case.call) == Some(409));
        // Who hears that a name is taken tries another one.
        let tried = self.tried - self.conflicts + self.conflicts / EACH;
        if self.steps.reaches(tried, 8) {
            let refused = self.made * 2 < self.tried;
            let (severity, outcome) = if refused {
                (Severity::Low, Outcome::Blocked)
            } else {
                (Severity::Medium, Outcome::Confirmed)
            };
            let reason = format!(
                "{} from one address within {}, {} of them made an account; people make one.",
                times(self.tried, "sign-up"),
                self.stretch.words(),
                self.made,
            );
            out.push(case.finding(&[u8::from(refused)], severity, outcome, 70, reason));
        }
    }
}
