//! Who changes address or name, and is known again by a token or by a fingerprint of TLS.

use super::*;

const TOOL: &str = "t13d190900_9dc949149365_97f8aa674fd9";
const BROWSER: &str = "t13d1516h2_8daaf6152771_02713d6af862";

impl World {
    /// Calls of that many addresses with one fingerprint, of which nothing is found.
    fn visitors(&mut self, ja4: &str, many: u8) {
        self.ja4 = Some(ja4.to_owned());
        (0..many).for_each(|last| drop(self.call([198, 51, last, 7], "")));
    }

    fn high_with(&mut self, ja4: &str, who: ([u8; 4], &str), detector: &'static str) -> Uid {
        self.ja4 = Some(ja4.to_owned());
        self.high(who, detector)
    }
}

fn attacker(last: u8) -> [u8; 4] {
    [203, 0, 113, last]
}

#[test]
fn a_fingerprint_that_nobody_else_has_links_addresses() {
    let mut world = World::new();
    world.visitors(BROWSER, 80);
    let first = world.high_with(TOOL, (attacker(1), ""), "reconnaissance");
    for last in 2..30 {
        assert_eq!(world.high_with(TOOL, (attacker(last), ""), "reconnaissance"), first, "{last}");
    }
    assert_eq!(world.high_with(TOOL, (attacker(40), "stolen"), "foreign-objects"), first, "and a name");
    assert_ne!(world.high_with(TOOL, (attacker(41), "other"), "foreign-objects"), first, "not the next one");
}

#[test]
fn a_fingerprint_that_others_have_links_nothing() {
    let mut world = World::new();
    world.visitors(BROWSER, 80);
    let first = world.high_with(BROWSER, (attacker(1), ""), "reconnaissance");
    assert_ne!(world.high_with(BROWSER, (attacker(2), ""), "reconnaissance"), first);
    world.ja4 = Some(TOOL.to_owned());
    drop(world.call([198, 51, 100, 8], "partner"));
    let first = world.high_with(TOOL, (attacker(3), ""), "reconnaissance");
    assert_ne!(world.high_with(TOOL, (attacker(4), ""), "reconnaissance"), first, "one partner has it");
}

#[test]
fn where_few_are_known_no_fingerprint_is_anybodys_own() {
    let mut world = World::new();
    world.visitors(BROWSER, 20);
    let first = world.high_with(TOOL, (attacker(1), ""), "reconnaissance");
    assert_ne!(world.high_with(TOOL, (attacker(2), ""), "reconnaissance"), first);
}

#[test]
fn a_session_links_the_names_it_is_shown_with() {
    let mut world = World::new();
    let request = |key: &str| {
        format!(
            "GET /orders/7 HTTP/1.1\r\nHost: shop\r\nX-Api-Key: {key}\r\nCookie: session=9f8e7d6c5b4a39281706\r\n\r\n"
        )
    };
    let server = Endpoint::v4([10, 200, 0, 80], 80);
    let mut of = |last: u8, key: &str| {
        let call = world.send(Endpoint::v4(attacker(last), 40_000), server, &request(key));
        assert!(call.caller.session.is_some());
        (world.link(&call, "foreign-objects", Severity::High, Outcome::Likely).1, call.principal)
    };
    let (first, one) = of(1, "key-of-one-8d7c6b5a");
    let (second, other) = of(2, "key-of-another-1a2b3c");
    assert_ne!(one, other);
    assert_eq!(first, second);
}
