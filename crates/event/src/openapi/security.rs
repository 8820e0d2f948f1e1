//! How callers proved who they are, as security schemes.

use super::document::Document;
use super::names::Names;
use std::collections::BTreeMap;
use tapwire_inspect::{CredentialKind, Place};
use tapwire_inventory::{Endpoint, Proof};

/// Every scheme of a service by its name.
pub(super) fn schemes(endpoints: &[&Endpoint], names: &mut Names<'_>) -> Document {
    let mut found = BTreeMap::new();
    for proof in endpoints.iter().flat_map(|endpoint| endpoint.proofs.iter()) {
        if let Some((name, scheme)) = scheme(proof, names) {
            found.entry(name).or_insert(scheme);
        }
    }
    Document::Map(found.into_iter().collect())
}

/// What an endpoint asks for, as far as its calls tell: each way that came as an alternative, and none where calls came
/// without.
pub(super) fn requirement(endpoints: &[&Endpoint], names: &mut Names<'_>) -> Document {
    let mut alternatives: Vec<String> = Vec::new();
    for proof in endpoints.iter().flat_map(|endpoint| endpoint.proofs.iter()) {
        if let Some((name, _)) = scheme(proof, names) {
            alternatives.push(name);
        }
    }
    alternatives.sort();
    alternatives.dedup();
    let without = endpoints.iter().any(|endpoint| endpoint.auth.none > 0) && !alternatives.is_empty();
    let none = Document::List(Vec::new());
    let mut list: Vec<Document> =
        alternatives.iter().map(|name| Document::map().with(name, none.clone())).collect();
    list.extend(without.then(Document::map));
    Document::List(list)
}

/// Name and scheme; `None` for what OpenAPI has no word for, such as a password in a body.
fn scheme(proof: &Proof, names: &mut Names<'_>) -> Option<(String, Document)> {
    let http = |scheme: &str| Document::map().with("type", "http").with("scheme", scheme);
    let is_header = proof.place == Place::Header;
    match proof.kind {
        CredentialKind::Jwt if is_header => Some(("jwt".into(), http("bearer").with("bearerFormat", "JWT"))),
        CredentialKind::Bearer if is_header => Some(("bearer".into(), http("bearer"))),
        CredentialKind::Basic => Some(("basic".into(), http("basic"))),
        CredentialKind::Password => None,
        _ => key(proof, names),
    }
}

fn key(proof: &Proof, names: &mut Names<'_>) -> Option<(String, Document)> {
    let place = match proof.place {
        Place::Query => "query",
        Place::Header => "header",
        Place::Cookie => "cookie",
        Place::Path | Place::UserInfo | Place::Body => return None,
    };
    let own =
        if proof.name.is_empty() && proof.place == Place::Header { "Authorization" } else { &proof.name };
    if own.is_empty() {
        return None;
    }
    let shown = names.name(own);
    // Names of components have letters, digits and these only (OpenAPI 3.1.0, 4.8.7.1).
    let plain: String =
        shown.chars().map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' }).collect();
    let scheme = Document::map().with("type", "apiKey").with("in", place).with("name", shown);
    Some((format!("{place}-{plain}"), scheme))
}
