use super::*;
use proptest::prelude::*;

fn read_as(content_type: &str, pieces: &[&[u8]]) -> Reading {
    let mut multipart = Multipart::default();
    multipart.begin(content_type.as_bytes());
    pieces.iter().for_each(|piece| multipart.feed(piece));
    multipart.finish(true)
}

const TYPE: &str = "multipart/form-data; boundary=\"B-1\"";

fn one(body: &str) -> Reading {
    read_as(TYPE, &[body.as_bytes()])
}

fn parts(reading: &Reading) -> Vec<(String, bool, u64)> {
    let notes = reading.notes.as_deref();
    let name = |part: &Part| part.name.as_ref().map_or_else(String::new, |name| name.as_str().to_owned());
    notes
        .iter()
        .flat_map(|notes| &notes.parts)
        .map(|part| (name(part), part.file_name.is_some(), part.bytes))
        .collect()
}

const BODY: &str = "preamble\r\n--B-1\r\nContent-Disposition: form-data; name=\"username\"\r\n\r\nalice\r\n\
    --B-1  \r\ncontent-disposition: form-data; name=password\r\n\r\ns3cret\r\n\
    --B-1\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a \\\"b\\\".txt\"\r\nContent-Type: Text/Plain; charset=x\r\n\r\n\
    one\r\n--B-2\r\n\n--B\r\r\n--B-1--\r\nepilogue --B-1";

#[test]
fn parts_have_names_types_and_sizes() {
    let reading = one(BODY);
    assert_eq!(reading.state, PayloadState::Read);
    let expected = [
        ("username", false, 5),
        ("password", false, 6),
        ("file", true, "one\r\n--B-2\r\n\n--B\r".len() as u64),
    ];
    assert_eq!(parts(&reading), expected.map(|(name, file, bytes)| (name.to_owned(), file, bytes)));
    let file = reading.notes.as_ref().map(|notes| notes.parts[2].clone()).expect("a part");
    assert_eq!(file.file_name.as_ref().map(Name::as_str), Some("a \"b\".txt"));
    assert_eq!(file.media_type.as_ref().map(Name::as_str), Some("text/plain"));
    let login = reading.login.expect("a login");
    assert_eq!((login.user(), login.password()), (&b"alice"[..], &b"s3cret"[..]));
}

#[test]
fn boundary_edge_cases() {
    let body = "--B-1\r\n\r\n\r\n--B-1--";
    assert_eq!((one(body).state, parts(&one(body))), (PayloadState::Read, vec![(String::new(), false, 0)]));
    let bare = "--B-1\nContent-Disposition: form-data; name=a\n\nx\n--B-1--\n";
    assert_eq!(parts(&one(bare)), [("a".to_owned(), false, 1)]);
    let untold = read_as("multipart/form-data", &[bare.as_bytes()]);
    assert_eq!((untold.state, parts(&untold)), (PayloadState::Read, parts(&one(bare))));
    assert_eq!(one("no delimiter").state, PayloadState::Invalid);
    assert_eq!(one("--B-1\r\n\r\nnever ends").state, PayloadState::Invalid);
}

#[test]
fn parts_and_heads_are_bounded() {
    let body = format!("{}--B-1--", "--B-1\r\n\r\nx\r\n".repeat(1000));
    let reading = one(&body);
    let notes = reading.notes.expect("notes");
    assert_eq!((notes.parts.len(), notes.part_count, notes.more), (MAX_PARTS, 1000, true));
    let long = format!("--B-1\r\nX: {}\r\nY: z\r\n\r\nx\r\n--B-1--", "y".repeat(1 << 20));
    assert!(one(&long).notes.expect("notes").more);
}

proptest! {
    #[test]
    fn any_split_reads_alike(
        text in "(\\r\\n--B-1(--)?(\\r\\n)?|Content-Disposition: form-data; name=\"a\"(; filename=b)?\\r\\n|\\r\\n|\\n|--|B-1|[a-z\\r\\n:;-]){0,16}",
        cuts in prop::collection::vec(0_usize..300, 0..5),
        told in any::<bool>(),
    ) {
        for text in [text.as_str(), BODY] {
            let bytes = text.as_bytes();
            let mut cuts: Vec<_> = cuts.iter().map(|cut| *cut.min(&bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let pieces: Vec<_> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
            let content_type = if told { TYPE } else { "multipart/mixed" };
            prop_assert_eq!(read_as(content_type, &pieces), read_as(content_type, &[bytes]));
            prop_assert_eq!(read_as(content_type, &bytes.chunks(1).collect::<Vec<_>>()), read_as(content_type, &[bytes]));
        }
    }
}
