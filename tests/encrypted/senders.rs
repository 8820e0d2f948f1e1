//! `tapwire keys forward` and a sensor that listens for it, as two processes; and what an operator is told.

use crate::host::{Host, Sensor};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::Value;
use std::process::Command;
use tapwire_testkit::peers::has;
use tapwire_tests::{Fixture, Tapwire, binary, fixtures};

const SERVER: &str = r#"
import http.server, ssl
class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *_):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 8443), Answer)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("cert.pem", "key.pem")
context.keylog_filename = "keys.log"
server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
server.serve_forever()
"#;

/// An authority's `NAME-ca.pem`, and `NAME-receiver` and `NAME-sender` with their keys, in the host's folder.
fn authority(host: &Host, name: &str) {
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(Vec::new()).expect("parameters");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = params.self_signed(&key).expect("an authority");
    host.file(&format!("{name}-ca.pem"), &ca.pem());
    let issuer = Issuer::new(params, key);
    for role in ["receiver", "sender"] {
        let key = KeyPair::generate().expect("a key");
        let params =
            CertificateParams::new(vec!["localhost".into(), "127.0.0.1".into()]).expect("parameters");
        let cert = params.signed_by(&key, &issuer).expect("a certificate");
        host.file(&format!("{name}-{role}.pem"), &cert.pem());
        host.file(&format!("{name}-{role}.key"), &key.serialize_pem());
    }
}

/// A replay from the fixture's folder without its own arguments.
fn replay(fixture: &Fixture) -> Tapwire {
    Tapwire::new(["replay", &fixture.capture]).key().folder(&fixture.folder)
}

fn forward(host: &Host, name: &str) -> Command {
    let mut command = host.command(&binary().display().to_string());
    command.args(["keys", "forward", "keys.log", "--to", "tls://127.0.0.1:4433", "--ca", "ours-ca.pem"]);
    command.args(["--cert", &format!("{name}-sender.pem"), "--key", &format!("{name}-sender.key")]);
    command
}

fn listening(host: &Host) -> Sensor {
    host.sense(&[
        "--keylog",
        "tls://127.0.0.1:4433",
        "--set",
        "keys.tls.ca=ours-ca.pem",
        "--set",
        "keys.tls.cert=ours-receiver.pem",
        "--set",
        "keys.tls.key=ours-receiver.key",
    ])
}

#[test]
fn a_server_s_keys_reach_a_sensor_on_another_machine_and_a_stranger_s_do_not() {
    if !has("curl") || !has("python3") || !has("openssl") {
        return;
    }
    let Some(mut host) = Host::new() else { return };
    host.certificate();
    authority(&host, "ours");
    authority(&host, "theirs");
    host.file("keys.log", "");
    let mut server = host.command("python3");
    server.args(["-c", SERVER]);
    host.start(server);
    host.listens(8443);
    let mut sensor = listening(&host);

    // A stranger's certificate is refused, and both sides say so.
    let stranger = forward(&host, "theirs");
    let stranger = host.start(stranger);
    sensor.hears("refused");
    host.end(stranger);
    assert!(
        host.log().contains("trying again") && host.log().contains("connected 0 times"),
        "{}",
        host.log()
    );

    let sender = forward(&host, "ours");
    let sender = host.start(sender);
    host.call("/forwarded", "", None);
    let event = sensor.event("/forwarded");
    assert_eq!(event["unmapped"]["seen"]["decrypted"], Value::Bool(true), "{event}");
    host.end(sender);
    assert!(
        host.log().contains("0 dropped because too many waited, 0 left; connected 1 times"),
        "{}",
        host.log()
    );

    // Nothing that either of them wrote shows a secret.
    let secrets = std::fs::read_to_string(host.path("keys.log")).expect("the key log");
    let (events, said) = sensor.stop();
    let written = events.concat() + &said.concat() + &host.log();
    let words: Vec<&str> = secrets.lines().filter_map(|line| line.split(' ').nth(2)).collect();
    assert!(words.len() >= 4 && words.iter().all(|secret| !written.contains(secret)), "a secret was written");
    assert!(said.iter().any(|line| line.contains("1 senders connected")), "{said:?}");
}

#[test]
fn once_ends_when_the_sensor_has_everything() {
    if !has("curl") || !has("python3") || !has("openssl") {
        return;
    }
    let Some(mut host) = Host::new() else { return };
    authority(&host, "ours");
    let line = format!("CLIENT_RANDOM {} {}\n", "ab".repeat(32), "cd".repeat(48));
    host.file("keys.log", &line.repeat(500));
    let mut once = forward(&host, "ours");
    once.arg("--once");
    let once = host.start(once);
    let sensor = listening(&host);
    host.waits_for(once);
    assert!(host.log().contains("500 lines sent and taken"), "{}", host.log());
    let (_, said) = sensor.stop();
    assert!(said.iter().any(|line| line.contains("500 lines taken")), "{said:?}");
}

#[test]
fn an_operator_s_mistake_about_keys_is_one_line() {
    let fixture = fixtures().into_iter().find(|fixture| fixture.name == "equal-tls13").expect("the fixture");
    let mistakes: &[(&[&str], &str)] = &[
        (&["--keylog", "none.log"], "none.log: no such file"),
        (&["--keylog", "http://x"], "--keylog 'http://x': no such source"),
        (&["--keylog", "tls://:4433"], "senders have no end"),
        (&["--keylog", "why.md", "--keylog", "why.md"], "given twice"),
        (&["--keylog", "fifo:why.md"], "is no named pipe"),
        (&["--rsa-key", "why.md"], "--rsa-key why.md: no private RSA key"),
        (&["--decrypt-host", "shop.test"], "there are no keys"),
        (&["--keylog", "keys.log", "--decrypt-host", "*"], "--decrypt-host *: leave the option out"),
        (&["--keylog", "keys.log", "--decrypt-host", "10.0.0.1"], "never for addresses"),
        (&["--keylog", "keys.log", "--decrypt-host", "shop.test:443"], "such as shop.test"),
    ];
    for (arguments, told) in mistakes {
        let ran = replay(&fixture).args(*arguments).run();
        assert_eq!(ran.code, Some(2), "{arguments:?}: {}", ran.stderr);
        assert!(
            ran.stderr.lines().count() == 1 && ran.stderr.contains(told),
            "{arguments:?}: {}",
            ran.stderr
        );
    }
    let forward = ["keys", "forward", "none", "--to", "tls://:1", "--ca", "a", "--cert", "b", "--key", "c"];
    let ran = Tapwire::new(forward).run();
    assert!(ran.code == Some(2) && ran.stderr.contains("tls://HOST:PORT"), "{}", ran.stderr);
}

#[test]
fn a_replay_takes_keys_from_a_pipe_and_shows_none() {
    let fixture = fixtures().into_iter().find(|fixture| fixture.name == "equal-tls13").expect("the fixture");
    let by_file = replay(&fixture).args(["--events", "-", "--keylog", "keys.log", "-v"]).run().ok("file");
    let folder = tempfile::tempdir().expect("a folder");
    let fifo = folder.path().join("keys");
    let keys = std::fs::read(fixture.folder.join("keys.log")).expect("the key log");
    let writer = std::thread::spawn({
        let (fifo, keys) = (fifo.clone(), keys.clone());
        move || {
            crate::host::wait_until(|| fifo.exists()).expect("the pipe");
            std::fs::write(fifo, keys).expect("the pipe takes them");
        }
    });
    let source = format!("fifo:{}", fifo.display());
    let by_pipe = replay(&fixture).args(["--events", "-", "--keylog", &source, "-v"]).run().ok("pipe");
    writer.join().expect("the writer");
    assert!(!by_file.stdout.is_empty() && by_file.stdout == by_pipe.stdout);
    let text = String::from_utf8_lossy(&keys).into_owned();
    let written = String::from_utf8_lossy(&by_file.stdout).into_owned() + &by_file.stderr + &by_pipe.stderr;
    for secret in text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split(' ').nth(2))
    {
        assert!(!written.contains(secret), "a secret was written");
    }
}

#[test]
fn a_file_that_is_no_key_log_is_named() {
    let fixture = fixtures().into_iter().find(|fixture| fixture.name == "equal-tls13").expect("the fixture");
    let none = replay(&fixture).args(["-q", "--keylog", "in.pcap"]).run().ok("none");
    assert!(none.stderr.starts_with("tapwire: keys: in.pcap: no line of a key log"), "{}", none.stderr);
    let none = replay(&fixture).args(["--events", "/dev/null", "--keylog", "why.md"]).run().ok("none");
    let told = |ran: &tapwire_tests::Ran| ran.stderr.lines().next().unwrap_or_default().to_owned();
    assert!(
        told(&none).starts_with("tapwire: keys: why.md: no line of a key log is in it"),
        "{}",
        none.stderr
    );
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("keys.log");
    let keys = std::fs::read_to_string(fixture.folder.join("keys.log")).expect("the key log");
    std::fs::write(&log, format!("{keys}hello\n")).expect("a key log");
    let log = log.display().to_string();
    let one = replay(&fixture).args(["--events", "/dev/null", "--keylog", &log]).run().ok("one");
    assert!(told(&one).contains("1 lines are none of a key log"), "{}", one.stderr);
}

#[test]
fn no_core_is_written_of_what_may_bring_secrets_along() {
    let mut reading = Command::new(binary())
        .args(["replay", "-", "-q", "--events", "/dev/null"])
        .stdin(std::process::Stdio::piped())
        .spawn()
        .expect("the program");
    let limits = format!("/proc/{}/limits", reading.id());
    let none = || {
        let limits = std::fs::read_to_string(&limits).unwrap_or_default();
        limits.lines().any(|line| {
            line.split_whitespace()
                .collect::<Vec<_>>()
                .starts_with(&["Max", "core", "file", "size", "0", "0"])
        })
    };
    let kept = crate::host::wait_until(none);
    drop(reading.stdin.take());
    reading.wait().expect("its end");
    assert!(kept.is_ok(), "cores are still written");
}
