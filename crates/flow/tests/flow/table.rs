//! Many connections: timeouts, eviction, floods, clocks, senders.

use crate::common::{CLIENT, Heard, MILLISECOND, SECOND, SERVER, Tap, Tcp, client, data, offset, server};
use tapwire_flow::{CloseReason, Config, Evidence, FlowTable, Patience};

const RECORD: usize = FlowTable::<()>::RECORD;

fn closes(tap: &mut Tap) -> Vec<(u64, CloseReason)> {
    let close = |(flow, heard)| match heard {
        Heard::Close(reason) => Some((flow, reason)),
        _ => None,
    };
    tap.heard.events.drain(..).filter_map(close).collect()
}

/// A connection with a request, told apart by its port.
fn request(port: u16) -> Tcp {
    client(700).ack(900).data(b"GET /").port(port)
}

#[test]
fn silence_closes_by_what_is_open() {
    for (patience, seconds) in [(Patience::Idle, 300), (Patience::Open, 900), (Patience::LongLived, 1_800)] {
        let mut tap = Tap::file();
        tap.heard.patience = patience;
        tap.send(&request(1)).wait((seconds - 2) * SECOND);
        assert_eq!(closes(&mut tap), []);
        tap.wait(4 * SECOND);
        assert_eq!(closes(&mut tap), [(1, CloseReason::Idle)]);
    }
}

#[test]
fn a_connection_that_only_showed_a_syn_is_forgotten_soon() {
    let mut tap = Tap::file();
    tap.send(&client(100).syn()).wait(11 * SECOND);
    assert_eq!(closes(&mut tap), [(1, CloseReason::Idle)]);
    let mut tap = Tap::connected();
    tap.wait(11 * SECOND);
    assert_eq!(closes(&mut tap), []);
}

#[test]
fn a_syn_flood_evicts_only_itself() {
    let mut tap = Tap::new(Config { memory: 400 * RECORD, ..Config::default() });
    for port in 1..=20 {
        tap.send(&request(port));
    }
    for nth in 0..5_000 {
        tap.send(&Tcp { client: 1_000 + nth, ..client(nth).syn() });
    }
    let evicted: Vec<u64> = closes(&mut tap).into_iter().map(|(flow, _)| flow).collect();
    assert_eq!(evicted, (21..=20 + 5_000 - 50).collect::<Vec<u64>>());
    assert_eq!(tap.table.counters().evicted_syn, 4_950);
}

#[test]
fn a_full_table_gives_up_the_least_active_connection() {
    let mut tap = Tap::new(Config { memory: 8 * (RECORD + 600), ..Config::default() });
    for port in 1..=5 {
        tap.send(&request(port)).wait(2 * SECOND);
    }
    tap.send(&client(705).ack(900).data(b"more").port(1)).wait(2 * SECOND);
    let mut order = Vec::new();
    for port in 6..40 {
        tap.send(&request(port)).wait(2 * SECOND);
        order.extend(closes(&mut tap).into_iter().map(|(flow, _)| flow));
    }
    assert_eq!(order.get(..5), Some(&[2, 3, 4, 5, 1][..]));
    assert!(tap.table.counters().memory <= 8 * (RECORD + 600) as u64);
}

#[test]
fn an_open_exchange_outlives_an_idle_connection_in_a_full_table() {
    let mut tap = Tap::new(Config { memory: 3 * (RECORD + 600), ..Config::default() });
    tap.heard.patience = Patience::Open;
    tap.send(&request(1));
    tap.heard.patience = Patience::Idle;
    for port in 2..10 {
        tap.wait(2 * SECOND).send(&request(port));
    }
    let evicted = closes(&mut tap);
    assert!(evicted.len() > 4 && evicted.iter().all(|(flow, _)| *flow != 1), "{evicted:?}");
}

#[test]
fn a_clock_that_is_set_expires_nothing() {
    let mut tap = Tap::file();
    tap.send(&request(1));
    tap.now += 50_000 * SECOND;
    tap.send(&request(2));
    tap.now -= 90_000 * SECOND;
    tap.send(&request(3));
    assert_eq!(closes(&mut tap), []);
    tap.wait(301 * SECOND);
    assert_eq!(closes(&mut tap).len(), 3);
}

#[test]
fn who_asks_again_and_again_is_told_the_time_once_each_time() {
    let mut tap = Tap::file();
    tap.heard.asks = Some(30 * SECOND);
    tap.send(&request(1));
    let asked = tap.now;
    (0..7).for_each(|_| _ = tap.wait(10 * SECOND));
    assert_eq!(tap.heard.told, [asked + 30 * SECOND, asked + 60 * SECOND]);
    tap.heard.asks = Some(0);
    (0..3).for_each(|_| _ = tap.wait(10 * SECOND));
    assert_eq!(tap.heard.told.len(), 4, "at once is in a while: {:?}", tap.heard.told);
    assert_eq!(tap.table.counters().alarms_refused, 0);
}

/// What is due at the end of time would be due again as soon as it is asked for.
#[test]
fn an_alarm_beyond_the_end_of_time_is_refused() {
    let mut tap = Tap::file();
    tap.now = i64::MAX - 4 * SECOND;
    tap.heard.asks = Some(SECOND);
    tap.send(&request(1)).wait(2 * SECOND);
    assert_eq!((tap.heard.told.len(), tap.table.counters().alarms_refused), (1, 0));
    tap.now = i64::MAX - MILLISECOND;
    tap.send(&request(2)).wait(0);
    assert_eq!((tap.heard.told.len(), tap.table.counters().alarms_refused), (2, 2));
    tap.finish();
}

#[test]
fn what_a_connection_asks_for_at_its_end_is_not_the_next_ones() {
    let mut tap = Tap::file();
    tap.send(&request(1)).wait(200 * SECOND).send(&request(2));
    tap.heard.asks = Some(SECOND);
    tap.wait(102 * SECOND);
    assert_eq!(closes(&mut tap), [(1, CloseReason::Idle)]);
    tap.heard.asks = None;
    tap.send(&client(705).ack(900).data(b"more").port(2)).wait(2 * SECOND);
    assert!(tap.heard.told.is_empty());
}

#[test]
fn the_end_closes_in_the_order_of_opening() {
    let mut tap = Tap::file();
    tap.send(&request(5)).send(&request(4)).send(&client(100).syn().port(9)).send(&request(6));
    tap.send(&client(705).rst().port(4)).send(&request(4));
    closes(&mut tap);
    tap.finish();
    let ends: Vec<u64> = closes(&mut tap).into_iter().map(|(flow, _)| flow).collect();
    assert_eq!(ends, [1, 3, 4]);
    assert!(tap.table.is_empty());
}

#[test]
fn what_ends_a_connection_nobody_knows_opens_none() {
    let mut tap = Tap::file();
    tap.send(&client(1).rst()).send(&client(1).ack(2).fin());
    assert_eq!((tap.table.len(), tap.table.counters().stray), (0, 2));
}

// A hundred thousand idle connections fit into 25 MB.
const _: () = assert!(RECORD <= 250);

#[test]
fn interleaved_connections_do_not_mix() {
    let mut tap = Tap::file();
    for port in 1..200 {
        tap.send(&request(port));
    }
    tap.take();
    for port in (1..200_u16).rev() {
        tap.send(&server(900).ack(705).data(&port.to_be_bytes()).port(port));
        tap.send(&client(705).ack(902).data(&port.to_be_bytes()).port(port));
        let body = port.to_be_bytes();
        assert_eq!(tap.take_data(), [data(SERVER, 900, &body), data(CLIENT, 705, &body)]);
    }
    tap.wait(MILLISECOND).finish();
}

#[test]
fn a_wrong_checksum_from_a_sender_that_is_otherwise_right_is_not_delivered() {
    let mut tap = Tap::file();
    let mut seq = 101;
    for _ in 0..20 {
        tap.send(&client(seq).ack(501).data(b"GET x"));
        seq += 5;
    }
    tap.take();
    tap.send(&client(seq).ack(501).data(b"forge").damaged());
    assert_eq!(tap.take(), [Heard::Evidence(CLIENT, offset(seq), Evidence::BadChecksum)]);
    tap.send(&client(seq).ack(501).data(b"right"));
    assert_eq!(tap.take_data(), [data(CLIENT, seq, b"right")]);
    tap.send(&client(seq + 5).ack(501).rst().damaged());
    assert_eq!(tap.take().len(), 1);
    assert_eq!(tap.table.counters().bad_checksum, 2);
}

#[test]
fn a_sender_whose_checksums_are_filled_in_later_is_delivered() {
    let mut tap = Tap::file();
    for nth in 0..100 {
        tap.send(&client(101 + nth * 5).ack(501).data(b"GET x").damaged());
        tap.send(&server(501 + nth * 5).ack(106 + nth * 5).data(b"HTTP/"));
    }
    assert_eq!(tap.take_data().len(), 200);
    assert_eq!(tap.table.counters().offloaded_senders, 1);
}

#[test]
fn a_sender_is_learned_over_all_its_connections_and_for_each_source() {
    let mut tap = Tap::file();
    for port in 1..20 {
        tap.send(&request(port));
    }
    tap.take();
    tap.send(&request(100).damaged());
    assert_eq!((tap.take(), tap.table.len()), (vec![], 19));
    tap.send(&request(100).damaged().source(1));
    assert_eq!(tap.take_data().len(), 1);
}

#[test]
fn a_network_card_that_is_set_up_anew_is_learned_anew() {
    let mut tap = Tap::file();
    for port in 1..20 {
        tap.send(&request(port));
    }
    for port in 100..300 {
        tap.send(&request(port).damaged());
    }
    assert_eq!(tap.table.counters().offloaded_senders, 1);
    assert!(tap.table.counters().bad_checksum < 5);
}

/// The order in which connections are evicted when four of them were left with an exchange open, and two on which
/// nothing is open were busy every second for so long.
fn evicted_after(seconds: u32) -> Vec<u64> {
    let mut tap = Tap::new(Config { memory: 8 * (RECORD + 800), ..Config::default() });
    tap.heard.patience = Patience::Open;
    (1..=4).for_each(|port| drop(tap.send(&request(port)).take()));
    tap.heard.patience = Patience::Idle;
    (5..=6).for_each(|port| drop(tap.send(&request(port)).take()));
    for second in 0..seconds {
        tap.wait(SECOND);
        (5..=6).for_each(|port| drop(tap.send(&client(705 + second).ack(900).data(b"x").port(port)).take()));
    }
    tap.heard.patience = Patience::Open;
    let mut order = Vec::new();
    for port in 10..40 {
        tap.send(&request(port));
        order.extend(closes(&mut tap).into_iter().map(|(flow, _)| flow));
    }
    order.truncate(6);
    order
}

#[test]
fn a_busy_connection_is_not_evicted_for_a_silent_one() {
    assert_eq!(evicted_after(70), [1, 2, 3, 4, 5, 6], "silence with a request open drives nobody out");
    assert_eq!(evicted_after(20), [5, 6, 1, 2, 3, 4], "for a while, what is open is worth more");
}

#[test]
fn connections_that_rest_go_on_where_they_stood() {
    let mut tap = Tap::new(Config { awake: 2, ..Config::default() });
    for port in 1..=50 {
        tap.send(&request(port));
    }
    let resting = tap.table.counters().memory;
    assert!(resting < 50 * (RECORD + 300) as u64, "{resting}");
    tap.take();
    for port in 1..=50 {
        tap.send(&client(705).ack(900).data(b"more").port(port))
            .send(&server(900).ack(709).data(b"yes").port(port));
        assert_eq!(tap.take_data(), [data(CLIENT, 705, b"more"), data(SERVER, 900, b"yes")]);
    }
}

#[test]
fn a_packet_never_evicts_its_own_connection() {
    let mut tap = Tap::new(Config { memory: 1, ..Config::default() });
    tap.send(&request(1)).send(&client(705).ack(900).data(b"more").port(1));
    assert_eq!(tap.take_data().len(), 2);
    tap.send(&request(2));
    assert_eq!(closes(&mut tap), [(1, CloseReason::Evicted)]);
}

#[test]
fn of_too_many_senders_the_one_known_longest_is_forgotten() {
    let mut tap = Tap::file();
    let ask = |host: u32, port: u16| Tcp { client: host, ..request(port) };
    for host in [1, 20_000] {
        for other in 2..16_385 * u32::from(host != 1) {
            tap.send(&ask(other, 1));
        }
        for port in 1..20 {
            tap.send(&ask(host, port));
        }
    }
    tap.take();
    tap.send(&ask(1, 100).damaged()).send(&ask(20_000, 100).damaged());
    assert_eq!(tap.table.counters().bad_checksum, 1);
    assert_eq!(tap.take_data().len(), 1);
}
