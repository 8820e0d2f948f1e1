//! A window over a stream of bytes: whole packets are read in place.

use std::io::{self, Read};

/// Bytes that were read and not yet consumed.
pub(crate) struct Window {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Position in the stream of the byte at `start`.
    offset: u64,
}

impl Window {
    /// Reads up to `capacity` bytes at a time; grows only for a single larger record.
    pub(crate) fn new(capacity: usize) -> Self {
        Self { buffer: vec![0; capacity], start: 0, end: 0, offset: 0 }
    }

    /// The bytes at hand.
    #[inline]
    pub(crate) fn bytes(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// Where in the stream the bytes at hand begin.
    pub(crate) const fn offset(&self) -> u64 {
        self.offset
    }

    /// Forgets the first `n` bytes at hand.
    #[inline]
    pub(crate) fn consume(&mut self, n: usize) {
        let n = n.min(self.end - self.start);
        self.start += n;
        self.offset += n as u64;
    }

    /// Reads until `need` bytes are at hand; false when the stream ends before.
    ///
    /// It asks for no more than is needed, so that a live pipe is not waited for, and takes whatever comes with it.
    pub(crate) fn fill(&mut self, need: usize, input: &mut impl Read) -> io::Result<bool> {
        self.make_room(need);
        while self.end - self.start < need {
            let room = self.buffer.get_mut(self.end..).unwrap_or_default();
            match input.read(room) {
                Ok(0) => return Ok(false),
                Ok(n) => self.end += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Reads past `n` bytes; false when the stream ends before.
    pub(crate) fn pass(&mut self, mut n: usize, input: &mut impl Read) -> io::Result<bool> {
        while n > 0 {
            if self.bytes().is_empty() && !self.fill(1, input)? {
                return Ok(false);
            }
            let step = n.min(self.bytes().len());
            self.consume(step);
            n -= step;
        }
        Ok(true)
    }

    /// Moves the rest to the front, where at most one record's worth is copied per buffer.
    fn make_room(&mut self, need: usize) {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.buffer.len() < need {
            self.buffer.resize(need, 0);
        }
    }
}
