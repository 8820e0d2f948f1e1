//! Objects of others: a caller reads or changes what belongs to somebody else.

use crate::detector::{Case, Detector, DetectorInfo, Scope, StateKind};
use crate::facts::{place, template, writes};
use crate::tally::{Distinct, Steps, Stretch, times};
use crate::{Finding, Outcome, Severity};
use tapwire_inventory::Owned;

pub(super) const INFO: DetectorInfo = DetectorInfo {
    name: "foreign-objects",
    title: "Objects of others are read or changed (BOLA)",
    summary: "A caller was given objects that belong to somebody else, where callers of its role otherwise meet only their own. Whose an \
              object is follows from what answers say of owners, from the name in a path, and from who lists or made it; roles that \
              meet others' objects as a rule, such as support, are no finding. Three objects of three owners, or one that is changed, are enough, \
              however slowly they are read and from whatever address.",
    owasp: "API1:2023 Broken Object Level Authorization",
    cwe: "CWE-639",
    attack: ("T1213", "Data from Information Repositories"),
    severity: "Critical: the answers were given",
    scope: Scope::Principal,
    warm_up: "5 callers of the role that met their own objects at the endpoint, and 4 of 5 of all of them",
    next_steps: &[
        "Check on every access that the object belongs to who asks, in the server, by the session's user.",
        "List which objects were given out: tapwire incidents shows the caller's exchanges.",
        "End the caller's sessions, and tell the owners where the law asks for it.",
    ],
    unjudged: "no object was met of which it is known whose it is: at least 5 named callers must have met their own at an endpoint",
    judges: |call| call.relations.object.is_some_and(|object| object.owned != Owned::Unknown),
    concerns: |call| call.relations.object.is_some_and(|object| object.owned == Owned::Foreign),
    state: StateKind::of::<ForeignObjects>(),
};

/// Objects read from which on it is no accident.
const READ: u64 = 3;

/// What a caller met that is not its own.
#[derive(Default, serde::Serialize, serde::Deserialize)]
struct ForeignObjects {
    objects: Distinct,
    owners: Distinct,
    steps: Steps,
    changed: bool,
    stretch: Stretch,
}

impl Detector for ForeignObjects {
    fn judge(&mut self, case: &Case<'_>, out: &mut Vec<Finding>) {
        let Some(object) = case.call.relations.object else { return };
        let changes = writes(case.call);
        self.stretch.begins(case.call.observation.exchange.started(), i64::MAX / 4, i64::MAX / 4);
        self.objects.add(object.key ^ place(case.call));
        self.owners.add(object.owner);
        let first_change = changes && !self.changed;
        self.changed |= changes;
        // What one other shares for good, as in a household, is theirs.
        let several = self.owners.len() >= 3 || self.owners.len() >= 2 && self.objects.len() >= 10;
        let is_enough = several && self.steps.reaches(self.objects.len() as u64, READ);
        if !is_enough && !first_change {
            return;
        }
        let reason = format!(
            "{} of {} were {} on {} within {}; {} of {} callers of its role met only their own there ({}).",
            times(self.objects.len() as u64, "object"),
            times(self.owners.len() as u64, "other owner"),
            if changes { "changed" } else { "given out" },
            template(case.call),
            self.stretch.words(),
            object.own_callers,
            object.callers,
            object.basis.words(),
        );
        out.push(case.finding(&[u8::from(changes)], Severity::Critical, Outcome::Confirmed, 90, reason));
    }
}
