use super::*;
use crate::PrincipalKind;
use crate::transcript::exchange;
use tapwire_inspect::{CredentialKind, Inspector, TokenKey};
use tapwire_protocol::Exchange;

const KEY: TokenKey = TokenKey::new([7; 32]);

/// An inventory with the inspector in front of it.
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

    fn exchange(&mut self, exchange: Exchange) -> Call {
        let observation = self.inspector.exchange(exchange);
        self.inventory.place(observation)
    }

    /// A call of "METHOD target" and header lines, answered with that status, or not at all with 0.
    fn call(&mut self, request: &str, status: u16) -> Call {
        self.number += 1;
        let (line, fields) = request.split_once('\n').unwrap_or((request, "Host: shop"));
        let request = format!("{line} HTTP/1.1\r\n{}\r\n\r\n", fields.replace('\n', "\r\n"));
        let body = if status == 200 { "{\"id\":1}" } else { "" };
        let response = format!("HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n\r\n{body}");
        let response = if status == 0 { String::new() } else { response };
        self.exchange(exchange(self.number, request.as_bytes(), response.as_bytes()))
    }

    fn paths(&self) -> Vec<String> {
        let line =
            |endpoint: &Endpoint| format!("{} {} {}", endpoint.service, endpoint.method, endpoint.template);
        self.inventory.endpoints().map(line).collect()
    }
}

fn learned() -> Learned {
    Learned::new(Config::new(KEY))
}

#[test]
fn calls_of_one_template_are_one_endpoint() {
    let mut learned = learned();
    let first = learned.call("GET /v1/orders/42", 200);
    let second = learned.call("GET /v1/orders/43?x=1", 500);
    assert_eq!(first.template.as_deref(), Some("/v1/orders/{orderId}"));
    assert_eq!(first.endpoint, second.endpoint);
    assert_eq!((first.discovered, second.discovered), (true, false));
    assert_eq!(first.service.as_deref(), Some("shop"));
    let endpoint = first.endpoint.and_then(|id| learned.inventory.endpoint(id)).expect("an endpoint");
    assert_eq!((endpoint.calls, endpoint.status.classes, endpoint.status.unseen), (2, [0, 1, 0, 0, 1], 0));
    assert_eq!((endpoint.first_seen.millis(), endpoint.last_seen.millis()), (1000, 2000));
    assert_eq!((endpoint.auth.none, endpoint.shapes.len(), endpoint.shapes[0].calls), (2, 1, 1));
}

#[test]
fn method_service_and_type_tell_endpoints_apart() {
    let mut learned = learned();
    learned.call("GET /orders/42", 200);
    learned.call("PUT /orders/42", 200);
    learned.call("GET /orders/42\nHost: other", 200);
    learned.call("GET /orders/mine", 200);
    learned.call("GET /", 200);
    learned.call("OPTIONS *", 200);
    learned.call("HEAD /orders/42", 200);
    assert_eq!(learned.inventory.counters().questions, 1, "what only asks is no endpoint");
    assert_eq!(
        learned.paths(),
        [
            "other GET /orders/{orderId}",
            "shop GET /",
            "shop GET /orders/mine",
            "shop GET /orders/{orderId}",
            "shop PUT /orders/{orderId}",
        ]
    );
    assert_eq!(
        learned.inventory.services().map(|service| (&*service.name, service.endpoints)).collect::<Vec<_>>(),
        [("other", 1), ("shop", 4)]
    );
}

#[test]
fn identifier_types_of_one_place_are_one_endpoint() {
    let mut learned = learned();
    learned.call("GET /orders/42", 200);
    learned.call("GET /orders/507f1f77bcf86cd799439011", 200);
    learned.call("GET /orders/6ba7b810-9dad-11d1-80b4-00c04fd430c8", 200);
    assert_eq!(learned.paths(), ["shop GET /orders/{orderId}"]);
    assert_eq!(learned.inventory.endpoints().map(|endpoint| endpoint.calls).sum::<u64>(), 3);
}

#[test]
fn percent_encoded_words_are_the_same_endpoint() {
    let mut learned = learned();
    learned.call("GET /orders/all", 200);
    learned.call("GET /%6frders/all", 200);
    learned.call("GET /%7Borders%7D", 200);
    assert_eq!(learned.paths(), ["shop GET /%7Borders%7D", "shop GET /orders/all"]);
}

#[test]
fn answers_that_vouch_for_nothing_make_no_endpoint() {
    let mut learned = learned();
    for status in [404, 405] {
        let call = learned.call("GET /wp-admin/7", status);
        assert_eq!((call.endpoint, call.discovered), (None, false));
        assert_eq!(call.template.as_deref(), Some("/wp-admin/{wpAdminId}"));
    }
    assert_eq!(learned.inventory.counters().unvouched, 2);
    assert_eq!(learned.inventory.services().next().map(|service| service.calls), Some(2));
    learned.call("GET /orders/7", 200);
    let missing = learned.call("GET /orders/8", 404);
    assert!(missing.endpoint.is_some(), "a known endpoint answers 404 for an object that is not there");
    assert!(learned.call("GET /one-sided", 0).discovered, "the mirror may show one direction only");
}

#[test]
fn service_without_authority_is_the_server_address() {
    let mut learned = learned();
    assert_eq!(learned.call("GET /a\nAccept: x", 200).service.as_deref(), Some("10.0.0.80:8080"));
    assert_eq!(learned.call("GET /a\nHost: <script>", 200).service.as_deref(), Some("10.0.0.80:8080"));
}

#[test]
fn response_alone_is_placed_nowhere() {
    let mut learned = learned();
    let mut alone = exchange(1, b"GET / HTTP/1.1\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n");
    alone.request = None;
    let call = learned.exchange(alone);
    assert_eq!((call.service, call.endpoint, call.template, call.principal), (None, None, None, None));
    assert_eq!(learned.inventory.counters().without_request, 1);
}

#[test]
fn connect_is_no_endpoint() {
    let mut learned = learned();
    let call = learned.call("CONNECT db.example:5432", 200);
    assert_eq!((call.service.as_deref(), call.endpoint), (Some("db.example:5432"), None));
}

#[test]
fn tables_are_bounded_and_overflow_is_counted() {
    let limits =
        Config { max_services: 3, max_endpoints: 10, max_endpoints_per_service: 6, ..Config::new(KEY) };
    let mut learned = Learned::new(limits);
    for service in 0..5 {
        for path in 0..8 {
            let call = learned.call(&format!("GET /word{}\nHost: s{service}", char::from(b'a' + path)), 200);
            assert!(call.template.is_some() && call.service.is_some());
        }
    }
    assert_eq!((learned.inventory.services().count(), learned.inventory.endpoints().count()), (3, 10));
    let counters = learned.inventory.counters();
    assert_eq!((counters.beyond_services, counters.beyond_endpoints), (16, 14));
    assert!(learned.call("GET /worda\nHost: s0", 200).endpoint.is_some(), "what is known stays");
}

#[test]
fn hosts_that_callers_make_up_leave_room_for_services() {
    let mut learned = Learned::new(Config { max_services: 3, ..Config::new(KEY) });
    learned.call("GET /worda\nHost: first", 200);
    for host in 0..300 {
        learned.call(&format!("GET /worda\nHost: made-up-{host}"), [404, 421][host % 2]);
    }
    assert!(learned.call("GET /worda\nHost: second", 200).endpoint.is_some());
    assert!(learned.call("GET /worda\nHost: third", 200).endpoint.is_some());
    learned.call("GET /worda\nHost: fourth", 200);
    let names: Vec<&str> = learned.inventory.services().map(|service| &*service.name).collect();
    assert_eq!(names, ["first", "second", "third"], "those with endpoints stay");
    let counters = learned.inventory.counters();
    assert_eq!((counters.evicted_services, counters.beyond_services), (300, 1));
}

#[test]
fn methods_that_callers_make_up_leave_room_for_others() {
    let mut learned = learned();
    for method in 0..100 {
        learned.call(&format!("MADEUP{method} /worda"), 405);
    }
    assert!(learned.call("PROPFIND-ALL /worda", 200).endpoint.is_some());
}

fn principal(fields: &str) -> Principal {
    learned().call(&format!("GET /a\nHost: shop\n{fields}"), 200).principal.expect("a principal")
}

const JWT: &str = "Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJodHRwczovL2lkcC5leGFtcGxlIiwic3ViIjoiYWxpY2UifQ.c2ln";

#[test]
fn strongest_name_of_the_caller_wins() {
    use PrincipalKind::{ApiKey, BasicUser, Bearer, JwtSubject, Network, Session};
    let fields = [
        ("Accept: x", Network),
        ("Authorization: Bearer opaque", Bearer),
        ("Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", BasicUser),
        ("Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\nCookie: sid=1", Session),
        ("Cookie: sid=1\nX-API-Key: k", ApiKey),
        (&format!("Cookie: sid=1\nX-API-Key: k\n{JWT}"), JwtSubject),
    ];
    for (fields, kind) in fields {
        assert_eq!(principal(fields).kind, kind, "{fields}");
    }
}

#[test]
fn network_principal_is_address_and_user_agent() {
    assert_eq!(principal("User-Agent: a"), principal("User-Agent: a"));
    assert_ne!(principal("User-Agent: a"), principal("User-Agent: b"));
}

#[test]
fn callers_and_credentials_are_counted() {
    let mut learned = learned();
    for n in 0..100 {
        learned.call(&format!("GET /a\nHost: shop\nX-API-Key: key{n}"), 200);
        learned.call(&format!("GET /b\nHost: shop\nX-API-Key: key{}\n{JWT}", n % 3), 200);
    }
    let endpoints: Vec<_> = learned.inventory.endpoints().collect();
    assert_eq!(endpoints[0].callers.count(), (64, true));
    assert_eq!(endpoints[1].callers.count(), (1, false));
    let auth: Vec<_> = endpoints[1].auth.iter().collect();
    assert_eq!(auth, [(CredentialKind::Jwt, 100), (CredentialKind::ApiKey, 100)]);
}

#[test]
fn endpoint_id_is_the_same_in_every_inventory() {
    let mut other = Learned::new(Config::new(TokenKey::new([9; 32])));
    other.call("GET /elsewhere", 200);
    let id = |call: Call| call.endpoint.expect("an endpoint");
    assert_eq!(id(learned().call("GET /orders/1", 200)), id(other.call("GET /orders/2", 200)));
}

/// A JSON-RPC call of that method on one path.
fn rpc(learned: &mut Learned, method: &str, answer: &str) -> Call {
    learned.number += 1;
    let request = format!(
        "POST /rpc HTTP/1.1\r\nHost: shop\r\nContent-Type: application/json\r\n\r\n{{\"jsonrpc\":\"2.0\",\"method\":\"{method}\",\"id\":1}}"
    );
    let response = format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{answer}");
    learned.exchange(exchange(learned.number, request.as_bytes(), response.as_bytes()))
}

const RESULT: &str = "{\"jsonrpc\":\"2.0\",\"result\":1,\"id\":1}";

#[test]
fn operations_of_one_path_are_endpoints() {
    let mut learned = learned();
    let get = rpc(&mut learned, "get", RESULT);
    let put = rpc(&mut learned, "put", RESULT);
    assert_ne!(get.endpoint, put.endpoint);
    assert_eq!(rpc(&mut learned, "get", RESULT).endpoint, get.endpoint);
    assert_eq!((get.template.as_deref(), put.template.as_deref()), (Some("/rpc"), Some("/rpc")));
    let operations: Vec<_> = learned.inventory.endpoints().map(|one| one.operation.as_deref()).collect();
    assert_eq!(operations, [Some("get"), Some("put")]);
}

#[test]
fn operations_that_do_not_exist_make_no_endpoint() {
    let mut learned = learned();
    let unknown = "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32601},\"id\":1}";
    assert_eq!(rpc(&mut learned, "guess", unknown).endpoint, None);
    assert_eq!(learned.inventory.counters().unvouched, 1);
}

#[test]
fn operations_of_one_path_are_bounded() {
    let mut learned = Learned::new(Config { max_operations_per_path: 3, ..Config::new(KEY) });
    let first = rpc(&mut learned, "m0", RESULT).endpoint;
    (1..10).for_each(|n| {
        rpc(&mut learned, &format!("m{n}"), RESULT);
    });
    let operations: Vec<_> = learned.inventory.endpoints().map(|one| one.operation.as_deref()).collect();
    assert_eq!(operations, [None, Some("m0"), Some("m1"), Some("m2")]);
    assert_eq!(learned.inventory.counters().beyond_operations, 7);
    assert_eq!(rpc(&mut learned, "m0", RESULT).endpoint, first);
}

#[test]
fn messages_have_the_operation_and_the_endpoint_of_what_carries_them() {
    use tapwire_protocol::{Child, ChildKind, Heads, Seen, Totals};
    let mut learned = learned();
    let call = |number| {
        let request = b"POST /mcp HTTP/1.1\r\nHost: shop\r\nContent-Type: application/json\r\n\r\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"report\"}}";
        let mut parent =
            exchange(number, request, b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n");
        parent.response.as_mut().expect("an answer").seen = Seen::Ongoing;
        parent
    };
    let child = |number, parent: &Exchange, kind| {
        let mut child =
            exchange(number, b"", b"HTTP/1.1 200 OK\r\n\r\n{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}");
        let head =
            |half: &Option<Box<tapwire_protocol::Message>>| half.as_ref().map(|half| half.head.clone());
        let heads = Heads { request: head(&parent.request), response: head(&parent.response) };
        child.response.as_mut().expect("an answer").head.clear();
        child.child = Some(Child { parent: Some(parent.uid()), index: 2, kind, heads: heads.into() });
        child
    };
    let parent = call(1);
    let message = child(2, &parent, ChildKind::Message);
    let end = child(3, &parent, ChildKind::End(Box::<Totals>::default()));
    let late = child(4, &parent, ChildKind::Message);
    let placed = learned.exchange(parent);
    let operation =
        |call: &Call| call.observation.operation().map(|operation| operation.name.as_str().to_owned());
    assert_eq!(operation(&placed).as_deref(), Some("tools/call report"));
    for carried in [message, end].map(|child| learned.exchange(child)) {
        assert_eq!(operation(&carried), operation(&placed));
        assert_eq!((carried.endpoint, carried.discovered), (placed.endpoint, false));
    }
    let late = learned.exchange(late);
    assert_eq!((operation(&late), late.endpoint), (None, None), "what has ended is not remembered");
    let endpoint = placed.endpoint.and_then(|id| learned.inventory.endpoint(id)).expect("an endpoint");
    assert_eq!(endpoint.calls, 1, "a message is no call");
}
