use super::*;
use crate::transcript::exchange;
use tapwire_inspect::{Inspector, TokenKey};
use tapwire_inventory::Inventory;

const KEY: TokenKey = TokenKey::new([7; 32]);

fn detectors() -> Detectors {
    Detectors::new(Config::default())
}

fn judge(detectors: &mut Detectors, request: &[u8], drop_request: bool) -> usize {
    let mut exchange = exchange(1, request, b"HTTP/1.1 200 OK\r\n\r\n");
    if drop_request {
        exchange.request = None;
    }
    let observation = Inspector::new(tapwire_inspect::Config::new(KEY)).exchange(exchange);
    let call = Inventory::new(tapwire_inventory::Config::new(KEY)).place(observation);
    let mut out = Vec::new();
    detectors.judge(&call, None, &mut out);
    out.len()
}

#[test]
fn registry_is_complete_and_names_are_unique() {
    for (index, detector) in DETECTORS.iter().enumerate() {
        assert!(
            DETECTORS.iter().skip(index + 1).all(|other| other.name != detector.name),
            "{}",
            detector.name
        );
        assert!(
            detector.name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'),
            "{}",
            detector.name
        );
        assert!(detector.owasp.starts_with("API") && detector.cwe.starts_with("CWE-"), "{}", detector.name);
        assert!(detector.attack.0.starts_with('T') && !detector.next_steps.is_empty(), "{}", detector.name);
        for text in [detector.title, detector.summary, detector.severity, detector.warm_up, detector.unjudged]
        {
            assert!(!text.is_empty() && !text.contains("  "), "{}: {text}", detector.name);
        }
    }
}

#[test]
fn detector_that_saw_no_request_says_so() {
    let mut detectors = detectors();
    judge(&mut detectors, b"GET /a HTTP/1.1\r\n\r\n", true);
    let reason = "no request with a visible URL was seen".to_owned();
    let unjudged =
        NotJudged { detector: "credentials-in-url", reason, judged: 0, early: 0, seen: None, needed: 0 };
    assert!(detectors.not_judged().contains(&unjudged));
    assert_eq!(detectors.judged("credentials-in-url"), Some(0));
    assert_eq!(judge(&mut detectors, b"GET /a HTTP/1.1\r\n\r\n", false), 0);
    assert!(!detectors.not_judged().contains(&unjudged));
    assert_eq!(detectors.judged("credentials-in-url"), Some(1));
    assert_eq!(detectors.judged("no-such-detector"), None);
}

#[test]
fn calls_that_concern_no_detector_cost_no_record() {
    let mut detectors = detectors();
    judge(&mut detectors, b"GET /a HTTP/1.1\r\n\r\n", false);
    assert_eq!(detectors.counters(), Counters::default());
    assert_eq!(judge(&mut detectors, b"GET /a?api_key=k HTTP/1.1\r\n\r\n", false), 1);
    assert!(detectors.counters().records >= 1);
}

#[test]
fn scopes_name_what_they_say() {
    let call = |request: &str| {
        let observation =
            Inspector::new(tapwire_inspect::Config::new(KEY)).exchange(exchange(1, request.as_bytes(), b""));
        Inventory::new(tapwire_inventory::Config::new(KEY)).place(observation)
    };
    let alice = call("GET /orders/1 HTTP/1.1\r\nHost: shop\r\nX-API-Key: a\r\n\r\n");
    let bob = call("GET /orders/2 HTTP/1.1\r\nHost: shop\r\nX-API-Key: b\r\n\r\n");
    let elsewhere = call("PUT /orders/1 HTTP/1.1\r\nHost: shop\r\nX-API-Key: a\r\n\r\n");
    assert_eq!(key(Scope::Endpoint, &alice), key(Scope::Endpoint, &bob));
    assert_ne!(key(Scope::Endpoint, &alice), key(Scope::Endpoint, &elsewhere));
    assert_eq!(key(Scope::Principal, &alice), key(Scope::Principal, &elsewhere));
    assert_ne!(key(Scope::Principal, &alice), key(Scope::Principal, &bob));
    assert_ne!(key(Scope::Principal, &alice), key(Scope::Endpoint, &alice));
}

#[test]
fn a_detector_that_waits_says_for_how_much_of_what() {
    let mut inspector = Inspector::new(tapwire_inspect::Config::new(KEY));
    let mut inventory = Inventory::new(tapwire_inventory::Config::new(KEY));
    let mut detectors = detectors();
    let mut call = |calls: usize| {
        for _ in 0..calls {
            let exchange = exchange(
                1,
                b"GET /orders HTTP/1.1\r\nHost: shop\r\n\r\n",
                b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
            );
            let call = inventory.place(inspector.exchange(exchange));
            let endpoint = call.endpoint.and_then(|id| inventory.endpoint(id));
            detectors.judge(&call, endpoint, &mut Vec::new());
        }
        detectors.not_judged().into_iter().find(|waits| waits.detector == "missing-authentication")
    };
    let waits = call(12).expect("it waits");
    assert_eq!(waits.reason, "12 calls of one endpoint seen, 15 needed (12 calls waited)");
    assert_eq!((waits.judged, waits.early, waits.seen, waits.needed), (0, 12, Some(12), 15));
    let late = call(8).expect("the first calls were not judged");
    assert_eq!(late.reason, "14 of 20 calls came before 15 calls of one endpoint were seen");
    assert_eq!((late.judged, late.early), (6, 14));
}
