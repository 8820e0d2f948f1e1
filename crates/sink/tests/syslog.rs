//! Syslog against the receivers that sites run: rsyslog and syslog-ng, where they are installed. `TAPWIRE_PEERS` may name a
//! folder into which their packages were unpacked.

#![allow(missing_docs, reason = "a test binary")]

use std::fs;
use std::io::Read;
use std::net::{TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use tapwire_sink::{Batch, Context, DropReason, Http, Pressure, Sink, open};
use tapwire_store::Store;

fn tap(url: &str, data: &Path) -> Box<dyn Sink> {
    let mut context = Context::new(Pressure::Shed);
    context.config.http =
        Http { backoff_ms: 5, backoff_max_ms: 50, batch_ms: 0, finish_ms: 20_000, ..Http::default() };
    context.spools = Some(Store::open(data).unwrap().spools());
    open(url, &context).unwrap()
}

fn send(sink: &mut Box<dyn Sink>, numbers: std::ops::Range<u32>) {
    let count = numbers.len().try_into().unwrap();
    let text: String = numbers.map(|n| format!("{{\"time\":1795219200123,\"n\":{n}}}\n")).collect();
    let _listening = sink.write(&Batch::new(text.into_bytes(), count)).unwrap();
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A receiver that writes the text of each message as a line of `out`.
struct Receiver {
    program: PathBuf,
    arguments: Vec<String>,
    out: PathBuf,
    port: u16,
    running: Option<Child>,
}

fn root() -> PathBuf {
    std::env::var_os("TAPWIRE_PEERS").map_or_else(|| "/".into(), PathBuf::from)
}

/// Debian's name of this kind of machine.
fn triplet() -> String {
    format!("{}-linux-gnu", std::env::consts::ARCH)
}

fn only_folder(folder: &Path) -> PathBuf {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.is_dir()).min().unwrap()
}

impl Receiver {
    /// `None` where the program is not installed.
    fn find(name: &str, dir: &Path) -> Option<Self> {
        let program = root().join("usr/sbin").join(name);
        if !program.exists() {
            tapwire_testkit::peers::missing(&format!("{} is not there", program.display()));
            return None;
        }
        let (out, port, conf) = (dir.join("out"), free_port(), dir.join("conf"));
        let library = root().join("usr/lib");
        let path = |path: PathBuf| path.display().to_string();
        let given = path(conf.clone());
        let (text, arguments) = match name {
            "rsyslogd" => (rsyslog(dir, &out, port), {
                let modules = path(library.join(triplet()).join("rsyslog"));
                vec![
                    "-n".into(),
                    "-f".into(),
                    given,
                    "-i".into(),
                    path(dir.join("pid")),
                    "-M".into(),
                    modules,
                ]
            }),
            _ => (syslog_ng(&out, port), {
                // A folder for its version.
                let modules = path(only_folder(&library.join("syslog-ng")));
                let files = ["pidfile", "control", "persist-file"];
                let files = files.map(|option| format!("--{option}={}", path(dir.join(option))));
                let mut all = vec!["-F".into(), "-f".into(), given, "--no-caps".into()];
                all.extend(files);
                all.extend(["--module-path".into(), modules]);
                all
            }),
        };
        fs::write(conf, text).unwrap();
        Some(Self { program, arguments, out, port, running: None })
    }

    fn start(&mut self) {
        let library = root().join("usr/lib");
        let search = ["syslog-ng".to_owned(), triplet(), format!("../../lib/{}", triplet())];
        let search = search.map(|folder| library.join(folder).display().to_string()).join(":");
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).env("LD_LIBRARY_PATH", search);
        self.running = Some(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    }

    fn kill(&mut self) {
        if let Some(mut child) = self.running.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// The numbers that arrived, as far as they are whole.
    fn numbers(&self) -> Vec<u32> {
        let text = fs::read_to_string(&self.out).unwrap_or_default();
        let number = |line: &str| line.rsplit_once(':')?.1.strip_suffix('}')?.parse().ok();
        text.lines().filter_map(number).collect()
    }

    fn wait_for(&self, number: u32) {
        for _ in 0..1200 {
            if self.numbers().contains(&number) {
                return;
            }
            thread::sleep(Duration::from_millis(50));
        }
        panic!("{number} did not arrive; the last was {:?}", self.numbers().last());
    }
}

/// Waits until somebody on this machine takes datagrams there.
fn wait_for_datagrams(port: u16) {
    let bound = format!(":{port:04X} ");
    for _ in 0..1200 {
        if fs::read_to_string("/proc/net/udp").unwrap().contains(&bound) {
            return;
        }
        thread::sleep(Duration::from_millis(50));
    }
    panic!("nobody listens at {port}");
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.kill();
    }
}

fn rsyslog(dir: &Path, out: &Path, port: u16) -> String {
    let (dir, out) = (dir.display(), out.display());
    format!(
        "global(workDirectory=\"{dir}\" maxMessageSize=\"64k\")\nmodule(load=\"imtcp\")\nmodule(load=\"imudp\")\n\
         template(name=\"raw\" type=\"string\" string=\"%msg%\\n\")\n\
         input(type=\"imtcp\" port=\"{port}\" address=\"127.0.0.1\")\n\
         input(type=\"imudp\" port=\"{port}\" address=\"127.0.0.1\")\n\
         action(type=\"omfile\" file=\"{out}\" template=\"raw\")\n"
    )
}

fn syslog_ng(out: &Path, port: u16) -> String {
    let out = out.display();
    format!(
        "@version: 3.35\n\
         source s {{ syslog(ip(127.0.0.1) port({port}) transport(\"tcp\") max-connections(50)); }};\n\
         source u {{ syslog(ip(127.0.0.1) port({port}) transport(\"udp\")); }};\n\
         destination d {{ file(\"{out}\" template(\"${{MESSAGE}}\\n\")); }};\n\
         log {{ source(s); source(u); destination(d); }};\n"
    )
}

/// Each number arrived, and for the first time in order.
fn assert_whole(numbers: &[u32], count: u32) {
    let mut next = 0;
    for number in numbers {
        assert!(*number <= next, "{number} came before {next}");
        next = next.max(number + 1);
    }
    assert_eq!(next, count);
}

/// Down at the start, killed in the middle, and alive at the end.
fn survives(name: &str) {
    let dir = tempfile::tempdir().unwrap();
    let Some(mut receiver) = Receiver::find(name, dir.path()) else { return };
    let data = dir.path().join("data");
    let mut sink = tap(&format!("syslog://127.0.0.1:{}", receiver.port), &data);
    send(&mut sink, 0..100);
    thread::sleep(Duration::from_millis(100));
    receiver.start();
    receiver.wait_for(99);
    for n in 1..20 {
        send(&mut sink, n * 100..(n + 1) * 100);
        if n == 8 {
            // What it has read and not written dies with it, however long ago that was.
            receiver.wait_for(899);
            receiver.kill();
        }
        if n == 12 {
            receiver.start();
        }
        thread::sleep(Duration::from_millis(20));
    }
    receiver.wait_for(1999);
    let report = sink.finish();
    assert_whole(&receiver.numbers(), 2000);
    let counts = report.counts;
    assert_eq!((counts.delivered.events, counts.kept.events, counts.dropped_total().events), (2000, 0, 0));
}

#[test]
fn rsyslog_gets_everything_though_it_is_down_and_killed() {
    survives("rsyslogd");
}

#[test]
fn syslog_ng_gets_everything_though_it_is_down_and_killed() {
    survives("syslog-ng");
}

#[test]
fn datagrams_reach_rsyslog() {
    let dir = tempfile::tempdir().unwrap();
    let Some(mut receiver) = Receiver::find("rsyslogd", dir.path()) else { return };
    receiver.start();
    wait_for_datagrams(receiver.port);
    let mut sink = tap(&format!("syslog+udp://127.0.0.1:{}", receiver.port), &dir.path().join("data"));
    send(&mut sink, 0..50);
    receiver.wait_for(49);
    assert_eq!(sink.finish().counts.delivered.events, 50);
}

#[test]
fn an_event_that_no_datagram_holds_is_refused_and_the_others_go() {
    let dir = tempfile::tempdir().unwrap();
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut sink = tap(&format!("syslog+udp://{}", peer.local_addr().unwrap()), dir.path());
    let text = format!("{{\"n\":1}}\n{{\"long\":\"{}\"}}\n{{\"n\":3}}\n", "x".repeat(70_000));
    let _listening = sink.write(&Batch::new(text.into_bytes(), 3)).unwrap();
    let counts = sink.finish().counts;
    assert_eq!((counts.delivered.events, counts.dropped(DropReason::Refused).events), (2, 1));
    let mut datagram = [0; 200];
    let length = peer.recv(&mut datagram).unwrap();
    assert_eq!(&datagram[..length], b"<134>1 - - tapwire - - - {\"n\":1}");
}

/// A receiver that ends without reading is told apart from one that read everything.
#[test]
fn what_a_connection_took_and_the_receiver_did_not_read_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("syslog://{}", listener.local_addr().unwrap());
    let mut first = tap(&url, dir.path());
    send(&mut first, 0..10);
    let (stream, _) = listener.accept().unwrap();
    thread::sleep(Duration::from_millis(200));
    drop(listener);
    drop(stream);
    drop(first);
    let listener = TcpListener::bind(url.trim_start_matches("syslog://")).unwrap();
    let reader = thread::spawn(move || {
        let mut text = String::new();
        listener.accept().unwrap().0.read_to_string(&mut text).unwrap();
        text
    });
    let report = tap(&url, dir.path()).finish();
    assert_eq!((report.counts.resumed.events, report.counts.delivered.events), (10, 10));
    assert_eq!(reader.join().unwrap().matches("\"n\":").count(), 10);
}
