//! TCP sequence numbers, which wrap.

/// A TCP sequence or acknowledgement number: 32 bits, compared modulo 2^32 (RFC 9293, 3.4).
///
/// It has no `Ord`: which of two numbers is later only makes sense within half the space; see [`SeqNumber::distance`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct SeqNumber(pub u32);

impl SeqNumber {
    /// The number `bytes` further on.
    #[must_use]
    pub const fn add(self, bytes: u32) -> Self {
        Self(self.0.wrapping_add(bytes))
    }

    /// How far `self` lies after `other`, negative when it lies before, in -2^31..2^31.
    #[allow(clippy::cast_possible_wrap, reason = "the wrap is the definition of sequence arithmetic")]
    pub const fn distance(self, other: Self) -> i32 {
        self.0.wrapping_sub(other.0) as i32
    }
}
