//! What leaves and what does not.

use super::*;
use crate::{Generation, Profile};

/// Secrets, each where real clients put them.
const PLANTED: &[(&str, &str)] = &[
    ("s3cr3t-in-query", "/a?access_token=s3cr3t-in-query"),
    ("s3cr3t/2", "/a?q=s3cr3t/2"),
    ("hunter2", "/a?password=hunter2"),
    ("hunter", "/a?pass%77ord=hunter"),
    ("alice@example.com", "/a?who=alice@example.com"),
    ("alice%40example.com", "/users/alice%40example.com/orders"),
    ("alice@example.com", "/users/alice@example.com"),
    ("alice", "/a?user=alice"),
    ("4111111111111111", "/cards/4111111111111111"),
    ("4111111111111111", "/a?n=4111111111111111"),
    ("ghp_16C7e42F292c6912E7710c838347Ae178B4a", "/download/ghp_16C7e42F292c6912E7710c838347Ae178B4a"),
    ("eyJhbGciOiJIUzI1NiJ9", "/verify/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl"),
    ("Qx7", "/reset-password/Qx7"),
    ("5E3F9AB01C22D4", "/a;jsessionid=5E3F9AB01C22D4"),
    ("bob:pw", "http://bob:pw@shop.example/a"),
    ("justavalueofsecret12345", "/a?justavalueofsecret12345"),
    ("abcd1234efgh5678", "/%61bcd1234efgh5678"),
];

const HEADERS: &[(&str, &str)] = &[
    ("dXNlcjpwYXNz", "Authorization: Basic dXNlcjpwYXNz"),
    ("opaque-credential", "Authorization: opaque-credential"),
    ("k-12345", "X-Api-Key: k-12345"),
    ("Alice Smith", "X-Customer: Alice Smith"),
    ("v4lue", "Cookie: theme=v4lue; sid=abc"),
    ("lonely", "Cookie: lonely"),
    ("alice@example.com", "User-Agent: bot (alice@example.com)"),
    ("AKIAIOSFODNN7EXAMPLE", "User-Agent: tool AKIAIOSFODNN7EXAMPLE"),
    ("t0k", "Referer: http://shop.example/a?token=t0k"),
    ("fragile", "Referer: http://shop.example/a#access_token=fragile"),
    ("me:too", "Referer: http://me:too@shop.example/a"),
    ("W/\"5f\"", "If-None-Match: W/\"5f\""),
    ("s3same", "Sec-WebSocket-Protocol: bearer.alice@s3same"),
    ("n0tlisted", "x-very-long-header-name-that-is-in-no-list-at-all: n0tlisted"),
    ("report-alice.pdf", "Content-Disposition: attachment; filename=\"report-alice.pdf\""),
];

fn everything(exchange: &Exchange) -> String {
    let call = call(exchange.clone());
    let mut all = String::new();
    for (format, _, _) in Format::ALL {
        let chosen = fields::FIELDS.iter().collect();
        let mut renderer = renderer(Options { fields: chosen, ..options(*format) });
        for call in [None, Some(&call)] {
            all += &rendered(&mut renderer, &View { exchange, call, source: "eth0" });
        }
    }
    all
}

#[test]
fn secrets_in_targets_stay() {
    for (secret, target) in PLANTED {
        let request = format!("GET {target} HTTP/1.1\r\nHost: shop.example\r\n\r\n");
        let text = everything(&exchange(1, request.as_bytes(), b"HTTP/1.1 200 OK\r\n\r\n"));
        assert!(!text.contains(secret), "{secret} of {target} in {text}");
        assert!(!text.contains(&secret.replace('/', "\\/")), "{secret} escaped");
    }
}

#[test]
fn secrets_in_headers_stay_in_both_directions() {
    for (secret, header) in HEADERS {
        let request = format!("GET /a HTTP/1.1\r\nHost: shop.example\r\n{header}\r\n\r\n");
        let response = format!("HTTP/1.1 200 OK\r\n{header}\r\n\r\n");
        let text = everything(&exchange(1, request.as_bytes(), response.as_bytes()));
        assert!(
            !text.contains(secret) && !text.contains(&secret.replace('"', "\\\"")),
            "{secret} of {header} in {text}"
        );
    }
}

#[test]
fn secrets_in_answers_stay() {
    for (secret, header) in [
        ("abc123", "Set-Cookie: sid=abc123; Path=/; HttpOnly; Comment=x"),
        ("zzz", "Location: /callback?code=zzz&state=zzz"),
        ("zzz", "Location: https://u:zzz@x.example/"),
        ("zzz", "X-New-Token: zzz"),
    ] {
        let response = format!("HTTP/1.1 302 Found\r\n{header}\r\n\r\n");
        let text = everything(&exchange(1, b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n", response.as_bytes()));
        assert!(!text.contains(secret), "{secret} of {header} in {text}");
    }
}

#[test]
fn methods_and_hosts_that_are_none_stay() {
    let text = everything(&exchange(
        1,
        b"s3cr3tmethod /a HTTP/1.1\r\nHost: s3cr3t host!\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
    ));
    assert!(!text.contains("s3cr3t"), "{text}");
}

#[test]
fn bodies_stay() {
    let request = b"POST /a HTTP/1.1\r\nHost: x\r\n\r\nbody-of-request";
    let text = everything(&exchange(1, request, b"HTTP/1.1 200 OK\r\n\r\nbody-of-response"));
    assert!(!text.contains("body-of"), "{text}");
}

#[test]
fn what_people_need_leaves() {
    let call = call(exchange(
        1,
        b"GET /v1/orders/17/items?page=2&sort=created_at&since=2026-01-01 HTTP/1.1\r\nHost: shop.example\r\n\
          User-Agent: Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/121.0\r\nCookie: theme=dark\r\n\
          traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n\r\n",
        b"HTTP/1.1 301 Moved\r\nLocation: https://shop.example/v2/orders?page=2\r\nSet-Cookie: sid=x; Path=/a; Max-Age=10\r\n\r\n",
    ));
    let view = View { exchange: &call.observation.exchange, call: None, source: "eth0" };
    let text = rendered(&mut renderer(options(Format::Ocsf)), &view);
    for kept in [
        "/v1/orders/17/items",
        "page=2&sort=created_at&since=2026-01-01",
        "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/121.0",
        "theme=tok:",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "https://shop.example/v2/orders?page=2",
        "; Path=/a; Max-Age=10",
    ] {
        assert!(text.contains(kept), "{kept} not in {text}");
    }
}

fn full(call: &Call) -> Value {
    let mut renderer = Renderer::new(options(Format::Ocsf), Redactor::new(KEY, Fidelity::Full));
    let view = View { exchange: &call.observation.exchange, call: Some(call), source: "eth0" };
    json(&rendered(&mut renderer, &view))
}

fn inspected(request: &[u8], response: &[u8]) -> Call {
    let mut inspector = tapwire_inspect::Inspector::new(tapwire_inspect::Config::new(KEY));
    let observation = inspector.exchange(exchange(1, request, response));
    Call { observation, ..call(ordinary()) }
}

#[test]
fn full_fidelity_leaves_everything_with_the_bodies() {
    let event = full(&inspected(
        b"POST /a?token=t0k HTTP/1.1\r\nHost: x\r\nCookie: a=b0b\r\n\r\n{\"asked\":1}",
        b"HTTP/1.1 200 OK\r\n\r\n\xff\x00answered",
    ));
    assert_eq!(event["http_request"]["url"]["query_string"], "token=t0k");
    assert_eq!(event["http_request"]["http_headers"][1]["value"], "a=b0b");
    assert_eq!(event["api"]["request"]["data"], "{\"asked\":1}");
    assert_eq!(event["api"]["response"]["data"], "%FF\0answered");
    assert_eq!(event["unmapped"]["withheld"], Value::Null);
}

#[test]
fn without_analysis_no_body_leaves() {
    let exchange = exchange(1, b"POST /a HTTP/1.1\r\nHost: x\r\n\r\n{\"cvv\":\"123\"}", b"");
    let mut renderer = Renderer::new(options(Format::Ocsf), Redactor::new(KEY, Fidelity::Full));
    let text = rendered(&mut renderer, &View { exchange: &exchange, call: None, source: "eth0" });
    assert!(!text.contains("123\\\""), "{text}");
}

#[test]
fn what_proves_a_card_is_at_hand_leaves_in_no_mode() {
    let request = b"POST /pay/cvv/737?amount=10&cvc2=738&p%69n=7391&t=%25B4539578763621486%5EDOE%5E2512?&note=cvv HTTP/1.1\r\nHost: x\r\n\
        X-Card-Cvv: 740\r\nCookie: pin=7411; a=b0b\r\nReferer: https://x/?security_code=742\r\nContent-Type: application/json\r\n\r\n\
        {\"card\":{\"number\":\"4539578763621486\",\"cvv\":\"743\"}}";
    let call = inspected(request, b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{\"ok\":true}");
    let in_full = full(&call);
    let view = View { exchange: &call.observation.exchange, call: Some(&call), source: "eth0" };
    let usual = json(&rendered(&mut renderer(options(Format::Ocsf)), &view));
    for event in [&in_full, &usual] {
        let text = event.to_string();
        for secret in ["737", "738", "7391", "4539578763621486", "740", "7411", "742", "743"] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
        assert_eq!(event["http_request"]["url"]["path"], "/pay/cvv/dropped:");
        assert!(text.contains("cvc2=dropped:&p%69n=dropped:") && text.contains("amount=10"), "{text}");
    }
    assert_eq!(in_full["unmapped"]["withheld"], serde_json::json!(["request.body"]));
    assert_eq!(in_full["api"]["response"]["data"], "{\"ok\":true}");
    assert!(in_full.to_string().contains("a=b0b"));
}

#[test]
fn numbers_of_citizens_leave_under_no_name() {
    let mut redactor = Redactor::new(KEY, Fidelity::Default);
    for (path, kept) in [
        ("/pesel/44051401359", false),
        ("/lookup/GB82WEST12345698765432", false),
        ("/orders/44051401358", true),
        ("/orders/1767268800123", true),
        ("/v1/items/123456", true),
    ] {
        let shown = redactor.shown_path(path);
        assert_eq!(shown == path, kept, "{path}: {shown}");
    }
    let query = "national_id=536228470&bsn=111222333&page=12345678";
    let mut scratch = Vec::new();
    let shown = redactor.query(tapwire_protocol::Untrusted::new(query.as_bytes()), &mut scratch);
    let shown = String::from_utf8_lossy(shown.bytes()).into_owned();
    assert!(
        !shown.contains("536228470") && !shown.contains("111222333") && shown.ends_with("page=12345678"),
        "{shown}"
    );
}

#[test]
fn percent_encoded_names_say_what_they_say() {
    let mut redactor = Redactor::new(KEY, Fidelity::Default);
    let shown = redactor.shown_path("/reset%2Dpassword/hunter2");
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn headers_that_the_operator_lists_leave() {
    let redactor = Redactor::new(KEY, Fidelity::Default).clear_headers(["x-customer".to_owned()]);
    let exchange = ordinary();
    let mut renderer = Renderer::new(options(Format::Ocsf), redactor);
    let text = rendered(&mut renderer, &View { exchange: &exchange, call: None, source: "eth0" });
    assert!(text.contains("Alice Smith") && !text.contains("abcdefghijklmnop"));
}

#[test]
fn equal_text_has_equal_tokens_and_another_key_other_ones() {
    let token = |key: TokenKey| {
        let exchange = ordinary();
        let mut renderer = Renderer::new(options(Format::Ocsf), Redactor::new(key, Fidelity::Default));
        let event = json(&rendered(&mut renderer, &View { exchange: &exchange, call: None, source: "eth0" }));
        (event["http_request"]["url"]["query_string"].clone(), event["unmapped"]["token_key"].clone())
    };
    assert_eq!(token(KEY), token(KEY));
    let (one, other) = (token(KEY), token(TokenKey::new([8; 32])));
    assert!(one.0 != other.0 && one.1 != other.1);
}

#[test]
fn huge_text_is_cut_and_said_so() {
    let request = format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "a/".repeat(100_000));
    let exchange = exchange(1, request.as_bytes(), b"HTTP/1.1 200 OK\r\n\r\n");
    for format in [Format::Ocsf, Format::Eve] {
        let text = alone(format, &exchange);
        assert!(text.len() < 8_000 && text.contains("\"text_cut\":true"), "{} bytes", text.len());
    }
    assert!(!alone(Format::Ocsf, &ordinary()).contains("text_cut"));
}

#[test]
fn the_cut_leaves_no_beginning_of_a_secret() {
    for beginning in ["/", "/a?list="] {
        let filler = "a/".repeat(2043 - beginning.len() / 2);
        let target = format!("{beginning}{filler}s3cr3tAPIkey0123456789abcdef{}", "/a".repeat(100));
        let request = format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n");
        let text = everything(&exchange(1, request.as_bytes(), b"HTTP/1.1 200 OK\r\n\r\n"));
        assert!(!text.contains("s3cr3t"), "{text}");
    }
}

#[test]
fn what_a_sentence_calls_a_secret_is_one() {
    let mut redactor = Redactor::new(KEY, Fidelity::Default);
    let shown = redactor.shown_sentence("curl/8.5 (token=abc123; lang=en) password=hunter2");
    assert!(shown.starts_with("curl/8.5 (token=tok:") && shown.contains("lang=en"), "{shown}");
    assert!(!shown.contains("abc123") && !shown.contains("hunter2"), "{shown}");
}

#[test]
fn a_path_is_shown_to_people_as_events_show_it() {
    let mut redactor = Redactor::new(KEY, Fidelity::Default);
    let shown = redactor.shown_path("/reset-password/SECRETvalue99/done");
    assert!(shown.starts_with("/reset-password/") && !shown.contains("SECRETvalue99"), "{shown}");
}

#[test]
fn what_is_remembered_is_written_with_the_key_of_its_time() {
    let from = Timestamp::from_parts(1_767_268_801, 0);
    let next = Generation { number: 2, from, key: TokenKey::new([8; 32]) };
    let profile = Profile { own_tokens: true, ..Profile::default() };
    let redactor = Redactor::new(KEY, Fidelity::Default).profile(profile).generation(next);
    let mut renderer = Renderer::new(options(Format::Ocsf), redactor);
    for (seconds, own, other) in [(0, "tok:", "tok2:"), (5, "tok2:", "tok:"), (0, "tok:", "tok2:")] {
        let mut exchange = ordinary();
        let time = Timestamp::from_parts(1_767_268_800 + seconds, 0);
        for message in [&mut exchange.request, &mut exchange.response].into_iter().flatten() {
            (message.started, message.ended) = (time, time);
        }
        for _ in 0..3 {
            let text = rendered(&mut renderer, &View { exchange: &exchange, call: None, source: "eth0" });
            assert!(text.contains(&format!("Bearer {own}")) && !text.contains(other), "{text}");
        }
    }
}
