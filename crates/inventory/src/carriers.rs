//! Exchanges that go on after they were reported: where their messages belong, and what they are part of.

use crate::EndpointId;
use crate::hashing::Keyed;
use std::collections::{BTreeMap, HashMap};
use tapwire_inspect::{Observation, Operation};
use tapwire_protocol::{ChildKind, Seen, Uid};

/// Exchanges that are remembered at once; the oldest makes room.
const MAX_CARRIERS: usize = 16_384;

/// What is known of an exchange that carries messages.
#[derive(Debug, Clone)]
pub(crate) struct Carrier {
    /// Where it was placed, if anywhere.
    pub(crate) endpoint: Option<EndpointId>,
    /// What it calls.
    pub(crate) operation: Operation,
}

/// Every exchange that goes on and whose path does not say what it calls: of the others a message's own head says all.
pub(crate) struct Carriers {
    known: HashMap<Uid, (u64, Carrier), Keyed>,
    /// Their order in time.
    order: BTreeMap<u64, Uid>,
    next: u64,
}

impl Carriers {
    pub(crate) fn new(hashing: Keyed) -> Self {
        Self { known: HashMap::with_hasher(hashing), order: BTreeMap::new(), next: 0 }
    }

    /// An exchange was placed: if it goes on, its messages will ask for it.
    pub(crate) fn placed(&mut self, observation: &Observation, endpoint: Option<EndpointId>) {
        let goes_on = |half: &tapwire_protocol::Message| half.seen == Seen::Ongoing;
        let exchange = &observation.exchange;
        if exchange.child.is_some() || !exchange.response.as_deref().is_some_and(goes_on) {
            return;
        }
        let Some(operation) = observation.operation().cloned() else { return };
        let uid = exchange.uid();
        self.forget(uid);
        if self.known.len() >= MAX_CARRIERS
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.known.remove(&oldest);
        }
        self.known.insert(uid, (self.next, Carrier { endpoint, operation }));
        self.order.insert(self.next, uid);
        self.next += 1;
    }

    /// What carries this message. With its end it is forgotten.
    pub(crate) fn of(&mut self, observation: &Observation) -> Option<Carrier> {
        let child = observation.exchange.child.as_ref()?;
        let parent = child.parent?;
        match child.kind {
            ChildKind::Message => self.known.get(&parent).map(|(_, carrier)| carrier.clone()),
            ChildKind::End(_) => self.forget(parent),
        }
    }

    fn forget(&mut self, uid: Uid) -> Option<Carrier> {
        let (place, carrier) = self.known.remove(&uid)?;
        self.order.remove(&place);
        Some(carrier)
    }
}
