//! Bytes that the headers promise and bytes that the capture holds.

use crate::SkipReason;

/// What is left of a packet behind the headers read so far.
///
/// Invariant: `data.len() <= stated`. The difference was cut off by the snap length.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    /// The captured bytes.
    pub(crate) data: &'a [u8],
    /// How many bytes there were on the wire.
    pub(crate) stated: usize,
}

impl<'a> View<'a> {
    /// The captured `data` of something that was `wire_len` bytes long.
    #[inline]
    pub(crate) fn new(data: &'a [u8], wire_len: usize) -> Self {
        // Some writers state a wire length of 0; the bytes at hand prove otherwise.
        Self { data, stated: wire_len.max(data.len()) }
    }

    /// The first `N` bytes: a fixed header.
    #[inline]
    pub(crate) fn header<const N: usize>(&self) -> Result<&'a [u8; N], SkipReason> {
        self.data.first_chunk().ok_or_else(|| self.missing(N))
    }

    /// Without the first `n` bytes.
    #[inline]
    pub(crate) fn skip(self, n: usize) -> Result<Self, SkipReason> {
        match self.data.get(n..) {
            Some(data) => Ok(Self { data, stated: self.stated - n }),
            None => Err(self.missing(n)),
        }
    }

    /// Exactly the `stated` bytes that a length field speaks of: padding goes, missing bytes count as cut.
    #[inline]
    pub(crate) fn limit(self, stated: usize) -> Self {
        Self { data: self.data.get(..stated).unwrap_or(self.data), stated }
    }

    /// Bytes on the wire that the capture does not hold.
    #[inline]
    pub(crate) fn cut(&self) -> usize {
        self.stated - self.data.len()
    }

    /// Why `n` bytes cannot be had.
    #[cold]
    fn missing(&self, n: usize) -> SkipReason {
        if n > self.stated { SkipReason::BadLength } else { SkipReason::Truncated }
    }
}
