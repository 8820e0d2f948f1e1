//! What attackers may try so that a detector does not see them.

use super::world::{Client, World, jwt, token};
use crate::{Finding, Outcome};

fn count(world: &World, detector: &str) -> usize {
    world.found.iter().filter(|finding: &&Finding| finding.detector == detector).count()
}

fn tools(world: &mut World, user: u8, say: &str) {
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}"#;
    let one =
        format!(r#"{{"name":"search","description":"Searches{say}","inputSchema":{{"type":"object"}}}}"#);
    let answer = format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"tools":[{one}]}}}}"#);
    let claims = format!(r#"{{"sub":"user{user}","roles":["user"],"exp":1800000000}}"#);
    let token = token(r#"{"alg":"HS256"}"#, &claims);
    let json = "Content-Type: application/json\r\nContent-Length:";
    let request = format!(
        "POST /mcp HTTP/1.1\r\nHost: tools\r\nAuthorization: Bearer {token}\r\nMCP-Protocol-Version: 2025-06-18\r\n{json} {}\r\n\r\n{body}",
        body.len()
    );
    let response = format!("HTTP/1.1 200 OK\r\n{json} {}\r\n\r\n{answer}", answer.len());
    world.raw(&Client::at(user), &request, &response);
}

#[test]
fn a_tool_that_changes_for_two_readers_has_drifted_whoever_reads_first() {
    for (first, second) in [(1, 2), (2, 1)] {
        let mut world = World::new();
        (0..4).for_each(|_| [1, 2].into_iter().for_each(|user| tools(&mut world, user, "")));
        assert_eq!(count(&world, "tool-drift"), 0);
        (0..4)
            .for_each(|_| [first, second].into_iter().for_each(|user| tools(&mut world, user, " and tells")));
        assert_eq!(count(&world, "tool-drift"), 1, "{:?}", world.found);
    }
}

#[test]
fn tenants_of_one_role_each_with_a_text_of_its_own_are_no_change() {
    let mut world = World::new();
    (0..12).for_each(|turn| tools(&mut world, turn % 2, [" of A", " of B"][usize::from(turn % 2)]));
    assert_eq!(count(&world, "tool-drift"), 0, "{:?}", world.found);
}

#[test]
fn who_tries_a_token_that_is_over_is_told_however_fast_it_goes() {
    let over = token(r#"{"alg":"HS256"}"#, r#"{"sub":"jane","iat":1699000000,"exp":1699003600}"#);
    let client = Client::at(1).with(&over);
    let mut world = World::new();
    for path in 0..60 {
        world.call(&client, &format!("GET /things{path}"), "", 401, "{}");
        world.now -= 1;
    }
    assert_eq!(world.one("refused-token").1, Outcome::Blocked);
}

#[test]
fn a_body_that_is_filled_up_hides_no_field() {
    let fill: Vec<String> = (0..40).map(|n| format!(r#""f{n}":1"#)).collect();
    let mut world = World::new();
    for user in 0..8 {
        world.call(&Client::at(user), "POST /profiles", r#"{"name":"x"}"#, 201, r#"{"ok":true}"#);
    }
    let body = format!(r#"{{"name":"x","balance":1000000,{}}}"#, fill.join(","));
    world.call(&Client::at(9), "POST /profiles", &body, 201, r#"{"ok":true}"#);
    assert_eq!(count(&world, "mass-assignment"), 1);
}

#[test]
fn a_tab_that_polls_asks_for_no_further_page() {
    let client = Client::at(1).with(&jwt("user1"));
    let mut world = World::new();
    for turn in 0..40 {
        world.call(&client, &format!("GET /notifications?_={}", 1_700_000_000_000_i64 + turn), "", 403, "{}");
    }
    assert_eq!(count(&world, "exfiltration"), 0, "{:?}", world.found);
}

#[test]
fn a_long_walk_is_told_though_more_addresses_share_it() {
    let mut world = World::new();
    world.get(&Client::at(250), "/products/9000", r#"{"price":4}"#);
    for number in 0..2_400_u32 {
        let client = Client::at(u8::try_from(number % 120).unwrap()).program("Mozilla/5.0 Firefox/150");
        world.get(&client, &format!("/products/{}", 1_000 + number), r#"{"price":4}"#);
    }
    let row = |finding: &&Finding| finding.detector == "distributed-probing";
    assert_eq!(world.found.iter().filter(row).count(), 1, "{:?}", world.found);
}

#[test]
fn who_took_over_an_account_is_told_however_many_addresses_there_are() {
    let mut world = World::new();
    let at = |number: u32| Client::at(u8::try_from(number % 200).unwrap());
    let name = |number: u32| format!("name{number}");
    for turn in 0..3 {
        (0..200).for_each(|number| drop(world.login(&at(number), &name(turn * 200 + number), "pw", false)));
    }
    for taken in [7, 90, 133, 188] {
        let before = count(&world, "distributed-stuffing");
        world.login(&at(taken), &format!("other{taken}"), "pw", true);
        let told = count(&world, "distributed-stuffing") > before;
        assert!(told || taken != 7, "the first is told: {:?}", world.found);
    }
    let confirmed = |finding: &&Finding| {
        finding.detector == "distributed-stuffing" && finding.outcome == Outcome::Confirmed
    };
    assert_eq!(world.found.iter().filter(confirmed).count(), 1, "{:?}", world.found);
}

#[test]
fn a_pass_that_learns_forgets_nothing_that_was_counted() {
    let mut world = World::new();
    (0..7).for_each(|turn| drop(world.login(&Client::at(2), "jane", &format!("pw{turn}"), false)));
    world.learns(|world| (0..3).for_each(|_| drop(world.get(&Client::at(9), "/things", "{}"))));
    (7..14).for_each(|turn| drop(world.login(&Client::at(2), "jane", &format!("pw{turn}"), false)));
    assert_eq!(count(&world, "brute-force"), 1, "{:?}", world.found);
}

#[test]
fn nobody_is_judged_by_its_own_calls_where_they_are_read_twice() {
    let of = |subject: &str, role: &str| {
        token(r#"{"alg":"HS256"}"#, &format!(r#"{{"sub":"{subject}","roles":["{role}"],"exp":1800000000}}"#))
    };
    let play = |world: &mut World| {
        for user in 0..20 {
            let client = Client::at(user).with(&of(&format!("user{user}"), "customer"));
            world.get(&client, "/orders", "{}");
        }
        let admin = Client::at(100).with(&of("root", "admin"));
        (0..15).for_each(|_| drop(world.get(&admin, "/admin/reports", "{}")));
        let customer = Client::at(101).with(&of("eve", "customer"));
        (0..10).for_each(|_| drop(world.get(&customer, "/admin/reports", "{}")));
    };
    let mut once = World::new();
    play(&mut once);
    assert_eq!(count(&once, "function-level-access"), 1, "{:?}", once.found);
    let twice = World::twice(play);
    assert_eq!(count(&twice, "function-level-access"), 1, "{:?}", twice.found);
}
