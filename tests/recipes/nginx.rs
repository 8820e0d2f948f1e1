//! `nginx-deny.py`: an incident becomes a line that a real nginx obeys, and that ends.

use crate::{attack, recipe};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tapwire_testkit::peers::has;
use tapwire_tests::Tapwire;
use tapwire_wire::Timestamp;

const SECRET: &str = "the-secret-of-this-test";
const ATTACKER: [u8; 4] = [127, 0, 0, 66];
const WAIT: Duration = Duration::from_secs(60);

/// A program that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A time that is not over yet, whatever the clock says: in 2099.
const LATER: Timestamp = Timestamp::from_parts(4_080_000_000, 0);

/// The recipe, receiving webhooks, and where.
fn receiver(folder: &Path, more: &[&str]) -> (Running, SocketAddr) {
    let secret = folder.join("secret");
    fs::write(&secret, SECRET).expect("a file");
    let mut command = Command::new("python3");
    command.arg(recipe("nginx-deny.py")).args(["--listen", "127.0.0.1:0", "--secret-file"]).arg(&secret);
    command.arg("--file").arg(folder.join("tapwire.deny")).args(more).stdout(Stdio::piped());
    let mut child = command.spawn().expect("python3");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("a line");
    let address = line.trim().strip_prefix("listening on ").and_then(|rest| rest.parse().ok());
    (Running(child), address.unwrap_or_else(|| panic!("{line}")))
}

/// Has Tapwire tell the receiver of the attack.
fn tell(folder: &Path, receiver: SocketAddr, secret: &str, start: Timestamp) {
    let (capture, config, key) = (folder.join("in.pcap"), folder.join("t.toml"), folder.join("key"));
    attack(&capture, ATTACKER, start);
    fs::write(&key, secret).expect("a file");
    let output = format!(
        "[[output]]\nname = \"soar\"\nto = \"webhook+http://{receiver}/\"\nonly = [\"incidents\"]\n\
         [output.sink.http]\ntries = 1\ntoken_file = \"{}\"\n",
        key.display()
    );
    fs::write(&config, output).expect("a file");
    let ran =
        Tapwire::new(["replay", "-q", "--events", "/dev/null", "--config"]).args([&config, &capture]).run();
    assert_eq!(ran.code, Some(if secret == SECRET { 0 } else { 2 }), "{}", ran.stderr);
}

fn denied(folder: &Path) -> String {
    fs::read_to_string(folder.join("tapwire.deny")).unwrap_or_default()
}

#[test]
fn an_incident_becomes_a_line_until_it_ends_and_a_forged_one_does_not() {
    if !has("python3") {
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (_running, address) = receiver(folder.path(), &[]);
    tell(folder.path(), address, "the-secret-of-another", LATER);
    assert_eq!(denied(folder.path()), "", "signed by somebody else");
    tell(folder.path(), address, SECRET, LATER);
    let line = denied(folder.path());
    assert!(line.starts_with("deny 127.0.0.66; # until=") && line.contains(" incident="), "{line}");
    tell(folder.path(), address, SECRET, Timestamp::from_parts(1_700_000_000, 0));
    assert_eq!(denied(folder.path()), line, "what is over adds nothing");
}

#[test]
fn who_is_never_denied_and_whose_time_is_over_leaves() {
    if !has("python3") {
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let old = "deny 192.0.2.1; # until=1700000000 incident=00000000000000000000000000000001\n";
    fs::write(folder.path().join("tapwire.deny"), old).expect("a file");
    let (_running, address) = receiver(folder.path(), &["--never", "127.0.0.0/8"]);
    tell(folder.path(), address, SECRET, LATER);
    assert_eq!(denied(folder.path()), "");
}

/// An address of this machine that no other process of these tests has.
fn own_address() -> SocketAddr {
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    SocketAddr::from(([127, 64 | high & 63, middle, low | 1], 8089))
}

/// nginx with the file, on an address of its own.
fn nginx(folder: &Path) -> (Running, SocketAddr) {
    let free = own_address();
    let at = folder.display();
    let text = format!(
        "daemon off; master_process off; pid {at}/pid; error_log {at}/error.log;\nevents {{}}\nhttp {{\n\
         access_log off; client_body_temp_path {at}/1; proxy_temp_path {at}/2; fastcgi_temp_path {at}/3;\n\
         uwsgi_temp_path {at}/4; scgi_temp_path {at}/5;\ninclude {at}/tapwire.deny;\n\
         server {{ listen {free}; location / {{ root {at}/www; }} }}\n}}\n"
    );
    let config = folder.join("nginx.conf");
    fs::write(&config, text).expect("a file");
    fs::create_dir_all(folder.join("www")).expect("a folder");
    fs::write(folder.join("www/index.html"), "hello").expect("a file");
    let nginx = || {
        let mut command = Command::new("nginx");
        command.arg("-e").arg(folder.join("error.log")).arg("-c").arg(&config);
        command.stdin(Stdio::null()).stderr(Stdio::null());
        command
    };
    assert!(nginx().arg("-t").status().expect("nginx").success(), "nginx -t: {}", denied(folder));
    let running = Running(nginx().spawn().expect("nginx"));
    let until = Instant::now() + WAIT;
    while TcpStream::connect(free).is_err() {
        assert!(Instant::now() < until, "{:?}", fs::read_to_string(folder.join("error.log")));
        std::thread::sleep(Duration::from_millis(20));
    }
    (running, free)
}

/// The status that a client at an address is answered with.
fn asked(server: SocketAddr, from: [u8; 4]) -> String {
    let from = from.map(|byte| byte.to_string()).join(".");
    let program = format!(
        "import socket\ns = socket.create_connection(('{}', {}), 30, ('{from}', 0))\n\
         s.sendall(b'GET / HTTP/1.0\\r\\n\\r\\n')\nprint(s.recv(12).decode()[9:])",
        server.ip(),
        server.port()
    );
    let output = Command::new("python3").args(["-c", &program]).output().expect("python3");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[test]
fn nginx_denies_the_address_and_nobody_else() {
    if !has("python3") || !has("nginx") {
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (_receiving, address) = receiver(folder.path(), &[]);
    tell(folder.path(), address, SECRET, LATER);
    let (_running, server) = nginx(folder.path());
    assert_eq!([ATTACKER, [127, 0, 0, 67]].map(|from| asked(server, from)), ["403", "200"]);
}

#[test]
fn only_what_is_small_enough_and_signed_is_taken() {
    if !has("python3") {
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (_running, address) = receiver(folder.path(), &[]);
    for (fields, body, status) in [
        ("", "{}", "403"),
        ("X-Tapwire-Signature: sha256=\r\n", "{}", "403"),
        ("X-Tapwire-Signature: sha256=é\r\n", "{}", "403"),
        ("Content-Length: 99999999\r\n", "", "413"),
    ] {
        let mut stream = TcpStream::connect(address).expect("the receiver");
        stream.set_read_timeout(Some(WAIT)).expect("a timeout");
        let length = format!("Content-Length: {}\r\n", body.len());
        let length = if fields.contains("Length") { "" } else { &length };
        write!(stream, "POST / HTTP/1.0\r\n{length}{fields}\r\n{body}").expect("a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        assert_eq!(answer.get(9..12), Some(status), "{answer}");
    }
}
