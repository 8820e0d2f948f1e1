//! What KPIs are computed from: endpoints and services, with what has to be looked up of each once.

use super::Part;
use crate::context::Zone;
use crate::openapi::{State, StateSet, States};
use crate::{Endpoint, Inventory, Schema, Service};
use std::sync::Arc;
use tapwire_inspect::classes::{ClassId, ClassKind, Sensitivity};
use tapwire_wire::Timestamp;

/// A service that is known for less is still being learned: everything of it is new.
const LEARNING: i64 = 86_400_000_000_000;

/// An endpoint, judged.
pub(crate) struct Ground<'a> {
    pub(crate) endpoint: &'a Endpoint,
    states: StateSet,
    /// Whether it is as its description says; `None` where it is not described.
    pub(crate) conforms: Option<bool>,
    /// Whether its answers carry sensitive data; `None` where none could be read.
    pub(crate) sensitive: Option<bool>,
    /// Whether requests to somebody else carry sensitive data; `None` where it is not somebody else's.
    pub(crate) gives_away: Option<bool>,
    /// Whether its service is known for long enough to tell what is new.
    pub(crate) settled: bool,
    /// Who answers for it.
    pub(crate) owner: Option<Arc<str>>,
    /// Whether files say who answers for what.
    pub(crate) owners_known: bool,
    pub(crate) tags: Vec<Arc<str>>,
}

impl Ground<'_> {
    pub(crate) fn is(&self, state: State) -> bool {
        self.states.contains(state)
    }

    /// Whether its service is described.
    pub(crate) fn is_described(&self) -> bool {
        self.is(State::Documented) || self.is(State::Shadow)
    }

    /// Calls that were answered with 2xx.
    pub(crate) const fn accepted(&self) -> u64 {
        let [_, accepted, ..] = self.endpoint.status.classes;
        accepted
    }

    /// Calls without credential and certificate that were answered with 2xx.
    pub(crate) const fn open(&self) -> u64 {
        self.endpoint.proofs.open.saturating_sub(self.endpoint.conduct.certified)
    }

    /// Calls of which the status was seen.
    pub(crate) fn answered(&self) -> u64 {
        self.endpoint.status.classes.iter().sum()
    }
}

/// A service, counted.
pub(crate) struct Area<'a> {
    pub(crate) service: &'a Service,
    /// Operations of it that are described and were not seen.
    pub(crate) orphans: u64,
    /// Endpoints of it that are described.
    pub(crate) documented: u64,
    /// Days that had begun when the last call came, from that of the first call of all services on.
    pub(crate) days: u64,
    /// Exchanges that were not seen whole or surely, of all of it.
    pub(crate) unpaired: Part,
}

/// What is looked up once for all endpoints.
pub(crate) struct Looks<'a> {
    inventory: &'a Inventory,
    states: States,
}

impl<'a> Looks<'a> {
    pub(crate) fn new(inventory: &'a Inventory) -> Self {
        Self::of(inventory, inventory.states())
    }

    pub(crate) const fn of(inventory: &'a Inventory, states: States) -> Self {
        Self { inventory, states }
    }

    /// What states are found by, for the next step.
    pub(crate) fn into_states(self) -> States {
        self.states
    }

    /// Every endpoint, judged.
    pub(crate) fn grounds(&self) -> impl Iterator<Item = Ground<'a>> {
        self.inventory.endpoints().map(|endpoint| self.ground(endpoint))
    }

    pub(crate) fn ground(&self, endpoint: &'a Endpoint) -> Ground<'a> {
        let service = self.inventory.service_named(&endpoint.service);
        let about = self.inventory.about(endpoint);
        Ground {
            endpoint,
            states: self.states.of(self.inventory, endpoint),
            conforms: self.inventory.conforms(endpoint),
            sensitive: is_sensitive(endpoint),
            gives_away: is_elsewhere(about.zone.as_deref()).then(|| gives_away(endpoint)),
            settled: service.is_some_and(|service| service.last_seen.since(service.first_seen) > LEARNING),
            owner: about.owner,
            owners_known: self.inventory.context().has_owners(),
            tags: about.tags,
        }
    }
}

/// Whether answers carry sensitive data: a class of medium sensitivity and above, or one of the configuration. What opens
/// something is left out: it comes with every login, and other KPIs look at credentials.
fn is_sensitive(endpoint: &Endpoint) -> Option<bool> {
    let answers = endpoint.schemas()?.answers().iter();
    let mut read = answers.filter(|one| one.class == 2 && one.body.format.is_some()).peekable();
    read.peek()?;
    Some(read.any(|one| has_sensitive(&one.body.schema)))
}

/// Whether parameters or bodies of requests carry such data.
fn gives_away(endpoint: &Endpoint) -> bool {
    endpoint.schemas().is_some_and(|schemas| {
        has_sensitive(schemas.parameters()) || schemas.requests().iter().any(|one| has_sensitive(&one.schema))
    })
}

fn has_sensitive(schema: &Schema) -> bool {
    let counts = |class: ClassId| {
        class
            .builtin()
            .is_none_or(|class| class.kind != ClassKind::Secret && class.sensitivity >= Sensitivity::Medium)
    };
    schema.nodes().iter().flat_map(|node| node.data_classes()).any(counts)
}

/// Whether a zone is somebody else's.
fn is_elsewhere(zone: Option<&str>) -> bool {
    [Zone::Partner, Zone::Public].iter().any(|known| zone == Some(known.name()))
}

/// Days from that of the first call to that of the last, both counted.
pub(crate) fn days(inventory: &Inventory) -> u64 {
    let first = inventory.services().map(|service| service.first_seen).min();
    let last = inventory.services().map(|service| service.last_seen).max();
    let (Some(first), Some(last)) = (first, last) else { return 0 };
    u64::try_from(day(last) - day(first) + 1).unwrap_or(0)
}

/// A day by its number, from 1970 on, in UTC.
pub(crate) const fn day(time: Timestamp) -> i64 {
    time.nanos().div_euclid(86_400_000_000_000)
}
