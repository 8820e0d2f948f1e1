//! Objects of others: a caller reads or changes what belongs to somebody else.

use crate::detector::{Case, Detector, DetectorInfo, Nature, Needs, Scope, StateKind};
use crate::facts::{template, writes};
use crate::tally::{Distinct, Steps, Stretch, times};
use crate::{Finding, Outcome, Severity};
use tapwire_inventory::{Basis, Call, Object, Owned, PrincipalKind};

pub(super) const INFO: DetectorInfo = DetectorInfo {
    name: "foreign-objects",
    title: "Objects of others are read or changed (BOLA)",
    summary: "A caller was given objects that belong to somebody else, where callers of its role otherwise meet only their own. Whose an \
              object is follows from what answers say of owners, from the name in a path, and from who lists or made it; roles that \
              meet others' objects as a rule, such as support, are no finding, nor is what many share. Three objects of three owners, or one \
              that is changed, are enough, however slowly they are read and from whatever address; eight, where only lists tell the owner and they are met on different days without counting up to their numbers: \
              somebody may have sent a link. Where no owner is known, eight \
              objects that no list and no answer gave to the caller are, if its peers ask only for what they were given.",
    owasp: "API1:2023 Broken Object Level Authorization",
    cwe: "CWE-639",
    attack: ("T1213", "Data from Information Repositories"),
    severity: "Critical: the answers were given; High where fewer than 50 peers are known, no owner is, or a link may have been shared",
    scope: Scope::Principal,
    warm_up: "50 callers of the role that met only their own objects there, and nine in ten of all of them; or 10 that did so twice, \
              and all of them, where a field names the owner",
    next_steps: &[
        "Check on every access that the object belongs to who asks, in the server, by the session's user.",
        "Count whose records were given out: tapwire blast-radius with the incident's uid.",
        "End the caller's sessions, and tell the owners where the law asks for it.",
    ],
    unjudged: "no named caller met an object of which it could be known whose it is",
    needs: Needs {
        least: 10,
        of: "callers of a role that met only their own objects at one endpoint",
        seen: |call, _| match call.relations.object {
            Some(object) if object.owned == Owned::Unknown => object.own_callers.into(),
            _ => u64::MAX,
        },
    },
    nature: Nature::USUAL,
    judges: |call| call.relations.object.is_some(),
    concerns: |call| {
        call.relations.object.is_some_and(|object| matches!(object.owned, Owned::Foreign | Owned::Strange))
    },
    state: StateKind::of::<ForeignObjects>(),
};

/// Objects read from which on it is no accident; of those that nobody gave the caller, more.
const READ: u64 = 3;
const STRANGE: u64 = 8;
/// Numbers that far apart are in a row.
const NEAR: u64 = 10;
const DAY: i64 = 86_400;
/// Callers of the role that must have met only their own for a finding to be certain.
const CERTAIN: u32 = 50;

/// What a caller met that is not its own.
#[derive(Default, serde::Serialize, serde::Deserialize)]
struct ForeignObjects {
    read: Distinct,
    changed: Distinct,
    strange: Distinct,
    owners: Distinct,
    /// Most other owners that one answer named, beyond the first.
    in_one: u32,
    /// The last number that was read, and how many were next to one before.
    number: Option<u64>,
    in_a_row: u64,
    /// Whose objects were met within a day.
    today: Distinct,
    day: Stretch,
    steps: [Steps; 2],
    told_change: bool,
    stretch: Stretch,
}

impl Detector for ForeignObjects {
    const VERSION: u32 = 1;

    fn judge(&mut self, case: &Case<'_>, out: &mut Vec<Finding>) {
        let Some(object) = case.call.relations.object else { return };
        self.stretch.begins(case.call.observation.exchange.started(), i64::MAX / 4, i64::MAX / 4);
        if object.owned == Owned::Strange {
            return self.strange(case, &object, out);
        }
        let changes = changes(case.call);
        let objects = if changes { &mut self.changed } else { &mut self.read };
        objects.add(object.key);
        self.owners.add(object.owner);
        self.in_one = self.in_one.max(object.owners.saturating_sub(1));
        self.counts_up(case.call.relations.number);
        self.day.renew(&mut self.today, case.call.observation.exchange.started(), DAY, DAY);
        self.today.add(object.owner);
        let (owners, all) = (self.owners.len() as u64 + u64::from(self.in_one), self.objects());
        // What one other shares for good, as in a household, is theirs.
        let several = owners >= 3 || owners >= 2 && all >= 10;
        let may_be_shared = object.basis == Basis::Listed && !changes && self.in_a_row < READ - 1;
        let is_certain = object.own_callers >= CERTAIN && !may_be_shared;
        let read = if may_be_shared && (self.today.len() as u64) < READ { STRANGE } else { READ };
        let is_first = changes && is_certain && object.is_known && is_told_apart(case.call);
        let first_change = is_first && !std::mem::replace(&mut self.told_change, true);
        let [steps, _] = &mut self.steps;
        let is_enough = several && steps.reaches(all.max(owners), read);
        if !is_enough && !first_change {
            return;
        }
        let (severity, outcome, confidence) = match is_certain {
            true => (Severity::Critical, Outcome::Confirmed, 90),
            false => (Severity::High, Outcome::Likely, 65),
        };
        let reason = format!(
            "{} given out and {} changed, of {}, the last on {}, within {}; {} of {} callers of its role met only their own there ({}).",
            self.read.words("object"),
            self.changed.words("object"),
            times(owners, "other owner"),
            template(case.call),
            self.stretch.words(),
            object.own_callers,
            object.callers,
            object.basis.words(),
        );
        out.push(case.finding(&[u8::from(changes)], severity, outcome, confidence, reason));
    }
}

impl ForeignObjects {
    /// Hears of a number: whoever counts them up or down was sent none.
    fn counts_up(&mut self, number: Option<u64>) {
        let Some(number) = number else { return };
        let near = self.number.is_some_and(|last| (1..=NEAR).contains(&number.abs_diff(last)));
        self.in_a_row += u64::from(near);
        self.number = Some(number);
    }

    fn objects(&self) -> u64 {
        (self.read.len() + self.changed.len()) as u64
    }

    /// Nobody knows whose they are, but the caller cannot have them from this service.
    fn strange(&mut self, case: &Case<'_>, object: &Object, out: &mut Vec<Finding>) {
        self.strange.add(object.key);
        let [_, steps] = &mut self.steps;
        if !steps.reaches(self.strange.len() as u64, STRANGE) {
            return;
        }
        let reason = format!(
            "{} given out, the last on {}, that no list and no answer had given to the caller, within {}; {} of {} callers of its role asked only for what they had been given.",
            self.strange.words("object"),
            template(case.call),
            self.stretch.words(),
            object.own_callers,
            object.callers,
        );
        out.push(case.finding(b"strange", Severity::High, Outcome::Likely, 65, reason));
    }
}

/// Whether a caller cannot be somebody who is known by another name: of a session that began out of sight, nobody knows who
/// logged in.
fn is_told_apart(call: &Call) -> bool {
    let is_session = call.principal.is_some_and(|principal| principal.kind == PrincipalKind::Session);
    !is_session || call.caller.issued_in.is_some()
}

/// Whether a call changes an object that it names: what it makes, it may make for somebody else. What is asked for by a
/// payload is mostly read by POST.
fn changes(call: &Call) -> bool {
    writes(call) && call.relations.named != 0 && call.observation.operation().is_none()
}
