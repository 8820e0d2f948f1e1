//! Text out of payloads: names of operations, tools, fields and models, and content.

use super::{Redacted, Redactor, shape};
use tapwire_protocol::Untrusted;

impl Redactor {
    /// Names out of a payload: words and versions leave, what could be a key or a person does not.
    pub(crate) fn payload_names<'s>(
        &mut self,
        names: Untrusted<'_>,
        scratch: &'s mut Vec<u8>,
    ) -> Redacted<'s> {
        self.fill(names, scratch, |this, text, out| {
            // An operation is a few names: each is judged alone.
            for (at, name) in text.split(|byte| *byte == b' ').enumerate() {
                if at > 0 {
                    out.push(b' ');
                }
                this.write_payload_name(name, out);
            }
        })
    }

    /// The path of a field, `body.$.users["…"].email`: each name in it is judged alone.
    pub(crate) fn field_path<'s>(&mut self, path: Untrusted<'_>, scratch: &'s mut Vec<u8>) -> Redacted<'s> {
        let mark = |byte: &u8| matches!(byte, b'.' | b'[' | b']' | b'"' | b'$' | b'\\');
        self.fill(path, scratch, |this, text, out| {
            for piece in text.split_inclusive(mark) {
                let (name, end) = match piece.split_last() {
                    Some((last, name)) if mark(last) => (name, Some(*last)),
                    _ => (piece, None),
                };
                this.write_payload_name(name, out);
                out.extend(end);
            }
        })
    }

    /// Text that is content: always a token.
    pub(crate) fn content<'s>(&mut self, text: Untrusted<'_>, scratch: &'s mut Vec<u8>) -> Redacted<'s> {
        self.fill(text, scratch, Self::value)
    }

    /// Brackets around a name and the comma behind it are the sensor's own.
    fn write_payload_name(&mut self, name: &[u8], out: &mut Vec<u8>) {
        let mark = |byte: &u8| matches!(byte, b'{' | b'}' | b',');
        let from = name.iter().position(|byte| !mark(byte)).unwrap_or(name.len());
        let to = name.iter().rposition(|byte| !mark(byte)).map_or(from, |at| at + 1);
        let (before, rest) = name.split_at_checked(from).unwrap_or_default();
        let (inner, after) = rest.split_at_checked(to - from).unwrap_or_default();
        out.extend_from_slice(before);
        if shape::is_open(inner) && !self.is_of_class(b"", inner) {
            out.extend_from_slice(inner);
        } else {
            self.value(inner, out);
        }
        out.extend_from_slice(after);
    }
}
