//! HTTP/2 connections through `Protocols`: which exchanges come out, with every byte counted.

mod driver;

use driver::{Line, Transcript};
use tapwire_protocol::{Anomaly, Kind};
use tapwire_wire::Side;

macro_rules! transcripts {
    ($($name:ident: $text:literal => [$($line:literal),* $(,)?];)+) => {
        /// Every transcript by name.
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

transcripts! {
    prior_knowledge: r"
        >>> PREFACE | SETTINGS 3=100 | GET 1 /a
        <<< SETTINGS | ACK | OK 1 | DATA 1 end ok
        >>> ACK | POST 3 /b | DATA 3 end abc
        <<< STATUS 3 404
    " => ["1 GET /a | 200 +2", "3 POST /b +3 | 404"];

    the_server_may_speak_first: r"
        <<< SETTINGS 3=100
        >>> PREFACE | SETTINGS | GET 1 /a
        <<< STATUS 1 204
    " => ["1 GET /a | 204"];

    streams_end_in_any_order: r"
        >>> PREFACE | SETTINGS | GET 1 /a | POST 3 /b | GET 5 /c
        <<< SETTINGS | OK 5 | OK 1 | DATA 5 c | DATA 1 a
        <<< DATA 5 end c | STATUS 3 403
        >>> DATA 3 end late
        <<< DATA 1 end a
    " => ["5 GET /c | 200 +2", "3 POST /b +4 | 403", "1 GET /a | 200 +2"];

    trailers_and_interim_responses: r"
        >>> PREFACE | SETTINGS | POST 1 /a
        <<< SETTINGS | HEADERS 1 :status=100
        >>> DATA 1 abc | HEADERS 1 end x-sum=1
        <<< HEADERS 1 :status=103 link=x | OK 1 | DATA 1 ok | HEADERS 1 end grpc-status=0 grpc-message=
    " => ["1 POST /a +3 trailers 1 | 200 +2 trailers 2 interim 100 interim 103"];

    rfc9113_6_10_a_block_in_parts: r"
        >>> PREFACE | SETTINGS | HEADERS 1 end part :method=GET :path=/a | MORE 1 :scheme=http
        >>> MORE 1 end :authority=a.test x=y
        <<< SETTINGS | STATUS 1 200
    " => ["1 GET /a | 200"];

    padding_is_no_body: r"
        >>> PREFACE | SETTINGS | POST 1 /a | PADDED 1 7 abc | PADDED 1 0 d | DATA 1 end
        <<< SETTINGS | STATUS 1 200
    " => ["1 POST /a +4 | 200"];

    a_pushed_response: r"
        >>> PREFACE | SETTINGS | GET 1 /a
        <<< SETTINGS | PUSH 1 2 /style | OK 1 | DATA 1 end a | OK 2 | DATA 2 end css
    " => ["1 GET /a | 200 +1", "2 GET /style | 200 +3 !server-push"];

    streams_are_reset: r"
        >>> PREFACE | SETTINGS | GET 1 /a | POST 3 /b | DATA 3 x | GET 5 /c
        <<< SETTINGS | OK 1 | DATA 1 a
        >>> RST 1 8
        <<< DATA 1 late | RST 3 7 | STATUS 5 200
    " => [
        "1 GET /a | 200 +1 truncated !stream-reset",
        "3 POST /b +1 truncated | - !stream-reset",
        "5 GET /c | 200",
    ];

    rfc9113_8_1_a_server_that_has_answered_needs_no_more: r"
        >>> PREFACE | SETTINGS | POST 1 /a | DATA 1 x
        <<< SETTINGS | STATUS 1 413 | RST 1 0
    " => ["1 POST /a +1 truncated | 413"];

    rfc9113_8_5_connect: r"
        >>> PREFACE | SETTINGS | HEADERS 1 :method=CONNECT :authority=a:443
        <<< SETTINGS | OK 1
        >>> DATA 1 secret
        <<< DATA 1 secret | DATA 1 end
    " => ["1 CONNECT a:443 | 200 !tunnel"];

    rfc8441_4_extended_connect: r"
        >>> PREFACE | SETTINGS | HEADERS 1 :method=CONNECT :protocol=websocket :scheme=http :path=/chat :authority=a
        <<< SETTINGS 8=1 | OK 1
        >>> GET 3 /other | BYTES 1 81 82 00 00 00 00 68 69
        <<< BYTES 1 81 03 61 62 | BYTES 1 63 01 01 64 | STATUS 3 204 | BYTES 1 80 01 65
        >>> BYTES 1 88 82 00 00 00 00 03 e8
        <<< BYTES 1 end 88 02 03 e8
        >>> DATA 1 end
    " => [
        "1 CONNECT /chat | 200 ongoing",
        "1 > message 1 \"hi\" complete",
        "1 < message 2 \"abc\" complete",
        "3 GET /other | 204",
        "1 < message 4 \"de\" complete",
        "1 > end 5 \"\" complete",
    ];

    rfc8441_a_hole_within_a_frame_and_one_beyond: r"
        >>> PREFACE | SETTINGS | HEADERS 1 :method=CONNECT :protocol=websocket :scheme=http :path=/chat :authority=a
        <<< SETTINGS 8=1 | OK 1
        <<< RAW 00 00 07 00 00 00 00 00 01 81 05 61
        <<? RAW 62 63
        <<< RAW 64 65
        <<< BYTES 1 81 01 66
        <<? BYTES 1 81 01 67
        <<< BYTES 1 81 01 68 | PING | PING | BYTES 1 81 0a 6f 6e 65 20 73 65 63 6f 6e 64
        <<< RST 1 8
    " => [
        "1 CONNECT /chat | 200 ongoing",
        "1 < message 2 \"a\" truncated",
        "1 < message 4 \"f\" complete",
        "1 < message 6 \"one second\" complete",
        "1 < end 7 \"\" truncated !stream-reset",
    ];

    rfc8441_what_is_no_websocket_is_a_tunnel: r"
        >>> PREFACE | SETTINGS | HEADERS 1 :method=CONNECT :protocol=connect-udp :scheme=http :path=/masque :authority=a
        <<< SETTINGS 8=1 | OK 1
        >>> DATA 1 end frames
    " => ["1 CONNECT /masque | 200 !tunnel"];

    the_connection_ends_with_streams_open: r"
        >>> PREFACE | SETTINGS | GET 1 /a | POST 3 /b | DATA 3 x
        <<< SETTINGS | OK 1 | DATA 1 a
    " => ["1 GET /a | 200 +1 truncated", "3 POST /b +1 truncated | -"];

    signs_of_smuggling: r"
        >>> PREFACE | SETTINGS | POST 1 /a content-length=9 | DATA 1 end abc
        <<< SETTINGS | STATUS 1 200
        >>> POST 3 /b transfer-encoding=chunked x=1\r\nHost:\sb | DATA 3 end 0
        <<< STATUS 3 200
    " => [
        "1 POST /a +3 !content-length-mismatch | 200",
        "3 POST /b +1 !transfer-encoding-in-http2 !line-break-in-field | 200",
    ];

    an_answer_to_head_states_a_length: r"
        >>> PREFACE | SETTINGS | HEAD 1 /a
        <<< SETTINGS | STATUS 1 200 content-length=900
    " => ["1 HEAD /a | 200"];

    frames_of_ended_and_unknown_streams: r"
        >>> PREFACE | SETTINGS | GET 1 /a | DATA 1 more
        <<< SETTINGS | STATUS 1 200
        >>> DATA 1 more | GET 1 /again
        <<< STATUS 1 200
        <<< STATUS 9 500
    " => [
        "1 GET /a | 200 !data-on-closed-stream",
        "1 GET /again !data-on-closed-stream !invalid-stream-id | 200",
        "9 - | 500 !unsolicited-response",
    ];

    frames_that_break_rules: r"
        >>> PREFACE | SETTINGS | RAW 00 00 03 06 00 00 00 00 00 01 02 03 | GET 1 /a
        <<< SETTINGS | STATUS 1 200
        >>> HEADERS 3 part :method=GET :path=/b :scheme=http :authority=a | PING | GET 5 /c
        <<< STATUS 5 200
        >>> POST 7 /d | RAW 00 00 02 00 09 00 00 00 07 09 00
        <<< STATUS 7 200
        >>> GET 9 /e
        <<< STATUS 9 200
    " => [
        "1 GET /a !invalid-frame | 200",
        "5 GET /c | 200",
        "7 POST /d | 200",
        "9 GET /e !invalid-padding | 200",
        "3 GET /b truncated !misplaced-frame !lost-header-block | -",
    ];

    a_header_block_that_cannot_be_decoded: r"
        >>> PREFACE | SETTINGS | HEADERS 1 end :method=GET #99
        <<< SETTINGS | STATUS 1 400
    " => ["1 GET ? capped !invalid-header-block | 400"];

    rfc7540_3_2_upgrade: r"
        >>> RAW 47 45 54 20 2f 61 20 48 54 54 50 2f 31 2e 31 0d 0a 48 6f 73 74 3a 20 61 0d 0a 43 6f 6e 6e 65 63 74 69 6f 6e 3a 20 55 70 67 72 61 64 65 2c 20 48 54 54 50 32 2d 53 65 74 74 69 6e 67 73 0d 0a 55 70 67 72 61 64 65 3a 20 68 32 63 0d 0a 48 54 54 50 32 2d 53 65 74 74 69 6e 67 73 3a 20 41 41 4d 41 41 41 42 6b 0d 0a 0d 0a
        <<< RAW 48 54 54 50 2f 31 2e 31 20 31 30 31 20 53 0d 0a 43 6f 6e 6e 65 63 74 69 6f 6e 3a 20 55 70 67 72 61 64 65 0d 0a 55 70 67 72 61 64 65 3a 20 68 32 63 0d 0a 0d 0a | SETTINGS
        >>> PREFACE | SETTINGS | GET 3 /b
        <<< OK 1 | DATA 1 end ok | STATUS 3 204
    " => ["1 GET /a | 200 +2 interim 101", "3 GET /b | 204"];

    a_lost_header_block_leaves_later_references_unknown: r"
        >>> PREFACE | SETTINGS | GET 1 /a
        <<< SETTINGS | HEADERS 1 end :status=200 server+a
        >>> HEADERS 3 end :method=GET :path+/b :scheme=http :authority=a
        <<? HEADERS 3 end :status=200 x+y
        >>> HEADERS 5 end :method=GET #62 :scheme=http :authority=a
        <<< STATUS 5 200 | PING | PING
        >>> HEADERS 7 end :method=GET #62 :scheme=http :authority=a
        <<< HEADERS 7 end :status=200 #62
    " => [
        "1 GET /a | 200",
        "5 GET /b | 200",
        "7 GET /b | 200 !unknown-fields",
        "3 GET /b | -",
    ];

    a_hole_within_data_keeps_framing_exact: r"
        >>> PREFACE | SETTINGS | GET 1 /a
        <<< SETTINGS | OK 1 | RAW 00 00 09 00 01 00 00 00 01 61 62 63
        <<? RAW 64 65 66
        <<< RAW 67 68 69
        >>> GET 3 /b
        <<< HEADERS 3 end :status=200
    " => ["1 GET /a | 200 +9 ?3 truncated", "3 GET /b | 200"];

    a_hole_within_a_header_block_keeps_framing_exact: r"
        >>> PREFACE | SETTINGS | RAW 00 00 10 01 05 00 00 00 01 82
        >>? RAW 84 86 41 0c
        >>> RAW 00 00 00 00 00 00 00 00 00 00 00
        >>> GET 3 /b
        <<< SETTINGS | STATUS 1 200 | STATUS 3 200
    " => ["1 GET ? truncated !lost-header-block | 200", "3 GET /b | 200"];

    a_response_whose_head_was_lost_is_still_one: r"
        >>> PREFACE | SETTINGS | GET 1 /a
        <<< SETTINGS | PING
        <<? OK 1
        <<< DATA 1 abc | DATA 1 def | HEADERS 1 end grpc-status=0
    " => ["1 GET /a | ? ? +6 truncated trailers 1 !lost-header-block"];

    joined_in_the_middle: r"
        join
        >>> POST 7 /a | DATA 7 abc
        <<< DATA 5 end old | OK 7 | DATA 7 end ok
        >>> DATA 7 end late
        >>> GET 9 /b
        <<< HEADERS 9 end :status=200 #62
    " => ["7 POST /a +7 | 200 +2", "9 GET /b | 200 !unknown-fields"];

    joined_where_the_server_speaks: r"
        join
        <<< STATUS 5 200
        >>> GET 7 /a
        <<< STATUS 7 200
    " => ["5 - | 200", "7 GET /a | 200"];

    an_answer_waits_for_a_request_that_is_held_behind_a_hole: r"
        >>> PREFACE | SETTINGS | GET 1 /a
        <<< SETTINGS | STATUS 1 200
        <<+ STATUS 3 200
        >>? PING
        >>> GET 3 /b
    " => ["1 GET /a | 200", "3 GET /b | 200"];

    one_direction_alone: r"
        >>> PREFACE | SETTINGS | GET 1 /a
        >>> GET 3 /b
    " => ["1 GET /a | -", "3 GET /b | -"];
}

#[test]
fn every_segmentation_gives_the_same_exchanges() {
    for (name, text) in ALL {
        let transcript = Transcript::read(text);
        // Behind a hole, and without a handshake, what a segment begins with is part of the proof.
        if transcript.joined_late || transcript.lines.iter().any(|line| line.lost) {
            continue;
        }
        for size in [1, 2, 3, 5, 9, 10, 17, 64] {
            let (other, whole) = (transcript.resegmented(size).play(), transcript.play());
            assert_eq!(other.exchanges, whole.exchanges, "{name} in pieces of {size}");
            assert_eq!(other.uids(), whole.uids(), "{name} in pieces of {size}");
        }
    }
}

/// A connection of so many like streams.
fn many(count: u32, frames: impl Fn(u32) -> String) -> String {
    let lines = (0..count).map(|nth| format!("\n>>> {}", frames(2 * nth + 1)));
    format!(">>> PREFACE | SETTINGS{}", lines.collect::<String>())
}

fn with(text: &str, anomaly: Anomaly) -> usize {
    let played = Transcript::read(text).play();
    played.raw.iter().filter(|exchange| exchange.all_anomalies().contains(anomaly)).count()
}

#[test]
fn what_a_receiver_lets_pass_does_not_shake_the_reader_off() {
    let priority = "RAW 00 00 03 02 00 00 00 00 01 00 00 00".to_owned();
    let reserved = "RAW 00 00 08 06 00 80 00 00 00 01 02 03 04 05 06 07 08".to_owned();
    let longer = format!("POST 1 /a | DATA 1 end {}", "x".repeat(20_000));
    for odd in [vec![priority; 9].join(" | "), vec![reserved; 9].join(" | "), longer] {
        let text = format!(">>> PREFACE | SETTINGS | {odd} | GET 3 /b\n<<< SETTINGS | STATUS 3 200");
        let played = Transcript::read(&text).play();
        assert!(played.exchanges[0].starts_with("3 GET /b"), "{:?}", played.exchanges);
        assert_eq!(played.counters.lost_bytes, 0);
    }
}

#[test]
fn rapid_reset_is_named() {
    let text = many(150, |id| format!("GET {id} /a | RST {id} 8"));
    let played = Transcript::read(&text).play();
    assert_eq!((played.exchanges.len(), with(&text, Anomaly::RapidReset)), (150, 51));
    assert!(with(&many(90, |id| format!("GET {id} /a | RST {id} 8")), Anomaly::RapidReset) == 0);
}

#[test]
fn a_flood_of_continuation_is_named_and_given_up() {
    let flood = |frames: usize| {
        let more = " | MORE 1 a=b".repeat(frames);
        format!(">>> PREFACE | SETTINGS | HEADERS 1 part :method=GET{more}\n>>> MORE 1 end c=d\n>>> GET 3 /a")
    };
    assert_eq!(with(&flood(30), Anomaly::ContinuationFlood), 0);
    assert_eq!(with(&flood(2_000), Anomaly::ContinuationFlood), 1);
    let played = Transcript::read(&flood(2_000)).play();
    assert_eq!(played.exchanges[1], "3 GET /a | -");
    assert!(played.held < 100 << 10, "{}", played.held);
}

#[test]
fn more_streams_than_are_kept_are_reported_as_they_are() {
    let text = many(1_200, |id| format!("GET {id} /a"));
    let played = Transcript::read(&text).play();
    assert_eq!((played.exchanges.len(), with(&text, Anomaly::TooManyStreams)), (1_200, 176));
}

#[test]
fn more_streams_than_the_server_allows_are_named() {
    let gets: String = (0..5).map(|nth| format!(" | GET {} /a", 2 * nth + 1)).collect();
    let text = format!("<<< SETTINGS 3=3\n>>> PREFACE | SETTINGS | ACK{gets}");
    assert_eq!(with(&text, Anomaly::TooManyStreams), 2);
}

#[test]
fn open_bodies_are_held_within_bounds() {
    let body = "x".repeat(16_000);
    let text = many(400, |id| format!("POST {id} /a | DATA {id} {body} | DATA {id} {body}"));
    let played = Transcript::read(&text).play();
    assert_eq!(played.exchanges.len(), 400);
    assert!(played.held < 10 << 20, "{}", played.held);
}

#[test]
fn the_kind_of_the_connection_is_counted() {
    let played = Transcript::read(ALL[0].1).play();
    assert_eq!((played.counters.flows[Kind::Http2 as usize], played.counters.paired), (1, 2));
    assert_eq!(played.counters.bytes_in, played.counters.flow_bytes[Kind::Http2 as usize]);
    let first = &played.raw[0];
    assert_eq!((first.protocols, first.latency()), (&["http/2"][..], Some(1)));
    let head = &first.request.as_ref().unwrap().head;
    assert_eq!((head.header(b"host").unwrap().bytes(), head.version.number()), (&b"a.test"[..], "2"));
    assert_ne!(played.raw[0].uid(), played.raw[1].uid());
}

#[test]
fn what_only_looks_like_frames_is_not_read() {
    let line = |bytes: &[u8]| Line { side: Side::Lower, lost: false, ahead: false, bytes: bytes.to_vec() };
    for bytes in
        [&[0; 900][..], b"\0\0\x05\0\x01\0\0\0\x01hello", b"PRI * HTTP/1.1\r\n\r\n", &[0x16, 3, 1, 0, 9]]
    {
        let played = Transcript { joined_late: true, lines: vec![line(bytes), line(bytes)] }.play();
        assert_eq!(played.counters.flows[Kind::Http2 as usize], 0);
    }
}

#[test]
fn a_wrong_guess_is_revised() {
    let line = |side, bytes: &[u8]| Line { side, lost: false, ahead: false, bytes: bytes.to_vec() };
    // Three heads that chain, by chance.
    let frames: Vec<u8> = (0..3).flat_map(|_| *b"\0\0\x08\x06\0\0\0\0\0pingpong").collect();
    let ask = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n";
    let answer = b"HTTP/1.1 204 No Content\r\n\r\n";
    let lines = vec![line(Side::Lower, &frames), line(Side::Lower, ask), line(Side::Upper, answer)];
    let played = Transcript { joined_late: true, lines }.play();
    assert_eq!(played.exchanges, ["- GET /a | 204"]);
    assert_eq!(played.counters.flows[Kind::Http1 as usize], 1);
    // Frames without end that say nothing, then nothing that is known.
    let noise = vec![0xfe; 60_000];
    let mut lines = vec![line(Side::Lower, &frames)];
    lines.extend((0..8).map(|_| line(Side::Lower, &noise)));
    let played = Transcript { joined_late: true, lines }.play();
    assert_eq!((played.exchanges.len(), played.counters.flows[Kind::Http2 as usize]), (0, 0));
}

#[test]
fn a_right_guess_survives_what_its_content_looks_like() {
    let text = "join\n>>> RAW 00 00 40 00 00 00 00 00 01 | PING | PING\n>>> DATA 1 GET\n>>> GET 3 /b\n<<< STATUS 3 200";
    let played = Transcript::read(text).play();
    assert_eq!(played.counters.flows[Kind::Http2 as usize], 1, "{:?}", played.exchanges);
}
