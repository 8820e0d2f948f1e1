use super::*;
use tapwire_inspect::{Inspector, TokenKey};
use tapwire_inventory::State;
use tapwire_inventory::context::{About, Context, Reading};
use tapwire_testkit::{Conversation, Turn, shop_turns};

const KEY: TokenKey = TokenKey::new([7; 32]);

/// An inventory that grows, and what is told of it.
struct Bench {
    inspector: Inspector,
    inventory: Inventory,
    teller: Teller,
    told: Vec<SensorReport>,
    now: Timestamp,
}

impl Bench {
    fn new() -> Self {
        Self {
            inspector: Inspector::new(tapwire_inspect::Config::new(KEY)),
            inventory: Inventory::new(tapwire_inventory::Config::new(KEY)),
            teller: Teller::default(),
            told: Vec::new(),
            now: Timestamp::MIN,
        }
    }

    fn calls(&mut self, count: u64) {
        self.play(&Conversation::new(shop_turns(count, 1), 1));
    }

    fn play(&mut self, conversation: &Conversation) {
        for exchange in tapwire_testkit::exchanges(&conversation.play()) {
            let call = self.inventory.place(self.inspector.exchange(exchange));
            self.now = self.now.max(call.observation.exchange.started());
        }
    }

    /// So many seconds later, and for as many calls as a look takes: the ids that were told.
    fn later(&mut self, seconds: i64) -> Vec<EndpointId> {
        self.now = self.now + seconds * SECOND;
        let Self { inventory, teller, told, now, .. } = self;
        let before = told.len();
        for _ in 0..1_000 {
            teller.heed(inventory, *now, &mut |report| told.push(report.clone()));
        }
        assert!(teller.round.is_none(), "a look ends");
        self.since(before)
    }

    fn finish(&mut self) -> Vec<EndpointId> {
        let Self { inventory, teller, told, .. } = self;
        let before = told.len();
        teller.finish(inventory, &mut |report| told.push(report.clone()));
        self.since(before)
    }

    fn since(&self, before: usize) -> Vec<EndpointId> {
        let mut ids: Vec<EndpointId> =
            self.told[before..].iter().flat_map(endpoints).map(|known| known.id).collect();
        ids.sort();
        ids
    }

    fn all(&self) -> Vec<EndpointId> {
        let mut ids: Vec<EndpointId> = self.inventory.endpoints().map(|one| one.id).collect();
        ids.sort();
        ids
    }

    fn owned_by(&mut self, owner: &str) {
        let mut reading = Reading::new(KEY);
        assert!(reading.sections(&format!("[owners]\n{owner} = [\"*/orders/{{id}}\"]\n")).is_empty());
        let context: Context = reading.finish();
        self.inventory.set_context(Arc::new(context));
    }
}

fn endpoints(report: &SensorReport) -> &[KnownEndpoint] {
    match report.told.as_slice() {
        [("endpoints", Told::Endpoints(endpoints))] => endpoints,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_changed_is_told_and_everything_once_a_day() {
    let mut bench = Bench::new();
    bench.calls(400);
    assert!(bench.later(0).is_empty(), "nothing is told before the first look is due");
    let all = bench.all();
    assert!(all.len() > 4, "{all:?}");
    assert_eq!(bench.later(600), all);
    assert!(bench.later(600).is_empty(), "nothing changed");
    bench.owned_by("shop");
    let changed = bench.later(600);
    assert!(!changed.is_empty() && changed.len() < all.len(), "{changed:?} of {all:?}");
    let owner = |known: &KnownEndpoint| known.about.owner.as_deref() == Some("shop");
    assert!(bench.told.last().is_some_and(|report| endpoints(report).iter().all(owner)));
    assert_eq!(bench.later(86_400), all, "a day later all of it");
    // A clock that was set back by a month does not keep it silent for a month.
    bench.now = bench.now + -30 * 86_400 * SECOND;
    assert!(bench.later(0).is_empty());
    assert_eq!(bench.later(600), all);
}

#[test]
fn an_end_in_the_middle_of_a_look_loses_nothing() {
    let mut bench = Bench::new();
    bench.calls(400);
    bench.later(0);
    bench.now = bench.now + 600 * SECOND;
    let Bench { inventory, teller, told, now, .. } = &mut bench;
    teller.heed(inventory, *now, &mut |report| told.push(report.clone()));
    assert!(teller.round.is_some() && told.is_empty());
    assert_eq!(bench.finish(), bench.all());
}

#[test]
fn at_the_end_all_is_told_as_it_is() {
    let mut bench = Bench::new();
    bench.calls(400);
    let all = bench.all();
    assert_eq!(bench.finish(), all, "a run that is shorter than what comes between two looks");
    assert!(bench.finish().is_empty());
    // Counts are no reason to tell it between, and are told at the end.
    bench.calls(400);
    bench.later(0);
    let settled = bench.later(600).len();
    assert!(settled < all.len(), "{settled} of {}", all.len());
    assert!(!bench.finish().is_empty());
    assert!(Bench::new().finish().is_empty(), "nothing is known");
}

fn known(id: u64, tag: &str) -> KnownEndpoint {
    KnownEndpoint {
        id: EndpointId(id),
        method: "GET".into(),
        template: format!("/orders/{id}").into(),
        operation: None,
        seen: None,
        states: vec![State::Documented, State::Orphan],
        scores: None,
        about: About { tags: vec![tag.into()], ..About::default() },
    }
}

#[test]
fn an_event_is_of_one_service_and_bounded() {
    let mut waiting = Waiting::default();
    let big = "x".repeat(20_000);
    for (service, tag, count) in [("a", "pci", 100), ("b", big.as_str(), 3), ("c", "", 1)] {
        let all = (0..count).map(|id| known(id, tag));
        waiting.count += waiting.services.entry(service.into()).or_insert_with(|| all.collect()).len();
    }
    assert_eq!(waiting.count, 104);
    let mut told = Vec::new();
    while let Some(report) = waiting.take(Timestamp::MIN) {
        told.push((report.service.clone().unwrap_or_default().to_string(), endpoints(&report).len()));
    }
    let expected = [("a", 32), ("a", 32), ("a", 32), ("a", 4), ("b", 1), ("b", 1), ("b", 1), ("c", 1)];
    assert_eq!(told, expected.map(|(service, count)| (service.to_owned(), count)));
    assert_eq!((waiting.count, waiting.services.len()), (0, 0));
}

/// How long a call may have to wait where endpoints are many. Times are printed, not asserted.
#[test]
fn steps_at_full_tables_are_small() {
    let mut bench = Bench::new();
    let word = |number: u32| {
        let letter = |at: u32| char::from(b"bcdfghjk"[(at % 8) as usize]);
        format!("{}a{}i", letter(number), letter(number / 8))
    };
    let turn = |number: u32| {
        let (service, one, other) = (number / 1_000, word(number / 32 % 32), word(number % 32));
        let answer = format!("{{\"a{number}\":1,\"b{number}\":\"x\",\"c{number}\":[true]}}");
        let head =
            format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}", answer.len());
        Turn {
            request: format!("GET /{one}/{other} HTTP/1.1\r\nHost: s{service}\r\n\r\n").into_bytes(),
            response: format!("{head}\r\n\r\n{answer}").into_bytes(),
        }
    };
    for some in 0..20 {
        let turns = (some * 5_000..(some + 1) * 5_000).map(turn).collect();
        bench.play(&Conversation::new(turns, 1));
    }
    let endpoints = bench.all().len();
    assert!(endpoints > 95_000, "{endpoints}");
    let Bench { inventory, teller, told, now, .. } = &mut bench;
    teller.heed(inventory, *now, &mut |_| {});
    let (mut steps, mut longest, mut sum) = (0, std::time::Duration::ZERO, std::time::Duration::ZERO);
    while steps == 0 || teller.round.is_some() {
        let began = std::time::Instant::now();
        teller.heed(inventory, *now + 600 * SECOND, &mut |report| told.push(report.clone()));
        (steps, longest, sum) = (steps + 1, longest.max(began.elapsed()), sum + began.elapsed());
    }
    println!("{endpoints} endpoints: {steps} steps of {sum:?}, the longest {longest:?}");
}
