//! The examples of RFC 7541, appendix C, and what must hold of readers that miss something.

#![allow(clippy::cast_possible_truncation, reason = "indices of the test's own making are below 128")]

use super::*;
use proptest::prelude::*;

type Known = (Option<String>, Option<String>);

fn text(bytes: Option<&[u8]>) -> Option<String> {
    bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned())
}

fn read(decoder: &mut Decoder, block: &[u8]) -> (Vec<Known>, Outcome) {
    let mut fields = Vec::new();
    let outcome = decoder.decode(block, |name, value| fields.push((text(name), text(value))));
    (fields, outcome)
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<char> = text.chars().filter(|c| !c.is_whitespace()).collect();
    digits.chunks(2).map(|two| u8::from_str_radix(&two.iter().collect::<String>(), 16).unwrap()).collect()
}

/// Reads blocks in order, all of which must be whole, and holds them to `name: value` lines.
fn check(decoder: &mut Decoder, blocks: &[(&str, &[&str])]) {
    for (block, expected) in blocks {
        let (fields, outcome) = read(decoder, &hex(block));
        let lines: Vec<String> = fields
            .iter()
            .map(|(name, value)| format!("{}: {}", name.as_ref().unwrap(), value.as_ref().unwrap()))
            .collect();
        assert_eq!(
            (lines, outcome),
            (expected.iter().map(|line| (*line).to_owned()).collect(), Outcome::Complete)
        );
    }
}

/// Size of the table, and its entries from the newest on.
fn entries(decoder: &Decoder) -> Vec<String> {
    let pairs = (0..).map_while(|nth| decoder.table.get(nth));
    pairs.map(|pair| format!("{}: {}", text(pair.name).unwrap(), text(pair.value).unwrap())).collect()
}

#[test]
fn rfc7541_c_1_integers() {
    let read = |bytes: &[u8], prefix| Input { rest: bytes }.integer(prefix);
    assert_eq!(read(&[0b1110_1010], 5), Ok(10));
    assert_eq!(read(&[0b1111_1111, 0b1001_1010, 0b0000_1010], 5), Ok(1337));
    assert_eq!(read(&[0b0010_1010], 8), Ok(42));
    assert_eq!(read(&[0xff, 0x80], 7), Err(Outcome::Cut));
    assert_eq!(read(&[0xff, 0x80, 0x80, 0x80, 0x80, 0x80, 0], 7), Err(Outcome::Invalid(Fault::Integer)));
}

#[test]
fn rfc7541_c_2_representations() {
    check(
        &mut Decoder::new(),
        &[
            (
                "400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572",
                &["custom-key: custom-header"],
            ),
            ("040c 2f73 616d 706c 652f 7061 7468", &[":path: /sample/path"]),
            ("1008 7061 7373 776f 7264 0673 6563 7265 74", &["password: secret"]),
            ("82", &[":method: GET"]),
        ],
    );
}

const REQUESTS: [&[&str]; 3] = [
    &[":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com"],
    &[":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com", "cache-control: no-cache"],
    &[
        ":method: GET",
        ":scheme: https",
        ":path: /index.html",
        ":authority: www.example.com",
        "custom-key: custom-value",
    ],
];

#[test]
fn rfc7541_c_3_requests_without_huffman() {
    let mut decoder = Decoder::new();
    check(
        &mut decoder,
        &[
            ("8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d", REQUESTS[0]),
            ("8286 84be 5808 6e6f 2d63 6163 6865", REQUESTS[1]),
            ("8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65", REQUESTS[2]),
        ],
    );
    assert_eq!(
        entries(&decoder),
        ["custom-key: custom-value", "cache-control: no-cache", ":authority: www.example.com"]
    );
}

#[test]
fn rfc7541_c_4_requests_with_huffman() {
    check(
        &mut Decoder::new(),
        &[
            ("8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff", REQUESTS[0]),
            ("8286 84be 5886 a8eb 1064 9cbf", REQUESTS[1]),
            ("8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf", REQUESTS[2]),
        ],
    );
}

const RESPONSES: [&[&str]; 3] = [
    &[
        ":status: 302",
        "cache-control: private",
        "date: Mon, 21 Oct 2013 20:13:21 GMT",
        "location: https://www.example.com",
    ],
    &[
        ":status: 307",
        "cache-control: private",
        "date: Mon, 21 Oct 2013 20:13:21 GMT",
        "location: https://www.example.com",
    ],
    &[
        ":status: 200",
        "cache-control: private",
        "date: Mon, 21 Oct 2013 20:13:22 GMT",
        "location: https://www.example.com",
        "content-encoding: gzip",
        "set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
    ],
];

/// In a table of 256 bytes, so that entries are evicted.
fn small() -> Decoder {
    let mut decoder = Decoder::new();
    decoder.table.limit(256);
    decoder
}

const LEFT: [&str; 3] = [
    "set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
    "content-encoding: gzip",
    "date: Mon, 21 Oct 2013 20:13:22 GMT",
];

#[test]
fn rfc7541_c_5_responses_without_huffman() {
    let mut decoder = small();
    check(
        &mut decoder,
        &[
            (
                "4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 \
                 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
                RESPONSES[0],
            ),
            ("4803 3330 37c1 c0bf", RESPONSES[1]),
            (
                "88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 \
                 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 \
                 6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31",
                RESPONSES[2],
            ),
        ],
    );
    assert_eq!(entries(&decoder), LEFT);
}

#[test]
fn rfc7541_c_6_responses_with_huffman() {
    let mut decoder = small();
    check(
        &mut decoder,
        &[
            (
                "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad \
                 1718 63c7 8f0b 97c8 e9ae 82ae 43d3",
                RESPONSES[0],
            ),
            ("4883 640e ffc1 c0bf", RESPONSES[1]),
            (
                "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 \
                 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07",
                RESPONSES[2],
            ),
        ],
    );
    assert_eq!(entries(&decoder), LEFT);
}

#[test]
fn who_joins_late_knows_what_came_since() {
    let mut decoder = Decoder::joined();
    let (fields, outcome) = read(&mut decoder, &hex("8286 84be 5808 6e6f 2d63 6163 6865 be bf"));
    let known = |name: &str, value: &str| (Some(name.to_owned()), Some(value.to_owned()));
    let expected = [
        known(":method", "GET"),
        known(":scheme", "http"),
        known(":path", "/"),
        (None, None),
        known("cache-control", "no-cache"),
        known("cache-control", "no-cache"),
        (None, None),
    ];
    assert_eq!((fields.as_slice(), outcome), (&expected[..], Outcome::Complete));
}

#[test]
fn a_name_that_is_unknown_stays_unknown_in_the_table() {
    let mut decoder = Decoder::joined();
    let unknown = (None, Some("v".to_owned()));
    assert_eq!(read(&mut decoder, &hex("7e 01 76 be")).0, [unknown.clone(), unknown]);
}

#[test]
fn a_table_that_was_emptied_has_nothing_unknown() {
    let mut decoder = Decoder::joined();
    assert_eq!(read(&mut decoder, &hex("20 be")).1, Outcome::Invalid(Fault::Index));
    assert!(!decoder.knows_all(), "a broken block leaves nothing known");
}

#[test]
fn rules_of_the_rfc_that_are_broken_are_named() {
    let cases = [
        ("80", Outcome::Invalid(Fault::Index)),
        ("be", Outcome::Invalid(Fault::Index)),
        ("82 3f e1 01", Outcome::Invalid(Fault::SizeUpdate)),
        ("3f e2 1f", Outcome::Invalid(Fault::SizeUpdate)),
        ("ff ff ff ff ff ff 0f", Outcome::Invalid(Fault::Integer)),
        ("00 81 00 81 00", Outcome::Invalid(Fault::Huffman)),
        ("00 05 61", Outcome::Cut),
        ("82 ff", Outcome::Cut),
    ];
    for (block, expected) in cases {
        assert_eq!(read(&mut Decoder::new(), &hex(block)).1, expected, "{block}");
    }
}

#[test]
fn a_few_bytes_that_stand_for_many_are_a_bomb() {
    let mut decoder = Decoder::new();
    let mut block = vec![0x40, 0x01, b'a', 0x7f, 0xa1, 0x1e];
    block.extend([b'x'; 4_000]);
    block.extend([0xbe; 300]);
    assert_eq!(read(&mut decoder, &block).1, Outcome::Bomb);
    assert!(!decoder.knows_all());
}

#[test]
fn a_table_larger_than_is_kept_forgets_its_oldest() {
    let mut decoder = Decoder::new();
    decoder.allow(1 << 20);
    assert_eq!(read(&mut decoder, &hex("3f e1 ff 3f")).1, Outcome::Complete);
    for number in 0..3_000_u16 {
        let mut block = vec![0x40, 0x02];
        block.extend(number.to_be_bytes().map(|byte| byte & 0x7f));
        block.extend([0x01, b'v']);
        assert_eq!(read(&mut decoder, &block).1, Outcome::Complete);
    }
    assert!(decoder.held() < 300 << 10, "{}", decoder.held());
    assert!(!decoder.knows_all());
    assert_eq!(read(&mut decoder, &[0xff, 0xff, 0x14]).0, [(None, None)], "the peer still has it");
}

/// An encoder that knows its table only by the RFC: representations of any kind, of names and values from a few.
#[derive(Debug, Clone)]
enum Said {
    Indexed(usize),
    Literal { name: Option<usize>, text: u8, value: u8, inserts: bool },
    Resize(u8),
}

fn said() -> impl Strategy<Value = Said> {
    prop_oneof![
        4 => (1_usize..80).prop_map(Said::Indexed),
        4 => (prop::option::of(1_usize..70), 0_u8..6, 0_u8..6, any::<bool>())
            .prop_map(|(name, text, value, inserts)| Said::Literal { name, text, value, inserts }),
        1 => (0_u8..4).prop_map(Said::Resize),
    ]
}

/// A block of what is said, leaving out what the table does not have.
fn block(said: &[Said], peer: &mut Decoder) -> Vec<u8> {
    let mut block = Vec::new();
    let has = |peer: &Decoder, index: usize| peer.pair(index).is_ok();
    for one in said {
        let mut piece = Vec::new();
        match one {
            Said::Resize(eighth) if block.is_empty() => {
                piece.extend([0x3f, (eighth * 40).wrapping_sub(31) | 0x80, 1])
            }
            Said::Indexed(index) if has(peer, *index) => piece.push(0x80 | *index as u8),
            Said::Literal { name, text, value, inserts } => {
                let first = if *inserts { 0x40 } else { 0x10 };
                match name.filter(|index| has(peer, *index)) {
                    Some(index) if *inserts && index < 63 => piece.push(first | index as u8),
                    Some(index) if !*inserts && index < 15 => piece.push(first | index as u8),
                    _ => piece.extend([first, 2, b'n', b'a' + text]),
                }
                piece.extend([3, b'v', b'a' + value, b'x']);
            }
            _ => {}
        }
        // Keeps the peer's table in step.
        if read(peer, &piece).1 == Outcome::Complete {
            block.extend(piece);
        }
    }
    block
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn nothing_known_is_ever_wrong(
        blocks in proptest::collection::vec((proptest::collection::vec(said(), 0..12), prop::bool::weighted(0.15)), 1..40),
        joined: bool,
    ) {
        let (mut peer, mut whole) = (Decoder::new(), Decoder::new());
        let mut lossy = if joined { Decoder::joined() } else { Decoder::new() };
        for (said, lost) in blocks {
            let block = block(&said, &mut peer);
            let (truth, outcome) = read(&mut whole, &block);
            prop_assert_eq!(outcome, Outcome::Complete);
            if lost {
                lossy.forget();
                continue;
            }
            let (fields, outcome) = read(&mut lossy, &block);
            prop_assert_eq!(outcome, Outcome::Complete);
            prop_assert_eq!(fields.len(), truth.len());
            for (seen, meant) in fields.iter().zip(&truth) {
                prop_assert!(seen.0.is_none() || seen.0 == meant.0, "{seen:?} {meant:?}");
                prop_assert!(seen.1.is_none() || seen.1 == meant.1, "{seen:?} {meant:?}");
            }
        }
    }

    #[test]
    fn any_block_is_read_or_refused(blocks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..60), 0..8)) {
        let mut decoder = Decoder::new();
        for block in blocks {
            read(&mut decoder, &block);
            prop_assert!(decoder.held() < 200 << 10);
        }
    }
}
