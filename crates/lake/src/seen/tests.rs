use super::*;
use crate::log::Log;
use crate::writer::Lake;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

const HOUR: i64 = 1_795_280_400_000;
const HOUR_MS: i64 = 3_600_000;
/// Words that stay.
const OWN: OwnWord = |word| ["me", "export"].contains(&word);

struct Told<'a> {
    uid: u32,
    ms: i64,
    template: &'a str,
    sensor: &'a str,
    site: Option<&'a str>,
    tenant: Option<&'a str>,
    user: &'a str,
}

fn told<'a>(uid: u32, ms: i64, template: &'a str, sensor: &'a str) -> Told<'a> {
    Told { uid, ms, template, sensor, site: None, tenant: None, user: "tok:1" }
}

impl Told<'_> {
    fn line(&self) -> String {
        let event = json!({
            "time": HOUR + self.ms, "class_uid": 6003,
            "metadata": {"uid": format!("{:08x}", self.uid), "reporter": {"name": self.sensor}, "tenant_uid": self.tenant},
            "api": {"operation": format!("GET {}", self.template), "service": {"name": "shop.test"}},
            "http_request": {"http_method": "GET"}, "http_response": {"code": 200, "latency": 4, "body_length": 10},
            "unmapped": {
                "endpoint": {"id": id(self.template), "template": self.template}, "site": self.site,
                "principal": {"kind": "user", "token": self.user, "by": "jwt"},
                "data_classes": [{"class": "card", "where": "response.body.$", "count": 2}],
                "server": {"owner": format!("owner-{}", self.uid)},
            },
        });
        // What an event does not have is not said.
        let text = event.to_string().replace(",\"tenant_uid\":null", "").replace(",\"site\":null", "");
        text + "\n"
    }
}

fn id(template: &str) -> String {
    format!("{:016x}", template.bytes().fold(7_u64, |sum, byte| sum.wrapping_mul(31) ^ u64::from(byte)))
}

fn lake(all: &[Told<'_>]) -> tempfile::TempDir {
    let data = tempfile::tempdir().unwrap();
    // In two commits, as a collector makes them.
    for half in all.chunks(all.len().div_ceil(2)) {
        let mut lake = Lake::open(data.path(), 0).unwrap();
        lake.write(&half.iter().map(Told::line).collect::<String>()).unwrap();
        lake.commit().unwrap();
    }
    data
}

#[test]
fn an_endpoint_that_several_sensors_tell_is_one() {
    let data = lake(&[
        Told { site: Some("Oslo"), ..told(1, 5, "/orders/{orderId}", "north") },
        Told { site: Some("Rome"), user: "tok:2", ..told(2, 4, "/orders/{orderId}", "south") },
        Told { site: Some("Rome"), ..told(3, 9, "/orders/{orderId}", "south") },
        Told { tenant: Some("acme"), ..told(4, 7, "/orders/{orderId}", "west") },
    ]);
    let all = seen(data.path(), &Wanted::default(), OWN).unwrap();
    let [ours, theirs] = all.endpoints.as_slice() else { panic!("{:?}", all.endpoints) };
    assert_eq!((ours.calls, ours.callers, ours.times), (3, (2, false), (HOUR + 4, HOUR + 9)));
    assert_eq!((ours.status, ours.clear_text), ([0, 3, 0, 0, 0, 0], 3));
    assert_eq!((ours.auth["jwt"], ours.answers["card"], ours.response_bytes), (3, 6, 30));
    assert_eq!((ours.owner.as_deref(), ours.operation.as_deref()), (Some("owner-3"), None));
    let sites: Vec<_> =
        ours.sensors.iter().map(|(one, told)| (&*one.name, one.site.as_deref(), told.calls)).collect();
    assert_eq!(sites, [("north", Some("Oslo"), 1), ("south", Some("Rome"), 2)]);
    assert_eq!((theirs.tenant.as_deref(), theirs.calls), (Some("acme"), 1));
    let of = |site, tenant| -> Vec<u64> {
        let found = seen(data.path(), &Wanted { site, tenant, together: false }, OWN).unwrap();
        found.endpoints.iter().map(|one| one.calls).collect()
    };
    assert_eq!(of(Some("Rome"), None), [2]);
    assert_eq!(of(None, Some("acme")), [1]);
    assert!(of(Some("Rome"), Some("acme")).is_empty());
    let all = seen(data.path(), &Wanted { together: true, ..Wanted::default() }, OWN).unwrap();
    assert_eq!((all.endpoints.len(), all.endpoints[0].calls), (1, 4));
    let (west, _) = all.endpoints[0].sensors.last_key_value().unwrap();
    assert_eq!((&*west.name, west.tenant.as_deref()), ("west", Some("acme")));
}

#[test]
fn words_that_turned_out_to_be_values_are_with_their_parameter() {
    let mut all = Vec::new();
    for (at, word) in (0_u32..).zip(["/users/ann", "/users/bob", "/users/eve"]) {
        all.push(told(at, i64::from(at), word, "north"));
    }
    // It goes on being told beside: a word of its own.
    all.extend([told(10, 3, "/users/joe", "north"), told(11, 20, "/users/joe", "north")]);
    // A word that an API has of its own.
    all.push(told(15, 3, "/users/export", "north"));
    // Another sensor tells it, and does not know better.
    all.push(told(12, 3, "/users/zoe", "south"));
    all.push(told(13, 10, "/users/{userId}", "north"));
    all.push(told(14, 3, "/users/ann/orders", "north"));
    let found = seen(lake(&all).path(), &Wanted::default(), OWN).unwrap();
    let calls: Vec<(&str, u64)> = found.endpoints.iter().map(|one| (&*one.template, one.calls)).collect();
    let expected = [
        ("/users/ann/orders", 1),
        ("/users/export", 1),
        ("/users/joe", 2),
        ("/users/zoe", 1),
        ("/users/{userId}", 4),
    ];
    assert_eq!(calls, expected);
    let mut ids = ["/users/ann", "/users/bob", "/users/eve"].map(|word| (id(word), id("/users/{userId}")));
    ids.sort();
    assert_eq!(found.merged, ids);
    // Two of them are no reason.
    let few: Vec<Told<'_>> = all.into_iter().filter(|one| one.template != "/users/eve").collect();
    let found = seen(lake(&few).path(), &Wanted::default(), OWN).unwrap();
    assert!(found.merged.is_empty() && found.endpoints.len() == 7, "{:?}", found.merged);
}

#[test]
fn a_kill_between_exchanges_and_their_sums_loses_and_doubles_none() {
    let one = |uid: u32| told(uid, i64::from(uid), "/orders", "north");
    let data = lake(&[one(1), one(2), one(3), one(4)]);
    let calls = || {
        seen(data.path(), &Wanted::default(), OWN).unwrap().endpoints.iter().map(|one| one.calls).sum::<u64>()
    };
    assert_eq!(calls(), 4);
    // As if it had been killed before the last commit of sums.
    let log = data.path().join(crate::ROOM).join(USAGE).join("_delta_log");
    let mut commits: Vec<_> = std::fs::read_dir(&log).unwrap().map(|entry| entry.unwrap().path()).collect();
    commits.sort();
    std::fs::remove_file(commits.last().unwrap()).unwrap();
    assert_eq!(calls(), 2);
    for _ in 0..2 {
        let mut lake = Lake::open(data.path(), 0).unwrap();
        lake.catch_up().unwrap();
        assert_eq!(calls(), 4);
    }
    // Before the first one.
    std::fs::remove_dir_all(data.path().join(crate::ROOM).join(USAGE)).unwrap();
    Lake::open(data.path(), 0).unwrap().catch_up().unwrap();
    assert_eq!(calls(), 4);
}

fn usage(data: &Path) -> PathBuf {
    data.join(crate::ROOM).join(USAGE)
}

/// Rows of sums as they are, whoever wrote them.
fn sums(rows: &[Value]) -> tempfile::TempDir {
    let data = tempfile::tempdir().unwrap();
    let lines: String = rows.iter().map(|row| format!("{row}\n")).collect();
    Lake::open(data.path(), 0).unwrap().put(USAGE, lines.lines().map(str::to_owned)).unwrap();
    data
}

fn sum(sensor: &str, service: &str, template: &str, id: &str) -> Value {
    json!({
        "time": HOUR, "reporter": sensor, "service": service, "method": "GET", "template": template, "endpoint": id,
        "operation": format!("GET {template}"), "principal": format!("tok:{sensor}"), "calls": 1, "unanswered": 0,
        "successes": 1, "clear_text": 0, "auth": {"jwt": 1},
    })
}

#[test]
fn one_sensor_that_invents_hides_nobody() {
    let mut rows: Vec<Value> =
        (0..400).map(|at| sum("bad", "shop.test", &format!("/x{at}"), &format!("{at:016x}"))).collect();
    rows.extend((0..20).map(|at| sum("good", "shop.test", &format!("/orders{at}"), &format!("{at:015x}f"))));
    let limits = Limits { endpoints: 100, callers: 10, bytes: 1 << 20 };
    let found = seen_within(&sums(&rows).path().into(), &Wanted::default(), OWN, limits).unwrap();
    let of = |name: &str| {
        found.endpoints.iter().filter(|one| one.sensors.keys().any(|teller| teller.name == name)).count()
    };
    assert_eq!((of("bad"), of("good"), found.beyond), (50, 20, 350));
    let callers = found.endpoints.iter().map(|one| one.callers.0).sum::<u64>();
    assert_eq!(callers, 5 + 3, "of ten, half for the first, half of the rest for the other");
    // The same of bytes.
    let limits = Limits { endpoints: 10_000, callers: 10, bytes: 100 * 1_000 };
    let found = seen_within(&sums(&rows).path().into(), &Wanted::default(), OWN, limits).unwrap();
    let good = |one: &&SeenEndpoint| one.template.starts_with("/orders");
    assert_eq!(found.endpoints.iter().filter(good).count(), 20);
    assert!(found.beyond > 300, "{}", found.beyond);
}

#[test]
fn an_id_says_nothing_of_other_endpoints() {
    let computed = |template: &str| {
        let (service, method) = ("shop.test".to_owned(), "GET".to_owned());
        SeenEndpoint { service, method, template: template.to_owned(), ..SeenEndpoint::default() }
            .computed_id()
    };
    let right = computed("/orders");
    let mut tenant = sum("c", "shop.test", "/orders", &right);
    tenant["tenant"] = "x".into();
    let rows = [
        sum("bad", "evil.test", "/other", &right),
        sum("bad", "shop.test", "/orders", "0000000000000000"),
        sum("good", "shop.test", "/orders", &right),
        sum("bad", "shop.test", "/orders", "none of 16 digits"),
        sum("bad", "shop.test", "/orders", "\u{1b}[31m0000000000"),
        tenant,
    ];
    let found = seen(sums(&rows).path(), &Wanted::default(), OWN).unwrap();
    let all: Vec<_> = found.endpoints.iter().map(|one| (&*one.service, &*one.id, one.calls)).collect();
    let [evil, shop, theirs] = all.as_slice() else { panic!("{all:?}") };
    assert_eq!((*shop, *theirs), (("shop.test", &*right, 2), ("shop.test", &*right, 1)));
    assert!(evil.0 == "evil.test" && evil.1 != right && is_id(evil.1), "{evil:?}");
    assert_eq!(found.placeless, 2);
}

#[test]
fn what_older_sums_do_not_say_is_unknown() {
    let id = id("/graphql");
    let old = json!({
        "time": HOUR, "service": "shop.test", "endpoint": id, "template": "/graphql", "method": "POST", "calls": 5,
        "failures": 1, "errors": 1, "reporter": "north",
    });
    let mut new = sum("north", "shop.test", "/graphql", &id);
    (new["method"], new["operation"], new["clear_text"]) = ("POST".into(), "query orders".into(), 1.into());
    for rows in [[old.clone(), new.clone()], [new, old]] {
        let found = seen(sums(&rows).path(), &Wanted::default(), OWN).unwrap();
        let [one] = found.endpoints.as_slice() else { panic!("{:?}", found.endpoints) };
        assert_eq!((one.operation.as_deref(), one.calls), (Some("query orders"), 6));
        assert_eq!((one.status, one.unclassed), ([0, 1, 0, 1, 1, 0], 3));
        assert_eq!((one.clear_text, one.clear_unknown), (1, 5));
    }
}

#[test]
fn numbers_and_texts_of_a_sensor_stay_within_bounds() {
    let mut large = sum("north", "shop.test", "/orders", &id("/orders"));
    for name in ["calls", "request_bytes", "response_bytes", "latency_sum", "answered", "successes"] {
        large[name] = i64::MAX.into();
    }
    large["data_classes"] = json!({"card": i64::MAX, "ssn": -3, "n".repeat(1 << 20): 1});
    let long = "/".repeat(MOST_KEY + 1);
    let less = json!({"time": HOUR, "service": "shop.test", "endpoint": id("/less"), "template": "/less", "calls": -7});
    let rows = [large.clone(), large.clone(), large, sum("north", "s", &long, &id("/")), less];
    let found = seen(sums(&rows).path(), &Wanted::default(), OWN).unwrap();
    let [less, one] = found.endpoints.as_slice() else { panic!("{}", found.endpoints.len()) };
    assert_eq!((less.calls, one.calls, one.request_bytes, found.beyond), (0, MOST_COUNT, MOST_COUNT, 1));
    let classes: Vec<usize> = one.answers.keys().map(String::len).collect();
    assert_eq!((classes, one.answers.get("ssn")), (vec![4, crate::usage::MOST_TEXT], None));
}

#[test]
fn many_words_are_compared_in_no_time() {
    let name = |at: u32| format!("/a{at}/b{}", at % 7);
    let mut rows: Vec<Value> =
        (0..20_000).map(|at| sum("n", "s", &name(at), &format!("{at:016x}"))).collect();
    let last = |mut row: Value| {
        (row["first_ms"], row["last_ms"]) = ((HOUR + HOUR_MS).into(), (HOUR + HOUR_MS).into());
        row
    };
    rows.extend((0..7).map(|at| last(sum("n", "s", &format!("/{{id}}/b{at}"), &format!("{at:015x}f")))));
    let found = seen(sums(&rows).path(), &Wanted::default(), OWN).unwrap();
    assert_eq!((found.endpoints.len(), found.merged.len()), (7, 20_000));
}

#[test]
fn sites_of_a_sensor_that_moved_keep_their_calls() {
    let data = lake(&[
        Told { site: Some("Oslo"), ..told(1, 5, "/orders", "van") },
        Told { site: Some("Oslo"), ..told(2, 6, "/orders", "van") },
        Told { site: Some("Rome"), ..told(3, 9, "/orders", "van") },
    ]);
    let found = seen(data.path(), &Wanted::default(), OWN).unwrap();
    let sites: Vec<_> =
        found.endpoints[0].sensors.iter().map(|(one, told)| (one.site.as_deref(), told.calls)).collect();
    assert_eq!(sites, [(Some("Oslo"), 2), (Some("Rome"), 1)]);
}

#[test]
fn no_mark_passes_sums_that_were_lost() {
    let data = tempfile::tempdir().unwrap();
    let calls = || {
        let found = seen(data.path(), &Wanted::default(), OWN).unwrap();
        found.endpoints.iter().map(|one| one.calls).sum::<u64>()
    };
    let day = 24 * HOUR_MS;
    let mut lake = Lake::open(data.path(), 0).unwrap();
    let mut write = |uid: u32| {
        let two = [told(uid, 0, "/orders", "north"), told(uid + 1, day, "/orders", "north")];
        lake.write(&two.iter().map(Told::line).collect::<String>()).unwrap();
        lake.commit()
    };
    write(1).unwrap();
    assert_eq!(calls(), 2);
    // One of both days cannot be written: a file stands where its directory was.
    let folders = std::fs::read_dir(usage(data.path())).unwrap().map(|entry| entry.unwrap().path());
    let mut folders: Vec<PathBuf> = folders.filter(|path| path.to_string_lossy().contains("day=")).collect();
    folders.sort();
    let (folder, aside) = (folders.last().unwrap(), data.path().join("aside"));
    std::fs::rename(folder, &aside).unwrap();
    std::fs::write(folder, "").unwrap();
    assert!(write(3).is_err());
    std::fs::remove_file(folder).unwrap();
    std::fs::rename(&aside, folder).unwrap();
    assert_eq!(calls(), 2, "all of a commit or nothing");
    write(5).unwrap();
    assert_eq!(calls(), 6);
    let mut again = Lake::open(data.path(), 0).unwrap();
    assert!(again.catch_up().unwrap().is_empty());
    assert_eq!(calls(), 6);
}

#[test]
fn a_file_that_cannot_be_read_is_told_and_passed() {
    let one = |uid: u32| told(uid, i64::from(uid), "/orders", "north");
    let data = lake(&[one(1), one(2)]);
    std::fs::remove_dir_all(usage(data.path())).unwrap();
    let exchanges = data.path().join(crate::ROOM).join("exchanges");
    let mut folders = std::fs::read_dir(&exchanges).unwrap().map(|entry| entry.unwrap().path());
    let folder = folders.find(|path| path.to_string_lossy().contains("day=")).unwrap();
    let file = std::fs::read_dir(folder).unwrap().next().unwrap().unwrap().path();
    std::fs::write(file, "no rows").unwrap();
    assert_eq!(Lake::open(data.path(), 0).unwrap().catch_up().unwrap().len(), 1);
    assert!(Lake::open(data.path(), 0).unwrap().catch_up().unwrap().is_empty(), "it is told once");
    assert_eq!(seen(data.path(), &Wanted::default(), OWN).unwrap().endpoints[0].calls, 1);
}

#[test]
fn what_cannot_be_read_is_not_what_is_not_there() {
    let data = tempfile::tempdir().unwrap();
    let directory = usage(data.path());
    std::fs::create_dir_all(&directory).unwrap();
    assert_eq!(Log::of(&directory).exists(), Ok(false));
    let log = directory.join("_delta_log");
    std::os::unix::fs::symlink(&log, &log).unwrap();
    assert!(Log::of(&directory).exists().is_err());
    assert!(seen(data.path(), &Wanted::default(), OWN).is_err());
}
