//! Each policy with an endpoint that it is about, and one that nearly is.

use super::*;
use std::sync::Arc;
use tapwire_inventory::context::Reading;
use tapwire_protocol::tls::{Certificate, Facts};
use tapwire_wire::{Endpoint, FlowKey};

/// One way in which a call is made.
#[derive(Clone)]
struct Play {
    request: String,
    response: String,
    tls: Option<Facts>,
    client: [u8; 4],
    server: [u8; 4],
}

/// A call from inside to a server inside, in clear, of which nothing can be said.
fn call(line: &str, fields: &str, answer: &str) -> Play {
    let (status, rest) = answer.split_once('|').unwrap_or((answer, ""));
    let (headers, body) = rest.split_once('|').unwrap_or((rest, ""));
    let ended = headers.is_empty() || headers.ends_with("\r\n");
    let headers = if ended { headers.to_owned() } else { format!("{headers}\r\n") };
    let kind = if body.starts_with('{') { "Content-Type: application/json\r\n" } else { "" };
    let length = body.len();
    Play {
        request: format!("{line} HTTP/1.1\r\nHost: shop.example\r\n{fields}\r\n"),
        response: format!("HTTP/1.1 {status} X\r\n{kind}{headers}Content-Length: {length}\r\n\r\n{body}"),
        tls: None,
        client: [10, 0, 0, 7],
        server: [10, 0, 0, 80],
    }
}

impl Play {
    fn host(mut self, host: &str) -> Self {
        self.request = self.request.replace("shop.example", host);
        self
    }

    fn public(self) -> Self {
        Self { client: [198, 51, 100, 7], ..self }
    }

    fn outward(self) -> Self {
        Self { server: [203, 0, 113, 9], ..self }
    }

    fn over(self, version: &'static str, cipher: &str) -> Self {
        let facts = Facts { version: Some(version), cipher: Some(cipher.into()), ..Facts::default() };
        Self { tls: Some(facts), ..self }
    }

    fn tls(self) -> Self {
        self.over("TLS 1.3", "TLS_AES_128_GCM_SHA256")
    }

    fn certified(self, not_after: i64) -> Self {
        let certificate = Certificate { not_after: Some(not_after), ..Certificate::default() };
        let facts = Facts { certificate: Some(certificate), version: Some("TLS 1.3"), ..Facts::default() };
        Self { tls: Some(facts), ..self }
    }
}

const TOKEN: &str = "Authorization: Bearer 0a1b2c3d4e5f6a7b8c9d\r\n";
const BASIC: &str = "Authorization: Basic amFuZTpwdw==\r\n";
/// `alg` none; then HS256 without an end, for ten years, and for an hour, from the time of the calls.
const UNSIGNED: &str = "Authorization: Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJ1MSIsImlzcyI6IngifQ.\r\n";
const ENDLESS: &str =
    "Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1MSIsImlzcyI6IngifQ.c2lnbmF0dXJl\r\n";
const YEARS: &str = "Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1MSIsImlzcyI6IngiLCJpYXQiOjE3MDAwMDAwMDAsImV4cCI6MjAwMDAwMDAwMH0.c2lnbmF0dXJl\r\n";
const HOUR: &str = "Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1MSIsImlzcyI6IngiLCJpYXQiOjE3MDAwMDAwMDAsImV4cCI6MTcwMDAwMzYwMH0.c2lnbmF0dXJl\r\n";

const CARD: &str = r#"200||{"cardNumber":"4539578763621486"}"#;
const CARD_SECRET: &str = r#"200||{"card":{"number":"4539578763621486","cvv":"737"}}"#;
const MASKED: &str = r#"200||{"cardNumber":"453957******1486"}"#;
const SSN: &str = r#"200||{"ssn":"536-22-8471"}"#;
const HEALTH: &str = r#"200||{"patient":{"mrn":"MRN00482913","diagnosis_code":"E11.9"}}"#;
const MAIL: &str = r#"200||{"email":"jane.doe@shop.example"}"#;
const PLAIN: &str = r#"200||{"page":1}"#;
const START: i64 = 1_700_000_000;

fn get(target: &str, fields: &str, answer: &str) -> Play {
    call(&format!("GET {target}"), fields, answer)
}

fn cookie(attributes: &str) -> Play {
    call("POST /login", "Content-Length: 0\r\n", &format!("200|Set-Cookie: sessionid=a1b2{attributes}\r\n|"))
}

fn cors(origin: &str, allowed: &str) -> Play {
    let headers =
        format!("Access-Control-Allow-Origin: {allowed}\r\nAccess-Control-Allow-Credentials: true\r\n");
    get("/me", &format!("Origin: {origin}\r\n{TOKEN}"), &format!("200|{headers}|{{}}"))
}

/// A policy with a call that it is about and one that it is not.
type Twin = (&'static str, Play, Play);

fn cases() -> Vec<Twin> {
    [of_exposure(), of_data(), of_transport(), of_configuration()].concat()
}

fn of_exposure() -> Vec<Twin> {
    vec![
        ("sensitive-data-without-authentication", get("/people", "", SSN), get("/people", TOKEN, SSN)),
        ("health-data-without-authentication", get("/records", "", HEALTH), get("/records", TOKEN, HEALTH)),
        (
            "public-change-without-authentication",
            call("DELETE /a", "", "204").public(),
            call("DELETE /a", "", "204"),
        ),
        (
            "public-administration",
            get("/admin/users", TOKEN, PLAIN).public(),
            get("/administer", TOKEN, PLAIN).public(),
        ),
        ("management-routes-open", get("/actuator/env", "", PLAIN), get("/actuator/health", "", PLAIN)),
        ("around-gateway", get("/a", TOKEN, PLAIN).public(), get("/a", TOKEN, PLAIN)),
        ("personal-data-without-authentication", get("/users", "", MAIL), get("/users", TOKEN, MAIL)),
        ("change-without-authentication", call("DELETE /a", "", "204"), call("DELETE /a", TOKEN, "204")),
        ("undocumented-sensitive-endpoints", get("/people", TOKEN, SSN), get("/people", TOKEN, PLAIN)),
    ]
}

fn of_data() -> Vec<Twin> {
    vec![
        ("card-secrets-in-answers", get("/pay", TOKEN, CARD_SECRET), get("/pay", TOKEN, CARD)),
        ("whole-card-numbers-in-answers", get("/pay", TOKEN, CARD), get("/pay", TOKEN, MASKED)),
        (
            "keys-in-answers",
            get("/settings", TOKEN, r#"200||{"aws":{"access_key_id":"AKIAIOSFODNN7QWERTY2"}}"#),
            get("/settings", TOKEN, r#"200||{"aws":{"access_key_id":"(hidden)"}}"#),
        ),
        (
            "passwords-in-answers",
            get("/users/me", TOKEN, r#"200||{"user":"jane","password":"Tr0ub4dor&3"}"#),
            get("/users/me", TOKEN, r#"200||{"user":"jane","password":null}"#),
        ),
        (
            "sensitive-data-in-url",
            get("/people?ssn=536-22-8471", TOKEN, PLAIN),
            get("/people?page=3", TOKEN, PLAIN),
        ),
        (
            "personal-data-in-url",
            get("/people?email=jane.doe%40shop.example", TOKEN, PLAIN),
            get("/people?sort=email", TOKEN, PLAIN),
        ),
        (
            "real-persons-in-non-production",
            get("/people", TOKEN, SSN).host("staging.shop.example"),
            get("/people", TOKEN, SSN),
        ),
        (
            "card-numbers-in-non-production",
            get("/pay", TOKEN, CARD).host("qa.shop.example"),
            get("/pay", TOKEN, r#"200||{"cardNumber":"4111111111111111"}"#).host("qa.shop.example"),
        ),
        (
            "personal-data-for-shared-caches",
            get("/me", TOKEN, r#"200|Cache-Control: public, max-age=60|{"email":"jane.doe@shop.example"}"#),
            get("/me", TOKEN, r#"200|Cache-Control: private, max-age=60|{"email":"jane.doe@shop.example"}"#),
        ),
    ]
}

fn of_transport() -> Vec<Twin> {
    vec![
        (
            "clear-text-over-public-networks",
            get("/a", TOKEN, PLAIN).public(),
            get("/a", TOKEN, PLAIN).public().tls(),
        ),
        ("sensitive-data-in-clear", get("/people", TOKEN, SSN), get("/people", TOKEN, SSN).tls()),
        ("passwords-in-clear", get("/a", BASIC, PLAIN), get("/a", BASIC, PLAIN).tls()),
        ("calls-out-in-clear", get("/a", TOKEN, PLAIN).outward(), get("/a", TOKEN, PLAIN).outward().tls()),
        (
            "old-tls",
            get("/a", TOKEN, PLAIN).over("TLS 1.1", "X"),
            get("/a", TOKEN, PLAIN).over("TLS 1.2", "X"),
        ),
        (
            "weak-cipher-suites",
            get("/a", TOKEN, PLAIN).over("TLS 1.2", "TLS_RSA_WITH_3DES_EDE_CBC_SHA"),
            get("/a", TOKEN, PLAIN).over("TLS 1.2", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"),
        ),
        (
            "certificate-expired",
            get("/a", TOKEN, PLAIN).certified(START),
            get("/a", TOKEN, PLAIN).certified(START * 2),
        ),
        (
            "certificate-expires-soon",
            get("/a", TOKEN, PLAIN).certified(START + 10 * 86_400),
            get("/a", TOKEN, PLAIN).certified(START + 90 * 86_400),
        ),
        (
            "no-strict-transport-security",
            get("/a", TOKEN, PLAIN).tls(),
            get("/a", TOKEN, "200|Strict-Transport-Security: max-age=31536000|{}").tls(),
        ),
    ]
}

fn of_configuration() -> Vec<Twin> {
    vec![
        ("unsigned-tokens-accepted", get("/a", UNSIGNED, PLAIN), get("/a", UNSIGNED, "401||{}")),
        ("tokens-without-expiry", get("/a", ENDLESS, PLAIN), get("/a", HOUR, PLAIN)),
        ("long-lived-tokens", get("/a", YEARS, PLAIN), get("/a", HOUR, PLAIN)),
        ("session-cookies-without-secure", cookie("; HttpOnly").tls(), cookie("; Secure; HttpOnly").tls()),
        ("session-cookies-without-httponly", cookie("; Secure"), cookie("; Secure; HttpOnly")),
        ("session-cookies-without-samesite", cookie("; Secure"), cookie("; SameSite=Strict")),
        ("cors-null-origin", cors("null", "null"), cors("null", "https://shop.example")),
        ("cors-any-origin", cors("https://x.test", "*"), cors("https://x.test", "https://x.test")),
        (
            "cors-foreign-origin",
            cors("https://x.test", "https://x.test"),
            cors("https://www.shop.example", "https://www.shop.example"),
        ),
        (
            "verbose-errors",
            get("/a", TOKEN, r#"500||{"error":"Traceback (most recent call last): File"}"#),
            get("/a", TOKEN, r#"500||{"error":"E17","id":"4711"}"#),
        ),
        (
            "directory-listings",
            get("/files", TOKEN, "200|Content-Type: text/html|<html><title>Index of /files</title>"),
            get("/files", TOKEN, "200|Content-Type: text/html|<html><title>Index of our shop</title>"),
        ),
        ("trace-answered", call("TRACE /a", TOKEN, "200||x"), call("TRACE /a", TOKEN, "403||x")),
        (
            "software-version-shown",
            get("/a", TOKEN, "200|Server: nginx/1.18.0|{}"),
            get("/a", TOKEN, "200|Server: nginx|{}"),
        ),
        ("no-nosniff", get("/a", TOKEN, PLAIN), get("/a", TOKEN, "200|X-Content-Type-Options: nosniff|{}")),
    ]
}

fn every_policy() -> Vec<UserPolicy> {
    let on =
        |info: &PolicyInfo| UserPolicy { id: info.id.into(), enabled: Some(true), ..UserPolicy::default() };
    POLICIES.iter().map(on).collect()
}

/// The policies that are about what was played so many times.
fn about(plays: &[(usize, &Play)]) -> Vec<String> {
    let mut bench = Bench::new(&every_policy(), &[]);
    let mut reading = Reading::new(KEY);
    reading.add("networks", "gateways", "10.0.0.250").unwrap();
    bench.inventory.set_context(Arc::new(reading.finish()));
    for (count, play) in plays {
        bench.change = Some(play.flow());
        bench.calls(*count, &play.request, &play.response);
    }
    bench.policies.finish(&bench.inventory, &mut bench.told);
    bench.told.iter().map(|one| one.rule.id.clone()).collect()
}

impl Play {
    fn flow(&self) -> ChangeOf {
        let (client, server) = (Endpoint::v4(self.client, 40_000), Endpoint::v4(self.server, 8080));
        let tls = self.tls.clone().map(Arc::new);
        Box::new(move |flow| {
            let (key, side) = FlowKey::new(client, server);
            (flow.key, flow.client, flow.tls) = (key, side, tls.clone());
        })
    }
}

#[test]
fn each_policy_is_about_what_it_says_and_about_nothing_that_nearly_is() {
    for (policy, positive, negative) in cases() {
        let of_positive = about(&[(20, &positive)]);
        assert!(of_positive.iter().any(|id| id == policy), "{policy}: only {of_positive:?}");
        let of_negative = about(&[(20, &negative)]);
        assert!(of_negative.iter().all(|id| id != policy), "{policy}: {of_negative:?}");
    }
}

#[test]
fn what_is_authenticated_mostly_must_be_always() {
    let (mine, open) = (call("GET /me", TOKEN, PLAIN), call("GET /me", "", PLAIN));
    let policy = "sometimes-authenticated".to_owned();
    assert!(about(&[(60, &mine), (1, &open)]).contains(&policy));
    assert!(!about(&[(60, &mine)]).contains(&policy));
    assert!(!about(&[(20, &mine), (20, &open)]).contains(&policy), "half of it open is meant so");
}

#[test]
fn what_was_superseded_and_still_answers_is_a_zombie() {
    let (old, new) = (call("GET /v1/orders", TOKEN, PLAIN), call("GET /v2/orders", TOKEN, PLAIN));
    let policy = "zombie-endpoints".to_owned();
    assert!(about(&[(5, &old), (5, &new)]).contains(&policy));
    assert!(!about(&[(5, &old)]).contains(&policy));
}

#[test]
fn mcp_and_graphql_are_told_by_what_they_say() {
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"search","arguments":{}}}"#;
    let post = |path: &str, body: &str, answer: &str, client: [u8; 4]| Play {
        request: format!(
            "POST {path} HTTP/1.1\r\nHost: shop.example\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ),
        client,
        ..call("GET /", "", answer)
    };
    let answer = r#"200||{"jsonrpc":"2.0","id":1,"result":{"content":[]}}"#;
    let policy = "public-mcp-without-authentication".to_owned();
    assert!(about(&[(5, &post("/mcp", body, answer, [198, 51, 100, 7]))]).contains(&policy));
    assert!(!about(&[(5, &post("/mcp", body, answer, [10, 0, 0, 7]))]).contains(&policy));
    let asked = r#"{"query":"query I { __schema { types { name } } }"}"#;
    let told = r#"200||{"data":{"__schema":{"types":[]}}}"#;
    let refused = r#"200||{"errors":[{"message":"introspection is off"}]}"#;
    let policy = "graphql-introspection".to_owned();
    assert!(about(&[(5, &post("/graphql", asked, told, [10, 0, 0, 7]))]).contains(&policy));
    assert!(!about(&[(5, &post("/graphql", asked, refused, [10, 0, 0, 7]))]).contains(&policy));
}

/// Two of them need what the table cannot play: they have tests of their own above, or a description.
#[test]
fn no_policy_is_without_a_test() {
    let elsewhere = [
        "sometimes-authenticated",
        "zombie-endpoints",
        "public-mcp-without-authentication",
        "graphql-introspection",
        "shadow-endpoints",
    ];
    let cases = cases();
    for policy in POLICIES {
        let here = cases.iter().any(|(id, ..)| *id == policy.id);
        assert_ne!(here, elsewhere.contains(&policy.id), "{}", policy.id);
    }
}
