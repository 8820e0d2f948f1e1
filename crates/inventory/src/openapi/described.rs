//! What the inventory knows of descriptions: which service they describe, and what of them was never seen.

use super::states::{Orphan, States};
use super::{Given, Scope};
use crate::endpoints::endpoint_id;
use crate::{Endpoint, Inventory, Service};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use tapwire_openapi::{Description, Operation};

impl Inventory {
    /// The descriptions that were given, in that order.
    pub fn descriptions(&self) -> &[Given] {
        self.endpoints.prior().given()
    }

    /// Descriptions that no endpoint is in.
    pub fn unmet_descriptions(&self) -> Vec<&Given> {
        let met: BTreeSet<usize> =
            self.endpoints.iter().filter_map(|one| Some(one.documented?.description)).collect();
        let all = self.descriptions().iter().enumerate();
        all.filter(|(index, _)| !met.contains(index)).map(|(_, given)| given).collect()
    }

    /// Those that describe a service: of its name, else those that name no host.
    pub fn descriptions_of(&self, service: &str) -> Vec<&Arc<Description>> {
        let Some(scope) = self.scope(service) else { return Vec::new() };
        let (all, _) = self.endpoints.prior().descriptions(scope);
        all.iter().filter_map(|index| Some(&self.descriptions().get(*index)?.description)).collect()
    }

    /// The operation that an endpoint is described as.
    pub fn documented(&self, endpoint: &Endpoint) -> Option<&Operation> {
        self.endpoints.prior().operation(endpoint.documented?)
    }

    /// Services that are described: by their name, or by a description without host that half of their endpoints are in.
    pub(super) fn described_services(&self) -> BTreeSet<Arc<str>> {
        let mut documented: BTreeMap<&Arc<str>, u32> = BTreeMap::new();
        for endpoint in self.endpoints.iter().filter(|endpoint| endpoint.documented.is_some()) {
            *documented.entry(&endpoint.service).or_default() += 1;
        }
        let is_described = |service: &&Service| {
            let Some(scope) = self.scope(&service.name) else { return false };
            let (all, named) = self.endpoints.prior().descriptions(scope);
            let documented = documented.get(&service.name).copied().unwrap_or(0);
            if all.is_empty() || named {
                named
            } else {
                documented > 0 && documented * 2 >= service.endpoints
            }
        };
        self.services().filter(is_described).map(|service| Arc::clone(&service.name)).collect()
    }

    /// What is described of the services that were seen, and was not seen; sorted by service, template and method.
    pub fn orphans(&self) -> Vec<Orphan> {
        let described = self.described_services();
        if described.is_empty() {
            return Vec::new();
        }
        let seen: HashSet<_> =
            self.endpoints.iter().map(|one| (&*one.service, &*one.template, &*one.method)).collect();
        let mut orphans = Vec::new();
        for service in described {
            let Some(scope) = self.scope(&service) else { continue };
            for (documented, template, operation) in self.endpoints.prior().operations(scope) {
                let method = operation.method.as_str();
                // HEAD is counted as GET, and OPTIONS calls nothing.
                let counted = if method == "HEAD" { "GET" } else { method };
                if method == "OPTIONS" || seen.contains(&(&*service, &**template, counted)) {
                    continue;
                }
                orphans.push(Orphan {
                    id: endpoint_id(&service, method, template, None),
                    service: Arc::clone(&service),
                    method: method.into(),
                    template: Arc::clone(template),
                    documented,
                });
            }
        }
        orphans
            .sort_by(|a, b| (&a.service, &a.template, &a.method).cmp(&(&b.service, &b.template, &b.method)));
        orphans.dedup_by(|a, b| a.id == b.id);
        orphans
    }

    /// What the states of endpoints are found by, as it is now.
    pub fn states(&self) -> States {
        States::new(self)
    }

    fn scope(&self, service: &str) -> Option<&Scope> {
        self.scopes.get(*self.service_by_name.get(service)?)
    }
}
