use super::*;
use crate::{Classes, Config};
use std::sync::Mutex;
use tapwire_event::{Fidelity, Format, Options, Redactor, Renderer, choose};
use tapwire_inspect::TokenKey;
use tapwire_sink::{Batch, Reader, Sink, SinkError, SinkReport};
use tapwire_testkit::{Conversation, Random, shop_turns};

struct Lines(Arc<Mutex<Vec<u8>>>);

impl Sink for Lines {
    fn write(&mut self, batch: &Batch) -> Result<Reader, SinkError> {
        self.0.lock().unwrap().extend_from_slice(batch.bytes());
        Ok(Reader::Listening)
    }

    fn report(&self) -> SinkReport {
        SinkReport {
            destination: "lines".into(),
            counts: Default::default(),
            error: None,
            lapse: None,
            notices: Vec::new(),
        }
    }
}

/// Numbered from 1.
fn exchanges(count: u64) -> Vec<Exchange> {
    tapwire_testkit::exchanges(&Conversation::new(shop_turns(count, 1), 1).play())
}

fn analyst(limit: Option<u64>) -> (Analyst, Arc<Mutex<Vec<u8>>>) {
    let key = TokenKey::new([7; 32]);
    let config = Config {
        threads: 2,
        analysis: false,
        tells: true,
        max_exchanges: limit,
        in_flight_bytes: 1 << 20,
        heartbeat: crate::Heartbeat::default(),
        wire: tapwire_wire::Config::default(),
        flow: tapwire_flow::Config::default(),
        secrets: crate::Secrets::default(),
        protocol: tapwire_protocol::Config::default(),
        inspect: tapwire_inspect::Config::new(key.clone()),
        inventory: tapwire_inventory::Config::new(key.clone()),
        context: crate::ContextFeed::default(),
        detect: tapwire_detect::Config::default(),
        rules: tapwire_detect::policies::Rules::default(),
        mutes: Vec::new(),
        radius: None,
        policies: tapwire_detect::policies::Settings::default(),
        policy_feed: PolicyFeed::default(),
        rule_feed: crate::RuleFeed::default(),
        mute_feed: crate::MuteFeed::default(),
    };
    let fields = choose("time").unwrap();
    let options = Options { format: Format::Tsv, fields, ..Options::default() };
    let lines = Arc::new(Mutex::new(Vec::new()));
    let renderer = Renderer::new(options, Redactor::new(key, Fidelity::Default));
    let outlet = Outlet::new(renderer, Classes::default(), None, vec![Box::new(Lines(Arc::clone(&lines)))]);
    (
        Analyst::new(&config, Learned::new(&config), vec![outlet], SourceNames::default(), Arc::default()),
        lines,
    )
}

/// Spreads exchanges over lanes as the router does, some of them shed, in runs, by the first lane.
fn lanes(count: usize, shed_share: f64, random: &mut Random) -> Vec<VecDeque<Seen>> {
    let mut lanes: Vec<VecDeque<Seen>> = (0..count).map(|_| VecDeque::new()).collect();
    for exchange in exchanges(400) {
        if !random.chance(shed_share) {
            lanes[random.below(count)].push_back(Seen::Plain(exchange));
            continue;
        }
        match lanes[0].back_mut() {
            Some(Seen::Shed(run)) if run.first + run.count == exchange.number => run.count += 1,
            _ => lanes[0].push_back(Seen::Shed(Shed { first: exchange.number, count: 1 })),
        }
    }
    lanes
}

#[test]
fn exchanges_are_reported_by_number_however_the_lanes_interleave() {
    for seed in 1..=30 {
        let mut random = Random::new(seed);
        let shed_share = [0.0, 0.1, 0.6][random.below(3)];
        let count = 1 + random.below(4);
        let mut lanes = lanes(count, shed_share, &mut random);
        let (mut analyst, lines) = analyst(None);
        let mut landed = Landed::default();
        while lanes.iter().any(|lane| !lane.is_empty()) {
            let lane = random.below(lanes.len());
            if let Some(seen) = lanes[lane].pop_front() {
                analyst.take(lane, seen, &mut landed);
            }
        }
        analyst.flush(false);
        let tally = &analyst.tally;
        assert_eq!((tally.exchanges, tally.reported + tally.shed), (400, 400), "seed {seed}");
        let text = String::from_utf8(lines.lock().unwrap().clone()).unwrap();
        let times: Vec<&str> = text.lines().skip(1).collect();
        assert_eq!(times.len() as u64, tally.reported, "seed {seed}");
        assert!(times.is_sorted(), "seed {seed}: out of order");
        assert!(landed.bytes > 0 && landed.spares.len() >= times.len(), "used messages come back");
    }
}

#[test]
fn behind_the_limit_exchanges_are_only_counted() {
    let (mut analyst, _) = analyst(Some(3));
    let mut landed = Landed::default();
    for exchange in exchanges(10) {
        analyst.take(0, Seen::Plain(exchange), &mut landed);
    }
    let tally = &analyst.tally;
    assert_eq!((tally.exchanges, tally.reported, tally.beyond_limit), (10, 3, 7));
    assert!(analyst.stop.load(Ordering::Relaxed));
}

#[test]
fn what_a_limit_kept_from_being_read_is_told_apart_from_what_is_missing() {
    use tapwire_protocol::Seen;
    let mut tally = Tally::default();
    for (mut exchange, (asked, answered)) in exchanges(3).into_iter().zip([
        (Seen::Complete, Seen::Complete),
        (Seen::Capped, Seen::Complete),
        (Seen::Capped, Seen::Truncated),
    ]) {
        exchange.request.as_mut().unwrap().seen = asked;
        exchange.response.as_mut().unwrap().seen = answered;
        tally.count(&exchange);
    }
    assert_eq!((tally.whole, tally.truncated, tally.capped), (1, 2, 1));
}

#[test]
fn what_files_say_anew_is_known_to_both_inventories_of_two_passes() {
    let (mut analyst, _) = analyst(None);
    let key = TokenKey::new([7; 32]);
    analyst.known = Some(Inventory::new(tapwire_inventory::Config::new(key)));
    let context: Arc<tapwire_inventory::context::Context> = Arc::default();
    analyst.context.put(Arc::clone(&context));
    analyst.renew();
    let known = analyst.known.as_ref().expect("a pass before");
    assert!([&analyst.inventory, known].into_iter().all(|one| std::ptr::eq(one.context(), &*context)));
}
