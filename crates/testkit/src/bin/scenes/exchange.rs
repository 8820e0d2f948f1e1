//! What is asked and answered, before it is bytes.

use crate::wire::Heads;
use std::io::Write;

/// A request with its answer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Exchange {
    pub(crate) method: &'static str,
    /// Path and query.
    pub(crate) target: String,
    /// Request headers beside those of the client.
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Option<Body>,
    pub(crate) status: u16,
    pub(crate) answer_headers: Vec<(&'static str, String)>,
    pub(crate) answer: Option<Body>,
    /// Nanoseconds from the request's last packet to the answer's first.
    pub(crate) latency: i64,
    /// Whose records the answer holds, as numbers of users.
    pub(crate) persons: Vec<u32>,
    /// The object that is asked for: resource and id.
    pub(crate) object: Option<String>,
    /// The trailer that ends an answer of gRPC.
    pub(crate) grpc_status: Option<u8>,
    /// The request's bytes, where they are not what a library would write.
    pub(crate) raw: Option<Vec<u8>>,
    /// Nanoseconds between the packets of a request that is sent slowly; 0 for at once.
    pub(crate) slow: i64,
    /// The answer was sent, and the mirror lost it.
    pub(crate) unseen: bool,
    /// The client leaves out its credential.
    pub(crate) anonymous: bool,
}

/// A body with its media type.
#[derive(Debug, Clone)]
pub(crate) struct Body {
    pub(crate) media: &'static str,
    pub(crate) bytes: Vec<u8>,
}

pub(crate) const JSON: &str = "application/json";

impl Body {
    pub(crate) fn new(media: &'static str, bytes: impl Into<Vec<u8>>) -> Self {
        Self { media, bytes: bytes.into() }
    }

    pub(crate) fn json(text: impl Into<Vec<u8>>) -> Self {
        Self::new(JSON, text)
    }
}

impl Exchange {
    /// Asks; the answer is an empty 204 until something else is said.
    pub(crate) fn ask(method: &'static str, target: impl Into<String>) -> Self {
        Self { method, target: target.into(), status: 204, latency: 3_000_000, ..Self::default() }
    }

    pub(crate) fn with(mut self, body: Body) -> Self {
        self.body = Some(body);
        self
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn answer(mut self, status: u16, body: Body) -> Self {
        self.status = status;
        self.answer = Some(body);
        self
    }

    pub(crate) fn says(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.answer_headers.push((name, value.into()));
        self
    }

    /// Refused or broken, as the field writes it.
    pub(crate) fn error(self, status: u16, code: &str, message: &str) -> Self {
        self.answer(status, Body::json(format!(r#"{{"error":"{code}","message":"{message}"}}"#)))
    }

    pub(crate) fn takes(mut self, latency: i64) -> Self {
        self.latency = latency;
        self
    }

    pub(crate) fn asked(&self) -> &[u8] {
        self.body.as_ref().map_or(&[], |body| &body.bytes)
    }

    pub(crate) fn answered(&self) -> &[u8] {
        self.answer.as_ref().map_or(&[], |body| &body.bytes)
    }

    /// Bytes of HTTP/1.1.
    pub(crate) fn request(&self, head: &Heads) -> Vec<u8> {
        if let Some(raw) = &self.raw {
            return raw.clone();
        }
        let mut out = Vec::with_capacity(700 + self.asked().len());
        let _ = write!(out, "{} {} HTTP/1.1\r\n", self.method, self.target);
        fields(&mut out, &head.request);
        out.extend_from_slice(self.asked());
        out
    }

    /// Bytes of HTTP/1.1.
    pub(crate) fn response(&self, head: &Heads) -> Vec<u8> {
        let mut out = Vec::with_capacity(300 + self.answered().len());
        let _ = write!(out, "HTTP/1.1 {} {}\r\n", self.status, reason(self.status));
        fields(&mut out, &head.response);
        out.extend_from_slice(self.answered());
        out
    }
}

fn fields(out: &mut Vec<u8>, fields: &[(&'static str, String)]) {
    for (name, value) in fields {
        let _ = write!(out, "{name}: {value}\r\n");
    }
    out.extend_from_slice(b"\r\n");
}

const fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        304 => "Not Modified",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        409 => "Conflict",
        410 => "Gone",
        413 => "Content Too Large",
        422 => "Unprocessable Content",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Status",
    }
}
