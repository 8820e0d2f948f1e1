//! Figures of everything, summed in steps, so that no call waits for all endpoints.

use super::ground::Looks;
use super::table::{Kpis, Sensed};
use crate::openapi::{State, States};
use crate::{Endpoint, Inventory};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Sums that are under way.
pub(crate) struct Reckoning {
    states: States,
    place: usize,
    kpis: Kpis,
    /// Endpoints of each service that are described.
    documented: BTreeMap<Arc<str>, u64>,
}

impl Reckoning {
    pub(crate) fn new(inventory: &Inventory, sensed: &Sensed) -> Self {
        let kpis = Kpis::nothing(sensed.not_kept);
        Self { states: inventory.states(), place: 0, kpis, documented: BTreeMap::new() }
    }

    /// Goes through so many places of endpoints; whether these were the last.
    pub(crate) fn step(&mut self, inventory: &Inventory, places: usize) -> bool {
        let end = self.place.saturating_add(places).min(inventory.endpoint_places());
        let looks = Looks::of(inventory, std::mem::take(&mut self.states));
        let mut mine = Vec::new();
        for endpoint in (self.place..end).filter_map(|place| inventory.endpoint_at(place)) {
            self.add(&looks, endpoint, &mut mine);
        }
        self.states = looks.into_states();
        self.place = end;
        end >= inventory.endpoint_places()
    }

    fn add<'a>(&mut self, looks: &Looks<'a>, endpoint: &'a Endpoint, mine: &mut Vec<Option<super::Part>>) {
        let ground = looks.ground(endpoint);
        if ground.is(State::Documented) {
            *self.documented.entry(Arc::clone(&endpoint.service)).or_default() += 1;
        }
        self.kpis.endpoint(&ground, mine);
    }

    /// What there is beside endpoints, added to their sums.
    pub(crate) fn finish(mut self, inventory: &Inventory, sensed: &Sensed) -> Kpis {
        self.kpis.others(inventory, sensed, &self.documented);
        self.kpis
    }
}
