//! Small stories through the real layers in front of detectors: what each tells of an attack, and that it says nothing of what
//! people do.

mod attacks;
mod evasion;
mod given_away;
mod honest;
mod knocks;
mod learn;
mod logins;
mod others;
mod owners;
mod properties;
mod told_apart;
mod variations;
mod world;

use crate::{Outcome, Severity};
use world::{Client, World, jwt, order_of, token};

#[test]
fn who_reads_the_objects_of_others_is_told_at_the_third() {
    let mut world = World::new();
    world.shop(60);
    world.is_quiet();
    let thief = Client::at(3).with(&jwt("user3"));
    for (n, user) in [5, 9, 1].into_iter().enumerate() {
        let found =
            world.get(&thief, &format!("/orders/{}", 1000 + user * 2), &order_of(1000 + user * 2, user));
        assert_eq!(found.is_empty(), n < 2, "{n}");
    }
    let (severity, outcome, reason) = world.one("foreign-objects");
    assert_eq!((severity, outcome), (Severity::Critical, Outcome::Confirmed));
    assert!(reason.starts_with("3 objects given out and 0 objects changed, of 3 other owners"), "{reason}");
}

#[test]
fn a_role_that_reads_everybodys_objects_as_a_rule_is_no_thief() {
    let mut world = World::new();
    world.shop(20);
    let support = token(r#"{"alg":"HS256"}"#, r#"{"sub":"anna","role":"support","exp":1800000000}"#);
    for user in 0..10 {
        world.get(
            &Client::at(99).with(&support),
            &format!("/orders/{}", 1000 + user * 2),
            &order_of(1000 + user * 2, user),
        );
    }
    world.is_quiet();
}

#[test]
fn before_enough_callers_met_their_own_nothing_is_said() {
    let mut world = World::new();
    world.shop(3);
    for user in 0..3 {
        world.get(
            &Client::at(1).with(&jwt("user1")),
            &format!("/orders/{}", 1000 + user * 2),
            &order_of(1000 + user * 2, user),
        );
    }
    world.is_quiet();
}

#[test]
fn passwords_of_one_name_are_counted_and_success_is_told() {
    let mut world = World::new();
    let client = Client::at(1);
    world.login(&client, "honest", "right", true);
    for guess in 0..4 {
        world.login(&client, "honest", &format!("typo{guess}"), false);
    }
    world.login(&client, "honest", "right", true);
    world.is_quiet();
    for guess in 0..12 {
        world.login(&Client::at(2), "victim", &format!("guess{guess}"), false);
    }
    assert_eq!(world.one("brute-force").1, Outcome::Attempted);
    assert!(world.login(&Client::at(2), "victim", "found", true).contains(&"brute-force"));
    assert_eq!(
        world.found.last().map(|finding| (finding.severity, finding.outcome)),
        Some((Severity::Critical, Outcome::Confirmed))
    );
}

#[test]
fn failures_that_are_answered_with_200_are_failures() {
    let mut world = World::new();
    for guess in 0..12 {
        let body = format!(r#"{{"username":"victim","password":"guess{guess}"}}"#);
        world.call(
            &Client::at(2),
            "POST /users/v1/login",
            &body,
            200,
            r#"{"status":"fail","message":"Password is not correct"}"#,
        );
    }
    assert_eq!(world.one("brute-force").1, Outcome::Attempted);
}

#[test]
fn a_program_with_an_old_password_is_no_attack() {
    let mut world = World::new();
    for _ in 0..50 {
        world.login(&Client::at(2), "backup", "old", false);
    }
    world.is_quiet();
}

#[test]
fn many_names_from_one_address_are_stuffing_and_an_office_is_not() {
    let mut world = World::new();
    for user in 0..30 {
        world.login(&Client::at(1), &format!("colleague{user}"), "right", true);
        if user % 5 == 0 {
            world.login(&Client::at(1), &format!("colleague{user}"), "typo", false);
        }
    }
    world.is_quiet();
    for user in 0..12 {
        world.login(&Client::at(2), &format!("stolen{user}"), &format!("password{user}"), false);
    }
    let (_, outcome, reason) = world.one("credential-stuffing");
    assert_eq!(outcome, Outcome::Attempted);
    assert!(reason.ends_with("a password for each name (stuffing)."), "{reason}");
}

#[test]
fn stuffing_from_many_addresses_is_told_by_the_place() {
    let mut world = World::new();
    for user in 0..40_u8 {
        world.login(&Client::at(user), &format!("stolen{user}"), &format!("password{user}"), false);
    }
    assert_eq!(world.one("distributed-stuffing").1, Outcome::Attempted);
}

#[test]
fn a_token_from_another_network_and_program_is_stolen_and_a_phone_that_moves_is_not() {
    let mut world = World::new();
    let token = jwt("jane");
    let phone = Client::at(1).with(&token);
    for _ in 0..5 {
        world.get(&phone, "/me", r#"{"name":"x"}"#);
    }
    for network in 2..8 {
        world.get(&Client::at(network).with(&token), "/me", r#"{"name":"x"}"#);
    }
    world.is_quiet();
    for _ in 0..3 {
        world.get(&Client::at(7).with(&token), "/me", r#"{"name":"x"}"#);
        world.get(&Client::at(50).with(&token).program("python-requests/2.31"), "/me", r#"{"name":"x"}"#);
    }
    assert_eq!(world.one("token-in-two-places").0, Severity::High);
}

#[test]
fn an_account_whose_password_is_changed_from_a_strange_place_is_taken_over() {
    let mut world = World::new();
    let change = r#"{"old":"a","new":"b"}"#;
    for _ in 0..8 {
        world.get(&Client::at(1).with(&jwt("jane")), "/me", r#"{"name":"x"}"#);
    }
    world.call(&Client::at(1).with(&jwt("jane")), "POST /me/password", change, 204, "");
    world.is_quiet();
    let stranger = Client::at(90)
        .with(&token(r#"{"alg":"HS256"}"#, r#"{"sub":"jane","iat":1700000001,"exp":1800000000}"#))
        .program("curl/8.0");
    world.get(&stranger, "/me", r#"{"name":"x"}"#);
    // The owner goes on from another network: that is one difference, and takes the place of no stranger.
    world.get(&Client::at(2).with(&jwt("jane")), "/me", r#"{"name":"x"}"#);
    world.now += 1_800;
    world.call(&stranger, "POST /me/password", change, 204, "");
    assert_eq!(world.one("account-takeover").1, Outcome::Confirmed);
    let told = world.found.iter().find(|finding| finding.detector == "account-takeover");
    assert!(told.is_some_and(|told| told.reason.contains("30 min after")), "{told:?}");
}

#[test]
fn an_endpoint_that_answers_without_its_usual_credentials_is_told() {
    let mut world = World::new();
    let answer = r#"{"invoice":"A1","email":"jane@example.com","iban":"DE89370400440532013000"}"#;
    for user in 0..20 {
        world.get(
            &Client::at(user).with(&jwt(&format!("user{user}"))),
            &format!("/invoices/{}", 5000 + u32::from(user)),
            answer,
        );
    }
    world.is_quiet();
    world.get(&Client::at(77), "/invoices/5003", answer);
    assert_eq!(world.one("missing-authentication").0, Severity::High);
}

#[test]
fn unsigned_tokens_are_told_with_their_outcome() {
    let unsigned = token(r#"{"alg":"none"}"#, r#"{"sub":"admin","exp":1800000000}"#);
    for (status, outcome) in [(200, Outcome::Confirmed), (401, Outcome::Blocked)] {
        let mut world = World::new();
        world.call(&Client::at(1).with(&unsigned), "GET /me", "", status, "{}");
        world.call(&Client::at(1).with(&unsigned), "GET /me", "", status, "{}");
        assert_eq!(world.one("jwt-faults").1, outcome);
    }
}

#[test]
fn a_token_that_nobody_handed_out_is_forged() {
    let mut world = World::new();
    world.get(&Client::at(200), "/health", "{}");
    world.now += 100;
    for user in 0..100 {
        let now = world.now;
        let fresh =
            token(r#"{"alg":"HS256"}"#, &format!(r#"{{"sub":"user{user}","iat":{now},"exp":1800000000}}"#));
        let body = format!(r#"{{"username":"user{user}","password":"p{user}"}}"#);
        world.call(&Client::at(user), "POST /login", &body, 200, &format!(r#"{{"access_token":"{fresh}"}}"#));
        world.get(&Client::at(user).with(&fresh), "/me", "{}");
    }
    world.is_quiet();
    // One may have been handed out in an answer that was lost.
    for user in 0..3 {
        assert!(world.found.is_empty(), "{:?}", world.found);
        let claims = format!(r#"{{"sub":"admin{user}","iat":{},"exp":1700090000}}"#, world.now);
        world.get(&Client::at(99).with(&token(r#"{"alg":"HS256"}"#, &claims)), "/me", "{}");
    }
    assert_eq!((world.one("jwt-faults").0, world.one("jwt-faults").1), (Severity::High, Outcome::Likely));
}

#[test]
fn a_field_that_decides_about_rights_and_that_nobody_sends_is_told() {
    let mut world = World::new();
    for user in 0..8 {
        world.call(
            &Client::at(user),
            "POST /profiles",
            r#"{"name":"x","role_hint":"y"}"#,
            201,
            r#"{"name":"x"}"#,
        );
    }
    world.is_quiet();
    world.call(
        &Client::at(9),
        "POST /profiles",
        r#"{"name":"x","role":"admin"}"#,
        201,
        r#"{"name":"x","role":"admin"}"#,
    );
    assert_eq!(world.one("mass-assignment").1, Outcome::Confirmed);
}

#[test]
fn walks_through_numbers_are_told_and_what_is_ones_own_is_not() {
    let mut world = World::new();
    for number in 0..45 {
        world.get(&Client::at(1).with(&jwt("jane")), &format!("/files/{number}"), r#"{"size":1}"#);
    }
    assert_eq!(world.one("enumeration").0, Severity::High);
    let mut world = World::new();
    for number in [5, 900, 17, 3, 44, 1000, 12].into_iter().cycle().take(80) {
        world.get(&Client::at(1).with(&jwt("jane")), &format!("/files/{number}"), r#"{"size":1}"#);
    }
    world.is_quiet();
}

#[test]
fn objects_that_are_refused_one_after_the_other_are_probes() {
    let mut world = World::new();
    world.shop(20);
    for order in 0..15 {
        world.call(
            &Client::at(60).with(&jwt("thief")),
            &format!("GET /orders/{}", 1000 + order * 3),
            "",
            403,
            "{}",
        );
    }
    assert_eq!(world.one("denied-probes").1, Outcome::Blocked);
}

#[test]
fn administrators_paths_are_for_administrators() {
    let of = |role: &str| {
        token(r#"{"alg":"HS256"}"#, &format!(r#"{{"sub":"{role}1","role":"{role}","exp":1800000000}}"#))
    };
    let mut world = World::new();
    for _ in 0..10 {
        world.get(&Client::at(1).with(&of("admin")), "/admin/export", "{}");
    }
    // Whatever the path is called: customers manage their own.
    for user in 0..10 {
        world.get(&Client::at(20 + user).with(&of("user")), "/manage/subscription", "{}");
    }
    world.is_quiet();
    world.get(&Client::at(2).with(&of("user")), "/admin/export", "{}");
    assert_eq!(world.one("function-level-access").1, Outcome::Confirmed);
}

#[test]
fn what_came_of_an_injection_decides_how_bad_it_is() {
    for (value, status, answer, severity, outcome) in [
        ("1'%20or%20'1'='1", 200, r#"{"items":[]}"#, Severity::Low, Outcome::NoEffect),
        ("1'%20or%20'1'='1", 403, "{}", Severity::Informational, Outcome::Blocked),
        (
            "1'%20or%20'1'='1",
            500,
            r#"{"error":"sqlite3.OperationalError: near"}"#,
            Severity::High,
            Outcome::Likely,
        ),
        ("../../../etc/passwd", 200, "root:x:0:0:root", Severity::Critical, Outcome::Confirmed),
    ] {
        let mut world = World::new();
        world.call(&Client::at(1), &format!("GET /search?q={value}"), "", status, answer);
        world.call(&Client::at(1), &format!("GET /search?q=2{value}"), "", status, answer);
        let (found, what, _) = world.one("injection");
        assert_eq!((found, what), (severity, outcome), "{value} {status}");
    }
}

#[test]
fn the_server_that_fetches_its_own_credentials_is_told() {
    let mut world = World::new();
    let body = r#"{"url":"http://169.254.169.254/latest/meta-data/iam"}"#;
    world.call(&Client::at(1), "POST /preview", body, 200, r#"{"text":"AccessKeyId: ASIA"}"#);
    assert_eq!(world.one("ssrf").0, Severity::Critical);
    let mut world = World::new();
    world.call(&Client::at(1), "POST /preview", r#"{"url":"https://shop.example/a"}"#, 200, "{}");
    world.is_quiet();
}

#[test]
fn scanners_and_wordlists_are_told_quietly() {
    let mut world = World::new();
    for path in 0..22 {
        world.call(&Client::at(1), &format!("GET /guess{path}"), "", 404, "{}");
    }
    assert_eq!(world.one("reconnaissance").0, Severity::Low);
    let mut world = World::new();
    world.call(&Client::at(1), "GET /.env", "", 200, "DB=1");
    assert_eq!(world.one("reconnaissance").0, Severity::High);
}

#[test]
fn pages_far_larger_than_anybodys_are_told() {
    let mut world = World::new();
    for page in 0..12 {
        world.get(&Client::at(page), &format!("/items?limit={}", 10 + page), r#"{"items":[]}"#);
    }
    world.is_quiet();
    let items = format!(r#"{{"items":[{}]}}"#, vec!["1"; 400].join(","));
    world.get(&Client::at(40), "/items?limit=100000", &items);
    assert_eq!(world.one("resource-consumption").0, Severity::Medium);
}

#[test]
fn documents_that_ask_for_too_much_are_told() {
    let batch: Vec<String> =
        (0..12).map(|n| format!(r#"{{"query":"query {{ paste(id: {n}) {{ id }} }}"}}"#)).collect();
    let mut world = World::new();
    world.call(
        &Client::at(1),
        "POST /graphql",
        r#"{"query":"query { paste(id: 1) { id } }"}"#,
        200,
        r#"{"data":{}}"#,
    );
    world.is_quiet();
    world.call(&Client::at(1), "POST /graphql", &format!("[{}]", batch.join(",")), 200, r#"[{"data":{}}]"#);
    assert_eq!(world.one("graphql-abuse").0, Severity::Medium);
}

#[test]
fn codes_that_are_guessed_are_told_and_told_again_when_one_is_right() {
    let mut world = World::new();
    for user in 10..40 {
        let client = Client::at(user).with(&jwt(&format!("user{user}")));
        world.get(&client, &format!("/coupons/GIFT{user}"), r#"{"percent":5}"#);
    }
    let guesser = Client::at(1).with(&jwt("jane"));
    for code in 0..30 {
        world.call(&guesser, &format!("GET /coupons/SAVE{code}"), "", 404, "{}");
    }
    world.get(&guesser, "/coupons/SAVE99", r#"{"percent":50}"#);
    let outcomes: Vec<Outcome> = world
        .found
        .iter()
        .filter(|finding| finding.detector == "object-guessing")
        .map(|finding| finding.outcome)
        .collect();
    assert_eq!(outcomes, [Outcome::Attempted, Outcome::Confirmed]);
}

#[test]
fn an_answer_with_everybodys_passwords_is_told_once() {
    let users: Vec<String> = (0..12)
        .map(|n| format!(r#"{{"email":"u{n}@example.com","password":"Station-Nia9{n}57B"}}"#))
        .collect();
    let answer = format!(r#"{{"users":[{}]}}"#, users.join(","));
    let mut world = World::new();
    world.get(&Client::at(1), "/users/_debug", &answer);
    world.get(&Client::at(2), "/users/_debug", &answer);
    assert_eq!(world.one("excessive-exposure").0, Severity::Critical);
}

#[test]
fn calls_like_a_clock_are_a_programs() {
    let mut world = World::new();
    let others = |world: &mut World, calls: u8| {
        for call in 0..calls {
            let client = Client::at(10 + call % 30).with(&jwt(&format!("user{}", call % 30)));
            world.get(&client, "/stock/7", r#"{"stock":0}"#);
        }
    };
    let clock = |world: &mut World| {
        for _ in 0..110 {
            world.get(&Client::at(1).with(&jwt("jane")), "/stock/7", r#"{"stock":0}"#);
        }
    };
    others(&mut world, 30);
    // How often others come is not known in the first hours.
    clock(&mut world);
    world.is_quiet();
    world.now += 90_000;
    clock(&mut world);
    assert_eq!(world.one("bot-timing").0, Severity::Low);
    // What a page asks for by itself, it asks for everybody.
    let mut world = World::new();
    (0..10).for_each(|_| others(&mut world, 240));
    for _ in 0..110 {
        world.get(&Client::at(1).with(&jwt("jane")), "/stock/7", r#"{"stock":0}"#);
    }
    world.is_quiet();
    let mut world = World::new();
    others(&mut world, 30);
    for call in 0..110_i64 {
        world.now += call * 7 % 5;
        world.get(&Client::at(1).with(&jwt("jane")), "/stock/7", r#"{"stock":0}"#);
    }
    world.is_quiet();
}

#[test]
fn who_tries_paths_without_credentials_is_told_when_all_are_refused() {
    let mut world = World::new();
    for path in 0..16 {
        world.call(&Client::at(1), &format!("GET /private{}", path % 8), "", 401, "{}");
    }
    assert_eq!(world.one("unauthenticated-probing").1, Outcome::Blocked);
}

#[test]
fn a_household_that_shares_an_account_is_no_thief() {
    let mut world = World::new();
    world.shop(20);
    for order in [1010, 1011, 1010] {
        world.get(&Client::at(3).with(&jwt("user3")), &format!("/orders/{order}"), &order_of(order, 5));
    }
    world.is_quiet();
}

#[test]
fn a_token_that_is_refused_everywhere_is_tried() {
    let mut world = World::new();
    for path in 0..15 {
        world.call(&Client::at(1).with(&jwt("old")), &format!("GET /things{}", path % 6), "", 401, "{}");
    }
    assert_eq!(world.one("refused-token").1, Outcome::Blocked);
}

#[test]
fn an_identifier_that_is_sent_twice_is_told_and_a_list_is_not() {
    let mut world = World::new();
    for user in 0..6 {
        world.get(&Client::at(user), &format!("/payslips?userId={user}"), "{}");
    }
    world.is_quiet();
    world.get(&Client::at(9), "/payslips?userId=9&userId=1", "{}");
    assert_eq!(world.one("parameter-pollution").1, Outcome::Likely);
    let mut world = World::new();
    for user in 0..9 {
        world.get(&Client::at(user), &format!("/items?id={user}&id={}", user + 1), "{}");
    }
    world.is_quiet();
}

#[test]
fn who_provokes_stack_traces_reads_them() {
    let mut world = World::new();
    for path in 0..5 {
        let trace = r#"{"error":"Traceback (most recent call last): x"}"#;
        world.call(&Client::at(1), &format!("GET /accounts/%00{path}"), "", 500, trace);
    }
    assert_eq!(world.one("error-probing").0, Severity::Medium);
}

#[test]
fn many_accounts_from_one_address_are_farmed() {
    let mut world = World::new();
    for account in 0..9 {
        let body = format!(r#"{{"email":"a{account}@mail.example","name":"x"}}"#);
        world.call(&Client::at(1), "POST /register", &body, 201, r#"{"ok":true}"#);
    }
    assert_eq!(world.one("account-farming").0, Severity::Medium);
}
