//! `tapwire carve`: packets of exchanges and findings, written so that they say the same again.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use tapwire_testkit::mutate::{Link, Route};
use tapwire_tests::{Fixture, Ran, Tapwire, fixtures};

fn fixture(name: &str) -> Fixture {
    fixtures().into_iter().find(|fixture| fixture.name == name).expect("the fixture is in the tree")
}

fn carve(arguments: &[&str], captures: &[&Path], out: &Path) -> Ran {
    Tapwire::new(["carve"]).args(arguments).args(captures).args(["-w".as_ref(), out]).run()
}

fn exchanges(captures: &[&Path], analysis: &str) -> Vec<Value> {
    exchanges_with(&[], captures, analysis)
}

fn exchanges_with(arguments: &[String], captures: &[&Path], analysis: &str) -> Vec<Value> {
    let run = Tapwire::new(["replay", "--events", "-", "--only", "exchanges", "-q", "--analysis", analysis]);
    run.args(arguments).args(captures).key().run().ok("replay").events()
}

fn uid(event: &Value) -> String {
    event.pointer("/metadata/uid").and_then(Value::as_str).expect("an event has a uid").to_owned()
}

/// What may differ when an exchange is seen alone: where it was seen, in which frames and how late, and its number.
fn alone(event: &Value) -> Value {
    let mut event = event.clone();
    let drop = |value: Option<&mut Value>, name: &str| {
        value.and_then(Value::as_object_mut).and_then(|object| object.remove(name))
    };
    drop(event.pointer_mut("/unmapped"), "source");
    drop(event.pointer_mut("/unmapped"), "packets");
    drop(event.pointer_mut("/unmapped"), "flow");
    drop(event.pointer_mut("/unmapped/seen"), "joined_late");
    drop(event.pointer_mut("/metadata"), "sequence");
    event
}

fn difference(expected: &Value, seen: &Value, path: &str, into: &mut Vec<String>) {
    match (expected, seen) {
        (Value::Object(left), Value::Object(right)) => {
            let names: BTreeSet<&String> = left.keys().chain(right.keys()).collect();
            for name in names {
                let of =
                    |object: &serde_json::Map<String, Value>| object.get(name).cloned().unwrap_or_default();
                difference(&of(left), &of(right), &format!("{path}/{name}"), into);
            }
        }
        _ if expected == seen => {}
        _ => into.push(format!("{path}: {expected} became {seen}")),
    }
}

/// Big fixtures are sampled; `CARVE_ALL=1` takes every exchange.
const SAMPLE: usize = 20;

fn sample(events: Vec<Value>) -> Vec<Value> {
    if std::env::var_os("CARVE_ALL").is_some() || events.len() <= SAMPLE {
        return events;
    }
    let step = events.len().div_ceil(SAMPLE);
    let odd = |event: &Value| event.pointer("/unmapped/anomalies").is_some();
    events
        .into_iter()
        .enumerate()
        .filter(|(at, event)| at % step == 0 || odd(event))
        .map(|(_, e)| e)
        .collect()
}

/// What opens the connections of a fixture. Secrets that a capture carries are not carved along, so they lie beside it too.
fn keys(fixture: &Fixture) -> Vec<String> {
    let log = fixture.path().with_file_name("keys.log");
    let beside = || log.is_file().then(|| vec!["--keylog".to_owned(), log.display().to_string()]);
    let arguments = fixture.arguments();
    let of_keys = arguments.chunks(2).filter(|pair| ["--keylog", "--rsa-key"].contains(&pair[0].as_str()));
    let keys: Vec<String> = of_keys
        .flat_map(|pair| [pair[0].clone(), fixture.path().with_file_name(&pair[1]).display().to_string()])
        .collect();
    if keys.is_empty() { beside().unwrap_or_default() } else { keys }
}

fn every_exchange_alone(mode: &[&str], analysis: &str) {
    let mut wrong = Vec::new();
    let mut looked_at = 0;
    for fixture in fixtures() {
        let path = fixture.path();
        let keys = keys(&fixture);
        for event in sample(exchanges_with(&keys, &[&path], analysis)) {
            looked_at += 1;
            let folder = tempfile::tempdir().expect("a temporary folder");
            let out = folder.path().join("out.pcapng");
            let uid = uid(&event);
            let asked = keys.iter().map(String::as_str).chain(mode.iter().copied()).chain([uid.as_str()]);
            let _ = carve(&asked.collect::<Vec<_>>(), &[&path], &out).ok(&fixture.name);
            let again = exchanges_with(&keys, &[&out], analysis);
            let Some(seen) = again.iter().find(|seen| self::uid(seen) == uid) else {
                wrong.push(format!("{}: {uid}: not seen again", fixture.name));
                continue;
            };
            let mut different = Vec::new();
            difference(&alone(&event), &alone(seen), "", &mut different);
            if !different.is_empty() {
                wrong.push(format!("{}: {uid}: {}", fixture.name, different.join(", ")));
            }
        }
    }
    assert!(looked_at > 100, "only {looked_at} exchanges");
    assert!(wrong.is_empty(), "{} of {looked_at}:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_exchange_of_every_fixture_says_the_same_in_its_connection_alone() {
    every_exchange_alone(&[], "off");
}

#[test]
fn every_exchange_of_every_fixture_says_the_same_in_its_own_packets() {
    every_exchange_alone(&["--exact"], "off");
}

/// A run that keeps the packets of these captures.
fn keep(captures: &[&Path], data: &Path) -> Value {
    let run = Tapwire::new(["replay", "--json", "--set", "packets.budget=64MiB", "--events", "/dev/null"]);
    let ran = run.args(captures).args(["--data".as_ref(), data]).key().run().ok("replay");
    serde_json::from_slice(&ran.stdout).expect("the summary is JSON")
}

fn uids(events: &[Value]) -> BTreeSet<String> {
    events.iter().map(uid).collect()
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn packets(captures: &[&Path]) -> u64 {
    let count = |path: &&Path| {
        let mut reader = tapwire_capture::CaptureReader::open(path).expect("a capture");
        reader.for_each(|_| ()).expect("a whole capture");
        reader.packets()
    };
    captures.iter().map(count).sum()
}

#[test]
fn the_ring_carves_what_the_capture_carves() {
    for name in ["demo", "cooked-v2", "proxy-v1", "pipelined-rolling", "vxlan-fragments"] {
        let fixture = fixture(name);
        let folder = tempfile::tempdir().expect("a temporary folder");
        let data = folder.path().join("data");
        let summary = keep(&[&fixture.path()], &data);
        let ring = summary.pointer("/stages/packets").expect("the ring is counted");
        let of = |path: &str| ring.pointer(path).and_then(Value::as_u64).expect("a counter");
        let fates = ["/fates/written", "/fates/failed", "/fates/behind", "/fates/shed"].map(of);
        assert_eq!(of("/offered"), fates.iter().sum::<u64>(), "{name}: {ring}");
        assert_eq!(of("/offered") + of("/no_connection"), packets(&[&fixture.path()]), "{name}: {ring}");
        let events = exchanges(&[&fixture.path()], "off");
        let step = events.len().div_ceil(4);
        for event in events.iter().step_by(step) {
            let uid = uid(event);
            let (one, other) = (folder.path().join(&uid), folder.path().join(format!("{uid}.ring")));
            let _ = carve(&[&uid], &[&fixture.path()], &one).ok(name);
            let data = data.to_str().expect("UTF-8");
            let _ = carve(&[&uid, "--data", data], &[], &other).ok(name);
            let bytes = |path: &Path| std::fs::read(path).expect("a carved file");
            assert_eq!(bytes(&one), bytes(&other), "{name}: {uid}");
        }
    }
}

#[test]
fn a_finding_carves_the_exchanges_it_names() {
    let fixture = fixture("credentials-in-url");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let run = Tapwire::replay(&fixture).args(["--events", "-", "--only", "findings", "-q"]);
    let finding = run.run().ok("replay").events().remove(0);
    let own = finding.pointer("/finding_info/uid").and_then(Value::as_str).expect("a uid").to_owned();
    let named = finding.pointer("/unmapped/exchanges").and_then(Value::as_array).expect("exchanges");
    let named: BTreeSet<String> = named.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    let data = folder.path().join("data");
    let _ = keep(&[&fixture.path()], &data);
    let key = tapwire_tests::token_key(folder.path());
    let key = key.to_str().expect("UTF-8");
    for (out, source) in [("a", vec![fixture.path()]), ("b", vec![])] {
        let out = folder.path().join(out);
        let mut run = Tapwire::new(["carve", &own[..12], "--exact", "--token-key", key, "-w"]).args([&out]);
        run =
            if source.is_empty() { run.args(["--data".as_ref(), data.as_path()]) } else { run.args(source) };
        let _ = run.run().ok("carve");
        let seen = uids(&exchanges(&[&out], "off"));
        assert!(named.is_subset(&seen), "{named:?} in {seen:?}");
    }
}

#[test]
fn an_expression_carves_from_several_captures_of_several_link_types() {
    let names = ["basic-rest", "cooked-v1", "cooked-v2", "demo"];
    let captures: Vec<PathBuf> = names.iter().map(|name| fixture(name).path()).collect();
    let captures: Vec<&Path> = captures.iter().map(PathBuf::as_path).collect();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().join("out.pcapng");
    let wanted =
        Tapwire::new(["replay", "--events", "-", "--only", "exchanges", "-q", "--where", "method == POST"]);
    let wanted = wanted.args(["--analysis", "off"]).args(&captures).key().run().ok("replay").events();
    assert!(wanted.len() > 50, "{}", wanted.len());
    let _ = carve(&["--where", "method == POST"], &captures, &out).ok("carve");
    let seen: BTreeMap<String, Value> =
        exchanges(&[&out], "off").into_iter().map(|event| (uid(&event), event)).collect();
    for event in &wanted {
        let seen = seen.get(&uid(event)).unwrap_or_else(|| panic!("{} is missing", uid(event)));
        let mut different = Vec::new();
        difference(&alone(event), &alone(seen), "", &mut different);
        assert_eq!(different, Vec::<String>::new(), "{}", uid(event));
    }
}

#[test]
fn an_expression_over_what_is_learned_is_asked_of_an_analysis() {
    let fixture = fixture("demo");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().join("out.pcapng");
    let expression = r#"template == "/payments/{paymentId}""#;
    let run = Tapwire::new(["replay", "--events", "-", "--only", "exchanges", "-q", "--where", expression]);
    let wanted = uids(&run.args([fixture.path()]).key().run().ok("replay").events());
    assert!(!wanted.is_empty());
    let _ = carve(&["--where", expression, "-q"], &[&fixture.path()], &out).ok("carve");
    assert!(wanted.is_subset(&uids(&exchanges(&[&out], "off"))));
}

#[test]
fn connections_on_the_same_ports_are_not_mixed() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("in.pcap");
    let first = tapwire_testkit::Conversation::new(tapwire_testkit::shop_turns(5, 1), 7);
    let mut second =
        tapwire_testkit::Conversation { turns: tapwire_testkit::shop_turns(3, 2), ..first.clone() };
    second.start = tapwire_wire::Timestamp::from_nanos(first.start.nanos() + 60_000_000_000);
    second.initial = [77, 1 << 31];
    let both = first.play().merged(second.play()).numbered();
    let file = std::fs::File::create(&path).expect("a file");
    let nanos = tapwire_capture::Resolution::Nanoseconds;
    let _ = both.write_pcap(file, tapwire_capture::ByteOrder::Little, nanos).expect("a capture");
    let events = exchanges(&[&path], "off");
    assert_eq!(events.len(), 8);
    for (event, packets_of) in [(&events[0], first.play()), (&events[7], second.play())] {
        let out = folder.path().join(uid(event));
        let _ = carve(&[&uid(event)], &[&path], &out).ok("carve");
        assert_eq!(packets(&[&out]), packets_of.packets.len() as u64);
    }
}

/// A request in fragments, one of which comes in two versions: carved from the capture and from the ring, it tells of it again.
#[test]
fn fragments_that_contradict_each_other_are_carved_too() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (path, data) = (folder.path().join("in.pcap"), folder.path().join("data"));
    let route = Route { inner_fragments: Some(48), ..Route::plain(Link::Ethernet) };
    let plain = tapwire_testkit::Conversation::new(tapwire_testkit::shop_turns(3, 8), 8).play();
    let mut capture = tapwire_testkit::mutate::carry(&plain, &route).expect("Ethernet carries everything");
    let is_second = |packet: &tapwire_testkit::OwnedPacket| packet.bytes.get(20..22) == Some(&[0x20, 6]);
    let at = capture.packets.iter().position(is_second).expect("a request in fragments");
    let mut other = capture.packets[at].clone();
    other.bytes[40] ^= 1;
    capture.packets.insert(at + 1, other);
    let file = std::fs::File::create(&path).expect("a file");
    let nanos = tapwire_capture::Resolution::Nanoseconds;
    let capture = capture.numbered();
    let _ = capture.write_pcap(file, tapwire_capture::ByteOrder::Little, nanos).expect("a capture");
    let _ = keep(&[&path], &data);
    let events = exchanges(&[&path], "off");
    assert!(events[0].to_string().contains("fragment-conflict"), "{}", events[0]);
    for (out, captures, from) in
        [("a", vec![path.as_path()], vec![]), ("b", vec![], vec!["--data", data.to_str().expect("UTF-8")])]
    {
        let out = folder.path().join(out);
        let _ = carve(&[&[uid(&events[0]).as_str()], &from[..]].concat(), &captures, &out).ok("carve");
        assert_eq!(packets(&[&out]), capture.packets.len() as u64);
        let again = exchanges(&[&out], "off");
        assert_eq!(again.iter().map(alone).collect::<Vec<_>>(), events.iter().map(alone).collect::<Vec<_>>());
    }
}

#[test]
fn what_is_carved_is_private_recorded_and_never_overwritten() {
    let fixture = fixture("basic-rest");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().join("out.pcapng");
    let uid = uid(&exchanges(&[&fixture.path()], "off")[3]);
    let _ = carve(&[&uid], &[&fixture.path()], &out).ok("carve");
    let mode = |path: &Path| std::fs::metadata(path).expect("a file").permissions().mode() & 0o777;
    let log = folder.path().join("out.pcapng.audit.jsonl");
    assert_eq!((mode(&out), mode(&log)), (0o600, 0o600));
    let again = carve(&[&uid], &[&fixture.path()], &out);
    assert_eq!(again.code, Some(2));
    assert!(again.stderr.contains("--force") && again.stderr.lines().count() == 1, "{}", again.stderr);
    let _ = carve(&[&uid, "--force", "--exact"], &[&fixture.path()], &out).ok("carve");
    let lines: Vec<Value> =
        text(&log).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines.len(), 2, "one line for each file that was written");
    let last = &lines[1];
    let sum = Command::new("sha256sum").arg(&out).output().expect("sha256sum");
    let sum = String::from_utf8_lossy(&sum.stdout).split(' ').next().unwrap_or_default().to_owned();
    assert_eq!(last.get("sha256").and_then(Value::as_str), Some(sum.as_str()));
    assert_eq!(last.pointer("/uids/0").and_then(Value::as_str), Some(uid.as_str()));
    assert_eq!(last.get("packets").and_then(Value::as_u64), Some(packets(&[&out])));
    for name in ["time", "user_id", "output", "sources", "asked", "exact"] {
        assert!(last.get(name).is_some(), "{name} is not recorded: {last}");
    }
    let piped = Tapwire::new(["carve", &uid, "--exact", "-w", "-"]).args([fixture.path()]).run().ok("carve");
    assert_eq!(piped.stdout, std::fs::read(&out).expect("the file"), "the same on standard output");
    assert!(piped.stderr.contains("\"sha256\""), "recorded on standard error: {}", piped.stderr);
}

#[test]
fn what_is_inside_tls_is_asked_for_with_its_keys() {
    let fixture = fixture("tls13");
    let capture = fixture.path();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().join("out.pcapng");
    let uid = uid(&exchanges_with(&keys(&fixture), &[&capture], "off")[0]);
    let refused = carve(&[&uid], &[&capture], &out);
    assert_eq!((refused.code, refused.stderr.lines().count(), out.exists()), (Some(2), 1, false));
    assert!(
        refused.stderr.contains("inside TLS is found with its keys only: --keylog"),
        "{}",
        refused.stderr
    );
    let others = self::fixture("tls-nginx").path().with_file_name("keys.log");
    let refused = carve(&[&uid, "--keylog", &others.display().to_string()], &[&capture], &out);
    assert!(refused.stderr.contains("the keys that were given are of others"), "{}", refused.stderr);
    let (case, key) = (folder.path().join("a.tar"), folder.path().join("case.key"));
    let case =
        Tapwire::new(["case", "export", &uid, "--sign"]).args([&key, &capture]).args(["-w"]).args([&case]);
    let refused = case.key().run();
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    assert!(
        refused.stderr.contains("no such incident") && refused.stderr.contains("--keylog"),
        "{}",
        refused.stderr
    );
    assert_eq!(refused.stderr.lines().count(), 1, "{}", refused.stderr);
    let plain = self::fixture("basic-rest");
    let refused = carve(&["0123456789ab"], &[&plain.path()], &out);
    assert!(!refused.stderr.contains("TLS"), "there is none: {}", refused.stderr);
}

#[test]
fn mistakes_are_one_line_and_leave_nothing_behind() {
    let fixture = fixture("basic-rest");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().join("out.pcapng");
    let capture = fixture.path();
    let cases: [(&[&str], &[&Path], &str); 6] = [
        (&["0123456789ab"], &[&capture], "no exchange in what was searched belongs to this uid"),
        (&["--where", "status == 999"], &[&capture], "holds for no exchange"),
        (&["--where", "statu == 1"], &[&capture], "did you mean 'status'"),
        (&["0123"], &[&capture], "at least 6 hexadecimal digits"),
        (&["0123456789ab"], &[Path::new("-")], "save it to a file first"),
        (&["0123456789ab", "--data", "/nonexistent"], &[], "does not exist"),
    ];
    for (arguments, captures, expected) in cases {
        let ran = carve(arguments, captures, &out);
        assert_eq!(ran.code, Some(2), "{arguments:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(expected), "{arguments:?}: {}", ran.stderr);
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0, "{arguments:?}");
    }
}

#[test]
fn no_planted_secret_can_be_read_in_the_ring() {
    let fixture = fixture("secrets");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("data");
    let _ = keep(&[&fixture.path()], &data);
    let planted = text(&tapwire_tests::workspace().join("fixtures/secrets/planted.txt"));
    let files = tapwire_tests::files_below(&data, &|_| true);
    assert!(files.iter().any(|file| file.extension().is_some_and(|kind| kind == "packets")));
    for file in files {
        let bytes = std::fs::read(&file).expect("a file");
        for secret in planted.lines().map(str::trim).filter(|secret| !secret.is_empty()) {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{}: {secret}", file.display());
        }
    }
}

/// Names, comments and times as other people's tools read them.
#[test]
fn wireshark_reads_it() {
    if !tapwire_testkit::peers::has("tshark") {
        return;
    }
    let (one, two) = (fixture("basic-rest"), fixture("cooked-v1"));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().join("out.pcapng");
    let _ = carve(&["--where", "status == 200"], &[&one.path(), &two.path()], &out).ok("carve");
    let info = Command::new("capinfos").arg(&out).output().expect("capinfos");
    let text = String::from_utf8_lossy(&info.stdout);
    assert!(info.status.success() && info.stderr.is_empty(), "{}", String::from_utf8_lossy(&info.stderr));
    for expected in ["nanoseconds", "Number of interfaces in file: 2", "tapwire", &one.capture] {
        assert!(text.contains(expected), "{expected} is missing in\n{text}");
    }
    let fields = ["-T", "fields", "-e", "frame.comment", "-e", "tcp.len"];
    let shown = Command::new("tshark").arg("-r").arg(&out).args(fields).output().expect("tshark");
    assert!(shown.status.success());
    let shown = String::from_utf8_lossy(&shown.stdout);
    let commented: BTreeSet<&str> = shown.lines().filter_map(|line| line.split('\t').next()).collect();
    let wanted =
        Tapwire::new(["replay", "--events", "-", "--only", "exchanges", "-q", "--where", "status == 200"]);
    let wanted = wanted.args([one.path(), two.path()]).key().run().ok("replay").events();
    for uid in uids(&wanted) {
        assert!(commented.iter().any(|comments| comments.contains(&uid)), "{uid} is no comment");
    }
    let without_bytes = |line: &&str| line.ends_with("\t0");
    assert!(
        shown.lines().filter(without_bytes).all(|line| line.starts_with('\t')),
        "a bare packet is commented"
    );
}

/// What is left on a disk of 16 KiB, of which so many are taken, and what was said.
fn on_a_full_disk(taken: u32, uid: &str, capture: &Path) -> Option<(String, String)> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let script = "mount -t tmpfs -o size=16k tmpfs \"$1\" || exit 77; cd \"$1\"; \
                  dd if=/dev/zero of=taken bs=1k count=\"$2\" 2>/dev/null; \
                  \"$3\" carve \"$4\" \"$5\" -w out.pcapng; echo \"$?\"; rm taken; ls";
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", script, "sh"]).arg(folder.path()).arg(taken.to_string());
    let home = tempfile::tempdir().expect("a temporary folder");
    let ran = command.arg(tapwire_tests::binary()).arg(uid).arg(capture).env("HOME", home.path()).output();
    let ran = ran.expect("unshare can be started");
    if !matches!(ran.status.code(), Some(0)) {
        tapwire_testkit::peers::skipped("only root can mount a disk of its own");
        return None;
    }
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    Some((text(ran.stdout), text(ran.stderr)))
}

#[test]
fn a_full_disk_leaves_nothing_behind_and_one_line() {
    let capture = fixture("basic-rest").path();
    let event = exchanges(&[&capture], "off").swap_remove(0);
    let carve = |taken| on_a_full_disk(taken, &uid(&event), &capture);
    let Some((left, _)) = carve(1) else { return };
    assert_eq!(left, "0\nout.pcapng\nout.pcapng.audit.jsonl\n");
    // Room for nothing, and for the packets without their record.
    for taken in [16, 12] {
        let (left, said) = carve(taken).expect("a disk as before");
        assert_eq!(left, "2\n", "{said}");
        assert!(said.lines().count() == 1 && said.contains("the disk is full"), "{said}");
    }
}

/// The exchanges that are told of an incident: by itself and by its findings.
fn told_of(incident: &str, events: &[Value]) -> BTreeSet<String> {
    let own = events.iter().filter(|event| event["unmapped"]["incident"] == incident);
    let list = |event: &Value, name: &str| event["unmapped"][name].as_array().cloned().unwrap_or_default();
    let named = own.flat_map(|event| {
        let timeline = list(event, "timeline").into_iter().map(|moment| moment["exchange"].clone());
        list(event, "exchanges").into_iter().chain(timeline).collect::<Vec<_>>()
    });
    named.filter_map(|uid| uid.as_str().map(str::to_owned)).collect()
}

#[test]
fn an_incident_is_carved_with_all_that_it_tells_of() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut several = 0;
    for fixture in fixtures().iter().filter(|fixture| fixture.arguments().is_empty()) {
        let data = folder.path().join(&fixture.name);
        let run = Tapwire::new(["replay", "--events", "-", "-q", "--set", "packets.budget=64MiB"]).key();
        let events = run.args(["--data"]).args([&data]).args([fixture.path()]).run().ok("replay").events();
        let incidents: BTreeSet<&str> =
            events.iter().filter_map(|event| event["unmapped"]["incident"].as_str()).collect();
        for incident in incidents {
            let told = told_of(incident, &events);
            if fixture.name == "port-scan" {
                // Made of connections without a word: no exchange shows it.
                continue;
            }
            several += usize::from(told.len() > 1);
            for from_ring in [false, true] {
                let out = folder.path().join(format!("{incident}-{from_ring}.pcapng"));
                let carve = Tapwire::new(["carve", incident]).key().args(["-w"]).args([&out]);
                let carve = if from_ring {
                    carve.args(["--data"]).args([&data])
                } else {
                    carve.args([fixture.path()])
                };
                let _carved = carve.run().ok("carve");
                let there: BTreeSet<String> = exchanges(&[&out], "off").iter().map(uid).collect();
                assert!(told.is_subset(&there), "{}: {incident}: of {told:?} only {there:?}", fixture.name);
            }
        }
    }
    assert!(several > 0, "no incident tells of several exchanges");
}

/// Findings of a capture that no exchange shows: of whom, and why.
fn unsaid(capture: &Path) -> Vec<(String, String)> {
    let run = Tapwire::new(["replay", "--events", "-", "-q"]).key().args([capture]).run().ok("replay");
    let events = run.events();
    let found = events.iter().filter(|event| event["unmapped"]["detector"] == "port-scan");
    let text =
        |event: &Value, path| event.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
    found
        .map(|event| (text(event, "/evidences/0/src_endpoint/ip"), text(event, "/unmapped/reason")))
        .collect()
}

/// What nmap did, counted in the capture by hand: its address, its packets and its connections.
const SCANS: [(&str, u64, &str); 2] = [("10.77.0.66", 204, "100"), ("10.77.0.67", 66, "30")];

#[test]
fn a_scan_is_carved_with_every_port_that_was_tried_and_with_nothing_else() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let fixture = fixture("port-scan");
    let data = folder.path().join("data");
    let run = Tapwire::new(["replay", "--events", "-", "-q", "--set", "packets.budget=64MiB"]).key();
    let events = run.args(["--data"]).args([&data]).args([fixture.path()]).run().ok("replay").events();
    let told = unsaid(&fixture.path());
    for (address, all, connections) in SCANS {
        let mut found = events.iter().filter(|event| {
            event.pointer("/evidences/0/src_endpoint/ip").and_then(Value::as_str) == Some(address)
                && event["unmapped"]["detector"] == "port-scan"
        });
        let finding = found.next().expect("the scan is found");
        let (own, incident) = (uid(finding), finding["unmapped"]["incident"].as_str().expect("an incident"));
        for (wish, from_ring) in [(own.as_str(), false), (&incident[..12], false), (&incident[..12], true)] {
            let out = folder.path().join(format!("{address}-{wish}-{from_ring}.pcapng"));
            let carve = Tapwire::new(["carve", wish]).key().args(["-w"]).args([&out]);
            let carve =
                if from_ring { carve.args(["--data"]).args([&data]) } else { carve.args([fixture.path()]) };
            let ran = carve.run().ok("carve");
            assert_eq!(packets(&[&out]), all, "{address} {from_ring}: {}", ran.stderr);
            let said = format!("{connections} connections without a word");
            assert!(ran.stderr.contains(&said), "{}", ran.stderr);
            let of = told.iter().filter(|(whose, _)| whose == address).cloned().collect::<Vec<_>>();
            let again = unsaid(&out);
            assert!(!of.is_empty() && again.iter().all(|(whose, _)| whose == address), "{again:?}");
            assert_eq!(again.len(), of.len(), "{again:?}");
        }
    }
}
