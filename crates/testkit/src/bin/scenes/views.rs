//! What staff alone is given of things, and what it alone sets, beside what all are.

use crate::apis::{Api, Kind, Resource};
use crate::exchange::{Body, Exchange};
use crate::json::Json;
use crate::server::write_field;
use crate::values::Person;
use crate::world::World;

/// Members that things of a sort have for staff.
#[derive(Debug)]
pub(crate) struct View {
    api: &'static str,
    resource: &'static str,
    /// In answers.
    given: &'static [(&'static str, Kind)],
    /// In what staff sends to change them; empty where it changes none.
    set: &'static [(&'static str, Kind)],
}

const GRADES: Kind = Kind::Status(&["low", "medium", "high"]);

static VIEWS: &[View] = &[
    View {
        api: "shop",
        resource: "orders",
        given: &[("margin", Kind::Amount), ("handledBy", Kind::Title)],
        set: &[("paid", Kind::Flag), ("discount", Kind::Amount)],
    },
    View {
        api: "shop",
        resource: "products",
        given: &[("costPrice", Kind::Amount), ("shelf", Kind::Title)],
        set: &[],
    },
    View {
        api: "bank",
        resource: "accounts",
        given: &[("riskClass", GRADES), ("lastReview", Kind::Time)],
        set: &[],
    },
    View {
        api: "bank",
        resource: "cards",
        given: &[("score", Kind::Count), ("branch", Kind::City)],
        set: &[("creditLine", Kind::Amount), ("tier", GRADES)],
    },
    View {
        api: "bank",
        resource: "branches",
        given: &[("safeCapacity", Kind::Amount), ("guards", Kind::Count)],
        set: &[],
    },
    View {
        api: "clinic",
        resource: "appointments",
        given: &[("internalNote", Kind::Sentence), ("room", Kind::Count)],
        set: &[("verified", Kind::Flag), ("status", Kind::Status(&["planned", "seen"]))],
    },
    View {
        api: "clinic",
        resource: "doctors",
        given: &[("salaryGrade", Kind::Count), ("pager", Kind::Phone)],
        set: &[],
    },
    View {
        api: "saas",
        resource: "tickets",
        given: &[("fraudScore", Kind::Count), ("queue", Kind::Title)],
        set: &[],
    },
    View {
        api: "saas",
        resource: "shares",
        given: &[("scanner", Kind::Title), ("reports", Kind::Count)],
        set: &[],
    },
];

impl View {
    /// Whether staff changes such things.
    pub(crate) const fn sets(&self) -> bool {
        !self.set.is_empty()
    }
}

/// What staff has of things of a sort.
pub(crate) fn of(api: &Api, resource: &Resource) -> Option<&'static View> {
    VIEWS.iter().find(|view| view.api == api.name && view.resource == resource.name)
}

/// Sorts of things of which staff has more, or sets more.
pub(crate) fn resources(api: &'static Api, set: bool) -> Vec<&'static Resource> {
    let suits = |resource: &&Resource| of(api, resource).is_some_and(|view| !set || view.sets());
    api.resources.iter().filter(suits).collect()
}

impl World {
    /// An answer about an object as staff has it.
    pub(crate) fn as_staff(
        &self,
        api: &Api,
        resource: &Resource,
        object: u32,
        mut exchange: Exchange,
    ) -> Exchange {
        if let (Some(view), Some(told)) = (of(api, resource), exchange.answer.take()) {
            exchange.answer = Some(extended(told, view.given, u64::from(object)));
        }
        exchange
    }

    /// A change of an object by what staff alone sets.
    pub(crate) fn set_as_staff(&self, api: &Api, resource: &Resource, object: u32, nth: u64) -> Exchange {
        let mut exchange = self.update(api, resource, object);
        let set: &[_] = of(api, resource).map_or(&[], |view| view.set);
        exchange.body = exchange.body.take().map(|body| extended(body, set, nth));
        exchange.answer = exchange.answer.take().map(|told| extended(told, set, nth));
        exchange
    }
}

/// A JSON object with further members.
pub(crate) fn extended(body: Body, fields: &[(&'static str, Kind)], hash: u64) -> Body {
    let mut json = Json::new();
    for (name, kind) in fields {
        write_field(&mut json, name, *kind, Person(hash), hash);
    }
    let (mut bytes, more) = (body.bytes, json.end());
    if let Some(members) = more.strip_prefix('{').filter(|members| *members != "}") {
        bytes.truncate(bytes.len() - 1);
        if !bytes.ends_with(b"{") {
            bytes.push(b',');
        }
        bytes.extend_from_slice(members.as_bytes());
    }
    Body { bytes, ..body }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apis::{BANK, CLINIC, PEOPLES, SHOP};

    #[test]
    fn every_view_is_of_things_that_there_are() {
        let of_services: usize = PEOPLES.into_iter().map(|api| resources(api, false).len()).sum();
        assert_eq!(of_services, VIEWS.len());
        assert!([&SHOP, &BANK, &CLINIC].into_iter().all(|api| !resources(api, true).is_empty()));
    }

    #[test]
    fn an_object_keeps_what_it_has() {
        let fields = &[("open", Kind::Flag)];
        let told = |text: &str| extended(Body::json(text), fields, 1).bytes;
        assert!(told(r#"{"id":1}"#).starts_with(br#"{"id":1,"open":"#));
        assert!(told("{}").starts_with(br#"{"open":"#));
        assert_eq!(extended(Body::json("{}"), &[], 1).bytes, b"{}");
    }
}
