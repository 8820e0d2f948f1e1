//! Endpoints as a checkpoint has them, and how they are put up again: with their places in the tries, or in what describes
//! them now.

use super::{Endpoints, MAX_METHODS, Owner, is_token};
use crate::endpoint::Endpoint;
use crate::hashing::Keyed;
use crate::openapi::Scope;
use crate::state::{ClassMap, Unfit, names, put_some};
use crate::templates::{Node, NodeId, What};
use crate::{Counters, EndpointId, Service};
use std::collections::HashMap;
use std::sync::Arc;

/// What the pieces said of endpoints.
#[derive(Default)]
pub(crate) struct Saved {
    pub(crate) endpoints: Vec<Option<Endpoint>>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) merges: Vec<(EndpointId, EndpointId)>,
    pub(crate) pending: Vec<(u64, u8)>,
    pub(crate) methods: Vec<Arc<str>>,
}

/// The services, which own the endpoints.
pub(crate) struct Owners<'a> {
    pub(crate) services: &'a mut [Service],
    pub(crate) by_name: &'a HashMap<Arc<str>, usize, Keyed>,
    pub(crate) roots: &'a mut [NodeId],
    pub(crate) scopes: &'a [Scope],
    /// Endpoints that one of them may have.
    pub(crate) max: u32,
}

impl Endpoints {
    pub(crate) fn save_endpoints(&self, from: usize, out: &mut Vec<u8>) -> Option<usize> {
        let weight =
            |endpoint: &&Option<Endpoint>| endpoint.as_ref().map_or(1, |endpoint| 1 + endpoint.fields());
        put_some(self.all.iter().skip(from), weight, out)
    }

    pub(crate) fn save_nodes(&self, from: usize, out: &mut Vec<u8>) -> Option<usize> {
        self.templates.save(from, out)
    }

    pub(crate) fn save_values(&self, from: usize, out: &mut Vec<u8>) -> Option<usize> {
        self.templates.save_values(from, out)
    }

    pub(crate) fn load_values(&mut self, entries: &[u8]) -> Result<u64, Unfit> {
        self.templates.load_values(entries)
    }

    pub(crate) fn save_counted(&self, from: usize, out: &mut Vec<u8>) -> Option<usize> {
        self.templates.save_counted(from, out)
    }

    pub(crate) fn load_counted(&mut self, entries: &[u8]) -> Result<u64, Unfit> {
        self.templates.load_counted(entries)
    }

    pub(crate) fn save_favoured(&self, from: usize, out: &mut Vec<u8>) -> Option<usize> {
        self.templates.save_favoured(from, out)
    }

    pub(crate) fn load_favoured(&mut self, entries: &[u8]) -> Result<u64, Unfit> {
        self.templates.load_favoured(entries)
    }

    pub(crate) fn save_merges(&self, from: usize, out: &mut Vec<u8>) -> Option<usize> {
        let now = |old: &EndpointId| (*old, self.merged.get(old).copied().unwrap_or(*old));
        put_some(self.merges.iter().skip(from).map(now), |_| 1, out)
    }

    /// All at once: they are few.
    pub(crate) fn save_pending(&self, out: &mut Vec<u8>) -> Option<usize> {
        let mut all: Vec<(u64, u8)> = self.pending.iter().map(|(key, calls)| (*key, *calls)).collect();
        all.sort_unstable();
        put_some(all.into_iter(), |_| 0, out)
    }

    pub(crate) fn save_methods(&self, out: &mut Vec<u8>) -> Option<usize> {
        put_some(self.methods.iter(), |_| 0, out)
    }

    /// Takes what was saved; how much of it was left out.
    pub(crate) fn restore(&mut self, saved: Saved, classes: &ClassMap, owners: &mut Owners<'_>) -> u64 {
        let Saved { endpoints, nodes, merges, pending, methods } = saved;
        // One that is none ends the list, so that the places of the others stay right.
        self.methods = methods.into_iter().take_while(|method| is_token(method)).take(MAX_METHODS).collect();
        self.pending = pending.into_iter().collect();
        for (old, new) in merges.into_iter().filter(|(old, new)| old != new) {
            self.merged.insert(old, new);
            self.merges.push_back(old);
        }
        let mut left_out = self.templates.restore(nodes, owners.roots);
        let mut placed = Vec::with_capacity(endpoints.len());
        for endpoint in endpoints {
            let was = endpoint.is_some();
            let described = endpoint.as_ref().is_some_and(|endpoint| endpoint.documented.is_some());
            let kept = endpoint.and_then(|endpoint| self.readmit(endpoint, classes, owners));
            left_out += u64::from(was && kept.is_none());
            placed.push(described);
            self.put_back(kept);
        }
        left_out += self.settle_places(&mut placed, owners);
        self.describe(owners);
        left_out
    }

    /// An endpoint as it was, where it may be one.
    fn readmit(
        &mut self,
        mut endpoint: Endpoint,
        classes: &ClassMap,
        owners: &mut Owners<'_>,
    ) -> Option<Endpoint> {
        let service = owners.services.get_mut(*owners.by_name.get(&endpoint.service)?)?;
        let method = self.methods.iter().find(|known| **known == endpoint.method)?;
        let room = self.by_id.len() < self.max && service.endpoints < owners.max;
        if !room || self.by_id.contains_key(&endpoint.id) {
            return None;
        }
        service.endpoints += 1;
        (endpoint.service, endpoint.method) = (Arc::clone(&service.name), Arc::clone(method));
        endpoint.protocols.retain(|name| *name != names::UNKNOWN);
        endpoint.documented = None;
        endpoint.restore(&mut self.room, &self.hashing, classes);
        Some(endpoint)
    }

    fn put_back(&mut self, endpoint: Option<Endpoint>) {
        let index = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        match &endpoint {
            Some(endpoint) => {
                // What is an endpoint of its own is not one that became another.
                self.merged.remove(&endpoint.id);
                self.by_id.insert(endpoint.id, index);
            }
            None => self.holes.push(index),
        }
        self.all.push(endpoint);
    }

    /// Brings places in the tries and endpoints together again. `placed` says which endpoints need no place.
    fn settle_places(&mut self, placed: &mut [bool], owners: &mut Owners<'_>) -> u64 {
        let mut odd = Vec::new();
        for (number, root) in owners.roots.iter().enumerate() {
            for (node, what, index) in self.templates.called_below(*root) {
                match self.fit(node, what, index, owners.services.get(number)) {
                    Fit::Same => placed.get_mut(index as usize).into_iter().for_each(|placed| *placed = true),
                    Fit::Renamed => odd.push((number, node, what, index)),
                    Fit::Other => self.templates.remove(node, what),
                }
            }
        }
        // An endpoint that has a place was put in the place of one that is no more; one without took another name while the
        // checkpoint was written.
        for (number, node, what, index) in odd {
            match placed.get_mut(index as usize).filter(|placed| !**placed) {
                Some(placed) => {
                    *placed = true;
                    self.rename(number, node, what, index, owners);
                }
                None => self.templates.remove(node, what),
            }
        }
        let lost: Vec<u32> =
            (0..).zip(placed.iter()).filter(|(_, placed)| !**placed).map(|(at, _)| at).collect();
        lost.into_iter().map(|index| u64::from(self.forget(index, owners))).sum()
    }

    fn fit(&self, node: NodeId, what: What, index: u32, service: Option<&Service>) -> Fit {
        let endpoint = self.all.get(index as usize).and_then(Option::as_ref);
        let (Some(endpoint), Some(service)) = (endpoint, service) else { return Fit::Other };
        let method = self.methods.get(usize::from(what.method));
        let operation = endpoint.operation.as_deref().map_or(0, |name| self.operation_hash(name));
        if endpoint.service != service.name || method != Some(&endpoint.method) || operation != what.operation
        {
            return Fit::Other;
        }
        let template = self.templates.text(node, endpoint.template.ends_with("/…"));
        // The asterisk of `OPTIONS *` stands at the root.
        let same = endpoint.template == template || &*endpoint.template == "*" && &*template == "/";
        if same { Fit::Same } else { Fit::Renamed }
    }

    fn rename(&mut self, number: usize, node: NodeId, what: What, index: u32, owners: &mut Owners<'_>) {
        let Some(((service, root), scope)) =
            owners.services.get_mut(number).zip(owners.roots.get(number)).zip(owners.scopes.get(number))
        else {
            return;
        };
        let name = Arc::clone(&service.name);
        let mut owner =
            Owner { name: &name, root: *root, scope, endpoints: &mut service.endpoints, max: owners.max };
        self.retitle(node, what, index, &mut owner, &mut Counters::default());
    }

    /// Forgets an endpoint that became part of another while the checkpoint was written.
    fn forget(&mut self, index: u32, owners: &mut Owners<'_>) -> bool {
        let Some(endpoint) = self.all.get_mut(index as usize).and_then(Option::take) else { return false };
        let service = owners.by_name.get(&endpoint.service).and_then(|at| owners.services.get_mut(*at));
        service.into_iter().for_each(|service| service.endpoints = service.endpoints.saturating_sub(1));
        self.by_id.remove(&endpoint.id);
        self.holes.push(index);
        endpoint.leave(&mut self.room);
        true
    }

    /// Says which endpoints are described by now: other descriptions may have been given than before.
    fn describe(&mut self, owners: &Owners<'_>) {
        if self.prior.given().is_empty() {
            return;
        }
        let by_template = self.prior.by_template();
        let mut found = Vec::new();
        for (index, endpoint) in (0_u32..).zip(&self.all) {
            let Some(endpoint) = endpoint else { continue };
            let Some(service) = owners.by_name.get(&endpoint.service) else { continue };
            let Some((root, scope)) = owners.roots.get(*service).zip(owners.scopes.get(*service)) else {
                continue;
            };
            let numbers = by_template.get(&*endpoint.template).map_or(&[][..], Vec::as_slice);
            if let Some(described) = self.prior.described(scope, numbers, &endpoint.method) {
                found.push((index, *root, described));
            }
        }
        for (index, root, described) in found {
            let Some(endpoint) = self.all.get_mut(index as usize).and_then(Option::as_mut) else { continue };
            endpoint.documented = Some(described.documented);
            let operation = endpoint.operation.clone();
            let method = self.methods.iter().position(|known| *known == endpoint.method);
            let Some(method) = method.and_then(|at| u16::try_from(at).ok()) else { continue };
            let operation_hash = operation.as_deref().map_or(0, |name| self.operation_hash(name));
            let key = self.described_key(root, &described, Some(What { method, operation: operation_hash }));
            self.described.insert(key, index);
            if operation.is_some() {
                *self.described.entry(self.described_key(root, &described, None)).or_insert(0) += 1;
            }
        }
    }
}

/// How a place in a trie and the endpoint that it names go together.
enum Fit {
    /// They do.
    Same,
    /// The endpoint was named otherwise.
    Renamed,
    /// They do not.
    Other,
}
