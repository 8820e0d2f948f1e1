//! Payload parsers and styles of calls: any split, any order of bodies, bounded names and lists.

use super::flow_info::flow_info;
use super::input::Choices;
use serde_json::Value;
use tapwire_flow::{Chunk, CloseReason, StreamEvent, StreamOffset, StreamSink};
use tapwire_inspect::payload::PayloadParser;
use tapwire_inspect::{Config, Fact, Inspector, Observation, PAYLOADS, Said, TokenKey};
use tapwire_protocol::{BodyPart, Connection, Exchange, ExchangeSink, Protocols};
use tapwire_wire::{SeqNumber, Side};

/// Parameters that media types have.
const PARAMETERS: [&str; 4] = ["", "; boundary=B", "; boundary=\"--\"; charset=x", "; action=\"urn:a#b\""];
/// Head fields that styles read.
const FIELDS: [&str; 6] = [
    "",
    "Mcp-Session-Id: abc\r\n",
    "SOAPAction: \"urn:a#b\"\r\n",
    "X-Amz-Target: A.B\r\n",
    "grpc-status: 5\r\n",
    "Content-Encoding: zstd\r\n",
];
/// What a parser may hold beyond what it always does.
const MAX_HELD: usize = 256 << 10;
/// Values in one list, and bytes of a name, that an observation may have.
const MAX_LIST: usize = 1100;
const MAX_NAME: usize = 256;

/// The first byte picks the format, the second parameters and head fields, the third the split, the fourth whether the
/// body is whole; the rest is the body.
pub fn run(data: &[u8]) {
    let mut choices = Choices::new(data);
    let format = &PAYLOADS[usize::from(choices.byte()) % PAYLOADS.len()];
    let (parameter, field) = (choices.pick(&PARAMETERS), choices.pick(&FIELDS));
    let (split, whole) = (usize::from(choices.byte()).max(1), choices.flag());
    let body = choices.all();
    let media_type = format.media_types[0].replace('*', "x");
    let content_type = format!("{media_type}{parameter}");
    check_splits((format.parser)(), content_type.as_bytes(), body, split, whole);
    let observation = observe(&content_type, field, body);
    if let Some(said) = &observation.said {
        check_bounds(said);
    }
    if format.name == "json" && field != "Content-Encoding: zstd\r\n" {
        check_method(body, &observation);
    }
}

fn check_splits(
    mut parser: Box<dyn PayloadParser>,
    content_type: &[u8],
    body: &[u8],
    split: usize,
    whole: bool,
) {
    let mut read = |step: usize| {
        parser.begin(content_type);
        for piece in body.chunks(step) {
            parser.feed(piece);
            assert!(parser.held() <= MAX_HELD, "{} bytes held", parser.held());
        }
        parser.finish(whole)
    };
    let one = read(usize::MAX);
    assert_eq!(one, read(split), "in pieces of {split}");
    assert_eq!(one, read(1), "byte by byte");
    assert_eq!(one, read(usize::MAX), "once more");
}

/// The body as question and as answer.
fn observe(content_type: &str, field: &str, body: &[u8]) -> Observation {
    let inspector = Inspector::new(Config::new(TokenKey::new([7; 32])));
    let config = tapwire_protocol::Config { body_bytes: 1 << 16, ..Default::default() };
    let mut protocols = Protocols::new(config, Listener { inspector, observation: None });
    let flow = flow_info(true);
    let mut connection = Connection::default();
    for (side, line) in
        [(Side::Lower, "POST /models/m:x?Action=A HTTP/1.1"), (Side::Upper, "HTTP/1.1 200 OK")]
    {
        let head = format!(
            "{line}\r\nContent-Type: {content_type}\r\n{field}Content-Length: {}\r\n\r\n",
            body.len()
        );
        let bytes = &[head.as_bytes(), body].concat();
        let at = StreamOffset::first(SeqNumber(1));
        let (time, source) = (flow.opened, flow.source);
        let chunk = Chunk { side, at, bytes, peer_at: None, time, frame: 1, source };
        protocols.event(&flow, &mut connection, StreamEvent::Data(chunk));
    }
    protocols.event(&flow, &mut connection, StreamEvent::Close(CloseReason::End));
    protocols.into_sink().observation.expect("an exchange was sent")
}

struct Listener {
    inspector: Inspector,
    observation: Option<Observation>,
}

impl ExchangeSink for Listener {
    fn exchange(&mut self, exchange: Exchange) {
        let observation = self.inspector.exchange(exchange);
        if observation.exchange.request.is_some() {
            self.observation = Some(observation);
        }
    }

    fn body_part(&mut self, part: BodyPart) {
        self.inspector.part(&part);
    }
}

/// Hostile names are values: cut, and few.
fn check_bounds(said: &Said) {
    assert!(said.protocols.len() <= 4 && said.facts.len() <= 4, "{said:?}");
    if let Some(operation) = &said.operation {
        assert!((1..=MAX_NAME).contains(&operation.name.as_str().len()), "{said:?}");
    }
    said.facts.iter().flat_map(|(_, facts)| facts).for_each(|(_, fact)| check_fact(fact));
}

fn check_fact(fact: &Fact) {
    match fact {
        Fact::Name(name) | Fact::Content(name) => assert!(name.as_str().len() <= MAX_NAME * 3),
        Fact::List(facts) => {
            assert!(facts.len() <= MAX_LIST, "{} values", facts.len());
            facts.iter().for_each(check_fact);
        }
        Fact::Group(facts) => facts.iter().for_each(|(_, fact)| check_fact(fact)),
        _ => {}
    }
}

/// One JSON-RPC call, read by serde_json: its method is the operation, or the beginning of it.
fn check_method(body: &[u8], observation: &Observation) {
    let Ok(Value::Object(call)) = serde_json::from_slice(body) else { return };
    let (Some(_), Some(Value::String(method))) = (call.get("jsonrpc"), call.get("method")) else { return };
    // Which of two members of one name counts is a matter of the reader, and a question may look like GraphQL as well.
    let once = |name: &str| body.windows(name.len()).filter(|text| *text == name.as_bytes()).count() == 1;
    if !once("\"jsonrpc\"") || !once("\"method\"") || body.contains(&b'\\') || call.contains_key("query") {
        return;
    }
    let operation = observation.operation().map(|operation| operation.name.as_str().to_owned());
    if !method.is_empty() && method.len() <= 128 {
        assert!(
            operation.is_some_and(|operation| operation.starts_with(method)),
            "the method is the operation"
        );
    }
}
