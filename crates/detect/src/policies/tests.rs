use super::*;
use crate::transcript::exchange;
use tapwire_inspect::{Inspector, TokenKey};
use tapwire_inventory::{Inventory, PostureTimes};
use tapwire_protocol::FlowStamp;
use tapwire_wire::Timestamp;

mod each;

const KEY: TokenKey = TokenKey::new([7; 32]);

/// Makes connections other than they are by themselves.
type ChangeOf = Box<dyn Fn(&mut FlowStamp)>;

/// A service that is called, and what policies say of it.
struct Bench {
    inspector: Inspector,
    inventory: Inventory,
    policies: Policies,
    number: u32,
    told: Vec<Posture>,
    /// What is different about the connections.
    change: Option<ChangeOf>,
    /// Seconds by which the clock is ahead.
    ahead: i64,
}

impl Bench {
    fn new(own: &[UserPolicy], accepted: &[UserAcceptance]) -> Self {
        Self {
            inspector: Inspector::new(tapwire_inspect::Config::new(KEY)),
            inventory: Inventory::new(tapwire_inventory::Config::new(KEY)),
            policies: Policies::new(Rules::new(own, accepted).unwrap(), Settings::default()),
            number: 0,
            told: Vec::new(),
            change: None,
            ahead: 0,
        }
    }

    /// So many calls, a minute of packet time apart.
    fn calls(&mut self, count: usize, request: &str, response: &str) {
        for _ in 0..count {
            self.number += 1;
            let mut exchange = exchange(self.number, request.as_bytes(), response.as_bytes());
            if let Some(change) = &self.change {
                change(&mut exchange.flow);
            }
            let time = Timestamp::from_parts(1_700_000_000 + self.ahead + i64::from(self.number) * 60, 0);
            for half in [&mut exchange.request, &mut exchange.response].into_iter().flatten() {
                (half.started, half.ended) = (time, time);
            }
            let call = self.inventory.place(self.inspector.exchange(exchange));
            let time = call.observation.exchange.started();
            self.policies.heed(&self.inventory, time, &mut self.told);
        }
    }

    fn stages(&self, policy: &str) -> Vec<Stage> {
        self.told.iter().filter(|one| one.rule.id == policy).map(|one| one.stage).collect()
    }
}

#[test]
fn registry_is_complete_and_every_expression_can_be_read() {
    for (index, policy) in POLICIES.iter().enumerate() {
        assert!(POLICIES.iter().skip(index + 1).all(|other| other.id != policy.id), "{}", policy.id);
        assert!(policy.references.first().is_some_and(|first| first.starts_with("API")), "{}", policy.id);
        for text in [policy.title, policy.says, policy.fix, policy.test] {
            assert!(!text.is_empty() && !text.contains("  "), "{}: {text}", policy.id);
        }
    }
    let all: Vec<UserPolicy> = POLICIES
        .iter()
        .map(|info| UserPolicy { id: info.id.into(), enabled: Some(true), ..UserPolicy::default() })
        .collect();
    assert_eq!(Rules::new(&all, &[]).unwrap().iter().count(), POLICIES.len());
}

const LOGIN: &str = "POST /login HTTP/1.1\r\nHost: shop\r\nContent-Length: 0\r\n\r\n";
const SCRIPTED: &str = "HTTP/1.1 200 OK\r\nSet-Cookie: sessionid=abc; Secure\r\n\r\n";
const HIDDEN: &str = "HTTP/1.1 200 OK\r\nSet-Cookie: sessionid=abc; Secure; HttpOnly\r\n\r\n";
const COOKIE: &str = "session-cookies-without-httponly";

#[test]
fn finding_lives_from_open_to_verified_and_regressed() {
    let mut bench = Bench::new(&[], &[]);
    bench.calls(30, LOGIN, SCRIPTED);
    assert_eq!(bench.stages(COOKIE), [Stage::Open]);
    bench.calls(30, LOGIN, HIDDEN);
    assert_eq!(bench.stages(COOKIE), [Stage::Open, Stage::Fixed]);
    bench.calls(200, LOGIN, HIDDEN);
    assert_eq!(bench.stages(COOKIE), [Stage::Open, Stage::Fixed, Stage::Verified]);
    bench.calls(20, LOGIN, SCRIPTED);
    assert_eq!(bench.stages(COOKIE).last(), Some(&Stage::Regressed));
    let uids: std::collections::BTreeSet<_> = bench.told.iter().map(|one| one.uid).collect();
    let events: std::collections::BTreeSet<_> = bench.told.iter().map(|one| one.event).collect();
    assert_eq!((uids.len(), events.len()), (1, 4), "one finding, four events");
}

#[test]
fn a_clock_that_was_hours_ahead_and_is_set_back_puts_off_no_look() {
    let mut bench = Bench::new(&[], &[]);
    bench.ahead = 8 * 3_600;
    bench.calls(30, LOGIN, SCRIPTED);
    bench.ahead = 0;
    bench.calls(30, LOGIN, HIDDEN);
    assert_eq!(bench.stages(COOKIE), [Stage::Open, Stage::Fixed]);
}

#[test]
fn authentication_that_is_missing_again_is_told_again_however_often_it_is_missing() {
    const POLICY: &str = "sometimes-authenticated";
    const MINE: &str = "GET /me HTTP/1.1\r\nHost: shop\r\nAuthorization: Bearer abcdefghijklmnop\r\n\r\n";
    const OPEN: &str = "GET /me HTTP/1.1\r\nHost: shop\r\n\r\n";
    const ANSWER: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    let mut bench = Bench::new(&[], &[]);
    bench.calls(60, MINE, ANSWER);
    bench.calls(1, OPEN, ANSWER);
    bench.calls(20, MINE, ANSWER);
    assert_eq!(bench.stages(POLICY).first(), Some(&Stage::Open));
    // Worse is not over.
    bench.calls(30, OPEN, ANSWER);
    assert_eq!(bench.stages(POLICY).last(), Some(&Stage::Open));
    bench.calls(400, MINE, ANSWER);
    assert_eq!(bench.stages(POLICY).last(), Some(&Stage::Verified));
    for _ in 0..20 {
        bench.calls(1, OPEN, ANSWER);
        bench.calls(1, MINE, ANSWER);
    }
    assert_eq!(bench.stages(POLICY).last(), Some(&Stage::Regressed));
}

fn accept(until: &str, endpoint: Option<&str>) -> UserAcceptance {
    UserAcceptance {
        policy: COOKIE.into(),
        service: "shop".into(),
        endpoint: endpoint.map(str::to_owned),
        who: "Head of Shop".into(),
        why: "until the old app is gone".into(),
        until: until.into(),
    }
}

#[test]
fn acceptance_ends_in_packet_time() {
    // The calls begin at 22:14 and are a minute apart.
    let mut bench = Bench::new(&[], &[accept("2023-11-14T23:00:00Z", None)]);
    bench.calls(40, LOGIN, SCRIPTED);
    assert_eq!(bench.stages(COOKIE), [Stage::Accepted]);
    bench.calls(20, LOGIN, SCRIPTED);
    assert_eq!(bench.stages(COOKIE), [Stage::Accepted, Stage::Open]);
}

#[test]
fn acceptance_of_one_endpoint_leaves_the_others() {
    let mut bench = Bench::new(&[], &[accept("2099-01-01", Some("POST /login"))]);
    bench.calls(12, LOGIN, SCRIPTED);
    assert_eq!(bench.stages(COOKIE), [Stage::Accepted]);
    bench.calls(12, &LOGIN.replace("/login", "/signin"), SCRIPTED);
    assert_eq!(bench.stages(COOKIE), [Stage::Accepted, Stage::Open]);
    assert_eq!(bench.told.last().map(|one| one.total), Some(1));
}

#[test]
fn more_endpoints_are_told_when_they_have_doubled() {
    let mut bench = Bench::new(&[], &[]);
    for path in ["/a", "/b", "/c", "/d", "/e"] {
        bench.calls(11, &LOGIN.replace("/login", path), SCRIPTED);
    }
    let totals: Vec<u64> = bench.told.iter().map(|one| one.total).collect();
    assert_eq!(totals, [1, 2, 4]);
}

#[test]
fn what_comes_and_goes_is_not_called_fixed_each_time() {
    let mut bench = Bench::new(&[], &[]);
    for _ in 0..40 {
        bench.calls(1, LOGIN, SCRIPTED);
        bench.calls(30, LOGIN, HIDDEN);
    }
    let stages = bench.stages(COOKIE);
    assert!(stages.len() <= 6, "{stages:?}");
    assert!(!stages.contains(&Stage::Verified), "{stages:?}");
}

#[test]
fn at_the_end_all_that_stands_is_shown_with_its_last_figures() {
    let mut bench = Bench::new(&[], &[]);
    bench.calls(40, LOGIN, SCRIPTED);
    bench.policies.finish(&bench.inventory, &mut bench.told);
    let changes: Vec<Change> = bench.told.iter().map(|one| one.change).collect();
    assert_eq!(changes, [Change::Created, Change::Unchanged]);
    assert!(bench.told[1].reason.contains("seen in 40 of 40 calls"), "{}", bench.told[1].reason);
}

#[test]
fn what_nothing_could_show_is_said() {
    let mut bench = Bench::new(&[], &[]);
    bench.calls(3, LOGIN, HIDDEN);
    bench.policies.finish(&bench.inventory, &mut bench.told);
    let unjudged = bench.policies.unjudged();
    let of = |reason: &str| unjudged.iter().find(|one| one.reason == reason).map(|one| one.policies.clone());
    assert!(of("no call over TLS was read").is_some_and(|all| all.contains(&"old-tls".to_owned())));
    assert!(of("no answer set a session cookie").is_none());
}

#[test]
fn accepted_finding_that_is_gone_is_verified_too() {
    let mut bench = Bench::new(&[], &[accept("2099-01-01", None)]);
    bench.calls(12, LOGIN, SCRIPTED);
    bench.calls(250, LOGIN, HIDDEN);
    assert_eq!(bench.stages(COOKIE), [Stage::Accepted, Stage::Fixed, Stage::Verified]);
}

#[test]
fn what_is_said_of_endpoints_that_nobody_knows_any_more_stays() {
    let mut bench = Bench::new(&[], &[]);
    bench.calls(12, LOGIN, SCRIPTED);
    bench.inventory = Inventory::new(tapwire_inventory::Config::new(KEY));
    bench.calls(300, &LOGIN.replace("/login", "/other"), HIDDEN);
    assert_eq!(bench.stages(COOKIE), [Stage::Open], "the inventory was lost, and nothing is seen of it");
    bench.calls(12, LOGIN, HIDDEN);
    assert_eq!(bench.stages(COOKIE), [Stage::Open, Stage::Fixed]);
    bench.calls(250, LOGIN, HIDDEN);
    assert_eq!(bench.stages(COOKIE), [Stage::Open, Stage::Fixed, Stage::Verified]);
}

#[test]
fn how_long_findings_took_is_counted_for_their_service() {
    let mut bench = Bench::new(&[], &[]);
    let times = |bench: &Bench| bench.policies.cases().times("shop");
    bench.calls(12, LOGIN, SCRIPTED);
    let minutes = |minutes: u64| minutes * 60_000;
    // The first look comes ten minutes after the first call.
    let told = PostureTimes { waited: minutes(10), detected: 1, ..PostureTimes::default() };
    assert_eq!(times(&bench), told);
    bench.calls(250, LOGIN, HIDDEN);
    let opened = bench.told.first().map(|one| one.opened).unwrap();
    let verified = bench.told.last().filter(|one| one.stage == Stage::Verified).map(|one| one.time).unwrap();
    let stood = u64::try_from(verified.since(opened) / 1_000_000).unwrap();
    assert!(stood > minutes(100), "{stood}");
    assert_eq!(times(&bench), PostureTimes { stood, remedied: 1, ..told });
    bench.calls(20, LOGIN, SCRIPTED);
    assert_eq!(times(&bench), PostureTimes { stood, remedied: 1, ..told }, "it stands again");
}

#[test]
fn cases_are_restored_and_bounded() {
    let mut bench = Bench::new(&[], &[]);
    bench.calls(12, LOGIN, SCRIPTED);
    let kept = bench.policies.cases().clone();
    assert_eq!(kept.len(), 1);
    bench.policies = Policies::new(Rules::new(&[], &[]).unwrap(), Settings::default());
    bench.policies.set_cases(kept);
    bench.calls(12, LOGIN, SCRIPTED);
    assert_eq!(bench.stages(COOKIE), [Stage::Open], "it was told before");
    let mut cases = Cases::default();
    for service in 0..case::MAX_CASES + 5 {
        cases.open("p", &service.to_string(), 0);
    }
    assert_eq!(cases.len(), case::MAX_CASES);
}

/// A word that no other is like.
fn word(number: u32) -> String {
    let letter = |at: u32| char::from(b"bcdfghjk"[(at % 8) as usize]);
    format!("{}a{}i", letter(number), letter(number / 8))
}

/// The longest time that one of the first calls of another day takes.
fn turn_of_a_day(bench: &mut Bench) -> std::time::Duration {
    let mut longest = std::time::Duration::ZERO;
    let days = |bench: &Bench| bench.inventory.series().days().count();
    let before = days(bench);
    for number in 1.. {
        let mut exchange =
            exchange(number, b"GET /a HTTP/1.1\r\nHost: s0\r\n\r\n", b"HTTP/1.1 200 X\r\n\r\n");
        if let Some(request) = &mut exchange.request {
            request.started = request.started + 86_400_000_000_000;
        }
        let observation = bench.inspector.exchange(exchange);
        let began = std::time::Instant::now();
        bench.inventory.place(observation);
        longest = longest.max(began.elapsed());
        if days(bench) > before {
            assert!(number > 40, "{number} steps");
            break;
        }
    }
    longest
}

/// How long a call may have to wait for a look at full tables, and for the turn of a day. Times are printed, not asserted.
#[test]
fn looks_at_full_tables_are_taken_in_steps() {
    let mut bench = Bench::new(&[], &[]);
    for number in 0..100_000_u32 {
        let (service, one, other) = (number / 1_000, number / 32 % 32, number % 32);
        let answer = format!("{{\"a{number}\":1,\"b{number}\":\"x\",\"c{number}\":[true]}}");
        let request = format!("GET /{}/{} HTTP/1.1\r\nHost: s{service}\r\n\r\n", word(one), word(other));
        let response = format!(
            "HTTP/1.1 200 X\r\nContent-Type: application/json\r\nSet-Cookie: sid=1; Secure\r\n\r\n{answer}"
        );
        let exchange = exchange(1, request.as_bytes(), response.as_bytes());
        bench.inventory.place(bench.inspector.exchange(exchange));
    }
    let endpoints = bench.inventory.endpoints().count();
    assert!(endpoints > 95_000, "{endpoints}");
    let start = Timestamp::from_parts(1_700_000_000, 0);
    bench.policies.heed(&bench.inventory, start, &mut bench.told);
    let (mut steps, mut longest, mut sum) = (0, std::time::Duration::ZERO, std::time::Duration::ZERO);
    while bench.policies.counters().looks == 0 {
        let began = std::time::Instant::now();
        bench.policies.heed(&bench.inventory, start + 700_000_000_000, &mut bench.told);
        (steps, longest, sum) = (steps + 1, longest.max(began.elapsed()), sum + began.elapsed());
    }
    let turn = turn_of_a_day(&mut bench);
    println!(
        "{endpoints} endpoints: {steps} steps of {sum:?}, the longest {longest:?}; the longest of the turn of a day {turn:?}"
    );
    assert!(steps > endpoints / (2 * 32), "{steps} steps");
    let told = bench.told.iter().filter(|one| one.rule.id == COOKIE).count();
    assert_eq!(told, bench.inventory.services().count(), "each service has such a cookie");
}
