//! Operations of other roles.

use crate::detector::{Case, Detector, DetectorInfo, Scope, StateKind};
use crate::facts::{
    has_privileged_role, has_word, is_denied, is_named, is_ok, is_privileged_place, method_is, place,
    template,
};
use crate::tally::{Distinct, times};
use crate::{Finding, Outcome, Severity};
use tapwire_inventory::Call;

pub(super) const INFO: DetectorInfo = DetectorInfo {
    name: "function-level-access",
    title: "A caller uses an operation of another role (BFLA)",
    summary: "A caller whose role says that it is no administrator was answered behind a path for administrators; or a person changed the password \
              or the rights of somebody else, or deleted another's account. Where it was refused, two tries at others' accounts are told as well.",
    owasp: "API5:2023 Broken Function Level Authorization",
    cwe: "CWE-285",
    attack: ("T1078", "Valid Accounts"),
    severity: "Critical for another's password or rights, High for answers behind administrators' paths, Low when refused",
    scope: Scope::Principal,
    warm_up: "none; the caller's role must be known, or who is named in the path",
    next_steps: &[
        "Check the role on every operation, in the server.",
        "Take back what was changed, and end the caller's sessions.",
    ],
    unjudged: "no named caller with a known role called a path of administrators, and no path named another caller",
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
const RIGHTS: &[&str] =
    &["password", "role", "roles", "permissions", "admin", "rights", "mfa", "email", "credentials"];

/// Whether the path names an account.
fn is_account(call: &Call) -> bool {
    call.relations.named != 0
        && has_word(call, &["users", "user", "accounts", "members", "customers", "admins"])
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
        if is_privileged_place(case.call) && has_privileged_role(case.call).is_none() {
            return;
        }
        let key = place(case.call);
        let rights = has_word(case.call, RIGHTS) || method_is(case.call, &[b"DELETE"]);
        let (severity, what) = match (other, is_privileged_place(case.call), has_privileged_role(case.call)) {
            (Some(_), _, _) if rights => {
                (Severity::Critical, "changed what belongs to another caller that the path names")
            }
            (_, true, Some(false)) => {
                (Severity::High, "was answered although none of its roles is an administrator's")
            }
            _ => return,
        };
        if self.told.add(key) {
            let reason = format!("A caller called {} and {what}.", template(case.call));
            out.push(case.finding(&key.to_le_bytes(), severity, Outcome::Confirmed, 75, reason));
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
