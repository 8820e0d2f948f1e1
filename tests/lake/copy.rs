//! Copies of the tables in a store of objects: other engines read the same rows there, and refusals are one line.

use crate::engines::{answers_alike, distributed, engines};
use crate::store::{SECRET, Store};
use crate::{PATIENCE, fixture, replayed};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use tapwire_tests::{Ran, Tapwire, binary};

fn replay(data: &Path, name: &str) {
    let run = Tapwire::new(["replay", "--again", "-q", "--events", "null://", "--data"]).args([data]);
    let _ran = run.args([fixture(name).path()]).run().ok("a run");
}

/// What a copy says that it did.
fn done(ran: Ran) -> Value {
    ran.ok("copy").events().pop().expect("a line")
}

#[test]
fn a_copy_in_a_store_holds_the_same_rows() {
    let Some(store) = Store::start() else { return };
    let (data, _) = replayed("demo");
    let first = done(store.copy(data.path(), &[]));
    assert!(first["commits"].as_u64() > Some(4) && first["files"].as_u64() > Some(2), "{first}");
    let nothing = serde_json::json!({"files": 0, "bytes": 0, "commits": 0, "deleted": 0});
    assert_eq!(done(store.copy(data.path(), &[])), nothing);
    // Files that are put together, a checkpoint, a shorter log.
    for _ in 0..20 {
        replay(data.path(), "basic-rest");
    }
    let more = done(store.copy(data.path(), &[]));
    assert!(more["commits"].as_u64() >= Some(20), "{more}");
    let keep = ["--set", "lake.days.exchanges=0", "--set", "lake.grace_minutes=0", "--data"];
    for _ in 0..2 {
        let maintain = Tapwire::new(["lake", "maintain"]).args(keep).args([data.path()]);
        let _ran = maintain.run().ok("maintain");
        let _done = done(store.copy(data.path(), &[]));
    }
    replay(data.path(), "websocket");
    let last = done(store.copy(data.path(), &[]));
    assert!(last["commits"].as_u64() > Some(0), "{last}");
    let (place, variables) = (Path::new("s3://lake/site"), store.variables());
    if let Some(packages) = engines() {
        answers_alike("deltalake", &packages, place, &variables, data.path());
        answers_alike("duckdb", &packages, place, &variables, data.path());
    }
    if let Some(packages) = distributed() {
        answers_alike("daft", &packages, place, &variables, data.path());
    }
}

#[test]
fn refusals_of_a_store_are_one_line_and_name_no_secret() {
    let Some(store) = Store::start() else { return };
    let (data, _) = replayed("basic-rest");
    let is_told = |ran: Ran, words: &str| {
        assert_eq!((ran.code, ran.stderr.lines().count()), (Some(2), 1), "{}", ran.stderr);
        assert!(ran.stderr.contains(words) && !ran.stderr.contains(SECRET), "{words}: {}", ran.stderr);
    };
    let with = |name: &str, value: &str| store.copy(data.path(), &[(name, value)]);
    is_told(
        with("AWS_SECRET_ACCESS_KEY", "another-secret"),
        "refuses these credentials (SignatureDoesNotMatch)",
    );
    is_told(with("AWS_ACCESS_KEY_ID", "nobody"), "refuses these credentials (InvalidAccessKeyId)");
    is_told(with("AWS_SECRET_ACCESS_KEY", ""), "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY");
    is_told(with("AWS_ENDPOINT_URL", "http://store.example"), "give https://");
    // Nobody listens on the port of discarded bytes.
    is_told(with("AWS_ENDPOINT_URL", "http://127.0.0.1:9"), "http://127.0.0.1:9 cannot be reached");
    is_told(store.copy_to("s3://nowhere/site", data.path(), &[]), "the store has no bucket nowhere");
    is_told(store.copy_to("lake/site", data.path(), &[]), "write it like s3://BUCKET/FOLDER");
    // Nothing of that left anything behind; another lake does not go into the same folder.
    let _done = done(store.copy(data.path(), &[]));
    let (other, _) = replayed("websocket");
    is_told(store.copy(other.path(), &[]), "is no copy of this one");
    let _done = done(store.copy_to("s3://lake/other", other.path(), &[]));
}

/// A process that is killed when it is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_copy_goes_on_while_runs_write() {
    let Some(store) = Store::start() else { return };
    let (data, _) = replayed("basic-rest");
    let child = Command::new(binary())
        .args(["lake", "copy", "s3://lake/site", "--json", "--every", "1", "--data"])
        .arg(data.path())
        .envs(store.variables())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut child = Running(child);
    let (send, lines) = channel();
    let output = BufReader::new(child.0.stdout.take().expect("a pipe"));
    let reader =
        std::thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| send.send(line)));
    let next = || lines.recv_timeout(PATIENCE).expect("a line");
    assert!(next().contains("\"commits\":"), "the first copy");
    replay(data.path(), "websocket");
    let line: Value = serde_json::from_str(&next()).expect("JSON");
    assert!(line["commits"].as_u64() > Some(0), "{line}");
    let asked = Command::new("kill").args(["-INT", &child.0.id().to_string()]).status().expect("kill");
    assert!(asked.success() && child.0.wait().expect("its end").success());
    drop(reader);
}
