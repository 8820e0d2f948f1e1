//! One direction of a connection: from segments in any order to bytes in order and gaps.

use crate::causality::{Causality, Due};
use crate::cold::{ColdHalf, Silence};
use crate::half::{End, Half, NEAR, Start};
use crate::held::{Held, head, tail};
use crate::outlet::Outlet;
use crate::recent::{Stamp, Verdict};
use crate::{Chunk, Evidence, Gap, StreamEvent, StreamOffset, StreamSink};
use tapwire_wire::{Side, SourceId, Timestamp};

/// Segments after a hole that prove it lost, when the peer acknowledged beyond it.
const LATER_ACKNOWLEDGED: u32 = 3;

/// The same when nothing is heard of the peer.
const LATER_UNHEARD: u32 = 32;

/// The same when the peer keeps acknowledging up to the hole and no further: the network lost the bytes, they will be
/// sent again, and a round trip can carry this many segments. The out-of-order budget may end the wait sooner.
const LATER_AWAITED: u32 = 1_024;

/// Segments of the connection after which a tentative start is taken.
const LATER_TENTATIVE: u32 = 3;

/// Acknowledgements beyond the last byte seen, and nanoseconds since the first of them, that prove a direction with
/// nothing held to be silent for the capture: half of an asymmetric route, or a whole response lost. Far more than any
/// delay between the two directions of a mirror.
const SILENT: (u32, i64) = (64, 1_000_000_000);

/// The acknowledgements on a tap, where its gap time replaces the other bound.
const SILENT_ON_TAP: u32 = 3;

/// A segment placed in its direction's space.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrival<'a> {
    pub(crate) at: StreamOffset,
    pub(crate) bytes: &'a [u8],
    /// Bytes after them that the capture cut.
    pub(crate) cut: u32,
    pub(crate) fin: bool,
    pub(crate) peer_at: Option<StreamOffset>,
    pub(crate) time: Timestamp,
    pub(crate) frame: u64,
    pub(crate) source: SourceId,
    pub(crate) stamp: Stamp,
    /// Its TTL is clearly other than its sender's.
    pub(crate) odd_ttl: bool,
}

impl Arrival<'_> {
    fn end(&self) -> StreamOffset {
        self.at + self.bytes.len() as u64
    }

    /// The end of its bytes as the IP header states it.
    pub(crate) fn stated_end(&self) -> StreamOffset {
        self.end() + u64::from(self.cut)
    }
}

/// What became of a segment with payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    InOrder,
    OutOfOrder,
    Retransmission,
    SpanDuplicate,
    BeforeStart,
    AfterFin,
}

/// One direction, both parts.
pub(crate) struct Assembly<'a> {
    pub(crate) side: Side,
    pub(crate) half: &'a mut Half,
    pub(crate) cold: &'a mut ColdHalf,
    /// The other direction.
    pub(crate) peer: &'a Half,
    pub(crate) causality: &'a mut Causality,
}

impl Assembly<'_> {
    /// Whether something waits.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.cold.held.is_empty() || (self.cold.fin.is_some() && !self.half.finished())
    }

    /// Takes a segment with payload or FIN.
    pub(crate) fn accept<T, S: StreamSink<T>>(
        &mut self,
        arrival: &Arrival<'_>,
        out: &mut Outlet<'_, T, S>,
    ) -> Fate {
        let plain = arrival.cut == 0 && !arrival.fin && !arrival.bytes.is_empty();
        let next = plain && self.half.next == arrival.at && self.is_unobstructed();
        if next && !self.must_wait(arrival.peer_at, out.shared) {
            self.remember(arrival, arrival.at, arrival.bytes, out);
            self.deliver(arrival, arrival.at, arrival.bytes, out);
            return Fate::InOrder;
        }
        let had_hole = self.cold.has_hole(self.half);
        let fate = self.accept_any(arrival, out);
        if !had_hole && self.cold.has_hole(self.half) {
            self.notice(out.shared.now);
        } else if had_hole && fate == Fate::OutOfOrder && self.half.start != Start::Tentative {
            self.cold.later = self.cold.later.saturating_add(1);
        }
        if fate == Fate::Retransmission {
            self.cold.doubts.repeat();
        }
        self.settle(out);
        fate
    }

    /// Takes the peer's acknowledgement of this direction.
    pub(crate) fn acknowledged<T, S: StreamSink<T>>(&mut self, at: StreamOffset, out: &mut Outlet<'_, T, S>) {
        if self.half.start == Start::Tentative && self.half.next.since(at) <= NEAR {
            self.begin(at.min(self.half.next), out);
        }
        self.cold.awaited |= at == self.half.next;
        self.settle(out);
    }

    /// Hears an acknowledgement of bytes of which nothing is seen, not even later ones.
    pub(crate) fn acknowledged_unseen<T, S: StreamSink<T>>(&mut self, out: &mut Outlet<'_, T, S>) {
        let (next, now) = (self.half.next, out.shared.now);
        let Silence { until, since, acks } = &mut self.cold.silence;
        let Some(end) = until.filter(|until| *until > next) else {
            self.cold.silence = Silence { until: Some(self.half.acked), since: now, acks: 0 };
            return;
        };
        *acks = acks.saturating_add(1);
        let (enough, after) = match out.shared.config.gap_after_ms {
            Some(after) => (SILENT_ON_TAP, i64::from(after) * 1_000_000),
            None => SILENT,
        };
        let silent = *acks >= enough && now.saturating_sub(*since) >= after;
        let end = self.cold.fin.map_or(end, |fin| fin.min(end));
        // One number alone may be a FIN that was not captured.
        if silent && end.since(next) > 1 {
            self.lose(end, out);
        }
    }

    /// Nothing up to `at` will come: the capture lost more than a window holds.
    pub(crate) fn skip_to<T, S: StreamSink<T>>(&mut self, at: StreamOffset, out: &mut Outlet<'_, T, S>) {
        self.flush(out);
        self.lose(at, out);
    }

    /// Declares what is proven lost and delivers what follows.
    pub(crate) fn settle<T, S: StreamSink<T>>(&mut self, out: &mut Outlet<'_, T, S>) {
        if self.half.start == Start::Tentative && self.cold.later >= LATER_TENTATIVE {
            self.begin(self.half.next, out);
        }
        while let Some(end) = self.hole_proven_lost() {
            self.lose(end, out);
            self.drain(out);
        }
        self.reach_fin(out);
    }

    /// Gives up the first hole, a tentative start or a wait for the other direction, because its time is over.
    pub(crate) fn give_up<T, S: StreamSink<T>>(&mut self, out: &mut Outlet<'_, T, S>) {
        if self.half.start == Start::Tentative {
            self.begin(self.half.next, out);
        } else if self.cold.blocked(self.half).is_some() {
            self.give_up_wait(out);
            self.drain(out);
        } else if let Some(end) = self.cold.held.first().or(self.cold.fin) {
            self.lose(end, out);
            self.drain(out);
        }
        self.reach_fin(out);
    }

    /// Delivers everything held, holes as gaps, and then what was acknowledged and never seen.
    pub(crate) fn flush<T, S: StreamSink<T>>(&mut self, out: &mut Outlet<'_, T, S>) {
        while self.is_waiting() {
            self.give_up(out);
        }
        self.lose_unseen(out);
        self.reach_fin(out);
    }

    /// Declares lost what was acknowledged and never seen.
    pub(crate) fn lose_unseen<T, S: StreamSink<T>>(&mut self, out: &mut Outlet<'_, T, S>) {
        let unseen = self.half.acked.since(self.half.next);
        // One unseen number after the last byte is a FIN that was not captured: it takes a number and is no byte.
        if self.cold.fin.is_none() && unseen > 1 {
            self.lose(self.half.acked, out);
        }
    }

    fn is_unobstructed(&self) -> bool {
        self.cold.held.is_empty() && self.cold.fin.is_none() && self.half.start != Start::Tentative
    }

    fn accept_any<T, S: StreamSink<T>>(&mut self, arrival: &Arrival<'_>, out: &mut Outlet<'_, T, S>) -> Fate {
        self.withdraw_fin(arrival, out);
        let Some(arrival) = self.before_fin(arrival, out) else { return Fate::AfterFin };
        self.find_start(&arrival, out);
        let verdict = self.compare(&arrival, out);
        let fresh = self.place(&arrival, out);
        let cut = self.place_cut(&arrival, out);
        self.drain(out);
        fresh.or(cut).unwrap_or_else(|| self.fate_of_old(&arrival, verdict))
    }

    fn fate_of_old(&self, arrival: &Arrival<'_>, verdict: Verdict) -> Fate {
        match verdict {
            Verdict { mirrored: true, .. } => Fate::SpanDuplicate,
            _ if arrival.end() <= self.half.base && !arrival.bytes.is_empty() => Fate::BeforeStart,
            _ => Fate::Retransmission,
        }
    }

    /// Notes the FIN, and trims what lies after one that was noted before. `None` when nothing is left.
    fn before_fin<'a, T, S: StreamSink<T>>(
        &mut self,
        arrival: &Arrival<'a>,
        out: &mut Outlet<'_, T, S>,
    ) -> Option<Arrival<'a>> {
        if let Some(fin) = self.cold.fin.filter(|fin| arrival.stated_end() > *fin) {
            let bytes = head(arrival.bytes, fin.since(arrival.at));
            out.shared.counters.dropped_bytes += (arrival.bytes.len() - bytes.len()) as u64;
            return (!bytes.is_empty()).then_some(Arrival { bytes, cut: 0, fin: false, ..*arrival });
        }
        // A FIN before bytes that were already seen is not their sender's.
        let last = self.half.next.max(self.cold.held.end().unwrap_or(self.half.next));
        if arrival.fin && self.cold.fin.is_none() && arrival.stated_end() >= last {
            self.cold.fin = Some(arrival.stated_end());
            self.cold.fin_due = Due { peer_at: arrival.peer_at, since: arrival.stamp.now };
        } else if arrival.fin
            && self.cold.fin.is_none()
            && !self.cold.doubts.fin_withdrawn
            && self.half.next.since(arrival.stated_end()) > 1
        {
            // What was delivered from here on is nothing that the sender knows of. One number is the FIN's own.
            self.say_never_acknowledged(arrival.stated_end(), out);
        }
        Some(*arrival)
    }

    /// A sender that goes on behind its FIN did not send that FIN, or is not the one that goes on. Which of them is
    /// true cannot be told here; taking the bytes shows both. One byte alone is a keep-alive probe of a half-closed
    /// connection.
    fn withdraw_fin<T, S: StreamSink<T>>(&mut self, arrival: &Arrival<'_>, out: &mut Outlet<'_, T, S>) {
        let goes_on = |fin: &StreamOffset| arrival.at <= *fin && arrival.end().since(*fin) > 1;
        let Some(fin) = self.cold.fin.take_if(|fin| goes_on(fin)) else { return };
        self.half.end = End::Open;
        self.cold.doubts.fin_withdrawn = true;
        out.shared.counters.fins_withdrawn += 1;
        out.event(StreamEvent::Evidence(self.side, fin, Evidence::DataAfterFin));
    }

    fn say_never_acknowledged<T, S: StreamSink<T>>(&self, at: StreamOffset, out: &mut Outlet<'_, T, S>) {
        out.shared.counters.never_acknowledged += 1;
        out.event(StreamEvent::Evidence(self.side, at, Evidence::NeverAcknowledged));
        if self.cold.doubts.is_odd(at, self.half.next) {
            out.event(StreamEvent::Evidence(self.side, at, Evidence::TtlOutlier));
        }
    }

    /// Adjusts the start of a direction of which nothing was delivered.
    fn find_start<T, S: StreamSink<T>>(&mut self, arrival: &Arrival<'_>, out: &mut Outlet<'_, T, S>) {
        match self.half.start {
            Start::Unknown => {
                let sure = arrival.bytes.is_empty() || out.sink.looks_like_start(arrival.bytes);
                self.half.open(arrival.at, if sure { Start::Expected } else { Start::Tentative });
            }
            Start::Tentative if arrival.at <= self.half.next && !arrival.bytes.is_empty() => {
                self.half.restart(arrival.at);
                if out.sink.looks_like_start(arrival.bytes) {
                    self.half.start = Start::Expected;
                }
            }
            Start::Expected if arrival.at < self.half.next && self.half.next.since(arrival.at) <= NEAR => {
                self.half.restart(arrival.at);
            }
            _ => {}
        }
    }

    /// The start is `at`.
    fn begin<T, S: StreamSink<T>>(&mut self, at: StreamOffset, out: &mut Outlet<'_, T, S>) {
        self.half.restart(at);
        self.half.start = Start::Expected;
        self.notice(out.shared.now);
        self.drain(out);
    }

    fn compare<T, S: StreamSink<T>>(&mut self, arrival: &Arrival<'_>, out: &mut Outlet<'_, T, S>) -> Verdict {
        let Arrival { at, bytes, stamp, .. } = *arrival;
        let known = if self.half.spoke { self.half.next.since(at).min(bytes.len() as u64) } else { 0 };
        let verdict = self.cold.recent.check(at.seq(), bytes, known, stamp, &out.shared.hashing);
        if verdict.compared < known {
            let Arrival { peer_at, time, frame, source, odd_ttl, .. } = *arrival;
            let bytes = head(bytes, known);
            let chunk = Chunk { side: self.side, at, bytes, peer_at, time, frame, source };
            let odd_ttl = odd_ttl || self.cold.doubts.is_odd(at, at + known);
            out.event(StreamEvent::Again { chunk, odd_ttl });
        }
        let held = self.cold.held.conflict(at, bytes);
        let delivered = verdict.conflict.map(|distance| at + u64::from(distance));
        if let Some(at) = held.or(delivered) {
            out.shared.counters.overlap_conflicts += 1;
            out.event(StreamEvent::Evidence(self.side, at, Evidence::OverlapConflict));
            if arrival.odd_ttl || self.cold.doubts.is_odd(arrival.at, arrival.end()) {
                out.event(StreamEvent::Evidence(self.side, at, Evidence::TtlOutlier));
            }
        }
        verdict
    }

    /// Delivers or holds the bytes that are new. `None` when none is.
    fn place<T, S: StreamSink<T>>(
        &mut self,
        arrival: &Arrival<'_>,
        out: &mut Outlet<'_, T, S>,
    ) -> Option<Fate> {
        let (mut fresh, mut fate) = (self.hold_rest(arrival, out), None);
        let mut at = arrival.at.max(self.half.next);
        while let Some((begin, piece)) = self.next_piece(arrival, at) {
            let Some(placed) = self.place_piece(arrival, begin, piece, out) else {
                at = self.half.next;
                continue;
            };
            fresh += piece.len() as u64;
            self.remember(arrival, begin, piece, out);
            fate = Some(placed);
            at = (begin + piece.len() as u64).max(self.half.next);
        }
        out.shared.counters.duplicate_bytes += (arrival.bytes.len() as u64).saturating_sub(fresh);
        fate
    }

    /// Holds what lies behind held bytes of a segment that is in order, before these are reached: bytes that the capture had
    /// cut of them are lost at once then, and they may have come now. Gives how many bytes are new.
    fn hold_rest<T, S: StreamSink<T>>(&mut self, arrival: &Arrival<'_>, out: &mut Outlet<'_, T, S>) -> u64 {
        let mut fresh = 0;
        let first = self.cold.held.next_after(self.half.next).filter(|_| arrival.at <= self.half.next);
        let mut at = first.unwrap_or_else(|| arrival.end());
        while let Some((begin, piece)) = self.next_piece(arrival, at) {
            if !self.hold(arrival, begin, piece, out) {
                break;
            }
            fresh += piece.len() as u64;
            self.remember(arrival, begin, piece, out);
            at = begin + piece.len() as u64;
        }
        fresh
    }

    /// The first bytes of a segment from `at` on that are not held, as far as they go, and where they begin.
    fn next_piece<'a>(
        &self,
        arrival: &Arrival<'a>,
        mut at: StreamOffset,
    ) -> Option<(StreamOffset, &'a [u8])> {
        let end = arrival.end();
        while let Some(covered) = self.cold.held.covers(at).filter(|_| at < end) {
            at = covered;
        }
        let stop = self.cold.held.next_after(at).map_or(end, |next| next.min(end));
        let piece = || head(tail(arrival.bytes, at.since(arrival.at)), stop.since(at));
        (at < end).then(|| (at, piece()))
    }

    /// `None` when making room for it declared its first bytes lost, as part of bytes that the capture had cut before.
    fn place_piece<T, S: StreamSink<T>>(
        &mut self,
        arrival: &Arrival<'_>,
        at: StreamOffset,
        piece: &[u8],
        out: &mut Outlet<'_, T, S>,
    ) -> Option<Fate> {
        while at >= self.half.next {
            let in_order = at == self.half.next && self.half.start != Start::Tentative;
            if in_order && !self.must_wait(arrival.peer_at, out.shared) {
                self.deliver(arrival, at, piece, out);
                self.drain(out);
                return Some(Fate::InOrder);
            }
            if self.hold(arrival, at, piece, out) {
                return Some(Fate::OutOfOrder);
            }
            if in_order {
                self.waive(arrival.peer_at, out);
            } else {
                self.make_room(at, out);
            }
        }
        None
    }

    /// Gives up what delays the held bytes: a wait for the other direction, or the first hole as far as `at`.
    fn make_room<T, S: StreamSink<T>>(&mut self, at: StreamOffset, out: &mut Outlet<'_, T, S>) {
        if let Some(due) = self.cold.blocked(self.half) {
            self.waive(due.peer_at, out);
            return self.drain(out);
        }
        out.shared.counters.gaps_for_memory += 1;
        if self.half.start == Start::Tentative {
            return self.begin(self.half.next, out);
        }
        let first = self.cold.held.first().map_or(at, |first| first.min(at));
        self.lose(first, out);
        if first < at {
            self.drain(out);
        }
    }

    fn hold<T, S>(
        &mut self,
        arrival: &Arrival<'_>,
        at: StreamOffset,
        piece: &[u8],
        out: &mut Outlet<'_, T, S>,
    ) -> bool {
        let limit = out.shared.config.out_of_order_per_direction;
        if self.cold.held.cost().saturating_add(Held::cost(piece.len())) > limit {
            return false;
        }
        let Some(buffer) = out.shared.pool.copy(piece) else { return false };
        out.shared.counters.held_bytes += piece.len() as u64;
        self.cold.held.insert(Held::new(at, buffer, 0, arrival));
        true
    }

    /// Bytes that the capture cut are lost as soon as they are reached. `None` when they are nothing new.
    fn place_cut<T, S: StreamSink<T>>(
        &mut self,
        arrival: &Arrival<'_>,
        out: &mut Outlet<'_, T, S>,
    ) -> Option<Fate> {
        let known =
            arrival.stated_end() <= self.half.next || self.cold.held.has_cut(arrival.end(), arrival.cut);
        if arrival.cut == 0 || known {
            return None;
        }
        let reached = self.half.start != Start::Tentative
            && arrival.end() <= self.half.next
            && !self.must_wait(arrival.peer_at, out.shared);
        let limit = out.shared.config.out_of_order_per_direction;
        if !reached && self.cold.held.cost().saturating_add(Held::cost(0)) <= limit {
            self.cold.held.insert(Held::new(arrival.end(), Vec::new(), arrival.cut, arrival));
            return Some(Fate::OutOfOrder);
        }
        if !reached {
            self.make_room(arrival.end(), out);
        }
        self.cold.lost_until = self.cold.lost_until.max(Some(arrival.stated_end()));
        Some(Fate::InOrder)
    }

    /// Delivers held pieces that are in order now, and declares cut bytes lost.
    pub(crate) fn drain<T, S: StreamSink<T>>(&mut self, out: &mut Outlet<'_, T, S>) {
        if self.half.start == Start::Tentative {
            return;
        }
        let from = self.half.next;
        loop {
            let first = self.cold.held.first();
            if first.is_some_and(|first| first <= self.half.next) {
                if self.holds_back(out) {
                    break;
                }
                self.deliver_first_held(out);
            } else if let Some(end) = self.cold.lost_until.filter(|end| *end > self.half.next) {
                self.lose(first.map_or(end, |first| first.min(end)), out);
            } else {
                break;
            }
        }
        if self.half.next != from {
            self.notice(out.shared.now);
        }
    }

    fn deliver_first_held<T, S: StreamSink<T>>(&mut self, out: &mut Outlet<'_, T, S>) {
        let Some(piece) = self.cold.held.pop() else { return };
        if piece.cut > 0 {
            self.cold.lost_until = self.cold.lost_until.max(Some(piece.at + u64::from(piece.cut)));
            return;
        }
        let Held { at, peer_at, time, frame, source, .. } = piece;
        let chunk = Chunk { side: self.side, at, bytes: &piece.bytes, peer_at, time, frame, source };
        let held = &mut out.shared.counters.held_bytes;
        *held = held.saturating_sub(piece.bytes.len() as u64);
        self.say(chunk, out);
        out.shared.pool.give_back(piece.bytes);
    }

    fn deliver<T, S: StreamSink<T>>(
        &mut self,
        arrival: &Arrival<'_>,
        at: StreamOffset,
        bytes: &[u8],
        out: &mut Outlet<'_, T, S>,
    ) {
        let Arrival { peer_at, time, frame, source, .. } = *arrival;
        self.say(Chunk { side: self.side, at, bytes, peer_at, time, frame, source }, out);
    }

    fn say<T, S: StreamSink<T>>(&mut self, chunk: Chunk<'_>, out: &mut Outlet<'_, T, S>) {
        self.half.next = chunk.at + chunk.bytes.len() as u64;
        self.half.start = Start::Certain;
        self.half.spoke = true;
        out.shared.counters.delivered_bytes += chunk.bytes.len() as u64;
        self.half.end = self.half.end.spoken();
        out.event(StreamEvent::Data(chunk));
    }

    /// Declares the bytes before `end` lost.
    fn lose<T, S: StreamSink<T>>(&mut self, end: StreamOffset, out: &mut Outlet<'_, T, S>) {
        let at = self.half.next;
        let len = end.since(at);
        if len == 0 {
            return;
        }
        let acknowledged = self.half.acked.min(end).since(at);
        self.half.next = end;
        self.half.start = Start::Certain;
        out.shared.counters.gaps += 1;
        out.shared.counters.gap_bytes += len;
        out.shared.counters.missed_bytes += acknowledged;
        let acked_at = self.cold.receipts.find(end);
        let gap = Gap { side: self.side, at, len, acknowledged, acked_at, time: out.shared.time };
        self.half.end = self.half.end.spoken();
        out.event(StreamEvent::Gap(gap));
    }

    /// The end of the first hole, when the evidence suffices.
    fn hole_proven_lost(&self) -> Option<StreamOffset> {
        let in_order = self.half.start != Start::Tentative;
        let end = self.cold.held.first().filter(|first| in_order && *first > self.half.next)?;
        let enough = if self.half.acked >= end {
            LATER_ACKNOWLEDGED
        } else if self.cold.awaited {
            LATER_AWAITED
        } else {
            LATER_UNHEARD
        };
        (self.cold.later >= enough).then_some(end)
    }

    /// A hole is the first one from now on; the pieces held behind it are later segments.
    fn notice(&mut self, now: i64) {
        let held = u32::try_from(self.cold.held.len()).unwrap_or(u32::MAX);
        self.cold.later = if self.half.start == Start::Tentative { 0 } else { held };
        self.cold.awaited = false;
        self.cold.noticed = now;
    }

    fn reach_fin<T, S: StreamSink<T>>(&mut self, out: &mut Outlet<'_, T, S>) {
        let reached = self.cold.fin.is_some_and(|fin| self.half.next >= fin);
        let due = reached && self.half.start != Start::Tentative && !self.half.finished();
        if !due || self.must_wait(self.cold.fin_due.peer_at, out.shared) {
            return;
        }
        if std::mem::replace(&mut self.half.end, End::Reached) == End::Open {
            out.event(StreamEvent::Fin(self.side));
        }
    }

    fn remember<T, S>(
        &mut self,
        arrival: &Arrival<'_>,
        at: StreamOffset,
        bytes: &[u8],
        out: &Outlet<'_, T, S>,
    ) {
        self.cold.recent.push(at.seq(), bytes, arrival.stamp, &out.shared.hashing);
    }
}
