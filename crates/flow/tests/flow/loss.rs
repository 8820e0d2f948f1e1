//! What a gap tells of the receiver of its bytes.

use crate::common::{CLIENT, Heard, MILLISECOND, Tap, client, gap, offset, server};
use tapwire_flow::StreamOffset;

/// The gaps, each with where its receiver stood.
fn losses(tap: &mut Tap) -> Vec<(Heard, Option<StreamOffset>)> {
    let positions = std::mem::take(&mut tap.heard.acked_at);
    let gaps = tap.take().into_iter().filter(|heard| matches!(heard, Heard::Gap { .. }));
    gaps.zip(positions).collect()
}

#[test]
fn a_lost_request_tells_where_its_response_begins() {
    let mut tap = Tap::connected();
    tap.send(&server(501).ack(107).data(b"HTTP/1.1")).wait(20 * MILLISECOND);
    tap.send(&server(509).ack(107).data(b"HTTP/1.1")).finish();
    assert_eq!(losses(&mut tap), [(gap(CLIENT, 101, 6, 6), Some(offset(501)))]);
}

#[test]
fn acknowledgements_without_payload_count_and_several_of_them_make_one() {
    let mut tap = Tap::connected();
    tap.send(&client(101).ack(501).data(b"GET /")).send(&server(501).ack(106).data(b"HTTP/1.1"));
    for nth in 0..50 {
        tap.send(&server(509).ack(206 + nth * 100));
    }
    tap.send(&server(509).ack(5_106).data(b"x")).send(&server(510).ack(5_106).data(b"y"));
    tap.finish();
    assert_eq!(losses(&mut tap), [(gap(CLIENT, 106, 5_000, 5_000), Some(offset(509)))]);
}

#[test]
fn several_acknowledgements_from_one_position_stay_one_when_the_receiver_goes_on() {
    let mut tap = Tap::connected();
    tap.send(&server(501).ack(101).data(b"greeting"));
    tap.send(&server(509).ack(201)).send(&server(509).ack(301).data(b"HTTP/1.1"));
    tap.send(&server(517).ack(601).data(b"HTTP/1.1")).send(&client(301).ack(525).data(&[b'x'; 300]));
    tap.finish();
    assert_eq!(losses(&mut tap), [(gap(CLIENT, 101, 200, 200), Some(offset(509)))]);
}

#[test]
fn acknowledgements_of_what_is_no_longer_missing_are_forgotten() {
    let mut tap = Tap::connected();
    tap.send(&server(501).ack(107).data(b"HTTP/1.1"));
    for later in 0..3 {
        tap.send(&client(107 + later).ack(509).data(b"x"));
    }
    assert_eq!(losses(&mut tap), [(gap(CLIENT, 101, 6, 6), Some(offset(501)))]);
    tap.send(&server(509).ack(116).data(b"HTTP/1.1")).send(&client(116).ack(517).data(b"HEAD /"));
    tap.send(&server(517).ack(128).data(b"HTTP/1.1")).finish();
    let expected = [(gap(CLIENT, 110, 6, 6), Some(offset(509))), (gap(CLIENT, 122, 6, 6), Some(offset(517)))];
    assert_eq!(losses(&mut tap), expected);
}

#[test]
fn a_gap_that_its_receiver_acknowledged_in_parts_tells_the_last_part() {
    let mut tap = Tap::connected();
    for nth in 0..6 {
        tap.send(&server(501 + nth * 8).ack(107 + nth * 6).data(b"HTTP/1.1"));
    }
    tap.finish();
    assert_eq!(losses(&mut tap), [(gap(CLIENT, 101, 36, 36), Some(offset(541)))]);
}

#[test]
fn each_gap_tells_its_own_position() {
    let mut tap = Tap::connected();
    for nth in 0..4 {
        let (from_client, from_server) = (101 + nth * 16, 501 + nth * 8);
        tap.send(&server(from_server).ack(from_client + 10).data(b"HTTP/1.1"));
        for later in 0..3 {
            tap.send(&client(from_client + 10 + later * 2).ack(from_server + 8).data(b"xy"));
        }
        assert_eq!(losses(&mut tap), [(gap(CLIENT, from_client, 10, 10), Some(offset(from_server)))]);
    }
}

#[test]
fn the_first_of_two_gaps_keeps_its_position() {
    let mut tap = Tap::connected();
    tap.send(&server(501).ack(107).data(b"HTTP/1.1"));
    tap.send(&client(107).ack(509).data(b"HEAD /")).send(&server(509).ack(119).data(b"HTTP/1.1"));
    tap.finish();
    let expected = [(gap(CLIENT, 101, 6, 6), Some(offset(501))), (gap(CLIENT, 113, 6, 6), Some(offset(509)))];
    assert_eq!(losses(&mut tap), expected);
}

#[test]
fn a_retransmission_stands_where_its_sender_stood_and_not_where_its_bytes_do() {
    let mut tap = Tap::connected();
    tap.send(&server(501).ack(101).data(b"banner")).send(&server(501).ack(107).data(b"banner"));
    tap.finish();
    assert_eq!(losses(&mut tap), [(gap(CLIENT, 101, 6, 6), Some(offset(507)))]);
}

#[test]
fn what_is_not_acknowledged_whole_tells_nothing() {
    let mut tap = Tap::connected();
    tap.send(&client(101).ack(501).data(b"GET /").cut(2)).send(&server(501).ack(108).data(b"x"));
    tap.send(&client(116).ack(502).data(b"late"));
    tap.finish();
    assert_eq!(losses(&mut tap), [(gap(CLIENT, 104, 2, 0), None), (gap(CLIENT, 106, 10, 2), None)]);
}

#[test]
fn an_acknowledgement_before_any_payload_stands_where_that_begins() {
    let mut tap = Tap::connected();
    tap.send(&server(501).ack(107)).send(&server(501).ack(107).data(b"HTTP/1.1")).finish();
    assert_eq!(losses(&mut tap), [(gap(CLIENT, 101, 6, 6), Some(offset(501)))]);
}

#[test]
fn an_acknowledgement_before_any_payload_of_which_the_start_is_lost_too_stands_nowhere() {
    let mut tap = Tap::connected();
    tap.send(&server(501).ack(107)).send(&server(509).ack(113).data(b"HTTP/1.1"));
    tap.send(&client(107).ack(517).data(b"HEAD /")).finish();
    assert_eq!(losses(&mut tap).first(), Some(&(gap(CLIENT, 101, 6, 6), None)));
}
