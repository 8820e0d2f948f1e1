use super::*;
use crate::transcript::exchange;
use crate::{Config, Inspector, TokenKey};

const KEY: TokenKey = TokenKey::new([7; 32]);

fn issuance(request: &str, response: &str) -> Option<Box<Issuance>> {
    let lines = |text: &str| {
        let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
        format!("{}\r\n\r\n{body}", head.replace('\n', "\r\n"))
    };
    let exchange = exchange(1, lines(request).as_bytes(), lines(response).as_bytes());
    Inspector::new(Config::new(KEY)).exchange(exchange).issuance
}

fn secret(text: &str) -> Token {
    KEY.token(Domain::Credential, text.as_bytes())
}

fn name(text: &str) -> Option<Token> {
    Some(KEY.token(Domain::Identity, text.as_bytes()))
}

const JSON: &str = "HTTP/1.1 200 OK\nContent-Type: application/json\n\n";
const FORM: &str = "Content-Type: application/x-www-form-urlencoded\n\n";

#[test]
fn a_password_grant_is_asked_and_answered() {
    let found = issuance(
        &format!("POST /oauth/token HTTP/1.1\nAuthorization: Basic YXBwOnNlY3JldA==\n{FORM}grant_type=password&username=alice&password=pw"),
        &format!(r#"{JSON}{{"access_token":"at-1","refresh_token":"rt-1","expires_in":60,"scope":"read write"}}"#),
    )
    .expect("an issuance");
    assert_eq!((found.grant, found.user, found.client), (Some(Grant::Password), name("alice"), name("app")));
    assert!(found.succeeded && !found.logout);
    let [access, refresh] = found.issued.as_slice() else { panic!("{found:?}") };
    assert_eq!((access.kind, access.token, access.lifetime), (IssuedKind::Access, secret("at-1"), Some(60)));
    assert_eq!((refresh.kind, refresh.token, refresh.lifetime), (IssuedKind::Refresh, secret("rt-1"), None));
    let scopes = found.grants.expect("grants");
    assert_eq!(scopes.scopes.iter().map(super::super::Word::as_str).collect::<Vec<_>>(), ["read", "write"]);
}

#[test]
fn a_long_refresh_token_in_a_form_is_the_one_that_was_issued() {
    let long = "ab%2B".repeat(800);
    let found = issuance(
        &format!("POST /token HTTP/1.1\n{FORM}grant_type=refresh_token&refresh_token={long}&client_id=app"),
        &format!(r#"{JSON}{{"access_token":"at-2"}}"#),
    )
    .expect("an issuance");
    assert_eq!((found.grant, found.client), (Some(Grant::Refresh), name("app")));
    assert_eq!(found.presented, Some(secret(&"ab+".repeat(800))));
}

#[test]
fn a_login_of_json_and_of_graphql() {
    for request in [
        r#"{"email":"a@b.example","password":"pw"}"#,
        r#"{"query":"mutation($email:String!,$password:String!){login(email:$email,password:$password){token}}","variables":{"email":"a@b.example","password":"pw"}}"#,
    ] {
        let found = issuance(
            &format!("POST /login HTTP/1.1\nContent-Type: application/json\n\n{request}"),
            &format!(r#"{JSON}{{"data":{{"login":{{"token":"t-1","user":{{"role":"admin"}}}}}}}}"#),
        )
        .expect("an issuance");
        assert_eq!(found.user, name("a@b.example"), "{request}");
        assert_eq!(found.issued[0].token, secret("t-1"), "{request}");
        assert_eq!(found.grants.expect("a role").roles[0].as_str(), "admin");
    }
}

#[test]
fn a_token_in_an_answer_nobody_logged_in_for_is_just_a_field() {
    let plain = format!(r#"{JSON}{{"token":"next-page-17","items":[]}}"#);
    assert_eq!(issuance("GET /items HTTP/1.1\nHost: a", &plain), None);
    assert_eq!(issuance("GET /items HTTP/1.1\nAuthorization: Bearer x", &plain), None);
    let standard = format!(r#"{JSON}{{"access_token":"at-9"}}"#);
    assert_eq!(issuance("GET /items HTTP/1.1\nHost: a", &standard), None);
    let found = issuance("POST /exchange HTTP/1.1\nAuthorization: Bearer x", &standard).expect("an issuance");
    assert_eq!((found.grant, found.issued.len()), (None, 1));
}

#[test]
fn cookies_come_and_go() {
    let login =
        format!("POST /login HTTP/1.1\nCookie: theme=dark; sessionid=old\n{FORM}username=alice&password=pw");
    let found = issuance(
        &login,
        "HTTP/1.1 302 Found\nLocation: /\nSet-Cookie: theme=light\nSet-Cookie: sessionid=new; Path=/; Max-Age=3600; HttpOnly",
    )
    .expect("an issuance");
    let [session] = found.issued.as_slice() else { panic!("{found:?}") };
    assert_eq!(
        (session.kind, session.token, session.lifetime),
        (IssuedKind::Session, secret("new"), Some(3600))
    );
    assert!(found.succeeded && found.ended.is_empty());
    for gone in
        ["sessionid=; Path=/", "sessionid=x; Max-Age=0", "sessionid=x; Expires=Thu, 01 Jan 1970 00:00:00 GMT"]
    {
        let found = issuance(
            "GET /a HTTP/1.1\nCookie: sessionid=old; other=1",
            &format!("HTTP/1.1 200 OK\nSet-Cookie: {gone}"),
        )
        .expect("an issuance");
        assert_eq!((found.ended.as_slice(), found.issued.len()), (&[secret("old")][..], 0), "{gone}");
    }
}

#[test]
fn a_login_that_was_refused_did_not_succeed() {
    let login = format!("POST /login HTTP/1.1\n{FORM}username=alice&password=wrong");
    for answer in [
        "HTTP/1.1 401 Unauthorized",
        "HTTP/1.1 302 Found\nLocation: /login?error=1\nSet-Cookie: session=flash",
        "HTTP/1.1 200 OK\nContent-Type: text/html; charset=utf-8\nSet-Cookie: session=flash",
    ] {
        assert!(!issuance(&login, answer).expect("an issuance").succeeded, "{answer}");
    }
    assert!(issuance(&login, "HTTP/1.1 303 See Other\nLocation: /home").expect("an issuance").succeeded);
}

#[test]
fn a_page_that_asks_for_a_password_is_the_form_once_more() {
    let login = format!("POST /wp-login.php HTTP/1.1\n{FORM}log=alice&pwd=wrong");
    let page = "HTTP/1.1 200 OK\nContent-Type: text/html\nSet-Cookie: PHPSESSID=1\n\n";
    for (form, again) in [
        ("<INPUT name=pwd TYPE='Password'>", true),
        ("<input type=password>", true),
        ("<input type=\"text\"> password", false),
    ] {
        let found = issuance(&login, &format!("{page}{form}")).expect("an issuance");
        assert_eq!((found.user, found.asks_again), (name("alice"), again), "{form}");
    }
    let elsewhere = "HTTP/1.1 302 Found\nLocation: https://login.example/home";
    assert!(issuance(&login, elsewhere).expect("an issuance").succeeded);
}

#[test]
fn logouts_and_revocations() {
    let ends = |request: &str| issuance(request, "HTTP/1.1 204 No Content").is_some_and(|found| found.logout);
    for request in
        ["POST /v1/logout", "GET /accounts/Sign-Out", "DELETE /session", "DELETE /api/sessions/current"]
    {
        assert!(ends(&format!("{request} HTTP/1.1\nCookie: sid=1")), "{request}");
    }
    for request in ["GET /session", "POST /logouts", "DELETE /users/me", "GET /signoutside"] {
        assert!(!ends(&format!("{request} HTTP/1.1\nCookie: sid=1")), "{request}");
    }
    let found = issuance(
        &format!("POST /oauth/revoke HTTP/1.1\n{FORM}token=rt-1&token_type_hint=refresh_token"),
        "HTTP/1.1 200 OK",
    )
    .expect("an issuance");
    assert_eq!((found.ended.as_slice(), found.grant, found.logout), (&[secret("rt-1")][..], None, false));
}
