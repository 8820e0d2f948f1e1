//! Users' rules through the real binary, built with the feature `sigma`: a checkout of them, the examples, what they find in
//! captures, and that they are read again while a run goes on.

use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use tapwire_capture::{ByteOrder, Resolution};
use tapwire_testkit::{Conversation, Turn};
use tapwire_tests::{Fixture, Following, Ran, Tapwire, fixtures, token_key, workspace};
use tapwire_wire::{Endpoint, Timestamp};

/// Holds for what the demo's customers do.
const ORDERS: &str = "title: Orders are read\nid: orders-are-read\nstatus: test\nlogsource: {category: webserver}\ndetection:\n  selection: {cs-method: GET, cs-uri-stem|contains: orders}\n  condition: selection\nlevel: critical\ntags: [attack.t1530]\n";
/// Counts them.
const MANY: &str = "---\ntitle: Many orders for one address\nid: many-orders\ncorrelation:\n  type: event_count\n  rules: [orders-are-read]\n  group-by: [c-ip]\n  timespan: 1m\n  generate: true\n  condition: {gte: 5}\nlevel: high\n";

fn fixture(name: &str) -> Fixture {
    fixtures().into_iter().find(|fixture| fixture.name == name).expect("the fixture is in the tree")
}

fn rules(arguments: &[&str]) -> Ran {
    Tapwire::new(["rules"]).args(arguments).folder(workspace()).run()
}

fn by_rule(event: &Value) -> Option<&str> {
    event["unmapped"]["rule"]["id"].as_str()
}

#[test]
fn a_checkout_of_public_rules_loads_with_a_report_of_what_applies() {
    let ran = rules(&["check", "fixtures/sigma", "--json"]);
    assert_eq!(ran.code, Some(2), "one is broken: {}", ran.stderr);
    let entries = ran.events();
    let mut states: BTreeMap<&str, usize> = BTreeMap::new();
    for entry in &entries {
        *states.entry(entry["state"].as_str().expect("a state")).or_default() += 1;
    }
    assert_eq!(states, BTreeMap::from([("broken", 1), ("judged", 15), ("not-judged", 10)]));
    let broken = entries.iter().find(|entry| entry["state"] == "broken").expect("the broken one");
    let file = broken["file"].as_str().expect("a file");
    assert!(file.ends_with("web_unknown_modifier.yml") && broken["line"] == 8, "{broken}");
    assert!(broken["reason"].as_str().expect("a reason").contains("beginswith"));
    let page = rules(&["check", "fixtures/sigma"]);
    let page = String::from_utf8_lossy(&page.stdout).into_owned();
    assert!(page.contains("15 judged, 10 do not apply, 1 fault"), "{page}");
}

#[test]
fn every_example_has_tests_and_passes_them() {
    let ran = rules(&["test", "docs/rules"]);
    assert_eq!(ran.code, Some(0), "{}{}", String::from_utf8_lossy(&ran.stdout), ran.stderr);
    let text = String::from_utf8_lossy(&ran.stdout).into_owned();
    assert!(text.ends_with("0 failed; 0 files without tests\n"), "{text}");
    let examples = rules(&["check", "docs/rules", "--json"]).ok("docs/rules").events();
    let examples = examples.iter().filter(|entry| {
        entry["id"].as_str().is_some_and(|id| workspace().join(format!("docs/rules/{id}.yml")).exists())
    });
    assert!((1..=12).contains(&examples.count()), "at most twelve");
}

#[test]
fn examples_find_nothing_that_something_else_finds() {
    for fixture in fixtures() {
        let examples = workspace().join("docs/rules");
        let ran = Tapwire::replay(&fixture)
            .args(["--only", "findings", "--events", "-", "-q", "--rules"])
            .args([&examples])
            .run();
        let mut found: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for event in ran.ok(&fixture.name).events().into_iter().filter(|event| event["class_uid"] == 2004) {
            for exchange in event["unmapped"]["exchanges"].as_array().into_iter().flatten() {
                found.entry(exchange.to_string()).or_default().push(event["unmapped"]["detector"].clone());
            }
        }
        let twice = found.values().find(|names| names.len() > 1 && names.iter().any(|name| name == "rule"));
        assert_eq!(twice, None, "{}", fixture.name);
    }
}

#[test]
fn what_a_rule_finds_is_a_finding_like_others_and_the_same_for_any_threads() {
    let demo = fixture("demo");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("orders.yml");
    fs::write(&file, format!("{ORDERS}{MANY}")).expect("a file");
    let with = |threads: &str| {
        Tapwire::replay(&demo)
            .args(["--events", "-", "--only", "findings", "--threads", threads, "--rules"])
            .args([&file])
            .run()
            .ok("demo")
    };
    let ran = with("0");
    let events = ran.events();
    let of = |id: &'static str| events.iter().filter(move |event| by_rule(event) == Some(id));
    let event = of("orders-are-read").next().expect("orders are read in the demo");
    assert_eq!(event["finding_info"]["analytic"]["uid"], "orders-are-read");
    assert_eq!(event["finding_info"]["attacks"][0]["technique"]["uid"], "T1530");
    assert_eq!((&event["severity_id"], &event["unmapped"]["detector"]), (&5.into(), &"rule".into()));
    assert!(event["unmapped"]["incident"].is_string());
    let many = of("many-orders").next().expect("many of them");
    assert!(many["unmapped"]["exchanges"].as_array().expect("exchanges").len() >= 5);
    assert!(ran.stderr.contains("rules: 2 judged, 0 do not apply, 0 faults"), "{}", ran.stderr);
    for threads in ["1", "3"] {
        assert_eq!(with(threads).stdout, ran.stdout, "--threads {threads}");
    }
}

#[test]
fn incidents_of_rules_are_named_by_their_title_and_id() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("orders.yml");
    fs::write(&file, ORDERS).expect("a file");
    let ran = Tapwire::replay(&fixture("demo")).args(["--events", "-", "--only", "incidents", "--rules"]);
    let events = ran.args([&file]).run().ok("demo").events();
    let is_rule = |event: &&Value| event["unmapped"]["worst"]["rule"]["id"] == "orders-are-read";
    let event = events.iter().find(is_rule).expect("an incident of the rule");
    assert_eq!(event["unmapped"]["worst"]["rule"]["title"], "Orders are read");
    let told = event["finding_info_list"].as_array().expect("findings");
    let own = told.iter().find(|one| one["analytic"]["uid"] == "orders-are-read").expect("the rule's");
    assert_eq!(
        (&own["title"], &own["analytic"]["name"]),
        (&"Orders are read".into(), &"Orders are read".into())
    );
    assert!(event["attacks"].to_string().contains("T1530"), "{event}");
}

#[test]
fn a_rule_is_drafted_from_an_exchange_with_tests_that_hold() {
    let capture = fixture("basic-rest");
    let uid = fs::read_to_string(capture.expected()).expect("events");
    let first: Value = serde_json::from_str(uid.lines().next().expect("one")).expect("JSON");
    let uid = first["metadata"]["uid"].as_str().expect("a uid");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("drafted.yml");
    let path = capture.path();
    let ran =
        Tapwire::new(["rules", "new", "--from", &uid[..12], "-w"]).args([&file, &path]).run().ok("drafted");
    assert!(ran.stdout.is_empty());
    let text = fs::read_to_string(&file).expect("the rule");
    assert!(text.contains("category: api") && text.contains("method: \"GET\""), "{text}");
    let tested = Tapwire::new(["rules", "test"]).args([&file]).run();
    let said = String::from_utf8_lossy(&tested.stdout).into_owned();
    // What the capture holds beside it is for the author to say.
    assert!(said.contains("2 tests passed") || said.contains("3 tests passed"), "{said}{}", tested.stderr);
    let again = Tapwire::new(["rules", "new", "--from", &uid[..12], "-w"]).args([&file, &path]).run();
    assert_eq!(again.code, Some(2), "nothing is written over");
}

#[test]
fn a_backtest_says_hits_callers_and_cost() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("orders.yml");
    fs::write(&file, ORDERS).expect("a file");
    let demo = fixture("demo").path();
    let ran = Tapwire::new(["rules", "backtest", "--json"]).args([&file, &demo]).run().ok("backtest");
    let [line] = <[Value; 1]>::try_from(ran.events()).expect("one rule");
    assert!(line["hits"].as_u64() > Some(50) && line["callers"].as_u64() > Some(5), "{line}");
    assert!(line["hits_a_day"].as_f64() > Some(1000.0) && line["nanoseconds_a_call"].as_u64() > Some(0));
    let late = Tapwire::new(["rules", "backtest", "--json", "--since", "-1s"]).args([&file, &demo]).run();
    let late = late.ok("late").events().remove(0);
    assert!(late["hits"].as_u64() < line["hits"].as_u64() && late["calls"].as_u64() < line["calls"].as_u64());
    let at = |since: &str| {
        Tapwire::new(["rules", "backtest", "--json", "--since", since])
            .args([&file, &demo])
            .run()
            .ok(since)
            .events()
    };
    let (utc, none) = (at("2026-11-21T19:05:00Z"), at("2026-11-21T19:05"));
    assert_eq!(
        (&utc[0]["hits"], &utc[0]["calls"]),
        (&none[0]["hits"], &none[0]["calls"]),
        "a time without a zone is UTC"
    );
}

/// A capture with one call of one address, `day` seconds after the beginning.
fn comes(captures: &Path, day: u16, target: &str) {
    let request = format!("GET {target} HTTP/1.1\r\nHost: shop.test\r\n\r\n").into_bytes();
    let response = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}".to_vec();
    let client = Endpoint::v4([10, 0, 0, 1], 40_000 + day);
    let start = Timestamp::from_parts(1_700_000_000 + i64::from(day), 0);
    let script = Conversation::new(vec![Turn { request, response }], day.into());
    let capture = Conversation { client, start, ..script }.play();
    let file = fs::File::create(captures.join(format!("{day}.pcap"))).expect("a file");
    capture.write_pcap(file, ByteOrder::Little, Resolution::Nanoseconds).expect("a capture");
}

#[test]
fn correlations_go_on_after_a_restart_and_keep_no_address() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (file, data) = (folder.path().join("a.yml"), folder.path().join("data"));
    fs::write(&file, format!("{ORDERS}{MANY}")).expect("a file");
    let key = token_key(folder.path());
    let found = |from: u16, calls: u16| {
        let captures = folder.path().join(format!("{from}"));
        fs::create_dir(&captures).expect("a folder");
        (from..from + calls).for_each(|day| comes(&captures, day, "/orders/1"));
        let ran = Tapwire::new(["replay", "--events", "-", "--only", "findings", "-q", "--rules"]);
        let ran = ran.args([&file, Path::new("--token-key"), &key, Path::new("--data"), &data, &captures]);
        let events = ran.run().ok("orders").events();
        let many = events.iter().filter(|event| by_rule(event) == Some("many-orders"));
        many.map(|event| event["unmapped"]["exchanges"].as_array().expect("exchanges").len())
            .collect::<Vec<_>>()
    };
    let none: &[usize] = &[];
    assert_eq!(found(1, 3), none);
    let kept = fs::read(data.join("state/rules")).expect("a checkpoint of rules");
    assert!(!kept.windows(8).any(|part| part == b"10.0.0.1"), "addresses are kept as tokens");
    assert_eq!(found(11, 2), [5], "three calls came before the restart");
    assert_eq!(found(21, 1), none, "it was told");
    assert_eq!(found(200, 4), none, "the minute is over");
}

#[test]
fn rules_are_read_again_while_a_run_goes_on() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (captures, file) = (folder.path().join("captures"), folder.path().join("a.yml"));
    fs::create_dir(&captures).expect("a folder");
    let write = |text: &str| fs::write(&file, text).expect("a file in a temporary folder");
    let mut day = 0_u16;
    let mut come = |target: &str| {
        day += 1;
        comes(&captures, day, target);
    };
    write(ORDERS);
    come("/orders/1");
    let key = token_key(folder.path());
    let arguments = [Path::new("--rules"), &file, Path::new("--token-key"), &key];
    let run = Following::start(&captures, &arguments);
    run.event(|event| by_rule(event) == Some("orders-are-read"));
    write(&format!(
        "{}---\ntitle: Broken\n",
        ORDERS.replace("orders-are-read", "baskets").replace("contains: orders", "contains: basket")
    ));
    run.hang_up();
    let line = run.wait_for("it is not used");
    assert!(line.contains("a.yml:11"), "{line}");
    come("/basket/1");
    run.event(|event| by_rule(event) == Some("baskets"));
    // Rules that are taken out end: what would have met them is told without them.
    write("");
    // They are said to be read before they are handed over: when it is said again, the first are.
    for _ in 0..2 {
        run.hang_up();
        run.wait_for("rules: 0 judged");
    }
    come("/basket/2");
    run.event(|event| {
        assert_eq!(by_rule(event), None, "{event}");
        event["http_request"]["url"]["path"] == "/basket/2"
    });
    come("/basket/3");
    run.event(|event| {
        assert_eq!(by_rule(event), None, "{event}");
        event["http_request"]["url"]["path"] == "/basket/3"
    });
}

#[test]
fn wrong_use_is_one_line() {
    for (arguments, words) in [
        (&["check", "nowhere"][..], "nowhere: No such file"),
        (&["test", "fixtures/sigma"], "no tests: write them to NAME.test.yml"),
        (&["new", "--from", "xyz"], "give 6 or more digits of a uid"),
        (&["backtest", "docs/rules", "--since", "soon", "fixtures/demo"], "write it like -30d"),
    ] {
        let ran = rules(arguments);
        assert_eq!(ran.code, Some(2), "{arguments:?}");
        assert!(ran.stderr.contains(words), "{arguments:?}: {}", ran.stderr);
    }
    let off = Tapwire::replay(&fixture("basic-rest")).args(["--analysis", "off", "--rules", "x.yml"]).run();
    assert!(off.code == Some(2) && off.stderr.contains("--analysis on only"), "{}", off.stderr);
}
