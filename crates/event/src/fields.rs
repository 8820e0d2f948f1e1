//! The one list of fields: behind `--where`, `--fields`, filters and `tapwire list fields`.

use crate::view::View;
use std::borrow::Cow;
use tapwire_expr::{FieldId, FieldNames, Kind, Value};
use tapwire_inspect::{CredentialKind, Grants, Token, Word};
use tapwire_inventory::context::List;
use tapwire_inventory::{Caller, TokenFact};
use tapwire_protocol::{Anomaly, Message, Untrusted};

/// How a field's text leaves the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leaves {
    /// It is the sensor's own, or no text.
    Own,
    /// As a method.
    Method,
    /// As a host.
    Host,
    /// As a path.
    Path,
    /// As a query string.
    Query,
    /// As names out of payloads.
    Names,
    /// As the value of this header.
    Header(&'static str),
    /// As the token of a caller, perhaps behind what kind of name it is.
    Token,
}

/// A field of an exchange.
#[derive(Debug, Clone, Copy)]
pub struct FieldInfo {
    /// Its name in expressions and columns.
    pub name: &'static str,
    /// Another name: where OCSF has it.
    pub ocsf: Option<&'static str>,
    /// What it holds.
    pub kind: Kind,
    /// What it means, with its unit.
    pub doc: &'static str,
    /// Its value, not redacted: for comparing only.
    pub(crate) get: for<'a> fn(&View<'a>) -> Value<'a>,
    /// How it leaves.
    pub(crate) leaves: Leaves,
}

impl FieldInfo {
    /// The field's value for an exchange. Text is as sent: it is for comparing, and leaves only through a renderer.
    pub fn value<'a>(&self, view: &View<'a>) -> Value<'a> {
        (self.get)(view)
    }
}

const fn field(
    name: &'static str,
    kind: Kind,
    doc: &'static str,
    get: for<'a> fn(&View<'a>) -> Value<'a>,
) -> FieldInfo {
    FieldInfo { name, ocsf: None, kind, doc, get, leaves: Leaves::Own }
}

impl FieldInfo {
    const fn ocsf(self, name: &'static str) -> Self {
        Self { ocsf: Some(name), ..self }
    }

    const fn leaves(self, leaves: Leaves) -> Self {
        Self { leaves, ..self }
    }
}

/// Every field, in the order of lists.
pub const FIELDS: &[FieldInfo] = &[
    field("time", Kind::Time, "when the exchange began, UTC", |v| Value::Int(v.exchange.started().nanos()))
        .ocsf("time"),
    field(
        "client",
        Kind::Ip,
        "address of the client, as trusted proxies name it, else as on the wire",
        |v| Value::Ip(v.client().0),
    )
    .ocsf("src_endpoint.ip"),
    field("client_port", Kind::Int, "port of the client", |v| {
        v.client().1.map(|port| Value::Int(port.into())).into()
    })
    .ocsf("src_endpoint.port"),
    field("server", Kind::Ip, "address of the server", |v| Value::Ip(v.server().0)).ocsf("dst_endpoint.ip"),
    field("server_port", Kind::Int, "port of the server", |v| Value::Int(v.server().1.into()))
        .ocsf("dst_endpoint.port"),
    field("method", Kind::Text, "request method as sent", |v| traffic(v.method()))
        .ocsf("http_request.http_method")
        .leaves(Leaves::Method),
    field("host", Kind::Text, "host the request was sent to, without port, in lower case", host)
        .ocsf("http_request.url.hostname")
        .leaves(Leaves::Host),
    field("path", Kind::Text, "path as sent, without query", |v| bytes(v.target().path))
        .ocsf("http_request.url.path")
        .leaves(Leaves::Path),
    field("query", Kind::Text, "query string as sent, without ?", |v| bytes(v.target().query))
        .ocsf("http_request.url.query_string")
        .leaves(Leaves::Query),
    field("version", Kind::Text, "HTTP version, such as 1.1", |v| {
        v.first_head().map(|first| Value::text(first.version.number().as_bytes())).into()
    })
    .ocsf("http_request.version"),
    field("status", Kind::Int, "status code of the final response", |v| {
        v.status().map(|s| Value::Int(s.into())).into()
    })
    .ocsf("http_response.code"),
    field("latency", Kind::Duration, "from the request's last byte to the response's first", |v| {
        v.exchange.latency().map(Value::count).into()
    })
    .ocsf("http_response.latency"),
    field("duration", Kind::Duration, "from the first byte of the exchange to its last", |v| {
        Value::Int(v.exchange.ended().since(v.exchange.started()).max(0))
    })
    .ocsf("duration"),
    field("request_length", Kind::Size, "bytes of the request body, without transfer coding", |v| {
        length(v.request())
    })
    .ocsf("http_request.body_length"),
    field("response_length", Kind::Size, "bytes of the response body, without transfer coding", |v| {
        length(v.response())
    })
    .ocsf("http_response.body_length"),
    field("content_type", Kind::Text, "Content-Type of the response", |v| {
        traffic(v.response_header(b"content-type"))
    })
    .ocsf("http_response.content_type")
    .leaves(Leaves::Header("content-type")),
    field("request_content_type", Kind::Text, "Content-Type of the request", |v| {
        traffic(v.request_header(b"content-type"))
    })
    .leaves(Leaves::Header("content-type")),
    field("user_agent", Kind::Text, "User-Agent of the request", |v| {
        traffic(v.request_header(b"user-agent"))
    })
    .ocsf("http_request.user_agent")
    .leaves(Leaves::Header("user-agent")),
    field("referer", Kind::Text, "Referer of the request", |v| traffic(v.request_header(b"referer")))
        .leaves(Leaves::Header("referer")),
    field("service", Kind::Text, "service the exchange belongs to", |v| {
        bytes(v.service().map(str::as_bytes))
    })
    .ocsf("api.service.name")
    .leaves(Leaves::Host),
    field("template", Kind::Text, "path template of the endpoint, such as /orders/{orderId}", |v| {
        bytes(v.template().map(str::as_bytes))
    })
    .ocsf("unmapped.endpoint.template")
    .leaves(Leaves::Path),
    field("endpoint", Kind::Text, "id of the endpoint", endpoint).ocsf("unmapped.endpoint.id"),
    field(
        "operation",
        Kind::Text,
        "what is called where the path does not say it, such as tools/call get_weather",
        |v| bytes(v.operation().map(str::as_bytes)),
    )
    .leaves(Leaves::Names),
    field("failed", Kind::Bool, "whether the payload says that the call failed, whatever the status", |v| {
        v.call.map(|call| Value::Bool(call.observation.failed())).into()
    })
    .ocsf("unmapped.failed"),
    field("discovered", Kind::Bool, "whether this exchange made its endpoint known", |v| {
        v.call.map(|call| Value::Bool(call.discovered)).into()
    }),
    field("principal", Kind::Text, "who calls, as user~ and a token", principal).leaves(Leaves::Token),
    field(
        "principal.kind",
        Kind::Text,
        "what kind of name that is: user, key, session, cert, token, net",
        |v| {
            let principal = v.call.and_then(|call| call.principal);
            principal.map(|principal| Value::text(principal.kind.name().as_bytes())).into()
        },
    )
    .ocsf("unmapped.principal.kind"),
    field(
        "principal.by",
        Kind::Text,
        "by which credential the caller is known, such as jwt, cookie or certificate",
        |v| {
            v.caller()
                .filter(|_| v.request_head().is_some())
                .map(|one| Value::text(one.by.name().as_bytes()))
                .into()
        },
    )
    .ocsf("unmapped.principal.by"),
    field("principal.login", Kind::Text, "token of the login name by which the session was got", |v| {
        hex(v.caller().and_then(|caller| caller.login))
    })
    .ocsf("unmapped.principal.login")
    .leaves(Leaves::Token),
    field("session", Kind::Text, "token of the credential that stands for the session", |v| {
        hex(v.caller().and_then(|caller| caller.session))
    })
    .ocsf("unmapped.principal.session")
    .leaves(Leaves::Token),
    field("role", Kind::List, "roles and groups of the caller, as its token or its login says", |v| {
        words(v, |grants| &grants.roles)
    })
    .ocsf("unmapped.principal.roles")
    .leaves(Leaves::Names),
    field("scope", Kind::List, "scopes and permissions of the caller, likewise", |v| {
        words(v, |grants| &grants.scopes)
    })
    .ocsf("unmapped.principal.scopes")
    .leaves(Leaves::Names),
    field(
        "token_facts",
        Kind::List,
        "facts about the credential at the time of the call, such as expired, after-logout or alg-none",
        |v| list(v.caller().into_iter().flat_map(|caller| caller.facts.iter()).map(TokenFact::name)),
    )
    .ocsf("unmapped.principal.facts"),
    field("zone", Kind::Text, "zone of the client, as context files say", |v| {
        placed(v, |caller| caller.client.zone.as_deref())
    })
    .ocsf("src_endpoint.zone"),
    field("server_zone", Kind::Text, "zone of the server, likewise", |v| {
        placed(v, |caller| caller.server.zone.as_deref())
    })
    .ocsf("dst_endpoint.zone"),
    field("owner", Kind::Text, "who answers for the server, as context files say", |v| {
        placed(v, |caller| caller.server.asset.as_ref()?.owner.as_deref())
    })
    .ocsf("unmapped.server.owner"),
    field("criticality", Kind::Text, "how much depends on the server, likewise", |v| {
        placed(v, |caller| caller.server.asset.as_ref()?.criticality.as_deref())
    })
    .ocsf("unmapped.server.criticality"),
    field("asset", Kind::Text, "what the server is called, likewise", |v| {
        placed(v, |caller| caller.server.asset.as_ref()?.name.as_deref())
    })
    .ocsf("unmapped.server.name"),
    field(
        "client_claimed",
        Kind::Ip,
        "address that somebody who is no trusted proxy gave for the client",
        |v| v.caller().and_then(|caller| caller.address?.claimed).map(Value::Ip).into(),
    )
    .ocsf("unmapped.client.claimed"),
    field("lists", Kind::List, "lists in context files that the call stands on", |v| {
        list(v.caller().into_iter().flat_map(|caller| caller.lists.iter()).map(List::name))
    })
    .ocsf("unmapped.lists"),
    field(
        "credentials",
        Kind::List,
        "kinds of credentials in the request, such as bearer or cookie",
        credentials,
    ),
    field(
        "data_classes",
        Kind::List,
        "classes of sensitive data in URL, headers and bodies of both sides, such as card or email",
        data_classes,
    )
    .ocsf("unmapped.data_classes"),
    field("anomalies", Kind::List, "facts about the bytes, such as duplicate-content-length", anomalies)
        .ocsf("unmapped.anomalies"),
    field("protocols", Kind::List, "protocols, outermost first", |v| {
        Value::List(v.protocols().map(|name| Cow::Borrowed(name.as_bytes())).collect())
    })
    .ocsf("unmapped.protocols"),
    field(
        "pairing",
        Kind::Text,
        "certain or uncertain: whether the response surely answers the request",
        |v| Value::text(v.exchange.pairing.name().as_bytes()),
    )
    .ocsf("unmapped.seen.pairing"),
    field(
        "seen_request",
        Kind::Text,
        "how well the request was seen: complete, truncated, capped, missing, ongoing",
        |v| seen(v.request()),
    )
    .ocsf("unmapped.seen.request"),
    field("seen_response", Kind::Text, "how well the response was seen", |v| seen(v.response()))
        .ocsf("unmapped.seen.response"),
    field("missed_bytes", Kind::Size, "bytes of both messages that were not captured", |v| {
        Value::count(v.missed_bytes())
    })
    .ocsf("unmapped.seen.missed_bytes"),
    field("joined_late", Kind::Bool, "whether the connection's beginning was not captured", |v| {
        Value::Bool(v.exchange.flow.joined_late)
    })
    .ocsf("unmapped.seen.joined_late"),
    field("decrypted", Kind::Bool, "whether the exchange was read out of TLS", |v| {
        Value::Bool(v.exchange.flow.tls.is_some())
    })
    .ocsf("unmapped.seen.decrypted"),
    field("sni", Kind::Text, "name of the server that the client asked for in TLS", |v| {
        fact(v.exchange.flow.tls.as_ref().and_then(|facts| facts.sni.as_ref()))
    })
    .ocsf("unmapped.sni")
    .leaves(Leaves::Host),
    field("ja3", Kind::Text, "fingerprint of the client's TLS, by JA3", |v| {
        fact(v.exchange.flow.tls.as_ref().and_then(|facts| facts.ja3.as_ref()))
    })
    .ocsf("unmapped.ja3"),
    field("ja3s", Kind::Text, "fingerprint of the server's TLS, by JA3S", |v| {
        fact(v.exchange.flow.tls.as_ref().and_then(|facts| facts.ja3s.as_ref()))
    })
    .ocsf("unmapped.ja3s"),
    field("ja4", Kind::Text, "fingerprint of the client's TLS, by JA4", |v| {
        fact(v.exchange.flow.tls.as_ref().and_then(|facts| facts.ja4.as_ref()))
    })
    .ocsf("unmapped.ja4"),
    field("vlan", Kind::Int, "VLAN of the connection", |v| {
        v.exchange.flow.vlan.map(|vlan| Value::Int(vlan.into())).into()
    })
    .ocsf("unmapped.vlan"),
    field("vni", Kind::Int, "innermost network identifier of VXLAN, NVGRE or GENEVE", |v| {
        v.exchange.flow.overlay.vni.map(|vni| Value::Int(vni.into())).into()
    })
    .ocsf("unmapped.vni"),
    field("tunnel", Kind::List, "tunnels around the connection, outermost first, such as vxlan", |v| {
        let tunnels = v.exchange.flow.overlay.tunnels;
        Value::List(tunnels.iter().map(|tunnel| Cow::Borrowed(tunnel.name().as_bytes())).collect())
    })
    .ocsf("unmapped.tunnel"),
    field("source", Kind::Text, "capture file or interface", |v| Value::text(v.source.as_bytes()))
        .ocsf("unmapped.source"),
    field("flow", Kind::Int, "number of the connection in this run", |v| Value::count(v.exchange.flow.id))
        .ocsf("unmapped.flow"),
    field("stream", Kind::Int, "stream of HTTP/2 that the exchange is on", |v| {
        v.exchange.stream.map(|stream| Value::count(stream.into())).into()
    })
    .ocsf("unmapped.stream"),
    field("uid", Kind::Text, "identity of the exchange", |v| owned(v.exchange.uid().to_string()))
        .ocsf("metadata.uid"),
    field("parent", Kind::Text, "uid of the exchange that carries this message", |v| {
        v.child().and_then(|child| child.parent).map(|parent| owned(parent.to_string())).into()
    })
    .ocsf("unmapped.parent"),
    field(
        "child",
        Kind::Int,
        "number of a message within the exchange that carries it: odd from the client, even from the server",
        |v| v.child().map(|child| Value::count(child.index)).into(),
    )
    .ocsf("unmapped.child"),
    field("kind", Kind::Text, "message or end, of what an exchange carries after it was reported", |v| {
        v.child().map(|child| Value::text(child.kind.name().as_bytes())).into()
    })
    .ocsf("unmapped.kind"),
    field("number", Kind::Int, "number of the exchange in this run", |v| Value::count(v.exchange.number)),
    field("request_frame", Kind::Int, "frame of the request's first byte", |v| frame(v.request())),
    field("response_frame", Kind::Int, "frame of the response's first byte", |v| frame(v.response())),
];

fn fact(text: Option<&String>) -> Value<'_> {
    text.map_or(Value::Unknown, |text| Value::text(text.as_bytes()))
}

const USUAL: &[&str] = &[
    "time",
    "client",
    "client_port",
    "server",
    "server_port",
    "method",
    "host",
    "path",
    "status",
    "latency",
    "response_length",
];

/// [`FIELDS`] as the expression language asks for them.
#[derive(Debug, Clone, Copy, Default)]
pub struct ExchangeFields;

impl FieldNames for ExchangeFields {
    fn find(&self, name: &str) -> Option<(FieldId, Kind)> {
        let at = FIELDS.iter().position(|field| field.name == name || field.ocsf == Some(name))?;
        Some((FieldId(u16::try_from(at).ok()?), FIELDS.get(at)?.kind))
    }

    fn names(&self) -> Vec<&str> {
        FIELDS.iter().flat_map(|field| [Some(field.name), field.ocsf]).flatten().collect()
    }
}

/// The value of a field of [`FIELDS`], for `Expr::matches`.
pub fn value<'a>(view: &View<'a>, id: FieldId) -> Value<'a> {
    FIELDS.get(usize::from(id.0)).map_or(Value::Unknown, |field| field.value(view))
}

/// A field name nobody knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownField {
    /// The name as given.
    pub name: String,
    /// The nearest known one.
    pub hint: Option<String>,
}

impl std::fmt::Display for UnknownField {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "no field is named '{}'", self.name)?;
        self.hint.as_ref().map_or(Ok(()), |hint| write!(f, "; did you mean '{hint}'?"))
    }
}

impl std::error::Error for UnknownField {}

/// The fields of a list such as `time,method,path`.
///
/// # Errors
/// The first name that is no field's.
pub fn choose(list: &str) -> Result<Vec<&'static FieldInfo>, UnknownField> {
    list.split(',').map(str::trim).filter(|name| !name.is_empty()).map(choose_one).collect()
}

/// Columns of TSV where none are chosen.
pub fn usual() -> Vec<&'static FieldInfo> {
    USUAL.iter().filter_map(|name| choose_one(name).ok()).collect()
}

fn choose_one(name: &str) -> Result<&'static FieldInfo, UnknownField> {
    let found = ExchangeFields.find(name).and_then(|(id, _)| FIELDS.get(usize::from(id.0)));
    found.ok_or_else(|| UnknownField {
        name: name.to_owned(),
        hint: tapwire_expr::nearest(name, &ExchangeFields.names()).map(str::to_owned),
    })
}

fn traffic(text: Option<Untrusted<'_>>) -> Value<'_> {
    bytes(text.map(Untrusted::bytes))
}

fn bytes(text: Option<&[u8]>) -> Value<'_> {
    text.map(Value::text).into()
}

fn owned<'a>(text: String) -> Value<'a> {
    Value::Text(Cow::Owned(text.into_bytes()))
}

fn host<'a>(view: &View<'a>) -> Value<'a> {
    let Some(host) = view.host().map(Untrusted::bytes) else { return Value::Unknown };
    if host.iter().any(u8::is_ascii_uppercase) {
        Value::Text(Cow::Owned(host.to_ascii_lowercase()))
    } else {
        Value::text(host)
    }
}

fn length<'a>(message: Option<&Message>) -> Value<'a> {
    message.map(|message| Value::count(message.body.len)).into()
}

fn frame<'a>(message: Option<&Message>) -> Value<'a> {
    message.map(|message| Value::count(message.frames.first)).into()
}

fn seen<'a>(message: Option<&Message>) -> Value<'a> {
    Value::text(message.map_or("missing", |message| message.seen.name()).as_bytes())
}

fn endpoint<'a>(view: &View<'a>) -> Value<'a> {
    view.call.and_then(|call| call.endpoint).map(|id| owned(format!("{:016x}", id.0))).into()
}

/// A token as events show it.
fn hex<'a>(token: Option<Token>) -> Value<'a> {
    let text = |token: Token| {
        format!("tok:{}", token.0.iter().take(8).map(|b| format!("{b:02x}")).collect::<String>())
    };
    token.map(|token| owned(text(token))).into()
}

fn list<'a>(words: impl Iterator<Item = &'a str>) -> Value<'a> {
    Value::List(words.map(|word| Cow::Borrowed(word.as_bytes())).collect())
}

fn words<'a>(view: &View<'a>, of: fn(&Grants) -> &[Word]) -> Value<'a> {
    let grants = view.caller().and_then(|caller| caller.grants.as_deref());
    list(grants.map_or(&[][..], of).iter().map(Word::as_str))
}

fn placed<'a>(view: &View<'a>, of: fn(&Caller) -> Option<&str>) -> Value<'a> {
    view.caller().and_then(of).map(|text| Value::text(text.as_bytes())).into()
}

fn principal<'a>(view: &View<'a>) -> Value<'a> {
    let principal = view.call.and_then(|call| call.principal);
    let hex = |bytes: &[u8]| bytes.iter().take(8).map(|b| format!("{b:02x}")).collect::<String>();
    principal.map(|p| owned(format!("{}~{}", p.kind.name(), hex(&p.token.0)))).into()
}

fn credentials<'a>(view: &View<'a>) -> Value<'a> {
    let Some(call) = view.call else { return Value::Unknown };
    let mut kinds: Vec<CredentialKind> =
        call.observation.credentials.iter().map(|credential| credential.kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    Value::List(kinds.into_iter().map(|kind| Cow::Borrowed(kind.name().as_bytes())).collect())
}

fn data_classes<'a>(view: &View<'a>) -> Value<'a> {
    if view.call.is_none() {
        return Value::Unknown;
    }
    Value::List(view.class_names().into_iter().map(|name| Cow::Borrowed(name.as_bytes())).collect())
}

fn anomalies<'a>(view: &View<'a>) -> Value<'a> {
    Value::List(
        view.anomalies().iter().map(Anomaly::name).map(|name| Cow::Borrowed(name.as_bytes())).collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_found() {
        let names = ExchangeFields.names();
        let mut sorted = names.clone();
        sorted.sort_unstable();
        sorted.dedup();
        // `time` and `duration` have the same name in OCSF.
        assert_eq!(names.len() - sorted.len(), 2, "{names:?}");
        assert!(
            FIELDS.iter().all(|field| ExchangeFields.find(field.name).is_some() && !field.doc.is_empty())
        );
        assert!(USUAL.iter().all(|name| choose(name).is_ok()));
    }

    #[test]
    fn a_wrong_name_names_the_nearest() {
        let error = choose("time, metod").unwrap_err();
        assert_eq!(error.to_string(), "no field is named 'metod'; did you mean 'method'?");
    }
}
