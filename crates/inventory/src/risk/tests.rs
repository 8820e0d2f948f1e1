use super::*;
use crate::EndpointId;
use crate::context::Side;
use crate::usage::Happened;
use tapwire_inspect::{Inspector, TokenKey};

const KEY: TokenKey = TokenKey::new([7; 32]);

/// Calls of "METHOD target" with header lines, their status, and the side of their client.
fn inventory(calls: &[(&str, u16, &str, Side)]) -> Inventory {
    let mut inspector = Inspector::new(tapwire_inspect::Config::new(KEY));
    let mut inventory = Inventory::new(crate::Config::new(KEY));
    for (number, (request, status, body, side)) in (1..).zip(calls) {
        let (line, fields) = request.split_once('\n').unwrap_or((request, "Host: shop.example"));
        let request = format!("{line} HTTP/1.1\r\n{fields}\r\n\r\n");
        let response = format!("HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n\r\n{body}");
        let exchange = crate::transcript::exchange(number, request.as_bytes(), response.as_bytes());
        inventory.context = context_of(*side);
        inventory.place(inspector.exchange(exchange));
    }
    inventory
}

/// A context in which the transcript's client, 10.0.0.7, is on that side.
fn context_of(side: Side) -> std::sync::Arc<crate::context::Context> {
    let mut reading = crate::context::Reading::new(KEY);
    let named = match side {
        Side::Unknown => ("internal", "10.9.0.0/16"),
        side => (side.name(), "10.0.0.7"),
    };
    reading.add("networks", named.0, named.1).unwrap();
    reading.finish().into()
}

fn told(rated: &Rated) -> Vec<(&'static str, u8)> {
    rated.reasons.iter().map(|reason| (reason.factor.name, reason.points)).collect()
}

fn rate(inventory: &Inventory, template: &str) -> (Rated, Rated) {
    let risks = inventory.risks();
    let endpoint = inventory.endpoints().find(|one| &*one.template == template).expect("the endpoint");
    (risks.exposure(endpoint), risks.threat(endpoint))
}

#[test]
fn exposure_is_the_sum_of_its_reasons() {
    let card = "{\"card\":\"4539578763621486\"}";
    let calls = [
        ("POST /admin/cards", 200, card, Side::Public),
        ("POST /admin/cards", 200, card, Side::Internal),
        ("POST /admin/cards\nHost: shop.example\r\nAuthorization: Bearer abc", 200, card, Side::Internal),
        ("GET /health", 200, "", Side::Internal),
    ];
    let inventory = inventory(&calls);
    let (exposure, threat) = rate(&inventory, "/admin/cards");
    assert_eq!(
        told(&exposure),
        [
            ("public-callers", 25),
            ("sensitive-data", 25),
            ("unauthenticated", 14),
            ("unauthenticated-sensitive", 10),
            ("clear-text", 10),
            ("privileged-path", 10),
            ("writes", 5),
            ("undocumented", 3)
        ]
    );
    assert_eq!((exposure.points, threat.points), (100, 0));
    assert_eq!(exposure.reasons[1].seen, "card in answers (critical)");
    assert_eq!(exposure.reasons[2].seen, "2 of 3 answers 2xx went to calls without credentials");
    let (health, _) = rate(&inventory, "/health");
    assert_eq!(told(&health), [("unauthenticated", 20), ("undocumented", 3), ("clear-text", 3)]);
}

#[test]
fn credentials_of_callers_are_no_sensitive_data() {
    let jwt = "GET /me\nHost: shop.example\r\nX-Api-Key: 8f4b1c22d9e04a7fa5b3c6d1e2f30415";
    let inventory = inventory(&[(jwt, 200, "{\"id\":1}", Side::Internal); 6]);
    let (exposure, _) = rate(&inventory, "/me");
    assert_eq!(told(&exposure), [("undocumented", 3), ("clear-text", 3)]);
}

#[test]
fn threat_is_what_happened_on_two_days() {
    let happened = Happened {
        calls: 100,
        denied: 50,
        failed: 4,
        listed: 1,
        unknown: 3,
        findings: 2,
        worst: 4,
        ..Happened::default()
    };
    let rated = Rated::of(threat::reasons(&happened));
    assert_eq!(told(&rated), [("findings", 30), ("listed", 25), ("denied", 10), ("unknown-networks", 10)]);
    assert_eq!((rated.points, rated.reasons[2].seen.as_str()), (75, "50 of 100 calls"));
    let worst = Happened {
        calls: 10,
        denied: 10,
        failed: 10,
        listed: 10,
        probed: 10,
        throttled: 10,
        worst: 5,
        ..happened
    };
    assert_eq!(Rated::of(threat::reasons(&worst)).points, 100);
    assert_eq!(Rated::of(threat::reasons(&Happened::default())), Rated::default());
}

#[test]
fn findings_and_scanners_count_for_the_endpoints_they_meet() {
    let mut calls: Vec<(String, u16)> = (0..30).map(|word| (format!("GET /x{word}"), 404)).collect();
    calls.push(("GET /orders".into(), 200));
    let calls: Vec<_> =
        calls.iter().map(|(request, status)| (request.as_str(), *status, "", Side::Unknown)).collect();
    let mut inventory = inventory(&calls);
    let (_, threat) = rate(&inventory, "/orders");
    assert_eq!(told(&threat), [("probed", 15), ("unknown-networks", 10)]);
    let (id, time) = inventory.endpoints().map(|one| (one.id, one.last_seen)).next().unwrap();
    inventory.found_on(id, 3, time);
    inventory.found_on(EndpointId(1), 5, time);
    let (_, threat) = rate(&inventory, "/orders");
    assert_eq!(told(&threat), [("findings", 20), ("probed", 15), ("unknown-networks", 10)]);
}

#[test]
fn every_factor_has_a_name_of_its_own_and_gives_points() {
    let mut names: Vec<_> = FACTORS.iter().map(|factor| factor.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), FACTORS.len());
    assert!(FACTORS.iter().all(|factor| (1..=MOST).contains(&factor.most) && !factor.meaning.is_empty()));
}

#[test]
fn what_leaves_ones_own_network_is_counted_by_service() {
    let mut inspector = Inspector::new(tapwire_inspect::Config::new(KEY));
    let mut inventory = Inventory::new(crate::Config::new(KEY));
    let mut reading = crate::context::Reading::new(KEY);
    reading.add("networks", "internal", "10.0.0.7").unwrap();
    reading.add("networks", "public", "10.0.0.80").unwrap();
    inventory.set_context(reading.finish().into());
    for number in 1..=3 {
        let request = b"POST /v1/mail HTTP/1.1\r\nHost: mail.example\r\nContent-Length: 2\r\n\r\n{}";
        let exchange = crate::transcript::exchange(number, request, b"HTTP/1.1 202 X\r\n\r\n");
        inventory.place(inspector.exchange(exchange));
    }
    let service = inventory.services().next().unwrap();
    let egress = service.egress.as_deref().expect("calls to a public service");
    assert_eq!((egress.calls, egress.clear, egress.sent_bytes, egress.callers.count().0), (3, 3, 6, 1));
    assert_eq!(egress.methods().collect::<Vec<_>>(), [("POST", 3)]);
    assert_eq!(inventory.endpoints().next().unwrap().usage.egress, 3);
}
