//! What could be done against an incident, for people and as objects.

use crate::incidents::{Reading, tok};
use crate::paper::plain;
use crate::summary::rfc3339;
use serde_json::{Map, Value, json};
use tapwire_detect::incidents::{Beside, Response, Suggestion};
use tapwire_event::Redactor;
use tapwire_inventory::{EndpointId, Principal};

/// Each as an object, as events have it; times in words.
pub(crate) fn values(beside: &Beside, reading: &mut Reading<'_>) -> Value {
    beside.suggestions.iter().map(|one| value(one, beside, reading.redactor)).collect()
}

fn value(one: &Suggestion, beside: &Beside, redactor: &mut Redactor) -> Value {
    let counts = [("calls", one.calls), ("before", one.before), ("principals", one.principals)];
    let mut hit: Map<String, Value> =
        counts.into_iter().filter_map(|(name, count)| Some((name.to_owned(), count?.into()))).collect();
    one.since.into_iter().for_each(|since| {
        hit.insert("since".to_owned(), rfc3339(since).into());
    });
    json!({
        "action": one.response.name(), "target": target(&one.response, beside, redactor), "would_have_hit": hit,
        "honest_callers": one.honest.name(), "why": one.why,
    })
}

fn target(response: &Response, beside: &Beside, redactor: &mut Redactor) -> Value {
    match response {
        Response::BlockPrincipal(who) => json!({"principal": principal(*who)}),
        Response::RevokeToken { token, owner, issued_in } => {
            let mut target = json!({"token": tok(*token)});
            owner.iter().for_each(|owner| target["principal"] = principal(*owner));
            issued_in.iter().for_each(|issued| target["issued_in"] = issued.to_string().into());
            target
        }
        Response::BlockAddress(addresses) => {
            json!({"addresses": addresses.iter().map(ToString::to_string).collect::<Vec<_>>()})
        }
        Response::Quota { endpoint, calls_an_hour } => {
            json!({"endpoint": place(*endpoint, beside, redactor), "calls_an_hour": calls_an_hour})
        }
    }
}

fn principal(who: Principal) -> Value {
    json!({"kind": who.kind.name(), "token": tok(who.token)})
}

fn place(id: EndpointId, beside: &Beside, redactor: &mut Redactor) -> Value {
    let id_text = crate::inventory::endpoint_id(id);
    let Some(endpoint) = beside.endpoints.iter().find(|endpoint| endpoint.id == id) else {
        return json!({"id": id_text});
    };
    json!({
        "id": id_text, "service": redactor.shown_host(&endpoint.service),
        "method": redactor.shown_method(&endpoint.method), "template": redactor.shown_path(&endpoint.template),
    })
}

/// Each in two lines, from objects of [`values`] or of events: what to do, and whom it would hit.
pub(crate) fn lines<'v>(suggestions: impl Iterator<Item = &'v Value>) -> Vec<(String, String)> {
    let all = suggestions.map(|one| {
        let action = format!("{} {}", text(one, "/action"), aim(one));
        let sign = match text(one, "/honest_callers").as_str() {
            "hit" => "Would hit honest callers. ",
            "not-counted" => "Whether it would hit honest callers was not counted. ",
            _ => "",
        };
        let why = text(one, "/why");
        let why = if sign.is_empty() { why } else { crate::paper::capital(&why) };
        (action.trim_end().to_owned(), format!("{sign}{why}"))
    });
    all.collect()
}

/// At what it is aimed.
fn aim(one: &Value) -> String {
    let target = |path: &str| text(one, &format!("/target{path}"));
    match text(one, "/action").as_str() {
        "block-principal" => format!("{} {}", target("/principal/kind"), target("/principal/token")),
        "revoke-token" => match target("/issued_in").get(..12) {
            Some(issued) => format!("{} (handed out in {issued})", target("/token")),
            None => target("/token"),
        },
        "block-address" => {
            let all = one.pointer("/target/addresses").and_then(Value::as_array).into_iter().flatten();
            all.filter_map(Value::as_str).map(plain).collect::<Vec<_>>().join(", ")
        }
        "quota" => {
            let calls = one.pointer("/target/calls_an_hour").and_then(Value::as_u64).unwrap_or(0);
            let place =
                [target("/endpoint/method"), target("/endpoint/service") + &target("/endpoint/template")];
            format!("of {calls} an hour at {}", place.join(" "))
        }
        _ => String::new(),
    }
}

fn text(value: &Value, path: &str) -> String {
    plain(value.pointer(path).and_then(Value::as_str).unwrap_or_default())
}
