use super::*;
use crate::writer::Lake;
use serde_json::json;

const HOUR: i64 = 1_795_280_400_000;

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
    let all = seen(data.path(), &Wanted::default()).unwrap();
    let [ours, theirs] = all.endpoints.as_slice() else { panic!("{:?}", all.endpoints) };
    assert_eq!((ours.calls, ours.callers, ours.times), (3, (2, false), (HOUR + 4, HOUR + 9)));
    assert_eq!((ours.status, ours.clear_text), ([0, 3, 0, 0, 0, 0], 3));
    assert_eq!((ours.auth["jwt"], ours.answers["card"], ours.response_bytes), (3, 6, 30));
    assert_eq!((ours.owner.as_deref(), ours.operation.as_deref()), (Some("owner-3"), None));
    let sites: Vec<_> =
        ours.sensors.iter().map(|(name, one)| (&**name, one.site.as_deref(), one.calls)).collect();
    assert_eq!(sites, [("north", Some("Oslo"), 1), ("south", Some("Rome"), 2)]);
    assert_eq!((theirs.tenant.as_deref(), theirs.calls), (Some("acme"), 1));
    let of = |site, tenant| -> Vec<u64> {
        let found = seen(data.path(), &Wanted { site, tenant, together: false }).unwrap();
        found.endpoints.iter().map(|one| one.calls).collect()
    };
    assert_eq!(of(Some("Rome"), None), [2]);
    assert_eq!(of(None, Some("acme")), [1]);
    assert!(of(Some("Rome"), Some("acme")).is_empty());
    let all = seen(data.path(), &Wanted { together: true, ..Wanted::default() }).unwrap();
    assert_eq!((all.endpoints.len(), all.endpoints[0].calls), (1, 4));
    assert_eq!(all.endpoints[0].sensors["west"].tenant.as_deref(), Some("acme"));
}

#[test]
fn words_that_turned_out_to_be_values_are_with_their_parameter() {
    let mut all = Vec::new();
    for (at, word) in (0_u32..).zip(["/users/ann", "/users/bob", "/users/eve"]) {
        all.push(told(at, i64::from(at), word, "north"));
    }
    // It goes on being told beside: a word of its own.
    all.extend([told(10, 3, "/users/me", "north"), told(11, 20, "/users/me", "north")]);
    // Another sensor tells it, and does not know better.
    all.push(told(12, 3, "/users/zoe", "south"));
    all.push(told(13, 10, "/users/{userId}", "north"));
    all.push(told(14, 3, "/users/ann/orders", "north"));
    let found = seen(lake(&all).path(), &Wanted::default()).unwrap();
    let calls: Vec<(&str, u64)> = found.endpoints.iter().map(|one| (&*one.template, one.calls)).collect();
    let expected = [("/users/ann/orders", 1), ("/users/me", 2), ("/users/zoe", 1), ("/users/{userId}", 4)];
    assert_eq!(calls, expected);
    let mut ids = ["/users/ann", "/users/bob", "/users/eve"].map(|word| (id(word), id("/users/{userId}")));
    ids.sort();
    assert_eq!(found.merged, ids);
    // Two of them are no reason.
    let few: Vec<Told<'_>> = all.into_iter().filter(|one| one.template != "/users/eve").collect();
    let found = seen(lake(&few).path(), &Wanted::default()).unwrap();
    assert!(found.merged.is_empty() && found.endpoints.len() == 6, "{:?}", found.merged);
}

#[test]
fn a_kill_between_exchanges_and_their_sums_loses_and_doubles_none() {
    let one = |uid: u32| told(uid, i64::from(uid), "/orders", "north");
    let data = lake(&[one(1), one(2), one(3), one(4)]);
    let calls =
        || seen(data.path(), &Wanted::default()).unwrap().endpoints.iter().map(|one| one.calls).sum::<u64>();
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
