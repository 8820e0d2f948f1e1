//! What is judged against peers, and what is said where there are too few.

use super::world::{Client, World};
use crate::{Outcome, Severity};

fn caller(number: u32) -> Client {
    Client::at((number % 200) as u8).with(&format!("t0k3n-of-caller-{number:05}"))
}

/// So many callers ask for four orders each, in the hour that begins then.
fn peers(world: &mut World, callers: u32, hour: i64) {
    world.now = hour * 3_600;
    for number in 0..callers * 4 {
        let order = number % callers * 7 + number / callers;
        world.get(&caller(number % callers), &format!("/orders/{}", 10_000 + order), r#"{"total":"9.99"}"#);
    }
}

/// One of them asks for one order a second, for a quarter of an hour.
fn takes_all(world: &mut World, hour: i64) {
    world.now = hour * 3_600;
    for number in 0..900 {
        let path = format!("/orders/{}", 90_000 - number * 37 % 20_011);
        world.get(&caller(7), &path, r#"{"total":"9.99"}"#);
    }
}

#[test]
fn an_insider_who_takes_far_more_than_its_peers_is_told_with_the_figures() {
    let mut world = World::new();
    peers(&mut world, 260, 400_000);
    peers(&mut world, 260, 400_001);
    takes_all(&mut world, 400_002);
    let found: Vec<(Severity, Outcome, &str)> = world
        .found
        .iter()
        .filter(|finding| finding.detector == "unusual-usage")
        .map(|finding| (finding.severity, finding.outcome, finding.reason.as_str()))
        .collect();
    let [objects, calls] = found[..] else { panic!("{found:?}") };
    assert_eq!((calls.0, objects.0, objects.1), (Severity::Medium, Severity::High, Outcome::Likely));
    for said in [
        "calls of one caller at /orders/{orderId} within",
        "peers there had at most 5",
        "(n = ",
        "0 had as many, p = 0.00",
    ] {
        assert!(calls.2.contains(said), "{said}: {}", calls.2);
    }
}

#[test]
fn with_too_few_peers_it_waits() {
    let mut world = World::new();
    peers(&mut world, 150, 400_000);
    takes_all(&mut world, 400_002);
    assert!(world.found.iter().all(|finding| finding.detector != "unusual-usage"));
}
