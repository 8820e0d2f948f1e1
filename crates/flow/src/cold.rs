//! What a direction needs once it carries payload.

use crate::StreamOffset;
use crate::causality::Due;
use crate::half::{Half, NEAR};
use crate::held::HeldList;
use crate::recent::Recent;
use crate::unusual::Doubts;
use tapwire_wire::SeqNumber;

/// The part of a direction that only exists once payload or a FIN was seen.
#[derive(Debug)]
pub(crate) struct ColdHalf {
    pub(crate) recent: Recent,
    pub(crate) held: HeldList,
    /// The position of the FIN.
    pub(crate) fin: Option<StreamOffset>,
    /// What the FIN waits for once it is reached.
    pub(crate) fin_due: Due,
    /// Acknowledgements of the other direction up to here are not waited for, or not any more.
    pub(crate) waived: Option<StreamOffset>,
    /// What would be waited for if waiting had not proven vain.
    pub(crate) forgone: Due,
    /// The capture cut the bytes up to here.
    pub(crate) lost_until: Option<StreamOffset>,
    /// Segments since the first hole was noticed.
    pub(crate) later: u32,
    /// The peer still acknowledges up to the hole.
    pub(crate) awaited: bool,
    /// When the first hole was noticed, in nanoseconds of the table's time.
    pub(crate) noticed: i64,
    /// Acknowledged bytes of which nothing was seen.
    pub(crate) silence: Silence,
    /// Segments out of the window.
    pub(crate) strays: Strays,
    /// Where the peer stood when it acknowledged bytes that are not delivered.
    pub(crate) receipts: Receipts,
    /// Bytes that their receiver may never have had.
    pub(crate) doubts: Doubts,
}

/// Where the peer stood when it acknowledged bytes of a direction that were not delivered yet: the first time and the
/// last. Between them it is forgotten.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Receipts {
    first: Option<Receipt>,
    latest: Option<Receipt>,
}

#[derive(Debug, Clone, Copy)]
struct Receipt {
    /// Up to here an earlier one acknowledged.
    after: StreamOffset,
    until: StreamOffset,
    /// The peer's position.
    at: StreamOffset,
}

impl Receipts {
    /// At `at`, the peer raises its acknowledgement, beyond `next`, which is not delivered.
    pub(crate) fn add(
        &mut self,
        after: StreamOffset,
        until: StreamOffset,
        at: StreamOffset,
        next: StreamOffset,
    ) {
        let current = |receipt: &Receipt| receipt.until > next;
        let latest = self.latest.filter(current);
        // A peer that is silent acknowledges many segments from one position.
        let fresh = match latest {
            Some(latest) if latest.at == at => Receipt { until, ..latest },
            _ => Receipt { after, until, at },
        };
        let first = self.first.filter(current).or(latest).filter(|first| first.after != fresh.after);
        *self = Self { first: first.or(Some(fresh)), latest: Some(fresh) };
    }

    /// Where the peer stood when it first acknowledged everything before `end`.
    pub(crate) fn find(&self, end: StreamOffset) -> Option<StreamOffset> {
        let mut receipts = self.first.iter().chain(&self.latest);
        receipts.find(|receipt| receipt.after < end && end <= receipt.until).map(|receipt| receipt.at)
    }
}

/// A watch over bytes that were acknowledged while nothing of them was seen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Silence {
    /// The bytes before this one; nothing is watched when they were reached.
    pub(crate) until: Option<StreamOffset>,
    /// The table's time of the first acknowledgement, in nanoseconds.
    pub(crate) since: i64,
    /// Acknowledgements after it.
    pub(crate) acks: u32,
}

/// Segments out of the window, one after the other.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Strays {
    next: SeqNumber,
    count: u32,
}

impl Strays {
    /// How many segments in a row continue each other, with this one.
    pub(crate) fn add(&mut self, seq: SeqNumber, len: u32) -> u32 {
        let distance = i64::from(seq.distance(self.next));
        let near = self.count > 0 && distance.unsigned_abs() <= NEAR;
        // One that lies behind is a second copy.
        if !near || distance >= 0 {
            self.count = if near { self.count.saturating_add(1) } else { 1 };
            self.next = seq.add(len);
        }
        self.count
    }
}

impl Default for ColdHalf {
    fn default() -> Self {
        Self {
            recent: Recent::default(),
            held: HeldList::default(),
            fin: None,
            fin_due: Due::default(),
            waived: None,
            forgone: Due::default(),
            lost_until: None,
            later: 0,
            awaited: false,
            noticed: 0,
            silence: Silence { until: None, since: 0, acks: 0 },
            strays: Strays::default(),
            receipts: Receipts::default(),
            doubts: Doubts::default(),
        }
    }
}

impl ColdHalf {
    /// Whether nothing that is still to be said depends on it.
    pub(crate) fn is_settled(&self, half: &Half, peer: &Half) -> bool {
        let reached = |at: Option<StreamOffset>, next: StreamOffset| at.is_none_or(|at| at <= next);
        self.held.is_empty()
            && self.fin.is_none()
            && half.acked <= half.next
            && reached(self.lost_until, half.next)
            && reached(self.waived, peer.next)
    }

    /// Bytes on the heap, without out-of-order payload.
    pub(crate) fn footprint(&self) -> usize {
        self.recent.footprint() + self.held.footprint()
    }
}
