//! Callers after whose requests others wait, and services that are slow for all.

use super::world::{Client, World, jwt};
use crate::{Outcome, Severity};

const NAME: &str = "disruption";

fn person(nth: u8) -> Client {
    Client::at(nth).with(&jwt(&format!("user{nth}")))
}

fn told(world: &World) -> usize {
    world.found.iter().filter(|finding| finding.detector == NAME).count()
}

/// People read things, each answer in so many milliseconds.
fn people(world: &mut World, calls: u8, millis: u64) {
    world.latency = millis;
    for nth in 0..calls {
        world.get(&person(nth % 30), &format!("/things/{}", 500 + u32::from(nth)), r#"{"name":"x"}"#);
    }
    world.latency = 0;
}

/// A usual day: answers in 20 ms, reports in 25.
fn calm(world: &mut World) {
    for nth in 0..8 {
        people(world, 60, 20);
        world.latency = 25;
        for report in 0..4 {
            world.get(&person(nth * 4 + report), "/reports/sales?month=1", r#"{"total":1}"#);
        }
    }
    world.latency = 0;
}

/// Reports that keep the server for seconds.
fn costly(world: &mut World, who: &Client, calls: u32) {
    world.latency = 6_000;
    for month in 0..calls {
        world.get(who, &format!("/reports/sales?month={month}"), r#"{"total":1}"#);
    }
    world.latency = 0;
}

#[test]
fn others_who_wait_after_costly_requests_confirm_them() {
    let mut world = World::new();
    calm(&mut world);
    let attacker = person(90);
    costly(&mut world, &attacker, 4);
    people(&mut world, 30, 900);
    costly(&mut world, &attacker, 2);
    let (severity, outcome, reason) = world.one(NAME);
    assert_eq!((severity, outcome), (Severity::High, Outcome::Confirmed));
    assert!(reason.starts_with("After 5 costly requests of one caller nine in ten of "), "{reason}");
    assert!(reason.contains("took up to 900 ms, where "), "{reason}");
}

#[test]
fn others_who_are_not_served_confirm_them_too() {
    let mut world = World::new();
    calm(&mut world);
    let attacker = person(90);
    costly(&mut world, &attacker, 4);
    for nth in 0..30 {
        world.call(&person(nth), "GET /things/500", "", 503, "{}");
    }
    costly(&mut world, &attacker, 2);
    assert!(world.one(NAME).2.contains("others within a minute failed"), "{:?}", world.found);
}

#[test]
fn costly_requests_that_nobody_else_feels_are_no_disruption() {
    let mut world = World::new();
    calm(&mut world);
    costly(&mut world, &person(90), 4);
    people(&mut world, 30, 20);
    costly(&mut world, &person(90), 12);
    assert_eq!(told(&world), 0, "{:?}", world.found);
}

#[test]
fn a_service_that_is_slow_for_all_is_nobodys_doing() {
    let mut world = World::new();
    calm(&mut world);
    people(&mut world, 30, 900);
    costly(&mut world, &person(90), 8);
    people(&mut world, 30, 900);
    costly(&mut world, &person(90), 8);
    assert_eq!(told(&world), 0, "{:?}", world.found);
}

#[test]
fn a_flood_that_makes_others_wait_is_told_and_one_that_does_not_is_not() {
    for (millis, findings) in [(900, 1), (20, 0)] {
        let mut world = World::new();
        calm(&mut world);
        world.latency = 20;
        for nth in 0..78_u8 {
            world.get(&person(90), &format!("/things/{}", 600 + u32::from(nth)), r#"{"name":"x"}"#);
        }
        people(&mut world, 30, millis);
        world.get(&person(90), "/things/700", r#"{"name":"x"}"#);
        assert_eq!(told(&world), findings, "{:?}", world.found);
    }
}
