//! The fixtures `equal-clear` and `equal-tls13` hold the same exchanges.

use serde_json::Value;
use tapwire_tests::{Tapwire, fixtures};

/// What may differ: when it was, how it was seen, and what is about TLS. `*` stands for every element.
const OWN: &[&[&str]] = &[
    &["time"],
    &["start_time"],
    &["end_time"],
    &["duration"],
    &["http_response", "latency"],
    &["metadata", "uid"],
    &["api", "request", "uid"],
    &["metadata", "logged_time"],
    &["unmapped", "time_ns"],
    &["unmapped", "source"],
    &["unmapped", "packets"],
    &["unmapped", "seen"],
    &["unmapped", "flow"],
    &["unmapped", "sni"],
    &["unmapped", "alpn"],
    &["unmapped", "tls"],
    &["unmapped", "ja3"],
    &["unmapped", "ja3s"],
    &["unmapped", "ja4"],
];

#[test]
fn the_same_exchanges_give_the_same_events_in_clear_text_and_in_tls() {
    let (clear, decrypted) =
        (events("equal-clear", &[]), events("equal-tls13", &["--keylog", &key_log("equal-tls13")]));
    assert_eq!((clear.len(), decrypted.len()), (16, 16));
    for (number, (clear, decrypted)) in clear.iter().zip(&decrypted).enumerate() {
        let (seen, open) = (&decrypted["unmapped"]["seen"], &clear["unmapped"]["seen"]);
        assert_eq!(
            (seen["request"].as_str(), seen["response"].as_str()),
            (Some("complete"), Some("complete"))
        );
        assert_eq!((&seen["decrypted"], open.get("decrypted")), (&Value::Bool(true), None), "{seen}");
        assert_eq!(without_own(clear), without_own(decrypted), "exchange {}", number + 1);
    }
}

#[test]
fn without_its_keys_the_same_capture_gives_no_exchange() {
    assert_eq!(events("equal-tls13", &[]).len(), 0);
}

/// A fixture's key log, wherever the binary runs.
pub(crate) fn key_log(name: &str) -> String {
    let fixture = fixtures().into_iter().find(|fixture| fixture.name == name).expect("the fixture");
    fixture.folder.join("keys.log").display().to_string()
}

fn events(name: &str, arguments: &[&str]) -> Vec<Value> {
    let fixture = fixtures().into_iter().find(|fixture| fixture.name == name).expect("the fixture");
    let run =
        Tapwire::new(["replay"]).args([fixture.path()]).key().args(["--events", "-", "--only", "exchanges"]);
    run.args(arguments).run().ok(name).events()
}

fn without_own(event: &Value) -> Value {
    let mut event = event.clone();
    for path in OWN {
        let (last, above) = path.split_last().expect("a path");
        let place = above.iter().try_fold(&mut event, |value, key| value.get_mut(*key));
        if let Some(object) = place.and_then(Value::as_object_mut) {
            object.remove(*last);
        }
    }
    // Who has no credentials is told apart by JA4 too, and in clear text there is none.
    if let Some(caller) = event.pointer_mut("/unmapped/principal").filter(|caller| caller["kind"] == "net") {
        caller.as_object_mut().expect("an object").remove("token");
    }
    if let Some(headers) = event.pointer_mut("/http_response/http_headers").and_then(Value::as_array_mut) {
        headers
            .retain(|header| header["name"].as_str().is_none_or(|name| !name.eq_ignore_ascii_case("date")));
    }
    if let Some(protocols) = event.pointer_mut("/unmapped/protocols").and_then(Value::as_array_mut) {
        protocols.retain(|protocol| !protocol.as_str().is_some_and(|name| name.starts_with("tls")));
    }
    event
}
