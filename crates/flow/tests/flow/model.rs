//! Random conversations through a random capture, against the truth.

use crate::common::{CLIENT, Heard, SERVER, Tap, Tcp, client, offset, server};
use proptest::prelude::*;
use std::collections::BTreeMap;
use tapwire_flow::{Config, StreamOffset};
use tapwire_wire::{SeqNumber, Side};

/// A small generator, so that one number names a whole capture.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit.max(1)
    }

    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Capture {
    pub(crate) seed: u64,
    pub(crate) isns: [u32; 2],
    pub(crate) segments: u64,
    pub(crate) handshake: bool,
    pub(crate) shuffle: u64,
    pub(crate) duplicates: u64,
    pub(crate) resegmented: u64,
    pub(crate) drops: u64,
    pub(crate) fins: bool,
}

/// A sequence number, often close to the wrap.
fn isn() -> impl Strategy<Value = u32> {
    prop_oneof![any::<u32>(), (0..6_000_u32).prop_map(|before| 0_u32.wrapping_sub(before))]
}

prop_compose! {
    pub(crate) fn capture(shuffle: u64, drops: u64)(
        seed in any::<u64>(),
        isns in [isn(), isn()],
        segments in 1..60_u64,
        handshake in any::<bool>(),
        shuffle in 0..=shuffle,
        duplicates in 0..30_u64,
        resegmented in 0..20_u64,
        drops in 0..=drops,
        fins in any::<bool>(),
    ) -> Capture {
        Capture { seed, isns, segments, handshake, shuffle, duplicates, resegmented, drops, fins }
    }
}

/// The byte `at` positions after the first of a direction.
fn truth(side: Side, at: u32) -> u8 {
    let mixed = at.wrapping_mul(2_654_435_761) ^ if side == CLIENT { 0x55 } else { 0 };
    mixed.to_be_bytes()[0]
}

fn bytes(side: Side, from: u32, len: u32) -> Vec<u8> {
    (from..from + len).map(|at| truth(side, at)).collect()
}

impl Capture {
    pub(crate) fn first(&self, side: Side) -> u32 {
        self.isns[usize::from(side == SERVER)].wrapping_add(1)
    }

    fn tcp(&self, side: Side, at: u32) -> Tcp {
        let seq = self.first(side).wrapping_add(at);
        if side == CLIENT { client(seq) } else { server(seq) }
    }

    /// The packets as they pass, and how many bytes each side sent.
    pub(crate) fn sent(&self, random: &mut Random) -> (Vec<Tcp>, [u32; 2]) {
        let mut packets = Vec::new();
        if self.handshake {
            packets.push(self.tcp(CLIENT, 0).syn());
            packets.push(self.tcp(SERVER, 0).syn().ack(self.first(CLIENT)));
            packets.iter_mut().for_each(|syn| syn.seq = syn.seq.wrapping_sub(1));
            packets.push(self.tcp(CLIENT, 0).ack(self.first(SERVER)));
        }
        let mut sent = [0_u32; 2];
        for _ in 0..self.segments {
            let side = if random.chance(50) { CLIENT } else { SERVER };
            let (own, other) = (usize::from(side == SERVER), usize::from(side == CLIENT));
            let ack = self.first(side.peer()).wrapping_add(sent[other]);
            let (at, len) = match random.below(10) {
                0 => (sent[own], 0),
                _ if random.below(100) < self.resegmented && sent[own] > 0 => {
                    let at = u32::try_from(random.below(u64::from(sent[own]))).unwrap();
                    (at, 1 + u32::try_from(random.below(300)).unwrap())
                }
                _ => (sent[own], 1 + u32::try_from(random.below(120)).unwrap()),
            };
            sent[own] = sent[own].max(at + len);
            packets.push(self.tcp(side, at).ack(ack).data(&bytes(side, at, len)));
        }
        if self.fins {
            let [from_client, from_server] = sent;
            let (client_end, server_end) = (self.first(CLIENT), self.first(SERVER));
            let (client_end, server_end) =
                (client_end.wrapping_add(from_client), server_end.wrapping_add(from_server));
            packets.push(client(client_end).ack(server_end).fin());
            packets.push(server(server_end).ack(client_end.wrapping_add(1)).fin());
            packets.push(client(client_end.wrapping_add(1)).ack(server_end.wrapping_add(1)));
        }
        (packets, sent)
    }

    /// What a capture makes of them.
    pub(crate) fn seen(&self, sent: Vec<Tcp>, random: &mut Random) -> Vec<Tcp> {
        let mut seen: Vec<(u64, Tcp)> = Vec::new();
        for (nth, packet) in (0..).zip(sent) {
            for _ in 0..1 + u64::from(random.chance(self.duplicates)) {
                if !random.chance(self.drops) {
                    seen.push((nth + random.below(self.shuffle + 1), packet.clone()));
                }
            }
        }
        seen.sort_by_key(|(at, _)| *at);
        seen.into_iter().map(|(_, packet)| packet).collect()
    }
}

/// Checks what holds for every capture, and gives the bytes delivered and the bytes lost of each side.
pub(crate) fn check(capture: &Capture, packets: &[Tcp], heard: &[(u64, Heard)]) -> [(u64, u64); 2] {
    let mut totals = [(0, 0); 2];
    let mut next: BTreeMap<(u64, bool), StreamOffset> = BTreeMap::new();
    for (flow, event) in heard {
        let (side, at, len) = match event {
            Heard::Data { side, at, bytes, .. } => (*side, *at, bytes.len() as u64),
            Heard::Gap { side, at, len, .. } => (*side, *at, *len),
            Heard::Evidence(..) => panic!("no bytes differ: {event:?}"),
            Heard::Fin(_) | Heard::Close(_) => continue,
        };
        assert!(len > 0);
        if let Some(expected) = next.insert((*flow, side == SERVER), at + len) {
            assert_eq!(expected, at, "chunks and gaps tile the stream");
        }
        let total = &mut totals[usize::from(side == SERVER)];
        let Heard::Data { bytes, peer_at, frame, .. } = event else {
            total.1 += len;
            continue;
        };
        total.0 += len;
        let from = at.seq().0.wrapping_sub(capture.first(side));
        assert!(bytes.iter().zip(from..).all(|(byte, at)| *byte == truth(side, at)), "{event:?}");
        let packet = &packets[usize::try_from(*frame).unwrap() - 1];
        let skip = at.seq().distance(SeqNumber(packet.seq));
        assert!(skip >= 0 && skip as usize + bytes.len() <= packet.payload.len(), "the frame carried them");
        assert_eq!(peer_at.map(|at| at.seq().0), packet.ack);
    }
    totals
}

/// A capture that was run through a table.
struct Run {
    /// Bytes delivered and bytes lost, for each side.
    totals: [(u64, u64); 2],
    /// Bytes sent.
    lengths: [u32; 2],
    tap: Tap,
    packets: Vec<Tcp>,
}

fn run(capture: &Capture, config: Config) -> Run {
    let mut random = Random(capture.seed);
    let (sent, lengths) = capture.sent(&mut random);
    let packets = capture.seen(sent, &mut random);
    let mut tap = Tap::new(config);
    for packet in &packets {
        tap.send(packet);
    }
    tap.finish();
    let totals = check(capture, &packets, &tap.heard.events);
    Run { totals, lengths, tap, packets }
}

/// How many different bytes of a side were captured.
fn captured(capture: &Capture, packets: &[Tcp], side: Side) -> u64 {
    let own = packets.iter().filter(|packet| packet.from == side);
    let ranges = own.map(|packet| (packet.seq.wrapping_sub(capture.first(side)), packet.payload.len()));
    let positions: std::collections::BTreeSet<u32> =
        ranges.flat_map(|(at, len)| at..at + u32::try_from(len).unwrap()).collect();
    positions.len() as u64
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn without_loss_every_byte_is_delivered(capture in capture(0, 0)) {
        let Run { totals, lengths, .. } = run(&capture, Config::default());
        for ((delivered, lost), length) in totals.into_iter().zip(lengths) {
            prop_assert_eq!((delivered, lost), (u64::from(length), 0));
        }
    }

    #[test]
    fn reordering_within_a_small_window_loses_nothing(mut capture in capture(3, 0)) {
        capture.handshake = true;
        let Run { totals, lengths, tap, .. } = run(&capture, Config::default());
        for ((delivered, lost), length) in totals.into_iter().zip(lengths) {
            prop_assert_eq!((delivered, lost), (u64::from(length), 0));
        }
        let counters = tap.table.counters();
        prop_assert_eq!((counters.flows_opened, counters.closed_fin), (1, u64::from(capture.fins)));
        let fins = tap.heard.events.iter().filter(|(_, heard)| matches!(heard, Heard::Fin(_))).count();
        prop_assert_eq!(fins, if capture.fins { 2 } else { 0 });
    }

    #[test]
    fn with_loss_only_what_was_not_captured_is_lost(mut capture in capture(0, 30)) {
        // Without retransmissions: bytes that come again after their hole was given up are not delivered.
        (capture.duplicates, capture.resegmented) = (0, 0);
        let Run { totals, packets, .. } = run(&capture, Config::default());
        for ((delivered, _), side) in totals.into_iter().zip([CLIENT, SERVER]) {
            prop_assert_eq!(delivered, captured(&capture, &packets, side));
        }
    }

    #[test]
    fn under_any_capture_the_output_tiles_the_truth(capture in capture(40, 40)) {
        let small = Config { out_of_order_per_direction: 2_000, out_of_order_memory: 3_000, ..Config::default() };
        run(&capture, Config::default());
        run(&capture, small);
        run(&capture, Config { gap_after_ms: Some(5), ..Config::default() });
    }

    #[test]
    fn the_hash_seed_changes_nothing(capture in capture(10, 10), seed in any::<u64>()) {
        let Run { tap: one, .. } = run(&capture, Config::default());
        let Run { tap: other, .. } = run(&capture, Config { hash_seed: seed, ..Config::default() });
        prop_assert_eq!(one.heard.events, other.heard.events);
        prop_assert_eq!(one.table.counters(), other.table.counters());
    }

    #[test]
    fn any_segments_at_all_keep_the_laws(
        noise in prop::collection::vec((any::<bool>(), 0..3_000_u32, prop::option::of(0..3_000_u32), any::<u8>(),
            0..40_usize, 0..3_u32, 0..400_i64), 1..80),
        memory in 2_000..60_000_usize,
    ) {
        let mut tap = Tap::new(Config { memory, gap_after_ms: Some(200), ..Config::default() });
        for (from_client, seq, ack, flags, len, host, pause) in noise {
            let packet = if from_client { client(seq) } else { server(seq) };
            let payload = vec![flags; len];
            tap.now += pause * 1_000_000;
            tap.send(&Tcp { client: host, ack, flags: flags & 0x07, payload, cut: len / 7, ..packet });
        }
        tap.finish();
        laws(&tap.heard.events);
    }
}

/// Chunks and gaps tile each direction, nothing follows a close, and every flow heard of is closed once.
pub(crate) fn laws(heard: &[(u64, Heard)]) {
    let mut next: BTreeMap<(u64, bool), StreamOffset> = BTreeMap::new();
    let mut closed = std::collections::BTreeSet::new();
    for (flow, event) in heard {
        assert!(!closed.contains(flow), "{event:?} after the close");
        let (side, at, len) = match event {
            Heard::Data { side, at, bytes, .. } => (*side, *at, bytes.len() as u64),
            Heard::Gap { side, at, len, .. } => (*side, *at, *len),
            Heard::Close(_) => {
                closed.insert(*flow);
                continue;
            }
            Heard::Fin(_) | Heard::Evidence(..) => continue,
        };
        if let Some(expected) = next.insert((*flow, side == SERVER), at + len) {
            assert_eq!(expected, at);
        }
    }
    assert!(heard.iter().all(|(flow, _)| closed.contains(flow)));
}

#[test]
fn the_sequence_may_wrap_at_every_offset() {
    for before in 0..400 {
        let capture = Capture {
            seed: 7,
            isns: [0_u32.wrapping_sub(before), 0_u32.wrapping_sub(400 - before)],
            segments: 20,
            handshake: before % 2 == 0,
            shuffle: 0,
            duplicates: 20,
            resegmented: 20,
            drops: 0,
            fins: before % 3 == 0,
        };
        let Run { totals, lengths, .. } = run(&capture, Config::default());
        for ((delivered, lost), length) in totals.into_iter().zip(lengths) {
            assert_eq!((delivered, lost), (u64::from(length), 0));
        }
    }
}

#[test]
fn a_stream_longer_than_4_gib_keeps_its_offsets() {
    let mut tap = Tap::connected();
    let (step, mut seq) = (8 << 20, 101_u32);
    for nth in 1..=1_100_u64 {
        seq = seq.wrapping_add(step);
        tap.send(&server(501).ack(seq));
        for later in 0..3 {
            tap.send(&client(seq.wrapping_add(later)).ack(501).data(b"x"));
        }
        let heard = tap.take_data();
        let at = offset(101) + u64::from(step) * nth;
        assert_eq!(heard.iter().map(|(_, at, _)| *at).collect::<Vec<_>>(), [at, at + 1, at + 2]);
    }
}
