//! What leaves in each format: valid by its schema, small where that is asked for, and without anything that names somebody or
//! opens something, wherever bytes of the program end up.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;
use tapwire_capture::CaptureReader;
use tapwire_tests::{Fixture, Tapwire, binary, files_below, fixtures, workspace};

fn every_fixture(check: impl Fn(&Fixture) -> Result<(), String>) {
    let failures: Vec<String> = fixtures()
        .iter()
        .filter_map(|fixture| check(fixture).err().map(|error| format!("{}: {error}", fixture.name)))
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn every_ecs_document_is_valid_and_nothing_but_tapwire_stands_beside_its_fields() {
    let text = fs::read_to_string(workspace().join("fixtures/ecs/schema.json")).expect("a schema");
    let schema = jsonschema::validator_for(&serde_json::from_str(&text).expect("JSON")).expect("a schema");
    every_fixture(|fixture| {
        for analysis in ["on", "off"] {
            let run =
                Tapwire::replay(fixture).args(["--format", "ecs", "--events", "-", "--analysis", analysis]);
            for event in run.run().ok(&fixture.name).events() {
                let wrong: Vec<String> =
                    schema.iter_errors(&event).map(|e| format!("{}: {e}", e.instance_path())).collect();
                if !wrong.is_empty() {
                    return Err(format!("{}\n  {event}", wrong.join("; ")));
                }
            }
        }
        Ok(())
    });
}

#[test]
fn a_document_tells_what_its_ocsf_event_tells() {
    let demo = fixtures().into_iter().find(|fixture| fixture.name == "demo").expect("the demo's capture");
    let of =
        |format| Tapwire::replay(&demo).args(["--format", format, "--events", "-"]).run().ok(format).events();
    let (ocsf, ecs) = (of("ocsf"), of("ecs"));
    assert_eq!(ocsf.len(), ecs.len());
    let same = [
        ("/metadata/sequence", "/event/sequence"),
        ("/metadata/uid", "/event/id"),
        ("/src_endpoint/ip", "/source/ip"),
        ("/dst_endpoint/port", "/destination/port"),
        ("/http_request/url/hostname", "/url/domain"),
        ("/http_request/url/path", "/url/path"),
        ("/http_request/url/query_string", "/url/query"),
        ("/http_request/http_method", "/http/request/method"),
        ("/http_response/code", "/http/response/status_code"),
        ("/http_response/body_length", "/http/response/body/bytes"),
        ("/api/operation", "/event/action"),
        ("/api/service/name", "/service/name"),
        ("/unmapped/community_id", "/network/community_id"),
    ];
    for (event, document) in ocsf.iter().zip(&ecs).filter(|(event, _)| event["class_uid"] == 6003) {
        for (there, here) in same {
            assert_eq!(event.pointer(there), document.pointer(here), "{there}: {document}");
        }
    }
    let kinds = |events: &[Value], kind: &str| events.iter().filter(|e| e["event"]["kind"] == kind).count();
    let class = |uid: u64| ocsf.iter().filter(|event| event["class_uid"] == uid).count();
    assert_eq!(kinds(&ecs, "alert"), class(2004) + class(2005));
}

/// Bytes of a lean exchange event, its line end included: the median of all, and of the demo.
#[test]
fn half_of_all_lean_exchanges_fit_into_1200_bytes() {
    let mut all = Vec::new();
    for fixture in fixtures() {
        let run =
            Tapwire::replay(&fixture).args(["--detail", "lean", "--only", "exchanges", "--events", "-"]);
        let stdout = run.run().ok(&fixture.name).stdout;
        all.extend(stdout.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::len));
    }
    all.sort_unstable();
    let median = all[all.len() / 2];
    println!("{} lean exchanges: median {median} bytes, most {:?}", all.len(), all.last());
    assert!(median <= 1200, "median {median} bytes");
}

/// What traffic of the fixtures holds and nobody may find again: planted secrets, signed tokens, card numbers, addresses of
/// e-mail.
fn precious(packets: &[u8]) -> BTreeSet<Vec<u8>> {
    let planted =
        fs::read_to_string(workspace().join("fixtures/secrets/planted.txt")).expect("planted secrets");
    let is_word =
        |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'@' | b'+');
    let mut found: BTreeSet<Vec<u8>> =
        planted.lines().filter(|line| !line.is_empty()).map(|line| line.as_bytes().to_vec()).collect();
    for word in packets.split(|byte| !is_word(byte)).filter(|word| word.len() >= 10) {
        if is_card(word) || is_signed(word) || is_address(word) {
            found.insert(word.to_vec());
        }
    }
    found
}

/// ISO/IEC 7812: 16 digits with their check digit, of a network that issues such.
fn is_card(word: &[u8]) -> bool {
    if word.len() != 16 || !word.iter().all(u8::is_ascii_digit) || !matches!(word[0], b'4' | b'5') {
        return false;
    }
    let sum: u32 = word
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| u32::from(digit - b'0') << (place % 2))
        .map(|doubled| if doubled > 9 { doubled - 9 } else { doubled })
        .sum();
    sum.is_multiple_of(10)
}

/// A JSON Web Token in compact form.
fn is_signed(word: &[u8]) -> bool {
    word.starts_with(b"eyJ") && word.iter().filter(|byte| **byte == b'.').count() == 2
}

fn is_address(word: &[u8]) -> bool {
    let mut halves = word.split(|byte| *byte == b'@');
    let (Some(name), Some(host), None) = (halves.next(), halves.next(), halves.next()) else { return false };
    let plain = |text: &[u8]| text.len() > 1 && text.iter().all(|byte| byte.is_ascii_graphic());
    plain(name) && plain(host) && host.contains(&b'.') && host.last().is_some_and(u8::is_ascii_alphabetic)
}

fn packets(fixture: &Fixture) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut reader = CaptureReader::open(&fixture.path()).expect("a capture");
    reader.for_each(|packet| bytes.extend_from_slice(packet.data)).expect("a capture of the tree is whole");
    bytes
}

/// The bytes of a file as they are, and what a day of events unpacks to.
fn contents(path: &Path) -> Vec<u8> {
    let mut bytes = fs::read(path).expect("a readable file");
    if path.extension().is_some_and(|kind| kind == "zst") {
        let unpacked = std::process::Command::new("zstd").arg("-dc").arg(path).output();
        match unpacked {
            Ok(unpacked) if unpacked.status.success() => bytes.extend(unpacked.stdout),
            _ => println!("skipped: {} is not unpacked, zstd is not installed", path.display()),
        }
    }
    bytes
}

/// Names, without content, where something precious was found.
fn leaks(place: &str, bytes: &[u8], precious: &BTreeSet<Vec<u8>>) -> Vec<String> {
    // Where none of them begins is most of everything: a look at two bytes tells.
    let mut begins = vec![false; 1 << 16];
    let pair = |bytes: &[u8]| usize::from(bytes[0]) << 8 | usize::from(bytes[1]);
    precious.iter().for_each(|secret| begins[pair(secret)] = true);
    let mut found = BTreeSet::new();
    for at in (1..bytes.len()).map(|end| end - 1).filter(|at| begins[pair(&bytes[*at..])]) {
        found.extend(precious.iter().filter(|secret| bytes[at..].starts_with(secret)));
    }
    found.iter().map(|secret| format!("{} in {place}", String::from_utf8_lossy(secret))).collect()
}

/// An output of each format, and one to where nobody listens: what waits for that stays in its spool.
fn outputs_of_each_format(folder: &Path) -> String {
    let files = ["ocsf", "ecs", "cef", "eve", "line", "tsv"].map(|format| {
        let to = folder.join(format!("events.{format}"));
        format!("[[output]]\nname = \"{format}\"\nformat = \"{format}\"\nto = \"{}\"\n", to.display())
    });
    format!(
        "[sink.http]\ntries = 1\n{}[[output]]\nname = \"spooled\"\nto = \"http://127.0.0.1:1/\"\n",
        files.concat()
    )
}

#[test]
fn nothing_precious_is_in_any_byte_that_leaves_or_stays() {
    every_fixture(|fixture| {
        let precious = precious(&packets(fixture));
        let run = Tapwire::replay(fixture);
        let (config, data) = (run.home().join("tapwire.toml"), run.home().join("data"));
        fs::write(&config, outputs_of_each_format(run.home())).expect("a writable folder");
        let run = run
            .args(["--events", "-", "-v", "--config"])
            .args([&config])
            .args(["--data".as_ref(), data.as_os_str()]);
        let ran = run.run();
        let mut found = leaks("standard output", &ran.stdout, &precious);
        found.extend(leaks("standard error", ran.stderr.as_bytes(), &precious));
        let spooled =
            files_below(&data.join("spool"), &|path| path.extension().is_some_and(|is| is == "spool"));
        assert!(
            spooled.iter().any(|path| fs::metadata(path).is_ok_and(|found| found.len() > 0))
                || ran.stdout.is_empty()
        );
        for path in files_below(ran.home.path(), &|_| true) {
            let place = path.strip_prefix(ran.home.path()).unwrap_or(&path).display().to_string();
            found.extend(leaks(&place, &contents(&path), &precious));
        }
        if found.is_empty() { Ok(()) } else { Err(found.join(", ")) }
    });
}

#[test]
fn the_captures_hold_what_is_looked_for() {
    let all: BTreeSet<Vec<u8>> = fixtures().iter().flat_map(|fixture| precious(&packets(fixture))).collect();
    for (what, is) in
        [("cards", is_card as fn(&[u8]) -> bool), ("tokens", is_signed), ("addresses", is_address)]
    {
        let count = all.iter().filter(|word| is(word)).count();
        println!("{count} {what}");
        assert!(count >= 2, "only {count} {what} in all captures");
    }
}

#[test]
fn a_dump_of_the_configuration_shows_no_credential() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("tapwire.toml");
    let text = "[sink.http]\ntoken = \"planted-token-1a2b3c\"\n[[output]]\nname = \"a\"\nto = \"https://c.example/\"\n\
                [output.sink.http]\ntoken = \"planted-token-4d5e6f\"\n";
    fs::write(&file, text).expect("a writable folder");
    let mut command = std::process::Command::new(binary());
    let ran =
        command.args(["config", "show", "--config"]).arg(&file).output().expect("tapwire can be started");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let said = [ran.stdout, ran.stderr].concat();
    assert!(!String::from_utf8_lossy(&said).contains("planted-token"), "{}", String::from_utf8_lossy(&said));
}
