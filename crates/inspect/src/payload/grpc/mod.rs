//! gRPC and gRPC-web: messages in frames of their own, and a status behind the body.

mod protobuf;

pub(crate) use protobuf::varint;
use protobuf::{Guess, Schema, Texts};

use super::json::Json;
use super::login::LoginFields;
use super::notes::Notes;
use super::{Login, PayloadFormat, PayloadParser, Reading};
use crate::PayloadState;
use crate::content::{Caps, Coding, Decoder};
use crate::descriptor::Descriptors;
use crate::fields::Equipment;
use crate::percent;
use crate::style::{Fact, Facts, Name, Operation, Said, Spoken, Style};
use tapwire_protocol::{Anomalies, Anomaly, Head};

pub(super) const FORMAT: PayloadFormat = PayloadFormat {
    name: "grpc",
    summary: "gRPC's frames, and the fields of their protobuf messages by number and guessed type",
    media_types: &[
        "application/grpc",
        "application/grpc+proto",
        "application/grpc+json",
        "application/grpc-web+proto",
        "application/grpc-web-text",
    ],
    matches: |media_type| media_type.starts_with(b"application/grpc"),
    begins: |_| false,
    parser: || Box::<Grpc>::default(),
};

pub(crate) const STYLE: Style = Style {
    name: "grpc",
    summary: "service and method, messages with sizes, `grpc-status`, fields by number, by name with a description",
    told_by: "application/grpc, application/grpc-web and application/grpc-web-text",
    read,
};

/// Bytes of one message that are read; of a longer one, what comes first is counted and the rest passed over.
const MAX_MESSAGE: usize = 64 << 10;
/// Messages whose fields are read: a stream's further ones say the same.
const MAX_READ: u64 = 256;
/// Bytes of gRPC-web's trailers.
const MAX_TRAILERS: usize = 4 << 10;
/// What one message may decode to: more than is read of it, so that a bomb is told from a long message.
const CAPS: Caps = Caps { bytes: 1 << 20, ratio: 100 };

/// Messages of one direction.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Frames {
    pub(crate) messages: u64,
    pub(crate) compressed: u64,
    /// Messages whose compression is not undone, that were longer than is read, or that are no protobuf.
    pub(crate) unread: u64,
    /// `grpc-status` and `grpc-message` of gRPC-web's trailers.
    pub(crate) status: Option<i64>,
    pub(crate) message: Option<Name>,
    fields: Vec<Guess>,
    /// Fields that found no room.
    more: bool,
    texts: Texts,
}

impl Frames {
    /// The password that the question at that path holds, by the names that a description gives its fields.
    pub(crate) fn login(&self, descriptors: &Descriptors, path: &str) -> Option<Login> {
        let mut login = LoginFields::default();
        for (numbers, text) in &self.texts.0 {
            let Some((name, _)) = descriptors.field(path, false, numbers) else { continue };
            login.begin(name.rsplit('.').next().unwrap_or_default().as_bytes());
            login.value(text);
            login.end();
        }
        login.take()
    }
}

#[derive(Default)]
struct Grpc {
    /// gRPC-web as text: base64.
    text: bool,
    /// Whether messages are JSON.
    json: bool,
    /// The body is one message of a stream, without its frame.
    bare: bool,
    bits: u32,
    sextets: u8,
    /// The frame's head, and how many bytes of it came.
    head: [u8; 5],
    head_len: usize,
    left: u64,
    message: Vec<u8>,
    /// Bytes of the message that were left out.
    over: bool,
    frames: Frames,
    schema: Schema,
    documents: Option<Json>,
    broken: bool,
    trailers: bool,
    anomalies: Anomalies,
}

impl PayloadParser for Grpc {
    fn equip(&mut self, equipment: &Equipment) {
        self.schema.equip(equipment);
    }

    fn begin(&mut self, content_type: &[u8]) {
        let essence = content_type.split(|byte| *byte == b';').next().unwrap_or_default();
        let essence = essence.trim_ascii().to_ascii_lowercase();
        self.text = essence.starts_with(b"application/grpc-web-text");
        self.json = essence.ends_with(b"+json");
        // As a stream that was split names its messages.
        if let Some(kind) = super::parameter(content_type, b"message") {
            self.bare = true;
            self.head[0] = u8::from(kind == b"compressed");
            self.trailers = kind == b"trailers";
        }
    }

    fn feed(&mut self, bytes: &[u8]) {
        if self.bare {
            return self.content(bytes);
        }
        if !self.text {
            return self.frames(bytes);
        }
        let mut decoded = [0; 512];
        let mut len = 0;
        for &byte in bytes {
            if let Some(slot) = self.sextet(byte).zip(decoded.get_mut(len)) {
                *slot.1 = slot.0;
                len += 1;
            }
            if len == decoded.len() {
                self.frames(&decoded);
                len = 0;
            }
        }
        self.frames(decoded.get(..len).unwrap_or_default());
    }

    fn finish(&mut self, whole: bool) -> Reading {
        if self.bare && (whole || self.over) {
            self.frame_ended();
        }
        let between = self.head_len == 0 && self.left == 0;
        let state = match (self.broken, whole) {
            (true, _) => PayloadState::Invalid,
            (false, false) => PayloadState::Partial,
            (false, true) if !between => PayloadState::Invalid,
            _ if self.frames.unread > 0 => PayloadState::Partial,
            _ => PayloadState::Read,
        };
        let reading = self.documents.take().map(|mut json| json.finish(true)).unwrap_or_default();
        let mut frames = std::mem::take(&mut self.frames);
        let (fields, shape, keys, guesses) = self.schema.take();
        frames.fields = guesses;
        frames.more = std::mem::take(&mut self.schema.more);
        frames.texts = std::mem::take(&mut self.schema.texts);
        let list = self.schema.take_fields().filter(|_| state != PayloadState::Invalid);
        let reads_json = self.json;
        let anomalies = self.anomalies;
        *self = Self {
            message: std::mem::take(&mut self.message),
            schema: std::mem::take(&mut self.schema),
            ..Self::default()
        };
        self.message.clear();
        if reads_json {
            let notes = Notes {
                frames: Some(Box::new(frames)),
                ..reading.notes.map(|notes| *notes).unwrap_or_default()
            };
            let state = if reading.state == PayloadState::Invalid { reading.state } else { state };
            return Reading { state, notes: Some(Box::new(notes)), anomalies, ..reading };
        }
        let notes = Some(Box::new(Notes { frames: Some(Box::new(frames)), ..Notes::default() }));
        Reading { state, fields, shape, keys, notes, list, anomalies, ..Reading::default() }
    }

    fn held(&self) -> usize {
        self.message.capacity()
            + self.schema.held()
            + self.documents.as_ref().map_or(0, |_| size_of::<Json>())
    }
}

impl Grpc {
    /// One character of base64; padding ends a group, and another may follow (gRPC-web sends each frame padded).
    fn sextet(&mut self, byte: u8) -> Option<u8> {
        let Some(value) = percent::sextet(byte) else {
            match byte {
                b'=' => (self.bits, self.sextets) = (0, 0),
                b'\r' | b'\n' => {}
                _ => self.broken = true,
            }
            return None;
        };
        self.bits = (self.bits << 6 | u32::from(value)) & 0xffff;
        self.sextets = (self.sextets + 1) % 4;
        let shift = match self.sextets {
            2 => 4,
            3 => 2,
            0 => 0,
            _ => return None,
        };
        u8::try_from(self.bits >> shift & 0xff).ok()
    }

    fn frames(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some((&byte, tail)) = rest.split_first() {
            if self.broken {
                return;
            }
            if self.head_len < 5 {
                self.frame_head(byte);
                rest = tail;
            } else {
                let len = usize::try_from(self.left).unwrap_or(usize::MAX).min(rest.len());
                let (content, after) = rest.split_at_checked(len).unwrap_or((rest, &[]));
                self.left -= len as u64;
                self.content(content);
                rest = after;
            }
            if self.head_len == 5 && self.left == 0 {
                self.frame_ended();
            }
        }
    }

    /// Bytes of the open message, as far as it is read.
    fn content(&mut self, bytes: &[u8]) {
        let cap = if self.trailers { MAX_TRAILERS } else { MAX_MESSAGE };
        let room = cap.saturating_sub(self.message.len()).min(bytes.len());
        self.message.extend_from_slice(bytes.get(..room).unwrap_or_default());
        self.over |= room < bytes.len();
    }

    fn frame_head(&mut self, byte: u8) {
        if let Some(slot) = self.head.get_mut(self.head_len) {
            *slot = byte;
        }
        self.head_len += 1;
        let [flags, a, b, c, d] = self.head;
        self.left = if self.head_len == 5 { u32::from_be_bytes([a, b, c, d]).into() } else { 0 };
        self.trailers = flags & 0x80 != 0;
        // One bit for compression, one for gRPC-web's trailers.
        self.broken |= flags & 0x7e != 0;
    }

    fn frame_ended(&mut self) {
        self.head_len = 0;
        let over = std::mem::take(&mut self.over);
        let message = std::mem::take(&mut self.message);
        if self.trailers {
            self.frames.status = trailer(&message, b"grpc-status").and_then(number).or(self.frames.status);
            let text = trailer(&message, b"grpc-message").filter(|text| !text.is_empty());
            self.frames.message = text.map(Name::new).or(self.frames.message.take());
        } else {
            self.message_ended(&message, over);
        }
        self.message = message;
        self.message.clear();
    }

    fn message_ended(&mut self, message: &[u8], over: bool) {
        self.frames.messages += 1;
        let compressed = self.head[0] & 1 != 0;
        self.frames.compressed += u64::from(compressed);
        if self.frames.messages > MAX_READ {
            return;
        }
        let decoded = if compressed { decompressed(message) } else { Decoded::Plain };
        let read = match &decoded {
            Decoded::Plain => self.read(message, over),
            Decoded::Message { bytes, cut } => self.read(bytes, over || *cut) && !cut,
            Decoded::Unreadable => false,
            Decoded::Bomb => {
                self.anomalies.insert(Anomaly::ContentCodingBomb);
                false
            }
        };
        self.frames.unread += u64::from(!read || over);
    }

    fn read(&mut self, message: &[u8], over: bool) -> bool {
        if self.json {
            let json = self.documents.get_or_insert_default();
            json.feed(message);
            json.document_ended();
            return true;
        }
        self.schema.message(message) || over
    }
}

/// What came of a message's compression.
enum Decoded {
    /// It has none.
    Plain,
    /// The beginning of what it stands for, and whether there is more.
    Message {
        bytes: Vec<u8>,
        cut: bool,
    },
    /// A coding that is not undone, or a broken one.
    Unreadable,
    Bomb,
}

/// Which compression a message has, `grpc-encoding` may say; its first bytes do say it, and need no head.
fn decompressed(message: &[u8]) -> Decoded {
    let coding = match message {
        [0x1f, 0x8b, ..] => Coding::Gzip,
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Coding::Zstandard,
        [0x78, ..] => Coding::Deflate,
        _ => return Decoded::Unreadable,
    };
    let mut decoder = Decoder::new([Some(coding), None], &mut Vec::new());
    let (mut bytes, mut len) = (Vec::new(), 0_u64);
    decoder.feed(message, CAPS, &mut |piece| {
        len += piece.len() as u64;
        let room = MAX_MESSAGE.saturating_sub(bytes.len()).min(piece.len());
        bytes.extend_from_slice(piece.get(..room).unwrap_or_default());
    });
    let cut = len > bytes.len() as u64;
    match decoder.failure() {
        None => Decoded::Message { bytes, cut },
        // The cap on bytes was met, not that on the ratio: a long message.
        Some(Anomaly::ContentCodingBomb) if len / CAPS.ratio <= message.len() as u64 => {
            Decoded::Message { bytes, cut }
        }
        Some(Anomaly::ContentCodingBomb) => Decoded::Bomb,
        Some(_) => Decoded::Unreadable,
    }
}

/// A field of gRPC-web's trailers, which are lines.
fn trailer<'a>(lines: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    lines.split(|byte| *byte == b'\n').find_map(|line| {
        let (key, value) = line.split_at_checked(memchr::memchr(b':', line)?)?;
        key.trim_ascii().eq_ignore_ascii_case(name).then(|| value.get(1..).unwrap_or_default().trim_ascii())
    })
}

fn number(text: &[u8]) -> Option<i64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Codes by number (gRPC, status codes).
const CODES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];
/// What a client takes an answer for that ends without a status (gRPC, status codes).
const UNKNOWN: i64 = 2;
const UNIMPLEMENTED: i64 = 12;

fn read(spoken: &mut Spoken<'_>, said: &mut Said) {
    let Some(content_type) = spoken.either_header(b"content-type").filter(|value| is_grpc(value)) else {
        return;
    };
    let protocol = if content_type.to_ascii_lowercase().starts_with(b"application/grpc-web") {
        "grpc-web"
    } else {
        "grpc"
    };
    let read = status(spoken);
    let status = read.or_else(|| lacks_status(spoken).then_some(UNKNOWN));
    said.protocols.push(protocol);
    let path = String::from_utf8_lossy(spoken.path).into_owned();
    if spoken.request.is_some() {
        let mut operation = Operation::new(protocol, path.trim_start_matches('/'));
        operation.unknown = status == Some(UNIMPLEMENTED);
        said.operation = Some(operation);
    }
    said.failed |= status.is_some_and(|status| status != 0);
    let mut facts = Facts::new();
    facts.extend(status.map(|status| ("status", Fact::Number(status))));
    let name = status.and_then(|status| CODES.get(usize::try_from(status).ok()?));
    facts.extend(name.map(|name| ("status_name", Fact::Own(name))));
    facts.extend((read.is_none() && status.is_some()).then_some(("status_missing", Fact::Truth(true))));
    let told = message(spoken).map(Name::new);
    let told = told.or_else(|| spoken.answered.frames.as_ref()?.message.clone());
    facts.extend(told.map(|text| ("message", Fact::Content(text))));
    let descriptors = spoken.descriptors;
    for (key, notes, answer) in [("request", spoken.asked, false), ("response", spoken.answered, true)] {
        let Some(frames) = notes.frames.as_deref() else { continue };
        let head = if answer { spoken.response } else { spoken.request };
        let coding =
            head.and_then(|head| head.header(b"grpc-encoding")).map(|value| Name::new(value.bytes()));
        let mut group = direction(frames, descriptors, &path, answer);
        group.extend(coding.filter(|_| frames.compressed > 0).map(|coding| ("encoding", Fact::Name(coding))));
        facts.push((key, Fact::Group(group)));
    }
    said.facts.push(("grpc", facts));
}

/// Whether the head is that of a call.
pub(crate) fn names(request: &Head) -> bool {
    request.header(b"content-type").is_some_and(|value| is_grpc(value.bytes()))
}

fn is_grpc(content_type: &[u8]) -> bool {
    content_type.get(..16).is_some_and(|begin| begin.eq_ignore_ascii_case(b"application/grpc"))
}

/// `grpc-status` of the trailers, of a head that is all there is, or of gRPC-web's last frame.
fn status(spoken: &Spoken<'_>) -> Option<i64> {
    let head = spoken.response.and_then(|head| field(head, b"grpc-status")).and_then(number);
    head.or_else(|| spoken.answered.frames.as_ref()?.status)
}

/// Whether an answer that is here whole has no status that can be read. What else than 200 says how it went by itself.
fn lacks_status(spoken: &Spoken<'_>) -> bool {
    let is_ok = spoken.response.and_then(|head| head.status) == Some(200);
    let answers = spoken.response.and_then(|head| head.header(b"content-type"));
    is_ok && spoken.answered_whole && answers.is_some_and(|value| is_grpc(value.bytes()))
}

fn message<'a>(spoken: &Spoken<'a>) -> Option<&'a [u8]> {
    field(spoken.response?, b"grpc-message").filter(|text| !text.is_empty())
}

/// A field of a head or of its trailers.
fn field<'a>(head: &'a Head, name: &[u8]) -> Option<&'a [u8]> {
    let named = head.fields.iter().find(|field| field.name.is_some_and(|range| head.slice(range).is(name)));
    Some(head.slice(named?.value?).bytes())
}

fn direction(frames: &Frames, descriptors: &Descriptors, path: &str, answer: bool) -> Facts {
    let mut facts = vec![("messages", Fact::Count(frames.messages))];
    if frames.compressed > 0 {
        facts.push(("compressed", Fact::Count(frames.compressed)));
    }
    if frames.unread > 0 {
        facts.push(("unread", Fact::Count(frames.unread)));
    }
    let fields: Vec<Fact> =
        frames.fields.iter().map(|guess| described(guess, descriptors, path, answer)).collect();
    if !fields.is_empty() {
        facts.push(("fields", Fact::List(fields)));
    }
    if frames.messages > MAX_READ || frames.more {
        facts.push(("more", Fact::Truth(true)));
    }
    facts
}

/// A field as its description names it, else by number with a guessed type and how sure that is, in percent.
fn described(guess: &Guess, descriptors: &Descriptors, path: &str, answer: bool) -> Fact {
    let mut facts = vec![("number", Fact::Name(Name::new(guess.path().as_bytes())))];
    match descriptors.field(path, answer, &guess.numbers) {
        Some((name, kind)) => {
            facts.push(("name", Fact::Name(Name::new(name.as_bytes()))));
            facts.push(("type", Fact::Own(kind)));
            facts.push(("confidence", Fact::Count(100)));
        }
        None => {
            facts.push(("type", Fact::Own(guess.kind.name())));
            facts.push(("confidence", Fact::Count(guess.confidence.into())));
        }
    }
    facts.push(("count", Fact::Count(guess.count)));
    Fact::Group(facts)
}

#[cfg(test)]
mod tests;
