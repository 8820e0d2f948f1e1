//! Order, holes, starts and ends of one connection.

use crate::common::{CLIENT, Heard, MILLISECOND, SECOND, SERVER, Tap, client, data, gap, offset, server};
use tapwire_flow::{CloseReason, Config, Evidence};

#[test]
fn in_order_bytes_carry_the_peers_position() {
    let mut tap = Tap::connected();
    tap.send(&client(101).ack(501).data(b"GET /"));
    tap.send(&server(501).ack(106).data(b"HTTP/1.1"));
    let request = Heard::Data {
        side: CLIENT,
        at: offset(101),
        bytes: b"GET /".into(),
        peer_at: Some(offset(501)),
        frame: 4,
    };
    let response = Heard::Data {
        side: SERVER,
        at: offset(501),
        bytes: b"HTTP/1.1".into(),
        peer_at: Some(offset(106)),
        frame: 5,
    };
    assert_eq!(tap.take(), [request, response]);
    assert!(tap.heard.initiators.iter().all(|(_, initiator)| *initiator == Some(CLIENT)));
}

#[test]
fn out_of_order_bytes_wait_and_keep_their_own_position() {
    let mut tap = Tap::connected();
    tap.send(&client(105).ack(509).data(b"later")).send(&server(501).ack(101).data(b"greeting"));
    assert_eq!(tap.take().len(), 1);
    tap.send(&client(101).ack(501).data(b"once"));
    let held = Heard::Data {
        side: CLIENT,
        at: offset(105),
        bytes: b"later".into(),
        peer_at: Some(offset(509)),
        frame: 4,
    };
    assert_eq!(tap.take().get(1), Some(&held));
}

#[test]
fn an_overlapping_retransmission_delivers_only_its_new_tail() {
    let mut tap = Tap::connected();
    tap.send(&client(101).data(b"abcd")).send(&client(103).data(b"cdef")).send(&client(101).data(b"abcdef"));
    assert_eq!(tap.take_data(), [data(CLIENT, 101, b"abcd"), data(CLIENT, 105, b"ef")]);
    assert_eq!(tap.table.counters().duplicate_bytes, 8);
}

#[test]
fn a_segment_that_spans_held_ones_fills_the_holes_between_them() {
    let mut tap = Tap::connected();
    tap.send(&client(103).data(b"cd")).send(&client(107).data(b"gh")).send(&client(102).data(b"bcdefghi"));
    tap.send(&client(101).data(b"a"));
    let all: Vec<u8> = tap.take_data().into_iter().flat_map(|(_, _, bytes)| bytes).collect();
    assert_eq!(all, b"abcdefghi");
}

#[test]
fn a_hole_is_lost_when_the_peer_acknowledged_it_and_three_segments_came_later() {
    let mut tap = Tap::connected();
    tap.send(&client(111).data(b"b")).send(&client(112).data(b"c")).send(&server(501).ack(112));
    assert_eq!(tap.take(), []);
    tap.send(&client(113).data(b"d"));
    let heard = tap.take();
    assert_eq!(heard.first(), Some(&gap(CLIENT, 101, 10, 10)));
    assert_eq!(heard.len(), 4);
    assert_eq!(tap.table.counters().missed_bytes, 10);
}

#[test]
fn a_hole_is_lost_after_32_segments_when_the_peer_is_not_heard() {
    let mut tap = Tap::connected();
    for nth in 0..31 {
        tap.send(&client(111 + nth).data(b"x"));
    }
    assert_eq!(tap.take(), []);
    tap.send(&client(142).data(b"x"));
    let heard = tap.take();
    assert_eq!((heard.first(), heard.len()), (Some(&gap(CLIENT, 101, 10, 0)), 33));
}

#[test]
fn a_hole_that_the_peer_still_asks_for_is_waited_for() {
    let mut tap = Tap::connected();
    for nth in 0..200 {
        tap.send(&client(111 + nth).data(b"x")).send(&server(501).ack(101));
    }
    assert_eq!(tap.take(), []);
    tap.send(&client(101).data(b"0123456789"));
    assert_eq!(tap.take().len(), 201);
}

#[test]
fn on_a_tap_a_hole_is_lost_after_its_time() {
    let mut tap = Tap::new(Config { gap_after_ms: Some(200), ..Config::default() });
    tap.send(&client(100).syn()).send(&client(111).data(b"x"));
    tap.wait(199 * MILLISECOND);
    assert_eq!(tap.take(), []);
    tap.wait(MILLISECOND);
    assert_eq!(tap.take().first(), Some(&gap(CLIENT, 101, 10, 0)));
}

#[test]
fn the_out_of_order_cap_gives_up_the_first_hole() {
    let mut tap = Tap::new(Config { out_of_order_per_direction: 5_000, ..Config::default() });
    tap.send(&client(100).syn());
    tap.send(&client(201).data(&[b'a'; 1_000])).send(&client(1_301).data(&[b'b'; 1_000]));
    assert_eq!(tap.take(), []);
    tap.send(&client(2_401).data(&[b'c'; 1_000]));
    let heard = tap.take();
    assert_eq!(heard.first(), Some(&gap(CLIENT, 101, 100, 0)));
    assert_eq!(heard.len(), 2);
    assert_eq!(tap.table.counters().gaps_for_memory, 1);
}

#[test]
fn a_payload_larger_than_the_cap_is_delivered_after_a_gap() {
    let mut tap = Tap::new(Config { out_of_order_memory: 0, ..Config::default() });
    tap.send(&client(100).syn()).send(&client(111).data(b"x"));
    assert_eq!(tap.take().len(), 2);
    tap.finish();
}

#[test]
fn a_hole_before_the_wrap_of_a_stream_that_was_opened_after_it_is_waited_for() {
    let mut tap = Tap::file();
    tap.send(&server(500).ack(20)).send(&client(u32::MAX - 9).syn()).send(&client(10).data(b"late"));
    assert_eq!(tap.take(), []);
    tap.send(&client(u32::MAX - 8).data(b"nineteen bytes here"));
    let all: Vec<u8> = tap.take_data().into_iter().flat_map(|(_, _, bytes)| bytes).collect();
    assert_eq!(all, b"nineteen bytes herelate");
}

#[test]
fn cut_bytes_are_a_gap_at_once() {
    let mut tap = Tap::connected();
    tap.send(&client(101).data(b"abcdefgh").cut(5));
    let heard = tap.take();
    assert_eq!(heard.get(1), Some(&gap(CLIENT, 104, 5, 0)));
    tap.send(&client(109).data(b"next"));
    assert_eq!(tap.take_data(), [data(CLIENT, 109, b"next")]);
}

#[test]
fn cut_bytes_behind_a_hole_become_a_gap_when_they_are_reached() {
    let mut tap = Tap::connected();
    tap.send(&client(105).data(b"abcdefgh").cut(5)).send(&client(113).data(b"z"));
    assert_eq!(tap.take(), []);
    tap.send(&client(101).data(b"1234"));
    let heard = tap.take();
    assert_eq!(heard.get(2), Some(&gap(CLIENT, 108, 5, 0)));
    assert_eq!(heard.len(), 4);
}

#[test]
fn a_payload_that_was_cut_whole_is_a_gap() {
    let mut tap = Tap::connected();
    tap.send(&client(101).data(b"abcd").cut(4)).send(&client(105).data(b"e"));
    assert_eq!(tap.take().first(), Some(&gap(CLIENT, 101, 4, 0)));
}

#[test]
fn without_a_syn_a_start_line_is_delivered_at_once() {
    let mut tap = Tap::file();
    tap.send(&client(700).ack(900).data(b"GET /"));
    assert_eq!(tap.take_data(), [data(CLIENT, 700, b"GET /")]);
}

#[test]
fn without_a_syn_other_bytes_wait_for_the_peers_acknowledgement() {
    let mut tap = Tap::file();
    tap.send(&client(700).ack(900).data(b"tail"));
    assert_eq!(tap.take(), []);
    tap.send(&server(900).ack(704).data(b"x"));
    assert_eq!(tap.take_data(), [data(CLIENT, 700, b"tail"), data(SERVER, 900, b"x")]);
}

#[test]
fn without_a_syn_earlier_bytes_that_come_late_are_put_first() {
    let mut tap = Tap::file();
    tap.send(&client(704).ack(900).data(b"tail")).send(&client(700).ack(900).data(b"GET "));
    assert_eq!(tap.take_data(), [data(CLIENT, 700, b"GET "), data(CLIENT, 704, b"tail")]);
}

#[test]
fn a_tentative_start_is_taken_after_three_segments_or_200_ms_or_at_the_end() {
    let mut tap = Tap::file();
    tap.send(&client(700).data(b"a")).send(&client(701).data(b"b")).send(&client(702).data(b"c"));
    assert_eq!(tap.take(), []);
    tap.send(&client(703).data(b"d"));
    assert_eq!(tap.take().len(), 4);

    let mut tap = Tap::file();
    tap.send(&client(700).data(b"a")).wait(200 * MILLISECOND);
    assert_eq!(tap.take_data(), [data(CLIENT, 700, b"a")]);

    let mut tap = Tap::file();
    tap.send(&client(700).data(b"a")).finish();
    assert_eq!(tap.take_data(), [data(CLIENT, 700, b"a")]);
}

#[test]
fn the_peers_acknowledgement_opens_a_direction_and_bytes_before_its_data_are_a_hole() {
    let mut tap = Tap::file();
    tap.send(&server(900).ack(700).data(b"HTTP/")).send(&client(710).data(b"x")).finish();
    let heard = tap.take();
    assert_eq!(heard.get(1), Some(&gap(CLIENT, 700, 10, 0)));
}

#[test]
fn bytes_acknowledged_before_they_are_seen_move_the_start_back() {
    let mut tap = Tap::file();
    tap.send(&server(900).ack(704).data(b"HTTP/")).send(&client(700).data(b"old!"));
    assert_eq!(tap.take_data().get(1), Some(&data(CLIENT, 700, b"old!")));
}

#[test]
fn a_syn_that_comes_after_its_data_is_of_the_same_connection() {
    let mut tap = Tap::file();
    tap.send(&client(101).data(b"GET /")).send(&client(100).syn()).send(&client(106).data(b"x"));
    assert_eq!(tap.take_data(), [data(CLIENT, 101, b"GET /"), data(CLIENT, 106, b"x")]);
    assert_eq!(tap.table.counters().flows_opened, 1);
    assert_eq!(tap.heard.initiators.last(), Some(&(1, Some(CLIENT))));
}

#[test]
fn data_on_a_syn_is_delivered() {
    let mut tap = Tap::file();
    tap.send(&client(100).syn().data(b"early")).send(&server(500).syn().ack(106));
    assert_eq!(tap.take_data(), [data(CLIENT, 101, b"early")]);
}

#[test]
fn a_retransmitted_syn_changes_nothing_and_another_one_is_a_new_connection() {
    let mut tap = Tap::connected();
    tap.send(&client(100).syn()).send(&client(101).data(b"a"));
    assert_eq!(tap.take_data().len(), 1);
    tap.send(&client(90_000).syn());
    assert_eq!(tap.take(), [Heard::Close(CloseReason::Replaced)]);
    tap.send(&client(90_001).data(b"b"));
    assert_eq!(tap.take_data(), [data(CLIENT, 90_001, b"b")]);
    assert_eq!(tap.table.counters().flows_opened, 2);
}

#[test]
fn a_syn_ack_names_the_other_side_as_initiator() {
    let mut tap = Tap::file();
    tap.send(&server(500).syn().ack(101)).send(&client(101).ack(501).data(b"x"));
    assert_eq!(tap.heard.initiators, [(1, Some(CLIENT))]);
}

#[test]
fn after_one_fin_the_other_side_still_delivers() {
    let mut tap = Tap::connected();
    tap.send(&client(101).ack(501).data(b"GET /").fin());
    tap.send(&server(501).ack(107).data(b"HTTP/"));
    tap.send(&server(506).ack(107).data(b"more").fin()).send(&client(107).ack(511));
    let heard = tap.take();
    assert_eq!(heard.get(1), Some(&Heard::Fin(CLIENT)));
    assert_eq!(heard.get(4..), Some(&[Heard::Fin(SERVER), Heard::Close(CloseReason::Fin)][..]));
    assert_eq!(tap.table.counters().acknowledged_bytes, 5 + 9);
}

#[test]
fn late_retransmissions_after_the_close_open_nothing() {
    let mut tap = Tap::connected();
    tap.send(&client(101).ack(501).fin()).send(&server(501).ack(102).fin()).send(&client(102).ack(502));
    tap.take();
    tap.send(&client(101).ack(501).fin()).send(&server(501).ack(102).data(b"late"));
    assert_eq!(tap.take(), []);
    assert_eq!((tap.table.counters().after_close, tap.table.counters().flows_opened), (2, 1));
    tap.send(&client(5_000).syn()).send(&client(5_001).data(b"new"));
    assert_eq!(tap.take_data(), [data(CLIENT, 5_001, b"new")]);
}

#[test]
fn fins_that_are_never_acknowledged_close_after_their_timeout() {
    let mut tap = Tap::connected();
    tap.send(&client(101).ack(501).fin()).send(&server(501).ack(101).fin());
    tap.take();
    tap.wait(6 * SECOND);
    assert_eq!(tap.take(), [Heard::Close(CloseReason::Fin)]);
    assert!(tap.table.is_empty());
}

#[test]
fn a_fin_behind_a_hole_waits_for_the_bytes() {
    let mut tap = Tap::connected();
    tap.send(&client(103).fin());
    assert_eq!(tap.take(), []);
    tap.send(&client(101).data(b"ab"));
    assert_eq!(tap.take().get(1), Some(&Heard::Fin(CLIENT)));
}

#[test]
fn bytes_acknowledged_and_never_seen_are_a_gap_before_the_close() {
    let mut tap = Tap::connected();
    tap.send(&server(501).data(b"HTTP/")).send(&server(506).ack(151)).send(&client(151).ack(507)).finish();
    let heard = tap.take();
    assert_eq!(heard.get(1..), Some(&[gap(CLIENT, 101, 50, 50), Heard::Close(CloseReason::End)][..]));
}

#[test]
fn resets_count_only_inside_the_window() {
    let mut tap = Tap::connected();
    tap.send(&client(101).data(b"abc")).send(&client(90).rst()).send(&client(9_000_000).rst());
    let ignored = |at| Heard::Evidence(CLIENT, offset(at), Evidence::ResetOutOfWindow);
    assert_eq!(tap.take().get(1..), Some(&[ignored(90), ignored(9_000_000)][..]));
    tap.send(&client(104).rst());
    assert_eq!(tap.take(), [Heard::Close(CloseReason::Reset)]);
    tap.send(&server(501).ack(104).data(b"late"));
    assert_eq!(tap.take(), []);
    tap.wait(3 * SECOND);
    assert!(tap.table.is_empty());
}

#[test]
fn a_refused_connection_closes() {
    let mut tap = Tap::file();
    tap.send(&client(100).syn()).send(&server(0).ack(101).rst());
    assert_eq!(tap.take(), [Heard::Close(CloseReason::Reset)]);
}

#[test]
fn a_reset_delivers_what_is_held() {
    let mut tap = Tap::connected();
    tap.send(&client(111).data(b"x")).send(&client(112).rst());
    let heard = tap.take();
    assert_eq!(heard.first(), Some(&gap(CLIENT, 101, 10, 0)));
    assert_eq!(heard.last(), Some(&Heard::Close(CloseReason::Reset)));
}

#[test]
fn the_same_range_with_other_bytes_is_evidence_once_and_the_first_bytes_stay() {
    let mut tap = Tap::connected();
    tap.send(&client(101).data(b"good")).send(&client(101).data(b"evil")).send(&client(101).data(b"evil"));
    let heard = tap.take();
    assert_eq!(heard.get(1..), Some(&[Heard::Evidence(CLIENT, offset(101), Evidence::OverlapConflict)][..]));
}

#[test]
fn held_bytes_are_compared_even_in_part() {
    let mut tap = Tap::connected();
    let conflicting = client(112).data(b"xdly");
    tap.send(&client(110).data(b"good")).send(&conflicting).send(&conflicting);
    assert_eq!(tap.take(), [Heard::Evidence(CLIENT, offset(112), Evidence::OverlapConflict)]);
    tap.send(&client(101).data(b"123456789"));
    let all: Vec<u8> = tap.take_data().into_iter().flat_map(|(_, _, bytes)| bytes).collect();
    assert_eq!(all, b"123456789goodly");
}

#[test]
fn keep_alive_probes_are_ignored() {
    let mut tap = Tap::connected();
    tap.send(&client(101).data(b"abc")).send(&client(103).data(b"\0")).send(&client(103).ack(501));
    assert_eq!(tap.take().len(), 1);
    assert_eq!(tap.table.counters().keep_alive, 2);
}

#[test]
fn a_mirrors_second_copies_are_counted_for_their_source() {
    let mut tap = Tap::connected();
    let request = client(101).ack(501).data(b"GET /");
    tap.send(&request).send(&request.clone().source(1));
    assert_eq!(tap.take().len(), 1);
    assert_eq!(tap.table.counters().sources[1].span_duplicates, 1);
    tap.wait(10 * MILLISECOND).send(&request);
    assert_eq!(tap.table.counters().retransmissions, 1);
}

#[test]
fn numbers_that_both_fit_nowhere_are_another_connection_without_syn() {
    let mut tap = Tap::connected();
    let (far, ack) = (2_000_000_000, 1_500_000_000);
    tap.send(&client(far).ack(ack).data(b"GET c")).send(&client(far + 5).ack(ack).data(b"d"));
    assert_eq!(tap.take().first(), Some(&Heard::Close(CloseReason::Replaced)));
    assert_eq!((tap.table.counters().out_of_window, tap.table.counters().flows_opened), (0, 2));
}

#[test]
fn a_connection_that_reuses_the_ports_of_a_closed_one_needs_no_syn() {
    let mut tap = Tap::connected();
    tap.send(&client(101).rst()).take();
    tap.send(&client(2_000_000_000).ack(1_500_000_000).data(b"GET c"));
    assert_eq!(tap.take_data(), [data(CLIENT, 2_000_000_000, b"GET c")]);
}

#[test]
fn a_syn_with_a_reset_opens_and_replaces_nothing() {
    let mut tap = Tap::connected();
    tap.send(&client(77_000_000).syn().rst()).send(&client(101).data(b"a"));
    assert_eq!(tap.take_data(), [data(CLIENT, 101, b"a")]);
    tap.send(&client(100).syn().rst().port(9));
    assert_eq!(tap.table.len(), 1);
}

#[test]
fn segments_far_ahead_that_fit_the_peer_follow_a_great_loss() {
    let mut tap = Tap::connected();
    let far = 101 + 100_000_000;
    for nth in 0..3 {
        let packet = client(far + nth).ack(501).data(b"x");
        tap.send(&packet).send(&packet);
    }
    let mut heard = tap.take();
    heard.retain(|heard| !matches!(heard, Heard::Evidence(_, _, Evidence::DataOutOfWindow)));
    assert_eq!(heard.first(), Some(&gap(CLIENT, 101, 100_000_002, 0)));
    assert_eq!(heard.len(), 2);
    assert_eq!(tap.table.counters().flows_opened, 1);
}

#[test]
fn an_injected_segment_out_of_the_window_changes_nothing() {
    let mut tap = Tap::connected();
    for nth in 0..10 {
        tap.send(&client(2_000_000_000 + nth * 50_000_000).ack(501).data(b"x"));
    }
    let named = |heard: &Heard| matches!(heard, Heard::Evidence(CLIENT, _, Evidence::DataOutOfWindow));
    assert!(tap.take().iter().all(named), "it is named, and nothing else");
}

#[test]
fn a_direction_that_is_never_seen_is_lost_up_to_what_was_acknowledged() {
    let mut tap = Tap::file();
    tap.send(&client(101).ack(501).data(b"GET /")).send(&client(106).ack(601).data(b"x"));
    for nth in 0..63 {
        tap.wait(20 * MILLISECOND).send(&client(107 + nth).ack(602 + nth).data(b"x"));
    }
    assert_eq!(tap.take_data().len(), 65);
    tap.wait(20 * MILLISECOND).send(&client(170).ack(700).data(b"x"));
    assert_eq!(tap.take().first(), Some(&gap(SERVER, 501, 100, 100)));
}

#[test]
fn a_direction_that_is_only_delayed_loses_nothing() {
    let mut tap = Tap::file();
    tap.send(&client(101).ack(501).data(b"GET /"));
    for nth in 0..500 {
        tap.send(&client(106 + nth).ack(601 + nth).data(b"x"));
    }
    tap.take();
    tap.send(&server(501).ack(106).data(&[b'y'; 100]));
    assert_eq!(tap.take_data(), [data(SERVER, 501, &[b'y'; 100])]);
}

#[test]
fn a_reset_at_the_point_acknowledged_last_is_accepted() {
    let mut tap = Tap::connected();
    tap.send(&client(101).data(b"abc")).send(&server(501).ack(104)).send(&client(104).data(b"def"));
    tap.send(&client(104).rst());
    assert_eq!(tap.take().last(), Some(&Heard::Close(CloseReason::Reset)));
}

#[test]
fn a_syn_that_comes_after_data_from_further_on_is_of_the_same_connection() {
    let mut tap = Tap::file();
    tap.send(&client(151).data(b"GET /")).send(&client(100).syn()).send(&client(156).data(b"x"));
    assert_eq!(tap.take_data().len(), 2);
    assert_eq!(tap.table.counters().flows_opened, 1);
}

#[test]
fn an_acknowledgement_far_ahead_is_not_believed() {
    let mut tap = Tap::connected();
    tap.send(&client(101).ack(501).data(b"a")).send(&client(102).ack(200_000_000)).finish();
    assert_eq!(tap.take().last(), Some(&Heard::Close(CloseReason::End)));
    assert_eq!(tap.table.counters().gaps, 0);
}

#[test]
fn segments_without_captured_payload_count_as_later_ones() {
    let mut tap = Tap::connected();
    for nth in 0..40 {
        let packet = client(111 + nth * 4).data(b"abcd").cut(4);
        tap.send(&packet).send(&packet);
    }
    let heard = tap.take();
    assert_eq!(heard.first(), Some(&gap(CLIENT, 101, 10, 0)));
    assert_eq!(tap.table.counters().out_of_order, 32);
    assert_eq!(tap.table.counters().gap_bytes, 10 + 40 * 4);
}

#[test]
fn a_senders_own_numbers_outweigh_a_forged_acknowledgement() {
    let mut tap = Tap::file();
    tap.send(&client(700).ack(3_000_000_000).data(b"GET /")).send(&server(900).ack(705).data(b"HTTP/"));
    let seen: Vec<_> = tap.take_data().into_iter().map(|(_, at, bytes)| (at.seq().0, bytes)).collect();
    assert_eq!(seen, [(700, b"GET /".into()), (900, b"HTTP/".into())]);
}
