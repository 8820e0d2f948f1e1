//! What payloads say in their style: an object a style under `unmapped`.

use super::Writer;
use crate::json;
use crate::number;
use crate::pen::Pen;
use crate::render::Class;
use crate::view::View;
use tapwire_inspect::{Fact, Facts, Name};

impl Writer<'_> {
    /// An object for each style, and whether the payload says that the call failed.
    pub(super) fn said(&mut self, view: &View<'_>, out: &mut Vec<u8>) {
        let Some(said) = view.said() else { return };
        if said.failed {
            json::truth(out, "failed", true);
        }
        for (style, facts) in &said.facts {
            json::object(out, style);
            facts.iter().for_each(|(key, fact)| member(self.pen, key, fact, out));
            json::close(out);
        }
    }

    /// The facts of a call to a language model, where the class has the profile `ai_operation` and the model has a name.
    pub(super) fn model_of<'v>(&self, view: &View<'v>) -> Option<&'v Facts> {
        let facts = view.said()?.facts("llm")?;
        (self.class == Class::Api && named(facts).is_some()).then_some(facts)
    }

    /// `ai_model` and `message_context`. Who provides a model is told by where it is served.
    pub(super) fn model(&mut self, view: &View<'_>, facts: &Facts, out: &mut Vec<u8>) {
        let Some(model) = named(facts) else { return };
        json::object(out, "ai_model");
        json::key(out, "ai_provider");
        self.provider(view, out);
        json::text(out, "name", self.pen.payload_name(model.as_str()));
        json::close(out);
        json::object(out, "message_context");
        json::object(out, "service");
        json::key(out, "name");
        self.provider(view, out);
        json::close(out);
        for (name, key) in [
            ("prompt_tokens", "input_tokens"),
            ("completion_tokens", "output_tokens"),
            ("total_tokens", "total_tokens"),
        ] {
            if let Some((_, Fact::Count(count))) = facts.iter().find(|(known, _)| *known == key) {
                json::count(out, name, *count);
            }
        }
        json::close(out);
    }

    fn provider(&mut self, view: &View<'_>, out: &mut Vec<u8>) {
        let service = self.pen.service(view);
        json::string(out, service.map_or(&b"unknown"[..], |name| name.bytes()));
    }
}

fn named(facts: &Facts) -> Option<&Name> {
    facts.iter().find_map(|(key, fact)| match fact {
        Fact::Name(name) if *key == "model" => Some(name),
        _ => None,
    })
}

fn member(pen: &mut Pen, key: &str, fact: &Fact, out: &mut Vec<u8>) {
    json::key(out, key);
    value(pen, fact, out);
}

fn value(pen: &mut Pen, fact: &Fact, out: &mut Vec<u8>) {
    match fact {
        Fact::Count(count) => number::unsigned(out, *count),
        Fact::Number(number) => number::signed(out, *number),
        Fact::Truth(truth) => json::raw(out, if *truth { "true" } else { "false" }),
        Fact::Own(word) => json::string(out, word.as_bytes()),
        Fact::Name(name) => json::string(out, pen.payload_name(name.as_str()).bytes()),
        Fact::Content(text) => json::string(out, pen.content(text.as_str()).bytes()),
        Fact::Token(token) => json::string(out, pen.token(*token).bytes()),
        Fact::Digest(digest) => {
            out.push(b'"');
            number::hex(out, digest);
            out.push(b'"');
        }
        Fact::List(values) => {
            out.push(b'[');
            for one in values {
                json::element(out);
                value(pen, one, out);
            }
            json::close_list(out);
        }
        Fact::Group(facts) => {
            out.push(b'{');
            facts.iter().for_each(|(key, fact)| member(pen, key, fact, out));
            json::close(out);
        }
    }
}
