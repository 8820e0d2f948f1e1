//! What sorts of sensitive data passed.

use super::{Mark, Marks};
use crate::Observation;
use crate::classes::{ClassId, ClassKind, REPORTED, Sensitivity};
use crate::fields::{ClassHits, FieldList, Step};

/// What answers are looked through for.
const ANSWERED: &[Mark] = &[
    Mark::AnswerSensitive,
    Mark::AnswerFinancial,
    Mark::AnswerNationalId,
    Mark::AnswerHealth,
    Mark::AnswerPersonal,
    Mark::AnswerOwn,
    Mark::AnswerCard,
    Mark::AnswerCardSecret,
    Mark::AnswerKey,
    Mark::AnswerPassword,
];

pub(super) fn mark(marks: &mut Marks, observation: &Observation) {
    if let Some(list) = observation.request_fields.as_deref() {
        let in_url = |step: Step| matches!(step, Step::Segment | Step::Query);
        each(list, in_url, |class, _| {
            marks.set(Mark::UrlSensitive, is_sensitive(class));
            marks.set(Mark::RequestSensitive, is_sensitive(class));
            marks.set(Mark::UrlPersonal, Mark::UrlPersonal.means(class) == Some(true));
        });
    }
    if let Some(list) = observation.request_payload.list.as_deref() {
        each(list, |_| true, |class, _| marks.set(Mark::RequestSensitive, is_sensitive(class)));
    }
    if let Some(list) = observation.response_payload.list.as_deref().filter(|_| marks.contains(Mark::Ok)) {
        each(list, |_| true, |class, real| answered(marks, class, real));
    }
}

/// Tells the classes of a list's fields, and whether some of their values are none for tests.
fn each(list: &FieldList, wanted: impl Fn(Step) -> bool, mut tell: impl FnMut(ClassId, bool)) {
    let counts = |hits: &&ClassHits| hits.values > 0 && hits.reported > 0 && hits.score >= REPORTED;
    for field in list.fields().iter().filter(|field| wanted(field.step)) {
        for hits in field.classes.iter().take_while(|hits| hits.values > 0).filter(counts) {
            if let Some(class) = ClassId::from_number(hits.class) {
                tell(class, hits.reported > hits.tests);
            }
        }
    }
}

fn answered(marks: &mut Marks, class: ClassId, real: bool) {
    for mark in ANSWERED {
        let counts = *mark != Mark::AnswerCard || real;
        marks.set(*mark, counts && mark.means(class) == Some(true));
    }
}

impl Mark {
    /// Whether data of a class makes this mark; `None` where it is not about data.
    pub fn means(self, class: ClassId) -> Option<bool> {
        let kind = kind(class);
        let is = |wanted: ClassKind| kind == Some(wanted);
        let named = |names: &[&str]| class.builtin().is_some_and(|class| names.contains(&class.name));
        Some(match self {
            Self::UrlSensitive | Self::RequestSensitive | Self::AnswerSensitive => is_sensitive(class),
            Self::UrlPersonal | Self::AnswerPersonal => is(ClassKind::Personal),
            Self::AnswerFinancial => is(ClassKind::Financial),
            Self::AnswerNationalId => is(ClassKind::NationalId),
            Self::AnswerHealth => is(ClassKind::Health),
            Self::AnswerOwn => kind.is_none(),
            Self::AnswerCard => named(&["card"]),
            Self::AnswerCardSecret => named(&["cvv", "card-pin", "card-track"]),
            Self::AnswerPassword => named(&["password"]),
            // Without what a login hands out, and what its name alone makes a key.
            Self::AnswerKey => {
                is(ClassKind::Secret) && !named(&["jwt", "basic-credentials", "api-key", "password"])
            }
            _ => return None,
        })
    }
}

fn kind(class: ClassId) -> Option<ClassKind> {
    class.builtin().map(|class| class.kind)
}

/// What does harm when others see it. Credentials are none of it: every call that proves who calls has one.
fn is_sensitive(class: ClassId) -> bool {
    let of_kind =
        matches!(kind(class), Some(ClassKind::Financial | ClassKind::NationalId | ClassKind::Health));
    of_kind && class.builtin().is_some_and(|class| class.sensitivity >= Sensitivity::High)
}
