//! Whole connections through `Protocols`: which exchanges come out, however the bytes are cut, with every byte counted.

mod driver;
#[macro_use]
mod transcripts;
mod proxy;
mod unseen;

use driver::{Line, Transcript};
use proptest::prelude::*;
use tapwire_flow::CloseReason;
use tapwire_protocol::{Anomaly, Config, Kind};
use tapwire_wire::Side;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn every_segmentation_gives_the_same_exchanges(
        cuts in proptest::collection::vec(prop_oneof![Just(1_usize), 1_usize..40, 1_usize..9_000], 1..60),
    ) {
        for (name, text) in all() {
            let transcript = Transcript::read(text);
            let mut cuts = cuts.iter().copied().cycle();
            let shortest = transcript.shortest_start();
            let other = transcript.resegmented(|| cuts.next().unwrap_or(1).max(shortest));
            prop_assert_eq!(transcript.play().exchanges, other.play().exchanges, "{}", name);
        }
    }
}

/// Every transcript by name.
fn all() -> impl Iterator<Item = &'static (&'static str, &'static str)> {
    transcripts::ALL.iter().chain(proxy::ALL)
}

/// Pieces of connections, whole and broken.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let known = prop::sample::select(vec![
        "GET /a HTTP/1.1\r\nHost: a\r\n\r\n",
        "HEAD /a HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\n",
        "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
        "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /a HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
        "GET /a HTTP/1.1\r\nHo",
        "GET /a\r\n",
        "BREW /pot",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n",
        "HTTP/1.1 2",
        "0\r\n\r\n",
        "5\r\nabcde\r\n",
        "0\r\nX-T: 1",
        "\r\n",
        "abcde",
        "P",
        "HT",
        "PROXY UNKNOWN\r\n",
        "PROXY TCP9 x\r\n",
    ]);
    prop_oneof![
        8 => known.prop_map(|text| text.as_bytes().to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 1..40),
    ]
}

fn line() -> impl Strategy<Value = Line> {
    let side = prop::sample::select(vec![Side::Lower, Side::Upper]);
    (side, piece(), 0..24).prop_map(|(side, bytes, kind)| match kind {
        0 | 1 => Line::Lost(side, bytes),
        2 => Line::Unacknowledging(side, bytes),
        3 => Line::Evidence(side),
        4 => Line::Fin(side),
        _ => Line::Segment(side, bytes),
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn any_connection_has_every_byte_counted(
        mut lines in proptest::collection::vec(line(), 0..24),
        joined_late: bool,
        reset: bool,
        body_bytes in prop::sample::select(vec![0, 3, 100]),
    ) {
        lines.push(Line::Close(if reset { CloseReason::Reset } else { CloseReason::End }));
        let played = Transcript { joined_late, rests: false, lines }.play_with(Config { body_bytes, ..Config::default() });
        for message in &played.messages {
            prop_assert!(message.body.bytes.len() <= body_bytes);
            prop_assert!(message.body.missed <= message.body.len);
            prop_assert!(message.frames.first <= message.frames.last);
        }
    }
}

/// Exchanges that carry their number in both halves, in groups that a client sends without waiting, with holes.
fn numbered() -> impl Strategy<Value = Vec<Line>> {
    let group =
        (1_u16..4, prop::bool::weighted(0.2), proptest::collection::vec(prop::bool::weighted(0.15), 18));
    proptest::collection::vec(group, 1..12).prop_map(|groups| {
        let (mut lines, mut number) = (Vec::new(), 0);
        for (size, pipelines, lost) in groups {
            let end = number + if pipelines { size } else { 1 };
            let numbers: Vec<u16> = (number..end).collect();
            number = end;
            let heads = |line: &dyn Fn(u16) -> String| numbers.iter().map(|at| line(*at)).collect::<Vec<_>>();
            let requests =
                heads(&|at| format!("POST /{at} HTTP/1.1\r\nHost: a\r\nContent-Length: 40\r\n\r\n"));
            let answers = heads(&|at| format!("HTTP/1.1 {} OK\r\nContent-Length: 40\r\n\r\n", 400 + at));
            let mut lost = lost.into_iter();
            for (side, messages) in [(Side::Lower, requests), (Side::Upper, answers)] {
                for text in messages
                    .into_iter()
                    .flat_map(|head| [head[..20].into(), head[20..].into(), "b".repeat(40)])
                {
                    let line = if lost.next() == Some(true) { Line::Lost } else { Line::Segment };
                    lines.push(line(side, text.into_bytes()));
                }
            }
        }
        lines
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn no_pair_that_is_called_certain_is_wrong(mut lines in numbered(), joined_late: bool) {
        lines.push(Line::Fin(Side::Lower));
        lines.push(Line::Fin(Side::Upper));
        lines.push(Line::Close(CloseReason::Fin));
        let played = Transcript { joined_late, rests: false, lines }.play();
        for line in played.exchanges.iter().filter(|line| !line.contains("uncertain")) {
            let (request, answer) = line.split_once(" | ").unwrap();
            let number = |half: &str, from: &str| half.strip_prefix(from)?.split(' ').next()?.parse::<u16>().ok();
            if let (Some(asked), Some(answered)) = (number(request, "POST /"), number(answer, "")) {
                prop_assert_eq!(400 + asked, answered, "{}", line);
            }
        }
    }
}

#[test]
fn the_smallest_segments_give_the_same_exchanges() {
    for (name, text) in all() {
        let transcript = Transcript::read(text);
        let other = transcript.resegmented(|| transcript.shortest_start());
        assert_eq!(transcript.play().exchanges, other.play().exchanges, "{name}");
    }
}

#[test]
fn a_connection_that_rests_goes_on_where_it_stood() {
    for (name, text) in all() {
        let transcript = Transcript::read(text);
        let rested = Transcript { rests: true, ..transcript.clone() }.play();
        assert_eq!(transcript.play().exchanges, rested.exchanges, "{name}");
    }
}

fn kinds(text: &str) -> Vec<(Kind, u64)> {
    let flows = Transcript::read(text).play().counters.flows;
    Kind::ALL.into_iter().zip(flows).filter(|(_, count)| *count > 0).collect()
}

#[test]
fn what_is_no_http_is_counted_by_its_kind() {
    assert_eq!(kinds(r">>> \x16\x03\x01\0\x05hello"), [(Kind::Tls, 1)]);
    assert_eq!(kinds(r"<<< SSH-2.0-OpenSSH_9.2\r\n"), [(Kind::Ssh, 1)]);
    assert_eq!(kinds(r">>> PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), [(Kind::Http2, 1)]);
    assert_eq!(kinds(r">>> \x01\x02"), [(Kind::Unknown, 1)]);
    // A client of PostgreSQL asks for TLS: the server may have it, or not.
    let asks = r">>> \0\0\0\x08\x04\xd2\x16\x2f";
    assert_eq!(
        kinds(&format!("{asks}\n<<< N\n>>> \\0\\0\\0\\x29\\0\\x03\\0\\0user\\0")),
        [(Kind::PostgreSql, 1)]
    );
    let hello = r">>> \x16\x03\x01\0\x05\x01\0\0\x01\x03";
    assert_eq!(kinds(&format!("{asks}\n<<< S\n{hello}")), [(Kind::Tls, 1)]);
    assert_eq!(kinds(r">>> GET / HTTP/1.1\r\n"), [(Kind::Http1, 1)]);
}

#[test]
fn requests_that_are_never_answered_are_reported_alone() {
    let played = Transcript::read(r">>> {300*GET /a HTTP/1.1\r\nHost: a\r\n\r\n}").play();
    assert_eq!(played.counters.requests_alone, 300);
    let waiting = Transcript::read(r">>> {300*GET /a HTTP/1.1\r\nHost: a\r\n\r\n}").exchanges_while_open();
    assert_eq!(waiting, 300 - 256, "only so many wait for their answers");
}

#[test]
fn long_requests_that_are_never_answered_are_reported_sooner() {
    let text = r">>> {200*POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 10000\r\n\r\n{10000*x}}";
    let played = Transcript::read(&text.replace("{10000*x}", &"x".repeat(10_000)));
    let waiting = 200 - played.clone().exchanges_while_open();
    assert!((100..110).contains(&waiting), "a mebibyte, and {waiting} are");
    assert_eq!(played.play().counters.requests_alone, 200);
}

#[test]
fn responses_to_requests_that_never_show_do_not_pile_up() {
    let text = r"<<- {1000*HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n}";
    let waiting = Transcript::read(text).exchanges_while_open();
    assert_eq!(waiting, 1_000 - 256, "only so many wait for their requests");
}

#[test]
fn a_head_in_two_segments_ends_with_the_second() {
    let played = Transcript::read(
        r"
        >>> GET /a HTTP/1.1\r\nHo
        >>> st: a\r\n\r\n
        <<< HTTP/1.1 200 OK\r\nContent-
        <<< Length: 0\r\n\r\n
        ",
    )
    .play();
    let [request, response] = played.messages.as_slice() else { panic!("one exchange") };
    assert_eq!((request.frames.first, request.frames.last), (0, 1));
    assert_eq!((response.frames.first, response.frames.last), (2, 3));
    assert_eq!((request.ended.nanos(), response.ended.nanos()), (1, 3));
    assert_eq!(played.latencies, [Some(1)]);
}

#[test]
fn a_cut_head_ends_where_its_last_byte_was_seen() {
    let played = Transcript::read(
        r"
        >>> GET /a HTTP/1.1\r\nHo
        >>> st: a\r\n
        <<< HTTP/1.1 200 OK\r\n
        >>? \r\n
        ",
    )
    .play();
    let request = &played.messages[0];
    assert_eq!((request.frames.last, request.ended.nanos()), (1, 1));
}

const LONG: &str = r"
    >>> POST /a HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: 35\r\n\r\n{10*a}{10*b}{10*c}{5*d}
    <<< HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\n{10*a}{5*b}
    <<? {5*b}
    <<< {10*c}
";

#[test]
fn a_long_body_goes_ahead_in_parts() {
    let config = Config { body_bytes: 10, ..Config::default() };
    let played = Transcript::read(LONG).play_with(config.clone());
    let [request, response] = played.messages.as_slice() else { panic!("one exchange") };
    let parts = |id| played.parts.iter().filter(move |part| part.message == id);
    let bytes: Vec<&[u8]> = parts(request.id).map(|part| part.bytes.as_slice()).collect();
    assert_eq!(bytes, [&b"aaaaaaaaaa"[..], b"bbbbbbbbbb", b"cccccccccc"]);
    let content: Vec<bool> = parts(request.id).map(|part| part.content.is_some()).collect();
    assert_eq!(content, [true, false, false], "the first says what it is a part of");
    assert_eq!(played.parts[0].content.clone().unwrap().0, b"text/plain");
    assert_eq!(
        (request.body.bytes.as_slice(), request.body.parts, request.body.cut),
        (&b"ddddd"[..], true, false)
    );
    assert_eq!(parts(response.id).map(|part| part.bytes.as_slice()).collect::<Vec<_>>(), [b"aaaaaaaaaa"]);
    assert_eq!((response.body.bytes.as_slice(), response.body.cut), (&b"bbbbb"[..], true), "up to the hole");
    assert_eq!((response.body.len, response.body.missed), (30, 5));
    let single = Transcript::read(LONG).resegmented(|| 1).play_with(config);
    let all = |parts: &[tapwire_protocol::BodyPart]| {
        parts.iter().map(|part| part.bytes.clone()).collect::<Vec<_>>()
    };
    assert_eq!(all(&single.parts), all(&played.parts));
}

#[test]
fn without_parts_a_long_body_is_cut() {
    let played =
        Transcript::read(LONG).play_with(Config { body_bytes: 10, body_parts: false, ..Config::default() });
    let request = &played.messages[0];
    assert!(played.parts.is_empty());
    assert_eq!(
        (request.body.bytes.as_slice(), request.body.len, request.body.cut),
        (&b"aaaaaaaaaa"[..], 35, true)
    );
}

#[test]
fn with_no_body_bytes_none_is_copied() {
    let played = Transcript::read(LONG).play_with(Config { body_bytes: 0, ..Config::default() });
    assert!(played.parts.is_empty());
    assert!(played.messages.iter().all(|message| message.body.bytes.is_empty() && message.body.cut));
    assert_eq!(played.counters.body_bytes, 60);
}

#[test]
fn a_tunnel_is_told_once() {
    let (_, text) = transcripts::ALL.iter().find(|(name, _)| *name == "upgrade_leaves_http").unwrap();
    let played = Transcript::read(text).play();
    assert_eq!((played.counters.tunnels, played.counters.tunnel_bytes), (1, 12));
    assert!(played.messages[1].anomalies.contains(Anomaly::Tunnel));
}
