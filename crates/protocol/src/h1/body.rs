//! The chunked transfer coding (RFC 9112, 7.1), undone as bytes pass.

use super::bytes::is_ows;
use crate::{Anomalies, Anomaly};

/// Longest chunk extension, in bytes, before it is an anomaly. None is kept.
pub const MAX_CHUNK_EXTENSION: u32 = 1024;

/// Longest trailer section that is worth keeping, in bytes; a longer one is an anomaly.
pub const MAX_TRAILERS: u32 = 16 * 1024;

/// Most digits of a chunk size, leading zeros included.
const MAX_SIZE_DIGITS: u32 = 64;

/// What the next bytes of a chunked body are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkStep<'a> {
    /// How many bytes of the input this step used up. 0 only for an empty input, at the end, when broken, and for a part
    /// whose bytes came with an earlier input.
    pub consumed: usize,
    /// What they are.
    pub part: ChunkPart<'a>,
}

/// A part of a chunked body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChunkPart<'a> {
    /// Body bytes.
    Data(&'a [u8]),
    /// Chunk sizes, extensions, line ends: nothing to keep.
    Framing,
    /// Bytes of the trailer section, line ends included, without the empty line that closes it.
    Trailer(&'a [u8]),
    /// The body is over; what follows belongs to the next message.
    End,
    /// No chunk begins where one should: where the body ends is unknown.
    Broken,
}

/// Undoes the chunked coding. Call [`Self::feed`] until the input is used up or the answer is `End` or `Broken`; data,
/// trailers and anomalies are the same wherever the input is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ChunkedDecoder {
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// In a chunk size, of which `digits` digits came.
    Size {
        value: u64,
        digits: u32,
    },
    /// Behind white space that follows a size.
    AfterSize {
        value: u64,
    },
    /// In an extension of which `len` bytes came.
    Extension {
        value: u64,
        len: u32,
    },
    /// Behind a CR that should end the size line.
    SizeCr {
        value: u64,
        len: u32,
    },
    /// In a chunk's data.
    Data {
        left: u64,
    },
    /// Behind a chunk's data.
    DataEnd,
    /// Behind a CR behind a chunk's data.
    DataCr,
    /// At the beginning of a trailer line.
    TrailerStart {
        len: u32,
    },
    /// Behind a CR at the beginning of a trailer line.
    TrailerCr {
        len: u32,
    },
    /// In a trailer line.
    TrailerLine {
        len: u32,
    },
    End,
    Broken,
}

impl Default for State {
    fn default() -> Self {
        Self::Size { value: 0, digits: 0 }
    }
}

impl ChunkedDecoder {
    /// A decoder at the first byte of a chunked body.
    pub const fn new() -> Self {
        Self { state: State::Size { value: 0, digits: 0 } }
    }

    /// Bytes of chunk data that follow here, when a chunk's data is what follows.
    pub const fn remaining_in_chunk(&self) -> Option<u64> {
        match self.state {
            State::Data { left } => Some(left),
            _ => None,
        }
    }

    /// Whether the body is over.
    pub const fn is_finished(&self) -> bool {
        matches!(self.state, State::End)
    }

    /// Whether the framing is lost.
    pub const fn is_broken(&self) -> bool {
        matches!(self.state, State::Broken)
    }

    /// Steps over `len` bytes that were not captured. `true` when they all lie inside one chunk's data, so that the
    /// framing is still exact; otherwise the decoder is broken.
    pub const fn skip_gap(&mut self, len: u64) -> bool {
        match self.state {
            State::Data { left } if len <= left => self.state = behind_data(left - len),
            _ if len == 0 => {}
            _ => self.state = State::Broken,
        }
        !self.is_broken()
    }

    /// Takes the next step into `bytes`.
    pub fn feed<'a>(&mut self, bytes: &'a [u8], anomalies: &mut Anomalies) -> ChunkStep<'a> {
        match self.state {
            State::End => return ChunkStep { consumed: 0, part: ChunkPart::End },
            State::Broken => return ChunkStep { consumed: 0, part: ChunkPart::Broken },
            State::Data { left } => return self.data(bytes, left),
            State::TrailerStart { .. } | State::TrailerCr { .. } | State::TrailerLine { .. } => {
                return self.trailer(bytes, anomalies);
            }
            _ => {}
        }
        self.framing(bytes, anomalies)
    }

    fn data<'a>(&mut self, bytes: &'a [u8], left: u64) -> ChunkStep<'a> {
        let consumed = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
        self.state = behind_data(left - consumed as u64);
        ChunkStep { consumed, part: ChunkPart::Data(bytes.get(..consumed).unwrap_or_default()) }
    }

    /// Size lines and the line ends behind data, a byte at a time: they are a few bytes in front of each chunk.
    fn framing<'a>(&mut self, bytes: &'a [u8], anomalies: &mut Anomalies) -> ChunkStep<'a> {
        let mut consumed = 0;
        for byte in bytes {
            match self.state {
                State::Size { value, digits } => self.state = size(value, digits, *byte, anomalies),
                State::AfterSize { value } => self.state = after_size(value, *byte, anomalies),
                State::Extension { value, len } => self.state = extension(value, len, *byte, anomalies),
                State::SizeCr { value, len } => self.state = size_cr(value, len, *byte, anomalies),
                State::DataEnd => self.state = data_end(*byte, anomalies),
                State::DataCr => self.state = data_cr(*byte, anomalies),
                _ => break,
            }
            consumed += 1;
        }
        let part = if self.is_broken() { ChunkPart::Broken } else { ChunkPart::Framing };
        ChunkStep { consumed, part }
    }

    fn trailer<'a>(&mut self, bytes: &'a [u8], anomalies: &mut Anomalies) -> ChunkStep<'a> {
        let step = |consumed, part| ChunkStep { consumed, part };
        let Some(first) = bytes.first() else { return step(0, ChunkPart::Framing) };
        match (self.state, first) {
            (State::TrailerStart { len }, b'\r') => {
                self.state = State::TrailerCr { len };
                step(1, ChunkPart::Framing)
            }
            (State::TrailerStart { .. } | State::TrailerCr { .. }, b'\n') => {
                if matches!(self.state, State::TrailerStart { .. }) {
                    anomalies.insert(Anomaly::BareLf);
                }
                self.state = State::End;
                step(1, ChunkPart::End)
            }
            (State::TrailerCr { len }, _) => {
                self.state = State::TrailerLine { len };
                step(0, ChunkPart::Trailer(b"\r"))
            }
            (State::TrailerStart { len } | State::TrailerLine { len }, _) => {
                self.trailer_line(bytes, len, anomalies)
            }
            _ => step(0, ChunkPart::Framing),
        }
    }

    fn trailer_line<'a>(&mut self, bytes: &'a [u8], len: u32, anomalies: &mut Anomalies) -> ChunkStep<'a> {
        let end = memchr::memchr(b'\n', bytes);
        let consumed = end.map_or(bytes.len(), |end| end + 1);
        let len = len.saturating_add(u32::try_from(consumed).unwrap_or(u32::MAX));
        if len > MAX_TRAILERS {
            anomalies.insert(Anomaly::OversizedHead);
        }
        self.state = if end.is_some() { State::TrailerStart { len } } else { State::TrailerLine { len } };
        ChunkStep { consumed, part: ChunkPart::Trailer(bytes.get(..consumed).unwrap_or_default()) }
    }
}

const fn behind_data(left: u64) -> State {
    if left == 0 { State::DataEnd } else { State::Data { left } }
}

const fn behind_size(value: u64) -> State {
    if value == 0 { State::TrailerStart { len: 0 } } else { State::Data { left: value } }
}

fn size(value: u64, digits: u32, byte: u8, anomalies: &mut Anomalies) -> State {
    if let Some(digit) = char::from(byte).to_digit(16) {
        return more_digits(value, digits, digit, anomalies);
    }
    match byte {
        _ if digits == 0 && !is_ows(byte) => broken(anomalies),
        // White space in front of a size, where `strtol` and its like skip it.
        _ if digits == 0 => {
            anomalies.insert(Anomaly::InvalidChunkSize);
            State::Size { value, digits }
        }
        b' ' | b'\t' | b';' | b'\r' | b'\n' => after_size(value, byte, anomalies),
        _ => broken(anomalies),
    }
}

fn more_digits(value: u64, digits: u32, digit: u32, anomalies: &mut Anomalies) -> State {
    if digits >= 16 {
        anomalies.insert(Anomaly::InvalidChunkSize);
    }
    match value.checked_mul(16) {
        Some(shifted) if digits < MAX_SIZE_DIGITS => {
            State::Size { value: shifted | u64::from(digit), digits: digits + 1 }
        }
        _ => broken(anomalies),
    }
}

fn broken(anomalies: &mut Anomalies) -> State {
    anomalies.insert(Anomaly::InvalidChunkSize);
    State::Broken
}

/// Behind a size: its line's end, an extension, or white space, which is allowed only in front of an extension.
fn after_size(value: u64, byte: u8, anomalies: &mut Anomalies) -> State {
    match byte {
        b';' => {
            anomalies.insert(Anomaly::ChunkExtension);
            State::Extension { value, len: 0 }
        }
        b'\r' => State::SizeCr { value, len: 0 },
        b'\n' => {
            anomalies.insert(Anomaly::BareLf);
            behind_size(value)
        }
        b' ' | b'\t' => State::AfterSize { value },
        _ => {
            anomalies.insert(Anomaly::InvalidChunkSize);
            State::Extension { value, len: 0 }
        }
    }
}

/// In an extension. It ends at the first LF, quoted or not: RFC 9112 allows no line end in a quoted string.
fn extension(value: u64, len: u32, byte: u8, anomalies: &mut Anomalies) -> State {
    let len = len.saturating_add(1);
    if len > MAX_CHUNK_EXTENSION {
        anomalies.insert(Anomaly::OversizedChunkExtension);
    }
    match byte {
        b'\r' => State::SizeCr { value, len },
        b'\n' => {
            anomalies.insert(Anomaly::BareLf);
            behind_size(value)
        }
        _ => State::Extension { value, len },
    }
}

fn size_cr(value: u64, len: u32, byte: u8, anomalies: &mut Anomalies) -> State {
    if byte == b'\n' {
        return behind_size(value);
    }
    anomalies.insert(Anomaly::BareCr);
    extension(value, len, byte, anomalies)
}

fn data_end(byte: u8, anomalies: &mut Anomalies) -> State {
    match byte {
        b'\r' => State::DataCr,
        b'\n' => {
            anomalies.insert(Anomaly::BareLf);
            State::default()
        }
        // The next size may follow at once; what does not read as one is broken there.
        _ => {
            anomalies.insert(Anomaly::ChunkWithoutLineEnd);
            size(0, 0, byte, anomalies)
        }
    }
}

fn data_cr(byte: u8, anomalies: &mut Anomalies) -> State {
    if byte == b'\n' {
        return State::default();
    }
    anomalies.insert(Anomaly::BareCr);
    anomalies.insert(Anomaly::ChunkWithoutLineEnd);
    size(0, 0, byte, anomalies)
}
