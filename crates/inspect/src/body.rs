//! One body on its way through content decoding and a payload parser.

use crate::attempts::SEARCHED;
use crate::content::{Caps, Codings, Decoder, Undo};
use crate::fields::{Equipment, FieldList};
use crate::payload::{self, Login, Notes, PAYLOADS, PayloadFormat, PayloadParser};
use crate::{Payload, PayloadState};
use tapwire_protocol::{Anomalies, Anomaly};

/// Used inflaters and parsers that are kept for the next body.
const KEPT: usize = 8;

/// What a parser, with the set of paths and the table of fields, and the rest of a body's state hold.
const PARSER_BYTES: usize = 20 << 10;
const READER_BYTES: usize = 1 << 10;

/// Parts of finished bodies that serve again: an inflater costs 56 KiB of cleared memory.
pub(crate) struct Spares {
    /// What new parsers look for.
    equipment: Equipment,
    decoders: Vec<Undo>,
    parsers: Vec<(&'static PayloadFormat, Box<dyn PayloadParser>)>,
    #[allow(clippy::vec_box, reason = "payloads carry lists as boxes: what moves is a pointer")]
    lists: Vec<Box<FieldList>>,
}

/// Used lists that wait for a body, and the largest of them: what is beyond that is freed.
const LISTS: usize = 128;
const LIST_BYTES: usize = 16 << 10;

impl Spares {
    /// None yet; parsers will look for these data classes.
    pub(crate) const fn new(equipment: Equipment) -> Self {
        Self { equipment, decoders: Vec::new(), parsers: Vec::new(), lists: Vec::new() }
    }

    /// Takes a list that nobody looks at any more.
    pub(crate) fn take_list(&mut self, list: Box<FieldList>) {
        if self.lists.len() < LISTS && list.bytes() <= LIST_BYTES {
            self.lists.push(list);
        }
    }

    /// A used list.
    pub(crate) fn list(&mut self) -> Option<Box<FieldList>> {
        self.lists.pop()
    }

    fn parser(&mut self, format: &'static PayloadFormat) -> Box<dyn PayloadParser> {
        let mut parser = self.any_parser(format);
        self.list().into_iter().for_each(|list| parser.reuse(list));
        parser
    }

    fn any_parser(&mut self, format: &'static PayloadFormat) -> Box<dyn PayloadParser> {
        match self.parsers.iter().position(|(spare, _)| std::ptr::eq(*spare, format)) {
            Some(at) => self.parsers.swap_remove(at).1,
            None => {
                let mut parser = (format.parser)();
                parser.equip(&self.equipment);
                parser
            }
        }
    }

    fn keep(&mut self, format: &'static PayloadFormat, parser: Box<dyn PayloadParser>) {
        if self.parsers.len() < KEPT * PAYLOADS.len() {
            self.parsers.push((format, parser));
        }
    }
}

/// What reads the content.
enum Reader {
    /// No Content-Type: the first byte will tell.
    Undecided,
    /// A parser; `guessed` from the first byte, so that a wrong guess is nobody's fault.
    Parser { format: &'static PayloadFormat, parser: Box<dyn PayloadParser>, guessed: bool },
    /// No format has a parser for it.
    Unknown,
}

/// What was read of a body.
#[derive(Default)]
pub(crate) struct Inspected {
    pub(crate) payload: Payload,
    pub(crate) anomalies: Anomalies,
    pub(crate) login: Option<Login>,
    pub(crate) notes: Option<Box<Notes>>,
    /// The beginning of its content, where parts of it went ahead.
    pub(crate) begin: Vec<u8>,
}

/// A body being read.
pub(crate) struct BodyReader {
    codings: Codings,
    decoder: Decoder,
    reader: Reader,
    /// Bytes after content decoding.
    decoded: u64,
    /// The beginning of the content, where it is kept: who is attacked, and how, is known only with the exchange.
    begin: Option<Vec<u8>>,
}

impl BodyReader {
    pub(crate) fn new(content_type: Option<&[u8]>, content_encoding: &[u8], spares: &mut Spares) -> Self {
        let codings = Codings::parse(content_encoding);
        let decoder = match codings {
            Codings::Known(known) => Decoder::new(known, &mut spares.decoders),
            Codings::Unknown | Codings::TooMany => Decoder::default(),
        };
        let reader = match content_type.map(payload::by_media_type) {
            None => Reader::Undecided,
            Some(Some(format)) => {
                let mut parser = spares.parser(format);
                parser.begin(content_type.unwrap_or_default());
                Reader::Parser { format, parser, guessed: false }
            }
            Some(None) => Reader::text(content_type, spares),
        };
        Self { codings, decoder, reader, decoded: 0, begin: None }
    }

    /// The same for a body of which parts come ahead of their exchange.
    pub(crate) fn keeping_begin(self) -> Self {
        Self { begin: Some(Vec::new()), ..self }
    }

    /// Bytes of memory that this state takes, or may come to take.
    pub(crate) fn held(&self) -> usize {
        let parser = match &self.reader {
            Reader::Unknown => 0,
            Reader::Undecided => PARSER_BYTES,
            Reader::Parser { parser, .. } => PARSER_BYTES + parser.held(),
        };
        let begin = self.begin.as_ref().map_or(0, Vec::capacity);
        READER_BYTES + parser + self.decoder.held() + begin
    }

    pub(crate) fn feed(&mut self, bytes: &[u8], caps: Caps, spares: &mut Spares) {
        if !matches!(self.codings, Codings::Known(_)) {
            return;
        }
        let Self { decoder, reader, decoded, begin, .. } = self;
        decoder.feed(bytes, caps, &mut |content| {
            *decoded += content.len() as u64;
            if let Some(begin) = begin {
                let room = SEARCHED.saturating_sub(begin.len()).min(content.len());
                begin.extend_from_slice(content.get(..room).unwrap_or_default());
            }
            reader.feed(content, spares);
        });
    }

    /// Ends the body. `whole` says that its last byte was fed.
    pub(crate) fn finish(self, whole: bool, spares: &mut Spares) -> Inspected {
        let mut anomalies = Anomalies::default();
        let cut = self
            .decoder
            .failure()
            .or_else(|| (whole && !self.decoder.ended()).then_some(Anomaly::InvalidContentCoding));
        cut.into_iter().for_each(|anomaly| anomalies.insert(anomaly));
        match self.codings {
            Codings::Known(_) => {}
            Codings::Unknown => anomalies.insert(Anomaly::UnknownContentCoding),
            Codings::TooMany => anomalies.insert(Anomaly::TooManyContentCodings),
        }
        let readable = matches!(self.codings, Codings::Known(_));
        let mut inspected = self.reader.finish(whole && cut.is_none(), readable, spares);
        inspected.payload.decoded_len = self.decoded;
        inspected.anomalies |= anomalies;
        inspected.begin = self.begin.unwrap_or_default();
        self.decoder.recycle(&mut spares.decoders, KEPT);
        inspected
    }
}

impl Reader {
    /// For content of a type that is no format, or of none: it may turn out to be text.
    fn text(content_type: Option<&[u8]>, spares: &mut Spares) -> Self {
        let may_be = content_type.is_none_or(payload::may_be_text);
        payload::text().filter(|_| may_be).map_or(Self::Unknown, |format| Self::Parser {
            format,
            parser: spares.parser(format),
            guessed: true,
        })
    }

    fn feed(&mut self, mut content: &[u8], spares: &mut Spares) {
        if matches!(self, Self::Undecided) {
            content = behind_white_space(content);
            let Some(first) = content.first() else { return };
            *self = match payload::by_first_byte(*first) {
                Some(format) => Self::Parser { format, parser: spares.parser(format), guessed: true },
                None => Self::text(None, spares),
            };
        }
        if let Self::Parser { parser, .. } = self {
            parser.feed(content);
        }
    }

    fn finish(self, whole: bool, readable: bool, spares: &mut Spares) -> Inspected {
        let unknown = Payload { state: PayloadState::Unknown, ..Payload::default() };
        let unknown = Inspected { payload: unknown, ..Inspected::default() };
        let Self::Parser { format, mut parser, guessed } = self else { return unknown };
        let reading = parser.finish(whole && readable);
        spares.keep(format, parser);
        let mut anomalies = reading.anomalies;
        match reading.state {
            PayloadState::Invalid | PayloadState::Unknown if guessed => return unknown,
            PayloadState::Invalid => anomalies.insert(Anomaly::InvalidPayload),
            _ => {}
        }
        let state = if readable { reading.state } else { PayloadState::Unknown };
        let payload = Payload {
            format: Some(format.name),
            state,
            decoded_len: 0,
            fields: reading.fields,
            shape: reading.shape,
            keys: reading.keys,
            list: reading.list.filter(|_| readable),
        };
        Inspected { payload, anomalies, login: reading.login, notes: reading.notes, begin: Vec::new() }
    }
}

/// Content without the white space in front that no format counts: it may come in a piece of its own, before anybody
/// knows for which parser.
fn behind_white_space(content: &[u8]) -> &[u8] {
    let white = |byte: &&u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
    content.get(content.iter().take_while(white).count()..).unwrap_or_default()
}
