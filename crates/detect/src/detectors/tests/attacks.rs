//! What is tried against what is behind the API: what honest traffic looks like it, and what proves that it worked.

use super::world::{Client, World, jwt};
use crate::{Outcome, Severity};

/// A world in which an endpoint is well known.
fn known(path: &str) -> World {
    let mut world = World::new();
    for user in 0..20 {
        world.get(&Client::at(user), &format!("{path}{user}"), r#"{"items":[]}"#);
    }
    world.is_quiet();
    world
}

#[test]
fn a_login_that_an_injection_gets_through_is_confirmed() {
    for body in [r#"{"user":"admin'--","password":"x"}"#, r#"{"user":"admin","password":{"$ne":1}}"#] {
        let mut world = World::new();
        let token = format!(r#"{{"access_token":"{}"}}"#, jwt("admin"));
        world.call(&Client::at(1), "POST /login", body, 200, &token);
        assert_eq!(world.one("injection").1, Outcome::Confirmed, "{body}");
        let mut world = World::new();
        world.call(&Client::at(1), "POST /login", body, 401, r#"{"error":"wrong"}"#);
        let worst = world.found.iter().map(|finding| finding.outcome.rank()).max().unwrap_or(0);
        assert_eq!(worst, Outcome::Blocked.rank(), "{body}: {:?}", world.found);
    }
}

#[test]
fn a_password_of_odd_marks_logs_in_quietly() {
    let mut world = World::new();
    let token = format!(r#"{{"access_token":"{}"}}"#, jwt("jane"));
    for password in ["ab'--", "x; id", "$(id)Zz9", "a' #"] {
        let body = format!(r#"{{"username":"jane","password":"{password}"}}"#);
        world.call(&Client::at(1), "POST /login", &body, 200, &token);
    }
    world.is_quiet();
}

#[test]
fn an_error_of_the_interpreter_says_that_it_ran_even_where_it_is_refused() {
    let mut world = World::new();
    let answer = r#"{"error":"You have an error in your SQL syntax near ''' at line 1"}"#;
    world.call(&Client::at(1), "GET /search?q=1'", "", 400, answer);
    assert_eq!(world.one("injection").1, Outcome::Likely);
}

#[test]
fn who_takes_its_time_for_everybody_was_not_made_to_wait() {
    let slow = |usual: u64| {
        let mut world = World::new();
        world.latency = usual;
        for user in 0..20 {
            world.get(&Client::at(user), &format!("/reports?q={user}"), r#"{"rows":[]}"#);
        }
        world.latency = 8_000;
        world.get(&Client::at(99), "/reports?q=1'%20and%20sleep(5)--", r#"{"rows":[]}"#);
        world
    };
    assert_eq!(slow(100).one("injection").1, Outcome::Confirmed);
    assert!(slow(8_000).found.iter().all(|finding| finding.detector != "injection"));
}

#[test]
fn conditions_that_are_evaluated_differ_in_their_answers() {
    let rows = format!(r#"{{"items":["{}"]}}"#, "x".repeat(200));
    let ask = |no: &str| {
        let mut world = World::new();
        for n in 0..3 {
            world.get(&Client::at(1), &format!("/search?q=a'%20and%20{n}={n}%20and%20'a'='a"), &rows);
            world.get(&Client::at(1), &format!("/search?q=a'%20and%20{n}=9%20and%20'a'='a"), no);
        }
        world.found.iter().map(|finding| finding.outcome.rank()).max()
    };
    assert_eq!(ask(r#"{"items":[]}"#), Some(Outcome::Confirmed.rank()));
    assert_eq!(ask(&rows), Some(Outcome::NoEffect.rank()));
}

#[test]
fn what_worked_once_behind_a_proxy_is_told_again_elsewhere() {
    let mut world = World::new();
    for path in ["files", "pictures", "exports"] {
        world.get(&Client::at(1), &format!("/{path}?name=../../../etc/passwd"), "root:x:0:0:root");
    }
    assert_eq!(world.found.iter().filter(|finding| finding.outcome == Outcome::Confirmed).count(), 3);
}

#[test]
fn a_refusal_that_repeats_the_url_is_no_success_and_a_decoy_hides_none() {
    let mut world = World::new();
    let url = "http://169.254.169.254/latest/meta-data/iam/security-credentials";
    world.call(
        &Client::at(1),
        "POST /preview",
        &format!(r#"{{"url":"{url}"}}"#),
        400,
        &format!("cannot fetch {url}"),
    );
    assert_eq!(world.one("ssrf").1, Outcome::Blocked);
    let mut world = World::new();
    let body = r#"{"a":"http://127.0.0.1:1/","url":"http://169.254.169.254/latest"}"#;
    world.call(&Client::at(1), "POST /preview", body, 200, r#"{"text":"SecretAccessKey: x"}"#);
    assert_eq!(world.one("ssrf").1, Outcome::Confirmed);
    let mut world = World::new();
    for port in 0..50 {
        let body = format!(r#"{{"url":"http://127.0.0.1:{}/"}}"#, 6000 + port);
        world.call(&Client::at(1), "POST /preview", &body, 200, "{}");
    }
    assert_eq!(
        world.one("ssrf").1,
        Outcome::Attempted,
        "a sweep is one finding, and the answer does not tell"
    );
}

/// A preview of a URL for somebody, for which the server asks another place, where it asks one.
fn preview(world: &mut World, client: &Client, url: &str, asked: Option<&str>) {
    let server = Client::from([10, 200, 0, 80]);
    if let Some(host) = asked {
        let request = format!("GET /x HTTP/1.1\r\nHost: {host}\r\n\r\n");
        world.raw(&server, &request, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
        // It was asked for by what ends later, and began before.
        world.now -= 2;
    }
    world.latency = 5_000;
    world.call(client, "POST /preview", &format!(r#"{{"url":"{url}"}}"#), 200, r#"{"title":"a page"}"#);
    world.latency = 0;
    world.now += 10;
}

#[test]
fn a_request_of_the_server_itself_proves_that_it_fetched() {
    let inside = "http://billing.internal:8080/admin";
    let outside = |world: &mut World| {
        for number in 0..30 {
            let url = format!("https://site{number}.example/");
            preview(world, &Client::at(number), &url, Some(&format!("site{number}.example")));
        }
    };
    let mut world = World::new();
    outside(&mut world);
    world.is_quiet();
    preview(&mut world, &Client::at(99), inside, Some("other.internal:8080"));
    world.is_quiet();
    world.now += 1_000;
    preview(&mut world, &Client::at(99), inside, Some("billing.internal:8080"));
    let (severity, outcome, reason) = world.one("ssrf");
    assert_eq!((severity, outcome), (Severity::High, Outcome::Confirmed), "{reason}");
    assert!(reason.contains("the server asked that address before it answered"), "{reason}");

    // Of what was fetched long before, or by another, nothing follows.
    let mut world = World::new();
    outside(&mut world);
    world.raw(&Client::from([10, 200, 0, 80]), "GET /x HTTP/1.1\r\nHost: billing.internal:8080\r\n\r\n", "");
    world.now += 60;
    preview(&mut world, &Client::at(99), inside, None);
    world.is_quiet();

    // Where a server does so for everybody, that is what it is for; at a place that nobody outside means it is not.
    let mut world = World::new();
    for number in 0..30 {
        preview(&mut world, &Client::at(number), inside, Some("billing.internal:8080"));
    }
    world.is_quiet();
    let own = "http://localhost:9200/_cat";
    preview(&mut world, &Client::at(99), own, Some("localhost:9200"));
    let found = world.one("ssrf");
    assert_eq!((found.0, found.1), (Severity::Critical, Outcome::Confirmed), "{}", found.2);
}

#[test]
fn programs_that_come_back_to_their_own_machine_are_no_ssrf() {
    let mut world = World::new();
    for port in 0..40 {
        let path =
            format!("/authorize?redirect_uri=http%3A%2F%2F127.0.0.1%3A{}%2Fcb", 49_152 + u32::from(port));
        world.get(&Client::at(port), &path, "{}");
    }
    world.is_quiet();
}

#[test]
fn how_a_server_frames_its_answers_is_no_smuggling_of_its_clients() {
    let request = "GET /a HTTP/1.1\r\nHost: shop\r\n\r\n";
    let response = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    for (asked, expected) in [(false, 0), (true, 1)] {
        let mut world = World::new();
        world.anomaly = Some((asked, tapwire_protocol::Anomaly::LengthWithTransferEncoding));
        world.raw(&Client::at(1), request, response);
        assert_eq!(world.found.len(), expected, "{:?}", world.found);
    }
}

#[test]
fn a_field_that_decides_is_judged_by_what_the_answer_makes_of_it() {
    let tell = |body: &str, status, answer: &str| {
        let mut world = World::new();
        for user in 0..8 {
            world.call(
                &Client::at(user),
                "PATCH /me",
                r#"{"name":"x"}"#,
                200,
                r#"{"name":"x","role":"customer"}"#,
            );
        }
        world.call(&Client::at(9), "PATCH /me", body, status, answer);
        world.one("mass-assignment").1
    };
    let admin = r#"{"name":"x","role":"admin"}"#;
    assert_eq!(tell(admin, 200, r#"{"name":"x","role":"admin"}"#), Outcome::Confirmed);
    assert_eq!(tell(admin, 200, r#"{"name":"x","role":"customer"}"#), Outcome::NoEffect);
    assert_eq!(tell(admin, 204, ""), Outcome::Attempted);
    assert_eq!(tell(admin, 422, "{}"), Outcome::Blocked);
    assert_eq!(tell(admin, 500, "{}"), Outcome::Attempted);
}

#[test]
fn long_bodies_and_fields_that_come_now_and_then_assign_nothing() {
    let mut world = World::new();
    let fields: Vec<String> = (0..90).map(|n| format!(r#""f{n}":1"#)).collect();
    let body = format!(r#"{{{},"price":5}}"#, fields.join(","));
    for user in 0..20 {
        world.call(&Client::at(user), "POST /offers", &body, 201, r#"{"ok":true}"#);
    }
    for user in 0..20 {
        let body = if user == 15 { r#"{"status":"done"}"# } else { r#"{"title":"x"}"# };
        world.call(&Client::at(user), "PATCH /tasks/7", body, 200, body);
    }
    world.is_quiet();
}

#[test]
fn pages_are_judged_by_what_came() {
    let items = |count: usize| format!(r#"{{"items":[{}]}}"#, vec!["1"; count].join(","));
    let ask = |status, answer: &str| {
        let mut world = World::new();
        for page in 0..12 {
            world.get(&Client::at(page), &format!("/items?limit={}", 10 + page), &items(10));
        }
        world.call(&Client::at(40), "GET /items?limit=100000", "", status, answer);
        world.one("resource-consumption").1
    };
    assert_eq!(ask(200, &items(500)), Outcome::Confirmed);
    assert_eq!(ask(200, &items(20)), Outcome::NoEffect);
    assert_eq!(ask(400, "{}"), Outcome::Blocked);
    let mut world = known("/items?limit=1");
    world.get(&Client::at(40), "/items?max=500000", &items(3));
    world.is_quiet();
}

#[test]
fn a_refused_page_does_not_hide_one_that_came() {
    let mut world = known("/items?limit=1");
    world.call(&Client::at(40), "GET /items?limit=1000000000", "", 400, "{}");
    let items = format!(r#"{{"items":[{}]}}"#, vec!["1"; 900].join(","));
    world.get(&Client::at(40), "/items?limit=5000", &items);
    let outcomes: Vec<_> = world.found.iter().map(|finding| finding.outcome).collect();
    assert_eq!(outcomes, [Outcome::Blocked, Outcome::Confirmed]);
}

#[test]
fn documents_that_all_clients_send_are_usual() {
    let many: Vec<String> = (0..25).map(|n| format!("a{n}: paste(id: {n}) {{ id }}")).collect();
    let body = format!(r#"{{"query":"query {{ {} }}"}}"#, many.join(" "));
    let mut world = World::new();
    for user in 0..100 {
        world.call(&Client::at(user), "POST /graphql", &body, 200, r#"{"data":{}}"#);
    }
    assert!(world.found.len() < 6, "{}", world.found.len());
}

#[test]
fn an_outage_that_tells_its_traces_is_nobodys_probe() {
    let trace = r#"{"error":"Traceback (most recent call last): x"}"#;
    let mut world = World::new();
    for order in 0..10 {
        world.call(&Client::at(1), &format!("GET /orders/{order}"), "", 500, trace);
    }
    world.is_quiet();
    for order in 0..10 {
        world.call(&Client::at(2), &format!("GET /orders/%00{order}"), "", 400, "{}");
    }
    assert_eq!(world.one("error-probing").1, Outcome::Blocked);
}

#[test]
fn pictures_that_are_gone_and_configurations_of_pages_are_no_reconnaissance() {
    let mut world = World::new();
    for user in 0..20 {
        world.get(&Client::at(1), &format!("/users/{user}/avatar"), r#"{"a":1}"#);
    }
    for user in 0..40 {
        world.call(&Client::at(1), &format!("GET /users/{}/avatar", 100 + user), "", 404, "{}");
    }
    world.get(&Client::at(1), "/config.json", r#"{"api":"/v1"}"#);
    assert!(world.found.iter().all(|finding| finding.detector != "reconnaissance"), "{:?}", world.found);
}

#[test]
fn quotes_and_filters_in_what_people_look_for_are_quiet() {
    let mut world = World::new();
    for value in [
        "%22romeo%22%20and%20juliet%20in%20love",
        "Tom%20(dad)%20and%20his%20wife",
        "3%20%3E%202%3B%20a%20%3D%20b",
    ] {
        world.get(&Client::at(1), &format!("/search/{value}"), r#"{"items":[1,2]}"#);
        world.call(&Client::at(1), &format!("GET /search?q={value}"), "", 422, "{}");
    }
    for age in 18..30 {
        world.get(&Client::at(1), &format!("/users?age[$gt]={age}"), r#"{"items":[]}"#);
    }
    world.is_quiet();
    assert!(world.found.iter().all(|finding| finding.severity < Severity::Low));
}
