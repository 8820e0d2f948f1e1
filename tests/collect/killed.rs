//! A sensor with its spool and a collector, both the real binary, both killed.

use crate::PATIENCE;
use crate::client::Collector;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};
use tapwire_capture::{ByteOrder, PcapWriter, Resolution};
use tapwire_testkit::{Conversation, Turn};
use tapwire_tests::{binary, token_key};
use tapwire_wire::{Endpoint, LinkType, Timestamp};

/// Calls that are written to a sensor at once: more than wait between its threads, so that some come out.
const PIECE: u16 = 4_000;

/// A capture of so many calls from a number on, a second apart, without the file's header where it goes on.
fn calls(from: u16, count: u16) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut out = PcapWriter::new(&mut bytes, ByteOrder::Little, Resolution::Nanoseconds, LinkType::ETHERNET)
        .expect("a header");
    for number in from..from + count {
        let turn = Turn {
            request: b"GET /orders/1 HTTP/1.1\r\nHost: shop.example\r\n\r\n".to_vec(),
            response: b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec(),
        };
        let mut talk = Conversation::new(vec![turn], u64::from(number));
        talk.client = Endpoint::v4([10, 0, 2, 1], 10_000 + number);
        talk.start = Timestamp::from_parts(1_700_000_000 + i64::from(number), 0);
        talk.play().packets.iter().for_each(|packet| out.write(&packet.packet()).expect("memory"));
    }
    bytes
}

/// The header of a capture file, which comes once.
const HEADER: usize = 24;

/// What a sensor needs from run to run.
struct Site {
    folder: tempfile::TempDir,
    key: PathBuf,
    url: String,
}

impl Site {
    fn of(collector: &Collector) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let key = token_key(folder.path());
        fs::write(folder.path().join("token"), collector.enrol("tap", &[])).expect("a token");
        Self { folder, key, url: collector.url() }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Starts a run over a capture.
    fn start(&self, capture: &Path) -> Sensor {
        let token = format!("sink.http.token_file={}", self.folder.path().join("token").display());
        let mut command = Command::new(binary());
        command.args(["replay", "-q", "--analysis", "off", "--set", "events.keep=none"]).arg(capture);
        command
            .arg("--data")
            .arg(self.data())
            .arg("--token-key")
            .arg(&self.key)
            .args(["--events", &self.url]);
        for setting in
            [&token, "sink.http.batch_events=50", "sink.http.batch_ms=20", "sink.http.backoff_ms=1"]
        {
            command.args(["--set", setting]);
        }
        command.args(["--set", "sink.http.backoff_max_ms=20", "--set", "sink.http.tries=100000"]);
        command.env("HOME", self.folder.path()).stdin(Stdio::piped()).stdout(Stdio::null());
        Sensor(command.spawn().expect("tapwire can be started"))
    }

    fn spooled(&self) -> u64 {
        let spools = fs::read_dir(self.data().join("spool")).into_iter().flatten().flatten();
        let files = spools.flat_map(|spool| fs::read_dir(spool.path()).into_iter().flatten().flatten());
        files.filter_map(|file| file.metadata().ok()).map(|about| about.len()).sum()
    }
}

fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A run of a sensor, killed when it is dropped.
struct Sensor(Child);

impl Drop for Sensor {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn count(collector: &Collector) -> u64 {
    match collector.data().join("lake/exchanges").exists() {
        true => collector.number("SELECT count(*) AS n FROM exchanges"),
        false => 0,
    }
}

/// Writes to a sensor that reads on; a thread, since it stops reading while it cannot deliver.
fn feed(mut input: ChildStdin, bytes: Vec<u8>) -> std::thread::JoinHandle<ChildStdin> {
    std::thread::spawn(move || {
        input.write_all(&bytes).expect("a sensor that reads");
        input
    })
}

#[test]
fn kills_of_sensor_and_collector_lose_nothing_that_was_acknowledged() {
    let mut collector = Collector::start();
    let site = Site::of(&collector);
    // A run that never ends by itself: more comes in three pieces, and each time the collector dies while it takes them.
    let mut sensor = site.start(Path::new("-"));
    let mut input = sensor.0.stdin.take().expect("a pipe");
    let mut seen = 0;
    for piece in 0..3 {
        let bytes = calls(piece * PIECE, PIECE);
        let feeding = feed(input, bytes[if piece == 0 { 0 } else { HEADER }..].to_vec());
        wait_for("rows of this piece", || count(&collector) > seen);
        collector.kill();
        collector.again();
        input = feeding.join().expect("all of it was read");
        seen = count(&collector);
    }
    drop((sensor, input));
    // What the sensor's spool still holds goes out with the next run, which begins while there is no collector.
    collector.kill();
    let (before, last) = (site.spooled(), site.folder.path().join("last.pcap"));
    fs::write(&last, calls(3 * PIECE, 500)).expect("a capture");
    let mut sensor = site.start(&last);
    wait_for("events in the spool", || site.spooled() != before);
    collector.again();
    wait_for("the end of the run", || sensor.0.try_wait().expect("its state").is_some());
    assert!(sensor.0.wait().expect("its end").success());
    collector.kill();
    collector.again();
    collector.stop();
    let rows = count(&collector);
    assert!(rows >= seen + 500, "{rows} rows, {seen} before the last run");
    assert_eq!(collector.number("SELECT count(DISTINCT uid) AS n FROM exchanges"), rows, "each once");
    // A sensor with a spool numbers its events over all runs: one that was acknowledged and lost would be a hole.
    let numbered = "SELECT count(DISTINCT sequence) AS n FROM exchanges WHERE reporter = 'tap'";
    assert_eq!(collector.number(numbered), rows);
    assert_eq!(collector.number("SELECT max(sequence) AS n FROM exchanges"), rows, "from 1, without a hole");
    let last = format!("SELECT count(*) AS n FROM exchanges WHERE client_port >= {}", 10_000 + 3 * PIECE);
    assert_eq!(collector.number(&last), 500, "all of the run that ended");
    assert_eq!(collector.number("SELECT sum(calls + messages) AS n FROM usage"), rows, "each in one sum");
}
