//! What a sensor knows of an endpoint beside its calls.

use std::sync::Arc;
use tapwire_inventory::context::About;
use tapwire_inventory::{Endpoint, EndpointId, Inventory, Orphan, Rated, Risks, State};
use tapwire_wire::Timestamp;

/// An endpoint as the sensor rates it. Method, template and operation come from traffic or from a description.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownEndpoint {
    /// Its id.
    pub id: EndpointId,
    /// Its method.
    pub method: Arc<str>,
    /// Its path template.
    pub template: Arc<str>,
    /// Its operation, where that is not method and template.
    pub operation: Option<Arc<str>>,
    /// When it was called for the first and for the last time; `None` where it is only described.
    pub seen: Option<(Timestamp, Timestamp)>,
    /// Its states.
    pub states: Vec<State>,
    /// Exposure and threat; what was not seen has none.
    pub scores: Option<[Rated; 2]>,
    /// What files say of it.
    pub about: About,
}

impl KnownEndpoint {
    /// An endpoint that was called.
    pub fn of(inventory: &Inventory, risks: &Risks<'_>, endpoint: &Endpoint) -> Self {
        Self {
            id: endpoint.id,
            method: Arc::clone(&endpoint.method),
            template: Arc::clone(&endpoint.template),
            operation: endpoint.operation.clone(),
            seen: Some((endpoint.first_seen, endpoint.last_seen)),
            states: risks.states(endpoint).iter().collect(),
            scores: Some([risks.exposure(endpoint), risks.threat(endpoint)]),
            about: inventory.about(endpoint),
        }
    }

    /// One that is only described.
    pub fn unseen(inventory: &Inventory, orphan: &Orphan) -> Self {
        Self {
            id: orphan.id,
            method: (&*orphan.method).into(),
            template: Arc::clone(&orphan.template),
            operation: None,
            seen: None,
            states: orphan.states().to_vec(),
            scores: None,
            about: inventory.about_path(&orphan.service, &orphan.template),
        }
    }
}
