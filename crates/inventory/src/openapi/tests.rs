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
            let names: Vec<_> = states.of(&self.inventory, endpoint).iter().map(State::name).collect();
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

/// Orders with members that have formats, choices and bounds; `%` stands for the answer's schema.
fn strict(schema: &str) -> String {
    format!(
        r#"{{"openapi": "3.1.0", "info": {{}}, "servers": [{{"url": "https://shop.example"}}], "paths": {{"/orders": {{"get": {{
        "parameters": [
            {{"in": "query", "name": "page", "schema": {{"type": "integer", "minimum": 1, "maximum": 50}}}},
            {{"in": "query", "name": "sort", "schema": {{"type": "string", "enum": ["asc", "desc"]}}}},
            {{"in": "query", "name": "after", "schema": {{"type": "string", "format": "date"}}}},
            {{"in": "query", "name": "ids", "schema": {{"type": "array", "items": {{"type": "string", "format": "uuid"}}}}}}],
        "responses": {{"200": {{"content": {{"application/json": {{"schema": {schema}}}}}}}}}}}}}}}}}"#
    )
}

/// What differs after these answers of 200, a line each.
fn told(schema: &str, calls: &[(&str, &str)]) -> Vec<String> {
    let mut learner = learner(&[(None, &strict(schema))]);
    for (query, answer) in calls {
        let request = format!("GET /orders{query} HTTP/1.1\r\nHost: shop.example\r\n\r\n");
        let response = format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{answer}");
        learner.uid += 1;
        let exchange = exchange(learner.uid, request.as_bytes(), response.as_bytes());
        learner.inventory.place(learner.inspector.exchange(exchange));
    }
    let found = learner.inventory.differences("shop.example");
    let line = |one: &Difference| {
        let place = match &one.spot {
            Spot::Parameter(place, name) => format!("{place}.{name}"),
            Spot::Field(_, steps) => steps
                .iter()
                .map(|step| match step {
                    FieldStep::Key(name) => format!(".{name}"),
                    FieldStep::Value => ".{key}".into(),
                    FieldStep::Item => "[]".into(),
                })
                .collect(),
            other => format!("{other:?}"),
        };
        let seen = if one.values.is_empty() { one.seen.clone() } else { one.values.join(", ") };
        format!("{} {place}: {}; {seen}; {}", one.kind.name(), one.described, one.calls)
    };
    found.iter().map(line).collect()
}

const ORDER: &str = r##"{"type": "object", "required": ["id", "state", "secret"], "properties": {
    "id": {"type": "string", "format": "uuid"},
    "at": {"type": "string", "format": "date-time"},
    "contact": {"type": "string", "format": "email"},
    "link": {"type": "string", "format": "uri"},
    "peer": {"type": "string", "format": "ipv4"},
    "state": {"type": "string", "enum": ["open", "paid"]},
    "owner_name": {"type": "string", "enum": ["a", "b"]},
    "amount": {"type": "number", "exclusiveMinimum": 0, "maximum": 100},
    "level": {"type": "integer", "enum": [1, 2, 3]},
    "small": {"type": "integer", "format": "int32"},
    "code": {"type": "string", "minLength": 2, "maxLength": 4},
    "tags": {"type": "array", "maxItems": 2, "items": {"type": "string", "maxLength": 3}},
    "secret": {"type": "string", "writeOnly": true}}}"##;

#[test]
fn values_that_break_the_description_are_told() {
    let good = r#"{"id": "0b7f0d0e-6e0a-4a67-8a5c-2f6c1b7f9b11", "state": "open"}"#;
    let bad = r#"{"id": "17", "at": "2024-05-31 10:00:00", "contact": "nobody", "link": "/orders/1", "peer": "10.0.0.999",
        "state": "lost", "owner_name": "carol", "amount": 0, "level": 4, "small": 2147483648, "code": "xxxxx",
        "tags": ["a", "bbbb", "c"]}"#;
    let calls = [
        ("?page=0&sort=up&after=31.5.2024", good),
        ("?page=51&sort=asc&after=2024-05-31", bad),
        ("", r#"{"id": "0b7f0d0e-6e0a-4a67-8a5c-2f6c1b7f9b11", "code": "x"}"#),
    ];
    assert_eq!(
        told(ORDER, &calls),
        [
            "missing-field .state: required; missing in 1 of 3 objects; 1",
            "format-mismatch .id: uuid; other text; 3",
            "format-mismatch query.after: date; other text; 2",
            "format-mismatch .at: date-time; other text; 1",
            "format-mismatch .contact: email; other text; 1",
            "format-mismatch .link: uri; other text; 1",
            "format-mismatch .peer: ipv4; other text; 1",
            "format-mismatch .small: int32; a number beyond it; 1",
            "undocumented-value query.sort: asc | desc; up; 2",
            "undocumented-value .state: open | paid; lost; 2",
            "undocumented-value .owner_name: a | b; another text; 1",
            "out-of-bounds query.page: minimum 1 and maximum 50; 0, 51; 2",
            "out-of-bounds .code: minLength 2 and maxLength 4; 1 and 5 characters; 2",
            "out-of-bounds .amount: exclusive minimum 0; 0; 1",
            "out-of-bounds .level: maximum 3; 4; 1",
            "out-of-bounds .tags: maxItems 2; 3 elements; 1",
            "out-of-bounds .tags[]: maxLength 3; 4 characters; 1",
        ]
    );
}

#[test]
fn values_that_keep_to_the_description_are_not_told() {
    let all = r#"{"id": "0B7F0D0E-6E0A-4A67-8A5C-2F6C1B7F9B11", "at": "9999-12-31T23:59:59.123456789+02:00",
        "contact": "root@localhost", "link": "urn:isbn:0451450523", "peer": "10.0.0.9", "state": "paid", "owner_name": "b",
        "amount": 0.5, "level": 3, "small": -2147483648, "code": "ÄÖÜß", "tags": ["a€c"]}"#;
    let calls = [
        ("?page=1&sort=&after=&ids=a,b", all),
        ("?page=50&sort=asc&after=2024-05-31&ids=1", all),
        ("?sort=desc", r#"{"id": "0b7f0d0e-6e0a-4a67-8a5c-2f6c1b7f9b11", "state": "open", "tags": []}"#),
    ];
    assert_eq!(told(ORDER, &calls), [""; 0]);
}

#[test]
fn of_alternatives_what_one_allows_is_allowed() {
    let of = |schema: &str| format!(r#"{{"type": "object", "properties": {{"x": {schema}}}}}"#);
    let uuid = r#"{"x": "0b7f0d0e-6e0a-4a67-8a5c-2f6c1b7f9b11"}"#;
    let text = r#"{"x": "other"}"#;
    for (schema, answers, expected) in [
        // What may be null is a text of the format where it is a text.
        (
            r#"{"anyOf": [{"type": "string", "format": "uuid"}, {"type": "null"}]}"#,
            [r#"{"x": null}"#, text],
            1,
        ),
        (
            r#"{"anyOf": [{"type": "string", "format": "uuid"}, {"type": "null"}]}"#,
            [r#"{"x": null}"#, uuid],
            0,
        ),
        (r#"{"oneOf": [{"type": "string", "format": "uuid"}, {"type": "string"}]}"#, [uuid, text], 0),
        (
            r#"{"oneOf": [{"type": "string", "enum": ["a"]}, {"type": "string", "enum": ["other"]}]}"#,
            [text, text],
            0,
        ),
        (
            r#"{"oneOf": [{"type": "string", "enum": ["a"]}, {"type": "string", "enum": ["b"]}]}"#,
            [text, text],
            1,
        ),
        (r#"{"allOf": [{"type": "string"}, {"maxLength": 4}]}"#, [text, text], 1),
        (r#"{"type": "string", "if": {"minLength": 9}, "then": {"maxLength": 4}}"#, [text, text], 0),
        (r#"{"type": "string", "format": "password"}"#, [text, text], 0),
        (r#"{"type": "string", "enum": ["yes", 1]}"#, [r#"{"x": "1"}"#, r#"{"x": "yes"}"#], 0),
        (r#"{"type": ["string", "integer"], "minimum": 5}"#, [r#"{"x": "3"}"#, r#"{"x": 7}"#], 0),
    ] {
        let found = told(&of(schema), &[("", answers[0]), ("", answers[1])]);
        assert_eq!(found.len(), expected, "{schema}: {found:?}");
    }
    // A member that one alternative names may be anything in another.
    let named = r#"{"anyOf": [{"type": "object", "properties": {"x": {"enum": ["a"]}}}, {"type": "object", "properties": {"y": {}}}]}"#;
    assert_eq!(told(named, &[("", text)]), [""; 0]);
    let required =
        r#"{"oneOf": [{"type": "object", "required": ["x", "y"]}, {"type": "object", "required": ["y"]}]}"#;
    assert_eq!(told(required, &[("", text)]), ["missing-field .y: required; missing in 1 of 1 objects; 1"]);
}
