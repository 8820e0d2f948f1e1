//! The live path on a wire of our own: two network namespaces, a server in one, a client in the other, and the real
//! binary on the interface between them. Without root there are no namespaces, and the tests say so.

#[path = "live/confined.rs"]
mod confined;
#[path = "live/directions.rs"]
mod directions;
#[path = "live/lanes.rs"]
mod lanes;

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::Value;
use tapwire_tests::{binary, token_key};

/// Longest wait for something that has to happen; far beyond what it takes, so that a busy machine fails no test.
const PATIENCE: Duration = Duration::from_secs(60);
const PORT: &str = "8080";
const SERVER: &str = "10.77.0.2";

/// Answers every request on kept-alive connections with JSON that names the path.
const SERVER_CODE: &str = r#"
import http.server, json, sys
class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = json.dumps({"path": self.path}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
http.server.ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), Answer).serve_forever()
"#;

/// Sends a request every 20 ms on one connection; its path counts them.
const CLIENT_CODE: &str = r#"
import socket, sys, time
connection = socket.create_connection((sys.argv[1], int(sys.argv[2])))
number = 0
while True:
    connection.sendall(f"GET /c{sys.argv[3]}/{number} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    answer = b""
    while b"}" not in answer:
        answer += connection.recv(65536)
    number += 1
    time.sleep(0.02)
"#;

/// Two hosts on one cable. Dropping it ends what runs on them.
struct Wire {
    client: String,
    server: String,
    children: Vec<Child>,
}

impl Wire {
    /// `None`, with a notice, where namespaces cannot be made.
    fn lay(name: &str) -> Option<Self> {
        let id = std::process::id();
        let wire = Self {
            client: format!("tw-c-{name}-{id}"),
            server: format!("tw-s-{name}-{id}"),
            children: vec![],
        };
        if !ip(&["netns", "add", &wire.client]) || !ip(&["netns", "add", &wire.server]) {
            tapwire_testkit::peers::skipped("network namespaces need root");
            return None;
        }
        for namespace in [&wire.client, &wire.server] {
            assert!(ip(&["-n", namespace, "link", "set", "lo", "up"]));
        }
        wire.plug();
        Some(wire)
    }

    /// The cable.
    fn plug(&self) {
        let (client, server) = (&self.client, &self.server);
        let steps: [&[&str]; 5] = [
            &["-n", client, "link", "add", "veth0", "type", "veth", "peer", "name", "veth1", "netns", server],
            &["-n", client, "addr", "add", "10.77.0.1/24", "dev", "veth0"],
            &["-n", server, "addr", "add", "10.77.0.2/24", "dev", "veth1"],
            &["-n", client, "link", "set", "veth0", "up"],
            &["-n", server, "link", "set", "veth1", "up"],
        ];
        for step in steps {
            assert!(ip(step), "ip {}", step.join(" "));
        }
    }

    /// A second cable for what the server answers, so that no interface of the server sees both directions.
    fn split_directions(&self) {
        let (client, server) = (&self.client, &self.server);
        let steps: [&[&str]; 6] = [
            &["-n", client, "link", "add", "back0", "type", "veth", "peer", "name", "back1", "netns", server],
            &["-n", client, "addr", "add", "10.78.0.1/24", "dev", "back0"],
            &["-n", server, "addr", "add", "10.78.0.2/24", "dev", "back1"],
            &["-n", client, "link", "set", "back0", "up"],
            &["-n", server, "link", "set", "back1", "up"],
            &["-n", server, "route", "add", "10.77.0.1/32", "via", "10.78.0.1", "dev", "back1"],
        ];
        for step in steps {
            assert!(ip(step), "ip {}", step.join(" "));
        }
    }

    fn serve(&mut self) {
        self.serve_on(SERVER);
    }

    fn serve_on(&mut self, address: &str) {
        let server =
            self.on_server("python3").args(["-c", SERVER_CODE, address, PORT]).spawn().expect("python3");
        self.children.push(server);
        let answers = || self.get_from(address, &["/ready"]);
        assert!((0..100).any(|_| answers() || pause()), "the server does not answer");
    }

    /// Requests these paths one after the other on one connection.
    fn get(&self, paths: &[&str]) -> bool {
        self.get_from(SERVER, paths)
    }

    fn get_from(&self, address: &str, paths: &[&str]) -> bool {
        let urls = paths.iter().map(|path| format!("http://{address}:{PORT}{path}"));
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.client, "curl", "-s", "-f", "-m", "20"]).args(urls);
        command.stdout(Stdio::null()).status().expect("curl").success()
    }

    /// Requests it until it is answered: a link that has just come up needs a moment.
    fn get_at_last(&self, path: &str) {
        assert!((0..100).any(|_| self.get(&[path]) || pause()), "{path} is not answered");
    }

    fn on_server(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.server, program]);
        command
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
        for name in [&self.client, &self.server] {
            let _ = ip(&["netns", "del", name]);
        }
    }
}

/// `tapwire run` on the server's end of the wire, its events read as they come.
struct Sensor {
    child: Child,
    events: Receiver<Value>,
    data: tempfile::TempDir,
}

impl Sensor {
    fn start(wire: &Wire, arguments: &[&str]) -> Self {
        Self::begin(&mut wire.on_server(&binary().to_string_lossy()), arguments)
    }

    /// The same by a command that ends with the program.
    fn begin(command: &mut Command, arguments: &[&str]) -> Self {
        let data = tempfile::tempdir().expect("a temporary folder");
        let mut child = command
            .args(["run", "--events", "-", "--only", "exchanges", "--token-key"])
            .arg(token_key(data.path()))
            .arg("--data")
            .arg(data.path().join("data"))
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("tapwire can be started");
        let events = lines(child.stdout.take().expect("a pipe"));
        Self { child, events, data }
    }

    /// Requests `/probe` until the first is reported: from then on the sensor listens.
    fn wait_until_it_listens(&mut self, wire: &Wire) {
        for _ in 0..200 {
            assert!(wire.get(&["/probe"]), "the server went away");
            if self.events.recv_timeout(Duration::from_millis(250)).is_ok() {
                return;
            }
            if let Some(status) = self.child.try_wait().expect("a child") {
                panic!("tapwire ended with {status}: {}", self.stderr());
            }
        }
        panic!("no event came");
    }

    fn events_until(&self, last: &str) -> Vec<Value> {
        let mut events: Vec<Value> = Vec::new();
        while events.last().is_none_or(|event| path(event) != last) {
            let next = self.events.recv_timeout(PATIENCE);
            events.push(next.unwrap_or_else(|_| panic!("{last} did not come after {} events", events.len())));
        }
        events
    }

    /// The message of the next event of the sensor with this code.
    fn message_until(&self, code: &str) -> String {
        loop {
            let event = self.events.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("{code} did not come"));
            if event.pointer("/metadata/event_code").and_then(Value::as_str) == Some(code) {
                return event["message"].as_str().unwrap_or_default().to_owned();
            }
        }
    }

    fn paths_until(&self, last: &str) -> Vec<String> {
        self.events_until(last).iter().map(path).collect()
    }

    /// Interrupts it as Ctrl-C does; gives the exit code, the paths that were still to come, and standard error.
    fn interrupt(mut self) -> (Option<i32>, Vec<String>, String) {
        let sent = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status().expect("kill");
        assert!(sent.success());
        let status = self.child.wait().expect("a child");
        let rest = self.events.iter().map(|event| path(&event)).collect();
        (status.code(), rest, self.stderr())
    }

    fn stderr(&mut self) -> String {
        let mut text = String::new();
        self.child.stderr.take().expect("a pipe").read_to_string(&mut text).expect("UTF-8");
        text
    }
}

impl Drop for Sensor {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads on while the test does something else, so that the sensor never waits for its reader.
fn lines(stdout: ChildStdout) -> Receiver<Value> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines() {
            let line = line.expect("UTF-8");
            let event = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
            if sender.send(event).is_err() {
                return;
            }
        }
    });
    receiver
}

fn path(event: &Value) -> String {
    event.pointer("/http_request/url/path").and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn ip(arguments: &[&str]) -> bool {
    Command::new("ip").args(arguments).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

fn pause() -> bool {
    std::thread::sleep(Duration::from_millis(100));
    false
}

fn orders(from: u32, count: u32) -> Vec<String> {
    (from..from + count).map(|number| format!("/orders/{number}")).collect()
}

fn requests(paths: &[String]) -> Vec<&str> {
    paths.iter().map(String::as_str).collect()
}

#[test]
fn exchanges_appear_while_they_happen_and_an_interrupt_flushes_the_rest() {
    let Some(mut wire) = Wire::lay("run") else { return };
    wire.serve();
    let mut sensor = Sensor::start(&wire, &["-i", "veth1"]);
    sensor.wait_until_it_listens(&wire);

    let first = orders(0, 50);
    assert!(wire.get(&requests(&first)));
    let seen: Vec<String> =
        sensor.paths_until("/orders/49").into_iter().filter(|path| path != "/probe").collect();
    assert_eq!(seen, first, "live events in the order of the exchanges");

    let last = orders(50, 50);
    assert!(wire.get(&requests(&last)));
    let (code, rest, stderr) = sensor.interrupt();
    assert_eq!(code, Some(130), "{stderr}");
    assert_eq!(rest, last, "what was on the wire before the interrupt is reported: {stderr}");
    assert!(stderr.contains("exchange"), "a summary ends the run: {stderr}");
}

#[test]
fn privileges_are_dropped_once_the_interface_is_open() {
    let Some(mut wire) = Wire::lay("priv") else { return };
    wire.serve();
    let mut sensor = Sensor::start(&wire, &["-i", "veth1"]);
    sensor.wait_until_it_listens(&wire);
    let status = fs::read_to_string(format!("/proc/{}/status", sensor.child.id())).expect("the sensor runs");
    let field =
        |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim();
    assert!(!field("Uid:").split_whitespace().any(|id| id == "0"), "still root: {status}");
    assert_eq!(field("CapEff:"), "0000000000000000", "still has capabilities: {status}");
    assert_eq!(field("CapPrm:"), "0000000000000000", "may take capabilities back: {status}");
}

#[test]
fn two_interfaces_feed_one_flow_table() {
    let Some(mut wire) = Wire::lay("two") else { return };
    wire.split_directions();
    wire.serve();
    let mut sensor = Sensor::start(&wire, &["-i", "veth1", "-i", "back1"]);
    sensor.wait_until_it_listens(&wire);
    let paths = orders(0, 20);
    assert!(wire.get(&requests(&paths)));
    let seen = sensor.events_until("/orders/19");
    let orders: Vec<&Value> = seen.iter().filter(|event| path(event) != "/probe").collect();
    assert_eq!(orders.iter().map(|event| path(event)).collect::<Vec<_>>(), paths);
    for event in orders {
        let status = event.pointer("/http_response/code").and_then(Value::as_u64);
        let pairing = event.pointer("/unmapped/seen/pairing").and_then(Value::as_str);
        assert_eq!(
            (status, pairing),
            (Some(200), Some("certain")),
            "each half came by its own interface: {event}"
        );
    }
}

#[test]
fn a_capture_filter_and_a_limit_hold_live() {
    let Some(mut wire) = Wire::lay("filter") else { return };
    wire.serve();
    let mut sensor = Sensor::start(&wire, &["-i", "veth1", "-c", "5", "tcp", "port", PORT]);
    sensor.wait_until_it_listens(&wire);
    assert!(wire.get(&requests(&orders(0, 10))));
    let status = sensor.child.wait().expect("a child");
    assert_eq!(status.code(), Some(0), "-c 5 ends the run: {}", sensor.stderr());
    assert_eq!(sensor.events.iter().count(), 4, "five with the probe");
}

#[test]
fn what_is_kept_belongs_to_the_user_that_the_sensor_becomes() {
    let Some(mut wire) = Wire::lay("kept") else { return };
    wire.serve();
    let mut sensor = Sensor::start(&wire, &["-i", "veth1", "--only", "sensor,exchanges", "-c", "5"]);
    sensor.wait_until_it_listens(&wire);
    assert!(wire.get(&requests(&orders(0, 10))));
    let status = sensor.child.wait().expect("a child");
    assert_eq!(status.code(), Some(0), "{}", sensor.stderr());
    let codes: Vec<Value> =
        sensor.events.iter().filter_map(|event| event.pointer("/metadata/event_code").cloned()).collect();
    assert_eq!(codes.last().and_then(Value::as_str), Some("sensor.summary"), "the run's own last event");
    let data = sensor.data.path().join("data");
    let kept = tapwire_tests::files_below(&data, &|_| true);
    assert!(kept.iter().any(|file| file.to_string_lossy().ends_with(".ndjson.zst")), "{kept:?}");
    for file in kept.iter().chain([&data]) {
        let owner = fs::metadata(file).expect("a file of the run").uid();
        assert_ne!(owner, 0, "{} is still root's", file.display());
    }
}

#[test]
fn a_data_directory_that_the_user_cannot_reach_is_said_at_the_start() {
    let Some(mut wire) = Wire::lay("closed") else { return };
    wire.serve();
    let closed = tempfile::tempdir().expect("a temporary folder");
    fs::set_permissions(closed.path(), fs::Permissions::from_mode(0o700)).expect("a folder of our own");
    let data = closed.path().join("data");
    let output = wire
        .on_server(&binary().to_string_lossy())
        .args(["run", "-i", "veth1", "-c", "1", "--token-key"])
        .arg(token_key(closed.path()))
        .arg("--data")
        .arg(&data)
        .output()
        .expect("tapwire can be started");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(
        stderr.contains("capture.user") && stderr.contains(&*closed.path().to_string_lossy()),
        "{stderr}"
    );
}

#[test]
fn a_hangup_ends_no_tap_and_a_second_interrupt_ends_any_run_at_once() {
    let Some(mut wire) = Wire::lay("signals") else { return };
    wire.serve();
    let mut sensor = Sensor::start(&wire, &["-i", "veth1"]);
    sensor.wait_until_it_listens(&wire);
    let sent = Command::new("kill").args(["-HUP", &sensor.child.id().to_string()]).status().expect("kill");
    assert!(sent.success());
    assert!(wire.get(&["/orders/1"]));
    assert!(sensor.paths_until("/orders/1").contains(&"/orders/1".to_owned()), "it senses on");

    let folder = tempfile::tempdir().expect("a temporary folder");
    // A replay that waits for its input sees the first signal only when something comes. What a shell starts in the background
    // is deaf to interrupts until it asks for them, and so would be what this test starts.
    let mut waiting = Command::new("env")
        .arg("--default-signal=INT")
        .arg(binary())
        .args(["replay", "-", "--token-key"])
        .arg(token_key(folder.path()))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("tapwire can be started");
    let id = waiting.id().to_string();
    let ended = (0..200).find_map(|_| {
        let _ = Command::new("kill").args(["-INT", &id]).status();
        pause();
        waiting.try_wait().expect("a child")
    });
    // Before it listens to signals the system ends it, which a shell reports as 130 too.
    let status = ended.expect("two interrupts did not end it");
    assert!(status.code() == Some(130) || status.signal() == Some(2), "{status}");
}

#[test]
fn doctor_looks_at_an_interface() {
    let Some(mut wire) = Wire::lay("doctor") else { return };
    wire.serve();
    let mut doctor = wire.on_server(&binary().to_string_lossy());
    doctor.args(["doctor", "-i", "veth1", "--json", "--seconds", "4"]).stderr(Stdio::piped());
    let mut doctor = doctor.stdout(Stdio::piped()).spawn().expect("tapwire can be started");
    while doctor.try_wait().expect("a child").is_none() {
        assert!(wire.get(&requests(&orders(0, 20))), "the server went away");
    }
    let output = doctor.wait_with_output().expect("a child");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    let report: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    assert!(report.get("exchanges").and_then(Value::as_u64) > Some(0), "{report}");
    assert_eq!(report.pointer("/sources/0").and_then(Value::as_str), Some("veth1"));
}

#[test]
fn an_interface_that_goes_down_or_is_made_anew_is_taken_up_again() {
    let Some(mut wire) = Wire::lay("link") else { return };
    wire.serve();
    let mut sensor = Sensor::start(&wire, &["-i", "veth1", "--only", "exchanges,sensor"]);
    sensor.wait_until_it_listens(&wire);
    let (client, server) = (wire.client.clone(), wire.server.clone());

    assert!(ip(&["-n", &server, "link", "set", "veth1", "down"]));
    assert!(sensor.message_until("sensor.degraded").contains("veth1: the interface is down"));
    assert!(ip(&["-n", &server, "link", "set", "veth1", "up"]));
    assert!(sensor.message_until("sensor.degraded").contains("up again after"));
    wire.get_at_last("/after/down");
    sensor.paths_until("/after/down");

    // Removed, and made anew under the same name, while the sensor has no privileges any more.
    assert!(ip(&["-n", &client, "link", "del", "veth0"]));
    assert!(sensor.message_until("sensor.degraded").contains("was removed"));
    wire.plug();
    assert!(sensor.message_until("sensor.degraded").contains("made anew"));
    wire.get_at_last("/after/anew");
    sensor.paths_until("/after/anew");
    let (code, _, stderr) = sensor.interrupt();
    assert_eq!(code, Some(130), "{stderr}");
    assert!(stderr.contains("the interface was removed"), "people are told, too: {stderr}");
}

#[test]
fn a_tap_says_that_it_lives_and_when_it_hears_nothing() {
    let Some(mut wire) = Wire::lay("heart") else { return };
    wire.serve();
    let port = format!("tcp port {PORT}");
    let seconds = ["--set", "heartbeat.every=1", "--set", "heartbeat.silent_after=2"];
    let mut sensor = Sensor::start(
        &wire,
        &[&["-i", "veth1", "--only", "exchanges,sensor", "-f", &port], &seconds[..]].concat(),
    );
    sensor.wait_until_it_listens(&wire);
    assert!(sensor.message_until("sensor.heartbeat").contains("packets and"));
    assert!(sensor.message_until("sensor.silent").contains("no packet for 2 s"));
    assert!(wire.get(&["/again"]));
    assert!(sensor.message_until("sensor.silent").contains("packets again after"));
}

/// When each exchange of the counting clients began, by its path.
fn counted(events: &[Value]) -> BTreeMap<String, i64> {
    let begun = |event: &Value| event.get("start_time").and_then(Value::as_i64).expect("a time");
    let counted = events.iter().filter(|event| path(event).starts_with("/c"));
    counted.map(|event| (path(event), begun(event))).collect()
}

#[test]
fn stopped_and_started_in_mid_traffic_it_misses_at_most_one_exchange_a_connection() {
    let Some(mut wire) = Wire::lay("again") else { return };
    wire.serve();
    let mut always = Sensor::start(&wire, &["-i", "veth1"]);
    always.wait_until_it_listens(&wire);
    for connection in ["0", "1", "2"] {
        let mut client = Command::new("ip");
        client.args(["netns", "exec", &wire.client, "python3", "-c", CLIENT_CODE, SERVER, PORT, connection]);
        wire.children.push(client.spawn().expect("python3"));
    }
    let mut runs = Vec::new();
    for last in ["/end/0", "/end/1"] {
        let mut sensor = Sensor::start(&wire, &["-i", "veth1"]);
        sensor.wait_until_it_listens(&wire);
        std::thread::sleep(Duration::from_secs(1));
        assert!(wire.get(&[last]));
        runs.push(counted(&sensor.events_until(last)));
    }
    assert!(wire.get(&["/all/ended"]));
    let all = counted(&always.events_until("/all/ended"));
    for seen in runs {
        let (first, last) =
            (seen.values().min().expect("exchanges"), seen.values().max().expect("exchanges"));
        for connection in ["/c0/", "/c1/", "/c2/"] {
            let of_it = |(path, begun): &(&String, &i64)| {
                path.starts_with(connection) && *begun > first && *begun < last
            };
            let meant: Vec<_> = all.iter().filter(of_it).collect();
            let missed = meant.iter().filter(|(path, _)| !seen.contains_key(*path)).count();
            assert!(meant.len() > 2 && missed <= 1, "{missed} of {} missed on {connection}", meant.len());
        }
    }
}
