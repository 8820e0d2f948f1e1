use super::*;
use crate::transcript::exchange;
use tapwire_inspect::{Inspector, TokenKey};
use tapwire_inventory::Inventory;
use tapwire_wire::Timestamp;

const KEY: TokenKey = TokenKey::new([7; 32]);

/// A service that is called, and what policies say of it.
struct Bench {
    inspector: Inspector,
    inventory: Inventory,
    policies: Policies,
    number: u32,
    told: Vec<Posture>,
}

impl Bench {
    fn new(own: &[UserPolicy], accepted: &[UserAcceptance]) -> Self {
        Self {
            inspector: Inspector::new(tapwire_inspect::Config::new(KEY)),
            inventory: Inventory::new(tapwire_inventory::Config::new(KEY)),
            policies: Policies::new(Rules::new(own, accepted).unwrap(), Settings::default()),
            number: 0,
            told: Vec::new(),
        }
    }

    /// So many calls, a minute of packet time apart.
    fn calls(&mut self, count: usize, request: &str, response: &str) {
        for _ in 0..count {
            self.number += 1;
            let mut exchange = exchange(self.number, request.as_bytes(), response.as_bytes());
            let time = Timestamp::from_parts(1_700_000_000 + i64::from(self.number) * 60, 0);
            for half in [&mut exchange.request, &mut exchange.response].into_iter().flatten() {
                (half.started, half.ended) = (time, time);
            }
            let call = self.inventory.place(self.inspector.exchange(exchange));
            let time = call.observation.exchange.started();
            self.policies.heed(&self.inventory, time, &mut self.told);
        }
    }

    fn stages(&self, policy: &str) -> Vec<Stage> {
        self.told.iter().filter(|one| one.rule.id == policy).map(|one| one.stage).collect()
    }
}

#[test]
fn registry_is_complete_and_every_expression_can_be_read() {
    for (index, policy) in POLICIES.iter().enumerate() {
        assert!(POLICIES.iter().skip(index + 1).all(|other| other.id != policy.id), "{}", policy.id);
        assert!(policy.references.first().is_some_and(|first| first.starts_with("API")), "{}", policy.id);
        for text in [policy.title, policy.says, policy.fix, policy.test] {
            assert!(!text.is_empty() && !text.contains("  "), "{}: {text}", policy.id);
        }
    }
    let all: Vec<UserPolicy> = POLICIES
        .iter()
        .map(|info| UserPolicy { id: info.id.into(), enabled: Some(true), ..UserPolicy::default() })
        .collect();
    assert_eq!(Rules::new(&all, &[]).unwrap().iter().count(), POLICIES.len());
}

const LOGIN: &str = "POST /login HTTP/1.1\r\nHost: shop\r\nContent-Length: 0\r\n\r\n";
const SCRIPTED: &str = "HTTP/1.1 200 OK\r\nSet-Cookie: sessionid=abc; Secure\r\n\r\n";
const HIDDEN: &str = "HTTP/1.1 200 OK\r\nSet-Cookie: sessionid=abc; Secure; HttpOnly\r\n\r\n";
const COOKIE: &str = "session-cookies-without-httponly";

#[test]
fn finding_lives_from_open_to_verified_and_regressed() {
    let mut bench = Bench::new(&[], &[]);
    bench.calls(30, LOGIN, SCRIPTED);
    assert_eq!(bench.stages(COOKIE), [Stage::Open]);
    bench.calls(30, LOGIN, HIDDEN);
    assert_eq!(bench.stages(COOKIE), [Stage::Open, Stage::Fixed]);
    bench.calls(200, LOGIN, HIDDEN);
    assert_eq!(bench.stages(COOKIE), [Stage::Open, Stage::Fixed, Stage::Verified]);
    bench.calls(20, LOGIN, SCRIPTED);
    assert_eq!(bench.stages(COOKIE).last(), Some(&Stage::Regressed));
    let uids: std::collections::BTreeSet<_> = bench.told.iter().map(|one| one.uid).collect();
    let events: std::collections::BTreeSet<_> = bench.told.iter().map(|one| one.event).collect();
    assert_eq!((uids.len(), events.len()), (1, 4), "one finding, four events");
}
