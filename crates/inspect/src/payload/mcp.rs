//! Model Context Protocol, over streamable HTTP and over server-sent events: JSON-RPC whose calls name a tool.

use super::notes::{Mark, Notes, Value, Want};
use crate::Domain;
use crate::style::{Fact, Facts, Name, Operation, Said, Spoken, Style};
use std::collections::BTreeMap;
use tapwire_protocol::Head;

pub(crate) const STYLE: Style = Style {
    name: "mcp",
    summary: "the tool, prompt or resource asked for, definitions with hashes, client, server, version, session, failures",
    told_by: "JSON-RPC with `Mcp-Session-Id` or `MCP-Protocol-Version`, or with methods of its own",
    read,
};

/// Methods that nothing else has.
const METHODS: &[&str] = &[
    "tools/list",
    "tools/call",
    "resources/list",
    "resources/read",
    "resources/templates/list",
    "resources/subscribe",
    "resources/unsubscribe",
    "prompts/list",
    "prompts/get",
    "completion/complete",
    "logging/setLevel",
    "sampling/createMessage",
    "roots/list",
    "elicitation/create",
];
/// Calls that a batch is named by.
const NAMED: usize = 4;
/// Tools and prompts of a batch that are listed.
const LISTED: usize = 32;

/// Whether the head is that of a session: such a request needs no payload.
pub(crate) fn names(request: &Head) -> bool {
    let method = request.method().map_or(&b""[..], |method| method.bytes());
    matches!(method, b"GET" | b"DELETE")
        && (request.header(b"mcp-session-id").is_some() || request.header(b"mcp-protocol-version").is_some())
}

/// What a request without payload asks for: to be told what the server says of itself, or the session's end (Model Context
/// Protocol, transports).
fn without_payload(spoken: &Spoken<'_>) -> Option<&'static str> {
    let request = spoken.request?;
    let streams = spoken.response_payload.format == Some("sse")
        || spoken.response.and_then(|head| head.header(b"content-type")).is_some_and(|value| {
            value.bytes().get(..17).is_some_and(|name| name.eq_ignore_ascii_case(b"text/event-stream"))
        });
    match request.method()?.bytes() {
        b"GET" if streams || names(request) => Some("stream/listen"),
        b"DELETE" if names(request) => Some("session/delete"),
        _ => None,
    }
}

fn read(spoken: &mut Spoken<'_>, said: &mut Said) {
    let by_head = spoken.request.is_some_and(names);
    if !(by_head || said.speaks("json-rpc") && is_mcp(spoken)) {
        return;
    }
    said.protocols.push(STYLE.name);
    if said.operation.is_none() {
        said.operation = without_payload(spoken).map(|name| Operation::new(STYLE.name, name));
    }
    let asked = spoken.asked;
    let calls = super::distinct(asked.marks.iter().filter_map(|mark| call(asked, mark)), NAMED);
    if let Some(operation) = said.operation.take_if(|_| !calls.is_empty()) {
        said.operation = Some(Operation { unknown: operation.unknown, ..Operation::new(STYLE.name, &calls) });
    }
    let failed_tools = failed_tools(spoken.answered);
    said.failed |= failed_tools > 0;
    let session = spoken.either_header(b"mcp-session-id").map(<[u8]>::to_vec);
    let session = session.map(|session| spoken.tokens.token(Domain::Credential, &session));
    let mut facts = facts(asked, spoken.answered);
    facts.extend(session.map(|token| ("session", Fact::Token(token))));
    said.facts.push(("mcp", facts));
}

fn is_mcp(spoken: &Spoken<'_>) -> bool {
    let method =
        |name: &Name| METHODS.contains(&name.as_str()) || name.as_str().starts_with("notifications/");
    spoken.asked.has(Want::ProtocolVersion)
        || spoken.answered.has(Want::ProtocolVersion)
        || spoken.asked.texts(Want::Method).any(method)
        || spoken.either_header(b"mcp-session-id").is_some()
        || spoken.either_header(b"mcp-protocol-version").is_some()
}

/// A call, with the tool or prompt it names.
fn call(asked: &Notes, mark: &Mark) -> Option<String> {
    let Mark { want: Want::Method, value: Value::Text(method), element } = mark else { return None };
    Some(match named(asked, method, *element) {
        Some(name) => format!("{} {}", method.as_str(), name.as_str()),
        None => method.as_str().to_owned(),
    })
}

/// The tool or prompt that the call in that element names.
fn named<'a>(asked: &'a Notes, method: &Name, element: u32) -> Option<&'a Name> {
    if !matches!(method.as_str(), "tools/call" | "prompts/get") {
        return None;
    }
    match value(asked, Want::ParamName, element)? {
        Value::Text(name) => Some(name),
        _ => None,
    }
}

/// What an element has of a want; of two the later one.
fn value(notes: &Notes, want: Want, element: u32) -> Option<&Value> {
    let of = |mark: &&Mark| mark.want == want && mark.element == element;
    notes.marks.iter().rev().find(of).map(|mark| &mark.value)
}

fn failed_tools(answered: &Notes) -> usize {
    let failed = |mark: &&Mark| mark.want == Want::IsError && mark.value == Value::Truth(true);
    answered.marks.iter().filter(failed).count()
}

fn facts(asked: &Notes, answered: &Notes) -> Facts {
    let mut facts = Facts::new();
    let version = answered.texts(Want::ProtocolVersion).chain(asked.texts(Want::ProtocolVersion)).next();
    facts.extend(version.map(|version| ("protocol_version", Fact::Name(version.clone()))));
    facts.extend(peer(asked).map(|peer| ("client", peer)));
    facts.extend(peer(answered).map(|peer| ("server", peer)));
    let (calls, more) = calls(asked, answered);
    let single = calls.len() == 1;
    if single {
        facts.extend(calls.into_iter().flatten().filter(|(key, _)| *key != "failed"));
    } else if !calls.is_empty() {
        facts.push(("calls", Fact::List(calls.into_iter().map(Fact::Group).collect())));
    }
    facts.extend(resources(asked));
    let definitions = definitions(answered);
    if !definitions.is_empty() {
        facts.push((kind_of_list(asked), Fact::List(definitions)));
    }
    if answered.has(Want::IsError) {
        facts.push(("tool_failed", Fact::Truth(failed_tools(answered) > 0)));
    }
    facts.extend((more || asked.more || answered.more).then_some(("more", Fact::Truth(true))));
    facts
}

/// Tools and prompts that are called, and whether their answer, found by its identifier (JSON-RPC 2.0, 5), says that it
/// failed; and whether there are more.
fn calls(asked: &Notes, answered: &Notes) -> (Vec<Facts>, bool) {
    let answers: BTreeMap<&Value, u32> = answered
        .marks
        .iter()
        .filter(|mark| mark.want == Want::RpcId)
        .map(|mark| (&mark.value, mark.element))
        .collect();
    let failed = |element: u32| {
        let answer = *answers.get(value(asked, Want::RpcId, element)?)?;
        let is_error = value(answered, Want::IsError, answer) == Some(&Value::Truth(true));
        Some(is_error || value(answered, Want::Error, answer).is_some_and(|error| *error != Value::Null))
    };
    let mut calls = asked.marks.iter().filter_map(|mark| {
        let Mark { want: Want::Method, value: Value::Text(method), element } = mark else { return None };
        let key = if method.as_str() == "tools/call" { "tool" } else { "prompt" };
        let name = named(asked, method, *element)?;
        let failed = failed(*element).map(|failed| ("failed", Fact::Truth(failed)));
        Some([(key, Fact::Name(name.clone()))].into_iter().chain(failed).collect())
    });
    let listed = calls.by_ref().take(LISTED).collect();
    (listed, calls.next().is_some())
}

/// Resources that are asked for. Their URI is content: it names files and people.
fn resources(asked: &Notes) -> Option<(&'static str, Fact)> {
    if !asked.texts(Want::Method).any(|method| method.as_str().starts_with("resources/")) {
        return None;
    }
    let mut uris: Vec<Fact> = asked.texts(Want::ParamUri).take(LISTED).cloned().map(Fact::Content).collect();
    Some(("resource", if uris.len() > 1 { Fact::List(uris) } else { uris.pop()? }))
}

fn peer(notes: &Notes) -> Option<Fact> {
    let name = notes.texts(Want::PeerName).next()?.clone();
    let version = notes.texts(Want::PeerVersion).next().cloned();
    let version = version.map(|version| ("version", Fact::Name(version)));
    Some(Fact::Group([("name", Fact::Name(name))].into_iter().chain(version).collect()))
}

/// What an answer lists, by what was asked for.
fn kind_of_list(asked: &Notes) -> &'static str {
    let asks = |name: &str| asked.texts(Want::Method).any(|method| method.as_str() == name);
    match () {
        () if asks("tools/list") => "tools",
        () if asks("prompts/list") => "prompts",
        () if asks("resources/list") || asks("resources/templates/list") => "resources",
        () => "definitions",
    }
}

/// Definitions: each a name, and hashes of what it says to a model and of what it takes, so that a change shows.
fn definitions(answered: &Notes) -> Vec<Fact> {
    let mut found: Vec<Facts> = Vec::new();
    for mark in &answered.marks {
        let Some(last) = found.last_mut() else {
            found.extend((mark.want == Want::Definition).then(Facts::new));
            continue;
        };
        match (mark.want, &mark.value) {
            (Want::Definition, _) => found.push(Facts::new()),
            (Want::DefinedName, Value::Text(name)) => last.insert(0, ("name", Fact::Name(name.clone()))),
            (Want::Description, Value::Digest(digest)) => last.push(("description", Fact::Digest(*digest))),
            (Want::Schema, Value::Digest(digest)) => last.push(("schema", Fact::Digest(*digest))),
            _ => {}
        }
    }
    found.into_iter().filter(|definition| !definition.is_empty()).map(Fact::Group).collect()
}
