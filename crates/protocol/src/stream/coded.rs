//! The content coding of a stream that goes on, undone as it comes.
//!
//! Codings of bodies are undone in `inspect`, which sees an exchange once. What is split into messages has to be undone
//! before it is split, by whoever has read it from its first byte; so that is done here, for gzip and deflate.

use flate2::write::{GzDecoder, ZlibDecoder};
use std::io::Write;

/// Coded bytes that are undone at once: at the format's highest ratio, 264 KiB come out.
const PIECE: usize = 256;
/// Decoded bytes before the ratio counts, as for bodies.
const FREE_BYTES: u64 = 64 << 10;
/// Decoded bytes for each coded byte, beyond that.
const MAX_RATIO: u64 = 100;
/// What a decoder holds, in bytes: a window, tables, and room for a step.
const HELD: usize = 80 << 10;

enum Undo {
    Gzip(GzDecoder<Vec<u8>>),
    Deflate(ZlibDecoder<Vec<u8>>),
}

/// Undoes one coding, from its first byte on. Its `Debug` shows no content.
pub(super) struct Coded {
    undo: Undo,
    taken: u64,
    given: u64,
}

impl std::fmt::Debug for Coded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Coded({} to {} bytes)", self.taken, self.given)
    }
}

/// Why a stream cannot be read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Undecodable {
    /// It is not what it says.
    Invalid,
    /// More came out than any server sends.
    Bomb,
}

impl Coded {
    /// For a `Content-Encoding` of one coding; `None` when it is not undone here.
    pub(super) fn by_name(name: &[u8]) -> Option<Self> {
        let is = |known: &[u8]| name.eq_ignore_ascii_case(known);
        let undo = match () {
            () if is(b"gzip") || is(b"x-gzip") => Undo::Gzip(GzDecoder::new(Vec::new())),
            () if is(b"deflate") => Undo::Deflate(ZlibDecoder::new(Vec::new())),
            () => return None,
        };
        Some(Self { undo, taken: 0, given: 0 })
    }

    /// Bytes on the heap.
    pub(super) const fn held(&self) -> usize {
        HELD + size_of::<Self>()
    }

    /// Undoes some of `bytes`, which are not empty: how many, and what came out of them.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<(usize, Vec<u8>), Undecodable> {
        let piece = bytes.get(..PIECE).unwrap_or(bytes);
        let (written, out) = match &mut self.undo {
            Undo::Gzip(undo) => (write(undo, piece), std::mem::take(undo.get_mut())),
            Undo::Deflate(undo) => (write(undo, piece), std::mem::take(undo.get_mut())),
        };
        self.taken += piece.len() as u64;
        self.given += out.len() as u64;
        match written {
            Err(_) => Err(Undecodable::Invalid),
            Ok(()) if self.given > FREE_BYTES && self.given / MAX_RATIO > self.taken => {
                Err(Undecodable::Bomb)
            }
            Ok(()) => Ok((piece.len(), out)),
        }
    }
}

/// Everything that the bytes say comes out, not only what fills a buffer.
fn write(undo: &mut impl Write, bytes: &[u8]) -> std::io::Result<()> {
    undo.write_all(bytes)?;
    undo.flush()
}
