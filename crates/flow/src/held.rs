//! Payload that waits for a hole to fill, or for the other direction to come as far as its sender had heard.

use crate::StreamOffset;
use crate::assembly::Arrival;
use crate::causality::Due;
use crate::pool::Pool;
use std::collections::VecDeque;
use tapwire_wire::{SourceId, Timestamp};

/// A copied part of one segment, or the knowledge that a capture cut bytes there. Never merged with its neighbours, so
/// that every byte keeps the acknowledgement number and the time of its own segment.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) at: StreamOffset,
    /// Empty when the capture cut the bytes.
    pub(crate) bytes: Vec<u8>,
    /// Bytes that the capture cut.
    pub(crate) cut: u32,
    pub(crate) peer_at: Option<StreamOffset>,
    pub(crate) time: Timestamp,
    pub(crate) frame: u64,
    pub(crate) source: SourceId,
    /// When it was held, in nanoseconds of the table's time.
    since: i64,
    /// A conflict about these bytes was reported.
    disputed: bool,
}

impl Held {
    pub(crate) fn new(at: StreamOffset, bytes: Vec<u8>, cut: u32, arrival: &Arrival<'_>) -> Self {
        let Arrival { peer_at, time, frame, source, .. } = *arrival;
        Self { at, bytes, cut, peer_at, time, frame, source, since: arrival.stamp.now, disputed: false }
    }

    /// What it waits for once it is in order.
    pub(crate) const fn due(&self) -> Due {
        Due { peer_at: self.peer_at, since: self.since }
    }

    /// The end of its bytes; cut bytes hold no place, since a copy with more of them may come.
    pub(crate) fn end(&self) -> StreamOffset {
        self.at + self.bytes.len() as u64
    }

    /// What a piece of so many bytes costs.
    pub(crate) fn cost(len: usize) -> usize {
        Pool::capacity_for(len) + size_of::<Self>()
    }
}

/// Held pieces by offset. Their bytes never overlap.
#[derive(Debug, Default)]
pub(crate) struct HeldList {
    pieces: VecDeque<Held>,
    /// Bytes, with what each piece costs beside its payload.
    cost: usize,
}

impl HeldList {
    pub(crate) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.pieces.len()
    }

    pub(crate) const fn cost(&self) -> usize {
        self.cost
    }

    /// Bytes of the list itself.
    pub(crate) fn footprint(&self) -> usize {
        self.pieces.capacity() * size_of::<Held>()
    }

    /// The first piece.
    pub(crate) fn front(&self) -> Option<&Held> {
        self.pieces.front()
    }

    /// Where the first piece begins.
    pub(crate) fn first(&self) -> Option<StreamOffset> {
        self.front().map(|piece| piece.at)
    }

    /// The end of the last piece, cut bytes included.
    pub(crate) fn end(&self) -> Option<StreamOffset> {
        self.pieces.back().map(|piece| piece.end() + u64::from(piece.cut))
    }

    pub(crate) fn pop(&mut self) -> Option<Held> {
        let piece = self.pieces.pop_front()?;
        self.cost = self.cost.saturating_sub(Held::cost(piece.bytes.len()));
        Some(piece)
    }

    pub(crate) fn insert(&mut self, piece: Held) {
        self.cost += Held::cost(piece.bytes.len());
        let at = self.pieces.partition_point(|other| other.at <= piece.at);
        self.pieces.insert(at, piece);
    }

    /// Whether so many bytes at `at` are known to be cut.
    pub(crate) fn has_cut(&self, at: StreamOffset, cut: u32) -> bool {
        let after = self.pieces.partition_point(|piece| piece.at < at);
        self.pieces.iter().skip(after).take_while(|piece| piece.at == at).any(|piece| piece.cut >= cut)
    }

    /// The end of the held bytes that cover `at`.
    pub(crate) fn covers(&self, at: StreamOffset) -> Option<StreamOffset> {
        let after = self.pieces.partition_point(|piece| piece.at <= at);
        let before = self.pieces.iter().take(after).rev().find(|piece| !piece.bytes.is_empty())?;
        Some(before.end()).filter(|end| *end > at)
    }

    /// Where the first bytes after `at` begin.
    pub(crate) fn next_after(&self, at: StreamOffset) -> Option<StreamOffset> {
        let after = self.pieces.partition_point(|piece| piece.at <= at);
        self.pieces.iter().skip(after).find(|piece| !piece.bytes.is_empty()).map(|piece| piece.at)
    }

    /// Compares new bytes with the held ones, and gives the start of the first conflict that was not reported before.
    pub(crate) fn conflict(&mut self, at: StreamOffset, bytes: &[u8]) -> Option<StreamOffset> {
        let end = at + bytes.len() as u64;
        let mut first = None;
        for piece in self.pieces.iter_mut().skip_while(|piece| piece.end() <= at) {
            if piece.at >= end {
                break;
            }
            if !piece.disputed && piece.differs(at, bytes) {
                piece.disputed = true;
                first.get_or_insert(piece.at.max(at));
            }
        }
        first
    }
}

impl Held {
    fn differs(&self, at: StreamOffset, bytes: &[u8]) -> bool {
        let ours = tail(&self.bytes, at.since(self.at));
        let theirs = tail(bytes, self.at.since(at));
        ours.iter().zip(theirs).any(|(one, other)| one != other)
    }
}

/// What follows the first `skip` bytes.
pub(crate) fn tail(bytes: &[u8], skip: u64) -> &[u8] {
    usize::try_from(skip).ok().and_then(|skip| bytes.get(skip..)).unwrap_or_default()
}

/// The first `len` bytes, or all.
pub(crate) fn head(bytes: &[u8], len: u64) -> &[u8] {
    usize::try_from(len).ok().and_then(|len| bytes.get(..len)).unwrap_or(bytes)
}
