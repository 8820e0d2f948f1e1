//! Endpoints as a sensor rates them, in the words of `tapwire inventory --json`.

use super::Writer;
use crate::json;
use crate::known::KnownEndpoint;
use crate::number;
use tapwire_inventory::context::About;
use tapwire_inventory::{Rated, Score, State};

impl Writer<'_> {
    pub(super) fn known_endpoints(&mut self, name: &str, endpoints: &[KnownEndpoint], out: &mut Vec<u8>) {
        json::list(out, name);
        for endpoint in endpoints {
            json::element(out);
            self.endpoint_known(endpoint, out);
        }
        json::close_list(out);
    }

    fn endpoint_known(&mut self, endpoint: &KnownEndpoint, out: &mut Vec<u8>) {
        json::open(out);
        json::key(out, "id");
        out.push(b'"');
        number::hex(out, &endpoint.id.0.to_be_bytes());
        out.push(b'"');
        json::own(out, "method", &self.pen.redactor.shown_method(&endpoint.method));
        json::text(out, "template", self.pen.path(endpoint.template.as_bytes()));
        if let Some(operation) = &endpoint.operation {
            json::text(out, "operation", self.pen.operation(operation));
        }
        if let Some((first, last)) = endpoint.seen {
            json::integer(out, "first_ms", first.millis());
            json::integer(out, "last_ms", last.millis());
        }
        json::words(out, "states", endpoint.states.iter().copied().map(State::name));
        for (score, rated) in Score::ALL.into_iter().zip(endpoint.scores.iter().flatten()) {
            json::integer(out, score.name(), rated.points.into());
            reasons(&format!("{}_reasons", score.name()), rated, out);
        }
        about(&endpoint.about, out);
        json::close(out);
    }
}

fn reasons(name: &str, rated: &Rated, out: &mut Vec<u8>) {
    json::list(out, name);
    for reason in &rated.reasons {
        json::element(out);
        json::open(out);
        json::own(out, "reason", reason.factor.name);
        json::integer(out, "points", reason.points.into());
        json::own(out, "seen", &reason.seen);
        json::close(out);
    }
    json::close_list(out);
}

/// These words are the operator's, not traffic's.
fn about(about: &About, out: &mut Vec<u8>) {
    for (name, text) in about.texts() {
        json::own(out, name, text);
    }
    if !about.tags.is_empty() {
        json::words(out, "tags", about.tags.iter().map(|tag| &**tag));
    }
}
