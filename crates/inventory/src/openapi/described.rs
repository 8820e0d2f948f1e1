//! What the inventory knows of descriptions: which service they describe, and what of them was never seen.

use super::states::{Orphan, States};
use super::{Given, Scope};
use crate::endpoints::endpoint_id;
use crate::{Endpoint, Inventory};
use std::collections::{BTreeSet, HashSet};
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

    /// Whether a service is described: by its name, or by a description without host that half of its endpoints are in.
    pub fn is_described(&self, service: &str) -> bool {
        let Some(scope) = self.scope(service) else { return false };
        let (all, named) = self.endpoints.prior().descriptions(scope);
        if all.is_empty() || named {
            return named;
        }
        let mine = || self.endpoints.iter().filter(|endpoint| &*endpoint.service == service);
        let documented = mine().filter(|endpoint| endpoint.documented.is_some()).count();
        documented > 0 && documented * 2 >= mine().count()
    }

    /// What is described of the services that were seen, and was not seen; sorted by service, template and method.
    pub fn orphans(&self) -> Vec<Orphan> {
        let described: Vec<_> = self.services().filter(|service| self.is_described(&service.name)).collect();
        if described.is_empty() {
            return Vec::new();
        }
        let seen: HashSet<_> =
            self.endpoints.iter().map(|one| (&*one.service, &*one.template, &*one.method)).collect();
        let mut orphans = Vec::new();
        for service in described {
            let Some(scope) = self.scope(&service.name) else { continue };
            for (documented, template, operation) in self.endpoints.prior().operations(scope) {
                let method = operation.method.as_str();
                // HEAD is counted as GET, and OPTIONS calls nothing.
                let counted = if method == "HEAD" { "GET" } else { method };
                if method == "OPTIONS" || seen.contains(&(&*service.name, &**template, counted)) {
                    continue;
                }
                orphans.push(Orphan {
                    id: endpoint_id(&service.name, method, template, None),
                    service: Arc::clone(&service.name),
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

    /// The states of every endpoint, by all that was seen until now.
    pub fn states(&self) -> States {
        States::new(self)
    }

    fn scope(&self, service: &str) -> Option<&Scope> {
        self.scopes.get(*self.service_by_name.get(service)?)
    }
}
