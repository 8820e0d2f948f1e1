//! Accounts whose credentials are changed from a strange place.

use crate::detector::{Case, Detector, DetectorInfo, Nature, Needs, Scope, StateKind};
use crate::facts::{Words, has_word, is_ok, is_person, method_is, template};
use crate::{Finding, Outcome, Severity};
use tapwire_inspect::fields::{FieldList, Step};
use tapwire_inventory::{Call, From};

pub(super) const INFO: DetectorInfo = DetectorInfo {
    name: "account-takeover",
    title: "An account's credentials are changed from a strange place (takeover)",
    summary: "A person's account was used from a network and with a program, or a fingerprint of TLS, that it never had before, and within an \
              hour its password, mail address, phone or second factor was changed from there. Who stole an account locks its owner out.",
    owasp: "API2:2023 Broken Authentication",
    cwe: "CWE-620",
    attack: ("T1098", "Account Manipulation"),
    severity: "High: the change was made",
    scope: Scope::Principal,
    warm_up: "5 earlier calls of the account",
    next_steps: &[
        "Ask the owner, by the mail address that was there before.",
        "End all sessions of the account and take the change back.",
        "Ask for the password once more before such changes.",
    ],
    unjudged: "no person's account was used",
    needs: Needs { least: 5, of: "calls of one account", seen: |call, _| call.caller.calls.into() },
    nature: Nature::USUAL,
    judges: is_person,
    concerns: |call| is_person(call) && (call.caller.strange.count() >= 2 || changes_credentials(call)),
    state: StateKind::of::<AccountTakeover>(),
};

const HOUR: i64 = 3_600 * 1_000_000_000;

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct AccountTakeover {
    /// When the account was first used from a place that is strange in two ways, and which.
    since: i64,
    from: Option<From>,
    told: i64,
}

impl Detector for AccountTakeover {
    const VERSION: u32 = 1;

    fn judge(&mut self, case: &Case<'_>, out: &mut Vec<Finding>) {
        let (caller, time) = (&case.call.caller, case.call.observation.exchange.started().nanos());
        if caller.strange.count() >= 2 && caller.calls >= 5 && self.from != caller.from {
            (self.since, self.from) = (time, caller.from);
        }
        let age = time.saturating_sub(self.since);
        let from_there = self.from.is_some() && self.from == caller.from && age < HOUR;
        let changed = changes_credentials(case.call) && is_ok(case.call);
        if !from_there || !changed || self.told != 0 && time.saturating_sub(self.told) < HOUR {
            return;
        }
        self.told = time;
        let reason = format!(
            "{} changed what an account is protected by, {} min after it was first used from another network with another program than in {} calls before.",
            template(case.call),
            age / 60_000_000_000,
            caller.calls,
        );
        out.push(case.finding(b"", Severity::High, Outcome::Confirmed, 80, reason));
    }
}

/// Whether a call changes what protects an account.
fn changes_credentials(call: &Call) -> bool {
    if !method_is(call, &[b"POST", b"PUT", b"PATCH"]) || call.relations.login.is_some() {
        return false;
    }
    const WORDS: Words =
        Words::of(&["password", "passwd", "email", "mfa", "2fa", "totp", "credentials", "recovery"]);
    const OWN: Words = Words::of(&["me", "account", "profile", "user", "users", "self", "settings"]);
    const FIELDS: &[&[u8]] = &[b"email", b"password", b"new_password", b"newpassword", b"mfa"];
    let has_field = |list: &FieldList| {
        let mut members = list.fields().iter().filter(|field| field.step == Step::Member);
        members.any(|field| FIELDS.iter().any(|name| name.eq_ignore_ascii_case(list.name(field))))
    };
    has_word(call, &WORDS)
        || has_word(call, &OWN)
            && !method_is(call, &[b"POST"])
            && call.observation.request_payload.list.as_deref().is_some_and(has_field)
}
