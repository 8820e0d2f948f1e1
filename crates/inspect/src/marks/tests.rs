use super::*;
use crate::transcript::exchange;
use crate::{Config, Inspector, TokenKey};

fn names(request: &str, response: &str) -> Vec<&'static str> {
    let mut inspector = Inspector::new(Config::new(TokenKey::new([7; 32])));
    let observation = inspector.exchange(exchange(1, request.as_bytes(), response.as_bytes()));
    observation.marks.iter().map(Mark::name).collect()
}

fn has(request: &str, response: &str, mark: Mark) -> bool {
    names(request, response).contains(&mark.name())
}

const GET: &str = "GET /a HTTP/1.1\r\nHost: shop.example\r\n\r\n";

fn answer(fields: &str, body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: {}\r\n\r\n{body}", body.len())
}

#[test]
fn names_are_unique_and_what_they_are_among_stands_for_itself() {
    for (index, mark) in Mark::ALL.iter().enumerate() {
        assert!(Mark::ALL.iter().skip(index + 1).all(|other| other.name() != mark.name()), "{mark:?}");
        assert_eq!(mark.among().among(), mark.among(), "{mark:?}");
        assert_eq!(*mark as usize, index);
    }
}

#[test]
fn plain_call_is_open_and_in_clear() {
    let marks = names(GET, &answer("X-Content-Type-Options: nosniff\r\n", "ok"));
    assert_eq!(marks, ["called", "answered", "succeeded", "answers_2xx", "clear_text", "unauthenticated"]);
}

#[test]
fn credentials_and_logins_are_not_open() {
    let with_key = "GET /a HTTP/1.1\r\nHost: a\r\nX-API-Key: abcdefgh12345678\r\n\r\n";
    assert!(!has(with_key, &answer("", "ok"), Mark::Open));
    let login = "POST /login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 31\r\n\r\n\
                 {\"user\":\"jane\",\"password\":\"pw1\"}";
    assert!(!has(login, &answer("Set-Cookie: sid=abc\r\n", "{}"), Mark::Open));
    assert!(!has(GET, "HTTP/1.1 401 Unauthorized\r\n\r\n", Mark::Open));
}

#[test]
fn proxy_tells_that_it_was_encrypted_in_front() {
    for field in ["X-Forwarded-Proto: https", "Forwarded: for=192.0.2.1;proto=https"] {
        let request = format!("GET /a HTTP/1.1\r\nHost: a\r\n{field}\r\n\r\n");
        assert!(!has(&request, &answer("", ""), Mark::ClearText), "{field}");
    }
    let request = "GET /a HTTP/1.1\r\nHost: a\r\nX-Forwarded-Proto: http\r\n\r\n";
    assert!(has(request, &answer("", ""), Mark::ClearText));
}

#[test]
fn cookies_are_judged_by_name_and_attributes() {
    let set = |cookie: &str| names(GET, &answer(&format!("Set-Cookie: {cookie}\r\n"), ""));
    let bare = set("sessionid=abc; Path=/");
    assert!(bare.contains(&"cookie_without_httponly") && bare.contains(&"cookie_without_samesite"));
    assert!(!bare.contains(&"cookie_without_secure"), "in clear it could not be Secure");
    assert!(!set("sessionid=abc; HttpOnly; SameSite=Lax").contains(&"cookie_without_httponly"));
    assert!(!set("theme=dark").contains(&"session_set"));
    assert!(!set("sessionid=; Max-Age=0").contains(&"session_set"), "taken away");
}

#[test]
fn shared_caches_are_told_by_what_answers_allow() {
    let request = "GET /a HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer abcdefgh12345678\r\n\r\n";
    for (control, shared) in [
        ("public, max-age=60", true),
        ("s-maxage=60", true),
        ("max-age=60", false),
        ("public, no-store", false),
        ("private", false),
    ] {
        let response = answer(&format!("Cache-Control: {control}\r\n"), "{}");
        assert_eq!(has(request, &response, Mark::SharedCache), shared, "{control}");
        assert!(!has(GET, &response, Mark::SharedCache), "without credentials: {control}");
    }
}

#[test]
fn cors_is_judged_where_credentials_are_allowed() {
    let from =
        |origin: &str| format!("GET /a HTTP/1.1\r\nHost: api.shop.example\r\nOrigin: {origin}\r\n\r\n");
    let allows = |origin: &str| {
        answer(
            &format!("Access-Control-Allow-Origin: {origin}\r\nAccess-Control-Allow-Credentials: true\r\n"),
            "",
        )
    };
    assert!(has(&from("https://evil.test"), &allows("https://evil.test"), Mark::CorsForeign));
    assert!(!has(&from("https://www.shop.example"), &allows("https://www.shop.example"), Mark::CorsForeign));
    assert!(has(&from("null"), &allows("null"), Mark::CorsNull));
    assert!(has(&from("https://x.test"), &allows("*"), Mark::CorsAny));
    let without = answer("Access-Control-Allow-Origin: null\r\n", "");
    assert!(!has(&from("null"), &without, Mark::CorsNull));
}

#[test]
fn errors_are_verbose_by_what_programs_write() {
    let failed = |body: &str| format!("HTTP/1.1 500 Oops\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    for trace in [
        "Traceback (most recent call last):\n  File \"a.py\"",
        "java.lang.NullPointerException\n\tat shop.Order.get(Order.java:17)",
        "{\"trace\":\"x\\n\\tat shop.Order.get(Order.java:17)\"}",
        "TypeError\n    at get (/srv/app/orders.js:3:1)",
        "SQLSTATE[42S02]: Base table or view not found",
    ] {
        assert!(has(GET, &failed(trace), Mark::VerboseError), "{trace}");
    }
    assert!(!has(GET, &failed("{\"error\":\"we meet at 10\"}"), Mark::VerboseError));
    assert!(!has(GET, &answer("", "Traceback (most recent call last)"), Mark::VerboseError));
}

#[test]
fn versions_directories_and_data_are_seen() {
    assert!(has(GET, &answer("Server: nginx/1.18.0\r\n", ""), Mark::VersionShown));
    assert!(!has(GET, &answer("Server: nginx\r\n", ""), Mark::VersionShown));
    let page = "<html><head><title>Index of /files</title></head></html>";
    assert!(has(GET, &answer("Content-Type: text/html\r\n", page), Mark::Listing));
    let json = |body: &str| answer("Content-Type: application/json\r\n", body);
    let card = json(r#"{"card":{"number":"4539578763621486","cvv":"737"}}"#);
    for mark in [Mark::AnswerCard, Mark::AnswerCardSecret, Mark::AnswerFinancial, Mark::AnswerSensitive] {
        assert!(has(GET, &card, mark), "{mark:?}");
    }
    assert!(!has(GET, &json(r#"{"number":"17","total":"42.00"}"#), Mark::AnswerSensitive));
    let url = "GET /people?ssn=536-22-8471 HTTP/1.1\r\nHost: a\r\n\r\n";
    assert!(has(url, &json("{}"), Mark::UrlSensitive));
    assert!(!has(GET, &json("{}"), Mark::UrlSensitive));
}
