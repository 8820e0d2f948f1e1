//! What could be done against an incident, as data: a playbook chooses, and Tapwire does nothing by itself.

use super::Writer;
use crate::json;
use crate::number;
use crate::pen::Pen;
use tapwire_detect::incidents::{Beside, Response, Suggestion};
use tapwire_inventory::{EndpointId, Principal};

impl Writer<'_> {
    /// `suggestions`: each with what it would have hit.
    pub(super) fn suggestions(&mut self, beside: &Beside, out: &mut Vec<u8>) {
        suggestions(beside, self.pen, out);
    }
}

/// The same for any format.
pub(crate) fn suggestions(beside: &Beside, pen: &mut Pen, out: &mut Vec<u8>) {
    json::list(out, "suggestions");
    for one in &beside.suggestions {
        json::element(out);
        json::open(out);
        json::own(out, "action", one.response.name());
        json::object(out, "target");
        target(&one.response, beside, pen, out);
        json::close(out);
        hit(one, out);
        json::own(out, "honest_callers", one.honest.name());
        json::own(out, "why", &one.why);
        json::close(out);
    }
    json::close_list(out);
}

/// What was not counted is left out.
fn hit(one: &Suggestion, out: &mut Vec<u8>) {
    json::object(out, "would_have_hit");
    for (name, count) in [("calls", one.calls), ("before", one.before), ("principals", one.principals)] {
        count.into_iter().for_each(|count| json::count(out, name, count));
    }
    one.since.into_iter().for_each(|since| json::integer(out, "since", since.millis()));
    json::close(out);
}

fn target(response: &Response, beside: &Beside, pen: &mut Pen, out: &mut Vec<u8>) {
    match response {
        Response::BlockPrincipal(who) => principal("principal", *who, pen, out),
        Response::RevokeToken { token, owner, issued_in } => {
            json::text(out, "token", pen.token(*token));
            owner.iter().for_each(|owner| principal("principal", *owner, pen, out));
            issued_in.iter().for_each(|issued| uid("issued_in", &issued.0, out));
        }
        Response::BlockAddress(addresses) => {
            json::list(out, "addresses");
            for address in addresses {
                json::element(out);
                out.push(b'"');
                number::ip(out, *address);
                out.push(b'"');
            }
            json::close_list(out);
        }
        Response::Quota { endpoint, calls_an_hour } => {
            place(*endpoint, beside, pen, out);
            json::count(out, "calls_an_hour", *calls_an_hour);
        }
    }
}

fn principal(name: &str, who: Principal, pen: &mut Pen, out: &mut Vec<u8>) {
    json::object(out, name);
    json::own(out, "kind", who.kind.name());
    json::text(out, "token", pen.token(who.token));
    json::close(out);
}

fn place(id: EndpointId, beside: &Beside, pen: &mut Pen, out: &mut Vec<u8>) {
    json::object(out, "endpoint");
    uid("id", &id.0.to_be_bytes(), out);
    if let Some(endpoint) = beside.endpoints.iter().find(|endpoint| endpoint.id == id) {
        json::own(out, "service", &pen.redactor.shown_host(&endpoint.service));
        json::own(out, "method", &pen.redactor.shown_method(&endpoint.method));
        json::own(out, "template", &pen.redactor.shown_path(&endpoint.template));
    }
    json::close(out);
}

fn uid(name: &str, uid: &[u8], out: &mut Vec<u8>) {
    json::key(out, name);
    out.push(b'"');
    number::hex(out, uid);
    out.push(b'"');
}
