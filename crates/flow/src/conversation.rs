//! What one segment does to its connection.

use crate::assembly::{Arrival, Fate};
use crate::half::{Half, NEAR, Start};
use crate::outlet::Shared;
use crate::recent::Stamp;
use crate::record::{Phase, Record};
use crate::{Evidence, StreamEvent, StreamOffset, StreamSink};
use tapwire_wire::{Segment, SeqNumber, Side, TcpFlags};

/// What the table has to do after a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Nothing.
    Open,
    /// A reset was accepted.
    Reset,
    /// Both FINs were reached and acknowledged.
    Finished,
    /// The segment belongs to another connection, and was not counted.
    Replaced,
}

/// Segments in a row, out of the window but continuing each other, that are believed.
const STRAYS_BELIEVED: u32 = 3;

impl<T> Record<T> {
    /// Whether the segment begins another connection on the same addresses and ports.
    pub(crate) fn is_replaced_by(&self, segment: &Segment<'_>) -> bool {
        let half = self.halves.get(segment.side);
        if segment.flags.has(TcpFlags::RST) {
            return false;
        }
        if segment.flags.has(TcpFlags::SYN) {
            return !half.can_begin_with(segment.seq);
        }
        self.is_dead() && !segment.payload.is_empty() && !half.in_window(half.offset(segment.seq))
    }

    /// Takes a segment of this connection.
    pub(crate) fn handle<S: StreamSink<T>>(
        &mut self,
        segment: &Segment<'_>,
        shared: &mut Shared,
        sink: &mut S,
    ) -> Outcome {
        if segment.flags.has(TcpFlags::RST) {
            return self.handle_reset(segment, shared, sink);
        }
        if segment.flags.has(TcpFlags::SYN) {
            self.take_syn(segment);
        }
        let first = if segment.flags.has(TcpFlags::SYN) { segment.seq.add(1) } else { segment.seq };
        let at = self.halves.get(segment.side).offset(first);
        if !self.halves.get(segment.side).in_window(at)
            && let Some(outcome) = self.handle_stray(segment, at, shared, sink)
        {
            return outcome;
        }
        let odd_ttl = !self.halves.get(segment.side).ttls.has(segment.ttl) && self.watch_ttl(segment, at);
        if segment.flags.0 & (TcpFlags::SYN | TcpFlags::URG) != 0 && !segment.payload.is_empty() {
            self.note_unusual(segment, at, sink);
        }
        if self.causality.show(segment.side) {
            self.hear_first(segment.side, at, shared);
        }
        if segment.fragment_conflict {
            let evidence = StreamEvent::Evidence(segment.side, at, Evidence::FragmentConflict);
            sink.event(&self.info, &mut self.state, evidence);
        }
        let peer_at = segment.ack.map(|ack| self.take_ack(segment, at, ack, shared, sink));
        self.count_for_tentative(shared, sink);
        self.take_payload(segment, at, peer_at, odd_ttl, shared, sink);
        if self.causality.waiting {
            self.release(shared, sink);
        }
        self.progress(segment)
    }

    fn handle_reset<S: StreamSink<T>>(
        &mut self,
        segment: &Segment<'_>,
        shared: &mut Shared,
        sink: &mut S,
    ) -> Outcome {
        shared.counters.rst += 1;
        shared.counters.dropped_bytes += segment.payload.len() as u64;
        let (half, peer) = (self.halves.get(segment.side), self.halves.get(segment.side.peer()));
        let at = half.offset(segment.seq);
        // A refused connection is reset with sequence number 0 and an acknowledgement of the SYN (RFC 9293, 3.10.7.1).
        let refused =
            || segment.ack.is_some_and(|ack| peer.is_open() && peer.accepts_reset(peer.offset(ack)));
        let other_ttl = half.ttls.is_odd(segment.ttl);
        if if half.is_open() { half.accepts_reset(at) } else { refused() } {
            if other_ttl {
                let evidence = StreamEvent::Evidence(segment.side, at, Evidence::ResetWithOtherTtl);
                sink.event(&self.info, &mut self.state, evidence);
            }
            return Outcome::Reset;
        }
        shared.counters.rst_out_of_window += 1;
        let evidence = StreamEvent::Evidence(segment.side, at, Evidence::ResetOutOfWindow);
        sink.event(&self.info, &mut self.state, evidence);
        Outcome::Open
    }

    /// Takes a segment out of the window. `None` when it is believed after all: then it is in the window now.
    ///
    /// A sequence and an acknowledgement number that both fit nowhere are another connection whose SYN was not
    /// captured. When only the sequence number is far ahead, a few segments that continue each other prove a great loss.
    fn handle_stray<S: StreamSink<T>>(
        &mut self,
        segment: &Segment<'_>,
        at: StreamOffset,
        shared: &mut Shared,
        sink: &mut S,
    ) -> Option<Outcome> {
        let len = u32::try_from(segment.payload.len()).unwrap_or(u32::MAX);
        let peer = self.halves.get(segment.side.peer());
        let fits = segment.ack.map(|ack| peer.is_open() && peer.in_window(peer.offset(ack)));
        let (mut assembly, mut out) = self.split(segment.side, shared, sink);
        let proven = len > 0 && assembly.cold.strays.add(segment.seq, len) >= STRAYS_BELIEVED;
        match fits {
            Some(false) if len > 0 => return Some(Outcome::Replaced),
            // The start was only the peer's word, and this is the sender's, of whom nothing is held.
            Some(true) if len > 0 && assembly.half.start == Start::Expected && !assembly.is_waiting() => {
                assembly.half.open(at, Start::Expected);
                return None;
            }
            // Nothing can be lost behind a FIN.
            Some(true) if proven && at > assembly.half.next && assembly.cold.fin.is_none() => {
                assembly.skip_to(at, &mut out);
                return None;
            }
            _ => {}
        }
        shared.counters.out_of_window += 1;
        shared.counters.dropped_bytes += u64::from(len);
        if len > 0 {
            let evidence = StreamEvent::Evidence(segment.side, at, Evidence::DataOutOfWindow);
            sink.event(&self.info, &mut self.state, evidence);
        }
        Some(Outcome::Open)
    }

    fn take_syn(&mut self, segment: &Segment<'_>) {
        let half = self.halves.get_mut(segment.side);
        if half.syn {
            return;
        }
        let by = if segment.flags.has(TcpFlags::ACK) { segment.side.peer() } else { segment.side };
        self.info.initiator.get_or_insert(by);
        half.take_syn(segment.seq);
    }

    /// Gives the acknowledgement number as an offset of the peer's direction.
    fn take_ack<S: StreamSink<T>>(
        &mut self,
        segment: &Segment<'_>,
        own_at: StreamOffset,
        ack: SeqNumber,
        shared: &mut Shared,
        sink: &mut S,
    ) -> StreamOffset {
        let side = segment.side.peer();
        let fin = self.fin(side);
        let half = self.halves.get_mut(side);
        let before = half.acked;
        shared.counters.acknowledged_bytes += half.acknowledge(ack, fin);
        let (at, unseen, half_next) = (half.offset(ack), half.acked > half.next, half.next);
        let held = self.cold.as_ref().map(|cold| !cold.get(side).held.is_empty());
        // An acknowledgement alone is no reason to make the cold part.
        if unseen && (held.is_some() || !segment.payload.is_empty() || segment.cut > 0) {
            self.sign(side, before, own_at);
        }
        let Some(held) = held else { return at };
        if at < half_next {
            self.watch_stall(side, shared, sink);
        }
        if held || unseen {
            let (mut assembly, mut out) = self.split(side, shared, sink);
            if held { assembly.acknowledged(at, &mut out) } else { assembly.acknowledged_unseen(&mut out) }
        }
        at
    }

    /// Remembers where the peer of that side stood when it raised its acknowledgement from `before`.
    #[cold]
    fn sign(&mut self, side: Side, before: StreamOffset, peer_at: StreamOffset) {
        let (half, peer) = (self.halves.get(side), self.halves.get(side.peer()));
        // Until a connection shows payload, nothing is remembered. If the first is the first of its sender, then all
        // its acknowledgements came from there.
        let first = self.cold.is_none() && peer_at == peer.next;
        let before = if first { half.next } else { before };
        if half.acked > before {
            // What the peer sends again is old, and its acknowledgement is not.
            let peer_at = peer_at.max(peer.next);
            let cold = self.cold.get_or_insert_default().get_mut(side);
            cold.receipts.add(before, half.acked, peer_at, half.next);
        }
    }

    /// Each later segment of the connection makes it less likely that earlier bytes than the held ones follow.
    fn count_for_tentative<S: StreamSink<T>>(&mut self, shared: &mut Shared, sink: &mut S) {
        for side in [Side::Lower, Side::Upper] {
            if self.halves.get(side).start == Start::Tentative {
                let (mut assembly, mut out) = self.split(side, shared, sink);
                assembly.cold.later += 1;
                assembly.settle(&mut out);
            }
        }
    }

    fn take_payload<S: StreamSink<T>>(
        &mut self,
        segment: &Segment<'_>,
        at: StreamOffset,
        peer_at: Option<StreamOffset>,
        odd_ttl: bool,
        shared: &mut Shared,
        sink: &mut S,
    ) {
        let fin = segment.flags.has(TcpFlags::FIN);
        let len = segment.payload.len() as u64 + u64::from(segment.cut);
        let half = self.halves.get_mut(segment.side);
        if len <= 1 && !fin && half.is_probed_at(at) && !segment.flags.has(TcpFlags::SYN) {
            shared.counters.keep_alive += 1;
            shared.counters.dropped_bytes += segment.payload.len() as u64;
            return;
        }
        if len == 0 && !fin {
            if !half.is_open() {
                half.open(at, Start::Expected);
            }
            let syn = segment.flags.has(TcpFlags::SYN);
            *(if syn { &mut shared.counters.syn } else { &mut shared.counters.empty }) += 1;
            return;
        }
        let Segment { payload: bytes, cut, time, frame, source, .. } = *segment;
        let stamp = Stamp { ack: segment.ack, flags: segment.flags.0, now: shared.now };
        let arrival = Arrival { at, bytes, cut, fin, peer_at, time, frame, source, stamp, odd_ttl };
        let (mut assembly, mut out) = self.split(segment.side, shared, sink);
        let fate = assembly.accept(&arrival, &mut out);
        if self.causality.waiting && matches!(fate, Fate::InOrder | Fate::OutOfOrder) {
            self.hear_late(segment.side, at, shared.now);
        }
        count(segment, fate, shared);
    }

    /// How far the connection has come after a segment.
    fn progress(&mut self, segment: &Segment<'_>) -> Outcome {
        let payload = !segment.payload.is_empty() || segment.cut > 0;
        let handshake = segment.flags.0 & (TcpFlags::SYN | TcpFlags::ACK) == TcpFlags::ACK
            && self.info.initiator == Some(segment.side);
        if self.phase == Phase::Embryonic && (payload || handshake) {
            self.phase = Phase::Live;
        }
        let [lower, upper] = [Side::Lower, Side::Upper].map(|side| self.fin(side).map(|fin| (side, fin)));
        let (Some(lower), Some(upper)) = (lower, upper) else {
            if self.phase == Phase::Closing {
                self.phase = Phase::Live;
            }
            return Outcome::Open;
        };
        self.phase = Phase::Closing;
        let done = |(side, fin): (Side, StreamOffset)| {
            let half = self.halves.get(side);
            half.finished() && half.acked > fin
        };
        if done(lower) && done(upper) { Outcome::Finished } else { Outcome::Open }
    }
}

impl Half {
    /// Whether a keep-alive probe would stand at `at`: one number before the next (RFC 9293, 3.8.4).
    fn is_probed_at(&self, at: StreamOffset) -> bool {
        matches!(self.start, Start::Expected | Start::Certain) && at + 1 == self.next
    }

    /// Whether a SYN with this number can be the one of this direction: the same again, or one that comes late.
    fn can_begin_with(&self, isn: SeqNumber) -> bool {
        let at = self.offset(isn.add(1));
        let known = if self.syn || self.start == Start::Certain { self.base } else { self.next };
        !self.is_open() || at == known || (!self.syn && known.since(at) > 0 && known.since(at) <= NEAR)
    }

    /// Takes a SYN that [`Half::can_begin_with`] allows.
    fn take_syn(&mut self, isn: SeqNumber) {
        let at = self.offset(isn.add(1));
        match self.start {
            Start::Unknown => self.open(at, Start::Certain),
            Start::Certain => self.base = at,
            Start::Expected | Start::Tentative => self.restart(at),
        }
        self.start = Start::Certain;
        self.syn = true;
    }
}

fn count(segment: &Segment<'_>, fate: Fate, shared: &mut Shared) {
    let counters = &mut shared.counters;
    let bare = segment.payload.is_empty() && segment.cut == 0;
    match fate {
        _ if bare => counters.fin += 1,
        Fate::InOrder => counters.in_order += 1,
        Fate::OutOfOrder => counters.out_of_order += 1,
        Fate::Retransmission => counters.retransmissions += 1,
        Fate::SpanDuplicate => counters.span_duplicates += 1,
        Fate::BeforeStart => counters.before_start += 1,
        Fate::AfterFin => counters.after_fin += 1,
    }
    let Some(source) = counters.source(segment.source) else { return };
    source.retransmissions += u64::from(fate == Fate::Retransmission && !bare);
    source.span_duplicates += u64::from(fate == Fate::SpanDuplicate && !bare);
}
