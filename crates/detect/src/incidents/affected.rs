//! What is known of the endpoints and callers of an incident beside it, at the time it is told.

use super::{Incident, Suggestion};
use std::sync::Arc;
use tapwire_inventory::context::Side;
use tapwire_inventory::{AgentFamily, EndpointId, Inventory, Network, Principal};
use tapwire_wire::Timestamp;

/// An endpoint that an incident is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Affected {
    /// Its name for good.
    pub id: EndpointId,
    /// Its service.
    pub service: Arc<str>,
    /// Its method, as sent.
    pub method: Arc<str>,
    /// Its template.
    pub template: Arc<str>,
    /// Its operation, where one path has many.
    pub operation: Option<Arc<str>>,
    /// Classes of sensitive data it carries.
    pub data_classes: Vec<String>,
    /// Who answers for it.
    pub owner: Option<Arc<str>>,
    /// The zone of its servers.
    pub zone: Option<Arc<str>>,
    /// Who reaches it: `public`, `partner` or `internal`, by the most open network that calls came from.
    pub exposure: &'static str,
}

/// A caller behind an incident, and how it usually calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Usual {
    /// Its name.
    pub principal: Principal,
    /// Its first call, to the second.
    pub first_seen: Timestamp,
    /// Its calls, all of them.
    pub calls: u32,
    /// Services it called, at most four.
    pub services: Vec<Arc<str>>,
    /// Networks it came from, at most three.
    pub networks: Vec<Network>,
    /// Programs it called with.
    pub agents: Vec<AgentFamily>,
}

/// What is known beside an incident.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Beside {
    /// Its endpoints that are known still.
    pub endpoints: Vec<Affected>,
    /// Its callers that are known still.
    pub callers: Vec<Usual>,
    /// What could be done, and whom it would hit.
    pub suggestions: Vec<Suggestion>,
}

impl Incident {
    /// What is known beside it.
    pub fn beside(&self, inventory: &Inventory) -> Beside {
        Beside {
            endpoints: self.affected(inventory),
            callers: self.usual(inventory),
            suggestions: self.suggestions(inventory),
        }
    }

    /// Its endpoints that are known still.
    fn affected(&self, inventory: &Inventory) -> Vec<Affected> {
        let known = self.endpoints.iter().filter_map(|id| inventory.endpoint(*id));
        let mut all: Vec<Affected> = Vec::new();
        for endpoint in known {
            // Two of them may have been merged into one.
            if all.iter().any(|other| other.id == endpoint.id) {
                continue;
            }
            let about = inventory.about(endpoint);
            let classes = endpoint.data_classes();
            let clients = &endpoint.usage.clients;
            all.push(Affected {
                id: endpoint.id,
                service: Arc::clone(&endpoint.service),
                method: Arc::clone(&endpoint.method),
                template: Arc::clone(&endpoint.template),
                operation: endpoint.operation.clone(),
                data_classes: classes.iter().map(|one| inventory.class_name(one.class).to_owned()).collect(),
                owner: about.owner,
                zone: about.zone,
                exposure: match (clients.of(Side::Public), clients.of(Side::Partner)) {
                    (1.., _) => "public",
                    (0, 1..) => "partner",
                    (0, 0) => "internal",
                },
            });
        }
        all
    }

    fn usual(&self, inventory: &Inventory) -> Vec<Usual> {
        let known = self.callers.iter().filter_map(|caller| inventory.principals().caller(caller.token));
        let name = |index: &usize| inventory.service_at(*index).map(|service| Arc::clone(&service.name));
        let usual = known.map(|caller| Usual {
            principal: caller.principal,
            first_seen: caller.first_seen,
            calls: caller.calls,
            services: caller.services.0.iter().filter_map(name).collect(),
            networks: caller.networks.0,
            agents: caller.agents,
        });
        usual.collect()
    }

    /// What to do, of the worst first, each once, at most 8.
    pub fn next_steps(&self) -> Vec<&'static str> {
        let mut moments: Vec<_> = self.timeline.iter().collect();
        moments.sort_by_key(|moment| (std::cmp::Reverse(moment.severity), moment.time));
        let mut steps = Vec::new();
        let infos = moments
            .into_iter()
            .filter_map(|moment| crate::DETECTORS.iter().find(|info| info.name == moment.detector));
        for step in infos.flat_map(|info| info.next_steps) {
            if !steps.contains(step) && steps.len() < 8 {
                steps.push(*step);
            }
        }
        steps
    }
}
