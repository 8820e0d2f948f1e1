//! The task that sends requests and tries again.

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

use super::connection::{Body, Connector, Miss, broken, within};
use super::queue::{Load, Queue};
use super::target::Target;
use crate::{DropReason, Http, Secret, SinkError};

const USER_AGENT: &str = concat!("tapwire/", env!("CARGO_PKG_VERSION"));

/// An answer is read to its end to use the connection again, but not beyond this.
const ANSWER_MAX: usize = 64 << 10;

/// Sends what its queue gives, in order, one request at a time.
pub(crate) struct Delivery {
    target: Target,
    headers: HeaderMap,
    connector: Connector,
    http: Http,
    queue: Arc<Queue>,
    idle: Option<SendRequest<Body>>,
}

impl Drop for Delivery {
    /// However the task ends, nobody waits for it any more.
    fn drop(&mut self) {
        self.queue.end();
    }
}

impl Delivery {
    pub(crate) fn new(
        target: Target,
        token: Option<Secret>,
        tls: Option<Arc<ClientConfig>>,
        http: Http,
        queue: Arc<Queue>,
    ) -> Result<Self, SinkError> {
        let connector = Connector::new(&target, tls, Duration::from_millis(http.timeout_ms))?;
        let headers = headers(&target, token.as_ref(), http.gzip)?;
        Ok(Self { target, headers, connector, http, queue, idle: None })
    }

    pub(crate) async fn run(mut self) {
        while let Some(load) = self.queue.next_load().await {
            match self.deliver(encode(&load, self.http.gzip)).await {
                Ok(()) => self.queue.delivered(load.amount),
                Err((miss, tries)) => {
                    let (reason, error) = self.explain(miss, tries);
                    self.queue.failed(load.amount, reason, error);
                }
            }
        }
    }

    async fn deliver(&mut self, body: Bytes) -> Result<(), (Miss, u32)> {
        let mut tries = 1;
        loop {
            match self.attempt(&body).await {
                Ok(()) => return Ok(()),
                Err(miss) if miss.is_final() || tries >= self.http.tries => return Err((miss, tries)),
                Err(miss) => tokio::time::sleep(self.pause(tries, &miss)).await,
            }
            self.queue.count_retry();
            tries += 1;
        }
    }

    /// A connection kept from an earlier request may have been closed by the peer meanwhile; that is ordinary
    /// (RFC 9112 section 9.5) and does not use up a try.
    async fn attempt(&mut self, body: &Bytes) -> Result<(), Miss> {
        if let Some(mut kept) = self.idle.take()
            && kept.ready().await.is_ok()
        {
            match self.exchange(kept, body).await {
                Err(Miss::Closed) => self.queue.count_retry(),
                settled => return settled,
            }
        }
        let fresh = self.connector.connect().await?;
        self.exchange(fresh, body).await
    }

    async fn exchange(&mut self, mut connection: SendRequest<Body>, body: &Bytes) -> Result<(), Miss> {
        let mut request = Request::new(Body::new(body.clone()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.target.path.clone();
        *request.headers_mut() = self.headers.clone();
        let step = async {
            let answer = connection.send_request(request).await.map_err(|e| broken(&e))?;
            let outcome = judge(&answer);
            Ok((outcome, drain(answer).await))
        };
        let (outcome, reusable) = within(Duration::from_millis(self.http.timeout_ms), step).await?;
        self.idle = reusable.then_some(connection);
        outcome
    }

    /// Five times as long at each try, or what the collector asks for.
    fn pause(&self, tries: u32, miss: &Miss) -> Duration {
        let growth = 5u64.saturating_pow(tries.saturating_sub(1));
        let own = Duration::from_millis(self.http.backoff_ms.saturating_mul(growth));
        let asked = match miss {
            Miss::Status { retry_after, .. } => *retry_after,
            _ => None,
        };
        asked.unwrap_or(own).min(Duration::from_millis(self.http.backoff_max_ms))
    }

    fn explain(&self, miss: Miss, tries: u32) -> (DropReason, SinkError) {
        let url = self.target.shown.clone();
        match miss {
            Miss::Closed => {
                let cause = "closed the connection without a whole answer".into();
                (
                    DropReason::Unreachable,
                    SinkError::Unreachable { url, cause, tries, hint: ": see its own log" },
                )
            }
            Miss::NoAnswer { cause, hint } | Miss::NoTrust { cause, hint } => {
                (DropReason::Unreachable, SinkError::Unreachable { url, cause, tries, hint })
            }
            Miss::Status { status, .. } => {
                (DropReason::Refused, SinkError::Refused { url, status, tries, hint: advice(status) })
            }
        }
    }
}

fn headers(target: &Target, token: Option<&Secret>, gzip: bool) -> Result<HeaderMap, SinkError> {
    let mut headers = HeaderMap::new();
    headers.insert(header::HOST, target.authority.clone());
    headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    if gzip {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    if let Some(token) = token {
        let field = HeaderValue::try_from(format!("Bearer {}", token.expose()));
        let mut field = field.map_err(|_| SinkError::Setting {
            key: "sink.http.token",
            cause: "cannot stand in a header field".into(),
        })?;
        field.set_sensitive(true);
        headers.insert(header::AUTHORIZATION, field);
    }
    Ok(headers)
}

fn encode(load: &Load, gzip: bool) -> Bytes {
    let plain = || load.pieces.iter().flat_map(|p| p.bytes()).copied().collect::<Vec<u8>>();
    if !gzip {
        return plain().into();
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    for piece in &load.pieces {
        // Writing into memory cannot fail.
        let _infallible = encoder.write_all(piece.bytes());
    }
    encoder.finish().unwrap_or_default().into()
}

fn judge(answer: &Response<Incoming>) -> Result<(), Miss> {
    if answer.status().is_success() {
        return Ok(());
    }
    Err(Miss::Status { status: answer.status().as_u16(), retry_after: retry_after(answer.headers()) })
}

/// RFC 9110 section 10.2.3, in its form of seconds; a date is not worth a clock here.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// Whether the answer came to its end, so that the connection can be used again.
async fn drain(answer: Response<Incoming>) -> bool {
    let mut body = answer.into_body();
    let mut read = 0;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return false };
        read += frame.data_ref().map_or(0, Bytes::len);
        if read > ANSWER_MAX {
            return false;
        }
    }
    true
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
