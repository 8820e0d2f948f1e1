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
            Ok(unpacked) => panic!("{}: {}", path.display(), String::from_utf8_lossy(&unpacked.stderr)),
            Err(_) => tapwire_testkit::peers::lacks("zstd"),
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

/// A profile that drops, masks, tokenises with its own keys, one that encrypts (to the public key of RFC 7748, 6.1).
const PROFILES: &str = "[redact.profile.drop]\ncredentials = \"drop\"\nidentities = \"drop\"\nvalues = \"drop\"\n\
    [redact.profile.mask]\ncredentials = \"mask\"\nidentities = \"mask\"\nvalues = \"mask\"\n\
    [redact.profile.tokenise]\nown_tokens = true\n[redact.profile.encrypt]\ncredentials = \"encrypt\"\n\
    identities = \"encrypt\"\nvalues = \"encrypt\"\n\
    public_key = \"de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f\"\n";

/// An output of each format, of each profile, and one to where nobody listens: what waits for that stays in its spool.
fn outputs_of_each_kind(folder: &Path) -> String {
    let file = |name: &str, key: &str| {
        let to = folder.join(format!("events.{name}"));
        format!("[[output]]\nname = \"{name}\"\n{key} = \"{name}\"\nto = \"{}\"\n", to.display())
    };
    let formats = ["ocsf", "ecs", "cef", "eve", "line", "tsv"].map(|format| file(format, "format"));
    let profiles = ["drop", "mask", "tokenise", "encrypt"].map(|profile| file(profile, "redact"));
    format!(
        "[sink.http]\ntries = 1\n{PROFILES}{}{}[[output]]\nname = \"spooled\"\nto = \"http://127.0.0.1:1/\"\n",
        formats.concat(),
        profiles.concat()
    )
}

/// What the lake tells of every row, and the dump of the configuration.
fn told_of(data: &Path, config: &Path) -> Vec<(&'static str, Vec<u8>)> {
    let dump = Tapwire::new(["config", "show", "--config"]).args([config]).run().ok("config show");
    let mut told = vec![("the dump of the configuration", dump.stdout)];
    if cfg!(feature = "lake") {
        let query = ["sql", "--json", "SELECT event FROM events", "--data"];
        told.push(("the lake", Tapwire::new(query).args([data]).run().ok("sql").stdout));
    }
    told
}

#[test]
fn nothing_precious_is_in_any_byte_that_leaves_or_stays() {
    every_fixture(|fixture| {
        let precious = precious(&packets(fixture));
        let run = Tapwire::replay(fixture);
        let (config, data) = (run.home().join("tapwire.toml"), run.home().join("data"));
        fs::write(&config, outputs_of_each_kind(run.home())).expect("a writable folder");
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
        for (place, bytes) in told_of(&data, &config) {
            found.extend(leaks(place, &bytes, &precious));
        }
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

/// What a command prints; `None` where it is not installed or fails.
fn said(command: &mut std::process::Command) -> Option<Vec<u8>> {
    let output = command.stderr(std::process::Stdio::null()).output().ok()?;
    output.status.success().then_some(output.stdout)
}

#[test]
fn what_a_profile_encrypts_the_recipe_opens_and_nobody_else() {
    use std::process::{Command, Stdio};
    let folder = tempfile::tempdir().expect("a temporary folder");
    let key = folder.path().join("private.pem");
    let made = said(Command::new("openssl").args(["genpkey", "-algorithm", "X25519", "-out"]).arg(&key));
    let public = said(Command::new("openssl").args(["pkey", "-pubout", "-outform", "DER", "-in"]).arg(&key));
    let (Some(_), Some(public)) = (made, public) else {
        tapwire_testkit::peers::lacks("openssl");
        return;
    };
    let digits: String = public[public.len() - 32..].iter().map(|byte| format!("{byte:02x}")).collect();
    let (config, events) = (folder.path().join("tapwire.toml"), folder.path().join("events"));
    let text = format!(
        "[redact.profile.archive]\nidentities = \"encrypt\"\ncredentials = \"encrypt\"\nvalues = \"encrypt\"\n\
         public_key = \"{digits}\"\n[[output]]\nname = \"archive\"\nto = \"{}\"\nredact = \"archive\"\n",
        events.display()
    );
    fs::write(&config, text).expect("a writable folder");
    let fixture = fixtures().into_iter().find(|fixture| fixture.name == "secrets").expect("the fixture");
    let run = Tapwire::replay(&fixture).args(["--events", "null://", "--config"]).args([&config]);
    let _ran = run.run().ok("encrypt");
    let sealed = fs::read(&events).expect("events");
    let secret = "planted-query-1f2e3d";
    assert!(String::from_utf8_lossy(&sealed).contains("token=enc:"), "nothing is sealed");
    assert!(!String::from_utf8_lossy(&sealed).contains(secret));
    let mut opens = Command::new("python3");
    if let Some(peers) = std::env::var_os("TAPWIRE_PYTHON_PEERS") {
        opens.env("PYTHONPATH", peers);
    }
    opens
        .arg(workspace().join("docs/recipes/unseal.py"))
        .arg(&key)
        .stdin(Stdio::from(fs::File::open(&events).expect("events")));
    let Some(opened) = said(&mut opens) else {
        tapwire_testkit::peers::missing("Python's cryptography is not installed");
        return;
    };
    let opened = String::from_utf8(opened).expect("UTF-8");
    assert!(opened.contains(secret) && !opened.contains("enc:"), "not everything was opened");
    // Verification codes leave in no mode.
    assert!(!opened.contains("planted-cvc-2d3e4f"));
    assert!(opened.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()));
}

/// What an output of a profile gets, and what standard output gets beside it.
fn beside_profile(profile: &str) -> (String, String) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (config, events, key) =
        (folder.path().join("tapwire.toml"), folder.path().join("events"), folder.path().join("next.key"));
    fs::write(&key, "5a".repeat(32)).expect("a writable folder");
    let profile = profile.replace("KEY", &key.display().to_string());
    let text = format!(
        "[redact.profile.a]\n{profile}\n[[output]]\nname = \"a\"\nto = \"{}\"\nredact = \"a\"\n",
        events.display()
    );
    fs::write(&config, text).expect("a writable folder");
    let fixture = fixtures().into_iter().find(|fixture| fixture.name == "secrets").expect("the fixture");
    let ran =
        Tapwire::replay(&fixture).args(["--events", "-", "--config"]).args([&config]).run().ok("profile");
    let events = fs::read_to_string(&events).expect("events");
    (events, String::from_utf8(ran.stdout).expect("UTF-8"))
}

#[test]
fn tokens_of_an_output_turn_to_another_key_on_its_day_and_the_sensors_stay() {
    let next = |from: &str| {
        format!(
            "own_tokens = true\n[[redact.profile.a.key]]\ngeneration = 2\nfrom = \"{from}\"\nfile = \"KEY\""
        )
    };
    let (before, sensors) = beside_profile(&next("2999-01-01"));
    let (after, same) = beside_profile(&next("2000-01-01"));
    assert_eq!(sensors, same, "the sensor's own tokens stay");
    assert!(before.contains("tok:") && !before.contains("tok2:"), "{before}");
    assert!(after.contains("tok2:") && !after.contains("tok:"), "{after}");
    let keys = |events: &str| -> BTreeSet<String> {
        let events = events.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        events.map(|event| event["unmapped"]["token_key"].as_str().expect("a key's id").to_owned()).collect()
    };
    let all: BTreeSet<String> =
        [&sensors, &before, &after].into_iter().flat_map(|events| keys(events)).collect();
    assert_eq!(all.len(), 3, "{all:?}");
}

#[test]
fn a_profile_that_cannot_be_is_refused_in_one_line() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = folder.path().join("tapwire.toml");
    let next = "[[redact.profile.a.key]]\ngeneration = 2\nfile = \"/none.key\"\nfrom = ";
    for (key, names) in [
        ("", "needs a public_key"),
        ("public_key = \"beef\"\n", "64 hexadecimal digits"),
        (&format!("{next}\"2027-01-01\"\n"), "own_tokens = true"),
        (&format!("own_tokens = true\n{next}\"soon\"\n"), "give a day"),
        (&format!("own_tokens = true\n{next}\"2027-01-01\"\n{next}\"2028-01-01\"\n"), "a greater number"),
    ] {
        let text = format!(
            "[redact.profile.a]\nvalues = \"encrypt\"\n{key}[[output]]\nname = \"a\"\nto = \"{}\"\nredact = \"a\"\n",
            folder.path().join("events").display()
        );
        fs::write(&config, text).expect("a writable folder");
        let demo = fixtures().remove(0);
        let ran = Tapwire::replay(&demo).args(["--config"]).args([&config]).run();
        assert_eq!(ran.code, Some(2), "{}", ran.stderr);
        assert!(ran.stderr.contains(names) && ran.stderr.trim().lines().count() == 1, "{}", ran.stderr);
    }
}

/// What `config check` says of a configuration.
fn checked(folder: &Path, text: &str) -> (Option<i32>, String) {
    let config = folder.join("tapwire.toml");
    fs::write(&config, text).expect("a writable folder");
    let ran = Tapwire::new(["config", "check", "--config"]).args([&config]).run();
    (ran.code, ran.stderr)
}

#[test]
fn what_is_wrong_with_an_output_is_said_before_anything_is_opened() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let to = |to: &str| format!("[[output]]\nname = \"a\"\nto = \"{to}\"\n");
    let (file, kafka) = (to("events"), to("kafka://127.0.0.1/t"));
    for (text, says) in [
        (to("hec+https://splunk.example") + "format = \"cef\"\n", "takes events in the format ocsf, not cef"),
        (to("hec+https://splunk.example") + "format = \"ecs\"\n", "takes events in the format ocsf, not ecs"),
        (to("elastic+https://e.example") + "format = \"line\"\n", "in the format ocsf or ecs, not line"),
        (to("webhook+https://soar.example") + "format = \"tsv\"\n", "in the format ocsf or eve, not tsv"),
        (to("elastic+htps://e.example"), "no output for `elastic+htps://`"),
        (to("https://u:p@c.example"), "no credentials in the URL"),
        (to("kafka://127.0.0.1/a/b"), "its topic is no name that Kafka takes"),
        (to("-"), "standard output is given with --events -"),
        (file.clone() + "format = \"xml\"\n", "no such format"),
        (file.clone() + "only = [\"all\"]\n", "no such class"),
        (file.clone() + "where = \"status >\"\n", "status >"),
        (file.clone() + "redact = \"none\"\n", "no redaction profile 'none'"),
        (file.clone() + "fields = \"time,nothing\"\n", "nothing"),
        (kafka.clone() + &kafka, "given twice"),
        (kafka + "[output.sink.syslog]\nfacility = 24\n", "facilities are 0 to 23"),
        ("[redact.profile.p]\nvalues = \"hide\"\n".to_owned(), "no treatment 'hide'"),
    ] {
        let (code, said) = checked(folder.path(), &text);
        assert_eq!(code, Some(2), "{text}\n{said}");
        assert!(said.contains(says), "{text}\n{said}");
    }
    for text in [to("elastic+https://e.example") + "format = \"ecs\"\n", to("kafka+tls://k.example/t"), file]
    {
        let (code, said) = checked(folder.path(), &text);
        assert_eq!(code, Some(0), "{text}\n{said}");
    }
}

#[test]
fn events_that_wait_for_an_output_that_was_taken_out_are_told() {
    let fixture = fixtures().into_iter().find(|fixture| fixture.name == "secrets").expect("the fixture");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (config, data) = (folder.path().join("tapwire.toml"), folder.path().join("data"));
    let text = "[sink.http]\ntries = 1\n[[output]]\nname = \"old\"\nto = \"http://127.0.0.1:1/\"\n";
    fs::write(&config, text).expect("a writable folder");
    let replay =
        || Tapwire::replay(&fixture).args(["--again", "--events", "null://", "--data"]).args([&data]);
    let with_it = || replay().args(["--config"]).args([&config]).run();
    let says = format!("{}: ", data.join("spool/old").display());
    assert!(!with_it().stderr.contains(&says));
    let without = replay().run().ok("without the output");
    assert!(
        without.stderr.contains(&says) && without.stderr.contains("no output of this run"),
        "{}",
        without.stderr
    );
    assert!(!with_it().stderr.contains(&says));
}
