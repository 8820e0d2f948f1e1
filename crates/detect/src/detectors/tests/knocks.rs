//! Connections on which nobody says a word: scans, floods, and what looks like them.

use super::world::{Client, World};
use crate::{Outcome, Severity};
use tapwire_protocol::KnockAnswer::{Abandoned, Accepted, None, Refused};

fn scanner() -> Client {
    Client::from([203, 0, 113, 66])
}

#[test]
fn closed_ports_of_one_server_are_told_once_and_when_they_are_ten_times_as_many() {
    let mut world = World::new();
    for port in 1..=300 {
        world.now += i64::from(port % 2);
        let answer = if port == 80 {
            Abandoned
        } else if port < 100 {
            Refused
        } else {
            None
        };
        world.knock(&scanner(), (80, port), answer);
    }
    let told: Vec<&str> = world.found.iter().map(|finding| finding.reason.as_str()).collect();
    let words = [
        "15 different ports of 1 server that refuse connections or do not answer were tried from one address within 7 s (port scan); 0 ports answered.",
        "150 different ports of 1 server that refuse connections or do not answer were tried from one address within 75 s (port scan); 1 port answered.",
    ];
    assert_eq!(told, words);
    let first = &world.found[0];
    assert_eq!(
        (first.detector, first.severity, first.outcome),
        ("port-scan", Severity::Low, Outcome::Attempted)
    );
    assert!(first.exchanges.is_empty(), "no exchange shows it");
}

#[test]
fn one_port_of_many_servers_is_a_scan_too() {
    let mut world = World::new();
    (1..=60).for_each(|host| drop(world.knock(&scanner(), (host * 3, 8080), None)));
    assert!(world.one("port-scan").2.starts_with("1 different port of 40 servers"));
}

#[test]
fn a_slow_scan_is_told_over_a_day_and_another_one_again() {
    let mut world = World::new();
    for day in 0..2 {
        for port in 0..40 {
            world.now += 1_500;
            world.knock(&scanner(), (80, day * 100 + port), None);
        }
        world.now += 10_000;
    }
    assert_eq!(world.found.len(), 2, "{:?}", world.found);
}

#[test]
fn health_checks_of_a_server_that_dies_are_no_scan() {
    let mut world = World::new();
    let balancer = Client::from([10, 3, 0, 5]);
    for round in 0..30 {
        for port in 30_000..30_040 {
            for host in 1..=3 {
                let answer = if host == 2 && round > 5 { None } else { Accepted };
                world.knock(&balancer, (host, port), answer);
            }
        }
        world.now += 10;
    }
    world.is_quiet();
}

#[test]
fn who_asks_many_servers_of_which_some_are_down_does_not_scan() {
    let mut world = World::new();
    let monitor = Client::from([10, 3, 0, 6]);
    for host in 0..300 {
        let answer = if host % 4 == 0 { Refused } else { Accepted };
        world.knock(&monitor, (host, 9100), answer);
    }
    world.is_quiet();
}

#[test]
fn a_client_that_tries_a_dead_server_again_does_not_scan() {
    let mut world = World::new();
    for _ in 0..5_000 {
        world.now += 1;
        (1..=9).for_each(|host| drop(world.knock(&Client::at(7), (host, 5432), Refused)));
    }
    world.is_quiet();
}

#[test]
fn a_flood_of_made_up_addresses_is_told_of_the_server() {
    let mut world = World::new();
    let flood = |world: &mut World, many: u32| {
        for number in 0..many {
            world.now += i64::from(number % 500 == 0);
            let client = Client::from(number.wrapping_mul(2_654_435_761).to_be_bytes());
            world.knock(&client, (80, 443), Abandoned);
        }
    };
    flood(&mut world, 4_000);
    let (severity, outcome, reason) = world.one("syn-flood");
    assert_eq!((severity, outcome), (Severity::Medium, Outcome::Attempted));
    assert!(reason.starts_with("512 connections with one port of a server were begun within "), "{reason}");
    world.now += 30_000;
    flood(&mut world, 4_000);
    assert_eq!(world.found.len(), 2, "another day's: {:?}", world.found);
}

#[test]
fn a_server_that_answers_nobody_is_not_flooded_by_its_clients() {
    let mut world = World::new();
    for number in 0..20_000_u32 {
        let client = Client::from(number.wrapping_mul(2_654_435_761).to_be_bytes());
        world.knock(&client, (80, 443), None);
    }
    world.is_quiet();
}
