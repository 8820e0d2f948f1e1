//! An exchange: `http`, `url`, `source`, `destination`, `network`, `tls`, `user`, `user_agent`.

use super::{Kind, Writer, date, hex};
use crate::json;
use crate::number;
use crate::view::View;
use std::net::IpAddr;
use tapwire_inventory::PrincipalKind;
use tapwire_protocol::{Message, Pairing, Seen, Untrusted};

const EXCHANGE: Kind =
    Kind { kind: "event", category: &["web", "api"], types: &["access"], dataset: "tapwire.exchange" };

/// `success`, `failure` or `unknown`, by the status code, and by the payload where that says that the call failed.
fn outcome(view: &View<'_>) -> &'static str {
    match view.status() {
        None => "unknown",
        Some(_) if view.said().is_some_and(|said| said.failed) => "failure",
        Some(..400) => "success",
        Some(400..) => "failure",
    }
}

impl Writer<'_> {
    /// Writes the document, without a line end.
    pub(crate) fn exchange(mut self, view: &View<'_>, out: &mut Vec<u8>) {
        let (start, end) = (view.exchange.started(), view.exchange.ended());
        self.open(start, &view.exchange.uid().0, &EXCHANGE, out);
        self.action(view, out);
        json::own(out, "outcome", outcome(view));
        json::key(out, "start");
        date(start, out);
        json::key(out, "end");
        date(end, out);
        json::integer(out, "duration", end.since(start).max(0));
        json::close(out);
        self.call(view, out);
        json::object(out, "tapwire");
        self.rest(view, out);
        self.end(out);
    }

    /// `event.action`: the operation, else method and template.
    fn action(&mut self, view: &View<'_>, out: &mut Vec<u8>) {
        json::key(out, "action");
        if let Some(operation) = view.operation() {
            return json::string(out, self.pen.operation(operation).bytes());
        }
        out.push(b'"');
        match self.pen.method(view) {
            Some(method) => json::contents(out, method.bytes()),
            None => out.extend_from_slice(b"unknown"),
        }
        if let Some(template) = self.pen.template(view) {
            out.push(b' ');
            json::contents(out, template.bytes());
        }
        out.push(b'"');
    }

    /// What an exchange and a finding in it say alike: who asked whom for what.
    pub(super) fn call(&mut self, view: &View<'_>, out: &mut Vec<u8>) {
        let (client, server) = (view.client(), view.server());
        endpoint("source", client, out);
        endpoint("destination", (server.0, Some(server.1)), out);
        self.network(view, out);
        self.tls(view, out);
        if !view.is_unsaid() {
            self.url(view, out);
            self.http(view, out);
        }
        if let Some(agent) = view.request_head().and_then(|head| self.pen.user_agent(head)) {
            json::object(out, "user_agent");
            json::text(out, "original", agent);
            json::close(out);
        }
        self.user(view, out);
        if let Some(service) = self.pen.service(view) {
            json::object(out, "service");
            json::text(out, "name", service);
            json::close(out);
        }
    }

    fn network(&mut self, view: &View<'_>, out: &mut Vec<u8>) {
        json::object(out, "network");
        json::own(out, "transport", "tcp");
        if !view.is_unsaid() {
            json::own(out, "protocol", "http");
        }
        json::key(out, "community_id");
        out.push(b'"');
        out.extend_from_slice(self.community.of(&view.exchange.flow.key));
        out.push(b'"');
        if let Some(vlan) = view.exchange.flow.vlan {
            json::object(out, "vlan");
            json::own(out, "id", &vlan.to_string());
            json::close(out);
        }
        json::close(out);
    }

    fn tls(&mut self, view: &View<'_>, out: &mut Vec<u8>) {
        let Some(facts) = &view.exchange.flow.tls else { return };
        json::object(out, "tls");
        json::object(out, "client");
        if let Some(name) = &facts.sni {
            json::text(out, "server_name", self.pen.name(name.as_bytes()));
        }
        facts.ja3.iter().for_each(|text| json::own(out, "ja3", text));
        json::close(out);
        if let Some(ja3s) = &facts.ja3s {
            json::object(out, "server");
            json::own(out, "ja3s", ja3s);
            json::close(out);
        }
        json::close(out);
    }

    fn url(&mut self, view: &View<'_>, out: &mut Vec<u8>) {
        if view.request_head().is_none() {
            return;
        }
        let target = view.target();
        json::object(out, "url");
        if let Some(host) = self.pen.host(view) {
            json::text(out, "domain", host);
        }
        if let Some(path) = target.path {
            json::text(out, "path", self.pen.path(path));
        }
        if let Some(query) = target.query {
            json::text(out, "query", self.pen.query(query));
        }
        json::close(out);
    }

    fn http(&mut self, view: &View<'_>, out: &mut Vec<u8>) {
        json::object(out, "http");
        if let Some(first) = view.first_head() {
            json::own(out, "version", first.version.number());
        }
        if let Some(request) = view.request() {
            json::object(out, "request");
            if let Some(method) = self.pen.method(view) {
                json::text(out, "method", method);
            }
            if let Some(referrer) = view.request_header(b"referer") {
                let (_, value) = self.pen.field(Untrusted::new(b"referer"), referrer);
                json::text(out, "referrer", value);
            }
            self.body(request, out);
            json::close(out);
        }
        if let Some(response) = view.response() {
            json::object(out, "response");
            if let Some(status) = view.status() {
                json::count(out, "status_code", status.into());
            }
            self.body(response, out);
            json::close(out);
        }
        json::close(out);
    }

    fn body(&mut self, message: &Message, out: &mut Vec<u8>) {
        if let Some(media_type) = self.pen.media_type(message) {
            json::text(out, "mime_type", media_type);
        }
        json::object(out, "body");
        json::count(out, "bytes", message.body.len);
        json::close(out);
    }

    fn user(&mut self, view: &View<'_>, out: &mut Vec<u8>) {
        let known = view.call.and_then(|call| call.principal).filter(|p| p.kind != PrincipalKind::Network);
        if known.is_none() {
            return;
        }
        let roles =
            view.caller().and_then(|caller| caller.grants.as_deref()).map_or(&[][..], |all| &all.roles);
        json::object(out, "user");
        if let Some((_, token)) = self.pen.principal(view) {
            json::text(out, "id", token);
        }
        if !roles.is_empty() {
            json::list(out, "roles");
            for role in roles {
                json::element(out);
                json::string(out, self.pen.payload_name(role.as_str()).bytes());
            }
            json::close_list(out);
        }
        json::close(out);
    }

    /// What the schema has no field for.
    pub(super) fn rest(&mut self, view: &View<'_>, out: &mut Vec<u8>) {
        json::own(out, "source", view.source);
        json::object(out, "endpoint");
        if let Some(template) = self.pen.template(view) {
            json::text(out, "template", template);
        }
        if let Some(id) = view.call.and_then(|call| call.endpoint) {
            hex("id", &id.0.to_be_bytes(), out);
        }
        json::close(out);
        if let Some((kind, token)) = self.pen.principal(view) {
            json::object(out, "principal");
            json::own(out, "kind", kind);
            json::text(out, "token", token);
            json::close(out);
        }
        data_classes(view, out);
        json::words(out, "protocols", view.protocols());
        if let Some(ja4) = view.exchange.flow.tls.as_ref().and_then(|facts| facts.ja4.as_ref()) {
            json::own(out, "ja4", ja4);
        }
        child(view, out);
        doubts(view, out);
    }
}

fn endpoint(name: &str, (ip, port): (IpAddr, Option<u16>), out: &mut Vec<u8>) {
    json::object(out, name);
    json::key(out, "ip");
    out.push(b'"');
    number::ip(out, ip);
    out.push(b'"');
    if let Some(port) = port {
        json::count(out, "port", port.into());
    }
    json::close(out);
}

/// The data classes, where there are any.
fn data_classes(view: &View<'_>, out: &mut Vec<u8>) {
    let names = view.class_names();
    if !names.is_empty() {
        json::words(out, "data_classes", names.into_iter());
    }
}

fn child(view: &View<'_>, out: &mut Vec<u8>) {
    let Some(child) = view.child() else { return };
    if let Some(parent) = &child.parent {
        hex("parent", &parent.0, out);
    }
    json::count(out, "child", child.index);
    json::own(out, "kind", child.kind.name());
}

/// Anomalies and how well it was seen, where that is less than completely.
fn doubts(view: &View<'_>, out: &mut Vec<u8>) {
    let whole = |half: Option<&Message>| half.is_some_and(|message| message.seen == Seen::Complete);
    let both = whole(view.request()) && whole(view.response());
    if view.child().is_none() && !(both && view.exchange.pairing == Pairing::Certain) {
        let name = |half: Option<&Message>| half.map_or(Seen::Missing.name(), |message| message.seen.name());
        json::object(out, "seen");
        json::own(out, "request", name(view.request()));
        json::own(out, "response", name(view.response()));
        json::own(out, "pairing", view.exchange.pairing.name());
        json::close(out);
    }
    let anomalies = view.anomalies();
    if !anomalies.is_empty() {
        json::words(out, "anomalies", anomalies.iter().map(tapwire_protocol::Anomaly::name));
    }
}
