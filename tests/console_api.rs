//! The console's JSON API against its own description: schemathesis asks what that allows, and what it does not.
//! `TAPWIRE_SCHEMATHESIS` names the folder into which it was installed from PyPI; without it, the test says so and passes.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tapwire_tests::{Tapwire, binary, workspace};

/// A query that is wrong is told so, though its description allows it: what SQL is, JSON Schema cannot say. Nothing asks
/// whether an answer came soon.
const SETTINGS: &str = r#"
request-timeout = 120
continue-on-failure = true

[checks]
positive_data_acceptance.expected-statuses = ["2xx", "401", "403", "404", "409", "422"]
"#;

/// `tapwire serve` until it is dropped.
struct Console {
    child: Child,
    address: String,
}

impl Drop for Console {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _waited = self.child.wait();
    }
}

impl Console {
    /// Over what a replay of the clinic kept.
    fn over(data: &std::path::Path) -> Self {
        let kept = ["--set", "packets.budget=64MiB", "--data"];
        let replay = Tapwire::new(["replay", "-q", "--events", "null://"]).args(kept);
        let _ran = replay.args([data, &workspace().join("fixtures/case/clinic.pcap.gz")]).run().ok("replay");
        let mut command = Command::new(binary());
        command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(data).env("HOME", data);
        let mut child =
            command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().expect("tapwire can be started");
        let mut lines =
            BufReader::new(child.stderr.take().expect("it is piped")).lines().map_while(Result::ok);
        let begins = "tapwire: the console is at ";
        let line = lines.find(|line| line.starts_with(begins)).expect("where it is");
        let address = line[begins.len()..].split('/').nth(2).expect("an address").to_owned();
        // What else it says is read, so that it can say it.
        std::thread::spawn(move || lines.for_each(|line| eprintln!("{line}")));
        Self { child, address }
    }

    /// Its answer, head and body.
    fn ask(&self, line: &str, form: &str) -> (String, Vec<u8>) {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        let kind = "Content-Type: application/x-www-form-urlencoded";
        let asked = format!(
            "{line} HTTP/1.1\r\nHost: localhost\r\n{kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{form}",
            form.len()
        );
        stream.write_all(asked.as_bytes()).expect("it reads");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("it answers");
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("a body");
        (String::from_utf8_lossy(&answer[..end]).into_owned(), answer.split_off(end + 4))
    }

    fn json(&self, path: &str) -> Value {
        let (head, body) = self.ask(&format!("GET {path}"), "");
        assert!(head.starts_with("HTTP/1.1 200 "), "{path}: {head}");
        serde_json::from_slice(&body).expect("JSON")
    }

    /// What comes of having something counted.
    fn post(&self, path: &str) -> Value {
        let line = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nX-Tapwire-Token: {}", self.token());
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        write!(stream, "{line}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        assert!(answer.starts_with("HTTP/1.1 200 "), "{path}: {answer}");
        serde_json::from_str(answer.split_once("\r\n\r\n").expect("a body").1).expect("JSON")
    }

    /// What whoever changes something brings along.
    fn token(&self) -> String {
        self.json("/api/v1/session")["token"].as_str().expect("a token").to_owned()
    }

    /// How it is confined: what is refused of system calls, and by how many filters.
    fn confined(&self) -> Vec<String> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
        status.lines().filter(|line| line.starts_with("Seccomp")).map(str::to_owned).collect()
    }
}

/// A filter of system calls counts for the whole process: one for who only reads would cut a run off from its receivers.
#[test]
fn whoever_carves_confines_nothing_else() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let console = Console::over(&folder.path().join("data"));
    let before = console.confined();
    let incidents = console.json("/api/v1/incidents");
    let uid = incidents["rows"][0]["uid"].as_str().expect("an incident");
    let form = format!("token={}", console.token());
    let (head, packets) = console.ask(&format!("POST /incidents/{uid}/carve"), &form);
    assert!(head.starts_with("HTTP/1.1 200 ") && packets.len() > 1_000, "{head}: {} bytes", packets.len());
    assert_eq!(console.confined(), before);
}

#[test]
fn one_exchange_and_whose_records_left_are_what_commands_tell() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("data");
    let console = Console::over(&data);
    let incidents = console.json("/api/v1/incidents");
    let incident = &incidents["rows"][0];
    let moment = &incident["whole"]["timeline"][0];
    let uid = moment["exchange"].as_str().expect("an exchange shows it");
    let shown = Tapwire::new(["show", uid, "--json", "--data"]).args([&data]).run().ok("show").events();
    for hint in ["", "?day=2026-01-05", "?day=1999-12-31"] {
        assert_eq!(
            console.json(&format!("/api/v1/exchanges/{uid}{hint}"))["rows"],
            Value::from(shown.clone()),
            "{hint}"
        );
    }
    let (head, page) = console.ask(&format!("GET /exchanges/{uid}"), "");
    let page = String::from_utf8_lossy(&page);
    let finding = moment["reason"].as_str().expect("a reason");
    for text in ["How well it was seen", "Request", "Response", uid, &finding.replace('\'', "&#39;")] {
        assert!(head.starts_with("HTTP/1.1 200 ") && page.contains(text), "{text}: {head}\n{page}");
    }
    for none in ["00000000000000000000000000000000", "abc", "no-uid"] {
        assert!(
            console.ask(&format!("GET /api/v1/exchanges/{none}"), "").0.starts_with("HTTP/1.1 404 "),
            "{none}"
        );
    }
    let whose = incident["uid"].as_str().expect("an incident");
    let mut counted = console.post(&format!("/api/v1/incidents/{whose}/radius"));
    assert!(counted.as_object_mut().expect("an object").remove("counted").is_some());
    let radius = |whose: &str| -> Value {
        let ran = Tapwire::new(["blast-radius", whose, "--json", "--data"]).args([&data]).run();
        ran.ok("blast-radius").events().remove(0)
    };
    assert_eq!(counted, radius(whose));
    assert!(counted["persons"].as_u64() > Some(0) && counted["not_seen"][0].is_string(), "{counted}");
    let page = console.ask(&format!("GET /incidents/{whose}"), "").1;
    assert!(String::from_utf8_lossy(&page).contains(counted["told"].as_str().expect("a sentence")));
    let caller = console.json("/api/v1/callers")["rows"][0]["name"].as_str().expect("a caller").to_owned();
    let mut counted = console.post(&format!("/api/v1/callers/{caller}/radius"));
    counted.as_object_mut().expect("an object").remove("counted");
    assert_eq!(counted, radius(&caller));
    let noted = fs::read_to_string(data.join("audit.jsonl")).expect("the audit log");
    assert_eq!(noted.matches("\"action\":\"blast-radius\"").count(), 2, "{noted}");
}

#[test]
fn the_api_is_what_its_description_says() {
    let Some(packages) = tapwire_testkit::peers::packages("TAPWIRE_SCHEMATHESIS", "schemathesis") else {
        return;
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let console = Console::over(&folder.path().join("data"));
    fs::write(folder.path().join("schemathesis.toml"), SETTINGS).expect("a file");
    let mut command = Command::new("python3");
    command.env("PYTHONPATH", &packages).current_dir(&folder).args(["-m", "schemathesis.cli", "run"]);
    command.arg(format!("http://{}/api/openapi.json", console.address));
    command.args(["--header", &format!("X-Tapwire-Token: {}", console.token())]);
    // The same cases in every run.
    command.args(["--seed", "1", "--max-examples", "30", "--suppress-health-check", "all"]);
    // That most texts are no SQL is no surprise.
    command.args(["--warnings", "off", "--no-color"]);
    let ran = command.output().expect("python3");
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success() && said.contains("No issues found"), "{said}");
    let tables = said.lines().find(|line| line.contains("Operations:")).expect("how many there are");
    assert!(tables.contains("26 selected / 26 total"), "{tables}");
    println!("{said}");
}
