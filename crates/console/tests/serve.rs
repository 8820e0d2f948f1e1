//! The console over a socket, as a browser and as somebody who means harm would ask it.

#[path = "serve/browser.rs"]
mod browser;
#[path = "serve/driver.rs"]
mod driver;
#[path = "serve/hunt.rs"]
mod hunt;
#[path = "serve/load.rs"]
mod load;
#[path = "serve/looks.rs"]
mod looks;

use serde_json::Value;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use tapwire_console::{
    Access, Action, Books, Caller, DataFlow, Endpoint, Exchange, Figure, Finding, Incident, Keeper, PATIENCE,
    Posture, Role, Roll, Service, Snapshot, Spot, Tables, Tls,
};

/// What nobody may ever get into a page as it is.
const HOSTILE: &str = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{7*7}}&";

struct Shelf(Arc<Snapshot>);

impl Books for Shelf {
    fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.0)
    }

    fn tables(&self) -> Result<Arc<dyn Tables>, String> {
        if self.0.has_tables { Ok(Arc::new(hunt::Lake)) } else { Err(HOSTILE.to_owned()) }
    }

    fn endpoint(&self, id: &str) -> Option<Value> {
        let row = self.0.endpoints.iter().find(|row| row.id == id)?;
        let field = serde_json::json!({"path": HOSTILE, "type": [HOSTILE], "format": HOSTILE, "enum": [HOSTILE], "in": HOSTILE, "name": HOSTILE});
        Some(serde_json::json!({
            "id": row.id, "parameters": [field], "exposure_reasons": [{"reason": HOSTILE, "seen": HOSTILE, "points": 7}],
            "request": [{"media_type": HOSTILE, "fields": [field]}], "responses": [{"status": HOSTILE, "media_type": HOSTILE, "fields": [field]}],
            "protocols": [HOSTILE], "clients": {HOSTILE: 3}, "known_callers": [HOSTILE], "status_codes": {HOSTILE: 2}, "data_classes": [{"class": HOSTILE, "sensitivity": HOSTILE}],
        }))
    }

    fn caller(&self, name: &str) -> Option<Value> {
        let session = serde_json::json!({"session": HOSTILE, "first_used": HOSTILE, "networks": [HOSTILE], "agents": [HOSTILE], "ended": HOSTILE});
        (name == "user~00ff").then(|| serde_json::json!({"principal": name, "known_sessions": [session], "known_endpoints": ["00ff", HOSTILE]}))
    }

    fn act(&self, uid: &str, by: &str, action: &Action) -> Result<(), String> {
        Err(format!("{by} did {action:?} to {uid}"))
    }

    fn exchange(&self, uid: &str, day: Option<&str>) -> Result<Option<Exchange>, String> {
        Ok((uid == "u1").then(|| looks::exchange(uid, day)))
    }

    fn radius(&self, whose: &str) -> Result<Value, String> {
        Ok(looks::radius(whose))
    }

    fn carve(&self, _uid: &str) -> Result<Vec<u8>, String> {
        Ok(b"packets".to_vec())
    }

    fn openapi(&self, service: &str) -> Option<String> {
        (service == "shop.example").then(|| "{\"openapi\": \"3.1.0\"}".to_owned())
    }
}

/// Users as a test names them, and what comes of noting a line.
struct Users(Arc<Roll>, fn(&Value) -> Result<(), String>);

impl Default for Users {
    fn default() -> Self {
        Self(Arc::default(), |_| Ok(()))
    }
}

impl Keeper for Users {
    fn users(&self) -> Option<Arc<Roll>> {
        Some(Arc::clone(&self.0))
    }

    fn note(&self, line: &Value) -> Result<(), String> {
        (self.1)(line)
    }

    fn noted(&self) -> Vec<Value> {
        vec!["a line".into()]
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
        evidence: text(),
        described: text(),
        keeps: true,
        has_packets: true,
        is_collectors: false,
        has_tables: true,
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
            verdict: text(),
            muted: text(),
            whole: serde_json::json!({
                "callers": [HOSTILE], "addresses": [HOSTILE], "next_steps": [HOSTILE],
                "timeline": [{"time": HOSTILE, "detector": HOSTILE, "outcome": HOSTILE, "reason": HOSTILE, "exchange": HOSTILE}],
                "endpoints": [{"method": HOSTILE, "template": HOSTILE, "service": HOSTILE, "data_classes": [HOSTILE]}],
            }),
            ..Incident::default()
        }],
        findings: vec![Finding {
            uid: text(),
            exchange: "u1".into(),
            rule: text(),
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
            owner: text(),
            accepted: text(),
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
        hours: vec![(text(), 3), (text(), 5)],
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
        Self::with(snapshot, Roll::default())
    }

    fn with(snapshot: Snapshot, roll: Roll) -> Self {
        Self::kept(snapshot, Users(Arc::new(roll), |_| Ok(())))
    }

    /// Whose lines are noted so.
    fn noting(snapshot: Snapshot, note: fn(&Value) -> Result<(), String>) -> Self {
        Self::kept(snapshot, Users(Arc::default(), note))
    }

    fn kept(snapshot: Snapshot, users: Users) -> Self {
        Self::patiently(snapshot, users, PATIENCE)
    }

    fn patiently(snapshot: Snapshot, users: Users, patience: Duration) -> Self {
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
            let access = Access { keeper: Arc::new(users), tls: None };
            let shelf = Arc::new(Shelf(Arc::new(snapshot)));
            tapwire_console::serve_patiently(listener, shelf, access, patience, over).expect("it serves");
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

    fn post(&self, target: &str, head: &str, form: &str) -> String {
        self.ask(&format!(
            "POST {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{head}\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
            form.len()
        ))
    }

    fn get_as(&self, target: &str, head: &str) -> String {
        self.ask(&format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{head}\r\n"))
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

const PAGES: [&str; 16] = [
    "/",
    "/apis",
    "/endpoints/00ff",
    "/incidents",
    "/incidents/u1",
    "/exchanges/u1",
    "/posture",
    "/callers",
    "/callers/user~00ff",
    "/data",
    "/data?class=%3Cscript%3E",
    "/governance",
    "/sensor",
    "/hunt",
    "/hunt?query=%3C%2Ftextarea%3E%3Cscript%3E",
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
    for method in ["PUT", "DELETE", "PATCH", "POST"] {
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

const PASSWORD: &str = "correct horse battery";

fn roll(role: Role) -> Roll {
    let mut roll = Roll::default();
    roll.put("ana", role, PASSWORD).expect("a fit user");
    roll
}

/// The header with the cookie of a new session.
fn log_in(console: &Running) -> String {
    let answer = console.post("/login", "", "name=ana&password=correct+horse+battery");
    assert!(answer.starts_with("HTTP/1.1 303"), "{answer}");
    let cookie = answer.lines().find_map(|line| line.strip_prefix("set-cookie: ")).expect("a cookie");
    assert!(cookie.contains("; HttpOnly; SameSite=Strict"), "{cookie}");
    format!("Cookie: {}\r\n", cookie.split(';').next().expect("a value"))
}

fn token_in(page: &str) -> String {
    let (_, rest) = page.split_once("name=\"token\" value=\"").expect("a form with a token");
    rest.split('"').next().expect("its end").to_owned()
}

#[test]
fn where_there_are_users_nobody_reads_without_log_in() {
    let console = Running::with(hostile(), roll(Role::Viewer));
    for target in PAGES.into_iter().chain(["/export/endpoints.csv", "/openapi/x", "/account"]) {
        let answer = console.get(target);
        assert!(
            answer.starts_with("HTTP/1.1 303") && answer.contains("location: /login"),
            "{target}: {answer}"
        );
    }
    for target in ["/api/v1/endpoints", "/metrics", "/api/openapi.json"] {
        assert!(console.get(target).starts_with("HTTP/1.1 401"), "{target}");
    }
    // ana:correct horse battery
    let basic = "Authorization: Basic YW5hOmNvcnJlY3QgaG9yc2UgYmF0dGVyeQ==\r\n";
    assert!(console.get_as("/metrics", basic).starts_with("HTTP/1.1 200"));
    let cookie = log_in(&console);
    assert!(console.get_as("/", &cookie).starts_with("HTTP/1.1 200"));
    assert!(console.get_as("/api/v1/audit", &cookie).starts_with("HTTP/1.1 403"), "a viewer");
    let account = console.get_as("/account", &cookie);
    let token = token_in(&account);
    let refused = console.post("/incidents/u1/act", &cookie, &format!("token={token}&verdict=true"));
    assert!(refused.starts_with("HTTP/1.1 403") && refused.contains("viewers only read"), "{refused}");
    let out = console.post("/logout", &cookie, &format!("token={token}"));
    assert!(out.starts_with("HTTP/1.1 303") && out.contains("Max-Age=0"), "{out}");
    assert!(console.get_as("/", &cookie).starts_with("HTTP/1.1 303"), "the session is over");
}

#[test]
fn forms_do_what_an_analyst_says_and_nobody_else() {
    let console = Running::with(hostile(), roll(Role::Analyst));
    let cookie = log_in(&console);
    let token = token_in(&console.get_as("/incidents/u1", &cookie));
    let good = format!("token={token}&verdict=benign&why=a+test");
    let did = console.post("/incidents/u1/act", &cookie, &good);
    assert!(did.contains("ana did Feedback { verdict: Benign, why: &quot;a test&quot; } to u1"), "{did}");
    let did = console.post("/incidents/u1/act", &cookie, &format!("token={token}&days=7&why=x"));
    assert!(did.contains("Mute { days: 7"), "{did}");
    let did = console.post("/incidents/u1/act", &cookie, &format!("token={token}&unmute=yes&why=over"));
    assert!(did.contains("ana did Unmute { why: &quot;over&quot; } to u1"), "{did}");
    for (head, form, why) in [
        ("", "token=x&verdict=true", "another session"),
        ("", "verdict=true", "422"),
        ("Sec-Fetch-Site: cross-site\r\n", good.as_str(), "these pages only"),
        ("Origin: http://evil.example\r\n", good.as_str(), "these pages only"),
    ] {
        let refused = console.post("/incidents/u1/act", &format!("{cookie}{head}"), form);
        assert!(refused.contains(why) && !refused.contains("did Feedback"), "{refused}");
    }
    for wrong in ["days=0&why=x", "days=91&why=x", "days=7", "verdict=perhaps"] {
        let refused = console.post("/incidents/u1/act", &cookie, &format!("token={token}&{wrong}"));
        assert!(refused.starts_with("HTTP/1.1 422"), "{wrong}: {refused}");
    }
    let packets = console.post("/incidents/u1/carve", &cookie, &format!("token={token}"));
    assert!(packets.ends_with("packets") && packets.contains("attachment"), "{packets}");
    assert!(console.post("/incidents/u1/carve", "", &format!("token={token}")).starts_with("HTTP/1.1 303"));
}

#[test]
fn the_beginning_of_a_uid_leads_to_the_only_one_that_has_it() {
    let incident = |uid: &str| Incident { uid: uid.to_owned(), ..Incident::default() };
    let incidents = ["abcdef01", "abcdef02", "fedcba98"].map(incident).to_vec();
    let console = Running::of(Snapshot { incidents, ..Snapshot::default() });
    let found = console.get("/incidents/FEDCBA");
    assert!(
        found.starts_with("HTTP/1.1 303") && found.contains("location: /incidents/fedcba98\r\n"),
        "{found}"
    );
    assert!(console.get("/incidents/fedcba98").starts_with("HTTP/1.1 200"));
    let row = console.get("/api/v1/incidents/fedcba");
    assert!(row.starts_with("HTTP/1.1 200") && row.contains("\"uid\":\"fedcba98\""), "{row}");
    for unclear in ["abcdef", "fedcb", "fedcba9800"] {
        assert!(console.get(&format!("/incidents/{unclear}")).starts_with("HTTP/1.1 404"), "{unclear}");
    }
}

#[test]
fn who_guesses_has_to_wait() {
    let console = Running::with(Snapshot::default(), roll(Role::Viewer));
    for _ in 0..5 {
        let refused = console.post("/login", "", "name=ana&password=guessed");
        assert!(refused.starts_with("HTTP/1.1 403"), "{refused}");
    }
    let late = console.post("/login", "", "name=ana&password=correct+horse+battery");
    assert!(late.starts_with("HTTP/1.1 429") && late.contains("retry-after: 300"), "{late}");
}

#[test]
fn a_certificate_that_is_none_is_told() {
    assert!(Tls::of(b"", b"").is_err_and(|why| why.contains("no certificate")));
}

#[test]
fn the_api_is_described() {
    let console = Running::of(hostile());
    let answer = console.get("/api/openapi.json");
    let body: Value = serde_json::from_str(answer.split_once("\r\n\r\n").expect("a body").1).expect("JSON");
    let paths = body["paths"].as_object().expect("paths");
    for (path, _) in paths.iter().filter(|(_, operations)| operations.get("get").is_some()) {
        let target = path.replace("{id}", "00ff").replace("{uid}", "u1").replace("{name}", "user~00ff");
        assert!(console.get(&target).starts_with("HTTP/1.1 200"), "{target}");
    }
    assert_eq!(paths.len(), 24);
    assert!(console.get("/metrics").contains("tapwire_endpoints 1\n"));
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
    let access = Access { keeper: Arc::new(Users::default()), tls: None };
    let bad = tapwire_console::serve(listener, Arc::new(Shelf(Arc::default())), access, async {})
        .expect_err("it is public");
    assert!(bad.to_string().contains("not on loopback"), "{bad}");
}
