//! Objects of others (API1), and data carried away.

use super::{ANY, Attack, Kind, Outcomes};
use crate::apis::{Ids, LAB, Owner, Reach, SAAS, SHOP};
use crate::exchange::Body;
use crate::rpc;
use crate::values::mix;

pub(super) const STEPS: [usize; 3] = [140, 90, 240];

pub(crate) static BOLA_READ: Kind = Kind {
    name: "bola_read",
    owasp: "API1",
    says: "reads objects of others, one id after the other",
    outcomes: Outcomes::Both,
    steps: STEPS,
    apis: ANY,
    begin: Attack::sign_in,
    step: |attack, world| {
        let resource = attack.resource(|resource| {
            matches!(resource.ids, Ids::Sequential(_)) && resource.owner != Owner::Nowhere
        });
        let object =
            attack.foreign(world, resource, attack.scenario.number() as u32 % 9_000 + attack.nth as u32);
        let refusal =
            if attack.scenario.number() >> 9 & 1 == 0 { (403, "forbidden") } else { (404, "not_found") };
        let exchange = world.get(attack.api, resource, object);
        attack.say_either(world, exchange, refusal);
    },
};

pub(crate) static BOLA_RANDOM: Kind = Kind {
    name: "bola_random",
    owasp: "API1",
    says: "reads objects of others by ids that it got elsewhere, in no order",
    step: |attack, world| {
        let resource =
            attack.resource(|resource| resource.ids == Ids::Uuid && resource.owner != Owner::Nowhere);
        let object = attack.foreign(world, resource, mix(attack.scenario.number(), attack.nth as u64) as u32);
        let exchange = world.get(attack.api, resource, object);
        attack.say_either(world, exchange, (403, "forbidden"));
    },
    ..BOLA_READ
};

pub(crate) static BOLA_WRITE: Kind = Kind {
    name: "bola_write",
    owasp: "API1",
    says: "changes and deletes objects of others",
    steps: [60, 40, 120],
    step: |attack, world| {
        let resource = attack.resource(|resource| resource.writable && resource.owner != Owner::Nowhere);
        let object = attack.foreign(world, resource, mix(attack.scenario.number(), attack.nth as u64) as u32);
        let exchange = match attack.nth % 3 {
            0 => world.about("DELETE", attack.api, resource, object),
            _ => world.update(attack.api, resource, object),
        };
        attack.say_either(world, exchange, (403, "forbidden"));
    },
    ..BOLA_READ
};

pub(crate) static BOLA_ENUM: Kind = Kind {
    name: "bola_enum",
    owasp: "API1",
    says: "walks a range of ids, of which half do not exist",
    step: |attack, world| {
        let resource = attack.resource(|resource| matches!(resource.ids, Ids::Sequential(_)));
        let object = attack.foreign(world, resource, 2_000 + attack.nth as u32);
        if attack.random.chance(0.5) {
            let gone = attack.api.users * resource.each + 50_000 + attack.nth as u32;
            let exchange =
                world.about("GET", attack.api, resource, gone).error(404, "not_found", "No such object");
            return attack.say(world, &exchange);
        }
        let exchange = world.get(attack.api, resource, object);
        attack.say_either(world, exchange, (403, "forbidden"));
    },
    ..BOLA_READ
};

pub(crate) static BOLA_UNOWNED: Kind = Kind {
    name: "bola_unowned",
    owasp: "API1",
    says: "reads objects of others that do not say whose they are",
    apis: &[&SHOP, &crate::apis::BANK, &crate::apis::CLINIC],
    step: |attack, world| {
        let resource = attack.resource(|resource| resource.owner == Owner::Nowhere);
        let object = attack.foreign(world, resource, mix(attack.scenario.number(), attack.nth as u64) as u32);
        let exchange = world.get(attack.api, resource, object);
        attack.say_either(world, exchange, (403, "forbidden"));
    },
    ..BOLA_READ
};

pub(crate) static BOLA_TENANT: Kind = Kind {
    name: "bola_tenant",
    owasp: "API1",
    says: "reads objects of other tenants",
    apis: &[&SAAS],
    step: |attack, world| {
        let resource = attack.resource(|resource| resource.reach == Reach::Tenant);
        let object = attack.foreign(world, resource, mix(attack.scenario.number(), attack.nth as u64) as u32);
        let exchange = world.get(attack.api, resource, object);
        attack.say_either(world, exchange, (404, "not_found"));
    },
    ..BOLA_READ
};

pub(crate) static BOLA_COLLEAGUES: Kind = Kind {
    name: "bola_colleagues",
    says: "reads payslips of others of its own tenant, whose name every object and the login carry",
    step: |attack, world| {
        let (payslips, tenants) = (SAAS.resource("payslips"), SAAS.tenants);
        let tenant = attack.user() % tenants;
        let mates = (SAAS.users - 1 - tenant) / tenants + 1;
        let mate = |from: u32| tenant + tenants * (from % mates);
        let first = attack.scenario.number() as u32 % mates + attack.nth as u32;
        let other = if mate(first) == attack.user() { mate(first + 1) } else { mate(first) };
        let object = SAAS.object_of(payslips, other, attack.nth as u32 / mates);
        let exchange = world.get(&SAAS, payslips, object);
        attack.say_either(world, exchange, (403, "forbidden"));
    },
    ..BOLA_TENANT
};

pub(crate) static BOLA_GRAPHQL: Kind = Kind {
    name: "bola_graphql",
    owasp: "API1",
    says: "asks for orders of others by GraphQL",
    apis: &[&SHOP],
    step: |attack, world| {
        let orders = SHOP.resource("orders");
        let object =
            attack.foreign(world, orders, attack.scenario.number() as u32 % 9_000 + attack.nth as u32);
        let mut exchange = rpc::order_query(world, object);
        if !attack.scenario.success {
            let refused = r#"{"data":{"order":null},"errors":[{"message":"Not authorized","path":["order"],"extensions":{"code":"FORBIDDEN"}}]}"#;
            exchange.persons.clear();
            exchange = exchange.answer(200, Body::json(refused));
        }
        attack.say(world, &exchange);
    },
    ..BOLA_READ
};

pub(crate) static BOLA_GRPC: Kind = Kind {
    name: "bola_grpc",
    owasp: "API1",
    says: "asks for laboratory results of others by gRPC",
    apis: &[&LAB],
    begin: |attack, world| attack.sign_in_to(world, &crate::apis::CLINIC, 0),
    step: |attack, world| {
        let result = (attack.scenario.number() as u32 % 2_000 + attack.nth as u32) * 8;
        let mut exchange = rpc::lab_result(world, result);
        if !attack.scenario.success {
            let asked = exchange.asked().get(5..).unwrap_or_default().to_vec();
            exchange = rpc::grpc("GetResult", &asked, &[], 7);
        }
        attack.say(world, &exchange);
    },
    ..BOLA_READ
};

pub(crate) static DENIED_PROBES: Kind = Kind {
    name: "denied_probes",
    owasp: "API1",
    says: "tries objects of all sorts and is refused",
    outcomes: Outcomes::Blocked,
    step: |attack, world| {
        let resource = &attack.api.resources[attack.nth % 3];
        let object = mix(attack.scenario.number(), attack.nth as u64) as u32 % 40_000;
        let (status, code) = if attack.random.chance(0.7) { (403, "forbidden") } else { (404, "not_found") };
        let exchange =
            world.about("GET", attack.api, resource, object).error(status, code, "The request was refused");
        attack.say(world, &exchange);
    },
    ..BOLA_READ
};

pub(crate) static POLLUTION: Kind = Kind {
    name: "parameter_pollution",
    owasp: "API1",
    says: "gives the owner twice: itself, then somebody else",
    steps: [50, 40, 90],
    step: |attack, world| {
        let resource = attack.resource(|resource| resource.reach == Reach::Own);
        let victim = (attack.user() + 1 + attack.nth as u32) % attack.api.users;
        let objects = world.page(attack.api, resource, victim, 0, 20);
        let mut exchange = world.list(attack.api, resource, &objects, 0, 20);
        let (me, other) = (world.subject(attack.api, attack.user()), world.subject(attack.api, victim));
        exchange.target = format!("{}?userId={me}&limit=20&userId={other}", resource.path);
        attack.say_either(world, exchange, (400, "duplicate_parameter"));
    },
    ..BOLA_READ
};

pub(crate) static EXFILTRATION: Kind = Kind {
    name: "insider_exfiltration",
    owasp: "API6",
    says: "staff carry away records of thousands",
    steps: [160, 60, 200],
    begin: |attack, world| {
        // Staff: behind the users.
        let first = attack.api.users;
        attack.mark = attack.random.next() % 4_000;
        let user = first + attack.random.below(attack.api.staff as usize) as u32;
        let identity = world.identity(attack.api, user);
        attack.own.insert(user);
        for client in &mut attack.clients {
            client.identity = Some(identity.clone());
        }
    },
    step: |attack, world| {
        let resource = attack.resource(|resource| matches!(resource.ids, Ids::Sequential(_)));
        let all = attack.api.users * resource.each;
        let first = attack.mark as u32 + attack.nth as u32 * 100;
        let objects: Vec<u32> = (first..first + 100).map(|object| object % all).collect();
        let exchange = world.list(attack.api, resource, &objects, first / 100, 100);
        attack.say_either(world, exchange, (403, "export_not_allowed"));
    },
    ..BOLA_READ
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apis::{BANK, CLINIC};

    #[test]
    fn the_first_object_of_a_user_is_that_users() {
        for api in [&SHOP, &BANK, &CLINIC, &SAAS] {
            for user in [0, 1, 17, api.users - 1] {
                for nth in 0..2 {
                    let object = u64::from(api.object_of(&api.resources[0], user, nth));
                    assert_eq!(object * 7_919 % u64::from(api.users), u64::from(user), "{}", api.name);
                }
            }
        }
    }

    #[test]
    fn numbers_of_users_are_primes() {
        for api in [&SHOP, &BANK, &CLINIC, &SAAS] {
            assert!((2..150).all(|divisor| api.users % divisor != 0), "{}", api.name);
        }
    }
}
