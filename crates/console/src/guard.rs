//! What keeps others out: who may ask from where, and what an answer may do.

use crate::connections::Pulse;
use crate::doors::{Asks, Doors, Refused, Visitor};
use crate::server::{Desk, FORM, beside};
use crate::tls::Peer;
use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use serde_json::json;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// Nothing is loaded from elsewhere, nothing runs inline, nobody frames the pages, whatever stands in them.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

const HEADERS: [(HeaderName, &str); 6] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    // With `no-referrer`, browsers hide the origin of our own forms, too (Fetch, 3.2).
    (header::REFERRER_POLICY, "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

/// What is said of a refusal, in bytes.
const MOST_SAID: usize = 8 << 10;

/// What the page to log in needs itself.
const OPEN: [&str; 4] = ["/login", "/console.css", "/console.js", "/mark.svg"];

/// Lets in who names this machine as host, comes from no other site, and is known; the handlers find out who it is.
pub(crate) async fn guard(State(desk): State<Desk>, request: Request, next: Next) -> Response {
    // Who sends a form slowly waits as others do, and makes room for them.
    let pulse = request.extensions().get::<Pulse>().cloned();
    let answering = || pulse.as_ref().map(Pulse::answering);
    let at_once = reads(request.method()).then(answering);
    let is_api = is_api(request.uri().path());
    let admitted = match admit(&desk.doors, &request) {
        Entry::Known(visitor) => Ok(visitor),
        Entry::Shown(shown) => prove(&desk, shown).await.map(Some),
        Entry::Refused(response) => Err(response),
    };
    let whole = whole(request, desk.patience).await;
    let _answering = at_once.unwrap_or_else(answering);
    let mut response = match (admitted, whole) {
        (Ok(visitor), Ok(mut request)) => {
            visitor.into_iter().for_each(|visitor| drop(request.extensions_mut().insert(visitor)));
            next.run(request).await
        }
        (Err(refused), _) | (_, Err(refused)) => refused,
    };
    if is_api && response.status().as_u16() >= 400 {
        response = in_json(response).await;
    }
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// The request with its body read: who sends one slowly does not get to the handlers.
async fn whole(request: Request, patience: Duration) -> Result<Request, Response> {
    if reads(request.method()) {
        return Ok(request);
    }
    let (parts, body) = request.into_parts();
    match timeout(patience, to_bytes(body, FORM)).await {
        Ok(Ok(bytes)) => Ok(Request::from_parts(parts, Body::from(bytes))),
        Ok(Err(_)) => Err(refused(StatusCode::PAYLOAD_TOO_LARGE, "a form has 16 KiB at most")),
        Err(_) => Err(refused(StatusCode::REQUEST_TIMEOUT, "the form did not come")),
    }
}

fn reads(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

fn is_api(path: &str) -> bool {
    path.starts_with("/api/")
}

/// The same refusal as programs read it.
async fn in_json(response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    let kind = parts.headers.get(header::CONTENT_TYPE);
    if kind.is_some_and(|kind| kind.as_bytes() == b"application/json") {
        return Response::from_parts(parts, body);
    }
    let said = to_bytes(body, MOST_SAID).await.unwrap_or_default();
    let said = String::from_utf8_lossy(&said);
    let why = match said.trim() {
        "" => parts.status.canonical_reason().unwrap_or_default().to_lowercase(),
        said => said.to_owned(),
    };
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Response::from_parts(parts, Body::from(json!({"error": why}).to_string()))
}

/// What comes of looking at a request.
enum Entry {
    /// Somebody known, or nobody where that is allowed.
    Known(Option<Visitor>),
    /// Somebody who shows name and password, which takes time to check.
    Shown(Shown),
    Refused(Response),
}

struct Shown {
    name: String,
    password: String,
    from: IpAddr,
}

fn admit(doors: &Doors, request: &Request) -> Entry {
    let (headers, path) = (request.headers(), request.uri().path());
    // A name that somebody else points at 127.0.0.1 (DNS rebinding) is not this machine.
    if doors.is_local() && !text(headers, header::HOST).is_some_and(is_loopback) {
        return Entry::Refused(refused(
            StatusCode::MISDIRECTED_REQUEST,
            "this console answers to localhost, 127.0.0.1 and [::1] only",
        ));
    }
    let strange = match reads(request.method()) {
        true if is_asked_for(headers) => "",
        true => "pages of other sites may lead here, and load nothing from here",
        false if is_own(headers) => "",
        false => "forms are sent by these pages only",
    };
    if !strange.is_empty() {
        return Entry::Refused(refused(StatusCode::FORBIDDEN, strange));
    }
    let polls = text(headers, HeaderName::from_static("x-console")) == Some("poll");
    let asks = if polls { Asks::Page } else { Asks::Somebody };
    let visitor = doors.visitor(cookie(headers, doors.cookie()), asks);
    if visitor.is_some() || OPEN.contains(&path) {
        return Entry::Known(visitor);
    }
    if path != "/metrics" && !is_api(path) {
        return Entry::Refused(Redirect::to("/login").into_response());
    }
    let from = request.extensions().get::<ConnectInfo<Peer>>().map(|info| info.0).unwrap_or_default().0;
    basic(headers, from).map_or_else(|| Entry::Refused(unknown()), Entry::Shown)
}

/// Machines have no cookies: they may show name and password with each request (RFC 7617).
fn basic(headers: &HeaderMap, from: IpAddr) -> Option<Shown> {
    let shown = base64(text(headers, header::AUTHORIZATION)?.strip_prefix("Basic ")?)?;
    let (name, password) = std::str::from_utf8(&shown).ok()?.split_once(':')?;
    Some(Shown { name: name.to_owned(), password: password.to_owned(), from })
}

async fn prove(desk: &Desk, shown: Shown) -> Result<Visitor, Response> {
    let (doors, name) = (Arc::clone(&desk.doors), shown.name.clone());
    let proven = beside(&desk.proofs, move || doors.prove(&shown.name, &shown.password, shown.from)).await;
    match proven {
        // Without a token of forms: what pages change, it cannot.
        Some(Ok(role)) => Ok(Visitor { name, role, token: String::new(), logged_in: false }),
        Some(Err(Refused::TooOften)) => Err(too_often()),
        Some(Err(Refused::Wrong)) | None => Err(unknown()),
    }
}

fn unknown() -> Response {
    let challenge = [(header::WWW_AUTHENTICATE, "Basic realm=\"tapwire\", charset=\"UTF-8\"")];
    (StatusCode::UNAUTHORIZED, challenge, Json(json!({"error": "log in first"}))).into_response()
}

pub(crate) fn too_often() -> Response {
    let wait = [(header::RETRY_AFTER, "300")];
    (StatusCode::TOO_MANY_REQUESTS, wait, "too many log-ins failed; wait five minutes\n").into_response()
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Whether a form comes from these pages: what browsers say of it must say so.
fn is_own(headers: &HeaderMap) -> bool {
    let site = text(headers, HeaderName::from_static("sec-fetch-site"));
    let host = text(headers, header::HOST);
    // An origin that hides itself is written `null`, and is nobody's.
    let is_host = |origin: &str| origin.split_once("://").is_some_and(|(_, origin)| Some(origin) == host);
    site.is_none_or(|site| matches!(site, "same-origin" | "none"))
        && text(headers, header::ORIGIN).is_none_or(is_host)
}

/// Whether these pages, a program, or a link that somebody followed asks: pages of other sites could have any browser in reach
/// ask, as often as they like (Fetch Metadata Request Headers, 2).
fn is_asked_for(headers: &HeaderMap) -> bool {
    let said = |name| text(headers, HeaderName::from_static(name));
    said("sec-fetch-site").is_none_or(|site| matches!(site, "same-origin" | "none"))
        || (said("sec-fetch-mode"), said("sec-fetch-dest")) == (Some("navigate"), Some("document"))
}

/// The value of a cookie.
pub(crate) fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let all = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    all.flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(known, _)| *known == name)
        .map(|(_, value)| value)
}

/// Base64 by RFC 4648; `None` where it is none.
fn base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let (mut held, mut bits) = (0_u32, 0);
    for digit in text.trim_end_matches('=').bytes() {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        held = held << 6 | u32::from(value);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.extend((held >> bits).to_le_bytes().first());
            held &= (1 << bits) - 1;
        }
    }
    Some(bytes)
}

fn refused(status: StatusCode, why: &'static str) -> Response {
    (status, format!("{why}\n")).into_response()
}

fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next(),
        None => host.split(':').next(),
    };
    matches!(name, Some("localhost" | "127.0.0.1" | "::1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_a_host() {
        for good in ["localhost", "localhost:8470", "127.0.0.1:1", "[::1]:8470"] {
            assert!(is_loopback(good), "{good}");
        }
        for bad in [
            "",
            "evil.example",
            "127.0.0.1.evil.example",
            "localhost.evil.example:8470",
            "[::2]",
            "[::1.evil",
        ] {
            assert!(!is_loopback(bad), "{bad}");
        }
    }

    #[test]
    fn a_form_of_another_site_is_none_of_ours() {
        let of = |pairs: &[(&'static str, &'static str)]| -> HeaderMap {
            let pairs = pairs
                .iter()
                .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
            pairs.collect()
        };
        assert!(is_own(&of(&[("host", "h:1"), ("origin", "http://h:1"), ("sec-fetch-site", "same-origin")])));
        assert!(is_own(&of(&[("host", "h:1")])), "no browser, and no session either");
        assert!(!is_own(&of(&[("host", "h:1"), ("origin", "http://evil.example")])));
        assert!(!is_own(&of(&[("host", "h:1"), ("origin", "null")])));
        assert!(!is_own(&of(&[("host", "h:1"), ("sec-fetch-site", "same-site")])));
    }

    #[test]
    fn base64_is_read_as_rfc_4648_writes_it() {
        let told = |text| base64(text).map(|bytes| String::from_utf8(bytes).unwrap());
        assert_eq!(told("Zm9vYmFy"), Some("foobar".into()));
        assert_eq!(
            (told("Zm8="), told("Zg=="), told("")),
            (Some("fo".into()), Some("f".into()), Some("".into()))
        );
        assert_eq!(told("Zm9v!"), None);
    }
}
