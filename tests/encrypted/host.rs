//! A host of one's own: a network namespace with loopback, a folder, and what runs there.

use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use tapwire_tests::{binary, token_key};

/// Longest wait for something that has to happen; far beyond what it takes, so that a busy machine fails no test.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Dropping it ends what runs there.
pub(crate) struct Host {
    namespace: String,
    pub(crate) folder: tempfile::TempDir,
    children: Vec<Child>,
}

impl Host {
    /// `None`, with a notice, where namespaces cannot be made.
    pub(crate) fn new() -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let namespace = format!("tw-k-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let folder = tempfile::tempdir().expect("a temporary folder");
        let host = Self { namespace, folder, children: Vec::new() };
        if !ip(&["netns", "add", &host.namespace]) || !ip(&["-n", &host.namespace, "link", "set", "lo", "up"])
        {
            tapwire_testkit::peers::skipped("network namespaces need root");
            return None;
        }
        Some(host)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file of the host's folder and gives its path.
    pub(crate) fn file(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        fs::write(&path, text).expect("the folder is writable");
        path.display().to_string()
    }

    /// A program on this host, with its folder as working directory.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespace, program]).current_dir(self.folder.path());
        command.stdin(Stdio::null());
        command
    }

    /// Starts a program that runs as long as the host.
    pub(crate) fn start(&mut self, mut command: Command) -> usize {
        let log = fs::File::create(self.path(&format!("log.{}", self.children.len()))).expect("a log");
        let child = command.stdout(log.try_clone().expect("a log")).stderr(log).spawn();
        self.children.push(child.expect("the program starts"));
        self.children.len() - 1
    }

    /// What the programs of [`Self::start`] have written.
    pub(crate) fn log(&self) -> String {
        let logs = (0..self.children.len()).map(|number| self.path(&format!("log.{number}")));
        logs.map(|path| fs::read_to_string(path).unwrap_or_default()).collect()
    }

    pub(crate) fn end(&mut self, number: usize) {
        let child = &mut self.children[number];
        Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill");
        child.wait().expect("a child");
    }

    /// Waits until a program ends by itself.
    pub(crate) fn waits_for(&mut self, number: usize) {
        let child = &mut self.children[number];
        let ended = wait_until(|| child.try_wait().expect("a child").is_some());
        assert!(ended.is_ok(), "it did not end");
    }

    /// Waits until something listens.
    pub(crate) fn listens(&self, port: u16) {
        let code = format!("import socket; socket.create_connection(('127.0.0.1', {port}), 1)");
        let up = || {
            self.command("python3")
                .args(["-c", &code])
                .stderr(Stdio::null())
                .status()
                .expect("python3")
                .success()
        };
        wait_until(up).unwrap_or_else(|()| panic!("nothing listens on {port}:\n{}", self.log()));
    }

    /// A request of `path` to port 8443 by Python, which stays connected for a second after its answer; `version` limits TLS, and
    /// a key log is written where one is named.
    pub(crate) fn call(&self, path: &str, version: &str, log: Option<&str>) {
        let log = log.map(|log| format!("context.keylog_filename = {log:?}")).unwrap_or_default();
        let limit = match version {
            "" => String::new(),
            version => format!("context.maximum_version = ssl.TLSVersion.TLSv{}", version.replace('.', "_")),
        };
        let code = format!(
            "import socket, ssl, time\ncontext = ssl.create_default_context()\ncontext.check_hostname = False\n\
             context.verify_mode = ssl.CERT_NONE\n{log}\n{limit}\n\
             with context.wrap_socket(socket.create_connection(('127.0.0.1', 8443))) as connection:\n    \
             connection.sendall(b'GET {path} HTTP/1.1\\r\\nHost: shop.test\\r\\n\\r\\n')\n    \
             connection.recv(65536)\n    time.sleep(1)\n"
        );
        let called = self.command("python3").args(["-c", &code]).status().expect("python3");
        assert!(called.success(), "{path}: {}", self.log());
    }

    /// A self-signed certificate for 127.0.0.1: `cert.pem` and `key.pem`.
    pub(crate) fn certificate(&self) {
        let words =
            "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout key.pem -out cert.pem";
        let made = self.command("openssl").args(words.split(' ')).stderr(Stdio::null()).status();
        assert!(made.expect("openssl").success(), "openssl made no certificate");
    }

    /// `tapwire run` on this host's loopback.
    pub(crate) fn sense(&self, arguments: &[&str]) -> Sensor {
        let mut command = self.command(&binary().display().to_string());
        let home = tempfile::tempdir().expect("a temporary folder");
        // The sensor becomes another user, who has to get at its data.
        fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755)).expect("the folder is ours");
        let key = token_key(home.path());
        let data = home.path().join("data");
        command.args([
            "run",
            "-i",
            "lo",
            "--events",
            "-",
            "--format",
            "ocsf",
            "--only",
            "exchanges",
            "--token-key",
        ]);
        command.arg(key).arg("--data").arg(data).args(arguments).env("HOME", home.path());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("tapwire");
        let events = lines(child.stdout.take().expect("a pipe"));
        let told = lines(child.stderr.take().expect("a pipe"));
        let mut sensor = Sensor { child, events, told, said: Vec::new(), _home: home };
        sensor.hears("capturing");
        sensor
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
        ip(&["netns", "del", &self.namespace]);
    }
}

/// A running `tapwire`.
pub(crate) struct Sensor {
    child: Child,
    events: Receiver<String>,
    told: Receiver<String>,
    /// What it told so far.
    pub(crate) said: Vec<String>,
    _home: tempfile::TempDir,
}

impl Sensor {
    /// Waits for a line on standard error.
    pub(crate) fn hears(&mut self, word: &str) {
        while let Ok(line) = self.told.recv_timeout(PATIENCE) {
            let found = line.contains(word);
            self.said.push(line);
            if found {
                return;
            }
        }
        panic!("the sensor never said {word:?}: {:?}", self.said);
    }

    /// Waits for the event of this path.
    pub(crate) fn event(&self, path: &str) -> Value {
        while let Ok(line) = self.events.recv_timeout(PATIENCE) {
            let event: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
            if event.pointer("/http_request/url/path").and_then(Value::as_str) == Some(path) {
                return event;
            }
        }
        panic!("no event of {path}");
    }

    /// Interrupts it; all events that were left, and all that it told.
    pub(crate) fn stop(mut self) -> (Vec<String>, Vec<String>) {
        let pid = self.child.id().to_string();
        Command::new("kill").args(["-INT", &pid]).status().expect("kill");
        let events = self.events.iter().collect();
        self.child.wait().expect("tapwire");
        let mut said = std::mem::take(&mut self.said);
        said.extend(self.told.iter());
        (events, said)
    }
}

impl Drop for Sensor {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lines(pipe: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        BufReader::new(pipe).lines().map_while(Result::ok).all(|line| sender.send(line).is_ok())
    });
    receiver
}

/// Whether it came to hold within [`PATIENCE`].
pub(crate) fn wait_until(mut holds: impl FnMut() -> bool) -> Result<(), ()> {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        if holds() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(30));
    }
    Err(())
}

fn ip(words: &[&str]) -> bool {
    Command::new("ip").args(words).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}
