//! Whether a rule can be judged here: its log source, and the fields it asks for.

use crate::{Names, Taxonomy};
use rsigma_eval::{FieldSource, RuleFieldSet};
use rsigma_parser::{CorrelationCondition, CorrelationRule, LogSource, SigmaCollection, Status};

/// Fields of access logs that Tapwire has no value for, and why.
const WITHHELD: &[(&str, &str)] = &[
    ("cs-username", "names of users are kept as tokens: principal stands for them"),
    ("sc-win32-status", "only the server knows it"),
    ("sc-substatus", "only the server knows it"),
    ("s-computername", "only the server knows it"),
];

/// The taxonomy of a log source, or why its rules cannot be judged.
pub(crate) fn taxonomy(source: &LogSource) -> Result<Taxonomy, String> {
    let category = source.category.as_deref().unwrap_or_default();
    let found = Taxonomy::ALL.into_iter().find(|one| one.name().eq_ignore_ascii_case(category));
    let named = [("product", &source.product), ("service", &source.service), ("category", &source.category)];
    let said: Vec<String> = named
        .into_iter()
        .filter_map(|(name, value)| value.as_ref().map(|value| format!("{name} {value}")))
        .collect();
    match found {
        None if said.is_empty() => Err("it names no log source".into()),
        None => Err(format!("its log source ({}) is nothing that HTTP traffic shows", said.join(", "))),
        Some(Taxonomy::Api) if source.product.as_deref().is_some_and(|product| product != "tapwire") => {
            Err("category api is that of product tapwire alone".into())
        }
        Some(_) if source.service.is_some() => {
            Err(format!("its log source ({}) is a log of its own, not that of requests", said.join(", ")))
        }
        Some(taxonomy) => Ok(taxonomy),
    }
}

/// Why a rule's status keeps it from being judged.
pub(crate) fn by_status(status: Option<Status>) -> Result<(), String> {
    match status {
        Some(Status::Deprecated) => Err("its status is deprecated".into()),
        Some(Status::Unsupported) => Err("its status is unsupported".into()),
        _ => Ok(()),
    }
}

/// Whether every field that detections of the collection ask for is known.
pub(crate) fn fields(collection: &SigmaCollection, taxonomy: Taxonomy, names: &Names) -> Result<(), String> {
    let set = RuleFieldSet::collect(collection, &[], true);
    let asked =
        set.iter().filter(|(_, origin)| origin.sources.iter().any(|one| *one != FieldSource::Metadata));
    known(asked.map(|(name, _)| name), taxonomy, names)
}

/// Whether what a correlation groups by and reckons with is known.
pub(crate) fn correlation(rule: &CorrelationRule, names: &Names) -> Result<(), String> {
    let alias = |name: &&String| rule.aliases.iter().any(|alias| alias.alias == **name);
    let grouped = rule.group_by.iter().filter(|name| !alias(name));
    let mapped = rule.aliases.iter().flat_map(|alias| alias.mapping.values());
    let reckoned = match &rule.condition {
        CorrelationCondition::Threshold { field: Some(fields), .. } => fields.as_slice(),
        _ => &[],
    };
    let mut asked: Vec<&str> = grouped.chain(mapped).chain(reckoned).map(String::as_str).collect();
    asked.sort_unstable();
    // What it refers to was held against its own log source; values of all of them are known of every call.
    Taxonomy::ALL
        .into_iter()
        .find(|taxonomy| known(asked.iter().copied(), *taxonomy, names).is_ok())
        .map_or_else(|| known(asked.iter().copied(), Taxonomy::Webserver, names), |_| Ok(()))
}

fn known<'a>(asked: impl Iterator<Item = &'a str>, taxonomy: Taxonomy, names: &Names) -> Result<(), String> {
    let unknown: Vec<&str> =
        asked.filter(|name| !names.find(name).is_some_and(|field| field.is_of(taxonomy))).collect();
    let Some(first) = unknown.first() else { return Ok(()) };
    let withheld = WITHHELD.iter().find(|(name, _)| name == first);
    let why = match (withheld, tapwire_expr::nearest(first, &names.of(taxonomy))) {
        (Some((_, why)), _) => format!(" ({why})"),
        (None, Some(near)) => format!(" (did it mean {near}?)"),
        (None, None) => String::new(),
    };
    let fields = if unknown.len() == 1 { "the field" } else { "the fields" };
    Err(format!("it needs {fields} {}, which {} has not{why}", unknown.join(", "), taxonomy.name()))
}
