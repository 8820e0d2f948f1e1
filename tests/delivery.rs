//! Events reach a receiver whatever happens to it and to the program: nothing is lost, order holds, what comes twice is the
//! same event with the same number, and numbers have no holes from run to run. The real binary against a scripted peer.

#[path = "delivery/live.rs"]
mod live;
#[path = "delivery/peer.rs"]
mod peer;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use peer::{Act, Peer};
use serde_json::Value;
use tapwire_tests::{Fixture, binary, fixtures, token_key};

/// Longest wait for something that has to happen; far beyond what it takes, so that a busy machine fails no test.
const PATIENCE: Duration = Duration::from_secs(120);

/// Small requests and short waits, so that much happens in little time.
const QUICK: [&str; 4] = [
    "sink.http.batch_events=100",
    "sink.http.batch_ms=20",
    "sink.http.backoff_ms=1",
    "sink.http.backoff_max_ms=20",
];

/// A sensor's folder, which outlives its runs.
struct Site {
    folder: tempfile::TempDir,
    demo: Fixture,
}

impl Site {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let _key = token_key(folder.path());
        // Packets of no exchange at all: a run that only delivers what waits.
        let nothing = [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65535, 1];
        let bytes: Vec<u8> = nothing.iter().flat_map(|word| word.to_le_bytes()).collect();
        fs::write(folder.path().join("nothing.pcap"), bytes).expect("a writable folder");
        let demo = fixtures().into_iter().find(|fixture| fixture.name == "demo").expect("the demo's capture");
        Self { folder, demo }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn replay(&self, capture: &Path, peer: &Peer, tries: u32, more: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command
            .args(["replay", "--analysis", "off", "--json", "--again"])
            .arg(capture)
            .env("HOME", self.folder.path());
        command.arg("--data").arg(self.data()).arg("--token-key").arg(self.folder.path().join("token.key"));
        command.args(["--events", &peer.url(), "--set", &format!("sink.http.tries={tries}")]);
        for setting in QUICK.iter().chain(more) {
            command.args(["--set", setting]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Replays the demo to its end.
    fn demo(&self, peer: &Peer, tries: u32) -> Output {
        self.replay(&self.demo.path(), peer, tries, &[]).output().expect("tapwire can be started")
    }

    /// Delivers what waits.
    fn rest(&self, peer: &Peer) -> Output {
        self.replay(&self.folder.path().join("nothing.pcap"), peer, 1000, &[])
            .output()
            .expect("tapwire starts")
    }

    fn spooled(&self) -> u64 {
        segments(&self.data()).iter().map(|path| fs::metadata(path).map_or(0, |found| found.len())).sum()
    }

    fn wait_until_spooled(&self, bytes: u64) {
        let begun = Instant::now();
        while self.spooled() < bytes {
            assert!(begun.elapsed() < PATIENCE, "only {} bytes were spooled", self.spooled());
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// The spool's segments; there may be none yet.
fn segments(data: &Path) -> Vec<PathBuf> {
    let spools = fs::read_dir(data.join("spool")).into_iter().flatten().flatten();
    let files = spools.flat_map(|spool| fs::read_dir(spool.path()).into_iter().flatten().flatten());
    files.map(|file| file.path()).filter(|path| path.extension().is_some_and(|is| is == "spool")).collect()
}

fn kill(mut child: Child) {
    child.kill().expect("a child to kill");
    child.wait().expect("its end");
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn assert_code(output: &Output, code: i32) {
    assert_eq!(output.status.code(), Some(code), "{}", stderr(output));
}

/// The counters of the one receiver, which have to add up.
fn ledger(output: &Output) -> BTreeMap<String, u64> {
    let summary: Value = serde_json::from_slice(&output.stdout).expect("a summary");
    let sinks = summary.pointer("/stages/sinks").and_then(Value::as_array).expect("sinks in the summary");
    let to_peer = |sink: &&Value| sink["destination"].as_str().is_some_and(|to| to.starts_with("http://"));
    let sink = sinks.iter().find(to_peer).expect("the receiver in the summary");
    let counts: BTreeMap<String, u64> = sink
        .as_object()
        .expect("counters")
        .iter()
        .filter_map(|(name, value)| Some((name.clone(), value.as_u64()?)))
        .collect();
    assert_eq!(
        counts["accepted"] + counts["resumed"],
        counts["delivered"] + counts["dropped"] + counts["kept"],
        "{counts:?}"
    );
    counts
}

/// An event's number, and what it says beside it.
fn numbered(line: &str) -> (u64, String) {
    let mut event: Value = serde_json::from_str(line).expect("JSON");
    let metadata = event["metadata"].as_object_mut().expect("metadata");
    let number = metadata.remove("sequence").and_then(|number| number.as_u64()).expect("a number");
    (number, event.to_string())
}

/// What arrived, by number. Whatever comes again is what came before under its number, and order holds.
fn arrived(peer: &Peer) -> BTreeMap<u64, String> {
    let mut events: BTreeMap<u64, String> = BTreeMap::new();
    for line in peer.taken() {
        let (number, says) = numbered(&line);
        let last = events.last_key_value().map_or(0, |(last, _)| *last);
        match events.get(&number) {
            Some(before) => assert_eq!(*before, says, "number {number} came with something else"),
            None => assert!(number > last, "number {number} came behind {last}"),
        }
        events.insert(number, says);
    }
    events
}

/// The numbers that are missing, from 1 to the last that came.
fn holes(events: &BTreeMap<u64, String>) -> u64 {
    events.last_key_value().map_or(0, |(last, _)| *last) - events.len() as u64
}

/// What one replay of the demo tells.
fn told() -> Vec<String> {
    let site = Site::new();
    let peer = Peer::up([], Act::Take);
    assert_code(&site.demo(&peer, 3), 0);
    arrived(&peer).into_values().collect()
}

/// Everything arrived: `told` is in it as often as it was told or more, and the last run is there to its end in order.
fn assert_all(peer: &Peer, told: &[String]) {
    let events = arrived(peer);
    assert_eq!(holes(&events), 0);
    let came: Vec<&String> = events.values().collect();
    let last_run = &came[came.len().saturating_sub(told.len())..];
    assert!(last_run.iter().copied().eq(told), "the last run's {} events are not there", told.len());
    let known: BTreeSet<&String> = told.iter().collect();
    assert!(came.iter().all(|event| known.contains(event)), "an event came that nothing told");
}

/// A generator that gives the same in every run: an LCG's upper bits (Knuth).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % sides
    }
}

#[test]
fn a_receiver_that_is_down_at_the_start_gets_everything_later() {
    let (site, told) = (Site::new(), told());
    let mut peer = Peer::down([], Act::Take);
    let first = site.demo(&peer, 1);
    assert_code(&first, 2);
    assert!(ledger(&first)["kept"] > 0, "{}", stderr(&first));
    peer.open();
    let second = site.demo(&peer, 3);
    assert_code(&second, 0);
    let counts = ledger(&second);
    assert_eq!((counts["resumed"], counts["accepted"]), (ledger(&first)["kept"], told.len() as u64));
    assert_eq!((counts["dropped"], counts["kept"]), (0, 0));
    assert_all(&peer, &told);
}

#[test]
fn whatever_a_receiver_answers_everything_arrives_in_order() {
    let told = told();
    for seed in 0..4 {
        let mut dice = Dice(seed);
        let acts = [
            Act::Take,
            Act::Refuse(429),
            Act::Refuse(500),
            Act::Refuse(503),
            Act::TakeAndHangUp,
            Act::HangUp,
            Act::Slow,
        ];
        let script: Vec<Act> = (0..60).map(|_| acts[dice.roll(acts.len())]).collect();
        let peer = Peer::up(script, Act::Take).taking_at_most(40);
        let site = Site::new();
        let ran = site.demo(&peer, 100);
        assert_code(&ran, 0);
        let counts = ledger(&ran);
        assert_eq!((counts["delivered"], counts["dropped"]), (told.len() as u64, 0), "seed {seed}");
        assert!(counts["retries"] > 0);
        assert_all(&peer, &told);
    }
}

#[test]
fn a_receiver_that_fails_in_the_middle_gets_the_rest_from_the_next_run() {
    let (site, told) = (Site::new(), told());
    let peer = Peer::up([Act::Take, Act::Take, Act::TakeAndHangUp], Act::Refuse(503));
    let first = site.demo(&peer, 2);
    assert_code(&first, 2);
    assert!(stderr(&first).contains("503"), "{}", stderr(&first));
    let kept = ledger(&first)["kept"];
    assert!(kept > 0);
    peer.script(std::iter::repeat_n(Act::Take, 1000));
    let second = site.rest(&peer);
    assert_code(&second, 0);
    assert_eq!((ledger(&second)["resumed"], ledger(&second)["delivered"]), (kept, kept));
    assert_code(&site.demo(&peer, 3), 0);
    assert_all(&peer, &told);
}

#[test]
fn a_kill_at_any_point_loses_nothing() {
    let told = told();
    for seed in 0..6 {
        let (site, mut dice) = (Site::new(), Dice(seed));
        let peer = Peer::up([], Act::Take);
        for _ in 0..3 {
            let before = dice.roll(12);
            let last = if dice.roll(2) == 0 { Act::Hold } else { Act::TakeAndHold };
            peer.script((0..before).map(|_| Act::Take).chain([last]));
            let child =
                site.replay(&site.demo.path(), &peer, 3, &[]).spawn().expect("tapwire can be started");
            peer.wait_until_held();
            kill(child);
        }
        let ran = site.demo(&peer, 3);
        assert_code(&ran, 0);
        let counts = ledger(&ran);
        assert_eq!((counts["dropped"], counts["kept"]), (0, 0), "seed {seed}");
        assert_all(&peer, &told);
    }
}

#[test]
fn a_damaged_segment_costs_what_stood_there_and_the_gap_says_how_much() {
    let site = Site::new();
    let peer = Peer::up([Act::Take, Act::Hold], Act::Take);
    let child = site.replay(&site.demo.path(), &peer, 3, &[]).spawn().expect("tapwire can be started");
    peer.wait_until_held();
    site.wait_until_spooled(2 << 20);
    kill(child);
    let all = segments(&site.data());
    let size = |path: &&PathBuf| fs::metadata(path).map_or(0, |found| found.len());
    let segment = all.iter().max_by_key(size).expect("a segment");
    let mut bytes = fs::read(segment).expect("a readable segment");
    // Within the lines of a record, behind its header: the record is there and is not what was written.
    let magic = [0xfa, b'T', b'w', 0xfb];
    let middle = bytes.len() / 2;
    let record = bytes[middle..].windows(4).position(|window| window == magic).expect("a record") + middle;
    bytes[record + 200..record + 300].fill(b'x');
    fs::write(segment, bytes).expect("a writable segment");
    let ran = site.rest(&peer);
    // Something was lost, and a script has to hear of it.
    assert_code(&ran, 2);
    assert!(stderr(&ran).contains("damaged"), "{}", stderr(&ran));
    let counts = ledger(&ran);
    assert!(counts["dropped"] > 0, "{counts:?}");
    let events = arrived(&peer);
    assert_eq!(holes(&events), counts["dropped"]);
    assert!(counts["delivered"] > counts["dropped"], "{counts:?}");
    assert!(
        fs::read_dir(segment.parent().expect("a folder"))
            .expect("it can be listed")
            .flatten()
            .any(|file| { file.file_name().to_string_lossy().ends_with(".damaged") })
    );
}

/// A disk of 1 MiB that only the program sees; `None` where there are no mount namespaces.
fn on_a_small_disk(site: &Site, mut command: Command) -> Option<Command> {
    let can = Command::new("unshare").args(["-m", "true"]).stderr(Stdio::null()).status();
    if !can.is_ok_and(|status| status.success()) {
        tapwire_testkit::peers::skipped("mount namespaces need root");
        return None;
    }
    fs::create_dir_all(site.data()).expect("a folder to mount on");
    let mut small = Command::new("unshare");
    small.args(["-m", "sh", "-c", r#"mount -t tmpfs -o size=1m none "$0" && exec "$@""#]).arg(site.data());
    small.arg(command.get_program()).args(command.get_args()).env("HOME", site.folder.path());
    small.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command = small;
    Some(command)
}

#[test]
fn a_full_disk_costs_what_cannot_be_written_and_the_gaps_say_how_much() {
    let (site, told) = (Site::new(), told());
    // It listens to nothing until the disk is full, then takes what is there.
    let peer = Peer::up(std::iter::repeat_n(Act::Slow, 3), Act::Take);
    let command = site.replay(&site.demo.path(), &peer, 100, &["events.keep=none"]);
    let Some(mut command) = on_a_small_disk(&site, command) else { return };
    let ran = command.output().expect("unshare can be started");
    // Of a capture that is a result that did not arrive.
    assert_code(&ran, 2);
    assert!(stderr(&ran).contains("the disk is full"), "{}", stderr(&ran));
    let (counts, events) = (ledger(&ran), arrived(&peer));
    assert_eq!(counts["accepted"], told.len() as u64);
    assert_eq!(counts["delivered"], events.len() as u64);
    assert!(counts["dropped"] > 0, "4 MB found room on 1 MiB: {counts:?}");
    assert!(holes(&events) <= counts["dropped"]);
    for (number, says) in &events {
        assert_eq!(*says, told[usize::try_from(number - 1).expect("a small number")]);
    }
}
