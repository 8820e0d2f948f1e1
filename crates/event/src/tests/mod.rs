//! Whole events: what validates, what leaks, what people read.

mod cards;
mod formats;
mod redaction;
mod schema;

use crate::transcript::exchange;
use crate::{Fidelity, Format, Options, Redactor, Renderer, View, fields};
use serde_json::Value;
use std::sync::Arc;
use tapwire_detect::{Finding, Outcome, Severity};
use tapwire_inspect::{Credential, CredentialKind, Observation, Payload, Place, TokenKey};
use tapwire_inventory::{Call, EndpointId, Principal, PrincipalKind};
use tapwire_protocol::{Anomalies, Exchange, Uid};
use tapwire_wire::Timestamp;

const KEY: TokenKey = TokenKey::new([7; 32]);

/// An ordinary exchange of a JSON API.
fn ordinary() -> Exchange {
    let mut exchange = exchange(
        1,
        b"GET /orders/17?page=2&token=s3cr3t HTTP/1.1\r\nHost: shop.example:8080\r\nUser-Agent: curl/8.5.0\r\n\
          Accept: */*\r\nAuthorization: Bearer abcdefghijklmnop\r\nX-Customer: Alice Smith\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nServer: nginx/1.24.0\r\nDate: Thu, 01 Jan 2026 12:00:00 GMT\r\n\
          Content-Type: application/json; charset=utf-8\r\nContent-Length: 13\r\n\r\n{\"order\": 17}",
    );
    let noon = Timestamp::from_parts(1_767_268_800, 0);
    for message in [&mut exchange.request, &mut exchange.response].into_iter().flatten() {
        (message.started, message.ended) = (noon, noon);
    }
    exchange
}

/// The exchange as analysis places it.
fn call(exchange: Exchange) -> Call {
    let token = KEY.token(tapwire_inspect::Domain::Credential, b"abcdefghijklmnop");
    let credential = Credential {
        kind: CredentialKind::Bearer,
        place: Place::Header,
        name: None,
        token,
        identity: None,
        password: None,
        claims: None,
    };
    let observation = Observation {
        own_classes: None,
        exchange,
        authority: Some("shop.example:8080".to_owned()),
        path: None,
        query: None,
        segments: Vec::new(),
        parameters: Vec::new(),
        credentials: vec![credential],
        request_fields: None,
        response_fields: None,
        issuance: None,
        request_payload: Payload::default(),
        response_payload: Payload::default(),
        said: None,
        anomalies: Anomalies::default(),
        attempts: None,
        marks: tapwire_inspect::Marks::default(),
    };
    Call {
        relations: tapwire_inventory::Relations::default(),
        standing: tapwire_inventory::Standing::default(),
        knocks: None,
        observation,
        service: Some(Arc::from("shop")),
        endpoint: Some(EndpointId(0x2a)),
        template: Some(Arc::from("/orders/{orderId}")),
        discovered: true,
        principal: Some(Principal { kind: PrincipalKind::Bearer, token }),
        caller: tapwire_inventory::Caller::default(),
    }
}

fn finding() -> Finding {
    Finding {
        rule: None,
        detector: "credentials-in-url",
        uid: Uid([9; 16]),
        time: Timestamp::from_parts(1_767_268_800, 0),
        severity: Severity::High,
        confidence: 90,
        outcome: Outcome::Confirmed,
        reason: "GET /orders/{orderId} carries a token in the query parameter 'token'.".to_owned(),
        endpoint: Some(EndpointId(0x2a)),
        incident: None,
        exchanges: vec![Uid([1; 16])],
    }
}

fn options(format: Format) -> Options {
    Options { format, version: "0.1.0".to_owned(), ..Options::default() }
}

fn renderer(options: Options) -> Renderer {
    Renderer::new(options, Redactor::new(KEY, Fidelity::Default))
}

fn rendered(renderer: &mut Renderer, view: &View<'_>) -> String {
    let mut out = Vec::new();
    renderer.exchange(view, 1, &mut out);
    String::from_utf8(out).expect("events are UTF-8")
}

/// The exchange in a format, with analysis off.
fn alone(format: Format, exchange: &Exchange) -> String {
    rendered(&mut renderer(options(format)), &View { exchange, call: None, source: "eth0" })
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn one_view_answers_every_field() {
    let call = call(ordinary());
    let view = View { exchange: &call.observation.exchange, call: Some(&call), source: "eth0" };
    let holds = |text: &str| {
        let expression = tapwire_expr::parse(text, &fields::ExchangeFields).unwrap();
        expression.matches(&|field| fields::value(&view, field))
    };
    assert!(holds("method == GET and host == shop.example and path == /orders/17 and query contains token"));
    assert!(holds("status == 200 and client == 10.0.0.7 and server_port == 8080 and service == shop"));
    assert!(holds("template == '/orders/{orderId}' and endpoint == 000000000000002a and discovered"));
    assert!(holds(
        "credentials contains bearer and principal ~ '^token~' and not anomalies and pairing == certain"
    ));
    assert!(holds(
        "http_response.code == 200 and src_endpoint.ip in 10.0.0.0/24 and seen_response == complete"
    ));
    assert!(holds("time >= 2026-01-01T12:00:00Z and content_type contains json and response_length == 13"));
    assert!(!holds("vlan == 1") && !holds("vlan != 1"));
}
