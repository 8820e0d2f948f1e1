//! Connections after a reset that closed them here.

use crate::common::{CLIENT, Heard, SECOND, SERVER, Tap, Tcp, client, data, server};
use tapwire_flow::{CloseReason, Evidence};

/// A connection after an exchange and a reset in the name of the client: the client's bytes go on at 106, the server's
/// at 509.
fn reset_at(seq: u32) -> Tap {
    let mut tap = Tap::connected();
    tap.send(&client(101).ack(501).data(b"GET /")).send(&server(501).ack(106).data(b"HTTP/1.1"));
    tap.send(&client(seq).rst());
    assert_eq!(tap.take().last(), Some(&Heard::Close(CloseReason::Reset)));
    tap
}

fn next_request() -> Tcp {
    client(106).ack(509).data(b"GET /")
}

fn next_response() -> Tcp {
    server(509).ack(111).data(b"HTTP/1.1")
}

/// Whether anything was heard or opened after the reset.
fn is_silent(tap: &mut Tap) -> bool {
    let counters = tap.table.counters();
    let silent = (counters.revived, counters.flows_opened) == (0, 1);
    silent && tap.take().is_empty()
}

#[test]
fn an_answer_to_what_was_sent_after_the_reset_opens_the_rest_as_another_connection() {
    for seq in [106, 700] {
        let mut tap = reset_at(seq);
        tap.send(&next_request());
        assert!(is_silent(&mut tap));
        if seq == 106 {
            tap.send(&next_response());
        } else {
            // The client may have sent the request before the reset. The server's bytes came after it.
            tap.send(&next_response()).send(&client(111).ack(517));
        }
        assert_eq!(tap.table.counters().revived, 1);
        tap.send(&client(111).ack(517).data(b"GET /")).send(&server(517).ack(116).data(b"HTTP/1.1"));
        let heard = tap.take_data();
        let tail = [data(CLIENT, 111, b"GET /"), data(SERVER, 517, b"HTTP/1.1")];
        assert_eq!(heard.get(heard.len() - 2..), Some(&tail[..]));
        let counters = tap.table.counters();
        assert_eq!((counters.flows_opened, counters.flows_without_syn), (2, 1));
        tap.finish();
    }
}

#[test]
fn a_bare_acknowledgement_of_what_was_sent_after_the_reset_is_an_answer() {
    let mut tap = reset_at(106);
    tap.send(&next_request()).send(&server(509).ack(111)).send(&next_response());
    assert_eq!(tap.take_data(), [data(SERVER, 509, b"HTTP/1.1")]);
    assert_eq!((tap.table.counters().revived, tap.table.counters().after_close), (1, 1));
}

#[test]
fn what_was_under_way_when_the_reset_came_opens_nothing() {
    let mut tap = reset_at(106);
    for nth in 0..20 {
        tap.send(&server(509 + nth * 8).ack(106).data(b"HTTP/1.1"));
    }
    tap.send(&client(106).rst()).send(&server(501).ack(106).data(b"HTTP/1.1"));
    assert!(is_silent(&mut tap));
    assert_eq!(tap.table.counters().after_close, 22);
}

#[test]
fn a_reset_that_overtakes_its_senders_last_bytes_stays_one() {
    let mut tap = reset_at(111);
    tap.send(&next_request()).send(&server(509).ack(111)).send(&next_response());
    assert!(is_silent(&mut tap));
}

#[test]
fn bytes_that_do_not_continue_where_the_direction_stood_open_nothing() {
    let mut tap = reset_at(106);
    tap.send(&client(108).ack(509).data(b"GET /")).send(&server(509).ack(113).data(b"HTTP/1.1"));
    tap.send(&next_request()).send(&server(520).ack(111).data(b"HTTP/1.1"));
    assert!(is_silent(&mut tap));
}

/// A connection that both FINs closed, at 101 and at 501.
fn finished() -> Tap {
    let mut tap = Tap::connected();
    tap.send(&client(101).ack(501).fin()).send(&server(501).ack(102).fin()).send(&client(102).ack(502));
    assert_eq!(tap.take().last(), Some(&Heard::Close(CloseReason::Fin)));
    tap
}

#[test]
fn a_connection_that_both_fins_closed_is_not_revived() {
    let mut tap = finished();
    tap.send(&client(102).ack(502).data(b"x")).send(&server(502).ack(103).data(b"y"));
    tap.send(&client(101).ack(501).data(b"x")).send(&server(501).ack(102)).send(&client(102).ack(502));
    assert!(is_silent(&mut tap));
}

#[test]
fn an_answer_to_bytes_in_the_place_of_the_fin_proves_the_fins_forged() {
    let mut tap = finished();
    tap.send(&client(101).ack(501).data(b"GET /")).send(&server(501).ack(106).data(b"HTTP/1.1"));
    let heard = tap.take();
    assert!(matches!(heard.first(), Some(Heard::Evidence(SERVER, _, Evidence::DataAfterFin))));
    assert!(matches!(heard.get(1), Some(Heard::Data { side: SERVER, .. })));
    assert_eq!((tap.table.counters().revived, tap.table.counters().flows_opened), (1, 2));
}

#[test]
fn a_revived_connection_may_be_reset_again() {
    let mut tap = reset_at(106);
    tap.send(&next_request()).send(&next_response()).send(&client(111).ack(517).rst());
    assert_eq!(tap.take().last(), Some(&Heard::Close(CloseReason::Reset)));
    tap.send(&client(111).ack(517).data(b"GET /")).send(&server(517).ack(116).data(b"HTTP/1.1"));
    assert_eq!((tap.table.counters().revived, tap.table.counters().flows_opened), (2, 3));
    tap.wait(3 * SECOND).finish();
}
