//! A tap goes on trying: its receiver may be away for as long as the spool has room.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::peer::{Act, Peer, own_address};
use super::{PATIENCE, QUICK, Site, arrived, assert_code, holes, ledger};
use tapwire_tests::binary;

/// A server that answers every request on one connection, and its client.
struct Talk {
    client: BufReader<TcpStream>,
    server: String,
    asked: u32,
}

impl Talk {
    fn begin() -> Self {
        let listener = TcpListener::bind((own_address(), 8080)).expect("an address of our own");
        let server = listener.local_addr().expect("its address");
        let client = TcpStream::connect(server).expect("a server that listens");
        let (connection, _) = listener.accept().expect("the client");
        std::thread::spawn(move || {
            let mut reader = BufReader::new(&connection);
            let mut line = String::new();
            while reader.read_line(&mut line).is_ok_and(|read| read > 0) {
                if line == "\r\n" {
                    let answer = b"HTTP/1.1 204 No Content\r\n\r\n";
                    (&connection).write_all(answer).expect("a client that listens");
                }
                line.clear();
            }
        });
        Self { client: BufReader::new(client), server: server.to_string(), asked: 0 }
    }

    fn ask(&mut self, times: u32) {
        for _ in 0..times {
            self.asked += 1;
            let request = format!("GET /things/{} HTTP/1.1\r\nHost: {}\r\n\r\n", self.asked, self.server);
            self.client.get_mut().write_all(request.as_bytes()).expect("a server that listens");
            let mut line = String::new();
            while line != "\r\n" {
                line.clear();
                assert!(self.client.read_line(&mut line).expect("an answer") > 0);
            }
        }
    }
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "{what} did not come");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_tap_delivers_everything_though_its_receiver_is_down_at_the_start_and_in_the_middle() {
    let (site, mut talk) = (Site::new(), Talk::begin());
    let mut peer = Peer::down([], Act::Take);
    let mut command = Command::new(binary());
    let filter = format!("tcp and host {}", talk.server.split(':').next().unwrap_or_default());
    command.args([
        "run",
        "-i",
        "lo",
        "-f",
        &filter,
        "--json",
        "--only",
        "exchanges",
        "--events",
        &peer.url(),
    ]);
    command.arg("--data").arg(site.data()).arg("--token-key").arg(site.folder.path().join("token.key"));
    for setting in QUICK.iter().chain(&["sink.http.finish_ms=60000", "sink.http.tries=2"]) {
        command.args(["--set", setting]);
    }
    command.env("HOME", site.folder.path());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("tapwire can be started");
    until("the first event in the spool", || {
        talk.ask(1);
        if child.try_wait().expect("a child").is_some() {
            return true;
        }
        site.spooled() > 0
    });
    if child.try_wait().expect("a child").is_some() {
        let ended = child.wait_with_output().expect("its end");
        assert!(super::stderr(&ended).contains("CAP_NET_RAW") || super::stderr(&ended).contains("root"));
        println!("skipped: capturing needs root");
        return;
    }
    talk.ask(200);
    peer.open();
    let path = |number: u32| format!("/things/{number}\"");
    let came = |peer: &Peer, last: u32| peer.taken().iter().any(|line| line.contains(&path(last)));
    until("what waited", || came(&peer, talk.asked));
    peer.close();
    talk.ask(200);
    peer.script([Act::Refuse(401), Act::Refuse(500), Act::HangUp, Act::Slow, Act::TakeAndHangUp]);
    peer.open();
    until("the rest", || came(&peer, talk.asked));
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill");
    assert!(sent.success());
    let ended = child.wait_with_output().expect("its end");
    assert_code(&ended, 130);
    let (events, counts) = (arrived(&peer), ledger(&ended));
    assert_eq!((holes(&events), counts["dropped"], counts["kept"]), (0, 0, 0));
    assert_eq!(counts["delivered"], events.len() as u64);
    let last: Vec<bool> = (talk.asked - 399..=talk.asked)
        .map(|number| events.values().any(|says| says.contains(&path(number))))
        .collect();
    assert!(last.iter().all(|came| *came), "{} are missing", last.iter().filter(|came| !**came).count());
}
