//! OpenAPI 3.1 of what was seen of a service.
//!
//! Everything in it that came out of traffic has gone through the redactor: names that may leave stay names. Values never
//! do; examples are made up.

mod body;
mod document;
mod names;
mod operation;
mod parameters;
mod schema;
mod security;

pub use document::Document;
pub use names::shown_media_type;

use crate::Redactor;
use crate::time::Civil;
use names::Names;
use operation::Group;
use std::collections::BTreeMap;
use tapwire_inventory::{Endpoint, Inventory, Service, States};
use tapwire_wire::Timestamp;

/// Methods that a path item of version 3.1 has.
const METHODS: [&str; 8] = ["GET", "PUT", "POST", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE"];

/// What is the same for all of a document.
struct Context<'a> {
    inventory: &'a Inventory,
    states: States,
    names: Names<'a>,
}

/// A path with its endpoints by method.
struct PathGroup<'a> {
    path: String,
    methods: BTreeMap<&'a str, Vec<&'a Endpoint>>,
}

/// Describes a service by what was seen of it. `None` where there is none of that name.
pub fn describe(inventory: &Inventory, service: &str, redactor: &mut Redactor) -> Option<Document> {
    let service = inventory.services().find(|known| &*known.name == service)?;
    let states = inventory.states();
    let mut context = Context { inventory, states, names: Names::new(redactor) };
    let endpoints: Vec<&Endpoint> =
        inventory.endpoints().filter(|endpoint| endpoint.service == service.name).collect();
    let (paths, others) = context.paths(&endpoints);
    let schemes = security::schemes(&endpoints, &mut context.names);
    let host = context.names.host(&service.name);
    let mut document = Document::map()
        .with("openapi", "3.1.0")
        .with("info", info(service, &host))
        .with("servers", vec![Document::map().with("url", format!("//{host}"))])
        .with("paths", paths);
    if !schemes.is_empty() {
        document.put("components", Document::map().with("securitySchemes", schemes));
    }
    if !others.is_empty() {
        document.put("x-tapwire-other", others);
    }
    Some(
        document
            .with("x-tapwire-calls", service.calls)
            .with("x-tapwire-first-seen", date_time(service.first_seen))
            .with("x-tapwire-last-seen", date_time(service.last_seen)),
    )
}

fn info(service: &Service, host: &str) -> Document {
    let day = date_time(service.last_seen).get(..10).unwrap_or_default().to_owned();
    let description = "Learned by Tapwire from traffic: what was not called, and members that never came, are not here. \
                       Values of traffic are not in it; examples are made up.";
    Document::map().with("title", host).with("version", day).with("description", description)
}

fn date_time(time: Timestamp) -> String {
    let mut out = Vec::new();
    Civil::new(time).date_time(&mut out, 3);
    out.push(b'Z');
    String::from_utf8_lossy(&out).into_owned()
}

impl<'a> Context<'a> {
    /// Every path, and what has no place among paths, such as `CONNECT host:port`.
    fn paths(&mut self, endpoints: &[&'a Endpoint]) -> (Document, Document) {
        // Paths that differ in nothing but the names of their parameters are one (OpenAPI 3.1.0, 4.8.8.1).
        let mut groups: BTreeMap<String, PathGroup<'a>> = BTreeMap::new();
        let mut others = Vec::new();
        for endpoint in endpoints {
            let path = self.names.template(&endpoint.template);
            if !path.starts_with('/') {
                others.push(self.other(endpoint));
                continue;
            }
            let group =
                groups.entry(shape(&path)).or_insert_with(|| PathGroup { path, methods: BTreeMap::new() });
            group.methods.entry(&endpoint.method).or_default().push(endpoint);
        }
        let mut paths = Document::map();
        let mut ids = BTreeMap::new();
        for group in groups.values() {
            paths.put(&group.path, self.path_item(group, &mut ids));
        }
        (paths, Document::List(others))
    }

    fn path_item(&mut self, group: &PathGroup<'a>, ids: &mut BTreeMap<String, u32>) -> Document {
        let mut item = Document::map();
        for method in METHODS {
            if let Some(endpoints) = group.methods.get(method) {
                let operation = self.operation(Group { path: &group.path, method, endpoints }, ids);
                item.put(&method.to_ascii_lowercase(), operation);
            }
        }
        let mut odd = Document::map();
        for (method, endpoints) in group.methods.iter().filter(|(method, _)| !METHODS.contains(method)) {
            let name = self.names.method(method);
            odd.put(&name, self.operation(Group { path: &group.path, method, endpoints }, ids));
        }
        if !odd.is_empty() {
            item.put("x-tapwire-methods", odd);
        }
        item
    }

    fn other(&mut self, endpoint: &Endpoint) -> Document {
        Document::map()
            .with("method", self.names.method(&endpoint.method))
            .with("target", self.names.template(&endpoint.template))
            .with("calls", endpoint.calls)
    }
}

/// A path without the names of its parameters.
fn shape(path: &str) -> String {
    let mut out = String::new();
    let mut rest = path;
    while let Some((before, behind)) = rest.split_once('{') {
        out.push_str(before);
        out.push_str("{}");
        rest = behind.split_once('}').map_or("", |(_, behind)| behind);
    }
    out.push_str(rest);
    out
}
