//! What one request carries.

use std::ops::Range;

use super::Limits;
use crate::{Batch, Tally};

/// Whole lines of one batch.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    batch: Batch,
    range: Range<usize>,
    pub(super) amount: Tally,
    /// Offset in the spool behind its last event; without a spool the number of the last event.
    pub(super) until: u64,
}

impl Piece {
    fn new(batch: &Batch, range: Range<usize>, events: u32, until: u64) -> Self {
        let amount = Tally::of(events, range.len());
        Self { batch: batch.clone(), range, amount, until }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.batch.bytes().get(self.range.clone()).unwrap_or_default()
    }
}

/// The lines of one request, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Load {
    pub(crate) pieces: Vec<Piece>,
    pub(crate) amount: Tally,
}

impl Load {
    pub(super) fn add(&mut self, piece: Piece) {
        self.amount.add(piece.amount);
        self.pieces.push(piece);
    }

    /// Its events, each with its line end.
    pub(crate) fn lines(&self) -> impl Iterator<Item = &[u8]> {
        self.pieces.iter().flat_map(|piece| piece.bytes().split_inclusive(|byte| *byte == b'\n'))
    }

    /// The offset up to which the receiver has everything once it has this.
    pub(crate) fn until(&self) -> u64 {
        self.pieces.iter().map(|piece| piece.until).max().unwrap_or_default()
    }

    /// The lines whose place `keep` names, as a load of their own; the offset of the whole goes with them.
    pub(crate) fn only(&self, keep: impl Fn(usize) -> bool) -> Self {
        let mut load = Self::default();
        let mut place = 0;
        for piece in &self.pieces {
            let mut at = piece.range.start;
            for line in piece.bytes().split_inclusive(|byte| *byte == b'\n') {
                if keep(place) {
                    load.add(Piece::new(&piece.batch, at..at + line.len(), 1, 0));
                }
                (place, at) = (place + 1, at + line.len());
            }
        }
        if let Some(last) = load.pieces.last_mut() {
            last.until = self.until();
        }
        load
    }

    /// Two loads of about half its events, in order. The first does not move the offset.
    pub(crate) fn halves(&self) -> (Self, Self) {
        let half = usize::try_from(self.amount.events / 2).unwrap_or_default();
        let mut first = self.only(|place| place < half);
        first.pieces.iter_mut().for_each(|piece| piece.until = 0);
        (first, self.only(|place| place >= half))
    }
}

/// Cuts a batch between lines so that each piece fits a request. A line that is longer is a piece by itself. `until` is
/// the batch's last offset.
pub(super) fn split(batch: &Batch, until: u64, limits: &Limits) -> Vec<Piece> {
    let (length, events) = (batch.bytes().len(), batch.events());
    if length <= limits.request_bytes && events <= limits.request_events {
        return vec![Piece::new(batch, 0..length, events, until)];
    }
    let first = until.saturating_sub(events.into());
    let piece = |range: Range<usize>, events: u32, left: u32| {
        let behind = if until == 0 { 0 } else { until - u64::from(left) };
        Piece::new(batch, range, events, behind.max(first))
    };
    let mut pieces = Vec::new();
    let (mut start, mut end, mut lines, mut left) = (0, 0, 0u32, events);
    for line in batch.bytes().split_inclusive(|b| *b == b'\n') {
        let over = end + line.len() - start > limits.request_bytes || lines == limits.request_events;
        if over && lines > 0 {
            let taken = lines.min(left);
            left -= taken;
            pieces.push(piece(start..end, taken, left));
            (start, lines) = (end, 0);
        }
        end += line.len();
        lines += 1;
    }
    // What the batch claims is what is counted, whatever its lines say.
    pieces.push(piece(start..end, left, 0));
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn limits(request_bytes: usize, request_events: u32) -> Limits {
        Limits { request_bytes, request_events, delay: Duration::ZERO, queue_bytes: 1000, spool_bytes: 0 }
    }

    fn batch(lines: u32) -> Batch {
        Batch::new((0..lines).map(|n| format!("{n:07}\n")).collect::<String>().into_bytes(), lines)
    }

    #[test]
    fn pieces_are_whole_lines_within_the_limits_and_lose_nothing() {
        let batch = batch(10);
        for (bytes, events) in [(24, 100), (25, 100), (1000, 3), (1, 100), (1000, 1)] {
            let pieces = split(&batch, 110, &limits(bytes, events));
            let joined: Vec<u8> = pieces.iter().flat_map(|p| p.bytes().to_vec()).collect();
            assert_eq!(joined, batch.bytes());
            assert_eq!(pieces.iter().map(|p| p.amount.events).sum::<u64>(), 10);
            assert!(pieces.iter().all(|p| p.bytes().ends_with(b"\n")));
            assert!(pieces.iter().all(|p| p.amount.events <= u64::from(events)));
            assert!(pieces.iter().all(|p| p.bytes().len() <= bytes.max(8)));
            let mut behind = 100;
            for piece in &pieces {
                behind += piece.amount.events;
                assert_eq!(piece.until, behind);
            }
        }
    }

    #[test]
    fn halves_and_chosen_lines_keep_order_and_offset() {
        let mut load = Load::default();
        split(&batch(7), 107, &limits(24, 100)).into_iter().for_each(|piece| load.add(piece));
        let text = |load: &Load| load.lines().map(|l| l[6] - b'0').collect::<Vec<_>>();
        let (first, second) = load.halves();
        assert_eq!((text(&first), text(&second)), (vec![0, 1, 2], vec![3, 4, 5, 6]));
        assert_eq!((first.until(), second.until()), (0, 107));
        let some = load.only(|place| place == 2 || place == 5);
        assert_eq!((text(&some), some.amount.events, some.until()), (vec![2, 5], 2, 107));
    }
}
