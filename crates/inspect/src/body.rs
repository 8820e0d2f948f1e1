//! One body on its way through content decoding and a payload parser.

use crate::content::{Caps, Codings, Decoder, Undo};
use crate::fields::Equipment;
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
}

impl Spares {
    /// None yet; parsers will look for these data classes.
    pub(crate) const fn new(equipment: Equipment) -> Self {
        Self { equipment, decoders: Vec::new(), parsers: Vec::new() }
    }

    fn parser(&mut self, format: &'static PayloadFormat) -> Box<dyn PayloadParser> {
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
}

/// A body being read.
pub(crate) struct BodyReader {
    codings: Codings,
    decoder: Decoder,
    reader: Reader,
    /// Bytes after content decoding.
    decoded: u64,
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
            Some(None) => Reader::Unknown,
        };
        Self { codings, decoder, reader, decoded: 0 }
    }

    /// Bytes of memory that this state takes, or may come to take.
    pub(crate) fn held(&self) -> usize {
        let parser = match &self.reader {
            Reader::Unknown => 0,
            Reader::Undecided => PARSER_BYTES,
            Reader::Parser { parser, .. } => PARSER_BYTES + parser.held(),
        };
        READER_BYTES + parser + self.decoder.held()
    }

    pub(crate) fn feed(&mut self, bytes: &[u8], caps: Caps, spares: &mut Spares) {
        if !matches!(self.codings, Codings::Known(_)) {
            return;
        }
        let Self { decoder, reader, decoded, .. } = self;
        decoder.feed(bytes, caps, &mut |content| {
            *decoded += content.len() as u64;
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
        self.decoder.recycle(&mut spares.decoders, KEPT);
        inspected
    }
}

impl Reader {
    fn feed(&mut self, mut content: &[u8], spares: &mut Spares) {
        if matches!(self, Self::Undecided) {
            content = behind_white_space(content);
            let Some(first) = content.first() else { return };
            *self = match payload::by_first_byte(*first) {
                Some(format) => Self::Parser { format, parser: spares.parser(format), guessed: true },
                None => Self::Unknown,
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
            PayloadState::Invalid if guessed => return unknown,
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
        Inspected { payload, anomalies, login: reading.login, notes: reading.notes }
    }
}

/// Content without the white space in front that no format counts: it may come in a piece of its own, before anybody
/// knows for which parser.
fn behind_white_space(content: &[u8]) -> &[u8] {
    let white = |byte: &&u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
    content.get(content.iter().take_while(white).count()..).unwrap_or_default()
}
