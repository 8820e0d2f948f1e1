//! Facts about segments that ordinary hosts hardly send, and that attacks on sensors are made of.
//!
//! None of it decides what is delivered. It is said, so that whoever reads the exchange knows that its receiver may have
//! read other bytes.

use crate::outlet::{Outlet, Shared};
use crate::record::Record;
use crate::{Evidence, StreamEvent, StreamOffset, StreamSink};
use tapwire_wire::{Segment, Side, TcpFlags};

/// How long a receiver goes on without acknowledging bytes, and without their sender sending them again, before they
/// count as never acknowledged: nanoseconds. An acknowledgement is delayed by 0.5 s at most (RFC 9293, 3.8.6.3), and the
/// first timer of a sender starts at 1 s (RFC 6298, 2.1).
const NEVER: i64 = 2_500_000_000;

/// Bytes of which it is not known yet whether their receiver takes them.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Doubts {
    /// Bytes that came with an odd TTL: from, to, and that TTL.
    odd: Option<(StreamOffset, StreamOffset, u8)>,
    /// The receiver's acknowledgement has stood still since: the acknowledgement, and the table's time in nanoseconds.
    stalled: Option<(StreamOffset, i64)>,
    /// A FIN was taken back, since data followed it.
    pub(crate) fin_withdrawn: bool,
}

impl Doubts {
    /// Whether a byte of that range came with an odd TTL.
    pub(crate) fn is_odd(&self, from: StreamOffset, to: StreamOffset) -> bool {
        self.odd.is_some_and(|(start, end, _)| start < to && from < end)
    }

    /// Their sender sends bytes again: it has noticed by itself that they are not acknowledged.
    pub(crate) const fn repeat(&mut self) {
        self.stalled = None;
    }

    /// At `now` the receiver sends something and acknowledges up to `acked` of `next`; where bytes are that it was never
    /// given.
    fn stall(&mut self, acked: StreamOffset, now: i64) -> Option<StreamOffset> {
        match self.stalled {
            Some((at, since)) if at == acked => {
                if now.saturating_sub(since) < NEVER {
                    return None;
                }
                // Said once for each place at which acknowledgements stand still.
                self.stalled = Some((at, i64::MAX));
                Some(acked)
            }
            _ => {
                self.stalled = Some((acked, now));
                None
            }
        }
    }
}

impl<T> Record<T> {
    /// Looks at a TTL that is new for its direction; whether it is odd.
    #[cold]
    pub(crate) fn watch_ttl(&mut self, segment: &Segment<'_>, at: StreamOffset) -> bool {
        let half = self.halves.get_mut(segment.side);
        let end = at + segment.payload.len() as u64;
        let doubts = self.cold.as_mut().map(|cold| &mut cold.get_mut(segment.side).doubts);
        // What was acknowledged has arrived, so its path is one of this sender's.
        if let Some(doubts) = doubts {
            if let Some((_, _, ttl)) = doubts.odd.take_if(|(_, end, _)| *end <= half.acked) {
                half.ttls.admit(ttl);
            }
            if half.ttls.is_odd(segment.ttl) && end > at && doubts.odd.is_none() {
                doubts.odd = Some((at, end, segment.ttl));
            }
        }
        let odd = half.ttls.is_odd(segment.ttl);
        if !odd {
            half.ttls.admit(segment.ttl);
        }
        odd
    }

    /// Names what a segment with payload has that ordinary ones have not.
    #[cold]
    pub(crate) fn note_unusual<S: StreamSink<T>>(
        &mut self,
        segment: &Segment<'_>,
        at: StreamOffset,
        sink: &mut S,
    ) {
        let marks = [(TcpFlags::SYN, Evidence::DataInSyn), (TcpFlags::URG, Evidence::UrgentData)];
        for (_, evidence) in marks.into_iter().filter(|(mark, _)| segment.flags.has(*mark)) {
            sink.event(&self.info, &mut self.state, StreamEvent::Evidence(segment.side, at, evidence));
        }
    }

    /// The peer of that side sent something without acknowledging everything that side sent.
    pub(crate) fn watch_stall<S: StreamSink<T>>(&mut self, side: Side, shared: &mut Shared, sink: &mut S) {
        let half = *self.halves.get(side);
        let Some(cold) = &mut self.cold else { return };
        let doubts = &mut cold.get_mut(side).doubts;
        let Some(at) = doubts.stall(half.acked, shared.now) else { return };
        let odd = doubts.is_odd(at, half.next);
        shared.counters.never_acknowledged += 1;
        let Self { info, state, .. } = self;
        let mut out = Outlet { info, state, sink, shared };
        out.event(StreamEvent::Evidence(side, at, Evidence::NeverAcknowledged));
        if odd {
            out.event(StreamEvent::Evidence(side, at, Evidence::TtlOutlier));
        }
    }
}
