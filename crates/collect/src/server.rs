//! What is answered to a request.

use crate::connections;
use crate::desk::{Answer, Desk, Stranger};
use crate::roll::{Place, Standing};
use crate::tls::{Shown, Tls};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout, timeout_at};

/// Where batches are sent to.
pub const PATH: &str = "/v1/events";

/// A body comes whole within this time, and of it something at least as often.
const BODY_TIME: Duration = Duration::from_secs(60);
const STALLED: Duration = Duration::from_secs(10);
/// Of a body that is refused unread, so much is taken away, so that the answer is heard.
const SWEPT: usize = 1 << 20;
const SWEEPING: Duration = Duration::from_secs(2);
/// Seconds after which a sensor may come back.
const LATER: &str = "1";
/// Batches that are checked at once.
const CHECKS: usize = 4;

/// Done when a collector is to end.
pub type Stop = Pin<Box<dyn Future<Output = ()> + Send>>;

/// An address beyond loopback without TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Public(pub SocketAddr);

impl std::fmt::Display for Public {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} is not on loopback, and events and tokens would cross the network in clear: give --tls-cert FILE --tls-key FILE",
            self.0
        )
    }
}

impl std::error::Error for Public {}

impl Public {
    /// Whether events may be received there.
    ///
    /// # Errors
    /// Beyond loopback it takes TLS.
    pub fn check(address: SocketAddr, tls: Option<&Tls>) -> Result<(), Self> {
        if address.ip().is_loopback() || tls.is_some() { Ok(()) } else { Err(Self(address)) }
    }
}

/// Receives events until `stop` is done.
///
/// # Errors
/// The system's reason.
pub fn serve(listener: TcpListener, desk: Arc<Desk>, tls: Option<&Tls>, stop: Stop) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().max_blocking_threads(CHECKS).enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        connections::serve(listener, tls, desk, stop).await;
        Ok(())
    })
}

/// Waits in a future that the collector runs.
pub async fn pause(time: Duration) {
    tokio::time::sleep(time).await;
}

/// Why a request is not answered with what it asks for.
enum No {
    Route,
    Method,
    Roll,
    Token,
    Ended(&'static str),
    Coding,
    Large,
    Slow,
    Broken,
    Later,
}

/// Answers a request.
pub(crate) async fn answer(
    desk: &Arc<Desk>,
    shown: Option<&Shown>,
    mut request: Request<Incoming>,
) -> Response<Full<Bytes>> {
    match admit(desk, shown, &request) {
        Err(no) => {
            sweep(request.body_mut()).await;
            refuse(&no)
        }
        Ok(place) => take(desk, place, request).await,
    }
}

/// Who sends, where that may be.
fn admit(desk: &Desk, shown: Option<&Shown>, request: &Request<Incoming>) -> Result<Place, No> {
    if request.uri().path() != PATH {
        return Err(No::Route);
    }
    if *request.method() != Method::POST {
        return Err(No::Method);
    }
    let token = bearer(request.headers()).ok_or(No::Token)?;
    let (place, standing) = desk.who(token).map_err(|stranger| match stranger {
        Stranger::Unknown => No::Token,
        Stranger::Unreadable => No::Roll,
    })?;
    let ended = match standing {
        Standing::Good | Standing::Ends(_) if shown.is_none_or(|shown| shown.is_of(&place.name)) => {
            return Ok(place);
        }
        Standing::Good | Standing::Ends(_) => {
            "the certificate is another's: its subjectAltName has to be DNS: and the sensor's name"
        }
        Standing::Expired => "the token has expired: `tapwire sensor add NAME --renew` makes another",
        Standing::Revoked => "the sensor was revoked",
    };
    desk.refused(&place.name, ended);
    Err(No::Ended(ended))
}

/// RFC 6750 section 2.1.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

async fn take(desk: &Arc<Desk>, place: Place, mut request: Request<Incoming>) -> Response<Full<Bytes>> {
    let name = place.name.clone();
    let Some(_turn) = desk.turn(&name) else {
        sweep(request.body_mut()).await;
        return later(desk, &name);
    };
    let (gzip, room) = match prepare(desk, request.headers()) {
        Ok(prepared) => prepared,
        Err(no) => {
            sweep(request.body_mut()).await;
            return told(desk, &name, &no);
        }
    };
    let body = match read(request.into_body(), desk.limits().body).await {
        Ok(body) => body,
        Err(no) => return told(desk, &name, &no),
    };
    let beside = Arc::clone(desk);
    let submitted = tokio::task::spawn_blocking(move || {
        drop(room);
        beside.submit(place, body, gzip)
    });
    let answer = match submitted.await {
        Ok(Ok(reply)) => reply.await.unwrap_or(Answer::Failed),
        Ok(Err(answer)) => answer,
        Err(_broke_off) => Answer::Failed,
    };
    match answer {
        Answer::Taken(events) => json(StatusCode::OK, &serde_json::json!({"accepted": events})),
        Answer::Later => later(desk, &name),
        Answer::Failed => {
            text(StatusCode::SERVICE_UNAVAILABLE, "the collector cannot keep events; its log says why")
        }
        Answer::Refused(refusal) => {
            let why = refusal.to_string();
            desk.refused(&name, &why);
            text(status(refusal), &why)
        }
    }
}

fn status(refusal: crate::batch::Refusal) -> StatusCode {
    use crate::batch::Refusal;
    match refusal {
        Refusal::Large => StatusCode::PAYLOAD_TOO_LARGE,
        Refusal::Line(_, fault) if fault.is_schema() => StatusCode::UNPROCESSABLE_ENTITY,
        Refusal::Coding | Refusal::Line(..) => StatusCode::BAD_REQUEST,
    }
}

/// Whether the body is compressed, and room for it.
fn prepare(desk: &Desk, headers: &HeaderMap) -> Result<(bool, OwnedSemaphorePermit), No> {
    let coding = headers.get(header::CONTENT_ENCODING).map(HeaderValue::as_bytes).unwrap_or_default();
    let gzip = match coding.to_ascii_lowercase().as_slice() {
        b"" | b"identity" => false,
        b"gzip" | b"x-gzip" => true,
        _ => return Err(No::Coding),
    };
    let most = desk.limits().body;
    let length =
        headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if length.is_some_and(|length| length > most) {
        return Err(No::Large);
    }
    desk.room(length.unwrap_or(most)).map(|room| (gzip, room)).ok_or(No::Later)
}

async fn read(mut body: Incoming, most: usize) -> Result<Bytes, No> {
    let until = Instant::now() + BODY_TIME;
    let mut bytes = Vec::new();
    loop {
        let next = timeout_at(until.min(Instant::now() + STALLED), body.frame());
        let frame = match next.await {
            Err(_late) => return Err(No::Slow),
            Ok(None) => return Ok(bytes.into()),
            Ok(Some(Err(_gone))) => return Err(No::Broken),
            Ok(Some(Ok(frame))) => frame,
        };
        bytes.extend_from_slice(frame.data_ref().map_or(&[], |data| data.as_ref()));
        if bytes.len() > most {
            let _swept = timeout(SWEEPING, drain(&mut body)).await;
            return Err(No::Large);
        }
    }
}

/// Takes a part of a body away that is not wanted: what a sender has not read when it is cut off is lost to it.
async fn sweep(body: &mut Incoming) {
    let _swept = timeout(SWEEPING, drain(body)).await;
}

async fn drain(body: &mut Incoming) {
    let mut swept = 0;
    while swept < SWEPT
        && let Some(Ok(frame)) = body.frame().await
    {
        swept += frame.data_ref().map_or(0, Bytes::len);
    }
}

fn told(desk: &Desk, sensor: &str, no: &No) -> Response<Full<Bytes>> {
    match no {
        No::Later => later(desk, sensor),
        No::Large => {
            desk.refused(sensor, "too large: send smaller batches");
            refuse(no)
        }
        No::Coding => {
            desk.refused(sensor, "a Content-Encoding other than gzip");
            refuse(no)
        }
        No::Slow => {
            desk.refused(sensor, "the body did not come in time");
            refuse(no)
        }
        _ => refuse(no),
    }
}

fn later(desk: &Desk, sensor: &str) -> Response<Full<Bytes>> {
    desk.tallies().count(sensor, |tally| tally.later += 1);
    refuse(&No::Later)
}

fn refuse(no: &No) -> Response<Full<Bytes>> {
    let (status, why) = match no {
        No::Route => (StatusCode::NOT_FOUND, "batches are sent to POST /v1/events"),
        No::Method => (StatusCode::METHOD_NOT_ALLOWED, "batches are sent with POST"),
        No::Roll => (
            StatusCode::SERVICE_UNAVAILABLE,
            "the collector cannot read its list of sensors; its log says why",
        ),
        No::Token => {
            (StatusCode::UNAUTHORIZED, "no sensor has this token: `tapwire sensor add NAME` makes one")
        }
        No::Ended(why) => (StatusCode::UNAUTHORIZED, *why),
        No::Coding => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "a body is plain or gzip"),
        No::Large => (StatusCode::PAYLOAD_TOO_LARGE, "too large: send smaller batches"),
        No::Slow => (StatusCode::REQUEST_TIMEOUT, "the body did not come in time"),
        No::Broken => (StatusCode::BAD_REQUEST, "the body broke off"),
        No::Later => (StatusCode::TOO_MANY_REQUESTS, "no room at this moment: come back"),
    };
    let mut response = text(status, why);
    let headers = response.headers_mut();
    match no {
        No::Token | No::Ended(_) => {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        No::Later => {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static(LATER));
        }
        No::Method => {
            headers.insert(header::ALLOW, HeaderValue::from_static("POST"));
        }
        _ => {}
    }
    response
}

fn text(status: StatusCode, why: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(format!("{why}\n"))));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

fn json(status: StatusCode, value: &serde_json::Value) -> Response<Full<Bytes>> {
    let mut response = text(status, &value.to_string());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
