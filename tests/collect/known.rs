//! The collector's inventory says of each endpoint what each sensor's own inventory says of it.

use super::client::{self, Collector};
use super::{PATIENCE, fixture, send, told};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tapwire_tests::{Tapwire, binary, token_key};

/// What a sensor says of an endpoint beside its calls.
const MEMBERS: [&str; 10] = [
    "states",
    "exposure",
    "exposure_reasons",
    "threat",
    "threat_reasons",
    "owner",
    "zone",
    "criticality",
    "asset",
    "tags",
];

/// A sensor with the fixture that it replays, and files that say more of it.
struct Sensor {
    name: &'static str,
    fixture: &'static str,
    files: Vec<String>,
    folder: tempfile::TempDir,
}

impl Sensor {
    fn new(name: &'static str, fixture: &'static str, openapi: Option<&str>, labels: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let context = folder.path().join("labels.toml");
        fs::write(&context, labels).expect("a writable folder");
        let context = context.display().to_string();
        let mut files = vec!["--context".to_owned(), context];
        files.extend(openapi.into_iter().flat_map(|file| ["--openapi".to_owned(), file.to_owned()]));
        Self { name, fixture, files, folder }
    }

    /// What its own inventory says, by what endpoints are called.
    fn own(&self) -> BTreeMap<String, Value> {
        let fixture = fixture(self.fixture);
        let ran = Tapwire::new(["inventory", "--json", &fixture.capture]).key().within(&fixture);
        let lines = ran.args(&self.files).run().ok(self.name).events();
        named(&lines)
    }

    /// Its replay into the collector, which tries until it gets through.
    fn start(&self, collector: &Collector, token: &str) -> Replay {
        let fixture = fixture(self.fixture);
        let file = self.folder.path().join("token");
        fs::write(&file, token).expect("a token file");
        let key = self.folder.path().join("token.key");
        if !key.exists() {
            assert_eq!(token_key(self.folder.path()), key);
        }
        let mut command = Command::new(binary());
        command.args(["replay", "-q", &fixture.capture]).args(fixture.arguments()).args(&self.files);
        command.args(["--only", "exchanges,findings,incidents,endpoints,sensor"]);
        command.arg("--token-key").arg(&key).args(["--events", &collector.url()]);
        let token = format!("sink.http.token_file={}", file.display());
        for setting in [
            &token,
            "sink.http.batch_events=50",
            "sink.http.batch_ms=20",
            "sink.http.backoff_ms=1",
            "sink.http.backoff_max_ms=20",
            "sink.http.tries=100000",
        ] {
            command.args(["--set", setting]);
        }
        command.env("HOME", self.folder.path()).current_dir(&fixture.folder);
        Replay(command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().expect("tapwire can be started"))
    }
}

/// A run of a sensor, killed when it is dropped.
struct Replay(Child);

impl Replay {
    fn is_over(&mut self) -> bool {
        self.0.try_wait().expect("its state").is_some()
    }

    fn end(mut self) {
        wait_for("the end of a sensor", || self.is_over());
        assert!(self.0.wait().expect("its end").success());
    }
}

impl Drop for Replay {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn name(one: &Value) -> String {
    ["service", "method", "template", "operation"]
        .map(|name| one[name].as_str().unwrap_or_default())
        .join(" ")
}

fn named(lines: &[Value]) -> BTreeMap<String, Value> {
    let endpoints = lines.iter().filter(|one| one["template"].is_string());
    endpoints.map(|one| (name(one), one.clone())).collect()
}

fn inventory(collector: &Collector) -> BTreeMap<String, Value> {
    named(&collector.tapwire(&["inventory", "--json"]).ok("inventory").events())
}

fn of_sensor<'v>(one: &'v Value, sensor: &str) -> Option<&'v Value> {
    one["sensors"].as_array()?.iter().find(|said| said["sensor"] == sensor)
}

/// The collector says of each endpoint what that sensor's own inventory says, and nothing of others.
fn agrees(found: &BTreeMap<String, Value>, sensor: &Sensor) {
    let own = sensor.own();
    assert!(!own.is_empty());
    for (name, mine) in &own {
        let one = found.get(name).unwrap_or_else(|| panic!("{}: {name} is not there", sensor.name));
        assert_eq!(one["id"], mine["id"], "{name}");
        let said =
            of_sensor(one, sensor.name).unwrap_or_else(|| panic!("{}: nothing on {name}", sensor.name));
        for member in MEMBERS {
            assert_eq!(said[member], mine[member], "{}: {member} of {name}", sensor.name);
        }
    }
    for (name, one) in found.iter().filter(|(name, _)| !own.contains_key(*name)) {
        let said = of_sensor(one, sensor.name).is_some_and(|said| said["states"].is_array());
        assert!(!said, "{}: {name} is not in its inventory", sensor.name);
    }
}

fn sensors() -> [Sensor; 3] {
    let assets = "[owners]\norders = [\"orders.test\"]\n[tags]\npci = [\"payments.test\"]\ncore = [\"*/orders/{order_number}\"]\n";
    [
        Sensor::new("north", "demo", Some("orders.yaml"), assets),
        // The same traffic on another mirror, whose operator knows less and says other things.
        Sensor::new(
            "south",
            "demo",
            None,
            "[owners]\nelse = [\"*.test\"]\n[tags]\nedge = [\"orders.test\"]\n",
        ),
        Sensor::new("west", "graphql", None, "[tags]\nweb = [\"10.0.0.0/8\"]\n"),
    ]
}

#[test]
fn the_inventory_of_all_sensors_knows_what_each_of_them_knows() {
    let mut collector = Collector::start();
    let all = sensors();
    let tokens: Vec<String> = all.iter().map(|one| collector.enrol(one.name, &["--site", "Oslo"])).collect();
    for (sensor, token) in all.iter().zip(&tokens) {
        let mut replay = sensor.start(&collector, token);
        // Killed while it takes them, or a moment after.
        let rows = format!("SELECT count(*) AS n FROM exchanges WHERE reporter = '{}'", sensor.name);
        let has_some = || collector.data().join("lake/exchanges").exists() && collector.number(&rows) > 0;
        if sensor.name != "south" {
            wait_for("rows of this sensor", || has_some() || replay.is_over());
        }
        collector.kill();
        collector.again();
        replay.end();
    }
    collector.kill();
    collector.again();
    // What comes again changes nothing.
    all[0].start(&collector, &tokens[0]).end();
    collector.stop();
    let found = inventory(&collector);
    all.iter().for_each(|sensor| agrees(&found, sensor));
    joined(&found);
    shown(&collector);
}

/// Of several sensors the worst counts, and all of their states.
fn joined(found: &BTreeMap<String, Value>) {
    let mut differ = 0;
    for (name, one) in found {
        let said: Vec<&Value> = one["sensors"]
            .as_array()
            .expect("sensors")
            .iter()
            .filter(|said| said["states"].is_array())
            .collect();
        for score in ["exposure", "threat"] {
            let worst = said.iter().filter_map(|said| said[score].as_u64()).max();
            assert_eq!(one[score].as_u64(), worst, "{score} of {name}");
        }
        let words = |value: &Value, member: &str| -> BTreeSet<String> {
            let all = value[member].as_array().into_iter().flatten();
            all.filter_map(|word| word.as_str().map(str::to_owned)).collect()
        };
        let together =
            |member: &str| said.iter().flat_map(|said| words(said, member)).collect::<BTreeSet<_>>();
        let mut states = together("states");
        if one["calls"].as_u64() > Some(0) {
            states.remove("orphan");
        }
        assert_eq!(words(one, "states"), states, "{name}");
        assert_eq!(words(one, "tags"), together("tags"), "{name}");
        differ += usize::from(said.len() == 2 && said[0]["states"] != said[1]["states"]);
    }
    assert!(differ > 0, "sensors know different things");
    let orphan = &found["orders.test GET /orders/{order_number}/invoice "];
    assert_eq!((&orphan["calls"], &orphan["states"]), (&json!(0), &json!(["documented", "orphan"])));
    assert!(orphan.get("first_seen").is_none() && orphan.get("exposure").is_none(), "{orphan}");
}

/// Tables, pages and SQL have it, too.
fn shown(collector: &Collector) {
    let text = |arguments: &[&str]| {
        String::from_utf8(collector.tapwire(arguments).ok("inventory").stdout).expect("UTF-8")
    };
    let table = text(&["inventory"]);
    for wanted in [
        "APIs that sensors told of, with exposure and threat of each endpoint, 0 to 100",
        "zombie, jwt",
        "described and not seen (orphan): 1 operation",
        "from north (Oslo) ",
    ] {
        assert!(table.contains(wanted), "{wanted}: {table}");
    }
    assert!(!table.contains("no sensor said"), "{table}");
    let page = text(&["inventory", "--endpoint", "DELETE /orders/{order_number}"]);
    for wanted in ["exposure", "of 100", "zombie", "owner", "core"] {
        assert!(page.contains(wanted), "{wanted}: {page}");
    }
    let page = text(&["inventory", "--endpoint", "POST /orders"]);
    assert!(page.contains("edge") && page.contains("documented, undocumented"), "{page}");
    let rows =
        "SELECT count(*) AS n FROM endpoints_known WHERE reporter = 'north' AND states LIKE '%zombie%'";
    assert!(collector.number(rows) > 0);
    let longest = "SELECT max(length(endpoints)) AS n FROM sensors WHERE code = 'service.endpoints'";
    assert!((1..65_536).contains(&collector.number(longest)));
}

/// The console over it, which looks again when sensors say more.
#[test]
fn the_console_shows_what_sensors_know() {
    let collector = Collector::with(&["--set", "collect.commit=1", "--serve", "127.0.0.1:0"]);
    let address = super::inventory::address_of(&collector.wait_for("the console is at"));
    let [north, ..] = sensors();
    north.start(&collector, &collector.enrol("north", &[])).end();
    let is_known = |page: &client::Answer| page.body.contains("zombie");
    let apis = super::inventory::page_with(address, "/api/v1/endpoints", is_known);
    assert!(!apis.body.contains("unrated"), "{apis:?}");
    let found = inventory(&collector);
    let zombie = &found["orders.test DELETE /orders/{order_number} "];
    let id = zombie["id"].as_str().expect("an id");
    let page = client::get(address, &format!("/endpoints/{id}"));
    for shown in ["zombie", "north"] {
        assert!(page.status == 200 && page.body.contains(shown), "{shown}: {page:?}");
    }
    let whole = client::get(address, &format!("/api/v1/endpoints/{id}"));
    let whole: Value = serde_json::from_str(&whole.body).expect("JSON");
    assert_eq!(whole["exposure_reasons"], zombie["exposure_reasons"]);
}

/// Sensors of before say nothing of it, and their calls are counted as ever.
#[test]
fn a_sensor_that_says_nothing_still_gives_its_sums() {
    let mut collector = Collector::start();
    let (old, north) = (collector.enrol("old", &[]), collector.enrol("north", &[]));
    let lines: String = told("basic-rest")
        .into_iter()
        .map(|mut event| {
            event["metadata"]["version"] = "1.6.0".into();
            format!("{event}\n")
        })
        .collect();
    let taken = client::post(collector.address(), &old, &[], lines.as_bytes());
    assert_eq!(taken.status, 200, "{taken:?}");
    let _ran =
        send(&collector, &north, "graphql").ok("a replay, which says nothing of it unless it is asked");
    collector.stop();
    let found = inventory(&collector);
    assert!(found.len() > 3 && found.values().all(|one| one["calls"].as_u64() > Some(0)));
    assert!(found.values().all(|one| one.get("states").is_none() && one.get("exposure").is_none()));
    let table = collector.tapwire(&["inventory"]).ok("a table").stdout;
    let table = String::from_utf8(table).expect("UTF-8");
    assert!(table.contains("no sensor said states, exposure and threat"), "{table}");
}

/// What a sensor says of others' endpoints stands beside what they say, and takes nothing of it away.
#[test]
fn a_sensor_speaks_for_itself_alone() {
    let mut collector = Collector::start();
    let [north, ..] = sensors();
    let (token, evil) = (collector.enrol("north", &[]), collector.enrol("evil", &[]));
    north.start(&collector, &token).end();
    let own = north.own();
    let lies: Vec<Value> = own
        .values()
        .map(|one| {
            json!({
                "id": one["id"], "method": one["method"], "template": one["template"],
                "operation": one["operation"], "states": ["documented"],
                "exposure": 0, "threat": 0, "exposure_reasons": [], "threat_reasons": [], "owner": "evil",
            })
        })
        .collect();
    // Later than whatever the other has said.
    let time = 1_795_392_000_000_u64;
    let event = |service: &str, number: usize| {
        json!({
            "time": time, "class_uid": 0,
            "metadata": {"version": "1.8.0", "sequence": number, "event_code": "service.endpoints", "reporter": {"name": "north"}},
            "unmapped": {"service": service, "endpoints": lies},
        })
    };
    let services: BTreeSet<&str> = own.values().filter_map(|one| one["service"].as_str()).collect();
    let lines: String =
        services.iter().enumerate().map(|(at, service)| format!("{}\n", event(service, at))).collect();
    let taken = client::post(collector.address(), &evil, &[], lines.as_bytes());
    assert_eq!(taken.accepted(), services.len() as u64, "{taken:?}");
    collector.stop();
    let found = inventory(&collector);
    for (name, mine) in &own {
        let one = &found[name];
        let said = of_sensor(one, "north").expect("north's word");
        MEMBERS.iter().for_each(|member| assert_eq!(said[*member], mine[*member], "{member} of {name}"));
        assert_eq!(
            one["exposure"].as_u64().unwrap_or_default(),
            mine["exposure"].as_u64().unwrap_or_default()
        );
        assert_eq!(of_sensor(one, "evil").expect("its word")["calls"], 0);
    }
}
