//! Server-sent events as a body (HTML, 9.2): each event's data that is a JSON object is read as one document of many.

use super::json::Json;
use super::{PayloadFormat, PayloadParser, Reading};
use crate::PayloadState;
use crate::fields::Equipment;

pub(super) const FORMAT: PayloadFormat = PayloadFormat {
    name: "sse",
    summary: "Server-sent events: the JSON of their data is read, other data is passed over",
    media_types: &["text/event-stream"],
    matches: |media_type| media_type == b"text/event-stream",
    begins: |_| false,
    parser: || Box::<Events>::default(),
};

/// Where in a line the next byte belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Line {
    /// Bytes of `data:` that were read.
    #[default]
    Start,
    Name(u8),
    /// Behind the colon, where one space may stand.
    Value,
    Data,
    Other,
}

/// What becomes of the open event's data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Event {
    #[default]
    Empty,
    /// A bracket: of a batch, or of a word such as `[DONE]`.
    Bracket,
    Json,
    Other,
}

const NAME: &[u8] = b"data";

#[derive(Default)]
struct Events {
    json: Json,
    line: Line,
    event: Event,
    /// The last byte was CR: an LF behind it ends no further line.
    cr: bool,
}

impl PayloadParser for Events {
    fn equip(&mut self, equipment: &Equipment) {
        self.json.equip(equipment);
    }

    fn feed(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some((&byte, tail)) = rest.split_first() {
            rest = tail;
            let after_cr = std::mem::take(&mut self.cr);
            match (self.line, byte) {
                (_, b'\n') if after_cr => {}
                (_, b'\r' | b'\n') => {
                    self.cr = byte == b'\r';
                    self.line_ended();
                }
                (Line::Start, _) => self.name(0, byte),
                (Line::Name(read), _) => self.name(read, byte),
                (Line::Value, b' ') => self.line = Line::Data,
                (Line::Value | Line::Data, _) => {
                    self.line = Line::Data;
                    let len = memchr::memchr2(b'\r', b'\n', rest).unwrap_or(rest.len());
                    let (more, after) = rest.split_at_checked(len).unwrap_or((rest, &[]));
                    self.data(&[byte]);
                    self.data(more);
                    rest = after;
                }
                (Line::Other, _) => {
                    let len = memchr::memchr2(b'\r', b'\n', rest).unwrap_or(rest.len());
                    rest = rest.get(len..).unwrap_or_default();
                }
            }
        }
    }

    fn finish(&mut self, whole: bool) -> Reading {
        // A stream's last event may lack its empty line: clients drop it, the sensor reads what it says.
        self.event_ended();
        (self.line, self.cr) = (Line::Start, false);
        let state = if whole { PayloadState::Read } else { PayloadState::Partial };
        Reading { state, ..self.json.finish(true) }
    }

    fn held(&self) -> usize {
        self.json.held()
    }
}

impl Events {
    fn name(&mut self, read: u8, byte: u8) {
        self.line = match (NAME.get(usize::from(read)), byte) {
            (None, b':') => Line::Value,
            (Some(expected), _) if *expected == byte => Line::Name(read + 1),
            // A byte order mark in front of the first line.
            (Some(_), 0xef | 0xbb | 0xbf) if read == 0 => Line::Start,
            _ => Line::Other,
        };
    }

    fn line_ended(&mut self) {
        match std::mem::take(&mut self.line) {
            Line::Start => self.event_ended(),
            // Lines of one event are one text, with a line end between them: in JSON, white space.
            Line::Value | Line::Data if self.event == Event::Json => self.json.feed(b"\n"),
            _ => {}
        }
    }

    fn data(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some((&byte, tail)) = rest.split_first() {
            self.event = match (self.event, byte) {
                (Event::Json, _) => return self.json.feed(rest),
                (Event::Other, _) => return,
                (event, b' ' | b'\t') => event,
                (Event::Empty, b'[') => Event::Bracket,
                (Event::Empty, b'{') => Event::Json,
                (Event::Bracket, b'{') => {
                    self.json.feed(b"[");
                    Event::Json
                }
                _ => Event::Other,
            };
            if self.event == Event::Json {
                return self.json.feed(rest);
            }
            rest = tail;
        }
    }

    fn event_ended(&mut self) {
        if std::mem::take(&mut self.event) == Event::Json {
            self.json.document_ended();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::notes::Want;
    use proptest::prelude::*;

    fn read(pieces: &[&[u8]]) -> Reading {
        let mut events = Events::default();
        pieces.iter().for_each(|piece| events.feed(piece));
        events.finish(true)
    }

    const STREAM: &str = "\u{feff}: welcome\r\nevent: message\r\ndata: {\"jsonrpc\":\"2.0\",\r\ndata:\"method\":\"a\"}\r\n\r\n\
        data: [{\"jsonrpc\":\"2.0\",\"method\":\"b\"}]\r\rid: 7\ndata: {\"jsonrpc\":\"2.0\",\"method\":\n\ndata: plain\n\n\
        data: [DONE]\n\ndata:{\"jsonrpc\":\"2.0\",\"method\":\"c\"}";

    fn methods(reading: &Reading) -> Vec<&str> {
        reading.notes.iter().flat_map(|notes| notes.texts(Want::Method)).map(|name| name.as_str()).collect()
    }

    #[test]
    fn data_of_events_is_read() {
        let reading = read(&[STREAM.as_bytes()]);
        assert_eq!((reading.state, methods(&reading)), (PayloadState::Read, vec!["a", "b", "c"]));
        assert_eq!(reading.fields, 4, "two names at the root, two in a batch");
    }

    proptest! {
        #[test]
        fn any_split_reads_alike(
            text in "(data: ?|id:|:|\\r|\\n|\\{\"a\":1\\}|\\[|[a-z ]){0,30}",
            cuts in prop::collection::vec(0_usize..400, 0..6),
        ) {
            for text in [text.as_str(), STREAM] {
                let bytes = text.as_bytes();
                let mut cuts: Vec<_> = cuts.iter().map(|cut| *cut.min(&bytes.len())).collect();
                cuts.extend([0, bytes.len()]);
                cuts.sort_unstable();
                let pieces: Vec<_> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
                prop_assert_eq!(read(&pieces), read(&[bytes]));
                prop_assert_eq!(read(&bytes.chunks(1).collect::<Vec<_>>()), read(&[bytes]));
            }
        }
    }
}
