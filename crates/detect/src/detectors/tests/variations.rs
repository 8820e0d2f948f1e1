//! Variations of attacks that cost nothing, each beside what honest people do that looks alike.

#![allow(clippy::cast_possible_truncation, reason = "users and addresses of a story are few")]

use super::world::{Client, World, jwt, order_of, token};
use crate::{Finding, Outcome, Severity};

#[track_caller]
fn never_says(world: &World, detector: &str) {
    assert!(world.found.iter().all(|finding| finding.detector != detector), "{:?}", world.found);
}

fn of<'a>(world: &'a World, detector: &'a str) -> impl Iterator<Item = &'a Finding> {
    world.found.iter().filter(move |finding| finding.detector == detector)
}

#[test]
fn words_in_front_of_code_hide_it_only_where_people_write_words() {
    let letter = |world: &mut World, field: &str, text: &str| {
        let body = format!(r#"{{"{field}":"{text}","topic":"x"}}"#);
        world.call(&Client::at(1), "POST /contact", &body, 200, r#"{"ok":true}"#);
    };
    let mut world = World::new();
    for text in [
        "why does ' or '1'='1 let everybody in?",
        "what does <script>alert(1)</script> do in there",
        "my own logs have ${jndi:ldap://x.test/a} since today",
        "and my other logs have ${jndi:ldap://x.test/b} in them",
    ] {
        letter(&mut world, "text", text);
    }
    letter(&mut world, "query", "what does x' or 1=1 mean in this query");
    letter(&mut world, "query", "what does y' or 2=2 mean in this query");
    world.is_quiet();
    for nth in 0..2 {
        letter(&mut world, "name", &format!("hello from my house ${{jndi:ldap://x.test/{nth}}}"));
        letter(
            &mut world,
            "query",
            &format!("hello from my house ' union select a,{nth} from t where '1'='1"),
        );
    }
    let kinds: Vec<_> = of(&world, "injection").map(|finding| (finding.severity, finding.outcome)).collect();
    assert_eq!(kinds, [(Severity::Low, Outcome::NoEffect); 2], "{:?}", world.found);
    world.found.clear();
    let answer = format!(r#"{{"access_token":"{}"}}"#, jwt("admin"));
    let body = r#"{"username":"please let me in admin' or '1'='1","password":"a"}"#;
    world.call(&Client::at(2), "POST /login", body, 200, &answer);
    assert_eq!(world.one("injection").1, Outcome::Confirmed);
}

#[test]
fn logins_beside_a_large_botnet_are_not_said_to_be_its_loot() {
    let mut world = World::new();
    let at = |side: u8, nth: u32| Client::from([side, 7, (nth / 200) as u8, (nth % 200) as u8]);
    for nth in 0..1_800 {
        world.login(&at(198, nth), &format!("victim{nth}"), "leaked", false);
        if nth % 6 == 5 {
            world.login(&at(10, nth), &format!("honest{nth}"), "right", true);
        }
    }
    let outcomes: Vec<Outcome> = of(&world, "distributed-stuffing").map(|finding| finding.outcome).collect();
    assert!(
        !outcomes.is_empty() && outcomes.iter().all(|outcome| *outcome == Outcome::Attempted),
        "{outcomes:?}"
    );
    for finding in of(&world, "distributed-stuffing") {
        let count = |nth: usize| {
            let words: Vec<&str> = finding.reason.split(' ').filter(|word| *word != "about").collect();
            words[nth].parse::<u64>().unwrap()
        };
        assert!(count(4) <= count(0), "names are logins: {}", finding.reason);
    }
    world.login(&at(198, 3), "another", "leaked", false);
    world.login(&at(198, 3), "loot", "leaked", true);
    let last = world.found.last().map(|finding| (finding.detector, finding.outcome));
    assert_eq!(last, Some(("distributed-stuffing", Outcome::Confirmed)), "{:?}", world.found);
}

#[test]
fn an_office_whose_passwords_all_ended_gets_in_in_the_end() {
    let mut world = World::new();
    for user in 0..80 {
        let name = format!("colleague{user}");
        (0..user % 3).for_each(|nth| drop(world.login(&Client::at(1), &name, &format!("old{nth}"), false)));
        if user % 4 != 0 {
            world.login(&Client::at(1), &name, "new", true);
        }
    }
    never_says(&world, "credential-stuffing");
}

#[test]
fn the_second_password_of_a_leak_takes_an_account_over_as_well() {
    let mut world = World::new();
    let client = Client::at(2).program("python-requests/2.31");
    for name in 0..40 {
        world.login(&client, &format!("victim{name}"), "leaked", false);
        world.login(&client, &format!("victim{name}"), "older", name % 6 == 5);
    }
    let outcomes: Vec<Outcome> = of(&world, "credential-stuffing").map(|finding| finding.outcome).collect();
    assert_eq!(outcomes, [Outcome::Confirmed], "{:?}", world.found);
}

#[test]
fn a_colleague_who_logs_in_beside_an_attack_is_not_taken_over() {
    for (program, wait, taken) in [
        ("python-requests/2.31", 1, true),
        ("Mozilla/5.0 Firefox/150", 1, false),
        ("python-requests/2.31", 600, false),
    ] {
        let mut world = World::new();
        let client = Client::at(2).program("python-requests/2.31");
        for name in 0..14 {
            world.login(&client, &format!("victim{name}"), &format!("leaked{name}"), false);
        }
        world.now += wait;
        world.login(&Client::at(2).program(program), "colleague", "right", true);
        let confirmed =
            of(&world, "credential-stuffing").any(|finding| finding.outcome == Outcome::Confirmed);
        assert_eq!(confirmed, taken, "{program} {wait}: {:?}", world.found);
    }
}

#[test]
fn new_objects_are_looked_at_as_they_come_and_old_ones_are_walked_through() {
    let mut world = World::new();
    let agent = |number: u32| {
        let role = token(
            r#"{"alg":"HS256"}"#,
            &format!(r#"{{"sub":"agent{number}","role":"agent","exp":1800000000}}"#),
        );
        Client::from([10, 3, number as u8, 1]).with(&role)
    };
    let ticket = r#"{"subject":"printer","body":"it burns"}"#;
    for nth in 0..200 {
        world.now += 60;
        world.get(&agent(nth * 7 % 12), &format!("/tickets/{}", 41_000 + nth), ticket);
        // Some look again, a little later.
        world.get(&agent(nth * 5 % 12), &format!("/tickets/{}", 41_000 + nth - nth % 3), ticket);
    }
    never_says(&world, "distributed-probing");
    for nth in 0..200 {
        world.get(&Client::from([10, 4, (nth % 12) as u8, 1]), &format!("/tickets/{}", 40_000 + nth), ticket);
    }
    assert_eq!(world.one("distributed-probing").1, Outcome::Confirmed);
}

/// Somebody sends one word, or a sentence, and is answered so.
fn asks(world: &mut World, user: u32, (path, member): (&str, &str), text: &str, status: u16) {
    let client = Client::from([10, 5, user as u8, 1]).with(&jwt(&format!("user{user}")));
    world.call(&client, &format!("POST {path}"), &format!(r#"{{"{member}":"{text}"}}"#), status, "{}");
}

#[test]
fn a_quota_that_is_used_up_makes_nobody_a_guesser() {
    let mut world = World::new();
    let ask = ("/ask", "question");
    (0..120).for_each(|nth| asks(&mut world, nth % 40, ask, &format!("what is number {nth} of it"), 200));
    world.now += 86_400;
    (0..200).for_each(|nth| asks(&mut world, nth % 12, ask, &format!("what of topic {nth} here"), 429));
    (0..60).for_each(|nth| asks(&mut world, nth % 40, ask, &format!("and what is {nth} again"), 200));
    never_says(&world, "distributed-probing");
    never_says(&world, "object-guessing");
}

#[test]
fn codes_that_are_wrong_for_who_was_right_before_are_no_guesses() {
    let mut world = World::new();
    let scan = ("/scan", "barcode");
    (0..100).for_each(|nth| asks(&mut world, nth % 10, scan, &format!("AK-{nth}"), 200));
    world.now += 4_000;
    (0..120).for_each(|nth| asks(&mut world, nth % 10, scan, &format!("ZQ-{nth}"), 422));
    never_says(&world, "distributed-probing");
    // Others who were never right guess at the same place, later.
    world.now += 4_000;
    (0..120).for_each(|nth| asks(&mut world, 60 + nth % 10, scan, &format!("YY-{nth}"), 422));
    assert_eq!(world.one("distributed-probing").1, Outcome::Attempted);
}

#[test]
fn second_factors_that_come_late_are_typed_a_few_times() {
    let mut world = World::new();
    let verify = ("/mfa/verify", "code");
    for user in 0..15 {
        (0..4 + user % 3).for_each(|nth| {
            asks(&mut world, user, verify, &format!("{:06}", 700_000 + user * 31 + nth * 1_009), 400);
        });
    }
    (15..40).for_each(|user| asks(&mut world, user, verify, &format!("{:06}", 400_000 + user), 200));
    never_says(&world, "distributed-probing");
    never_says(&world, "object-guessing");
}

#[test]
fn who_takes_many_objects_without_credentials_may_have_three_addresses() {
    let part = r#"{"price":12,"stock":7}"#;
    let engine = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";
    for (addresses, each, program, severity) in
        [(3, 12, "curl/8.0", Some(Severity::High)), (12, 2, "curl/8.0", None), (1, 12, engine, None)]
    {
        let mut world = World::new();
        for nth in 0..260 {
            let user = u8::try_from(nth % 40).unwrap();
            let client = Client::at(user).with(&jwt(&format!("user{user}")));
            world.get(&client, &format!("/parts/{}", 7_000 + nth * 37 % 997), part);
        }
        for nth in 0..addresses * each {
            let client = Client::from([203, 7, (nth % addresses) as u8, 5]).program(program);
            world.get(&client, &format!("/parts/{}", 7_000 + nth * 53 % 997), part);
        }
        let worst = of(&world, "missing-authentication").map(|finding| finding.severity).max();
        assert_eq!(worst, severity, "{addresses} {program}: {:?}", world.found);
    }
}

#[test]
fn clerks_who_all_export_on_one_day_have_been_told_to() {
    let clerk = |number: u32| {
        let claims = format!(r#"{{"sub":"clerk{number}","role":"clerk","exp":1800000000}}"#);
        Client::from([10, 6, number as u8, 1]).with(&token(r#"{"alg":"HS256"}"#, &claims))
    };
    let rows = |page: u32| {
        let rows: Vec<String> = (0..100).map(|nth| format!(r#"{{"id":{}}}"#, page * 100 + nth)).collect();
        format!(r#"{{"items":[{}]}}"#, rows.join(","))
    };
    for (days, told) in [(0, 1), (1, 3)] {
        let mut world = World::new();
        for number in 0..25 {
            (0..3).for_each(|page| {
                drop(world.get(&clerk(number), &format!("/invoices?page={page}"), &rows(page)))
            });
        }
        // Those who carry records away come when they like.
        for number in [3, 4, 5] {
            world.now += days * 86_400;
            (0..25).for_each(|page| {
                drop(world.get(&clerk(number), &format!("/invoices?page={page}"), &rows(page)))
            });
        }
        assert_eq!(of(&world, "exfiltration").count(), told, "{days}: {:?}", world.found);
    }
}

#[test]
fn who_exports_once_a_month_does_so_again_and_no_more() {
    let clerk = |number: u32, agent: &str| {
        let claims = format!(r#"{{"sub":"clerk{number}","role":"clerk","exp":1800000000}}"#);
        let client = Client::from([10, 6, number as u8, 1]).with(&token(r#"{"alg":"HS256"}"#, &claims));
        client.program(agent)
    };
    let rows = |page: u32| {
        let rows: Vec<String> = (0..100).map(|nth| format!(r#"{{"id":{}}}"#, page * 100 + nth)).collect();
        format!(r#"{{"items":[{}]}}"#, rows.join(","))
    };
    let engine = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";
    // Pages of the second month and of the third, and what is told in all.
    for (agent, pages, told) in [("curl/8.0", [26, 26], 1), ("curl/8.0", [26, 60], 2), (engine, [26, 26], 1)]
    {
        let mut world = World::new();
        for pages in [25, pages[0], pages[1]] {
            for number in 0..12 {
                (0..3).for_each(|page| {
                    drop(world.get(
                        &clerk(number, "curl/8.0"),
                        &format!("/invoices?page={page}"),
                        &rows(page),
                    ))
                });
            }
            (0..pages).for_each(|page| {
                drop(world.get(&clerk(20, agent), &format!("/invoices?page={page}"), &rows(page)))
            });
            world.now += 30 * 86_400;
        }
        assert_eq!(of(&world, "exfiltration").count(), told, "{agent} {pages:?}: {:?}", world.found);
    }
}

#[test]
fn who_walks_through_others_objects_is_told_however_many_callers_are_known() {
    for users in [5, 12, 30] {
        let world = World::twice(|world| {
            for user in 0..users {
                let client = Client::at(user).with(&jwt(&format!("user{user}")));
                world.get(
                    &client,
                    &format!("/orders/{}", 5_000 + u32::from(user)),
                    &order_of(5_000, user.into()),
                );
            }
            for order in 1_000..1_060 {
                let thief = Client::at(99).with(&jwt("user99"));
                world.get(&thief, &format!("/orders/{order}"), &order_of(order, order - 900));
            }
        });
        assert!(of_any(&world, "enumeration"), "{users}: {:?}", world.found);
    }
}

#[test]
fn a_crawler_follows_links_and_does_not_guess() {
    let engine = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";
    for (status, told) in [(200, false), (404, true), (403, true)] {
        let mut world = World::new();
        for user in 0..20 {
            world.get(&Client::at(user), &format!("/articles/{}", 900 + u32::from(user)), r#"{"title":"x"}"#);
        }
        for id in 1_000..1_060 {
            let client = Client::from([203, 0, 113, 9]).program(engine);
            world.call(&client, &format!("GET /articles/{id}"), "", status, r#"{"title":"x"}"#);
        }
        assert_eq!(of_any(&world, "enumeration"), told, "{status}: {:?}", world.found);
    }
}

#[test]
fn clients_that_wait_for_the_first_refusal_are_late_by_minutes() {
    for (late, told) in [(280, false), (4_000, true)] {
        let mut world = World::new();
        let begin = world.now;
        let of = |user: u8| {
            let claims = format!(r#"{{"sub":"user{user}","iat":{begin},"exp":{}}}"#, begin + 600);
            Client::at(user).with(&token(r#"{"alg":"HS256"}"#, &claims))
        };
        for user in 0..60 {
            world.get(&of(user), "/orders", "{}");
            world.get(&of(user), "/me", "{}");
        }
        world.now = begin + 600 + late - 20;
        for nth in 0..20 {
            world.get(&of(nth % 4), ["/orders", "/me"][usize::from(nth) % 2], "{}");
        }
        assert_eq!(of_any(&world, "expired-token"), told, "{late}: {:?}", world.found);
    }
}

fn of_any(world: &World, detector: &str) -> bool {
    of(world, detector).next().is_some()
}

#[test]
fn an_application_that_is_online_again_sends_all_it_has_at_once() {
    for (method, told) in [("PUT", false), ("GET", true)] {
        let mut world = World::new();
        for note in 0..20 {
            let client = Client::at(note).with(&jwt(&format!("user{note}")));
            world.call(&client, &format!("PUT /notes/{}", 100 + note), r#"{"text":"y"}"#, 200, "{}");
            world.get(&client, &format!("/notes/{}", 100 + note), "{}");
        }
        let over = token(r#"{"alg":"HS256"}"#, r#"{"sub":"jane","iat":1699000000,"exp":1699003600}"#);
        for note in 0..40 {
            let line = format!("{method} /notes/{}", 8_000 + note);
            world.call(&Client::at(7).with(&over), &line, r#"{"text":"y"}"#, 401, "{}");
            world.now -= 1;
        }
        never_says(&world, "denied-probes");
        assert_eq!(of_any(&world, "refused-token"), told, "{method}: {:?}", world.found);
    }
}

#[test]
fn a_page_that_is_left_open_watches_one_thing_after_the_other() {
    for (by_turns, told) in [(false, false), (true, true)] {
        let mut world = World::new();
        let state = |world: &mut World, user: u8, order: u32| {
            world.now += 4;
            let client = Client::at(user).with(&jwt(&format!("user{user}")));
            world.get(&client, &format!("/orders/{order}/status"), r#"{"state":"cooking"}"#);
        };
        for user in 0..40 {
            (0..32).for_each(|nth| state(&mut world, user, 5_000 + u32::from(user) * 2 + nth / 16));
        }
        for nth in 0..400 {
            let order = if by_turns { nth % 2 } else { nth / 200 };
            state(&mut world, 99, 9_000 + order);
        }
        assert_eq!(of_any(&world, "bot-timing"), told, "{by_turns}: {:?}", world.found);
    }
}

#[test]
fn whoever_asks_which_names_exist_is_told_by_every_answer() {
    for (path, told) in [("/users/exists", true), ("/auth/reset", false)] {
        let mut world = World::new();
        for name in 0..25 {
            let body = format!(r#"{{"email":"jane{name}@corp.example"}}"#);
            let answer = format!(r#"{{"exists":{}}}"#, name % 3 == 0);
            world.call(&Client::at(9), &format!("POST {path}"), &body, 200, &answer);
        }
        assert_eq!(of_any(&world, "user-enumeration"), told, "{path}: {:?}", world.found);
    }
}

#[test]
fn links_that_were_sent_are_followed_and_numbers_are_counted_up() {
    let id = |user: u32, nth: u32| {
        format!("{:016x}", u64::from(user * 16 + nth + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    };
    let page = r#"{"title":"x","body":"y"}"#;
    let name = |number: bool, user: u32, nth: u32| match number {
        true => (400_000 + user * 4 + nth).to_string(),
        false => id(user, nth),
    };
    for (number, links, pause, worst) in [
        (false, 5, 100_000, None),
        (false, 3, 600, Some((Severity::High, Outcome::Likely))),
        (false, 9, 100_000, Some((Severity::High, Outcome::Likely))),
        (true, 5, 100_000, Some((Severity::Critical, Outcome::Confirmed))),
    ] {
        let mut world = World::new();
        for user in 0..60 {
            let client = Client::at(user as u8).with(&jwt(&format!("user{user}")));
            let items: Vec<String> =
                (0..4).map(|nth| format!(r#"{{"id":"{}","title":"x"}}"#, name(number, user, nth))).collect();
            world.get(&client, "/docs", &format!(r#"{{"items":[{}]}}"#, items.join(",")));
            (0..3).for_each(|nth| {
                world.get(&client, &format!("/docs/{}", name(number, user, nth)), page);
            });
        }
        world.is_quiet();
        let reader = Client::at(7).with(&jwt("user7"));
        for link in 0..links {
            world.now += pause;
            world.get(&reader, &format!("/docs/{}", name(number, 10 + link, 0)), page);
        }
        let told = of(&world, "foreign-objects")
            .map(|finding| (finding.severity, finding.outcome))
            .max_by_key(|told| told.0);
        assert_eq!(told, worst, "{number} {links}: {:?}", world.found);
    }
}
