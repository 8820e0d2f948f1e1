//! Properties of another role: in answers, and in what is sent (API3).

use super::abuse::MASS_ASSIGNMENT;
use super::{Attack, Kind, Outcomes};
use crate::apis::{BANK, CLINIC, Reach, Resource, SHOP};
use crate::exchange::Exchange;
use crate::views;
use crate::world::World;

/// The sort of things that the scenario's number chooses.
fn resource(attack: &Attack, set: bool) -> &'static Resource {
    let all = views::resources(attack.api, set);
    all[(attack.scenario.number() >> 40) as usize % all.len()]
}

/// Things that the acting user may read: of those that are its own, as many as there are.
fn object(attack: &Attack, world: &World, resource: &Resource) -> u32 {
    let nth = attack.nth as u32;
    match resource.reach {
        Reach::Public => (attack.scenario.number() as u32 % 700 + nth) % attack.api.users,
        _ => {
            let page = world.page(attack.api, resource, attack.user(), nth / 20, 20);
            page.get(nth as usize % page.len().max(1)).copied().unwrap_or_default()
        }
    }
}

pub(crate) static PROPERTY_ACCESS: Kind = Kind {
    name: "property_access",
    says: "has a server believe that it is staff: answers have what only staff is given",
    outcomes: Outcomes::Successful,
    steps: [16, 12, 60],
    step: |attack, world| {
        const HEADERS: &[(&str, &str)] =
            &[("X-View", "staff"), ("X-Internal", "1"), ("X-Client", "backoffice")];
        let resource = resource(attack, false);
        let object = object(attack, world, resource);
        let (name, value) = HEADERS[(attack.scenario.number() >> 50) as usize % HEADERS.len()];
        let usual = world.get(attack.api, resource, object).header(name, value);
        // Who finds it has seen what is usual before.
        let first = attack.nth < attack.clients.len() && attack.clients.len() < attack.steps() / 4;
        let exchange = if first { usual } else { world.as_staff(attack.api, resource, object, usual) };
        attack.say(world, &exchange);
    },
    ..MASS_ASSIGNMENT
};

pub(crate) static ROLE_ASSIGNMENT: Kind = Kind {
    name: "role_assignment",
    says: "sets what only staff sets, of what is its own; where it fails it is refused, or ignored",
    steps: [8, 6, 36],
    apis: &[&SHOP, &BANK, &CLINIC],
    step: |attack, world| {
        let resource = resource(attack, true);
        let object = object(attack, world, resource);
        let exchange = world.set_as_staff(attack.api, resource, object, 1);
        let ignored = world.update(attack.api, resource, object);
        match (attack.scenario.success, attack.scenario.number() >> 51 & 1) {
            (true, _) => attack.say(world, &exchange),
            (false, 0) => attack.say_either(world, exchange, (422, "not_allowed")),
            (false, _) => attack.say(world, &Exchange { answer: ignored.answer, ..exchange }),
        }
    },
    ..MASS_ASSIGNMENT
};
