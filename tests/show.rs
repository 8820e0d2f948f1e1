//! `tapwire show`: one exchange with what is wrong about it, from a capture or from what was kept.

use serde_json::Value;
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
