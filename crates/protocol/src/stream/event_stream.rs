//! Server-sent events: the lines of `text/event-stream` (HTML, 9.2.5 and 9.2.6).

/// A step of an [`EventReader`].
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct EventStep<'a> {
    /// Bytes taken.
    pub(crate) consumed: usize,
    /// What they are.
    pub(crate) part: EventPart<'a>,
}

/// What an [`EventReader`] took.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum EventPart<'a> {
    /// Field names, other fields, comments and line ends.
    Framing,
    /// Data of the event, as it stands.
    Data(&'a [u8]),
    /// A line end between two lines of data, which is part of the data.
    LineFeed,
    /// The event has ended. One without data is none, and is not told.
    End,
}

/// Reads events from pieces of any size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct EventReader {
    place: Place,
    /// The byte before was a CR: an LF belongs to it.
    after_cr: bool,
    /// The event has a line of data.
    has_data: bool,
    /// Anything of an event has come.
    begun: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// So many bytes of a byte order mark at the stream's start.
    Mark(u8),
    /// At the start of a line.
    Line,
    /// The line begins with so many bytes of `data`.
    Name(u8),
    /// Behind `data:`, where one space is no data.
    Space,
    /// In data.
    Data,
    /// In a line that is none of data.
    Other,
}

impl Default for Place {
    fn default() -> Self {
        Self::Mark(0)
    }
}

const MARK: &[u8] = b"\xef\xbb\xbf";
const NAME: &[u8] = b"data";

impl EventReader {
    /// Somewhere in an event: behind a hole.
    pub(crate) const fn within() -> Self {
        Self { place: Place::Other, after_cr: false, has_data: false, begun: true }
    }

    /// Whether part of an event has come.
    pub(crate) const fn is_within(&self) -> bool {
        self.begun
    }

    /// Takes the next step into `bytes`, which are not empty.
    pub(crate) fn feed<'a>(&mut self, bytes: &'a [u8]) -> EventStep<'a> {
        match self.place {
            Place::Data => self.data(bytes),
            Place::Other => self.other(bytes),
            _ => self.byte(bytes.first().copied().unwrap_or_default()),
        }
    }

    fn data<'a>(&mut self, bytes: &'a [u8]) -> EventStep<'a> {
        let consumed = memchr::memchr2(b'\r', b'\n', bytes).unwrap_or(bytes.len());
        if consumed == 0 {
            return self.byte(bytes.first().copied().unwrap_or_default());
        }
        EventStep { consumed, part: EventPart::Data(bytes.get(..consumed).unwrap_or_default()) }
    }

    fn other<'a>(&mut self, bytes: &'a [u8]) -> EventStep<'a> {
        let consumed = memchr::memchr2(b'\r', b'\n', bytes).unwrap_or(bytes.len());
        if consumed == 0 {
            return self.byte(bytes.first().copied().unwrap_or_default());
        }
        EventStep { consumed, part: EventPart::Framing }
    }

    /// Everything that is told byte by byte: line ends and the beginnings of lines.
    fn byte(&mut self, byte: u8) -> EventStep<'static> {
        let took = |part| EventStep { consumed: 1, part };
        let after_cr = std::mem::take(&mut self.after_cr);
        if after_cr && byte == b'\n' {
            return took(EventPart::Framing);
        }
        if matches!(byte, b'\r' | b'\n') {
            self.after_cr = byte == b'\r';
            return took(self.line_end());
        }
        let in_mark = matches!(self.place, Place::Mark(len) if MARK.get(usize::from(len)) == Some(&byte));
        self.begun |= !in_mark;
        match self.place {
            Place::Mark(len) if in_mark => {
                self.place =
                    if usize::from(len) + 1 == MARK.len() { Place::Line } else { Place::Mark(len + 1) };
                took(EventPart::Framing)
            }
            Place::Mark(1..) => self.into(Place::Other),
            Place::Mark(_) | Place::Line => self.name(0, byte),
            Place::Name(len) => self.name(len, byte),
            Place::Space if byte == b' ' => self.into(Place::Data),
            // Not the byte's own step: it is data.
            Place::Space => {
                self.place = Place::Data;
                EventStep { consumed: 0, part: EventPart::Framing }
            }
            Place::Data | Place::Other => took(EventPart::Framing),
        }
    }

    fn name(&mut self, len: u8, byte: u8) -> EventStep<'static> {
        match NAME.get(usize::from(len)) {
            Some(expected) if *expected == byte => self.into(Place::Name(len + 1)),
            None if byte == b':' => self.begin_data(Place::Space),
            _ => self.into(Place::Other),
        }
    }

    fn into(&mut self, place: Place) -> EventStep<'static> {
        self.place = place;
        EventStep { consumed: 1, part: EventPart::Framing }
    }

    fn begin_data(&mut self, place: Place) -> EventStep<'static> {
        self.place = place;
        let before = std::mem::replace(&mut self.has_data, true);
        EventStep { consumed: 1, part: if before { EventPart::LineFeed } else { EventPart::Framing } }
    }

    /// A line has ended; an empty one ends the event.
    fn line_end(&mut self) -> EventPart<'static> {
        let part = match std::mem::replace(&mut self.place, Place::Line) {
            // `data` alone is an empty line of data.
            Place::Name(len) if usize::from(len) == NAME.len() => self.begin_data(Place::Line).part,
            Place::Line | Place::Mark(_) => {
                self.begun = false;
                if std::mem::take(&mut self.has_data) { EventPart::End } else { EventPart::Framing }
            }
            _ => EventPart::Framing,
        };
        self.place = Place::Line;
        part
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Vec<u8>>, Vec<u8>, bool) {
        let (mut reader, mut events, mut open) = (EventReader::default(), Vec::new(), Vec::new());
        for mut piece in pieces {
            let mut idle = 0;
            while !piece.is_empty() {
                let step = reader.feed(piece);
                idle = if step.consumed == 0 { idle + 1 } else { 0 };
                assert!(idle < 2, "it goes on");
                piece = &piece[step.consumed..];
                match step.part {
                    EventPart::Framing => {}
                    EventPart::Data(data) => open.extend_from_slice(data),
                    EventPart::LineFeed => open.push(b'\n'),
                    EventPart::End => events.push(std::mem::take(&mut open)),
                }
            }
        }
        (events, open, reader.is_within())
    }

    fn events(text: &str) -> Vec<String> {
        let (events, ..) = read([text.as_bytes()]);
        events.into_iter().map(|event| String::from_utf8(event).unwrap()).collect()
    }

    /// The examples of HTML, 9.2.6.
    #[test]
    fn html_9_2_6_examples() {
        assert_eq!(events("data: YHOO\ndata: +2\ndata: 10\n\n"), ["YHOO\n+2\n10"]);
        let stream =
            ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n";
        assert_eq!(events(stream), ["first event", "second event", " third event"]);
        assert_eq!(events("data\n\ndata\ndata\n\ndata:"), ["", "\n"]);
        assert_eq!(events("data:test\n\ndata: test\n\n"), ["test", "test"]);
    }

    #[test]
    fn every_line_end_and_a_byte_order_mark_are_known() {
        assert_eq!(events("\u{feff}data: a\r\n\r\ndata: b\r\rdata: c\n\n"), ["a", "b", "c"]);
        assert_eq!(events("data: a\r\ndata: b\r\n\r\n"), ["a\nb"]);
        assert_eq!(events("\u{feff}\u{feff}data: a\n\n"), [] as [&str; 0], "one mark is none of the line");
    }

    #[test]
    fn what_is_no_data_is_no_event() {
        let stream = "event: ping\nretry: 5\n\ndatum: x\n\n data: y\n\nData: z\n\n:data: c\n\n\n\n";
        assert_eq!(events(stream), [] as [&str; 0]);
        assert_eq!(events("event: add\ndata: 1\nid: 7\n\n"), ["1"]);
    }

    #[test]
    fn an_event_that_has_not_ended_is_none_yet() {
        let (events, open, within) = read([&b"data: a\n\ndata: b\n"[..]]);
        assert_eq!((events, open, within), (vec![b"a".to_vec()], b"b".to_vec(), true));
        assert!(!read([&b"data: a\n\n"[..]]).2);
    }

    proptest! {
        #[test]
        fn every_split_reads_alike(
            pieces in proptest::collection::vec(prop::sample::select(vec![
                "data", "data:", ": ", " ", "x", "\n", "\r", "\r\n", "\n\n", "event", "\u{feff}", "da", "id: 1\n",
            ]), 0..24),
        ) {
            let text = pieces.concat().into_bytes();
            let whole = read([text.as_slice()]);
            prop_assert_eq!(&read(text.chunks(1)), &whole);
            for cut in 0..=text.len() {
                prop_assert_eq!(&read([&text[..cut], &text[cut..]]), &whole, "cut at {}", cut);
            }
        }
    }
}
