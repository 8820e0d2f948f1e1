//! `tapwire doctor`: each mirror's ailments, all of them and no others, over the fixtures and over mirrors made ill.

mod ailing;

use ailing::{Mirror, every_mirror, paced};
use serde_json::Value;
use std::collections::BTreeSet;
use tapwire_tests::{Fixture, Tapwire, fixtures, workspace};

/// What is wrong with the recorded captures that were made to be wrong; all others are good.
const SICK: &[(&str, &[&str])] = &[
    ("basic-guessing", &["offloaded-checksums"]),
    ("blog-guessing", &["offloaded-checksums", "large-packets"]),
    ("demo", &["capture-loss"]),
    ("lost-packets", &["capture-loss"]),
    ("offloaded-checksums", &["offloaded-checksums", "large-packets"]),
    ("one-sided-requests", &["one-direction"]),
    ("one-sided-responses", &["one-direction"]),
    ("port-scan", &["half-open"]),
    ("proxy-v1", &["proxied"]),
    ("proxy-v2", &["proxied"]),
    ("snaplen", &["cut-packets"]),
    ("span-duplicates", &["duplicates"]),
    ("connect-tls", &["tls"]),
    ("connect-upgrade", &["tls"]),
    ("tls-only", &["tls"]),
    ("h2-load", &["tls"]),
    ("h2-servers", &["tls"]),
    ("tls-secrets-block", &["tls"]),
    ("equal-tls13", &["tls"]),
    ("h2-tls", &["tls"]),
    ("tls-go", &["tls"]),
    ("tls-java", &["tls"]),
    ("tls-nginx", &["tls"]),
    ("tls-node", &["tls"]),
    ("tls-resumption", &["tls"]),
    ("tls-rsa", &["tls"]),
    ("tls10", &["tls"]),
    ("tls12", &["tls"]),
    ("tls12-cbc", &["tls"]),
    ("tls13", &["tls"]),
    ("tls13-early-data", &["tls"]),
    ("tls13-early-refused", &["tls"]),
    ("tls13-keyupdate", &["tls"]),
    ("tls13-retry", &["tls"]),
    ("quic", &["no-tcp", "quic"]),
    ("quic-retry", &["no-tcp", "quic"]),
    ("mtls", &["tls"]),
];

/// Ailments that only a machine under load, or a capture of its own, has; they are told live or proven beside the code.
const NOT_IN_CAPTURES: &[&str] = &["too-slow", "table-full"];

fn report(fixture: &Fixture) -> Value {
    examined(&Tapwire::new(["doctor", "--json"]).args([fixture.path()]).run().ok(&fixture.name).stdout)
}

fn examined(stdout: &[u8]) -> Value {
    serde_json::from_slice(stdout).expect("one JSON object")
}

fn ailments(report: &Value) -> &[Value] {
    report.get("ailments").and_then(Value::as_array).expect("a list of ailments")
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn names(report: &Value) -> Vec<&str> {
    ailments(report).iter().map(|ailment| text(ailment, "name")).collect()
}

fn is_good(report: &Value) -> bool {
    let harmless = |ailment: &Value| ailment.get("harmless").and_then(Value::as_bool) == Some(true);
    let good = report.get("good").and_then(Value::as_bool).expect("a verdict");
    assert_eq!(good, ailments(report).iter().all(harmless), "{report}");
    good
}

/// Every ailment that this build can tell.
fn known() -> BTreeSet<String> {
    let listed = Tapwire::new(["list", "ailments", "--json"]).run().ok("list ailments");
    listed.events().iter().map(|ailment| text(ailment, "name").to_owned()).collect()
}

fn visit(mirror: &Mirror) -> Value {
    visit_with(mirror, &[])
}

fn visit_with(mirror: &Mirror, arguments: &[&str]) -> Value {
    let run = Tapwire::new(["doctor", "--json"]).args(arguments);
    let paths: Vec<_> = (0..mirror.files.len()).map(|nth| run.home().join(format!("{nth}.pcap"))).collect();
    for (path, bytes) in paths.iter().zip(&mirror.files) {
        std::fs::write(path, bytes).expect("a file in the run's own folder");
    }
    let filter = mirror.filter.map(|filter| ["-f", filter]);
    examined(&run.args(&paths).args(filter.into_iter().flatten()).run().ok(mirror.name).stdout)
}

#[test]
fn every_fixture_has_its_ailments_and_no_others() {
    let mut wrong = Vec::new();
    for fixture in fixtures() {
        let expected =
            SICK.iter().find(|(name, _)| *name == fixture.name).map_or(&[][..], |(_, names)| *names);
        let report = report(&fixture);
        if names(&report) != expected {
            wrong.push(format!("{}: {:?}, expected {expected:?}", fixture.name, ailments(&report)));
        }
        if expected.is_empty() && !is_good(&report) {
            wrong.push(format!("{}: not good, and nothing said", fixture.name));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_mirror_made_ill_has_its_ailments_and_no_others() {
    let mut wrong = Vec::new();
    for (nth, mirror) in every_mirror().iter().enumerate() {
        let report = visit(mirror);
        let first = ailments(&report).first();
        let says = first.is_none_or(|found| {
            text(found, "what").contains(mirror.says) || text(found, "remedy").contains(mirror.says)
        });
        if names(&report) != mirror.ailments || !says {
            wrong.push(format!(
                "{nth}: expected {:?}, {:?}: {:#?}",
                mirror.ailments,
                mirror.says,
                ailments(&report)
            ));
        }
        is_good(&report);
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_ailment_is_told_somewhere() {
    let recorded = SICK.iter().flat_map(|(_, names)| names.iter().copied());
    let made: Vec<&str> = every_mirror().iter().flat_map(|mirror| mirror.ailments.iter().copied()).collect();
    let told: BTreeSet<String> =
        recorded.chain(made).chain(NOT_IN_CAPTURES.iter().copied()).map(str::to_owned).collect();
    assert_eq!(told, known());
    assert!(told.len() >= 20);
}

#[test]
fn every_ailment_has_a_figure_and_something_to_do() {
    for mirror in every_mirror() {
        for ailment in ailments(&visit(&mirror)) {
            assert!(text(ailment, "what").chars().any(|c| c.is_ascii_digit()), "no figure: {ailment}");
            assert!(text(ailment, "remedy").len() > 10, "nothing to do: {ailment}");
            assert!(text(ailment, "means").len() > 20, "no meaning: {ailment}");
        }
    }
}

#[test]
fn every_ailment_is_explained() {
    for name in known() {
        let said = Tapwire::new(["explain", &name]).run().ok(&name);
        let said = String::from_utf8(said.stdout).expect("UTF-8");
        assert!(said.contains("told from") && said.contains("what to do"), "{name}: {said}");
    }
}

#[test]
fn a_site_with_ten_times_the_traffic_needs_ten_times_as_much() {
    let needs = |times: i64| visit_with(&paced(times), &["--size"]).get("needs").cloned().expect("needs");
    let (slow, fast) = (needs(1), needs(10));
    let ratio = |key: &str| {
        let figure = |needs: &Value| needs.get(key).and_then(Value::as_f64).expect("a figure");
        figure(&fast) / figure(&slow)
    };
    for key in [
        "packets_per_second",
        "bits_per_second",
        "exchanges_per_second",
        "load_mean",
        "events_a_day",
        "bytes_a_day",
    ] {
        assert!((9.0..11.0).contains(&ratio(key)), "{key}: {} times; {slow} {fast}", ratio(key));
    }
    // 480 exchanges in 39 s, each one event of some 2 KB.
    let a_day = slow.get("bytes_a_day").and_then(Value::as_f64).expect("a figure") / 86_400.0 * 39.0 / 480.0;
    assert!((1_000.0..4_000.0).contains(&a_day), "{a_day} bytes an event");
}

/// The table in `docs/doctor.md` is that of `tapwire list ailments`; `UPDATE=1` rewrites it.
#[test]
fn the_page_lists_every_ailment() {
    let listed = Tapwire::new(["list", "ailments", "--json"]).run().ok("list ailments");
    let row = |ailment: &Value| {
        let what = text(ailment, "what").trim_end_matches(')');
        let (title, rest) = what.rsplit_once(" (").expect("a title");
        let (harm, told) = rest.split_once("; told from: ").expect("a threshold");
        format!("| `{}` | {title} | {harm} | {told} |\n", text(ailment, "name"))
    };
    let rows: String = listed.events().iter().map(row).collect();
    let table = format!("| ailment | in words | harm | told from |\n|---|---|---|---|\n{rows}");
    let page = workspace().join("docs/doctor.md");
    let written = std::fs::read_to_string(&page).expect("the page");
    if std::env::var_os("UPDATE").is_some() && !written.contains(&table) {
        let start = written.find("| ailment |").expect("a table");
        let end = start + written[start..].find("\n\n").map_or(written.len() - start, |end| end + 1);
        let updated = [&written[..start], &table, &written[end..]].concat();
        std::fs::write(&page, updated).expect("the page can be written");
        return;
    }
    assert!(
        written.contains(&table),
        "docs/doctor.md is not up to date: UPDATE=1 cargo test -p tapwire-tests --test doctor"
    );
}

#[test]
fn people_read_what_is_wrong_and_what_to_do() {
    let all = fixtures();
    let page = |name: &str| {
        let fixture = all.iter().find(|fixture| fixture.name == name).expect("the fixture is in the tree");
        let ran = Tapwire::new(["doctor"]).args([fixture.path()]).run().ok(name);
        String::from_utf8(ran.stdout).expect("UTF-8")
    };
    let words = |page: &str| page.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(page("basic-rest").starts_with("This mirror is good\n"));
    let sick = page("one-sided-requests");
    assert!(sick.starts_with("This mirror does not show what is needed\n"), "{sick}");
    let said = words(&sick);
    assert!(
        said.contains("from their clients only") && said.contains("tapwire run -i PORT1 -i PORT2"),
        "{sick}"
    );
}
