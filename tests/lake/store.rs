//! A store of objects that tests start: SeaweedFS, which checks signatures.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tapwire_tests::{Ran, Tapwire};

/// Longer than any machine takes that still works.
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) const KEY: &str = "tapwire-test";
pub(crate) const SECRET: &str = "a-secret-of-the-tests";

/// The store with an empty bucket `lake`, killed when it is dropped.
pub(crate) struct Store {
    folder: tempfile::TempDir,
    child: Child,
    address: SocketAddr,
    filer: SocketAddr,
}

impl Store {
    /// Starts it; `None` where there is none, which is said.
    pub(crate) fn start() -> Option<Self> {
        let weed = std::env::var_os("TAPWIRE_STORE").map(|folder| Path::new(&folder).join("bin/weed"));
        let Some(weed) = weed.filter(|weed| weed.is_file()) else {
            tapwire_testkit::peers::missing("TAPWIRE_STORE names no folder with bin/weed");
            return None;
        };
        // Ports that are free may be taken before it has them.
        for _ in 0..5 {
            if let Some(store) = Self::try_start(&weed) {
                return Some(store);
            }
        }
        panic!("the store does not start");
    }

    fn try_start(weed: &Path) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let identity = serde_json::json!({"identities": [{
            "name": "tests", "credentials": [{"accessKey": KEY, "secretKey": SECRET}],
            "actions": ["Admin", "Read", "Write", "List"],
        }]});
        fs::write(folder.path().join("s3.json"), identity.to_string()).expect("a file");
        fs::create_dir(folder.path().join("objects")).expect("a folder");
        let free: Vec<SocketAddr> = free();
        let ports = ["master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port"];
        let ports = ports.iter().chain(&["filer.port.grpc", "s3.port", "s3.port.grpc"]);
        let log = fs::File::create(folder.path().join("log")).expect("a file");
        let mut command = Command::new(weed);
        command.args(["server", "-filer", "-s3", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-dir=objects"]);
        command.args(["-s3.config=s3.json", "-volume.max=20", "-master.volumeSizeLimitMB=64"]);
        command.args([
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            "-metricsPort=0",
            "-volume.preStopSeconds=0",
        ]);
        command.args(ports.zip(&free).map(|(name, at)| format!("-{name}={}", at.port())));
        command.current_dir(folder.path()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let child = command.spawn().expect("weed can be started");
        let mut store = Self { folder, child, address: free[6], filer: free[4] };
        store.is_there().then_some(store)
    }

    /// Waits until the bucket takes objects and can be asked; `false` where the store ended.
    fn is_there(&mut self) -> bool {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            if self.child.try_wait().expect("its state").is_some() {
                return false;
            }
            // Folders below /buckets are the buckets. What holds objects may be there later than what lists them, and the part
            // that checks signatures later than both.
            let is_done = |status: Option<u16>| status.is_some_and(|status| (200..300).contains(&status));
            if is_done(ask(self.filer, "POST /buckets/lake/", ""))
                && is_done(ask(self.filer, "PUT /ready", "x"))
            {
                let info = Tapwire::new(["lake", "info", "--data", "s3://lake/nothing"]);
                if self.with(info, &[]).run().stderr.contains("no tables are there") {
                    return true;
                }
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        panic!("the store is not there: {log}");
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Variables by which a tool finds the store and may ask it.
    pub(crate) fn variables(&self) -> [(&'static str, String); 4] {
        [
            ("AWS_ENDPOINT_URL", self.endpoint()),
            ("AWS_ACCESS_KEY_ID", KEY.into()),
            ("AWS_SECRET_ACCESS_KEY", SECRET.into()),
            ("AWS_REGION", "us-east-1".into()),
        ]
    }

    /// `tapwire lake copy` of that data directory, to the folder `site` of the bucket.
    pub(crate) fn copy(&self, data: &Path, more: &[(&str, &str)]) -> Ran {
        self.copy_to("s3://lake/site", data, more)
    }

    /// The same to another place; variables of `more` come last.
    pub(crate) fn copy_to(&self, url: &str, data: &Path, more: &[(&str, &str)]) -> Ran {
        let data: PathBuf = data.to_owned();
        let copy = Tapwire::new(["lake", "copy", url, "--json", "--data"]).args([data]);
        self.with(copy, more).run()
    }

    /// A command that finds the store; variables of `more` come last.
    pub(crate) fn with(&self, command: Tapwire, more: &[(&str, &str)]) -> Tapwire {
        let command =
            self.variables().iter().fold(command, |command, (name, value)| command.env(name, value));
        more.iter().fold(command, |command, (name, value)| command.env(name, value))
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Places that are free at this moment, all different.
fn free() -> Vec<SocketAddr> {
    let bound: Vec<TcpListener> =
        (0..8).map(|_| TcpListener::bind("127.0.0.1:0").expect("a free port")).collect();
    bound.iter().map(|one| one.local_addr().expect("its address")).collect()
}

/// The status of an answer; `None` where nobody answers.
fn ask(address: SocketAddr, request: &str, body: &str) -> Option<u16> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    let length = body.len();
    write!(
        stream,
        "{request} HTTP/1.1\r\nHost: {address}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
    .ok()?;
    let mut head = [0; 12];
    stream.read_exact(&mut head).ok()?;
    std::str::from_utf8(head.get(9..)?).ok()?.parse().ok()
}
