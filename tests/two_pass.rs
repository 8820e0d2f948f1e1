//! Five minutes in which the attack comes before anything is known: said to be unjudged in one pass, found in two.

use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use tapwire_capture::{ByteOrder, Resolution};
use tapwire_testkit::{Capture, Conversation, Turn};
use tapwire_tests::{Ran, Tapwire};
use tapwire_wire::{Endpoint, Timestamp};

const BEGIN: i64 = 1_700_000_000;

fn turn(id: u64, credential: &str) -> Turn {
    let request = format!("GET /patients/{id} HTTP/1.1\r\nHost: clinic.test\r\n{credential}\r\n");
    let body = format!(r#"{{"id":{id},"ssn":"536-22-84{:02}","email":"p{id}@mail.test"}}"#, id % 90 + 10);
    let length = body.len();
    let response = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    Turn { request: request.into_bytes(), response: response.into_bytes() }
}

/// One client's calls, from that second on.
fn client(last: u8, second: i64, turns: Vec<Turn>) -> Capture {
    let start = Timestamp::from_parts(BEGIN + second, 0);
    let script = Conversation::new(turns, u64::from(last));
    Conversation { client: Endpoint::v4([10, 0, 0, last], 40_000), start, ..script }.play()
}

/// Somebody without credentials reads six patients; then twenty doctors read ten each, with theirs.
fn capture(attacked: bool) -> Capture {
    let mut all = Capture::default();
    if attacked {
        all = client(9, 0, (0..6).map(|id| turn(4_000 + id * 7, "")).collect());
    }
    for doctor in 0..20_u8 {
        let key = format!("Authorization: Bearer 0a1b2c3d4e5f6a7b{doctor:04}\r\n");
        let base = 5_000 + u64::from(doctor) * 101;
        let turns = (0..10).map(|id| turn(base + id * 3, &key)).collect();
        all.packets.extend(client(20 + doctor, 30 + i64::from(doctor) * 12, turns).packets);
    }
    all.packets.sort_by_key(|packet| packet.time);
    all.numbered()
}

/// The captures with and without the attack, in a folder.
fn captures() -> (tempfile::TempDir, PathBuf, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let write = |name: &str, attacked: bool| {
        let path = folder.path().join(name);
        let file = fs::File::create(&path).expect("a file in a temporary folder");
        capture(attacked).write_pcap(file, ByteOrder::Little, Resolution::Nanoseconds).expect("a capture");
        path
    };
    let (attacked, usual) = (write("attacked.pcap", true), write("usual.pcap", false));
    (folder, attacked, usual)
}

fn found(ran: &Ran) -> Vec<String> {
    let events = ran.events();
    let findings = events.iter().filter(|event| event["class_uid"] == 2004);
    findings.map(|event| event["unmapped"]["detector"].as_str().expect("a detector").to_owned()).collect()
}

fn events(path: &PathBuf, more: &[&str]) -> Ran {
    let run = Tapwire::new(["replay", "-q", "--events", "-"]).key().args(more);
    run.args([path]).run().ok("replay")
}

fn summary(path: &PathBuf, more: &[&str]) -> Value {
    let ran = Tapwire::new(["replay", "--json"]).key().args(more).args([path]).run().ok("replay");
    serde_json::from_slice(&ran.stdout).expect("a summary")
}

fn waits<'a>(summary: &'a Value, detector: &str) -> Option<&'a Value> {
    let all = summary["not_judged"].as_array().expect("what was not judged");
    all.iter().find(|one| one["detector"] == detector)
}

#[test]
fn an_attack_before_anything_is_known_is_unjudged_in_one_pass_and_found_in_two() {
    let (_folder, attacked, usual) = captures();
    let once = summary(&attacked, &[]);
    let said = waits(&once, "missing-authentication").expect("it says what it could not judge");
    assert_eq!((&said["unjudged_calls"], &said["needed"]), (&14.into(), &15.into()), "{said}");
    assert_eq!(found(&events(&attacked, &[])), [""; 0]);
    let twice = summary(&attacked, &["--two-pass"]);
    assert_eq!(waits(&twice, "missing-authentication"), None);
    for more in [&["--two-pass"][..], &["--learn-from", usual.to_str().expect("a path")]] {
        assert_eq!(found(&events(&attacked, more)), ["missing-authentication"], "{more:?}");
    }
    assert_eq!(found(&events(&usual, &["--two-pass"])), [""; 0]);
}

#[test]
fn two_passes_learn_what_one_learns_and_send_each_event_once() {
    let (_folder, attacked, _) = captures();
    let (once, twice) = (summary(&attacked, &[]), summary(&attacked, &["--two-pass"]));
    assert_eq!(once["services"], twice["services"]);
    let exchanges = |ran: Ran| ran.events().iter().filter(|event| event["class_uid"] == 6003).count();
    assert_eq!(exchanges(events(&attacked, &["--two-pass"])), 206);
    let first =
        events(&attacked, &["--two-pass", "--threads", "0", "--only", "exchanges,findings,sensor"]).stdout;
    for threads in ["1", "3"] {
        let more = ["--two-pass", "--threads", threads, "--only", "exchanges,findings,sensor"];
        assert!(events(&attacked, &more).stdout == first, "--threads {threads}");
    }
}

#[test]
fn what_cannot_be_read_twice_is_refused_in_one_line() {
    for (arguments, line) in [
        (
            &["--two-pass", "-"][..],
            "--two-pass: standard input can be read only once; write it to a file, and give that",
        ),
        (&["--learn-from", "-", "."], "--learn-from: give files or directories, not standard input"),
    ] {
        let ran = Tapwire::new(["replay"]).key().args(arguments).run();
        assert_eq!(ran.code, Some(2));
        assert_eq!(ran.stderr.trim_end(), format!("tapwire: {line}"));
    }
}

/// The incident that two passes find, and whose records it has, by what `more` says.
fn radius(incident: &str, more: &[&str]) -> Ran {
    Tapwire::new(["blast-radius", "--json", incident]).args(more).run()
}

#[test]
fn the_radius_of_what_two_passes_find_is_counted_from_captures_and_from_what_is_kept() {
    let (folder, attacked, usual) = captures();
    let key = tapwire_tests::token_key(folder.path()).display().to_string();
    let (attacked, usual) = (attacked.display().to_string(), usual.display().to_string());
    let data = folder.path().join("data").display().to_string();
    let kept = ["--token-key", &key, "--two-pass", "--set", "packets.budget=64MiB", "--data", &data];
    let summary = Tapwire::new(["replay", "--json", "--events", "/dev/null", &attacked]).args(kept).run();
    let summary = summary.ok("replay").events().remove(0);
    let incident = summary["incidents"][0]["uid"].as_str().expect("an incident").to_owned();
    for more in [
        &["--two-pass", &attacked, "--token-key", &key][..],
        &["--learn-from", &usual, &attacked, "--token-key", &key],
        &["--data", &data, "--token-key", &key],
    ] {
        let left = radius(&incident, more).ok("blast-radius").events().remove(0);
        assert_eq!((&left["persons"], &left["exact"]), (&6.into(), &true.into()), "{more:?}: {left}");
    }
    let once = radius(&incident, &[&attacked, "--token-key", &key]);
    assert!(once.code == Some(2) && once.stderr.contains("--two-pass"), "{}", once.stderr);
}

#[test]
fn what_two_passes_find_is_shown_by_two_passes() {
    let (_folder, attacked, _) = captures();
    let told = events(&attacked, &["--two-pass", "--only", "findings"]).events();
    let uid = told.first().and_then(|finding| finding["finding_info"]["uid"].as_str()).expect("a finding");
    let show = |more: &[&str]| Tapwire::new(["show", uid]).args([&attacked]).key().args(more).run();
    assert_eq!(show(&[]).code, Some(2), "one pass finds it, so nothing is shown by two");
    let shown = show(&["--two-pass", "--json"]).ok("show");
    assert!(shown.events().iter().any(|event| event["finding_info"]["uid"] == uid), "{:?}", shown.events());
    let kept = Tapwire::new(["show", uid, "--two-pass"]).run();
    assert!(kept.code == Some(2) && kept.stderr.contains("<PATH>"), "{}", kept.stderr);
}
