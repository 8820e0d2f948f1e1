//! What an answer's head says, and what the beginning of its body gives away.

use super::{Mark, Marks};
use crate::credential::is_session;
use crate::{Observation, Operation};
use memchr::memmem::find;
use tapwire_protocol::{Exchange, Head, Message, host_of, origin_host};

/// Bytes of a failed answer that are searched for traces.
const TRACED: usize = 8 << 10;
/// Bytes of a page in which its title stands.
const TITLED: usize = 1 << 10;

/// Pairs of texts that stand together in what programs tell of their failures, and nowhere else.
const TRACES: &[(&[u8], &[u8])] = &[
    (b"Traceback (most recent call last)", b""),
    (b"\tat ", b".java:"),
    (b"\\tat ", b".java:"),
    (b"   at ", b".js:"),
    (b"   at System.", b""),
    (b"   at Microsoft.", b""),
    (b"goroutine ", b".go:"),
    (b"#0 ", b".php("),
    (b"SQLSTATE[", b""),
    (b"You have an error in your SQL syntax", b""),
    (b"ORA-0", b": "),
    (b"panicked at ", b".rs:"),
];

/// Titles of the lists that servers make of directories.
const LISTINGS: &[&[u8]] = &[b"<title>Index of /", b"<title>Directory listing for ", b"<title>Directory: /"];

/// What the header fields of an answer say.
#[derive(Default)]
struct Fields<'a> {
    allowed: &'a [u8],
    allows_credentials: bool,
    cached: &'a [u8],
    hsts: bool,
    nosniff: bool,
    version: bool,
}

pub(super) fn mark(marks: &mut Marks, observation: &Observation) {
    let exchange = &observation.exchange;
    let Some(response) = exchange.response.as_deref() else { return };
    let ok = marks.contains(Mark::Ok);
    let fields = read(marks, &response.head);
    marks.set(Mark::VersionShown, fields.version);
    marks.set(Mark::NoHsts, marks.contains(Mark::Encrypted) && !fields.hsts);
    if ok {
        marks.set(Mark::Sniffable, response.body.len > 0 && !fields.nosniff);
        cors(marks, exchange, &fields);
        marks.set(Mark::SharedCache, !observation.credentials.is_empty() && is_shared(fields.cached));
        marks.set(
            Mark::Traced,
            exchange.request_head().and_then(Head::method).is_some_and(|m| m.is(b"TRACE")),
        );
        marks.set(Mark::Introspected, introspects(observation));
    }
    body(marks, response);
}

fn read<'a>(marks: &mut Marks, head: &'a Head) -> Fields<'a> {
    let mut fields = Fields::default();
    for (name, value) in head.headers() {
        let value = value.bytes();
        match name.bytes().len() {
            6 if name.is(b"server") => fields.version |= tells_version(value),
            10 if name.is(b"set-cookie") => cookie(marks, value),
            12 if name.is(b"x-powered-by") => fields.version |= tells_version(value),
            13 if name.is(b"cache-control") => fields.cached = value,
            16 if name.is(b"x-aspnet-version") => fields.version = true,
            22 if name.is(b"x-content-type-options") => {
                fields.nosniff |= value.eq_ignore_ascii_case(b"nosniff")
            }
            25 if name.is(b"strict-transport-security") => fields.hsts = true,
            27 if name.is(b"access-control-allow-origin") => fields.allowed = value,
            32 if name.is(b"access-control-allow-credentials") => {
                fields.allows_credentials = value == b"true"
            }
            _ => {}
        }
    }
    fields
}

/// Whether a product's name is followed by its version (RFC 9110, 10.2.4).
fn tells_version(value: &[u8]) -> bool {
    let digit = |pair: &[u8]| matches!(pair, [b'/' | b' ', digit] if digit.is_ascii_digit());
    value.windows(2).any(digit)
}

/// A session cookie and its attributes (RFC 6265, 4.1). One that is taken away has no value.
fn cookie(marks: &mut Marks, value: &[u8]) {
    let mut parts = value.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
    let pair = parts.next().unwrap_or_default();
    let Some(equals) = memchr::memchr(b'=', pair) else { return };
    let (name, secret) = (pair.get(..equals).unwrap_or_default(), pair.get(equals + 1..).unwrap_or_default());
    if secret.is_empty() || !is_session(name) {
        return;
    }
    let (mut secure, mut hidden, mut bound) = (false, false, false);
    for part in parts {
        secure |= part.eq_ignore_ascii_case(b"secure");
        hidden |= part.eq_ignore_ascii_case(b"httponly");
        bound |= part.get(..8).is_some_and(|name| name.eq_ignore_ascii_case(b"samesite"));
    }
    let encrypted = marks.contains(Mark::Encrypted);
    marks.set(Mark::SessionSet, true);
    marks.set(Mark::SessionSetEncrypted, encrypted);
    marks.set(Mark::CookieInClear, encrypted && !secure);
    marks.set(Mark::CookieScripted, !hidden);
    marks.set(Mark::CookieCrossSite, !bound);
}

/// What browsers are told about pages of other sites. With `*` they refuse to send credentials, so that it is a mistake
/// and no hole.
fn cors(marks: &mut Marks, exchange: &Exchange, fields: &Fields<'_>) {
    if !fields.allows_credentials || fields.allowed.is_empty() {
        return;
    }
    marks.set(Mark::CorsAny, fields.allowed == b"*");
    marks.set(Mark::CorsNull, fields.allowed == b"null");
    let Some(head) = exchange.request_head() else { return };
    let (Some(origin), Some(host)) = (head.header(b"origin"), head.header(b"host")) else { return };
    let reflected = origin.bytes() == fields.allowed && fields.allowed != b"null";
    marks.set(Mark::CorsForeign, reflected && !same_site(origin_host(origin.bytes()), host_of(host.bytes())));
}

/// Whether two hosts share their last two labels: a site, as far as that can be told without a list of suffixes.
fn same_site(one: &[u8], other: &[u8]) -> bool {
    let last = |host: &[u8]| {
        let mut labels = host.rsplit(|byte| *byte == b'.');
        (labels.next().map(<[u8]>::to_ascii_lowercase), labels.next().map(<[u8]>::to_ascii_lowercase))
    };
    last(one) == last(other)
}

/// Whether an answer to a call with credentials is left to shared caches (RFC 9111, 3.5). `no-store` and `private` take it
/// back, and `no-cache` and an age of 0 make them ask again.
fn is_shared(cached: &[u8]) -> bool {
    let mut shared = false;
    for part in cached.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
        let is = |word: &[u8]| part.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
        if is(b"no-store") || is(b"private") || is(b"no-cache") || part.eq_ignore_ascii_case(b"s-maxage=0") {
            return false;
        }
        shared |= is(b"public") || is(b"s-maxage=");
    }
    shared
}

fn introspects(observation: &Observation) -> bool {
    let asks = |operation: &Operation| operation.name.as_str().contains("__schema");
    !observation.failed() && observation.operation().is_some_and(asks)
}

/// Only of bodies that are here as they were written: whole, and without content coding.
fn body(marks: &mut Marks, response: &Message) {
    let bytes = response.body.bytes.as_slice();
    if bytes.is_empty() || response.body.parts || response.head.header(b"content-encoding").is_some() {
        return;
    }
    if marks.contains(Mark::Failed) {
        let searched = bytes.get(..TRACED).unwrap_or(bytes);
        let tells =
            |(one, other): &(&[u8], &[u8])| find(searched, one).is_some() && find(searched, other).is_some();
        marks.set(Mark::VerboseError, TRACES.iter().any(tells));
    } else if marks.contains(Mark::Ok) && bytes.starts_with(b"<") {
        let title = bytes.get(..TITLED).unwrap_or(bytes);
        marks.set(Mark::Listing, LISTINGS.iter().any(|listing| find(title, listing).is_some()));
    }
}
