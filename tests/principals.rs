//! Who calls, over captures of real logins: the order of names, what logins hand out, proxies, context files.

use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tapwire_tests::{Fixture, Following, Ran, Tapwire, fixtures, token_key, workspace};

fn fixture(name: &str) -> Fixture {
    fixtures().into_iter().find(|fixture| fixture.name == name).expect("the fixture is in the tree")
}

/// The events of a fixture, counted from 1: its client makes one call after the other.
fn events(name: &str, arguments: &[&str]) -> BTreeMap<u64, Value> {
    let ran = Tapwire::replay(&fixture(name)).args(["--events", "-"]).args(arguments).run().ok(name);
    (1..).zip(ran.events().into_iter().filter(|event| event["class_uid"] == 6003)).collect()
}

fn text<'a>(events: &'a BTreeMap<u64, Value>, number: u64, pointer: &str) -> &'a str {
    events[&number].pointer(pointer).and_then(Value::as_str).unwrap_or("")
}

fn principal(events: &BTreeMap<u64, Value>, number: u64) -> (&str, &str) {
    (text(events, number, "/unmapped/principal/kind"), text(events, number, "/unmapped/principal/token"))
}

fn facts(events: &BTreeMap<u64, Value>, number: u64) -> Vec<&str> {
    let facts = events[&number].pointer("/unmapped/principal/facts").and_then(Value::as_array);
    facts.into_iter().flatten().filter_map(Value::as_str).collect()
}

fn callers(name: &str, arguments: &[&str]) -> Ran {
    let fixture = fixture(name);
    Tapwire::new(["callers"]).args(arguments).args([fixture.path()]).key().within(&fixture).run().ok(name)
}

#[test]
fn tokens_belong_to_who_logged_in_through_every_renewal() {
    let events = events("logins", &[]);
    let alice = principal(&events, 2);
    assert_eq!(alice.0, "user");
    for call in [2, 3, 5, 7] {
        assert_eq!(principal(&events, call), alice, "call {call}");
        assert_eq!(text(&events, call, "/unmapped/principal/by"), "bearer");
        assert_eq!(text(&events, call, "/actor/user/uid"), alice.1);
    }
    assert_eq!(text(&events, 2, "/unmapped/principal/issued_in"), text(&events, 1, "/metadata/uid"));
    assert_eq!(text(&events, 5, "/unmapped/principal/issued_in"), text(&events, 4, "/metadata/uid"));
    assert_eq!(events[&7]["unmapped"]["principal"]["renewals"], 2);
    assert_eq!(
        events[&2]["unmapped"]["principal"]["scopes"],
        serde_json::json!(["orders.read", "orders.write"])
    );
    assert_eq!(facts(&events, 8), ["superseded"], "a refresh token that is shown again is refused");
    assert_eq!(facts(&events, 20), ["expired", "accepted"]);
}

#[test]
fn a_json_web_token_and_a_session_of_one_login() {
    let events = events("logins", &[]);
    assert_eq!((principal(&events, 13).0, text(&events, 13, "/unmapped/principal/by")), ("user", "jwt"));
    assert_eq!(events[&13]["actor"]["user"]["groups"], serde_json::json!([{"name": "customer"}]));
    let bob = text(&events, 13, "/unmapped/principal/login");
    assert!(!bob.is_empty());
    assert_eq!(principal(&events, 15).0, "session", "a wrong password makes nobody of a session");
    let account = principal(&events, 17);
    assert_eq!((account.0, account.1), ("user", bob));
    assert_eq!(principal(&events, 18), account);
    assert_eq!(facts(&events, 17), Vec::<&str>::new());
    assert_eq!(facts(&events, 19), ["after-logout", "accepted"]);
}

#[test]
fn a_client_is_where_trusted_proxies_say() {
    let plain = events("logins", &[]);
    assert_eq!(text(&plain, 17, "/src_endpoint/ip"), "10.77.0.1");
    assert_eq!(text(&plain, 17, "/unmapped/client/claimed"), "203.0.113.7");
    let trusted = events("logins", &["--set", "networks.proxies=[\"10.77.0.1\"]"]);
    assert_eq!(text(&trusted, 17, "/src_endpoint/ip"), "198.51.100.4");
    assert_eq!(text(&trusted, 17, "/unmapped/client/by"), "x-forwarded-for");
    assert_eq!(text(&trusted, 17, "/unmapped/client/peer"), "10.77.0.1");
    assert_eq!(trusted[&17].pointer("/src_endpoint/port"), None);
    let all = events("logins", &["--set", "networks.proxies=[\"10.77.0.1\", \"198.51.100.0/24\"]"]);
    assert_eq!(text(&all, 17, "/src_endpoint/ip"), "203.0.113.7");
}

#[test]
fn certificates_name_clients_in_both_versions_of_tls() {
    let events = events("mtls", &[]);
    let seven = principal(&events, 1);
    assert_eq!((seven.0, text(&events, 1, "/unmapped/principal/by")), ("cert", "certificate"));
    assert_eq!(principal(&events, 2), seven);
    assert_eq!(principal(&events, 3).0, "cert");
    assert_ne!(principal(&events, 3), seven);
    assert_eq!(principal(&events, 4).0, "net");
    assert_eq!(events[&1]["actor"]["user"]["type_id"], 4);
}

#[test]
fn callers_are_listed_as_a_table_and_as_json() {
    let table = String::from_utf8(callers("logins", &["--sessions"]).stdout).expect("UTF-8");
    for wanted in ["Callers", "Sessions", "orders.read", "customer", "10.77.0.0/24", "other", "replaced"] {
        assert!(table.contains(wanted), "{wanted} in\n{table}");
    }
    assert!(table.lines().all(|line| line.chars().count() <= 112), "{table}");
    let lines = callers("logins", &["--json", "--sessions"]).events();
    let callers: Vec<&Value> = lines.iter().filter(|line| line.get("calls").is_some()).collect();
    let calls: Vec<u64> = callers.iter().filter_map(|caller| caller["calls"].as_u64()).collect();
    assert!(calls.is_sorted_by(|a, b| a >= b), "{calls:?}");
    assert_eq!(calls.iter().sum::<u64>(), 20);
    let ended = lines.iter().filter(|line| line.get("ended").is_some_and(Value::is_string));
    assert!(ended.count() >= 2, "a logout and a revocation");
    let certificates = callers_of("mtls", "certificate");
    assert_eq!(certificates, 2);
}

fn callers_of(name: &str, credential: &str) -> usize {
    let lines = callers(name, &["--json"]).events();
    lines
        .iter()
        .filter(|line| {
            line["credentials"].as_array().is_some_and(|all| all.iter().any(|one| one == credential))
        })
        .count()
}

fn write(folder: &tempfile::TempDir, name: &str, text: &str) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, text).expect("a temporary file");
    path
}

#[test]
fn files_say_where_both_ends_belong_and_a_broken_line_costs_only_itself() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let networks = write(
        &folder,
        "networks.toml",
        "[networks]\ninternal = [\"10.0.0.0/8\"]\npartnr = [\"192.0.2.0/24\"]\n[lists]\nusers = [\"alice\"]\n",
    );
    let assets = write(
        &folder,
        "assets.csv",
        "network,name,owner,zone,criticality\n10.77.0.2,\"Shop, cluster\",payments,dmz,high\n10.0.0.0/40,x\n",
    );
    let context = [networks.display().to_string(), assets.display().to_string()];
    let arguments = ["--context", &context[0], "--context", &context[1], "--events", "-"];
    let ran = Tapwire::replay(&fixture("logins")).args(arguments).run().ok("replay");
    assert!(ran.stderr.contains("networks.toml:3: 'partnr'"), "{}", ran.stderr);
    assert!(ran.stderr.contains("assets.csv:3: '10.0.0.0/40'"), "{}", ran.stderr);
    let found = events("logins", &arguments[..4]);
    assert_eq!(text(&found, 2, "/src_endpoint/zone"), "internal");
    assert_eq!(text(&found, 2, "/dst_endpoint/zone"), "dmz");
    assert_eq!(text(&found, 2, "/unmapped/server/owner"), "payments");
    assert_eq!(found[&2]["unmapped"]["lists"], serde_json::json!(["users"]));
    let chosen = [
        "--where",
        "owner == payments and role contains customer",
        "--format",
        "tsv",
        "--fields",
        "zone,server_zone,principal.by,role",
    ];
    let rows = Tapwire::replay(&fixture("logins")).args(arguments).args(chosen).run().ok("tsv").stdout;
    let rows = String::from_utf8(rows).expect("UTF-8");
    assert_eq!(rows.lines().nth(1), Some("internal\tdmz\tjwt\tcustomer"), "{rows}");
}

#[test]
fn what_cannot_be_read_is_one_clear_line() {
    let missing = Tapwire::new(["config", "check", "--context", "/nowhere/assets.csv"]).run();
    assert_eq!(missing.code, Some(2));
    assert!(missing.stderr.contains("context /nowhere/assets.csv: "), "{}", missing.stderr);
    let wrong = Tapwire::new(["config", "check", "--set", "networks.proxies=[\"10.0.0\"]"]).run();
    assert_eq!(wrong.code, Some(2));
    assert!(wrong.stderr.contains("networks.proxies: '10.0.0' is no network"), "{}", wrong.stderr);
}

/// The zone of the client in the next exchange of that host.
fn zone_of(run: &Following, host: &str) -> String {
    let asked =
        |event: &Value| event.pointer("/http_request/url/hostname").and_then(Value::as_str) == Some(host);
    let event = run.event(asked);
    event.pointer("/src_endpoint/zone").and_then(Value::as_str).unwrap_or("none").to_owned()
}

#[test]
fn context_is_read_again_while_a_run_goes_on() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let captures = folder.path().join("captures");
    std::fs::create_dir(&captures).expect("a folder");
    let context = write(&folder, "networks.toml", "[networks]\ninternal = [\"10.0.0.0/8\"]\n");
    let copy = |name: &str, to: &str| {
        let capture = workspace().join("fixtures").join(name).join("in.pcap");
        std::fs::copy(capture, captures.join(to)).expect("a copy");
    };
    copy("basic-rest", "1.pcap");
    let key = token_key(folder.path());
    let arguments = [Path::new("--token-key"), &key, Path::new("--context"), &context];
    let run = Following::start(&captures, &arguments);
    assert_eq!(zone_of(&run, "10.77.0.2"), "internal");
    write(&folder, "networks.toml", "[networks]\npartner = [\"10.0.0.0/8\"]\n");
    assert!(run.wait_for("context read again").contains("networks.toml (changed"));
    copy("forms", "2.pcap");
    while zone_of(&run, "10.77.0.2") == "internal" {}
    write(&folder, "networks.toml", "[networks]\npartner = [\"10.0.0.0/8\"]\nbroken\n");
    run.wait_for("networks.toml:3: ");
    run.wait_for("context read again");
    run.hang_up();
    run.wait_for("context read again");
    std::fs::remove_file(&context).expect("the file");
    run.wait_for("the context stays as it was");
}
