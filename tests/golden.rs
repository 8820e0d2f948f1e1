//! The real binary over every fixture: its events are the expected ones, valid, the same for any number of threads, and
//! free of secrets; and its counters account for everything that came in. `UPDATE=1` rewrites what is expected.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;
use tapwire_capture::CaptureReader;
use tapwire_tests::{Fixture, Ran, Tapwire, files_below, fixtures, workspace};

/// Travels in Basic credentials, whose encoded form is planted too.
const IN_BASE64: &str = "planted-basic-d4e5f6";

const FORMATS: &[&str] = &["ocsf", "eve", "line", "tsv"];

/// Runs `check` over every fixture and shows all that failed, not only the first.
fn every_fixture(check: impl Fn(&Fixture) -> Result<(), String>) {
    let wrong: Vec<String> = fixtures()
        .iter()
        .filter_map(|fixture| check(fixture).err().map(|error| format!("{}: {error}", fixture.name)))
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

fn replayed(fixture: &Fixture, arguments: &[&str]) -> Ran {
    Tapwire::replay(fixture).args(["--events", "-"]).args(arguments).run().ok(&fixture.name)
}

#[test]
fn events_are_the_expected_ones() {
    let update = std::env::var_os("UPDATE").is_some();
    every_fixture(|fixture| {
        let seen = replayed(fixture, &["--format", "ocsf"]).stdout;
        if update {
            fs::write(fixture.expected(), &seen).expect("the fixture's folder is writable");
        }
        let expected = fs::read(fixture.expected()).map_err(|_| {
            "has no expected.jsonl: UPDATE=1 writes it; read it before you commit it".to_owned()
        })?;
        same(&expected, &seen)
    });
}

#[test]
fn every_fixture_says_why_it_is_there() {
    every_fixture(|fixture| {
        let why = fs::read_to_string(fixture.folder.join("why.md")).unwrap_or_default();
        if why.trim().is_empty() { Err("has no why.md".to_owned()) } else { Ok(()) }
    });
}

#[test]
fn every_event_is_valid_by_its_class() {
    let schemas = Schemas::load();
    every_fixture(|fixture| {
        for arguments in
            [&["--analysis", "on"][..], &["--analysis", "off"], &["--set", "redact.fidelity=full"]]
        {
            for event in replayed(fixture, arguments).events() {
                schemas.check(&event).map_err(|error| format!("{arguments:?}: {error}"))?;
            }
        }
        Ok(())
    });
}

#[test]
fn a_validator_that_finds_nothing_wrong_is_not_one() {
    let schemas = Schemas::load();
    let fixture = fixtures().remove(0);
    let mut event = replayed(&fixture, &[]).events().remove(0);
    schemas.check(&event).expect("the event as it was written");
    event.as_object_mut().expect("an event is an object").remove("time");
    assert!(schemas.check(&event).is_err(), "an event without its time was accepted");
}

#[test]
fn no_number_of_threads_changes_a_byte() {
    every_fixture(|fixture| {
        for analysis in ["on", "off"] {
            let run = |threads| replayed(fixture, &["--analysis", analysis, "--threads", threads]).stdout;
            let reference = run("0");
            for threads in ["1", "2", "3"] {
                same(&reference, &run(threads)).map_err(|error| format!("--threads {threads}: {error}"))?;
            }
        }
        Ok(())
    });
}

/// `unmapped.source` names the input, and nothing else may tell how the bytes came.
#[test]
fn the_way_in_changes_nothing_but_the_name_of_the_source() {
    every_fixture(|fixture| {
        let reference = without_source(&replayed(fixture, &[]));
        let path = fixture.path();
        let short = Tapwire::new(["-r"]).args([&path]).args(["--events", "-"]).key().within(fixture);
        let stdin = Tapwire::new(["replay", "-", "--events", "-"]).key().within(fixture).input(&path);
        let (short, stdin) = (short.run().ok(&fixture.name), stdin.run().ok(&fixture.name));
        for (way, ran) in [("-r", short), ("standard input", stdin)] {
            let seen = without_source(&ran);
            if seen != reference {
                return Err(format!("by {way}: {} events, not {}, or others", seen.len(), reference.len()));
            }
        }
        Ok(())
    });
}

/// `in = out + Σ dropped` as the summary's counters tell it: the left side is the sum of its paths, and so is the right. A
/// path to an object stands for the sum of its values.
const LAWS: &[(&[&str], &[&str])] = &[
    (&["/capture/received"], &["/capture/delivered", "/capture/filtered"]),
    (&["/capture/delivered"], &["/wire/packets"]),
    (&["/wire/packets"], &["/wire/segments", "/wire/skipped"]),
    (&["/wire/segments"], &["/flow/segments"]),
    (&["/flow/segments"], &["/flow/segment_fates"]),
    (&["/flow/payload_bytes"], &["/flow/byte_fates"]),
    (&["/flow/byte_fates/delivered"], &["/protocol/bytes_in"]),
    (&["/tls/records"], &["/tls/record_fates/opened", "/tls/record_fates/failed", "/tls/record_fates/blind"]),
    (
        &["/protocol/bytes_in"],
        &[
            "/protocol/head_bytes",
            "/protocol/body_bytes",
            "/protocol/framing_bytes",
            "/protocol/blank_bytes",
            "/protocol/tunnel_bytes",
            "/protocol/lost_bytes",
            "/protocol/opaque_bytes",
        ],
    ),
    (
        &["/protocol/exchanges"],
        &["/protocol/paired", "/protocol/requests_alone", "/protocol/responses_alone", "/protocol/children"],
    ),
    (&["/protocol/exchanges"], &["/analyst/exchanges"]),
    (
        &["/analyst/exchanges"],
        &["/analyst/reported", "/analyst/filtered", "/analyst/shed", "/analyst/beyond_limit"],
    ),
    (
        &["/sinks/0/accepted", "/sinks/0/resumed"],
        &["/sinks/0/delivered", "/sinks/0/dropped", "/sinks/0/kept"],
    ),
];

#[test]
fn nothing_is_lost_silently() {
    every_fixture(|fixture| {
        for arguments in [&[][..], &["-c", "3"], &["--where", "status >= 400"], &["-f", "tcp port 80"]] {
            let run = Tapwire::replay(fixture);
            let events = run.home().join("events.jsonl");
            let ran =
                run.args(["--only", "exchanges", "--json", "--events"]).args([&events]).args(arguments).run();
            let ran = ran.ok(&fixture.name);
            let summary: Value =
                serde_json::from_slice(&ran.stdout).map_err(|error| format!("summary: {error}"))?;
            let stages = summary.get("stages").ok_or("the summary names no stages")?;
            LAWS.iter()
                .try_for_each(|law| holds(stages, law))
                .map_err(|error| format!("{arguments:?}: {error}"))?;
            let lines =
                fs::read_to_string(&events).map_err(|error| error.to_string())?.lines().count() as u64;
            let told = total(stages, &["/analyst/reported"])?;
            if lines != told {
                return Err(format!(
                    "{arguments:?}: {lines} events are in the file, the summary says {told}"
                ));
            }
        }
        Ok(())
    });
}

#[test]
fn no_planted_secret_leaves() {
    let planted = planted_secrets();
    every_fixture(|fixture| {
        for format in FORMATS {
            let run = Tapwire::replay(fixture);
            let (events, data) = (run.home().join("events"), run.home().join("data"));
            let run = run.args(["--format", format, "-v", "--events", "-", "--events"]).args([&events]);
            let ran = run.args(["--data"]).args([&data]).run().ok(&fixture.name);
            leaks(&ran.stdout, &planted).map_err(|secret| format!("{format}: standard output: {secret}"))?;
            leaks(ran.stderr.as_bytes(), &planted)
                .map_err(|secret| format!("{format}: standard error: {secret}"))?;
            for file in files_below(ran.home.path(), &|_| true) {
                let bytes = fs::read(&file).map_err(|error| error.to_string())?;
                leaks(&bytes, &planted)
                    .map_err(|secret| format!("{format}: {}: {secret}", file.display()))?;
            }
        }
        Ok(())
    });
}

/// A planted secret that is in no capture would make the test above pass for nothing.
#[test]
fn every_planted_secret_is_in_a_capture() {
    let seen: Vec<u8> = fixtures().iter().flat_map(packets).collect();
    let absent: Vec<String> = planted_secrets()
        .into_iter()
        .filter(|secret| secret != IN_BASE64 && leaks(&seen, std::slice::from_ref(secret)).is_ok())
        .collect();
    assert!(absent.is_empty(), "in no capture: {absent:?}");
}

fn without_source(ran: &Ran) -> Vec<Value> {
    let mut events = ran.events();
    for event in &mut events {
        if let Some(unmapped) = event.get_mut("unmapped").and_then(Value::as_object_mut) {
            unmapped.remove("source");
        }
    }
    events
}

fn holds(stages: &Value, (came, went): &(&[&str], &[&str])) -> Result<(), String> {
    let (left, right) = (total(stages, came)?, total(stages, went)?);
    if left == right { Ok(()) } else { Err(format!("{came:?} is {left}, {went:?} together {right}")) }
}

fn total(stages: &Value, paths: &[&str]) -> Result<u64, String> {
    paths.iter().map(|path| stages.pointer(path).and_then(sum).ok_or_else(|| format!("no {path}"))).sum()
}

fn sum(value: &Value) -> Option<u64> {
    match value {
        Value::Object(parts) => parts.values().map(sum).sum(),
        number => number.as_u64(),
    }
}

/// The first line that differs, from both sides, from shortly before the difference on.
fn same(expected: &[u8], seen: &[u8]) -> Result<(), String> {
    if expected == seen {
        return Ok(());
    }
    let (expected, seen) = (String::from_utf8_lossy(expected), String::from_utf8_lossy(seen));
    let (mut left, mut right) = (expected.lines(), seen.lines());
    for number in 1.. {
        let (expected, seen) = (left.next(), right.next());
        if expected != seen || expected.is_none() {
            let (expected, seen) = (expected.unwrap_or("(no such line)"), seen.unwrap_or("(no such line)"));
            let equal = expected.chars().zip(seen.chars()).take_while(|(left, right)| left == right).count();
            let from = |line: &str| line.chars().skip(equal.saturating_sub(60)).take(200).collect::<String>();
            return Err(format!(
                "line {number}\n  expected …{}…\n  seen     …{}…",
                from(expected),
                from(seen)
            ));
        }
    }
    Ok(())
}

/// The bytes of all packets of a fixture.
fn packets(fixture: &Fixture) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut reader = CaptureReader::open(&fixture.path()).expect("a capture");
    reader.for_each(|packet| bytes.extend_from_slice(packet.data)).expect("a capture of the tree is whole");
    bytes
}

fn planted_secrets() -> Vec<String> {
    let text = fs::read_to_string(workspace().join("fixtures/secrets/planted.txt"))
        .expect("fixtures/secrets/planted.txt");
    let planted: Vec<String> =
        text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect();
    assert!(!planted.is_empty(), "no secret is planted");
    planted
}

/// `Err` names the first planted secret that the bytes hold.
fn leaks(bytes: &[u8], planted: &[String]) -> Result<(), String> {
    let found =
        planted.iter().find(|secret| bytes.windows(secret.len()).any(|window| window == secret.as_bytes()));
    found.map_or(Ok(()), |secret| Err(secret.clone()))
}

/// The JSON Schemas of the OCSF classes in `fixtures/ocsf/`, by class number, and whether the profile `ai_operation` is used.
struct Schemas(BTreeMap<(u64, bool), jsonschema::Validator>);

impl Schemas {
    fn load() -> Self {
        let is_schema = |path: &std::path::Path| path.extension().is_some_and(|kind| kind == "json");
        let schemas = files_below(&workspace().join("fixtures/ocsf"), &is_schema).into_iter().map(|path| {
            let text = fs::read_to_string(&path).expect("a schema");
            let schema: Value = serde_json::from_str(&text).expect("a schema is JSON");
            let class = schema.pointer("/properties/class_uid/const").and_then(Value::as_u64);
            let validator = jsonschema::validator_for(&schema)
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let with_model = schema.pointer("/properties/ai_model").is_some();
            ((class.unwrap_or_else(|| panic!("{} names no class", path.display())), with_model), validator)
        });
        Self(schemas.collect())
    }

    fn check(&self, event: &Value) -> Result<(), String> {
        let class =
            event.get("class_uid").and_then(Value::as_u64).ok_or_else(|| format!("no class: {event}"))?;
        let profiles = event.pointer("/metadata/profiles").and_then(Value::as_array);
        let with_model =
            profiles.is_some_and(|profiles| profiles.iter().any(|profile| profile == "ai_operation"));
        let schema =
            self.0.get(&(class, with_model)).ok_or_else(|| format!("no schema for class {class}"))?;
        let errors: Vec<String> =
            schema.iter_errors(event).map(|e| format!("{}: {e}", e.instance_path())).collect();
        if errors.is_empty() { Ok(()) } else { Err(format!("{}\n  {event}", errors.join("; "))) }
    }
}
