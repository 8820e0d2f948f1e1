//! The short way through the table against the long one.

use crate::causality::conversation;
use crate::common::*;
use crate::model::{Random, capture};
use proptest::prelude::*;
use tapwire_flow::Config;

/// Sends the same packets, each after its pause in nanoseconds, both ways.
fn compare(packets: &[(i64, Tcp)], config: &Config) {
    let [mut short, mut long] =
        [true, false].map(|shortcuts| Tap::new(Config { shortcuts, ..config.clone() }));
    for (pause, packet) in packets {
        for tap in [&mut short, &mut long] {
            tap.now += pause - MILLISECOND;
            tap.send(packet);
        }
        assert_eq!(short.heard.events, long.heard.events);
        assert_eq!(short.table.counters(), long.table.counters());
    }
    for tap in [&mut short, &mut long] {
        tap.finish();
    }
    assert_eq!(short.heard.events, long.heard.events);
    assert_eq!(short.table.counters(), long.table.counters());
}

/// Gives some packets what a usual one has not.
fn disturb(packets: &mut [(i64, Tcp)], seed: u64) {
    let mut random = Random(seed);
    for (_, packet) in packets {
        match random.below(40) {
            0 => packet.flags |= 0x20,
            1 => packet.damaged = true,
            2 => packet.cut = packet.payload.len().min(3),
            3 => packet.ack = packet.ack.map(|ack| ack.wrapping_add(7)),
            4 => packet.ack = None,
            5 => packet.seq = packet.seq.wrapping_sub(1),
            6 => packet.source = 1,
            _ => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_capture_gives_the_same_both_ways(capture in capture(20, 20), tap in any::<bool>(), memory in 2_000_usize..60_000) {
        let mut random = Random(capture.seed);
        let (sent, _) = capture.sent(&mut random);
        let packets: Vec<_> = capture.seen(sent, &mut random).into_iter().map(|packet| (MILLISECOND, packet)).collect();
        compare(&packets, &Config { gap_after_ms: tap.then_some(200), memory, ..Config::default() });
    }

    #[test]
    fn conversations_that_are_disturbed_give_the_same_both_ways(seed in any::<u64>(), exchanges in 1..30_u32) {
        let mut before = 0;
        let mut packets: Vec<_> = conversation(seed, exchanges).into_iter().map(|(time, packet)| {
            let pause = time - std::mem::replace(&mut before, time);
            (pause, packet)
        }).collect();
        compare(&packets, &Config::default());
        disturb(&mut packets, seed);
        compare(&packets, &Config { awake: 0, ..Config::default() });
    }
}
