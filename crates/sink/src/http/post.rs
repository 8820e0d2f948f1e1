//! Requests to a receiver that speaks HTTP, and what its answers mean.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use http_body_util::BodyExt;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::SendRequest;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Method, Request, Response};
use rustls::ClientConfig;

use super::connection::{Body, Connector, broken, within};
use super::dialect::Dialect;
use super::target::Target;
use super::webhook;
use crate::courier::{Miss, Taken};
use crate::queue::Load;
use crate::{Http, Secret, SinkError};

const USER_AGENT: &str = concat!("tapwire/", env!("CARGO_PKG_VERSION"));

/// An answer is read to its end to use the connection again, but not beyond this.
const ANSWER_MAX: usize = 1 << 20;
/// Nor beyond this for each event, where it has an item for each.
const ANSWER_MAX_EVENT: usize = 64;

/// Sends requests and understands answers.
pub(crate) struct Post {
    target: Target,
    dialect: &'static Dialect,
    headers: HeaderMap,
    /// Signs bodies.
    secret: Option<Secret>,
    connector: Connector,
    http: Http,
    idle: Option<SendRequest<Body>>,
}

impl Post {
    pub(crate) fn new(
        target: Target,
        dialect: &'static Dialect,
        token: Option<Secret>,
        tls: Option<Arc<ClientConfig>>,
        http: Http,
    ) -> Result<Self, SinkError> {
        let http = Http { gzip: http.gzip && dialect.gzip, ..http };
        let connector = Connector::new(
            &target.host,
            target.port,
            &target.shown,
            tls,
            Duration::from_millis(http.timeout_ms),
        )?;
        let headers = headers(&target, dialect, token.as_ref(), http.gzip)?;
        let secret = token.filter(|_| dialect.authorization.is_none());
        Ok(Self { target, dialect, headers, secret, connector, http, idle: None })
    }

    pub(crate) fn shown(&self) -> String {
        self.target.shown.clone()
    }

    pub(crate) fn advice(&self, miss: &Miss) -> &'static str {
        match miss {
            Miss::Status { status, .. } => advice(*status),
            _ => "",
        }
    }

    /// One try. A connection kept from an earlier request may have been closed by the peer meanwhile; that is ordinary
    /// (RFC 9112 section 9.5) and does not use up a try.
    pub(crate) async fn send(&mut self, load: &Load) -> Result<Taken, Miss> {
        if load.amount.events == 0 {
            return Ok(Taken::default());
        }
        let mut plain = Vec::with_capacity(usize::try_from(load.amount.bytes).unwrap_or_default());
        (self.dialect.encode)(load, &mut plain);
        let signature = self.secret.as_ref().map(|secret| webhook::signature(secret.expose(), &plain));
        let body = encode(plain, self.http.gzip);
        if let Some(mut kept) = self.idle.take()
            && kept.ready().await.is_ok()
        {
            match self.exchange(kept, &body, load, signature.as_deref()).await {
                Err(Miss::Closed) => {}
                answered => return self.judge(load, answered?),
            }
        }
        let fresh = self.connector.connect().await?;
        let answer = self.exchange(fresh, &body, load, signature.as_deref()).await?;
        self.judge(load, answer)
    }

    fn judge(&self, load: &Load, answer: Answer) -> Result<Taken, Miss> {
        let is_success = (200..300).contains(&answer.status);
        if is_success && !(self.dialect.understands)(&answer.body) {
            return Err(if answer.whole {
                Miss::NoAnswer {
                    cause: format!("answered {} with a body of another kind", answer.status),
                    hint: ": is it really what the address says?",
                }
            } else {
                Miss::Closed
            });
        }
        match (self.dialect.judge)(load, answer.status, &answer.body) {
            Some(taken) => Ok(taken),
            None => Err(Miss::Status { status: answer.status, retry_after: answer.retry_after }),
        }
    }

    async fn exchange(
        &mut self,
        mut connection: SendRequest<Body>,
        body: &Bytes,
        load: &Load,
        signature: Option<&str>,
    ) -> Result<Answer, Miss> {
        let mut request = Request::new(Body::new(body.clone()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.target.path.clone();
        *request.headers_mut() = self.headers.clone();
        if let Some(value) = signature.and_then(|text| HeaderValue::try_from(text).ok()) {
            request.headers_mut().insert(webhook::SIGNATURE, value);
        }
        let step = async {
            let answer = connection.send_request(request).await.map_err(|e| broken(&e))?;
            let (status, retry_after) = (answer.status().as_u16(), retry_after(answer.headers()));
            let events = usize::try_from(load.amount.events).unwrap_or_default();
            let (body, whole) = read(answer, events.saturating_mul(ANSWER_MAX_EVENT)).await;
            Ok((Answer { status, retry_after, body, whole }, whole))
        };
        let (answer, reusable) = within(Duration::from_millis(self.http.timeout_ms), step).await?;
        self.idle = reusable.then_some(connection);
        Ok(answer)
    }
}

/// What the receiver said.
struct Answer {
    status: u16,
    retry_after: Option<Duration>,
    body: Vec<u8>,
    /// Whether the body came to its end.
    whole: bool,
}

fn headers(
    target: &Target,
    dialect: &Dialect,
    token: Option<&Secret>,
    gzip: bool,
) -> Result<HeaderMap, SinkError> {
    let mut headers = HeaderMap::new();
    headers.insert(header::HOST, target.authority.clone());
    headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(dialect.content_type));
    if gzip {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    if let (Some(token), Some(scheme)) = (token, dialect.authorization) {
        let field = HeaderValue::try_from(format!("{scheme} {}", token.expose()));
        let mut field = field.map_err(|_| SinkError::Setting {
            key: "sink.http.token",
            cause: "cannot stand in a header field".into(),
        })?;
        field.set_sensitive(true);
        headers.insert(header::AUTHORIZATION, field);
    }
    Ok(headers)
}

fn encode(plain: Vec<u8>, gzip: bool) -> Bytes {
    if !gzip {
        return plain.into();
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    // Writing into memory cannot fail.
    let _infallible = encoder.write_all(&plain);
    encoder.finish().unwrap_or_default().into()
}

/// RFC 9110 section 10.2.3, in its form of seconds; a date is not worth a clock here.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// The answer's body, and whether it came to its end, so that the connection can be used again.
async fn read(answer: Response<Incoming>, more: usize) -> (Vec<u8>, bool) {
    let mut body = answer.into_body();
    let mut read = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return (read, false) };
        read.extend_from_slice(frame.data_ref().map_or(&[], |data| data.as_ref()));
        if read.len() > ANSWER_MAX.saturating_add(more) {
            return (read, false);
        }
    }
    (read, true)
}

fn advice(status: u16) -> &'static str {
    match status {
        300..=399 => ": redirects are not followed, give the final address",
        401 | 403 => ": check the token (`sink.http.token_file` or TAPWIRE_COLLECTOR_TOKEN)",
        404 | 405 => ": check the path of the address",
        413 => ": lower `sink.http.batch_bytes`",
        415 => ": does it take application/x-ndjson? `sink.http.gzip = false` sends it uncompressed",
        429 | 503 => ": it asks for fewer requests; raise `sink.http.batch_bytes` and `batch_ms`",
        500..=599 => ": see its own log",
        _ => "",
    }
}
