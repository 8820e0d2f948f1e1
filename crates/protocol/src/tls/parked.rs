//! Connections that have ended while their records wait for keys: a key log may be slower than a short connection.

use super::layer::Layer;
use super::shared::Shared;
use std::collections::{BTreeMap, BTreeSet};
use tapwire_flow::{CloseReason, FlowInfo};
use tapwire_wire::Timestamp;

/// Connections that are kept; the one that has waited longest gives way to another.
const MAX_PARKED: usize = 8_192;

/// When a connection has waited long enough, and its number.
type Place = (Timestamp, u64);

/// A connection that has ended while its records wait for keys.
#[derive(Debug)]
pub(crate) struct Parked {
    pub(crate) flow: FlowInfo,
    pub(crate) layer: Box<Layer>,
    /// How it ended.
    pub(crate) reason: CloseReason,
}

impl Parked {
    fn place(&self) -> Place {
        (self.layer.waits_until(), self.flow.id)
    }

    fn held(&self) -> usize {
        size_of::<Self>() + self.layer.held()
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Lot {
    /// In the order in which they have waited long enough.
    waiting: BTreeMap<Place, Parked>,
    /// By the client's random.
    by_random: BTreeSet<([u8; 32], Place)>,
    held: usize,
}

impl Lot {
    /// Whether there is any.
    pub(crate) fn is_some(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Bytes on the heap.
    pub(crate) const fn held(&self) -> usize {
        self.held
    }

    fn put(&mut self, parked: Parked) {
        let place = parked.place();
        self.held += parked.held();
        self.by_random.extend(parked.layer.random().map(|random| (random, place)));
        self.waiting.insert(place, parked);
    }

    fn take(&mut self, place: Place) -> Option<Parked> {
        let parked = self.waiting.remove(&place)?;
        self.held = self.held.saturating_sub(parked.held());
        if let Some(random) = parked.layer.random() {
            self.by_random.remove(&(random, place));
        }
        Some(parked)
    }

    /// Those of a session.
    fn of(&self, random: [u8; 32]) -> Vec<Place> {
        let first = (random, (Timestamp::MIN, 0));
        let own = self.by_random.range(first..).take_while(|(of, _)| *of == random);
        own.map(|(_, place)| *place).collect()
    }
}

impl Shared {
    /// Keeps a connection; gives the one that gives way, where there are too many.
    pub(crate) fn park(&mut self, parked: Parked) -> Option<Parked> {
        if let Some(random) = parked.layer.random() {
            self.keys.wait_for(random);
        }
        self.parked.put(parked);
        let is_full = self.parked.waiting.len() > MAX_PARKED || self.parked.held > self.config.waiting_bytes;
        is_full.then(|| self.unpark_oldest()).flatten()
    }

    /// The connection that has waited longest.
    pub(crate) fn unpark_oldest(&mut self) -> Option<Parked> {
        let (place, _) = self.parked.waiting.first_key_value()?;
        self.leave(*place)
    }

    /// The next connection whose keys have come, or that has waited long enough at `now`.
    pub(crate) fn unpark(&mut self, now: Timestamp) -> Option<Parked> {
        while let Some(random) = self.keys.next_found() {
            for place in self.parked.of(random) {
                let Some(mut parked) = self.parked.take(place) else { continue };
                let can_go_on = parked.layer.can_go_on(self);
                self.parked.put(parked);
                if can_go_on {
                    // Another one of the same session, such as a copy of it, is next.
                    self.keys.found_again(random);
                    return self.leave(place);
                }
            }
        }
        let (place, _) = self.parked.waiting.first_key_value().filter(|((until, _), _)| *until < now)?;
        self.leave(*place)
    }

    fn leave(&mut self, place: Place) -> Option<Parked> {
        let parked = self.parked.take(place)?;
        if let Some(random) = parked.layer.random().filter(|random| self.parked.of(*random).is_empty()) {
            self.keys.wait_no_more_for(&random);
        }
        Some(parked)
    }
}
