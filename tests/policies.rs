//! Posture through the real binary: an hour of an estate with faults, policies of one's own, and what operators get wrong.

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use tapwire_capture::{ByteOrder, Resolution};
use tapwire_testkit::{Capture, Conversation, Turn};
use tapwire_tests::{Fixture, Following, Ran, Tapwire, fixtures, token_key};
use tapwire_wire::{Endpoint, Timestamp};

fn fixture(name: &str) -> Fixture {
    fixtures().into_iter().find(|fixture| fixture.name == name).expect("the fixture is in the tree")
}

const SERVICES: [&str; 8] = ["orders", "billing", "people", "search", "files", "login", "reports", "stock"];
const RESOURCES: [&str; 25] = [
    "orders",
    "invoices",
    "customers",
    "carts",
    "payments",
    "refunds",
    "shipments",
    "products",
    "prices",
    "reviews",
    "coupons",
    "suppliers",
    "warehouses",
    "returns",
    "contracts",
    "offers",
    "regions",
    "taxes",
    "currencies",
    "branches",
    "employees",
    "shifts",
    "tickets",
    "comments",
    "labels",
];
/// How often each endpoint is called in the hour.
const ROUNDS: i64 = 6;
/// Claims a subject and no end.
const ENDLESS: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1MSIsImlzcyI6IngifQ.c2lnbmF0dXJl";

fn turn(host: &str, target: &str, credential: &str, status: &str, fields: &str, body: &str) -> Turn {
    let request = format!("GET {target} HTTP/1.1\r\nHost: {host}.test\r\n{credential}\r\n");
    let length = body.len();
    let response = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\n{fields}Content-Length: {length}\r\n\r\n{body}"
    );
    Turn { request: request.into_bytes(), response: response.into_bytes() }
}

/// One call of the endpoint `resource` of a service, `item` or the list of them: mostly as it should be.
fn call(service: usize, resource: &str, item: bool, round: i64) -> Turn {
    let host = SERVICES[service];
    let id = 1_000 + round * 17;
    let target =
        if item { format!("/api/v1/{resource}/{id}") } else { format!("/api/v1/{resource}?page={round}") };
    let token = "Authorization: Bearer 0a1b2c3d4e5f6a7b8c9d\r\n";
    let plain = if item {
        format!(r#"{{"id":{id},"state":"open","{resource}_note":"n{round}"}}"#)
    } else {
        format!(r#"{{"page":{round},"{resource}":[{{"id":{id}}}]}}"#)
    };
    match (host, resource, item) {
        ("billing", "payments" | "refunds", true) => {
            let card = ["4539578763621486", "4916338506082832", "4024007198964305"][(round % 3) as usize];
            turn(host, &target, token, "200 OK", "", &format!(r#"{{"id":{id},"cardNumber":"{card}"}}"#))
        }
        ("people", "employees", true) => {
            let ssn = format!("536-22-84{}", 71 + round);
            turn(host, &target, "", "200 OK", "", &format!(r#"{{"id":{id},"ssn":"{ssn}"}}"#))
        }
        ("search", "products" | "prices" | "offers", false) if round % 2 == 0 => {
            let trace = "Traceback (most recent call last):\\n  File app.py, line 3";
            turn(host, &target, token, "500 Oops", "", &format!(r#"{{"error":"{trace}"}}"#))
        }
        ("login", "tickets", false) => {
            turn(host, &target, token, "200 OK", "Set-Cookie: sessionid=a1b2c3; SameSite=Lax\r\n", &plain)
        }
        ("reports", ..) => {
            let jwt = format!("Authorization: Bearer {ENDLESS}\r\n");
            turn(host, &target, &jwt, "200 OK", "Cache-Control: private\r\n", &plain)
        }
        // Open on purpose: nothing in it is of harm.
        ("stock", "regions" | "currencies", _) => turn(host, &target, "", "200 OK", "", &plain),
        _ => turn(host, &target, token, "200 OK", "", &plain),
    }
}

/// An hour of eight services with fifty endpoints each, called six times.
fn estate() -> Capture {
    let mut capture = Capture::default();
    for round in 0..ROUNDS {
        for service in 0..SERVICES.len() {
            let ways = RESOURCES.iter().flat_map(|resource| [(resource, false), (resource, true)]);
            let turns: Vec<Turn> =
                ways.map(|(resource, item)| call(service, resource, item, round)).collect();
            let host = u8::try_from(service).expect("few services");
            let client =
                Endpoint::v4([10, 0, 0, 1 + host], 40_000 + u16::try_from(round).expect("few rounds"));
            let start = Timestamp::from_parts(1_700_000_000 + round * 600 + i64::from(host), 0);
            let script = Conversation::new(turns, 1 + round.unsigned_abs() * 8 + u64::from(host));
            let server = Endpoint::v4([10, 0, 1, 1 + host], 80);
            let conversation = Conversation { client, server, start, think: 8_000_000_000, ..script };
            capture.packets.extend(conversation.play().packets);
        }
    }
    capture.packets.sort_by_key(|packet| packet.time);
    capture.numbered()
}

struct Estate {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

impl Estate {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("estate.pcap");
        let file = fs::File::create(&path).expect("a file in a temporary folder");
        estate().write_pcap(file, ByteOrder::Little, Resolution::Nanoseconds).expect("a capture");
        Self { _folder: folder, path }
    }

    fn summary(&self, arguments: &[&str]) -> Value {
        let run = Tapwire::new(["replay", "--json", "--threads", "0"]).key();
        let ran = run.args(arguments).args([&self.path]).run().ok("estate");
        serde_json::from_slice(&ran.stdout).expect("a summary")
    }
}

/// Policy, service and number of endpoints of each finding.
fn found(summary: &Value) -> Vec<(&str, &str, u64)> {
    let all = summary["posture"].as_array().expect("the findings of posture");
    all.iter()
        .map(|one| {
            let policy = one["policy"].as_str().unwrap_or_default();
            (
                policy,
                one["service"].as_str().unwrap_or_default(),
                one["endpoints"].as_u64().unwrap_or_default(),
            )
        })
        .collect()
}

#[test]
fn an_hour_of_400_endpoints_gives_one_finding_for_each_fault_and_service() {
    let summary = Estate::new().summary(&[]);
    let endpoints: u64 = summary["services"]
        .as_array()
        .expect("services")
        .iter()
        .map(|service| service["endpoints"].as_u64().expect("endpoints"))
        .sum();
    assert_eq!(endpoints, 400);
    assert_eq!(
        found(&summary),
        [
            ("sensitive-data-without-authentication", "people.test", 1),
            ("tokens-without-expiry", "reports.test", 50),
            ("verbose-errors", "search.test", 3),
            ("whole-card-numbers-in-answers", "billing.test", 2),
            ("session-cookies-without-httponly", "login.test", 1),
        ]
    );
}

fn fixture_with(arguments: &[&str], config: &str) -> Ran {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("tapwire.toml");
    fs::write(&path, config).expect("a file in a temporary folder");
    let run =
        Tapwire::replay(&fixture("basic-rest")).args(arguments).args(["--config".as_ref(), path.as_os_str()]);
    run.run()
}

const OWN: &str = r#"
[[policy]]
id = "orders-are-read-with-a-key"
title = "Orders without a key"
severity = "high"
where = "service == 'shop.test' and template starts_with '/orders' and not auth contains api-key"
references = ["House rule 7"]
fix = "Ask for a key."
test = "Call it without one."
"#;

const ACCEPTED: &str = r#"
[[accept]]
policy = "orders-are-read-with-a-key"
service = "SERVICE"
who = "Head of Shop"
why = "ends with the old app"
until = "2099-01-31"
"#;

fn postures(ran: &Ran) -> Vec<Value> {
    ran.events().into_iter().filter(|event| event["class_uid"] == 2007).collect()
}

#[test]
fn policy_of_the_configuration_is_judged_told_and_accepted() {
    let ran = fixture_with(&["--events", "-"], OWN).ok("own policy");
    let events = postures(&ran);
    let [event] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(event["finding_info"]["analytic"]["uid"], "orders-are-read-with-a-key");
    assert_eq!(event["severity_id"], 4);
    assert_eq!((&event["activity_id"], &event["status_id"]), (&1.into(), &1.into()));
    assert_eq!(event["unmapped"]["state"], "open");
    assert_eq!(event["remediation"]["desc"], "Ask for a key.");
    let service = event["unmapped"]["service"].as_str().expect("a service");

    let config = format!("{OWN}{}", ACCEPTED.replace("SERVICE", service));
    let ran = fixture_with(&["--events", "-", "--fail-on", "high"], &config).ok("accepted");
    let events = postures(&ran);
    assert_eq!(events[0]["unmapped"]["state"], "accepted");
    assert_eq!(events[0]["status_id"], 3);
    assert_eq!(events[0]["unmapped"]["accepted"]["who"], "Head of Shop");

    let over = config.replace("2099-01-31", "2001-01-31");
    assert_eq!(fixture_with(&["-q", "--fail-on", "high"], &over).code, Some(1), "it has ended");
}

#[test]
fn policy_that_is_switched_off_says_nothing() {
    let off = format!("{OWN}enabled = false\n");
    assert_eq!(postures(&fixture_with(&["--events", "-"], &off).ok("off")), Vec::<Value>::new());
}

#[test]
fn acceptances_are_read_again_while_a_run_goes_on() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (captures, config) = (folder.path().join("captures"), folder.path().join("tapwire.toml"));
    fs::create_dir(&captures).expect("a folder");
    // The first call of another day is due to a look.
    let eager = format!("[policies]\nevery = 1\n{OWN}");
    let write = |text: &str| fs::write(&config, text).expect("a file in a temporary folder");
    let mut day = 0_u16;
    let mut come = || {
        day += 1;
        let turns = (0..3).map(|_| turn("shop", "/orders", "", "200 OK", "", "{}")).collect();
        let client = Endpoint::v4([10, 0, 0, 1], 40_000 + day);
        let start = Timestamp::from_parts(1_700_000_000 + i64::from(day) * 86_400, 0);
        let script = Conversation::new(turns, day.into());
        let capture = Conversation { client, start, ..script }.play();
        let file = fs::File::create(captures.join(format!("{day}.pcap"))).expect("a file");
        capture.write_pcap(file, ByteOrder::Little, Resolution::Nanoseconds).expect("a capture");
    };
    write(&eager);
    come();
    come();
    let key = token_key(folder.path());
    let arguments = [Path::new("--config"), &config, Path::new("--token-key"), &key];
    let run = Following::start(&captures, &arguments);
    let own = |event: &Value| event["finding_info"]["analytic"]["uid"] == "orders-are-read-with-a-key";
    let opened = run.event(own);
    assert_eq!(opened["unmapped"]["state"], "open");
    let service = opened["unmapped"]["service"].as_str().expect("a service");
    let accepted = ACCEPTED.replace("SERVICE", service);
    // A broken entry is named and changes nothing, and so does a file that is no TOML.
    write(&format!("{eager}{}", accepted.replace("2099-01-31", "some day")));
    run.hang_up();
    let line = run.wait_for("policies and acceptances stay as they were");
    assert!(line.contains("[[accept]] 1") && line.contains("'some day'"), "{line}");
    write(&format!("{eager}{accepted}["));
    let line = run.wait_for("the context stays as it was, and so do policies");
    assert!(line.contains("tapwire.toml"), "{line}");
    write(&format!("{eager}{accepted}"));
    run.wait_for("1 acceptance");
    come();
    let event = run.event(own);
    assert_eq!(event["unmapped"]["state"], "accepted");
    assert_eq!(event["unmapped"]["accepted"]["who"], "Head of Shop");
    assert_eq!(event["finding_info"]["uid"], opened["finding_info"]["uid"]);
}

#[test]
fn wrong_entries_are_one_line_that_names_them() {
    for (from, to, words) in [
        (
            "template starts_with",
            "tempate starts_with",
            &["[[policy]] 1", "column 28", "'tempate'", "'template'"][..],
        ),
        ("starts_with '/orders'", "> 3", &["[[policy]] 1", "'>' does not fit"]),
        ("\"high\"", "\"grave\"", &["severity", "'grave'", "critical"]),
        ("orders-are-read-with-a-key\"\ntitle", "Orders!\"\ntitle", &["id", "small letters"]),
        ("2099-01-31", "next year", &["[[accept]] 1", "until", "'next year'", "2027-01-31"]),
        (
            "policy = \"orders-are",
            "policy = \"order-are",
            &["[[accept]] 1", "none is named so", "did you mean"],
        ),
        ("who = \"Head of Shop\"", "who = \"\"", &["[[accept]] 1", "who", "missing"]),
    ] {
        let config = format!("{OWN}{}", ACCEPTED.replace("SERVICE", "shop"));
        assert!(config.contains(from), "{from}");
        let ran = fixture_with(&["--events", "-"], &config.replacen(from, to, 1));
        assert_eq!(ran.code, Some(2), "{to}: {}", ran.stderr);
        assert_eq!(ran.stderr.lines().count(), 1, "{to}: {}", ran.stderr);
        for word in words {
            assert!(ran.stderr.contains(word), "{to}: {word} is missing in {}", ran.stderr);
        }
    }
}
