//! Properties of the data path: a base capture, changed as mirrors and networks change it, gives the same exchanges.
//!
//! Bases are the recorded fixtures and scripted conversations. Every exchange carries its number in both halves, so a
//! pair of strangers shows. The random-loss test prints how many pairs were checked.

#[path = "properties_http2.rs"]
mod http2;
#[path = "properties_tunnels.rs"]
mod tunnels;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use tapwire_capture::{ByteOrder, Resolution};
use tapwire_protocol::Pairing;
use tapwire_testkit::http2::{Indexing, Script, Style as Http2};
use tapwire_testkit::mutate::{self, Container};
use tapwire_testkit::{
    Capture, Conversation, Facts, OwnedPacket, Row, Sending, Sensed, sense, shop_turns, truth,
};
use tapwire_wire::Side;

/// A capture without loss, of ordinary exchanges.
struct Base {
    name: String,
    capture: Capture,
    facts: Vec<Facts>,
}

impl Base {
    fn new(name: String, capture: Capture) -> Self {
        let facts = sense(&capture).facts();
        Self { name, capture, facts }
    }

    /// Checks that the changed capture says the same.
    fn same(&self, change: &str, changed: &Capture) {
        let sensed = sense(changed);
        assert!(sensed.wrong().is_empty(), "{}: {change}: mispaired {:?}", self.name, strangers(&sensed));
        let facts = sensed.facts();
        if facts != self.facts {
            panic!("{}: {change}: {}", self.name, difference(&self.facts, &facts));
        }
    }
}

/// Request and response numbers of certain pairs that do not belong together.
fn strangers(sensed: &Sensed) -> Vec<(Option<u64>, Option<u64>)> {
    sensed.wrong().iter().map(|row| (row.request, row.response)).collect()
}

fn difference(wanted: &[Facts], got: &[Facts]) -> String {
    let missing: Vec<&Facts> = wanted.iter().filter(|fact| !got.contains(fact)).take(4).collect();
    let extra: Vec<&Facts> = got.iter().filter(|fact| !wanted.contains(fact)).take(4).collect();
    format!("{} exchanges wanted, {} got\n missing {missing:?}\n extra {extra:?}", wanted.len(), got.len())
}

/// Fixtures recorded without loss, duplicates or cuts.
const WHOLE: &[&str] = &[
    "basic-rest",
    "chunked",
    "close-delimited",
    "connect-upgrade",
    "credentials-in-url",
    "early-response",
    "expect-100",
    "gzip-deflate",
    "head-204-304",
    "ipv6",
    "large-body",
    "pipelined-batch",
    "pipelined-rolling",
    "proxy-v1",
    "proxy-v2",
    "secrets",
    "tls-only",
    "vlan",
];

fn fixture_path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures").join(name).join("in.pcap")
}

fn fixture(name: &str) -> Capture {
    Capture::read(&fixture_path(name)).unwrap_or_else(|error| panic!("{name}: {error:?}"))
}

fn scripted(sending: Sending, count: u64, seed: u64) -> Capture {
    Conversation { sending, ..Conversation::new(shop_turns(count, seed), seed) }.play()
}

/// Bases in which the client keeps several requests outstanding, one more for each answer. Where such a connection is joined
/// in the middle, or two of its requests are lost together, no acknowledgement number tells it from one whose client
/// waits; nobody who only listens can. What is said of them is counted apart.
fn rolls(base: &str) -> bool {
    base.to_ascii_lowercase().contains("rolling")
}

/// Bases in which a client does not always wait for its answer.
fn pipelines(base: &str) -> bool {
    rolls(base) || base.to_ascii_lowercase().contains("batch")
}

const SENDINGS: [Sending; 3] = [Sending::AfterAnswer, Sending::Batch(3), Sending::Rolling(2)];

fn bases() -> Vec<Base> {
    let recorded = WHOLE.iter().map(|name| Base::new((*name).to_owned(), fixture(name)));
    let made = SENDINGS.iter().map(|sending| Base::new(format!("{sending:?}"), scripted(*sending, 60, 21)));
    let http2 = Http2::usual();
    let mixed = Http2 { streams: 4, indexing: Indexing::Mixed, padding: 20, chatter: true, ..http2 };
    let framed = [("http2", http2), ("http2-mixed", mixed)].into_iter().map(|(name, style)| {
        let turns = Script::new(40, style, 22).turns();
        Base::new(name.to_owned(), Conversation::new(turns, 22).play())
    });
    recorded.chain(made).chain(framed).collect()
}

/// Runs a check over all bases and names every one that fails.
fn for_each_base(check: impl Fn(&Base)) {
    let failed: Vec<String> = bases()
        .iter()
        .filter(|base| catch_unwind(AssertUnwindSafe(|| check(base))).is_err())
        .map(|base| base.name.clone())
        .collect();
    assert!(failed.is_empty(), "fails for {failed:?}");
}

/// Numbers of request and response of every row, for comparing subsets.
fn numbers(sensed: &Sensed) -> BTreeSet<(Option<u64>, Option<u64>)> {
    sensed.rows.iter().map(|row| (row.request, row.response)).collect()
}

/// Numbers of requests and of responses, each with how often it came so far: a repetition is no subset.
type Halves = (BTreeSet<(u64, usize)>, BTreeSet<(u64, usize)>);

fn halves(sensed: &Sensed) -> Halves {
    let counted = |numbers: Vec<u64>| {
        let mut seen: BTreeMap<u64, usize> = BTreeMap::new();
        let place = |number| {
            let times = seen.entry(number).or_default();
            *times += 1;
            (number, *times)
        };
        numbers.into_iter().map(place).collect()
    };
    let requests = sensed.rows.iter().filter_map(|row| row.request).collect();
    let responses = sensed.rows.iter().filter_map(|row| row.response).collect();
    (counted(requests), counted(responses))
}

fn none_wrong(base: &Base, change: &str, changed: &Capture) -> Sensed {
    let sensed = sense(changed);
    assert!(sensed.wrong().is_empty(), "{}: {change}: mispaired {:?}", base.name, strangers(&sensed));
    sensed
}

#[test]
fn every_base_is_seen_whole_and_paired_with_certainty() {
    for_each_base(|base| {
        let sensed = none_wrong(base, "nothing", &base.capture);
        let pairs: BTreeSet<u64> = sensed.certain().filter_map(|row| row.request).collect();
        for exchange in truth::exchanges(&base.capture) {
            // nginx refuses a target with userinfo before it knows the request's number.
            let labelled = exchange.response_number != 0;
            assert!(
                !labelled || exchange.response_number == exchange.number,
                "{}: the truth itself",
                base.name
            );
            assert!(
                pairs.contains(&exchange.number),
                "{}: exchange {} not certain",
                base.name,
                exchange.number
            );
        }
    });
}

/// Recorded with a fault that loses nothing.
const FAULTY: &[&str] = &[
    "cooked-v1",
    "cooked-v2",
    "offloaded-checksums",
    "qinq",
    "reordered",
    "retransmissions",
    "span-duplicates",
];

#[test]
fn recorded_faults_that_lose_nothing_leave_every_pair_certain() {
    let mut incomplete = Vec::new();
    for name in FAULTY {
        let capture = fixture(name);
        let sensed = sense(&capture);
        assert!(sensed.wrong().is_empty(), "{name}: mispaired {:?}", strangers(&sensed));
        let pairs: BTreeSet<u64> = sensed.certain().filter_map(|row| row.request).collect();
        let wanted: BTreeSet<u64> =
            truth::exchanges(&capture).iter().map(|exchange| exchange.number).collect();
        assert!(!wanted.is_empty(), "{name}: the truth itself");
        let missing: Vec<&u64> = wanted.difference(&pairs).collect();
        if !missing.is_empty() {
            incomplete.push(format!("{name}: {missing:?}"));
        }
    }
    assert!(incomplete.is_empty(), "not certain: {incomplete:#?}");
}

/// Recorded with losses, cuts or one direction only.
const LOSSY: &[&str] =
    &["joined-middle", "lost-packets", "one-sided-requests", "one-sided-responses", "snaplen"];

#[test]
fn recorded_losses_never_mispair() {
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/demo/in.pcap.gz");
    let demo = Capture::read(&demo).unwrap_or_else(|error| panic!("demo: {error:?}"));
    let mut checked = 0;
    for (name, capture) in LOSSY.iter().map(|name| (*name, fixture(name))).chain([("demo", demo)]) {
        let sensed = sense(&capture);
        assert!(sensed.wrong().is_empty(), "{name}: mispaired {:?}", strangers(&sensed));
        checked += sensed.certain().count();
    }
    println!("{checked} certain pairs checked, 0 wrong");
    assert!(checked > 2_900);
}

#[test]
fn property_1_duplicates_change_nothing() {
    for_each_base(|base| {
        for (apart, seed) in [(0, 1), (3, 2), (10, 3)] {
            base.same(&format!("duplicate {apart}"), &mutate::duplicate(&base.capture, apart, seed));
        }
    });
}

#[test]
fn property_2_segmentation_changes_nothing() {
    for_each_base(|base| {
        for (smallest, largest) in [(1, 1), (1, 7), (1, 1_460), (500, 9_000), (65_000, 65_000)] {
            let changed = mutate::resegment(&base.capture, smallest, largest, 5);
            base.same(&format!("resegment {smallest}..={largest}"), &changed);
        }
    });
}

#[test]
fn property_3_reordering_changes_nothing() {
    for_each_base(|base| {
        for seed in 0..20 {
            base.same(&format!("permute seed {seed}"), &mutate::permute(&base.capture, 3, seed));
        }
        for side in [Side::Lower, Side::Upper] {
            base.same("delay", &mutate::delay_side(&base.capture, side, 1_000_000));
        }
    });
}

#[test]
fn property_4_pure_acks_handshakes_and_fins_are_not_needed() {
    for_each_base(|base| {
        base.same("no pure ACKs", &mutate::without_pure_acks(&base.capture));
        let no_syn = mutate::without_syn(&base.capture);
        if pipelines(&base.name) || base.name == "head-204-304" {
            // One server sends a body after its answer to HEAD, so that nothing tells that no other answer follows.
            // Without the handshake an earlier request may share the first anchor: halves, none of them lost.
            let (requests, responses) = halves(&sense(&no_syn));
            let whole = halves(&sense(&base.capture));
            assert_eq!(requests, whole.0, "{}: no SYN", base.name);
            // An answer to HEAD whose request is not proven is taken to have a body, and hides the next one.
            assert!(responses.is_subset(&whole.1), "{}: no SYN", base.name);
        } else {
            base.same("no SYN", &no_syn);
        }
        if base.name != "close-delimited" {
            base.same("no FIN", &mutate::without_fin(&base.capture));
        }
    });
}

#[test]
fn property_5_joining_anywhere_gives_a_suffix() {
    for_each_base(|base| {
        let all = halves(&sense(&base.capture));
        if rolls(&base.name) {
            return;
        }
        for start in 0..base.capture.packets.len().min(400) {
            let sensed =
                none_wrong(base, &format!("from {start}"), &mutate::from_packet(&base.capture, start));
            if base.name == "connect-upgrade" {
                // Who joins behind the CONNECT sees the HTTP inside the tunnel.
                continue;
            }
            let (requests, responses) = halves(&sensed);
            assert!(
                requests.is_subset(&all.0),
                "{}: from {start}: invented or repeated a request",
                base.name
            );
            assert!(
                responses.is_subset(&all.1),
                "{}: from {start}: invented or repeated a response",
                base.name
            );
        }
    });
}

#[test]
fn property_6_stopping_anywhere_gives_a_prefix() {
    for_each_base(|base| {
        let all = numbers(&sense(&base.capture));
        for end in 0..base.capture.packets.len().min(400) {
            let sensed = none_wrong(base, &format!("until {end}"), &mutate::until_packet(&base.capture, end));
            for row in sensed
                .rows
                .iter()
                .filter(|row| row.is_pair() && row.request.is_some() && row.response.is_some())
            {
                assert!(all.contains(&(row.request, row.response)), "{}: until {end}: {row:?}", base.name);
            }
        }
    });
}

#[test]
fn property_7_losing_any_one_packet_leaves_the_others_unchanged() {
    for_each_base(|base| {
        if pipelines(&base.name) {
            return;
        }
        let truth = truth::exchanges(&base.capture);
        for index in 0..base.capture.packets.len().min(400) {
            if base.name.starts_with("proxy") && is_proxy_header(&base.capture.packets[index]) {
                // What is missing at the start of a stream could have been a request.
                continue;
            }
            let lossy = mutate::without(&base.capture, index);
            let sensed = none_wrong(base, &format!("without {index}"), &lossy);
            let pairs: BTreeSet<u64> = sensed.certain().filter_map(|row| row.request).collect();
            let possible = truth::possible(&truth, &lossy).plain;
            let missing: Vec<&u64> = possible.difference(&pairs).collect();
            assert!(missing.is_empty(), "{}: without {index}: {missing:?} not certain", base.name);
        }
    });
}

fn base_headers(capture: &Capture) -> usize {
    capture.packets.iter().filter(|packet| is_proxy_header(packet)).count()
}

fn is_proxy_header(packet: &OwnedPacket) -> bool {
    packet.segment().is_some_and(|segment| {
        segment.payload.starts_with(b"PROXY ") || segment.payload.starts_with(b"\r\n\r\n\0\r\nQUIT")
    })
}

/// What random loss left of all bases.
#[derive(Default)]
struct Score {
    possible: u64,
    paired: u64,
    pipelined_possible: u64,
    pipelined_paired: u64,
    checked: u64,
    wrong: u64,
    uncertain: u64,
}

impl Score {
    /// Counts one lossy capture; exchanges of clients that pipeline anywhere are counted apart.
    fn add(
        &mut self,
        name: &str,
        capture: &Capture,
        base: &[truth::TrueExchange],
        lossy: &Capture,
    ) -> Vec<Row> {
        let mut possible = truth::possible(base, lossy);
        if pipelines(name) {
            possible.pipelined.append(&mut possible.plain);
        }
        if name.starts_with("proxy") && base_headers(capture) != base_headers(lossy) {
            // Who lost a PROXY header lost what names the client, and cannot tell it from a request.
            possible.plain.clear();
        }
        let sensed = sense(lossy);
        let pairs: BTreeSet<u64> = sensed
            .certain()
            // One answer of nginx itself carries no number; that it is not another's is checked by `wrong`.
            .filter(|row| {
                row.status.is_some() && row.response.is_none_or(|number| row.request == Some(number))
            })
            .filter_map(|row| row.request)
            .collect();
        self.possible += possible.plain.len() as u64;
        self.paired += possible.plain.intersection(&pairs).count() as u64;
        self.pipelined_possible += possible.pipelined.len() as u64;
        self.pipelined_paired += possible.pipelined.intersection(&pairs).count() as u64;
        self.checked += sensed.certain().count() as u64;
        self.uncertain += sensed.rows.iter().filter(|row| row.pairing == Pairing::Uncertain).count() as u64;
        let wrong = sensed.wrong();
        self.wrong += wrong.len() as u64;
        wrong.into_iter().cloned().collect()
    }
}

#[test]
fn property_8_random_loss_never_mispairs_and_keeps_what_is_possible() {
    let bases: Vec<(String, Capture, Vec<truth::TrueExchange>)> = bases()
        .into_iter()
        .map(|base| (base.name, truth::exchanges(&base.capture), base.capture))
        .map(|(name, exchanges, capture)| (name, capture, exchanges))
        .collect();
    let mut wrong: BTreeMap<String, Vec<Row>> = BTreeMap::new();
    let mut low = Vec::new();
    for loss in [0.001, 0.005, 0.01, 0.02, 0.05] {
        let mut score = Score::default();
        let mut rolling_wrong = 0;
        for (name, capture, exchanges) in &bases {
            for seed in 0..200 {
                let rows = score.add(name, capture, exchanges, &mutate::lossy(capture, loss, seed));
                if rolls(name) {
                    rolling_wrong += rows.len();
                } else if !rows.is_empty() {
                    wrong.entry(format!("{name} loss {loss} seed {seed}")).or_default().extend(rows);
                }
            }
        }
        let share = score.paired as f64 / score.possible as f64;
        println!(
            "loss {:>4.1} %: {} certain pairs checked, {} wrong; possible {} paired {} ({:.3} %); pipelined possible {} \
             paired {}; {} uncertain; {rolling_wrong} wrong where clients keep requests outstanding",
            loss * 100.0,
            score.checked,
            score.wrong - rolling_wrong as u64,
            score.possible,
            score.paired,
            share * 100.0,
            score.pipelined_possible,
            score.pipelined_paired,
            score.uncertain,
        );
        assert!((rolling_wrong as u64) * 1_000 < score.checked, "{rolling_wrong} of {}", score.checked);
        if share < 0.999 {
            low.push((loss, share));
        }
    }
    assert!(wrong.is_empty(), "mispaired: {wrong:#?}");
    assert!(low.is_empty(), "less than 99.9 % of the possible: {low:?}");
}

#[test]
fn property_8_bursty_loss_never_mispairs() {
    for_each_base(|base| {
        for seed in 0..50 {
            let lossy = mutate::bursty(&base.capture, 0.03, 5, seed);
            if !rolls(&base.name) {
                none_wrong(base, &format!("bursty seed {seed}"), &lossy);
            }
        }
    });
}

#[test]
fn property_9_one_direction_gives_all_its_messages() {
    for base in
        bases().iter().filter(|base| !["connect-upgrade", "early-response"].contains(&base.name.as_str()))
    {
        let truth = truth::exchanges(&base.capture);
        let mut seen = [BTreeSet::new(), BTreeSet::new()];
        for side in [Side::Lower, Side::Upper] {
            let sensed = sense(&mutate::one_side(&base.capture, side));
            for row in &sensed.rows {
                assert!(!row.is_pair(), "{}: a pair out of one direction: {row:?}", base.name);
                seen[0].extend(row.request);
                seen[1].extend(row.response);
            }
        }
        for exchange in &truth {
            assert!(seen[0].contains(&exchange.number), "{}: request {} missing", base.name, exchange.number);
            // Without its request a pipelined answer to HEAD cannot be told from one with a body.
            let unknowable = exchange.response_number == 0 || exchange.pipelined;
            let answered = unknowable || seen[1].contains(&exchange.number);
            assert!(answered, "{}: response {} missing", base.name, exchange.number);
        }
    }
}

#[test]
fn property_10_the_sequence_may_wrap_anywhere() {
    let base = Base::new("scripted".to_owned(), scripted(Sending::AfterAnswer, 12, 8));
    for offset in (0..4_000).chain((4_000..60_000).step_by(997)) {
        base.same(&format!("wrap at {offset}"), &mutate::wrap_at(&base.capture, offset));
    }
    for_each_base(|base| {
        for offset in [0, 1, 2, 100, 500, 1_460, 5_000] {
            base.same(&format!("wrap at {offset}"), &mutate::wrap_at(&base.capture, offset));
        }
    });
}

#[test]
fn property_12_the_file_format_changes_nothing() {
    let orders = [ByteOrder::Little, ByteOrder::Big];
    let pcap = orders.into_iter().flat_map(|order| {
        [Resolution::Microseconds, Resolution::Nanoseconds]
            .map(|resolution| Container::Pcap(order, resolution))
    });
    let containers: Vec<Container> = pcap.chain(orders.map(Container::Pcapng)).collect();
    for_each_base(|base| {
        for container in &containers {
            for gzip in [false, true] {
                let read = mutate::through_file(&base.capture, *container, gzip).expect("a file in memory");
                assert_eq!(read.packets.len(), base.capture.packets.len());
                base.same(&format!("{container:?} gzip {gzip}"), &read);
            }
        }
    });
}

#[test]
fn property_13_connections_do_not_disturb_each_other() {
    let bases = bases();
    let captures: Vec<Capture> = bases.iter().map(|base| base.capture.clone()).collect();
    let mut alone: Vec<Facts> = bases.iter().flat_map(|base| base.facts.clone()).collect();
    alone.sort();
    let together = sense(&mutate::interleave(&captures));
    assert!(together.wrong().is_empty());
    assert!(together.facts() == alone, "{}", difference(&alone, &together.facts()));
}

#[test]
fn property_15_noise_changes_nothing() {
    for_each_base(|base| {
        for seed in 0..10 {
            base.same(&format!("noise seed {seed}"), &mutate::noise(&base.capture, 0.2, seed));
        }
    });
}

#[test]
fn property_16_cut_packets_never_mispair() {
    for_each_base(|base| {
        for length in [54, 66, 100, 200, 400, 1_000] {
            none_wrong(base, &format!("snap {length}"), &mutate::snap(&base.capture, length));
        }
        base.same("snap beyond every packet", &mutate::snap(&base.capture, 70_000));
    });
}

#[test]
fn property_17_time_may_run_faster_or_slower() {
    for_each_base(|base| {
        base.same("time x10", &mutate::scale_time(&base.capture, 10, 1));
        base.same("time /10", &mutate::scale_time(&base.capture, 1, 10));
    });
}

#[test]
fn property_21_flipped_bits_do_no_harm() {
    for_each_base(|base| {
        for (probability, seed) in [(0.0001, 1), (0.001, 2), (0.01, 3)] {
            let sensed = sense(&mutate::flip_bits(&base.capture, probability, seed));
            assert!(sensed.flow.conserved(), "{}: flipped {probability}", base.name);
        }
    });
}
