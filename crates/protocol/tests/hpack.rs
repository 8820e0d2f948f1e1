//! HPACK stories of several encoders, whole, from every block on, and with blocks lost. Skipped with a notice where the
//! corpus is not beside the workspace.

use serde_json::Value;
use std::path::Path;
use tapwire_protocol::h2::hpack::{Decoder, Outcome};

type Known = (Option<Vec<u8>>, Option<Vec<u8>>);

/// A block, and the fields that it stands for.
struct Case {
    wire: Vec<u8>,
    fields: Vec<(Vec<u8>, Vec<u8>)>,
}

/// Every story by name; `None` where there is no corpus.
fn stories() -> Option<Vec<(String, Vec<Case>)>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus/hpack");
    let mut files: Vec<_> = std::fs::read_dir(folder).ok()?.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let story = |file: &std::path::PathBuf| {
        let story: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        let cases = story["cases"].as_array().unwrap().iter().map(case).collect();
        (file.file_stem().unwrap().to_string_lossy().into_owned(), cases)
    };
    Some(files.iter().map(story).collect())
}

fn case(case: &Value) -> Case {
    let hex = case["wire"].as_str().unwrap().as_bytes();
    let wire =
        hex.chunks(2).map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap()).collect();
    let pairs = case["headers"].as_array().unwrap().iter().flat_map(|one| one.as_object().unwrap());
    let bytes = |text: &str| text.as_bytes().to_vec();
    Case { wire, fields: pairs.map(|(name, value)| (bytes(name), bytes(value.as_str().unwrap()))).collect() }
}

fn read(decoder: &mut Decoder, case: &Case) -> Vec<Known> {
    let mut fields = Vec::new();
    let owned = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec);
    let outcome = decoder.decode(&case.wire, |name, value| fields.push((owned(name), owned(value))));
    assert_eq!(outcome, Outcome::Complete);
    assert_eq!(fields.len(), case.fields.len());
    fields
}

/// Of a peer that was allowed any table: some stories change its size.
fn at_the_beginning() -> Decoder {
    let mut decoder = Decoder::new();
    decoder.allow(u32::MAX);
    decoder
}

/// Fields known, unknown and wrong.
#[derive(Debug, Default)]
struct Tally {
    known: u64,
    unknown: u64,
    wrong: u64,
}

impl Tally {
    fn add(&mut self, case: &Case, fields: &[Known]) {
        for ((name, value), (meant_name, meant_value)) in fields.iter().zip(&case.fields) {
            let differs =
                |seen: &Option<Vec<u8>>, meant: &Vec<u8>| seen.as_ref().is_some_and(|seen| seen != meant);
            if differs(name, meant_name) || differs(value, meant_value) {
                self.wrong += 1;
            } else if name.is_none() || value.is_none() {
                self.unknown += 1;
            } else {
                self.known += 1;
            }
        }
    }
}

#[test]
fn stories_are_read_whole_from_any_block_on_and_with_any_block_lost() {
    let Some(stories) = stories() else {
        println!("skipped: no corpus beside the workspace");
        return;
    };
    let (mut whole, mut joined, mut lossy) = (Tally::default(), Tally::default(), Tally::default());
    for (name, cases) in &stories {
        let mut decoder = at_the_beginning();
        cases.iter().for_each(|case| whole.add(case, &read(&mut decoder, case)));
        for first in 1..cases.len() {
            let mut decoder = Decoder::joined();
            cases[first..].iter().for_each(|case| joined.add(case, &read(&mut decoder, case)));
        }
        for lost in 0..cases.len() {
            let mut decoder = at_the_beginning();
            for (case, at) in cases.iter().zip(0..) {
                if at == lost { decoder.forget() } else { lossy.add(case, &read(&mut decoder, case)) }
            }
        }
        assert_eq!((whole.wrong, whole.unknown, joined.wrong, lossy.wrong), (0, 0, 0, 0), "{name}");
    }
    println!(
        "{} stories; whole: {whole:?}; joined at each block: {joined:?}; each block lost: {lossy:?}",
        stories.len()
    );
    assert!(whole.known > 3_000 && joined.unknown > 0 && lossy.unknown > 0);
}
