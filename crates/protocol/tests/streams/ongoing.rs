//! Answers that are open for long, and what becomes of them.

use crate::driver::{Line, Transcript};
use std::io::Write;
use tapwire_flow::CloseReason;
use tapwire_wire::Side;

macro_rules! answers {
    ($($name:ident: $text:literal => [$($line:literal),* $(,)?];)+) => {
        const ALL: &[(&str, &str)] = &[$((stringify!($name), $text)),+];

        $(
            #[test]
            fn $name() {
                let expected: &[&str] = &[$($line),*];
                assert_eq!(Transcript::read($text).play().exchanges, expected);
            }
        )+
    };
}

answers! {
    events_that_end_soon_are_the_body_of_one_exchange: r"
        >>> GET /e HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: one\n\n
        ... 29
        <<< data: two\n\n
        >>.
        <<.
    " => ["GET /e | 200 +22"];

    events_behind_the_report_are_children: r"
        >>> GET /e HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 200 OK\r\nContent-Type: Text/Event-Stream; charset=utf-8\r\n\r\ndata: one\n\n
        ... 31
        <<< id: 2\ndata: two\ndata: and more\n\n: ping\n\nda
        <<< ta: three\n\n
        ... 3600
        <<< data: four\n\n
        >>.
        <<.
    " => [
        "GET /e | 200 +11 ongoing",
        r#"< 4 "two\nand more""#,
        r#"< 6 "three""#,
        r#"< 8 "four""#,
        "< end 9 (client 0/0 server 4/76)",
    ];

    a_client_that_has_heard_enough_ends_a_stream_between_chunks: r"
        >>> GET /e HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n
        <<< b\r\ndata: one\n\n\r\n
        ... 31
        <<< b\r\ndata: two\n\n\r\n
        >>.
        <<.
    " => ["GET /e | 200 +11 ongoing", r#"< 4 "two""#, "< end 5 (client 0/0 server 2/22)"];

    the_event_that_is_open_at_the_report_is_told_with_its_rest: r"
        >>> GET /e HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: on
        ... 31
        <<< e\n\ndata: two\n\n
        >>.
        <<.
    " => [
        "GET /e | 200 +8 ongoing",
        r#"< 2 "e" truncated"#,
        r#"< 4 "two""#,
        "< end 5 (client 0/0 server 2/22)",
    ];

    chunked_events_and_the_next_exchange_on_the_connection: r"
        >>> GET /e HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n
        ... 40
        <<< b\r\ndata: one\n\n\r\n
        <<< 0\r\n\r\n
        >>> GET /f HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nf
        >>.
        <<.
    " => [
        "GET /e | 200 ongoing",
        r#"< 2 "one""#,
        "< end 3 (client 0/0 server 1/11)",
        "GET /f | 200 +1",
    ];

    behind_a_hole_events_begin_at_the_next_empty_line: r"
        >>> GET /e HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n
        ... 31
        <<< data: one\n\ndata: tw
        <<? o\n\ndata: th
        <<< ree\n\ndata: four\n\n
        >>.
        <<.
    " => [
        "GET /e | 200 ongoing",
        r#"< 2 "one""#,
        r#"< 4 "tw" truncated"#,
        r#"< 6 "four""#,
        "< end 7 (client 0/0 server 3/36) missed 11",
    ];

    what_is_no_event_stream_has_only_an_end: r"
        >>> GET /poll HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n
        ... 31
        <<< 0123456789
        >>.
        <<.
    " => ["GET /poll | 200 ongoing", "< end 1 (client 0/0 server 0/10)"];

    lines_of_json_are_messages: r"
        >>> GET /e HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\n\r\n[1]\n\n[
        ... 31
        <<< 2]\r\n  [3]\n[
        <<? 4]\n[5
        <<< ]\n[6]\n[7]
        >>.
        <<.
    " => [
        "GET /e | 200 +6 ongoing",
        r#"< 4 "2]\r" truncated"#,
        r#"< 6 "[3]""#,
        r#"< 8 "[" truncated"#,
        r#"< 10 "[6]""#,
        r#"< 12 "[7]""#,
        "< end 13 (client 0/0 server 6/26) missed 5",
    ];

    events_behind_an_unknown_coding_are_not_split: r"
        >>> GET /e HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: br\r\n\r\n\x1f\x8b
        ... 31
        <<< data: one\n\n
        --- rst
    " => ["GET /e | 200 +2 ongoing", "< end 1 (client 0/0 server 0/13) truncated"];

    an_answer_whose_request_was_lost: r"
        >>? GET /e HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n
        ... 31
        <<< data: one\n\n
        >>.
        <<.
    " => ["- | 200 ongoing", r#"< 2 "one""#, "< end 3 (client 0/0 server 1/11)"];

    an_answer_that_waits_long_is_not_open_before_its_head: r"
        >>> GET /poll HTTP/1.1\r\nHost: a\r\n\r\n
        ... 600
        <<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n
        ... 20
        <<< ok
        >>.
        <<.
    " => ["GET /poll | 200 +2"];

    each_answer_has_its_own_time: r"
        >>> GET /a HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n
        ... 20
        <<< ok
        >>> GET /b HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n
        ... 20
        <<< ok
        >>> GET /c HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n
        ... 60
        <<< ok
        >>.
        <<.
    " => ["GET /a | 200 +2", "GET /b | 200 +2", "GET /c | 200 ongoing", "< end 1 (client 0/0 server 0/2)"];
}

/// The answer's head, and its content in gzip: what stands in the report, and what comes behind it.
fn zipped(before: &[&str], behind: &[&str]) -> Transcript {
    let mut zip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    let mut add = |text: &str| {
        zip.write_all(text.as_bytes()).and_then(|()| zip.flush()).expect("memory");
        std::mem::take(zip.get_mut())
    };
    let ask = b"GET /e HTTP/1.1\r\nHost: a\r\n\r\n".to_vec();
    let answer =
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: gzip\r\n\r\n".to_vec();
    let mut lines = vec![Line::Segment(Side::Lower, ask), Line::Segment(Side::Upper, answer)];
    lines.extend(before.iter().map(|text| Line::Segment(Side::Upper, add(text))));
    lines.push(Line::Pause(31));
    lines.extend(behind.iter().map(|text| Line::Segment(Side::Upper, add(text))));
    lines.push(Line::Close(CloseReason::End));
    Transcript { joined_late: false, rests: false, lines }
}

fn told(transcript: &Transcript) -> Vec<String> {
    // How long gzip makes it is not what is tested.
    let lines = transcript.play().exchanges.into_iter().filter(|line| line.starts_with("< "));
    lines.map(|line| line.split(" (client").next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn events_in_gzip_are_messages_however_they_are_cut() {
    let transcript = zipped(&["data: one\n\nda"], &["ta: two\n\n", ": ping\n\ndata: th", "ree\n\n"]);
    let expected = [r#"< 4 "two" truncated"#, r#"< 6 "three""#, "< end 7"];
    assert_eq!(told(&transcript), expected);
    let single = transcript.resegmented(|| 1);
    assert_eq!(told(&single), expected);
    assert_eq!(
        single.play().uids,
        transcript.play().uids,
        "where a message begins is the same to every sensor"
    );
}

#[test]
fn gzip_with_a_hole_is_told_no_further() {
    let mut transcript = zipped(&["data: one\n\n"], &["data: two\n\n", "data: lost\n\n", "data: four\n\n"]);
    if let Some(Line::Segment(side, bytes)) = transcript.lines.get(5).cloned() {
        transcript.lines[5] = Line::Lost(side, bytes);
    }
    assert_eq!(told(&transcript), [r#"< 4 "two""#, "< end 5"]);
}

#[test]
fn a_bomb_in_gzip_is_named_and_left() {
    let bomb = format!("data: {}\n\n", "x".repeat(4 << 20));
    let played = zipped(&["data: one\n\n"], &[&bomb, "data: two\n\n"]).play();
    let end = played.exchanges.last().expect("an end");
    assert!(end.contains("content-coding-bomb"), "{end}");
    assert!(!played.exchanges.iter().any(|line| line.contains("two")), "{:?}", played.exchanges.len());
}

#[test]
fn the_smallest_segments_and_a_rest_after_each_give_the_same() {
    for (name, text) in ALL {
        let whole = Transcript::read(text);
        let single = whole.resegmented(|| whole.shortest_start());
        let rested = Transcript { rests: true, ..whole.clone() };
        assert_eq!(whole.play().exchanges, single.play().exchanges, "{name}");
        assert_eq!(whole.play().uids, single.play().uids, "{name}");
        assert_eq!(whole.play().exchanges, rested.play().exchanges, "{name}");
    }
}
