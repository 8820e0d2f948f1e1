//! Incidents through the real binary: as events, as stored, as a story; muted, judged by people, and over a restart.

use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use tapwire_testkit::{Capture, Conversation, Turn};
use tapwire_tests::{Fixture, Following, Ran, Tapwire, fixtures, token_key};
use tapwire_wire::{Endpoint, Timestamp};

fn fixture() -> Fixture {
    let found = fixtures().into_iter().find(|fixture| fixture.name == "credentials-in-url");
    found.expect("the fixture is in the tree")
}

fn text(ran: &Ran) -> String {
    String::from_utf8(ran.stdout.clone()).expect("UTF-8")
}

/// A data directory with what a replay of the fixture leaves there.
fn kept() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let _key = token_key(folder.path());
    let _ = replay(folder.path(), &[]).ok("replay");
    folder
}

fn replay(data: &Path, more: &[&str]) -> Ran {
    let options = ["--again", "--events", "/dev/null", "--json", "--data"];
    Tapwire::new(["replay".as_ref(), fixture().path().as_os_str()])
        .args(options)
        .args([data])
        .args(more)
        .run()
}

fn told(command: &[&str], data: &Path) -> Ran {
    Tapwire::new(command).args(["--data".as_ref(), data.as_os_str()]).run()
}

fn uids(events: &[Value]) -> Vec<&str> {
    let mut uids: Vec<&str> = events.iter().filter_map(|event| event["uid"].as_str()).collect();
    uids.sort_unstable();
    uids
}

#[test]
fn what_was_stored_is_what_captures_tell() {
    let data = kept();
    for command in ["findings", "incidents"] {
        let stored = told(&[command, "--json"], data.path()).ok(command).events();
        let capture = Tapwire::new([command, "--json"]).args([fixture().path()]).run().ok(command).events();
        assert!(stored.len() > 1 && uids(&stored) == uids(&capture), "{command}: {stored:?} {capture:?}");
    }
}

#[test]
fn only_incidents_are_told_alone_and_once_each() {
    let events = Tapwire::replay(&fixture())
        .args(["--events", "-", "--only", "incidents"])
        .run()
        .ok("replay")
        .events();
    assert!(events.len() > 1 && events.iter().all(|event| event["class_uid"] == 2005));
    let mut uids: Vec<&str> = events.iter().filter_map(|event| event["metadata"]["uid"].as_str()).collect();
    uids.sort_unstable();
    uids.dedup();
    assert_eq!(uids.len(), events.len());
}

#[test]
fn an_incident_is_shown_as_a_story() {
    let data = kept();
    let incidents = told(&["incidents", "--json"], data.path()).ok("incidents").events();
    let uid = incidents[0]["uid"].as_str().expect("an uid");
    let page = text(&told(&["show", &uid[..12]], data.path()).ok("show"));
    let at = |text: &str| page.find(text).unwrap_or_else(|| panic!("\"{text}\" is missing in\n{page}"));
    let groups = ["Incident ", "Who", "Where", "Timeline", "What to do"].map(at);
    assert!(groups.is_sorted() && page.contains(uid), "{page}");
    at("Credentials in the URL");
}

#[test]
fn a_mute_keeps_findings_back_until_it_ends() {
    let muted = |until: &str| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let config = folder.path().join("tapwire.toml");
        let mute = format!(
            "[[mute]]\nwhere = \"detector == 'credentials-in-url'\"\nuntil = {until}\nwhy = \"known\"\n"
        );
        fs::write(&config, mute).expect("a file");
        let config = config.display().to_string();
        replay(&folder.path().join("data"), &["--config", &config]).ok("replay").events().remove(0)
    };
    let (kept_back, told) = (muted("2099-01-31"), muted("2020-01-31"));
    assert_eq!(kept_back["incidents"].as_array().map(Vec::len), Some(0));
    let count = kept_back["findings_muted"].as_u64().expect("a count");
    assert!(count > 1 && kept_back["mutes"][0]["muted"] == count);
    assert!(told["incidents"].as_array().is_some_and(|all| all.len() > 1));
    assert!(told["mutes"][0]["told_again"].as_u64() >= Some(count) && told["findings_muted"] == 0);
}

#[test]
fn what_people_say_is_kept_and_counted() {
    let data = kept();
    let incidents = told(&["incidents", "--json"], data.path()).ok("incidents").events();
    let say = |at: usize, verdict: &str| {
        let uid = incidents[at]["uid"].as_str().expect("an uid");
        let _ = told(&["feedback", uid, verdict, "--why", "looked at it"], data.path()).ok("feedback");
    };
    [(0, "false"), (0, "true"), (1, "false"), (2, "benign")]
        .into_iter()
        .for_each(|(at, verdict)| say(at, verdict));
    let summary = replay(data.path(), &[]).ok("replay").events().remove(0);
    assert_eq!(summary["feedback"], serde_json::json!({"true": 1, "false": 1, "benign": 1}));
    let kpis = told(&["kpis", "--json"], data.path()).ok("kpis").events();
    let precision =
        kpis.iter().find(|kpi| kpi["name"] == "incident-precision" || kpi["kpi"] == "incident-precision");
    assert!(precision.is_some_and(|kpi| kpi.to_string().contains("\"denominator\":3")), "{precision:?}");
    let file = data.path().join("feedback.jsonl");
    let mut bytes = fs::read(&file).expect("what was said");
    bytes.extend_from_slice(b"\xff\xfe torn");
    fs::write(&file, bytes).expect("it can be written");
    say(2, "true");
    let summary = replay(data.path(), &[]).ok("replay").events().remove(0);
    assert_eq!(
        summary["feedback"],
        serde_json::json!({"true": 2, "false": 1, "benign": 0}),
        "a torn line is alone"
    );
    let unknown = told(&["feedback", "00000000", "true"], data.path());
    assert!(unknown.code == Some(2) && unknown.stderr.contains("00000000"), "{}", unknown.stderr);
}

#[test]
fn incidents_go_on_after_a_restart_and_damage_is_said() {
    let data = kept();
    let before = told(&["incidents", "--json"], data.path()).ok("incidents").events();
    let again = replay(data.path(), &[]).ok("replay").events().remove(0);
    // The same calls a second time say nothing new: whatever detectors told is known, and so are incidents.
    assert_eq!(again["findings"].as_array().map(Vec::len), Some(0), "{again}");
    let after = told(&["incidents", "--json"], data.path()).ok("incidents").events();
    assert_eq!(uids(&before), uids(&after));
    let state = data.path().join("state/incidents");
    let mut bytes = fs::read(&state).expect("the checkpoint");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&state, bytes).expect("it can be written");
    let damaged = replay(data.path(), &[]).ok("replay");
    assert!(damaged.stderr.contains("state/incidents.damaged-1"), "{}", damaged.stderr);
}

/// A capture in which somebody reads so many patients, a hundred at a time.
fn leak(path: &Path, persons: u32) {
    let page = |begin: u32| {
        let one = |number: u32| format!("{{\"id\":{number},\"email\":\"patient{number}@example.org\"}}");
        let all: Vec<String> = (begin..persons.min(begin + 100)).map(one).collect();
        let body = format!("[{}]", all.join(","));
        Turn {
            request: format!(
                "GET /patients?page={begin} HTTP/1.1\r\nHost: clinic.test\r\nX-Api-Key: k-17-thief\r\n\r\n"
            )
            .into_bytes(),
            response: format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            )
            .into_bytes(),
        }
    };
    let turns: Vec<Turn> = (0..persons).step_by(100).map(page).collect();
    let file = std::io::BufWriter::new(fs::File::create(path).expect("a file"));
    Conversation::new(turns, 1)
        .play()
        .write_pcap(file, tapwire_capture::ByteOrder::Little, tapwire_capture::Resolution::Nanoseconds)
        .expect("it can be written");
}

#[test]
fn planted_leaks_are_counted_in_captures() {
    for persons in [100, 9_999, 10_000] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let capture = folder.path().join("leak.pcap");
        leak(&capture, persons);
        let key = token_key(folder.path()).display().to_string();
        let callers = Tapwire::new(["callers", "--json", "--token-key", &key])
            .args([&capture])
            .run()
            .ok("callers")
            .events();
        let asked = callers[0]["principal"].as_str().expect("a name");
        let left =
            Tapwire::new(["blast-radius", asked, "--json", "--token-key", &key]).args([&capture]).run();
        let left = left.ok("blast-radius").events().remove(0);
        assert_eq!((&left["persons"], &left["exact"]), (&persons.into(), &true.into()), "{left}");
        assert_eq!(
            (&left["unread_answers"], &left["unseen_persons_at_most"]),
            (&0.into(), &0.into()),
            "{left}"
        );
    }
}

fn http(request: &str, body: &str) -> Vec<u8> {
    let media = "Content-Type: application/json\r\n";
    format!("{request}\r\nHost: shop.test\r\n{media}Content-Length: {}\r\n\r\n{body}", body.len())
        .into_bytes()
}

/// A hundred addresses try a name each; every fourth gets in, and reads what that account has.
fn stuffing(path: &Path) {
    let mut all = Capture::default();
    for number in 0..100_u8 {
        let login = format!(r#"{{"username":"victim{number}@mail.test","password":"pw-{number}-x"}}"#);
        let request = http("POST /login HTTP/1.1", &login);
        let token = format!("tok-{number:03}-9f8e7d6c5b4a39281706");
        let mut turns = match number % 4 {
            3 => {
                let body = format!(r#"{{"access_token":"{token}","email":"victim{number}@mail.test"}}"#);
                vec![Turn { request, response: http("HTTP/1.1 200 OK", &body) }]
            }
            _ => vec![Turn { request, response: http("HTTP/1.1 401 Unauthorized", r#"{"error":"wrong"}"#) }],
        };
        if number % 4 == 3 {
            let request =
                format!("GET /contacts HTTP/1.1\r\nHost: shop.test\r\nAuthorization: Bearer {token}\r\n\r\n");
            let body = format!(r#"[{{"email":"friend{number}@mail.test"}}]"#);
            turns.push(Turn { request: request.into_bytes(), response: http("HTTP/1.1 200 OK", &body) });
        }
        let start = Timestamp::from_parts(1_700_000_000 + i64::from(number) * 3, 0);
        let script = Conversation::new(turns, u64::from(number));
        let client = Endpoint::v4([198, 51, 100, number + 1], 40_000);
        all.packets.extend(Conversation { client, start, ..script }.play().packets);
    }
    all.packets.sort_by_key(|packet| packet.time);
    let file = std::io::BufWriter::new(fs::File::create(path).expect("a file"));
    all.numbered()
        .write_pcap(file, tapwire_capture::ByteOrder::Little, tapwire_capture::Resolution::Nanoseconds)
        .expect("it can be written");
}

#[test]
fn what_left_by_logins_from_everywhere_is_counted_and_said_to_be_unsure() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let capture = folder.path().join("stuffing.pcap");
    stuffing(&capture);
    let key = token_key(folder.path()).display().to_string();
    let tapwire = |command: &[&str]| {
        Tapwire::new(command).args(["--json", "--token-key", &key]).args([&capture]).run().ok("it").events()
    };
    let incidents = tapwire(&["incidents"]);
    let incident = incidents.iter().find(|one| one.to_string().contains("distributed-stuffing"));
    let uid = incident.and_then(|one| one["uid"].as_str()).unwrap_or_else(|| panic!("{incidents:?}"));
    let left = tapwire(&["blast-radius", uid]).remove(0);
    assert_eq!((&left["persons"], &left["answers"]), (&50.into(), &50.into()), "{left}");
    assert!(left["logins_of_anybody"].is_array(), "{left}");
}

#[test]
fn mutes_are_read_again_while_a_run_goes_on() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (captures, config) = (folder.path().join("captures"), folder.path().join("tapwire.toml"));
    fs::create_dir(&captures).expect("a folder");
    let come = |number: u8| {
        let target = format!("/of-{number}?access_token=9f8e7d6c5b4a39281706{number}");
        let request = format!("GET {target} HTTP/1.1\r\nHost: shop{number}.test\r\n\r\n").into_bytes();
        let turns = vec![Turn { request, response: http("HTTP/1.1 200 OK", "{}") }];
        let start = Timestamp::from_parts(1_700_000_000 + i64::from(number), 0);
        let capture = Conversation { start, ..Conversation::new(turns, number.into()) }.play();
        let file = fs::File::create(captures.join(format!("{number}.pcap"))).expect("a file");
        capture
            .write_pcap(file, tapwire_capture::ByteOrder::Little, tapwire_capture::Resolution::Nanoseconds)
            .expect("a capture");
    };
    let is_of = |event: &Value, class: u32, number: u8| {
        event["class_uid"] == class && event.to_string().contains(&format!("shop{number}.test"))
    };
    // Nobody reads half of it.
    let configure = |text: &str| {
        let beside = folder.path().join("beside");
        fs::write(&beside, text).and_then(|()| fs::rename(&beside, &config)).expect("a file");
    };
    configure("");
    come(1);
    let key = token_key(folder.path());
    let run = Following::start(&captures, &[Path::new("--config"), &config, Path::new("--token-key"), &key]);
    run.event(|event| is_of(event, 2004, 1));
    let mute =
        "[[mute]]\nwhere = \"detector == 'credentials-in-url'\"\nuntil = 2099-01-31\nwhy = \"known\"\n";
    configure(mute);
    run.hang_up();
    run.wait_for("mutes read again: 1 mute");
    come(2);
    let next = |class: u32, number: u8| {
        run.event(|event| {
            assert!(!is_of(event, 2004, 2), "muted: {event}");
            is_of(event, class, number)
        })
    };
    next(6003, 2);
    configure(&mute.replace("2099-01-31", "'soon'"));
    run.hang_up();
    run.wait_for("mutes stay as they were");
    configure("");
    run.hang_up();
    run.wait_for("mutes read again: 0 mutes");
    come(3);
    next(2004, 3);
}

/// What an event says is wrong where: a weakness at an exchange, or a policy of a service.
fn facts(event: &Value) -> Vec<String> {
    let extra = &event["unmapped"];
    let exchanges = extra["exchanges"].as_array().into_iter().flatten();
    let mut all: Vec<String> = exchanges.map(|uid| format!("{uid} {}", extra["cwe"])).collect();
    if event["class_uid"] != 2004 {
        all.push(format!("{} {}", event["resources"], extra["cwe"]));
    }
    all
}

#[test]
fn no_fixture_yields_two_findings_for_one_fact() {
    let (mut twice, mut count) = (Vec::new(), 0);
    for fixture in fixtures() {
        let ran = Tapwire::replay(&fixture).args(["-q", "--only", "findings", "--events", "-"]).run();
        let mut known: BTreeMap<String, String> = BTreeMap::new();
        for event in ran.ok(&fixture.name).events() {
            count += 1;
            // The life of a policy's finding is told in several events of one uid.
            let uid = event["finding_info"]["uid"].to_string();
            for fact in facts(&event) {
                if let Some(other) = known.insert(fact, uid.clone()).filter(|other| *other != uid) {
                    twice.push(format!("{}: {other} and {event}", fixture.name));
                }
            }
        }
    }
    assert!(count > 10, "{count} findings: fixtures show too little");
    assert!(twice.is_empty(), "{}", twice.join("\n"));
}
