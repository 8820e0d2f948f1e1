use super::*;
use crate::transcript::exchange;
use crate::{Config, Detectors};
use tapwire_inspect::{Inspector, TokenKey};
use tapwire_inventory::Inventory;

const KEY: TokenKey = TokenKey::new([7; 32]);

/// Detectors with the stages in front of them.
struct Sensor {
    inspector: Inspector,
    inventory: Inventory,
    detectors: Detectors,
    number: u32,
}

impl Sensor {
    fn new() -> Self {
        Self {
            inspector: Inspector::new(tapwire_inspect::Config::new(KEY)),
            inventory: Inventory::new(tapwire_inventory::Config::new(KEY)),
            detectors: Detectors::new(Config::default()),
            number: 0,
        }
    }

    /// The findings of a GET of that target, answered with that status, or not at all with 0.
    fn get(&mut self, target: &str, status: u16) -> Vec<Finding> {
        self.number += 1;
        let request = format!("GET {target} HTTP/1.1\r\nHost: shop\r\n\r\n");
        let response = if status == 0 { String::new() } else { format!("HTTP/1.1 {status} X\r\n\r\n") };
        let observation =
            self.inspector.exchange(exchange(self.number, request.as_bytes(), response.as_bytes()));
        let mut findings = Vec::new();
        self.detectors.judge(&self.inventory.place(observation), None, &mut findings);
        findings
    }
}

/// Outcome, severity and reason of the only finding of one call.
#[track_caller]
fn one(target: &str, status: u16) -> (Outcome, Severity, String) {
    let mut findings = Sensor::new().get(target, status);
    assert_eq!(findings.len(), 1, "{target}");
    let finding = findings.remove(0);
    assert_eq!(finding.detector, INFO.name);
    (finding.outcome, finding.severity, finding.reason)
}

#[test]
fn answer_decides_outcome_and_severity() {
    for (status, outcome, token, key) in [
        (200, Outcome::Confirmed, Severity::High, Severity::Medium),
        (302, Outcome::Likely, Severity::High, Severity::Medium),
        (401, Outcome::NoEffect, Severity::Low, Severity::Low),
        (403, Outcome::NoEffect, Severity::Low, Severity::Low),
        (500, Outcome::Attempted, Severity::Medium, Severity::Low),
        (0, Outcome::Attempted, Severity::Medium, Severity::Low),
    ] {
        let (found, severity, _) = one("/a?access_token=abc", status);
        assert_eq!((found, severity), (outcome, token), "{status}");
        let (found, severity, _) = one("/a?api_key=abc", status);
        assert_eq!((found, severity), (outcome, key), "{status}");
    }
}

#[test]
fn reason_says_seen_expected_and_out_of_how_many() {
    let mut sensor = Sensor::new();
    assert!(sensor.get("/orders/41", 200).is_empty());
    let findings = sensor.get("/orders/42?API_Key=s3cret-value", 200);
    assert_eq!(
        findings[0].reason,
        "Query parameter `api_key` of /orders/{orderId} carried an API key in a request answered 200: seen 1 time, \
         expected none, among 2 requests with a visible URL so far."
    );
}

#[test]
fn every_place_in_the_url_counts_and_no_other() {
    assert!(
        one("http://alice:pw@shop/a", 200).2.starts_with("The user information of /a carried a user name")
    );
    assert!(
        one("/a;jsessionid=abc", 200).2.starts_with("Path parameter `jsessionid` of /a carried a session")
    );
    assert!(Sensor::new().get("/a?page=2&key=name", 200).is_empty());
}

#[test]
fn no_reason_holds_the_secret() {
    for target in ["/a?password=s3cretvalue", "http://alice:s3cretvalue@shop/a", "/a;sid=s3cretvalue12345678"]
    {
        assert!(!one(target, 200).2.contains("s3cretvalue"), "{target}");
    }
}

#[test]
fn repetition_is_silent_until_accepted() {
    let mut sensor = Sensor::new();
    assert_eq!(sensor.get("/orders/1?api_key=a", 401).len(), 1);
    assert!(sensor.get("/orders/2?api_key=b", 403).is_empty());
    let accepted = sensor.get("/orders/3?api_key=c", 200);
    assert_eq!(accepted.iter().map(|finding| finding.outcome).collect::<Vec<_>>(), [Outcome::Confirmed]);
    assert!(accepted[0].reason.contains("seen 3 times"), "{}", accepted[0].reason);
    assert!(sensor.get("/orders/4?api_key=d", 200).is_empty());
    assert!(sensor.get("/orders/5?api_key=e", 401).is_empty());
}

#[test]
fn endpoint_and_parameter_tell_findings_apart() {
    let mut sensor = Sensor::new();
    let mut uids: Vec<_> =
        sensor.get("/a?api_key=a&access_token=b", 200).iter().map(|finding| finding.uid).collect();
    uids.extend(sensor.get("/b?api_key=a", 200).iter().map(|finding| finding.uid));
    uids.sort();
    uids.dedup();
    assert_eq!(uids.len(), 3);
}

#[test]
fn path_that_is_no_endpoint_is_judged_too() {
    let mut sensor = Sensor::new();
    let findings = sensor.get("/missing?password=abc", 404);
    assert_eq!((findings.len(), findings[0].endpoint), (1, None));
    assert!(sensor.get("/missing?password=abc", 404).is_empty());
}

#[test]
fn same_traffic_gives_the_same_finding() {
    let run = || format!("{:?}", Sensor::new().get("/a?api_key=a", 200));
    assert_eq!(run(), run());
}

#[test]
fn parameters_of_one_endpoint_are_bounded() {
    let mut state = CredentialsInUrl::default();
    let raised =
        (0..100).filter(|n| state.rises(Place::Query, &n.to_string(), Outcome::Attempted).is_some()).count();
    assert_eq!(raised, MAX_PARAMETERS);
}
