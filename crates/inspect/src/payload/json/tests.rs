use super::strings::plain_len;
use super::*;
use proptest::prelude::*;
use serde::de::IgnoredAny;
use serde_json::Value;

fn read(pieces: &[&[u8]]) -> Reading {
    let mut json = Json::default();
    pieces.iter().for_each(|piece| json.feed(piece));
    json.finish(true)
}

/// The same with data classes and keys of identifiers, as inspectors read.
fn equipped(pieces: &[&[u8]]) -> Reading {
    let mut json = Json::default();
    json.equip(&Equipment {
        classes: Default::default(),
        ids: crate::ids::IdKey::new([7; 16]),
        max_ids: crate::ids::MAX_IDS,
        odd: true,
    });
    pieces.iter().for_each(|piece| json.feed(piece));
    json.finish(true)
}

/// A document with rows that are mostly alike: each with a kind of row, a number that its values are made of, and a kind of
/// value that differs.
fn rows_of(rows: &[(u8, u16, u8)]) -> String {
    let row = |(kind, number, value): &(u8, u16, u8)| {
        let value = match value {
            0 => "null".to_owned(),
            1 => "true".to_owned(),
            2 => format!("-{number}.5"),
            3 => format!("\"a\\u00{:02x}b\"", number % 256),
            4 => format!("{{\"id\":{number},\"sku\":[{number}]}}"),
            5 => format!("\"jane{number}@example.com\""),
            _ => format!("\"item {number}\""),
        };
        let id = format!("\"id\":{number},\"created_at_time\":\"2024-05-{:02}\"", number % 31 + 1);
        match kind {
            0 => format!("{{\"v\":{value},{id}}}"),
            1 => format!("{{ {id}, \"password\": \"p{number}\" , \"v\":{value}}}"),
            2 => "{}".to_owned(),
            _ => format!("{{{id},\"owner_id\":\"{number}\",\"v\":{value},\"last\":false}}"),
        }
    };
    let rows: Vec<String> = rows.iter().map(row).collect();
    format!("{{\"id\":7,\"items\":[{}],\"a\":{{\"b\":[{}]}},\"end\":1}}", rows.join(","), rows.join(","))
}

fn state(text: &str) -> PayloadState {
    read(&[text.as_bytes()]).state
}

/// Whether the bytes are exactly one document.
fn is_document(bytes: &[u8]) -> bool {
    let mut json = Json::default();
    json.feed(bytes);
    json.feed(b"\n");
    let documents = json.documents;
    json.finish(true).state == PayloadState::Read && documents == 1
}

#[test]
fn rfc8259_section_13_examples() {
    let image = r#"{
        "Image": {
            "Width":  800, "Height": 600, "Title":  "View from 15th Floor",
            "Thumbnail": {"Url": "http://www.example.com/image/481989943", "Height": 125, "Width": 100},
            "Animated" : false, "IDs": [116, 943, 234, 38793]
        }
    }"#;
    let reading = read(&[image.as_bytes()]);
    assert_eq!((reading.state, reading.fields), (PayloadState::Read, 10));
    for text in ["\"Hello world!\"", "42", "true", " null ", "-0.5e+3", "[]", "{}"] {
        assert_eq!(state(text), PayloadState::Read, "{text}");
    }
}

#[test]
fn what_is_no_json_is_invalid() {
    for text in [
        "",
        "  ",
        "{",
        "[1,]",
        "{\"a\":}",
        "{a:1}",
        "01",
        "1.",
        "-",
        "tru",
        "nulll",
        "\"a",
        "[}",
        "]",
        "\"\t\"",
        "{\"a\" 1}",
    ] {
        assert_eq!(state(text), PayloadState::Invalid, "{text:?}");
    }
}

#[test]
fn sequences_of_documents_are_read() {
    assert_eq!(state("{\"a\":1}\n{\"a\":2}\n"), PayloadState::Read);
    assert_eq!(state("\u{1e}{\"a\":1}\n\u{1e}{\"a\":2}\n"), PayloadState::Read);
    assert_eq!(read(&[b"{\"a\":1}\n{\"a\":2}"]).shape, read(&[b"{\"a\":1}"]).shape);
}

#[test]
fn byte_order_mark_is_passed_over() {
    assert_eq!(state("\u{feff}{\"a\":1}"), PayloadState::Read);
    assert_eq!(state("{\"a\":1}\u{feff}"), PayloadState::Invalid);
    assert_eq!(state(" \u{feff}{\"a\":1}"), PayloadState::Invalid, "RFC 8259, 8.1: at the beginning");
}

#[test]
fn depth_is_capped_and_said() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(state(&nested(64)), PayloadState::Read);
    assert_eq!(state(&nested(65)), PayloadState::Partial);
    assert_eq!(state(&"[".repeat(1_000_000)), PayloadState::Partial);
}

#[test]
fn body_without_its_end_is_partial_not_invalid() {
    let mut json = Json::default();
    json.feed(b"{\"a\":{\"b\":1},\"c");
    let reading = json.finish(false);
    assert_eq!((reading.state, reading.fields), (PayloadState::Partial, 2));
    json.feed(b"[1]");
    assert_eq!(json.finish(true).state, PayloadState::Read, "the parser serves again");
}

#[test]
fn shape_is_of_key_paths_to_depth_three() {
    let shape = |text: &str| read(&[text.as_bytes()]).shape;
    assert_eq!(shape(r#"{"a":1,"b":{"c":[]}}"#), shape(r#"{"b":{"c":[7]},"a":"x"}"#));
    assert_eq!(shape(r#"[{"id":1},{"id":2}]"#), shape(r#"[{"id":3}]"#));
    assert_eq!(shape(r#"{"a":{"b":{"c":{"d":1}}}}"#), shape(r#"{"a":{"b":{"c":{"e":1}}}}"#));
    assert_ne!(shape(r#"{"a":{"b":{"c":1}}}"#), shape(r#"{"a":{"b":{"d":1}}}"#));
    assert_ne!(shape(r#"{"id":1}"#), shape(r#"[{"id":1}]"#));
    assert_ne!(shape("{}"), shape("[]"));
}

#[test]
fn keys_are_compared_decoded() {
    let shape = |text: &str| read(&[text.as_bytes()]).shape;
    assert_eq!(shape(r#"{"a\u0062\n":1}"#), shape(r#"{"ab\u000A":1}"#));
    assert_eq!(shape(r#"{"\ud83d\ude00":1}"#), shape("{\"\u{1f600}\":1}"));
    assert_eq!(shape(r#"{"\/":1}"#), shape(r#"{"/":1}"#));
    assert_ne!(shape(r#"{"\ud83dx\ude00":1}"#), shape("{\"\u{1f600}\":1}"));
}

#[test]
fn login_is_found_at_any_depth() {
    let text = br#"{"data":{"email":"a@b.example","Password":"s3cr\"et"},"x":"y"}"#;
    let login = read(&[text]).login.expect("a login");
    assert_eq!((login.password(), login.user()), (&b"s3cr\"et"[..], &b"a@b.example"[..]));
    assert_eq!(read(&[br#"{"password":null,"x":"y"}"#]).login, None);
    assert_eq!(read(&[br#"{"password":{"x":"y"}}"#]).login, None);
    assert_eq!(read(&[br#"{"password":["x"],"user":"u"}"#]).login, None);
}

/// Documents with distinct keys, some with escapes, none too deep.
fn document() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 6, |inner| {
        let key = prop_oneof!["[a-e]{1,2}", any::<String>(), "x{250,270}"];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(key, inner, 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// The key paths of a tree, by the definition.
fn walk(value: &Value, path: PathHash, names: u8, paths: &mut KeyPaths) {
    match value {
        Value::Object(members) => members.iter().for_each(|(key, member)| {
            let path = path.member(key.as_bytes(), key.len());
            paths.field(path, names + 1);
            walk(member, path, names + 1, paths);
        }),
        Value::Array(elements) => {
            elements.iter().for_each(|element| walk(element, path.elements(), names, paths))
        }
        _ => {}
    }
}

fn by_tree(value: &Value) -> (u32, u64) {
    let mut paths = KeyPaths::default();
    let kind = match value {
        Value::Object(_) => b'{',
        Value::Array(_) => b'[',
        _ => 0,
    };
    paths.mark(PathHash::ROOT.kind(kind));
    walk(value, PathHash::ROOT, 0, &mut paths);
    paths.take()
}

/// Escapes every character of strings: the longest way round.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    let mut inside = false;
    let mut after_backslash = false;
    for letter in text.chars() {
        let plain = !inside || after_backslash || matches!(letter, '"' | '\\');
        if letter == '"' && !after_backslash {
            inside = !inside;
        }
        after_backslash = inside && letter == '\\' && !after_backslash;
        if plain || letter.is_ascii_hexdigit() {
            out.push(letter);
        } else {
            letter.encode_utf16(&mut [0; 2]).iter().for_each(|unit| out.push_str(&format!("\\u{unit:04X}")));
        }
    }
    out
}

fn split<'a>(bytes: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut cuts: Vec<_> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
    cuts.extend([0, bytes.len()]);
    cuts.sort_unstable();
    cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect()
}

proptest! {
    #[test]
    fn key_paths_equal_those_of_the_tree(value in document(), pretty in any::<bool>()) {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
        let text = text.expect("a document");
        for text in [escaped(&text), text] {
            let reading = read(&[text.as_bytes()]);
            prop_assert_eq!(reading.state, PayloadState::Read);
            prop_assert_eq!((reading.fields, reading.shape), by_tree(&value), "{}", text);
        }
    }

    #[test]
    fn members_that_come_again_are_told_like_new_ones(
        rows in prop::collection::vec(prop::collection::vec((0..6_usize, 0..7_usize), 0..6), 0..6),
        space in any::<bool>(),
        cut in any::<bool>(),
    ) {
        const KEYS: [&str; 6] = ["id", "name", "ids", "na\\u006de", "", "password"];
        const VALUES: [&str; 7] = ["12", "-0.5", "\"a b\"", "\"\\u0041\"", "{\"id\":1}", "[1,{\"id\":\"x\"}]", "1e2"];
        let (comma, colon) = if space { (", ", ": ") } else { (",", ":") };
        let row = |row: &Vec<(usize, usize)>| {
            let members: Vec<_> =
                row.iter().map(|(key, value)| format!("\"{}\"{colon}{}", KEYS[*key], VALUES[*value])).collect();
            format!("{{{}}}", members.join(comma))
        };
        let rows: Vec<_> = rows.iter().map(row).collect();
        let mut text = format!("[{}]", rows.join(comma));
        text.truncate(if cut { text.len() - 1 } else { text.len() });
        let bytes = text.as_bytes();
        let each: Vec<_> = (0..bytes.len()).collect();
        prop_assert_eq!(read(&split(bytes, &each)), read(&[bytes]), "{}", text);
    }

    #[test]
    fn rows_read_like_single_bytes(rows in prop::collection::vec((0..6_u8, any::<u16>(), 0..7_u8), 0..40), flip in any::<(usize, u8)>()) {
        let text = rows_of(&rows);
        let each: Vec<usize> = (0..text.len()).collect();
        prop_assert_eq!(equipped(&split(text.as_bytes(), &each)), equipped(&[text.as_bytes()]), "{}", text);
        let mut bytes = text.into_bytes();
        let at = flip.0 % bytes.len();
        bytes[at] = flip.1;
        prop_assert_eq!(equipped(&split(&bytes, &each)), equipped(&[&bytes]));
    }

    #[test]
    fn any_split_reads_alike(value in document(), cuts in prop::collection::vec(any::<usize>(), 0..8), flip in any::<(usize, u8)>()) {
        let text = escaped(&serde_json::to_string(&value).expect("a document"));
        let mut bytes = text.into_bytes();
        let each: Vec<_> = (0..bytes.len()).collect();
        prop_assert_eq!(read(&split(&bytes, &each)), read(&[&bytes]));
        let at = flip.0 % bytes.len();
        bytes[at] = flip.1;
        prop_assert_eq!(read(&split(&bytes, &cuts)), read(&[&bytes]));
    }

    #[test]
    fn validity_equals_serde_json_on_tokens(tokens in prop::collection::vec(prop::sample::select(vec![
        "{", "}", "[", "]", ",", ":", "\"a\"", "\"\\u00e9\"", "\"\\x\"", "\"\\u12g4\"", "1", "-0", "01", "1.5", "1.", "1e5", "1e", "-",
        "true", "fals", "null", " ", "\n", "\"", "\\", "\u{1}",
    ]), 0..12)) {
        let text = tokens.concat();
        let valid = serde_json::from_str::<IgnoredAny>(&text).is_ok();
        prop_assert_eq!(is_document(text.as_bytes()), valid, "{:?}", text);
    }

    #[test]
    fn validity_equals_serde_json_on_damaged_documents(value in document(), damage in prop::collection::vec(any::<(usize, u8)>(), 0..3)) {
        let mut bytes = serde_json::to_vec(&value).expect("a document");
        for (at, byte) in damage {
            let at = at % bytes.len();
            bytes[at] = byte % 128;
        }
        let valid = serde_json::from_slice::<IgnoredAny>(&bytes).is_ok();
        prop_assert_eq!(is_document(&bytes), valid, "{:?}", String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn numbers_that_are_here_whole_are_those_that_a_parser_reads(text in "-?(0|[1-9][0-9]{0,17})([.][0-9]{1,16})?") {
        let list = read(&[format!("[{text}]").as_bytes()]).list.expect("fields");
        let bounds = list.fields()[1].numbers;
        let expected: f64 = text.parse().expect("a number");
        prop_assert_eq!((bounds.least, bounds.most), (expected, expected), "{}", text);
    }

    #[test]
    fn end_of_plain_text_is_found_exactly(bytes in prop::collection::vec(prop::sample::select(vec![b'a', 0x1f, 0x20, 0x21, b'"', b'#', b'\\', 0x7f, 0x80, 0xa2, 0xdc, 0xff]), 0..40)) {
        let expected = bytes.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20)).unwrap_or(bytes.len());
        prop_assert_eq!(plain_len(&bytes), expected);
    }
}

#[test]
fn sample_of_key_paths_is_the_same_however_large_the_body_is() {
    let small = read(&[b"{\"a\":1,\"b\":[{\"c\":2}]}"]).keys;
    assert_eq!((small.hashes().len(), small.is_full()), (3, false));
    let member = |n: u32| format!("\"k{n}\":1");
    let body = |to: u32| format!("{{{}}}", (0..to).map(member).collect::<Vec<_>>().join(","));
    let (some, all) = (read(&[body(40).as_bytes()]).keys, read(&[body(60).as_bytes()]).keys);
    assert!(some.is_full() && all.is_full() && all.hashes().is_sorted());
    let largest = all.hashes().last().copied().unwrap();
    let shared = some.hashes().iter().filter(|hash| **hash <= largest);
    assert!(shared.clone().count() >= 4 && shared.copied().all(|hash| all.hashes().contains(&hash)));
    assert!(read(&[b"{}"]).keys.hashes().is_empty());
}
