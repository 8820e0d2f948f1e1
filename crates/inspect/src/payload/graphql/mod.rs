//! GraphQL over HTTP: a query string, a JSON body or a batch of them, or a bare document.

mod scan;

pub(crate) use scan::{Document, Scanner};

use super::notes::{Mark, Notes, Value, Want};
use super::{PayloadFormat, PayloadParser, Reading, json};
use crate::style::{Fact, Facts, Name, Operation, Said, Spoken, Style};
use crate::{PayloadState, percent};
use std::collections::BTreeSet;

pub(super) const FORMAT: PayloadFormat = PayloadFormat {
    name: "graphql",
    summary: "A GraphQL document without JSON around it",
    media_types: &["application/graphql"],
    matches: |media_type| media_type == b"application/graphql",
    begins: |_| false,
    parser: || Box::<Bare>::default(),
};

pub(crate) const STYLE: Style = Style {
    name: "graphql",
    summary: "operation with its root fields, variables, batch, aliases, depth, introspection, persisted queries, errors",
    told_by: "a readable document in `query`, of JSON or of the query string, or a persisted query's hash",
    read,
};

/// Bytes of a query string's value that are read.
const MAX_PARAMETER: usize = 16 << 10;
/// Operations that a batch is named by, and error codes that are kept.
const MOST: usize = 4;

/// A document without JSON around it.
#[derive(Default)]
struct Bare {
    scanner: Scanner,
    empty: bool,
}

impl PayloadParser for Bare {
    fn feed(&mut self, bytes: &[u8]) {
        self.empty &= bytes.is_empty();
        self.scanner.feed(bytes);
    }

    fn finish(&mut self, whole: bool) -> Reading {
        let document = self.scanner.finish();
        self.empty = true;
        let state = match (&document, whole) {
            (_, false) => PayloadState::Partial,
            (Some(_), true) => PayloadState::Read,
            (None, true) => PayloadState::Invalid,
        };
        let notes = document.filter(|_| whole).map(|document| {
            Box::new(Notes { documents: vec![document], seen: Want::Query.bit(), ..Notes::default() })
        });
        Reading { state, notes, ..Reading::default() }
    }
}

fn read(spoken: &mut Spoken<'_>, said: &mut Said) {
    let from_query = in_query_string(spoken);
    let asked = from_query.as_ref().unwrap_or(spoken.asked);
    if !asked.has(Want::Query) && !asked.has(Want::PersistedHash) {
        return;
    }
    let answered = spoken.answered;
    let mut operation = Operation::new(STYLE.name, &operations(asked));
    operation.unknown =
        answered.no_data && answered.texts(Want::GraphQlCode).any(|code| UNKNOWN.contains(&code.as_str()));
    said.protocols.push(STYLE.name);
    said.operation = Some(operation);
    said.failed |= answered.errors > 0;
    said.facts.push(("graphql", facts(asked, answered)));
}

/// Error codes that say that the server has no such operation.
const UNKNOWN: &[&str] = &[
    "GRAPHQL_VALIDATION_FAILED",
    "GRAPHQL_PARSE_FAILED",
    "PERSISTED_QUERY_NOT_FOUND",
    "PersistedQueryNotFound",
];

/// A GET request has in its query string what a POST has in its body.
fn in_query_string(spoken: &Spoken<'_>) -> Option<Notes> {
    let decoded = |name: &[u8]| {
        let value = spoken.parameter(name)?;
        let spaced: Vec<u8> = value.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
        Some(percent::decode(&spaced, MAX_PARAMETER))
    };
    let (query, extensions) = (decoded(b"query"), decoded(b"extensions"));
    if query.is_none() && extensions.is_none() {
        return None;
    }
    let variables = decoded(b"variables").unwrap_or_else(|| b"null".to_vec());
    let extensions = extensions.unwrap_or_else(|| b"null".to_vec());
    let parts: [&[u8]; 5] = [b"{\"extensions\":", &extensions, b",\"variables\":", &variables, b"}"];
    let mut notes = json::note(&parts);
    let mut scanner = Scanner::default();
    scanner.feed(&query.unwrap_or_default());
    if let Some(document) = scanner.finish() {
        notes.seen |= Want::Query.bit();
        notes.documents.push(document);
    }
    if let Some(name) = decoded(b"operationName") {
        notes.marks.push(Mark {
            want: Want::OperationName,
            element: 0,
            value: Value::Text(Name::new(&name)),
        });
    }
    Some(notes)
}

/// The operations of a request by name and root fields: `query Orders {orders viewer}`.
fn operations(asked: &Notes) -> String {
    let chosen: Vec<&Name> = asked.texts(Want::OperationName).collect();
    let mut names: Vec<String> =
        asked.documents.iter().map(|document| of_document(document, &chosen)).collect();
    if names.is_empty() {
        let named = chosen.iter().map(|name| format!("persisted {}", name.as_str()));
        names = named
            .chain(asked.texts(Want::PersistedHash).map(|hash| format!("persisted {}", short(hash))))
            .take(1)
            .collect();
    }
    super::distinct(names, MOST)
}

/// The operation that is meant: the one named, else the first.
fn of_document(document: &Document, chosen: &[&Name]) -> String {
    let named =
        document.operations.iter().find(|one| one.name.as_ref().is_some_and(|name| chosen.contains(&name)));
    let Some(one) = named.or_else(|| document.operations.first()) else { return String::new() };
    let name = one.name.as_ref().map(|name| format!(" {}", name.as_str())).unwrap_or_default();
    let fields: BTreeSet<&str> = one.root_fields.iter().map(Name::as_str).collect();
    let fields = fields.into_iter().collect::<Vec<_>>().join(" ");
    format!("{}{name} {{{fields}}}", one.kind)
}

/// A persisted query is known by a SHA-256, of which the beginning is enough.
fn short(hash: &Name) -> &str {
    hash.as_str().get(..16).unwrap_or(hash.as_str())
}

fn digest(hash: &Name) -> Option<Fact> {
    let mut digest = [0; 8];
    for (byte, digits) in digest.iter_mut().zip(hash.as_str().as_bytes().chunks(2)) {
        *byte = percent::escape(digits)?;
    }
    (hash.as_str().len() == 64).then_some(Fact::Digest(digest))
}

fn facts(asked: &Notes, answered: &Notes) -> Facts {
    let documents = &asked.documents;
    let sum =
        |of: fn(&Document) -> u32| documents.iter().map(|document| u64::from(of(document))).sum::<u64>();
    let first = documents.first().and_then(|document| document.operations.first());
    let mut facts = Facts::new();
    if let Some(operation) = first {
        facts.push(("type", Fact::Own(operation.kind)));
        facts.extend(operation.name.clone().map(|name| ("name", Fact::Name(name))));
        let fields = operation.root_fields.iter().cloned().map(Fact::Name).collect();
        facts.push(("root_fields", Fact::List(fields)));
    } else {
        facts.extend(asked.texts(Want::OperationName).next().cloned().map(|name| ("name", Fact::Name(name))));
    }
    let variables = variables(asked);
    if !variables.is_empty() {
        facts.push(("variables", Fact::List(variables)));
    }
    facts.push(("batch", Fact::Count((documents.len() as u64).max(1))));
    facts.push((
        "depth",
        Fact::Count(documents.iter().map(|document| document.depth).max().unwrap_or(0).into()),
    ));
    facts.push(("fields", Fact::Count(sum(|document| document.fields))));
    facts.push(("aliases", Fact::Count(sum(|document| document.aliases))));
    facts.push(("directives", Fact::Count(sum(|document| document.directives))));
    facts.push(("fragments", Fact::Count(sum(|document| document.fragments))));
    facts.push(("introspection", Fact::Truth(documents.iter().any(|document| document.introspection))));
    facts.extend(asked.texts(Want::PersistedHash).next().and_then(digest).map(|hash| ("persisted", hash)));
    facts.push(("errors", Fact::Count(answered.errors.into())));
    let codes: BTreeSet<&Name> = answered.texts(Want::GraphQlCode).collect();
    if !codes.is_empty() {
        let codes = codes.into_iter().take(MOST).cloned().map(Fact::Name).collect();
        facts.push(("error_codes", Fact::List(codes)));
    }
    if asked.more || answered.more {
        facts.push(("more", Fact::Truth(true)));
    }
    facts
}

/// Variables with their types: as the document declares them, else as the values are.
fn variables(asked: &Notes) -> Vec<Fact> {
    let one = |name: &Name, kind: Fact| Fact::Group(vec![("name", Fact::Name(name.clone())), ("type", kind)]);
    let declared = asked.documents.first().and_then(|document| document.operations.first());
    if let Some(operation) = declared.filter(|operation| !operation.variables.is_empty()) {
        return operation.variables.iter().map(|(name, kind)| one(name, Fact::Name(kind.clone()))).collect();
    }
    let pairs = asked.marks.windows(2).filter_map(|pair| match pair {
        [
            Mark { want: Want::Variable, value: Value::Text(name), .. },
            Mark { want: Want::VariableType, value, .. },
        ] => Some(one(name, Fact::Own(value.kind()))),
        _ => None,
    });
    pairs.take(32).collect()
}

#[cfg(test)]
mod tests;
