//! What is said where keys are missing, wrong, or those of one direction.

use serde_json::Value;
use tapwire_tests::{Fixture, Tapwire, fixtures};

fn fixture(name: &str) -> Fixture {
    fixtures().into_iter().find(|fixture| fixture.name == name).expect("the fixture")
}

/// The fixture `tls13` read with its keys as `change` writes each line: its 24 exchanges, and the summary.
fn read(change: impl Fn(&str) -> Option<String>) -> (Vec<Value>, Value) {
    let fixture = fixture("tls13");
    let keys = std::fs::read_to_string(fixture.folder.join("keys.log")).expect("the key log");
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("keys.log");
    let changed: String = keys.lines().filter_map(change).map(|line| line + "\n").collect();
    std::fs::write(&log, changed).expect("a key log");
    let log = log.display().to_string();
    let run = |more: &[&str]| {
        let replay = Tapwire::new(["replay"]).args([fixture.path()]).key();
        replay.args(["--keylog", &log]).args(more).run().ok("tls13")
    };
    let events = run(&["--events", "-", "--only", "exchanges"]).events();
    let summary = run(&["--json"]).events().remove(0);
    (events, summary)
}

fn anomalies(event: &Value) -> Vec<&str> {
    let list = event.pointer("/unmapped/anomalies").and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str).collect()
}

/// Changes the last digit of a secret.
fn wrong(line: &str) -> String {
    let (rest, last) = line.split_at(line.len() - 1);
    format!("{rest}{}", if last == "0" { "1" } else { "0" })
}

#[test]
fn requests_whose_answers_have_no_keys_say_so() {
    let (events, _) = read(|line| (!line.starts_with("SERVER")).then(|| line.to_owned()));
    assert_eq!(events.len(), 24);
    for event in events {
        let seen = &event["unmapped"]["seen"];
        assert_eq!((&seen["request"], &seen["response"]), (&"complete".into(), &"missing".into()), "{event}");
        assert_eq!(anomalies(&event), ["tls-no-keys"], "{event}");
    }
}

#[test]
fn requests_whose_answers_have_wrong_keys_say_so() {
    let change = |line: &str| if line.starts_with("SERVER_TRAFFIC") { wrong(line) } else { line.to_owned() };
    let (events, _) = read(|line| Some(change(line)));
    assert_eq!(events.len(), 24);
    for event in events {
        assert_eq!(event["unmapped"]["seen"]["response"], "missing", "{event}");
        assert_eq!(anomalies(&event), ["tls-wrong-keys"], "{event}");
    }
}

#[test]
fn connections_without_keys_or_with_wrong_ones_say_so_on_their_estimate() {
    type Change = fn(&str) -> Option<String>;
    let cases: [(&str, Change); 2] = [
        ("tls-no-keys", |line| Some(line.replacen("TRAFFIC_SECRET_0 ", "TRAFFIC_SECRET_0 0000", 1))),
        ("tls-wrong-keys", |line| Some(wrong(line))),
    ];
    for (name, change) in cases {
        let (events, summary) = read(change);
        assert!(events.is_empty(), "{name}: {events:?}");
        let service = &summary["behind_tls"][0];
        assert_eq!(service["anomalies"], serde_json::json!([name]), "{service}");
        assert_eq!(service["estimated"]["exchanges"], 24, "{service}");
    }
}

#[test]
fn a_hello_that_is_sent_again_upon_a_retry_is_one_connection() {
    let lines = Tapwire::new(["inventory", "--json"]).args([fixture("quic-retry").path()]).key().run();
    let lines = lines.ok("inventory").events();
    let service = lines.iter().find(|line| line["service"] == "shop.test").expect("a service");
    assert_eq!(service["connections"], 2, "{service}");
}

#[test]
fn services_behind_tls_and_quic_are_in_the_inventory() {
    let paths = ["tls-only", "quic", "tls13"].map(|name| fixture(name).path());
    let keys = fixture("tls13").folder.join("keys.log").display().to_string();
    let inventory =
        |more: &[&str]| Tapwire::new(["inventory"]).args(&paths).key().args(more).run().ok("inventory");
    let lines = inventory(&["--json"]).events();
    let of = |name: &str| lines.iter().find(|line| line["service"] == name && line["template"].is_null());
    let tls = of("10.77.0.2:443").expect("the shop");
    assert_eq!((&tls["connections"], &tls["estimated"]["exchanges"]), (&5.into(), &27.into()), "{tls}");
    assert_eq!(tls["versions"], serde_json::json!(["TLS 1.2", "TLS 1.3"]));
    for (name, version) in [("api.other.test", "QUIC 1"), ("shop.test", "QUIC 1"), ("v2.shop.test", "QUIC 2")]
    {
        let service = of(name).expect(name);
        assert_eq!(
            (&service["alpn"][0], &service["versions"][0]),
            (&"h3".into(), &version.into()),
            "{service}"
        );
        assert_eq!(service["protocols"], serde_json::json!(["quic"]));
    }
    for (name, length) in [("ja3", 32), ("ja3s", 32), ("ja4", 36), ("ciphers", 4)] {
        let all = tls[name].as_array().expect(name);
        let long = |one: &Value| one.as_str().is_some_and(|one| one.len() >= length);
        assert!(!all.is_empty() && all.iter().all(long), "{name}: {tls}");
    }
    let page = String::from_utf8(inventory(&[]).stdout).expect("text");
    assert!(page.contains("v2.shop.test") && page.contains("about 27 exchanges"), "{page}");
    // What is decrypted has endpoints.
    let read = inventory(&["--json", "--keylog", &keys]).events();
    let endpoint = |line: &&Value| line["template"] == "/orders/{orderId}" && line["service"] == "shop.test";
    let endpoint = read.iter().find(endpoint).expect("an endpoint");
    assert_eq!(endpoint["protocols"], serde_json::json!(["http/1.1"]), "{endpoint}");
}

#[test]
fn what_certificates_and_hellos_say_is_told_without_keys() {
    let path = fixture("tls12").path();
    let of = |arguments: &[&str]| Tapwire::new(arguments).args([&path]).key().run().ok("tls12");
    let line = of(&["inventory", "--json"]).events().remove(0);
    let certificate = &line["certificate"];
    assert!(certificate["names"][0].is_string() && certificate["issuer"].is_string(), "{line}");
    assert!(certificate["not_after"].as_str().is_some_and(|time| time.ends_with('Z')), "{line}");
    let page = String::from_utf8(of(&["inventory"]).stdout).expect("text");
    assert!(page.contains("certificate for ") && page.contains(", until 20"), "{page}");
    let events = of(&["replay", "--events", "-", "--only", "sensor"]).events();
    let behind = events.iter().find(|event| event["metadata"]["event_code"] == "service.behind-tls");
    let told = &behind.expect("an event of the service")["unmapped"];
    for name in ["protocols", "versions", "ciphers", "ja3", "ja3s", "ja4"] {
        assert!(told[name][0].is_string() && told[name] == line[name], "{name}: {told} {line}");
    }
    assert_eq!(told["certificate_names"], certificate["names"]);
    assert_eq!(told["certificate_sha256"][0], certificate["sha256"]);
}

#[test]
fn tls_whose_version_was_not_seen_is_no_quic() {
    let path = fixture("tls-only").path();
    let clients = Tapwire::new(["inventory", "--json", "-f", "dst port 443"]).args([&path]).key();
    let lines = clients.run().ok("half").events();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(lines[0]["versions"], serde_json::json!([]), "{lines:?}");
    assert_eq!(lines[0]["protocols"], serde_json::json!(["tls"]), "{lines:?}");
}
