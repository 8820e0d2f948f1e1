//! Properties that answers give by role, and what looks like a difference of roles and is none.

use super::world::{Client, World, token};
use crate::{Outcome, Severity};

const NAME: &str = "property-level-access";

fn caller(nth: u8, role: &str) -> Client {
    let claims = format!(r#"{{"sub":"{role}{nth}","role":"{role}","exp":1800000000}}"#);
    Client::at(nth).with(&token(r#"{"alg":"HS256"}"#, &claims))
}

fn customer(nth: u8) -> Client {
    caller(nth, "customer")
}

fn staff(nth: u8) -> Client {
    caller(200 + nth % 4, "staff")
}

fn plain(id: u32) -> String {
    format!(r#"{{"id":{id},"name":"thing","price":12.5}}"#)
}

fn priced(id: u32) -> String {
    format!(r#"{{"id":{id},"name":"thing","price":12.5,"costPrice":7.1,"shelf":"A{id}"}}"#)
}

/// Staff and customers read things; `answer` says what each gets of one.
fn reads(world: &mut World, customers: u8, path: &str, answer: impl Fn(&str, u32) -> String) {
    for nth in 0..customers {
        let id = 500 + u32::from(nth) * 3 % 40;
        if nth % 4 == 0 {
            world.get(&staff(nth / 4), &format!("{path}/{id}"), &answer("staff", id));
        }
        world.get(&customer(nth), &format!("{path}/{id}"), &answer("customer", id));
    }
}

fn by_role(role: &str, id: u32) -> String {
    if role == "staff" { priced(id) } else { plain(id) }
}

fn told(world: &World) -> usize {
    world.found.iter().filter(|finding| finding.detector == NAME).count()
}

#[test]
fn who_is_given_what_only_another_role_gets_is_told() {
    let mut world = World::new();
    reads(&mut world, 60, "/things", by_role);
    assert_eq!(told(&world), 0, "{:?}", world.found);
    let thief = customer(90);
    for (nth, id) in (503..506).enumerate() {
        world.get(&thief, &format!("/things/{id}"), &priced(id));
        assert_eq!(told(&world), usize::from(nth > 0), "{nth}");
    }
    let (severity, outcome, reason) = world.one(NAME);
    assert_eq!((severity, outcome), (Severity::High, Outcome::Confirmed));
    assert!(
        reason.starts_with("/things/{thingId} gave a caller `costPrice`, on 2 objects: about "),
        "{reason}"
    );
}

#[test]
fn what_is_null_for_a_role_is_hidden_from_it() {
    let hidden = |id: u32| format!(r#"{{"id":{id},"name":"thing","price":12.5,"costPrice":null}}"#);
    let mut world = World::new();
    reads(&mut world, 60, "/things", |role, id| if role == "staff" { priced(id) } else { hidden(id) });
    (503..506).for_each(|id| {
        world.get(&customer(90), &format!("/things/{id}"), &priced(id));
    });
    assert_eq!(told(&world), 1);
}

#[test]
fn a_property_that_says_nothing_by_its_name_is_told_when_peers_lack_it_still() {
    let shelved = |id: u32| format!(r#"{{"id":{id},"name":"thing","shelf":"A{id}"}}"#);
    let bare = |id: u32| format!(r#"{{"id":{id},"name":"thing"}}"#);
    let answer = |role: &str, id: u32| if role == "staff" { shelved(id) } else { bare(id) };
    let mut world = World::new();
    reads(&mut world, 60, "/things", answer);
    (503..508).for_each(|id| {
        world.get(&customer(90), &format!("/things/{id}"), &shelved(id));
    });
    assert_eq!(told(&world), 0, "it may be a release that begins with it");
    reads(&mut world, 30, "/things", answer);
    world.get(&customer(90), "/things/510", &shelved(510));
    assert_eq!(world.one(NAME).0, Severity::Medium);
}

#[test]
fn many_things_at_once_of_one_caller_are_no_release_that_begins() {
    let shelved = |id: u32| format!(r#"{{"id":{id},"name":"thing","shelf":"A{id}"}}"#);
    let bare = |id: u32| format!(r#"{{"id":{id},"name":"thing"}}"#);
    let reading = |pause: i64| {
        let mut world = World::new();
        reads(&mut world, 60, "/things", |role, id| if role == "staff" { shelved(id) } else { bare(id) });
        for id in 600..612 {
            assert_eq!(told(&world), 0, "{id}");
            world.now += pause;
            world.get(&customer(90), &format!("/things/{id}"), &shelved(id));
        }
        told(&world)
    };
    assert_eq!([reading(1), reading(120)], [1, 0]);
}

#[test]
fn who_has_something_on_trial_is_told_of_seldom() {
    let shelved = |id: u32| format!(r#"{{"id":{id},"name":"thing","shelf":"A{id}"}}"#);
    let bare = |id: u32| format!(r#"{{"id":{id},"name":"thing"}}"#);
    let mut world = World::new();
    reads(&mut world, 60, "/things", |role, id| if role == "staff" { shelved(id) } else { bare(id) });
    for nth in 0..60_u8 {
        for id in 600..605 {
            let answer = if nth % 25 == 0 { shelved(id) } else { bare(id) };
            world.get(&customer(nth), &format!("/things/{id}"), &answer);
        }
    }
    assert_eq!(told(&world), 0, "{:?}", world.found);
}

#[test]
fn with_few_peers_nothing_is_said() {
    let mut world = World::new();
    reads(&mut world, 8, "/things", by_role);
    (503..523).for_each(|id| {
        world.get(&customer(90), &format!("/things/{id}"), &priced(id));
    });
    assert_eq!(told(&world), 0);
}

#[test]
fn a_property_of_some_things_is_no_other_roles() {
    let mut world = World::new();
    let answer = |_: &str, id: u32| if id.is_multiple_of(9) { priced(id) } else { plain(id) };
    reads(&mut world, 120, "/things", answer);
    // One of a hundred has it: staff see it as seldom as others.
    let answer = |_: &str, id: u32| if id == 777 { priced(id) } else { plain(id) };
    let mut rare = World::new();
    reads(&mut rare, 120, "/things", answer);
    for _ in 0..3 {
        rare.get(&customer(90), "/things/777", &priced(777));
    }
    assert_eq!([told(&world), told(&rare)], [0, 0]);
}

#[test]
fn what_is_asked_for_by_a_parameter_is_no_difference_of_roles() {
    let mut world = World::new();
    reads(&mut world, 60, "/things", by_role);
    for id in 503..509 {
        for query in ["expand=costs", "fields=id,name,costPrice", "full=1"] {
            world.get(&customer(90), &format!("/things/{id}?{query}"), &priced(id));
        }
    }
    // Where peers ask for other fields, too.
    for nth in 0..60 {
        world.get(&customer(nth), &format!("/things/{}?fields=id,name", 500 + u32::from(nth)), &plain(500));
        world.get(
            &staff(nth),
            &format!("/things/{}?fields=id,costPrice", 500 + u32::from(nth)),
            &priced(500),
        );
    }
    for id in 503..509 {
        world.get(&customer(91), &format!("/things/{id}?fields=id,costPrice"), &priced(id));
    }
    assert_eq!(told(&world), 0, "{:?}", world.found);
}

#[test]
fn ones_own_record_has_more_than_others_records() {
    let mut world = World::new();
    let whole = |id: &str| format!(r#"{{"id":"{id}","name":"x","riskLevel":"low","salary":1}}"#);
    let short = |id: &str| format!(r#"{{"id":"{id}","name":"x"}}"#);
    for nth in 0..70_u8 {
        let (own, other) = (format!("customer{nth}"), format!("customer{}", (nth + 1) % 70));
        world.get(&customer(nth), &format!("/profiles/{other}"), &short(&other));
        world.get(&staff(nth), &format!("/profiles/{other}"), &whole(&other));
        if nth == 40 {
            (0..4).for_each(|_| {
                world.get(&customer(nth), &format!("/profiles/{own}"), &whole(&own));
            });
        }
    }
    assert_eq!(told(&world), 0, "{:?}", world.found);
}

#[test]
fn accounts_differ_in_what_is_their_own() {
    let mut world = World::new();
    let order = |id: u32, user: &str, more: &str| format!(r#"{{"id":{id},"customer_id":"{user}"{more}}}"#);
    let company = r#","purchaseNumber":"P-7","costCentre":"4711""#;
    for nth in 0..80_u8 {
        let (id, user) = (1000 + u32::from(nth), format!("customer{nth}"));
        world.get(&customer(nth), &format!("/orders/{id}"), &order(id, &user, ""));
        world.get(&staff(nth), &format!("/orders/{id}"), &order(id, &user, company));
    }
    for id in 2000..2020 {
        world.get(&customer(90), &format!("/orders/{id}"), &order(id, "customer90", company));
    }
    assert_eq!(told(&world), 0, "{:?}", world.found);
}

#[test]
fn a_release_that_adds_a_property_is_none() {
    let mut world = World::new();
    reads(&mut world, 60, "/things", |_, id| plain(id));
    reads(&mut world, 60, "/things", |_, id| priced(id));
    // For staff a week before all others.
    let shelved = |id: u32| format!(r#"{{"id":{id},"name":"thing","shelf":"A{id}"}}"#);
    let bare = |id: u32| format!(r#"{{"id":{id},"name":"thing"}}"#);
    reads(&mut world, 60, "/parts", |role, id| if role == "staff" { shelved(id) } else { bare(id) });
    world.now += 7 * 86_400;
    for _ in 0..3 {
        reads(&mut world, 60, "/parts", |_, id| shelved(id));
    }
    assert_eq!(told(&world), 0, "{:?}", world.found);
}

#[test]
fn read_twice_the_first_call_of_all_is_judged() {
    let world = World::twice(|world| {
        (503..509).for_each(|id| {
            world.get(&customer(90), &format!("/things/{id}"), &priced(id));
        });
        reads(world, 60, "/things", by_role);
    });
    assert_eq!(told(&world), 1, "{:?}", world.found);
}

#[test]
fn a_field_that_another_role_sends_is_not_for_all() {
    let mut world = World::new();
    let change = |world: &mut World, who: &Client, nth: u8, role: &str, body: &str| {
        world.call(who, &format!("PATCH /profiles/{}", 700 + u32::from(nth)), body, 200, role);
    };
    for nth in 0..40_u8 {
        change(&mut world, &staff(nth), nth, r#"{"role":"editor"}"#, r#"{"name":"x","role":"editor"}"#);
        change(&mut world, &customer(nth), nth, r#"{"role":"customer"}"#, r#"{"name":"y"}"#);
    }
    let told = |world: &World| world.found.iter().filter(|one| one.detector == "mass-assignment").count();
    assert_eq!(told(&world), 0, "{:?}", world.found);
    let change = |world: &mut World, who: u8, status: u16, answer: &str| {
        world.found.clear();
        let line = format!("PATCH /profiles/{}", 700 + u32::from(who));
        world.call(&customer(who), &line, r#"{"name":"y","role":"editor"}"#, status, answer);
    };
    change(&mut world, 90, 200, r#"{"role":"customer"}"#);
    assert_eq!(world.one("mass-assignment").1, Outcome::NoEffect);
    change(&mut world, 91, 403, r#"{"error":"forbidden"}"#);
    let (severity, outcome, _) = world.one("mass-assignment");
    assert_eq!((severity, outcome), (Severity::Low, Outcome::Blocked));
    change(&mut world, 92, 200, r#"{"role":"editor"}"#);
    let (severity, outcome, reason) = world.one("mass-assignment");
    assert_eq!((severity, outcome), (Severity::High, Outcome::Confirmed));
    assert!(reason.contains("other callers of its role never sent it"), "{reason}");
}

#[test]
fn the_first_of_a_role_sends_what_its_role_sends() {
    let mut world = World::new();
    for nth in 0..40_u8 {
        world.call(
            &customer(nth),
            &format!("PATCH /profiles/7{nth:02}"),
            r#"{"name":"y"}"#,
            200,
            r#"{"name":"y"}"#,
        );
    }
    world.call(
        &staff(0),
        "PATCH /profiles/700",
        r#"{"name":"x","paid":true}"#,
        200,
        r#"{"name":"x","paid":true}"#,
    );
    assert_eq!(
        world.found.iter().filter(|one| one.detector == "mass-assignment").count(),
        0,
        "{:?}",
        world.found
    );
    world.call(&staff(1), "PATCH /profiles/701", r#"{"name":"x","isAdmin":true}"#, 200, r#"{"name":"x"}"#);
    world.one("mass-assignment");
}
