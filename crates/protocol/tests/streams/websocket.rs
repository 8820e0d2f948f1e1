//! WebSockets and the exchanges they are, one line each.

use crate::driver::{Line, Transcript};
use tapwire_wire::Side;

/// The example of RFC 6455, 1.3, up to the empty line.
const ASK: &str = r">>> GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
const ANSWER: &str = r"<<< HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";
const DEFLATE: &str = r"Sec-WebSocket-Extensions: permessage-deflate\r\n";

fn transcript(extensions: &str, text: &str) -> Transcript {
    Transcript::read(&format!("{ASK}\n{ANSWER}{extensions}\\r\\n{text}"))
}

fn lines(transcript: &Transcript) -> Vec<String> {
    let played = transcript.play();
    assert_eq!(
        played.exchanges.first().map(String::as_str),
        Some("GET /ws | 101 ongoing"),
        "the parent first"
    );
    played.exchanges.into_iter().skip(1).collect()
}

macro_rules! sockets {
    ($($name:ident: $extensions:expr, $text:literal => [$($line:literal),* $(,)?];)+) => {
        /// Every transcript by name.
        const ALL: &[(&str, &str, &str)] = &[$((stringify!($name), $extensions, $text)),+];

        $(
            #[test]
            fn $name() {
                let expected: &[&str] = &[$($line),*];
                assert_eq!(lines(&transcript($extensions, $text)), expected);
            }
        )+
    };
}

sockets! {
    messages_and_the_close: "", r"
        >>> \x81\x85\0\0\0\0Hello
        <<< \x81\x02hi\x82\x03\x01\x02\x03
        >>> \x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58
        >>> \x88\x82\0\0\0\0\x03\xe8
        <<< \x88\x02\x03\xe8
        >>.
        <<.
    " => [
        r#"> 1 "Hello""#,
        r#"< 2 "hi""#,
        r#"< 4 "\u{1}\u{2}\u{3}""#,
        r#"> 3 "Hello""#,
        "> end 5 (client 2/10 server 2/5) close 1000 by ToServer",
    ];

    frames_in_the_segment_of_the_handshake: "", r"\x81\x05ready
        >>> \x81\x81\0\0\0\0a
    " => [r#"< 2 "ready""#, r#"> 1 "a""#, "< end 3 (client 1/1 server 1/5) truncated"];

    rfc6455_5_4_fragments_with_control_frames_between: "", r"
        >>> \x01\x83\0\0\0\0Hel\x89\x81\0\0\0\0p
        <<< \x8a\x01p
        >>> \0\x81\0\0\0\0l
        >>> \x80\x81\0\0\0\0o
        >>.
        <<.
    " => [r#"> 1 "Hello""#, "> end 3 (client 1/5 server 0/0) truncated"];

    rfc7692_compressed_messages_refer_to_earlier_ones: DEFLATE, r"
        <<< \xc1\x07\xf2\x48\xcd\xc9\xc9\x07\0
        <<< \xc1\x05\xf2\0\x11\0\0
        <<< \x41\x03\xf2\x48\xcd\x80\x04\xc9\xc9\x07\0
        >>> \xc1\x87\0\0\0\0\xf2\x48\xcd\xc9\xc9\x07\0
        >>.
        <<.
    " => [
        r#"< 2 "Hello""#,
        r#"< 4 "Hello""#,
        r#"< 6 "Hello""#,
        r#"> 1 "Hello""#,
        "> end 7 (client 1/7 server 3/19) truncated",
    ];

    what_refers_to_a_lost_message_is_not_made_up: DEFLATE, r"
        <<? \xc1\x07\xf2\x48\xcd\xc9\xc9\x07\0
        <<< \xc1\x05\xf2\0\x11\0\0\xc1\x01\0\x81\x02hi\xc1\x05\xf2\0\x11\0\0\x01\x02ab\x80\x02cd
        >>.
        <<.
    " => [
        r#"< 2 "H" truncated"#,
        r#"< 4 "abcd""#,
        "> end 5 (client 0/0 server 2/9) missed 25 truncated",
    ];

    a_hole_within_a_message: "", r"
        <<< \x81\x0aabc
        <<? def
        <<< ghij
        <<< \x81\x02ok
        >>.
        <<.
    " => [
        r#"< 2 "abc" and 7 truncated"#,
        r#"< 4 "ok""#,
        "> end 5 (client 0/0 server 2/9) missed 3 truncated",
    ];

    behind_a_hole_text_that_fills_its_segment_is_read: "", r"
        >>? \x81\x85\0\0\0\0Hello
        >>> \x81\x8a\0\0\0\0one second
        <<< \x81\x02hi
        >>.
        <<.
    " => [r#"> 1 "one second""#, r#"< 2 "hi""#, "> end 3 (client 1/10 server 1/2) missed 11 truncated"];

    behind_a_hole_short_messages_prove_nothing_until_four_chain: "", r"
        <<? \x81\x02no
        <<< \x81\x02hu
        <<< \x81\x02hi
        <<< \x81\x02ho
        <<< \x81\x02ha
        <<< \x81\x02he
        >>.
        <<.
    " => [r#"< 2 "ha""#, r#"< 4 "he""#, "> end 5 (client 0/0 server 2/4) missed 18 truncated"];

    behind_a_hole_what_repeats_itself_proves_nothing: "", r"
        <<? \x81\x02no
        <<< {20*\x82\x01}
        <<< \x81\x06whole!
        <<< \x81\x09messages.
        >>.
        <<.
    " => [r#"< 2 "messages.""#, "> end 3 (client 0/0 server 1/9) missed 52 truncated"];

    a_wrong_guess_is_revised: "", r"
        <<? \x82\x7e\x01\0{200*x}
        <<< \x82\x10{54*y}
        <<< \x81\x08complete
        >>.
        <<.
    " => [r#"< 2 "complete""#, "> end 3 (client 0/0 server 1/8) missed 260 truncated"];

    the_rest_of_a_message_whose_beginning_is_lost_is_none: "", r"
        <<? \x01\x04some
        <<< \0\x04more\x89\0\0\x04more
        <<< \x80\x03end\x81\x05whole
        >>.
        <<.
    " => ["> end 1 (client 0/0 server 0/0) missed 32 truncated"];

    a_reset_in_the_middle_of_a_message: "", r"
        <<< \x81\x0ahalf
        --- rst
    " => [r#"< 2 "half" truncated"#, "< end 3 (client 0/0 server 1/4) truncated"];

    what_a_client_may_not_send: "", r"
        >>> \x81\x02no
        >>> \xf1\x80\0\0\0\0
        >>> \x83\x80\0\0\0\0
        >>> \x80\x81\0\0\0\0x
        >>> \x01\x81\0\0\0\0a\x81\x81\0\0\0\0b
        >>> \x81\xfe\0\x01\0\0\0\0c
        >>> \x09\x80\0\0\0\0
        >>> \x82\x81\0\0\0\0d
        >>> \x8a\xfe\0\x7e\0\0\0\0{126*p}
        >>> \x81\x82\0\0\0\0\xc3\x28
        >>> \x88\x82\0\0\0\0\x03\xed
        >>> \x82\x80\0\0\0\0
        <<< \x81\x80\0\0\0\0
        <<< \x88\x01x
    " => [
        r#"> 1 "no" !websocket-unmasked-frame"#,
        r#"> 3 "" truncated !websocket-reserved-bits"#,
        r#"> 5 "" !websocket-unknown-opcode"#,
        r#"> 7 "x" !websocket-invalid-fragment"#,
        r#"> 9 "a" truncated"#,
        r#"> 11 "b" !websocket-invalid-fragment"#,
        r#"> 13 "c" !websocket-invalid-length"#,
        r#"> 15 "d" !websocket-fragmented-control"#,
        r#"> 17 "�(" !websocket-oversized-control !websocket-invalid-utf8"#,
        r#"> 19 "" !websocket-invalid-close-code !websocket-data-after-close"#,
        r#"< 2 "" !websocket-masked-frame"#,
        "> end 21 (client 10/9 server 1/0) close 1005 by ToServer !websocket-invalid-close-code",
    ];
}

#[test]
fn the_smallest_segments_and_a_rest_after_each_give_the_same_children() {
    for (name, extensions, text) in ALL {
        let whole = transcript(extensions, text);
        let single = whole.resegmented(|| 1);
        let rested = Transcript { rests: true, ..whole.clone() };
        // Where a frame begins is known by segments behind a hole.
        if !text.contains('?') {
            assert_eq!(lines(&whole), lines(&single), "{name}");
            assert_eq!(whole.play().uids, single.play().uids, "{name}");
        }
        assert_eq!(lines(&whole), lines(&rested), "{name}");
    }
}

#[test]
fn what_stands_behind_both_closes_is_nobodys_in_one_segment_or_two() {
    for between in ["", "\n<<< "] {
        let text = format!("\n>>> \\x88\\x80\\0\\0\\0\\0\n<<< \\x88\\x00{between}\\x81\\x01x");
        let played = transcript("", &text).play();
        assert_eq!(played.exchanges[1..], ["> end 1 (client 0/0 server 0/0) close 0 by ToServer"], "{text}");
        assert_eq!(played.counters.tunnel_bytes, 3, "{text}");
    }
}

#[test]
fn a_handshake_that_does_not_fit_is_named_and_read() {
    let text = format!("{ASK}\n{}\\r\\n\n<<< \\x81\\x02hi", ANSWER.replace("s3pP", "AAAA"));
    let played = Transcript::read(&text).play().exchanges;
    assert_eq!(played[..2], ["GET /ws | 101 ongoing !websocket-accept-mismatch", r#"< 2 "hi""#]);
}

#[test]
fn a_message_longer_than_is_kept_is_cut_and_a_chatty_socket_is_counted() {
    let text = r"
        <<< \x81\x14{20*x}
        <<< {300*\x81\x01y}
    ";
    let config = tapwire_protocol::Config { body_bytes: 8, body_parts: false, ..Default::default() };
    let played = transcript("", text).play_with(config);
    assert_eq!(played.exchanges[1], r#"< 2 "xxxxxxxx" and 12"#);
    assert_eq!(played.exchanges.len(), 1 + 100 + 1, "so many in a second");
    assert_eq!(
        played.exchanges.last().map(String::as_str),
        Some("< end 603 (client 0/0 server 301/320) left out 201 truncated")
    );
    assert_eq!((played.counters.children, played.counters.children_left_out), (101, 201));
}

#[test]
fn children_have_identities_of_their_own_that_loss_elsewhere_does_not_change() {
    let text = r"
        >>> \x81\x81\0\0\0\0a
        <<< \x81\x01b
        >>> \x81\x81\0\0\0\0c
    ";
    let uids = transcript("", text).play().uids;
    let mut distinct = uids.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), 5, "parent, three messages, end");
    let other = transcript("", &text.replace("<<< ", "<<? ")).play().uids;
    assert!(other.contains(&uids[1]) && other.contains(&uids[3]), "what the client said is the same");
}

#[test]
fn of_a_bomb_it_is_said_that_it_was_left() {
    let mut deflate = flate2::Compress::new(flate2::Compression::best(), false);
    let mut bomb = Vec::with_capacity(1 << 20);
    deflate.compress_vec(&vec![b'x'; 20 << 20], &mut bomb, flate2::FlushCompress::Sync).expect("room");
    bomb.truncate(bomb.len() - 4);
    let mut transcript = transcript(DEFLATE, "");
    let frame = [&[0xc1, 127][..], &(bomb.len() as u64).to_be_bytes(), &bomb].concat();
    let close = transcript.lines.len() - 1;
    transcript.lines.insert(close, Line::Segment(Side::Upper, frame));
    let told = lines(&transcript).remove(0);
    let (_, behind) = told.split_once("x\" and ").expect("what was undone");
    assert!(behind.contains(" capped !content-coding-bomb"), "{behind}");
}

#[test]
fn a_socket_joined_in_its_middle_is_known_by_a_segment_of_masked_text() {
    let played = Transcript::read(
        r"
        join
        <<< \x81\x0enobody can tell
        >>> \x82\x83\0\0\0\0\x01\x02\x03
        >>> \x81\x8b\0\0\0\0known as it
        <<< \x81\x09read on?!
        >>> \x81\x83\0\0\0\0yes
        >>.
        <<.
        ",
    )
    .play();
    let expected = [
        r#"> 1 "known as it""#,
        r#"< 2 "read on?!""#,
        r#"> 3 "yes""#,
        "> end 5 (client 2/14 server 1/9) truncated",
    ];
    assert_eq!(played.exchanges, expected);
}
