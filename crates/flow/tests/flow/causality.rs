//! The order of the two directions when a mirror shows an answer before its question.

use crate::common::{
    CLIENT, Heard, MILLISECOND, SECOND, SERVER, Tap, Tcp, client, data, gap, offset, server,
};
use crate::model::{Capture, Random, capture, check};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use tapwire_flow::{CloseReason, Config, StreamOffset};
use tapwire_wire::{Side, TcpFlags};

const MICROSECOND: i64 = 1_000;

fn request() -> Tcp {
    client(101).ack(501).data(b"HEAD /")
}

fn response() -> Tcp {
    server(501).ack(107).data(b"HTTP/1.1")
}

#[test]
fn a_response_waits_for_its_request() {
    let mut tap = Tap::connected();
    tap.send(&response());
    assert_eq!(tap.take(), []);
    tap.send(&request());
    assert_eq!(tap.take_data(), [data(CLIENT, 101, b"HEAD /"), data(SERVER, 501, b"HTTP/1.1")]);
    assert_eq!((tap.table.counters().out_of_order, tap.table.counters().waits_given_up), (1, 0));
}

#[test]
fn several_exchanges_wait_for_each_other_in_turn() {
    let mut tap = Tap::connected();
    for nth in 0..5 {
        tap.send(&server(501 + nth * 8).ack(107 + nth * 6).data(b"HTTP/1.1"));
    }
    tap.send(&server(541).ack(131).fin());
    assert_eq!(tap.take(), []);
    let mut expected = Vec::new();
    for nth in 0..5 {
        tap.send(&client(101 + nth * 6).ack(501 + nth * 8).data(b"HEAD /"));
        expected.push(data(CLIENT, 101 + nth * 6, b"HEAD /"));
        expected.push(data(SERVER, 501 + nth * 8, b"HTTP/1.1"));
    }
    let heard = tap.take();
    assert_eq!(heard.last(), Some(&Heard::Fin(SERVER)));
    let chunks = heard.into_iter().filter_map(|heard| match heard {
        Heard::Data { side, at, bytes, .. } => Some((side, at, bytes)),
        _ => None,
    });
    assert_eq!(chunks.collect::<Vec<_>>(), expected);
}

#[test]
fn a_request_that_comes_in_parts_is_waited_for_whole() {
    let mut tap = Tap::connected();
    tap.send(&response()).send(&client(101).ack(501).data(b"HEA"));
    assert_eq!(tap.take_data(), [data(CLIENT, 101, b"HEA")]);
    tap.send(&client(104).ack(501).data(b"D /"));
    assert_eq!(tap.take_data(), [data(CLIENT, 104, b"D /"), data(SERVER, 501, b"HTTP/1.1")]);
}

#[test]
fn a_fin_waits_for_what_its_sender_had_heard() {
    let mut tap = Tap::connected();
    tap.send(&server(501).ack(107).fin());
    assert_eq!(tap.take(), []);
    tap.send(&request());
    assert_eq!(tap.take().get(1), Some(&Heard::Fin(SERVER)));
    tap.send(&client(107).ack(502).fin()).send(&server(502).ack(108));
    assert_eq!(tap.take(), [Heard::Fin(CLIENT), Heard::Close(CloseReason::Fin)]);
}

#[test]
fn an_answer_to_a_fin_waits_for_the_fin() {
    let mut tap = Tap::connected();
    tap.send(&request()).send(&server(501).ack(108).data(b"bye").fin());
    assert_eq!(tap.take().len(), 1);
    tap.send(&client(107).ack(501).fin());
    let heard = tap.take();
    assert_eq!((heard.first(), heard.last()), (Some(&Heard::Fin(CLIENT)), Some(&Heard::Fin(SERVER))));
}

#[test]
fn a_payload_that_was_cut_is_lost_only_after_what_its_sender_had_heard() {
    let mut tap = Tap::connected();
    tap.send(&response().cut(8)).send(&server(509).ack(107).data(b"more").cut(2));
    assert_eq!(tap.take(), []);
    tap.send(&request());
    let heard = tap.take();
    assert_eq!(heard.get(1), Some(&gap(SERVER, 501, 8, 0)));
    assert_eq!(heard.get(2..), Some(&[chunk(SERVER, 509, b"mo", 107, 5), gap(SERVER, 511, 2, 0)][..]));
}

#[test]
fn the_wait_ends_after_20_ms_without_a_packet() {
    let mut tap = Tap::connected();
    tap.send(&response()).send(&server(509).ack(107).data(b"more"));
    tap.wait(18 * MILLISECOND);
    assert_eq!(tap.take(), []);
    tap.wait(MILLISECOND);
    assert_eq!(tap.take_data(), [data(SERVER, 501, b"HTTP/1.1"), data(SERVER, 509, b"more")]);
    tap.send(&server(513).ack(107).data(b"rest"));
    assert_eq!(tap.take_data(), [data(SERVER, 513, b"rest")], "what was given up is not waited for again");
    tap.send(&request());
    assert_eq!(tap.take_data(), [data(CLIENT, 101, b"HEAD /")]);
    assert_eq!(tap.table.counters().waits_given_up, 1);
}

#[test]
fn each_segment_waits_20_ms_of_its_own() {
    let mut tap = Tap::connected();
    tap.send(&response()).wait(10 * MILLISECOND).send(&server(509).ack(113).data(b"next"));
    tap.wait(9 * MILLISECOND);
    assert_eq!(tap.take_data(), [data(SERVER, 501, b"HTTP/1.1")]);
    tap.wait(10 * MILLISECOND);
    assert_eq!(tap.take(), []);
    tap.wait(MILLISECOND);
    assert_eq!(tap.take_data(), [data(SERVER, 509, b"next")]);
}

#[test]
fn no_more_than_32_segments_wait() {
    let mut tap = Tap::connected();
    tap.now -= 30 * MILLISECOND;
    for nth in 0..32 {
        tap.now -= MILLISECOND;
        tap.send(&server(501 + nth).ack(107).data(b"x"));
    }
    assert_eq!(tap.take(), []);
    tap.send(&server(533).ack(107).data(b"x"));
    assert_eq!(tap.take().len(), 33);
}

#[test]
fn out_of_order_memory_bounds_the_wait() {
    for (total, each) in [(1 << 20, 1_000), (700, 1 << 20), (0, 1 << 20)] {
        let mut tap = Tap::new(Config {
            out_of_order_memory: total,
            out_of_order_per_direction: each,
            ..Config::default()
        });
        tap.send(&client(100).syn()).send(&server(500).syn().ack(101));
        let heard: Vec<_> = (0..9)
            .flat_map(|nth| {
                tap.send(&server(501 + nth * 100).ack(107).data(&[b'x'; 100]));
                assert!(tap.table.counters().out_of_order_memory <= total as u64);
                tap.take_data()
            })
            .collect();
        assert_eq!(heard.len(), 9, "once it was given up, nothing waits for the same");
        assert_eq!((tap.table.counters().gaps, tap.table.counters().waits_given_up), (0, 1));
        tap.finish();
    }
}

#[test]
fn a_reset_and_the_end_deliver_what_waits_after_what_was_lost() {
    for reset in [true, false] {
        let mut tap = Tap::connected();
        tap.send(&response()).send(&server(509).ack(113).data(b"HTTP/1.1"));
        let reason = if reset {
            tap.send(&server(517).ack(113).rst());
            CloseReason::Reset
        } else {
            tap.finish();
            CloseReason::End
        };
        let heard = tap.take();
        assert_eq!(heard.first(), Some(&gap(CLIENT, 101, 12, 12)));
        assert_eq!((heard.len(), heard.last()), (4, Some(&Heard::Close(reason))));
    }
}

#[test]
fn a_lost_request_with_a_later_one_is_declared_by_the_same_evidence_and_releases_the_responses() {
    let mut tap = Tap::connected();
    tap.send(&response());
    for nth in 0..2 {
        tap.send(&client(107 + nth * 6).ack(509 + nth * 8).data(b"HEAD /"));
        tap.send(&server(509 + nth * 8).ack(113 + nth * 6).data(b"HTTP/1.1"));
    }
    assert_eq!(tap.take(), []);
    tap.send(&client(119).ack(525).data(b"HEAD /"));
    let heard = tap.take();
    assert_eq!(heard.first(), Some(&gap(CLIENT, 101, 6, 6)));
    let sides: Vec<Side> = heard
        .iter()
        .filter_map(|heard| if let Heard::Data { side, .. } = heard { Some(*side) } else { None })
        .collect();
    assert_eq!(sides, [SERVER, CLIENT, SERVER, CLIENT, SERVER, CLIENT]);
    assert_eq!(tap.table.counters().waits_given_up, 0);
}

#[test]
fn a_connection_that_begins_with_the_syn_ack_waits_for_its_first_request() {
    let mut tap = Tap::file();
    tap.send(&server(500).syn().ack(101)).send(&response()).send(&server(509).ack(108).fin());
    assert_eq!(tap.take(), []);
    tap.send(&client(100).syn()).send(&client(101).ack(501));
    assert_eq!(tap.take(), []);
    tap.send(&request());
    assert_eq!(tap.take_data(), [data(CLIENT, 101, b"HEAD /"), data(SERVER, 501, b"HTTP/1.1")]);
    assert_eq!((tap.table.counters().waits_given_up, tap.heard.initiators[0].1), (0, Some(CLIENT)));
}

#[test]
fn without_a_handshake_only_what_a_later_acknowledgement_adds_is_waited_for() {
    let mut tap = Tap::file();
    tap.send(&response());
    assert_eq!(tap.take_data(), [data(SERVER, 501, b"HTTP/1.1")], "how much came before it is unknown");
    tap.send(&server(509).ack(113).data(b"HTTP/1.1"));
    assert_eq!(tap.take(), []);
    tap.send(&client(107).ack(509).data(b"HEAD /"));
    assert_eq!(tap.take_data(), [data(CLIENT, 107, b"HEAD /"), data(SERVER, 509, b"HTTP/1.1")]);
}

/// The server's side of a connection; whether its response waited.
fn answer(tap: &mut Tap, port: u16) -> bool {
    tap.send(&server(500).syn().ack(101).port(port)).send(&response().port(port));
    tap.take_data().is_empty()
}

#[test]
fn a_capture_of_one_direction_delivers_everything_and_waits_8_times_in_all() {
    let mut tap = Tap::file();
    for port in 1..=12 {
        assert_eq!(answer(&mut tap, port), port <= 8);
        tap.wait(20 * MILLISECOND);
        assert_eq!(tap.take_data().len(), usize::from(port <= 8));
    }
    for nth in 0..100 {
        tap.send(&server(509 + nth * 5).ack(113 + nth * 200).data(b"HTTP/").port(1));
        assert_eq!(tap.take_data(), [data(SERVER, 509 + nth * 5, b"HTTP/")]);
    }
    let counters = tap.table.counters();
    assert_eq!((counters.out_of_order, counters.waits_given_up), (8, 8), "after that nothing is copied");
}

#[test]
fn one_connection_of_one_direction_waits_8_times() {
    let mut tap = Tap::file();
    tap.send(&server(500).syn().ack(101));
    for nth in 0..20 {
        tap.send(&server(501 + nth * 5).ack(107 + nth * 200).data(b"HTTP/")).wait(20 * MILLISECOND);
        assert_eq!(tap.take_data(), [data(SERVER, 501 + nth * 5, b"HTTP/")]);
    }
    assert_eq!(tap.table.counters().out_of_order, 8);
}

#[test]
fn connections_of_one_direction_that_are_reset_at_once_count_as_waits_in_vain() {
    let mut tap = Tap::file();
    for port in 1..=12 {
        assert_eq!(answer(&mut tap, port), port <= 8);
        tap.send(&server(509).ack(107).rst().port(port));
        tap.take();
    }
}

#[test]
fn a_side_that_is_late_on_one_connection_is_waited_for_on_all() {
    let mut tap = Tap::file();
    for port in 1..=9 {
        answer(&mut tap, port);
        tap.wait(30 * MILLISECOND).take();
    }
    tap.send(&client(100).syn().port(9));
    assert!(!answer(&mut tap, 10), "30 ms are too late to have helped");
    tap.send(&client(100).syn().port(10));
    assert!(answer(&mut tap, 11), "a wait would have helped");
    tap.send(&client(100).syn().port(11));
    for port in 12..20 {
        assert!(answer(&mut tap, port), "the wait for 11 was not in vain");
        tap.wait(20 * MILLISECOND).take();
    }
    assert!(!answer(&mut tap, 20));
}

#[test]
fn a_direction_that_has_ended_is_not_waited_for() {
    let mut tap = Tap::connected();
    tap.send(&client(101).ack(501).fin()).send(&server(501).ack(900).data(b"x"));
    assert_eq!(tap.take(), [Heard::Fin(CLIENT), chunk(SERVER, 501, b"x", 900, 5)]);
}

fn chunk(side: Side, at: u32, bytes: &[u8], peer_at: u32, frame: u64) -> Heard {
    Heard::Data { side, at: offset(at), bytes: bytes.to_vec(), peer_at: Some(offset(peer_at)), frame }
}

#[test]
fn an_acknowledgement_far_ahead_is_not_waited_for() {
    let mut tap = Tap::connected();
    tap.send(&server(501).ack(102 + (1 << 20)).data(b"x"));
    assert_eq!(tap.take().len(), 1);
    tap.send(&server(502).ack(101 + (1 << 20)).data(b"x"));
    assert_eq!(tap.take().len(), 0);
}

#[test]
fn two_directions_that_wait_for_each_other_are_released() {
    let mut tap = Tap::connected();
    // The client sends "ab" again after it has heard the answer to it; the first copy was not captured.
    tap.send(&server(501).ack(103).data(b"yes")).send(&client(101).ack(504).data(b"ab"));
    assert_eq!(tap.take_data(), [data(CLIENT, 101, b"ab"), data(SERVER, 501, b"yes")]);
    let mut tap = Tap::connected();
    tap.send(&client(101).ack(504).data(b"ab")).send(&server(501).ack(103).data(b"yes"));
    assert_eq!(tap.take_data().len(), 2);
}

/// A request that is lost, its response, and enough of what follows to prove the loss; whether the response waited.
fn lose_one(tap: &mut Tap, at: &mut [u32; 2]) -> bool {
    let [from_client, from_server] = *at;
    tap.wait(30 * MILLISECOND).send(&server(from_server).ack(from_client + 6).data(b"HTTP/1.1"));
    let waited = tap.take().is_empty();
    tap.wait(30 * MILLISECOND);
    for nth in 0..40 {
        tap.send(&client(from_client + 6 + nth).ack(from_server + 8).data(b"x"));
    }
    tap.take();
    *at = [from_client + 46, from_server + 8];
    waited
}

#[test]
fn after_8_waits_in_vain_a_connection_waits_only_when_it_would_have_helped() {
    let mut tap = Tap::connected();
    let mut at = [101, 501];
    let waited: Vec<bool> = (0..12).map(|_| lose_one(&mut tap, &mut at)).collect();
    assert_eq!(waited, [[true; 4], [true; 4], [false; 4]].concat());
    let [from_client, from_server] = at;
    tap.wait(SECOND).send(&server(from_server).ack(from_client + 6).data(b"HTTP/1.1"));
    assert_eq!(tap.take().len(), 1, "it does not wait");
    tap.send(&client(from_client).ack(from_server).data(b"HEAD /"));
    tap.take();
    at = [from_client + 6, from_server + 8];
    assert!(lose_one(&mut tap, &mut at), "a wait would have helped");
}

/// A conversation of strict turns, each packet with its time.
pub(crate) fn conversation(seed: u64, exchanges: u32) -> Vec<(i64, Tcp)> {
    let mut random = Random(seed);
    let mut at = [101_u32, 501];
    let mut now = 20 * MILLISECOND;
    let mut packets = vec![
        (0, client(100).syn()),
        (100 * MICROSECOND, server(500).syn().ack(101)),
        (200 * MICROSECOND, client(101).ack(501)),
    ];
    for _ in 0..exchanges {
        for (own, other) in [(0, 1), (1, 0)] {
            for _ in 0..=random.below(3) {
                let len = 1 + u32::try_from(random.below(200)).unwrap();
                let packet = if own == 0 { client(at[own]) } else { server(at[own]) };
                let payload: Vec<u8> = (0..len).map(|nth| (at[own] + nth).to_be_bytes()[3]).collect();
                packets.push((now, packet.ack(at[other]).data(&payload)));
                at[own] += len;
                now += 10 * MICROSECOND;
            }
            now += 100 * MICROSECOND;
            let quiet = if own == 0 { server(at[1]) } else { client(at[0]) };
            packets.push((now, quiet.ack(at[own])));
        }
        now += i64::try_from(1_000 + random.below(3_000)).unwrap() * MICROSECOND;
    }
    packets.push((now, client(at[0]).ack(at[1]).fin()));
    packets.push((now + 100 * MICROSECOND, server(at[1]).ack(at[0] + 1).fin()));
    packets.push((now + 200 * MICROSECOND, client(at[0] + 1).ack(at[1] + 1)));
    packets
}

/// Which bytes, gaps and ends were heard, in order.
fn run(packets: &[(i64, Tcp)]) -> (Vec<Heard>, Tap) {
    let mut tap = Tap::file();
    let start = tap.now;
    let mut order = CausalOrder::default();
    for (time, packet) in packets {
        tap.now = start + time - MILLISECOND;
        tap.send(packet);
        order.hear(&tap);
    }
    tap.finish();
    let mut heard: Vec<Heard> = tap.heard.events.iter().map(|(_, heard)| heard.clone()).collect();
    for heard in &mut heard {
        if let Heard::Data { frame, .. } = heard {
            *frame = 0;
        }
    }
    (heard, tap)
}

/// What was heard of each connection, in its order.
fn by_connection(tap: &Tap) -> Vec<(u64, Heard)> {
    let mut heard = tap.heard.events.clone();
    heard.sort_by_key(|(flow, _)| *flow);
    for (_, heard) in &mut heard {
        if let Heard::Data { frame, .. } = heard {
            *frame = 0;
        }
    }
    heard
}

/// Checks that no chunk comes before what its sender had heard, as long as no wait was given up.
#[derive(Default)]
struct CausalOrder {
    /// By connection and whether it is the server's, how far a direction is delivered or lost.
    known: BTreeMap<(u64, bool), StreamOffset>,
    ended: BTreeSet<(u64, bool)>,
    /// Events looked at.
    heard: usize,
}

impl CausalOrder {
    /// Looks at the events since the last packet.
    fn hear(&mut self, tap: &Tap) {
        for (flow, event) in &tap.heard.events[self.heard..] {
            self.take(*flow, event, tap.table.counters().waits_given_up == 0);
        }
        self.heard = tap.heard.events.len();
    }

    fn take(&mut self, flow: u64, event: &Heard, strict: bool) {
        let (side, end) = match event {
            Heard::Data { side, at, bytes, peer_at, .. } => {
                let other = (flow, *side == CLIENT);
                if let (Some(peer_at), Some(known), true) = (*peer_at, self.known.get(&other), strict) {
                    assert!(peer_at <= *known || self.ended.contains(&other), "{event:?} before {known:?}");
                }
                (*side, *at + bytes.len() as u64)
            }
            Heard::Gap { side, at, len, .. } => (*side, *at + *len),
            Heard::Fin(side) => {
                self.ended.insert((flow, *side == SERVER));
                return;
            }
            Heard::Evidence(..) | Heard::Close(_) => return,
        };
        self.known.insert((flow, side == SERVER), end);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_direction_that_is_late_by_up_to_5_ms_changes_nothing(
        seed in any::<u64>(),
        exchanges in 1..30_u32,
        delay in 0..5_000_i64,
        late in prop::sample::select(vec![CLIENT, SERVER]),
    ) {
        let sent = conversation(seed, exchanges);
        let (expected, _) = run(&sent);
        let mut seen = sent;
        for (time, packet) in &mut seen {
            *time += if packet.from == late { delay * MICROSECOND } else { 0 };
        }
        seen.sort_by_key(|(time, _)| *time);
        let (heard, tap) = run(&seen);
        prop_assert_eq!(tap.table.counters().waits_given_up, 0);
        prop_assert_eq!(heard, expected);
    }

    #[test]
    fn a_direction_that_is_late_from_the_first_packet_on_changes_nothing(
        seed in any::<u64>(),
        connections in 1..12_u16,
        delay in 0..5_000_i64,
        late in prop::sample::select(vec![CLIENT, SERVER]),
    ) {
        let mut sent = Vec::new();
        for nth in 0..connections {
            let begin = i64::from(nth) * 700 * MICROSECOND;
            let hasty = conversation(seed ^ u64::from(nth), 3).into_iter().enumerate().map(|(at, (time, packet))| {
                // The first request follows the handshake at once.
                let early = if at < 3 { 0 } else { 20 * MILLISECOND - 250 * MICROSECOND };
                (begin + time - early, packet.port(nth + 1))
            });
            sent.extend(hasty);
        }
        sent.sort_by_key(|(time, _)| *time);
        let expected = by_connection(&run(&sent).1);
        let mut seen = sent;
        for (time, packet) in &mut seen {
            *time += if packet.from == late { delay * MICROSECOND } else { 0 };
        }
        seen.sort_by_key(|(time, _)| *time);
        let (_, tap) = run(&seen);
        prop_assert_eq!(tap.table.counters().waits_given_up, 0);
        prop_assert_eq!(by_connection(&tap), expected);
    }

    #[test]
    fn a_mirror_that_reorders_4_packets_changes_nothing(seed in any::<u64>(), exchanges in 1..30_u32) {
        let sent = conversation(seed, exchanges);
        let (expected, _) = run(&sent);
        let mut random = Random(!seed);
        let (start, rest) = sent.split_at(3);
        let (times, packets): (Vec<i64>, Vec<Tcp>) = rest.iter().cloned().unzip();
        let mut order: Vec<(u64, Tcp)> =
            (0..).zip(packets).map(|(nth, packet)| (nth + random.below(4), packet)).collect();
        order.sort_by_key(|(nth, _)| *nth);
        let seen = times.into_iter().zip(order.into_iter().map(|(_, packet)| packet));
        let (heard, _) = run(&[start.to_vec(), seen.collect()].concat());
        prop_assert_eq!(heard, expected);
    }

    #[test]
    fn under_any_capture_the_order_is_causal_and_nothing_in_order_waits_long(
        mut capture in capture(40, 30),
        calm in any::<bool>(),
    ) {
        capture.handshake = true;
        follow(&capture, if calm { MILLISECOND } else { MICROSECOND });
    }
}

/// Runs a capture with a packet every `step` nanoseconds, and checks the order after each.
fn follow(capture: &Capture, step: i64) {
    let mut random = Random(capture.seed);
    let (sent, _) = capture.sent(&mut random);
    let packets = capture.seen(sent, &mut random);
    let mut tap = Tap::file();
    let mut order = CausalOrder::default();
    for packet in &packets {
        tap.now += step - MILLISECOND;
        tap.send(packet);
        order.hear(&tap);
    }
    tap.wait(20 * MILLISECOND);
    let counters = tap.table.counters();
    let mut live = [false, true].map(|server| order.known.get(&(1, server)).copied());
    for (_, event) in &tap.heard.events[order.heard..] {
        if let Heard::Data { side, at, bytes, .. } = event {
            live[usize::from(*side == SERVER)] = Some(*at + bytes.len() as u64);
        }
    }
    // Late bytes after the close, and a single byte that looks like a probe, are dropped on purpose.
    if counters.flows_opened == 1
        && (counters.after_close, counters.keep_alive) == (0, 0)
        && [CLIENT, SERVER].into_iter().all(|side| shows_syn(&packets, side))
    {
        let first = |side: Side| offset(capture.first(side));
        for (side, known) in [CLIENT, SERVER].into_iter().zip(live) {
            let known = known.unwrap_or(first(side)).seq().0;
            let ready = packets.iter().any(|packet| {
                packet.from == side
                    && (packet.payload.len() as u64) > u64::from(known.wrapping_sub(packet.seq))
            });
            assert!(!ready, "captured bytes that are next are delivered");
        }
    }
    tap.finish();
    check(capture, &packets, &tap.heard.events);
}

/// Whether the capture tells where the bytes of a side begin. Without, bytes that look like no start wait for earlier
/// ones longer than the check does.
fn shows_syn(packets: &[Tcp], side: Side) -> bool {
    packets.iter().any(|packet| packet.from == side && packet.flags & TcpFlags::SYN != 0)
}

#[test]
fn a_syn_that_is_seen_twice_does_not_tell_where_the_other_side_begins() {
    let capture = Capture {
        seed: 3_391_071_977_401_658_948,
        isns: [0, 0],
        segments: 1,
        handshake: true,
        shuffle: 13,
        duplicates: 4,
        resegmented: 0,
        drops: 18,
        fins: false,
    };
    follow(&capture, MICROSECOND);
}
