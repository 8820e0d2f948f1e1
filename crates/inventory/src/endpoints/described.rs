//! Endpoints of described templates: nothing is learned of their paths, which are known beforehand.

use super::{Called, Endpoints, Owner, Placed, Vouch, vouch};
use crate::Counters;
use crate::openapi::{Described, Scope};
use crate::templates::{NodeId, Path, What};
use crate::usage::Origin;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use tapwire_inspect::Observation;

impl Endpoints {
    /// The described template of a call, where there is one.
    pub(super) fn described_as(&self, scope: &Scope, path: Path<'_>, what: What) -> Option<Described> {
        let method = self.methods.get(usize::from(what.method))?;
        self.prior.find(scope, path, method)
    }

    /// Places a call on its described template. What a description says needs no vouching, but that it was answered.
    pub(super) fn place_described(
        &mut self,
        owner: &mut Owner<'_>,
        called: Called<'_>,
        described: &Described,
        origin: &Origin,
        counters: &mut Counters,
    ) -> Placed {
        let observation = called.observation;
        let operation = observation.operation().map(|operation| operation.name.as_str());
        let mut called = Called { operation, ..called };
        called.what.operation = operation.map_or(0, |name| self.operation_hash(name));
        let mut known = self.described_endpoint(owner.root, described, called.what);
        if known.is_none() && operation.is_some() && !self.has_room_for_described(owner.root, described) {
            counters.beyond_operations += 1;
            called.what.operation = 0;
            called.operation = None;
            known = self.described_endpoint(owner.root, described, called.what);
        }
        let nowhere = || Placed::nowhere(Arc::clone(&described.template));
        let index = match known {
            Some(index) => index,
            None => match self.discover_described(owner, called, described, counters) {
                Some(index) => index,
                None => return nowhere(),
            },
        };
        let Some(endpoint) = self.all.get_mut(index as usize).and_then(Option::as_mut) else {
            return nowhere();
        };
        endpoint.add(observation, origin);
        endpoint.learn(observation, &mut self.room, &self.hashing);
        Placed::at(endpoint, known.is_none())
    }

    /// The endpoint of a message on a described path.
    pub(super) fn heard_described(
        &self,
        root: NodeId,
        described: &Described,
        path_alone: What,
        observation: &Observation,
    ) -> Option<u32> {
        let operation = observation.operation().map(|operation| operation.name.as_str());
        let what = What { operation: operation.map_or(0, |name| self.operation_hash(name)), ..path_alone };
        self.described_endpoint(root, described, what)
            .or_else(|| self.described_endpoint(root, described, path_alone))
    }

    fn discover_described(
        &mut self,
        owner: &mut Owner<'_>,
        called: Called<'_>,
        described: &Described,
        counters: &mut Counters,
    ) -> Option<u32> {
        let vouched = match vouch(called.observation) {
            Vouch::Yes => true,
            // The description vouches for its own methods.
            Vouch::Weak => {
                described.documented.operation.is_some() || self.failed_often(owner.name, called, counters)
            }
            Vouch::No => false,
        };
        if !vouched {
            counters.unvouched += 1;
            return None;
        }
        if self.by_id.len() >= self.max || *owner.endpoints >= owner.max {
            counters.beyond_endpoints += 1;
            return None;
        }
        let index = self.add_endpoint(owner, Arc::clone(&described.template), called);
        let endpoint = self.all.get_mut(index as usize)?.as_mut()?;
        endpoint.documented = Some(described.documented);
        let key = self.described_key(owner.root, described, Some(called.what));
        self.described.insert(key, index);
        if called.operation.is_some() {
            let operations = self.described_key(owner.root, described, None);
            *self.described.entry(operations).or_insert(0) += 1;
        }
        Some(index)
    }

    fn described_endpoint(&self, root: NodeId, described: &Described, what: What) -> Option<u32> {
        self.described.get(&self.described_key(root, described, Some(what))).copied()
    }

    /// Who calls chooses the names of operations, so they are bounded on each path.
    fn has_room_for_described(&self, root: NodeId, described: &Described) -> bool {
        let operations = self.described.get(&self.described_key(root, described, None)).copied().unwrap_or(0);
        (operations as usize) < self.max_operations
    }

    /// Names what is called on a described template; without, the count of its operations.
    pub(super) fn described_key(&self, root: NodeId, described: &Described, what: Option<What>) -> u64 {
        let mut hash = self.hashing.build_hasher();
        std::hash::Hash::hash(&root, &mut hash);
        hash.write_u32(described.number);
        match what {
            Some(What { method, operation }) => {
                hash.write_u16(method);
                hash.write_u64(operation);
            }
            None => hash.write_u8(0),
        }
        hash.finish()
    }
}
