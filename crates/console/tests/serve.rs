//! The console over a socket, as a browser and as somebody who means harm would ask it.

use serde_json::Value;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use tapwire_console::{
    Books, Caller, DataFlow, Endpoint, Figure, Finding, Incident, Posture, Service, Snapshot, Spot,
};

/// What nobody may ever get into a page as it is.
const HOSTILE: &str = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{7*7}}&";

struct Shelf(Arc<Snapshot>);

impl Books for Shelf {
    fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.0)
    }

    fn endpoint(&self, id: &str) -> Option<Value> {
        let row = self.0.endpoints.iter().find(|row| row.id == id)?;
        let field = serde_json::json!({"path": HOSTILE, "type": [HOSTILE], "format": HOSTILE, "enum": [HOSTILE], "in": HOSTILE, "name": HOSTILE});
        Some(serde_json::json!({
            "id": row.id, "parameters": [field], "exposure_reasons": [{"reason": HOSTILE, "seen": HOSTILE, "points": 7}],
            "request": [{"media_type": HOSTILE, "fields": [field]}], "responses": [{"status": HOSTILE, "media_type": HOSTILE, "fields": [field]}],
            "protocols": [HOSTILE], "clients": {HOSTILE: 3}, "status_codes": {HOSTILE: 2}, "data_classes": [{"class": HOSTILE, "sensitivity": HOSTILE}],
        }))
    }

    fn caller(&self, name: &str) -> Option<Value> {
        let session = serde_json::json!({"session": HOSTILE, "first_used": HOSTILE, "networks": [HOSTILE], "agents": [HOSTILE], "ended": HOSTILE});
        (name == "user~00ff").then(|| serde_json::json!({"principal": name, "known_sessions": [session]}))
    }

    fn openapi(&self, service: &str) -> Option<String> {
        (service == "shop.example").then(|| "{\"openapi\": \"3.1.0\"}".to_owned())
    }
}

/// A row of each kind in which every text is the hostile one.
#[allow(clippy::too_many_lines, reason = "a list of every text there is")]
fn hostile() -> Snapshot {
    let text = || HOSTILE.to_owned();
    let list = || vec![text()];
    Snapshot {
        version: 3,
        source: text(),
        first: text(),
        last: text(),
        services: vec![Service { name: text(), owner: text(), zone: text(), calls: 4, ..Service::default() }],
        endpoints: vec![Endpoint {
            id: "00ff".into(),
            service: text(),
            method: text(),
            template: text(),
            operation: text(),
            auth: vec![(text(), 50)],
            classes: list(),
            states: list(),
            owner: text(),
            ..Endpoint::default()
        }],
        incidents: vec![Incident {
            uid: "u1".into(),
            title: text(),
            outcome: text(),
            who: text(),
            service: text(),
            whole: serde_json::json!({
                "callers": [HOSTILE], "addresses": [HOSTILE], "next_steps": [HOSTILE],
                "timeline": [{"time": HOSTILE, "detector": HOSTILE, "outcome": HOSTILE, "reason": HOSTILE, "exchange": HOSTILE}],
                "endpoints": [{"method": HOSTILE, "template": HOSTILE, "service": HOSTILE, "data_classes": [HOSTILE]}],
            }),
            ..Incident::default()
        }],
        findings: vec![Finding {
            incident: "u1".into(),
            detector: text(),
            outcome: text(),
            reason: text(),
            ..Finding::default()
        }],
        postures: vec![Posture {
            policy: text(),
            title: text(),
            service: text(),
            state: text(),
            stands: true,
            reason: text(),
            fix: text(),
            test: text(),
            references: list(),
            endpoints: vec![(text(), text())],
            ..Posture::default()
        }],
        callers: vec![Caller {
            name: "user~00ff".into(),
            kind: text(),
            credentials: list(),
            grants: list(),
            services: list(),
            networks: list(),
            agents: list(),
            ..Caller::default()
        }],
        flows: vec![DataFlow {
            class: text(),
            sensitivity: text(),
            endpoint: text(),
            service: text(),
            name: text(),
            ..DataFlow::default()
        }],
        figures: vec![Figure {
            name: text(),
            title: text(),
            now: text(),
            of: text(),
            target: text(),
            ..Figure::default()
        }],
        blind_spots: vec![Figure {
            name: text(),
            title: text(),
            now: text(),
            of: text(),
            ..Figure::default()
        }],
        not_judged: vec![Spot { what: text(), why: text() }],
        days: vec![(text(), 3), (text(), 5)],
        counters: serde_json::json!({HOSTILE: HOSTILE}),
    }
}

/// A console that is there until it is dropped.
struct Running {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    fn of(snapshot: Snapshot) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let address = listener.local_addr().expect("it has an address");
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let over = async move {
                while !stopped.load(Ordering::Relaxed) {
                    tapwire_console::pause(Duration::from_millis(5)).await;
                }
            };
            tapwire_console::serve(listener, Arc::new(Shelf(Arc::new(snapshot))), over).expect("it serves");
        });
        Self { address, stop, thread: Some(thread) }
    }

    fn ask(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.address).expect("it listens");
        stream.write_all(request.as_bytes()).expect("it reads");
        let mut answer = Vec::new();
        // A server that refuses may close before everything was read.
        let _ended = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }

    fn get(&self, target: &str) -> String {
        self.ask(&format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().into_iter().for_each(|thread| thread.join().expect("it ends well"));
    }
}

const PAGES: [&str; 13] = [
    "/",
    "/apis",
    "/endpoints/00ff",
    "/incidents",
    "/incidents/u1",
    "/posture",
    "/callers",
    "/callers/user~00ff",
    "/data",
    "/data?class=%3Cscript%3E",
    "/kpis",
    "/sensor",
    "/apis?q=%3Cscript%3E&sort=-calls&service=%22%3E%3Cscript%3E",
];

#[test]
fn nothing_of_traffic_is_ever_markup() {
    let console = Running::of(hostile());
    for target in PAGES {
        let page = console.get(target);
        assert!(page.starts_with("HTTP/1.1 200"), "{target}: {page}");
        let body = page.split_once("\r\n\r\n").expect("a body").1;
        let scripts = body.matches("<script").count();
        assert!(
            scripts == 1 && body.contains("<script src=\"/console.js\" defer>"),
            "{target}: {scripts} scripts"
        );
        assert!(!body.contains("<img src=x") && !body.contains("javascript:"), "{target}");
        assert!(body.len() < 200 << 10, "{target} has {} bytes", body.len());
    }
}

#[test]
fn pages_may_load_nothing_from_elsewhere_and_run_nothing_inline() {
    let console = Running::of(hostile());
    for target in PAGES.into_iter().chain(["/none", "/console.js", "/api/v1/endpoints"]) {
        let answer = console.get(target).to_lowercase();
        let head = answer.split("\r\n\r\n").next().expect("a head");
        assert!(
            head.contains("content-security-policy: default-src 'none'; script-src 'self'"),
            "{target}: {head}"
        );
        assert!(head.contains("frame-ancestors 'none'") && !head.contains("unsafe"), "{target}");
        assert!(head.contains("x-content-type-options: nosniff"), "{target}");
        let body = &answer[head.len()..];
        assert!(!body.contains(" style=\"") && !body.contains(" onclick"), "{target}");
    }
}

#[test]
fn a_name_that_others_point_at_this_machine_is_refused() {
    let console = Running::of(Snapshot::default());
    for host in ["evil.example", "127.0.0.1.evil.example", "localhost@evil.example"] {
        let answer = console.ask(&format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"));
        assert!(answer.starts_with("HTTP/1.1 421"), "{host}: {answer}");
    }
    let none = console.ask("GET / HTTP/1.0\r\n\r\n");
    assert!(none.starts_with("HTTP/1.0 421"), "{none}");
}

#[test]
fn nothing_can_be_changed() {
    let console = Running::of(Snapshot::default());
    for method in ["POST", "PUT", "DELETE", "PATCH"] {
        let answer = console.ask(&format!(
            "{method} /apis HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        ));
        assert!(answer.starts_with("HTTP/1.1 405"), "{method}: {answer}");
    }
}

#[test]
fn rows_are_the_same_in_the_api() {
    let endpoints = (0..250).map(|at| Endpoint {
        id: format!("{at:04}"),
        service: if at % 2 == 0 { "shop.example".into() } else { "bank.example".into() },
        template: format!("/orders/{at}"),
        calls: at,
        ..Endpoint::default()
    });
    let console = Running::of(Snapshot { endpoints: endpoints.collect(), ..Snapshot::default() });
    let answer = console.get("/api/v1/endpoints?q=shop&sort=-calls&page=2");
    let body: Value = serde_json::from_str(answer.split_once("\r\n\r\n").expect("a body").1).expect("JSON");
    assert_eq!(
        (&body["total"], &body["page"], body["rows"][0]["calls"].as_u64()),
        (&125.into(), &2.into(), Some(48))
    );
    assert!(console.get("/endpoints/none").starts_with("HTTP/1.1 404"));
    assert!(console.get("/openapi/shop.example").contains("\"3.1.0\""));
    assert!(console.get("/api/v1/none").contains("no such resource"));
}

#[test]
fn whole_tables_are_files() {
    let endpoints = (0..250).map(|at| Endpoint {
        id: format!("{at:04}"),
        service: if at % 2 == 0 { "shop.example".into() } else { "=bank".into() },
        calls: at,
        ..Endpoint::default()
    });
    let console = Running::of(Snapshot { endpoints: endpoints.collect(), ..Snapshot::default() });
    let csv = console.get("/export/endpoints.csv?service=shop.example&sort=-calls");
    let body = csv.split_once("\r\n\r\n").expect("a body").1;
    assert_eq!(body.lines().count(), 126, "a head and every second row");
    assert!(csv.contains("attachment; filename=\"tapwire-endpoints.csv\""), "{csv}");
    assert!(console.get("/export/endpoints.csv?q=bank").contains(",'=bank,"), "a formula is text");
    assert!(console.get("/export/endpoints.json?q=bank").contains("\"=bank\""));
    for none in ["/export/none.csv", "/export/endpoints.xml", "/export/endpoints", "/export/..%2Fetc.csv"] {
        assert!(console.get(none).starts_with("HTTP/1.1 404"), "{none}");
    }
}

#[test]
fn only_loopback_is_served() {
    let listener = TcpListener::bind("0.0.0.0:0").expect("a free port");
    let bad = tapwire_console::serve(listener, Arc::new(Shelf(Arc::default())), async {})
        .expect_err("it is public");
    assert!(bad.to_string().contains("not on loopback"), "{bad}");
}
