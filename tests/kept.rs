//! What is kept under `--data` counts once, and what of it is damaged is said.

use serde_json::Value;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use tapwire_tests::{Ran, Tapwire, fixtures, replay_of_a_pipe, token_key, workspace};

/// Longer than any machine takes that still works.
const PATIENCE: Duration = Duration::from_secs(120);

fn clinic() -> String {
    workspace().join("fixtures/case/clinic.pcap.gz").display().to_string()
}

fn replay(data: &Path, more: &[&str]) -> Ran {
    let run = Tapwire::new(["replay", &clinic(), "-q", "--events", "null://"]).args(["--data"]);
    run.args([data]).args(more).run()
}

fn of(data: &Path, command: &[&str]) -> Ran {
    Tapwire::new(command).args(["--data"]).args([data]).run()
}

fn calls(data: &Path) -> u64 {
    let services = of(data, &["inventory", "--json"]).ok("inventory").events();
    services.iter().filter_map(|one| one["calls"].as_u64()).sum()
}

/// Exit code 2 and one line that has these words.
fn refused(ran: &Ran, words: &[&str]) {
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
    assert!(words.iter().all(|word| ran.stderr.contains(word)), "{words:?} in {}", ran.stderr);
}

/// A data directory with a replay of the capture, and its incident.
fn kept(more: &[&str]) -> (tempfile::TempDir, String) {
    let data = tempfile::tempdir().expect("a temporary folder");
    let _key = token_key(data.path());
    let _ran = replay(data.path(), more).ok("replay");
    let incidents = of(data.path(), &["incidents", "--json"]).ok("incidents").events();
    let uid = incidents.first().and_then(|one| one["uid"].as_str()).expect("an incident").to_owned();
    (data, uid)
}

fn damage(path: &Path) {
    let mut bytes = fs::read(path).expect("a file");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x55;
    fs::write(path, bytes).expect("a writable file");
}

#[test]
fn a_capture_is_taken_in_once() {
    let (data, _) = kept(&[]);
    let (data, before) = (data.path(), calls(data.path()));
    refused(&replay(data, &[]), &["clinic.pcap.gz", "has it since", "twice", "--again"]);
    refused(&replay(data, &["--where", "status >= 400"]), &["clinic.pcap.gz", "--again"]);
    let renamed = data.join("other.pcap.gz");
    fs::copy(clinic(), &renamed).expect("a copy");
    let look = Tapwire::new(["replay", "-q", "--events", "null://", "--data"]).args([data, &renamed]);
    refused(&look.run(), &["other.pcap.gz", "as clinic.pcap.gz"]);
    assert_eq!(calls(data), before);
    let other = fixtures().into_iter().find(|one| one.name == "basic-rest").expect("the fixture").path();
    let run = Tapwire::new(["replay", "-q", "--events", "null://", "--data"]).args([data, &other]);
    let _ran = run.run().ok("another capture");
    let with_it = calls(data);
    let _ran = replay(data, &["--again"]).ok("again");
    assert_eq!(calls(data), with_it + before);
}

#[test]
fn a_capture_of_which_a_part_is_kept_is_no_other() {
    let data = tempfile::tempdir().expect("a temporary folder");
    let _ran = replay(data.path(), &["-c", "20"]).ok("twenty exchanges");
    refused(&replay(data.path(), &[]), &["has a part of it", "--again"]);
    let _ran = replay(data.path(), &["--again"]).ok("again");
    refused(&replay(data.path(), &[]), &["has it since"]);
}

#[test]
fn what_was_learned_and_is_damaged_is_not_nothing() {
    let (data, uid) = kept(&[]);
    let data = data.path();
    fs::write(data.join("state/incidents"), [7; 500]).expect("a writable file");
    for more in [&[][..], &["--json"]] {
        let ran = of(data, &[&["incidents"], more].concat());
        refused(&ran, &["state/incidents", "is damaged"]);
        assert!(ran.stdout.is_empty());
    }
    let ran = of(data, &["inventory"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains("state/incidents: is damaged") && !ran.stdout.is_empty(), "{}", ran.stderr);
    let day =
        fs::read_dir(data.join("events")).expect("events").next().expect("a day").expect("a file").path();
    damage(&day);
    let ran = of(data, &["show", &uid]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains(&format!("{}: ", day.display())), "{}", ran.stderr);
    assert!(ran.stderr.contains("are torn"), "{}", ran.stderr);
    for reader in [&["findings"][..], &["feedback", &uid, "true"]] {
        let ran = of(data, reader);
        assert!(ran.stderr.contains("are torn; events in them are missing here"), "{}", ran.stderr);
    }
}

#[test]
fn of_packets_that_cannot_be_read_nobody_is_counted() {
    let (data, uid) = kept(&["--two-pass", "--set", "packets.budget=64MiB"]);
    let data = data.path();
    let whole = &of(data, &["blast-radius", &uid, "--json"]).ok("blast-radius").events()[0];
    for segment in fs::read_dir(data.join("packets")).expect("packets") {
        let path = segment.expect("a segment").path();
        let length = fs::metadata(&path).expect("a file").len();
        fs::OpenOptions::new()
            .write(true)
            .open(&path)
            .expect("a file")
            .set_len(length / 2)
            .expect("it is cut");
    }
    let ran = of(data, &["blast-radius", &uid]);
    let page = String::from_utf8_lossy(&ran.stdout).into_owned();
    assert!(page.contains("at least") && page.contains("could not be read"), "{page}{}", ran.stderr);
    assert!(!page.contains("was read whole"), "{page}");
    let cut: &Value = &of(data, &["blast-radius", &uid, "--json"]).events()[0];
    assert!(cut["exact"] == false && cut["at_least"] == true, "{cut}");
    assert!(cut["unread_packets"].as_array().is_some_and(|all| !all.is_empty()), "{cut}");
    assert!(cut["persons"].as_u64() <= whole["persons"].as_u64(), "{cut}");
}

#[test]
fn a_command_that_is_printed_can_be_pasted() {
    let (data, _) = kept(&[]);
    let capture = clinic();
    let key = tempfile::tempdir().expect("a temporary folder");
    let key = token_key(key.path());
    let key = key.display().to_string();
    let shown = data.path().display().to_string();
    for arguments in [vec!["--data", &shown], vec![&capture, "--token-key", &key, "--two-pass"]] {
        let ran = Tapwire::new(["incidents"]).args(&arguments).run().ok("incidents");
        let page = String::from_utf8_lossy(&ran.stdout).into_owned();
        let line = page.lines().find_map(|line| line.trim().strip_prefix("tapwire ")).expect("a command");
        let ran = Tapwire::new(line.split(' ')).run().ok(line);
        assert!(String::from_utf8_lossy(&ran.stdout).contains("Incident"), "{line}");
    }
}

#[test]
fn a_hangup_keeps_what_was_read() {
    let data = tempfile::tempdir().expect("a temporary folder");
    let _key = token_key(data.path());
    let (mut child, mut input) = replay_of_a_pipe(data.path());
    let capture = fixtures().into_iter().find(|one| one.name == "basic-rest").expect("the fixture").path();
    input.write_all(&fs::read(capture).expect("the capture")).expect("it is read");
    input.flush().expect("it is read");
    let pid = child.id().to_string();
    // Signals that a process catches, as a mask; SIGHUP is the lowest.
    let listens = || {
        let about = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
        let mask = about.lines().find_map(|line| line.strip_prefix("SigCgt:")).expect("a mask").trim();
        u64::from_str_radix(mask, 16).expect("a mask") & 1 == 1
    };
    let began = Instant::now();
    while !listens() {
        assert!(began.elapsed() < PATIENCE, "it does not listen");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(Command::new("kill").args(["-HUP", &pid]).status().expect("kill").success());
    drop(input);
    let status = child.wait().expect("it ends");
    assert!(matches!(status.code(), Some(0 | 130)), "{status}");
    assert!(data.path().join("state/inventory").exists(), "what was learned is kept");
}
