//! `tapwire show`: one exchange with what is wrong about it, from a capture or from what was kept.

use serde_json::Value;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tapwire_tests::{Fixture, Ran, Tapwire, fixtures};

fn fixture() -> Fixture {
    fixtures()
        .into_iter()
        .find(|fixture| fixture.name == "credentials-in-url")
        .expect("the fixture is in the tree")
}

/// The uid of the exchange behind the fixture's first finding.
fn uid() -> String {
    let events =
        Tapwire::replay(&fixture()).args(["--events", "-", "--only", "findings"]).run().ok("replay").events();
    let exchange = events.first().and_then(|finding| finding.pointer("/unmapped/exchanges/0"));
    exchange.and_then(Value::as_str).expect("a finding names its exchange").to_owned()
}

fn show(arguments: &[&str]) -> Ran {
    Tapwire::new(["show"]).args(arguments).args([fixture().path()]).key().run()
}

fn page(ran: &Ran) -> String {
    String::from_utf8(ran.stdout.clone()).expect("UTF-8")
}

#[test]
fn an_exchange_is_a_page_with_its_findings() {
    let uid = uid();
    let ran = show(&[&uid[..12]]).ok("show");
    let page = page(&ran);
    let at = |text: &str| page.find(text).unwrap_or_else(|| panic!("\"{text}\" is missing in\n{page}"));
    let groups = ["Exchange", "Who", "Request", "Response", "How well it was seen", "Findings"].map(at);
    assert!(groups.is_sorted(), "groups in another order:\n{page}");
    at(&uid);
    at("pairing       certain");
    at("Credentials in the URL");
    at("what to do");
    assert!(!page.contains("http_request"), "names of JSON members are not for people:\n{page}");
}

#[test]
fn as_json_the_events_come_as_they_were_written() {
    let uid = uid();
    let events = show(&[&uid, "--json"]).ok("show").events();
    let of = |class: u64| {
        events.iter().filter(|e| e.get("class_uid").and_then(Value::as_u64) == Some(class)).count()
    };
    assert_eq!(of(6003), 1, "the exchange");
    assert!(of(2004) >= 1, "its finding");
}

#[test]
fn what_was_kept_shows_the_same_as_the_capture() {
    let uid = uid();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("data");
    let kept = Tapwire::replay(&fixture()).args(["-q", "--events", "/dev/null", "--data"]).args([&data]);
    let _ = kept.run().ok("replay");
    let from_data = Tapwire::new(["show", &uid, "--data"]).args([&data]).run().ok("show");
    assert_eq!(page(&from_data), page(&show(&[&uid]).ok("show")));
}

#[test]
fn a_uid_that_nobody_has_is_the_operators_error() {
    let ran = show(&["0123456789abcdef"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains("0123456789abcdef") && ran.stdout.is_empty(), "{}", ran.stderr);
    let short = show(&["012"]);
    assert!(short.code == Some(2) && short.stderr.contains("6 hexadecimal digits"), "{}", short.stderr);
}

/// The page of one of a fixture's exchanges, read as the fixture is.
fn page_of(name: &str, wanted: impl Fn(&Value) -> bool) -> String {
    let fixture = fixtures().into_iter().find(|fixture| fixture.name == name).expect("the fixture");
    let events =
        Tapwire::replay(&fixture).args(["--events", "-", "--only", "exchanges"]).run().ok(name).events();
    let uid =
        events.iter().find(|event| wanted(event)).and_then(|event| event.pointer("/metadata/uid")).cloned();
    let uid = uid.expect("such an exchange");
    let shown = Tapwire::new(["show", uid.as_str().expect("text")]).args([fixture.path()]).key();
    page(&shown.within(&fixture).run().ok("show"))
}

fn failed(event: &Value) -> bool {
    event.pointer("/unmapped/failed").and_then(Value::as_bool) == Some(true)
}

#[test]
fn what_was_called_and_that_it_failed_is_on_the_page_whatever_the_status() {
    let cases: [(&str, &[&str]); 3] = [
        ("mcp", &["operation     tools/call get_order", "What it says as mcp", "  tool          get_order"]),
        ("grpc", &["operation     shop.v1.Orders/GetOrder", "  status name   NOT_FOUND", "stream        "]),
        (
            "graphql",
            &["operation     mutation Create {createOrder}", "variables     (name o, type NewOrder!)"],
        ),
    ];
    for (name, wanted) in cases {
        let page = page_of(name, failed);
        for text in
            wanted.iter().chain(&["  status        200", "  outcome       failed: the payload says so"])
        {
            assert!(page.contains(text), "{name}: \"{text}\" is missing in\n{page}");
        }
        assert!(!page.contains(" 0 ms"), "{name}:\n{page}");
    }
}

#[test]
fn what_was_read_out_of_tls_says_so_with_names_and_fingerprints() {
    let page = page_of("tls13-keyupdate", |event| event.pointer("/unmapped/ja4").is_some());
    for text in
        ["decrypted     yes", "server name   ", "JA3           ", "JA3S          ", "JA4           t13"]
    {
        assert!(page.contains(text), "\"{text}\" is missing in\n{page}");
    }
    let clear = page_of("basic-rest", |_| true);
    assert!(!clear.contains("TLS") && !clear.contains("failed"), "{clear}");
}

#[test]
fn a_message_names_what_carries_it_and_an_end_what_passed() {
    let kind = |wanted: &'static str| {
        move |event: &Value| event.pointer("/unmapped/kind").and_then(Value::as_str) == Some(wanted)
    };
    let message = page_of("websocket", kind("message"));
    assert!(message.contains("message 1 of exchange ") && message.contains("goes one way"), "{message}");
    let end = page_of("websocket", kind("end"));
    assert!(end.contains("All that passed") && end.contains("messages      client 4, server 8"), "{end}");
}

/// What the kernel says of a process; empty where that is over.
fn status(process: u32) -> String {
    std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default()
}

#[test]
fn who_looks_into_a_capture_is_confined() {
    let mut child = Command::new(tapwire_tests::binary())
        .args(["show", "0123456789ab", "-"])
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("tapwire can be started");
    let mut input = child.stdin.take().expect("it is piped");
    // The head of a capture, whose packets do not come yet.
    let head = [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65_535, 1].map(u32::to_le_bytes).concat();
    input.write_all(&head).expect("it reads");
    let late = Instant::now() + Duration::from_secs(60);
    while !status(child.id()).contains("Seccomp:\t2") {
        assert!(Instant::now() < late && !status(child.id()).is_empty(), "{}", status(child.id()));
        std::thread::sleep(Duration::from_millis(10));
    }
    drop(input);
    assert_eq!(child.wait().expect("it ends").code(), Some(2), "there is no such uid");
}
