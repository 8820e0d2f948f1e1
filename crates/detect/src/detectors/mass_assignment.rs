//! Fields that nobody sends, and that decide what one may do.

use crate::detector::{Case, Detector, DetectorInfo, Scope, StateKind};
use crate::facts::{is_ok, template, writes};
use crate::tally::{Distinct, times};
use crate::{Finding, Outcome, Severity};
use tapwire_inspect::fields::{Field, FieldList, Step};

pub(super) const INFO: DetectorInfo = DetectorInfo {
    name: "mass-assignment",
    title: "A field that decides about rights or money is sent where nobody sends it (mass assignment)",
    summary: "A request that changes something had a field such as role, admin, balance or verified, which no other body to that endpoint ever \
              had, and was accepted. Frameworks that copy all members of a body onto an object let callers set what is not theirs to set.",
    owasp: "API3:2023 Broken Object Property Level Authorization",
    cwe: "CWE-915",
    attack: ("T1098", "Account Manipulation"),
    severity: "High when accepted, and the field comes back in the answer; Medium when accepted; Low when refused",
    scope: Scope::Endpoint,
    warm_up: "5 bodies to the endpoint without that field; none for names such as is_admin",
    next_steps: &[
        "Name the fields that a caller may set, and ignore or refuse all others.",
        "Look what became of the object that was written.",
    ],
    unjudged: "no endpoint had 5 bodies with fields",
    judges: |call| writes(call) && call.observation.request_payload.list.is_some(),
    concerns: |call| {
        writes(call) && call.observation.request_payload.list.is_some() && call.relations.login.is_none()
    },
    state: StateKind::of::<MassAssignment>(),
};

const ENOUGH: u64 = 5;
/// Words of names that decide about rights or money.
const WORDS: &[&str] = &[
    "admin",
    "isadmin",
    "role",
    "roles",
    "permission",
    "permissions",
    "superuser",
    "staff",
    "verified",
    "balance",
    "credit",
    "credits",
    "discount",
    "price",
    "plan",
    "tier",
    "privilege",
    "privileges",
    "approved",
    "groups",
    "scopes",
    "owner",
    "tenant",
    "quota",
    "limit",
    "paid",
    "status",
];

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct MassAssignment {
    /// Fields that were sent.
    fields: Distinct,
    bodies: u64,
    told: Distinct,
}

impl Detector for MassAssignment {
    fn judge(&mut self, case: &Case<'_>, out: &mut Vec<Finding>) {
        let Some(list) = case.call.observation.request_payload.list.as_deref() else { return };
        for field in list.fields().iter().filter(|field| field.step == Step::Member) {
            let is_new = !self.fields.has(field.hash);
            let enough = if makes_admins(list.name(field)) { 0 } else { ENOUGH };
            if is_new && self.bodies >= enough && decides(list.name(field)) && self.told.add(field.hash) {
                out.push(self.finding(case, list, field));
            } else if self.bodies < enough || !decides(list.name(field)) {
                self.fields.add(field.hash);
            }
        }
        self.bodies += u64::from(is_ok(case.call));
    }
}

impl MassAssignment {
    fn finding(&self, case: &Case<'_>, list: &FieldList, field: &Field) -> Finding {
        let name = list.name(field);
        let comes_back = case.call.observation.response_payload.list.as_deref().is_some_and(|answer| {
            answer.fields().iter().any(|other| answer.name(other).eq_ignore_ascii_case(name))
        });
        let (severity, outcome) = match (is_ok(case.call), comes_back) {
            (true, true) => (Severity::High, Outcome::Confirmed),
            (true, false) => (Severity::Medium, Outcome::Likely),
            (false, _) => (Severity::Low, Outcome::Blocked),
        };
        let plain = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'_';
        let shown: String = name.iter().filter(plain).take(32).map(|byte| char::from(*byte)).collect();
        let reason = format!(
            "Field `{shown}` was sent to {} {}; none of {} before had it{}.",
            template(case.call),
            if is_ok(case.call) { "and accepted" } else { "and refused" },
            times(self.bodies, "body").replace("bodys", "bodies"),
            if comes_back { ", and the answer has it, too" } else { "" },
        );
        case.finding(&field.hash.to_le_bytes(), severity, outcome, 75, reason)
    }
}

/// Names that clients have no reason to send at all.
fn makes_admins(name: &[u8]) -> bool {
    [&b"admin"[..], b"is_admin", b"isadmin", b"superuser", b"is_superuser", b"is_staff"]
        .iter()
        .any(|known| known.eq_ignore_ascii_case(name))
}

fn decides(name: &[u8]) -> bool {
    let mut word = String::new();
    let mut before = b'_';
    for byte in name.iter().take(40) {
        if byte.is_ascii_uppercase() && before.is_ascii_lowercase() || !byte.is_ascii_alphanumeric() {
            if WORDS.contains(&word.as_str()) {
                return true;
            }
            word.clear();
        }
        if byte.is_ascii_alphanumeric() {
            word.push(char::from(byte.to_ascii_lowercase()));
        }
        before = *byte;
    }
    WORDS.contains(&word.as_str())
}
