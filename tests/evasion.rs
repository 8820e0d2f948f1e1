//! Attacks on sensors: each is built as packets, sensed the way a capture is, and has to be named on the exchange that it
//! touches. docs/evasion.md says what each is and names its test here.

use std::collections::{BTreeSet, HashSet};
use std::path::Path;
use tapwire_protocol::Anomaly;
use tapwire_testkit::mutate;
use tapwire_testkit::{Capture, Conversation, Row, Scene, Sending, Sensed, Tcp, Turn, sense, shop_turns};
use tapwire_wire::{Side, TcpFlags};

const MILLISECOND: i64 = 1_000_000;
const SECOND: i64 = 1_000_000_000;

/// Initial sequence numbers: ordinary ones, and some that wrap within the connection.
const INITIAL: [[u32; 2]; 3] = [[1_000, 500_000], [u32::MAX - 700, u32::MAX - 300], [u32::MAX - 5, u32::MAX]];

/// What ordinary traffic never shows.
const SUSPICIOUS: &[Anomaly] = &[
    Anomaly::OverlapConflict,
    Anomaly::ResetOutOfWindow,
    Anomaly::ResetIgnored,
    Anomaly::ResetWithOtherTtl,
    Anomaly::TtlOutlier,
    Anomaly::NeverAcknowledged,
    Anomaly::TinySegments,
    Anomaly::DataInSyn,
    Anomaly::DataOutOfWindow,
    Anomaly::DataAfterFin,
    Anomaly::UrgentData,
    Anomaly::TooManyOutstanding,
    Anomaly::FragmentConflict,
];

fn turns(count: u64) -> Vec<Turn> {
    let plain = |number: u64| {
        Turn {
        request: format!(
            "POST /orders?n={number} HTTP/1.1\r\nHost: shop\r\nX-Exchange: {number}\r\nContent-Length: 12\r\n\r\n\
             {{\"price\":10}}"
        )
        .into_bytes(),
        response: format!("HTTP/1.1 200 OK\r\nX-Exchange: {number}\r\nContent-Length: 4\r\n\r\ndone").into_bytes(),
    }
    };
    (1..=count).map(plain).collect()
}

/// What is suspected of the exchanges with that number.
fn suspected(sensed: &Sensed, number: u64) -> BTreeSet<&'static str> {
    let rows = sensed.rows.iter().filter(|row| [row.request, row.response].contains(&Some(number)));
    rows.flat_map(suspicions).collect()
}

fn suspicions(row: &Row) -> Vec<&'static str> {
    let suspicious = |anomaly: &&Anomaly| SUSPICIOUS.contains(anomaly) || **anomaly == Anomaly::BadChecksum;
    row.anomalies.iter().filter(suspicious).map(|anomaly| anomaly.name()).collect()
}

/// Builds an evasion at several places in the sequence space, and checks what is suspected of the exchange `number` and
/// that nothing is suspected of the others. Pairs stay right.
fn expect(number: u64, wanted: &[&str], build: impl Fn(&mut Scene)) {
    for initial in INITIAL {
        let mut scene = Scene::new(turns(6), initial);
        build(&mut scene);
        let sensed = sense(&scene.capture());
        assert!(sensed.wrong().is_empty(), "{initial:?}: mispaired");
        assert!(sensed.flow.conserved(), "{initial:?}: {:?}", sensed.flow);
        for other in 1..=6 {
            let wanted: BTreeSet<&str> =
                if other == number { wanted.iter().copied().collect() } else { BTreeSet::new() };
            assert_eq!(suspected(&sensed, other), wanted, "{initial:?}: exchange {other}");
        }
    }
}

/// Every exchange is seen whole, in certain pairs.
fn all_seen(sensed: &Sensed) {
    let pairs: Vec<u64> = sensed.certain().filter_map(|row| row.request).collect();
    assert_eq!(pairs, [1, 2, 3, 4, 5, 6]);
}

fn untouched(build: impl Fn(&mut Scene)) {
    expect(0, &[], |scene| {
        build(scene);
        all_seen(&sense(&scene.capture()));
    });
}

// Overlaps: whose bytes the receiver keeps differs from host to host.

#[test]
fn other_bytes_in_the_place_of_a_request_are_a_conflict() {
    expect(3, &["overlap-conflict"], |scene| {
        let at = scene.request(2);
        let forged = scene.tcp(at).forged();
        scene.insert(at + 1, &forged);
    });
}

#[test]
fn other_bytes_within_a_head_that_is_arriving_are_a_conflict() {
    expect(3, &["overlap-conflict"], |scene| {
        let at = scene.request(2);
        let whole = scene.tcp(at);
        let len = whole.payload.len();
        let parts = [whole.part(0, 30), whole.part(10, 25).forged(), whole.part(30, len)];
        scene.replace(at, &parts);
    });
}

#[test]
fn a_retransmission_that_is_cut_differently_is_compared_with_what_was_read() {
    // The whole again in three parts, of which the second has other bytes; no remembered segment has its borders.
    expect(3, &["overlap-conflict"], |scene| {
        let at = scene.request(2);
        let whole = scene.tcp(at);
        let parts = [whole.part(0, 20), whole.part(20, 40).forged(), whole.part(40, whole.payload.len())];
        parts.iter().rev().for_each(|part| scene.insert(at + 1, part));
    });
    untouched(|scene| {
        let at = scene.request(2);
        let whole = scene.tcp(at);
        let parts = [whole.part(0, 20), whole.part(20, 40), whole.part(40, whole.payload.len())];
        parts.iter().rev().for_each(|part| scene.insert(at + 1, part));
    });
}

#[test]
fn other_bytes_in_a_body_that_was_read_are_a_conflict() {
    expect(3, &["overlap-conflict"], |scene| {
        let at = scene.request(2);
        let whole = scene.tcp(at);
        let len = whole.payload.len();
        scene.insert(at + 1, &whole.part(len - 6, len - 2).forged());
    });
}

#[test]
fn a_conflict_with_bytes_too_old_to_be_remembered_is_found_in_the_head() {
    for initial in INITIAL {
        let body = vec![b'x'; 100_000];
        let head =
            format!("POST /upload?n=1 HTTP/1.1\r\nHost: shop\r\nContent-Length: {}\r\n\r\n", body.len());
        let upload = Turn {
            request: [head.as_bytes(), &body].concat(),
            response: b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec(),
        };
        let mut scene = Scene::new(vec![upload], initial);
        let (at, end) = (scene.request(0), scene.response(0));
        let forged = scene.tcp(at).part(0, 60).forged();
        scene.insert(end, &forged);
        let sensed = sense(&scene.capture());
        assert_eq!(suspected(&sensed, 1), BTreeSet::from(["overlap-conflict"]), "{initial:?}");
    }
}

#[test]
fn other_bytes_for_what_waits_behind_a_hole_are_a_conflict() {
    expect(3, &["overlap-conflict"], |scene| {
        let at = scene.request(2);
        let whole = scene.tcp(at);
        let len = whole.payload.len();
        scene.replace(at, &[whole.part(40, len), whole.part(50, 60).forged(), whole.part(0, 40)]);
    });
}

#[test]
fn fragments_that_contradict_each_other_are_named() {
    untouched(|scene| {
        let at = scene.request(2);
        scene.fragment(at, 48, |_, _| ());
    });
    expect(3, &["fragment-conflict"], |scene| {
        let at = scene.request(2);
        scene.fragment(at, 48, |_, _| ());
        // The second one again, with other bytes.
        let mut forged = scene.packets[at + 1].clone();
        forged.bytes.iter_mut().skip(40).for_each(|byte| *byte ^= 0x01);
        scene.packets.insert(at + 2, forged);
        all_seen(&sense(&scene.capture()));
    });
}

#[test]
fn the_first_bytes_are_kept() {
    let mut scene = Scene::new(turns(6), INITIAL[0]);
    let at = scene.request(2);
    let forged = scene.tcp(at).forged();
    scene.insert(at + 1, &forged);
    all_seen(&sense(&scene.capture()));
}

// Checksums: a receiver drops what is damaged.

#[test]
fn bytes_with_a_bad_checksum_of_a_good_sender_are_not_read() {
    // A sender is known to be good after some segments.
    for initial in INITIAL {
        let mut scene = Scene::new(turns(12), initial);
        let at = scene.request(10);
        let forged = scene.tcp(at).forged();
        scene.insert(at, &forged);
        scene.damage(at);
        let sensed = sense(&scene.capture());
        assert_eq!(sensed.certain().count(), 12);
        assert_eq!(suspected(&sensed, 11), BTreeSet::from(["bad-checksum"]));
        assert_eq!(sensed.flow.bad_checksum, 1);
    }
}

#[test]
fn a_reset_with_a_bad_checksum_ends_nothing() {
    for initial in INITIAL {
        let mut scene = Scene::new(turns(12), initial);
        let at = scene.response(10);
        let reset = scene.tcp(at).bare(TcpFlags::RST);
        scene.insert(at, &reset);
        scene.damage(at);
        let sensed = sense(&scene.capture());
        assert_eq!(sensed.certain().count(), 12);
        assert_eq!(suspected(&sensed, 11), BTreeSet::from(["bad-checksum"]));
    }
}

// Resets: a sensor that believes a forged one is blind from there on.

#[test]
fn a_reset_out_of_the_window_ends_nothing() {
    expect(3, &["reset-out-of-window"], |scene| {
        let at = scene.response(2);
        let mut reset = scene.tcp(at).bare(TcpFlags::RST);
        reset.seq = reset.seq.wrapping_add(0x3000_0000);
        scene.insert(at, &reset);
        all_seen(&sense(&scene.capture()));
    });
}

#[test]
fn a_connection_that_outlives_a_reset_is_read_on() {
    for initial in INITIAL {
        let mut scene = Scene::new(turns(6), initial);
        let at = scene.request(2);
        // In the window, so that this sensor cannot tell; not at the next number, so that its receiver asks back and
        // goes on (RFC 5961, 3.2).
        let mut reset = scene.tcp(at).bare(TcpFlags::RST);
        reset.seq = reset.seq.wrapping_add(400);
        scene.insert(at, &reset);
        let sensed = sense(&scene.capture());
        let pairs: Vec<u64> = sensed.certain().filter_map(|row| row.request).collect();
        assert!(pairs.ends_with(&[4, 5, 6]), "{initial:?}: {pairs:?}");
        let named = sensed.rows.iter().find(|row| suspicions(row).contains(&"reset-ignored"));
        assert!(
            named
                .is_some_and(|row| [row.request, row.response].iter().flatten().all(|n| (3..=4).contains(n)))
        );
    }
}

#[test]
fn a_reset_from_somebody_on_the_path_is_told_by_its_ttl() {
    for (ttl, wanted) in
        [(64, None), (61, None), (128, Some("reset-with-other-ttl")), (40, Some("reset-with-other-ttl"))]
    {
        let mut scene = Scene::new(turns(6), INITIAL[1]);
        let at = scene.response(2);
        let reset = Tcp { ttl, ..scene.tcp(at).bare(TcpFlags::RST) };
        scene.insert(at, &reset);
        scene.packets.truncate(at + 1);
        let sensed = sense(&scene.capture());
        assert_eq!(suspected(&sensed, 3), wanted.into_iter().collect(), "{ttl}");
    }
}

// Insertion: bytes that the sensor reads and the server does not.

#[test]
fn bytes_that_expire_before_the_server_are_told_by_their_ttl() {
    expect(3, &["overlap-conflict", "ttl-outlier"], |scene| {
        let at = scene.request(2);
        let forged = Tcp { ttl: 12, ..scene.tcp(at) };
        let mut harmless = forged;
        let start = harmless.payload.len() - 5;
        harmless.payload[start..].copy_from_slice(b"9999}");
        scene.insert(at, &harmless);
    });
    // The other way round, and in parts.
    expect(3, &["overlap-conflict", "ttl-outlier"], |scene| {
        let at = scene.request(2);
        let late = Tcp { ttl: 12, ..scene.tcp(at).part(30, 50).forged() };
        scene.insert(at + 1, &late);
    });
}

#[test]
fn several_paths_of_one_sender_are_no_evasion() {
    // Two paths of other lengths, two stacks behind one address, and a path that changes for good.
    for ttl in [
        |nth: usize| [60, 61, 62, 63][nth % 4],
        |nth| if nth % 2 == 0 { 64 } else { 128 },
        |nth| {
            if nth < 9 { 64 } else { 51 }
        },
    ] {
        untouched(|scene| {
            for nth in 0..scene.packets.len() {
                let tcp = Tcp { ttl: ttl(nth), ..scene.tcp(nth) };
                scene.replace(nth, &[tcp]);
            }
            // And an honest retransmission by another path.
            let at = scene.request(3);
            let again = Tcp { ttl: 200, ..scene.tcp(at) };
            scene.insert(at + 1, &again);
        });
    }
}

/// A request that the server is never given, behind the third answer; the server goes on for so long.
fn inserted(scene: &mut Scene, nanos: i64) {
    let at = scene.request(3);
    let mut junk = scene.tcp(at);
    junk.payload = b"GET /harmless?n=77 HTTP/1.1\r\nHost: shop\r\n\r\n".to_vec();
    let alive = Tcp { flags: 0, payload: Vec::new(), ..scene.tcp(scene.response(3)) };
    let alive = Tcp { ack: Some(junk.seq), ..alive };
    scene.insert(at, &junk);
    for nth in 1..=3 {
        scene.delay(at + nth, nanos / 3);
        scene.insert(at + nth, &alive);
    }
    scene.delay(at + 4, MILLISECOND);
}

#[test]
fn bytes_that_the_server_never_acknowledges_are_named() {
    for initial in INITIAL {
        let mut scene = Scene::new(turns(6), initial);
        inserted(&mut scene, 6 * SECOND);
        let sensed = sense(&scene.capture());
        assert!(suspected(&sensed, 77).contains("never-acknowledged"), "{initial:?}: {:?}", sensed.rows);
    }
    // A server that is only slow to acknowledge.
    let mut scene = Scene::new(turns(6), INITIAL[0]);
    inserted(&mut scene, SECOND);
    assert!(!suspected(&sense(&scene.capture()), 77).contains("never-acknowledged"));
}

#[test]
fn bytes_behind_the_end_of_their_stream_are_named() {
    for initial in INITIAL {
        let mut scene = Scene::new(turns(3), initial);
        let fin = scene.packets.len() - 3;
        let junk = Tcp {
            flags: 0,
            payload: b"GET /harmless?n=77 HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(),
            ..scene.tcp(fin)
        };
        scene.insert(fin, &junk);
        let sensed = sense(&scene.capture());
        assert_eq!(suspected(&sensed, 77), BTreeSet::from(["never-acknowledged"]), "{initial:?}");
    }
}

#[test]
fn a_receiver_that_is_slow_or_loses_bytes_is_no_evasion() {
    // Lost behind the tap: the sender sends again after a second, and the server acknowledges late.
    untouched(|scene| {
        let at = scene.request(3);
        let again = scene.tcp(at);
        let alive = Tcp { ack: Some(again.seq), ..scene.tcp(scene.response(3)).bare(0) };
        for _ in 0..3 {
            scene.insert(at + 1, &alive);
            scene.insert(at + 2, &again);
            scene.delay(at + 3, SECOND);
        }
    });
}

// Segments that ordinary hosts do not send.

#[test]
fn a_head_in_segments_of_a_few_bytes_is_named() {
    for (size, named) in [(1, true), (8, true), (9, false), (40, false)] {
        let mut scene = Scene::new(turns(6), INITIAL[1]);
        scene.shred(size);
        let sensed = sense(&scene.capture());
        all_seen(&sensed);
        for number in 1..=6 {
            assert_eq!(suspected(&sensed, number).contains("tiny-segments"), named, "{size}");
        }
    }
}

#[test]
fn payload_in_a_syn_is_named_and_read() {
    expect(1, &["data-in-syn"], |scene| {
        let at = scene.request(0);
        let payload = scene.tcp(at).payload;
        let syn = Tcp { payload, ..scene.tcp(0) };
        scene.replace(0, &[syn]);
        all_seen(&sense(&scene.capture()));
    });
}

#[test]
fn payload_out_of_the_window_is_named_and_not_read() {
    expect(3, &["data-out-of-window"], |scene| {
        let at = scene.request(2);
        let mut far = scene.tcp(at).forged();
        far.seq = far.seq.wrapping_add(0x2000_0000);
        scene.insert(at + 1, &far);
        all_seen(&sense(&scene.capture()));
    });
}

#[test]
fn a_forged_fin_blinds_nobody() {
    expect(4, &["data-after-fin"], |scene| {
        let at = scene.request(3);
        let fin = Tcp { ttl: 3, ..scene.tcp(at).bare(TcpFlags::FIN) };
        scene.insert(at, &fin);
        all_seen(&sense(&scene.capture()));
    });
    // In both names, acknowledged in both names: the connection is over for the sensor, until an answer proves that it
    // is not.
    for initial in INITIAL {
        let mut scene = Scene::new(turns(6), initial);
        let (at, answer) = (scene.request(3), scene.response(3));
        let client = scene.tcp(at).bare(TcpFlags::FIN);
        let server = scene.tcp(answer);
        let server = Tcp { ack: Some(client.seq.wrapping_add(1)), ..server.bare(TcpFlags::FIN) };
        let last =
            Tcp { seq: client.seq.wrapping_add(1), ack: Some(server.seq.wrapping_add(1)), ..client.bare(0) };
        for forged in [&last, &server, &client] {
            scene.insert(at, forged);
        }
        let sensed = sense(&scene.capture());
        let pairs: Vec<u64> = sensed.certain().filter_map(|row| row.request).collect();
        assert_eq!(pairs, [1, 2, 3, 5, 6], "{initial:?}");
        assert_eq!(suspected(&sensed, 4), BTreeSet::from(["data-after-fin"]), "{initial:?}");
    }
}

#[test]
fn a_keep_alive_probe_behind_a_fin_is_no_evasion() {
    untouched(|scene| {
        let end = scene.packets.len() - 2;
        let fin = scene.tcp(end - 1);
        let probe = Tcp { flags: 0, payload: vec![0], ..fin };
        scene.insert(end, &probe);
    });
}

#[test]
fn urgent_data_is_named() {
    expect(3, &["urgent-data"], |scene| {
        let at = scene.request(2);
        let urgent = Tcp { flags: TcpFlags::URG, ..scene.tcp(at) };
        scene.replace(at, &[urgent]);
        all_seen(&sense(&scene.capture()));
    });
}

// Floods of what a connection may have open.

#[test]
fn more_requests_than_are_kept_are_counted_and_named() {
    let script = Conversation { sending: Sending::Batch(400), ..Conversation::new(turns(400), 3) };
    let sensed = sense(&script.play());
    assert!(sensed.wrong().is_empty());
    let named = sensed.rows.iter().filter(|row| row.anomalies.contains(&Anomaly::TooManyOutstanding)).count();
    assert!(named > 0);
    assert_eq!(sensed.protocol.too_many_outstanding, named as u64);
    let requests: HashSet<u64> = sensed.rows.iter().filter_map(|row| row.request).collect();
    assert_eq!(requests.len(), 400, "every request is reported, with its answer or alone");
    let fewer = Conversation { sending: Sending::Batch(250), ..Conversation::new(turns(500), 3) };
    let sensed = sense(&fewer.play());
    assert_eq!((sensed.protocol.too_many_outstanding, sensed.certain().count()), (0, 500));
}

// What must not be suspected.

fn captures() -> Vec<(String, Capture)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures");
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the fixtures").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        for file in ["in.pcap", "in.pcap.gz"] {
            let path = entry.path().join(file);
            if path.exists() {
                found.push((name.clone(), Capture::read(&path).expect("a capture")));
            }
        }
    }
    assert!(found.len() > 20);
    found
}

/// Fixtures that were made with such a fault.
const SUSPECTED: &[(&str, &str)] = &[];

#[test]
fn nothing_is_suspected_of_the_fixtures() {
    let mut wrong = Vec::new();
    let mut judged = 0;
    for (name, capture) in captures() {
        for row in sense(&capture).rows {
            judged += 1;
            let odd = suspicions(&row).into_iter().filter(|odd| !SUSPECTED.contains(&(name.as_str(), odd)));
            wrong.extend(odd.map(|odd| format!("{name}: {odd}")));
        }
    }
    println!("{judged} exchanges of all fixtures judged, {} suspected", wrong.len());
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn nothing_is_suspected_of_faulty_mirrors() {
    let base = Conversation::new(shop_turns(200, 9), 9).play();
    let changed = [
        ("duplicates", mutate::duplicate(&base, 3, 1)),
        ("order", mutate::permute(&base, 3, 2)),
        ("delay", mutate::delay_side(&base, Side::Upper, MILLISECOND)),
        ("loss", mutate::lossy(&base, 0.05, 3)),
        ("bursts", mutate::bursty(&base, 0.05, 5, 4)),
        ("large segments", mutate::resegment(&base, 60_000, 65_000, 5)),
        ("no pure acknowledgements", mutate::without_pure_acks(&base)),
        ("one direction", mutate::one_side(&base, Side::Lower)),
        ("cut", mutate::snap(&base, 100)),
        ("slow", mutate::scale_time(&base, 10, 1)),
    ];
    for (name, capture) in changed {
        let odd: BTreeSet<&str> = sense(&capture).rows.iter().flat_map(suspicions).collect();
        assert_eq!(odd, BTreeSet::new(), "{name}");
    }
}
