//! Properties of decryption: with the keys, a connection over TLS says what the same bytes say in clear; changed as mirrors
//! and networks change it, it says the same or less, and never anything else.

use tapwire_testkit::mutate;
use tapwire_testkit::{
    Capture, Conversation, Facts, Sending, Sensed, TlsSetup, TlsTurns, Turn, sense, sense_keyed, shop_turns,
};

const SUITES: [(bool, u16); 9] = [
    (true, 0x1301),
    (true, 0x1302),
    (true, 0x1303),
    (false, 0xc02b),
    (false, 0xc02c),
    (false, 0xcca9),
    (true, 0x1301),
    (true, 0x1302),
    (true, 0x1303),
];

/// A conversation in clear and the same over TLS.
struct Pair {
    name: String,
    clear: Vec<Facts>,
    capture: Capture,
    keys: Vec<u8>,
}

impl Pair {
    fn new(name: String, turns: &[Turn], sending: Sending, setup: &TlsSetup, seed: u64) -> Self {
        let plain = Conversation { sending, ..Conversation::new(turns.to_vec(), seed) }.play();
        let TlsTurns { turns, keys, .. } = setup.wrap(turns);
        let capture = Conversation { sending: Sending::AfterAnswer, ..Conversation::new(turns, seed) }.play();
        Self { name, clear: sense(&plain).facts(), capture, keys }
    }

    fn keyed(&self, capture: &Capture) -> Sensed {
        sense_keyed(capture, &[(0, &self.keys)])
    }

    /// Checks that a changed capture says the same as the clear one.
    fn same(&self, change: &str, capture: &Capture) {
        let sensed = self.keyed(capture);
        assert!(sensed.wrong().is_empty(), "{}: {change}", self.name);
        let facts = sensed.facts();
        if facts != self.clear {
            let missing: Vec<&Facts> =
                self.clear.iter().filter(|fact| !facts.contains(fact)).take(3).collect();
            let extra: Vec<&Facts> = facts.iter().filter(|fact| !self.clear.contains(fact)).take(3).collect();
            panic!("{}: {change}: missing {missing:?} extra {extra:?} {:?}", self.name, sensed.tls);
        }
    }

    /// Checks that a lossy capture says nothing that the clear one does not; gives how many exchanges it has whole.
    fn less(&self, change: &str, capture: &Capture) -> usize {
        let sensed = self.keyed(capture);
        assert!(sensed.wrong().is_empty(), "{}: {change}: {:?}", self.name, sensed.wrong());
        for row in sensed.certain() {
            let known = self.clear.iter().any(|fact| fact.1 == row.target && fact.3 == row.request);
            assert!(known, "{}: {change}: {row:?}", self.name);
        }
        sensed.certain().count()
    }
}

fn pairs() -> Vec<Pair> {
    let of = |(place, (version_13, suite)): (usize, &(bool, u16))| {
        let setup = TlsSetup {
            version_13: *version_13,
            suite: Some(*suite),
            fragment: (place % 3 == 1).then_some(700),
            update_after: (place >= 6).then_some(7),
            ..TlsSetup::default()
        };
        let name = format!("{suite:04x} {place}");
        Pair::new(name, &shop_turns(25, place as u64), Sending::AfterAnswer, &setup, place as u64)
    };
    SUITES.iter().enumerate().map(of).collect()
}

#[test]
fn with_keys_a_connection_says_what_it_says_in_clear() {
    for pair in pairs() {
        pair.same("as it is", &pair.capture);
        let sensed = pair.keyed(&pair.capture);
        assert_eq!(sensed.tls.records, sensed.tls.opened, "{}: {:?}", pair.name, sensed.tls);
        assert_eq!((sensed.tls.connections, sensed.tls.decrypted), (1, 1));
    }
}

#[test]
fn other_segments_duplicates_and_order_change_nothing() {
    for pair in pairs() {
        for (smallest, largest) in [(1, 1), (1, 7), (100, 400), (2_000, 20_000)] {
            pair.same("segments", &mutate::resegment(&pair.capture, smallest, largest, 5));
        }
        pair.same("duplicates", &mutate::duplicate(&pair.capture, 3, 6));
        pair.same("order", &mutate::permute(&pair.capture, 4, 7));
        pair.same("no acknowledgements", &mutate::without_pure_acks(&pair.capture));
        pair.same("no SYN", &mutate::without_syn(&pair.capture));
        pair.same("no FIN", &mutate::without_fin(&pair.capture));
        for offset in [1, 3, 300, 4_000] {
            pair.same("wrap", &mutate::wrap_at(&pair.capture, offset));
        }
    }
}

#[test]
fn a_lost_packet_costs_no_more_than_its_records() {
    for pair in pairs() {
        let (mut whole, mut checked) = (0, 0);
        for lost in 0..pair.capture.packets.len() {
            let found = pair.less(&format!("without {lost}"), &mutate::without(&pair.capture, lost));
            (whole, checked) = (whole + found, checked + pair.clear.len());
        }
        println!("{}: {whole} of {checked}", pair.name);
        assert!(whole * 100 >= checked * 93, "{}: {whole} of {checked}", pair.name);
    }
}

#[test]
fn random_loss_never_gives_a_wrong_exchange() {
    for pair in pairs() {
        for seed in 0..40 {
            let lossy =
                mutate::lossy(&pair.capture, [0.005, 0.02, 0.1][usize::try_from(seed % 3).unwrap()], seed);
            pair.less(&format!("loss {seed}"), &lossy);
            pair.less(&format!("bursts {seed}"), &mutate::bursty(&pair.capture, 0.05, 5, seed));
        }
    }
}

/// Records of 16 KiB lie in a dozen packets, and some packets hold the end of one and the beginning of another. With the
/// length of what is missing known to the byte, a body of stated length ends where it ends.
#[test]
fn a_hole_in_a_long_body_is_as_long_as_what_it_held() {
    let body = vec![b'b'; 120_000];
    let turn = |number: u64| Turn {
        request: format!("GET /long/{number} HTTP/1.1\r\nHost: shop.test\r\nX-Exchange: {number}\r\n\r\n")
            .into_bytes(),
        response: [
            format!("HTTP/1.1 200 OK\r\nX-Exchange: {number}\r\nContent-Length: {}\r\n\r\n", body.len())
                .as_bytes(),
            &body,
        ]
        .concat(),
    };
    for (version_13, suite) in [(true, 0x1301), (false, 0xc02b), (false, 0xcca9)] {
        let setup = TlsSetup { version_13, suite: Some(suite), ..TlsSetup::default() };
        let turns: Vec<Turn> = (1..=3).map(turn).collect();
        let pair = Pair::new(format!("long {suite:04x}"), &turns, Sending::AfterAnswer, &setup, 3);
        let packets = pair.capture.packets.len();
        let same = |lost: &usize| pair.keyed(&mutate::without(&pair.capture, *lost)).facts() == pair.clear;
        let exact = (0..packets).filter(same).count();
        println!("{}: {exact} of {packets}", pair.name);
        // All but those of the handshake, of requests, and of records with a head in them.
        assert!(exact + 48 >= packets, "{}: {exact} of {packets}", pair.name);
    }
}

#[test]
fn keys_may_be_late() {
    for pair in pairs() {
        for at in [1, 6, 10] {
            let sensed = sense_keyed(&pair.capture, &[(at, &pair.keys)]);
            assert_eq!(sensed.facts(), pair.clear, "{}: keys at {at}: {:?}", pair.name, sensed.tls);
        }
    }
}

#[test]
fn without_keys_nothing_is_said_and_turns_are_estimated() {
    for pair in pairs() {
        let sensed = sense(&pair.capture);
        assert!(sensed.rows.is_empty());
        let service = &sensed.services.by_name["shop.test"];
        assert_eq!((service.connections, service.decrypted), (1, 0));
        assert_eq!(service.estimate.exchanges, 25, "{}", pair.name);
        // Keys of somebody else.
        let other = String::from_utf8(pair.keys.clone()).unwrap();
        let change = |line: &str| {
            let (rest, last) = line.split_at(line.len() - 1);
            format!("{rest}{}\n", if last == "0" { 1 } else { 0 })
        };
        let other: String = other.lines().map(change).collect();
        let sensed = sense_keyed(&pair.capture, &[(0, other.as_bytes())]);
        assert!(sensed.rows.is_empty());
        assert_eq!(sensed.tls.wrong_keys, 1, "{}: {:?}", pair.name, sensed.tls);
        let counters = sense_keyed(&pair.capture, &[(usize::MAX, b"")]).tls;
        assert_eq!((counters.no_keys, counters.opened), (1, 0), "{}", pair.name);
    }
}

fn fixture(name: &str, file: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures").join(name).join(file)
}

/// Captures of real software with their keys, each with the exchanges that its `why.md` states, and those that are
/// estimated without keys.
const RECORDED: &[(&str, &str, u64, u64)] = &[
    ("equal-tls13", "keys.log", 16, 16),
    ("tls-go", "keys.log", 14, 16),
    ("tls-java", "keys.log", 15, 15),
    ("tls-nginx", "keys.log", 5, 5),
    ("tls-node", "keys.log", 8, 8),
    ("tls-resumption", "keys.log", 18, 18),
    ("tls10", "keys.log", 16, 16),
    ("tls12-cbc", "keys.log", 64, 64),
    ("tls12", "keys.log", 24, 24),
    ("tls13-keyupdate", "keys.log", 8, 8),
    ("tls13-retry", "keys.log", 8, 8),
    ("tls13", "keys.log", 24, 24),
    ("tls13-early-data", "keys.log", 3, 3),
    ("tls-rsa", "server.key", 40, 40),
];

#[test]
fn what_real_software_said_is_decrypted() {
    for (name, keys, exchanges, estimated) in RECORDED {
        let capture = Capture::read(&fixture(name, "in.pcap")).unwrap();
        let keys = std::fs::read(fixture(name, keys)).unwrap();
        let sensed = sense_keyed(&capture, &[(0, &keys)]);
        let tls = sensed.tls;
        println!("{name}: {} rows {tls:?}", sensed.rows.len());
        let certain = sensed.certain().count() as u64;
        assert_eq!((sensed.rows.len() as u64, certain), (*exchanges, *exchanges), "{name}: {tls:?}");
        assert_eq!((tls.connections, tls.blind), (tls.decrypted, 0), "{name}");
        assert_eq!(tls.opened, tls.records, "{name}: {tls:?}");
        let blind = sense(&capture);
        let guess: u64 = blind.services.by_name.values().map(|service| service.estimate.exchanges).sum();
        println!("{name}: estimated {guess}");
        assert_eq!(guess, *estimated, "{name}: estimated");
    }
}

/// A record of which bytes are missing may have been a KeyUpdate, which is no content.
#[test]
fn a_cut_packet_never_makes_strangers_a_pair() {
    for name in ["tls13-keyupdate", "tls13-early-data", "tls13-early-refused", "tls12-cbc", "tls10"] {
        let capture = Capture::read(&fixture(name, "in.pcap")).unwrap();
        let keys = std::fs::read(fixture(name, "keys.log")).unwrap();
        for place in 0..capture.packets.len() {
            for length in [0, 55, 59, 63, 70, 200] {
                let mut cut = capture.clone();
                cut.packets[place].bytes.truncate(length);
                let sensed = sense_keyed(&cut, &[(0, &keys)]);
                assert!(sensed.wrong().is_empty(), "{name}: {place} cut to {length}: {:?}", sensed.wrong());
            }
        }
    }
}

/// A lost request and the change of keys behind it leave the next request its own answer.
#[test]
fn two_lost_packets_never_make_strangers_a_pair() {
    for name in ["tls13-keyupdate", "tls13", "tls12"] {
        let capture = Capture::read(&fixture(name, "in.pcap")).unwrap();
        let keys = std::fs::read(fixture(name, "keys.log")).unwrap();
        let all = capture.packets.len();
        for first in 0..all {
            for second in first + 1..all.min(first + 9) {
                let mut lossy = capture.clone();
                lossy.packets.remove(second);
                lossy.packets.remove(first);
                let sensed = sense_keyed(&lossy, &[(0, &keys)]);
                assert!(
                    sensed.wrong().is_empty(),
                    "{name}: without {first} and {second}: {:?}",
                    sensed.wrong()
                );
            }
        }
    }
}

/// Of curl, nghttp, Node's client and h2load, one at a time and several at once, at nginx, a Go server and a Node server.
#[test]
fn over_http_2_exchanges_are_estimated_within_ten_percent() {
    for name in ["h2-tls", "h2-load", "h2-servers"] {
        let capture = Capture::read(&fixture(name, "in.pcap")).unwrap();
        let sensed = sense_keyed(&capture, &[(0, &std::fs::read(fixture(name, "keys.log")).unwrap())]);
        let exchanges = sensed.rows.len() as u64;
        let services = sense(&capture).services.by_name;
        let guess: u64 = services.values().map(|service| service.estimate.exchanges).sum();
        println!("{name}: {exchanges} exchanges, estimated {guess}");
        assert!(guess.abs_diff(exchanges) * 10 <= exchanges, "{name}: {guess} for {exchanges}");
        assert_eq!(sensed.tls.opened, sensed.tls.records);
    }
}

#[test]
fn quic_shows_who_was_asked_for_what() {
    let capture = Capture::read(&fixture("quic", "in.pcap")).unwrap();
    let services = sense(&capture).services;
    println!("{services:?}");
    assert!(services.quic > 0);
    let quic = |version: &str| services.by_name.values().any(|service| service.versions.contains(version));
    assert!(quic("QUIC 1"));
    assert!(services.by_name.values().any(|service| service.alpn.contains("h3")));
}
