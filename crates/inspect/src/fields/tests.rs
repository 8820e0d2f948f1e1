use super::*;
use crate::payload::{PAYLOADS, Reading};

/// What was found of a body of that media type, which comes whole and byte by byte.
pub(crate) fn list(content_type: &str, body: &[u8]) -> Box<FieldList> {
    let format = crate::payload::by_media_type(content_type.as_bytes()).expect("a format");
    let mut parser = (format.parser)();
    let mut read = |step: usize| -> Reading {
        parser.begin(content_type.as_bytes());
        body.chunks(step).for_each(|piece| parser.feed(piece));
        parser.finish(true)
    };
    let whole = read(usize::MAX);
    assert_eq!(read(1), whole, "byte by byte");
    assert_eq!(read(7), whole, "in pieces of 7");
    whole.list.expect("fields")
}

/// A line for each field: path, kinds, values, and what else there is.
pub(crate) fn lines(list: &FieldList) -> Vec<String> {
    list.fields().iter().map(|field| line(list, field)).collect()
}

fn line(list: &FieldList, field: &Field) -> String {
    let kinds: Vec<_> = field.kinds.iter().map(|kind| format!("{kind:?}").to_lowercase()).collect();
    let mut line = format!("{} {}×{}", list.path(field), kinds.join("|"), field.count);
    if let Some(format) = field.formats.best().filter(|_| !field.lengths.is_empty()) {
        line.push_str(&format!(" {}", format.name()));
    }
    if !field.numbers.is_empty() {
        line.push_str(&format!(" {}..{}", field.numbers.least, field.numbers.most));
    }
    if !field.lengths.is_empty() {
        line.push_str(&format!(" len {}..{}", field.lengths.least, field.lengths.most));
    }
    if !field.items.is_empty() {
        line.push_str(&format!(" items {}..{}", field.items.least, field.items.most));
    }
    let samples: Vec<_> =
        list.samples(field).map(|text| String::from_utf8_lossy(text).into_owned()).collect();
    if !samples.is_empty() {
        line.push_str(&format!(" {}{samples:?}", if field.many { "some of " } else { "" }));
    }
    line
}

#[track_caller]
fn check(content_type: &str, body: &str, expected: &[&str]) {
    assert_eq!(lines(&list(content_type, body.as_bytes())), expected);
}

#[test]
fn fields_of_a_document_have_their_paths_kinds_and_bounds() {
    let body = r#"{"id":7,"total":-1.5e1,"paid":true,"note":null,"card":{"holder":"Ann"},
        "items":[{"sku":"A-1","n":2},{"sku":"B-2"},{"n":null}],"tags":["new","old","new"],"none":[]}"#;
    check(
        "application/json",
        body,
        &[
            "$ object×1",
            "$.id integer×1 7..7",
            "$.total number×1 -15..-15",
            "$.paid boolean×1",
            "$.note null×1",
            "$.card object×1",
            "$.card.holder text×1 len 3..3 [\"Ann\"]",
            "$.items array×1 items 3..3",
            "$.items[] object×3",
            "$.items[].sku text×2 len 3..3 [\"B-2\", \"A-1\"]",
            "$.items[].n null|integer×2 2..2",
            "$.tags array×1 items 3..3",
            "$.tags[] text×3 len 3..3 [\"old\", \"new\"]",
            "$.none array×1 items 0..0",
            "$.none[] ×0",
        ],
    );
}

#[test]
fn documents_of_a_sequence_are_one() {
    check("application/x-ndjson", "{\"a\":1}\n{\"a\":9}\n", &["$ object×2", "$.a integer×2 1..9"]);
    check(
        "application/json",
        "[[1],[],[2,3]]",
        &["$ array×1 items 3..3", "$[] array×3 items 0..2", "$[][] integer×3 1..3"],
    );
    check("application/json", "42", &["$ integer×1 42..42"]);
}

#[test]
fn texts_are_told_decoded_and_whole_in_length() {
    let long = "x".repeat(300);
    let body = format!(r#"{{"a b":"\u00e9\n","it's":"{long}"}}"#);
    check(
        "application/json",
        &body,
        &["$ object×1", "$['a b'] text×1 len 2..2", "$['it\\'s'] text×1 len 300..300"],
    );
}

#[test]
fn formats_are_those_that_all_texts_have() {
    let two = |a: &str, b: &str| {
        let list = list("application/json", format!("[\"{a}\",\"{b}\"]").as_bytes());
        list.fields()[1].formats.best().map(Format::name)
    };
    for (a, b, expected) in [
        ("2024-05-31", "1999-01-01", Some("date")),
        ("2024-05-31T10:00:00Z", "2024-05-31T10:00:00.123+02:00", Some("date-time")),
        ("2024-05-31", "2024-05-31T10:00:00Z", None),
        ("2024-05-31T10:00:00", "2024-05-31T10:00:00", None),
        ("018f2a3e-7d4b-7c1a-9b2f-1a2b3c4d5e6f", "11111111-2222-3333-4444-555555555555", Some("uuid")),
        ("a@b.example", "first.last+tag@sub.example.org", Some("email")),
        ("https://a.example/b?c=d", "urn-x://y", Some("uri")),
        ("10.0.0.1", "255.255.255.255", Some("ipv4")),
        ("10.0.0.1", "256.1.1.1", None),
        ("::1", "2001:db8::8a2e:370:7334", Some("ipv6")),
        ("api.shop.example", "example.com", Some("hostname")),
        ("main.rs", "lib.rs", None),
        ("SGVsbG8sIHdvcmxkIQ==", "SGVsbG8sIHdvcmxkISEh", Some("byte")),
        ("abcdefghijklmnop", "qrstuvwxyzabcdef", None),
        ("42", "-7", Some("integer")),
        ("42", "1.5", Some("number")),
        ("007", "008", None),
        ("true", "false", Some("boolean")),
        ("", "2024-05-31", None),
    ] {
        assert_eq!(two(a, b), expected, "{a} and {b}");
    }
}

#[test]
fn an_object_that_was_cut_says_nothing_of_what_did_not_come() {
    let mut parser = (PAYLOADS[0].parser)();
    parser.feed(b"{\"items\":[{\"a\":1,\"b\":2},{\"a\":3,");
    let list = parser.finish(false).list.expect("fields");
    let objects: Vec<_> = list.fields().iter().map(|field| (field.count, field.objects)).collect();
    assert_eq!(objects, [(1, 0), (1, 0), (2, 1), (2, 0), (1, 0)]);
}

#[test]
fn what_is_not_what_it_says_has_no_fields() {
    let mut parser = (PAYLOADS[0].parser)();
    parser.feed(b"{\"a\":1,}");
    assert!(parser.finish(true).list.is_none());
    parser.feed(b"{\"b\":1}");
    assert_eq!(lines(&parser.finish(true).list.expect("fields")), ["$ object×1", "$.b integer×1 1..1"]);
}

#[test]
fn few_different_texts_are_kept_and_no_more() {
    let body = |count: usize| {
        let texts: Vec<_> = (0..count).map(|n| format!("\"t{}\"", n)).collect();
        format!("[{}]", texts.join(","))
    };
    let samples = |body: &str| {
        let list = list("application/json", body.as_bytes());
        let field = &list.fields()[1];
        (list.samples(field).count(), field.many)
    };
    assert_eq!(samples(&body(12)), (12, false));
    assert_eq!(samples(&body(13)), (12, true));
    assert_eq!(samples(&format!("[\"{}\"]", "a".repeat(33))), (0, true));
    assert_eq!(samples("[\"caf\u{e9}\"]"), (0, true), "only words");
}

#[test]
fn fields_of_a_body_are_bounded_and_counted() {
    let members: Vec<_> = (0..2000).map(|n| format!("\"key{n}\":{{\"v\":\"{n}\"}}")).collect();
    let body = format!("{{{}}}", members.join(","));
    let list = list("application/json", body.as_bytes());
    assert!((400..=MAX_FIELDS).contains(&list.fields().len()), "{}", list.fields().len());
    let values: u32 = list.fields().iter().map(|field| field.count).sum();
    assert_eq!(values + list.beyond(), 4001, "every value is counted in a field or beyond them");
    let long: Vec<_> = (0..500).map(|n| format!("\"{n}{}\":1", "k".repeat(250))).collect();
    let list = self::list("application/json", format!("{{{}}}", long.join(",")).as_bytes());
    assert!(list.texts.len() <= MAX_TEXTS && list.beyond() > 0);
}

#[test]
fn order_is_that_of_the_paths_alone() {
    let order = |body: &str| list("application/json", body.as_bytes()).order();
    assert_eq!(order("{\"a\":1,\"b\":[]}"), order("{\"a\":\"x\",\"b\":[2]}"));
    assert_ne!(order("{\"a\":1,\"b\":2}"), order("{\"b\":2,\"a\":1}"));
    assert_ne!(order("{\"a\":1}"), order("{\"a\":1,\"b\":2}"));
}

#[test]
fn debug_shows_no_content() {
    let list = list("application/json", b"{\"secret\":\"value\"}");
    assert_eq!(format!("{list:?}"), "FieldList(2 fields, 0 beyond)");
    let shown = format!("{:?}", list.fields());
    assert!(!shown.contains("secret") && !shown.contains("value\""), "{shown}");
}

#[test]
fn fields_of_a_form_are_texts_that_look_like_something() {
    check(
        "application/x-www-form-urlencoded",
        "user=a%40b.example&age=42&tag=x+y&tag=z&empty=\r\n",
        &[
            "$ object×1",
            "$.user text×1 email len 11..11",
            "$.age text×1 integer 42..42 len 2..2 [\"42\"]",
            "$.tag text×2 len 1..3 [\"z\", \"x y\"]",
            "$.empty text×1 len 0..0 [\"\"]",
        ],
    );
    let long = format!("a={}", "%41".repeat(2000));
    let list = list("application/x-www-form-urlencoded", long.as_bytes());
    assert!(list.fields()[1].lengths.least >= 2000, "no shorter than it is");
}

#[test]
fn fields_of_xml_are_elements_and_attributes() {
    let body = "<?xml version=\"1.0\"?>\n<order xmlns=\"urn:x\" id=\"7\">\n <p:item p:sku=\"A1\" xmlns:p=\"urn:y\"> 12.50 </p:item>\n\
        <p:item p:sku=\"B2\">3</p:item><note/><to><mail>a@b.example</mail></to>\n</order>";
    check(
        "application/xml",
        body,
        &[
            "$ object×1",
            "$.order object×1",
            "$.order.@id text×1 integer 7..7 len 1..1 [\"7\"]",
            "$.order.item text|object×2 number 3..12.5 len 1..5 [\"3\", \"12.50\"]",
            "$.order.item.@sku text×2 len 2..2 [\"B2\", \"A1\"]",
            "$.order.note text×1 len 0..0 [\"\"]",
            "$.order.to object×1",
            "$.order.to.mail text×1 email len 11..11",
        ],
    );
}

#[test]
fn fields_of_several_parts_are_values_and_files() {
    let body = "--B\r\nContent-Disposition: form-data; name=\"id\"\r\n\r\n42\r\n--B\r\n\
        Content-Disposition: form-data; name=\"doc\"; filename=\"a.pdf\"\r\nContent-Type: application/pdf\r\n\r\n\
        %PDF-1.4\r\n--B--\r\n";
    check(
        "multipart/form-data; boundary=B",
        body,
        &[
            "$ object×1",
            "$.id text×1 integer 42..42 len 2..2 [\"42\"]",
            "$.doc bytes×1 len 8..8",
            "$.doc.@filename text×1 len 5..5 [\"a.pdf\"]",
            "$.doc.@type text×1 len 15..15 [\"application/pdf\"]",
        ],
    );
}

#[test]
fn fields_of_protobuf_have_numbers() {
    // 1: 150, 2: "testing", 3: { 1: 7 }, 4: eight bytes.
    let message = b"\x08\x96\x01\x12\x07testing\x1a\x02\x08\x07\x21\0\0\0\0\0\0\xf8\x3f";
    let body = [&[0, 0, 0, 0, 25][..], message].concat();
    assert_eq!(message.len(), 25);
    assert_eq!(
        lines(&list("application/grpc", &body)),
        [
            "$ object×1",
            "$.1 integer×1 150..150",
            "$.2 text×1 len 7..7 [\"testing\"]",
            "$.3 object×1",
            "$.3.1 integer×1 7..7",
            "$.4 number×1",
        ]
    );
}

#[test]
fn events_of_a_stream_are_documents() {
    let body = "data: {\"n\":1}\n\ndata: {\"n\":2,\"x\":[]}\n\ndata: [DONE]\n\n";
    check(
        "text/event-stream",
        body,
        &["$ object×2", "$.n integer×2 1..2", "$.x array×1 items 0..0", "$.x[] ×0"],
    );
}
