//! Lines of JSON as messages: `application/x-ndjson` and its kin, and the sequences of RFC 7464.

use super::event_stream::{EventPart, EventStep};

/// Reads lines from pieces of any size. An empty line is none.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct LineReader {
    /// Anything but white space of the line has come.
    begun: bool,
}

impl LineReader {
    /// For content of that media type, without parameters; `None` for what is not made of lines.
    pub(super) fn of(media_type: &[u8]) -> Option<Self> {
        const NAMES: [&[u8]; 6] = [
            b"application/x-ndjson",
            b"application/ndjson",
            b"application/jsonl",
            b"application/x-jsonlines",
            b"application/jsonlines",
            b"application/json-seq",
        ];
        NAMES.iter().any(|name| media_type.eq_ignore_ascii_case(name)).then(Self::default)
    }

    /// Somewhere in a line: behind a hole.
    pub(super) const fn within() -> Self {
        Self { begun: true }
    }

    /// Whether part of a line has come.
    pub(super) const fn is_within(&self) -> bool {
        self.begun
    }

    /// Takes the next step into `bytes`, which are not empty.
    pub(super) fn feed<'a>(&mut self, bytes: &'a [u8]) -> EventStep<'a> {
        let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | 0x1e);
        let took = |consumed, part| EventStep { consumed, part };
        match bytes.first() {
            Some(b'\n') if std::mem::take(&mut self.begun) => took(1, EventPart::End),
            Some(b'\n') => took(1, EventPart::Framing),
            Some(byte) if blank(byte) && !self.begun => {
                took(bytes.iter().take_while(|byte| blank(byte)).count(), EventPart::Framing)
            }
            _ => {
                self.begun = true;
                let line = memchr::memchr(b'\n', bytes).unwrap_or(bytes.len());
                took(line, EventPart::Data(bytes.get(..line).unwrap_or_default()))
            }
        }
    }
}
