use super::super::{LIMITS, Limits, OwnWord, Seen, seen, seen_within};
use super::*;
use crate::writer::Lake;
use serde_json::json;

const DAY: i64 = 86_400_000;
const NOON: i64 = 1_795_262_400_000;
const OWN: OwnWord = |_| false;

/// What a sensor says.
struct Says<'a> {
    sensor: &'a str,
    site: Option<&'a str>,
    tenant: Option<&'a str>,
    ms: i64,
    number: i64,
    endpoints: Value,
}

fn says(sensor: &str, ms: i64, number: i64, endpoints: Value) -> Says<'_> {
    Says { sensor, site: None, tenant: None, ms, number, endpoints }
}

impl Says<'_> {
    fn line(&self) -> String {
        let event = json!({
            "time": NOON + self.ms, "class_uid": 0,
            "metadata": {
                "sequence": self.number, "event_code": CODE, "reporter": {"name": self.sensor}, "tenant_uid": self.tenant,
            },
            "unmapped": {"service": "shop.test", "endpoints": self.endpoints, "site": self.site},
        });
        let text = event.to_string().replace(",\"tenant_uid\":null", "").replace(",\"site\":null", "");
        text + "\n"
    }
}

fn one(template: &str, more: Value) -> Value {
    let mut one = json!({"id": format!("{:016x}", template.len()), "method": "GET", "template": template});
    let members = more.as_object().cloned().unwrap_or_default();
    one.as_object_mut().unwrap().extend(members);
    one
}

fn rated(template: &str, exposure: u64, states: &[&str]) -> Value {
    one(template, json!({"exposure": exposure, "states": states, "first_ms": NOON, "last_ms": NOON + 1}))
}

fn call(sensor: &str, template: &str, number: i64) -> String {
    let event = json!({
        "time": NOON, "class_uid": 6003, "metadata": {"uid": format!("{number:08x}"), "reporter": {"name": sensor}},
        "api": {"operation": format!("GET {template}"), "service": {"name": "shop.test"}},
        "http_request": {"http_method": "GET"}, "http_response": {"code": 200},
        "unmapped": {"endpoint": {"id": format!("{:016x}", template.len()), "template": template}},
    });
    event.to_string() + "\n"
}

/// Each line in a commit of its own.
fn lake(lines: &[String]) -> tempfile::TempDir {
    let data = tempfile::tempdir().unwrap();
    let mut lake = Lake::open(data.path(), 0).unwrap().at_once();
    for line in lines {
        assert_eq!(lake.write(line).unwrap().refused, 0, "{line}");
        lake.commit().unwrap();
    }
    data
}

fn all(data: &tempfile::TempDir) -> Seen {
    seen(data.path(), &Wanted::default(), OWN).unwrap()
}

/// What sensors say of the endpoint, by sensor and site.
fn words(found: &Seen, template: &str) -> Vec<(String, Option<String>, Option<Value>)> {
    let one = found.endpoints.iter().find(|one| one.template == template).unwrap();
    let word = |(teller, told): (&Teller, &Told)| {
        let said = told.word.as_ref().map(|word| word.said().into());
        (teller.name.clone(), teller.site.clone(), said)
    };
    one.sensors.iter().map(word).collect()
}

#[test]
fn the_last_word_of_each_sensor_stands_beside_its_calls() {
    let data = lake(&[
        call("north", "/a", 1),
        call("south", "/a", 2),
        call("west", "/a", 3),
        says("north", 5, 9, json!([rated("/a", 40, &["new"]), rated("/b", 3, &[])])).line(),
        says("north", 5, 8, json!([rated("/a", 50, &["zombie"])])).line(),
        says("north", 4, 10, json!([rated("/a", 60, &["shadow"])])).line(),
        says("south", 1, 1, json!([one("/a", json!({"exposure": 7, "owner": "web", "tags": ["pci"]}))]))
            .line(),
    ]);
    let found = all(&data);
    let said = words(&found, "/a");
    let expected = [
        ("north", Some(json!({"exposure": 40, "states": ["new"]}))),
        ("south", Some(json!({"exposure": 7, "owner": "web", "tags": ["pci"]}))),
        ("west", None),
    ];
    assert_eq!(said, expected.map(|(name, said)| (name.to_owned(), None, said)));
    let [a, b] = found.endpoints.as_slice() else { panic!("{:?}", found.endpoints) };
    assert_eq!((a.calls, a.times.0), (3, NOON));
    // Of what only a word tells, there are no calls.
    assert_eq!((b.calls, b.times, b.is_seen()), (0, (NOON, NOON + 1), true));
    assert_eq!(found.unsaid, 0);
    let of = |wanted: &Wanted<'_>| seen(data.path(), wanted, OWN).unwrap().endpoints.len();
    assert_eq!(of(&Wanted { site: Some("Oslo"), ..Wanted::default() }), 0);
}

#[test]
fn a_sensor_that_moved_has_one_word() {
    let north = |site, ms, exposure| Says {
        site: Some(site),
        ..says("north", ms, 1, json!([rated("/a", exposure, &["new"])]))
    };
    let data = lake(&[north("Oslo", 1, 10).line(), north("Rome", DAY, 20).line()]);
    let said = words(&all(&data), "/a");
    let rome =
        ("north".to_owned(), Some("Rome".to_owned()), Some(json!({"exposure": 20, "states": ["new"]})));
    assert_eq!(said, [rome]);
    let acme = Says { tenant: Some("acme"), ..says("north", 5, 1, json!([rated("/a", 30, &[])])) };
    let data = lake(&[north("Oslo", 1, 10).line(), acme.line()]);
    assert_eq!(all(&data).endpoints.len(), 2, "each tenant has its own");
    let together = seen(data.path(), &Wanted { together: true, ..Wanted::default() }, OWN).unwrap();
    let [one] = together.endpoints.as_slice() else { panic!("{:?}", together.endpoints) };
    assert_eq!(one.sensors.len(), 2);
}

#[test]
fn what_a_sensor_says_no_more_is_forgotten() {
    let day =
        |day: i64, template: &str| says("north", day * DAY, day, json!([rated(template, 5, &[])])).line();
    let other = says("south", 0, 1, json!([rated("/old", 9, &[])])).line();
    let data = lake(&[day(0, "/old"), other, day(1, "/a"), day(2, "/b"), day(30, "/c")]);
    let found = all(&data);
    let templates: Vec<&str> = found.endpoints.iter().map(|one| one.template.as_str()).collect();
    assert_eq!(templates, ["/a", "/b", "/c", "/old"]);
    assert_eq!(words(&found, "/old").len(), 1, "the word of the other sensor, whose last day that is");
}

#[test]
fn what_is_only_described_is_no_value_of_a_parameter() {
    let orphan = |template: &str| one(template, json!({"states": ["documented", "orphan"]}));
    let names = ["/users/ann", "/users/bob", "/users/eve"].map(orphan);
    let data = lake(&[call("north", "/users/{userId}", 1), says("north", 1, 1, json!(names)).line()]);
    let found = all(&data);
    assert!(found.merged.is_empty() && found.endpoints.len() == 4, "{found:?}");
    assert!(found.endpoints.iter().take(3).all(|one| !one.is_seen() && one.calls == 0));
}

#[test]
fn words_are_believed_by_their_form() {
    let data = lake(&[
        says(
            "evil",
            1,
            1,
            json!([
                one("/a", json!({
                    "exposure": 101, "threat": -1, "states": ["new", 7], "owner": {"a": 1}, "zone": "z".repeat(1_000),
                    "threat_reasons": [{"reason": "a", "points": 3, "seen": "b", "more": "c"}], "other": "x",
                    "exposure_reasons": [{"reason": "a"}], "tags": vec!["t"; 1_000], "first_ms": 9, "last_ms": 1,
                })),
                {"id": "no id", "method": "GET", "template": "/b"},
                {"id": "00000000000000aa", "method": "GET"},
                7,
            ]),
        )
        .line(),
        says("evil", 2, 2, json!({"no": "list"})).line(),
        says("evil", 3, 3, json!("text")).line(),
    ]);
    let found = all(&data);
    let [one] = found.endpoints.as_slice() else { panic!("{:?}", found.endpoints) };
    assert!(!one.is_seen());
    let said = words(&found, "/a").remove(0).2.unwrap();
    let expected = json!({
        "zone": "z".repeat(200), "tags": vec!["t"; MOST_WORDS],
        "threat_reasons": [{"reason": "a", "points": 3, "seen": "b"}],
    });
    assert_eq!(said, expected);
}

#[test]
fn a_sensor_that_says_much_takes_no_room_of_others() {
    let limits = Limits { endpoints: 40, bytes: 100_000, ..LIMITS };
    let many: Vec<Value> = (0..500).map(|at| rated(&format!("/evil/{at}"), 1, &[])).collect();
    let data = lake(&[
        call("north", "/a", 1),
        says("north", 1, 1, json!([rated("/a", 40, &["new"])])).line(),
        says("evil", 2, 1, json!(many)).line(),
        says("evil", 3, 2, json!([rated("/a", 0, &[])])).line(),
    ]);
    let found = seen_within(&Place::Data(data.path().to_owned()), &Wanted::default(), OWN, limits).unwrap();
    assert!(found.endpoints.len() <= 40 && found.unsaid > 400, "{}", found.unsaid);
    let north = ("north".to_owned(), None, Some(json!({"exposure": 40, "states": ["new"]})));
    assert!(words(&found, "/a").contains(&north), "{:?}", words(&found, "/a"));
}

#[test]
fn events_of_before_say_nothing() {
    let heartbeat = json!({
        "time": NOON, "class_uid": 0, "metadata": {"sequence": 1, "event_code": "sensor.heartbeat", "reporter": {"name": "north"}},
        "unmapped": {"counters": {"packets": 1}},
    });
    let data = lake(&[call("north", "/a", 1), heartbeat.to_string() + "\n"]);
    assert_eq!(words(&all(&data), "/a"), [("north".to_owned(), None, None)]);
}
