use crate::context::Reading;
use crate::principals::{KnownBy, TokenFact};
use crate::transcript::exchange;
use crate::{Call, Config, Inventory, Principal, PrincipalKind};
use std::sync::Arc;
use tapwire_inspect::{CredentialKind, Domain, Inspector, Token, TokenKey};
use tapwire_protocol::tls::{Certificate, Facts};

const KEY: TokenKey = TokenKey::new([7; 32]);

/// An inventory with the inspector in front of it; `at` is the second of the next exchange.
struct Seen {
    inspector: Inspector,
    inventory: Inventory,
    at: u32,
    tls: Option<Arc<Facts>>,
}

fn seen() -> Seen {
    with(Config::new(KEY))
}

fn with(config: Config) -> Seen {
    let inspector = Inspector::new(tapwire_inspect::Config::new(KEY));
    Seen { inspector, inventory: Inventory::new(config), at: 1000, tls: None }
}

impl Seen {
    fn exchange(&mut self, request: &str, response: &str) -> Call {
        let lines = |text: &str| {
            let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
            format!("{}\r\n\r\n{body}", head.replace('\n', "\r\n"))
        };
        self.at += 1;
        let mut exchange = exchange(self.at, lines(request).as_bytes(), lines(response).as_bytes());
        exchange.flow.tls = self.tls.clone();
        self.inventory.place(self.inspector.exchange(exchange))
    }

    /// A GET with that header, answered with 200.
    fn get(&mut self, header: &str) -> Call {
        self.exchange(&format!("GET /orders HTTP/1.1\nHost: shop\n{header}"), "HTTP/1.1 200 OK")
    }

    fn token(&mut self, form: &str, json: &str) -> Call {
        let request = format!(
            "POST /oauth/token HTTP/1.1\nHost: shop\nContent-Type: application/x-www-form-urlencoded\n\n{form}"
        );
        self.exchange(&request, &format!("HTTP/1.1 200 OK\nContent-Type: application/json\n\n{json}"))
    }

    fn facts(&mut self, header: &str) -> Vec<&'static str> {
        self.get(header).caller.facts.iter().map(TokenFact::name).collect()
    }
}

fn name(text: &str) -> Token {
    KEY.token(Domain::Identity, text.as_bytes())
}

fn secret(text: &str) -> Token {
    KEY.token(Domain::Credential, text.as_bytes())
}

fn user(text: &str) -> Option<Principal> {
    Some(Principal { kind: PrincipalKind::LoginUser, token: name(text) })
}

/// A JSON Web Token with these claims, by base64 from elsewhere: the alphabet has no bearing on what is tested.
fn jwt(claims: &str) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let bits: String = claims.bytes().map(|byte| format!("{byte:08b}")).collect();
    let six = |chunk: &[u8]| format!("{:0<6}", std::str::from_utf8(chunk).unwrap());
    let digit = |text: String| char::from(ALPHABET[usize::from_str_radix(&text, 2).unwrap()]);
    let body: String = bits.as_bytes().chunks(6).map(|chunk| digit(six(chunk))).collect();
    format!("eyJhbGciOiJIUzI1NiJ9.{body}.c2ln")
}

#[test]
fn an_opaque_token_is_its_users_and_stays_so_when_it_is_renewed() {
    let mut seen = seen();
    let login = seen.token(
        "grant_type=password&username=alice&password=pw",
        r#"{"access_token":"at-1","refresh_token":"rt-1","expires_in":300,"scope":"read"}"#,
    );
    let first = seen.get("Authorization: Bearer at-1");
    assert_eq!(first.principal, user("alice"));
    assert_eq!(first.caller.by, KnownBy::Credential(CredentialKind::Bearer));
    assert_eq!((first.caller.login, first.caller.renewals), (Some(name("alice")), 0));
    assert_eq!(first.caller.issued_in, Some(login.observation.exchange.uid()));
    assert_eq!(first.caller.grants.as_ref().map(|grants| grants.scopes[0].as_str()), Some("read"));
    let renewal = seen.token(
        "grant_type=refresh_token&refresh_token=rt-1",
        r#"{"access_token":"at-2","refresh_token":"rt-2","expires_in":300}"#,
    );
    let second = seen.get("Authorization: Bearer at-2");
    assert_eq!((second.principal, second.caller.renewals), (user("alice"), 1));
    assert_eq!(second.caller.issued_in, Some(renewal.observation.exchange.uid()));
    let third = seen.token("grant_type=refresh_token&refresh_token=rt-2", r#"{"access_token":"at-3"}"#);
    assert!(third.caller.facts.is_empty());
    assert_eq!(seen.get("Authorization: Bearer at-3").caller.renewals, 2);
    let again = seen.token("grant_type=refresh_token&refresh_token=rt-1", r#"{"access_token":"at-4"}"#);
    assert_eq!(
        again.caller.facts.iter().map(TokenFact::name).collect::<Vec<_>>(),
        ["superseded", "accepted"]
    );
    let sessions = seen.inventory.principals().sessions();
    let at = |text: &str| sessions.iter().find(|session| session.token == secret(text)).expect("a session");
    assert_eq!((at("at-2").parent, at("rt-2").parent), (Some(secret("rt-1")), Some(secret("rt-1"))));
    assert_eq!((at("at-2").owner, at("rt-1").used.map(|used| used.2)), (user("alice"), Some(2)));
    let callers = seen.inventory.principals().callers();
    let alice = callers.iter().find(|caller| Some(caller.principal) == user("alice")).expect("alice");
    assert_eq!((alice.calls, alice.credentials.as_slice(), alice.sessions), (3, &["bearer"][..], 6));
}

#[test]
fn who_gets_tokens_without_a_password() {
    let mut seen = seen();
    seen.token("grant_type=client_credentials&client_id=batch", r#"{"access_token":"at-c"}"#);
    assert_eq!(seen.get("Authorization: Bearer at-c").principal, user("batch"));
    let id = jwt(r#"{"iss":"i","sub":"u7"}"#);
    seen.token(
        "grant_type=authorization_code&code=x&client_id=web",
        &format!(r#"{{"access_token":"at-o","id_token":"{id}"}}"#),
    );
    let subject = Principal { kind: PrincipalKind::JwtSubject, token: name("i\0u7") };
    assert_eq!(seen.get("Authorization: Bearer at-o").principal, Some(subject));
    let basic = "POST /login HTTP/1.1\nHost: shop\nAuthorization: Basic Ym9iOnB3";
    seen.exchange(basic, "HTTP/1.1 201 Created\nX-Auth-Token: at-b");
    assert_eq!(seen.get("X-Auth-Token: at-b").principal, user("bob"));
    seen.exchange(
        "POST /upgrade HTTP/1.1\nHost: shop\nX-Api-Key: k",
        "HTTP/1.1 200 OK\nSet-Cookie: sid=1; Path=/",
    );
    let key = Principal { kind: PrincipalKind::ApiKey, token: secret("k") };
    assert_eq!(seen.get("Cookie: sid=1").principal, Some(key));
}

const LOGIN: &str = "Content-Type: application/x-www-form-urlencoded\n\nusername=alice&password=pw";

#[test]
fn a_cookie_that_a_login_changes_stays_the_same_callers() {
    let mut seen = seen();
    seen.exchange("GET /login HTTP/1.1\nHost: shop", "HTTP/1.1 200 OK\nSet-Cookie: sessionid=s1");
    let before = seen.get("Cookie: sessionid=s1").principal.expect("a caller");
    assert_eq!((before.kind, before.token), (PrincipalKind::Session, secret("s1")));
    let login = format!("POST /login HTTP/1.1\nHost: shop\nCookie: sessionid=s1\n{LOGIN}");
    seen.exchange(&login, "HTTP/1.1 302 Found\nLocation: /\nSet-Cookie: sessionid=s2; Max-Age=600");
    assert_eq!(seen.get("Cookie: sessionid=s2").principal, user("alice"));
    let old = seen.get("Cookie: sessionid=s1");
    assert_eq!(old.principal, user("alice"));
    assert!(
        old.caller.facts.contains(TokenFact::Superseded) && old.caller.facts.contains(TokenFact::Accepted)
    );
    // A server that changes its cookie with every answer.
    seen.exchange(
        "GET /a HTTP/1.1\nHost: shop\nCookie: sessionid=s2",
        "HTTP/1.1 200 OK\nSet-Cookie: sessionid=s3",
    );
    let third = seen.get("Cookie: sessionid=s3");
    assert_eq!((third.principal, third.caller.login), (user("alice"), Some(name("alice"))));
}

#[test]
fn a_session_without_login_is_known_by_its_first_cookie() {
    let mut seen = seen();
    seen.get("Cookie: sid=a");
    seen.exchange("GET /x HTTP/1.1\nHost: shop\nCookie: sid=a", "HTTP/1.1 200 OK\nSet-Cookie: sid=b");
    seen.exchange("GET /x HTTP/1.1\nHost: shop\nCookie: sid=b", "HTTP/1.1 200 OK\nSet-Cookie: sid=c");
    let caller = seen.get("Cookie: sid=c").principal.expect("a caller");
    assert_eq!((caller.kind, caller.token), (PrincipalKind::Session, secret("a")));
}

#[test]
fn a_login_that_was_refused_binds_nothing() {
    let mut seen = seen();
    let login = format!("POST /login HTTP/1.1\nHost: shop\nCookie: sessionid=s1\n{LOGIN}");
    for answer in [
        "HTTP/1.1 401 Unauthorized\nSet-Cookie: sessionid=s2",
        "HTTP/1.1 302 Found\nLocation: /login?error\nSet-Cookie: sessionid=s2",
    ] {
        seen.exchange(&login, answer);
        assert_eq!(
            seen.get("Cookie: sessionid=s2").principal.expect("a caller").kind,
            PrincipalKind::Session
        );
    }
    // Without a new cookie the old one is alice's when she is let in.
    seen.exchange(&login, "HTTP/1.1 303 See Other\nLocation: /home");
    assert_eq!(seen.get("Cookie: sessionid=s1").principal, user("alice"));
}

#[test]
fn what_is_used_after_logout_is_said() {
    let mut seen = seen();
    assert!(seen.facts("Authorization: Bearer t").is_empty());
    let logout = "POST /logout HTTP/1.1\nHost: shop\nAuthorization: Bearer t";
    seen.exchange(logout, "HTTP/1.1 500 Internal Server Error");
    assert!(seen.facts("Authorization: Bearer t").is_empty(), "a logout that failed ends nothing");
    seen.exchange(logout, "HTTP/1.1 204 No Content");
    assert_eq!(seen.facts("Authorization: Bearer t"), ["after-logout", "accepted"]);
    let refused = seen
        .exchange("GET /orders HTTP/1.1\nHost: shop\nAuthorization: Bearer t", "HTTP/1.1 401 Unauthorized");
    assert_eq!(refused.caller.facts.iter().map(TokenFact::name).collect::<Vec<_>>(), ["after-logout"]);
    let revoke =
        "POST /oauth/revoke HTTP/1.1\nHost: shop\nContent-Type: application/x-www-form-urlencoded\n\ntoken=u";
    seen.exchange(revoke, "HTTP/1.1 200 OK");
    assert_eq!(seen.facts("Authorization: Bearer u"), ["after-logout", "accepted"]);
    seen.get("Cookie: sid=1");
    seen.exchange(
        "GET /bye HTTP/1.1\nHost: shop\nCookie: sid=1",
        "HTTP/1.1 200 OK\nSet-Cookie: sid=; Max-Age=0",
    );
    assert_eq!(seen.facts("Cookie: sid=1"), ["after-logout", "accepted"]);
}

#[test]
fn a_token_that_a_log_in_hands_out_again_is_good_again() {
    let mut seen = seen();
    let log_in = "grant_type=password&username=a&password=b";
    seen.token(log_in, r#"{"access_token":"for-ever"}"#);
    seen.exchange(
        "POST /logout HTTP/1.1\nHost: shop\nAuthorization: Bearer for-ever",
        "HTTP/1.1 204 No Content",
    );
    assert_eq!(seen.facts("Authorization: Bearer for-ever"), ["after-logout", "accepted"]);
    seen.token(log_in, r#"{"access_token":"for-ever"}"#);
    assert!(seen.facts("Authorization: Bearer for-ever").is_empty());
}

#[test]
fn a_token_that_two_log_ins_got_is_over_with_the_second_logout() {
    let mut seen = seen();
    let log_in = "grant_type=password&username=a&password=b";
    let logout = "POST /logout HTTP/1.1\nHost: shop\nAuthorization: Bearer same-second";
    for _ in 0..2 {
        seen.token(log_in, r#"{"access_token":"same-second"}"#);
    }
    seen.exchange(logout, "HTTP/1.1 204 No Content");
    assert!(seen.facts("Authorization: Bearer same-second").is_empty(), "the other device goes on");
    seen.exchange(logout, "HTTP/1.1 204 No Content");
    assert_eq!(seen.facts("Authorization: Bearer same-second"), ["after-logout", "accepted"]);
}

#[test]
fn expiry_is_judged_at_the_time_of_the_call() {
    let mut seen = seen();
    seen.token("grant_type=password&username=a&password=b", r#"{"access_token":"at","expires_in":"100"}"#);
    seen.at += 150;
    assert!(seen.facts("Authorization: Bearer at").is_empty(), "within the leeway");
    seen.at += 20;
    assert_eq!(seen.facts("Authorization: Bearer at"), ["expired", "accepted"]);
    let of = |claims: &str| format!("Authorization: Bearer {}", jwt(claims));
    seen.at = 10_000;
    assert_eq!(seen.facts(&of(r#"{"sub":"a","iat":9000,"exp":9900}"#)), ["expired", "accepted"]);
    assert_eq!(seen.facts(&of(r#"{"sub":"a","nbf":20000,"exp":30000}"#)), ["not-yet-valid", "accepted"]);
    assert_eq!(seen.facts(&of(r#"{"sub":"a"}"#)), ["no-expiry"]);
    assert_eq!(seen.facts(&of(r#"{"sub":"a","iat":1,"exp":900000}"#)), ["long-lived"]);
    let unsigned = jwt(r#"{"sub":"a","iat":9900,"exp":11000}"#).replacen(
        "eyJhbGciOiJIUzI1NiJ9",
        "eyJhbGciOiJub25lIn0",
        1,
    );
    assert_eq!(seen.facts(&format!("Authorization: Bearer {unsigned}")), ["alg-none"]);
}

#[test]
fn a_certificate_comes_before_a_login_and_behind_basic() {
    let mut seen = seen();
    let certificate = Certificate { subject_name: Some("CN=till-7,O=Shop".into()), ..Certificate::default() };
    let facts = Facts { client_certificate: Some(certificate), ja4: Some("t13d".into()), ..Facts::default() };
    seen.tls = Some(Arc::new(facts));
    let call = seen.get("Authorization: Bearer opaque");
    let till = Principal { kind: PrincipalKind::Certificate, token: name("CN=till-7,O=Shop") };
    assert_eq!((call.principal, call.caller.by), (Some(till), KnownBy::Certificate));
    assert_eq!(call.caller.session, Some(secret("opaque")));
    let basic = seen.get("Authorization: Basic Ym9iOnB3").principal.expect("a caller");
    assert_eq!(basic.kind, PrincipalKind::BasicUser);
    assert_eq!(seen.inventory.principals().callers()[0].credentials, ["certificate"]);
}

#[test]
fn who_shows_nothing_is_told_by_network_fingerprint_and_agent() {
    let mut seen = seen();
    let mut of = |ja4: Option<&str>, agent: &str| {
        seen.tls = ja4.map(|ja4| Arc::new(Facts { ja4: Some(ja4.into()), ..Facts::default() }));
        let call = seen.get(&format!("User-Agent: {agent}"));
        assert_eq!(call.caller.by, KnownBy::Network);
        call.principal.expect("a caller")
    };
    let first = of(Some("t13d"), "a");
    assert_eq!(first, of(Some("t13d"), "a"));
    assert_ne!(first, of(Some("t12d"), "a"));
    assert_ne!(first, of(Some("t13d"), "b"));
    assert_ne!(of(None, "a"), of(Some("t13d"), "a"));
}

#[test]
fn roles_are_kept_of_each_caller() {
    let mut seen = seen();
    let token = jwt(r#"{"sub":"a","exp":9000000000,"roles":["clerk"],"scope":"orders.read"}"#);
    let call = seen.get(&format!("Authorization: Bearer {token}"));
    let grants = call.caller.grants.expect("grants");
    assert_eq!((grants.roles[0].as_str(), grants.scopes[0].as_str()), ("clerk", "orders.read"));
    let known = seen.inventory.principals().callers();
    assert_eq!(known[0].grants.as_ref().map(|grants| grants.roles.len()), Some(1));
}

#[test]
fn roles_of_tokens_that_are_refused_take_no_room() {
    let mut seen = seen();
    for number in 0..3 {
        let token = jwt(&format!(r#"{{"sub":"a{number}","exp":9000000000,"roles":["made-up-{number}"]}}"#));
        let request = format!("GET /orders HTTP/1.1\nHost: shop\nAuthorization: Bearer {token}");
        let call = seen.exchange(&request, "HTTP/1.1 401 Unauthorized");
        assert!(call.caller.grants.is_some(), "detectors see what it claims");
    }
    let callers = seen.inventory.principals().callers();
    assert!(!callers.is_empty() && callers.iter().all(|caller| caller.grants.is_none()));
}

#[test]
fn files_say_where_both_ends_belong() {
    let mut reading = Reading::new(KEY);
    assert!(reading.sections("[networks]\ninternal = [\"10.0.0.0/8\"]\nproxies = [\"10.0.0.7\"]\n[lists]\nusers = [\"alice\"]\n").is_empty());
    assert!(reading.assets("shop,Shop,payments,dmz,high\n").is_empty());
    let mut config = Config::new(KEY);
    config.context = Arc::new(reading.finish());
    let mut seen = with(config);
    let call = seen.get("X-Forwarded-For: 203.0.113.5\nAuthorization: Basic YWxpY2U6cHc=");
    let address = call.caller.address.expect("an address");
    assert_eq!(address.ip.to_string(), "203.0.113.5");
    assert_eq!((call.caller.client.zone, call.caller.server.zone.as_deref()), (None, Some("dmz")));
    let owner = call.caller.server.asset.and_then(|asset| asset.owner.clone());
    assert_eq!(owner.as_deref(), Some("payments"));
    assert_eq!(call.caller.lists.iter().map(crate::context::List::name).collect::<Vec<_>>(), ["users"]);
    let caller = &seen.inventory.principals().callers()[0];
    assert_eq!(caller.networks.0[0].to_string(), "203.0.113.0/24");
}

#[test]
fn a_million_callers_take_bounded_memory_and_are_counted() {
    let mut config = Config::new(KEY);
    (config.max_principals, config.max_sessions) = (20_000, 5_000);
    let mut seen = with(config);
    for n in 0..60_000 {
        seen.get(&format!("X-Api-Key: key-{n}"));
        if n % 4 == 0 {
            seen.get(&format!("Cookie: sid={n}"));
        }
    }
    let principals = seen.inventory.principals();
    assert_eq!((principals.len(), principals.evicted()), (20_000, (55_000, 10_000)));
    let each = principals.held() / 25_000;
    assert!(each <= 140, "{each} bytes");
}
