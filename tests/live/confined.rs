//! What a process may still do when it runs, and with whom it speaks: seen from outside, by the kernel's own account and by strace.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tapwire_testkit::peers;
use tapwire_tests::{binary, token_key, workspace};

use super::{PATIENCE, Sensor, Wire, pause};

/// Takes whatever is posted.
const RECEIVER_CODE: &str = r#"
import http.server
class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *_):
        pass
http.server.ThreadingHTTPServer(("127.0.0.1", 9000), Receiver).serve_forever()
"#;
const RECEIVER: &str = "127.0.0.1:9000";
const EVENTS: &str = "http://127.0.0.1:9000/events";
const CONSOLE: &str = "127.0.0.1:8470";

/// A wire with a receiver of events on the server's side; `None` where there can be none.
fn lay(name: &str) -> Option<Wire> {
    let mut wire = Wire::lay(name)?;
    let receiver = wire.on_server("python3").args(["-c", RECEIVER_CODE]).spawn().expect("python3");
    wire.children.push(receiver);
    let open = || answers(&wire, "http://127.0.0.1:9000/");
    assert!((0..300).any(|_| open() || pause()), "the receiver does not answer");
    Some(wire)
}

/// Whether anything answers there.
fn answers(wire: &Wire, url: &str) -> bool {
    let curl = wire.on_server("curl").args(["-s", "-m", "20", "-o", "/dev/null", url]).status();
    curl.expect("curl").success()
}

#[test]
fn every_thread_of_a_sensor_is_confined() {
    let Some(mut wire) = lay("confine") else { return };
    wire.serve();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let secrets = folder.path().join("secrets.log");
    fs::write(&secrets, "").expect("a file");
    let secrets = secrets.display().to_string();
    let mut sensor =
        Sensor::start(&wire, &["-i", "veth1", "--events", EVENTS, "--serve", CONSOLE, "--keylog", &secrets]);
    sensor.wait_until_it_listens(&wire);
    let tasks = fs::read_dir(format!("/proc/{}/task", sensor.child.id())).expect("the sensor runs");
    let mut threads = 0;
    for task in tasks {
        let status = fs::read_to_string(task.expect("a thread").path().join("status")).unwrap_or_default();
        for line in
            ["Seccomp:\t2", "NoNewPrivs:\t1", "CapPrm:\t0000000000000000", "CapEff:\t0000000000000000"]
        {
            assert!(status.is_empty() || status.contains(line), "{line} is missing: {status}");
        }
        threads += usize::from(!status.is_empty());
    }
    assert!(threads >= 6, "only {threads} threads: are console, receiver and keys among them?");
    let (_, _, stderr) = sensor.interrupt();
    assert!(stderr.contains("sandbox: files ") && stderr.contains(", calls by seccomp"), "{stderr}");
}

/// A command whose calls are written down as it makes them. It keeps its number, so that it can be interrupted.
struct Traced {
    file: PathBuf,
}

impl Traced {
    /// `None`, with a word, where nothing can be traced.
    fn into(folder: &Path) -> Option<Self> {
        if !peers::has("strace") {
            return None;
        }
        let able = Command::new("strace").args(["-o", "/dev/null", "true"]).stderr(Stdio::null()).status();
        if !able.is_ok_and(|status| status.success()) {
            peers::skipped("strace may trace nothing here");
            return None;
        }
        Some(Self { file: folder.join("calls") })
    }

    fn command(&self, wire: &Wire) -> Command {
        let mut command = wire.on_server("strace");
        command.args(["-D", "-f", "-e", "trace=%network,%process,landlock_restrict_self", "-o"]);
        command.arg(&self.file).arg(binary());
        command
    }

    /// What it did, when it has ended.
    fn calls(&self, process: u32) -> Vec<String> {
        let process = process.to_string();
        let until = std::time::Instant::now() + PATIENCE;
        loop {
            let text = fs::read_to_string(&self.file).unwrap_or_default();
            let calls: Vec<(&str, &str)> = text
                .lines()
                .filter_map(|line| line.split_once(' '))
                .map(|(who, call)| (who, call.trim_start()))
                .collect();
            if calls.iter().any(|(who, call)| *who == process && call.starts_with("+++ ")) {
                return calls.into_iter().map(|(_, call)| call.to_owned()).collect();
            }
            assert!(std::time::Instant::now() < until, "the trace has no end:\n{text}");
            pause();
        }
    }
}

/// Families of sockets that were made.
fn families(calls: &[String]) -> BTreeSet<&str> {
    let made = calls.iter().filter_map(|call| call.strip_prefix("socket("));
    made.filter_map(|call| call.split(',').next()).collect()
}

/// Addresses of the internet that a call was made with.
fn addresses(calls: &[String], name: &str) -> BTreeSet<String> {
    let made = calls.iter().filter(|call| call.starts_with(name) && call.contains("AF_INET"));
    made.map(|call| {
        let between = |begin: &str, end| call.split_once(begin)?.1.split_once(end).map(|(found, _)| found);
        let port = between("port=htons(", ")").unwrap_or("none");
        match between("inet_addr(\"", "\"") {
            Some(address) => format!("{address}:{port}"),
            None => call.clone(),
        }
    })
    .collect()
}

fn set(all: &[&str]) -> BTreeSet<String> {
    all.iter().map(|one| (*one).to_owned()).collect()
}

/// Nothing else is started, and threads come when the process is confined.
#[track_caller]
fn keeps_to_itself(calls: &[String]) {
    let programs = calls.iter().filter(|call| call.starts_with("execve(")).count();
    assert_eq!(programs, 1, "{calls:?}");
    let first =
        |names: &[&str]| calls.iter().position(|call| names.iter().any(|name| call.starts_with(name)));
    let (confined, thread) = (first(&["landlock_restrict_self("]), first(&["clone(", "clone3("]));
    if let (Some(confined), Some(thread)) = (confined, thread) {
        assert!(confined < thread, "a thread was started before: {calls:?}");
    }
}

#[test]
fn a_sensor_speaks_with_its_receiver_and_with_nobody_else() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let Some(traced) = Traced::into(folder.path()) else { return };
    let Some(mut wire) = lay("spoken") else { return };
    wire.serve();
    let mut sensor = Sensor::begin(&mut traced.command(&wire), &["-i", "veth1", "--events", EVENTS]);
    let process = sensor.child.id();
    sensor.wait_until_it_listens(&wire);
    let (code, _, stderr) = sensor.interrupt();
    assert_eq!(code, Some(130), "{stderr}");
    let calls = traced.calls(process);
    keeps_to_itself(&calls);
    assert_eq!(addresses(&calls, "connect("), set(&[RECEIVER]), "{calls:?}");
    assert_eq!(addresses(&calls, "bind("), set(&[]), "{calls:?}");
    assert!(!calls.iter().any(|call| call.starts_with("listen(")), "{calls:?}");
    // Packets, what the kernel knows of interfaces, and its receiver.
    let known = BTreeSet::from(["AF_PACKET", "AF_NETLINK", "AF_UNIX", "AF_INET"]);
    assert!(families(&calls).is_subset(&known) && families(&calls).contains("AF_PACKET"), "{calls:?}");
}

/// Runs a command that ends by itself; its calls.
fn carried_out(wire: &Wire, traced: &Traced, folder: &Path, arguments: &[&str]) -> Vec<String> {
    let mut command = traced.command(wire);
    command.args(arguments).arg("--token-key").arg(folder.join("token.key")).stdin(Stdio::null());
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("strace");
    let process = child.id();
    assert!(child.wait().expect("a child").success());
    traced.calls(process)
}

#[test]
fn a_replay_speaks_with_its_receiver_or_with_nobody() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let Some(traced) = Traced::into(folder.path()) else { return };
    let Some(wire) = lay("replayed") else { return };
    let _ = token_key(folder.path());
    let demo = workspace().join("fixtures/demo/in.pcap.gz").display().to_string();
    let out = folder.path().join("events.ndjson").display().to_string();
    let data = folder.path().join("data").display().to_string();
    let calls =
        carried_out(&wire, &traced, folder.path(), &["replay", &demo, "--events", &out, "--data", &data]);
    keeps_to_itself(&calls);
    assert_eq!(families(&calls), BTreeSet::new(), "{calls:?}");
    let calls = carried_out(&wire, &traced, folder.path(), &["replay", &demo, "--events", EVENTS]);
    keeps_to_itself(&calls);
    assert_eq!(addresses(&calls, "connect("), set(&[RECEIVER]), "{calls:?}");
    assert!(families(&calls).is_subset(&BTreeSet::from(["AF_INET", "AF_UNIX"])), "{calls:?}");
    assert!(!calls.iter().any(|call| call.starts_with("listen(")), "{calls:?}");
}

/// Ended with the test, whatever comes of it.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_console_listens_at_its_address_and_calls_nobody() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let Some(traced) = Traced::into(folder.path()) else { return };
    let Some(wire) = Wire::lay("served") else { return };
    let demo = workspace().join("fixtures/demo/in.pcap.gz");
    let mut command = traced.command(&wire);
    command.arg("serve").arg(demo).args(["--listen", CONSOLE, "--token-key"]).arg(token_key(folder.path()));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut console = Ended(command.spawn().expect("strace"));
    let process = console.0.id();
    let page = format!("http://{CONSOLE}/");
    assert!((0..600).any(|_| answers(&wire, &page) || pause()), "the console does not answer");
    let sent = Command::new("kill").args(["-INT", &process.to_string()]).status().expect("kill");
    assert!(sent.success() && console.0.wait().is_ok());
    let calls = traced.calls(process);
    assert_eq!(calls.iter().filter(|call| call.starts_with("execve(")).count(), 1, "{calls:?}");
    assert_eq!(addresses(&calls, "bind("), set(&[CONSOLE]), "{calls:?}");
    assert_eq!(addresses(&calls, "connect("), set(&[]), "{calls:?}");
    assert_eq!(families(&calls), BTreeSet::from(["AF_INET"]), "{calls:?}");
}
