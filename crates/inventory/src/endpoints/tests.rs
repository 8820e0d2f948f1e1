//! What becomes of paths: wrong merges, limits, and what must not depend on the order of arrival.

use crate::transcript::exchange;
use crate::{Call, Config, EndpointId, Inventory};
use std::collections::BTreeSet;
use tapwire_inspect::{Inspector, TokenKey};

const KEY: TokenKey = TokenKey::new([7; 32]);
const USER: &str = r#"{"id":1,"name":"n","email":"e","created":"c","address":{"city":"x","zip":"y"}}"#;
const ORDER: &str = r#"{"number":1,"lines":[{"sku":"s","amount":2}],"total":3,"currency":"c"}"#;
const LIST: &str = r#"{"items":[{"title":"t"}],"next":"n","count":2}"#;
const NAMES: [&str; 12] =
    ["alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy", "mallory", "niaj"];

struct Learned {
    inspector: Inspector,
    inventory: Inventory,
    number: u32,
}

impl Learned {
    fn new(config: Config) -> Self {
        let inspector = Inspector::new(tapwire_inspect::Config::new(KEY));
        Self { inspector, inventory: Inventory::new(config), number: 0 }
    }

    /// A call of "METHOD target", answered with that status and body.
    fn call(&mut self, line: &str, status: u16, body: &str) -> Call {
        self.number += 1;
        let request = format!("{line} HTTP/1.1\r\nHost: shop\r\n\r\n");
        let kind = if body.is_empty() { "" } else { "Content-Type: application/json\r\n" };
        let response = format!("HTTP/1.1 {status} X\r\n{kind}\r\n{body}");
        let exchange = exchange(self.number, request.as_bytes(), response.as_bytes());
        self.inventory.place(self.inspector.exchange(exchange))
    }

    fn get(&mut self, path: &str, body: &str) -> Call {
        self.call(&format!("GET {path}"), 200, body)
    }

    fn templates(&mut self) -> Vec<String> {
        self.inventory.settle();
        self.inventory.endpoints().map(|one| format!("{} {}", one.method, one.template)).collect()
    }
}

fn learned() -> Learned {
    Learned::new(Config::new(KEY))
}

fn users(learned: &mut Learned) {
    for round in 0..2 {
        for name in NAMES.iter().skip(round) {
            learned.get(&format!("/users/{name}"), USER);
        }
    }
}

#[test]
fn words_with_one_answer_are_a_parameter() {
    let mut learned = learned();
    let first = learned.get("/users/alice", USER).endpoint.expect("an endpoint");
    users(&mut learned);
    assert_eq!(learned.templates(), ["GET /users/{userId}"]);
    let endpoint = learned.inventory.endpoint(first).expect("what the first became");
    assert_eq!((&*endpoint.template, endpoint.calls), ("/users/{userId}", 24));
    assert!(learned.inventory.merged().iter().any(|(old, new)| *old == first && *new == endpoint.id));
    let later = learned.get("/users/zoe", USER);
    assert_eq!((later.template.as_deref(), later.discovered), (Some("/users/{userId}"), false));
}

#[test]
fn words_for_the_caller_and_for_actions_stay() {
    let mut learned = learned();
    users(&mut learned);
    for _ in 0..5 {
        learned.get("/users/me", USER);
        learned.get("/users/search", LIST);
        learned.call("POST /users/export", 202, "");
    }
    let expected = ["POST /users/export", "GET /users/me", "GET /users/search", "GET /users/{userId}"];
    assert_eq!(learned.templates(), expected);
}

#[test]
fn operations_beside_values_become_words_of_their_own() {
    let mut learned = learned();
    users(&mut learned);
    learned.inventory.settle();
    let first = learned.get("/users/overdue", USER);
    assert_eq!(first.template.as_deref(), Some("/users/{userId}"), "nothing tells it from a name");
    for _ in 0..60 {
        learned.get("/users/overdue", USER);
        learned.get("/users/released", USER);
    }
    let expected = ["GET /users/overdue", "GET /users/released", "GET /users/{userId}"];
    assert_eq!(learned.templates(), expected);
}

#[test]
fn a_value_that_answers_repeat_stays_one_however_often_it_is_called() {
    let mut learned = learned();
    users(&mut learned);
    learned.inventory.settle();
    let alice = USER.replace(r#""name":"n""#, r#""name":"alice""#);
    (0..200).for_each(|_| drop(learned.get("/users/alice", &alice)));
    // Digits speak for a value, and refusals for nothing.
    (0..200).for_each(|_| drop(learned.get("/users/erin7", USER)));
    (0..200).for_each(|_| drop(learned.call("GET /users/bob", 403, "")));
    assert_eq!(learned.templates(), ["GET /users/{userId}"]);
}

#[test]
fn values_of_which_some_are_called_more_stay_values() {
    let mut learned = learned();
    users(&mut learned);
    learned.inventory.settle();
    // Once after the other, and mixed.
    for (rank, name) in (1..).zip(NAMES) {
        (0..240 / rank).for_each(|_| drop(learned.get(&format!("/users/{name}"), USER)));
    }
    for round in 1..240 {
        let called = (1..).zip(NAMES).filter(|(rank, _)| round % rank == 0);
        called.for_each(|(_, name)| drop(learned.get(&format!("/users/{name}"), USER)));
    }
    assert_eq!(learned.templates(), ["GET /users/{userId}"]);
}

#[test]
fn numbers_take_no_words_with_them() {
    let mut learned = learned();
    for id in 1..40 {
        learned.get(&format!("/users/{id}"), USER);
        learned.get("/users/me", USER);
        learned.get("/users/pending", LIST);
    }
    assert_eq!(learned.templates(), ["GET /users/me", "GET /users/pending", "GET /users/{userId}"]);
}

#[test]
fn resources_with_equal_answers_stay_apart() {
    let mut learned = learned();
    for id in 0..30 {
        for resource in ["invoices", "orders", "payments", "refunds"] {
            learned.get(&format!("/{resource}"), LIST);
            learned.get(&format!("/{resource}/{id}"), ORDER);
            learned.call(&format!("DELETE /{resource}/{id}"), 204, "");
        }
    }
    let templates = learned.templates();
    assert_eq!(templates.len(), 12, "{templates:?}");
}

#[test]
fn verbs_behind_a_parameter_stay_apart() {
    let mut learned = learned();
    for id in 0..40 {
        for verb in ["start", "stop", "reboot", "lock", "unlock", "wipe", "rename", "attach", "detach"] {
            learned.call(&format!("POST /servers/{id}/{verb}"), 204, "");
        }
    }
    assert_eq!(learned.templates().len(), 9);
}

#[test]
fn versions_are_no_parameter() {
    let mut learned = learned();
    for version in ["v1", "v2", "v3", "v1beta1", "v2.0"] {
        for id in 0..10 {
            learned.get(&format!("/{version}/orders/{id}"), ORDER);
        }
    }
    assert_eq!(learned.templates().len(), 5);
}

#[test]
fn spellings_of_one_path_are_one_endpoint() {
    let mut learned = learned();
    for path in
        ["/orders/7", "/orders/7/", "//orders//7", "/orders/7;v=1", "/%6Frders/7?a=b", "/orders;x=y/7"]
    {
        learned.get(path, ORDER);
    }
    assert_eq!(learned.templates(), ["GET /orders/{orderId}"]);
    // Paths differ by case (RFC 3986, 6.2.2.1).
    learned.get("/Orders/7", ORDER);
    assert_eq!(learned.templates().len(), 2);
}

#[test]
fn file_extensions_and_custom_verbs_stay_in_the_template() {
    let mut learned = learned();
    for id in 1..6 {
        learned.get(&format!("/orders/{id}"), ORDER);
        learned.get(&format!("/orders/{id}.json"), ORDER);
        learned.call(&format!("POST /orders/{id}:cancel"), 200, ORDER);
    }
    learned.get("/openapi.json", LIST);
    let expected = [
        "GET /openapi.json",
        "GET /orders/{orderId}",
        "GET /orders/{orderId}.json",
        "POST /orders/{orderId}:cancel",
    ];
    assert_eq!(learned.templates(), expected);
}

#[test]
fn very_long_segments_are_data() {
    let mut learned = learned();
    for n in 0..5 {
        learned.get(&format!("/search/{}{n}", "very-long-title-".repeat(300)), LIST);
    }
    assert_eq!(learned.templates(), ["GET /search/{searchId}"]);
}

#[test]
fn refusals_and_failures_alone_need_three_calls() {
    let mut learned = learned();
    for status in [401, 403, 500] {
        assert_eq!(learned.call("GET /admin", status, "").endpoint.is_some(), status == 500);
    }
    for n in 0..500 {
        assert!(learned.call(&format!("GET /{}/x", name(n)), 403, "").endpoint.is_none());
    }
    assert_eq!(learned.templates(), ["GET /admin"]);
}

/// A word for each number.
fn name(mut number: u32) -> String {
    let mut word = String::from("w");
    while number > 0 {
        word.push(char::from(b'a' + (number % 26) as u8));
        number /= 26;
    }
    word
}

#[test]
fn a_million_random_paths_make_few_endpoints_and_bounded_memory() {
    let mut learned = Learned::new(Config { max_segments: 20_000, ..Config::new(KEY) });
    users(&mut learned);
    let mut random = 1_u64;
    let mut next = || {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 40) as u32
    };
    for round in 0..1_000_000_u32 {
        let path = format!("/{}/{}", name(next()), name(next()));
        let status = if round % 4 == 0 { 200 } else { 404 };
        learned.call(&format!("GET {path}"), status, "");
        if round % 100_000 == 0 {
            assert!(learned.inventory.template_bytes() < 8 << 20, "{}", learned.inventory.template_bytes());
        }
    }
    let endpoints = learned.templates().len();
    assert!(endpoints <= 60, "{endpoints} endpoints: {:?}", &learned.templates()[..20]);
    assert!(learned.inventory.template_bytes() < 8 << 20);
}

/// A page of HTML of that title.
fn page(title: &str) -> String {
    format!("<!doctype html><title>{title}</title><div id=app></div>")
}

impl Learned {
    fn html(&mut self, path: &str, page: &str) -> Call {
        self.number += 1;
        let request = format!("GET {path} HTTP/1.1\r\nHost: shop\r\n\r\n");
        let response = format!("HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n{page}");
        let exchange = exchange(self.number, request.as_bytes(), response.as_bytes());
        self.inventory.place(self.inspector.exchange(exchange))
    }
}

#[test]
fn a_server_that_answers_every_path_with_one_page_has_no_more_endpoints_for_it() {
    let mut learned = learned();
    let mut random = 1_u64;
    let mut next = || {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        name((random >> 40) as u32)
    };
    for round in 0..10_000_u32 {
        let path = match round % 4 {
            0 => format!("/{}", next()),
            1 => format!("/{}/{}", next(), next()),
            2 => format!("/app/{}/{}.php", next(), next()),
            _ => format!("/{}/{}", next(), round),
        };
        learned.html(&path, &page("shop"));
        if round % 100 == 0 {
            learned.get(&format!("/api/orders/{round}"), ORDER);
            learned.get("/api/orders", LIST);
            learned.html("/", &page("shop"));
        }
    }
    learned.html("/help", &page("how to order"));
    let templates = learned.templates();
    let expected = ["GET /", "GET /api/orders", "GET /api/orders/{orderId}", "GET /help"];
    let real = templates.iter().filter(|one| expected.contains(&one.as_str())).count();
    assert!(real == 4 && templates.len() <= 5, "{templates:?}");
}

#[test]
fn pages_of_their_own_and_values_of_one_place_are_endpoints() {
    let mut learned = learned();
    for (at, place) in ["about", "contact", "terms", "jobs"].iter().enumerate() {
        learned.html(&format!("/{place}"), &page(&"x".repeat(at)));
    }
    for name in NAMES {
        learned.html(&format!("/profiles/{name}"), &page("a profile"));
    }
    // Two pages of one length: the second is believed when it is called again.
    learned.html("/news", &page("1234567890"));
    for _ in 0..3 {
        learned.html("/blog", &page("0987654321"));
    }
    let templates = learned.templates();
    for expected in ["GET /about", "GET /contact", "GET /terms", "GET /jobs", "GET /news", "GET /blog"] {
        assert!(templates.iter().any(|one| one == expected), "{expected}: {templates:?}");
    }
    assert_eq!(templates.len(), 7, "{templates:?}");
}

fn calls() -> Vec<(String, &'static str)> {
    let mut calls = Vec::new();
    for name in NAMES {
        for id in 0..4 {
            calls.push((format!("/users/{name}/orders/{id}"), ORDER));
        }
        calls.push((format!("/users/{name}"), USER));
        calls.push(("/users".to_owned(), LIST));
        calls.push(("/status/jobs".to_owned(), LIST));
    }
    calls
}

#[test]
fn order_of_arrival_changes_no_group() {
    let expected =
        ["GET /status/jobs", "GET /users", "GET /users/{userId}", "GET /users/{userId}/orders/{orderId}"];
    for seed in 0..60_usize {
        let mut calls = calls();
        // A walk with a step that shares no divisor with the length is a permutation.
        let step = [1, 5, 7, 11, 13, 17, 19, 23][seed % 8];
        let len = calls.len();
        assert_eq!(len % 84, 0);
        let step = if step == 7 { 25 } else { step };
        let order: Vec<_> = (0..len).map(|n| (n * step + seed * 3) % len).collect();
        assert_eq!(order.iter().collect::<BTreeSet<_>>().len(), len);
        let mut learned = learned();
        for index in order {
            let (path, body) = std::mem::take(&mut calls[index]);
            learned.get(&path, body);
        }
        assert_eq!(learned.templates(), expected, "seed {seed}");
    }
}

#[test]
fn same_calls_in_the_same_order_give_the_same() {
    let run = || {
        let mut learned = learned();
        let ids: Vec<Option<EndpointId>> =
            calls().iter().map(|(path, body)| learned.get(path, body).endpoint).collect();
        (ids, learned.templates(), learned.inventory.merged())
    };
    assert_eq!(run(), run());
}
