//! Sources and senders together: files, pipes, sockets, and mutual TLS over loopback.

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tapwire_keys::{Address, Feed, Forward, Sources, Target, Tell, Tls};

/// An authority with a receiver's and a sender's certificate, in a folder.
struct Authority(tempfile::TempDir);

impl Authority {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = params.self_signed(&key).unwrap();
        std::fs::write(folder.path().join("ca.pem"), ca.pem()).unwrap();
        let issuer = Issuer::new(params, key);
        for name in ["receiver", "sender"] {
            let key = KeyPair::generate().unwrap();
            let cert =
                CertificateParams::new(vec!["localhost".into()]).unwrap().signed_by(&key, &issuer).unwrap();
            std::fs::write(folder.path().join(format!("{name}.pem")), cert.pem()).unwrap();
            std::fs::write(folder.path().join(format!("{name}.key")), key.serialize_pem()).unwrap();
        }
        Self(folder)
    }

    fn tls(&self, name: &str) -> Tls {
        let file = |suffix: &str| self.0.path().join(format!("{name}.{suffix}"));
        Tls { ca: self.0.path().join("ca.pem"), cert: file("pem"), key: file("key") }
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn told() -> (Tell, Arc<Mutex<Vec<String>>>) {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&lines);
    (Arc::new(move |line: &str| kept.lock().unwrap().push(line.to_owned())), lines)
}

fn quiet() -> Tell {
    Arc::new(|_| {})
}

/// Takes lines until there are `count`.
fn lines(feed: &Feed, count: usize) -> Vec<String> {
    let mut text = Vec::new();
    wait(|| {
        feed.take(|piece| text.extend_from_slice(piece));
        text.iter().filter(|byte| **byte == b'\n').count() >= count
    });
    String::from_utf8(text).unwrap().lines().map(str::to_owned).collect()
}

fn wait(mut until: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !until() {
        assert!(begun.elapsed() < Duration::from_secs(30), "what is waited for does not come");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn numbered(from: usize, to: usize) -> String {
    (from..to).map(|number| format!("CLIENT_RANDOM {number}\n")).collect()
}

fn append(path: &Path, text: &str) {
    let mut file = std::fs::OpenOptions::new().append(true).create(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

#[test]
fn a_file_a_pipe_and_a_socket_feed_together() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    append(&path("file"), "one\n");
    let addresses = [Address::File(path("file")), Address::Fifo(path("fifo")), Address::Unix(path("socket"))];
    let (mut sources, log, feeds) = Sources::follow(&addresses, &Tls::default(), 1, quiet()).unwrap();
    sources.start().unwrap();
    let feed = &feeds[0];
    assert_eq!(&log[..], b"one\n");
    append(&path("file"), "two\n");
    append(&path("fifo"), "three\n");
    let mut first = UnixStream::connect(path("socket")).unwrap();
    let mut second = UnixStream::connect(path("socket")).unwrap();
    first.write_all(b"fo").unwrap();
    second.write_all(b"five\n").unwrap();
    assert_eq!(lines(feed, 3).len(), 3);
    first.write_all(b"ur\nsix, without its end").unwrap();
    drop((first, second));
    let mut rest = lines(feed, 2);
    rest.sort();
    assert_eq!(rest, ["four", "six, without its end"]);
    assert_eq!(sources.counters().lines, 6);
    drop(sources);
    assert!(!path("socket").exists());
}

#[test]
fn a_replay_reads_everything_before_it_begins() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("fifo");
    let file = folder.path().join("file");
    append(&file, "one\ntwo, without its end");
    let writer = std::thread::spawn({
        let fifo = fifo.clone();
        move || {
            wait(|| fifo.exists());
            append(&fifo, "three\n");
        }
    });
    let log = Sources::read(&[Address::File(file), Address::Fifo(fifo)], &quiet()).unwrap();
    writer.join().unwrap();
    assert_eq!(&log[..], b"one\ntwo, without its end\nthree\n");
    let error = Sources::read(&[Address::Tls(String::new(), 4433)], &quiet()).unwrap_err().to_string();
    assert!(error.starts_with("tls://:4433: "), "{error}");
}

struct Sender {
    stop: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<tapwire_keys::Sent>,
}

impl Sender {
    fn start(file: PathBuf, port: u16, tls: &Tls, once: bool, tell: Tell) -> Self {
        let target = Target { host: "localhost".into(), port };
        let forward = Forward::new(&Address::File(file), target, tls, tell).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&stop);
        Self { stop, thread: std::thread::spawn(move || forward.run(once, &seen)) }
    }

    fn stop(self) -> tapwire_keys::Sent {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

#[test]
fn senders_on_other_machines_lose_nothing_while_the_sensor_restarts() {
    let authority = Authority::new();
    let port = free_port();
    let address = [Address::Tls("localhost".into(), port)];
    let file = authority.0.path().join("keys.log");
    append(&file, &numbered(0, 3_000));
    let sender = Sender::start(file.clone(), port, &authority.tls("sender"), false, quiet());

    let (mut sources, _, feeds) = Sources::follow(&address, &authority.tls("receiver"), 2, quiet()).unwrap();
    sources.start().unwrap();
    for feed in &feeds {
        assert_eq!(lines(feed, 3_000).concat(), numbered(0, 3_000).replace('\n', ""));
    }
    assert_eq!(sources.counters().senders, 1);
    drop((sources, feeds));
    append(&file, &numbered(3_000, 3_100));
    std::thread::sleep(Duration::from_millis(300));
    let (mut again, _, feeds) = Sources::follow(&address, &authority.tls("receiver"), 1, quiet()).unwrap();
    again.start().unwrap();
    let got = lines(&feeds[0], 100);
    for number in 3_000..3_100 {
        assert!(got.contains(&format!("CLIENT_RANDOM {number}")), "{number} is lost");
    }
    let sent = sender.stop();
    assert!(sent.connections == 2 && sent.dropped == 0 && sent.left == 0, "{sent:?}");
}

#[test]
fn many_senders_at_once() {
    let authority = Authority::new();
    let port = free_port();
    let address = [Address::Tls("localhost".into(), port)];
    let (mut sources, _, feeds) = Sources::follow(&address, &authority.tls("receiver"), 1, quiet()).unwrap();
    sources.start().unwrap();
    let senders: Vec<Sender> = (0..20)
        .map(|number| {
            let file = authority.0.path().join(format!("keys.{number}"));
            append(&file, &numbered(number * 50, number * 50 + 50));
            Sender::start(file, port, &authority.tls("sender"), true, quiet())
        })
        .collect();
    let mut got = lines(&feeds[0], 1_000);
    got.sort();
    got.dedup();
    assert_eq!(got.len(), 1_000);
    let sent: u64 = senders.into_iter().map(|sender| sender.thread.join().unwrap().lines).sum();
    assert_eq!((sent, sources.counters().senders), (1_000, 20));
}

#[test]
fn nobody_without_a_certificate_of_the_authority_is_let_in_or_told_anything() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let port = free_port();
    let address = [Address::Tls("localhost".into(), port)];
    let (tell, refusals) = told();
    let (mut sources, _, feeds) = Sources::follow(&address, &authority.tls("receiver"), 1, tell).unwrap();
    sources.start().unwrap();
    let file = authority.0.path().join("keys.log");
    append(&file, "CLIENT_RANDOM secret\n");

    // A sender with the certificate of another authority, that trusts the right one.
    let wrong = Tls { ca: authority.tls("sender").ca, ..stranger.tls("sender") };
    let (tell, failures) = told();
    let sender = Sender::start(file.clone(), port, &wrong, true, tell);
    wait(|| !failures.lock().unwrap().is_empty());
    assert_eq!(sender.stop(), tapwire_keys::Sent { left: 1, ..Default::default() });
    assert!(sources.counters().refused >= 1 && sources.counters().senders == 0);
    assert!(refusals.lock().unwrap()[0].contains("refused"), "{refusals:?}");

    // A sender that trusts another authority than the receiver's sends it nothing.
    let (tell, failures) = told();
    let sender = Sender::start(file, port, &stranger.tls("sender"), true, tell);
    wait(|| !failures.lock().unwrap().is_empty());
    assert_eq!(sender.stop().connections, 0);
    for line in failures.lock().unwrap().iter().chain(refusals.lock().unwrap().iter()) {
        assert!(!line.contains("secret") && !line.contains('\n'), "{line}");
    }
    let mut any = false;
    feeds[0].take(|_| any = true);
    assert!(!any, "a line of a stranger was taken");
}

#[test]
fn certificates_that_cannot_be_used_are_named() {
    let authority = Authority::new();
    let address = [Address::Tls("localhost".into(), free_port())];
    let missing = Tls { cert: PathBuf::new(), ..authority.tls("receiver") };
    let error = |tls: &Tls| Sources::follow(&address, tls, 1, quiet()).unwrap_err().to_string();
    assert!(error(&missing).starts_with("keys.tls.cert: is missing"));
    let no_file = Tls { ca: "none.pem".into(), ..authority.tls("receiver") };
    assert_eq!(error(&no_file), "keys.tls.ca: none.pem: no such file or directory");
    let target = Target { host: "localhost".into(), port: 1 };
    let file = authority.0.path().join("ca.pem");
    let sender = Forward::new(&Address::File(file), target, &Tls::default(), quiet());
    assert!(sender.unwrap_err().to_string().starts_with("--ca: is missing"));
}
