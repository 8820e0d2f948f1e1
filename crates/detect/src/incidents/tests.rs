use super::*;
use crate::radius::Target;
use crate::transcript::exchange;
use crate::{Outcome, Severity};
use tapwire_inspect::{Inspector, TokenKey};
use tapwire_inventory::Inventory;
use tapwire_protocol::tls::Facts;
use tapwire_wire::{Endpoint, FlowKey};

const KEY: TokenKey = TokenKey::new([7; 32]);
const HOUR: i64 = 3_600;

/// Incidents with the stages in front of them, and a clock in seconds.
struct World {
    inspector: Inspector,
    inventory: Inventory,
    incidents: Incidents,
    number: u32,
    now: i64,
    told: Vec<Told>,
    /// The fingerprint of the TLS of whoever calls.
    ja4: Option<String>,
}

impl World {
    fn new() -> Self {
        Self::of(Config::default())
    }

    fn of(config: Config) -> Self {
        Self {
            inspector: Inspector::new(tapwire_inspect::Config::new(KEY)),
            inventory: Inventory::new(tapwire_inventory::Config::new(KEY)),
            incidents: Incidents::new(config),
            number: 0,
            now: 1_700_000_000,
            told: Vec::new(),
            ja4: None,
        }
    }

    fn call(&mut self, address: [u8; 4], key: &str) -> Call {
        self.call_at(Endpoint::v4(address, 40_000), Endpoint::v4([10, 200, 0, 80], 80), key)
    }

    fn call_at(&mut self, client: Endpoint, server: Endpoint, key: &str) -> Call {
        let credential = if key.is_empty() { String::new() } else { format!("X-Api-Key: {key}\r\n") };
        let request = format!("GET /orders/7 HTTP/1.1\r\nHost: shop\r\n{credential}\r\n");
        self.send(client, server, &request)
    }

    fn login(&mut self, address: [u8; 4], user: &str, right: bool) -> Call {
        let body = format!(r#"{{"username":"{user}","password":"pw-{}"}}"#, self.number);
        let json = "Content-Type: application/json\r\nContent-Length:";
        let request = format!("POST /login HTTP/1.1\r\nHost: shop\r\n{json} {}\r\n\r\n{body}", body.len());
        let (status, answer) = match right {
            true => (200, format!(r#"{{"access_token":"tok-{user}-9f8e7d6c5b4a39281706"}}"#)),
            false => (401, r#"{"error":"wrong"}"#.to_owned()),
        };
        let response = format!("HTTP/1.1 {status} X\r\n{json} {}\r\n\r\n{answer}", answer.len());
        self.now += 1;
        self.answer(Endpoint::v4(address, 40_000), Endpoint::v4([10, 200, 0, 80], 80), &request, &response)
    }

    fn send(&mut self, client: Endpoint, server: Endpoint, request: &str) -> Call {
        self.answer(client, server, request, "HTTP/1.1 200 OK\r\n\r\n")
    }

    fn answer(&mut self, client: Endpoint, server: Endpoint, request: &str, response: &str) -> Call {
        self.number += 1;
        let mut exchange = exchange(self.number, request.as_bytes(), response.as_bytes());
        (exchange.flow.key, exchange.flow.client) = FlowKey::new(client, server);
        let now = Timestamp::from_parts(self.now, 0);
        exchange.request.iter_mut().for_each(|request| request.started = now);
        if let Some(ja4) = &self.ja4 {
            exchange.flow.tls =
                Some(std::sync::Arc::new(Facts { ja4: Some(ja4.clone()), ..Facts::default() }));
        }
        self.inventory.place(self.inspector.exchange(exchange))
    }

    /// A finding about a call; whether it says something new, and the incident it belongs to.
    fn found(
        &mut self,
        who: ([u8; 4], &str),
        detector: &'static str,
        severity: Severity,
        outcome: Outcome,
    ) -> (bool, Uid) {
        self.now += 1;
        let call = self.call(who.0, who.1);
        self.link(&call, detector, severity, outcome)
    }

    fn link(
        &mut self,
        call: &Call,
        detector: &'static str,
        severity: Severity,
        outcome: Outcome,
    ) -> (bool, Uid) {
        let exchange = call.observation.exchange.uid();
        let mut finding = Finding {
            detector,
            rule: None,
            uid: exchange,
            time: Timestamp::from_parts(self.now, 0),
            severity,
            confidence: 90,
            outcome,
            reason: format!("{} of 9 orders were somebody else's", self.number),
            endpoint: call.endpoint,
            incident: None,
            exchanges: vec![exchange],
        };
        let fresh = self.incidents.link(&mut finding, call);
        self.inventory.found_of(call);
        self.incidents.drain_told(&mut self.told);
        (fresh, finding.incident.unwrap())
    }

    fn high(&mut self, who: ([u8; 4], &str), detector: &'static str) -> Uid {
        self.found(who, detector, Severity::High, Outcome::Likely).1
    }

    fn pass(&mut self, seconds: i64) {
        self.now += seconds;
        self.incidents.heed(Timestamp::from_parts(self.now, 0));
        self.incidents.drain_told(&mut self.told);
    }

    fn changes(&self) -> Vec<String> {
        let one = |told: &Told| format!("{} {}", told.change.name(), told.why.join("+"));
        self.told.iter().map(one).collect()
    }
}

mod linked;

const NAT: [u8; 4] = [203, 0, 113, 5];

#[test]
fn two_names_at_one_address_are_two_incidents() {
    let mut world = World::new();
    let first = world.high((NAT, "thief-one"), "foreign-objects");
    let second = world.high((NAT, "thief-two"), "foreign-objects");
    assert_ne!(first, second);
    assert_eq!(world.high((NAT, "thief-one"), "enumeration"), first);
    assert_eq!(world.high(([198, 51, 100, 9], "thief-two"), "enumeration"), second);
    assert!(world.incidents.all().iter().all(|incident| incident.callers.len() == 1));
}

#[test]
fn who_forges_a_name_is_not_who_bears_it() {
    let mut world = World::new();
    let server = Endpoint::v4([10, 200, 0, 80], 80);
    let mut found = |address: [u8; 4], token: &str, detector| {
        let request =
            format!("GET /orders/7 HTTP/1.1\r\nHost: shop\r\nAuthorization: Bearer {token}\r\n\r\n");
        world.now += 1;
        let call = world.send(Endpoint::v4(address, 40_000), server, &request);
        assert!(call.principal.is_some());
        world.link(&call, detector, Severity::Medium, Outcome::Blocked).1
    };
    let signed = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZG1pbiJ9.c2lnbmF0dXJlc2lnbmF0dXJlc2lnbmF0dXJlMTIz";
    let unsigned = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9.";
    let export = found(NAT, signed, "exfiltration");
    let forged = found([198, 51, 100, 9], unsigned, "jwt-faults");
    assert_ne!(export, forged);
    assert_eq!(found([198, 51, 100, 9], unsigned, "enumeration"), forged);
    let incident = world.incidents.all().iter().find(|incident| incident.uid == forged).unwrap();
    assert!(incident.callers.is_empty() && incident.addresses.len() == 1);
    let suggested = incident.suggestions(&world.inventory);
    assert!(suggested.iter().all(|one| matches!(one.response, Response::BlockAddress(..))), "{suggested:?}");
}

#[test]
fn a_name_joins_what_is_nobodys_at_its_address_and_the_next_name_does_not() {
    let mut world = World::new();
    let guessing = world.high((NAT, ""), "brute-force");
    assert_eq!(world.high((NAT, "guessed"), "foreign-objects"), guessing);
    assert_ne!(world.high((NAT, "neighbour"), "foreign-objects"), guessing);
    assert_eq!(world.high((NAT, ""), "brute-force"), guessing);
}

#[test]
fn a_caller_that_changes_its_address_takes_no_more_room() {
    let mut world = World::new();
    for number in 0..5_000_u32 {
        let [_, a, b, c] = number.to_be_bytes();
        world.high(([9, a, b, c], "rotating"), "enumeration");
    }
    let all = world.incidents.all();
    assert_eq!((all.len(), all[0].findings, all[0].more_addresses), (1, 5_000, true));
    assert!(world.incidents.open.len() <= MAX_KEYS, "{}", world.incidents.open.len());
}

#[test]
fn the_worst_is_in_the_timeline_though_its_outcome_was_there_before() {
    let mut world = World::new();
    let who = (NAT, "k");
    world.found(who, "credential-stuffing", Severity::Medium, Outcome::Confirmed);
    world.found(who, "credential-stuffing", Severity::Critical, Outcome::Confirmed);
    let incident = &world.incidents.all()[0];
    let severities: Vec<Severity> = incident.timeline.iter().map(|moment| moment.severity).collect();
    assert_eq!(severities, [Severity::Medium, Severity::Critical]);
    assert_eq!(incident.worst.severity, Severity::Critical);
    assert_eq!(incident.first.severity, Severity::Medium);
}

#[test]
fn a_full_timeline_still_takes_what_is_worse() {
    let mut world = World::new();
    let severities = [Severity::Informational, Severity::Low, Severity::Medium];
    let outcomes = [Outcome::Blocked, Outcome::NoEffect, Outcome::Attempted, Outcome::Likely];
    for info in crate::DETECTORS
        .iter()
        .filter(|info| !info.name.contains("in-url") && !info.name.starts_with("distributed"))
    {
        for (severity, outcome) in severities.iter().flat_map(|one| outcomes.iter().map(move |o| (*one, *o)))
        {
            world.found((NAT, "k"), info.name, severity, outcome);
        }
    }
    world.found((NAT, "k"), "foreign-objects", Severity::Critical, Outcome::Confirmed);
    let incident = &world.incidents.all()[0];
    assert_eq!(incident.timeline.len(), 32);
    assert_eq!(incident.timeline.last().unwrap().severity, Severity::Critical);
}

#[test]
fn it_is_closed_by_the_time_of_any_call() {
    let mut world = World::new();
    world.high((NAT, "k"), "enumeration");
    world.pass(4 * HOUR);
    assert!(!world.incidents.all()[0].closed);
    world.pass(1);
    assert!(world.incidents.all()[0].closed && world.incidents.open.is_empty());
    assert_eq!(world.changes(), ["opened opened", "closed quiet"]);
    assert_eq!(world.told[1].time, Timestamp::from_parts(1_700_000_001 + 4 * HOUR, 0));
    let again = world.high((NAT, "k"), "enumeration");
    assert_ne!(again, world.incidents.all()[0].uid);
    world.pass(100 * HOUR);
    assert_eq!(world.changes()[2..], ["opened opened", "closed quiet"]);
}

#[test]
fn a_clock_that_was_hours_ahead_and_is_set_back_closes_each_once() {
    let mut world = World::new();
    world.high((NAT, "k"), "enumeration");
    world.pass(8 * HOUR);
    world.high((NAT, "k"), "enumeration");
    world.pass(-8 * HOUR);
    for _ in 0..5 {
        world.high(([198, 51, 100, 9], "other"), "foreign-objects");
        world.pass(1);
    }
    let changes = world.changes();
    assert_eq!(changes, ["opened opened", "closed quiet", "opened opened", "opened opened"]);
    world.pass(5 * HOUR);
    assert_eq!(world.changes()[4..], ["closed quiet"]);
}

#[test]
fn what_grows_is_told_and_what_does_not_is_not() {
    let mut world = World::new();
    let who = (NAT, "k");
    for _ in 0..5 {
        world.found(who, "enumeration", Severity::Medium, Outcome::Attempted);
    }
    world.found(who, "enumeration", Severity::High, Outcome::Attempted);
    world.found(who, "enumeration", Severity::Medium, Outcome::Likely);
    world.found(who, "scraping", Severity::Critical, Outcome::Confirmed);
    for _ in 0..92 {
        world.found(who, "enumeration", Severity::Medium, Outcome::Attempted);
    }
    let expected = [
        "opened opened",
        "grew severity",
        "grew outcome",
        "grew severity+outcome+detector",
        "grew count",
        "grew count",
    ];
    assert_eq!(world.changes(), expected);
    let mut events: Vec<Uid> = world.told.iter().map(|told| told.event).collect();
    events.sort_unstable();
    events.dedup();
    assert_eq!(events.len(), expected.len(), "each is told under a name of its own");
}

#[test]
fn the_same_finding_is_told_again_when_it_came_ten_times_as_often() {
    let mut world = World::new();
    let fresh: Vec<usize> = (1..=1_000)
        .filter(|_| world.found((NAT, "k"), "enumeration", Severity::High, Outcome::Likely).0)
        .collect();
    assert_eq!(fresh, [1, 10, 100, 1_000]);
    let incident = &world.incidents.all()[0];
    assert_eq!((incident.findings, incident.repeated), (1_000, 996));
    assert!(world.found((NAT, "k"), "enumeration", Severity::High, Outcome::Confirmed).0);
    assert!(world.found((NAT, "k"), "scraping", Severity::High, Outcome::Likely).0);
}

#[test]
fn one_finding_of_each_of_many_leaves_only_so_many_and_says_so() {
    let mut world = World::of(Config { max_records: 1_000, ..Config::default() });
    for number in 0..1_000_u32 {
        let [_, a, b, c] = number.to_be_bytes();
        world.high(([9, a, b, c], ""), "enumeration");
    }
    assert!(world.incidents.all().len() <= 100);
    let closed = world.changes().iter().filter(|one| *one == "closed no room").count() as u64;
    assert_eq!(closed, world.incidents.evicted);
    assert!(closed >= 900);
}

fn pieces(incidents: &Incidents) -> Vec<Vec<u8>> {
    let (mut cursor, mut piece, mut all) = (Cursor::default(), Vec::new(), Vec::new());
    while incidents.save(&KEY, &mut cursor, &mut piece) {
        all.push(piece.clone());
    }
    all
}

fn load(
    config: Config,
    key: TokenKey,
    pieces: &[Vec<u8>],
) -> Result<Incidents, tapwire_inventory::state::Unfit> {
    let mut loading = Loading::new(config, key);
    pieces.iter().try_for_each(|piece| loading.take(piece))?;
    loading.finish().map(|(incidents, _)| incidents)
}

#[test]
fn what_was_open_goes_on_after_a_restart() {
    let mut world = World::new();
    for number in 0..300_u32 {
        let [_, a, b, c] = number.to_be_bytes();
        world.high(([9, a, b, c], &format!("k{number}")), "enumeration");
    }
    let (first, before) = (world.incidents.all()[0].uid, world.told.len());
    let all = pieces(&world.incidents);
    assert!(all.len() > 3, "{} pieces", all.len());
    let loaded = load(Config::default(), KEY, &all).unwrap();
    assert_eq!(loaded.all(), world.incidents.all());
    assert_eq!((loaded.open.len(), pieces(&loaded)), (world.incidents.open.len(), all));
    world.incidents = loaded;
    assert_eq!(
        world.found(([9, 0, 0, 0], "k0"), "enumeration", Severity::High, Outcome::Likely),
        (false, first)
    );
    assert_eq!(world.told.len(), before, "what was told is not told again");
    world.pass(5 * HOUR);
    assert_eq!(world.told.len(), before + 300);
}

#[test]
fn bytes_that_nobody_wrote_do_no_harm() {
    let mut world = World::new();
    world.high((NAT, "k"), "enumeration");
    world.high((NAT, ""), "scraping");
    let all = pieces(&world.incidents);
    assert!(load(Config::default(), TokenKey::new([8; 32]), &all).is_err());
    assert!(load(Config::default(), KEY, &[]).is_err());
    for (piece, at) in (0..all.len()).flat_map(|piece| (0..all[piece].len()).map(move |at| (piece, at))) {
        for byte in [0, 1, 0x7f, 0xff] {
            let mut hostile = all.clone();
            hostile[piece][at] = byte;
            if let Ok(loaded) = load(Config::default(), KEY, &hostile) {
                world.incidents = loaded;
                world.high((NAT, "k"), "enumeration");
                world.pass(1);
            }
            hostile[piece].truncate(at);
            let _ = load(Config::default(), KEY, &hostile).is_ok();
        }
    }
}

#[test]
fn an_incident_that_is_written_twice_is_read_once_as_it_was_later() {
    let mut world = World::of(Config { max_records: 3_000, ..Config::default() });
    let (mut cursor, mut piece, mut all) = (Cursor::default(), Vec::new(), Vec::new());
    let mut next = 0_u32;
    let mut begin = |world: &mut World, count: u32| {
        for number in next..next + count {
            let [_, a, b, c] = number.to_be_bytes();
            world.high(([9, a, b, c], &format!("k{number}")), "enumeration");
        }
        next += count;
    };
    begin(&mut world, 300);
    for _ in 0..2 {
        assert!(world.incidents.save(&KEY, &mut cursor, &mut piece));
        all.push(piece.clone());
    }
    // The next one makes the older half go: what was written stands where the rest begins.
    begin(&mut world, 1);
    world.high(([9, 0, 1, 43], "k299"), "scraping");
    while world.incidents.save(&KEY, &mut cursor, &mut piece) {
        all.push(piece.clone());
    }
    let loaded = load(Config { max_records: 3_000, ..Config::default() }, KEY, &all).unwrap();
    let mut uids: Vec<Uid> = loaded.all().iter().map(|one| one.uid).collect();
    uids.sort_unstable();
    let count = uids.len();
    uids.dedup();
    assert_eq!(uids.len(), count);
    assert!(loaded.all().iter().any(|one| one.findings == 2), "the later one is taken");
}

#[test]
fn calls_without_a_name_belong_to_an_incident_that_had_some_and_in_its_time_alone() {
    use crate::radius::Radius;
    let mut world = World::new();
    let count = |world: &mut World, radius: &mut Radius, address: [u8; 4], key: &str| {
        let before = radius.reached(&world.inventory).iter().map(|(_, one)| one.calls).sum::<u64>();
        let call = world.call(address, key);
        radius.hear(&call);
        radius.reached(&world.inventory).iter().map(|(_, one)| one.calls).sum::<u64>() - before
    };
    world.high((NAT, "thief"), "foreign-objects");
    let mut named = Radius::new(Target::incident(&world.incidents.all()[0]));
    assert_eq!(count(&mut world, &mut named, NAT, ""), 0, "others share the thief's address");
    assert_eq!(count(&mut world, &mut named, [198, 51, 100, 77], "thief"), 1);
    world.high(([9, 9, 9, 9], ""), "scraping");
    let mut unnamed = Radius::new(Target::incident(&world.incidents.all()[1]));
    assert_eq!(count(&mut world, &mut unnamed, [9, 9, 9, 9], ""), 1);
    assert_eq!(count(&mut world, &mut unnamed, [9, 9, 9, 9], "neighbour"), 0);
    assert_eq!(count(&mut world, &mut unnamed, [9, 9, 9, 8], ""), 0);
    world.now += 5 * HOUR;
    assert_eq!(count(&mut world, &mut unnamed, [9, 9, 9, 9], ""), 0, "four hours behind it is somebody else");
}

#[test]
fn a_scraper_is_followed_through_its_network() {
    let mut world = World::new();
    let at = |text: &str, port| Endpoint::from_ip(text.parse().unwrap(), port);
    let (server, from) = (at("2001:db8:9::1", 80), |text: &str| at(text, 40_000));
    let call = world.call_at(from("2001:db8:1:2::1"), server, "");
    world.link(&call, "enumeration", Severity::High, Outcome::Likely);
    let target = Target::incident(&world.incidents.all()[0]);
    let mut radius = crate::radius::Radius::new(target);
    for (address, calls) in [("2001:db8:1:2::1", 1), ("2001:db8:1:2:9::7", 2), ("2001:db8:1:3::1", 2)] {
        let call = world.call_at(from(address), server, "");
        radius.hear(&call);
        let heard: u64 = radius.reached(&world.inventory).iter().map(|(_, one)| one.calls).sum();
        assert_eq!(heard, calls, "{address}");
    }
}

fn suggestions(world: &World) -> Vec<Suggestion> {
    world.incidents.all()[0].beside(&world.inventory).suggestions
}

fn suggested(world: &World, name: &str) -> Suggestion {
    let mut all = suggestions(world).into_iter().filter(|one| one.response.name() == name);
    let first = all.next().unwrap_or_else(|| panic!("no {name}"));
    assert_eq!(all.next(), None);
    first
}

#[test]
fn who_called_for_days_before_is_called_honest() {
    let mut world = World::new();
    for _ in 0..30 {
        world.now += 3 * HOUR;
        world.call(NAT, "partner");
    }
    world.high((NAT, "partner"), "foreign-objects");
    let block = suggested(&world, "block-principal");
    assert_eq!((block.calls, block.before, block.honest), (Some(31), Some(30), Honest::Hit));
    assert!(
        block.why.starts_with("It called for 3 days before its first finding: 30 of 31 calls"),
        "{}",
        block.why
    );
}

#[test]
fn who_came_to_attack_has_no_honest_use() {
    let mut world = World::new();
    (0..4).for_each(|_| drop(world.call(NAT, "thief")));
    world.high((NAT, "thief"), "foreign-objects");
    let block = suggested(&world, "block-principal");
    assert_eq!((block.calls, block.before, block.honest), (Some(5), Some(4), Honest::NoneKnown));
    let address = suggested(&world, "block-address");
    assert_eq!((address.principals, address.honest), (Some(1), Honest::NoneKnown), "{}", address.why);
}

#[test]
fn blocking_a_router_would_hit_its_neighbours() {
    let mut world = World::new();
    for _ in 0..2 {
        for neighbour in ["one", "two", "three"] {
            world.call([203, 0, 113, 9], neighbour);
        }
        world.now += 25 * HOUR;
    }
    world.high((NAT, "thief"), "foreign-objects");
    let address = suggested(&world, "block-address");
    assert_eq!((address.principals, address.honest), (Some(4), Honest::Hit), "{}", address.why);
    assert!(address.why.contains("3 other callers"), "{}", address.why);
}

#[test]
fn names_that_are_made_for_it_shield_no_address() {
    for (ahead, honest) in [(48 * HOUR, Honest::NoneKnown), (HOUR, Honest::NotCounted)] {
        let mut world = World::new();
        world.call([192, 0, 2, 7], "somebody");
        world.now += ahead;
        (0..9).for_each(|nth| drop(world.call(NAT, &format!("throwaway{nth}"))));
        (0..3).for_each(|_| drop(world.call(NAT, "")));
        let call = world.call(NAT, "");
        world.link(&call, "credential-stuffing", Severity::High, Outcome::Attempted);
        let address = suggested(&world, "block-address");
        assert_eq!((address.honest, address.calls), (honest, None), "{}", address.why);
        assert!(address.why.contains("9 other callers"), "{}", address.why);
    }
}

#[test]
fn a_session_is_revoked_with_what_came_by_it() {
    let mut world = World::new();
    let bearer = |world: &mut World| {
        world.now += 1;
        let request =
            "GET /orders/7 HTTP/1.1\r\nHost: shop\r\nAuthorization: Bearer 8f4c1b7aa9e04cd1b3\r\n\r\n";
        world.send(Endpoint::v4(NAT, 40_000), Endpoint::v4([10, 200, 0, 80], 80), request)
    };
    (0..5).for_each(|_| drop(bearer(&mut world)));
    let call = bearer(&mut world);
    world.link(&call, "enumeration", Severity::High, Outcome::Likely);
    let revoke = suggested(&world, "revoke-token");
    assert_eq!((revoke.calls, revoke.before, revoke.honest), (Some(6), Some(5), Honest::NoneKnown));
    assert_eq!(world.incidents.all()[0].sessions.len(), 1);
}

#[test]
fn nobody_is_shut_out_for_what_a_service_does_wrong() {
    let mut world = World::new();
    world.high((NAT, "caller"), "missing-authentication");
    assert_eq!(suggestions(&world), []);
}

#[test]
fn a_limit_is_suggested_where_the_actor_would_have_met_it() {
    let mut world = World::new();
    for hour in 0..3 {
        for caller in 0..20 {
            (0..4).for_each(|_| drop(world.call(NAT, &format!("customer-{caller}"))));
        }
        world.now += HOUR * (1 + hour % 2);
    }
    (0..300).for_each(|_| drop(world.call(NAT, "thief")));
    world.high((NAT, "thief"), "enumeration");
    let quota = suggested(&world, "quota");
    let Response::Quota { calls_an_hour, .. } = quota.response else { panic!("{quota:?}") };
    assert!((4..300).contains(&calls_an_hour), "{quota:?}");
    assert_eq!((quota.calls, quota.honest), (Some(0), Honest::NoneKnown), "{}", quota.why);
    let mut world = World { incidents: Incidents::default(), told: Vec::new(), ..world };
    world.high((NAT, "newcomer"), "enumeration");
    assert!(suggestions(&world).iter().all(|one| one.response.name() != "quota"));
}

#[test]
fn of_probes_by_many_everybody_at_the_place_counts_and_that_is_said() {
    let mut world = World::new();
    world.high(([198, 51, 100, 1], ""), "distributed-probing");
    let target = Target::incident(&world.incidents.all()[0]);
    assert!(target.anybody.is_some() && target.logins.is_none() && target.unnamed().is_none());
    let mut radius = crate::radius::Radius::new(target);
    for address in 1..11 {
        let call = world.call([198, 51, 100, address], if address == 9 { "somebody" } else { "" });
        radius.hear(&call);
    }
    let heard: u64 = radius.reached(&world.inventory).iter().map(|(_, one)| one.calls).sum();
    assert_eq!(heard, 10);
}

#[test]
fn logins_of_colleagues_behind_an_attackers_address_are_not_followed() {
    let mut world = World::new();
    let attack: Vec<Call> = (0..9).map(|_| world.login(NAT, "victim", false)).collect();
    let colleague = world.login(NAT, "colleague", true);
    let victim = world.login(NAT, "victim", true);
    world.link(&attack[8], "brute-force", Severity::Medium, Outcome::Attempted);
    let heard = |calls: &[&Call]| {
        let mut radius = crate::radius::Radius::new(Target::incident(&world.incidents.all()[0]));
        calls.iter().for_each(|call| radius.hear(call));
        (radius.likely, radius.apart)
    };
    assert_eq!(heard(&[&colleague, &attack[0]]), (0, 1), "it came before anything had failed");
    assert_eq!(heard(&[&attack[8], &colleague]), (1, 0), "the same program, and something had failed");
    assert_eq!(heard(&[&attack[8], &victim]), (1, 0), "the name that had failed");
}
