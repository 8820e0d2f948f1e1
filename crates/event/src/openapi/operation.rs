//! One operation: a method on a path, with all that is called there.

use super::document::Document;
use super::{Context, body, date_time, names, parameters, security};
use std::collections::{BTreeMap, BTreeSet};
use tapwire_inventory::{Endpoint, State};
use tapwire_wire::Timestamp;

/// The endpoints of one method on one path: several where a style of calls has one path for all.
pub(super) struct Group<'g, 'a> {
    pub(super) path: &'g str,
    pub(super) method: &'g str,
    pub(super) endpoints: &'g [&'a Endpoint],
}

impl Group<'_, '_> {
    fn calls(&self) -> u64 {
        self.endpoints.iter().map(|endpoint| endpoint.calls).sum()
    }
}

impl Context<'_> {
    pub(super) fn operation(&mut self, group: Group<'_, '_>, ids: &mut BTreeMap<String, u32>) -> Document {
        let mut operation = Document::map().with("operationId", self.operation_id(&group, ids));
        if group
            .endpoints
            .iter()
            .any(|one| self.inventory.documented(one).is_some_and(|known| known.deprecated))
        {
            operation.put("deprecated", true);
        }
        let parameters = self.parameters(&group);
        if !parameters.is_empty() {
            operation.put("parameters", parameters);
        }
        if let Some(request) = body::request(group.endpoints, &mut self.names) {
            operation.put("requestBody", request);
        }
        operation.put("responses", body::responses(group.endpoints, &mut self.names));
        operation.put("security", security::requirement(group.endpoints, &mut self.names));
        self.extend(&group, &mut operation);
        operation
    }

    /// Unique within the document. A description's own id stays.
    fn operation_id(&self, group: &Group<'_, '_>, ids: &mut BTreeMap<String, u32>) -> String {
        let described = group.endpoints.iter().find_map(|one| self.inventory.documented(one)?.id.clone());
        let id = described.unwrap_or_else(|| names::operation_id(group.method, group.path));
        let count = ids.entry(id.clone()).or_insert(0);
        *count += 1;
        if *count > 1 { format!("{id}_{count}") } else { id }
    }

    fn parameters(&mut self, group: &Group<'_, '_>) -> Document {
        let mut list = Vec::new();
        for name in names::parameters(group.path) {
            list.push(
                Document::map()
                    .with("name", name)
                    .with("in", "path")
                    .with("required", true)
                    .with("schema", parameters::of_path(group.endpoints, name, &mut self.names)),
            );
        }
        list.extend(parameters::others(group.endpoints, &mut self.names));
        Document::List(list)
    }

    /// What OpenAPI has no word for.
    fn extend(&mut self, group: &Group<'_, '_>, operation: &mut Document) {
        let first = group.endpoints.iter().map(|one| one.first_seen).min().unwrap_or(Timestamp::MIN);
        let last = group.endpoints.iter().map(|one| one.last_seen).max().unwrap_or(Timestamp::MIN);
        operation.put("x-tapwire-calls", group.calls());
        operation.put("x-tapwire-first-seen", date_time(first));
        operation.put("x-tapwire-last-seen", date_time(last));
        let states: BTreeSet<State> =
            group.endpoints.iter().flat_map(|one| self.states.of(self.inventory, one).iter()).collect();
        operation.put("x-tapwire-states", states.iter().map(|state| state.name().into()).collect::<Vec<_>>());
        let operations: Vec<Document> = group.endpoints.iter().filter_map(|one| self.called(one)).collect();
        match group.endpoints {
            [one] if operations.is_empty() => operation.put("x-tapwire-id", format!("{:016x}", one.id.0)),
            _ => operation.put("x-tapwire-operations", operations),
        }
    }

    /// One of several operations of a path.
    fn called(&mut self, endpoint: &Endpoint) -> Option<Document> {
        let name = self.names.name(endpoint.operation.as_deref()?);
        let mut called = Document::map()
            .with("operation", name)
            .with("id", format!("{:016x}", endpoint.id.0))
            .with("calls", endpoint.calls)
            .with("first-seen", date_time(endpoint.first_seen))
            .with("last-seen", date_time(endpoint.last_seen));
        if let Some(request) = body::request(&[endpoint], &mut self.names) {
            called.put("requestBody", request);
        }
        called.put("responses", body::responses(&[endpoint], &mut self.names));
        Some(called)
    }
}
