//! Positions in one direction of a connection.

use std::num::NonZeroU64;
use std::ops::Add;
use tapwire_wire::SeqNumber;

/// A position in one direction's byte stream: the TCP sequence number, unwrapped to 64 bits and biased by 2^32.
///
/// The low 32 bits are the raw sequence number, so two sensors that joined a connection at different times name one
/// byte alike until the stream passes 4 GiB. The bias keeps offsets before the first seen byte representable, and all of
/// them above zero, so that an optional offset takes no more room than an offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamOffset(NonZeroU64);

impl StreamOffset {
    /// The offset that opens a direction at its first known sequence number.
    pub const fn first(seq: SeqNumber) -> Self {
        Self(NonZeroU64::MIN.saturating_add(u32::MAX as u64 + seq.0 as u64))
    }

    /// The offset of `seq`, taken as the one nearest to `self`.
    #[must_use]
    pub const fn nearest(self, seq: SeqNumber) -> Self {
        match NonZeroU64::new(self.0.get().saturating_add_signed(seq.distance(self.seq()) as i64)) {
            Some(offset) => Self(offset),
            None => Self(NonZeroU64::MIN),
        }
    }

    /// The raw sequence number.
    #[allow(clippy::cast_possible_truncation, reason = "the low half is the sequence number by definition")]
    pub const fn seq(self) -> SeqNumber {
        SeqNumber(self.0.get() as u32)
    }

    /// Bytes from `earlier` to `self`; 0 when the order is the other way round.
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.get().saturating_sub(earlier.0.get())
    }
}

impl Add<u64> for StreamOffset {
    type Output = Self;

    fn add(self, bytes: u64) -> Self {
        Self(self.0.saturating_add(bytes))
    }
}
