//! Plain text (`text/plain`), and content of other types that turns out to be text: what stands in it is looked for, line by line.

use super::{PayloadFormat, PayloadParser, Reading};
use crate::PayloadState;
use crate::fields::{Equipment, FieldList, Fields, VALUE_BYTES};

pub(crate) const FORMAT: PayloadFormat = PayloadFormat {
    name: "text",
    summary: "Text: data classes are looked for in its lines, all of it is one value",
    media_types: &["text/plain", "text/csv", "text/*"],
    matches: |media_type| media_type.starts_with(b"text/") && !NOT_PROSE.contains(&media_type),
    begins: |_| false,
    parser: || Box::<Text>::default(),
};

/// Texts that are there for browsers: of what people read in them, markup and code would say too much.
const NOT_PROSE: &[&[u8]] = &[b"text/html", b"text/css", b"text/javascript", b"text/ecmascript"];

/// Families of types that are no text.
const OPAQUE: &[&[u8]] = &[b"image/", b"audio/", b"video/", b"font/", b"model/"];
/// Such types by themselves.
const OPAQUE_TYPES: &[&[u8]] = &[
    b"application/javascript",
    b"application/xhtml+xml",
    b"application/wasm",
    b"application/pdf",
    b"application/zip",
    b"application/gzip",
    b"application/ocsp-response",
    b"application/ocsp-request",
    b"application/dns-message",
];

/// Whether a media type, lower-case and without parameters, names no format and may be text all the same.
pub(super) fn may_be(media_type: &[u8]) -> bool {
    !media_type.is_empty()
        && !OPAQUE.iter().any(|family| media_type.starts_with(family))
        && !OPAQUE_TYPES.contains(&media_type)
        && !NOT_PROSE.contains(&media_type)
}

#[derive(Default)]
struct Text {
    /// The open line, as far as it was not looked at.
    line: Vec<u8>,
    len: usize,
    /// A byte came that no text has: nothing more is looked at.
    is_binary: bool,
    fields: Fields,
}

impl PayloadParser for Text {
    fn reuse(&mut self, list: Box<FieldList>) {
        self.fields.reuse(list);
    }

    fn equip(&mut self, equipment: &Equipment) {
        self.fields.equip(equipment);
    }

    fn feed(&mut self, bytes: &[u8]) {
        self.is_binary = self.is_binary || bytes.iter().any(|byte| is_control(*byte));
        if self.is_binary {
            return;
        }
        self.len = self.len.saturating_add(bytes.len());
        let mut rest = bytes;
        while !rest.is_empty() {
            let end = memchr::memchr2(b'\n', b'\r', rest);
            let (piece, tail) = rest.split_at_checked(end.unwrap_or(rest.len())).unwrap_or((rest, &[]));
            self.piece(piece);
            if end.is_some() {
                self.line_ended();
            }
            rest = tail.get(1..).unwrap_or_default();
        }
    }

    fn finish(&mut self, whole: bool) -> Reading {
        self.line_ended();
        let (len, is_binary) = (std::mem::take(&mut self.len), std::mem::take(&mut self.is_binary));
        let document = self.fields.document();
        self.fields.prose(document, len);
        let list = self.fields.take().filter(|_| !is_binary);
        let state = match (is_binary, whole) {
            (true, _) => PayloadState::Unknown,
            (false, false) => PayloadState::Partial,
            (false, true) => PayloadState::Read,
        };
        Reading { state, list, ..Reading::default() }
    }

    fn held(&self) -> usize {
        self.fields.held() + self.line.capacity()
    }
}

impl Text {
    /// Takes more of the open line. What is longer than a value is looked at in parts.
    fn piece(&mut self, mut piece: &[u8]) {
        while !piece.is_empty() {
            let room = VALUE_BYTES - self.line.len();
            let (now, later) = piece.split_at_checked(room).unwrap_or((piece, &[]));
            self.line.extend_from_slice(now);
            if self.line.len() == VALUE_BYTES {
                self.look(cut(&self.line));
            }
            piece = later;
        }
    }

    fn line_ended(&mut self) {
        self.look(self.line.len());
    }

    /// Looks at so much of the open line, which ends there.
    fn look(&mut self, len: usize) {
        if len > 0 && !self.is_binary {
            let document = self.fields.document();
            self.fields.line(document, self.line.get(..len).unwrap_or_default());
        }
        self.line.drain(..len);
    }
}

/// Where a line is cut that is too long: behind a mark, so that names stay with what they name, else between words, neither
/// within a number that is written in groups.
fn cut(line: &[u8]) -> usize {
    let half = line.len() / 2;
    let ends = |marks: &'static [u8]| {
        line.windows(3).rposition(move |near| match near {
            [before, at, after] => marks.contains(at) && !(before.is_ascii_digit() && after.is_ascii_digit()),
            _ => false,
        })
    };
    let found = ends(b",;|\t").filter(|at| *at >= half).or_else(|| ends(b" \t"));
    found.map_or(line.len(), |at| at + 2)
}

/// A control byte that is neither white space nor begins what colours a terminal.
const fn is_control(byte: u8) -> bool {
    byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r' | 0x0c | 0x1b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classes::ClassId;
    use crate::classes::Classes;
    use crate::ids::{IdKey, MAX_IDS};
    use std::sync::Arc;

    /// What is found of a text, which comes whole and in pieces.
    fn list(text: &str) -> Box<FieldList> {
        let mut parser = (FORMAT.parser)();
        let classes = Arc::new(Classes::default());
        parser.equip(&Equipment { classes, ids: IdKey::default(), max_ids: MAX_IDS, odd: false });
        let mut read = |step: usize| {
            text.as_bytes().chunks(step).for_each(|piece| parser.feed(piece));
            parser.finish(true)
        };
        let whole = read(usize::MAX);
        assert_eq!(read(1), whole, "byte by byte");
        assert_eq!(read(7), whole, "in pieces of 7");
        whole.list.expect("a field")
    }

    /// The classes that a text reports, each with how often.
    fn found(text: &str) -> Vec<(&'static str, u32)> {
        let list = list(text);
        let [document] = list.fields() else { panic!("one field") };
        assert_eq!((document.count, document.lengths.most as usize), (1, text.len()));
        let hits = document.classes.iter().filter(|hits| hits.reported > 0);
        let name =
            |class| ClassId::from_number(class).and_then(ClassId::builtin).map_or("", |class| class.name);
        hits.map(|hits| (name(hits.class), hits.reported)).collect()
    }

    #[test]
    fn classes_are_found_in_lines_and_counted() {
        let text = "Dear Jane,\r\nyour card 4012 8888 8888 1881 was charged.\r\nIBAN DE89370400440532013000\r\n\
                    IBAN: GB82 WEST 1234 5698 7654 32\n\nQuestions? help@shop.example";
        assert_eq!(found(text), [("card", 1), ("iban", 2), ("email", 1)]);
        // One digit off, and numbers that are no card's.
        assert_eq!(found("card 4012 8888 8888 1882, order 4012888888881"), []);
        assert_eq!(found("pong"), []);
    }

    #[test]
    fn long_lines_are_looked_at_to_their_end_and_nothing_counts_twice() {
        for filler in ["level=info msg=ok ", "a,b,c,d,", "lorem ipsum dolor "] {
            for pad in (0..300).step_by(7) {
                let line = format!(
                    "{}{} IBAN DE89370400440532013000 {}",
                    filler.repeat(40),
                    "x".repeat(pad),
                    filler.repeat(40)
                );
                assert_eq!(found(&line), [("iban", 1)], "{filler} {pad}");
            }
        }
    }

    #[test]
    fn what_is_worst_is_told_where_there_is_more_than_room_for() {
        let text = "from 203.0.113.77 and 203.0.113.78, help@shop.example, MAC 00:1B:44:11:3A:B7\n\
                    total 943 476 5919\ncard 4012 8888 8888 1881\n";
        let found = found(text);
        assert!(found.contains(&("card", 1)), "{found:?}");
        assert_eq!(found.len(), 3, "{found:?}");
    }

    #[test]
    fn what_is_no_text_says_nothing() {
        let mut parser = (FORMAT.parser)();
        parser.feed(b"DE89370400440532013000\n");
        parser.feed(b"\x00\x01DE89370400440532013000\n");
        let reading = parser.finish(true);
        assert_eq!((reading.state, reading.list), (PayloadState::Unknown, None));
        parser.feed(b"DE89370400440532013000");
        assert_eq!(parser.finish(true).state, PayloadState::Read, "the next body is another");
    }

    #[test]
    fn a_column_of_numbers_is_told_by_its_lines() {
        // NHS numbers with right check digits, one a line.
        let check =
            |nine: u32| (2..=10).map(|weight| weight * (nine / 10_u32.pow(weight - 2) % 10)).sum::<u32>();
        let numbers = (0..60_u32).map(|at| 400_000_000 + at * 7).filter(|nine| check(*nine) % 11 != 1);
        let numbers: Vec<String> =
            numbers.map(|nine| format!("{nine}{}", (11 - check(nine) % 11) % 11)).collect();
        let list = list(&numbers.join("\n"));
        let [document] = list.fields() else { panic!("one field") };
        assert_eq!(document.scalars as usize, numbers.len());
        let class = ClassId::of("uk-nhs").expect("a class").get();
        assert!(
            document.classes.iter().any(|hits| hits.class == class && hits.values as usize == numbers.len())
        );
    }
}
