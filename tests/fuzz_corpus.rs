//! The bodies of the fuzz targets over their stored corpus: as it is, cut short, and with a byte changed.

use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use tapwire_testkit::Random;
use tapwire_testkit::fuzz::{TARGETS, Target};
use tapwire_tests::{files_below, workspace};

/// Changed copies of each file that are run as well.
const CHANGED: usize = 4;

#[test]
fn decode_holds_its_laws_over_the_corpus() {
    run("decode");
}

#[test]
fn flow_holds_its_laws_over_the_corpus() {
    run("flow");
}

#[test]
fn http1_holds_its_laws_over_the_corpus() {
    run("http1");
}

#[test]
fn http2_holds_its_laws_over_the_corpus() {
    run("http2");
}

#[test]
fn body_holds_its_laws_over_the_corpus() {
    run("body");
}

#[test]
fn payloads_holds_its_laws_over_the_corpus() {
    run("payloads");
}

#[test]
fn capture_file_holds_its_laws_over_the_corpus() {
    run("capture_file");
}

#[test]
fn tls_holds_its_laws_over_the_corpus() {
    run("tls");
}

#[test]
fn websocket_holds_its_laws_over_the_corpus() {
    run("websocket");
}

#[test]
fn whole_holds_its_laws_over_the_corpus() {
    run("whole");
}

#[test]
fn state_holds_its_laws_over_the_corpus() {
    run("state");
}

#[test]
fn openapi_holds_its_laws_over_the_corpus() {
    run("openapi");
}

#[test]
fn every_target_has_a_corpus_and_a_binary() {
    for Target { name, .. } in TARGETS {
        assert!(!corpus(name).is_empty(), "{name} has no corpus");
        let binary = workspace().join(format!("tests/fuzz/fuzz_targets/{name}.rs"));
        assert!(binary.is_file(), "{} is missing", binary.display());
    }
}

fn corpus(target: &str) -> Vec<PathBuf> {
    files_below(&workspace().join("tests/fuzz/corpus").join(target), &|_| true)
}

fn run(name: &str) {
    let target = TARGETS.iter().find(|target| target.name == name).expect("a target of that name");
    for file in corpus(name) {
        let data = std::fs::read(&file).expect("a stored case can be read");
        check(target, &file, "as it is", &data);
        for part in 1..4 {
            check(target, &file, &format!("cut to {part}/4"), &data[..data.len() * part / 4]);
        }
        let mut random = Random::new(data.len() as u64);
        for _ in 0..CHANGED {
            let mut changed = data.clone();
            let (at, bit) = (random.below(data.len()), random.below(8));
            changed.get_mut(at).into_iter().for_each(|byte| *byte ^= 1 << bit);
            check(target, &file, &format!("bit {bit} of byte {at} changed"), &changed);
        }
    }
}

/// Runs a body, and names the case when it breaks a law.
fn check(target: &Target, file: &Path, how: &str, data: &[u8]) {
    let run = target.run;
    if catch_unwind(|| run(data)).is_err() {
        panic!("{}, {how}: see above", file.display());
    }
}
