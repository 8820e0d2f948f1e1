//! What somebody who may not even log in can make the console do: nothing that grows, lasts, or keeps others out.

use super::*;
use std::time::Instant;

/// What a slow machine may take.
const LONG: Duration = Duration::from_secs(60);
/// Connections that are more than the console keeps.
const MANY: usize = 300;
const KEPT: usize = 256;

impl Running {
    /// A connection on which so much was sent, and nothing more will be.
    fn hold(&self, sent: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).expect("it listens");
        stream.write_all(sent.as_bytes()).expect("it reads");
        stream.set_read_timeout(Some(LONG)).expect("a timeout");
        stream
    }
}

/// Waits until the other side has closed.
fn is_closed(stream: &mut TcpStream) -> bool {
    match stream.read_to_end(&mut Vec::new()) {
        Ok(_) => true,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
    }
}

#[test]
fn an_address_with_many_parameters_makes_no_page() {
    let console = Running::of(hostile());
    let many = vec!["service=1"; 1_000].join("&");
    for asked in [many.as_str(), "a=1", "service=1&service=2", &format!("q={}", "x".repeat(300))] {
        for target in ["/apis", "/api/v1/endpoints", "/export/endpoints.csv"] {
            let answer = console.get(&format!("{target}?{asked}"));
            assert!(answer.starts_with("HTTP/1.1 400"), "{target}: {}", &answer[..answer.len().min(300)]);
            assert!(answer.len() < 2_000, "{} bytes", answer.len());
        }
    }
}

#[test]
fn pages_of_other_sites_lead_here_and_load_nothing() {
    let console = Running::of(hostile());
    let of = |site: &str, mode: &str, dest: &str| {
        let head = format!("Sec-Fetch-Site: {site}\r\nSec-Fetch-Mode: {mode}\r\nSec-Fetch-Dest: {dest}\r\n");
        console.get_as("/apis", &head)
    };
    for (site, mode, dest) in [
        ("cross-site", "no-cors", "image"),
        ("cross-site", "cors", "empty"),
        ("same-site", "no-cors", "script"),
        ("cross-site", "navigate", "iframe"),
    ] {
        let answer = of(site, mode, dest);
        assert!(answer.starts_with("HTTP/1.1 403"), "{site} {mode} {dest}: {answer}");
    }
    for (site, mode, dest) in [
        ("cross-site", "navigate", "document"),
        ("same-origin", "cors", "empty"),
        ("none", "navigate", "document"),
    ] {
        let answer = of(site, mode, dest);
        assert!(answer.starts_with("HTTP/1.1 200"), "{site} {mode} {dest}: {answer}");
    }
}

#[test]
fn half_a_request_does_not_hold_up_the_end() {
    let console = Running::of(Snapshot::default());
    let held = [console.hold("GET / HTTP/1.1\r\nHost: 127"), console.hold("")];
    // The connections before are taken, too, when one after them is answered.
    assert!(console.get("/").starts_with("HTTP/1.1 200"));
    console.stop.store(true, Ordering::Relaxed);
    let (thread, begun) = (console.thread.as_ref().expect("it runs"), Instant::now());
    while !thread.is_finished() && begun.elapsed() < LONG {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(thread.is_finished(), "it waits for who does not go");
    drop(held);
}

#[test]
fn who_says_nothing_is_let_go() {
    assert!(tapwire_console::PATIENCE <= Duration::from_secs(10), "what the documents say");
    let console = Running::patiently(Snapshot::default(), Users::default(), Duration::from_millis(300));
    let form = "POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nname";
    let held = ["GET / HTTP/1.1\r\nHost: 127", "", form].map(|sent| (sent, console.hold(sent)));
    for (sent, mut stream) in held {
        assert!(is_closed(&mut stream), "{sent:?}");
    }
}

#[test]
fn many_connections_keep_nobody_out() {
    let console = Running::of(Snapshot::default());
    let mut held: Vec<TcpStream> = (0..MANY).map(|_| console.hold("")).collect();
    let mut asking =
        console.hold("GET /api/v1/version HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let mut answer = String::new();
    asking.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    // Those that came first had to go.
    assert!(held.iter_mut().take(MANY - KEPT).all(is_closed));
}

#[test]
fn many_slow_forms_keep_nobody_out() {
    let console = Running::of(Snapshot::default());
    let form = "POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nname";
    let held: Vec<TcpStream> = (0..MANY).map(|_| console.hold(form)).collect();
    // More than there are places wait for the rest of a form, and none of them is being answered.
    let mut asking =
        console.hold("GET /api/v1/version HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let mut answer = String::new();
    asking.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    drop(held);
}
