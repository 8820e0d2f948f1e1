//! What was learned, read back from bytes that nobody wrote.

use super::input::Choices;
use crate::{Conversation, Turn, shop_turns};
use std::collections::BTreeMap;
use tapwire_detect::policies::{self, Policies, Rules, Settings};
use tapwire_detect::{Detectors, Loading as Remembered};
use tapwire_inspect::{Inspector, TokenKey};
use tapwire_inventory::kpis::{Kpis, Sensed};
use tapwire_inventory::state::{Cursor, Loading};
use tapwire_inventory::{Config, Inventory};

/// Limits that a few thousand bytes can reach.
const FEW: usize = 40;

/// The first byte: whose state. Then pieces, each behind its length of two bytes; that which comes first in every checkpoint,
/// with format and key, is not among them.
pub fn run(data: &[u8]) {
    let mut choices = Choices::new(data);
    let whose = choices.byte() % 3;
    let mut pieces = Vec::new();
    while !choices.is_empty() {
        let most = usize::from(choices.word());
        pieces.push(choices.take(most));
    }
    match whose {
        0 => inventory(&pieces),
        1 => detectors(&pieces),
        _ => cases(&pieces),
    }
}

fn key() -> TokenKey {
    TokenKey::new([7; 32])
}

fn config() -> Config {
    Config {
        max_services: FEW,
        max_endpoints: FEW,
        max_endpoints_per_service: 20,
        max_segments: 4 * FEW,
        max_principals: FEW,
        max_sessions: FEW,
        ..Config::new(key())
    }
}

fn inventory(pieces: &[&[u8]]) {
    let mut loading = Loading::new(config());
    let head = saved(&Inventory::new(config())).swap_remove(0);
    if loading.take(&head).is_err() || pieces.iter().any(|piece| loading.take(piece).is_err()) {
        return;
    }
    let (mut inventory, _) = loading.finish().expect("it has a head");
    consistent(&inventory);
    let all = saved(&inventory);
    let mut again = Loading::new(config());
    all.iter().for_each(|piece| again.take(piece).expect("what is written can be read"));
    consistent(&again.finish().expect("what is written can be read").0);
    goes_on(&mut inventory);
    consistent(&inventory);
    inventory.settle();
    inventory.keep_day();
    consistent(&inventory);
    saved(&inventory);
}

fn saved(inventory: &Inventory) -> Vec<Vec<u8>> {
    let (mut cursor, mut piece, mut all) = (Cursor::default(), Vec::new(), Vec::new());
    while inventory.save(&mut cursor, &mut piece) {
        all.push(piece.clone());
    }
    all
}

/// Limits hold, every endpoint is found by its id, and each service counts its own.
fn consistent(inventory: &Inventory) {
    let mut own: BTreeMap<&str, u32> = BTreeMap::new();
    for endpoint in inventory.endpoints() {
        assert_eq!(inventory.endpoint(endpoint.id).map(|found| found.id), Some(endpoint.id));
        *own.entry(&endpoint.service).or_default() += 1;
    }
    for service in inventory.services() {
        assert_eq!(own.get(&*service.name).copied().unwrap_or(0), service.endpoints);
    }
    assert!(inventory.services().count() <= FEW && inventory.endpoints().count() <= FEW);
    assert!(inventory.principals().len() <= FEW && inventory.principals().sessions().len() <= FEW);
}

/// What somebody with a name does: whose is what, and what is usual, is asked of each.
fn named_turns() -> Vec<Turn> {
    const TOKEN: &str =
        "eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJodHRwczovL2lkcC5leGFtcGxlIiwic3ViIjoiYWxpY2UifQ.c2ln";
    let calls = [
        ("GET /me", r#"{"user_id":"alice"}"#),
        ("GET /orders", r#"[{"id":71},{"id":72},{"id":73},{"id":74},{"id":75}]"#),
        ("GET /orders/71", r#"{"id":71,"customer_id":"alice"}"#),
        ("GET /orders/99", r#"{"id":99,"customer_id":"bob"}"#),
        ("POST /orders", r#"{"id":76}"#),
        ("PUT /users/alice", r#"{"user_id":"alice"}"#),
        ("GET /me", r#"{"user_id":"alice"}"#),
    ];
    let turn = |(line, answer): (&str, &str)| {
        Turn {
        request: format!(
            "{line} HTTP/1.1\r\nHost: shop.example\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 0\r\n\r\n"
        )
        .into_bytes(),
        response: format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{answer}",
            answer.len()
        )
        .into_bytes(),
    }
    };
    calls.into_iter().map(turn).collect()
}

/// A few calls, and everything that is asked of what is learned.
fn goes_on(inventory: &mut Inventory) {
    let turns = shop_turns(6, 1).into_iter().chain(named_turns()).collect();
    let capture = Conversation::new(turns, 1).play();
    let mut inspector = Inspector::new(tapwire_inspect::Config::new(key()));
    let mut policies = Policies::new(Rules::new(&[], &[]).unwrap_or_default(), Settings::default());
    let mut told = Vec::new();
    for exchange in crate::exchanges(&capture) {
        let time = exchange.started();
        inventory.place(inspector.exchange(exchange));
        policies.heed(inventory, time, &mut told);
    }
    policies.finish(inventory, &mut told);
    Kpis::new(inventory, &Sensed::default());
    inventory.principals().callers().len();
    inventory.risks();
    inventory.orphans();
}

fn detectors(pieces: &[&[u8]]) {
    let empty = Detectors::new(tapwire_detect::Config::default());
    let mut head = Vec::new();
    empty.save(&key(), &mut tapwire_detect::Cursor::default(), &mut head);
    let config = tapwire_detect::Config { max_records: FEW, ..tapwire_detect::Config::default() };
    let mut loading = Remembered::new(config, key());
    if loading.take(&head).is_err() || pieces.iter().any(|piece| loading.take(piece).is_err()) {
        return;
    }
    let (detectors, _) = loading.finish().expect("it has a head");
    assert!(detectors.counters().records <= FEW as u64);
    let (mut cursor, mut piece) = (tapwire_detect::Cursor::default(), Vec::new());
    let mut again = Remembered::new(config, key());
    while detectors.save(&key(), &mut cursor, &mut piece) {
        again.take(&piece).expect("what is written can be read");
    }
    let restored = again.finish().expect("what is written can be read").0;
    assert_eq!(restored.counters().records, detectors.counters().records);
}

fn cases(pieces: &[&[u8]]) {
    let (mut cursor, mut head) = (policies::Cursor::default(), Vec::new());
    policies::Cases::default().save(&key(), &mut cursor, &mut head);
    let mut loading = policies::Loading::new(key());
    if loading.take(&head).is_err() || pieces.iter().any(|piece| loading.take(piece).is_err()) {
        return;
    }
    let (cases, _) = loading.finish().expect("it has a head");
    let (mut cursor, mut piece, mut again) =
        (policies::Cursor::default(), Vec::new(), policies::Loading::new(key()));
    while cases.save(&key(), &mut cursor, &mut piece) {
        again.take(&piece).expect("what is written can be read");
    }
    assert_eq!(again.finish().map(|(cases, _)| cases), Ok(cases.clone()));
    let mut inventory = Inventory::new(config());
    for service in cases.services() {
        inventory.set_posture(service, cases.times(service));
    }
    let mut policies = Policies::new(Rules::new(&[], &[]).unwrap_or_default(), Settings::default());
    policies.set_cases(cases);
    policies.look_once(&inventory, &mut Vec::new());
    Kpis::new(&inventory, &Sensed::default());
}
