use super::*;
use crate::transcript::exchange;
use crate::{Call, Config, Inventory};
use std::sync::Arc;
use tapwire_inspect::{Inspector, TokenKey};
use tapwire_openapi::Reader;

struct Learner {
    inspector: Inspector,
    inventory: Inventory,
    uid: u32,
}

/// With descriptions, each with the service it is given for, if any.
fn learner(descriptions: &[(Option<&str>, &str)]) -> Learner {
    let key = TokenKey::new([7; 32]);
    let given = descriptions.iter().enumerate().flat_map(|(index, (service, text))| {
        let mut reader = Reader::default();
        reader.add(&format!("{index}.yaml"), text.as_bytes());
        let reading = reader.finish();
        assert_eq!(reading.faults, []);
        let service: Option<Arc<str>> = service.map(Into::into);
        reading
            .descriptions
            .into_iter()
            .map(move |description| Given { description: Arc::new(description), service: service.clone() })
    });
    let mut config = Config::new(key.clone());
    config.descriptions = given.collect();
    let inspector = Inspector::new(tapwire_inspect::Config::new(key));
    Learner { inspector, inventory: Inventory::new(config), uid: 0 }
}

impl Learner {
    fn call(&mut self, host: &str, line: &str, status: u16) -> Call {
        let request = format!("{line} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let response = format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n");
        self.uid += 1;
        let exchange = exchange(self.uid, request.as_bytes(), response.as_bytes());
        let observation = self.inspector.exchange(exchange);
        self.inventory.place(observation)
    }

    /// The template that a call gets.
    fn template(&mut self, host: &str, line: &str) -> String {
        self.call(host, line, 200).template.map(|template| template.to_string()).unwrap_or_default()
    }

    /// Method, template and states of every endpoint of a service.
    fn states(&self, service: &str) -> Vec<String> {
        let states = self.inventory.states();
        let mine = self.inventory.endpoints().filter(|endpoint| &*endpoint.service == service);
        mine.map(|endpoint| {
            let names: Vec<_> = states.of(endpoint.id).iter().map(|state| state.name()).collect();
            format!("{} {} {}", endpoint.method, endpoint.template, names.join(","))
        })
        .collect()
    }
}

const SHOP: &str = r#"
openapi: 3.1.0
info: {title: Shop, version: "1"}
servers: [{url: "https://shop.example/v1"}]
paths:
  /orders/{order_number}: {get: {}, delete: {deprecated: true}}
  /orders/latest: {get: {}}
  /{kind}/summary: {get: {}}
  /labels/{name}.pdf: {get: {}}
  /carts: {post: {}}
"#;

#[test]
fn described_paths_have_their_template_from_the_first_call_on() {
    let mut learner = learner(&[(None, SHOP)]);
    for (line, expected) in [
        ("GET /v1/orders/alpha", "/v1/orders/{order_number}"),
        ("GET /v1/orders/7/", "/v1/orders/{order_number}"),
        ("GET /v1/orders/%61lpha?x=1", "/v1/orders/{order_number}"),
        ("GET /v1/orders/latest", "/v1/orders/latest"),
        // The concrete one lacks the method.
        ("DELETE /v1/orders/latest", "/v1/orders/{order_number}"),
        ("GET /v1/books/summary", "/v1/{kind}/summary"),
        ("GET /v1/labels/a.b.pdf", "/v1/labels/{name}.pdf"),
        // A method that is not described, on a path that is.
        ("PUT /v1/orders/7", "/v1/orders/{order_number}"),
        // What is not described is learned.
        ("GET /v1/users/7", "/v1/users/{userId}"),
        ("GET /orders/7", "/orders/{orderId}"),
    ] {
        assert_eq!(learner.template("shop.example", line), expected, "{line}");
    }
    assert_eq!(learner.template("other.example", "GET /v1/orders/alpha"), "/v1/orders/alpha");
}

#[test]
fn a_description_without_host_is_of_every_service_and_one_for_a_service_of_that_alone() {
    let relative = SHOP.replace("https://shop.example/v1", "/v1");
    let mut anywhere = learner(&[(None, &relative)]);
    assert_eq!(anywhere.template("10.0.0.7:8080", "GET /v1/orders/alpha"), "/v1/orders/{order_number}");
    let mut given = learner(&[(Some("10.0.0.7:8080"), SHOP)]);
    assert_eq!(given.template("10.0.0.7:8080", "GET /v1/orders/alpha"), "/v1/orders/{order_number}");
    assert_eq!(given.template("shop.example", "GET /v1/orders/alpha"), "/v1/orders/alpha");
}

#[test]
fn templates_of_nothing_but_parameters_take_no_service_that_is_not_named() {
    let greedy = "openapi: 3.1.0\nservers: [{url: /api}]\npaths: {'/{a}/{b}': {get: {}}}\n";
    assert_eq!(learner(&[(None, greedy)]).template("x", "GET /api/users/me"), "/api/users/me");
    assert_eq!(learner(&[(Some("x"), greedy)]).template("x", "GET /api/users/me"), "/api/{a}/{b}");
}

#[test]
fn what_is_described_needs_no_three_failures_but_an_answer() {
    let mut learner = learner(&[(None, SHOP)]);
    assert!(learner.call("shop.example", "GET /v1/orders/7", 404).endpoint.is_none());
    assert!(learner.call("shop.example", "GET /v1/orders/7", 403).endpoint.is_some());
    assert!(learner.call("shop.example", "PUT /v1/orders/7", 403).endpoint.is_none());
    let learned = learner.call("shop.example", "GET /v1/orders/9", 404);
    assert_eq!(learned.template.as_deref(), Some("/v1/orders/{order_number}"));
    assert!(learned.endpoint.is_some(), "the endpoint is known by now");
}

#[test]
fn states_say_what_is_documented_and_what_is_left_behind() {
    let mut learner = learner(&[(None, SHOP)]);
    for (line, status) in [
        ("GET /v1/orders/7", 200),
        ("DELETE /v1/orders/7", 204),
        ("PUT /v1/orders/7", 200),
        ("GET /v1/internal", 200),
        ("GET /v2/internal", 200),
        ("GET /sandbox/internal", 200),
    ] {
        learner.call("shop.example", line, status);
    }
    learner.call("other.example", "GET /v1/things/7", 200);
    assert_eq!(
        learner.states("shop.example"),
        [
            "GET /sandbox/internal shadow,non-production",
            "GET /v1/internal shadow,zombie",
            "DELETE /v1/orders/{order_number} documented,zombie",
            "GET /v1/orders/{order_number} documented",
            "PUT /v1/orders/{order_number} shadow",
            "GET /v2/internal shadow",
        ]
    );
    assert_eq!(learner.states("other.example"), ["GET /v1/things/{thingId} undocumented"]);
    let orphans = learner.inventory.orphans();
    let orphans: Vec<_> =
        orphans.iter().map(|orphan| format!("{} {}", orphan.method, orphan.template)).collect();
    assert_eq!(
        orphans,
        ["POST /v1/carts", "GET /v1/labels/{name}.pdf", "GET /v1/orders/latest", "GET /v1/{kind}/summary"]
    );
}

#[test]
fn a_service_that_a_description_without_host_hardly_meets_is_not_described_by_it() {
    let relative = SHOP.replace("https://shop.example/v1", "/v1");
    let mut learner = learner(&[(None, &relative)]);
    for line in ["POST /v1/carts", "GET /a", "GET /b"] {
        learner.call("billing.example", line, 200);
    }
    learner.call("shop.example", "POST /v1/carts", 200);
    assert!(learner.states("billing.example").iter().all(|line| line.ends_with(" undocumented")));
    assert_eq!(learner.states("shop.example"), ["POST /v1/carts documented"]);
    assert!(learner.inventory.orphans().iter().all(|orphan| &*orphan.service == "shop.example"));
}
