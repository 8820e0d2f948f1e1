//! Every event validates against the schema of its class.

use super::*;
use crate::{Class, Detail, KnownEndpoint, SensorCode, SensorReport, Told};
use jsonschema::Validator;
use proptest::prelude::*;
use std::sync::LazyLock;
use tapwire_detect::incidents::{Honest, Response, Suggestion};
use tapwire_inventory::context::About;
use tapwire_inventory::{FACTORS, HourCoverage, Interval, Rated, Reason, SeenShare, State};
use tapwire_protocol::{
    Anomaly, Child, ChildKind, Close, Direction, EachWay, Heads, Pairing, ProxyHeader, Seen, Totals,
};
use tapwire_wire::Endpoint;

static API: LazyLock<Validator> =
    LazyLock::new(|| validator(include_str!("../../../../fixtures/ocsf/api_activity.json")));
static MODELS: LazyLock<Validator> =
    LazyLock::new(|| validator(include_str!("../../../../fixtures/ocsf/api_activity_ai_operation.json")));
static HTTP: LazyLock<Validator> =
    LazyLock::new(|| validator(include_str!("../../../../fixtures/ocsf/http_activity.json")));
static FINDING: LazyLock<Validator> =
    LazyLock::new(|| validator(include_str!("../../../../fixtures/ocsf/detection_finding.json")));
static INCIDENT: LazyLock<Validator> =
    LazyLock::new(|| validator(include_str!("../../../../fixtures/ocsf/incident_finding.json")));
static BASE: LazyLock<Validator> =
    LazyLock::new(|| validator(include_str!("../../../../fixtures/ocsf/base_event.json")));

fn validator(schema: &str) -> Validator {
    jsonschema::validator_for(&json(schema)).unwrap()
}

#[track_caller]
fn assert_valid(validator: &Validator, text: &str) -> Value {
    let event = json(text);
    let errors: Vec<String> =
        validator.iter_errors(&event).map(|e| format!("{} at {}", e, e.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:?}\n{text}");
    event
}

/// The exchange in both classes, with analysis off and on, full and lean.
#[track_caller]
fn assert_all_valid(exchange: &Exchange) {
    let call = call(exchange.clone());
    for (class, validator) in [(Class::Api, &API), (Class::Http, &HTTP)] {
        for detail in [Detail::Full, Detail::Lean] {
            for fidelity in [Fidelity::Default, Fidelity::Full] {
                let options = Options { class, detail, ..options(Format::Ocsf) };
                let mut renderer = Renderer::new(options, Redactor::new(KEY, fidelity));
                for call in [None, Some(&call)] {
                    assert_valid(
                        validator,
                        &rendered(&mut renderer, &View { exchange, call, source: "a.pcap" }),
                    );
                }
            }
        }
    }
}

#[test]
fn the_schemas_refuse_what_ocsf_does_not_know() {
    let mut event = json(&alone(Format::Ocsf, &ordinary()));
    assert!(API.is_valid(&event));
    event["http_request"]["endpoint"] = Value::from("x");
    assert!(!API.is_valid(&event));
}

#[test]
fn an_ordinary_exchange_is_as_the_contract_says() {
    let call = call(ordinary());
    let view = View { exchange: &call.observation.exchange, call: Some(&call), source: "a.pcap" };
    let options = Options {
        tenant: Some("north".to_owned()),
        reporter: Some("sensor-1".to_owned()),
        ..options(Format::Ocsf)
    };
    let event = assert_valid(&API, &rendered(&mut renderer(options), &view));
    let at =
        |pointer: &str| event.pointer(pointer).cloned().unwrap_or_else(|| panic!("{pointer} in {event}"));
    assert_eq!(at("/class_uid"), 6003);
    assert_eq!(at("/type_uid"), 600_302);
    assert_eq!(at("/time"), 1_767_268_800_000_i64);
    assert_eq!(at("/metadata/uid"), view.exchange.uid().to_string());
    assert_eq!(at("/metadata/sequence"), 1);
    assert_eq!(at("/metadata/tenant_uid"), "north");
    assert_eq!(at("/metadata/reporter/name"), "sensor-1");
    assert_eq!(at("/api/operation"), "GET /orders/{orderId}");
    assert_eq!(at("/api/service/name"), "shop");
    assert_eq!(at("/api/request/uid"), at("/metadata/uid"));
    assert_eq!(at("/http_request/url/hostname"), "shop.example");
    assert_eq!(at("/http_request/url/path"), "/orders/17");
    assert_eq!(at("/http_response/code"), 200);
    assert_eq!(at("/http_response/content_type"), "application/json; charset=utf-8");
    assert_eq!(at("/http_response/body_length"), 13);
    assert_eq!(at("/unmapped/source"), "a.pcap");
    assert_eq!(at("/unmapped/endpoint/template"), "/orders/{orderId}");
    assert_eq!(at("/unmapped/seen/response"), "complete");
    assert_eq!(at("/unmapped/time_ns"), 1_767_268_800_000_000_000_i64);
    assert_eq!(at("/actor/session/uid"), at("/unmapped/principal/token"));
    let authorization = at("/http_request/http_headers/3/value");
    assert_eq!(authorization.as_str().unwrap().strip_prefix("Bearer "), at("/actor/session/uid").as_str());
}

#[test]
fn with_analysis_off_the_class_is_the_same() {
    let event = assert_valid(&API, &alone(Format::Ocsf, &ordinary()));
    assert_eq!(event["api"]["operation"], "GET");
    assert_eq!(event["actor"]["app_name"], "curl/8.5.0");
    assert!(event["unmapped"].get("endpoint").is_none());
}

#[test]
fn halves_and_doubts_validate() {
    let mut unanswered = ordinary();
    unanswered.response = None;
    assert_all_valid(&unanswered);
    let event = json(&alone(Format::Ocsf, &unanswered));
    assert!(event.get("http_response").is_none());
    assert_eq!(event["unmapped"]["response_seen"], false);
    assert_eq!(event["unmapped"]["seen"]["response"], "missing");
    assert_eq!(event["status_id"], 0);

    let mut unasked = ordinary();
    unasked.request = None;
    unasked.pairing = Pairing::Uncertain;
    unasked.flow.vlan = Some(12);
    unasked.flow.joined_late = true;
    unasked.interim = [100, 103, 0, 0];
    unasked.anomalies.insert(Anomaly::UnsolicitedResponse);
    unasked.flow.proxy =
        Some(ProxyHeader { version: 2, client: Some(Endpoint::v6([0x20; 16], 9)), destination: None });
    unasked.response.as_mut().unwrap().seen = Seen::Truncated;
    assert_all_valid(&unasked);
    let event = json(&alone(Format::Ocsf, &unasked));
    assert_eq!(event["api"]["operation"], "unknown");
    assert_eq!(event["activity_id"], 0);
    assert_eq!(event["unmapped"]["interim"], serde_json::json!([100, 103]));
    assert_eq!(event["unmapped"]["proxy"]["peer"], "10.0.0.7");
    assert_eq!(event["unmapped"]["anomalies"][0], "unsolicited-response");
}

#[test]
fn a_method_ocsf_does_not_know_stands_under_unmapped() {
    for (method, activity) in [("PROPFIND", 99), ("OPTIONS", 99), ("PATCH", 3), ("get", 99)] {
        let request = format!("{method} /a HTTP/1.1\r\nHost: x\r\n\r\n");
        let exchange = exchange(5, request.as_bytes(), b"HTTP/1.1 207 Multi-Status\r\n\r\n");
        assert_all_valid(&exchange);
        let event = json(&alone(Format::Ocsf, &exchange));
        let known = event["http_request"].get("http_method").is_some();
        assert_eq!(event["activity_id"], activity);
        assert_ne!(known, event["unmapped"]["method"] == method, "{event}");
    }
}

#[test]
fn connect_has_no_path_and_validates() {
    assert_all_valid(&exchange(5, b"CONNECT db.example:443 HTTP/1.1\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n"));
}

#[test]
fn lean_events_have_no_headers() {
    let exchange = ordinary();
    let options = Options { detail: Detail::Lean, ..options(Format::Ocsf) };
    let text = rendered(&mut renderer(options), &View { exchange: &exchange, call: None, source: "eth0" });
    assert!(!text.contains("http_headers"));
}

#[test]
fn findings_validate_with_their_evidence() {
    let call = call(ordinary());
    let view = View { exchange: &call.observation.exchange, call: Some(&call), source: "a.pcap" };
    let mut unanswered = call.clone();
    unanswered.observation.exchange.response = None;
    unanswered.observation.exchange.request = None;
    let bare = View { exchange: &unanswered.observation.exchange, call: None, source: "a.pcap" };
    for view in [view, bare] {
        let mut out = Vec::new();
        renderer(options(Format::Ocsf)).finding(&finding(), &view, 3, &mut out);
        let event = assert_valid(&FINDING, &String::from_utf8(out).unwrap());
        assert_eq!(event["type_uid"], 200_401);
        assert_eq!(event["severity_id"], 4);
        assert_eq!(event["unmapped"]["outcome"], "confirmed");
        assert_eq!(event["unmapped"]["reason"], finding().reason);
        assert_eq!(event["finding_info"]["title"], "Credentials in the URL");
        assert_eq!(event["unmapped"]["exchanges"][0], Uid([1; 16]).to_string());
    }
}

#[test]
fn reports_of_the_sensor_validate() {
    for code in [SensorCode::Heartbeat, SensorCode::Degraded, SensorCode::Silent, SensorCode::Summary] {
        let report = SensorReport {
            code,
            time: Timestamp::from_parts(1, 0),
            message: "bodies beyond 64 KiB are no longer read".to_owned(),
            service: None,
            anomalies: tapwire_protocol::Anomalies::default(),
            told: Vec::new(),
            counters: vec![("packets", 7), ("dropped.ring", u64::from(u32::MAX))],
        };
        let mut out = Vec::new();
        renderer(options(Format::Ocsf)).sensor(&report, 9, &mut out);
        let event = assert_valid(&BASE, &String::from_utf8(out).unwrap());
        assert_eq!(event["metadata"]["event_code"], code.name());
        assert_eq!(event["unmapped"]["counters"]["packets"], 7);
    }
}

#[test]
fn coverage_of_a_service_validates() {
    let interval = |low, likely, high| Interval { low, likely, high };
    let seen = |pairs, unseen, share| SeenShare { pairs, uncertain: 1, halves: 12, unseen, share };
    let partly = seen(12_900, interval(1.0, 9.6, 14.0), interval(0.981, 0.9834, 0.990_06));
    let none = seen(0, interval(0.0, 1.0, f64::MAX), interval(0.0, 0.0, 1.0));
    let all = SeenShare { halves: 0, ..seen(1, interval(0.0, 0.0, 0.0), interval(1.0, 1.0, 1.0)) };
    for (seen, message) in [
        (partly, "98.3 % of 12,922 exchanges (98.1–99.1 %), 12 more by one half"),
        (none, "0.0 % of 13 exchanges (0.0–100.0 %), 12 more by one half"),
        (all, "all of 1 exchange"),
    ] {
        for service in ["shop.example", "a\"b\\c\u{7}d", ""] {
            let (hour, until) = (Timestamp::from_parts(3_600, 0), Timestamp::from_parts(7_200, 0));
            let hour = HourCoverage { service: service.into(), hour, until, seen };
            let mut out = Vec::new();
            renderer(options(Format::Ocsf)).coverage(&hour, 9, &mut out);
            let event = assert_valid(&BASE, &String::from_utf8(out).unwrap());
            assert_eq!(event["metadata"]["event_code"], SensorCode::Coverage.name());
            assert_eq!(event["message"], message);
            assert_eq!((&event["start_time"], &event["end_time"]), (&3_600_000.into(), &7_200_000.into()));
            let coverage = &event["unmapped"]["coverage"];
            assert_eq!((&coverage["pairs"], &coverage["halves"]), (&seen.pairs.into(), &seen.halves.into()));
            for (name, value) in
                [("low", seen.share.low), ("likely", seen.share.likely), ("high", seen.share.high)]
            {
                assert!((coverage["share"][name].as_f64().unwrap() - value).abs() < 1e-5, "{name}: {event}");
            }
            assert!(
                ["low", "likely", "high"].iter().all(|name| coverage["unseen"][name].is_number()),
                "{event}"
            );
        }
    }
}

proptest! {
    /// Whatever stands in the heads, the event is one line of valid JSON that its schema accepts.
    #[test]
    fn any_bytes_make_a_valid_event(
        request in prop::collection::vec(any::<u8>(), 0..300),
        response in prop::collection::vec(any::<u8>(), 0..200),
        body in prop::collection::vec(any::<u8>(), 0..50),
        status in prop::option::of(any::<u16>()),
    ) {
        let mut exchange = ordinary();
        if let (Some(asked), Some(answer)) = (exchange.request.as_mut(), exchange.response.as_mut()) {
            asked.head.text = request;
            asked.body.bytes.clone_from(&body);
            answer.head.text = response;
            answer.head.status = status;
            answer.body.bytes = body;
        }
        assert_all_valid(&exchange);
        for (format, _, _) in Format::ALL {
            let text = alone(*format, &exchange);
            prop_assert_eq!(text.matches('\n').count(), 1, "{}", text);
            prop_assert!(!text.trim_end().chars().any(|c| c.is_control() && c != '\t'), "{}", text);
        }
    }
}

/// A call as inspection and the inventory make it of two messages.
fn inspected(request: &str, response: &str) -> Call {
    let exchange = exchange(1, request.as_bytes(), response.as_bytes());
    let mut inspector = tapwire_inspect::Inspector::new(tapwire_inspect::Config::new(KEY));
    tapwire_inventory::Inventory::new(tapwire_inventory::Config::new(KEY)).place(inspector.exchange(exchange))
}

fn event_of(call: &Call, class: Class, validator: &Validator) -> Value {
    let options = Options { class, ..options(Format::Ocsf) };
    let view = View { exchange: &call.observation.exchange, call: Some(call), source: "a.pcap" };
    assert_valid(validator, &rendered(&mut renderer(options), &view))
}

#[test]
fn operation_and_failure_stand_in_the_event() {
    let call = inspected(
        "POST /mcp HTTP/1.1\r\nHost: shop\r\nContent-Type: application/json\r\nMcp-Session-Id: s3cr3t-session\r\n\r\n\
         {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"get_weather\"}}",
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n\
         {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[],\"isError\":true}}",
    );
    for (class, validator) in [(Class::Api, &API), (Class::Http, &HTTP)] {
        let event = event_of(&call, class, validator);
        assert_eq!(event["status_id"], 2);
        let unmapped = &event["unmapped"];
        assert_eq!(unmapped["failed"], true);
        assert_eq!(unmapped["protocols"], serde_json::json!(["http/1.1", "json-rpc", "mcp"]));
        assert_eq!(unmapped["mcp"]["tool"], "get_weather");
        assert!(unmapped["mcp"]["session"].as_str().is_some_and(|token| token.starts_with("tok:")));
    }
    assert_eq!(event_of(&call, Class::Api, &API)["api"]["operation"], "tools/call get_weather");
}

#[test]
fn names_that_could_be_secrets_leave_as_tokens() {
    let secret = "AKIAIOSFODNN7EXAMPLEKEY99";
    let call = inspected(
        &format!(
            "POST /rpc HTTP/1.1\r\nHost: shop\r\nContent-Type: application/json\r\n\r\n\
             {{\"jsonrpc\":\"2.0\",\"method\":\"{secret}\",\"id\":1}}"
        ),
        "",
    );
    let event = event_of(&call, Class::Api, &API);
    assert!(!event.to_string().contains(secret), "{event}");
}

#[test]
fn calls_to_models_use_the_profile_for_them() {
    let call = inspected(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: models.example\r\nContent-Type: application/json\r\n\r\n\
         {\"model\":\"gpt-4o\",\"messages\":[]}",
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n\
         {\"model\":\"gpt-4o-2024-08-06\",\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":12,\"total_tokens\":21}}",
    );
    let event = event_of(&call, Class::Api, &MODELS);
    assert_eq!(event["metadata"]["profiles"], serde_json::json!(["ai_operation"]));
    assert_eq!(
        event["ai_model"],
        serde_json::json!({"ai_provider": "models.example", "name": "gpt-4o-2024-08-06"})
    );
    assert_eq!(event["message_context"]["total_tokens"], 21);
    assert_eq!(event["api"]["operation"], "POST /v1/chat/completions");
    event_of(&call, Class::Http, &HTTP);
}

/// A message and the end of an exchange that goes on are valid by the class of exchanges, in both directions.
#[test]
fn children_validate_and_name_their_parent() {
    let parent = ordinary();
    let heads = Heads {
        request: parent.request.as_ref().map(|request| request.head.clone()),
        response: parent.response.as_ref().map(|response| response.head.clone()),
    };
    let totals = Totals {
        began: parent.started(),
        messages: EachWay { client: 3, server: 4 },
        close: Some(Close { by: Direction::ToServer, code: Some(1001) }),
        ..Totals::default()
    };
    let kinds = [ChildKind::Message, ChildKind::End(Box::new(totals))];
    for (kind, from_client) in kinds.into_iter().flat_map(|kind| [(kind.clone(), true), (kind, false)]) {
        let mut child = ordinary();
        if from_client {
            child.response = None;
        } else {
            child.request = None;
        }
        for half in [&mut child.request, &mut child.response].into_iter().flatten() {
            half.head.clear();
        }
        let (index, name) = (9, kind.name());
        child.child = Some(Child { parent: Some(parent.uid()), index, kind, heads: heads.clone().into() });
        assert_all_valid(&child);
        let event = json(&alone(Format::Ocsf, &child));
        assert_eq!(event["unmapped"]["parent"], parent.uid().to_string());
        assert_eq!((&event["unmapped"]["child"], &event["unmapped"]["kind"]), (&9.into(), &name.into()));
        assert_eq!(event["http_request"]["http_method"], "GET");
        assert_eq!(event["unmapped"]["seen"].get("request").is_some(), from_client);
        assert_eq!(event["unmapped"]["seen"].get("response").is_some(), !from_client);
        assert_ne!(event["metadata"]["uid"], parent.uid().to_string());
        if name == "end" {
            assert_eq!(
                event["unmapped"]["totals"]["close"],
                serde_json::json!({"by": "client", "code": 1001})
            );
        }
        let eve = json(&alone(Format::Eve, &child));
        assert_eq!((&eve["tapwire"]["child"], &eve["tapwire"]["kind"]), (&9.into(), &name.into()));
        assert!(alone(Format::Line, &child).contains(name));
    }
}

#[test]
fn what_is_told_of_an_incident_validates() {
    let call = call(ordinary());
    let mut incidents = tapwire_detect::Incidents::default();
    let mut told = Vec::new();
    for (outcome, severity) in [(Outcome::Attempted, Severity::Low), (Outcome::Confirmed, Severity::High)] {
        incidents.link(&mut Finding { outcome, severity, ..finding() }, &call);
        incidents.drain_told(&mut told);
    }
    incidents.heed(Timestamp::from_parts(1_767_268_800 + 5 * 3_600, 0));
    incidents.drain_told(&mut told);
    let beside = tapwire_detect::incidents::Beside {
        endpoints: vec![tapwire_detect::incidents::Affected {
            id: EndpointId(0x2a),
            service: "shop".into(),
            method: "GET".into(),
            template: "/orders/{orderId}".into(),
            operation: None,
            data_classes: vec!["email".to_owned()],
            owner: Some("Team Orders".into()),
            zone: Some("dmz".into()),
            exposure: "public",
        }],
        callers: Vec::new(),
        suggestions: each_response().map(suggestion).into(),
    };
    let mut renderer = renderer(options(Format::Ocsf));
    let mut events = Vec::new();
    for (told, sequence) in told.iter().zip(1..) {
        let mut out = Vec::new();
        renderer.incident(told, &beside, sequence, &mut out);
        events.push(assert_valid(&INCIDENT, &String::from_utf8(out).unwrap()));
    }
    let of = |pointer: &str| {
        events.iter().map(|event| event.pointer(pointer).unwrap().clone()).collect::<Vec<_>>()
    };
    assert_eq!(of("/activity_id"), [1, 2, 3]);
    assert_eq!(of("/status_id"), [1, 1, 5]);
    assert_eq!(of("/severity_id"), [2, 4, 4]);
    assert_eq!(of("/unmapped/why/0"), ["opened", "severity", "quiet"]);
    assert_eq!(of("/is_suspected_breach"), [false, true, true]);
    assert_eq!(events[0].pointer("/unmapped/endpoints/0/owner").unwrap(), "Team Orders");
    assert_eq!(of("/unmapped/incident")[0], finding().uid.to_string());
    let suggested = events[0].pointer("/unmapped/suggestions").and_then(Value::as_array).unwrap();
    let shown = suggested.iter().map(|one| format!("{} {}", one["action"].as_str().unwrap(), one["target"]));
    let token = "tok:0707070707070707";
    let principal = format!(r#"{{"principal":{{"kind":"key","token":"{token}"}}"#);
    assert_eq!(
        shown.collect::<Vec<_>>(),
        [
            format!("block-principal {principal}}}"),
            format!("revoke-token {principal},\"token\":\"{token}\"}}"),
            r#"block-address {"addresses":["192.0.2.7","2001:db8::7"]}"#.to_owned(),
            "quota {\"calls_an_hour\":60,\"endpoint\":{\"id\":\"000000000000002a\",\"method\":\"GET\",\
             \"service\":\"shop\",\"template\":\"/orders/{orderId}\"}}"
                .to_owned(),
        ]
    );
    let hit = serde_json::json!({"calls": 9, "principals": 1});
    assert_eq!((&suggested[0]["would_have_hit"], &suggested[0]["honest_callers"]), (&hit, &"hit".into()));
}

fn each_response() -> [Response; 4] {
    let token = tapwire_inspect::Token([7; 16]);
    let who = Principal { kind: PrincipalKind::ApiKey, token };
    [
        Response::BlockPrincipal(who),
        Response::RevokeToken { token, owner: Some(who), issued_in: None },
        Response::BlockAddress(vec!["192.0.2.7".parse().unwrap(), "2001:db8::7".parse().unwrap()]),
        Response::Quota { endpoint: EndpointId(0x2a), calls_an_hour: 60 },
    ]
}

fn suggestion(response: Response) -> Suggestion {
    Suggestion {
        response,
        calls: Some(9),
        before: None,
        principals: Some(1),
        since: None,
        honest: Honest::Hit,
        why: "It called.".to_owned(),
    }
}

#[test]
fn what_is_known_of_endpoints_validates_and_is_told_in_ocsf_alone() {
    let reason = |seen: &str| Reason { factor: FACTORS[0], points: 12, seen: seen.to_owned() };
    let rated = |seen| Rated { points: 12, reasons: vec![reason(seen)] };
    let known = KnownEndpoint {
        id: EndpointId(0x2a),
        method: "GET".into(),
        template: "/orders/{orderId}/alice@example.com".into(),
        operation: Some("query Orders {orders}".into()),
        seen: Some((Timestamp::from_parts(1, 0), Timestamp::from_parts(2, 0))),
        states: vec![State::Shadow, State::New],
        scores: Some([rated("1 of 2 calls"), Rated::default()]),
        about: About { owner: Some("a \"team\"".into()), tags: vec!["pci".into()], ..About::default() },
    };
    let unseen =
        KnownEndpoint { operation: None, seen: None, scores: None, about: About::default(), ..known.clone() };
    let report = SensorReport {
        code: SensorCode::Endpoints,
        time: Timestamp::from_parts(3, 0),
        message: "what is known of 2 endpoints".to_owned(),
        service: Some("Shop.example".into()),
        anomalies: tapwire_protocol::Anomalies::default(),
        told: vec![("endpoints", Told::Endpoints(vec![known, unseen]))],
        counters: vec![("endpoints", 2)],
    };
    let mut out = Vec::new();
    renderer(options(Format::Ocsf)).sensor(&report, 9, &mut out);
    let event = assert_valid(&BASE, &String::from_utf8(out).unwrap());
    assert_eq!(event["message"], "shop.example: what is known of 2 endpoints");
    assert_eq!(event["unmapped"]["service"], "shop.example");
    let [one, other] = event["unmapped"]["endpoints"].as_array().unwrap().as_slice() else {
        panic!("{event}")
    };
    assert!(!one["template"].as_str().unwrap().contains("alice"), "{one}");
    assert_eq!((&one["id"], &one["owner"]), (&"000000000000002a".into(), &"a \"team\"".into()));
    assert_eq!(
        (&one["states"], &one["tags"]),
        (&serde_json::json!(["shadow", "new"]), &serde_json::json!(["pci"]))
    );
    assert_eq!((&one["first_ms"], &one["last_ms"]), (&1_000.into(), &2_000.into()));
    assert_eq!((&one["exposure"], &one["threat"]), (&12.into(), &0.into()));
    assert_eq!(one["exposure_reasons"][0]["seen"], "1 of 2 calls");
    assert_eq!(one["operation"], "query Orders {orders}");
    assert_eq!(other.as_object().unwrap().len(), 4, "{other}");
    let tells = |format| renderer(options(format)).tells_endpoints();
    assert!(Format::ALL.iter().all(|(format, ..)| tells(*format) == (*format == Format::Ocsf)));
}
