//! Messages within the content of one direction: server-sent events, and what gRPC sends.

use super::Stream;
use super::event_stream::{EventPart, EventReader};
use crate::h1::reader::Origin;
use crate::output::Output;
use crate::{Direction, ExchangeSink, Head, Message, Seen};

/// Bytes in front of each gRPC message: whether it is compressed, and its length.
const PREFIX: usize = 5;

/// How content is split.
#[derive(Debug, Clone, Copy, Default)]
enum Splits {
    /// Not at all.
    #[default]
    Not,
    /// Server-sent events.
    Events(EventReader),
    /// gRPC messages: within the prefix of the next one.
    Prefix([u8; PREFIX], u8),
    /// Within a gRPC message of which so many bytes are to come.
    Message(u32),
}

/// Splits the content of one direction behind a report.
#[derive(Debug, Default)]
pub(super) struct Splitter {
    splits: Splits,
    /// The place of the next message is not known.
    lost: bool,
    /// Part of the open message stands in the report.
    begun: bool,
    message: Option<Box<Message>>,
    /// The open message will be told.
    told: bool,
    /// Messages that stand in the report.
    before: u64,
}

impl Splitter {
    /// Behind a half that is about to be reported.
    pub(super) fn of(half: &Message) -> Self {
        let splits = splits(&half.head);
        let mut splitter = Self { splits, ..Self::default() };
        let body = &half.body;
        if body.parts || body.cut || body.missed > 0 {
            splitter.forget();
        } else {
            splitter.pass(&body.bytes);
        }
        splitter
    }

    pub(super) const fn is_events(&self) -> bool {
        matches!(self.splits, Splits::Events(_))
    }

    /// Messages that stand in the report, as far as all of it was there to be read.
    pub(super) const fn told_before(&self) -> u64 {
        self.before
    }

    /// Bytes on the heap.
    pub(super) fn held(&self) -> usize {
        self.message.as_ref().map_or(0, |message| message.held())
    }

    /// Lets content pass that stands in the report.
    fn pass(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() && !matches!(self.splits, Splits::Not) {
            let (used, part) = self.step(rest);
            rest = rest.get(used..).unwrap_or_default();
            let ended = matches!(part, EventPart::End) || self.ends_here();
            self.before += u64::from(ended);
        }
        self.begun = match self.splits {
            Splits::Not => false,
            Splits::Events(events) => events.is_within(),
            Splits::Prefix(..) => false,
            Splits::Message(_) => true,
        };
    }

    /// Takes content.
    pub(super) fn bytes<E: ExchangeSink>(
        &mut self,
        stream: &mut Stream,
        out: &mut Output<'_, E>,
        direction: Direction,
        origin: Origin,
        bytes: &[u8],
    ) {
        let mut used = 0;
        while let Some(rest) = bytes.get(used..).filter(|rest| !rest.is_empty()) {
            if matches!(self.splits, Splits::Not) {
                return;
            }
            let here = Origin { at: origin.at + used as u64, ..origin };
            let lost = self.lost;
            let (taken, part) = self.step(rest);
            used += taken;
            match part {
                _ if lost => {}
                EventPart::Framing => {}
                EventPart::Data(data) => self.content(stream, out, here, data),
                EventPart::LineFeed => self.content(stream, out, here, b"\n"),
                EventPart::End => self.end(stream, out, direction, here),
            }
            if self.ends_here() {
                self.end(stream, out, direction, here);
            }
        }
    }

    /// Whether the last byte of a gRPC message was taken: then the next one begins.
    const fn ends_here(&mut self) -> bool {
        let ends = matches!(self.splits, Splits::Message(0));
        if ends {
            self.splits = Splits::Prefix([0; PREFIX], 0);
        }
        ends
    }

    /// The next step into content that is not empty.
    fn step<'a>(&mut self, bytes: &'a [u8]) -> (usize, EventPart<'a>) {
        match &mut self.splits {
            Splits::Not => (bytes.len(), EventPart::Framing),
            Splits::Events(events) => {
                let step = events.feed(bytes);
                self.lost &= events.is_within();
                (step.consumed, step.part)
            }
            Splits::Prefix(held, len) => {
                let room = held.get_mut(usize::from(*len)..).unwrap_or_default();
                let taken = room.iter_mut().zip(bytes).map(|(place, byte)| *place = *byte).count();
                *len += u8::try_from(taken).unwrap_or(0);
                let [_, length @ ..] = *held;
                if usize::from(*len) < PREFIX {
                    return (taken, EventPart::Framing);
                }
                match u32::from_be_bytes(length) {
                    0 => {
                        self.splits = Splits::Prefix([0; PREFIX], 0);
                        (taken, EventPart::End)
                    }
                    left => {
                        self.splits = Splits::Message(left);
                        (taken, EventPart::Framing)
                    }
                }
            }
            Splits::Message(left) => {
                let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                *left -= u32::try_from(taken).unwrap_or(0);
                (taken, EventPart::Data(bytes.get(..taken).unwrap_or_default()))
            }
        }
    }

    fn content<E: ExchangeSink>(
        &mut self,
        stream: &mut Stream,
        out: &mut Output<'_, E>,
        here: Origin,
        data: &[u8],
    ) {
        let begun = std::mem::take(&mut self.begun);
        let mut message = match self.message.take() {
            Some(message) => message,
            None => self.open(stream, out, here),
        };
        if begun {
            message.seen = Seen::Truncated;
        }
        (message.ended, message.frames.last) = (here.time, here.frame);
        out.keep(&mut message, data);
        self.message = Some(message);
    }

    fn open<E: ExchangeSink>(
        &mut self,
        stream: &mut Stream,
        out: &mut Output<'_, E>,
        here: Origin,
    ) -> Box<Message> {
        let (message, told) = stream.open(out, here);
        self.told = told;
        message
    }

    /// A message has ended.
    fn end<E: ExchangeSink>(
        &mut self,
        stream: &mut Stream,
        out: &mut Output<'_, E>,
        direction: Direction,
        here: Origin,
    ) {
        // All of its data stands in the report.
        let told = std::mem::take(&mut self.begun);
        let message = match self.message.take() {
            None if !told => Some(self.open(stream, out, here)),
            open => open,
        };
        if let Some(message) = message {
            stream.message(out, direction, message, self.told);
        }
    }

    /// Bytes are missing.
    pub(super) fn lose<E: ExchangeSink>(
        &mut self,
        stream: &mut Stream,
        out: &mut Output<'_, E>,
        direction: Direction,
    ) {
        self.cut(stream, out, direction);
        self.forget();
    }

    /// The open message is told as far as it came.
    pub(super) fn cut<E: ExchangeSink>(
        &mut self,
        stream: &mut Stream,
        out: &mut Output<'_, E>,
        direction: Direction,
    ) {
        if let Some(mut message) = self.message.take() {
            message.seen = Seen::Truncated;
            message.body.cut = true;
            stream.message(out, direction, message, self.told);
        }
    }

    /// Events are found again at the next empty line; nothing in a gRPC message tells where it begins.
    fn forget(&mut self) {
        self.begun = false;
        match self.splits {
            Splits::Events(_) => {
                self.splits = Splits::Events(EventReader::within());
                self.lost = true;
            }
            _ => self.splits = Splits::Not,
        }
    }
}

/// How content of that type is split. Events behind a content coding are not: that is undone in `inspect`, which sees an
/// exchange once. gRPC compresses each message by itself.
fn splits(head: &Head) -> Splits {
    let Some(content_type) = head.header(b"content-type").map(|value| value.bytes()) else {
        return Splits::Not;
    };
    let name = content_type.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    let is = |known: &[u8]| name.eq_ignore_ascii_case(known);
    let plain = |value: &[u8]| matches!(value.trim_ascii(), b"" | b"identity");
    let coded = !head.values(b"content-encoding").all(|value| plain(value.bytes()));
    match () {
        () if coded => Splits::Not,
        () if is(b"text/event-stream") => Splits::Events(EventReader::default()),
        () if is(b"application/grpc") || is(b"application/grpc+proto") || is(b"application/grpc-web") => {
            Splits::Prefix([0; PREFIX], 0)
        }
        () => Splits::Not,
    }
}
