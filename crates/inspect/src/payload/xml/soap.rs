//! SOAP 1.1 and 1.2, and XML-RPC: what is called, and whether it failed.

use crate::style::{Fact, Facts, Name, Operation, Said, Spoken, Style};
use tapwire_protocol::Anomaly;

pub(crate) const STYLE: Style = Style {
    name: "soap",
    summary: "the operation by the body's first element, else by `SOAPAction`, faults with their code; XML-RPC's method",
    told_by: "an `Envelope` with a `Body`, or a `methodCall`, in XML",
    read,
};

fn read(spoken: &mut Spoken<'_>, said: &mut Said) {
    let (asked, answered) = (spoken.asked.xml.as_deref(), spoken.answered.xml.as_deref());
    let Some(either) = asked.or(answered) else { return };
    let is_soap = either.soap.is_some();
    let protocol = if is_soap { STYLE.name } else { "xml-rpc" };
    said.protocols.push(protocol);
    let action = if is_soap { action(spoken) } else { None };
    let called = asked.and_then(|call| call.method.as_ref().or(call.body.as_ref()));
    let acts = action.as_ref().map(|action| last(without_query(action.as_str())));
    if acts.zip(called).is_some_and(|(acts, called)| !is_same(acts, called.as_str())) {
        spoken.anomalies.insert(Anomaly::SoapActionMismatch);
    }
    // Servers call what the body holds; only where that is not known the header has to tell.
    let name = called.map(Name::as_str).or(acts);
    said.operation = name.filter(|name| !name.is_empty()).map(|name| Operation::new(protocol, name));
    said.failed |= answered.is_some_and(|call| call.fault);
    let mut facts = Facts::new();
    facts.extend(either.soap.map(|version| ("version", Fact::Own(version))));
    facts.extend(action.map(|action| ("action", shown(action))));
    facts.extend(called.map(|called| ("element", Fact::Name(called.clone()))));
    let count = |number: u32| Fact::Count(number.into());
    if let Some(rpc) = asked.map(|call| call.rpc).filter(|rpc| rpc.calls > 1 || rpc.logins > 0) {
        facts.extend([("calls", count(rpc.calls)), ("logins", count(rpc.logins))]);
    }
    if let Some(answer) = answered {
        if answer.rpc.faults > 0 {
            facts.extend([("faults", count(answer.rpc.faults)), ("refused", count(answer.rpc.refused))]);
        }
        facts.push(("fault", Fact::Truth(answer.fault)));
        facts.extend(answer.fault_code.clone().map(|code| ("fault_code", Fact::Name(code))));
    }
    said.facts.push((if is_soap { "soap" } else { "xmlrpc" }, facts));
}

/// `SOAPAction` (SOAP 1.1, 6.1.1), or the parameter `action` of SOAP 1.2's media type (RFC 3902).
fn action(spoken: &Spoken<'_>) -> Option<Name> {
    let header = spoken.request_header(b"soapaction");
    let of_type = || super::super::parameter(spoken.request_header(b"content-type")?, b"action");
    let value = header.map(<[u8]>::to_vec).or_else(of_type)?;
    let value = value.trim_ascii();
    let value = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value);
    (!value.is_empty()).then(|| Name::new(value))
}

/// A query string or user information is content, as it is in the path and in the header itself.
fn shown(action: Name) -> Fact {
    if action.as_str().contains(['?', '@', '=']) { Fact::Content(action) } else { Fact::Name(action) }
}

fn without_query(action: &str) -> &str {
    action.split('?').next().unwrap_or_default()
}

/// Whether an action and an element name one operation: description languages add a word for the direction to one of them.
fn is_same(action: &str, element: &str) -> bool {
    const ADDED: [&str; 6] = ["request", "requestmessage", "input", "inputmessage", "soapin", "in"];
    let core = |name: &str| {
        let name = name.to_ascii_lowercase();
        ADDED.iter().find_map(|word| name.strip_suffix(word).map(str::to_owned)).unwrap_or(name)
    };
    action.eq_ignore_ascii_case(element) || core(action) == core(element)
}

/// An action is a URI whose last part names the operation: `http://shop.example/Orders#GetOrder`.
fn last(action: &str) -> &str {
    action.rsplit(['/', '#', ':']).find(|part| !part.is_empty()).unwrap_or(action)
}
