use super::*;
use proptest::prelude::*;

fn scan(pieces: &[&[u8]]) -> Option<Document> {
    let mut scanner = Scanner::default();
    pieces.iter().for_each(|piece| scanner.feed(piece));
    scanner.finish()
}

fn one(text: &str) -> Option<Document> {
    scan(&[text.as_bytes()])
}

#[test]
fn what_is_no_document_is_none() {
    for text in [
        "",
        "red shoes",
        "query",
        "query {",
        "{",
        "{}",
        "{ a } }",
        "type Query { a: Int }",
        "{ a(x: \"open) }",
        "{ a. }",
        "query A($x: Int { a }",
        "{\"match\":1}",
    ] {
        assert_eq!(one(text), None, "{text}");
    }
}

#[test]
fn october2021_examples_are_read() {
    for (text, fields) in [
        ("mutation { likeStory(storyID: 12345) { story { likeCount } } }", 3),
        (
            "query inlineFragment { profiles(handles: [\"a\", \"b\"]) { handle ... on User { friends { count } } } }",
            4,
        ),
        ("{ user(id: 4) { smallPic: profilePic(size: 64) bigPic: profilePic(size: 1024) } }", 3),
        ("query withFragments { user(id: 4) { friends(first: 10) { ...friendFields } } }", 2),
        ("query ($devicePicSize: Int) { user { id } }", 2),
        ("subscription S { newMessage(roomId: 123) @skip(if: false) { sender } }", 2),
        ("{ a(text: \"\"\"block { \\\"quoted\\\" } \"\"\", n: -1.5e3, e: RED, b: $x) }", 1),
    ] {
        assert_eq!(one(text).map(|document| document.fields), Some(fields), "{text}");
    }
}

#[test]
fn depth_is_counted_and_not_recursed_into() {
    let deep = format!("{}a{}", "{a".repeat(100_000), "}".repeat(100_000));
    assert_eq!(one(&deep).map(|document| document.depth), Some(100_000));
    let wide = format!("{{{}}}", "a:b ".repeat(50_000));
    let document = one(&wide).expect("a document");
    assert_eq!((document.aliases, document.operations[0].root_fields.len()), (50_000, 1));
}

proptest! {
    #[test]
    fn any_split_scans_alike(
        text in "(query A|mutation|)[ ]?(\\(\\$a: \\[Int!\\]\\))?[ ]?\\{[a-c{}(): \"@.#,\\n$]{0,40}\\}",
        cuts in prop::collection::vec(0_usize..60, 0..5),
    ) {
        let bytes = text.as_bytes();
        let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let pieces: Vec<_> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
        prop_assert_eq!(scan(&pieces), one(&text));
        prop_assert_eq!(scan(&bytes.chunks(1).collect::<Vec<_>>()), one(&text));
    }
}

#[test]
fn fragments_bring_in_root_fields() {
    let fields = |text: &str| {
        let mut scanner = Scanner::default();
        scanner.feed(text.as_bytes());
        let document = scanner.finish().expect("a document");
        let names = document.operations.iter().map(|one| {
            one.root_fields.iter().map(|name| name.as_str().to_owned()).collect::<Vec<_>>().join(" ")
        });
        names.collect::<Vec<_>>().join("; ")
    };
    assert_eq!(fields("{a ...F c} fragment F on Query {b ...G} fragment G on Query {d {e} a}"), "a c b d");
    assert_eq!(fields("{... on Query @include(if: $x) {a ... {b {c}}} d {... on T {e}}}"), "a b d");
    assert_eq!(fields("fragment F on Query {a {...F} ...F} query Q {...F @skip(if: true) x} {y}"), "x a; y");
    assert_eq!(fields("{...Nowhere a}"), "a");
}
