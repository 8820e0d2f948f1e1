//! Content as operators use it: packed and signed in one place, installed, used and taken back in another.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tapwire_tests::{binary, token_key, workspace};

const MUTED: &str =
    "[[mute]]\nwhere = 'detector != \"none\"'\nuntil = \"2099-01-01\"\nwhy = \"known here\"\n";
const CLASS: &str = "[[data_class]]\nname = \"badge\"\npattern = \"BDG-[0-9]{6}\"\n";

/// Somebody who signs and somebody who installs, each in a folder of the same room.
struct Room {
    folder: tempfile::TempDir,
}

impl Room {
    fn new() -> Self {
        let room = Self { folder: tempfile::tempdir().expect("a temporary folder") };
        let _ = token_key(room.folder.path());
        room
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn tapwire(&self, words: &[&str]) -> Output {
        let mut command = Command::new(binary());
        command.current_dir(self.folder.path()).env("HOME", self.folder.path()).args(words);
        command.output().expect("tapwire can be started")
    }

    /// The same for commands that go by the configuration.
    fn sensor(&self, words: &[&str]) -> Output {
        let folder = format!("content.folder={}", self.path("content").display());
        self.tapwire(&[words, &["--set", &folder]].concat())
    }

    /// Writes a file of content with these files; the public key.
    fn pack(&self, version: u64, key: &str, files: &[(&str, &str)]) -> String {
        let source = self.path(&format!("source-{version}"));
        for (name, text) in files {
            let file = source.join(name);
            fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
            fs::write(file, text).expect("a file");
        }
        let (source, version) = (source.display().to_string(), version.to_string());
        let out = format!("{version}.content");
        let words = ["content", "pack", &source, "--version", &version, "-w", &out, "--sign", key, "--force"];
        let ran = self.tapwire(&words);
        let said = text(&ran.stderr);
        assert!(ran.status.success(), "{said}");
        said.trim().rsplit(' ').next().expect("a key").to_owned()
    }

    fn install(&self, version: u64, key: &str, more: &[&str]) -> Output {
        let file = format!("{version}.content");
        self.sensor(&[&["content", "install", &file, "--key", key], more].concat())
    }

    /// Versions that are kept, the one in use marked.
    fn kept(&self) -> Vec<String> {
        let ran = self.sensor(&["content", "list", "--json"]);
        let told = text(&ran.stdout);
        let versions = told.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        versions
            .map(|one| format!("{}{}", one["version"], if one["in_use"] == true { "*" } else { "" }))
            .collect()
    }

    /// Findings that a replay of the demo tells.
    fn findings(&self) -> usize {
        let demo = workspace().join("fixtures/demo/in.pcap.gz").display().to_string();
        let ran = self.sensor(&[
            "replay",
            &demo,
            "--only",
            "findings",
            "--events",
            "-",
            "-q",
            "--token-key",
            "token.key",
        ]);
        assert!(ran.status.success(), "{}", text(&ran.stderr));
        // What a service is like, is told of it all the same.
        text(&ran.stdout).lines().filter(|line| line.contains("\"class_uid\":2004")).count()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[track_caller]
fn refused(ran: &Output, why: &str) {
    let said = text(&ran.stderr);
    assert!(ran.status.code() == Some(2) && said.contains(why) && said.lines().count() == 1, "{said}");
}

#[test]
fn what_is_installed_counts_until_it_is_taken_back() {
    let room = Room::new();
    let all = room.findings();
    assert!(all > 0, "the demo has findings");
    let key =
        room.pack(1, "own.key", &[("content.toml", CLASS), ("lists.toml", "[lists]\nusers = [\"eve\"]\n")]);
    room.pack(2, "own.key", &[("content.toml", MUTED)]);
    assert!(room.install(1, &key, &[]).status.success());
    assert_eq!(room.findings(), all);
    let shown = text(&room.sensor(&["config", "show"]).stdout);
    assert!(shown.contains("badge") && shown.contains("# content 1"), "{shown}");
    assert!(room.install(2, &key, &[]).status.success());
    assert_eq!((room.findings(), room.kept()), (0, vec!["1".to_owned(), "2*".to_owned()]));
    assert!(room.sensor(&["content", "rollback"]).status.success());
    assert_eq!((room.findings(), room.kept()), (all, vec!["1*".to_owned(), "2".to_owned()]));
    refused(&room.sensor(&["content", "rollback"]), "no such version; kept are 1, 2");
    assert!(room.sensor(&["content", "rollback", "--to", "2"]).status.success());
    assert_eq!(room.kept(), ["1", "2*"]);
    let audit = fs::read_to_string(room.path("content/audit.jsonl")).expect("a record");
    let actions: Vec<Value> = audit.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let actions: Vec<_> = actions.iter().filter_map(|line| line["action"].as_str()).collect();
    assert_eq!(actions, ["content install", "content install", "content rollback", "content rollback"]);
}

#[test]
fn what_is_not_as_it_should_be_changes_nothing() {
    let room = Room::new();
    let key = room.pack(5, "own.key", &[("content.toml", MUTED)]);
    let other = room.pack(4, "other.key", &[("content.toml", CLASS)]);
    refused(&room.install(4, &key, &[]), "is not signed by the key that was given, but by");
    refused(&room.sensor(&["content", "install", "5.content"]), "by whom?");
    assert_eq!(room.kept(), Vec::<String>::new());
    assert!(room.install(5, &key, &[]).status.success());
    room.pack(4, "own.key", &[("content.toml", CLASS)]);
    refused(&room.install(4, &key, &[]), "version 4 is not newer than 5");
    refused(&room.install(5, &key, &[]), "version 5 is not newer than 5");
    assert!(room.install(4, &key, &["--force"]).status.success());
    assert_eq!(room.kept(), ["4*", "5"]);
    let bytes = fs::read_to_string(room.path("5.content")).expect("a file");
    fs::write(room.path("5.content"), bytes.replace("2099", "2199")).expect("a file");
    refused(&room.install(5, &key, &[]), "was changed since it was signed");
    fs::write(room.path("5.content"), bytes.replacen(":1,", ":9,", 1)).expect("a file");
    refused(&room.install(5, &key, &[]), "of form 9; this build reads form 1");
    for (version, files) in [
        (6, [("content.toml", "[[mute]]\nwhere = 'nothing'\nuntil = \"2099-01-01\"\nwhy = \"x\"\n")]),
        (7, [("content.toml", "memory = \"9GiB\"\n")]),
        (8, [("rules/broken.yml", "title: [")]),
    ] {
        room.pack(version, "own.key", &files);
        let ran = room.install(version, &key, &[]);
        // A build that judges by no rules reads none.
        assert!(
            version == 8 && !cfg!(feature = "sigma") || ran.status.code() == Some(2),
            "{version}: {}",
            text(&ran.stderr)
        );
    }
    assert!(other != key && room.kept() == ["4*", "5"], "{:?}", room.kept());
}

#[test]
fn what_was_changed_since_is_told() {
    let room = Room::new();
    let rule = fs::read_to_string(workspace().join("docs/rules/many-exports.yml")).expect("a rule");
    let key = room.pack(1, "own.key", &[("content.toml", MUTED), ("rules/exports.yml", &rule)]);
    assert!(room.install(1, &key, &[]).status.success());
    let whole = room.sensor(&["content", "list"]);
    assert!(whole.status.success() && text(&whole.stdout).contains("in use"), "{}", text(&whole.stdout));
    let told = |change: &dyn Fn(&Path)| {
        change(&room.path("content/versions/1"));
        let ran = room.sensor(&["content", "list"]);
        assert_eq!(ran.status.code(), Some(1));
        text(&ran.stdout)
    };
    let said = told(&|folder| fs::write(folder.join("rules/more.yml"), &rule).expect("a file"));
    assert!(said.contains("CHANGED since it was signed: rules/more.yml"), "{said}");
    let said = told(&|folder| fs::write(folder.join("content.toml"), CLASS).expect("a file"));
    assert!(said.contains("CHANGED since it was signed: content.toml"), "{said}");
    room.pack(2, "own.key", &[("content.toml", CLASS)]);
    assert!(room.install(2, &key, &[]).status.success());
    refused(
        &room.sensor(&["content", "rollback"]),
        "version 1 was changed since it was signed: content.toml",
    );
    assert_eq!(room.kept(), ["1", "2*"]);
}

#[test]
fn who_else_signed_what_is_kept_is_told() {
    let room = Room::new();
    let key = room.pack(1, "own.key", &[("content.toml", CLASS)]);
    assert!(room.install(1, &key, &[]).status.success());
    room.pack(1, "other.key", &[("content.toml", CLASS)]);
    fs::copy(room.path("1.content"), room.path("content/versions/1/signed")).expect("a file");
    assert!(room.sensor(&["content", "list"]).status.success(), "nobody said whose key counts");
    let ran = room.sensor(&["content", "list", "--set", &format!("content.key={key}")]);
    assert_eq!((ran.status.code(), text(&ran.stdout).contains("CHANGED")), (Some(1), true), "{ran:?}");
}

#[test]
fn a_version_in_use_that_is_not_there_is_no_empty_one() {
    let room = Room::new();
    let key = room.pack(1, "own.key", &[("content.toml", MUTED)]);
    room.pack(2, "own.key", &[("content.toml", MUTED)]);
    assert!(room.install(1, &key, &[]).status.success() && room.install(2, &key, &[]).status.success());
    fs::remove_dir_all(room.path("content/versions/2")).expect("a folder");
    for words in [["config", "check"].as_slice(), &["config", "show"], &["content", "list"]] {
        refused(&room.sensor(words), "though version 2 is in use: install it again");
    }
    assert!(room.install(2, &key, &["--force"]).status.success());
    assert_eq!(room.kept(), ["1", "2*"]);
}

#[test]
fn who_reads_it_may_whatever_mask_the_installer_has() {
    let room = Room::new();
    let rule = fs::read_to_string(workspace().join("docs/rules/many-exports.yml")).expect("a rule");
    let key = room.pack(1, "own.key", &[("rules/exports.yml", &rule)]);
    let words = format!(
        "umask 077; exec {} content install 1.content --key {key} --set content.folder=deep/content",
        binary().display()
    );
    let ran =
        Command::new("sh").args(["-c", &words]).current_dir(room.folder.path()).output().expect("a shell");
    assert!(ran.status.success(), "{}", text(&ran.stderr));
    for name in [
        "deep",
        "deep/content",
        "deep/content/versions",
        "deep/content/versions/1",
        "deep/content/versions/1/rules",
    ] {
        let mode = fs::metadata(room.path(name)).expect("a folder").permissions().mode();
        assert_eq!(mode & 0o777, 0o755, "{name}");
    }
}

#[test]
fn what_is_not_packed_is_said() {
    let room = Room::new();
    let files = [("content.toml", CLASS), ("README.md", "for people"), (".draft.yml", "title: [")];
    room.pack(1, "own.key", &files);
    let words =
        ["content", "pack", "source-1", "--version", "1", "-w", "1.content", "--sign", "own.key", "--force"];
    let said = text(&room.tapwire(&words).stderr);
    assert!(said.contains("left out, since it is no content: README.md\n"), "{said}");
    for name in ["rules/my rule.yml", "rules/Exports.YML", "rules/more/exports.yml", "exports.yml"] {
        let file = room.path("source-1").join(name);
        fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
        fs::write(&file, "title: a\n").expect("a file");
        refused(&room.tapwire(&words), "rules of content stand in rules/ itself");
        fs::remove_file(&file).expect("a file");
        let _others = fs::remove_dir(file.parent().expect("a folder"));
    }
}
