//! What holds for every head, over generated and damaged ones.

use super::lenient;
use super::*;
use crate::{Anomalies, Direction, Head, Version};
use proptest::prelude::*;

/// All that was read of a head, with ranges as their text: where an empty value stands is nobody's business.
#[derive(Debug, PartialEq)]
struct Reading {
    outcome: HeadOutcome,
    text: Vec<u8>,
    version: Version,
    status: Option<u16>,
    line: [Option<Vec<u8>>; 2],
    fields: Vec<(Vec<u8>, Vec<u8>)>,
    anomalies: Anomalies,
}

fn reading(parse: impl FnOnce(&mut Head, &mut Anomalies) -> HeadOutcome) -> Reading {
    let (mut head, mut anomalies) = (Head::default(), Anomalies::default());
    let outcome = parse(&mut head, &mut anomalies);
    let fields =
        head.headers().map(|(name, value)| (name.bytes().to_vec(), value.bytes().to_vec())).collect();
    let line = [head.method(), head.target()].map(|part| part.map(|part| part.bytes().to_vec()));
    Reading { outcome, version: head.version, status: head.status, line, fields, anomalies, text: head.text }
}

fn usual(bytes: &[u8], direction: Direction) -> Reading {
    reading(|head, anomalies| match direction {
        Direction::ToServer => parse_request(bytes, head, anomalies),
        Direction::ToClient => parse_response(bytes, head, anomalies),
    })
}

fn lenient_only(bytes: &[u8], direction: Direction) -> Reading {
    reading(|head, anomalies| lenient::parse(bytes, direction, head, anomalies))
}

fn httparse_accepts(bytes: &[u8], direction: Direction) -> bool {
    let mut fields = [httparse::EMPTY_HEADER; 100];
    match direction {
        Direction::ToServer => httparse::Request::new(&mut fields).parse(bytes),
        Direction::ToClient => httparse::Response::new(&mut fields).parse(bytes),
    }
    .is_ok_and(|status| status.is_complete())
}

fn direction() -> impl Strategy<Value = Direction> {
    prop_oneof![Just(Direction::ToServer), Just(Direction::ToClient)]
}

fn start_line(direction: Direction) -> BoxedStrategy<String> {
    match direction {
        Direction::ToServer => {
            "(GET|POST|BREW|M-SEARCH) (/[a-z0-9/?=&%\"<é]{0,20}|\\*|http://a/) HTTP/1\\.[01]".boxed()
        }
        Direction::ToClient => "HTTP/1\\.[01] [0-9]{3}( [A-Za-z é\t]{0,12})?".boxed(),
    }
}

/// A head that httparse accepts, with what follows it.
fn accepted() -> impl Strategy<Value = (Direction, Vec<u8>)> {
    let field = "(Host|Content-Length|Transfer-Encoding|[A-Za-z0-9!_.~-]{1,9}):[ \t]{0,2}([!-~é]([ -~é\t]{0,12}[!-~])?)?[ \t]{0,2}";
    let line_end = prop_oneof![9 => Just("\r\n"), 1 => Just("\n")];
    let fields = proptest::collection::vec((field, line_end.clone()), 0..8);
    let ends = (line_end.clone(), line_end);
    direction().prop_flat_map(move |direction| {
        let front = prop_oneof![4 => Just(""), 1 => Just("\r\n"), 1 => Just("\n\r\n")];
        let parts = (front, start_line(direction), fields.clone(), ends.clone());
        parts.prop_map(move |(front, line, fields, (first, last))| {
            let fields: String = fields.into_iter().map(|(field, end)| field + end).collect();
            (direction, format!("{front}{line}{first}{fields}{last}rest").into_bytes())
        })
    })
}

/// The same with a few bytes changed to ones that matter.
fn damaged() -> impl Strategy<Value = (Direction, Vec<u8>)> {
    let byte = prop_oneof![
        Just(b'\r'),
        Just(b'\n'),
        Just(b' '),
        Just(b'\t'),
        Just(b':'),
        Just(0),
        Just(0x0b),
        Just(0xff),
        any::<u8>()
    ];
    let damage = proptest::collection::vec((any::<prop::sample::Index>(), byte), 0..4);
    (accepted(), damage).prop_map(|((direction, mut bytes), damage)| {
        let len = bytes.len();
        damage.into_iter().for_each(|(at, byte)| bytes[at.index(len)] = byte);
        (direction, bytes)
    })
}

proptest! {
    #[test]
    fn httparse_and_the_lenient_parser_agree((direction, bytes) in accepted()) {
        prop_assert!(httparse_accepts(&bytes, direction));
        prop_assert_eq!(usual(&bytes, direction), lenient_only(&bytes, direction));
    }

    #[test]
    fn they_agree_on_damaged_heads_that_httparse_accepts((direction, bytes) in damaged()) {
        // What the probe refuses never comes to the lenient parser.
        let lenient = lenient_only(&bytes, direction);
        if httparse_accepts(&bytes, direction) && lenient.outcome != HeadOutcome::NotHttp {
            prop_assert_eq!(usual(&bytes, direction), lenient);
        }
    }

    #[test]
    fn an_answer_stands_when_more_bytes_come((direction, bytes) in damaged()) {
        let whole = usual(&bytes, direction);
        for end in 0..=bytes.len() {
            let now = usual(&bytes[..end], direction);
            if now.outcome == HeadOutcome::Partial {
                prop_assert!(now.text.is_empty() && now.anomalies.is_empty());
            } else {
                prop_assert_eq!(&now, &whole, "at {}", end);
            }
        }
    }

    #[test]
    fn the_scan_finds_the_end_that_the_parsers_find((direction, bytes) in damaged()) {
        if let HeadOutcome::Complete { len } = usual(&bytes, direction).outcome {
            let mut scan = HeadScan::new();
            let found = (0..=bytes.len()).find_map(|end| scan.find_end(&bytes[..end]));
            prop_assert_eq!(found, Some(len));
        }
    }

    #[test]
    fn a_complete_head_is_copied_whole((direction, bytes) in damaged()) {
        let whole = usual(&bytes, direction);
        if let HeadOutcome::Complete { len } = whole.outcome {
            prop_assert_eq!(&whole.text[..], &bytes[..len]);
        }
    }

    #[test]
    fn any_bytes_give_an_answer((direction, bytes) in damaged(), noise in proptest::collection::vec(any::<u8>(), 0..300)) {
        for bytes in [&bytes[..], &noise, &[&b"GET /"[..], &noise].concat(), &[&b"HTTP/1.1 200"[..], &noise].concat()] {
            let (mut head, mut anomalies) = (Head::default(), Anomalies::default());
            probe(bytes);
            parse_request(bytes, &mut head, &mut anomalies);
            head.clear();
            parse_response(bytes, &mut head, &mut anomalies);
            head.clear();
            parse_partial(bytes, direction, &mut head, &mut anomalies);
            request_framing(&head, &mut anomalies);
            response_framing(&head, Some(b"GET"), &mut anomalies);
            append_trailers(&mut head, bytes, &mut anomalies);
            let _ = (keeps_open(&head), upgrade(&head), expects_continue(&head));
        }
    }
}
