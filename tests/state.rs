//! What was learned outlives the process: through the real binary, over captures of real software, with kills, damage and
//! floods.

use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tapwire_capture::{ByteOrder, PcapWriter, Resolution};
use tapwire_testkit::{Capture, Conversation, Random, Turn};
use tapwire_tests::{Fixture, Following, Ran, Tapwire, binary, fixtures, token_key};
use tapwire_wire::{Endpoint, LinkType, Timestamp};

const MIB: u64 = 1 << 20;

/// What is learned is looked at, not what is told meanwhile.
const NO_EVENTS: [&str; 6] = ["--set", "events.keep=none", "--events", "/dev/null", "--only", "findings"];

/// A data directory with the tests' token key in it, so that every command finds that.
struct Data {
    folder: tempfile::TempDir,
}

impl Data {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let _key = token_key(folder.path());
        Self { folder }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn state(&self, name: &str) -> PathBuf {
        self.path().join("state").join(name)
    }

    fn replay(&self, files: &[&Path], more: &[String]) -> Ran {
        let run = Tapwire::new(["replay", "--again"]).args(files).args(more).arg("--data", self.path());
        run.args(NO_EVENTS).run()
    }

    /// What `command --json` prints of what is kept.
    fn told(&self, command: &[&str]) -> Vec<Value> {
        Tapwire::new(command).args(["--json"]).arg("--data", self.path()).run().ok("from --data").events()
    }

    /// Everything that can be asked for.
    fn all(&self) -> (Vec<Value>, Vec<Value>) {
        (self.told(&["inventory"]), self.told(&["callers", "--sessions"]))
    }
}

trait WithPath {
    fn arg(self, option: &str, path: &Path) -> Self;
}

impl WithPath for Tapwire {
    fn arg(self, option: &str, path: &Path) -> Self {
        self.args([option.as_ref(), path.as_os_str()])
    }
}

/// A capture in parts, between connections: those that go on over a cut are left out of all. Each cut is made where that
/// percentage of connections has begun. `None` where a part would be empty, or a file could not say the link types.
fn parts(capture: &Capture, percents: &[usize]) -> Option<Vec<Capture>> {
    let link = capture.packets.first()?.link;
    let keys: Vec<_> = capture.packets.iter().map(|packet| Some(packet.segment()?.key)).collect();
    let mut flows: BTreeMap<_, (usize, usize)> = BTreeMap::new();
    for (at, key) in keys.iter().enumerate() {
        if let Some(key) = key {
            flows.entry(*key).or_insert((at, at)).1 = at;
        }
    }
    let mut begins: Vec<usize> = flows.values().map(|(first, _)| *first).collect();
    begins.sort_unstable();
    let cuts: Option<Vec<usize>> =
        percents.iter().map(|percent| begins.get(begins.len() * percent / 100).copied()).collect();
    let cuts = cuts?;
    let part = |at: usize| cuts.iter().filter(|cut| at >= **cut).count();
    let mut parts = vec![Capture::default(); cuts.len() + 1];
    for (at, (packet, key)) in capture.packets.iter().zip(&keys).enumerate() {
        let spans =
            key.and_then(|key| flows.get(&key)).is_some_and(|(first, last)| part(*first) != part(*last));
        if !spans {
            parts[part(at)].packets.push(packet.clone());
        }
    }
    let whole = parts.iter().all(|part| part.packets.iter().any(|packet| packet.segment().is_some()));
    (whole && capture.packets.iter().all(|packet| packet.link == link)).then_some(parts)
}

/// These in files of a folder.
fn written(parts: &[Capture], folder: &Path) -> Vec<PathBuf> {
    let path = |number| folder.join(format!("{number}.pcap"));
    for (number, part) in parts.iter().enumerate() {
        write(part, &path(number));
    }
    (0..parts.len()).map(path).collect()
}

fn write(capture: &Capture, path: &Path) {
    let file = BufWriter::new(fs::File::create(path).expect("a temporary file"));
    capture.write_pcap(file, ByteOrder::Little, Resolution::Nanoseconds).expect("it can be written");
}

/// Options of a replay of a fixture, with its files by their whole paths.
fn options(fixture: &Fixture) -> Vec<String> {
    let whole = |one: String| {
        let path = fixture.folder.join(&one);
        if path.exists() { path.display().to_string() } else { one }
    };
    fixture.arguments().into_iter().map(whole).collect()
}

#[test]
fn half_a_capture_and_then_the_other_half_are_learned_as_one() {
    let mut compared = 0;
    for fixture in fixtures() {
        let capture = Capture::read(&fixture.path()).expect("a fixture can be read");
        let Some(halves) = parts(&capture, &[50]) else { continue };
        let folder = tempfile::tempdir().expect("a temporary folder");
        let files = written(&halves, folder.path());
        let files: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
        let (at_once, one_by_one) = (Data::new(), Data::new());
        drop(at_once.replay(&files, &options(&fixture)).ok(&fixture.name));
        for file in files {
            drop(one_by_one.replay(&[file], &options(&fixture)).ok(&fixture.name));
        }
        assert_eq!(one_by_one.all(), at_once.all(), "{}", fixture.name);
        compared += usize::from(!at_once.all().0.is_empty());
    }
    println!("{compared} captures");
    assert!(compared > 15, "{compared} captures");
}

/// Findings that a replay under `--data` sends, each without its number among the events of its run.
fn findings(data: &Data, files: &[PathBuf], config: &Path) -> Vec<Value> {
    let run = Tapwire::new(["replay", "--again", "-q", "--events", "-", "--only", "findings"]).args(files);
    let ran =
        run.args(["--set", "events.keep=none"]).arg("--config", config).arg("--data", data.path()).run();
    // Findings of posture are states, told when a run ends.
    let told = ran.ok("a part").events().into_iter().filter(|event| event["class_uid"] == 2004);
    let plain = told.map(|mut event| {
        event["metadata"]["sequence"].take();
        // It says how many requests the run has judged so far.
        if event["unmapped"]["detector"] == "credentials-in-url" {
            event["message"].take();
            event["finding_info"]["desc"].take();
            event["unmapped"]["reason"].take();
        }
        event
    });
    plain.collect()
}

/// Two days of made-up shops and banks with slow and fast attacks; `None`, said aloud, where the program that makes them was
/// not built.
fn scene(folder: &Path) -> Option<Capture> {
    let program = binary().with_file_name("scenes");
    if !program.exists() {
        // Not by a macro: what those print of a test that passes is not shown.
        let _ = writeln!(std::io::stderr(), "SKIPPED, nothing was tested: there is no {}", program.display());
        return None;
    }
    let out = folder.join("scene");
    let words = ["--seed", "1", "--part", "held-out", "--slice", "1/6", "--benign", "20000", "--no-requests"];
    let made = Command::new(program).args(words).arg(&out).output().expect("scenes can be made");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    Some(Capture::read(&out.with_extension("pcap")).expect("a capture"))
}

#[test]
fn restarts_change_no_finding_and_no_quota() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let Some(capture) = scene(folder.path()) else { return };
    let config = folder.path().join("tapwire.toml");
    fs::write(&config, "[[quota]]\nname = \"all\"\ncalls_an_hour = 20\n").expect("a file");
    for percents in [&[50][..], &[20, 45, 85]] {
        let parts = parts(&capture, percents).expect("connections everywhere");
        let files = written(&parts, folder.path());
        let (whole, cut) = (Data::new(), Data::new());
        let once = findings(&whole, &files, &config);
        let each: Vec<Value> = files.chunks(1).flat_map(|file| findings(&cut, file, &config)).collect();
        let told_by = |name: &str| once.iter().any(|event| event["unmapped"]["detector"] == name);
        for name in ["foreign-objects", "mass-assignment", "denied-probes", "missing-authentication"] {
            assert!(told_by(name), "{name} has nothing to tell");
        }
        let differs = once.iter().zip(&each).find(|(once, each)| once != each);
        assert!(differs.is_none() && once.len() == each.len(), "cut at {percents:?}: {differs:?}");
        let quotas = |data: &Data| {
            let run = Tapwire::new(["quotas", "--json"]).arg("--config", &config).arg("--data", data.path());
            run.run().ok("quotas").events()
        };
        assert_eq!(quotas(&cut), quotas(&whole), "cut at {percents:?}");
        assert!(quotas(&whole)[0]["exceeded_hours"].as_u64() > Some(0), "{}", quotas(&whole)[0]);
    }
}

#[test]
fn what_is_kept_is_told_as_from_the_captures_themselves() {
    let mut compared = 0;
    for fixture in fixtures().into_iter().filter(|fixture| options(fixture).is_empty()) {
        let data = Data::new();
        drop(data.replay(&[&fixture.path()], &[]).ok(&fixture.name));
        let direct = |command: &[&str]| {
            let run = Tapwire::new(command).args(["--json"]).args([fixture.path()]);
            run.arg("--token-key", &data.path().join("token.key")).run().ok(&fixture.name).events()
        };
        // Services behind TLS are of the connections of one run.
        let inventory: Vec<Value> = direct(&["inventory"])
            .into_iter()
            .filter(|one| one["estimated"].is_null() && one["connections"].is_null())
            .collect();
        assert_eq!(data.all(), (inventory, direct(&["callers", "--sessions"])), "{}", fixture.name);
        compared += 1;
    }
    assert!(compared > 30, "{compared} captures");
    let demo = fixtures().into_iter().find(|fixture| fixture.name == "demo").expect("the fixture is there");
    let data = Data::new();
    drop(data.replay(&[&demo.path()], &[]).ok("demo"));
    let service = data.told(&["inventory"])[0]["service"].as_str().expect("a service").to_owned();
    let page = |source: Tapwire| source.run().ok("openapi").stdout;
    let kept = page(Tapwire::new(["openapi", &service]).arg("--data", data.path()));
    let direct = Tapwire::new(["openapi", &service]).args([demo.path()]);
    assert_eq!(kept, page(direct.arg("--token-key", &data.path().join("token.key"))));
}

/// Calls on kept-alive connections, each with an API key of its own.
fn many_callers(path: &Path, callers: std::ops::Range<u32>) {
    let file = BufWriter::new(fs::File::create(path).expect("a temporary file"));
    let mut out = PcapWriter::new(file, ByteOrder::Little, Resolution::Nanoseconds, LinkType::ETHERNET)
        .expect("a header");
    let all: Vec<u32> = callers.collect();
    for (number, some) in (0_u16..).zip(all.chunks(1_000)) {
        let turns = some.iter().map(|caller| turn(*caller)).collect();
        let mut talk = Conversation::new(turns, u64::from(number));
        talk.client = Endpoint::v4([10, 0, 2, 1], 10_000 + number);
        talk.start = Timestamp::from_parts(1_700_000_000 + i64::from(some[0]) / 100, 0);
        talk.think = 10_000;
        talk.play().packets.iter().for_each(|packet| out.write(&packet.packet()).expect("room on the disk"));
    }
}

fn turn(caller: u32) -> Turn {
    let request = format!(
        "GET /orders/{caller} HTTP/1.1\r\nHost: shop.example\r\nX-Api-Key: k-{caller:08x}-{:08x}\r\n\r\n",
        caller.wrapping_mul(0x9e37_79b9)
    );
    let response = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 8\r\n\r\n{\"id\":1}";
    Turn { request: request.into_bytes(), response: response.into() }
}

fn start(data: &Data, arguments: &[&str]) -> Child {
    let mut command = Command::new(binary());
    command.args(arguments).arg("--data").arg(data.path()).arg("-q").args(NO_EVENTS);
    command.env_clear().env("HOME", data.path()).stdin(Stdio::null()).stdout(Stdio::null());
    command.stderr(Stdio::piped()).spawn().expect("tapwire can be started")
}

/// Ends it so that nothing of it can be said or written any more; what it said.
fn kill(mut child: Child) -> String {
    // It may have ended by itself.
    let _ended = child.kill();
    let output = child.wait_with_output().expect("it is waited for");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_kill_at_any_moment_leaves_the_last_whole_checkpoint() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("callers.pcap");
    many_callers(&path, 0..40_000);
    let file = path.display().to_string();
    let data = Data::new();
    let began = Instant::now();
    let mut whole = start(&data, &["replay", "--again", &file]);
    assert!(whole.wait().expect("it ends").success());
    let (took, mut random) = (began.elapsed(), Random::new(7));
    let (mut calls, mut least) = (Vec::new(), 0);
    for round in 0..12_u64 {
        // Each second one is killed while what was learned is written: near its end.
        let percent = if round % 2 == 0 { random.below(100) } else { random.between(80, 105) };
        let child = start(&data, &["replay", "--again", &file]);
        std::thread::sleep(took * u32::try_from(percent).expect("a percentage") / 100);
        assert_eq!(kill(child), "", "round {round}");
        let now = data.told(&["inventory"])[0]["calls"].as_u64().expect("calls");
        assert!(now >= least && now.is_multiple_of(40_000), "round {round}: {now} calls after {least}");
        least = now;
        calls.push(now);
    }
    println!("killed at random, then {calls:?} calls were known");
    assert!(
        fs::read_dir(data.path().join("state"))
            .expect("it is there")
            .all(|entry| { !entry.expect("an entry").file_name().to_string_lossy().contains("damaged") })
    );
}

#[test]
fn a_run_that_goes_on_writes_while_it_does() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let captures = folder.path().join("captures");
    fs::create_dir(&captures).expect("a folder");
    many_callers(&captures.join("0.pcap"), 0..2_000);
    let (data, mut random) = (Data::new(), Random::new(3));
    let directory = captures.display().to_string();
    let mut known = 0;
    for round in 0..4 {
        let begun = Instant::now();
        let child = start(&data, &["replay", "--follow", &directory, "--set", "state.every=1"]);
        // A checkpoint of this run is there, whenever that is; then it goes on for a moment.
        let file = data.state("detectors");
        let written = || fs::metadata(&file).and_then(|about| about.modified()).ok();
        let before = written();
        while written() == before {
            assert!(begun.elapsed() < Duration::from_secs(60), "round {round}: no checkpoint");
            std::thread::sleep(Duration::from_millis(20));
        }
        std::thread::sleep(Duration::from_millis(random.below(1_500) as u64));
        assert_eq!(kill(child), "");
        let now = data.told(&["inventory"])[0]["calls"].as_u64().expect("calls");
        assert!(now > known, "round {round}: {now} calls after {known}");
        known = now;
    }
}

/// So many logins, a minute apart, that set a session cookie with these attributes.
fn logins(path: &Path, minute: i64, count: i64, attributes: &str) {
    let mut capture = Capture::default();
    for number in minute..minute + count {
        let turn = Turn {
            request: b"POST /login HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 0\r\n\r\n".to_vec(),
            response: format!(
                "HTTP/1.1 200 OK\r\nSet-Cookie: sessionid=a{number}; {attributes}\r\nContent-Length: 0\r\n\r\n"
            )
            .into_bytes(),
        };
        let mut talk = Conversation::new(vec![turn], number.unsigned_abs());
        talk.client = Endpoint::v4([10, 0, 2, 1], 10_000 + u16::try_from(number).expect("a port"));
        talk.start = Timestamp::from_parts(1_700_000_000 + number * 60, 0);
        capture.packets.extend(talk.play().packets);
    }
    write(&capture, path);
}

#[test]
fn findings_of_policies_live_on_from_run_to_run() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("logins.pcap");
    let config = folder.path().join("tapwire.toml");
    let data = Data::new();
    let mut minute = 0;
    let mut told = |count: i64, attributes: &str, more: &str| -> Vec<String> {
        logins(&path, minute, count, attributes);
        minute += count;
        fs::write(&config, more).expect("a file");
        let run = Tapwire::new(["replay", "--again", "--events", "-", "--only", "findings"]);
        let ran = run.arg("--config", &config).args([&path]).arg("--data", data.path()).run().ok("a part");
        let states = ran.events().into_iter().filter(|event| event["class_uid"] == 2007);
        states.map(|event| event["unmapped"]["state"].as_str().unwrap_or_default().to_owned()).collect()
    };
    let nothing: Vec<String> = Vec::new();
    assert_eq!(told(5, "Secure", ""), ["open"]);
    assert_eq!(told(5, "Secure", ""), nothing, "it was told by the run before");
    let accepted = "[[accept]]\npolicy = \"session-cookies-without-httponly\"\nservice = \"shop.example\"\n\
                    who = \"Head of Shop\"\nwhy = \"the old app\"\nuntil = \"2099-01-31\"\n";
    assert_eq!(told(5, "Secure", accepted), ["accepted"]);
    assert_eq!(told(5, "Secure", accepted), nothing);
    assert_eq!(told(5, "Secure", ""), ["open"]);
    assert_eq!(told(20, "Secure; HttpOnly", ""), ["fixed"]);
    assert_eq!(told(60, "Secure; HttpOnly", ""), nothing, "not enough calls yet, of both runs");
    assert_eq!(told(60, "Secure; HttpOnly", ""), ["verified"]);
    assert_eq!(told(5, "Secure; HttpOnly", ""), nothing);
    let kpis = data.told(&["kpis"]);
    let kpi = |name: &str| kpis.iter().find(|one| one["name"] == name).expect("a KPI").clone();
    assert_eq!(kpi("time-to-detect")["denominator"], 1);
    let remedied = kpi("time-to-remediate");
    assert_eq!(remedied["denominator"], 1);
    assert!(remedied["value"].as_f64().is_some_and(|value| value > 6_000.0), "{remedied}");
    assert_eq!(told(5, "Secure", ""), ["regressed"]);
}

#[test]
fn a_checkpoint_that_cannot_be_written_is_said_once_and_tried_again() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    many_callers(&folder.path().join("0.pcap"), 0..100);
    let data = Data::new();
    let (state, aside) = (data.path().join("state"), data.path().join("elsewhere"));
    let arguments = [Path::new("--data"), data.path(), Path::new("--set"), Path::new("state.every=1")];
    let run = Following::start(folder.path(), &arguments);
    let written = || fs::metadata(data.state("policies")).is_ok();
    let began = Instant::now();
    while !written() {
        assert!(began.elapsed() < Duration::from_secs(60), "no checkpoint");
        std::thread::sleep(Duration::from_millis(20));
    }
    fs::rename(&state, &aside).expect("it is there");
    let line = run.wait_for("what is learned is not kept: ");
    assert!(line.contains("cannot write") && line.contains("state/"), "{line}");
    // Two more rounds fail, and are not said.
    std::thread::sleep(Duration::from_millis(2_500));
    fs::rename(&aside, &state).expect("it is there");
    let (between, _) = run.told_until("what is learned is kept again");
    assert_eq!(between, Vec::<String>::new());
}

#[test]
fn what_cannot_be_used_is_set_aside_and_said() {
    let demo = fixtures().into_iter().find(|fixture| fixture.name == "demo").expect("the fixture is there");
    let data = Data::new();
    drop(data.replay(&[&demo.path()], &[]).ok("demo"));
    let (file, expected) = (data.state("inventory"), data.all());
    let whole = fs::read(&file).expect("it was written");
    let mut cases: Vec<(Vec<u8>, &str)> = Vec::new();
    for at in [0, 3, 9, 17, 21, 40, whole.len() / 2, whole.len() - 1] {
        let mut flipped = whole.clone();
        flipped[at] ^= 0x20;
        cases.push((flipped, ""));
    }
    for cut in [0, 1, 19, 20, 24, whole.len() / 2, whole.len() - 1] {
        cases.push((whole[..cut].to_vec(), ""));
    }
    for (number, (bytes, _)) in (1..).zip(&cases) {
        fs::write(&file, bytes).expect("it can be written");
        // What was told before is not told again.
        for told in ["detectors", "incidents"] {
            fs::remove_file(data.state(told)).expect("it was written");
        }
        let read = Tapwire::new(["inventory"]).arg("--data", data.path()).run();
        assert_eq!(read.code, Some(2), "{}", read.stderr);
        assert!(read.stderr.contains("state/inventory: ") && file.exists(), "{}", read.stderr);
        let ran = data.replay(&[&demo.path()], &[]).ok("it goes on without");
        let aside = format!("state/inventory.damaged-{}: ", number.min(9));
        let lines: Vec<&str> = ran.stderr.lines().filter(|line| line.contains(&aside)).collect();
        assert!(lines.len() == 1 && lines[0].contains("set aside"), "{number}: {}", ran.stderr);
        assert_eq!(data.all(), expected, "{number}: it was learned anew");
    }
    let aside = fs::read_dir(data.path().join("state")).expect("it is there");
    assert_eq!(
        aside
            .filter(|entry| entry.as_ref().is_ok_and(|entry| entry
                .path()
                .display()
                .to_string()
                .contains("damaged")))
            .count(),
        9
    );
}

#[test]
fn the_state_of_another_token_key_is_set_aside() {
    let demo = fixtures().into_iter().find(|fixture| fixture.name == "demo").expect("the fixture is there");
    let data = Data::new();
    drop(data.replay(&[&demo.path()], &[]).ok("demo"));
    let other = data.path().join("other.key");
    fs::write(&other, [9; 32]).expect("a key");
    let key = other.display().to_string();
    let ran = data.replay(&[&demo.path()], &["--token-key".into(), key.clone()]).ok("another key");
    let told: Vec<&str> =
        ran.stderr.lines().filter(|line| line.contains("another token key; set aside")).collect();
    assert_eq!(told.len(), 5, "inventory, detectors, rules, incidents and policies: {}", ran.stderr);
    let read = Tapwire::new(["inventory", "--json"]).arg("--data", data.path()).run();
    assert!(read.code == Some(2) && read.stderr.contains("with another token key"), "{}", read.stderr);
    let given = Tapwire::new(["inventory", "--json", "--token-key", &key]).arg("--data", data.path()).run();
    assert!(!given.ok("with its key").stdout.is_empty());
}

#[test]
fn analysis_off_leaves_what_was_learned_alone() {
    let demo = fixtures().into_iter().find(|fixture| fixture.name == "demo").expect("the fixture is there");
    let data = Data::new();
    drop(data.replay(&[&demo.path()], &[]).ok("demo"));
    let before = fs::read(data.state("inventory")).expect("it was written");
    drop(data.replay(&[&demo.path()], &["--analysis".into(), "off".into()]).ok("off"));
    assert_eq!(fs::read(data.state("inventory")).expect("it is there"), before);
}

#[test]
fn nothing_that_was_learned_is_one_clear_line() {
    let data = Data::new();
    let missing = data.path().join("missing");
    let line = |command: &[&str], folder: &Path| {
        let ran = Tapwire::new(command).arg("--data", folder).run();
        assert_eq!((ran.code, ran.stderr.lines().count()), (Some(2), 1), "{}", ran.stderr);
        ran.stderr
    };
    for command in [&["inventory"][..], &["callers"], &["openapi", "shop"]] {
        assert!(line(command, &missing).contains("does not exist"));
        assert!(line(command, data.path()).contains("no data directory"));
    }
    let demo = fixtures().into_iter().find(|fixture| fixture.name == "demo").expect("the fixture is there");
    drop(data.replay(&[&demo.path()], &["--analysis".into(), "off".into()]).ok("off"));
    assert!(line(&["inventory"], data.path()).contains("nothing that was learned is kept there"));
}

/// The most memory that a process held until it ended, in bytes, and how it ended.
fn peak(mut child: Child) -> u64 {
    let path = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    while child.try_wait().expect("it can be asked").is_none() {
        let status = fs::read_to_string(&path).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        peak = kib.map_or(peak, |kib| peak.max(kib * 1024));
        std::thread::sleep(Duration::from_millis(2));
    }
    let output = child.wait_with_output().expect("it ended");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    peak
}

#[test]
fn a_flood_of_callers_is_kept_and_loaded_within_the_bound() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [flood, little] = ["flood.pcap", "little.pcap"].map(|name| folder.path().join(name));
    many_callers(&flood, 0..250_000);
    many_callers(&little, 0..1_000);
    let data = Data::new();
    let run =
        |file: &Path| peak(start(&data, &["replay", &file.display().to_string(), "--memory", "128MiB"]));
    let (learned, loaded) = (run(&flood), run(&little));
    let size = fs::metadata(data.state("inventory")).expect("it was written").len();
    println!("at most {} MiB, then {} MiB; {} KiB kept", learned / MIB, loaded / MIB, size / 1024);
    assert!(size > 2 * MIB, "the table of callers is full");
    assert!(learned <= (128 + 64) * MIB && loaded <= (128 + 64) * MIB);
}
