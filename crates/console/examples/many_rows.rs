//! How long tables of 100,000 rows take over a socket, and how large their pages are: `cargo run --example many_rows`. Each
//! address is asked for eleven times, one after the other; what is printed is the middle one, and the slowest.

use std::error::Error;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tapwire_console::{
    Access, Action, Books, Caller, DataFlow, Endpoint, Exchange, Finding, Incident, Keeper, Level, Roll,
    Service, Snapshot, serve,
};

const ROWS: u64 = 100_000;
const SERVICES: u64 = 500;
const TIMES: usize = 11;

const ASKED: [&str; 16] = [
    "/",
    "/apis",
    "/apis?sort=-calls",
    "/apis?q=orders%20internal",
    "/apis?q=no%20such%20word",
    "/apis?service=service-77.shop.example&sort=-latency",
    "/apis?sort=name&page=1000",
    "/endpoints/000000000001869f",
    "/incidents?sort=title",
    "/incidents?q=service-77&sort=-last",
    "/callers?sort=-calls",
    "/callers?q=10.7.&sort=name",
    "/data?class=email&sort=-answered",
    "/governance",
    "/api/v1/findings?q=bola&sort=-time",
    "/export/endpoints.csv?q=orders",
];

struct Shelf(Arc<Snapshot>);

impl Books for Shelf {
    fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.0)
    }

    fn endpoint(&self, id: &str) -> Option<serde_json::Value> {
        Some(serde_json::json!({"id": id}))
    }

    fn caller(&self, _name: &str) -> Option<serde_json::Value> {
        None
    }

    fn openapi(&self, _service: &str) -> Option<String> {
        None
    }

    fn act(&self, _uid: &str, _by: &str, _action: &Action) -> Result<(), String> {
        Ok(())
    }

    fn exchange(&self, _uid: &str, _day: Option<&str>) -> Result<Option<Exchange>, String> {
        Ok(None)
    }

    fn radius(&self, _whose: &str) -> Result<serde_json::Value, String> {
        Err("nothing is kept".to_owned())
    }

    fn carve(&self, _uid: &str) -> Result<Vec<u8>, String> {
        Ok(Vec::new())
    }
}

struct Nobody;

impl Keeper for Nobody {
    fn users(&self) -> Option<Arc<Roll>> {
        Some(Arc::default())
    }

    fn note(&self, _line: &serde_json::Value) -> Result<(), String> {
        Ok(())
    }

    fn noted(&self) -> Vec<serde_json::Value> {
        Vec::new()
    }
}

fn service(at: u64) -> String {
    format!("service-{}.shop.example", at % SERVICES)
}

fn time(at: u64) -> String {
    format!("2026-11-{:02}T{:02}:{:02}:{:02}.000Z", 1 + at % 28, at % 24, at % 60, at / 7 % 60)
}

/// The rows of every table, each unlike the next.
fn snapshot() -> Snapshot {
    let mix = |at: u64| at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    Snapshot {
        version: 1,
        first: time(0),
        last: time(27),
        services: (0..SERVICES)
            .map(|at| Service { name: service(at), calls: mix(at), ..Service::default() })
            .collect(),
        endpoints: (0..ROWS).map(|at| endpoint(at, mix(at))).collect(),
        incidents: (0..ROWS).map(|at| incident(at, mix(at))).collect(),
        findings: (0..ROWS).map(|at| finding(at, mix(at))).collect(),
        callers: (0..ROWS).map(|at| caller(at, mix(at))).collect(),
        flows: (0..ROWS).map(|at| flow(at, mix(at))).collect(),
        ..Snapshot::default()
    }
}

fn endpoint(at: u64, random: u64) -> Endpoint {
    let kinds = ["orders", "users", "invoices", "internal/orders"];
    Endpoint {
        id: format!("{at:016x}"),
        service: service(at),
        method: ["GET", "POST", "PUT"][(random % 3) as usize].into(),
        template: format!("/v{}/{}/{{id}}/{at}", random % 4, kinds[(random % 4) as usize]),
        calls: random,
        callers: random % 60,
        status: [0, random, 0, random % 7, random % 3, 0],
        auth: vec![("jwt".into(), 90), ("none".into(), 10)],
        classes: vec!["email".into()],
        states: vec!["undocumented".into()],
        exposure: (random % 101) as u8,
        threat: (random % 97) as u8,
        latency: Some((random, random * 3)),
        first: time(at),
        last: time(random),
        ..Endpoint::default()
    }
}

fn incident(at: u64, random: u64) -> Incident {
    Incident {
        uid: format!("{at:032x}"),
        level: Level::ALL[(random % 5) as usize],
        title: format!("Objects of others are read {}", random % 97),
        outcome: "likely".into(),
        who: format!("tok:{random:016x} from 10.{}.{}.7", random % 256, at % 256),
        service: service(random),
        first: time(at),
        last: time(random),
        findings: random % 1_000,
        closed: !random.is_multiple_of(3),
        ..Incident::default()
    }
}

fn finding(at: u64, random: u64) -> Finding {
    Finding {
        incident: format!("{at:032x}"),
        time: time(random),
        detector: ["bola", "injection", "enumeration"][(random % 3) as usize].into(),
        reason: format!("{random} objects of others within a minute, where {} are usual", random % 9),
        ..Finding::default()
    }
}

fn caller(at: u64, random: u64) -> Caller {
    Caller {
        name: format!("user~{at:016x}"),
        calls: random,
        credentials: vec!["jwt".into()],
        services: vec![service(at), service(random)],
        networks: vec![format!("10.{}.{}.0/24", random % 256, at % 256)],
        agents: vec!["Chrome".into()],
        last: time(random),
        ..Caller::default()
    }
}

fn flow(at: u64, random: u64) -> DataFlow {
    DataFlow {
        class: ["email", "card", "iban"][(random % 3) as usize].into(),
        sensitivity: "medium".into(),
        endpoint: format!("{at:016x}"),
        service: service(at),
        name: format!("GET /v1/orders/{at}"),
        answered: random % 9,
        ..DataFlow::default()
    }
}

fn ask(address: SocketAddr, target: &str) -> std::io::Result<(usize, Duration)> {
    let begun = Instant::now();
    let mut stream = TcpStream::connect(address)?;
    write!(stream, "GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok((answer.len(), begun.elapsed()))
}

fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let shelf = Arc::new(Shelf(Arc::new(snapshot())));
    let access = Access { keeper: Arc::new(Nobody), tls: None };
    std::thread::spawn(move || serve(listener, shelf, access, std::future::pending()));
    println!("{:<58} {:>9} {:>9} {:>9}", "address", "KiB", "ms", "slowest");
    for target in ASKED {
        let mut all = Vec::new();
        for _ in 0..TIMES {
            all.push(ask(address, target)?);
        }
        all.sort_by_key(|(_, took)| *took);
        let ms = |took: Duration| took.as_secs_f64() * 1_000.0;
        let ((bytes, middle), (_, slowest)) = (all[TIMES / 2], all[TIMES - 1]);
        println!("{target:<58} {:>9.1} {:>9.1} {:>9.1}", bytes as f64 / 1_024.0, ms(middle), ms(slowest));
    }
    Ok(())
}
