//! Honest stories that look like attacks, each beside the attack that it is to be told from.

use super::world::{Client, World, jwt, order_of, token};
use crate::{Outcome, Severity};

/// A token of that subject which begins now.
fn fresh(world: &World, subject: &str, seconds: i64) -> String {
    let (begin, end) = (world.now, world.now + seconds);
    token(r#"{"alg":"HS256"}"#, &format!(r#"{{"sub":"{subject}","iat":{begin},"exp":{end}}}"#))
}

/// Somebody logs in in sight and calls.
fn comes(world: &mut World, client: &Client, subject: &str, seconds: i64) {
    let fresh = fresh(world, subject, seconds);
    let body = format!(r#"{{"username":"{subject}","password":"p-{subject}"}}"#);
    world.call(client, "POST /login", &body, 200, &format!(r#"{{"access_token":"{fresh}"}}"#));
    world.get(&client.clone().with(&fresh), "/me", "{}");
}

/// Somebody calls with a token that nobody saw being handed out.
fn shows(world: &mut World, client: &Client, subject: &str, seconds: i64) {
    let fresh = fresh(world, subject, seconds);
    world.get(&client.clone().with(&fresh), "/me", "{}");
}

fn opened() -> World {
    let mut world = World::new();
    world.get(&Client::at(200), "/health", "{}");
    world.now += 100;
    world
}

#[test]
fn people_who_logged_in_elsewhere_sit_behind_one_address_and_a_forger_shows_nothing_else() {
    let mut world = opened();
    for user in 0..120 {
        comes(&mut world, &Client::at(user), &format!("user{user}"), 3_600);
    }
    for user in 120..126 {
        shows(&mut world, &Client::at(user), &format!("user{user}"), 3_600);
    }
    for user in 0..15 {
        let subject = format!("colleague{user}");
        let step = if user % 5 == 4 { shows } else { comes };
        step(&mut world, &Client::at(199), &subject, 3_600);
    }
    world.is_quiet();
    for user in 0..8 {
        shows(&mut world, &Client::at(198), &format!("victim{user}"), 3_600);
    }
    assert_eq!(world.one("jwt-faults").1, Outcome::Likely);
}

#[test]
fn one_token_for_years_is_told_unless_the_service_hands_out_such() {
    for (usual, told) in [(3_600, true), (9 * 365 * 86_400, false)] {
        let mut world = opened();
        for user in 0..30 {
            comes(&mut world, &Client::at(user), &format!("user{user}"), usual);
        }
        shows(&mut world, &Client::at(99), "jane", 10 * 365 * 86_400);
        assert_eq!(!world.found.is_empty(), told, "{:?}", world.found);
    }
}

#[test]
fn two_forged_tokens_are_enough_where_all_others_were_handed_out() {
    for (elsewhere, forged, told) in [(0, 1, false), (0, 2, true), (6, 2, false)] {
        let mut world = opened();
        for user in 0..220 {
            comes(&mut world, &Client::at(user), &format!("user{user}"), 3_600);
        }
        for user in 0..elsewhere {
            shows(&mut world, &Client::at(220 + user), &format!("guest{user}"), 3_600);
        }
        for user in 0..forged {
            shows(&mut world, &Client::at(240), &format!("admin{user}"), 3_600);
        }
        let found = world.found.iter().any(|finding| finding.detector == "jwt-faults");
        assert_eq!(found, told, "{elsewhere} {forged}: {:?}", world.found);
    }
}

#[test]
fn who_comes_again_from_where_nobody_looks_is_one_person() {
    let rights = |world: &World, subject: &str, role: &str| {
        let (begin, end) = (world.now, world.now + 3_600);
        let claims = format!(r#"{{"sub":"{subject}","role":"{role}","iat":{begin},"exp":{end}}}"#);
        token(r#"{"alg":"HS256"}"#, &claims)
    };
    for (persons, roles, told) in [(1, 1, false), (4, 1, true), (1, 4, true)] {
        let mut world = opened();
        for user in 0..220 {
            comes(&mut world, &Client::at(user), &format!("user{user}"), 3_600);
        }
        for nth in 0..8 {
            let (subject, role) = (format!("guest{}", nth % persons), format!("role{}", nth % roles));
            let fresh = rights(&world, &subject, &role);
            world.get(&Client::at(240).with(&fresh), "/me", "{}");
        }
        let found = world.found.iter().any(|finding| finding.detector == "jwt-faults");
        assert_eq!(found, told, "{persons} {roles}: {:?}", world.found);
    }
}

#[test]
fn a_token_without_an_end_lasts_longest() {
    let made = |begin: i64, rest: &str| {
        let claims = format!(r#"{{"sub":"jane","iat":{begin}{rest}}}"#);
        token(r#"{"alg":"HS256"}"#, &claims)
    };
    let (role, year) = (r#","role":"admin""#, 365 * 86_400);
    for (usual, role, end, severity) in [
        (3_600, "", None, Some(Severity::Medium)),
        (3_600, "", Some(year), Some(Severity::Medium)),
        (3_600, role, None, Some(Severity::High)),
        (3_600, "", Some(30 * 86_400), None),
        (year, "", Some(2 * year), None),
    ] {
        let mut world = opened();
        for user in 0..30 {
            comes(&mut world, &Client::at(user), &format!("user{user}"), usual);
        }
        let end = end.map_or(String::new(), |end| format!(r#","exp":{}"#, world.now + end));
        let token = made(world.now, &format!("{role}{end}"));
        world.get(&Client::at(99).with(&token), "/me", "{}");
        let told = world.found.iter().find(|finding| finding.detector == "jwt-faults");
        assert_eq!(told.map(|finding| finding.severity), severity, "{usual} {end}: {:?}", world.found);
    }
}

#[test]
fn tokens_after_their_end_are_told_where_few_go_on_with_them() {
    for (late, told) in [(1, true), (20, false)] {
        let mut world = opened();
        let tokens: Vec<String> = (0..40).map(|user| fresh(&world, &format!("user{user}"), 600)).collect();
        for (user, token) in (0..40).zip(&tokens) {
            world.get(&Client::at(user).with(token), "/orders", "{}");
            world.get(&Client::at(user).with(token), "/me", "{}");
        }
        world.now += 3_600;
        for nth in 0..60 {
            let user = nth % late;
            let client = Client::at(user).with(&tokens[usize::from(user)]);
            world.get(&client, ["/orders", "/me"][usize::from(nth / late) % 2], "{}");
        }
        let found = world.found.iter().any(|finding| finding.detector == "expired-token");
        assert_eq!(found, told, "{:?}", world.found);
    }
}

#[test]
fn a_token_that_was_over_when_it_was_handed_out_is_no_old_copy() {
    // Handed out so many seconds after its end: a clock is wrong; before it, somebody goes on with it.
    for (after, told) in [(7_200, false), (-600, true)] {
        let mut world = opened();
        for user in 0..60 {
            let subject = format!("user{user}");
            let client = Client::at(user).with(&fresh(&world, &subject, 86_400));
            world.get(&client, "/orders", "{}");
            world.get(&client, "/me", "{}");
        }
        let (begin, end) = (world.now - 40_000, world.now - after);
        let old = token(r#"{"alg":"HS256"}"#, &format!(r#"{{"sub":"late","iat":{begin},"exp":{end}}}"#));
        let body = r#"{"username":"late","password":"p-late"}"#;
        let answer = format!(r#"{{"access_token":"{old}","expires_in":3600}}"#);
        world.call(&Client::at(99), "POST /login", body, 200, &answer);
        world.now += 5_000;
        for nth in 0..20 {
            world.get(&Client::at(99).with(&old), ["/orders", "/me"][nth % 2], "{}");
        }
        let found = world.found.iter().any(|finding| finding.detector == "expired-token");
        assert_eq!(found, told, "{after}: {:?}", world.found);
    }
}

#[test]
fn what_answers_everybody_looks_at_no_token() {
    let mut world = opened();
    let tokens: Vec<String> = (0..40).map(|user| fresh(&world, &format!("user{user}"), 600)).collect();
    for (user, token) in (0..40).zip(&tokens) {
        world.get(&Client::at(user).with(token), "/prices", "{}");
        world.get(&Client::at(100 + user), "/prices", "{}");
        world.get(&Client::at(user).with(token), "/news", "{}");
        world.get(&Client::at(100 + user), "/news", "{}");
    }
    world.now += 3_600;
    (0..20).for_each(|nth| {
        drop(world.get(&Client::at(1).with(&tokens[1]), ["/prices", "/news"][nth % 2], "{}"))
    });
    world.is_quiet();
}

#[test]
fn a_page_that_waits_for_one_order_is_no_bot_and_who_watches_several_is() {
    for (watched, told) in [(1, false), (3, true)] {
        let mut world = World::new();
        let item = r#"{"title":"lamp","stock":3}"#;
        for user in 0..40 {
            for nth in 0..12_u32 {
                let path = format!("/items/{}", 600 + u32::from(user) * 13 + nth * 7);
                world.get(&Client::at(user).with(&jwt(&format!("user{user}"))), &path, item);
            }
        }
        for nth in 0..110_u32 {
            world.now += 59;
            world.get(
                &Client::at(99).with(&jwt("watcher")),
                &format!("/items/{}", 700 + nth % watched),
                item,
            );
        }
        let found = world.found.iter().any(|finding| finding.detector == "bot-timing");
        assert_eq!(found, told, "{:?}", world.found);
    }
}

fn tries(world: &mut World, user: u8, code: &str, right: bool) {
    let (status, answer) = if right { (200, r#"{"discount":15}"#) } else { (404, r#"{"error":"unknown"}"#) };
    let body = format!(r#"{{"code":"{code}"}}"#);
    world.call(
        &Client::at(user).with(&jwt(&format!("user{user}"))),
        "POST /cart/coupon",
        &body,
        status,
        answer,
    );
}

#[test]
fn codes_that_many_accounts_guess_are_told_and_typos_are_not() {
    let mut world = World::new();
    for user in 0..40 {
        tries(&mut world, user, &format!("typo{user}"), false);
        tries(&mut world, user, &format!("Typo{user}"), false);
        tries(&mut world, user, "SUMMER", true);
    }
    world.is_quiet();
    world.now += 7_200;
    for nth in 0..80 {
        tries(&mut world, 100 + nth % 10, &format!("guess{nth}"), false);
    }
    assert_eq!(world.one("distributed-probing").1, Outcome::Attempted);
    world.found.clear();
    tries(&mut world, 101, "RIGHT", true);
    assert_eq!(world.one("distributed-probing").1, Outcome::Confirmed);
}

#[test]
fn codes_are_guessed_where_nobody_was_ever_right() {
    let mut world = World::new();
    for nth in 0..30 {
        tries(&mut world, 1, &format!("guess{nth}"), false);
    }
    assert_eq!(world.one("object-guessing").1, Outcome::Attempted);
}

#[test]
fn one_address_that_takes_many_objects_without_credentials_is_told_and_a_public_page_is_not() {
    let session = r#"{"id":7,"at":"2026-01-06T10:00:00Z","room":"B2"}"#;
    for (addresses, told) in [(1, true), (12, false)] {
        let mut world = World::new();
        for nth in 0..260 {
            let user = u8::try_from(nth % 50).unwrap();
            world.get(
                &Client::at(user).with(&jwt(&format!("user{user}"))),
                &format!("/slots/{}", 7_000 + nth),
                session,
            );
        }
        for nth in 0..14_u8 {
            world.get(
                &Client::at(100 + nth % addresses),
                &format!("/slots/{}", 7_100 + u32::from(nth)),
                session,
            );
        }
        let found = world.found.iter().any(|finding| finding.detector == "missing-authentication");
        assert_eq!(found, told, "{:?}", world.found);
    }
}

#[test]
fn an_office_after_a_mailing_knows_its_own_names() {
    let mut world = World::new();
    for number in 0..25 {
        let body = format!(r#"{{"email":"colleague{number}@mail.example"}}"#);
        let (status, answer) = if number == 9 { (404, r#"{"error":"unknown"}"#) } else { (200, "{}") };
        world.call(&Client::at(9), "POST /auth/reset", &body, status, answer);
    }
    world.is_quiet();
    for number in 0..20 {
        let body = format!(r#"{{"email":"guess{number}@mail.example"}}"#);
        let (status, answer) = if number % 2 == 0 { (404, r#"{"error":"unknown"}"#) } else { (200, "{}") };
        world.call(&Client::at(99), "POST /auth/reset", &body, status, answer);
    }
    assert_eq!(world.one("user-enumeration").1, Outcome::Confirmed);
}

#[test]
fn people_who_ask_for_a_new_password_log_in_with_it() {
    // Of the same names, answered alike: the people of an office, and somebody who learns who has an account.
    for (logs_in, told) in [(true, false), (false, true)] {
        let mut world = World::new();
        for number in 0..90 {
            let name = format!("colleague{number}@mail.example");
            let (status, answer) =
                if number % 6 == 0 { (404, r#"{"error":"unknown"}"#) } else { (200, "{}") };
            let ask = format!(r#"{{"email":"{name}"}}"#);
            world.call(&Client::at(9), "POST /auth/reset", &ask, status, answer);
            if logs_in && status == 200 {
                let body = format!(r#"{{"email":"{name}","password":"new-{number}"}}"#);
                let answer = format!(r#"{{"access_token":"{}"}}"#, jwt(&name));
                world.call(&Client::at(9), "POST /auth/login", &body, 200, &answer);
            }
        }
        let found = world.found.iter().any(|finding| finding.detector == "user-enumeration");
        assert_eq!(found, told, "{:?}", world.found);
    }
}

#[test]
fn names_that_are_taken_are_no_farm() {
    let mut world = World::new();
    let signs_up = |world: &mut World, address: u8, nth: u32, status: u16| {
        let body = format!(r#"{{"email":"a{nth}@mail.example","password":"secret-{nth}"}}"#);
        world.call(&Client::at(address), "POST /register", &body, status, "{}");
    };
    for nth in 0..12 {
        signs_up(&mut world, 1, nth, if nth % 4 == 3 { 201 } else { 409 });
    }
    world.is_quiet();
    (0..8).for_each(|nth| signs_up(&mut world, 2, nth, 201));
    assert_eq!(world.one("account-farming").1, Outcome::Confirmed);
}

#[test]
fn a_class_signs_up_with_the_machines_of_its_people() {
    for (programs, accounts, told) in [(1, 8, true), (6, 24, false), (30, 24, false), (30, 40, true)] {
        let mut world = World::new();
        for nth in 0..accounts {
            let client = Client::at(1).program(&format!("Mozilla/5.0 Browser/{}", nth % programs));
            let body = format!(r#"{{"email":"a{nth}@mail.example","password":"secret-{nth}"}}"#);
            world.call(&client, "POST /register", &body, 201, "{}");
        }
        let found = world.found.iter().any(|finding| finding.detector == "account-farming");
        assert_eq!(found, told, "{programs} {accounts}: {:?}", world.found);
    }
}

#[test]
fn an_office_that_mistypes_gets_in_and_stolen_passwords_do_not() {
    let mut world = World::new();
    for user in 0..14 {
        let name = format!("colleague{user}");
        (0..2).for_each(|nth| drop(world.login(&Client::at(1), &name, &format!("typo{nth}"), false)));
        world.login(&Client::at(1), &name, "right", true);
    }
    world.is_quiet();
    for user in 0..14 {
        world.login(&Client::at(2), &format!("stolen{user}"), &format!("password{user}"), false);
    }
    assert_eq!(world.one("credential-stuffing").1, Outcome::Attempted);
}

#[test]
fn accounts_that_only_read_others_do_not_make_it_usual() {
    let mut world = World::new();
    world.shop(100);
    world.is_quiet();
    for nth in 0..24_u8 {
        let thief = Client::at(150 + nth).with(&jwt(&format!("thief{nth}")));
        for user in [5, 9, 1, 30] {
            world.get(&thief, &format!("/orders/{}", 1000 + user * 2), &order_of(1000 + user * 2, user));
        }
    }
    let thieves = world.found.iter().filter(|finding| finding.detector == "foreign-objects").count();
    assert!(thieves >= 20, "{thieves} of 24 are told");
}

#[test]
fn who_reads_lists_of_the_server_is_told_each() {
    let mut world = World::new();
    let page = "<html><head><title>Index of /backup/</title></head><body><h1>Index of /backup/</h1><pre><a href=\"../\">../</a></pre></body></html>";
    for address in [1, 2, 2] {
        let request = "GET /backup/ HTTP/1.1\r\nHost: shop\r\n\r\n";
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\n\r\n{page}",
            page.len()
        );
        world.raw(&Client::at(address), request, &answer);
    }
    let lists = world.found.iter().filter(|finding| finding.detector == "directory-listing").count();
    assert_eq!(lists, 2, "{:?}", world.found);
}
