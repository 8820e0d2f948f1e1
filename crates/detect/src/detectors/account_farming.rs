//! Many accounts from one place.

use crate::detector::{Case, Detector, DetectorInfo, Scope, StateKind};
use crate::facts::{has_word, is_ok, method_is, status};
use crate::tally::{Steps, Stretch, times};
use crate::{Finding, Outcome, Severity};
use tapwire_inspect::Place;

pub(super) const INFO: DetectorInfo = DetectorInfo {
    name: "account-farming",
    title: "Many accounts are made from one address (mass sign-up)",
    summary: "From one address eight accounts and more were made within an hour: for spam, for vouchers, or to spread an attack over many callers.",
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
    judges: |call| method_is(call, &[b"POST"]) && has_word(call, WORDS),
    concerns: |call| {
        let answered = is_ok(call) || matches!(status(call), Some(403 | 409 | 429));
        let made = method_is(call, &[b"POST"]) && answered && has_word(call, WORDS);
        made && call.observation.credentials.iter().all(|one| one.place == Place::Body)
            && call.relations.login.is_none()
    },
    state: StateKind::of::<AccountFarming>(),
};

const WORDS: &[&str] = &[
    "register",
    "registration",
    "signup",
    "signups",
    "registrations",
    "enroll",
    "join",
    "customers",
    "users",
    "accounts",
];

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct AccountFarming {
    tried: u64,
    made: u64,
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
        if self.steps.reaches(self.tried, 8) {
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
