//! More that an operator can get wrong: configurations, and files that are others than was meant.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;
use tapwire_tests::{Ran, Tapwire, workspace};

fn clinic() -> String {
    workspace().join("fixtures/case/clinic.pcap.gz").display().to_string()
}

/// A file in a folder that goes with the test.
fn file(name: &str, text: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join(name);
    fs::write(&path, text).expect("a file in a temporary folder");
    (folder, path.display().to_string())
}

/// Exit code 2 and one line that has these words.
fn refused(ran: &Ran, words: &[&str]) {
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
    assert!(words.iter().all(|word| ran.stderr.contains(word)), "{words:?} in {}", ran.stderr);
}

fn checked(text: &str) -> Ran {
    let (_folder, path) = file("t.toml", text);
    Tapwire::new(["config", "check", "--config", &path]).run()
}

#[test]
fn a_wrong_value_is_told_with_key_and_line() {
    refused(&checked("\nmemory = 12\n"), &["t.toml:2:10: memory: invalid type: integer `12`"]);
    refused(&checked("[flow]\nidle_timeout = \"a\"\n"), &["t.toml:2:", "flow.idle_timeout", "invalid type"]);
    refused(&checked("threads = 100000\n"), &["threads", "too many"]);
    refused(&checked("memory = \"99999999999999999999GiB\"\n"), &["memory", "no size"]);
}

#[test]
fn a_mute_that_mutes_nothing_is_told() {
    let mute = |filter: &str, until: &str| {
        checked(&format!("[[mute]]\nwhere = \"{filter}\"\nuntil = \"{until}\"\nwhy = \"a test\"\n"))
    };
    let ran = mute("detector == 'enumerati'", "2200-01-01").ok("a doubtful mute");
    assert!(ran.stderr.contains("did you mean 'enumeration'?"), "{}", ran.stderr);
    let ran = mute("detector == 'enumeration'", "2020-01-01").ok("an old mute");
    assert!(ran.stderr.contains("over since 2020-01-01"), "{}", ran.stderr);
    let ran = mute("detector in ['enumeration', 'rule']", "2200-01-01").ok("a good mute");
    assert_eq!(ran.stderr, "");
}

#[test]
fn a_mistake_of_options_is_one_line() {
    for (arguments, words) in [
        (&["replay", "a.pcap", "--evnts", "x"][..], &["--evnts", "--events", "tapwire replay --help"][..]),
        (&["replay"], &["<PATH>", "tapwire replay --help"]),
        (&["list", "nothing"], &["nothing", "detectors", "tapwire list --help"]),
        (&["replay", "a.pcap", "--threads", "many"], &["many", "--threads"]),
        (&["incidents", "--data", "x", "a.pcap"], &["--data"]),
    ] {
        refused(&Tapwire::new(arguments).run(), words);
    }
    let odd = OsString::from_vec(b"out\xff".to_vec());
    let arguments = ["replay".into(), "a.pcap".into(), "--events".into(), odd];
    refused(&Tapwire::new(arguments).run(), &["--events", "UTF-8"]);
    let ran = Tapwire::new(["replay", "--help"]).run().ok("help");
    assert!(String::from_utf8_lossy(&ran.stdout).contains("Usage:"));
}

#[test]
fn names_of_files_are_no_commands_to_a_terminal() {
    let ran = Tapwire::new(["replay", &clinic(), "-q", "--events", "/nowhere/\u{1b}[31mx\ny"]).run();
    refused(&ran, &["/nowhere/"]);
    assert!(!ran.stderr.contains('\u{1b}'), "{:?}", ran.stderr);
}

#[test]
fn rules_that_do_not_apply_and_files_of_something_else_are_refused() {
    let (_folder, bad) = file("bad.yml", "title: [\n");
    let replay =
        |more: &[&str]| Tapwire::new(["replay", &clinic(), "-q", "--events", "null://"]).args(more).run();
    refused(&replay(&["--rules", &bad]), &["bad.yml", "no rule of it applies"]);
    let (_folder, context) = file("my.yml", "a:\n  - b\n  - c\nd: e\n");
    refused(&replay(&["--context", &context]), &["my.yml", "[networks]"]);
    let (_folder, keys) = file("keys.txt", "these are no keys\n");
    let ran = replay(&["--keylog", &keys]).ok("no keys");
    assert!(ran.stderr.contains("keys.txt"), "{}", ran.stderr);
    let (_folder, data) = file("afile", "x");
    refused(&replay(&["--data", &data]), &["afile"]);
}

#[test]
fn what_a_configuration_adds_is_listed_and_explained() {
    let text = "[[policy]]\nid = \"no-put\"\ntitle = \"PUT is used\"\nsays = \"take PUT\"\nseverity = \"low\"\n\
                where = \"method == 'PUT'\"\n[[data_class]]\nname = \"badge\"\npattern = \"B-[0-9]{4}\"\n";
    let (_folder, config) = file("t.toml", text);
    let said = |arguments: &[&str]| {
        let ran = Tapwire::new(arguments).args(["--config", &config]).run().ok("a list");
        String::from_utf8_lossy(&ran.stdout).into_owned()
    };
    assert!(said(&["list", "policies"]).contains("no-put"));
    assert!(said(&["list", "data-classes"]).contains("badge"));
    assert!(said(&["explain", "no-put"]).contains("PUT is used"));
    assert!(said(&["explain", "badge"]).contains("B-[0-9]{4}"));
}

#[test]
fn a_month_tells_its_incidents_first_and_what_is_not_kept() {
    let data = tempfile::tempdir().expect("a temporary folder");
    let run = Tapwire::new(["replay", &clinic(), "-q", "--events", "null://", "--data"]).args([data.path()]);
    let _ran = run.run().ok("replay");
    let of = |command: &[&str]| {
        let ran = Tapwire::new(command).args([Path::new("--data"), data.path()]).run().ok("from --data");
        String::from_utf8_lossy(&ran.stdout).into_owned()
    };
    let page = of(&["report", "-w", "-"]);
    let incidents = of(&["incidents", "--json"]);
    let uid = incidents.split("\"uid\":\"").nth(1).and_then(|rest| rest.get(..32)).expect("an incident");
    assert!(page.contains("Incident ") && incidents.contains(uid), "{uid}");
    let kpis = of(&["kpis"]);
    assert!(kpis.contains("not kept under") && !kpis.contains("no acknowledged byte"), "{kpis}");
}
