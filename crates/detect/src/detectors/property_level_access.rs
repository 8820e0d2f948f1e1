//! Properties of other roles in answers.

use crate::detector::{Case, Detector, DetectorInfo, Nature, Needs, Scope, StateKind};
use crate::facts::{Words, place, template};
use crate::tally::{Distinct, Steps, Stretch, times};
use crate::{Finding, Outcome, Severity};
use tapwire_inspect::classes::{ClassId, REPORTED, Sensitivity};
use tapwire_inspect::fields::{Field, FieldList, Step};
use tapwire_inspect::{name_words, plain_name};
use tapwire_inventory::{Call, Owned, Property};

pub(super) const INFO: DetectorInfo = DetectorInfo {
    name: "property-level-access",
    title: "A caller is given properties that only another role gets (BOPLA)",
    summary: "Answers to a caller had properties that other callers of its role never get at that endpoint and callers of another role get as a rule: an \
              internal note, a cost, somebody's number. Answers are compared where the query asks for the same; what belongs to the caller is compared with what \
              belongs to its peers, and counts once, since accounts differ; a property counts from the time that anybody has it, so that a release which adds one for all is none. \
              Two chances have to be small: that only the other role's objects happen to have it, and that this caller's happen to be the \
              first of its role with it, 1 in 1,000; 1 in 100 where its name says that it is internal, or its data are sensitive. \
              Where neither is so, twenty peers must lack it still after the caller had it, or the caller must have it on twelve objects within ten minutes: a release may come to some first. Properties that such callers send are told by `mass-assignment`.",
    owasp: "API3:2023 Broken Object Property Level Authorization",
    cwe: "CWE-213",
    attack: ("T1213", "Data from Information Repositories"),
    severity: "High for sensitive data and names such as internalNote or cost, Medium otherwise",
    scope: Scope::Principal,
    warm_up: "10 other callers of the role without the property, and another role with it; with one object of the caller's 99 of them, with three 17",
    next_steps: &[
        "Choose the properties of an answer by the caller's role, in the server, and name those that a role may have.",
        "Look by what this caller got them: a role of its own, a parameter, another version of the endpoint.",
    ],
    unjudged: "no caller whose token names a role was answered where another role is",
    needs: Needs {
        least: FEW,
        of: "other callers of one role at an endpoint that two roles call",
        seen: |call, _| call.relations.properties.as_ref().map_or(0, |properties| properties.peers.into()),
    },
    nature: Nature::USUAL,
    judges: |call| call.relations.properties.is_some(),
    concerns: |call| {
        let properties = call.relations.properties.as_ref();
        properties.is_some_and(|properties| properties.found.iter().any(|property| !property.in_request))
    },
    state: StateKind::of::<PropertyLevelAccess>(),
};

/// Callers of the role that must lack a property.
const FEW: u64 = 10;
/// How small chances have to be, and where the property itself says that it is not for all.
const CHANCE: f64 = 0.001;
const CHANCE_OF_PRIVATE: f64 = 0.01;
/// Callers that lack a property still, for each of their role that had it before: it is no release that comes to some first. Where one in
/// ten has it on trial, twenty in a row lack it in 12 of 100 cases.
const STILL: u32 = 20;
/// Objects on which who is the first of a release seldom has it, within so many seconds.
const MANY: usize = 12;
const SOON: i64 = 600;
/// Places of a caller that are kept.
const PLACES: usize = 8;

/// Words of names of what is not for all.
const PRIVATE: Words = Words::of(&[
    "internal",
    "admin",
    "staff",
    "private",
    "secret",
    "password",
    "passwd",
    "hash",
    "salary",
    "wage",
    "cost",
    "margin",
    "commission",
    "fraud",
    "risk",
    "kyc",
    "ssn",
    "debug",
    "permissions",
    "privileges",
    "blacklisted",
    "supplier",
]);

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct PropertyLevelAccess {
    places: Vec<Place>,
}

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct Place {
    place: u64,
    /// What it had properties of another role on.
    units: Distinct,
    steps: Steps,
    /// Of these, those of a few minutes.
    soon: Distinct,
    stretch: Stretch,
}

impl Place {
    fn add(&mut self, unit: u64) {
        self.units.add(unit);
        self.soon.add(unit);
    }
}

impl Detector for PropertyLevelAccess {
    const VERSION: u32 = 1;

    fn judge(&mut self, case: &Case<'_>, out: &mut Vec<Finding>) {
        let Some(properties) = &case.call.relations.properties else { return };
        let Some(list) = case.call.observation.response_payload.list.as_deref() else { return };
        let Some(place) = self.place(place(case.call)) else { return };
        place.stretch.renew(&mut place.soon, case.call.observation.exchange.started(), SOON, SOON);
        units(case.call, list).for_each(|unit| place.add(unit));
        let units = place.units.len() as u64;
        let field = |property: &Property| list.fields().iter().find(|field| field.hash == property.field);
        let answered = properties.found.iter().filter(|property| !property.in_request);
        let fields = answered.filter_map(|property| Some((property, field(property)?)));
        let told: Vec<_> = fields.filter(|(property, field)| is_told(property, list, field, place)).collect();
        let Some((worst, _)) = told.iter().max_by_key(|(property, _)| property.peers) else { return };
        if !place.steps.reaches(units, 1) {
            return;
        }
        let is_private = told.iter().any(|(_, field)| is_private(list, field));
        let (severity, confidence) = if is_private { (Severity::High, 80) } else { (Severity::Medium, 65) };
        let names: Vec<_> =
            told.iter().take(3).map(|(_, field)| format!("`{}`", plain_name(list.name(field), 32))).collect();
        let more = told.len().saturating_sub(names.len());
        let reason = format!(
            "{} gave a caller {}{}, on {}: about {} other callers of its role never had {} in {}{}, and callers of another role have {} in {} of {} cases.",
            template(case.call),
            names.join(", "),
            if more > 0 { format!(" and {more} more") } else { String::new() },
            place.units.words("object"),
            worst.peers,
            if told.len() == 1 { "it" } else { "these" },
            times(worst.calls.into(), "answer"),
            if worst.sharers > 0 { format!(", {} had", worst.sharers) } else { String::new() },
            if told.len() == 1 { "it" } else { "them" },
            worst.others.0,
            worst.others.1,
        );
        let key = place.place.to_le_bytes();
        out.push(case.finding(&key, severity, Outcome::Confirmed, confidence, reason));
    }
}

impl PropertyLevelAccess {
    /// What is known of a place; of too many, the first makes room.
    fn place(&mut self, place: u64) -> Option<&mut Place> {
        if !self.places.iter().any(|known| known.place == place) {
            if self.places.len() >= PLACES {
                self.places.remove(0);
            }
            self.places.push(Place { place, ..Place::default() });
        }
        self.places.iter_mut().find(|known| known.place == place)
    }
}

/// What an answer is about: the object that the request names, two of a list's, or nothing but the caller.
fn units(call: &Call, list: &FieldList) -> impl Iterator<Item = u64> {
    let is_own = call.relations.object.is_some_and(|object| object.owned == Owned::Own);
    let named = call.relations.named;
    let is_list = list.fields().iter().any(|field| field.step == Step::Element);
    let (one, most) = match () {
        () if is_own => (Some(0), 0),
        () if named != 0 => (Some(named), 0),
        () if is_list => (None, 2),
        () => (Some(0), 0),
    };
    let ids = list.ids().iter().filter(|id| !id.is_key).map(|id| id.hash).take(most);
    one.into_iter().chain(ids)
}

fn is_told(property: &Property, list: &FieldList, field: &Field, place: &Place) -> bool {
    let is_private = is_private(list, field);
    let chance = if is_private { CHANCE_OF_PRIVATE } else { CHANCE };
    u64::from(property.peers) >= FEW
        && (is_private || property.since >= STILL * (property.sharers + 1) || place.soon.len() >= MANY)
        && property.chance <= CHANCE
        && first(property.peers.into(), place.units.len() as u64) <= chance
}

/// How likely a caller's objects, of all that were met, are just those with a property, if nothing but chance says which have it:
/// one of the ways to choose so many.
fn first(peers: u64, units: u64) -> f64 {
    (1..=units.min(64)).fold(1.0, |chance, nth| chance * nth as f64 / (peers + nth) as f64)
}

fn is_private(list: &FieldList, field: &Field) -> bool {
    let sensitive = |class: u16| {
        let class = ClassId::from_number(class).and_then(ClassId::builtin);
        class.is_some_and(|class| class.sensitivity >= Sensitivity::High)
    };
    let named = std::str::from_utf8(list.name(field)).map_or_else(|_| Vec::new(), name_words);
    named.iter().any(|word| PRIVATE.has(word.as_bytes()))
        || field.classes.iter().any(|hits| hits.values > 0 && hits.score >= REPORTED && sensitive(hits.class))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_a_role_is_one_of_the_ways_to_choose() {
        assert!((first(99, 1) - 0.01).abs() < 1e-12);
        assert!((first(8, 2) - 1.0 / 45.0).abs() < 1e-12);
        assert!(first(17, 3) <= CHANCE && first(16, 3) > CHANCE - 5e-5);
    }
}
