//! What an operator can get wrong: the exit code is 2, and one line says what, where and what to try. And what one is told unasked.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tapwire_tests::{Fixture, Ran, Tapwire, binary, fixtures};

fn fixture(name: &str) -> Fixture {
    fixtures().into_iter().find(|fixture| fixture.name == name).expect("the fixture is in the tree")
}

fn capture() -> String {
    fixture("basic-rest").path().to_string_lossy().into_owned()
}

/// A file in a folder that goes with the test.
fn file(name: &str, bytes: &[u8]) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join(name);
    fs::write(&path, bytes).expect("a file in a temporary folder");
    (folder, path.to_string_lossy().into_owned())
}

/// Exit code 2, nothing on standard output, and one line on standard error that has all `words`.
fn refused(ran: &Ran, words: &[&str]) {
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stdout.is_empty(), "wrote {}", String::from_utf8_lossy(&ran.stdout));
    let lines: Vec<&str> = ran.stderr.lines().collect();
    assert_eq!(lines.len(), 1, "one line, not:\n{}", ran.stderr);
    says(ran, words);
}

/// What the command line itself does not understand: the same, with a way to the help.
fn misspelled(ran: &Ran, words: &[&str]) {
    refused(ran, words);
    says(ran, &["--help"]);
}

fn says(ran: &Ran, words: &[&str]) {
    for word in words {
        let stderr = ran.stderr.to_lowercase();
        assert!(stderr.contains(&word.to_lowercase()), "\"{word}\" is missing in: {}", ran.stderr);
    }
}

fn replay(arguments: &[&str]) -> Ran {
    Tapwire::new(["replay"]).key().args(arguments).run()
}

#[test]
fn a_file_that_is_not_there() {
    refused(&replay(&["/nowhere/case.pcap"]), &["/nowhere/case.pcap", "no such file"]);
}

#[test]
fn a_file_that_may_not_be_read() {
    let (folder, path) = file("case.pcap", &fs::read(capture()).expect("the fixture"));
    let Some(mut command) = as_nobody(folder.path()) else { return };
    Command::new("chmod").args(["600", &path]).status().expect("chmod");
    let output = command.args(["replay", &path]).output().expect("setpriv");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(stderr.contains(&path) && stderr.contains("permission"), "{stderr}");
}

#[test]
fn a_file_that_is_no_capture() {
    let (_folder, path) = file("notes.txt", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    refused(&replay(&[&path]), &[&path, "not a capture"]);
}

#[test]
fn an_empty_file() {
    let (_folder, path) = file("empty.pcap", b"");
    refused(&replay(&[&path]), &[&path, "not a capture"]);
}

#[test]
fn a_directory_without_captures() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().to_string_lossy().into_owned();
    refused(&replay(&[&path]), &[&path, "no capture"]);
}

#[test]
fn a_capture_cut_in_the_middle_gives_what_was_read() {
    let whole = fs::read(capture()).expect("the fixture");
    let (_folder, path) = file("cut.pcap", whole.get(..whole.len() / 2).expect("a half"));
    let ran = replay(&[&path, "--events", "-"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(!ran.events().is_empty(), "the exchanges before the cut are missing");
    says(&ran, &[&path, "cut in the middle", "byte"]);
}

#[test]
fn a_capture_cut_before_its_first_packet_gives_nothing() {
    let whole = fs::read(capture()).expect("the fixture");
    let (_folder, path) = file("cut.pcap", whole.get(..30).expect("a head"));
    refused(&replay(&[&path, "-q"]), &[&path, "cut in the middle"]);
}

#[test]
fn an_interface_that_is_not_there() {
    let ran = Tapwire::new(["run", "-i", "nosuch0"]).key().run();
    refused(&ran, &["nosuch0", "no such interface", "lo"]);
}

#[test]
fn a_capture_without_the_right_to() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let Some(mut command) = as_nobody(folder.path()) else { return };
    let output = command.args(["run", "-i", "lo", "-c", "1"]).output().expect("setpriv");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(stderr.contains("lo") && stderr.contains("CAP_NET_RAW") && stderr.contains("setcap"), "{stderr}");
}

#[test]
fn a_capture_filter_that_does_not_compile() {
    let capture = capture();
    refused(&replay(&[&capture, "-f", "tcp prt 80"]), &["tcp prt 80", "filter", "prt"]);
}

#[test]
fn a_where_that_does_not_parse_points_at_the_place() {
    let ran = replay(&[&capture(), "--where", "status >= && 3"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stdout.is_empty());
    let lines: Vec<&str> = ran.stderr.lines().collect();
    let text =
        lines.iter().position(|line| line.contains("status >= && 3")).expect("the expression is shown");
    let caret = lines.get(text + 1).and_then(|line| line.find('^')).expect("a caret below it");
    let place = lines[text].find("&&").expect("the expression is shown whole");
    assert_eq!(caret, place, "the caret is elsewhere:\n{}", ran.stderr);
}

#[test]
fn a_where_over_an_unknown_field_names_the_nearest() {
    let ran = replay(&[&capture(), "--where", "statuss == 200"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    says(&ran, &["statuss", "'status'"]);
}

#[test]
fn an_unknown_field_to_print_names_the_nearest() {
    let ran = replay(&[&capture(), "--format", "tsv", "--fields", "method,statuss"]);
    refused(&ran, &["statuss", "status"]);
}

#[test]
fn an_unknown_option_names_the_nearest() {
    misspelled(&replay(&[&capture(), "--formt", "eve"]), &["--formt", "--format"]);
}

#[test]
fn an_unknown_format_names_the_known_ones() {
    refused(&replay(&[&capture(), "--format", "xml"]), &["xml", "ocsf", "eve", "line", "tsv"]);
}

#[test]
fn an_unknown_command_names_the_nearest() {
    misspelled(&Tapwire::new(["repaly"]).run(), &["repaly", "replay"]);
}

#[test]
fn an_unknown_key_on_the_command_line_names_the_nearest() {
    refused(&replay(&[&capture(), "--set", "redact.fidelty=full"]), &["redact.fidelty", "'fidelity'"]);
}

#[test]
fn an_unknown_key_in_the_configuration_names_its_place() {
    let (_folder, path) = file("tapwire.toml", b"[redact]\nfidelty = \"full\"\n");
    refused(&replay(&[&capture(), "--config", &path]), &[&path, "fidelty", "fidelity"]);
}

#[test]
fn a_configuration_that_is_not_there() {
    refused(
        &replay(&[&capture(), "--config", "/nowhere/tapwire.toml"]),
        &["/nowhere/tapwire.toml", "no such file"],
    );
}

#[test]
fn a_size_that_is_none() {
    refused(&replay(&[&capture(), "--memory", "lots"]), &["--memory", "lots"]);
    refused(&replay(&[&capture(), "--memory", "16MiB"]), &["--memory", "16MiB", "64MiB"]);
}

#[test]
fn a_count_of_no_exchanges() {
    refused(&replay(&[&capture(), "-c", "0"]), &["-c 0", "1 or more"]);
}

#[test]
fn an_interface_that_is_given_twice() {
    for command in ["run", "doctor"] {
        let ran = Tapwire::new([command, "-i", "lo", "-i", "lo"]).run();
        refused(&ran, &["lo", "given twice"]);
    }
}

#[test]
fn a_tap_on_one_thread() {
    let run = |arguments: &[&str]| Tapwire::new(["run", "-i", "lo"]).args(arguments).key().run();
    refused(&run(&["--threads", "0"]), &["--threads 0", "tap", "1 or more"]);
    refused(&run(&["--set", "threads=0"]), &["threads 0", "tap", "1 or more"]);
}

#[test]
fn a_home_that_cannot_hold_the_token_key() {
    let (_folder, path) = file("home", b"");
    let ran =
        Command::new(binary()).args(["replay", &capture(), "-q"]).env_clear().env("HOME", &path).output();
    let ran = ran.expect("tapwire can be started");
    let said = String::from_utf8_lossy(&ran.stderr);
    assert_eq!((ran.status.code(), said.lines().count()), (Some(2), 1), "{said}");
    for word in [path.as_str(), "--token-key", "--data"] {
        assert!(said.contains(word), "{word} is missing in: {said}");
    }
}

#[test]
fn an_output_that_nobody_writes() {
    let ran = replay(&[&capture(), "--events", "htp://127.0.0.1/"]);
    refused(&ran, &["htp", "http"]);
}

#[test]
fn an_output_in_a_folder_that_is_not_there() {
    refused(&replay(&[&capture(), "--events", "/nowhere/events.jsonl"]), &["/nowhere/events.jsonl"]);
}

#[test]
fn an_output_that_is_given_twice() {
    let (folder, path) = file("events.jsonl", b"");
    let spelled = format!("file://{}/./events.jsonl", folder.path().display());
    refused(&replay(&[&capture(), "--events", &path, "--events", &spelled]), &["events.jsonl", "twice"]);
}

#[test]
fn columns_of_a_format_that_has_none() {
    refused(&replay(&[&capture(), "--format", "eve", "--fields", "method"]), &["--fields", "tsv"]);
    refused(&replay(&[&capture(), "--format", "tsv", "--only", "findings"]), &["tsv", "--only"]);
}

#[test]
fn a_setting_without_a_value() {
    refused(&replay(&[&capture(), "--set", "memory"]), &["--set memory", "key=value"]);
}

#[test]
fn the_configuration_says_where_each_value_came_from() {
    let (_folder, path) = file("tapwire.toml", b"sensor = \"edge\"\n");
    let arguments =
        ["config", "show", "--config", &path, "--set", "tenant=acme", "--memory", "512MiB", "--threads", "3"];
    let ran = Tapwire::new(arguments).run().ok("config show");
    let text = String::from_utf8(ran.stdout).expect("UTF-8");
    let origin = |key: &str| {
        let line =
            text.lines().find(|line| line.starts_with(&format!("{key} = "))).expect("the key is shown");
        line.split('#').nth(1).unwrap_or_default().trim().to_owned()
    };
    let origins = ["memory", "threads", "sensor", "tenant"].map(origin);
    assert_eq!(origins, ["--memory", "--threads", path.as_str(), "--set"]);
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let demo = fixture("demo").path().to_string_lossy().into_owned();
    let mut child = Command::new(binary())
        .args(["-r", &demo, "--token-key"])
        .arg(tapwire_tests::token_key(folder.path()))
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("tapwire can be started");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("a child");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "it ends quietly");
}

#[test]
fn the_sensors_own_events_of_a_capture_come_when_they_are_asked_for() {
    let events = replay(&[&capture(), "--events", "-", "--only", "sensor"]).ok("replay").events();
    let mut codes: Vec<_> =
        events.iter().filter_map(|event| event.pointer("/metadata/event_code")?.as_str()).collect();
    assert_eq!(codes.pop(), Some("sensor.summary"), "the run's own last event");
    assert_eq!(codes.pop(), Some("sensor.not-judged"), "before it, which detectors could not judge");
    assert!(!codes.is_empty() && codes.iter().all(|code| *code == "sensor.coverage"), "{codes:?}");
    let usual = replay(&[&capture(), "--events", "-"]).ok("replay").events();
    assert!(usual.iter().all(|event| event.pointer("/metadata/event_code").is_none()));
}

#[test]
fn a_collector_that_refuses() {
    // Bound and never accepting more than its queue would hold: closed at once, so that the port is free and refuses.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|socket| socket.local_addr())
        .expect("a port")
        .port();
    let url = format!("http://127.0.0.1:{port}/events");
    let ran = replay(&[&capture(), "--events", &url, "-q"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    says(&ran, &[&url, "refused", "3 tries"]);
}

#[test]
fn findings_at_the_asked_severity_are_an_exit_code_of_their_own() {
    let path = fixture("credentials-in-url").path().to_string_lossy().into_owned();
    assert_eq!(replay(&[&path, "--fail-on", "low"]).code, Some(1));
    assert_eq!(replay(&[&path]).code, Some(0));
    assert_eq!(replay(&[&capture(), "--fail-on", "low"]).code, Some(0));
}

/// The binary as a user without rights, from a folder which that user may enter; `None`, with a notice, when not root.
fn as_nobody(folder: &Path) -> Option<Command> {
    if !is_root() {
        tapwire_testkit::peers::skipped("only root can become another user");
        return None;
    }
    let copy: PathBuf = folder.join("tapwire");
    fs::copy(binary(), &copy).expect("a copy of the binary");
    Command::new("chmod").arg("755").args([folder, &copy]).status().expect("chmod");
    let mut command = Command::new("setpriv");
    command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups", "--inh-caps=-all"]);
    command.arg(copy).env("HOME", folder);
    Some(command)
}

fn is_root() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().any(|line| line.split_whitespace().take(3).eq(["Uid:", "0", "0"]))
}

#[test]
fn a_named_pipe_is_read_like_standard_input() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let pipe = folder.path().join("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status().expect("mkfifo");
    assert!(made.success());
    let mut writer = Command::new("sh")
        .args(["-c", "cat \"$1\" > \"$2\"", "sh", &capture()])
        .arg(&pipe)
        .spawn()
        .expect("a writer");
    let piped = Tapwire::new(["replay".as_ref(), pipe.as_os_str()])
        .key()
        .args(["--fields", "method,path,status"])
        .run();
    writer.wait().expect("the writer ends");
    let plain = Tapwire::new(["replay", &capture()]).key().args(["--fields", "method,path,status"]).run();
    assert!(piped.ok("pipe").stdout == plain.ok("file").stdout, "a pipe gives other exchanges than the file");
}

/// A capture of half an hour in which two services have an exchange every four seconds, and one of them pauses for 400.
fn a_service_pauses() -> tapwire_testkit::Capture {
    let mut capture = tapwire_testkit::Capture::default();
    for (second, service) in (0..1_800).step_by(4).flat_map(|second| [(second, 1_u8), (second, 2)]) {
        if service == 2 && (1_200..1_600).contains(&second) {
            continue;
        }
        let turn = tapwire_testkit::Turn {
            request: format!("GET /a HTTP/1.1\r\nHost: service-{service}.test\r\n\r\n").into_bytes(),
            response: b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec(),
        };
        let script = tapwire_testkit::Conversation::new(vec![turn], second);
        let port = 20_000 + u16::try_from(second).expect("a port");
        let script = tapwire_testkit::Conversation {
            client: tapwire_wire::Endpoint::v4([10, 0, 0, service], port),
            server: tapwire_wire::Endpoint::v4([10, 0, 1, service], 80),
            start: tapwire_wire::Timestamp::from_parts(1_700_000_000 + i64::from(port) - 20_000, 0),
            ..script
        };
        capture = capture.merged(script.play());
    }
    capture.numbered()
}

/// Packet time tells that a service stopped while its neighbour goes on, so that a replay says it too.
#[test]
fn a_service_that_stops_and_goes_on_is_told_by_a_replay() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("in.pcap");
    let file = std::fs::File::create(&path).expect("a file");
    let nanos = tapwire_capture::Resolution::Nanoseconds;
    let _ =
        a_service_pauses().write_pcap(file, tapwire_capture::ByteOrder::Little, nanos).expect("a capture");
    let told = |more: &[&str]| {
        let run = Tapwire::new(["replay", "--events", "-", "--only", "sensor", "-q"]).args(more);
        let mut events = run.args([&path]).run().ok("replay").events();
        events.retain(|event| event.to_string().contains("service.silent"));
        events.iter().filter_map(|event| Some(event.get("message")?.as_str()?.to_owned())).collect::<Vec<_>>()
    };
    let [stopped, back] = &told(&[])[..] else { panic!("{:?}", told(&[])) };
    assert!(stopped.contains("service-2.test") && stopped.contains("no exchange for"), "{stopped}");
    assert!(back.contains("service-2.test") && back.contains("goes on after 4"), "{back}");
    assert_eq!(told(&["--set", "heartbeat.service_window=0"]), [""; 0]);
    assert_eq!(told(&["--set", "heartbeat.service_after=600"]), [""; 0]);
}

#[test]
fn messages_of_a_stream_may_be_fewer() {
    let path = fixture("sse-ongoing").path().to_string_lossy().into_owned();
    let kinds = |limit: &str| {
        let setting = format!("streams.children_per_second={limit}");
        let only = ["--events", "-", "--only", "exchanges", "-q", "--set", &setting, &path];
        let events = replay(&only).ok("replay").events();
        let kind = |name: &str| events.iter().filter(|event| event["unmapped"]["kind"] == name).count();
        let end = events.iter().find(|event| event["unmapped"]["kind"] == "end").expect("an end");
        (kind("message"), kind("end"), end["unmapped"]["totals"]["left_out"].as_u64().expect("a number"))
    };
    assert_eq!(kinds("100"), (3, 1, 0));
    assert_eq!(kinds("0"), (0, 1, 3));
}

#[test]
fn whatever_list_names_is_explained() {
    for list in ["detectors", "protocols", "payloads", "fields", "anomalies", "ailments"] {
        for entry in Tapwire::new(["list", list, "--json"]).run().ok(list).events() {
            let name = entry["name"].as_str().expect("a name").to_owned();
            let ran = Tapwire::new(["explain", &name]).run();
            assert_eq!(ran.code, Some(0), "{list}: {name}: {}", ran.stderr);
        }
    }
    let explained =
        |name| String::from_utf8(Tapwire::new(["explain", name]).run().ok(name).stdout).expect("UTF-8");
    let both = [
        ("multipart", ["a payload format", "a style of calls"]),
        ("tls", ["a protocol on the wire", "an ailment of a mirror"]),
        ("http/2", ["a protocol on the wire", "RFC 9113"]),
    ];
    for (name, texts) in both {
        let text = explained(name);
        assert!(texts.iter().all(|wanted| text.contains(wanted)), "{name}: {text}");
    }
    refused(&Tapwire::new(["explain", "websockets"]).run(), &["did you mean 'websocket'?"]);
}

#[test]
fn a_store_in_the_place_of_a_directory() {
    let folder = tempfile::tempdir().expect("a folder");
    for command in [
        ["serve"].as_slice(),
        &["collect"],
        &["findings"],
        &["callers"],
        &["sensor", "add", "north"],
        &["serve", "user", "add", "ana", "--role", "viewer"],
    ] {
        let mut ran = Command::new(binary());
        ran.current_dir(folder.path()).args(command).args(["--data", "s3://lake/site"]);
        let output = ran.stdin(std::process::Stdio::null()).output().expect("tapwire");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), stderr.lines().count()), (Some(2), 1), "{command:?}: {stderr}");
        for word in ["s3://lake/site", "this machine", "tapwire lake copy", "inventory"] {
            assert!(stderr.contains(word), "{command:?}: {stderr}");
        }
    }
    // No directory of that name was made.
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0);
}
