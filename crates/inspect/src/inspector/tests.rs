use super::*;
use crate::transcript::exchange;
use crate::{CredentialKind, PayloadState, Place, TokenKey};
use proptest::prelude::*;
use std::io::Write;
use tapwire_protocol::{Anomaly, MessageId};

fn inspector() -> Inspector {
    Inspector::new(Config { max_open_messages: 4, ..Config::new(TokenKey::new([7; 32])) })
}

fn observe(request: &str, response: &[u8]) -> Observation {
    inspector().exchange(exchange(1, request.as_bytes(), response))
}

const GET: &str = "GET /v1/orders/42?page=2 HTTP/1.1\r\nHost: Shop.Example\r\n\r\n";

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(plain).expect("memory");
    encoder.finish().expect("memory")
}

/// A 200 answer with that Content-Type, Content-Encoding and body.
fn answer(content_type: &str, content_encoding: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nContent-Encoding: {content_encoding}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

#[test]
fn observation_says_what_the_exchange_says() {
    let observation =
        observe(GET, &answer("application/json", "", b"{\"id\":42,\"lines\":[{\"sku\":1},{\"sku\":2}]}"));
    assert_eq!(observation.authority.as_deref(), Some("shop.example"));
    assert_eq!((observation.segments.len(), observation.parameters.len()), (3, 1));
    assert_eq!(observation.request_payload, Payload::default());
    let payload = &observation.response_payload;
    assert_eq!((payload.format, payload.state, payload.fields), (Some("json"), PayloadState::Read, 3));
    assert_eq!(payload.decoded_len, 39);
    assert!(observation.anomalies.is_empty());
}

#[test]
fn coded_and_plain_bodies_say_the_same() {
    let body = b"{\"id\":42}";
    let plain = observe(GET, &answer("application/json", "", body));
    let coded = observe(GET, &answer("application/json", "gzip", &gzip(body)));
    assert_eq!(plain.response_payload, coded.response_payload);
}

#[test]
fn payload_states() {
    let state = |content_type: &str, encoding: &str, body: &[u8]| {
        observe(GET, &answer(content_type, encoding, body)).response_payload.state
    };
    assert_eq!(state("application/json", "", b""), PayloadState::Empty);
    assert_eq!(state("text/html", "", b"<p>"), PayloadState::Unknown);
    assert_eq!(state("application/json", "compress", b"xx"), PayloadState::Unknown);
    assert_eq!(state("application/json", "", b"<p>"), PayloadState::Invalid);
    assert_eq!(state("", "", b" {\"a\":1}"), PayloadState::Read);
    assert_eq!(state("", "", b"[oops]"), PayloadState::Unknown);
    assert_eq!(state("", "", b"plain"), PayloadState::Read);
    assert_eq!(state("text/plain", "", b"plain"), PayloadState::Read);
    assert_eq!(state("application/vnd.other", "", b"plain"), PayloadState::Read);
    assert_eq!(state("application/octet-stream", "", b"\x01plain"), PayloadState::Unknown);
    assert_eq!(state("image/svg+png", "", b"plain"), PayloadState::Unknown);
}

#[test]
fn anomalies_of_content() {
    let anomaly = |content_type: &str, encoding: &str, body: &[u8]| {
        observe(GET, &answer(content_type, encoding, body)).anomalies.iter().next()
    };
    assert_eq!(anomaly("application/json", "", b"<p>"), Some(Anomaly::InvalidPayload));
    assert_eq!(anomaly("text/html", "gzip", b"<p>"), Some(Anomaly::InvalidContentCoding));
    assert_eq!(anomaly("text/html", "gzip", &gzip(&vec![0; 1 << 20])), Some(Anomaly::ContentCodingBomb));
    assert_eq!(anomaly("text/html", "gzip,gzip,gzip", b"x"), Some(Anomaly::TooManyContentCodings));
    assert_eq!(anomaly("application/json", "compress", b"\x1f\x9d"), Some(Anomaly::UnknownContentCoding));
    let coded = gzip(b"{\"a\":1}");
    assert_eq!(
        anomaly("application/json", "gzip", &coded[..coded.len() - 9]),
        Some(Anomaly::InvalidContentCoding)
    );
}

#[test]
fn body_with_a_hole_is_partial_without_blame() {
    let mut exchange =
        exchange(1, GET.as_bytes(), &answer("application/json", "gzip", &gzip(b"{\"a\":1}")[..12]));
    let body = &mut exchange.response.as_mut().expect("a response").body;
    body.cut = true;
    let observation = inspector().exchange(exchange);
    assert_eq!(observation.response_payload.state, PayloadState::Partial);
    assert!(observation.anomalies.is_empty());
}

#[test]
fn login_in_a_body_is_a_credential() {
    let post = |content_type: &str, body: &str| {
        observe(&format!("POST /login HTTP/1.1\r\nContent-Type: {content_type}\r\n\r\n{body}"), b"")
            .credentials
    };
    let form = post("application/x-www-form-urlencoded", "username=alice&password=s3cret");
    let json = post("application/json", "{\"username\":\"alice\",\"password\":\"s3cret\"}");
    assert_eq!(form, json);
    assert_eq!((form.len(), form[0].kind, form[0].place), (1, CredentialKind::Password, Place::Body));
    assert!(form[0].identity.is_some());
    let echo = observe(GET, &answer("application/json", "", b"{\"password\":\"s3cret\"}"));
    assert!(echo.credentials.is_empty());
}

#[test]
fn response_alone_is_observed() {
    let mut alone = exchange(1, GET.as_bytes(), &answer("application/json", "", b"{}"));
    alone.request = None;
    let observation = inspector().exchange(alone);
    assert_eq!((observation.authority, observation.path), (None, None));
    assert_eq!(observation.response_payload.state, PayloadState::Read);
}

/// The same exchange with its response body sent ahead in parts of `size` bytes, but for the last.
fn in_parts(inspector: &mut Inspector, whole: &Exchange, size: usize) -> Observation {
    let mut exchange = whole.clone();
    let response = exchange.response.as_mut().expect("a response");
    let bytes = std::mem::take(&mut response.body.bytes);
    let value = |name: &[u8]| response.head.header(name).expect("a field").bytes().to_vec();
    let mut content = Some((value(b"content-type"), value(b"content-encoding")));
    let ahead = bytes.len() - bytes.len() % size;
    for part in bytes[..ahead].chunks(size) {
        inspector.part(&BodyPart {
            message: response.id,
            flow: 1,
            content: content.take(),
            bytes: part.to_vec(),
        });
    }
    response.body.bytes = bytes[ahead..].to_vec();
    response.body.parts = true;
    inspector.exchange(exchange)
}

#[test]
fn parts_say_what_the_whole_says() {
    let body = format!("{{\"items\":[{}0]}}", "{\"id\":1,\"name\":\"x\"},".repeat(500));
    for (encoding, bytes) in [("", body.clone().into_bytes()), ("gzip", gzip(body.as_bytes()))] {
        let whole = exchange(1, GET.as_bytes(), &answer("application/json", encoding, &bytes));
        let mut inspector = inspector();
        let expected = inspector.exchange(whole.clone()).response_payload;
        assert_eq!((expected.state, expected.fields), (PayloadState::Read, 3));
        for size in [1, 7, 30] {
            assert_eq!(
                in_parts(&mut inspector, &whole, size).response_payload,
                expected,
                "{encoding} {size}"
            );
        }
        assert_eq!(inspector.open.len(), 0);
    }
}

/// What parsers take for white space is no matter of how the body came: a form feed is none (RFC 8259, 2).
#[test]
fn parts_of_an_untyped_body_say_what_the_whole_says() {
    for (body, format) in [(" \n{\"a\":1}", "json"), ("\x0c\t{\"a\":1}", "text")] {
        let whole = exchange(1, GET.as_bytes(), &answer("", "", body.as_bytes()));
        let mut inspector = inspector();
        let expected = inspector.exchange(whole.clone()).response_payload;
        assert_eq!((expected.state, expected.format), (PayloadState::Read, Some(format)), "{body:?}");
        for size in [1, 2, 3] {
            assert_eq!(in_parts(&mut inspector, &whole, size).response_payload, expected, "{body:?} {size}");
        }
    }
}

#[test]
fn open_messages_are_bounded_and_counted() {
    let mut inspector = inspector();
    let part = |id: u64, first: bool| BodyPart {
        message: MessageId(id),
        flow: 1,
        content: first.then(|| (b"application/json".to_vec(), Vec::new())),
        bytes: b"[".to_vec(),
    };
    (0..100).for_each(|id| inspector.part(&part(id, true)));
    assert_eq!(inspector.open.len(), 4);
    inspector.part(&part(0, false));
    assert_eq!(
        inspector.counters(),
        Counters { evicted_messages: 96, orphan_parts: 1, ..Counters::default() }
    );
    let mut given_up = exchange(0, GET.as_bytes(), &answer("application/json", "", b"]"));
    given_up.response.as_mut().expect("a response").body.parts = true;
    assert_eq!(inspector.exchange(given_up).response_payload.state, PayloadState::Partial);
}

#[test]
fn open_messages_are_bounded_in_bytes() {
    let config = Config { max_open_bytes: 1 << 20, ..Config::new(TokenKey::new([7; 32])) };
    let mut inspector = Inspector::new(config);
    for id in 0..1000 {
        let content = Some((b"application/json".to_vec(), b"gzip, gzip".to_vec()));
        inspector.part(&BodyPart { message: MessageId(id), flow: 1, content, bytes: vec![0x1f] });
    }
    assert_eq!(inspector.open.len(), (1 << 20) / (2 * 56 * 1024 + 21 * 1024));
}

proptest! {
    #[test]
    fn ranges_of_any_request_lie_within_its_head(
        target in "[/?#&=;:@%a-z0-9.\\PC]{0,80}",
        cookie in "[;= a-z\\PC]{0,40}",
        authorization in "(Basic |Bearer |eyJ)?[!-~]{0,60}",
    ) {
        let target = target.replace(' ', "");
        let request =
            format!("GET {target} HTTP/1.1\r\nHost: {cookie}\r\nCookie: sid=1;{cookie}\r\nAuthorization: {authorization}\r\n\r\n");
        let observation = inspector().exchange(exchange(1, request.as_bytes(), b""));
        let text = &observation.exchange.request.as_ref().expect("a request").head.text;
        let ranges = observation.path.into_iter().chain(observation.query);
        let ranges = ranges.chain(observation.segments.iter().map(|segment| segment.range));
        let ranges = ranges.chain(observation.parameters.iter().flat_map(|parameter| [parameter.name, parameter.value]));
        let ranges = ranges.chain(observation.credentials.iter().filter_map(|credential| credential.name));
        for range in ranges {
            prop_assert!(range.start <= range.end && range.end as usize <= text.len(), "{:?}", range);
        }
    }
}
