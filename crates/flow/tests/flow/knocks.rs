//! Connections on which nobody says a word.

use crate::common::{CLIENT, SECOND, Tap, client, server};
use tapwire_flow::KnockAnswer::{self, Abandoned, Accepted, None, Refused};

/// What came of the only connection, once everything is over.
#[track_caller]
fn came_to(tap: &mut Tap) -> Vec<KnockAnswer> {
    tap.finish();
    tap.heard
        .knocks
        .drain(..)
        .map(|(answer, initiator)| {
            assert_eq!(initiator, Some(CLIENT));
            answer
        })
        .collect()
}

fn asked() -> Tap {
    let mut tap = Tap::file();
    tap.send(&client(100).syn());
    tap
}

#[test]
fn a_port_is_silent_closed_or_open() {
    assert_eq!(came_to(&mut asked()), [None]);
    assert_eq!(came_to(asked().send(&server(0).ack(101).rst())), [Refused]);
    assert_eq!(came_to(asked().send(&server(500).syn().ack(101))), [Abandoned]);
    assert_eq!(came_to(asked().send(&server(500).syn().ack(101)).send(&client(101).rst())), [Abandoned]);
    assert_eq!(came_to(&mut Tap::connected()), [Accepted]);
}

#[test]
fn a_connection_that_is_closed_without_a_word_was_accepted() {
    let mut tap = Tap::connected();
    tap.send(&client(101).ack(501).fin()).send(&server(501).ack(102).fin()).send(&client(102).ack(502));
    assert_eq!(came_to(&mut tap), [Accepted]);
    assert_eq!(came_to(Tap::connected().send(&client(101).ack(501).rst())), [Accepted]);
}

#[test]
fn a_syn_that_nothing_answers_is_told_when_its_time_is_over() {
    let mut tap = asked();
    tap.wait(11 * SECOND);
    assert_eq!(tap.heard.knocks, [(None, Some(CLIENT))]);
}

#[test]
fn who_says_a_word_does_not_knock() {
    for side in [client(101).ack(501).data(b"GET /"), server(501).ack(101).data(b"220 ")] {
        assert_eq!(came_to(Tap::connected().send(&side)), []);
    }
    let mut heard_of = Tap::connected();
    heard_of.send(&server(501).ack(150));
    assert_eq!(came_to(&mut heard_of), [], "bytes that only an acknowledgement tells of");
}

#[test]
fn of_a_connection_whose_syn_was_not_seen_nothing_is_said() {
    let mut tap = Tap::file();
    tap.send(&server(500).syn().ack(101)).send(&client(101).ack(501));
    assert_eq!(came_to(&mut tap), []);
}
