//! A data directory that an earlier version wrote, under the program of today.

use std::fs;
use std::path::Path;

use tapwire_tests::{Fixture, Ran, Tapwire, fixtures, token_key};

const STATE: [&str; 4] = ["inventory", "detectors", "incidents", "policies"];
/// Magic, length, sum.
const HEADER: usize = 20;

/// CRC32C, bit by bit (RFC 3720, appendix B.4).
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ if crc & 1 == 1 { 0x82f6_3b78 } else { 0 })
    })
}

/// Makes a checkpoint one of the format before: whole, and not to be read by this build.
fn age(file: &Path) {
    let mut bytes = fs::read(file).expect("a checkpoint");
    // The first piece begins behind its length with its format.
    let format = HEADER + 4;
    let number: [u8; 4] = bytes[format..format + 4].try_into().expect("four bytes");
    bytes[format..format + 4].copy_from_slice(&(u32::from_le_bytes(number) - 1).to_le_bytes());
    let sum = crc32c(&bytes[HEADER..]);
    bytes[16..HEADER].copy_from_slice(&sum.to_le_bytes());
    fs::write(file, bytes).expect("a file");
}

fn demo() -> Fixture {
    fixtures().into_iter().find(|fixture| fixture.name == "demo").expect("the fixture is there")
}

fn replay(data: &Path) -> Ran {
    let run = Tapwire::new(["replay", "-q", "--events", "null://"]).args([demo().path()]);
    run.args(["--data"]).args([data]).run()
}

fn exchange(data: &Path) -> String {
    let asked = "SELECT uid FROM exchanges ORDER BY time LIMIT 1";
    let ran = Tapwire::new(["sql", asked, "--json", "--data"]).args([data]).run().ok("sql");
    ran.events()[0]["uid"].as_str().expect("a uid").to_owned()
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
