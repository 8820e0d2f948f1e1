//! A collector that tests start, kill and ask, and a sensor that says what it likes.

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tapwire_tests::{Ran, Tapwire, binary};

const PATIENCE: Duration = Duration::from_secs(120);
const DAY: i64 = 86_400_000;
/// Of events that are made up: young enough that no retention takes them, and no midnight is near.
#[expect(clippy::disallowed_methods, reason = "a collector keeps events by the wall clock")]
pub(crate) static TIME: LazyLock<i64> = LazyLock::new(|| {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_millis();
    (i64::try_from(now).expect("milliseconds") / DAY - 2) * DAY + DAY / 2
});

/// `tapwire collect` on loopback, killed when it is dropped.
pub(crate) struct Collector {
    folder: tempfile::TempDir,
    arguments: Vec<String>,
    child: Option<Child>,
    told: Receiver<String>,
    address: SocketAddr,
}

impl Collector {
    /// One that brings events into the tables every second.
    pub(crate) fn start() -> Self {
        Self::with(&["--set", "collect.commit=1"])
    }

    pub(crate) fn with(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let arguments: Vec<String> = arguments.iter().map(|text| (*text).to_owned()).collect();
        let listen = "127.0.0.1:0".parse().expect("an address");
        let (child, told, address) = start(&folder.path().join("data"), &arguments, listen);
        Self { folder, arguments, child: Some(child), told, address }
    }

    /// Starts it again, at the same address.
    pub(crate) fn again(&mut self) {
        let (child, told, _) = start(&self.data(), &self.arguments, self.address);
        (self.child, self.told) = (Some(child), told);
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/v1/events", self.address)
    }

    /// Lets a sensor send; gives its token.
    pub(crate) fn enrol(&self, name: &str, arguments: &[&str]) -> String {
        let ran = self.tapwire(&[&["sensor", "add", name], arguments].concat()).ok("sensor add");
        let text = String::from_utf8(ran.stdout).expect("UTF-8");
        let line = text.lines().last().expect("a line");
        let token = line.strip_prefix("TAPWIRE_COLLECTOR_TOKEN=").and_then(|rest| rest.split(' ').next());
        token.expect("a token").to_owned()
    }

    /// A command over its data.
    pub(crate) fn tapwire(&self, arguments: &[&str]) -> Ran {
        Tapwire::new(arguments).args(["--data".as_ref(), self.data().as_os_str()]).run()
    }

    /// The sensors as `sensor list --json` has them.
    pub(crate) fn list(&self) -> Vec<Value> {
        self.tapwire(&["sensor", "list", "--json"]).ok("sensor list").events()
    }

    /// The number `n` of a query's only row.
    pub(crate) fn number(&self, query: &str) -> u64 {
        let rows = self.tapwire(&["sql", "--json", query]).ok(query).events();
        rows[0]["n"].as_u64().unwrap_or_else(|| panic!("{query}: {rows:?}"))
    }

    /// Waits for a line on its standard error.
    pub(crate) fn wait_for(&self, text: &str) -> String {
        loop {
            let line = self.told.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("\"{text}\" was not said"));
            if line.contains(text) {
                return line;
            }
        }
    }

    /// Ends it as an operator does.
    pub(crate) fn stop(&mut self) {
        let mut child = self.child.take().expect("a collector that runs");
        let asked = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill");
        assert!(asked.success());
        let begun = Instant::now();
        let status = loop {
            match child.try_wait().expect("its state") {
                Some(status) => break status,
                None if begun.elapsed() > PATIENCE => panic!("it does not end"),
                None => std::thread::sleep(Duration::from_millis(5)),
            }
        };
        assert!(status.success(), "{status}: {:?}", self.told.try_iter().collect::<Vec<_>>());
    }

    /// Ends it as nobody should.
    pub(crate) fn kill(&mut self) {
        let mut child = self.child.take().expect("a collector that runs");
        child.kill().expect("a kill");
        child.wait().expect("its end");
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn start(data: &Path, arguments: &[String], listen: SocketAddr) -> (Child, Receiver<String>, SocketAddr) {
    let mut command = Command::new(binary());
    command.args(["collect", "--listen", &listen.to_string(), "--data"]).arg(data).args(arguments);
    let mut child =
        command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().expect("tapwire can be started");
    let stderr = child.stderr.take().expect("standard error");
    let (send, told) = channel();
    std::thread::spawn(move || {
        BufReader::new(stderr).lines().map_while(Result::ok).try_for_each(|line| send.send(line))
    });
    let mut before = Vec::new();
    loop {
        let Ok(line) = told.recv_timeout(PATIENCE) else { panic!("it does not start: {before:?}") };
        let place = line.split_once("sensors send to ").and_then(|(_, rest)| rest.split_once("://"));
        let address = place.and_then(|(_, rest)| rest.split('/').next()?.parse().ok());
        match address {
            Some(address) => return (child, told, address),
            None => before.push(line),
        }
    }
}

/// What a collector said.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    /// How many events it took.
    pub(crate) fn accepted(&self) -> u64 {
        let value: Value = serde_json::from_str(&self.body).unwrap_or_default();
        value["accepted"].as_u64().unwrap_or_else(|| panic!("{self:?}"))
    }
}

/// Sends a batch.
pub(crate) fn post(address: SocketAddr, token: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    try_post(address, token, headers, body).expect("an answer")
}

/// The same, where there may be no collector.
pub(crate) fn try_post(
    address: SocketAddr,
    token: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> std::io::Result<Answer> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut head =
        format!("POST /v1/events HTTP/1.1\r\nHost: {address}\r\nContent-Length: {}\r\n", body.len());
    if !token.is_empty() {
        head.push_str(&format!("Authorization: Bearer {token}\r\n"));
    }
    headers.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
    stream.write_all(format!("{head}Connection: close\r\n\r\n").as_bytes())?;
    // Who is refused early may not get everything away.
    let _sent = stream.write_all(body);
    answer(&mut stream)
}

/// Asks for a page.
pub(crate) fn get(address: SocketAddr, path: &str) -> Answer {
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")
        .expect("a writable connection");
    answer(&mut stream).expect("an answer")
}

/// Reads an answer to its end.
pub(crate) fn answer(stream: &mut TcpStream) -> std::io::Result<Answer> {
    let mut bytes = Vec::new();
    let read = stream.read_to_end(&mut bytes);
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok());
    match (text.split_once("\r\n\r\n"), status, read) {
        (Some((head, body)), Some(status), _) => {
            Ok(Answer { status, head: head.to_ascii_lowercase(), body: body.to_owned() })
        }
        (_, _, Err(error)) => Err(error),
        _ => Err(std::io::ErrorKind::UnexpectedEof.into()),
    }
}

/// An exchange, as little of one as is taken.
pub(crate) fn event(uid: u64) -> String {
    let ms = *TIME + i64::try_from(uid % 86_400).unwrap_or_default();
    format!(
        "{{\"time\":{ms},\"class_uid\":6003,\"metadata\":{{\"version\":\"1.8.0\",\"uid\":\"{uid:032x}\",\"sequence\":1}},\
         \"api\":{{\"service\":{{\"name\":\"shop\"}}}}}}\n"
    )
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}
