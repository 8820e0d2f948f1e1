use super::*;
use crate::transcript::exchange;
use crate::{TokenKey, target};

const KEY: TokenKey = TokenKey::new([7; 32]);

/// Kind, place, name, and whether the token is that of `secret`; for the only credential of a request.
struct One {
    kind: CredentialKind,
    place: Place,
    name: String,
    token: Token,
    identity: Option<Token>,
}

fn all(request: &str) -> Vec<One> {
    let request = exchange(1, format!("{request}\r\n\r\n").as_bytes(), b"").request.expect("a request");
    let target = target::split(&request.head).expect("a target");
    let parameters = target.query.map(|query| target::parameters(&request.head, query)).unwrap_or_default();
    let mut credentials = Credentials::new(Tokens::new(KEY));
    // Twice: what the caches answer must be the same.
    let first = credentials.of_head(&request.head, &target, &parameters);
    assert_eq!(first, credentials.of_head(&request.head, &target, &parameters));
    first
        .into_iter()
        .map(|found| One {
            kind: found.kind,
            place: found.place,
            name: found
                .name
                .map(|name| String::from_utf8_lossy(request.head.slice(name).bytes()).into_owned())
                .unwrap_or_default(),
            token: found.token,
            identity: found.identity,
        })
        .collect()
}

#[track_caller]
fn finds(request: &str, kind: CredentialKind, place: Place, name: &str, secret: &str) -> Option<Token> {
    let mut found = all(request);
    assert_eq!(found.len(), 1, "{request}");
    let one = found.remove(0);
    assert_eq!((one.kind, one.place, one.name.as_str()), (kind, place, name), "{request}");
    assert_eq!(one.token, KEY.token(Domain::Credential, secret.as_bytes()), "{request}");
    one.identity
}

fn identity(text: &str) -> Option<Token> {
    Some(KEY.token(Domain::Identity, text.as_bytes()))
}

fn header(field: &str) -> String {
    format!("GET / HTTP/1.1\r\n{field}")
}

#[test]
fn authorization_schemes() {
    let name = "Authorization";
    let of = |value: &str| header(&format!("Authorization: {value}"));
    finds(&of("Bearer mF_9.B5f-4.1JqM"), Bearer, Place::Header, name, "mF_9.B5f-4.1JqM");
    finds(&of("bearer  abc"), Bearer, Place::Header, name, "abc");
    finds(&of("ApiKey abc"), ApiKey, Place::Header, name, "abc");
    finds(&of("Digest username=\"Mufasa\""), Other, Place::Header, name, "username=\"Mufasa\"");
    assert!(all(&of("Bearer ")).is_empty());
    assert!(all(&of("Bearer")).is_empty());
}

#[test]
fn basic_rfc7617_section_2_example() {
    let request = header("Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    let found = finds(&request, Basic, Place::Header, "Authorization", "Aladdin:open sesame");
    assert_eq!(found, identity("Aladdin"));
    assert_eq!(finds(&header("Authorization: Basic !!"), Basic, Place::Header, "Authorization", "!!"), None);
}

/// RFC 7519, 3.1: issuer "joe", no subject; and one with both, made for this test.
const JWT_WITHOUT_SUBJECT: &str = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const JWT_OF_ALICE: &str =
    "eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJodHRwczovL2lkcC5leGFtcGxlIiwic3ViIjoiYWxpY2UifQ.c2lnbmF0dXJl";

#[test]
fn jwt_names_issuer_and_subject_together() {
    let request = header(&format!("Authorization: Bearer {JWT_OF_ALICE}"));
    let found = finds(&request, Jwt, Place::Header, "Authorization", JWT_OF_ALICE);
    assert_eq!(found, identity("https://idp.example\0alice"));
    let request = header(&format!("Authorization: Bearer {JWT_WITHOUT_SUBJECT}"));
    assert_eq!(finds(&request, Jwt, Place::Header, "Authorization", JWT_WITHOUT_SUBJECT), None);
}

#[test]
fn jwt_with_two_subjects_names_nobody() {
    // {"sub":"alice","sub":"bob"}
    let request = header("Authorization: Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSIsInN1YiI6ImJvYiJ9.");
    let found = all(&request);
    assert_eq!((found[0].kind, found[0].identity), (Jwt, None));
}

#[test]
fn headers_and_cookies_by_name() {
    finds(&header("X-API-Key: k1"), ApiKey, Place::Header, "X-API-Key", "k1");
    finds(&header("x-auth-token: k1"), Bearer, Place::Header, "x-auth-token", "k1");
    finds(&header("Cookie: theme=dark;  JSESSIONID=abc ; a=b"), Cookie, Place::Cookie, "JSESSIONID", "abc");
    finds(&header("Cookie: connect.sid=s%3Aabc=="), Cookie, Place::Cookie, "connect.sid", "s%3Aabc==");
    for none in ["Cookie: theme=dark; XSRF-TOKEN=abc", "Cookie: sid=", "X-Request-Id: abc", "Cookie: sid"] {
        assert!(all(&header(none)).is_empty(), "{none}");
    }
}

#[test]
fn sessions_of_wordpress_have_the_hash_of_a_site_in_their_names() {
    let hash = "5c016e8f0f95f039102cbe8366c5c7f3";
    let cookie = |name: &str| header(&format!("Cookie: {name}{hash}=jane%7C1800000000%7Cab%7Ccd"));
    for name in ["wordpress_logged_in_", "wordpress_sec_", "wordpress_"] {
        finds(&cookie(name), Cookie, Place::Cookie, &format!("{name}{hash}"), "jane%7C1800000000%7Cab%7Ccd");
    }
    for none in ["wp-settings-", "wordpress_test_cookie", "wordpress_logged_in_x"] {
        assert!(all(&cookie(none)).is_empty(), "{none}");
    }
    // Browsers send those of longer paths first.
    let both = format!("Cookie: sid=other; wordpress_{hash}=admin; wordpress_logged_in_{hash}=all");
    let names: Vec<String> = all(&header(&both)).into_iter().map(|found| found.name).collect();
    let wanted = [&format!("wordpress_logged_in_{hash}"), "sid", &format!("wordpress_{hash}")];
    assert_eq!(names, wanted);
}

#[test]
fn credentials_in_the_url() {
    let query = |query: &str| format!("GET /a?{query} HTTP/1.1");
    finds(&query("x=1&access_token=ab%63"), Bearer, Place::Query, "access_token", "abc");
    finds(&query("API_KEY=abc"), ApiKey, Place::Query, "API_KEY", "abc");
    finds(&query("password=eyJ.a.b"), Password, Place::Query, "password", "eyJ.a.b");
    finds(&query("key=AIzaSyA1234567890abc"), ApiKey, Place::Query, "key", "AIzaSyA1234567890abc");
    finds("GET /a;jsessionid=AB12/b HTTP/1.1", Cookie, Place::Path, "jsessionid", "AB12");
    let found = finds("GET http://al%69ce:pw@host/ HTTP/1.1", Basic, Place::UserInfo, "", "alice:pw");
    assert_eq!(found, identity("alice"));
    for none in
        ["key=name", "token=next", "page_token=abcdef1234567890", "access_token=", "code=abcdef1234567890"]
    {
        assert!(all(&query(none)).is_empty(), "{none}");
    }
    assert!(all("GET http://alice@host/ HTTP/1.1").is_empty());
}

#[test]
fn one_secret_has_one_token_wherever_it_stands() {
    let token = |request: &str| all(request)[0].token;
    assert_eq!(token(&header("X-API-Key: k+1")), token("GET /?api_key=k%2B1 HTTP/1.1"));
    assert_eq!(token(&header("Authorization: Bearer abc")), token("GET /?access_token=abc HTTP/1.1"));
}

#[test]
fn number_of_credentials_is_bounded() {
    assert_eq!(all(&format!("GET /?{} HTTP/1.1", "api_key=abc&".repeat(60))).len(), MAX_CREDENTIALS);
}
