//! `tapwire doctor` over the fixtures: each mirror's ailments, all of them and no others.

use serde_json::Value;
use tapwire_tests::{Fixture, Tapwire, fixtures};

/// What is wrong with the captures that were made to be wrong. A mirror with harmless ailments only is good.
const SICK: &[(&str, &[&str])] = &[
    ("demo", &["capture-loss"]),
    ("lost-packets", &["capture-loss"]),
    ("offloaded-checksums", &["offloaded-checksums"]),
    ("one-sided-requests", &["one-sided"]),
    ("one-sided-responses", &["one-sided"]),
    ("snaplen", &["cut-packets"]),
    ("span-duplicates", &["duplicates"]),
    ("tls-only", &["tls"]),
];

/// Ailments that are no reason to change the mirror.
const HARMLESS: &[&str] = &["joined-late", "offloaded-checksums"];

fn examined(fixture: &Fixture, arguments: &[&str]) -> String {
    let ran = Tapwire::new(["doctor"]).args([fixture.path()]).args(arguments).run().ok(&fixture.name);
    String::from_utf8(ran.stdout).expect("UTF-8")
}

fn report(fixture: &Fixture) -> Value {
    serde_json::from_str(&examined(fixture, &["--json"])).expect("one JSON object")
}

fn names(report: &Value) -> Vec<String> {
    let ailments = report.get("ailments").and_then(Value::as_array).expect("a list of ailments");
    ailments.iter().filter_map(|ailment| Some(ailment.get("name")?.as_str()?.to_owned())).collect()
}

#[test]
fn every_fixture_has_its_ailments_and_no_others() {
    let mut wrong = Vec::new();
    for fixture in fixtures() {
        let expected =
            SICK.iter().find(|(name, _)| *name == fixture.name).map_or(&[][..], |(_, names)| *names);
        let report = report(&fixture);
        let good = report.get("good").and_then(Value::as_bool);
        if names(&report) != expected {
            wrong.push(format!("{}: {:?}, expected {expected:?}", fixture.name, names(&report)));
        } else if good != Some(expected.iter().all(|name| HARMLESS.contains(name))) {
            wrong.push(format!("{}: good is {good:?}", fixture.name));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_ailment_has_a_figure_and_something_to_do() {
    for fixture in fixtures().iter().filter(|fixture| SICK.iter().any(|(name, _)| *name == fixture.name)) {
        for ailment in report(fixture).get("ailments").and_then(Value::as_array).into_iter().flatten() {
            let text = |key: &str| ailment.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
            assert!(
                text("what").chars().any(|c| c.is_ascii_digit()),
                "{}: no figure: {ailment}",
                fixture.name
            );
            assert!(text("remedy").len() > 20, "{}: nothing to do: {ailment}", fixture.name);
        }
    }
}

#[test]
fn people_read_what_is_wrong_and_what_to_do() {
    let all = fixtures();
    let of =
        |name: &str| all.iter().find(|fixture| fixture.name == name).expect("the fixture is in the tree");
    assert!(examined(of("basic-rest"), &[]).contains("This mirror is good"));
    let sick = examined(of("one-sided-requests"), &[]);
    assert!(!sick.contains("is good"), "{sick}");
    assert!(sick.contains("mostly requests") && sick.contains("tapwire run -i PORT1 -i PORT2"), "{sick}");
}
