//! Whose objects are, who logs in and who may do what: right on what people do, and on what is done to them.

use super::world::{Client, World, jwt, order_of, token};
use crate::{Outcome, Severity};

fn at(number: u32) -> Client {
    Client::at(u8::try_from(number % 250).unwrap())
}

fn user(number: u32) -> Client {
    at(number).with(&jwt(&format!("user{number}")))
}

/// A page about somebody.
fn profile(world: &mut World, who: &Client, whom: u32) {
    world.get(who, &format!("/users/user{whom}"), &format!(r#"{{"id":"user{whom}","name":"x"}}"#));
}

#[test]
fn a_social_network_is_for_everybody() {
    let mut world = World::new();
    for round in 0..2 {
        (0..60).for_each(|number| profile(&mut world, &user(number), number));
        // The first of them look at each other from the beginning.
        (0..12).for_each(|number| profile(&mut world, &user(number), number + 1 + round));
    }
    for number in 0..60 {
        (0..6).for_each(|other| profile(&mut world, &user(number), (number + other * 7) % 60));
    }
    world.is_quiet();
}

#[test]
fn few_users_who_open_their_own_pages_first_say_nothing_of_the_pages() {
    let mut world = World::new();
    for _ in 0..3 {
        (0..30).for_each(|number| profile(&mut world, &user(number), number));
    }
    for number in 0..30 {
        (0..6).for_each(|other| profile(&mut world, &user(number), (number + other * 7) % 30));
    }
    world.is_quiet();
}

#[test]
fn a_tenant_that_all_share_does_not_hide_whose_an_order_is() {
    let mut world = World::new();
    let order = |number: u32, user: u32| {
        format!(r#"{{"id":{number},"tenantId":"acme","customerId":"user{user}","total":1}}"#)
    };
    for number in 0..60 {
        let body = format!(r#"{{"username":"user{number}","password":"p{number}"}}"#);
        let answer = format!(
            r#"{{"access_token":"{}","user":{{"id":"user{number}","tenantId":"acme"}}}}"#,
            jwt(&format!("user{number}"))
        );
        world.call(&at(number), "POST /login", &body, 200, &answer);
        for own in [number * 2, number * 2 + 1] {
            world.get(&user(number), &format!("/orders/{}", 1000 + own), &order(1000 + own, number));
        }
    }
    world.is_quiet();
    for other in 20..24 {
        world.get(&user(7), &format!("/orders/{}", 1000 + other * 2), &order(1000 + other * 2, other));
    }
    assert_eq!(world.one("foreign-objects").0, Severity::Critical);
}

#[test]
fn another_tenants_objects_are_foreign_although_nobody_owns_them_alone() {
    let of = |number: u32| {
        let claims = format!(r#"{{"sub":"user{number}","tenant":"t{}","exp":1800000000}}"#, number % 6);
        at(number).with(&token(r#"{"alg":"HS256"}"#, &claims))
    };
    let mut world = World::new();
    for number in 0..72 {
        for ticket in [number * 12 + number % 6, number * 12 + 6 + number % 6] {
            let answer = format!(r#"{{"id":{ticket},"tenant":"t{}","text":"x"}}"#, number % 6);
            world.get(&of(number), &format!("/tickets/{ticket}"), &answer);
        }
    }
    world.is_quiet();
    for ticket in 0..5 {
        world.get(
            &of(0),
            &format!("/tickets/{ticket}"),
            &format!(r#"{{"id":{ticket},"tenant":"t{ticket}","text":"x"}}"#),
        );
    }
    assert_eq!(world.one("foreign-objects").1, Outcome::Confirmed);
}

#[test]
fn who_changes_its_own_before_it_is_told_its_name_changes_nobody_elses() {
    let mut world = World::new();
    let order = |user: u32| format!(r#"{{"id":{},"account":"ac-{}","total":1}}"#, 1000 + user, 7_000 + user);
    let me = |user: u32| format!(r#"{{"account":"ac-{}","name":"x"}}"#, 7_000 + user);
    for number in 0..120 {
        (0..2).for_each(|_| drop(world.get(&user(number), "/me", &me(number))));
        (0..2).for_each(|_| {
            drop(world.get(&user(number), &format!("/orders/{}", 1000 + number), &order(number)));
        });
    }
    let change = |world: &mut World, who: u32, whose: u32| {
        let line = format!("PUT /orders/{}", 1000 + whose);
        world.call(&user(who), &line, r#"{"total":2}"#, 200, &order(whose));
    };
    (0..120).for_each(|number| change(&mut world, number, number));
    (120..130).for_each(|newcomer| change(&mut world, newcomer, newcomer));
    world.is_quiet();
    change(&mut world, 7, 8);
    assert_eq!(world.one("foreign-objects").0, Severity::Critical);
}

#[test]
fn one_change_in_a_session_that_began_out_of_sight_may_be_the_owners() {
    let session =
        |number: u32| at(number).in_session(&format!("sid=TCS9RCeF4Hln2GjvWTDu7hzOrqv8{number:08}"));
    let told = |begins_in_sight: bool, changes: u32| {
        let mut world = World::new();
        let order = |number: u32| format!(r#"{{"id":"{number:08x}-51aa-4d4e-9c1f-0a5e5e6f7a8b","total":1}}"#);
        let change = |world: &mut World, who: u32, whose: u32| {
            let line = format!("PUT /orders/{whose:08x}-51aa-4d4e-9c1f-0a5e5e6f7a8b");
            world.call(&session(who), &line, r#"{"total":2}"#, 200, &order(whose));
        };
        if begins_in_sight {
            let answer = "HTTP/1.1 200 OK\r\nSet-Cookie: sid=TCS9RCeF4Hln2GjvWTDu7hzOrqv800000130; HttpOnly\r\nContent-Length: 0\r\n\r\n";
            world.raw(&at(130), "GET / HTTP/1.1\r\nHost: shop\r\n\r\n", answer);
        }
        for number in (0..120).chain([130]) {
            world.get(&session(number), "/orders", &format!("[{}]", order(number)));
            (0..2).for_each(|_| change(&mut world, number, number));
        }
        world.is_quiet();
        (8..8 + changes).for_each(|whose| change(&mut world, 130, whose));
        world.found.iter().filter(|finding| finding.detector == "foreign-objects").count()
    };
    assert_eq!([told(true, 1), told(false, 1), told(false, 3)], [1, 0, 1]);
}

#[test]
fn a_token_that_is_refused_teaches_nothing() {
    let mut world = World::new();
    world.shop(60);
    for victim in 10..16 {
        let claims = format!(r#"{{"sub":"user3","user_id":"user{victim}","exp":1800000000}}"#);
        let forged = Client::at(3).with(&token(r#"{"alg":"HS256"}"#, &claims));
        world.call(&forged, "GET /me", "", 401, "{}");
    }
    for victim in 10..16 {
        world.get(&user(3), &format!("/orders/{}", 1000 + victim * 2), &order_of(1000 + victim * 2, victim));
    }
    assert_eq!(world.one("foreign-objects").0, Severity::Critical);
}

#[test]
fn a_product_with_a_users_number_is_nobodys() {
    let mut world = World::new();
    for number in 1..=60 {
        let client = Client::at(number).with(&jwt(&number.to_string()));
        world.get(&client, &format!("/users/{number}"), &format!(r#"{{"id":{number}}}"#));
        world.get(&client, &format!("/users/{number}"), &format!(r#"{{"id":{number}}}"#));
    }
    let client = Client::at(1).with(&jwt("1"));
    for product in 2..20 {
        let answer = format!(r#"{{"id":{product},"price":1}}"#);
        world.get(&client, &format!("/products/{}", product * 7 % 60), &answer);
        world.call(&client, &format!("DELETE /products/{}", product * 7 % 60), "", 204, "");
    }
    world.is_quiet();
    world.call(&client, "DELETE /users/7", "", 204, "");
    assert_eq!(world.one("function-level-access").0, Severity::Critical);
}

#[test]
fn objects_that_nobody_gave_the_caller_are_told_where_peers_ask_for_what_they_were_given() {
    let mut world = World::new();
    let id = |number: u32| format!("{number:08x}-1234-4234-8234-0123456789ab");
    for number in 0..60 {
        let items: Vec<String> =
            (0..2).map(|nth| format!(r#"{{"id":"{}"}}"#, id(number * 2 + nth))).collect();
        world.get(&user(number), "/notes", &format!(r#"{{"items":[{}]}}"#, items.join(",")));
        for nth in 0..2 {
            world.get(&user(number), &format!("/notes/{}", id(number * 2 + nth)), r#"{"text":"x"}"#);
        }
    }
    world.is_quiet();
    for other in 0..8 {
        world.get(&user(5), &format!("/notes/{}", id(5_000 + other)), r#"{"text":"x"}"#);
    }
    let (severity, outcome, reason) = world.one("foreign-objects");
    assert_eq!((severity, outcome), (Severity::High, Outcome::Likely));
    assert!(reason.starts_with("8 objects given out"), "{reason}");
}

#[test]
fn what_an_answer_does_not_tell_is_no_failed_login() {
    let mut world = World::new();
    for number in 0..30_u8 {
        let body = format!(r#"{{"username":"user{number}","password":"p{number}"}}"#);
        // Answers that are not seen, a second factor, a name that is taken.
        world.call(&Client::at(1), "POST /login", &body, 0, "");
        world.call(&Client::at(number), "POST /login", &body, 0, "");
        world.call(&Client::at(2), "POST /login", &body, 200, r#"{"mfaRequired":true}"#);
        world.call(&Client::at(3), "POST /auth/register", &body, 409, r#"{"error":"taken"}"#);
    }
    world.found.retain(|finding| finding.detector != "account-farming");
    world.is_quiet();
}

#[test]
fn mutations_whose_names_hold_a_login_within_a_word_are_none() {
    let mut world = World::new();
    let many: Vec<String> = (0..20).map(|n| format!("a{n}: catalogInfo(id: {n}) {{ id }}")).collect();
    let body = format!(r#"{{"query":"query {{ {} }}"}}"#, many.join(" "));
    for _ in 0..3 {
        world.call(&Client::at(1), "POST /graphql", &body, 200, r#"{"errors":[{"message":"x"}]}"#);
    }
    assert!(world.found.iter().all(|finding| finding.detector != "brute-force"), "{:?}", world.found);
}

#[test]
fn one_login_of_many_in_a_request_that_succeeds_is_a_success() {
    let many: Vec<String> =
        (0..50).map(|n| format!(r#"a{n}: login(name: \"jane\", password: \"p{n}\") {{ token }}"#)).collect();
    let body = format!(r#"{{"query":"mutation {{ {} }}"}}"#, many.join(" "));
    let errors = vec![r#"{"message":"wrong password"}"#; 49].join(",");
    let token = jwt("jane");
    let answer = format!(r#"{{"errors":[{errors}],"data":{{"a17":{{"token":"{token}"}}}}}}"#);
    let mut world = World::new();
    world.call(&Client::at(1), "POST /graphql", &body, 200, &answer);
    let (severity, outcome, _) = world.one("brute-force");
    assert_eq!((severity, outcome), (Severity::Critical, Outcome::Confirmed));
}

#[test]
fn a_daemon_with_an_old_password_does_not_make_its_owner_a_thief() {
    let mut world = World::new();
    for _ in 0..50 {
        world.login(&Client::at(2), "backup", "old", false);
    }
    world.login(&Client::at(2), "backup", "new", true);
    world.is_quiet();
}

#[test]
fn who_mistyped_behind_an_attackers_address_is_not_taken_over() {
    let mut world = World::new();
    for name in 0..12 {
        world.login(&Client::at(2), &format!("stolen{name}"), &format!("password{name}"), false);
    }
    world.login(&Client::at(2), "stolen3", "right", true);
    assert_eq!(world.one("credential-stuffing").1, Outcome::Attempted);
}

#[test]
fn an_endpoint_with_an_early_call_without_credentials_is_judged_later() {
    let mut world = World::new();
    let answer = r#"{"email":"jane@example.com","iban":"DE89370400440532013000"}"#;
    world.get(&Client::at(99), "/invoices/5000", answer);
    (0..40)
        .for_each(|number| drop(world.get(&user(number), &format!("/invoices/{}", 5001 + number), answer)));
    world.is_quiet();
    world.get(&Client::at(98), "/invoices/5003", answer);
    assert_eq!(world.one("missing-authentication").1, Outcome::Confirmed);
}

#[test]
fn tools_that_ask_for_several_at_once_and_walk_down_are_told() {
    for down in [false, true] {
        let mut world = World::new();
        for number in 0..60_u32 {
            let shuffled = number / 5 * 5 + [2, 0, 1, 4, 3][number as usize % 5];
            let number = if down { 900 - number } else { 300 + shuffled };
            world.get(&user(1), &format!("/files/{number}"), r#"{"size":1}"#);
        }
        assert_eq!(world.one("enumeration").0, Severity::High, "{down}");
    }
}

#[test]
fn pictures_that_people_have_not_uploaded_are_no_guesses() {
    let mut world = World::new();
    for caller in 0..10 {
        for picture in 0..30 {
            let status = if (caller + picture) % 6 == 0 { 200 } else { 404 };
            world.call(&user(caller), &format!("GET /avatars/{}", 700 + picture * 13), "", status, "{}");
        }
    }
    assert!(world.found.iter().all(|finding| finding.detector != "object-guessing"), "{:?}", world.found);
}

#[test]
fn codes_in_bodies_are_guesses_as_well() {
    let mut world = World::new();
    let code = |code: u32| format!(r#"{{"code":"SPRING{code}"}}"#);
    for number in 0..30 {
        world.call(&user(number), "POST /cart/coupon", &code(number), 200, r#"{"discount":15}"#);
    }
    for guess in 0..26 {
        world.call(&user(200), "POST /cart/coupon", &code(1000 + guess), 404, r#"{"error":"unknown"}"#);
    }
    assert_eq!(world.one("object-guessing").1, Outcome::Attempted);
}

#[test]
fn clients_that_wait_to_be_asked_probe_nothing() {
    let mut world = World::new();
    for path in 0..20 {
        world.challenge(&Client::at(1), &format!("GET /shares/{path}"), "Negotiate");
    }
    world.is_quiet();
    for path in 0..20 {
        world.challenge(&Client::at(2), &format!("GET /shares/{path}"), "Bearer");
    }
    assert_eq!(world.one("unauthenticated-probing").1, Outcome::Blocked);
}

#[test]
fn who_is_refused_and_comes_back_with_a_token_probes_nothing() {
    for (same, told) in [(true, false), (false, true)] {
        let mut world = World::new();
        for path in 0..20 {
            world.call(&Client::at(1), &format!("GET /shares/{path}"), "", 401, "{}");
            let next = if same { path } else { path + 100 };
            world.get(&Client::at(1).with(&jwt("jane")), &format!("/shares/{next}"), "{}");
        }
        let found = world.found.iter().any(|finding| finding.detector == "unauthenticated-probing");
        assert_eq!(found, told, "{:?}", world.found);
    }
}

#[test]
fn who_searches_users_makes_no_accounts() {
    let mut world = World::new();
    for search in 0..20 {
        world.call(&Client::at(1), "POST /users/search", &format!(r#"{{"q":"a{search}"}}"#), 200, "{}");
        world.call(&Client::at(1), "POST /users", &format!(r#"{{"filter":"a{search}"}}"#), 200, "{}");
    }
    world.is_quiet();
}

#[test]
fn a_token_that_is_accepted_in_between_is_a_good_one() {
    let mut world = World::new();
    for path in 0..30 {
        world.call(&user(1), &format!("GET /things{path}"), "", 401, "{}");
        if path % 4 == 3 {
            world.get(&user(1), "/me", r#"{"name":"x"}"#);
        }
    }
    world.is_quiet();
}

#[test]
fn a_program_that_is_renewed_and_then_moves_is_no_second_place() {
    let mut world = World::new();
    let token = jwt("jane");
    let home = Client::at(1).with(&token);
    (0..5).for_each(|_| drop(world.get(&home, "/me", "{}")));
    (0..5).for_each(|_| drop(world.get(&home.clone().program("Mozilla/5.0 Firefox/150"), "/me", "{}")));
    let away = Client::at(77).with(&token).program("Mozilla/5.0 Firefox/150");
    (0..5).for_each(|_| drop(world.get(&away, "/me", "{}")));
    world.is_quiet();
}

#[test]
fn a_walk_of_days_is_still_one() {
    let mut world = World::new();
    world.shop(60);
    for victim in [5, 9, 20] {
        world.now += 30 * 3_600;
        world.get(&user(3), &format!("/orders/{}", 1000 + victim * 2), &order_of(1000 + victim * 2, victim));
    }
    assert_eq!(world.one("foreign-objects").0, Severity::Critical);
    let mut world = World::new();
    world.shop(60);
    for object in 0..25 {
        world.now += 1_800;
        world.call(&user(3), &format!("GET /orders/{}", 5_000 + object * 31), "", 403, "{}");
    }
    assert_eq!(world.one("denied-probes").1, Outcome::Blocked);
}

#[test]
fn steps_that_all_others_make_before_are_missed() {
    let mut world = World::new();
    for number in 0..70 {
        for step in ["checkout", "payment", "confirm"] {
            world.call(&user(number), &format!("POST /{step}"), r#"{"reference":"a"}"#, 200, "{}");
        }
    }
    // In an outage no step is made.
    (0..6).for_each(|_| drop(world.call(&user(199), "POST /payment", r#"{"reference":"a"}"#, 503, "{}")));
    world.is_quiet();
    for _ in 0..3 {
        world.call(&user(200), "POST /checkout", r#"{"reference":"a"}"#, 200, "{}");
        world.call(&user(200), "POST /confirm", r#"{"reference":"a"}"#, 200, "{}");
    }
    assert_eq!(world.one("flow-skipping").1, Outcome::Confirmed);
}

#[test]
fn methods_that_nobody_uses_are_tried() {
    for (status, outcome) in [(200, Outcome::Confirmed), (405, Outcome::Blocked)] {
        let mut world = World::new();
        (0..30).for_each(|number| {
            drop(world.get(&user(number), &format!("/prices/{number}"), r#"{"price":1}"#))
        });
        for nth in 0..6 {
            let method = ["PUT", "DELETE", "PATCH"][nth % 3];
            world.call(&user(99), &format!("{method} /prices/{nth}"), "", status, r#"{"status":"changed"}"#);
        }
        assert_eq!(
            world.found.iter().rfind(|one| one.detector == "method-swap").map(|one| one.outcome),
            Some(outcome)
        );
    }
}

#[test]
fn who_goes_on_after_the_logout_is_told() {
    let mut world = World::new();
    world.call(&user(1), "POST /logout", "", 204, "");
    // Parts of a page may come behind it.
    for nth in 0..9 {
        world.get(&user(1), ["/me", "/orders"][nth % 2], "{}");
    }
    world.is_quiet();
    world.now += 60;
    for nth in 0..5 {
        world.get(&user(1), ["/me", "/orders"][nth % 2], "{}");
    }
    assert_eq!(world.one("logged-out-token").1, Outcome::Confirmed);
}

#[test]
fn names_that_are_asked_for_where_passwords_are_reset_are_counted() {
    let mut world = World::new();
    for number in 0..20 {
        let (status, answer) = if number % 4 == 0 { (200, "{}") } else { (404, r#"{"error":"unknown"}"#) };
        let body = format!(r#"{{"email":"name{number}@mail.example"}}"#);
        world.call(&Client::at(number), "POST /auth/reset", &body, status, answer);
        world.call(&Client::at(99), "POST /auth/reset", &body, status, answer);
    }
    assert_eq!(world.one("user-enumeration").1, Outcome::Confirmed);
}

#[test]
fn who_is_given_far_more_than_its_peers_is_told() {
    let mut world = World::new();
    let page = |at: u32, records: u32| {
        let id = |nth: u32| format!(r#"{{"id":{},"owner":"acme","team":{}}}"#, at * records + nth, nth % 3);
        let items: Vec<String> = (0..records).map(id).collect();
        format!(r#"{{"items":[{}]}}"#, items.join(","))
    };
    for number in 0..12 {
        (0..4).for_each(|_| drop(world.get(&user(number), "/customers", &page(0, 20))));
    }
    // A page that asks for the same again and again takes no more of it.
    (0..200).for_each(|_| drop(world.get(&user(7), "/customers", &page(0, 20))));
    world.is_quiet();
    (0..25).for_each(|at| drop(world.get(&user(3), &format!("/customers?page={at}"), &page(at, 100))));
    assert_eq!(world.one("exfiltration").0, Severity::High);
}

#[test]
fn records_without_a_name_of_their_own_count_each_time() {
    let mut world = World::new();
    let rows = |records: u32| {
        let items: Vec<String> =
            (0..records).map(|nth| format!(r#"{{"at":{nth},"owner":"acme"}}"#)).collect();
        format!(r#"{{"rows":[{}]}}"#, items.join(","))
    };
    (0..12).for_each(|number| drop(world.get(&user(number), "/readings", &rows(20))));
    (0..25).for_each(|at| drop(world.get(&user(3), &format!("/readings?page={at}"), &rows(100))));
    assert_eq!(world.one("exfiltration").0, Severity::High);
}

#[test]
fn ids_in_variables_name_objects_too() {
    let order = |number: u32, owner: u32| {
        format!(r#"{{"data":{{"order":{{"id":"{number}","userId":"user{owner}"}}}}}}"#)
    };
    let ask = |number: u32| {
        format!(
            r#"{{"query":"query Order($id: ID!) {{ order(id: $id) {{ id userId }} }}","variables":{{"id":"{number}"}}}}"#
        )
    };
    let mut world = World::new();
    for number in 0..60 {
        for own in [number * 2, number * 2 + 1] {
            world.call(&user(number), "POST /graphql", &ask(1000 + own), 200, &order(1000 + own, number));
        }
    }
    world.is_quiet();
    for other in 20..24 {
        world.call(&user(7), "POST /graphql", &ask(1000 + other * 2), 200, &order(1000 + other * 2, other));
    }
    assert_eq!(world.one("foreign-objects").0, Severity::Critical);
    for other in 0..15 {
        let refused =
            r#"{"data":{"order":null},"errors":[{"message":"no","extensions":{"code":"FORBIDDEN"}}]}"#;
        world.call(&user(8), "POST /graphql", &ask(5000 + other), 200, refused);
    }
    assert_eq!(world.one("denied-probes").1, Outcome::Blocked);
}
