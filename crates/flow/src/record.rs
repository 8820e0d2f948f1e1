//! What the table keeps of one connection.

use crate::assembly::Assembly;
use crate::causality::{Causality, PATIENCE};
use crate::cold::ColdHalf;
use crate::half::{Half, Start};
use crate::outlet::{Outlet, Shared};
use crate::pair::Pair;
use crate::queues::Class;
use crate::{CloseReason, FlowInfo, Knock, KnockAnswer, Patience, StreamEvent, StreamSink};
use tapwire_wire::Side;

/// How long a tentative start waits for earlier bytes: nanoseconds.
const TENTATIVE_WAIT: i64 = 200_000_000;

/// How far a connection has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Neither payload nor a finished handshake.
    Embryonic,
    /// Anything else.
    Live,
    /// Both FINs are known.
    Closing,
    /// Reset; late packets are ignored, until one proves that the receiver ignored the reset.
    DeadByReset,
    /// Closed by both FINs; late packets are ignored.
    DeadByFin,
}

/// The hot record. What only connections with payload need is in `cold`.
pub(crate) struct Record<T> {
    pub(crate) info: FlowInfo,
    pub(crate) halves: Pair<Half>,
    pub(crate) cold: Option<Box<Pair<ColdHalf>>>,
    pub(crate) state: T,
    /// The table's time of the last packet.
    pub(crate) active: i64,
    /// When the waits of its holes are over, in the table's time; the key in the table's set of waits.
    pub(crate) waits_until: Option<i64>,
    /// Bytes counted against the budget.
    pub(crate) charged: usize,
    pub(crate) phase: Phase,
    /// Usual segments may take the short way.
    pub(crate) calm: bool,
    pub(crate) causality: Causality,
}

impl<T> Record<T> {
    pub(crate) const fn is_dead(&self) -> bool {
        matches!(self.phase, Phase::DeadByReset | Phase::DeadByFin)
    }

    /// The queue it belongs to.
    pub(crate) fn class<S: StreamSink<T>>(&self, sink: &S) -> Class {
        match self.phase {
            Phase::Embryonic => Class::Syn,
            Phase::Closing => Class::Closing,
            Phase::DeadByReset => Class::AfterReset,
            Phase::DeadByFin => Class::AfterFin,
            Phase::Live => match sink.patience(&self.state) {
                Patience::Idle => Class::Idle,
                Patience::Open => Class::Open,
                Patience::LongLived => Class::LongLived,
            },
        }
    }

    /// Bytes on the heap beside `T`'s.
    pub(crate) fn cold_footprint(&self) -> usize {
        self.cold.as_ref().map_or(0, |cold| {
            // One that waits has an entry in the set of waits too.
            size_of::<Pair<ColdHalf>>()
                + if self.waits_until.is_some() { crate::table::WAIT } else { 0 }
                + cold.get(Side::Lower).footprint()
                + cold.get(Side::Upper).footprint()
        })
    }

    /// Gives back what only a busy connection needs: the memory of its last segments, above all. What was not said yet
    /// stays.
    pub(crate) fn rest(&mut self) {
        let settled = |side: Side| {
            let (half, peer) = (self.halves.get(side), self.halves.get(side.peer()));
            self.cold.as_ref().is_none_or(|cold| cold.get(side).is_settled(half, peer))
        };
        if !self.causality.waiting && settled(Side::Lower) && settled(Side::Upper) {
            self.cold = None;
            self.calm = false;
        }
    }

    /// Where the FIN of that side is.
    pub(crate) fn fin(&self, side: Side) -> Option<crate::StreamOffset> {
        self.cold.as_ref().and_then(|cold| cold.get(side).fin)
    }

    /// When the first wait of its directions is over.
    pub(crate) fn wait(&self, gap_after: Option<i64>) -> Option<i64> {
        let lower = self.wait_of(Side::Lower, gap_after);
        let upper = self.wait_of(Side::Upper, gap_after);
        lower.into_iter().chain(upper).min()
    }

    /// When the wait of a direction is over, in the table's time: that of a tentative start, that for the other
    /// direction, or on a tap that of a hole.
    pub(crate) fn wait_of(&self, side: Side, gap_after: Option<i64>) -> Option<i64> {
        let cold = self.cold.as_ref()?.get(side);
        let half = self.halves.get(side);
        if cold.held.is_empty() && cold.fin.is_none() {
            return None;
        }
        if let Some(due) = cold.blocked(half) {
            return Some(due.since.saturating_add(PATIENCE));
        }
        let tentative = half.start == Start::Tentative;
        let after = if tentative { Some(TENTATIVE_WAIT) } else { gap_after.filter(|_| cold.has_hole(half)) };
        after.map(|after| cold.noticed.saturating_add(after))
    }

    /// Splits into one direction, made when it was not there, and the way to its listener.
    pub(crate) fn split<'a, S>(
        &'a mut self,
        side: Side,
        shared: &'a mut Shared,
        sink: &'a mut S,
    ) -> (Assembly<'a>, Outlet<'a, T, S>) {
        let Self { info, halves, cold, state, causality, .. } = self;
        let cold = cold.get_or_insert_default().get_mut(side);
        let (half, peer) = halves.split(side);
        (Assembly { side, half, cold, peer, causality }, Outlet { info, state, sink, shared })
    }

    /// Delivers everything held, where nothing else orders it the initiator's bytes first, then `Close`. The record is without state afterwards.
    pub(crate) fn close<S: StreamSink<T>>(&mut self, reason: CloseReason, shared: &mut Shared, sink: &mut S)
    where
        T: Default,
    {
        let first = self.info.initiator.unwrap_or(Side::Lower);
        self.give_up_in_turn(first, shared, sink);
        for side in [first, first.peer()] {
            let unseen = self.halves.get(side).acked > self.halves.get(side).next;
            if self.cold.is_some() || unseen {
                let (mut assembly, mut out) = self.split(side, shared, sink);
                assembly.flush(&mut out);
            }
        }
        sink.event(&self.info, &mut self.state, StreamEvent::Close(reason));
        if let Some(knock) = self.knock(reason) {
            sink.knocked(&self.info, knock);
        }
        let one_sided = self.halves.get(Side::Lower).spoke != self.halves.get(Side::Upper).spoke;
        shared.counters.flows_one_sided += u64::from(one_sided);
        self.state = T::default();
        self.cold = None;
    }

    /// What came of it, where it was asked for in sight and nobody sent a byte.
    fn knock(&self, reason: CloseReason) -> Option<Knock> {
        let client = self.info.initiator?;
        let (asked, other) = (self.halves.get(client), self.halves.get(client.peer()));
        if !asked.syn || !asked.is_empty() || !other.is_empty() {
            return None;
        }
        let answer = match (self.phase, other.syn, reason) {
            (Phase::Embryonic, true, _) => KnockAnswer::Abandoned,
            (Phase::Embryonic, false, CloseReason::Reset) => KnockAnswer::Refused,
            (Phase::Embryonic, false, _) => KnockAnswer::None,
            _ => KnockAnswer::Accepted,
        };
        Some(Knock { answer, at: asked.base })
    }
}
