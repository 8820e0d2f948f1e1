//! Where groups of peers lie: by endpoint and role, and all of an endpoint.

use crate::EndpointId;
use crate::hashing::Keyed;
use std::collections::HashMap;

/// What tells the callers of a role at an endpoint apart from others.
pub(super) const fn key(endpoint: EndpointId, role: u64) -> u64 {
    endpoint.0.rotate_left(17) ^ role
}

/// Places of groups.
pub(super) struct Index {
    by_key: HashMap<u64, u16, Keyed>,
    by_endpoint: HashMap<EndpointId, Vec<u16>, Keyed>,
}

impl Index {
    pub(super) fn new(hashing: Keyed) -> Self {
        Self { by_key: HashMap::with_hasher(hashing.clone()), by_endpoint: HashMap::with_hasher(hashing) }
    }

    pub(super) fn hashing(&self) -> &Keyed {
        self.by_key.hasher()
    }

    pub(super) fn get(&self, key: u64) -> Option<u16> {
        self.by_key.get(&key).copied()
    }

    /// The groups of an endpoint, in the order in which they came.
    pub(super) fn of(&self, endpoint: EndpointId) -> &[u16] {
        self.by_endpoint.get(&endpoint).map_or(&[], Vec::as_slice)
    }

    /// Of two groups of a key the first is found by it; the other keeps its place.
    pub(super) fn insert(&mut self, key: u64, endpoint: EndpointId, at: u16) {
        let first = self.by_key.entry(key).or_insert(at);
        *first = at.min(*first);
        self.by_endpoint.entry(endpoint).or_default().push(at);
    }

    pub(super) fn remove(&mut self, key: u64, endpoint: EndpointId, at: u16) {
        if self.get(key) == Some(at) {
            self.by_key.remove(&key);
        }
        let Some(places) = self.by_endpoint.get_mut(&endpoint) else { return };
        places.retain(|place| *place != at);
        if places.is_empty() {
            self.by_endpoint.remove(&endpoint);
        }
    }
}
