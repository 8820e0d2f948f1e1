//! What a connection does after a reset that was accepted here.
//!
//! Whether the receiver accepts a reset cannot be told from outside: RFC 5961, 3.2, lets a host ignore one that does not
//! hit the next number exactly, and a middlebox may send one that never arrives. If the connection goes on, it has to
//! be seen, or a forged reset would blind the sensor. Late packets alone prove nothing, since each side may have sent
//! some before it heard of the reset; an answer to bytes that followed the reset does.

use crate::Evidence;
use crate::record::{Phase, Record};
use tapwire_wire::{Segment, Side, TcpFlags};

impl<T> Record<T> {
    /// Makes the tombstone of a connection that ended with both FINs, and takes them for forged when it goes on: their
    /// two numbers are nobody's bytes then.
    pub(crate) fn entomb_finished(&mut self) {
        self.phase = Phase::DeadByFin;
        for side in [Side::Lower, Side::Upper] {
            let half = self.halves.get_mut(side);
            half.acked = half.next + 1;
        }
    }

    /// Makes the tombstone of a connection that `reset` closed. From now on `next` is where a direction would go on, and
    /// `acked` is where the bytes begin that can only be sent by a side that lives.
    pub(crate) fn entomb(&mut self, reset: &Segment<'_>) {
        self.phase = Phase::DeadByReset;
        for side in [Side::Lower, Side::Upper] {
            let half = self.halves.get_mut(side);
            half.acked = half.next;
        }
        let half = self.halves.get_mut(reset.side);
        if half.is_open() {
            // What its sender sent before the reset may come after it.
            half.acked = half.next.max(half.offset(reset.seq));
        }
    }

    /// What its end was, once it has proven to be none.
    pub(crate) const fn end_that_was_ignored(&self) -> Evidence {
        match self.phase {
            Phase::DeadByFin => Evidence::DataAfterFin,
            _ => Evidence::ResetIgnored,
        }
    }

    /// Whether a segment after the reset, or after the FINs, proves that its receiver ignored them: it continues its
    /// direction and acknowledges bytes of the other that came after them and continued that.
    pub(crate) fn outlives_its_end(&mut self, segment: &Segment<'_>) -> bool {
        let ends = TcpFlags::SYN | TcpFlags::FIN | TcpFlags::RST;
        let Some(ack) = segment.ack.filter(|_| segment.flags.0 & ends == 0) else { return false };
        let (half, peer) = self.halves.split(segment.side);
        let at = half.offset(segment.seq);
        if !half.is_open() || !peer.is_open() || at != half.next {
            return false;
        }
        half.next = at + segment.payload.len() as u64 + u64::from(segment.cut);
        let answered = peer.offset(ack);
        answered > peer.acked && answered <= peer.next
    }
}
