use super::*;
use crate::state::{Cursor, Loading, Restored};
use crate::transcript::exchange;
use crate::{Config, Inventory};
use tapwire_inspect::{Inspector, TokenKey};
use tapwire_wire::Timestamp;

const KEY: TokenKey = TokenKey::new([7; 32]);
const PEERS: u32 = 260;

struct World {
    inspector: Inspector,
    inventory: Inventory,
    number: u32,
    unusual: Vec<(u32, Unusual)>,
    /// Whether answers name somebody.
    names: bool,
}

impl World {
    fn new(config: Config) -> Self {
        let inspector = Inspector::new(tapwire_inspect::Config::new(KEY));
        Self { inspector, inventory: Inventory::new(config), number: 0, unusual: Vec::new(), names: false }
    }

    /// A caller asks for an order, at that second.
    fn call(&mut self, caller: u32, order: u32, second: u32) -> Call {
        self.call_of("orders", caller, order, second)
    }

    fn call_of(&mut self, kind: &str, caller: u32, order: u32, second: u32) -> Call {
        self.number += 1;
        let request = format!(
            "GET /{kind}/{} HTTP/1.1\r\nHost: shop\r\nAuthorization: Bearer t0k3n-of-caller-{caller:05}\r\n\r\n",
            10_000 + order
        );
        let who = if self.names { r#","email":"ann.lee@shop.test","phone":"+4722334455""# } else { "" };
        let answer = format!(r#"{{"id":{order},"total":"9.99"{who}}}"#);
        let response = format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{answer}");
        let mut exchange = exchange(self.number, request.as_bytes(), response.as_bytes());
        for half in [&mut exchange.request, &mut exchange.response].into_iter().flatten() {
            (half.started, half.ended) =
                (Timestamp::from_parts(second.into(), 0), Timestamp::from_parts(second.into(), 0));
        }
        let call = self.inventory.place(self.inspector.exchange(exchange));
        self.unusual.extend(call.standing.unusual.map(|unusual| (caller, unusual)));
        call
    }

    /// Another process goes on with what this one kept.
    fn restart(&mut self, config: Config) {
        let (mut cursor, mut piece) = (Cursor::default(), Vec::new());
        let mut loading = Loading::new(config);
        while self.inventory.save(&mut cursor, &mut piece) {
            loading.take(&piece).expect("it was written");
        }
        let (inventory, restored) = loading.finish().expect("a checkpoint");
        assert_eq!(restored, Restored::default());
        self.inventory = inventory;
    }

    /// An hour in which each peer calls so often.
    fn usual(&mut self, hour: u32, calls: u32) {
        for call in 0..calls {
            for caller in 0..PEERS {
                self.call(caller, caller * 7 + call, hour * 3_600 + (call * 3_500 / calls.max(1)));
            }
        }
    }
}

fn world() -> World {
    World::new(Config::new(KEY))
}

#[test]
fn a_caller_far_above_its_peers_is_told_once() {
    let mut world = world();
    world.usual(10, 4);
    world.usual(11, 4);
    (0..900).for_each(|call| {
        world.call(7, 50_000 + call, 12 * 3_600 + call * 2);
    });
    let told: Vec<(u32, Measure)> =
        world.unusual.iter().map(|(caller, one)| (*caller, one.measure)).collect();
    assert_eq!(told, [(7, Measure::Objects), (7, Measure::Calls)]);
    let (_, calls) = world.unusual[1];
    assert!(calls.peers >= 200 && calls.hours >= 200 && calls.usual <= 5 && calls.above == 0, "{calls:?}");
    assert!(calls.p() < 0.005 && calls.minutes >= 10);
    assert!(world.inventory.hours().drifts().is_empty());
}

/// One caller reads the same 120 times, while peers ask once; answers name somebody from then on, of it or of all.
fn told_where_answers_change(of_all: bool) -> World {
    let mut world = world();
    world.usual(10, 1);
    world.usual(11, 1);
    for second in 0..120 {
        world.names = of_all;
        for caller in [second * 2, second * 2 + 1] {
            world.call(caller + 20, caller * 7, 43_200 + second * 20);
        }
        world.names = true;
        world.call(7, 1, 43_200 + second * 20);
    }
    world
}

#[test]
fn answers_that_hold_more_for_all_are_the_doing_of_nobody_who_asks() {
    let of = |world: &World| -> Vec<Measure> { world.unusual.iter().map(|(_, one)| one.measure).collect() };
    let world = told_where_answers_change(true);
    assert_eq!(of(&world), [Measure::Calls]);
    let drifts = world.inventory.hours().drifts();
    assert!(matches!(drifts, [Drift { measure: Measure::Sensitive, callers: 50.., .. }]), "{drifts:?}");
    assert_eq!(of(&told_where_answers_change(false)), [Measure::Sensitive, Measure::Calls]);
}

#[test]
fn who_ask_for_more_together_do_not_pass_for_answers_that_hold_more() {
    let mut world = world();
    world.names = true;
    world.usual(10, 4);
    world.usual(11, 4);
    // They are alone in that hour, and too few for a release.
    for call in 0..300 {
        for caller in 0..10 {
            world.call(caller, 50_000 + caller * 1_000 + call, 43_200 + call * 5);
        }
    }
    assert!(world.inventory.hours().drifts().is_empty(), "{:?}", world.inventory.hours().drifts());
    let told: std::collections::BTreeSet<u32> = world.unusual.iter().map(|(caller, _)| *caller).collect();
    assert_eq!(told, (0..10).collect());
}

#[test]
fn hours_follow_an_endpoint_that_becomes_another() {
    for also_there in [false, true] {
        let mut world = world();
        let mut endpoints = Vec::new();
        for caller in 0..PEERS {
            let kind = if also_there && caller % 2 == 0 { "invoices" } else { "orders" };
            for call in 0..4 {
                let placed = world.call_of(kind, caller, caller * 7 + call, 36_000 + call);
                endpoints.push(placed.endpoint.unwrap());
            }
        }
        let there = world.call_of("invoices", 0, 0, 43_200);
        assert!(there.standing.peers < 200, "the callers of the other are none of its own");
        let there = there.endpoint.unwrap();
        endpoints.retain(|endpoint| *endpoint != there);
        world.inventory.hours.moved(endpoints[0], there);
        world.inventory.hours.settle();
        assert!(world.call_of("invoices", 1, 1, 43_201).standing.peers >= 200, "{also_there}");
        assert!(world.inventory.hours().suggested(endpoints[0]).is_none());
        assert!(world.inventory.hours().suggested(there).is_some());
        world.restart(Config::new(KEY));
        assert!(world.call_of("invoices", 2, 2, 43_202).standing.peers >= 200, "{also_there}");
        (0..900).for_each(|call| drop(world.call_of("invoices", 7, 50_000 + call, 46_800 + call * 2)));
        let told: std::collections::BTreeSet<u32> = world.unusual.iter().map(|(caller, _)| *caller).collect();
        assert_eq!(told, [7].into(), "{also_there}");
    }
}

#[test]
fn too_few_peers_judge_nobody() {
    let mut world = world();
    for caller in 0..150 {
        (0..4).for_each(|call| drop(world.call(caller, caller * 7 + call, 36_000 + call)));
    }
    (0..900).for_each(|call| {
        let placed = world.call(7, 50_000 + call, 43_200 + call * 2);
        assert!(placed.standing.peers < 200);
    });
    assert!(world.unusual.is_empty());
}

#[test]
fn a_release_that_changes_many_is_drift_and_usual_from_then_on() {
    let mut world = world();
    world.usual(10, 4);
    world.usual(11, 4);
    world.usual(12, 120);
    world.usual(13, 120);
    world.usual(14, 120);
    assert!(world.unusual.is_empty(), "{:?}", world.unusual);
    let drifts = world.inventory.hours().drifts().to_vec();
    let calls: Vec<&Drift> = drifts.iter().filter(|drift| drift.measure == Measure::Calls).collect();
    assert_eq!(calls.len(), 1, "{drifts:?}");
    assert!(calls[0].callers >= 4 && calls[0].usual <= 5, "{drifts:?}");
    (0..1_800).for_each(|call| drop(world.call(7, 50_000 + call, 15 * 3_600 + call * 2)));
    assert!(!world.unusual.is_empty(), "who is far above the new usual is told");
}

#[test]
fn new_callers_that_act_alike_are_no_release() {
    let mut world = world();
    world.usual(10, 4);
    world.usual(11, 4);
    for call in 0..900 {
        (0..20)
            .for_each(|new| drop(world.call(1_000 + new, 50_000 + call * 20 + new, 12 * 3_600 + call * 2)));
    }
    assert!(world.inventory.hours().drifts().is_empty());
    let told: std::collections::BTreeSet<u32> = world.unusual.iter().map(|(caller, _)| *caller).collect();
    assert_eq!(told, (1_000..1_020).collect());
}

#[test]
fn a_second_pass_judges_the_first_hour_by_the_whole() {
    let (mut first, mut second) = (world(), world());
    let play = |world: &mut World, known: Option<&mut Inventory>| {
        let mut known = known;
        let mut told = Vec::new();
        let mut calls: Vec<(u32, u32, u32)> =
            (0..900).map(|call| (7, 50_000 + call, 36_000 + call * 2)).collect();
        calls.extend((0..PEERS * 4).map(|call| (call % PEERS, call, 39_600 + call)));
        for (caller, order, time) in calls {
            let mut call = world.call(caller, order, time);
            if let Some(known) = &mut known {
                known.recall(&mut call);
                told.extend(call.standing.unusual.map(|_| caller));
            }
        }
        told
    };
    play(&mut first, None);
    assert!(first.unusual.is_empty());
    first.inventory.settle();
    assert_eq!(play(&mut second, Some(&mut first.inventory)), [7, 7]);
}

#[test]
fn quotas_are_counted_and_a_limit_is_suggested() {
    let quota = |name: &str, whom, calls| Declared {
        name: name.into(),
        whom,
        service: Some("shop".into()),
        endpoint: None,
        calls_an_hour: calls,
    };
    let quotas =
        vec![quota("partners", Whom::Role("partner".into()), 1), quota("everybody", Whom::Everybody, 10)];
    let mut world = World::new(Config { quotas, ..Config::new(KEY) });
    world.usual(10, 4);
    (0..25).for_each(|call| drop(world.call(3, 900 + call, 39_600 + call)));
    world.inventory.settle();
    let hours = world.inventory.hours();
    let used: Vec<&QuotaUse> = hours.declared().map(|(_, used)| used).collect();
    assert_eq!(used[0].calls, 0);
    assert_eq!((used[1].most, used[1].exceeded, used[1].unenforced), (25, (1, 15), 1));
    assert_eq!(used[1].by_hour.last(), Some(&(11, 25)));
    let endpoint = world.inventory.endpoints().next().expect("one").id;
    let suggested = hours.suggested(endpoint).expect("hours");
    assert!(suggested.calls >= 25 && suggested.hit == 0 && suggested.hours > 200, "{suggested:?}");
}

/// Two usual days and one caller far above them; what is known then.
fn story(restarts: &[u32]) -> (Vec<(u32, Unusual)>, String) {
    let quota = |name: &str, calls| Declared {
        name: name.into(),
        whom: Whom::Everybody,
        service: Some(name.into()),
        endpoint: None,
        calls_an_hour: calls,
    };
    let config = |quotas: Vec<Declared>| Config { quotas, ..Config::new(KEY) };
    let mut world = World::new(config(vec![quota("other", 1), quota("shop", 5)]));
    let mut calls: Vec<(u32, u32, u32)> = Vec::new();
    for hour in [10, 11, 34, 35] {
        let of = |call: u32| (call % PEERS, call * 7, hour * 3_600 + call * 3);
        calls.extend((0..PEERS * 4).map(of));
    }
    calls.extend((0..900).map(|call| (7, 50_000 + call, 36 * 3_600 + call * 2)));
    for (number, (caller, order, second)) in (0..).zip(calls) {
        if restarts.contains(&number) {
            // In another order: quotas are known by what they say.
            world.restart(config(vec![quota("shop", 5), quota("other", 1)]));
        }
        world.call(caller, order, second);
    }
    let open = world.inventory.hours().counters().open;
    world.inventory.settle();
    let hours = world.inventory.hours();
    let used = hours.declared().find(|(quota, _)| quota.name == "shop");
    let endpoint = world.inventory.endpoints().next().expect("one").id;
    let known = format!("{open} open, {used:?}, {:?}", hours.suggested(endpoint));
    (world.unusual, known)
}

#[test]
fn hours_and_quotas_go_on_in_another_process() {
    let (unusual, known) = story(&[]);
    assert!(unusual.len() == 2 && known.contains("calls: 5060"), "{unusual:?}, {known}");
    for restarts in [&[1][..], &[600, 1_040], &[1_500], &[4_160, 4_300], &[4_161], &[4_990, 5_059]] {
        assert_eq!(story(restarts), (unusual.clone(), known.clone()), "{restarts:?}");
    }
}

#[test]
fn a_quota_that_says_something_else_is_another() {
    let quota = |calls_an_hour| Declared {
        name: "all".into(),
        whom: Whom::Everybody,
        service: None,
        endpoint: None,
        calls_an_hour,
    };
    let config = |calls| Config { quotas: vec![quota(calls)], ..Config::new(KEY) };
    let mut world = World::new(config(3));
    world.usual(10, 4);
    world.usual(11, 4);
    let used = |world: &World| world.inventory.hours().declared().map(|(_, used)| used.calls).sum::<u64>();
    assert!(used(&world) > 500);
    world.restart(config(4));
    assert_eq!(used(&world), 0);
    world.inventory.settle();
    assert_eq!(used(&world), 0, "hours of the other are not its own");
}

#[test]
fn a_group_of_which_nobody_calls_makes_room_for_another() {
    let mut world = World::new(Config { max_peer_groups: 1, ..Config::new(KEY) });
    let day = 86_400;
    let known = |world: &mut World, path: &str, second: u32| {
        world.number += 1;
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: shop\r\nAuthorization: Bearer t0k3n-of-caller-1\r\n\r\n");
        let response = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{}";
        let mut exchange = exchange(world.number, request.as_bytes(), response);
        for half in [&mut exchange.request, &mut exchange.response].into_iter().flatten() {
            half.started = Timestamp::from_parts(second.into(), 0);
        }
        let call = world.inventory.place(world.inspector.exchange(exchange));
        world.inventory.settle();
        let suggested = call.endpoint.and_then(|id| world.inventory.hours().suggested(id));
        suggested.map(|suggested| suggested.hours)
    };
    assert_eq!(known(&mut world, "/first", 100 * day), Some(1));
    assert_eq!(known(&mut world, "/second", 128 * day), None);
    assert_eq!(known(&mut world, "/second", 129 * day), Some(1));
    assert_eq!(known(&mut world, "/first", 129 * day), None);
    let counters = world.inventory.hours().counters();
    assert_eq!((counters.groups, counters.beyond_groups, counters.expired_groups), (1, 2, 1));
}

#[test]
fn groups_and_hours_are_bounded_and_counted() {
    let mut world = World::new(Config { max_peer_groups: 1, max_hours: 1_024, ..Config::new(KEY) });
    (0..5_000).for_each(|caller| drop(world.call(caller, caller, 36_000)));
    let counters = world.inventory.hours().counters();
    assert!(counters.open <= 1_024 && counters.evicted > 3_000, "{counters:?}");
    assert!(world.inventory.hours().held() < 200_000);
}
