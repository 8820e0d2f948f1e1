//! Mirrors that are made ill: one for each ailment of `tapwire list ailments` that a capture can have.

use tapwire_capture::{ByteOrder, InterfaceDescription, PcapngWriter, Resolution};
use tapwire_testkit::{Capture, Conversation, OwnedPacket, Scene, Turn, mutate, shop_turns};
use tapwire_wire::{Endpoint, LinkType, Side, TcpFlags, Timestamp};

/// A mirror: its capture files, a filter, and the ailments that have to be told, and no others.
pub(crate) struct Mirror {
    /// What is wrong with it.
    pub(crate) name: &'static str,
    /// Its files.
    pub(crate) files: Vec<Vec<u8>>,
    /// The operator's filter.
    pub(crate) filter: Option<&'static str>,
    /// Names of its ailments, the worst first.
    pub(crate) ailments: &'static [&'static str],
    /// Something that the first ailment's figure or remedy has to say.
    pub(crate) says: &'static str,
}

fn mirror(ailments: &'static [&'static str], says: &'static str, capture: &Capture) -> Mirror {
    mirrors(ailments, says, &[capture])
}

fn mirrors(ailments: &'static [&'static str], says: &'static str, captures: &[&Capture]) -> Mirror {
    let name = ailments.first().copied().unwrap_or("good");
    Mirror {
        name,
        files: captures.iter().map(|capture| pcap(capture)).collect(),
        filter: None,
        ailments,
        says,
    }
}

fn pcap(capture: &Capture) -> Vec<u8> {
    capture.write_pcap(Vec::new(), ByteOrder::Little, Resolution::Nanoseconds).expect("a capture in memory")
}

const MILLISECOND: i64 = 1_000_000;
const SECOND: i64 = 1_000 * MILLISECOND;

/// The shop, with so many connections that begin so far apart, each from an address of its own.
fn shop(connections: u8, apart: i64) -> Capture {
    let mut together = Capture::default();
    for number in 0..connections {
        together = together.merged(connection(number, apart));
    }
    together.numbered()
}

fn connection(number: u8, apart: i64) -> Capture {
    let seed = u64::from(number) + 1;
    let script = Conversation::new(shop_turns(12, seed), seed);
    let start = script.start + i64::from(number) * apart;
    Conversation { client: Endpoint::v4([10, 0, 0, number + 1], script.client.port), start, ..script }.play()
}

/// A good mirror, so many times as fast.
pub(crate) fn paced(times: i64) -> Mirror {
    mirror(&[], "", &mutate::scale_time(&shop(40, SECOND), 1, times))
}

/// One connection on which this is said.
fn said(client: u8, request: Vec<u8>, response: Vec<u8>) -> Capture {
    let script = Conversation::new(vec![Turn { request, response }], u64::from(client));
    Conversation { client: Endpoint::v4([10, 9, 0, client], 40_000), ..script }.play()
}

/// Every nth packet, counted from 0, changed.
fn every(capture: &Capture, nth: usize, change: impl Fn(&mut OwnedPacket)) -> Capture {
    let mut changed = capture.clone();
    changed.packets.iter_mut().step_by(nth).for_each(change);
    changed
}

/// An Ethernet frame with that EtherType, IP protocol and ports behind the IPv4 addresses of nobody else.
fn frame(time: Timestamp, group: bool, protocol: u8, port: u16, length: usize) -> OwnedPacket {
    let mut bytes = vec![if group { 0xff } else { 2 }; 6];
    bytes.extend([2, 0, 0, 0, 0, 9, 8, 0, 0x45, 0]);
    bytes.extend(u16::try_from(28 + length).expect("a short packet").to_be_bytes());
    bytes.extend([0, 0, 0x40, 0, 64, protocol, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2]);
    bytes.extend(50_000_u16.to_be_bytes());
    bytes.extend(port.to_be_bytes());
    bytes.extend(u16::try_from(8 + length).expect("a short packet").to_be_bytes());
    bytes.extend([0, 0]);
    bytes.resize(bytes.len() + length, 0x5a);
    OwnedPacket::ethernet(time, bytes)
}

fn frames(count: i64, group: bool, protocol: u8, port: u16) -> Capture {
    let start = Timestamp::from_parts(1_700_000_000, 0);
    (0..count).map(|number| frame(start + number * MILLISECOND, group, protocol, port, 900)).collect()
}

const UDP: u8 = 17;
const ESP: u8 = 50;

/// A ClientHello that asks for `name`, in one record.
fn hello(name: &str) -> Vec<u8> {
    let with_length = |bytes: &[u8]| {
        let length = u16::try_from(bytes.len()).expect("a short name").to_be_bytes();
        [&length[..], bytes].concat()
    };
    let names = with_length(&[&[0][..], &with_length(name.as_bytes())].concat());
    let extensions = with_length(&[&[0, 0][..], &with_length(&names)].concat());
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    body.extend([0, 0, 2, 0x13, 1, 1, 0]);
    body.extend(extensions);
    let length = u32::try_from(body.len()).expect("a short hello").to_be_bytes();
    let message = [&[1][..], &length[1..], &body].concat();
    [&[22, 3, 1][..], &with_length(&message)].concat()
}

fn tls() -> Capture {
    let records = [vec![23, 3, 3, 0x10, 0], vec![0x5a; 4_096]].concat();
    let first = said(1, hello("api.example.com"), records.repeat(9));
    let second = said(2, hello("login.example.com"), records);
    first.merged(second).merged(shop(3, SECOND)).numbered()
}

fn database() -> Capture {
    let lines = vec![0xee; 400_000];
    said(4, vec![0xee; 300], lines).merged(shop(2, SECOND)).numbered()
}

fn only(capture: &Capture, side: Side) -> Capture {
    mutate::one_side(capture, side)
}

/// Connections whose clients' packets come, or whose servers' packets, or both.
fn sided(sides: impl Fn(u8) -> Option<Side>) -> Capture {
    let mut together = Capture::default();
    for number in 0..20 {
        let whole = connection(number, 100 * MILLISECOND);
        together = together.merged(sides(number).map_or(whole.clone(), |side| only(&whole, side)));
    }
    together.numbered()
}

/// SYNs of a scanner that nobody answers.
fn scan() -> Capture {
    let syn = Scene::new(shop_turns(1, 1), [1, 1]).tcp(0);
    let mut packets: Vec<OwnedPacket> = Vec::new();
    for port in 0..400_u16 {
        let probe = tapwire_testkit::Tcp {
            source: Endpoint::v4([203, 0, 113, 9], 60_000),
            destination: Endpoint::v4([10, 0, 1, 1], 1_000 + port),
            flags: TcpFlags::SYN,
            ..syn.clone()
        };
        let time = Timestamp::from_parts(1_700_000_000, 0) + i64::from(port) * MILLISECOND;
        packets.push(OwnedPacket::ethernet(time, probe.ethernet()));
    }
    packets.into_iter().collect::<Capture>().merged(shop(2, SECOND)).numbered()
}

/// A pcapng file whose interface statistics say what its recorder lost.
fn lossy_recorder(interface: u64, kernel: u64) -> Vec<u8> {
    let capture = shop(3, SECOND);
    let mut writer = PcapngWriter::new(Vec::new(), ByteOrder::Little).expect("memory");
    let id = writer.interface(InterfaceDescription::new(LinkType::ETHERNET)).expect("memory");
    for packet in &capture.packets {
        writer.packet(id, &packet.packet()).expect("memory");
    }
    let option = |code: u16, value: u64| {
        [&code.to_le_bytes()[..], &8_u16.to_le_bytes(), &value.to_le_bytes()].concat()
    };
    let body = [vec![0; 12], option(5, interface), option(7, kernel), vec![0; 4]].concat();
    writer.block(5, &[&body]).expect("memory");
    writer.into_inner()
}

/// Every nth segment with payload is captured so much later than it was sent.
fn held_back(nanos: i64) -> Capture {
    let mut held = shop(4, SECOND);
    let heavy =
        |packet: &&mut OwnedPacket| packet.segment().is_some_and(|segment| segment.payload.len() > 100);
    held.packets.iter_mut().filter(heavy).step_by(12).for_each(|packet| packet.time = packet.time + nanos);
    held.packets.sort_by_key(|packet| packet.time);
    held.numbered()
}

/// Connections without handshake that begin while the capture runs.
fn without_handshakes() -> Capture {
    mutate::without_syn(&shop(40, SECOND)).numbered()
}

/// Only the first fragment of some datagrams.
fn first_fragments() -> Capture {
    let lacking = frames(12, false, 6, 80);
    every(&lacking, 1, |packet| packet.bytes[20] = 0x20).merged(shop(3, SECOND)).numbered()
}

fn damaged() -> Capture {
    let mut scene = Scene::new(shop_turns(200, 3), [5, 6]);
    for nth in (20..200).step_by(20) {
        let at = scene.response(nth);
        scene.damage(at);
    }
    scene.capture()
}

/// The directions of one tap, recorded by two machines.
fn two_recorders(apart: i64) -> [Capture; 2] {
    let whole = shop(4, SECOND);
    let late = mutate::delay_side(&only(&whole, Side::Upper), Side::Upper, apart);
    [only(&whole, Side::Lower).numbered(), late.numbered()]
}

fn tagged_one_way() -> Capture {
    let whole = shop(5, SECOND);
    let tagged = mutate::encapsulate(&only(&whole, Side::Lower), mutate::Link::Vlan(7));
    tagged.merged(only(&whole, Side::Upper)).numbered()
}

/// A filter on a mirror of which a part is tagged.
fn filtered(filter: &'static str, link: mutate::Link, ailments: &'static [&'static str]) -> Mirror {
    let tagged = mutate::encapsulate(&connection(9, SECOND), link);
    let both = shop(3, SECOND).merged(tagged).numbered();
    Mirror { filter: Some(filter), ..mirror(ailments, "(vlan and (tcp port 80))", &both) }
}

/// Every ill mirror, and some that only look so.
pub(crate) fn every_mirror() -> Vec<Mirror> {
    let whole = shop(4, SECOND);
    let [lower, upper] = two_recorders(60 * MILLISECOND);
    let [left, right] = two_recorders(0);
    let nothing = Capture::default();
    let jumbo = mutate::resegment(&shop(3, SECOND), 2_000, 9_000, 3);
    vec![
        mirror(&[], "", &whole),
        mirrors(&[], "", &[&left, &right]),
        mirror(&["no-packets"], "tapwire doctor -i IFACE", &nothing),
        mirror(&["only-groups"], "60 of 60", &frames(60, true, UDP, 5_353)),
        mirror(&["no-tcp"], "udp 60", &frames(60, false, UDP, 5_353)),
        filtered("tcp port 80", mutate::Link::Vlan(7), &["filter-hides"]),
        filtered("tcp port 80", mutate::Link::QinQ(7, 8), &["filter-hides"]),
        filtered("tcp port 80 or vlan", mutate::Link::Vlan(7), &[]),
        filtered("tcp port 80", mutate::Link::Ethernet, &[]),
        mirror(
            &["one-direction"],
            "their clients only; with 10.0.1.1:80 (20 of 20)",
            &sided(|_| Some(Side::Lower)),
        ),
        mirror(&["one-direction"], "their servers only", &sided(|_| Some(Side::Upper))),
        mirror(
            &["split-directions"],
            "10 are seen from their clients only",
            &sided(|number| Some(if number % 2 == 0 { Side::Lower } else { Side::Upper })),
        ),
        mirror(&["one-direction-of-some"], "3 of 20", &sided(|number| (number < 3).then_some(Side::Lower))),
        mirror(&["half-open"], "400 of 402", &scan()),
        Mirror { files: vec![lossy_recorder(0, 77)], ..mirror(&["kernel-drops"], "77 of", &nothing) },
        Mirror { files: vec![lossy_recorder(55, 0)], ..mirror(&["interface-drops"], "55 packets", &nothing) },
        mirror(&["capture-loss"], "s, at worst", &mutate::lossy(&shop(10, SECOND), 0.02, 5)),
        mirror(&["late-packets"], "more than 20 ms", &held_back(80 * MILLISECOND)),
        mirrors(&["sources-apart"], "by up to", &[&lower, &upper]),
        mirror(&["handshakes-missing"], "begin without SYN", &without_handshakes()),
        mirror(&["joined-late"], "in the first 10 s", &mutate::without_syn(&shop(10, 100 * MILLISECOND))),
        mirror(&["clock-steps"], "1 step, the largest by", &mutate::jump(&whole, 150, -20 * SECOND)),
        mirror(&["cut-packets"], "end at 120 bytes", &mutate::snap(&whole, 120)),
        mirror(&["capture-loss", "bad-checksums"], "are missing", &damaged()),
        mirror(&["fragments"], "did not become whole", &first_fragments()),
        mirror(&["large-packets"], "above 1,522 bytes", &jumbo),
        mirror(&["tls"], "clients ask for api.example.com (36.", &tls()),
        mirror(&["quic"], "60 packets of UDP port 443", &frames(60, false, UDP, 443).merged(whole.clone())),
        mirror(&["encapsulated"], "in esp", &frames(40, false, ESP, 0).merged(whole.clone())),
        mirror(&["not-http"], "of the payload", &database()),
        mirrors(&["same-capture"], "in two files", &[&whole, &whole]),
        mirror(&["duplicates"], "segments (", &mutate::duplicate(&whole, 3, 1)),
        mirror(&["asymmetric-vlan"], "tagged in one direction only", &tagged_one_way()),
    ]
}
