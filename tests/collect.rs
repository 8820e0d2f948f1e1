//! Many sensors and one collector, the real binary on both sides: what was acknowledged is in the tables once, whatever
//! happens, and who sends what nobody should send harms nobody else.

#[path = "collect/client.rs"]
mod client;
#[path = "collect/hostile.rs"]
mod hostile;
#[path = "collect/inventory.rs"]
mod inventory;
#[path = "collect/kafka.rs"]
mod kafka;
#[path = "collect/killed.rs"]
mod killed;
#[path = "collect/known.rs"]
mod known;
#[path = "collect/tls.rs"]
mod tls;

use client::{Answer, Collector, event, gzip, post};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tapwire_tests::{Fixture, Ran, Tapwire, fixtures};

/// Longer than any machine takes that still works.
const PATIENCE: Duration = Duration::from_secs(120);

fn fixture(name: &str) -> Fixture {
    fixtures().into_iter().find(|fixture| fixture.name == name).expect("the fixture is in the tree")
}

/// What a replay of the fixture tells.
fn told(name: &str) -> Vec<Value> {
    let text = fs::read_to_string(fixture(name).expected()).expect("expected events");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn is_exchange(event: &&Value) -> bool {
    event["class_uid"] == 6003
}

/// A sensor that replays a fixture into the collector.
fn send(collector: &Collector, token: &str, name: &str) -> Ran {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("token");
    fs::write(&file, token).expect("a token file");
    let setting = format!("sink.http.token_file={}", file.display());
    Tapwire::replay(&fixture(name)).args(["--events", &collector.url(), "--set", &setting]).run()
}

#[test]
fn sensors_fill_one_lake() {
    let mut collector = Collector::start();
    let north = collector.enrol("north", &["--site", "Oslo", "--tenant", "acme"]);
    let south = collector.enrol("south", &[]);
    let _ran = send(&collector, &north, "basic-rest").ok("north");
    let _ran = send(&collector, &south, "graphql").ok("south");
    let _ran = send(&collector, &south, "demo").ok("south");
    collector.stop();
    let sum = |wanted: &dyn Fn(&&Value) -> bool| {
        ["basic-rest", "graphql", "demo"]
            .iter()
            .map(|name| told(name).iter().filter(wanted).count())
            .sum::<usize>()
    };
    let count = |query: &str| collector.number(query);
    assert_eq!(count("SELECT count(*) AS n FROM exchanges"), sum(&is_exchange) as u64);
    let findings = sum(&|event| event["class_uid"] == 2004 || event["class_uid"] == 2007);
    assert!(findings > 0);
    assert_eq!(count("SELECT count(*) AS n FROM findings"), findings as u64);
    assert_eq!(count("SELECT count(*) AS n FROM incidents"), sum(&|event| event["class_uid"] == 2005) as u64);
    let own = told("basic-rest").iter().filter(is_exchange).count();
    let labelled =
        "SELECT count(*) AS n FROM exchanges WHERE reporter = 'north' AND site = 'Oslo' AND tenant = 'acme'";
    assert_eq!(count(labelled), own as u64);
    assert_eq!(count("SELECT sum(calls) + sum(messages) AS n FROM usage"), sum(&is_exchange) as u64);
    // Commands that show findings find them.
    let shown = collector.tapwire(&["findings", "--json"]).ok("findings").events();
    assert_eq!(shown.len(), sum(&|event| event["class_uid"] == 2004));
    // What is not there is said.
    for command in ["kpis", "callers", "incidents"] {
        let ran = collector.tapwire(&[command]);
        assert_eq!(ran.code, Some(2), "{command}");
        assert!(ran.stderr.contains("a collector keeps events there"), "{command}: {}", ran.stderr);
    }
    assert!(collector.number("SELECT count(*) AS n FROM endpoints_seen WHERE sensors > 0") > 0);
    let listed = collector.list();
    assert_eq!(listed[0]["sensor"], "north");
    assert_eq!(listed[0]["events"], told("basic-rest").len());
    assert!(listed[0]["last_heard"].is_string() && listed[0]["state"] == "good", "{listed:?}");
}

#[test]
fn what_comes_twice_is_kept_once() {
    let mut collector = Collector::start();
    let (one, other) = (collector.enrol("one", &[]), collector.enrol("other", &[]));
    let far = collector.enrol("far", &["--tenant", "elsewhere"]);
    // Two taps of one line, and a sensor that did not hear the answer.
    for token in [&one, &one, &other] {
        let _ran = send(&collector, token, "basic-rest").ok("a sensor");
    }
    let all = told("basic-rest").len() as u64;
    let exchanges = told("basic-rest").iter().filter(is_exchange).count() as u64;
    // It is known after a restart, too.
    collector.stop();
    assert_eq!(collector.number("SELECT count(*) AS n FROM exchanges"), exchanges);
    collector.again();
    let _ran = send(&collector, &other, "basic-rest").ok("a sensor");
    // What another tenant sends is another thing.
    let _ran = send(&collector, &far, "basic-rest").ok("a sensor");
    collector.stop();
    assert_eq!(collector.number("SELECT count(*) AS n FROM exchanges"), 2 * exchanges);
    let duplicates: Vec<u64> =
        collector.list().iter().map(|row| row["duplicates"].as_u64().expect("a number")).collect();
    assert_eq!(duplicates, [0, all, 2 * all], "far, one, other");
}

#[test]
fn every_event_that_sensors_tell_is_taken() {
    let mut collector = Collector::start();
    let token = collector.enrol("all", &[]);
    let mut uids = BTreeSet::new();
    for fixture in fixtures() {
        let body = fs::read_to_string(fixture.expected()).unwrap_or_default();
        if body.is_empty() || fixture.arguments().iter().any(|argument| argument == "--format") {
            continue;
        }
        let answer =
            post(collector.address(), &token, &[("Content-Encoding", "gzip")], &gzip(body.as_bytes()));
        assert_eq!(
            (answer.status, answer.accepted()),
            (200, body.lines().count() as u64),
            "{}",
            fixture.name
        );
        let events = body.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        uids.extend(
            events.filter(|event| is_exchange(&event)).map(|event| event["metadata"]["uid"].to_string()),
        );
    }
    collector.stop();
    assert!(uids.len() > 1_000);
    assert_eq!(collector.number("SELECT count(DISTINCT uid) AS n FROM exchanges"), uids.len() as u64);
}

/// A sensor that sends batches and tries again until each is acknowledged.
fn persist(address: std::net::SocketAddr, token: &str, name: u64, batches: u64, taken: &AtomicU64) {
    for batch in 0..batches {
        let lines: String = (0..50).map(|at| event(name << 40 | batch << 8 | at)).collect();
        let body = gzip(lines.as_bytes());
        let begun = Instant::now();
        loop {
            match post_or_fail(address, token, &body) {
                Some(answer) if answer.status == 200 => break,
                Some(answer) if matches!(answer.status, 429 | 503) => {}
                Some(answer) => panic!("{answer:?}"),
                None => {}
            }
            assert!(begun.elapsed() < PATIENCE, "batch {batch} was never taken");
            std::thread::sleep(Duration::from_millis(5));
        }
        taken.fetch_add(1, Ordering::SeqCst);
    }
}

fn post_or_fail(address: std::net::SocketAddr, token: &str, body: &[u8]) -> Option<Answer> {
    client::try_post(address, token, &[("Content-Encoding", "gzip")], body).ok()
}

#[test]
fn a_kill_loses_nothing_that_was_acknowledged_and_doubles_nothing() {
    const BATCHES: u64 = 120;
    let mut collector = Collector::start();
    let tokens: Vec<String> = ["a", "b"].iter().map(|name| collector.enrol(name, &[])).collect();
    let taken = Arc::new(AtomicU64::new(0));
    let address = collector.address();
    let senders: Vec<_> = (0_u64..)
        .zip(tokens)
        .map(|(name, token)| {
            let taken = Arc::clone(&taken);
            std::thread::spawn(move || persist(address, &token, name, BATCHES, &taken))
        })
        .collect();
    for kill in 1..=4_u64 {
        let begun = Instant::now();
        while taken.load(Ordering::SeqCst) < kill * 2 * BATCHES / 5 {
            assert!(begun.elapsed() < PATIENCE, "only {} batches were taken", taken.load(Ordering::SeqCst));
            std::thread::sleep(Duration::from_millis(1));
        }
        collector.kill();
        collector.again();
    }
    senders.into_iter().for_each(|sender| sender.join().expect("a sender that got through"));
    // Once more at the very end: all of it is in the journal or in the tables.
    collector.kill();
    collector.again();
    collector.stop();
    assert_eq!(collector.number("SELECT count(*) AS n FROM exchanges"), 2 * BATCHES * 50);
    assert_eq!(collector.number("SELECT count(DISTINCT uid) AS n FROM exchanges"), 2 * BATCHES * 50);
}

#[test]
fn the_console_asks_the_tables() {
    let collector = Collector::with(&["--set", "collect.commit=1", "--serve", "127.0.0.1:0"]);
    let line = collector.wait_for("the console is at");
    let address = line
        .split("http://")
        .nth(1)
        .and_then(|rest| rest.split('/').next()?.parse().ok())
        .expect("an address");
    let answer = client::get(address, "/hunt");
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(
        answer.body.contains("exchanges") && answer.body.contains("what sensors told a collector"),
        "{}",
        answer.body
    );
}

#[test]
fn who_may_send_is_said_in_words() {
    let collector = Collector::start();
    let data = collector.data().to_owned();
    let text = |ran: Ran| String::from_utf8(ran.stdout).expect("UTF-8");
    let told = text(
        collector
            .tapwire(&["sensor", "add", "north", "--days", "20", "--url", "https://c.example:8471"])
            .ok("add"),
    );
    let line = told.lines().last().expect("a line");
    let token = line
        .strip_prefix("TAPWIRE_COLLECTOR_TOKEN=")
        .and_then(|rest| rest.split(' ').next())
        .expect("a token");
    assert!(line.ends_with("--events https://c.example:8471/v1/events"), "{line}");
    assert!(line.contains("--set sensor=north --token-key token.key"), "{line}");
    let kept = fs::read_to_string(data.join("sensors.json")).expect("the sensors");
    assert!(!kept.contains(token), "the token is kept");
    assert!(text(collector.tapwire(&["sensor", "list"]).ok("list")).contains("its token ends in 19 days"));
    let again = collector.tapwire(&["sensor", "add", "north"]);
    assert_eq!(again.code, Some(2));
    assert!(again.stderr.contains("--renew"), "{}", again.stderr);
    let folder = tempfile::tempdir().expect("a folder");
    let bundle = folder.path().join("south");
    let told = text(
        collector
            .tapwire(&["sensor", "add", "south", "--bundle", &bundle.display().to_string()])
            .ok("bundle"),
    );
    let token = fs::read_to_string(bundle.join("token")).expect("a token");
    assert!(!told.contains(token.trim()), "the token is printed");
    let mode = |path: &Path| {
        std::os::unix::fs::PermissionsExt::mode(&fs::metadata(path).expect("a file").permissions())
    };
    assert_eq!(mode(&bundle.join("token")) & 0o777, 0o600);
    let key = fs::read_to_string(bundle.join("token.key")).expect("a key");
    assert_eq!(key.trim(), fs::read_to_string(data.join("token.key")).expect("the collector's").trim());
    let unknown = collector.tapwire(&["sensor", "revoke", "east"]);
    assert_eq!(unknown.stderr, "tapwire: east: there is no such sensor; `tapwire sensor list` has them\n");
    let public = Tapwire::new(["collect", "--listen", "0.0.0.0:0", "--data"]).args([folder.path()]).run();
    assert_eq!(public.code, Some(2));
    assert!(public.stderr.contains("--tls-cert"), "{}", public.stderr);
    // The collector warns, in a line and in an event.
    let line = collector.wait_for("sensor north: its token ends in 19 days");
    assert!(line.contains("tapwire sensor add north --renew"), "{line}");
    let mut collector = collector;
    collector.stop();
    assert_eq!(
        collector.number(
            "SELECT count(*) AS n FROM sensors WHERE code = 'sensor.token-ends' AND reporter = 'collector'"
        ),
        1
    );
}
