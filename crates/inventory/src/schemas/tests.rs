use super::*;
use crate::transcript::exchange;
use crate::{Config, Endpoint, Inventory};
use tapwire_inspect::{Config as InspectConfig, Inspector, TokenKey};

const KEY: [u8; 32] = [7; 32];

/// An inventory that calls are told to.
struct Learner {
    inspector: Inspector,
    inventory: Inventory,
    calls: u32,
}

impl Learner {
    fn new(max_schema_bytes: usize) -> Self {
        let key = TokenKey::new(KEY);
        Self {
            inspector: Inspector::new(InspectConfig::new(key.clone())),
            inventory: Inventory::new(Config { max_schema_bytes, ..Config::new(key) }),
            calls: 0,
        }
    }

    fn call(&mut self, request: &str, content_type: &str, asked: &str, status: u16, answer: &str) {
        self.calls += 1;
        let asked_type =
            if asked.is_empty() { String::new() } else { format!("Content-Type: {content_type}\r\n") };
        let request = format!("{request} HTTP/1.1\r\nHost: shop\r\n{asked_type}\r\n{asked}");
        let response =
            format!("HTTP/1.1 {status} X\r\nContent-Type: {content_type}; charset=utf-8\r\n\r\n{answer}");
        let exchange = exchange(self.calls, request.as_bytes(), response.as_bytes());
        let observation = self.inspector.exchange(exchange);
        self.inventory.place(observation);
    }

    fn get(&mut self, target: &str, answer: &str) {
        self.call(&format!("GET {target}"), "application/json", "", 200, answer);
    }

    fn endpoint(&self, template: &str) -> &Endpoint {
        self.inventory.endpoints().find(|one| &*one.template == template).expect("an endpoint")
    }

    fn schemas(&self, template: &str) -> &Schemas {
        self.endpoint(template).schemas().expect("schemas")
    }
}

fn learner() -> Learner {
    Learner::new(1 << 20)
}

/// A line for each node below the document.
fn lines(schema: &Schema, typed: bool) -> Vec<String> {
    schema.nodes().iter().map(|node| line(schema, node, typed)).collect()
}

fn line(schema: &Schema, node: &Node, typed: bool) -> String {
    let mut line = format!("{} {}", schema.path(node), node.types(typed).join("|"));
    if let Some(format) = node.format(typed) {
        line.push_str(&format!(" {format}"));
    }
    if !schema.is_required(node) {
        line.push_str(" optional");
    }
    if node.is_nullable() {
        line.push_str(" nullable");
    }
    if node.is_map {
        line.push_str(" map");
    }
    if schema.is_repeated(node) {
        line.push_str(" repeated");
    }
    if let Some(choices) = node.choices(typed) {
        line.push_str(&format!(" {choices:?}"));
    }
    line
}

fn answer(learner: &Learner, template: &str) -> Vec<String> {
    lines(&learner.schemas(template).answers()[0].body.schema, true)
}

#[test]
fn an_answer_is_learned_over_many_bodies() {
    let mut learner = learner();
    let states = ["open", "paid", "sent"];
    for n in 0..30 {
        let note = if n % 3 == 0 {
            ",\"note\":null"
        } else if n % 3 == 1 {
            ",\"note\":\"x\""
        } else {
            ""
        };
        learner.get(
            &format!("/orders/{n}"),
            &format!(
                "{{\"id\":{n},\"at\":\"2024-05-{:02}T10:00:00Z\",\"state\":\"{}\",\"total\":{n}.5,\"lines\":[{{\"sku\":\"A-{n}\"}}]{note}}}",
                n % 28 + 1,
                states[n % 3],
            ),
        );
    }
    assert_eq!(
        answer(&learner, "/orders/{orderId}"),
        [
            "$ object",
            "$.id integer int32",
            "$.at string date-time",
            "$.state string [\"open\", \"paid\", \"sent\"]",
            "$.total number double",
            "$.lines array",
            "$.lines[] object",
            "$.lines[].sku string",
            "$.note string optional nullable",
        ]
    );
    let schemas = learner.schemas("/orders/{orderId}");
    let total = &schemas.answers()[0].body.schema.nodes()[4];
    assert_eq!((total.numbers.least, total.numbers.most, total.count, total.bodies), (0.5, 29.5, 30, 30));
    assert_eq!(schemas.codes(), [CodeCount { code: 200, calls: 30 }]);
    assert_eq!(lines(schemas.parameters(), false), ["path.1 integer int32"]);
}

#[test]
fn parameters_are_required_when_every_call_has_them() {
    let mut learner = learner();
    for n in 0..40 {
        let more = if n % 2 == 0 { "&tag=a&tag=b" } else { "" };
        learner.get(&format!("/search?page={n}&sort={}{more}", ["asc", "desc"][n % 2]), "{}");
    }
    learner.get("/search", "{}");
    assert_eq!(
        lines(learner.schemas("/search").parameters(), false),
        [
            "query.page integer int32 optional",
            "query.sort string optional [\"asc\", \"desc\"]",
            "query.tag string optional repeated [\"a\", \"b\"]",
        ]
    );
}

#[test]
fn requests_and_answers_are_kept_apart_by_media_type_and_class() {
    let mut learner = learner();
    for _ in 0..3 {
        learner.call("POST /orders", "application/json", "{\"sku\":1}", 201, "{\"id\":1}");
        learner.call("POST /orders", "application/x-www-form-urlencoded", "sku=1", 400, "error=no");
        learner.call("POST /orders", "application/json", "{\"sku\":2}", 422, "{\"title\":\"no\"}");
    }
    let schemas = learner.schemas("/orders");
    let requests: Vec<_> =
        schemas.requests().iter().map(|one| (&*one.media_type, lines(&one.schema, one.is_typed()))).collect();
    assert_eq!(
        requests,
        [
            ("application/json", vec!["$ object".to_owned(), "$.sku integer int32".to_owned()]),
            (
                "application/x-www-form-urlencoded",
                vec!["$ object".to_owned(), "$.sku integer int32".to_owned()]
            ),
        ]
    );
    let answers: Vec<_> =
        schemas.answers().iter().map(|one| (one.class, one.body.schema.nodes().len())).collect();
    assert_eq!(answers, [(2, 2), (4, 2), (4, 2)]);
    assert_eq!(
        schemas.codes().iter().map(|one| (one.code, one.calls)).collect::<Vec<_>>(),
        [(201, 3), (400, 3), (422, 3)]
    );
}

#[test]
fn keys_that_are_data_are_a_map() {
    let mut learner = learner();
    for n in 0..40 {
        let body = format!(
            "{{\"users\":{{\"{}\":{{\"age\":{n}}},\"{}\":{{\"age\":1,\"city\":\"x\"}}}},\"rates\":{{\"k{n}\":{n}}},\"meta\":{{\"a\":1,\"b\":2,\"c\":3}}}}",
            1000 + n,
            5000 + n,
        );
        learner.get("/report", &body);
    }
    assert_eq!(
        answer(&learner, "/report"),
        [
            "$ object",
            "$.users object map",
            "$.users.{key} object optional",
            "$.users.{key}.age integer int32",
            "$.users.{key}.city string optional [\"x\"]".trim_end_matches(" [\"x\"]"),
            "$.rates object map",
            "$.rates.{key} integer int32 optional",
            "$.meta object",
            "$.meta.a integer int32",
            "$.meta.b integer int32",
            "$.meta.c integer int32",
        ]
    );
    let entries = &learner.schemas("/report").answers()[0].body.schema.nodes()[2];
    assert_eq!(entries.count, 80, "every entry is counted, before and after it was known to be one");
}

const NAMES: [&str; 12] =
    ["alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy", "mallory", "oscar"];

#[test]
fn endpoints_that_are_one_have_one_schema() {
    let mut learner = learner();
    for (n, name) in NAMES.iter().cycle().take(36).enumerate() {
        let body = format!("{{\"login\":\"{name}\",\"karma\":{n},\"avatar\":{{\"url\":\"/{name}\"}}}}");
        learner.get(&format!("/users/{name}?full={name}"), &body);
    }
    learner.inventory.settle();
    assert_eq!(learner.inventory.endpoints().count(), 1, "words became a parameter");
    let template = "/users/{userId}";
    assert_eq!(
        answer(&learner, template),
        ["$ object", "$.login string", "$.karma integer int32", "$.avatar object", "$.avatar.url string"]
    );
    let schema = &learner.schemas(template).answers()[0].body.schema;
    assert_eq!((schema.bodies(), schema.nodes()[1].count), (36, 36));
    let sum: usize = learner.inventory.endpoints().filter_map(Endpoint::schemas).map(Schemas::bytes).sum();
    assert_eq!(learner.inventory.schema_bytes(), sum, "room is given back");
    learner.get("/users/alice?full=1", "{\"login\":\"alice\",\"karma\":1,\"avatar\":{\"url\":\"/\"}}");
    let parameters = lines(learner.schemas(template).parameters(), false);
    assert_eq!(parameters.first().map(String::as_str), Some("query.full string"));
    assert!(parameters.iter().any(|line| line.starts_with("path.1 string")), "{parameters:?}");
}

#[test]
fn order_of_members_does_not_matter() {
    let mut one = learner();
    let mut other = learner();
    for n in 0..20 {
        let (a, b) = (format!("\"a\":{n}"), format!("\"b\":\"x{n}\""));
        one.get("/x", &format!("{{{a},{b}}}"));
        other.get("/x", &if n % 2 == 0 { format!("{{{a},{b}}}") } else { format!("{{{b},{a}}}") });
    }
    assert_eq!(answer(&one, "/x"), answer(&other, "/x"));
}

#[test]
fn secrets_and_persons_are_no_choices() {
    let mut learner = learner();
    for n in 0..60 {
        let body = format!(
            "{{\"password\":\"p{0}\",\"userName\":\"u{0}\",\"api_key\":\"k{0}\",\"unit\":\"{1}\",\"code\":\"A{0}\"}}",
            n % 2,
            ["mile", "metre"][n % 2]
        );
        learner.get("/x", &body);
    }
    let choices: Vec<_> = answer(&learner, "/x").into_iter().filter(|line| line.contains('[')).collect();
    assert_eq!(choices, ["$.unit string [\"metre\", \"mile\"]"], "nor what is neither word nor number");
}

#[test]
fn memory_of_schemas_is_bounded_and_what_is_left_out_is_counted() {
    let mut learner = Learner::new(200 << 10);
    for n in 0..5000 {
        let members: Vec<_> = (0..20).map(|k| format!("\"field_{k}_of_{n}\":\"{n}\"")).collect();
        learner.get(&format!("/things/item{}", n % 300), &format!("{{{}}}", members.join(",")));
    }
    let counted = learner.inventory.schema_bytes();
    assert!(counted <= 210 << 10, "{counted}");
    assert!(learner.inventory.counters().beyond_schemas > 0);
}

#[test]
fn one_schema_is_bounded_whatever_its_bodies_are() {
    let mut learner = Learner::new(64 << 20);
    for n in 0..2000 {
        let members: Vec<_> =
            (0..20).map(|k| format!("\"m{k}x{n}\":{}", ["1", "\"a\"", "{}"][(n + k) % 3])).collect();
        learner.get("/x", &format!("{{{}}}", members.join(",")));
    }
    let schema = &learner.schemas("/x").answers()[0].body.schema;
    assert!(schema.nodes().len() <= 512);
    assert!(learner.inventory.schema_bytes() < 300 << 10, "{}", learner.inventory.schema_bytes());
}
