//! The objects that exchanges and findings share: `http_request`, `http_response`, endpoints, `api`, `actor`.

use super::Writer;
use super::repeated::fields;
use crate::json;
use crate::number;
use crate::redact::Fidelity;
use crate::render::Detail;
use crate::view::View;
use std::net::IpAddr;
use tapwire_inspect::classes::Found;
use tapwire_inventory::Call;
use tapwire_protocol::{Head, Message, Range, Untrusted, Version};

/// Header fields of one message that an event tells.
const MOST_HEADERS: usize = 64;

/// The methods OCSF knows, with the activities of API Activity (Create 1, Read 2, Update 3, Delete 4, Other 99) and of
/// HTTP Activity.
const METHODS: &[(&[u8], i64, i64)] = &[
    (b"GET", 2, 3),
    (b"POST", 1, 6),
    (b"PUT", 3, 7),
    (b"DELETE", 4, 2),
    (b"PATCH", 3, 9),
    (b"HEAD", 2, 4),
    (b"OPTIONS", 99, 5),
    (b"CONNECT", 99, 1),
    (b"TRACE", 99, 8),
];

/// The activities of a method, in API Activity and in HTTP Activity; `None` for a method OCSF does not know.
pub(super) fn activities(method: Untrusted<'_>) -> Option<(i64, i64)> {
    METHODS.iter().find(|(name, ..)| *name == method.bytes()).map(|(_, api, http)| (*api, *http))
}

fn endpoint(out: &mut Vec<u8>, name: &str, (ip, port): (IpAddr, Option<u16>), zone: Option<&str>) {
    json::object(out, name);
    json::key(out, "ip");
    out.push(b'"');
    number::ip(out, ip);
    out.push(b'"');
    if let Some(port) = port {
        json::count(out, "port", port.into());
    }
    if let Some(zone) = zone {
        json::own(out, "zone", zone);
    }
    json::close(out);
}

/// Whether a body may not leave with full fidelity either: it holds what nobody may keep, or the number of a card under a
/// content coding, where nothing can be cut out.
fn is_withheld(view: &View<'_>, call: &Call, in_request: bool) -> bool {
    let message = if in_request { view.request() } else { view.response() };
    let coding = message.and_then(|message| message.head.header(b"content-encoding"));
    let is_coded = coding.is_some_and(|coding| !coding.bytes().eq_ignore_ascii_case(b"identity"));
    let is_card = |found: &Found<'_>| {
        found.in_request == in_request && found.class.builtin().is_some_and(|class| class.name == "card")
    };
    let observation = &call.observation;
    observation.body_is_never_kept(in_request)
        || is_coded && observation.data_classes().any(|found| is_card(&found))
}

impl Writer<'_> {
    pub(super) fn endpoints(&self, view: &View<'_>, out: &mut Vec<u8>) {
        let caller = view.caller();
        let (server, port) = view.server();
        endpoint(out, "src_endpoint", view.client(), caller.and_then(|caller| caller.client.zone.as_deref()));
        let zone = caller.and_then(|caller| caller.server.zone.as_deref());
        endpoint(out, "dst_endpoint", (server, Some(port)), zone);
    }

    /// `api`: operation, service, the exchange's uid where that is not the event's own, and, with full fidelity, the bodies
    /// that are held.
    pub(super) fn api(&mut self, view: &View<'_>, named: bool, out: &mut Vec<u8>) {
        json::object(out, "api");
        json::key(out, "operation");
        self.operation(view, out);
        if let Some(service) = self.pen.service(view) {
            json::object(out, "service");
            json::text(out, "name", service);
            json::close(out);
        }
        if named || self.told_body(view, true).is_some() {
            json::object(out, "request");
            json::key(out, "uid");
            out.push(b'"');
            number::hex(out, &self.exchange.0);
            out.push(b'"');
            self.body(view, true, out);
            json::close(out);
        }
        if self.told_body(view, false).is_some() {
            json::object(out, "response");
            self.body(view, false, out);
            json::close(out);
        }
        json::close(out);
    }

    /// The operation, else `METHOD template`, or what is known of that.
    pub(super) fn operation(&mut self, view: &View<'_>, out: &mut Vec<u8>) {
        if let Some(operation) = view.operation() {
            return json::string(out, self.pen.operation(operation).bytes());
        }
        out.push(b'"');
        match self.pen.method(view).filter(|method| !method.bytes().is_empty()) {
            Some(method) => json::contents(out, method.bytes()),
            None => out.extend_from_slice(b"unknown"),
        }
        if let Some(template) = self.pen.template(view) {
            out.push(b' ');
            json::contents(out, template.bytes());
        }
        out.push(b'"');
    }

    /// A body that may leave. Without analysis nobody knows what is in it.
    fn told_body<'v>(&self, view: &View<'v>, in_request: bool) -> Option<&'v [u8]> {
        let call = view.call.filter(|_| self.pen.redactor.fidelity() == Fidelity::Full)?;
        if is_withheld(view, call, in_request) {
            return None;
        }
        let message = if in_request { view.request() } else { view.response() };
        message.map(|message| message.body.bytes.as_slice()).filter(|body| !body.is_empty())
    }

    /// Bodies that full fidelity would let leave, and that nobody may keep.
    pub(super) fn withheld(&self, view: &View<'_>, out: &mut Vec<u8>) {
        let Some(call) = view.call.filter(|_| self.pen.redactor.fidelity() == Fidelity::Full) else { return };
        let halves = [("request.body", true), ("response.body", false)];
        let mut held = halves.into_iter().filter(|(_, side)| is_withheld(view, call, *side)).peekable();
        if held.peek().is_some() {
            json::words(out, "withheld", held.map(|(name, _)| name));
        }
    }

    /// `data`: the body's bytes as held, still content-coded, without what no number of a card may show; bytes that are no
    /// UTF-8 are percent-encoded.
    fn body(&self, view: &View<'_>, in_request: bool, out: &mut Vec<u8>) {
        if let Some(body) = self.told_body(view, in_request) {
            json::key(out, "data");
            json::string(out, self.pen.redactor.body(body, &mut Vec::new()).bytes());
        }
    }

    /// `http_request`, when the request was seen. Of a child it says where it belongs; the headers stand with its parent.
    pub(super) fn request(&mut self, view: &View<'_>, out: &mut Vec<u8>) {
        let Some(head) = view.request_head() else { return };
        json::object(out, "http_request");
        if let Some(method) = view.method().filter(|method| activities(*method).is_some()) {
            json::key(out, "http_method");
            json::string(out, method.bytes());
        }
        if head.version != Version::Other {
            json::own(out, "version", head.version.number());
        }
        self.url(view, out);
        if let Some(agent) = self.pen.user_agent(head) {
            json::text(out, "user_agent", agent);
        }
        if let Some(request) = view.request() {
            self.headers(request, out);
            json::count(out, "body_length", request.body.len);
        }
        json::close(out);
    }

    /// `url`, which OCSF wants to have a path.
    fn url(&mut self, view: &View<'_>, out: &mut Vec<u8>) {
        let target = view.target();
        let Some(path) = target.path else { return };
        json::object(out, "url");
        if let Some(host) = self.pen.host(view) {
            json::text(out, "hostname", host);
        }
        json::text(out, "path", self.pen.path(path));
        if let Some(query) = target.query {
            json::text(out, "query_string", self.pen.query(query));
        }
        json::close(out);
    }

    /// `http_response`, when its status is known: OCSF requires the code.
    pub(super) fn response(&mut self, view: &View<'_>, out: &mut Vec<u8>) {
        let (Some(response), Some(code)) = (view.response(), view.status()) else { return };
        json::object(out, "http_response");
        json::count(out, "code", code.into());
        if let Some(media_type) = self.pen.media_type(response) {
            json::text(out, "content_type", media_type);
        }
        self.headers(response, out);
        json::count(out, "body_length", response.body.len);
        if let Some(nanos) = view.exchange.latency() {
            json::count(out, "latency", nanos / 1_000_000);
        }
        json::close(out);
    }

    fn headers(&mut self, message: &Message, out: &mut Vec<u8>) {
        if self.detail == Detail::Lean || message.head.headers().next().is_none() {
            return;
        }
        json::list(out, "http_headers");
        for (name, value) in fields(&message.head).take(MOST_HEADERS) {
            json::element(out);
            self.header(&message.head, name, value, out);
        }
        json::close_list(out);
    }

    fn header(&mut self, head: &Head, name: Range, value: Range, out: &mut Vec<u8>) {
        let line = self.repeated.line(head, name, value);
        if let Some(json) = line.as_ref().and_then(|line| self.repeated.get(line)) {
            return out.extend_from_slice(json);
        }
        let from = out.len();
        let (name, value) = self.pen.field(head.slice(name), head.slice(value));
        json::raw(out, r#"{"name":"#);
        json::string(out, name.bytes());
        json::raw(out, r#","value":"#);
        json::string(out, value.bytes());
        json::close(out);
        if let (Some(line), Some(json)) = (line, out.get(from..)) {
            self.repeated.put(&line, json);
        }
    }
}
