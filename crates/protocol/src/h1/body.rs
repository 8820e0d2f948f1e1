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

    /// Whether a chunk has just ended, or none has begun.
    pub const fn is_between_chunks(&self) -> bool {
        matches!(self.state, State::Size { digits: 0, .. })
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
                State::AfterSize { value } => self.state = behind_space(value, *byte, anomalies),
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

/// Behind white space that follows a size, which is allowed only in front of an extension (RFC 9112, 7.1.1).
fn behind_space(value: u64, byte: u8, anomalies: &mut Anomalies) -> State {
    if matches!(byte, b'\r' | b'\n') {
        anomalies.insert(Anomaly::InvalidChunkSize);
    }
    after_size(value, byte, anomalies)
}

/// Behind a size: its line's end, an extension, or white space.
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Debug, Default, PartialEq)]
    struct Decoded {
        data: Vec<u8>,
        trailers: Vec<u8>,
        anomalies: Anomalies,
        ended: bool,
        broken: bool,
        rest: Vec<u8>,
    }

    fn decode_pieces<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Decoded {
        let (mut decoder, mut out) = (ChunkedDecoder::new(), Decoded::default());
        for mut piece in pieces {
            while !piece.is_empty() && !decoder.is_finished() && !decoder.is_broken() {
                let step = decoder.feed(piece, &mut out.anomalies);
                piece = &piece[step.consumed..];
                match step.part {
                    ChunkPart::Data(data) => out.data.extend_from_slice(data),
                    ChunkPart::Trailer(bytes) => out.trailers.extend_from_slice(bytes),
                    ChunkPart::Framing | ChunkPart::End | ChunkPart::Broken => {}
                }
            }
            out.rest.extend_from_slice(piece);
        }
        (out.ended, out.broken) = (decoder.is_finished(), decoder.is_broken());
        out
    }

    fn decode(body: &[u8]) -> Decoded {
        decode_pieces([body])
    }

    fn ended(body: &str, data: &str, anomalies: &[Anomaly]) {
        let out = decode(body.as_bytes());
        assert!(out.ended, "{body:?} did not end");
        assert_eq!(out.data, data.as_bytes(), "{body:?}");
        assert_eq!(out.anomalies.iter().collect::<Vec<_>>(), anomalies, "{body:?}");
    }

    #[test]
    fn rfc9112_7_1_chunks_are_joined() {
        ended(
            "4\r\nWiki\r\n6\r\npedia \r\nE\r\nin \r\n\r\nchunks.\r\n0\r\n\r\n",
            "Wikipedia in \r\n\r\nchunks.",
            &[],
        );
        ended("a\r\n0123456789\r\n0\r\n\r\n", "0123456789", &[]);
        ended("005\r\nhello\r\n000\r\n\r\n", "hello", &[]);
    }

    #[test]
    fn what_follows_the_body_is_left_alone() {
        assert_eq!(decode(b"1\r\na\r\n0\r\n\r\nHTTP/1.1 200").rest, b"HTTP/1.1 200");
    }

    #[test]
    fn rfc9112_7_1_1_extensions_are_skipped_and_named() {
        ended("5;a=\"b; c\";d\r\nhello\r\n0;last\r\n\r\n", "hello", &[Anomaly::ChunkExtension]);
        ended("5 ; a=b\r\nhello\r\n0\r\n\r\n", "hello", &[Anomaly::ChunkExtension]);
        let long = format!("5;{}\r\nhello\r\n0\r\n\r\n", "a".repeat(2000));
        ended(&long, "hello", &[Anomaly::ChunkExtension, Anomaly::OversizedChunkExtension]);
        ended("5;a\rb\r\nhello\r\n0\r\n\r\n", "hello", &[Anomaly::BareCr, Anomaly::ChunkExtension]);
        ended("5;a\nhello\r\n0\r\n\r\n", "hello", &[Anomaly::BareLf, Anomaly::ChunkExtension]);
    }

    #[test]
    fn rfc9112_7_1_2_trailers_are_handed_out() {
        let out = decode(b"1\r\na\r\n0\r\nA: b\r\nC: d\r\n\r\nrest");
        assert!(out.ended && out.anomalies.is_empty());
        assert_eq!((&out.trailers[..], &out.rest[..]), (&b"A: b\r\nC: d\r\n"[..], &b"rest"[..]));
        assert_eq!(decode(b"0\r\n\rA: b\r\n\r\n").trailers, b"\rA: b\r\n");
    }

    #[test]
    fn an_endless_trailer_section_is_named() {
        let lines = "A: b\r\n".repeat(3000);
        let out = decode(format!("0\r\n{lines}\r\n").as_bytes());
        assert!(out.ended && out.anomalies.contains(Anomaly::OversizedHead));
    }

    #[test]
    fn sizes_that_servers_read_differently_are_named() {
        ended("5 \r\nhello\r\n0  \r\n\r\n", "hello", &[Anomaly::InvalidChunkSize]);
        ended(" 5\r\nhello\r\n0\r\n\r\n", "hello", &[Anomaly::InvalidChunkSize]);
        ended("5 junk\r\nhello\r\n0\r\n\r\n", "hello", &[Anomaly::InvalidChunkSize]);
        ended("00000000000000005\r\nhello\r\n0\r\n\r\n", "hello", &[Anomaly::InvalidChunkSize]);
        ended("5\nhello\r\n0\r\n\r\n", "hello", &[Anomaly::BareLf]);
        ended("5\r\nhello\n0\r\n\r\n", "hello", &[Anomaly::BareLf]);
        ended("5\r\nhello\r\n0\r\n\n", "hello", &[Anomaly::BareLf]);
    }

    #[test]
    fn sizes_that_are_none_break_the_framing() {
        for size in ["", "+5", "-5", "0x5", "5x", "g", "\u{e9}", "10000000000000000", &"0".repeat(65)] {
            let out = decode(format!("{size}\r\nhello\r\n0\r\n\r\n").as_bytes());
            assert!(out.broken && out.data.is_empty(), "{size}");
            assert!(out.anomalies.contains(Anomaly::InvalidChunkSize), "{size}");
        }
        assert!(!decode(b"ffffffffffffffff\r\nhello").broken);
    }

    #[test]
    fn a_chunk_without_line_end_is_named_and_read_on() {
        ended("5\r\nhello0\r\n\r\n", "hello", &[Anomaly::ChunkWithoutLineEnd]);
        ended("5\r\nhello\r0\r\n\r\n", "hello", &[Anomaly::BareCr, Anomaly::ChunkWithoutLineEnd]);
        let out = decode(b"4\r\nhello\r\n0\r\n\r\n");
        assert!(out.broken && out.anomalies.contains(Anomaly::ChunkWithoutLineEnd));
    }

    #[test]
    fn a_hole_inside_one_chunk_keeps_the_framing() {
        let (mut decoder, mut anomalies) = (ChunkedDecoder::new(), Anomalies::default());
        decoder.feed(b"a\r\n", &mut anomalies);
        assert_eq!(decoder.remaining_in_chunk(), Some(10));
        assert_eq!(decoder.feed(b"01", &mut anomalies).part, ChunkPart::Data(b"01"));
        assert!(decoder.skip_gap(0) && decoder.skip_gap(6));
        assert_eq!(decoder.remaining_in_chunk(), Some(2));
        let mut to_the_end = decoder;
        assert!(to_the_end.skip_gap(2));
        assert_eq!(to_the_end.feed(b"\r\n0\r\n", &mut anomalies).part, ChunkPart::Framing);
        assert!(!decoder.skip_gap(3) && decoder.is_broken());
        assert_eq!(decoder.feed(b"x", &mut anomalies), ChunkStep { consumed: 0, part: ChunkPart::Broken });
    }

    #[test]
    fn a_hole_outside_of_data_breaks_the_framing() {
        let mut decoder = ChunkedDecoder::new();
        assert!(decoder.skip_gap(0) && !decoder.skip_gap(1));
    }

    fn chunked() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            3 => proptest::collection::vec(any::<u8>(), 1..20)
                .prop_map(|data| [format!("{:x}\r\n", data.len()).as_bytes(), &data, b"\r\n"].concat()),
            1 => Just(b"3;a=b\r\nabc\r\n".to_vec()),
            1 => Just(b"3 \nabc".to_vec()),
            1 => Just(b"0\r\nA: b\r\n\rC: d\r\n\r\n".to_vec()),
            1 => proptest::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'1'), Just(b';'), any::<u8>()], 0..4),
        ];
        proptest::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn every_split_decodes_alike(body in chunked()) {
            let whole = decode(&body);
            prop_assert_eq!(&decode_pieces(body.chunks(1)), &whole);
            for cut in 0..=body.len() {
                prop_assert_eq!(&decode_pieces([&body[..cut], &body[cut..]]), &whole, "cut at {}", cut);
            }
        }

        #[test]
        fn any_data_comes_back(data in proptest::collection::vec(any::<u8>(), 0..300), size in 1_usize..50) {
            let chunks = data.chunks(size).map(|chunk| [format!("{:X}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat());
            let body = [chunks.collect::<Vec<_>>().concat(), b"0\r\n\r\n".to_vec()].concat();
            let out = decode(&body);
            prop_assert!(out.ended && out.anomalies.is_empty());
            prop_assert_eq!(out.data, data);
        }
    }
}
