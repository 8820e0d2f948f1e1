//! Chunks and gaps tile each direction, and nothing is lost behind a FIN, whatever comes in whatever order. Fuzzing found
//! each of these.

use crate::common::{CLIENT, Heard, SECOND, SERVER, Tap, client, server};
use crate::model::laws;
use tapwire_flow::Config;

/// Further than any window.
const FAR: u32 = 20 << 20;

fn gaps(heard: &[Heard]) -> usize {
    heard.iter().filter(|heard| matches!(heard, Heard::Gap { .. })).count()
}

#[test]
fn segments_far_behind_a_fin_prove_no_loss() {
    let mut tap = Tap::connected();
    tap.send(&client(101).ack(501).fin());
    assert!(tap.take().contains(&Heard::Fin(CLIENT)));
    for nth in 0..5 {
        tap.send(&client(101 + FAR + nth * 10).ack(501).data(&[b'x'; 10]));
    }
    assert_eq!(gaps(&tap.take()), 0);
    assert_eq!(tap.table.counters().out_of_window, 5);
}

#[test]
fn acknowledgements_behind_a_fin_prove_no_loss() {
    let mut tap = Tap::connected();
    tap.send(&server(501).ack(101).fin());
    assert!(tap.take().contains(&Heard::Fin(SERVER)));
    for nth in 0..100 {
        tap.now += SECOND / 10;
        tap.send(&client(101 + nth).ack(900).data(b"x"));
    }
    assert_eq!(gaps(&tap.take()), 0);
}

#[test]
fn a_fin_before_bytes_that_are_held_is_not_believed() {
    let mut tap = Tap::connected();
    tap.send(&client(201).ack(501).data(&[b'b'; 100]));
    tap.send(&client(151).ack(501).fin());
    tap.send(&client(101).ack(501).data(&[b'a'; 100]));
    let heard = tap.take();
    assert!(!heard.contains(&Heard::Fin(CLIENT)), "{heard:?}");
    assert_eq!(heard.iter().filter(|heard| matches!(heard, Heard::Data { .. })).count(), 2);
}

#[test]
fn a_fin_that_overtook_its_bytes_is_said_again_behind_them() {
    let mut tap = Tap::file();
    tap.send(&server(501).ack(111));
    tap.send(&client(111).ack(501).fin());
    assert_eq!(tap.take(), [Heard::Fin(CLIENT)]);
    tap.send(&client(101).ack(501).data(b"0123456789"));
    let heard = tap.take();
    assert!(matches!(heard.as_slice(), [Heard::Data { .. }, Heard::Fin(CLIENT)]), "{heard:?}");
}

#[test]
fn a_fin_that_overtook_its_syn_is_said_once() {
    let mut tap = Tap::file();
    tap.send(&server(501).ack(101));
    tap.send(&client(101).ack(501).fin());
    tap.send(&client(100).syn());
    assert_eq!(tap.take(), [Heard::Fin(CLIENT)]);
}

#[test]
fn bytes_that_were_cut_and_come_again_where_there_is_no_room_are_said_once() {
    for limit in (0..2_000).step_by(8) {
        let mut tap = Tap::new(Config { out_of_order_per_direction: limit, ..Config::default() });
        tap.send(&client(100).syn());
        tap.send(&server(500).syn().ack(101));
        // Both wait for server bytes that their sender had heard.
        tap.send(&client(101).ack(665).data(b"a"));
        tap.send(&client(102).ack(665).data(&[b'b'; 10]).cut(10));
        tap.send(&client(101).ack(887).data(&[b'c'; 78]));
        tap.send(&client(101).ack(887).data(&[b'c'; 235]));
        tap.finish();
        laws(&tap.heard.events);
    }
}

#[test]
fn a_start_that_only_the_peer_told_is_not_moved_over_held_bytes() {
    let mut tap = Tap::file();
    tap.send(&server(501).ack(101).data(b"y"));
    // It waits for server bytes up to 700.
    tap.send(&client(101).ack(700).data(&[b'a'; 20]));
    tap.send(&client(101 + FAR).ack(502).data(&[b'x'; 20]));
    tap.finish();
    laws(&tap.heard.events);
}

#[test]
fn what_the_capture_cut_of_held_bytes_is_taken_from_a_segment_that_has_it_whole() {
    let mut tap = Tap::connected();
    tap.send(&client(111).ack(501).data(&[b'b'; 20]).cut(10));
    tap.send(&client(101).ack(501).data(&[b'a'; 30]));
    tap.finish();
    let heard = tap.take();
    assert!(!heard.iter().any(|heard| matches!(heard, Heard::Gap { .. })), "{heard:?}");
}
