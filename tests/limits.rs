//! More properties of the data path: what a clock, a peer's way of writing, a small memory and rest may not change, and
//! every start, stop and loss of one packet of every small capture.

use std::path::Path;
use tapwire_flow::Config;
use tapwire_protocol::Pairing;
use tapwire_testkit::{Capture, Conversation, Facts, Sending, Turn, mutate, sense, sense_with, shop_turns};

const HOUR: i64 = 3_600_000_000_000;

fn play(turns: Vec<Turn>, sending: Sending) -> Capture {
    Conversation { sending, ..Conversation::new(turns, 5) }.play()
}

/// Every fixture and some scripted captures, with their names.
fn captures() -> Vec<(String, Capture)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures");
    let mut found = Vec::new();
    let mut entries: Vec<_> = std::fs::read_dir(folder).expect("the fixtures").flatten().collect();
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path().join("in.pcap");
        if path.exists() {
            let capture = Capture::read(&path).expect("a capture");
            found.push((entry.file_name().to_string_lossy().into_owned(), capture));
        }
    }
    assert!(found.len() > 20);
    for sending in [Sending::AfterAnswer, Sending::Batch(3)] {
        found.push((format!("{sending:?}"), play(shop_turns(40, 2), sending)));
    }
    found
}

/// Many connections at once.
fn crowd(connections: u64) -> Capture {
    let one = |seed| Conversation::new(shop_turns(6, seed), seed).play();
    let alone: Vec<Capture> = (1..=connections).map(one).collect();
    mutate::interleave(&alone)
}

#[test]
fn property_5_6_7_every_start_stop_and_loss_of_every_small_capture() {
    let mut judged = 0;
    for (name, capture) in captures() {
        // Whose client keeps requests outstanding, one more for each answer: nobody who only listens can tell.
        if name.contains("rolling") || capture.packets.len() > 600 {
            continue;
        }
        let all = sense(&capture);
        let possible: Vec<Option<u64>> = all.rows.iter().map(|row| row.request).collect();
        for index in 0..capture.packets.len() {
            for (what, changed) in [
                ("from", mutate::from_packet(&capture, index)),
                ("until", mutate::until_packet(&capture, index)),
                ("without", mutate::without(&capture, index)),
            ] {
                let sensed = sense(&changed);
                judged += 1;
                assert!(sensed.wrong().is_empty(), "{name}: {what} {index}: mispaired");
                assert!(sensed.flow.conserved(), "{name}: {what} {index}: {:?}", sensed.flow);
                // Who joins behind a CONNECT sees the HTTP inside.
                let invented =
                    sensed.rows.iter().find(|row| !possible.contains(&row.request) && row.request.is_some());
                assert!(
                    name == "connect-upgrade" || invented.is_none(),
                    "{name}: {what} {index}: {invented:?}"
                );
            }
        }
    }
    println!("{judged} changed captures judged");
    assert!(judged > 5_000);
}

#[test]
fn property_17_a_clock_that_jumps_changes_nothing() {
    // Those that last longer than 30 s cross a timeout: what is told of them as ongoing depends on their clock.
    for (name, capture) in captures().into_iter().filter(|(name, _)| !name.ends_with("-ongoing")) {
        let facts = sense(&capture).facts();
        let step = (capture.packets.len() / 40).max(1);
        for index in (0..capture.packets.len()).step_by(step) {
            for nanos in [-2 * HOUR, 2 * HOUR, -500_000_000_000 * 3_600] {
                let jumped = sense(&mutate::jump(&capture, index, nanos)).facts();
                assert!(jumped == facts, "{name}: {nanos} ns at packet {index}");
            }
        }
    }
}

/// What stays when content is written in another way: all but the length of bodies.
fn said(capture: &Capture) -> Vec<Facts> {
    let mut facts = sense(capture).facts();
    facts.iter_mut().for_each(|facts| facts.5 = [0, 0]);
    facts.sort();
    facts
}

#[test]
fn property_18_another_way_of_writing_changes_nothing() {
    let turns = shop_turns(120, 11);
    for sending in [Sending::AfterAnswer, Sending::Batch(3), Sending::Rolling(2)] {
        let base = play(turns.clone(), sending);
        let (lengths, facts) = (sense(&base).facts(), said(&base));
        assert_eq!(facts.len(), 120);
        let same_bodies = [
            mutate::header_case(&turns, 1),
            mutate::chunked(&turns, 1, 2),
            mutate::chunked(&turns, 40, 3),
            mutate::chunked(&turns, 100_000, 4),
            mutate::with_length(&turns),
            mutate::chunked(&mutate::with_length(&mutate::chunked(&turns, 7, 5)), 900, 6),
        ];
        for (nth, turns) in same_bodies.into_iter().enumerate() {
            assert_eq!(sense(&play(turns, sending)).facts(), lengths, "{sending:?}: {nth}");
        }
        let zipped = mutate::gzipped(&turns);
        assert_eq!(said(&play(zipped.clone(), sending)), facts);
        assert_eq!(said(&play(mutate::chunked(&zipped, 50, 7), sending)), facts);
    }
}

#[test]
fn property_20_a_memory_halved_again_and_again_is_kept() {
    let base = crowd(60);
    let all = sense(&base).facts();
    // What the connection that is being read may hold beyond it: its record, its head and its body.
    const BUSY: u64 = 160 << 10;
    let mut evicted = 0;
    for halved in 0..14 {
        let memory = (4 << 20) >> halved;
        for (loss, capture) in [(0.0, base.clone()), (0.05, mutate::lossy(&base, 0.05, 3))] {
            let flow = Config { memory, out_of_order_memory: memory / 4, ..Config::default() };
            let sensed = sense_with(&capture, flow, tapwire_protocol::Config::default());
            assert!(sensed.flow.conserved(), "{memory}: {:?}", sensed.flow);
            assert!(sensed.flow.memory_peak <= memory as u64 + BUSY, "{memory}: {}", sensed.flow.memory_peak);
            assert!(sensed.flow.out_of_order_memory <= memory as u64 / 4);
            let opened = sensed.flow.flows_opened;
            assert_eq!(opened, sensed.flow.flow_fates().iter().map(|(_, count)| count).sum::<u64>());
            assert!(sensed.wrong().is_empty(), "{memory}: mispaired");
            evicted += sensed.flow.evicted;
            if halved == 0 && loss == 0.0 {
                assert_eq!((sensed.facts(), sensed.flow.evicted), (all.clone(), 0));
            }
        }
    }
    assert!(evicted > 0, "the smallest is too small");
}

#[test]
fn resting_changes_nothing() {
    let all: Vec<Capture> = captures().into_iter().map(|(_, capture)| capture).collect();
    for capture in [crowd(100), mutate::interleave(&all)] {
        let usual = sense(&capture);
        let flow = Config { awake: 0, ..Config::default() };
        let rested = sense_with(&capture, flow, tapwire_protocol::Config::default());
        assert_eq!(rested.rows.len(), usual.rows.len());
        for (rested, usual) in rested.rows.iter().zip(&usual.rows) {
            assert_eq!(
                (rested.facts(), rested.uid, &rested.anomalies),
                (usual.facts(), usual.uid, &usual.anomalies)
            );
        }
        assert!(rested.rows.iter().any(|row| row.pairing == Pairing::Certain));
    }
}
