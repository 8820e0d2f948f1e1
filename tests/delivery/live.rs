//! A tap goes on trying: its receiver may be away for as long as the spool has room.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
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

/// A tap of what is said in `talk`.
fn tap(site: &Site, talk: &Talk, more: &[&str], settings: &[&str]) -> Child {
    let mut command = Command::new(binary());
    let filter = format!("tcp and host {}", talk.server.split(':').next().unwrap_or_default());
    command.args(["run", "-i", "lo", "-f", &filter, "--json"]).args(more);
    command.arg("--data").arg(site.data()).arg("--token-key").arg(site.folder.path().join("token.key"));
    for setting in QUICK.iter().chain(settings) {
        command.args(["--set", setting]);
    }
    command.env("HOME", site.folder.path());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("tapwire can be started")
}

/// Talks until the tap has heard something; false where it may not listen.
fn heard(child: &mut Child, talk: &mut Talk, mut something: impl FnMut() -> bool) -> bool {
    let mut over = false;
    until("the first event", || {
        talk.ask(1);
        over = child.try_wait().expect("a child").is_some();
        over || something()
    });
    if over {
        let mut said = String::new();
        child.stderr.take().expect("a pipe").read_to_string(&mut said).expect("text");
        assert!(said.contains("CAP_NET_RAW") || said.contains("root"), "{said}");
        tapwire_testkit::peers::skipped("capturing needs root");
    }
    !over
}

#[test]
fn a_tap_delivers_everything_though_its_receiver_is_down_at_the_start_and_in_the_middle() {
    let (site, mut talk) = (Site::new(), Talk::begin());
    let mut peer = Peer::down([], Act::Take);
    let events = ["--only", "exchanges", "--events", &peer.url()];
    let mut child = tap(&site, &talk, &events, &["sink.http.finish_ms=60000", "sink.http.tries=2"]);
    let Some(child) = heard(&mut child, &mut talk, || site.spooled() > 0).then_some(child) else { return };
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

/// What `/metrics` says at that address, by series.
fn metrics(address: &str) -> BTreeMap<String, f64> {
    let mut stream = TcpStream::connect(address).expect("the console");
    let request = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).expect("a console that listens");
    let mut page = String::new();
    stream.read_to_string(&mut page).expect("text");
    let series = page.lines().filter_map(|line| {
        let (name, number) = line.rsplit_once(' ')?;
        Some((name.to_owned(), number.parse().ok()?))
    });
    series.collect()
}

#[test]
fn a_receiver_that_is_slow_holds_up_no_other_and_metrics_tell_how_long_events_took() {
    let (site, mut talk) = (Site::new(), Talk::begin());
    let (fast, mut slow) = (Peer::up([], Act::Take), Peer::up([Act::Hold], Act::Take));
    let console = format!("{}:8470", own_address());
    let config = site.folder.path().join("tapwire.toml");
    let output = |name: &str, peer: &Peer| {
        format!("[[output]]\nname = \"{name}\"\nto = \"{}\"\nonly = [\"exchanges\"]\n", peer.url())
    };
    fs::write(&config, output("fast", &fast) + &output("slow", &slow)).expect("a writable folder");
    let given = ["--events", "null://", "--serve", &console, "--config", &config.display().to_string()];
    let settings = ["sink.http.finish_ms=60000", "sink.http.timeout_ms=600000"];
    let mut child = tap(&site, &talk, &given, &settings);
    if !heard(&mut child, &mut talk, || !fast.taken().is_empty()) {
        return;
    }
    slow.wait_until_held();
    talk.ask(200);
    let last = format!("/things/{}\"", talk.asked);
    let came = |peer: &Peer| peer.taken().iter().any(|line| line.contains(&last));
    until("everything at the fast one", || came(&fast));
    let of = |name: &str, output: &str| {
        let found = metrics(&console);
        let count = found.get(&format!("tapwire_output_{name}{{output=\"{output}\"}}")).copied();
        (count.expect("a series"), found)
    };
    until("its delays", || of("delay_seconds_count", "fast").0 >= 200.0);
    let (count, found) = of("delay_seconds_count", "slow");
    assert_eq!(count, 0.0, "nothing is counted that was not taken");
    assert!(found["tapwire_output_events_total{output=\"slow\",state=\"waiting\"}"] >= 200.0);
    slow.close();
    slow.open();
    until("everything at the slow one", || came(&slow));
    until("its delays", || of("delay_seconds_count", "slow").0 >= 200.0);
    let found = metrics(&console);
    let steps: Vec<f64> = ["0.01", "0.5", "2", "60", "+Inf"]
        .map(|le| found[&format!("tapwire_output_delay_seconds_bucket{{output=\"slow\",le=\"{le}\"}}")])
        .to_vec();
    assert!(steps.is_sorted(), "{steps:?}");
    assert_eq!(steps.last(), found.get("tapwire_output_delay_seconds_count{output=\"slow\"}"));
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill");
    assert!(sent.success());
    assert_code(&child.wait_with_output().expect("its end"), 130);
}
