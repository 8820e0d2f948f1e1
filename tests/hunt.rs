//! Rules of today over what was seen before: by the tables where these have all that a rule reads, by packets, or not at all.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use tapwire_capture::{ByteOrder, Resolution};
use tapwire_testkit::{Conversation, Turn};
use tapwire_tests::{Fixture, Ran, Tapwire, fixtures, token_key, workspace};
use tapwire_wire::{Endpoint, Timestamp};

/// Rules that read what the tables have: of many kinds of fields, and correlations that count in time.
const EXACT: &str = "\
title: Orders are read
id: orders
logsource: {category: webserver}
detection:
  selection: {cs-method: GET, cs-uri-stem|contains: orders, sc-status: 200}
  condition: selection
level: low
---
title: A call failed
id: failed
logsource: {category: api, product: tapwire}
detection:
  one: {outcome: [failed, denied]}
  two: {principal.kind: [user, session, net], seen_request: complete, decrypted: false}
  condition: one and two
---
title: Personal data to a known caller
id: personal
logsource: {category: api, product: tapwire}
detection:
  selection: {response_data_classes: [email, phone, card], seen_response: complete}
  filter: {principal.by: network}
  condition: selection and not filter
---
title: A program
id: program
logsource: {category: proxy}
detection:
  selection: {c-useragent|contains: '/', dst_port|gte: 1, c-ip|cidr: 0.0.0.0/0, time-taken|gte: 0}
  condition: selection
---
title: Anything about orders
id: words
logsource: {category: webserver}
detection:
  selection: {cs-uri-query|contains: orders}
  condition: selection
---
title: Orders by one caller
id: many-orders
correlation:
  type: event_count
  rules: [orders]
  group-by: [principal]
  timespan: 1m
  generate: true
  condition: {gte: 5}
---
title: Many paths by one address
id: many-paths
correlation:
  type: value_count
  rules: [program]
  group-by: [c-ip]
  timespan: 2m
  generate: true
  condition: {field: path, gte: 10}
---
title: Failed, then read
id: failed-then-read
correlation:
  type: temporal_ordered
  rules: [failed, orders]
  group-by: [service]
  timespan: 5m
  generate: true
";

/// A rule that reads a body.
const BODY: &str = "\
title: A list of things
id: lists
logsource: {category: api, product: tapwire}
detection:
  selection: {response_fields|startswith: '$'}
  condition: selection
";

fn fixture(name: &str) -> Fixture {
    fixtures().into_iter().find(|fixture| fixture.name == name).expect("the fixture is in the tree")
}

fn rules(text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("rules.yml");
    fs::write(&file, text).expect("a file");
    (folder, file)
}

/// A run with rules into a data directory: the exchanges of the findings of each. Of findings that only repeat others,
/// a run tells the first.
fn live(name: &str, rules: &Path, data: &Path, more: &[&str]) -> BTreeMap<String, BTreeSet<String>> {
    // With a key of its own, by which packets of it are read again.
    let ran = Tapwire::new(["replay", "-q", "--rules"]).args([rules, Path::new("--data"), data]);
    let ran = ran.args([fixture(name).path()]);
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for event in ran.args(more).run().ok(name).events() {
        let Some(rule) = event["unmapped"]["rule"]["id"].as_str() else { continue };
        found.entry(rule.to_owned()).or_default().extend(uids_of(&event["unmapped"]["exchanges"]));
    }
    found
}

/// How often rules held in a run, those times included that it did not tell.
fn counted(name: &str, rules: &Path) -> u64 {
    let ran = Tapwire::new(["replay", "--json", "--events", "null://", "--rules"]);
    let ran = ran.args([rules, &fixture(name).path()]).run().ok(name);
    let summary = ran.events().pop().expect("a summary");
    summary.pointer("/stages/rules/findings").and_then(Value::as_u64).expect("a number")
}

fn hunt(arguments: &[&Path]) -> Ran {
    Tapwire::new(["hunt"]).args(arguments).run()
}

/// Answers by rule.
fn answers(arguments: &[&Path]) -> BTreeMap<String, Value> {
    let arguments: Vec<&Path> = arguments.iter().copied().chain([Path::new("--json")]).collect();
    let lines = hunt(&arguments).ok("hunt").events();
    lines.into_iter().map(|line| (line["id"].as_str().expect("an id").to_owned(), line)).collect()
}

fn uids(answer: &Value) -> BTreeSet<String> {
    uids_of(&answer["uids"])
}

fn uids_of(list: &Value) -> BTreeSet<String> {
    list.as_array().expect("a list").iter().map(|uid| uid.as_str().expect("a uid").to_owned()).collect()
}

/// What two answers to one rule have in common when they are the same.
const SAME: [&str; 5] = ["exchanges", "hits", "principals", "first", "last"];

#[test]
fn exact_answers_are_those_of_the_run_that_saw_it() {
    let (_folder, file) = rules(EXACT);
    let mut hit = BTreeSet::new();
    let mut unsure = 0;
    for name in ["demo", "logins", "basic-rest", "credentials-in-url", "grpc", "websocket"] {
        let data = tempfile::tempdir().expect("a folder");
        let told = live(name, &file, data.path(), &[]);
        let exact = answers(&[&file, Path::new("--data"), data.path()]);
        // The capture once more through everything that a live run has, under the same key.
        let keyless = tempfile::tempdir().expect("a folder");
        let again = again(&file, name, data.path(), keyless.path());
        assert_eq!(exact.len(), 8, "{name}");
        for (rule, answer) in &exact {
            assert_eq!(answer["answer"], "exact", "{name}: {answer}");
            // What is not known is said, and is no hit.
            if answer["not_known"].as_u64() > Some(0) {
                unsure += 1;
                continue;
            }
            let told = told.get(rule).cloned().unwrap_or_default();
            let (named, again) = (uids(answer), &again[rule]);
            for member in SAME {
                assert_eq!(answer[member], again[member], "{name}: {rule}: {member}");
            }
            // An answer names at most a thousand.
            if named.len() < 1_000 {
                assert_eq!(named, uids(again), "{name}: {rule}");
                assert!(told.is_subset(&named), "{name}: {rule}");
            }
            if answer["hits"].as_u64() > Some(0) {
                hit.insert(rule.clone());
                assert!(!told.is_empty() && !answer["principals"].as_array().expect("a list").is_empty());
                let time = |member: &str| answer[member].as_str().expect("a time").to_owned();
                assert!(time("from") <= time("first") && time("first") <= time("last"), "{answer}");
                assert!(time("last") <= time("until"), "{answer}");
            }
        }
        if exact.values().all(|answer| answer["not_known"] == 0) {
            let hits: u64 = exact.values().filter_map(|answer| answer["hits"].as_u64()).sum();
            assert_eq!(hits, counted(name, &file), "{name}");
        }
    }
    assert_eq!(hit.len(), 8, "each rule holds somewhere: {hit:?}");
    assert!(unsure > 0, "some texts were replaced");
}

/// The answers of packets alone: those of a data directory with the same key and no tables.
fn again(rules: &Path, name: &str, data: &Path, keyless: &Path) -> BTreeMap<String, Value> {
    let empty = Tapwire::new(["replay", "-q", "--events", "null://", "--set", "events.lake=false", "--data"]);
    let _ran = empty.args([keyless, &fixture("basic-rest").path()]).run().ok("a data directory");
    let key = |folder: &Path| folder.join("token.key");
    fs::copy(key(data), key(keyless)).expect("a key");
    answers(&[rules, &fixture(name).path(), Path::new("--data"), keyless])
}

/// A capture of that time of three callers: the first is never answered, so that a run tells it at the end, behind the others,
/// which began and ended after it.
fn told_late(folder: &Path, second: i64) -> PathBuf {
    let talk = |client: u8, later: i64| {
        let request = format!("GET /of/{client} HTTP/1.1\r\nHost: at-{second}.example\r\n\r\n").into_bytes();
        let response = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec();
        let mut talk = Conversation::new(vec![Turn { request, response }], u64::from(client));
        talk.client = Endpoint::v4([10, 0, 2, client], 40_000);
        talk.start = Timestamp::from_parts(1_700_000_000 + second + later, 0);
        talk.play()
    };
    let mut first = talk(1, 0);
    // Handshake and request.
    first.packets.truncate(4);
    let path = folder.join(format!("{second}.pcap"));
    let file = File::create(&path).expect("a file");
    let all = first.merged(talk(2, 5)).merged(talk(3, 10));
    drop(all.write_pcap(file, ByteOrder::Little, Resolution::Nanoseconds).expect("a capture"));
    path
}

#[test]
fn correlations_count_in_the_order_of_the_run() {
    let (folder, file) = rules(
        "title: Anything is read\nid: read\nlogsource: {category: webserver}\n\
         detection:\n  selection: {cs-method: GET}\n  condition: selection\n---\n\
         title: Two of one service\nid: two\ncorrelation:\n  type: event_count\n  rules: [read]\n  \
         group-by: [service]\n  timespan: 1m\n  condition: {gte: 2}\n",
    );
    let data = tempfile::tempdir().expect("a folder");
    let mut told = BTreeSet::new();
    // Two runs, which both number their events from 1.
    for second in [0, 600] {
        let ran = Tapwire::new(["replay", "-q", "--rules"]).args([&file, Path::new("--data"), data.path()]);
        let events = ran.args([told_late(folder.path(), second)]).run().ok("a run").events();
        let found: Vec<&Value> =
            events.iter().filter(|event| event["unmapped"]["rule"]["id"] == "two").collect();
        assert_eq!(found.len(), 1, "{second}: {found:?}");
        told.extend(uids_of(&found[0]["unmapped"]["exchanges"]));
    }
    let clients = |rest: &str| {
        let query = format!("SELECT substr(client, 8) AS client FROM exchanges {rest}");
        let ran = Tapwire::new(["sql", "--json", &query, "--data"]).args([data.path()]).run().ok("sql");
        let rows = ran.events();
        rows.iter().map(|row| row["client"].as_str().expect("a text").to_owned()).collect::<String>()
    };
    assert_eq!(clients("ORDER BY time"), "123123", "as they ended");
    assert_eq!(clients("ORDER BY time > '2023-11-14T22:20', sequence"), "231231", "as they were told");
    let list: Vec<String> = told.iter().map(|uid| format!("'{uid}'")).collect();
    assert_eq!(clients(&format!("WHERE uid IN ({}) ORDER BY time", list.join(","))), "2323");
    let answer = &answers(&[&file, Path::new("--data"), data.path()])["two"];
    assert_eq!((&answer["answer"], &answer["hits"]), (&"exact".into(), &2.into()), "{answer}");
    assert_eq!(uids(answer), told, "{answer}");
}

#[test]
fn packets_are_read_under_the_key_of_the_run() {
    let (folder, file) = rules(&format!("{EXACT}---\n{BODY}"));
    let (data, key) = (tempfile::tempdir().expect("a folder"), token_key(folder.path()));
    let keyed = [Path::new("--token-key"), &key];
    let ran =
        Tapwire::new(["replay", "-q", "--events", "null://", "--set", "packets.budget=64MiB", "--data"]);
    let _ran =
        ran.args([data.path()]).args(keyed).args([fixture("logins").path()]).run().ok("a run with a key");
    let asked = [&file, Path::new("--data"), data.path()];
    let told = answers(&[&asked[..], &keyed[..]].concat());
    assert_eq!(told["lists"]["answer"], "from-packets");
    let of =
        |id: &str| told[id]["principals"].as_array().expect("a list").iter().map(Value::to_string).collect();
    let (packets, tables): (BTreeSet<String>, BTreeSet<String>) = (of("lists"), of("program"));
    assert!(!packets.is_empty() && packets.is_subset(&tables), "{packets:?} {tables:?}");
    let missing = hunt(&asked);
    assert_eq!(missing.code, Some(2));
    // Behind the line about the rules.
    let told: Vec<&str> = missing.stderr.lines().skip(1).collect();
    assert!(matches!(told[..], [line] if line.contains("--token-key FILE")), "{}", missing.stderr);
}

#[test]
fn the_examples_are_answered_as_they_were_live() {
    let folder = workspace().join("docs/rules");
    let data = tempfile::tempdir().expect("a folder");
    let told = live("demo", &folder, data.path(), &[]);
    for (rule, answer) in answers(&[&folder, Path::new("--data"), data.path()]) {
        if answer["answer"] == "exact" && answer["not_known"] == 0 {
            let told = told.get(&rule).cloned().unwrap_or_default();
            assert!(told.is_subset(&uids(&answer)), "{rule}");
            assert_eq!(told.is_empty(), answer["hits"] == 0, "{rule}: {answer}");
        }
    }
}

#[test]
fn hits_are_those_of_the_time_that_is_asked_for() {
    let (_folder, file) = rules(EXACT);
    let data = tempfile::tempdir().expect("a folder");
    let _seen = live("demo", &file, data.path(), &[]);
    let all = answers(&[&file, Path::new("--data"), data.path()]);
    let first = all["orders"]["first"].as_str().expect("a time").to_owned();
    let asked = |option: &str| answers(&[&file, Path::new("--data"), data.path(), Path::new(option)]);
    let (early, late) = (asked(&format!("--until={first}")), asked(&format!("--since={first}")));
    assert_eq!(late["orders"]["hits"], all["orders"]["hits"]);
    assert!(early["orders"]["hits"].as_u64() < all["orders"]["hits"].as_u64());
    assert_eq!(early["orders"]["until"], first.as_str());
    // Counting goes on from what was before, so that nothing is told that was not live.
    let half = asked("--since=-5s");
    for rule in ["many-orders", "many-paths"] {
        assert!(uids(&half[rule]).is_subset(&uids(&all[rule])), "{rule}");
    }
    let never = hunt(&[&file, Path::new("--data"), data.path(), Path::new("--since=2031-01-01")]).ok("never");
    let page = String::from_utf8_lossy(&never.stdout).into_owned();
    assert!(page.contains("none of that time is there"), "{page}");
}

#[test]
fn what_the_tables_do_not_have_is_asked_of_packets() {
    let (_folder, file) = rules(&format!("{EXACT}---\n{BODY}"));
    let data = tempfile::tempdir().expect("a folder");
    let told = live("demo", &file, data.path(), &["--set", "packets.budget=64MiB"]);
    let of = |arguments: &[&Path]| {
        let all: Vec<&Path> = [file.as_path(), Path::new("--data"), data.path()].into_iter().collect();
        answers(&[&all, arguments].concat())
    };
    let capture = fixture("demo").path();
    for (given, kept) in [("kept packets", of(&[])), ("a capture", of(&[&capture]))] {
        let answer = &kept["lists"];
        assert_eq!(answer["answer"], "from-packets", "{given}: {answer}");
        assert_eq!(answer["lacking"], serde_json::json!(["response_fields"]), "{given}");
        assert!(answer["hits"].as_u64() >= Some(told["lists"].len() as u64), "{given}: {answer}");
        assert_eq!(uids(answer).len(), 1_000, "an answer names at most so many");
        assert_eq!(kept["orders"]["answer"], "exact", "{given}");
    }
    // Without --data a capture is asked for everything.
    let alone = answers(&[&file, &capture]);
    assert!(alone.values().all(|answer| answer["answer"] == "from-packets"));
    assert_eq!(alone["orders"]["hits"], of(&[])["orders"]["hits"]);
    let all: u64 = alone.values().filter_map(|answer| answer["hits"].as_u64()).sum();
    assert_eq!(all, counted("demo", &file), "every time that a rule held");
}

#[test]
fn what_nothing_kept_can_tell_is_named() {
    let (_folder, file) = rules(BODY);
    let data = tempfile::tempdir().expect("a folder");
    let _seen = live("basic-rest", &file, data.path(), &[]);
    let answer = &answers(&[&file, Path::new("--data"), data.path()])["lists"];
    assert_eq!(answer["answer"], "not-possible", "{answer}");
    assert_eq!(answer["lacking"], serde_json::json!(["response_fields"]));
    assert!(answer.get("hits").is_none(), "nobody knows: {answer}");
    let page = hunt(&[&file, Path::new("--data"), data.path()]).ok("page");
    let page = String::from_utf8_lossy(&page.stdout).into_owned();
    assert!(page.contains("not possible: the tables lack response_fields (bodies are not kept)"), "{page}");
}

#[test]
fn an_operators_mistakes_are_one_line() {
    let (_folder, file) = rules(BODY);
    let missing = hunt(&[Path::new("no-such-rules.yml")]);
    assert_eq!((missing.code, missing.stderr.lines().count()), (Some(2), 1), "{}", missing.stderr);
    let soon = hunt(&[&file, Path::new("--since=soon")]);
    assert_eq!(soon.code, Some(2));
    assert!(soon.stderr.starts_with("tapwire: --since soon: write it like -30d"), "{}", soon.stderr);
}
