//! Messages within the content of one direction: server-sent events, lines of JSON, and what gRPC sends.

use super::Stream;
use super::coded::{Coded, Undecodable};
use super::event_stream::{EventPart, EventReader, EventStep};
use super::grpc::GrpcReader;
use super::lines::LineReader;
use crate::h1::reader::Origin;
use crate::output::Output;
use crate::{Anomalies, Anomaly, Direction, ExchangeSink, Head, Message, Seen};
use tapwire_flow::StreamOffset;

/// How content is split.
#[derive(Debug, Clone, Copy, Default)]
enum Splits {
    /// Not at all.
    #[default]
    Not,
    Events(EventReader),
    Lines(LineReader),
    Grpc(GrpcReader),
}

/// Splits the content of one direction behind a report.
#[derive(Debug, Default)]
pub(super) struct Splitter {
    splits: Splits,
    /// The coding that the content stands in.
    coded: Option<Box<Coded>>,
    /// Where coded content began: how it is cut into segments has no say in where the messages inside begin.
    place: Option<StreamOffset>,
    /// The place of the next message is not known.
    lost: bool,
    /// Part of the open message stands in the report.
    begun: bool,
    message: Option<Box<Message>>,
    /// The open message will be told.
    told: bool,
    /// Messages that stand in the report.
    before: u64,
    /// Facts that belong to no message.
    anomalies: Anomalies,
}

impl Splitter {
    /// Behind a half that is about to be reported.
    pub(super) fn of(half: &Message) -> Self {
        let mut splitter = Self { splits: splits(&half.head), ..Self::default() };
        match coding(&half.head) {
            Coding::None => {}
            Coding::Known(coded) => {
                splitter.coded = Some(coded);
                splitter.place = Some(half.at);
            }
            Coding::Other => splitter.splits = Splits::Not,
        }
        let body = &half.body;
        if body.parts || body.cut || body.missed > 0 {
            splitter.forget();
        } else {
            splitter.pass(&body.bytes);
        }
        if matches!(splitter.splits, Splits::Not) {
            splitter.coded = None;
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

    /// Facts that belong to no message.
    pub(super) const fn anomalies(&self) -> Anomalies {
        self.anomalies
    }

    /// Bytes on the heap.
    pub(super) fn held(&self) -> usize {
        self.message.as_ref().map_or(0, |message| message.held())
            + self.coded.as_ref().map_or(0, |coded| coded.held())
    }

    /// Lets content pass that stands in the report.
    fn pass(&mut self, bytes: &[u8]) {
        self.decode(bytes, |splitter, content| splitter.pass_plain(content));
        self.begun = match self.splits {
            Splits::Not => false,
            Splits::Events(events) => events.is_within(),
            Splits::Lines(lines) => lines.is_within(),
            Splits::Grpc(grpc) => grpc.is_within(),
        };
    }

    fn pass_plain(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() && !matches!(self.splits, Splits::Not) {
            let EventStep { consumed, part } = self.step(rest);
            rest = rest.get(consumed..).unwrap_or_default();
            let ended = matches!(part, EventPart::End) || self.ends_here();
            self.before += u64::from(ended);
        }
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
        if self.coded.is_none() {
            return self.plain(stream, out, direction, origin, bytes);
        }
        self.decode(bytes, |splitter, content| splitter.plain(stream, out, direction, origin, content));
        if matches!(self.splits, Splits::Not) {
            // It cannot be read on: what was open is all there is of it.
            self.cut(stream, out, direction);
        }
    }

    /// Undoes the coding, where there is one.
    fn decode(&mut self, bytes: &[u8], mut take: impl FnMut(&mut Self, &[u8])) {
        let Some(mut coded) = self.coded.take() else { return take(self, bytes) };
        let mut rest = bytes;
        while !rest.is_empty() {
            match coded.feed(rest) {
                Ok((used, content)) => {
                    rest = rest.get(used..).unwrap_or_default();
                    take(self, &content);
                }
                Err(why) => {
                    self.anomalies.insert(match why {
                        Undecodable::Invalid => Anomaly::InvalidContentCoding,
                        Undecodable::Bomb => Anomaly::ContentCodingBomb,
                    });
                    self.splits = Splits::Not;
                    return;
                }
            }
        }
        self.coded = Some(coded);
    }

    /// Takes content without coding.
    fn plain<E: ExchangeSink>(
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
            let here = Origin { at: self.place.unwrap_or(origin.at + used as u64), ..origin };
            let lost = self.lost;
            let EventStep { consumed, part } = self.step(rest);
            used += consumed;
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

    /// Whether the last byte of a message was taken whose end is told by its length.
    const fn ends_here(&mut self) -> bool {
        match &mut self.splits {
            Splits::Grpc(grpc) => grpc.ends_here(),
            _ => false,
        }
    }

    /// The next step into content that is not empty.
    fn step<'a>(&mut self, bytes: &'a [u8]) -> EventStep<'a> {
        match &mut self.splits {
            Splits::Not => EventStep { consumed: bytes.len(), part: EventPart::Framing },
            Splits::Events(events) => {
                let step = events.feed(bytes);
                self.lost &= events.is_within();
                step
            }
            Splits::Lines(lines) => {
                let step = lines.feed(bytes);
                self.lost &= lines.is_within();
                step
            }
            Splits::Grpc(grpc) => grpc.feed(bytes),
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
        let (mut message, told) = stream.open(out, here);
        self.told = told;
        if let Splits::Grpc(grpc) = &self.splits {
            message.body.media_type = Some(grpc.media_type());
        }
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

    /// The content is over; `whole` says that it ended as it should. A last line needs no line end.
    pub(super) fn finish<E: ExchangeSink>(
        &mut self,
        stream: &mut Stream,
        out: &mut Output<'_, E>,
        direction: Direction,
        whole: bool,
    ) {
        match self.message.take_if(|_| whole && matches!(self.splits, Splits::Lines(_))) {
            Some(line) => stream.message(out, direction, line, self.told),
            None => self.cut(stream, out, direction),
        }
    }

    /// The open message is told as far as it came.
    fn cut<E: ExchangeSink>(&mut self, stream: &mut Stream, out: &mut Output<'_, E>, direction: Direction) {
        if let Some(mut message) = self.message.take() {
            message.seen = Seen::Truncated;
            message.body.cut = true;
            stream.message(out, direction, message, self.told);
        }
    }

    /// Events are found again at the next empty line, and lines at the next line end; nothing in a gRPC message tells where
    /// it begins, nor in the middle of what is compressed.
    fn forget(&mut self) {
        self.begun = false;
        self.splits = match self.splits {
            _ if self.coded.take().is_some() => Splits::Not,
            Splits::Events(_) => Splits::Events(EventReader::within()),
            Splits::Lines(_) => Splits::Lines(LineReader::within()),
            Splits::Grpc(_) | Splits::Not => Splits::Not,
        };
        self.lost = !matches!(self.splits, Splits::Not);
    }
}

/// How content of that type is split.
fn splits(head: &Head) -> Splits {
    let Some(content_type) = head.header(b"content-type").map(|value| value.bytes()) else {
        return Splits::Not;
    };
    let name = content_type.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    if name.eq_ignore_ascii_case(b"text/event-stream") {
        return Splits::Events(EventReader::default());
    }
    let lines = LineReader::of(name).map(Splits::Lines);
    lines.or_else(|| GrpcReader::of(name).map(Splits::Grpc)).unwrap_or(Splits::Not)
}

/// What a `Content-Encoding` says.
enum Coding {
    None,
    Known(Box<Coded>),
    /// One that is not undone here, or several.
    Other,
}

fn coding(head: &Head) -> Coding {
    let values = head.values(b"content-encoding");
    let names = values.flat_map(|value| value.bytes().split(|byte| *byte == b',')).map(<[u8]>::trim_ascii);
    let mut names = names.filter(|name| !name.is_empty() && !name.eq_ignore_ascii_case(b"identity"));
    match (names.next(), names.next()) {
        (None, _) => Coding::None,
        (Some(name), None) => {
            Coded::by_name(name).map_or(Coding::Other, |coded| Coding::Known(Box::new(coded)))
        }
        _ => Coding::Other,
    }
}
