//! A message body: content codings and payload parsers, whole and in parts, against flate2 and serde_json.

use super::flow_info::flow_info;
use super::input::Choices;
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use serde_json::Value;
use serde_json::de::IoRead;
use std::collections::BTreeSet;
use std::io::{Read, Write};
use tapwire_flow::{Chunk, CloseReason, StreamEvent, StreamOffset, StreamSink};
use tapwire_inspect::{
    Config, Credential, CredentialKind, Inspector, PAYLOADS, Payload, PayloadState, TokenKey,
};
use tapwire_protocol::{Anomalies, Anomaly, BodyPart, Connection, Exchange, ExchangeSink, Protocols};
use tapwire_wire::{SeqNumber, Side};

const TYPES: [&str; 8] = [
    "application/json",
    "application/x-www-form-urlencoded",
    "",
    "application/json; charset=utf-8",
    "application/x-ndjson",
    "application/problem+json",
    "image/png",
    "text/html",
];

const CODINGS: [&str; 10] = [
    "",
    "gzip",
    "deflate",
    "gzip, gzip",
    "deflate, gzip",
    "gzip, deflate",
    "identity",
    "x-gzip",
    "compress",
    "gzip, gzip, gzip",
];

/// Decoded bytes allowed where the case asks for a small cap.
const SMALL_CAP: u64 = 1_000;

/// One body and how it comes.
struct Case {
    content_type: &'static str,
    coding: &'static str,
    /// As it was sent.
    coded: Vec<u8>,
    /// What was encoded, where the coding is undone to exactly that.
    content: Option<Vec<u8>>,
    whole: bool,
    split: usize,
    max_decoded_bytes: u64,
}

/// The first five bytes choose type, coding, shape and split; the rest is the body, or what is encoded to make it.
pub fn run(data: &[u8]) {
    let mut choices = Choices::new(data);
    let case = Case::read(&mut choices);
    let one = inspect(&case, usize::MAX);
    let other = inspect(&case, case.split);
    check_parts(&one, &other);
    check_parsers(&case.coded, case.split);
    check_cap(&case, &one);
    check_content(&case, &one);
    check_gzip(&case, &one);
}

impl Case {
    fn read(choices: &mut Choices<'_>) -> Self {
        let (content_type, coding) = (choices.pick(&TYPES), choices.pick(&CODINGS));
        let (shape, split, repeat) = (choices.byte(), choices.byte(), choices.byte());
        let bytes = choices.all();
        let encode = shape & 1 == 1 && !matches!(coding, "compress" | "gzip, gzip, gzip");
        let repeated = if repeat > 0xf0 { bytes.repeat(1 << (repeat & 0x0f).min(7)) } else { bytes.to_vec() };
        let content = if encode { repeated } else { bytes.to_vec() };
        let plain = matches!(coding, "" | "identity");
        Self {
            content_type,
            coding,
            coded: if encode { encoded(&content, coding, shape & 2 != 0) } else { content.clone() },
            content: (encode || plain).then_some(content),
            whole: shape & 4 == 0,
            split: usize::from(split).max(1),
            max_decoded_bytes: if shape & 8 != 0 { SMALL_CAP } else { 1 << 20 },
        }
    }
}

/// Applies the codings in their order; `bare` leaves out zlib's envelope.
fn encoded(content: &[u8], codings: &str, bare: bool) -> Vec<u8> {
    let mut bytes = content.to_vec();
    for coding in codings.split(", ") {
        bytes = match coding {
            "gzip" | "x-gzip" => {
                compressed(GzEncoder::new(Vec::new(), Compression::fast()), &bytes, GzEncoder::finish)
            }
            "deflate" if bare => compressed(
                DeflateEncoder::new(Vec::new(), Compression::fast()),
                &bytes,
                DeflateEncoder::finish,
            ),
            "deflate" => {
                compressed(ZlibEncoder::new(Vec::new(), Compression::fast()), &bytes, ZlibEncoder::finish)
            }
            _ => bytes,
        };
    }
    bytes
}

fn compressed<E: Write>(mut encoder: E, bytes: &[u8], finish: fn(E) -> std::io::Result<Vec<u8>>) -> Vec<u8> {
    encoder.write_all(bytes).expect("memory takes everything");
    finish(encoder).expect("memory takes everything")
}

/// All that inspection says of a body.
#[derive(Debug, PartialEq)]
struct Reading {
    payload: Payload,
    anomalies: Anomalies,
    passwords: Vec<Credential>,
}

/// Reads the body as that of a request, in parts of `split` bytes where it is longer.
fn inspect(case: &Case, split: usize) -> Reading {
    let max_decoded_bytes = case.max_decoded_bytes;
    let inspector = Inspector::new(Config { max_decoded_bytes, ..Config::new(TokenKey::new([7; 32])) });
    let config = tapwire_protocol::Config { body_bytes: split, ..Default::default() };
    let mut protocols = Protocols::new(config, Listener { inspector, reading: None });
    let (flow, client) = (flow_info(true), Side::Lower);
    let (time, source) = (flow.opened, flow.source);
    let bytes = &request(case);
    let at = StreamOffset::first(SeqNumber(1));
    let chunk = Chunk { side: client, at, bytes, peer_at: None, time, frame: 1, source };
    let mut connection = Connection::default();
    protocols.event(&flow, &mut connection, StreamEvent::Data(chunk));
    protocols.event(&flow, &mut connection, StreamEvent::Close(CloseReason::End));
    let Listener { inspector, reading } = protocols.into_sink();
    // A body may hold more values than are looked at for attempts.
    let tapwire_inspect::Counters { evicted_messages, orphan_parts, unread_values: _, unread_answers } =
        inspector.counters();
    assert_eq!((evicted_messages, orphan_parts, unread_answers), (0, 0, 0));
    reading.expect("a request was sent")
}

/// The body with a head in front. Of one that is not whole the last byte is missing.
fn request(case: &Case) -> Vec<u8> {
    let (content_type, coding) = (case.content_type, case.coding);
    let len = case.coded.len() + usize::from(!case.whole);
    let head = format!(
        "POST / HTTP/1.1\r\nContent-Type: {content_type}\r\nContent-Encoding: {coding}\r\nContent-Length: {len}\r\n\r\n"
    );
    [head.as_bytes(), &case.coded].concat()
}

struct Listener {
    inspector: Inspector,
    reading: Option<Reading>,
}

impl ExchangeSink for Listener {
    fn exchange(&mut self, exchange: Exchange) {
        let observation = self.inspector.exchange(exchange);
        let mut passwords = observation.credentials;
        passwords.retain(|credential| credential.kind == CredentialKind::Password);
        let (payload, anomalies) = (observation.request_payload, observation.anomalies);
        let before = self.reading.replace(Reading { payload, anomalies, passwords });
        assert!(before.is_none(), "one request is one exchange");
    }

    fn body_part(&mut self, part: BodyPart) {
        self.inspector.part(&part);
    }
}

/// Parts say the same as the whole. Where a coding breaks, or is broken off as a bomb, how much came out before is a
/// matter of the decoder's steps, and so is what was read of it.
fn check_parts(one: &Reading, other: &Reading) {
    let has = |anomaly| [one, other].map(|reading| reading.anomalies.contains(anomaly));
    if has(Anomaly::ContentCodingBomb) != [false; 2] {
        return;
    }
    match has(Anomaly::InvalidContentCoding) {
        [false, false] => assert_eq!(one, other, "in parts"),
        broken => assert_eq!(broken, [true; 2], "in parts"),
    }
}

/// Every parser gives the same of every split, and is as new after each body.
fn check_parsers(bytes: &[u8], split: usize) {
    for format in PAYLOADS {
        let mut parser = (format.parser)();
        let mut read = |step: usize, whole: bool| {
            bytes.chunks(step).for_each(|piece| parser.feed(piece));
            parser.finish(whole)
        };
        for whole in [true, false] {
            let one = read(usize::MAX, whole);
            assert_eq!(one, read(split, whole), "{} in pieces of {split}", format.name);
            assert_eq!(one, read(1, whole), "{} byte by byte", format.name);
        }
    }
}

/// A bomb is stopped within one step of the decoder.
fn check_cap(case: &Case, reading: &Reading) {
    const STEP: u64 = 16 << 10;
    if !matches!(case.coding, "" | "identity") {
        assert!(reading.payload.decoded_len <= case.max_decoded_bytes + STEP, "{reading:?}");
    }
}

/// What was encoded comes out again, and reads as what it is.
fn check_content(case: &Case, reading: &Reading) {
    let Some(content) = &case.content else { return };
    if reading.anomalies.contains(Anomaly::ContentCodingBomb) || case.coded.is_empty() {
        return;
    }
    assert!(!reading.anomalies.contains(Anomaly::InvalidContentCoding), "{reading:?}");
    assert_eq!(reading.payload.decoded_len, content.len() as u64);
    if case.whole && (case.content_type.contains("json")) {
        check_json(content, &reading.payload);
    }
}

/// JSON against serde_json. Ours reads sequences with their separators, any bytes inside strings and 64 levels; what
/// both can read they must read alike.
fn check_json(content: &[u8], payload: &Payload) {
    let mut stream = serde_json::Deserializer::new(IoRead::new(content)).into_iter::<Value>();
    let values: Result<Vec<Value>, _> = stream.by_ref().collect();
    match (&values, payload.state) {
        (Ok(values), PayloadState::Read) => {
            let mut paths = BTreeSet::new();
            values.iter().for_each(|value| add_paths(value, &mut Vec::new(), &mut paths));
            let plain = paths.iter().flatten().all(|name| name.len() < 256);
            if plain && paths.len() < 64 {
                assert_eq!(payload.fields as usize, paths.len(), "fields");
            }
        }
        (Ok(values), PayloadState::Invalid) => {
            // Nothing but white space is no document; two scalars that touch are one broken one.
            assert!(values.is_empty() || values.len() > 1, "serde_json reads it");
        }
        (Ok(_), _) => assert_eq!(payload.state, PayloadState::Partial, "only depth stops it"),
        (Err(_), PayloadState::Read) => assert!(is_beyond_serde(content), "serde_json refuses it"),
        (Err(_), _) => {}
    }
}

/// Bytes that ours lets pass: separators of sequences, a byte order mark, other encodings, surrogates that stand alone,
/// and numbers that no double holds.
fn is_beyond_serde(content: &[u8]) -> bool {
    let odd = content.contains(&0x1e) || content.starts_with(b"\xef\xbb\xbf");
    let surrogate = content
        .windows(3)
        .any(|three| matches!(three, [b'u', b'd' | b'D', b'8' | b'9' | b'a'..=b'f' | b'A'..=b'F']));
    let exponent = content.windows(2).any(|two| matches!(two, [b'0'..=b'9', b'e' | b'E']));
    let long = content.iter().filter(|byte| byte.is_ascii_digit()).count() > 300;
    odd || surrogate || exponent || long || std::str::from_utf8(content).is_err()
}

/// Paths of all members; elements of an array share one path that no member has.
fn add_paths(value: &Value, path: &mut Vec<String>, paths: &mut BTreeSet<Vec<String>>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                path.push(format!(".{name}"));
                paths.insert(path.clone());
                add_paths(value, path, paths);
                path.pop();
            }
        }
        Value::Array(elements) => {
            path.push("[]".to_owned());
            elements.iter().for_each(|element| add_paths(element, path, paths));
            path.pop();
        }
        _ => {}
    }
}

/// What flate2 can read to its end as gzip, we read to its end, and to the same length.
fn check_gzip(case: &Case, reading: &Reading) {
    if !matches!(case.coding, "gzip" | "x-gzip") || !case.whole || case.coded.is_empty() {
        return;
    }
    let mut decoded = Vec::new();
    let decoder = flate2::read::MultiGzDecoder::new(&case.coded[..]);
    let read = decoder.take(case.max_decoded_bytes + 1).read_to_end(&mut decoded);
    let capped = decoded.len() as u64 > case.max_decoded_bytes;
    if read.is_ok() && !capped && !reading.anomalies.contains(Anomaly::ContentCodingBomb) {
        assert_eq!(reading.payload.decoded_len, decoded.len() as u64);
        assert!(!reading.anomalies.contains(Anomaly::InvalidContentCoding), "{reading:?}");
    }
}
