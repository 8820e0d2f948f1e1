//! Looking ahead: what the next segments need is fetched from memory side by side.
//!
//! With thousands of connections nearly everything that a segment touches lies outside the caches, and one step waits for
//! the other: index, record, listener's state. Plain reads of several connections in a row do not wait for each other,
//! so a burst pays for its slowest read and not for all of them. Nothing is decided here and nothing changes.

use super::FlowTable;
use crate::StreamSink;
use crate::record::Record;
use std::hint::black_box;
use tapwire_wire::{Segment, Side};

/// Segments looked at together. More would push each other out of the first cache.
const AHEAD: usize = 16;

/// Where a segment's connection seems to be.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    pub(super) hash: u32,
    /// It may be another's by the time it is needed, so its key is compared again.
    pub(super) slot: u32,
}

impl Place {
    /// No segment.
    const NONE: Self = Self { hash: 0, slot: u32::MAX };
}

impl<T: Default> FlowTable<T> {
    /// Looks where the connections of these segments are and fetches what handling them will need; beyond the first 16
    /// none is looked at. For [`FlowTable::handle_at`].
    pub fn expect<S: StreamSink<T>>(&self, segments: &[Option<Segment<'_>>], sink: &S) -> [Place; AHEAD] {
        let mut places = [Place::NONE; AHEAD];
        for (place, segment) in places.iter_mut().zip(segments) {
            if let Some(segment) = segment {
                place.hash = self.shared.hashing.key(&segment.key);
                self.index.touch(place.hash);
            }
        }
        for (place, segment) in places.iter_mut().zip(segments) {
            if segment.is_some() {
                place.slot = self.index.guess(place.hash).unwrap_or(u32::MAX);
                self.record(place.slot).into_iter().for_each(Record::touch);
            }
        }
        for record in places.iter().filter_map(|place| self.record(place.slot)) {
            record.touch_cold();
            sink.warm(&record.state);
        }
        places
    }
}

impl<T> Record<T> {
    /// Reads from each part of the hot record.
    fn touch(&self) {
        black_box(self.info.id);
        black_box(self.halves.get(Side::Upper).next);
        black_box(self.active);
        black_box(self.cold.is_some());
    }

    fn touch_cold(&self) {
        let Some(cold) = &self.cold else { return };
        for side in [Side::Lower, Side::Upper] {
            let cold = cold.get(side);
            black_box(cold.later);
            black_box(cold.held.is_empty());
            cold.recent.touch();
        }
    }
}
