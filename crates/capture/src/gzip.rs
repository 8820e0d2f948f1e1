//! Decompression of gzip (RFC 1952) up to the very byte where it is damaged: the library's reader drops what the call that
//! meets the damage had already decompressed.

use std::io::{self, BufRead, Read};

use flate2::{Crc, Decompress, FlushDecompress, Status};

pub(crate) const MAGIC: [u8; 2] = [0x1f, 0x8b];
/// The one compression method (section 2.3.1).
const DEFLATE: u8 = 8;

/// Flags of a member's header (section 2.3.1). "Reserved FLG bits must be zero."
const HEADER_CRC: u8 = 1 << 1;
const EXTRA: u8 = 1 << 2;
const NAME: u8 = 1 << 3;
const COMMENT: u8 = 1 << 4;
const RESERVED: u8 = 0b1110_0000;

/// What comes next of the compressed bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The first member.
    Start,
    /// Another member, padding, or the end.
    Between,
    /// Compressed data.
    Within,
    /// The checksum and length of what was compressed.
    Behind,
    /// Nothing: it is cut or damaged.
    Broken(io::ErrorKind),
}

/// The uncompressed bytes of all members. Zeros behind a member are padding, as on tapes and in blocks of fixed size.
pub(crate) struct Gzip<R> {
    input: R,
    place: Place,
    inflate: Decompress,
    crc: Crc,
}

impl<R: BufRead> Gzip<R> {
    pub(crate) fn new(input: R) -> Self {
        Self { input, place: Place::Start, inflate: Decompress::new(false), crc: Crc::new() }
    }

    /// Where the compressed bytes come from.
    pub(crate) const fn get_ref(&self) -> &R {
        &self.input
    }

    /// The same, to change it.
    pub(crate) const fn get_mut(&mut self) -> &mut R {
        &mut self.input
    }

    fn next(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.place {
                Place::Start => self.begin()?,
                Place::Between => {
                    if self.is_padded_to_the_end()? {
                        return Ok(0);
                    }
                    self.begin()?;
                }
                Place::Within => {
                    let written = self.inflate(buffer)?;
                    if written > 0 {
                        return Ok(written);
                    }
                }
                Place::Behind => self.check()?,
                Place::Broken(kind) => return Err(kind.into()),
            }
        }
    }

    fn is_padded_to_the_end(&mut self) -> io::Result<bool> {
        loop {
            let bytes = self.input.fill_buf()?;
            let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
            let (end, more) = (bytes.is_empty(), zeros < bytes.len());
            self.input.consume(zeros);
            if end || more {
                return Ok(end);
            }
        }
    }

    /// Reads a member's header.
    fn begin(&mut self) -> io::Result<()> {
        let mut fixed = [0; 10];
        self.input.read_exact(&mut fixed)?;
        let [first, second, method, flags, ..] = fixed;
        if [first, second] != MAGIC || method != DEFLATE || flags & RESERVED != 0 {
            return Err(io::ErrorKind::InvalidData.into());
        }
        if flags & EXTRA != 0 {
            let mut len = [0; 2];
            self.input.read_exact(&mut len)?;
            self.skip(u16::from_le_bytes(len).into())?;
        }
        for text in [NAME, COMMENT] {
            if flags & text != 0 {
                self.input.skip_until(0)?;
            }
        }
        if flags & HEADER_CRC != 0 {
            self.skip(2)?;
        }
        self.inflate.reset(false);
        self.crc.reset();
        self.place = Place::Within;
        Ok(())
    }

    fn skip(&mut self, bytes: u64) -> io::Result<()> {
        io::copy(&mut self.input.by_ref().take(bytes), &mut io::sink()).map(|_| ())
    }

    /// Decompresses what is at hand. Damage is told by the next call, so that nothing before it is lost.
    fn inflate(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.input.fill_buf()?;
        let at_end = bytes.is_empty();
        let before = (self.inflate.total_in(), self.inflate.total_out());
        let status = self.inflate.decompress(bytes, buffer, FlushDecompress::None);
        let since = |now: u64, before: u64| usize::try_from(now - before).unwrap_or(0);
        let used = since(self.inflate.total_in(), before.0);
        let written = since(self.inflate.total_out(), before.1);
        self.input.consume(used);
        self.crc.update(buffer.get(..written).unwrap_or_default());
        self.place = match status {
            Ok(Status::StreamEnd) => Place::Behind,
            Ok(_) if used > 0 || written > 0 => Place::Within,
            Ok(_) if at_end => Place::Broken(io::ErrorKind::UnexpectedEof),
            Ok(_) | Err(_) => Place::Broken(io::ErrorKind::InvalidData),
        };
        Ok(written)
    }

    /// Compares what came out with what went in.
    fn check(&mut self) -> io::Result<()> {
        let mut trailer = [0; 8];
        self.input.read_exact(&mut trailer)?;
        let [a, b, c, d, len @ ..] = trailer;
        let same = u32::from_le_bytes([a, b, c, d]) == self.crc.sum();
        if !same || u32::from_le_bytes(len) != self.crc.amount() {
            return Err(io::ErrorKind::InvalidData.into());
        }
        self.place = Place::Between;
        Ok(())
    }
}

impl<R: BufRead> Read for Gzip<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let read = self.next(buffer);
        if let Err(error) = &read
            && matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof)
        {
            self.place = Place::Broken(error.kind());
        }
        read
    }
}
