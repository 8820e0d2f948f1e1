//! Content codings undone in bounded memory (RFC 9110, 8.4.1): gzip, deflate, Brotli and Zstandard, at most two on top of
//! each other.

mod brotli;
mod zstandard;

use brotli::Brotli;
use flate2::{Crc, Decompress, FlushDecompress, Status};
use tapwire_protocol::Anomaly;
use zstandard::Zstandard;

/// Codings undone for one body. More are a way around inspection, not compression.
const MAX_CODINGS: usize = 2;
/// Output of one step.
const STEP: usize = 16 << 10;
/// Decoded bytes before the ratio counts: short, very regular answers are no bomb.
const FREE_BYTES: u64 = 64 << 10;
/// gzip members of one body; each begins with a header and costs a reset.
const MAX_MEMBERS: u32 = 1024;

/// What a `Content-Encoding` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    /// RFC 1952.
    Gzip,
    /// RFC 1950, and the bare RFC 1951 that some servers send under the same name.
    Deflate,
    /// RFC 7932.
    Brotli,
    /// RFC 8878.
    Zstandard,
}

/// The codings of a `Content-Encoding` value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Codings {
    /// To be undone from the last to the first.
    Known([Option<Coding>; MAX_CODINGS]),
    /// One of them is not undone here.
    Unknown,
    /// More than are undone.
    TooMany,
}

impl Codings {
    pub(crate) fn parse(value: &[u8]) -> Self {
        let mut known = [None; MAX_CODINGS];
        let mut count = 0;
        for name in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
            if name.is_empty() || name.eq_ignore_ascii_case(b"identity") {
                continue;
            }
            let Some(coding) = Coding::by_name(name) else { return Self::Unknown };
            let Some(slot) = known.get_mut(count) else { return Self::TooMany };
            *slot = Some(coding);
            count += 1;
        }
        Self::Known(known)
    }
}

impl Coding {
    fn by_name(name: &[u8]) -> Option<Self> {
        let is = |known: &[u8]| known.eq_ignore_ascii_case(name);
        match () {
            () if is(b"gzip") || is(b"x-gzip") => Some(Self::Gzip),
            () if is(b"deflate") => Some(Self::Deflate),
            () if is(b"br") => Some(Self::Brotli),
            () if is(b"zstd") => Some(Self::Zstandard),
            () => None,
        }
    }
}

/// Bounds on what decoding may produce.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Caps {
    pub(crate) bytes: u64,
    pub(crate) ratio: u64,
}

/// Counts what goes in and comes out of a decoder.
#[derive(Debug, Clone, Copy, Default)]
struct Meter {
    taken: u64,
    given: u64,
}

impl Meter {
    /// Counts output, and says whether it is more than may come.
    fn is_bomb(&mut self, made: usize, caps: Caps) -> bool {
        self.given += made as u64;
        self.given > caps.bytes || self.given > FREE_BYTES && self.given / caps.ratio.max(1) > self.taken
    }
}

/// Undoes gzip or deflate, piece by piece. Reusable through [`Inflater::restart`].
pub(crate) struct Inflater {
    raw: Decompress,
    /// Where a step's output goes; 16 KiB.
    out: Vec<u8>,
    coding: Coding,
    state: State,
    crc: Crc,
    members: u32,
    meter: Meter,
}

/// Where in a gzip member, or in a zlib stream, the next byte belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The gzip header's ten fixed bytes: how many came, and the flags once they did.
    GzipHeader {
        at: u8,
        flags: u8,
    },
    /// Two bytes of length, then so many of extra field.
    ExtraLength {
        at: u8,
        len: u16,
        flags: u8,
    },
    Extra {
        left: u16,
        flags: u8,
    },
    /// Text up to a NUL: name, then comment.
    Text {
        flags: u8,
    },
    HeaderCrc {
        left: u8,
    },
    /// zlib's header, or the first byte of bare deflate.
    DeflateHeader,
    DeflateHeader2 {
        first: u8,
    },
    Compressed,
    /// gzip's CRC and length, zlib's Adler checksum.
    Trailer {
        at: u8,
        sum: u32,
    },
    /// The end was reached; what follows is nobody's.
    Ended,
    Failed(Anomaly),
}

/// gzip header flags (RFC 1952, 2.3.1).
const FHCRC: u8 = 2;
const FEXTRA: u8 = 4;
const FNAME: u8 = 8;
const FCOMMENT: u8 = 16;

impl Inflater {
    pub(crate) fn new(coding: Coding) -> Self {
        Self {
            raw: Decompress::new(false),
            out: vec![0; STEP],
            coding,
            state: Self::start(coding),
            crc: Crc::new(),
            members: 0,
            meter: Meter::default(),
        }
    }

    /// Begins another body with the memory of the last.
    pub(crate) fn restart(&mut self, coding: Coding) {
        self.raw.reset(false);
        self.coding = coding;
        self.state = Self::start(coding);
        self.crc.reset();
        self.members = 0;
        self.meter = Meter::default();
    }

    const fn start(coding: Coding) -> State {
        match coding {
            Coding::Gzip => State::GzipHeader { at: 0, flags: 0 },
            _ => State::DeflateHeader,
        }
    }

    /// Whether the coded body came to its own end. Bare deflate has no trailer to wait for.
    pub(crate) const fn ended(&self) -> bool {
        match self.state {
            State::Ended | State::GzipHeader { at: 0, .. } => true,
            State::Trailer { at: 0, .. } => matches!(self.coding, Coding::Deflate),
            _ => false,
        }
    }

    /// Why decoding stopped early.
    pub(crate) const fn failure(&self) -> Option<Anomaly> {
        match self.state {
            State::Failed(anomaly) => Some(anomaly),
            _ => None,
        }
    }

    /// Takes coded bytes and hands on decoded ones in steps of at most 16 KiB.
    pub(crate) fn feed(&mut self, bytes: &[u8], caps: Caps, take: &mut dyn FnMut(&[u8])) {
        self.meter.taken += bytes.len() as u64;
        let mut rest = bytes;
        while let Some((&byte, tail)) = rest.split_first() {
            rest = match self.state {
                State::Compressed => self.inflate(rest, caps, take),
                State::Ended | State::Failed(_) => return,
                _ => {
                    self.envelope(byte, caps, take);
                    tail
                }
            };
        }
    }

    fn inflate<'a>(&mut self, bytes: &'a [u8], caps: Caps, take: &mut dyn FnMut(&[u8])) -> &'a [u8] {
        let mut out = std::mem::take(&mut self.out);
        let rest = self.inflate_into(&mut out, bytes, caps, take);
        self.out = out;
        rest
    }

    fn inflate_into<'a>(
        &mut self,
        out: &mut [u8],
        bytes: &'a [u8],
        caps: Caps,
        take: &mut dyn FnMut(&[u8]),
    ) -> &'a [u8] {
        let mut rest = bytes;
        loop {
            let (before_in, before_out) = (self.raw.total_in(), self.raw.total_out());
            let status = self.raw.decompress(rest, out, FlushDecompress::None);
            let used = usize::try_from(self.raw.total_in() - before_in).unwrap_or(usize::MAX);
            let made = usize::try_from(self.raw.total_out() - before_out).unwrap_or(usize::MAX);
            rest = rest.get(used..).unwrap_or_default();
            self.give(out.get(..made).unwrap_or_default(), caps, take);
            match status {
                _ if self.failure().is_some() => return &[],
                Err(_) => return self.fail(Anomaly::InvalidContentCoding),
                Ok(Status::StreamEnd) => {
                    self.state = State::Trailer { at: 0, sum: 0 };
                    return rest;
                }
                // A full step may have left output behind even when the input is used up.
                Ok(_) if rest.is_empty() && made < STEP => return rest,
                Ok(_) if used == 0 && made == 0 => return self.fail(Anomaly::InvalidContentCoding),
                Ok(_) => {}
            }
        }
    }

    fn give(&mut self, bytes: &[u8], caps: Caps, take: &mut dyn FnMut(&[u8])) {
        if self.coding == Coding::Gzip {
            self.crc.update(bytes);
        }
        take(bytes);
        if self.meter.is_bomb(bytes.len(), caps) {
            self.fail(Anomaly::ContentCodingBomb);
        }
    }

    fn fail<'a>(&mut self, anomaly: Anomaly) -> &'a [u8] {
        self.state = State::Failed(anomaly);
        &[]
    }

    /// One byte of what stands around the compressed data.
    fn envelope(&mut self, byte: u8, caps: Caps, take: &mut dyn FnMut(&[u8])) {
        self.state = match self.state {
            State::GzipHeader { at, flags } => self.gzip_header(at, flags, byte),
            State::ExtraLength { at: 0, flags, .. } => State::ExtraLength { at: 1, len: byte.into(), flags },
            State::ExtraLength { len, flags, .. } => match len | u16::from(byte) << 8 {
                0 => after_extra(flags),
                left => State::Extra { left, flags },
            },
            State::Extra { left: 1, flags } => after_extra(flags),
            State::Extra { left, flags } => State::Extra { left: left - 1, flags },
            State::Text { flags } if byte != 0 => State::Text { flags },
            State::Text { flags } if flags & FNAME != 0 => after_extra(flags & !FNAME),
            State::Text { flags } => after_extra(flags & !FCOMMENT),
            State::HeaderCrc { left: 1 } => State::Compressed,
            State::HeaderCrc { left } => State::HeaderCrc { left: left - 1 },
            State::DeflateHeader => State::DeflateHeader2 { first: byte },
            State::DeflateHeader2 { first } => {
                self.state = State::Compressed;
                if !is_zlib([first, byte]) {
                    self.inflate_all(&[first, byte], caps, take);
                }
                return;
            }
            State::Trailer { at, sum } => self.trailer(at, sum, byte),
            other => other,
        };
    }

    /// Both bytes of a bare deflate stream that were held to look for a zlib header.
    fn inflate_all(&mut self, bytes: &[u8], caps: Caps, take: &mut dyn FnMut(&[u8])) {
        let mut rest = bytes;
        while !rest.is_empty() && self.state == State::Compressed {
            rest = self.inflate(rest, caps, take);
        }
    }

    fn gzip_header(&mut self, at: u8, flags: u8, byte: u8) -> State {
        let right = match at {
            0 => byte == 0x1f,
            1 => byte == 0x8b,
            2 => byte == 8,
            3 => byte & 0xe0 == 0,
            _ => true,
        };
        match at {
            // Padding behind the last member is common and means nothing.
            0 if !right && self.members > 0 => State::Ended,
            _ if !right => State::Failed(Anomaly::InvalidContentCoding),
            3 => State::GzipHeader { at: 4, flags: byte },
            9 if flags & FEXTRA != 0 => State::ExtraLength { at: 0, len: 0, flags },
            9 => after_extra(flags),
            _ => State::GzipHeader { at: at + 1, flags },
        }
    }

    fn trailer(&mut self, at: u8, sum: u32, byte: u8) -> State {
        let sum = if at < 4 { sum | u32::from(byte) << (8 * at) } else { sum };
        match (self.coding, at) {
            (Coding::Gzip, 3) if sum != self.crc.sum() => State::Failed(Anomaly::InvalidContentCoding),
            (Coding::Gzip, 7) if self.members < MAX_MEMBERS => {
                self.members += 1;
                self.raw.reset(false);
                self.crc.reset();
                State::GzipHeader { at: 0, flags: 0 }
            }
            (Coding::Gzip, 7) => State::Failed(Anomaly::InvalidContentCoding),
            // Servers that send bare deflate end without a checksum, so zlib's is passed over.
            (Coding::Deflate, 3) => State::Ended,
            _ => State::Trailer { at: at + 1, sum },
        }
    }
}

const fn after_extra(flags: u8) -> State {
    if flags & (FNAME | FCOMMENT) != 0 {
        State::Text { flags: flags & !FEXTRA }
    } else if flags & FHCRC != 0 {
        State::HeaderCrc { left: 2 }
    } else {
        State::Compressed
    }
}

/// CM is 8 and the two bytes are a multiple of 31 (RFC 1950, 2.2).
fn is_zlib(header: [u8; 2]) -> bool {
    header[0] & 0x0f == 8 && u16::from_be_bytes(header).is_multiple_of(31)
}

/// What an inflater holds: window, tables and one step of output.
const INFLATER_BYTES: usize = 56 << 10;
/// What an idle decoder may hold.
const IDLE_BYTES: usize = 256 << 10;

/// Undoes one coding.
pub(crate) enum Undo {
    Inflate(Inflater),
    Brotli(Brotli),
    Zstandard(Zstandard),
}

impl Undo {
    /// For that coding, out of used ones where one fits.
    fn new(coding: Coding, spare: &mut Vec<Self>) -> Self {
        let fits = |undo: &Self| {
            matches!(
                (undo, coding),
                (Self::Inflate(_), Coding::Gzip | Coding::Deflate) | (Self::Zstandard(_), Coding::Zstandard)
            )
        };
        let used = spare.iter().rposition(fits).map(|at| spare.swap_remove(at));
        match (used, coding) {
            (Some(Self::Inflate(mut inflater)), _) => {
                inflater.restart(coding);
                Self::Inflate(inflater)
            }
            (Some(Self::Zstandard(used)), _) => {
                Self::Zstandard(used.restart().unwrap_or_else(Zstandard::new))
            }
            (_, Coding::Zstandard) => Self::Zstandard(Zstandard::new()),
            (_, Coding::Brotli) => Self::Brotli(Brotli::new()),
            _ => Self::Inflate(Inflater::new(coding)),
        }
    }

    fn feed(&mut self, bytes: &[u8], caps: Caps, take: &mut dyn FnMut(&[u8])) {
        match self {
            Self::Inflate(undo) => undo.feed(bytes, caps, take),
            Self::Brotli(undo) => undo.feed(bytes, caps, take),
            Self::Zstandard(undo) => undo.feed(bytes, caps, take),
        }
    }

    fn failure(&self) -> Option<Anomaly> {
        match self {
            Self::Inflate(undo) => undo.failure(),
            Self::Brotli(undo) => undo.failure(),
            Self::Zstandard(undo) => undo.failure(),
        }
    }

    fn ended(&self) -> bool {
        match self {
            Self::Inflate(undo) => undo.ended(),
            Self::Brotli(undo) => undo.ended(),
            Self::Zstandard(undo) => undo.ended(),
        }
    }

    fn held(&self) -> usize {
        match self {
            Self::Inflate(_) => INFLATER_BYTES,
            Self::Brotli(undo) => undo.held(),
            Self::Zstandard(undo) => undo.held(),
        }
    }
}

/// The codings of one body, the outermost first.
#[derive(Default)]
pub(crate) struct Decoder {
    outer: Option<Undo>,
    inner: Option<Undo>,
}

impl Decoder {
    /// For codings in the order they were applied, out of decoders that may be used ones.
    pub(crate) fn new(codings: [Option<Coding>; MAX_CODINGS], spare: &mut Vec<Undo>) -> Self {
        let mut take = |coding: Coding| Undo::new(coding, spare);
        let [first, last] = codings;
        match (first, last) {
            (Some(first), Some(last)) => Self { outer: Some(take(last)), inner: Some(take(first)) },
            (first, _) => Self { outer: first.map(take), inner: None },
        }
    }

    /// Takes body bytes and hands on content bytes.
    pub(crate) fn feed(&mut self, bytes: &[u8], caps: Caps, take: &mut dyn FnMut(&[u8])) {
        match (&mut self.outer, &mut self.inner) {
            (None, _) => take(bytes),
            (Some(outer), None) => outer.feed(bytes, caps, take),
            (Some(outer), Some(inner)) => {
                outer.feed(bytes, caps, &mut |middle| inner.feed(middle, caps, take))
            }
        }
    }

    /// Why decoding stopped early.
    pub(crate) fn failure(&self) -> Option<Anomaly> {
        let of = |undo: &Option<Undo>| undo.as_ref().and_then(Undo::failure);
        of(&self.outer).or_else(|| of(&self.inner))
    }

    /// Whether every coding came to its end.
    pub(crate) fn ended(&self) -> bool {
        [&self.outer, &self.inner].into_iter().flatten().all(Undo::ended)
    }

    /// Bytes it holds.
    pub(crate) fn held(&self) -> usize {
        [&self.outer, &self.inner].into_iter().flatten().map(Undo::held).sum()
    }

    /// Gives the decoders back for another body, but for those that serve once and those that have grown.
    pub(crate) fn recycle(self, spare: &mut Vec<Undo>, keep: usize) {
        let room = keep.saturating_sub(spare.len());
        let used = [self.outer, self.inner].into_iter().flatten();
        let serves = |undo: &Undo| !matches!(undo, Undo::Brotli(_)) && undo.held() <= IDLE_BYTES;
        spare.extend(used.filter(serves).take(room));
    }
}

#[cfg(test)]
mod tests;
