//! One exchange, whose records left, and incidents that people dismissed.

use super::{HOSTILE, Running, hostile, log_in, roll, token_in};
use serde_json::{Value, json};
use tapwire_console::{Endpoint, Exchange, Finding, Incident, Level, Part, Role, Snapshot, Told};

/// An exchange in which every text is the hostile one.
pub(crate) fn exchange(uid: &str, day: Option<&str>) -> Exchange {
    let text = || HOSTILE.to_owned();
    let part = |title: &str| Part {
        title: title.to_owned(),
        rows: vec![("endpoint".into(), text()), ("principal".into(), text()), (text(), text())],
        headers: vec![(text(), text())],
        said: text(),
    };
    let told = Told {
        uid: text(),
        incident: text(),
        title: text(),
        outcome: text(),
        reason: text(),
        steps: vec![text()],
        exchanges: vec![text()],
        ..Told::default()
    };
    Exchange {
        uid: uid.to_owned(),
        time: day.map_or_else(text, str::to_owned),
        method: text(),
        place: text(),
        status: text(),
        carried: text(),
        carrier: text(),
        endpoint: "00ff".into(),
        principal: "tok:00ff".into(),
        parts: vec![part("Request"), part("Who"), part(HOSTILE)],
        findings: vec![told],
        events: vec![json!({"uid": uid})],
    }
}

pub(crate) fn radius(whose: &str) -> Value {
    let endpoint = json!({
        "id": "00ff", "name": HOSTILE, "persons": 7, "answers": 9, "told_by": [HOSTILE], "data_classes": {HOSTILE: 3},
        "first": HOSTILE, "last": HOSTILE,
    });
    let told = format!("7 persons {HOSTILE}");
    json!({"of": whose, "told": told, "not_seen": [HOSTILE], "counted": HOSTILE, "endpoints": [endpoint]})
}

#[test]
fn single_exchanges_are_for_analysts_and_counting_is_noted() {
    let viewer = Running::with(hostile(), roll(Role::Viewer));
    let cookie = log_in(&viewer);
    for target in ["/exchanges/u1", "/api/v1/exchanges/u1"] {
        let refused = viewer.get_as(target, &cookie);
        assert!(
            refused.starts_with("HTTP/1.1 403") && refused.contains("for analysts"),
            "{target}: {refused}"
        );
    }
    let token = token_in(&viewer.get_as("/account", &cookie));
    let refused = viewer.post("/incidents/u1/radius", &cookie, &format!("token={token}"));
    assert!(refused.starts_with("HTTP/1.1 403"), "{refused}");
    let console = Running::with(hostile(), roll(Role::Analyst));
    let cookie = log_in(&console);
    assert!(console.get_as("/exchanges/u1?day=2026-11-22", &cookie).contains("2026-11-22"));
    assert!(console.get_as("/api/v1/exchanges/u1", &cookie).contains("\"rows\":[{\"uid\":\"u1\"}]"));
    assert!(console.get_as("/exchanges/u2", &cookie).starts_with("HTTP/1.1 404"));
    assert!(console.get_as("/api/v1/exchanges/u1?day=soon", &cookie).starts_with("HTTP/1.1 4"));
    let token = token_in(&console.get_as("/incidents/u1", &cookie));
    let before = console.get_as("/incidents/u1", &cookie);
    assert!(before.contains("Count whose records left") && !before.contains("7 persons"), "{before}");
    let pressed = console.post("/incidents/u1/radius", &cookie, &format!("token={token}"));
    assert!(pressed.contains("location: /incidents/u1#radius"), "{pressed}");
    assert!(console.get_as("/incidents/u1", &cookie).contains("7 persons"));
    let refused = console.post("/incidents/u1/radius", &cookie, "token=x");
    assert!(refused.starts_with("HTTP/1.1 403"), "{refused}");
    let refused = console.post("/incidents/none/radius", &cookie, &format!("token={token}"));
    assert!(refused.starts_with("HTTP/1.1 422"), "{refused}");
}

#[test]
fn what_people_dismissed_counts_nowhere_and_is_kept() {
    let incident = |uid: &str, verdict: &str, closed: bool| Incident {
        uid: uid.to_owned(),
        title: format!("title of {uid}"),
        level: Level::Critical,
        verdict: verdict.to_owned(),
        closed,
        ..Incident::default()
    };
    let all = [("a1", "false", false), ("b2", "benign", false), ("c3", "true", false), ("d4", "", true)];
    let incidents: Vec<Incident> =
        all.into_iter().map(|(uid, verdict, closed)| incident(uid, verdict, closed)).collect();
    let console = Running::of(Snapshot { incidents: incidents.clone(), ..Snapshot::default() });
    let uids = |query: &str| -> Vec<String> {
        let answer = console.get(&format!("/api/v1/incidents{query}"));
        let body: Value =
            serde_json::from_str(answer.split_once("\r\n\r\n").expect("a body").1).expect("JSON");
        let rows = body["rows"].as_array().expect("rows");
        rows.iter().map(|row| row["uid"].as_str().expect("a uid").to_owned()).collect()
    };
    assert_eq!(uids(""), ["c3", "d4", "a1", "b2"]);
    assert_eq!(uids("?state=open&level=urgent"), ["c3"]);
    assert_eq!(uids("?state=closed"), ["d4"]);
    assert_eq!(uids("?state=dismissed"), ["a1", "b2"]);
    assert_eq!(uids("?verdict=benign"), ["b2"]);
    assert_eq!(uids("?verdict=none"), ["d4"]);
    let overview = console.get("/");
    assert!(
        overview.contains("<strong>1</strong><span>urgent incident open") && overview.contains("title of c3")
    );
    assert!(!overview.contains("title of a1") && !overview.contains("title of b2"), "{overview}");
    assert!(overview.contains("<span class=\"badge\">1<"), "{overview}");
    assert!(console.get("/metrics").contains("level=\"critical\"} 1\n"));
    let over = Running::of(Snapshot { incidents: vec![incidents[3].clone()], ..Snapshot::default() });
    let overview = over.get("/");
    assert!(
        overview.contains("No incident is open") && overview.contains("1 incident of before"),
        "{overview}"
    );
    assert!(overview.contains("of them was urgent"), "{overview}");
}

#[test]
fn what_only_sensors_know_is_no_zero_at_a_collector() {
    let endpoints =
        vec![Endpoint { id: "00ff".into(), service: "shop.example".into(), ..Endpoint::default() }];
    let console = Running::of(Snapshot { is_collectors: true, endpoints, ..Snapshot::default() });
    let overview = console.get("/");
    assert!(overview.contains("<strong>1</strong><span>endpoint<"), "{overview}");
    for claim in ["urgent incident", "without credentials", "No incident is open", "No policy", "caller<"] {
        assert!(!overview.contains(claim), "{claim}: {overview}");
    }
    for (page, claim) in [
        ("/incidents", "No incident"),
        ("/posture", "No policy"),
        ("/callers", "No traffic seen"),
        ("/data", "No field"),
        ("/governance", "Nothing could be judged"),
        ("/sensor", "Everything could be judged"),
    ] {
        let answer = console.get(page);
        assert!(answer.contains("Sensors ") && !answer.contains(claim), "{page}: {answer}");
    }
}

#[test]
fn what_is_typed_for_the_evidence_names_what_it_takes() {
    let page = |evidence: &str, ja4: &[&str], has_packets: bool| {
        let incident = Incident {
            uid: "aabbccddeeff00112233445566778899".into(),
            whole: json!({"ja4": ja4, "timeline": [{"rule": if ja4.is_empty() { json!(null) } else { json!({"id": "r"}) }}]}),
            ..Incident::default()
        };
        let described = " --openapi shop.yaml".to_owned();
        let snapshot = Snapshot { incidents: vec![incident], has_packets, described, ..Snapshot::default() };
        let console = Running::of(Snapshot { evidence: evidence.to_owned(), keeps: true, ..snapshot });
        console.get("/incidents/aabbccddeeff00112233445566778899")
    };
    let clear = page(" --data kept", &[], true);
    let line = "tapwire case export aabbccddeeff00112233445566778899 --data kept --openapi shop.yaml -w incident-aabbccddeeff.tar --sign case.key";
    assert!(clear.contains(line) && !clear.contains("--keylog") && !clear.contains("RULES"), "{clear}");
    assert!(clear.contains("Count whose records left"), "{clear}");
    let sealed = page(" --data kept", &["t13d1516h2"], true);
    assert!(
        sealed.contains("--data kept --openapi shop.yaml --rules RULES --keylog KEYS -w")
            && sealed.contains("inside TLS")
    );
    assert!(sealed.contains("this console has no keys"), "{sealed}");
    let opened = page(" --data kept --keylog keys.log", &["t13d1516h2"], true);
    assert!(
        opened.contains("--keylog keys.log") && !opened.contains("KEYS") && !opened.contains("has no keys")
    );
    let bare = page(" --data kept", &[], false);
    assert!(bare.contains("packets.budget") && !bare.contains("Count whose records left"), "{bare}");
}

#[test]
fn a_finding_of_a_rule_is_told_by_the_rule() {
    let finding = Finding {
        exchange: "aa11".into(),
        incident: "i1".into(),
        time: "2026-11-22T09:14:07Z".into(),
        detector: "rule".into(),
        rule: "Exports at night".into(),
        outcome: "attempted".into(),
        reason: "rule Exports at night: path is as it says. Nobody exports then".into(),
        ..Finding::default()
    };
    let incident = Incident { uid: "i1".into(), title: "Exports at night".into(), ..Incident::default() };
    let snapshot = Snapshot { findings: vec![finding], incidents: vec![incident], ..Snapshot::default() };
    let console = Running::of(snapshot);
    let page = console.get("/incidents/i1");
    for text in [
        "Exports at night<span class=\"of\">rule",
        "attempted",
        "Nobody exports then",
        "/exchanges/aa11?day=2026-11-22",
    ] {
        assert!(page.contains(text), "{text}: {page}");
    }
    assert!(console.get("/export/findings.csv?q=exports").contains("Exports at night"));
}
