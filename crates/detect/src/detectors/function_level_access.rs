//! Operations of other roles.

use crate::detector::{Case, Detector, DetectorInfo, Nature, Needs, Scope, StateKind};
use crate::facts::{
    Words, has_privileged_role, has_word, is_denied, is_named, is_ok, is_privileged_place, method_is, place,
    template,
};
use crate::tally::{Distinct, times};
use crate::{Finding, Outcome, Severity};
use tapwire_inventory::{Call, Usual};

pub(super) const INFO: DetectorInfo = DetectorInfo {
    name: "function-level-access",
    title: "A caller uses an operation of another role (BFLA)",
    summary: "A caller whose role says that it is no administrator was answered behind a path for administrators, where callers of other roles are answered as a rule \
              and those of its own are not; or a person changed the password \
              or the rights of somebody else, or deleted another's account. Where it was refused, two tries at others' accounts are told as well.",
    owasp: "API5:2023 Broken Function Level Authorization",
    cwe: "CWE-285",
    attack: ("T1078", "Valid Accounts"),
    severity: "Critical for another's password or rights, High for answers behind administrators' paths, Low when refused",
    scope: Scope::Principal,
    warm_up: "the caller's role, and 10 answers to callers of other roles; none where the path says admin, or names another caller",
    next_steps: &[
        "Check the role on every operation, in the server.",
        "Take back what was changed, and end the caller's sessions.",
    ],
    unjudged: "no named caller with a known role called a path of administrators, and no path named another caller",
    needs: Needs::NOTHING,
    nature: Nature::USUAL,
    judges: |call| {
        is_named(call) && (call.relations.other.is_some() || is_privileged_place(call) || is_account(call))
    },
    concerns: |call| {
        is_named(call)
            && (is_ok(call) || is_denied(call))
            && has_privileged_role(call) != Some(true)
            && (is_privileged_place(call)
                || method_is(call, WRITES)
                    && (call.relations.other.is_some() || is_denied(call) && is_account(call)))
    },
    state: StateKind::of::<FunctionLevelAccess>(),
};

const WRITES: &[&[u8]] = &[b"PUT", b"PATCH", b"DELETE", b"POST"];
const RIGHTS: Words = Words::of(&[
    "password",
    "role",
    "roles",
    "permissions",
    "admin",
    "rights",
    "mfa",
    "email",
    "credentials",
]);

/// Answers to other roles from which on an operation is theirs, and how many times those to the caller's own role.
const OTHERS: u32 = 10;
const TIMES: u32 = 20;

/// Whether an operation is one of other roles: what is manage or system by its name may be everybody's.
const fn is_others(usual: &Usual) -> bool {
    usual.other_roles >= OTHERS && usual.same_role.saturating_mul(TIMES) <= usual.other_roles
}

/// Words that say by themselves whose a path is.
const ADMINISTRATORS: &[&str] = &["admin", "administrator", "administration", "backoffice", "superuser"];

/// Whether an operation is administrators' by its name, and hardly one of the caller's role was answered there before. A folder
/// has that name; what is called `admin-settings` may be anybody's own.
fn is_administrators(call: &Call) -> bool {
    let mut segments = template(call).split('/');
    call.relations.usual.same_role < 3
        && segments.any(|segment| ADMINISTRATORS.iter().any(|word| segment.eq_ignore_ascii_case(word)))
}

const ACCOUNTS: Words = Words::of(&["users", "user", "accounts", "members", "customers", "admins"]);

/// Whether the path names an account.
fn is_account(call: &Call) -> bool {
    call.relations.named != 0 && has_word(call, &ACCOUNTS)
}

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct FunctionLevelAccess {
    told: Distinct,
    denied: Distinct,
    told_denied: bool,
}

impl Detector for FunctionLevelAccess {
    fn judge(&mut self, case: &Case<'_>, out: &mut Vec<Finding>) {
        let other = case.call.relations.other.filter(|_| method_is(case.call, WRITES));
        if is_denied(case.call) {
            self.denied(case, out);
            return;
        }
        let key = place(case.call);
        let rights = has_word(case.call, &RIGHTS) || method_is(case.call, &[b"DELETE"]);
        let (severity, confidence, what) = match other {
            Some(_) if rights => (
                Severity::Critical,
                75,
                "changed what belongs to another caller that the path names".to_owned(),
            ),
            _ if is_privileged_place(case.call)
                && has_privileged_role(case.call) == Some(false)
                && (is_others(&case.call.relations.usual) || is_administrators(case.call)) =>
            {
                let usual = case.call.relations.usual;
                let what = format!(
                    "was answered although none of its roles is an administrator's: {} to callers of other roles before, {} to those of its own",
                    times(usual.other_roles.into(), "answer"),
                    usual.same_role,
                );
                let measured = is_others(&case.call.relations.usual);
                (Severity::High, if measured { 75 } else { 60 }, what)
            }
            _ => return,
        };
        // By its name alone it is likely.
        let outcome = if confidence < 75 { Outcome::Likely } else { Outcome::Confirmed };
        if self.told.add(key) {
            let reason = format!("A caller called {} and {what}.", template(case.call));
            out.push(case.finding(&key.to_le_bytes(), severity, outcome, confidence, reason));
        }
    }
}

impl FunctionLevelAccess {
    fn denied(&mut self, case: &Case<'_>, out: &mut Vec<Finding>) {
        let key = case.call.relations.named ^ place(case.call);
        self.denied.add(key);
        if self.told_denied || self.denied.len() < 2 {
            return;
        }
        self.told_denied = true;
        let reason = format!(
            "{} of a caller on {} were refused: it tried operations of administrators or on others' accounts.",
            times(self.denied.len() as u64, "different call"),
            template(case.call),
        );
        out.push(case.finding(b"denied", Severity::Low, Outcome::Blocked, 65, reason));
    }
}
