//! The causal order of the two directions of a connection.
//!
//! A tap with a port for each direction, or a mirror that reorders, shows a response before its request. The
//! acknowledgement number tells: what a host sent after it had heard bytes comes after them. So payload or a FIN that
//! acknowledges more of the other direction than was delivered or declared lost is held, under the budgets of
//! out-of-order payload, until the other direction is there. Loss in the capture looks the same; therefore the wait
//! is short, and a connection on which it proves vain again and again is not made to wait.
//!
//! A direction of which a connection has shown nothing may be late too: then the first exchange would come in the wrong
//! order. Or an asymmetric route hides it, and then it is hidden on every connection. So it is waited for until the
//! whole table has done so in vain several times in a row.

use crate::assembly::Assembly;
use crate::cold::ColdHalf;
use crate::half::{Half, NEAR, Start};
use crate::outlet::{Outlet, Shared};
use crate::pair::Pair;
use crate::record::Record;
use crate::{StreamOffset, StreamSink};
use tapwire_wire::Side;

/// How long payload waits for the other direction: nanoseconds. The directions of a mirror are apart by a few
/// milliseconds at most.
pub(crate) const PATIENCE: i64 = 20_000_000;

/// Pieces that one direction holds while it waits for the other.
const CROWD: usize = 32;

/// Waits in vain, one after the other, after which a connection does not wait, and after which no connection of the
/// table waits for a side of which it has seen nothing.
const VAIN: u8 = 8;

/// What something that is held waits for.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Due {
    /// The acknowledgement number of its segment.
    pub(crate) peer_at: Option<StreamOffset>,
    /// When it was held, in nanoseconds of the table's time.
    pub(crate) since: i64,
}

/// What a connection remembers of waiting for its other direction. Part of the hot record.
#[derive(Debug, Default)]
pub(crate) struct Causality {
    /// Sides of which a packet was seen.
    shown: Pair<bool>,
    /// A direction may wait for the other.
    pub(crate) waiting: bool,
    /// Waits in vain since the last one that was not.
    vain: u8,
}

impl Causality {
    /// Sees a packet of that side; whether it is the first.
    pub(crate) const fn show(&mut self, side: Side) -> bool {
        !std::mem::replace(self.shown.get_mut(side), true)
    }

    /// Nothing waits, and both sides have shown a packet.
    pub(crate) const fn is_at_rest(&self) -> bool {
        !self.waiting && *self.shown.get(Side::Lower) && *self.shown.get(Side::Upper)
    }

    /// Counts a wait in vain for that side.
    const fn despair(&mut self, of: Side, shared: &mut Shared) {
        self.vain = next_vain(self.vain);
        if !*self.shown.get(of) {
            shared.vain_unheard = next_vain(shared.vain_unheard);
        }
    }
}

impl ColdHalf {
    /// What the first bytes or the FIN wait for, when they are in order and held all the same.
    pub(crate) fn blocked(&self, half: &Half) -> Option<Due> {
        if half.start == Start::Tentative {
            return None;
        }
        let piece = self.held.front().filter(|piece| piece.at <= half.next);
        let fin = || self.fin.filter(|fin| half.next >= *fin && !half.finished());
        piece.map(|piece| piece.due()).or_else(|| fin().map(|_| self.fin_due))
    }

    /// Whether the first bytes held, or the FIN, are not in order.
    pub(crate) fn has_hole(&self, half: &Half) -> bool {
        let first = self.held.first().or(self.fin);
        first.is_some_and(|first| first > half.next || half.start == Start::Tentative)
    }
}

impl Assembly<'_> {
    /// Whether what acknowledges `peer_at` has to wait for the other direction.
    pub(crate) fn must_wait(&mut self, peer_at: Option<StreamOffset>, shared: &Shared) -> bool {
        peer_at.is_some_and(|at| at > self.peer.next && self.should_wait(at, shared))
    }

    #[cold]
    fn should_wait(&mut self, at: StreamOffset, shared: &Shared) -> bool {
        let expected = self.peer.is_open()
            && !self.peer.finished()
            && at.since(self.peer.next) <= NEAR
            && Some(at) > self.cold.waived;
        if !expected {
            return false;
        }
        let heard = *self.causality.shown.get(self.side.peer());
        let patient = self.causality.vain < VAIN && (heard || shared.vain_unheard < VAIN);
        // What is forgone for an unheard side is looked at when its first packet comes, and at no packet before.
        self.causality.waiting |= heard || patient;
        if !patient {
            self.cold.forgone = Due { peer_at: Some(at), since: shared.now };
        }
        patient
    }

    /// Whether the first piece held, which is in order, has to wait for the other direction.
    pub(crate) fn holds_back<T, S: StreamSink<T>>(&mut self, out: &mut Outlet<'_, T, S>) -> bool {
        let Some(due) = self.cold.held.front().map(|piece| piece.due()) else { return false };
        if !self.must_wait(due.peer_at, out.shared) {
            return false;
        }
        let crowded = self.cold.held.len() > CROWD;
        if crowded {
            self.give_up_wait(out);
        }
        !crowded
    }

    /// Waits no longer for what delays the first bytes: it was in vain.
    pub(crate) fn give_up_wait<T, S: StreamSink<T>>(&mut self, out: &mut Outlet<'_, T, S>) {
        if let Some(due) = self.cold.blocked(self.half) {
            self.causality.despair(self.side.peer(), out.shared);
            self.waive(due.peer_at, out);
        }
    }

    /// Nothing waits for an acknowledgement of `peer_at` from now on.
    pub(crate) fn waive<T, S: StreamSink<T>>(
        &mut self,
        peer_at: Option<StreamOffset>,
        out: &mut Outlet<'_, T, S>,
    ) {
        out.shared.counters.waits_given_up += 1;
        self.cold.waived = self.cold.waived.max(peer_at);
    }

    /// Delivers what need not wait any longer; whether that was anything.
    fn resume<T, S: StreamSink<T>>(&mut self, out: &mut Outlet<'_, T, S>) -> bool {
        let before = (self.half.next, self.half.finished());
        self.drain(out);
        self.settle(out);
        before != (self.half.next, self.half.finished())
    }
}

impl<T> Record<T> {
    /// Hears the first packet of a side: what waits for it, on whatever connection, does not wait in vain.
    #[cold]
    pub(crate) fn hear_first(&mut self, side: Side, at: StreamOffset, shared: &mut Shared) {
        if self.is_awaited(side, at, shared.now) {
            shared.vain_unheard = 0;
        }
    }

    /// Hears fresh bytes at `at`: what waits for them does not wait in vain.
    pub(crate) fn hear_late(&mut self, side: Side, at: StreamOffset, now: i64) {
        if !self.is_awaited(side, at, now) {
            return;
        }
        self.causality.vain = 0;
        if let Some(cold) = &mut self.cold {
            cold.get_mut(side.peer()).forgone = Due::default();
        }
    }

    /// Whether the other side waits for what is at `at`, or would if waiting had not proven vain.
    fn is_awaited(&self, side: Side, at: StreamOffset, now: i64) -> bool {
        let half = self.halves.get(side.peer());
        let Some(cold) = self.cold.as_ref().map(|cold| cold.get(side.peer())) else { return false };
        let timely = |due: &Due| now.saturating_sub(due.since) < PATIENCE;
        let due = cold.blocked(half).or(Some(cold.forgone).filter(timely));
        due.and_then(|due| due.peer_at).is_some_and(|until| at < until)
    }

    /// Delivers in causal order what waited for the other direction and need not any longer.
    pub(crate) fn release<S: StreamSink<T>>(&mut self, shared: &mut Shared, sink: &mut S) {
        if self.cold.is_none() {
            return;
        }
        loop {
            self.resume_in_turn(shared, sink);
            let (lower, upper) = (self.blocked(Side::Lower), self.blocked(Side::Upper));
            let (Some(lower), Some(upper)) = (lower, upper) else { break };
            // Two that wait for each other: one is sent again and acknowledges more than when its bytes were first
            // sent. That is the later one, and its bytes are the earlier ones.
            let (side, due) =
                if lower.since > upper.since { (Side::Lower, lower) } else { (Side::Upper, upper) };
            let (mut assembly, mut out) = self.split(side, shared, sink);
            assembly.waive(due.peer_at, &mut out);
        }
        let waits = |side| self.blocked(side).is_some() || self.forgoes(side, shared.now);
        self.causality.waiting = waits(Side::Lower) || waits(Side::Upper);
    }

    fn resume_in_turn<S: StreamSink<T>>(&mut self, shared: &mut Shared, sink: &mut S) {
        let (mut side, mut idle) = (Side::Lower, 0);
        while idle < 2 {
            let (mut assembly, mut out) = self.split(side, shared, sink);
            idle = if assembly.resume(&mut out) { 1 } else { idle + 1 };
            side = side.peer();
        }
    }

    fn blocked(&self, side: Side) -> Option<Due> {
        self.cold.as_ref()?.get(side).blocked(self.halves.get(side))
    }

    fn forgoes(&self, side: Side, now: i64) -> bool {
        let heard = *self.causality.shown.get(side.peer());
        let forgone = self.cold.as_ref().filter(|_| heard).map(|cold| cold.get(side).forgone);
        forgone.is_some_and(|due| due.peer_at.is_some() && now.saturating_sub(due.since) < PATIENCE)
    }

    /// Gives up everything that something waits for, holes first, so that what is left comes in causal order.
    pub(crate) fn give_up_in_turn<S: StreamSink<T>>(
        &mut self,
        first: Side,
        shared: &mut Shared,
        sink: &mut S,
    ) {
        if self.cold.is_none() {
            return;
        }
        self.release(shared, sink);
        while let Some(side) = self.stuck(first) {
            // At the end, what was acknowledged and never seen is lost; only then is the wait for it in vain.
            if self.blocked(side).is_some() {
                self.end_unheard(side.peer(), shared);
                let (mut peer, mut out) = self.split(side.peer(), shared, sink);
                peer.lose_unseen(&mut out);
                self.release(shared, sink);
            }
            if self.blocked(side).is_some() || self.has_hole(side) {
                let (mut assembly, mut out) = self.split(side, shared, sink);
                assembly.give_up(&mut out);
                self.release(shared, sink);
            }
        }
    }

    /// Nothing is left to be heard of that side. If nothing was, what waits for it did so in vain.
    fn end_unheard(&mut self, side: Side, shared: &mut Shared) {
        if !*self.causality.shown.get(side) {
            self.causality.despair(side, shared);
        }
    }

    /// The side to give up something on: one with a hole if there is one, and `first` if it is both.
    fn stuck(&self, first: Side) -> Option<Side> {
        let sides = [first, first.peer()];
        let hole = sides.into_iter().find(|side| self.has_hole(*side));
        hole.or_else(|| sides.into_iter().find(|side| self.blocked(*side).is_some()))
    }

    fn has_hole(&self, side: Side) -> bool {
        self.cold.as_ref().is_some_and(|cold| cold.get(side).has_hole(self.halves.get(side)))
    }
}

/// Counts one more, as far as it matters.
const fn next_vain(vain: u8) -> u8 {
    if vain < VAIN { vain + 1 } else { VAIN }
}
