//! HTTP/1 messages that llhttp's suite describes, through head, framing and body. Skipped with a notice where the corpus
//! is not beside the workspace.
//!
//! The suite's parser refuses what a sensor has to read. So where it expects an error, naming an anomaly, or saying that
//! this is no HTTP, is the hit.

use serde_json::Value;
use std::path::Path;
use tapwire_protocol::h1::{
    ChunkPart, ChunkedDecoder, HeadOutcome, Start, keeps_open, parse_partial, parse_request, parse_response,
    probe, request_framing, response_framing, upgrade,
};
use tapwire_protocol::{Anomalies, Anomaly, Direction, Framing, Head};

/// Cases of 123 that agree; the rest is explained in `docs/conformance.md`.
const FLOOR: usize = 114;

#[test]
fn llhttp() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus/truth/llhttp.jsonl");
    let Ok(text) = std::fs::read_to_string(&file) else {
        println!("skipped: no corpus beside the workspace");
        return;
    };
    let cases: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let misses: Vec<String> =
        cases.iter().filter_map(|case| check(case).err().map(|why| explain(case, &why))).collect();
    let hits = cases.len() - misses.len();
    println!("llhttp: {hits} of {} agree\n{}", cases.len(), misses.join("\n"));
    assert!(hits >= FLOOR, "{hits} of {}, once {FLOOR}:\n{}", cases.len(), misses.join("\n"));
}

fn explain(case: &Value, why: &str) -> String {
    format!("{}: {why}", case["id"].as_str().unwrap_or_default())
}

/// What was read of one message.
struct Read {
    head: Head,
    body: Vec<u8>,
    complete: bool,
}

#[derive(Default)]
struct Reading {
    messages: Vec<Read>,
    anomalies: Anomalies,
    /// Why reading stopped before the bytes did.
    stopped: Option<&'static str>,
}

fn read(raw: &[u8], direction: Direction, kind: &str, skip_body: bool) -> Reading {
    let mut reading = Reading::default();
    let mut rest = raw;
    while !rest.iter().all(|byte| matches!(byte, b'\r' | b'\n')) && reading.stopped.is_none() {
        let Some(used) = read_message(rest, direction, skip_body, &mut reading) else { break };
        rest = &rest[used..];
        let open = reading.messages.last().is_some_and(|last| keeps_open(&last.head));
        if !open && !rest.is_empty() && !kind.contains("lenient-keep-alive") {
            reading.stopped = Some("bytes behind the last message");
        }
    }
    reading
}

fn read_message(rest: &[u8], direction: Direction, skip_body: bool, reading: &mut Reading) -> Option<usize> {
    let mut head = Head::default();
    let (outcome, framing) = match direction {
        Direction::ToServer => {
            let outcome = parse_request(rest, &mut head, &mut reading.anomalies);
            (outcome, request_framing(&head, &mut reading.anomalies))
        }
        Direction::ToClient => {
            let method = skip_body.then_some(&b"HEAD"[..]);
            let outcome = parse_response(rest, &mut head, &mut reading.anomalies);
            (outcome, response_framing(&head, method, &mut reading.anomalies))
        }
    };
    let len = match outcome {
        HeadOutcome::Complete { len } => len,
        HeadOutcome::Partial => {
            read_cut(rest, direction, reading);
            return None;
        }
        _ => {
            reading.stopped = Some("no HTTP");
            return None;
        }
    };
    let leaves = upgrade(&head).is_some()
        || framing == Framing::Tunnel
        || head.method().is_some_and(|m| m.is(b"CONNECT"));
    let (body, used, complete) = read_body(&rest[len..], framing, &mut reading.anomalies);
    reading.messages.push(Read { head, body, complete });
    if leaves {
        reading.stopped = Some("leaves HTTP");
    }
    Some(len + used)
}

/// What a connection does with a head whose end never comes.
fn read_cut(rest: &[u8], direction: Direction, reading: &mut Reading) {
    let mut head = Head::default();
    if parse_partial(rest, direction, &mut head, &mut reading.anomalies) {
        request_framing(&head, &mut reading.anomalies);
        reading.messages.push(Read { head, body: Vec::new(), complete: false });
    }
}

fn read_body(rest: &[u8], framing: Framing, anomalies: &mut Anomalies) -> (Vec<u8>, usize, bool) {
    match framing {
        Framing::None | Framing::Tunnel => (Vec::new(), 0, true),
        Framing::Close => (rest.to_vec(), rest.len(), false),
        Framing::Length(len) => {
            let here = rest.len().min(usize::try_from(len).unwrap());
            (rest[..here].to_vec(), here, here as u64 == len)
        }
        Framing::Chunked => read_chunked(rest, anomalies),
    }
}

fn read_chunked(rest: &[u8], anomalies: &mut Anomalies) -> (Vec<u8>, usize, bool) {
    let (mut decoder, mut body, mut at) = (ChunkedDecoder::new(), Vec::new(), 0);
    while at < rest.len() {
        let step = decoder.feed(&rest[at..], anomalies);
        at += step.consumed;
        match step.part {
            ChunkPart::Data(data) => body.extend_from_slice(data),
            ChunkPart::End => break,
            ChunkPart::Broken => return (body, rest.len(), false),
            ChunkPart::Framing | ChunkPart::Trailer(_) => {}
        }
    }
    (body, at, decoder.is_finished())
}

fn check(case: &Value) -> Result<(), String> {
    let raw = base64(case["raw_b64"].as_str().unwrap());
    let kind = case["meta"]["type"].as_str().unwrap_or_default();
    let direction = if kind.starts_with("response") { Direction::ToClient } else { Direction::ToServer };
    let reading = read(&raw, direction, kind, case["meta"]["skipBody"].as_bool().unwrap_or(false));
    let expected = case["expect"]["messages"].as_array().unwrap();
    let error = case["expect"]["error"].as_str();
    let paused = error.is_some_and(|error| error.contains("Pause on"));
    match error {
        Some(error) if !paused => named(error, &reading, &raw),
        _ => same(expected, &reading),
    }
}

/// An expected error is met by a named anomaly, or by not reading on. A missing Host says nothing: the suite's requests
/// seldom have one.
fn named(error: &str, reading: &Reading, raw: &[u8]) -> Result<(), String> {
    let telling = reading.anomalies.iter().any(|anomaly| anomaly != Anomaly::MissingHost);
    if telling || reading.stopped.is_some() || probe(raw) == Start::No {
        return Ok(());
    }
    Err(format!("expected \"{error}\", but nothing is named in {} messages", reading.messages.len()))
}

fn same(expected: &[Value], reading: &Reading) -> Result<(), String> {
    if expected.len() != reading.messages.len() {
        let names: Vec<_> = reading.anomalies.iter().map(|a| a.name()).collect();
        return Err(format!(
            "{} messages, expected {}; {:?} {names:?}",
            reading.messages.len(),
            expected.len(),
            reading.stopped
        ));
    }
    expected.iter().zip(&reading.messages).try_for_each(|(expected, read)| same_message(expected, read))
}

fn same_message(expected: &Value, read: &Read) -> Result<(), String> {
    let text = |part: Option<tapwire_protocol::Untrusted<'_>>| {
        part.map_or(String::new(), |part| latin1(part.bytes()))
    };
    let head = &read.head;
    let headers: Vec<_> = head
        .headers()
        .map(|(name, value)| (clean(&latin1(name.bytes())), clean(&latin1(value.bytes()))))
        .collect();
    let stated = expected["headers"].as_array().unwrap();
    let stated: Vec<_> = stated.iter().map(|pair| (expect(&pair[0]), expect(&pair[1]))).collect();
    let pairs = [
        ("method", expect(&expected["method"]), text(head.method())),
        ("url", expect(&expected["url"]), text(head.target())),
        ("status", expected["status_code"].to_string(), head.status.map_or("null".into(), |s| s.to_string())),
        ("headers", format!("{stated:?}"), format!("{headers:?}")),
        ("body", expect_body(expected), clean_body(&latin1(&read.body))),
        ("complete", expected["complete"].to_string(), read.complete.to_string()),
    ];
    match pairs.iter().find(|(_, expected, read)| expected != read) {
        Some((what, expected, read)) => Err(format!("{what} is {read:?}, expected {expected:?}")),
        None => Ok(()),
    }
}

fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

/// Line folding is shown as sent by one side and without line ends by the other.
fn clean(text: &str) -> String {
    text.replace(['\r', '\n'], "").trim_matches([' ', '\t']).to_owned()
}

fn expect(value: &Value) -> String {
    clean(&value.as_str().unwrap_or_default().replace("\\t", "\t").replace("\\f", "\x0c"))
}

fn expect_body(expected: &Value) -> String {
    clean_body(expected["body"].as_str().unwrap_or_default())
}

/// The suite's record of a body has no line ends.
fn clean_body(text: &str) -> String {
    text.replace(['\r', '\n'], "")
}

fn base64(text: &str) -> Vec<u8> {
    let value = |symbol: u8| match symbol {
        b'A'..=b'Z' => u32::from(symbol - b'A'),
        b'a'..=b'z' => u32::from(symbol - b'a') + 26,
        b'0'..=b'9' => u32::from(symbol - b'0') + 52,
        b'+' => 62,
        _ => 63,
    };
    let symbols: Vec<u8> = text.bytes().filter(|symbol| *symbol != b'=').collect();
    let quads = symbols.chunks(4).flat_map(|quad| {
        let bits = quad.iter().fold(0, |bits, symbol| bits << 6 | value(*symbol)) << (6 * (4 - quad.len()));
        bits.to_be_bytes()[1..quad.len()].to_vec()
    });
    quads.collect()
}
