//! Property 19: however HTTP/2 is written, cut and lost, no header is ever wrong; what is not known is unknown.

use std::collections::BTreeMap;
use tapwire_flow::{Chunk, CloseReason, FlowInfo, Gap, StreamEvent, StreamOffset, StreamSink};
use tapwire_protocol::{Config, Connection, Exchange, Head, Message, Protocols, Range, Seen};
use tapwire_testkit::http2::{Fields, Frame, Meant, Script, Style};
use tapwire_testkit::{Exchanges, Random};
use tapwire_wire::{Endpoint, FlowKey, Overlay, SeqNumber, Side, SourceId, Timestamp};

/// Bytes that one side sent at once, and whether they were captured.
struct Segment {
    to_server: bool,
    bytes: Vec<u8>,
    lost: bool,
}

/// Plays a connection, and holds that every byte is counted.
fn read(segments: &[Segment], handshake: bool) -> Vec<Exchange> {
    let (client, server) = (Endpoint::v4([192, 0, 2, 1], 40_000), Endpoint::v4([192, 0, 2, 2], 80));
    let flow = FlowInfo {
        id: 1,
        key: FlowKey::new(client, server).0,
        initiator: handshake.then_some(Side::Lower),
        opened: Timestamp::default(),
        source: SourceId(0),
        vlan: None,
        overlay: Overlay::default(),
    };
    let mut protocols = Protocols::new(Config::default(), Exchanges::default());
    let mut state = Connection::default();
    let mut next = [100, 900].map(|seq| StreamOffset::first(SeqNumber(seq)));
    for (segment, number) in segments.iter().zip(1..) {
        let (from, len) = (usize::from(!segment.to_server), segment.bytes.len() as u64);
        let side = if segment.to_server { Side::Lower } else { Side::Upper };
        let (at, time) = (next[from], Timestamp::from_parts(number, 0));
        let event = if segment.lost {
            StreamEvent::Gap(Gap { side, at, len, acknowledged: len, acked_at: None, time })
        } else {
            let (peer_at, frame) = (Some(next[1 - from]), number.cast_unsigned());
            StreamEvent::Data(Chunk {
                side,
                at,
                bytes: &segment.bytes,
                peer_at,
                time,
                frame,
                source: SourceId(0),
            })
        };
        protocols.event(&flow, &mut state, event);
        next[from] = at + len;
    }
    protocols.event(&flow, &mut state, StreamEvent::Close(CloseReason::End));
    assert_eq!(protocols.held(), 0, "what the connection held was counted up and down alike");
    let c = *protocols.counters();
    let fates =
        c.head_bytes + c.body_bytes + c.framing_bytes + c.tunnel_bytes + c.lost_bytes + c.opaque_bytes;
    assert_eq!(c.bytes_in, fates, "{c:?}");
    protocols.into_sink().0
}

/// A segment a frame; empty ones are none.
fn by_frame(script: &Script, lost: impl Fn(usize, &Frame) -> bool) -> Vec<Segment> {
    let frames = script.turns.iter().flatten().enumerate();
    frames
        .map(|(nth, frame)| Segment {
            to_server: frame.to_server,
            bytes: frame.bytes.clone(),
            lost: lost(nth, frame),
        })
        .collect()
}

/// What was known and unknown of the fields of some exchanges.
#[derive(Debug, Default)]
struct Tally {
    pairs: u64,
    known: u64,
    unknown: u64,
}

impl Tally {
    /// Holds every known field of every exchange to what was meant.
    fn check(&mut self, what: &str, meant: &[Meant], exchanges: &[Exchange]) {
        let by_stream: BTreeMap<u32, &Meant> = meant.iter().map(|meant| (meant.stream, meant)).collect();
        let mut seen = std::collections::BTreeSet::new();
        for exchange in exchanges {
            let stream = exchange.stream.expect("an exchange of HTTP/2");
            let meant = by_stream.get(&stream).unwrap_or_else(|| panic!("{what}: no stream {stream}"));
            assert!(seen.insert(stream), "{what}: stream {stream} came twice");
            self.pairs += u64::from(exchange.request.is_some() && exchange.response.is_some());
            if let Some(request) = &exchange.request {
                self.message(what, request, &meant.request, &meant.upload);
            }
            if let Some(response) = &exchange.response {
                let fields = [meant.response.as_slice(), &meant.trailers].concat();
                self.message(what, response, &fields, &meant.body);
            }
        }
    }

    fn message(&mut self, what: &str, message: &Message, meant: &Fields, body: &[u8]) {
        let head = &message.head;
        let has = |name: &str, value: &[u8]| meant.iter().any(|(n, v)| n == name && v.as_bytes() == value);
        for (name, range) in [(":method", head.method), (":path", head.target)] {
            let value = range.map(|range| head.slice(range).bytes());
            assert!(value.is_none_or(|value| has(name, value)), "{what}: wrong {name}");
        }
        let status = head.status.map(|status| status.to_string());
        assert!(status.is_none_or(|status| has(":status", status.as_bytes())), "{what}: wrong status");
        for field in &head.fields {
            let name = field.name.map(|range| text(head, range));
            let value = field.value.map(|range| text(head, range));
            match (name.as_deref(), value) {
                (Some("host"), Some(value)) => {
                    assert!(has(":authority", value.as_bytes()), "{what}: wrong host")
                }
                (Some(name), Some(value)) => {
                    assert!(has(name, value.as_bytes()), "{what}: wrong {name}: {value}");
                    self.known += 1;
                }
                _ => self.unknown += 1,
            }
        }
        assert!(body.starts_with(&message.body.bytes), "{what}: wrong body");
        if message.seen == Seen::Complete {
            assert_eq!(message.body.len, body.len() as u64, "{what}: a body that is not complete");
        }
    }
}

fn text(head: &Head, range: Range) -> String {
    String::from_utf8_lossy(head.slice(range).bytes()).into_owned()
}

fn scripts(count: u64) -> impl Iterator<Item = (String, Script)> {
    let mut random = Random::new(19);
    (0..count).map(move |seed| {
        let style = Style::any(&mut random);
        (format!("{style:?} seed {seed}"), Script::new(24, style, seed))
    })
}

#[test]
fn property_19_every_way_of_writing_says_the_same() {
    let mut tally = Tally::default();
    for (name, script) in scripts(60) {
        tally.check(&name, &script.meant, &read(&by_frame(&script, |_, _| false), true));
    }
    println!("{tally:?}");
    assert_eq!((tally.pairs, tally.unknown), (60 * 24, 0));
}

#[test]
fn property_19_losing_any_frame_makes_no_header_wrong() {
    let (mut tally, mut possible) = (Tally::default(), 0);
    for (name, script) in scripts(20) {
        let frames = script.turns.iter().map(Vec::len).sum();
        for lost in 0..frames {
            let exchanges = read(&by_frame(&script, |nth, _| nth == lost), true);
            tally.check(&format!("{name} without frame {lost}"), &script.meant, &exchanges);
            possible += 24;
        }
    }
    println!("each frame lost: {tally:?} of {possible} exchanges");
    assert!(tally.pairs * 100 >= possible * 95, "{} of {possible}", tally.pairs);
}

#[test]
fn property_19_random_loss_makes_no_header_wrong() {
    for loss in [0.01, 0.05, 0.2] {
        let mut tally = Tally::default();
        for (name, script) in scripts(100) {
            let mut random = Random::new(77);
            let frames = script.turns.iter().flatten().map(|_| random.chance(loss)).collect::<Vec<_>>();
            let exchanges = read(&by_frame(&script, |nth, _| frames[nth]), true);
            tally.check(&format!("{name} loss {loss}"), &script.meant, &exchanges);
        }
        println!("{} % of frames lost: {tally:?} of {} exchanges", loss * 100.0, 100 * 24);
    }
}

#[test]
fn property_19_segments_that_are_cut_anywhere_and_lost_make_no_header_wrong() {
    for (loss, handshake) in [(0.0, true), (0.02, true), (0.1, true), (0.02, false)] {
        let mut tally = Tally::default();
        for (name, script) in scripts(100) {
            let mut random = Random::new(78);
            let mut segments = Vec::new();
            for turn in script.turns() {
                for (to_server, bytes) in [(true, turn.request), (false, turn.response)] {
                    let mut rest = bytes.as_slice();
                    while !rest.is_empty() {
                        let size = *random.pick(&[5, 90, 600, 1_460, 1_460]);
                        let (now, later) = rest.split_at(size.min(rest.len()));
                        segments.push(Segment { to_server, bytes: now.to_vec(), lost: random.chance(loss) });
                        rest = later;
                    }
                }
            }
            tally.check(&format!("{name} loss {loss}"), &script.meant, &read(&segments, handshake));
        }
        println!("{} % of segments lost, handshake {handshake}: {tally:?} of {}", loss * 100.0, 100 * 24);
        assert!(loss > 0.0 || tally.pairs == 100 * 24);
    }
}

#[test]
fn property_19_joining_at_any_frame_makes_no_header_wrong() {
    let mut tally = Tally::default();
    for (name, script) in scripts(20) {
        let frames = script.turns.iter().map(Vec::len).sum();
        for first in 1..frames {
            let mut segments = by_frame(&script, |_, _| false);
            segments.drain(..first);
            tally.check(&format!("{name} from frame {first}"), &script.meant, &read(&segments, false));
        }
    }
    println!("joined at each frame: {tally:?}");
    assert!(tally.pairs > 0 && tally.unknown > 0);
}

/// What is known of the fields of a message: names and values, with what HTTP/2 has in front of them.
fn known(message: &Message) -> BTreeMap<String, std::collections::BTreeSet<String>> {
    let head = &message.head;
    let own = [(":method", head.method), (":path", head.target)];
    let own = own.into_iter().filter_map(|(name, range)| Some((name.to_owned(), text(head, range?))));
    let status = head.status.map(|status| (":status".to_owned(), status.to_string()));
    let fields =
        head.fields.iter().filter_map(|field| Some((text(head, field.name?), text(head, field.value?))));
    let mut all = BTreeMap::<_, std::collections::BTreeSet<_>>::new();
    own.chain(status).chain(fields).for_each(|(name, value)| _ = all.entry(name).or_default().insert(value));
    all
}

/// The exchanges of HTTP/2 in a capture, without what they carry.
fn of_capture<'a>(packets: impl Iterator<Item = &'a tapwire_testkit::OwnedPacket>) -> Vec<Exchange> {
    let mut table = tapwire_flow::FlowTable::new(tapwire_flow::Config::default());
    let mut protocols = Protocols::new(Config::default(), Exchanges::default());
    for packet in packets {
        if let tapwire_wire::Decoded::Segment(segment) = tapwire_wire::decode(&packet.packet()) {
            table.handle(&segment, &mut protocols);
        }
    }
    table.finish(&mut protocols);
    let exchanges = protocols.into_sink().0.into_iter();
    exchanges.filter(|exchange| exchange.stream.is_some() && exchange.child.is_none()).collect()
}

/// Real encoders, and every packet of theirs lost in turn.
#[test]
fn property_19_losing_any_packet_of_real_software_makes_no_header_wrong() {
    for name in ["h2-clear", "grpc", "websocket-h2"] {
        let path = tapwire_tests::workspace().join("fixtures").join(name).join("in.pcap");
        let capture = tapwire_testkit::Capture::read(&path).expect("a capture");
        let key = |exchange: &Exchange| (format!("{:?}", exchange.flow.key), exchange.stream);
        let halves = |exchange: Exchange| [exchange.request, exchange.response];
        let meant: BTreeMap<_, _> = of_capture(capture.packets.iter())
            .into_iter()
            .map(|exchange| (key(&exchange), halves(exchange).map(|half| half.as_deref().map(known))))
            .collect();
        let (mut right, mut lost) = (0_u64, 0_u64);
        for dropped in 0..capture.packets.len() {
            let rest = capture.packets.iter().enumerate().filter(|(nth, _)| *nth != dropped);
            let exchanges = of_capture(rest.map(|(_, packet)| packet));
            lost += meant.len().saturating_sub(exchanges.len()) as u64;
            for exchange in exchanges {
                let what = key(&exchange);
                let meant = meant.get(&what).unwrap_or_else(|| panic!("{name} without {dropped}: {what:?}"));
                for (half, meant) in halves(exchange).iter().zip(meant) {
                    let (Some(half), Some(meant)) = (half.as_deref(), meant) else { continue };
                    for (field, values) in known(half) {
                        let right_ones = meant.get(&field).is_some_and(|meant| values.is_subset(meant));
                        assert!(right_ones, "{name} without {dropped}: {field} of {what:?}");
                        right += 1;
                    }
                }
            }
        }
        println!(
            "{name}: {} packets, {right} fields right, 0 wrong; {lost} exchanges unseen",
            capture.packets.len()
        );
        assert!(right > 1_000, "{name}: {right}");
    }
}
