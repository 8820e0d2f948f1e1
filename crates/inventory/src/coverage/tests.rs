use super::*;
use crate::transcript::exchange;
use tapwire_inspect::TokenKey;
use tapwire_protocol::{Answer, FlowStamp, Pairing};

fn coverage() -> Coverage {
    Coverage::new(&Config::new(TokenKey::new([7; 32])))
}

/// At that second of 1970, on connection `flow`.
fn call(second: u32, flow: u64, host: &str) -> Exchange {
    let request = format!("GET /a HTTP/1.1\r\nHost: {host}\r\n\r\n");
    let mut exchange = exchange(second, request.as_bytes(), b"HTTP/1.1 200 OK\r\n\r\n");
    exchange.flow.id = flow;
    exchange
}

/// Bytes of so many more exchanges like those of [`call`], in front of it.
fn behind(count: u64, call: Exchange) -> Exchange {
    let size = |half: &Option<Box<tapwire_protocol::Message>>| {
        half.as_ref().map_or(0, |message| message.head.text.len() as u64)
    };
    let unseen = Unseen {
        client: count * size(&call.request),
        server: count * size(&call.response),
        ..Unseen::default()
    };
    Exchange { unseen, ..call }
}

fn end(flow: FlowStamp, unseen: Unseen) -> ConnectionEnd {
    ConnectionEnd {
        flow,
        unseen,
        time: Timestamp::from_parts(10, 0),
        knock: None,
        source: tapwire_wire::SourceId::default(),
    }
}

fn only(coverage: &mut Coverage) -> HourCoverage {
    let mut hours = coverage.take_rest();
    assert_eq!(hours.len(), 1, "{hours:?}");
    hours.remove(0)
}

#[test]
fn all_is_said_only_where_nothing_is_missing() {
    let mut coverage = coverage();
    (1..=5).for_each(|second| coverage.exchange(&call(second, 1, "shop")));
    let hour = only(&mut coverage);
    assert_eq!((&*hour.service, hour.seen.pairs), ("shop", 5));
    assert!(hour.seen.is_all());
}

#[test]
fn exchanges_that_hide_are_counted_by_the_size_of_others() {
    for missing in [1, 2, 5, 20] {
        let mut coverage = coverage();
        (1..=40).for_each(|second| coverage.exchange(&call(second, 1, "shop")));
        coverage.exchange(&behind(missing, call(41, 1, "shop")));
        let seen = only(&mut coverage).seen;
        let missing = missing as f64;
        assert!(seen.unseen.low <= missing && missing <= seen.unseen.high, "{missing}: {:?}", seen.unseen);
        // With one connection only, much of what is likely is behind its edges.
        assert!((0.9 * missing..2.5 * missing).contains(&seen.unseen.likely), "{missing}: {:?}", seen.unseen);
        assert!(!seen.is_all());
    }
}

#[test]
fn an_answer_that_was_lost_is_a_half_and_one_that_never_came_is_not() {
    for (answer, halves, pairs) in [(Answer::Lost, 1, 1), (Answer::Never, 0, 2)] {
        let mut coverage = coverage();
        let mut alone = call(1, 1, "shop");
        alone.response = None;
        coverage.exchange(&alone);
        let mut next = call(2, 1, "shop");
        next.unseen.answer = Some(answer);
        coverage.exchange(&next);
        let seen = only(&mut coverage).seen;
        assert_eq!((seen.halves, seen.pairs), (halves, pairs), "{answer:?}");
    }
}

/// It belongs to the hour of its request, however late that shows.
#[test]
fn a_lost_answer_belongs_to_the_hour_of_its_request() {
    let mut coverage = coverage();
    let mut alone = call(3_599, 1, "shop");
    alone.response = None;
    coverage.exchange(&alone);
    let mut next = call(3_601, 1, "shop");
    next.unseen.answer = Some(Answer::Lost);
    coverage.exchange(&next);
    let halves: Vec<u64> = coverage.take_rest().iter().map(|hour| hour.seen.halves).collect();
    assert_eq!(halves, [1, 0]);
}

#[test]
fn a_pair_that_is_not_proven_widens_the_interval() {
    let mut coverage = coverage();
    (1..=9).for_each(|second| coverage.exchange(&call(second, 1, "shop")));
    coverage.exchange(&Exchange { pairing: Pairing::Uncertain, ..call(10, 1, "shop") });
    let seen = only(&mut coverage).seen;
    assert_eq!((seen.pairs, seen.uncertain), (10, 1));
    assert!(seen.share.low < 0.85 && seen.share.high >= 1.0, "{:?}", seen.share);
}

#[test]
fn halves_of_no_known_service_are_shared_by_those_of_their_server() {
    let mut coverage = coverage();
    (1..=30).for_each(|second| coverage.exchange(&call(second, 1, "shop")));
    (1..=10).for_each(|second| coverage.exchange(&call(second, 2, "api")));
    for flow in 3..7 {
        let mut half = call(31, flow, "shop");
        half.request = None;
        half.unseen = Unseen { client: 30, requests: 1, ..Unseen::default() };
        coverage.exchange(&half);
    }
    let hours = coverage.take_rest();
    let halves: Vec<(&str, u64)> = hours.iter().map(|hour| (&*hour.service, hour.seen.halves)).collect();
    assert_eq!(halves, [("api", 1), ("shop", 3)]);
    // One to four of them may be the shop's.
    let shop = hours.iter().find(|hour| &*hour.service == "shop").unwrap().seen.share;
    assert!(shop.low <= 30.0 / 34.0 && shop.high >= 30.0 / 31.5, "{shop:?}");
}

/// A server of which no exchange was ever seen need not speak HTTP.
#[test]
fn holes_of_unknown_servers_are_not_exchanges() {
    let mut coverage = coverage();
    let unseen = Unseen { client: 500, server: 5_000, ..Unseen::default() };
    coverage.end(&end(call(1, 1, "shop").flow, unseen));
    assert_eq!(coverage.counters().unplaced_ends, 1);
    assert!(coverage.take_rest().is_empty());
}

#[test]
fn nothing_seen_is_not_a_share_of_0() {
    let mut coverage = coverage();
    coverage.exchange(&call(1, 1, "shop"));
    let _ = coverage.take_rest();
    let flow = FlowStamp { id: 2, ..call(1, 1, "shop").flow };
    let unseen = Unseen { client: 35, server: 19, ..Unseen::default() };
    coverage.end(&end(flow, unseen));
    let hour = only(&mut coverage);
    assert!(!hour.seen.is_any() && !hour.seen.is_all());
}

#[test]
fn an_hour_is_told_when_it_is_over_and_once() {
    let mut coverage = coverage();
    coverage.exchange(&call(3_000, 1, "shop"));
    coverage.exchange(&call(3_700, 1, "shop"));
    assert!(!coverage.is_due(), "connections of the first hour may still be open");
    coverage.exchange(&call(3_970, 1, "shop"));
    assert!(coverage.is_due());
    let hours = coverage.take_due();
    assert_eq!(hours.iter().map(|hour| (hour.hour.millis(), hour.seen.pairs)).collect::<Vec<_>>(), [(0, 1)]);
    assert_eq!(hours.first().map(|hour| hour.until.millis()), Some(3_600_000));
    assert!(!coverage.is_due());
    assert_eq!(coverage.take_rest().len(), 1);
    let all: Vec<ServiceCoverage> = coverage.services().collect();
    assert_eq!(all.iter().map(|service| service.seen.pairs).collect::<Vec<_>>(), [3]);
}

#[test]
fn a_clock_that_was_hours_ahead_and_is_set_back_tells_each_hour_once() {
    let mut coverage = coverage();
    let mut told = Vec::new();
    for second in [40_000, 68_800, 40_010, 40_020, 40_030] {
        coverage.exchange(&call(second, 1, "shop"));
        if coverage.is_due() {
            told.extend(coverage.take_due());
        }
    }
    let hours = |told: &[HourCoverage]| {
        told.iter().map(|hour| (hour.hour.millis() / 3_600_000, hour.seen.pairs)).collect::<Vec<_>>()
    };
    assert_eq!(hours(&told), [(11, 1)]);
    let rest = coverage.take_rest();
    assert_eq!(hours(&rest), [(11, 3), (19, 1)]);
    assert!(rest.iter().all(|hour| hour.until > hour.hour), "{rest:?}");
}

#[test]
fn services_beyond_the_limit_are_counted() {
    let config = Config { max_services: 2, ..Config::new(TokenKey::new([7; 32])) };
    let mut coverage = Coverage::new(&config);
    for (flow, host) in [(1, "a"), (2, "b"), (3, "c")] {
        coverage.exchange(&call(1, flow, host));
    }
    let names: Vec<Arc<str>> = coverage.take_rest().into_iter().map(|hour| hour.service).collect();
    assert_eq!(names.iter().map(|name| &**name).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(coverage.counters().beyond_services, 1);
}
