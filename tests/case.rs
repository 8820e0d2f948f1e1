//! Cases: every incident of every fixture is exported and verified, and whatever is changed in a case is found.

use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use tapwire_tests::{Ran, Tapwire, fixtures};

/// A file of a tar archive: its name and where its bytes lie.
#[derive(Debug)]
struct Member {
    name: String,
    start: usize,
    length: usize,
}

fn members(archive: &[u8]) -> Vec<Member> {
    let (mut at, mut found) = (0, Vec::new());
    while archive.len() >= at + 512 && archive[at] != 0 {
        let text = |from: usize, to: usize| {
            let field = archive[at + from..at + to].split(|byte| *byte == 0).next().unwrap_or_default();
            String::from_utf8_lossy(field).trim().to_owned()
        };
        let length = usize::from_str_radix(&text(124, 136), 8).expect("a size in octal digits");
        found.push(Member { name: text(0, 100), start: at + 512, length });
        at += 512 + length.next_multiple_of(512);
    }
    found
}

fn incidents(capture: &Path) -> Vec<String> {
    let ran = Tapwire::new(["incidents", "--json"]).key().args([capture]).run().ok("incidents");
    ran.events().iter().map(|incident| incident["uid"].as_str().expect("a uid").to_owned()).collect()
}

/// The case of an incident, with the key that signed it beside.
fn export(incident: &str, capture: &Path, room: &Path, more: &[&str]) -> PathBuf {
    let case = room.join(format!("{incident}.tar"));
    let ran = Tapwire::new(["case", "export", incident]).key().args([capture]).args(["-w"]).args([&case]);
    let _done = ran
        .args(["--sign"])
        .args([room.join("case.key")])
        .args(["--by", "a tester"])
        .args(more)
        .run()
        .ok("case export");
    case
}

fn verify(case: &Path, more: &[&str]) -> Ran {
    Tapwire::new(["case", "verify"]).args([case]).args(more).run()
}

fn said(ran: &Ran) -> String {
    format!("{}{}", String::from_utf8_lossy(&ran.stdout), ran.stderr)
}

fn manifest(archive: &[u8]) -> Value {
    let member =
        members(archive).into_iter().find(|member| member.name == "manifest.json").expect("a manifest");
    serde_json::from_slice(&archive[member.start..][..member.length]).expect("a manifest in JSON")
}

#[test]
fn every_incident_of_every_fixture_verifies() {
    let room = tempfile::tempdir().expect("a temporary folder");
    let mut seen = 0;
    for fixture in fixtures().iter().filter(|fixture| fixture.arguments().is_empty()) {
        for incident in incidents(&fixture.path()) {
            let case = export(&incident[..12], &fixture.path(), room.path(), &[]);
            let archive = fs::read(&case).expect("a case");
            let packets = members(&archive).into_iter().find(|member| member.name == "incident.pcapng");
            assert!(packets.is_some_and(|packets| packets.length > 300), "{}", fixture.name);
            let manifest = manifest(&archive);
            assert_eq!(manifest["known_as"], incident, "{}", fixture.name);
            let key = manifest["public_key"].as_str().expect("a key");
            let ran = verify(&case, &["--key", key]);
            assert_eq!(ran.code, Some(0), "{}: {}", fixture.name, said(&ran));
            seen += 1;
        }
    }
    assert!(seen >= 5, "{seen} incidents");
}

#[test]
fn the_packets_that_a_sensor_kept_are_a_case_of_their_own() {
    let room = tempfile::tempdir().expect("a temporary folder");
    let data = room.path().join("data");
    let fixture = fixtures().into_iter().find(|fixture| fixture.name == "secrets").expect("the fixture");
    let keeping = Tapwire::new(["replay", "-q", "--events", "null://", "--set", "packets.budget=64MiB"]);
    let _kept = keeping.key().args(["--data"]).args([&data]).args([fixture.path()]).run().ok("replay");
    let incident = incidents(&fixture.path()).pop().expect("an incident");
    let case = room.path().join("ring.tar");
    let export = Tapwire::new(["case", "export", &incident[..12], "--by", "a tester"]).key();
    let export = export.args(["--data"]).args([&data]).args(["--sign"]).args([room.path().join("case.key")]);
    let _done = export.args(["-w"]).args([&case]).run().ok("case export");
    let ran = verify(&case, &[]);
    assert_eq!(ran.code, Some(0), "{}", said(&ran));
    let manifest = manifest(&fs::read(&case).expect("a case"));
    assert_eq!(manifest["known_as"], incident);
    assert_eq!(manifest["derivation"]["captures"][0], "captures/01-packets.pcapng");
    let neither = Tapwire::new(["case", "export", &incident[..12], "-w", "x.tar", "--sign", "x.key"]).run();
    assert!(neither.code == Some(2) && neither.stderr.contains("PATH"), "{}", neither.stderr);
}

fn one_case(room: &Path) -> PathBuf {
    let fixture = fixtures().into_iter().find(|fixture| fixture.name == "secrets").expect("the fixture");
    let incident = incidents(&fixture.path()).pop().expect("an incident");
    export(&incident, &fixture.path(), room, &["--set", "sensor=\"custody\""])
}

#[test]
fn a_changed_byte_anywhere_is_found() {
    let room = tempfile::tempdir().expect("a temporary folder");
    let archive = fs::read(one_case(room.path())).expect("a case");
    let members = members(&archive);
    for wanted in ["captures/", "config.toml", "token.key", "events.jsonl", "incident.pcapng", "report.html"]
    {
        assert!(
            members.iter().any(|member| member.name.starts_with(wanted)),
            "{wanted} is not in {members:?}"
        );
    }
    let changed = room.path().join("changed.tar");
    for member in &members {
        let mut bytes = archive.clone();
        bytes[member.start + member.length / 2] ^= 1;
        fs::write(&changed, &bytes).expect("a file");
        let ran = verify(&changed, &[]);
        // A manifest that is none any more is no case.
        let codes: &[i32] = if member.name == "manifest.json" { &[1, 2] } else { &[1] };
        assert!(ran.code.is_some_and(|code| codes.contains(&code)), "{}: {}", member.name, said(&ran));
    }
}

#[test]
fn what_is_missing_more_or_cut_off_is_found() {
    let room = tempfile::tempdir().expect("a temporary folder");
    let archive = fs::read(one_case(room.path())).expect("a case");
    let members = members(&archive);
    let last = members.last().expect("a member");
    let changed = room.path().join("changed.tar");
    let end = [0; 1024];
    let without = [&archive[..last.start - 512], &end].concat();
    let mut header = archive[last.start - 512..last.start].to_vec();
    header[..8].copy_from_slice(b"../out\0\0");
    sign(&mut header);
    let body = &archive[last.start..last.start + last.length.next_multiple_of(512)];
    let with = [&archive[..last.start + body.len()], &header, body, &end].concat();
    for bytes in [without, with, archive[..last.start + 1].to_vec()] {
        fs::write(&changed, &bytes).expect("a file");
        let ran = verify(&changed, &[]);
        assert!(matches!(ran.code, Some(1 | 2)), "{}", said(&ran));
    }
    assert!(!room.path().join("out").exists() && !Path::new("/tmp/out").exists());
}

/// Writes the checksum of a header that was changed.
fn sign(header: &mut [u8]) {
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:07o}\0").as_bytes());
}

#[test]
fn a_byte_beside_the_files_is_found_and_zeros_behind_them_are_none() {
    let room = tempfile::tempdir().expect("a temporary folder");
    let archive = fs::read(one_case(room.path())).expect("a case");
    let all = members(&archive);
    let padded = all.iter().find(|member| member.length % 512 != 0).expect("a member with padding");
    let mut padding = archive.clone();
    padding[padded.start + padded.length] = 1;
    let header = |at: usize, byte: u8| {
        let mut changed = archive.clone();
        let header = &mut changed[padded.start - 512..padded.start];
        header[at] = byte;
        sign(header);
        changed
    };
    let behind = [archive.as_slice(), &[7; 100]].concat();
    let twice = [archive.as_slice(), &archive].concat();
    let (mode, owner) = (header(104, b'7'), header(265, b'x'));
    let case = room.path().join("changed.tar");
    for (what, bytes) in
        [("padding", padding), ("behind", behind), ("twice", twice), ("mode", mode), ("owner", owner)]
    {
        assert_ne!(bytes, archive, "{what}");
        fs::write(&case, bytes).expect("a file");
        let ran = verify(&case, &[]);
        assert_eq!(ran.code, Some(1), "{what}: {}", said(&ran));
        assert!(said(&ran).contains("CHANGED"), "{what}: {}", said(&ran));
    }
    fs::write(&case, [archive.as_slice(), &[0; 10_240]].concat()).expect("a file");
    let ran = verify(&case, &[]);
    assert_eq!(ran.code, Some(0), "{}", said(&ran));
    let ran = verify(&case, &["--key", "zz"]);
    assert!(ran.code == Some(2) && ran.stderr.contains("64 hexadecimal digits"), "{}", said(&ran));
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The archive with other bytes in one file, its manifest made anew and signed with another key.
fn forged(archive: &[u8], name: &str, change: impl Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let key = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("a key");
    let key = Ed25519KeyPair::from_pkcs8(key.as_ref()).expect("a key");
    let all = members(archive);
    let mut files: Vec<(String, Vec<u8>)> = all
        .iter()
        .map(|member| (member.name.clone(), archive[member.start..][..member.length].to_vec()))
        .collect();
    let mut manifest = manifest(archive);
    for (other, bytes) in files.iter_mut().filter(|(other, _)| other == name) {
        *bytes = change(bytes);
        manifest["files"][other.as_str()] =
            json!({"bytes": bytes.len(), "sha256": hex(digest(&SHA256, bytes).as_ref())});
    }
    manifest["public_key"] = hex(key.public_key().as_ref()).into();
    files[0].1 = manifest.to_string().into_bytes();
    files[1].1 = hex(key.sign(&files[0].1).as_ref()).into_bytes();
    let mut whole = Vec::new();
    for (member, (_, bytes)) in all.iter().zip(files) {
        let mut header = archive[member.start - 512..member.start].to_vec();
        header[124..136].copy_from_slice(format!("{:011o}\0", bytes.len()).as_bytes());
        sign(&mut header);
        whole.extend(header);
        whole.extend(&bytes);
        whole.resize(whole.len().next_multiple_of(512), 0);
    }
    whole.resize(whole.len() + 1024, 0);
    whole
}

#[test]
fn a_case_that_somebody_else_signed_does_not_derive_what_it_claims() {
    let room = tempfile::tempdir().expect("a temporary folder");
    let archive = fs::read(one_case(room.path())).expect("a case");
    let key = manifest(&archive)["public_key"].as_str().expect("a key").to_owned();
    let case = room.path().join("forged.tar");
    let as_it_was = |bytes: &[u8]| bytes.to_vec();
    fs::write(&case, forged(&archive, "", as_it_was)).expect("a file");
    let ran = verify(&case, &[]);
    assert_eq!(ran.code, Some(0), "{}", said(&ran));
    let ran = verify(&case, &["--key", &key]);
    assert_eq!(ran.code, Some(1), "another key: {}", said(&ran));
    let other = |from: &'static str, to: &'static str| {
        move |bytes: &[u8]| String::from_utf8_lossy(bytes).replacen(from, to, 1).into_bytes()
    };
    for (name, from, to) in
        [("events.jsonl", "\"confirmed\"", "\"blocked\""), ("config.toml", "custody", "another")]
    {
        fs::write(&case, forged(&archive, name, other(from, to))).expect("a file");
        let ran = verify(&case, &[]);
        assert_eq!(ran.code, Some(1), "{name}: {}", said(&ran));
        assert!(said(&ran).contains("DIFFERENT"), "{name}: {}", said(&ran));
    }
}

#[test]
fn a_forged_configuration_sends_and_reads_nothing() {
    let room = tempfile::tempdir().expect("a temporary folder");
    let archive = fs::read(one_case(room.path())).expect("a case");
    let case = room.path().join("forged.tar");
    let secret = room.path().join("assets.csv");
    fs::write(&secret, "address,owner\n10.0.0.1,somebody\n").expect("a file");
    let leak = room.path().join("leak.jsonl");
    let output = format!("\n[[output]]\nto = {:?}\n", leak.display().to_string());
    let outside = |bytes: &[u8]| {
        let text =
            String::from_utf8_lossy(bytes).replacen("files = []", &format!("files = [{:?}]", secret), 1);
        text.into_bytes()
    };
    fs::write(&case, forged(&archive, "config.toml", outside)).expect("a file");
    let ran = verify(&case, &[]);
    assert_eq!(ran.code, Some(1), "{}", said(&ran));
    assert!(said(&ran).contains("files that are not in the case"), "{}", said(&ran));
    fs::write(&case, forged(&archive, "config.toml", |bytes| [bytes, output.as_bytes()].concat()))
        .expect("a file");
    let ran = verify(&case, &[]);
    assert!(!leak.exists(), "{}", said(&ran));
}

#[test]
fn a_case_holds_no_setting_and_every_file_of_a_folder() {
    let room = tempfile::tempdir().expect("a temporary folder");
    let fixture = fixtures().into_iter().find(|fixture| fixture.name == "secrets").expect("the fixture");
    let folder = room.path().join("captures");
    fs::create_dir(&folder).expect("a folder");
    for (name, of) in [("a b.pcap", &fixture), ("a_b.pcap", &demo())] {
        fs::copy(of.path(), folder.join(name)).expect("a copy");
    }
    let incident = incidents(&folder).first().expect("an incident").clone();
    let case = export(&incident, &folder, room.path(), &["--set", "sink.http.token=\"S3CRETTOKEN\""]);
    let archive = fs::read(&case).expect("the case");
    assert!(!archive.windows(11).any(|part| part == b"S3CRETTOKEN"));
    let command = manifest(&archive)["exported"]["command"].to_string();
    assert!(command.contains("sink.http.token=…"), "{command}");
    let copied = members(&archive).iter().filter(|member| member.name.contains("a_b.pcap")).count();
    assert_eq!(copied, 2, "names that become one stay two files");
    assert_eq!(verify(&case, &[]).code, Some(0));
}

#[test]
fn folders_that_are_too_deep_are_said_and_no_key_is_left() {
    let room = tempfile::tempdir().expect("a temporary folder");
    let top = room.path().join("x");
    let deep = (0..17).fold(top.clone(), |folder, _| folder.join("d"));
    fs::create_dir_all(&deep).expect("folders");
    fs::copy(demo().path(), deep.join("in.pcap")).expect("a copy");
    let sign = room.path().join("new.key");
    let ran = Tapwire::new(["case", "export", "0123456789ab"]).key().args(["--sign"]).args([&sign]);
    let ran = ran.args(["-w"]).args([room.path().join("out.tar")]).args([&top]).run();
    assert_eq!(ran.code, Some(2), "{}", said(&ran));
    assert!(ran.stderr.contains("more than 16 deep"), "{}", ran.stderr);
    assert!(!sign.exists(), "nothing is written where no case is made");
}

fn demo() -> tapwire_tests::Fixture {
    fixtures().into_iter().find(|fixture| fixture.name == "demo").expect("the fixture")
}

#[test]
fn mistakes_are_one_line() {
    let room = tempfile::tempdir().expect("a temporary folder");
    let fixture = fixtures().into_iter().find(|fixture| fixture.name == "secrets").expect("the fixture");
    let none = room.path().join("none.tar");
    fs::write(&none, "no archive").expect("a file");
    let out = room.path().join("out.tar");
    let sign = room.path().join("case.key");
    let base =
        || Tapwire::new(["case", "export"]).key().args(["--sign"]).args([&sign]).args(["-w"]).args([&out]);
    let runs = [
        (verify(&none, &[]), "is no case"),
        (verify(&room.path().join("absent.tar"), &[]), "No such file"),
        (base().args(["xyz"]).args([fixture.path()]).run(), "hexadecimal digits"),
        (base().args(["0123456789ab"]).args([fixture.path()]).run(), "no such incident"),
        (base().args(["0123456789ab", "--rsa-key", "x.pem"]).args([fixture.path()]).run(), "private key"),
    ];
    for (ran, words) in runs {
        assert_eq!(ran.code, Some(2), "{}", said(&ran));
        assert!(
            ran.stderr.contains(words) && ran.stderr.trim_end().lines().count() <= 2,
            "{words}: {}",
            ran.stderr
        );
    }
    assert!(!out.exists());
}
