//! `tapwire doctor -i` on a cable of our own: frames of generated mirrors are put on one end as they are, tags and all,
//! and the doctor listens on the other. Without root there are no namespaces, and the tests say so.

use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;
use tapwire_capture::{ByteOrder, Resolution};
use tapwire_testkit::{Capture, Conversation, OwnedPacket, mutate, shop_turns};
use tapwire_tests::binary;
use tapwire_wire::{Side, Timestamp};

/// Sends the frames of a pcap file, the last of them so many times more, each time when it is told to.
const SENDER: &str = r#"
import socket, struct, sys
data = open(sys.argv[2], "rb").read()
frames, at = [], 24
while at < len(data):
    length = struct.unpack("<I", data[at + 8:at + 12])[0]
    frames.append(data[at + 16:at + 16 + length])
    at += 16 + length
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
wire.bind((sys.argv[1], 0))
print("ready", flush=True)
sys.stdin.readline()
for frame in frames:
    wire.send(frame)
for _ in range(int(sys.argv[3])):
    wire.send(frames[-1])
print("sent", flush=True)
"#;

/// A cable in a namespace of its own. Dropping it removes both.
struct Cable(String);

impl Cable {
    /// `None`, with a notice, where namespaces cannot be made.
    fn lay(name: &str) -> Option<Self> {
        let cable = Self(format!("tw-d-{name}-{}", std::process::id()));
        if !ip(&["netns", "add", &cable.0]) {
            tapwire_testkit::peers::skipped("network namespaces need root");
            return None;
        }
        // The kernel says nothing on this cable by itself.
        let quiet = cable.inside("sysctl").args(["-qw", "net.ipv6.conf.all.disable_ipv6=1"]).status();
        assert!(quiet.is_ok_and(|status| status.success()));
        let space = ["-n", &cable.0];
        for step in [
            &["link", "add", "near", "mtu", "9000", "type", "veth", "peer", "name", "far", "mtu", "9000"][..],
            &["link", "set", "near", "arp", "off", "up"],
            &["link", "set", "far", "arp", "off", "up"],
        ] {
            assert!(ip(&[&space[..], step].concat()), "ip {}", step.join(" "));
        }
        Some(cable)
    }

    fn inside(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.0, program]);
        command
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        let _ = ip(&["netns", "del", &self.0]);
    }
}

fn ip(arguments: &[&str]) -> bool {
    Command::new("ip").args(arguments).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// Python that waits for its word.
struct Sender {
    child: Child,
    answers: BufReader<ChildStdout>,
}

impl Sender {
    fn start(cable: &Cable, file: &Path, more: u32) -> Self {
        let mut command = cable.inside("python3");
        command.args(["-c", SENDER, "near"]).arg(file).arg(more.to_string());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("python3");
        let answers = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut sender = Self { child, answers };
        sender.wait_for("ready");
        sender
    }

    fn wait_for(&mut self, word: &str) {
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("python3 answers");
        assert_eq!(line.trim(), word);
    }

    fn send(mut self) {
        self.child.stdin.take().expect("a pipe").write_all(b"go\n").expect("python3 listens");
        self.wait_for("sent");
        assert!(self.child.wait().expect("a child").success());
    }
}

fn signal(name: &str, process: &Child) {
    let sent = Command::new("kill").args([name, &process.id().to_string()]).status().expect("kill");
    assert!(sent.success());
}

/// Whether the doctor may read while frames come.
#[derive(Clone, Copy, PartialEq)]
enum Reader {
    Awake,
    Asleep,
}

/// What the doctor says of these frames.
fn visit(cable: &Cable, capture: &Capture, more: u32, reader: Reader, arguments: &[&str]) -> Value {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("frames.pcap");
    let bytes = capture.write_pcap(Vec::new(), ByteOrder::Little, Resolution::Nanoseconds).expect("memory");
    std::fs::write(&file, bytes).expect("a file of our own");
    let sender = Sender::start(cable, &file, more);
    let mut doctor = cable
        .inside(&binary().to_string_lossy())
        .args(["doctor", "-i", "far", "--json", "--seconds", "120"])
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("tapwire can be started");
    let mut line = String::new();
    let mut errors = BufReader::new(doctor.stderr.take().expect("a pipe"));
    errors.read_line(&mut line).expect("UTF-8");
    assert!(line.contains("listening"), "{line}");
    if reader == Reader::Asleep {
        signal("-STOP", &doctor);
    }
    sender.send();
    if reader == Reader::Asleep {
        signal("-CONT", &doctor);
    }
    // The kernel hands a block on after 50 ms; a busy machine may need longer for what is in them.
    std::thread::sleep(Duration::from_secs(2));
    signal("-INT", &doctor);
    let mut said = String::new();
    doctor.stdout.take().expect("a pipe").read_to_string(&mut said).expect("UTF-8");
    assert!(doctor.wait().expect("a child").success());
    serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"))
}

fn names(report: &Value) -> Vec<&str> {
    let ailments = report.get("ailments").and_then(Value::as_array).expect("a list of ailments");
    ailments.iter().filter_map(|ailment| ailment.get("name")?.as_str()).collect()
}

fn shop() -> Capture {
    Conversation::new(shop_turns(30, 4), 4).play()
}

#[test]
fn a_good_mirror_is_good() {
    let Some(cable) = Cable::lay("good") else { return };
    let report = visit(&cable, &shop(), 0, Reader::Awake, &["--size"]);
    assert_eq!((names(&report), report["good"].as_bool()), (vec![], Some(true)), "{report}");
    assert_eq!(report["whole"].as_u64(), Some(30), "{report}");
    assert!(report["needs"]["cores"].as_u64().is_some_and(|cores| cores >= 2), "{report}");
}

#[test]
fn silence_is_told() {
    let Some(cable) = Cable::lay("none") else { return };
    let report = visit(&cable, &Capture::default(), 0, Reader::Awake, &[]);
    assert_eq!(names(&report), ["no-packets"], "{report}");
}

#[test]
fn one_leg_of_a_tap_is_told() {
    let Some(cable) = Cable::lay("leg") else { return };
    let report = visit(&cable, &mutate::one_side(&shop(), Side::Upper), 0, Reader::Awake, &[]);
    assert_eq!(names(&report), ["one-direction"], "{report}");
}

#[test]
fn what_the_kernel_drops_is_told_with_the_ring() {
    let Some(cable) = Cable::lay("drops") else { return };
    // 8,900 bytes each: nobody reads, so the ring of 64 MiB is full after some 7,500 of them.
    let mut datagram =
        vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0, 0x22, 0xc4, 0, 0, 0x40, 0, 64, 17, 0, 0];
    datagram.extend([192, 0, 2, 1, 192, 0, 2, 2, 0xc3, 0x50, 0x13, 0x88, 0x22, 0xb0, 0, 0]);
    datagram.resize(8_914, 0);
    let mut frames = shop();
    frames.packets.push(OwnedPacket::ethernet(Timestamp::default(), datagram));
    let report = visit(&cable, &frames, 20_000, Reader::Asleep, &[]);
    assert_eq!(names(&report), ["kernel-drops"], "{report}");
    assert!(report["dropped_kernel"].as_u64().is_some_and(|dropped| dropped > 5_000), "{report}");
    assert!(report.to_string().contains("64.0 MiB: --set capture.ring=256MiB"), "{report}");
}

#[test]
fn a_filter_that_refuses_tagged_frames_is_told_and_one_that_does_not_is_not() {
    let Some(cable) = Cable::lay("tags") else { return };
    let twice = mutate::encapsulate(&shop(), mutate::Link::QinQ(7, 8));
    let report = visit(&cable, &twice, 0, Reader::Awake, &["-f", "tcp port 80"]);
    assert_eq!(names(&report).iter().rev().next_back(), Some(&"no-packets"), "{report}");
    assert!(names(&report).contains(&"filter-hides"), "{report}");
    // Linux takes the outer tag away before its filters look, so one tag hides nothing.
    let once = mutate::encapsulate(&shop(), mutate::Link::Vlan(7));
    let report = visit(&cable, &once, 0, Reader::Awake, &["-f", "tcp port 80"]);
    assert_eq!(names(&report), Vec::<&str>::new(), "{report}");
}
