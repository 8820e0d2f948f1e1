use super::*;
use crate::style::Fact;
use crate::transcript::exchange;
use crate::{Config, Inspector, Observation, TokenKey};
use proptest::prelude::*;
use std::io::Write;
use std::sync::Arc;

fn frame(flags: u8, message: &[u8]) -> Vec<u8> {
    let len = u32::try_from(message.len()).expect("short").to_be_bytes();
    [&[flags], &len[..], message].concat()
}

fn read_as(content_type: &str, pieces: &[&[u8]]) -> Reading {
    let mut grpc = Grpc::default();
    grpc.begin(content_type.as_bytes());
    pieces.iter().for_each(|piece| grpc.feed(piece));
    grpc.finish(true)
}

fn frames(reading: &Reading) -> Frames {
    reading.notes.as_ref().and_then(|notes| notes.frames.as_deref()).cloned().expect("frames")
}

fn guesses(reading: &Reading) -> Vec<(String, &'static str, u8)> {
    frames(reading).fields.iter().map(|guess| (guess.path(), guess.kind.name(), guess.confidence)).collect()
}

/// `1: 150`, `2: "testing"`, `3: { 1: 150 }` (Encoding, the guide's examples), `4: [3, 270, 86942]`, `5: fixed32`.
const MESSAGE: &[u8] =
    b"\x08\x96\x01\x12\x07testing\x1a\x03\x08\x96\x01\x22\x06\x03\x8e\x02\x9e\xa7\x05\x2d\x01\x02\x03\x04";

#[test]
fn fields_are_numbered_and_guessed() {
    let reading = read_as("application/grpc", &[&frame(0, MESSAGE)]);
    assert_eq!((reading.state, reading.fields), (PayloadState::Read, 6));
    let expected = [
        ("1", "varint", 100),
        ("2", "string", 95),
        ("3", "message", 75),
        ("3.1", "varint", 100),
        ("4", "packed", 50),
        ("5", "fixed32", 100),
    ];
    assert_eq!(guesses(&reading), expected.map(|(path, kind, sure)| (path.to_owned(), kind, sure)));
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(plain).expect("memory");
    encoder.finish().expect("memory")
}

#[test]
fn compressed_messages_are_read_by_their_first_bytes() {
    let body = [frame(1, &gzip(MESSAGE)), frame(1, b"snappy"), frame(0, b"")].concat();
    let reading = read_as("application/grpc+proto", &[&body]);
    let frames = frames(&reading);
    assert_eq!((frames.messages, frames.compressed, frames.unread), (3, 2, 1));
    assert_eq!((reading.state, reading.fields), (PayloadState::Partial, 6));
    let bomb = read_as("application/grpc", &[&frame(1, &gzip(&vec![0; 1 << 20]))]);
    assert_eq!(self::frames(&bomb).unread, 1);
    assert!(bomb.anomalies.contains(Anomaly::ContentCodingBomb));
    // Longer than is read, and no bomb.
    let noise: Vec<u8> = (0..600_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()).collect();
    for len in [100 << 10, 2 << 20] {
        let long = read_as("application/grpc", &[&frame(1, &gzip(&noise[..len]))]);
        assert!(long.anomalies.is_empty(), "{len}");
        assert_eq!(self::frames(&long).unread, 1);
    }
}

#[test]
fn web_frames_end_in_trailers() {
    let body = [frame(0, MESSAGE), frame(0x80, b"grpc-status: 5\r\ngrpc-message: none\r\n")].concat();
    assert_eq!(frames(&read_as("application/grpc-web+proto", &[&body])).status, Some(5));
    // Two groups of base64, each padded.
    let text = "AAAAAAIIAQ==gAAAAA9ncnBjLXN0YXR1czogMA0K";
    let reading = read_as("application/grpc-web-text", &[text.as_bytes()]);
    let frames = frames(&reading);
    assert_eq!((frames.messages, frames.fields.len()), (1, 1));
}

#[test]
fn what_is_no_frame_is_invalid_and_long_messages_are_cut() {
    assert_eq!(read_as("application/grpc", &[b"{\"a\":1}"]).state, PayloadState::Invalid);
    assert_eq!(read_as("application/grpc", &[b"\0\0\0\0\x09abc"]).state, PayloadState::Invalid);
    let long = frame(0, &[b"\x0a\x80\x80\x08".as_slice(), &vec![b'x'; 1 << 17]].concat());
    let reading = read_as("application/grpc", &[&long]);
    assert_eq!((reading.state, frames(&reading).unread), (PayloadState::Partial, 1));
}

/// An HTTP/2 exchange as the protocol crate gives it: trailers behind the head's fields.
fn call(trailers: &str, config: Config) -> Observation {
    let request = [
        b"POST /shop.Orders/Get HTTP/2\r\nHost: shop\r\nContent-Type: application/grpc\r\n\r\n".as_slice(),
        &frame(0, b"\x0a\x03abc"),
    ];
    let response = [
        format!("HTTP/2 200 \r\ncontent-type: application/grpc\r\n{trailers}\r\n").as_bytes(),
        &frame(0, b"\x08\x07\x12\x05\x0a\x03abc"),
    ]
    .concat();
    let mut whole = exchange(1, &request.concat(), &response);
    let head = &mut whole.response.as_mut().expect("a response").head;
    head.trailers_from = Some(1);
    Inspector::new(config).exchange(whole)
}

fn config() -> Config {
    Config::new(TokenKey::new([7; 32]))
}

#[test]
fn status_stands_in_the_trailers() {
    let observation = call("grpc-status: 7\r\ngrpc-message: no\r\n", config());
    let operation = observation.operation().expect("an operation");
    assert_eq!(
        (operation.name.as_str(), operation.unknown, observation.failed()),
        ("shop.Orders/Get", false, true)
    );
    let said = observation.said.as_deref().expect("a style");
    assert_eq!(
        (said.protocols.as_slice(), said.fact("grpc", "status")),
        (&["grpc"][..], Some(&Fact::Number(7)))
    );
    let unknown = call("grpc-status: 12\r\n", config());
    assert!(unknown.operation().is_some_and(|operation| operation.unknown));
}

#[test]
fn descriptions_name_fields() {
    let mut descriptors = Descriptors::default();
    descriptors.add(&crate::descriptor::tests::shop()).expect("a set");
    let observation = call("grpc-status: 0\r\n", Config { descriptors: Arc::new(descriptors), ..config() });
    let said = observation.said.as_deref().expect("a style");
    let Some(Fact::Group(answer)) = said.fact("grpc", "response") else { panic!("no answer") };
    let Some((_, Fact::List(fields))) = answer.iter().find(|(key, _)| *key == "fields") else {
        panic!("no fields")
    };
    let names: Vec<&str> = fields
        .iter()
        .filter_map(|field| match field {
            Fact::Group(facts) => facts.iter().find_map(|(key, fact)| match fact {
                Fact::Name(name) if *key == "name" => Some(name.as_str()),
                _ => None,
            }),
            _ => None,
        })
        .collect();
    assert_eq!(names, ["id", "line", "line.sku"]);
    assert!(!observation.failed());
}

#[test]
fn a_field_that_its_description_calls_a_password_is_a_credential() {
    let mut set = crate::descriptor::tests::shop();
    let at = set.windows(3).position(|name| name == b"sku").expect("a field");
    let secrets = |set: &[u8]| {
        let mut descriptors = Descriptors::default();
        descriptors.add(set).expect("a set");
        let call = call("grpc-status: 0\r\n", Config { descriptors: Arc::new(descriptors), ..config() });
        call.credentials.iter().map(|credential| credential.kind).collect::<Vec<_>>()
    };
    assert_eq!(secrets(&set), []);
    set[at..at + 3].copy_from_slice(b"pwd");
    assert_eq!(secrets(&set), [crate::CredentialKind::Password]);
}

proptest! {
    #[test]
    fn any_split_reads_alike(
        messages in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 0..30)), 0..5),
        noise in prop::collection::vec(any::<u8>(), 0..6),
        cuts in prop::collection::vec(0_usize..150, 0..5),
        text in any::<bool>(),
    ) {
        let mut body: Vec<u8> = messages.iter().flat_map(|(web, message)| frame(u8::from(*web) << 7, message)).collect();
        body.extend(noise);
        let content_type = if text { "application/grpc-web-text" } else { "application/grpc" };
        let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(body.len())).collect();
        cuts.extend([0, body.len()]);
        cuts.sort_unstable();
        let pieces: Vec<_> = cuts.windows(2).map(|pair| &body[pair[0]..pair[1]]).collect();
        prop_assert_eq!(read_as(content_type, &pieces), read_as(content_type, &[&body]));
        prop_assert_eq!(read_as(content_type, &body.chunks(1).collect::<Vec<_>>()), read_as(content_type, &[&body]));
    }
}

#[test]
fn json_in_frames_is_no_broken_json() {
    let format = crate::payload::by_media_type(b"application/grpc+json").map(|format| format.name);
    assert_eq!(format, Some("grpc"));
    let read = |text: &[u8]| read_as("application/grpc+json", &[&frame(0, text)]);
    assert_eq!((read(b"{\"id\":1}").state, read(b"{\"id\":1}").fields), (PayloadState::Read, 1));
    assert_eq!(read(b"{\"id\":").state, PayloadState::Invalid);
}

#[test]
fn counts_of_a_part_of_the_messages_say_so() {
    let body = frame(0, b"\x08\x01").repeat(300);
    let call = answered("application/grpc", "grpc-status: 0\r\n", &body);
    let Some(Fact::Group(response)) = call.said.as_deref().and_then(|said| said.fact("grpc", "response"))
    else {
        panic!("no response")
    };
    assert!(response.contains(&("messages", Fact::Count(300))));
    assert!(response.contains(&("more", Fact::Truth(true))));
}

/// A call that is answered with that body.
fn answered(content_type: &str, head: &str, body: &[u8]) -> Observation {
    let head = format!("Content-Type: {content_type}\r\n{head}");
    let request = format!("POST /shop.Orders/Get HTTP/1.1\r\nHost: a\r\n{head}\r\n");
    let answer = [format!("HTTP/1.1 200 OK\r\n{head}\r\n").as_bytes(), body].concat();
    Inspector::new(Config::new(TokenKey::new([7; 32]))).exchange(exchange(1, request.as_bytes(), &answer))
}

#[test]
fn an_answer_without_status_failed() {
    let fact = |call: &Observation, name: &str| {
        call.said.as_deref().and_then(|said| said.fact("grpc", name)).cloned()
    };
    let body = frame(0, b"\x08\x01");
    let none = answered("application/grpc", "", &body);
    assert!(none.failed());
    assert_eq!(fact(&none, "status_name"), Some(Fact::Own("UNKNOWN")));
    assert_eq!(fact(&none, "status_missing"), Some(Fact::Truth(true)));
    let fine = answered("application/grpc", "grpc-status: 0\r\n", &body);
    assert_eq!((fine.failed(), fact(&fine, "status_missing")), (false, None));
    let web = [&body[..], &frame(0x80, b"grpc-status: 5\r\ngrpc-message: none\r\n")].concat();
    let web = answered("application/grpc-web+proto", "", &web);
    assert_eq!(fact(&web, "message"), Some(Fact::Content(crate::style::Name::new(b"none"))));
    assert_eq!(fact(&web, "status"), Some(Fact::Number(5)));
}

#[test]
fn a_coding_that_is_not_undone_is_named() {
    let body = frame(1, b"\xff\x06\0\0sNaPpY");
    let call = answered("application/grpc", "grpc-status: 0\r\ngrpc-encoding: snappy\r\n", &body);
    let Some(Fact::Group(response)) = call.said.as_deref().and_then(|said| said.fact("grpc", "response"))
    else {
        panic!("no response")
    };
    assert!(response.contains(&("encoding", Fact::Name(crate::style::Name::new(b"snappy")))));
}
