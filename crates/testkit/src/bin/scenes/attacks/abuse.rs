//! Properties, consumption, functions and business flows (API3 to API6).

use super::{ANY, Attack, Intensity, Kind, Outcomes};
use crate::apis::{BANK, CLINIC, Kind as Field, Reach, SHOP};
use crate::crowd;
use crate::exchange::{Body, Exchange};
use crate::people;
use crate::rpc;
use crate::values::{Person, mix, opaque, words};
use crate::world::{Release, SECOND, World};

pub(crate) static MASS_ASSIGNMENT: Kind = Kind {
    name: "mass_assignment",
    owasp: "API3",
    says: "sends properties that nobody sends: role, balance, verified",
    outcomes: Outcomes::Both,
    steps: [6, 5, 24],
    apis: ANY,
    begin: Attack::sign_in,
    step: |attack, world| {
        let (name, value) =
            [("role", r#""admin""#), ("isAdmin", "true"), ("verified", "true"), ("creditLimit", "99999")]
                [attack.nth % 4];
        let user = attack.user();
        let profile = world.profile(attack.api, user);
        let asked = Exchange::ask("PATCH", attack.api.me)
            .with(Body::json(format!(r#"{{"newsletter":true,"{name}":{value}}}"#)));
        let plain = profile.trim_end_matches('}').to_owned();
        let taken =
            plain.replace(r#""role":"customer""#, r#""role":"kept""#) + &format!(r#","{name}":{value}}}"#);
        // Where it is ignored, the answer is the usual one.
        let told = if attack.scenario.success { taken } else { profile };
        attack.say(world, &asked.answer(200, Body::json(told)));
    },
};

pub(crate) static EXCESSIVE_DATA: Kind = Kind {
    name: "excessive_data",
    owasp: "API3",
    says: "a release adds sensitive fields to one endpoint's answers; nobody attacks",
    outcomes: Outcomes::Successful,
    steps: [200, 100, 100],
    apis: &[&SHOP, &BANK, &CLINIC],
    begin: |attack, world| {
        const ADDED: &[(&str, Field)] = &[
            ("passwordHash", Field::PasswordHash),
            ("cardNumber", Field::Card),
            ("socialSecurityNumber", Field::Ssn),
        ];
        let resource = attack.resource(|resource| resource.reach == Reach::Own);
        // Lists and what answers a change give the fields away as well.
        let all = ["GET", "POST"].map(|method| format!("{method} {}", resource.path));
        attack.places.extend(all);
        attack.places.extend(["PUT", "PATCH"].map(|method| format!("{method} {}/*", resource.path)));
        attack.nobody = true;
        let until = world.now + attack.span();
        world.releases.push(Release {
            api: attack.api.name,
            resource: resource.name,
            from: world.now,
            until,
            fields: ADDED,
        });
        attack.sign_in(world);
    },
    // A customer like any other, so that the fields are surely seen.
    step: |attack, world| {
        let resource = attack.resource(|resource| resource.reach == Reach::Own);
        let object = attack.api.object_of(resource, attack.user(), attack.nth as u32);
        let exchange = world.get(attack.api, resource, object);
        attack.say(world, &exchange);
    },
};

pub(crate) static PAGE_SIZE: Kind = Kind {
    name: "resource_consumption",
    owasp: "API4",
    says: "asks for pages of thousands",
    steps: [40, 24, 80],
    step: |attack, world| {
        let api = attack.api;
        let resource = &api.resources[api.resources.len() - 1];
        let limit = [5_000, 10_000, 100_000][attack.nth % 3];
        let shown: Vec<u32> = (0..400).map(|nth| (nth + attack.nth as u32 * 400) % api.users).collect();
        let mut exchange = world.list(api, resource, &shown, 0, limit).takes(4 * SECOND);
        exchange.persons.clear();
        attack.say_either(world, exchange, (400, "limit_too_large"));
    },
    ..MASS_ASSIGNMENT
};

pub(crate) static DEEP: Kind = Kind {
    name: "graphql_deep",
    owasp: "API4",
    says: "nests GraphQL fields twenty levels deep",
    steps: [20, 15, 50],
    apis: &[&SHOP],
    step: |attack, world| {
        let depth = 18 + attack.nth % 10;
        let query = format!(
            "query Deep {{ me {}id{} }}",
            "{ orders { customer ".repeat(depth) + "{ ",
            "} }".repeat(depth) + " }"
        );
        let data = r#"{"me":{"orders":[{"customer":{"orders":[]}}]}}"#;
        graphql_step(attack, world, "Deep", &query, data, 3 * SECOND, "Query depth limit of 10 exceeded");
    },
    ..MASS_ASSIGNMENT
};

pub(crate) static ALIASES: Kind = Kind {
    name: "graphql_aliases",
    owasp: "API4",
    says: "asks for the same field by hundreds of aliases",
    step: |attack, world| {
        let fields: Vec<String> =
            (0..180).map(|nth| format!("a{nth}: product(id: \"{nth}\") {{ id price }}")).collect();
        let query = format!("query Many {{ {} }}", fields.join(" "));
        let data: Vec<String> =
            (0..180).map(|nth| format!(r#""a{nth}":{{"id":"{nth}","price":{}.5}}"#, nth % 90)).collect();
        let data = format!("{{{}}}", data.join(","));
        graphql_step(attack, world, "Many", &query, &data, 2 * SECOND, "Too many aliases");
    },
    ..DEEP
};

pub(crate) static BATCHING: Kind = Kind {
    name: "graphql_batching",
    owasp: "API4",
    says: "sends hundreds of operations in one request",
    step: |attack, world| {
        let one =
            r#"{"operationName":"P","query":"query P { product(id: \"1\") { price } }","variables":{}}"#;
        let batch = format!("[{}]", vec![one; 120].join(","));
        let told = format!("[{}]", vec![r#"{"data":{"product":{"price":9.5}}}"#; 120].join(","));
        let asked = Exchange::ask("POST", "/graphql").with(Body::json(batch));
        attack.say_either(
            world,
            asked.answer(200, Body::json(told)).takes(2 * SECOND),
            (400, "batching_disabled"),
        );
    },
    ..DEEP
};

fn graphql_step(
    attack: &mut Attack,
    world: &mut World,
    name: &str,
    query: &str,
    data: &str,
    takes: i64,
    no: &str,
) {
    let mut exchange = rpc::graphql(name, query, "{}", data).takes(takes);
    if !attack.scenario.success {
        let refused = format!(
            r#"{{"errors":[{{"message":"{no}","extensions":{{"code":"GRAPHQL_VALIDATION_FAILED"}}}}]}}"#
        );
        exchange = exchange.answer(400, Body::json(refused)).takes(2_000_000);
    }
    attack.say(world, &exchange);
}

pub(crate) static SLOW_REQUESTS: Kind = Kind {
    name: "slow_requests",
    owasp: "API4",
    says: "sends requests a few bytes at a time and holds connections",
    steps: [30, 20, 60],
    apis: ANY,
    begin: super::nothing,
    step: |attack, world| {
        let padding = words(attack.nth as u64, 60, " ");
        let mut exchange =
            Exchange::ask("POST", attack.api.login).with(Body::json(format!(r#"{{"comment":"{padding}"}}"#)));
        exchange.slow = if attack.scenario.intensity == Intensity::Fast { 2 * SECOND } else { 4 * SECOND };
        exchange = exchange.error(408, "timeout", "The request took too long");
        if attack.scenario.success {
            exchange = exchange.error(503, "overloaded", "No worker is free");
        }
        exchange.anonymous = true;
        attack.say(world, &exchange);
    },
    ..MASS_ASSIGNMENT
};

pub(crate) static LIMIT_IGNORED: Kind = Kind {
    name: "limit_ignored",
    owasp: "API4",
    says: "goes on although the limit is used up; success means that it is advertised and not enforced",
    steps: [220, 90, 260],
    step: |attack, world| {
        let left = 40_usize.saturating_sub(attack.nth % 200);
        let exchange = world.me(attack.api, attack.user());
        let refused = left == 0 && !attack.scenario.success;
        let exchange = if refused { attack.refuse(exchange, (429, "too_many_requests")) } else { exchange };
        let exchange = exchange.says("RateLimit-Limit", "40").says("RateLimit-Remaining", left.to_string());
        attack.say(world, &exchange.says("RateLimit-Reset", "3600"));
    },
    ..MASS_ASSIGNMENT
};

pub(crate) static BFLA: Kind = Kind {
    name: "bfla",
    owasp: "API5",
    says: "a usual user calls operations of admins",
    steps: [20, 16, 40],
    step: |attack, world| {
        let exchange = crowd::admin_call(
            world,
            attack.api,
            attack.nth,
            mix(attack.scenario.number(), attack.nth as u64),
        );
        attack.say_either(world, exchange, (403, "forbidden"));
    },
    ..MASS_ASSIGNMENT
};

pub(crate) static METHOD_SWAP: Kind = Kind {
    name: "method_swap",
    owasp: "API5",
    says: "swaps the method where only GET is known, or hides it in a header",
    steps: [24, 16, 40],
    step: |attack, world| {
        let resource = attack.resource(|resource| !resource.writable);
        let object = attack.api.object_of(resource, attack.user(), attack.nth as u32);
        let method = ["PUT", "DELETE", "PATCH"][attack.nth % 3];
        let mut exchange = world.about(method, attack.api, resource, object);
        if attack.nth % 4 == 3 {
            exchange.method = "POST";
            exchange = exchange.header("X-HTTP-Method-Override", "DELETE");
        }
        let told = exchange.answer(200, Body::json(r#"{"status":"changed"}"#));
        attack.say_either(world, told, (405, "method_not_allowed"));
    },
    ..MASS_ASSIGNMENT
};

pub(crate) static SCRAPING: Kind = Kind {
    name: "scraping",
    owasp: "API6",
    says: "walks all that is public, with a browser's name",
    steps: [300, 160, 500],
    apis: &[&SHOP, &BANK, &CLINIC],
    begin: super::nothing,
    step: |attack, world| {
        let public = attack.api.resources.iter().find(|resource| resource.reach == Reach::Public);
        let Some(resource) = public else { return };
        let exchange = world.get(
            attack.api,
            resource,
            (attack.nth as u32 + attack.scenario.number() as u32 % 500) % attack.api.users,
        );
        let exchange = Exchange { persons: Vec::new(), ..exchange };
        attack.say_either(world, exchange, (429, "too_many_requests"));
    },
    ..MASS_ASSIGNMENT
};

pub(crate) static BOT: Kind = Kind {
    name: "bot_timing",
    owasp: "API6",
    says: "looks for stock at intervals that no human keeps, with a browser's name",
    steps: [240, 120, 360],
    apis: &[&SHOP],
    begin: |attack, world| {
        attack.sign_in(world);
        attack.pace = Some(attack.mean_gap());
    },
    step: |attack, world| {
        let products = SHOP.resource("products");
        let exchange =
            world.get(&SHOP, products, attack.scenario.number() as u32 % 900 + attack.nth as u32 % 3);
        attack.say_either(world, exchange, (429, "too_many_requests"));
    },
    ..MASS_ASSIGNMENT
};

pub(crate) static SIGN_UPS: Kind = Kind {
    name: "mass_signup",
    owasp: "API6",
    says: "creates accounts with addresses of one pattern",
    steps: [120, 60, 200],
    begin: super::nothing,
    step: |attack, world| {
        let hash = mix(attack.scenario.number(), attack.nth as u64);
        let mail = format!("{}{}@example.org", words(attack.scenario.number(), 1, ""), 1_000 + attack.nth);
        let body = format!(
            r#"{{"name":"{}","email":"{mail}","password":"{}"}}"#,
            Person(hash).name(),
            opaque(hash, 12)
        );
        let told = Body::json(format!(r#"{{"id":"{}","status":"created"}}"#, 900_000 + attack.nth));
        let mut exchange =
            Exchange::ask("POST", people::sign_up_path(attack.api)).with(Body::json(body)).answer(201, told);
        exchange.anonymous = true;
        attack.say_either(world, exchange, (429, "too_many_requests"));
    },
    ..MASS_ASSIGNMENT
};

pub(crate) static FLOW_SKIPPING: Kind = Kind {
    name: "flow_skipping",
    owasp: "API6",
    says: "confirms orders without paying, transfers without the one-time password",
    steps: [20, 14, 40],
    apis: &[&SHOP, &BANK],
    step: |attack, world| {
        let Some(steps) = people::flow(attack.api) else { return };
        let path = steps[attack.nth % 2 * 2];
        let reference = format!(r#"{{"reference":"{}"}}"#, opaque(attack.nth as u64 / 2, 10));
        let told =
            Body::json(format!(r#"{{"reference":"{}","status":"ok"}}"#, opaque(attack.nth as u64 / 2, 10)));
        let exchange =
            Exchange::ask("POST", path).with(Body::json(reference)).answer(200, told).takes(18_000_000);
        if attack.nth % 2 == 0 {
            attack.say(world, &exchange)
        } else {
            attack.say_either(world, exchange, (409, "step_missing"))
        }
    },
    ..MASS_ASSIGNMENT
};

pub(crate) static COUPONS: Kind = Kind {
    name: "coupon_guessing",
    owasp: "API6",
    says: "tries vouchers until some count",
    steps: [180, 80, 260],
    apis: &[&SHOP],
    step: |attack, world| {
        let code = opaque(mix(attack.scenario.number(), attack.nth as u64), 8).to_ascii_uppercase();
        let asked =
            Exchange::ask("POST", "/api/v1/cart/coupon").with(Body::json(format!(r#"{{"code":"{code}"}}"#)));
        let exchange = match attack.scenario.success && attack.nth % 45 == 44 {
            true => asked.answer(200, Body::json(r#"{"discount":15,"currency":"EUR"}"#)),
            false => asked.error(404, "unknown_coupon", "This voucher does not exist"),
        };
        attack.say(world, &exchange);
    },
    ..MASS_ASSIGNMENT
};
