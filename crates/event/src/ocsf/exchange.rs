//! An exchange as API Activity (6003) or HTTP Activity (4002).

use super::{Kind, Writer, http};
use crate::json;
use crate::number;
use crate::render::{Class, Detail};
use crate::view::View;
use tapwire_protocol::{ChildKind, Direction, EachWay, Frames, Message, Pairing, Seen, Totals};
use tapwire_wire::{Overlay, Tunnel};

/// Places of data classes that an event tells; of more it says how many.
const MOST_CLASSES: usize = 32;

/// Success, failure or unknown, by the status code, and by the payload where that says that the call failed.
fn status_id(view: &View<'_>) -> i64 {
    match view.status() {
        None => 0,
        Some(_) if view.said().is_some_and(|said| said.failed) => 2,
        Some(..400) => 1,
        Some(400..) => 2,
    }
}

fn frames(out: &mut Vec<u8>, name: &str, Frames { first, last }: Frames) {
    json::list(out, name);
    number::unsigned(out, first);
    json::element(out);
    number::unsigned(out, last);
    json::close_list(out);
}

fn seen(message: Option<&Message>) -> &'static str {
    message.map_or("missing", |message| message.seen.name())
}

impl Writer<'_> {
    /// Writes the event, without a line end.
    pub(crate) fn exchange(mut self, view: &View<'_>, out: &mut Vec<u8>) {
        json::open(out);
        self.times(view, out);
        self.kind(view).write(out);
        json::integer(out, "status_id", status_id(view));
        let model = self.model_of(view);
        self.open_metadata(&self.exchange.0, model.map(|_| "ai_operation"), out);
        json::close(out);
        self.endpoints(view, out);
        if self.class == Class::Api {
            self.actor(view, out);
            self.api(view, self.detail == Detail::Full, out);
        }
        if let Some(model) = model {
            self.model(view, model, out);
        }
        self.request(view, out);
        self.response(view, out);
        self.unmapped(view, out);
        json::close(out);
    }

    fn kind(&self, view: &View<'_>) -> Kind {
        // A method OCSF does not know is Other, a request that was not seen is Unknown.
        let activities = view.method().map_or((0, 0), |method| http::activities(method).unwrap_or((99, 99)));
        match self.class {
            Class::Api => Kind { category: 6, class: 6003, activity: activities.0, severity: 1 },
            Class::Http => Kind { category: 4, class: 4002, activity: activities.1, severity: 1 },
        }
    }

    fn unmapped(&mut self, view: &View<'_>, out: &mut Vec<u8>) {
        json::object(out, "unmapped");
        json::own(out, "source", view.source);
        packets(view, out);
        self.endpoint(view, out);
        self.class_rest(view, out);
        self.quality(view, out);
        let anomalies = view.anomalies();
        if !anomalies.is_empty() {
            json::words(out, "anomalies", anomalies.iter().map(tapwire_protocol::Anomaly::name));
        }
        self.data_classes(view, out);
        self.protocols(view, out);
        self.said(view, out);
        child(view, out);
        self.unlisted_method(view, out);
        interim(view, out);
        self.network(view, out);
        self.token_key(out);
        self.withheld(view, out);
        // Read last: it is what rendering the text above found out.
        if self.pen.redactor.take_cut() {
            json::truth(out, "text_cut", true);
        }
        json::close(out);
    }

    fn times(&self, view: &View<'_>, out: &mut Vec<u8>) {
        let (start, end) = (view.exchange.started(), view.exchange.ended());
        json::integer(out, "time", start.millis());
        let began = ending(view).map_or(start, |totals| totals.began);
        if self.detail == Detail::Full || began != start {
            json::integer(out, "start_time", began.millis());
        }
        json::integer(out, "end_time", end.millis());
        json::integer(out, "duration", end.since(began).max(0) / 1_000_000);
    }

    /// How well it was seen.
    fn quality(&self, view: &View<'_>, out: &mut Vec<u8>) {
        if self.detail == Detail::Full || !is_clean(view) {
            json::object(out, "seen");
            // A child is one message, and nothing is missing beside it.
            for (name, half) in [("request", view.request()), ("response", view.response())] {
                if half.is_some() || view.child().is_none() {
                    json::own(out, name, seen(half));
                }
            }
            json::own(out, "pairing", view.exchange.pairing.name());
            json::count(out, "missed_bytes", view.missed_bytes());
            json::truth(out, "joined_late", view.exchange.flow.joined_late);
            if view.exchange.flow.tls.is_some() {
                json::truth(out, "decrypted", true);
            }
            json::close(out);
        }
        if view.status().is_none() && view.child().is_none() {
            json::truth(out, "response_seen", view.response().is_some());
        }
    }

    pub(super) fn endpoint(&mut self, view: &View<'_>, out: &mut Vec<u8>) {
        let id = view.call.and_then(|call| call.endpoint);
        if id.is_none() && view.template().is_none() {
            return;
        }
        json::object(out, "endpoint");
        if let Some(template) = self.pen.template(view) {
            json::text(out, "template", template);
        }
        if let Some(id) = id {
            json::key(out, "id");
            out.push(b'"');
            number::hex(out, &id.0.to_be_bytes());
            out.push(b'"');
        }
        json::close(out);
    }

    /// What HTTP Activity has no place for, and the caller as `where` and the lake know it.
    fn class_rest(&mut self, view: &View<'_>, out: &mut Vec<u8>) {
        if self.class == Class::Http {
            json::key(out, "operation");
            self.operation(view, out);
            if let Some(service) = self.pen.service(view) {
                json::text(out, "service", service);
            }
        }
        self.caller(view, out);
    }

    /// Each class with the place it stands in, and how many values there are of it.
    fn data_classes(&mut self, view: &View<'_>, out: &mut Vec<u8>) {
        let Some(observation) = view.call.map(|call| &call.observation) else { return };
        let mut found = observation.data_classes().peekable();
        if found.peek().is_none() {
            return;
        }
        json::list(out, "data_classes");
        for found in found.by_ref().take(MOST_CLASSES) {
            json::element(out);
            json::open(out);
            json::own(out, "class", observation.class_name(found.class));
            json::text(out, "where", self.pen.field_path(&found.place()));
            json::count(out, "count", found.count.into());
            if found.is_test {
                json::truth(out, "test", true);
            }
            json::close(out);
        }
        json::close_list(out);
        let more = found.count();
        if more > 0 {
            json::count(out, "data_classes_left_out", more as u64);
        }
    }

    /// Outermost first; a lean event leaves out what `http_request.version` says by itself.
    fn protocols(&self, view: &View<'_>, out: &mut Vec<u8>) {
        let mut protocols = view.protocols().peekable();
        let plain = view.request_head().is_some() && view.protocols().eq(["http/1.1"]);
        if self.detail == Detail::Full || !plain && protocols.peek().is_some() {
            json::words(out, "protocols", protocols);
        }
    }

    fn unlisted_method(&mut self, view: &View<'_>, out: &mut Vec<u8>) {
        if view.method().is_some_and(|method| http::activities(method).is_none())
            && let Some(method) = self.pen.method(view)
        {
            json::text(out, "method", method);
        }
    }

    fn network(&mut self, view: &View<'_>, out: &mut Vec<u8>) {
        let flow = &view.exchange.flow;
        if let Some(vlan) = flow.vlan {
            json::count(out, "vlan", vlan.into());
        }
        overlay(flow.overlay, out);
        json::key(out, "community_id");
        out.push(b'"');
        out.extend_from_slice(self.community.of(&flow.key));
        out.push(b'"');
        json::count(out, "flow", flow.id);
        if let Some(stream) = view.exchange.stream {
            json::count(out, "stream", stream.into());
        }
        if self.detail == Detail::Full {
            json::integer(out, "time_ns", view.exchange.started().nanos());
        }
        self.tls(view, out);
        proxy(view, out);
    }

    /// What the connection's hellos told.
    fn tls(&mut self, view: &View<'_>, out: &mut Vec<u8>) {
        let Some(facts) = &view.exchange.flow.tls else { return };
        if let Some(name) = &facts.sni {
            json::text(out, "sni", self.pen.name(name.as_bytes()));
        }
        let fingerprints = [("ja3", &facts.ja3), ("ja3s", &facts.ja3s), ("ja4", &facts.ja4)];
        for (name, fingerprint) in fingerprints {
            fingerprint.iter().for_each(|text| json::own(out, name, text));
        }
    }
}

fn overlay(overlay: Overlay, out: &mut Vec<u8>) {
    if let Some(vni) = overlay.vni {
        json::count(out, "vni", vni.into());
    }
    if !overlay.tunnels.is_empty() {
        json::words(out, "tunnel", overlay.tunnels.iter().map(Tunnel::name));
    }
}

fn packets(view: &View<'_>, out: &mut Vec<u8>) {
    json::object(out, "packets");
    if let Some(request) = view.request() {
        frames(out, "request", request.frames);
    }
    if let Some(response) = view.response() {
        frames(out, "response", response.frames);
    }
    json::close(out);
}

/// Whether nothing is missing and nothing in doubt.
fn is_clean(view: &View<'_>) -> bool {
    let whole = |half: Option<&Message>| half.is_some_and(|message| message.seen == Seen::Complete);
    let flow = &view.exchange.flow;
    whole(view.request())
        && whole(view.response())
        && view.exchange.pairing == Pairing::Certain
        && view.missed_bytes() == 0
        && !flow.joined_late
        && flow.tls.is_none()
}

/// What passed on the exchange whose end this is.
fn ending<'a>(view: &View<'a>) -> Option<&'a Totals> {
    match &view.child()?.kind {
        ChildKind::End(totals) => Some(totals),
        ChildKind::Message => None,
    }
}

/// Which exchange carries this message, and which one it is; of the end also what passed.
fn child(view: &View<'_>, out: &mut Vec<u8>) {
    let Some(child) = view.child() else { return };
    if let Some(parent) = &child.parent {
        json::key(out, "parent");
        out.push(b'"');
        number::hex(out, &parent.0);
        out.push(b'"');
    }
    json::count(out, "child", child.index);
    json::own(out, "kind", child.kind.name());
    if let Some(totals) = ending(view) {
        json::object(out, "totals");
        each_way("messages", totals.messages, out);
        json::count(out, "left_out", totals.left_out);
        each_way("bytes", totals.bytes, out);
        json::count(out, "missed_bytes", totals.missed_bytes);
        if let Some(close) = totals.close {
            json::object(out, "close");
            json::own(out, "by", if close.by == Direction::ToServer { "client" } else { "server" });
            if let Some(code) = close.code {
                json::count(out, "code", code.into());
            }
            json::close(out);
        }
        json::close(out);
    }
}

fn each_way(name: &str, figures: EachWay, out: &mut Vec<u8>) {
    json::object(out, name);
    json::count(out, "client", figures.client);
    json::count(out, "server", figures.server);
    json::close(out);
}

fn interim(view: &View<'_>, out: &mut Vec<u8>) {
    if view.exchange.interim.iter().all(|status| *status == 0) {
        return;
    }
    json::list(out, "interim");
    for status in view.exchange.interim.iter().filter(|status| **status != 0) {
        json::element(out);
        number::unsigned(out, (*status).into());
    }
    json::close_list(out);
}

/// The PROXY header: its version, and the address the connection really came from.
fn proxy(view: &View<'_>, out: &mut Vec<u8>) {
    let flow = &view.exchange.flow;
    let Some(header) = &flow.proxy else { return };
    json::object(out, "proxy");
    json::count(out, "version", header.version.into());
    json::key(out, "peer");
    out.push(b'"');
    number::ip(out, flow.client().ip());
    out.push(b'"');
    json::count(out, "peer_port", flow.client().port.into());
    json::close(out);
}
