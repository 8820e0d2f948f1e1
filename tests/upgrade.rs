//! A data directory that an earlier version wrote, under the program of today.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tapwire_tests::{Fixture, Ran, Tapwire, fixtures, token_key, workspace};

const STATE: [&str; 4] = ["inventory", "detectors", "incidents", "policies"];
/// Magic, length, sum.
const HEADER: usize = 20;

/// CRC32C, bit by bit (RFC 3720, appendix B.4).
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ if crc & 1 == 1 { 0x82f6_3b78 } else { 0 })
    })
}

/// Puts the sum of its pieces into a checkpoint.
fn seal(bytes: &mut [u8]) {
    let sum = crc32c(&bytes[HEADER..]);
    bytes[16..HEADER].copy_from_slice(&sum.to_le_bytes());
}

/// Makes a checkpoint one of a format that no build reads: whole all the same.
fn age(file: &Path) {
    let mut bytes = fs::read(file).expect("a checkpoint");
    // The first piece begins behind its length with its format.
    let format = HEADER + 4;
    bytes[format..format + 4].copy_from_slice(&[0; 4]);
    seal(&mut bytes);
    fs::write(file, bytes).expect("a file");
}

fn demo() -> Fixture {
    fixtures().into_iter().find(|fixture| fixture.name == "demo").expect("the fixture is there")
}

fn replay(data: &Path) -> Ran {
    let run = Tapwire::new(["replay", "--again", "-q", "--events", "null://"]).args([demo().path()]);
    run.args(["--data"]).args([data]).run()
}

fn exchange(data: &Path) -> String {
    let asked = "SELECT uid FROM exchanges ORDER BY time LIMIT 1";
    let ran = Tapwire::new(["sql", asked, "--json", "--data"]).args([data]).run().ok("sql");
    ran.events()[0]["uid"].as_str().expect("a uid").to_owned()
}

/// The state of the version before, as it wrote it of the same capture.
fn before(data: &Path) {
    let _ = token_key(data);
    fs::write(data.join("version"), "tapwire data 2\n").expect("a file");
    fs::create_dir(data.join("state")).expect("a folder");
    for name in STATE.iter().chain(&["rules"]) {
        let stored = workspace().join("tests/upgrade").join(name);
        fs::copy(stored, data.join("state").join(name)).expect("it is stored");
    }
}

#[test]
fn what_the_version_before_kept_is_read() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path();
    before(data);
    let asked =
        || Tapwire::new(["inventory", "--json", "--data"]).args([data]).run().ok("inventory").events();
    let calls = |told: &[Value]| told[0]["calls"].as_u64().expect("calls");
    let known = asked();
    let run = Tapwire::new(["replay", "--json", "--events", "null://"]).args([demo().path()]);
    let ran = run.args(["--data"]).args([data]).run().ok("this version");
    // Detectors whose states have other fields since begin anew, which is said; nothing else does, and nothing is set aside.
    let told: Vec<&str> = ran.stderr.lines().collect();
    let is_said =
        told.iter().all(|line| line.ends_with("of what was learned are of another version, and begin anew"));
    assert!(told.len() <= 1 && is_said, "{}", ran.stderr);
    let summary: Value = serde_json::from_slice(&ran.stdout).expect("a summary");
    let found: Vec<&Value> = summary["findings"].as_array().expect("findings").iter().collect();
    assert!(found.is_empty(), "what was told is told again: {found:?}");
    let now = asked();
    assert_eq!((now.len(), calls(&now)), (known.len(), 2 * calls(&known)));
}

#[test]
fn damage_under_a_right_sum_is_one_line_and_no_panic() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path();
    let _ = token_key(data);
    drop(replay(data).ok("some version"));
    let file = data.join("state/inventory");
    let whole = fs::read(&file).expect("a checkpoint");
    // Where each piece begins, behind its length.
    let mut pieces = Vec::new();
    let mut at = HEADER;
    while let Some(length) = whole.get(at..at + 4) {
        let length = u32::from_le_bytes(length.try_into().expect("four bytes")) as usize;
        pieces.push(at + 4..at + 4 + length);
        at += 4 + length;
    }
    assert!(pieces.len() > 19, "{} pieces", pieces.len());
    for (number, piece) in pieces.iter().enumerate() {
        let mut bytes = whole.clone();
        for byte in &mut bytes[piece.start + piece.len() / 2..piece.end] {
            *byte = 0xff;
        }
        seal(&mut bytes);
        fs::write(&file, bytes).expect("a file");
        let ran = replay(data).ok(&format!("piece {number}"));
        let told: Vec<&str> = ran.stderr.lines().collect();
        let is_said = told.iter().all(|line| line.contains("set aside"));
        assert!(told.len() <= 1 && is_said, "{number}: {}", ran.stderr);
    }
}

#[test]
fn what_an_earlier_version_kept_goes_on_or_is_set_aside() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path();
    let key = token_key(data);
    drop(replay(data).ok("the version before"));
    let (tokens, uid) = (fs::read(&key).expect("a key"), exchange(data));
    fs::write(data.join("version"), "tapwire data 1\n").expect("a file");
    for name in STATE {
        age(&data.join("state").join(name));
    }
    let read = Tapwire::new(["inventory", "--data"]).args([data]).run();
    assert!(read.code == Some(2) && read.stderr.contains("state/inventory: "), "{}", read.stderr);
    let ran = replay(data).ok("this version");
    for name in STATE {
        let told: Vec<&str> =
            ran.stderr.lines().filter(|line| line.contains(&format!("state/{name}"))).collect();
        assert!(told.len() == 1 && told[0].contains("set aside"), "{name}: {}", ran.stderr);
        assert!(data.join(format!("state/{name}.damaged-1")).is_file(), "{name} is lost");
    }
    assert_eq!(fs::read_to_string(data.join("version")).expect("a version"), "tapwire data 2\n");
    assert_eq!(fs::read(&key).expect("a key"), tokens, "tokens go on");
    // Learned anew, events and tables of both.
    let inventory = Tapwire::new(["inventory", "--json", "--data"]).args([data]).run().ok("inventory");
    assert!(!inventory.events().is_empty());
    let shown = Tapwire::new(["show", &uid, "--json", "--data"]).args([data]).run().ok("show").events();
    assert!(shown.iter().any(|event| event["metadata"]["uid"] == uid.as_str()), "{shown:?}");
    let asked = format!("SELECT count(*) AS told FROM exchanges WHERE uid = '{uid}'");
    let rows = Tapwire::new(["sql", &asked, "--json", "--data"]).args([data]).run().ok("sql").events();
    assert!(rows[0]["told"].as_u64().is_some_and(|told| told >= 1), "{rows:?}");
}

/// What a build of the day before kept, as `fixtures/upgrade/why.md` says.
fn kept_before(folder: &Path) -> PathBuf {
    let data = folder.join("data");
    fs::create_dir(&data).expect("a folder");
    let archive = workspace().join("fixtures/upgrade/data.tar.gz");
    let unpacked = Command::new("tar").arg("-xzf").arg(archive).arg("-C").arg(&data).status().expect("tar");
    assert!(unpacked.success());
    data
}

fn count(data: &Path, table: &str) -> u64 {
    let asked = format!("SELECT count(*) AS told FROM {table}");
    let ran = Tapwire::new(["sql", &asked, "--json", "--data"]).args([data]).run().ok("sql");
    ran.events()[0]["told"].as_u64().expect("a number")
}

/// Lines that say something of the incidents' state.
fn told(ran: &Ran) -> Vec<&str> {
    ran.stderr.lines().filter(|line| line.contains("state/")).collect()
}

#[test]
fn what_a_build_before_really_kept_goes_on() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = kept_before(folder.path());
    let before = fs::read(data.join("state/incidents")).expect("incidents of format 2");
    // Whoever only reads is told what is missing, and loses nothing.
    let ran = Tapwire::new(["incidents", "--data"]).args([&data]).run();
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    let lines = told(&ran);
    assert!(lines.len() == 1 && lines[0].contains("state/incidents: it was written by another version"));
    assert_eq!(fs::read(data.join("state/incidents")).expect("incidents"), before);
    let read = Tapwire::new(["inventory", "--json", "--data"]).args([&data]).run().ok("inventory");
    let learned = read.events().len();
    assert!(learned >= 17, "{learned} endpoints were learned");
    // One of an exchange, one of a service.
    assert_eq!((count(&data, "exchanges"), count(&data, "findings")), (422, 2));
    let found = Tapwire::new(["findings", "--json", "--data"]).args([&data]).run().ok("findings").events();
    assert_eq!(found[0]["detector"], "enumeration");
    // Whoever goes on sets it aside, with one line, and adds to the rest.
    let ran = replay(&data).ok("this version");
    let lines = told(&ran);
    assert!(lines.len() == 1 && lines[0].contains("state/incidents.damaged-1"), "{}", ran.stderr);
    assert_eq!(fs::read(data.join("state/incidents.damaged-1")).expect("it is there"), before);
    let more = Tapwire::new(["inventory", "--json", "--data"]).args([&data]).run().ok("inventory").events();
    assert!(more.len() > learned, "what was learned goes on: {} endpoints", more.len());
    assert!(count(&data, "exchanges") > 422);
    let uid = found[0]["uid"].as_str().expect("a uid");
    let shown = Tapwire::new(["show", uid, "--json", "--data"]).args([&data]).run().ok("show").events();
    assert_eq!(shown[0]["finding_info"]["uid"], uid);
    let again = replay(&data).ok("once more");
    assert!(told(&again).is_empty(), "{}", again.stderr);
}

#[test]
fn what_a_later_version_kept_is_left_alone() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path();
    let _ = token_key(data);
    drop(replay(data).ok("some version"));
    fs::write(data.join("version"), "tapwire data 99\n").expect("a file");
    let before = fs::read(data.join("state/inventory")).expect("a checkpoint");
    let ran = replay(data);
    assert!(
        ran.code == Some(2) && ran.stderr.lines().count() == 1 && ran.stderr.contains("99"),
        "{}",
        ran.stderr
    );
    assert_eq!(fs::read(data.join("state/inventory")).expect("a checkpoint"), before);
}
