//! The short way for the segments that nearly all are: the next bytes, or a bare acknowledgement, on a connection on which
//! nothing waits and nothing is in doubt.
//!
//! It does what the long way does for them and no more; a test compares the two on everything that testing makes up.

use crate::half::Start;
use crate::outlet::Shared;
use crate::recent::Stamp;
use crate::record::{Phase, Record};
use crate::{Chunk, FlowInfo, StreamEvent, StreamSink};
use tapwire_wire::{Segment, Side, TcpFlags};

/// What takes the long way whatever its numbers are.
const MARKS: u8 = TcpFlags::SYN | TcpFlags::FIN | TcpFlags::RST | TcpFlags::URG;

/// What the short way did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Short {
    /// Nothing: the segment has to take the long way.
    NotTaken,
    /// Everything.
    Done,
    /// Everything, and the connection takes more memory than before.
    Grown,
}

impl<T> Record<T> {
    /// Whether the next usual segment may take the short way; asked after every segment that did not.
    pub(crate) fn is_calm(&self) -> bool {
        let quiet = |side: Side| {
            let (half, peer) = (self.halves.get(side), self.halves.get(side.peer()));
            let cold = self.cold.as_ref().map(|cold| cold.get(side));
            half.start == Start::Certain && cold.is_some_and(|cold| cold.is_settled(half, peer))
        };
        self.phase == Phase::Live
            && self.waits_until.is_none()
            && self.causality.is_at_rest()
            && quiet(Side::Lower)
            && quiet(Side::Upper)
    }

    /// Takes a segment that is the next of its direction and acknowledges all of the other.
    #[inline]
    pub(crate) fn handle_calm<S: StreamSink<T>>(
        &mut self,
        segment: &Segment<'_>,
        shared: &mut Shared,
        sink: &mut S,
    ) -> Short {
        let side = segment.side;
        let (next, peer_next) = (self.halves.get(side).next, self.halves.get(side.peer()).next);
        let usual = self.calm
            && segment.flags.0 & MARKS == 0
            && segment.cut == 0
            && !segment.fragment_conflict
            && self.info.tells_of(segment)
            && segment.seq == next.seq()
            && segment.ack == Some(peer_next.seq())
            && self.halves.get(side).ttls.has(segment.ttl);
        let Some(cold) = self.cold.as_mut().filter(|_| usual) else { return Short::NotTaken };
        let peer = self.halves.get_mut(side.peer());
        shared.counters.acknowledged_bytes += peer_next.since(peer.acked);
        peer.acked = peer_next;
        let bytes = segment.payload;
        if bytes.is_empty() {
            shared.counters.empty += 1;
            return Short::Done;
        }
        let stamp = Stamp { ack: segment.ack, flags: segment.flags.0, now: shared.now };
        let recent = &mut cold.get_mut(side).recent;
        let before = recent.footprint();
        recent.push(segment.seq, bytes, stamp, &shared.hashing);
        let grown = recent.footprint() != before;
        let half = self.halves.get_mut(side);
        half.next = next + bytes.len() as u64;
        half.spoke = true;
        shared.counters.in_order += 1;
        shared.counters.delivered_bytes += bytes.len() as u64;
        let Segment { time, frame, source, .. } = *segment;
        let chunk = Chunk { side, at: next, bytes, peer_at: Some(peer_next), time, frame, source };
        sink.event(&self.info, &mut self.state, StreamEvent::Data(chunk));
        if grown { Short::Grown } else { Short::Done }
    }
}

impl FlowInfo {
    /// Whether what the segment's outer headers say is known, so that nothing is to be learned from it.
    const fn tells_of(&self, segment: &Segment<'_>) -> bool {
        (self.vlan.is_some() || segment.vlan.is_none())
            && (!self.overlay.tunnels.is_empty() || segment.overlay.tunnels.is_empty())
    }
}
