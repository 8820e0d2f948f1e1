//! One inventory of all sensors: an endpoint that several told of is one, and nothing that happens to the collector changes it.

use super::client::{self, Answer, Collector};
use super::{is_exchange, send, told};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};
use tapwire_tests::binary;

/// Longer than any machine takes that still works.
const PATIENCE: Duration = Duration::from_secs(120);
/// Sensors with what they replay: both saw `shop.test`.
const NORTH: [&str; 2] = ["tls12", "basic-rest"];
const SOUTH: [&str; 1] = ["tls13"];

/// Endpoints as `inventory --json` has them; times and all else with them.
fn inventory(collector: &Collector, arguments: &[&str]) -> Vec<Value> {
    collector.tapwire(&[&["inventory", "--json"], arguments].concat()).ok("inventory").events()
}

/// Calls of endpoints, as the events say that were told.
fn calls(fixtures: &[&str]) -> BTreeMap<String, u64> {
    let mut known = BTreeSet::new();
    let mut calls = BTreeMap::new();
    for event in fixtures.iter().flat_map(|name| told(name)) {
        let id = event["unmapped"]["endpoint"]["id"].as_str();
        let is_call = is_exchange(&&event) && event["unmapped"].get("parent").is_none();
        if let Some(id) = id.filter(|_| is_call && known.insert(event["metadata"]["uid"].to_string())) {
            *calls.entry(id.to_owned()).or_default() += 1;
        }
    }
    calls
}

fn counted(found: &[Value]) -> BTreeMap<String, u64> {
    let pair = |one: &Value| Some((one["id"].as_str()?.to_owned(), one["calls"].as_u64()?));
    found.iter().filter_map(pair).collect()
}

#[test]
fn sensors_have_one_inventory() {
    let mut collector = Collector::start();
    let north = collector.enrol("north", &["--site", "Oslo"]);
    let south = collector.enrol("south", &["--site", "Rome"]);
    NORTH.iter().for_each(|name| drop(send(&collector, &north, name).ok("north")));
    SOUTH.iter().for_each(|name| drop(send(&collector, &south, name).ok("south")));
    collector.stop();
    let first = inventory(&collector, &[]);
    let (ours, theirs) = (calls(&NORTH), calls(&SOUTH));
    let mut all = ours.clone();
    theirs.iter().for_each(|(id, calls)| *all.entry(id.clone()).or_default() += calls);
    assert_eq!(counted(&first), all);
    // What both saw is one endpoint, with what each of them told.
    let shared: Vec<&Value> =
        first.iter().filter(|one| one["sites"].as_object().is_some_and(|all| all.len() == 2)).collect();
    assert!(!shared.is_empty());
    for one in &shared {
        let id = one["id"].as_str().expect("an id");
        assert_eq!(
            (one["sites"]["Oslo"].as_u64(), one["sites"]["Rome"].as_u64()),
            (Some(ours[id]), Some(theirs[id]))
        );
        assert_eq!(one["sensors"].as_array().map(Vec::len), Some(2));
        assert_eq!(one["service"], "shop.test");
    }
    assert_eq!(counted(&inventory(&collector, &["--site", "Oslo"])), ours);
    assert_eq!(counted(&inventory(&collector, &["--site", "Rome"])), theirs);
    assert!(inventory(&collector, &["--tenant", "acme"]).is_empty());
    let refused = collector.tapwire(&["inventory", "--openapi", "none.yaml"]);
    assert_eq!(refused.code, Some(2));
    // Neither a restart, nor a kill, nor what comes again changes it.
    collector.again();
    NORTH.iter().for_each(|name| drop(send(&collector, &north, name).ok("north again")));
    collector.kill();
    collector.again();
    SOUTH.iter().for_each(|name| drop(send(&collector, &south, name).ok("south again")));
    collector.kill();
    collector.again();
    collector.stop();
    assert_eq!(inventory(&collector, &[]), first);
    let page = collector.tapwire(&["inventory"]).ok("a table");
    let page = String::from_utf8(page.stdout).expect("UTF-8");
    assert!(page.contains("north (Oslo)") && page.contains("south (Rome)"), "{page}");
    let template = format!(
        "{} {}",
        shared[0]["method"].as_str().expect("text"),
        shared[0]["template"].as_str().expect("text")
    );
    let one = inventory(&collector, &["--endpoint", &template]);
    assert!(one.iter().any(|one| one["id"] == shared[0]["id"]), "{one:?}");
    let unknown = collector.tapwire(&["inventory", "--endpoint", "GET /nowhere"]);
    assert_eq!(unknown.code, Some(2));
}

#[test]
fn tenants_have_endpoints_of_their_own() {
    let mut collector = Collector::start();
    let acme = collector.enrol("north", &["--tenant", "acme"]);
    let other = collector.enrol("south", &["--tenant", "other"]);
    NORTH.iter().for_each(|name| drop(send(&collector, &acme, name).ok("acme")));
    SOUTH.iter().for_each(|name| drop(send(&collector, &other, name).ok("other")));
    collector.stop();
    let of = |tenant: &str| inventory(&collector, &["--tenant", tenant]);
    assert_eq!(counted(&of("acme")), calls(&NORTH));
    assert_eq!(counted(&of("other")), calls(&SOUTH));
    assert!(of("acme").iter().all(|one| one["tenant"] == "acme"));
    let all = inventory(&collector, &[]);
    assert_eq!(all.len(), of("acme").len() + of("other").len());
}

#[test]
fn the_console_shows_what_sensors_told() {
    let collector = Collector::with(&["--set", "collect.commit=1", "--serve", "127.0.0.1:0"]);
    let north = collector.enrol("north", &["--site", "Oslo"]);
    let _ran = send(&collector, &north, "basic-rest").ok("north");
    let line = collector.wait_for("the console is at");
    let address = address_of(&line);
    page_with(address, "/apis", |page| page.body.contains("{orderId}"));
    let found = inventory(&collector, &[]);
    let id = found[0]["id"].as_str().expect("an id");
    let page = client::get(address, &format!("/endpoints/{id}"));
    assert!(page.status == 200 && page.body.contains("Oslo") && page.body.contains("unrated"), "{page:?}");
    for shown in ["ms in the mean", "tapwire inventory --data DIR --endpoint"] {
        assert!(page.body.contains(shown), "{shown}: {page:?}");
    }
    for hidden in ["No answer was seen", "No description was given", "OpenAPI 3.1"] {
        assert!(!page.body.contains(hidden), "{hidden}: {page:?}");
    }
}

/// `tapwire serve` over a directory, killed when it is dropped.
struct Console {
    child: Child,
    told: Receiver<String>,
}

impl Console {
    fn start(data: &Path) -> Self {
        let mut command = Command::new(binary());
        command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(data);
        let mut child =
            command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().expect("tapwire can be started");
        let lines = BufReader::new(child.stderr.take().expect("standard error")).lines();
        let (send, told) = channel();
        std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| send.send(line)));
        Self { child, told }
    }

    /// The next line with that text on its standard error.
    fn hears(&self, text: &str) -> String {
        loop {
            let line = self.told.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("\"{text}\" was not said"));
            if line.contains(text) {
                return line;
            }
        }
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where the console is that says so in this line.
pub(crate) fn address_of(line: &str) -> SocketAddr {
    let address = line.split("http://").nth(1).and_then(|rest| rest.split('/').next()?.parse().ok());
    address.expect("an address")
}

/// A page, asked for until it is as wanted.
pub(crate) fn page_with(address: SocketAddr, path: &str, is_wanted: impl Fn(&Answer) -> bool) -> Answer {
    let begun = Instant::now();
    loop {
        let page = client::get(address, path);
        if is_wanted(&page) {
            return page;
        }
        assert!(begun.elapsed() < PATIENCE, "{path}: {}", page.status);
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// After a look that failed, the console looks again.
#[test]
fn the_console_recovers_from_what_it_could_not_read() {
    let mut collector = Collector::start();
    let north = collector.enrol("north", &[]);
    let _ran = send(&collector, &north, "basic-rest").ok("north");
    collector.stop();
    let console = Console::start(&collector.data());
    let address = address_of(&console.hears("the console is at"));
    page_with(address, "/apis", |page| page.body.contains("{orderId}"));
    let damaged = collector.data().join("lake/usage/_delta_log/00000000000000009999.json");
    std::fs::write(&damaged, "no JSON\n").expect("a file");
    // It looks when it is asked, and goes on showing what it has.
    let begun = Instant::now();
    let why = loop {
        assert!(client::get(address, "/apis").body.contains("{orderId}"));
        if let Ok(line) = console.told.recv_timeout(Duration::from_millis(100)) {
            break line;
        }
        assert!(begun.elapsed() < PATIENCE, "it does not look");
    };
    assert!(why.contains("_delta_log"), "{why}");
    std::fs::remove_file(&damaged).expect("the file");
    collector.again();
    let _ran = send(&collector, &north, "graphql").ok("north");
    collector.stop();
    page_with(address, "/apis", |page| page.body.contains("query {orders}"));
}

/// An endpoint whose word turned out to be a value is found by its id, on the page of what it became.
#[test]
fn the_console_leads_from_a_merged_id_to_what_it_became() {
    let collector = Collector::with(&["--set", "collect.commit=1", "--serve", "127.0.0.1:0"]);
    let address = address_of(&collector.wait_for("the console is at"));
    let north = collector.enrol("north", &[]);
    let templates = ["/users/ann", "/users/bob", "/users/eve", "/users/{userId}"];
    let id = |at: usize| format!("{:016x}", 0xa0 + at);
    let told = |(at, template): (usize, &&str)| {
        let event = json!({
            "time": *client::TIME + i64::try_from(at).expect("small"), "class_uid": 6003,
            "metadata": {"version": "1.8.0", "uid": format!("{at:032x}"), "sequence": at},
            "api": {"operation": format!("GET {template}"), "service": {"name": "shop.test"}},
            "http_request": {"http_method": "GET"}, "http_response": {"code": 200},
            "unmapped": {"endpoint": {"id": id(at), "template": template}},
        });
        format!("{event}\n")
    };
    let lines: String = templates.iter().enumerate().map(told).collect();
    let taken = client::post(collector.address(), &north, &[], lines.as_bytes());
    assert_eq!(taken.accepted(), 4, "{taken:?}");
    let apis = page_with(address, "/apis", |page| page.body.contains("{userId}"));
    assert!(!apis.body.contains("/users/ann"), "{apis:?}");
    for at in 0..templates.len() {
        let page = client::get(address, &format!("/endpoints/{}", id(at)));
        assert!(page.status == 200 && page.body.contains("/users/{userId}"), "{page:?}");
        let whole = client::get(address, &format!("/api/v1/endpoints/{}", id(at)));
        let whole: Value = serde_json::from_str(&whole.body).expect("JSON");
        assert_eq!((&whole["id"], &whole["calls"]), (&id(3).into(), &4.into()));
    }
    assert_eq!(client::get(address, "/endpoints/00000000000000ff").status, 404);
    let merged: Vec<Value> =
        inventory(&collector, &[]).into_iter().filter(|one| one["merged_into"] == id(3)).collect();
    assert_eq!(merged.len(), 3);
}
