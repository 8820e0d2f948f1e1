//! Logins of every form: Basic credentials, pages, calls in XML.

use super::world::{Client, World};
use crate::{Outcome, Severity};

/// A call with Basic credentials, which are not checked here.
fn basic(world: &mut World, client: &Client, both: &str, status: u16) -> Vec<&'static str> {
    let request = format!(
        "GET /manager/ HTTP/1.1\r\nHost: shop\r\nUser-Agent: {}\r\nAuthorization: Basic {}\r\n\r\n",
        client.program_name(),
        base64(both)
    );
    let challenge = if status == 401 { "WWW-Authenticate: Basic realm=\"m\"\r\n" } else { "" };
    let answer =
        format!("HTTP/1.1 {status} X\r\n{challenge}Content-Type: text/html\r\nContent-Length: 2\r\n\r\nno");
    world.raw(client, &request, &answer)
}

fn base64(text: &str) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let encode = |three: &[u8]| {
        let bits =
            three.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        let letter = |at: usize| char::from(ALPHABET[(bits >> (18 - 6 * at) & 63) as usize]);
        (0..4).map(|at| if at <= three.len() { letter(at) } else { '=' }).collect::<String>()
    };
    text.as_bytes().chunks(3).map(encode).collect()
}

#[test]
fn basic_credentials_of_one_name_are_guessed() {
    let mut world = World::new();
    let owner = Client::at(1);
    basic(&mut world, &owner, "admin:right", 200);
    for guess in 0..60 {
        basic(&mut world, &Client::at(2), &format!("admin:guess{guess}"), 401);
        // Its owner goes on meanwhile.
        basic(&mut world, &owner, "admin:right", 200);
    }
    assert_eq!(world.one("brute-force").1, Outcome::Attempted);
    assert!(basic(&mut world, &Client::at(2), "admin:right", 200).contains(&"brute-force"));
    let last = world.found.last().expect("a finding");
    assert_eq!((last.severity, last.outcome), (Severity::Critical, Outcome::Confirmed));
}

#[test]
fn one_password_for_many_names_of_a_realm_is_spraying() {
    let mut world = World::new();
    for name in 0..30 {
        basic(&mut world, &Client::at(2), &format!("user{name}:Winter2026!"), 401);
    }
    let (_, outcome, reason) = world.one("credential-stuffing");
    assert_eq!(outcome, Outcome::Attempted);
    assert!(reason.contains("spraying"), "{reason}");
}

#[test]
fn who_shows_an_old_password_or_none_guesses_nothing() {
    let mut world = World::new();
    // Programs of a dozen people, each with last year's password.
    for nth in 0..600 {
        basic(&mut world, &Client::at(3), &format!("user{}:old", nth % 9), 401);
    }
    // Browsers ask first without credentials; somebody mistypes.
    for _ in 0..40 {
        world.challenge(&Client::at(4), "GET /manager/", "Basic realm=\"m\"");
    }
    for typo in ["a", "b", "c"] {
        basic(&mut world, &Client::at(5), &format!("jane:{typo}"), 401);
    }
    for _ in 0..200 {
        basic(&mut world, &Client::at(5), "jane:right", 200);
    }
    world.is_quiet();
}

#[test]
fn what_was_never_refused_lets_nobody_in() {
    let mut world = World::new();
    (0..20).for_each(|guess| drop(basic(&mut world, &Client::at(2), &format!("admin:{guess}"), 401)));
    let request = format!(
        "GET /favicon.ico HTTP/1.1\r\nHost: shop\r\nAuthorization: Basic {}\r\n\r\n",
        base64("admin:19")
    );
    world.raw(&Client::at(2), &request, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(world.one("brute-force").1, Outcome::Attempted);
}

/// A login at WordPress's form.
fn form(world: &mut World, client: &Client, name: &str, password: &str, right: bool) -> Vec<&'static str> {
    let body = format!("log={name}&pwd={password}&wp-submit=Log+In&testcookie=1");
    let request = format!(
        "POST /wp-login.php HTTP/1.1\r\nHost: blog\r\nUser-Agent: {}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        client.program_name(),
        body.len()
    );
    let test = "Set-Cookie: wordpress_test_cookie=WP%20Cookie%20check; path=/\r\n";
    let session = "Set-Cookie: wordpress_logged_in_5c016e8f0f95f039102cbe8366c5c7f3=jane%7C1%7C2; path=/\r\n";
    let page = format!("{}<input type=\"password\" name=\"pwd\" id=\"user_pass\"/>", " ".repeat(4_000));
    let answer = match right {
        true => format!(
            "HTTP/1.1 302 Found\r\n{test}{session}Location: https://login.blog/wp-admin/\r\nContent-Length: 0\r\n\r\n"
        ),
        false => format!(
            "HTTP/1.1 200 OK\r\n{test}Content-Type: text/html; charset=UTF-8\r\nContent-Length: {}\r\n\r\n{page}",
            page.len()
        ),
    };
    world.raw(client, &request, &answer)
}

#[test]
fn a_form_that_comes_once_more_refuses() {
    let mut world = World::new();
    for person in 0..20 {
        let (client, name) = (Client::at(10 + person), format!("person{person}"));
        (0..person % 4)
            .for_each(|typo| drop(form(&mut world, &client, &name, &format!("typo{typo}"), false)));
        form(&mut world, &client, &name, "right", true);
    }
    world.is_quiet();
    (0..61).for_each(|guess| drop(form(&mut world, &Client::at(2), "admin", &format!("g{guess}"), false)));
    assert_eq!(world.one("brute-force").1, Outcome::Attempted);
    assert!(form(&mut world, &Client::at(2), "admin", "right", true).contains(&"brute-force"));
}

#[test]
fn a_redirect_elsewhere_lets_in_where_the_form_refuses() {
    let send = |world: &mut World, password: &str, answer: &str| {
        let body = format!("username=admin&password={password}");
        let head = "POST /login HTTP/1.1\r\nHost: app\r\nContent-Type: application/x-www-form-urlencoded\r\n";
        world.raw(&Client::at(2), &format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()), answer)
    };
    let again = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<input type='password'>";
    let mut world = World::new();
    (0..20).for_each(|guess| drop(send(&mut world, &format!("g{guess}"), again)));
    assert_eq!(world.one("brute-force").1, Outcome::Attempted);
    // No cookie that anybody knows for a session's.
    let home = "HTTP/1.1 303 See Other\r\nLocation: /home\r\nSet-Cookie: app-x=1\r\n\r\n";
    assert!(send(&mut world, "right", home).contains(&"brute-force"));
    assert_eq!(world.found.last().map(|found| found.outcome), Some(Outcome::Confirmed));
}

#[test]
fn a_stuffed_name_that_got_in_before_the_tenth_failure_is_taken() {
    for (gets_in, outcome) in
        [(None, Outcome::Attempted), (Some(4), Outcome::Confirmed), (Some(0), Outcome::Confirmed)]
    {
        let mut world = World::new();
        for name in 0..20 {
            let right = gets_in == Some(name);
            world.login(&Client::at(2), &format!("stolen{name}"), &format!("password{name}"), right);
        }
        assert_eq!(world.one("credential-stuffing").1, outcome, "{gets_in:?}");
    }
}

#[test]
fn who_logs_in_beside_a_stuffing_before_its_tenth_failure_is_not_taken() {
    let mut world = World::new();
    for name in 0..20 {
        if name == 4 {
            world.login(&Client::at(2).program("Mozilla/5.0 Firefox/150"), "colleague", "right", true);
        }
        world.login(&Client::at(2), &format!("stolen{name}"), &format!("password{name}"), false);
    }
    assert_eq!(world.one("credential-stuffing").1, Outcome::Attempted);
}

#[test]
fn an_owner_who_logs_in_while_others_guess_is_not_the_one_who_got_in() {
    let mut world = World::new();
    for guess in 0..20 {
        world.login(&Client::at(2), "jane", &format!("guess{guess}"), false);
    }
    world.login(&Client::at(1), "jane", "typo", false);
    world.login(&Client::at(1), "jane", "right", true);
    assert_eq!(world.one("brute-force").1, Outcome::Attempted);
    assert!(world.login(&Client::at(2), "jane", "right", true).contains(&"brute-force"));
}

/// A call of several of a blog's, with so many passwords of a name.
fn several(
    world: &mut World,
    client: &Client,
    name: &str,
    passwords: &[String],
    right: bool,
) -> Vec<&'static str> {
    let call = |password: &String| {
        format!(
            "<value><struct><member><name>methodName</name><value><string>wp.getUsersBlogs</string></value></member>\
             <member><name>params</name><value><array><data><value><string>{name}</string></value>\
             <value><string>{password}</string></value></data></array></value></member></struct></value>"
        )
    };
    let calls: String = passwords.iter().map(call).collect();
    let body = format!(
        "<methodCall><methodName>system.multicall</methodName><params><param><value><array><data>{calls}</data></array>\
         </value></param></params></methodCall>"
    );
    let no = "<value><struct><member><name>faultCode</name><value><int>403</int></value></member></struct></value>";
    let yes = "<value><array><data><value><string>1</string></value></data></array></value>";
    let last = passwords.len() - 1;
    let all: String = (0..=last).map(|nth| if right && nth == last { yes } else { no }).collect();
    let answer = format!(
        "<methodResponse><params><param><value><array><data>{all}</data></array></value></param></params></methodResponse>"
    );
    let head = "POST /xmlrpc.php HTTP/1.1\r\nHost: blog\r\nContent-Type: text/xml\r\n\r\n";
    let response = "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n\r\n";
    world.raw(client, &format!("{head}{body}"), &format!("{response}{answer}"))
}

#[test]
fn passwords_of_one_call_of_several_are_guesses() {
    let guesses = |from: u32| (from..from + 50).map(|guess| format!("guess{guess}")).collect::<Vec<_>>();
    for right in [false, true] {
        let mut world = World::new();
        several(&mut world, &Client::at(2), "admin", &guesses(0), false);
        several(&mut world, &Client::at(2), "admin", &guesses(50), right);
        let found: Vec<Outcome> = world.found.iter().map(|finding| finding.outcome).collect();
        assert!(world.found.iter().all(|finding| finding.detector == "brute-force"), "{:?}", world.found);
        let wanted = [Outcome::Attempted, Outcome::Confirmed];
        assert_eq!(found, wanted[..1 + usize::from(right)]);
    }
    // An editor shows its own with each of its calls.
    let mut world = World::new();
    let own = vec!["right".to_owned(); 4];
    (0..200).for_each(|_| drop(several(&mut world, &Client::at(3), "jane", &own, true)));
    world.is_quiet();
}

#[test]
fn an_id_that_is_walked_in_a_variable() {
    let ask = |world: &mut World, operation: &str, id: u32, answer: &str| {
        let body = format!(
            r#"{{"operationName":"{operation}","query":"query {operation}($id: ID!) {{ result(id: $id) {{ id }} }}","variables":{{"id":"{id}"}}}}"#
        );
        let client = Client::at(2).with(&super::world::jwt("mallory"));
        world.call(&client, "POST /graphql", &body, 200, answer)
    };
    for (answer, outcome) in [
        (r#"{"data":{"result":{"id":"1"}}}"#, Outcome::Confirmed),
        (
            r#"{"data":{"result":null},"errors":[{"message":"no","extensions":{"code":"FORBIDDEN"}}]}"#,
            Outcome::Blocked,
        ),
    ] {
        let mut world = World::new();
        (0..60).for_each(|nth| drop(ask(&mut world, "Result", 4_100 + nth, answer)));
        assert_eq!(world.one("enumeration").1, outcome);
    }
    // Two kinds of things, neither in a row.
    let mut world = World::new();
    for nth in 0..60 {
        ask(&mut world, "Result", 4_100 + nth * 37 % 900, r#"{"data":{"result":{"id":"1"}}}"#);
        ask(&mut world, "Order", 4_100 + nth * 53 % 900, r#"{"data":{"result":{"id":"1"}}}"#);
    }
    assert!(world.found.iter().all(|finding| finding.detector != "enumeration"), "{:?}", world.found);
}
