//! Frames of our own making, each sent at its moment: taps with a port for each direction, which are not in step, and
//! tunnels that the kernel cannot look into.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::Stdio;

use serde_json::Value;
use tapwire_testkit::mutate::{Link, Route, Wrapping, carry, delay_side};
use tapwire_testkit::{Capture, Conversation, OwnedPacket, shop_turns};
use tapwire_wire::{Endpoint, Side};

use super::{PATIENCE, Sensor, Wire};

/// Sends frames from standard input, a line each: interface, microseconds from the start, bytes.
const PLAYER_CODE: &str = r#"
import socket, sys, time
sockets, frames = {}, []
for line in sys.stdin:
    interface, at, frame = line.split()
    frames.append((interface, int(at) / 1e6, bytes.fromhex(frame)))
    if interface not in sockets:
        sockets[interface] = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        sockets[interface].bind((interface, 0))
start = time.monotonic()
for interface, at, frame in frames:
    time.sleep(max(0, start + at - time.monotonic()))
    sockets[interface].send(frame)
"#;

const SERVER: Endpoint = Endpoint::v4([10, 0, 1, 1], 80);
const TURNS: u64 = 10;

/// A conversation of a client of its own; what the server sent is captured so much later than what the client sent, or
/// earlier.
fn conversation(client: u8, late_micros: i64) -> Capture {
    let client = Endpoint::v4([10, 0, 0, client], 40_000 + u16::from(client));
    let talk = Conversation {
        client,
        mss: 1_200,
        ..Conversation::new(shop_turns(TURNS, u64::from(client.port)), u64::from(client.port))
    };
    let capture = talk.play();
    let sender = |side: Side| move |packet: &OwnedPacket| packet.segment().is_some_and(|s| s.side == side);
    let first = capture.packets.first().expect("a SYN");
    let (asks, answers) =
        if sender(Side::Lower)(first) { (Side::Lower, Side::Upper) } else { (Side::Upper, Side::Lower) };
    let late = if late_micros < 0 { asks } else { answers };
    delay_side(&capture, late, late_micros.abs() * 1_000)
}

/// Conversations side by side.
fn together(captures: impl IntoIterator<Item = Capture>) -> Capture {
    let mut packets: Vec<OwnedPacket> = captures.into_iter().flat_map(|capture| capture.packets).collect();
    packets.sort_by_key(|packet| packet.time);
    Capture { packets }
}

fn is_from_server(packet: &OwnedPacket) -> bool {
    packet.segment().is_some_and(|segment| *segment.key.endpoint(segment.side) == SERVER)
}

/// Plays frames from the client's end of the wire, each on the interface that `port` names.
fn play(wire: &Wire, capture: &Capture, port: impl Fn(&OwnedPacket) -> &'static str) {
    let start = capture.packets.first().expect("a packet").time;
    let mut script = String::new();
    for packet in &capture.packets {
        let micros = packet.time.since(start) / 1_000;
        write!(script, "{} {micros} ", port(packet)).expect("a string");
        packet.bytes.iter().for_each(|byte| write!(script, "{byte:02x}").expect("a string"));
        script.push('\n');
    }
    let mut command = std::process::Command::new("ip");
    command.args(["netns", "exec", &wire.client, "python3", "-c", PLAYER_CODE]).stdin(Stdio::piped());
    let mut player = command.spawn().expect("python3");
    player.stdin.take().expect("a pipe").write_all(script.as_bytes()).expect("the player reads");
    assert!(player.wait().expect("a child").success());
}

/// What a sensor said of the exchanges that were played, and its counters of the capture.
struct Heard {
    /// How many exchanges with such a status, pairing, and whether both halves carry the same number.
    kinds: BTreeMap<(bool, String, bool), u64>,
    capture: Value,
}

/// Reads until so many exchanges of the played conversations came, and ends the sensor.
fn heard(sensor: Sensor, count: u64) -> Heard {
    let mut kinds = BTreeMap::new();
    while kinds.values().sum::<u64>() < count {
        let Ok(event) = sensor.events.recv_timeout(PATIENCE) else { break };
        if event.pointer("/dst_endpoint/ip").and_then(Value::as_str) == Some("10.0.1.1") {
            *kinds.entry(kind(&event)).or_default() += 1;
        }
    }
    let (_, _, stderr) = sensor.interrupt();
    let report = stderr.get(stderr.find('{').unwrap_or(0)..).unwrap_or_default();
    let report: Value = serde_json::from_str(report).unwrap_or_else(|error| panic!("{error}: {report}"));
    Heard { kinds, capture: report["stages"]["capture"].clone() }
}

fn kind(event: &Value) -> (bool, String, bool) {
    let number = |half: &str| {
        let headers = event.pointer(half)?.pointer("/http_headers")?.as_array()?;
        headers.iter().find(|header| header["name"] == "X-Exchange").map(|header| header["value"].clone())
    };
    let pairing = event.pointer("/unmapped/seen/pairing").and_then(Value::as_str).unwrap_or("none");
    let both = number("/http_request").is_some() && number("/http_request") == number("/http_response");
    (event.pointer("/http_response/code").is_some(), pairing.to_owned(), both)
}

impl Heard {
    fn is_every_pair(&self, count: u64) {
        let all = BTreeMap::from([((true, "certain".to_owned(), true), count)]);
        assert_eq!(self.kinds, all, "answered, certain, and the right answer: {}", self.capture);
        assert_eq!(self.capture["lane_full"], 0, "{}", self.capture);
        assert_eq!(self.capture["dropped_kernel"], 0, "{}", self.capture);
    }
}

fn listening(wire: &Wire, arguments: &[&str]) -> Sensor {
    let mut sensor = Sensor::start(wire, &[&["--json"], arguments].concat());
    sensor.wait_until_it_listens(wire);
    sensor
}

#[test]
fn a_port_for_each_direction_pairs_all_however_far_they_are_out_of_step() {
    let Some(mut wire) = Wire::lay("ports") else { return };
    wire.split_directions();
    wire.serve();
    let ports = ["-i", "veth1", "-i", "back1"];
    let one = listening(&wire, &ports);
    let two = listening(&wire, &[&ports[..], &["--set", "capture.lanes=2"]].concat());
    let skews = [-5_000, -2_500, -300, 0, 300, 2_500, 5_000];
    let played = together(skews.iter().zip(1..).map(|(skew, client)| conversation(client, *skew)));
    play(&wire, &played, |packet| if is_from_server(packet) { "back0" } else { "veth0" });
    let count = skews.len() as u64 * TURNS;
    heard(one, count).is_every_pair(count);
    let two = heard(two, count);
    two.is_every_pair(count);
    assert_eq!(two.capture["handed_over"], 0, "both ports put a connection on one lane: {}", two.capture);
}

#[test]
fn what_tunnels_carry_reaches_the_lane_of_its_connection() {
    let Some(mut wire) = Wire::lay("wraps") else { return };
    wire.serve();
    for wrapping in [Wrapping::Geneve, Wrapping::Erspan2] {
        let one = listening(&wire, &["-i", "veth1"]);
        let two = listening(&wire, &["-i", "veth1", "--set", "capture.lanes=2"]);
        let route = Route { wrapping: Some(wrapping), ..Route::plain(Link::Ethernet) };
        let plain = together((1..=8).map(|client| conversation(client, 0)));
        let carried = carry(&plain, &route).expect("Ethernet carries every tunnel");
        play(&wire, &carried, |_| "veth0");
        let count = 8 * TURNS;
        heard(one, count).is_every_pair(count);
        let two = heard(two, count);
        two.is_every_pair(count);
        let moved = two.capture["handed_over"].as_u64().unwrap_or(0);
        assert!(moved > 0, "{wrapping:?}: the kernel saw eight connections as one: {}", two.capture);
    }
}
