//! Which data classes an endpoint's messages carry.

use crate::{Endpoint, Node};
use std::collections::BTreeMap;
use tapwire_inspect::classes::{ClassId, ClassKind, Sensitivity};

/// A data class in the messages of an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Carried {
    /// Which one.
    pub class: ClassId,
    /// Fields of requests that are of it, parameters included.
    pub in_requests: u32,
    /// Fields of answers, header fields included.
    pub in_answers: u32,
}

impl Carried {
    /// How bad it is when others see it; a class of the configuration is as bad as what names a person.
    pub fn sensitivity(&self) -> Sensitivity {
        self.class.builtin().map_or(Sensitivity::Medium, |class| class.sensitivity)
    }

    /// Whether it is a secret. What callers prove themselves with comes with every call of them, and what a login hands out
    /// with every login: neither says what the endpoint holds.
    pub fn is_credential(&self) -> bool {
        let Some(class) = self.class.builtin() else { return false };
        let handed_out = matches!(class.name, "jwt" | "basic-credentials" | "api-key");
        class.kind == ClassKind::Secret && (handed_out || self.in_answers == 0)
    }
}

impl Endpoint {
    /// The data classes that fields of its messages are tagged with, in the order of their registry.
    pub fn data_classes(&self) -> Vec<Carried> {
        let Some(schemas) = self.schemas() else { return Vec::new() };
        let asked = schemas.requests().iter().map(|body| &body.schema).chain([schemas.parameters()]);
        let answered = schemas.answers().iter().map(|answer| &answer.body.schema).chain([schemas.headers()]);
        let mut found: BTreeMap<ClassId, [u32; 2]> = BTreeMap::new();
        let mut add = |node: &Node, side: usize| {
            for class in node.data_classes() {
                let counts = found.entry(class).or_default();
                counts.get_mut(side).into_iter().for_each(|count| *count += 1);
            }
        };
        asked.flat_map(|schema| schema.nodes()).for_each(|node| add(node, 0));
        answered.flat_map(|schema| schema.nodes()).for_each(|node| add(node, 1));
        let all = found.into_iter();
        all.map(|(class, [in_requests, in_answers])| Carried { class, in_requests, in_answers }).collect()
    }
}
