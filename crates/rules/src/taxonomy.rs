//! The fields that rules can use: those of Sigma's taxonomies for access logs and proxies, and what only Tapwire sees.

use crate::Subject;
use crate::subject::Part;
use std::borrow::Cow;
use tapwire_expr::{Kind, Value};
use tapwire_inspect::fields::FieldList;
use tapwire_protocol::Message;

/// A log source whose rules are judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taxonomy {
    /// `category: webserver`, by the W3C's names for access logs.
    Webserver,
    /// `category: proxy`.
    Proxy,
    /// `category: api` of `product: tapwire`: the names of `tapwire list fields`, and some more.
    Api,
}

impl Taxonomy {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Webserver, Self::Proxy, Self::Api];

    /// As `logsource` spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Webserver => "webserver",
            Self::Proxy => "proxy",
            Self::Api => "api",
        }
    }
}

/// A field that rules can use.
#[derive(Debug)]
pub struct RuleField {
    /// Its name.
    pub name: &'static str,
    /// Whose name it is.
    pub taxonomies: &'static [Taxonomy],
    /// What it holds.
    pub kind: Kind,
    /// What it means, with its unit.
    pub doc: &'static str,
    pub(crate) get: for<'s> fn(&'s Subject<'_>) -> Value<'s>,
}

const WEB: &[Taxonomy] = &[Taxonomy::Webserver];
const PROXY: &[Taxonomy] = &[Taxonomy::Proxy];
const BOTH: &[Taxonomy] = &[Taxonomy::Webserver, Taxonomy::Proxy];
const API: &[Taxonomy] = &[Taxonomy::Api];

const fn field(
    name: &'static str,
    taxonomies: &'static [Taxonomy],
    kind: Kind,
    doc: &'static str,
    get: for<'s> fn(&'s Subject<'_>) -> Value<'s>,
) -> RuleField {
    RuleField { name, taxonomies, kind, doc, get }
}

const WHOLE: &str = "path and query of the request target, as sent and decoded";
const PATH: &str = "path of the request target, as sent and decoded";
const AGENT: &str = "User-Agent of the request";
const REFERER: &str = "Referer of the request";

/// Every field beside those of `tapwire list fields`.
pub const FIELDS: &[RuleField] = &[
    field("cs-method", BOTH, Kind::Text, "request method as sent", |s| {
        s.head().and_then(|head| head.method()).map(|method| Value::text(method.bytes())).into()
    }),
    field("cs-uri", BOTH, Kind::List, WHOLE, |s| s.part(Part::Whole)),
    field("cs-uri-stem", WEB, Kind::List, PATH, |s| s.part(Part::Path)),
    field(
        "cs-uri-query",
        WEB,
        Kind::List,
        "query string without ?, and, as many public rules mean it, path and query together; as sent and decoded",
        |s| s.query_or_whole(),
    ),
    field(
        "c-uri",
        BOTH,
        Kind::List,
        "URL with scheme and host, and path and query alone; these as sent and decoded",
        |s| s.url(),
    ),
    field("c-uri-stem", PROXY, Kind::List, PATH, |s| s.part(Part::Path)),
    field("c-uri-query", PROXY, Kind::List, "query string without ?, as sent and decoded", |s| {
        s.part(Part::Query)
    }),
    field(
        "c-uri-extension",
        BOTH,
        Kind::Text,
        "what follows the last dot of the path's last segment",
        extension,
    ),
    field("cs-host", BOTH, Kind::Text, "host the request was sent to, without port", host),
    field("r-dns", PROXY, Kind::Text, "host the request was sent to, without port", host),
    field("cs-user-agent", BOTH, Kind::Text, AGENT, |s| s.header(b"user-agent")),
    field("c-useragent", BOTH, Kind::Text, AGENT, |s| s.header(b"user-agent")),
    field("cs-referer", BOTH, Kind::Text, REFERER, |s| s.header(b"referer")),
    field("cs-referrer", BOTH, Kind::Text, REFERER, |s| s.header(b"referer")),
    field("cs-cookie", BOTH, Kind::Text, "Cookie of the request", |s| s.header(b"cookie")),
    field("cs-version", BOTH, Kind::Text, "protocol and version, such as HTTP/1.1", |s| {
        s.head().map(|head| Value::Text(format!("HTTP/{}", head.version.number()).into_bytes().into())).into()
    }),
    field("sc-status", BOTH, Kind::Int, "status code of the final response", |s| {
        s.view()
            .exchange
            .response_head()
            .and_then(|head| head.status)
            .map(|status| Value::Int(status.into()))
            .into()
    }),
    field("cs-bytes", BOTH, Kind::Size, "bytes of the request's head and body", |s| {
        bytes(s.view().request())
    }),
    field("sc-bytes", BOTH, Kind::Size, "bytes of the response's head and body", |s| {
        bytes(s.view().response())
    }),
    field(
        "time-taken",
        BOTH,
        Kind::Int,
        "milliseconds from the first byte of the exchange to its last",
        |s| {
            let exchange = s.view().exchange;
            Value::Int(exchange.ended().since(exchange.started()).max(0) / 1_000_000)
        },
    ),
    field(
        "c-ip",
        BOTH,
        Kind::Ip,
        "address of the client, as trusted proxies name it, else as on the wire",
        |s| Value::Ip(s.view().client().0),
    ),
    field("src_ip", BOTH, Kind::Ip, "the same", |s| Value::Ip(s.view().client().0)),
    field("src_port", BOTH, Kind::Int, "port of the client", |s| {
        s.view().client().1.map(|port| Value::Int(port.into())).into()
    }),
    field("s-ip", BOTH, Kind::Ip, "address of the server", |s| Value::Ip(s.view().server().0)),
    field("dst_ip", BOTH, Kind::Ip, "the same", |s| Value::Ip(s.view().server().0)),
    field("s-port", BOTH, Kind::Int, "port of the server", |s| Value::Int(s.view().server().1.into())),
    field("dst_port", BOTH, Kind::Int, "the same", |s| Value::Int(s.view().server().1.into())),
    field(
        "outcome",
        API,
        Kind::Text,
        "what came of the call: success, denied (401, 403), failed (other 4xx and 5xx, or its payload says so), unseen",
        outcome,
    ),
    field(
        "authentication",
        API,
        Kind::Text,
        "the first credential of the request by kind, such as jwt or api-key; none",
        |s| {
            let first = s.call().observation.credentials.first();
            Value::text(first.map_or("none", |credential| credential.kind.name()).as_bytes())
        },
    ),
    field(
        "request_fields",
        API,
        Kind::List,
        "paths of what the request's head and body hold, such as query.page or $.card.number",
        |s| paths([&s.call().observation.request_fields, &s.call().observation.request_payload.list]),
    ),
    field(
        "response_fields",
        API,
        Kind::List,
        "paths of what the response's head and body hold, such as $.items[].email",
        |s| paths([&s.call().observation.response_fields, &s.call().observation.response_payload.list]),
    ),
    field("request_data_classes", API, Kind::List, "classes of sensitive data in the request", |s| {
        classes(s, true)
    }),
    field("response_data_classes", API, Kind::List, "classes of sensitive data in the response", |s| {
        classes(s, false)
    }),
    field(
        "request_format",
        API,
        Kind::Text,
        "format of the request's body, as tapwire list payloads has it",
        |s| format(s.call().observation.request_payload.format),
    ),
    field("response_format", API, Kind::Text, "format of the response's body, likewise", |s| {
        format(s.call().observation.response_payload.format)
    }),
    field("principal.calls", API, Kind::Int, "calls of the caller before this one", |s| {
        Value::Int(s.call().caller.calls.into())
    }),
];

fn format<'s>(name: Option<&'static str>) -> Value<'s> {
    name.map(|name| Value::text(name.as_bytes())).into()
}

fn host<'s>(subject: &'s Subject<'_>) -> Value<'s> {
    let authority = subject.call().observation.authority.as_deref();
    authority.map(|authority| Value::text(tapwire_protocol::host_of(authority.as_bytes()))).into()
}

fn bytes<'s>(message: Option<&Message>) -> Value<'s> {
    message
        .map(|message| Value::count((message.head.text.len() as u64).saturating_add(message.body.len)))
        .into()
}

fn extension<'s>(subject: &'s Subject<'_>) -> Value<'s> {
    let last = subject.raw(Part::Path).and_then(|path| path.rsplit(|byte| *byte == b'/').next());
    let dot = last.and_then(|name| Some((name, name.iter().rposition(|byte| *byte == b'.')?)));
    dot.and_then(|(name, dot)| name.get(dot + 1..)).filter(|end| !end.is_empty()).map(Value::text).into()
}

fn outcome<'s>(subject: &'s Subject<'_>) -> Value<'s> {
    let status = subject.view().exchange.response_head().and_then(|head| head.status);
    Value::text(match status {
        None => b"unseen",
        Some(401 | 403) => b"denied",
        Some(400..) => b"failed",
        Some(_) if subject.call().observation.failed() => b"failed",
        Some(_) => b"success",
    })
}

fn paths<'s>(lists: [&'s Option<Box<FieldList>>; 2]) -> Value<'s> {
    let lists = lists.into_iter().flat_map(|list| list.as_deref());
    let paths = lists.flat_map(|list| list.fields().iter().map(|field| list.path(field)));
    Value::List(paths.map(|path| Cow::Owned(path.into_bytes())).collect())
}

fn classes<'s>(subject: &'s Subject<'_>, in_request: bool) -> Value<'s> {
    let observation = &subject.call().observation;
    let found = observation.data_classes().filter(|found| found.in_request == in_request);
    let mut names: Vec<&str> = found.map(|found| observation.class_name(found.class)).collect();
    names.sort_unstable();
    names.dedup();
    Value::List(names.into_iter().map(|name| Cow::Borrowed(name.as_bytes())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_also_among_those_of_exchanges() {
        let exchanges = tapwire_event::FIELDS.iter().map(|field| field.name);
        let mut names: Vec<&str> = FIELDS.iter().map(|field| field.name).chain(exchanges).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        assert!(FIELDS.iter().all(|field| !field.doc.is_empty() && !field.taxonomies.is_empty()));
    }
}
