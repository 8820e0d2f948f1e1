//! How callers prove who they are.

use crate::at::At;
use crate::model::{ParameterPlace, SecurityScheme};
use crate::reference::Documents;
use std::collections::BTreeMap;

/// Schemes by name.
pub(crate) fn schemes<'d>(
    at: Option<&At<'d>>,
    documents: &mut Documents<'d>,
) -> BTreeMap<String, SecurityScheme> {
    let mut found = BTreeMap::new();
    for (name, scheme) in at.into_iter().flat_map(At::members) {
        if let Some(scheme) = documents.resolve(scheme) {
            match read(&scheme) {
                Some(known) => drop(found.insert(name.to_owned(), known)),
                None => documents.fault(&scheme, "no security scheme that OpenAPI knows"),
            }
        }
    }
    found
}

fn read(at: &At<'_>) -> Option<SecurityScheme> {
    let name = || at.text("name").unwrap_or_default().to_owned();
    Some(match at.text("type")? {
        "basic" => SecurityScheme::Http("basic".into()),
        "http" => SecurityScheme::Http(at.text("scheme")?.to_ascii_lowercase()),
        "apiKey" => SecurityScheme::ApiKey(place(at.text("in")?)?, name()),
        "oauth2" => SecurityScheme::OAuth2,
        "openIdConnect" => SecurityScheme::OpenIdConnect,
        "mutualTLS" => SecurityScheme::MutualTls,
        _ => return None,
    })
}

fn place(name: &str) -> Option<ParameterPlace> {
    match name {
        "query" => Some(ParameterPlace::Query),
        "header" => Some(ParameterPlace::Header),
        "cookie" => Some(ParameterPlace::Cookie),
        _ => None,
    }
}

/// A `security` list: alternatives, each a list of names that hold together.
pub(crate) fn requirements(at: &At<'_>) -> Vec<Vec<String>> {
    at.items().map(|one| one.members().map(|(name, _)| name.to_owned()).collect()).collect()
}
