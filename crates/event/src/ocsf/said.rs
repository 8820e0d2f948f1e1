//! What payloads say in their style: an object a style under `unmapped`.

use super::Writer;
use crate::json;
use crate::number;
use crate::pen::Pen;
use crate::view::View;
use tapwire_inspect::Fact;

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
