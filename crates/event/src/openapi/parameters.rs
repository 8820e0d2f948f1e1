//! Parameters in path, query, headers and cookies.

use super::document::Document;
use super::names::Names;
use super::schema;
use std::collections::BTreeSet;
use tapwire_inspect::fields::Step;
use tapwire_inventory::{Endpoint, Node, Schema};

/// Headers that OpenAPI describes elsewhere (3.1.0, 4.8.12.2.1).
const ELSEWHERE: [&str; 3] = ["accept", "authorization", "content-type"];

/// What a parameter of the path looks like.
pub(super) fn of_path(endpoints: &[&Endpoint], name: &str, names: &mut Names<'_>) -> Document {
    let token = format!("{{{name}}}");
    let found = endpoints.iter().find_map(|endpoint| {
        // With something before or behind it in its segment, what was seen is more than its value.
        let at = endpoint.template.split('/').skip(1).position(|segment| segment == token)?.to_string();
        let schema = endpoint.schemas()?.parameters();
        let node = schema.nodes().iter().find(|node| node.step == Step::Segment && node.name() == at)?;
        Some(schema::value(schema, node, false, names))
    });
    found.unwrap_or_else(|| Document::map().with("type", "string"))
}

/// Parameters outside the path, without those that prove who calls.
pub(super) fn others(endpoints: &[&Endpoint], names: &mut Names<'_>) -> Vec<Document> {
    let mut known = BTreeSet::new();
    let mut found = Vec::new();
    for endpoint in endpoints {
        let Some(schema) = endpoint.schemas().map(tapwire_inventory::Schemas::parameters) else { continue };
        let proofs: BTreeSet<String> =
            endpoint.proofs.iter().map(|proof| proof.name.to_ascii_lowercase()).collect();
        for node in schema.nodes() {
            let Some(place) = place(node) else { continue };
            let is_proof = proofs.contains(&node.name().to_ascii_lowercase());
            let name = names.name(node.name());
            if !is_proof && !name.is_empty() && known.insert((place, name.clone())) {
                found.push(parameter(schema, node, (place, &name), endpoints.len() == 1, names));
            }
        }
    }
    found
}

fn place(node: &Node) -> Option<&'static str> {
    match node.step {
        Step::Query => Some("query"),
        Step::Header if !ELSEWHERE.contains(&node.name()) => Some("header"),
        Step::Cookie => Some("cookie"),
        _ => None,
    }
}

fn parameter(
    schema: &Schema,
    node: &Node,
    (place, name): (&str, &str),
    alone: bool,
    names: &mut Names<'_>,
) -> Document {
    Document::map()
        .with("name", name)
        .with("in", place)
        .with("required", alone && schema.is_required(node))
        .with("schema", schema::value(schema, node, false, names))
}
