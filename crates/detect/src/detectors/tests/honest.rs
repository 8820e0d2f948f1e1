//! What people and their programs do that looks like an attack, each beside the attack that it looks like.

use super::world::{Client, World, jwt, token};
use crate::Outcome;

fn user(number: u8) -> Client {
    Client::at(number).with(&jwt(&format!("user{number}")))
}

#[track_caller]
fn never_says(world: &World, detector: &str) {
    assert!(world.found.iter().all(|finding| finding.detector != detector), "{:?}", world.found);
}

#[test]
fn a_page_that_wakes_with_an_expired_token_tries_nothing() {
    let over = token(r#"{"alg":"HS256"}"#, r#"{"sub":"jane","iat":1699000000,"exp":1699003600}"#);
    let client = Client::at(1).with(&over);
    let mut world = World::new();
    for panel in 0..7 {
        world.call(&client, &format!("GET /panels{panel}"), "", 401, "{}");
    }
    world.is_quiet();
    for path in 0..14 {
        world.call(&client, &format!("GET /things{path}"), "", 401, "{}");
    }
    assert_eq!(world.one("refused-token").1, Outcome::Blocked);
}

#[test]
fn pictures_that_are_missing_for_everybody_are_no_probes() {
    let mut world = World::new();
    for caller in 0..10 {
        for picture in 0..30 {
            let status = if (u32::from(caller) + picture) % 12 == 0 { 200 } else { 404 };
            world.call(&user(caller), &format!("GET /avatars/{}", 700 + picture * 13), "", status, "{}");
        }
    }
    never_says(&world, "denied-probes");
    for order in 0..60 {
        world.get(&user(order), &format!("/orders/{}", 400 + u32::from(order) * 7), r#"{"total":4}"#);
    }
    for order in 0..20 {
        world.call(&user(90), &format!("GET /orders/{}", 9000 + order * 31), "", 404, "{}");
    }
    assert_eq!(world.one("denied-probes").1, Outcome::Attempted);
}

#[test]
fn sentences_about_filters_and_addresses_are_none() {
    let mut world = World::new();
    for text in [
        "*)(cn= wildcard",
        "http://localhost:8080 what is it",
        "*)(uid=*)) in ldap, how?",
        "rO0ABXNyABFqYXZhLnV0aWwu is how it starts",
    ] {
        world.call(&Client::at(1), "POST /search", &format!(r#"{{"q":"{text}"}}"#), 200, r#"{"items":[]}"#);
    }
    world.is_quiet();
    world.call(&Client::at(3), "POST /state", r#"{"q":"rO0ABXNyABFqYXZhLnV0aWwu"}"#, 200, "{}");
    assert_eq!(world.found.pop().map(|finding| finding.detector), Some("injection"));
    world.call(&Client::at(2), "POST /search", r#"{"q":"*)(uid=*))(|(uid=*"}"#, 200, r#"{"items":[]}"#);
    world.call(&Client::at(2), "POST /fetch", r#"{"url":"http://localhost:8080/x"}"#, 200, "{}");
    assert_eq!(world.one("injection").1, Outcome::NoEffect);
    assert_eq!(world.one("ssrf").1, Outcome::Attempted);
}

#[test]
fn dashboards_ask_by_aliases() {
    let document = |count: u32| {
        let asked: Vec<String> = (0..count).map(|n| format!("m{n}: metric(id: {n}) {{ value }}")).collect();
        format!(r#"{{"query":"query {{ {} }}"}}"#, asked.join(" "))
    };
    let mut world = World::new();
    for number in 0..12 {
        world.call(&user(number % 3), "POST /graphql", &document(1), 200, r#"{"data":{}}"#);
        world.call(&user(number % 3), "POST /graphql", &document(28), 200, r#"{"data":{}}"#);
    }
    world.is_quiet();
    world.call(&user(9), "POST /graphql", &document(180), 200, r#"{"data":{}}"#);
    assert_eq!(world.one("graphql-abuse").1, Outcome::Confirmed);
}

#[test]
fn settings_that_are_called_admin_are_ones_own() {
    let of = |role: &str| {
        token(r#"{"alg":"HS256"}"#, &format!(r#"{{"sub":"{role}1","role":"{role}","exp":1800000000}}"#))
    };
    let mut world = World::new();
    world.get(&Client::at(1).with(&of("user")), "/api/admin-settings/mine", "{}");
    world.is_quiet();
    world.get(&Client::at(1).with(&of("user")), "/api/admin/accounts", "{}");
    assert_eq!(world.one("function-level-access").1, Outcome::Likely);
}

#[test]
fn parts_of_an_upload_are_numbered_from_its_beginning() {
    let mut world = World::new();
    for upload in ["a81bc81bdead4e5d", "c56a418065aa426c", "7d444840ffc04b2e"] {
        for part in 1..=60 {
            world.call(&user(1), &format!("PUT /uploads/{upload}/parts/{part}"), r#"{"x":1}"#, 200, "{}");
        }
    }
    never_says(&world, "enumeration");
    for order in 0..45 {
        let path = format!("/uploads/a81bc81bdead4e5d/parts/{}", 5_000 + order);
        world.get(&user(2), &path, r#"{"size":1}"#);
    }
    assert_eq!(world.one("enumeration").1, Outcome::Confirmed);
}

#[test]
fn parts_are_numbered_in_each_upload_whatever_it_is_called() {
    let mut world = World::new();
    (1..=60).for_each(|part| {
        drop(world.call(&user(1), &format!("PUT /uploads/spring/parts/{part}"), r#"{"x":1}"#, 200, "{}"))
    });
    never_says(&world, "enumeration");
    for order in 5_000..5_045 {
        world.call(&user(2), &format!("PUT /uploads/spring/parts/{order}"), r#"{"x":1}"#, 200, "{}");
    }
    assert_eq!(world.one("enumeration").1, Outcome::Confirmed);
}

#[test]
fn pictures_of_a_folder_are_one_thing_to_look_for() {
    for (ending, told) in [("jpg", false), ("bak", true)] {
        let mut world = World::new();
        for number in 0..40 {
            let path = format!("GET /avatars/Person{}.{ending}", char::from(b'A' + number % 26));
            world.call(
                &user(1),
                &format!("{path}{}", if number < 26 { "" } else { "?again" }),
                "",
                404,
                "{}",
            );
        }
        let found = world.found.iter().any(|finding| finding.detector == "reconnaissance");
        assert_eq!(found, told, "{:?}", world.found);
    }
}

#[test]
fn old_links_of_many_behind_one_address_are_no_reconnaissance() {
    for (calls, told) in [(["200", "404"], false), (["404", "404"], true)] {
        let mut world = World::new();
        for status in calls.map(|status| status.parse().unwrap()) {
            for number in 0..30 {
                let kind = char::from(b'a' + number % 26);
                let path = format!(
                    "GET /api/{kind}{kind}{}s/{}",
                    number / 26,
                    if status == 200 { 17 } else { 4_711 }
                );
                world.call(
                    &Client::at(9).with(&jwt(&format!("user{number}"))),
                    &path,
                    "",
                    status,
                    r#"{"id":17}"#,
                );
            }
        }
        let found = world.found.iter().any(|finding| finding.detector == "reconnaissance");
        assert_eq!(found, told, "{:?}", world.found);
    }
}

#[test]
fn the_doors_of_one_product_are_one_thing_to_look_for() {
    let editor = ["/wp-login.php", "/wp-admin/", "/wp-admin/post.php", "/wp-admin/admin-ajax.php"];
    let scanner = ["/wp-login.php", "/.env", "/.git/config", "/phpinfo.php"];
    let folders = ["/.env", "/app/.env", "/api/.env", "/old/.env"];
    for (paths, told) in [(editor, false), (scanner, true), (folders, true)] {
        let mut world = World::new();
        for path in paths {
            world.call(&user(1), &format!("GET {path}"), "", 302, "");
        }
        let found = world.found.iter().any(|finding| finding.detector == "reconnaissance");
        assert_eq!(found, told, "{:?}", world.found);
    }
}

#[test]
fn what_one_other_found_says_nothing_of_pictures() {
    for (others, told) in [(1, false), (10, true)] {
        let mut world = World::new();
        for caller in 0..others {
            for picture in 0..6 {
                world.call(&user(caller), &format!("GET /avatars/{}", 700 + picture * 13), "", 200, "{}");
            }
        }
        for picture in 0..30 {
            world.call(&user(99), &format!("GET /avatars/{}", 7_000 + picture * 13), "", 404, "{}");
        }
        let found = world.found.iter().any(|finding| finding.detector == "denied-probes");
        assert_eq!(found, told, "{others}: {:?}", world.found);
    }
}

#[test]
fn lines_that_are_slow_have_a_client_each() {
    let mut world = World::new();
    world.sending = 2_500;
    for client in 0..20 {
        world.now += 1_200;
        world.call(&user(client), "POST /attachments", r#"{"text":"x"}"#, 201, "{}");
    }
    never_says(&world, "slow-requests");
    for _ in 0..24 {
        world.now += 600;
        world.call(&user(99), "POST /attachments", r#"{"text":"x"}"#, 201, "{}");
    }
    assert_eq!(world.one("slow-requests").1, Outcome::Attempted);
}

#[test]
fn a_question_of_a_long_form_that_is_seldom_answered_assigns_nothing() {
    let fields: Vec<String> = (0..80).map(|n| format!(r#""f{n}":1"#)).collect();
    let form = |more: &str| format!("{{{}{more}}}", fields.join(","));
    let told = r#"{"reference":"x","state":"received"}"#;
    let mut world = World::new();
    for user in 0..30 {
        let more = if user == 20 { r#","balance":1200"# } else { "" };
        world.call(&Client::at(user), "POST /enquiries", &form(more), 201, told);
    }
    world.is_quiet();
    let body = r#"{"name":"x","role":"admin"}"#;
    (0..8).for_each(|n| drop(world.call(&Client::at(n), "POST /profiles", r#"{"name":"x"}"#, 201, told)));
    world.call(&Client::at(9), "POST /profiles", body, 201, body);
    assert_eq!(world.one("mass-assignment").1, Outcome::Confirmed);
}

#[test]
fn what_is_made_for_somebody_else_is_not_taken_from_it() {
    let owned = |order: u32, owner: u8| format!(r#"{{"id":{order},"customer_id":"user{owner}","total":10}}"#);
    let mut world = World::new();
    for number in 0..60 {
        for order in [0, 1] {
            let order = 1000 + u32::from(number) * 2 + order;
            world.call(&user(number), "POST /orders", r#"{"total":10}"#, 201, &owned(order, number));
            world.call(
                &user(number),
                &format!("PUT /orders/{order}"),
                r#"{"total":9}"#,
                200,
                &owned(order, number),
            );
        }
    }
    world.call(&user(3), "POST /orders", r#"{"total":10}"#, 201, &owned(5000, 9));
    world.is_quiet();
    world.call(&user(3), "PUT /orders/1010", r#"{"total":9}"#, 200, &owned(1010, 5));
    assert_eq!(world.one("foreign-objects").1, Outcome::Confirmed);
}

/// Users who log in, and use the token that they were handed.
fn logged_in(world: &mut World, users: u32) {
    world.get(&Client::at(250), "/health", "{}");
    world.now += 100;
    for number in 0..users {
        let token = fresh(world, &format!("user{number}"));
        let body = format!(r#"{{"username":"user{number}","password":"p{number}"}}"#);
        let client = Client::at(u8::try_from(number % 200).unwrap());
        world.call(&client, "POST /login", &body, 200, &format!(r#"{{"access_token":"{token}"}}"#));
        world.get(&client.with(&token), "/me", "{}");
    }
}

fn fresh(world: &World, subject: &str) -> String {
    let claims = format!(r#"{{"sub":"{subject}","iat":{},"exp":1900000000}}"#, world.now);
    token(r#"{"alg":"HS256"}"#, &claims)
}

#[test]
fn who_logged_in_elsewhere_forged_nothing() {
    let mut world = World::new();
    logged_in(&mut world, 220);
    let moved = fresh(&world, "moved");
    (0..3).for_each(|_| drop(world.get(&Client::at(230).with(&moved), "/me", "{}")));
    world.is_quiet();
    for victim in 0..3 {
        let forged = fresh(&world, &format!("admin{victim}"));
        world.get(&Client::at(231).with(&forged), "/me", "{}");
    }
    never_says(&world, "missing-authentication");
    assert_eq!(world.one("jwt-faults").1, Outcome::Likely);
}

#[test]
fn logins_whose_answers_were_lost_hand_out_tokens() {
    let mut world = World::new();
    logged_in(&mut world, 30);
    for number in 0..4 {
        let token = fresh(&world, &format!("colleague{number}"));
        let body = format!(r#"{{"username":"colleague{number}","password":"p"}}"#);
        world.call(&Client::at(240), "POST /login", &body, 0, "");
        world.get(&Client::at(240).with(&token), "/me", "{}");
    }
    never_says(&world, "jwt-faults");
}

#[test]
fn who_logs_in_elsewhere_from_an_attackers_address_is_not_taken_over() {
    let mut world = World::new();
    for name in 0..12 {
        world.login(&Client::at(2), &format!("stolen{name}"), &format!("password{name}"), false);
    }
    let body = r#"{"username":"neighbour","password":"right"}"#;
    let answer = format!(r#"{{"access_token":"{}"}}"#, jwt("neighbour"));
    world.call(&Client::at(2), "POST /shop/login", body, 200, &answer);
    assert_eq!(world.one("credential-stuffing").1, Outcome::Attempted);
    world.login(&Client::at(2), "taken", "right", true);
    assert_eq!(world.found.last().map(|finding| finding.outcome), Some(Outcome::Confirmed));
}

#[test]
fn a_takeover_is_told_though_logins_alternate_between_two_places() {
    let mut world = World::new();
    let client = Client::at(2);
    for number in 0..60 {
        let user = format!("user{number}");
        let body = format!(r#"{{"username":"{user}","password":"pw{number}"}}"#);
        let place = ["POST /login", "POST /v2/login"][number % 2];
        match number {
            40 | 45 | 51 => {
                world.call(&client, place, &body, 200, &format!(r#"{{"access_token":"{}"}}"#, jwt(&user)))
            }
            _ => world.call(&client, place, &body, 401, r#"{"error":"wrong"}"#),
        };
    }
    let taken = |finding: &&crate::Finding| finding.outcome == Outcome::Confirmed;
    assert_eq!(world.found.iter().filter(taken).count(), 1, "{:?}", world.found);
}

#[test]
fn a_colleague_of_who_mistyped_is_no_loot_of_an_attack() {
    let mut world = World::new();
    world.login(&Client::at(200), "mistyped", "typo", false);
    for name in 0..40_u8 {
        world.login(&Client::at(name / 2), &format!("stolen{name}"), &format!("password{name}"), false);
    }
    world.login(&Client::at(200).program("Mozilla/5.0 Firefox/150"), "colleague", "right", true);
    assert_eq!(world.one("distributed-stuffing").1, Outcome::Attempted);
    world.login(&Client::at(3), "taken", "right", true);
    assert_eq!(world.found.last().map(|finding| finding.outcome), Some(Outcome::Confirmed));
}

#[test]
fn what_one_asks_for_long_after_guesses_is_no_guess() {
    let mut world = World::new();
    for number in 0..30 {
        world.get(&user(number), &format!("/codes/{}", 500 + u32::from(number) * 3), r#"{"good":true}"#);
    }
    let guesses = |world: &mut World, from: u32| {
        for guess in from..from + 26 {
            world.call(&user(200), &format!("GET /codes/{}", 9000 + guess * 17), "", 404, "{}");
        }
    };
    guesses(&mut world, 0);
    world.now += 3_600;
    world.get(&user(200), "/codes/555", r#"{"good":true}"#);
    assert_eq!(world.one("object-guessing").1, Outcome::Attempted);
    guesses(&mut world, 100);
    world.get(&user(200), "/codes/566", r#"{"good":true}"#);
    assert_eq!(world.found.last().map(|finding| finding.outcome), Some(Outcome::Confirmed));
}

#[test]
fn probes_of_many_accounts_are_told_by_the_place_and_a_broken_release_is_not() {
    let order = |number: u32| format!("/orders/{}", 40_000 + number * 37);
    let mut world = World::new();
    let refuses = |world: &mut World, others: bool| {
        for turn in 0..5_u32 {
            for account in 0..10_u8 {
                let number = turn * 10 + u32::from(account);
                let line = format!("GET {}", order(500 + number));
                world.call(&user(100 + account), &line, "", 403, "{}");
                if others {
                    world.get(&user(account), &order(u32::from(account)), r#"{"total":4}"#);
                }
            }
        }
    };
    for number in 0..40 {
        world.get(&user(number), &order(u32::from(number)), r#"{"total":4}"#);
    }
    world.now += 7_200;
    refuses(&mut world, false);
    never_says(&world, "distributed-probing");
    world.now += 7_200;
    refuses(&mut world, true);
    assert_eq!(world.one("distributed-probing").1, Outcome::Blocked);
}

#[test]
fn a_walk_of_many_addresses_is_told_by_the_place_and_new_orders_are_not() {
    let mut world = World::new();
    for number in 0..120_u8 {
        world.get(&user(number), &format!("/receipts/{}", 7_000 + u32::from(number)), r#"{"total":4}"#);
    }
    never_says(&world, "distributed-probing");
    for number in 0..120_u32 {
        let client = Client::at(200 + u8::try_from(number % 12).unwrap()).program("Mozilla/5.0 Firefox/150");
        world.get(&client, &format!("/products/{}", 300 + number), r#"{"price":4}"#);
        if number % 5 == 0 {
            world.get(&user(1), &format!("/products/{}", 9_000 - number * 40), r#"{"price":4}"#);
        }
    }
    assert_eq!(world.one("distributed-probing").1, Outcome::Confirmed);
}

#[test]
fn names_of_a_mailing_are_asked_for_by_one_address_each() {
    let ask = |world: &mut World, address: u8, name: u32, status: u16| {
        let body = format!(r#"{{"email":"person{name}@example.org"}}"#);
        world.call(&Client::at(address), "POST /password/reset", &body, status, "{}");
    };
    let mut world = World::new();
    (0..90_u8).for_each(|number| ask(&mut world, number, number.into(), 200));
    never_says(&world, "distributed-probing");
    world.now += 7_200;
    for name in 0..60 {
        ask(
            &mut world,
            100 + u8::try_from(name % 8).unwrap(),
            500 + name,
            if name % 4 == 0 { 200 } else { 404 },
        );
    }
    assert_eq!(world.one("distributed-probing").1, Outcome::Confirmed);
}

#[test]
fn pages_that_are_refused_one_after_the_other_are_an_attempt() {
    let mut world = World::new();
    for page in 0..30 {
        let page = page % 3;
        world.call(&user(1), &format!("GET /exports?page={page}"), "", 403, "{}");
    }
    never_says(&world, "exfiltration");
    for page in 0..30 {
        world.call(&user(2), &format!("GET /exports?page={page}"), "", 403, "{}");
    }
    assert_eq!(world.one("exfiltration").1, Outcome::Blocked);
}
